"""Whether two results are the same, as far as floating point allows, and where they differ most.

No library is imported for it: what a result is, is seen by what it has.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from ._names import shown

_LEAST = 1e-5  # relative, whatever the precision: algorithms differ by more than rounding
_MOST_DEEP = 100


class Tolerance(NamedTuple):
    """How far numbers may be apart: ``abs(host - backend) <= atol + rtol * abs(host)``.

    Attributes
    ----------
    rtol : float or None
        None for the square root of the rounding error of the coarser of both types, and 1e-5 at
        least.
    atol : float or None
        None for a hundredth of `rtol`, times the largest number of the host's result.
    """

    rtol: float | None = None
    atol: float | None = None

    def of(self, epsilon: float, largest: float) -> tuple[float, float]:
        """Both, for numbers with that rounding error and up to that size."""
        rtol = max(_LEAST, math.sqrt(epsilon)) if self.rtol is None else self.rtol
        atol = rtol * largest / 100 if self.atol is None else self.atol
        return rtol, atol


def difference(host: Any, backend: Any, tolerance: Tolerance) -> str | None:
    """How the backend's result differs from the host's; None if it does not."""
    return next(_differences(host, backend, tolerance, "result", 0), None)


def can_be_compared(value: object) -> bool:
    """Whether anything is known of what it consists of."""
    return any(applies(value) for applies, _ in _COMPARISONS) or bool(_attributes(value))


def described(value: object) -> str:
    """An argument in a word or two: its shape if it has one, else itself if that is short."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple):
        kind = f"{dtype} " if dtype is not None else ""
        return f"{kind}{type(value).__name__} of shape {shape}"
    return _short(value)


def _differences(
    host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int
) -> Iterator[str]:
    if host is backend:
        return
    if depth > _MOST_DEEP:
        yield f"{where} is nested too deeply to be compared"
        return
    for applies, compare in _COMPARISONS:
        if applies(host) or applies(backend):
            if applies(host) and applies(backend):
                yield from compare(host, backend, tolerance, where, depth + 1)
            else:
                yield f"{where} is {_kind(host)} on the host, {_kind(backend)} on the backend"
            return
    yield from _objects(host, backend, tolerance, where, depth + 1)


def _kind(value: object) -> str:
    shape = getattr(value, "shape", None)
    suffix = f" of shape {tuple(shape)}" if isinstance(shape, tuple) else ""
    name = type(value).__qualname__
    return f"{'an' if name[:1] in 'aeiouAEIOU' else 'a'} {name}{suffix}"


# -- what there is to compare, the most special first ---------------------------------------


def _is_sparse(value: object) -> bool:
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and sparse.issparse(value)


def _is_frame(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series, pandas.Index))


def _is_number(value: object) -> bool:
    return isinstance(value, (bool, int, float, complex)) or (
        type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    )


def _is_array(value: object) -> bool:
    return hasattr(value, "__array__") and not isinstance(value, type)


def _is_text(value: object) -> bool:
    return isinstance(value, (str, bytes, bytearray))


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_sequence(value: object) -> bool:
    return isinstance(value, Sequence)


def _is_set(value: object) -> bool:
    return isinstance(value, AbstractSet)


def _is_number_or_array(value: object) -> bool:
    # A backend may well give an array without dimensions where the host gives a number.
    return _is_number(value) or _is_array(value)


# -- comparing ------------------------------------------------------------------------------


def _sparse(host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int) -> Iterator[str]:
    if host.shape != backend.shape:
        yield f"{where} has shape {host.shape} on the host, {backend.shape} on the backend"
        return
    first, second = (matrix.tocoo().tocsr() for matrix in (host, backend))
    for matrix in (first, second):
        matrix.sum_duplicates()
    both = abs(first) + abs(second)  # wherever one of them has anything
    rows, columns = both.nonzero()
    ours, theirs = (_dense(matrix[rows, columns]) for matrix in (first, second))
    yield from _arrays(ours, theirs, tolerance, f"the stored part of {where}", depth)


