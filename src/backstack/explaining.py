"""What a call would do: the call's own way through the code, up to running it."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import errors
from ._call_records import CallRecord, chosen_by
from ._choices import Kind
from ._names import CPU
from ._records import Backend
from ._routes import Route
from ._warn import collected
from .reports import render_facts, render_facts_html

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


def explain(route: Route, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Explanation:
    """What a call with these arguments would do here."""
    label = kwargs.pop(route.keyword, None)
    record = CallRecord(route.name)
    backend: Backend | None = None
    error: Exception | None = None
    with collected() as warnings:
        try:
            backend = route.explain(label, args, kwargs, record)
        except _REFUSALS as refusal:
            error = refusal.with_traceback(None)
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
