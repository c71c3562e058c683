"""`verify` runs each call on the host as well, and tells where both differ."""

import array
import asyncio
import collections
import contextlib
import contextvars
import copy
import dataclasses
import enum
import functools
import inspect
import io
import math
import pickle
import random
import sys
import threading
import time
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import hypothesis
import pytest
from hypothesis import strategies as st

import backstack
from backstack.errors import (
    BackendMismatchError,
    BackendMismatchWarning,
    FallbackWarning,
    NotImplementedByBackendError,
    NotVerifiedWarning,
)

np = pytest.importorskip("numpy")

NAN, INF = float("nan"), float("inf")


def current_line():
    return sys._getframe(1).f_lineno


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


@pytest.fixture
def pair(dispatcher):
    """Makes a dispatched function of the host's and the backend's."""

    def make(host, backend, **options):
        function = dispatcher.backend_dispatch(name="f", **options)(host)
        dispatcher.register(SimpleNamespace(name="b", f=backend))
        return function

    return make


@pytest.fixture
def found(make_dispatcher):
    """How two results differ, in words; None if they do not."""

    def compare(own, theirs, **options):
        dispatcher = make_dispatcher()

        @dispatcher.backend_dispatch
        def f():
            return own

        dispatcher.register(SimpleNamespace(name="b", f=lambda: theirs))
        try:
            with dispatcher.verify("b", on_mismatch="error", **options):
                assert f() is theirs
        except BackendMismatchError as error:
            return error.difference
        return None

    return compare


@contextlib.contextmanager
def gathered():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def categories(caught):
    return [warning.category for warning in caught]


class Plain:
    def __init__(self, **attributes):
        vars(self).update(attributes)


class Slotted:
    __slots__ = ("array", "name")

    def __init__(self, array, name):
        self.array, self.name = array, name


class Subslotted(Slotted):
    __slots__ = ("more",)

    def __init__(self, array, name, more):
        super().__init__(array, name)
        self.more = more


class ArrayEquals(Plain):
    """Compares as an array does: with an array."""

    __hash__ = None

    def __eq__(self, other):
        return np.asarray(self.values) == np.asarray(other.values)


class RefusesEquality(Plain):
    __hash__ = None

    def __eq__(self, other):
        raise NotImplementedError("cannot be compared")


class Convertible:
    """Knows nothing but how to become an array."""

    def __init__(self, values):
        self._values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self._values, dtype=dtype)


@dataclasses.dataclass
class Record:
    values: object
    name: str = "n"


Point = collections.namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


# -- numbers ---------------------------------------------------------------------------------

SAME = {
    "int": (1, 1),
    "int and float": (1, 1.0),
    "bool": (True, True),
    "float noise": (1.0, 1.0 + 1e-12),
    "nan": (NAN, float("nan")),
    "inf": (INF, INF),
    "minus inf": (-INF, -INF),
    "minus zero": (0.0, -0.0),
    "complex": (1 + 1j, 1 + 1j * (1 + 1e-12)),
    "complex nan": (complex(NAN, 1), complex(NAN, 1)),
    "complex inf": (complex(INF, 1), complex(INF, 1)),
    "huge": (1.7e308, 1.7e308 * (1 - 1e-9)),
    "tiny": (1e-300, 1e-300),
    "numpy scalar": (np.float32(1), 1.0),
    "numpy bool": (np.True_, True),
    "array without dimensions": (1.0, np.array(1.0)),
    "fraction": (Fraction(1, 3), Fraction(1, 3)),
    "decimal": (Decimal("1.1"), Decimal("1.1")),
    "none": (None, None),
    "ellipsis": (..., ...),
    "text": ("a", "".join(["a"])),
    "numpy text": (np.str_("a"), "a"),
    "bytes": (b"ab", bytes(bytearray(b"ab"))),
    "bytearray": (bytearray(b"ab"), b"ab"),
    "memoryview": (memoryview(b"ab"), memoryview(bytearray(b"ab"))),
    "missing time": (np.datetime64("NaT", "D"), np.datetime64("NaT", "D")),
    "class": (int, int),
    "function": (len, len),
    "member": (Colour.RED, Colour.RED),
    "numbered member": (Level.LOW, 1),
    "slice": (slice(1, 2), slice(1, 2)),
    "range": (range(3), range(3)),
    "range and list": (range(3), [0, 1, 2]),
    "dtype": (np.dtype("f8"), np.dtype(float)),
}

OTHER = {
    "int": (1, 2),
    "bool": (True, False),
    "bool and int": (False, 1),
    "float": (1.0, 1.1),
    "nan and number": (NAN, 1.0),
    "number and nan": (1.0, NAN),
    "inf and minus inf": (INF, -INF),
    "inf and huge": (INF, 1.7e308),
    "nan and inf": (NAN, INF),
    "complex": (1 + 1j, 1 + 2j),
    "complex inf": (complex(INF, 1), complex(INF, 2)),
    "whole numbers beyond floats": (2**53, 2**53 + 1),
    "whole numbers beyond machine words": (10**30, 5),
    "tiny": (1e-300, 2e-300),
    "subnormal": (5e-324, 1e-323),
    "fraction": (Fraction(1, 3), Fraction(1, 2)),
    "decimal": (Decimal("1.1"), Decimal("1.2")),
    "none and number": (None, 0),
    "none and false": (None, False),
    "none and empty": (None, []),
    "text": ("a", "b"),
    "text and bytes": ("a", b"a"),
    "text and number": ("1", 1),
    "bytes": (b"ab", b"ac"),
    "memoryview": (memoryview(b"ab"), memoryview(b"ac")),
    "number and array": (1.0, np.array([1.0])),
    "class": (int, float),
    "member": (Colour.RED, Colour.BLUE),
    "numbered member": (Level.LOW, Level.HIGH),
    "slice": (slice(1, 2), slice(1, 3)),
    "range": (range(10), range(11)),
    "dtype": (np.dtype("f8"), np.dtype("f4")),
    "missing time and number": (np.datetime64("NaT", "D"), NAN),
}


@pytest.mark.parametrize(("own", "theirs"), SAME.values(), ids=SAME)
def test_values_that_are_the_same(found, own, theirs):
    assert found(own, theirs) is None
    assert found(theirs, own) is None


@pytest.mark.parametrize(("own", "theirs"), OTHER.values(), ids=OTHER)
def test_values_that_are_not_the_same(found, own, theirs):
    assert "result" in found(own, theirs)
    assert "result" in found(theirs, own)


# -- arrays ----------------------------------------------------------------------------------

NUMERIC = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g", "c8", "c16"]


@pytest.mark.parametrize("dtype", NUMERIC)
def test_arrays_of_every_kind_of_number(found, dtype):
    own = np.array([[1, 0, 1], [0, 1, 1]], dtype)
    assert found(own, own.copy()) is None
    assert found(own, np.asfortranarray(own)) is None
    assert found(own, own[::-1].copy()[::-1]) is None
    assert found(own[:, ::2], own[:, ::2].copy()) is None
    assert found(own[:0], own[:0].copy()) is None
    assert found(own[0, 0], own[0, 0, ...].copy()) is None
    other = own.copy()
    other[1, 2] = 0
    assert "1 of 6 are different; the largest difference is 1 at [1, 2]" in found(own, other)
    assert "shape (2, 3) on the host, (1, 3) on the backend" in found(own, own[:1])
    assert "shape (0, 3) on the host, (0, 2) on the backend" in found(own[:0], own[:0, :2])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16"])
def test_numbers_may_be_apart_as_far_as_their_precision_says(found, dtype):
    rtol = max(1e-5, float(np.finfo(dtype).eps) ** 0.5)
    own = np.full(3, 1, dtype)
    for scale, within in [(0.9, True), (1.1, False)]:
        theirs = own.astype(np.result_type(dtype, "f8"))
        theirs[1] += scale * rtol * 1.01
        assert (found(own, theirs) is None) is within, scale


def test_the_coarser_of_both_types_decides(found):
    exact = np.array([1.0, 2.0])
    assert found(exact, (exact * (1 + 2e-4)).astype("f4")) is None
    assert found(exact.astype("f4"), exact * (1 + 2e-4)) is None
    assert found(exact, exact * (1 + 2e-4)) is not None
    assert found(exact, (exact * (1 + 0.02)).astype("f2")) is None
    assert found(np.array([1, 2]), exact * (1 + 1e-9)) is None
    assert found(np.array([1, 2]), exact * 1.01) is not None


def test_noise_about_nought_is_nothing_beside_larger_numbers(found):
    assert found(np.array([1.0, 0.0]), np.array([1.0, 1e-17])) is None
    assert found(np.array([1.0, 0.0]), np.array([1.0, 1e-5])) is not None


def test_unsigned_differences_do_not_wrap_around(found):
    assert "largest difference is 254" in found(np.array([1], "u1"), np.array([255], "u1"))
    assert "largest difference is 254" in found(np.array([255], "u1"), np.array([1], "u1"))
    assert "largest difference is 255" in found(np.array([127], "i1"), np.array([-128], "i1"))
    assert found(np.array([2**64 - 1], "u8"), np.array([-1], "i8")) is not None
    assert found(np.array([2**63 - 1], "u8"), np.array([2**63 - 2], "i8")) is not None
    assert found(np.array([7], "u8"), np.array([7], "i8")) is None


