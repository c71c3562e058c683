"""A host's tests run on a backend, an adapter looked at, and a host run on itself."""

import asyncio
import contextlib
import copy
import dataclasses
import functools
import importlib
import inspect
import pickle
import re
import sys
import threading
import typing
import unittest
import warnings
from types import ModuleType, SimpleNamespace

import pytest

import backstack
from backstack.testing import check_adapter, loopback, run_conformance

GUARDED = {
    "pinned": {"distributions": ["the-real-one"]},
    "absent": {"package": "absent-package"},
    "some": {"distributions": ["some-dist"]},
    "broken": {"distributions": ["broken-dist"]},
    "away": {"distributions": ["away-dist"]},
}


@pytest.fixture
def host(make_dispatcher):
    """A host of three functions; `double` and `half` have tests."""
    dispatcher = make_dispatcher(
        trusted_backends=GUARDED, reserved_backends={"gpu": "Choose a concrete one."}
    )

    @dispatcher.backend_dispatch
    def double(x):
        return x + x

    @dispatcher.backend_dispatch
    def half(x):
        return x / 2

    @dispatcher.backend_dispatch
    async def fetch(x):
        return x

    def test_double(backend):
        assert double(4, backend=backend) == 8

    def test_half(backend):
        assert half(4, backend=backend) == 2

    return SimpleNamespace(
        dispatcher=dispatcher,
        double=double,
        half=half,
        fetch=fetch,
        tests={"double": test_double, "half": test_half},
    )


@pytest.fixture
def run(host):
    """Runs the host's tests, or others, on a backend; failures are not raised."""

    def run(name="fast", tests=None, **options):
        options = {"dispatcher": host.dispatcher, "raise_on_failure": False, **options}
        return run_conformance(backend_name=name, tests=tests or host.tests, **options)

    return run


def fast(**more):
    return SimpleNamespace(
        **{
            "name": "fast",
            "aliases": ["quick"],
            "double": lambda x: x * 2,
            "half": lambda x: x * 0.5,
            **more,
        }
    )


# -- conformance ---------------------------------------------------------------------------


def test_what_passes_and_what_the_backend_lacks(host, run):
    adapter = SimpleNamespace(name="fast", double=lambda x: x * 2)
    with host.dispatcher.register(adapter):
        results = run()
    assert results["double"] == "PASSED"
    assert results["half"].startswith("SKIPPED (")
    assert "half" in results["half"]
    assert list(results) == ["double", "half"]


@pytest.mark.parametrize("how", ["dispatcher", "get_backend", "settings", "a dictionary"])
def test_the_backend_is_found_by_the_dispatcher_or_by_a_callable(host, how):
    adapter = fast()
    found = {
        "dispatcher": {"dispatcher": host.dispatcher},
        "get_backend": {"get_backend": host.dispatcher.get_backend},
        "settings": {"get_backend": host.dispatcher.settings.get_backend},
        "a dictionary": {"get_backend": {"fast": adapter}.get},
    }[how]
    with host.dispatcher.register(adapter):
        results = run_conformance(backend_name="fast", tests=host.tests, **found)
    assert results == {"double": "PASSED", "half": "PASSED"}


def test_an_installed_backend_is_loaded_and_tested(site, host, run):
    site.adapter("fast", "name = 'fast'\ndef double(x): return x * 2\n")
    with pytest.warns(backstack.BackstackWarning, match="fast"):
        assert run()["double"] == "PASSED"


def test_tests_are_given_the_name_that_was_asked_for(host, run):
    given = []

    def test_double(backend):
        given.append(backend)
        host.double(1, backend=backend)

    with host.dispatcher.register(fast()):
        assert run("quick", {"double": test_double}) == {"double": "PASSED"}
    assert given == ["quick"]


def test_names_that_are_not_exported_are_skipped(host, run):
    with host.dispatcher.register(fast(__all__=["double"])):
        assert run()["half"].startswith("SKIPPED")
    with host.dispatcher.register(fast(half=None)):
        assert run()["half"].startswith("SKIPPED")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (AssertionError("three is not four"), "three is not four"),
        (ZeroDivisionError("by nothing"), "ZeroDivisionError: by nothing"),
        (KeyError("key"), "KeyError: 'key'"),
        (ValueError(), f"ValueError at {__file__}:"),
        (AssertionError(), f"AssertionError at {__file__}:"),
    ],
)
def test_what_a_failure_says(host, run, raised, told):
    def test_double(backend):
        host.double(1, backend=backend)
        raise raised

    with host.dispatcher.register(fast()):
        results = run(tests={"double": test_double})
    assert re.sub(r"(?<=:)[0-9]+$", "", results["double"]) == f"FAILED: {told}"


def test_the_first_failure_is_raised_when_all_tests_have_run(host):
    ran = []

    def failing(name):
        def test(backend):
            ran.append(name)
            host.double(1, backend=backend)
            raise LookupError(f"{name} is wrong")

        return test

    def test_half(backend):
        host.half(1, backend=backend)
        ran.append("half")

    tests = {"double": failing("double"), "fetch": failing("fetch"), "half": test_half}
    with host.dispatcher.register(fast(fetch=lambda x: x)), pytest.raises(LookupError) as caught:
        run_conformance(backend_name="fast", tests=tests, dispatcher=host.dispatcher)
    assert str(caught.value) == "double is wrong"
    notes = "\n".join(caught.value.__notes__)
    assert "double" in notes
    assert "'fast'" in notes
    assert "fetch" in notes
    assert "fetch is wrong" in notes
    assert ran == ["double", "fetch", "half"]


def test_without_raising_all_failures_are_told(host, run):
    tests = {"double": lambda backend: 1 / 0, "half": host.tests["half"]}
    with host.dispatcher.register(fast()):
        assert run(tests=tests) == {
            "double": "FAILED: ZeroDivisionError: division by zero",
            "half": "PASSED",
        }


