"""A backend that is the host itself, by way of the whole machinery."""

from __future__ import annotations

from typing import Any

from ..dispatcher import BackendDispatcher
from ._misuse import check_dispatcher


def loopback(dispatcher: BackendDispatcher) -> Loopback:
    """An adapter that implements every function of a host by the host itself.

    A host's whole test suite has to pass on it: whatever fails there fails because of
    dispatching, and not because of a backend.

    Parameters
    ----------
    dispatcher : BackendDispatcher
        The host's.

    Returns
    -------
    Loopback
        For `BackendDispatcher.register`. It is called ``"loopback"``, and has what is
        dispatched at the time when it is asked.

    Raises
    ------
    ValueError
        For what is no dispatcher.

    Examples
    --------
    >>> from backstack import BackendDispatcher
    >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
    >>> @dispatcher.backend_dispatch
    ... def double(x):
    ...     return x + x
    >>> with dispatcher.register(loopback(dispatcher)), dispatcher.trace() as calls:
    ...     double(4, backend="loopback"), calls[0].ran_on
    (8, 'loopback')
    """
    return Loopback(check_dispatcher(dispatcher))


class Loopback:
    """The adapter that `loopback` makes."""

    name = "loopback"

    def __init__(self, dispatcher: BackendDispatcher) -> None:
        self._dispatcher = dispatcher

    def __getattr__(self, attribute: str) -> Any:
        public = None if attribute.startswith("_") else self._public(attribute)
        if public is None:
            raise AttributeError(attribute)
        if isinstance(public, type):
            return _constructor_of(public, self._dispatcher._own_route(public))
        return public.__wrapped__

    def _public(self, name: str) -> Any:
        return self._dispatcher.functions.get(name)

    def __repr__(self) -> str:
        return f"<loopback adapter of {self._dispatcher!r}>"


def _constructor_of(public: type, route: Any) -> type:
    """A class that is none: calling it makes what the host makes, without asking again.

    A subclass would not do. Its instances would be of another type than the host's.
    """

    class Constructor(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return route.host(*args, **kwargs)

    return Constructor(public.__name__, (), {"__doc__": public.__doc__, "__slots__": ()})
