"""Whether two results are the same, as far as floating point allows, and where they differ most.

No library is imported for it but NumPy, and that only for what has numbers in it: what a result
is, is seen by what it has.
"""

from __future__ import annotations

import contextlib
import math
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from ._comparing_arrays import (
    DISTINCT,
    Numbers,
    compare_arrays,
    compare_sparse,
    imported_numpy,
    path,
    tell,
)
from ._names import shown

_LEAST = 1e-5  # relative, whatever the precision: algorithms differ by more than rounding
_MOST = 1_000  # differences that are looked at for the largest
_SCALARS = (bool, int, float, complex, str, bytes, range, type(None))

_repr = reprlib.Repr()
_repr.maxother = _repr.maxstring = 60


class IncomparableError(Exception):
    """Nothing is known of what the results consist of; the message says of which part."""


class Tolerance(NamedTuple):
    """How far numbers may be apart: ``abs(host - backend) <= atol + rtol * abs(host)``.

    Attributes
    ----------
    rtol : float or None
        None for the square root of the rounding error of the coarser of both types, and 1e-5 at
        least.
    atol : float or None
        None for a hundredth of the square root of that rounding error, times the largest number
        of the host's array.
    """

    rtol: float | None = None
    atol: float | None = None

    def of(self, epsilon: float, largest: Any) -> tuple[float, Any]:
        """Both, for numbers with that rounding error and up to that size."""
        rtol = max(_LEAST, math.sqrt(epsilon)) if self.rtol is None else self.rtol
        atol = math.sqrt(epsilon) * largest / 100 if self.atol is None else self.atol
        return rtol, atol


def difference(host: Any, backend: Any, tolerance: Tolerance, where: str = "result") -> str | None:
    """How the backend's result differs most from the host's; None if it does not.

    `IncomparableError` if it does not as far as it is known, and part of it is not.
    """
    comparing = Comparing(tolerance)
    comparing.todo.append((host, backend, where))
    comparing.run()
    if comparing.found:
        return max(comparing.found, key=lambda found: found[0])[1]
    if comparing.unknown:
        raise IncomparableError(comparing.unknown[0])
    return None


def can_be_compared(value: object) -> bool:
    """Whether anything is known of what it consists of."""
    return (
        isinstance(value, _SCALARS)
        or any(applies(value) for applies, _ in _KINDS)
        or bool(_attributes(value))
    )


def described(value: object) -> str:
    """An argument in a word or two: its shape if it has one, else itself if that is short."""
    try:
        shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
        if isinstance(shape, tuple):
            kind = f"{dtype} " if dtype is not None else ""
            return f"{kind}{type(value).__name__} of shape {shape}"
        return _repr.repr(value)
    except Exception:  # an object of a stranger
        return f"<{type(value).__name__} object>"


class Comparing:
    """One comparison: what is still to be looked at, and what was found."""

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.todo: list[tuple[Any, Any, str]] = []
        self.found: list[tuple[float, str]] = []
        self.unknown: list[str] = []
        # Pairs that were looked at or are about to be, which are kept since ids are of the living.
        self._seen: dict[tuple[int, int], tuple[Any, Any]] = {}

    def run(self) -> None:
        while self.todo and len(self.found) < _MOST:
            host, backend, where = self.todo.pop()
            pair = id(host), id(backend)
            if host is not backend and pair not in self._seen:
                self._seen[pair] = host, backend
                self._compare(host, backend, where)

    def differs(self, text: str, size: float = DISTINCT) -> None:
        self.found.append((math.inf if math.isnan(size) else size, text))

    def parts(self, parts: Iterable[tuple[Any, Any, str]]) -> None:
        """Look at these next, in their order."""
        self.todo += reversed(list(parts))

    def _compare(self, host: Any, backend: Any, where: str) -> None:
        if type(host) is type(backend) and isinstance(host, _SCALARS) and host == backend:
            return
        for applies, compare in _KINDS:
            if applies(host) or applies(backend):
                if applies(host) and applies(backend):
                    compare(self, host, backend, where)
                else:
                    self.kinds_differ(host, backend, where)
                return
        self.objects(host, backend, where)

    def objects(self, host: Any, backend: Any, where: str) -> None:
        """Look at two objects of which nothing is known."""
        _compare_objects(self, host, backend, where)

    def shapes_differ(self, host: object, backend: object, where: str) -> None:
        self.differs(f"{path(where)} has shape {host} on the host, {backend} on the backend")

    def kinds_differ(self, host: Any, backend: Any, where: str) -> None:
        kinds = f"{_kind(host)} on the host, {_kind(backend)} on the backend"
        self.differs(f"{path(where)} is {kinds}")


def _kind(value: object) -> str:
    try:
        shape = getattr(value, "shape", None)
    except Exception:  # an object of a stranger
        shape = None
    suffix = f" of shape {shape}" if isinstance(shape, tuple) else ""
    name = type(value).__qualname__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}{suffix}"


# -- what there is to compare ---------------------------------------------------------------


def _is_sparse(value: object) -> bool:
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(value))


def _is_frame(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index))


def _is_text(value: object) -> bool:
    return isinstance(value, (str, bytes, bytearray))


def _is_array(value: object) -> bool:
    if isinstance(value, type):
        return False
    return isinstance(value, (int, float, complex, memoryview)) or hasattr(type(value), "__array__")


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> bool:
    return isinstance(value, (Sequence, ValuesView))


