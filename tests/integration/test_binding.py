"""What is in force is carried to wherever work runs, through the engines that people use."""

import asyncio
import contextvars
import copy
import functools
import inspect
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import cloudpickle
import pytest

import backstack

HOST = """
    import os
    import backstack
    from types import SimpleNamespace

    dispatcher = backstack.BackendDispatcher(
        entrypoint_group="host.backends", host_name="host",
        trusted_backends={"lost": {"package": "lost-backend"}},
    )
    settings, backend, bind = dispatcher.settings, dispatcher.backend, dispatcher.bind

    @dispatcher.backend_dispatch
    def scale(x, factor=2):
        return "cpu", x * factor

    @dispatcher.backend_dispatch
    def only_here(x):
        return "cpu", x

    @dispatcher.backend_dispatch
    async def wait(x):
        return "cpu", x

    @dispatcher.backend_class
    class Model:
        def __init__(self, x):
            self.x = x
        def scaled(self, factor=2):
            return scale(self.x, factor)

    class FastModel:
        def __init__(self, x):
            self.x = x

    async def fast_wait(x):
        return "fast", x

    fast = SimpleNamespace(
        name="fast", aliases=["f"], scale=lambda x, factor=2: ("fast", x * factor),
        Model=FastModel, wait=fast_wait,
    )
    shy = SimpleNamespace(name="shy", aliases=[], scale=lambda x, factor=2: NotImplemented)
    if os.environ.get("WITHOUT") != str(os.getppid()):
        dispatcher.register(fast)
        dispatcher.register(shy)

    def what(x):
        return scale(x), settings.backend, dispatcher._stack.on_missing()

    def make(x):
        return type(Model(x)).__name__

    def steps(n):
        for _ in range(n):
            yield scale(1)[0]
"""


@pytest.fixture
def host(site):
    site.write({"bindhost.py": HOST})
    return __import__("bindhost")


@pytest.fixture
def script(site, run_python):
    """Run a script that has the host, and jobs with what they come to."""

    def run(text, **env):
        site.write({"bindhost.py": HOST})
        paths = [path for path in sys.path if path]
        head = f"""
    import sys
    sys.path[1:1] = {paths!r}
    import functools, os, bindhost as host

    def check(call, n=3):
        '''Run everything through `call`, which takes a function and arguments in a list.'''
        with host.backend("f", "shy", on_missing="error"):
            bound = host.bind(host.scale)
            looked = host.bind(host.what)
            method = host.bind(host.Model(7, backend="cpu").scaled)
            part = host.bind(functools.partial(host.scale, factor=5))
            made = host.bind(host.Model)
        with host.backend("cpu"):
            plain = host.bind(host.scale)
        assert call(bound, list(range(n))) == [("fast", 2 * i) for i in range(n)]
        assert call(looked, [1]) == [(("fast", 2), ("fast", "shy"), "error")]
        assert call(method, [3]) == [("fast", 21)]
        assert call(part, [3]) == [("fast", 15)]
        assert [type(m).__name__ for m in call(made, [1])] == ["FastModel"]
        with host.backend("fast"):  # of which the bound one knows nothing
            assert call(plain, [1]) == [("cpu", 2)]
        host.settings.backend = "fast"
        carried = host.bind(host.scale)
        host.settings.backend = None
        assert call(carried, [1]) == [("fast", 2)]
"""
        return run_python(head + text, path=site.folder, env=env)

    return run


# -- in this process -----------------------------------------------------------------------


def test_what_is_carried(host):
    assert repr(host.bind(host.scale)).endswith(
        "bound to backend 'cpu' of host, on_missing='warn'>"
    )
    with host.backend("f", "shy", on_missing="host"):
        bound = host.bind(host.scale)
    assert (bound.backend, bound.on_missing) == (("fast", "shy"), "host")
    assert bound(2) == ("fast", 4)
    with host.backend("cpu"):
        assert bound(2) == ("fast", 4)
        assert host.scale(2) == ("cpu", 4)
        assert host.bind(host.scale).backend == "cpu"
    host.settings.backend = "fast"
    assert host.bind(host.what)(1) == (("fast", 2), "fast", "warn")
    with host.backend("fast"):
        plain = host.bind(host.what)
    host.settings.on_missing = "error"
    assert plain(1)[2] == "warn"


def test_it_looks_like_the_function(host):
    bound = host.bind(host.scale)
    assert (bound.__name__, bound.__wrapped__) == ("scale", host.scale)
    assert str(inspect.signature(bound)) == "(x, factor=2, *, backend=None)"
    assert bound(1, backend="fast") == ("fast", 2)
    holder = type("Holder", (), {"scale": bound, "__mul__": lambda self, other: "mine"})()
    assert holder.scale() == ("cpu", "mine")
    assert copy.copy(bound) is bound
    for bad in (None, 5, "scale"):
        with pytest.raises(TypeError, match="cannot be called"):
            host.bind(bad)


