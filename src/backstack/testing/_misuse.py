"""What must not look like the fault of a host or of a backend."""

from types import ModuleType

from .._dispatchers import dispatchers
from .._names import shown
from ..dispatcher import BackendDispatcher


def check_dispatcher(value: object) -> BackendDispatcher:
    """`value`, if it is a dispatcher; `ValueError` otherwise."""
    if isinstance(value, BackendDispatcher):
        return value
    wanted = "dispatcher must be the host's BackendDispatcher, not"
    if not isinstance(value, ModuleType):
        raise ValueError(f"{wanted} {shown(value)}")
    name = value.__name__
    places = [place.replace(":", ".") for place in dispatchers(name)]
    its = "its dispatcher is" if len(places) == 1 else "its dispatchers are"
    hint = f"; {its} {', '.join(places)}" if places else ""
    raise ValueError(f"{wanted} the module {name}{hint}")
