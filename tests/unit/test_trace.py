"""What `trace` and `backends` tell of what happens."""

import asyncio
import contextvars
import functools
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest

import backstack


def current_line():
    return sys._getframe(1).f_lineno


def here(line):
    return f"{__file__}:{line}"


@pytest.fixture
def dispatcher(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="a", aliases=["A"], f=lambda x=0: ("a", x)))
    dispatcher.register(SimpleNamespace(name="bare"))
    return dispatcher


@pytest.fixture
def f(dispatcher):
    @dispatcher.backend_dispatch
    def f(x=0):
        return "cpu", x

    return f


def told(call):
    return call.function, call.chosen, call.chosen_by, call.ran_on


# -- records -------------------------------------------------------------------------------


def test_a_record_per_call_with_all_that_decided(dispatcher, f):
    with dispatcher.trace() as calls:
        assert f(1) == ("cpu", 1)
        assert f(2, backend="A") == ("a", 2)
        with dispatcher.backend("a"):
            assert f(x=3) == ("a", 3)
            assert f(backend="cpu") == ("cpu", 0)
        dispatcher.settings.backend = "a"
        f()
        dispatcher.settings.backend = "cpu"
        f()
        with dispatcher.backend("bare", "A"):
            f()
    f(9)
    assert [told(call) for call in calls] == [
        ("f", "cpu", "default", "cpu"),
        ("f", "a", "call", "a"),
        ("f", "a", "scope", "a"),
        ("f", "cpu", "call", "cpu"),
        ("f", "a", "setting", "a"),
        ("f", "cpu", "setting", "cpu"),
        ("f", ("bare", "a"), "scope", "a"),
    ]
    assert all(isinstance(call, backstack.CallRecord) for call in calls)
    assert not any(call.raised for call in calls)
    assert all(call.seconds >= 0 for call in calls)
    assert [call.reason for call in calls[:6]] == [None] * 6
    assert "'bare'" in calls[6].reason


def test_the_variable_is_named_as_the_one_who_chose(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "a")
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="a", f=lambda: "a"))

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    with dispatcher.trace() as calls:
        f()
    assert told(calls[0]) == ("f", "a", "variable", "a")


def test_functions_are_named_as_backends_know_them(dispatcher):
    @dispatcher.backend_dispatch(name="other_name")
    def g():
        return 1

    with dispatcher.trace() as calls:
        g()
    assert calls[0].function == "other_name"


def test_a_fall_back_has_a_reason(dispatcher, f):
    with dispatcher.trace() as calls, dispatcher.backend("bare", on_missing="host"):
        f()
    assert told(calls[0]) == ("f", "bare", "scope", "cpu")
    assert "'bare'" in calls[0].reason
    assert "does not implement" in calls[0].reason


def test_a_declined_call_is_one_record(dispatcher, f):
    dispatcher.register(SimpleNamespace(name="shy", f=lambda x=0: NotImplemented))
    with dispatcher.trace() as calls:
        with dispatcher.backend("shy", on_missing="host"):
            f()
        with dispatcher.backend("shy", "a"):
            f()
    assert [told(call) for call in calls] == [
        ("f", "shy", "scope", "cpu"),
        ("f", ("shy", "a"), "scope", "a"),
    ]
    assert all("declined" in call.reason for call in calls)
    assert not any(call.raised for call in calls)


def test_what_raised(dispatcher):
    @dispatcher.backend_dispatch
    def g(error):
        raise error

    def fail(error):
        raise error

    dispatcher.register(SimpleNamespace(name="fails", g=fail))
    errors = (KeyError(), KeyboardInterrupt(), StopIteration(), GeneratorExit())
    with dispatcher.trace() as calls:
        for error in errors:
            for backend in ("cpu", "fails"):
                with pytest.raises(type(error)):
                    g(error, backend=backend)
    assert [call.raised for call in calls] == [True] * 8
    assert [call.ran_on for call in calls] == ["cpu", "fails"] * 4
    assert all(call.seconds is not None for call in calls)


def test_a_call_that_reaches_nobody_ran_on_nothing(dispatcher, f):
    with dispatcher.trace() as calls:
        with pytest.raises(backstack.UnknownBackendError):
            f(backend="nonsense")
        with pytest.raises(backstack.BackendNameError):
            f(backend=5)
        with dispatcher.backend("bare", on_missing="error"):
            with pytest.raises(backstack.NotImplementedByBackendError):
                f()
        with pytest.raises(TypeError):
            f(1, 2, 3, backend="a")
    assert [call.raised for call in calls] == [True] * 4
    assert [call.ran_on for call in calls[:3]] == [None] * 3
    assert told(calls[2]) == ("f", "bare", "scope", None)


