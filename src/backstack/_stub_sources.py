"""A module's source, reduced to what type checkers read of it.

Bodies of functions go, and what only running the module is for.
"""

from __future__ import annotations

import ast
import re
import types
import typing
from collections.abc import Iterator

from ._stub_annotations import FunctionDef, Imports
from ._stub_edits import Edits, Span
from ._stub_exports import Exports
from ._stub_functions import Dispatched, is_text, write_function

_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith)
_RUN_ONLY = (ast.Expr, ast.Assert, ast.Raise, ast.Pass, ast.AugAssign, ast.Assign, *_LOOPS)


class Changes(typing.Protocol):
    """What dispatching changes in a module, which its source does not say."""

    def dispatched(self, node: FunctionDef, *, is_overload: bool) -> Dispatched | None:
        """What it adds to a function of the module."""

    def assigned(self, node: ast.Assign) -> str | None:
        """The text of what stands for a function that is dispatched by an assignment."""

    def metaclass(self, node: ast.ClassDef) -> str | None:
        """The metaclass that a class has come to have; None where that is the one it says."""


def parsed_module(source: str) -> ast.Module:
    """A module, with the types in its comments."""
    try:
        return ast.parse(source, type_comments=True)
    except SyntaxError:  # a comment that is none of these
        return ast.parse(source)


def reduce_source(
    source: str,
    tree: ast.Module,
    module: types.ModuleType,
    imports: Imports,
    exports: Exports,
    changes: Changes,
) -> str:
    """The text of a stub.

    Parameters
    ----------
    source : str
        The module's, or that of a stub that it has already.
    tree : Module
        The same, parsed.
    module : module
        Whose source it is.
    imports : Imports
        What the stub has to import besides.
    exports : Exports
        Writes what the module imports.
    changes : Changes
        What dispatching adds to it.
    """
    reducer = _Reducer(source, tree, module, imports, exports, changes)
    reducer.block(tree.body, ())
    return reducer.text(_end_of_prologue(tree.body))


def _end_of_prologue(body: list[ast.stmt]) -> int:
    """The last line of the docstring and of what is imported from `__future__`."""
    last = 0
    for number, node in enumerate(body):
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not future and not (number == 0 and is_text(node)):
            break
        last = node.end_lineno or 0
    return last


