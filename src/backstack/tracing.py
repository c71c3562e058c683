"""Seeing what ran where: a record for each dispatched call made inside a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from ._records import CallRecord
from ._stack import Stack
from .reports import render_text

_COLUMNS = ("function", "chosen", "chosen_by", "ran_on", "seconds", "raised", "reason")


class Calls(Sequence[CallRecord]):
    """The calls that a trace saw, in the order in which they began; grows while it is active."""

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

    def __repr__(self) -> str:
        return render_text(_COLUMNS, [[getattr(r, c) for c in _COLUMNS] for r in self])


class Trace:
    """A context manager that records every dispatched call made inside it.

    Traces nest, and each sees every call made inside it, in worker threads too where the
    context is carried there. Where no trace is active, tracing costs nothing.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._calls = Calls()

    def __enter__(self) -> Calls:
        self._stack.push(self, (None, None, self._calls._records.append))
        return self._calls

    def __exit__(self, *exc_info: object) -> None:
        self._stack.leave(self)
