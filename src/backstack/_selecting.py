"""From what somebody asked for to the backends that it comes to, remembered while it holds."""

from typing import Any

from . import _messages as messages
from . import errors
from ._choices import Origin, Selection
from ._locks import new_lock
from ._names import CPU, plain
from ._records import Backend
from ._registry import Registry
from ._stack import Stack
from ._warn import collecting, warn

__tracebackhide__ = True  # pytest shows whose call it was

SCOPE = Origin("scope")


class Selector:
    """The selections of one host.

    Attributes
    ----------
    registry : Registry
        Who has which name.
    scopes : dict
        What the labels of a scope come to, as far as that is settled.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._known: dict[tuple[tuple[str, ...], Origin], Selection] = {}
        self._lock = new_lock()
        self.scopes: dict[tuple[object, ...], Selection] = {}
        self._unsettled: dict[Any, Selection] = {}
        self._calls: dict[str, dict[str, Selection]] = {}

    def forget(self) -> None:
        """Something changed: what was settled is to be settled anew."""
        with self._lock:
            self._known.clear()
            self.scopes.clear()
            self._unsettled.clear()
            for calls in list(self._calls.values()):
                calls.clear()

    def calls(self, keyword: str) -> dict[str, Selection]:
        """What each label comes to in a call's `keyword`, as far as that is settled."""
        return self._calls.setdefault(keyword, {})

    def for_call(self, label: object, keyword: str) -> Selection:
        """What one call asked for."""
        origin = Origin("call", keyword)
        return self.select((self.name(label, origin),), origin)

    def for_scope(self, labels: tuple[object, ...]) -> Selection:
        """What a ``with host.backend(...)`` asks for, on entry."""
        try:
            known = self.scopes.get(labels)
        except TypeError:  # something unhashable among them, which is refused below
            known = None
        value = labels[0] if len(labels) == 1 else labels  # as it was written
        return known or self.select(self._checked(labels, SCOPE, value), SCOPE)

    def in_force(self, stack: Stack) -> Selection | None:
        """What is chosen here, looked up if nobody did; None if nothing is."""
        selection = stack.selection()
        if selection is None or selection.backends is not None:
            return selection
        settled = self.select(selection.labels, selection.origin)
        stack.process.settle(selection, settled)
        return settled

    def for_setting(self, value: object) -> Selection | None:
        """What is assigned to the setting; None for None."""
        origin = Origin("setting")
        if value is None:
            return None
        labels = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        return self.select(self._checked(labels, origin, value), origin)

    def adapter(self, name: object) -> Any:
        """The adapter that a name stands for; None for the host, and for what is not there."""
        origin = Origin("query", "get_backend()")
        label = self.name(name, origin)
        backend = self.registry.lookup(label)
        if backend is None:
            return None
        self.registry.resolve(label, origin)
        self.registry.prepare(backend, label, origin)
        return backend.adapter

    def resolve_name(self, name: object) -> str | None:
        """The canonical name of any label; None if nobody has it."""
        label = self.name(name, Origin("query", "resolve_name()"))
        if label == CPU:
            return CPU
        backend = self.registry.lookup(label)
        if backend is not None and backend.refusal is None:
            return backend.name or backend.shown
        return self.registry.config.trusted_labels.get(label)

    def name(self, name: object, origin: Origin) -> str:
        """A name as somebody gave it; `BackendNameError` for what is none."""
        if isinstance(name, str) and name:
            return plain(name)
        raise messages.bad_selector(self.registry.config, name, origin)

    def _checked(
        self, labels: tuple[object, ...], origin: Origin, value: object
    ) -> tuple[str, ...]:
        checked = tuple(plain(label) for label in labels if isinstance(label, str) and label)
        if not checked or len(checked) != len(labels):
            raise messages.bad_selector(self.registry.config, value, origin)
        return tuple(dict.fromkeys(checked))

    def select(self, labels: tuple[str, ...], origin: Origin) -> Selection:
        """Check every label, and make the first backend that can be used ready."""
        selection = self._known.get((labels, origin))
        if selection is not None:
            return selection
        generation = self.registry.generation
        selection, settled = self._choose(labels, origin)
        # Only what needs no second look is kept: a backend that was passed over is asked again.
        if settled:
            self._remember(labels, origin, selection, generation)
            return selection
        # The same object whenever it comes to the same backends, since plans are kept by it;
        # why the others were passed over may have changed.
        known = self._unsettled.setdefault((labels, origin, selection.backends), selection)
        known.skipped = selection.skipped
        return known

    def _remember(
        self, labels: tuple[str, ...], origin: Origin, selection: Selection, generation: int
    ) -> None:
        with self._lock:  # or a change could come between the test and what follows from it
            if generation == self.registry.generation:
                self._known[labels, origin] = selection
                if origin.kind == "call":
                    self.calls(origin.detail)[labels[0]] = selection
                elif origin is SCOPE:
                    self.scopes[labels] = selection

    def _choose(self, labels: tuple[str, ...], origin: Origin) -> tuple[Selection, bool]:
        candidates = self._candidates(labels, origin)
        failures: list[errors.BackendError] = []
        usable: list[Backend | None] = []
        for label, found in candidates:
            if isinstance(found, errors.BackendError):
                failures.append(found)
                continue
            try:
                if found is not None and not usable:  # later ones are loaded when reached
                    self.registry.prepare(found, label, origin)
                usable.append(found)
            except (errors.BackendLoadError, errors.BackendUnavailableError) as error:
                failures.append(error)
        if not usable:
            raise _first_of(failures)
        for failure in failures:
            self.skip(failure)
        names = tuple(dict.fromkeys(map(self.registry.canonical, labels)))
        order = ", then ".join(CPU if backend is None else backend.shown for backend in usable)
        self.registry.log.debug("%s, asked for by %s: %s", ", ".join(labels), origin, order)
        skipped = tuple(map(messages.in_short, failures))
        return Selection(labels, names, tuple(usable), origin, skipped), not failures

    def _candidates(
        self, labels: tuple[str, ...], origin: Origin
    ) -> list[tuple[str, Backend | errors.BackendError | None]]:
        """Each label with the backend that it means, or why there is none, up to the host."""
        candidates: dict[Any, str] = {}
        for label in labels:
            try:
                candidates.setdefault(self.registry.resolve(label, origin), label)
            except (errors.BackendNotInstalledError, errors.BackendLoadError) as error:
                candidates[error] = label
        pairs = [(label, found) for found, label in candidates.items()]
        if None in candidates:  # nothing is ever reached behind the host
            pairs = pairs[: list(candidates).index(None) + 1]
        return pairs

    def skip(self, error: errors.BackendError) -> None:
        """Say that a preferred backend was passed over for the next one."""
        if isinstance(error, errors.BackendLoadError):
            warn(
                f"{error}. Passed over for the next preference.",
                errors.BackendSkippedWarning,
                self.registry.packages,
            )
        if not collecting():
            self.registry.log.info("Passed over for the next preference: %s", error)

    def reach(self, backend: Any, selection: Selection) -> str | None:
        """Make a later preference ready, now that it is reached; or why it is passed over."""
        try:
            self.registry.prepare(backend, selection.label_of(backend), selection.origin)
        except (errors.BackendLoadError, errors.BackendUnavailableError) as error:
            self.skip(error)
            return messages.in_short(error)
        return None


def _first_of(failures: list[errors.BackendError]) -> errors.BackendError:
    first, *others = failures
    for other in others:
        first.add_note(f"Nor could the next preference be used: {other}")
    return first
