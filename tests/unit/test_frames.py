"""Between a caller and the host: at most one frame of ours, which warnings pass over."""

import asyncio
import contextlib
import inspect
import traceback
import warnings
from types import SimpleNamespace

import pytest


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


class Failed(Exception):
    pass


def warn_or_fail(x):
    if x == "fail":
        raise Failed
    warnings.warn("the caller's line", DeprecationWarning, stacklevel=3)
    return x


def make_host(dispatcher):
    """One dispatched callable of each kind, which warn with a stack level of their caller."""

    @dispatcher.backend_dispatch
    def function(x=1):
        return warn_or_fail(x)

    @dispatcher.backend_dispatch
    async def coroutine(x=1):
        return warn_or_fail(x)

    @dispatcher.backend_dispatch
    def generator(x=1):
        yield warn_or_fail(x)

    @dispatcher.backend_dispatch
    async def async_generator(x=1):
        yield warn_or_fail(x)

    @dispatcher.backend_class
    class Model:
        def __init__(self, x=1):
            self.x = warn_or_fail(x)

    return SimpleNamespace(
        function=lambda *a, **k: function(*a, **k),
        coroutine=lambda *a, **k: finish(coroutine(*a, **k)),
        generator=lambda *a, **k: next(generator(*a, **k)),
        async_generator=lambda *a, **k: finish(async_generator(*a, **k).__anext__()),
        Model=lambda *a, **k: Model(*a, **k),
    )


def finish(awaitable):
    """Run something that never waits to its end, without a loop between it and us."""
    try:
        awaitable.__await__().send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


KINDS = ("function", "coroutine", "generator", "async_generator", "Model")
WAYS = ["idle", "keywords", "cpu", "cpu scope", "traced", "traced cpu", "fallback", "declined"]


@pytest.fixture(params=WAYS)
def way(request, dispatcher):
    """A context in which calls take a certain way, and what is to be given in the call."""
    # Only a plain function can decline; to the other kinds this one lacks what they ask for.
    shy = SimpleNamespace(name="shy", function=lambda *x, **k: NotImplemented)
    dispatcher.register(shy)
    dispatcher.register(SimpleNamespace(name="empty"))
    contexts = {
        "cpu scope": [dispatcher.backend("cpu")],
        "traced": [dispatcher.trace()],
        "traced cpu": [dispatcher.trace(), dispatcher.backend("cpu")],
        "fallback": [dispatcher.backend("empty", on_missing="host")],
        "declined": [dispatcher.backend("shy", on_missing="host")],
    }
    given = {"cpu": {"backend": "cpu"}, "traced cpu": {"backend": "cpu"}, "keywords": {"x": 1}}
    with contextlib.ExitStack() as stack:
        for context in contexts.get(request.param, ()):
            stack.enter_context(context)
        yield given.get(request.param, {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_warning_of_the_host_points_at_its_caller(dispatcher, way, kind):
    call = getattr(make_host(dispatcher), kind)
    for _ in range(2):
        with pytest.warns(DeprecationWarning, match="the caller's line") as caught:
            call(**way)
        # Bodies that run later are advanced by `finish` and `next`, as without us.
        assert caught[0].filename == __file__
        assert caught[0].lineno in lines_of(make_host) | lines_of(finish)


def lines_of(function):
    lines, start = inspect.getsourcelines(function)
    return set(range(start, start + len(lines)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_traceback_has_at_most_one_frame_of_ours(dispatcher, way, kind):
    call = getattr(make_host(dispatcher), kind)
    args, kwargs = ((), {**way, "x": "fail"}) if "x" in way else (("fail",), way)
    with pytest.raises(Failed) as caught:
        call(*args, **kwargs)
    frames = traceback.extract_tb(caught.value.__traceback__)
    ours = [frame for frame in frames if "backstack" in frame.filename]
    assert len(ours) <= 1, ours
    for frame in ours:
        assert frame.line, "its source is shown"
        assert "/backstack/_" in frame.filename.replace("\\", "/")


def test_a_deprecation_is_shown_to_the_script_that_causes_it(site, run_python):
    site.write(
        {
            "hostmod.py": """
                import warnings
                from backstack import BackendDispatcher
                dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
                @dispatcher.backend_dispatch
                def old():
                    warnings.warn("old is old", DeprecationWarning, stacklevel=2)
            """
        }
    )
    # Python's own default filters: shown where __main__ is to blame, and nowhere else.
    output = run_python(
        """
        import warnings
        warnings.resetwarnings()
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
        import hostmod
        with warnings.catch_warnings(record=True) as caught:
            hostmod.old(); hostmod.old(backend="cpu")
        print([str(w.message) for w in caught])
        """,
        path=site.folder,
    )
    assert output == "['old is old']\n"  # one line is to blame, and it is blamed once


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async generator"])
def test_scopes_as_decorators_stay_out_of_the_way_too(dispatcher, kind):
    scope = dispatcher.backend("cpu")
    if kind == "function":

        @scope
        def decorated():
            warnings.warn("here", DeprecationWarning, stacklevel=2)

        call = decorated
    elif kind == "coroutine":

        @scope
        async def decorated():
            warnings.warn("here", DeprecationWarning, stacklevel=2)

        call = lambda: finish(decorated())  # noqa: E731
    elif kind == "generator":

        @scope
        def decorated():
            warnings.warn("here", DeprecationWarning, stacklevel=2)
            yield

        call = lambda: next(decorated())  # noqa: E731
    else:

        @scope
        async def decorated():
            warnings.warn("here", DeprecationWarning, stacklevel=2)
            yield

        call = lambda: finish(decorated().__anext__())  # noqa: E731
    with pytest.warns(DeprecationWarning, match="here") as caught:
        call()
    assert caught[0].filename == __file__


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("how", [{}, {"backend": "cpu"}])
def test_wrong_arguments_are_an_error_of_the_call_for_every_kind(dispatcher, how, traced):
    @dispatcher.backend_dispatch
    async def coroutine(x):
        pass

    @dispatcher.backend_dispatch
    def generator(x):
        yield

    @dispatcher.backend_dispatch
    async def async_generator(x):
        yield

    with dispatcher.trace() if traced else contextlib.nullcontext():
        for function in (coroutine, generator, async_generator):
            with pytest.raises(TypeError, match=rf"{function.__name__}\(\).*'x'"):
                function(**how)
            with pytest.raises(TypeError, match=rf"{function.__name__}\(\).*'y'"):
                function(1, y=2, **how)


def test_options_of_others_at_their_defaults_are_dropped_for_every_kind(dispatcher):
    @dispatcher.backend_dispatch
    async def coroutine(x):
        return x

    async def theirs(x, *, option=3):
        return option

    dispatcher.register(SimpleNamespace(name="a", coroutine=theirs))
    assert asyncio.run(coroutine(1, option=4, backend="a")) == 4
    for how in ({}, {"backend": "cpu"}):
        assert asyncio.run(coroutine(1, option=3, **how)) == 1
        with pytest.raises(TypeError, match="option of the installed backend 'a'"):
            coroutine(1, option=4, **how)
