"""A Sphinx extension for hosts: the documentation of functions shows what backends add to it.

In ``conf.py``::

    extensions = ["sphinx.ext.autodoc", "numpydoc", "backstack.sphinx"]
    backstack_dispatchers = ["example_host._backends:dispatcher"]

Then the backends that are installed are loaded for the build, and

- signatures and *Other Parameters* of dispatched functions show the options of the backends, each
  with its provider;
- below the summary of each function stands which backends have it, "Also on: dask, jax", with links
  to their documentation, as their packages' metadata tell (``Project-URL: Documentation``);
  ``backstack_links`` has other addresses, by any name of a backend,
  ``{"jax": "https://example.org/{function}.html"}``, where ``{function}`` is the name that
  backends export;
- the directive ``.. backstack-coverage:: example_host._backends:dispatcher`` is a table of
  functions and backends; where `backstack_dispatchers` has only one, it needs no argument.

A backend that fails to load or is refused is a warning (``backstack.backend``) and is not shown;
one that says that it cannot run here is shown, since the documentation is for other machines. A
build without any backend works, too, and says nothing of them.
"""

from __future__ import annotations

from importlib import metadata
from pkgutil import resolve_name
from typing import Any, cast

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ._names import did_you_mean
from ._records import Backend
from ._routes import Route
from .coverage import make_coverage
from .dispatcher import BackendDispatcher
from .explaining import find_call

_log = logging.getLogger(__name__)

