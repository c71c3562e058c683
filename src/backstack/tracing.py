"""Seeing what ran where: a record for each dispatched call made inside a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

from ._call_records import CallRecord
from ._observers import Observer
from ._stack import Stack
from .reports import RecordTable, Tabular


class CallSummary(NamedTuple):
    """What the calls of one function on one backend came to.

    Attributes
    ----------
    function : str
        The host's function.
    ran_on : str or None
        The backend, ``"cpu"`` for the host's own; None for calls of which nothing ran.
    calls : int
        How many.
    seconds : float
        How long in all, without those that have not ended.
    fallbacks : int
        How many of them ran on the host though nobody had chosen it.
    raised : int
        How many raised.
    """

    function: str
    ran_on: str | None
    calls: int
    seconds: float
    fallbacks: int
    raised: int

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON.

        Returns
        -------
        dict
            One item per attribute.
        """
        return self._asdict()


class TraceSummary(RecordTable[CallSummary]):
    """What the calls in a trace came to, by function and backend; prints as a table."""

    __slots__ = ()

    columns: tuple[str, ...] = ("function", "ran_on", "calls", "seconds", "fallbacks", "raised")
    nothing: str = "No calls."


class Calls(Tabular, Sequence[CallRecord]):
    """The calls that a trace saw, in the order in which they began; grows while it is active."""

    columns: tuple[str, ...] = (
        "function",
        "chosen",
        "chosen_by",
        "where",
        "ran_on",
        "seconds",
        "raised",
        "dropped",
        "reason",
    )
    nothing: str = "No calls."
    longest: int | None = 60

    def __init__(self) -> None:
        self._records: list[CallRecord] = []

    @overload
    def __getitem__(self, index: int) -> CallRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[CallRecord]: ...
    def __getitem__(self, index: Any) -> Any:
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[CallRecord]:
        return iter(list(self._records))

    def summary(self) -> TraceSummary:
        """The calls so far, counted by function and by the backend that ran them.

        Returns
        -------
        TraceSummary
            A `CallSummary` for each function and backend, sorted.

        Examples
        --------
        >>> from backstack import BackendDispatcher
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_dispatch
        ... def double(x):
        ...     return x + x
        >>> with dispatcher.trace() as calls:
        ...     _ = double(2), double(3)
        >>> calls.summary()  # doctest: +ELLIPSIS
        function  ran_on  calls  seconds   fallbacks  raised
        --------  ------  -----  --------  ---------  ------
        double    cpu     2      0.0...  0          0
        """
        groups: dict[tuple[str, str | None], list[CallRecord]] = {}
        for record in self:
            groups.setdefault((record.function, record.ran_on), []).append(record)
        return TraceSummary(
            CallSummary(
                function=function,
                ran_on=ran_on,
                calls=len(records),
                seconds=sum(record.seconds or 0.0 for record in records),
                fallbacks=sum(record.fell_back for record in records),
                raised=sum(record.raised for record in records),
            )
            for (function, ran_on), records in sorted(
                groups.items(), key=lambda item: (item[0][0], item[0][1] or "")
            )
        )


class Trace(Observer):
    """A context manager that records every dispatched call made inside it.

    Traces nest, and each sees every call made inside it, in worker threads too where the
    context is carried there; one that looks everywhere sees those of all threads. Where no
    trace is active, tracing costs nothing.
    """

    def __init__(self, stack: Stack, everywhere: bool) -> None:
        self._stack = stack
        self._everywhere = everywhere
        self._active = 0
        self._calls = Calls()

    def __repr__(self) -> str:
        count = len(self._calls)
        return f"<trace of {count} call{'' if count == 1 else 's'}: use with ... as calls>"

    def begin(self, record: CallRecord) -> None:
        """Keep the record of a call that begins."""
        self._calls._records.append(record)

    def __enter__(self) -> Calls:
        if self._everywhere:
            self._active += 1
            self._stack.process.observe(self)
        else:
            self._stack.push(self, (None, None, self))
        return self._calls

    def __exit__(self, *exc_info: object) -> None:
        if self._everywhere:
            if self._active:
                self._active -= 1
                self._stack.process.unobserve(self)
        else:
            self._stack.leave(self)
