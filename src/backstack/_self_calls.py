"""Whether an implementation calls the host's function that it implements, seen in its source.

Such a call comes back to the implementation, unless it says ``backend="cpu"`` or another one's
name.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Collection, Iterator
from types import FunctionType, ModuleType
from typing import Any

from ._names import CPU


def calls_back(
    implementation: Callable[..., Any], public: Any, keyword: str, own_labels: Collection[str]
) -> int | None:
    """The line of a call of `public` in `implementation` that leads there; None if none.

    It chooses nothing, or one of `own_labels`.
    """
    for function in _functions(implementation, public):
        line = _line(function, public, keyword, own_labels)
        if line is not None:
            return line
    return None


def _functions(implementation: Any, public: Any) -> Iterator[FunctionType]:
    """What runs when `implementation` is called, as far as it is written in Python."""
    if isinstance(implementation, type):
        # Not what it has inherited from the host's class.
        hosts = getattr(public, "__mro__", ())
        bases = [base for base in implementation.__mro__ if base not in hosts]
        found = [vars(base).get(name) for base in bases for name in ("__new__", "__init__")]
    else:
        function: Any = inspect.unwrap(implementation)
        if not callable(getattr(function, "__get__", None)):
            function = type(function).__call__  # of an object that can be called
        found = [function]
    for each in found:
        function = getattr(each, "__func__", each)
        if isinstance(function, FunctionType):
            yield function


def _line(
    function: FunctionType, public: object, keyword: str, own_labels: Collection[str]
) -> int | None:
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    if any(isinstance(node, ast.Constant) and node.value == CPU for node in ast.walk(tree)):
        return None  # it knows the way out, and takes it in whatever way
    known = {**function.__globals__, **_nonlocals(function)}
    for name in function.__code__.co_varnames:  # whatever these are, they hide the others
        known.pop(name, None)
    known.update(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _value(node.func, known) is public:
            # Behind ** there may be another one, and None is as good as nothing.
            given = [each.value for each in node.keywords if each.arg in (keyword, None)]
            chosen = [value for value in given if not _is_none(value)]
            if all(_text(value, known) in own_labels for value in chosen):
                return function.__code__.co_firstlineno + node.lineno - 1
    return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _text(node: ast.expr, known: dict[str, Any]) -> str | None:
    """The string that an expression stands for, if that can be seen."""
    value = node.value if isinstance(node, ast.Constant) else _value(node, known)
    return value if isinstance(value, str) else None


def _nonlocals(function: FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # it is empty
            found[name] = cell.cell_contents
    return found


def _imports(tree: ast.AST) -> dict[str, Any]:
    """What the imports inside bind, as far as it is imported already."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                found[alias.asname or name] = sys.modules.get(name)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = sys.modules.get(node.module or "")
            for alias in node.names:
                found[alias.asname or alias.name] = _attribute(module, alias.name)
    return found


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        return _attribute(_value(node.value, known), node.attr)
    return None


def _attribute(module: Any, name: str) -> Any:
    """What a module has under that name, running no ``__getattr__`` of it."""
    return vars(module).get(name) if isinstance(module, ModuleType) else None
