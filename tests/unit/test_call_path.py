"""What happens on the way of a call: just the Python-level calls that it must make."""

import contextvars
import functools
import gc
import sys
import threading
from types import SimpleNamespace

import pytest


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


def plain(x, y=1, *, k=2):
    return x, y, k


def theirs(x, y=1, *, k=2):
    return "b", x, y, k


def python_calls(function, *args, **kwargs):
    """The names of the Python functions that a call runs, by `sys.setprofile`."""
    seen = []

    def note(frame, event, argument):
        if event == "call":
            seen.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        function(*args, **kwargs)
    finally:
        sys.setprofile(None)
    return seen


@pytest.fixture
def f(dispatcher):
    f = dispatcher.backend_dispatch(name="f")(plain)
    dispatcher.register(SimpleNamespace(name="b", aliases=["other"], f=theirs))
    return f


def test_an_idle_call_makes_two(dispatcher, f):
    assert python_calls(f, 1) == ["call", "plain"]
    assert python_calls(f, 1, k=3) == ["call", "plain"]
    with dispatcher.backend("b"):
        pass
    assert python_calls(f, 1) == ["call", "plain"]
    assert python_calls(f, 1, k=3) == ["call", "plain"]


def test_a_call_where_the_host_is_chosen_makes_two(dispatcher, f):
    with dispatcher.backend("cpu"):
        assert python_calls(f, 1) == ["call", "plain"]
        assert python_calls(f, 1, k=3) == ["call", "plain"]
    away = contextvars.copy_context()
    away.run(dispatcher.backend("b").__enter__)  # in force in another context
    assert python_calls(f, 1) == ["call", "plain"]
    assert python_calls(f, 1, k=3) == ["call", "plain"]


def test_a_call_on_a_backend_makes_two_once_its_shape_is_known(dispatcher, f):
    def check(**chosen):
        f(1, **chosen), f(1, k=3, **chosen)
        assert python_calls(f, 1, **chosen) == ["call", "theirs"]
        assert python_calls(f, 1, k=3, **chosen) == ["call", "theirs"]

    check(backend="b")
    check(backend="other")
    with dispatcher.backend("b"):
        check()
    with dispatcher.backend("other"), dispatcher.backend(on_missing="error"):
        check()
    dispatcher.settings.backend = "b"
    check()


def test_a_construction_makes_one_more(dispatcher):
    class Theirs:
        def __init__(self):
            pass

    @dispatcher.backend_class
    class Model:
        def __init__(self):
            pass

    dispatcher.register(SimpleNamespace(name="b", Model=Theirs))
    assert python_calls(Model) == ["__get__", "call", "__init__"]
    assert python_calls(type("Sub", (Model,), {})) == ["__get__", "__init__"]
    with dispatcher.backend("b"):
        Model()
        assert python_calls(Model) == ["__get__", "call", "__init__"]


# -- the first time that somebody chooses ---------------------------------------------------


def test_whatever_was_made_before_sees_the_first_choice(dispatcher):
    made = [dispatcher.backend_dispatch(name="f")(plain)]
    made.append(dispatcher.backend_dispatch(name="f")(plain))  # as a reload replaces it
    made.append(made[0].__call__)
    made.append(functools.partial(made[1]))
    Model = dispatcher.backend_class(type("Model", (), {}))
    dispatcher.register(SimpleNamespace(name="b", f=theirs, Model=dict))
    for call in made:
        assert call(1) == call(1, k=2) == (1, 1, 2)
    assert type(Model()) is Model
    with dispatcher.backend("b"):
        for call in made:
            assert call(1) == call(1, k=2) == ("b", 1, 1, 2)
        assert type(Model()) is dict
        later = dispatcher.backend_dispatch(name="g")(plain)
        dispatcher.register(SimpleNamespace(name="c", g=theirs))
        with dispatcher.backend("c"):
            assert later(1) == ("b", 1, 1, 2)
    for call in (*made, later):
        assert call(1) == (1, 1, 2)


