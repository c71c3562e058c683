"""What stands for a function that is written in Python.

It has no more slots than a function has. wrapt's proxies forward every operation there is, and
cannot do without one: to the C interface each is a number and a mapping, so that pandas takes
it for a scalar and `contextlib` for a context manager.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

from ._standing import Standing, forwarded, shown_doc


class DispatchedFunction(Standing):
    """Answers every question as the host's function would."""

    # One for the call, so that each has a call path of its own without a class of its own;
    # finding it there costs one C call.
    __slots__ = ("__call__", "__weakref__", "_self_route", "_self_wrapped")

    __doc__ = shown_doc
    __class__ = property(lambda self: type(self._self_route.host))  # pyright: ignore[reportIncompatibleMethodOverride]
    __dict__ = forwarded("__dict__")
    __module__ = forwarded("__module__")
    # Without this one, asking the *class* for its annotations would give it some, and these
    # would stand before the host's.
    __annotations__ = forwarded("__annotations__")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._self_route.host, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN or name.startswith("_self_"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._self_route.host, name, value)

    def __delattr__(self, name: str) -> None:
        if name in _OWN:
            object.__delattr__(self, name)
        else:
            delattr(self._self_route.host, name)

    def __dir__(self) -> list[str]:
        return dir(self._self_route.host)

    def __eq__(self, other: object) -> bool:
        return bool(self._self_route.host == other)

    def __hash__(self) -> int:
        return hash(self._self_route.host)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


_OWN = frozenset(
    name
    for name in dir(DispatchedFunction)
    if isinstance(inspect.getattr_static(DispatchedFunction, name), property)
)
# What a class has and a function has not.
for _name in ("__slots__", "__firstlineno__", "__static_attributes__"):
    for _class in (Standing, DispatchedFunction):
        if _name in vars(_class):
            delattr(_class, _name)

put_call = vars(DispatchedFunction)["__call__"].__set__


def new(host: Any) -> DispatchedFunction:
    """A stand-in for `host`, which does not dispatch yet."""
    return object.__new__(DispatchedFunction)
