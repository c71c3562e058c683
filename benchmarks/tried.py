"""What was tried for the idle call: variants, each measured with all others in one run.

``python -m benchmarks.tried FILE`` measures these, the peers and every case, and adds what came
out to a JSON file under the Python's version. The documentation draws its picture from one.
"""

import functools
import json
import platform
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import wrapt

from benchmarks import cases, peers
from benchmarks.measuring import Statement, bare, seconds

TOP: ContextVar[Any] = ContextVar("top", default=None)


class Process:
    """What is chosen process-wide."""

    state = None


class InSlot:
    """An object with a call path of its own in a slot."""

    __slots__ = ("__call__",)


def in_slot(call: Callable[..., Any]) -> Any:
    made = InSlot()
    InSlot.__dict__["__call__"].__set__(made, call)
    return made


class WithCall(wrapt.BaseObjectProxy):
    """A proxy with a method written in Python."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (TOP.get() or Process.state) is None:
            return self.__wrapped__(*args, **kwargs)
        raise NotImplementedError


class Partial(functools.partial):  # type: ignore[type-arg]
    """A partial object that is no partial."""


def asking(host: Callable[..., Any]) -> Callable[..., Any]:
    """Asks the context each time."""
    top, process = TOP.get, Process

    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            if (top() or process.state) is None:
                return host(*args)
        elif "backend" not in kwargs and (top() or process.state) is None:
            return host(*args, **kwargs)
        raise NotImplementedError

    return call


def asking_whole(host: Callable[..., Any]) -> Callable[..., Any]:
    """The same, without telling calls without keywords apart."""
    top, process = TOP.get, Process

    def call(*args: Any, **kwargs: Any) -> Any:
        if "backend" not in kwargs and (top() or process.state) is None:
            return host(*args, **kwargs)
        raise NotImplementedError

    return call


def declared(host: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with the selector as a parameter."""
    top, process = TOP.get, Process

    def call(*args: Any, backend: Any = None, **kwargs: Any) -> Any:
        if backend is None and (top() or process.state) is None:
            return host(*args, **kwargs)
        raise NotImplementedError

    return call


def variants() -> dict[str, Any]:
    """Each, around the same function."""
    host = cases.functions()["f"]

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    _, public = cases.host()
    after, after_public = cases.host()
    with after.backend("b"):
        pass
    return {
        "ours, while nobody ever chose": public["f"],
        "ours, after somebody chose": after_public["f"],
        "asks the context; a closure and no proxy": functools.wraps(host)(asking(host)),
        "asks the context; in a slot": in_slot(asking(host)),
        "asks the context; in a slot, keywords not told apart": in_slot(asking_whole(host)),
        "asks the context; in a slot, backend= declared": in_slot(declared(host)),
        "asks the context; in a CallableObjectProxy": wrapt.CallableObjectProxy(asking(host)),
        "asks the context; a class for each function": type(
            "Own", (), {"__slots__": (), "__call__": staticmethod(asking(host))}
        )(),
        "asks the context; a subclass of functools.partial": Partial(asking(host)),
        "asks the context; a proxy with `__call__` in Python": WithCall(host),
        "FunctionWrapper with a wrapper in Python": wrapt.FunctionWrapper(host, wrapper),
        "FunctionWrapper, disabled; cannot see backend=": wrapt.FunctionWrapper(
            host, wrapper, lambda: False
        ),
        "CallableObjectProxy of the host; asks nothing": wrapt.CallableObjectProxy(host),
    }


def measure(chunks: int = 1_000) -> dict[str, tuple[float, float]]:
    """What each adds, without a keyword and with one, in units of a bare closure's addition."""
    plain = cases.functions()["f"]
    subjects = {"plain": plain, "closure": bare(plain), **variants()}
    results = []
    for source in ("f(1)", "f(1, k=2)"):
        taken = seconds({name: Statement(source, {"f": f}) for name, f in subjects.items()}, chunks)
        unit = taken["closure"] - taken["plain"]
        results.append({name: (t - taken["plain"]) / unit for name, t in taken.items()})
    return {name: (results[0][name], results[1][name]) for name in list(subjects)[2:]}


def main() -> None:
    """Measure everything and keep it."""
    file = Path(sys.argv[1])
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept[".".join(platform.python_version_tuple()[:2])] = {
        "tried": measure(),
        "peers": peers.measure(1_000),
        "calls": {name: cases.measure_call(name) for name in cases.CALLS},
        "scopes": {name: cases.measure_scope(name) for name in cases.SCOPES},
    }
    file.write_text(json.dumps(_rounded(kept), indent=1) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(each) for each in value]
    return round(value, 2)


if __name__ == "__main__":
    main()
