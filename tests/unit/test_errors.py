"""Every error: what it says, what it carries, that it pickles; and every warning's class."""

# ruff: noqa: PT012, PT031

import copy
import inspect
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backstack
from backstack import errors


def current_line():
    return sys._getframe(1).f_lineno


@pytest.fixture
def dispatcher(make_dispatcher, site):
    site.adapter("broken", "name = 'broken'\naliases = ['brk']\nraise OSError('no library')\n")
    site.adapter("fake", "name = 'fake'\naliases = ['fk']\n")
    dispatcher = make_dispatcher(
        trusted_backends={
            "absent": {"aliases": ["gone"], "package": "absent-pkg"},
            "manual": {"install": "conda install manual"},
            "bare": {},
            "broken": {"aliases": ["brk"]},
            "fake": {"distributions": ["the-real-one"], "aliases": ["fk"]},
        },
        reserved_backends={"gpu": "Choose a concrete one, such as 'cuda'."},
    )
    dispatcher.register(SimpleNamespace(name="cuda", aliases=["nv"]))
    dispatcher.register(
        SimpleNamespace(name="off", aliases=["dark"], is_available=lambda: "no device")
    )
    return dispatcher


@pytest.fixture
def f(dispatcher):
    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    return f


ASKED = {
    "call": "the call's backend=",
    "scope": "a 'with' scope",
    "setting": "settings.backend",
    "variable": "HOST_BACKEND",
}


def error_of(dispatcher, f, label, level="call"):
    """The error of choosing `label` at some level."""
    with pytest.raises(backstack.BackendError) as caught:
        if level == "call":
            f(backend=label)
        elif level == "scope":
            dispatcher.backend(label).__enter__()
        else:
            dispatcher.settings.backend = label
    return caught.value


LEVELS = ("call", "scope", "setting")


# -- one error each ------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_unknown(dispatcher, f, level):
    error = error_of(dispatcher, f, "cudaa", level)
    assert type(error) is backstack.UnknownBackendError
    assert isinstance(error, ValueError)
    assert str(error).startswith("Unknown backend 'cudaa' for host")
    assert "Did you mean 'cuda'? Available: " in str(error)
    assert ASKED[level] in str(error)
    assert (error.label, error.name, error.suggestion) == ("cudaa", None, "cuda")
    assert (error.host, error.chosen_by, error.variable) == ("host", level, None)
    assert {"cpu", "cuda", "nv"} <= set(error.available)
    assert "absent" not in error.available
    for name in error.available:
        assert name in str(error)


@pytest.mark.parametrize(
    ("label", "nearest"),
    [("CUDA", "cuda"), ("Cudda", "cuda"), ("absnt", "absent"), ("GONE", "gone"), ("zzzzz", None)],
)
def test_the_nearest_name_ignores_case(dispatcher, f, label, nearest):
    error = error_of(dispatcher, f, label)
    assert error.suggestion == nearest
    assert ("Did you mean" in str(error)) is (nearest is not None)


def test_the_nearest_name_has_its_own_case(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="MyBackend"))
    with pytest.raises(backstack.UnknownBackendError, match="Did you mean 'MyBackend'"):
        dispatcher.backend("mybackend").__enter__()


@pytest.mark.parametrize("level", LEVELS)
def test_reserved(dispatcher, f, level):
    error = error_of(dispatcher, f, "gpu", level)
    assert type(error) is backstack.ReservedBackendError
    assert isinstance(error, ValueError)
    assert "'gpu' is reserved by host" in str(error)
    assert "Choose a concrete one, such as 'cuda'." in str(error)
    assert ASKED[level] in str(error)
    assert error.reason == "Choose a concrete one, such as 'cuda'."
    assert (error.label, error.chosen_by) == ("gpu", level)


