"""Metaclasses under which a class dispatches when it is called, and is otherwise as it was.

Calling a class is its metaclass's business: nothing else sees a construction as such, and
not a `__new__` by a pickle or by the host itself. So a dispatched class has a metaclass
that derives from its own one, with another `__call__`.
"""

# pyright: reportSelfClsParameterName=false
# A class of metaclasses is not seen to be one where its base is computed.

from __future__ import annotations

import weakref
from abc import ABCMeta
from typing import Any

import wrapt

#: Where a dispatched class keeps its route.
ROUTE = "_backstack_route"


def own_route(cls: type) -> Any:
    """The route of `cls`; None if it is not dispatched itself, though a base of it may be."""
    route = cls.__dict__.get(ROUTE)
    # A decorator that makes a class anew, as for slots, copies what was in the old one.
    return route if route is not None and route.cls is cls else None


class Construct(wrapt.BaseObjectProxy):  # type: ignore[type-arg]
    """The `__call__` of a metaclass; for a dispatched class, that class's call path.

    It stands for the one that it replaces, since `inspect` would take another one's signature
    for that of every class. Behind `type.__call__` it knows to look for the constructor.
    """

    def __get__(self, cls: Any, owner: type | None = None) -> Any:
        if cls is None:
            return self
        route = cls.__dict__.get(ROUTE)  # as `own_route`, which would be one more call
        # Only the outermost dispatches; `super().__call__` of a metaclass leads here as well.
        if route is not None and route.cls is cls and route.construct is self:
            return route.call
        return self.__wrapped__.__get__(cls, owner)

    def __call__(self, cls: Any, *args: Any, **kwargs: Any) -> Any:
        return self.__get__(cls, type(cls))(*args, **kwargs)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return Construct, (self.__wrapped__,)


def _get_doc(cls: Any) -> Any:
    text, route = _own_doc.__get__(cls, type(cls)), own_route(cls)
    if route is None or not text:
        return text
    from ._docstrings import merged_docstring

    return merged_docstring(route, text, ())


def _set_doc(cls: Any, text: Any) -> None:
    _own_doc.__set__(cls, text)


_own_doc: Any = vars(type)["__doc__"]
# Of the metaclass, and not in the class, where `pydoc` wants to see a plain string.
_shown_doc: Any = property(_get_doc, _set_doc)


class DispatchedType(ABCMeta):
    """For classes whose metaclass is `type`, and for those of `abc.ABCMeta`.

    It derives from the latter for the sake of subclasses that have an abstract base besides:
    Python wants one metaclass that derives from those of all bases.
    """

    __doc__ = _shown_doc
    __call__ = Construct(type.__call__)  # pyright: ignore[reportAssignmentType]  it is called alike

    def __instancecheck__(cls, instance: Any) -> bool:
        if not hasattr(cls, "_abc_impl"):  # made past ABCMeta, by a metaclass that calls `type`
            return _is_of_host(cls, instance) or type.__instancecheck__(cls, instance)
        return _is_of_host(cls, instance) or super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if not hasattr(cls, "_abc_impl"):
            return _derives_from_host(cls, subclass) or type.__subclasscheck__(cls, subclass)
        return _derives_from_host(cls, subclass) or super().__subclasscheck__(subclass)


#: The metaclass for each other one, so that classes with the same one stay compatible.
_derived: weakref.WeakValueDictionary[type, type] = weakref.WeakValueDictionary()


def dispatching(meta: type) -> type:
    """A metaclass that derives from `meta`, under which classes can be dispatched."""
    if isinstance(meta.__call__, Construct):
        return meta
    if issubclass(DispatchedType, meta):
        return DispatchedType
    known = _derived.get(meta)
    return known if known is not None else _derived.setdefault(meta, _derive(meta))


def _derive(meta: type) -> type:
    # Whatever metaclasses can be combined can be so when they dispatch.
    bases = [dispatching(base) for base in meta.__bases__ if issubclass(base, type)]

    class Dispatched(meta, *dict.fromkeys(bases)):  # type: ignore[misc]
        __doc__ = _shown_doc
        __call__ = Construct(meta.__call__)

        def __instancecheck__(cls, instance: Any) -> Any:  # noqa: N805  of a metaclass
            return _is_of_host(cls, instance) or super().__instancecheck__(instance)

        def __subclasscheck__(cls, subclass: type) -> Any:  # noqa: N805
            return _derives_from_host(cls, subclass) or super().__subclasscheck__(subclass)

    Dispatched.__name__ = Dispatched.__qualname__ = f"Dispatched{meta.__name__}"
    return Dispatched


def _is_of_host(cls: type, instance: Any) -> bool:
    """Whether `cls` is dispatched, and `instance` one of what the host defined.

    That may have made some before it was decorated, or where it says ``__class__``.
    """
    route = own_route(cls)
    return route is not None and type.__instancecheck__(route.host_class, instance)


def _derives_from_host(cls: type, subclass: Any) -> bool:
    route = own_route(cls)
    return route is not None and type.__subclasscheck__(route.host_class, subclass)
