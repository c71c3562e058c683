"""Running a test suite on a backend, and telling what ran there: ``pytest --dispatch-to``."""

from __future__ import annotations

import contextlib
import re
import tomllib
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from .. import errors
from .._call_records import CallRecord
from .._choices import Origin
from .._config import OnMissing
from .._installed import place_of_host
from .._names import CPU, did_you_mean
from .._observers import Observer
from ..dispatcher import BackendDispatcher
from ..reports import render_text
from ._loopback import Loopback, loopback

#: What is told of a function: how often it ran on a backend that was asked for, fell back to
#: the host, was taken to the host or to another backend by the tests, and did not run at all.
COLUMNS = ("on the backend", "fell back", "on the host", "elsewhere", "not run")


_PROBLEM = pytest.StashKey[str]()


def load_dispatcher(config: pytest.Config) -> BackendDispatcher:
    """The dispatcher that the ini option names; a usage error where there is none."""
    from pkgutil import resolve_name

    given = str(config.getini("dispatcher") or "")
    place = given if ":" in given else place_of_host(given) or given
    if not place:
        raise pytest.UsageError(
            "say in the configuration of pytest which dispatcher is meant, as in "
            'dispatcher = "example_host._backends:dispatcher"'
        )
    try:
        found = resolve_name(place)
    except Exception as error:  # the host's import may raise anything
        told = f"{type(error).__name__}: {error}"
        raise pytest.UsageError(f"dispatcher = {place!r} cannot be found: {told}") from error
    if not isinstance(found, BackendDispatcher):
        raise pytest.UsageError(f"dispatcher = {place!r} is no BackendDispatcher: {found!r}")
    return found


