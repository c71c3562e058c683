"""Decorating functions: what is refused; introspection, pickling and copying stay whole."""

import asyncio
import copy
import doctest
import functools
import inspect
import operator
import pickle
import pydoc
import sys
import types
import typing
import warnings
from types import SimpleNamespace
from unittest import mock

import cloudpickle
import pytest

import backstack


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


@pytest.fixture
def dispatch(dispatcher):
    return dispatcher.backend_dispatch


# -- what is accepted ----------------------------------------------------------------------


def test_with_and_without_parentheses(dispatch):
    @dispatch
    def one():
        return 1

    @dispatch()
    def two():
        return 2

    @dispatch(name="three")
    def other():
        return 3

    assert (one(), two(), other()) == (1, 2, 3)


def test_a_name_for_backends(dispatcher, dispatch):
    @dispatch(name="tl_score")
    def score():
        return "cpu"

    dispatcher.register(SimpleNamespace(name="a", tl_score=lambda: "a", score=lambda: "wrong"))
    assert score(backend="a") == "a"
    assert list(dispatcher.functions) == ["tl_score"]
    assert score.__name__ == "score"


def test_a_declared_selector_is_never_passed_on(dispatcher, dispatch):
    @dispatch
    def f(x, *, backend: str | None = None, y=1):
        return x, y, backend

    seen = []
    dispatcher.register(SimpleNamespace(name="a", f=lambda x, **more: seen.append(more)))
    assert f(1) == f(1, backend=None) == f(1, backend="cpu") == (1, 1, None)
    with dispatcher.backend("cpu"):
        assert f(1, y=2, backend="cpu") == (1, 2, None)
    f(1, backend="a")
    assert seen == [{}]
    assert str(inspect.signature(f)) == "(x, *, backend: str | None = None, y=1)"
    assert f.__annotations__ == {"backend": str | None}


def test_the_selector_is_keyword_only(dispatcher, dispatch):
    @dispatch
    def f(x, y=0):
        return x, y

    dispatcher.register(SimpleNamespace(name="a", f=lambda x, y=0: "a"))
    assert f(1, "a") == (1, "a")
    with pytest.raises(TypeError):
        f(1, 2, "a")


def test_a_renamed_selector_leaves_backend_to_the_host(make_dispatcher):
    everywhere = make_dispatcher(keyword="run_on")

    @everywhere.backend_dispatch
    def f(x, backend="agg"):
        return x, backend

    @everywhere.backend_dispatch(keyword="on")
    def g(x, backend="agg", run_on=2):
        return x, backend, run_on

    everywhere.register(
        SimpleNamespace(name="a", f=lambda x, backend="?": ("a", x, backend), g=lambda x: "a")
    )
    assert f(1, backend="svg") == (1, "svg")
    assert f(1, backend="svg", run_on="a") == ("a", 1, "svg")
    assert f(1, "svg", run_on="cpu") == (1, "svg")
    assert g(1, run_on="a") == (1, "agg", "a")
    assert g(1, on="a") == "a"
    assert list(inspect.signature(f).parameters) == ["x", "backend", "run_on"]
    assert list(inspect.signature(g).parameters) == ["x", "backend", "run_on", "on"]


@pytest.mark.parametrize("bad", ["", "not a name", "class", 5, "1x"])
def test_a_keyword_must_be_the_name_of_a_parameter(make_dispatcher, dispatch, bad):
    with pytest.raises(ValueError, match="keyword must be"):
        dispatch(keyword=bad)(lambda: None)
    with pytest.raises(ValueError, match="keyword must be"):
        make_dispatcher(keyword=bad)


