"""The process-wide choice, the environment variable, and what reading the settings tells."""

# ruff: noqa: PT031

import contextvars
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

import backstack


def current_line():
    return sys._getframe(1).f_lineno


def make_backend(name, **more):
    return SimpleNamespace(name=name, where=lambda: name, **more)


@pytest.fixture
def make(make_dispatcher):
    """Makes a dispatcher with the backends a, b and c, and its function `where`."""

    def make(**config):
        dispatcher = make_dispatcher(
            **{
                "trusted_backends": {"absent": {"aliases": ["gone"], "package": "absent-pkg"}},
                "reserved_backends": {"gpu": "Choose a concrete one."},
                **config,
            }
        )

        @dispatcher.backend_dispatch
        def where():
            return "cpu"

        for name in "abc":
            dispatcher.register(make_backend(name, aliases=[name.upper()]))
        return dispatcher, where

    return make


@pytest.fixture
def dispatcher_and_where(make):
    return make()


@pytest.fixture
def dispatcher(dispatcher_and_where):
    return dispatcher_and_where[0]


@pytest.fixture
def where(dispatcher_and_where):
    return dispatcher_and_where[1]


# -- the setting ---------------------------------------------------------------------------


def test_a_name_a_list_and_none(dispatcher, where):
    settings = dispatcher.settings
    assert (settings.backend, settings.process_backend) == ("cpu", None)
    settings.backend = "a"
    assert (settings.backend, settings.process_backend, where()) == ("a", "a", "a")
    settings.backend = ["b", "a"]
    assert (settings.backend, settings.process_backend, where()) == (("b", "a"), ("b", "a"), "b")
    settings.backend = ("c", "cpu")
    assert (settings.backend, where()) == (("c", "cpu"), "c")
    settings.backend = ["a"]
    assert (settings.backend, where()) == ("a", "a")
    settings.backend = None
    assert (settings.backend, settings.process_backend, where()) == ("cpu", None, "cpu")


def test_canonical_names_are_read(dispatcher):
    dispatcher.settings.backend = "A"
    assert dispatcher.settings.backend == dispatcher.settings.process_backend == "a"
    dispatcher.settings.backend = ["B", "gone", "A"]
    assert dispatcher.settings.backend == ("b", "absent", "a")
    dispatcher.settings.backend = ["B", "b"]
    assert dispatcher.settings.backend == "b"
    with dispatcher.backend("C"):
        assert dispatcher.settings.backend == "c"


def test_a_list_is_copied(dispatcher):
    names = ["a", "b"]
    dispatcher.settings.backend = names
    names[0] = "c"
    assert dispatcher.settings.backend == ("a", "b")


@pytest.mark.parametrize("bad", [5, "", b"a", [], (), ["a", ""], ["a", 5], [["a"]], {"a"}, True])
def test_what_is_no_name_is_refused_and_changes_nothing(dispatcher, where, bad):
    dispatcher.settings.backend = "b"
    with pytest.raises(backstack.BackendNameError, match=r"settings\.backend") as caught:
        dispatcher.settings.backend = bad
    assert caught.value.chosen_by == "setting"
    assert caught.value.value == repr(bad)
    assert (dispatcher.settings.backend, where()) == ("b", "b")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nonsense", backstack.UnknownBackendError),
        (["a", "nonsense"], backstack.UnknownBackendError),
        ("a,b", backstack.UnknownBackendError),
        ("gpu", backstack.ReservedBackendError),
        ("absent", backstack.BackendNotInstalledError),
    ],
)
def test_assigning_checks_and_a_failure_changes_nothing(dispatcher, where, name, error):
    dispatcher.settings.backend = "b"
    with pytest.raises(error, match=r"settings\.backend") as caught:
        dispatcher.settings.backend = name
    assert caught.value.chosen_by == "setting"
    assert (dispatcher.settings.backend, where()) == ("b", "b")


def test_assigning_loads(make_dispatcher, site):
    site.adapter("lazy", "name = 'lazy'\n")
    dispatcher = make_dispatcher(trusted_backends={"lazy": {}})
    assert site.imported() == set()
    dispatcher.settings.backend = "lazy"
    assert site.imported() == {"lazy_adapter"}


