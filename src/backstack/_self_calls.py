"""Whether an implementation calls the host's function that it implements, seen in its source.

Such a call comes back to the implementation, unless it says ``backend="cpu"``.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import textwrap
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from ._names import CPU


def calls_back(implementation: Callable[..., Any], public: object, keyword: str) -> int | None:
    """The line of a call of `public` in `implementation` that does not choose; None if none."""
    function: Any = inspect.unwrap(implementation)
    if not callable(getattr(function, "__get__", None)):
        function = type(function).__call__  # of an object that can be called
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        return None
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
        if (
            isinstance(node, ast.Call)
            and _value(node.func, known) is public
            # Behind ** there may be one.
            and not any(given.arg in (keyword, None) for given in node.keywords)
        ):
            return function.__code__.co_firstlineno + node.lineno - 1
    return None


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
