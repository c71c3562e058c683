"""asv suites: what grows with what is decorated and with what is installed."""

import inspect
import tracemalloc
import warnings
from contextlib import ExitStack
from types import FunctionType
from typing import Any

from backstack import BackendDispatcher
from benchmarks.sites import GROUP, site


def dispatcher() -> BackendDispatcher:
    """One whose backends are installed in a site."""
    return BackendDispatcher(entrypoint_group=GROUP, host_name="benchmark", env_var=None)


def make_functions(count: int) -> list[FunctionType]:
    """Functions of different names, as a module of a host has them."""

    def f(x: Any, y: Any = 1, *, k: Any = 0) -> Any:
        return x

    functions = [FunctionType(f.__code__, {}, f"f{n}", (1,)) for n in range(count)]
    for function in functions:
        function.__kwdefaults__ = {"k": 0}
    return functions


class Decorate:
    """A host that is imported: its functions are decorated, and nothing else happens."""

    params = (100, 10_000)
    param_names = ("functions",)
    number = 1

    def setup(self, count: int) -> None:
        self.functions = make_functions(count)
        self.dispatcher = dispatcher()

    def time_decorate(self, count: int) -> None:
        self.kept = [self.dispatcher.backend_dispatch(function) for function in self.functions]

    def track_bytes_per_function(self, count: int) -> float:
        """Of a dispatched function, over those of the function itself."""
        self.dispatcher.backend_dispatch(make_functions(1)[0])  # what is made once
        tracemalloc.start()
        try:
            kept = [self.dispatcher.backend_dispatch(function) for function in self.functions]
            return tracemalloc.get_traced_memory()[0] / len(kept)
        finally:
            tracemalloc.stop()

    track_bytes_per_function.unit = "bytes"


class Discover:
    """Backends that are installed, and what is done with all of them."""

    params = (1, 10, 100)
    param_names = ("backends",)
    number = 1
    timeout = 120

    def setup(self, backends: int) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(site(backends))
        self.stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        self.dispatcher = dispatcher()
        self.f = self.dispatcher.backend_dispatch(name="f")(make_functions(1)[0])

    def teardown(self, backends: int) -> None:
        self.stack.close()

    def time_records(self, backends: int) -> None:
        self.dispatcher.backends()

    def time_discover(self, backends: int) -> None:
        self.dispatcher.discover()

    def time_first_call_on_one(self, backends: int) -> None:
        self.f(1, backend="b0")


class Merge:
    """What is shown of a function, merged anew from the backends that are loaded."""

    params = (1, 10)
    param_names = ("backends",)

    def setup(self, backends: int) -> None:
        Discover.setup(self, backends)  # type: ignore[arg-type]
        self.f.__doc__ = "Do it.\n\nParameters\n----------\nx : int\n    What.\n"
        self.dispatcher.discover()

    def teardown(self, backends: int) -> None:
        self.stack.close()

    def time_signature(self, backends: int) -> None:
        inspect.signature(self.f)

    def time_docstring(self, backends: int) -> None:
        self.f.__doc__  # noqa: B018


class Scan:
    """Distributions that are installed, of which one has a backend."""

    params = (50, 300, 1_000)
    param_names = ("distributions",)
    number = 1

    def setup(self, distributions: int) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(site(1, distributions))
        self.dispatcher = dispatcher()

    def teardown(self, distributions: int) -> None:
        self.stack.close()

    def time_scan(self, distributions: int) -> None:
        self.dispatcher.backends()
