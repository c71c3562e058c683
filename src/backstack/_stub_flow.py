"""Methods that set attributes, so that checkers need not follow what happens to parameters.

In stubs, pyright takes a parameter for what its annotation says throughout the body. Where a
method narrows one, as by ``if size is None: size = 3``, the stub declares a variable of the
narrower type in place of that statement, and uses it from there on.

What is told is what can be told for certain. A parameter is left alone where it is assigned in
any other way, or where its annotation names a union, which mypy can take apart.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar, Union

from ._stub_annotations import FunctionDef, Imports
from ._stub_edits import Edits, Span

#: The members of a union, as they are written.
_Members = list[str]


class _Narrowing(NamedTuple):
    """What a statement makes of a parameter."""

    name: str
    members: _Members


def without_flow(edits: Edits, node: FunctionDef, imports: Imports) -> None:
    """Use a variable for each parameter that a method narrows, from there on."""
    known: dict[str, _Members] = {}
    for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
        members = [] if argument.annotation is None else _members(argument.annotation)
        if all(_is_one_type(member, imports.module) for member in members):
            known[argument.arg] = members
    for number, statement in enumerate(node.body):
        found = _narrowing(statement, known)
        others = [other for other in node.body if other is not statement]
        if found is not None and not _is_assigned(others, found.name):
            uses = list(_uses(node.body[number + 1 :], found.name))
            if uses:
                span = Span(edits.start(statement), edits.end(statement))
                edits.replace(span, _use_variable(edits, uses, found, imports))
                del known[found.name]
    for name in [name for name in known if _is_assigned(node.body, name)]:
        del known[name]
    for statement in node.body:
        for inner in ast.walk(statement):
            if isinstance(inner, ast.IfExp):
                for declaration in _split_by(edits, inner, known, imports):
                    _put_before(edits, statement, declaration)


def _split_by(
    edits: Edits, node: ast.IfExp, known: dict[str, _Members], imports: Imports
) -> Iterator[str]:
    """Use variables in ``this if test else that``; gives their declarations."""
    name, yes, no = _tested(node.test, known)
    for branch, members in ((node.body, yes), (node.orelse, no)):
        simple = not any(isinstance(inner, ast.IfExp) for inner in ast.walk(branch))
        uses = list(_uses([branch], name)) if members and simple else []
        if uses:
            yield _use_variable(edits, uses, _Narrowing(name, members), imports)


def _use_variable(edits: Edits, uses: list[ast.Name], found: _Narrowing, imports: Imports) -> str:
    """Put a variable of the narrower type wherever a parameter is used; gives its declaration."""
    variable = imports.free(f"_{found.name}_")
    for use in uses:
        edits.replace(Span(edits.start(use), edits.end(use)), variable)
    return f"{variable}: {' | '.join(found.members)}"


def _put_before(edits: Edits, node: ast.stmt, declaration: str) -> None:
    start = edits.start(node)
    alone = not edits.part(Span(edits.line_of(Span(start, start)).start, start)).strip()
    edits.insert(start, declaration + ("\n" + " " * node.col_offset if alone else "; "))


def _is_assigned(statements: Sequence[ast.AST], name: str) -> bool:
    return any(isinstance(use.ctx, ast.Store) for use in _uses(statements, name))


def _uses(statements: Sequence[ast.AST], name: str) -> Iterator[ast.Name]:
    """Where a variable is used, apart from what has another one of that name."""
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and node.id == name:
            yield node
        elif not _has_its_own(node, name):
            waiting += ast.iter_child_nodes(node)


def _has_its_own(node: ast.AST, name: str) -> bool:
    if isinstance(node, (FunctionDef, ast.Lambda)):
        return any(inner.arg == name for inner in ast.walk(node) if isinstance(inner, ast.arg))
    targets = [generator.target for generator in getattr(node, "generators", ())]
    names = [inner for target in targets for inner in ast.walk(target)]
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in names)


# -- what a statement tells ----------------------------------------------------------------


def _narrowing(node: ast.stmt, known: dict[str, _Members]) -> _Narrowing | None:
    if isinstance(node, ast.Assert):
        name, yes, _ = _tested(node.test, known)
        return _Narrowing(name, yes) if yes else None
    if isinstance(node, ast.If) and not node.orelse:
        name, _, no = _tested(node.test, known)
        last = node.body[-1]
        leaves = isinstance(last, (ast.Raise, ast.Return))
        only = all(isinstance(one, (ast.Raise, ast.Return, ast.Expr)) for one in node.body)
        fits = (leaves and only) or (len(node.body) == 1 and _assigns(last, name, no))
        return _Narrowing(name, no) if no and fits else None
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name, value = node.targets[0].id, node.value
        members = _some(known.get(name, []))
        if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or):
            first, *_, last_value = value.values
            if ast.unparse(first) == name and len(value.values) == 2 and members:
                return _Narrowing(name, members) if _fits(last_value, name, members) else None
    return None


def _assigns(node: ast.stmt, name: str, members: _Members) -> bool:
    return (
        isinstance(node, ast.Assign)
        and [ast.unparse(target) for target in node.targets] == [name]
        and _fits(node.value, name, members)
    )


def _tested(test: ast.expr, known: dict[str, _Members]) -> tuple[str, _Members, _Members]:
    """Which parameter is tested, and what it is if the test succeeds and if it fails."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        name, yes, no = _tested(test.operand, known)
        return name, no, yes
    if isinstance(test, ast.Name):
        return test.id, _some(known.get(test.id, [])), []
    if isinstance(test, ast.Compare) and ast.unparse(test.comparators[0]) == "None":
        name = ast.unparse(test.left)
        some = _some(known.get(name, []))
        if isinstance(test.ops[0], ast.Is):
            return name, ["None"], some
        if isinstance(test.ops[0], ast.IsNot):
            return name, some, ["None"]
    if isinstance(test, ast.Call) and ast.unparse(test.func) == "isinstance":
        name, classes = ast.unparse(test.args[0]), test.args[1]
        parts = classes.elts if isinstance(classes, ast.Tuple) else [classes]
        return name, *_split(known.get(name, []), [ast.unparse(part) for part in parts])
    return "", [], []


