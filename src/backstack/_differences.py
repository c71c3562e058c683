"""In what a backend's function or class differs from the host's: parameters, defaults, methods."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any, Literal

from ._missing_self import about_parameter, parameter_taken
from ._names import nearest, shown
from ._routing import EMPTY, POSITIONAL_ONLY, Callee, Plan, is_default

#: Its severity, its code, and a sentence.
Difference = tuple[Literal["error", "warning", "note"], str, str]

_NEARLY_THE_SAME = 0.82  # as `difflib` counts: one letter of six, or two that are swapped
_MOST_METHODS = 5


def of_functions(host: Callee, plan: Plan) -> Iterator[Difference]:
    """In what an implementation takes other arguments than the host's function."""
    own = plan.own
    lacking = [name for name in host.named if name not in own.named]
    taken = parameter_taken(plan.implementation, plan.backend.adapter, lacking)
    if taken is not None:
        yield "error", "no-self", about_parameter(taken)
    if own.takes_anything:
        return
    for name, parameter in host.named.items():
        if name == taken:
            continue
        if name in own.named:
            yield from _of_defaults(name, parameter.default, own.named[name].default)
            continue
        if own.var_keyword is not None:
            continue
        meant = _meant(name, own, host)
        hint = f" Did you mean {name!r} by {meant!r}?" if meant else ""
        always = parameter.default is EMPTY
        dropped = "is always left out" if always else "is left out with a warning where it is given"
        text = f"It has no parameter {name!r}, which {dropped}.{hint}"
        yield "warning" if always or meant else "note", "missing-parameter", text
    for name, parameter in own.named.items():
        if name not in host.named and parameter.default is EMPTY:
            text = f"It requires {name!r}, which the host does not have: every call has to give it."
            yield "error", "required-option", text
        elif parameter.kind is POSITIONAL_ONLY and name not in host.named:
            text = f"Its option {name!r} is positional-only, so that nobody can give it."
            yield "warning", "unreachable-option", text
    if host.var_positional and not plan.takes_rest():
        text = (
            f"It cannot take what a call gives for *{host.var_positional}: it has "
            f"{plan.instead_of_rest()}."
        )
        yield "warning", "no-var-positional", text
    if host.var_keyword and own.var_keyword is None:
        text = f"It leaves out what a call gives for **{host.var_keyword} and it does not name."
        yield "note", "no-var-keyword", text


def _of_defaults(name: str, theirs: Any, own: Any) -> Iterator[Difference]:
    """In what the defaults differ of a parameter that both have."""
    if theirs is EMPTY:
        return
    if own is EMPTY:
        yield "note", "required", f"It requires {name!r}, and gets the host's default."
    elif not is_default(own, theirs) and shown(own) != shown(theirs):  # as of arrays, or of NaN
        text = (
            f"It has {_short(own)} as the default of {name!r}, and the host has {_short(theirs)}: "
            "a call that does not give it gets the backend's."
        )
        yield "note", "other-default", text


def _short(value: object) -> str:
    text = " ".join(shown(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."


def _meant(name: str, own: Callee, host: Callee) -> str | None:
    """The parameter of the backend alone that probably is the host's `name`, misspelt."""
    options = [option for option in own.named if option not in host.named]
    return nearest(name, options, _NEARLY_THE_SAME)


# -- classes -------------------------------------------------------------------------------


def of_classes(host: type, keyword: str, own: type) -> Iterator[Difference]:
    """In what a class differs from the one of the host that it stands for.

    Nothing is said of a constructor whose signature nobody can tell.
    """
    try:
        signatures = inspect.signature(host), inspect.signature(own)
    except Exception:  # a class may do anything when it is asked
        pass
    else:
        theirs = [p for p in signatures[0].parameters.values() if p.name != keyword]
        yield from _of_constructors(
            Callee(signatures[0].replace(parameters=theirs)), Callee(signatures[1])
        )
    missing = [] if _computes(own) else sorted(_methods(host) - _attributes(own))
    if missing:
        named = ", ".join(map(repr, missing[:_MOST_METHODS]))
        more = f" and {len(missing) - _MOST_METHODS} more" if missing[_MOST_METHODS:] else ""
        yield "warning", "missing-method", f"It lacks what the host's class has: {named}{more}."


def _of_constructors(host: Callee, own: Callee) -> Iterator[Difference]:
    """Where a construction fails, which reaches the backend's class unchanged."""
    for index, (name, parameter) in enumerate(host.named.items()):
        by_name = parameter.kind is not POSITIONAL_ONLY
        by_position = name in host.positional and (
            own.var_positional is not None or index < len(own.positional)
        )
        if name in own.keywords or (own.var_keyword is not None and by_name):
            continue
        if by_position and not by_name:
            continue
        always = parameter.default is EMPTY and not by_position
        meant = _meant(name, own, host)
        hint = f" Did you mean {name!r} by {meant!r}?" if meant else ""
        text = (
            f"Its constructor takes no {name!r}{' by name' if by_position else ''}: "
            f"{'every construction' if always else 'one that gives it'} raises a TypeError.{hint}"
        )
        yield "error" if always else "warning", "missing-parameter", text
    if host.var_positional or host.var_keyword:
        return  # nobody can tell what it insists on
    always_given = [p.default is EMPTY for p in map(host.named.__getitem__, host.positional)]
    for name, parameter in own.named.items():
        place = own.positional.index(name) if name in own.positional else len(always_given)
        required = name in host.named and host.named[name].default is EMPTY
        if parameter.default is EMPTY and not (required or any(always_given[place : place + 1])):
            text = (
                f"Its constructor requires {name!r}, and the host's does not: a construction "
                "that leaves it out raises a TypeError."
            )
            yield "error", "required-option", text


_METHODS = (
    classmethod,
    staticmethod,
    property,
    functools.cached_property,
    functools.partialmethod,
    functools.singledispatchmethod,
)


def _methods(cls: type) -> set[str]:
    """The public methods and properties of a class, inherited ones too."""
    return {
        name
        for base in cls.__mro__[:-1]
        for name, value in vars(base).items()
        if not name.startswith("_")
        and (isinstance(value, _METHODS) or callable(value))
        and not isinstance(value, type)
    }


def _attributes(cls: type) -> set[str]:
    """What a class has, and what its methods set or its annotations promise on instances."""
    found: set[str] = set()
    for base in cls.__mro__:
        found.update(vars(base), vars(base).get("__annotations__", ()))
        for value in vars(base).values():
            if isinstance(value, FunctionType):
                instructions = dis.get_instructions(value)
                found.update(i.argval for i in instructions if i.opname == "STORE_ATTR")
    return found


def _computes(cls: type) -> bool:
    """Whether its instances may make an attribute when they are asked for it."""
    return any(
        "__getattr__" in vars(base) or "__getattribute__" in vars(base) for base in cls.__mro__[:-1]
    )
