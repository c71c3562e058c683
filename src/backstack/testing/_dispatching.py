"""Running a test suite on a backend, and telling what ran there: ``pytest --dispatch-to``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .. import errors
from .._call_records import CallRecord
from .._names import CPU, did_you_mean
from .._observers import Observer
from ..dispatcher import BackendDispatcher
from ..reports import render_text
from ._loopback import Loopback, loopback

#: What is told of a function: how often it ran on a backend that was asked for, fell back to
#: the host, was taken back to the host by the tests, and did not run at all.
COLUMNS = ("on the backend", "fell back", "on the host", "not run")


def load_dispatcher(config: pytest.Config) -> BackendDispatcher:
    """The dispatcher that the ini option names; a usage error where there is none."""
    from pkgutil import resolve_name

    place = str(config.getini("dispatcher") or "")
    if not place:
        raise pytest.UsageError(
            "say in the configuration of pytest which dispatcher is meant, as in "
            'dispatcher = "example_host._backends:dispatcher"'
        )
    try:
        found = resolve_name(place)
    except (ImportError, AttributeError, ValueError) as error:
        raise pytest.UsageError(f"dispatcher = {place!r} cannot be found: {error}") from error
    if not isinstance(found, BackendDispatcher):
        raise pytest.UsageError(f"dispatcher = {place!r} is no BackendDispatcher: {found!r}")
    return found


@contextmanager
def selected(
    dispatcher: BackendDispatcher, names: tuple[str, ...], on_missing: str | None
) -> Generator[None, None, None]:
    """Choose for the whole process, so for every thread; afterwards it is as it was."""
    settings, process = dispatcher.settings, dispatcher._stack.process
    before, policy = process.setting, settings.on_missing
    settings.process_backend = names
    if on_missing is not None:
        settings.on_missing = on_missing
    try:
        yield
    finally:
        settings.on_missing = policy
        process.assign(before and before.unsettled())  # backends may have come and gone


class Dispatching(Observer):
    """The plugin that runs every test on a backend."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._dispatcher = load_dispatcher(config)
        given = str(config.getoption("dispatch_to")).split(",")
        self._names = tuple(name.strip() for name in given if name.strip())
        self._strict = bool(config.getoption("dispatch_strict"))
        self._differs = _expected(config)
        self._calls: list[CallRecord] = []
        self._told = Told()
        if not self._names:
            raise pytest.UsageError("--dispatch-to takes the name of a backend")

    # -- the session -----------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Make the backend ready, so that a mistake is told once and not by every test."""
        if Loopback.name in self._names and self._dispatcher.resolve_name(Loopback.name) is None:
            self._dispatcher.register(loopback(self._dispatcher))
        try:
            with self._dispatcher.backend(*self._names):
                pass
        except errors.BackendError as error:
            raise pytest.UsageError(f"--dispatch-to: {error}") from error
        self._dispatcher._stack.process.observe(self)

    def begin(self, record: CallRecord) -> None:
        """Keep the record of a call, whichever thread makes it."""
        self._calls.append(record)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Expect the tests to fail that are listed or marked as differing on this backend."""
        canonical = {self._dispatcher.resolve_name(name) or name for name in self._names}
        used: set[tuple[str, str]] = set()
        for item in items:
            for (backend, pattern), reason in self._differs.items():
                if self._means(backend, canonical) and _matches(pattern, item.nodeid):
                    used.add((backend, pattern))
                    item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
            for mark in item.iter_markers("dispatch_differs"):
                backend, reason = _marked(mark, item)
                if self._means(backend, canonical):
                    item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
        self._told.unused += [
            f"{pattern} ({backend})"
            for backend, pattern in self._differs
            if self._means(backend, canonical) and (backend, pattern) not in used
        ]

    def _means(self, backend: str, canonical: set[str]) -> bool:
        return (self._dispatcher.resolve_name(backend) or backend) in canonical

    # -- one test --------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, Any]:
        """Put the backend in force for a test with all its fixtures."""
        self._calls = []
        with selected(self._dispatcher, self._names, "host"):
            result = yield
        self._told.count(self._calls)
        self._calls = []
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """Fail a test that fell back, if that is not to pass."""
        result = yield
        fallen = {call.reason or call.function: None for call in self._calls if call.fell_back}
        if self._strict and fallen:
            pytest.fail(f"fell back to the host: {'; '.join(fallen)}", pytrace=False)
        return result

    # -- what it came to -------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist has counted."""
        told = getattr(node, "workeroutput", {}).get("backstack")
        if told is not None:
            self._told.add(told)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand on what was counted; a run in which nothing ran there has proved nothing."""
        self._told.functions |= set(self._dispatcher.functions)
        self._dispatcher._stack.process.unobserve(self)
        workeroutput = getattr(self._config, "workeroutput", None)
        if workeroutput is not None:
            workeroutput["backstack"] = self._told.as_dict()
        elif self._strict and session.exitstatus == pytest.ExitCode.OK and self._told.nothing_ran:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what ran where."""
        names = ", ".join(self._names)
        terminalreporter.section(f"dispatched to {names}")
        terminalreporter.write_line(self._told.table())
        if self._told.nothing_ran:
            terminalreporter.write_line(f"Nothing ran on {names}.", red=True)
        for pattern in sorted(set(self._told.unused)):
            terminalreporter.write_line(f"Expected to differ, and no such test: {pattern}")


