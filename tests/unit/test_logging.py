"""What is logged: decisions when they are made, at DEBUG, and what users might miss, at INFO."""

import logging
import warnings
from types import SimpleNamespace

import pytest

import backstack

LOGGER = "backstack.host"


@pytest.fixture
def dispatcher(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="a", aliases=["A"], f=lambda x=0: "a", g=lambda: "a"))
    dispatcher.register(SimpleNamespace(name="lacks", g=lambda: "lacks"))
    return dispatcher


@pytest.fixture
def f(dispatcher):
    @dispatcher.backend_dispatch
    def f(x=0):
        return "cpu"

    return f


@pytest.fixture
def g(dispatcher):
    @dispatcher.backend_dispatch
    def g():
        return "cpu"

    return g


@pytest.fixture
def logged(caplog):
    """Gives the messages of a level since it was last asked."""
    caplog.set_level(logging.DEBUG, LOGGER)

    def since(level="DEBUG"):
        records = list(caplog.records)
        caplog.clear()
        assert {record.name for record in records} <= {LOGGER}
        return [r.getMessage() for r in records if r.levelname == level]

    return since


# -- decisions -----------------------------------------------------------------------------


def test_a_call_that_nobody_directs_logs_nothing(f, logged):
    f()
    f(backend="cpu")
    assert logged("INFO") == []
    logged()
    for _ in range(3):
        f()
        f(backend="cpu")
    assert logged() == []


def test_a_decision_is_logged_once_and_not_per_call(f, logged):
    assert f(backend="A") == "a"
    messages = logged()
    assert any(m == "A, asked for by the call's backend=: a" for m in messages)
    assert any(m.startswith("f() on backend 'a': ") for m in messages)
    for _ in range(3):
        f(backend="A")
    f(5, backend="A")
    f(x=5, backend="A")
    assert logged() == []


def test_another_function_on_the_same_backend_is_another_decision(f, g, logged):
    f(backend="a")
    logged()
    g(backend="a")
    (message,) = logged()
    assert message.startswith("g() on backend 'a': ")
    g(backend="a")
    assert logged() == []


def test_what_a_backend_lacks_is_a_decision_too(dispatcher, f, logged):
    with dispatcher.backend("lacks", on_missing="host"):
        f()
        assert "f() on backend 'lacks': not implemented" in logged()
        f()
        assert logged() == []


def test_a_scope_is_decided_once_however_often_it_is_entered(dispatcher, f, logged):
    with dispatcher.backend("lacks", "A"):
        f()
    assert "lacks, A, asked for by a 'with' scope: lacks, then a" in logged()
    for _ in range(3):
        with dispatcher.backend("lacks", "A"):
            f()
            f()
    assert logged() == []


def test_the_setting_is_decided_when_it_is_assigned(dispatcher, f, logged):
    dispatcher.settings.backend = "A"
    assert logged() == ["A, asked for by settings.backend: a"]
    f()
    logged()
    f()
    f()
    assert logged() == []


def test_the_variable_is_decided_at_the_first_call_that_uses_it(
    make_dispatcher, monkeypatch, logged
):
    monkeypatch.setenv("HOST_BACKEND", "A")
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="a", aliases=["A"], f=lambda: "a"))

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    assert logged() == []
    assert f() == "a"
    assert "A, asked for by the environment variable HOST_BACKEND: a" in logged()
    f()
    assert logged() == []


def test_what_is_loaded_is_logged_when_it_is(make_dispatcher, site, logged):
    site.adapter("good", "name = 'good'\ndef f():\n    return 'good'\n")
    dispatcher = make_dispatcher(trusted_backends={"good": {}})

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    dispatcher.backends()
    assert logged() == []
    f(backend="good")
    assert "Loaded backend 'good' from good_adapter of good-dist" in logged()
    f(backend="good")
    assert logged() == []


def test_a_decision_is_made_anew_when_the_backends_change(dispatcher, f, logged):
    f(backend="a")
    logged()
    with dispatcher.register(SimpleNamespace(name="a", f=lambda: "another")):
        f(backend="a")
        assert "a, asked for by the call's backend=: a" in logged()
    f(backend="a")
    assert "a, asked for by the call's backend=: a" in logged()