def test_what_is_not_a_number_is_so_on_both_sides(found):
    own = np.array([1.0, NAN, INF, -INF])
    assert found(own, own.copy()) is None
    for place in range(4):
        other = own.copy()
        other[place] = 5.0
        assert f"[{place}]" in found(own, other)
    other = own.copy()
    other[2:] *= -1
    assert "2 of 4" in found(own, other)


def test_huge_and_tiny_numbers(found):
    assert found(np.array([1e308, -1e308]), np.array([1e308, -1e308])) is None
    assert found(np.array([1e-300]), np.array([2e-300])) is not None
    assert found(np.array([1.7e308]), np.array([INF])) is not None
    assert found(np.array([1e-320]), np.array([0.0])) is not None
    assert found(np.array([65504], "f2"), np.array([65504], "f2")) is None
    assert found(np.array([65504], "f2"), np.array([-65504], "f2")) is not None
    assert found(np.array([3e38 + 3e38j], "c8"), np.array([3e38 + 3e38j], "c8")) is None


SAME_ARRAYS = {
    "other byte order": (np.array([1.0, NAN], ">f8"), np.array([1.0, NAN], "<f8")),
    "bools and ints": (np.array([True, False]), np.array([1, 0])),
    "ints and floats": (np.array([1, 2]), np.array([1.0, 2.0])),
    "times": (np.array(["2020-01-01", "NaT"], "M8[D]"), np.array(["2020-01-01", "NaT"], "M8[ns]")),
    "durations": (np.array([1, "NaT"], "m8[s]"), np.array([1000, "NaT"], "m8[ms]")),
    "texts": (np.array(["a", ""], "U1"), np.array(["a", ""], "U9")),
    "bytes": (np.array([b"a"], "S1"), np.array([b"a"], "S3")),
    "texts and objects": (np.array(["a", "b"]), np.array(["a", "b"], object)),
    "floats and objects": (np.array([1.0, NAN]), np.array([1.0, NAN], object)),
    "objects": (np.array([1, "a", None, NAN], object), np.array([1, "a", None, NAN], object)),
    "opaque": (np.array([b"ab"], "V2"), np.array([b"ab"], "V2")),
    "array of arrays": (
        np.array([np.array([1.0, NAN]), "a"], object),
        np.array([np.array([1.0, NAN]), "a"], object),
    ),
}

