"""Functions that a stub has to define though they are defined elsewhere, under any name."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any, NamedTuple

from ._stub_annotations import FunctionDef, Imports, Source, renamed, source_of, told
from ._stub_edits import Edits, Span
from ._stub_functions import Dispatched, arguments_of, write_function


class Definition(NamedTuple):
    """Where a function is defined.

    Attributes
    ----------
    source : Source
        What the module means by its names.
    node : FunctionDef
        The one whose body runs.
    overloads : tuple of FunctionDef
        What is declared instead of it, if anything is.
    itself : bool
        Whether it is what runs first, so that no decorator has wrapped it.
    """

    source: Source
    node: FunctionDef
    overloads: tuple[FunctionDef, ...]
    itself: bool


def definition_of(function: Callable[..., Any]) -> Definition | None:
    """The definition of a function; None if its source does not show it."""
    inner = inspect.unwrap(function)
    code: CodeType | None = getattr(inner, "__code__", None)
    source = code and source_of(str(getattr(inner, "__globals__", {}).get("__name__")))
    if code is None or not source or file_of(source.module) != code.co_filename:
        return None
    functions = [node for node in source.functions() if node.name == code.co_name]
    for node in functions:
        if first_line(node) == code.co_firstlineno:
            overloads = tuple(one for one in functions if _is_overload(one))
            itself = getattr(function, "__code__", None) is code
            return Definition(source, node, overloads, itself)
    return None


def file_of(module: str) -> str | None:
    """The file of a module that is imported."""
    return getattr(sys.modules.get(module), "__file__", None)


def first_line(node: FunctionDef) -> int:
    """Where the code of a function begins: with its decorators."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _is_overload(node: FunctionDef) -> bool:
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return "overload" in names


def copied(
    definition: Definition, name: str, imports: Imports, dispatched: Dispatched
) -> str | None:
    """A function under a name, as its definition says, in the words of the stub.

    None where a decorator makes it another function than the definition says.
    """
    nodes = definition.overloads or (definition.node,)
    if not definition.overloads and not definition.itself and definition.node.decorator_list:
        return None
    texts = []
    for number, node in enumerate(nodes):
        edits, new = _alone(definition.source, node)
        start = edits.find(new.name, edits.find("def ", edits.start(new)) + len("def "))
        edits.replace(Span(start, start + len(new.name.encode())), name)
        _rename(edits, new, definition.source, imports)
        if definition.overloads:
            edits.insert(0, f"@{imports.name_for('typing', 'overload')}\n")
        added = dispatched if number == 0 else dispatched._replace(doc=None)
        write_function(edits, new, imports, added, is_overload=bool(definition.overloads))
        texts.append(edits.text())
    return "\n".join(texts)


def _alone(source: Source, node: FunctionDef) -> tuple[Edits, FunctionDef]:
    """A function without what is around it, and without decorators."""
    whole = Edits(source.text)
    lines = whole.line_of(Span(whole.start(node), whole.end(node)))
    text = textwrap.dedent(whole.part(Span(lines.start, whole.end(node))))
    new = ast.parse(text).body[0]
    assert isinstance(new, FunctionDef)
    return Edits(text), new


def _rename(edits: Edits, node: FunctionDef, source: Source, imports: Imports) -> None:
    for argument in arguments_of(node.args):
        if argument.annotation is not None:
            _put(edits, argument.annotation, renamed(argument.annotation, source, imports))
    if node.returns is not None:
        _put(edits, node.returns, renamed(node.returns, source, imports))
    for default in (*node.args.defaults, *node.args.kw_defaults):
        if default is not None and not isinstance(default, ast.Constant):
            _put(edits, default, ast.Constant(...))


def _put(edits: Edits, old: ast.expr, new: ast.expr) -> None:
    edits.replace(Span(edits.start(old), edits.end(old)), ast.unparse(new))


def described(
    function: Callable[..., Any],
    signature: inspect.Signature,
    name: str,
    imports: Imports,
    dispatched: Dispatched,
) -> str:
    """A function under a name, as its signature says."""

    def type_of(parameter: inspect.Parameter) -> ast.expr | None:
        return (
            None if parameter.annotation is parameter.empty else told(function, parameter, imports)
        )

    kinds: dict[Any, list[ast.arg]] = {}
    defaults: list[ast.expr] = []
    keyword_defaults: list[ast.expr | None] = []
    for parameter in signature.parameters.values():
        kinds.setdefault(parameter.kind, []).append(ast.arg(parameter.name, type_of(parameter)))
        default = None if parameter.default is parameter.empty else ast.Constant(...)
        if parameter.kind is parameter.KEYWORD_ONLY:
            keyword_defaults.append(default)
        elif default is not None:
            defaults.append(default)
    kind = inspect.Parameter
    arguments = ast.arguments(
        posonlyargs=kinds.get(kind.POSITIONAL_ONLY, []),
        args=kinds.get(kind.POSITIONAL_OR_KEYWORD, []),
        vararg=next(iter(kinds.get(kind.VAR_POSITIONAL, [])), None),
        kwonlyargs=kinds.get(kind.KEYWORD_ONLY, []),
        kw_defaults=keyword_defaults,
        kwarg=next(iter(kinds.get(kind.VAR_KEYWORD, [])), None),
        defaults=defaults,
    )
    result = inspect.Parameter("return_", kind.KEYWORD_ONLY, annotation=signature.return_annotation)
    new = ast.parse(f"def {name}(): ...").body[0]
    assert isinstance(new, ast.FunctionDef)
    new.args, new.returns = arguments, type_of(result)
    text = ast.unparse(ast.fix_missing_locations(new))
    edits, new = Edits(text), ast.parse(text).body[0]
    assert isinstance(new, ast.FunctionDef)
    write_function(edits, new, imports, dispatched)
    return edits.text()
