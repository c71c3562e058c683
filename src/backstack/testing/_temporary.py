"""A backend for the time of a test."""

from __future__ import annotations

from contextlib import ExitStack

from .._config import OnMissing
from .._registrations import Registration
from ..dispatcher import BackendDispatcher
from ._dispatching import selected


class TemporaryBackend:
    """Registers adapters, and chooses them, until the test is over.

    Parameters
    ----------
    dispatcher : BackendDispatcher
        The host's.
    stack : ExitStack
        What takes everything back.
    """

    def __init__(self, dispatcher: BackendDispatcher, stack: ExitStack) -> None:
        self._dispatcher = dispatcher
        self._stack = stack

    def __call__(
        self,
        adapter: object,
        *,
        exclusive: bool = False,
        select: bool = True,
        on_missing: OnMissing | None = None,
    ) -> Registration:
        """Register an adapter and choose it for the whole process.

        Parameters
        ----------
        adapter : module, class or object
            As for `BackendDispatcher.register`.
        exclusive : bool
            Hide every installed backend.
        select : bool
            Choose it; False leaves that to the test.
        on_missing : {"warn", "host", "error"}, optional
            The policy meanwhile.

        Returns
        -------
        Registration
            What takes it away again, which happens anyway when the test is over.
        """
        registration = self._dispatcher.register(adapter, exclusive)
        self._stack.enter_context(registration)
        if select:
            chosen = selected(self._dispatcher, (registration.name,), on_missing)
            self._stack.enter_context(chosen)
        return registration
