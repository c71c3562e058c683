"""From an entry point to an adapter: the only place where a backend's code is first run.

No lock is held while it runs. Importing is left to Python's own import locks, which know
how to break a cycle between threads; what comes after goes through a `Gate`, so that a
class is instantiated once however many ask.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, ClassVar

from ._config import Config
from ._locks import new_lock
from ._missing_name import instead_of_name
from ._names import plain, shown, usable_aliases
from ._records import MISSING, Backend, Provider
from ._tables import entry_labels, name_problem, others
from ._trust import check_loaded, own_labels
from .errors import BackendLoadError

#: What a backend may raise that is its own failure. An interrupt is not.
FAILURES = (Exception, SystemExit)

_WANTED = "it has to return True, or the reason why not as a string"
_PATIENCE = 10.0  # seconds that a thread waits that is inside an import itself


class AdapterError(Exception):
    """The adapter cannot be used; the message says why."""


class RefusedError(Exception):
    """The adapter, once it ran, turned out not to be the one that the host trusts."""


def load(backend: Backend, config: Config) -> None:
    """Run the code of an installed backend and take its adapter; once, whoever asks."""
    assert backend.provider is not None
    found = import_adapter(backend.provider)
    with _gate(backend).passing():
        if backend.adapter is None:
            take_adapter(backend, instantiate(found), config)


def take_adapter(backend: Backend, adapter: Any, config: Config) -> None:
    """Read everything that an adapter says of itself, check it, and only then keep it."""
    name = read_name(adapter)
    problem = name_problem(name, config)
    if problem:
        raise AdapterError(f"the adapter's name {problem}")
    aliases, problems = usable_aliases(read_aliases(adapter), config.reserved)
    exports = read_exports(adapter)
    if backend.provider is not None:
        refusal = check_loaded(backend, adapter, name, aliases, config)
        if refusal is not None:
            backend.refusal = refusal
            raise RefusedError
        problems += _broken_promises(backend, name, aliases, config)
        aliases = own_labels(backend, name, (*aliases, *entry_labels(backend, config)), config)
    backend.name, backend.aliases = name, others(name, aliases)
    backend.exports = exports
    backend.problems = list(dict.fromkeys((*backend.problems, *problems)))
    backend.adapter = adapter  # last: whoever sees it sees the rest too


def _broken_promises(
    backend: Backend, name: str, aliases: tuple[str, ...], config: Config
) -> list[str]:
    """Where the source said other things than the loaded adapter does."""
    said = backend.declared
    broken = []
    if said.name is not MISSING and said.name != name:
        broken.append(f"its source says name = {said.name!r}, the loaded adapter {name!r}")
    if said.aliases is not MISSING:
        promised, _ = usable_aliases(said.aliases, config.reserved)
        if {*promised} != {*aliases}:
            broken.append(f"its source says aliases {promised}, the loaded adapter {aliases}")
    return broken


def import_adapter(provider: Provider) -> Any:
    """Import the object that an entry point refers to."""
    try:
        module = importlib.import_module(provider.module)
    except RuntimeError as error:
        if type(error).__name__ == "_DeadlockError":  # what Python makes of waiting in a circle
            raise AdapterError(f"import cycle between threads at {provider.module!r}") from error
        raise
    if getattr(getattr(module, "__spec__", None), "_initializing", False):
        raise AdapterError(f"its import asks for itself (import cycle at {provider.module!r})")
    found: Any = module
    for name in filter(None, provider.attribute.split(".")):
        found = getattr(found, name)
    return found


def instantiate(found: Any) -> Any:
    """The adapter itself: a class is called once, without arguments."""
    return found() if inspect.isclass(found) else found


def read_name(adapter: Any) -> str:
    """The adapter's own name; `AdapterError` unless it is a label."""
    name = _read(adapter, "name")
    if name is MISSING:
        raise AdapterError(f"the adapter has no 'name'{instead_of_name(adapter)}")
    if not isinstance(name, str):
        raise AdapterError(f"the adapter's name {shown(name)} is not a string")
    return plain(name)


def read_aliases(adapter: Any) -> object:
    """The adapter's aliases as they stand; an empty tuple where there are none."""
    aliases = _read(adapter, "aliases")
    return () if aliases is MISSING else aliases


def read_exports(adapter: Any) -> frozenset[str] | None:
    """The names in the adapter's ``__all__``; None where there is none."""
    listed = _read(adapter, "__all__")
    if listed is MISSING:
        return None
    if not isinstance(listed, (list, tuple, set, frozenset)):
        raise AdapterError(f"the adapter's __all__ is {shown(listed)}, not a list of names")
    return frozenset(plain(name) for name in listed if isinstance(name, str))