def test_an_unknown_name_in_a_call_is_told_as_the_calls_choice(dispatcher, f):
    with dispatcher.trace() as calls, pytest.raises(backstack.UnknownBackendError):
        f(backend="nonsense")
    assert told(calls[0]) == ("f", "nonsense", "call", None)


def test_inner_calls_have_records_of_their_own(dispatcher, f):
    @dispatcher.backend_dispatch
    def outer():
        return f(1)

    dispatcher.register(SimpleNamespace(name="o", outer=lambda: f(2)))
    with dispatcher.trace() as calls:
        outer()
        outer(backend="o")
        outer(backend="cpu")
    assert [call.function for call in calls] == ["outer", "f"] * 3
    assert [call.ran_on for call in calls] == ["cpu", "cpu", "o", "cpu", "cpu", "cpu"]
    assert calls[5].chosen_by == "scope" or calls[5].chosen_by == "call"


def test_a_trace_changes_no_result(dispatcher, f):
    @dispatcher.backend_dispatch
    def g():
        return NotImplemented

    with dispatcher.trace():
        assert g() is NotImplemented
        assert f.__wrapped__(1) == f(1)


# -- seconds -------------------------------------------------------------------------------


def test_seconds_cover_the_body(dispatcher):
    @dispatcher.backend_dispatch
    def g():
        time.sleep(0.02)

    with dispatcher.trace() as calls:
        started = time.perf_counter()
        g()
        elapsed = time.perf_counter() - started
    assert 0.015 < calls[0].seconds <= elapsed


def test_a_generator_is_timed_until_its_body_ends(dispatcher):
    @dispatcher.backend_dispatch
    def ticks():
        yield 1
        time.sleep(0.02)
        yield 2

    with dispatcher.trace() as calls:
        running = ticks()
        assert calls[0].seconds is None
        assert next(running) == 1
        assert calls[0].seconds is None  # it runs still
        assert list(running) == [2]
    assert calls[0].seconds > 0.015
    assert calls[0].raised is False


def test_a_generator_that_ends_after_the_trace_is_timed_all_the_same(dispatcher):
    @dispatcher.backend_dispatch
    def ticks():
        yield 1

    with dispatcher.trace() as calls:
        running = ticks()
    assert list(running) == [1]
    assert calls[0].seconds is not None


def test_a_generator_that_is_closed_early_did_not_raise(dispatcher):
    @dispatcher.backend_dispatch
    def ticks():
        yield 1
        yield 2

    with dispatcher.trace() as calls:
        running = ticks()
        next(running)
        running.close()
    assert calls[0].raised is False
    assert calls[0].seconds is not None


def test_a_generator_that_raises(dispatcher):
    @dispatcher.backend_dispatch
    def ticks():
        yield 1
        raise KeyError

    with dispatcher.trace() as calls:
        with pytest.raises(KeyError):
            list(ticks())
    assert calls[0].raised is True


def test_coroutines_and_async_generators_are_timed_until_their_bodies_end(dispatcher):
    @dispatcher.backend_dispatch
    async def later(event):
        await event.wait()

    @dispatcher.backend_dispatch
    async def ticks():
        yield 1
        await asyncio.sleep(0.02)
        yield 2

    @dispatcher.backend_dispatch
    async def fails():
        await asyncio.sleep(0)
        raise KeyError

    async def main():
        event = asyncio.Event()
        with dispatcher.trace() as calls:
            task = asyncio.create_task(later(event))
            await asyncio.sleep(0)
            assert calls[0].seconds is None
            event.set()
            await task
            assert [item async for item in ticks()] == [1, 2]
            with pytest.raises(KeyError):
                await fails()
        return calls

    calls = asyncio.run(main())
    assert [call.function for call in calls] == ["later", "ticks", "fails"]
    assert all(call.seconds is not None for call in calls)
    assert calls[1].seconds > 0.015
    assert [call.raised for call in calls] == [False, False, True]


