"""What is decorated and installed may be much: nothing grows faster than it does.

Times are compared with each other, in one run, and never with a clock.
"""

import gc
import time
import tracemalloc
import warnings
from types import FunctionType

import pytest


def plain(x, y=1, *, k=2):
    return x


def functions(count):
    made = [FunctionType(plain.__code__, {}, f"f{number}", (1,)) for number in range(count)]
    for function in made:
        function.__kwdefaults__ = {"k": 2}
    return made


def least(action, times=5):
    """The seconds of the quickest of a few, without the garbage collector's."""
    taken = []
    gc.disable()
    try:
        for _ in range(times):
            start = time.perf_counter()
            action()
            taken.append(time.perf_counter() - start)
    finally:
        gc.enable()
    return min(taken)


def test_decorating_costs_the_same_whatever_was_decorated_before(make_dispatcher):
    few, many = functions(1_000), functions(10_000)

    def decorate(made):
        dispatcher = make_dispatcher()
        return dispatcher, [dispatcher.backend_dispatch(function) for function in made]

    assert least(lambda: decorate(many)) < 3 * 10 * least(lambda: decorate(few))
    dispatcher, _kept = decorate(many)
    later = iter([dispatcher.backend_dispatch for _ in range(10)])
    one = functions(1)[0]
    fresh = make_dispatcher()
    late = least(lambda: next(later)(name="late")(one))
    early = least(lambda: fresh.backend_dispatch(name="early")(one))
    assert late < 10 * early


def test_the_memory_of_a_dispatched_function_is_bounded(make_dispatcher):
    dispatcher, made = make_dispatcher(), functions(2_000)
    dispatcher.backend_dispatch(name="first")(plain)  # what is made once
    gc.collect()
    tracemalloc.start()
    try:
        kept = [dispatcher.backend_dispatch(function) for function in made]
        assert tracemalloc.get_traced_memory()[0] / len(kept) < 1_700
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")
def test_ten_thousand_functions_and_a_hundred_backends(site, make_dispatcher):
    made = functions(10_000)
    source = "name = 'b{0}'\n" + "".join(f"def f{n}(x, *, o{{0}}=1): pass\n" for n in range(100))

    def install(first, last):
        for number in range(first, last):
            site.adapter(f"b{number}", source.format(number))

    def discover():
        dispatcher = make_dispatcher()
        kept = [dispatcher.backend_dispatch(function) for function in made]
        start = time.perf_counter()
        dispatcher.discover()
        return time.perf_counter() - start, dispatcher, kept

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        install(0, 10)
        few = min(discover()[0] for _ in range(2))
        install(10, 100)
        many, dispatcher, kept = discover()
    assert len(dispatcher.settings.available_backends()) == 100
    assert kept[0](1, backend="b99") is None
    assert many < 3 * 10 * few
    assert all(record.state == "loaded" for record in dispatcher.backends())


def test_one_of_a_hundred_is_chosen_and_only_that_is_imported(site, make_dispatcher):
    for number in range(100):
        site.adapter(f"b{number}", f"name = 'b{number}'\ndef f(x): return {number}\n")
    f = make_dispatcher().backend_dispatch(name="f")(plain)
    with pytest.warns(match="not among those"):
        assert f(1, backend="b42") == 42
    assert site.imported() == {"b42_adapter"}
