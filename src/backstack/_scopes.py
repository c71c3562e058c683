"""The scope that a user enters, and what a decorated generator runs its steps in."""

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import Token
from operator import methodcaller
from types import TracebackType
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from ._bodies import kind_of, wrap
from ._choices import Selection
from ._stack import Own, Stack, State, nodes

__tracebackhide__ = True  # pytest shows whose call it was

F = TypeVar("F", bound=Callable[..., Any])

#: The scope that a function was decorated with.
decorated: WeakKeyDictionary[Any, "Scope"] = WeakKeyDictionary()


class Activation:
    """One run of a decorated body, which may be set aside between its steps.

    Entering puts the body's entries, its own inner scopes included, over whatever is in
    force where it is resumed; leaving takes them away again, so that the code that
    iterates it sees only its own.

    On Python 3.11 an abandoned generator may be closed by a garbage collection that began
    inside `ContextVar.set`, which that version does not survive in every case; later ones
    collect between instructions only. Nothing here can tell, so close what you abandon.
    """

    def __init__(self, stack: Stack, owner: object, own: Own) -> None:
        self._stack = stack
        # The outermost first. The bottom is its own, since the body may well leave the scope
        # that it was decorated with.
        self._entries: list[tuple[object, Own, str | None]] = [
            (self, (None, None, None), None),
            (owner, own, None),
        ]
        self._bottom: State | None = None
        self._token: Token[State | None] | None = None

    def __enter__(self) -> None:
        stack = self._stack
        live = stack.process.live
        top = stack.state
        states = []
        for owner, own, place in self._entries:
            top = State(live, owner, own, top)
            top.place = place or top.place
            states.append(top)
        for state in states:
            state.token = stack.mark()
        self._bottom = states[0]
        try:
            self._token = stack.top.set(top)
        except BaseException:
            if stack.state is top:
                stack.top.set(states[0].below)
            raise

    def __exit__(self, *exc_info: object) -> None:
        stack, bottom = self._stack, self._bottom
        if bottom is None or not bottom.made_here():
            return  # closed halfway, in a context where none of this was put in force
        inside = []
        for node in nodes(stack.state):
            inside.append(node)
            if node.owner is self:
                self._restore(node.below)
                break
        for node in inside:
            node.token = None  # no longer in force here
        self._entries = [(node.owner, node.own, node.place) for node in reversed(inside)]
        self._bottom = None

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

    __slots__ = ("_host", "_key", "_known", "_labels", "_on_missing", "_select", "_stack")

    def __init__(
        self,
        stack: Stack,
        select: Callable[[tuple[Any, ...]], Selection],
        known: Mapping[tuple[Any, ...], Selection],
        labels: tuple[Any, ...],
        on_missing: str | None,
        host: str,
    ) -> None:
        self._stack = stack
        self._select = select
        # What `select` came to before, while that holds.
        self._known = known
        self._key = labels if all(type(label) is str for label in labels) else ()
        self._labels = labels
        self._on_missing = on_missing
        self._host = host

    def _own(self) -> Own:
        # Without names, only the policy changes; with neither, that is for `select` to refuse.
        changes_policy_only = not self._labels and self._on_missing is not None
        selection = None if changes_policy_only else self._select(self._labels)
        return selection, self._on_missing, None

    def __enter__(self) -> "Scope":
        stack = self._stack
        known = self._known.get(self._key)
        own = self._own() if known is None else (known, self._on_missing, None)
        # As `Stack.push`, which would be one more call.
        state = State(stack.process.live, self, own, stack.top.get())
        try:
            state.token = stack.top.set(state)
            return self
        except BaseException:  # an interrupt: nothing is in force that will not be left
            stack.forget(state)
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stack, state = self._stack, None
        try:
            state = stack.top.get()
            if state is None or state.owner is not self or not stack.put_by(state):
                stack.leave(self)
                return
            try:
                stack.top.reset(cast("Token[Any]", state.token))
            except (ValueError, RuntimeError):  # made in another context, or left already
                stack.leave(self)
        except BaseException:  # an interrupt: nothing stays in force that was to be left
            if state is None:
                stack.leave(self)
            elif state.owner is self:
                stack.take_off(state)
            raise

    def __call__(self, function: F) -> F:
        """Decorate `function`, so that its body runs in this scope."""
        if inspect.isclass(function) or not callable(function):
            raise TypeError(
                f"A backend scope decorates functions, not {function!r}; "
                "use it as a context manager, or decorate the methods."
            )
        kind = kind_of(function)
        wrapper = wrap(function, self.around(kind), kind)
        decorated[wrapper] = self
        return cast("F", functools.update_wrapper(wrapper, function))

    def around(self, kind: str) -> Callable[[], Any]:
        """What makes the context manager that a body of this kind runs its steps in."""
        if kind in ("generator", "async generator"):
            return lambda: Activation(self._stack, self, self._own())
        return lambda: self

    def __reduce__(self) -> tuple[Any, ...]:
        policy = {"on_missing": self._on_missing} if self._on_missing else {}
        # Of the standard library alone, so that what is stored can be read for ever.
        return methodcaller("backend", *self._labels, **policy), (self._stack.owner,)

    def __copy__(self) -> "Scope":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "Scope":
        return self

    def __repr__(self) -> str:
        names = ", ".join(map(repr, self._labels))
        policy = f"on_missing={self._on_missing!r}" if self._on_missing else ""
        shown = ", ".join(filter(None, (names, policy)))
        active = any(node.owner is self for node in nodes(self._stack.state))
        note = "active" if active else "not active: use with"
        return f"<backend({shown}) of {self._host} ({note})>"
