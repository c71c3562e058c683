"""The signature that is shown: the host's, the options of loaded backends, and `backend`."""

import functools
import inspect
import typing
from types import SimpleNamespace

import numpy as np
import pytest

EMPTY = inspect.Parameter.empty
KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


@pytest.fixture
def dispatch(dispatcher):
    """Makes a dispatched f."""
    return dispatcher.backend_dispatch(name="f")


def shown(function):
    return str(inspect.signature(function))


# -- where options stand -------------------------------------------------------------------


def test_without_backends_only_the_selector_is_added(dispatch):
    assert shown(dispatch(lambda x, a=1: x)) == "(x, a=1, *, backend=None)"


@pytest.mark.parametrize(
    ("host", "merged"),
    [
        (lambda: 0, "(*, opt=5, backend=None)"),
        (lambda x: 0, "(x, *, opt=5, backend=None)"),
        (lambda x, /: 0, "(x, /, *, opt=5, backend=None)"),
        (lambda x, *args: 0, "(x, *args, opt=5, backend=None)"),
        (lambda x, *, k: 0, "(x, *, k, opt=5, backend=None)"),
        (lambda x, **kwargs: 0, "(x, *, opt=5, backend=None, **kwargs)"),
        (lambda x, *a, k=1, **kw: 0, "(x, *a, k=1, opt=5, backend=None, **kw)"),
        (lambda x, *, backend=None: 0, "(x, *, opt=5, backend=None)"),
        (lambda x, *, k=1, backend=None, m=2: 0, "(x, *, k=1, opt=5, backend=None, m=2)"),
        (lambda *, backend=None, **kw: 0, "(*, opt=5, backend=None, **kw)"),
    ],
)
def test_options_come_keyword_only_before_the_selector_and_kwargs(
    dispatcher, dispatch, host, merged
):
    f = dispatch(host)
    before = shown(f)
    with dispatcher.register(SimpleNamespace(name="jax", f=lambda opt=5: opt)):
        assert shown(f) == merged
    assert shown(f) == before


@pytest.mark.parametrize(
    "own",
    [
        lambda x, opt=5: x,
        lambda opt=5, x=0: x,
        lambda x, *, opt=5: x,
        lambda x, *more, opt=5, **rest: x,
    ],
)
def test_every_option_that_a_keyword_can_reach_is_shown_keyword_only(dispatcher, dispatch, own):
    f = dispatch(lambda x: x)
    dispatcher.register(SimpleNamespace(name="jax", f=own))
    option = inspect.signature(f).parameters["opt"]
    assert (option.kind, option.default) == (KEYWORD_ONLY, 5)
    assert shown(f) == "(x, *, opt=5, backend=None)"


@pytest.mark.parametrize(
    "own",
    [
        lambda x, opt=5, /: x,  # no keyword reaches it
        lambda x, *, _opt=5: x,
        lambda x, *, __opt=5: x,
        lambda x, *, backend="own": x,
        lambda x, *opt: x,
        lambda x, **opt: x,
    ],
)
def test_what_is_no_public_option_is_not_shown(dispatcher, dispatch, own):
    f = dispatch(lambda x: x)
    dispatcher.register(SimpleNamespace(name="jax", f=own))
    assert shown(f) == "(x, *, backend=None)"


@pytest.mark.parametrize("kind", ["(x, opt)", "(x, opt, /)", "(x, *opt)", "(x, **opt)"])
def test_what_the_host_has_is_no_option(dispatcher, dispatch, kind):
    f = dispatch(eval(f"lambda {kind[1:-1]}: x"))
    before = shown(f)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, *, opt=5: x))
    assert shown(f) == before


def test_a_renamed_selector_stands_where_backend_would(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")
    f = dispatcher.backend_dispatch(name="f")(lambda x, backend="agg", **kw: x)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, run_on=1, backend=2, opt=5: x))
    assert shown(f) == "(x, backend='agg', *, opt=5, run_on=None, **kw)"


def test_a_selector_renamed_for_one_function(dispatcher):
    f = dispatcher.backend_dispatch(name="f", keyword="run_on")(lambda x, backend="agg": x)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: ("jax", x, opt)))
    assert shown(f) == "(x, backend='agg', *, opt=5, run_on=None)"
    assert f(1, run_on="jax", opt=2) == ("jax", 1, 2)


# -- defaults and annotations --------------------------------------------------------------


