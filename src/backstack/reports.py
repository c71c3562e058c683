"""Records as tables, for a terminal and for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from ._records import BackendRecord

_COLUMNS = ("name", "aliases", "functions", "distribution", "version", "trusted", "state", "reason")


class BackendTable(tuple[BackendRecord, ...]):
    """The backends of a host, one record each; prints as a table."""

    __slots__ = ()

    def _rows(self) -> list[list[Any]]:
        return [[getattr(record, column) for column in _COLUMNS] for record in self]

    def __repr__(self) -> str:
        return render_text(_COLUMNS, self._rows()) if self else "No backends are installed."

    def _repr_html_(self) -> str:
        return render_html(_COLUMNS, self._rows()) if self else "<p>No backends are installed.</p>"


def render_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An aligned table; columns with nothing in them are left out."""
    kept, cells = _cells(columns, rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)] if cells else []
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:]]) if kept else ""


def render_html(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The same as an HTML table."""
    _, (head, *body) = _cells(columns, rows)
    lines = [_html_row(head, "th"), *(_html_row(row, "td") for row in body)]
    return f"<table>\n{chr(10).join(lines)}\n</table>"


def _html_row(cells: Sequence[str], tag: str) -> str:
    inner = "".join(f'<{tag} style="text-align: left">{escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _cells(
    columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> tuple[list[int], list[list[str]]]:
    shown = [[_cell(value) for value in row] for row in rows]
    kept = [i for i in range(len(columns)) if not shown or any(row[i] for row in shown)]
    table = [list(columns), *shown]
    return kept, [[row[i] for i in kept] for row in table]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, float):
        return f"{value:.6f}"
    return " ".join(str(value).split())
