"""The clock that a trace puts around the body of a call."""

import time

from ._call_records import CallRecord


class Clock:
    """Times a body from its first step to its last, and sees whether it raised."""

    def __init__(self, record: CallRecord, in_steps: bool) -> None:
        self._record = record
        self._in_steps = in_steps
        self._started: float | None = None

    def __enter__(self) -> None:
        if self._started is None:
            self._started = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._in_steps and kind is None:
            return  # a generator that only yielded
        assert self._started is not None
        self._record.seconds = time.perf_counter() - self._started
        ends = (StopIteration, StopAsyncIteration, GeneratorExit) if self._in_steps else ()
        self._record.raised = kind is not None and not issubclass(kind, ends)