def test_a_traced_generator_still_sends_and_returns(dispatcher):
    @dispatcher.backend_dispatch
    def echo():
        got = yield
        return got

    with dispatcher.trace():
        running = echo()
        next(running)
        with pytest.raises(StopIteration) as stop:
            running.send(5)
    assert stop.value.value == 5


# -- traces --------------------------------------------------------------------------------


def test_traces_nest_and_each_sees_every_call_inside_it(dispatcher, f):
    with dispatcher.trace() as outer:
        f(1)
        with dispatcher.backend("a"), dispatcher.trace() as inner:
            f(2)
        f(3)
    assert [call.ran_on for call in outer] == ["cpu", "a", "cpu"]
    assert [call.ran_on for call in inner] == ["a"]


def test_outside_a_trace_nothing_is_recorded(dispatcher, f):
    f(1)
    with dispatcher.trace() as calls:
        pass
    f(2)
    assert len(calls) == 0
    assert list(calls) == []


def test_making_a_trace_does_nothing(dispatcher, f):
    trace = dispatcher.trace()
    f()
    with trace as calls:
        f()
    assert len(calls) == 1


def test_a_trace_says_how_it_is_used(dispatcher, f):
    trace = dispatcher.trace()
    assert repr(trace) == "<trace of 0 calls: use with ... as calls>"
    with trace:
        f()
    assert repr(trace) == "<trace of 1 call: use with ... as calls>"


def test_a_trace_is_left_when_the_block_raises(dispatcher, f):
    with pytest.raises(KeyError), dispatcher.trace() as calls:
        raise KeyError
    f()
    assert len(calls) == 0


def test_threads_are_seen_where_the_context_is_carried_there(dispatcher, f):
    with dispatcher.trace() as calls:
        carried = threading.Thread(target=contextvars.copy_context().run, args=[f, 1])
        bare = threading.Thread(target=contextvars.Context().run, args=[f, 2])
        for thread in (carried, bare):
            thread.start()
            thread.join()

        async def main():
            await asyncio.to_thread(f, 3)
            await asyncio.create_task(asyncio.to_thread(f, 4))

        asyncio.run(main())
    assert len(calls) == 3


def test_many_threads_record_into_one_trace(dispatcher, f):
    def run():
        for _ in range(50):
            f()
            f(backend="a")

    with dispatcher.trace() as calls:
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=[run]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(calls) == 800
    assert sum(call.ran_on == "a" for call in calls) == 400


def test_the_traces_of_two_hosts_are_separate(dispatcher, f, make_dispatcher):
    with make_dispatcher().trace() as calls:
        f()
    assert len(calls) == 0


def test_calls_print_as_a_table(dispatcher, f):
    with dispatcher.trace() as calls:
        f(backend="a")
    head, rule, row = repr(calls).splitlines()
    for column in ("function", "chosen", "ran_on", "seconds", "raised"):
        assert column in head
    assert set(rule) <= {"-", " "}
    assert row.split()[:4] == ["f", "a", "call", "a"]
    assert [call.ran_on for call in calls[:1]] == ["a"]
    with dispatcher.trace() as calls:
        assert isinstance(repr(calls), str)


# -- backends() ----------------------------------------------------------------------------

LISTED = {"good": {}, "broken": {}, "off": {}, "fake": {"package": "the-real-one"}, "lacking": {}}


@pytest.fixture
def installed(make_dispatcher, site):
    site.adapter("good", "name = 'good'\naliases = ['g']\ndef f():\n    pass\ndef h():\n    pass\n")
    site.adapter("broken", "name = 'broken'\ndef f():\n    pass\nraise OSError('no <b> library')\n")
    site.adapter("off", "name = 'off'\ndef is_available():\n    return 'no device'\n")
    site.adapter("fake", "name = 'fake'\n")
    site.adapter("unlisted", "name = 'unlisted'\n")
    dispatcher = make_dispatcher(trusted_backends=LISTED)

    def f():
        return "cpu"

    dispatcher.f = dispatcher.backend_dispatch(f)
    return dispatcher


def test_one_record_per_installed_backend_loading_none(installed, site):
    records = {record.name: record for record in installed.backends()}
    assert sorted(records) == ["broken", "fake", "good", "off", "unlisted"]
    assert site.imported() == set()
    good = records["good"]
    assert isinstance(good, backstack.BackendRecord)
    assert (good.aliases, good.functions) == (("g",), ("f",))
    assert (good.distribution, good.version) == ("good-dist", "1.0")
    assert (good.trusted, good.state, good.reason) == (True, "found", None)
    assert (records["unlisted"].trusted, records["unlisted"].state) == (False, "found")
    fake = records["fake"]
    assert (fake.trusted, fake.state) == (False, "refused")
    assert "the-real-one" in fake.reason


