"""Options: parameters of a backend's implementation that the host's function does not have."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from . import errors
from ._plans import HostFunction
from ._records import MISSING
from ._routing import Callee, is_default
from ._scopes import Origin


def loaded_options(route: HostFunction) -> Iterator[tuple[str, Any, inspect.Parameter]]:
    """Each public option of each loaded backend: its name, the implementation, the parameter."""
    host = Callee(route.signature())
    for backend in route.registry.loaded():
        try:
            plan = route.plan(backend, Origin("default"))
        except (errors.BackendError, TypeError) as error:
            route.registry.log.debug("Not merged into %s(): %s", route.name, error)
            continue
        if plan is None:
            continue
        for parameter in plan.own.keywords.values():
            public = not parameter.name.startswith("_") and parameter.name != route.keyword
            if public and parameter.name not in host.parameters:
                yield backend.shown, plan.function, parameter


def without_options(route: HostFunction, kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """See `Route.without_options` of the routes."""
    host = Callee(route.signature())
    if host.var_keyword is not None:
        return None
    strange = [name for name in kwargs if name not in host.keywords and name not in host.named]
    left_out = []
    for name in strange:
        owners = dict(_owners(route, name))
        if owners and (kwargs[name] is ... or _any_default(kwargs[name], owners)):
            left_out.append(name)
        elif owners:
            owner = min(owners)
            raise TypeError(
                f"{route.name}() got an unexpected keyword argument {name!r}. It is an option of "
                f"the installed backend {owner!r}: choose it with {route.keyword}={owner!r}."
            ) from None
    if not left_out:
        return None
    return {name: value for name, value in kwargs.items() if name not in left_out}


def _any_default(value: object, owners: dict[str, Any]) -> bool:
    return any(is_default(value, default) for default in owners.values())


def _owners(route: HostFunction, option: str) -> Iterator[tuple[str, Any]]:
    """Each installed backend that is known to have `option`, and its default; loads nobody."""
    for backend in set(route.registry.table().labels.values()):
        if backend.adapter is None and not route.registry.forbids(backend):
            declared = backend.declared.options.get(route.name, {})
            if option in declared:
                yield backend.shown, declared[option]
    for name, _, parameter in loaded_options(route):
        if parameter.name == option:
            yield name, MISSING if parameter.default is parameter.empty else parameter.default
