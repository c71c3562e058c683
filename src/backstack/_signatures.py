"""The signature that a dispatched function shows: the host's, with options and the selector."""

from __future__ import annotations

import inspect

from ._options import loaded_options
from ._plans import HostFunction
from ._routing import is_default

Parameter = inspect.Parameter


def merged_signature(route: HostFunction) -> inspect.Signature:
    """The host's signature with the options of the loaded backends and the selector.

    Options come keyword-only, before the selector and ``**kwargs``. One without a default,
    or whose backends disagree about it, shows ``...``, which means "not given".
    """
    signature = inspect.signature(route.host)
    before = list(signature.parameters.values())
    after = [p for p in before if p.kind is Parameter.VAR_KEYWORD]
    selector = signature.parameters.get(route.keyword)
    if selector is None:
        selector = Parameter(route.keyword, Parameter.KEYWORD_ONLY, default=None)
        position = len(before) - len(after)
    else:
        position = before.index(selector)
        after = before[position + 1 :]
    return signature.replace(parameters=[*before[:position], *_options(route), selector, *after])


def _options(route: HostFunction) -> list[Parameter]:
    merged: dict[str, Parameter] = {}
    for _, _, parameter in loaded_options(route):
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
    return one if one.annotation == other.annotation else one.replace(annotation=Parameter.empty)