def test_the_states_after_use(installed, site):
    with installed.backend("good"):
        pass
    for name in ("broken", "off"):
        with pytest.raises(backstack.BackendError):
            installed.backend(name).__enter__()
    records = {record.name: record for record in installed.backends()}
    assert records["good"].state == "loaded"
    assert records["broken"].state == "failed"
    assert "no <b> library" in records["broken"].reason
    assert (records["off"].state, records["off"].reason) == ("unavailable", "no device")
    assert records["unlisted"].state == "found"


def test_unlisted_ones_are_refused_where_trust_is_required(installed):
    installed.settings.trust = "require"
    records = {record.name: record for record in installed.backends()}
    assert records["unlisted"].state == "refused"
    assert "require" in records["unlisted"].reason
    assert records["good"].state == "found"


def test_the_table_is_aligned(installed):
    table = installed.backends()
    lines = str(table).splitlines()
    assert len(lines) == len(table) + 2
    columns = lines[0].split()
    assert columns[0] == "name"
    starts = [lines[0].index(column) for column in columns]
    for line in lines[1:]:
        for start in starts[1:]:
            assert line[start - 1 : start] in (" ", "")


def test_the_html_table_is_whole_and_escaped(installed, read_html):
    with pytest.raises(backstack.BackendLoadError):
        installed.backend("broken").__enter__()
    html = read_html(installed.backends()._repr_html_())
    assert "name" in html.cells
    assert any("no <b> library" in cell for cell in html.cells)


def test_a_host_without_backends(make_dispatcher):
    table = make_dispatcher().backends()
    assert len(table) == 0
    assert str(table)
    assert "<" in table._repr_html_()


def test_registered_ones_are_told_too(dispatcher, f):
    records = {record.name: record for record in dispatcher.backends()}
    a = records["a"]
    assert (a.aliases, a.functions, a.distribution, a.version) == (("A",), ("f",), None, None)
    assert (a.trusted, a.state) == (True, "loaded")


@pytest.fixture
def preferences(dispatcher):
    """Backends that cannot run here, lack f, decline f, and have it."""
    for name, members in {
        "off": {"is_available": lambda: "no device", "f": lambda: "off"},
        "lacks": {},
        "declines": {"f": lambda: NotImplemented},
        "has": {"f": lambda: "has"},
    }.items():
        dispatcher.register(SimpleNamespace(name=name, **members))
    return dispatcher


@pytest.mark.parametrize(
    ("names", "ran_on", "reason"),
    [
        (("off", "has"), "has", "'off' was passed over (no device)"),
        (("lacks", "off", "has"), "has", "'lacks' does not implement f(); 'off' was passed over"),
        (("off", "declines", "has"), "has", "(no device); 'declines' declined this call of f()"),
        (("off", "cpu"), "cpu", "'off' was passed over (no device)"),
        (("has",), "has", None),
    ],
)
def test_a_record_says_why_each_earlier_preference_did_not_run(
    preferences, f, names, ran_on, reason
):
    with preferences.trace() as calls, preferences.backend(*names):
        f()
    assert calls[0].ran_on == ran_on
    assert calls[0].reason is None if reason is None else reason in calls[0].reason


@pytest.mark.parametrize(
    ("names", "notes"),
    [
        (("lacks",), []),
        (("lacks", "off"), ["'off' was passed over (no device)"]),
        (("off", "lacks"), ["'off' was passed over (no device)"]),
        (("lacks", "declines"), ["'declines' declined this call of f()"]),
    ],
)
def test_an_error_notes_what_became_of_the_other_preferences(preferences, f, names, notes):
    with preferences.backend(*names, on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError) as caught:
            f()
    expected = [f"Of the other preferences, {note}." for note in notes]
    assert getattr(caught.value, "__notes__", []) == expected


def test_a_record_says_why_a_preference_was_passed_over_this_time(dispatcher, f):
    reasons = iter(["no device", "driver too old"])
    dispatcher.register(SimpleNamespace(name="off", is_available=lambda: next(reasons)))
    dispatcher.register(SimpleNamespace(name="has", f=lambda: "has"))
    for reason in ("no device", "driver too old"):
        with dispatcher.trace() as calls, dispatcher.backend("off", "has"):
            f()
        assert calls[0].reason == f"'off' was passed over ({reason})"


