"""Run each function on cpu and on every installed backend, and compare the results."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backstack import BackendError
from example_host import (
    Neighborhood,
    backend,
    backends,
    compute_score,
    embed,
    settings,
    summarize,
    trace,
)

Floats = npt.NDArray[np.float64]
Function = Callable[..., Any]

VARIABLE = "EXAMPLE_HOST_BACKEND"
TOLERANCE = 1e-6


def neighbor_distances(data: Floats, **choice: str) -> Floats:
    """Measure how far each row's nearest neighbours are, by an object that is chosen alike."""
    distances, _ = Neighborhood(**choice).fit(data).kneighbors()
    return distances  # of rows at equal distance any may be taken, so which they are is no matter


FUNCTIONS: tuple[Function, ...] = (compute_score, embed, summarize, neighbor_distances)


class CannotSaveError(Exception):
    """The picture cannot be written."""


@dataclass(frozen=True)
class Run:
    """One call: what was asked for, what happened, and what came of it."""

    function: str
    asked_for: str
    chosen_by: str
    ran_on: str
    reason: str | None
    seconds: float
    difference: float
    result: Any

    def cells(self) -> tuple[str, ...]:
        """Return what the table shows."""
        seconds, difference = f"{self.seconds:.3f}", f"{self.difference:.1e}"
        return (
            *(self.function, self.asked_for, self.chosen_by, self.ran_on),
            *(seconds, difference if self.difference else "0"),
        )


HEADINGS = ("function", "asked for", "chosen by", "ran on", "seconds", "largest difference")


def run(option: str | None, output: Path) -> int:
    """Do the whole job and return the exit status."""
    with falling_back_quietly():
        names = labels_to_run(option)
        digits, labels = load_digits()
        runs, skipped = compare(names, digits, strict=option is not None)
    print(f"{len(digits)} handwritten digits of {digits.shape[1]} pixels\n")
    print(table([HEADINGS, *(each.cells() for each in runs)]))
    print(*remarks(runs), *skipped, sep="\n")
    draw([each for each in runs if each.function == "embed"], labels, output)
    print(f"The embeddings are drawn in {output}")
    return verdict(runs)


def load_digits() -> tuple[Floats, npt.NDArray[np.intp]]:
    """Load scikit-learn's handwritten digits: (1797, 64) pixels, and the digits they show."""
    from sklearn import datasets

    digits = datasets.load_digits()
    return digits.data, digits.target


@contextmanager
def falling_back_quietly() -> Iterator[None]:
    """Let what a backend lacks run on the host without a warning: the table shows it."""
    before = settings.on_missing
    settings.on_missing = "host"
    try:
        yield
    finally:
        settings.on_missing = before


def labels_to_run(option: str | None) -> list[str]:
    """Return the host, then what the option names, else the variable, else all installed."""
    if option is not None:
        with backend(option):  # complains of a wrong name, before the work begins
            names = [option]
    elif os.environ.get(VARIABLE):
        summarize([[0.0]])  # chooses nothing itself: it follows the variable, or complains of it
        chosen = settings.backend
        names = [chosen] if isinstance(chosen, str) else list(chosen)
    else:
        names = [record.name for record in backends()]
    return ["cpu", *(name for name in names if name != "cpu")]


def compare(names: list[str], data: Floats, *, strict: bool) -> tuple[list[Run], list[str]]:
    """Run everything on each backend; one that cannot be used raises if `strict`, else is noted."""
    expected = {function: function(data, backend="cpu") for function in FUNCTIONS}
    runs, skipped = [], []
    for name in names:
        try:
            runs += list(runs_on(name, data, expected))
        except BackendError as error:
            if strict:
                raise
            skipped.append(f"{name} is left out: {error}")
    return runs, skipped


def runs_on(name: str, data: Floats, expected: dict[Function, Any]) -> Iterator[Run]:
    """Run each function on one backend, chosen in each of the three ways."""
    for function in FUNCTIONS:
        for choose in (by_keyword, by_block, by_setting):
            with trace() as calls:
                started = time.perf_counter()
                result = choose(function, data, name)
                seconds = time.perf_counter() - started
            call = calls[0]
            yield Run(
                function=call.function,
                asked_for=name,
                chosen_by=call.chosen_by,
                ran_on=call.ran_on,
                reason=call.reason,
                seconds=seconds,
                difference=largest_difference(result, expected[function]),
                result=result,
            )


def by_keyword(function: Function, data: Floats, name: str) -> Any:
    """Choose for this call."""
    return function(data, backend=name)


def by_block(function: Function, data: Floats, name: str) -> Any:
    """Choose for what runs inside a block."""
    with backend(name):
        return function(data)


def by_setting(function: Function, data: Floats, name: str) -> Any:
    """Choose for the whole process, and put back what was chosen before."""
    before = settings.process_backend
    settings.backend = name
    try:
        return function(data)
    finally:
        settings.process_backend = before


def largest_difference(result: Any, expected: Any) -> float:
    """Compare arrays, or dicts of arrays; what does not have the same shape differs infinitely."""
    if isinstance(expected, dict):
        if not isinstance(result, dict) or result.keys() != expected.keys():
            return float("inf")
        return max(largest_difference(result[key], expected[key]) for key in expected)
    if np.shape(result) != np.shape(expected):
        return float("inf")
    return float(np.max(np.abs(np.subtract(result, expected))))


def table(rows: list[tuple[str, ...]]) -> str:
    """Align the columns; the first row is a heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows = [rows[0], tuple("-" * width for width in widths), *rows[1:]]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def remarks(runs: list[Run]) -> list[str]:
    """Say once for each function and backend why the host ran in its place."""
    fallen_back = (each for each in runs if each.ran_on == "cpu" and each.asked_for != "cpu")
    reasons = (f"{each.function} ran on cpu: {each.reason}" for each in fallen_back)
    return ["", *dict.fromkeys(reasons)]


def draw(runs: list[Run], labels: npt.NDArray[np.intp], output: Path) -> None:
    """Draw one panel for each backend, its points coloured by the digit that they show."""
    from matplotlib.figure import Figure  # without pyplot, nothing here needs or opens a display

    panels = {each.asked_for: each for each in runs}
    figure = Figure(figsize=(4.5 * len(panels) + 1, 4.5), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for axis, (name, each) in zip(axes, panels.items(), strict=True):
        points = axis.scatter(*each.result.T, c=labels, cmap="tab10", s=6)
        axis.set_title(name if each.ran_on != "cpu" or name == "cpu" else f"{name} (ran on cpu)")
        axis.set_xlabel("component 1")
    axes[0].set_ylabel("component 2")
    figure.legend(*points.legend_elements(num=None), title="digit", loc="outside right center")
    try:
        figure.savefig(output, dpi=120)
    except (OSError, ValueError) as error:  # no such folder; no such format
        raise CannotSaveError(f"cannot write {output}: {error}") from error


def verdict(runs: list[Run]) -> int:
    """Say whether all results agree with the host's."""
    # Written so that a difference that is not a number does not pass.
    apart = [each for each in runs if not each.difference <= TOLERANCE]
    if not apart:
        print(f"Every result is within {TOLERANCE:g} of the host's")
        return 0
    where = dict.fromkeys(f"{each.function} on {each.ran_on}" for each in apart)
    print(f"More than {TOLERANCE:g} from the host's: {', '.join(where)}", file=sys.stderr)
    return 1
