"""Adapters are loaded when asked for, once, whoever asks; a failure can be tried again."""

import logging
import pickle
import sys
import threading
import time

import pytest

import backstack

pytestmark = pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")

COUNT = "import sys; sys.imports_of_tests = [*getattr(sys, 'imports_of_tests', ()), __name__]\n"


@pytest.fixture(autouse=True)
def imports():
    """The names of the adapters that ran, one each time, where they say so by `COUNT`."""
    sys.imports_of_tests = []
    yield lambda: sys.imports_of_tests
    del sys.imports_of_tests


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


@pytest.fixture
def f(dispatcher):
    @dispatcher.backend_dispatch
    def f(x):
        return "host", x

    return f


def state(dispatcher, name):
    return next(record.state for record in dispatcher.backends() if record.name == name)


def together(count, work, timeout=30):
    """Call `work` in so many threads at once; what each came to, exceptions included."""
    barrier = threading.Barrier(count)
    results = []

    def run(number):
        barrier.wait()
        try:
            results.append(work(number))
        except BaseException as error:  # whatever it is, the test wants to see it
            results.append(error)

    threads = [threading.Thread(target=run, args=[n], daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    assert not any(thread.is_alive() for thread in threads), "some thread hangs"
    return results


# -- failures --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import no_such_module_at_all", ModuleNotFoundError),
        ("raise RuntimeError('no driver')", RuntimeError),
        ("1 / 0", ZeroDivisionError),
        ("import sys; sys.exit()", SystemExit),
        ("import sys; sys.exit('leaving')", SystemExit),
        ("raise SystemExit(0)", SystemExit),
        ("import warnings; warnings.warn('loud')", UserWarning),
        ("def f(", SyntaxError),
        ("class E(Exception):\n  def __str__(self): raise ValueError\nraise E", Exception),
    ],
)
def test_a_failing_import_names_its_cause(site, dispatcher, f, source, cause):
    site.adapter("bad", f"name = 'bad'\n{source}\n")
    for _ in range(2):
        with pytest.raises(backstack.BackendLoadError, match="failed to load") as caught:
            f(1, backend="bad")
        error = caught.value
        assert isinstance(error.__cause__, cause)
        assert isinstance(error, ImportError)
        assert (error.label, error.host) == ("bad", "host")
        assert error.name == (None if cause is SyntaxError else "bad")
        assert error.chosen_by == "call"
        assert "'bad'" in str(error)
        assert "bad-dist" in str(error)
        assert type(error.__cause__).__name__ in error.reason
    assert state(dispatcher, "bad") == "failed"
    assert "bad_adapter" not in sys.modules
    assert f(1) == ("host", 1)


def test_a_load_error_pickles_with_its_data(site, f):
    site.adapter("bad", "name = 'bad'\nraise RuntimeError('no driver')\n")
    with pytest.raises(backstack.BackendLoadError) as caught:
        f(1, backend="bad")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert (copy.label, copy.name, copy.reason) == ("bad", "bad", "RuntimeError: no driver")


