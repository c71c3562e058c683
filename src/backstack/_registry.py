"""From a label to a backend that can be used: discovery, loading, refusing, refreshing.

What is known is one immutable `Table`, replaced whole under a short lock whenever it
changes; readers take no lock. Foreign code (an adapter's import, its constructor, its
`is_available`) runs outside the lock, and what it came to is published afterwards.
"""

import importlib
import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from . import _messages as messages
from . import errors
from ._choices import Origin
from ._config import TRUST, Config, check_option
from ._locks import new_lock
from ._names import CPU
from ._notices import Notices
from ._records import Backend, BackendRecord
from ._registrations import Registration
from ._tables import Table, read_declared, settle
from ._warn import given, warn

__tracebackhide__ = True  # pytest shows whose call it was


class Registry:
    """The backends of one host.

    Attributes
    ----------
    packages : set of str
        The host's own top-level packages; warnings point past them.
    trust, trust_floor : str
        What is demanded now, and the least that may be.
    generation : int
        Counts the changes, so that a result computed meanwhile is not kept.
    around_load : callable
        Gives what the code of a backend, its argument, runs in while it loads.
    """

    def __init__(self, config: Config, packages: set[str], on_change: Callable[[], None]) -> None:
        self.config = config
        self.packages = packages
        self.notices: Notices = Notices(config, packages)
        self.log: logging.Logger = logging.getLogger(f"backstack.{config.host}")
        self.trust: str = config.trust
        self.trust_floor: str = config.trust
        self.generation: int = 0
        self.around_load: Callable[[Backend], AbstractContextManager[Any]] = nullcontext
        self._on_change = on_change
        self._lock = new_lock()
        self._installed: list[Backend] | None = None
        # The adapters registered by hand, the latest first, and whether they hide all others.
        self._registered: dict[Registration, tuple[Backend, bool]] = {}
        self._table = Table()

    # -- what is there -----------------------------------------------------------------

    def table(self) -> Table:
        """Who has which label, looking for what is installed if nobody did yet."""
        if self._installed is None:
            found = self._discover({})
            with self._lock:  # two threads may both have looked; the first result counts
                if self._installed is None:
                    self._settle(found)
        return self._table

    def reset_warnings(self) -> None:
        """Give every warning that is given once again."""
        for backend in (*self._table.backends, *(self._installed or ())):
            backend.once.clear()

    def refresh(self) -> None:
        """Look again for what is installed, and forget failures and given warnings."""
        importlib.invalidate_caches()
        known = {b.provider: b for b in self._installed or () if b.adapter is not None}
        found = self._discover(known)
        for backend, _ in list(self._registered.values()):
            backend.available, backend.unavailable = False, None
        with self._lock:
            self._settle(found)
        self.reset_warnings()
        self.forget_choices()

    def _discover(self, known: dict[Any, Backend]) -> list[Backend]:
        """Records of what is installed; those that are loaded stay, asked anew if they can run."""
        from ._discovery import find_backends

        backends = []
        for fresh in find_backends(self.config.group, self.log):
            backend = known.get(fresh.provider, fresh)
            if backend is fresh:
                read_declared(fresh, self.config)
            else:
                backend.failure = backend.unavailable = None
                backend.available = False
            backends.append(backend)
        return backends

    def register(self, adapter: object, exclusive: bool) -> Registration:
        """Add an adapter by hand; trusted, since it is its caller's own act."""
        from ._loading import FAILURES, AdapterError, describe, instantiate, take_adapter

        backend = Backend(None)
        backend.trusted = True
        try:
            take_adapter(backend, instantiate(adapter), self.config)
        except FAILURES as error:
            reason = str(error) if isinstance(error, AdapterError) else describe(error)
            raise messages.load_failed(self.config, backend, reason) from error
        self.notices.problems(backend)
        self.table()
        registration = Registration(backend.shown, self.config.host, self._unregister)
        with self._lock:
            self._registered = {registration: (backend, exclusive), **self._registered}
            self._settle()
        self.forget_choices()
        return registration

    def _unregister(self, registration: Registration) -> None:
        with self._lock:
            if registration not in self._registered:
                return
            del self._registered[registration]
            self._settle()
        self.forget_choices()

    def _settle(self, found: list[Backend] | None = None) -> None:
        """Replace the table, and what is installed if that was `found` anew. Call with the lock."""
        everybody = found if found is not None else self._installed
        registered = [backend for backend, _ in self._registered.values()]
        hidden = {label for backend in registered for label in backend.labels}
        exclusive = any(exclusive for _, exclusive in self._registered.values())
        installed = [] if exclusive else everybody or []
        seen = [backend for backend in installed if hidden.isdisjoint(backend.labels)]
        self._table = settle(registered, seen, self.config)
        self._installed = everybody  # last: whoever sees that somebody looked sees the table too

    def forget_choices(self) -> None:
        """Have everything looked up anew that was chosen by name."""
        self.generation += 1
        self._on_change()

    # -- from a label to a backend -----------------------------------------------------

    def resolve(self, label: str, origin: Origin) -> Backend | None:
        """The backend that has `label`, None for the host itself; an error if nobody has it.

        Loads nobody, but where the label is otherwise unknown those that compute theirs.
        """
        if label in self.config.reserved:
            raise messages.reserved(self.config, label, origin)
        backend = self.lookup(label)
        if backend is None and label != CPU:
            raise self.absent(label, origin)
        if backend is not None and (backend.refusal is not None or self.forbids(backend)):
            raise messages.untrusted(self.config, backend, label, origin)
        if backend is not None and backend.shadowed is not None:
            raise messages.load_failed(self.config, backend, backend.shadowed, label, origin)
        return backend

    def lookup(self, label: str) -> Backend | None:
        """The backend that is there under `label`, even one that would be refused."""
        if label == CPU or label in self.config.reserved:
            return None
        return self.find(label) or self._search(label)

    def find(self, label: str) -> Backend | None:
        """As `lookup`, loading nobody."""
        table = self.table()
        return table.labels.get(label) or table.refused.get(label)

    def canonical(self, label: str) -> str:
        """The canonical name of `label` as far as it is known, else itself; loads nobody."""
        if label == CPU or label in self.config.reserved:
            return label
        backend = self.find(label)
        if backend is not None and backend.refusal is None and backend.name is not None:
            return backend.name
        return self.config.trusted_labels.get(label, label)

    def _search(self, label: str) -> Backend | None:
        """Load those that compute their labels, until one of them turns out to have this one."""
        listed = label in self.config.trusted_labels
        for backend in self.table().backends:  # the trusted come first
            if backend.adapter is not None and label in backend.labels:
                self._republish()  # another thread has just loaded it
            if self.find(label) is not None:
                break
            if backend.adapter is not None or not backend.declared.computed:
                continue
            if backend.state == "refused":
                continue  # its code must not run, or would run in vain
            if self.forbids(backend) or (listed and not backend.may_be_trusted):
                continue  # it could not be trusted at all, or not with that label
            self.notices.unlisted(backend)  # its code is about to run, asked for or not
            try:
                self._load(backend)
            except errors.BackendError as error:
                self.log.info("Passed over while looking for %r: %s", label, error)
        return self.find(label)

    def forbids(self, backend: Backend) -> bool:
        """Whether it is refused because the host does not list it."""
        return self.trust == "require" and not (backend.trusted or backend.may_be_trusted)

    def absent(self, label: str, origin: Origin) -> Exception:
        """What is to be said of a label that nobody has."""
        if label in self.config.trusted_labels:
            error = messages.not_installed(self.config, label, origin)
        else:
            error = messages.unknown(self.config, label, origin, self.usable(), self.heard())
        if any(label in backend.labels for backend in self._installed or ()):
            error.add_note("One is installed; an adapter that was registered by hand hides it.")
        return error

    # -- from a backend to its adapter -------------------------------------------------

    def prepare(self, backend: Backend, label: str, origin: Origin) -> None:
        """Make a resolved backend usable: warn as is due, load it, ask it if it can run here."""
        if backend.refusal is not None or self.forbids(backend):
            raise messages.untrusted(self.config, backend, label, origin)
        self.notices.conflict(label, self.table())
        self.notices.unlisted(backend)  # before its code runs, so that an error prevents it
        if backend.adapter is None:
            self._load(backend, label, origin)
            if self.forbids(backend):  # only now known not to be the listed one
                raise messages.untrusted(self.config, backend, label, origin)
            self.notices.unlisted(backend)
            self.notices.problems(backend)
            if backend.shadowed is not None:
                raise messages.load_failed(self.config, backend, backend.shadowed, label, origin)
            if label not in backend.labels:
                raise self.absent(label, origin)  # its source promised what it does not keep
        else:
            self.notices.problems(backend)
        if not backend.available:
            self._ask(backend, label, origin)

    def make_ready(self, backend: Backend, origin: Origin) -> None:
        """As `prepare`, of a backend whose names may not be known yet."""
        if backend.refusal is not None or self.forbids(backend):
            raise messages.untrusted(self.config, backend, None, origin)
        self.notices.unlisted(backend)
        if backend.adapter is None:
            self._load(backend, None, origin)
        self.prepare(backend, backend.shown, origin)

    def _load(
        self,
        backend: Backend,
        label: str | None = None,
        origin: Origin | None = None,
        publish: bool = True,
    ) -> bool:
        """Run the backend's code and take its labels; nothing is kept where that fails.

        Tells whether its labels are other ones than its source promised.
        """
        from ._loading import FAILURES, AdapterError, RefusedError, describe, load

        before = backend.name, {*backend.labels}
        try:
            # If the code itself calls something that warns, that really happens.
            with given(), self.around_load(backend):
                load(backend, self.config)
        except RefusedError:
            self._republish()
            raise messages.untrusted(self.config, backend, label, origin) from None
        except FAILURES as error:
            own = isinstance(error, AdapterError)
            backend.failure = str(error) if own else describe(error)
            raise messages.load_failed(
                self.config, backend, backend.failure, label, origin
            ) from error
        backend.failure = None
        self.log.debug("Loaded backend %r from %s", backend.name, backend.provider)
        changed = (backend.name, {*backend.labels}) != before
        if changed and publish:
            self._republish()
        return changed

    def _republish(self) -> None:
        with self._lock:
            self._settle()
        self.forget_choices()

    def _ask(self, backend: Backend, label: str, origin: Origin) -> None:
        from ._loading import ask

        with given():
            reason = ask(backend)
        if reason is not None:
            raise messages.unavailable(self.config, backend, reason, label, origin)

    def load_all(self) -> None:
        """Load everybody who may be loaded; a failure costs only the one that failed.

        So does a warning that is an error: it is raised when all others are loaded.
        """
        raised: errors.BackstackWarning | None = None
        changed = False
        for backend in self.table().backends:
            if backend.refusal or backend.shadowed or self.forbids(backend):
                continue
            try:
                if backend.adapter is None:
                    changed |= self._load(backend, publish=False)
            except errors.BackendError as error:
                self.log.info("Passed over by discover(): %s", error)
        if changed:  # once for all of them
            self._republish()
        for backend in self.loaded():
            try:
                for label in backend.labels:
                    self.notices.conflict(label, self.table())
                self.notices.problems(backend)
            except errors.BackstackWarning as warning:
                raised = raised or warning
        if raised is not None:
            raise raised

    # -- reports -----------------------------------------------------------------------

    def loaded(self) -> list[Backend]:
        """The usable backends whose adapters are loaded, by name; looks for nobody."""
        backends = {
            backend
            for backend in self._table.labels.values()
            if backend.adapter is not None and not self.forbids(backend)
        }
        return sorted(backends, key=lambda backend: backend.shown)

    def heard(self) -> list[str]:
        """Every label of those that may run, also if they failed or cannot run here."""
        table = self.table()
        return [label for label, backend in table.labels.items() if not self.forbids(backend)]

    def usable(self) -> dict[str, Backend]:
        """Every label that can be chosen, as far as is known without loading anybody."""
        return {
            label: backend
            for label, backend in sorted(self.table().labels.items())
            if backend.state in ("found", "loaded") and not self.forbids(backend)
        }

    def by_name(self) -> list[Backend]:
        """Everybody who is there; loads nobody."""
        return sorted(self.table().backends, key=lambda backend: backend.shown)

    def record(self, backend: Backend, functions: Collection[str]) -> BackendRecord:
        """What is known of a backend."""
        provider = backend.provider
        forbidden = backend.refusal is None and self.forbids(backend)
        return BackendRecord(
            name=backend.shown,
            aliases=tuple(alias for alias in backend.aliases if alias != backend.shown),
            functions=tuple(sorted(backend.public_names().intersection(functions))),
            distribution=provider.distribution if provider else None,
            version=provider.version if provider else None,
            trusted=backend.trusted and backend.refusal is None,
            state="refused" if forbidden else backend.state,
            reason=messages.unlisted_reason(self.config) if forbidden else backend.reason,
        )

    def problem_with(self, label: str, origin: Origin) -> Exception | None:
        """Why `label` cannot be chosen, as far as that is known without loading anybody."""
        if label == CPU or label in self.config.reserved or self.find(label) is not None:
            try:
                self.resolve(label, origin)
            except errors.BackendError as error:
                return error
            return None
        computed = any(b.adapter is None and b.declared.computed for b in self.candidates())
        return None if computed else self.absent(label, origin)

    def candidates(self) -> list[Backend]:
        """Those that may run, also if they failed or cannot run here; loads nobody."""
        table = self.table()
        heard = set(table.labels.values())  # one that was registered by hand may hide another
        return [
            backend
            for backend in table.backends
            if (backend in heard or backend.provider is not None)
            and backend.state != "refused"
            and not self.forbids(backend)
        ]

    def shown_name(self, backend: Backend) -> str:
        """What to call one of several, where its only label may be another's."""
        return backend.shown if self.find(backend.shown) is backend else backend.shown_provider

    # -- trust -------------------------------------------------------------------------

    def set_trust(self, level: str) -> None:
        """Tighten what the host and the environment set, or go back to that, never below."""
        check_option(level, TRUST, "trust")
        if TRUST.index(level) < TRUST.index(self.trust_floor):
            raise ValueError(
                f"trust cannot be loosened to {level!r}: {self.config.host} or the environment "
                f"variable {self.config.trust_variable} set {self.trust_floor!r}"
            )
        self.trust = level
        self.forget_choices()

    def tighten_by_variable(self, value: str) -> None:
        """Heed what the environment says of trust; what is not understood is the strictest."""
        level = value.strip().lower()
        if level and level not in TRUST:
            warn(
                f"{self.config.trust_variable}={value!r} is not understood (it takes "
                f"{' or '.join(map(repr, TRUST))}); taken as 'require'.",
                errors.TrustSettingWarning,
                self.packages,
            )
            level = TRUST[-1]
        if level and TRUST.index(level) > TRUST.index(self.trust_floor):
            self.trust = self.trust_floor = level
