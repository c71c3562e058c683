"""The thin subclass that takes the place of a host's class.

It has in its own namespace whatever the host's class has in its, so that tools which look
there (doctest, Sphinx, pydoc, `dataclasses`) see no difference.
"""

from __future__ import annotations

import inspect
import types
from abc import ABCMeta
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from ._metaclasses import Construct, dispatching, put, take
from ._records import MISSING

#: What belongs to one class alone. What it was derived from would be taken for its bases.
_OF_ONE_CLASS = frozenset({"__dict__", "__weakref__", "__orig_bases__", "__doc__", "__slots__"})
#: What of the host's class counts for more than what its metaclass, or a hook of its bases,
#: has made of an empty subclass. Anything else may hold the class itself, and is left.
_CONTENT = (
    *(bool, int, float, complex, str, bytes, type(None), tuple, list, dict, set, frozenset),
    *(types.FunctionType, staticmethod, classmethod, property),
)


def thin_subclass(host_class: type) -> type:
    """A subclass of `host_class` that can be dispatched; `TypeError` if there can be none."""

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__module__"] = host_class.__module__
        namespace["__qualname__"] = host_class.__qualname__
        namespace["__slots__"] = ()  # so that instances are laid out as the host's are

    keywords = {"metaclass": dispatching(type(host_class))}
    try:
        with _own_hook_silenced(host_class):
            cls = types.new_class(host_class.__name__, (host_class,), keywords, fill)
    except Exception as error:
        raise TypeError(
            f"{host_class.__qualname__} cannot be dispatched, since it cannot be subclassed: "
            f"{error}"
        ) from error
    call: Any = type(cls).__call__
    if type(call) is not Construct:
        raise TypeError(
            f"{host_class.__qualname__} cannot be dispatched, since its subclasses are "
            f"{type(cls).__name__!r} whatever metaclass they are made with."
        )
    _copy(host_class, cls)
    return cls


def _copy(host_class: type, cls: Any) -> None:
    """Put into `cls` what `host_class` holds."""
    own = vars(cls)
    for name, value in list(vars(host_class).items()):
        made = own.get(name, MISSING)
        if name in _OF_ONE_CLASS or value is made:
            continue
        if (made is MISSING or isinstance(made, _CONTENT)) and not _is_metaclass_data(cls, name):
            put(cls, name, value)
    if "__abstractmethods__" in own and not isinstance(host_class, ABCMeta):
        take(cls, "__abstractmethods__")  # of its metaclass's making
    put(cls, "__doc__", vars(host_class).get("__doc__"))
    if "__slots__" in vars(host_class):
        put(cls, "__slots__", vars(host_class)["__slots__"])
    elif "__slots__" in own:
        take(cls, "__slots__")


def _is_metaclass_data(cls: type, name: str) -> bool:
    """Whether setting `name` on `cls` would reach a property of its metaclass instead."""
    found = inspect.getattr_static(type(cls), name, None)
    return hasattr(type(found), "__set__") and name not in ("__annotations__", "__type_params__")


@contextmanager
def _own_hook_silenced(host_class: type) -> Generator[None, None, None]:
    """Keep a class's own `__init_subclass__` from being run for a subclass that nobody wrote.

    Those of its bases are run: what they see stands where the host's class stood.
    """
    name = "__init_subclass__"
    own = vars(host_class).get(name)
    if own is None:
        yield
        return

    parents: Any = super

    def hook(cls: Any, /, **keywords: Any) -> None:
        parents(host_class, cls).__init_subclass__(**keywords)

    put(host_class, name, classmethod(hook))
    try:
        yield
    finally:
        put(host_class, name, own)