def test_an_interrupt_is_nobodys_failure(site, dispatcher, f):
    site.adapter("slow", "name = 'slow'\nraise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        f(1, backend="slow")
    assert state(dispatcher, "slow") == "found"


@pytest.mark.parametrize("level", ["call", "scope", "setting", "get_backend"])
def test_every_way_of_asking_raises(site, dispatcher, f, level):
    site.adapter("bad", "name = 'bad'\nraise RuntimeError('no')\n")

    def ask():
        if level == "call":
            f(1, backend="bad")
        elif level == "scope":
            with dispatcher.backend("bad"):
                raise AssertionError("entered")
        elif level == "setting":
            dispatcher.settings.backend = "bad"
        else:
            dispatcher.get_backend("bad")

    with pytest.raises(backstack.BackendLoadError, match="RuntimeError: no"):
        ask()
    assert dispatcher.settings.backend == "cpu"
    assert f(1) == ("host", 1)


def test_a_failure_is_tried_again_and_leaves_nothing(site, dispatcher, f):
    source = """
        import json, pathlib
        name = "later"
        aliases = ["soon"]
        if not pathlib.Path(__file__).with_name("ready").exists():
            raise RuntimeError("not yet")
        def f(x, extra=1):
            return "later", x
        """
    site.adapter("later", source)
    before = f.__signature__ if hasattr(f, "__signature__") else None
    with pytest.raises(backstack.BackendLoadError, match="not yet"):
        f(1, backend="soon")
    assert dispatcher.available_backend_names() == []
    assert (f.__signature__ if hasattr(f, "__signature__") else None) == before
    site.write({"ready": ""})
    assert f(1, backend="soon") == ("later", 1)
    assert state(dispatcher, "later") == "loaded"
    assert dispatcher.available_backend_names() == ["later", "soon"]


def test_a_constructor_that_fails_is_tried_again(site, dispatcher, f):
    source = """
        attempts = []
        class Adapter:
            name = "later"
            def __init__(self):
                attempts.append(1)
                if len(attempts) < 3:
                    raise RuntimeError("not yet")
            def f(self, x):
                return "later", len(attempts)
        """
    site.install("later-dist", {"later": "later_adapter:Adapter"}, {"later_adapter.py": source})
    for _ in range(2):
        with pytest.raises(backstack.BackendLoadError, match="not yet"):
            f(1, backend="later")
    assert f(1, backend="later") == ("later", 3)
    assert f(1, backend="later") == ("later", 3)


def test_a_class_that_needs_arguments(site, f):
    source = "class Adapter:\n    name = 'odd'\n    def __init__(self, needed): pass\n"
    site.install("odd-dist", {"odd": "odd_adapter:Adapter"}, {"odd_adapter.py": source})
    with pytest.raises(backstack.BackendLoadError, match="needed") as caught:
        f(1, backend="odd")
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_reference_to_an_attribute_that_is_not_there(site, f):
    site.install("odd-dist", {"odd": "odd_adapter:Missing"}, {"odd_adapter.py": "name = 'odd'\n"})
    with pytest.raises(backstack.BackendLoadError, match="Missing") as caught:
        f(1, backend="odd")
    assert isinstance(caught.value.__cause__, AttributeError)


def test_a_module_that_does_not_exist(site, f):
    site.install("odd-dist", {"odd": "no_such_package.no_such_module"})
    with pytest.raises(backstack.BackendLoadError, match="no_such_package") as caught:
        f(1, backend="odd")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_the_next_preference_runs_with_a_warning(site, dispatcher, f):
    site.adapter("bad", "name = 'bad'\nraise RuntimeError('no')\n")
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    skipped = pytest.warns(backstack.BackendSkippedWarning, match="RuntimeError: no")
    line = sys._getframe().f_lineno + 1
    with skipped as caught, dispatcher.backend("bad", "good"):
        assert f(1) == ("good", 1)
    (warning,) = [item for item in caught if item.category is backstack.BackendSkippedWarning]
    assert (warning.filename, warning.lineno) == (__file__, line)


def test_all_preferences_fail_the_first_is_raised_with_notes(site, dispatcher):
    site.adapter("bad", "name = 'bad'\nraise RuntimeError('one')\n")
    site.adapter("worse", "name = 'worse'\nraise RuntimeError('two')\n")
    with pytest.raises(backstack.BackendLoadError, match="RuntimeError: one") as caught:
        with dispatcher.backend("bad", "worse"):
            pass
    assert any("RuntimeError: two" in note for note in caught.value.__notes__)


# -- once ------------------------------------------------------------------------------


def test_one_of_a_hundred_is_imported(site, dispatcher, f, imports):
    for number in range(100):
        site.adapter(f"b{number}", COUNT + f"name = 'b{number}'\ndef f(x): return {number}, x\n")
    assert f(1, backend="b57") == (57, 1)
    assert imports() == ["b57_adapter"]
    assert site.imported() == {"b57_adapter"}
    with pytest.raises(backstack.UnknownBackendError):
        f(1, backend="b100")
    assert len(dispatcher.backends()) == 100
    assert imports() == ["b57_adapter"]


def test_a_class_is_instantiated_once(site, dispatcher, f):
    source = """
        import time
        made = []
        class Adapter:
            name = "once"
            def __init__(self):
                time.sleep(0.2)
                made.append(self)
            def f(self, x):
                return "once", x
        """
    site.install("once-dist", {"once": "once_adapter:Adapter"}, {"once_adapter.py": source})
    assert together(10, lambda _: f(1, backend="once")) == [("once", 1)] * 10
    dispatcher.discover()
    dispatcher.refresh()
    assert f(1, backend="once") == ("once", 1)
    assert len(sys.modules["once_adapter"].made) == 1


def test_two_threads_get_one_adapter(site, dispatcher, imports):
    site.adapter("one", COUNT + "name = 'one'\n")
    first, second = together(2, lambda _: dispatcher.get_backend("one"))
    assert first is second
    assert first is sys.modules["one_adapter"]
    assert imports() == ["one_adapter"]


SLOW = COUNT + "import time; time.sleep(1)\nname = 'slow'\ndef f(x): return 'slow', x\n"


def test_ten_threads_ask_while_a_slow_one_is_imported(site, f, imports):
    site.adapter("slow", SLOW)
    assert together(10, lambda number: f(number, backend="slow")[0]) == ["slow"] * 10
    assert imports() == ["slow_adapter"]


def test_others_go_on_while_a_slow_one_is_imported(site, dispatcher, f):
    source = """
        import sys, threading
        sys.started_of_tests.set()
        assert sys.go_on_of_tests.wait(20)
        name = "slow"
        def f(x): return "slow", x
        """
    site.adapter("slow", source)
    site.adapter("quick", "name = 'quick'\ndef f(x): return 'quick', x\n")
    sys.started_of_tests, sys.go_on_of_tests = threading.Event(), threading.Event()
    results = []
    thread = threading.Thread(target=lambda: results.append(f(1, backend="slow")), daemon=True)
    thread.start()
    try:
        assert sys.started_of_tests.wait(10)
        assert f(1) == ("host", 1)
        assert f(1, backend="quick") == ("quick", 1)
        assert len(dispatcher.backends()) == 2
        assert dispatcher.resolve_name("slow") == "slow"
        with pytest.raises(backstack.UnknownBackendError):
            f(1, backend="nobody")
        dispatcher.settings.backend = "quick"
        assert f(1) == ("quick", 1)
        dispatcher.settings.backend = None
        assert results == []
    finally:
        sys.go_on_of_tests.set()
        thread.join(20)
        del sys.started_of_tests, sys.go_on_of_tests
    assert results == [("slow", 1)]


def test_a_refresh_while_one_is_imported_loses_nothing(site, dispatcher, f):
    site.adapter("slow", SLOW)
    results = []
    thread = threading.Thread(target=lambda: results.append(f(1, backend="slow")), daemon=True)
    thread.start()
    time.sleep(0.3)
    dispatcher.refresh()
    thread.join(20)
    assert results == [("slow", 1)]
    assert f(2, backend="slow") == ("slow", 2)


def test_ten_threads_ask_for_one_that_fails(site, f, imports):
    site.adapter("bad", COUNT + "import time; time.sleep(0.2)\nraise RuntimeError('no')\n")
    results = together(10, lambda _: f(1, backend="bad"))
    assert {type(result) for result in results} == {backstack.BackendLoadError}
    assert all("failed to load" in str(result) for result in results)


def test_a_computed_label_asked_for_by_two_threads_is_known_to_both(site, dispatcher, f):
    """The second one asks when the adapter is loaded, and before the first one has its answer."""
    site.adapter("one", "name = 'one'\naliases = ['fa' + 'st']\ndef f(x): return 'one', x\n")
    loaded, results = threading.Event(), []

    class Slow(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("Loaded backend") and not loaded.is_set():
                loaded.set()
                time.sleep(0.5)

    logger, handler = logging.getLogger("backstack.host"), Slow()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    try:
        thread = threading.Thread(target=lambda: results.append(f(1, backend="fast")), daemon=True)
        thread.start()
        assert loaded.wait(10)
        assert f(2, backend="fast") == ("one", 2)
        thread.join(10)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert results == [("one", 1)]


# -- cycles ----------------------------------------------------------------------------

HOST = """
    from backstack import BackendDispatcher
    dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="cyclic_host")
    @dispatcher.backend_dispatch
    def f(x):
        return "host", x
    """


def test_an_adapter_may_import_the_host_back(site):
    site.write({"cyclic_host.py": HOST})
    site.adapter(
        "back",
        "import cyclic_host\nfrom cyclic_host import f as of_the_host\n"
        "name = 'back'\ndef f(x): return 'back', of_the_host(x, backend='cpu')\n",
    )
    import cyclic_host

    assert cyclic_host.f(1, backend="back") == ("back", ("host", 1))


def test_an_adapter_may_be_imported_before_the_host(site):
    site.write({"cyclic_host.py": HOST})
    site.adapter("back", "import cyclic_host\nname = 'back'\ndef f(x): return 'back', x\n")
    import back_adapter

    assert back_adapter.cyclic_host.f(1, backend="back") == ("back", 1)


CHOOSING = (
    HOST
    + """
    try:
        dispatcher.settings.backend = "back"
    except Exception as error:
        failed = error
    """
)


def test_a_host_that_chooses_while_the_adapter_imports_it(site):
    site.write({"cyclic_host.py": CHOOSING})
    site.adapter("back", "import cyclic_host\nname = 'back'\ndef f(x): return 'back', x\n")
    import back_adapter

    host = back_adapter.cyclic_host
    assert isinstance(host.failed, backstack.BackendLoadError)
    assert "cycle" in str(host.failed)
    assert host.f(1, backend="back") == ("back", 1)  # tried again


def test_an_adapter_that_uses_itself_while_it_is_imported(site):
    site.write({"cyclic_host.py": HOST})
    site.adapter("back", "import cyclic_host\nname = 'back'\ncyclic_host.f(1, backend='back')\n")
    import cyclic_host

    for _ in range(2):
        with pytest.raises(backstack.BackendLoadError, match="cycle"):
            cyclic_host.f(1, backend="back")
    assert cyclic_host.f(1) == ("host", 1)


def test_a_constructor_that_asks_for_itself(site, dispatcher, f):
    sys.dispatcher_of_tests = dispatcher
    source = """
        import sys
        class Adapter:
            name = "self"
            def __init__(self):
                sys.dispatcher_of_tests.get_backend("self")
        """
    site.install("self-dist", {"self": "self_adapter:Adapter"}, {"self_adapter.py": source})
    try:
        for _ in range(2):
            with pytest.raises(backstack.BackendLoadError, match="cycle"):
                f(1, backend="self")
    finally:
        del sys.dispatcher_of_tests


def test_two_constructors_that_ask_for_each_other(site, dispatcher):
    sys.dispatcher_of_tests = dispatcher
    sys.barrier_of_tests = threading.Barrier(2)
    for own, other in ("ab", "ba"):
        source = f"""
            import sys
            class Adapter:
                name = "{own}"
                def __init__(self):
                    try:
                        sys.barrier_of_tests.wait(5)
                    except Exception:
                        pass
                    sys.dispatcher_of_tests.get_backend("{other}")
            """
        site.install(f"{own}-dist", {own: f"{own}_adapter:Adapter"}, {f"{own}_adapter.py": source})
    try:
        results = together(2, lambda number: dispatcher.get_backend("ab"[number]))
        assert any(isinstance(result, backstack.BackendLoadError) for result in results)
    finally:
        del sys.dispatcher_of_tests, sys.barrier_of_tests


def test_an_import_that_uses_another_backend_in_a_thread(site, dispatcher, f):
    sys.function_of_tests = f
    source = """
        import sys, threading
        results = []
        def run():
            results.append(sys.function_of_tests(1, backend="other"))
            results.append(sys.function_of_tests(1))
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(20)
        name = "first"
        def f(x): return "first", results
        """
    site.adapter("first", source)
    site.adapter("other", "name = 'other'\ndef f(x): return 'other', x\n")
    try:
        assert f(1, backend="first") == ("first", [("other", 1), ("host", 1)])
    finally:
        del sys.function_of_tests


CHOOSING_SLOWLY = (
    HOST
    + """
    import time
    time.sleep(0.3)
    failed = None
    try:
        dispatcher.get_backend("back")
    except Exception as error:
        failed = error
    """
)


def test_two_threads_one_importing_the_host_and_one_the_adapter(site):
    site.write({"cyclic_host.py": CHOOSING_SLOWLY})
    site.adapter(
        "back",
        "import time; time.sleep(0.2)\nimport cyclic_host\nname = 'back'\n"
        "def f(x): return 'back', x\n",
    )
    together(2, lambda number: __import__(["cyclic_host", "back_adapter"][number]))
    import cyclic_host

    assert cyclic_host.failed is None or isinstance(cyclic_host.failed, backstack.BackendLoadError)
    assert cyclic_host.f(1, backend="back") == ("back", 1)  # tried again


def test_two_threads_ask_for_an_adapter_that_imports_the_host_back(site):
    site.write({"cyclic_host.py": HOST})
    site.adapter(
        "back",
        "import time; time.sleep(0.3)\nimport cyclic_host\nfrom cyclic_host import f as inner\n"
        "name = 'back'\ndef f(x): return 'back', inner(x, backend='cpu')\n",
    )
    import cyclic_host

    results = together(2, lambda number: cyclic_host.f(number, backend="back"))
    assert sorted(results) == [("back", ("host", 0)), ("back", ("host", 1))]


# -- availability ----------------------------------------------------------------------


def availability(answer):
    """The source of an adapter whose `is_available` returns (or raises) what is given."""
    return f"""
        name = "card"
        asked = []
        answer = {answer}
        def is_available():
            asked.append(1)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        def f(x):
            return "card", x
        """


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("'no card found'", "no card found"),
        ("False", "False"),
        ("None", "None"),
        ("''", "''"),
        ("0", "0"),
        ("1", "1"),
        ("[True]", "[True]"),
        ("RuntimeError('driver too old')", "driver too old"),
        ("ImportError('no jax')", "no jax"),
        ("SystemExit(1)", "SystemExit"),
    ],
)
def test_anything_but_true_is_unavailable_and_asked_again(site, dispatcher, f, answer, reason):
    site.adapter("card", availability(answer))
    for times in (1, 2):
        with pytest.raises(backstack.BackendUnavailableError, match="not available") as caught:
            f(1, backend="card")
        assert reason in caught.value.reason
        assert reason in str(caught.value)
        assert isinstance(caught.value, RuntimeError)
        assert len(sys.modules["card_adapter"].asked) == times
    assert state(dispatcher, "card") == "unavailable"
    assert dispatcher.available_backend_names() == []
    sys.modules["card_adapter"].answer = True
    assert f(1, backend="card") == ("card", 1)
    assert state(dispatcher, "card") == "loaded"