def _dense(row: Any) -> Any:
    array = row.toarray() if _is_sparse(row) else row
    return _as_array(array).ravel()


def _frames(host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int) -> Iterator[str]:
    if len(host.shape) != len(backend.shape) or host.shape != backend.shape:
        yield f"{where} has shape {host.shape} on the host, {backend.shape} on the backend"
        return
    for axis in ("index", "columns"):
        labels = [getattr(frame, axis, None) for frame in (host, backend)]
        if labels[0] is not None and labels[1] is not None and not labels[0].equals(labels[1]):
            yield f"{where} has another {axis}"
            return
    if len(host.shape) == 1:
        yield from _columns(host, backend, tolerance, where, depth)
        return
    for position, name in enumerate(host.columns):
        ours, theirs = host.iloc[:, position], backend.iloc[:, position]
        yield from _columns(ours, theirs, tolerance, f"{where}[{name!r}]", depth)


def _columns(
    host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int
) -> Iterator[str]:
    gone, lost = host.isna().to_numpy(), backend.isna().to_numpy()
    yield from _arrays(gone, lost, tolerance, f"where {where} is missing", depth)
    ours, theirs = host[~gone].to_numpy(), backend[~lost].to_numpy()
    yield from _arrays(ours, theirs, tolerance, where, depth)


def _arrays(host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int) -> Iterator[str]:
    ours, theirs = _as_array(host), _as_array(backend)
    if ours.shape != theirs.shape:
        yield f"{where} has shape {ours.shape} on the host, {theirs.shape} on the backend"
        return
    kinds = ours.dtype.kind + theirs.dtype.kind
    if "O" in kinds or "V" in kinds:
        yield from _items(ours, theirs, tolerance, where, depth)
    elif set(kinds) <= set("biufc"):
        yield from _numbers(ours, theirs, tolerance, where)
    elif kinds[0] != kinds[1] and set(kinds) & set("biufc"):
        yield f"{where} is {ours.dtype} on the host, {theirs.dtype} on the backend"
    else:
        # Times that are missing are not equal to themselves.
        unequal = (ours != theirs) & ~((ours != ours) & (theirs != theirs))
        if unequal.any():
            yield _counted(where, unequal, ours, theirs)


def _items(ours: Any, theirs: Any, tolerance: Tolerance, where: str, depth: int) -> Iterator[str]:
    if ours.dtype.names or theirs.dtype.names:
        if ours.dtype.names != theirs.dtype.names:
            yield f"{where} has the fields {ours.dtype.names} on the host, {theirs.dtype.names}"
            return
        for name in ours.dtype.names:
            yield from _arrays(ours[name], theirs[name], tolerance, f"{where}[{name!r}]", depth)
        return
    pairs = zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True)
    for index, (one, other) in enumerate(pairs):
        yield from _differences(one, other, tolerance, f"{where}.flat[{index}]", depth)


def _numbers(ours: Any, theirs: Any, tolerance: Tolerance, where: str) -> Iterator[str]:
    """Arrays of numbers; whole ones have to be equal."""
    numpy = sys.modules["numpy"]
    if not set(ours.dtype.kind + theirs.dtype.kind) & set("fc"):
        unequal = ours != theirs
        if unequal.any():
            yield _counted(where, unequal, ours, theirs)
        return
    finite = numpy.isfinite(ours) & numpy.isfinite(theirs)
    same = (ours == theirs) | (numpy.isnan(ours) & numpy.isnan(theirs))
    wide = numpy.result_type(ours.dtype, theirs.dtype, numpy.float64)
    distance = numpy.zeros(ours.shape)
    distance[finite] = abs(ours[finite].astype(wide) - theirs[finite].astype(wide))
    sizes = abs(ours[finite].astype(wide))
    rtol, atol = tolerance.of(_epsilon(ours, theirs), float(sizes.max(initial=0.0)))
    allowed = numpy.zeros(ours.shape)
    allowed[finite] = atol + rtol * sizes
    beyond = ~same & (~finite | (distance > allowed))
    if beyond.any():
        yield f"{_counted(where, beyond, ours, theirs)} (rtol={rtol:.2g}, atol={atol:.2g})"


