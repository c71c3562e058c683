"""Annotations from other modules, of backends first of all, as the host's stub can hold them.

What a name means is read where their author wrote it: an import there is repeated in
the stub, under a name of its own, and what is defined there is imported from there. So what is
imported for type checkers only, and aliases, are told as they were written.
"""

from __future__ import annotations

import ast
import builtins
import copy
import functools
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

FunctionDef = ast.FunctionDef | ast.AsyncFunctionDef


class Imports:
    """The imports that a stub needs for what is added to it.

    Parameters
    ----------
    taken : set of str
        The names that the module uses itself.
    bound : set of str
        Those that it gives a meaning of its own.
    module : str
        What the module is called.
    """

    def __init__(self, taken: set[str], bound: set[str], module: str) -> None:
        self._taken, self._bound, self.module = taken, bound, module
        self._aliases: dict[tuple[str, str | None], str] = {}
        self._roots: set[str] = set()

    def __iter__(self) -> Iterator[str]:
        for path in sorted(self._roots):
            yield f"import {path}{_excuse(path)}"
        for (module, name), alias in self._aliases.items():
            line = f"from {module} import {name}" if name else f"import {module}"
            yield f"{line} as {alias}{_excuse(module)}"

    def name_for(self, module: str, name: str | None = None) -> str:
        """What a module, or something in it, is called in the stub."""
        if (module, name) not in self._aliases:
            alias = self.free("_" + (name or module.rpartition(".")[2]).lstrip("_"))
            self._aliases[module, name] = alias
        return self._aliases[module, name]

    def builtin(self, name: str) -> str:
        """What a builtin is called in the stub, whose module may mean something else by it."""
        return self.name_for("builtins", name) if name in self._bound else name

    def free(self, name: str) -> str:
        """`name`, or one like it that is not taken; nobody else gets it."""
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def import_path(self, module: str) -> None:
        """Import a module whose whole path is written where it is used."""
        root = module.partition(".")[0]
        if root in self._taken and root not in {path.partition(".")[0] for path in self._roots}:
            raise _UntoldError(root)
        self._taken.add(root)
        self._roots.add(module)


_EXCUSED = "import-untyped, import-not-found, unused-ignore"


def _excuse(module: str) -> str:
    """What lets the import of a backend pass that has no types or is not there."""
    if module.partition(".")[0] in {*sys.stdlib_module_names, "_typeshed"}:
        return ""
    return f"  # type: ignore[{_EXCUSED}]  # where the backend has no types, or is not installed"


class _UntoldError(Exception):
    """What an annotation means cannot be told."""


def told(function: Callable[..., Any], parameter: inspect.Parameter, imports: Imports) -> ast.expr:
    """The annotation of a parameter for a stub; `Any` where there is none or nobody can tell."""
    try:
        annotation, source = _written(function, parameter)
    except SyntaxError:
        annotation, source = None, None
    return renamed(annotation, source, imports)


def renamed(annotation: ast.expr | None, source: Source | None, imports: Imports) -> ast.expr:
    """An annotation from a module, or one that Python shows; `Any` where nobody can tell."""
    try:
        if annotation is None:
            raise _UntoldError
        kept: ast.expr = _Renaming(source, imports).visit(copy.deepcopy(annotation))
    except (_UntoldError, SyntaxError, ImportError, ValueError):
        return ast.Name(imports.name_for("typing", "Any"), ast.Load())
    return kept


def _written(
    function: Callable[..., Any], parameter: inspect.Parameter
) -> tuple[ast.expr | None, Source | None]:
    inner = inspect.unwrap(function)
    inner = getattr(inner, "__func__", inner)
    source = source_of(str(getattr(inner, "__module__", "")))
    definition = source and source.definition(getattr(inner, "__qualname__", ""))
    if definition:
        arguments = definition.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.arg == parameter.name:
                return argument.annotation, source
    if parameter.annotation is parameter.empty:
        return None, None
    if isinstance(parameter.annotation, str):
        return _parsed(parameter.annotation), source
    return _parsed(inspect.formatannotation(parameter.annotation)), None


