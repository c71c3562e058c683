"""Where the calls of one host function go, beyond the call path's quick cases."""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _messages as messages
from . import errors
from ._bodies import Kind, kind_of, nested, wrapped
from ._call_records import CallRecord
from ._choices import Selection
from ._clocks import Clock
from ._importlib_bootstrap_alike import Around
from ._names import CPU, did_you_mean, shown
from ._plans import HostFunction
from ._records import Backend
from ._recursion import Recursion, explain_recursion
from ._scopes import Scope
from ._selecting import Selector
from ._stack import Stack
from ._warn import warn

if TYPE_CHECKING:
    from ._routing import Plan

__tracebackhide__ = True  # pytest shows whose call it was


#: Nothing to run inside of.
NOTHING: AbstractContextManager[Any] = nullcontext()


class Attempt(NamedTuple):
    """One thing to call, inside something; unless it is the last, it may decline.

    It declines by returning `NotImplemented`. The call path itself enters `inside`, so that
    no further frame comes between a caller and a plain function.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    backend: Backend | None
    last: bool
    inside: AbstractContextManager[Any] = NOTHING


class Route(HostFunction):
    """Where the calls of one host function go.

    Attributes
    ----------
    by_name : bool
        Whether arguments reach backends by the names that the host gives them.
    """

    by_name = True

    def __init__(
        self, host: Callable[..., Any], name: str, keyword: str, selector: Selector, stack: Stack
    ) -> None:
        super().__init__(host, name, keyword, selector.registry)
        self.selector = selector
        self.stack = stack
        # A weak reference to what stands in the host's place, once there is something.
        self.public: Callable[[], Any] = lambda: None

    # -- the general path --------------------------------------------------------------

    def attempts(
        self, label: object, args: tuple[Any, ...], kwargs: dict[str, Any], declined: Any
    ) -> Iterator[Attempt]:
        """What to call, in order, until one does not decline; warns of what is given up."""
        state = self.stack.state or self.stack.process.state
        observers = state.observers if state is not None else ()
        if not observers:
            for attempt, around in self._attempts(label, args, kwargs, declined, None):
                yield self._within(attempt, *around)
            return
        record = CallRecord(self.name)
        for observer in observers:
            observer.begin(record)
        try:
            for attempt, around in self._attempts(label, args, kwargs, declined, record):
                record.ran_on = CPU if attempt.backend is None else attempt.backend.shown
                watched = self._within(attempt, self._clock(record, attempt), *around)
                for observer in observers:
                    watched = observer.watch(self, watched, args, kwargs)
                yield watched
        except GeneratorExit:
            raise
        except BaseException:
            record.raised, record.ran_on = True, None
            raise

    def _within(self, attempt: Attempt, *around: Around) -> Attempt:
        """`attempt` with its body run in what each of `around` makes, the first outermost."""
        if not around:
            return attempt
        if self._kind(attempt) == "function":
            return attempt._replace(inside=nested(around))
        return attempt._replace(function=wrapped(attempt.function, *around))

    def _kind(self, attempt: Attempt) -> Kind:
        return self.kind if attempt.backend is None else kind_of(attempt.function)

    def _clock(self, record: CallRecord, attempt: Attempt) -> Around:
        in_steps = self._kind(attempt).endswith("generator")
        return lambda: Clock(record, in_steps)

    def _attempts(
        self,
        label: object,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        declined: Any,
        record: CallRecord | None,
    ) -> Iterator[tuple[Attempt, tuple[Around, ...]]]:
        """The attempts, each with what its body runs in, the outermost first."""
        if record is not None:
            self._note_choice(record, label)
        if label is None:
            selection = self.selector.in_force(self.stack)
        else:
            selection = self.selector.for_call(label, self.keyword)
        if selection is None:
            yield self._on_host(args, kwargs, record), ()
            return
        if record is not None:
            record.choose(selection, self.stack.place())
        given_up: list[tuple[Backend, str]] = []
        reasons = list(selection.skipped)
        for plan in self._plans(selection, given_up, reasons):
            if record is not None:
                record.reason = "; ".join(reasons) or None
            if plan is None:
                # Asked for by the call, the host is whole: what it calls stays there too.
                around = () if label is None else (self.host_in_force,)
                yield self._on_host(args, kwargs, record), around
                return
            if plan is not declined:
                values, keywords, dropped = plan.route(args, kwargs)
                if record is not None:
                    record.dropped = tuple(dropped)
                self._warn_of_dropped(dropped, plan)
                attempt = Attempt(plan.implementation, values, keywords, plan.backend, plan.last)
                yield attempt, self._around(plan)
            given_up.append((plan.backend, "declined this call of"))
            reasons.append(self._reason(*given_up[-1]))
        if record is not None:
            record.reason = "; ".join(reasons)
        self._give_up(*given_up[0], selection, reasons)
        yield self._on_host(args, kwargs, record), ()

    def _note_choice(self, record: CallRecord, label: object) -> None:
        """What was asked for, before anybody looks what that is."""
        selection = self.stack.selection()
        if label is not None:
            record.chosen, record.chosen_by = (
                label if isinstance(label, str) else shown(label),
                "call",
            )
        elif selection is not None:
            record.choose(selection, self.stack.place())

    def _reason(self, backend: Backend, how: str) -> str:
        return f"{backend.shown!r} {how} {self.name}()"

    def plan(self, backend: Backend, selection: Selection) -> "Plan | None":
        """How calls reach `backend`; what decorators above ours copied learns of it too."""
        known = backend in self.plans
        plan = super().plan(backend, selection)
        if not known and plan is not None:
            plan.function = wrapped(plan.implementation, *self._around(plan))
            self.merge_copies()
        return plan

    def _around(self, plan: "Plan") -> tuple[Around, ...]:
        """What the bodies of an implementation run in that begin when the call has returned."""
        return () if self.kind == "function" else (lambda: Recursion(self, plan.backend),)

    def _plans(
        self, selection: Selection, given_up: list[tuple[Backend, str]], reasons: list[str]
    ) -> "Iterator[Plan | None]":
        """The plan of each chosen backend that implements this; None where the host is chosen.

        Says in `given_up` who lacks it, and in `reasons` why any was passed over.
        """
        failures: list[errors.BackendLoadError] = []
        cleanly = True
        assert selection.backends is not None
        for index, backend in enumerate(selection.backends):
            if backend is None:
                self._skip(failures)
                yield None
                continue
            reason = self.selector.reach(backend, selection) if index else None
            if reason is not None:
                reasons.append(reason)
                cleanly = False  # asked again the next time
                continue
            try:
                plan = self.plan(backend, selection)
            except errors.BackendLoadError as error:
                failures.append(error)
                reasons.append(messages.in_short(error))
                cleanly = False
                continue
            if plan is None:
                given_up.append((backend, "does not implement"))
                reasons.append(self._reason(*given_up[-1]))
                continue
            if cleanly:
                self.plans.setdefault(selection, plan)
                cleanly = False  # the first one counts
            self._skip(failures)
            yield plan
        if failures:  # never a silent fall-back
            raise failures[0]

    def _skip(self, failures: list[errors.BackendLoadError]) -> None:
        """Now that there is another preference, say what was passed over for it."""
        while failures:
            self.selector.skip(failures.pop(0))

    def _give_up(
        self, backend: Backend, how: str, selection: Selection, reasons: list[str]
    ) -> None:
        """No chosen backend runs it: raise, warn or say nothing, as the policy in force has it."""
        registry = self.registry
        told = (backend, how, selection.label_of(backend), selection.origin)
        policy = self.stack.on_missing()
        if policy == "error":
            error = messages.not_implemented(registry.config, self.name, self.keyword, *told)
            for reason in reasons:
                if reason != self._reason(backend, how):
                    error.add_note(f"Of the other preferences, {reason}.")
            raise error
        text = messages.fell_back(registry.config, self.name, *told)
        if backend.once.take(("logged", self.name)):
            registry.log.info("%s", text)
        if policy == "warn":
            backend.once.warn(
                ("fell back", self.name),
                text + messages.REMEDY,
                errors.FallbackWarning,
                registry.packages,
            )

    def _warn_of_dropped(self, dropped: list[str], plan: "Plan") -> None:
        if dropped:
            names = ", ".join(map(repr, dropped))
            warn(
                f"Backend {plan.backend.shown!r} does not know {names} of {self.name}(); "
                f"{'it is' if len(dropped) == 1 else 'they are'} left out."
                f"{plan.about_dropped(dropped)}",
                errors.DroppedArgumentWarning,
                self.registry.packages,
            )

    # -- on the host -------------------------------------------------------------------

    def _on_host(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], record: CallRecord | None
    ) -> Attempt:
        if record is not None:
            record.dropped = ()  # what a backend that declined would have dropped
        if self.kind != "function":
            kwargs = self._accepted(args, kwargs)
        return Attempt(self.host, args, kwargs, None, last=True)

    def _accepted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """`kwargs` as the host takes them; wrong ones are an error now, not at the first step."""
        signature = inspect.signature(self.host)
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            kept = self.without_options(kwargs)
            if kept is None:
                raise self._refusal(error, kwargs, signature) from None
            try:
                signature.bind(*args, **kept)
            except TypeError as other:
                raise self._refusal(other, kept, signature) from None
            return kept
        return kwargs

    def _refusal(
        self, error: TypeError, kwargs: dict[str, Any], signature: inspect.Signature
    ) -> TypeError:
        """What `inspect` says, of this function, and with the nearest keyword that there is."""
        from ._routing import Callee

        known = {*Callee(signature).keywords, self.keyword}
        strange = [name for name in kwargs if name not in {*known, *signature.parameters}]
        told = bool(strange) and repr(strange[0]) in str(error)
        hint = did_you_mean(strange[0], known) if told else ""
        return TypeError(f"{self.name}() {error}{hint and '.'}{hint}")

    def _has_begun(self) -> bool:
        """Whether the error that is being handled came out of the host's own body."""
        code = getattr(inspect.unwrap(self.host), "__code__", None)
        error = sys.exception()
        traceback = error.__traceback__ if error is not None else None
        while traceback is not None:
            if traceback.tb_frame.f_code is code:
                return True
            traceback = traceback.tb_next
        return False

    def after_error(self, attempt: Attempt, own: FrameType) -> dict[str, Any] | None:
        """What to call the same once more with, if that is the remedy; None if there is none."""
        if isinstance(sys.exception(), RecursionError):
            self.explain_recursion(attempt.backend, own)
            return None
        return self.without_options(attempt.kwargs) if attempt.backend is None else None

    def explain(
        self, label: object, args: tuple[Any, ...], kwargs: dict[str, Any], record: CallRecord
    ) -> Backend | None:
        """Note in `record` where a call would run, up to running it; raises as that would."""
        attempt, _ = next(self._attempts(label, args, kwargs, None, record))
        if attempt.backend is None:
            kept = self._accepted(args, kwargs)
            record.dropped = tuple(name for name in kwargs if name not in kept)
        record.ran_on = CPU if attempt.backend is None else attempt.backend.shown
        return attempt.backend

    def reshape(self) -> None:
        """The host's function is another one from now on, perhaps of another kind."""
        self.__dict__.pop("kind", None)
        self.__dict__.pop("host_in_force", None)
        super().reshape()

    @functools.cached_property
    def kind(self) -> Kind:
        """Which kind of function the host's is."""
        return kind_of(self.host)

    @functools.cached_property
    def host_in_force(self) -> Around:
        """What puts "cpu" in force around the host's body, so that its inner calls stay too."""
        selector, host = self.selector, self.registry.config.host
        scope = Scope(self.stack, selector.for_scope, selector.scopes, (CPU,), None, host)
        return scope.around(self.kind)

    def without_options(self, kwargs: dict[str, Any]) -> dict[str, Any] | None:
        """`kwargs` for the host: the options of other backends left out where that is harmless.

        None where nothing is to be left out; a `TypeError` that says whose option it is
        where it asks for something.
        """
        if not kwargs or self._has_begun():
            return None
        from ._options import without_options

        return without_options(self, kwargs)

    def whose_option(self, name: str) -> str:
        """A sentence that says which installed backend has an option, or nothing."""
        from ._options import whose_option

        return whose_option(self, name)

    def explain_recursion(self, backend: Backend | None, own: FrameType) -> None:
        """Say so if the error that is being handled is of one that calls itself by way of us."""
        error = sys.exception()
        assert isinstance(error, RecursionError)
        explain_recursion(error, self, backend, own, "on")

    # -- what others have copied -------------------------------------------------------

    def merge_copies(self, read: bool = False) -> None:
        """Bring the docstrings up to date that decorators above ours have copied.

        Only with `read` are implementations read for it that were not read yet.
        """
        copies = self._copies()
        if copies:
            from ._copies import update
            from ._options import loaded_options

            if read:
                loaded_options(self)

            update(self, copies)

    def _copies(self) -> list[Any]:
        """What is public under the host function's name, down to our proxy if it is there."""
        module = sys.modules.get(getattr(self.host, "__module__", None) or "")
        # Not by getattr, which could run a module's __getattr__.
        public = vars(module).get(getattr(self.host, "__qualname__", "")) if module else None
        copies: list[Any] = []
        proxy = self.public()
        while public is not proxy:
            if public is None or public in copies:
                return []
            copies.append(public)
            public = getattr(public, "__wrapped__", None)
        return copies
