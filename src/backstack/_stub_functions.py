"""Functions as a stub has them: a head that is typed throughout, and no body.

What dispatching adds to a function is written into its head.
"""

from __future__ import annotations

import ast
import copy
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ._stub_annotations import FunctionDef, Imports
from ._stub_edits import Edits, Span
from ._stub_flow import without_flow


class Dispatched(NamedTuple):
    """What dispatching adds to a function.

    Attributes
    ----------
    keyword : str
        The parameter by which a call chooses.
    selector : str
        Its type.
    options : dict
        The name of each option of a backend, its type and its default.
    doc : str or None
        What to show as the docstring; None where that is said elsewhere or not at all.
    undecorated : tuple of expr
        The decorators that a stub does without.
    """

    keyword: str
    selector: str
    options: Mapping[str, tuple[str, str]]
    doc: str | None = None
    undecorated: tuple[ast.expr, ...] = ()


def write_function(
    edits: Edits,
    node: FunctionDef,
    imports: Imports,
    dispatched: Dispatched | None = None,
    *,
    of_class: bool = False,
    is_overload: bool = False,
) -> None:
    """Make a function what it is in a stub, and add what dispatching does."""
    if isinstance(node, ast.AsyncFunctionDef) and _yields(node):
        # Without a ``yield`` in its body, an ``async def`` would be a coroutine function.
        start = edits.start(node)
        edits.replace(Span(start, edits.find("def", start)), "")
    keyword = None if dispatched is None else dispatched.keyword
    if not any(getattr(part, "type_comment", None) for part in (node, *arguments_of(node.args))):
        _complete(edits, node, imports, of_class=of_class, known=keyword)
    if dispatched is None:
        _leave_out_body(edits, node, imports, of_class=of_class)
        return
    _drop_decorators(edits, node, dispatched.undecorated)
    start = edits.start(node.body[0])
    _replace_to_end(edits, start, node, _body(dispatched.doc, node.col_offset))
    if _is_generic_in_parameters(node):
        _add_overload(edits, node, imports, dispatched, is_overload=is_overload)
    else:
        _add_parameters(edits, node, dispatched)


def arguments_of(arguments: ast.arguments) -> Iterator[ast.arg]:
    """Every parameter of a function."""
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from filter(None, (arguments.vararg, arguments.kwarg))


# -- heads ---------------------------------------------------------------------------------


def _complete(
    edits: Edits, node: FunctionDef, imports: Imports, *, of_class: bool, known: str | None
) -> None:
    """Write a type where there is none: mypy takes a call of an untyped function for a mistake."""
    arguments = list(arguments_of(node.args))
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if of_class and "staticmethod" not in decorators and (node.args.posonlyargs or node.args.args):
        del arguments[0]
    for argument in arguments:
        if argument.annotation is None and argument.arg != known:
            edits.insert(edits.end(argument), f": {imports.name_for('_typeshed', 'Incomplete')}")
    if node.returns is None:
        nothing = of_class and node.name in ("__init__", "__init_subclass__")
        what = "None" if nothing else imports.name_for("_typeshed", "Incomplete")
        edits.insert(edits.parameters(node).closing + 1, f" -> {what}")


def _drop_decorators(edits: Edits, node: FunctionDef, dropped: Iterable[ast.expr]) -> None:
    starts = [edits.before(decorator, "@") for decorator in node.decorator_list]
    starts.append(edits.start(node))
    for decorator in dropped:
        number = node.decorator_list.index(decorator)
        edits.replace(Span(starts[number], starts[number + 1]), "")


def _options(node: FunctionDef, dispatched: Dispatched) -> Iterator[tuple[str, str, str]]:
    """The options that a function does not have itself."""
    named = {argument.arg for argument in arguments_of(node.args)}
    for name, (annotation, default) in dispatched.options.items():
        if name not in named:
            yield name, annotation, default


def _add_parameters(edits: Edits, node: FunctionDef, dispatched: Dispatched) -> None:
    """Add the options and the selector, keyword-only, where a signature shows them."""
    added = [f"{name}: {type_} = {default}" for name, type_, default in _options(node, dispatched)]
    text = ", ".join([*added, f"{dispatched.keyword}: {dispatched.selector} = None"])
    parameters = edits.parameters(node)
    own = parameters.items.get(dispatched.keyword)
    if own is not None:
        edits.replace(own, text)
        return
    if not node.args.kwonlyargs and node.args.vararg is None:
        text = f"*, {text}"
    if node.args.kwarg is not None:
        edits.insert(parameters.items[f"**{node.args.kwarg.arg}"].start, f"{text}, ")
    elif parameters.items:
        edits.insert([*parameters.items.values()][-1].end, f", {text}")
    else:
        edits.insert(parameters.opening, text)