OTHER_ARRAYS = {
    "times": (np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-02"], "M8[D]")),
    "missing time": (np.array(["2020-01-01"], "M8[D]"), np.array(["NaT"], "M8[D]")),
    "times and durations": (np.array([1], "M8[s]"), np.array([1], "m8[s]")),
    "times and texts": (np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-01"])),
    "times and numbers": (np.array([1], "M8[s]"), np.array([1])),
    "durations": (np.array([1], "m8[s]"), np.array([1001], "m8[ms]")),
    "texts": (np.array(["a", "b"]), np.array(["a", "c"])),
    "bytes and texts": (np.array([b"a"]), np.array(["a"])),
    "numbers and texts": (np.array([1.0]), np.array(["1.0"])),
    "objects": (np.array([1, "a", None], object), np.array([1, "a", 2], object)),
    "opaque": (np.array([b"ab"], "V2"), np.array([b"ac"], "V2")),
    "array of arrays": (
        np.array([np.array([1.0, NAN]), "a"], object),
        np.array([np.array([1.5, NAN]), "a"], object),
    ),
}


@pytest.mark.parametrize(("own", "theirs"), SAME_ARRAYS.values(), ids=SAME_ARRAYS)
def test_arrays_that_are_the_same(found, own, theirs):
    assert found(own, theirs) is None
    assert found(theirs, own) is None


@pytest.mark.parametrize(("own", "theirs"), OTHER_ARRAYS.values(), ids=OTHER_ARRAYS)
def test_arrays_that_are_not_the_same(found, own, theirs):
    assert found(own, theirs) is not None
    assert found(theirs, own) is not None


def test_structured_arrays_are_compared_field_by_field(found):
    kind = [("x", "f8"), ("y", "U3"), ("z", [("deep", "f4", (2,))])]
    own = np.array([(1, "a", ([1, NAN],)), (2, "b", ([3, 4],))], kind)
    assert found(own, own.copy()) is None
    assert found(own[1], own[1].copy()) is None
    assert found(own.view(np.recarray), own.view(np.recarray).copy()) is None
    close = own.copy()
    close["x"] *= 1 + 1e-12
    assert found(own, close) is None
    for field, value in [("x", 9), ("y", "q")]:
        other = own.copy()
        other[field][1] = value
        assert f"result[{field!r}]" in found(own, other)
    other = own.copy()
    other["z"]["deep"][1, 0] = 7
    assert "result['z']['deep']" in found(own, other)
    assert "[1, 0]" in found(own, other)
    assert found(own, own[["x", "y"]]) is not None
    assert found(own, np.zeros(2)) is not None


def test_variable_width_strings(found):
    kind = getattr(np.dtypes, "StringDType", None)
    if kind is None:
        pytest.skip("this NumPy has none")
    own = np.array(["a", "bcd"], kind())
    assert found(own, own.copy()) is None
    assert found(own, np.array(["a", "bcd"])) is None
    assert found(own, np.array(["a", "bce"], kind())) is not None


def test_whatever_makes_an_array_is_compared_as_one(found):
    assert found(Convertible([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert found(np.array([1.0, 2.0]), Convertible([1.0, 2.0 + 1e-12])) is None
    assert "at [1]" in found(Convertible([1.0, 2.0]), Convertible([1.0, 3.0]))
    assert "shape" in found(Convertible([1.0, 2.0]), Convertible([1.0]))
    assert "Convertible" in found(Convertible([1.0]), "text")


def test_read_only_and_mapped_arrays(found, tmp_path):
    own = np.arange(6.0)
    own.flags.writeable = False
    assert found(own, np.arange(6.0)) is None
    assert not own.flags.writeable
    mapped = np.memmap(tmp_path / "data", "f8", "w+", shape=6)
    mapped[:] = own
    assert found(own, mapped) is None
    mapped[2] = 9
    assert "at [2]" in found(own, mapped)


def test_arrays_of_jax(found):
    jnp = pytest.importorskip("jax.numpy")
    assert found(np.ones(3, "f4"), jnp.ones(3)) is None
    assert found(jnp.ones(3), jnp.ones(3)) is None
    assert "at [1]" in found(np.ones(3), jnp.ones(3).at[1].set(5))
    assert found(1.0, jnp.float32(1.0)) is None


def test_arrays_of_dask(found):
    da = pytest.importorskip("dask.array")
    assert found(np.ones(3), da.ones(3, chunks=2)) is None
    assert "at [2]" in found(np.ones(3), da.from_array(np.array([1.0, 1.0, 2.0]), chunks=2))


# -- sparse matrices -------------------------------------------------------------------------


@pytest.fixture
def sparse():
    return pytest.importorskip("scipy.sparse")


@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr", "dok", "lil", "dia"])
def test_sparse_matrices_of_every_format(found, sparse, layout, kind):
    def make(values, layout=layout):
        made = getattr(sparse, f"coo_{kind}")(np.array(values))
        return made.asformat(layout)

    samples = [[[1.5, 0.0, 2.0], [0, 0, 3]], [[1, 0], [0, 2]], [[True, False]], [[1j, 0], [2, 0]]]
    for values in samples:
        assert found(make(values), make(values)) is None
        assert found(make(values), make(values, "csc")) is None
    assert found(make([[NAN, 0], [1, 0]]), make([[NAN, 0], [1, 0]])) is None
    assert found(make([[0.0, 0.0]]), make([[0.0, 0.0]])) is None
    assert found(make([[1.0, 2.0]]), make([[1.0, 2.0 + 1e-12]])) is None
    assert found(make([[1.0, 0.0]]), make([[1.0, 0.5]])) is not None
    assert found(make([[1.0, 0.0]]), make([[0.0, 1.0]])) is not None
    assert found(make([[1.0, 0.0]]), make([[-1.0, 0.0]])) is not None
    assert found(make([[NAN, 0.0]]), make([[2.0, 0.0]])) is not None
    assert found(make([[1, 0]]), make([[2, 0]])) is not None
    assert "shape" in found(make([[1, 0]]), make([[1, 0], [0, 0]]))


def test_sparse_matrices_and_arrays(found, sparse):
    values = np.array([[1.0, 0.0], [0.0, 2.0]])
    assert found(sparse.csr_matrix(values), sparse.csr_array(values)) is None
    assert found(sparse.csr_matrix(values), sparse.csr_array(values * 2)) is not None
    assert found(sparse.csr_matrix(values.astype(int)), sparse.csr_matrix(values)) is None
    assert "ndarray" in found(sparse.csr_matrix(values), values)


def test_how_a_sparse_matrix_is_stored_does_not_matter(found, sparse):
    plain = sparse.csr_matrix(np.array([[2.0, 0.0], [0.0, 0.0]]))
    zeros = sparse.csr_matrix(([2.0, 0.0], ([0, 1], [0, 1])), shape=(2, 2))
    twice = sparse.csr_matrix((np.array([1.0, 1.0]), np.array([0, 0]), np.array([0, 2, 2])))
    twice.resize(2, 2)
    in_pairs = sparse.coo_matrix(([1.0, 1.0], ([0, 0], [0, 0])), shape=(2, 2))
    unsorted = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([1, 0]), np.array([0, 2])))
    for own in (plain, zeros, twice, in_pairs):
        for theirs in (plain, zeros, twice, in_pairs):
            assert found(own, theirs) is None
    assert found(unsorted, sparse.csr_matrix(np.array([[2.0, 1.0]]))) is None
    assert twice.nnz == in_pairs.nnz == zeros.nnz == 2  # they are only looked at
    assert unsorted.indices.tolist() == [1, 0]


def test_a_vast_sparse_matrix_is_never_made_dense(found, sparse):
    own = sparse.csr_matrix(([1.0], ([5], [7])), shape=(10**6, 10**6))
    theirs = sparse.csr_matrix(([1.0], ([5], [8])), shape=(10**6, 10**6))
    assert found(own, own.copy()) is None
    assert "2 of 2 are different" in found(own, theirs)


# -- data frames -----------------------------------------------------------------------------


@pytest.fixture
def pd():
    return pytest.importorskip("pandas")


def test_data_frames(found, pd):
    values = {"a": [1.0, NAN, INF], "b": ["x", None, "z"], "c": [1, 2, 3]}
    own = pd.DataFrame(values)
    assert found(own, pd.DataFrame(values)) is None
    close = own.copy()
    close["a"] *= 1 + 1e-12
    assert found(own, close) is None
    for column, place, value in [("a", 0, 2.0), ("a", 1, 2.0), ("b", 0, "y"), ("c", 2, 9)]:
        other = own.copy()
        other.loc[place, column] = value
        assert f"result[{column!r}]" in found(own, other)
    assert "index" in found(own, own.set_axis([0, 1, 5]))
    assert "columns" in found(own, own[["b", "a", "c"]])
    assert "shape (3, 3) on the host, (2, 3) on the backend" in found(own, own[:2])
    assert found(own, own["a"]) is not None
    assert found(own, own.to_numpy()) is not None
    assert found(pd.DataFrame(), pd.DataFrame()) is None
    assert found(pd.DataFrame({"a": []}), pd.DataFrame({"b": []})) is not None


def test_columns_of_one_name(found, pd):
    own = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    assert found(own, own.copy()) is None
    assert found(own, pd.DataFrame([[1.0, 3.0]], columns=["a", "a"])) is not None


def test_nested_labels(found, pd):
    first = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    second = pd.MultiIndex.from_tuples([("a", 1), ("b", 3)])
    assert found(pd.DataFrame({"x": [1, 2]}, first), pd.DataFrame({"x": [1, 2]}, first)) is None
    assert "index" in found(pd.DataFrame({"x": [1, 2]}, first), pd.DataFrame({"x": [1, 2]}, second))
    wide = pd.DataFrame([[1.0, 2.0]], columns=first)
    assert found(wide, wide.copy()) is None
    assert "columns" in found(wide, pd.DataFrame([[1.0, 2.0]], columns=second))
    other = pd.DataFrame([[1.0, 5.0]], columns=first)
    assert "('b', 2)" in found(wide, other)


def series_of(pd):
    zone = pd.date_range("2020", periods=2, tz="UTC")
    return {
        "floats": (pd.Series([1.0, NAN]), pd.Series([2.0, NAN])),
        "missing": (pd.Series([1.0, NAN]), pd.Series([1.0, 2.0])),
        "labels": (pd.Series([1.0, 2.0], [0, 1]), pd.Series([1.0, 2.0], [1, 0])),
        "texts": (pd.Series(["a", None]), pd.Series(["b", None])),
        "categories": (
            pd.Series(["a", None], dtype="category"),
            pd.Series(["b", None], dtype="category"),
        ),
        "times": (
            pd.Series(pd.to_datetime(["2020", None])),
            pd.Series(pd.to_datetime(["2021", None])),
        ),
        "zones": (pd.Series(zone), pd.Series(zone + pd.Timedelta(1, "s"))),
        "zone or none": (pd.Series(zone), pd.Series(zone.tz_localize(None))),
        "periods": (
            pd.Series(pd.period_range("2020", periods=2, freq="M")),
            pd.Series(pd.period_range("2021", periods=2, freq="M")),
        ),
        "intervals": (pd.Series(pd.interval_range(0, 2)), pd.Series(pd.interval_range(1, 3))),
        "sparse": (
            pd.Series(pd.arrays.SparseArray([0.0, 1.0])),
            pd.Series(pd.arrays.SparseArray([0.0, 2.0])),
        ),
        "arrays": (
            pd.Series([np.array([1.0]), np.array([2.0])]),
            pd.Series([np.array([1.0]), np.array([3.0])]),
        ),
        **{
            dtype: (pd.Series([1, None], dtype=dtype), pd.Series([0, None], dtype=dtype))
            for dtype in ("Int64", "UInt8", "Float64", "Float32")
        },
        "boolean": (
            pd.Series([True, None], dtype="boolean"),
            pd.Series([False, None], dtype="boolean"),
        ),
        "string": (pd.Series(["a", None], dtype="string"), pd.Series(["b", None], dtype="string")),
    }


def test_series_of_every_kind(found, pd):
    for kind, (own, other) in series_of(pd).items():
        assert found(own, own.copy(deep=True)) is None, kind
        assert found(own, other) is not None, kind
        assert found(own.to_frame("a"), own.to_frame("a").copy(deep=True)) is None, kind
        assert found(own.to_frame("a"), other.to_frame("a")) is not None, kind
        assert found(own.array, own.array.copy()) is None, kind


def test_types_of_columns_that_say_the_same(found, pd):
    assert found(pd.Series([1, 2], dtype="Int64"), pd.Series([1, 2])) is None
    assert found(pd.Series([1, None], dtype="Float64"), pd.Series([1, NAN])) is None
    assert found(pd.Series([1, 2], dtype="int32"), pd.Series([1.0, 2.0])) is None
    assert found(pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["b", "a"])) is None


def test_missing_values_of_pandas(found, pd):
    for missing in (pd.NA, pd.NaT):
        assert found(missing, missing) is None
        assert found([missing], [copy.deepcopy(missing)]) is None
        assert found(missing, 1) is not None
        assert found(1, missing) is not None
    assert found(pd.Timestamp("2020"), pd.Timestamp("2020")) is None
    assert found(pd.Timestamp("2020"), pd.Timestamp("2021")) is not None


# -- containers and objects ------------------------------------------------------------------


def nestings(leaf):
    """Everything that can hold something."""
    return {
        "list": [0, leaf],
        "tuple": (0, leaf),
        "named tuple": Point(0, leaf),
        "dict": {"k": leaf},
        "ordered": collections.OrderedDict(k=leaf),
        "defaultdict": collections.defaultdict(list, {"k": leaf}),
        "proxy": types.MappingProxyType({"k": leaf}),
        "deque": collections.deque([leaf]),
        "user": collections.UserList([leaf]),
        "user dict": collections.UserDict(k=leaf),
        "dataclass": Record(leaf),
        "namespace": SimpleNamespace(k=leaf),
        "plain": Plain(k=leaf),
        "slots": Slotted(leaf, "n"),
        "slots of a base": Subslotted(leaf, "n", 1),
        "refuses": RefusesEquality(k=leaf),
        "array equality": ArrayEquals(values=leaf),
        "deep": {"k": [Record((leaf, "a"))]},
    }


@pytest.mark.parametrize("kind", nestings(0))
def test_what_containers_and_objects_hold_is_looked_into(found, kind):
    own = nestings(np.array([1.0, NAN]))[kind]
    assert found(own, nestings(np.array([1.0 + 1e-12, NAN]))[kind]) is None
    difference = found(own, nestings(np.array([1.5, NAN]))[kind])
    assert "1 of 2 are different; the largest difference is 0.5 at [0]" in difference
    assert found(own, nestings(None)[kind]) is not None


def test_objects_of_attrs(found):
    attrs = pytest.importorskip("attrs")
    for slots in (True, False):
        made = attrs.make_class("Made", ["values"], slots=slots)
        assert found(made(np.array([1.0, 2.0])), made(np.array([1.0, 2.0]))) is None
        assert "at [1]" in found(made(np.array([1.0, 2.0])), made(np.array([1.0, 3.0])))
        assert found(made(1.0), made(1.0 + 1e-12)) is None


def test_where_a_difference_is(found):
    own = {"a": [1.0, Point(1.0, (2.0, 3.0))]}
    other = {"a": [1.0, Point(1.0, (2.0, 4.0))]}
    assert found(own, other).startswith("result['a'][1].y[1]: ")
    text = found({"a": [1.0, 3.0]}, {"a": [1.0, 4.0]})
    assert text.startswith(
        "result['a']: 1 of 2 are different; the largest difference is 1 at [1]: "
    )


def test_in_a_tuple_a_large_number_says_nothing_of_a_small_one(found):
    assert found((1e12, 0.03), (1e12, 0.04)) is not None
    assert found([1e12, 0.0], [1e12, 1e-3]) is None
    assert "'values'" in found(Record(1.0), Record(2.0))


def test_containers_of_another_shape(found):
    assert "length 2 on the host, 1 on the backend" in found([1, 2], [1])
    assert "no 'b' on the backend" in found({"a": 1, "b": 2}, {"a": 1})
    assert "'b' on the backend only" in found({"a": 1}, {"a": 1, "b": 2})
    assert "list on the host, a dict on the backend" in found([1], {0: 1})
    assert found({}, []) is not None
    assert found([], ()) is None
    assert found({"a": 1, "b": 2}, {"b": 2, "a": 1}) is None
    own = collections.defaultdict(list, {"a": []})
    assert found(own, collections.defaultdict(list)) is not None
    assert list(own) == ["a"]


def test_looking_does_not_add_to_a_defaultdict(found):
    theirs = collections.defaultdict(list)
    assert found({"a": []}, theirs) is not None
    assert not theirs


def test_sets(found):
    assert found({1, "a", (2, 3)}, {(2, 3), "a", 1}) is None
    assert found({1}, frozenset({1})) is None
    assert found(set(), {1}) is not None
    assert "{2, 3}" in found({1, 2}, {1, 3})
    assert found({1: 2}.keys(), {1: 3}.keys()) is None
    assert found({1: 2}.items(), {1: 3}.items()) is not None


def test_arrays_of_the_standard_library(found):
    assert found(array.array("d", [1, 2]), array.array("d", [1, 2 + 1e-12])) is None
    assert found(array.array("d", [1, 2]), array.array("d", [1, 3])) is not None


def test_objects_of_other_classes_are_different(found):
    assert found(Plain(a=1), SimpleNamespace(a=1)) is not None
    assert "Plain" in found(Plain(a=1), 1)
    assert found(Plain(a=1), Plain(b=1)) is not None
    assert found(Plain(a=1), Plain(a=1, b=1)) is not None


def test_objects_that_contain_themselves_come_to_an_end(found):
    def cyclic(leaf):
        lists, mapping, thing = [leaf], {"leaf": leaf}, Plain(leaf=leaf)
        lists.append(lists)
        mapping["self"], thing.self = mapping, thing
        return lists, mapping, thing

    for own, other in zip(cyclic(1.0), cyclic(2.0), strict=True):
        assert found(own, other) is not None


# -- what is said ----------------------------------------------------------------------------


def test_the_message_tells_everything(dispatcher, pair):
    def host(x, factor, *rest, flag=False, name="n", **more):
        return x * 2

    def backend(x, factor, *rest, flag=False, name="n", **more):
        result = x * 2
        result[1, 2] += 5
        result[0, 1] -= 0.25
        return result

    f = pair(host, backend)
    x = np.arange(6.0).reshape(2, 3)
    with dispatcher.verify("b"), pytest.warns(BackendMismatchWarning) as caught:
        f(x, 3, x[:, :1], flag=True, extra="e")
    text = str(caught[0].message)
    assert text.startswith("f() on backend 'b' gives other results than host's own: ")
    assert "2 of 6 are different" in text
    assert "the largest difference is 5 at [1, 2]: 10.0 on the host, 15.0 on the backend" in text
    assert "rtol=1e-05" in text
    assert "x=float64 ndarray of shape (2, 3), factor=3, " in text
    assert "flag=True" in text
    assert "extra" in text


def test_arguments_are_shown_as_they_were_given(dispatcher, pair):
    def spoil(x):
        x.append(9)
        return len(x)

    f = pair(lambda x: 0, spoil)
    with dispatcher.verify("b"), pytest.warns(BackendMismatchWarning, match=r"x=\[1, 2\]"):
        f([1, 2])


def test_arguments_that_cannot_be_shown(dispatcher, pair):
    class Shy:
        def __repr__(self):
            raise ValueError("shy")

    f = pair(lambda x, y=0: 1, lambda x, y=0: 2)
    with dispatcher.verify("b"), pytest.warns(BackendMismatchWarning) as caught:
        f(Shy(), y="long" * 100)
    text = str(caught[0].message)
    assert "x=<Shy" in text
    assert "y='longlong" in text
    assert len(text) < 400


def test_frames_and_sparse_matrices_are_shown_by_shape(dispatcher, pair):
    pd, sparse = pytest.importorskip("pandas"), pytest.importorskip("scipy.sparse")
    f = pair(lambda x, y: 1, lambda x, y: 2)
    with dispatcher.verify("b"), pytest.warns(BackendMismatchWarning) as caught:
        f(pd.DataFrame({"a": [1, 2]}), sparse.csr_matrix((3, 4)))
    text = str(caught[0].message)
    assert "DataFrame of shape (2, 1)" in text
    assert "float64 csr_matrix of shape (3, 4)" in text


def test_a_call_without_arguments(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)
    with dispatcher.verify("b"), pytest.warns(BackendMismatchWarning, match="no arguments"):
        assert f() == 2


def test_an_error_carries_what_it_says(dispatcher, pair):
    f = pair(lambda x: x, lambda x: x + 1)
    with dispatcher.verify("b", on_mismatch="error"):
        with pytest.raises(BackendMismatchError) as raised:
            f(1)
    error = raised.value
    assert isinstance(error, (AssertionError, backstack.BackendError))
    assert (error.function, error.name, error.label, error.host) == ("f", "b", "b", "host")
    assert "largest difference is 1" in error.difference
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_warning_points_at_the_line_that_called(dispatcher, pair):
    f = pair(lambda x: x, lambda x: x + 1)

    async def main():
        return await g()

    async def coroutine():
        return 1

    async def other():
        return 2

    g = dispatcher.backend_dispatch(name="g")(coroutine)
    dispatcher.register(SimpleNamespace(name="c", g=other))
    with gathered() as caught:
        with dispatcher.verify("b"):
            lines = [current_line() + 1]
            f(1)
            lines.append(current_line() + 1)
            f(x=2)
        with dispatcher.verify("c"):
            lines.append(inspect.getsourcelines(main)[1] + 1)
            asyncio.run(main())
    assert [warning.filename for warning in caught] == [__file__] * 3
    assert [warning.lineno for warning in caught] == lines


def test_each_mismatch_is_told(dispatcher, pair):
    f = pair(lambda x: x, lambda x: x + 1)
    with gathered() as caught, dispatcher.verify("b"):
        for i in range(3):
            assert f(i) == i + 1
    assert categories(caught) == [BackendMismatchWarning] * 3


# -- arguments -------------------------------------------------------------------------------


def test_the_host_sees_the_arguments_as_they_were(dispatcher, pair):
    seen = []

    def host(x, y, *, z):
        seen.append((x.tolist(), list(y), dict(z)))
        return 1

    def backend(x, y, *, z):
        x[:] = 0
        y.clear()
        z["k"] = 0
        return 1

    f = pair(host, backend)
    x, y, z = np.ones(2), [1, 2], {"k": 1}
    with dispatcher.verify("b", on_mismatch="error"):
        f(x, y, z=z)
    assert seen == [([1, 1], [1, 2], {"k": 1})]
    assert (x.tolist(), y, z) == ([0, 0], [], {"k": 0})


def test_the_host_changes_copies_alone(dispatcher, pair):
    def host(x):
        x[:] = [9]
        return 1

    f = pair(host, lambda x: 1)
    x = [1, 2]
    with dispatcher.verify("b", on_mismatch="error"):
        f(x)
    assert x == [1, 2]


def test_of_functions_that_return_nothing_the_arguments_are_compared(dispatcher, pair):
    def host(x, out, factor=1):
        out[:] = x * 2

    def backend(x, out, factor=1):
        out[:] = x * factor

    f = pair(host, backend)
    out = np.zeros(3)
    with dispatcher.verify("b", on_mismatch="error"):
        f(np.ones(3), out, factor=2)
        assert out.tolist() == [2, 2, 2]
        with pytest.raises(BackendMismatchError, match=r"'out'.*largest difference is 2 at \[2\]"):
            f(np.arange(3.0), out, factor=1)
        with pytest.raises(BackendMismatchError, match="'out'"):
            f(np.arange(3.0), out=out)
    assert out.tolist() == [0, 1, 2]


@pytest.mark.parametrize("make", [list, lambda v: Plain(v=v), lambda v: {"k": v}, np.array])
def test_whatever_changes_is_compared(dispatcher, pair, make):
    def change(thing, value):
        if isinstance(thing, Plain):
            thing.v = value
        elif isinstance(thing, dict):
            thing["k"] = value
        else:
            thing[0] = value

    f = pair(lambda x, y: change(x, 1.0), lambda x, y: change(x, y))
    with dispatcher.verify("b", on_mismatch="error"):
        f(make([0.0, 5.0]), 1.0)
        with pytest.raises(BackendMismatchError):
            f(make([0.0, 5.0]), 2.0)


def test_nothing_on_one_side_only_is_a_difference(found):
    assert "NoneType" in found(None, np.zeros(2))
    assert "NoneType" in found(np.zeros(2), None)


def test_one_thing_in_two_arguments_is_one_in_the_copies_too(dispatcher, pair):
    seen = []

    def host(x, y, *rest, key=None):
        seen.append((x is y, x is rest[0]["in"], x is key))
        y += 1
        return x.sum()

    def backend(x, y, *rest, key=None):
        y += 1
        return x.sum()

    f = pair(host, backend)
    x = np.zeros(2)
    with dispatcher.verify("b", on_mismatch="error"):
        f(x, x, {"in": x}, key=x)
    assert seen == [(True, True, True)]


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState, random.Random])
def test_states_of_random_numbers_are_copied(dispatcher, pair, make):
    def draw(rng):
        if isinstance(rng, random.Random):
            return [rng.random() for _ in range(3)]
        return rng.normal(size=3)

    f = pair(draw, draw)
    with dispatcher.verify("b", on_mismatch="error"):
        rng = make(0)
        drawn = [f(rng) for _ in range(3)]
    fresh = make(0)
    assert [list(x) for x in drawn] == [list(draw(fresh)) for _ in range(3)]


