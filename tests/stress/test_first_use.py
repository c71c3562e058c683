"""Many ask for a backend at once that nobody loaded yet, and its code is slow or asks back."""

import linecache
import os
import sys
import threading
from types import SimpleNamespace

import pytest

import backstack

SLOW = """
import time, builtins
builtins.loads_of_slow = getattr(builtins, "loads_of_slow", 0) + 1
time.sleep(0.3)
name = "slow"
def f(): return "slow"
"""


def ask(count, call):
    """What `call` comes to in so many threads that begin at once."""
    results, barrier = [], threading.Barrier(count)

    def run():
        barrier.wait()
        try:
            results.append(call())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "it hangs"
    return results


def host_of(make_dispatcher, **config):
    dispatcher = make_dispatcher(**config)

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    return dispatcher, f


@pytest.fixture
def _count():
    import builtins

    builtins.loads_of_slow = 0
    yield
    del builtins.loads_of_slow


@pytest.mark.usefixtures("_count")
@pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")
@pytest.mark.parametrize("way", ["call", "scope", "setting", "get"])
def test_a_hundred_threads_get_one_adapter(site, make_dispatcher, way):
    import builtins

    site.adapter("slow", SLOW)
    dispatcher, f = host_of(make_dispatcher)

    def by_scope():
        with dispatcher.backend("slow"):
            return f()

    def by_setting():
        dispatcher.settings.backend = "slow"
        return f()

    ways = {
        "call": lambda: f(backend="slow"),
        "scope": by_scope,
        "setting": by_setting,
        "get": lambda: dispatcher.get_backend("slow").f(),
    }
    assert ask(100, ways[way]) == ["slow"] * 100
    assert builtins.loads_of_slow == 1


@pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")
def test_a_class_adapter_is_made_once(site, make_dispatcher):
    source = """
        import time
        made = []
        class Adapter:
            name = "slow"
            def __init__(self):
                time.sleep(0.2)
                made.append(self)
            def f(self):
                return id(self)
        """
    site.install("slow", {"slow": "slow_mod:Adapter"}, {"slow_mod.py": source})
    _, f = host_of(make_dispatcher)
    assert len(set(ask(50, lambda: f(backend="slow")))) == 1
    assert len(sys.modules["slow_mod"].made) == 1


def test_adapters_that_import_the_host(site, run_python):
    site.adapter(
        "one", "import time; time.sleep(0.2)\nimport ahost\nname = 'one'\ndef f(): return 1\n"
    )
    site.write(
        {
            "ahost.py": """
                import backstack
                dispatcher = backstack.BackendDispatcher(
                    entrypoint_group="host.backends", host_name="ahost",
                    trusted_backends={"one": {"package": "one-dist"}})
                @dispatcher.backend_dispatch
                def f():
                    return 0
                """
        }
    )
    output = run_python(
        """
        import threading, ahost
        results = []
        threads = [threading.Thread(target=lambda: results.append(ahost.f(backend="one")))
                   for _ in range(100)]
        for t in threads: t.start()
        for t in threads: t.join(60)
        print(results.count(1), len(results))
        """,
        path=site.folder,
    )
    assert output == "100 100\n"