def _parsed(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


# -- the module that an annotation is written in -------------------------------------------


class _Import(NamedTuple):
    """``import module`` has no name, and neither has ``import module as alias``."""

    module: str
    name: str | None
    aliased: bool


class Source:
    """What the names of a module mean, as its source says."""

    def __init__(self, module: str, package: str, text: str) -> None:
        self.module, self.text, self._package = module, text, package
        self._tree = ast.parse(text)
        self.imports: dict[str, list[_Import]] = {}
        self.defined: set[str] = set()
        self._read(self._tree)

    def _read(self, node: ast.AST) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.Import):
                for alias in inner.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    self._bind(bound, _Import(alias.name, None, alias.asname is not None))
            elif isinstance(inner, ast.ImportFrom):
                path = "." * inner.level + (inner.module or "")
                module = importlib.util.resolve_name(path, self._package)
                for alias in inner.names:
                    bound = alias.asname or alias.name
                    self._bind(bound, _Import(module, alias.name, True))
            elif isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self.defined.add(inner.name)
            else:
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    self.defined.add(inner.id)
                self._read(inner)

    def _bind(self, name: str, found: _Import) -> None:
        """What is imported last counts, but `import a.b` and `import a.c` are both `a`."""
        before = self.imports.get(name, [])
        together = [] if found.aliased else [one for one in before if not one.aliased]
        self.imports[name] = [*together, found]

    def binds(self, name: str) -> bool:
        """Whether the module gives this name a meaning."""
        return name in self.imports or name in self.defined

    def definition(self, path: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        """The function that is defined there, unless there are several or it is in another one."""
        found: list[ast.AST] = [self._tree]
        for name in path.split("."):
            found = [inner for outer in found for inner in _definitions(outer, name)]
        one = found[0] if len(found) == 1 else None
        return one if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) else None

    def functions(self) -> Iterator[FunctionDef]:
        """Every function, wherever it is defined."""
        for node in ast.walk(self._tree):
            if isinstance(node, FunctionDef):
                yield node


def _definitions(outer: ast.AST, name: str) -> Iterator[ast.AST]:
    for inner in ast.iter_child_nodes(outer):
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if inner.name == name:
                yield inner
        elif isinstance(inner, ast.stmt | ast.ExceptHandler):
            yield from _definitions(inner, name)


@functools.cache
def source_of(name: str) -> Source | None:
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    if name == "__main__" or not path or not path.endswith(".py"):
        return None
    try:
        text = importlib.util.decode_source(Path(path).read_bytes())
        return Source(name, getattr(module, "__package__", None) or "", text)
    except (OSError, SyntaxError, ValueError):
        return None


# -- from there to here --------------------------------------------------------------------


class _Renaming(ast.NodeTransformer):
    """Writes an annotation with the names that its parts have in the stub."""

    def __init__(self, source: Source | None, imports: Imports) -> None:
        self._source, self._imports = source, imports

    def visit_Name(self, node: ast.Name) -> ast.expr:
        source, name = self._source, node.id
        if source is not None and source.module == self._imports.module and source.binds(name):
            return node
        if source is not None and name in source.imports:
            for found in source.imports[name]:
                if found.aliased:
                    return _named(self._imports.name_for(found.module, found.name))
                self._imports.import_path(found.module)
            return node
        if source is not None and name in source.defined:
            return _named(self._imports.name_for(source.module, name))
        if hasattr(builtins, name):
            return _named(self._imports.builtin(name))
        raise _UntoldError(name)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        path = ast.unparse(node)
        if self._source is None and path.replace(".", "").isidentifier():
            module = path.rpartition(".")[0]
            while module and module not in sys.modules:
                module = module.rpartition(".")[0]
            if not module:
                raise _UntoldError(path)
            self._imports.import_path(module)
            return node
        self.generic_visit(node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        is_literal = self._is_literal(node.value)
        node.value = self.visit(node.value)
        if is_literal:
            return self._literal(node)
        node.slice = self.visit(node.slice)
        return node

    def _literal(self, node: ast.Subscript) -> ast.expr:
        """Literals, and for members of an enum that one: literals of `Any` are mistakes."""
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        enums = {
            ast.unparse(part.value): part.value for part in parts if isinstance(part, ast.Attribute)
        }
        literals = [part for part in parts if not isinstance(part, ast.Attribute)]
        types: list[ast.expr] = [self.visit(enum) for enum in enums.values()]
        if literals:
            node.slice = ast.Tuple(literals, ast.Load()) if len(literals) > 1 else literals[0]
            types.insert(0, node)
        return functools.reduce(lambda one, other: ast.BinOp(one, ast.BitOr(), other), types)

    def _is_literal(self, node: ast.expr) -> bool:
        name = ast.unparse(node).rpartition(".")[2]
        found = self._source.imports.get(name) if self._source is not None else None
        return (found[-1].name or name if found else name) == "Literal"

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, str):  # in quotes, because it is not there yet when it runs
            quoted: ast.expr = self.visit(_parsed(node.value))
            return quoted
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        raise _UntoldError(ast.unparse(node))


def _named(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())
