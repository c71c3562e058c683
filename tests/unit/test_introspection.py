"""Whatever Python's tools ask of a function, a dispatched one answers as the host's would."""

import collections.abc
import contextlib
import functools
import inspect
import math
import operator
import pydoc
import types
import typing
import warnings
from types import SimpleNamespace
from unittest import mock

import pytest

#: What differs on purpose. `type()` does too, and `repr` says what it is.
INTENDED = {"__signature__", "__kwdefaults__", "__doc__", "__wrapped__"}
#: What the stand-in has of its own for it, and a function has not.
EXTRA = {
    *("__signature__", "__wrapped__", "__copy__", "__deepcopy__", "__getattr__", "__weakref__"),
    *("_self_route", "_self_wrapped"),
    "_self_dict",
}


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


@pytest.fixture
def dispatch(dispatcher):
    return dispatcher.backend_dispatch


def annotated(a: int, /, b: "list[int]" = (), *args: int, c: float = 1.5, **more: str) -> "None":
    """Say what it is.

    Parameters
    ----------
    a : int
        One.
    """
    return a, b, args, c, more


async def coroutine(a, b=2):
    return a


def generator(a, *, c):
    yield a


async def async_generator(a):
    yield a


def bare():
    pass


def closure():
    value = [1]

    def inner(x):
        return x, value

    inner.note = value
    return inner


HOSTS = [annotated, coroutine, generator, async_generator, bare, closure(), lambda x=1: x]


@pytest.fixture(params=HOSTS, ids=lambda host: host.__name__)
def pair(request, dispatch):
    return request.param, dispatch(name="f")(request.param)


# -- sweeps --------------------------------------------------------------------------------


def test_every_attribute_of_a_function(pair):
    host, proxy = pair
    for name in dir(host):
        if name in INTENDED or name in vars(object) or name in ("__call__", "__get__"):
            continue
        expected = getattr(host, name)
        found = getattr(proxy, name)
        assert found is expected or found == expected, name
    assert dir(proxy) == dir(host)
    assert vars(proxy) is vars(host)
    assert (hash(proxy), proxy == host, host == proxy) == (hash(host), True, True)
    assert proxy != annotated.__doc__
    assert proxy.__class__ is types.FunctionType


def test_nothing_that_a_function_has_not(pair):
    host, proxy = pair
    every = {name for kind in type(proxy).__mro__ for name in vars(kind)} | set(dir(proxy))
    assert {name for name in every if hasattr(proxy, name) and not hasattr(host, name)} <= EXTRA


def test_every_question_of_inspect(pair):
    host, proxy = pair
    for name in dir(inspect):
        if name.startswith("is"):
            question = getattr(inspect, name)
            assert question(proxy) == question(host), name
            assert question(functools.partial(proxy)) == question(functools.partial(host)), name


def test_every_abstract_class(pair):
    host, proxy = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some are on their way out
        kinds = [
            getattr(module, name)
            for module in (collections.abc, contextlib, typing)
            for name in dir(module)
        ]
        for kind in kinds:
            try:
                expected = isinstance(host, kind)
            except TypeError:
                continue
            assert isinstance(proxy, kind) is expected, kind


OPERATIONS = [
    *(
        len,
        iter,
        next,
        abs,
        int,
        float,
        complex,
        bytes,
        round,
        reversed,
        operator.index,
        math.floor,
    ),
    *(
        operator.neg,
        operator.invert,
        lambda f: f + 1,
        lambda f: 1 + f,
        lambda f: operator.mod("abc", f),
    ),
    *(lambda f: f[0], lambda f: 1 in f, lambda f: f | 1, lambda f: [1, 2][f], lambda f: f < f),
    *(range, "x".join, hash, bool, callable, memoryview, lambda f: [*f], lambda f: {**f}),
    *(lambda f: isinstance(1, f), lambda f: issubclass(int, f), lambda f: f.__enter__),
    *(lambda f: type("T", (f,), {}), lambda f: f.nothing, lambda f: delattr(f, "nothing")),
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=range(len(OPERATIONS)))
def test_every_operation_fails_alike(dispatch, operation):
    def outcome(value):
        try:
            return operation(value)
        except Exception as error:
            return type(error)

    assert outcome(dispatch(bare)) == outcome(bare)


