"""Whatever of ours stands between a caller and the host, in a file of a telling name.

A host that warns with ``stacklevel=2`` means the line that called it. With one frame of ours
in between, the warning would point at that, and Python, which shows a `DeprecationWarning`
only where it points at ``__main__``, would hide it. Frames of the import system do not count
as stack levels, and Python's `warnings` knows them by two words in the name of their file:
``importlib`` and ``_bootstrap``. So this file has them in its name, and asks for no more.

`make_call` is the hot path. It is a closure, because its variables cost nothing to reach.
"""

# pyright: reportUnnecessaryComparison=false
# Each variable costs, so that `kwargs` also takes what may be None.

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache, partial
from types import CellType, CodeType, FunctionType
from typing import Any

__tracebackhide__ = True  # pytest shows whose call it was

Around = Callable[[], AbstractContextManager[Any]]


class OnBackend:
    """What the call path needs when it is not idle."""

    __slots__ = ("calls", "plans", "process", "route", "top")

    def __init__(self, route: Any) -> None:
        self.route = route
        self.plans = route.plans
        self.calls = route.selector.calls(route.keyword)
        self.top = route.stack.top.get
        self.process = route.stack.process


def make_call(route: Any) -> Callable[..., Any]:
    """The call path of one function or class.

    While nobody ever chose a backend, it looks for a ``backend=`` and calls the host's
    function. Afterwards it looks whether anything can be in force, too. On a backend, a call
    whose shape was seen to fit goes straight to the implementation. All else is for
    `Route.attempts`.
    """
    cells = {
        "host": CellType(route.host),
        "live": route.stack.process.cell,  # one for all
        "on": CellType(OnBackend(route)),
    }
    asleep, awake = _codes(route.keyword)
    call = FunctionType(
        asleep, globals(), "call", None, tuple(cells[name] for name in asleep.co_freevars)
    )
    route.stack.process.enrol(call, awake)
    return call


@lru_cache
def _codes(keyword: str) -> tuple[CodeType, CodeType]:
    """The code while nobody ever chose, and that of afterwards; the keyword is a constant."""
    if keyword == "backend":
        return _ASLEEP, _AWAKE
    asleep, awake = (
        code.replace(co_consts=tuple(keyword if c == "backend" else c for c in code.co_consts))
        for code in (_ASLEEP, _AWAKE)
    )
    return asleep, awake


def _while_nobody_chose(host: Any, live: Any, on: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            return host(*args)
        if "backend" not in kwargs:
            try:
                return host(*args, **kwargs)
            except TypeError:
                kwargs = on.route.without_options(kwargs)
                if kwargs is None:
                    raise
            return host(*args, **kwargs)
        if not live:
            on.process.wake()  # the next call finds short ways
        # This loop stands below once more: a function for it would be one more frame.
        for todo in on.route.attempts(kwargs.pop("backend"), args, kwargs, None):
            with todo.inside:
                while True:
                    try:
                        result = todo.function(*todo.args, **todo.kwargs)
                        break
                    except (TypeError, RecursionError):
                        kwargs = on.route.after_error(todo, sys._getframe())
                        if kwargs is None:
                            raise
                    todo = todo._replace(kwargs=kwargs)
            if todo.last or result is not NotImplemented:
                return result
        raise AssertionError("unreachable: the last attempt is the host's")

    return call


def _afterwards(host: Any, live: Any, on: Any) -> Any:  # noqa: C901  one function on purpose
    # Each variable costs every call a little, those of the closure too. So there are few, the
    # selector's name is a constant of the code, and the rest is read off one of them.
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: C901
        if not (kwargs or live):  # then nothing can be in force, and it is not worth a look
            return host(*args)
        try:
            if live:
                todo: Any = on.top() or on.process.state  # what is in force
                label = kwargs.pop("backend", None) if kwargs else None
                if label is None and (todo is None or todo.on_host):
                    return host(*args, **kwargs) if kwargs else host(*args)
            elif "backend" not in kwargs:
                return host(*args, **kwargs)
            else:
                todo, label = None, kwargs.pop("backend")
        except TypeError:
            kwargs = on.route.without_options(kwargs)
            if kwargs is None:
                raise
            todo = label = None  # once more, the long way
        if label is None:
            todo = todo and on.plans.get(todo.direct)  # how a call gets there
        elif todo is None or not todo.observers:
            todo = on.plans.get(on.calls.get(label)) if isinstance(label, str) else None
        else:
            todo = None
        if todo is not None and ((len(args), *kwargs) if kwargs else len(args)) in todo.fits:
            try:
                result = todo.function(*args, **kwargs) if kwargs else todo.function(*args)
            except RecursionError:
                on.route.explain_recursion(todo.backend, sys._getframe())
                raise
            if result is not NotImplemented or todo.last:
                return result
        else:
            todo = None
        for todo in on.route.attempts(label, args, kwargs, todo):  # noqa: B020  the last one is read before
            with todo.inside:
                while True:
                    try:
                        result = todo.function(*todo.args, **todo.kwargs)
                        break
                    except (TypeError, RecursionError):
                        kwargs = on.route.after_error(todo, sys._getframe())
                        if kwargs is None:
                            raise
                    todo = todo._replace(kwargs=kwargs)
            if todo.last or result is not NotImplemented:
                return result
        raise AssertionError("unreachable: the last attempt is the host's")

    return call


_ASLEEP: CodeType = _while_nobody_chose(None, None, None).__code__
_AWAKE: CodeType = _afterwards(None, None, None).__code__


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
