"""A call chooses, reaches a backend, and comes back."""

from types import SimpleNamespace

import pytest

import backstack


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


def test_every_level_chooses_and_the_innermost_wins(dispatcher):
    @dispatcher.backend_dispatch
    def f(x):
        return "host", x

    dispatcher.register(SimpleNamespace(name="a", f=lambda x: ("a", x)))
    dispatcher.register(SimpleNamespace(name="b", f=lambda x: ("b", x)))
    assert f(1) == ("host", 1)
    assert f(1, backend="a") == ("a", 1)
    dispatcher.settings.backend = "a"
    assert f(1) == ("a", 1)
    with dispatcher.backend("b"):
        assert f(1) == ("b", 1)
        assert f(1, backend="cpu") == ("host", 1)
        assert f(1, backend=None) == ("b", 1)
        with dispatcher.backend("cpu"):
            assert f(x=1) == ("host", 1)
    dispatcher.settings.backend = None
    assert f(1) == ("host", 1)


def test_unknown_name_suggests_the_nearest(dispatcher):
    @dispatcher.backend_dispatch
    def f(x):
        return x

    dispatcher.register(SimpleNamespace(name="cuda", f=lambda x: x))
    with pytest.raises(backstack.UnknownBackendError, match="Did you mean 'cuda'") as caught:
        f(1, backend="CUDAA")
    assert caught.value.suggestion == "cuda"