NAMES = [
    *["args", "kwargs", "func", "name", "wrapped", "instance", "host", "self", "cls"],
    *["label", "state", "plan", "route", "keyword", "call", "function", "selection", "attempt"],
    *["declined", "whole", "key", "error", "result", "value", "step", "owner", "names"],
]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_may_have_any_name(dispatcher, dispatch, name):
    scope = {}
    exec(f"def f({name}, other=0, *, last=0):\n    return {name}, other, last", scope)
    f = dispatch(scope["f"])
    dispatcher.register(SimpleNamespace(name="a", f=copy.copy(scope["f"])))
    dispatcher.register(SimpleNamespace(name="kw", f=lambda **given: given))
    dispatcher.register(SimpleNamespace(name="shy", f=lambda **given: NotImplemented))
    for how in ({}, {"backend": "cpu"}, {"backend": "a"}):
        assert f(**{name: 1}, **how) == (1, 0, 0)
        assert f(1, other=2, last=3, **how) == (1, 2, 3)
        with dispatcher.trace():
            assert f(**{name: 1}, last=5, **how) == (1, 0, 5)
    assert f(**{name: 1}, backend="kw") == {name: 1}
    with dispatcher.backend("shy", on_missing="host"):
        assert f(**{name: 1}) == (1, 0, 0)


def test_var_parameters_of_any_name(dispatcher, dispatch):
    @dispatch
    def f(*kwargs, **args):
        return kwargs, args

    dispatcher.register(SimpleNamespace(name="a", f=lambda *kwargs, **args: ("a", kwargs, args)))
    assert f(1, self=2, args=3) == ((1,), {"self": 2, "args": 3})
    assert f(1, self=2, args=3, backend="a") == ("a", (1,), {"self": 2, "args": 3})


def test_closures_lambdas_partials_and_functions_of_c(dispatcher, dispatch):
    assert dispatch(name="double")(lambda x: x + x)(2) == 4
    assert dispatch(name="cube")(functools.partial(pow, exp=3))(2) == 8
    assert dispatch(operator.add)(4, 6) == 10
    dispatcher.register(SimpleNamespace(name="a", double=lambda x: "a", add=lambda *x: "a"))
    kept = dispatch(name="double2")(lambda x: x)
    assert kept(1) == 1


def test_a_function_defined_in_a_function_of_a_method(dispatch):
    class Thing:
        def make(self):
            @dispatch
            def inner():
                return 1

            return inner

    assert Thing().make()() == 1


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "def f(backend): pass",
        "def f(backend=None): pass",
        "def f(x, backend=None, *, y=1): pass",
        "def f(backend=None, /): pass",
        "def f(*, backend): pass",
        "def f(*, backend='agg'): pass",
        "def f(*backend): pass",
        "def f(**backend): pass",
        "async def f(backend=None): pass",
        "def f(backend=None):\n    yield",
    ],
)
def test_another_use_of_backend_is_refused_with_the_remedy(dispatcher, dispatch, source):
    scope = {}
    exec(source, scope)
    with pytest.raises(TypeError, match="backend") as caught:
        dispatch(scope["f"])
    assert "keyword='run_on'" in str(caught.value)
    assert "backend: str | None = None" in str(caught.value)
    assert dict(dispatcher.functions) == {}


def test_a_local_variable_called_backend_is_no_use_of_it(dispatch):
    @dispatch
    def f(x):
        backend = [x]
        backend.append(x)
        return backend

    assert f(1) == [1, 1]


def test_a_wrapped_function_is_asked_for_its_signature(dispatch):
    def inner(x, backend):
        return x, backend

    @functools.wraps(inner)
    def outer(*args, **kwargs):
        return inner(*args, **kwargs)

    with pytest.raises(TypeError, match="run_on"):
        dispatch(outer)


def test_a_class_is_refused(dispatch):
    class Model:
        pass

    for refused in (Model, int, type):
        with pytest.raises(TypeError, match="class"):
            dispatch(refused)


def test_methods_are_refused(dispatch):
    class Thing:
        def method(self):
            pass

        @classmethod
        def on_class(cls):
            pass

        @staticmethod
        def static():
            pass

    for refused in (
        Thing.method,
        Thing().method,
        Thing.on_class,
        vars(Thing)["on_class"],
        vars(Thing)["static"],
        str.upper,
    ):
        with pytest.raises(TypeError, match="module-level function"):
            dispatch(refused)


