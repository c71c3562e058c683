"""The thin subclass that takes the place of a host's class.

It has in its own namespace whatever the host's class has in its, so that tools which look
there (doctest, Sphinx, pydoc, `dataclasses`) see no difference.
"""

from __future__ import annotations

import types
from abc import ABCMeta
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._metaclasses import dispatching
from ._records import MISSING

put = type.__setattr__  # past a metaclass that has its own idea of it
_take = type.__delattr__


def thin_subclass(host_class: type) -> type:
    """A subclass of `host_class` that can be dispatched; `TypeError` if there can be none."""

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__module__"] = host_class.__module__
        namespace["__qualname__"] = host_class.__qualname__
        namespace["__slots__"] = ()  # so that instances are laid out as the host's are

    keywords = {"metaclass": dispatching(type(host_class))}
    try:
        with _without_subclass_hook(host_class):
            cls = types.new_class(host_class.__name__, (host_class,), keywords, fill)
    except Exception as error:
        raise TypeError(
            f"{host_class.__qualname__} cannot be dispatched, since it cannot be subclassed: "
            f"{error}"
        ) from error
    _take(cls, "__slots__")
    if "__abstractmethods__" in vars(cls) and not isinstance(host_class, ABCMeta):
        _take(cls, "__abstractmethods__")  # of its metaclass's making
    put(cls, "__doc__", vars(host_class).get("__doc__"))
    own = vars(cls)
    for name, value in list(vars(host_class).items()):
        if name not in own and name not in ("__dict__", "__weakref__", "__signature__"):
            put(cls, name, value)
    return cls


@contextmanager
def _without_subclass_hook(host_class: type) -> Iterator[None]:
    """Keep `__init_subclass__` from being run for a subclass that nobody wrote.

    It has seen the host's class, with the keywords that this was defined with.
    """
    name = "__init_subclass__"
    if next(base for base in host_class.__mro__ if name in vars(base)) is object:
        yield
        return
    own = vars(host_class).get(name, MISSING)
    put(host_class, name, classmethod(_no_hook))
    try:
        yield
    finally:
        if own is MISSING:
            _take(host_class, name)
        else:
            put(host_class, name, own)


def _no_hook(cls: type, /, **keywords: Any) -> None:
    """Stands in for an `__init_subclass__`."""
