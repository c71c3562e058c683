"""Whatever of ours stands between a caller and the host, in a file of a telling name.

A host that warns with ``stacklevel=2`` means the line that called it. With one frame of ours
in between, the warning would point at that, and Python, which shows a `DeprecationWarning`
only where it points at ``__main__``, would hide it. Frames of the import system do not count
as stack levels, and Python's `warnings` knows them by two words in the name of their file:
``importlib`` and ``_bootstrap``. So this file has them in its name, and asks for no more.

`make_call` is the hot path. It is a closure, because its variables cost nothing to reach.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

Around = Callable[[], AbstractContextManager[Any]]


def make_call(route: Any) -> Callable[..., Any]:
    """The call path of one function or class.

    Idle, it is a test and the host's function. On a backend, a call whose shape was seen to
    fit goes straight to the implementation. All else is for `Route.attempts`.
    """
    host, keyword, plans = route.host, route.keyword, route.plans
    top, process, live = route.stack.top.get, route.stack.process, route.stack.process.live
    calls = route.selector.calls(keyword)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not (kwargs or live):  # then nothing can be in force, and it is not worth a look
            return host(*args)
        label = kwargs.pop(keyword) if keyword in kwargs else None
        state = (top() or process.state) if live else None
        if label is not None:
            chosen = None
            if state is None or not state.observers:
                chosen = calls.get(label) if isinstance(label, str) else None
        elif state is None or state.on_host:
            try:
                return host(*args, **kwargs)
            except TypeError:
                kept = route.without_options(kwargs)
                if kept is None:
                    raise
            return host(*args, **kept)
        else:
            chosen = state.direct
        plan = plans.get(chosen)
        if plan is not None and ((len(args), *kwargs) if kwargs else len(args)) in plan.fits:
            try:
                result = plan.function(*args, **kwargs)
            except RecursionError as error:
                route.explain_recursion(error, plan.backend, sys._getframe(), "route")
                raise
            if result is not NotImplemented or plan.last:
                return result
        else:
            plan = None
        for attempt in route.attempts(label, args, kwargs, plan):
            with attempt.inside:
                try:
                    result = attempt.function(*attempt.args, **attempt.kwargs)
                except RecursionError as error:
                    route.explain_recursion(error, attempt.backend, sys._getframe(), "route")
                    raise
                except TypeError:
                    on_host = attempt.backend is None
                    kept = route.without_options(attempt.kwargs) if on_host else None
                    if kept is None:
                        raise
                    result = attempt.function(*attempt.args, **kept)
            if attempt.last or result is not NotImplemented:
                return result
        raise AssertionError("unreachable: the last attempt is the host's")

    return call


def function_within(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    """A function whose bodies run inside what `around` makes."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with around():
            return function(*args, **kwargs)

    return wrapper


def coroutine_within(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    """A coroutine function whose bodies run inside what `around` makes."""

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with around():
            return await function(*args, **kwargs)

    return wrapper


def generator_within(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    """A generator function whose bodies run inside what `around` makes."""

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


def async_generator_within(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    """An async generator function whose bodies run inside what `around` makes."""

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
