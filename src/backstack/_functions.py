"""The dispatched function: a proxy that stands for the host's."""

from __future__ import annotations

import inspect
import types
import weakref
from typing import Any, cast

import wrapt

from ._calls import make_call
from ._names import exported_name
from ._routes import Route

#: What wrapt forwards for every kind of object, and functions do not have.
_FOREIGN = frozenset(dir(wrapt.BaseObjectProxy)) - frozenset(dir(types.FunctionType))
_FOREIGN -= {name for name in _FOREIGN if name.startswith(("__self_", "__object_"))}
_FOREIGN |= {"__slots__", "__static_attributes__", "__firstlineno__"}
_FOREIGN -= {"__wrapped__", "__getattr__", "__deepcopy__", "__copy__"}


class DispatchedCallable(wrapt.BaseObjectProxy):  # type: ignore[type-arg]
    """Stands for a host's function, and answers every question as that would, plus the selector.

    Everything that is not defined here is forwarded to the host's function by wrapt.
    """

    # A slot, so that each function has a call path of its own without a class of its own;
    # finding it there costs one C call.
    __slots__ = ("__call__",)

    def __init__(self, route: Route) -> None:
        super().__init__(route.host)
        self._self_route = route
        route.public = weakref.ref(self)
        _set_call(self, make_call(route))

    def __getattribute__(self, name: str) -> Any:
        if name in _FOREIGN:
            raise AttributeError(name)  # then Python asks wrapt's __getattr__, which asks the host
        return super().__getattribute__(name)

    @property
    def __signature__(self) -> inspect.Signature:
        from ._options import loaded_options
        from ._signatures import merge

        route = self._self_route
        return merge(route, inspect.signature(route.host), loaded_options(route))

    @__signature__.setter
    def __signature__(self, signature: inspect.Signature) -> None:
        self.__wrapped__.__signature__ = signature
        self._self_route.__dict__.pop("callee", None)

    @__signature__.deleter
    def __signature__(self) -> None:
        del self.__wrapped__.__signature__

    def _get_doc(self) -> Any:
        from ._docstrings import merged_docstring
        from ._options import loaded_options

        text, route = self.__wrapped__.__doc__, self._self_route
        return merged_docstring(route, text, loaded_options(route)) if text else text

    def _set_doc(self, text: str | None) -> None:
        self.__wrapped__.__doc__ = text

    def _delete_doc(self) -> None:
        del self.__wrapped__.__doc__

    # Merged when it is read, for the text and the backends can change at any time.
    __doc__ = property(_get_doc, _set_doc, _delete_doc)  # pyright: ignore[reportIncompatibleVariableOverride, reportAssignmentType]
    del _get_doc, _set_doc, _delete_doc

    @property
    def __kwdefaults__(self) -> dict[str, Any]:
        defaults = getattr(self.__wrapped__, "__kwdefaults__", None) or {}
        return {self._self_route.keyword: None, **defaults}

    @__kwdefaults__.setter
    def __kwdefaults__(self, defaults: dict[str, Any] | None) -> None:
        self.__wrapped__.__kwdefaults__ = defaults

    @__kwdefaults__.deleter
    def __kwdefaults__(self) -> None:
        del self.__wrapped__.__kwdefaults__

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(cast(Any, self), instance)

    def __reduce__(self) -> str:
        return self.__wrapped__.__qualname__  # type: ignore[no-any-return]

    def __reduce_ex__(self, protocol: object) -> str:
        return self.__reduce__()

    def __copy__(self) -> DispatchedCallable:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> DispatchedCallable:
        return self

    def __repr__(self) -> str:
        route = self._self_route
        return f"<dispatched function {route.name} of {route.registry.config.host}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


class DispatchedFunction(DispatchedCallable):
    """One for a function written in Python, which is neither sized, nor a container, nor a number.

    The abstract classes of `collections.abc` and `typing` go by what a type has, and take
    None for "not that". A host's callable object may well be all of this.
    """

    __slots__ = ()


_NOT_OF_FUNCTIONS = ["len", "contains", "reversed", "enter", "exit", "aenter", "aexit", "abs"]
_NOT_OF_FUNCTIONS += ["bytes", "complex", "float", "index", "int", "round"]
for _name in _NOT_OF_FUNCTIONS:
    setattr(DispatchedFunction, f"__{_name}__", None)


def make_proxy(route: Route) -> DispatchedCallable:
    """What stands in the place of a host's function from now on."""
    plain = type(route.host) is types.FunctionType
    return (DispatchedFunction if plain else DispatchedCallable)(route)


_set_call = DispatchedCallable.__dict__["__call__"].__set__


def check_host(function: Any, keyword: str, name: str | None) -> str:
    """The name to dispatch `function` under; an error that says what to do if that cannot be."""
    if inspect.isclass(function):
        raise TypeError(
            f"{function!r} is a class; dispatch it with @backend_class, by which backends "
            "replace the whole of it."
        )
    shown = getattr(function, "__qualname__", None) or repr(function)
    bound = getattr(function, "__self__", None)  # a function in C has its module there
    is_method = isinstance(function, (staticmethod, types.MethodType)) or (
        isinstance(function, types.BuiltinFunctionType)
        and not isinstance(bound, types.ModuleType | None)
    )
    if not callable(function) or is_method:
        raise TypeError(_no_method(shown))
    if isinstance(function, types.FunctionType) or inspect.ismethoddescriptor(function):
        outer = shown.rpartition(".")[0]
        if outer and not outer.endswith("<locals>"):
            raise TypeError(_no_method(shown))
    if not _is_plain(function, keyword):
        _check_parameters(function, keyword, shown)
    return exported_name(function, name, shown, "backend_dispatch")


def _no_method(shown: str) -> str:
    return (
        f"{shown} is no function of a module; dispatch a module-level function or a closure, "
        "and let the method call it."
    )


def _is_plain(function: Any, keyword: str) -> bool:
    """Whether a look at the code tells that nothing is in the way; spares most a signature."""
    return (
        type(function) is types.FunctionType
        and not function.__dict__
        and keyword not in function.__code__.co_varnames
    )


def _check_parameters(function: Any, keyword: str, shown: str) -> None:
    try:
        parameter = inspect.signature(function).parameters.get(keyword)
    except (ValueError, TypeError) as error:
        raise TypeError(
            f"The signature of {shown} cannot be inspected ({error}); wrap it in a function that "
            "names its parameters, and dispatch that."
        ) from None
    if parameter is None:
        return
    if parameter.kind is not parameter.KEYWORD_ONLY or parameter.default is not None:
        raise TypeError(
            f"{shown} has a parameter {keyword!r} of its own. If it means the selector, declare it "
            f"keyword-only as '{keyword}: str | None = None'; if it means something else, rename "
            "the selector: @backend_dispatch(keyword='run_on')."
        )
