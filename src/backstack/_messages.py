"""The errors of choosing a backend: what was asked, by whom, what is there, what to do."""

from collections.abc import Iterable
from typing import Any

from . import errors
from ._choices import Origin
from ._config import Config
from ._names import CPU, did_you_mean, nearest, shown
from ._records import Backend


def asked(label: str, name: str | None) -> str:
    """A label, and the canonical name that it stands for where they differ."""
    return repr(label) if name is None or name == label else f"{label!r} ({name!r})"


def _data(
    config: Config, label: str | None, name: str | None, origin: Origin | None
) -> dict[str, Any]:
    return {
        "host": config.host,
        "label": label,
        "name": name,
        "chosen_by": origin and origin.kind,
        "variable": origin.detail if origin and origin.kind == "variable" else None,
    }


def _by(origin: Origin | None) -> str:
    return f" (asked for by {origin})" if origin else ""


_WANTED = {
    "call": "one name; lists of preferences go into a scope or the setting",
    "scope": "names, each an argument of its own, as in backend('a', 'b')",
    "setting": "a name, a list of names in order of preference, or None",
    "query": "one name",
}
_SEPARATORS = frozenset(",;| ")  # which no name has


def bad_selector(config: Config, value: object, origin: Origin) -> Exception:
    """Something that is no name at all."""
    return errors.BackendNameError(
        f"{shown(value)} is no backend name for {config.host}: {origin} takes "
        f"{_WANTED[origin.kind]}.",
        value=shown(value),
        **_data(config, None, None, origin),
    )


def unknown(
    config: Config, label: str, origin: Origin, usable: Iterable[str], others: Iterable[str]
) -> Exception:
    """Nobody has that label; `others` are there, and cannot be used just now."""
    known = (CPU, *usable)
    there = {*known, *others}
    meant = _probably_meant(label, {*there, *config.trusted_labels})
    if not _SEPARATORS.isdisjoint(label):
        hint = _no_list(origin)
    elif meant is not None:
        hint = f" Did you mean {meant!r}{'' if meant in there else ', which is not installed'}?"
    else:
        hint = ""
    return errors.UnknownBackendError(
        f"Unknown backend {label!r} for {config.host}{_by(origin)}.{hint} "
        f"Available: {', '.join(known)}.",
        suggestion=meant,
        available=known,
        **_data(config, label, None, origin),
    )


def _probably_meant(label: str, guesses: Iterable[str]) -> str | None:
    if not _SEPARATORS.isdisjoint(label):
        return None  # it is several
    found = nearest(label, guesses)
    is_opposite = found == CPU and label.lower() == "gpu"  # one letter off
    return None if is_opposite else found


def _no_list(origin: Origin) -> str:
    """How several names are given there."""
    if origin.kind == "variable":
        return " Commas separate several names."
    return f" One string is one name: {origin} takes {_WANTED[origin.kind]}."


def not_installed(config: Config, label: str, origin: Origin) -> Exception:
    """The host lists it, and nobody provides it."""
    name = config.trusted_labels[label]
    entry = config.trusted[name]
    remedy = f" To install it: {entry.install_hint}" if entry.install_hint else ""
    return errors.BackendNotInstalledError(
        f"Backend {asked(label, name)} for {config.host} is not installed{_by(origin)}.{remedy}",
        package=entry.package,
        install=entry.install_hint,
        **_data(config, label, name, origin),
    )


def reserved(config: Config, label: str, origin: Origin) -> Exception:
    """The host keeps that label for itself."""
    reason = config.reserved[label]
    return errors.ReservedBackendError(
        f"Backend name {label!r} is reserved by {config.host}{_by(origin)}: {reason}",
        reason=reason,
        **_data(config, label, None, origin),
    )


def load_failed(
    config: Config,
    backend: Backend,
    reason: str,
    label: str | None = None,
    origin: Origin | None = None,
) -> errors.BackendLoadError:
    """Its import failed, or it cannot be registered."""
    if backend.provider is None:
        what = f"The adapter registered by hand for {config.host}"
    else:
        label = label or backend.shown
        what = f"Backend {asked(label, backend.name)} for {config.host}, from {backend.provider},"
    return errors.BackendLoadError(
        f"{what} failed to load{_by(origin)}: {reason}",
        reason=reason,
        **_data(config, label, backend.name, origin),
    )