def test_pandas_takes_it_for_a_function(dispatch):
    pd = pytest.importorskip("pandas")

    @dispatch
    def parity(x):
        return x % 2

    numbers = pd.Series([1, 2, 3])
    assert not pd.api.types.is_scalar(parity)
    assert numbers.groupby(parity).sum().tolist() == [4, 2]
    assert numbers.map(parity).tolist() == numbers.apply(parity).tolist() == [1, 0, 1]


def test_contextlib_takes_it_for_a_function(dispatch):
    @dispatch
    def swallow(kind, error, traceback):
        return True

    with contextlib.ExitStack() as stack:
        stack.push(swallow)
        raise ValueError


def test_looking_at_the_class_changes_nothing(dispatch):
    def host(a: int) -> str: ...

    for callable_ in (host, functools.partial(host, 1), math.isqrt):
        proxy = dispatch(name=f"f{id(callable_)}")(callable_)
        for kind in type(proxy).__mro__:
            getattr(kind, "__annotations__", None)
            getattr(kind, "__annotate__", None)
            pydoc.render_doc(kind)
            inspect.getmembers(kind)
        missing = object()
        for name in ("__annotations__", "__doc__", "__module__", "__type_params__"):
            expected = getattr(callable_, name, missing)
            assert name == "__doc__" or getattr(proxy, name, missing) == expected
    assert typing.get_type_hints(dispatch(host)) == {"a": int, "return": str}


def test_protocols_are_asked_of_the_host(dispatch):
    @typing.runtime_checkable
    class Noted(typing.Protocol):
        note: int

    def host(a: int): ...

    proxy = dispatch(host)
    assert not isinstance(proxy, Noted)
    proxy.note = 1
    assert isinstance(proxy, Noted)
    assert proxy.__annotations__ == {"a": int}


# -- signatures ----------------------------------------------------------------------------


def test_the_signature_of_itself_and_behind_it(dispatch):
    proxy = dispatch(annotated)
    assert "backend" in inspect.signature(proxy, follow_wrapped=False).parameters
    assert "backend" in inspect.signature(proxy).parameters
    assert "backend" not in inspect.signature(inspect.unwrap(proxy)).parameters
    assert inspect.unwrap(proxy) is annotated


def test_postponed_annotations(dispatch):
    scope = {"dispatch": dispatch}
    source = (
        "from __future__ import annotations\n"
        "@dispatch\ndef f(a: int, *, b: 'list[int]' = ()) -> Later: ...\nclass Later: ...\n"
    )
    exec(source, scope)
    f = scope["f"]
    assert str(inspect.signature(f)) == (
        "(a: 'int', *, b: \"'list[int]'\" = (), backend=None) -> 'Later'"
    )
    hints = typing.get_type_hints(f)
    assert (hints["a"], hints["return"]) == (int, scope["Later"])
    assert f.__annotations__ == f.__wrapped__.__annotations__


def test_type_parameters(dispatch):
    scope = {"dispatch": dispatch}
    try:
        exec("@dispatch\ndef f[T: int](a: T) -> list[T]: return [a]", scope)
    except SyntaxError:
        pytest.skip("this Python has no type parameters")
    f = scope["f"]
    assert f(1) == [1]
    (T,) = f.__type_params__
    assert typing.get_type_hints(f) == {"a": T, "return": list[T]}
    assert str(inspect.signature(f)) == "(a: T, *, backend=None) -> list[T]"
    assert functools.wraps(f)(lambda *a: 0).__type_params__ == (T,)


def test_without_a_docstring(dispatch):
    proxy = dispatch(bare)
    assert proxy.__doc__ is None
    assert inspect.getdoc(proxy) is None
    assert "backend=None" in pydoc.plain(pydoc.render_doc(proxy))


# -- callables of every kind ---------------------------------------------------------------


class Callable:
    """One that can be called, and more."""

    def __call__(self, x, y=1):
        return x + y

    def __len__(self):
        return 7

    def __getitem__(self, key):
        return key


