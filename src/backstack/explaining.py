"""What a call would do: the call's own way through the code, up to running it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from types import FunctionType, MethodType
from typing import Any, NamedTuple

from . import errors
from ._call_records import CallRecord, chosen_by
from ._choices import Kind
from ._names import CPU
from ._records import Backend
from ._routes import Route
from ._scopes import Scope, decorated
from ._warn import collected
from .binding import Bound
from .reports import render_facts, render_facts_html

_MOST_WRAPPERS = 1_000  # some objects have a `__wrapped__` that has one, and so on for ever

#: What a call may raise before anything of it runs, which is then what is told of it.
_REFUSALS = (errors.BackendError, errors.BackstackWarning, TypeError)


class Explanation(NamedTuple):
    """Where a call would run, who decided that, and what would happen to it on the way.

    Attributes
    ----------
    function : str
        The host's function.
    chosen : str or tuple of str
        What is in force: a canonical name, or several in order of preference.
    chosen_by : str
        ``"call"``, ``"scope"``, ``"setting"``, ``"variable"`` or ``"default"``.
    where : str or None
        The file and line where the scope was entered, if that was inside a trace; the name of
        the environment variable.
    runs_on : str or None
        The backend that would run it, ``"cpu"`` for the host's own; None if nothing would.
    provider : str or None
        What that backend comes from; None for the host's own.
    reason : str or None
        Why it would run elsewhere than on the first choice.
    dropped : tuple of str
        The arguments that would be left out.
    warnings : tuple of str
        The warnings that the call would give.
    error : Exception or None
        What the call would raise instead of running anything.
    keyword : str
        The parameter by which a call of this function chooses.
    """

    function: str
    chosen: str | tuple[str, ...]
    chosen_by: Kind
    where: str | None
    runs_on: str | None
    provider: str | None
    reason: str | None
    dropped: tuple[str, ...]
    warnings: tuple[str, ...]
    error: Exception | None
    keyword: str

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON.

        Returns
        -------
        dict
            One item per attribute; the error as its class and its text.
        """
        return {**self._asdict(), "error": self.error and _told(self.error)}

    @property
    def _headline(self) -> str:
        if self.error is not None:
            return f"{self.function}() would raise {type(self.error).__name__}."
        own = ", the host's own implementation" if self.runs_on == CPU else ""
        return f"{self.function}() would run on {self.runs_on!r}{own}."

    def _facts(self) -> list[tuple[str, str]]:
        names = (self.chosen,) if isinstance(self.chosen, str) else self.chosen
        by = chosen_by(self.chosen_by, self.where, self.keyword)
        facts = [("chosen", f"{', then '.join(map(repr, names))}, by {by}")]
        facts += [("from", self.provider)] if self.provider else []
        facts += [("because", self.reason)] if self.reason else []
        facts += [("dropped", ", ".join(map(repr, self.dropped)))] if self.dropped else []
        facts += [("warning", text) for text in self.warnings]
        facts += [("error", _told(self.error))] if self.error is not None else []
        return facts

    def __repr__(self) -> str:
        return render_facts(self._headline, self._facts())

    def _repr_html_(self) -> str:
        return render_facts_html(self._headline, self._facts())


class Call(NamedTuple):
    """A call that is to be explained: of what, with what, and in which scopes of its own."""

    route: Route
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    scopes: tuple[Callable[[], Scope], ...] = ()


def find_call(
    function: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    route_of: Callable[[Any], Route | None],
) -> Call | None:
    """The dispatched function behind whatever wraps it; None if there is none."""
    scopes: list[Callable[[], Scope]] = []
    for _ in range(_MOST_WRAPPERS):
        route = route_of(function)
        if route is not None:
            return Call(route, args, kwargs, tuple(scopes))
        if isinstance(function, functools.partial):
            args, kwargs = (*function.args, *args), {**function.keywords, **kwargs}
            function = function.func
        elif isinstance(function, MethodType):
            args, function = (function.__self__, *args), function.__func__
        elif isinstance(function, Bound):
            scopes.append(function._choice.scope)
            function = function._found()
        else:
            if isinstance(function, FunctionType) and function in decorated:
                scopes.append(functools.partial(decorated.__getitem__, function))
            function = getattr(function, "__wrapped__", None)
    return None


def explain(call: Call) -> Explanation:
    """What a call would do here."""
    route, args, kwargs, scopes = call
    label = kwargs.pop(route.keyword, None)
    record = CallRecord(route.name)
    backend: Backend | None = None
    error: Exception | None = None
    with collected() as warnings, ExitStack() as stack:
        try:
            for scope in scopes:
                stack.enter_context(scope())
            backend = route.explain(label, args, kwargs, record)
        except _REFUSALS as refusal:
            error = refusal.with_traceback(None)
    if warnings:
        route.registry.forget_choices()  # or the call would not look again, and not warn
    return Explanation(
        function=record.function,
        chosen=record.chosen,
        chosen_by=record.chosen_by,
        where=record.where,
        runs_on=record.ran_on if error is None else None,
        provider=None if backend is None else backend.shown_provider,
        reason=record.reason,
        dropped=record.dropped,
        warnings=tuple(warnings),
        error=error,
        keyword=route.keyword,
    )


def _told(error: Exception) -> str:
    notes = getattr(error, "__notes__", ())
    return "\n".join([f"{type(error).__name__}: {error}", *notes])