def test_kinds_of_functions(host):
    with host.backend("fast"):
        wait, steps = host.bind(host.wait), host.bind(host.steps)
    assert asyncio.iscoroutinefunction(wait)
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(wait)
    assert asyncio.run(wait(3)) == ("fast", 3)
    running = steps(2)
    assert next(running) == "fast"
    assert host.scale(1) == ("cpu", 2)  # set aside between its steps
    assert list(running) == ["fast"]


def test_threads_and_loops(host):
    with host.backend("fast"), ThreadPoolExecutor(2) as pool:
        bound = host.bind(host.scale)
        assert list(pool.map(bound, range(50))) == [("fast", 2 * i) for i in range(50)]
        assert pool.submit(host.scale, 1).result() == ("cpu", 2)

        async def main():
            loop = asyncio.get_running_loop()
            done = [await asyncio.to_thread(bound, 1), await loop.run_in_executor(pool, bound, 1)]
            return done, await loop.run_in_executor(None, host.scale, 1)

        assert asyncio.run(main()) == ([("fast", 2)] * 2, ("cpu", 2))
    results = []
    thread = threading.Thread(target=lambda: results.append(bound(1)))
    thread.start()
    thread.join()
    assert results == [("fast", 2)]
    assert contextvars.Context().run(bound, 1) == ("fast", 2)


def test_anyio(host):
    anyio = pytest.importorskip("anyio")
    to_thread = pytest.importorskip("anyio.to_thread")
    with host.backend("fast"):
        bound = host.bind(host.scale)
    assert anyio.run(to_thread.run_sync, bound, 1) == ("fast", 2)


def test_it_is_re_entrant(host):
    def recursive(n):
        return [host.scale(n)[0], *(bound(n - 1) if n else [])]

    with host.backend("fast"):
        bound = host.bind(recursive)
    assert bound(5) == ["fast"] * 6
    assert host.scale(1)[0] == "cpu"


def test_a_bound_one_is_bound_by_another_host(host):
    other = backstack.BackendDispatcher(entrypoint_group="other.backends", host_name="other")
    with other.register(SimpleNamespace(name="quick")), other.backend("quick"):
        with host.backend("fast"):
            inner = host.bind(lambda: (host.settings.backend, other.settings.backend))
        inner.note = "kept"
        outer = other.bind(inner)
    assert (inner.backend, outer.backend, outer.note) == ("fast", "quick", "kept")
    assert "bound to backend 'quick' of other" in repr(outer)
    with other.register(SimpleNamespace(name="quick")):
        assert outer() == ("fast", "quick")
        assert inner() == ("fast", "cpu")


def test_many_threads_call_what_was_unpickled(host):
    with host.backend("fast"):
        data = pickle.dumps(host.bind(host.scale))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(200):
                bound, ready = pickle.loads(data), threading.Barrier(8)

                def call(x, bound=bound, ready=ready):
                    ready.wait()
                    return bound(x)

                assert list(pool.map(call, range(8))) == [("fast", 2 * x) for x in range(8)]
    finally:
        sys.setswitchinterval(before)


def test_an_error_comes_out_as_it_is(host):
    def fail():
        raise KeyError("mine")

    with host.backend("fast"), pytest.raises(KeyError, match="mine"):
        host.bind(fail)()
    with host.backend("fast", on_missing="error"):
        bound = host.bind(host.only_here)
    with pytest.raises(backstack.NotImplementedByBackendError):
        bound(1)
    registration = host.dispatcher.register(SimpleNamespace(name="brief", scale=lambda x: x))
    with host.backend("brief"):
        bound = host.bind(host.scale)
    registration.remove()
    with pytest.raises(backstack.UnknownBackendError) as caught:
        bound(1)
    assert not hasattr(caught.value, "__notes__")  # it is this process


def test_it_pickles_by_name(host):
    with host.backend("fast", on_missing="host"):
        for value in (host.scale, host.Model, host.Model(1, backend="cpu").scaled):
            bound = host.bind(value)
            protocols = range(pickle.HIGHEST_PROTOCOL + 1)
            dumped = [pickle.dumps(bound, protocol) for protocol in protocols]
            for data in (*dumped, cloudpickle.dumps(bound)):
                again = pickle.loads(data)
                assert (again.backend, again.on_missing) == ("fast", "host")
                assert type(again(1)) is type(bound(1))
    local = backstack.BackendDispatcher(entrypoint_group="h.b", host_name="h")
    with pytest.raises(pickle.PicklingError, match="no module holds it"):
        pickle.dumps(local.bind(len))


