"""Arguments reach a backend by name, whatever kind of parameter stands on either side."""

# ruff: noqa: B008, PT031, RUF043 - signatures and defaults are what is tested here

import functools
import inspect
import itertools
import sys
from types import ModuleType, SimpleNamespace
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from backstack import (
    BackendLoadError,
    BackstackWarning,
    DroppedArgumentWarning,
    FallbackWarning,
)


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


@pytest.fixture
def pair(dispatcher):
    """Makes a dispatched f of a host's function, and registers what "jax" has for it."""

    def make(host, own, name="jax"):
        f = dispatcher.backend_dispatch(name="f")(host)
        dispatcher.register(SimpleNamespace(name=name, f=own))
        return f

    return make


@pytest.fixture
def on_jax(pair):
    """As `pair`, with "jax" chosen in each call."""
    return lambda host, own: functools.partial(pair(host, own), backend="jax")


def lineno():
    """The line of the caller."""
    return sys._getframe(1).f_lineno


def assert_points_at(caught, line, count=1):
    """All of the warnings point at that line of this file."""
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)] * count


# -- the table, for each kind of parameter on both sides -----------------------------------

HOSTS = {
    "positional-only": lambda x, a="host", /: None,
    "either": lambda x, a="host": None,
    "keyword-only": lambda x, *, a="host": None,
}
OWNS = {
    "positional-only": lambda x, a="own", /: a,
    "either": lambda x, a="own": a,
    "keyword-only": lambda x, *, a="own": a,
}
INSISTING = {
    "positional-only": lambda x, a, /: a,
    "either": lambda x, a: a,
    "keyword-only": lambda x, *, a: a,
}
LACKING = {
    "positional-only": lambda x, /: x,
    "either": lambda x: x,
    "keyword-only": lambda *, x: x,
}
KINDS = list(HOSTS)
both_kinds = pytest.mark.parametrize(("host", "own"), [*itertools.product(KINDS, KINDS)])


def ways(host, value):
    """Each way in which a call can give the host's `a`."""
    if host != "keyword-only":
        yield (1, value), {}
    if host != "positional-only":
        yield (1,), {"a": value}


@both_kinds
@pytest.mark.parametrize("value", ["other", "host", "own", None])
def test_in_both_and_given_is_forwarded(on_jax, host, own, value):
    f = on_jax(HOSTS[host], OWNS[own])
    for args, kwargs in ways(host, value):
        assert f(*args, **kwargs) == value
        assert f(*args, **kwargs) == value


@both_kinds
def test_in_both_and_not_given_is_left_out(on_jax, host, own):
    f = on_jax(HOSTS[host], OWNS[own])
    assert f(1) == "own"
    assert f(1) == "own"


@both_kinds
def test_the_hosts_default_is_passed_where_the_backend_has_none(on_jax, host, own):
    f = on_jax(HOSTS[host], INSISTING[own])
    assert f(1) == "host"
    assert f(1) == "host"
    for args, kwargs in ways(host, "given"):
        assert f(*args, **kwargs) == "given"


@both_kinds
def test_what_only_the_host_has_is_dropped_silently_at_its_default(on_jax, host, own):
    f = on_jax(HOSTS[host], LACKING[own])
    assert f(1) == 1
    for args, kwargs in ways(host, "host"):
        assert f(*args, **kwargs) == 1
    for args, kwargs in ways(host, "".join(["ho", "st"])):  # equal, not the same
        assert f(*args, **kwargs) == 1


@both_kinds
def test_what_only_the_host_has_is_dropped_with_a_warning_at_another_value(on_jax, host, own):
    f = on_jax(HOSTS[host], LACKING[own])
    for args, kwargs in ways(host, "other"):
        line = lineno() + 2
        with pytest.warns(DroppedArgumentWarning) as caught:
            assert f(*args, **kwargs) == 1
        assert str(caught[0].message) == "Backend 'jax' does not know 'a' of f(); it is left out."
        assert_points_at(caught, line)


@pytest.mark.parametrize("host", KINDS)
def test_what_only_the_backend_has_is_forwarded(on_jax, host):
    f = on_jax(HOSTS[host], lambda x, a="own", opt="own", *, more="own": (x, a, opt, more))
    assert f(1) == (1, "own", "own", "own")
    assert f(1, opt=2) == (1, "own", 2, "own")
    assert f(1, opt=2, more=3) == (1, "own", 2, 3)
    for args, kwargs in ways(host, "given"):
        assert f(*args, **kwargs, more=None) == (1, "given", "own", None)


def test_several_dropped_arguments_share_one_warning(on_jax):
    f = on_jax(lambda x, a=1, *, b=2, c=3: None, lambda x: x)
    line = lineno() + 2
    with pytest.warns(DroppedArgumentWarning) as caught:
        f(1, 7, b=2, c=8)
    assert str(caught[0].message) == (
        "Backend 'jax' does not know 'a', 'c' of f(); they are left out."
    )
    assert_points_at(caught, line)


def test_a_dropped_required_argument_is_always_told(on_jax):
    f = on_jax(lambda x, a: None, lambda x: x)
    for value in (None, ..., inspect.Parameter.empty):
        with pytest.warns(DroppedArgumentWarning, match="'a'"):
            assert f(1, value) == 1


def test_what_equals_everything_is_not_at_a_default_that_is_not_there(on_jax):
    f = on_jax(lambda x, a, **rest: None, lambda x: x)
    with pytest.warns(DroppedArgumentWarning, match="'a', 'other'"):
        assert f(1, mock.ANY, other=mock.ANY) == 1


