"""Comparing arrays of numbers and of anything else: dense, masked and sparse ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ._comparing import Comparing

_OF_PYTHON = (int, float, complex)
DISTINCT = float("inf")  # the size of a difference that no number tells


def path(where: str) -> str:
    return where if len(where) <= 200 else f"{where[:100]} ... {where[-90:]}"


class Numbers(NamedTuple):
    """Two arrays of numbers, of the same shape, and how their places are called."""

    host: Any
    backend: Any
    where: str
    place: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple


def _compare_whole(comparing: Comparing, host: int, backend: int, where: str) -> None:
    """Two Python integers, of any size."""
    if host != backend:
        text = f"{path(where)}: it differs; the largest difference is {abs(host - backend)}: "
        comparing.differs(
            f"{text}{host} on the host, {backend} on the backend", _size(host, backend)
        )


def _compare_scalars(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    """Two numbers of Python, for which NumPy is not needed."""
    if host == backend:
        return
    try:
        own, other = complex(host), complex(backend)
    except OverflowError:  # a whole number that is too large for the other
        comparing.differs(f"{path(where)} is {host} on the host, {backend} on the backend")
        return
    parts = (abs(part) for part in (own.real, own.imag))
    size = max((part for part in parts if part < DISTINCT), default=0.0)
    rtol, atol = comparing.tolerance.of(sys.float_info.epsilon, size)
    pairs = [(own.real, other.real), (own.imag, other.imag)]
    if all(_agree(one, two, atol + rtol * size) for one, two in pairs):
        return
    largest = abs(own - other)
    text = f"it differs; the largest difference is {largest:.3g}: {host} on the host, {backend}"
    told = f"{text} on the backend (rtol={rtol:.2g}, atol={atol:.2g})"
    comparing.differs(f"{path(where)}: {told}", largest)


def _agree(one: float, two: float, allowed: float) -> bool:
    missing = one != one and two != two
    return one == two or missing or abs(one - two) <= allowed < DISTINCT


def _size(host: int, backend: int) -> float:
    try:
        return float(abs(host - backend))
    except OverflowError:
        return DISTINCT


def compare_arrays(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    if isinstance(host, int) and isinstance(backend, int):
        _compare_whole(comparing, host, backend, where)
        return
    if isinstance(host, _OF_PYTHON) and isinstance(backend, _OF_PYTHON):
        _compare_scalars(comparing, host, backend, where)
        return
    numpy = imported_numpy()
    if isinstance(host, numpy.ma.MaskedArray) or isinstance(backend, numpy.ma.MaskedArray):
        _compare_masked(comparing, host, backend, where)
        return
    ours, theirs = numpy.asarray(host), numpy.asarray(backend)
    if ours.shape != theirs.shape:
        comparing.shapes_differ(ours.shape, theirs.shape, where)
        return
    epsilon = _epsilon(ours, theirs)
    ours, theirs = _widened(ours), _widened(theirs)
    kinds = ours.dtype.kind + theirs.dtype.kind
    if set(kinds) <= set("biufc"):
        _compare_numbers(comparing, Numbers(ours, theirs, where), epsilon)
    elif ours.dtype.names or theirs.dtype.names:
        _compare_fields(comparing, ours, theirs, where)
    elif "O" in kinds:
        _compare_items(comparing, ours, theirs, where)
    elif kinds[0] != kinds[1] and set(kinds) & set("biufcmM"):
        comparing.differs(
            f"{path(where)} is {ours.dtype} on the host, {theirs.dtype} on the backend"
        )
    else:
        unequal = ours != theirs
        if kinds in ("mm", "MM"):  # times that are missing are not equal to themselves
            unequal &= ~(numpy.isnat(ours) & numpy.isnat(theirs))
        if unequal.any():
            tell(comparing, Numbers(ours, theirs, where), unequal, None)


def imported_numpy() -> Any:
    import numpy

    return numpy


def _widened(array: Any) -> Any:
    """An array of a floating-point type that NumPy does not know, in one that it does."""
    if type(array.dtype.type).__module__ == "numpy" or array.dtype.kind != "V":
        return array
    known = array.dtype.names or array.dtype.type.__module__ != "ml_dtypes"
    return array if known else array.astype("f4")


def _epsilon(*arrays: Any) -> float:
    """The rounding error of the coarsest floating-point type among them; 0 if there is none."""
    errors = [0.0]
    for dtype in (array.dtype for array in arrays):
        if dtype.kind in "fc":
            errors.append(float(imported_numpy().finfo(dtype).eps))
        elif dtype.type.__module__ == "ml_dtypes":
            errors.append(float(sys.modules["ml_dtypes"].finfo(dtype).eps))
    return max(errors)


def _compare_masked(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    numpy = imported_numpy()
    gone, lost = numpy.ma.getmaskarray(host), numpy.ma.getmaskarray(backend)
    if gone.shape != lost.shape:
        comparing.shapes_differ(gone.shape, lost.shape, where)
    elif (gone != lost).any():
        comparing.differs(f"{path(where)} has another mask")
    else:
        ours, theirs = numpy.ma.getdata(host)[~gone], numpy.ma.getdata(backend)[~lost]
        comparing.parts([(ours, theirs, f"{where} where it is not masked")])


def _compare_fields(comparing: Comparing, ours: Any, theirs: Any, where: str) -> None:
    if ours.dtype.names != theirs.dtype.names:
        names = f"{ours.dtype.names} on the host, {theirs.dtype.names} on the backend"
        comparing.differs(f"{path(where)} has the fields {names}")
        return
    comparing.parts((ours[n], theirs[n], f"{where}[{n!r}]") for n in ours.dtype.names)


def _compare_items(comparing: Comparing, ours: Any, theirs: Any, where: str) -> None:
    """Arrays of objects."""
    items, others = ours.ravel().tolist(), theirs.ravel().tolist()
    if not ours.ndim:  # as a whole number that no type of NumPy holds
        comparing.objects(items[0], others[0], where)
        return
    comparing.parts([(items, others, f"{where}.flat")])


def _compare_numbers(comparing: Comparing, numbers: Numbers, epsilon: float) -> None:
    """Arrays of numbers; whole ones have to be equal."""
    numpy = imported_numpy()
    ours, theirs = numbers.host, numbers.backend
    if not set(ours.dtype.kind + theirs.dtype.kind) & set("fc"):
        unequal = ours != theirs
        if unequal.any():
            tell(comparing, numbers, unequal, None)
        return
    with numpy.errstate(all="ignore"):
        wide = numpy.result_type(ours.dtype, theirs.dtype, numpy.float64)
        ours, theirs = ours.astype(wide), theirs.astype(wide)
        pairs = [(ours.real, theirs.real)]
        if wide.kind == "c":  # infinite and missing parts would hide the others
            pairs.append((ours.imag, theirs.imag))
        sizes = numpy.max([numpy.nan_to_num(abs(one), posinf=0.0) for one, _ in pairs], axis=0)
        tolerance = comparing.tolerance.of(epsilon, numpy.max(sizes, initial=0.0))
        rtol, atol = tolerance
        beyond = numpy.zeros(ours.shape, bool)
        for one, other in pairs:
            same = (one == other) | (numpy.isnan(one) & numpy.isnan(other))
            finite = numpy.isfinite(one) & numpy.isfinite(other)
            beyond |= ~same & (~finite | (abs(one - other) > atol + rtol * sizes))
    if beyond.any():
        tell(comparing, numbers, beyond, tolerance)


def tell(
    comparing: Comparing, numbers: Numbers, unequal: Any, tolerance: tuple[float, Any] | None
) -> None:
    """How many are different, by how much at most, and where that is."""
    numpy = imported_numpy()
    ours, theirs = numbers.host, numbers.backend
    places = numpy.argwhere(unequal)
    position, largest = 0, None
    if set(ours.dtype.kind + theirs.dtype.kind) <= set("biufc"):
        with numpy.errstate(all="ignore"):
            wide = numpy.result_type(ours.dtype, theirs.dtype, numpy.float64)
            distances = abs(ours[unequal].astype(wide) - theirs[unequal].astype(wide))
        position = int(numpy.argmax(numpy.nan_to_num(distances, nan=numpy.inf)))
        largest = float(distances[position])
    index = tuple(int(i) for i in places[position])
    place = numbers.place(index)
    at = f" at {list(place)}" if place else ""
    text = f"{len(places)} of {unequal.size} are different" if unequal.ndim else "it differs"
    text += at if largest is None else f"; the largest difference is {largest:.3g}{at}"
    text += f": {ours[index]} on the host, {theirs[index]} on the backend"
    if tolerance is not None:
        text += f" (rtol={tolerance[0]:.2g}, atol={tolerance[1]:.2g})"
    comparing.differs(f"{path(numbers.where)}: {text}", DISTINCT if largest is None else largest)


def compare_sparse(comparing: Comparing, host: Any, backend: Any, where: str) -> None:
    """The elements that either of them stores."""
    numpy = imported_numpy()
    if host.shape != backend.shape:
        comparing.shapes_differ(host.shape, backend.shape, where)
        return
    (places, values), (other_places, other_values) = map(_stored, (host, backend))
    union = numpy.union1d(places, other_places)
    ours, theirs = _at(union, places, values), _at(union, other_places, other_values)

    def place(index: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(int(i) for i in numpy.unravel_index(union[index], host.shape))

    _compare_numbers(comparing, Numbers(ours, theirs, where, place), _epsilon(host, backend))


def _stored(matrix: Any) -> tuple[Any, Any]:
    """The flat places of what a sparse matrix stores, sorted, and the values there."""
    numpy = imported_numpy()
    coo = matrix.tocoo(copy=True)
    coo.sum_duplicates()
    coords = getattr(coo, "coords", None) or (coo.row, coo.col)
    places = numpy.ravel_multi_index([c.astype(numpy.int64) for c in coords], matrix.shape)
    order = numpy.argsort(places)
    return places[order], coo.data[order]


def _at(union: Any, places: Any, values: Any) -> Any:
    found = imported_numpy().zeros(len(union), values.dtype)
    found[imported_numpy().searchsorted(union, places)] = values
    return found
