"""What is known of one host function on each backend: the plans for it, made when needed."""

import functools
import inspect
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from . import _messages as messages
from ._bodies import kind_of
from ._choices import Selection
from ._names import shown
from ._records import MISSING, Backend
from ._registry import Registry
from ._warn import given

if TYPE_CHECKING:
    from ._routing import Callee, Plan

__tracebackhide__ = True  # pytest shows whose call it was


class HostFunction:
    """A host's function and how its calls reach each backend.

    Attributes
    ----------
    host : callable
        The host's own implementation.
    name : str
        What backends export it as.
    keyword : str
        The parameter by which a call chooses.
    plans : dict
        A backend, or what is chosen as a whole, to the plan for it; None for a backend
        that lacks this function.
    inserted : set of str
        What merging ever put into a docstring, so that it can be taken out of copies.
    shown : list of Parameter
        The options that merging ever put into a signature.
    """

    def __init__(
        self, host: Callable[..., Any], name: str, keyword: str, registry: Registry
    ) -> None:
        self.host = host
        self.name = name
        self.keyword = keyword
        self.registry = registry
        self.plans: dict[Any, Plan | None] = {}
        self.inserted: set[str] = set()
        self.shown: list[inspect.Parameter] = []

    def signature(self) -> inspect.Signature:
        """The host's own signature, without a selector that it declares."""
        signature = inspect.signature(self.host)
        if self.keyword not in signature.parameters:
            return signature
        kept = [p for p in signature.parameters.values() if p.name != self.keyword]
        return signature.replace(parameters=kept)

    @functools.cached_property
    def callee(self) -> "Callee":
        """What the host's function takes, besides the selector."""
        from ._routing import Callee

        return Callee(self.signature())

    def plan(self, backend: Backend, selection: Selection) -> "Plan | None":
        """How calls reach `backend`; None if it lacks this function."""
        if backend in self.plans:
            return self.plans[backend]
        from ._loading import AdapterError, read_function

        try:
            with given():  # reading it may run code that warns
                found = read_function(backend, self.name)
        except AdapterError as error:
            label, origin = selection.label_of(backend), selection.origin
            raise messages.unreadable(
                self.registry.config, backend, self.name, str(error), label, origin
            ) from error.__cause__
        self.registry.log.debug(
            "%s() on backend %r: %s",
            self.name,
            backend.shown,
            "not implemented" if found is MISSING else shown(found),
        )
        plan = None if found is MISSING else self._make_plan(backend, found)
        self.plans[backend] = plan
        return plan

    def _make_plan(self, backend: Backend, implementation: Any) -> "Plan":
        from ._routing import Plan

        last = kind_of(self.host) != "function"
        return Plan(self.callee, self.name, backend, implementation, last, self.whose_option)

    def whose_option(self, name: str) -> str:
        """A sentence that says which installed backend has an option; here nobody is asked."""
        return ""

    def reshape(self) -> None:
        """The host's function takes other arguments from now on, or has other defaults."""
        self.__dict__.pop("callee", None)
        self.plans.clear()

    def forget(self, kept: Collection[Backend]) -> None:
        """Drop the plans for what was chosen as a whole, and for backends that are gone."""
        for key in list(self.plans):
            if key not in kept:
                self.plans.pop(key, None)