# -- functions that take the parameters of another one -------------------------------------


def _is_generic_in_parameters(node: FunctionDef) -> bool:
    annotation = node.args.vararg and node.args.vararg.annotation
    return isinstance(annotation, ast.Attribute) and annotation.attr == "args"


def _add_overload(
    edits: Edits,
    node: FunctionDef,
    imports: Imports,
    dispatched: Dispatched,
    *,
    is_overload: bool,
) -> None:
    """Nothing may stand between ``*args: P.args`` and ``**kwargs``: calls that choose are apart."""
    whole, indent = edits.whole(node), " " * node.col_offset
    overload = f"@{imports.name_for('typing', 'overload')}\n{indent}"
    new = copy.deepcopy(node)
    new.decorator_list = []
    annotation = node.args.vararg and node.args.vararg.annotation
    assert isinstance(annotation, ast.Attribute)
    new = _Free(ast.unparse(annotation.value)).visit(new)
    for argument in filter(None, (new.args.vararg, new.args.kwarg)):
        argument.annotation = ast.Name(imports.name_for("typing", "Any"), ast.Load())
    for name, type_, default in _options(node, dispatched):
        new.args.kwonlyargs.append(ast.arg(name, parsed(type_)))
        new.args.kw_defaults.append(parsed(default))
    new.args.kwonlyargs.append(ast.arg(dispatched.keyword, parsed(dispatched.selector)))
    new.args.kw_defaults.append(None)
    new.body = [ast.Expr(ast.Constant(...))]
    text = textwrap.indent(ast.unparse(ast.fix_missing_locations(new)), indent)
    # It comes first: mypy thinks that nothing could get past the other one.
    edits.insert(whole.start, f"{overload}{text.lstrip()}\n{indent}")
    if not is_overload:
        edits.insert(whole.start, overload)


class _Free(ast.NodeTransformer):
    """Lets functions that are handed over take whatever they take."""

    def __init__(self, parameters: str) -> None:
        self._parameters = parameters

    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:
        self.generic_visit(node)
        if isinstance(node.slice, ast.Tuple):
            node.slice.elts = [self._freed(part) for part in node.slice.elts]
        else:
            node.slice = self._freed(node.slice)
        return node

    def _freed(self, part: ast.expr) -> ast.expr:
        return ast.Constant(...) if ast.unparse(part) == self._parameters else part


def parsed(text: str) -> ast.expr:
    """An expression."""
    return ast.parse(text.strip(), mode="eval").body


# -- bodies --------------------------------------------------------------------------------


def _body(doc: str | None, column: int) -> str:
    if doc is None:
        return "..."
    indented = doc.replace("\n", "\n    ").replace("\n    \n", "\n\n")
    text = ast.Expr(ast.Constant(indented + ("\n    " if "\n" in doc else "")))
    function = ast.parse("def f(): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = [text]
    written = ast.unparse(ast.fix_missing_locations(function)).partition("\n")[2]
    return textwrap.indent(written, " " * column).strip()


def _leave_out_body(edits: Edits, node: FunctionDef, imports: Imports, *, of_class: bool) -> None:
    body = node.body[1:] if is_text(node.body[0]) else node.body
    if not body:
        return
    # Checkers read attributes out of the methods that set them, in stubs as well.
    if of_class and _sets_attributes(node):
        without_flow(edits, node, imports)
        return
    _replace_to_end(edits, edits.whole(body[0]).start, node, "...")


def _replace_to_end(edits: Edits, start: int, node: FunctionDef, new: str) -> None:
    """Put `new` where the body was; a comment after it goes, unless it is about the head too."""
    end = edits.end(node)
    begin = edits.line_of(Span(start, start)).start
    comment = edits.comment_after(end) if not edits.part(Span(begin, start)).strip() else None
    edits.replace(Span(start, end if comment is None else comment.end), new)


# -- what functions are --------------------------------------------------------------------


def is_text(node: ast.stmt) -> bool:
    """Whether this is a docstring, if it comes first."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _yields(node: FunctionDef) -> bool:
    return any(isinstance(inner, (ast.Yield, ast.YieldFrom)) for inner in own_nodes(node))


def _sets_attributes(node: FunctionDef) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args]
    return bool(arguments) and any(
        isinstance(inner, ast.Attribute)
        and isinstance(inner.ctx, ast.Store)
        and isinstance(inner.value, ast.Name)
        and inner.value.id == arguments[0].arg
        for inner in own_nodes(node)
    )


def own_nodes(node: FunctionDef) -> Iterator[ast.AST]:
    """What is in the body of a function, and not in that of another one inside it."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        inner = waiting.pop()
        yield inner
        if not isinstance(inner, (FunctionDef, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(inner)
