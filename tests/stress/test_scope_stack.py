"""The stack of scopes against a simple model: any order, contexts, generators, threads, tasks."""

import asyncio
import contextvars
import random
import threading
from types import SimpleNamespace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import backstack

NAMES = ("a", "b", "c")


def make_host():
    dispatcher = backstack.BackendDispatcher(
        entrypoint_group="host.backends", host_name="host", env_var=None
    )
    for name in NAMES:
        dispatcher.register(SimpleNamespace(name=name, where=lambda name=name: name))

    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    @dispatcher.backend_dispatch
    def lacking():
        return "cpu"

    return dispatcher, where, lacking


class Entered:
    """One entry in the model: whose it is, and in which context it was made."""

    def __init__(self, scope, context):
        self.scope = scope
        self.context = context


class Here:
    """A context, and the model of the scopes in force in it, the innermost last."""

    def __init__(self, context, entries=()):
        self.context = context
        self.entries = list(entries)


class Body:
    """A decorated generator, and the model of what is in force inside it."""

    def __init__(self, generator, scope):
        self.generator = generator
        self.entries = [Entered(scope, None)]


class ScopeStack(RuleBasedStateMachine):
    """Enter, leave, copy and resume in any order; what is in force is what the model says."""

    def __init__(self):
        super().__init__()
        self.dispatcher, self.where, self.lacking = make_host()
        make = self.dispatcher.backend
        #: each scope with what it chooses, and its policy
        self.scopes = [
            (make("a"), "a", None),
            (make("b", on_missing="error"), "b", "error"),
            (make("c", "a", on_missing="host"), "c", "host"),
            (make(on_missing="error"), None, "error"),
            (make(on_missing="host"), None, "host"),
            (make("cpu"), "cpu", None),
        ]
        self.dispatcher.settings.on_missing = "host"
        self.process = None
        self.places = [Here(contextvars.Context())]
        self.bodies = []

    def teardown(self):
        # Python 3.11 collects garbage in the middle of `ContextVar.set`, and a generator that
        # is closed there and sets a variable of the same context crashes the interpreter.
        for body in self.bodies:
            body.generator.close()

    # -- what is done ------------------------------------------------------------------

    @rule(place=st.integers(0), scope=st.integers(0, 5))
    def enter(self, place, scope):
        here = self.pick(place)
        here.context.run(self.scopes[scope][0].__enter__)
        here.entries.append(Entered(scope, here))

    @rule(place=st.integers(0), scope=st.integers(0, 5))
    def leave(self, place, scope):
        here = self.pick(place)
        here.context.run(self.scopes[scope][0].__exit__, None, None, None)
        self.leave_model(here, [here.entries], scope)

    @rule(place=st.integers(0))
    def copy(self, place):
        here = self.pick(place)
        self.places.append(Here(here.context.copy(), here.entries))

    @rule(place=st.integers(0), scope=st.integers(0, 5))
    def enter_in_a_thread(self, place, scope):
        here = self.pick(place)
        thread = threading.Thread(target=here.context.run, args=[self.scopes[scope][0].__enter__])
        thread.start()
        thread.join()
        here.entries.append(Entered(scope, here))

    @rule(name=st.sampled_from([*NAMES, "cpu", None]))
    def assign(self, name):
        contextvars.Context().run(setattr, self.dispatcher.settings, "backend", name)
        self.process = name

    @rule(scope=st.integers(0, 5), place=st.integers(0))
    def start_a_body(self, scope, place):
        @self.scopes[scope][0]
        def body():
            result = None
            while True:
                step = yield result
                result = step()

        generator = body()
        self.pick(place).context.run(next, generator)
        self.bodies.append(Body(generator, scope))

    @rule(body=st.integers(0), place=st.integers(0), scope=st.integers(0, 5))
    def enter_in_a_body(self, body, place, scope):
        if self.bodies:
            here, inside = self.pick(place), self.bodies[body % len(self.bodies)]
            here.context.run(inside.generator.send, self.scopes[scope][0].__enter__)
            inside.entries.append(Entered(scope, None))

    @rule(body=st.integers(0), place=st.integers(0), scope=st.integers(0, 5))
    def leave_in_a_body(self, body, place, scope):
        if self.bodies:
            here, inside = self.pick(place), self.bodies[body % len(self.bodies)]
            leave = self.scopes[scope][0].__exit__
            here.context.run(inside.generator.send, lambda: leave(None, None, None))
            for entry in inside.entries:
                entry.context = here
            self.leave_model(here, [inside.entries, here.entries], scope)

    @rule(body=st.integers(0), place=st.integers(0))
    def copy_in_a_body(self, body, place):
        if self.bodies:
            here, inside = self.pick(place), self.bodies[body % len(self.bodies)]
            copied = here.context.run(inside.generator.send, contextvars.copy_context)
            kept = [Entered(entry.scope, here) for entry in inside.entries]
            self.places.append(Here(copied, [*here.entries, *kept]))

    @rule(body=st.integers(0), place=st.integers(0))
    def close_a_body(self, body, place):
        if self.bodies:
            inside = self.bodies.pop(body % len(self.bodies))
            self.pick(place).context.run(inside.generator.close)

    # -- what must hold ----------------------------------------------------------------

    @invariant()
    def everywhere_is_as_the_model_says(self):
        for here in self.places:
            here.context.run(self.check, here.entries)

    @invariant()
    def bodies_are_as_the_model_says(self):
        for inside in self.bodies:
            for here in self.places:
                entries = [*here.entries, *inside.entries]
                here.context.run(inside.generator.send, lambda e=entries: self.check(e))
                here.context.run(self.check, here.entries)

    def check(self, entries):
        chosen = self.process or "cpu"
        policy = "host"
        for entry in entries:
            _, name, on_missing = self.scopes[entry.scope]
            chosen, policy = name or chosen, on_missing or policy
        assert self.where() == chosen
        read = self.dispatcher.settings.backend
        assert (read if isinstance(read, str) else read[0]) == chosen
        try:
            assert self.lacking() == "cpu"
        except backstack.NotImplementedByBackendError:
            assert policy == "error"
            assert chosen != "cpu"
        else:
            assert policy == "host" or chosen == "cpu" or isinstance(read, tuple)

    # -- the model ---------------------------------------------------------------------

    def pick(self, place):
        return self.places[place % len(self.places)]

    @staticmethod
    def leave_model(here, stacks, scope):
        for entries in stacks:
            for index in reversed(range(len(entries))):
                if entries[index].scope == scope and entries[index].context is here:
                    del entries[index]
                    return


