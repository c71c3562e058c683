"""The signature that a dispatched function shows: the host's, with options and the selector."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from ._options import Option
from ._plans import HostFunction
from ._routing import is_default

Parameter = inspect.Parameter


def merge(
    function: HostFunction, signature: inspect.Signature, options: Iterable[Option]
) -> inspect.Signature:
    """`signature` with `options` and the selector.

    Options come keyword-only, before the selector and ``**kwargs``. One without a default,
    or whose backends disagree about it, shows ``...``, which means "not given".
    """
    before = list(signature.parameters.values())
    after = [p for p in before if p.kind is Parameter.VAR_KEYWORD]
    selector = signature.parameters.get(function.keyword)
    if selector is None:
        selector = Parameter(function.keyword, Parameter.KEYWORD_ONLY, default=None)
        position = len(before) - len(after)
    else:
        position = before.index(selector)
        after = before[position + 1 :]
    shown = [option for option in _merged(options) if option.name not in signature.parameters]
    function.shown += [option for option in shown if not _among(option, function.shown)]
    return signature.replace(parameters=[*before[:position], *shown, selector, *after])


def unmerge(function: HostFunction, signature: inspect.Signature) -> inspect.Signature:
    """`signature` without the options that were merged into it earlier."""
    kept = [p for p in signature.parameters.values() if not _among(p, function.shown)]
    return signature.replace(parameters=kept)


def _among(parameter: Parameter, others: Iterable[Parameter]) -> bool:
    return any(
        parameter.name == other.name
        and parameter.kind is other.kind
        and parameter.default is other.default
        and parameter.annotation is other.annotation
        for other in others
    )


def _merged(options: Iterable[Option]) -> list[Parameter]:
    merged: dict[str, Parameter] = {}
    for _, _, parameter in options:
        option = parameter.replace(
            kind=Parameter.KEYWORD_ONLY,
            default=... if parameter.default is Parameter.empty else parameter.default,
        )
        merged[option.name] = _agreed(merged.get(option.name, option), option)
    return list(merged.values())


def _agreed(one: Parameter, other: Parameter) -> Parameter:
    """What two backends say alike of one option."""
    if not is_default(one.default, other.default):
        one = one.replace(default=...)
    same = one.annotation is other.annotation or is_default(one.annotation, other.annotation)
    return one if same else one.replace(annotation=Parameter.empty)