def test_a_trace_that_is_entered_twice_records_each_call_once(dispatcher, f):
    trace = dispatcher.trace()
    with trace as calls, trace as again:
        f()
    assert calls is again
    assert len(calls) == 1


def test_nothing_ran_where_the_one_that_declined_was_the_last(preferences, f):
    with preferences.trace() as calls, preferences.backend("declines", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError):
            f()
    assert (calls[0].ran_on, calls[0].raised) == (None, True)


# -- where -----------------------------------------------------------------------------------


def test_a_record_tells_where_the_scope_was_entered(dispatcher, f):
    with dispatcher.trace() as calls:
        with dispatcher.backend("a"):
            line = current_line() - 1
            f()
            f()
        f()
    assert [call.where for call in calls] == [here(line), here(line), None]
    assert here(line) in repr(calls)


def test_of_nested_scopes_the_innermost_that_chose_is_told(dispatcher, f):
    scope = dispatcher.backend("a")
    with dispatcher.trace() as calls:
        with scope:
            outer = current_line() - 1
            with dispatcher.backend("cpu"):
                inner = current_line() - 1
                f()
            f()
            with dispatcher.backend(on_missing="host"), dispatcher.trace():
                f()
            with scope:
                again = current_line() - 1
                f()
            f()
    assert [call.where for call in calls] == [
        here(line) for line in (inner, outer, outer, again, outer)
    ]
    assert [call.ran_on for call in calls] == ["cpu", "a", "a", "a", "a"]


def test_scopes_that_are_entered_in_one_statement(dispatcher, f):
    with dispatcher.trace() as calls:
        with (
            dispatcher.backend("cpu"),
            dispatcher.backend("a"),
        ):
            last = current_line() - 2
            f()
    # The line of the statement or of the scope itself, as Python counts.
    assert calls[0].where in [here(line) for line in (last - 2, last)]


def test_only_scopes_have_a_place(dispatcher, f):
    dispatcher.settings.backend = "a"
    with dispatcher.trace() as calls:
        f()
        with dispatcher.backend("a"):
            f(backend="a")
        with dispatcher.backend(on_missing="host"):
            f()
    assert [call.where for call in calls] == [None] * 3
    assert [call.chosen_by for call in calls] == ["setting", "call", "setting"]


def test_the_place_of_a_variable_is_its_name(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "a")
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="a", f=lambda: "a"))

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    with dispatcher.trace() as calls:
        f()
        with dispatcher.backend("cpu"):
            line = current_line() - 1
            f()
    assert [call.where for call in calls] == ["HOST_BACKEND", here(line)]


def test_a_scope_that_was_entered_before_the_trace_has_no_place(dispatcher, f):
    with dispatcher.backend("a"):
        with dispatcher.trace() as calls:
            f()
            with dispatcher.backend("a"):
                f()
            f()
        with dispatcher.trace() as later:
            f()
    assert [call.where is None for call in calls] == [True, False, True]
    assert later[0].where is None
    assert [call.chosen_by for call in calls] == ["scope"] * 3


def test_of_a_decorated_function_its_call_is_told(dispatcher, f):
    @dispatcher.backend("a")
    def decorated():
        f()

    with dispatcher.trace() as calls:
        decorated()
        decorated()
        line = current_line() - 1
    assert [call.where for call in calls] == [here(line - 1), here(line)]


def test_of_an_exit_stack_the_line_that_entered_is_told(dispatcher, f):
    with dispatcher.trace() as calls, ExitStack() as stack:
        stack.enter_context(dispatcher.backend("a"))
        line = current_line() - 1
        f()
    assert calls[0].where == here(line)


def test_of_a_context_manager_of_ones_own_its_inner_line_is_told(dispatcher, f):
    @contextmanager
    def on_a():
        with dispatcher.backend("a"):
            yield current_line() - 1

    with dispatcher.trace() as calls, on_a() as line:
        f()
    assert calls[0].where == here(line)


def test_a_scope_left_out_of_order_takes_only_its_own_place_away(dispatcher, f):
    first, second = dispatcher.backend("a"), dispatcher.backend("cpu")
    with dispatcher.trace() as calls:
        first.__enter__()
        second.__enter__()
        line = current_line() - 1
        first.__exit__(None, None, None)
        f()
        second.__exit__(None, None, None)
        f()
    assert [call.where for call in calls] == [here(line), None]
    assert [call.chosen_by for call in calls] == ["scope", "default"]