def dropped_by(dispatcher, adapter, host, *args, **kwargs):
    """The warning of a call on an adapter, which is given where it has what the host calls f."""
    f = dispatcher.backend_dispatch(name="f")(host)
    with dispatcher.register(adapter), pytest.warns(DroppedArgumentWarning) as caught:
        f(*args, **kwargs, backend="jax")
    (warning,) = caught
    return str(warning.message)


@pytest.mark.parametrize(("args", "kwargs"), [((1,), {}), ((), {"data": 1, "size": 3})])
def test_a_method_without_self_is_told_with_what_takes_its_place(dispatcher, args, kwargs):
    class Adapter:
        name = "jax"

        def f(data, size=2):
            assert isinstance(data, Adapter)

    assert dropped_by(dispatcher, Adapter, lambda data, size=2: None, *args, **kwargs) == (
        "Backend 'jax' does not know 'data' of f(); it is left out. Its 'data' is passed the "
        "adapter itself, as a method's first parameter: add 'self', or @staticmethod."
    )


def test_the_argument_that_the_adapter_takes_need_not_be_the_first(dispatcher):
    class Adapter:
        name = "jax"

        def f(size=2, data=None):
            pass

    text = dropped_by(dispatcher, Adapter, lambda data, size=2, more=0: None, 1, 3, 4)
    assert "does not know 'size', 'more' of f(); they are left out. Its 'size' is" in text


class Sized:
    def f(data, size=2):
        pass


class Documented:
    name = "jax"

    @staticmethod
    def _plainly(function):
        @functools.wraps(function)
        def wrapper(self, *args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    @_plainly
    def f(data=None, size=2):
        pass


class ByItself:
    name = "jax"

    def f(self, size=2):
        pass


class ByAnotherName:
    name = "jax"

    def f(this, size=2):
        pass


class OfItsClass:
    name = "jax"

    @classmethod
    def f(data, size=2):
        pass


class WithoutInstance:
    name = "jax"

    @staticmethod
    def f(size=2):
        pass


@pytest.mark.parametrize(
    "adapter",
    [
        ByItself,
        ByAnotherName,
        OfItsClass,
        WithoutInstance,
        Documented,
        SimpleNamespace(name="jax", f=Sized().f),
        SimpleNamespace(name="jax", f=lambda size=2: None),
    ],
    ids=lambda adapter: getattr(adapter, "__name__", "object"),
)
def test_of_other_methods_nothing_is_said_but_what_is_left_out(dispatcher, adapter):
    text = dropped_by(dispatcher, adapter, lambda data, size=2: None, 1)
    assert text == "Backend 'jax' does not know 'data' of f(); it is left out."


def test_a_host_that_calls_an_argument_self_gets_no_such_hint(dispatcher):
    text = dropped_by(dispatcher, ByItself, lambda self, size=2: None, 1)
    assert text.endswith("it is left out.")


def test_what_is_said_of_a_method_without_self_works(dispatcher):
    class Static:
        name = "static"

        @staticmethod
        def f(data, size=2):
            return data, size

    class Method:
        name = "method"

        def f(self, data, size=2):
            return data, size

    f = dispatcher.backend_dispatch(name="f")(lambda data, size=2: None)
    for adapter in (Static, Method):
        dispatcher.register(adapter)
        assert f(1, size=3, backend=adapter.name) == (1, 3)


def test_each_call_that_drops_warns(on_jax):
    f = on_jax(lambda x, a=1: None, lambda x: x)
    with pytest.warns(DroppedArgumentWarning) as caught:
        for _ in range(2):
            f(1, a=2)
    assert len(caught) == 2


@pytest.mark.parametrize("by", ["keyword", "scope", "setting", "decorator"])
def test_the_warning_points_at_the_call_whoever_chose(dispatcher, pair, by):
    f = pair(lambda x, a=1: None, lambda x: x)

    def call():
        f(1, a=2, **({"backend": "jax"} if by == "keyword" else {}))

    line = call.__code__.co_firstlineno + 1
    if by == "decorator":
        call = dispatcher.backend("jax")(call)
    scope = dispatcher.backend("jax" if by == "scope" else "cpu")
    dispatcher.settings.backend = "jax" if by == "setting" else None
    with pytest.warns(DroppedArgumentWarning) as caught:
        if by == "scope":
            with scope:
                call()
        else:
            call()
    assert_points_at(caught, line)


def test_the_value_itself_is_forwarded(on_jax):
    value = [1]
    f = on_jax(lambda x, *, a=None: None, lambda a, x: (a, x))
    for _ in range(2):
        a, x = f(value, a=value)
        assert a is value
        assert x is value


def test_an_order_of_its_own_does_not_mix_up_the_arguments(on_jax):
    f = on_jax(lambda a, b, c=3: None, lambda c, b, a=0: {"a": a, "b": b, "c": c})
    for _ in range(2):
        assert f(1, 2) == {"a": 1, "b": 2, "c": 3}
        assert f(1, 2, 4) == {"a": 1, "b": 2, "c": 4}
        assert f(b=2, a=1) == {"a": 1, "b": 2, "c": 3}


def test_an_option_between_the_hosts_parameters_takes_none_of_their_places(on_jax):
    f = on_jax(lambda a, b=1: None, lambda a, opt="own", b=2: (a, opt, b))
    assert f(1, 5) == (1, "own", 5)
    assert f(1, b=5) == (1, "own", 5)
    assert f(1, 5, opt=6) == (1, 6, 5)


def test_an_option_may_be_called_as_the_hosts_catch_alls(on_jax):
    f = on_jax(lambda x, *args, **kwargs: None, lambda x, *, args=0, kwargs=0: (x, args, kwargs))
    assert f(1, args=2) == (1, 2, 0)
    assert f(1, args=2, kwargs=3) == (1, 2, 3)


@pytest.mark.parametrize(
    "name", ["args", "kwargs", "func", "name", "wrapped", "instance", "host", "self", "label"]
)
def test_no_name_of_a_parameter_is_taken(pair, name):
    scope = {}
    exec(f"def host({name}, b=1): return 'host', {name}, b", scope)
    exec(f"def own(b, {name}): return 'own', {name}, b", scope)
    f = pair(scope["host"], scope["own"])
    assert f(**{name: 1}) == ("host", 1, 1)
    assert f(5, backend="jax") == ("own", 5, 1)
    assert f(**{name: 5}, backend="jax") == ("own", 5, 1)


# -- what the host's signature rejects -----------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"f\(\) missing a required argument: 'a'"),
        ((1, 2, 3), {"d": 4}, r"f\(\) too many positional arguments"),
        ((1, 2), {"b": 3, "d": 4}, r"f\(\) multiple values for argument 'b'"),
        ((1,), {"b": 2}, r"f\(\) missing a required( keyword-only)? argument: 'd'"),
    ],
)
def test_what_the_host_would_reject_is_rejected_before_the_backend_runs(
    on_jax, args, kwargs, message
):
    ran = []
    f = on_jax(lambda a, b=1, *, d: None, lambda a=1, b=2, c=3, d=4: ran.append(1))
    for _ in range(2):
        with pytest.raises(TypeError, match=message):
            f(*args, **kwargs)
    assert ran == []


