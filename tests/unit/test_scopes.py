"""Who wins, what a scope does, and how several names are an order of preference."""

# ruff: noqa: PT031

import asyncio
import contextvars
import enum
import gc
import logging
import sys
import threading
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backstack


def current_line():
    return sys._getframe(1).f_lineno


def make_backend(name, **more):
    return SimpleNamespace(name=name, where=lambda: name, **more)


def in_thread(function):
    """What `function` returns in a new thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


@pytest.fixture
def dispatcher(make_dispatcher):
    dispatcher = make_dispatcher(
        trusted_backends={"absent": {"aliases": ["gone"], "package": "absent-pkg"}},
        reserved_backends={"gpu": "Choose a concrete one."},
    )
    for name in "abc":
        dispatcher.register(make_backend(name, aliases=[name.upper()]))
    return dispatcher


@pytest.fixture
def where(dispatcher):
    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    return where


# -- 1.1 who wins --------------------------------------------------------------------------


def test_without_a_choice_the_host_runs(where):
    assert where() == "cpu"


def test_call_beats_scope_beats_setting_beats_variable(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "v")
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    for name in ("v", "p", "s", "c"):
        dispatcher.register(make_backend(name))
    assert where() == "v"
    dispatcher.settings.backend = "p"
    assert where() == "p"
    with dispatcher.backend("s"):
        assert where() == "s"
        assert where(backend="c") == "c"
        assert where() == "s"
    assert where() == "p"
    dispatcher.settings.backend = None
    assert where() == "v"


def test_cpu_can_be_chosen_at_every_level(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "a")
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    dispatcher.register(make_backend("a"))
    assert where(backend="cpu") == "cpu"
    with dispatcher.backend("cpu"):
        assert where() == "cpu"
    dispatcher.settings.backend = "cpu"
    assert where() == "cpu"
    monkeypatch.setenv("HOST_BACKEND", "cpu")
    assert make_dispatcher().settings.backend == "cpu"


@pytest.mark.parametrize("chosen", [None, "cpu", "a"])
def test_none_in_a_call_means_not_given(dispatcher, where, chosen):
    dispatcher.settings.backend = chosen
    assert where(backend=None) == where() == (chosen or "cpu")
    with dispatcher.backend("b"):
        assert where(backend=None) == "b"


def test_a_calls_backend_does_not_reach_the_inner_calls_of_a_backend(dispatcher, where):
    @dispatcher.backend_dispatch
    def outer():
        return "cpu", where()

    dispatcher.register(SimpleNamespace(name="d", outer=lambda: ("d", where()), where=lambda: "d"))
    assert outer(backend="d") == ("d", "cpu")
    with dispatcher.backend("a"):
        assert outer(backend="d") == ("d", "a")


def test_a_calls_backend_does_not_reach_the_inner_calls_of_a_host_fallen_back_to(dispatcher, where):
    @dispatcher.backend_dispatch
    def outer():
        return "cpu", where()

    with dispatcher.backend("b", on_missing="host"):
        assert outer(backend="a") == ("cpu", "b")
    dispatcher.settings.on_missing = "host"
    assert outer(backend="a") == ("cpu", "cpu")


@pytest.mark.parametrize("level", ["nothing", "setting", "scope"])
def test_cpu_in_a_call_keeps_the_inner_calls_on_the_host(dispatcher, where, level):
    @dispatcher.backend_dispatch
    def outer():
        return where(), dispatcher.settings.backend

    with ExitStack() as stack:
        if level == "setting":
            dispatcher.settings.backend = "a"
        if level == "scope":
            stack.enter_context(dispatcher.backend("a", on_missing="host"))
        assert outer(backend="cpu") == ("cpu", "cpu")
        assert dispatcher.settings.backend == ("cpu" if level == "nothing" else "a")


def test_cpu_in_a_call_is_whole_for_every_kind_of_function(dispatcher, where):
    @dispatcher.backend_dispatch
    async def coroutine():
        return where()

    @dispatcher.backend_dispatch
    def generator():
        yield where()
        yield where()

    @dispatcher.backend_dispatch
    async def async_generator():
        yield where()
        yield where()

    async def consume():
        assert await coroutine(backend="cpu") == "cpu"
        async for found in async_generator(backend="cpu"):
            assert (found, where()) == ("cpu", "a")

    with dispatcher.backend("a"):
        for found in generator(backend="cpu"):
            assert (found, where()) == ("cpu", "a")
        asyncio.run(consume())


def test_cpu_in_a_call_leaves_the_scope_as_it_was_when_the_host_raises(dispatcher, where):
    @dispatcher.backend_dispatch
    def fail():
        raise KeyError("mine")

    with dispatcher.backend("a"):
        with pytest.raises(KeyError, match="mine"):
            fail(backend="cpu")
        assert where() == "a"


def test_an_inner_choice_inside_a_whole_host_call_still_counts(dispatcher, where):
    @dispatcher.backend_dispatch
    def outer():
        with dispatcher.backend("b"):
            return where(), where(backend="a")

    assert outer(backend="cpu") == ("b", "a")


@pytest.mark.parametrize("bad", [5, "", b"a", ["a"], ("a",), {"a": 1}, object(), True, 0, [], ()])
def test_a_call_takes_one_name_only(dispatcher, where, bad):
    with pytest.raises(backstack.BackendNameError) as caught:
        where(backend=bad)
    assert caught.value.value == repr(bad)
    assert repr(bad) in str(caught.value)
    assert "backend=" in str(caught.value)
    assert caught.value.chosen_by == "call"


def test_a_selector_whose_repr_raises_is_still_a_name_error(dispatcher, where):
    class Rude:
        def __repr__(self):
            raise RuntimeError("no repr")

    with pytest.raises(backstack.BackendNameError):
        where(backend=Rude())
    with pytest.raises(backstack.BackendNameError):
        dispatcher.backend(Rude()).__enter__()
    with pytest.raises(backstack.BackendNameError):
        dispatcher.settings.backend = Rude()


def test_a_string_enumeration_is_a_name(dispatcher, where):
    class Choice(str, enum.Enum):  # noqa: UP042  StrEnum is the easy case
        A = "a"

    assert where(backend=Choice.A) == "a"
    with dispatcher.backend(Choice.A):
        assert where() == "a"


def test_the_host_itself_may_return_not_implemented(dispatcher):
    @dispatcher.backend_dispatch
    def give():
        return NotImplemented

    assert give() is NotImplemented
    assert give(backend="cpu") is NotImplemented


# -- 1.2 a scope ---------------------------------------------------------------------------


def test_making_a_scope_does_nothing(dispatcher, where):
    scope = dispatcher.backend("a")
    assert where() == "cpu"
    assert "not active: use with" in repr(scope)
    assert "'a'" in repr(scope)
    assert "host" in repr(scope)


def test_the_repr_of_a_scope_knows_where_it_is_active(dispatcher):
    scope = dispatcher.backend("a", "b", on_missing="host")
    with scope:
        assert "not active" not in repr(scope)
        assert "not active: use with" in in_thread(lambda: repr(scope))
        assert "not active: use with" in repr(dispatcher.backend("a", "b", on_missing="host"))
    assert "not active: use with" in repr(scope)
    assert all(part in repr(scope) for part in ("'a'", "'b'", "on_missing='host'"))


@pytest.mark.parametrize("names", [("nonsense",), (5,), ("",), ("gpu",), ("absent",), (), (None,)])
def test_names_are_checked_on_entry_and_not_before(dispatcher, where, names):
    scope = dispatcher.backend(*names)
    assert "not active: use with" in repr(scope)
    with dispatcher.backend("b"):
        with pytest.raises(backstack.BackendError):
            scope.__enter__()
        assert where() == "b"
        assert "not active" in repr(scope)


@pytest.mark.parametrize("bad", [(5,), ("",), (None,), (["a"],), ("a", 5), ("a", ""), (), (b"a",)])
def test_a_scope_takes_names_only(dispatcher, bad):
    with pytest.raises(backstack.BackendNameError) as caught:
        dispatcher.backend(*bad).__enter__()
    assert caught.value.chosen_by == "scope"
    assert "'with' scope" in str(caught.value)


def test_a_backend_is_loaded_on_entry_and_not_before(make_dispatcher, site):
    site.adapter("lazy", "name = 'lazy'\ndef where():\n    return 'lazy'\n")
    dispatcher = make_dispatcher(trusted_backends={"lazy": {}})
    scope = dispatcher.backend("lazy")
    assert site.imported() == set()
    with scope:
        assert site.imported() == {"lazy_adapter"}


def test_entering_gives_a_value_and_leaving_swallows_nothing(dispatcher, where):
    with pytest.raises(KeyError), dispatcher.backend("a"):
        raise KeyError
    assert where() == "cpu"


def test_a_scope_can_be_entered_again(dispatcher, where):
    scope = dispatcher.backend("a")
    for _ in range(3):
        with scope:
            assert where() == "a"
        assert where() == "cpu"


def test_a_scope_can_be_nested_in_itself(dispatcher, where):
    scope = dispatcher.backend("a")
    with scope:
        with dispatcher.backend("b"):
            with scope:
                assert where() == "a"
            assert where() == "b"
        assert where() == "a"
    assert where() == "cpu"


def test_an_inner_scope_replaces_the_names_of_an_outer_one(dispatcher):
    @dispatcher.backend_dispatch
    def only():
        return "cpu"

    dispatcher.register(SimpleNamespace(name="has", only=lambda: "has"))
    with dispatcher.backend("has"), dispatcher.backend("a", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError):
            only()


def test_leaving_out_of_order_takes_only_the_one_that_is_left(dispatcher, where):
    a, b, c = map(dispatcher.backend, "abc")
    for scope in (a, b, c):
        scope.__enter__()
    b.__exit__(None, None, None)
    assert where() == "c"
    c.__exit__(None, None, None)
    assert where() == "a"
    a.__exit__(None, None, None)
    assert where() == "cpu"


def test_leaving_the_outermost_first_keeps_the_inner_ones(dispatcher, where):
    a, b = map(dispatcher.backend, "ab")
    a.__enter__()
    b.__enter__()
    a.__exit__(None, None, None)
    assert where() == "b"
    b.__exit__(None, None, None)
    assert where() == "cpu"


def test_a_scope_nested_in_itself_loses_its_innermost_entry_first(dispatcher, where):
    a, b = map(dispatcher.backend, "ab")
    for scope in (a, b, a):
        scope.__enter__()
    a.__exit__(None, None, None)
    assert where() == "b"
    a.__exit__(None, None, None)
    assert where() == "b"
    b.__exit__(None, None, None)
    assert where() == "cpu"


def test_leaving_more_often_than_entering_does_nothing(dispatcher, where):
    a, b = map(dispatcher.backend, "ab")
    a.__exit__(None, None, None)
    with b:
        a.__exit__(None, None, None)
        assert where() == "b"
        with a:
            pass
        a.__exit__(None, None, None)
        assert where() == "b"
    assert where() == "cpu"


def test_interleaved_generators_do_not_disturb_each_other(dispatcher, where):
    def hold(name):
        with dispatcher.backend(name):
            yield

    first, second = hold("a"), hold("b")
    next(first)
    next(second)
    first.close()
    assert where() == "b"
    second.close()
    assert where() == "cpu"


def test_a_context_manager_made_of_a_generator_covers_the_block(dispatcher, where):
    @contextmanager
    def on_a():
        with dispatcher.backend("a"):
            yield

    with on_a():
        assert where() == "a"
    assert where() == "cpu"


def test_leaving_in_a_foreign_context_removes_nothing(dispatcher, where):
    elsewhere = contextvars.Context()
    scope = dispatcher.backend("a")
    elsewhere.run(scope.__enter__)
    with dispatcher.backend("b"):
        scope.__exit__(None, None, None)
        assert where() == "b"
    assert elsewhere.run(where) == "a"
    elsewhere.run(scope.__exit__, None, None, None)
    assert elsewhere.run(where) == "cpu"


def test_leaving_in_a_copied_context_removes_nothing(dispatcher, where):
    scope = dispatcher.backend("a")
    with scope:
        copied = contextvars.copy_context()
        copied.run(scope.__exit__, None, None, None)
        assert copied.run(where) == "a"
        assert where() == "a"
    assert copied.run(where) == "a"


def test_a_copied_context_leaves_what_it_entered_itself(dispatcher, where):
    scope = dispatcher.backend("a")

    def nested():
        with scope:
            assert where() == "a"
        with dispatcher.backend("b"):
            scope.__exit__(None, None, None)
            return where()

    with scope:
        assert contextvars.copy_context().run(nested) == "b"
        assert where() == "a"


def test_a_fixture_torn_down_elsewhere_disturbs_nothing(dispatcher, where):
    def fixture():
        with dispatcher.backend("a"):
            yield

    running = fixture()
    contextvars.Context().run(next, running)
    with dispatcher.backend("b"):
        with pytest.raises(StopIteration):
            next(running)
        assert where() == "b"
    assert where() == "cpu"


def test_an_async_generator_closed_by_another_task_disturbs_nothing(dispatcher, where):
    async def ticks():
        with dispatcher.backend("a"):
            yield where()
            yield where()

    async def main():
        running = ticks()
        assert await asyncio.create_task(anext(running)) == "a"

        async def close():
            with dispatcher.backend("b"):
                await running.aclose()
                return where()

        assert await asyncio.create_task(close()) == "b"
        assert where() == "cpu"

    asyncio.run(main())


def test_an_abandoned_async_generator_is_closed_in_peace(dispatcher, where):
    async def ticks():
        with dispatcher.backend("a"):
            yield where()

    async def main():
        with dispatcher.backend("b"):
            async for _ in ticks():
                break
            gc.collect()
            await asyncio.sleep(0)

    asyncio.run(main())
    assert where() == "cpu"


def test_a_thread_starts_without_the_scopes_of_its_creator(dispatcher, where):
    if getattr(sys.flags, "thread_inherit_context", False):
        pytest.skip("threads inherit here")
    with dispatcher.backend("a"):
        assert in_thread(where) == "cpu"


def test_a_task_starts_with_the_scopes_of_its_creator(dispatcher, where):
    async def inner():
        return where()

    async def main():
        with dispatcher.backend("a"):
            task = asyncio.create_task(inner())
        return where(), await task

    assert asyncio.run(main()) == ("cpu", "a")


def test_sibling_tasks_do_not_see_each_other(dispatcher, where):
    async def run(name, mine, other):
        with dispatcher.backend(name):
            mine.set()
            await other.wait()
            return where()

    async def main():
        one, two = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(run("a", one, two), run("b", two, one))

    assert asyncio.run(main()) == ["a", "b"]


def test_one_scope_is_shared_by_threads(dispatcher, where):
    scope = dispatcher.backend("a")
    barrier = threading.Barrier(4)
    seen = []

    def run():
        for _ in range(20):
            with scope:
                barrier.wait(10)
                inside = where()
                barrier.wait(10)
            seen.append((inside, where()))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [("a", "cpu")] * 80


def test_one_scope_is_shared_by_tasks(dispatcher, where):
    scope = dispatcher.backend("a")

    async def run():
        with scope:
            await asyncio.sleep(0)
            inside = where()
        await asyncio.sleep(0)
        return inside, where()

    async def main():
        with scope:
            return await asyncio.gather(*(run() for _ in range(10)))

    assert asyncio.run(main()) == [("a", "a")] * 10


def test_scopes_of_two_hosts_are_separate(make_dispatcher):
    one, two = make_dispatcher(), make_dispatcher(host_name="other")
    for dispatcher in (one, two):
        dispatcher.register(make_backend("a"))
    with one.backend("a"):
        assert (one.settings.backend, two.settings.backend) == ("a", "cpu")


def test_scopes_of_two_hosts_of_one_name_are_separate(make_dispatcher):
    one, two = make_dispatcher(), make_dispatcher()
    one.register(make_backend("a"))
    with one.backend("a"):
        assert (one.settings.backend, two.settings.backend) == ("a", "cpu")


def test_a_deep_stack_of_scopes(dispatcher, where):
    scopes = [dispatcher.backend("abc"[i % 3]) for i in range(3000)]
    for scope in scopes:
        scope.__enter__()
    assert where() == "c"
    for scope in scopes[:-1]:
        scope.__exit__(None, None, None)
        assert where() == "c"
    scopes[-1].__exit__(None, None, None)
    assert where() == "cpu"


# -- 1.3 several names ---------------------------------------------------------------------


@pytest.fixture
def f_and_g(dispatcher):
    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    @dispatcher.backend_dispatch
    def g():
        return "cpu"

    dispatcher.register(SimpleNamespace(name="has_f", f=lambda: "has_f", aliases=["F"]))
    dispatcher.register(SimpleNamespace(name="has_g", g=lambda: "has_g"))
    return f, g


def test_each_function_runs_on_the_first_that_implements_it(dispatcher, f_and_g):
    f, g = f_and_g
    with dispatcher.backend("has_f", "has_g"):
        assert (f(), g(), f(), g()) == ("has_f", "has_g", "has_f", "has_g")


def test_cpu_in_a_list_is_a_choice_and_no_fall_back(dispatcher, f_and_g):
    f, g = f_and_g
    with dispatcher.backend("has_f", "cpu", on_missing="error"):
        assert (f(), g()) == ("has_f", "cpu")
    with dispatcher.backend("cpu", "has_f"):
        assert (f(), g()) == ("cpu", "cpu")


def test_nobody_in_the_list_implements_it(dispatcher, f_and_g):
    with dispatcher.backend("a", "b", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError, match="'a'"):
            f_and_g[0]()


def test_the_same_backend_under_two_names_counts_once(dispatcher, f_and_g):
    f, g = f_and_g
    with dispatcher.backend("has_f", "F", "has_g"):
        assert dispatcher.settings.backend == ("has_f", "has_g")
        assert (f(), g()) == ("has_f", "has_g")
    with dispatcher.backend("F", "has_f"):
        assert dispatcher.settings.backend == "has_f"


def test_a_later_preference_loads_only_when_it_is_reached(make_dispatcher, site):
    for name, function in (("one", "f"), ("two", "g")):
        site.adapter(name, f"name = {name!r}\ndef {function}():\n    return {name!r}\n")
    dispatcher = make_dispatcher(trusted_backends={"one": {}, "two": {}})

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    @dispatcher.backend_dispatch
    def g():
        return "cpu"

    with dispatcher.backend("one", "two"):
        assert f() == "one"
        assert site.imported() == {"one_adapter"}
        assert g() == "two"
        assert site.imported() == {"one_adapter", "two_adapter"}


def test_one_that_is_not_installed_is_passed_over_with_a_log(dispatcher, where, caplog):
    caplog.set_level(logging.INFO, "backstack")
    with dispatcher.backend("absent", "a"):
        assert where() == "a"
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    assert any("absent" in message and "not installed" in message for message in messages)


def test_one_that_is_not_available_is_passed_over_with_a_log(dispatcher, where, caplog):
    dispatcher.register(make_backend("off", is_available=lambda: "no device"))
    caplog.set_level(logging.INFO, "backstack")
    with dispatcher.backend("off", "a"):
        assert where() == "a"
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    assert any("'off'" in message and "no device" in message for message in messages)


@pytest.fixture
def with_broken(make_dispatcher, site):
    site.adapter("broken", "name = 'broken'\nraise OSError('no library')\n")
    dispatcher = make_dispatcher(trusted_backends={"broken": {}, "absent": {}})
    dispatcher.register(make_backend("a"))
    return dispatcher


def test_one_that_fails_to_load_is_passed_over_with_a_warning_at_the_with(with_broken):
    with pytest.warns(backstack.BackendSkippedWarning, match="no library") as caught:
        scope = with_broken.backend("broken", "a")
        _, line = scope.__enter__(), current_line()
    assert with_broken.settings.backend == ("broken", "a")
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    scope.__exit__(None, None, None)


def test_the_warning_points_at_the_with_statement_and_through_an_exit_stack(with_broken):
    with pytest.warns(backstack.BackendSkippedWarning) as caught:
        line = current_line() + 1
        with with_broken.backend("broken", "a"):
            pass
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    with pytest.warns(backstack.BackendSkippedWarning) as caught, ExitStack() as stack:
        _, line = stack.enter_context(with_broken.backend("broken", "a")), current_line()
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_a_later_preference_that_fails_to_load_is_passed_over_when_reached(with_broken):
    @with_broken.backend_dispatch
    def f():
        return "cpu"

    with with_broken.backend("a", "broken", "cpu"):
        with pytest.warns(backstack.BackendSkippedWarning, match="no library") as caught:
            result, line = f(), current_line()
    assert result == "cpu"
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


@pytest.mark.parametrize("names", [("a", "nonsense"), ("nonsense", "a"), ("absent", "nonsense")])
def test_an_unknown_name_anywhere_in_the_list_raises(dispatcher, names):
    with pytest.raises(backstack.UnknownBackendError, match="nonsense"):
        dispatcher.backend(*names).__enter__()


@pytest.mark.parametrize("names", [("a", "gpu"), ("gpu", "a"), ("absent", "gpu"), ("cpu", "gpu")])
def test_a_reserved_name_anywhere_in_the_list_raises(dispatcher, names):
    with pytest.raises(backstack.ReservedBackendError, match="gpu"):
        dispatcher.backend(*names).__enter__()


def test_an_untrusted_one_anywhere_in_the_list_raises(make_dispatcher, site):
    site.adapter("fake", "name = 'fake'\n")
    dispatcher = make_dispatcher(trusted_backends={"fake": {"package": "the-real-one"}})
    dispatcher.register(make_backend("a"))
    for names in (("a", "fake"), ("fake", "a"), ("fake",)):
        with pytest.raises(backstack.UntrustedBackendError, match="Refusing trusted backend"):
            dispatcher.backend(*names).__enter__()
    assert site.imported() == set()


def test_where_none_is_left_the_first_ones_error_is_raised_with_the_others_as_notes(with_broken):
    with_broken.register(make_backend("off", is_available=lambda: "no device"))
    kinds = {
        "absent": (backstack.BackendNotInstalledError, "not installed"),
        "off": (backstack.BackendUnavailableError, "no device"),
        "broken": (backstack.BackendLoadError, "no library"),
    }
    for names in (("absent", "off", "broken"), ("off", "broken", "absent"), ("broken", "absent")):
        kind, text = kinds[names[0]]
        with pytest.raises(backstack.BackendError) as caught:
            with_broken.backend(*names).__enter__()
        assert type(caught.value) is kind, names
        assert text in str(caught.value)
        notes = caught.value.__notes__
        assert len(notes) == len(names) - 1
        for note, name in zip(notes, names[1:], strict=True):
            assert repr(name) in note
            assert kinds[name][1] in note


def test_a_single_name_that_fails_has_no_notes(dispatcher):
    with pytest.raises(backstack.BackendNotInstalledError) as caught:
        dispatcher.backend("absent").__enter__()
    assert not hasattr(caught.value, "__notes__")


def test_the_next_preference_runs_what_the_first_declines(dispatcher):
    @dispatcher.backend_dispatch
    def f(x):
        return "cpu"

    def shy(x):
        return NotImplemented if x < 0 else "shy"

    dispatcher.register(SimpleNamespace(name="shy", f=shy))
    dispatcher.register(SimpleNamespace(name="bold", f=lambda x: "bold"))
    with dispatcher.backend("shy", "bold", on_missing="error"):
        assert [f(1), f(-1), f(1), f(x=-1), f(x=1)] == ["shy", "bold", "shy", "bold", "shy"]
    with dispatcher.backend("shy", "cpu", on_missing="error"):
        assert [f(-1), f(1), f(-1)] == ["cpu", "shy", "cpu"]


@given(st.lists(st.sampled_from(["a", "A", "b", "B", "c", "cpu", "absent", "gone"]), min_size=1))
def test_any_list_of_good_names_reads_as_its_canonical_names(names):
    dispatcher = backstack.BackendDispatcher(
        entrypoint_group="host.backends",
        host_name="host",
        trusted_backends={"absent": {"aliases": ["gone"]}},
        env_var=None,
    )
    for name in "abc":
        dispatcher.register(make_backend(name, aliases=[name.upper()]))

    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    canonical = [{"A": "a", "B": "b", "gone": "absent"}.get(name, name) for name in names]
    usable = [name for name in canonical if name != "absent"]
    scope = dispatcher.backend(*names)
    if not usable:
        with pytest.raises(backstack.BackendNotInstalledError):
            scope.__enter__()
        return
    with scope:
        assert where() == usable[0]
        seen = dispatcher.settings.backend
        assert (seen if isinstance(seen, tuple) else (seen,)) == tuple(dict.fromkeys(canonical))


def test_a_list_with_one_passed_over_leaves_nothing_behind(make_dispatcher):
    dispatcher = make_dispatcher(trusted_backends={"missing": {"package": "missing"}})
    f = dispatcher.backend_dispatch(name="f")(lambda: "host")
    dispatcher.register(SimpleNamespace(name="there", f=lambda: "there"))

    def enter(times):
        for _ in range(times):
            with dispatcher.backend("missing", "there"):
                assert f() == "there"
        gc.collect()
        return len(gc.get_objects())

    enter(10)
    before = enter(10)
    assert enter(1000) - before < 100