def test_an_executor_that_binds(host):
    with host.dispatcher.executor(ThreadPoolExecutor(2)) as pool:
        with host.backend("fast"):
            future = pool.submit(host.scale, 1, factor=3)
            results = pool.map(host.scale, range(3), timeout=60)
        assert (future.result(), list(results)) == (
            ("fast", 3),
            [("fast", 0), ("fast", 2), ("fast", 4)],
        )
        assert pool.submit(host.scale, 1).result() == ("cpu", 2)
        assert pool._max_workers == 2
        assert asyncio.run(_through(pool, functools.partial(host.scale, 1))) == ("cpu", 2)
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(host.scale, 1)


async def _through(pool, call):
    return await asyncio.get_running_loop().run_in_executor(pool, call)


# -- in other processes --------------------------------------------------------------------


@pytest.mark.parametrize("start", ["fork", "spawn", "forkserver"])
def test_process_pools(script, start):
    output = script(
        f"""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    if __name__ == "__main__":
        with ProcessPoolExecutor(2, mp_context=get_context("{start}")) as pool:
            check(lambda f, xs: list(pool.map(f, xs)))
            bound = host.dispatcher.executor(pool)
            with host.backend("fast"):
                future = bound.submit(host.scale, 4)
                mapped = bound.map(host.scale, range(5), chunksize=2)
            assert future.result() == ("fast", 8)
            assert list(mapped) == [("fast", 2 * x) for x in range(5)]
        print("all")
    """
    )
    assert output == "all\n"


@pytest.mark.parametrize("engine", ["loky", "threading", "multiprocessing"])
def test_joblib(script, engine):
    output = script(
        f"""
    from joblib import Parallel, delayed

    if __name__ == "__main__":
        with Parallel(n_jobs=2, backend="{engine}") as parallel:
            check(lambda f, xs: parallel(delayed(f)(x) for x in xs))
        print("all")
    """
    )
    assert output == "all\n"


DASK = """
    import warnings
    warnings.filterwarnings("ignore", "Couldn't detect a suitable IP")
    import dask
"""


@pytest.mark.parametrize("scheduler", ["threads", "processes", "synchronous"])
def test_dask(script, scheduler):
    pytest.importorskip("dask")
    output = script(
        DASK
        + f"""
    if __name__ == "__main__":
        def call(f, xs):
            return list(dask.compute(*[dask.delayed(f)(x) for x in xs], scheduler="{scheduler}"))
        check(call)
        print("all")
    """
    )
    assert output == "all\n"


CLUSTER = (
    DASK
    + """
    from distributed import Client, LocalCluster

    def cluster(**options):
        return LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, protocol="tcp", host="127.0.0.1",
            dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0", **options)
    """
)


def test_a_cluster_of_processes(script):
    pytest.importorskip("distributed")
    output = script(
        CLUSTER
        + """
    if __name__ == "__main__":
        with cluster() as workers:
            with Client(workers) as before:
                check(lambda f, xs: before.gather(before.map(f, xs, pure=False)))
                with host.dispatcher.executor(before.get_executor()) as pool:
                    with host.backend("fast"):
                        assert pool.submit(host.scale, 1).result() == ("fast", 2)
            with host.backend("fast"), Client(workers) as inside:
                assert inside.submit(host.bind(host.scale), 1, pure=False).result() == ("fast", 2)
        print("all")
    """
    )
    assert output == "all\n"


def test_a_plugin_chooses_on_every_worker(script):
    pytest.importorskip("distributed")
    output = script(
        CLUSTER
        + """
    def look():
        return host.settings.process_backend, host.settings.on_missing

    if __name__ == "__main__":
        with cluster() as workers, Client(workers) as client:
            plugin = host.dispatcher.worker_plugin("f", "shy", on_missing="host")
            assert repr(plugin) == "<BackendPlugin of host: 'f', 'shy'>"
            client.register_plugin(plugin)
            assert set(client.run(host.what, 1).values()) == {
                (("fast", 2), ("fast", "shy"), "host")}
            workers.scale(3)  # one that comes later
            client.wait_for_workers(3)
            assert len(client.run(host.what, 1)) == 3
            assert set(client.run(host.what, 1).values()) == {
                (("fast", 2), ("fast", "shy"), "host")}
            client.unregister_worker_plugin("backstack-host")
            assert set(client.run(host.what, 1).values()) == {(("cpu", 2), "cpu", "warn")}
            with host.backend("fast"):
                client.register_plugin(host.dispatcher.worker_plugin())
            assert {r[1] for r in client.run(host.what, 1).values()} == {"fast"}
            try:
                host.dispatcher.worker_plugin("fast", on_missing="sometimes")
            except ValueError as error:
                print(error)
    """
    )
    assert "on_missing must be one of" in output


