"""Who looks on while dispatched calls run."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._call_records import CallRecord


class Observer:
    """One who is told of every dispatched call where it is in force."""

    __slots__ = ()

    def begin(self, record: "CallRecord") -> None:
        """A call begins; the record is filled while it goes on."""

    def watch(self, route: Any, attempt: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What is to run instead of `attempt`, which by default is that itself.

        `args` and `kwargs` are those of the call, before they were routed.
        """
        return attempt
