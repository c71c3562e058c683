"""A scope as a decorator: it covers the body, and is set aside wherever the body yields."""

import asyncio
import contextvars
import functools
import inspect
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

import backstack


def make_backend(name):
    return SimpleNamespace(name=name, where=lambda: name)


@pytest.fixture
def dispatcher(make_dispatcher):
    dispatcher = make_dispatcher()
    for name in "abc":
        dispatcher.register(make_backend(name))
    return dispatcher


@pytest.fixture
def where(dispatcher):
    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    return where


# -- functions -----------------------------------------------------------------------------


def test_a_function_runs_in_the_scope(dispatcher, where):
    @dispatcher.backend("a")
    def run(x, *args, y=2, **kwargs):
        """Run it."""
        return where(), x, args, y, kwargs

    assert run(1, 5, y=3, z=4) == ("a", 1, (5,), 3, {"z": 4})
    assert where() == "cpu"
    assert (run.__name__, run.__doc__) == ("run", "Run it.")
    assert str(inspect.signature(run)) == "(x, *args, y=2, **kwargs)"


def test_decorating_checks_and_enters_nothing(dispatcher, where):
    @dispatcher.backend("nonsense")
    def run():
        raise AssertionError("the body must not run")

    assert where() == "cpu"
    with pytest.raises(backstack.UnknownBackendError, match="nonsense"):
        run()
    assert where() == "cpu"


def test_a_scope_is_left_when_the_body_raises(dispatcher, where):
    @dispatcher.backend("a")
    def run():
        raise KeyError(where())

    with pytest.raises(KeyError, match="a"):
        run()
    assert where() == "cpu"


def test_a_decorated_function_calls_itself(dispatcher, where):
    @dispatcher.backend("a")
    def count(n):
        inner = count(n - 1) if n else []
        return [where(), *inner]

    with dispatcher.backend("b"):
        assert count(3) == ["a"] * 4
        assert where() == "b"


def test_one_scope_decorates_several_functions_and_is_entered_too(dispatcher, where):
    scope = dispatcher.backend("a")
    one, two = scope(lambda: where()), scope(lambda: (where(), one()))
    with scope:
        assert two() == ("a", "a")
        assert where() == "a"
    assert two() == ("a", "a")
    assert where() == "cpu"


def test_scopes_stack_as_decorators(dispatcher, where):
    @dispatcher.backend("a")
    @dispatcher.backend("b", on_missing="error")
    def run():
        return where()

    assert run() == "b"


def test_a_policy_alone_decorates(dispatcher):
    @dispatcher.backend_dispatch
    def lacking():
        return "cpu"

    @dispatcher.backend(on_missing="error")
    def run():
        return lacking()

    with dispatcher.backend("a"):
        with pytest.raises(backstack.NotImplementedByBackendError):
            run()


def test_methods_and_static_methods_are_decorated(dispatcher, where):
    class Thing:
        @dispatcher.backend("a")
        def method(self, x):
            return where(), self, x

        @staticmethod
        @dispatcher.backend("b")
        def static(self):
            return where(), self

        @classmethod
        @dispatcher.backend("c")
        def on_class(cls):
            return where(), cls

    thing = Thing()
    assert thing.method(x=1) == ("a", thing, 1)
    assert Thing.static(self=3) == ("b", 3)
    assert thing.on_class() == ("c", Thing)


def test_callables_of_other_kinds_are_decorated(dispatcher, where):
    class Callable:
        def __call__(self, x):
            return where(), x

    def both(x, y):
        return where(), x, y

    scope = dispatcher.backend("a")
    assert scope(Callable())(1) == ("a", 1)
    assert scope(functools.partial(both, 1))(2) == ("a", 1, 2)
    assert scope(len)([1, 2]) == 2
    assert scope(where)() == "a"


def test_names_of_parameters_do_not_collide(dispatcher):
    @dispatcher.backend("a")
    def run(self, args, kwargs, function, around, step, value, scope):
        return self, args, kwargs, function, around, step, value, scope

    names = ("self", "args", "kwargs", "function", "around", "step", "value", "scope")
    assert run(**dict(zip(names, range(8), strict=True))) == tuple(range(8))