def test_assigning_what_fails_to_load_raises(make_dispatcher, site):
    site.adapter("broken", "name = 'broken'\nraise OSError('no library')\n")
    dispatcher = make_dispatcher(trusted_backends={"broken": {}})
    with pytest.raises(backstack.BackendLoadError, match="no library"):
        dispatcher.settings.backend = "broken"
    assert dispatcher.settings.process_backend is None


def test_a_skipped_preference_warns_at_the_assignment(make_dispatcher, site):
    site.adapter("broken", "name = 'broken'\nraise OSError('no library')\n")
    dispatcher = make_dispatcher(trusted_backends={"broken": {}})
    with pytest.warns(backstack.BackendSkippedWarning) as caught:
        line = current_line() + 1
        dispatcher.settings.backend = ["broken", "cpu"]
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_threads_started_before_and_after_see_it(dispatcher, where):
    ask, answer = threading.Event(), []

    def wait_and_look():
        ask.wait(10)
        answer.append((where(), dispatcher.settings.backend))

    old = threading.Thread(target=wait_and_look)
    old.start()
    dispatcher.settings.backend = "a"
    ask.set()
    old.join()
    new = threading.Thread(target=wait_and_look)
    new.start()
    new.join()
    assert answer == [("a", "a"), ("a", "a")]


def test_a_pool_sees_every_change(dispatcher, where):
    with ThreadPoolExecutor(1) as pool:
        for name in ("a", "b", None, "cpu", "c"):
            dispatcher.settings.backend = name
            assert pool.submit(where).result() == (name or "cpu")


def test_an_assignment_in_a_thread_or_a_context_reaches_everybody(dispatcher, where):
    def assign(name):
        dispatcher.settings.backend = name

    thread = threading.Thread(target=assign, args=["a"])
    thread.start()
    thread.join()
    assert where() == "a"
    contextvars.copy_context().run(assign, "b")
    assert where() == "b"


def test_the_scope_is_read_first_and_the_process_alone(dispatcher):
    settings = dispatcher.settings
    settings.backend = "a"
    with dispatcher.backend("b", "c"):
        assert (settings.backend, settings.process_backend) == (("b", "c"), "a")
        with dispatcher.backend(on_missing="host"):
            assert settings.backend == ("b", "c")
    with dispatcher.backend(on_missing="host"):
        assert settings.backend == "a"


def test_reading_loads_nothing(make_dispatcher, site, monkeypatch):
    site.adapter("lazy", "name = 'lazy'\naliases = ['slow']\n")
    site.adapter("computed", "name = 'com' + 'puted'\n")
    monkeypatch.setenv("HOST_BACKEND", "slow,computed,typo")
    dispatcher = make_dispatcher(trusted_backends={"lazy": {}, "computed": {}})
    assert dispatcher.settings.backend == ("lazy", "computed", "typo")
    assert "lazy" in repr(dispatcher.settings)
    assert site.imported() == set()


def test_reading_never_raises(dispatcher, make_dispatcher, monkeypatch):
    handle = dispatcher.register(make_backend("brief"))
    dispatcher.settings.backend = "brief"
    handle.remove()
    assert dispatcher.settings.backend == "brief"
    for value in ("nonsense", "gpu", "absent", "no such name!", "x" * 1000, "a,nonsense"):
        monkeypatch.setenv("HOST_BACKEND", value)
        made = make_dispatcher(reserved_backends={"gpu": "No."}, trusted_backends={"absent": {}})
        names = tuple(value.split(","))
        assert made.settings.backend == (names[0] if len(names) == 1 else names)


def test_a_setting_whose_backend_went_away_raises_in_the_call(dispatcher, where):
    with dispatcher.register(make_backend("brief")):
        dispatcher.settings.backend = "brief"
        assert where() == "brief"
    with pytest.raises(backstack.UnknownBackendError, match=r"settings\.backend"):
        where()
    dispatcher.settings.backend = None
    assert where() == "cpu"