@pytest.mark.parametrize("level", LEVELS)
def test_not_installed(dispatcher, f, level):
    error = error_of(dispatcher, f, "gone", level)
    assert type(error) is backstack.BackendNotInstalledError
    assert isinstance(error, ImportError)
    for part in ("'gone'", "'absent'", "not installed", "pip install absent-pkg", ASKED[level]):
        assert part in str(error)
    assert (error.label, error.name) == ("gone", "absent")
    assert (error.package, error.install) == ("absent-pkg", "pip install absent-pkg")


def test_not_installed_with_the_hosts_own_text_or_none(dispatcher, f):
    error = error_of(dispatcher, f, "manual")
    assert "conda install manual" in str(error)
    assert "pip install" not in str(error)
    assert (error.package, error.install) == (None, "conda install manual")
    error = error_of(dispatcher, f, "bare")
    assert "not installed" in str(error)
    assert error.install is None


@pytest.mark.parametrize("level", LEVELS)
def test_load_failed(dispatcher, f, level):
    for _ in range(2):
        error = error_of(dispatcher, f, "brk", level)
        assert type(error) is backstack.BackendLoadError
        assert isinstance(error, ImportError)
        for part in ("'brk'", "'broken'", "failed to load", "OSError: no library", ASKED[level]):
            assert part in str(error)
        assert type(error.__cause__) is OSError
        assert (error.label, error.name, error.function) == ("brk", "broken", None)
        assert "no library" in error.reason
    assert f() == "cpu"


def test_a_failed_load_is_tried_again(make_dispatcher, site):
    site.adapter("moody", "name = 'moody'\nimport not_there_yet\ndef f():\n    return 'moody'\n")
    dispatcher = make_dispatcher(trusted_backends={"moody": {}})

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    with pytest.raises(backstack.BackendLoadError, match="not_there_yet") as caught:
        f(backend="moody")
    assert type(caught.value.__cause__) is ModuleNotFoundError
    site.write({"not_there_yet.py": ""})
    assert f(backend="moody") == "moody"


def test_a_function_that_cannot_be_read(dispatcher):
    class Lazy:
        name = "lazy"
        aliases = ("lz",)

        @property
        def g(self):
            raise OSError("no kernel")

    @dispatcher.backend_dispatch
    def g():
        return "cpu"

    dispatcher.register(Lazy())
    for on_missing in ("warn", "host", "error"):
        with dispatcher.backend("lz", on_missing=on_missing):
            with pytest.raises(backstack.BackendLoadError, match="no kernel") as caught:
                g()
    error = caught.value
    assert type(error.__cause__) is OSError
    assert error.function == "g"
    assert (error.label, error.name) == ("lz", "lazy")
    assert "'lz'" in str(error)


@pytest.mark.parametrize("level", LEVELS)
def test_untrusted(dispatcher, f, site, level):
    error = error_of(dispatcher, f, "fk", level)
    assert type(error) is backstack.UntrustedBackendError
    assert isinstance(error, ImportError)
    assert str(error).startswith("Refusing trusted backend 'fk' ('fake')")
    assert "the-real-one" in error.expected
    assert "fake-dist" in error.found
    for part in (error.expected, error.found, ASKED[level]):
        assert part in str(error)
    assert site.imported() == set()


@pytest.mark.parametrize("level", LEVELS)
def test_unavailable(dispatcher, f, level):
    error = error_of(dispatcher, f, "dark", level)
    assert type(error) is backstack.BackendUnavailableError
    assert isinstance(error, RuntimeError)
    for part in ("'dark'", "'off'", "no device", ASKED[level]):
        assert part in str(error)
    assert (error.label, error.name, error.reason) == ("dark", "off", "no device")


def test_not_implemented(dispatcher, f):
    with dispatcher.backend("nv", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError) as caught:
            f()
    error = caught.value
    assert isinstance(error, NotImplementedError)
    assert (error.label, error.name, error.function) == ("nv", "cuda", "f")
    for part in ("'nv'", "'cuda'", "f()", "a 'with' scope"):
        assert part in str(error)


