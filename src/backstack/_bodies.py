"""Running the body of a function, whatever its kind, inside something.

A generator is not *one* stretch of work: between its steps the code that iterates it
runs. So what it runs in is entered around each step, and not around the whole.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal

from ._frames import unseen

Around = Callable[[], AbstractContextManager[Any]]
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


def wrap(
    function: Callable[..., Any],
    around: Around,
    kind: Kind | None = None,
) -> Callable[..., Any]:
    """A function of the same kind, whose bodies run inside what `around` returns.

    It is called once per body, and what it returns is entered for each step of it.
    """
    wrappers: dict[Kind, Callable[..., Callable[..., Any]]] = {
        "function": _function,
        "coroutine": _coroutine,
        "generator": _generator,
        "async generator": _async_generator,
    }
    return wrappers[kind or kind_of(function)](function, around)


@unseen
def _function(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with around():
            return function(*args, **kwargs)

    return wrapper


@unseen
def _coroutine(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with around():
            return await function(*args, **kwargs)

    return wrapper


@unseen
def _generator(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        inside = around()
        with inside:  # a dispatched function chooses when it is called
            body = function(*args, **kwargs)
        step, value = body.send, None
        while True:
            try:
                with inside:
                    item = step(value)
            except StopIteration as stop:
                return stop.value
            try:
                step, value = body.send, (yield item)
            except BaseException as error:  # GeneratorExit too: closing runs the body's finally
                step, value = body.throw, error

    return wrapper


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


def _first(body: Any, value: Any) -> Any:
    """The first step of an async generator, kept from the event loop's books.

    A loop that shuts down closes every one that it saw begin. It sees ours, which closes
    the body in its scope; closing the body as well would be once too often.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return body.asend(value)
    finally:
        sys.set_asyncgen_hooks(*hooks)


@unseen
def _async_generator(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        inside = around()
        with inside:  # a dispatched function chooses when it is called
            body = function(*args, **kwargs)
        step, value = partial(_first, body), None
        while True:
            try:
                with inside:
                    item = await step(value)
            except StopAsyncIteration:
                return
            try:
                step, value = body.asend, (yield item)
            except BaseException as error:
                step, value = body.athrow, error

    return wrapper
