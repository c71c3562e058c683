"""What is wrong with an adapter, as far as that shows without calling its functions."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from . import errors
from ._bodies import kind_of
from ._choices import Origin, Selection
from ._classes import ClassRoute
from ._differences import of_classes, of_functions
from ._docstrings import documents
from ._eager_imports import eager_imports
from ._failing_lines import failing_line
from ._loading import read_aliases
from ._names import CPU, nearest, usable_aliases
from ._options import options_among
from ._records import MISSING, Backend, Provider
from ._registry import Registry
from ._routes import Route
from ._self_calls import calls_back
from ._sources import source_of
from ._trust import adapter_module
from ._warn import collected
from .reports import RecordTable

Severity = Literal["error", "warning", "note"]

_SHORTEST = 3  # letters of a name that can be taken for a misspelt one
#: Kinds of bodies, by what the functions are called that have them.
_KINDS = {
    "function": "a function",
    "coroutine": "a coroutine function",
    "generator": "a generator function",
    "async generator": "an async generator function",
}


class Finding(NamedTuple):
    """One thing about an adapter that its authors should know.

    Attributes
    ----------
    severity : str
        ``"error"``: calls fail. ``"warning"``: it works, and somebody will be surprised.
        ``"note"``: nothing is wrong.
    code : str
        What kind of finding it is, in a word or two with hyphens.
    function : str or None
        The host's function that it is about.
    message : str
        A sentence.
    """

    severity: Severity
    code: str
    function: str | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON.

        Returns
        -------
        dict
            One item per attribute.
        """
        return self._asdict()


class Findings(RecordTable[Finding]):
    """What is to be said of an adapter, the worst first; prints as a table."""

    __slots__ = ()

    columns: tuple[str, ...] = ("severity", "code", "function", "message")
    nothing: str = "Nothing to complain of."

    @property
    def ok(self) -> bool:
        """Whether there are only notes among them."""
        return all(finding.severity == "note" for finding in self)


def check_adapter(
    registry: Registry, routes: Sequence[Route], backend: Backend, origin: Origin
) -> Findings:
    """Look at everything that an adapter promises, loading it."""
    order = {"error": 0, "warning": 1, "note": 2}
    found = dict.fromkeys(_checked(registry, routes, backend, origin))
    return Findings(sorted(found, key=lambda finding: order[finding.severity]))


def _checked(
    registry: Registry, routes: Sequence[Route], backend: Backend, origin: Origin
) -> Iterator[Finding]:
    with collected():
        try:
            registry.make_ready(backend, origin)
        except errors.BackendUnavailableError as error:
            yield Finding("warning", "unavailable", None, f"It cannot run here: {error.reason}.")
        except (errors.BackendError, errors.BackstackWarning) as error:
            yield Finding("error", _code(error), None, _told(error, backend))
            return
    yield from _whatever(None, _of_labels, registry, backend)
    yield from _whatever(None, _of_exports, registry, backend, routes)
    for route in routes:
        yield from _whatever(route.name, _of_function, backend, route, origin)
    if routes and all(route.plans.get(backend, MISSING) is None for route in routes):
        text = f"It implements no function of {registry.config.host}."
        yield Finding("warning", "empty", None, text)
    yield from _whatever(None, _of_imports, registry, backend, routes)


def _whatever(
    function: str | None, check: Callable[..., Iterator[Finding]], *args: Any
) -> Iterator[Finding]:
    """What a check finds; foreign objects may do anything when they are looked at."""
    try:
        yield from check(*args)
    except Exception as error:
        text = f"Looking at it raises {type(error).__name__}: {error}"
        yield Finding("warning", "odd", function, text)


def _told(error: Exception, backend: Backend) -> str:
    """What an error says, and where the backend's code came to it."""
    provider = backend.provider
    module = provider.module if provider is not None else adapter_module(backend.adapter)
    line = failing_line(error.__cause__, module)
    return f"{error} (at {line})" if line is not None else str(error)


def _code(error: Exception) -> str:
    codes: dict[type[Exception], str] = {
        errors.UntrustedBackendError: "untrusted",
        errors.UnlistedBackendWarning: "unlisted",
        errors.BackendLoadError: "load-failed",
    }
    return codes.get(type(error), "unusable")


# -- as a whole ----------------------------------------------------------------------------


def _of_labels(registry: Registry, backend: Backend) -> Iterator[Finding]:
    for problem in backend.problems:
        yield Finding("warning", "label", None, f"{problem[0].upper()}{problem[1:]}.")
    for label, losers in registry.table().contested.items():
        winner = registry.table().labels.get(label)
        if backend is winner or backend in losers:
            others = [b.shown_provider for b in (winner, *losers) if b not in (None, backend)]
            has = "which has it" if backend is winner else "which does not get it"
            text = (
                f"The name {label!r} is claimed by {', '.join(others)} as well as by this, {has}."
            )
            yield Finding("warning", "conflict", None, text)
    if backend.provider is not None:
        yield from _of_entry_point(backend, backend.provider)
    if not backend.trusted:
        host = registry.config.host
        text = f"{host} does not list it as trusted, and warns everybody who uses it."
        yield Finding("note", "unlisted", None, text)