def test_an_error_of_the_backend_is_a_failure(host, run):
    def double(x):
        raise MemoryError("out of memory")

    with host.dispatcher.register(fast(double=double)):
        results = run()
    assert results == {"double": "FAILED: MemoryError: out of memory", "half": "PASSED"}


def test_an_error_that_the_test_expects_is_none(host, run):
    def double(x):
        raise ValueError(x)

    def test_double(backend):
        with pytest.raises(ValueError):
            host.double(1, backend=backend)

    with host.dispatcher.register(fast(double=double)):
        assert run(tests={"double": test_double}) == {"double": "PASSED"}


# -- nothing ran ---------------------------------------------------------------------------


def test_a_test_that_forgets_the_backend_fails(host, run):
    def test_double(backend):
        assert host.double(4) == 8

    with host.dispatcher.register(fast()):
        results = run(tests={"double": test_double})
    assert results == {"double": "FAILED: nothing ran on fast"}


def test_a_test_that_forgets_the_backend_fails_by_raising(host):
    with host.dispatcher.register(fast()), pytest.raises(AssertionError, match="nothing ran on"):
        run_conformance(
            backend_name="fast",
            tests={"double": lambda backend: host.double(4)},
            dispatcher=host.dispatcher,
        )


@pytest.mark.filterwarnings("ignore::backstack.errors.FallbackWarning")
def test_a_backend_that_declines_every_call_does_not_pass(host, run):
    with host.dispatcher.register(fast(double=lambda x: NotImplemented)):
        results = run()
    told = "nothing ran on fast: 'fast' declined this call of double()"
    assert results == {"double": f"FAILED: {told}", "half": "PASSED"}


@pytest.mark.filterwarnings("ignore::backstack.errors.FallbackWarning")
def test_who_declined_what_is_told_once_each(host, run):
    declining = fast(double=lambda x: NotImplemented, half=lambda x: NotImplemented)

    def test_double(backend):
        for _ in range(3):
            host.double(4, backend=backend)
        host.half(4, backend="quick")
        host.half(4)

    with host.dispatcher.register(declining):
        results = run(tests={"double": test_double})
    assert results == {
        "double": "FAILED: nothing ran on fast: 'fast' declined this call of double(); 'fast' "
        "declined this call of half()"
    }


def test_one_call_that_is_not_declined_is_enough(host, run):
    def test_double(backend):
        with host.dispatcher.backend(on_missing="host"):
            assert host.double(4, backend=backend) == host.double(5, backend=backend) - 2

    adapter = fast(double=lambda x: NotImplemented if x == 4 else x * 2)
    with host.dispatcher.register(adapter):
        assert run(tests={"double": test_double}) == {"double": "PASSED"}


def test_what_another_backend_declined_is_not_told(host, run):
    other = SimpleNamespace(name="other", double=lambda x: NotImplemented)

    def test_double(backend):
        with host.dispatcher.backend("other", on_missing="host"):
            host.double(4)

    with host.dispatcher.register(fast()), host.dispatcher.register(other):
        results = run(tests={"double": test_double})
    assert results == {"double": "FAILED: nothing ran on fast"}


def test_what_ran_on_another_backend_does_not_count(host, run):
    other = SimpleNamespace(name="other", double=lambda x: x * 2)

    def test_double(backend):
        host.double(4, backend="other")

    with host.dispatcher.register(fast()), host.dispatcher.register(other):
        results = run(tests={"double": test_double})
    assert results == {"double": "FAILED: nothing ran on fast"}


def test_the_last_tests_calls_do_not_count_for_the_next(host, run):
    tests = {"double": host.tests["double"], "half": lambda backend: None}
    with host.dispatcher.register(fast()):
        assert run(tests=tests) == {"double": "PASSED", "half": "FAILED: nothing ran on fast"}


def test_without_a_dispatcher_nobody_can_tell_what_ran(host):
    results = run_conformance(
        backend_name="fast", tests={"double": lambda backend: None}, get_backend=lambda name: fast()
    )
    assert results == {"double": "PASSED"}


def test_a_test_that_fails_by_itself_says_why_and_not_that_nothing_ran(host, run):
    def test_double(backend):
        raise AssertionError("my own reason")

    with host.dispatcher.register(fast()):
        assert run(tests={"double": test_double}) == {"double": "FAILED: my own reason"}


@pytest.mark.parametrize("way", ["scope", "setting", "thread", "alias", "task"])
def test_however_the_backend_is_chosen_it_counts(host, run, way):
    def test_double(backend):
        if way == "scope":
            with host.dispatcher.backend(backend):
                host.double(1)
        elif way == "setting":
            host.dispatcher.settings.backend = backend
            try:
                host.double(1)
            finally:
                host.dispatcher.settings.backend = None
        elif way == "thread":
            thread = threading.Thread(target=host.double, args=(1,), kwargs={"backend": backend})
            thread.start()
            thread.join()
        elif way == "task":
            asyncio.run(asyncio.to_thread(host.double, 1, backend=backend))
        else:
            host.double(1, backend="quick")

    with host.dispatcher.register(fast()):
        assert run(tests={"double": test_double}) == {"double": "PASSED"}


def test_a_run_inside_a_trace_leaves_the_trace_whole(host, run):
    with host.dispatcher.register(fast()), host.dispatcher.trace() as calls:
        run()
        host.double(1)
    assert [(call.function, call.ran_on) for call in calls] == [
        ("double", "fast"),
        ("half", "fast"),
        ("double", "cpu"),
    ]


# -- tests of other kinds ------------------------------------------------------------------


def test_coroutine_functions_run_to_their_end(host, run):
    async def fetch_fast(x):
        await asyncio.sleep(0)
        return -x

    async def test_fetch(backend):
        assert await host.fetch(1, backend=backend) == -1

    async def test_double(backend):
        await asyncio.sleep(0)
        assert host.double(1, backend=backend) == 3, "two is not three"

    with host.dispatcher.register(fast(fetch=fetch_fast)):
        results = run(tests={"fetch": test_fetch, "double": test_double})
    assert results["fetch"] == "PASSED"
    assert "two is not three" in results["double"]
    assert results["double"].startswith("FAILED: ")