def test_default_and_annotation_are_the_backends(dispatcher, dispatch):
    def own(x, *, size: int = 5, kind: "str" = "a", dtype: np.dtype | None = None):
        return x

    f = dispatch(lambda x: x)
    dispatcher.register(SimpleNamespace(name="jax", f=own))
    for name in ("size", "kind", "dtype"):
        theirs = inspect.signature(own).parameters[name]
        ours = inspect.signature(f).parameters[name]
        assert ours.default is theirs.default
        assert ours.annotation is theirs.annotation
    assert "size: int = 5" in shown(f)


def test_an_option_without_a_default_shows_the_ellipsis(dispatcher, dispatch):
    f = dispatch(lambda x: x)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, *, opt: (x, opt)))
    assert shown(f) == "(x, *, opt=Ellipsis, backend=None)"
    assert f(1, opt=2, backend="jax") == (1, 2)


@pytest.mark.parametrize(
    ("one", "other", "default"),
    [
        (lambda x, opt=5: x, lambda x, opt=5: x, 5),
        (lambda x, opt=5: x, lambda x, opt=6: x, ...),
        (lambda x, opt=5: x, lambda x, *, opt: x, ...),
        (lambda x, *, opt: x, lambda x, opt=5: x, ...),
        (lambda x, *, opt: x, lambda x, *, opt: x, ...),
        (lambda x, opt=...: x, lambda x, opt=5: x, ...),
    ],
)
def test_two_backends_share_an_option(dispatcher, dispatch, one, other, default):
    f = dispatch(lambda x: x)
    first = dispatcher.register(SimpleNamespace(name="jax", f=one))
    second = dispatcher.register(SimpleNamespace(name="cuda", f=other))
    assert list(inspect.signature(f).parameters) == ["x", "opt", "backend"]
    assert inspect.signature(f).parameters["opt"].default is default
    first.remove()
    left = inspect.signature(other).parameters["opt"].default
    assert inspect.signature(f).parameters["opt"].default is (... if left is EMPTY else left)
    second.remove()
    assert shown(f) == "(x, *, backend=None)"


def test_three_backends_of_which_two_agree_disagree(dispatcher, dispatch):
    f = dispatch(lambda x: x)
    for name, default in (("a", 5), ("b", 6), ("c", 5)):
        dispatcher.register(
            SimpleNamespace(name=name, f=eval(f"lambda x, opt={default}: ('{name}', opt)"))
        )
    assert inspect.signature(f).parameters["opt"].default is ...
    assert f(1, opt=..., backend="b") == ("b", 6)  # what the signature shows means "not given"
    assert f(1, opt=..., backend="c") == ("c", 5)


class Refuses:
    def __eq__(self, other):
        raise RuntimeError("not to be compared")

    __hash__ = None


@pytest.mark.parametrize("value", [np.arange(3), Refuses()], ids=["array", "refuses"])
def test_defaults_that_do_not_compare_disagree(dispatcher, dispatch, value):
    f = dispatch(lambda x: x)

    def own(x, *, opt=value):
        return x

    dispatcher.register(SimpleNamespace(name="jax", f=own))
    assert inspect.signature(f).parameters["opt"].default is value
    dispatcher.register(SimpleNamespace(name="cuda", f=lambda x, opt=5: x))
    assert inspect.signature(f).parameters["opt"].default is ...


@pytest.mark.parametrize("value", [np.arange(3), Refuses()], ids=["array", "refuses"])
def test_annotations_that_do_not_compare_cost_nothing_else(dispatcher, dispatch, value):
    f = dispatch(lambda x: x)

    def own(x, *, opt=5):
        return x

    def other(x, *, opt=5):
        return x

    own.__annotations__["opt"] = value
    other.__annotations__["opt"] = 3
    dispatcher.register(SimpleNamespace(name="jax", f=own))
    dispatcher.register(SimpleNamespace(name="cuda", f=other))
    assert inspect.signature(f).parameters["opt"].default == 5


def test_annotations_of_the_host_stay(dispatcher, dispatch):
    def host(x: int, a: "str" = "b") -> float:
        return 0.0

    f = dispatch(host)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: x))
    signature = inspect.signature(f)
    assert signature.return_annotation is float
    assert signature.parameters["x"].annotation is int
    assert f.__annotations__ is host.__annotations__
    assert typing.get_type_hints(f) == {"x": int, "a": str, "return": float}


