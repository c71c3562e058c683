"""What a host configures: checked at once, copied, and never changed afterwards."""

import os
import re
from collections.abc import Iterable, Mapping
from types import EllipsisType, MappingProxyType
from typing import Any, Literal, NamedTuple

from ._names import did_you_mean, label_problem, normalize_distribution

OnMissing = Literal["warn", "host", "error"]
Trust = Literal["warn", "require"]

ON_MISSING: tuple[OnMissing, ...] = ("warn", "host", "error")
TRUST: tuple[Trust, ...] = ("warn", "require")  # from the loosest to the strictest

#: Each list-valued field, the other names that it goes by, and those that take one string.
_LISTS = {
    "distributions": (("distributions", "packages"), ("distribution",)),
    "entrypoints": (("entrypoints",), ("entrypoint",)),
    "object_refs": (("object_refs",), ("object_ref",)),
    "module_prefixes": (("module_prefixes",), ("module_prefix",)),
}
#: What else can be told of these at once, since nothing of another shape is ever installed.
_SHAPES = {
    "distributions": (
        r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?",
        "the name of a distribution alone, without versions and extras",
    ),
    "object_refs": (
        r"[\w.]+(?:\s*:\s*[\w.]+)?",
        "MODULE or MODULE:ATTRIBUTE, as in an entry point",
    ),
    "module_prefixes": (r"\w+(?:\.\w+)*", "the name of a module"),
}
_TEXTS = ("package", "install")
_FIELDS = frozenset(
    {"aliases", *_TEXTS}.union(*(many + single for many, single in _LISTS.values()))
)


class TrustedBackend(NamedTuple):
    """A backend that the host knows, and what its provider must look like.

    An empty tuple means that the host does not care about that field.
    """

    name: str
    aliases: tuple[str, ...] = ()
    package: str | None = None
    install: str | None = None
    distributions: tuple[str, ...] = ()
    entrypoints: tuple[str, ...] = ()
    object_refs: tuple[str, ...] = ()
    module_prefixes: tuple[str, ...] = ()

    @property
    def install_hint(self) -> str | None:
        """What a person types to get it."""
        if self.install is not None:
            return self.install
        package = self.package or (self.distributions[0] if self.distributions else None)
        return f"pip install {package}" if package else None


class Config(NamedTuple):
    """The whole of a host's configuration; `trusted_labels` has each name for each label."""

    group: str
    host: str
    trusted: Mapping[str, TrustedBackend]
    reserved: Mapping[str, str]
    on_missing: str
    trust: str
    keyword: str
    variable: str | None
    trust_variable: str
    trusted_labels: Mapping[str, str]


def make_config(
    *,
    entrypoint_group: str,
    host_name: str,
    trusted_backends: Mapping[str, Mapping[str, Any]] | None,
    reserved_backends: Mapping[str, str] | None,
    on_missing: str,
    trust: str,
    keyword: str,
    env_var: str | EllipsisType | None,
) -> Config:
    """Check everything that a host passes to its dispatcher; `ValueError` for a mistake."""
    group = _text(entrypoint_group, "entrypoint_group")
    host = _text(host_name, "host_name")
    default = default_variable(host)
    variable = (
        env_var if env_var is None else default if env_var is ... else _text(env_var, "env_var")
    )
    reserved = _reserved(reserved_backends)
    trusted = _trusted(trusted_backends, reserved)
    labels = {label: name for name, b in trusted.items() for label in (name, *b.aliases)}
    return Config(
        group=group,
        host=host,
        trusted=MappingProxyType(trusted),
        reserved=MappingProxyType(reserved),
        on_missing=check_option(on_missing, ON_MISSING, "on_missing"),
        trust=check_option(trust, TRUST, "trust"),
        keyword=check_keyword(keyword),
        variable=variable,
        # Turning the selector's variable off must not turn off the operator's lock.
        trust_variable=f"{variable or default}_TRUST",
        trusted_labels=MappingProxyType(labels),
    )


def default_variable(host: str) -> str:
    """The environment variable that chooses a host's backend."""
    return re.sub("[^A-Z0-9]", "_", host.upper()) + "_BACKEND"


def variable_labels(variable: str | None) -> tuple[str, ...]:
    """The preferences that an environment variable lists; none when unset or empty."""
    value = os.environ.get(variable, "") if variable else ""
    return tuple(dict.fromkeys(label for part in value.split(",") if (label := part.strip())))


def check_option(value: object, allowed: tuple[str, ...], field: str) -> str:
    """`value`, if it is one of `allowed`."""
    if isinstance(value, str) and value in allowed:
        return value
    hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
    choices = ", ".join(map(repr, allowed))
    raise ValueError(f"{field} must be one of {choices}, not {value!r}.{hint}")


