"""Running the body of a function, whatever its kind, inside something.

A generator is not *one* stretch of work: between its steps the code that iterates it
runs. So what it runs in is entered around each step, and not around the whole.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Literal

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


def wrap(
    function: Callable[..., Any],
    around: Callable[[], AbstractContextManager[Any]],
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


def _function(
    function: Callable[..., Any], around: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with around():
            return function(*args, **kwargs)

    return wrapper


def _coroutine(
    function: Callable[..., Any], around: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with around():
            return await function(*args, **kwargs)

    return wrapper


def _generator(
    function: Callable[..., Any], around: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
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


def _async_generator(
    function: Callable[..., Any], around: Callable[[], AbstractContextManager[Any]]
) -> Callable[..., Any]:
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
