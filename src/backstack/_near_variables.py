"""Environment variables that are set, and whose names are nearly those that a host reads."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ._config import Config, default_variable
from ._names import nearest

_NEARLY_THE_SAME = 0.9  # as `difflib` counts: one letter more or less than seven
_LOCK = "_TRUST"


def near_variables(config: Config) -> dict[str, str]:
    """Each that is set to something, with the one that was probably meant by it."""
    read = [name for name in (config.variable, config.trust_variable) if name is not None]
    found = {name: _meant(name, read) for name, value in os.environ.items() if value}
    return {name: meant for name, meant in sorted(found.items()) if meant and name not in read}


def variables_of(hosts: Iterable[str]) -> set[str]:
    """What hosts read that do not say otherwise."""
    variables = set(map(default_variable, hosts))
    return variables.union(f"{variable}{_LOCK}" for variable in variables)


def _meant(name: str, read: list[str]) -> str | None:
    """The one of `read` with the same letters, or the same host's that goes on nearly so.

    A host's name with one letter more, less or changed may be the name of another.
    """
    host = read[-1].removesuffix(_LOCK).rpartition("_")[0].upper() + "_"
    for variable in read:
        if _letters(name) == _letters(variable):
            return variable
        rest = name[len(host) :] if name.upper().startswith(host) else ""
        if nearest(rest, [variable[len(host) :]], _NEARLY_THE_SAME) is not None:
            return variable
    return None


def _letters(name: str) -> list[str]:
    return sorted(filter(str.isalnum, name.upper()))
