"""A choice of backends: what was asked for, by whom, and what it came to."""

from typing import Any, Literal, NamedTuple

Kind = Literal["call", "scope", "setting", "variable", "default", "query"]


class Origin(NamedTuple):
    """Who chose: the call, a scope, the setting, or an environment variable."""

    kind: Kind
    detail: str = ""

    def __str__(self) -> str:
        return {
            "call": f"the call's {self.detail}=",
            "scope": "a 'with' scope",
            "setting": "settings.backend",
            "variable": f"the environment variable {self.detail}",
            "default": "the default",
            "query": self.detail,
        }[self.kind]


class Selection:
    """What somebody chose, and the backends that it came to.

    Attributes
    ----------
    labels : tuple of str
        The names as they were spelt.
    names : tuple of str
        The canonical ones, as far as they are known.
    backends : tuple or None
        The candidates in order of preference, without those passed over when this was
        made. None stands in it for the host itself. The whole is None while nobody has
        looked yet, as for an environment variable before the first call.
    origin : Origin
        Who chose.
    skipped : tuple of str
        Why earlier preferences were passed over when this was made.
    """

    __slots__ = ("backends", "labels", "names", "origin", "skipped")

    def __init__(
        self,
        labels: tuple[str, ...],
        names: tuple[str, ...],
        backends: tuple[Any, ...] | None,
        origin: Origin,
        skipped: tuple[str, ...] = (),
    ) -> None:
        self.labels: tuple[str, ...] = labels
        self.names: tuple[str, ...] = names
        self.backends: tuple[Any, ...] | None = backends
        self.origin: Origin = origin
        self.skipped: tuple[str, ...] = skipped

    def unsettled(self) -> "Selection":
        """The same choice, before anybody looked what it comes to."""
        if self.is_host:
            return self
        return Selection(self.labels, self.names, None, self.origin)

    def label_of(self, backend: Any) -> str:
        """What one of its backends was asked for as."""
        return next((label for label in self.labels if label in backend.labels), backend.shown)

    @property
    def is_host(self) -> bool:
        """Whether the host's own implementation comes first."""
        return self.backends is not None and self.backends[0] is None
