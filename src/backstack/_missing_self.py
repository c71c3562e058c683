"""Methods that were written without ``self``, so that the instance takes an argument's place."""

import inspect
from collections.abc import Container
from types import CodeType, MethodType

_REMEDY = "add 'self', or @staticmethod"


def parameter_taken(method: object, adapter: object, wanted: Container[str]) -> str | None:
    """The one of `wanted` that `adapter` itself is passed for; None if it is passed for none.

    A method may call its instance what it likes, except what the host calls an argument.
    """
    code = _code(method)
    if code is None or not code.co_argcount or getattr(method, "__self__", None) is not adapter:
        return None
    first = code.co_varnames[0]
    return first if first != "self" and first in wanted else None


def about_parameter(name: str) -> str:
    """What there is to say of a parameter that is taken."""
    return f"Its {name!r} is passed the adapter itself, as a method's first parameter: {_REMEDY}."


def about_method(method: object) -> str | None:
    """What there is to say of one that cannot take its instance, and so no call; None if it can."""
    code = _code(method)
    if code is None or code.co_argcount or code.co_flags & inspect.CO_VARARGS:
        return None
    return f"a method that cannot be passed its instance: {_REMEDY}"


def _code(method: object) -> CodeType | None:
    """What runs when a method of an instance is called; None where nobody can tell.

    Not what a decorator wraps, which gets the instance in whatever way, or not at all.
    """
    if not isinstance(method, MethodType) or isinstance(method.__self__, type):
        return None
    code = getattr(method.__func__, "__code__", None)
    return code if isinstance(code, CodeType) else None
