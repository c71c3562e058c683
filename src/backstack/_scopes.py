"""What is in force here: the context's stack of scopes over the process-wide choice.

A stack is a chain of immutable `State` nodes held in one `ContextVar` per host, so that
threads and tasks each see their own, and so that leaving a scope can take its entry out
of the middle without touching the others. The process-wide choice does not live in the
context: a thread started before it was made would never see it.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeVar, cast

from ._bodies import kind_of, wrap

F = TypeVar("F", bound=Callable[..., Any])
Kind = Literal["call", "scope", "setting", "variable", "default", "query"]


class Origin(NamedTuple):
    """Who chose: the call, a scope, the setting, or an environment variable."""

    kind: Kind
    detail: str = ""

    def __str__(self) -> str:
        return {
            "call": f"the call's {self.detail}=",
            "scope": "a 'with' scope",
            "setting": "settings.backend",
            "variable": f"the environment variable {self.detail}",
            "default": "the default",
            "query": f"{self.detail}()",
        }[self.kind]


class Selection:
    """What somebody chose, and the backends that it came to.

    Attributes
    ----------
    labels : tuple of str
        The names as they were spelt.
    names : tuple of str
        The canonical ones, as far as they are known.
    backends : tuple or None
        The candidates in order of preference, without those passed over when this was
        made. None stands in it for the host itself. The whole is None while nobody has
        looked yet, as for an environment variable before the first call.
    origin : Origin
        Who chose.
    """

    __slots__ = ("backends", "labels", "names", "origin")

    def __init__(
        self,
        labels: tuple[str, ...],
        names: tuple[str, ...],
        backends: tuple[Any, ...] | None,
        origin: Origin,
    ) -> None:
        self.labels = labels
        self.names = names
        self.backends = backends
        self.origin = origin

    def unsettled(self) -> Selection:
        """The same choice, before anybody looked what it comes to."""
        if self.is_host:
            return self
        return Selection(self.labels, self.names, None, self.origin)

    def label_of(self, backend: Any) -> str:
        """What one of its backends was asked for as."""
        return next((label for label in self.labels if label in backend.labels), backend.shown)

    @property
    def is_host(self) -> bool:
        """Whether the host's own implementation comes first."""
        return self.backends is not None and self.backends[0] is None


class Entry:
    """One entering of one scope: what it adds, and the mark of the context it was made in."""

    __slots__ = ("observer", "on_missing", "owner", "selection", "token")

    def __init__(
        self,
        owner: object,
        selection: Selection | None = None,
        on_missing: str | None = None,
        observer: Any = None,
    ) -> None:
        self.owner = owner
        self.selection = selection
        self.on_missing = on_missing
        self.observer = observer
        self.token: Token[Any] | None = None

    def again(self) -> Entry:
        """The same once more, made nowhere yet."""
        return Entry(self.owner, self.selection, self.on_missing, self.observer)

    def made_here(self) -> bool:
        """Whether the current context is the one that this entry was made in.

        Only a token can tell: `Token.var.reset` refuses every context but its own. A
        token serves once, so the answer "yes" uses it up.
        """
        if self.token is None:
            return False
        try:
            self.token.var.reset(self.token)
        except (ValueError, RuntimeError):
            return False
        return True


class State:
    """One node of a stack: an entry over what is below it, and what follows from both.

    Attributes
    ----------
    selection : Selection or None
        The innermost one; None if only the policy or observers were set so far, so that
        the process-wide choice goes on deciding.
    on_missing : str or None
        The innermost policy; None if `Process.on_missing` decides.
    observers : tuple
        Every trace that is to see calls made here.
    direct : Selection or None
        `selection`, unless somebody observes; the call path looks plans up by this.
    """

    __slots__ = ("below", "direct", "entry", "observers", "on_missing", "selection")

    def __init__(self, entry: Entry, below: State | None) -> None:
        self.entry = entry
        self.below = below
        if below is None:
            self.selection = entry.selection
            self.on_missing = entry.on_missing
            self.observers: tuple[Any, ...] = () if entry.observer is None else (entry.observer,)
        else:
            self.selection = entry.selection or below.selection
            self.on_missing = entry.on_missing or below.on_missing
            self.observers = below.observers
            if entry.observer is not None and entry.observer not in self.observers:
                self.observers += (entry.observer,)
        self.direct = None if self.observers else self.selection


