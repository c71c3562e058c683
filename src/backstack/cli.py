"""The command line: what is installed, whether it works, who implements what, what a call does."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

WELL, PROBLEMS, USAGE, INTERRUPTED = 0, 1, 2, 130
_LONGEST = 86_400.0  # seconds
_COLORS = {"error": "red", "warning": "yellow", "note": "dim"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status: 0 if all is well, 1 for problems with a host or a backend, 2 where
        what was asked for makes no sense.
    """
    parser = _parser()
    options, left = parser.parse_known_args(arguments)
    # Before Python 3.14, argparse looks for no positional that may be missing behind an option.
    if options.run is _doctor and options.backend is None and len(left) == 1:
        options.backend = None if left[0].startswith("-") else left.pop()
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    try:
        import rich as _  # noqa: F401  only whether it is there
    except ImportError:
        print(
            "The command line of backstack needs the package rich: pip install 'backstack[cli]'",
            file=sys.stderr,
        )
        return USAGE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # foreign texts may have any characters
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PROBLEMS
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="backstack", description="See which backends are installed for a library, and why not."
    )
    parser.add_argument("--version", action="version", version=f"backstack {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="hosts and backends of this environment")
    command.add_argument("only", nargs="?", metavar="HOST|GROUP", help="show only this one's")
    _add_json(command)
    command.set_defaults(run=_list)

    command = commands.add_parser(
        "doctor", help="import a host and each of its backends, and tell what is wrong"
    )
    _add_host(command)
    command.add_argument("backend", nargs="?", metavar="BACKEND", help="look only at this one")
    _add_json(command)
    _add_seconds(command)
    command.set_defaults(run=_doctor)

    command = commands.add_parser("coverage", help="which backend implements which function")
    _add_host(command)
    command.add_argument(
        "--format", choices=("text", "markdown", "html"), default="text", help="default: text"
    )
    _add_json(command)
    command.add_argument("--plot", metavar="FILE", help="also draw it into this file")
    _add_seconds(command)
    command.set_defaults(run=_coverage)

    command = commands.add_parser(
        "stubs", help="tell type checkers what backends add to the functions of a host"
    )
    _add_host(command)
    command.add_argument(
        "-o", "--output", default=".", metavar="DIR", help="put HOST-stubs there (default: here)"
    )
    command.add_argument(
        "--any-name", action="store_true", help="accept any name, not only those installed here"
    )
    _add_seconds(command)
    command.set_defaults(run=_stubs, json=False)

    command = commands.add_parser("explain", help="where a call would run, and why")
    command.add_argument(
        "function", type=_path, metavar="HOST.FUNC", help="its path, as in an import"
    )
    command.add_argument("--backend", metavar="NAME", help="as if the call chose it")
    command.add_argument(
        "--argument",
        "-a",
        action="append",
        default=[],
        type=_argument,
        metavar="NAME=VALUE",
        help="an argument of the call, its value as Python writes it; may be repeated",
    )
    _add_json(command)
    _add_seconds(command)
    command.set_defaults(run=_explain)
    return parser


def _add_host(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "host", metavar="HOST", help="the package to import, or MODULE:ATTRIBUTE of its dispatcher"
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, and nothing else")


def _add_seconds(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout",
        type=_seconds,
        default=120.0,
        metavar="SECONDS",
        help="for each process that foreign code runs in (default: %(default)g)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds above 0 and up to a day"
        )
    return seconds


def _path(text: str) -> str:
    if not text.partition(".")[2]:
        raise argparse.ArgumentTypeError(f"{text!r} names no function; write HOST.FUNCTION")
    return text


def _argument(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name.isidentifier():
        raise argparse.ArgumentTypeError(f"write NAME=VALUE, not {text!r}")
    return name, value


# -- the commands --------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    from ._installed import installed

    table = installed(options.only)
    if options.json:
        _print_json(table.as_dicts())
    elif not table and options.only is not None:
        print(f"Nothing is installed for a host or in a group called {options.only!r}.")
    else:
        columns = table.columns if options.only is None else (*table.columns, "group", "provider")
        _print_table(columns, table.as_dicts())
    return WELL if table or options.only is None else PROBLEMS


def _doctor(options: argparse.Namespace) -> int:
    from ._doctor import examine

    with _progress() as progress:
        report = examine(options.host, options.backend, options.timeout, progress)
    if options.json:
        _print_json(report)
    elif report["problem"]:
        _complain(report["problem"])
    else:
        _print_report(report)
    return WELL if report["ok"] else PROBLEMS


def _coverage(options: argparse.Namespace) -> int:
    told = _asked(options, {"task": "coverage", "host": options.host})
    if told is None:
        return PROBLEMS
    from .coverage import Coverage

    coverage = Coverage.from_dict(told)
    if options.json:
        _print_json(told)
    else:
        shown = {"text": repr, "markdown": Coverage.to_markdown, "html": Coverage._repr_html_}
        print(shown[options.format](coverage))
    if options.plot:
        try:
            coverage.save_plot(options.plot)
        except (ImportError, OSError, ValueError) as error:
            _complain(str(error))
            return USAGE
    return WELL


def _stubs(options: argparse.Namespace) -> int:
    from ._processes import probe
    from .stubs import write_files

    request = {"task": "stubs", "host": options.host, "any_name": options.any_name}
    without: list[str] = []
    told = None
    while told is None:
        with _progress() as progress:
            outcome = probe({**request, "without": without}, options.timeout, progress)
        told = outcome.result
        if told is None:
            _complain(outcome.problem or "")
            if outcome.loading is None or outcome.loading in without:
                return PROBLEMS
            _complain(f"The stubs are made without {outcome.loading!r}.")
            without.append(outcome.loading)

    try:
        written = write_files(told["files"], options.output)
    except OSError as error:
        _complain(str(error))
        return USAGE
    print("\n".join(map(str, written)))
    return PROBLEMS if without else WELL


def _explain(options: argparse.Namespace) -> int:
    request = {
        "task": "explain",
        "function": options.function,
        "backend": options.backend,
        "arguments": options.argument,
    }
    told = _asked(options, request)
    if told is None:
        return PROBLEMS
    if options.json:
        _print_json(told["explanation"])
    else:
        print(told["text"])
    return PROBLEMS if told["explanation"]["error"] else WELL


def _asked(options: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any] | None:
    from ._processes import probe

    with _progress() as progress:
        outcome = probe(request, options.timeout, progress)
    if outcome.result is None:
        if options.json:
            _print_json({"problem": outcome.problem})
        _complain(outcome.problem or "")
    return outcome.result


# -- what is printed -----------------------------------------------------------------------


@contextmanager
def _progress() -> Generator[Callable[[str], None], None, None]:
    """Say on the terminal what is going on; on standard error, which is nobody's input."""
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("starting ...") as status:
        yield lambda phase: status.update(f"{escape(phase)} ...")


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


def _complain(problem: str) -> None:
    print(f"backstack: {problem}", file=sys.stderr)


def _console() -> Console:
    from rich.console import Console

    # Names of packages and numbers are no syntax, and [brackets] in messages no markup.
    return Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


def _print_table(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    from .reports import render_text

    console = _console()
    if not console.is_terminal or not rows:
        cells = [[row[column] for column in columns] for row in rows]
        print(render_text(columns, cells) if rows else "No hosts and no backends are installed.")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    kept = [column for column in columns if any(row[column] for row in rows)]
    for column in kept:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in kept))
    console.print(table)


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value or "")


def _print_report(report: dict[str, Any]) -> None:
    console, host = _console(), report["host"]
    count = len(host["functions"])
    console.print(f"{host['host']} {host['version'] or ''}".strip(), style="bold")
    console.print(
        f"  imported in {host['seconds']:.2f} s; dispatches {count} "
        f"function{'' if count == 1 else 's'}; on_missing={host['on_missing']!r}, "
        f"trust={host['trust']!r}"
    )
    console.print(f"  backends are found in the entry-point group {host['group']!r}")
    if host["problem"]:
        console.print(f"  warning: {host['problem']}", style=_COLORS["warning"])
    console.print("\nEnvironment", style="bold")
    for variable in report["variables"]:
        if variable["name"] is not None:
            value = " (not set)" if variable["value"] is None else f"={variable['value']}"
            console.print(f"  {variable['name']}{value}")
        console.print(f"    {variable['effect']}", style="dim")
        if variable["problem"]:
            console.print(f"    error: {variable['problem']}", style="red")
    for backend in report["backends"]:
        _print_backend(console, backend, host["functions"])
    if not report["backends"]:
        console.print("\nNo backends are installed.")
    for entry in report["not_installed"]:
        hint = f": {entry['install']}" if entry["install"] else ""
        console.print(f"\n{entry['name']}: not installed{hint}", style="dim")
    verdict = "All is well." if report["ok"] else "Not all is well."
    console.print(f"\n{verdict}", style="green" if report["ok"] else "red")


def _print_backend(console: Console, backend: dict[str, Any], functions: list[str]) -> None:
    console.print(f"\n{backend['name']}: {backend['state']}", style="bold")
    facts = [("provider", f"{backend['provider']} {backend['version'] or ''}".strip())]
    facts.append(("trusted", "yes" if backend["trusted"] else "no"))
    if backend["aliases"]:
        facts.append(("aliases", ", ".join(backend["aliases"])))
    if backend["seconds"]:
        for whose, what in (("loading", "import"), ("reading", "functions")):
            heavy = ", ".join(
                f"{package} {spent:.2f} s" for package, spent in backend["imports"][whose].items()
            )
            facts.append((what, f"{backend['seconds'][whose]:.2f} s{heavy and f' ({heavy})'}"))
    has = f"{len(backend['functions'])} of {len(functions)}"
    facts.append(("implements", f"{has}: {', '.join(backend['functions'])}".rstrip(": ")))
    for name, fact in facts:
        console.print(f"  {name:<10}  {fact}")
    for finding in backend["findings"]:
        about = f"{finding['function']}(): " if finding["function"] else ""
        severity = finding["severity"]
        console.print(f"  {severity}: {about}{finding['message']}", style=_COLORS[severity])