def _read(adapter: Any, attribute: str) -> Any:
    """What the adapter says of itself; an error of its own names what was read."""
    try:
        return getattr(adapter, attribute)
    except AttributeError:
        return MISSING
    except FAILURES as error:
        raise AdapterError(f"reading {attribute!r} of it raised {describe(error)}") from error


def read_function(backend: Backend, name: str) -> Any:
    """What the adapter has under `name`, reading nothing else of it; `MISSING` if nothing.

    Raises `AdapterError` where it lists the name or computes it, and reading it fails.
    """
    listed = backend.exports
    if listed is not None and name not in listed:
        return MISSING
    try:
        found = getattr(backend.adapter, name)
    except AttributeError as error:
        if listed is None:
            return MISSING
        raise AdapterError(f"its __all__ lists the name, and reading it fails: {error}") from error
    except FAILURES as error:
        raise AdapterError(describe(error)) from error
    return MISSING if found is None else found


def ask(backend: Backend) -> str | None:
    """Why a loaded backend cannot run here, None if it can; one thread asks until it says yes.

    What is noted of it may be forgotten by a `refresh` at any time, so the answer is returned.
    """
    try:
        with _gate(backend).passing():
            if backend.available:
                return None
            reason = unavailable_because(backend.adapter)
            backend.unavailable, backend.available = reason, reason is None
            return reason
    except AdapterError as error:
        backend.unavailable = str(error)
        return str(error)


def unavailable_because(adapter: Any) -> str | None:
    """Why the backend cannot run here, asking it; None if it can."""
    try:
        ask = adapter.is_available
    except AttributeError:
        return None
    except FAILURES as error:
        return f"reading its is_available raised {describe(error)}"
    if ask is None:
        return None
    if not callable(ask):
        return f"its is_available is {shown(ask)}, which is not callable; {_WANTED}"
    try:
        answer = ask()
    except FAILURES as error:
        return f"is_available() raised {describe(error)}"
    if answer is True:
        return None
    if inspect.iscoroutine(answer):
        answer.close()
        return "is_available() is a coroutine function; it has to answer at once"
    if isinstance(answer, str) and answer:
        return answer
    told = f"is_available() returned {shown(answer)}"
    return told if answer is False else f"{told} ({type(answer).__name__}); {_WANTED}"


def describe(error: BaseException) -> str:
    """An exception in a line; its own text is foreign and may itself fail."""
    if isinstance(error, BackendLoadError):
        return error.reason  # of another backend, or of this one in a circle
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Gate:
    """Lets one thread at a time through, and never lets two wait for each other.

    Every gate that some thread waits at is in one table for the whole process, since a
    circle of threads may lead through the backends of several hosts.
    """

    _table = new_lock()
    _waiting: ClassVar[dict[int, Gate]] = {}

    def __init__(self) -> None:
        self._owner: tuple[int, int, object] | None = None  # process, thread, and which passing
        self._open = threading.Event()

    @contextmanager
    def passing(self) -> Generator[None, None, None]:
        """Go through alone; `AdapterError` where waiting could last for ever."""
        mine = object()
        try:
            self._enter(mine)
            yield
        finally:  # also of an interrupt that came when it had just been entered
            try:
                self._release(mine)
            except BaseException:  # or comes now
                self._release(mine)
                raise

    def _release(self, mine: object) -> None:
        with self._table:
            if self._owner is None or self._owner[2] is mine:
                self._owner = None
                self._open.set()

    def _enter(self, mine: object) -> None:
        thread = threading.get_ident()
        try:
            while not self._taken(thread, mine):
                # Inside an import this thread holds import locks that the owner may need.
                patience = _PATIENCE if _importing(sys._getframe()) else None
                if not self._open.wait(patience):
                    raise AdapterError(
                        "another thread is loading it and may be waiting for this one"
                    )
        finally:
            with self._table:
                self._waiting.pop(thread, None)

    def _taken(self, thread: int, mine: object) -> bool:
        """Take it if nobody has it; else say that this thread waits, if that can end."""
        with self._table:
            if self._owner is None or self._owner[0] != os.getpid():  # or of before a fork
                self._waiting.pop(thread, None)  # before it is the owner, or it waits for itself
                self._open = threading.Event()
                self._owner = (os.getpid(), thread, mine)
                return True
            if self._leads_to(thread):
                raise AdapterError("it is being loaded by what asks for it (import cycle)")
            self._waiting[thread] = self
            return False

    def _leads_to(self, thread: int) -> bool:
        gate: Gate | None = self
        while gate is not None and gate._owner is not None:
            owner = gate._owner[1]
            if owner == thread:
                return True
            gate = self._waiting.get(owner)
        return False


_gates: weakref.WeakKeyDictionary[Backend, Gate] = weakref.WeakKeyDictionary()


def _gate(backend: Backend) -> Gate:
    with Gate._table:
        return _gates.setdefault(backend, Gate())


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False