class Process:
    """The process-wide choice: the setting, else the environment variable, else the host.

    Attributes
    ----------
    state : State or None
        What the call path reads; None when the host's own implementation is chosen.
    setting, variable : Selection or None
        What was assigned, and what the environment asked for.
    on_missing : str
        The policy where no scope sets one.
    """

    __slots__ = ("_lock", "on_missing", "setting", "state", "variable")

    def __init__(self, variable: Selection | None, on_missing: str) -> None:
        self._lock = threading.Lock()  # for writers; readers take what is there
        self.variable = variable
        self.on_missing = on_missing
        self.assign(None)

    @property
    def selection(self) -> Selection | None:
        """What is chosen process-wide, the host's own included."""
        return self.setting or self.variable

    def assign(self, setting: Selection | None) -> None:
        """Choose for every thread, old and new; None goes back to the environment."""
        with self._lock:
            self.setting = setting
            self._publish()

    def settle(self, old: Selection, new: Selection) -> None:
        """Replace a choice by what it came to."""
        with self._lock:
            if self.setting is old:
                self.setting = new
            elif self.variable is old:
                self.variable = new
            self._publish()

    def unsettle(self) -> None:
        """The backends changed: both choices are to be looked up again, by name."""
        with self._lock:
            self.setting = self.setting and self.setting.unsettled()
            self.variable = self.variable and self.variable.unsettled()
            self._publish()

    def _publish(self) -> None:
        selection = self.selection
        idle = selection is None or selection.is_host
        self.state: State | None = None if idle else State(Entry(None, selection), None)


class Stack:
    """The scopes of one host."""

    def __init__(self, host: str, process: Process) -> None:
        self.process = process
        self.top: ContextVar[State | None] = ContextVar(f"backstack.{host}", default=None)
        self._mark: ContextVar[None] = ContextVar(f"backstack.{host}.mark")

    @property
    def state(self) -> State | None:
        """The innermost entry of this context, None outside all scopes."""
        return self.top.get()

    def selection(self) -> Selection | None:
        """What is chosen here: the innermost scope, else the process-wide choice."""
        state = self.top.get()
        return (state and state.selection) or self.process.selection

    def on_missing(self) -> str:
        """What happens here when the chosen backend lacks a function."""
        state = self.top.get()
        return (state and state.on_missing) or self.process.on_missing

    def push(self, entry: Entry) -> None:
        """Put `entry` in force in this context."""
        try:
            entry.token = self.top.set(State(entry, self.top.get()))
        except BaseException:  # an interrupt between the two assignments
            top = self.state
            if top is not None and top.entry is entry:
                self.top.set(top.below)
            raise

    def leave(self, owner: object) -> None:
        """Take out the innermost entry that `owner` made in this context, if there is one."""
        top = self.top.get()
        node = top
        while node is not None:
            entry = node.entry
            if entry.owner is owner:
                # In order, as nearly always, the token itself puts back what is below.
                in_order = node is top and self.restores(entry.token, node.below)
                if entry.made_here():
                    if not in_order:
                        self._put(top, without=node)
                    return
            node = node.below

    def _put(self, top: State | None, without: State) -> None:
        above = []
        for node in _nodes(top):
            if node is without:
                break
            above.append(node.entry)
        rebuilt = without.below
        for entry in reversed(above):
            rebuilt = State(entry, rebuilt)
        self.top.set(rebuilt)

    def restores(self, token: Token[Any] | None, below: State | None) -> bool:
        """Whether resetting to `token` leaves just what is `below`."""
        if token is None or token.var is not self.top:
            return False
        return token.old_value is below or (below is None and token.old_value is Token.MISSING)

    def claim(self, entries: list[Entry]) -> None:
        """Make `entries` count as made in this context."""
        for entry in entries:
            entry.token = self._mark.set(None)


