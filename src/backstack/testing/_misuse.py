"""What must not look like the fault of a host or of a backend."""

from .._names import shown
from ..dispatcher import BackendDispatcher


def check_dispatcher(value: object) -> BackendDispatcher:
    """`value`, if it is a dispatcher; `ValueError` otherwise."""
    if isinstance(value, BackendDispatcher):
        return value
    raise ValueError(f"dispatcher must be the host's BackendDispatcher, not {shown(value)}")
