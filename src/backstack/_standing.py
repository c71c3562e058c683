"""What every stand-in for a host's function has of its own; all else is the host's."""

import inspect
from typing import Any

from ._routes import Route


def forwarded(name: str) -> Any:
    """A property that is the host's attribute of that name."""

    def read(self: Any) -> Any:
        return getattr(self._self_route.host, name)

    def write(self: Any, value: Any) -> None:
        setattr(self._self_route.host, name, value)

    def delete(self: Any) -> None:
        delattr(self._self_route.host, name)

    return property(read, write, delete)


class Standing:
    """What every stand-in answers in its own way.

    Attributes named ``_self_*`` are its own; all others are the host's.
    """

    __slots__ = ()

    _self_route: Route
    _self_wrapped: Any  # what `functools.wraps`, used on it, says that it wraps

    @property
    def __signature__(self) -> inspect.Signature:
        from ._options import loaded_options
        from ._signatures import merge

        route = self._self_route
        return merge(route, inspect.signature(self.__wrapped__), loaded_options(route))

    @__signature__.setter
    def __signature__(self, signature: inspect.Signature) -> None:
        self._self_route.host.__signature__ = signature  # type: ignore[attr-defined]
        self._self_route.reshape()

    @__signature__.deleter
    def __signature__(self) -> None:
        del self._self_route.host.__signature__  # type: ignore[attr-defined]
        self._self_route.reshape()

    @property
    def __wrapped__(self) -> Any:
        return self._self_wrapped

    @__wrapped__.setter
    def __wrapped__(self, value: Any) -> None:
        self._self_wrapped = value

    @__wrapped__.deleter
    def __wrapped__(self) -> None:
        self._self_wrapped = self._self_route.host

    @property
    def __kwdefaults__(self) -> dict[str, Any]:
        route = self._self_route
        defaults = getattr(route.host, "__kwdefaults__", None) or {}
        return {route.keyword: None, **defaults}

    @__kwdefaults__.setter
    def __kwdefaults__(self, defaults: dict[str, Any] | None) -> None:
        self._self_route.host.__kwdefaults__ = defaults
        self._self_route.reshape()

    @__kwdefaults__.deleter
    def __kwdefaults__(self) -> None:
        del self._self_route.host.__kwdefaults__
        self._self_route.reshape()

    def __reduce__(self) -> str:
        return self._self_route.host.__qualname__

    def __reduce_ex__(self, protocol: object) -> str:
        return self.__reduce__()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __repr__(self) -> str:
        route = self._self_route
        return f"<dispatched function {route.name} of {route.registry.config.host}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


def _get_doc(self: Any) -> Any:
    from ._docstrings import merged_docstring
    from ._options import loaded_options

    route = self._self_route
    text = route.host.__doc__
    return merged_docstring(route, text, loaded_options(route)) if text else text


#: Merged when it is read, for the text and the backends can change at any time.
shown_doc: Any = property(_get_doc, forwarded("__doc__").fset, forwarded("__doc__").fdel)
