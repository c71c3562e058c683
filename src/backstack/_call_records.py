"""What one dispatched call came to."""

from typing import Any

from ._choices import Kind, Origin, Selection
from ._names import CPU


class CallRecord:
    """What one dispatched call came to.

    Attributes
    ----------
    function : str
        The host's function.
    chosen : str or tuple of str
        What was in force: a canonical name, or several in order of preference.
    chosen_by : str
        ``"call"``, ``"scope"``, ``"setting"``, ``"variable"`` or ``"default"``.
    where : str or None
        The file and line where the scope was entered, if that was inside the trace; the name
        of the environment variable.
    ran_on : str or None
        The backend that ran it, ``"cpu"`` for the host's own; None if nothing ran.
    reason : str or None
        Why it ran elsewhere than on the first choice.
    dropped : tuple of str
        The arguments that the backend does not know, and that were left out.
    seconds : float or None
        How long; for coroutines and generators until their body ended. None while it runs,
        and where nothing ran.
    raised : bool
        Whether it raised.
    """

    __slots__ = (
        "chosen",
        "chosen_by",
        "dropped",
        "function",
        "raised",
        "ran_on",
        "reason",
        "seconds",
        "where",
    )

    def __init__(self, function: str) -> None:
        self.function: str = function
        self.chosen: str | tuple[str, ...] = CPU
        self.chosen_by: Kind = "default"
        self.where: str | None = None
        self.ran_on: str | None = None
        self.reason: str | None = None
        self.dropped: tuple[str, ...] = ()
        self.seconds: float | None = None
        self.raised: bool = False

    def choose(self, selection: Selection, place: str | None) -> None:
        """Note what is in force; `place` is where, if a scope has put it there."""
        names, origin = selection.names, selection.origin
        self.chosen = names[0] if len(names) == 1 else names
        self.chosen_by = origin.kind
        self.where = {"scope": place, "variable": origin.detail}.get(origin.kind)

    @property
    def names(self) -> tuple[str, ...]:
        """What was in force, as a tuple also of one name."""
        return (self.chosen,) if isinstance(self.chosen, str) else self.chosen

    @property
    def fell_back(self) -> bool:
        """Whether the host's own implementation ran though nobody had chosen it."""
        return self.ran_on == CPU and CPU not in self.names

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON.

        Returns
        -------
        dict
            One item per attribute.
        """
        names = ("function", "chosen", "chosen_by", "where", "ran_on", "fell_back", "reason")
        return {name: getattr(self, name) for name in (*names, "dropped", "seconds", "raised")}

    def __repr__(self) -> str:
        return (
            f"<CallRecord {self.function}: {self.chosen!r} chosen by {self.chosen_by}, ran on "
            f"{self.ran_on!r}>"
        )


def chosen_by(kind: Kind, where: str | None, keyword: str) -> str:
    """Who chose, for a person to read."""
    if kind == "scope":
        return f"a 'with' scope entered at {where}" if where else str(Origin("scope"))
    detail = keyword if kind == "call" else where or ""
    return str(Origin(kind, detail))
