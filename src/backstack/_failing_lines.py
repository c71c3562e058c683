"""Which line of a backend's own code made it fail."""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType

from ._loading import AdapterError

_NOT_ITS_OWN = frozenset({"backstack", "importlib", "zipimport"})


def failing_line(error: BaseException | None, module: str) -> str | None:
    """The innermost line of the package of `module` that led to `error`, as ``FILE:LINE``.

    What that line imports or calls may be at fault, and is in the package's hands. Where none
    of its own ran, it is the outermost line that is not of the import system; None without any.
    """
    while isinstance(error, AdapterError):  # says what was wrong with the result of that code
        error = error.__cause__
    package = module.partition(".")[0]
    own = outermost = None
    for top, line in _lines(error):
        if top == package:
            own = line
        elif outermost is None and top not in _NOT_ITS_OWN:
            outermost = line
    return own or outermost


def _lines(error: BaseException | None) -> Iterator[tuple[str, str]]:
    """The lines on the way to an error, the outermost first, each with its top-level package."""
    traceback = error.__traceback__ if error is not None else None
    while traceback is not None:
        frame = traceback.tb_frame
        top = _top(frame)
        yield top, f"{frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next


def _top(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__") or "").partition(".")[0]