def test_a_backend_that_takes_anything_does_not_loosen_the_host(on_jax):
    ran = []
    f = on_jax(lambda a, b=1: None, lambda *args, **kwargs: ran.append((args, kwargs)))
    with pytest.raises(TypeError, match=r"f\(\) missing a required argument: 'a'"):
        f(b=2)
    with pytest.raises(TypeError, match=r"f\(\) too many positional arguments"):
        f(1, 2, 3)
    assert ran == []


def test_a_valid_call_before_does_not_let_an_invalid_one_pass(on_jax):
    f = on_jax(lambda a, b=1: None, lambda a, b=2, c=3: (a, b, c))
    assert f(1, 2) == (1, 2, 3)
    with pytest.raises(TypeError, match=r"f\(\) too many positional arguments"):
        f(1, 2, 3)
    with pytest.raises(TypeError, match=r"f\(\) multiple values for argument 'a'"):
        f(1, a=2)


def test_a_positional_only_parameter_of_the_host_is_not_reached_by_keyword(on_jax):
    f = on_jax(lambda a, /, b=1: None, lambda a, b=2: (a, b))
    with pytest.raises(TypeError, match=r"f\(\) got some positional-only arguments .*: 'a'"):
        f(a=1)
    assert f(1) == (1, 2)


def test_the_name_in_the_message_is_the_dispatched_one(dispatcher):
    @dispatcher.backend_dispatch(name="tl_score")
    def score(a):
        return a

    dispatcher.register(SimpleNamespace(name="jax", tl_score=lambda a: a))
    with pytest.raises(TypeError, match=r"^tl_score\(\) missing a required argument: 'a'$"):
        score(backend="jax")


def test_what_only_the_backend_insists_on_is_its_own_error(on_jax):
    f = on_jax(lambda a: None, lambda a, *, opt: (a, opt))
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'opt'"):
        f(1)
    assert f(1, opt=2) == (1, 2)


# -- unknown keywords ----------------------------------------------------------------------


def test_an_unknown_keyword_names_function_backend_and_the_nearest(on_jax):
    ran = []
    f = on_jax(lambda x, *, n_jobs=1: None, lambda x, n_jobs=2, batch_size=3: ran.append(x))
    for _ in range(2):
        with pytest.raises(
            TypeError,
            match=r"^f\(\) on backend 'jax' got an unexpected keyword argument 'batch_sise'\. "
            r"Did you mean 'batch_size'\?$",
        ):
            f(1, batch_sise=2)
        with pytest.raises(TypeError, match=r"'N_JOB'\. Did you mean 'n_jobs'\?$"):
            f(1, N_JOB=2)
    assert ran == []


def test_an_unknown_keyword_near_to_none_suggests_none(on_jax):
    f = on_jax(lambda x: None, lambda x, batch_size=3: x)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'qqq'\.$"):
        f(1, qqq=2)


