"""Random signatures on both sides, random calls: what arrives is what the table says, by name."""

import inspect
import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from backstack import DroppedArgumentWarning

NAMES = ["a", "b", "c", "d"]
ONLY, EITHER, REST, KEYWORD, LOOSE = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
    inspect.Parameter.KEYWORD_ONLY,
    inspect.Parameter.VAR_KEYWORD,
)


@dataclass(frozen=True)
class Mark:
    """A value that equals its like, so that equal and same are told apart."""

    text: str


@dataclass
class Function:
    """A random signature: its named parameters in order, and the names of its catch-alls."""

    side: str
    named: dict[str, object] = field(default_factory=dict)  # to their kinds
    optional: set[str] = field(default_factory=set)
    rest: str | None = None
    loose: str | None = None

    def default(self, name):
        return Mark(f"{self.side}'s default of {name}")

    def names(self, *kinds):
        return [name for name, kind in self.named.items() if kind in kinds]

    def source(self):
        def shown(kind):
            return [f"{n}=D[{n!r}]" if n in self.optional else n for n in self.names(kind)]

        parts = [*shown(ONLY), *(["/"] if self.names(ONLY) else []), *shown(EITHER)]
        if self.rest:
            parts.append(f"*{self.rest}")
        elif self.names(KEYWORD):
            parts.append("*")
        parts += shown(KEYWORD)
        if self.loose:
            parts.append(f"**{self.loose}")
        return f"def f({', '.join(parts)}): return dict(locals())"

    def compiled(self):
        """A real function that returns what it received, by name."""
        space = {"D": {name: self.default(name) for name in self.named}, "__name__": __name__}
        exec(self.source(), space)
        return space["f"]


@st.composite
def functions(draw, side, like=None):
    """Any function; or one with the first parameters of another, and perhaps more."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=3))
    if like is not None and draw(st.booleans()):
        names = list(dict.fromkeys([*like.named, *names]))[: draw(st.integers(1, 4))]
    kinds = sorted(draw(st.sampled_from([ONLY, EITHER, EITHER, KEYWORD])) for _ in names)
    function = Function(side, dict(zip(names, kinds, strict=True)))
    positional = function.names(ONLY, EITHER)
    required = draw(st.integers(0, len(positional)))
    function.optional = {*positional[required:]}
    function.optional |= {name for name in function.names(KEYWORD) if draw(st.booleans())}
    function.rest = draw(st.sampled_from([None, "rest"]))
    function.loose = draw(st.sampled_from([None, "loose"]))
    return function


@st.composite
def calls(draw, host, own):
    """Mostly valid calls: positional arguments, then keywords in any order."""
    positional = host.names(ONLY, EITHER)
    most = len(positional) + (2 if host.rest else 0)
    least = len([name for name in host.names(ONLY) if name not in host.optional])
    count = draw(st.integers(min(least, most), most))
    count = draw(st.sampled_from([count] * 9 + [most + 1]))
    values = st.sampled_from(["plain", "host's", "own", "equal"])

    def value(name):
        kind = draw(values)
        if kind == "host's" and name in host.named:
            return Mark(f"host's default of {name}")
        if kind == "own" and name in own.named:
            return Mark(f"own's default of {name}")
        return Mark(f"given {name} {draw(st.integers(0, 1))}")

    args = [value(name) for name in [*positional, "more", "more", "more"][:count]]
    needed = [
        name
        for name in host.names(EITHER, KEYWORD)
        if name not in positional[:count] and name not in host.optional
    ]
    candidates = [name for name in host.names(EITHER, KEYWORD) if name not in positional[:count]]
    candidates += [name for name in own.named if name not in host.named]
    candidates += host.names(ONLY)[:count] if host.loose else []
    candidates += draw(st.sampled_from([[], [*NAMES, "rest", "loose", "unknown"]]))
    chosen = draw(st.lists(st.sampled_from(candidates or ["unknown"]), unique=True, max_size=4))
    keywords = [*needed, *chosen] if draw(st.integers(0, 9)) else chosen
    keywords = draw(st.permutations(list(dict.fromkeys(keywords))))
    return tuple(args), {name: value(name) for name in keywords}


class Rejected(Exception):
    """The call is a `TypeError`."""


def expected(host, own, args, kwargs):
    """What the backend's function must receive by name, and what must be dropped loudly."""
    if not own.named and own.rest and own.loose:
        sent, _ = split(host, own, kwargs)
        bind(host, args, sent)
        return {own.rest: args, own.loose: kwargs}, set()
    sent, options = split(host, own, kwargs)
    bound = bind(host, args, sent)
    rest = bound.pop(host.rest, ()) if host.rest else ()
    loose = bound.pop(host.loose, {}) if host.loose else {}
    given = {name: v for name, v in bound.items() if name in names_given(host, args, sent)}
    received, spare, dropped = {}, {}, set()
    for source, default in ((given, host.default), (loose, None), (options, None)):
        for name, v in source.items():
            if name in own.named and name not in received:
                received[name] = v
            elif own.loose and name not in own.names(EITHER, KEYWORD) and name not in spare:
                spare[name] = v
            elif default is None or name not in host.optional or v != default(name):
                dropped.add(name)
    if rest and not (own.rest and own.names(ONLY, EITHER) == host.names(ONLY, EITHER)):
        raise Rejected("nothing takes the further positional arguments")
    for name in own.named:
        if name in received:
            continue
        if name in own.optional:
            received[name] = own.default(name)
        elif name in host.optional:
            received[name] = host.default(name)
        else:
            raise Rejected(f"nobody gives {name}")
    if own.rest:
        received[own.rest] = rest
    if own.loose:
        received[own.loose] = spare
    return received, dropped