class _Reducer:
    """Goes through the statements of a module."""

    def __init__(
        self,
        source: str,
        tree: ast.Module,
        module: types.ModuleType,
        imports: Imports,
        exports: Exports,
        changes: Changes,
    ) -> None:
        self._edits, self._source = Edits(source), source
        self._module, self._imports = module, imports
        self._exports, self._changes = exports, changes
        self._overloads = {"overload", *_called(tree, "overload")}
        self._gone: set[str] = set()

    def text(self, line: int) -> str:
        header = "".join(f"{line}\n" for line in self._imports)
        self._edits.insert(self._edits.at(line + 1), f"\n{header}" if header and line else header)
        return self._edits.text()

    # -- statements --------------------------------------------------------------------

    def block(self, body: list[ast.stmt], path: tuple[str, ...], *, inner: bool = False) -> None:
        """Reduce statements: of the module, or of the class that `path` leads to.

        They are `inner` if something is around them that may not become empty.
        """
        overloaded = {getattr(node, "name", "") for node in body if self._is_overload(node)}
        for number, node in enumerate(body):
            if number == 0 and is_text(node):
                continue
            if isinstance(node, FunctionDef):
                if node.name in overloaded and not self._is_overload(node):
                    self._hand_on(node, body)
                    self._drop(node, inner)  # stubs have no implementation of overloads
                else:
                    self._function(node, path)
            elif isinstance(node, ast.Assign):
                self._assign(node, path, inner)
            elif isinstance(node, ast.Delete):
                self._delete(node, inner)
            elif self._only_runs(node):
                self._gone.update(_bound_in(node))
                self._drop(node, inner)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                if not path:
                    self._exports.write(self._edits, node)
            elif isinstance(node, ast.ClassDef):
                if not path:
                    self._head(node)
                self.block(node.body, (*path, node.name), inner=True)
            else:
                for statements in _blocks(node):
                    self.block(statements, path, inner=True)

    def _hand_on(self, node: FunctionDef, body: list[ast.stmt]) -> None:
        """Say of the overloads of a method what a decorator says of its implementation."""
        overloads = [
            one for one in body if self._is_overload(one) and getattr(one, "name", "") == node.name
        ]
        for decorator in map(ast.unparse, node.decorator_list):
            name = decorator.rpartition(".")[2]
            first_only = name in ("final", "override")
            if first_only or name == "abstractmethod":
                for overload in overloads[: 1 if first_only else None]:
                    text = f"@{decorator}\n{' ' * overload.col_offset}"
                    self._edits.insert(self._edits.start(overload), text)

    def _function(self, node: FunctionDef, path: tuple[str, ...]) -> None:
        overload = self._is_overload(node)
        write_function(
            self._edits,
            node,
            self._imports,
            None if path else self._changes.dispatched(node, is_overload=overload),
            of_class=bool(path),
            is_overload=overload,
        )

    def _is_overload(self, node: ast.AST) -> bool:
        return isinstance(node, FunctionDef) and any(
            (text := ast.unparse(decorator)) in self._overloads or text.endswith(".overload")
            for decorator in node.decorator_list
        )

    def _drop(self, node: ast.stmt, inner: bool) -> None:
        span = self._edits.whole(node)
        lines = self._edits.line_of(span)
        before = self._edits.part(Span(lines.start, span.start))
        comment = self._edits.comment_after(span.end)
        if before.strip() or comment is None:
            self._edits.replace(span, "...")
        elif inner:
            self._edits.replace(Span(span.start, comment.end), "...")  # blocks may not be empty
        else:
            self._edits.replace(lines, "")

    def _assign(self, node: ast.Assign, path: tuple[str, ...], inner: bool) -> None:
        text = None if path else self._changes.assigned(node)
        if text is not None:
            self._edits.replace(self._edits.whole(node), text)
        elif not any(_bound_in(node)):
            self._drop(node, inner)
        elif isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr):
            # mypy takes it for a union of types, in stubs whatever it is.
            target = node.targets[0]
            if isinstance(target, ast.Name) and not self._is_type((*path, target.id)):
                self._edits.insert(self._edits.start(node.value), "(")
                self._edits.insert(self._edits.end(node.value), ",)[0]")

    def _is_type(self, path: tuple[str, ...]) -> bool:
        """Whether what is found there is a type, as far as one can tell."""
        value: typing.Any = self._module
        for name in path:
            value = vars(value).get(name) if isinstance(value, (type, types.ModuleType)) else None
        return (
            value is None
            or isinstance(value, (type, types.UnionType))
            or type(value).__module__ in ("typing", "typing_extensions")
        )

    def _delete(self, node: ast.Delete, inner: bool) -> None:
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if len(names) < len(node.targets) or names & self._gone:
            self._drop(node, inner)

    def _only_runs(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.If) and ast.unparse(node.test).startswith("__name__ =="):
            return True
        if not isinstance(node, _RUN_ONLY):
            return False
        if isinstance(node, _LOOPS):
            return not any(self._is_needed(name, node) for name in _bound_in(node))
        return not ast.unparse(node).startswith("__all__")

    def _is_needed(self, name: str, node: ast.stmt) -> bool:
        """Whether a name that a block binds is used by others, or may be from outside."""
        if not name.startswith("_") and name in vars(self._module):
            return True
        word = re.compile(rf"(?<![\w.])(?<!del ){re.escape(name)}(?!\w)")
        inside = self._edits.part(self._edits.whole(node))
        return len(word.findall(self._source)) > len(word.findall(inside))

    def _head(self, node: ast.ClassDef) -> None:
        metaclass = self._changes.metaclass(node)
        if metaclass is None:
            return
        edits = self._edits
        arguments = [*node.bases, *(keyword.value for keyword in node.keywords)]
        if arguments:
            edits.insert(max(map(edits.end, arguments)), f", metaclass={metaclass}")
            return
        parameters: list[ast.expr] = getattr(node, "type_params", [])
        start = edits.find("class", edits.start(node)) + len("class")
        start = edits.find(node.name, start) + len(node.name.encode())
        start = edits.find("]", edits.end(parameters[-1])) + 1 if parameters else start
        edits.replace(Span(start, edits.colon(node)), f"(metaclass={metaclass})")


def _called(tree: ast.Module, name: str) -> Iterator[str]:
    """What a module calls something that it imports from `typing`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("typing", "typing_extensions"):
            yield from (alias.asname or name for alias in node.names if alias.name == name)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield value
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield part.body


def _bound_in(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield inner.name
        elif isinstance(inner, ast.alias):
            yield inner.asname or inner.name.partition(".")[0]
