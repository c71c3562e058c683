"""The process-wide settings of one host."""

import inspect
from typing import Any, cast

from . import errors
from ._choices import Selection
from ._config import ON_MISSING, OnMissing, Trust, check_option
from ._names import CPU, shown
from ._scopes import Scope
from ._selecting import Selector
from ._stack import Stack
from ._warn import warn

__tracebackhide__ = True  # pytest shows whose call it was

Names = str | tuple[str, ...]


class Settings:
    """What holds in the whole process, in every thread; a host hands it on to its users.

    Examples
    --------
    >>> from backstack import BackendDispatcher
    >>> settings = BackendDispatcher(entrypoint_group="demo.b", host_name="demo").settings
    >>> settings.backend
    'cpu'
    >>> settings.on_missing = "error"
    >>> settings
    <settings of demo: backend='cpu', on_missing='error', trust='warn'>
    """

    __slots__ = ("_registry", "_selector", "_stack")  # so that a misspelt setting is an error

    def __init__(self, selector: Selector, stack: Stack) -> None:
        self._selector = selector
        self._registry = selector.registry
        self._stack = stack

    @property
    def backend(self) -> Names:
        """What is in force *here*, scopes first: a canonical name, or a tuple of several.

        Reading loads nothing and never raises. Assigning a name, a list of names in order
        of preference, or None (back to the environment variable) chooses for the whole
        process, for threads old and new; the names are checked and a backend is loaded.

        Raises
        ------
        BackendError
            On assignment, if a name cannot be used; what was chosen before stays.
        """
        return self._names(self._stack.selection()) or CPU

    @backend.setter
    def backend(self, value: str | list[str] | tuple[str, ...] | None) -> None:
        self.process_backend = value

    @property
    def process_backend(self) -> Names | None:
        """What was assigned for the whole process, whatever scopes say; None if nothing was."""
        return self._names(self._stack.process.setting)

    @process_backend.setter
    def process_backend(self, value: str | list[str] | tuple[str, ...] | None) -> None:
        generation = self._registry.generation
        self._stack.process.assign(self._selector.for_setting(value))
        if generation != self._registry.generation:
            self._stack.process.unsettle()  # backends came or went meanwhile
        state = self._stack.state
        if state is not None and state.selection is not None:
            warn(
                f"The backend of {self._registry.config.host} was set for the whole process, but "
                f"the 'with' scope around this line still wins here: {self.backend!r}.",
                errors.ScopeStillWinsWarning,
                self._registry.packages,
            )

    def _names(self, selection: Selection | None) -> Names | None:
        if selection is None:
            return None
        names = selection.names
        if selection.backends is None:  # nobody looked yet: the environment's, say
            try:
                names = tuple(dict.fromkeys(map(self._registry.canonical, selection.labels)))
            except Exception:
                names = selection.labels
        return names[0] if len(names) == 1 else names

    @property
    def on_missing(self) -> OnMissing:
        """What happens where a backend lacks a function, unless a scope says otherwise.

        ``"warn"``: the host's own runs, with one warning; ``"host"``: it runs silently;
        ``"error"``: `NotImplementedByBackendError`.

        Raises
        ------
        ValueError
            On assignment, for another value.
        """
        return cast("OnMissing", self._stack.process.on_missing)

    @on_missing.setter
    def on_missing(self, value: OnMissing) -> None:
        self._stack.process.on_missing = check_option(value, ON_MISSING, "on_missing")

    @property
    def trust(self) -> Trust:
        """What is demanded of backends: ``"warn"`` or ``"require"``.

        Under ``"require"`` only backends that the host lists may run. It can be tightened
        beyond what the host and the environment set, never loosened below.

        Raises
        ------
        ValueError
            On assignment, for another value and for one that loosens.
        """
        return cast("Trust", self._registry.trust)

    @trust.setter
    def trust(self, value: Trust) -> None:
        self._registry.set_trust(value)

    def get_backend(self, name: str) -> Any:
        """The adapter of a backend; see `BackendDispatcher.get_backend`."""
        return self._selector.adapter(name)

    def available_backends(self) -> list[str]:
        """The canonical names of the backends that can be chosen, sorted; loads none.

        Returns
        -------
        list of str
            The host's own, ``"cpu"``, is always there and is not listed.
        """
        return sorted({backend.shown for backend in self._registry.usable().values()})

    def use_backend(self, *names: str, on_missing: OnMissing | None = None) -> Scope:
        """A scope; see `BackendDispatcher.backend`."""
        return make_scope(self._stack, self._selector, names, on_missing)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._stack.owner, "settings")

    def __copy__(self) -> "Settings":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Settings":
        return self

    def __repr__(self) -> str:
        return (
            f"<settings of {self._registry.config.host}: backend={self.backend!r}, "
            f"on_missing={self.on_missing!r}, trust={self.trust!r}>"
        )


def make_scope(
    stack: Stack, selector: Selector, names: tuple[Any, ...], on_missing: str | None
) -> Scope:
    """A scope that checks its names only when it is entered; its policy is checked at once."""
    if any(inspect.isroutine(name) for name in names):
        given = ", ".join(map(shown, names))
        raise TypeError(f"backend({given}): to decorate, call it first, as in @backend('name')")
    if on_missing is not None:
        check_option(on_missing, ON_MISSING, "on_missing")
    return Scope(
        stack, selector.for_scope, selector.scopes, names, on_missing, selector.registry.config.host
    )
