"""Options: parameters of a backend's implementation that the host's function does not have."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from . import errors
from ._choices import Origin, Selection
from ._plans import HostFunction
from ._records import MISSING, Backend
from ._routing import is_default

__tracebackhide__ = True  # pytest shows whose call it was

_NOBODY = Selection((), (), None, Origin("default"))  # asked: signatures are only looked at

Option = tuple[str, Any, inspect.Parameter]


def loaded_options(function: HostFunction) -> list[Option]:
    """Each public option of each loaded backend: its name, the implementation, the parameter.

    Reads the implementations that were not read yet; one that cannot be merged is left out.
    """
    for backend in function.registry.loaded():
        try:
            function.plan(backend, _NOBODY)
        except (errors.BackendError, TypeError) as error:
            function.registry.log.debug("Not merged into %s(): %s", function.name, error)
    return known_options(function)


def known_options(function: HostFunction) -> list[Option]:
    """The options of those implementations that were read already."""
    options: list[Option] = []
    for backend in function.registry.loaded():
        plan = function.plans.get(backend)
        if plan is not None:
            parameters = plan.own.keywords
            names = options_among(function, parameters)
            options += [(backend.shown, plan.function, parameters[name]) for name in names]
    return options


def options_among(function: HostFunction, names: Iterable[str]) -> list[str]:
    """Those parameters of an implementation that are options, and public ones."""
    known = {*function.callee.parameters, "backend", function.keyword}
    return [name for name in names if not name.startswith("_") and name not in known]


def options_of(function: HostFunction, backend: Backend) -> list[str]:
    """The options of one backend, as far as they are known without any code of it running."""
    if backend.adapter is None:
        return options_among(function, backend.declared.options.get(function.name, ()))
    read_what_is_there(function, backend)
    plan = function.plans.get(backend)
    return [] if plan is None else options_among(function, plan.own.keywords)


def without_options(function: HostFunction, kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """`kwargs` for the host: options of backends left out where they are at their defaults.

    None where there is nothing to leave out; `TypeError` where one asks for something,
    which says whose it is.
    """
    host = function.callee
    if host.var_keyword is not None:
        return None
    strange = [name for name in kwargs if name not in host.keywords and name not in host.named]
    left_out = []
    for name in strange:
        owners = dict(_owners(function, name))
        if owners and (kwargs[name] is ... or _any_default(kwargs[name], owners)):
            left_out.append(name)
        elif owners:
            raise TypeError(
                f"{function.name}() got an unexpected keyword argument {name!r}."
                f"{whose_option(function, name)}"
            ) from None
        elif name == "backend" != function.keyword:
            raise TypeError(
                f"{function.name}() got an unexpected keyword argument {name!r}. Its backend is "
                f"chosen by {function.keyword}=."
            ) from None
    if not left_out:
        return None
    return {name: value for name, value in kwargs.items() if name not in left_out}


def whose_option(function: HostFunction, name: str) -> str:
    """A sentence that says which installed backend has an option, or nothing."""
    owner = min(dict(_owners(function, name)), default=None)
    if owner is None:
        return ""
    return (
        f" It is an option of the installed backend {owner!r}: choose it with "
        f"{function.keyword}={owner!r}."
    )


def _any_default(value: object, owners: dict[str, Any]) -> bool:
    return any(default is not MISSING and is_default(value, default) for default in owners.values())


def read_what_is_there(function: HostFunction, backend: Backend) -> None:
    """Read an implementation of a loaded adapter, unless that could run or import anything."""
    if function.name in backend.static_names():
        try:
            function.plan(backend, _NOBODY)
        except (errors.BackendError, TypeError):
            return


def _owners(function: HostFunction, option: str) -> Iterator[tuple[str, Any]]:
    """Each installed backend that is known to have `option`, and its default; reads nothing."""
    for backend in set(function.registry.table().labels.values()):
        declared = backend.declared
        if function.registry.forbids(backend):
            continue
        if backend.adapter is not None:
            read_what_is_there(function, backend)
            continue
        if function.name in declared.exports and option in declared.options.get(function.name, {}):
            yield backend.shown, declared.options[function.name][option]
    for name, _, parameter in known_options(function):
        if parameter.name == option:
            yield name, MISSING if parameter.default is parameter.empty else parameter.default