def test_the_call_is_named_by_its_own_keyword(dispatcher):
    @dispatcher.backend_dispatch(keyword="run_on")
    def g():
        return "cpu"

    with pytest.raises(backstack.UnknownBackendError, match="run_on="):
        g(run_on="nonsense")


# -- errors of a backend's own code ----------------------------------------------------------


class Mine(Exception):
    def __init__(self, one, two):
        super().__init__(one)
        self.two = two


@pytest.mark.parametrize(
    "error",
    [
        Mine(1, 2),
        TypeError("f() got an unexpected keyword argument 'x'"),
        AttributeError("name"),
        ImportError("late"),
        StopIteration(5),
        GeneratorExit(),
        KeyboardInterrupt(),
        SystemExit(3),
        backstack.UnknownBackendError("not of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("traced", [False, True])
def test_what_an_implementation_raises_is_unchanged(dispatcher, error, traced):
    error = copy.copy(error) if not isinstance(error, Mine) else Mine(1, 2)

    def fail(x, **kwargs):
        raise error

    @dispatcher.backend_dispatch
    def g(x, y=0):
        return "cpu"

    dispatcher.register(SimpleNamespace(name="fails", g=fail))
    scope = dispatcher.trace() if traced else dispatcher.backend(on_missing="warn")
    for _ in range(2):
        with scope, pytest.raises(type(error)) as caught:
            g(1, backend="fails")
        assert caught.value is error
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert not hasattr(caught.value, "__notes__")


def test_what_the_host_raises_is_unchanged(dispatcher):
    error = TypeError("bad operand")

    @dispatcher.backend_dispatch
    def g(x, y=0):
        raise error

    for kwargs in ({}, {"y": 2}, {"backend": "cpu"}):
        with pytest.raises(TypeError) as caught:
            g(1, **kwargs)
        assert caught.value is error
        assert caught.value.__context__ is None


# -- pickling ------------------------------------------------------------------------------

ERRORS = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, backstack.BackendError)
]
WARNINGS = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, backstack.BackstackWarning)
]


def same(one, other):
    fields = [
        name
        for kind in type(one).__mro__
        if issubclass(kind, backstack.BackendError)
        for name in vars(kind).get("__annotations__", {})
    ]
    assert type(one) is type(other)
    assert str(one) == str(other)
    assert one.args == other.args
    assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
    assert getattr(one, "__notes__", []) == getattr(other, "__notes__", [])


LABELS = ["cudaa", "gpu", "gone", "brk", "fk", "dark", 5, "", b"x", ["a"], "a\nb", "\udc80", "é\0"]


@pytest.mark.parametrize("label", LABELS, ids=ascii)
def test_errors_pickle_with_all_they_carry(dispatcher, f, label):
    error = error_of(dispatcher, f, label)
    error.add_note("and a note")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        same(pickle.loads(pickle.dumps(error, protocol)), error)
    same(copy.copy(error), error)
    same(copy.deepcopy(error), error)


def test_not_implemented_pickles(dispatcher, f):
    with dispatcher.backend("cuda", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError) as caught:
            f()
    same(pickle.loads(pickle.dumps(caught.value)), caught.value)


def test_notes_of_a_list_pickle(dispatcher):
    with pytest.raises(backstack.BackendNotInstalledError) as caught:
        dispatcher.backend("absent", "off", "bare").__enter__()
    assert len(caught.value.__notes__) == 2
    same(pickle.loads(pickle.dumps(caught.value)), caught.value)


@pytest.mark.parametrize("kind", ERRORS)
def test_errors_made_by_hand(kind):
    assert str(kind()) == ""
    assert str(kind("text")) == "text"
    made = kind("text", host="h", label="l")
    assert (made.host, made.label, made.name) == ("h", "l", None)
    same(pickle.loads(pickle.dumps(made)), made)
    copied = copy.copy(made)
    copied.add_note("only here")
    assert not hasattr(made, "__notes__")