# -- when ----------------------------------------------------------------------------------


def test_an_export_that_cannot_be_merged_costs_only_itself(dispatcher, dispatch):
    class Raises:
        name = "raises"

        @property
        def f(self):
            raise RuntimeError("no")

    class RaisingSignature:
        @property
        def __signature__(self):
            raise RuntimeError("no signature here")

        def __call__(self, x):
            return x

    f = dispatch(lambda x: x)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: x))
    dispatcher.register(SimpleNamespace(name="number", f=5))
    dispatcher.register(SimpleNamespace(name="listed", __all__=["f"]))
    dispatcher.register(SimpleNamespace(name="none", f=None))
    dispatcher.register(Raises())
    assert shown(f) == "(x, *, opt=5, backend=None)"
    dispatcher.register(SimpleNamespace(name="bare", f=RaisingSignature()))
    assert shown(f) == "(x, *, opt=5, backend=None)"


def test_merging_is_once_however_often_it_is_asked_for(dispatcher, dispatch):
    f = dispatch(lambda x: x)
    adapter = SimpleNamespace(name="jax", f=lambda x, opt=5: x)
    dispatcher.register(adapter)
    dispatcher.register(adapter)
    dispatcher.discover()
    assert [shown(f) for _ in range(3)] == ["(x, *, opt=5, backend=None)"] * 3


def test_what_is_shown_can_be_called(dispatcher, dispatch):
    f = dispatch(lambda x, *rest, k=1, **kw: ("host", x, rest, k, kw))
    dispatcher.register(
        SimpleNamespace(name="jax", f=lambda x, *r, k=2, opt, **kw: ("jax", x, r, k, opt, kw))
    )
    bound = inspect.signature(f).bind(1, 2, k=3, opt=4, backend="jax", other=5)
    assert f(*bound.args, **bound.kwargs) == ("jax", 1, (2,), 3, 4, {"other": 5})


ADAPTER = """
    name = "jax"

    def f(x, *, opt: int = 5):
        return "jax", x, opt
"""


@pytest.fixture
def installed(site, make_dispatcher):
    """A dispatcher for which "jax" is installed."""
    site.adapter("jax", ADAPTER)
    return make_dispatcher(trusted_backends={"jax": {"package": "jax-dist"}})


def test_asking_for_a_signature_loads_nobody(site, installed):
    f = installed.backend_dispatch(name="f")(lambda x: x)
    assert shown(f) == "(x, *, backend=None)"
    assert f.__doc__ is None
    assert site.imported() == set()


@pytest.mark.parametrize("how", ["call", "scope", "setting", "get_backend", "discover"])
def test_a_signature_covers_a_backend_once_it_is_loaded(site, installed, how):
    f = installed.backend_dispatch(name="f")(lambda x: x)
    if how == "call":
        assert f(1, backend="jax") == ("jax", 1, 5)
    elif how == "scope":
        with installed.backend("jax"):
            pass
    elif how == "setting":
        installed.settings.backend = "jax"
    elif how == "get_backend":
        installed.get_backend("jax")
    else:
        installed.discover()
    assert shown(f) == "(x, *, opt: int = 5, backend=None)"


def test_discover_merges_every_backend_that_loads(site, make_dispatcher):
    site.adapter("jax", ADAPTER)
    site.adapter("dask", "name = 'dask'\ndef f(x, chunks=1): return x\n")
    site.adapter("broken", "name = 'broken'\nraise ImportError('no')\n")
    dispatcher = make_dispatcher()
    f = dispatcher.backend_dispatch(name="f")(lambda x: x)
    dispatcher.discover()
    assert shown(f) == "(x, *, chunks=1, opt: int = 5, backend=None)"


def test_a_function_dispatched_later_shows_what_is_loaded(installed):
    installed.discover()
    f = installed.backend_dispatch(name="f")(lambda x: x)
    assert shown(f) == "(x, *, opt: int = 5, backend=None)"


def test_a_registered_adapter_hides_the_options_of_an_installed_one(installed):
    f = installed.backend_dispatch(name="f")(lambda x: x)
    installed.discover()
    with installed.register(SimpleNamespace(name="jax", f=lambda x, other=1: x)):
        assert shown(f) == "(x, *, other=1, backend=None)"
    assert shown(f) == "(x, *, opt: int = 5, backend=None)"
    with installed.register(SimpleNamespace(name="fake"), exclusive=True):
        assert shown(f) == "(x, *, backend=None)"
    assert shown(f) == "(x, *, opt: int = 5, backend=None)"


