"""Running each call on the host as well, and comparing what both came to."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from operator import methodcaller
from typing import Any, Literal, NamedTuple, cast

from . import errors
from ._comparing import IncomparableError, Tolerance, can_be_compared, described, difference
from ._names import CPU, did_you_mean, shown
from ._observers import Observer
from ._records import Backend
from ._routes import NOTHING, Attempt, Route
from ._scopes import Scope
from ._stack import Own, Stack
from ._warn import warn

OnMismatch = Literal["warn", "error"]
ON_MISMATCH: tuple[OnMismatch, ...] = ("warn", "error")

#: Tolerances for the usual comparison, or what takes the host's result and the backend's. None and
#: true are fine; false, a text that says what is different, and an `AssertionError` are not.
Comparison = Callable[[Any, Any], Any] | Tolerance


class Twin(NamedTuple):
    """The arguments of a call for the host, copied before the backend could change them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    shown: str


class Verifier(Observer):
    """Compares each call that runs on a backend with the same call on the host."""

    __slots__ = ("_comparison_of", "_on_mismatch")

    def __init__(self, comparison_of: Callable[[str], Comparison], on_mismatch: str) -> None:
        self._comparison_of = comparison_of
        self._on_mismatch = on_mismatch

    def watch(
        self, route: Route, attempt: Attempt, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Attempt:
        """The attempt, followed by the same on the host, unless that is what it is."""
        if attempt.backend is None or self is not _innermost(route):
            return attempt
        check = Check(route, attempt.backend, self._comparison_of(route.name), self._on_mismatch)
        if not route.by_name or route.kind.endswith("generator"):
            what = "objects" if not route.by_name else "generators"
            remedy = f"Call it with {route.keyword}={CPU!r} as well, and compare what both do"
            check.skip(f"{what} show what they are only when they are used", remedy)
            return attempt
        run = _run_coroutine if route.kind == "coroutine" else _run
        # The clock of a trace is in `inside`, and stops before the host runs.
        function = functools.partial(run, check, attempt, args, kwargs)
        return attempt._replace(function=function, inside=NOTHING)


def _innermost(route: Route) -> Verifier | None:
    """Of scopes inside each other, the one that compares."""
    state = route.stack.state or route.stack.process.state
    verifiers = [seer for seer in state.observers if isinstance(seer, Verifier)] if state else []
    return verifiers[-1] if verifiers else None


class Unseen:
    """What the host's own runs in, so that traces see only what the user has called."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def __enter__(self) -> None:
        self._stack.push(self, (None, None, None))
        state = self._stack.state
        assert state is not None
        state.be_seen_by(())

    def __exit__(self, *exc_info: object) -> None:
        self._stack.leave(self)


def _run(
    check: Check,
    attempt: Attempt,
    given: tuple[Any, ...],
    given_by_name: dict[str, Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    twin = check.twin(given, given_by_name)
    with attempt.inside:
        result = attempt.function(*args, **kwargs)
    if twin is not None and (attempt.last or result is not NotImplemented):
        try:
            with check.route.host_in_force(), Unseen(check.route.stack):
                own = check.route.host(*twin.args, **twin.kwargs)
        except Exception as error:
            check.report_host_raised(error, twin)
        else:
            check.compare(own, result, twin, given, given_by_name)
    return result


async def _run_coroutine(
    check: Check,
    attempt: Attempt,
    given: tuple[Any, ...],
    given_by_name: dict[str, Any],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    twin = check.twin(given, given_by_name)
    result = await attempt.function(*args, **kwargs)
    if twin is not None:
        try:
            with check.route.host_in_force(), Unseen(check.route.stack):
                own = await check.route.host(*twin.args, **twin.kwargs)
        except Exception as error:
            check.report_host_raised(error, twin)
        else:
            check.compare(own, result, twin, given, given_by_name)
    return result


class Check:
    """One call that is compared."""

    def __init__(
        self, route: Route, backend: Backend, comparison: Comparison, on_mismatch: str
    ) -> None:
        self.route = route
        self._backend = backend
        self._comparison = comparison
        self._on_mismatch = on_mismatch

    def twin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Twin | None:
        """What the host is to be called with; None if that cannot be copied."""
        host = self.route.callee
        kept = {
            name: value
            for name, value in kwargs.items()
            if name in host.keywords or host.var_keyword is not None
        }
        # What a default stands for is told by which object it is.
        defaults = [p.default for p in host.named.values() if not can_be_compared(p.default)]
        try:
            memo = {id(default): default for default in defaults}
            copied_args, copied_kwargs = copy.deepcopy((args, kept), memo)
        except Exception as error:
            remedy = "Pass what copy.deepcopy() can copy"
            self.skip("its arguments cannot be copied", remedy, error)
            return None
        options = {name: value for name, value in kwargs.items() if name not in kept}
        return Twin(copied_args, copied_kwargs, self._shown(args, kept, options))

    def _shown(self, args: tuple[Any, ...], kwargs: dict[str, Any], options: dict[str, Any]) -> str:
        arguments = {**self._by_name(args, kwargs), **options}
        return ", ".join(f"{name}={described(value)}" for name, value in arguments.items())

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self.route.callee.signature.bind(*args, **kwargs).arguments)
        except TypeError:
            return {**{f"#{i}": value for i, value in enumerate(args)}, **kwargs}

    def report_host_raised(self, error: Exception, twin: Twin) -> None:
        """That the host raises where the backend does not is a difference, too."""
        self.report(f"the host's own raises {type(error).__name__}: {error}", twin)

    def compare(
        self,
        own: Any,
        result: Any,
        twin: Twin,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Compare two results; of calls that return nothing, what became of their arguments."""
        if inspect.iscoroutine(own):
            own.close()  # nobody is going to await it
        try:
            if own is None and result is None:
                found = self._difference_of_arguments(twin, args, kwargs)
            else:
                found = self._difference(own, result)
        except IncomparableError as error:
            remedy = (
                f"Give verify() a function that tells: compare={{{self.route.name!r}: function}}"
            )
            why = f"there is no telling whether {type(own).__name__} objects agree"
            self.skip(why, remedy, error)
        else:
            if found is not None:
                self.report(found, twin)

    def _difference_of_arguments(
        self, twin: Twin, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> str | None:
        ours, theirs = self._by_name(twin.args, twin.kwargs), self._by_name(args, kwargs)
        for name in ours.keys() & theirs.keys():
            # Of a state that cannot be looked into, nothing is said.
            with contextlib.suppress(IncomparableError):
                found = self._difference(ours[name], theirs[name], f"argument {name!r}")
                if found is not None:
                    return found
        return None

    def _difference(self, own: Any, result: Any, where: str = "result") -> str | None:
        if isinstance(self._comparison, Tolerance):
            try:
                return difference(own, result, self._comparison, where)
            except IncomparableError:
                raise
            except Exception as error:  # objects of strangers
                raise IncomparableError(f"{type(error).__name__}: {error}") from error
        try:
            outcome = self._comparison(own, result)
        except AssertionError as error:
            return str(error).strip() or "the comparison failed"
        if isinstance(outcome, str):
            return outcome or None
        try:
            agree = outcome is None or bool(outcome)
        except ValueError as error:
            raise TypeError(
                f"The comparison of {self.route.name}() returned {described(outcome)}, which is "
                "neither true nor false; numpy.all or any says which is meant."
            ) from error
        return None if agree else "the comparison says that they differ"

    def report(self, found: str, twin: Twin) -> None:
        """Warn of a difference, or raise it."""
        route, registry = self.route, self.route.registry
        text = (
            f"{route.name}() on backend {self._backend.shown!r} gives other results than "
            f"{registry.config.host}'s own: {found}. Called with {twin.shown or 'no arguments'}."
        )
        if self._on_mismatch == "warn":
            warn(text, errors.BackendMismatchWarning, registry.packages)
            return
        raise errors.BackendMismatchError(
            text,
            host=registry.config.host,
            label=self._backend.shown,
            name=self._backend.name,
            function=route.name,
            difference=found,
        )

    def skip(self, why: str, remedy: str, error: Exception | None = None) -> None:
        """Say, once, that calls of this function are not compared."""
        route = self.route
        kind = f"{type(error).__name__}: " if not isinstance(error, IncomparableError) else ""
        detail = "" if error is None else f": {kind}{error}"
        self._backend.once.warn(
            ("not verified", route.name, why, type(error)),
            f"{route.name}() on backend {self._backend.shown!r} is not compared with "
            f"{route.registry.config.host}'s own: {why}{detail}. {remedy}.",
            errors.NotVerifiedWarning,
            route.registry.packages,
        )


class VerifyingScope(Scope):
    """A scope in which each call runs on the host too, and the results are compared."""

    __slots__ = ("_options", "_verifier")

    def __init__(self, verifier: Verifier, options: Mapping[str, Any], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._verifier = verifier
        self._options = options
        self._known = {}  # what an ordinary scope of these names would add is not enough

    def _own(self) -> Own:
        selection = self._select(self._labels) if self._labels else None
        return selection, self._on_missing, self._verifier

    def __reduce__(self) -> tuple[Any, ...]:
        return methodcaller("verify", *self._labels, **self._options), (self._stack.owner,)

    def __repr__(self) -> str:
        own = {"compare": None, "on_mismatch": "warn"}  # and what they are if nobody says
        said = [
            f"{k}={self._options[k]!r}" for k, usual in own.items() if self._options[k] != usual
        ]
        what, _, state = super().__repr__().removeprefix("<backend(").partition(") of ")
        return f"<verify({', '.join(filter(None, (what, *said)))}) of {state}"


_TOLERANCES = frozenset({"rtol", "atol"})

#: What may say how results are compared; see `BackendDispatcher.verify`.
Compare = Callable[[Any, Any], Any] | Mapping[str, Any] | None


def comparisons(
    compare: Compare, of_host: Mapping[str, Comparison], known: Collection[str]
) -> Callable[[str], Comparison]:
    """How the results of each function are compared: as given, else as the host has it."""
    usual = comparison(None)
    if compare is None or (isinstance(compare, Mapping) and not compare):
        return lambda name: of_host.get(name, usual)
    if isinstance(compare, Mapping) and _TOLERANCES.isdisjoint(compare):
        for name in compare:
            if not isinstance(name, str):
                raise ValueError(f"{shown(name)} is no name of a function")
            if name not in known:
                meant = did_you_mean(name, {*known, *_TOLERANCES})
                raise ValueError(f"no function {name!r} is dispatched.{meant}")
        own = {name: comparison(value) for name, value in compare.items()}
        return lambda name: own.get(name) or of_host.get(name, usual)
    for_all = comparison(compare)
    return lambda _: for_all


def comparison(compare: Any, rtol: float | None = None, atol: float | None = None) -> Comparison:
    """A comparison, from one that somebody has written or from tolerances."""
    if compare is None:
        return Tolerance(_size(rtol, "rtol"), _size(atol, "atol"))
    if rtol is not None or atol is not None:
        raise ValueError("give a comparison or tolerances, and not both")
    if isinstance(compare, Mapping):
        unknown = set(compare) - _TOLERANCES
        if unknown:
            raise ValueError(f"a tolerance has rtol and atol, not {min(map(shown, unknown))}")
        return comparison(None, compare.get("rtol"), compare.get("atol"))
    if not callable(compare):
        raise TypeError(
            f"{shown(compare)} cannot compare anything: it is not callable, and no tolerances "
            "as {'rtol': 1e-3} are"
        )
    return cast("Callable[[Any, Any], Any]", compare)


def _size(value: Any, name: str) -> float | None:
    if value is None:
        return None
    try:
        size = float(value)
    except (TypeError, ValueError):
        size = -1.0
    if not 0 <= size < float("inf"):
        raise ValueError(f"{name} must be a number of 0 or more, not {shown(value)}")
    return size
