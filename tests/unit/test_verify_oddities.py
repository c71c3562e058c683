"""`verify` with results and arguments that are odd in some way: no false alarm, and none missed."""

import collections
import functools
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from backstack import BackendDispatcher
from backstack.errors import BackendMismatchWarning, NotVerifiedWarning

NAN, INF = float("nan"), float("inf")


class Plain:
    def __init__(self, **attributes):
        vars(self).update(attributes)


def verified(host, backend, *args, verify=None, **kwargs):
    """The result, and the warnings that backstack gave; any other warning is an error."""
    d = BackendDispatcher(entrypoint_group="g", host_name="host")
    f = d.backend_dispatch(name="f")(host)
    d.register(SimpleNamespace(name="b", f=backend))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        warnings.simplefilter("always", BackendMismatchWarning)
        warnings.simplefilter("always", NotVerifiedWarning)
        with d.verify("b", **(verify or {})):
            result = f(*args, **kwargs)
    return result, [(w.category, str(w.message)) for w in caught]


def told(own, theirs):
    return verified(lambda: own, lambda: theirs)[1]


def is_same(own, theirs):
    assert told(own, theirs) == []


def is_other(own, theirs):
    assert [category for category, _ in told(own, theirs)] == [BackendMismatchWarning]


def is_not_verified(own, theirs):
    assert [category for category, _ in told(own, theirs)] == [NotVerifiedWarning]


# -- whole numbers beyond 64 bits
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: np.array([v, 1], object)])
def test_large_ints(wrap):
    is_same(wrap(int("1" + "0" * 30)), wrap(int("1" + "0" * 30)))


def test_large_int_message():
    ((_, text),) = told(10**30, 10**30 + 1)
    assert "nested" not in text
    assert "flat[0]" not in text


# -- cyclic and shared structures
def test_cyclic_copy_is_same():
    def make():
        x = Plain(v=np.ones(2))
        x.me, x.all = x, [x]
        return x

    is_same(make(), make())


@pytest.mark.timeout(20)
def test_shared_structure_takes_no_time():
    def make():
        x = [1.0]
        for _ in range(40):
            x = [x, x]
        return x

    is_same(make(), make())


def test_linked_list():
    def make():
        x = None
        for _ in range(120):
            x = Plain(next=x)
        return x

    is_same(make(), make())


# -- labels of data frames
@pytest.mark.parametrize("values", [[1.0, 2.0], ["a", "b"], ["a", None], [("a", 1), ("b", NAN)]])
def test_index(values):
    pd = pytest.importorskip("pandas")
    is_same(pd.Index(values), pd.Index(values))
    is_other(pd.Index(values), pd.Index([*values[:-1], values[0]]))


def test_index_of_nullable_and_categories():
    pd = pytest.importorskip("pandas")
    is_same(pd.Index([1, None], dtype="Int64"), pd.Index([1, None], dtype="Int64"))
    is_same(pd.CategoricalIndex(["a"]), pd.CategoricalIndex(["a"]))
    is_same(pd.RangeIndex(3), pd.Index([0, 1, 2]))
    is_same(pd.Index([0.3]), pd.Index([0.1 + 0.2]))


def test_labels_within_tolerance():
    pd = pytest.importorskip("pandas")
    is_same(pd.Series([1.0], [0.3]), pd.Series([1.0], [0.1 + 0.2]))


# -- masked arrays
def test_masked():
    is_same(np.ma.array([1, 2, 3], mask=[0, 1, 0]), np.ma.array([1, 9, 3], mask=[0, 1, 0]))


def test_masked_nan():
    is_same(np.ma.array([1.0, NAN], mask=[0, 1]), np.ma.array([1.0, 9], mask=[0, 1]))


def test_masks_differ():
    is_other(np.ma.array([1, 2, 3], mask=[0, 1, 0]), np.ma.array([1, 2, 3], mask=[0, 0, 0]))
    is_other(np.ma.array([1, 2, 3], mask=[0, 1, 0]), np.array([1, 2, 3]))
    is_other(np.ma.masked, 0.0)


# -- complex numbers, and overflow
def test_complex_parts_within_tolerance():
    is_same(complex(INF, 1.0), complex(INF, 1.0 + 1e-12))


def test_complex_parts():
    is_other(complex(NAN, 1), complex(NAN, 5))
    is_other(complex(NAN, 1), complex(1, NAN))


def test_overflow_in_distance_is_no_warning():
    is_other(np.array([1e308]), np.array([-1e308]))