def test_a_refused_backend_is_not_merged(installed, site):
    site.adapter("other", "name = 'other'\ndef f(x, theirs=1): return x\n")
    installed.settings.trust = "require"
    f = installed.backend_dispatch(name="f")(lambda x: x)
    installed.discover()
    assert shown(f) == "(x, *, opt: int = 5, backend=None)"
    assert "other_adapter" not in site.imported()


# -- what decorators above made of it ------------------------------------------------------

HOST = """
    import functools
    import inspect

    def plain(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    def copying(function):
        wrapper = plain(function)
        wrapper.__signature__ = inspect.signature(function)
        return wrapper

    def adding(function):
        wrapper = plain(function)
        signature = inspect.signature(function)
        *others, last = signature.parameters.values()
        verbose = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False)
        wrapper.__signature__ = signature.replace(parameters=[*others, verbose, last])
        return wrapper

    def own(function):
        wrapper = plain(function)
        wrapper.__signature__ = inspect.Signature()
        return wrapper

    def f(x):
        return "host", x
"""


@pytest.fixture
def some_host(site):
    site.write({"some_host.py": HOST})
    import some_host

    return some_host


@pytest.mark.parametrize(
    "decorators", [["plain"], ["copying"], ["copying", "plain"], ["plain"] * 3]
)
def test_merging_reaches_what_decorators_above_made(dispatcher, some_host, decorators):
    some_host.f = dispatcher.backend_dispatch(some_host.f)
    for decorator in decorators:
        some_host.f = getattr(some_host, decorator)(some_host.f)
    assert shown(some_host.f) == "(x, *, backend=None)"
    with dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: ("jax", x, opt))):
        assert shown(some_host.f) == "(x, *, opt=5, backend=None)"
        assert some_host.f(1, opt=2, backend="jax") == ("jax", 1, 2)
        with dispatcher.register(SimpleNamespace(name="b", f=lambda x, opt=6, more=1: x)):
            assert shown(some_host.f) == "(x, *, opt=Ellipsis, more=1, backend=None)"
        assert shown(some_host.f) == "(x, *, opt=5, backend=None)"
    assert shown(some_host.f) == "(x, *, backend=None)"


def test_a_copy_that_was_made_while_options_were_merged_is_restored_too(dispatcher, some_host):
    with dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: x)):
        some_host.f = some_host.copying(dispatcher.backend_dispatch(some_host.f))
        assert shown(some_host.f) == "(x, *, opt=5, backend=None)"
    assert shown(some_host.f) == "(x, *, backend=None)"


def test_what_a_decorator_added_to_the_signature_stays(dispatcher, some_host):
    some_host.f = some_host.adding(dispatcher.backend_dispatch(some_host.f))
    assert shown(some_host.f) == "(x, *, verbose=False, backend=None)"
    with dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: x)):
        assert "verbose" in inspect.signature(some_host.f).parameters
    assert shown(some_host.f) == "(x, *, verbose=False, backend=None)"


def test_a_signature_that_is_not_ours_is_left_alone(dispatcher, some_host):
    some_host.f = some_host.own(dispatcher.backend_dispatch(some_host.f))
    with dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: x)):
        assert shown(some_host.f) == "()"
    assert shown(some_host.f) == "()"


def test_a_host_with_a_signature_of_its_own_below_a_decorator(dispatcher, some_host):
    some_host.f.__signature__ = inspect.signature(lambda x: x)
    some_host.f = some_host.plain(dispatcher.backend_dispatch(some_host.f))
    with dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: x)):
        assert shown(some_host.f.__wrapped__) == "(x, *, opt=5, backend=None)"
        assert shown(some_host.f) == "(x, *, opt=5, backend=None)"


def test_a_partial_above_follows(dispatcher, dispatch):
    f = functools.partial(dispatch(lambda x: x), 1)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=5: x))
    assert shown(f) == "(*, opt=5, backend=None)"


def test_the_hosts_module_is_not_asked_for_names_that_it_computes(dispatcher, some_host):
    def refuse(name):
        raise RuntimeError(name)

    some_host.__getattr__ = refuse
    f = dispatcher.backend_dispatch(some_host.f)
    del some_host.f
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x: ("jax", x)))
    assert f(1, backend="jax") == ("jax", 1)
