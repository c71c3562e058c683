"""Copies of a docstring or signature that decorators above ours made, kept up to date.

A proxy answers when it is asked. A wrapper that `functools.wraps` made carries a copy
instead, which has to be replaced whenever what is merged changes.
"""

from __future__ import annotations

import inspect
from typing import Any

from ._docstrings import merged_docstring
from ._options import Option, known_options
from ._plans import HostFunction
from ._signatures import merge, unmerge


def update(function: HostFunction, copies: list[Any]) -> None:
    """Merge into each of `copies` what the proxy itself would show."""
    options = known_options(function)
    for copy in copies:
        text = getattr(copy, "__doc__", None)
        merged = merged_docstring(function, text, options)
        if merged != text:
            copy.__doc__ = merged
        _update_signature(function, copy, options)


def _update_signature(function: HostFunction, copy: Any, options: list[Option]) -> None:
    """Merge into a copied signature, if it is ours or the host's; a decorator's own stays."""
    signature = getattr(copy, "__dict__", {}).get("__signature__")
    if not isinstance(signature, inspect.Signature):
        return
    ours = function.keyword in signature.parameters
    if ours or signature == getattr(function.host, "__signature__", None):
        copy.__signature__ = merge(function, unmerge(function, signature), options)
