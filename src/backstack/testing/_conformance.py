"""Running a host's tests of its functions on a backend, and counting only what ran there."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import traceback
import unittest
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from .._names import did_you_mean, shown
from .._records import MISSING
from ..dispatcher import BackendDispatcher
from ._misuse import check_dispatcher

PASSED = "PASSED"


def run_conformance(
    *,
    backend_name: str,
    tests: Mapping[str, Callable[[str], Any]],
    get_backend: Callable[[str], Any] | None = None,
    dispatcher: BackendDispatcher | None = None,
    functions: Iterable[str] | None = None,
    raise_on_failure: bool = True,
) -> dict[str, str]:
    """Run a host's tests on a backend, for each function that the backend has.

    Parameters
    ----------
    backend_name : str
        Any name of the backend.
    tests : mapping of str to callable
        For each function a test, which takes the backend's name, calls the function on it and
        asserts something. A coroutine function is run to its end.
    get_backend : callable, optional
        Gives the adapter of a name, or None; this or `dispatcher`.
    dispatcher : BackendDispatcher, optional
        The host's. With it, a test during which nothing ran on the backend fails.
    functions : iterable of str, optional
        Test only these.
    raise_on_failure : bool
        Raise the first failure again, when all tests have run.

    Returns
    -------
    dict of str to str
        For each function ``"PASSED"``, ``"SKIPPED (reason)"`` or ``"FAILED: message"``.

    Raises
    ------
    ValueError
        For an unknown backend, if there are no tests, for functions without a test, for a bare
        string as `functions`, for a `dispatcher` that is none, and unless just one of
        `get_backend` and `dispatcher` is given: what is misspelt must not look like success.
    BackendError
        If the backend is there and fails.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from backstack import BackendDispatcher
    >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
    >>> @dispatcher.backend_dispatch
    ... def double(x):
    ...     return x + x
    >>> @dispatcher.backend_dispatch
    ... def half(x):
    ...     return x / 2
    >>> def test_double(backend):
    ...     assert double(4, backend=backend) == 8
    >>> def test_half(backend):
    ...     assert half(4, backend=backend) == 2
    >>> tests = {"double": test_double, "half": test_half}
    >>> with dispatcher.register(SimpleNamespace(name="shift", double=lambda x: x << 1)):
    ...     run_conformance(backend_name="shift", tests=tests, dispatcher=dispatcher)
    {'double': 'PASSED', 'half': "SKIPPED ('shift' does not implement half())"}
    """
    if (get_backend is None) == (dispatcher is None):
        raise ValueError("give one of get_backend and dispatcher")
    chosen = _chosen(tests, functions)
    if dispatcher is not None:
        _check_known(chosen, check_dispatcher(dispatcher).functions)
    adapter = _adapter(backend_name, get_backend or getattr(dispatcher, "get_backend", None))
    if adapter is None:
        known = dispatcher._registry.heard() if dispatcher is not None else ()
        hint = did_you_mean(backend_name, known)
        raise ValueError(f"there is no backend {backend_name!r} to test{hint and '.'}{hint}")
    results: dict[str, str] = {}
    failures: list[tuple[str, BaseException]] = []
    for name in chosen:
        try:
            if _implements(adapter, name):
                skipped = _run(tests[name], backend_name, dispatcher)
            else:
                skipped = f"{backend_name!r} does not implement {name}()"
        except BaseException as error:  # pytest's own failures are no `Exception`
            if not _is_failure(error):
                raise
            results[name] = f"FAILED: {_in_words(error)}"
            failures.append((name, error))
        else:
            results[name] = PASSED if skipped is None else f"SKIPPED ({skipped})"
    if failures and raise_on_failure:
        raise _annotated(backend_name, failures)
    return results


def _chosen(tests: object, functions: Iterable[str] | None) -> list[str]:
    """The functions to test; `ValueError` for whatever could hide that nothing is tested."""
    if not isinstance(tests, Mapping) or not tests:
        raise ValueError(f"tests must map names of functions to tests, not {shown(tests)}")
    for name, test in tests.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"tests: {shown(name)} is no name of a function")
        if not callable(test):
            raise ValueError(f"tests[{name!r}] cannot be called: {shown(test)}")
    if functions is None:
        return list(tests)
    if isinstance(functions, (str, bytes)):
        raise ValueError(f"functions takes several names, as in [{functions!r}]")
    chosen = list(dict.fromkeys(functions))
    if not chosen:
        raise ValueError("functions has no names in it")
    for name in chosen:
        if not isinstance(name, str) or not name:
            raise ValueError(f"functions: {shown(name)} is no name of a function")
        if name not in tests:
            raise ValueError(f"there is no test of {name!r}.{did_you_mean(name, tests)}")
    return chosen


def _check_known(names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"no function {name!r} is dispatched.{did_you_mean(name, known)}")


def _adapter(name: object, get_backend: Any) -> Any:
    if not isinstance(name, str) or not name:
        raise ValueError(f"{shown(name)} is no name of a backend")
    return get_backend(name)


def _implements(adapter: Any, name: str) -> bool:
    listed = getattr(adapter, "__all__", None)
    if listed is not None and name not in listed:
        return False
    # What is listed and not there is no gap, but a mistake that the test is to meet.
    return getattr(adapter, name, None if listed is None else MISSING) is not None


def _run(test: Any, name: str, dispatcher: BackendDispatcher | None) -> str | None:
    """Run one test; why it was skipped, if it was."""
    with ExitStack() as stack:
        calls = None
        if dispatcher is not None:
            calls = stack.enter_context(dispatcher.trace(everywhere=True))
        try:
            _finish(test(name))
        except BaseException as error:
            reason = _reason_to_skip(error)
            if reason is None:
                raise
            return reason
    if calls is not None and dispatcher is not None:
        canonical = dispatcher.resolve_name(name)
        if not any(call.ran_on == canonical for call in calls):
            reasons = [call.reason for call in calls if canonical in call.names and call.reason]
            why = f": {'; '.join(dict.fromkeys(reasons))}" if reasons else ""
            raise AssertionError(f"nothing ran on {name}{why}")
    return None


def _finish(result: Any) -> None:
    """Run what the test has only begun; nothing of it would be tested otherwise."""
    if inspect.isawaitable(result):
        _run_awaitable(result)
    elif inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise AssertionError("the test is a generator, of which nothing ran")


def _run_awaitable(awaitable: Any) -> None:
    async def awaited() -> None:
        await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(awaited())
        return
    # In a notebook, where a loop is running here already.
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(context.run, asyncio.run, awaited()).result()


def _reason_to_skip(error: BaseException) -> str | None:
    """What a test says that skips itself, in the ways of unittest and of pytest."""
    if isinstance(error, (unittest.SkipTest, *_of_pytest("Skipped"))):
        return str(error) or "no reason given"
    return None


def _is_failure(error: BaseException) -> bool:
    """Whether it is a test's failure, and not somebody's wish to end everything."""
    if isinstance(error, _of_pytest("Exit")):
        return False
    return isinstance(error, (Exception, *_of_pytest("OutcomeException")))


def _of_pytest(name: str) -> tuple[type[BaseException], ...]:
    """An exception of pytest's, if that is imported."""
    found = getattr(sys.modules.get("_pytest.outcomes"), name, None)
    return () if found is None else (found,)


def _in_words(error: BaseException) -> str:
    text = str(error).strip()
    if isinstance(error, AssertionError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else f"{type(error).__name__}{_place(error)}"


def _place(error: BaseException) -> str:
    """Where an error was raised that says nothing itself."""
    lines = list(traceback.walk_tb(error.__traceback__))
    return f" at {lines[-1][0].f_code.co_filename}:{lines[-1][1]}" if lines else ""


def _annotated(backend: str, failures: list[tuple[str, BaseException]]) -> BaseException:
    """The first failure, which says what it was a test of, and what else failed."""
    (name, first), *others = failures
    first.add_note(f"In the test of {name}() on {backend!r}.")
    for other, error in others:
        first.add_note(f"The test of {other}() failed as well: {_in_words(error)}")
    return first