def test_an_unknown_keyword_is_rejected_even_when_it_says_not_given(on_jax):
    f = on_jax(lambda x: None, lambda x, opt=3: (x, opt))
    assert f(1, opt=...) == (1, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'opd'"):
        f(1, opd=...)


def test_the_ellipsis_is_a_value_where_the_host_has_the_parameter(on_jax):
    f = on_jax(lambda x, a=1: None, lambda x, a=2: (x, a))
    for _ in range(2):
        assert f(..., a=...) == (..., ...)


# -- **kwargs ------------------------------------------------------------------------------


def test_keywords_of_a_backend_take_what_the_caller_gave_and_it_does_not_name(on_jax):
    f = on_jax(lambda a, b=1, *, c=2: None, lambda a, **kwargs: (a, kwargs))
    assert f(1) == (1, {})
    assert f(1, 1) == (1, {"b": 1})  # given, also at the host's default
    assert f(1, b=5, c=6) == (1, {"b": 5, "c": 6})
    assert f(a=1, other=7) == (1, {"other": 7})
    assert f(1, 5, other=7) == (1, {"b": 5, "other": 7})


def test_keywords_of_a_backend_take_a_positional_only_parameter_of_the_host(on_jax):
    f = on_jax(lambda a, b=1, /: None, lambda **kwargs: kwargs)
    assert f(1) == {"a": 1}
    assert f(1, 2) == {"a": 1, "b": 2}


def test_the_ellipsis_reaches_the_keywords_of_a_backend(on_jax):
    f = on_jax(lambda a: None, lambda a, **kwargs: (a, kwargs))
    assert f(1, opt=...) == (1, {"opt": ...})


@pytest.mark.parametrize("by", ["position", "keyword"])
def test_a_positional_only_option_gets_its_value_however_the_rest_is_given(on_jax, by):
    f = on_jax(lambda a: None, lambda a, opt=0, /, **kwargs: (a, opt, kwargs))
    got = f(1, opt=5) if by == "position" else f(a=1, opt=5)
    assert got == (1, 5, {})


def test_what_the_hosts_keywords_take_reaches_the_backends(on_jax):
    f = on_jax(lambda a, **rest: None, lambda a, **kwargs: (a, kwargs))
    for _ in range(2):
        assert f(1, other=2) == (1, {"other": 2})
    assert f(a=1) == (1, {})


def test_what_the_hosts_keywords_take_reaches_a_parameter_of_that_name(on_jax):
    f = on_jax(lambda a, **rest: None, lambda a, opt=0, /, *, more=0: (a, opt, more))
    assert f(1, opt=2) == (1, 2, 0)
    assert f(1, more=2) == (1, 0, 2)


def test_what_the_hosts_keywords_take_and_the_backend_cannot_is_dropped(on_jax):
    f = on_jax(lambda a, **rest: None, lambda a, opt=0: (a, opt))
    line = lineno() + 2
    with pytest.warns(DroppedArgumentWarning) as caught:
        assert f(1, other=2, opt=3) == (1, 3)
    assert str(caught[0].message) == "Backend 'jax' does not know 'other' of f(); it is left out."
    assert_points_at(caught, line)


def test_a_key_of_the_hosts_keywords_may_be_called_as_a_positional_only_parameter(on_jax):
    f = on_jax(lambda a, /, **rest: None, lambda a, /, **kwargs: (a, kwargs))
    for _ in range(2):
        assert f(1, a=2) == (1, {"a": 2})


def test_such_a_key_may_come_where_the_parameter_is_omitted(on_jax):
    f = on_jax(lambda a=0, /, **rest: None, lambda a=1, /, **kwargs: (a, kwargs))
    assert f(a=2) == (1, {"a": 2})


def test_such_a_key_never_takes_the_place_of_the_parameter(on_jax):
    f = on_jax(lambda a, /, **rest: None, lambda a, **kwargs: (a, kwargs))
    with pytest.warns(DroppedArgumentWarning, match="'a'"):
        assert f(1, a=2) == (1, {})


# -- *args ---------------------------------------------------------------------------------


def test_further_positional_arguments_reach_args_at_the_same_place(on_jax):
    f = on_jax(lambda a, *rest, k=1: None, lambda a, *args, k=2, opt=3: (a, args, k, opt))
    for _ in range(2):
        assert f(1) == (1, (), 2, 3)
        assert f(1, 2, 3) == (1, (2, 3), 2, 3)
        assert f(1, 2, 3, k=4) == (1, (2, 3), 4, 3)
        assert f(1, 2, opt=5) == (1, (2,), 2, 5)
        assert f(a=1) == (1, (), 2, 3)


@pytest.mark.parametrize(
    "own",
    [
        lambda a: (a, ()),
        lambda a, b=0: (a, ()),
        lambda a, **kwargs: (a, ()),
        lambda a, b=0, *args: (a, args),
        lambda *args, a: (a, args),
        lambda *args: (None, args),
        lambda c=0, *args, a=0: (a, args),
    ],
)
def test_further_positional_arguments_need_args_at_the_same_place(on_jax, own):
    f = on_jax(lambda a, *rest: None, own)
    with pytest.raises(TypeError, match=r"^f\(\) on backend 'jax' takes no further positional"):
        f(1, 2)


@pytest.mark.parametrize("own", [lambda rest: rest, lambda k=1, *, rest=(): rest])
def test_a_parameter_called_as_the_hosts_args_is_told_from_them(on_jax, own):
    f = on_jax(lambda *rest, k=1: None, own)
    assert f(rest=(1, 2)) == (1, 2)
    with pytest.raises(TypeError) as caught:
        f(1, 2)
    assert str(caught.value) == (
        "f() on backend 'jax' takes no further positional arguments: its implementation has "
        "'rest', but not '*rest'"
    )


@pytest.mark.parametrize("own", [lambda other: None, lambda k=1, **rest: None])
def test_what_is_not_called_as_the_hosts_args_is_not_told_from_them(on_jax, own):
    f = on_jax(lambda *rest, k=1: None, own)
    with pytest.raises(TypeError, match=r"has no \*args where the host's \*rest is$"):
        f(1, 2)


def test_where_nothing_binds_to_args_the_backend_needs_none(on_jax):
    f = on_jax(lambda a, *rest: None, lambda a: a)
    assert f(1) == 1
    assert f(a=1) == 1


def test_args_of_a_backend_do_not_take_what_the_host_names(on_jax):
    f = on_jax(lambda a, b=1: None, lambda a, *args: (a, args))
    assert f(1, 1) == (1, ())
    with pytest.warns(DroppedArgumentWarning, match="'b'"):
        assert f(1, 2) == (1, ())


def test_a_keyword_behind_args_that_the_backend_takes_by_position_only(on_jax):
    f = on_jax(lambda *rest, k=1: None, lambda k=2, /, *args: (k, args))
    assert f(k=5) == (5, ())
    with pytest.raises(TypeError, match=r"f\(\) on backend 'jax' takes no further positional"):
        f(1, k=5)


def test_nothing_but_catch_alls_is_called_as_the_host_was(on_jax):
    f = on_jax(lambda a, b=1, *rest, c=2: None, lambda *args, **kwargs: (args, kwargs))
    for _ in range(2):
        assert f(1) == ((1,), {})
        assert f(1, b=1) == ((1,), {"b": 1})
        assert f(1, 2, 3, c=2) == ((1, 2, 3), {"c": 2})
        assert f(a=1, other=2) == ((), {"a": 1, "other": 2})


# -- positional-only parameters of the backend ---------------------------------------------


def test_an_omitted_positional_only_parameter_keeps_the_backends_default(on_jax):
    f = on_jax(lambda a=1, b=2, c=3: None, lambda a=10, b=20, c=30, /: (a, b, c))
    for _ in range(2):
        assert f() == (10, 20, 30)
        assert f(c=5) == (10, 20, 5)
        assert f(1, c=5) == (1, 20, 5)
        assert f(b=5) == (10, 5, 30)


def test_a_required_positional_only_parameter_before_a_given_one_is_a_clear_error(on_jax):
    f = on_jax(lambda a=1: None, lambda seed, a=10, /: (seed, a))
    with pytest.raises(
        TypeError,
        match=r"^f\(\) on backend 'jax' needs its (required )?positional-only parameter 'seed', "
        "which this call does not give",
    ):
        f(5)


def test_the_hosts_default_fills_a_required_positional_only_parameter(on_jax):
    f = on_jax(lambda a=1, b=2: None, lambda a, b=20, /: (a, b))
    assert f(b=5) == (1, 5)
    assert f() == (1, 20)


# -- what is a default ---------------------------------------------------------------------


class RaisesOnEq:
    def __eq__(self, other):
        raise RuntimeError("not to be compared")

    __hash__ = None


class RaisesOnBool:
    def __bool__(self):
        raise ValueError("ambiguous")


class ComparesAmbiguously:
    def __eq__(self, other):
        return RaisesOnBool()

    __hash__ = None


class NeverEndingEq:
    def __eq__(self, other):
        return self == other

    __hash__ = None


class TruthyEq:
    def __eq__(self, other):
        return "yes"  # true, and not True

    __hash__ = None


STRANGE = [
    np.arange(3),
    np.arange(0),
    np.array([1]),
    pd.DataFrame({"a": [1]}),
    pd.DataFrame(),
    pd.Series([1.0, 2.0]),
    pd.Index([1]),
    pd.NA,
    np.array([1, 2], dtype=object),
    np.ma.masked_array([1], mask=[True]),
    RaisesOnEq(),
    ComparesAmbiguously(),
    NeverEndingEq(),
    TruthyEq(),
    float("nan"),
]
strange = pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)