def test_a_coroutine_test_can_skip_itself(host, run):
    async def test_double(backend):
        raise unittest.SkipTest("not on Sundays")

    with host.dispatcher.register(fast()):
        assert run(tests={"double": test_double}) == {"double": "SKIPPED (not on Sundays)"}


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_test_that_yields_has_not_run_and_does_not_pass(host, run, kind):
    def in_steps(backend):
        yield host.double(1, backend=backend)

    async def in_async_steps(backend):
        yield host.double(1, backend=backend)

    test = in_steps if kind == "generator" else in_async_steps
    with host.dispatcher.register(fast()):
        assert run(tests={"double": test})["double"].startswith("FAILED: ")


@pytest.mark.parametrize(
    ("reason", "told"), [("no device", "SKIPPED (no device)"), ("", "SKIPPED (no reason given)")]
)
def test_a_test_may_skip_itself_as_in_unittest(host, run, reason, told):
    def test_double(backend):
        raise unittest.SkipTest(reason)

    with host.dispatcher.register(fast()):
        assert run(tests={"double": test_double}) == {"double": told}


def test_a_test_that_unittest_skips_by_decorator_is_skipped(host, run):
    test = unittest.skip("not yet")(host.tests["double"])
    with host.dispatcher.register(fast()):
        assert run(tests={"double": test}) == {"double": "SKIPPED (not yet)"}


def test_a_failure_in_the_way_of_pytest_is_told_and_raised(host, run):
    def test_double(backend):
        pytest.fail("by pytest")

    with host.dispatcher.register(fast()):
        assert "by pytest" in run(tests={"double": test_double})["double"]
        with pytest.raises(pytest.fail.Exception, match="by pytest"):
            run(tests={"double": test_double}, raise_on_failure=True)


def test_methods_partials_and_callable_objects_are_tests(host, run):
    class Tests(unittest.TestCase):
        def double(self, backend):
            self.assertEqual(host.double(2, backend=backend), 4)  # noqa: PT009 - a test as it may be

    class Callable:
        def __call__(self, backend):
            assert host.half(2, backend=backend) == 1

    def of_both(expected, backend):
        assert host.double(2, backend=backend) == expected

    with host.dispatcher.register(fast()):
        tests = {"double": Tests().double, "half": Callable()}
        assert run(tests=tests) == {"double": "PASSED", "half": "PASSED"}
        tests = {"double": functools.partial(of_both, 5)}
        assert run(tests=tests)["double"].startswith("FAILED: ")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_program_ends_the_run(host, run, error):
    ran = []

    def test_double(backend):
        raise error()

    tests = {"double": test_double, "half": ran.append}
    with host.dispatcher.register(fast()), pytest.raises(error):
        run(tests=tests)
    assert not ran


def test_an_interrupt_leaves_no_trace_behind(host, run):
    def test_double(backend):
        raise KeyboardInterrupt

    with host.dispatcher.register(fast()):
        with pytest.raises(KeyboardInterrupt):
            run(tests={"double": test_double})
        assert run() == {"double": "PASSED", "half": "PASSED"}


# -- what must not look like success -------------------------------------------------------


def test_only_the_functions_that_are_asked_for_are_tested(host, run):
    with host.dispatcher.register(fast()):
        assert run(functions=["half"]) == {"half": "PASSED"}
        assert list(run(functions=["half", "double"])) == ["half", "double"]
        assert list(run(functions=iter(("double", "double")))) == ["double"]
        assert run(functions={"half": None}) == {"half": "PASSED"}


@pytest.mark.parametrize("functions", ["double", "", b"double"])
def test_a_bare_string_is_no_list_of_functions(host, run, functions):
    with host.dispatcher.register(fast()), pytest.raises(ValueError, match="functions"):
        run(functions=functions)


@pytest.mark.parametrize("functions", [[], (), set(), [""], [None], [5], ["double", ""]])
def test_empty_names_and_none_at_all_are_refused(host, run, functions):
    with host.dispatcher.register(fast()), pytest.raises(ValueError, match="functions"):
        run(functions=functions)


def test_a_function_without_a_test_is_refused_with_the_nearest(host, run):
    with host.dispatcher.register(fast()):
        with pytest.raises(ValueError, match=r"'dubble'.*Did you mean 'double'"):
            run(functions=["dubble"])
        with pytest.raises(ValueError, match="'fetch'"):
            run(functions=["fetch"])


@pytest.mark.parametrize(
    "tests", [None, {}, [], "double", {"": print}, {1: print}, {"double": None}, {"double": "x"}]
)
def test_tests_that_are_none_are_refused(host, tests):
    with host.dispatcher.register(fast()), pytest.raises(ValueError, match="tests"):
        run_conformance(backend_name="fast", tests=tests, dispatcher=host.dispatcher)


def test_a_test_of_a_function_that_the_host_does_not_have_is_refused(host, run):
    with host.dispatcher.register(fast()):
        with pytest.raises(ValueError, match=r"'dubble'.*Did you mean 'double'"):
            run(tests={"dubble": print})


def test_only_the_tests_that_are_asked_for_have_to_be_of_known_functions(host, run):
    tests = {**host.tests, "of_the_next_release": print}
    with host.dispatcher.register(fast()):
        assert run(tests=tests, functions=["double"]) == {"double": "PASSED"}


@pytest.mark.parametrize("name", ["fst", "cpu", "", None, 5, "gpu", "absent"])
@pytest.mark.parametrize("by", ["dispatcher", "get_backend"])
def test_a_backend_that_is_none_is_refused(host, name, by):
    found = {
        "dispatcher": {"dispatcher": host.dispatcher},
        "get_backend": {"get_backend": host.dispatcher.get_backend},
    }[by]
    with host.dispatcher.register(fast()), pytest.raises(ValueError):
        run_conformance(backend_name=name, tests=host.tests, **found)


def test_a_callable_that_finds_nothing_is_an_unknown_backend(host):
    with pytest.raises(ValueError, match="'fst'"):
        run_conformance(backend_name="fst", tests=host.tests, get_backend={"fast": fast()}.get)


