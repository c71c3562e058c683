"""The same call through other libraries that dispatch, taken in turn with ours in one run."""

from typing import Any

from backstack import BackendDispatcher
from benchmarks import cases
from benchmarks.measuring import CHUNKS, Statement, bare, seconds


def _singledispatch() -> dict[str, Statement]:
    from functools import singledispatch

    @singledispatch
    def f(x: Any, *, k: Any = 0) -> Any:
        return x

    @f.register
    def _(x: int, *, k: Any = 0) -> Any:
        return x

    return {"functools.singledispatch, by type": Statement("f(1)", {"f": f})}


def _plum() -> dict[str, Statement]:
    from plum import Dispatcher

    dispatch = Dispatcher()

    @dispatch
    def f(x: int, *, k: Any = 0) -> Any:
        return x

    @dispatch
    def f(x: str, *, k: Any = 0) -> Any:  # noqa: F811
        return x

    return {"plum, by type": Statement("f(1)", {"f": f})}


def _networkx() -> dict[str, Statement]:
    import networkx

    @networkx._dispatchable(graphs=None, name="benchmark_of_a_call")
    def f(x: Any, *, k: Any = 0) -> Any:
        return x

    return {
        "networkx, idle": Statement("f(1)", {"f": f}),
        "networkx, idle, 1 keyword": Statement("f(1, k=2)", {"f": f}),
    }


def _uarray() -> dict[str, Statement]:
    import uarray

    class Backend:
        __ua_domain__ = "benchmark"

        @staticmethod
        def __ua_function__(method: Any, args: Any, kwargs: Any) -> Any:
            return args[0]

    def default(x: Any, *, k: Any = 0) -> Any:
        return x

    f = uarray.generate_multimethod(
        lambda x, *, k=0: (),  # noqa: ARG005
        lambda args, kwargs, given: (args, kwargs),  # noqa: ARG005
        "benchmark",
        default=default,
    )
    uarray.set_global_backend(Backend)
    on_backend = Statement("f(1)", {"f": f})
    idle = uarray.generate_multimethod(
        lambda x, *, k=0: (),  # noqa: ARG005
        lambda args, kwargs, given: (args, kwargs),  # noqa: ARG005
        "benchmark.idle",
        default=default,
    )
    return {
        "uarray, idle": Statement("f(1)", {"f": idle}),
        "uarray, idle, 1 keyword": Statement("f(1, k=2)", {"f": idle}),
        "uarray, on a backend": on_backend,
    }


def _ours() -> dict[str, Statement]:
    idle, chosen = (
        BackendDispatcher(entrypoint_group="benchmark.b", host_name=name, env_var=None)
        for name in ("idle", "chosen")
    )
    plain = cases.functions()["f"]
    quiet = {"f": idle.backend_dispatch(plain)}
    busy = {"f": chosen.backend_dispatch(cases.functions()["f"])}
    adapter = type("Adapter", (), {"name": "b", "f": staticmethod(cases.functions()["f"])})
    chosen.register(adapter)
    chosen.settings.backend = "b"
    return {
        "backstack, idle": Statement("f(1)", quiet),
        "backstack, idle, 1 keyword": Statement("f(1, k=2)", quiet),
        "backstack, on a backend": Statement("f(1)", busy),
    }


def measure(chunks: int = CHUNKS) -> dict[str, float]:
    """What each adds over the plain call, in units of a bare closure's addition."""
    statements: dict[str, Statement] = {}
    for peer in (_ours, _singledispatch, _plum, _networkx, _uarray):
        try:
            statements |= peer()
        except ImportError:
            continue  # not installed here
    plain = cases.functions()["f"]
    for source in ("f(1)", "f(1, k=2)"):
        statements[f"plain {source}"] = Statement(source, {"f": plain})
        statements[f"closure {source}"] = Statement(source, {"f": bare(plain)})
    taken = seconds(statements, chunks)
    added = {}
    for name, statement in statements.items():
        base = taken[f"plain {statement.source}"]
        if not name.startswith(("plain", "closure")):
            unit = taken[f"closure {statement.source}"] - base
            added[name] = (taken[name] - base) / unit
    return added


if __name__ == "__main__":
    for name, value in sorted(measure().items(), key=lambda item: item[1]):
        print(f"{name:40} {value:6.2f}")
