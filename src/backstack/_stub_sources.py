"""A module's source, reduced to what type checkers read of it.

The text stays as its author wrote it: bodies of functions go, and what only running the module
is for. What `ast` would lose by writing a module anew, such as comments to checkers, stays.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef
_Placed = ast.stmt | ast.expr | ast.alias
#: Gives what stands for a statement, or None where it stays.
Replace = Callable[[ast.stmt], ast.stmt | None]
#: Gives the metaclass that a class has come to have, or None where that is the one it says.
Metaclass = Callable[[ast.ClassDef], str | None]

_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith)
_RUN_ONLY = (ast.Expr, ast.Assert, ast.Raise, ast.Pass, ast.AugAssign, ast.Assign, *_LOOPS)


def reduce_source(
    source: str, package: str, header: Iterable[str], replace: Replace, metaclass: Metaclass
) -> str:
    """The text of a stub.

    Parameters
    ----------
    source : str
        The module's, or that of a stub that it has already.
    package : str
        The outermost package: what is imported from it is exported again, as it is without a stub.
    header : iterable of str
        Lines to put before all others; asked for when everything else is done.
    replace : callable
        Asked about each function and assignment outside of classes.
    metaclass : callable
        Asked about each class outside of classes.
    """
    reducer = _Reducer(source, package, replace, metaclass)
    tree = ast.parse(source)
    reducer.block(tree.body, outermost=True)
    return reducer.text(_end_of_prologue(tree.body), "".join(f"{line}\n" for line in header))


def _end_of_prologue(body: list[ast.stmt]) -> int:
    """The last line of the docstring and of what is imported from `__future__`."""
    last = 0
    for number, node in enumerate(body):
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not future and not (number == 0 and _is_text(node)):
            break
        last = node.end_lineno or 0
    return last


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


class _Reducer:
    """Collects which stretches of a source to replace, and replaces them all at once."""

    def __init__(self, source: str, package: str, replace: Replace, metaclass: Metaclass) -> None:
        self._source = source.encode()  # columns of `ast` count bytes
        lines = self._source.split(b"\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in lines)]
        self._package = package
        self._replace, self._metaclass = replace, metaclass
        self._edits: list[tuple[int, int, str]] = []

    def text(self, line: int, header: str) -> str:
        start = self._starts[line]
        header = f"\n{header}" if header and line else header
        edits = [*self._edits, (start, start, header)]
        source = self._source
        for start, end, text in sorted(edits, reverse=True):
            source = source[:start] + text.encode() + source[end:]
        return source.decode()

    def _edit(self, first: _Placed, last: _Placed, text: str) -> None:
        self._edits.append((self._start(first), self._end(last), text))

    def _start(self, node: _Placed) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: _Placed) -> int:
        return self._starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    # -- statements --------------------------------------------------------------------

    def block(
        self, body: list[ast.stmt], *, outermost: bool = False, of_class: bool = False
    ) -> None:
        overloaded = {getattr(node, "name", "") for node in body if is_overload(node)}
        for number, node in enumerate(body):
            new = None if of_class else self._replace(node)
            if isinstance(node, FunctionDef) and node.name in overloaded and not is_overload(node):
                self._drop(node, outermost)  # stubs have no implementation of overloads
            elif new is not None:
                text = textwrap.indent(ast.unparse(new), " " * node.col_offset)
                self._edit(_beginning(node), node, text.lstrip())
            elif number == 0 and _is_text(node):
                pass
            elif isinstance(node, FunctionDef):
                self._function(node, of_class)
            elif _only_runs(node):
                self._drop(node, outermost)
            elif isinstance(node, ast.ImportFrom):
                self._import(node)
            else:
                if isinstance(node, ast.ClassDef) and not of_class:
                    self._head(node)
                for inner in _blocks(node):
                    self.block(inner, of_class=isinstance(node, ast.ClassDef) or of_class)

    def _drop(self, node: ast.stmt, outermost: bool) -> None:
        first = _beginning(node)
        start, end = self._starts[first.lineno - 1], self._starts[node.end_lineno or 0]
        around = (self._source[start : self._start(first)], self._source[self._end(node) : end])
        if outermost and not any(part.strip() for part in around):
            self._edits.append((start, min(end, len(self._source)), ""))
        else:
            self._edit(first, node, "...")  # blocks may not be empty

    def _head(self, node: ast.ClassDef) -> None:
        metaclass = self._metaclass(node)
        if metaclass is None:
            return
        arguments = [*node.bases, *(keyword.value for keyword in node.keywords)]
        if arguments:
            end = max(map(self._end, arguments))
            self._edits.append((end, end, f", metaclass={metaclass}"))
            return
        types: list[ast.expr] = getattr(node, "type_params", [])
        start = self._source.index(node.name.encode(), self._start(node)) + len(node.name.encode())
        start = self._source.index(b"]", self._end(types[-1])) + 1 if types else start
        self._edits.append((start, self._source.index(b":", start), f"(metaclass={metaclass})"))

    def _function(self, node: FunctionDef, of_class: bool) -> None:
        body = node.body[1:] if _is_text(node.body[0]) else node.body
        if isinstance(node, ast.AsyncFunctionDef) and _yields(node):
            self._make_plain(node)
        # Checkers read attributes out of the methods that set them, in stubs as well.
        if body and not (of_class and _sets_attributes(node)):
            self._edit(_beginning(body[0]), body[-1], "...")

    def _make_plain(self, node: ast.AsyncFunctionDef) -> None:
        """Without a ``yield`` in its body, an ``async def`` would be a coroutine function."""
        start = self._start(node)
        self._edits.append((start, self._source.index(b"def", start), ""))

    def _import(self, node: ast.ImportFrom) -> None:
        if node.level or (node.module or "").partition(".")[0] == self._package:
            for alias in node.names:
                if alias.asname is None and alias.name != "*":
                    end = self._end(alias)
                    self._edits.append((end, end, f" as {alias.name}"))


def _beginning(node: ast.stmt) -> _Placed:
    decorators = getattr(node, "decorator_list", None)
    return _At(decorators[0]) if decorators else node


class _At(ast.expr):
    """The place of the ``@`` before a decorator."""

    def __init__(self, decorator: ast.expr) -> None:
        super().__init__()
        self.lineno, self.col_offset = decorator.lineno, decorator.col_offset - 1


# -- what statements are for ---------------------------------------------------------------


def is_overload(node: ast.AST) -> bool:
    """Whether this is a function that is decorated as an overload."""
    return isinstance(node, FunctionDef) and any(
        ast.unparse(decorator).rpartition(".")[2] == "overload" for decorator in node.decorator_list
    )


def becomes_plain(node: FunctionDef) -> FunctionDef:
    """`node` as a stub has it: what makes an asynchronous generator is no ``async def`` there."""
    if isinstance(node, ast.AsyncFunctionDef) and _yields(node):
        fields = {name: getattr(node, name) for name in node._fields if hasattr(node, name)}
        return ast.FunctionDef(**fields, lineno=node.lineno, col_offset=node.col_offset)
    return node


def _only_runs(node: ast.stmt) -> bool:
    if isinstance(node, ast.If) and ast.unparse(node.test).startswith("__name__ =="):
        return True
    if not isinstance(node, _RUN_ONLY):
        return False
    if isinstance(node, _LOOPS):
        return all(name.startswith("_") for name in _bound_in(node))
    if isinstance(node, ast.Assign):
        return not any(_bound_in(node))
    return not ast.unparse(node).startswith("__all__")


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield value
    for handler in getattr(node, "handlers", ()):
        yield handler.body


def _bound_in(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield inner.name
        elif isinstance(inner, ast.alias):
            yield inner.asname or inner.name.partition(".")[0]


def _yields(node: FunctionDef) -> bool:
    return any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in _own_nodes(node))


def _sets_attributes(node: FunctionDef) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args]
    return bool(arguments) and any(
        isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Store)
        and isinstance(inner.value, ast.Name)
        and inner.value.id == arguments[0].arg
        for inner in _own_nodes(node)
    )


def _own_nodes(node: FunctionDef) -> Iterator[ast.AST]:
    """What is in the body of a function, and not in that of another one inside it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        inner = waiting.pop()
        yield inner
        if not isinstance(inner, (FunctionDef, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(inner)
