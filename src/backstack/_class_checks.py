"""Which classes can be dispatched, and what to say of those that cannot."""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import types
from collections.abc import Iterator
from typing import Any

from ._metaclasses import own_route
from ._names import exported_name


def check_class(cls: Any, keyword: str, name: str | None) -> str:
    """The name to dispatch `cls` under; an error that says what to do if that cannot be."""
    if not isinstance(cls, type) or not issubclass(type(cls), type):
        raise TypeError(f"{cls!r} is not a class; functions are dispatched by @backend_dispatch.")
    shown = cls.__qualname__
    if own_route(cls) is not None:
        raise TypeError(f"{shown} is dispatched already; decorate it once.")
    methods: Any = cls
    for constructor in (cls, methods.__init__, methods.__new__):
        if keyword in _parameters(constructor):
            raise TypeError(
                f"The constructor of {shown} has a parameter {keyword!r} of its own, and would "
                "never get it; rename the selector: @backend_class(keyword='run_on')."
            )
    for function in _functions(cls):
        if _names_itself_in_super(function.__code__, cls.__name__):
            raise TypeError(
                f"{function.__qualname__} calls super({cls.__name__}, ...), and that name now "
                "means the dispatched class, whose parent is this one: it would call itself for "
                "ever. Write super() instead, or decorate a subclass of it under another name."
            )
    return exported_name(cls, name, shown, "backend_class")


#: What stands for a function in the body of a class, and where it keeps it.
_HOLDING = (
    types.FunctionType,
    staticmethod,
    classmethod,
    property,
    functools.cached_property,
    functools.partialmethod,
    functools.singledispatchmethod,
    type(functools.lru_cache(len)),
)
_HELD = ("__func__", "__wrapped__", "fget", "fset", "fdel", "func")


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        return {}


def _functions(cls: type) -> Iterator[types.FunctionType]:
    """The functions written in Python that the body of `cls` holds, in whatever wrapping."""
    pending = list(vars(cls).values())
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if id(value) in seen or not isinstance(value, _HOLDING):
            continue
        seen.add(id(value))
        if isinstance(value, types.FunctionType):
            yield value
        pending += [getattr(value, name, None) for name in _HELD]


def _names_itself_in_super(code: types.CodeType, name: str) -> bool:
    """Whether somewhere it says ``super(NAME, ...)``."""
    inner = (each for each in code.co_consts if isinstance(each, types.CodeType))
    if any(_names_itself_in_super(each, name) for each in inner):
        return True
    if "super" not in code.co_names or name not in (*code.co_names, *code.co_freevars):
        return False
    loaded = [
        instruction.argval if instruction.opname.startswith("LOAD_") else None
        for instruction in dis.get_instructions(code)
        if instruction.opname not in ("PUSH_NULL", "EXTENDED_ARG")
    ]
    return ("super", name) in itertools.pairwise(loaded)