def test_just_one_of_dispatcher_and_callable_is_given(host):
    with host.dispatcher.register(fast()):
        with pytest.raises(ValueError, match="get_backend and dispatcher"):
            run_conformance(backend_name="fast", tests=host.tests)
        with pytest.raises(ValueError, match="get_backend and dispatcher"):
            run_conformance(
                backend_name="fast",
                tests=host.tests,
                dispatcher=host.dispatcher,
                get_backend=host.dispatcher.get_backend,
            )


@pytest.mark.parametrize("value", ["host", "", 5, backstack.BackendDispatcher, [1]])
def test_what_is_no_dispatcher_is_refused(value):
    told = f"dispatcher must be the host's BackendDispatcher, not {value!r}"
    ran = []
    for misuse in (
        lambda: check_adapter(value, "fast"),
        lambda: check_adapter(value, "cpu"),
        lambda: loopback(value),
        lambda: run_conformance(
            backend_name="fast", tests={"double": ran.append}, dispatcher=value
        ),
    ):
        with pytest.raises(ValueError) as caught:
            misuse()
        assert str(caught.value) == told
    assert not ran


def test_a_module_in_place_of_its_dispatcher_is_told_which_that_is(site):
    source = "import backstack\nNAME = backstack.BackendDispatcher(entrypoint_group='a.b', "
    source += "host_name='a')\n"
    site.write(
        {
            "plain_host/__init__.py": "",
            "plain_host/late.py": source,
            "deep_host/__init__.py": "from . import inner\n",
            "deep_host/inner.py": source.replace("NAME", "dispatcher"),
            "two_hosts.py": source.replace("NAME", "a") + source.replace("NAME", "b"),
        }
    )
    for name, told in {
        "plain_host": "",
        "deep_host": "; its dispatcher is deep_host.inner.dispatcher",
        "two_hosts": "; its dispatchers are two_hosts.a, two_hosts.b",
    }.items():
        module = importlib.import_module(name)
        for misuse in (
            lambda module=module: check_adapter(module, "fast"),
            lambda module=module: run_conformance(
                backend_name="fast", tests={"double": print}, dispatcher=module
            ),
        ):
            with pytest.raises(ValueError) as caught:
                misuse()
            wanted = "dispatcher must be the host's BackendDispatcher, not the module"
            assert str(caught.value) == f"{wanted} {name}{told}"
    assert "plain_host.late" not in site.imported()


def test_an_unknown_backend_gets_the_nearest(host, run):
    with host.dispatcher.register(fast()):
        with pytest.raises(ValueError) as caught:
            run("fats")
        assert str(caught.value) == "there is no backend 'fats' to test. Did you mean 'fast'?"
        with pytest.raises(ValueError) as caught:
            run("zzz")
        assert str(caught.value) == "there is no backend 'zzz' to test"


def test_a_dispatcher_of_a_kind_of_its_own_is_one(host):
    class Dispatcher(backstack.BackendDispatcher):
        pass

    dispatcher = Dispatcher(entrypoint_group="host.backends", host_name="host")
    with dispatcher.register(loopback(dispatcher)):
        assert check_adapter(dispatcher, "loopback") is not None


def test_arguments_are_given_by_name_alone(host):
    with pytest.raises(TypeError):
        run_conformance("fast", host.tests, host.dispatcher)


@pytest.mark.parametrize(
    ("name", "source", "error"),
    [
        ("broken", "name = 'broken'\nraise OSError('no')\n", backstack.errors.BackendLoadError),
        ("pinned", "name = 'pinned'\n", backstack.errors.UntrustedBackendError),
        (
            "away",
            "name = 'away'\ndef is_available(): return 'no device'\n",
            backstack.errors.BackendUnavailableError,
        ),
    ],
)
def test_a_backend_that_is_there_and_fails_raises_as_selecting_it(site, run, name, source, error):
    site.adapter(name, source)
    with pytest.raises(error, match=name):
        run(name)


def test_nothing_is_run_if_the_call_is_wrong(host, run):
    ran = []
    tests = {"double": ran.append, "half": None}
    with host.dispatcher.register(fast()):
        with pytest.raises(ValueError):
            run(tests=tests)
        with pytest.raises(ValueError):
            run("fst", {"double": ran.append})
    assert not ran


def test_a_nominal_backend_that_hands_back_to_the_host_passes(host, run):
    adapter = fast(double=lambda x: host.double(x, backend="cpu"))
    with host.dispatcher.register(adapter):
        assert run(functions=["double"]) == {"double": "PASSED"}


