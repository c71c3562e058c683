"""What happens where the chosen backend lacks a function, or declines a call."""

# ruff: noqa: PT031

import asyncio
import functools
import logging
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest

import backstack


def current_line():
    return sys._getframe(1).f_lineno


@pytest.fixture
def dispatcher(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="bare", aliases=["naked"]))
    dispatcher.register(SimpleNamespace(name="bare2"))
    return dispatcher


@pytest.fixture
def f(dispatcher):
    @dispatcher.backend_dispatch
    def f(x=0):
        return "cpu", x

    return f


@pytest.fixture
def g(dispatcher):
    @dispatcher.backend_dispatch
    def g():
        return "cpu"

    return g


def fallbacks(function, *args, **kwargs):
    """The fall-back warnings of one call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*args, **kwargs)
    return [w for w in caught if w.category is backstack.FallbackWarning]


# -- "warn" --------------------------------------------------------------------------------


def test_the_host_runs_and_a_warning_says_everything(dispatcher, f):
    with pytest.warns(backstack.FallbackWarning) as caught:
        result, line = f(3, backend="bare"), current_line()
    assert result == ("cpu", 3)
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, line)
    text = str(warning.message)
    for part in ("'bare'", "f()", "backend=", "settings.on_missing = 'host'", "'error'", "host"):
        assert part in text


@pytest.mark.parametrize("level", ["call", "scope", "setting", "variable"])
def test_the_warning_says_who_chose(make_dispatcher, monkeypatch, level):
    if level == "variable":
        monkeypatch.setenv("HOST_BACKEND", "bare")
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="bare"))

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    if level == "setting":
        dispatcher.settings.backend = "bare"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if level == "scope":
            with dispatcher.backend("bare"):
                f()
        elif level == "call":
            f(backend="bare")
        else:
            f()
    said = {
        "call": "backend=",
        "scope": "'with' scope",
        "setting": "settings.backend",
        "variable": "HOST_BACKEND",
    }
    (warning,) = caught
    assert said[level] in str(warning.message)


def test_once_per_function_and_backend(dispatcher, f, g):
    assert len(fallbacks(f, backend="bare")) == 1
    assert len(fallbacks(f, backend="bare")) == 0
    assert len(fallbacks(f, backend="naked")) == 0
    assert len(fallbacks(g, backend="bare")) == 1
    assert len(fallbacks(f, backend="bare2")) == 1
    with dispatcher.backend("bare"):
        assert len(fallbacks(f)) == 0


@pytest.mark.parametrize("start_afresh", ["refresh", "reset_warnings"])
def test_starting_afresh_warns_again(dispatcher, f, start_afresh):
    assert len(fallbacks(f, backend="bare")) == 1
    getattr(dispatcher, start_afresh)()
    assert len(fallbacks(f, backend="bare")) == 1
    assert len(fallbacks(f, backend="bare")) == 0


def test_where_warnings_are_errors_each_call_raises(dispatcher, f):
    for _ in range(3):
        with pytest.raises(backstack.FallbackWarning):
            f(backend="bare")
    assert len(fallbacks(f, backend="bare")) == 1
    assert f(backend="bare") == ("cpu", 0)


def test_nothing_runs_where_the_warning_is_an_error(dispatcher):
    ran = []

    @dispatcher.backend_dispatch
    def f():
        ran.append(1)

    with pytest.raises(backstack.FallbackWarning):
        f(backend="bare")
    assert ran == []


def test_an_ignored_warning_counts_as_given(dispatcher, f):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f(backend="bare")
    assert len(fallbacks(f, backend="bare")) == 0


def test_threads_that_meet_give_one_warning(dispatcher, f):
    barrier = threading.Barrier(8)

    def run():
        barrier.wait(10)
        f(backend="bare")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(caught) == 1


def test_the_warning_points_at_the_caller_through_every_way_of_calling(dispatcher, f):
    def through(call):
        dispatcher.reset_warnings()
        with pytest.warns(backstack.FallbackWarning) as caught:
            call()
        (warning,) = caught
        assert warning.filename == __file__
        return warning.lineno

    scope = dispatcher.backend("bare")

    def in_a_with():
        with scope:
            f()

    @scope
    def in_a_decorator():
        f()

    @scope
    def in_a_generator():
        yield f()

    async def in_a_task():
        with scope:
            return f()

    def in_a_trace():
        with dispatcher.trace(), scope:
            f()

    def keyword_only():
        f(x=5, backend="bare")

    def partial():
        functools.partial(f, 5, backend="bare")()

    def mapped():
        with scope:
            list(map(f, [1, 2]))

    def wrapped():
        with scope:
            functools.lru_cache(f)(1)

    first = current_line()
    assert first > through(in_a_with) == in_a_with.__code__.co_firstlineno + 2
    assert through(in_a_decorator) == in_a_decorator.__wrapped__.__code__.co_firstlineno + 2
    assert through(lambda: list(in_a_generator())) == (
        in_a_generator.__wrapped__.__code__.co_firstlineno + 2
    )
    assert through(lambda: asyncio.run(in_a_task())) == in_a_task.__code__.co_firstlineno + 2
    assert through(in_a_trace) == in_a_trace.__code__.co_firstlineno + 2
    assert through(keyword_only) == keyword_only.__code__.co_firstlineno + 1
    assert through(partial) == partial.__code__.co_firstlineno + 1
    assert through(mapped) == mapped.__code__.co_firstlineno + 2
    assert through(wrapped) == wrapped.__code__.co_firstlineno + 2


@pytest.fixture
def hostlib(site):
    site.write(
        {
            "hostlib/__init__.py": "from hostlib.functions import *\n",
            "hostlib/core.py": """
                from types import SimpleNamespace
                from backstack import BackendDispatcher
                dispatcher = BackendDispatcher(
                    entrypoint_group="host.backends", host_name="A Host", env_var=None
                )
                dispatcher.register(SimpleNamespace(name="bare"))
            """,
            "hostlib/functions.py": """
                from hostlib.core import dispatcher

                @dispatcher.backend_dispatch
                def inner():
                    return "cpu"

                def outer():
                    return inner(backend="bare")

                def ticks():
                    yield outer()

                async def later():
                    return outer()

                def call(function):
                    return function()
            """,
        }
    )
    import hostlib

    yield hostlib
    for name in ("hostlib.functions", "hostlib.core", "hostlib"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("way", ["plain", "generator", "coroutine", "call back"])
def test_the_warning_points_past_the_hosts_own_package(hostlib, way):
    with pytest.warns(backstack.FallbackWarning) as caught:
        if way == "plain":
            _, line = hostlib.outer(), current_line()
        elif way == "generator":
            _, line = next(hostlib.ticks()), current_line()
        elif way == "coroutine":

            async def main():
                return await hostlib.later(), current_line()

            _, line = asyncio.run(main())
        else:

            def mine():
                return hostlib.inner(backend="bare"), current_line()

            _, line = hostlib.call(mine)
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_a_warning_during_an_import_points_at_the_import(hostlib, site):
    hostlib.core.dispatcher.reset_warnings()
    site.write({"hostlib/eager.py": "from hostlib import outer\nouter()\n"})
    with pytest.warns(backstack.FallbackWarning) as caught:
        line = current_line() + 1
        import hostlib.eager
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


# -- "host" and "error" --------------------------------------------------------------------


def test_host_is_silent(dispatcher, f):
    with dispatcher.backend("bare", on_missing="host"):
        assert f(2) == ("cpu", 2)


def test_a_silent_fall_back_does_not_use_up_the_warning(dispatcher, f):
    with dispatcher.backend("bare", on_missing="host"):
        f()
    assert len(fallbacks(f, backend="bare")) == 1


def test_error_raises_and_nothing_runs(dispatcher):
    ran = []

    @dispatcher.backend_dispatch
    def f():
        ran.append(1)

    with dispatcher.backend("bare", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError) as caught:
            f()
    assert ran == []
    error = caught.value
    assert isinstance(error, NotImplementedError)
    assert (error.function, error.label, error.name) == ("f", "bare", "bare")
    assert (error.host, error.chosen_by) == ("host", "scope")
    for part in ("'bare'", "f()", "'with' scope", "on_missing", "cpu"):
        assert part in str(error)


def test_error_names_the_label_that_was_asked_for(dispatcher, f):
    dispatcher.settings.on_missing = "error"
    with pytest.raises(backstack.NotImplementedByBackendError) as caught:
        f(backend="naked")
    assert (caught.value.label, caught.value.name) == ("naked", "bare")
    assert "'naked'" in str(caught.value)
    assert "'bare'" in str(caught.value)


def test_cpu_is_never_missing_anything(dispatcher, f):
    with dispatcher.backend("cpu", on_missing="error"):
        assert f() == f(backend="cpu") == ("cpu", 0)
    with dispatcher.backend(on_missing="error"):
        assert f() == ("cpu", 0)


@pytest.mark.parametrize("level", ["dispatcher", "settings", "scope"])
def test_the_policy_is_set_at_each_level(make_dispatcher, level):
    dispatcher = make_dispatcher(**({"on_missing": "error"} if level == "dispatcher" else {}))
    dispatcher.register(SimpleNamespace(name="bare"))

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    if level == "settings":
        dispatcher.settings.on_missing = "error"
    scope = dispatcher.backend("bare", on_missing="error" if level == "scope" else None)
    with scope, pytest.raises(backstack.NotImplementedByBackendError):
        f()
    with dispatcher.backend("bare", on_missing="host"):
        assert f() == "cpu"


def test_the_dispatchers_policy_is_read_in_the_settings(make_dispatcher):
    assert make_dispatcher(on_missing="host").settings.on_missing == "host"
    assert make_dispatcher().settings.on_missing == "warn"


def test_a_scope_inherits_the_policy_that_it_does_not_set(dispatcher, f):
    with dispatcher.backend("bare2", on_missing="error"):
        with dispatcher.backend("bare"):
            with pytest.raises(backstack.NotImplementedByBackendError, match="'bare'"):
                f()
            with dispatcher.backend(on_missing="host"):
                assert f() == ("cpu", 0)
            with pytest.raises(backstack.NotImplementedByBackendError, match="'bare'"):
                f()


def test_a_policy_without_names_keeps_the_choice(dispatcher, f):
    dispatcher.settings.backend = "bare"
    with dispatcher.backend(on_missing="error"):
        assert dispatcher.settings.backend == "bare"
        with pytest.raises(backstack.NotImplementedByBackendError):
            f()
    dispatcher.settings.backend = "cpu"
    with dispatcher.backend("bare2", on_missing="host"), dispatcher.backend(on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError, match="'bare2'"):
            f()
        with pytest.raises(backstack.NotImplementedByBackendError, match="'bare'"):
            f(backend="bare")


def test_the_policy_of_a_scope_is_its_contexts_alone(dispatcher, f):
    results = []
    dispatcher.settings.backend = "bare"
    dispatcher.settings.on_missing = "host"

    with dispatcher.backend(on_missing="error"):
        thread = threading.Thread(target=lambda: results.append(f()))
        thread.start()
        thread.join()
    assert results == [("cpu", 0)]


def test_the_policy_of_the_settings_reaches_every_thread(dispatcher, f):
    go, results = threading.Event(), []

    def run():
        go.wait(10)
        try:
            f(backend="bare")
        except backstack.NotImplementedByBackendError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    dispatcher.settings.on_missing = "error"
    go.set()
    thread.join()
    assert len(results) == 1


# -- the log -------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["warn", "host"])
@pytest.mark.filterwarnings("ignore::backstack.FallbackWarning")
def test_every_fall_back_is_logged_once(dispatcher, f, g, caplog, policy):
    caplog.set_level(logging.INFO, "backstack")
    with dispatcher.backend("bare", on_missing=policy):
        for _ in range(3):
            f()
            g()
    records = [r for r in caplog.records if r.levelno == logging.INFO]
    assert ["f()" in r.getMessage() for r in records] == [True, False]
    assert all("'bare'" in r.getMessage() for r in records)


def test_what_raises_is_not_logged_as_a_fall_back(dispatcher, f, caplog):
    caplog.set_level(logging.INFO, "backstack")
    with dispatcher.backend("bare", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError):
            f()
    assert caplog.records == []


# -- declining -----------------------------------------------------------------------------


@pytest.fixture
def shy(dispatcher):
    dispatcher.register(SimpleNamespace(name="shy", f=lambda x=0: NotImplemented))


def test_a_declined_call_follows_the_policy(dispatcher, shy, f):
    with dispatcher.backend("shy", on_missing="host"):
        assert f(1) == f(1) == ("cpu", 1)
    with dispatcher.backend("shy", on_missing="error"):
        for _ in range(2):
            with pytest.raises(backstack.NotImplementedByBackendError, match="declined"):
                f(1)
    with pytest.warns(backstack.FallbackWarning, match="declined") as caught:
        result, line = f(1, backend="shy"), current_line()
    assert result == ("cpu", 1)
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    assert f(1, backend="shy") == ("cpu", 1)


def test_a_declining_function_is_asked_once_per_call(dispatcher, f):
    asked = []

    def decline(x=0):
        asked.append(x)
        return NotImplemented

    dispatcher.register(SimpleNamespace(name="asked", f=decline))
    with dispatcher.backend("asked", on_missing="host"):
        for x in (1, 2, 3):
            f(x)
        f(x=4)
        f()
    assert asked == [1, 2, 3, 4, 0]


def test_all_preferences_decline(dispatcher, shy, f):
    dispatcher.register(SimpleNamespace(name="shy2", f=lambda x=0: NotImplemented))
    with dispatcher.backend("shy", "bare", "shy2", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError, match="'shy'"):
            f()
    with dispatcher.backend("shy", "bare", "shy2", "cpu", on_missing="error"):
        assert f() == ("cpu", 0)


def test_a_policy_without_names_holds_for_a_declined_call(dispatcher, shy, f):
    dispatcher.settings.backend = "shy"
    with dispatcher.backend(on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError):
            f()


def test_what_only_equals_not_implemented_is_a_result(dispatcher, f):
    class Equal:
        def __eq__(self, other):
            return True

        __hash__ = None

    result = Equal()
    dispatcher.register(SimpleNamespace(name="equal", f=lambda x=0: result))
    assert f(backend="equal") is result


def test_raising_not_implemented_error_is_no_declining(dispatcher, f):
    error = NotImplementedError("not this one")

    def fail(x=0):
        raise error

    dispatcher.register(SimpleNamespace(name="fails", f=fail))
    with pytest.raises(NotImplementedError) as caught:
        f(backend="fails")
    assert caught.value is error


def test_none_means_not_implemented(dispatcher, f):
    dispatcher.register(SimpleNamespace(name="none", f=None))
    with dispatcher.backend("none", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError, match="'none'"):
            f()


# -- coroutine functions, generators, async generators ---------------------------------------


def test_the_kinds_are_replaced_by_the_same_kind_and_cannot_decline(dispatcher):
    @dispatcher.backend_dispatch
    async def coroutine():
        return "cpu"

    @dispatcher.backend_dispatch
    def generator():
        yield "cpu"

    @dispatcher.backend_dispatch
    async def async_generator():
        yield "cpu"

    async def decline():
        return NotImplemented

    def decline_items():
        yield NotImplemented
        return NotImplemented

    async def decline_async_items():
        yield NotImplemented

    dispatcher.register(
        SimpleNamespace(
            name="shy",
            coroutine=decline,
            generator=decline_items,
            async_generator=decline_async_items,
        )
    )

    async def main():
        with dispatcher.backend("shy", on_missing="error"):
            assert await coroutine() is NotImplemented
            assert [item async for item in async_generator()] == [NotImplemented]

    asyncio.run(main())
    assert list(generator(backend="shy")) == [NotImplemented]


def test_the_kinds_fall_back(dispatcher):
    @dispatcher.backend_dispatch
    async def coroutine():
        return "cpu"

    @dispatcher.backend_dispatch
    def generator():
        yield "cpu"

    @dispatcher.backend_dispatch
    async def async_generator():
        yield "cpu"

    async def main():
        with dispatcher.backend("bare", on_missing="host"):
            assert await coroutine() == "cpu"
            assert list(generator()) == ["cpu"]
            assert [item async for item in async_generator()] == ["cpu"]

    asyncio.run(main())


def test_a_coroutine_function_is_called_and_not_awaited(dispatcher):
    @dispatcher.backend_dispatch
    async def coroutine():
        return "cpu"

    ran = []

    async def replacement():
        ran.append(1)
        return "fast"

    dispatcher.register(SimpleNamespace(name="fast", coroutine=replacement))
    made = coroutine(backend="fast")
    assert ran == []
    assert asyncio.run(made) == "fast"
    with dispatcher.backend("bare", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError):
            coroutine()  # refused when it is called, before anything is awaited


# -- delegating ----------------------------------------------------------------------------


def test_an_implementation_calls_the_hosts_own(dispatcher, f):
    dispatcher.register(SimpleNamespace(name="thin", f=lambda x=0: ("thin", f(x, backend="cpu"))))
    with dispatcher.backend("thin"):
        assert f(2) == ("thin", ("cpu", 2))


def notes_of(error):
    return getattr(error, "__notes__", [])


@pytest.mark.parametrize("level", ["scope", "setting", "trace"])
@pytest.mark.parametrize("call", ["positional", "keyword", "rerouted"])
def test_one_that_recurses_into_itself_is_told_the_way_out(dispatcher, f, level, call):
    def recurse(x=0):
        return f(x) if call == "positional" else f(x=x)

    def recurse_elsewhere(more=0, *, x=0):
        return f(x)

    dispatcher.register(
        SimpleNamespace(name="loop", f=recurse_elsewhere if call == "rerouted" else recurse)
    )
    if level == "setting":
        dispatcher.settings.backend = "loop"
        with pytest.raises(RecursionError) as caught:
            f(1)
    elif level == "trace":
        with (
            dispatcher.trace(),
            dispatcher.backend("loop"),
            pytest.raises(RecursionError) as caught,
        ):
            f(1)
    else:
        with dispatcher.backend("loop"), pytest.raises(RecursionError) as caught:
            f(1)
    (note,) = notes_of(caught.value)
    for part in ("'loop'", "f()", "backend='cpu'"):
        assert part in note


def test_the_note_names_a_renamed_selector(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")

    @dispatcher.backend_dispatch
    def f(x):
        return x

    dispatcher.register(SimpleNamespace(name="loop", f=lambda x: f(x)))
    with dispatcher.backend("loop"), pytest.raises(RecursionError) as caught:
        f(1)
    (note,) = notes_of(caught.value)
    assert "run_on='cpu'" in note


def test_two_functions_that_recurse_through_each_other(dispatcher):
    @dispatcher.backend_dispatch
    def one(x):
        return x

    @dispatcher.backend_dispatch
    def two(x):
        return x

    dispatcher.register(SimpleNamespace(name="loop", one=lambda x: two(x), two=lambda x: one(x)))
    with dispatcher.backend("loop"), pytest.raises(RecursionError) as caught:
        one(1)
    (note,) = notes_of(caught.value)
    assert "backend='cpu'" in note


def test_a_recursion_that_is_not_ours_gets_no_note(dispatcher, f):
    def deep(x=0):
        return deep(x)

    @dispatcher.backend_dispatch
    def hosts():
        return deep()

    dispatcher.register(SimpleNamespace(name="deep", f=deep))
    with pytest.raises(RecursionError) as caught:
        f(1, backend="deep")
    assert notes_of(caught.value) == []
    with pytest.raises(RecursionError) as caught:
        hosts()
    assert notes_of(caught.value) == []


def test_the_way_out_goes_by_the_selectors_own_name(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on", on_missing="error")
    f = dispatcher.backend_dispatch(name="f")(lambda: "host")
    dispatcher.register(SimpleNamespace(name="empty"))
    with pytest.raises(backstack.NotImplementedByBackendError, match="run_on='cpu'"):
        f(run_on="empty")


PACKAGE = """
    import asyncio
    from backstack import BackendDispatcher
    dispatcher = BackendDispatcher(entrypoint_group="x.y", host_name="some host")

    @dispatcher.backend_dispatch
    def lacking():
        return "host"

    async def later():
        return lacking()
    """


def test_the_warning_of_a_task_points_at_what_runs_the_loop(site):
    site.write({"corp_host/__init__.py": PACKAGE})
    import corp_host

    corp_host.dispatcher.register(SimpleNamespace(name="empty"))

    async def main():
        with corp_host.dispatcher.backend("empty"):
            task = asyncio.create_task(corp_host.later())
        await task

    line = current_line() + 2
    with pytest.warns(backstack.FallbackWarning) as caught:
        asyncio.run(main())
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_who_shares_only_a_namespace_with_the_host_is_a_caller(site):
    site.write(
        {
            "corp/host/__init__.py": PACKAGE,
            "corp/app.py": "from corp.host import lacking\n\ndef run():\n    lacking()\n",
        }
    )
    from corp import app, host

    host.dispatcher.register(SimpleNamespace(name="empty"))
    with pytest.warns(backstack.FallbackWarning) as caught, host.dispatcher.backend("empty"):
        app.run()
    assert [(w.filename, w.lineno) for w in caught] == [(app.__file__, 4)]


@pytest.mark.parametrize("kind", ["generator", "coroutine", "async generator"])
def test_one_that_recurses_into_itself_while_it_is_iterated_is_told_too(dispatcher, kind):
    async def run_coroutine(x):
        return await coroutine(x)

    def run_generator(x):
        yield from generator(x)

    async def run_async_generator(x):
        async for item in async_generator(x):
            yield item

    @dispatcher.backend_dispatch
    async def coroutine(x):
        return x

    @dispatcher.backend_dispatch
    def generator(x):
        yield x

    @dispatcher.backend_dispatch
    async def async_generator(x):
        yield x

    dispatcher.register(
        SimpleNamespace(
            name="loop",
            coroutine=run_coroutine,
            generator=run_generator,
            async_generator=run_async_generator,
        )
    )

    async def consume():
        async for _ in async_generator(1):
            pass

    run = {
        "generator": lambda: list(generator(1)),
        "coroutine": lambda: asyncio.run(coroutine(1)),
        "async generator": lambda: asyncio.run(consume()),
    }
    with dispatcher.backend("loop"), pytest.raises(RecursionError) as caught:
        run[kind]()
    (note,) = caught.value.__notes__
    assert "backend='cpu'" in note