@pytest.mark.parametrize(
    "method", ["text".upper, [].append, dict.fromkeys], ids=["str", "list", "class method"]
)
def test_methods_written_in_c_are_refused(dispatch, method):
    with pytest.raises(TypeError, match="module-level function"):
        dispatch(method)


def test_decorating_in_a_class_body_is_refused(dispatch):
    with pytest.raises(TypeError, match="module-level function"):

        class Thing:
            @dispatch
            def method(self):
                pass


def test_what_has_no_signature_is_refused(dispatch):
    class Opaque:
        __name__ = "opaque"

        @property
        def __signature__(self):
            raise ValueError("none")

        def __call__(self):
            pass

    for refused in (Opaque(), getattr, dir):
        with pytest.raises(TypeError, match="signature"):
            dispatch(refused)


@pytest.mark.parametrize("bad", [5, "f", object(), [], property(), ...])
def test_what_cannot_be_called_is_refused(dispatch, bad):
    with pytest.raises(TypeError):
        dispatch(bad)


def test_decorating_twice_is_refused(dispatch, make_dispatcher):
    @dispatch
    def f():
        pass

    with pytest.raises(TypeError, match="already"):
        dispatch(f)


@pytest.mark.parametrize("name", ["name", "aliases", "is_available"])
def test_what_an_adapter_says_of_itself_is_no_name(dispatch, name):
    def f():
        pass

    with pytest.raises(ValueError, match="name="):
        dispatch(name=name)(f)
    f.__name__ = name
    with pytest.raises(ValueError, match="name="):
        dispatch(f)


@pytest.mark.parametrize("bad", ["", "two words", "a.b", 5, b"f"])
def test_a_name_must_be_one(dispatch, bad):
    with pytest.raises((ValueError, TypeError), match="name"):
        dispatch(name=bad)(lambda: None)


def test_what_has_no_name_needs_one(dispatch):
    for nameless in (lambda: None, functools.partial(pow, exp=3)):
        with pytest.raises(ValueError, match="name="):
            dispatch(nameless)


def test_a_second_function_of_one_name_is_refused(dispatcher, dispatch):
    def make(qualname, module=__name__):
        def f():
            return qualname

        f.__qualname__, f.__module__ = qualname, module
        return f

    first = dispatch(make("f"))
    with pytest.raises(ValueError, match="name=") as caught:
        dispatch(make("make.<locals>.f"))
    assert "'f'" in str(caught.value)
    with pytest.raises(ValueError, match="name="):
        dispatch(make("f", "other.module"))
    with pytest.raises(ValueError, match="name="):
        dispatch(name="f")(make("g"))
    assert dispatcher.functions["f"] is first
    again = dispatch(make("f"))
    assert dispatcher.functions["f"] is again
    assert first() == again() == "f"


def test_a_replaced_function_goes_on_working(dispatcher, dispatch):
    def make(result):
        def f():
            return result

        return f

    old = dispatch(make("old"))
    new = dispatch(make("new"))
    dispatcher.register(SimpleNamespace(name="a", f=lambda: "a"))
    assert (old(), new()) == ("old", "new")
    assert (old(backend="a"), new(backend="a")) == ("a", "a")


def test_functions_that_are_gone_are_gone(dispatcher, dispatch):
    f = dispatch(types.FunctionType((lambda: 1).__code__, {}, "f"))
    assert dict(dispatcher.functions) == {"f": f}
    del f
    assert dict(dispatcher.functions) == {}


# -- introspection -------------------------------------------------------------------------


def plain(x: "int", /, y: "list[int]" = (1,), *args: int, z: float = 1.5, **kwargs: str) -> "Thing":
    """Do it.

    >>> 1 + 1
    2
    """
    return x, y, args, z, kwargs