def test_a_trace_left_out_of_order_leaves_the_places(dispatcher, f):
    trace = dispatcher.trace()
    with dispatcher.trace() as outer:
        trace.__enter__()
        with dispatcher.backend("a"):
            line = current_line() - 1
            trace.__exit__(None, None, None)
            f()
    assert [call.where for call in outer] == [here(line)]


def test_the_scopes_of_tasks_have_places(dispatcher, f):
    async def work():
        with dispatcher.backend("a"):
            await asyncio.sleep(0)
            f()
            return current_line() - 3

    async def main():
        return await asyncio.gather(work(), work())

    with dispatcher.trace() as calls:
        (line, _) = asyncio.run(main())
    assert [call.where for call in calls] == [here(line)] * 2


def test_a_generator_keeps_the_place_of_its_own_scope(dispatcher, f):
    def running():
        with dispatcher.backend("a"):
            yield f()
            yield f()

    first = running.__code__.co_firstlineno
    with dispatcher.trace() as calls:
        list(running())
    assert [call.where for call in calls] == [here(first + 1)] * 2


# -- what was dropped ------------------------------------------------------------------------


@pytest.fixture
def narrow(dispatcher):
    @dispatcher.backend_dispatch
    def narrow(x=0, y=1, z=2):
        return "cpu"

    dispatcher.register(SimpleNamespace(name="narrow", narrow=lambda x=0: "narrow"))
    return narrow


def test_a_record_tells_which_arguments_were_dropped(dispatcher, narrow):
    with dispatcher.trace() as calls, dispatcher.backend("narrow"):
        with pytest.warns(backstack.DroppedArgumentWarning):
            narrow(1, z=5, y=5)
        with pytest.warns(backstack.DroppedArgumentWarning):
            narrow(1, 2, 2)
        narrow(1)
        narrow(1, 1, z=2)  # at their defaults
        narrow(1, 5, backend="cpu")
    assert [set(call.dropped) for call in calls] == [{"y", "z"}, {"y"}, set(), set(), set()]
    assert all(isinstance(call.dropped, tuple) for call in calls)
    assert "y" in repr(calls).splitlines()[2]


def test_nothing_is_dropped_from_a_call_that_is_rejected(dispatcher, narrow):
    with dispatcher.trace() as calls, dispatcher.backend("narrow"):
        with pytest.raises(TypeError):
            narrow(1, y=5, nonsense=1)
    assert (calls[0].dropped, calls[0].ran_on, calls[0].raised) == ((), None, True)


# -- fall-backs ------------------------------------------------------------------------------


def test_a_fall_back_is_where_the_host_ran_and_nobody_had_chosen_it(preferences, f):
    with preferences.trace() as calls:
        f()
        f(backend="cpu")
        for names in [
            ("lacks", "cpu"),
            ("off", "cpu"),
            ("cpu", "lacks"),
            ("declines", "cpu"),
            ("has",),
            ("lacks", "has"),
        ]:
            with preferences.backend(*names, on_missing="host"):
                f()
    assert [call.fell_back for call in calls] == [False] * 8
    with preferences.trace() as calls:
        for names in [("lacks",), ("lacks", "off"), ("declines",), ("off", "lacks")]:
            with preferences.backend(*names, on_missing="host"):
                f()
                f(backend="lacks")
    assert [call.fell_back for call in calls] == [True] * 8


def test_what_never_ran_did_not_fall_back(preferences, f):
    with preferences.trace() as calls:
        with preferences.backend("lacks", on_missing="error"):
            with pytest.raises(backstack.NotImplementedByBackendError):
                f()
        with pytest.raises(backstack.UnknownBackendError):
            f(backend="nonsense")
    assert [call.fell_back for call in calls] == [False] * 2


# -- records as data -------------------------------------------------------------------------


def test_records_go_into_json(preferences, f):
    with preferences.trace() as calls, preferences.backend("lacks", "has"):
        line = current_line() - 1
        f()
    (told,) = json.loads(json.dumps(calls.as_dicts()))
    assert told == json.loads(json.dumps(calls[0].as_dict()))
    seconds = told.pop("seconds")
    assert isinstance(seconds, float)
    assert told == {
        "function": "f",
        "chosen": ["lacks", "has"],
        "chosen_by": "scope",
        "where": here(line),
        "ran_on": "has",
        "fell_back": False,
        "reason": "'lacks' does not implement f()",
        "dropped": [],
        "raised": False,
    }