def test_an_attribute_that_was_set_later_pickles(dispatcher, f):
    error = error_of(dispatcher, f, "cudaa")
    error.extra = [1]
    assert pickle.loads(pickle.dumps(error)).extra == [1]


@given(
    st.sampled_from(ERRORS),
    st.text(),
    st.dictionaries(
        st.sampled_from(["host", "label", "name", "chosen_by", "variable", "reason"]),
        st.none() | st.text(),
    ),
    st.lists(st.text()),
)
def test_any_error_pickles(kind, message, data, notes):
    error = kind(message, **data)
    for note in notes:
        error.add_note(note)
    restored = pickle.loads(pickle.dumps(error))
    same(restored, error)
    for key, value in data.items():
        assert getattr(restored, key) == value


def test_a_workers_error_reaches_its_caller_whole(dispatcher, f):
    error = error_of(dispatcher, f, "gone")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        received = pool.submit(exec, "raise error", {"error": error}).exception()
    same(received, error)


# -- any name at all -----------------------------------------------------------------------


@given(st.text())
def test_any_text_is_a_name_or_a_clear_error(text):
    dispatcher = backstack.BackendDispatcher(
        entrypoint_group="host.backends", host_name="host", env_var=None
    )
    dispatcher.register(SimpleNamespace(name="cuda"))

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    if text in ("cpu", "cuda"):
        return
    wanted = backstack.UnknownBackendError if text else backstack.BackendNameError
    with pytest.raises(wanted) as caught:
        f(backend=text)
    assert repr(text) in str(caught.value)
    with pytest.raises(wanted):
        dispatcher.backend(text).__enter__()
    with pytest.raises(wanted):
        dispatcher.settings.backend = text


# -- the classes ---------------------------------------------------------------------------


def test_the_classes_are_public_and_documented():
    for kind in (*ERRORS, *WARNINGS):
        assert getattr(backstack, kind.__name__) is kind
        assert kind.__name__ in backstack.__all__
        assert kind.__doc__
    assert all(issubclass(kind, UserWarning) for kind in WARNINGS)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("UnknownBackendError", ValueError),
        ("ReservedBackendError", ValueError),
        ("BackendNotInstalledError", ImportError),
        ("BackendLoadError", ImportError),
        ("UntrustedBackendError", ImportError),
        ("BackendUnavailableError", RuntimeError),
        ("NotImplementedByBackendError", NotImplementedError),
        ("BackendNameError", ValueError),
    ],
)
def test_each_error_is_the_built_in_that_fits(name, builtin):
    assert issubclass(getattr(backstack, name), (backstack.BackendError))
    assert issubclass(getattr(backstack, name), builtin)


# -- availability --------------------------------------------------------------------------


def boom():
    raise OSError("driver gone")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: False, "False"),
        (lambda: "no device", "no device"),
        (lambda: "", "''"),
        (lambda: None, "None"),
        (lambda: 1, "1"),
        (list, "[]"),
        (boom, "driver gone"),
        (lambda: sys.exit("leaving"), "leaving"),
        (lambda needs: True, "needs"),
        (5, "callable"),
    ],
)
def test_anything_but_true_is_unavailable_with_a_reason(make_dispatcher, answer, reason):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="off", is_available=answer))
    with pytest.raises(backstack.BackendUnavailableError) as caught:
        dispatcher.backend("off").__enter__()
    assert reason in caught.value.reason
    assert caught.value.reason in str(caught.value)


def test_true_is_remembered_and_anything_else_is_asked_again(make_dispatcher):
    answers = iter([False, "still not", OSError("x"), True])
    asked = []

    def is_available():
        answer = next(answers)
        asked.append(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="moody", is_available=is_available))
    for count in (1, 2, 3):
        with pytest.raises(backstack.BackendUnavailableError):
            dispatcher.backend("moody").__enter__()
        assert len(asked) == count
    for _ in range(3):
        with dispatcher.backend("moody"):
            pass
        dispatcher.settings.backend = "moody"
    assert len(asked) == 4


