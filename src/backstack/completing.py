"""Completion of backend names in IPython and Jupyter, from what is known without importing any.

``%load_ext backstack`` switches it on.
"""

from __future__ import annotations

import inspect
import io
import re
import tokenize
from types import MethodType, ModuleType
from typing import Any

from ._metaclasses import own_route
from ._names import CPU
from ._standing import Standing
from .dispatcher import BackendDispatcher
from .settings import Settings

_OURS = "backstack"
_SCOPES = ("backend", "use_backend", "verify", "worker_plugin", "get_backend", "resolve_name")


def install(shell: Any) -> None:
    """Add the completion to an IPython shell, once."""
    matchers = shell.Completer.custom_matchers
    if not any(map(_is_ours, matchers)):
        matchers.append(_matcher(shell))


def uninstall(shell: Any) -> None:
    """Take the completion away again."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if not _is_ours(matcher)]


def _is_ours(matcher: Any) -> bool:
    return getattr(matcher, "matcher_identifier", None) == _OURS


def _matcher(shell: Any) -> Any:
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier=_OURS, priority=100)  # type: ignore[untyped-decorator]
    def complete_backend(context: Any) -> Any:
        lines = context.full_text.split("\n")
        before = [
            *lines[: context.cursor_line],
            lines[context.cursor_line][: context.cursor_position],
        ]
        begun, names = completions("\n".join(before), shell.user_ns) or ("", [])
        return {
            "completions": [SimpleCompletion(text=name, type="backend") for name in names],
            "matched_fragment": begun,
            "suppress": bool(names),
        }

    return complete_backend


def completions(before: str, names: dict[str, Any]) -> tuple[str, list[str]] | None:
    """What has been typed of a backend's name, and the names that it can become; None elsewhere.

    Parameters
    ----------
    before : str
        The cell, up to the cursor.
    names : dict
        The names of the notebook.
    """
    opened = _open_string(before)
    if opened is None:
        return None
    tokens, begun = opened
    dispatcher = _dispatcher(tokens, names)
    if dispatcher is None:
        return None
    known = [CPU, *dispatcher.available_backend_names()]
    return begun, [name for name in known if name.startswith(begun)]


def _open_string(source: str) -> tuple[list[str], str] | None:
    """The tokens in front of a string that is not closed yet, and what it has so far."""
    for quote in re.finditer(r"['\"]", source):
        start = quote.start()
        rest = source[start + 1 :]
        if quote.group() in rest or "\n" in rest:
            continue
        try:
            tokens = _tokens(source[:start])
        except (tokenize.TokenError, SyntaxError):
            continue
        if tokens is not None:
            return tokens, rest
    return None


def _tokens(source: str) -> list[str] | None:
    """The tokens of incomplete source; None if it ends inside a string."""
    found: list[str] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.ERRORTOKEN and token.string.strip() in ("'", '"'):
                return None
            if token.string.strip() and token.type != tokenize.COMMENT:
                found.append(token.string)
    except tokenize.TokenError as error:
        if "string" in str(error):
            return None
    return found


def _dispatcher(before: list[str], names: dict[str, Any]) -> BackendDispatcher | None:
    """Whose backend is named behind these tokens."""
    opening = _opening(before)
    if opening is not None and before[opening] == "[":  # a list of names
        before = before[:opening]
        opening = _opening(before)
    keyword = before[-2] if before[-1:] == ["="] and len(before) > 1 else None
    if opening is None:
        return _assigned(before[:-1], names) if keyword is not None else None
    found = _value(_path(before[:opening]), names) if before[opening] == "(" else None
    if keyword is None:
        if isinstance(found, MethodType) and found.__name__ in _SCOPES:
            return _of(found.__self__)
        return None
    route = own_route(found) if isinstance(found, type) else None
    if isinstance(found, Standing):
        route = found._self_route
    return route.stack.owner if route is not None and route.keyword == keyword else None


def _assigned(before: list[str], names: dict[str, Any]) -> BackendDispatcher | None:
    """As ``settings.backend =`` has it."""
    path = _path(before)
    owner, _, attribute = path.rpartition(".")
    if attribute not in ("backend", "process_backend"):
        return None
    return _of(_value(owner, names))


def _of(owner: Any) -> BackendDispatcher | None:
    if isinstance(owner, Settings):
        owner = owner._stack.owner
    return owner if isinstance(owner, BackendDispatcher) else None


def _opening(before: list[str]) -> int | None:
    """Where the innermost bracket stands that is open."""
    depth = 0
    for position in range(len(before) - 1, -1, -1):
        if before[position] in (")", "]", "}"):
            depth += 1
        elif before[position] in ("(", "[", "{"):
            if depth == 0:
                return position
            depth -= 1
    return None


def _path(tokens: list[str]) -> str:
    """The dotted name that the tokens end with."""
    parts: list[str] = []
    for token in reversed(tokens):
        if token == "." or (token.isidentifier() and (not parts or parts[-1] == ".")):
            parts.append(token)
        else:
            break
    return "".join(reversed(parts))


def _value(path: str, names: dict[str, Any]) -> Any:
    """What a dotted name stands for, without running any code of others."""
    first, *rest = path.split(".")
    value = names.get(first)
    for part in rest:
        if isinstance(value, ModuleType):
            value = vars(value).get(part)
        elif isinstance(value, (BackendDispatcher, Settings)):
            value = getattr(value, part, None)
        else:
            value = inspect.getattr_static(value, part, None)
    return value
