"""The command line as a whole: lists, coverage, explanations, usage, terminals, without `rich`."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios

import pytest

import backstack

HOST = """
from backstack import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
backend = dispatcher.backend

@dispatcher.backend_dispatch
def compute(data, size=1):
    return data

@dispatcher.backend_dispatch(name="other_name")
def renamed(first, second, /, *, third):
    return first

def plain(data):
    return data
"""
#: A module that leaves a file behind when it runs.
MARK = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"
GOOD = MARK + "name = 'good'\naliases = ['nice']\ndef compute(data, *, depth=2): return data\n"
ESCAPE = "\x1b"


def ran(site):
    return sorted(path.stem for path in site.folder.rglob("*.ran"))


def environment(site, **more):
    path = os.pathsep.join(filter(None, [str(site.folder), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", **more}


@pytest.fixture
def command(site):
    """Runs the command line; it must not show a traceback."""

    def run(*arguments, **env):
        done = subprocess.run(
            [sys.executable, "-m", "backstack", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
            env=environment(site, **env),
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def listed(command):
    """What ``list --json`` tells, by distribution, of those of the tests."""

    def run(*only, status=0):
        done = command("list", *only, "--json")
        assert done.returncode == status, done
        return [record for record in json.loads(done.stdout) if record["host"] != "example_host"]

    return run


@pytest.fixture
def good(site):
    site.write({"host.py": HOST})
    site.adapter("good", GOOD)
    return site


# -- list ----------------------------------------------------------------------------------


def test_what_is_installed_is_listed_and_nothing_of_it_runs(site, listed, command):
    site.write({"host.py": MARK + HOST})
    site.adapter("good", GOOD)
    site.adapter("dies", MARK + "name = 'dies'\nimport os\nos.abort()\ndef compute(data): pass\n")
    site.adapter("secretive", MARK + "name = 'sec' + 'ret'\n")
    site.adapter("broken", MARK + "name = 'broken'\nx = = 1\n")
    site.install("gone-dist", {"gone": "no_such_module_anywhere.at_all"})
    records = {record["distribution"]: record for record in listed()}
    assert set(records) == {"good-dist", "dies-dist", "secretive-dist", "broken-dist", "gone-dist"}
    told = {key: records["good-dist"][key] for key in records["good-dist"] if key != "exports"}
    assert told == {
        "host": "host",
        "group": "host.backends",
        "backend": "good",
        "aliases": ["nice"],
        "distribution": "good-dist",
        "version": "1.0",
        "provider": "good_adapter",
    }
    assert "compute" in records["good-dist"]["exports"]
    assert records["dies-dist"]["backend"] == "dies"
    for distribution in ("secretive-dist", "broken-dist", "gone-dist"):
        name = distribution.removesuffix("-dist")
        # As `backends()` has it: what stands for the name while only running code tells that.
        assert (records[distribution]["backend"], records[distribution]["aliases"]) == (name, [])
    text = command("list").stdout
    assert re.search(r"^host +good +nice +.*compute.* +good-dist +1\.0$", text, re.MULTILINE)
    assert ran(site) == []


def test_one_host_or_one_group_can_be_listed(site, listed, command):
    site.adapter("good", GOOD)
    site.install("b-dist", {"b": "b_adapter"}, {"b_adapter.py": "name = 'b'"}, group="two.backends")
    assert {record["group"] for record in listed()} == {"host.backends", "two.backends"}
    for only in ("host", "HOST", "host.backends"):
        assert [record["backend"] for record in listed(only)] == ["good"]
    assert [record["backend"] for record in listed("two")] == ["b"]
    assert listed("nope", status=1) == []
    text = command("list", "nope").stdout
    assert "'nope'" in text
    assert "good_adapter" in command("list", "host").stdout


def test_the_groups_of_others_are_left_out_unless_asked_for(site, listed):
    site.install(
        "xarray-like",
        {"zarr": "zarr_like:Backend"},
        {"zarr_like.py": "class Backend:\n    description = 'x'\n"},
        group="xarray_like.backends",
    )
    site.install("scripts", {"run": "zarr_like:main"}, group="console_scripts")
    assert listed() == []
    (record,) = listed("xarray_like.backends")
    assert (record["backend"], record["aliases"]) == ("zarr", [])


def test_a_host_that_declares_itself_is_listed_even_without_backends(site, listed, command):
    site.write({"my_host.py": MARK + HOST.replace('"host.backends"', '"quite.another"')})
    site.install("my-host", {"my-host": "my_host:dispatcher"}, group="backstack.hosts")
    expected = {"host": "my-host", "group": "quite.another", "backend": None}
    (record,) = listed()
    assert {key: record[key] for key in expected} == expected
    site.install("b-dist", {"b": "b_adapter"}, {"b_adapter.py": "x = 1"}, group="quite.another")
    for only in ((), ("my-host",), ("my_host",), ("quite.another",)):
        (record,) = listed(*only)
        assert (record["host"], record["backend"], record["aliases"]) == ("my-host", "b", [])
    assert "quite.another" in command("list", "my-host").stdout
    assert ran(site) == []


def test_malformed_metadata_costs_only_itself(site, listed, command):
    site.adapter("good", GOOD)
    junk = {
        "no-section": "good = x\n",
        "no-value": "[host.backends]\nx\n=\n= =\n[\n]\n[]\n",
        "binary": "[host.backends]\nb = \x00\x01\n",
        "odd": "[host.backends]\n..odd.. = ..x..:..y..\nwith space = a b:c d\n",
        "hosts": "[backstack.hosts]\nx = \n= y\n..z = ..:..\n",
        "twice": "[host.backends]\n[host.backends]\nt = t_adapter [extra1, extra2]\n",
    }
    for name, text in junk.items():
        site.install(name, raw_entry_points=text)
    site.write({"latin_1-1.0.dist-info/entry_points.txt": b"[host.backends]\n\xff = \xfe\n"})
    site.write({"empty-1.0.dist-info/METADATA": ""})
    (site.folder / "folder-1.0.dist-info" / "entry_points.txt").mkdir(parents=True)
    assert "good" in [record["backend"] for record in listed()]
    assert "t" in [record["backend"] for record in listed("host")]
    assert "good" in command("list").stdout
    site.write({"host.py": HOST})
    done = command("doctor", "host", "good", "--json")
    assert json.loads(done.stdout)["backends"][0]["state"] == "loaded"


def test_what_cannot_be_chosen_is_not_listed_as_a_name(site, listed):
    source = "name = 'bad name!'\naliases = ['fine', 'bad alias!', 3]\n"
    site.install("a-dist", {"bad!x": "a_adapter"}, {"a_adapter.py": source})
    site.install("b-dist", {"bad!y": "b_adapter"}, {"b_adapter.py": "name = ['b']\n"})
    site.install("c-dist", {"bad!z": "c_adapter"}, {"c_adapter.py": "name = 'c'\n"})
    told = {record["distribution"]: (record["backend"], record["aliases"]) for record in listed()}
    assert told == {
        "a-dist": ("fine", []),
        "b-dist": ("b_adapter of b-dist", []),
        "c-dist": ("c", []),
    }


def test_what_is_literally_no_function_is_no_export(site, listed):
    source = "name = 'b'\nalias = ['b']\nversion: str = '1'\ndef compute(data): pass\n"
    source += "class Model: pass\nother = compute\nfrom json import dumps\n"
    source += "late = 0\ndef late(): pass\n"
    site.adapter("b", source)
    assert listed()[0]["exports"] == ["Model", "compute", "dumps", "late", "other"]
    site.adapter("b", f"{source}__all__ = ['compute', 'version', 'made']\n")
    assert listed()[0]["exports"] == ["compute", "made"]


def test_nothing_installed_is_no_error(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "backstack", "list", "no.such.group", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (json.loads(done.stdout), done.returncode) == ([], 1)


# -- coverage and explain ------------------------------------------------------------------


def test_coverage_comes_in_every_format_and_imports_no_backend(good, command):
    good.adapter("dies", MARK + "name = 'dies'\n__all__ = ['compute', 'other_name']\n1 / 0\n")
    text = command("coverage", "host").stdout
    assert re.search(r"^compute +yes +yes \(depth\)$", text, re.MULTILINE)
    markdown = command("coverage", "host", "--format", "markdown").stdout
    assert [line.count("|") for line in markdown.splitlines() if "compute" in line] == [4]
    assert "<table" in command("coverage", "host", "--format", "html").stdout
    told = json.loads(command("coverage", "host", "--json").stdout)
    assert told["backends"] == ["dies", "good"]
    assert told["coverage"]["compute"]["good"] == {"implemented": True, "options": ["depth"]}
    assert ran(good) == []


def test_where_a_call_would_run_is_told(good, command):
    done = command("explain", "host.compute")
    assert done.returncode == 0
    assert "would run on 'cpu'" in done.stdout
    for name in ("good", "nice"):
        done = command("explain", "host.compute", "--backend", name, "--json")
        told = json.loads(done.stdout)
        assert (told["runs_on"], told["chosen_by"], done.returncode) == ("good", "call", 0)
    done = command("explain", "host.compute", "--json", HOST_BACKEND="nice")
    assert json.loads(done.stdout)["chosen_by"] != "call"
    assert json.loads(done.stdout)["runs_on"] == "good"


def test_arguments_of_the_call_are_taken_as_python_writes_them(good, command):
    explain = ("explain", "host.compute", "--backend", "good")
    told = json.loads(command(*explain, "-a", "size=3", "--json").stdout)
    assert [name for name in told["dropped"] if "size" in str(name)]
    assert json.loads(command(*explain, "-a", "size=1", "--json").stdout)["dropped"] == []
    told = json.loads(
        command(*explain, "-a", "data=[1, 'two', None]", "--argument", "depth=4", "--json").stdout
    )
    assert told["error"] is None
    for text in ("size=many words", "size=", "size=a=b", "data={'k': 1.5}", "data=(1, 2)"):
        assert command(*explain, "-a", text).returncode == 0
    done = command(*explain, "-a", "dept=4")
    assert done.returncode == 1
    assert "'dept'" in done.stdout


def test_an_argument_that_nobody_has_gets_the_nearest(good, command):
    for backend in ("cpu", "good"):
        done = command("explain", "host.compute", "--backend", backend, "-a", "dat=3", "--json")
        assert done.returncode == 1
        error = json.loads(done.stdout)["error"]
        assert "got an unexpected keyword argument 'dat'. Did you mean 'data'?" in error
    done = command("explain", "host.compute", "-a", "nothing_like_it=3", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].endswith("argument 'nothing_like_it'")


def test_a_function_is_found_by_its_path_and_by_the_name_that_backends_use(good, command):
    for path in ("host.renamed", "host.other_name", "host:dispatcher.other_name"):
        done = command("explain", path, "--json")
        assert (json.loads(done.stdout)["function"], done.returncode) == ("other_name", 0), path


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("host.comput", "Did you mean 'compute'?"),
        ("host.plain", "not dispatched"),
        ("nope.compute", "no host 'nope'"),
        (".compute", ""),
        ("host.compute.deeper", ""),
    ],
)
def test_what_is_no_function_of_a_host_is_a_problem(good, command, path, problem):
    done = command("explain", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("backstack: ")
    assert problem in done.stderr
    assert json.loads(command("explain", path, "--json").stdout)["problem"]


@pytest.mark.parametrize("path", ["host", "host.", ""])
def test_what_names_no_function_cannot_be_understood(good, command, path):
    done = command("explain", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path!r} names no function; write HOST.FUNCTION" in done.stderr


def test_the_version_is_told(command):
    done = command("--version")
    assert (done.returncode, done.stdout) == (0, f"backstack {backstack.__version__}\n")


def test_a_call_that_would_raise_has_status_1(good, command):
    done = command("explain", "host.compute", "--backend", "god", "--json")
    assert done.returncode == 1
    assert "Did you mean 'good'?" in json.loads(done.stdout)["error"]
    good.adapter("dies", "name = 'dies'\nimport os\nos.abort()\ndef compute(data): pass\n")
    done = command("explain", "host.compute", "--backend", "dies", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told.get("runs_on") in (None, "dies")


def test_backends_that_misbehave_do_not_get_in_the_way_of_an_explanation(good, command):
    good.adapter("noisy", "name = 'noisy'\nprint('{}')\ndef compute(data, size=1): pass\n")
    good.adapter("exits", "name = 'exits'\nimport sys; sys.exit(0)\ndef compute(data): pass\n")
    good.adapter("hangs", "name = 'hangs'\nimport time; time.sleep(1000)\ndef compute(data): 0\n")
    for name in ("noisy", "exits", "hangs"):
        done = command("explain", "host.compute", "--backend", name, "--timeout", "3", "--json")
        told = json.loads(done.stdout)
        assert done.returncode == (1 if told.get("error") or told.get("problem") else 0)
    assert json.loads(command("explain", "host.compute", "--json").stdout)["runs_on"] == "cpu"


@pytest.mark.parametrize(
    "arguments",
    [("explain", "host.compute", "--backend", "dies"), ("stubs", "host", "-o", "out")],
)
def test_the_backend_that_crashes_or_hangs_is_named(good, command, arguments, monkeypatch):
    monkeypatch.chdir(good.folder)
    dies = "name = 'dies'\nimport os\nos.abort()\ndef compute(data): pass\n"
    good.adapter("dies", dies)
    problem = command(*arguments).stderr
    assert "It crashed the interpreter (SIGABRT) while loading dies, at " in problem
    good.adapter("dies", dies.replace("os.abort()", "import time; time.sleep(1000)"))
    problem = command(*arguments, "--timeout", "2").stderr
    assert "It did not end within 2 seconds, while loading dies, at " in problem


def test_stubs_are_made_without_the_backends_that_end_the_process(good, command, tmp_path):
    good.adapter("dies", "name = 'dies'\nimport os\nos.abort()\ndef compute(data): pass\n")
    good.adapter("ends", "name = 'ends'\nimport os\nos._exit(0)\ndef compute(data): pass\n")
    done = command("stubs", "host", "-o", str(tmp_path))
    assert done.returncode == 1
    for name in ("dies", "ends"):
        assert f"The stubs are made without {name!r}." in done.stderr
    (stub,) = tmp_path.rglob("*.pyi")
    assert str(stub) in done.stdout
    assert "good" in stub.read_text()


def test_what_crashes_when_nothing_is_being_loaded_is_not_blamed_on_a_backend(good, command):
    good.adapter("b", "name = 'b'\nimport os\ndef is_available(): os.abort()\n")
    problem = command("explain", "host.compute", "--backend", "b").stderr
    assert "(SIGABRT) while asking where compute() would run, at " in problem


# -- usage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nope"],
        ["doctor"],
        ["doctor", "host", "b", "c"],
        ["doctor", "host", "--timeout", "0"],
        ["doctor", "host", "--timeout", "-1"],
        ["doctor", "host", "--timeout", "inf"],
        ["doctor", "host", "--timeout", "soon"],
        ["coverage", "host", "--format", "pdf"],
        ["explain"],
        ["explain", "host.compute", "-a", "no name=1"],
        ["explain", "host.compute", "-a", "1=2"],
        ["list", "--nope"],
    ],
)
def test_what_makes_no_sense_has_status_2_and_shows_the_usage(good, command, arguments):
    done = command(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: backstack")


def test_help_is_there_for_every_command(command):
    done = command("--help")
    assert done.returncode == 0
    for name in ("list", "doctor", "coverage", "explain"):
        assert name in done.stdout
        assert "--json" in command(name, "--help").stdout


def test_a_plot_that_cannot_be_written_has_status_2(good, command, tmp_path):
    done = command("coverage", "host", "--plot", str(tmp_path / "nope" / "file.png"))
    assert done.returncode == 2
    assert "compute" in done.stdout
    assert done.stderr.startswith("backstack: ")


# -- without rich --------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["rich"] = None
sys.argv[0] = "backstack"
from backstack.cli import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "arguments", [["list"], ["doctor", "host"], ["coverage", "host"], ["explain", "host.compute"]]
)
def test_without_rich_one_line_says_how_to_get_it(good, arguments):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(good),
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'backstack[cli]'" in done.stderr


def test_help_needs_no_rich():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "doctor", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: backstack doctor" in done.stdout


# -- a real terminal -----------------------------------------------------------------------


@pytest.fixture
def terminal(site):
    """Runs the command line on a terminal; gives its status and what the terminal got."""

    def run(*arguments, stdout=None, columns=100, **more):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "backstack", *arguments],
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            env=environment(site, **{"TERM": "xterm-256color", "COLUMNS": str(columns), **more}),
        )
        os.close(theirs)
        got = b""
        while True:
            ready, _, _ = select.select([ours], [], [], 100)
            assert ready, got
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # nobody has the other end any more
                break
            if not chunk:
                break
            got += chunk
        os.close(ours)
        return process.wait(60), got.decode()

    return run


def shown(text):
    """What is left to read of what went to a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


