"""Every way that a call can take, as statements to be measured."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any, NamedTuple

from backstack import BackendDispatcher
from benchmarks.measuring import CHUNKS, Statement, bare, in_closures, ratio

MANY = [f"p{number}" for number in range(20)]


class Case(NamedTuple):
    """One way: the call, the plain one to compare it with, and what is in force meanwhile."""

    call: str
    plain: str = ""  # the same but for the selector, where there is one
    chosen: str = ""  # "scope", "setting", "before" or "elsewhere"
    names: str = "b"
    on_missing: str | None = None


#: ``f`` is a small function, ``g`` one with twenty parameters, ``c`` a coroutine function, ``F`` a
#: class and ``S`` a subclass of it that is not dispatched itself.
CALLS = {
    "idle": Case("f(1)"),
    "idle, 1 keyword": Case("f(1, k=2)"),
    "idle, 3 keywords": Case("f(1, y=2, k=3, m=4)"),
    "idle, 8 keywords": Case("g(" + ", ".join(f"{name}=1" for name in MANY[:8]) + ")"),
    "idle, 20 parameters": Case("g(1)"),
    "idle, 20 arguments": Case("g(" + ", ".join(["1"] * 20) + ")"),
    "idle, after a scope": Case("f(1)", chosen="before"),
    "idle, after a scope, 1 keyword": Case("f(1, k=2)", chosen="before"),
    "idle, a scope elsewhere": Case("f(1)", chosen="elsewhere"),
    "cpu in force": Case("f(1)", chosen="scope", names="cpu"),
    "cpu by call": Case("f(1, backend='cpu')", "f(1, k=2)"),
    "scope": Case("f(1)", chosen="scope"),
    "scope, 1 keyword": Case("f(1, k=2)", chosen="scope"),
    "scope, 3 keywords": Case("f(1, y=2, k=3, m=4)", chosen="scope"),
    "scope, 8 keywords": Case(
        "g(" + ", ".join(f"{name}=1" for name in MANY[:8]) + ")", chosen="scope"
    ),
    "scope, 20 parameters": Case("g(1)", chosen="scope"),
    "scope, 20 arguments": Case("g(" + ", ".join(["1"] * 20) + ")", chosen="scope"),
    "setting": Case("f(1)", chosen="setting"),
    "setting, 1 keyword": Case("f(1, k=2)", chosen="setting"),
    "by name": Case("f(1, backend='b')", "f(1, k=2)"),
    "by name, 1 keyword": Case("f(1, k=2, backend='b')", "f(1, k=2, m=3)"),
    "by alias": Case("f(1, backend='other')", "f(1, k=2)"),
    "rerouted: a host-only argument": Case("f(1, k=0)", chosen="scope", names="narrow"),
    "rerouted: positional-only": Case("f(x=1)", chosen="scope", names="positional"),
    "rerouted: **kwargs": Case("f(1, k=2)", chosen="scope", names="loose"),
    "fallen back": Case("f(1)", chosen="scope", names="empty", on_missing="host"),
    "coroutine, idle": Case("drive(c(1))"),
    "coroutine, scope": Case("drive(c(1))", chosen="scope"),
    "class, idle": Case("F(1)"),
    "class, scope": Case("F(1)", chosen="scope"),
    "class, by name": Case("F(1, backend='b')", "F(1, k=2)"),
    "subclass of a dispatched class": Case("S(1)"),
}


def functions() -> dict[str, Any]:
    """Anew: a small function, one with twenty parameters, a coroutine function, a class."""
    scope: dict[str, Any] = {}
    exec(f"def g({', '.join(f'{name}=0' for name in MANY)}):\n    return p0", scope)

    def f(x: Any, y: Any = 1, *, k: Any = 0, m: Any = 0) -> Any:
        return x

    async def c(x: Any, *, k: Any = 0) -> Any:
        return x

    class F:
        def __init__(self, x: Any, *, k: Any = 0) -> None:
            self.x = x

    return {"f": f, "g": scope["g"], "c": c, "F": F, "S": type("S", (F,), {})}


def drive(coroutine: Any) -> None:
    """Run a coroutine that never waits."""
    with suppress(StopIteration):
        coroutine.send(None)


def host() -> tuple[BackendDispatcher, dict[str, Any]]:
    """A dispatcher with a backend for each case, and its functions."""
    dispatcher = BackendDispatcher(
        entrypoint_group="benchmark.backends", host_name="benchmark", env_var=None
    )
    plain = functions()
    public = {
        **{name: dispatcher.backend_dispatch(plain[name]) for name in ("f", "g", "c")},
        "F": dispatcher.backend_class(plain["F"]),
    }
    public["S"] = type("S", (public["F"],), {})
    own = functions()
    del own["S"]
    for name, contents in {
        "b": own,
        "narrow": {"f": lambda x, y=1: x + y},
        "positional": {"f": lambda x, /, y=1, *, k=0, m=0: x + y + k + m},
        "loose": {"f": lambda x, **more: more and x},
        "empty": {},
    }.items():
        aliases = ["other"] if name == "b" else []
        dispatcher.register(SimpleNamespace(name=name, aliases=aliases, **contents))
    return dispatcher, public


@contextmanager
def chosen(dispatcher: BackendDispatcher, case: Case) -> Iterator[None]:
    """What a case wants in force."""
    with ExitStack() as stack:
        if case.chosen == "scope":
            stack.enter_context(dispatcher.backend(case.names, on_missing=case.on_missing))
        elif case.chosen == "setting":
            dispatcher.settings.backend = case.names
            stack.callback(setattr, dispatcher.settings, "backend", None)
        elif case.chosen == "before":
            with dispatcher.backend(case.names):
                pass
        elif case.chosen == "elsewhere":
            away = copy_context()  # what is in force there exists as long as it does
            away.run(dispatcher.backend(case.names).__enter__)
            stack.callback(away.__len__)
        yield


def measure_call(name: str, chunks: int = CHUNKS) -> float:
    """What a dispatched call adds over the plain one, in units of a bare closure's addition."""
    case = CALLS[name]
    dispatcher, public = host()
    plain = functions()
    closures = {each: bare(function) for each, function in plain.items()}
    source = case.plain or case.call
    with chosen(dispatcher, case):
        return ratio(
            Statement(case.call, {**public, "drive": drive}),
            Statement(source, {**plain, "drive": drive}),
            Statement(source, {**closures, "drive": drive}),
            chunks,
        )