def _nodes(top: State | None) -> Iterator[State]:
    while top is not None:
        yield top
        top = top.below


class Activation:
    """One run of a decorated body, which may be set aside between its steps.

    Entering puts the body's entries, its own inner scopes included, over whatever is in
    force where it is resumed; leaving takes them away again, so that the code that
    iterates it sees only its own.
    """

    def __init__(self, stack: Stack, entry: Entry) -> None:
        self._stack = stack
        # Its own, since the body may well leave the scope that it was decorated with.
        self._bottom = Entry(self)
        self._entries = [self._bottom, entry]  # the outermost first
        self._token: Token[State | None] | None = None

    def __enter__(self) -> None:
        # Fresh ones each time: a context copied during an earlier step still holds the others.
        self._entries = [entry.again() for entry in self._entries]
        self._bottom = self._entries[0]
        stack = self._stack
        top = stack.state
        for entry in self._entries:
            top = State(entry, top)
        stack.claim(self._entries)
        self._token = stack.top.set(top)

    def __exit__(self, *exc_info: object) -> None:
        stack = self._stack
        if not self._bottom.made_here():
            return  # closed halfway, in a context where none of this was put in force
        inside = []
        for node in _nodes(stack.state):
            inside.append(node.entry)
            if node.entry is self._bottom:
                self._restore(node.below)
                break
        for entry in inside:
            entry.token = None  # no longer in force here
        self._entries = inside[::-1]

    def _restore(self, below: State | None) -> None:
        token = self._token
        if token is not None and self._stack.restores(token, below):
            self._stack.top.reset(token)
        else:
            self._stack.top.set(below)


class Scope:
    """A choice of backends, or of what to do where one lacks a function, for a block.

    Made by ``host.backend(...)``. It is a context manager and a decorator, for functions,
    coroutine functions, generators and async generators. Making one does nothing. The
    same one may be entered again, nested in itself, and shared by threads and tasks.

    Leaving takes out the innermost entry that this scope made in this context, and no
    other; where it made none, nothing happens.
    """

    __slots__ = ("_host", "_labels", "_on_missing", "_select", "_stack")

    def __init__(
        self,
        stack: Stack,
        select: Callable[[tuple[Any, ...]], Selection],
        labels: tuple[Any, ...],
        on_missing: str | None,
        host: str,
    ) -> None:
        self._stack = stack
        self._select = select
        self._labels = labels
        self._on_missing = on_missing
        self._host = host

    def _entry(self) -> Entry:
        # Without names, only the policy changes; with neither, that is for `select` to refuse.
        changes_policy_only = not self._labels and self._on_missing is not None
        selection = None if changes_policy_only else self._select(self._labels)
        return Entry(self, selection, self._on_missing)

    def __enter__(self) -> Scope:
        self._stack.push(self._entry())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.leave(self)

    def __call__(self, function: F) -> F:
        """Decorate `function`, so that its body runs in this scope."""
        if inspect.isclass(function) or not callable(function):
            raise TypeError(
                f"A backend scope decorates functions, not {function!r}; "
                "use it as a context manager, or decorate the methods."
            )
        kind = kind_of(function)
        wrapper = wrap(function, self.around(kind), kind)
        return cast("F", functools.update_wrapper(wrapper, function))

    def around(self, kind: str) -> Callable[[], Any]:
        """What makes the context manager that a body of this kind runs its steps in."""
        if kind in ("generator", "async generator"):
            return lambda: Activation(self._stack, self._entry())
        return lambda: self

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self._labels))
        policy = f"on_missing={self._on_missing!r}" if self._on_missing else ""
        shown = ", ".join(filter(None, (names, policy)))
        active = any(node.entry.owner is self for node in _nodes(self._stack.state))
        note = "active" if active else "not active: use with"
        return f"<backend({shown}) of {self._host} ({note})>"