def test_an_explanation_and_the_call_that_follows_decide_once(dispatcher, f, logged):
    dispatcher.explain(f, backend="a")
    assert "a, asked for by the call's backend=: a" in logged()
    dispatcher.explain(f, backend="a")
    f(backend="a")
    assert logged() == []


def test_a_message_survives_what_a_backend_exports(dispatcher, f, logged):
    class Strange:
        def __call__(self, x=0):
            return "strange"

        def __repr__(self):
            raise OSError

    dispatcher.register(SimpleNamespace(name="strange", f=Strange()))
    assert f(backend="strange") == "strange"
    assert any(m.startswith("f() on backend 'strange': ") for m in logged())


# -- fall-backs ----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["warn", "host"])
def test_a_fall_back_is_logged_at_info_once(dispatcher, f, logged, policy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", backstack.FallbackWarning)
        with dispatcher.backend("lacks", on_missing=policy):
            f()
            (message,) = logged("INFO")
            assert "'lacks'" in message
            assert "f()" in message
            f()
            f(5)
        f(backend="lacks")
        assert logged("INFO") == []
        dispatcher.reset_warnings()
        f(backend="lacks")
        assert logged("INFO") == [message.replace("a 'with' scope", "the call's backend=")]


def test_what_is_no_fall_back_is_not_logged_as_one(dispatcher, f, g, logged):
    with dispatcher.backend("lacks", "cpu"):
        f()  # the host is among what was chosen
    with dispatcher.backend("lacks", "a"):
        f()
    with dispatcher.backend("lacks", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError):
            f()
    g(backend="lacks")
    assert logged("INFO") == []


def test_nothing_is_logged_above_info(dispatcher, f, make_dispatcher, site, caplog):
    site.adapter("broken", "name = 'broken'\nraise OSError\n")
    caplog.set_level(logging.DEBUG)
    for label in ("broken", "nonsense", "lacks"):
        with pytest.raises(backstack.BackendError):
            with dispatcher.backend(label, on_missing="error"):
                f()
    assert {record.levelno for record in caplog.records} <= {logging.DEBUG, logging.INFO}


# -- the logger ----------------------------------------------------------------------------


def test_each_host_has_a_logger_of_its_own(make_dispatcher, caplog):
    caplog.set_level(logging.DEBUG, "backstack")
    for name in ("one", "two"):
        dispatcher = make_dispatcher(host_name=name)
        dispatcher.register(SimpleNamespace(name="a"))
        with dispatcher.backend("a"):
            pass
        assert {record.name for record in caplog.records} == {f"backstack.{name}"}
        caplog.clear()


def test_the_library_configures_no_logging(run_python):
    written = run_python(
        """
        import logging
        from types import SimpleNamespace
        from backstack import BackendDispatcher

        before = logging.getLogger().level
        dispatcher = BackendDispatcher(entrypoint_group="host.none", host_name="host")

        @dispatcher.backend_dispatch
        def f():
            return "cpu"

        dispatcher.register(SimpleNamespace(name="a", f=lambda: "a"))
        dispatcher.register(SimpleNamespace(name="lacks"))
        f(backend="a")
        with dispatcher.backend("lacks", on_missing="host"), dispatcher.trace():
            f()
        dispatcher.explain(f), dispatcher.coverage(), dispatcher.backends(), dispatcher.discover()

        root = logging.getLogger()
        assert (root.handlers, root.level) == ([], before)
        loggers = {name: logging.getLogger(name) for name in root.manager.loggerDict}
        ours = {name: it for name, it in loggers.items() if name.split(".")[0] == "backstack"}
        assert "backstack.host" in ours
        for logger in ours.values():
            assert logger.handlers == []
            assert logger.level == logging.NOTSET
            assert logger.propagate
            assert not logger.filters
            assert not logger.disabled
        """
    )
    assert written == ""