def test_availability_is_not_asked_before_the_backend_is_chosen(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="off", is_available=boom))
    dispatcher.backend("off")
    assert [record.state for record in dispatcher.backends()] == ["loaded"]


def test_an_interrupt_while_asking_is_no_answer(make_dispatcher):
    def interrupted():
        raise KeyboardInterrupt

    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="slow", is_available=interrupted))
    with pytest.raises(KeyboardInterrupt):
        dispatcher.backend("slow").__enter__()


# -- other warnings, and where they point -----------------------------------------------------


def test_a_dropped_argument_warns_at_the_call(dispatcher):
    @dispatcher.backend_dispatch
    def g(x, y=0):
        return x, y

    dispatcher.register(SimpleNamespace(name="less", g=lambda x: x))
    with dispatcher.backend("less"), pytest.warns(backstack.DroppedArgumentWarning) as caught:
        _, line = g(1, y=2), current_line()
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert "'y'" in str(warning.message)
    assert "'less'" in str(warning.message)


def test_an_unlisted_backend_warns_once_at_its_first_use(make_dispatcher, site):
    site.adapter("stranger", "name = 'stranger'\ndef f():\n    return 'stranger'\n")
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    with pytest.raises(backstack.UnlistedBackendWarning):
        f(backend="stranger")
    assert site.imported() == set()
    with pytest.warns(backstack.UnlistedBackendWarning, match="'stranger'") as caught:
        result, line = f(backend="stranger"), current_line()
    assert result == "stranger"
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    assert f(backend="stranger") == "stranger"
    dispatcher.reset_warnings()
    with pytest.raises(backstack.UnlistedBackendWarning):
        f(backend="stranger")


def test_a_bad_alias_warns_at_the_registration(make_dispatcher):
    dispatcher = make_dispatcher()
    with pytest.warns(backstack.AdapterWarning, match="aliases must be") as caught:
        _, line = (
            dispatcher.register(SimpleNamespace(name="odd", aliases="bare string")),
            current_line() - 1,
        )
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]


def test_a_trust_variable_that_is_not_understood_warns_where_the_dispatcher_is_made(monkeypatch):
    monkeypatch.setenv("HOST_BACKEND_TRUST", "perhaps")
    with pytest.warns(backstack.TrustSettingWarning, match="HOST_BACKEND_TRUST") as caught:
        line = current_line() + 1
        made = backstack.BackendDispatcher(entrypoint_group="g", host_name="host")
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    assert made.settings.trust == "require"


def test_a_warning_of_a_script_points_into_the_script(run_python):
    source_path = [path for path in sys.path if path]
    output = run_python(f"""
        import sys, warnings
        sys.path[1:1] = {source_path!r}
        from types import SimpleNamespace
        from backstack import BackendDispatcher
        dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
        dispatcher.register(SimpleNamespace(name="bare"))
        @dispatcher.backend_dispatch
        def f():
            return "cpu"
        warnings.simplefilter("always")
        with warnings.catch_warnings(record=True) as caught:
            f(backend="bare"); line = sys._getframe().f_lineno
        print([(w.filename == __file__, w.lineno == line) for w in caught])
    """)
    assert output.strip() == "[(True, True)]"


def test_each_way_of_choosing_says_what_it_takes(dispatcher, f):
    with pytest.raises(backstack.BackendNameError, match=r"\['a'\] is no .* takes one name; lists"):
        f(backend=["a"])
    with pytest.raises(
        backstack.BackendNameError, match=r"^\['a', 'b'\] is no .*backend\('a', 'b'\)"
    ):
        dispatcher.backend(["a", "b"]).__enter__()
    with pytest.raises(backstack.BackendNameError, match=r"^'' is no .* a list of names in order"):
        dispatcher.settings.backend = ""
    with pytest.raises(backstack.BackendNameError, match=r"^5 is no .* get_backend\(\) takes one"):
        dispatcher.get_backend(5)


