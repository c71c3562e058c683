"""`explain` tells what a call would do, which is what the call then does, and runs nothing."""

import asyncio
import functools
import inspect
import json
import logging
import sys
import warnings
import weakref
from contextlib import ExitStack
from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import backstack
from backstack import BackendDispatcher


def current_line():
    return sys._getframe(1).f_lineno


def error_told(error):
    """All that an error tells: its class, its text, its notes, and what it was raised from."""
    if error is None:
        return None
    cause = error.__cause__
    return type(error), str(error), getattr(error, "__notes__", []), type(cause), str(cause)


def really(dispatcher, function, *args, **kwargs):
    """The record of a real call, the warnings that it gave, and what it raised."""
    error = None
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        with dispatcher.trace() as calls:
            try:
                function(*args, **kwargs)
            except Exception as raised:
                error = raised
    return calls[0], tuple(f"{w.category.__name__}: {w.message}" for w in given), error


def agreed(dispatcher, function, *args, **kwargs):
    """The explanation of a call, after seeing that the call itself does just that."""
    explained = dispatcher.explain(function, *args, **kwargs)
    call, given, error = really(dispatcher, function, *args, **kwargs)
    assert explained.function == call.function
    assert explained.chosen == call.chosen
    assert explained.chosen_by == call.chosen_by
    # What the host itself rejects counts in a trace as having run there.
    assert explained.runs_on == (None if error is not None else call.ran_on)
    assert call.ran_on in ((None, "cpu") if error is not None else (explained.runs_on,))
    assert explained.reason == call.reason
    assert explained.warnings == given
    assert error_told(explained.error) == error_told(error)
    if explained.runs_on != "cpu":
        assert explained.dropped == call.dropped
    return explained


ADAPTERS = {
    "good": """
        name = 'good'
        aliases = ['g']
        def f(x, y=1, speed=1):
            raise AssertionError('it ran')
        def quiet(x):
            return 'good'
    """,
    "narrow": "name = 'narrow'\ndef f(x):\n    return 'narrow'\n",
    "lacking": "name = 'lacking'\n",
    "broken": "name = 'broken'\nraise OSError('no library')\n",
    "exits": "name = 'exits'\nimport sys\nsys.exit(3)\n",
    "nameless": "def f(x):\n    return 'nameless'\n",
    "off": "name = 'off'\ndef is_available():\n    return 'no device'\ndef f(x):\n    pass\n",
    "fake": "name = 'fake'\ndef f(x):\n    return 'fake'\n",
    "data": "name = 'data'\nf = 5\n",
    "unreadable": """
        name = 'unreadable'
        __all__ = ['f']
        def __getattr__(name):
            raise (OSError if name == 'f' else AttributeError)(name)
    """,
}
LISTED = {
    **{name: {} for name in ADAPTERS},
    "fake": {"package": "the-real-one"},
    "good": {"aliases": ["g"]},
    "absent": {"aliases": ["gone"], "package": "absent-pkg"},
}
CONFIG = {"trusted_backends": LISTED, "reserved_backends": {"gpu": "Choose 'good'."}}


def with_functions(dispatcher):
    def f(x, y=1):
        raise AssertionError("it ran")

    def quiet(x, y=1):
        return "cpu"

    dispatcher.f = dispatcher.backend_dispatch(f)
    dispatcher.quiet = dispatcher.backend_dispatch(quiet)
    return dispatcher


@pytest.fixture
def installed(make_dispatcher, site):
    for name, source in ADAPTERS.items():
        site.adapter(name, source)
    return with_functions(make_dispatcher(**CONFIG))


@pytest.fixture
def registered(make_dispatcher):
    dispatcher = make_dispatcher()
    for name, members in {
        "a": {"quiet": lambda x, y=1: "a", "aliases": ["A"]},
        "narrow": {"quiet": lambda x: "narrow"},
        "lacks": {},
        "off": {"is_available": lambda: "no device", "quiet": lambda x: "off"},
        "option": {"quiet": lambda x, *, speed=1: "option"},
    }.items():
        dispatcher.register(SimpleNamespace(name=name, **members))
    return with_functions(dispatcher)


# -- nothing runs --------------------------------------------------------------------------


def test_neither_the_host_nor_the_backend_runs(installed, site):
    assert installed.explain(installed.f, 1).runs_on == "cpu"
    assert site.imported() == set()
    assert installed.explain(installed.f, 1, backend="good").runs_on == "good"
    assert site.imported() == {"good_adapter"}
    assert installed.explain(installed.f, 1, backend="lacking").runs_on == "cpu"
    assert installed.explain(installed.f, 1, backend="cpu").runs_on == "cpu"


def test_explaining_a_call_on_the_host_looks_for_no_backend(installed, site):
    assert installed.explain(installed.f, 1).error is None
    site.adapter("late", "name = 'late'\n")
    assert "late" in installed.available_backend_names()  # nobody had looked before


def test_no_body_of_another_kind_begins(make_dispatcher):
    dispatcher, ran = make_dispatcher(), []

    @dispatcher.backend_dispatch
    async def later(x):
        ran.append(x)

    @dispatcher.backend_dispatch
    def ticks(x):
        ran.append(x)
        yield

    @dispatcher.backend_dispatch
    async def aticks(x):
        ran.append(x)
        yield

    class Kinds:
        name = "kinds"

        async def later(self, x):
            ran.append(x)

        def ticks(self, x):
            ran.append(x)
            yield

        async def aticks(self, x):
            ran.append(x)
            yield

    dispatcher.register(Kinds)
    for function in (later, ticks, aticks):
        assert dispatcher.explain(function, 1).runs_on == "cpu"
        assert dispatcher.explain(function, 1, backend="kinds").runs_on == "kinds"
        for backend in ("cpu", "kinds"):
            error = dispatcher.explain(function, backend=backend).error
            assert type(error) is TypeError
            assert f"{function.__name__}()" in str(error)
            with pytest.raises(TypeError) as caught:
                function(backend=backend)
            assert error_told(caught.value) == error_told(error)
    assert ran == []