def _some(members: _Members) -> _Members:
    """A union without `None`; nothing where it has none."""
    return [member for member in members if member != "None"] if "None" in members else []


def _split(members: _Members, classes: list[str]) -> tuple[_Members, _Members]:
    """Those members of a union that are of some classes, and the others."""
    if members in (["object"], ["Any"]):
        return classes, []
    found = [member for member in members if _head(member) in classes]
    others = [member for member in members if _head(member) not in classes]
    return (found, others) if found and others else ([], [])


def _fits(value: ast.expr, name: str, members: _Members) -> bool:
    """Whether what is assigned is, as far as one sees, one of these types, and no other one."""
    heads = {_head(member).rpartition(".")[2] for member in members}
    if isinstance(value, ast.Constant):
        kind = type(value.value).__name__
        return kind in heads or (kind == "int" and "float" in heads)
    if isinstance(value, ast.JoinedStr):
        return "str" in heads
    if isinstance(value, (ast.List, ast.ListComp, ast.Dict, ast.DictComp, ast.Set, ast.Tuple)):
        return type(value).__name__.removesuffix("Comp").lower() in {head.lower() for head in heads}
    if isinstance(value, ast.Call):
        called = ast.unparse(value.func)
        return called.rpartition(".")[2] in heads or called.startswith(f"{name}.")
    return False


# -- unions --------------------------------------------------------------------------------


def _members(annotation: ast.expr) -> _Members:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return _members(ast.parse(annotation.value.strip(), mode="eval").body)
        except SyntaxError:
            return []
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return [*_members(annotation.left), *_members(annotation.right)]
    if isinstance(annotation, ast.Subscript):
        head = ast.unparse(annotation.value).rpartition(".")[2]
        if head == "Optional":
            return [*_members(annotation.slice), "None"]
        if head == "Union" and isinstance(annotation.slice, ast.Tuple):
            return [member for part in annotation.slice.elts for member in _members(part)]
    return [ast.unparse(annotation)]


def _head(member: str) -> str:
    return member.partition("[")[0]


def _is_one_type(member: str, module: str) -> bool:
    """Whether a member of a union is no name for another union, as far as one sees when it runs."""
    name, *path = _head(member).split(".")
    value = vars(sys.modules[module]).get(name, getattr(builtins, name, None))
    for part in path:
        value = getattr(value, part, None)
    value = getattr(value, "__origin__", value)  # as `typing.List` is `list`
    of_typing = type(value).__module__ == "typing" and not isinstance(value, TypeVar)
    return member == "None" or (value is not Union and (isinstance(value, type) or of_typing))