@pytest.mark.parametrize("bad", [5, None, "f", object(), int, SimpleNamespace])
def test_what_is_no_function_is_refused(dispatcher, bad):
    with pytest.raises(TypeError, match="decorates functions"):
        dispatcher.backend("a")(bad)


# -- coroutine functions -------------------------------------------------------------------


def test_a_coroutine_function_runs_in_the_scope(dispatcher, where):
    @dispatcher.backend("a")
    async def run(x):
        before = where()
        await asyncio.sleep(0)
        return before, where(), x

    async def main():
        coroutine = run(5)
        assert where() == "cpu"
        assert await coroutine == ("a", "a", 5)
        assert where() == "cpu"

    assert inspect.iscoroutinefunction(run)
    asyncio.run(main())


def test_a_decorated_coroutine_in_tasks_is_not_seen_by_siblings(dispatcher, where):
    async def main():
        inside, outside = asyncio.Event(), asyncio.Event()

        @dispatcher.backend("a")
        async def run():
            inside.set()
            await outside.wait()
            return where()

        task = asyncio.create_task(run())
        await inside.wait()
        seen = where()
        outside.set()
        return seen, await task, where()

    assert asyncio.run(main()) == ("cpu", "a", "cpu")


def test_a_cancelled_coroutine_leaves_its_scope(dispatcher, where):
    async def main():
        started = asyncio.Event()
        seen = []

        @dispatcher.backend("a")
        async def run():
            started.set()
            await asyncio.Event().wait()

        async def outer():
            try:
                await run()
            except asyncio.CancelledError:
                seen.append(where())
                raise

        task = asyncio.create_task(outer())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) == ["cpu"]


def test_a_coroutine_closed_in_a_foreign_context_raises_nothing(dispatcher, where):
    class Pause:
        def __await__(self):
            yield

    @dispatcher.backend("a")
    async def run():
        await Pause()

    coroutine = run()
    contextvars.Context().run(coroutine.send, None)
    with dispatcher.backend("b"):
        coroutine.close()
        assert where() == "b"


# -- generators ----------------------------------------------------------------------------


def test_a_generator_has_the_scope_and_its_consumer_does_not(dispatcher, where):
    @dispatcher.backend("a")
    def ticks(n):
        for _ in range(n):
            yield where()

    assert inspect.isgeneratorfunction(ticks)
    with dispatcher.backend("b"):
        for seen in ticks(3):
            assert (seen, where()) == ("a", "b")
    assert where() == "cpu"


def test_the_inner_scopes_of_a_generator_are_set_aside_too(dispatcher, where):
    @dispatcher.backend("a")
    def ticks():
        with dispatcher.backend("b"):
            yield where()
            with dispatcher.backend("c"):
                yield where()
            yield where()
        yield where()

    inside = []
    for seen in ticks():
        inside.append(seen)
        assert where() == "cpu"
    assert inside == ["b", "c", "b", "a"]


def test_an_inner_policy_and_an_inner_trace_are_set_aside_too(dispatcher, where):
    @dispatcher.backend("a")
    def ticks():
        with dispatcher.trace() as calls, dispatcher.backend(on_missing="error"):
            where()
            yield calls
            where()
        yield calls

    @dispatcher.backend_dispatch
    def lacking():
        return "cpu"

    running = ticks()
    calls = next(running)
    with dispatcher.backend("b", on_missing="host"):
        assert lacking() == "cpu"
    assert len(calls) == 1
    next(running)
    assert [call.function for call in calls] == ["where", "where"]


def test_the_consumers_scopes_come_and_go_between_steps(dispatcher, where):
    @dispatcher.backend("a")
    def ticks():
        with dispatcher.backend("b"):
            while True:
                yield where()

    running = ticks()
    scope = dispatcher.backend("c")
    assert next(running) == "b"
    with scope:
        assert next(running) == "b"
        assert where() == "c"
    assert next(running) == "b"
    assert where() == "cpu"


def test_a_generators_policy_only_scope_follows_its_consumer(dispatcher, where):
    @dispatcher.backend(on_missing="host")
    def ticks():
        while True:
            yield where()

    running = ticks()
    assert next(running) == "cpu"
    with dispatcher.backend("a"):
        assert next(running) == "a"
    assert next(running) == "cpu"