def test_true_is_remembered(site, dispatcher, f):
    site.adapter("card", availability("True"))
    assert f(1, backend="card") == ("card", 1)
    module = sys.modules["card_adapter"]
    module.answer = False
    assert f(1, backend="card") == ("card", 1)
    with dispatcher.backend("card"):
        assert f(1) == ("card", 1)
    assert len(module.asked) == 1


def test_availability_is_asked_anew_after_a_refresh(site, dispatcher, f):
    site.adapter("card", availability("True"))
    assert f(1, backend="card") == ("card", 1)
    sys.modules["card_adapter"].answer = "unplugged"
    dispatcher.refresh()
    with pytest.raises(backstack.BackendUnavailableError, match="unplugged"):
        f(1, backend="card")


def test_the_next_preference_is_taken_silently_and_logged(site, dispatcher, f, caplog):
    site.adapter("card", availability("'no card found'"))
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    with caplog.at_level("INFO", logger="backstack"), dispatcher.backend("card", "good"):
        assert f(1) == ("good", 1)
    assert any("no card found" in record.getMessage() for record in caplog.records)


def test_is_available_of_a_class(site, f):
    source = """
        class Adapter:
            name = "card"
            def is_available(self):
                return "no card found"
        """
    site.install("card-dist", {"card": "card_adapter:Adapter"}, {"card_adapter.py": source})
    with pytest.raises(backstack.BackendUnavailableError, match="no card found"):
        f(1, backend="card")