def test_a_state_of_random_numbers_alone_is_not_compared(dispatcher, pair):
    f = pair(lambda rng: None, lambda rng: rng.normal() and None)
    with dispatcher.verify("b", on_mismatch="error"):
        assert f(np.random.default_rng(0)) is None


def generator():
    yield 1


@pytest.mark.parametrize(
    "make",
    [threading.Lock, generator, lambda: io.TextIOWrapper(io.BytesIO()), lambda: io, lambda: [io]],
    ids=["lock", "generator", "file", "module", "inside"],
)
def test_what_cannot_be_copied_is_told_once(dispatcher, pair, make):
    ran = []
    f = pair(lambda x: ran.append(1), lambda x: ("b", x))
    line = current_line() + 4
    with gathered() as caught, dispatcher.verify("b", on_mismatch="error"):
        for _ in range(3):
            thing = make()
            assert f(thing) == ("b", thing)
    assert categories(caught) == [NotVerifiedWarning]
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)
    text = str(caught[0].message)
    assert text.startswith("f() on backend 'b' is not compared with host's own: ")
    assert "cannot be copied" in text
    assert text.endswith(". Pass what copy.deepcopy() can copy.")
    assert not ran


def test_what_cannot_be_copied_is_told_anew_after_a_reset(dispatcher, pair):
    f = pair(lambda x: 1, lambda x: 1)
    with gathered() as caught, dispatcher.verify("b"):
        f(threading.Lock())
        dispatcher.reset_warnings()
        f(threading.Lock())
    assert categories(caught) == [NotVerifiedWarning] * 2


