"""Dozens of threads and hundreds of tasks that do everything there is to do, at once.

Each knows what has to be in force for itself. `--stress-seconds` makes it go on for longer.
"""

import asyncio
import contextvars
import gc
import random
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import FunctionType, SimpleNamespace

import pytest

NAMES = ("a", "b", "c", "cpu")


@pytest.fixture(autouse=True)
def _switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def host(site, make_dispatcher):
    """A dispatcher with three installed backends, and a function that says where it runs."""
    for name in NAMES[:3]:
        site.adapter(name, f"name = {name!r}\ndef where(): return {name!r}\n")
    dispatcher = make_dispatcher(
        trusted_backends={name: {"package": f"{name}-dist"} for name in NAMES[:3]}
    )

    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    return SimpleNamespace(dispatcher=dispatcher, where=where, scopes=_scopes(dispatcher))


def _scopes(dispatcher):
    return {name: dispatcher.backend(name) for name in NAMES}  # shared by everybody


def wander(host, rng, depth=0):
    """Enter, nest, look, leave out of order, and check after each step."""
    assert host.where() == (rng.inside if depth else "cpu")
    outside = rng.inside if depth else "cpu"
    name = rng.choice(NAMES)
    scope = host.scopes[name] if rng.random() < 0.5 else host.dispatcher.backend(name)
    with scope:
        rng.inside = name
        assert host.where() == name
        assert host.dispatcher.settings.backend == name
        if depth < 4 and rng.random() < 0.7:
            wander(host, rng, depth + 1)
            rng.inside = name
        if rng.random() < 0.2:
            other = host.dispatcher.backend(rng.choice(NAMES))
            other.__enter__()
            scope.__enter__()
            other.__exit__(None, None, None)  # the one in the middle
            scope.__exit__(None, None, None)
        assert host.where() == name
    rng.inside = outside
    assert host.where() == outside


def until(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def in_threads(actions, seconds):
    """Each action over and over in a thread of its own; the first failure is raised."""
    failures = []

    def run(action, seed):
        rng = random.Random(seed)
        try:
            for _ in until(seconds):
                action(rng)
                if failures:
                    return
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(action, seed)) for seed, action in enumerate(actions)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 + seconds)
        assert not thread.is_alive(), "it hangs"
    if failures:
        raise failures[0]


@pytest.mark.filterwarnings("ignore::backstack.BackstackWarning")
def test_threads_choose_while_others_change_everything(host, stress_seconds):
    dispatcher = host.dispatcher

    def choose(rng):
        wander(host, rng)

    def register(rng):
        name = f"extra{rng.randrange(5)}"
        with dispatcher.register(SimpleNamespace(name=name, where=lambda: name)):
            with dispatcher.backend(name):
                assert host.where() == name
                rng.inside = name
                wander(host, rng, 1)

    def refresh(rng):
        rng.choice([dispatcher.refresh, dispatcher.discover, dispatcher.reset_warnings])()
        assert {"a", "b", "c"} <= set(dispatcher.available_backend_names())

    def look(rng):
        assert {"a", "b", "c"} <= {record.name for record in dispatcher.backends()}
        assert "backend" in str(__import__("inspect").signature(host.where))
        host.where.__doc__

    def decorate(rng):
        number = rng.randrange(3)
        g = FunctionType((lambda: "cpu").__code__, {}, f"g{number}")
        g.__module__ = __name__
        assert dispatcher.backend_dispatch(g)() == "cpu"

    def call(rng):
        name = rng.choice(NAMES)
        assert host.where(backend=name) == name
        with dispatcher.trace() as calls:
            host.where(backend=name)
        assert [record.ran_on for record in calls] == [name]

    def collect(rng):
        gc.collect()
        time.sleep(0.01)

    actions = [choose] * 12 + [call] * 4 + [register] * 4 + [refresh, look, collect]
    actions += [decorate]
    in_threads(actions, stress_seconds)
    assert host.where() == "cpu"
    assert dispatcher.available_backend_names() == ["a", "b", "c"]


def test_tasks_enter_share_leak_and_are_cancelled(host, stress_seconds):
    dispatcher = host.dispatcher

    async def task(rng, inherited):
        assert host.where() == inherited
        name = rng.choice(NAMES)
        with ExitStack() as stack:
            stack.enter_context(host.scopes[name])
            await asyncio.sleep(rng.random() / 1000)
            assert host.where() == name
            rng.inside = name
            wander(host, rng, 1)
            if rng.random() < 0.3:
                children = [task(random.Random(rng.random()), name) for _ in range(2)]
                await asyncio.gather(*children)
            if rng.random() < 0.2:
                stack.pop_all()  # leaked: it ends with the task
            await asyncio.sleep(0)
            assert host.where() == name

    @dispatcher.backend("a")
    async def numbers():
        for _ in range(3):
            assert host.where() == "a"
            await asyncio.sleep(0)
            yield host.where()

    async def iterate(rng):
        before = host.where()
        async for found in numbers():
            assert (found, host.where()) == ("a", before)
            if rng.random() < 0.2:
                break

    async def main():
        rng = random.Random(0)
        bound = host.dispatcher.bind(host.where)
        for _ in until(stress_seconds):
            tasks = [
                asyncio.create_task(task(random.Random(rng.random()), "cpu")) for _ in range(100)
            ]
            tasks += [asyncio.create_task(iterate(random.Random(rng.random()))) for _ in range(20)]
            await asyncio.sleep(rng.random() / 500)
            cancelled = set(rng.sample(tasks, 30))
            for each in cancelled:
                each.cancel()
            with dispatcher.backend("b"):
                assert await asyncio.to_thread(host.where) == "b"
                assert await asyncio.to_thread(bound) == "cpu"
            for each in tasks:
                try:
                    await each
                except asyncio.CancelledError:
                    assert each in cancelled
            assert host.where() == "cpu"

    asyncio.run(main())
    assert host.where() == "cpu"


def test_pools_whose_workers_are_left_in_a_mess(host, stress_seconds):
    def job(rng):
        wander(host, rng)
        if rng.random() < 0.3:
            contextvars.copy_context().run(host.scopes["a"].__enter__)

    with ThreadPoolExecutor(8) as pool:
        for round_number, _ in enumerate(until(stress_seconds)):
            jobs = [
                pool.submit(job, random.Random((round_number, i).__hash__())) for i in range(64)
            ]
            for each in jobs:
                each.result()


def test_a_setting_is_seen_by_threads_new_and_old(host, stress_seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dispatcher, turn = host.dispatcher, threading.Barrier(9)
        stop, seen = threading.Event(), []

        def watch():
            while True:
                turn.wait()
                if stop.is_set():
                    return
                seen.append((host.where(), dispatcher.settings.backend))
                turn.wait()

        threads = [threading.Thread(target=watch) for _ in range(8)]
        for thread in threads:
            thread.start()
        rng = random.Random(0)
        try:
            for _ in until(stress_seconds):
                name = rng.choice(NAMES)
                dispatcher.settings.backend = name
                turn.wait()
                turn.wait()
                assert set(seen) == {(name, name)}
                seen.clear()
                late = []
                thread = threading.Thread(target=lambda late=late: late.append(host.where()))
                thread.start()
                thread.join()
                assert late == [name]
        finally:
            stop.set()
            turn.wait()
            dispatcher.settings.backend = None
        for thread in threads:
            thread.join()
    assert host.where() == "cpu"