@strange
@pytest.mark.parametrize("default", [None, 1, "auto", np.arange(3), pd.DataFrame({"a": [1]})])
def test_what_does_not_compare_is_another_value(on_jax, value, default):
    def host(x, a=default):
        return None

    f = on_jax(host, lambda x: x)
    with pytest.warns(DroppedArgumentWarning, match="'a'") as caught:
        assert f(1, a=value) == 1
    assert len(caught) == 1


@strange
def test_the_very_default_is_at_its_default(on_jax, value):
    def host(x, a=value):
        return None

    f = on_jax(host, lambda x: x)
    assert f(1, a=value) == 1
    assert f(1, value) == 1


@strange
def test_a_plain_value_against_a_default_that_does_not_compare(on_jax, value):
    def host(x, a=value):
        return None

    f = on_jax(host, lambda x: x)
    with pytest.warns(DroppedArgumentWarning, match="'a'"):
        assert f(1, a="auto") == 1


@strange
def test_what_does_not_compare_is_forwarded_like_anything_else(on_jax, value):
    f = on_jax(lambda x, a=None: None, lambda a=1, x=2: a)
    assert f(1, a=value) is value
    assert f(value) == 1


@pytest.mark.parametrize(
    ("default", "value"),
    [
        (1, 1.0),
        (1, np.float64(1)),
        (np.float32(0.5), 0.5),
        (np.int64(3), np.int64(3)),
        ((1, "a"), (1, "a")),
        ([], []),
        ({"a": 1}, {"a": 1}),
        (np.dtype("f4"), np.dtype("f4")),
    ],
)
def test_what_equals_the_default_is_at_its_default(on_jax, default, value):
    def host(x, a=default):
        return None

    assert on_jax(host, lambda x: x)(1, a=value) == 1


def test_numpys_false_scalar_is_another_value(on_jax):
    f = on_jax(lambda x, a=np.float64(1): None, lambda x: x)
    with pytest.warns(DroppedArgumentWarning, match="'a'"):
        f(1, a=np.float64(2))


def test_an_equal_array_is_another_value(on_jax):
    f = on_jax(lambda x, a=np.arange(3): None, lambda x: x)
    with pytest.warns(DroppedArgumentWarning, match="'a'"):
        f(1, a=np.arange(3))


# -- another backend's option, on the host -------------------------------------------------

HINT = (
    r"^f\(\) got an unexpected keyword argument 'opt'\. It is an option of the installed "
    r"backend 'jax': choose it with backend='jax'\.$"
)


@pytest.fixture
def with_option(pair):
    return pair(lambda x, a=1: ("host", x, a), lambda x, *, opt=None: ("jax", x, opt))


@pytest.mark.parametrize("given", [{}, {"backend": "cpu"}, {"backend": None}])
def test_an_option_at_its_default_is_dropped_silently_on_the_host(with_option, given):
    for _ in range(2):
        assert with_option(1, opt=None, **given) == ("host", 1, 1)
        assert with_option(1, a=2, opt=..., **given) == ("host", 1, 2)


