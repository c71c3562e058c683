"""What example_host needs to know of this package; JAX is imported when a function is used."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from my_backend.functions import compute_score, embed, summarize
    from my_backend.neighbors import Neighborhood

# Written out literally: hosts read these from the source, without importing this module.
name = "my_backend"
aliases = ["mine", "jax"]
__all__ = [
    "Neighborhood",
    "aliases",
    "compute_score",
    "embed",
    "is_available",
    "name",
    "summarize",
]


def is_available() -> bool | str:
    """Return whether JAX is installed, or why this backend cannot run, without importing it."""
    return find_spec("jax") is not None or "JAX is not installed (pip install jax)"


def __getattr__(attribute: str) -> Any:
    if attribute not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
    from my_backend import functions, neighbors

    return getattr(neighbors if attribute == "Neighborhood" else functions, attribute)
