"""Warnings that point at the caller's own line, whoever stands between."""

import sys
import warnings
from collections.abc import Collection, Generator, Hashable
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

from ._locks import new_lock
from .errors import BackstackWarning

_OURS = frozenset({"backstack", "wrapt"})
#: What calls on behalf of somebody else.
_MACHINERY = frozenset(
    {
        "asyncio",
        "concurrent",
        "contextlib",
        "contextvars",
        "functools",
        "importlib",
        "runpy",
        "threading",
    }
)


def warn(message: str, category: type[BackstackWarning], packages: Collection[str]) -> None:
    """Warn at the first line outside backstack and the host's `packages`."""
    collected = _collected.get()
    if collected is not None:
        collected.append(f"{category.__name__}: {message}")
        return
    frame = _callers_frame(packages)
    if frame is None:
        warnings.warn(message, category, stacklevel=2)
        return
    # Explicitly, because a stacklevel cannot be counted through C frames and decorators,
    # and `skip_file_prefixes` came with Python 3.12.
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=frame.f_globals.get("__name__") or "<unknown>",
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


#: Where warnings go instead, while something is only asked what it would do.
_collected: ContextVar[list[str] | None] = ContextVar("backstack.warnings", default=None)


@contextmanager
def collected() -> Generator[list[str], None, None]:
    """Gather the warnings that would be given in here; none counts as given."""
    texts: list[str] = []
    token = _collected.set(texts)
    try:
        yield texts
    finally:
        _collected.reset(token)


def collecting() -> bool:
    """Whether something is only asked what it would do."""
    return _collected.get() is not None


@contextmanager
def given() -> Generator[None, None, None]:
    """Give the warnings of in here after all, since they are about what really happens."""
    token = _collected.set(None)
    try:
        yield
    finally:
        _collected.reset(token)


class Once:
    """Warnings that are given once per key.

    One counts as given only when `warn` returned, so that where warnings are errors
    each occasion raises. A key is taken *before* warning, so that two threads that
    meet here give one warning, and put back if the warning raised.
    """

    def __init__(self) -> None:
        self._given: set[Hashable] = set()
        self._lock = new_lock()

    def warn(
        self,
        key: Hashable,
        message: str,
        category: type[BackstackWarning],
        packages: Collection[str],
    ) -> None:
        """Give the warning unless one with this key was given."""
        if collecting():
            if key not in self._given:
                warn(message, category, packages)
            return
        if not self.take(key):
            return
        try:
            warn(message, category, packages)
        except BaseException:
            self._given.discard(key)
            raise

    def take(self, key: Hashable) -> bool:
        """Whether `key` is new; from now on it is not."""
        if collecting():
            return False
        with self._lock:
            if key in self._given:
                return False
            self._given.add(key)
            return True

    def clear(self) -> None:
        """Start afresh."""
        self._given.clear()


def callers_line() -> str | None:
    """The file and line outside backstack that got us here; None if no line of anybody's did."""
    frame = _callers_frame(())
    if frame is None or _top(frame) in _MACHINERY:
        return None
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _top(frame: FrameType) -> str:
    module: str = frame.f_globals.get("__name__") or ""
    return module.partition(".")[0]


def _callers_frame(packages: Collection[str]) -> FrameType | None:
    frame: FrameType | None = sys._getframe(2)
    outside_us: FrameType | None = None
    while frame is not None:
        module = frame.f_globals.get("__name__") or ""
        top = _top(frame)
        if top not in _OURS:
            if top not in _MACHINERY and (not _is_in(module, packages) or _is_test(module)):
                return frame
            outside_us = outside_us or frame
        frame = frame.f_back
    return outside_us  # the host calls itself, or a thread was started on its function


def _is_in(module: str, packages: Collection[str]) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def _is_test(module: str) -> bool:
    """Whether `module` tests a package from inside it: then it is a caller like any other."""
    parts = module.split(".")
    return parts[-1].startswith("test_") or not {"tests", "conftest"}.isdisjoint(parts)
