"""What an adapter declares, read from its source with `ast` and without running it.

`importlib.util.find_spec` will not do to find that source: for ``a.b.c`` it imports ``a``
and ``a.b``, which is backend code. So the specs are looked up one component at a time,
in the search path of the parent's *spec*.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from typing import Any

from ._names import ADAPTER_FIELDS
from ._records import MISSING, UNREADABLE, Declaration

_LARGEST = 1 << 20  # characters; parsing more takes longer than importing it would
_TEXT = re.compile(r"(\"\"\"|''')(?:\\.|(?!\1).)*\1", re.DOTALL)
_DEFINITION = re.compile(r"(?:async\s+)?def\s+\w+\s*\(")
_STATEMENT = re.compile(r"(?:from|import)\s|(?:name|aliases|__all__)\b.*=")

_Body = list[ast.stmt]


def read_declaration(module: str, attribute: str) -> Declaration:
    """What the adapter ``module:attribute`` declares literally; `UNREADABLE` if nothing can tell.

    Never raises: a source that cannot be found, decoded or parsed tells nothing.
    """
    try:
        found = source_of(module)
        if found is None:
            return UNREADABLE
        source, _ = found
        if len(source) > _LARGEST:
            return _read(_parse(_skeleton(source)), plain=False) if not attribute else UNREADABLE
        body = _parse(source)
        return _declaration(body, attribute) if attribute else _read(body)
    except Exception:
        return UNREADABLE


def source_of(module: str) -> tuple[str, bool] | None:
    """The source of a module, found without importing its parents; and whether it is a package."""
    spec = _find_spec(module)
    if spec is None or spec.loader is None:
        return None
    get_source = getattr(spec.loader, "get_source", None)
    source = get_source(module) if get_source is not None else None
    is_package = spec.submodule_search_locations is not None
    return (source, is_package) if isinstance(source, str) else None


def _parse(source: str) -> _Body:
    # Before Python 3.13 two threads that parse at once can upset each other's count of the
    # recursion depth; the next attempt then succeeds.
    for _ in range(2):
        with contextlib.suppress(SystemError, RecursionError):
            return ast.parse(source).body
    return ast.parse(source).body


def _skeleton(source: str) -> str:
    """Of a source too long to parse, the top-level statements that can declare something."""
    lines = _TEXT.sub('""', source).split("\n")
    kept = []
    for number, line in enumerate(lines):
        if _DEFINITION.match(line):
            kept.append(f"{line.partition('(')[0]}(): ...")
        elif _STATEMENT.match(line):
            kept.append(_statement(lines[number : number + 100]))
    return "\n".join(kept)


def _statement(lines: list[str]) -> str:
    """The statement that begins with the first of `lines`."""
    for end in range(1, len(lines) + 1):
        statement = "\n".join(lines[:end])
        try:
            ast.parse(statement)
        except SyntaxError:
            continue
        return statement
    raise ValueError("no statement ends here")


def _find_spec(module: str) -> ModuleSpec | None:
    """The spec of a module, found without importing its parents."""
    spec: ModuleSpec | None = None
    path: list[str] | None = None
    name = ""
    for part in module.split("."):
        if name and path is None:
            return None  # the parent is no package
        name = f"{name}.{part}" if name else part
        try:
            spec = _first_spec(name, path)
            locations = spec.submodule_search_locations if spec is not None else None
            inside = None if locations is None else list(locations)
        except KeyError:  # a namespace inside a package that is not imported
            spec, inside = None, [os.path.join(entry, part) for entry in path or ()]
        if spec is None and inside is None:
            return None
        path = inside
    return spec


def _first_spec(name: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find(name, path) if find is not None else None
        if spec is not None:
            return spec  # type: ignore[no-any-return]
    return None


def _declaration(body: _Body, attribute: str) -> Declaration:
    """What a class, or an object made at the top level, declares."""
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    if attribute in classes:
        return _read_class(classes[attribute], classes)
    value = None
    for target, assigned in _assignments(body):
        if target == attribute:
            value = assigned
    if isinstance(value, ast.Call):
        called = value.func.attr if isinstance(value.func, ast.Attribute) else None
        called = value.func.id if isinstance(value.func, ast.Name) else called
        if called in classes and not (value.args or value.keywords):
            return _read_class(classes[called], classes)
        if called == "SimpleNamespace" and not value.args:
            return _read_namespace(value.keywords)
    return UNREADABLE


def _read_class(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Declaration:
    """A class body; one with bases or a constructor may say more once it runs."""
    bodies = [node.body]
    plain = True
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes and base.id != node.name:
            bodies.insert(0, classes[base.id].body)
        elif not (isinstance(base, ast.Name) and base.id == "object"):
            plain = False
    return _read([statement for body in bodies for statement in body], plain=plain, of_class=True)


def _read_namespace(keywords: list[ast.keyword]) -> Declaration:
    values = {keyword.arg: keyword.value for keyword in keywords if keyword.arg is not None}
    body: _Body = [
        ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=value, lineno=1)
        for name, value in values.items()
    ]
    return _read(body, plain=len(values) == len(keywords))


def _read(body: _Body, *, plain: bool = True, of_class: bool = False) -> Declaration:
    """What a sequence of statements declares.

    `plain` is false where names may come from elsewhere. A label is taken only from one
    literal assignment at the top level: anything else that binds it makes it computed.
    """
    literals: dict[str, Any] = {}
    for target, value in _assignments(body):
        literals[target] = _literal(value)
    bound: dict[str, int] = {}
    dynamic = not plain
    for name in _bindings(body):
        bound[name] = bound.get(name, 0) + 1
        dynamic = dynamic or name in ("*", "__getattr__", "__getattribute__")
    if of_class and _sets_itself(body):
        dynamic = True
    known = {field: _label(field, literals, bound) for field in ("name", "aliases", "__all__")}
    computed = known["name"] is MISSING and ("name" in bound or dynamic)
    computed = computed or (known["aliases"] is MISSING and "aliases" in bound)
    return Declaration(
        name=known["name"],
        aliases=known["aliases"],
        exports=_exports(known["__all__"], bound, literals, set(_modules(body, of_class))),
        options=dict(_options(body, of_class)),
        computed=computed,
        doubtful=_doubtful(body, bound),
        values=frozenset(name for name in literals if _label(name, literals, bound) is not MISSING),
        complete=known["__all__"] is not MISSING or not (dynamic or "__all__" in bound),
    )


def _label(field: str, literals: dict[str, Any], bound: dict[str, int]) -> Any:
    return literals.get(field, MISSING) if bound.get(field) == 1 else MISSING


def _exports(
    listed: object, bound: dict[str, int], literals: dict[str, Any], modules: set[str]
) -> tuple[str, ...]:
    if isinstance(listed, (list, tuple, set)):
        names = {name for name in listed if isinstance(name, str)}
    else:
        names = {name for name in bound if not name.startswith("_") and name != "*"} - modules
    nothing = {name for name, value in literals.items() if value is None and bound[name] == 1}
    return tuple(sorted(names - ADAPTER_FIELDS - nothing))


def _modules(body: _Body, of_class: bool) -> Iterator[str]:
    """The names that stand for modules, which are no functions."""
    for node in at_top_level(body, classes=of_class):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]


def _doubtful(body: _Body, bound: dict[str, int]) -> frozenset[str]:
    """The names that are bound more than once, and at some place to nothing."""
    doubtful = set()
    for node in at_top_level(body, classes=False):
        if isinstance(node, ast.Delete):
            doubtful |= _plain_names(node.targets)
        elif isinstance(node, ast.Assign) and _literal(node.value) is None:
            doubtful |= {name for name in _plain_names(node.targets) if bound.get(name, 0) > 1}
    return frozenset(doubtful)


def _plain_names(targets: list[ast.expr]) -> set[str]:
    return {target.id for target in targets if isinstance(target, ast.Name)}


def at_top_level(body: _Body, *, classes: bool) -> Iterator[ast.stmt]:
    """The statements that an import runs, as far as that can be seen; those in classes too."""
    for node in body:
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.ClassDef) and not classes:
            continue
        blocks = [getattr(node, field, None) or [] for field in ("body", "orelse", "finalbody")]
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            blocks = [node.body if isinstance(node.test, ast.UnaryOp) else node.orelse]
        blocks += [part.body for part in getattr(node, "handlers", getattr(node, "cases", ()))]
        for block in blocks:
            yield from at_top_level(block, classes=classes)


def _assignments(body: _Body) -> Iterator[tuple[str, ast.expr]]:
    """Plain top-level ``name = value``, annotated ones too."""
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _bindings(body: _Body) -> Iterator[str]:
    """Every name that the statements bind, nested blocks included; "*" for a star import."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        else:
            yield from _bound_within(node)


