"""Metaclasses under which a class dispatches when it is called, and is otherwise as it was.

Calling a class is its metaclass's business: nothing else sees a construction as such, and
not a `__new__` by a pickle or by the host itself. So a dispatched class has a metaclass
that derives from its own one, with another `__call__`.
"""

# pyright: reportSelfClsParameterName=false
# A class of metaclasses is not seen to be one where its base is computed.

from __future__ import annotations

import inspect
import threading
import weakref
from abc import ABCMeta
from typing import Any

__tracebackhide__ = True  # pytest shows whose call it was

#: Where a dispatched class keeps its route.
ROUTE = "_backstack_route"


def own_route(cls: type) -> Any:
    """The route of `cls`; None if it is not dispatched itself, though a base of it may be."""
    route = cls.__dict__.get(ROUTE)
    # A namespace can be copied into another class, and this with it.
    return route if route is not None and route.cls is cls else None


class Construct:
    """The `__call__` of a metaclass; for a dispatched class, that class's call path.

    It stands for the one that it replaces, since `inspect` would take another one's signature
    for that of every class. Behind `type.__call__` it knows to look for the constructor.
    """

    __slots__ = ("bind", "plain")

    def __init__(self, plain: Any) -> None:
        self.plain = plain
        self.bind = getattr(plain, "__get__", lambda *_: plain)

    def __get__(self, cls: Any, owner: type | None = None) -> Any:
        if cls is None:
            return self
        route = cls.__dict__.get(ROUTE)  # as `own_route`, which would be one more call
        # Only the outermost dispatches; `super().__call__` of a metaclass leads here as well.
        if route is not None and route.cls is cls and route.construct is self:
            return route.call
        return self.bind(cls, owner)

    def __call__(self, cls: Any, *args: Any, **kwargs: Any) -> Any:
        return self.__get__(cls, type(cls))(*args, **kwargs)

    __class__: Any = property(lambda self: type(self.plain))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return Construct, (self.plain,)


class ShownSignature:
    """The `__signature__` of a dispatched class: its constructor's, and the selector.

    A class has none for its instances, nor for its subclasses. What a class or a base of it
    defines comes first, since this is no data descriptor.
    """

    def __init__(self) -> None:
        self._asking: set[tuple[int, int]] = set()  # who looks for the signature underneath

    def __get__(self, cls: Any, owner: Any = None) -> Any:
        asking = (threading.get_ident(), id(cls))
        route = None if cls is None or asking in self._asking else own_route(cls)
        if cls is None or route is None:
            raise AttributeError("__signature__")
        self._asking.add(asking)
        try:
            return with_selector(route, inspect.signature(cls))
        except (ValueError, TypeError) as error:
            raise AttributeError(f"{cls.__qualname__} has no signature: {error}") from error
        finally:
            self._asking.discard(asking)


def with_selector(route: Any, signature: inspect.Signature) -> inspect.Signature:
    """`signature` as a dispatched class shows it."""
    from ._signatures import merge

    return merge(route, signature, ())


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


class Dispatching(type):
    """What all metaclasses of dispatched classes do alike."""

    __doc__ = _shown_doc
    __signature__ = ShownSignature()

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], /, **keywords: Any
    ) -> Any:
        cls = super().__new__(mcls, name, bases, namespace, **keywords)
        route = namespace.get(ROUTE)
        if route is not None:
            route.move(cls)
        return cls

    def __instancecheck__(cls, instance: Any) -> bool:
        known = _of_host(cls, type.__instancecheck__, instance)
        return super().__instancecheck__(instance) if known is None else known

    def __subclasscheck__(cls, subclass: type) -> bool:
        known = _of_host(cls, type.__subclasscheck__, subclass)
        return super().__subclasscheck__(subclass) if known is None else known

    # What is changed in the dispatched class is changed in the host's too, so that methods
    # which say `__class__` see it, and what is deleted does not show through.

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        route = own_route(cls)
        if route is not None and name not in _OF_TYPE:
            put(route.host_class, name, value)

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        route = own_route(cls)
        if route is not None and name not in _OF_TYPE and name in vars(route.host_class):
            take(route.host_class, name)


class DispatchedType(Dispatching, ABCMeta):
    """For classes whose metaclass is `type`, and for those of `abc.ABCMeta`.

    It derives from the latter for the sake of subclasses that have an abstract base besides:
    Python wants one metaclass that derives from those of all bases.
    """

    __doc__ = _shown_doc
    __call__ = Construct(type.__call__)  # pyright: ignore[reportAssignmentType]  it is called alike


def _of_host(cls: type, check: Any, subject: Any) -> bool | None:
    """Whether `subject` is of what the host defined; None if that does not settle it.

    The host may have made instances before its class was decorated, or where it says
    ``__class__``. They count.
    """
    route = own_route(cls)
    if route is None:
        return None
    if check(route.host_class, subject):
        return True
    return False if type(route.host_class) is type else None


#: What `type` itself keeps of a class.
_OF_TYPE = frozenset(name for name, value in vars(type).items() if hasattr(value, "__set__"))


def put(cls: type, name: str, value: Any) -> None:
    """Set an attribute of a class, past a metaclass that has its own idea of it."""
    try:
        type.__setattr__(cls, name, value)
    except TypeError:  # it is written in C, and `type` may not go past that
        setattr(cls, name, value)


def take(cls: type, name: str) -> None:
    """Delete an attribute of a class in the same way."""
    try:
        type.__delattr__(cls, name)
    except TypeError:
        delattr(cls, name)


#: The metaclass for each other one, so that classes with the same one stay compatible.
_derived: weakref.WeakValueDictionary[type, type] = weakref.WeakValueDictionary()


def dispatching(meta: type) -> type:
    """A metaclass that derives from `meta`, under which classes can be dispatched."""
    if type(meta.__call__) is Construct:
        return meta
    if meta in (type, ABCMeta):
        return DispatchedType
    known = _derived.get(meta)
    return known if known is not None else _derived.setdefault(meta, _derive(meta))


def _derive(meta: type) -> type:
    # Metaclasses that can be combined can be so when they dispatch.
    parents = [base for base in meta.__bases__ if issubclass(base, type)]
    bases = [Dispatching if base is type else dispatching(base) for base in parents]

    class Dispatched(meta, *dict.fromkeys(bases)):  # type: ignore[misc]
        __doc__ = _shown_doc
        __signature__ = ShownSignature()
        __call__ = Construct(meta.__call__)

        def __instancecheck__(cls, instance: Any) -> Any:  # noqa: N805  of a metaclass
            known = _of_host(cls, type.__instancecheck__, instance)
            return super().__instancecheck__(instance) if known is None else known

        def __subclasscheck__(cls, subclass: type) -> Any:  # noqa: N805
            known = _of_host(cls, type.__subclasscheck__, subclass)
            return super().__subclasscheck__(subclass) if known is None else known

    Dispatched.__name__ = Dispatched.__qualname__ = f"Dispatched{meta.__name__}"
    return Dispatched