def test_overflow_of_complex_modulus():
    is_other(np.array([1.7e308 + 1.7e308j]), np.array([1e308 + 1.7e308j]))


def test_long_double():
    own = np.array(["1e4000"]).astype("g")
    if not np.isfinite(own).all():
        pytest.skip("no long doubles")
    is_same(own, own.copy())
    is_other(own, own * 2)


# -- sparse
def test_sparse_unsigned_overflow():
    sp = pytest.importorskip("scipy.sparse")
    one, other = (sp.csr_matrix(np.array([[v]], "u1")) for v in (200, 56))
    is_other(one, other)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2)])
def test_sparse_of_other_dimensions(shape):
    sp = pytest.importorskip("scipy.sparse")
    is_same(sp.coo_array(np.ones(shape)), sp.coo_array(np.ones(shape)))
    is_other(sp.coo_array(np.ones(shape)), sp.coo_array(2 * np.ones(shape)))


def test_sparse_place():
    sp = pytest.importorskip("scipy.sparse")
    own = np.zeros((5, 7))
    own[1, 1], own[3, 4] = 1, 2
    other = own.copy()
    other[3, 4] = 5
    ((_, text),) = told(sp.csr_matrix(own), sp.csr_matrix(other))
    assert "largest difference is 3 at [3, 4]" in text


# -- a comparison never breaks the call
class NoImplicit:
    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion to a NumPy array is not allowed")


class Proxy:
    def __getattr__(self, name):
        if name == "__deepcopy__":
            raise AttributeError(name)
        raise RuntimeError("not connected")


class Odd(collections.abc.Mapping):
    def __len__(self):
        return 1

    def __iter__(self):
        return iter("a")

    def __getitem__(self, key):
        raise OSError("closed")


@pytest.mark.parametrize("make", [NoImplicit, Proxy, Odd])
def test_results_that_cannot_be_compared(make):
    is_not_verified(make(), make())


def test_jax_keys():
    jax = pytest.importorskip("jax")
    ((category, _),) = told(jax.random.key(0), jax.random.key(0))
    assert category is NotVerifiedWarning


def test_inside_jit():
    jax = pytest.importorskip("jax")
    d = BackendDispatcher(entrypoint_group="g", host_name="host")

    @d.backend_dispatch
    def f(x):
        return x * 2

    d.register(SimpleNamespace(name="b", f=lambda x: x * 2))
    with d.verify("b"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotVerifiedWarning)
        assert jax.jit(f)(np.ones(2)).tolist() == [2, 2]


def test_memoryview_of_two_dimensions():
    is_same(memoryview(np.zeros((2, 2))), memoryview(np.zeros((2, 2))))


def test_argument_without_a_shape():
    class Lazy:
        @property
        def shape(self):
            raise RuntimeError("not computed")

    assert verified(lambda x: 1, lambda x: 1, Lazy()) == (1, [])


# -- things of which nothing is known
def generator():
    yield 1


@pytest.mark.parametrize(
    "make",
    [
        generator,
        lambda: iter([1]),
        lambda: map(int, "1"),
        threading.Lock,
        lambda: lambda: 1,
        lambda: np.random.default_rng(0),
        lambda: functools.partial(int, 1),
    ],
)
def test_results_that_do_not_show_what_they_are(make):
    is_not_verified(make(), make())


@pytest.mark.parametrize("wrap", [lambda v: {"rng": v}, lambda v: [v], lambda v: Plain(rng=v)])
def test_random_state_inside_an_argument(wrap):
    def fit(model):
        return None

    _, caught = verified(fit, fit, wrap(np.random.default_rng(0)))
    assert BackendMismatchWarning not in [category for category, _ in caught]


def test_plain_function_that_returns_a_coroutine():
    async def body():
        return 1

    result, caught = verified(lambda: body(), lambda: body())
    result.close()
    assert [category for category, _ in caught] == [NotVerifiedWarning]


def test_views_of_values():
    is_same({1: 2.0}.values(), {1: 2.0}.values())
    is_other({1: 2.0}.values(), {1: 3.0}.values())


def test_exceptions():
    is_same(ValueError("a", 1.0), ValueError("a", 1.0))


# -- slots
class OneSlot:
    __slots__ = "value"

    def __init__(self, value):
        self.value = value


class Private:
    __slots__ = ("__value", "name")

    def __init__(self, value):
        self.__value, self.name = value, "n"


class Weak:
    __slots__ = ("__weakref__", "value")

    def __init__(self, value):
        self.value = value


def test_one_slot():
    is_same(OneSlot(np.ones(2)), OneSlot(np.ones(2)))
    is_other(OneSlot(np.ones(2)), OneSlot(np.zeros(2)))


