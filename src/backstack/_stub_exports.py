"""What a module imports and others take from it: a stub has to say so.

A stub exports what is imported ``as`` it is called there already. What gets another name is
imported under a private one, and assigned.
"""

from __future__ import annotations

import ast
import inspect
import sys
from types import ModuleType
from typing import Any

from ._stub_annotations import Imports
from ._stub_edits import Edits, Span

#: What is taken from there is for the module's own annotations.
_FOR_TYPES = {"__future__", "typing", "typing_extensions", "collections.abc", "abc", "_typeshed"}


class Exports:
    """Writes the imports of one module.

    Parameters
    ----------
    module : module
        Whose source it is; its attributes are looked at.
    tree : Module
        What its source, or its stub, says.
    imports : Imports
        Gives names that are free.
    redefined : set of str
        The names that the stub defines further down.
    """

    def __init__(
        self, module: ModuleType, tree: ast.Module, imports: Imports, redefined: set[str]
    ) -> None:
        self._module, self._imports, self._redefined = module, imports, redefined
        self._used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self._listed: set[str] = set(getattr(module, "__all__", ()))
        self._own = module.__name__.partition(".")[0]

    def write(self, edits: Edits, node: ast.Import | ast.ImportFrom) -> None:
        """Have a stub export what this import binds, where the module does."""
        assigned: list[str] = []
        for alias in node.names:
            bound = alias.asname or alias.name
            if bound in self._redefined:
                self._rename(edits, alias, bound)
            elif not self._is_exported(node, alias):
                continue
            elif bound == alias.name and not self._is_alias(node, alias):
                edits.insert(edits.end(alias), "" if alias.asname else f" as {bound}")
            else:
                assigned.append(f"{bound} = {self._rename(edits, alias, bound)}")
        if assigned:
            self._insert_after(edits, node, assigned)

    def _rename(self, edits: Edits, alias: ast.alias, bound: str) -> str:
        name = self._imports.free(f"_{bound.strip('_')}_")
        edits.replace(Span(edits.start(alias), edits.end(alias)), f"{alias.name} as {name}")
        return name

    def _insert_after(
        self, edits: Edits, node: ast.Import | ast.ImportFrom, statements: list[str]
    ) -> None:
        end = edits.end(node)
        comment = edits.comment_after(end)
        if comment is None:
            edits.insert(end, "".join(f"; {statement}" for statement in statements))
            return
        indent = "\n" + " " * node.col_offset
        edits.insert(comment.end, "".join(indent + statement for statement in statements))

    # -- what is exported --------------------------------------------------------------

    def _is_exported(self, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> bool:
        source = (alias.name if isinstance(node, ast.Import) else node.module) or ""
        own = bool(getattr(node, "level", 0)) or source.partition(".")[0] == self._own
        bound = alias.asname or alias.name
        if alias.name == "*" or "." in bound:
            return False
        if own and isinstance(node, ast.ImportFrom) and bound == alias.name:
            return True
        if bound.startswith("_") or bound in self._listed or bound not in vars(self._module):
            return False
        value = vars(self._module)[bound]
        if own:
            return type(value).__module__ not in _FOR_TYPES  # which have to keep their name
        return self._is_exported_abroad(source, alias, value)

    def _is_exported_abroad(self, source: str, alias: ast.alias, value: Any) -> bool:
        """Whether the package exports what is not its own; `stubtest` looks into such things."""
        bound = alias.asname or alias.name
        if not hasattr(self._module, "__path__") or source in _FOR_TYPES or bound in self._used:
            return False
        if isinstance(value, ModuleType):
            return True
        itself = getattr(value, "__module__", None) == source
        itself = itself and getattr(value, "__qualname__", None) == alias.name
        if inspect.isclass(value):
            return itself
        known = source.partition(".")[0] in sys.stdlib_module_names
        return itself and known and inspect.isfunction(value)

    def _is_alias(self, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> bool:
        """Whether it is a class of someone else's, whose insides `stubtest` is to leave alone."""
        if isinstance(node, ast.Import) or node.level:
            return False
        own = (node.module or "").partition(".")[0] == self._own
        return not own and inspect.isclass(vars(self._module)[alias.asname or alias.name])
