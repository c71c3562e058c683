"""What goes to another process, and what comes out there."""

import copy
import functools
import pickle
import sys
import types
from types import SimpleNamespace

import cloudpickle
import dill
import pytest

import backstack

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

dispatcher = backstack.BackendDispatcher(
    entrypoint_group="host.backends", host_name="host", env_var=None
)
settings, backend, trace = dispatcher.settings, dispatcher.backend, dispatcher.trace


@dispatcher.backend_dispatch
def scale(x, factor=2):
    return x * factor


def round_trips(value):
    """`value` through every way that a pickle can be made in this process."""
    for protocol in PROTOCOLS:
        yield pickle.loads(pickle.dumps(value, protocol))
        yield pickle.loads(pickle._dumps(value, protocol))  # the one written in Python
        yield cloudpickle.loads(cloudpickle.dumps(value, protocol))
        yield dill.loads(dill.dumps(value, protocol))


@pytest.mark.parametrize(
    "value", [dispatcher, settings, scale], ids=["dispatcher", "settings", "function"]
)
def test_there_is_one_of_each_and_it_is_found_again(value):
    assert all(again is value for again in round_trips(value))
    for copied in (copy.copy(value), copy.deepcopy(value), copy.deepcopy([value])[0]):
        assert copied is value


def test_what_hangs_on_them_is_found_again():
    for again in round_trips((dispatcher.backend, backend, trace, dispatcher.register)):
        assert again == (dispatcher.backend, backend, trace, dispatcher.register)
    for again in round_trips(functools.partial(scale, factor=3)):
        assert again(2) == 6


def test_scopes_arrive_as_scopes_that_are_not_active():
    fake = SimpleNamespace(name="fake", aliases=["f"], scale=lambda x, factor=2: "fake")
    with dispatcher.register(fake), backend("fake") as _:
        scope = backend("f", "cpu", on_missing="error")
        with scope:
            for again in round_trips(scope):
                assert repr(again).startswith("<backend('f', 'cpu', on_missing='error') of host")
                assert "not active" in repr(again)
                with again:
                    assert scale(1) == "fake"
                    assert "not active" not in repr(again)
                assert again(lambda: scale(1))() == "fake"
            assert "(active)" in repr(scope)
        for again in round_trips(backend(on_missing="host")):
            with again:
                assert scale(1) == "fake"
    for again in round_trips(backend("nobody")):  # checked on entry, wherever that is
        with pytest.raises(backstack.UnknownBackendError), again:
            pass


def test_a_copied_scope_is_the_scope():
    scope = backend("cpu")
    assert copy.copy(scope) is scope
    assert copy.deepcopy({"s": scope})["s"] is scope


def test_what_no_module_holds_says_so(make_dispatcher):
    local = make_dispatcher()
    for value in (local, local.settings, local.backend("cpu"), local.backend):
        for protocol in PROTOCOLS:
            with pytest.raises(pickle.PicklingError, match=r"no module holds it.*top level"):
                pickle.dumps(value, protocol)
        assert copy.copy(value) == value
    assert copy.deepcopy(local) is local


def test_it_may_be_held_elsewhere_than_where_it_was_made(make_dispatcher, monkeypatch):
    elsewhere = types.ModuleType("some_elsewhere")
    elsewhere.hosts_dispatcher = make_dispatcher()
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(elsewhere.hosts_dispatcher)
    monkeypatch.setitem(sys.modules, "some_elsewhere", elsewhere)
    data = pickle.dumps(elsewhere.hosts_dispatcher)
    assert b"hosts_dispatcher" in data
    assert pickle.loads(data) is elsewhere.hosts_dispatcher


def test_odd_modules_are_no_obstacle(make_dispatcher, monkeypatch):
    class Odd:
        @property
        def __dict__(self):
            raise RuntimeError

    monkeypatch.setitem(sys.modules, "odd", Odd())
    monkeypatch.setitem(sys.modules, "none", None)
    with pytest.raises(pickle.PicklingError, match="no module holds it"):
        pickle.dumps(make_dispatcher())


HOST = """
    import backstack
    from types import SimpleNamespace

    dispatcher = backstack.BackendDispatcher(entrypoint_group="host.backends", host_name="host")
    settings, backend = dispatcher.settings, dispatcher.backend

    @dispatcher.backend_dispatch
    def scale(x, factor=2):
        return "cpu", x * factor

    @dispatcher.backend_class
    class Model:
        def __init__(self, x):
            self.x = x
        def __reduce__(self):
            return Model, (self.x,)
        def total(self, y=0):
            return self.x + y

    class Fast:
        def __init__(self, x):
            self.x = -x
        def total(self, y=0):
            return self.x + y

    dispatcher.register(SimpleNamespace(
        name="fast", scale=lambda x, factor=2: ("fast", x * factor), Model=Fast))

    def total_of(model, y=0):
        return type(model).__name__, model.total(y)

    def inside(scope, x):
        with scope:
            return scale(x)

    def setting(settings):
        return settings is dispatcher.settings, settings.backend
"""

