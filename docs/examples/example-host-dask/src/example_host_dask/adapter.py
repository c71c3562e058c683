"""What example_host needs to know of this package; Dask is imported when a function is used."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from example_host_dask.functions import compute_score, summarize

# Written out literally: hosts read these from the source, without importing this module.
name = "dask"
aliases = ["distributed"]
__all__ = ["aliases", "compute_score", "is_available", "name", "summarize"]


def is_available() -> bool | str:
    """Return whether Dask is installed, or why this backend cannot run, without importing it."""
    return find_spec("distributed") is not None or (
        "dask.distributed is not installed (pip install 'dask[array,distributed]')"
    )


def __getattr__(attribute: str) -> Any:
    if attribute not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
    from example_host_dask import functions

    return getattr(functions, attribute)
