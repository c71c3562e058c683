"""What stands for a host's callable that is not a function written in Python.

A builtin, a `functools.partial`, a compiled function, an object with a `__call__`: wrapt's
proxies forward whatever operations such a thing may have.
"""

from __future__ import annotations

import types
from typing import Any

import wrapt

from ._standing import Standing, forwarded, shown_doc

#: What wrapt has for every kind of object; asking one for it asks the host.
_OF_WRAPT = frozenset(dir(wrapt.BaseObjectProxy)) - frozenset(dir(types.FunctionType))
_FORWARDED = (
    {name for name in _OF_WRAPT if not name.startswith(("__self_", "__object_"))}
    | {"__get__", "__slots__", "__static_attributes__", "__firstlineno__"}
) - {"__wrapped__", "__getattr__", "__deepcopy__", "__copy__"}


class DispatchedCallable(Standing, wrapt.BaseObjectProxy):  # type: ignore[type-arg]
    """One that is no descriptor, as a partial is none."""

    __slots__ = ("__call__",)

    __doc__ = shown_doc
    __annotations__ = forwarded("__annotations__")

    def __getattribute__(self, name: str) -> Any:
        if name in _FORWARDED:
            raise AttributeError(name)  # then Python asks wrapt's __getattr__, which asks the host
        return super().__getattribute__(name)


class BindingCallable(DispatchedCallable):
    """One that becomes a method where it is found by way of an instance."""

    __slots__ = ()

    __doc__ = shown_doc
    __annotations__ = forwarded("__annotations__")

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        host = self._self_route.host
        if instance is None or host.__get__(instance, owner) is host:
            return self  # a partial, until Python 3.14
        return types.MethodType(self, instance)  # type: ignore[arg-type]


put_call = vars(DispatchedCallable)["__call__"].__set__


def new(host: Any) -> DispatchedCallable:
    """A stand-in for `host`, which does not dispatch yet."""
    binds = hasattr(type(host), "__get__")
    return (BindingCallable if binds else DispatchedCallable)(host)