SLOW = "name = 'slow'\nimport time\ntime.sleep(1)\ndef compute(data, size=1): return data\n"


def test_on_a_terminal_what_is_going_on_is_shown_and_taken_away_again(good, terminal):
    good.adapter("slow", SLOW)
    good.adapter("bad", "name = 'bad'\nraise ValueError('[red]no[/green] [/]')\ncompute = 1\n")
    status, text = terminal("doctor", "host")
    assert status == 1
    assert "loading slow ..." in shown(text)
    assert f"{ESCAPE}[?25h" in text.rpartition(f"{ESCAPE}[?25l")[2]  # the cursor is back
    report = shown(text.rpartition(f"{ESCAPE}[?25h")[2])
    assert "loading slow ..." not in report
    for line in ("good: loaded", "slow: loaded", "bad: failed", "Not all is well."):
        assert line in [row.strip() for row in report.splitlines()]
    assert "[red]no[/green] [/]" in report.replace("\n", " ")


def test_what_is_redirected_has_no_escape_codes(good, terminal, tmp_path):
    good.adapter("slow", SLOW)
    file = tmp_path / "report.txt"
    with file.open("w") as stdout:
        status, text = terminal("doctor", "host", stdout=stdout)
    report = file.read_text()
    assert status == 1
    assert "loading slow ..." in shown(text)
    assert ESCAPE not in report
    assert "\nslow: loaded\n" in report
    assert "slow: loaded" not in shown(text)

    with file.open("w") as stdout:
        _, text = terminal("doctor", "host", "--json", stdout=stdout)
    assert {b["name"] for b in json.loads(file.read_text())["backends"]} == {"good", "slow"}
    assert "loading slow ..." in shown(text)


def test_off_a_terminal_nothing_is_shown_but_the_report(good, command):
    good.adapter("slow", SLOW)
    done = command("doctor", "host")
    assert done.stderr == ""
    assert ESCAPE not in done.stdout


def test_lists_and_explanations_read_well_on_a_narrow_terminal(good, terminal):
    status, text = terminal("list", "host", columns=40)
    assert status == 0
    assert all(len(line) <= 40 for line in shown(text).splitlines())
    assert "good" in shown(text)
    status, text = terminal("explain", "host.compute", "--backend", "good", columns=40)
    assert (status, "would run on 'good'" in shown(text)) == (0, True)
    status, text = terminal("doctor", "host", columns=40)
    report = shown(text.rpartition(f"{ESCAPE}[?25h")[2])
    assert all(len(line) <= 40 for line in report.splitlines())
    assert "good: loaded" in report


def test_a_terminal_that_can_do_nothing_gets_plain_text(good, terminal):
    status, text = terminal("doctor", "host", TERM="dumb")
    assert status == 1
    assert f"{ESCAPE}[" not in text
    assert "good: loaded" in text
