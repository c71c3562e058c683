"""The docstring that a dispatched function shows: the host's, with entries put in.

Nothing is rendered anew. Entries are inserted as text, at the docstring's own
indentation, and every other byte stays. Where sections begin is decided as numpydoc
decides it; numpydoc itself parses the backends' docstrings, for the text of an entry.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ._options import loaded_options
from ._plans import HostFunction

_SECTIONS = (
    "Parameters", "Attributes", "Methods", "Returns", "Yields", "Receives", "Other Parameters",
    "Raises", "Warns", "Warnings", "See Also", "Notes", "References", "Examples",
)  # fmt: skip
#: *Other Parameters* comes behind the last of these.
_BEFORE_OPTIONS = ("Parameters", "Returns", "Yields", "Receives")


class Section(NamedTuple):
    """Where a section stands: its title's line, and the line behind its last text."""

    title: str
    start: int
    end: int
    indent: str


def merged_docstring(route: HostFunction, text: Any) -> Any:
    """`text` with an entry for the selector, and one for each option of a loaded backend.

    A docstring without *Parameters*, or one that numpydoc could not read, stays as it is.
    """
    if not isinstance(text, str) or _sections(text) is None:
        return text
    text = _insert(text, "Parameters", {route.keyword: _selector_entry(route)})
    return _insert(text, "Other Parameters", _option_entries(route))


def _selector_entry(route: HostFunction) -> list[str]:
    host = route.registry.config.host
    return [
        f"{route.keyword} : str, optional",
        f"\tThe backend of {host} that runs this call. By default the one in force: the",
        "\tinnermost scope's, else the process-wide setting's, else the host's own (``'cpu'``).",
    ]


def _option_entries(route: HostFunction) -> dict[str, list[str]]:
    """Under each option's name, the lines of its entry; backends that share it share that."""
    found: dict[str, list[tuple[str, Any, inspect.Parameter]]] = {}
    for option in loaded_options(route):
        found.setdefault(option[2].name, []).append(option)
    return {name: _entry(name, options) for name, options in found.items()}


def _entry(name: str, options: list[tuple[str, Any, inspect.Parameter]]) -> list[str]:
    backends = ", ".join(backend for backend, _, _ in options)
    kind = ""
    lines: list[str] = []
    for _, function, parameter in options:
        documented_kind, documented = _documented(function, name)
        kind = kind or documented_kind or _annotation(parameter)
        lines = lines or documented
    header = f"{name} ({backends})"
    return [f"{header} : {kind}" if kind else header, *(f"\t{line}".rstrip() for line in lines)]


def _annotation(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return ""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _documented(function: Callable[..., Any], name: str) -> tuple[str, list[str]]:
    """The type and the text that a backend's own docstring has for a parameter."""
    text = inspect.getdoc(function)
    if not text or name not in text:
        return "", []
    try:
        parsed = _parse(text)
    except Exception:  # a backend's malformed docstring is no reason to fail
        return "", []
    for parameter in (*parsed["Parameters"], *parsed["Other Parameters"]):
        if name in (part.strip() for part in parameter.name.split(",")):
            return parameter.type, list(parameter.desc)
    return "", []


def _parse(text: str) -> Any:
    from numpydoc.docscrape import NumpyDocString

    class Quiet(NumpyDocString):  # type: ignore[misc]
        """Does not warn of what is not ours to mend."""

        def _error_location(self, msg: str, error: bool = True) -> None:
            if error:
                raise ValueError(msg)

    return Quiet(text)


def _insert(text: str, title: str, entries: dict[str, list[str]]) -> str:
    """`text` with the entries that it lacks at the end of the section called `title`."""
    carriage = "\r" if "\r\n" in text else ""
    lines = text.split("\n")
    sections = _sections(text) or []
    section = next((s for s in sections if s.title == title), None)
    present = set(_names(lines, section)) if section else set()
    missing = [entry for name, entry in entries.items() if name not in present]
    if not missing:
        return text
    anchor = section or max((s for s in sections if s.title in _BEFORE_OPTIONS), key=_position)
    step = "\t" if "\t" in anchor.indent else "    "
    added = [
        anchor.indent + line.replace("\t", step, 1) if line else ""
        for entry in missing
        for line in entry
    ]
    if section is None:
        added = ["", anchor.indent + title, anchor.indent + "-" * len(title), *added]
    lines[anchor.end : anchor.end] = [line + carriage for line in added]
    return "\n".join(lines)


def _position(section: Section) -> int:
    return section.end


def _names(lines: list[str], section: Section) -> Iterator[str]:
    """The parameters that a section describes, without the backends' names behind them."""
    for line in lines[section.start + 2 : section.end]:
        if line.strip() and not line[len(section.indent) :][:1].isspace():
            header = re.split(r"\s:(?:\s|$)", line.strip())[0]
            for name in re.sub(r"\(.*\)", "", header).split(","):
                yield name.strip().lstrip("*")


def _sections(text: str) -> list[Section] | None:
    """The sections of a docstring; None without *Parameters*, and where numpydoc gives up."""
    lines = text.split("\n")
    starts = [index for index in range(len(lines)) if _is_title(lines, index)]
    sections = []
    for start, following in zip(starts, [*starts[1:], len(lines)], strict=True):
        end = following
        while not lines[end - 1].strip():
            end -= 1
        title = " ".join(word.capitalize() for word in lines[start].strip().split(" "))
        underline = lines[start + 1]
        indent = underline[: len(underline) - len(underline.lstrip())]
        sections.append(Section(title, start, end, indent))
    titles = [section.title for section in sections if section.title in _SECTIONS]
    if len(set(titles)) < len(titles) or ("Receives" in titles and "Yields" not in titles):
        return None
    return sections if "Parameters" in titles else None


def _is_title(lines: list[str], index: int) -> bool:
    """As numpydoc has it: a line behind an empty one, underlined at least as long as it is."""
    title = lines[index].strip()
    if not title or index + 1 == len(lines) or (index and lines[index - 1].strip()):
        return False
    underline = lines[index + 1].strip()
    return underline.startswith("-" * len(title)) or underline.startswith("=" * len(title))