@pytest.mark.parametrize("given", [{}, {"backend": "cpu"}, {"backend": None}])
def test_an_option_at_another_value_says_whose_it_is(with_option, given):
    for _ in range(2):
        with pytest.raises(TypeError, match=HINT):
            with_option(1, opt=5, **given)


@pytest.mark.parametrize("how", ["scope", "setting"])
def test_an_option_on_the_host_chosen_by_scope_or_setting(dispatcher, with_option, how):
    if how == "setting":
        dispatcher.settings.backend = "cpu"
    with dispatcher.backend("cpu") if how == "scope" else dispatcher.trace():
        assert with_option(1, opt=None) == ("host", 1, 1)
        with pytest.raises(TypeError, match=HINT):
            with_option(1, opt=5)


def test_an_option_where_the_host_is_fallen_back_to(dispatcher, with_option):
    dispatcher.register(SimpleNamespace(name="dask"))
    with dispatcher.backend("dask", on_missing="host"):
        assert with_option(1, opt=None) == ("host", 1, 1)
        with pytest.raises(TypeError, match=HINT):
            with_option(1, opt=5)


def test_an_option_where_the_call_was_declined(dispatcher, pair):
    f = pair(lambda x: ("host", x), lambda x, opt=1: NotImplemented)
    with dispatcher.backend("jax", on_missing="host"):
        assert f(1, opt=1) == ("host", 1)
        with pytest.raises(TypeError, match="'opt'"):
            f(1, opt=2)


@strange
def test_an_option_that_does_not_compare_never_crashes_a_call_on_the_host(with_option, value):
    with pytest.raises(TypeError, match=HINT):
        with_option(1, opt=value)


def test_a_required_option_has_no_default_to_be_at(pair):
    f = pair(lambda x: x, lambda x, *, opt: x)
    with pytest.raises(TypeError, match=HINT):
        f(1, opt=mock.ANY)
    with pytest.raises(TypeError, match=HINT):
        f(1, opt=inspect.Parameter.empty)


def test_an_option_of_two_backends_is_dropped_at_either_default(dispatcher, with_option):
    dispatcher.register(SimpleNamespace(name="cuda", f=lambda x, opt=7: x))
    assert with_option(1, opt=None) == ("host", 1, 1)
    assert with_option(1, opt=7) == ("host", 1, 1)
    with pytest.raises(TypeError, match=r"'opt'.*backend='(cuda|jax)'"):
        with_option(1, opt=8)


def test_the_hint_names_the_selector_by_its_own_name(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")
    f = dispatcher.backend_dispatch(name="f")(lambda x: x)
    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, opt=None: x))
    with pytest.raises(TypeError, match=r"choose it with run_on='jax'\.$"):
        f(1, opt=5)


def test_an_option_of_nobody_is_the_hosts_own_error(with_option):
    for given in ({}, {"backend": "cpu"}):
        with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
            with_option(1, other=None, **given)
        with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
            with_option(1, opt=None, other=None, **given)


def test_a_host_with_keywords_takes_anything_itself(pair):
    f = pair(lambda x, **rest: (x, rest), lambda x, opt=1: x)
    for given in ({}, {"backend": "cpu"}):
        assert f(1, opt=1, **given) == (1, {"opt": 1})
        assert f(1, opt=2, **given) == (1, {"opt": 2})


def test_a_type_error_of_the_hosts_body_is_left_alone_and_the_body_runs_once(pair):
    ran = []

    def host(x, a=None):
        ran.append(x)
        raise TypeError("of the body")

    f = pair(host, lambda x, opt=1: x)
    with pytest.raises(TypeError, match="^of the body$") as caught:
        f(1, a=2)
    assert ran == [1]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


ADAPTER = """
    import sys
    name = "jax"

    def f(x, *, opt=None, size=2 + 3, _private=1):
        return "jax", x, opt
"""


@pytest.fixture
def installed(site, make_dispatcher):
    """A dispatched f, and "jax" installed with options for it."""
    site.adapter("jax", ADAPTER)
    dispatcher = make_dispatcher(trusted_backends={"jax": {"package": "jax-dist"}})
    return dispatcher.backend_dispatch(name="f")(lambda x, a=1: ("host", x, a))


@pytest.mark.parametrize("given", [{}, {"backend": "cpu"}])
def test_an_installed_backends_option_is_known_without_loading_it(installed, site, given):
    for _ in range(2):
        assert installed(1, opt=None, **given) == ("host", 1, 1)
        with pytest.raises(TypeError, match=HINT):
            installed(1, opt=5, **given)
        with pytest.raises(TypeError, match="'size'.*backend='jax'"):
            installed(1, size=6, **given)
    assert site.imported() == set()


def test_an_option_that_is_imported_is_not_known_and_nothing_is_loaded(site, make_dispatcher):
    site.adapter("jax", "from jax_impl import f\nname = 'jax'\n")
    site.write({"jax_impl.py": "def f(x, opt=None): return x\n"})
    f = make_dispatcher().backend_dispatch(name="f")(lambda x: x)
    with pytest.raises(TypeError, match="unexpected keyword argument 'opt'"):
        f(1, opt=5)
    assert site.imported() == set()


def test_the_option_of_a_function_that_is_not_exported_is_no_option(site, make_dispatcher):
    site.adapter("jax", "name = 'jax'\n__all__ = ['g']\ndef f(x, opt=1): return x\ng = f\n")
    f = make_dispatcher().backend_dispatch(name="f")(lambda x: x)
    with pytest.raises(TypeError, match="unexpected keyword argument 'opt'") as caught:
        f(1, opt=5)
    assert "choose it" not in str(caught.value)