def test_it_leaves_no_record_in_a_trace(registered):
    with registered.trace() as calls:
        registered.explain(registered.quiet, 1)
        registered.explain(registered.quiet, 1, backend="a")
        registered.explain(registered.quiet, 1, backend="nonsense")
    assert len(calls) == 0


def test_it_leaves_in_force_what_was(registered):
    with registered.backend("lacks"):
        registered.explain(registered.quiet, 1, backend="a")
        assert registered.settings.backend == "lacks"
    assert registered.settings.backend == "cpu"
    assert registered.settings.process_backend is None


# -- who chose -----------------------------------------------------------------------------


def test_who_chose_at_each_level(registered):
    quiet = registered.quiet

    def told(**kwargs):
        explained = agreed(registered, quiet, 1, **kwargs)
        return explained.chosen, explained.chosen_by, explained.runs_on

    assert told() == ("cpu", "default", "cpu")
    assert told(backend="A") == ("a", "call", "a")
    assert told(backend=None) == ("cpu", "default", "cpu")
    registered.settings.backend = "a"
    assert told() == ("a", "setting", "a")
    assert told(backend="cpu") == ("cpu", "call", "cpu")
    with registered.backend("narrow"):
        assert told() == ("narrow", "scope", "narrow")
        with registered.backend("cpu"):
            assert told() == ("cpu", "scope", "cpu")
    registered.settings.backend = ["A", "cpu"]
    assert told() == (("a", "cpu"), "setting", "a")


def test_the_variable_is_named(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "A")
    dispatcher = with_functions(make_dispatcher())
    dispatcher.register(SimpleNamespace(name="a", aliases=["A"], quiet=lambda x: "a"))
    explained = agreed(dispatcher, dispatcher.quiet, 1)
    assert (explained.chosen, explained.chosen_by) == ("a", "variable")
    assert explained.where == "HOST_BACKEND"
    assert "HOST_BACKEND" in str(explained)
    with dispatcher.backend("cpu"):
        assert dispatcher.explain(dispatcher.quiet, 1).where is None


def test_the_place_of_a_scope_is_told_if_it_was_entered_inside_a_trace(registered):
    quiet = registered.quiet
    with registered.backend("a"):
        with registered.trace():
            assert registered.explain(quiet, 1).where is None
            with registered.backend("narrow"):
                line = current_line() - 1
                explained = registered.explain(quiet, 1)
                assert explained.where == f"{__file__}:{line}"
                assert f"{__file__}:{line}" in " ".join(str(explained).split())
                assert registered.explain(quiet, 1, backend="a").where is None
        assert registered.explain(quiet, 1).where is None


def test_the_provider_is_told(installed):
    assert installed.explain(installed.f, 1).provider is None
    assert installed.explain(installed.f, 1, backend="lacking").provider is None
    assert installed.explain(installed.f, 1, backend="good").provider == "good_adapter of good-dist"
    installed.register(SimpleNamespace(name="mine", f=lambda x: x))
    assert "by hand" in installed.explain(installed.f, 1, backend="mine").provider
    assert installed.explain(installed.f, 1, backend="broken").provider is None


# -- errors --------------------------------------------------------------------------------

FAILING = {
    "cudaa": backstack.UnknownBackendError,
    "goof": backstack.UnknownBackendError,
    "gpu": backstack.ReservedBackendError,
    "absent": backstack.BackendNotInstalledError,
    "gone": backstack.BackendNotInstalledError,
    "broken": backstack.BackendLoadError,
    "exits": backstack.BackendLoadError,
    "nameless": backstack.BackendLoadError,
    "unreadable": backstack.BackendLoadError,
    "fake": backstack.UntrustedBackendError,
    "off": backstack.BackendUnavailableError,
    "data": TypeError,
}


@pytest.mark.parametrize("level", ["call", "variable"])
@pytest.mark.parametrize("label", FAILING)
def test_the_error_is_the_one_that_the_call_raises(
    installed, site, make_dispatcher, monkeypatch, label, level
):
    dispatcher, chosen = installed, {"backend": label}
    if level == "variable":
        monkeypatch.setenv("HOST_BACKEND", label)
        dispatcher, chosen = with_functions(make_dispatcher(**CONFIG)), {}
    explained = agreed(dispatcher, dispatcher.f, 1, **chosen)
    assert type(explained.error) is FAILING[label]
    assert (explained.runs_on, explained.provider, explained.chosen_by) == (None, None, level)
    assert f"would raise {FAILING[label].__name__}" in str(explained)
    assert agreed(dispatcher, dispatcher.f, 1, **chosen).error is not None  # and once more
    assert site.imported().isdisjoint({"fake_adapter", "good_adapter"})


@pytest.mark.parametrize("selector", [5, "", ["good", "narrow"], b"good", (), True])
def test_a_selector_that_is_no_name(installed, selector):
    explained = agreed(installed, installed.f, 1, backend=selector)
    assert type(explained.error) is backstack.BackendNameError
    assert explained.chosen_by == "call"
    json.dumps(explained.as_dict())


