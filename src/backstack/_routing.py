"""One host function and one implementation: how a call of the first becomes one of the second.

A `Plan` is compiled once from both signatures. Whether a call can be passed on as it came
depends only on its *shape* (how many positional arguments, which keywords), so shapes that
were found to fit are remembered, and only a call that does not fit is bound and rerouted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ._missing_self import about_method, about_parameter, parameter_taken
from ._names import did_you_mean

__tracebackhide__ = True  # pytest shows whose call it was

Parameter = inspect.Parameter
POSITIONAL_ONLY = Parameter.POSITIONAL_ONLY
POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
KEYWORD = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
EMPTY = Parameter.empty

_MOST_SHAPES = 256  # a function that takes **kwargs could be called in any number of shapes


class Callee:
    """What a signature takes, sorted for asking."""

    def __init__(self, signature: inspect.Signature) -> None:
        self.signature = signature
        self.parameters: Mapping[str, Parameter] = signature.parameters
        values = list(self.parameters.values())
        self.named: dict[str, inspect.Parameter] = {
            p.name: p for p in values if p.kind in (*POSITIONAL, *KEYWORD)
        }
        self.keywords: dict[str, inspect.Parameter] = {
            p.name: p for p in values if p.kind in KEYWORD
        }
        self.positional: list[str] = [p.name for p in values if p.kind in POSITIONAL]
        self.var_positional: str | None = next(
            (p.name for p in values if p.kind is p.VAR_POSITIONAL), None
        )
        self.var_keyword: str | None = next(
            (p.name for p in values if p.kind is p.VAR_KEYWORD), None
        )

    @property
    def takes_anything(self) -> bool:
        """Whether it is ``(*args, **kwargs)`` and nothing else."""
        return not self.named and self.var_positional is not None and self.var_keyword is not None


class Plan:
    """How calls of a host function reach one backend's implementation.

    Attributes
    ----------
    implementation : callable
        What the backend exports.
    function : callable
        What the call path calls: the implementation, or a wrapper of it.
    backend : Backend
        Whose it is.
    fits : set
        Shapes of calls that are passed on as they come: the number of positional
        arguments, in a tuple with the keywords in their order where there are any.
    own : Callee
        What the implementation takes.
    last : bool
        Whether it cannot decline: only plain functions can.
    whose_option : callable
        Gives a sentence about who has an option of that name, or nothing.
    """

    __slots__ = (
        "_host",
        "_prefix",
        "backend",
        "fits",
        "function",
        "host_name",
        "implementation",
        "last",
        "own",
        "whose_option",
    )

    def __init__(
        self,
        host: Callee,
        host_name: str,
        backend: Any,
        function: Callable[..., Any],
        last: bool,
        whose_option: Callable[[str], str],
    ) -> None:
        self.implementation: Callable[..., Any] = function
        self.function: Callable[..., Any] = function
        self.last: bool = last
        self.whose_option: Callable[[str], str] = whose_option
        self.backend: Any = backend
        self.host_name: str = host_name
        self.fits: set[Any] = set()
        self._host = host
        self.own: Callee = Callee(signature_of(function, host_name, backend.shown))
        self._prefix = _shared_prefix(host, self.own)

    def route(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
        """The arguments for the implementation, and the names of those that were dropped."""
        shape = shape_of(args, kwargs)
        if shape in self.fits:
            return args, kwargs, []
        extra = self._extra(kwargs)
        bound = self._bind(args, {k: v for k, v in kwargs.items() if k not in extra})
        # What signatures show for an option without a default means "not given".
        withheld = [k for k, value in extra.items() if value is ... and k in self.own.keywords]
        for name in withheld:
            del extra[name]
        if self._passes(args, kwargs, bound):
            if not extra and not withheld:
                self.remember(shape)
            return args, {k: v for k, v in kwargs.items() if k not in withheld}, []
        return self._reroute(args, bound, extra)

    def remember(self, shape: object) -> None:
        """Pass calls of this shape on as they come from now on."""
        if len(self.fits) < _MOST_SHAPES:
            self.fits.add(shape)

    def _extra(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The keywords that the host does not know; the backend has to."""
        host, own = self._host, self.own
        extra = {k: v for k, v in kwargs.items() if k not in host.keywords}
        for name in list(extra):
            known = name in own.keywords and name not in host.named
            if host.var_keyword is not None and not known:
                del extra[name]  # it goes to the host's **kwargs, and is routed from there
            elif name in host.named or not (known or own.var_keyword is not None):
                raise self._unexpected(name)
        return extra

    def _unexpected(self, name: str) -> TypeError:
        if name in self._host.named:
            return TypeError(
                f"{self.host_name}() got some positional-only arguments passed as keyword "
                f"arguments: {name!r}"
            )
        known = {*self._host.keywords, *self.own.keywords}
        hint = self.whose_option(name) or did_you_mean(name, known)
        return TypeError(
            f"{self.host_name}() on backend {self.backend.shown!r} got an unexpected keyword "
            f"argument {name!r}.{hint}"
        )

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        host = self._host
        # Keys of its **kwargs may be called as its positional-only parameters are, which
        # a call allows and `bind` takes amiss.
        homonyms = {k: v for k, v in kwargs.items() if k in host.named and k not in host.keywords}
        others = {k: v for k, v in kwargs.items() if k not in homonyms}
        try:
            bound = host.signature.bind(*args, **others).arguments
        except TypeError as error:
            raise TypeError(f"{self.host_name}() {error}") from None
        if homonyms and host.var_keyword:
            bound[host.var_keyword] = {**bound.get(host.var_keyword, {}), **homonyms}
        return bound

    def _passes(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        bound: dict[str, Any],
    ) -> bool:
        """Whether the call means the same to the implementation as it stands."""
        own = self.own
        if own.takes_anything:
            return True
        if len(args) > self._prefix and not self.takes_rest():
            return False
        if not all(self._takes_as_it_is(name, bound) for name in kwargs):
            return False
        # What the host may leave out and the backend insists on has to be added.
        return not any(
            name not in bound and parameter.default is not EMPTY
            for name, parameter in self._host.named.items()
            if name in own.named and own.named[name].default is EMPTY
        )

    def _takes_as_it_is(self, keyword: str, bound: dict[str, Any]) -> bool:
        """Whether a keyword of the call reaches what it names, and nothing else."""
        if keyword in self.own.keywords:
            return keyword in self._host.keywords or keyword not in bound
        return self.own.var_keyword is not None and keyword not in self.own.named

    def _reroute(
        self, args: tuple[Any, ...], bound: dict[str, Any], extra: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], list[str]]:
        """Pass each argument by its name, in whatever way the implementation takes it."""
        host, own = self._host, self.own
        rest = bound.get(host.var_positional or "", ())
        if rest and not self.takes_rest():
            raise TypeError(
                f"{self.host_name}() on backend {self.backend.shown!r} takes no further "
                f"positional arguments: its implementation has {self.instead_of_rest()}"
            )
        named: dict[str, Any] = {}
        loose: dict[str, Any] = {}  # for the implementation's **kwargs
        dropped: list[str] = []
        for name, value, default, is_key in _given(bound, extra, host):
            if name in own.named and name not in named and not (is_key and name in host.named):
                named[name] = value
            elif own.var_keyword and name not in own.keywords and name not in loose:
                loose[name] = value
            elif not is_default(value, default):
                dropped.append(name)
        for name, parameter in own.named.items():
            theirs = host.named.get(name)
            insisted = parameter.default is EMPTY and name not in named
            if insisted and theirs is not None and theirs.default is not EMPTY:
                named[name] = theirs.default
        positional = self._positional(named, len(args), bool(rest))
        return (*positional, *rest), {**named, **loose}, dropped

    def about_dropped(self, names: list[str]) -> str:
        """A sentence that says why it does not know them, where that can be told."""
        taken = parameter_taken(self.implementation, self.backend.adapter, names)
        return "" if taken is None else f" {about_parameter(taken)}"

    def takes_rest(self) -> bool:
        """Whether the implementation takes what is bound to the host's ``*args``."""
        own = self.own
        return own.var_positional is not None and (
            self._prefix == len(own.positional) == len(self._host.positional)
        )

    def instead_of_rest(self) -> str:
        """What the implementation has where the host has its ``*args``, and it does not."""
        theirs = self._host.var_positional
        if theirs in self.own.named:
            return f"{theirs!r}, but not '*{theirs}'"
        return f"no *args where the host's *{theirs} is"

    def _positional(self, named: dict[str, Any], given: int, needed: bool) -> list[Any]:
        """Move out of `named` what goes by position: what must, and what came so and may."""
        own = self.own
        only = sum(p.kind is POSITIONAL_ONLY for p in own.named.values())
        last = 0
        for index, name in enumerate(own.positional):
            if name in named and (index < only or index < min(given, self._prefix) or needed):
                last = index + 1
        for name in own.positional[:only]:
            if name not in named and own.named[name].default is EMPTY:
                raise TypeError(
                    f"{self.host_name}() on backend {self.backend.shown!r} needs its required "
                    f"positional-only parameter {name!r}, which this call does not give"
                )
        return [
            named.pop(name) if name in named else own.named[name].default
            for name in own.positional[:last]
        ]


