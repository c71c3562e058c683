"""From the metadata of what is installed to records, importing no backend.

Distributions are read one by one, and their entry points line by line, because
`importlib.metadata.entry_points` raises for everybody when one file is malformed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from importlib import metadata

from ._names import normalize_distribution
from ._records import Backend, Provider
from ._sources import read_declaration


def find_backends(group: str, log: logging.Logger) -> list[Backend]:
    """A record for each adapter that an installed distribution offers to `group`.

    The order is the same in every process.
    """
    providers = sorted(_providers(group, log), key=_order)
    return [
        Backend(provider, read_declaration(provider.module, provider.attribute))
        for provider in providers
    ]


def _order(provider: Provider) -> tuple[bool, str, str]:
    name = provider.distribution
    return name is None, normalize_distribution(name or ""), provider.object_ref


def _providers(group: str, log: logging.Logger) -> Iterator[Provider]:
    seen: set[tuple[str, str]] = set()
    for distribution in _distributions(log):
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except Exception as error:
            log.debug("Passed over unreadable entry points: %r", error)
            continue
        if group not in text:
            continue
        name, version = _identity(distribution)
        if name is not None and _is_shadowed(distribution, name, version):
            continue
        for reference, entry_names in _adapters(text, group).items():
            identity = normalize_distribution(name) if name else str(distribution.locate_file(""))
            key = (identity, reference)
            if key not in seen:
                seen.add(key)
                module, _, attribute = reference.partition(":")
                yield Provider(tuple(entry_names), module, attribute, name, version)


def _distributions(log: logging.Logger) -> Iterator[metadata.Distribution]:
    """As `importlib.metadata.distributions`, which ends with the first finder that raises."""
    context = metadata.DistributionFinder.Context()
    for finder in sys.meta_path:
        find = getattr(finder, "find_distributions", None)
        if find is not None:
            try:
                yield from find(context)
            except Exception as error:
                log.debug("Passed over a finder of distributions: %r", error)


def _adapters(text: str, group: str) -> dict[str, list[str]]:
    """Each object reference in the group, with the names of its entry points."""
    found: dict[str, list[str]] = {}
    section = None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == group and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            reference = "".join(value.partition("[")[0].split())  # without extras
            found.setdefault(reference, []).append(name.strip())
    return found


def _identity(distribution: metadata.Distribution) -> tuple[str | None, str | None]:
    try:
        fields = distribution.metadata
        return fields.get("Name"), fields.get("Version")  # type: ignore[attr-defined]
    except Exception:
        return None, None


def _is_shadowed(distribution: metadata.Distribution, name: str, version: str | None) -> bool:
    """Whether another copy comes first: a stale egg-info, or a leftover of an upgrade."""
    try:
        first = metadata.distribution(name)
        return (str(first.locate_file("")), first.version) != (
            str(distribution.locate_file("")),
            version,
        )
    except Exception:
        return False