TestScopeStack = ScopeStack.TestCase
TestScopeStack.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_threads_that_enter_leave_assign_and_register():
    dispatcher, where, _ = make_host()
    shared = [dispatcher.backend(name) for name in NAMES]
    failures = []
    barrier = threading.Barrier(9)
    done = threading.Event()

    def work(seed):
        choose = random.Random(seed)
        barrier.wait(10)
        try:
            for _ in range(300):
                stack = []
                for _ in range(choose.randrange(1, 5)):
                    index = choose.randrange(3)
                    shared[index].__enter__()
                    stack.append(index)
                    assert where() == NAMES[index]
                while stack:
                    index = stack.pop(choose.randrange(len(stack)))
                    before = where()
                    shared[index].__exit__(None, None, None)
                    if stack and index not in stack:
                        assert before in NAMES
                assert where() in ("cpu", "a", "late")
        except BaseException as error:
            failures.append(error)

    def disturb():
        barrier.wait(10)
        try:
            while not done.is_set():
                with dispatcher.register(
                    SimpleNamespace(name="late", where=lambda: "late", other=1)
                ):
                    dispatcher.settings.backend = "late"
                    dispatcher.settings.backend = "a"
                dispatcher.settings.backend = None
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(8)]
    disturber = threading.Thread(target=disturb)
    for thread in (*threads, disturber):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    disturber.join()
    assert failures == []
    assert where() == "cpu"


def test_tasks_that_share_scopes_and_generators():
    dispatcher, where, _ = make_host()
    shared = [dispatcher.backend(name) for name in NAMES]

    @shared[0]
    async def ticks():
        with shared[1]:
            while True:
                yield where()
                await asyncio.sleep(0)

    async def work(seed):
        choose = random.Random(seed)
        mine = ticks()
        for _ in range(50):
            index = choose.randrange(3)
            with shared[index]:
                await asyncio.sleep(0)
                assert await anext(mine) == "b"
                assert where() == NAMES[index]
                with shared[(index + 1) % 3]:
                    await asyncio.sleep(0)
                    assert where() == NAMES[(index + 1) % 3]
            assert where() == "cpu"
        if choose.random() < 0.5:
            await mine.aclose()
        else:
            await asyncio.create_task(mine.aclose())
        assert where() == "cpu"

    async def main():
        await asyncio.gather(*(work(seed) for seed in range(20)))

    asyncio.run(main())
    assert where() == "cpu"