def test_classes_generators_and_renamed_selectors_are_tested_as_well(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")

    @dispatcher.backend_class
    class Model:
        pass

    @dispatcher.backend_dispatch
    def steps(n):
        yield from range(n)

    class FastModel:
        pass

    def fast_steps(n):
        yield from "x" * n

    def test_model(backend):
        assert isinstance(Model(run_on=backend), FastModel)

    def test_steps(backend):
        assert list(steps(2, run_on=backend)) == ["x", "x"]

    adapter = SimpleNamespace(name="fast", Model=FastModel, steps=fast_steps)
    with dispatcher.register(adapter):
        results = run_conformance(
            backend_name="fast",
            tests={"Model": test_model, "steps": test_steps},
            dispatcher=dispatcher,
        )
    assert results == {"Model": "PASSED", "steps": "PASSED"}


# -- an adapter, looked at -----------------------------------------------------------------


def test_an_adapter_that_is_well_made_has_no_findings(host):
    with host.dispatcher.register(fast()):
        findings = check_adapter(host.dispatcher, "fast")
        assert findings == check_adapter(host.dispatcher, "quick")
    assert findings.ok
    assert not findings


def test_findings_are_sorted_and_say_how_bad_they_are(host):
    adapter = fast(double=lambda y: y, half=lambda x, size: x)
    with host.dispatcher.register(adapter):
        findings = check_adapter(host.dispatcher, "fast")
    order = ["error", "warning", "note"]
    severities = [finding.severity for finding in findings]
    assert severities == sorted(severities, key=order.index)
    assert severities[0] == "error"
    assert not findings.ok
    assert {finding.function for finding in findings} == {"double", "half"}
    assert "severity" in str(findings)


def test_an_adapter_is_looked_at_without_calling_its_functions(host):
    called = []
    with host.dispatcher.register(fast(double=called.append, half=lambda x: called.append(x))):
        check_adapter(host.dispatcher, "fast")
    assert not called


class Selfless:
    name = "fast"

    def double(x):
        pass

    def half(x, **more):
        pass


class SelflessForAnything:
    name = "fast"

    def double(x, *args, **kwargs):
        pass

    def half(self, x):
        pass


class WellMade:
    name = "fast"

    def double(self, x):
        pass

    @staticmethod
    def half(x):
        pass


def test_methods_without_self_are_found(host):
    found = {}
    for adapter in (Selfless, SelflessForAnything, WellMade):
        with host.dispatcher.register(adapter):
            findings = check_adapter(host.dispatcher, "fast")
        found[adapter] = [(f.severity, f.code, f.function) for f in findings]
        for finding in findings:
            assert finding.message == (
                "Its 'x' is passed the adapter itself, as a method's first parameter: add "
                "'self', or @staticmethod."
            )
    assert found == {
        Selfless: [("error", "no-self", "double"), ("error", "no-self", "half")],
        SelflessForAnything: [("error", "no-self", "double")],
        WellMade: [],
    }


def test_what_such_a_method_lacks_besides_is_found_as_well(host):
    @host.dispatcher.backend_dispatch
    def scale(data, factor, size=1):
        pass

    class Adapter:
        name = "fast"

        def scale(data, size=1):
            pass

    with host.dispatcher.register(Adapter):
        findings = check_adapter(host.dispatcher, "fast")
    assert [finding.code for finding in findings] == ["no-self", "missing-parameter"]
    assert "'factor'" in findings[1].message


def test_a_parameter_called_as_the_hosts_args_is_found(host):
    @host.dispatcher.backend_dispatch
    def stack(*points):
        pass

    told = "It cannot take what a call gives for *points: it has "
    for own, instead in (
        (lambda points=(): None, "'points', but not '*points'."),
        (lambda: None, "no *args where the host's *points is."),
    ):
        with host.dispatcher.register(fast(stack=own)):
            messages = [finding.message for finding in check_adapter(host.dispatcher, "fast")]
        assert told + instead in messages


def test_an_installed_adapter_is_loaded_to_be_looked_at(site, host):
    site.adapter("some", "name = 'some'\ndef double(x): return x\n")
    findings = check_adapter(host.dispatcher, "some")
    assert findings.ok
    assert "some_adapter" in sys.modules


@pytest.mark.parametrize(
    ("name", "source", "code"),
    [
        ("broken", "name = 'broken'\nraise OSError('no')\n", "load-failed"),
        ("pinned", "name = 'pinned'\nraise OSError('it was imported')\n", "untrusted"),
        (
            "away",
            "name = 'away'\ndef double(x): return x\ndef is_available(): return 'no device'\n",
            "unavailable",
        ),
    ],
)
def test_what_cannot_be_used_is_a_finding_and_raises_nothing(site, host, name, source, code):
    site.adapter(name, source)
    findings = check_adapter(host.dispatcher, name)
    assert code in [finding.code for finding in findings]
    assert not findings.ok
    assert "it was imported" not in str(findings)


def test_the_host_itself_is_no_adapter(host):
    with pytest.raises(ValueError, match="cpu"):
        check_adapter(host.dispatcher, "cpu")


def test_names_that_nobody_has_are_errors_with_the_nearest(host):
    with host.dispatcher.register(fast()):
        with pytest.raises(backstack.errors.UnknownBackendError, match="Did you mean 'fast'"):
            check_adapter(host.dispatcher, "fsat")
        with pytest.raises(ValueError):
            check_adapter(host.dispatcher, "")


def test_a_name_that_is_listed_and_not_installed_says_what_to_install(host):
    with pytest.raises(backstack.errors.BackendNotInstalledError, match="absent-package"):
        check_adapter(host.dispatcher, "absent")


def test_what_is_decorated_when_it_is_asked_counts(host):
    with host.dispatcher.register(fast(later=lambda x: x)):

        @host.dispatcher.backend_dispatch
        def later(x, y):
            return x

        findings = check_adapter(host.dispatcher, "fast")
    assert [(finding.function, finding.code) for finding in findings] == [
        ("later", "missing-parameter")
    ]


# -- loopback ------------------------------------------------------------------------------


@pytest.fixture
def looped(make_dispatcher):
    """A dispatcher with its loopback registered, and a call that says where it ran."""
    dispatcher = make_dispatcher(on_missing="error")

    def on_loopback(function, *args, **kwargs):
        with dispatcher.backend("loopback"), dispatcher.trace() as calls:
            result = function(*args, **kwargs)
        assert calls[0].ran_on == "loopback"
        return result

    with dispatcher.register(loopback(dispatcher)):
        yield SimpleNamespace(dispatcher=dispatcher, call=on_loopback)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((1, 2), {}),
        ((1,), {"b": 2}),
        ((1, 2, 3, 4), {}),
        ((1, 2, 3), {"key": 5, "other": 6}),
        ((1, 2), {"a": 7}),
        ((1, 2), {"key": None}),
    ],
)
def test_arguments_of_every_kind_come_through_loopback_as_they_are(looped, args, kwargs):
    @looped.dispatcher.backend_dispatch
    def everything(a, /, b, *rest, key=3, **more):
        return a, b, rest, key, more

    assert looped.call(everything, *args, **kwargs) == everything(*args, **kwargs)


def test_arguments_come_through_loopback_as_the_same_objects(looped):
    @looped.dispatcher.backend_dispatch
    def same(value, default=[], *, key=None):  # noqa: B006 - that it is the same is what is tested
        return value, default, key

    value, key = object(), object()
    assert looped.call(same, value, key=key)[0] is value
    assert looped.call(same, value, key=key)[2] is key
    assert looped.call(same, value)[1] is same(value)[1]


