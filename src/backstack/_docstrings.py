"""The docstring that a dispatched function shows: the host's, with entries put in.

Nothing is rendered anew. Entries are inserted as text, at the docstring's own
indentation, and every other byte stays. Where sections begin is decided as numpydoc
decides it; numpydoc itself parses the backends' docstrings, for the text of an entry.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ._options import Option
from ._plans import HostFunction

#: *Other Parameters* comes behind the last of these.
_BEFORE_OPTIONS = ("Parameters", "Returns", "Yields", "Receives")
#: What *See Also* usually holds; of anything else numpydoc has to say whether it can read it.
_USUAL_REFERENCE = re.compile(r"\s.*|[\w.]+(, [\w.]+)*( :(\s.*)?)?\s*", re.ASCII)


class Section(NamedTuple):
    """Where a section stands: its title's line, and the line behind its last text."""

    title: str
    start: int
    end: int
    indent: str


def merged_docstring(function: HostFunction, text: Any, options: Iterable[Option]) -> Any:
    """`text` with an entry for the selector, and one for each of `options`.

    A docstring without *Parameters*, or one that numpydoc cannot read, stays as it is. One
    that was merged before, and perhaps extended since, first loses the options of then.
    """
    if not isinstance(text, str) or not _sections(text):
        return text
    for insertion in sorted(function.inserted, key=len, reverse=True):
        text = re.sub(re.escape(insertion) + r"(?=\r?\n|\Z)", "", text, count=1)
    text, _ = _insert(text, "Parameters", {function.keyword: _selector_entry(function)})
    text, insertion = _insert(text, "Other Parameters", _option_entries(options))
    if insertion:
        function.inserted.add(insertion)
    return text


def _selector_entry(function: HostFunction) -> list[str]:
    host = function.registry.config.host
    return [
        f"{function.keyword} : str, optional",
        f"\tThe backend of {host} that runs this call. By default the one in force: the",
        "\tinnermost scope's, else the process-wide setting's, else the host's own (``'cpu'``).",
    ]


def _option_entries(options: Iterable[Option]) -> dict[str, list[str]]:
    """Under each option's name, the lines of its entry; backends that share it share that."""
    found: dict[str, list[Option]] = {}
    for option in options:
        found.setdefault(option[2].name, []).append(option)
    return {name: _entry(name, sharing) for name, sharing in found.items()}


def _entry(name: str, options: list[Option]) -> list[str]:
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
    try:
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    except Exception:  # it is a foreign object's repr
        return ""
    return " ".join(text.split())


def documents(function: Callable[..., Any], name: str) -> bool:
    """Whether the docstring of `function` describes that parameter."""
    return bool(_documented(function, name)[1])


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


def _insert(text: str, title: str, entries: dict[str, list[str]]) -> tuple[str, str]:
    """`text` with the entries that its section `title` lacks, and what was put in for them."""
    lines = text.split("\n")
    sections = _sections(text)
    section = next((s for s in sections if s.title == title), None)
    present = set(_names(lines, section)) if section else set()
    missing = [entry for name, entry in entries.items() if name not in present]
    if not missing:
        return text, ""
    anchor = section or max((s for s in sections if s.title in _BEFORE_OPTIONS), key=_position)
    indent = _indent(lines, section) if section else anchor.indent
    step = "\t" if "\t" in indent else "    "
    added = [
        indent + line.replace("\t", step, 1) if line else "" for entry in missing for line in entry
    ]
    if section is None:
        added = ["", indent + title, indent + "-" * len(title), *added]
    # Behind the end of a line, in the way in which the others of this text end.
    newline = "\r\n" if "\r\n" in text else "\n"
    insertion = "".join(newline + line for line in added)
    end = _before_loose_keywords(lines, section) if section else anchor.end
    position = sum(len(line) + 1 for line in lines[:end]) - 1
    if text[position - 1 : position] == "\r":
        position -= 1
    return text[:position] + insertion + text[position:], insertion


def _before_loose_keywords(lines: list[str], section: Section) -> int:
    """The line behind the entries of a section, but for one of ``**kwargs`` at its end.

    That comes last in a signature too; numpydoc's validation wants the same order in both.
    """
    indent = _indent(lines, section)
    headers = [
        index
        for index in range(section.start + 2, section.end)
        if lines[index].strip() and not lines[index][len(indent) :][:1].isspace()
    ]
    end = section.end
    if headers and lines[headers[-1]].strip().lstrip("\\").startswith("**"):
        end = headers[-1]
        while not lines[end - 1].strip():
            end -= 1
    return end


def _position(section: Section) -> int:
    return section.end


def _indent(lines: list[str], section: Section) -> str:
    """How far the entries of a section are indented, which may be further than its title."""
    body = [line for line in lines[section.start + 2 : section.end] if line.strip()]
    if not body:
        return section.indent
    first, last = min(body), max(body)  # what these two share at their beginning, all do
    common = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    shared = "".join(pair[0] for pair in common)
    return shared[: len(shared) - len(shared.lstrip())]


def _names(lines: list[str], section: Section) -> Iterator[str]:
    """The parameters that a section describes, without the backends' names behind them."""
    indent = _indent(lines, section)
    for line in lines[section.start + 2 : section.end]:
        if line.strip() and not line[len(indent) :][:1].isspace():
            header = re.split(r"\s*:(?:\s|$)", line.strip())[0]
            for name in re.sub(r"\(.*\)", "", header).split(","):
                yield name.strip().lstrip("*")


def _sections(text: str) -> list[Section]:
    """The sections of a docstring; none without *Parameters*, and where numpydoc gives up."""
    lines = text.split("\n")
    starts = [index for index in range(len(lines)) if _is_title(lines, index)]
    sections = []
    for start, following in zip(starts, [*starts[1:], len(lines)], strict=False):
        end = following
        while not lines[end - 1].strip():
            end -= 1
        title = " ".join(word.capitalize() for word in lines[start].strip().split(" "))
        underline = lines[min(start + 1, len(lines) - 1)]
        indent = underline[: len(underline) - len(underline.lstrip())]
        sections.append(Section(title, start, end, indent))
    titles = [section.title for section in sections]
    if "Parameters" not in titles or not (_is_usual(sections, lines) or _can_be_read(text)):
        return []
    return sections


def _is_usual(sections: list[Section], lines: list[str]) -> bool:
    """Whether there is nothing that numpydoc could stumble over; spares importing it."""
    titles = [section.title for section in sections]
    references = [
        line
        for section in sections
        if section.title == "See Also"
        for line in _dedented(lines[section.start + 1 : section.end])[1:]
    ]
    usual = all(not line.strip() or _USUAL_REFERENCE.fullmatch(line) for line in references)
    return usual and len(set(titles)) == len(titles) and "Receives" not in titles


def _dedented(lines: list[str]) -> list[str]:
    # Without the ends of lines of other systems, which since Python 3.13 count as content.
    return inspect.cleandoc("\n".join(line.rstrip("\r") for line in lines)).splitlines()


def _can_be_read(text: str) -> bool:
    try:
        _parse(inspect.cleandoc(text.replace("\r\n", "\n")))
    except Exception:
        return False
    return True


def _is_title(lines: list[str], index: int) -> bool:
    """As numpydoc has it: a line behind an empty one, underlined at least as long as it is."""
    title = lines[index].strip()
    if title.startswith(".. index::"):
        return True
    if not title or index + 1 == len(lines) or (index and lines[index - 1].strip()):
        return False
    underline = lines[index + 1].strip()
    return underline.startswith("-" * len(title)) or underline.startswith("=" * len(title))