JOBS = """
    import sys
    sys.path[1:1] = {paths!r}
    import functools, hostmod as host

    JOBS = [
        (host.scale, 1),
        (functools.partial(host.scale, backend="fast"), 2),
        (host.Model(3).total, 4),
        (host.total_of, host.Model(5)),
        (host.total_of, host.Model(6, backend="fast")),
        (functools.partial(host.inside, host.backend("fast")), 7),
        (host.setting, host.settings),
        (functools.partial(host.total_of, y=1), host.Model(8)),
    ]
    EXPECTED = [
        ("cpu", 2), ("fast", 4), 7, ("Model", 5), ("Fast", -6), ("fast", 14), (True, "cpu"),
        ("Model", 9),
    ]
"""


def in_script(run_python, site, script):
    """Run the jobs above by what `script` does, as a user's own script."""
    site.write({"hostmod.py": HOST})
    paths = [path for path in sys.path if path]
    return run_python(JOBS.format(paths=paths) + script, path=site.folder)


def test_a_spawned_process(site, run_python):
    output = in_script(
        run_python,
        site,
        """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    if __name__ == "__main__":
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            with host.backend("fast"):  # which the worker does not see
                done = [pool.submit(*job) for job in JOBS]
            assert [each.result() for each in done] == EXPECTED
        print("all")
    """,
    )
    assert output == "all\n"


def test_jobs_of_joblib(site, run_python):
    output = in_script(
        run_python,
        site,
        """
    from joblib import Parallel, delayed

    if __name__ == "__main__":
        done = Parallel(n_jobs=2)(delayed(job)(argument) for job, argument in JOBS)
        assert done == EXPECTED, done
        print("all")
    """,
    )
    assert output == "all\n"


MAIN = """
    from hostmod import dispatcher
    import abc, typing

    @dispatcher.backend_dispatch(name="own_scale")
    def scale(x):
        return "cpu", x

    @dispatcher.backend_class(name="OwnModel")
    class Model:
        def __init__(self, x=1):
            super().__init__()
            self.x = x
        def __reduce__(self):
            return type(self), (self.x,)

    class Meta(type):
        def __call__(cls, *args, **kwargs):
            return super().__call__(*args, **kwargs)

    @dispatcher.backend_class
    class Made(metaclass=Meta):
        x = 4

    class Sub(Model, abc.ABC):
        pass

    T = typing.TypeVar("T")

    @dispatcher.backend_class
    class Gen(typing.Generic[T]):
        x = 5
        def f(self):
            return 6

    @dispatcher.backend_class
    class Pair(typing.NamedTuple):
        x: int = 7
        def f(self):
            return 8

    def look(value):
        import inspect
        name = type(value).__name__
        if inspect.isclass(value):
            return name, value().x, str(inspect.signature(value))
        if hasattr(value, "f"):
            assert value.f() in (6, 8)
        return (name, value("x")) if callable(value) else (name, value.x)
"""


def test_what_main_defines_goes_by_value_and_arrives_without_dispatch(site, run_python):
    # cloudpickle, and so joblib, dask and ray, cannot import __main__ on the other side.
    output = in_script(
        run_python,
        site,
        MAIN
        + """
    from joblib import Parallel, delayed

    if __name__ == "__main__":
        values = [scale, Model, Model(2), Sub, Sub(3), Made, Made(), Gen, Gen(), Pair, Pair(9)]
        for line in Parallel(n_jobs=2)(delayed(look)(value) for value in values):
            print(*line)
        try:
            Parallel(n_jobs=2)([delayed(scale)(1, backend="fast")])
        except TypeError as error:
            print(error)
    """,
    )
    assert output.splitlines() == [
        "function ('cpu', 'x')",
        "DispatchedType 1 (x=1)",
        "Model 2",
        "DispatchedType 1 (x=1)",
        "Sub 3",
        "DispatchedMeta 4 (*args, **kwargs)",
        "Made 4",
        "DispatchedType 5 ()",
        "Gen 5",
        "DispatchedType 7 (x: int = 7)",
        "Pair 9",
        "scale() got an unexpected keyword argument 'backend'",
    ]


def test_dill_sends_a_function_by_name(site, run_python):
    # A plain one of __main__ it would send by value; what cannot be imported there fails.
    output = in_script(
        run_python,
        site,
        MAIN
        + """
    import dill, subprocess

    if __name__ == "__main__":
        assert dill.loads(dill.dumps(scale)) is scale
        assert dill.loads(dill.dumps(host.scale)) is host.scale
        code = "import sys, dill; print(dill.loads(sys.stdin.buffer.read())(1))"
        for function in (host.scale, scale):
            done = subprocess.run(
                [sys.executable, "-c", code], input=dill.dumps(function), capture_output=True
            )
            print(done.stdout.decode().strip() or done.stderr.decode().splitlines()[-1])
    """,
    )
    first, second = output.splitlines()
    assert first == "('cpu', 2)"
    assert "scale" in second
    assert "__main__" in second
