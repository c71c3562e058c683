"""Timing that holds on a noisy machine: ratios of statements that take turns in one run.

An absolute time proves nothing where others use the machine too. So what is timed takes
turns, in short chunks, with the plain call and with a bare closure around it; of each one's
chunks the fastest twentieth is told from the rest, and what the subject adds to the plain call
is divided by what the closure adds.
"""

import functools
import gc
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

CHUNKS = 400
CALLS = 200  # in a chunk: some 50 microseconds, less than a scheduler's slice


class Statement(NamedTuple):
    """Source that is run over and over, and what its names mean."""

    source: str
    names: Mapping[str, Any]


def seconds(
    statements: Mapping[str, Statement], chunks: int = CHUNKS, calls: int = CALLS
) -> dict[str, float]:
    """The seconds that each statement takes: the fifth percentile of chunks taken in turn."""
    compiled = {}
    for name, (source, names) in statements.items():
        loop = f"for _ in range({calls}):\n    {source}\n"
        compiled[name] = compile(loop, f"<{name}>", "exec"), dict(names)
    taken: dict[str, list[float]] = {name: [] for name in compiled}
    clock = time.perf_counter
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(chunks):
            for name, (code, names) in compiled.items():
                start = clock()
                exec(code, names)
                taken[name].append(clock() - start)
    finally:
        if was_enabled:
            gc.enable()
    return {name: sorted(each)[len(each) // 20] / calls for name, each in taken.items()}


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """The closure that everything is compared with."""

    @functools.wraps(function)
    def closure(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return closure


def ratio(subject: Statement, plain: Statement, closure: Statement, chunks: int = CHUNKS) -> float:
    """What the subject adds over the plain call, in units of what the closure adds."""
    taken = seconds({"plain": plain, "closure": closure, "subject": subject}, chunks)
    return (taken["subject"] - taken["plain"]) / (taken["closure"] - taken["plain"])


def in_closures(subject: Statement, closure: Statement, chunks: int = CHUNKS) -> float:
    """What the subject takes as a whole, in units of one call of a closure."""
    taken = seconds({"closure": closure, "subject": subject}, chunks)
    return taken["subject"] / taken["closure"]
