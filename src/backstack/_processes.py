"""Running a probe in a process of its own, with a time limit, and hearing what it came to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_GRACE = 5.0  # seconds that a process has to end itself when its time is up
_PAUSE = 0.05
# The search path comes with the request: it is the parent's, and not that of a script or of -c.
_START = (
    "import sys, json; request = json.load(sys.stdin); sys.path[:] = request['path']; "
    "from backstack._probe import main; main(request)"
)


class Outcome(NamedTuple):
    """What a probe came to.

    Attributes
    ----------
    result : dict or None
        What it told; None if it could not, and then `problem` says why.
    problem : str or None
        Why there is no result.
    printed : dict of str to list of str
        The lines written to ``"stdout"`` and to ``"stderr"``, from the first mark on.
    imports : dict of str to (dict of str to float)
        By whose account, the seconds that each package took to import.
    loading : str or None
        The backend that was being loaded when it ended, where that was told.
    """

    result: dict[str, Any] | None
    problem: str | None
    printed: dict[str, list[str]]
    imports: dict[str, dict[str, float]]
    loading: str | None = None


def probe(
    request: dict[str, Any], seconds: float, on_phase: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Run one request, and say what it is at meanwhile; never raises for what it meets."""
    with tempfile.TemporaryDirectory(prefix="backstack-") as folder:
        files = {name: Path(folder, name) for name in ("events", "trace", "stdout", "stderr")}
        whole = {
            **request,
            "path": [os.path.abspath(entry) for entry in sys.path],
            "seconds": seconds,
            "events": str(files["events"]),
            "trace": str(files["trace"]),
        }
        status, in_time = _run(whole, files, seconds + _GRACE, on_phase)
        events = list(_events(files["events"]))
        stdout, stderr = _lines(files["stdout"]), _lines(files["stderr"])
        imports = import_times(stderr)
        said = [line for line in stderr if not line.startswith(_TIME)]
        printed = {"stdout": _after_mark(stdout), "stderr": _after_mark(said)}
        has_mark = any(line.startswith(MARK) for line in said)
        last = events[-1] if events else {}
        if "result" in last:
            return Outcome(last["result"], None, printed, imports)
        problem = last.get("problem") or _end(
            status,
            in_time,
            seconds,
            _phase(events),
            files["trace"],
            printed["stderr"] if has_mark else said,
        )
        return Outcome(None, problem, printed, imports, last.get("loading"))


def _run(
    request: dict[str, Any], files: dict[str, Path], limit: float, on_phase: Callable[[str], None]
) -> tuple[int | None, bool]:
    """The exit status, and whether it ended by itself."""
    # With -P, since the current folder is not on the path unless it is on the parent's.
    command = [sys.executable, "-P", "-X", "importtime", "-c", _START]
    with files["stdout"].open("wb") as stdout, files["stderr"].open("wb") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, start_new_session=True
        )
        try:
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(request).encode())
                process.stdin.close()
            except OSError:
                pass  # it has ended already, which its status tells
            deadline = time.monotonic() + limit
            while process.poll() is None and time.monotonic() < deadline:
                on_phase(_phase(_events(files["events"])))
                time.sleep(_PAUSE)
            return process.poll(), process.poll() is not None
        finally:
            _end_all(process)


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End the process and whatever it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):  # there are no groups, or nobody is left in this one
        if process.poll() is None:
            process.kill()
    process.wait()


def _events(file: Path) -> Iterator[dict[str, Any]]:
    for line in _lines(file):
        try:
            yield json.loads(line)
        except ValueError:
            return  # it is being written, or was when the process ended


def _phase(events: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> str:
    phases = [event["phase"] for event in events if "phase" in event]
    return phases[-1] if phases else "starting"


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _end(
    status: int | None,
    in_time: bool,
    seconds: float,
    phase: str,
    trace: Path,
    stderr: list[str],
) -> str:
    """Why a process ended without a result."""
    lines = _lines(trace)
    place = _place(lines)
    where = f", at {place}" if place else ""
    if not in_time or any(line.startswith("Timeout") for line in lines):
        return f"It did not end within {seconds:g} seconds, while {phase}{where}."
    if status is not None and status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"It crashed the interpreter ({name}) while {phase}{where}."
    words = [line for line in stderr if line.strip()]
    said = f" Its last words: {words[-1]}" if status and words else ""
    return f"It ended the interpreter with status {status} while {phase}.{said}"


def _place(trace: list[str]) -> str | None:
    """The innermost line of the foreign code, where `faulthandler` tells what ran."""
    for line in trace:
        place = line.strip()
        if place.startswith("File ") and not any(
            part in place for part in ("<frozen", "importlib", os.path.dirname(__file__))
        ):
            return place
    return None


# -- what `-X importtime` says -------------------------------------------------------------

_TIME = "import time:"
#: Comes before what Python says of imports that are on the account of what follows.
MARK = "backstack: on the account of "


def _after_mark(lines: list[str]) -> list[str]:
    """What was written on a backend's account."""
    marks = [number for number, line in enumerate(lines) if line.startswith(MARK)]
    own = lines[marks[0] :] if marks else []
    return [line for line in own if not line.startswith(MARK)]


def import_times(stderr: list[str]) -> dict[str, dict[str, float]]:
    """The seconds that each top-level package took, by whose account it was on."""
    found: dict[str, dict[str, float]] = {}
    whose = "host"
    for line in stderr:
        if line.startswith(MARK):
            whose = line.removeprefix(MARK).strip()
        elif line.startswith(_TIME):
            own, _, rest = line.removeprefix(_TIME).partition("|")
            package = rest.partition("|")[2].strip().partition(".")[0]
            if own.strip().isdigit():
                spent = found.setdefault(whose, {})
                spent[package] = spent.get(package, 0.0) + int(own) / 1e6
    return found
