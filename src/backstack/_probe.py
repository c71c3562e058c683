"""What the command line runs in a process of its own, because foreign code may do anything.

A request comes in on standard input and events go out to a file, a line of JSON each, so that
what the foreign code prints is not in the way, and what was told before a crash is not lost.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import pkgutil
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from . import errors
from ._installed import place_of_host
from ._loading import FAILURES, describe
from ._names import did_you_mean
from ._processes import MARK
from ._records import Backend
from .checking import check_adapter
from .dispatcher import BackendDispatcher
from .explaining import explain


class ProbeError(Exception):
    """What was asked for is not there; the message says what to do."""


def main(request: dict[str, Any]) -> None:
    """Do what is asked for, tell what it came to, and end the process at once."""
    with open(request["events"], "a", encoding="utf-8") as events:

        def tell(**event: Any) -> None:
            events.write(json.dumps(event, default=str) + "\n")
            events.flush()

        trace = open(request["trace"], "w", encoding="utf-8")  # noqa: SIM115  open till the end
        faulthandler.enable(trace)
        faulthandler.dump_traceback_later(request["seconds"], exit=True, file=trace)
        warnings.simplefilter("ignore")
        try:
            tell(result=_TASKS[request["task"]](request, tell))
        except ProbeError as error:
            tell(problem=str(error))
        except FAILURES as error:
            tell(problem=describe(error))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # whatever threads the foreign code has left running


# -- the host ------------------------------------------------------------------------------


def find_dispatcher(name: str) -> BackendDispatcher:
    """The dispatcher of a host, importing the host.

    `name` is a module that has one or a package around one, the name under which the host says
    where it is, or ``module:attribute``.
    """
    place = name if ":" in name else place_of_host(name)
    if place is not None:
        found = pkgutil.resolve_name(place)
        if isinstance(found, BackendDispatcher):
            return found
        raise ProbeError(f"{place} is no BackendDispatcher, but {found!r}.")
    module = name.replace("-", "_")
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ProbeError(
            f"There is no host {name!r}: no module of that name can be imported. "
            "'backstack list' shows the hosts that are installed."
        ) from None
    return _the_one_of(module, name)


def _the_one_of(package: str, name: str) -> BackendDispatcher:
    found: dict[int, BackendDispatcher] = {}
    for module_name, module in list(sys.modules.items()):
        if module_name == package or module_name.startswith(package + "."):
            for value in list(vars(module).values()):
                if isinstance(value, BackendDispatcher):
                    found[id(value)] = value
    own = [d for d in found.values() if d._config.host == name]
    candidates = own or list(found.values())
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise ProbeError(
            f"No module of {package!r} has a BackendDispatcher; if it is made elsewhere, say "
            f"where: MODULE:ATTRIBUTE."
        )
    hosts = ", ".join(sorted(repr(d._config.host) for d in candidates))
    raise ProbeError(f"{package!r} has several dispatchers, of {hosts}; choose: MODULE:ATTRIBUTE.")


def _host(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    dispatcher, seconds = _imported(request["host"], tell)
    registry, config = dispatcher._registry, dispatcher._config
    package = sys.modules.get(dispatcher._module.partition(".")[0])
    missing = [
        {"name": name, "install": entry.install_hint}
        for name, entry in sorted(config.trusted.items())
        if registry.find(name) is None
    ]
    return {
        "host": config.host,
        "version": str(getattr(package, "__version__", "") or "") or None,
        "group": config.group,
        "seconds": seconds,
        "functions": sorted(dispatcher.functions),
        "trust": registry.trust,
        "on_missing": dispatcher.settings.on_missing,
        "variables": [_chooser(dispatcher), _lock(dispatcher)],
        "backends": [_told(dispatcher, backend) for backend in registry.by_name()],
        "not_installed": missing,
    }


def _imported(name: str, tell: Callable[..., None]) -> tuple[BackendDispatcher, float]:
    tell(phase=f"importing {name}")
    started = time.perf_counter()
    dispatcher = find_dispatcher(name)
    return dispatcher, time.perf_counter() - started


def _told(dispatcher: BackendDispatcher, backend: Backend) -> dict[str, Any]:
    record = dispatcher._registry.record(backend, dispatcher.functions)
    label = next(iter(backend.labels), None)
    return {**record.as_dict(), "provider": backend.shown_provider, "label": label}


def _chooser(dispatcher: BackendDispatcher) -> dict[str, Any]:
    """The environment variable that chooses, and what its value comes to."""
    variable, registry = dispatcher._config.variable, dispatcher._registry
    told = {"name": variable, "value": os.environ.get(variable or "") or None, "problem": None}
    if variable is None:
        return {**told, "effect": f"{dispatcher._config.host} reads no variable to choose by."}
    selection = dispatcher._stack.process.variable
    if selection is None:
        return {**told, "effect": "The process starts on the host's own implementation."}
    order = ", then ".join(map(repr, selection.labels))
    for label in selection.labels:
        problem = registry.problem_with(label, selection.origin)
        if problem is not None:
            told["problem"] = told["problem"] or str(problem)
    return {**told, "effect": f"The process starts on {order}, unless something else is chosen."}


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


# -- one backend ---------------------------------------------------------------------------


def _backend(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    dispatcher, _ = _imported(request["host"], tell)
    label = request["backend"]
    registry = dispatcher._registry
    routes = sorted(dispatcher._alive(), key=lambda route: route.name)
    tell(phase=f"loading {label}")
    _mark("loading")
    started = time.perf_counter()
    with contextlib.suppress(errors.BackendError):  # which the findings tell
        dispatcher.get_backend(label)
    loaded = time.perf_counter()
    tell(phase=f"looking at the functions of {label}")
    _mark("reading")
    findings = check_adapter(registry, routes, label)
    done = time.perf_counter()
    _mark("nobody")
    backend = registry.find(label)
    if backend is None:
        raise ProbeError(f"Its source promises the name {label!r}, and the adapter has another.")
    return {
        **_told(dispatcher, backend),
        "seconds": {"loading": loaded - started, "reading": done - loaded},
        "findings": findings.as_dicts(),
    }


def _mark(whose: str) -> None:
    sys.stderr.flush()
    os.write(2, f"{MARK}{whose}\n".encode())


# -- asking --------------------------------------------------------------------------------


def _coverage(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    dispatcher, _ = _imported(request["host"], tell)
    return dispatcher.coverage().as_dict()


def _explain(request: dict[str, Any], tell: Callable[..., None]) -> dict[str, Any]:
    tell(phase=f"importing {request['function']}")
    dispatcher, function = _function(request["function"])
    kwargs = dict(request["arguments"])
    call = dispatcher._call(function, (), kwargs)
    route, args, kwargs, _ = call
    label = request["backend"]
    tell(phase=f"asking where {route.name}() would run")
    if label is not None:
        kwargs[route.keyword] = label
    if route.by_name:
        args, kwargs = _with_placeholders(route.callee.named, kwargs)
    explanation = explain(call._replace(args=args, kwargs=kwargs))
    return {"text": repr(explanation), "explanation": explanation.as_dict()}


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
    if not name:
        raise ProbeError(f"{path!r} names no function; write HOST.FUNCTION.")
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
    for module in list(sys.modules.values()):
        for value in list(vars(module).values()) if module is not None else ():
            if isinstance(value, BackendDispatcher):
                try:
                    value._call(function, (), {})
                except TypeError:
                    continue
                return value
    return None


_TASKS = {"host": _host, "backend": _backend, "coverage": _coverage, "explain": _explain}
