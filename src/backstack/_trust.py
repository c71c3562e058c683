"""Tells whether a provider is the one that the host means.

Everything here is decided from an entry point's metadata and from what the adapter's
source declares, before any of its code runs; `check_loaded` looks once more afterwards.
An adapter that passes has been named by the host; nothing that it says of itself helps.
"""

from __future__ import annotations

from types import ModuleType

from ._config import Config, TrustedBackend
from ._names import normalize_distribution
from ._records import Backend, Provider


def judge(backend: Backend, config: Config) -> None:
    """Set `trusted` or `refusal` of an installed backend by the labels that it claims."""
    provider = backend.provider
    assert provider is not None
    labels = config.trusted_labels
    claimed = list(dict.fromkeys(labels[label] for label in backend.labels if label in labels))
    if not claimed:
        backend.may_be_trusted = backend.name is None and _fits_an_entry(provider, config)
        return
    # Its own name is the claim that counts; else whichever of its labels it may have.
    if backend.name in claimed:
        claimed = [backend.name]
    refusals = []
    for name in claimed:
        mismatch = _mismatch(provider, config.trusted[name]) or _misnamed(backend, name)
        if mismatch is None:
            _accept(backend, config.trusted[name], config)
            return
        refusals.append((name, *mismatch))
    backend.refusal = refusals[0]


def _misnamed(backend: Backend, trusted: str) -> tuple[str, str] | None:
    if backend.name in (None, trusted):
        return None
    return f"an adapter named {trusted!r}", f"one named {backend.name!r}"


def _accept(backend: Backend, entry: TrustedBackend, config: Config) -> None:
    """Trust it, under the host's names for it and without those of another trusted one."""
    backend.trusted = True
    owners = config.trusted_labels
    for alias in backend.aliases:
        if owners.get(alias, entry.name) != entry.name:
            backend.problems.append(f"alias {alias!r} belongs to {owners[alias]!r}; refused")
    backend.name = entry.name
    backend.aliases = tuple(
        label
        for label in dict.fromkeys(own_labels(backend, entry.name, backend.aliases, config))
        if label != entry.name
    )


def _fits_an_entry(provider: Provider, config: Config) -> bool:
    """Whether a provider that does not tell its name fits some entry that asks for anything."""
    return any(
        _mismatch(provider, entry) is None
        for entry in config.trusted.values()
        if entry.distributions or entry.entrypoints or entry.object_refs or entry.module_prefixes
    )


def check_loaded(
    backend: Backend, adapter: object, name: str, aliases: tuple[str, ...], config: Config
) -> tuple[str, str, str] | None:
    """Look once more at an adapter that has run: None, or why to refuse it after all."""
    assert backend.provider is not None
    labels = config.trusted_labels
    listed = backend.trusted or backend.may_be_trusted
    backend.may_be_trusted = False
    if listed and (backend.name or name) in config.trusted:
        entry = config.trusted[backend.name or name]
        # One that kept its labels to itself is only now known to mean this entry.
        mismatch = _mismatch(backend.provider, entry) or _misplaced(adapter, name, entry)
        backend.trusted = mismatch is None
        return None if mismatch is None else (entry.name, *mismatch)
    backend.trusted = False
    claimed = next((labels[label] for label in (name, *aliases) if label in labels), None)
    if claimed is None:
        return None
    mismatch = _mismatch(backend.provider, config.trusted[claimed])
    told_late = f"one named {name!r} that says so only once it runs"
    return claimed, *(mismatch or (f"a provider that tells its name {claimed!r}", told_late))


def own_labels(
    backend: Backend, name: str, labels: tuple[str, ...], config: Config
) -> tuple[str, ...]:
    """`labels` as trust has them: the host's own added, those of other trusted ones left out."""
    if not backend.trusted:
        return labels
    owners = config.trusted_labels
    kept = [label for label in labels if owners.get(label, name) == name]
    return (*kept, *config.trusted[name].aliases)


def _misplaced(adapter: object, name: str, entry: TrustedBackend) -> tuple[str, str] | None:
    """What is wrong with a trusted backend's adapter itself."""
    if name != entry.name:
        return f"an adapter named {entry.name!r}", f"one named {name!r}"
    module = adapter_module(adapter)
    if entry.module_prefixes and not _has_prefix(module, entry.module_prefixes):
        return f"an adapter from {_either(entry.module_prefixes)}", f"one from {module!r}"
    return None


def adapter_module(adapter: object) -> str:
    """A module's own name, else that of the module of its class."""
    return str(adapter.__name__ if isinstance(adapter, ModuleType) else type(adapter).__module__)


def _mismatch(provider: Provider, entry: TrustedBackend) -> tuple[str, str] | None:
    """What the host expects and what it found, where they differ; every field must match."""
    distribution = provider.distribution
    normalized = normalize_distribution(distribution) if distribution else None
    fields = [
        ("distribution", entry.distributions, normalized in entry.distributions, distribution),
        (
            "entry point",
            entry.entrypoints,
            not set(provider.entry_names).isdisjoint(entry.entrypoints),
            ", ".join(provider.entry_names),
        ),
        (
            "object reference",
            tuple("".join(ref.split()) for ref in entry.object_refs),
            provider.object_ref in ["".join(ref.split()) for ref in entry.object_refs],
            provider.object_ref,
        ),
        (
            "module prefix",
            entry.module_prefixes,
            _has_prefix(provider.module, entry.module_prefixes),
            provider.module,
        ),
    ]
    wrong = [
        (f"{field} {_either(wanted)}", f"{field} {found!r}")
        for field, wanted, fits, found in fields
        if wanted and not fits
    ]
    if not wrong:
        return None
    return ", ".join(expected for expected, _ in wrong), ", ".join(found for _, found in wrong)


def _has_prefix(module: str, prefixes: tuple[str, ...]) -> bool:
    """Whether `module` is, or is inside, one of `prefixes`, by whole components."""
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def _either(wanted: tuple[str, ...]) -> str:
    return " or ".join(map(repr, wanted))