def test_the_error_carries_its_data(installed):
    error = installed.explain(installed.f, 1, backend="gone").error
    assert (error.label, error.name, error.package) == ("gone", "absent", "absent-pkg")
    error = installed.explain(installed.f, 1, backend="goof").error
    assert error.suggestion == "good"


@pytest.mark.parametrize("names", [("lacking",), ("lacking", "off"), ("off", "lacking")])
def test_what_the_policy_forbids(installed, names):
    with installed.backend(*names, on_missing="error"):
        explained = agreed(installed, installed.f, 1)
    assert type(explained.error) is backstack.NotImplementedByBackendError
    assert len(getattr(explained.error, "__notes__", [])) == len(names) - 1
    assert "'lacking' does not implement f()" in explained.reason


def test_the_policy_is_the_one_in_force(installed):
    def error(**kwargs):
        return agreed(installed, installed.quiet, 1, backend="lacking", **kwargs).error

    with installed.backend(on_missing="host"):
        assert error() is None
    installed.settings.on_missing = "error"
    assert type(error()) is backstack.NotImplementedByBackendError
    with installed.backend(on_missing="host"):
        assert error() is None


def test_a_provider_that_trust_forbids(installed, site):
    site.adapter("unlisted", "name = 'unlisted'\ndef f(x):\n    return 'unlisted'\n")
    installed.settings.trust = "require"
    explained = agreed(installed, installed.f, 1, backend="unlisted")
    assert type(explained.error) is backstack.UntrustedBackendError
    assert "unlisted_adapter" not in site.imported()


WRONG = {
    "too many": ((1, 2, 3), {}),
    "missing": ((), {}),
    "given twice": ((1,), {"x": 2}),
    "unknown": ((1,), {"z": 2}),
    "nearly known": ((1,), {"sped": 2}),
}


@pytest.mark.parametrize("case", WRONG)
def test_arguments_that_the_host_rejects_on_a_backend(installed, case):
    args, kwargs = WRONG[case]
    explained = agreed(installed, installed.f, *args, **kwargs, backend="good")
    assert type(explained.error) is TypeError
    assert "f()" in str(explained.error)


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("backend", ["cpu", "lacking"])
def test_arguments_that_the_host_rejects_on_the_host(installed, case, backend):
    args, kwargs = WRONG[case]
    with installed.backend(backend, on_missing="host"):
        error = installed.explain(installed.f, *args, **kwargs).error
        with pytest.raises(TypeError):
            installed.f(*args, **kwargs)
    assert type(error) is TypeError
    assert "f()" in str(error)


def test_the_option_of_a_backend_on_the_host(registered):
    quiet = registered.quiet
    explained = agreed(registered, quiet, 1, speed=2)
    assert type(explained.error) is TypeError
    assert "'option'" in str(explained.error)
    assert explained.runs_on is None
    explained = agreed(registered, quiet, 1, speed=1)
    assert (explained.runs_on, explained.dropped) == ("cpu", ("speed",))
    explained = agreed(registered, quiet, 1, speed=2, backend="option")
    assert (explained.runs_on, explained.dropped) == ("option", ())
    assert type(agreed(registered, quiet, 1, speed=2, backend="a").error) is TypeError


def test_the_option_of_an_installed_backend_on_the_host(installed, site):
    error = agreed(installed, installed.f, 1, speed=2).error
    assert type(error) is TypeError
    assert "'good'" in str(error)
    assert site.imported() == set()
    assert installed.explain(installed.f, 1, speed=1).dropped == ("speed",)
    assert site.imported() == set()


def test_interrupts_of_a_backends_import_pass_through(make_dispatcher, site):
    site.adapter("stop", "name = 'stop'\nraise KeyboardInterrupt\n")
    dispatcher = with_functions(make_dispatcher(trusted_backends={"stop": {}}))
    with pytest.raises(KeyboardInterrupt):
        dispatcher.explain(dispatcher.f, 1, backend="stop")
    with warnings.catch_warnings():  # what was asked before still warns
        warnings.simplefilter("error")
        dispatcher.register(SimpleNamespace(name="lacks"))
        with pytest.raises(backstack.FallbackWarning):
            dispatcher.quiet(1, backend="lacks")


def test_an_error_keeps_nothing_of_the_frames_that_it_came_through(installed):
    assert installed.explain(installed.f, 1, backend="cudaa").error.__traceback__ is None


# -- warnings ------------------------------------------------------------------------------


def test_a_fall_back_is_told_and_still_warned_of_by_the_call(registered, recwarn):
    quiet = registered.quiet
    first = registered.explain(quiet, 1, backend="lacks")
    assert registered.explain(quiet, 1, backend="lacks") == first
    assert len(recwarn) == 0
    assert first.runs_on == "cpu"
    assert first.reason == "'lacks' does not implement quiet()"
    (text,) = first.warnings
    with pytest.warns(backstack.FallbackWarning) as given:
        quiet(1, backend="lacks")
    (warning,) = given
    assert text == f"FallbackWarning: {warning.message}"
    # It is given once, and so the next call would not warn.
    assert agreed(registered, quiet, 1, backend="lacks").warnings == ()
    registered.reset_warnings()
    assert agreed(registered, quiet, 1, backend="lacks").warnings == (text,)


def test_a_silent_fall_back_has_no_warning(registered):
    with registered.backend("lacks", on_missing="host"):
        assert agreed(registered, registered.quiet, 1).warnings == ()


