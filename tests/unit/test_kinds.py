"""Coroutine functions, generators and async generators behave alike however a call takes place."""

# ruff: noqa: PT012, PT031

import asyncio
import contextlib
import gc
import inspect
from types import SimpleNamespace

import pytest

WAYS = ["idle", "cpu", "cpu scope", "backend", "call", "traced", "traced cpu", "traced backend"]


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


def way_of(dispatcher, way, function):
    """`function` dispatched, with a backend that has the same, called in a certain way."""
    dispatched = dispatcher.backend_dispatch(name="f")(function)
    dispatcher.register(SimpleNamespace(name="same", f=function))
    given = {
        "cpu": {"backend": "cpu"},
        "traced cpu": {"backend": "cpu"},
        "call": {"backend": "same"},
    }
    scopes = {"cpu scope": "cpu", "backend": "same", "traced backend": "same"}

    def call(*args):
        with contextlib.ExitStack() as stack:
            if way in scopes:
                stack.enter_context(dispatcher.backend(scopes[way]))
            if way.startswith("traced"):
                call.records = stack.enter_context(dispatcher.trace())
            return dispatched(*args, **given.get(way, {}))

    return call


class Custom(Exception):
    pass


def body(log):
    """Yields, answers, catches, and returns."""
    log.append("begun")
    try:
        got = yield 1
        log.append(("sent", got))
        try:
            yield 2
        except Custom as error:
            log.append(("caught", str(error)))
            yield 3
        inner = yield from iter([4, 5])
        log.append(("inner", inner))
    except GeneratorExit:
        log.append("closed")
        raise
    finally:
        log.append("finished")
    return "returned"


def to_the_end(generator, log):
    log.append(list(generator))


def sending(generator, log):
    log += [next(generator), generator.send("x"), generator.throw(Custom("c"))]
    with pytest.raises(StopIteration) as stop:
        while True:
            log.append(next(generator))
    log.append(stop.value.value)
    with pytest.raises(StopIteration):
        next(generator)


def closing(generator, log):
    log.append(next(generator))
    log.append(generator.close())
    with pytest.raises(StopIteration):
        next(generator)
    generator.close()


def closing_early(generator, log):
    generator.close()


def throwing(generator, log):
    next(generator)
    with pytest.raises(KeyError, match="out"):
        generator.throw(KeyError("out"))
    with pytest.raises(StopIteration):
        next(generator)


def throwing_early(generator, log):
    with pytest.raises(KeyError, match="early"):
        generator.throw(KeyError("early"))


def sending_early(generator, log):
    with pytest.raises(TypeError, match="just-started"):
        generator.send(1)
    log.append(next(generator))


def dropping(generator, log):
    next(generator)
    del generator
    gc.collect()


def delegating(generator, log):
    def outer():
        log.append((yield from generator))

    log.append(list(outer()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "drive",
    [
        to_the_end,
        sending,
        closing,
        closing_early,
        throwing,
        throwing_early,
        sending_early,
        dropping,
        delegating,
    ],
    ids=lambda drive: drive.__name__,
)
def test_generators(dispatcher, way, drive):
    expected, found = [], []
    plain = body(expected)
    drive(plain, expected)
    generator = way_of(dispatcher, way, body)(found)
    assert inspect.isgenerator(generator)
    assert generator.__name__ == plain.__name__
    assert found == []  # nothing has begun
    drive(generator, found)
    del plain, generator
    gc.collect()
    assert found == expected


async def async_body(log):
    log.append("begun")
    try:
        got = yield 1
        log.append(("sent", got))
        await asyncio.sleep(0)
        try:
            yield 2
        except Custom as error:
            log.append(("caught", str(error)))
            yield 3
        for item in (4, 5):
            await asyncio.sleep(0)
            yield item
    except GeneratorExit:
        log.append("closed")
        raise
    except asyncio.CancelledError:
        log.append("cancelled")
        raise
    finally:
        await asyncio.sleep(0)
        log.append("finished")


async def async_to_the_end(generator, log):
    log.append([item async for item in generator])


async def async_sending(generator, log):
    log += [await anext(generator), await generator.asend("x")]
    log.append(await generator.athrow(Custom("c")))
    with pytest.raises(StopAsyncIteration):
        while True:
            log.append(await anext(generator))
    log.append(await anext(generator, "default"))


async def async_closing(generator, log):
    log.append(await anext(generator))
    log.append(await generator.aclose())
    with pytest.raises(StopAsyncIteration):
        await anext(generator)
    await generator.aclose()


async def async_closing_early(generator, log):
    await generator.aclose()


async def async_throwing(generator, log):
    await anext(generator)
    with pytest.raises(KeyError, match="out"):
        await generator.athrow(KeyError("out"))


async def async_cancelling(generator, log):
    await anext(generator)

    async def go_on():
        log.append([item async for item in generator])

    task = asyncio.create_task(go_on())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def async_abandoning(generator, log):
    log.append(await anext(generator))  # and leave it to the event loop


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "drive",
    [
        async_to_the_end,
        async_sending,
        async_closing,
        async_closing_early,
        async_throwing,
        async_cancelling,
        async_abandoning,
    ],
    ids=lambda drive: drive.__name__,
)
def test_async_generators(dispatcher, way, drive):
    expected, found = [], []

    async def compare():
        plain = async_body(expected)
        await drive(plain, expected)
        generator = way_of(dispatcher, way, async_body)(found)
        assert inspect.isasyncgen(generator)
        assert generator.__name__ == plain.__name__
        await drive(generator, found)
        return plain, generator

    kept = asyncio.run(compare())
    del kept
    gc.collect()
    assert found == expected


