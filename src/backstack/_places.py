"""Where a dispatcher is kept: the attribute of a module that stands for it in a pickle.

Another process has a dispatcher of its own, made when it imports the host. So a pickle
says where that one is, and carries nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType


def place_of(value: object, made_in: str) -> tuple[str, str] | None:
    """The names of a module and of its attribute that is `value`; None if no module has it.

    The module that made it comes first, then the packages around that, then all others.
    """
    for module_name in _modules(made_in):
        module = sys.modules.get(module_name)
        if isinstance(module, ModuleType):
            # Not by getattr, which could run a module's __getattr__.
            for name, found in list(vars(module).items()):
                if found is value:
                    return module_name, name
    return None


def _modules(first: str) -> Iterator[str]:
    parts = first.split(".")
    for end in range(len(parts), 0, -1):
        yield ".".join(parts[:end])
    yield from list(sys.modules)
