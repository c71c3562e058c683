"""Fails where a call, or what is done with a scope, takes more than it may: ``bounds.toml``.

What exceeds its bound is measured once more, with more samples, before that counts: noise only
ever adds.
"""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from benchmarks import cases

QUICK, THOROUGH = 150, 1_000  # chunks

MEASURES: dict[str, Callable[[str, int], float]] = {
    "calls": cases.measure_call,
    "scopes": cases.measure_scope,
}


def exceeded(bounds: dict[str, dict[str, float]], report: Callable[[str], object]) -> list[str]:
    """What takes more than its bound, measured twice."""
    found = []
    for suite, measure in MEASURES.items():
        for name, bound in bounds[suite].items():
            value = measure(name, QUICK)
            again = ""
            if value > bound:
                first, value = value, min(value, measure(name, THOROUGH))
                again = f"  (first {first:.2f})"
            verdict = "" if value <= bound else "  EXCEEDED"
            report(f"{name:32} {value:7.2f} of {bound:7.2f}{again}{verdict}")
            if value > bound:
                found.append(name)
    return found


def main() -> int:
    """Measure everything that has a bound; 1 if something exceeds it."""
    bounds = tomllib.loads((Path(__file__).parent / "bounds.toml").read_text())
    known = {*bounds["calls"], *bounds["scopes"], *bounds.pop("shown")}
    unbound = {*cases.CALLS, *cases.SCOPES} ^ known
    if unbound:
        print(f"No case, or no bound, for {', '.join(sorted(unbound))}", file=sys.stderr)
        return 1
    found = exceeded(bounds, print)
    if found:
        print(f"Slower than they may be: {', '.join(found)}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