class Thing:
    """Something to annotate with."""


SHARED = backstack.BackendDispatcher(
    entrypoint_group="host.backends", host_name="host", env_var=None
)


@SHARED.backend_dispatch
def public(x: "int", y: "list[int]" = (1,), *, z: float = 1.5) -> "Thing":
    """Do it in public.

    >>> 1 + 1
    2
    """
    return x, y, z


@SHARED.backend_dispatch
async def public_coroutine(x):
    """Wait."""
    return x


@SHARED.backend_dispatch
def public_generator(x):
    """Yield."""
    yield x


@SHARED.backend_dispatch
async def public_async_generator(x):
    """Yield and wait."""
    yield x


def test_the_signature_is_the_hosts_and_the_selector(dispatch):
    f = dispatch(plain)
    assert str(inspect.signature(f)) == str(inspect.signature(plain)).replace(
        "**kwargs", "backend=None, **kwargs"
    )
    assert list(inspect.signature(f).parameters) == ["x", "y", "args", "z", "backend", "kwargs"]
    selector = inspect.signature(f).parameters["backend"]
    assert (selector.kind, selector.default) == (selector.KEYWORD_ONLY, None)
    assert str(inspect.signature(dispatch(name="none")(lambda: 0))) == "(*, backend=None)"


def test_every_attribute_is_the_hosts(dispatch):
    plain.note = "kept"
    f = dispatch(plain)
    for name in (
        "__name__",
        "__qualname__",
        "__module__",
        "__code__",
        "__closure__",
        "__defaults__",
        "__globals__",
        "__annotations__",
        "__dict__",
        "note",
    ):
        assert getattr(f, name) is getattr(plain, name), name
    assert f.__doc__ == plain.__doc__
    assert vars(f) is vars(plain)
    assert "backend" not in f.__annotations__
    del plain.note