def test_sent_values_reach_the_body_and_returned_ones_the_caller(dispatcher, where):
    @dispatcher.backend("a")
    def echo():
        got = []
        while len(got) < 2:
            got.append((yield where()))
        return got, where()

    def outer():
        return (yield from echo())

    running = outer()
    next(running)
    assert running.send(1) == "a"
    with pytest.raises(StopIteration) as stop:
        running.send(2)
    assert stop.value.value == ([1, 2], "a")
    assert where() == "cpu"


def test_thrown_exceptions_reach_the_body_as_they_are(dispatcher, where):
    error = KeyError("thrown")

    @dispatcher.backend("a")
    def catch():
        try:
            yield
        except KeyError as caught:
            yield caught, where()

    running = catch()
    next(running)
    assert running.throw(error) == (error, "a")
    assert where() == "cpu"
    with pytest.raises(ZeroDivisionError):
        running.throw(ZeroDivisionError())
    assert where() == "cpu"


@pytest.mark.parametrize("kind", [StopIteration, RuntimeError, KeyboardInterrupt])
def test_exceptions_thrown_and_not_caught_come_back_as_without_the_decorator(dispatcher, kind):
    def plain():
        yield 1

    outcomes = []
    for function in (plain, dispatcher.backend("a")(plain)):
        running = function()
        next(running)
        with pytest.raises((RuntimeError, KeyboardInterrupt)) as caught:
            running.throw(kind())
        outcomes.append(type(caught.value))
        assert list(running) == []
    assert outcomes[0] is outcomes[1]


def test_closing_runs_the_bodys_finally_in_its_scopes(dispatcher, where):
    seen = []

    @dispatcher.backend("a")
    def ticks():
        try:
            with dispatcher.backend("b"):
                try:
                    yield
                finally:
                    seen.append(where())
        finally:
            seen.append(where())

    running = ticks()
    next(running)
    with dispatcher.backend("c"):
        running.close()
        assert where() == "c"
    assert seen == ["b", "a"]
    assert where() == "cpu"


def test_a_generator_that_is_dropped_is_closed(dispatcher, where):
    seen = []

    @dispatcher.backend("a")
    def ticks():
        try:
            yield
        finally:
            seen.append(where())

    next(ticks())
    assert (seen, where()) == (["a"], "cpu")


def test_a_generator_that_ignores_its_closing_is_told_so(dispatcher, where):
    @dispatcher.backend("a")
    def stubborn():
        while True:
            try:
                yield
            except GeneratorExit:
                pass
            else:
                return

    running = stubborn()
    next(running)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        running.close()
    assert where() == "cpu"
    assert list(running) == []


def test_a_generator_that_was_never_started_closes(dispatcher):
    ran = []

    @dispatcher.backend("nonsense")
    def ticks():
        ran.append(1)
        yield

    ticks().close()
    assert ran == []
    with pytest.raises(backstack.UnknownBackendError):
        next(ticks())
    assert ran == []


def test_a_generator_that_raises_leaves_nothing_behind(dispatcher, where):
    @dispatcher.backend("a")
    def ticks():
        dispatcher.backend("b").__enter__()
        yield where()
        raise KeyError(where())

    running = ticks()
    assert next(running) == "b"
    with pytest.raises(KeyError, match="b"):
        next(running)
    assert where() == "cpu"


def test_nested_generators_of_one_scope(dispatcher, where):
    scope = dispatcher.backend("a")

    @scope
    def inner():
        with dispatcher.backend("b"):
            yield where()
        yield where()

    @scope
    def outer():
        yield where()
        with dispatcher.backend("c"):
            for seen in inner():
                yield seen, where()
        yield from inner()

    with scope:
        assert list(outer()) == ["a", ("b", "c"), ("a", "c"), "b", "a"]
        assert where() == "a"
    assert where() == "cpu"


def test_interleaved_generators_keep_to_themselves(dispatcher, where):
    def ticks():
        with dispatcher.backend("c"):
            yield where()
        yield where()

    one, two = dispatcher.backend("a")(ticks)(), dispatcher.backend("b")(ticks)()
    assert [next(one), next(two), where()] == ["c", "c", "cpu"]
    assert [next(one), where(), next(two)] == ["a", "cpu", "b"]
    one.close()
    two.close()
    assert where() == "cpu"