def _of_entry_point(backend: Backend, provider: Provider) -> Iterator[Finding]:
    if backend.declared.computed:
        why = "so that it has to be imported to find them"
        if not _has_source(provider.module):
            text = f"It has no source that can be read for its labels, {why}."
            yield Finding("note", "computed-label", None, text)
        else:
            text = f"Its source does not show its labels, {why}. {_how_to_show_labels(provider)}"
            yield Finding("warning", "computed-label", None, text)
    own, _ = usable_aliases(read_aliases(backend.adapter), ())
    for name in provider.entry_names if backend.name not in provider.entry_names else ():
        if name in backend.aliases and name not in own:
            text = f"Its entry point is not called {backend.name!r}: {name!r} is one more alias."
            yield Finding("note", "entry-point-name", None, text)


def _has_source(module: str) -> bool:
    try:
        return source_of(module) is not None
    except Exception:  # it can be imported nevertheless
        return False


def _how_to_show_labels(provider: Provider) -> str:
    labels = "Write 'name = ...' and 'aliases = [...]'"
    if not provider.attribute:
        return f"{labels} at its top level, once and literally."
    return (
        f"{labels}, once and literally, in the body of a class in {provider.module}, and let the "
        "entry point name that class, or an object made there by calling it without arguments."
    )


def _of_exports(registry: Registry, backend: Backend, routes: Sequence[Route]) -> Iterator[Finding]:
    known = {route.name: route for route in routes}
    host = registry.config.host
    for name in sorted(backend.public_names() - known.keys()):
        listed = backend.exports is not None and name in backend.exports
        meant = nearest(name, known) if len(name) >= _SHORTEST else None
        if listed or (meant is not None and _may_be_meant(backend, name, known[meant])):
            text = f"It exports {name!r}, and {host} has no function of that name."
            hint = f" Did you mean {meant!r}?" if meant is not None else ""
            if not listed:
                hint += " If it is no function of the host, list the exports in __all__."
            yield Finding("warning", "no-such-function", None, text + hint)


def _may_be_meant(backend: Backend, name: str, route: Route) -> bool:
    """Whether an adapter without ``__all__`` defines that itself, and for a route of that kind."""
    value = inspect.getattr_static(backend.adapter, name, None)
    value = getattr(value, "__func__", value)
    try:
        own = bool(value.__module__ == adapter_module(backend.adapter))
    except Exception:
        return False
    return own and callable(value) and isinstance(value, type) != route.by_name


def _of_imports(registry: Registry, backend: Backend, routes: Sequence[Route]) -> Iterator[Finding]:
    if backend.provider is None:
        return
    module = backend.provider.module
    fine: set[str] = {"backstack", module.partition(".")[0], *registry.packages}
    for package in {name.partition(".")[0] for name in registry.packages}:
        fine.update(eager_imports(package))
    for route in routes:
        fine.update(eager_imports(str(getattr(route.host, "__module__", None) or "")))
    for package, importer in sorted(eager_imports(module).items()):
        if package not in fine and package in sys.modules:
            yield Finding(
                "warning",
                "eager-import",
                None,
                f"Importing it imports {package}, in {importer}, before any function is used. "
                "A module __getattr__ can put that off.",
            )


# -- function by function ------------------------------------------------------------------


def _of_function(backend: Backend, route: Route, origin: Origin) -> Iterator[Finding]:
    name = route.name
    selection = Selection((backend.shown,), (backend.shown,), (backend,), origin)
    try:
        plan = route.plan(backend, selection)
    except (errors.BackendLoadError, TypeError) as error:
        yield Finding("error", "export", name, _told(error, backend))
        return
    if plan is None:
        return
    host = route.registry.config.host
    if plan.implementation is route.public():
        text = f"It exports the host's own {name}(), which leads back to itself."
        yield Finding("error", "recursion", name, text)
        return
    is_host = plan.implementation is route.host  # which may well call itself
    own_labels = {
        label for label, owner in route.registry.table().labels.items() if owner is backend
    }
    if not is_host and calls_back(plan.implementation, route.public(), route.keyword, own_labels):
        text = f"It calls {name}() of {host} without {route.keyword}={CPU!r}, "
        yield Finding("error", "recursion", name, text + "which leads back to itself.")
    if isinstance(route, ClassRoute):
        cls: Any = plan.implementation
        if route.host_class not in cls.__mro__:
            for severity, code, text in of_classes(route.cls, route.keyword, cls):
                yield Finding(severity, code, name, text)
        return
    theirs, own = kind_of(route.host), kind_of(plan.implementation)
    if theirs != own:
        text = f"It is {_KINDS[own]}, and the host's is {_KINDS[theirs]}."
        yield Finding("error", "kind", name, text)
    if route.keyword in plan.own.named:
        text = f"It never gets its {route.keyword!r}: the dispatcher reads that, and keeps it."
        yield Finding("warning", "unreachable-option", name, text)
    for severity, code, text in of_functions(route.callee, plan):
        yield Finding(severity, code, name, text)
    for option in options_among(route, plan.own.keywords):
        if not documents(plan.implementation, option):
            text = f"Its option {option!r} is not described in its docstring."
            text += _how_to_document(plan.implementation, option)
            yield Finding("warning", "undocumented-option", name, text)


def _how_to_document(implementation: Callable[..., Any], option: str) -> str:
    """A sentence about an option that the docstring has something of, in whatever form."""
    if not re.search(rf"\b{re.escape(option)}\b", inspect.getdoc(implementation) or ""):
        return ""
    return (
        f" It is looked for as numpydoc has it: '{option} : type', with a text below it, under "
        "Parameters or Other Parameters."
    )