def test_a_record_of_what_runs_still_has_no_seconds(dispatcher):
    @dispatcher.backend_dispatch
    def ticks():
        yield 1

    with dispatcher.trace() as calls:
        running = ticks()
        next(running)
        assert calls[0].as_dict()["seconds"] is None
        assert calls.summary()[0].seconds == 0
        assert "ticks" in repr(calls)
        list(running)
    assert calls[0].as_dict()["seconds"] is not None


# -- the summary -----------------------------------------------------------------------------


def test_the_summary_counts_by_function_and_backend(preferences, f):
    @preferences.backend_dispatch
    def fails():
        raise KeyError

    with preferences.trace() as calls:
        with pytest.raises(KeyError):
            fails()
        f()
        with preferences.backend("has"):
            f()
            f()
        with preferences.backend("lacks", on_missing="host"):
            f()
            f()
        with preferences.backend("lacks", "cpu"):
            f()
        with pytest.raises(backstack.UnknownBackendError):
            f(backend="nonsense")
    summary = calls.summary()
    assert [(s.function, s.ran_on, s.calls, s.fallbacks, s.raised) for s in summary] == [
        ("f", None, 1, 0, 1),
        ("f", "cpu", 4, 2, 0),
        ("f", "has", 2, 0, 0),
        ("fails", "cpu", 1, 0, 1),
    ]
    for line in summary:
        own = [c for c in calls if (c.function, c.ran_on) == (line.function, line.ran_on)]
        assert line.seconds == sum(call.seconds or 0 for call in own)
    assert sum(line.calls for line in summary) == len(calls)


def test_the_summary_is_of_the_calls_so_far(dispatcher, f):
    with dispatcher.trace() as calls:
        f()
        before = calls.summary()
        f()
    assert (before[0].calls, calls.summary()[0].calls) == (1, 2)


def test_the_summary_goes_into_json(dispatcher, f):
    with dispatcher.trace() as calls:
        f(backend="a")
    (told,) = json.loads(json.dumps(calls.summary().as_dicts()))
    assert told == calls.summary()[0].as_dict()
    assert set(told) == {"function", "ran_on", "calls", "seconds", "fallbacks", "raised"}
    assert (told["ran_on"], told["calls"]) == ("a", 1)


def test_an_empty_trace_has_an_empty_summary(dispatcher):
    with dispatcher.trace() as calls:
        pass
    assert calls.summary() == ()
    assert "No calls" in repr(calls.summary())


# -- long traces -----------------------------------------------------------------------------


def lines_of(calls):
    _, rule, *lines = repr(calls).splitlines()
    assert set(rule) <= {"-", " "}
    return lines


@pytest.mark.parametrize(("count", "left_out"), [(59, 0), (60, 0), (61, 1), (2000, 1940)])
def test_of_a_long_trace_the_middle_is_left_out_in_print(dispatcher, f, count, left_out, read_html):
    with dispatcher.trace() as calls:
        f(backend="a")
        for _ in range(count - 2):
            f()
        with pytest.raises(backstack.UnknownBackendError):
            f(backend="the_last")
    lines = lines_of(calls)
    more = [line for line in lines if "more ..." in line]
    assert len(lines) == min(count, 60) + (left_out > 0)
    assert more == ([f"... {left_out:,} more ..."] if left_out else [])
    assert lines[0].split()[:2] == ["f", "a"]
    assert "the_last" in lines[-1]
    html = read_html(calls._repr_html_())
    assert [cell for cell in html.cells if "more ..." in cell] == more
    assert "the_last" in html.cells
    # Everything is there all the same.
    assert len(calls) == len(calls.as_dicts()) == count
    assert len(repr(calls.summary()).splitlines()) == 5


def test_a_trace_that_another_thread_adds_to_can_be_shown(dispatcher, f):
    def run():
        for _ in range(2000):
            f()

    with dispatcher.trace() as calls:
        thread = threading.Thread(target=contextvars.copy_context().run, args=[run])
        thread.start()
        while thread.is_alive():
            assert repr(calls)
            assert calls._repr_html_()
            assert calls.summary() is not None
        thread.join()
    assert calls.summary()[0].calls == 2000