def test_other_calls_of_the_same_function_are_still_compared(dispatcher, pair):
    f = pair(lambda x: 1, lambda x: 2)
    with gathered() as caught, dispatcher.verify("b"):
        f(threading.Lock())
        f(1)
    assert categories(caught) == [NotVerifiedWarning, BackendMismatchWarning]


def test_options_of_the_backend_do_not_reach_the_host(dispatcher, pair):
    seen = []

    def host(x, y=1):
        seen.append((x, y))
        return x

    f = pair(host, lambda x, *, size=1: x)
    with dispatcher.verify("b", on_mismatch="error"):
        f(1, size=5)
        f(x=2, size=...)
        with pytest.warns(backstack.DroppedArgumentWarning, match="'y'"):
            f(3, y=9)
        with pytest.warns(backstack.DroppedArgumentWarning, match="'y'"):
            f(4, 9)
    assert seen == [(1, 1), (2, 1), (3, 9), (4, 9)]


def test_dropped_arguments_may_well_make_a_difference(dispatcher, pair):
    f = pair(lambda x, y=0: x + y, lambda x: x)
    with gathered() as caught, dispatcher.verify("b"):
        f(1, y=2)
    assert categories(caught) == [backstack.DroppedArgumentWarning, BackendMismatchWarning]
    assert "y=2" in str(caught[1].message)


def test_all_ways_to_pass_arguments(dispatcher, pair):
    def host(a, /, b, *args, c=1, **kwargs):
        return a, b, args, c, kwargs

    def backend(a, /, b, *args, c=1, **kwargs):
        return a, b, args, c, kwargs

    f = pair(host, backend)
    with dispatcher.verify("b", on_mismatch="error"):
        assert f(1, 2) == (1, 2, (), 1, {})
        assert f(1, b=2, c=3, d=4) == (1, 2, (), 3, {"d": 4})
        assert f(1, 2, 3, 4, c=5, d=6) == (1, 2, (3, 4), 5, {"d": 6})


def test_another_name_for_the_selector(dispatcher, pair):
    f = pair(lambda x, backend=None: (x, backend), lambda x, backend=None: 0, keyword="run_on")
    with dispatcher.verify(), gathered() as caught:
        assert f(1, backend="theirs") == (1, "theirs")
        assert f(1, backend="theirs", run_on="b") == 0
        assert f(1, run_on="cpu") == (1, None)
    assert categories(caught) == [BackendMismatchWarning]
    assert "backend='theirs'" in str(caught[0].message)


def test_a_host_that_declares_the_selector(dispatcher):
    @dispatcher.backend_dispatch
    def f(x, *, backend=None):
        assert backend is None
        return x

    dispatcher.register(SimpleNamespace(name="b", f=lambda x: x + 1))
    with dispatcher.verify("b"), pytest.warns(BackendMismatchWarning) as caught:
        f(1)
    with dispatcher.verify(), pytest.warns(BackendMismatchWarning):
        f(1, backend="b")
    assert "backend=" not in str(caught[0].message)


# -- errors, and where calls run -------------------------------------------------------------


def test_that_the_host_raises_is_a_difference(dispatcher, pair):
    def host(x):
        raise KeyError("no such thing")

    f = pair(host, lambda x: x)
    with dispatcher.verify("b"):
        with pytest.warns(BackendMismatchWarning, match="raises KeyError: 'no such thing'.*x=1"):
            assert f(1) == 1
    with dispatcher.verify("b", on_mismatch="error"):
        with pytest.raises(BackendMismatchError, match="KeyError"):
            f(1)


def test_what_the_host_raises_to_stop_everything_is_not_caught(dispatcher, pair):
    def host():
        raise KeyboardInterrupt

    f = pair(host, lambda: 1)
    with dispatcher.verify("b"), pytest.raises(KeyboardInterrupt):
        f()


@pytest.mark.parametrize("kind", [ValueError, TypeError, RecursionError, KeyboardInterrupt])
def test_what_the_backend_raises_is_unchanged_and_the_host_does_not_run(dispatcher, pair, kind):
    error, ran = kind("mine"), []

    def fail():
        raise error

    f = pair(lambda: ran.append(1), fail)
    with dispatcher.verify("b"), pytest.raises(kind) as raised:
        f()
    assert raised.value is error
    assert error.__context__ is None
    assert not ran


def test_fallbacks_are_not_compared(dispatcher):
    ran = []

    @dispatcher.backend_dispatch
    def f():
        ran.append(1)
        return 1

    dispatcher.register(SimpleNamespace(name="bare"))
    with dispatcher.verify("bare"), pytest.warns(FallbackWarning):
        f()
    with dispatcher.verify("bare", on_missing="host"):
        f()
    with dispatcher.verify("bare", on_missing="error"):
        with pytest.raises(NotImplementedByBackendError):
            f()
    with dispatcher.backend("bare", on_missing="error"), dispatcher.verify():
        with pytest.raises(NotImplementedByBackendError):
            f()
    with dispatcher.verify("bare", "cpu", on_missing="error"):
        f()
    assert len(ran) == 3


def test_a_declined_call_is_compared_with_nothing(dispatcher, pair):
    ran = []

    def host():
        ran.append(1)
        return 1

    f = pair(host, lambda: NotImplemented)
    with dispatcher.verify("b", on_missing="host", on_mismatch="error"):
        assert f() == 1
    assert len(ran) == 1
    dispatcher.register(SimpleNamespace(name="next", f=lambda: 2))
    with dispatcher.verify("b", "next"), pytest.warns(BackendMismatchWarning, match="'next'"):
        assert f() == 2
    assert len(ran) == 2


def test_what_runs_on_the_host_runs_once(dispatcher, pair):
    ran = []

    def host():
        ran.append(1)
        return 1

    f = pair(host, lambda: 2)
    with dispatcher.verify("b"):
        f(backend="cpu")
    with dispatcher.verify("cpu"):
        f()
    with dispatcher.verify():
        f()
    assert len(ran) == 3


