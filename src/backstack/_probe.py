"""What the command line runs in a process of its own, because foreign code may do anything.

A request comes in on standard input and events go out to a file, a line of JSON each, so that
what the foreign code prints is not in the way, and what was told before a crash is not lost.
"""

from __future__ import annotations

import ast
import contextlib
import faulthandler
import json
import os
import pkgutil
import sys
import time
import warnings
from collections.abc import Callable, Collection, Generator
from typing import Any

from . import errors
from ._choices import Origin
from ._dispatchers import NoDispatcherError, dispatchers, find_dispatcher
from ._installed import installed
from ._loading import FAILURES, AdapterError, describe
from ._names import CPU, did_you_mean
from ._near_variables import near_variables, variables_of
from ._processes import MARK
from ._records import Backend
from ._registry import Registry
from .checking import check_adapter
from .dispatcher import BackendDispatcher
from .explaining import explain

PROBE = Origin("query", "backstack doctor")

_NO_FUNCTIONS = "It dispatches 0 functions: are the modules with marked functions imported?"


class ProbeError(Exception):
    """What was asked for is not there; the message says what to do."""


def main(request: dict[str, Any]) -> None:
    """Do what is asked for, tell what it came to, and end the process at once."""
    with open(request["events"], "a", encoding="utf-8") as events:
        phases = ["starting"]

        def tell(**event: Any) -> None:
            phases.extend(filter(None, [event.get("phase")]))
            events.write(json.dumps(event, default=str) + "\n")
            events.flush()

        trace = open(request["trace"], "w", encoding="utf-8")  # noqa: SIM115  open till the end
        faulthandler.enable(trace)
        faulthandler.dump_traceback_later(request["seconds"], exit=True, file=trace)
        warnings.simplefilter("ignore")
        try:
            tell(result=_TASKS[request["task"]](request, tell))
        except (ProbeError, NoDispatcherError) as error:
            tell(problem=str(error))
        except FAILURES as error:
            tell(problem=f"It failed while {phases[-1]}: {describe(error)}")
    _flush()
    os._exit(0)  # whatever threads the foreign code has left running


# -- the host ------------------------------------------------------------------------------