class Told:
    """How often each function ran where."""

    def __init__(self) -> None:
        self.functions: set[str] = set()
        self.counts: dict[str, list[int]] = {}
        self.unused: list[str] = []

    def count(self, calls: list[CallRecord]) -> None:
        """Add the calls of one test."""
        for call in calls:
            if call.ran_on is None:
                column = 3
            elif call.ran_on != CPU:
                column = 0
            else:
                column = 1 if call.fell_back else 2
            self.counts.setdefault(call.function, [0] * len(COLUMNS))[column] += 1

    def as_dict(self) -> dict[str, Any]:
        """The same for another process."""
        return {
            "functions": sorted(self.functions),
            "counts": self.counts,
            "unused": self.unused,
        }

    def add(self, told: dict[str, Any]) -> None:
        """Add what another process has counted."""
        self.functions |= set(told["functions"])
        self.unused += told["unused"]
        for function, counts in told["counts"].items():
            own = self.counts.setdefault(function, [0] * len(COLUMNS))
            self.counts[function] = [a + b for a, b in zip(own, counts, strict=True)]

    @property
    def nothing_ran(self) -> bool:
        """Whether no call ran on the backend."""
        return not any(counts[0] for counts in self.counts.values())

    def table(self) -> str:
        """A table of the functions that were called, and the names of those that were not."""
        rows = [(function, *counts) for function, counts in sorted(self.counts.items())]
        lines = [render_text(("function", *COLUMNS), rows)] if rows else ["No calls."]
        never = sorted(self.functions - set(self.counts))
        if never:
            lines.append(f"Never called: {', '.join(never)}")
        return "\n".join(lines)


# -- tests that are expected to differ -----------------------------------------------------


def _expected(config: pytest.Config) -> dict[tuple[str, str], str]:
    """The tests that a file lists as differing: backend and pattern, and the reason."""
    name = str(config.getini("dispatch_differs") or "")
    if not name:
        return {}
    path = Path(config.inipath.parent if config.inipath else config.rootpath, name)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"dispatch_differs = {name!r} cannot be read: {error}") from error
    found: dict[tuple[str, str], str] = {}
    for backend, tests in tables.items():
        for pattern, reason in tests.items() if isinstance(tests, dict) else [("", None)]:
            if not isinstance(reason, str) or not reason.strip():
                raise pytest.UsageError(
                    f'{name}: write [BACKEND] and below it "TEST" = "reason", not '
                    f"{backend!r}, {pattern!r}"
                )
            found[backend, pattern] = reason
    return found


def _matches(pattern: str, test: str) -> bool:
    """Whether a test is meant: by its id, with or without its parameters; ``*`` is anything."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return bool(re.fullmatch(expression, test) or re.fullmatch(expression, test.partition("[")[0]))


def _marked(mark: pytest.Mark, item: pytest.Item) -> tuple[str, str]:
    values = dict(zip(("backend", "reason"), mark.args, strict=False), **mark.kwargs)
    backend, reason = values.get("backend"), values.get("reason")
    if set(values) != {"backend", "reason"} or not (isinstance(backend, str) and reason):
        odd = next((did_you_mean(name, ("backend", "reason")) for name in values), "")
        raise pytest.UsageError(
            f"{item.nodeid}: write dispatch_differs(backend, reason='why').{odd}"
        )
    return backend, str(reason)
