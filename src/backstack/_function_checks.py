"""Which functions can be dispatched, and what to say of those that cannot."""

import inspect
import types
from typing import Any

from ._names import exported_name


def check_host(function: Any, keyword: str, name: str | None) -> str:
    """The name to dispatch `function` under; an error that says what to do if that cannot be."""
    if inspect.isclass(function):
        raise TypeError(
            f"{function!r} is a class; dispatch it with @backend_class, by which backends "
            "replace the whole of it."
        )
    if isinstance(function, str):
        raise TypeError(
            f"{function!r} is no function; to dispatch one under that name: "
            f"@backend_dispatch(name={function!r})."
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
        if outer and not outer.endswith(">"):  # of a function, or a comprehension
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
