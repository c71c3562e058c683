"""A host and its backends, each looked at in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._names import did_you_mean
from ._processes import Outcome, probe

Progress = Callable[[str], None]

_HEAVY = 0.02  # seconds of import that are worth telling
_MOST = 6
_ORDER = ("error", "warning", "note")


def examine(host: str, only: str | None, seconds: float, progress: Progress) -> dict[str, Any]:
    """What there is to say of a host and of its backends, or of one of these.

    The report is plain data: ``ok``, ``problem``, ``host``, ``variables``, ``backends``.
    """
    outcome = probe({"task": "host", "host": host}, seconds, progress)
    if outcome.result is None:
        return {"ok": False, "problem": outcome.problem, "printed": outcome.printed}
    told = outcome.result
    variables, backends, missing, reserved = (
        told.pop(key) for key in ("variables", "backends", "not_installed", "reserved")
    )
    if only is not None:
        chosen = [b for b in backends if only == b["name"] or only in b["aliases"]]
        if not chosen:
            names = ", ".join(backend["name"] for backend in backends) or "none"
            labels = {label for b in backends for label in (b["name"], *b["aliases"])}
            listed = [m for m in missing if only == m["name"] or only in m["aliases"]]
            if only in reserved:
                problem = f"{only!r} is reserved by {told['host']}: {reserved[only]}"
            elif listed:
                hint = listed[0]["install"]
                problem = f"{only!r} is not installed{f' (to install it: {hint})' if hint else ''}."
            else:
                problem = f"{told['host']} has no backend {only!r}.{did_you_mean(only, labels)}"
            problem += f" Installed: {names}."
            return {"ok": False, "problem": problem, "printed": outcome.printed}
        backends, missing = chosen, []
    reports = [_backend(host, backend, seconds, progress) for backend in backends]
    ok = all(report["ok"] for report in reports)
    ok = ok and not any(each["problem"] for each in (told, *variables))
    return {
        "ok": ok,
        "problem": None,
        "host": told,
        "variables": variables,
        "backends": reports,
        "not_installed": missing,
    }


def _backend(
    host: str, known: dict[str, Any], seconds: float, progress: Progress
) -> dict[str, Any]:
    if known["state"] == "refused":
        finding = _finding("error", "refused", f"It is never imported: {known['reason']}.")
        return _report(known, [finding], {}, {})
    request = {"task": "backend", "host": host, "provider": known["provider"]}
    outcome = probe(request, seconds, progress)
    told: dict[str, Any]
    if outcome.result is None:
        findings = [_finding("error", "probe-failed", outcome.problem or "")]
        told = {**known, "state": "failed", "reason": outcome.problem}
    else:
        told = {**known, **outcome.result}
        findings = told.pop("findings")
    findings += _printed(outcome)
    times = told.pop("seconds", {})
    return _report(told, findings, times, _heavy(outcome))


def _report(
    told: dict[str, Any], findings: list[Any], times: dict[str, float], heavy: dict[str, Any]
) -> dict[str, Any]:
    ok = all(finding["severity"] == "note" for finding in findings)
    ordered = sorted(findings, key=lambda finding: _ORDER.index(finding["severity"]))
    return {**told, "ok": ok, "seconds": times, "imports": heavy, "findings": ordered}


def _finding(severity: str, code: str, message: str) -> dict[str, Any]:
    return {"severity": severity, "code": code, "function": None, "message": message}


def _printed(outcome: Outcome) -> list[dict[str, Any]]:
    """What it wrote, which nobody asked for."""
    severities = {"stdout": "warning", "stderr": "note"}
    return [
        _finding(severity, "prints", f"It writes to {stream} while it loads: {_short(lines[0])}")
        for stream, severity in severities.items()
        if (lines := [line for line in outcome.printed[stream] if line.strip()])
    ]


def _short(line: str) -> str:
    return repr(line if len(line) <= 80 else line[:77] + "...")


def _heavy(outcome: Outcome) -> dict[str, dict[str, float]]:
    """The packages that took long to import, the slowest first, by what made them be imported."""
    kept = {}
    for whose in ("loading", "reading"):
        times = outcome.imports.get(whose, {})
        slowest = sorted(times.items(), key=lambda item: -item[1])[:_MOST]
        kept[whose] = {package: spent for package, spent in slowest if spent >= _HEAVY}
    return kept
