"""Who has which label: settled from what is known, the same way in every process."""

from collections.abc import Collection, Iterable

from ._config import Config
from ._names import label_problem, usable_aliases
from ._records import MISSING, Backend


class Table:
    """The labels of one host's backends.

    Attributes
    ----------
    backends : tuple of Backend
        All that are there, in the order in which conflicts are settled.
    labels : dict
        Every label that can be chosen.
    refused : dict
        Labels that only a refused backend claims.
    contested : dict
        For a label that several claim, those that did not get it.
    """

    __slots__ = ("backends", "contested", "labels", "refused")

    def __init__(self, backends: tuple[Backend, ...] = ()) -> None:
        self.backends: tuple[Backend, ...] = backends
        self.labels: dict[str, Backend] = {}
        self.refused: dict[str, Backend] = {}
        self.contested: dict[str, list[Backend]] = {}


def settle(registered: Iterable[Backend], installed: Iterable[Backend], config: Config) -> Table:
    """Give each label to one backend: to a registered one, a trusted one, the first by name."""
    registered, installed = tuple(registered), tuple(installed)
    tiers = (
        registered,
        tuple(backend for backend in installed if backend.trusted),
        tuple(backend for backend in installed if not backend.trusted),
    )
    table = Table(tuple(backend for tier in tiers for backend in tier))
    for tier in tiers:  # within one, a name comes before an alias, and then the order counts
        accepted = [backend for backend in tier if backend.refusal is None]
        for backend in accepted:
            winner = backend if backend.name is None else _give(table, backend.name, backend)
            hidden = winner is not backend and backend.provider is not None
            # In one assignment: other threads look at it meanwhile.
            backend.shadowed = (
                f"its name {backend.name!r} is {winner.shown_provider}'s"
                if hidden
                else _nameless_because(backend, config)
            )
        for backend in accepted:
            for alias in backend.aliases if backend.shadowed is None else ():
                _give(table, alias, backend)
    for backend in table.backends:
        for label in backend.labels if backend.refusal or backend.shadowed else ():
            if label not in table.labels:
                table.refused.setdefault(label, backend)
            elif backend not in table.contested.get(label, ()):
                table.contested.setdefault(label, []).append(backend)
    for alias, name in config.trusted_labels.items():
        # The host's own aliases hold for whoever has the name.
        if name in table.labels:
            table.labels.setdefault(alias, table.labels[name])
        elif name in table.refused:
            table.refused.setdefault(alias, table.refused[name])
    return table


def _nameless_because(backend: Backend, config: Config) -> str | None:
    """Why nobody can ever choose it: by its source, nothing that it is called may be a name."""
    name = backend.declared.name
    problem = None if backend.labels or name is MISSING else name_problem(name, config)
    return problem and f"its name {problem}"


def _give(table: Table, label: str, backend: Backend) -> Backend:
    """The one that has `label`, which is `backend` if nobody came before."""
    winner = table.labels.setdefault(label, backend)
    if winner is not backend:
        table.contested.setdefault(label, []).append(backend)
    return winner


def name_problem(name: object, config: Config) -> str | None:
    """Why `name` cannot be a backend's name for this host."""
    problem = label_problem(name)
    if problem is None and name in config.reserved:
        return f"{name!r} is reserved by {config.host}"
    return problem


def read_declared(backend: Backend, config: Config) -> None:
    """Set the labels of an installed backend from its metadata and its source, and judge it."""
    from ._trust import judge

    assert backend.provider is not None
    declared = backend.declared
    if declared.name is not MISSING and name_problem(declared.name, config) is None:
        backend.name = declared.name
    value = () if declared.aliases is MISSING else declared.aliases
    aliases, _ = usable_aliases(value, config.reserved)  # problems are told once it is used
    backend.aliases = others(backend.name, (*aliases, *entry_labels(backend, config)))
    judge(backend, config)


def entry_labels(backend: Backend, config: Config) -> tuple[str, ...]:
    """The names of its entry points, which are labels like any other."""
    names = backend.provider.entry_names if backend.provider else ()
    return tuple(name for name in names if name_problem(name, config) is None)


def others(name: str | None, labels: Collection[str]) -> tuple[str, ...]:
    """The labels besides the name, each once."""
    return tuple(label for label in dict.fromkeys(labels) if label != name)