def test_dropped_arguments_are_told_each_time(registered):
    quiet = registered.quiet
    for _ in range(2):
        explained = agreed(registered, quiet, 1, y=2, backend="narrow")
        assert explained.dropped == ("y",)
        assert len(explained.warnings) == 1
        assert explained.warnings[0].startswith("DroppedArgumentWarning: ")
    assert agreed(registered, quiet, 1, 2, backend="narrow").dropped == ("y",)
    for backend, kwargs in {"narrow": {"y": 1}, "a": {"y": 2}}.items():
        explained = agreed(registered, quiet, 1, **kwargs, backend=backend)
        assert (explained.dropped, explained.warnings) == ((), ())


def test_what_a_filter_makes_of_warnings_does_not_reach_what_is_only_told(registered):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explained = registered.explain(registered.quiet, 1, y=2, backend="narrow")
        assert len(explained.warnings) == 1
        with pytest.raises(backstack.DroppedArgumentWarning):
            registered.quiet(1, y=2, backend="narrow")


def test_the_code_of_an_unlisted_backend_does_not_run_unannounced(make_dispatcher, site):
    site.adapter("unlisted", "name = 'unlisted'\ndef quiet(x, y=1):\n    return 'unlisted'\n")
    dispatcher = with_functions(make_dispatcher())
    with pytest.warns(backstack.UnlistedBackendWarning) as given:
        explained = dispatcher.explain(dispatcher.quiet, 1, backend="unlisted")
    assert len(given) == 1
    assert given[0].filename == __file__
    assert explained.runs_on == "unlisted"
    assert site.imported() == {"unlisted_adapter"}
    assert agreed(dispatcher, dispatcher.quiet, 1, backend="unlisted").warnings == ()


def test_the_code_of_an_unlisted_backend_does_not_run_where_warnings_are_errors(
    make_dispatcher, site
):
    site.adapter("unlisted", "name = 'unlisted'\ndef quiet(x, y=1):\n    return 'unlisted'\n")
    site.adapter("computed", "name = ''.join(['comp', 'uted'])\n")
    dispatcher = with_functions(make_dispatcher())
    with warnings.catch_warnings():
        warnings.simplefilter("error", backstack.UnlistedBackendWarning)
        for label in ("unlisted", "computed", "nonsense"):
            for _ in range(2):
                explained = dispatcher.explain(dispatcher.quiet, 1, backend=label)
                assert explained.runs_on is None
                with pytest.raises(backstack.UnlistedBackendWarning) as caught:
                    dispatcher.quiet(1, backend=label)
                assert error_told(explained.error) == error_told(caught.value)
    assert site.imported() == set()


def test_a_fall_back_is_logged_by_the_call_and_not_by_its_explanation(registered, caplog):
    caplog.set_level(logging.INFO, "backstack.host")
    with registered.backend("lacks", on_missing="host"):
        for _ in range(2):
            registered.explain(registered.quiet, 1)
        assert caplog.messages == []
        for _ in range(2):
            registered.quiet(1)
        (message,) = caplog.messages
        assert "does not implement" in message
        registered.explain(registered.quiet, 1)
        assert caplog.messages == [message]


# -- preferences ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "runs_on", "reason"),
    [
        (("a",), "a", None),
        (("a", "lacks"), "a", None),
        (("lacks", "a"), "a", "'lacks' does not implement quiet()"),
        (("off", "a"), "a", "'off' was passed over (no device)"),
        (
            ("lacks", "off", "a"),
            "a",
            "'lacks' does not implement quiet(); 'off' was passed over (no device)",
        ),
        (("off", "cpu"), "cpu", "'off' was passed over (no device)"),
        (("cpu", "a"), "cpu", None),
        (("lacks", "cpu"), "cpu", "'lacks' does not implement quiet()"),
        (("lacks", "off"), "cpu", "'lacks' does not implement quiet()"),
    ],
)
def test_why_each_earlier_preference_does_not_run_it(registered, names, runs_on, reason):
    with registered.backend(*names):
        explained = agreed(registered, registered.quiet, 1)
    assert explained.runs_on == runs_on
    assert explained.reason is None if reason is None else reason in explained.reason
    # The host is a choice where it is in the list.
    assert len(explained.warnings) == (runs_on == "cpu" and "cpu" not in names)


def test_a_later_preference_that_fails_to_load(installed):
    with installed.backend("lacking", "broken", "narrow"):
        for _ in range(2):  # it is tried again each time
            explained = agreed(installed, installed.quiet, 1)
            assert explained.runs_on == "cpu"
            assert "'broken' was passed over (OSError: no library)" in explained.reason
    assert [w.partition(":")[0] for w in explained.warnings] == ["BackendSkippedWarning"]


def test_a_later_preference_is_made_ready_only_if_it_is_reached(installed, site):
    with installed.backend("good", "narrow"):
        installed.explain(installed.quiet, 1)
    assert site.imported() == {"good_adapter"}
    with installed.backend("lacking", "narrow"):
        installed.explain(installed.f, 1)
    assert site.imported() == {"good_adapter", "lacking_adapter", "narrow_adapter"}


def test_whether_a_backend_declines_is_known_only_when_it_runs(registered):
    registered.register(SimpleNamespace(name="shy", quiet=lambda x: NotImplemented))
    with registered.backend("shy", "a"):
        assert registered.explain(registered.quiet, 1).runs_on == "shy"
        call, _, _ = really(registered, registered.quiet, 1)
    assert call.ran_on == "a"


# -- what can be explained -----------------------------------------------------------------


