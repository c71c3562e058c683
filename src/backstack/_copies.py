"""Copies of a docstring or signature that decorators above ours made, kept up to date.

A proxy answers when it is asked. A wrapper that `functools.wraps` made carries a copy
instead, which has to be replaced whenever what is merged changes.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from ._docstrings import merged_docstring
from ._options import loaded_options
from ._plans import HostFunction
from ._signatures import merged_signature


class Merged(NamedTuple):
    """What one copy was before, and what it was made to be."""

    copy: Any
    before: Any
    after: Any


def update(route: HostFunction, copies: list[Any], done: dict[int, Any]) -> None:
    """Merge anew into each of `copies`; `done` remembers what was there before."""
    for copy in copies:
        before = _original(copy, "__doc__", done)
        after = merged_docstring(route, before)
        if after != getattr(copy, "__doc__", None):
            copy.__doc__ = after
        done[id(copy)] = Merged(copy, before, after)
        _update_signature(route, copy)


def _original(copy: Any, attribute: str, done: dict[int, Any]) -> Any:
    """What the copy says of itself, without what was merged into it earlier."""
    now = getattr(copy, attribute, None)
    known = done.get(id(copy))
    return known.before if known is not None and known.after == now else now


def _update_signature(route: HostFunction, copy: Any) -> None:
    """Replace a signature that was copied from ours, if it still is ours but for the options."""
    signature = getattr(copy, "__dict__", {}).get("__signature__")
    if not isinstance(signature, inspect.Signature):
        return
    merged = merged_signature(route)
    options = {parameter.name for _, _, parameter in loaded_options(route)}
    own = [name for name in merged.parameters if name not in options]
    if [name for name in signature.parameters if name in own] == own:
        copy.__signature__ = merged
