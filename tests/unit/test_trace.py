"""What `trace` and `backends` tell of what happens."""

import asyncio
import contextvars
import threading
import time
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

import backstack


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


class Cells(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.cells, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


def test_the_html_table_is_whole_and_escaped(installed):
    with pytest.raises(backstack.BackendLoadError):
        installed.backend("broken").__enter__()
    html = Cells(installed.backends()._repr_html_())
    assert html.open == []
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
