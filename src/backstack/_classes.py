"""Dispatched classes: a backend may replace the whole of one.

What stands in the place of a host's class is a thin subclass of it, under a metaclass that
asks for a backend when it is called. It has everything in its own namespace that the host's
class has in its, so that tools which look there see no difference.
"""

from __future__ import annotations

import copyreg
import functools
import inspect
import weakref
from collections.abc import Callable
from typing import Any

from ._importlib_bootstrap_alike import make_call
from ._metaclasses import ROUTE, own_route, put, with_selector
from ._records import Backend
from ._routes import Route
from ._routing import Plan, shape_of
from ._selecting import Selector
from ._stack import Stack
from ._subclassing import thin_subclass
from .pickling import restore


class ClassRoute(Route):
    """Where the constructions of one host class go.

    Attributes
    ----------
    host_class : type
        What the host defined.
    cls : type
        What stands in its place.
    construct : Construct
        What of its metaclass dispatches.
    call : callable
        The call path.
    """

    by_name = False  # a backend's class is constructed with whatever the host's is called with

    def __init__(
        self,
        host_class: type,
        cls: type,
        name: str,
        keyword: str,
        selector: Selector,
        stack: Stack,
    ) -> None:
        self.construct: Any = type(cls).__call__
        self.host_class = host_class
        super().__init__(self._made_by_host(cls), name, keyword, selector, stack)
        self._stand_for(cls)

    def _made_by_host(self, cls: type) -> Callable[..., Any]:
        return self.construct.bind(cls, type(cls))  # type: ignore[no-any-return]

    def _stand_for(self, cls: type) -> None:
        self.cls = cls
        self.public = weakref.ref(cls)
        self.call = make_call(self)

    def move(self, cls: type) -> None:
        """Go over to a class that a decorator has made anew, as for slots, out of this one."""
        old = self.cls
        if (cls.__name__, cls.__module__) == (old.__name__, old.__module__):
            self.host = self._made_by_host(cls)
            self._stand_for(cls)

    def _make_plan(self, backend: Backend, implementation: Any) -> Plan:
        where = f"Backend {backend.shown!r} exports {self.name!r}"
        if not isinstance(implementation, type):
            raise TypeError(
                f"{where}, which is not a class, as {self.registry.config.host}'s is: "
                f"{implementation!r}"
            )
        if implementation is self.cls:
            raise TypeError(f"{where}, which is the dispatched class itself; it would never end")
        return ClassPlan(self.name, backend, implementation)

    def _accepted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            signature = inspect.signature(self.cls)
        except (ValueError, TypeError):  # nobody can tell
            return kwargs
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            raise self._refusal(error, kwargs, signature) from None
        return kwargs

    def without_options(self, kwargs: dict[str, Any]) -> None:
        """Nothing is left out: everything goes to the constructor unchanged."""

    def merge_copies(self, read: bool = False) -> None:
        """There are none: nobody copies the docstring of a class."""

    def __reduce__(self) -> tuple[Any, ...]:
        # What goes to another process by value arrives as a plain class.
        return _nothing, ()


class ClassPlan(Plan):
    """How constructions reach one backend's class: as they are."""

    __slots__ = ()

    def __init__(self, name: str, backend: Backend, implementation: type) -> None:
        self.implementation = self.function = implementation
        self.backend = backend
        self.host_name = name
        self.fits = set()
        self.last = True

    def route(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
        """The arguments as they came."""
        self.remember(shape_of(args, kwargs))
        return args, kwargs, []


def dispatch_class(
    host_class: type, name: str, keyword: str, selector: Selector, stack: Stack
) -> ClassRoute:
    """The route of a new class that takes the place of `host_class`."""
    cls = thin_subclass(host_class)
    route = ClassRoute(host_class, cls, name, keyword, selector, stack)
    put(cls, ROUTE, route)
    shown = getattr(cls, "__signature__", None)
    if isinstance(shown, inspect.Signature) and keyword not in shown.parameters:
        put(cls, "__signature__", with_selector(route, shown))  # one that the host defines
    _keep_copies_on_host(cls, host_class)
    return route


# -- copies and pickles --------------------------------------------------------------------

#: What makes an instance without calling its class.
_WITHOUT_CALL = (copyreg.__newobj__, copyreg.__newobj_ex__, copyreg._reconstructor)  # type: ignore[attr-defined]


def _keep_copies_on_host(cls: type, host_class: Any) -> None:
    """Let what copies or unpickles an instance by calling the class not dispatch."""
    for name in ("__copy__", "__deepcopy__"):
        method = getattr(host_class, name, None)
        if method is not None:
            put(cls, name, _on_host(method))
    if (host_class.__reduce__, host_class.__reduce_ex__) != (
        object.__reduce__,
        object.__reduce_ex__,
    ):
        put(cls, "__reduce_ex__", _reducing(host_class.__reduce_ex__))


def _on_host(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def copying(self: Any, *args: Any) -> Any:
        return restore(type(self), method, self, *args)

    return copying


def _reducing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def reducing(self: Any, protocol: Any) -> Any:
        value = method(self, protocol)
        cls = type(self)
        if own_route(cls) is None or not isinstance(value, tuple) or value[0] in _WITHOUT_CALL:
            return value
        function, args, *rest = value
        return restore, (cls, function, *args), *rest

    return reducing


def _nothing() -> None:
    """What has no meaning in another process."""
