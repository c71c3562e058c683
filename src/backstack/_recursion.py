"""Telling of an implementation that calls itself by way of the host."""

import sys
from types import FrameType
from typing import Any

from ._bodies import Nested
from ._names import CPU
from ._plans import HostFunction
from ._records import Backend


def explain_recursion(
    error: RecursionError,
    function: HostFunction,
    backend: Backend | None,
    own: FrameType,
    variable: str,
) -> None:
    """Note, once, that an implementation calls itself through the host, and the way out.

    It does so if the frame that caught the error, `own`, is on the stack once more: the
    same code with the same object in `variable`.
    """
    hint = "To reach the host's own implementation, call it with "
    if backend is None or any(hint in note for note in getattr(error, "__notes__", ())):
        return
    value = own.f_locals.get(variable)
    frame = own.f_back
    while frame is not None:
        if frame.f_code is own.f_code and frame.f_locals.get(variable) is value:
            name, shown = function.name, backend.shown
            error.add_note(
                f"{name}() of backend {shown!r} calls the host's {name}(), which runs on {shown!r} "
                f"again. {hint}{function.keyword}={CPU!r}."
            )
            return
        frame = frame.f_back


class Recursion:
    """Explains a `RecursionError` of a body that runs after the call that made it returned."""

    def __init__(self, function: HostFunction, backend: Backend) -> None:
        self._function = function
        self._backend = backend

    def __enter__(self) -> None:
        """There is nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, RecursionError):
            body: Any = sys._getframe(1)
            while body.f_code is Nested.__exit__.__code__:
                body = body.f_back
            explain_recursion(error, self._function, self._backend, body, "function")