def test_the_html_of_calls_is_whole_and_escaped(dispatcher, f, read_html):
    with dispatcher.trace() as calls:
        with pytest.raises(backstack.UnknownBackendError):
            f(backend="<b>&")
        f()
    for shown in (calls, calls.summary()):
        html = read_html(shown._repr_html_())
        assert "function" in html.cells
    assert "<b>&" in "".join(read_html(calls._repr_html_()).cells)
    assert "<b>" not in calls._repr_html_()


def test_calls_through_wrappers_are_recorded_as_any(dispatcher, f):
    with dispatcher.trace() as calls, dispatcher.backend("a"):
        functools.partial(f, 1)()
        list(map(f, [1, 2]))
    assert [call.ran_on for call in calls] == ["a"] * 3
    assert len({call.where for call in calls}) == 1


def test_what_a_declining_backend_would_have_dropped_is_not_dropped(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def g(x, y=1):
        return x, y

    dispatcher.register(SimpleNamespace(name="shy", g=lambda x: NotImplemented))
    with (
        dispatcher.trace() as calls,
        dispatcher.backend("shy", on_missing="host"),
        pytest.warns(backstack.DroppedArgumentWarning),
    ):
        assert g(1, y=5) == (1, 5)
    assert (calls[0].ran_on, calls[0].dropped) == ("cpu", ())


def test_a_scope_inside_a_decorated_generator_stays_where_it_was_entered(dispatcher, f):
    @dispatcher.backend("cpu")
    def steps():
        with dispatcher.backend("a"):
            f()
            yield
            f()

    line = steps.__wrapped__.__code__.co_firstlineno + 2
    with dispatcher.trace() as calls:
        list(steps())
    assert [call.where.rpartition(":")[2] for call in calls] == [str(line)] * 2


# -- everywhere ----------------------------------------------------------------------------


def in_a_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


def test_a_trace_that_looks_everywhere_sees_other_threads(dispatcher, f):
    def work():
        f(2)
        with dispatcher.backend("a"):
            f(3)
        f(4, backend="a")

    with (
        dispatcher.trace() as here,
        dispatcher.backend("cpu"),
        dispatcher.trace(everywhere=True) as everywhere,
    ):
        f(1)
        in_a_thread(work)
    in_a_thread(work)
    f(5)
    assert [call.ran_on for call in here] == ["cpu"]
    assert [call.ran_on for call in everywhere] == ["cpu", "cpu", "a", "a"]
    assert [call.chosen_by for call in everywhere] == ["scope", "default", "scope", "call"]


def test_it_sees_the_setting_and_leaves_it_alone(dispatcher, f):
    dispatcher.settings.backend = "a"
    with dispatcher.trace(everywhere=True) as calls:
        in_a_thread(f)
        dispatcher.settings.backend = "cpu"
        in_a_thread(f)
        dispatcher.settings.backend = "a"
    assert [call.ran_on for call in calls] == ["a", "cpu"]
    assert dispatcher.settings.backend == "a"
    assert f() == ("a", 0)


def test_traces_that_look_everywhere_overlap(dispatcher, f):
    first, second = dispatcher.trace(everywhere=True), dispatcher.trace(everywhere=True)
    one = first.__enter__()
    f(1)
    two = second.__enter__()
    f(2)
    first.__exit__(None, None, None)
    f(3)
    second.__exit__(None, None, None)
    f(4)
    second.__exit__(None, None, None)  # once too often, which changes nothing
    assert (len(one), len(two)) == (2, 2)


def test_a_scope_that_outlives_such_a_trace_tells_it_no_more(dispatcher, f):
    scope = dispatcher.backend("a")
    with dispatcher.trace(everywhere=True) as calls:
        scope.__enter__()
        f(1)
    f(2)
    scope.__exit__(None, None, None)
    assert len(calls) == 1


def test_no_line_is_told_where_a_pool_has_entered_the_scope(dispatcher, f):
    with dispatcher.backend("a"):
        bound = dispatcher.bind(f)
    with dispatcher.trace(everywhere=True) as calls, ThreadPoolExecutor(1) as pool:
        assert pool.submit(bound, 1).result() == ("a", 1)
        bound(2)
        line = current_line() - 1
    assert [call.chosen_by for call in calls] == ["scope", "scope"]
    assert calls[0].where is None
    assert calls[1].where.endswith(f":{line}")
