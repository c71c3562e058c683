"""Frames of ours that stand between a caller and the host, and that warnings pass over.

A host that warns with ``stacklevel=2`` means the line that called it. One frame of ours is
in between, and would take the blame: the warning would name a file of backstack, and
Python, which shows a `DeprecationWarning` only where it points at ``__main__``, would hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])

#: Python's `warnings` does not count frames of the import system as stack levels. It knows
#: them by these words in the name of the file, and asks nothing else.
_PASSED_OVER = "importlib._bootstrap"


def unseen(function: F) -> F:
    """Let warnings pass over the frames of the functions that `function` makes.

    Tracebacks go on showing them, with their source: they find it by the module.
    """
    function.__code__ = _with_unseen(function.__code__)
    return function


def _with_unseen(code: CodeType) -> CodeType:
    """`code` with the code of its inner functions renamed."""
    constants = tuple(
        _with_unseen(each).replace(co_filename=f"{each.co_filename} ({_PASSED_OVER})")
        if isinstance(each, CodeType)
        else each
        for each in code.co_consts
    )
    return code.replace(co_consts=constants)
