"""Dispatched functions are to type checkers what they were before."""

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, Protocol, TypeVar, assert_type, overload

from backstack import BackendDispatcher

T = TypeVar("T")
P = ParamSpec("P")

dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
backend_dispatch = dispatcher.backend_dispatch

# -- plain functions -----------------------------------------------------------------------


@backend_dispatch
def plain(data: list[int], /, size: int = 1, *, deep: bool = False) -> float:
    """Compute."""
    return float(size)


assert_type(plain([1]), float)
assert_type(plain([1], 2, deep=True), float)
plain("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
plain([1], depth=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
plain(data=[1])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
plain()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
assert_type(plain.__name__, str)
assert_type(plain.__qualname__, str)
assert_type(plain.__module__, str)
assert_type(plain.__doc__, str | None)
assert_type(functools.partial(plain, [1])(), float)
takes: Callable[[list[int]], float] = plain
takes_text: Callable[[str], float] = plain  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

# Without being declared, the selector is unknown; a stub of the host tells of it.
plain([1], backend="jax")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


# -- decorated with arguments --------------------------------------------------------------


@dispatcher.backend_dispatch(name="tl_score")
def named(data: str) -> bytes:
    return data.encode()


@backend_dispatch(keyword="run_on")
def other_keyword(data: str, backend: str = "agg", *, run_on: str | None = None) -> bytes:
    return data.encode()


@backend_dispatch()
def called(data: str) -> bytes:
    return data.encode()


assert_type(named("a"), bytes)
assert_type(called("a"), bytes)
assert_type(other_keyword("a", backend="svg", run_on="jax"), bytes)
named(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
other_keyword("a", run_on=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
backend_dispatch(name=5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
backend_dispatch(5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


# -- a host that declares the selector -----------------------------------------------------


@backend_dispatch
def declared(data: int, *, backend: str | None = None) -> int:
    return data


assert_type(declared(1, backend="jax"), int)
assert_type(declared(1, backend=None), int)
declared(1, backend=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
declared(1, "jax")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class Selecting(Protocol):
    def __call__(self, data: int, /, *, backend: str | None = None) -> int: ...


selecting: Selecting = declared


# -- overloads and generics ----------------------------------------------------------------


@overload
def convert(value: int, *, backend: str | None = None) -> str: ...
@overload
def convert(value: str, *, backend: str | None = None) -> int: ...
@backend_dispatch
def convert(value: int | str, *, backend: str | None = None) -> int | str:
    return str(value) if isinstance(value, int) else int(value)


assert_type(convert(1, backend="jax"), str)
assert_type(convert("1"), int)
convert(1.5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
convert(1, backend=5)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


@backend_dispatch
def first(values: list[T]) -> T:
    return values[0]


@dispatcher.backend_dispatch(name="apply_to")
def apply(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> list[T]:
    return [function(*args, **kwargs)]


assert_type(first(["a"]), str)
assert_type(first([1]), int)
assert_type(apply(plain, [1], deep=True), list[float])
apply(plain, "a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


# -- coroutines and generators -------------------------------------------------------------


@backend_dispatch
async def fetch(url: str) -> bytes:
    return url.encode()


@backend_dispatch
def walk(count: int) -> Iterator[int]:
    yield from range(count)


@backend_dispatch
def talk(count: int) -> Generator[int, str, bytes]:
    said = yield count
    return said.encode()


@backend_dispatch
async def stream(count: int) -> AsyncIterator[int]:
    yield count


@backend_dispatch
async def converse(count: int) -> AsyncGenerator[int, str]:
    yield count


@contextmanager
@backend_dispatch
def opened(path: str) -> Generator[bytes, None, None]:
    yield path.encode()


async def main() -> None:
    assert_type(await fetch("a"), bytes)
    coroutine: Coroutine[Any, Any, bytes] = fetch("a")
    assert_type(await coroutine, bytes)
    async for number in stream(1):
        assert_type(number, int)
    assert_type(await converse(1).asend("a"), int)
    await converse(1).asend(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    fetch(1)  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore[reportArgumentType, reportUnusedCoroutine]


assert_type(walk(1), Iterator[int])
assert_type(talk(1), Generator[int, str, bytes])
assert_type(talk(1).send("a"), int)
assert_type(stream(1), AsyncIterator[int])
with opened("a") as content:
    assert_type(content, bytes)
