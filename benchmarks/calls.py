"""asv suites: calls, and what is done with scopes, in units of a bare closure."""

from benchmarks import cases


class Calls:
    """What a dispatched call adds over the plain one, in units of a closure's addition."""

    params = tuple(cases.CALLS)
    param_names = ("call",)

    def track_added(self, name: str) -> float:
        return cases.measure_call(name)

    track_added.unit = "closures"


class Scopes:
    """What entering, leaving, reading and writing take, in units of a closure's call."""

    params = cases.SCOPES
    param_names = ("what",)

    def track_time(self, name: str) -> float:
        return cases.measure_scope(name)

    track_time.unit = "closure calls"
