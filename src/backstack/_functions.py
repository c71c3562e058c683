"""What stands for a function that is written in Python.

It has no more slots than a function has. wrapt's proxies forward every operation there is, and
cannot do without one: to the C interface each is a number and a mapping, so that pandas takes
it for a scalar and `contextlib` for a context manager.
"""

import inspect
import types
from typing import Any

from ._standing import Standing, forwarded, shown_doc


class _Slots(Standing):
    __slots__ = ("_self_dict",)


class DispatchedFunction(_Slots):
    """Answers every question as the host's function would."""

    # One for the call, so that each has a call path of its own without a class of its own;
    # finding it there costs one C call. In this class, since in a base it would cost more.
    __slots__ = ("__call__", "__weakref__", "_self_route", "_self_wrapped")

    __doc__ = shown_doc
    __class__ = property(lambda self: type(self._self_route.host))  # pyright: ignore[reportIncompatibleMethodOverride]
    # The host's own one, in a slot: `inspect.getattr_static` looks into no property for it.
    __dict__ = vars(_Slots)["_self_dict"]
    __module__ = forwarded("__module__")
    # Without this one, asking the *class* for its annotations would give it some, and these
    # would stand before the host's.
    __annotations__ = forwarded("__annotations__")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._self_route.host, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__dict__":
            self._self_route.host.__dict__ = value
            self._self_dict = value
        elif name in _OWN or name.startswith("_self_"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._self_route.host, name, value)
        if name in _SHAPING:
            self._self_route.reshape()

    def __delattr__(self, name: str) -> None:
        if name in _OWN:
            object.__delattr__(self, name)
        else:
            delattr(self._self_route.host, name)
        if name in _SHAPING:
            self._self_route.reshape()

    def __dir__(self) -> list[str]:
        return dir(self._self_route.host)

    def __eq__(self, other: object) -> bool:
        return self._self_route.host == other

    def __ne__(self, other: object) -> bool:
        return self._self_route.host != other

    def __hash__(self) -> int:
        return hash(self._self_route.host)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


_OWN = frozenset(
    name
    for name in dir(DispatchedFunction)
    if isinstance(inspect.getattr_static(DispatchedFunction, name), property)
)
#: What decides which calls fit, and is not looked after by `Standing`.
_SHAPING = frozenset({"__code__", "__defaults__"})
# What a class has and a function has not.
for _name in ("__slots__", "__firstlineno__", "__static_attributes__"):
    for _class in (Standing, _Slots, DispatchedFunction):
        if _name in vars(_class):
            delattr(_class, _name)

put_call = vars(DispatchedFunction)["__call__"].__set__


def new(host: Any) -> DispatchedFunction:
    """A stand-in for `host`, which does not dispatch yet."""
    proxy = object.__new__(DispatchedFunction)
    proxy._self_dict = host.__dict__
    return proxy
