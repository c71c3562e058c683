"""What a host's users are warned of when a backend is about to be used; each thing once."""

from collections.abc import Collection

from . import errors
from ._config import Config
from ._records import Backend
from ._tables import Table
from ._warn import given


class Notices:
    """The warnings about one host's backends."""

    def __init__(self, config: Config, packages: Collection[str]) -> None:
        self._config = config
        self._packages = packages

    def problems(self, backend: Backend) -> None:
        """What of its adapter was refused, or is otherwise than its source says."""
        for problem in backend.problems:
            backend.once.warn(
                problem,
                f"Backend {backend.shown!r} for {self._config.host}: {problem}.",
                errors.AdapterWarning,
                self._packages,
            )

    def conflict(self, label: str, table: Table) -> None:
        """That several backends claim the name that was asked for, and which of them has it."""
        winner, losers = table.labels.get(label), table.contested.get(label)
        if winner is None or not losers or winner.provider is None:
            return
        others = ", ".join(loser.shown_provider for loser in losers)
        why = "first by distribution name"
        if winner.trusted and not all(loser.trusted for loser in losers):
            why = "the one that the host trusts"
        elif winner.name == label and all(loser.name != label for loser in losers):
            why = "whose name it is"
        winner.once.warn(
            ("conflict", label),
            f"Backend name {label!r} for {self._config.host} is claimed by {winner.provider} and "
            f"by {others}; it stands for the former, {why}.",
            errors.BackendConflictWarning,
            self._packages,
        )

    def unlisted(self, backend: Backend) -> None:
        """That the code of a backend runs that the host does not list."""
        if backend.trusted or backend.may_be_trusted:
            return
        with given():  # even where a call is only explained: the code is about to run
            backend.once.warn(
                "unlisted",
                f"Backend {backend.shown!r}, {backend.shown_provider}, is not among those that "
                f"{self._config.host} lists as trusted; its code runs all the same. To refuse "
                "such backends, set settings.trust = 'require' or "
                f"{self._config.trust_variable}=require.",
                errors.UnlistedBackendWarning,
                self._packages,
            )
