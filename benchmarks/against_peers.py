"""asv suite: our calls and those of other libraries, in one run."""

from benchmarks import peers


class Peers:
    """What a call adds over the plain one, in units of a bare closure's addition."""

    params = (
        "backstack, idle",
        "backstack, idle, 1 keyword",
        "backstack, on a backend",
        "functools.singledispatch, by type",
        "networkx, idle",
        "networkx, idle, 1 keyword",
        "plum, by type",
        "uarray, idle",
        "uarray, idle, 1 keyword",
        "uarray, on a backend",
    )
    param_names = ("call",)

    def track_added(self, name: str) -> float:
        return peers.measure().get(name, float("nan"))

    track_added.unit = "closures"