def _epsilon(*arrays: Any) -> float:
    """The rounding error of the coarsest."""
    numpy = sys.modules["numpy"]
    kinds = [array.dtype for array in arrays if array.dtype.kind in "fc"]
    return max(float(numpy.finfo(kind).eps) for kind in kinds)


def _counted(where: str, unequal: Any, ours: Any, theirs: Any) -> str:
    """How many are different, by how much at most, and where that is."""
    numpy = sys.modules["numpy"]
    places = numpy.argwhere(unequal)
    worst, largest = places[0], None
    if ours.dtype.kind in "biufc" and theirs.dtype.kind in "biufc":
        with numpy.errstate(all="ignore"):
            wide = numpy.result_type(ours.dtype, theirs.dtype, numpy.float64)
            distances = abs(ours[unequal].astype(wide) - theirs[unequal].astype(wide))
        position = int(numpy.argmax(numpy.nan_to_num(distances, nan=numpy.inf)))
        worst, largest = places[position], float(distances[position])
    index = tuple(int(i) for i in worst)
    at = f" at {list(index)}" if index else ""
    values = f"{ours[index]} on the host, {theirs[index]} on the backend"
    of = f"{len(places)} of {unequal.size} are different" if unequal.ndim else "it differs"
    told = f"; the largest difference is {largest:.3g}{at}" if largest is not None else at
    return f"{where}: {of}{told}: {values}"


def _as_array(value: Any) -> Any:
    import numpy

    return numpy.asarray(value)


def _texts(host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int) -> Iterator[str]:
    if host != backend:
        yield f"{where} is {_short(host)} on the host, {_short(backend)} on the backend"


def _short(value: object) -> str:
    text = shown(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _mappings(
    host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int
) -> Iterator[str]:
    for key in host:
        if key not in backend:
            yield f"{where} has no {key!r} on the backend"
            return
    for key in backend:
        if key not in host:
            yield f"{where} has {key!r} on the backend only"
            return
    for key, value in host.items():
        yield from _differences(value, backend[key], tolerance, f"{where}[{key!r}]", depth)


def _sequences(
    host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int
) -> Iterator[str]:
    if len(host) != len(backend):
        yield f"{where} has length {len(host)} on the host, {len(backend)} on the backend"
        return
    names = getattr(host, "_fields", None)
    for index, (one, other) in enumerate(zip(host, backend, strict=True)):
        part = f"{where}.{names[index]}" if names else f"{where}[{index}]"
        yield from _differences(one, other, tolerance, part, depth)


def _sets(host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int) -> Iterator[str]:
    if host != backend:
        odd = _short(set(host) ^ set(backend))
        yield f"{where} has other members: {odd} are only in one of them"


def _objects(
    host: Any, backend: Any, tolerance: Tolerance, where: str, depth: int
) -> Iterator[str]:
    """Two objects of which nothing is known: equal, or of one class with equal attributes."""
    with contextlib.suppress(Exception):  # an object whose == raises or is no truth says nothing
        if bool(host == backend):
            return
    if type(host) is type(backend):
        ours, theirs = _attributes(host), _attributes(backend)
        if ours:
            yield from _differences(ours, theirs, tolerance, f"the attributes of {where}", depth)
            return
    yield (
        f"{where} is {_kind(host)} on the host, {_kind(backend)} on the backend, and they are "
        "not equal"
    )


def _attributes(value: object) -> dict[str, Any]:
    names = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    slots = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return {**slots, **getattr(value, "__dict__", {})}


_Comparison = Callable[[Any, Any, Tolerance, str, int], Iterator[str]]
_COMPARISONS: tuple[tuple[Callable[[Any], bool], _Comparison], ...] = (
    (_is_sparse, _sparse),
    (_is_frame, _frames),
    (_is_text, _texts),
    (_is_number_or_array, _arrays),
    (_is_mapping, _mappings),
    (_is_sequence, _sequences),
    (_is_set, _sets),
)