def test_assigning_inside_a_scope_warns_that_the_scope_wins(dispatcher, where):
    with dispatcher.backend("a"):
        with pytest.warns(backstack.ScopeStillWinsWarning, match="'a'") as caught:
            line = current_line() + 1
            dispatcher.settings.backend = "b"
        assert where() == "a"
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    assert where() == "b"


def test_assigning_inside_a_decorated_function_warns_too(dispatcher):
    @dispatcher.backend("a")
    def assign():
        dispatcher.settings.backend = "b"
        return current_line() - 1

    with pytest.warns(backstack.ScopeStillWinsWarning) as caught:
        line = assign()
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_assigning_what_fails_inside_a_scope_does_not_warn(dispatcher):
    with dispatcher.backend("a"), pytest.raises(backstack.UnknownBackendError):
        dispatcher.settings.backend = "nonsense"


def test_assigning_inside_a_policy_or_a_trace_or_beside_a_scope_does_not_warn(dispatcher, where):
    with dispatcher.backend(on_missing="error"), dispatcher.trace():
        dispatcher.settings.backend = "b"
        assert where() == "b"

    def assign():
        dispatcher.settings.backend = "c"

    with dispatcher.backend("a"):
        thread = threading.Thread(target=contextvars.Context().run, args=[assign])
        thread.start()
        thread.join()
    assert where() == "c"


def test_the_type_of_settings_and_its_repr(dispatcher):
    settings = dispatcher.settings
    assert type(settings) is backstack.Settings
    assert settings is dispatcher.settings
    assert repr(settings) == "<settings of host: backend='cpu', on_missing='warn', trust='warn'>"


def test_use_backend_is_a_scope(dispatcher, where):
    with dispatcher.settings.use_backend("a"):
        assert where() == "a"
    assert where() == "cpu"
    assert isinstance(dispatcher.settings.use_backend("a"), backstack.Scope)


def test_many_threads_read_while_one_assigns(dispatcher, where):
    stop, seen, failures = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                seen.add(where())
                dispatcher.settings.backend
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        for name in ("a", ["b", "a"], None, "cpu"):
            dispatcher.settings.backend = name
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen <= {"a", "b", "cpu"}


# -- the environment variable --------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "variable"),
    [
        ("host", "HOST_BACKEND"),
        ("example_host", "EXAMPLE_HOST_BACKEND"),
        ("scikit-image", "SCIKIT_IMAGE_BACKEND"),
        ("my.host 2", "MY_HOST_2_BACKEND"),
        ("höst", "H_ST_BACKEND"),
    ],
)
def test_the_name_of_the_variable(make, monkeypatch, host, variable):
    monkeypatch.setenv(variable, "a")
    dispatcher, where = make(host_name=host)
    assert (dispatcher.settings.backend, where()) == ("a", "a")


def test_another_variable_and_none(make, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "a")
    monkeypatch.setenv("ELSEWHERE", "b")
    assert make(env_var="ELSEWHERE")[1]() == "b"
    assert make(env_var=None)[1]() == "cpu"


@pytest.mark.parametrize("value", ["", " ", ",", " , ,"])
def test_empty_is_unset(make, monkeypatch, value):
    monkeypatch.setenv("HOST_BACKEND", value)
    dispatcher, where = make()
    assert (dispatcher.settings.backend, where()) == ("cpu", "cpu")


def test_the_variable_is_read_when_the_dispatcher_is_made(make, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "a")
    dispatcher, where = make()
    monkeypatch.setenv("HOST_BACKEND", "b")
    assert where() == "a"
    monkeypatch.delenv("HOST_BACKEND")
    dispatcher.settings.backend = "c"
    dispatcher.settings.backend = None
    assert where() == "a"