def test_two_hosts_whose_adapters_import_each_other(site, run_python):
    for own, other in (("left", "right"), ("right", "left")):
        site.install(
            f"{own}-dist",
            {own: f"{own}_adapter"},
            {
                f"{own}_adapter.py": f"""
                    import time; time.sleep(0.1)
                    name = {own!r}
                    import {other}_host
                    other = {other}_host.f(backend={other!r}) if {other}_host.asked else None
                    def f(): return {own!r}
                    """,
                f"{own}_host.py": f"""
                    import backstack
                    asked = False
                    dispatcher = backstack.BackendDispatcher(
                        entrypoint_group="{own}.backends", host_name="{own}_host",
                        trusted_backends={{{own!r}: {{"package": "{own}-dist"}}}})
                    @dispatcher.backend_dispatch
                    def f():
                        return "cpu"
                    """,
            },
            group=f"{own}.backends",
        )
    output = run_python(
        """
        import threading, backstack, left_host, right_host
        for asked in (True, False):
            left_host.asked = right_host.asked = asked
            results = []
            def ask(host, name):
                try:
                    results.append(host.f(backend=name))
                except backstack.BackendLoadError as error:
                    results.append("cycle" if "cycle" in str(error) else str(error))
            threads = [threading.Thread(target=ask, args=pair) for _ in range(20)
                       for pair in ((left_host, "left"), (right_host, "right"))]
            for t in threads: t.start()
            for t in threads: t.join(60)
            assert not any(t.is_alive() for t in threads)
            print(len(results), set(results) <= {"left", "right", "cycle"} or results)
        # Now that nobody asks in a circle any more, both are there.
        print(left_host.f(backend="left"), right_host.f(backend="right"))
        """,
        path=site.folder,
    )
    lines = output.splitlines()
    assert lines[0].startswith("40 ")
    assert lines[1:] == ["40 True", "left right"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_while_another_thread_discovers_and_loads(site, run_python):
    # Python's own lock on the import of `slow` stays taken in the child; nobody can help that.
    site.adapter("slow", "import time; time.sleep(0.5)\nname = 'slow'\ndef f(): return 'slow'\n")
    site.adapter("quick", "name = 'quick'\ndef f(): return 'quick'\n")
    output = run_python(
        """
        import os, threading, time, warnings
        import backstack
        warnings.simplefilter("ignore")  # of forking with threads, and of unlisted backends

        dispatcher = backstack.BackendDispatcher(
            entrypoint_group="host.backends", host_name="host")
        @dispatcher.backend_dispatch
        def f():
            return "cpu"

        taken = threading.Event()
        locks = [dispatcher._registry._lock, dispatcher._selector._lock,
                 dispatcher._stack.process._lock, dispatcher._stack.process._waking]
        def hold():
            for lock in locks:
                lock.acquire()
            taken.set()
            time.sleep(1)
            for lock in locks:
                lock.release()

        threads = [threading.Thread(target=hold)]
        threads[0].start()
        taken.wait()
        child = os.fork()
        if child == 0:
            with dispatcher.backend("cpu"):
                first = f()
            with dispatcher.backend("quick"):
                os._exit(0 if (first, f()) == ("cpu", "quick") else 2)
        for _ in range(200):
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                break
            time.sleep(0.1)
        else:
            os.kill(child, 9)
            raise SystemExit("the child hangs")
        threads[0].join()
        print(os.waitstatus_to_exitcode(status), f(backend="slow"))
        """,
        path=site.folder,
    )
    assert output == "0 slow\n"


class Interrupted(BaseException):
    """As a `KeyboardInterrupt` is."""


def interrupting(after):
    """A trace function that interrupts at a certain one of our lines.

    What a caller's frame calls begins outside of any `try` of its own, and nothing that is
    written in Python can be safe there: these lines do not count.
    """
    lines, begun = 0, set()

    def is_ours(frame):
        return frame is not None and "/backstack/" in frame.f_code.co_filename.replace("\\", "/")

    def trace(frame, event, argument):
        nonlocal lines
        if not is_ours(frame):
            return None
        if event == "line":
            source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            if source.startswith("with "):  # seen once more before `__exit__`, where Python
                return trace  # itself lets no signal in
            outermost = not is_ours(frame.f_back)
            if outermost and (frame not in begun or source == "try:"):
                begun.add(frame)
                return trace
            lines += 1
            if lines == after:
                raise Interrupted
        return trace

    return trace


@pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")
@pytest.mark.parametrize("where", ["scope", "discovery", "call"])
def test_an_interrupt_at_every_line_leaves_nothing_half_done(site, make_dispatcher, where):
    site.adapter("a", "name = 'a'\ndef f(): return 'a'\n")

    def attempt(after):
        """Do something that is interrupted at a certain line of ours; what is left is checked."""
        dispatcher, f = host_of(make_dispatcher)
        if where == "scope":
            with dispatcher.backend("a"):
                f()
        trace = interrupting(after)

        def enter():
            with dispatcher.backend("a"):
                assert f() == "a"

        does = {
            "scope": enter,
            "discovery": lambda: dispatcher.settings.available_backends(),
            "call": lambda: f(backend="a"),
        }[where]
        sys.settrace(trace)
        try:
            does()
        except Interrupted:
            return check(dispatcher, f)
        finally:
            sys.settrace(None)
        return False

    def check(dispatcher, f):
        assert f() == "cpu"
        assert dispatcher.settings.backend == "cpu"
        with dispatcher.backend("a"):
            assert f() == "a"
            assert dispatcher.settings.backend == "a"
        assert f() == "cpu"
        assert f(backend="a") == "a"
        assert dispatcher.settings.available_backends() == ["a"]
        return True

    step = 1 if where == "scope" else 3
    after = 1
    while attempt(after):
        after += step
    assert after > 10


def test_a_registration_that_is_interrupted_is_there_or_not(make_dispatcher):
    dispatcher, f = host_of(make_dispatcher)
    for after in range(1, 400, 3):
        sys.settrace(interrupting(after))
        try:
            with dispatcher.register(SimpleNamespace(name="x", f=lambda: "x")):
                pass
        except Interrupted:
            pass
        finally:
            sys.settrace(None)
        if dispatcher.available_backend_names():
            assert f(backend="x") == "x"
        else:
            with pytest.raises(backstack.UnknownBackendError):
                f(backend="x")