def test_a_name_stands_for_the_function(registered):
    by_name = registered.explain("quiet", 1, y=2, backend="narrow")
    assert by_name == registered.explain(registered.quiet, 1, y=2, backend="narrow")


def test_the_name_is_the_one_that_backends_export(registered):
    @registered.backend_dispatch(name="tl_score")
    def score(x):
        return x

    assert registered.explain(score, 1).function == "tl_score"
    assert registered.explain("tl_score", 1).function == "tl_score"
    with pytest.raises(TypeError, match="tl_score"):
        registered.explain("tl_scor", 1)
    with pytest.raises(TypeError, match="'score'"):
        registered.explain("score", 1)


def test_a_partial_brings_its_arguments(registered):
    partial = functools.partial(registered.quiet, 1, backend="narrow")
    assert registered.explain(partial, y=2).dropped == ("y",)
    assert registered.explain(partial, 3).dropped == ("y",)
    assert registered.explain(partial, y=2, backend="a").runs_on == "a"
    assert agreed(registered, functools.partial(partial, y=5)).dropped == ("y",)
    assert type(registered.explain(partial, 2, 3).error) is TypeError


def test_wrappers_are_seen_through(registered):
    @functools.wraps(registered.quiet)
    def wrapper(*args, **kwargs):
        return registered.quiet(*args, **kwargs)

    cached = functools.lru_cache(registered.quiet)
    twice = functools.partial(functools.wraps(wrapper)(lambda *args, **kwargs: 0), 1)
    assert agreed(registered, wrapper, 1, y=2, backend="narrow").dropped == ("y",)
    assert agreed(registered, cached, 1, backend="a").runs_on == "a"
    assert registered.explain(twice, y=2, backend="narrow").dropped == ("y",)


@pytest.mark.parametrize(
    "target",
    [len, print, lambda: None, None, 5, object(), type, "", "nonsense", functools.partial(len)],
    ids=lambda target: type(target).__name__,
)
def test_what_is_not_dispatched_is_refused(registered, target):
    with pytest.raises(TypeError, match="host"):
        registered.explain(target)


def test_what_a_function_returned_is_not_printed(registered):
    with pytest.raises(
        TypeError, match=r"does not dispatch 'list' objects; .* not what it returned"
    ):
        registered.explain([0] * 1000)


def test_a_function_itself_underneath_its_proxy_is_not_dispatched(registered):
    with pytest.raises(TypeError, match="does not dispatch"):
        registered.explain(registered.quiet.__wrapped__, 1)


def test_another_hosts_function_is_refused(registered, make_dispatcher):
    other = make_dispatcher(host_name="other", entrypoint_group="other.backends")

    @other.backend_dispatch
    def quiet(x):
        return x

    with pytest.raises(TypeError, match="host does not dispatch"):
        registered.explain(quiet, 1)
    assert other.explain(quiet, 1).runs_on == "cpu"
    with pytest.raises(TypeError, match="other"):
        other.explain(registered.quiet, 1)


def test_a_misspelt_name_gets_the_nearest(registered):
    with pytest.raises(TypeError, match="Did you mean 'quiet'"):
        registered.explain("quite")


def test_the_function_is_needed_and_goes_by_position(registered):
    with pytest.raises(TypeError):
        registered.explain()

    @registered.backend_dispatch
    def takes(function, self=0):
        return function

    assert registered.explain(takes, function=1, self=2).error is None


def test_arguments_are_looked_at_as_the_call_looks_at_them(registered):
    class Strange:
        def __eq__(self, other):
            raise OSError

        __hash__ = None

    assert agreed(registered, registered.quiet, 1, y=Strange(), backend="narrow").dropped == ("y",)


def test_a_function_that_declares_the_selector_itself(registered):
    @registered.backend_dispatch
    def own(x, *, backend=None):
        return x

    assert agreed(registered, own, 1).runs_on == "cpu"
    assert agreed(registered, own, 1, backend="cpu").chosen_by == "call"
    with registered.backend("a", on_missing="host"):
        assert agreed(registered, own, 1).reason == "'a' does not implement own()"


