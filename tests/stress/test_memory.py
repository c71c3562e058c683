"""A million scopes, and thousands of all that is made and dropped, leave nothing behind."""

from types import SimpleNamespace

import pytest


@pytest.fixture
def host(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="a", f=lambda: "a"))

    @dispatcher.backend_dispatch
    def f():
        return "cpu"

    return dispatcher, f


def test_a_million_scopes(host, left_behind):
    dispatcher, f = host
    shared = dispatcher.backend("a")

    def enter():
        for _ in range(100):
            with shared:
                pass

    assert left_behind(enter, 10_000) < 100
    assert f() == "cpu"


def test_ten_thousand_scopes_of_every_sort(host, left_behind):
    dispatcher, f = host

    def enter():
        with dispatcher.backend("a", "cpu", on_missing="error"), dispatcher.trace():
            assert f() == "a"
        first, second = dispatcher.backend("a"), dispatcher.backend("cpu")
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        dispatcher.settings.process_backend = "a"
        dispatcher.settings.process_backend = None

    assert left_behind(enter, 10_000) < 100


def test_ten_thousand_adapters(host, left_behind):
    dispatcher, f = host

    def register():
        adapter = SimpleNamespace(name="b", aliases=["c"], f=lambda: "b")
        with dispatcher.register(adapter), dispatcher.backend("c"):
            assert f() == "b"
            assert f(backend="b") == "b"

    assert left_behind(register, 10_000) < 200
    assert dispatcher.available_backend_names() == ["a"]


def test_ten_thousand_functions_and_bound_ones(host, left_behind):
    dispatcher, _ = host

    def decorate():
        @dispatcher.backend_dispatch(name="g")
        def g():
            return "cpu"

        assert g() == "cpu"
        with dispatcher.backend("a", on_missing="host"):
            bound = dispatcher.bind(g)
        assert bound() == "cpu"

    assert left_behind(decorate, 10_000) < 200
    assert list(dispatcher.functions) == ["f"]


def test_a_thousand_classes(host, left_behind):
    dispatcher, _ = host

    def decorate():
        cls = dispatcher.backend_class(type("Model", (), {}))
        assert isinstance(cls(), cls)

    assert left_behind(decorate, 1_000) < 200


def test_two_thousand_dispatchers(make_dispatcher, left_behind):
    def make():
        dispatcher = make_dispatcher()
        dispatcher.backend_dispatch(name="f")(lambda: "cpu")
        with dispatcher.backend("cpu"):
            pass

    assert left_behind(make, 2_000) < 200
