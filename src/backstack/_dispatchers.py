"""Where the dispatcher of a host is, and which dispatchers there are."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys
from typing import Any

from ._installed import HOSTS, host_names, place_of_host
from ._names import did_you_mean
from ._records import MISSING
from .dispatcher import BackendDispatcher


class NoDispatcherError(Exception):
    """There is no such host; the message says what to do."""


def dispatchers(package: str | None = None) -> dict[str, BackendDispatcher]:
    """Those in any module that is imported, or in those of a package, by ``MODULE:ATTRIBUTE``.

    Each is there once. Nothing is imported to find them.
    """
    found: dict[int, tuple[str, BackendDispatcher]] = {}
    for name, module in list(sys.modules.items()):
        if package is None or name == package or name.startswith(package + "."):
            for attribute, value in list(getattr(module, "__dict__", {}).items()):
                if issubclass(type(value), BackendDispatcher):  # asks nothing of the value
                    found.setdefault(id(value), (f"{name}:{attribute}", value))
    return dict(found.values())


def find_dispatcher(name: str) -> BackendDispatcher:
    """The dispatcher of a host, importing the host.

    `name` is a module that has one or a package around one, the name under which the host says
    where it is, or ``module:attribute``.
    """
    place = name if ":" in name else place_of_host(name)
    if place is not None:
        entry = (
            "" if ":" in name else f"The entry point {name!r} in the group {HOSTS!r} says {place}. "
        )
        return _at(place, entry)
    module = name.replace("-", "_")
    if not _imports(module):
        raise NoDispatcherError(
            f"There is no host {name!r}: no module of that name can be imported."
            f"{_in_current_folder(module)}{did_you_mean(name, host_names() - {name})} "
            "'backstack list' shows the hosts that are installed."
        )
    return _the_one_of(module, name)


def _imports(module: str) -> bool:
    """Import a module; False if it is not there, while a failure of its own is raised."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        return False
    return True


def _in_current_folder(module: str) -> str:
    top = module.partition(".")[0]
    if not top.isidentifier() or not (os.path.isdir(top) or os.path.isfile(f"{top}.py")):
        return ""
    return f" The current folder has {top!r}, and is not searched; 'python -m backstack' does that."


def _at(place: str, entry: str) -> BackendDispatcher:
    """The dispatcher at ``MODULE:ATTRIBUTE``; an error that says what is there instead."""
    module = place.partition(":")[0]
    found: Any = MISSING
    if module:
        _imports(module)  # a failure of its own is another matter
    with contextlib.suppress(AttributeError, ImportError, ValueError):
        found = pkgutil.resolve_name(place)
    if isinstance(found, BackendDispatcher):
        return found
    there = ", ".join(dispatchers(module)) if module else ""
    what = f"{found!r}, and no BackendDispatcher" if found is not MISSING else "not there"
    raise NoDispatcherError(
        f"{entry}{place} is {what}; wanted is MODULE:ATTRIBUTE of a dispatcher"
        f"{f', such as {there}' if there else ''}."
    )


def _the_one_of(package: str, name: str) -> BackendDispatcher:
    found = list(dispatchers(package).values())
    candidates = [d for d in found if d._config.host == name] or found
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise NoDispatcherError(
            f"No module of {package!r} has a BackendDispatcher; if it is made elsewhere, say "
            f"where: MODULE:ATTRIBUTE."
        )
    hosts = ", ".join(sorted(repr(d._config.host) for d in candidates))
    raise NoDispatcherError(
        f"{package!r} has several dispatchers, of {hosts}; choose: MODULE:ATTRIBUTE."
    )