def test_commas_separate_preferences(make, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", " gone, A ,a,b")
    dispatcher, where = make()
    assert dispatcher.settings.backend == ("absent", "a", "b")
    assert where() == "a"


def test_a_scope_and_the_setting_override_the_variable(make, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "a")
    dispatcher, where = make()
    dispatcher.settings.backend = "cpu"
    assert (dispatcher.settings.backend, where()) == ("cpu", "cpu")
    with dispatcher.backend("b"):
        assert where() == "b"
    assert dispatcher.settings.process_backend == "cpu"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("nonsense", backstack.UnknownBackendError),
        ("a,nonsense", backstack.UnknownBackendError),
        ("no such name!", backstack.UnknownBackendError),
        ("gpu", backstack.ReservedBackendError),
        ("absent", backstack.BackendNotInstalledError),
    ],
)
def test_a_bad_name_raises_on_the_first_call_that_would_use_it(make, monkeypatch, value, error):
    monkeypatch.setenv("HOST_BACKEND", value)
    dispatcher, where = make()
    with dispatcher.backend("a"):
        assert where() == "a"
    assert where(backend="b") == "b"
    assert where(backend="cpu") == "cpu"
    for _ in range(2):
        with pytest.raises(error, match="HOST_BACKEND") as caught:
            where()
        assert (caught.value.chosen_by, caught.value.variable) == ("variable", "HOST_BACKEND")
    dispatcher.settings.backend = "c"
    assert where() == "c"


def test_the_variable_in_a_fresh_process(run_python, site):
    site.adapter("jaxy", "name = 'jaxy'\nimport threading\ndef where():\n    return 'jaxy'\n")
    site.write(
        {
            "hostlib.py": """
                from backstack import BackendDispatcher
                dispatcher = BackendDispatcher(
                    entrypoint_group="host.backends", host_name="hostlib",
                    trusted_backends={"jaxy": {"aliases": ["quick"]}},
                )
                @dispatcher.backend_dispatch
                def where():
                    return "cpu"
            """
        }
    )
    source = """
        import sys, threading
        sys.path[1:1] = {paths!r}
        import hostlib
        assert "jaxy_adapter" not in sys.modules
        seen = []
        def look():
            try:
                seen.append(hostlib.where())
            except Exception as error:
                seen.append(type(error).__name__ + ": " + str(error))
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        print(*seen, sep="\\n")
    """
    script = source.format(paths=[path for path in sys.path if path])

    def run(value):
        return run_python(script, path=site.folder, env={"HOSTLIB_BACKEND": value}).splitlines()

    assert run("") == ["cpu"] * 2
    assert run("cpu") == ["cpu"] * 2
    assert run("quick") == ["jaxy"] * 2
    first, second = run("jaxx")
    assert first == second
    assert first.startswith("UnknownBackendError: Unknown backend 'jaxx' for hostlib")
    assert "HOSTLIB_BACKEND" in first
    assert "Did you mean 'jaxy'?" in first


# -- the other settings --------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["Warn", "", None, 5, "raise", ["warn"]])
def test_on_missing_is_checked_everywhere(dispatcher, make_dispatcher, bad):
    with pytest.raises(ValueError, match="on_missing must be one of"):
        dispatcher.settings.on_missing = bad
    assert dispatcher.settings.on_missing == "warn"
    with pytest.raises(ValueError, match="on_missing must be one of"):
        make_dispatcher(on_missing=bad)
    if bad is not None:
        with pytest.raises(ValueError, match="on_missing must be one of"):
            dispatcher.backend("a", on_missing=bad)


def test_the_names_that_are_available(dispatcher):
    assert dispatcher.available_backend_names() == ["A", "B", "C", "a", "b", "c"]
    assert dispatcher.settings.available_backends() == ["a", "b", "c"]
    assert dispatcher.resolve_name("A") == "a"
    assert dispatcher.resolve_name("gone") == "absent"
    assert dispatcher.resolve_name("cpu") == "cpu"
    assert dispatcher.resolve_name("nonsense") is None
    assert dispatcher.settings.get_backend("cpu") is None
    assert dispatcher.settings.get_backend("nonsense") is None
    assert dispatcher.settings.get_backend("A").name == "a"


def test_an_adapter_that_came_while_the_setting_was_checked_counts(make_dispatcher):
    dispatcher = make_dispatcher()
    f = dispatcher.backend_dispatch(name="f")(lambda: "host")
    later = SimpleNamespace(name="a", f=lambda: "later")

    def is_available():
        dispatcher.register(later)
        return True

    dispatcher.register(SimpleNamespace(name="a", f=lambda: "first", is_available=is_available))
    dispatcher.settings.backend = "a"
    assert f() == "later"