def test_a_hint_does_not_read_what_a_loaded_adapter_has_not_loaded_yet(dispatcher):
    read = []

    class Lazy(ModuleType):
        name = "lazy"

        def __getattr__(self, attribute):
            if attribute != "f":
                raise AttributeError(attribute)
            read.append(attribute)
            return lambda x, opt=None: x

    f = dispatcher.backend_dispatch(name="f")(lambda x: x)
    dispatcher.register(Lazy("lazy"))
    with pytest.raises(TypeError, match="unexpected keyword argument 'typo'"):
        f(1, typo=5)
    assert read == []


# -- one function of an adapter ------------------------------------------------------------


class Watched:
    """An adapter that remembers which functions were read; some cannot be."""

    name = "jax"
    aliases = ()

    def __init__(self, **functions):
        self.functions = functions
        self.read = []

    def __getattr__(self, attribute):
        if attribute.startswith("__") or attribute not in self.functions:
            raise AttributeError(attribute)
        self.read.append(attribute)
        value = self.functions[attribute]
        if isinstance(value, BaseException):
            raise value
        return value


@pytest.fixture
def hosts(dispatcher):
    """Two dispatched functions, f and g."""
    f = dispatcher.backend_dispatch(name="f")(lambda x: ("host", x))
    g = dispatcher.backend_dispatch(name="g")(lambda x: ("host", x))
    return SimpleNamespace(f=f, g=g)


def test_running_a_function_touches_it_alone(dispatcher, hosts):
    adapter = Watched(f=lambda x: ("f", x), g=RuntimeError("must not be read"))
    dispatcher.register(adapter)
    assert adapter.read == []
    assert hosts.f(1, backend="jax") == ("f", 1)
    with dispatcher.backend("jax"):
        assert hosts.f(1) == ("f", 1)
    assert set(adapter.read) == {"f"}


def test_running_a_function_touches_it_alone_also_below_other_decorators(site, make_dispatcher):
    dispatcher = make_dispatcher(trusted_backends={"lazy": {"package": "lazy-dist"}})
    site.write({"some_host.py": HOST_MODULE})
    site.adapter("lazy", LAZY_ADAPTER)
    import some_host

    some_host.decorate(dispatcher)
    assert some_host.f(1, backend="lazy") == ("lazy", 1)
    import lazy_adapter

    assert set(lazy_adapter.read) == {"f"}


HOST_MODULE = '''
    import functools

    def outer(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    def f(x):
        """Do it.

        Parameters
        ----------
        x : int
        """
        return "host", x

    def g(x):
        """Do it.

        Parameters
        ----------
        x : int
        """
        return "host", x

    def decorate(dispatcher):
        global f, g
        f = outer(dispatcher.backend_dispatch(f))
        g = outer(dispatcher.backend_dispatch(g))
'''
LAZY_ADAPTER = """
    name = "lazy"
    aliases = ["very_" + name]  # not known before it runs
    read = []

    def __getattr__(attribute):
        if attribute not in ("f", "g"):
            raise AttributeError(attribute)
        read.append(attribute)
        return lambda x: ("lazy", x)
"""


@pytest.mark.parametrize(
    "error", [ImportError("no jaxlib"), RuntimeError("bad"), SystemExit(3), KeyError("k")]
)
def test_a_getattr_that_raises_is_a_load_error_and_never_a_fall_back(dispatcher, hosts, error):
    adapter = Watched(f=error, g=lambda x: ("g", x))
    dispatcher.register(adapter)
    for _ in range(2):
        with pytest.raises(BackendLoadError) as caught:
            hosts.f(1, backend="jax")
        assert str(caught.value).startswith("Function 'f' of backend 'jax' for host failed to load")
        assert type(error).__name__ in str(caught.value)
        assert caught.value.__cause__ is error
        assert caught.value.function == "f"
        assert caught.value.name == "jax"
        assert caught.value.chosen_by == "call"
    assert hosts.g(1, backend="jax") == ("g", 1)


def test_a_load_error_of_one_function_can_be_retried(dispatcher, hosts):
    adapter = Watched(f=ImportError("not yet"))
    dispatcher.register(adapter)
    with pytest.raises(BackendLoadError, match="ImportError: not yet"):
        hosts.f(1, backend="jax")
    adapter.functions["f"] = lambda x: ("f", x)
    assert hosts.f(1, backend="jax") == ("f", 1)


