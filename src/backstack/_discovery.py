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


def groups(log: logging.Logger) -> set[str]:
    """Every entry-point group that some installed distribution has anything in."""
    return {group for _, text in _texts("", log) for group, _, _ in _lines(text)}


def entry_points(group: str, log: logging.Logger) -> list[tuple[str, str]]:
    """The entry points in a group: names and object references, sorted."""
    return sorted(
        {
            (name, reference)
            for _, text in _texts(group, log)
            for section, name, reference in _lines(text)
            if section == group
        }
    )


def _texts(group: str, log: logging.Logger) -> Iterator[tuple[metadata.Distribution, str]]:
    """Each distribution that may have something in the group, with the text that says so."""
    for distribution in _distributions(log):
        try:
            text = distribution.read_text("entry_points.txt") or ""
        except Exception as error:
            log.debug("Passed over unreadable entry points: %r", error)
            continue
        if group in text:
            yield distribution, text


def _providers(group: str, log: logging.Logger) -> Iterator[Provider]:
    seen: set[tuple[str, str]] = set()
    for distribution, text in _texts(group, log):
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
    for section, name, reference in _lines(text):
        if section == group:
            found.setdefault(reference, []).append(name)
    return found


def _lines(text: str) -> Iterator[tuple[str, str, str]]:
    """Each entry point: its group, its name, its object reference."""
    section = None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section is not None and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield section, name.strip(), "".join(value.partition("[")[0].split())  # no extras


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