def split(host, own, kwargs):
    """The keywords that the host's signature is to bind, and those that only the backend has."""
    sent, options = {}, {}
    for name, value in kwargs.items():
        if name in host.names(EITHER, KEYWORD):
            sent[name] = value
        elif name in own.names(EITHER, KEYWORD) and name not in host.named:
            options[name] = value
        elif host.loose:
            sent[name] = value
        elif name in host.named:
            raise Rejected(f"{name} goes by position")
        elif own.loose:
            options[name] = value
        else:
            raise Rejected(f"nobody knows {name}")
    return sent, options


def bind(host, args, kwargs):
    """What Python itself makes of the call."""
    try:
        return host.compiled()(*args, **kwargs)
    except TypeError as error:
        raise Rejected(str(error)) from None


def names_given(host, args, kwargs):
    positional = host.names(ONLY, EITHER)
    return {*positional[: len(args)], *(n for n in kwargs if n in host.names(EITHER, KEYWORD))}


def goes_by_position_alone(host, own, args, kwargs):
    """Whether a keyword names a positional-only parameter that nothing else fills.

    One of the backend's alone, or one of the host's that was omitted: `test_routing` has these.
    """
    omitted = host.names(ONLY)[len(args) :]
    alone = [name for name in own.names(ONLY) if name not in host.named]
    return any(name in kwargs for name in (*omitted, *alone))


@pytest.fixture(scope="module")
def dispatcher():
    from backstack import BackendDispatcher

    return BackendDispatcher(entrypoint_group="nobody.backends", host_name="host", env_var=None)


def outcome(f, args, kwargs, **selector):
    """What came of a call: what was received and what was dropped, or the error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            received = f(*args, **kwargs, **selector)
        except TypeError:
            return "TypeError"
    dropped = set()
    for warning in caught:
        assert warning.category is DroppedArgumentWarning
        assert warning.filename == __file__
        dropped |= {
            name
            for name in (*NAMES, "rest", "loose", "unknown")
            if f"'{name}'" in str(warning.message)
        }
    return received, dropped


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_arrives_is_what_the_table_says(dispatcher, data):
    host = data.draw(functions("host"), label="host")
    own = data.draw(functions("own", host), label="own")
    sequence = data.draw(st.lists(calls(host, own), min_size=1, max_size=3), label="calls")
    f = dispatcher.backend_dispatch(host.compiled())
    with dispatcher.register(SimpleNamespace(name="jax", f=own.compiled())):
        for args, kwargs in [*sequence, *sequence]:  # the second time, shapes are known
            if goes_by_position_alone(host, own, args, kwargs):
                continue
            try:
                wanted = expected(host, own, args, kwargs)
            except Rejected:
                wanted = "TypeError"
            event("rejected" if wanted == "TypeError" else "received")
            shown = f"host: {host.source()}\nown: {own.source()}\ncall: {args} {kwargs}"
            assert outcome(f, args, kwargs, backend="jax") == wanted, shown
            with dispatcher.backend("jax"):
                assert outcome(f, args, kwargs) == wanted, shown


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_host_receives_what_the_caller_gave(dispatcher, data):
    host = data.draw(functions("host"), label="host")
    own = data.draw(functions("own", host), label="own")
    args, kwargs = data.draw(calls(host, own), label="call")
    plain = host.compiled()
    f = dispatcher.backend_dispatch(plain)
    with dispatcher.register(SimpleNamespace(name="jax", f=own.compiled())):
        known = {
            n: v
            for n, v in kwargs.items()
            if host.loose or n in host.named or not at_default(own, n, v)
        }
        wanted = outcome(plain, args, known)
        assert outcome(f, args, kwargs) == wanted
        assert outcome(f, args, kwargs, backend="cpu") == wanted


def at_default(own, name, value):
    return (
        name in own.names(EITHER, KEYWORD) and name in own.optional and value == own.default(name)
    )


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_shown_signature_accepts_what_can_be_called(dispatcher, data):
    host = data.draw(functions("host"), label="host")
    own = data.draw(functions("own", host), label="own")
    f = dispatcher.backend_dispatch(host.compiled())
    with dispatcher.register(SimpleNamespace(name="jax", f=own.compiled())):
        shown = inspect.signature(f).parameters
    own_names = [
        n
        for n in own.names(EITHER, KEYWORD)
        if n not in host.named and n not in (host.rest, host.loose)
    ]
    names = [*host.names(ONLY, EITHER), *([host.rest] if host.rest else []), *host.names(KEYWORD)]
    assert list(shown) == [*names, *own_names, "backend", *([host.loose] if host.loose else [])]
    for name in own_names:
        default = own.default(name) if name in own.optional else ...
        assert (shown[name].kind, shown[name].default) == (KEYWORD, default)
    assert list(inspect.signature(f).parameters) == [n for n in shown if n not in own_names]