def test_a_list_of_what_is_installed_asks_nobody(site, dispatcher):
    site.adapter("card", availability("False"))
    dispatcher.discover()
    assert dispatcher.backends()[0].state == "loaded"
    assert sys.modules["card_adapter"].asked == []


def test_is_available_is_no_function_of_the_host(site, dispatcher):
    site.adapter("card", availability("True"))
    assert dispatcher.backends()[0].functions == ()
    for name in ("is_available", "name", "aliases"):
        with pytest.raises((TypeError, ValueError), match=name):
            dispatcher.backend_dispatch(name=name)(lambda x: x)


def test_ten_threads_ask_once_whether_it_is_available(site, dispatcher, f):
    source = """
        import time
        asked = []
        name = "slow"
        def is_available():
            asked.append(1)
            time.sleep(0.2)
            return True
        def f(x): return "slow", x
        """
    site.adapter("slow", source)
    assert sorted(together(10, lambda number: f(number, backend="slow"))) == [
        ("slow", number) for number in range(10)
    ]
    assert sys.modules["slow_adapter"].asked == [1]


def test_an_asynchronous_is_available_is_no_answer(site, dispatcher, f):
    site.adapter("late", "name = 'late'\nasync def is_available(): return True\n")
    with pytest.raises(backstack.BackendUnavailableError, match="coroutine function"):
        f(1, backend="late")


def test_an_error_says_what_was_being_read(site, dispatcher, f):
    site.adapter("odd", "name = 'odd'\ndef __getattr__(name): return {}[name]\n")
    with pytest.raises(backstack.BackendLoadError, match="reading 'aliases' of it raised KeyError"):
        f(1, backend="odd")