def _host(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    dispatcher, seconds = _imported(request["host"], tell)
    registry, config = dispatcher._registry, dispatcher._config
    package = sys.modules.get(dispatcher._module.partition(".")[0])
    missing = [
        {"name": name, "aliases": list(entry.aliases), "install": entry.install_hint}
        for name, entry in sorted(config.trusted.items())
        if registry.find(name) is None
    ]
    return {
        "host": config.host,
        "version": str(getattr(package, "__version__", "") or "") or None,
        "group": config.group,
        "seconds": seconds,
        "functions": sorted(dispatcher.functions),
        "problem": None if dispatcher.functions else _NO_FUNCTIONS,
        "trust": registry.trust,
        "on_missing": dispatcher.settings.on_missing,
        "variables": [_chooser(dispatcher), _lock(dispatcher), *_misspelt(dispatcher)],
        "backends": [_told(dispatcher, backend) for backend in registry.by_name()],
        "not_installed": missing,
        "reserved": {CPU: "It is the host's own implementation.", **config.reserved},
    }


def _imported(name: str, tell: Callable[..., None]) -> tuple[BackendDispatcher, float]:
    tell(phase=f"importing {name}")
    started = time.perf_counter()
    dispatcher = find_dispatcher(name)
    return dispatcher, time.perf_counter() - started


def _told(dispatcher: BackendDispatcher, backend: Backend) -> dict[str, Any]:
    record = dispatcher._registry.record(backend, dispatcher.functions)
    return {**record.as_dict(), "provider": backend.shown_provider}


def _chooser(dispatcher: BackendDispatcher) -> dict[str, Any]:
    """The environment variable that chooses, and what its value comes to."""
    variable, registry = dispatcher._config.variable, dispatcher._registry
    told = {"name": variable, "value": os.environ.get(variable or "") or None, "problem": None}
    if variable is None:
        return {**told, "effect": f"{dispatcher._config.host} reads no variable to choose by."}
    selection = dispatcher._stack.process.variable
    if selection is None:
        return {**told, "effect": "The process starts on the host's own implementation."}
    problems = {
        label: problem
        for label in selection.labels
        if (problem := registry.problem_with(label, selection.origin)) is not None
    }
    usable = [label for label in selection.labels if label not in problems]
    for problem in problems.values():
        if not usable or not isinstance(problem, errors.BackendNotInstalledError):
            effect = "Calls for which nothing else is chosen raise:"
            return {**told, "effect": effect, "problem": str(problem)}
    order = ", then ".join(map(repr, usable))
    absent = "".join(f" {label!r} is passed over, since it is not installed." for label in problems)
    effect = f"The process starts on {order}, unless something else is chosen.{absent}"
    return {**told, "effect": effect}


def _lock(dispatcher: BackendDispatcher) -> dict[str, Any]:
    """The environment variable that tightens trust."""
    registry, variable = dispatcher._registry, dispatcher._config.trust_variable
    value = os.environ.get(variable) or None
    known = value is None or value.strip().lower() in ("", "warn", "require")
    if registry.trust == "require":
        effect = "Only backends that the host lists may run."
    else:
        effect = "Backends that the host does not list may run, with a warning."
    problem = None if known else f"{variable}={value!r} is not understood, and taken as 'require'."
    return {"name": variable, "value": value, "effect": effect, "problem": problem}


def _misspelt(dispatcher: BackendDispatcher) -> list[dict[str, Any]]:
    """The environment variables that look like these two, and are read by no other host."""
    near = near_variables(dispatcher._config)
    if not near:
        return []
    hosts = {record.host for record in installed()} - {dispatcher._config.host}
    others = variables_of(hosts).union(
        *((d._config.variable, d._config.trust_variable) for d in dispatchers().values())
    )
    return [
        {
            "name": name,
            "value": os.environ[name],
            "effect": f"Not read by backstack. Did you mean {meant!r}?",
            "problem": None,
        }
        for name, meant in near.items()
        if name not in others
    ]


# -- one backend ---------------------------------------------------------------------------


def _backend(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    dispatcher, _ = _imported(request["host"], tell)
    registry = dispatcher._registry
    backend = next(b for b in registry.by_name() if b.shown_provider == request["provider"])
    routes = sorted(dispatcher._alive(), key=lambda route: route.name)
    tell(phase=f"loading {backend.shown}")
    _mark("loading")
    started = time.perf_counter()
    with contextlib.suppress(errors.BackendError):  # which the findings tell
        registry.make_ready(backend, PROBE)
    loaded = time.perf_counter()
    tell(phase=f"looking at the functions of {backend.shown}")
    _mark("reading")
    findings = check_adapter(registry, routes, backend, PROBE)
    done = time.perf_counter()
    _mark("nobody")
    told = _told(dispatcher, backend)
    there = {route.name: route.plans[backend] for route in routes if backend in route.plans}
    functions = {*told["functions"], *there} - {name for name in there if there[name] is None}
    return {
        **told,
        "functions": sorted(functions),
        "seconds": {"loading": loaded - started, "reading": done - loaded},
        "findings": findings.as_dicts(),
    }


def _mark(whose: str) -> None:
    _flush()
    for stream in (1, 2):
        with contextlib.suppress(OSError):  # the foreign code may have closed it
            # On a line of its own, whatever has been written before.
            os.write(stream, f"\n{MARK}{whose}\n".encode())


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # or put something else there
            stream.flush()


# -- asking --------------------------------------------------------------------------------


def _coverage(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    dispatcher, _ = _imported(request["host"], tell)
    return dispatcher.coverage().as_dict()


def _stubs(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    from .stubs import make_stubs

    dispatcher, _ = _imported(request["host"], tell)
    _tell_of_loading(dispatcher._registry, tell, "loading its backends", request["without"])
    files = make_stubs(dispatcher, any_name=request["any_name"])
    if not files:
        raise ProbeError(f"No module of {request['host']!r} defines a dispatched function.")
    return {"files": files}


def _tell_of_loading(
    registry: Registry, tell: Callable[..., None], phase: str, without: Collection[str] = ()
) -> None:
    """Tell that it is at `phase`, and meanwhile of each backend whose code is about to run.

    Those in `without` are not loaded.
    """

    @contextlib.contextmanager
    def telling(backend: Backend) -> Generator[None, None, None]:
        if backend.shown in without:
            raise AdapterError("it has ended the process before")
        tell(phase=f"loading {backend.shown}", loading=backend.shown)
        try:
            yield
        finally:
            tell(phase=phase)

    registry.around_load = telling
    tell(phase=phase)


def _explain(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    tell(phase=f"importing {request['function']}")
    dispatcher, function = _function(request["function"])
    kwargs = {name: _value(text) for name, text in request["arguments"]}
    call = dispatcher._call(function, (), kwargs)
    route, args, kwargs, _ = call
    label = request["backend"]
    _tell_of_loading(dispatcher._registry, tell, f"asking where {route.name}() would run")
    if label is not None:
        kwargs[route.keyword] = label
    if route.by_name:
        args, kwargs = _with_placeholders(route.callee.named, kwargs)
    explanation = explain(call._replace(args=args, kwargs=kwargs))
    return {"text": repr(explanation), "explanation": explanation.as_dict()}


def _value(text: str) -> Any:
    """An argument as Python writes it; anything else is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _with_placeholders(
    named: dict[str, Any], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Something for every argument that a call has to give and that was not given."""
    args = []
    for name, parameter in named.items():
        if parameter.default is parameter.empty and name not in kwargs:
            if parameter.kind is parameter.POSITIONAL_ONLY:
                args.append(_Placeholder(name))
            else:
                kwargs[name] = _Placeholder(name)
    return tuple(args), kwargs


class _Placeholder:
    """Stands for an argument whose value does not matter."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<{self._name}>"


def _function(path: str) -> tuple[BackendDispatcher, Any]:
    """A dispatched function by its path, and the dispatcher that it is of."""
    host, _, name = path.partition(".")
    try:
        function = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError):
        dispatcher = find_dispatcher(host)  # or by the name that backends export it as
        function = dispatcher.functions.get(name.rpartition(".")[2])
        if function is None:
            hint = did_you_mean(name, dispatcher.functions)
            raise ProbeError(f"{host!r} dispatches no function {name!r}.{hint}") from None
        return dispatcher, function
    dispatcher_of = _owner(function)
    if dispatcher_of is None:
        raise ProbeError(f"{path} is not dispatched: {function!r}.")
    return dispatcher_of, function


def _owner(function: Any) -> BackendDispatcher | None:
    for dispatcher in dispatchers().values():
        with contextlib.suppress(TypeError):
            dispatcher._call(function, (), {})
            return dispatcher
    return None


_TASKS = {
    "host": _host,
    "backend": _backend,
    "coverage": _coverage,
    "explain": _explain,
    "stubs": _stubs,
}