def scope_statements() -> dict[str, Callable[[], Statement]]:
    """What is done with scopes and settings."""
    dispatcher, _ = host()
    scope, other = dispatcher.backend("b"), dispatcher.backend("narrow")
    names = {"scope": scope, "other": other, "settings": dispatcher.settings, "host": dispatcher}
    decorated = scope(lambda x: x)

    def deep() -> Statement:
        outer = ExitStack()
        for _ in range(10):
            outer.enter_context(dispatcher.backend("b"))
        return Statement("with scope: pass", {**names, "_outer": outer})

    return {
        "enter and leave": lambda: Statement("with scope: pass", names),
        "make, enter and leave": lambda: Statement("with host.backend('b'): pass", names),
        "nested ten deep": deep,
        "as a decorator": lambda: Statement("decorated(1)", {"decorated": decorated}),
        "reading the setting": lambda: Statement("settings.backend", names),
        "writing the setting": lambda: Statement("settings.backend = 'b'", names),
    }


SCOPES = tuple(scope_statements())


def measure_scope(name: str, chunks: int = CHUNKS) -> float:
    """What something done with a scope takes, in units of one call of a bare closure."""
    subject = scope_statements()[name]()
    closure = Statement("f(1)", {"f": bare(functions()["f"])})
    return in_closures(subject, closure, chunks)
