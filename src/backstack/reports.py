"""Records as tables, for a terminal, a notebook and a document."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, NamedTuple, Protocol, TypeVar

from ._records import BackendRecord

_WIDTH = 88  # characters, of texts that are wrapped
_LEFT = 'style="text-align: left; vertical-align: top"'
_RIGHT = 'style="text-align: right; vertical-align: top"'


class Record(Protocol):
    """What a row of a table shows."""

    def as_dict(self) -> dict[str, Any]:
        """One item per column, and perhaps others."""
        ...


R = TypeVar("R", bound=Record)


class Gap(NamedTuple):
    """How many rows are left out of a table, and after how many of the others."""

    after: int
    left_out: int


class Tabular:
    """What several records have in common: they print as a table.

    Attributes
    ----------
    columns : tuple of str
        What is shown of each.
    nothing : str
        What is shown if there are none.
    longest : int or None
        How many rows are printed at most; of more, some in the middle are left out.
    """

    __slots__ = ()

    columns: tuple[str, ...] = ()
    nothing: str = ""
    longest: int | None = None

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    def as_dicts(self) -> list[dict[str, Any]]:
        """The records as dictionaries, for JSON or a data frame.

        Returns
        -------
        list of dict
            One per record.
        """
        return [record.as_dict() for record in self]

    def _rows(self) -> tuple[list[list[Any]], Gap | None]:
        records, gap = list(self), None
        if self.longest is not None and len(records) > self.longest:
            last = self.longest // 4
            gap = Gap(self.longest - last, len(records) - self.longest)
            records = [*records[: gap.after], *records[-last:]]
        dicts = [record.as_dict() for record in records]
        return [[row[column] for column in self.columns] for row in dicts], gap

    def __repr__(self) -> str:
        rows, gap = self._rows()
        return render_text(self.columns, rows, gap) if rows else self.nothing

    def _repr_html_(self) -> str:
        rows, gap = self._rows()
        if not rows:
            return f"<p>{escape(self.nothing)}</p>"
        return render_html(self.columns, rows, gap)


class RecordTable(Tabular, tuple[R, ...]):
    """A tuple of records that prints as a table."""

    __slots__ = ()

    def __iter__(self) -> Iterator[R]:
        return tuple.__iter__(self)

    def __repr__(self) -> str:
        return Tabular.__repr__(self)


class BackendTable(RecordTable[BackendRecord]):
    """The backends of a host, one record each; prints as a table."""

    __slots__ = ()

    columns: tuple[str, ...] = (
        "name",
        "aliases",
        "functions",
        "distribution",
        "version",
        "trusted",
        "state",
        "reason",
    )
    nothing: str = "No backends are installed."


def render_text(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], gap: Gap | None = None
) -> str:
    """An aligned table; columns with nothing in them are left out."""
    head, *body = _cells(columns, rows)
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in body
    ]
    title = "  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)).rstrip()
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([title, rule, *_with_gap(lines, gap, "... {} more ...")])


def render_html(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], gap: Gap | None = None
) -> str:
    """The same as an HTML table."""
    head, *body = _cells(columns, rows)
    numbers = {columns[i] for i in range(len(columns)) if _are_numbers(row[i] for row in rows)}
    styles = [_RIGHT if name in numbers else _LEFT for name in head]
    more = f'<tr><td colspan="{len(head)}" {_LEFT}>... {{}} more ...</td></tr>'
    lines = _with_gap([_html_row(row, styles, "td") for row in body], gap, more)
    title = _html_row(head, styles, 'th scope="col"')
    parts = ["<table>", f"<thead>{title}</thead>", "<tbody>", *lines, "</tbody>", "</table>"]
    return "\n".join(parts)


def _are_numbers(values: Iterable[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(type(value) in (int, float) for value in there)


def render_markdown(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The same as a Markdown table, as GitHub and MyST read it."""
    head, *body = _cells(columns, rows)
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(map(_escaped_markdown, line))} |" for line in lines)


def render_facts(headline: str, facts: Iterable[tuple[str, str]]) -> str:
    """A sentence, and what there is to know about it."""
    pairs = list(facts)
    width = max((len(name) for name, _ in pairs), default=0)
    lines = [headline]
    for name, text in pairs:
        paragraphs = [
            line
            for paragraph in text.splitlines()
            for line in textwrap.wrap(
                paragraph, _WIDTH - width - 4, break_long_words=False, break_on_hyphens=False
            )
        ]
        for label, line in zip([name, *[""] * len(paragraphs)], paragraphs, strict=False):
            lines.append(f"  {label:<{width}}  {line}")
    return "\n".join(lines)


def render_facts_html(headline: str, facts: Iterable[tuple[str, str]]) -> str:
    """The same as HTML."""
    rows = [
        f'<tr><th scope="row" {_LEFT}>{escape(name)}</th><td {_LEFT}>{escape(text)}</td></tr>'
        for name, text in facts
    ]
    return "\n".join([f"<p><strong>{escape(headline)}</strong></p>", "<table>", *rows, "</table>"])


def _with_gap(lines: list[str], gap: Gap | None, more: str) -> list[str]:
    if gap is None:
        return lines
    return [*lines[: gap.after], more.format(f"{gap.left_out:,}"), *lines[gap.after :]]


def _html_row(cells: Sequence[str], styles: Sequence[str], tag: str) -> str:
    name = tag.partition(" ")[0]
    inner = "".join(
        f"<{tag} {style}>{escape(cell)}</{name}>" for cell, style in zip(cells, styles, strict=True)
    )
    return f"<tr>{inner}</tr>"


def _escaped_markdown(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|")


def _cells(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    shown = [[_cell(value) for value in row] for row in rows]
    kept = [i for i in range(len(columns)) if not shown or any(row[i] for row in shown)]
    return [[row[i] for i in kept] for row in [list(columns), *shown]]


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