def test_inspect_sees_a_function():
    assert inspect.isfunction(public)
    assert inspect.isroutine(public)
    assert isinstance(public, types.FunctionType)
    assert callable(public)
    assert not inspect.isclass(public)
    assert not inspect.ismethod(public)
    assert inspect.unwrap(public) is public.__wrapped__
    assert inspect.getsource(public).startswith("@SHARED.backend_dispatch\ndef public(")
    assert inspect.getsourcefile(public) == __file__
    assert inspect.getmodule(public) is sys.modules[__name__]
    assert inspect.getdoc(public).startswith("Do it in public.")
    assert inspect.getcomments(public) == inspect.getcomments(public.__wrapped__)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (public, None),
        (public_coroutine, "iscoroutinefunction"),
        (public_generator, "isgeneratorfunction"),
        (public_async_generator, "isasyncgenfunction"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_kind_of_function_is_the_hosts(function, kind):
    for question in ("iscoroutinefunction", "isgeneratorfunction", "isasyncgenfunction"):
        assert getattr(inspect, question)(function) is (question == kind)
        assert getattr(inspect, question)(functools.partial(function, 1)) is (question == kind)
    assert asyncio.iscoroutinefunction(function) is (kind == "iscoroutinefunction")


def test_get_type_hints_knows_the_hosts_names(dispatch):
    assert typing.get_type_hints(public) == typing.get_type_hints(public.__wrapped__)
    assert typing.get_type_hints(public)["return"] is Thing

    @dispatch
    def declares(x: int, *, backend: str | None = None) -> None:
        pass

    assert typing.get_type_hints(declares)["backend"] == str | None


def test_the_defaults_agree_with_the_signature(dispatch):
    def check(f):
        parameters = inspect.signature(f).parameters.values()
        by_keyword = {
            p.name: p.default
            for p in parameters
            if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
        }
        by_position = tuple(
            p.default
            for p in parameters
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is not p.empty
        )
        assert f.__kwdefaults__ == by_keyword
        assert (f.__defaults__ or ()) == by_position

    check(dispatch(plain))
    check(dispatch(name="one")(lambda x: 0))
    check(dispatch(name="two")(lambda x, *, y: 0))
    check(dispatch(name="three")(lambda x=1, *, y=2, backend=None: 0))


def test_the_hosts_own_defaults_are_not_touched(dispatch):
    dispatch(plain)
    assert plain.__kwdefaults__ == {"z": 1.5}
    assert "backend" not in inspect.signature(plain).parameters


def test_decorators_that_rebuild_a_function_from_its_parts(dispatcher, dispatch):
    @dispatch
    def f(x, y=2, *, z=3):
        return x, y, z

    dispatcher.register(SimpleNamespace(name="a", f=lambda x, y=2, *, z=3: ("a", x, y, z)))
    spec = inspect.getfullargspec(f)
    assert (spec.args, spec.kwonlyargs) == (["x", "y"], ["z", "backend"])
    assert spec.kwonlydefaults == {"z": 3, "backend": None}
    scope = {"_f": f}
    names = ", ".join([*spec.args, "*", *(f"{n}=None" for n in spec.kwonlyargs)])
    passed = ", ".join([*spec.args, *(f"{n}={n}" for n in spec.kwonlyargs)])
    exec(f"def rebuilt({names}):\n    return _f({passed})", scope)
    rebuilt = scope["rebuilt"]
    rebuilt.__defaults__, rebuilt.__kwdefaults__ = f.__defaults__, f.__kwdefaults__
    rebuilt.__signature__ = inspect.signature(f)
    assert rebuilt(1) == (1, 2, 3)
    assert rebuilt(1, backend="a") == ("a", 1, 2, 3)
    assert inspect.getcallargs(f, 1, backend="a") == {"x": 1, "y": 2, "z": 3, "backend": "a"}


def test_functools_works_over_it(dispatcher):
    SHARED.register(SimpleNamespace(name="a", public=lambda x, y=(1,), *, z=1.5: ("a", x)))

    @functools.wraps(public)
    def wrapper(*args, **kwargs):
        return public(*args, **kwargs)

    assert inspect.signature(wrapper) == inspect.signature(public)
    assert wrapper.__wrapped__ is public
    assert wrapper.__name__ == "public"
    assert wrapper(1, backend="a") == ("a", 1)
    part = functools.partial(public, 1, z=2)
    assert part() == (1, (1,), 2)
    assert part(backend="a") == ("a", 1)
    assert "backend" in inspect.signature(part).parameters
    cached = functools.lru_cache(public)
    assert cached(1) is cached(1)


def test_singledispatch_over_it(dispatch):
    @dispatch
    def show(value):
        return "any"

    generic = functools.singledispatch(show)

    @generic.register
    def _(value: int):
        return "int"

    @generic.register(str)
    @dispatch
    def show_text(value):
        return "text"

    assert (generic(1.5), generic(1), generic("x")) == ("any", "int", "text")
    assert generic.dispatch(float) is show


def test_it_binds_as_a_function_does():
    class Holder:
        method = public
        static = staticmethod(public)
        partial = functools.partialmethod(public, 5)

    holder = Holder()
    assert Holder.method is public
    assert holder.method(2) == (holder, 2, 1.5)
    assert holder.method.__self__ is holder
    assert holder.method.__func__ is public
    assert Holder.static(1) == (1, (1,), 1.5)
    assert holder.partial() == (holder, 5, 1.5)


def test_help_pydoc_and_doctest():
    text = pydoc.plain(pydoc.render_doc(public))
    assert "public(x: 'int'" in text
    assert "backend=None" in text
    assert "Do it in public." in text
    finder = doctest.DocTestFinder()
    (found,) = [t for t in finder.find(public, "public") if t.examples]
    (hosts,) = [t for t in finder.find(public.__wrapped__, "public") if t.examples]
    assert found.lineno == hosts.lineno
    names = [t.name for t in finder.find(sys.modules[__name__], "m") if t.examples]
    assert "m.public" in names
    assert doctest.DocTestRunner(verbose=False).run(found).failed == 0


def test_ipython_shows_it():
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell")
    shell = interactiveshell.InteractiveShell()
    shell.user_ns["public"] = public
    info = shell.object_inspect("public")
    assert "backend=None" in info["definition"]
    assert "Do it in public." in info["docstring"]
    assert info["file"] == __file__


def test_it_equals_and_hashes_as_the_host():
    assert public == public.__wrapped__
    assert hash(public) == hash(public.__wrapped__)
    assert {public: 1}[public.__wrapped__] == 1


def test_call_is_an_attribute_too(dispatch):
    f = dispatch(plain)
    assert f.__call__(1, z=2) == (1, (1,), (), 2, {})


def test_attributes_that_are_set_are_seen_by_later_readers(dispatch):
    @dispatch
    def f(x):
        """Old."""
        return x

    f.note = [1]
    assert f.note == f.__wrapped__.note == [1]
    assert f.__dict__["note"] == [1]
    del f.note
    assert not hasattr(f, "note")
    f.__doc__ = "New."
    assert (f.__doc__, inspect.getdoc(f), f.__wrapped__.__doc__) == ("New.", "New.", "New.")
    f.__doc__ = None
    assert f.__doc__ is None
    f.__name__, f.__qualname__ = "g", "G.g"
    assert (f.__name__, f.__qualname__) == ("g", "G.g")
    f.__annotations__["x"] = int
    assert typing.get_type_hints(f) == {"x": int}
    f.__module__ = "elsewhere"
    assert f.__module__ == "elsewhere"


def test_a_docstring_that_is_set_through_wraps_is_its_own(dispatch):
    @dispatch
    def f(x):
        """Old."""
        return x

    wrapped = functools.wraps(f)(lambda *a, **k: f(*a, **k))
    wrapped.__doc__ += " More."
    assert (wrapped.__doc__, f.__doc__) == ("Old. More.", "Old.")


def test_defaults_that_are_set_later_hold(dispatcher, dispatch):
    @dispatch
    def f(x, y=1, *, z=2):
        return x, y, z

    f.__defaults__ = (5,)
    assert f(0) == (0, 5, 2)
    f.__kwdefaults__ = {"z": 7}
    assert f(0) == (0, 5, 7)
    assert str(inspect.signature(f)) == "(x, y=5, *, z=7, backend=None)"
    assert f.__kwdefaults__ == {"z": 7, "backend": None}


def test_a_signature_that_is_set_later_is_shown_with_the_selector(dispatch):
    @dispatch
    def f(*args):
        return args

    f.__signature__ = inspect.Signature(
        [inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    )
    assert str(inspect.signature(f)) == "(x, *, backend=None)"


def test_the_repr_names_function_and_host(dispatch):
    f = dispatch(plain)
    assert "plain" in repr(f)
    assert "host" in repr(f)
    assert "plain" in str(f)


def test_errors_of_an_idle_call_are_the_hosts_own(dispatch):
    f = dispatch(name="f")(plain)
    with pytest.raises(TypeError, match=r"plain\(\) missing 1 required positional argument: 'x'"):
        f()


# -- pickling and copying --------------------------------------------------------------------

ALL = [public, public_coroutine, public_generator, public_async_generator]


@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
def test_pickle_and_copy_give_back_the_same_function(function):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    assert copy.copy(function) is function
    assert copy.deepcopy(function) is function
    assert copy.deepcopy({"f": [function]})["f"][0] is function
    assert pickle.loads(cloudpickle.dumps(function)) is function
    part = pickle.loads(pickle.dumps(functools.partial(function, 1)))
    assert part.func is function


def test_a_closure_pickles_no_better_than_a_function(dispatch):
    @dispatch
    def closure():
        pass

    for unpicklable in (closure, closure.__wrapped__):
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pickle.dumps(unpicklable)


def test_a_function_of_a_module_pickles_across_processes(site, run_python):
    site.write(
        {
            "hostmod.py": """
                from types import SimpleNamespace
                from backstack import BackendDispatcher
                dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
                dispatcher.register(SimpleNamespace(name="a", f=lambda x: ("a", x)))
                @dispatcher.backend_dispatch
                def f(x):
                    return "cpu", x
            """
        }
    )
    paths = [path for path in sys.path if path]
    output = run_python(
        f"""
        import sys
        sys.path[1:1] = {paths!r}
        import functools, hostmod
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        if __name__ == "__main__":
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                print(pool.submit(hostmod.f, 1).result())
                print(pool.submit(functools.partial(hostmod.f, backend="a"), 2).result())
        """,
        path=site.folder,
    )
    assert output.split("\n")[:2] == ["('cpu', 1)", "('a', 2)"]


@pytest.mark.parametrize("attribute", ["__doc__", "__kwdefaults__", "__defaults__"])
def test_an_attribute_can_be_patched_and_deleted(dispatcher, attribute):
    @dispatcher.backend_dispatch
    def f(x=1, *, y=2):
        """Do it."""

    before = getattr(f, attribute)
    with mock.patch.object(f, attribute, None):
        pass
    assert getattr(f, attribute) == before
    delattr(f, attribute)
    assert getattr(f.__wrapped__, attribute) is None


def test_it_formats_as_it_prints(dispatcher):
    f = dispatcher.backend_dispatch(name="f")(lambda: None)
    assert f"{f}" == str(f) == repr(f) == "<dispatched function f of host>"


def test_two_hosts_may_dispatch_one_function(make_dispatcher):
    inner, outer = make_dispatcher(), make_dispatcher(host_name="other", keyword="run_on")

    @outer.backend_dispatch
    @inner.backend_dispatch
    def f(x):
        return "host", x

    inner.register(SimpleNamespace(name="a", f=lambda x: ("a", x)))
    outer.register(SimpleNamespace(name="b", f=lambda x: ("b", x)))
    assert f(1) == ("host", 1)
    assert f(1, backend="a") == ("a", 1)
    assert f(1, run_on="b") == ("b", 1)
    with pytest.raises(TypeError, match="dispatched already"):
        outer.backend_dispatch(f)


@pytest.mark.parametrize("partial", [False, True])
def test_a_signature_taken_away_again_is_not_remembered(dispatcher, partial):
    def function(x, y=0):
        return "host", x, y

    f = dispatcher.backend_dispatch(name="f")(functools.partial(function) if partial else function)
    dispatcher.register(SimpleNamespace(name="b", f=lambda x, y: ("b", x, y)))
    assert f(x=1, y=2, backend="b") == ("b", 1, 2)
    f.__signature__ = inspect.signature(lambda x, y, z: None)
    with pytest.raises(TypeError, match="missing a required argument: 'z'"):
        f(x=1, y=2, backend="b")
    del f.__signature__
    assert f(x=1, y=2, backend="b") == ("b", 1, 2)
    assert f(x=1, backend="b") == ("b", 1, 0)


def test_code_of_another_kind_is_run_as_what_it_is(dispatcher):
    def f(x):
        return "host", dispatcher.settings.backend

    async def later(x):
        await asyncio.sleep(0)
        return "host", dispatcher.settings.backend

    async def implementation(x):
        return "b", x

    proxy = dispatcher.backend_dispatch(name="f")(f)
    dispatcher.register(SimpleNamespace(name="b", f=implementation))
    assert proxy(1, backend="cpu") == ("host", "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.13 does not like it
        proxy.__code__ = later.__code__
    with dispatcher.backend("b"):
        # "cpu" for a coroutine's body has to be in force when that runs.
        assert asyncio.run(proxy(1, backend="cpu")) == ("host", "cpu")
        assert asyncio.run(proxy(1)) == ("b", 1)
