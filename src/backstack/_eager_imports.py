"""What importing a module imports besides, read from sources and without running any."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from ._sources import at_top_level, source_of

_MOST_MODULES = 500


def eager_imports(module: str) -> dict[str, str]:
    """The other packages that importing `module` imports, each with the module that does it.

    The standard library is left out. Modules of its own package are followed.
    """
    package = module.partition(".")[0]
    found: dict[str, str] = {}
    todo = list(_with_parents(module))
    seen: set[str] = set()
    while todo and len(seen) < _MOST_MODULES:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for name in _imported(current):
            top = name.partition(".")[0]
            if top == package:
                todo += _with_parents(name)
            elif top not in sys.stdlib_module_names:
                found.setdefault(top, current)
    return found


def _with_parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        yield ".".join(parts[:end])


def _imported(module: str) -> Iterator[str]:
    """The modules that the top level of one imports; a function of it may also be named."""
    try:
        found = source_of(module)
        if found is None:
            return
        source, is_package = found
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, OSError, ImportError):
        return
    for node in at_top_level(body, classes=True):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            yield base
            for alias in node.names:
                yield f"{base}.{alias.name}"


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    up = node.level - int(is_package)
    base = parts[: len(parts) - up]
    return ".".join([*base, node.module] if node.module else base)
