"""What may be a backend's name, and which name was probably meant."""

import re
from collections.abc import Collection, Iterable

CPU = "cpu"  # always the host's own implementation

#: What an adapter says of itself; never the names of functions.
ADAPTER_FIELDS = frozenset({"name", "aliases", "is_available"})

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?")


def shown(value: object) -> str:
    """The `repr` of a foreign object, which may itself fail."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__} object>"


def plain(text: str) -> str:
    """A string without whatever a subclass of `str` makes of comparing and hashing."""
    return str.__str__(text)


def exported_name(public: object, name: object, shown: str, decorator: str) -> str:
    """What backends export `public` as: `name`, or its own; `ValueError` if that is no name."""
    name = getattr(public, "__name__", None) if name is None else name
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(
            f"{shown} has no name to be dispatched under ({name!r} is none); "
            f"give one: @{decorator}(name='...')."
        )
    if name.startswith("__") and name.endswith("__"):
        raise ValueError(
            f"{name!r} means something to Python; dispatch {shown} under another name: "
            f"@{decorator}(name='...')."
        )
    if name in ADAPTER_FIELDS:
        raise ValueError(
            f"{name!r} is what an adapter says of itself; dispatch {shown} under another name: "
            f"@{decorator}(name='...')."
        )
    return name


def label_problem(label: object) -> str | None:
    """Why `label` cannot name a backend; None if it can."""
    if not isinstance(label, str):
        return f"{shown(label)} is not a string"
    label = plain(label)
    if label == CPU:
        return f"{CPU!r} is the host's own"
    if not _LABEL.fullmatch(label):
        start = label if len(label) <= 140 else label[:137] + "..."
        return (
            f"{start!r} is no valid name (1 to 128 ASCII letters, digits, '.', '_' or '-'; "
            "first a letter or digit, last not '.' or '-')"
        )
    return None


def usable_aliases(value: object, reserved: Collection[str]) -> tuple[tuple[str, ...], list[str]]:
    """The aliases that an adapter may have, and what is wrong with the others."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        return (), [f"aliases must be a list, tuple or set of names, not {shown(value)}; refused"]
    ordered = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
    usable, problems = [], []
    for alias in ordered:
        problem = label_problem(alias)
        if problem is None and alias in reserved:
            problem = f"{alias!r} is reserved by the host"
        if problem is None:
            usable.append(plain(alias))
        else:
            problems.append(f"alias {problem}; refused")
    return tuple(dict.fromkeys(usable)), problems


def normalize_distribution(name: str) -> str:
    """`name` as PEP 503 compares distributions."""
    return re.sub(r"[-_.]+", "-", name).lower()


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of `known` that was probably meant by `name`, whatever its case."""
    import difflib

    folded: dict[str, str] = {}
    for candidate in sorted(known):
        folded.setdefault(candidate.lower(), candidate)
    match = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=cutoff)
    return folded[match[0]] if match else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence to append to a message, or nothing."""
    found = nearest(name, known)
    return f" Did you mean {found!r}?" if found is not None else ""
