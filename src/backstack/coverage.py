"""Which backend implements which function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from ._options import options_of
from ._records import Backend
from ._registry import Registry
from ._routes import Route
from .reports import render_markdown, render_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNKNOWN = "?: only running code of the backend can tell."
_LEFT, _CENTER = 'style="text-align: left"', 'style="text-align: center"'
_COLORS = {True: "rgba(0, 160, 90, .3)", None: "rgba(200, 150, 0, .3)", False: "transparent"}


class Cell(NamedTuple):
    """What one backend has of one function.

    Attributes
    ----------
    implemented : bool or None
        None where only running code of the backend can tell.
    options : tuple of str
        The parameters that it adds to those of the host.
    """

    implemented: bool | None
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = {True: "yes", None: "?", False: "-"}[self.implemented]
        return f"{shown} ({', '.join(self.options)})" if self.options else shown


class Coverage:
    """Functions and backends, and which of these implements which of those.

    It prints as a table, in a notebook as a coloured one. The last row counts what each backend
    has, as in ``2-3 of 4`` where one is not known.

    Attributes
    ----------
    host : str
        Whose functions these are.
    functions : tuple of str
        The functions, sorted.
    backends : tuple of str
        The backends that may run, sorted.
    """

    def __init__(
        self,
        host: str,
        functions: Iterable[str],
        backends: Iterable[str],
        cells: Mapping[tuple[str, str], Cell],
    ) -> None:
        self.host = host
        self.functions: tuple[str, ...] = tuple(functions)
        self.backends: tuple[str, ...] = tuple(backends)
        self._cells = cells

    def implemented(self, function: str, backend: str) -> bool | None:
        """Whether a backend has a function.

        Parameters
        ----------
        function, backend : str
            One of `functions`, and one of `backends`.

        Returns
        -------
        bool or None
            None where only running code of the backend can tell.

        Raises
        ------
        KeyError
            If there is no such function or backend.
        """
        return self._cells[function, backend].implemented

    def options(self, function: str, backend: str) -> tuple[str, ...]:
        """The parameters that a backend adds to those of the host, as far as they are known.

        Parameters
        ----------
        function, backend : str
            One of `functions`, and one of `backends`.

        Returns
        -------
        tuple of str
            Their names.

        Raises
        ------
        KeyError
            If there is no such function or backend.
        """
        return self._cells[function, backend].options

    def as_dict(self) -> dict[str, Any]:
        """The same as nested dictionaries, for JSON.

        Returns
        -------
        dict
            ``["coverage"][function][backend]`` has ``"implemented"`` and ``"options"``.
        """
        return {
            "host": self.host,
            "functions": list(self.functions),
            "backends": list(self.backends),
            "coverage": {
                function: {
                    backend: self._cells[function, backend]._asdict() for backend in self.backends
                }
                for function in self.functions
            },
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Coverage:
        """What `as_dict` was made of.

        Parameters
        ----------
        told : mapping
            As `as_dict` gives it, also by way of JSON.

        Returns
        -------
        Coverage
            Equal in all that it tells.
        """
        cells = {
            (function, backend): Cell(cell["implemented"], tuple(cell["options"]))
            for function, row in told["coverage"].items()
            for backend, cell in row.items()
        }
        return cls(told["host"], told["functions"], told["backends"], cells)

    def to_markdown(self) -> str:
        """The same as a Markdown table.

        Returns
        -------
        str
            For a README or a documentation page.
        """
        return self._rendered(render_markdown) if self._cells else self._nothing

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw it: a square for each function and backend.

        Green is implemented, a number says with how many options; yellow is not known.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; by default in a figure of its own.

        Returns
        -------
        matplotlib.axes.Axes
            What it is drawn in.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        """
        from ._drawing import draw_coverage

        return draw_coverage(self, ax)

    def save_plot(self, path: str) -> None:
        """Draw it into a file.

        Parameters
        ----------
        path : str
            Where to; what it ends with decides the format, as in ``coverage.png``.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        """
        from ._drawing import save_coverage

        save_coverage(self, path)

    @property
    def _nothing(self) -> str:
        what = "no backends that may run" if self.functions else "no dispatched functions"
        return f"There are {what}."

    def _total(self, backend: str) -> str:
        found = [self.implemented(function, backend) for function in self.functions]
        least, unknown = found.count(True), found.count(None)
        if unknown == len(found):
            return f"? of {unknown}"
        most = f"-{least + unknown}" if unknown else ""
        return f"{least}{most} of {len(found)}"

    def _rendered(self, render: Any) -> str:
        rows = [
            [function, *(str(self._cells[function, backend]) for backend in self.backends)]
            for function in self.functions
        ]
        rows.append(["", *map(self._total, self.backends)])
        text: str = render(["function", *self.backends], rows)
        return f"{text}\n\n{_UNKNOWN}" if self._partly_unknown else text

    @property
    def _partly_unknown(self) -> bool:
        return any(cell.implemented is None for cell in self._cells.values())

    def __repr__(self) -> str:
        return self._rendered(render_text) if self._cells else self._nothing

    def _repr_html_(self) -> str:
        if not self._cells:
            return f"<p>{self._nothing}</p>"
        names = "".join(f'<th scope="col" {_CENTER}>{escape(name)}</th>' for name in self.backends)
        head = f'<tr><th scope="col" {_LEFT}>function</th>{names}</tr>'
        totals = "".join(f"<td {_CENTER}>{self._total(backend)}</td>" for backend in self.backends)
        rows = "".join(map(self._html_row, self.functions))
        body = f"{rows}<tr><td></td>{totals}</tr>"
        note = f"<p>{_UNKNOWN}</p>" if self._partly_unknown else ""
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{note}"

    def _html_row(self, function: str) -> str:
        cells = [
            f'<td style="text-align: center; background: {_COLORS[cell.implemented]}">'
            f"{escape(str(cell))}</td>"
            for cell in (self._cells[function, backend] for backend in self.backends)
        ]
        name = f'<th scope="row" {_LEFT}>{escape(function)}</th>'
        return f"<tr>{name}{''.join(cells)}</tr>"


def make_coverage(registry: Registry, routes: Iterable[Route]) -> Coverage:
    """Who implements what, as far as it is known without any code of a backend running."""
    functions = {route.name: route for route in routes}
    backends = {registry.shown_name(backend): backend for backend in registry.candidates()}
    cells = {
        (function, name): _cell(route, backend)
        for function, route in functions.items()
        for name, backend in backends.items()
    }
    return Coverage(registry.config.host, sorted(functions), sorted(backends), cells)


def _cell(route: Route, backend: Backend) -> Cell:
    if backend in route.plans:  # it was looked for already
        implemented: bool | None = route.plans[backend] is not None
    else:
        implemented = backend.implements(route.name)
    known = implemented and route.by_name
    return Cell(implemented, tuple(options_of(route, backend)) if known else ())
