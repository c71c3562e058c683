"""What is in force here: the context's stack of entries over the process-wide choice.

A stack is a chain of immutable `State` nodes held in one `ContextVar` per host, so that
threads and tasks each see their own, and so that leaving a scope can take its entry out
of the middle without touching the others. The process-wide choice does not live in the
context: a thread started before it was made would never see it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar, Token
from typing import Any

from ._choices import Selection


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
    """The scopes of one host.

    Attributes
    ----------
    owner : BackendDispatcher
        Whose scopes these are. What hangs on them is found again by way of it in another
        process.
    process : Process
        What is chosen where no scope chooses.
    """

    def __init__(self, host: str, process: Process, owner: Any) -> None:
        self.owner = owner
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
        for node in nodes(top):
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


def nodes(top: State | None) -> Iterator[State]:
    while top is not None:
        yield top
        top = top.below