def test_ray(script):
    pytest.importorskip("ray")
    output = script(
        """
    import warnings
    warnings.simplefilter("ignore")
    import ray

    if __name__ == "__main__":
        path = os.pathsep.join(filter(None, sys.path))
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
                 runtime_env={"env_vars": {"PYTHONPATH": path}})

        def call(f, xs):
            @ray.remote
            def task(x):
                return f(x)
            return ray.get([task.remote(x) for x in xs])

        check(call)
        print("all")
        ray.shutdown()
    """
    )
    assert output == "all\n"


# -- what a worker lacks -------------------------------------------------------------------


def test_a_worker_without_the_backend_says_so(script):
    output = script(
        """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    import backstack

    if __name__ == "__main__":
        os.environ["WITHOUT"] = str(os.getpid())  # children of this process have no backends
        with host.backend("fast"):
            bound = host.bind(host.scale)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            for _ in range(2):
                try:
                    pool.submit(bound, 1).result()
                except backstack.UnknownBackendError as error:
                    print(error.label, error.host, *error.__notes__)
            assert pool.submit(host.scale, 1).result() == ("cpu", 2)
    """
    )
    first, second = output.splitlines()
    assert first == second
    assert first.startswith("fast host In worker process 'SpawnProcess-1' (pid ")


def test_a_worker_without_the_host_says_so(site, run_python):
    site.write({"bindhost.py": HOST})
    output = run_python(
        """
        import os, pickle, subprocess, sys
        import bindhost as host
        with host.backend("fast"):
            data = pickle.dumps(host.bind(host.scale))
        code = "\\n".join([
            "import pickle, sys",
            "bound = pickle.loads(sys.stdin.buffer.read())",
            "try: bound(1)",
            "except Exception as error:",
            "    again = pickle.loads(pickle.dumps(error))",
            "    print(type(again).__name__, again, again.__notes__, sep='|')",
        ])
        path = os.pathsep.join(p for p in sys.path if p and "site" != os.path.basename(p))
        done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True,
                              cwd="/", env={**os.environ, "PYTHONPATH": path})
        print(done.stdout.decode(), done.stderr.decode()[-500:])
        """,
        path=site.folder,
    )
    kind, message, notes = output.strip().split("|")
    assert kind == "BackendNotInstalledError"
    assert "'fast' cannot be put in force for host here" in message
    assert "'bindhost:dispatcher' cannot be imported: No module named 'bindhost'" in message
    assert "In worker process 'MainProcess'" in notes


LAZY_HOST = {
    "lazyhost/__init__.py": """
        from lazyhost._dispatch import dispatcher

        def __getattr__(name):
            import lazyhost.functions
            return getattr(lazyhost.functions, name)
        """,
    "lazyhost/_dispatch.py": """
        import backstack
        dispatcher = backstack.BackendDispatcher(entrypoint_group="l.b", host_name="lazyhost")
        """,
    "lazyhost/functions.py": """
        import os
        from lazyhost._dispatch import dispatcher

        if "OLD" not in os.environ:
            @dispatcher.backend_dispatch
            def double(x):
                return x + x

            @dispatcher.backend_class
            class Model:
                def __init__(self, x):
                    self.x = x
        if os.environ.get("OLD") == "broken":
            import no_such_module
        """,
}


@pytest.mark.parametrize("old", [None, "lacking", "broken"])
def test_a_host_that_imports_its_modules_when_needed(site, run_python, old):
    site.write(LAZY_HOST)
    output = run_python(
        f"""
        import os
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context
        import lazyhost

        if __name__ == "__main__":
            lazyhost.double, lazyhost.Model  # imported here, and not in the worker
            if {old!r}:
                os.environ["OLD"] = {old!r}  # another version there
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                for function in (lazyhost.double, lazyhost.Model):
                    try:
                        result = pool.submit(lazyhost.dispatcher.bind(function), 2).result()
                        print(getattr(result, "x", result))
                    except Exception as error:
                        print(type(error).__name__, error, *error.__notes__, sep="|")
        """,
        path=site.folder,
    )
    if old is None:
        assert output == "4\n2\n"
        return
    why = {
        "lacking": "'lazyhost.functions' defines no {}()",
        "broken": "'lazyhost.functions', which defines {}(), cannot be imported: "
        "No module named 'no_such_module'",
    }[old]
    for line, name in zip(output.splitlines(), ("double", "Model"), strict=True):
        kind, message, note = line.split("|")
        assert kind == "BackendNotInstalledError"
        assert message == (
            f"Backend 'cpu' cannot be put in force for lazyhost here, where {why.format(name)}"
        )
        assert note.startswith("In worker process 'SpawnProcess-1' (pid ")