def test_whoever_chooses_is_compared(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)
    with gathered() as caught:
        with dispatcher.verify():
            f(backend="b")
            with dispatcher.backend("b"):
                f()
            with dispatcher.backend("cpu"):
                f()
        with dispatcher.backend("b"), dispatcher.verify():
            f()
        with dispatcher.verify("cpu"):
            f(backend="b")
        dispatcher.settings.backend = "b"
        with dispatcher.verify():
            f()
        f()
    assert categories(caught) == [BackendMismatchWarning] * 5


def test_unknown_backends_are_refused_on_entry(dispatcher):
    scope = dispatcher.verify("nobody")
    with pytest.raises(backstack.UnknownBackendError):
        scope.__enter__()


def test_the_host_calls_inside_stay_on_the_host(dispatcher):
    ran = []

    @dispatcher.backend_dispatch
    def inner():
        ran.append("host's inner")
        return 1

    @dispatcher.backend_dispatch
    def outer():
        return inner() + 1

    dispatcher.register(
        SimpleNamespace(name="b", outer=lambda: 2, inner=lambda: ran.append("b's inner"))
    )
    with dispatcher.verify("b", on_mismatch="error"):
        assert outer() == 2
    assert ran == ["host's inner"]


def test_nested_calls_are_compared_each(dispatcher):
    @dispatcher.backend_dispatch
    def inner():
        return 1

    @dispatcher.backend_dispatch
    def outer():
        return inner() + 1

    dispatcher.register(SimpleNamespace(name="b", outer=lambda: inner() + 1, inner=lambda: 5))
    with gathered() as caught, dispatcher.verify("b"):
        assert outer() == 6
    told = [str(warning.message).partition(" ")[0] for warning in caught]
    assert told == ["inner()", "outer()"]


def test_a_backend_that_asks_the_host_is_right(dispatcher, pair):
    ran = []

    def host(x):
        ran.append(x)
        return x

    f = pair(host, lambda x: f(x, backend="cpu"))
    with dispatcher.verify("b", on_mismatch="error"):
        assert f(1) == 1
    assert ran == [1, 1]


def test_the_host_that_chooses_a_backend_inside(dispatcher):
    @dispatcher.backend_dispatch
    def inner():
        return 1

    @dispatcher.backend_dispatch
    def outer():
        return inner(backend="b")

    dispatcher.register(SimpleNamespace(name="b", inner=lambda: 1, outer=lambda: 1))
    with dispatcher.verify("b", on_mismatch="error"):
        assert outer() == 1


# -- other kinds -----------------------------------------------------------------------------


def test_coroutines(dispatcher, pair):
    ran = []

    async def host(x):
        await asyncio.sleep(0)
        ran.append(x.tolist())
        x[:] = 7
        return 1.0

    async def backend(x, wrong=0):
        x[:] = 9
        await asyncio.sleep(0)
        return 1.0 + wrong

    f = pair(host, backend)

    async def main():
        x = np.zeros(1)
        assert await f(x) == 1.0
        assert x.tolist() == [9]
        with pytest.raises(BackendMismatchError, match="largest difference is 2"):
            await f(np.zeros(1), wrong=2)

    with dispatcher.verify("b", on_mismatch="error"):
        asyncio.run(main())
    assert ran == [[0], [0]]


def test_coroutines_that_raise(dispatcher, pair):
    ran = []

    async def host(error, other=None):
        ran.append(error)
        raise ValueError("the host's")

    async def backend(error, other=None):
        if error is not None:
            raise error

    f = pair(host, backend)
    error = KeyError("mine")

    async def main():
        with pytest.raises(KeyError) as raised:
            await f(error)
        assert raised.value is error
        with pytest.warns(BackendMismatchWarning, match="raises ValueError: the host's"):
            await f(None)

    with dispatcher.verify("b"):
        asyncio.run(main())
    assert ran == [None]


@pytest.mark.parametrize("slow", ["host", "backend"])
def test_coroutines_that_are_cancelled(dispatcher, pair, slow):
    ran = []

    def body(who):
        async def run():
            ran.append(who)
            if who == slow:
                await asyncio.sleep(60)

        return run

    f = pair(body("host"), body("backend"))

    async def main():
        with dispatcher.verify("b"):
            task = asyncio.ensure_future(f())
        while slow not in ran:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())
    assert ran == (["backend", "host"] if slow == "host" else ["backend"])


def test_a_coroutine_that_is_never_run_compares_nothing(dispatcher, pair):
    async def host():
        raise AssertionError

    async def backend():
        raise AssertionError

    f = pair(host, backend)
    with dispatcher.verify("b"):
        f().close()


def test_generators_are_told_once(dispatcher, pair):
    def host():
        yield 1

    def backend():
        yield 2

    f = pair(host, backend)
    with gathered() as caught, dispatcher.verify("b", on_mismatch="error"):
        assert list(f()) == list(f()) == [2]
    assert categories(caught) == [NotVerifiedWarning]
    assert "generators" in str(caught[0].message)
    assert str(caught[0].message).endswith(
        " Call it with backend='cpu' as well, and compare what both do."
    )
    assert caught[0].filename == __file__


def test_async_generators_are_told_once(dispatcher, pair):
    async def host():
        yield 1

    async def backend():
        yield 2

    f = pair(host, backend)

    async def main():
        return [item async for item in f()] + [item async for item in f()]

    with gathered() as caught, dispatcher.verify("b"):
        assert asyncio.run(main()) == [2, 2]
    assert categories(caught) == [NotVerifiedWarning]


def test_classes_are_told_once(dispatcher):
    @dispatcher.backend_class
    class Model:
        pass

    class Fast:
        pass

    dispatcher.register(SimpleNamespace(name="b", Model=Fast))
    with gathered() as caught, dispatcher.verify("b"):
        assert type(Model()) is type(Model()) is Fast
        assert isinstance(Model(backend="cpu"), Model)
    assert categories(caught) == [NotVerifiedWarning]
    text = str(caught[0].message)
    assert text.startswith("Model() on backend 'b'")
    assert text.endswith(" Call it with backend='cpu' as well, and compare what both do.")