@pytest.mark.parametrize("how", ["scope", "setting", "call", "trace", "policy"])
def test_every_way_of_choosing_first(dispatcher, how):
    f = dispatcher.backend_dispatch(name="f", keyword="run_on")(plain)
    dispatcher.register(SimpleNamespace(name="b", f=theirs))
    assert f(1) == (1, 1, 2)
    if how == "setting":
        dispatcher.settings.backend = "b"
        assert f(1) == ("b", 1, 1, 2)
        dispatcher.settings.backend = None
    elif how == "call":
        assert f(1, run_on="b") == f(1, run_on="b") == ("b", 1, 1, 2)
        assert f(1, run_on="cpu") == f(1, run_on=None) == (1, 1, 2)
    elif how == "trace":
        with dispatcher.trace() as calls:
            f(1)
        assert [call.ran_on for call in calls] == ["cpu"]
    elif how == "policy":
        with dispatcher.backend(on_missing="error"):
            assert f(1) == (1, 1, 2)
    with dispatcher.backend("b"):
        assert f(1) == ("b", 1, 1, 2)
    assert f(1) == (1, 1, 2)


def test_a_variable_has_chosen_before_anybody_calls(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "b")
    dispatcher = make_dispatcher()
    f = dispatcher.backend_dispatch(name="f")(plain)
    dispatcher.register(SimpleNamespace(name="b", f=theirs))
    assert f(1) == ("b", 1, 1, 2)


def test_the_first_call_of_all_may_decline_or_fail(dispatcher):
    f = dispatcher.backend_dispatch(name="f")(plain)
    dispatcher.register(SimpleNamespace(name="shy", f=lambda *a, **k: NotImplemented))
    dispatcher.settings.on_missing = "host"
    assert f(1, backend="shy") == (1, 1, 2)
    with pytest.raises(TypeError, match="nothing"):
        f(1, nothing=2, backend="cpu")


def test_functions_that_are_decorated_while_somebody_chooses_first(make_dispatcher):
    for _ in range(20):
        dispatcher = make_dispatcher()
        dispatcher.register(
            SimpleNamespace(name="b", **{f"f{number}": theirs for number in range(200)})
        )
        made, start = [], threading.Barrier(2)

        def decorate(dispatcher=dispatcher, made=made, start=start):
            start.wait()
            for number in range(200):
                made.append(dispatcher.backend_dispatch(name=f"f{number}")(plain))

        thread = threading.Thread(target=decorate)
        thread.start()
        start.wait()
        scope = dispatcher.backend("b")
        with scope:
            thread.join()
            assert [f(1) for f in made] == [("b", 1, 1, 2)] * 200


def test_garbage_that_is_collected_while_somebody_chooses_first(dispatcher):
    kept = [dispatcher.backend_dispatch(name=f"f{n}")(lambda x: x) for n in range(2_000)]

    def make_a_cycle():
        @dispatcher.backend_dispatch(name="again")
        def again(n):
            return again(n - 1) if n else 0

    dispatcher.register(SimpleNamespace(name="b", f0=lambda x: "b"))
    for _ in range(20):
        make_a_cycle()
    with dispatcher.backend("b"):
        assert kept[0](1) == "b"


def test_a_finalizer_that_chooses_first_while_something_is_decorated(make_dispatcher):
    class Chooses:
        def __init__(self, f):
            self.f, self.itself = f, self

        def __del__(self):
            found.append(self.f(1, backend="b"))

    found = []
    before = gc.get_threshold()
    try:
        for threshold in range(1, 60):
            dispatcher = make_dispatcher()
            dispatcher.register(SimpleNamespace(name="b", f=theirs, g=theirs))
            f = dispatcher.backend_dispatch(name="f")(plain)
            Chooses(f)
            gc.set_threshold(threshold)
            g = dispatcher.backend_dispatch(name="g")(plain)
            gc.set_threshold(*before)
            gc.collect()
            with dispatcher.backend("b"):
                assert g(1) == f(1) == ("b", 1, 1, 2)
    finally:
        gc.set_threshold(*before)
    assert found == [("b", 1, 1, 2)] * 59


# -- however much there is -----------------------------------------------------------------