def check_keyword(keyword: object) -> str:
    """`keyword`, if a call can carry the selector under that name."""
    from keyword import iskeyword

    if isinstance(keyword, str) and keyword.isidentifier() and not iskeyword(keyword):
        return keyword
    raise ValueError(f"keyword must be the name of a parameter, not {keyword!r}")


def _text(value: object, field: str) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError(f"{field} must be a non-empty string, not {value!r}")


def _mapping(value: object, field: str) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"{field} must be a mapping, not {value!r}")


def _reserved(reserved: Mapping[str, str] | None) -> dict[str, str]:
    checked = {}
    for label, reason in _mapping(
        {} if reserved is None else reserved, "reserved_backends"
    ).items():
        problem = label_problem(label)
        if problem:
            raise ValueError(f"reserved_backends: {problem}")
        checked[label] = _text(reason, f"reserved_backends[{label!r}]: the reason")
    return checked


def _trusted(
    trusted: Mapping[str, Mapping[str, Any]] | None, reserved: Mapping[str, str]
) -> dict[str, TrustedBackend]:
    checked: dict[str, TrustedBackend] = {}
    claimed: dict[str, str] = {}
    for name, fields in _mapping({} if trusted is None else trusted, "trusted_backends").items():
        where = f"trusted_backends[{name!r}]"
        problem = label_problem(name)
        if problem:
            raise ValueError(f"{where}: {problem}")
        checked[name] = _entry(name, _mapping(fields, where), where)
    for name, backend in checked.items():
        for label, field in ((name, ""), *((alias, " aliases:") for alias in backend.aliases)):
            where = f"trusted_backends[{name!r}]{field or ':'}"
            if label in reserved:
                raise ValueError(f"{where} {label!r} is reserved by reserved_backends")
            if claimed.get(label) == name:
                raise ValueError(f"{where} {label!r} is there twice, or is the name itself")
            if label in claimed:
                raise ValueError(
                    f"{where} {label!r} is claimed twice, by {claimed[label]!r} and by {name!r}"
                )
            claimed[label] = name
    return checked


def _entry(name: str, fields: Mapping[Any, Any], where: str) -> TrustedBackend:
    for field in fields:
        if field not in _FIELDS:
            hint = did_you_mean(field, _FIELDS) if isinstance(field, str) else ""
            raise ValueError(f"{where}: unknown field {field!r}.{hint}")
    aliases = _aliases(fields.get("aliases", ()), f"{where}['aliases']")
    package, install = (
        _text(fields[field], f"{where}[{field!r}]") if field in fields else None for field in _TEXTS
    )
    lists = {
        field: _gathered(fields, many, single, where) for field, (many, single) in _LISTS.items()
    }
    if not lists["distributions"] and package is not None:
        lists["distributions"] = (package,)
    for field, (shape, wanted) in _SHAPES.items():
        for value in lists[field]:
            if not re.fullmatch(shape, value):  # compiled for hosts that have such a field
                raise ValueError(f"{where}: nothing can match {value!r}, which is not {wanted}")
    lists["distributions"] = tuple(map(normalize_distribution, lists["distributions"]))
    return TrustedBackend(name, aliases, package, install, **lists)


def _aliases(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ValueError(f"{where} must be a list, tuple or set of names, not {value!r}")
    for alias in value:
        problem = label_problem(alias)
        if problem:
            raise ValueError(f"{where}: {problem}")
    return _sequence(value)


def _gathered(
    fields: Mapping[str, Any], many: tuple[str, ...], single: tuple[str, ...], where: str
) -> tuple[str, ...]:
    """One list-valued field, under all the names by which it may be given."""
    values: list[str] = []
    for field in many:
        if field in fields:
            values += _strings(fields[field], f"{where}[{field!r}]")
    for field in single:
        if field in fields:
            values.append(_text(fields[field], f"{where}[{field!r}]"))
    return tuple(values)


def _strings(value: object, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (_text(value, where),)
    if not isinstance(value, (list, tuple, set, frozenset)) or not value:
        raise ValueError(
            f"{where} must be a string or a non-empty list, tuple or set of strings, not {value!r}"
        )
    return tuple(_text(item, f"{where}: each item") for item in _sequence(value))


def _sequence(value: Iterable[Any]) -> tuple[Any, ...]:
    """A tuple in the order given; for a set, in an order that every process shares."""
    return tuple(sorted(value, key=repr)) if isinstance(value, (set, frozenset)) else tuple(value)