def test_what_is_to_be_done_names_the_selector(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")

    @dispatcher.backend_dispatch
    def steps():
        yield "host"

    dispatcher.register(SimpleNamespace(name="b", steps=lambda: iter("b")))
    with gathered() as caught, dispatcher.verify("b"):
        assert (list(steps()), list(steps(run_on="cpu"))) == (["b"], ["host"])
    assert "Call it with run_on='cpu' as well" in str(caught[0].message)


def test_what_is_said_of_objects_that_cannot_be_compared_works(dispatcher, pair):
    f = pair(lambda x: object(), lambda x: object())
    with gathered() as caught, dispatcher.verify("b"):
        f(1)
    assert categories(caught) == [NotVerifiedWarning]
    assert str(caught[0].message).endswith(
        ": result is an object. Give verify() a function that tells: compare={'f': function}."
    )
    dispatcher.reset_warnings()
    asked = []

    def function(host, backend):
        asked.append((type(host), type(backend)))

    with gathered() as caught, dispatcher.verify("b", compare={"f": function}):
        f(1)
    assert categories(caught) == []
    assert asked == [(object, object)]


# -- the scope -------------------------------------------------------------------------------


def test_as_a_decorator(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)
    scope = dispatcher.verify("b", on_mismatch="error")

    @scope
    def function():
        return f()

    @scope
    async def coroutine():
        return f()

    @scope
    def steps():
        yield 0
        yield f()

    with pytest.raises(BackendMismatchError):
        function()
    with pytest.raises(BackendMismatchError):
        asyncio.run(coroutine())
    made = steps()
    next(made)
    assert f(backend="b") == 2  # outside
    with pytest.raises(BackendMismatchError):
        next(made)
    assert f() == 1


def test_one_scope_in_itself_compares_once(dispatcher, pair):
    ran = []

    def host():
        ran.append(1)
        return 1

    f = pair(host, lambda: 2)
    scope = dispatcher.verify("b")
    with gathered() as caught:
        with scope:
            with scope:
                f()
            f()
        f()
    assert categories(caught) == [BackendMismatchWarning] * 2
    assert len(ran) == 3


def test_leaving_after_an_error_leaves(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)
    with pytest.raises(BackendMismatchError):
        with dispatcher.verify("b", on_mismatch="error"):
            f()
    assert f() == 1
    assert f(backend="b") == 2


def test_copies_and_looks(dispatcher):
    scope = dispatcher.verify("b", on_missing="host")
    assert copy.copy(scope) is scope
    assert copy.deepcopy(scope) is scope
    assert repr(scope) == "<verify('b', on_missing='host') of host (not active: use with)>"
    strict = dispatcher.verify(compare={"rtol": 1}, on_mismatch="error")
    assert repr(strict).startswith("<verify(compare={'rtol': 1}, on_mismatch='error') of host (not")
    with dispatcher.verify() as scope:
        assert "(active)" in repr(scope)


HOST = """
    from types import SimpleNamespace
    from backstack import BackendDispatcher

    dispatcher = BackendDispatcher(entrypoint_group="g", host_name="the_host")

    @dispatcher.backend_dispatch
    def f():
        return 1.0

    dispatcher.register(SimpleNamespace(name="b", f=lambda: 2.0))
"""

USER = """
    import operator, pickle
    from backstack import BackendMismatchError
    from the_host import dispatcher, f

    def verified(**options):
        scope = dispatcher.verify("b", on_mismatch="error", **options)
        with pickle.loads(pickle.dumps(scope)):
            try:
                return f()
            except BackendMismatchError:
                return "mismatch"

    print(verified(), verified(compare={"rtol": 2}), verified(compare={"f": operator.lt}))
"""


def test_a_pickled_scope_is_the_same_again(run_python, site):
    site.write({"the_host.py": HOST})
    assert run_python(USER, path=site.folder).split() == ["mismatch", "2.0", "2.0"]


def test_a_trace_times_the_backend_alone(dispatcher, pair):
    took = []

    def host():
        started = time.perf_counter()
        time.sleep(0.2)
        took.append(time.perf_counter() - started)
        return 1

    f = pair(host, lambda: 1)
    with dispatcher.trace() as calls, dispatcher.verify("b"):
        f()
    with dispatcher.verify("b"), dispatcher.trace() as more:
        f()
    records = [*calls, *more]
    assert [(call.ran_on, call.raised) for call in records] == [("b", False)] * 2
    assert all(call.seconds < host for call, host in zip(records, took, strict=True))


def test_a_trace_times_the_backends_coroutine_alone(dispatcher, pair):
    took = []

    async def host():
        started = time.perf_counter()
        await asyncio.sleep(0.2)
        took.append(time.perf_counter() - started)

    async def backend():
        pass

    f = pair(host, backend)
    with dispatcher.trace() as calls, dispatcher.verify("b"):
        asyncio.run(f())
    with dispatcher.verify("b"), dispatcher.trace() as more:
        asyncio.run(f())
    records = [*calls, *more]
    assert [call.ran_on for call in records] == ["b"] * 2
    assert all(call.seconds < host for call, host in zip(records, took, strict=True))


def test_a_trace_has_one_record_of_a_call(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)
    with gathered(), dispatcher.trace(everywhere=True) as calls, dispatcher.verify("b"):
        f()
        f(backend="cpu")
    assert [call.ran_on for call in calls] == ["b", "cpu"]


def test_threads_are_compared_where_the_context_is_carried(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)

    def call():
        return f(backend="b")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with dispatcher.verify("b", on_mismatch="error"):
            assert pool.submit(call).result() == 2
            context = contextvars.copy_context()
            with pytest.raises(BackendMismatchError):
                pool.submit(context.run, call).result()


def test_tasks_have_what_was_in_force_where_they_began(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)

    async def work(event):
        await event.wait()
        return f(backend="b")

    async def main():
        event = asyncio.Event()
        outside = asyncio.ensure_future(work(event))
        with dispatcher.verify("b", on_mismatch="error"):
            inside = asyncio.ensure_future(work(event))
            await asyncio.to_thread(f, backend="cpu")
            with pytest.raises(BackendMismatchError):
                await asyncio.to_thread(f)
            event.set()
            assert await outside == 2
        with pytest.raises(BackendMismatchError):
            await inside

    asyncio.run(main())


def test_many_threads_at_once(dispatcher, pair):
    f = pair(lambda x: x * 2, lambda x: x * 2 + (x[0] == 3))

    def work(i):
        with dispatcher.verify("b", on_mismatch="error"):
            try:
                return float(f(np.array([float(i)]))[0])
            except BackendMismatchError:
                return "mismatch"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(20)))
    assert results == [i * 2.0 if i != 3 else "mismatch" for i in range(20)]


def test_what_was_bound_is_compared_where_it_runs(dispatcher, pair):
    f = pair(lambda: 1, lambda: 2)
    with dispatcher.backend("b"):
        bound = dispatcher.bind(f)
    with dispatcher.verify(), pytest.warns(BackendMismatchWarning):
        assert bound() == 2
    assert bound() == 2


def test_explaining_compares_nothing(dispatcher, pair):
    ran = []
    f = pair(lambda: ran.append(1), lambda: ran.append(2))
    with dispatcher.verify("b", on_mismatch="error"):
        assert "'b'" in str(dispatcher.explain(f))
    assert not ran


# -- how to compare --------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["raise", "", None, "WARN", 1, []])
def test_other_values_of_on_mismatch_are_refused_at_once(dispatcher, value):
    with pytest.raises(ValueError, match="on_mismatch"):
        dispatcher.verify("b", on_mismatch=value)


def test_other_values_of_on_missing_are_refused_at_once(dispatcher):
    with pytest.raises(ValueError, match="on_missing"):
        dispatcher.verify("b", on_missing="never")


@pytest.mark.parametrize("size", [-1, NAN, INF, -INF, "much"])
@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_tolerances_that_are_none(dispatcher, pair, name, size):
    _f = pair(lambda: 1, lambda: 2)
    with pytest.raises(ValueError):
        dispatcher.verify("b", compare={name: size})
    with pytest.raises(ValueError):
        dispatcher.verify("b", compare={"f": {name: size}})
    with pytest.raises(ValueError):
        dispatcher.set_comparison("f", **{name: size})


def test_what_cannot_compare_is_refused_at_once(dispatcher, pair):
    _f = pair(lambda: 1, lambda: 2)
    for compare in (5, "exact", [1]):
        with pytest.raises(TypeError, match="callable"):
            dispatcher.verify("b", compare=compare)
        with pytest.raises(TypeError, match="callable"):
            dispatcher.verify("b", compare={"f": compare})
        with pytest.raises(TypeError, match="callable"):
            dispatcher.set_comparison("f", compare)
    with pytest.raises(ValueError, match="'rtoll'"):
        dispatcher.verify("b", compare={"f": {"rtoll": 1}})
    with pytest.raises(ValueError, match=r"'rtoll' is dispatched. Did you mean 'rtol'\?"):
        dispatcher.verify("b", compare={"rtoll": 1})
    with pytest.raises(ValueError, match="rtol and atol, not 'atoll'"):
        dispatcher.verify("b", compare={"rtol": 1, "atoll": 1})


def test_what_the_backend_alone_was_given_is_told(dispatcher, pair):
    f = pair(lambda x: x, lambda x, *, digits=1: round(x, digits))
    with dispatcher.verify("b", on_mismatch="error"):
        with pytest.raises(backstack.BackendMismatchError, match=r"with x=1\.26, digits=0\.$"):
            f(1.26, digits=0)


def test_functions_that_are_not_dispatched(dispatcher, pair):
    _f = dispatcher.backend_dispatch(name="compute_score")(lambda: 1)
    with pytest.raises(ValueError, match=r"'compute_scor'.*Did you mean 'compute_score'\?"):
        dispatcher.verify("b", compare={"compute_scor": None})
    with pytest.raises(ValueError, match="'q'"):
        dispatcher.verify("b", compare={"compute_score": None, "q": None})
    with pytest.raises(TypeError):
        dispatcher.set_comparison("compute_scor")
    with pytest.raises(TypeError):
        dispatcher.set_comparison(len)


@pytest.mark.parametrize("fine", [None, True, np.True_, 1, ""])
def test_a_comparison_that_finds_nothing(found, fine):
    assert found(1, 2, compare=lambda own, theirs: fine) is None


def test_a_comparison_that_finds_something(found):
    assert "differ" in found(1, 1, compare=lambda own, theirs: False)
    assert "differ" in found(1, 1, compare=lambda own, theirs: np.False_)
    assert found(1, 1, compare=lambda own, theirs: f"{own} is odd") == "1 is odd"


def test_comparisons_get_the_hosts_result_first(found):
    assert found(1, 2, compare=lambda own, theirs: (own, theirs) == (1, 2)) is None


def test_the_testing_functions_of_numpy_serve(found):
    own, close = np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])
    for compare in (np.testing.assert_allclose, np.testing.assert_array_almost_equal, np.allclose):
        assert found(own, close, compare=compare) is None
        assert found(own, own + 1, compare=compare)
    assert "Mismatched elements" in found(own, close, compare=np.testing.assert_array_equal)
    loose = functools.partial(np.testing.assert_allclose, rtol=1)
    assert found(own, own * 1.5, compare=loose) is None


def test_the_testing_functions_of_pandas_serve(found):
    pd = pytest.importorskip("pandas")
    own = pd.DataFrame({"a": [1.0]})
    assert found(own, own.copy(), compare=pd.testing.assert_frame_equal) is None
    assert "values are different" in found(own, own + 1, compare=pd.testing.assert_frame_equal)


def test_an_assertion_without_words(found):
    def fail(own, theirs):
        raise AssertionError

    assert "comparison failed" in found(1, 1, compare=fail)


def test_a_comparison_that_breaks_says_so(found):
    def broken(own, theirs):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        found(1, 1, compare=broken)