def test_an_interrupt_is_not_a_load_error(dispatcher, hosts):
    dispatcher.register(Watched(f=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        hosts.f(1, backend="jax")


@pytest.mark.parametrize("policy", ["warn", "host", "error"])
def test_a_listed_name_that_is_not_there_is_a_load_error(dispatcher, hosts, policy):
    dispatcher.register(SimpleNamespace(name="jax", __all__=["f"]))
    with dispatcher.backend("jax", on_missing=policy):
        with pytest.raises(BackendLoadError, match="Function 'f' of backend 'jax'.*__all__") as got:
            hosts.f(1)
    assert isinstance(got.value.__cause__, AttributeError)
    assert got.value.chosen_by == "scope"


def test_a_name_that_is_not_listed_is_not_implemented(dispatcher, hosts):
    adapter = Watched(f=lambda x: ("f", x), g=lambda x: ("g", x))
    adapter.__all__ = ["g"]
    dispatcher.register(adapter)
    line = lineno() + 2
    with pytest.warns(FallbackWarning, match=r"'jax'.*does not implement host's f\(\)") as caught:
        assert hosts.f(1, backend="jax") == ("host", 1)
    assert_points_at(caught, line)
    assert adapter.read == []


@pytest.mark.parametrize("listed", [True, False])
def test_none_means_not_implemented(dispatcher, hosts, listed):
    adapter = SimpleNamespace(name="jax", f=None)
    if listed:
        adapter.__all__ = ["f"]
    dispatcher.register(adapter)
    with pytest.warns(FallbackWarning):
        assert hosts.f(1, backend="jax") == ("host", 1)


def test_a_getattr_that_raises_attribute_error_means_not_implemented(dispatcher, hosts):
    dispatcher.register(Watched())
    with pytest.warns(FallbackWarning):
        assert hosts.f(1, backend="jax") == ("host", 1)


@pytest.mark.parametrize("export", [5, "text", [print], False, 0])
def test_an_export_that_is_not_callable_is_a_type_error(dispatcher, hosts, export):
    dispatcher.register(SimpleNamespace(name="jax", f=export))
    for _ in range(2):
        with pytest.raises(TypeError, match=r"^Backend 'jax' exports 'f', which is not callable"):
            hosts.f(1, backend="jax")
    assert hosts.f(1) == ("host", 1)


class NoSignature:
    __signature__ = "none"

    def __call__(self, x):
        return x


class RaisingSignature:
    @property
    def __signature__(self):
        raise RuntimeError("no signature here")

    def __call__(self, x):
        return x


@pytest.mark.parametrize("export", [NoSignature(), RaisingSignature(), dict.fromkeys, type])
def test_an_export_without_a_signature_is_a_type_error(dispatcher, hosts, export):
    try:
        inspect.signature(export)
    except Exception:
        pass
    else:
        pytest.skip("this Python knows its signature")
    dispatcher.register(SimpleNamespace(name="jax", f=export))
    for _ in range(2):
        with pytest.raises(
            TypeError, match=r"^Backend 'jax' exports 'f', whose signature cannot be inspected"
        ):
            hosts.f(1, backend="jax")
    assert hosts.f(1) == ("host", 1)


class Selfless:
    name = "jax"

    def f():
        pass


class SelflessByKeyword:
    name = "jax"

    def f(*, x=1):
        pass


class SelfAmongTheRest:
    name = "jax"

    def f(*everything):
        return everything[1:]


@pytest.mark.parametrize("adapter", [Selfless, SelflessByKeyword])
def test_a_method_that_cannot_be_passed_its_instance_is_told_so(dispatcher, hosts, adapter):
    dispatcher.register(adapter)
    with pytest.raises(TypeError) as caught:
        hosts.f(1, backend="jax")
    assert str(caught.value) == (
        "Backend 'jax' exports 'f', a method that cannot be passed its instance: add 'self', or "
        "@staticmethod"
    )


def test_a_method_may_take_its_instance_among_the_rest(dispatcher):
    f = dispatcher.backend_dispatch(name="f")(lambda *rest: None)
    dispatcher.register(SelfAmongTheRest)
    assert f(1, 2, backend="jax") == (1, 2)


def test_any_callable_with_a_signature_will_do(dispatcher, hosts):
    class Callable:
        def __call__(self, x, scale=2):
            return "callable", x * scale

        def method(self, x):
            return "method", x

    dispatcher.register(SimpleNamespace(name="a", f=Callable()))
    dispatcher.register(SimpleNamespace(name="b", f=Callable().method))
    dispatcher.register(SimpleNamespace(name="c", f=functools.partial(lambda y, x: (y, x), "c")))
    assert hosts.f(2, backend="a") == ("callable", 4)
    assert hosts.f(x=2, scale=3, backend="a") == ("callable", 6)
    assert hosts.f(2, backend="b") == ("method", 2)
    assert hosts.f(2, backend="c") == ("c", 2)


def test_an_exception_of_an_implementation_is_unchanged(on_jax):
    error = TypeError("of the backend")

    def own(x):
        raise error

    f = on_jax(lambda x: None, own)
    for _ in range(2):
        with pytest.raises(TypeError) as caught:
            f(1)
        assert caught.value is error
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_a_selector_that_the_host_declares_is_never_passed_on(dispatcher):
    seen = []

    @dispatcher.backend_dispatch
    def f(x, *, backend: str | None = None):
        seen.append(backend)
        return x

    dispatcher.register(SimpleNamespace(name="jax", f=lambda x, backend="own", **rest: backend))
    assert f(1, backend="jax") == "own"
    assert f(1, backend="cpu") == 1
    with dispatcher.backend("jax"):
        assert f(1, backend=None) == "own"
    assert seen == [None]


def test_nothing_is_warned_of_where_all_is_known(on_jax, recwarn):
    f = on_jax(lambda x, a=1, *rest, b=2: None, lambda x, a=3, *args, b=4: (x, a, args, b))
    assert f(1, 2, 3, b=5) == (1, 2, (3,), 5)
    assert [w for w in recwarn if issubclass(w.category, BackstackWarning)] == []


def test_what_a_decorator_below_takes_means_the_same_however_the_host_is_reached(
    site, make_dispatcher
):
    """An installed backend has an option of the name that the decorator renames."""
    site.adapter("one", "name = 'one'\ndef old(x, *, n=0): return 'one'\n")

    def renames(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            if "n" in kwargs:
                kwargs["k"] = kwargs.pop("n")
            return function(*args, **kwargs)

        return wrapper

    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    @renames
    def old(x, k=1):
        return x, k

    for value in (0, 3):
        assert old(1, n=value) == (1, value)
        assert old(1, n=value, backend="cpu") == (1, value)
        with dispatcher.trace():
            assert old(1, n=value) == (1, value)
        with dispatcher.backend("cpu"):
            assert old(1, n=value) == (1, value)
