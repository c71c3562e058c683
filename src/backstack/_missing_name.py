"""What an adapter has where it should have its ``name``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ._names import nearest

_NEARLY_THE_SAME = 0.75  # as `difflib` counts: one letter of four, or two that are swapped


def instead_of_name(adapter: object) -> str:
    """The end of a sentence about an adapter without a name; empty if it has nothing like it."""
    if isinstance(adapter, Mapping):
        return (
            ": it is a mapping, whose keys are no attributes; types.SimpleNamespace(**mapping) "
            "has attributes"
        )
    if isinstance(adapter, str):
        return ": it is a string; give the module, the class or the object itself"
    meant = nearest("name", _texts(adapter), _NEARLY_THE_SAME)
    return "" if meant is None else f"; perhaps its {meant!r} was meant to be that"


def _texts(adapter: object) -> list[str]:
    """The public attributes of an adapter that are strings, by its bare dictionaries."""
    found: dict[str, Any] = {}
    for base in reversed(type(adapter).__mro__):
        found.update(vars(base))
    with contextlib.suppress(Exception):  # it may have slots instead, or a property
        found.update(object.__getattribute__(adapter, "__dict__"))
    return [name for name, value in found.items() if isinstance(value, str) and name[:1] != "_"]