KINDS = {
    "builtin": (math.isqrt, (9,)),
    "partial": (functools.partial(pow, 2), (3,)),
    "object": (Callable(), (3,)),
    "cached": (functools.lru_cache(lambda x: [x]), (1,)),
    "ufunc": (operator.add, (1, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_callables(dispatcher, dispatch, kind):
    host, args = KINDS[kind]
    proxy = dispatch(name="f")(host)
    dispatcher.register(SimpleNamespace(name="a", f=lambda *args, **more: "a"))
    assert proxy(*args) == host(*args)
    assert proxy(*args, backend="a") == "a"
    assert isinstance(proxy, type(host))
    assert proxy == host
    for name in dir(type(host)):
        if name not in INTENDED and name not in vars(object):
            assert hasattr(proxy, name) == hasattr(host, name), name
    for question in (inspect.isroutine, inspect.isbuiltin, inspect.ismethoddescriptor, callable):
        assert question(proxy) == question(host), question

    holder = type("Holder", (), {"plain": host, "f": proxy})()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # a partial is to become a method
        assert getattr(holder.f, "__self__", None) is getattr(holder.plain, "__self__", None)


def test_what_an_object_can_besides_is_there(dispatch):
    proxy = dispatch(name="f")(Callable())
    assert (len(proxy), proxy[5], proxy(1)) == (7, 5, 2)
    assert isinstance(proxy, collections.abc.Sized)


def test_a_partial_is_replaced_on_a_reload(dispatcher, dispatch):
    def cell():
        return dispatch(name="double")(functools.partial(operator.mul, 2))

    first, second = cell(), cell()
    assert dict(dispatcher.functions) == {"double": second}
    assert first(4) == second(4) == 8


# -- decorators below ----------------------------------------------------------------------


def test_a_cache_below(dispatch):
    @dispatch
    @functools.lru_cache
    def f(x):
        """Cache it."""
        return [x]

    assert f(1) is f(1)
    assert f.cache_info().hits == 1
    f.cache_clear()
    assert f.cache_parameters()["maxsize"] == 128
    assert (f.__name__, f.__doc__) == ("f", "Cache it.")
    assert str(inspect.signature(f)) == "(x, *, backend=None)"


@pytest.mark.filterwarnings("ignore")  # of whatever compilers have to say
def test_compiled_functions_below(dispatcher, dispatch):
    dispatcher.register(SimpleNamespace(name="a", f=lambda x: "a", g=lambda x: "a"))
    jax = pytest.importorskip("jax")

    @dispatch
    @jax.jit
    def f(x):
        """Double it."""
        return x + x

    assert float(f(2.0)) == 4.0
    assert f(2.0, backend="a") == "a"
    assert f.lower(1.0).compile() is not None
    assert (f.__name__, f.__doc__) == ("f", "Double it.")
    assert jax.grad(f)(3.0) == 2.0


@pytest.mark.filterwarnings("ignore")
def test_numba_below(dispatcher, dispatch):
    numba = pytest.importorskip("numba")
    dispatcher.register(SimpleNamespace(name="a", g=lambda x: "a"))

    @dispatch
    @numba.njit
    def g(x):
        return x + x

    assert g(2) == 4
    assert g.py_func(2) == 4
    assert g(2, backend="a") == "a"


# -- decorators above ----------------------------------------------------------------------


def make_pair(dispatcher):
    @dispatcher.backend_dispatch
    def f(x, y=2, *, z=3):
        """Do it."""
        return x, y, z

    dispatcher.register(SimpleNamespace(name="a", f=lambda x, y=2, *, z=3: ("a", x, y, z)))
    return f


def test_a_library_that_rebuilds_functions(dispatcher):
    decorator = pytest.importorskip("decorator")
    f = make_pair(dispatcher)

    @decorator.decorator
    def twice(function, *args, **kwargs):
        return [function(*args, **kwargs)] * 2

    rebuilt = twice(f)
    assert rebuilt(1) == [(1, 2, 3)] * 2
    assert rebuilt(1, y=5, backend="a") == [("a", 1, 5, 3)] * 2
    assert str(inspect.signature(rebuilt)) == "(x, y=2, *, z=3, backend=None)"
    with pytest.raises(TypeError):
        rebuilt()


def test_a_library_that_generates_source(dispatcher):
    nx = pytest.importorskip("networkx")
    f = make_pair(dispatcher)
    doubled = nx.utils.argmap(lambda x: 2 * x, "x")(f)
    assert doubled(1) == (2, 2, 3)
    assert doubled(1, z=5) == (2, 2, 5)
    assert doubled(1, backend="a") == ("a", 2, 2, 3)
    assert str(inspect.signature(doubled)) == "(x, y=2, *, z=3, backend=None)"
    assert doubled.__name__ == "f"


def test_decorators_that_set_attributes(dispatcher):
    f = make_pair(dispatcher)
    f.calls, f.__test__ = 0, False
    assert (f.calls, f.__wrapped__.calls, vars(f)["__test__"]) == (0, 0, False)
    f.__dict__ = {"new": 1}
    assert (f.new, vars(f), vars(f.__wrapped__)) == (1, {"new": 1}, {"new": 1})
    del f.new
    with pytest.raises(AttributeError, match="'function' object has no attribute 'new'"):
        f.new
    with pytest.raises(AttributeError):
        del f.new


def test_wraps_onto_it(dispatcher):
    f = make_pair(dispatcher)

    def other(p, q):
        """Do something else."""

    other.note = 1
    same = functools.wraps(other)(f)
    assert same is f
    assert f.__wrapped__ is other
    assert (f.__name__, f.__doc__, f.note) == ("other", "Do something else.", 1)
    assert str(inspect.signature(f)) == "(p, q, *, backend=None)"  # as for a plain function
    assert f(1) == (1, 2, 3)  # and it goes on calling what it stood for
    assert f(1, backend="a") == ("a", 1, 2, 3)
    del f.__wrapped__
    assert f.__wrapped__ is not other
    assert list(inspect.signature(f).parameters) == ["x", "y", "z", "backend"]


def test_classes_that_hold_it(dispatcher):
    class Holder:
        f = make_pair(dispatcher)
        cached = functools.cached_property(lambda self: self.f())

    holder = Holder()
    assert holder.f() == holder.cached == (holder, 2, 3)
    assert holder.f(backend="a") == ("a", holder, 2, 3)
    assert inspect.ismethod(holder.f)
    assert str(inspect.signature(holder.f)) == "(y=2, *, z=3, backend=None)"


def test_it_compares_as_the_function_does(dispatch):
    np = pytest.importorskip("numpy")
    f = dispatch(bare)
    assert (f == np.array([1, 2])).tolist() == [False, False]
    assert (f != np.array([1, 2])).tolist() == [True, True]
    assert (f != bare, f != 5, f == 5) == (False, True, False)


def test_defaults_that_are_set_after_a_call_hold_on_backends_too(dispatcher, dispatch):
    @dispatch
    def f(x, y=1, *, z=2):
        return x, y, z

    dispatcher.register(SimpleNamespace(name="b", f=lambda x, y, *, z: ("b", x, y, z)))
    assert f(0, backend="b") == ("b", 0, 1, 2)
    f.__defaults__, f.__kwdefaults__ = (5,), {"z": 6}
    assert f(0) == (0, 5, 6)
    assert f(0, backend="b") == ("b", 0, 5, 6)
    with dispatcher.backend("b"):
        assert f(0) == ("b", 0, 5, 6)


# -- mocks ---------------------------------------------------------------------------------


def test_mocks_specified_by_it(dispatcher):
    f = make_pair(dispatcher)
    fake = mock.create_autospec(f, return_value=5)
    assert fake(1) == fake(1, y=3, backend="anything") == 5
    fake.assert_called_with(1, y=3, backend="anything")
    for wrong in (lambda: fake(), lambda: fake(1, nothing=2), lambda: fake(1, 2, 3)):
        with pytest.raises(TypeError):
            wrong()
    assert inspect.isfunction(fake)


def test_patching_a_module_that_holds_it(dispatcher):
    module = types.ModuleType("module")
    module.f = f = make_pair(dispatcher)
    with mock.patch.object(module, "f", autospec=True) as patched:
        module.f(1, backend="x")
        patched.assert_called_once_with(1, backend="x")
    assert module.f is f
    with mock.patch.object(f, "note", 5, create=True):
        assert f.note == 5
    assert not hasattr(f, "note")