def shape_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    """What of a call decides whether it fits; the call path has this written out."""
    return (len(args), *kwargs) if kwargs else len(args)


def signature_of(function: Any, name: str, backend: str) -> inspect.Signature:
    """The signature of an implementation; `TypeError` if there is none to route by."""
    if not callable(function):
        raise TypeError(
            f"Backend {backend!r} exports {name!r}, which is not callable: {function!r}"
        )
    try:
        return inspect.signature(function)
    except Exception as error:
        method = about_method(function)
        if method is not None:
            raise TypeError(f"Backend {backend!r} exports {name!r}, {method}") from None
        raise TypeError(
            f"Backend {backend!r} exports {name!r}, whose signature cannot be inspected "
            f"({error}); wrap it in a function that names its parameters"
        ) from None


def is_default(value: object, default: object) -> bool:
    """Whether `value` is `default`, or equal to it beyond doubt; never raises.

    Arrays and frames compare elementwise and some objects refuse to compare; all of
    these count as different.
    """
    if default is EMPTY:
        return False
    if value is default:
        return True
    try:
        same: Any = value == default
        if same is True:
            return True
        scalar = type(same).__module__ == "numpy" and type(same).__name__ in ("bool", "bool_")
        return scalar and bool(same)
    except Exception:
        return False


def _given(
    bound: dict[str, Any], extra: dict[str, Any], host: Callee
) -> Iterator[tuple[str, Any, Any, bool]]:
    """Each argument: its name, the host's default, whether it is a key of the host's **kwargs."""
    for name, value in bound.items():
        if name in host.named:
            yield name, value, host.named[name].default, False
    loose = bound.get(host.var_keyword, {}) if host.var_keyword else {}
    for name, value in extra.items():
        yield name, value, EMPTY, False
    for name, value in loose.items():
        yield name, value, EMPTY, True


def _shared_prefix(host: Callee, own: Callee) -> int:
    """How many leading positional parameters have the same names in the same order."""
    count = 0
    for ours, theirs in zip(host.positional, own.positional, strict=False):
        if ours != theirs:
            break
        count += 1
    return count