def steps(function, *args, **kwargs):
    """How many bytecode instructions a call runs."""
    count = 0

    def note(frame, event, argument):
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return note

    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # 3.12 reports none unless a frame asked before
    gc.disable()  # a finalizer would be counted, too
    sys.settrace(note)
    try:
        function(*args, **kwargs)
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def test_nothing_on_the_call_path_grows(dispatcher, f):
    def count():
        ways = [lambda: f(1), lambda: f(1, k=3), lambda: f(1, backend="b")]
        with dispatcher.backend("b"):
            f(1), f(1, k=3), f(1, backend="b")
            on_backend = [steps(way) for way in ways]
        return [steps(way) for way in ways], on_backend

    few = count()
    assert all(number > 5 for numbers in few for number in numbers)
    functions = [dispatcher.backend_dispatch(name=f"f{i}")(lambda x: x) for i in range(1_000)]
    for i in range(100):
        dispatcher.register(SimpleNamespace(name=f"b{i}", f=theirs, f1=theirs))
        f(1, backend=f"b{i}")
    assert len(dispatcher.functions) == len(functions) + 1
    assert count() == few


def test_looking_on_leaves_the_call_path_as_short_as_it_was(dispatcher, f):
    scope = dispatcher.backend("b")

    def count():
        with scope:
            f(1), f(1, k=3), f(1, backend="b")
            inside = [steps(f, 1), steps(f, 1, k=3)]
        return [*inside, steps(f, 1), steps(f, 1, k=3), steps(f, 1, backend="b")]

    count()
    before = count()
    scope.__enter__()
    held = steps(f, 1)
    verifying = dispatcher.verify("b", compare=lambda own, theirs: True)
    with dispatcher.trace(), dispatcher.trace(everywhere=True), verifying:
        f(1)
        assert steps(f, 1) > 2 * held
    assert steps(f, 1) == held
    scope.__exit__(None, None, None)
    assert count() == before


# -- what is left behind -------------------------------------------------------------------


def test_scopes_and_functions_leave_nothing_behind(dispatcher, f, left_behind):
    def enter():
        with dispatcher.backend("b"), dispatcher.backend("cpu"), dispatcher.trace():
            f(1)

    def decorate():
        dispatcher.backend_dispatch(name="g")(plain)

    def classes():
        dispatcher.backend_class(type("Model", (), {}))

    def generators():
        @dispatcher.backend("b")
        def generator():
            yield f(1)

        next(generator())

    assert left_behind(enter, 3_000) < 100
    assert left_behind(decorate, 3_000) < 100
    assert left_behind(generators, 300) < 100
    assert left_behind(classes, 300) < 100
    assert python_calls(f, 1) == ["call", "plain"]


def test_scopes_that_are_left_hand_over_hand_leave_nothing_behind(dispatcher, f, left_behind):
    scopes = [dispatcher.backend("b")]
    scopes[0].__enter__()

    def hand_over():
        scopes.append(dispatcher.backend("b"))
        scopes[-1].__enter__()
        scopes.pop(0).__exit__(None, None, None)

    assert left_behind(hand_over, 2_000) < 100
    assert f(1) == ("b", 1, 1, 2)
    scopes.pop().__exit__(None, None, None)
    assert f(1) == (1, 1, 2)


# -- where the host does not take what was given --------------------------------------------


@pytest.mark.parametrize("awake", [False, True])
@pytest.mark.parametrize("how", [{}, {"backend": "cpu"}])
def test_a_host_runs_once_and_its_own_errors_arrive(dispatcher, awake, how):
    seen = []

    def renames(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            if "size" in kwargs:
                kwargs["y"] = kwargs.pop("size")
            return function(*args, **kwargs)

        return wrapper

    @dispatcher.backend_dispatch(name="h")
    @renames
    def h(x, y=1):
        seen.append((x, y, sys.exception()))
        raise TypeError("mine")

    @dispatcher.backend_dispatch(name="p")
    def p(x):
        seen.append((x, sys.exception()))
        raise TypeError("mine")

    options = {"h": lambda x, y=1, size=8: "b", "p": lambda x, batch=8: "b"}
    dispatcher.register(SimpleNamespace(name="b", **options))
    if awake:
        with dispatcher.backend("b"):
            pass
    for size in (8, 9):
        with pytest.raises(TypeError, match=r"^mine$"):
            h(1, size=size, **how)
        assert seen.pop() == (1, size, None)
        assert seen == []
    with pytest.raises(TypeError, match=r"^mine$") as caught:
        p(1, batch=8, **how)
    assert seen == [(1, None)]
    assert caught.value.__context__ is None
    with pytest.raises(TypeError, match="option of the installed backend 'b'"):
        p(1, batch=9, **how)
