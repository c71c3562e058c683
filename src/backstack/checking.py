"""What is wrong with an adapter, as far as that shows without calling its functions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from . import errors
from ._bodies import kind_of
from ._choices import Origin, Selection
from ._docstrings import documents
from ._eager_imports import eager_imports
from ._failing_lines import failing_line
from ._missing_self import about_parameter, parameter_taken
from ._names import CPU, did_you_mean, nearest
from ._options import options_among
from ._records import Backend
from ._registry import Registry
from ._routes import Route
from ._routing import EMPTY, POSITIONAL_ONLY, Callee, Plan
from ._self_calls import calls_back
from ._trust import adapter_module
from ._warn import collected
from .reports import RecordTable

Severity = Literal["error", "warning", "note"]

_NEARLY_THE_SAME = 0.82  # as `difflib` counts: one letter of six, or two that are swapped


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
    if backend.provider is not None and backend.declared.computed:
        yield Finding(
            "warning",
            "computed-label",
            None,
            "Its source does not show its labels, so that it has to be imported to find them. "
            "Write 'name = ...' and 'aliases = [...]' at its top level, once and literally.",
        )
    if not backend.trusted:
        host = registry.config.host
        text = f"{host} does not list it as trusted, and warns everybody who uses it."
        yield Finding("note", "unlisted", None, text)


def _of_exports(registry: Registry, backend: Backend, routes: Sequence[Route]) -> Iterator[Finding]:
    known = {route.name for route in routes}
    host = registry.config.host
    for name in sorted(backend.public_names() - known):
        listed = backend.exports is not None and name in backend.exports
        meant = nearest(name, known)
        if listed or (meant is not None and _is_its_own(backend, name)):
            text = f"It exports {name!r}, and {host} has no function of that name."
            hint = did_you_mean(name, known)
            yield Finding("warning", "no-such-function", None, text + hint)
    if known and not any(backend.implements(name) is not False for name in known):
        yield Finding("warning", "empty", None, f"It implements no function of {host}.")


def _is_its_own(backend: Backend, name: str) -> bool:
    """Whether an adapter without ``__all__`` defines that function, and has not imported it."""
    value = inspect.getattr_static(backend.adapter, name, None)
    value = getattr(value, "__func__", value)
    try:
        module = value.__module__
    except Exception:
        return False
    return bool(module == adapter_module(backend.adapter))


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
    is_host = plan.implementation is route.host  # which may well call itself
    if not is_host and calls_back(plan.implementation, route.public(), route.keyword):
        yield Finding(
            "error",
            "recursion",
            name,
            f"It calls {name}() of {route.registry.config.host} without {route.keyword}={CPU!r}, "
            "which leads back to itself.",
        )
    if not route.by_name:
        return
    theirs, own = kind_of(route.host), kind_of(plan.implementation)
    if theirs != own:
        text = f"It is a {own}, and the host's is a {theirs}."
        yield Finding("error", "kind", name, text.replace("a async", "an async"))
    if route.keyword in plan.own.named:
        text = f"It never gets its {route.keyword!r}: the dispatcher reads that, and keeps it."
        yield Finding("warning", "unreachable-option", name, text)
    for severity, code, text in _of_parameters(route.callee, plan):
        yield Finding(severity, code, name, text)
    for option in options_among(route, plan.own.keywords):
        if not documents(plan.implementation, option):
            text = f"Its option {option!r} is not described in its docstring."
            yield Finding("warning", "undocumented-option", name, text)


def _of_parameters(host: Callee, plan: Plan) -> Iterator[tuple[Severity, str, str]]:
    own = plan.own
    lacking = [name for name in host.named if name not in own.named]
    taken = parameter_taken(plan.implementation, plan.backend.adapter, lacking)
    if taken is not None:
        yield "error", "no-self", about_parameter(taken)
    if own.takes_anything:
        return
    for name, parameter in host.named.items():
        if name == taken:
            continue
        if name in own.named:
            if parameter.default is not EMPTY and own.named[name].default is EMPTY:
                yield "note", "required", f"It requires {name!r}, and gets the host's default."
            continue
        if own.var_keyword is not None:
            continue
        options = [option for option in own.named if option not in host.named]
        meant = nearest(name, options, _NEARLY_THE_SAME)
        hint = f" Did you mean {name!r} by {meant!r}?" if meant else ""
        always = parameter.default is EMPTY
        dropped = "is always left out" if always else "is left out with a warning where it is given"
        text = f"It has no parameter {name!r}, which {dropped}.{hint}"
        yield "warning" if always or meant else "note", "missing-parameter", text
    for name, parameter in own.named.items():
        if name not in host.named and parameter.default is EMPTY:
            text = f"It requires {name!r}, which the host does not have: every call has to give it."
            yield "error", "required-option", text
        elif parameter.kind is POSITIONAL_ONLY and name not in host.named:
            text = f"Its option {name!r} is positional-only, so that nobody can give it."
            yield "warning", "unreachable-option", text
    if host.var_positional and not plan.takes_rest():
        text = (
            f"It cannot take what a call gives for *{host.var_positional}: it has "
            f"{plan.instead_of_rest()}."
        )
        yield "warning", "no-var-positional", text
    if host.var_keyword and own.var_keyword is None:
        text = f"It leaves out what a call gives for **{host.var_keyword} and it does not name."
        yield "note", "no-var-keyword", text
