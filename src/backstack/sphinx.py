"""A Sphinx extension for hosts: the documentation of functions shows what backends add to it.

In ``conf.py``::

    extensions = ["sphinx.ext.autodoc", "numpydoc", "backstack.sphinx"]
    backstack_dispatchers = ["example_host._backends:dispatcher"]

Then the backends that are installed are loaded for the build, and

- signatures and *Other Parameters* of dispatched functions show the options of the backends, each
  with its provider;
- below the summary of each function stands which backends have it, "Also on: dask, jax", with links
  to their documentation, as their packages' metadata tell (``Project-URL: Documentation``);
  ``backstack_links`` has other addresses, ``{"jax": "https://example.org/{function}.html"}``, where
  ``{function}`` is the name that backends export;
- the directive ``.. backstack-coverage:: example_host._backends:dispatcher`` is a table of
  functions and backends.

A build without any backend works, too, and says nothing of them.
"""

from __future__ import annotations

from importlib import metadata
from pkgutil import resolve_name
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from ._routes import Route
from .coverage import Coverage
from .dispatcher import BackendDispatcher

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
    app.add_config_value("backstack_dispatchers", [], "env", types=[list, tuple])
    app.add_config_value("backstack_links", {}, "env", types=[dict])
    app.add_directive("backstack-coverage", _CoverageDirective)
    app.connect("builder-inited", load_backends)
    app.connect("autodoc-process-docstring", add_backends)
    version = metadata.version("backstack")
    return {"version": version, "parallel_read_safe": True, "parallel_write_safe": True}


def load_backends(app: Sphinx) -> None:
    """Load every backend for the build; one that fails is a warning, and costs only itself."""
    for place in app.config.backstack_dispatchers:
        dispatcher = find_dispatcher(place)
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


def find_dispatcher(place: str) -> BackendDispatcher:
    """The dispatcher at ``module:attribute``; a mistake in ``conf.py`` where there is none."""
    from sphinx.errors import ConfigError

    try:
        found = resolve_name(place)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"backstack: {place!r} cannot be found: {error}") from error
    if not isinstance(found, BackendDispatcher):
        raise ConfigError(f"backstack: {place!r} is no BackendDispatcher: {found!r}")
    return found


# -- at functions --------------------------------------------------------------------------


def add_backends(
    app: Sphinx, what: str, name: str, function: Any, options: Any, lines: list[str]
) -> None:
    """Say below the summary of a dispatched function which backends have it."""
    for place in app.config.backstack_dispatchers:
        dispatcher = find_dispatcher(place)
        route = dispatcher._own_route(function)
        if route is not None:
            shown = [
                _linked(app, dispatcher, route, backend) for backend in _having(dispatcher, route)
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


def _having(dispatcher: BackendDispatcher, route: Route) -> list[str]:
    coverage = dispatcher.coverage()
    return [b for b in coverage.backends if coverage.implemented(route.name, b)]


def _linked(app: Sphinx, dispatcher: BackendDispatcher, route: Route, backend: str) -> str:
    address = _address(app.config.backstack_links, dispatcher, route.name, backend)
    return f"`{backend} <{address}>`__" if address else f"``{backend}``"


def _address(
    links: dict[str, str], dispatcher: BackendDispatcher, function: str, backend: str
) -> str | None:
    """Where the backend documents itself: as configured, else as its package says."""
    if backend in links:
        return links[backend].format(function=function)
    record = next(record for record in dispatcher.backends() if record.name == backend)
    if record.distribution is None:
        return None
    try:
        urls = metadata.metadata(record.distribution).get_all("Project-URL") or []
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

    required_arguments = 1
    final_argument_whitespace = False

    def run(self) -> list[nodes.Node]:
        """The table, in which each function refers to where it is documented."""
        dispatcher = find_dispatcher(self.arguments[0])
        coverage = dispatcher.coverage()
        if not coverage.functions:
            text = f"{coverage.host} dispatches no functions."
            return [nodes.paragraph(text, text)]
        if not coverage.backends:
            text = f"No backends of {coverage.host} were installed when this was built."
            return [nodes.paragraph(text, text)]
        return [_table(coverage, dispatcher)]


def _table(coverage: Coverage, dispatcher: BackendDispatcher) -> nodes.table:
    head: list[nodes.Node] = [nodes.Text("Function"), *map(nodes.Text, coverage.backends)]
    body = []
    for function in coverage.functions:
        cells: list[nodes.Node] = [_reference(function, dispatcher.functions[function])]
        for backend in coverage.backends:
            implemented = coverage.implemented(function, backend)
            mark = {True: _YES, None: _UNKNOWN, False: _NO}[implemented]
            options = ", ".join(coverage.options(function, backend))
            cells.append(nodes.Text(f"{mark} ({options})" if options else mark))
        body.append(cells)
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec("", colwidth=1) for _ in head]
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, body))
    return nodes.table("", group, classes=["backstack-coverage"])


def _row(cells: list[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def _reference(name: str, public: Any) -> addnodes.pending_xref:
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
        refspecific=True,
    )
    reference["py:module"] = reference["py:class"] = None
    return reference
