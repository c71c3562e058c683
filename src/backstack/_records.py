"""What is known of one backend, before and after it is loaded."""

import contextlib
from collections.abc import Mapping
from inspect import getattr_static
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any, Literal, NamedTuple

from ._names import ADAPTER_FIELDS
from ._warn import Once


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()  # nothing there, where None would be something


class Declaration(NamedTuple):
    """What an adapter's source says, read without running it.

    Attributes
    ----------
    name : object
        The literal, or `MISSING`.
    aliases : object
        The literal, or `MISSING`.
    exports : tuple of str
        The public names that it defines or imports, or those in its ``__all__``.
    options : dict
        For each function defined there: its parameters, with their defaults where
        these are literals (`MISSING` where not).
    computed : bool
        Whether its labels are known only once it runs.
    complete : bool
        Whether it can have no exports besides those.
    doubtful : frozenset of str
        Those of the exports that may come to nothing, as one that is also set to None or deleted.
    values : frozenset of str
        Those of the exports that are literals, and so are no functions.
    """

    name: Any = MISSING
    aliases: Any = MISSING
    exports: tuple[str, ...] = ()
    options: Mapping[str, dict[str, Any]] = MappingProxyType({})
    computed: bool = True
    complete: bool = False
    doubtful: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()


UNREADABLE = Declaration()

State = Literal["found", "loaded", "failed", "refused", "unavailable"]


class Provider(NamedTuple):
    """The entry point that offers an adapter, and the distribution that ships it."""

    entry_names: tuple[str, ...]
    module: str
    attribute: str = ""
    distribution: str | None = None
    version: str | None = None

    @property
    def object_ref(self) -> str:
        """``module`` or ``module:attribute``."""
        return f"{self.module}:{self.attribute}" if self.attribute else self.module

    def __str__(self) -> str:
        return f"{self.object_ref} of {self.distribution or 'an unnamed distribution'}"


class Backend:
    """One backend of one host: what provides it, what it declares, and its adapter.

    Attributes
    ----------
    provider : Provider or None
        None for one that was registered by hand.
    declared : Declaration
        What its source says.
    name : str or None
        Its canonical name; None while only loading it can tell.
    aliases : tuple of str
        Its other labels.
    trusted : bool
        Whether the host vouches for it.
    may_be_trusted : bool
        Whether its provider is one that the host lists, and its name is not known yet.
    refusal : tuple of (str, str, str) or None
        Why it must not be used: the trusted name, what the host expects, what was found.
    shadowed : str or None
        Why it goes without a name: another backend has it, or none may.
    adapter : object or None
        The adapter, once loaded.
    exports : frozenset of str or None
        What its ``__all__`` lists, once loaded; None where there is none.
    failure, unavailable : str or None
        What went wrong the last time it was asked for; why it said that it cannot run here.
    available : bool
        Whether it said that it can run here; then it is not asked again.
    problems : list of str
        What is to be warned of when it is used.
    once : Once
        The warnings given on its account. They go with it.
    """

    def __init__(self, provider: Provider | None, declared: Declaration = UNREADABLE) -> None:
        self.provider = provider
        self.declared = declared
        self.name: str | None = None
        self.aliases: tuple[str, ...] = ()
        self.trusted = False
        self.may_be_trusted = False
        self.refusal: tuple[str, str, str] | None = None
        self.shadowed: str | None = None
        self.adapter: Any = None
        self.exports: frozenset[str] | None = None
        self.failure: str | None = None
        self.unavailable: str | None = None
        self.available = False
        self.problems: list[str] = []
        self.once: Once = Once()

    @property
    def labels(self) -> tuple[str, ...]:
        """Its name and its aliases."""
        return self.aliases if self.name is None else (self.name, *self.aliases)

    @property
    def shown(self) -> str:
        """What to call it in a message."""
        if self.name is not None:
            return self.name
        return self.aliases[0] if self.aliases else str(self.provider)

    @property
    def shown_provider(self) -> str:
        """Where it comes from, for a message."""
        return str(self.provider) if self.provider else "an adapter registered by hand"

    @property
    def state(self) -> State:
        """Found, loaded, failed, refused or unavailable."""
        if self.refusal or self.shadowed:
            return "refused"
        if self.failure:
            return "failed"
        if self.unavailable:
            return "unavailable"
        return "found" if self.adapter is None else "loaded"

    @property
    def reason(self) -> str | None:
        """Why it is in that state, where there is something to say."""
        if self.refusal:
            _, expected, found = self.refusal
            return f"expected {expected}; found {found}"
        return self.shadowed or self.failure or self.unavailable

    def public_names(self) -> set[str]:
        """Every name that it offers, reading no attribute of its adapter."""
        if self.adapter is None:
            names = set(self.declared.exports)
        elif self.exports is not None:
            names = set(self.exports)
        else:
            computed = {name for name in self.declared.exports if self._computes(name)}
            names = computed | self.static_names()
        return names - ADAPTER_FIELDS

    def implements(self, function: str) -> bool | None:
        """Whether it has that function; None where only running code of it can tell."""
        if self.adapter is None:
            if function in self.declared.exports:
                return None if function in self.declared.doubtful else True
            return False if self.declared.complete else None
        if self.exports is not None:
            return function in self.exports and self._static(function) is not None
        if function in self.static_names():
            return True
        return None if self._computes(function) else False

    def _static(self, name: str) -> Any:
        """An attribute of the loaded adapter, if it is there without any code of it running."""
        if isinstance(self.adapter, ModuleType):
            return vars(self.adapter).get(name, MISSING)
        return getattr_static(self.adapter, name, MISSING)

    def _computes(self, name: str) -> bool:
        """Whether the loaded adapter may make that attribute when it is asked for."""
        if isinstance(self.adapter, ModuleType):
            return "__getattr__" in vars(self.adapter)
        spaces = [vars(base) for base in type(self.adapter).__mro__]
        return any(
            isinstance(space.get(name), property)
            or "__getattr__" in space
            or isinstance(space.get("__getattribute__"), FunctionType)
            for space in spaces
        )

    def static_names(self) -> set[str]:
        """What a loaded adapter has that can be read without any code of it running."""
        adapter = self.adapter
        bases = () if isinstance(adapter, ModuleType) else type(adapter).__mro__
        items: dict[str, Any] = {}
        for base in reversed(bases):
            items.update(vars(base))
        with contextlib.suppress(AttributeError):  # it may have slots instead
            items.update(object.__getattribute__(adapter, "__dict__"))
        inert = (ModuleType, property, type(None))
        return {
            name
            for name, value in items.items()
            if not name.startswith("_") and not isinstance(value, inert)
        }


class BackendRecord(NamedTuple):
    """What `backends()` tells of one installed backend.

    Attributes
    ----------
    name : str
        Its canonical name, or what stands for it while only loading it can tell.
    aliases : tuple of str
        Its other names.
    functions : tuple of str
        The host's functions that it implements, as far as is known without running it.
    distribution, version : str or None
        The package that ships it; None for one that was registered by hand.
    trusted : bool
        Whether the host vouches for it.
    state : str
        ``"found"``, ``"loaded"``, ``"failed"``, ``"refused"`` or ``"unavailable"``.
    reason : str or None
        Why it is in that state, where there is something to say.
    """

    name: str
    aliases: tuple[str, ...]
    functions: tuple[str, ...]
    distribution: str | None
    version: str | None
    trusted: bool
    state: State
    reason: str | None

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON.

        Returns
        -------
        dict
            One item per attribute.
        """
        return self._asdict()
