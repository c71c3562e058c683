"""Running the body of a function, whatever its kind, inside something.

A generator is not *one* stretch of work: between its steps the code that iterates it
runs. So what it runs in is entered around each step, and not around the whole.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

from ._importlib_bootstrap_alike import (
    Around,
    async_generator_within,
    coroutine_within,
    function_within,
    generator_within,
)

Kind = Literal["function", "coroutine", "generator", "async generator"]


def kind_of(function: Callable[..., Any]) -> Kind:
    """Which kind of body calling `function` starts."""
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "function"


def wrapped(function: Callable[..., Any], *around: Around) -> Callable[..., Any]:
    """`function` with its bodies run in what each of `around` makes, the first outermost."""
    if not around:
        return function
    wrapper = wrap(function, lambda: nested(around))  # one, so that one frame is added
    return functools.update_wrapper(wrapper, function)


def nested(around: tuple[Around, ...]) -> AbstractContextManager[Any]:
    """What each of `around` makes, as one."""
    managers = [make() for make in reversed(around)]
    return functools.reduce(lambda inner, outer: Nested(outer, inner), managers)


class Nested:
    """Two context managers as one, the first around the second; neither may swallow errors."""

    __slots__ = ("_inner", "_outer")

    def __init__(
        self, outer: AbstractContextManager[Any], inner: AbstractContextManager[Any]
    ) -> None:
        self._outer = outer
        self._inner = inner

    def __enter__(self) -> None:
        self._outer.__enter__()
        try:
            self._inner.__enter__()
        except BaseException:
            self._outer.__exit__(*sys.exc_info())
            raise

    def __exit__(self, *exc_info: Any) -> None:
        try:
            self._inner.__exit__(*exc_info)
        finally:
            self._outer.__exit__(*exc_info)


def wrap(
    function: Callable[..., Any],
    around: Around,
    kind: Kind | None = None,
) -> Callable[..., Any]:
    """A function of the same kind, whose bodies run inside what `around` returns.

    It is called once per body, and what it returns is entered for each step of it.
    """
    wrappers: dict[Kind, Callable[..., Callable[..., Any]]] = {
        "function": function_within,
        "coroutine": coroutine_within,
        "generator": generator_within,
        "async generator": async_generator_within,
    }
    return wrappers[kind or kind_of(function)](function, around)