def test_a_host_with_another_keyword(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")
    dispatcher.register(SimpleNamespace(name="a", quiet=lambda x, backend=0: x))

    @dispatcher.backend_dispatch
    def quiet(x, backend=0):
        return "cpu"

    explained = agreed(dispatcher, quiet, 1, backend=5, run_on="a")
    assert (explained.runs_on, explained.dropped, explained.chosen_by) == ("a", (), "call")
    assert "run_on=" in str(explained)
    assert agreed(dispatcher, quiet, 1, backend="a").runs_on == "cpu"
    error = agreed(dispatcher, quiet, 1, run_on="nonsense").error
    assert "run_on=" in str(error)


def test_a_function_with_another_keyword(registered):
    @registered.backend_dispatch(keyword="run_on")
    def other(x, backend=0):
        return x

    explained = agreed(registered, other, 1, run_on="cpu")
    assert (explained.chosen_by, explained.keyword) == ("call", "run_on")
    assert registered.explain(registered.quiet, 1).keyword == "backend"


def test_classes_are_explained_as_functions_are(registered):
    made = []

    @registered.backend_class
    class Model:
        def __init__(self, size):
            made.append(size)

    class Other:
        def __init__(self, size):
            made.append(size)

    registered.register(SimpleNamespace(name="classy", Model=Other))
    assert registered.explain(Model, 1).runs_on == "cpu"
    assert registered.explain("Model", 1, backend="classy").runs_on == "classy"
    assert registered.explain(functools.partial(Model, 1), backend="classy").runs_on == "classy"
    assert made == []
    assert agreed(registered, Model, 1, backend="classy").runs_on == "classy"
    assert agreed(registered, Model, 1, backend="lacks").runs_on == "cpu"
    assert type(agreed(registered, Model, 1, backend="x").error) is backstack.UnknownBackendError
    with registered.backend("lacks", on_missing="error"):
        error = agreed(registered, Model, 1).error
    assert type(error) is backstack.NotImplementedByBackendError


def test_a_class_whose_counterpart_is_none(registered):
    @registered.backend_class
    class Model:
        pass

    registered.register(SimpleNamespace(name="bad", Model=lambda: 0))
    assert type(agreed(registered, Model, backend="bad").error) is TypeError


def test_subclasses_and_instances_of_a_dispatched_class_are_not_dispatched(registered):
    @registered.backend_class
    class Model:
        pass

    class Own(Model):
        pass

    for target in (Own, Model(), Model.__mro__[1]):
        with pytest.raises(TypeError, match="does not dispatch"):
            registered.explain(target)


def test_functions_of_other_kinds_agree_with_their_calls(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    async def later(x, y=1):
        return "cpu"

    async def other(x):
        return "a"

    dispatcher.register(SimpleNamespace(name="a", later=other))
    dispatcher.register(SimpleNamespace(name="lacks"))

    def run(*args, **kwargs):
        return asyncio.run(later(*args, **kwargs))

    functools.update_wrapper(run, later)
    assert agreed(dispatcher, run, 1).runs_on == "cpu"
    assert agreed(dispatcher, run, 1, y=2, backend="a").dropped == ("y",)
    assert agreed(dispatcher, run, 1, backend="lacks").runs_on == "cpu"
    assert type(agreed(dispatcher, run, backend="a").error) is TypeError
    assert type(agreed(dispatcher, run, z=1).error) is TypeError


# -- how it prints -------------------------------------------------------------------------


def test_it_prints_what_there_is_to_tell(registered):
    assert str(registered.explain(registered.quiet, 1)) == (
        "quiet() would run on 'cpu', the host's own implementation.\n"
        "  chosen  'cpu', by the default"
    )
    assert str(registered.explain(registered.quiet, 1, backend="A")) == (
        "quiet() would run on 'a'.\n"
        "  chosen  'a', by the call's backend=\n"
        "  from    an adapter registered by hand"
    )
    with registered.backend("lacks", "narrow"):
        head, *facts = str(registered.explain(registered.quiet, 1, y=2)).splitlines()
    assert head == "quiet() would run on 'narrow'."
    names = [fact.split()[0] for fact in facts if fact.startswith("  ") and fact[2] != " "]
    assert names == ["chosen", "from", "because", "dropped", "warning"]
    assert facts[0].split() == [
        "chosen",
        "'lacks',",
        "then",
        "'narrow',",
        "by",
        "a",
        "'with'",
        "scope",
    ]


def test_long_texts_are_wrapped_and_aligned(registered):
    text = str(registered.explain(registered.quiet, 1, backend="lacks"))
    lines = text.splitlines()
    assert len(lines) > 5
    assert all(len(line) <= 88 for line in lines)
    start = lines[1].index("'lacks'")
    assert all(line[start - 1] == " " and line[start] != " " for line in lines[1:])


def test_notes_of_an_error_are_printed_on_lines_of_their_own(registered):
    with registered.backend("lacks", "off", on_missing="error"):
        explained = registered.explain(registered.quiet, 1)
    (note,) = explained.error.__notes__
    assert note in str(explained)
    assert any(line.strip() == note for line in str(explained).splitlines())
    assert note in explained.as_dict()["error"]


def test_the_html_is_whole_and_escaped(registered, read_html):
    registered.register(
        SimpleNamespace(name="html", is_available=lambda: "no <b> & no </td>", quiet=lambda x: x)
    )
    explained = registered.explain(registered.quiet, 1, backend="html")
    html = read_html(explained._repr_html_())
    assert html.text.strip().startswith("quiet() would raise BackendUnavailableError.")
    assert "error" in html.cells
    assert any("no <b> & no </td>" in cell for cell in html.cells)
    assert read_html(registered.explain(registered.quiet, 1)._repr_html_()).cells


def test_it_goes_into_json(registered):
    with registered.backend("lacks", "narrow"):
        explained = registered.explain(registered.quiet, 1, y=2)
    told = json.loads(json.dumps(explained.as_dict()))
    assert told["chosen"] == ["lacks", "narrow"]
    assert told["dropped"] == ["y"]
    assert told["warnings"] == list(explained.warnings)
    assert told["error"] is None
    told = json.loads(json.dumps(registered.explain("quiet", 1, backend="x").as_dict()))
    assert told["error"].startswith("UnknownBackendError: Unknown backend 'x'")
    assert told["runs_on"] is None


def test_it_keeps_nothing_of_the_arguments(registered):
    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)
    explained = registered.explain(registered.quiet, big, backend="narrow")
    del big
    assert explained.runs_on == "narrow"
    assert alive() is None


# -- in general ----------------------------------------------------------------------------

NAMES = ["has", "narrow", "lacks", "off", "option", "greedy", "positional", "cpu"]


def everybody(policy):
    """A dispatcher with a function, and with a backend for each thing that may happen."""
    dispatcher = BackendDispatcher(
        entrypoint_group="host.none", host_name="host", on_missing=policy, env_var=None
    )

    @dispatcher.backend_dispatch
    def f(x, y=1, *, z=2):
        return "cpu"

    for name, members in {
        "has": {"f": lambda x, y=1, *, z=2: "has"},
        "narrow": {"f": lambda x: "narrow"},
        "lacks": {},
        "off": {"f": lambda x: "off", "is_available": lambda: "no device"},
        "option": {"f": lambda x, *, z=2, speed=1: "option"},
        "greedy": {"f": lambda x, **rest: "greedy"},
        "positional": {"f": lambda y, x, /: "positional"},
    }.items():
        dispatcher.register(SimpleNamespace(name=name, **members))
    return dispatcher, f


@given(
    level=st.sampled_from(["none", "call", "scope", "setting"]),
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    policy=st.sampled_from(["warn", "host", "error"]),
    inner_policy=st.sampled_from([None, "warn", "host", "error"]),
    args=st.lists(st.sampled_from([0, 1, 2]), max_size=3),
    kwargs=st.dictionaries(st.sampled_from(["x", "y", "z", "speed", "u"]), st.integers(1, 2)),
    called=st.sampled_from([None, None, None, "nonsense"]),
)
def test_a_call_does_what_its_explanation_said(
    level, names, policy, inner_policy, args, kwargs, called
):
    dispatcher, f = everybody(policy)
    if level == "call":
        called = names[0]
    if called is not None:
        kwargs = {**kwargs, "backend": called}
    with ExitStack() as entered:
        try:
            if level == "scope":
                entered.enter_context(dispatcher.backend(*names))
            elif level == "setting":
                dispatcher.settings.backend = names
        except backstack.BackendUnavailableError:
            return  # nothing comes to a call
        if inner_policy is not None:
            entered.enter_context(dispatcher.backend(on_missing=inner_policy))
        explained = dispatcher.explain(f, *args, **kwargs)
        call, given, error = really(dispatcher, f, *args, **kwargs)
        again = dispatcher.explain(f, *args, **kwargs)
    event(f"runs on {explained.runs_on}, {type(error).__name__}")
    assert (explained.chosen, explained.chosen_by) == (call.chosen, call.chosen_by)
    assert explained.reason == call.reason
    assert explained.warnings == given
    assert type(explained.error) is type(error)
    if call.ran_on == "cpu" and error is not None:  # Python itself rejected it
        assert explained.runs_on is None
    else:
        assert explained.runs_on == call.ran_on
        assert error_told(explained.error) == error_told(error)
    if explained.runs_on != "cpu" and error is None:
        assert explained.dropped == call.dropped
    assert (again.runs_on, again.dropped) == (explained.runs_on, explained.dropped)
    assert [w for w in again.warnings if w.startswith("Fallback")] == []
    assert set(again.warnings) <= set(explained.warnings)


def test_the_signature_of_explain_leaves_every_keyword_to_the_function(registered):
    kinds = [p.kind for p in inspect.signature(registered.explain).parameters.values()]
    assert kinds == [
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    ]


# -- what an explanation must not change, and what it must see -----------------------------


@pytest.fixture
def plain_f(make_dispatcher):
    """A dispatcher made with some configuration, and a function of it with two arguments."""

    def make(**config):
        dispatcher = make_dispatcher(**config)

        @dispatcher.backend_dispatch
        def f(x=0, y=1):
            return "cpu"

        return dispatcher, f

    return make


ADAPTER = "def f(x=0, y=1):\n    return 'backend'\n"


def test_the_warning_of_a_refused_alias_is_left_for_the_call(plain_f, site):
    site.adapter("bad", "name = 'bad'\naliases = 'oops'\n" + ADAPTER)
    dispatcher, f = plain_f(trusted_backends={"bad": {}})
    assert len(agreed(dispatcher, f, backend="bad").warnings) == 1
    assert dispatcher.explain(f, backend="bad").warnings == ()


def test_the_warning_of_a_conflict_is_left_for_the_call(plain_f, site):
    for name in ("one", "two"):
        site.adapter(name, f"name = '{name}'\naliases = ['z']\n" + ADAPTER)
    dispatcher, f = plain_f(trusted_backends={"one": {}, "two": {}})
    assert len(agreed(dispatcher, f, backend="z").warnings) == 1


def test_the_warning_of_a_preference_in_the_variable_is_left_for_the_call(
    plain_f, site, monkeypatch
):
    site.adapter("broken", "name = 'broken'\nraise OSError('x')\n")
    site.adapter("one", "name = 'one'\n" + ADAPTER)
    monkeypatch.setenv("HOST_BACKEND", "broken,one")
    dispatcher, f = plain_f(trusted_backends={"one": {}, "broken": {}})
    assert len(agreed(dispatcher, f).warnings) == 1


def test_the_warning_of_a_later_preference_is_left_for_the_call(plain_f, site):
    site.adapter("bad", "name = 'bad'\naliases = 'oops'\n" + ADAPTER)
    dispatcher, f = plain_f(trusted_backends={"bad": {}})
    dispatcher.register(SimpleNamespace(name="lacks"))
    with dispatcher.backend("lacks", "bad"):
        assert len(agreed(dispatcher, f).warnings) == 1


def test_a_preference_that_is_passed_over_is_logged_by_the_call_alone(plain_f, caplog):
    caplog.set_level(logging.INFO, "backstack")
    dispatcher, f = plain_f()
    dispatcher.register(SimpleNamespace(name="lacks"))
    dispatcher.register(SimpleNamespace(name="off", is_available=lambda: False))
    dispatcher.register(SimpleNamespace(name="a", f=lambda x=0, y=1: "a"))
    with dispatcher.backend("lacks", "off", "a"):
        caplog.clear()
        assert dispatcher.explain(f).runs_on == "a"
        assert caplog.messages == []
        f()
    assert len(caplog.messages) == 1


def test_calls_that_a_backends_import_makes_really_warn(plain_f, site, monkeypatch):
    site.adapter(
        "caller",
        """
        name = 'caller'
        import host_of_it
        host_of_it.f(1, y=4, backend='narrow')
        def f(x=0, y=1):
            return 'caller'
        """,
    )
    dispatcher, f = plain_f(trusted_backends={"caller": {}})
    monkeypatch.setitem(sys.modules, "host_of_it", SimpleNamespace(f=f))
    dispatcher.register(SimpleNamespace(name="narrow", f=lambda x=0: "narrow"))
    with pytest.warns(backstack.DroppedArgumentWarning):
        told = dispatcher.explain(f, backend="caller")
    assert told.runs_on == "caller"
    assert told.warnings == ()


def test_an_option_at_its_default_hides_no_other_mistake(plain_f):
    dispatcher, f = plain_f()
    dispatcher.register(SimpleNamespace(name="opt", f=lambda x=0, *, speed=1: x))
    with pytest.raises(TypeError):
        f(0, x=1, speed=1)
    assert type(dispatcher.explain(f, 0, x=1, speed=1).error) is TypeError
    assert dispatcher.explain(f, 0, y=1, speed=1).error is None


@pytest.mark.parametrize(
    ("kwargs", "hint"),
    [
        ({"sized": 1}, ". Did you mean 'size'?"),
        ({"SIZE": 1}, ". Did you mean 'size'?"),
        ({"bakend": "cpu"}, ". Did you mean 'backend'?"),
        ({"nothing_like_it": 1}, ""),
        ({"size": 2, "sized": 1}, ". Did you mean 'size'?"),
        ({"firs": 1}, ""),  # that one goes by position
    ],
)
def test_an_unknown_keyword_on_the_host_gets_the_nearest(make_dispatcher, kwargs, hint):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def f(first=0, /, size=1):
        pass

    @dispatcher.backend_dispatch
    def steps(first=0, /, size=1):
        yield

    @dispatcher.backend_class
    class Model:
        def __init__(self, first=0, /, size=1):
            pass

    for function in (f, steps, Model):
        error = dispatcher.explain(function, **kwargs).error
        assert type(error) is TypeError
        unknown = next(name for name in kwargs if name != "size")
        name = function.__name__
        assert str(error) == f"{name}() got an unexpected keyword argument {unknown!r}{hint}"
    with pytest.raises(TypeError) as caught:
        steps(**kwargs, backend="cpu")
    assert str(caught.value) == f"steps() got an unexpected keyword argument {unknown!r}{hint}"


def test_other_mistakes_get_no_such_hint(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def f(x, /, size=1):
        pass

    for args, kwargs in (
        ((), {"sized": 1}),
        ((1, 2, 3), {}),
        ((1, 2), {"size": 1}),
        ((), {"x": 1}),
    ):
        error = dispatcher.explain(f, *args, **kwargs).error
        assert type(error) is TypeError
        assert "Did you mean" not in str(error)


def test_a_class_is_explained_with_its_arguments(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_class
    class Model:
        def __init__(self, a):
            pass

    assert dispatcher.explain(Model, 1).runs_on == "cpu"
    assert type(dispatcher.explain(Model).error) is TypeError


def test_scopes_and_bindings_around_a_function_count(plain_f):
    dispatcher, f = plain_f()
    dispatcher.register(SimpleNamespace(name="a", f=lambda x=0, y=1: "a"))
    scoped = dispatcher.backend("a")(f)
    with dispatcher.backend("a"):
        bound = dispatcher.bind(f)
    for wrapper in (scoped, bound, functools.partial(bound, 1), dispatcher.backend("cpu")(scoped)):
        assert wrapper() == "a"
        assert dispatcher.explain(wrapper).runs_on == "a"
        assert dispatcher.settings.backend == "cpu"
    assert dispatcher.explain(dispatcher.backend("cpu")(f)).runs_on == "cpu"
    missing = dispatcher.explain(dispatcher.backend("nonsense")(f))
    assert type(missing.error) is backstack.UnknownBackendError


def test_what_wraps_itself_is_refused(plain_f):
    def wraps_itself():
        pass

    wraps_itself.__wrapped__ = wraps_itself
    dispatcher, _ = plain_f()
    for endless in (wraps_itself, mock.call):
        with pytest.raises(TypeError, match="host does not dispatch"):
            dispatcher.explain(endless)


class Unprintable:
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


def test_a_selector_that_cannot_be_printed_is_a_bad_one(plain_f):
    dispatcher, f = plain_f()
    assert type(agreed(dispatcher, f, backend=Unprintable()).error) is backstack.BackendNameError


def test_methods_and_replaced_functions_are_explained(plain_f):
    dispatcher, f = plain_f()

    class C:
        method = f

    assert C().method() == "cpu"
    assert dispatcher.explain(C().method).runs_on == "cpu"
    assert type(dispatcher.explain(C().method, 1, 2).error) is TypeError

    def cell():
        @dispatcher.backend_dispatch
        def g():
            return "cpu"

        return g

    old, new = cell(), cell()
    assert dispatcher.explain(old).runs_on == dispatcher.explain(new).runs_on == "cpu"