def unreadable(
    config: Config, backend: Backend, function: str, reason: str, label: str, origin: Origin
) -> errors.BackendLoadError:
    """One function of it cannot be read."""
    return errors.BackendLoadError(
        f"Function {function!r} of backend {asked(label, backend.name)} for {config.host} failed "
        f"to load{_by(origin)}: {reason}",
        reason=reason,
        function=function,
        **_data(config, label, backend.name, origin),
    )


def unavailable(
    config: Config, backend: Backend, reason: str, label: str, origin: Origin
) -> Exception:
    """It says that it cannot run here."""
    return errors.BackendUnavailableError(
        f"Backend {asked(label, backend.name)} for {config.host} is not available "
        f"here{_by(origin)}: {reason}",
        reason=reason,
        **_data(config, label, backend.name, origin),
    )


def untrusted(
    config: Config, backend: Backend, label: str | None = None, origin: Origin | None = None
) -> Exception:
    """It is not who the host trusts, or the host lists nobody like it and only takes the listed."""
    label = label or backend.shown
    if backend.refusal is None:
        return errors.UntrustedBackendError(
            f"Refusing backend {asked(label, backend.name)} for {config.host}{_by(origin)}: "
            f"{unlisted_reason(config)}. It is {backend.shown_provider}.",
            expected="a backend that the host lists",
            found=backend.shown_provider,
            **_data(config, label, backend.name, origin),
        )
    name, expected, found = backend.refusal
    hint = config.trusted[name].install_hint
    remedy = f" To install the one that {config.host} trusts: {hint}" if hint else ""
    return errors.UntrustedBackendError(
        f"Refusing trusted backend {asked(label, name)} for {config.host}{_by(origin)}: expected "
        f"{expected}; found {found}, in {backend.shown_provider}.{remedy}",
        expected=expected,
        found=found,
        **_data(config, label, name, origin),
    )


def in_short(error: errors.BackendError) -> str:
    """Why a preference was passed over, in half a line."""
    reason = getattr(error, "reason", "") or "not installed"
    return f"{error.label!r} was passed over ({reason})"


def unlisted_reason(config: Config) -> str:
    """Why an unlisted backend is refused."""
    return f"{config.host} does not list it as trusted, and trust is 'require'"


def not_implemented(
    config: Config,
    function: str,
    keyword: str,
    backend: Backend,
    how: str,
    label: str,
    origin: Origin,
) -> Exception:
    """It lacks the function, and falling back is forbidden."""
    return errors.NotImplementedByBackendError(
        f"Backend {asked(label, backend.name)} {how} {config.host}'s {function}(){_by(origin)}, "
        "and on_missing='error' forbids falling back. To run the host's own: "
        f"{keyword}={CPU!r}, or on_missing='warn' or 'host'.",
        function=function,
        **_data(config, label, backend.name, origin),
    )


def not_dispatched(host: str, function: object, known: Iterable[str]) -> str:
    """What was given is no function of this host."""
    if isinstance(function, str):
        return f"{host} dispatches no function {function!r}.{did_you_mean(function, known)}"
    if isinstance(function, type):
        return (
            f"{host} does not dispatch {shown(function)}; give one of its dispatched classes. A "
            "subclass of one constructs as any class does, unless it is marked as well."
        )
    if callable(function):
        return f"{host} does not dispatch {shown(function)}; give one of its dispatched functions."
    return (
        f"{host} does not dispatch {type(function).__name__!r} objects; give one of its "
        "dispatched functions, and not what it returned."
    )


def fell_back(
    config: Config, function: str, backend: Backend, how: str, label: str, origin: Origin
) -> str:
    """The text of the warning that the host's own implementation runs instead."""
    return (
        f"Backend {asked(label, backend.name)}, asked for by {origin}, {how} {config.host}'s "
        f"{function}(); running the host's own."
    )


#: What to do about that warning.
REMEDY = " settings.on_missing = 'host' silences this, 'error' forbids it."
