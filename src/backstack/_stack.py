"""What is in force here: the context's stack of entries over the process-wide choice.

A stack is a chain of immutable `State` nodes held in one `ContextVar` per host, so that
threads and tasks each see their own, and so that leaving a scope can take its entry out
of the middle without touching the others. The process-wide choice does not live in the
context: a thread started before it was made would never see it.
"""

import weakref
from collections.abc import Iterator
from contextvars import ContextVar, Token
from types import CellType, CodeType
from typing import Any

from ._choices import Selection
from ._locks import new_lock
from ._observers import Observer
from ._warn import callers_line


class State:
    """One node of a stack: what one entering of one scope adds, over what is below it.

    Attributes
    ----------
    owner : object
        What was entered.
    own : tuple
        What it adds: a selection, a policy and an observer, each of which may be None.
    token : Token or None
        The mark of the context that it was put in force in.
    selection : Selection or None
        The innermost one; None if only the policy or observers were set so far, so that
        the process-wide choice goes on deciding.
    on_missing : str or None
        The innermost policy; None if `Process.on_missing` decides.
    observers : tuple of Observer
        Every one who is to see calls made here.
    direct : Selection or None
        `selection`, unless somebody observes; the call path looks plans up by this.
    on_host : bool
        Whether calls simply run on the host here, seen by nobody.
    place : str or None
        The file and line where a selection was put in force, if somebody observes.
    """

    __slots__ = (
        "__weakref__",
        "below",
        "direct",
        "observers",
        "on_host",
        "on_missing",
        "own",
        "owner",
        "place",
        "selection",
        "token",
    )

    def __init__(self, live: "Live", owner: object, own: "Own", below: "State | None") -> None:
        selection, on_missing, observer = own
        observers: tuple[Observer, ...]
        if below is None:
            observers = live.observers
        else:
            selection = selection or below.selection
            on_missing = on_missing or below.on_missing
            observers = below.observers
        if observer is not None and observer not in observers:
            observers = (*observers, observer)
        self.owner: object = owner
        self.own: Own = own
        self.below: State | None = below
        self.token: Token[Any] | None = None
        self.selection: Selection | None = selection
        self.on_missing: str | None = on_missing
        self.observers: tuple[Observer, ...] = observers
        self.direct = None if observers else selection
        self.place: str | None = callers_line() if observers and own[0] is not None else None
        self.on_host: bool = self.direct is not None and self.direct.is_host
        live[weakref.ref(self, live.pop)] = None

    def be_seen_by(self, observers: "tuple[Observer, ...]") -> None:
        """Replace those who see calls made here."""
        self.observers = observers
        self.direct = None if observers else self.selection
        self.on_host = self.direct is not None and self.direct.is_host

    def made_here(self) -> bool:
        """Whether the current context is the one that this was put in force in.

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


Own = tuple[Selection | None, str | None, Observer | None]


class Live(dict[Any, None]):
    """Every state that exists: weak references, each of which removes itself.

    While there is none, nothing can be in force anywhere, in no thread and in no copy of a
    context, and calls need look no further.

    Attributes
    ----------
    observers : tuple
        Those that look on everywhere.
    """

    __slots__ = ("observers",)

    def __init__(self) -> None:
        self.observers: tuple[Observer, ...] = ()


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
    live : Live
        Every state of this host that exists.
    cell : cell
        What call paths have for `live`.
    """

    __slots__ = (
        "_asleep",
        "_lock",
        "_waking",
        "cell",
        "live",
        "on_missing",
        "setting",
        "state",
        "variable",
    )

    def __init__(self, variable: Selection | None, on_missing: str) -> None:
        self._lock = new_lock()  # for writers; readers take what is there
        self._waking = new_lock(reentrant=True)  # a signal handler, or a finalizer
        self._asleep: dict[Any, CodeType] | None = {}
        self.cell: CellType = CellType(Live())
        self.variable = variable
        self.on_missing: str = on_missing
        self.assign(None)

    # While nobody ever chose a backend there is nothing for a call to look at. So call paths
    # begin with code that looks at nothing, and get their own when somebody chooses.

    def enrol(self, call: Any, code: CodeType) -> None:
        """Give `call` its own code as soon as somebody chooses, which may have been before."""
        asleep = self._asleep
        if asleep is not None:
            reference = weakref.ref(call, asleep.pop)
            with self._waking:
                asleep[reference] = code
        if self._asleep is None:  # or has been meanwhile, even by what interrupted this
            call.__code__ = code

    def wake(self) -> None:
        """Give every call path its own code, before anything is in force."""
        with self._waking:
            # A copy, made in one go: references that end remove themselves.
            for reference, code in (self._asleep or {}).copy().items():
                call = reference()
                if call is not None:
                    call.__code__ = code
            self._asleep = None

    def __getattr__(self, name: str) -> Any:
        """Wake everybody when the first state is about to be made."""
        if name != "live":
            raise AttributeError(name)
        self.wake()
        self.live: Live = self.cell.cell_contents
        return self.live

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

    def observe(self, observer: Observer) -> None:
        """Let `observer` see the calls of every thread."""
        with self._lock:
            self.live.observers += (observer,)
            for state in self._states():
                if observer not in state.observers:
                    state.be_seen_by((*state.observers, observer))
            self._publish()

    def unobserve(self, observer: Observer) -> None:
        """Undo one `observe`."""
        with self._lock:
            left = list(self.live.observers)
            left.remove(observer)
            self.live.observers = tuple(left)
            for state in self._states() if observer not in left else ():
                state.be_seen_by(tuple(seer for seer in state.observers if seer is not observer))
            self._publish()

    def _states(self) -> "Iterator[State]":
        # A copy, made in one go: references that end remove themselves.
        for reference in list(self.live):
            state = reference()
            if state is not None:
                yield state

    def _publish(self) -> None:
        selection = self.selection
        unseen = not self.cell.cell_contents.observers
        idle = unseen and (selection is None or selection.is_host)
        own = (selection, None, None)
        self.state: State | None = None if idle else State(self.live, None, own, None)


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

    def place(self) -> str | None:
        """Where the innermost scope was entered that chose, if that was traced."""
        chose = (node for node in nodes(self.top.get()) if node.own[0] is not None)
        return next((node.place for node in chose), None)

    def on_missing(self) -> str:
        """What happens here when the chosen backend lacks a function."""
        state = self.top.get()
        return (state and state.on_missing) or self.process.on_missing

    def push(self, owner: object, own: Own) -> None:
        """Put in force what `owner` adds in this context."""
        state = State(self.process.live, owner, own, self.top.get())
        try:
            state.token = self.top.set(state)
        except BaseException:
            self.forget(state)
            raise

    def forget(self, state: State) -> None:
        """Take `state` off again, if an interrupt came when it had just been put in force."""
        if self.top.get() is state:
            self.top.set(state.below)

    def leave(self, owner: object) -> None:
        """Take out the innermost entry that `owner` made in this context, if there is one."""
        top = node = self.top.get()
        while node is not None:
            if node.owner is owner:
                try:
                    # In order, as nearly always, the token itself puts back what is below.
                    in_order = node is top and self.put_by(node)
                    if node.made_here():
                        if not in_order:
                            self._put(top, without=node)
                        node.token = None  # which keeps what was below, and so on
                        return
                except BaseException:
                    self.take_off(node)
                    raise
            node = node.below

    def take_off(self, state: State) -> None:
        """After an interrupt, take `state` out if it was put in force here and is there still."""
        top = self.top.get()
        if state.token is None or not any(node is state for node in nodes(top)):
            return
        try:
            state.token.var.reset(state.token)
        except ValueError:
            return  # of another context
        except RuntimeError:
            pass  # used by what the interrupt stopped
        self._put(top, without=state)

    def _put(self, top: State | None, without: State) -> None:
        above = []
        for node in nodes(top):
            if node is without:
                break
            above.append(node)
        rebuilt = without.below
        for node in reversed(above):
            rebuilt = self.over(rebuilt, node)
        self.top.set(rebuilt)

    def over(self, below: State | None, node: State) -> State:
        """What `node` adds, over something else, as if it had been put in force there."""
        state = State(self.process.live, node.owner, node.own, below)
        state.token, state.place = node.token, node.place
        return state

    def put_by(self, state: State) -> bool:
        """Whether resetting to the token of `state` leaves just what is below that."""
        return self.restores(state.token, state.below)

    def restores(self, token: Token[Any] | None, below: State | None) -> bool:
        """Whether resetting to `token` leaves just what is `below`."""
        if token is None or token.var is not self.top:
            return False
        return token.old_value is below or (below is None and token.old_value is Token.MISSING)

    def mark(self) -> Token[None]:
        """The mark of this context, for what is put in force in another way than by `push`."""
        return self._mark.set(None)


def nodes(top: State | None) -> Iterator[State]:
    while top is not None:
        yield top
        top = top.below