@pytest.mark.parametrize(
    "label", ["cuda,cpu", "cuda, cpu", ",", "cuda,", "nobody;gpu", "cuda cpu", "cuda|cpu"]
)
@pytest.mark.parametrize(
    ("level", "takes"),
    [
        ("call", "the call's backend= takes one name; lists of preferences go into a scope or"),
        ("scope", "a 'with' scope takes names, each an argument of its own, as in backend('a',"),
        ("setting", "settings.backend takes a name, a list of names in order of preference,"),
    ],
)
def test_several_names_in_one_text_are_told_how_they_are_given(dispatcher, f, label, level, takes):
    error = error_of(dispatcher, f, label, level)
    assert type(error) is backstack.UnknownBackendError
    assert str(error).startswith(f"Unknown backend {label!r} for host (asked for by ")
    assert f"). One string is one name: {takes}" in str(error)
    assert "Did you mean" not in str(error)
    assert (error.label, error.suggestion, error.chosen_by) == (label, None, level)
    assert {"cpu", "cuda"} <= set(error.available)


def test_every_scope_says_how_several_names_are_given(dispatcher):
    for make in (dispatcher.verify, dispatcher.settings.use_backend):
        with pytest.raises(
            backstack.UnknownBackendError, match=r"One string is one name: .* argument of its own"
        ):
            make("cuda,cpu").__enter__()


def test_what_is_said_of_several_names_works(dispatcher, f):
    with dispatcher.backend("cuda", "cpu"):
        assert dispatcher.settings.backend == ("cuda", "cpu")
    dispatcher.settings.backend = ["cuda", "cpu"]
    assert dispatcher.settings.backend == ("cuda", "cpu")
    dispatcher.settings.backend = None


def test_of_one_name_nothing_is_said_about_several(dispatcher, f):
    assert "One string" not in str(error_of(dispatcher, f, "cudaa"))


def test_commas_in_the_variable_separate_names(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "nobody,cpu")
    f = make_dispatcher().backend_dispatch(name="f")(lambda: "cpu")
    with pytest.raises(backstack.UnknownBackendError, match="Unknown backend 'nobody'") as caught:
        f()
    assert "Commas" not in str(caught.value)
    monkeypatch.setenv("HOST_BACKEND", "nobody;cpu")
    f = make_dispatcher().backend_dispatch(name="f")(lambda: "cpu")
    with pytest.raises(backstack.UnknownBackendError, match=r"\. Commas separate several names\."):
        f()


def test_what_is_not_installed_is_suggested_as_that(make_dispatcher):
    dispatcher = make_dispatcher(trusted_backends={"cuda": {"package": "x"}})
    f = dispatcher.backend_dispatch(name="f")(lambda: "cpu")
    with pytest.raises(
        backstack.UnknownBackendError, match=r"mean 'cuda', which is not installed\? Av"
    ) as caught:
        f(backend="cudaa")
    assert caught.value.suggestion == "cuda"


def test_the_host_is_no_suggestion_for_a_gpu(make_dispatcher):
    f = make_dispatcher().backend_dispatch(name="f")(lambda: "cpu")
    with pytest.raises(backstack.UnknownBackendError) as caught:
        f(backend="GPU")
    assert "Did you mean" not in str(caught.value)
    assert caught.value.suggestion is None
    with pytest.raises(backstack.UnknownBackendError, match="Did you mean 'cpu'"):
        f(backend="cpuu")