_YES, _UNKNOWN, _NO = "✓", "?", ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension; Sphinx calls this.

    Parameters
    ----------
    app : sphinx.application.Sphinx
        The build.

    Returns
    -------
    dict
        What Sphinx wants to know of an extension.
    """
    app.add_config_value("backstack_dispatchers", [], "env", types=[list, tuple, str])
    app.add_config_value("backstack_links", {}, "env", types=[dict])
    app.add_directive("backstack-coverage", _CoverageDirective)
    app.connect("builder-inited", load_backends)
    app.connect("autodoc-process-docstring", add_backends)
    app.connect("missing-reference", refer_to_reexported, priority=900)  # after other projects
    version = metadata.version("backstack")
    return {"version": version, "parallel_read_safe": True, "parallel_write_safe": True}


def load_backends(app: Sphinx) -> None:
    """Load every backend for the build; one that fails is a warning, and costs only itself."""
    _check_addresses(app.config.backstack_links)
    dispatchers = [find_dispatcher(place) for place in _places(app)]
    for dispatcher in dispatchers:
        dispatcher.discover()
        for record in dispatcher.backends():
            if record.state in ("failed", "refused"):
                _log.warning(
                    "backend %r of %s is not shown: %s",
                    record.name,
                    dispatcher._config.host,
                    record.reason,
                    type="backstack",
                    subtype="backend",
                )
    _check_labels(app.config.backstack_links, dispatchers)


def _places(app: Sphinx) -> list[str]:
    """Where the dispatchers are, as configured: one, or a list of them."""
    places = app.config.backstack_dispatchers
    return [places] if isinstance(places, str) else list(places)


def find_dispatcher(place: str) -> BackendDispatcher:
    """The dispatcher at ``module:attribute``; a mistake in ``conf.py`` where there is none."""
    try:
        found = resolve_name(place)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"backstack: {place!r} cannot be found: {error}") from error
    if not isinstance(found, BackendDispatcher):
        raise ConfigError(f"backstack: {place!r} is no BackendDispatcher: {found!r}")
    return found


def _check_addresses(links: dict[str, str]) -> None:
    for label, address in links.items():
        try:
            address.format(function="")
        except (AttributeError, LookupError, ValueError) as error:
            missing = isinstance(error, KeyError)
            why = f"there is no placeholder {{{error.args[0]}}}" if missing else str(error)
            raise ConfigError(
                f"backstack_links[{label!r}] is {address!r}: {why}; the only placeholder is "
                "{function}"
            ) from error


def _check_labels(links: dict[str, str], dispatchers: list[BackendDispatcher]) -> None:
    known = {label for dispatcher in dispatchers for label in dispatcher._config.trusted_labels}
    for dispatcher in dispatchers:
        known.update(*(backend.labels for backend in dispatcher._registry.by_name()))
    for label in links:
        if label not in known:
            _log.warning(
                "backstack_links: no backend is called %r.%s",
                label,
                did_you_mean(label, known),
                type="backstack",
                subtype="link",
            )


def _shown(dispatcher: BackendDispatcher) -> dict[str, Backend]:
    """The backends that this build shows, by the names that they have in the coverage."""
    registry = dispatcher._registry
    usable = [backend for backend in registry.candidates() if backend.failure is None]
    return dict(sorted((registry.shown_name(backend), backend) for backend in usable))


# -- at functions --------------------------------------------------------------------------


def add_backends(
    app: Sphinx, what: str, name: str, function: Any, options: Any, lines: list[str]
) -> None:
    """Say below the summary of a dispatched function which backends have it."""
    for place in _places(app) if callable(function) else ():
        dispatcher = find_dispatcher(place)
        route = _route_behind(dispatcher, function)
        if route is not None:
            shown = [
                _linked(app, dispatcher, route, name, backend)
                for name, backend in _having(dispatcher, route).items()
            ]
            if shown:
                at = _after_summary(lines)
                also = [
                    "",
                    ".. container:: backstack-backends",
                    "",
                    f"   Also on: {', '.join(shown)}",
                    "",
                ]
                lines[at:at] = also
            return


def _route_behind(dispatcher: BackendDispatcher, function: Any) -> Route | None:
    """The route of a dispatched function, also below decorators like `functools.wraps`."""
    call = find_call(function, (), {}, dispatcher._own_route)
    return None if call is None else call.route


def _having(dispatcher: BackendDispatcher, route: Route) -> dict[str, Backend]:
    coverage = make_coverage(dispatcher._registry, [route])
    shown = _shown(dispatcher).items()
    return {name: backend for name, backend in shown if coverage.implemented(route.name, name)}


def _linked(
    app: Sphinx, dispatcher: BackendDispatcher, route: Route, name: str, backend: Backend
) -> str:
    address = _address(app.config.backstack_links, dispatcher, route.name, backend)
    return f"`{name} <{address}>`__" if address else f"``{name}``"


def _address(
    links: dict[str, str], dispatcher: BackendDispatcher, function: str, backend: Backend
) -> str | None:
    """Where the backend documents itself: as configured, else as its package says."""
    for label in backend.labels:  # its name comes first; an alias may be another's
        if label in links and dispatcher._registry.find(label) is backend:
            return links[label].format(function=function)
    if backend.provider is None or backend.provider.distribution is None:
        return None
    try:
        urls = metadata.metadata(backend.provider.distribution).get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return None
    pairs = (url.partition(",") for url in urls)
    named = {label.strip().lower(): address.strip() for label, _, address in pairs}
    return next(
        (named[label] for label in ("documentation", "docs", "homepage") if label in named), None
    )


def _after_summary(lines: list[str]) -> int:
    """Behind the first paragraph."""
    begun = False
    for number, line in enumerate(lines):
        if begun and not line.strip():
            return number
        begun = begun or bool(line.strip())
    return len(lines)


# -- the table -----------------------------------------------------------------------------


class _CoverageDirective(SphinxDirective):
    """A table of functions and backends; its argument is where the dispatcher is."""

    optional_arguments = 1
    final_argument_whitespace = False

    def run(self) -> list[nodes.Node]:
        """The table, in which each function refers to where it is documented."""
        place = self.arguments[0] if self.arguments else self._only_place()
        dispatcher = find_dispatcher(place)
        functions, host = dispatcher.functions, dispatcher._config.host
        if functions and _shown(dispatcher):
            return [_table(place, dispatcher)]
        if not functions:
            text = f"{host} dispatches no functions."
        elif dispatcher._registry.candidates():
            text = f"None of the backends of {host} could be loaded when this was built."
        else:
            text = f"No backends of {host} were installed when this was built."
        return [nodes.paragraph(text, text)]

    def _only_place(self) -> str:
        places = _places(self.env.app)
        if len(places) != 1:
            told = ", ".join(places) or "none"
            raise self.error(
                f"{self.name}: say of which dispatcher, as in '.. {self.name}:: module:attribute' "
                f"(backstack_dispatchers in conf.py names {told})."
            )
        return places[0]


def _table(place: str, dispatcher: BackendDispatcher) -> nodes.table:
    coverage, backends = dispatcher.coverage(), _shown(dispatcher)
    head: list[nodes.Node] = [nodes.Text("Function"), *map(nodes.Text, backends)]
    rows = [head]
    for function in coverage.functions:
        cells: list[nodes.Node] = [_reference(function, place, dispatcher.functions[function])]
        for backend in backends:
            implemented = coverage.implemented(function, backend)
            mark = {True: _YES, None: _UNKNOWN, False: _NO}[implemented]
            options = ", ".join(coverage.options(function, backend))
            cells.append(nodes.Text(f"{mark} ({options})" if options else mark))
        rows.append(cells)
    group = nodes.tgroup("", cols=len(head))
    for column in zip(*rows, strict=True):  # builders of plain text put quotes around a function
        group += nodes.colspec("", colwidth=2 + max(len(cell.astext()) for cell in column))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows[1:]))
    return nodes.table("", group, classes=["backstack-coverage"])


def _row(cells: list[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def _reference(name: str, place: str, public: Any) -> addnodes.pending_xref:
    """The function's name, which becomes a link if the function is documented."""
    module = getattr(public, "__module__", "")
    target = f"{module}.{getattr(public, '__qualname__', name)}"
    reference = addnodes.pending_xref(
        "",
        nodes.literal(name, name),
        refdomain="py",
        reftype="obj",
        reftarget=target,
        refwarn=False,
    )
    reference["py:module"] = reference["py:class"] = None
    reference["backstack-dispatcher"] = place
    return reference


def refer_to_reexported(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.Element
) -> nodes.Element | None:
    """Have the table refer to a function that is documented elsewhere than where it is defined.

    One that is documented nowhere is text, and no warning in a build that is nitpicky.
    """
    if "backstack-dispatcher" not in node:
        return None
    dispatcher = find_dispatcher(node["backstack-dispatcher"])
    route = _route_behind(dispatcher, dispatcher.functions.get(node.astext()))
    python = env.domains["py"]
    end = "." + node["reftarget"].rpartition(".")[2]
    documented = [name for name, *_ in python.get_objects() if name.endswith(end)]
    for name in sorted(documented, key=len):
        if route is not None and _route_behind(dispatcher, _object_at(name)) is route:
            refdoc = cast("str", node["refdoc"])
            return python.resolve_xref(env, refdoc, app.builder, "obj", name, node, text)
    return text


def _object_at(name: str) -> Any:
    try:
        return resolve_name(name)
    except Exception:  # whatever importing it raises: it may be documented and not be there
        return None