def test_tolerances_are_those_that_were_given(found):
    assert found(100.0, 101.0, compare={"rtol": 0.0101}) is None
    assert found(100.0, 101.0, compare={"rtol": 0.0099, "atol": 0}) is not None
    assert found(100.0, 101.0, compare={"atol": 1.001, "rtol": 0}) is None
    assert found(100.0, 101.0, compare={"atol": 0.999, "rtol": 0}) is not None
    assert found(1.0, 1.0 + 1e-15, compare={"rtol": 0, "atol": 0}) is not None
    assert found(1.0, 1.0, compare={"rtol": 0, "atol": 0}) is None
    assert found([{"a": 1.0}], [{"a": 1.5}], compare={"rtol": 1}) is None
    assert found({"a": np.ones(2)}, {"a": np.ones(2) * 2}, compare={"f": {"atol": 1}}) is None
    assert found(np.array([1, 2]), np.array([1, 3]), compare={"rtol": 9}) is not None
    assert found("a", "b", compare={"rtol": 9}) is not None
    assert found(1.0, NAN, compare={"rtol": 9}) is not None
    assert found(1.0, INF, compare={"rtol": 9}) is not None


def test_comparisons_for_some_functions(dispatcher):
    f, g = (dispatcher.backend_dispatch(name=name)(lambda: 1.0) for name in "fg")
    dispatcher.register(SimpleNamespace(name="b", f=lambda: 2.0, g=lambda: 2.0))
    with dispatcher.verify("b", compare={"f": lambda own, theirs: True}, on_mismatch="error"):
        f()
        with pytest.raises(BackendMismatchError):
            g()


def test_the_host_may_say_how_to_compare(dispatcher, pair):
    f = pair(lambda x=0: 1.0, lambda x=0: 1.5)

    def outcome(**options):
        with dispatcher.verify("b", on_mismatch="error", **options):
            try:
                f()
            except BackendMismatchError as error:
                return error.difference
        return None

    scope = dispatcher.verify("b", on_mismatch="error")
    assert outcome() is not None
    dispatcher.set_comparison(f, rtol=1)
    assert outcome() is None
    with scope:
        f()  # also where the scope was made before
    dispatcher.set_comparison("f", lambda own, theirs: "the host's")
    assert outcome() == "the host's"
    assert outcome(compare={"f": lambda own, theirs: "the function's"}) == "the function's"
    assert outcome(compare=lambda own, theirs: "the scope's") == "the scope's"
    assert outcome(compare={"rtol": 1}) is None
    dispatcher.set_comparison(f, atol=0.6)
    assert outcome() is None
    dispatcher.set_comparison(functools.partial(f, 1), atol=0.4, rtol=0)
    assert outcome() is not None
    dispatcher.set_comparison(f, np.testing.assert_allclose)
    assert "Not equal to tolerance" in outcome()
    dispatcher.set_comparison(f)
    assert "largest difference is 0.5" in outcome()


def test_hosts_do_not_share_comparisons(make_dispatcher):
    outcomes = []
    for tolerance in (1, None):
        dispatcher = make_dispatcher()
        f = dispatcher.backend_dispatch(name="f")(lambda: 1.0)
        dispatcher.register(SimpleNamespace(name="b", f=lambda: 1.5))
        dispatcher.set_comparison(f, rtol=tolerance)
        with gathered() as caught, dispatcher.verify("b"):
            f()
        outcomes.append(len(caught))
    assert outcomes == [0, 1]


# -- any structure ---------------------------------------------------------------------------

# Not so large that a change of 1 is nothing beside them.
FLOATS = st.one_of(st.floats(-1e6, 1e6, width=32), st.sampled_from([math.nan, math.inf, -math.inf]))
LEAVES = st.one_of(
    FLOATS,
    st.integers(-(2**60), 2**60),
    st.booleans(),
    st.none(),
    st.text(max_size=4),
    st.binary(max_size=4),
    st.complex_numbers(allow_nan=False, allow_infinity=False, max_magnitude=1e6),
    st.lists(FLOATS, max_size=4).map(np.array),
    st.lists(st.integers(0, 255), max_size=4).map(lambda v: np.array(v, "u1")),
    st.lists(st.text("ab", max_size=2), max_size=3).map(lambda v: np.array(v, "U2")),
    st.lists(st.integers(0, 9), max_size=3).map(lambda v: np.array(v, "M8[D]")),
    st.frozensets(st.integers(), max_size=3),
)
STRUCTURES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=4),
        st.tuples(inner, inner).map(lambda pair: Point(*pair)),
        inner.map(Record),
        inner.map(lambda value: Plain(k=value)),
        inner.map(lambda value: Slotted(value, "n")),
    ),
    max_leaves=12,
)


def leaves_of(thing, place=()):
    """Where something is that can be changed, and it."""
    if isinstance(thing, (list, tuple)):
        for index, item in enumerate(thing):
            yield from leaves_of(item, (*place, index))
    elif isinstance(thing, dict):
        for key, item in thing.items():
            yield from leaves_of(item, (*place, key))
    elif isinstance(thing, Record):
        yield from leaves_of(thing.values, (*place, "values"))
    elif isinstance(thing, Plain):
        yield from leaves_of(thing.k, (*place, "k"))
    elif isinstance(thing, Slotted):
        yield from leaves_of(thing.array, (*place, "array"))
    elif not (isinstance(thing, np.ndarray) and thing.size == 0):
        yield place, thing


def changed(leaf):
    if isinstance(leaf, np.ndarray):
        other = leaf.copy()
        beyond = leaf.dtype.kind == "f" and not np.isnan(leaf[-1])
        other[-1] = NAN if beyond else changed(leaf[-1])  # beyond any tolerance
        return other
    if isinstance(leaf, np.datetime64):
        return leaf + np.timedelta64(1, "D")
    if isinstance(leaf, np.uint8):
        return leaf ^ np.uint8(1)
    if isinstance(leaf, (bool, int)):
        return leaf + 1 if not isinstance(leaf, bool) else not leaf
    if isinstance(leaf, (float, complex)):
        return leaf * 2 + 1 if np.isfinite(leaf) and leaf != -1 else 0.0
    if isinstance(leaf, str):
        return "b" if leaf != "b" else "a"
    if isinstance(leaf, bytes):
        return leaf + b"x"
    if isinstance(leaf, frozenset):
        return leaf ^ {0}
    return 0


def with_change(thing, place):
    if not place:
        return changed(thing)
    key, rest = place[0], place[1:]
    if isinstance(thing, dict):
        return {**thing, key: with_change(thing[key], rest)}
    if isinstance(thing, Record):
        return Record(with_change(thing.values, rest))
    if isinstance(thing, Plain):
        return Plain(k=with_change(thing.k, rest))
    if isinstance(thing, Slotted):
        return Slotted(with_change(thing.array, rest), "n")
    items = [with_change(item, rest) if i == key else item for i, item in enumerate(thing)]
    return items if type(thing) is list else Point(*items) if type(thing) is Point else tuple(items)


@hypothesis.settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(structure=STRUCTURES, data=st.data())
def test_any_copy_is_the_same_and_any_change_is_found(found, structure, data):
    assert found(structure, copy.deepcopy(structure)) is None
    places = [place for place, _ in leaves_of(structure)]
    if places:
        other = with_change(copy.deepcopy(structure), data.draw(st.sampled_from(places)))
        assert found(structure, other) is not None
        assert found(other, structure) is not None


def test_plain_python_needs_no_numpy(run_python):
    script = """
        import sys
        sys.modules["numpy"] = None
        from types import SimpleNamespace
        from backstack import BackendDispatcher
        from backstack.errors import BackendMismatchError
        d = BackendDispatcher(entrypoint_group="host.backends", host_name="host")

        @d.backend_dispatch
        def f(pair):
            return pair[0]

        d.register(SimpleNamespace(name="b", f=lambda pair: pair[1]))
        nan, inf = float("nan"), float("inf")
        same = [(1.0, 1.0 + 1e-9), (1, 1.0), (nan, nan), (inf, inf), (1j, 1j + 1e-9),
                ([0.1], [0.1]), (10**400, 10**400),
                ({"a": (1.5, [2.5, "x"])}, {"a": (1.5, [2.5, "x"])}),
                (complex(nan, 1), complex(nan, 1))]
        other = [(1.0, 1.1), (1, 1.5), (nan, 1.0), (inf, -inf), (inf, 1e308), (1j, 2j),
                 ([0.1], [0.2]), (10**400, 1.0), (1e308, -1e308),
                 ({"a": (1.5, [2.5])}, {"a": (1.5, [2.6])}),
                 (complex(nan, 1), complex(nan, 2))]
        with d.verify("b", on_mismatch="error"):
            for pair in same:
                f(pair)
            for pair in other:
                try:
                    f(pair)
                except BackendMismatchError as error:
                    assert "on the host" in str(error), error
                else:
                    raise AssertionError(pair)
        print("done")
    """
    assert run_python(script) == "done\n"