def _is_set(value: object) -> bool:
    return isinstance(value, AbstractSet)


def _is_exception(value: object) -> bool:
    return isinstance(value, BaseException)


# -- data frames ----------------------------------------------------------------------------


def _compare_frames(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    if host.shape != backend.shape:
        comparing.shapes_differ(host.shape, backend.shape, where)
        return
    for axis in ("index", "columns"):
        ours, theirs = getattr(host, axis, None), getattr(backend, axis, None)
        if ours is not None and theirs is not None and not ours.equals(theirs):
            found = difference(ours, theirs, comparing.tolerance, f"{where}.{axis}")
            if found is not None:
                comparing.differs(found)
                return
    if len(host.shape) == 2:
        for i, name in enumerate(host.columns):
            part = f"{where}[{name!r}]"
            _compare_columns(comparing, host.iloc[:, i], backend.iloc[:, i], part)
    elif getattr(host, "nlevels", 1) > 1 and not hasattr(host, "index"):
        comparing.parts(
            (host.get_level_values(i), backend.get_level_values(i), f"{where} level {i}")
            for i in range(min(host.nlevels, backend.nlevels))
        )
    else:
        _compare_columns(comparing, host, backend, where)


def _compare_columns(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    """The values of two columns, whose labels are compared elsewhere."""
    numpy = imported_numpy()
    gone, lost = numpy.asarray(host.isna()), numpy.asarray(backend.isna())
    if (gone != lost).any():
        tell(comparing, Numbers(gone, lost, f"where {where} is missing"), gone != lost, None)
    else:
        ours, theirs = host[~gone].to_numpy(), backend[~lost].to_numpy()
        comparing.parts([(ours, theirs, where)])


# -- containers and objects -----------------------------------------------------------------


def _compare_texts(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    if host != backend:
        values = f"{_repr.repr(host)} on the host, {_repr.repr(backend)} on the backend"
        comparing.differs(f"{path(where)} is {values}")


def _compare_mappings(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    for key in host:
        if key not in backend:
            comparing.differs(f"{path(where)} has no {shown(key)} on the backend")
            return
    for key in backend:
        if key not in host:
            comparing.differs(f"{path(where)} has {shown(key)} on the backend only")
            return
    comparing.parts((host[key], backend[key], f"{where}[{shown(key)}]") for key in host)


def _compare_sequences(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    ours, theirs = list(host), list(backend)
    if len(ours) != len(theirs):
        lengths = f"{len(ours)} on the host, {len(theirs)} on the backend"
        comparing.differs(f"{path(where)} has length {lengths}")
        return
    kinds = {type(value) for value in (*ours, *theirs)}
    # As a list they are of one kind, and the largest decides what is as good as zero. In a tuple
    # each may mean something else.
    if isinstance(host, list) and kinds and kinds <= {float, complex} and _has_numpy():
        compare_arrays(comparing, ours, theirs, where)
        return
    names = getattr(host, "_fields", None)
    comparing.parts(
        (one, other, f"{where}.{names[i]}" if names else f"{where}[{i}]")
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True))
    )


def _has_numpy() -> bool:
    try:
        imported_numpy()
    except ImportError:
        return False
    return True


def _compare_sets(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    if host != backend:
        odd = _repr.repr(set(host) ^ set(backend))
        comparing.differs(f"{path(where)} has other members: {odd} are only in one of them")


def _compare_exceptions(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    if type(host) is type(backend):
        comparing.parts([(host.args, backend.args, f"{where}.args")])
    else:
        comparing.kinds_differ(host, backend, where)


def _compare_objects(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    """Two objects of which nothing is known: equal, or of one class with equal attributes."""
    with contextlib.suppress(Exception):  # an object whose == raises or is no truth says nothing
        if bool(host == backend):
            return
    if isinstance(host, type) or isinstance(backend, type):
        _compare_texts(comparing, host, backend, where)
        return
    if type(host) is not type(backend):
        comparing.kinds_differ(host, backend, where)
        return
    ours, theirs = _attributes(host), _attributes(backend)
    if ours or theirs:
        comparing.parts([(ours, theirs, f"the attributes of {where}")])
    elif getattr(type(host), "__eq__", None) is object.__eq__:  # which says only that they are two
        comparing.unknown.append(f"{path(where)} is {_kind(host)}")
    else:
        values = f"{described(host)} on the host, {described(backend)} on the backend"
        comparing.differs(f"{path(where)} is {values}")


def _attributes(value: object) -> dict[str, Any]:
    if callable(value) or isinstance(value, (type, Iterator)):
        return {}
    slots = {name: getattr(value, name) for name in _slots(type(value)) if hasattr(value, name)}
    return {**slots, **getattr(value, "__dict__", {})}


def _slots(cls: type) -> Iterator[str]:
    for base in cls.__mro__:
        names = vars(base).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__"):
                private = name.startswith("__") and not name.endswith("__")
                yield f"_{base.__name__.lstrip('_')}{name}" if private else name


_Compare = Callable[[Comparing, Any, Any, str], None]
#: What there is to compare and how, the most special first.
_KINDS: tuple[tuple[Callable[[Any], bool], _Compare], ...] = (
    (_is_sparse, compare_sparse),
    (_is_frame, _compare_frames),
    (_is_text, _compare_texts),
    (_is_array, compare_arrays),
    (_is_mapping, _compare_mappings),
    (_is_sequence, _compare_sequences),
    (_is_set, _compare_sets),
    (_is_exception, _compare_exceptions),
)
