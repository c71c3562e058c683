"""Changes to the text of a module, collected while it is read and made all at once.

The text stays as its author wrote it, apart from what is replaced: comments to checkers, and
whatever else `ast` would lose by writing a module anew.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from ._stub_annotations import FunctionDef

Placed = ast.stmt | ast.expr | ast.alias | ast.arg


class Span(NamedTuple):
    """From one byte of a text up to another."""

    start: int
    end: int


class Edits:
    """What to replace in a text. Places are counted in bytes, as `ast` does."""

    def __init__(self, source: str) -> None:
        self._source = source.encode()
        self._starts = [0, *accumulate(len(line) + 1 for line in self._source.split(b"\n"))]
        self._made: list[tuple[int, int, int, str]] = []

    def text(self) -> str:
        """The text with all changes; those at one place come in the order they were made."""
        parts, last = [], 0
        for start, _, end, new in sorted(self._made):
            parts += [self._source[last:start], new.encode()]
            last = max(last, end)
        return b"".join([*parts, self._source[last:]]).decode()

    def replace(self, span: Span, new: str) -> None:
        """Put `new` where something else is."""
        self._made.append((span.start, len(self._made), span.end, new))

    def insert(self, at: int, new: str) -> None:
        """Put `new` before what is there."""
        self.replace(Span(at, at), new)

    # -- places ------------------------------------------------------------------------

    def start(self, node: Placed) -> int:
        """Where a node begins, its decorators not counted."""
        return self.at(node.lineno, node.col_offset)

    def end(self, node: Placed) -> int:
        """Where a node ends."""
        return self.at(node.end_lineno or 0, node.end_col_offset or 0)

    def at(self, line: int, column: int = 0) -> int:
        """A place that `ast` gives; past the last line, where the text ends."""
        return min(self._starts[min(line, len(self._starts)) - 1] + column, len(self._source))

    def whole(self, node: ast.stmt) -> Span:
        """A statement with its decorators."""
        decorators: list[ast.expr] = getattr(node, "decorator_list", [])
        start = self.before(decorators[0], "@") if decorators else self.start(node)
        return Span(start, self.end(node))

    def before(self, node: Placed, what: str) -> int:
        """Where something comes last, before a node."""
        return self._source.rindex(what.encode(), 0, self.start(node))

    def find(self, what: str, start: int) -> int:
        """Where something comes next."""
        return self._source.index(what.encode(), start)

    def part(self, span: Span) -> str:
        """The text there, as it was."""
        return self._source[span.start : span.end].decode()

    def line_of(self, span: Span) -> Span:
        """The lines that a span is in, with the end of the last one."""
        start = self._source.rfind(b"\n", 0, span.start) + 1
        end = self._source.find(b"\n", span.end)
        return Span(start, len(self._source) if end < 0 else end + 1)

    def comment_after(self, end: int) -> Span | None:
        """What is left of a line if that is a comment or nothing, without the line's end."""
        rest = Span(end, self.line_of(Span(end, end)).end)
        text = self.part(rest)
        if text.strip() and not text.lstrip().startswith("#"):
            return None
        return Span(end, rest.end - text.endswith("\n"))

    def parameters(self, node: FunctionDef) -> Parameters:
        """Where the parameters of a function are."""
        tokens = self._tokens(node)
        opening = next(token for token in tokens if (token.text, token.depth) == ("(", 1)).span.end
        closing = opening
        items: list[list[_Token]] = [[]]
        for token in tokens:
            closing = token.span.start
            if token.depth == 0:
                break
            if (token.text, token.depth) == (",", 1):
                items.append([])
            else:
                items[-1].append(token)
        return Parameters(
            opening,
            closing,
            {
                "".join(part.text for part in item[: 1 + (item[0].text in ("*", "**"))]): Span(
                    item[0].span.start, item[-1].span.end
                )
                for item in items
                if item
            },
        )

    def colon(self, node: ast.stmt) -> int:
        """Where the head of a block ends."""
        tokens = self._tokens(node)
        return next(token for token in tokens if (token.text, token.depth) == (":", 0)).span.start

    def _tokens(self, node: ast.stmt) -> Iterator[_Token]:
        begin = self.start(node)
        text = self.part(Span(begin, self.end(node)))
        lines = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

        def place(row: int, column: int) -> int:
            return begin + len(text[: lines[row - 1] + column].encode())

        depth = 0
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            depth += (token.string in _OPENING) - (token.string in _CLOSING)
            if token.type not in _BETWEEN:
                yield _Token(token.string, depth, Span(place(*token.start), place(*token.end)))


class _Token(NamedTuple):
    """`depth` counts the brackets that are open after it."""

    text: str
    depth: int
    span: Span


#: Brackets, counted wherever they are; a string of one bracket is a token with its quotes.
_OPENING, _CLOSING = tuple("([{"), tuple(")]}")
_BETWEEN = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE)


class Parameters(NamedTuple):
    """Where the parentheses of a function's head are, and what stands between the commas.

    What is between commas goes by its name, with stars if it has any.
    """

    opening: int
    closing: int
    items: dict[str, Span]