def test_an_option_of_another_backend_says_whose_it_is(make_dispatcher):
    dispatcher = make_dispatcher()
    f = dispatcher.backend_dispatch(name="f")(lambda x: x)
    dispatcher.register(SimpleNamespace(name="a", f=lambda x, *, tile=1: "a"))
    dispatcher.register(SimpleNamespace(name="b", f=lambda x: "b"))
    assert f(1, tile=2, backend="a") == "a"
    whose = r"'tile'\. It is an option of the installed backend 'a': choose"
    with pytest.raises(TypeError, match=rf"^f\(\) on backend 'b' got an unexpected .* {whose}"):
        f(1, tile=2, backend="b")
    with pytest.raises(TypeError, match=r"'tyle'\.$"):
        f(1, tyle=2, backend="b")


def test_the_usual_keyword_where_another_chooses(make_dispatcher):
    dispatcher = make_dispatcher(keyword="engine")
    f = dispatcher.backend_dispatch(name="f")(lambda x: x)
    with pytest.raises(
        TypeError, match=r"argument 'backend'\. Its backend is chosen by engine=\.$"
    ):
        f(1, backend="cpu")
    g = dispatcher.backend_dispatch(name="g")(lambda x, backend=1: backend)
    assert g(1, backend=2) == 2


def test_a_name_given_to_the_decorator_by_position(make_dispatcher):
    dispatcher = make_dispatcher()
    with pytest.raises(TypeError, match=r"^'tl_score' is no function; .*\(name='tl_score'\)\.$"):
        dispatcher.backend_dispatch("tl_score")
    with pytest.raises(ValueError, match=r"^'__all__' means something to Python"):
        dispatcher.backend_dispatch(name="__all__")(lambda x: x)


def test_a_subclass_of_a_dispatched_class_is_told_how_it_would_be_one(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_class
    class Model:
        pass

    class Sub(Model):
        pass

    with pytest.raises(
        TypeError, match="constructs as any class does, unless it is marked as well"
    ):
        dispatcher.explain(Sub)
    assert dispatcher.explain(Model).runs_on == "cpu"


def test_what_falls_back_is_logged_without_the_remedy(dispatcher, f, caplog):
    caplog.set_level("INFO", "backstack.host")
    with dispatcher.register(SimpleNamespace(name="less")):
        with dispatcher.backend("less", on_missing="host"):
            f()
    (record,) = (r for r in caplog.records if "does not implement" in r.getMessage())
    assert record.getMessage().endswith("running the host's own.")


def test_a_scope_that_was_not_called_is_told_at_once(dispatcher):
    with pytest.raises(TypeError, match=r"@backend\('name'\)"):

        @dispatcher.backend
        def g():
            pass


@pytest.mark.parametrize("reason", ["fails", "unavailable"])
def test_a_backend_that_could_not_be_used_is_still_what_was_meant(make_dispatcher, site, reason):
    sources = {
        "fails": "name = 'slowgpu'\nraise OSError('no driver')\n",
        "unavailable": "name = 'slowgpu'\ndef is_available():\n    return 'no driver'\n",
    }
    site.adapter("slowgpu", sources[reason])
    dispatcher = make_dispatcher(trusted_backends={"slowgpu": {}})
    f = dispatcher.backend_dispatch(name="f")(lambda x: x)
    with pytest.raises(backstack.BackendError, match="no driver"):
        f(1, backend="slowgpu")
    with pytest.raises(backstack.UnknownBackendError, match="Did you mean 'slowgpu'") as caught:
        f(1, backend="slowgpux")
    assert caught.value.suggestion == "slowgpu"
    assert caught.value.available == ("cpu",)


def test_a_backend_that_may_not_run_is_not_suggested(make_dispatcher, site):
    site.adapter("slowgpu", "name = 'slowgpu'\n")
    dispatcher = make_dispatcher(trust="require")
    f = dispatcher.backend_dispatch(name="f")(lambda x: x)
    with pytest.raises(backstack.UnknownBackendError) as caught:
        f(1, backend="slowgpux")
    assert caught.value.suggestion is None