def test_a_generator_resumed_in_another_context_with_a_scope_open(dispatcher, where):
    @dispatcher.backend("a")
    def ticks():
        with dispatcher.backend("b"):
            yield where()
            yield where()
        yield where()

    running = ticks()
    one, two = contextvars.Context(), contextvars.Context()
    assert one.run(next, running) == "b"
    assert (one.run(where), where()) == ("cpu", "cpu")
    with dispatcher.backend("c"):
        assert next(running) == "b"
        assert where() == "c"
    assert two.run(next, running) == "a"
    assert two.run(list, running) == []
    assert [context.run(where) for context in (one, two)] == ["cpu", "cpu"]
    assert where() == "cpu"


def test_a_generator_resumed_in_other_threads(dispatcher, where):
    @dispatcher.backend("a")
    def ticks():
        with dispatcher.backend("b"):
            yield where()
            yield where()
        yield where()

    running, seen = ticks(), []

    def step():
        seen.append((next(running), where()))

    for _ in range(3):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    assert seen == [("b", "cpu"), ("b", "cpu"), ("a", "cpu")]
    running.close()
    assert where() == "cpu"


def test_a_generator_resumed_in_a_copy_of_the_context_of_its_own_step(dispatcher, where):
    copies = []

    @dispatcher.backend("a")
    def ticks():
        with dispatcher.backend("b"):
            copies.append(contextvars.copy_context())
            yield
        yield where()

    running = ticks()
    next(running)
    (copied,) = copies
    assert copied.run(where) == "b"
    assert copied.run(next, running) == "a"
    assert copied.run(where) == "b"  # its own copy of what was in force then


def test_a_body_that_leaves_its_own_scope_has_left_it(dispatcher, where):
    scope = dispatcher.backend("a")

    @scope
    def ticks():
        yield where()
        yield where()
        scope.__exit__(None, None, None)
        yield where()
        with dispatcher.backend("b"):
            yield where()
        yield where()

    seen = []
    for inside in ticks():
        seen.append(inside)
        assert where() == "cpu"
    assert seen == ["a", "a", "cpu", "b", "cpu"]


def test_a_body_may_leave_a_scope_of_its_consumer(dispatcher, where):
    outer = dispatcher.backend("c")

    @dispatcher.backend("a")
    def ticks():
        yield where()
        outer.__exit__(None, None, None)
        yield where()

    running = ticks()
    outer.__enter__()
    assert (next(running), where()) == ("a", "c")
    assert (next(running), where()) == ("a", "cpu")


def test_a_context_manager_of_a_decorated_generator_does_not_cover_the_block(dispatcher, where):
    @contextmanager
    @dispatcher.backend("a")
    def managed():
        yield where()

    with managed() as inside:
        assert (inside, where()) == ("a", "cpu")


def test_assigning_the_setting_between_steps_does_not_change_the_generator(dispatcher, where):
    @dispatcher.backend("a")
    def ticks():
        while True:
            yield where()

    running = ticks()
    assert next(running) == "a"
    dispatcher.settings.backend = "b"
    assert (next(running), where()) == ("a", "b")


# -- async generators ----------------------------------------------------------------------


def test_an_async_generator_has_the_scope_and_its_consumer_does_not(dispatcher, where):
    @dispatcher.backend("a")
    async def ticks():
        yield where()
        await asyncio.sleep(0)
        with dispatcher.backend("b"):
            yield where()
            await asyncio.sleep(0)
            yield where()
        yield where()

    async def main():
        seen = []
        with dispatcher.backend("c"):
            async for inside in ticks():
                seen.append(inside)
                assert where() == "c"
        assert where() == "cpu"
        return seen

    assert inspect.isasyncgenfunction(ticks)
    assert asyncio.run(main()) == ["a", "b", "b", "a"]