async def coroutine_body(log, fail=False):
    log.append("begun")
    try:
        await asyncio.sleep(0)
        if fail:
            raise Custom("failed")
        await asyncio.sleep(0.01)
        return "returned"
    except asyncio.CancelledError:
        log.append("cancelled")
        raise
    finally:
        log.append("finished")


@pytest.mark.parametrize("way", WAYS)
def test_coroutine_functions(dispatcher, way):
    async def drive(function, log):
        coroutine = function(log)
        assert inspect.iscoroutine(coroutine)
        assert inspect.isawaitable(coroutine)
        assert coroutine.__name__ == "coroutine_body"
        assert log == []  # nothing has begun
        log.append(await coroutine)
        with pytest.raises(RuntimeError, match="already awaited"):
            await coroutine
        with pytest.raises(Custom, match="failed"):
            await function(log, True)
        task = asyncio.create_task(function(log))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await function(log)
        log += await asyncio.gather(function(log), function(log))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(function(log)) for _ in range(3)]
        log += [task.result() for task in tasks]
        function(log).close()

    expected, found = [], []
    asyncio.run(drive(coroutine_body, expected))
    asyncio.run(drive(way_of(dispatcher, way, coroutine_body), found))
    assert found == expected


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", WAYS)
def test_one_that_is_never_awaited_says_so_once(dispatcher, way):
    call = way_of(dispatcher, way, coroutine_body)
    with pytest.warns(RuntimeWarning, match="'coroutine_body' was never awaited") as caught:
        call([])
        gc.collect()
    assert len(caught) == 1


def test_each_kind_sees_the_scope_that_it_was_called_in_only_by_the_call(dispatcher):
    # Who runs it is chosen by the call; what its body calls follows what is in force there.
    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    @dispatcher.backend_dispatch
    def generator():
        yield where()
        yield where()

    @dispatcher.backend_dispatch
    async def coroutine():
        return where()

    dispatcher.register(SimpleNamespace(name="b", where=lambda: "b", generator=None))
    with dispatcher.backend("b", on_missing="host"):
        running, later = generator(), coroutine()
        whole = generator(backend="cpu")
        assert next(running) == "b"
        assert next(whole) == "cpu"
    assert next(running) == "cpu"
    assert next(whole) == "cpu"
    assert asyncio.run(later) == "cpu"
    with dispatcher.backend("b"):
        assert asyncio.run(coroutine(backend="cpu")) == "cpu"


@pytest.mark.parametrize("how", ["end", "fail", "close", "cancel"])
def test_traces_follow_a_body_to_its_end(dispatcher, how):
    @dispatcher.backend_dispatch
    def generator():
        yield 1
        if how == "fail":
            raise Custom

    @dispatcher.backend_dispatch
    async def coroutine():
        await asyncio.sleep(0.005)
        if how == "fail":
            raise Custom

    with dispatcher.trace() as calls:
        body = generator()
        next(body)
        assert calls[0].seconds is None  # it still runs
        if how == "close":
            body.close()
        else:
            with contextlib.suppress(StopIteration, Custom):
                next(body)

        async def main():
            task = asyncio.create_task(coroutine())
            await asyncio.sleep(0)
            if how == "cancel":
                task.cancel()
            with contextlib.suppress(Custom, asyncio.CancelledError):
                await task

        asyncio.run(main())
    first, second = calls
    assert first.seconds > 0
    assert first.raised is (how == "fail")
    assert second.seconds > (0 if how == "cancel" else 0.005)
    assert second.raised is (how in ("fail", "cancel"))