def test_private_slots_are_missed():
    is_same(Private(1), Private(1))
    is_other(Private(1), Private(2))


def test_weak_references():
    import weakref

    one, other = Weak(1.0), Weak(1.0)
    alive = weakref.ref(one), weakref.ref(other)
    is_same(one, other)
    del alive


# -- arguments
def test_keyword_called_like_a_positional_only_parameter():
    def f(a, /, **kwargs):
        return a, kwargs

    assert verified(f, f, 1, a=2) == ((1, {"a": 2}), [])


def test_sentinels_stay_what_they_are():
    missing = object()

    def f(x=missing):
        return x is missing

    assert verified(f, f, missing) == (True, [])


def test_not_copyable_is_told_once_whatever_the_error_says():
    count = iter(range(99))

    class NoCopy:
        def __deepcopy__(self, memo):
            raise TypeError(f"handle {next(count)}")

    d = BackendDispatcher(entrypoint_group="g", host_name="host")
    f = d.backend_dispatch(name="f")(lambda x: 1)
    d.register(SimpleNamespace(name="b", f=lambda x: 1))
    with d.verify("b"), pytest.warns(NotVerifiedWarning) as caught:
        [f(NoCopy()) for _ in range(5)]
    assert len(caught) == 1


def test_a_changed_argument_is_not_called_the_result():
    _, ((_, text),) = verified(lambda x: x.sort(), lambda x: x.reverse(), [1, 3, 2])
    assert "result[" not in text


# -- tolerance
@pytest.mark.parametrize("wrap", [lambda a: a.tolist(), lambda a: a.astype(object)])
def test_noise_beside_larger_numbers(wrap):
    is_same(wrap(np.array([1.0, 0.0])), wrap(np.array([1.0, 1e-17])))


def test_bfloat16():
    jnp = pytest.importorskip("jax.numpy")
    exact = np.full(3, 1.001, "f4")
    is_same(exact, jnp.asarray(exact).astype(jnp.bfloat16))
    is_same(jnp.asarray(exact).astype(jnp.bfloat16), jnp.full(3, 1.0078125).astype(jnp.bfloat16))


def test_the_largest_difference_of_all():
    ((_, text),) = told({"a": 1.0, "b": np.ones(2)}, {"a": 1.1, "b": np.array([1.0, 1000.0])})
    assert "largest difference is 999" in text


# -- long sequences
@pytest.mark.timeout(20)
def test_ranges():
    is_same(range(10**9), range(10**9 + 0))
    is_same(range(10**12), range(int("1" + "0" * 12)))


# -- what is given
@pytest.fixture
def d():
    d = BackendDispatcher(entrypoint_group="g", host_name="host")
    d.f = d.backend_dispatch(name="f")(lambda: 1.0)
    d.register(SimpleNamespace(name="b", f=lambda: 1.5))
    return d


def test_functions_as_keys(d):
    with pytest.raises(ValueError, match="is no name of a function"):
        d.verify("b", compare={d.f: {"rtol": 1}}, on_mismatch="error")


def test_an_empty_mapping_says_nothing(d):
    d.set_comparison(d.f, rtol=1)
    with d.verify("b", compare={}, on_mismatch="error"):
        d.f()


def test_both_a_comparison_and_tolerances(d):
    with pytest.raises((TypeError, ValueError)):
        d.set_comparison(d.f, lambda own, theirs: True, rtol=-1)


def test_tolerance_of_another_type_is_a_value_error(d):
    with pytest.raises(ValueError, match="rtol"):
        d.verify("b", compare={"rtol": []})


def test_inner_scope_replaces_the_outer_one(d):
    with d.verify("b", on_mismatch="error"), d.verify("b", compare={"rtol": 1}):
        d.f()


def test_a_comparison_that_gives_an_array(d):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f = d.backend_dispatch(name="g")(lambda: np.ones(2))
        d.register(SimpleNamespace(name="c", g=lambda: np.ones(2)))
        with d.verify("c", compare=lambda a, b: a == b):
            with pytest.raises(TypeError, match=r"neither true nor false; numpy\.all or any"):
                f()


def test_the_trace_has_no_records_of_the_hosts_run(d):
    inner = d.backend_dispatch(name="inner")(lambda: 1)
    outer = d.backend_dispatch(name="outer")(lambda: inner())
    d.register(SimpleNamespace(name="c", outer=lambda: 1))
    with d.trace() as calls, d.verify("c"):
        outer()
    assert [call.function for call in calls] == ["outer"]