def test_an_async_generator_is_sent_to_thrown_into_and_closed(dispatcher, where):
    seen = []

    @dispatcher.backend("a")
    async def ticks():
        try:
            seen.append((yield where()))
            try:
                yield where()
            except KeyError:
                yield "caught", where()
        finally:
            await asyncio.sleep(0)
            seen.append(where())

    async def main():
        running = ticks()
        assert await anext(running) == "a"
        assert await running.asend(5) == "a"
        assert await running.athrow(KeyError()) == ("caught", "a")
        assert where() == "cpu"
        await running.aclose()
        assert where() == "cpu"

    asyncio.run(main())
    assert seen == [5, "a"]


def test_an_async_generator_that_ignores_its_closing_is_told_so(dispatcher):
    @dispatcher.backend("a")
    async def stubborn():
        try:
            yield
        except GeneratorExit:
            yield

    async def main():
        running = stubborn()
        await anext(running)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            await running.aclose()

    asyncio.run(main())


def test_an_async_generator_moves_between_tasks(dispatcher, where):
    @dispatcher.backend("a")
    async def ticks():
        try:
            with dispatcher.backend("b"):
                while True:
                    yield where()
        finally:
            seen.append(where())

    seen = []

    async def step(running):
        with dispatcher.backend("c"):
            return await anext(running), where()

    async def close(running):
        with dispatcher.backend("c"):
            await running.aclose()
            return where()

    async def main():
        running = ticks()
        assert await anext(running) == "b"
        assert await asyncio.create_task(step(running)) == ("b", "c")
        assert await anext(running) == "b"
        assert await asyncio.create_task(close(running)) == "c"
        assert where() == "cpu"

    asyncio.run(main())
    assert seen == ["a"]


def test_an_abandoned_async_generator_is_closed_in_its_scope(dispatcher, where):
    seen = []

    @dispatcher.backend("a")
    async def ticks():
        try:
            yield
        finally:
            seen.append(where())

    async def main():
        running = ticks()
        await anext(running)
        return running  # closed when the loop shuts down

    asyncio.run(main())
    assert seen == ["a"]
    assert where() == "cpu"


def test_a_step_of_an_async_generator_that_is_cancelled_leaves_nothing(dispatcher, where):
    async def main():
        started, seen = asyncio.Event(), []

        @dispatcher.backend("a")
        async def ticks():
            with dispatcher.backend("b"):
                started.set()
                await asyncio.Event().wait()
                yield

        async def consume():
            try:
                async for _ in ticks():
                    pass
            finally:
                seen.append(where())

        task = asyncio.create_task(consume())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) == ["cpu"]


@pytest.mark.parametrize("copied", [False, True])
def test_a_step_closed_halfway_in_another_context_raises_and_disturbs_nothing(
    dispatcher, where, copied
):
    class Pause:
        def __await__(self):
            yield

    @dispatcher.backend("a")
    async def ticks():
        with dispatcher.backend("b"):
            await Pause()
            yield

    async def consume():
        async for _ in ticks():
            pass

    consuming, first = consume(), contextvars.Context()
    first.run(consuming.send, None)
    second = first.copy() if copied else contextvars.Context()
    seen = second.run(where)
    second.run(consuming.close)
    assert second.run(where) == seen
    assert where() == "cpu"


def test_a_task_made_in_a_step_keeps_what_was_in_force_there(dispatcher, where):
    async def look(event):
        await event.wait()
        return where()

    async def main():
        event = asyncio.Event()

        @dispatcher.backend("a")
        async def ticks():
            with dispatcher.backend("b"):
                yield asyncio.create_task(look(event))
            yield None

        running = ticks()
        task = await anext(running)
        await anext(running)
        await running.aclose()
        event.set()
        return await task

    assert asyncio.run(main()) == "b"


def test_a_dispatched_generator_chooses_in_the_scope_that_decorates_it(dispatcher):
    @dispatcher.backend_dispatch
    def items():
        yield "host"

    @dispatcher.backend_dispatch
    async def later():
        yield "host"

    def own():
        yield "own"

    async def own_later():
        yield "own"

    dispatcher.register(SimpleNamespace(name="own", items=own, later=own_later))
    scope = dispatcher.backend("own")

    async def first():
        return [item async for item in scope(later)()]

    assert list(scope(items)()) == ["own"]
    assert asyncio.run(first()) == ["own"]
