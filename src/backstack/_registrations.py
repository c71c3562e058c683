"""The handle of an adapter that was registered by hand."""

from collections.abc import Callable


class Registration:
    """An adapter that was registered by hand; a context manager that takes it away again.

    Attributes
    ----------
    name : str
        The adapter's canonical name.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from backstack import BackendDispatcher
    >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
    >>> with dispatcher.register(SimpleNamespace(name="fake", double=lambda x: x + x)):
    ...     dispatcher.available_backend_names()
    ['fake']
    >>> dispatcher.available_backend_names()
    []
    """

    def __init__(self, name: str, host: str, remove: "Callable[[Registration], None]") -> None:
        self.name = name
        self._host = host
        self._remove = remove

    def remove(self) -> None:
        """Take the adapter away; what it hid is there again. Twice is as good as once."""
        self._remove(self)

    def __enter__(self) -> "Registration":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<registration of {self.name!r} for {self._host}>"