def _bound_within(node: ast.stmt) -> Iterator[str]:
    nested: list[ast.stmt] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            nested.append(child)
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            nested.extend(child.body)
        else:
            yield from _stored(child)
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        yield node.target.id  # a second binding, which makes the first one no literal
    if isinstance(node, ast.Expr):
        yield from _mutated(node.value)
    yield from _bindings(nested)


def _stored(node: ast.AST) -> Iterator[str]:
    """Names that an expression stores; those of comprehensions stay inside them."""
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store):
            yield node.id
    elif not isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        for child in ast.iter_child_nodes(node):
            yield from _stored(child)


def _mutated(value: ast.expr) -> Iterator[str]:
    """``aliases.append(...)`` says as little as a computed value does."""
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and isinstance(value.func.value, ast.Name)
    ):
        yield value.func.value.id


def _sets_itself(body: _Body) -> bool:
    """Whether a constructor assigns labels to the instance."""
    return any(
        isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and part.attr in ("name", "aliases")
        for node in body
        if isinstance(node, ast.FunctionDef)
        for part in ast.walk(node)
    )


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return MISSING


def _options(body: _Body, of_class: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, _parameters(node.args, skip_self=of_class)


def _parameters(arguments: ast.arguments, *, skip_self: bool) -> dict[str, Any]:
    """Every parameter that a keyword can reach, with its literal default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    without = len(positional) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * without, *arguments.defaults]
    pairs = list(zip(positional, defaults, strict=True))
    reachable = pairs[max(len(arguments.posonlyargs), int(skip_self)) :]
    reachable += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {
        argument.arg: MISSING if default is None else _literal(default)
        for argument, default in reachable
    }