@contextlib.contextmanager
def selected(
    dispatcher: BackendDispatcher, names: tuple[str, ...], on_missing: OnMissing | None
) -> Generator[None, None, None]:
    """Choose for the whole process, so for every thread; afterwards it is as it was."""
    settings, process = dispatcher.settings, dispatcher._stack.process
    before, policy = process.setting, settings.on_missing
    try:
        if on_missing is not None:
            settings.on_missing = on_missing
        # Not by way of the settings, which warn where a scope still wins.
        process.assign(dispatcher._selector.for_setting(names))
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
        self._canonical: set[str] = set()
        self._calls: list[CallRecord] = []
        self._looked_at = 0
        self._problem: str | None = None
        self._told = Told()
        if not self._names:
            raise pytest.UsageError("--dispatch-to takes the name of a backend")

    # -- the session -----------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Make the backend ready, so that a mistake is told once and not by every test."""
        if Loopback.name in self._names and self._dispatcher.resolve_name(Loopback.name) is None:
            self._dispatcher.register(loopback(self._dispatcher))
        with warnings.catch_warnings():  # of what was asked for by name
            warnings.simplefilter("ignore", errors.BackstackWarning)
            try:
                self._dispatcher._selector.select(self._names, Origin("query", "--dispatch-to"))
            except errors.BackendError as error:
                told = "\n".join([str(error), *getattr(error, "__notes__", ())])
                if isinstance(error, errors.UnknownBackendError) and error.suggestion is None:
                    told += did_you_mean(str(error.label), (Loopback.name,))
                raise pytest.UsageError(f"--dispatch-to: {told}") from error
            for name in self._names[1:]:
                with contextlib.suppress(errors.BackendError):
                    self._dispatcher.get_backend(name)
        self._canonical = {self._dispatcher.resolve_name(name) or name for name in self._names}
        self._dispatcher._stack.process.observe(self)

    def begin(self, record: CallRecord) -> None:
        """Keep the record of a call, whichever thread makes it."""
        self._calls.append(record)

    @pytest.hookimpl(tryfirst=True)  # before any test is deselected
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Expect the tests to fail that are listed or marked as differing on this backend."""
        listed = {key: reason for key, reason in self._differs.items() if self._means(key[0])}
        used: set[tuple[str, str]] = set()
        for item in items:
            for key, reason in listed.items():
                if _matches(key[1], item.nodeid):
                    used.add(key)
                    _expect_failure(item, reason)
            for mark in list(item.iter_markers("dispatch_differs")):
                problem = _mistake(mark)
                if problem is not None and hasattr(self._config, "workerinput"):
                    item.stash[_PROBLEM] = problem  # a worker cannot end the session in words
                elif problem is not None:
                    raise pytest.UsageError(f"{item.nodeid}: {problem}")
                elif self._means(_values(mark)["backend"]):
                    _expect_failure(item, _values(mark)["reason"])
        self._told.unused += [
            f"{pattern} ({name})"
            for name, pattern in listed.keys() - used
            if _would_be_met(self._config, pattern)
        ]

    def _means(self, backend: str) -> bool:
        return (self._dispatcher.resolve_name(backend) or backend) in self._canonical

    # -- one test --------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, Any, Any]:
        """Put the backend in force for a test with all its fixtures."""
        self._calls, self._looked_at, self._problem = [], 0, None
        with contextlib.ExitStack() as stack:
            try:
                with warnings.catch_warnings():  # as when the session started
                    warnings.simplefilter("ignore", errors.BackstackWarning)
                    stack.enter_context(selected(self._dispatcher, self._names, "host"))
            except errors.BackendError as error:  # an earlier test has left something behind
                self._problem = str(error)
            result = yield
        self._told.count(self._calls, self._canonical - {CPU} or {CPU})
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Fail a test that cannot run on the backend, or is marked wrongly."""
        problem = self._problem or item.stash.get(_PROBLEM, None)
        if problem is not None:
            pytest.fail(problem, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """Fail a test that fell back, if that is not to pass; its fixtures count."""
        try:
            result = yield
        except BaseException:  # it has a reason of its own
            self._looked_at = len(self._calls)
            raise
        self._forbid_falling_back()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, Any, Any]:
        """Fail a teardown that fell back, if that is not to pass."""
        result = yield
        self._forbid_falling_back()
        return result

    def _forbid_falling_back(self) -> None:
        new, self._looked_at = self._calls[self._looked_at :], len(self._calls)
        fallen = {
            call.reason or call.function: None
            for call in new
            if call.fell_back and not self._canonical.isdisjoint(call.names)
        }
        if self._strict and fallen:
            pytest.fail(f"fell back to the host: {'; '.join(fallen)}", pytrace=False)

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
        elif self._proves_nothing(session):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _proves_nothing(self, session: pytest.Session) -> bool:
        """Whether all is well only since nothing ran on the backend."""
        well = session.exitstatus == pytest.ExitCode.OK and not self._config.option.collectonly
        return self._strict and well and self._told.nothing_ran

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

    def count(self, calls: list[CallRecord], backends: set[str]) -> None:
        """Add the calls of one test that is to run on these backends."""
        for call in calls:
            if call.ran_on is None:
                column = "not run"
            elif call.fell_back:
                column = "fell back"
            elif call.ran_on in backends:
                column = "on the backend"
            else:
                column = "on the host" if call.ran_on == CPU else "elsewhere"
            counts = self.counts.setdefault(call.function, [0] * len(COLUMNS))
            counts[COLUMNS.index(column)] += 1

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
            if not backend or not isinstance(reason, str) or not reason.strip():
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


def _would_be_met(config: pytest.Config, pattern: str) -> bool:
    """Whether this run would have met a listed test: it looks at all that may be meant."""
    place = pattern.partition("::")[0].partition("*")[0]
    path, start = config.rootpath / place, config.invocation_params.dir
    return any(path.is_relative_to(start / str(given)) for given in config.args)


def _expect_failure(item: pytest.Item, reason: str) -> None:
    # In front of others: the first mark counts.
    item.add_marker(pytest.mark.xfail(reason=reason, strict=True), append=False)


_FIELDS = ("backend", "reason")


def _values(mark: pytest.Mark) -> dict[str, Any]:
    return {**dict(zip(_FIELDS, mark.args, strict=False)), **mark.kwargs}


def _mistake(mark: pytest.Mark) -> str | None:
    """What is wrong with a ``dispatch_differs`` marker."""
    values = _values(mark)
    texts = all(isinstance(value, str) and value.strip() for value in values.values())
    count = len(mark.args) + len(mark.kwargs)
    if set(values) == set(_FIELDS) and count == len(_FIELDS) and texts:
        return None
    odd = [name for name in values if name not in _FIELDS]
    hint = did_you_mean(odd[0], _FIELDS) if odd else ""
    return f"write dispatch_differs(backend, reason='why').{hint}"
