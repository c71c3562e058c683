"""The hosts and backends of this environment, importing none of them.

A host may say where its dispatcher is, in the entry-point group ``backstack.hosts``. Of others
only the group is seen in which backends offer themselves, if it is called as is usual,
``HOST.backends``, and one of those declares a name.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from ._discovery import entry_points, find_backends, groups
from ._names import ADAPTER_FIELDS, label_problem, normalize_distribution, usable_aliases
from ._records import MISSING, Backend
from ._sources import source_of
from .reports import RecordTable

HOSTS = "backstack.hosts"
_USUAL = ".backends"

log = logging.getLogger("backstack")


class Installed(NamedTuple):
    """A backend that is installed for some host, as its metadata and its source tell.

    Attributes
    ----------
    host : str
        The host, or what its group is called after.
    group : str
        The entry-point group.
    backend : str or None
        Its name, or what stands for it while only running code tells it; None if the host has
        no backend.
    aliases, exports : tuple of str
        Its other names, and what it offers.
    distribution, version, provider : str or None
        What ships it, and which object is the adapter.
    """

    host: str
    group: str
    backend: str | None
    aliases: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()
    distribution: str | None = None
    version: str | None = None
    provider: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON.

        Returns
        -------
        dict
            One item per attribute.
        """
        return self._asdict()


class InstalledTable(RecordTable[Installed]):
    """The hosts and backends of this environment; prints as a table."""

    __slots__ = ()

    columns = ("host", "backend", "aliases", "exports", "distribution", "version")
    nothing = "No hosts and no backends are installed."


def installed(only: str | None = None) -> InstalledTable:
    """Every host and backend that is installed; of one host or group, if `only` names that."""
    found: list[Installed] = []
    hosts = dict(_hosts())
    declared = {group: host for host, group in hosts.items()}
    usual = {group for group in groups(log) if group.endswith(_USUAL)}
    for group in sorted({*usual, *declared, *filter(None, [only])}):
        host = declared.get(group) or group.removesuffix(_USUAL)
        if only is not None and not _same(only, host) and only != group:
            continue
        there = find_backends(group, log)
        backends = [_record(host, group, backend) for backend in there]
        # Others use such groups as well.
        named = any(isinstance(backend.declared.name, str) for backend in there)
        if group in declared or named or (only == group and backends):
            found += backends or [Installed(host, group, None)]
    return InstalledTable(found)


def host_names() -> set[str]:
    """Every host that says where it is, or has a group that is called as is usual."""
    usual = {group.removesuffix(_USUAL) for group in groups(log) if group.endswith(_USUAL)}
    return usual.union(name for name, _ in entry_points(HOSTS, log))


def place_of_host(name: str) -> str | None:
    """Where the dispatcher of a host is, if the host says so."""
    places = entry_points(HOSTS, log)
    return next((value for host, value in places if _same(host, name)), None)


def _hosts() -> Iterator[tuple[str, str]]:
    for name, value in entry_points(HOSTS, log):
        yield name, _group(value.partition(":")[0]) or name + _USUAL


def _group(module: str) -> str | None:
    """The entry-point group that a host's source gives to its dispatcher."""
    try:
        found = source_of(module)
        tree = ast.parse(found[0]) if found else ast.Module([], [])
    except Exception:  # a host that cannot be read is told by what it is called
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "entrypoint_group":
            value = getattr(node.value, "value", None)
            return value if isinstance(value, str) else None
    return None


def _record(host: str, group: str, backend: Backend) -> Installed:
    said, provider = backend.declared, backend.provider
    assert provider is not None
    aliases, _ = usable_aliases(() if said.aliases is MISSING else said.aliases, ())
    labels = [label for label in (said.name, *aliases, *provider.entry_names) if _can_be(label)]
    name = labels[0] if labels else str(provider)
    return Installed(
        host=host,
        group=group,
        backend=name,
        aliases=tuple(label for label in dict.fromkeys(labels) if label != name),
        exports=tuple(sorted({*said.exports} - ADAPTER_FIELDS - said.values)),
        distribution=provider.distribution,
        version=provider.version,
        provider=provider.object_ref,
    )


def _can_be(label: object) -> bool:
    return label_problem(label) is None


def _same(one: str, other: str) -> bool:
    return normalize_distribution(one) == normalize_distribution(other)