def test_coroutine_functions_and_generators_work_by_loopback(looped):
    @looped.dispatcher.backend_dispatch
    async def fetch(x):
        await asyncio.sleep(0)
        return x + 1

    @looped.dispatcher.backend_dispatch
    def steps(n):
        sent = yield n
        try:
            yield sent
        finally:
            sent.append("closed")

    @looped.dispatcher.backend_dispatch
    async def async_steps(n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i

    async def all_of(steps):
        return [i async for i in steps]

    assert asyncio.run(looped.call(fetch, 1)) == 2
    stepping, sent = looped.call(steps, 1), []
    assert next(stepping) == 1
    assert stepping.send(sent) is sent
    stepping.close()
    assert sent == ["closed"]
    assert asyncio.run(all_of(looped.call(async_steps, 3))) == [0, 1, 2]


def test_errors_come_through_loopback_unchanged(looped):
    error = LookupError("mine")

    @looped.dispatcher.backend_dispatch
    def fail():
        raise error

    with pytest.raises(LookupError) as caught:
        looped.call(fail)
    assert caught.value is error
    assert not getattr(error, "__notes__", None)


def test_hosts_that_declare_the_selector_work_by_loopback(looped):
    @looped.dispatcher.backend_dispatch
    def declared(x, *, backend: str | None = None):
        return x, backend

    @looped.dispatcher.backend_dispatch(keyword="run_on")
    def draw(x, backend="agg"):
        return x, backend

    assert looped.call(declared, 1) == (1, None)
    assert declared(1, backend="loopback") == (1, None)
    assert looped.call(draw, 1) == (1, "agg")
    assert looped.call(draw, 1, backend="svg") == (1, "svg")
    assert draw(1, "svg", run_on="loopback") == (1, "svg")


def test_a_host_whose_selector_has_another_name_works_by_loopback(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")

    @dispatcher.backend_dispatch
    def draw(x, backend="agg"):
        return x, backend

    with dispatcher.register(loopback(dispatcher)), dispatcher.trace() as calls:
        assert draw(1, backend="svg", run_on="loopback") == (1, "svg")
    assert calls[0].ran_on == "loopback"


def test_functions_that_go_by_another_name_work_by_loopback(looped):
    @looped.dispatcher.backend_dispatch(name="tl_score")
    def score(x):
        return x

    assert looped.call(score, 1) == 1


def test_decorators_below_and_above_run_once_by_loopback(looped):
    ran = []

    def noting(where):
        def decorate(function):
            @functools.wraps(function)
            def noted(*args, **kwargs):
                ran.append(where)
                return function(*args, **kwargs)

            return noted

        return decorate

    @noting("above")
    @looped.dispatcher.backend_dispatch
    @noting("below")
    def double(x):
        ran.append("body")
        return x + x

    assert looped.call(double, 2) == 4
    assert ran == ["above", "below", "body"]


def test_caches_and_partials_work_by_loopback(looped):
    ran = []

    @looped.dispatcher.backend_dispatch
    @functools.lru_cache
    def cached(x):
        ran.append(x)
        return x

    part = looped.dispatcher.backend_dispatch(name="part")(
        functools.partial(lambda a, b, c=3: (a, b, c), 1)
    )
    assert looped.call(cached, 2) == looped.call(cached, 2) == 2
    assert ran == [2]
    assert looped.call(part, 2, c=4) == (1, 2, 4)


def test_what_the_host_calls_inside_runs_by_loopback_as_well(looped):
    @looped.dispatcher.backend_dispatch
    def inner(x):
        return x

    @looped.dispatcher.backend_dispatch
    def factorial(n):
        return 1 if n < 2 else inner(n) * factorial(n - 1)

    with looped.dispatcher.backend("loopback"), looped.dispatcher.trace() as calls:
        assert factorial(4) == 24
    assert {call.ran_on for call in calls} == {"loopback"}
    assert len(calls) == 7


def test_warnings_of_the_host_point_at_its_caller_by_loopback(looped):
    @looped.dispatcher.backend_dispatch
    def old(x):
        warnings.warn("old is old", DeprecationWarning, stacklevel=2)

    with looped.dispatcher.backend("loopback"):
        with pytest.warns(DeprecationWarning, match="old is old") as caught:
            old(1)
    assert caught[0].filename == __file__


def test_functions_decorated_later_are_there_and_deleted_ones_are_gone(looped):
    @looped.dispatcher.backend_dispatch
    def first(x):
        return x

    assert looped.call(first, 1) == 1

    @looped.dispatcher.backend_dispatch
    def later(x):
        return x

    assert looped.call(later, 1) == 1
    adapter = looped.dispatcher.get_backend("loopback")
    assert hasattr(adapter, "later")
    del later
    assert not hasattr(adapter, "later")
    assert not hasattr(adapter, "never")


def test_a_function_of_a_submodule_that_is_imported_later_runs_by_loopback(site):
    site.write(
        {
            "lazyhost/__init__.py": """
                from backstack import BackendDispatcher
                dispatcher = BackendDispatcher(
                    entrypoint_group="lazyhost.backends", host_name="lazyhost", on_missing="error"
                )
                def __getattr__(name):
                    if name != "late":
                        raise AttributeError(name)
                    import importlib
                    return importlib.import_module("lazyhost.late")
            """,
            "lazyhost/late.py": """
                from . import dispatcher
                @dispatcher.backend_dispatch
                def compute(x): return x + 1
            """,
        }
    )
    import lazyhost

    dispatcher = lazyhost.dispatcher
    with dispatcher.register(loopback(dispatcher)), dispatcher.backend("loopback"):
        with dispatcher.trace() as calls:
            assert lazyhost.late.compute(1) == 2
    assert calls[0].ran_on == "loopback"


def test_a_function_that_is_decorated_again_runs_anew_by_loopback(looped):
    def decorated(value):
        @looped.dispatcher.backend_dispatch
        def compute():
            return value

        return compute

    assert looped.call(decorated(1)) == 1
    assert looped.call(decorated(2)) == 2


def test_the_adapter_shows_what_it_is_and_can_be_copied(looped):
    adapter = loopback(looped.dispatcher)
    assert adapter.name == "loopback"
    assert "loopback" in repr(adapter)
    assert copy.copy(adapter).name == "loopback"


def test_signatures_and_docstrings_are_the_same_with_loopback(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def double(x, size=1):
        """Double it.

        Parameters
        ----------
        x : int
            What.
        """

    before = inspect.signature(double), double.__doc__
    with dispatcher.register(loopback(dispatcher)):
        dispatcher.discover()
        double(1, backend="loopback")
        assert (inspect.signature(double), double.__doc__) == before


def test_two_hosts_have_a_loopback_each(make_dispatcher):
    hosts = [make_dispatcher(), make_dispatcher(host_name="other")]
    doubles = []
    for dispatcher in hosts:

        @dispatcher.backend_dispatch
        def double(x, of=dispatcher):
            return of

        doubles.append(double)
    with contextlib.ExitStack() as stack:
        for dispatcher in hosts:
            stack.enter_context(dispatcher.register(loopback(dispatcher)))
        for dispatcher, double in zip(hosts, doubles, strict=True):
            assert double(1, backend="loopback") is dispatcher


def test_conformance_of_loopback(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def double(x):
        return x + x

    def test_double(backend):
        assert double(2, backend=backend) == 4

    with dispatcher.register(loopback(dispatcher)):
        tests = {"double": test_double}
        assert run_conformance(backend_name="loopback", tests=tests, dispatcher=dispatcher) == {
            "double": "PASSED"
        }


# -- loopback of classes -------------------------------------------------------------------

MODELS = """
    import abc, dataclasses, typing
    from backstack import BackendDispatcher

    dispatcher = BackendDispatcher(
        entrypoint_group="models.backends", host_name="models", on_missing="error"
    )
    T = typing.TypeVar("T")

    @dispatcher.backend_class
    class Model:
        def __init__(self, size, *rest, key=None, **more):
            self.size, self.rest, self.key, self.more = size, rest, key, more
        @classmethod
        def of(cls, size): return cls(size)
        def again(self): return type(self)(self.size)

    class Plain(Model):
        def __init__(self, size):
            super().__init__(size)
            self.plain = True

    @dispatcher.backend_class
    class Marked(Model):
        pass

    @dispatcher.backend_class
    @dataclasses.dataclass
    class Point:
        x: int
        y: int = 2

    @dataclasses.dataclass(slots=True)
    @dispatcher.backend_class
    class Slotted:
        x: int

    @dispatcher.backend_class
    class Pair(typing.NamedTuple):
        x: int
        y: int = 2

    @dispatcher.backend_class
    class Box(typing.Generic[T]):
        def __init__(self, x): self.x = x

    @dispatcher.backend_class
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def method(self): ...

    class Meta(type):
        made = []
        def __call__(cls, *args, **kwargs):
            made = super().__call__(*args, **kwargs)
            Meta.made.append(cls.__name__)
            return made

    @dispatcher.backend_class
    class Counted(metaclass=Meta):
        pass

    @dispatcher.backend_class
    class Single:
        one = None
        def __new__(cls):
            if Single.one is None:
                Single.one = super().__new__(cls)
            return Single.one

    @dispatcher.backend_class
    class Chatty:
        said = []
        def __init__(self): Chatty.said.append("init")
        def __new__(cls):
            Chatty.said.append("new")
            return super().__new__(cls)
"""


@pytest.fixture
def models(site):
    """A host of classes, with its loopback in force, and the calls that were made."""
    site.write({"models.py": MODELS})
    import models

    dispatcher = models.dispatcher
    with dispatcher.register(loopback(dispatcher)), dispatcher.backend("loopback"):
        with dispatcher.trace() as calls:
            models.calls = calls
            yield models


def ran_by_loopback(models):
    return bool(models.calls) and {call.ran_on for call in models.calls} == {"loopback"}


def test_an_instance_by_loopback_is_of_the_public_class(models):
    model = models.Model(1, 2, key=3, other=4)
    assert ran_by_loopback(models)
    assert type(model) is models.Model
    assert isinstance(model, models.Model)
    assert (model.size, model.rest, model.key, model.more) == (1, (2,), 3, {"other": 4})
    assert type(models.Model(1, backend="loopback")) is models.Model
    assert type(models.Model.of(1)) is models.Model
    assert type(model.again()) is models.Model


def test_subclasses_construct_as_ever_by_loopback(models):
    plain = models.Plain(1)
    assert type(plain) is models.Plain
    assert isinstance(plain, models.Model)
    assert plain.plain
    assert plain.size == 1
    marked = models.Marked(1)
    assert type(marked) is models.Marked
    assert isinstance(marked, models.Model)
    assert [call.function for call in models.calls] == ["Marked"]
    assert ran_by_loopback(models)


def test_instances_by_loopback_pickle_and_copy(models):
    for made in (models.Model(1), models.Point(1), models.Slotted(1), models.Pair(1)):
        for again in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
            assert type(again) is type(made)
    assert pickle.loads(pickle.dumps(models.Point(1))) == models.Point(1, 2)


def test_classes_of_many_kinds_are_made_by_loopback(models):
    assert models.Point(1) == models.Point(1, 2)
    assert dataclasses.replace(models.Point(1), y=5).y == 5
    assert type(models.Slotted(1)) is models.Slotted
    assert models.Pair(1) == (1, 2)
    assert type(models.Pair(1)._replace(y=3)) is models.Pair
    assert models.Box(1).x == 1
    assert models.Single() is models.Single()
    models.Chatty()
    assert models.Chatty.said == ["new", "init"]
    assert ran_by_loopback(models)


def test_generic_classes_are_made_by_loopback(models):
    box = models.Box[int](1)
    assert type(box) is models.Box
    assert box.__orig_class__ == models.Box[int]
    assert typing.get_args(box.__orig_class__) == (int,)


def test_a_metaclass_of_the_host_is_asked_once_by_loopback(models):
    assert type(models.Counted()) is models.Counted
    assert type(models.Counted).made == ["Counted"]


def test_errors_of_constructors_are_those_of_python_by_loopback(models):
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'size'"):
        models.Model()
    with pytest.raises(TypeError, match="abstract"):
        models.Abstract()


def test_a_class_that_is_subclassed_while_loopback_is_in_force(models):
    class Sub(models.Model):
        def __init__(self):
            super().__init__(7)

    assert type(Sub()) is Sub
    assert Sub().size == 7
    assert not models.calls


# -- odd backends and odd tests ------------------------------------------------------------


@pytest.fixture
def odd_host(make_dispatcher):
    dispatcher = make_dispatcher(reserved_backends={"gpu": "Choose a concrete one."})

    @dispatcher.backend_dispatch
    def double(x):
        return x + x

    @dispatcher.backend_dispatch
    def half(x):
        return x / 2

    tests = {"double": lambda b: double(2, backend=b), "half": lambda b: half(2, backend=b)}
    return SimpleNamespace(dispatcher=dispatcher, double=double, half=half, tests=tests)


def test_pytest_skip_is_a_skip(odd_host):
    # `Skipped.__module__` is "builtins" in every pytest, not "_pytest.outcomes"
    def test_double(backend):
        pytest.skip("no device")

    with odd_host.dispatcher.register(SimpleNamespace(name="fast", double=lambda x: x * 2)):
        try:
            results = run_conformance(
                backend_name="fast",
                tests={"double": test_double},
                dispatcher=odd_host.dispatcher,
                raise_on_failure=False,
            )
        except pytest.skip.Exception:
            results = "the skip came out"
    assert results == {"double": "SKIPPED (no device)"}


@pytest.mark.parametrize("by", ["dispatcher", "get_backend"])
def test_a_function_that_cannot_be_read_is_a_failure_and_the_others_are_tested(odd_host, by):
    lazy = ModuleType("lazy")
    lazy.name, lazy.half = "lazy", lambda x: x / 2

    def lazily(name):
        if name == "double":
            raise ImportError("no library")
        raise AttributeError(name)

    lazy.__getattr__ = lazily
    found = (
        {"dispatcher": odd_host.dispatcher}
        if by == "dispatcher"
        else {"get_backend": odd_host.dispatcher.get_backend}
    )
    with odd_host.dispatcher.register(lazy):
        results = run_conformance(
            backend_name="lazy", tests=odd_host.tests, raise_on_failure=False, **found
        )
    assert results["double"].startswith("FAILED")
    assert results["half"] == "PASSED"


def test_a_listed_function_that_is_not_there_is_no_skip(odd_host):
    # A call of it is a BackendLoadError.
    adapter = SimpleNamespace(name="fast", __all__=["double", "half"], half=lambda x: x / 2)
    with odd_host.dispatcher.register(adapter):
        with pytest.raises(backstack.errors.BackendLoadError):
            odd_host.double(2, backend="fast")
        results = run_conformance(
            backend_name="fast",
            tests=odd_host.tests,
            dispatcher=odd_host.dispatcher,
            raise_on_failure=False,
        )
    assert results["double"].startswith("FAILED")


def test_an_awaitable_that_nobody_awaited_is_no_success(odd_host):
    class Awaitable:
        def __await__(self):
            raise AssertionError("it was run")
            yield

    def test_double(backend):
        odd_host.double(2, backend=backend)
        return Awaitable()

    with odd_host.dispatcher.register(SimpleNamespace(name="fast", double=lambda x: x * 2)):
        results = run_conformance(
            backend_name="fast",
            tests={"double": test_double},
            dispatcher=odd_host.dispatcher,
            raise_on_failure=False,
        )
    assert results["double"].startswith("FAILED")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_async_tests_run_where_a_loop_is_running_as_in_a_notebook(odd_host):
    async def test_double(backend):
        odd_host.double(2, backend=backend)

    async def cell():
        return run_conformance(
            backend_name="fast",
            tests={"double": test_double},
            dispatcher=odd_host.dispatcher,
            raise_on_failure=False,
        )

    with odd_host.dispatcher.register(SimpleNamespace(name="fast", double=lambda x: x * 2)):
        assert asyncio.run(cell()) == {"double": "PASSED"}


def test_a_reserved_name_is_told_as_reserved(odd_host):
    with pytest.raises(backstack.errors.ReservedBackendError, match="Choose a concrete one"):
        check_adapter(odd_host.dispatcher, "gpu")


@pytest.mark.parametrize("name", [None, 5])
def test_what_is_no_name_is_a_value_error(odd_host, name):
    with pytest.raises(ValueError):
        check_adapter(odd_host.dispatcher, name)


def test_loopback_of_a_recursive_function_has_no_error(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def fact(n):
        return 1 if n < 2 else n * fact(n - 1)

    with dispatcher.register(loopback(dispatcher)):
        assert fact(5, backend="loopback") == 120
        assert check_adapter(dispatcher, "loopback").ok


def test_a_backend_parameter_of_an_implementation_is_never_given(make_dispatcher):
    dispatcher = make_dispatcher()
    double = dispatcher.backend_dispatch(name="double")(lambda x: x + x)

    def theirs(x, backend="theirs"):
        return backend

    def ours(x, run_on=None):
        """Double it.

        Parameters
        ----------
        run_on : str
            Where.
        """

    with dispatcher.register(SimpleNamespace(name="fast", double=theirs)):
        assert double(1, backend="fast") == "theirs"
        found = check_adapter(dispatcher, "fast")
        assert [(f.severity, f.code, f.function) for f in found] == [
            ("warning", "unreachable-option", "double")
        ]
        assert "'backend'" in found[0].message
    with dispatcher.register(SimpleNamespace(name="fast", double=ours)):
        assert check_adapter(dispatcher, "fast").ok
