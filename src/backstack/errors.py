"""Every exception that backstack raises and every warning that it gives.

Each error derives from `BackendError` *and* from the built-in that fits, so that
callers may catch whichever they know. Each carries its data as attributes, and
survives pickling with them, so that a worker's error reaches its caller whole.
"""

from typing import Any

__all__ = [
    "AdapterWarning",
    "BackendConflictWarning",
    "BackendError",
    "BackendLoadError",
    "BackendMismatchError",
    "BackendMismatchWarning",
    "BackendNameError",
    "BackendNotInstalledError",
    "BackendSkippedWarning",
    "BackendUnavailableError",
    "BackstackWarning",
    "DroppedArgumentWarning",
    "FallbackWarning",
    "NotImplementedByBackendError",
    "NotVerifiedWarning",
    "ReservedBackendError",
    "ScopeStillWinsWarning",
    "TrustSettingWarning",
    "UnknownBackendError",
    "UnlistedBackendWarning",
    "UntrustedBackendError",
]


class BackendError(Exception):
    """Anything that went wrong in choosing, loading or reaching a backend.

    Parameters
    ----------
    message : str
        What happened, who asked for it, and what to do about it.
    **data
        What the message says, for programs; each becomes an attribute.

    Attributes
    ----------
    host : str
        The library that dispatches.
    label : str or None
        The name that was asked for, as it was spelt.
    name : str or None
        The canonical name of that backend, where it is known.
    chosen_by : str or None
        ``"call"``, ``"scope"``, ``"setting"`` or ``"variable"``.
    variable : str or None
        The environment variable that asked, where it was one.

    Examples
    --------
    >>> import pickle
    >>> error = UnknownBackendError("Unknown backend 'jaxx'", label="jaxx", suggestion="jax")
    >>> pickle.loads(pickle.dumps(error)).suggestion
    'jax'
    """

    host: str = ""
    label: str | None = None
    name: str | None = None
    chosen_by: str | None = None
    variable: str | None = None

    def __init__(self, message: str = "", **data: Any) -> None:
        super().__init__(message)
        vars(self).update(data)

    def __reduce__(self) -> tuple[Any, ...]:
        data = dict(vars(self))
        notes = data.pop("__notes__", [])
        return _rebuild, (type(self), str(self), data, list(notes))


def _rebuild(cls: type[BackendError], message: str, data: dict[str, Any], notes: list[str]) -> Any:
    error = cls(message, **data)
    for note in notes:
        error.add_note(note)
    return error


class UnknownBackendError(BackendError, ValueError):
    """No backend has that name.

    Attributes
    ----------
    suggestion : str or None
        The nearest name there is.
    available : tuple of str
        Every name and alias that could have been chosen.
    """

    suggestion: str | None = None
    available: tuple[str, ...] = ()


class ReservedBackendError(BackendError, ValueError):
    """The host keeps that name for itself.

    Attributes
    ----------
    reason : str
        Why, in the host's words.
    """

    reason: str = ""


class BackendNotInstalledError(BackendError, ImportError):
    """The host knows that backend, and it is not installed.

    Attributes
    ----------
    package : str or None
        The distribution that provides it.
    install : str or None
        How to install it.
    """

    package: str | None = None
    install: str | None = None


class BackendLoadError(BackendError, ImportError):
    """The backend's own code failed: its import, its adapter, or one function of it.

    The exception that its code raised, where there is one, is the ``__cause__``.

    Attributes
    ----------
    reason : str
        What failed, in a line.
    function : str or None
        The one function that could not be read, where only that failed.
    """

    reason: str = ""
    function: str | None = None


class UntrustedBackendError(BackendError, ImportError):
    """The installed provider is not the one that the host trusts.

    Attributes
    ----------
    expected : str
        What the host's configuration asks for.
    found : str
        What is installed.
    """

    expected: str = ""
    found: str = ""


class BackendUnavailableError(BackendError, RuntimeError):
    """The backend says that it cannot run on this machine.

    Attributes
    ----------
    reason : str
        Why, in the backend's words.
    """

    reason: str = ""


class NotImplementedByBackendError(BackendError, NotImplementedError):
    """The backend lacks the function (or declined the call), and falling back is forbidden.

    Attributes
    ----------
    function : str
        The host's function.
    """

    function: str = ""


class BackendMismatchError(BackendError, AssertionError):
    """A backend and the host's own implementation came to different results.

    Attributes
    ----------
    function : str
        The host's function.
    difference : str
        Where they differ, and by how much.
    """

    function: str = ""
    difference: str = ""


class BackendNameError(BackendError, ValueError):
    """A selector that is no name at all: not a string, empty, or a list where one name goes.

    Attributes
    ----------
    value : str
        The ``repr`` of what was given.
    """

    value: str = ""


class BackstackWarning(UserWarning):
    """Base of every warning that backstack gives."""


class FallbackWarning(BackstackWarning):
    """The chosen backend lacks a function, so the host's own ran instead."""


class DroppedArgumentWarning(BackstackWarning):
    """An argument that the backend does not know was left out of the call."""


class UnlistedBackendWarning(BackstackWarning):
    """A backend that the host does not list is used for the first time."""


class BackendConflictWarning(BackstackWarning):
    """Several backends claim one name; says which of them has it."""


class BackendSkippedWarning(BackstackWarning):
    """A preferred backend failed to load, so the next one in the list is used."""


class AdapterWarning(BackstackWarning):
    """Part of an adapter was refused, or it says other things than its source does."""


class BackendMismatchWarning(BackstackWarning):
    """A backend and the host's own implementation came to different results."""


class NotVerifiedWarning(BackstackWarning):
    """The results of a function cannot be compared with those of the host."""


class ScopeStillWinsWarning(BackstackWarning):
    """The process-wide backend was assigned inside a ``with`` that goes on deciding."""


class TrustSettingWarning(BackstackWarning):
    """The environment's trust variable says something that is not understood."""
