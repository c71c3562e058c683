"""What `backstack doctor` says of hosts and backends, each of which really does what it says."""

import json
import os
import py_compile
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

HOST = """
import os
from backstack import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="host.backends",
    host_name="host",
    trusted_backends={
        "pinned": {
            "distributions": ["pinned-dist"],
            "object_refs": ["pinned_adapter"],
            "aliases": ["by-the-host"],
        },
        "impostor": {"distributions": ["the-real-one"]},
        "renamed": {"distributions": ["renamed-dist"]},
        "absent": {"package": "absent-package"},
    },
)
backend_dispatch = dispatcher.backend_dispatch
backend = dispatcher.backend

@backend_dispatch
def compute(data, size=1): return data
@backend_dispatch
def summarize(data, weights): return data
@backend_dispatch
async def fetch(data): return data
@backend_dispatch
def steps(data): yield data
@backend_dispatch
def stack(*arrays, axis=0): return arrays
@backend_dispatch
def tune(data, **options): return data
"""
WHOLE = "def compute(data, size=1): return data\n"

#: A module that leaves a file behind when it runs.
MARK = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"


def ran(place):
    return sorted(path.stem for path in place.folder.rglob("*.ran"))


class Place:
    """A folder to install distributions into, and the command line run with it on the path."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def write(self, files):
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(content))

    def install(self, name, source, *, entry_name=None, distribution=None, group="host.backends"):
        distribution = distribution or f"{name}-dist"
        info = f"{distribution.replace('-', '_')}-1.0.dist-info"
        self.write(
            {
                f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n",
                f"{info}/entry_points.txt": f"[{group}]\n{entry_name or name} = {name}_adapter\n",
                f"{name}_adapter.py": source,
            }
        )

    def run(self, *arguments, env=None):
        """The finished command line; it must neither hang nor show a traceback."""
        path = os.pathsep.join(filter(None, [str(self.folder), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-m", "backstack", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=240,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", **(env or {})},
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def doctor(self, *arguments, status=None, env=None):
        """What ``doctor --json`` says, which is JSON whatever it has met."""
        done = self.run("doctor", *arguments, "--json", env=env)
        report = json.loads(done.stdout)
        assert done.returncode == (0 if report["ok"] else 1)
        assert status in (None, done.returncode), report
        return report


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "place")
    place.write({"host.py": HOST})
    return place


def one(report, name):
    return next(backend for backend in report["backends"] if backend["name"] == name)


def findings(backend, *, unlisted=False):
    """The findings; that the host does not list it is left out, since it lists next to none."""
    return [f for f in backend["findings"] if unlisted or f["code"] != "unlisted"]


def codes(backend):
    return [(f["severity"], f["code"], f["function"]) for f in findings(backend)]


# -- backends that misbehave ---------------------------------------------------------------

#: What each does, and what is told of it: its state, the code of the finding, a part of it.
MISBEHAVING = {
    "sleeps_on_import": (
        "import time\ntime.sleep(1000)",
        ("failed", "probe-failed", "did not end within 3 seconds"),
    ),
    "sleeps_when_asked": (
        "import time\ndef is_available(): time.sleep(1000)",
        ("failed", "probe-failed", "in is_available"),
    ),
    "keeps_the_interpreter_lock": (
        "import ctypes\nctypes.PyDLL(None).sleep(1000)",
        ("failed", "probe-failed", "did not end within 3 seconds"),
    ),
    "ignores_signals_and_hangs": (
        """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.valid_signals()))
time.sleep(1000)
""",
        ("failed", "probe-failed", "did not end within 3 seconds"),
    ),
    "is_killed_by_a_signal": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
        ("failed", "probe-failed", "crashed the interpreter (SIGSEGV)"),
    ),
    "reads_address_zero": (
        "import ctypes\nctypes.string_at(0)",
        ("failed", "probe-failed", "crashed the interpreter (SIGSEGV)"),
    ),
    "aborts_when_asked": (
        "import os\ndef is_available(): os.abort()",
        ("failed", "probe-failed", "crashed the interpreter (SIGABRT)"),
    ),
    "ends_at_once_with_0": (
        "import os\nos._exit(0)",
        ("failed", "probe-failed", "ended the interpreter with status 0"),
    ),
    "ends_at_once_with_3": (
        "import os\nos.write(2, b'so long')\nos._exit(3)",
        ("failed", "probe-failed", "with status 3 while loading ends_at_once_with_3. Its last "),
    ),
    "becomes_another_program": (
        "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'pass'])",
        ("failed", "probe-failed", "ended the interpreter with status 0"),
    ),
    "exits_with_0": ("import sys\nsys.exit(0)", ("failed", "load-failed", "SystemExit: 0")),
    "exits_with_3": ("import sys\nsys.exit(3)", ("failed", "load-failed", "SystemExit: 3")),
    "exits_when_asked": (
        "import sys\ndef is_available(): sys.exit(0)",
        ("unavailable", "unavailable", "SystemExit: 0"),
    ),
    "exits_when_read": (
        """
__all__ = ["compute", "summarize"]
def summarize(data, weights): return data
def __getattr__(attribute):
    raise (SystemExit if attribute == "compute" else AttributeError)(attribute)
""",
        ("loaded", "export", "SystemExit"),
    ),
    "raises": ("1 / 0", ("failed", "load-failed", "ZeroDivisionError")),
    "interrupts": ("raise KeyboardInterrupt", ("failed", "probe-failed", "SIGINT")),
    "raises_something_else": (
        "class Odd(BaseException): pass\nraise Odd('neither')",
        ("failed", "probe-failed", "Odd: neither"),
    ),
    "raises_odd_text": (
        r"raise RuntimeError('no [red]way[/blue] \udcff \x1b[31m \u2028 h\xe9')",
        ("failed", "load-failed", "no [red]way[/blue]"),
    ),
    "raises_in_str": (
        "class Odd(Exception):\n    def __str__(self): 1 / 0\nraise Odd",
        ("failed", "load-failed", "Odd"),
    ),
    "recurses": ("def f(): f()\nf()", ("failed", "load-failed", "RecursionError")),
    "asks_the_user": ("input('really? ')", ("failed", "load-failed", "EOFError")),
    "closes_every_descriptor": (
        "import os\nos.closerange(0, 200)",
        ("failed", "probe-failed", "ended the interpreter"),
    ),
    "replaces_json": (
        "import json, sys\njson.dumps = None\nsys.modules['json'] = None",
        ("failed", "probe-failed", "ended the interpreter"),
    ),
    "prints": ("print('hello')", ("loaded", "prints", "writes to stdout while it loads: 'hello'")),
    "prints_below_python": (
        r"import os; os.write(1, b'raw \xff\n')",
        ("loaded", "prints", "stdout"),
    ),
    "prints_when_read": (
        """
__all__ = ["compute"]
def __getattr__(attribute):
    print("{}")
    if attribute == "compute":
        return lambda data, size=1: data
    raise AttributeError(attribute)
""",
        ("loaded", "prints", "'{}'"),
    ),
    "prints_megabytes": (
        r"print('x' * 5_000_000); print('y\n' * 1_000_000)",
        ("loaded", "prints", "xxx..."),
    ),
}

#: What is nobody's business: these work.
HARMLESS = {
    "reads_standard_input": "import sys\nassert sys.stdin.read() == ''",
    "closes_standard_output": "import os\nos.close(1)",
    "leaves_a_thread_running": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(1000,)).start()",
    "leaves_a_child_running": "import subprocess, sys, pathlib\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
    "pathlib.Path(__file__).with_suffix('.child').write_text(str(child.pid))",
    "forks": "import os\nos.fork()",
    "forks_and_the_child_hangs": "import os, time\nif os.fork() == 0: time.sleep(1000)",
    "replaces_exit": "import sys\nsys.exit = exit = quit = None",
    "looks_at_arguments": "import sys\nassert '--json' not in sys.argv",
}


@pytest.fixture
def crowd(place):
    """All of them in one environment."""
    for name, (source, _) in MISBEHAVING.items():
        place.install(name, f"name = {name!r}\n{source}\n{'' if '__all__' in source else WHOLE}")
    for name, source in HARMLESS.items():
        place.install(name, f"name = {name!r}\n{source}\n{WHOLE}")
    return place


def test_a_backend_that_misbehaves_costs_only_its_own_part_of_the_report(crowd):
    report = crowd.doctor("host", "--timeout", "3", status=1)
    told = {backend["name"]: backend for backend in report["backends"]}
    assert set(told) == {*MISBEHAVING, *HARMLESS}
    for name, (_, (state, code, text)) in MISBEHAVING.items():
        found = findings(told[name])
        assert told[name]["state"] == state, name
        assert not told[name]["ok"], name
        assert [f["message"] for f in found if f["code"] == code and text in f["message"]], found
    for name in HARMLESS:
        assert (told[name]["state"], told[name]["ok"]) == ("loaded", True), told[name]
        assert codes(told[name]) == [], name
        assert told[name]["functions"] == ["compute"]

    child = int((crowd.folder / "leaves_a_child_running_adapter.child").read_text())
    wait_until_gone(child)


#: What is started in the background may have been told to ignore interrupts.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from backstack.cli import main
sys.exit(main())
"""


def wait_until_gone(pid):
    """Wait for a process to end; whether anybody collects its status is not our business."""
    status = Path(f"/proc/{pid}/stat")
    while True:
        try:
            os.kill(pid, 0)
            if status.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.01)


def test_where_a_backend_hung_or_crashed_is_told(place):
    place.install("hangs", f"name = 'hangs'\nimport time\n\ntime.sleep(1000)\n{WHOLE}")
    place.install("dies", f"name = 'dies'\nimport os\n\n\nos.abort()\n{WHOLE}")
    report = place.doctor("host", "--timeout", "2")
    messages = {b["name"]: findings(b)[0]["message"] for b in report["backends"]}
    assert "while loading hangs, at " in messages["hangs"]
    assert 'hangs_adapter.py", line 4' in messages["hangs"]
    assert 'dies_adapter.py", line 5' in messages["dies"]


def test_the_last_that_a_process_said_is_told(place):
    source = "name = 'b'\nimport sys, os\nprint('no device', file=sys.stderr, flush=True)\n"
    place.install("b", source + "os._exit(9)")
    text = place.run("doctor", "host").stdout
    assert "It ended the interpreter with status 9 while loading b." in text
    assert "no device" in text


def test_writing_to_standard_error_is_worth_a_note_only(place):
    place.install("b", "name = 'b'\nimport sys\nsys.stderr.write('chatty\\n')\n" + WHOLE)
    backend = one(place.doctor("host", status=0), "b")
    assert codes(backend) == [("note", "prints", None)]
    assert "stderr while it loads: 'chatty'" in findings(backend)[0]["message"]


def test_warnings_and_log_messages_of_a_backend_are_not_what_it_prints(place):
    source = "name = 'b'\nimport warnings, logging\nwarnings.warn('old')\nlogging.info('hm')\n"
    place.install("b", source + WHOLE)
    assert codes(one(place.doctor("host", status=0), "b")) == []


def test_blank_lines_are_not_worth_a_finding(place):
    place.install("b", "name = 'b'\nprint()\nprint('   ')\n" + WHOLE)
    assert codes(one(place.doctor("host", status=0), "b")) == []


# -- what is found -------------------------------------------------------------------------

#: An adapter that has nothing, and says so only when it is asked.
NONE = """
def __getattr__(attribute):
    if attribute != "compute":
        raise AttributeError(attribute)
"""

#: Adapters that a finding is made of: severity, code, function, the adapter, and one just past it
#: that nothing is said of.
FINDINGS = [
    ("error", "load-failed", None, "import no_such_module_anywhere", ""),
    ("error", "load-failed", None, "is_available = 'yes'\nraise ValueError", ""),
    ("error", "load-failed", None, "__all__ = 3", "__all__ = ['compute']"),
    ("error", "export", "compute", "compute = 3", "compute = None\ndef tune(data, **o): pass"),
    ("error", "export", "compute", "compute = max", ("from functools import partial\n"
     "def _f(data, size=1): pass\ncompute = partial(_f)")),
    ("error", "export", "tune", "__all__ = ['compute', 'tune']", "__all__ = ['compute']"),
    ("error", "kind", "compute", "async def compute(data, size=1): pass", ""),
    ("error", "kind", "compute", "def compute(data, size=1): yield", ""),
    ("error", "kind", "fetch", "def fetch(data): pass", "async def fetch(data): pass"),
    ("error", "kind", "steps", "def steps(data): return []", "def steps(data): yield"),
    ("error", "required-option", "compute", "def compute(data, size=1, *, _device): pass",
     "def compute(data, size=1, *, _device=None): pass"),
    ("error", "required-option", "compute", "def compute(data, _device, size=1): pass", ""),
    ("error", "recursion", "compute", ("import host\ndef compute(data, size=1):\n"
     "    return host.compute(data)"),
     "import host\ndef compute(data, size=1):\n    return host.compute(data, backend='cpu')"),
    ("error", "recursion", "compute", ("def compute(data, size=1):\n"
     "    from host import compute as hosts\n    return hosts(data)"),
     "def compute(data, size=1):\n    from host import compute as hosts\n    return hosts"),
    ("error", "recursion", "compute", ("import host as h\ndef compute(data, size=1):\n"
     "    return [h.compute(d) for d in data]"),
     "import host as h\ndef compute(data, size=1):\n    return h.summarize(data, None)"),
    ("error", "recursion", "compute", ("import host\ndef compute(data, size=1):\n"
     "    return host.compute(data, backend='NAME')"),
     "import host\ndef compute(data, size=1):\n    return host.compute(data, backend='another')"),
    ("error", "recursion", "compute", ("import host\naliases = ['NAME-alias']\n"
     "def compute(data, size=1): return host.compute(data, backend=aliases_[0])\n"
     "def compute(data, size=1): return host.compute(data, backend='NAME-alias')"),
     ("import host\ndef compute(data, size=1, *, _on='NAME'):\n"
      "    return host.compute(data, backend=_on)")),
    ("error", "recursion", "compute", ("import host\ndef compute(data, size=1):\n"
     "    return host.compute(data, backend=name)"),
     ("import host\ndef compute(data, size=1):\n    name = data.best()\n"
      "    return host.compute(data, backend=name)")),
    ("error", "recursion", "compute", ("import host\ndef compute(data, size=1):\n"
     "    return host.compute(data, backend=None)"),
     ("import host\ndef compute(data, size=1, **_more):\n"
      "    return host.compute(data, **_more)")),
    ("error", "recursion", "compute", "from host import compute",
     "from host import compute as hosts"),
    ("error", "recursion", "fetch", "from host import fetch", "import host\n_own = host.fetch"),
    ("note", "other-default", "compute", "def compute(data, size=2): pass",
     "def compute(data, size=1.0): pass"),
    ("note", "other-default", "compute", "def compute(data, size=None): pass",
     "def compute(data, *, size=True): pass"),
    ("note", "other-default", "compute", ("class _Odd:\n    def __eq__(self, other): 1 / 0\n"
     "    __repr__ = __eq__\ndef compute(data, size=_Odd()): pass").replace("= __eq__", "= None"),
     ("class _Odd:\n    def __eq__(self, other): 1 / 0\n    def __repr__(self): return '1'\n"
      "def compute(data, size=_Odd()): pass")),
    ("warning", "unavailable", None, "def is_available(): return False",
     "def is_available(): return True"),
    ("warning", "unavailable", None, "def is_available(): return 'no device'", ""),
    ("warning", "unavailable", None, "def is_available(): raise OSError('no driver')", ""),
    ("warning", "unavailable", None, "async def is_available(): return True", ""),
    ("warning", "label", None, "aliases = 'bare'", "aliases = ['bare-NAME']"),
    ("warning", "label", None, "aliases = ['-bad-NAME']", "aliases = ('good-NAME',)"),
    ("warning", "label", None, "aliases = ['cpu']", "aliases = ['CPU-NAME']"),
    ("warning", "computed-label", None, "aliases = ['x' + str(1) + 'NAME']", ""),
    ("warning", "eager-import", None, "import heavy_lump", ("def compute(data, size=1):\n"
     "    import heavy_lump")),
    ("warning", "eager-import", None, ("try:\n    from heavy_lump import x\nexcept ImportError:\n"
     "    x = 0"), "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import heavy_lump"),
    ("warning", "eager-import", None, "class _Inner:\n    import heavy_lump",
     "import json, decimal, host"),
    ("warning", "no-such-function", None, "def computee(data): pass", "def elsewhere(data): pass"),
    ("warning", "no-such-function", None, ("__all__ = ['compute', 'elsewhere']\n"
     "def elsewhere(): pass"), "__all__ = ['compute', 'name']"),
    ("warning", "no-such-function", None, "def tun(data): pass", "def tu(data): pass"),
    ("warning", "no-such-function", None, "computee = lambda data: data",
     "class Compute: pass\nfrom typing import TypeVar\nFetc = TypeVar('Fetc')"),
    ("warning", "no-such-function", None, "def computee(data): pass",
     "from operator import add as computee"),
    ("warning", "empty", None, "compute = None", "compute = None\ndef tune(data, **o): pass"),
    ("warning", "empty", None, "compute = None; __all__ = ['compute']",
     "fetch = None; __all__ = ['compute', 'fetch']"),
    ("warning", "empty", None, f"del compute\n{NONE}", NONE),
    ("warning", "empty", None, "del compute; __all__ = []",
     "del compute; __all__ = ['tune']\ndef tune(data, **o): pass"),
    ("warning", "missing-parameter", "summarize", "def summarize(data): pass",
     "def summarize(data, weights): pass"),
    ("warning", "missing-parameter", "compute", ("def compute(data, sizes=1):\n"
     "    '''Parameters\n    ----------\n    sizes\n        How many.'''"), ""),
    ("note", "missing-parameter", "compute", "def compute(data): pass",
     "def compute(data, **more): pass"),
    ("note", "required", "compute", "def compute(data, size): pass",
     "def compute(data, size=1): pass"),
    ("warning", "no-var-positional", "stack", "def stack(*, axis=0): pass",
     "def stack(*arrays, axis=0): pass"),
    ("note", "no-var-keyword", "tune", "def tune(data): pass", "def tune(data, **more): pass"),
    ("warning", "undocumented-option", "compute", "def compute(data, size=1, *, depth=2): pass",
     ("def compute(data, size=1, *, depth=2):\n    '''Compute.\n\n    Other Parameters\n"
     "    ----------------\n    depth : int\n        How deep.\n    '''")),
    ("warning", "undocumented-option", "compute", ("def compute(data, size=1, *, depth=2):\n"
     "    '''It has a depth.'''"), "def compute(data, size=1, *, _depth=2): pass"),
    ("warning", "unreachable-option", "compute", "def compute(depth=1, /, data=0, size=1): pass",
     "def compute(data, /, size=1): pass"),
    ("warning", "prints", None, "print('x')", "def compute(data, size=1): print('x')"),
]  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What is told of each of them, by whether it is the one past the finding and by number."""
    place = Place(tmp_path_factory.mktemp("findings") / "place")
    place.write({"host.py": HOST, "heavy_lump.py": "x = 1"})
    for number, (*_, source, past) in enumerate(FINDINGS):
        for prefix, text in (("f", source), ("p", past)):
            name = f"{prefix}{number}"
            text = text.replace("NAME", name)  # no alias is claimed twice
            place.install(name, f"name = {name!r}\n{WHOLE}\n{text}\n")
    report = place.doctor("host", "--timeout", "60")
    return {backend["name"]: backend for backend in report["backends"]}


@pytest.mark.parametrize("number", range(len(FINDINGS)), ids=lambda n: f"{n}-{FINDINGS[n][1]}")
def test_what_is_wrong_with_an_adapter_is_found(found, number):
    severity, code, function, *_ = FINDINGS[number]
    backend = found[f"f{number}"]
    assert codes(backend) == [(severity, code, function)], findings(backend)
    assert backend["ok"] == (severity == "note")


@pytest.mark.parametrize("number", range(len(FINDINGS)), ids=lambda n: f"{n}-{FINDINGS[n][1]}")
def test_of_an_adapter_just_past_that_nothing_is_said(found, number):
    backend = found[f"p{number}"]
    assert codes(backend) == [], findings(backend)
    assert (backend["ok"], backend["state"]) == (True, "loaded")


def test_what_is_wrong_is_told_in_words_that_help(place):
    place.install("b", """
        name = "b"
        __all__ = ["compute", "sumarize"]
        def compute(data, sizes=1): pass
        def sumarize(data): pass
        """)  # fmt: skip
    (backend,) = place.doctor("host")["backends"]
    messages = " ".join(f["message"] for f in findings(backend))
    assert "'sumarize'" in messages
    assert "Did you mean 'summarize'?" in messages
    assert "Did you mean 'size' by 'sizes'?" in messages


def test_the_worst_findings_come_first(place):
    source = """
name = "b"
aliases = "bare"
__all__ = ["compute", "fetch", "tune", "elsewhere"]
def elsewhere(): pass
def compute(data): pass
def fetch(data): pass
def tune(data, *, depth=3): pass
"""
    place.install("b", source)
    (backend,) = place.doctor("host", status=1)["backends"]
    severities = [finding["severity"] for finding in backend["findings"]]
    assert set(severities) == {"error", "warning", "note"}
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


def test_what_each_backend_implements_and_imports_is_told(place):
    place.write({"lump_of_lead.py": "import time; time.sleep(0.3)"})
    lazy = """
name = "lazy"
__all__ = ["compute", "tune"]
def __getattr__(attribute):
    if attribute not in __all__:
        raise AttributeError(attribute)
    import lump_of_lead
    return lambda data, **more: data
"""
    place.install("lazy", lazy)
    place.install("eager", "name = 'eager'\nimport lump_of_lead\n" + WHOLE)
    report = place.doctor("host")
    lazy, eager = one(report, "lazy"), one(report, "eager")
    assert (lazy["functions"], eager["functions"]) == (["compute", "tune"], ["compute"])
    assert "lump_of_lead" in lazy["imports"]["reading"]
    assert "lump_of_lead" not in lazy["imports"]["loading"]
    assert "lump_of_lead" in eager["imports"]["loading"]
    assert eager["seconds"]["loading"] >= eager["imports"]["loading"]["lump_of_lead"] > 0
    assert (codes(lazy), [code for _, code, _ in codes(eager)]) == ([], ["eager-import"])


def test_functions_that_only_running_code_tells_are_read(place):
    source = """
name = "b"
def __getattr__(attribute):
    if attribute == "compute":
        return lambda data, size=1: data
    raise AttributeError(attribute)
"""
    place.install("b", source)
    (backend,) = place.doctor("host", status=0)["backends"]
    assert (backend["functions"], codes(backend)) == (["compute"], [])


def test_an_adapter_may_be_a_class_in_a_package(place):
    source = "class Adapter:\n    name = 'b'\n    def compute(self, data, size=1): return data\n"
    place.write({"pack/__init__.py": "", "pack/inner.py": source})
    place.install("unused", "1 / 0", entry_name="b = pack.inner:Adapter\n# ")
    (backend,) = place.doctor("host", status=0)["backends"]
    assert (backend["name"], backend["functions"], codes(backend)) == ("b", ["compute"], [])


def test_what_a_function_prints_or_does_when_it_is_called_does_not_matter(place):
    place.install("b", "name = 'b'\ndef compute(data, size=1):\n    print('x'); exit(3)\n")
    assert codes(one(place.doctor("host", status=0), "b")) == []


def messages(backend, code):
    return [f["message"] for f in findings(backend) if f["code"] == code]


#: Constructors and methods of a class; the host's is the first.
CLASS = """
from dataclasses import dataclass
from functools import cached_property

@dispatcher.backend_class
class Model:
    def __init__(self, k, size=1, *, seed=0): self.k = k
    def fit(self, data): return self
    def transform(self, data): return data
    @property
    def size_(self): return 1
    @cached_property
    def score_(self): return 1
    @classmethod
    def load(cls): return cls(1)
    limit = 3
    class Inner: pass
    def _private(self): pass

@dispatcher.backend_class
@dataclass
class Point:
    x: int
    y: int = 0

@dispatcher.backend_class
class Loose:
    def __init__(self, *args, **kwargs): pass
"""
METHODS = """
    def fit(self, data): return self
    def transform(self, data): return data
    def load(self): pass
    size_ = score_ = 0
"""
INIT = "    def __init__(self, k, size=1, *, seed=0):\n        pass\n"
DATA = "from dataclasses import dataclass\nfrom typing import NamedTuple\n"
REST = "    def transform(self, data): 0\n    load = None\n"
CLASSES = {
    "the same": (f"class Model:\n{INIT}{METHODS}", []),
    "lacks an optional": (
        f"class Model:\n    def __init__(self, k, *, seed=0): pass\n{METHODS}",
        [("warning", "missing-parameter")],
    ),
    "lacks a required": (
        f"class Model:\n    def __init__(self, *, size=1, seed=0): pass\n{METHODS}",
        [("error", "missing-parameter")],
    ),
    "has another name": (
        f"class Model:\n    def __init__(self, n, size=1, *, seed=0): pass\n{METHODS}",
        [("warning", "missing-parameter")],
    ),
    "positional only": (
        f"class Model:\n    def __init__(self, k, /, size=1, *, seed=0): pass\n{METHODS}",
        [("warning", "missing-parameter")],
    ),
    "requires more": (
        f"class Model:\n    def __init__(self, k, size=1, *, seed=0, dev): pass\n{METHODS}",
        [("error", "required-option")],
    ),
    "requires an optional": (
        f"class Model:\n    def __init__(self, k, size, *, seed=0): pass\n{METHODS}",
        [("error", "required-option")],
    ),
    "an option": (
        f"class Model:\n    def __init__(self, k, size=1, *, seed=0, dev=0): pass\n{METHODS}",
        [],
    ),
    "takes anything": (f"class Model:\n    def __init__(self, *a, **k): pass\n{METHODS}", []),
    "keywords": (f"class Model:\n    def __init__(self, k, **more): pass\n{METHODS}", []),
    "no constructor": (
        f"class Model:\n{METHODS}",
        [("error", "missing-parameter"), *[("warning", "missing-parameter")] * 2],
    ),
    "no signature": (f"class Model:\n    __signature__ = 3\n{METHODS}", []),
    "no methods": (f"class Model:\n{INIT}", [("warning", "missing-method")]),
    "inherited": (f"class _Base:\n{INIT}{METHODS}\nclass Model(_Base): pass", []),
    "sets them": (
        f"class Model:\n{INIT}{REST}    def fit(self, d): self.size_ = self.score_ = 1\n",
        [],
    ),
    "sets one": (
        f"class Model:\n{INIT}{REST}    def fit(self, d): self.size_ = 1\n",
        [("warning", "missing-method")],
    ),
    "computes them": (f"class Model:\n{INIT}    def __getattr__(self, name): 0\n", []),
    "derives": ("import host\nclass Model(host.Model):\n    def __init__(self): pass\n", []),
    "dataclass": (
        f"{DATA}@dataclass(frozen=True)\nclass Point:\n    x: int\n    y: int = 0",
        [],
    ),
    "another dataclass": (
        f"{DATA}@dataclass\nclass Point:\n    x: int\n    y: int\n",
        [("error", "required-option")],
    ),
    "a tuple": (f"{DATA}class Point(NamedTuple):\n    x: int\n    y: int = 0", []),
    "of a loose one": ("class Loose:\n    def __init__(self, x): pass\n", []),
    "calls itself": (
        f"import host\nclass Model:\n{METHODS}{INIT}        self.inner = host.Model(k)\n",
        [("error", "recursion")],
    ),
    "calls itself by name": (
        f"import host\nclass Model:\n{METHODS}{INIT}        host.Model(k, backend='NAME')\n",
        [("error", "recursion")],
    ),
    "calls the host's": (
        f"import host\nclass Model:\n{METHODS}{INIT}        host.Model(k, backend='cpu')\n",
        [],
    ),
    "the host's own": ("from host import Model", [("error", "export")]),
}  # fmt: skip


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """What is told of each of the classes, by its name."""
    place = Place(tmp_path_factory.mktemp("classes") / "place")
    place.write({"host.py": HOST + CLASS})
    names = {case: f"c{number}" for number, case in enumerate(CLASSES)}
    for case, name in names.items():
        source = CLASSES[case][0].replace("NAME", name)
        place.install(name, f"name = {name!r}\n{WHOLE}\n{source}\n")
    report = place.doctor("host", "--timeout", "60")
    return {case: one(report, name) for case, name in names.items()}


@pytest.mark.parametrize("case", CLASSES)
def test_where_a_class_is_not_like_the_hosts_is_told(classes, case):
    told = [(severity, code) for severity, code, _ in codes(classes[case])]
    assert told == CLASSES[case][1], findings(classes[case])


def test_what_a_class_lacks_is_named(classes):
    (text,) = messages(classes["no methods"], "missing-method")
    assert text == (
        "It lacks what the host's class has: 'fit', 'load', 'score_', 'size_', 'transform'."
    )
    (text,) = messages(classes["sets one"], "missing-method")
    assert text.endswith("has: 'score_'.")
    (text,) = messages(classes["has another name"], "missing-parameter")
    assert text == "Its constructor takes no 'k' by name: one that gives it raises a TypeError."


def test_of_many_methods_only_some_are_named(place):
    methods = "".join(f"    def m{number}(self): pass\n" for number in range(9))
    place.write({"host.py": f"{HOST}\n@dispatcher.backend_class\nclass Big:\n{methods}"})
    place.install("b", "name = 'b'\nclass Big: pass\n")
    (text,) = messages(one(place.doctor("host", status=1), "b"), "missing-method")
    assert text.endswith("'m0', 'm1', 'm2', 'm3', 'm4' and 4 more.")


def test_the_two_defaults_are_shown(place):
    source = "class _Long:\n    def __repr__(self): return 'x\\n' * 99\n"
    source += "def compute(data, size=2): pass\ndef stack(*arrays, axis=_Long()): pass\n"
    place.install("b", f"name = 'b'\n{source}")
    text, long = messages(one(place.doctor("host", status=0), "b"), "other-default")
    assert text == (
        "It has 2 as the default of 'size', and the host has 1: a call that does not give it "
        "gets the backend's."
    )
    assert "x x..." in long
    assert len(long) < 160


def test_arrays_as_defaults_are_compared_by_what_they_show(place):
    numpy = "import numpy as np\n"
    place.write({"host.py": numpy + HOST.replace("size=1", "size=np.ones(2), rest=np.nan")})
    for name, size in (("same", "np.ones(2)"), ("other", "np.zeros(2)")):
        source = f"def compute(data, size={size}, rest=float('nan')): pass\n"
        place.install(name, f"{numpy}name = '{name}'\n{source}")
    report = place.doctor("host")
    assert messages(one(report, "same"), "other-default") == []
    assert "array([0., 0.])" in messages(one(report, "other"), "other-default")[0]


@pytest.mark.parametrize(
    "source",
    [
        "compute = None",
        "compute = None\n__all__ = ['compute']",
        NONE,
        f"{NONE}__all__ = ['compute']",
    ],
)
def test_what_is_none_does_not_count_as_implemented(place, source):
    place.install("b", f"name = 'b'\n{source}\ndef summarize(data, weights): pass\n")
    place.install("c", f"name = 'c'\n{source}\n")
    report = place.doctor("host", status=1)
    assert one(report, "c")["functions"] == []
    assert "empty" in [code for _, code, _ in codes(one(report, "c"))]
    assert "compute" not in one(report, "b")["functions"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("os._exit(3)", ""),
        ("os.write(2, b'so long'); os._exit(3)", " Its last words: so long"),
        ("os.write(2, b'so long\\n\\n'); os._exit(3)", " Its last words: so long"),
    ],
)
def test_the_last_words_of_a_process_are_its_own(place, source, words):
    place.write({"host.py": f"import sys\nsys.stderr.write('of the host')\n{HOST}"})
    place.install("b", f"name = 'b'\nimport os\n{source}\n")
    (text,) = messages(one(place.doctor("host"), "b"), "probe-failed")
    assert text == f"It ended the interpreter with status 3 while loading b.{words}"


def test_an_entry_point_that_is_called_otherwise_is_one_more_alias(place):
    place.install("b", "name = 'b'\n" + WHOLE, entry_name="other")
    place.install("c", "name = 'c'\naliases = ['also']\n" + WHOLE, entry_name="also")
    report = place.doctor("host", status=0)
    assert messages(one(report, "b"), "entry-point-name") == [
        "Its entry point is not called 'b': 'other' is one more alias."
    ]
    assert codes(one(report, "c")) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "def is_available(): raise RuntimeError('old')",
            "is_available() raised RuntimeError: old",
        ),
        ("is_available = True", "its is_available is True, which is not callable; it has"),
        ("def is_available(): return 1", "is_available() returned 1 (int); it has to return True,"),
        ("def is_available(): return False", "is_available() returned False."),
        ("def is_available(): return 'no device'", "It cannot run here: no device."),
    ],
)
def test_why_a_backend_cannot_run_is_told_with_who_said_so(place, source, reason):
    place.install("b", f"name = 'b'\n{source}\n{WHOLE}")
    (text,) = messages(one(place.doctor("host"), "b"), "unavailable")
    assert reason in text


def test_how_an_option_is_documented_is_told_where_it_was_meant_to_be(place):
    doc = "Compute.\n\n    Args:\n        tile: How large.\n    "
    source = f"def compute(data, size=1, *, tile=3, depth=2):\n    {doc!r}\n"
    place.install("b", f"name = 'b'\n{source}")
    depth, tile = sorted(messages(one(place.doctor("host"), "b"), "undocumented-option"))
    assert depth == "Its option 'depth' is not described in its docstring."
    assert "numpydoc has it: 'tile : type', with a text below it, under Parameters or" in tile


def test_kinds_of_functions_are_named_as_python_names_them(place):
    source = "async def compute(data, size=1): pass\ndef summarize(data, weights): yield\n"
    source += "async def steps(data): yield\ndef fetch(data): pass\n"
    place.install("b", f"name = 'b'\n{source}")
    assert messages(one(place.doctor("host"), "b"), "kind") == [
        "It is a coroutine function, and the host's is a function.",
        "It is a function, and the host's is a coroutine function.",
        "It is an async generator function, and the host's is a generator function.",
        "It is a generator function, and the host's is a function.",
    ]


def test_labels_of_what_has_no_source_cannot_be_read(place):
    place.install("b", "name = 'b'\n" + WHOLE)
    source = place.folder / "b_adapter.py"
    py_compile.compile(str(source), cfile=str(place.folder / "b_adapter.pyc"))
    source.unlink()
    backend = one(place.doctor("host", status=0), "b")
    assert codes(backend) == [("note", "computed-label", None)]
    assert "no source that can be read" in messages(backend, "computed-label")[0]


@pytest.mark.parametrize(
    "made", ["Adapter(1)", "make()", "Adapter() if 1 else 0", "Adapter.make()"]
)
def test_labels_of_an_object_are_those_of_its_class(place, made):
    source = "class Adapter:\n    name = 'b'\n    def __init__(self, x=0): pass\n"
    source += (
        "    def compute(self, data, size=1): pass\n    make = classmethod(lambda cls: cls())\n"
    )
    place.write({"pack.py": f"{source}make = Adapter\nadapter = {made}\nplain = Adapter()\n"})
    place.install("unused", "", entry_name="b = pack:adapter\n#")
    backend = one(place.doctor("host"), "b")
    assert codes(backend) == [("warning", "computed-label", None)]
    (text,) = messages(backend, "computed-label")
    assert "in the body of a class in pack" in text
    assert "calling it without arguments" in text
    assert "top level" not in text
    place.install("unused", "", entry_name="b = pack:plain\n#")
    assert codes(one(place.doctor("host"), "b")) == []


def test_what_may_be_no_function_of_the_host_can_be_left_out(place):
    place.install("b", f"name = 'b'\n{WHOLE}def computee(data): pass\n")
    place.install("c", f"name = 'c'\n{WHOLE}tu = computee = len\n__all__ = ['compute', 'tu']\n")
    report = place.doctor("host")
    (text,) = messages(one(report, "b"), "no-such-function")
    assert text == (
        "It exports 'computee', and host has no function of that name. Did you mean 'compute'? "
        "If it is no function of the host, list the exports in __all__."
    )
    assert messages(one(report, "c"), "no-such-function") == [
        "It exports 'tu', and host has no function of that name."
    ]


# -- one backend of several ----------------------------------------------------------------


def test_one_backend_can_be_looked_at_alone_and_no_other_runs(place):
    place.install("wanted", "name = 'wanted'\naliases = ['w']\n" + WHOLE)
    place.install("other", MARK + "name = 'other'\nimport os\nos.abort()\n" + WHOLE)
    for label in ("wanted", "w"):
        report = place.doctor("host", label, status=0)
        assert [backend["name"] for backend in report["backends"]] == ["wanted"]
    assert ran(place) == []


def test_an_alias_that_the_host_gives_names_a_backend_too(place):
    place.install("pinned", "name = 'pinned'\n" + WHOLE)
    report = place.doctor("host", "by-the-host", status=0)
    assert [backend["name"] for backend in report["backends"]] == ["pinned"]


def test_a_backend_that_is_not_there_is_named_with_those_that_are(place):
    place.install("b", "name = 'b'\n" + WHOLE)
    report = place.doctor("host", "nope", status=1)
    assert "no backend 'nope'" in report["problem"]
    assert report["problem"].endswith("Installed: b.")
    report = place.doctor("host", "absent", status=1)
    assert "pip install absent-package" in report["problem"]
    done = place.run("doctor", "host", "nope")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no backend 'nope'" in done.stderr


def test_listed_backends_that_are_not_installed_are_told_with_how_to_get_them(place):
    report = place.doctor("host", status=0)
    absent = {"name": "absent", "aliases": [], "install": "pip install absent-package"}
    assert absent in report["not_installed"]
    text = place.run("doctor", "host").stdout
    assert "absent: not installed: pip install absent-package" in text
    assert "No backends are installed." in text
    assert text.rstrip().endswith("All is well.")


def test_a_name_that_the_host_reserves_is_told_with_its_reason(place):
    reserved = "reserved_backends={'gpu': 'Choose a concrete one.'},\n    host_name"
    place.write({"host.py": HOST.replace("host_name", reserved)})
    problem = place.doctor("host", "gpu", status=1)["problem"]
    assert problem == "'gpu' is reserved by host: Choose a concrete one. Installed: none."
    assert "own implementation" in place.doctor("host", "cpu", status=1)["problem"]
    assert "reserved" not in place.doctor("host", "tpu", status=1)["problem"]


@pytest.mark.parametrize(
    "between", [("--timeout", "50"), ("--json",), ("--timeout", "50", "--json")]
)
def test_options_may_stand_between_a_host_and_a_backend(place, between):
    place.install("b", "name = 'b'\n" + WHOLE)
    place.install("c", "name = 'c'\n" + WHOLE)
    report = place.doctor("host", *between, "b", status=0)
    assert [backend["name"] for backend in report["backends"]] == ["b"]
    for more in (("b", "c"), ("b", "--nope"), ("--nope",)):
        done = place.run("doctor", "host", *between, *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert "unrecognized arguments" in done.stderr


# -- trust and conflicts -------------------------------------------------------------------


def test_who_is_refused_is_never_imported(place):
    place.install("impostor", MARK + "name = 'impostor'\n" + WHOLE)
    place.install("pinned", MARK + "name = 'pinned'\n" + WHOLE, distribution="somebody-else")
    place.install("honest", "name = 'honest'\n" + WHOLE)
    report = place.doctor("host", status=1)
    for name in ("impostor", "pinned"):
        (finding,) = findings(one(report, name))
        assert (finding["severity"], finding["code"]) == ("error", "refused")
        assert "never imported" in finding["message"]
        assert one(report, name)["state"] == "refused"
        assert not one(report, name)["trusted"]
    assert one(report, "honest")["ok"]
    for arguments in (
        ["doctor", "host", "impostor"],
        ["doctor", "host", "by-the-host"],
        ["list"],
        ["list", "host"],
        ["coverage", "host"],
        ["explain", "host.compute", "--backend", "impostor"],
        ["explain", "host.compute", "--backend", "by-the-host"],
    ):
        place.run(*arguments, env={"HOST_BACKEND": "impostor,pinned"})
    assert ran(place) == []


def test_under_required_trust_nobody_unlisted_is_imported(place):
    place.install("stranger", MARK + "name = 'stranger'\n" + WHOLE)
    place.install("secretive", MARK + "name = 'sec' + 'ret'\n" + WHOLE)
    place.install("pinned", "name = 'pinned'\n" + WHOLE)
    tightened = {"HOST_BACKEND_TRUST": "require", "HOST_BACKEND": "nope"}
    report = place.doctor("host", status=1, env=tightened)
    assert report["host"]["trust"] == "require"
    assert one(report, "stranger")["state"] == one(report, "secretive")["state"] == "refused"
    assert codes(one(report, "stranger")) == [("error", "refused", None)]
    assert one(report, "pinned")["ok"]
    assert one(report, "pinned")["trusted"]
    for name in ("stranger", "secretive", "secret", "nope"):
        place.run("doctor", "host", name, env=tightened)
        place.run("explain", "host.compute", "--backend", name, env=tightened)
    place.run("coverage", "host", env=tightened)
    assert ran(place) == []


def test_two_that_claim_a_name_are_both_told_of_it(place):
    place.install("one", "name = 'same'\n" + WHOLE, distribution="a-dist")
    place.install("two", MARK + "name = 'same'\n" + WHOLE, distribution="b-dist")
    report = place.doctor("host", status=1)
    first, second = sorted(report["backends"], key=lambda backend: backend["distribution"])
    assert ("warning", "conflict", None) in codes(first)
    assert "b-dist" in str(findings(first))
    assert codes(second) == [("error", "refused", None)]
    assert "a-dist" in str(findings(second))
    assert ran(place) == []


def test_two_that_claim_an_alias_are_both_told_of_it(place):
    place.install("one", "name = 'one'\naliases = ['fast']\n" + WHOLE)
    place.install("two", "name = 'two'\naliases = ['fast']\n" + WHOLE)
    place.install("three", "name = 'three'\naliases = ['faster']\n" + WHOLE)
    report = place.doctor("host", status=1)
    messages = {b["name"]: [f["message"] for f in findings(b)] for b in report["backends"]}
    assert "which has it" in str(messages["one"])
    assert "which does not get it" in str(messages["two"])
    assert "'fast'" in str(messages["two"])
    assert messages["three"] == []


def test_that_a_host_does_not_list_a_backend_is_worth_a_note(place):
    place.install("pinned", "name = 'pinned'\n" + WHOLE)
    place.install("stranger", "name = 'stranger'\n" + WHOLE)
    report = place.doctor("host", status=0)
    assert findings(one(report, "pinned"), unlisted=True) == []
    (finding,) = findings(one(report, "stranger"), unlisted=True)
    assert (finding["severity"], finding["code"]) == ("note", "unlisted")
    assert "trusted     no" in place.run("doctor", "host", "stranger").stdout


# -- environment variables -----------------------------------------------------------------


def variables(report):
    return {variable["name"]: variable for variable in report["variables"]}


@pytest.mark.parametrize(
    ("value", "effect", "problem"),
    [
        ("", "host's own implementation", None),
        ("cpu", "'cpu'", None),
        ("b", "'b'", None),
        ("b, cpu", "'b', then 'cpu'", None),
        ("bb", "raise", "Did you mean 'b'?"),
        ("absent", "raise", "pip install absent-package"),
        ("absent, b", "'b', unless", None),
        ("absent, nope", "raise", "Backend 'absent'"),
        ("gpu", "raise", "Choose a concrete one."),
        ("impostor", "raise", "Refusing trusted backend"),
        ("b, nope", "raise", "Unknown backend 'nope'"),
    ],
)
def test_the_variable_that_chooses_is_shown_with_what_it_does(place, value, effect, problem):
    place.write({"host.py": HOST.replace("host_name", "reserved_backends={'gpu': "
                                         "'Choose a concrete one.'},\n    host_name")})  # fmt: skip
    place.install("b", "name = 'b'\n" + WHOLE)
    place.install("impostor", MARK + "name = 'impostor'\n" + WHOLE)
    variable = variables(place.doctor("host", env={"HOST_BACKEND": value}))["HOST_BACKEND"]
    assert variable["value"] == (value or None)
    assert effect in variable["effect"]
    if problem is None:
        assert variable["problem"] is None
    else:
        assert problem in variable["problem"]
        assert "HOST_BACKEND" in variable["problem"]


def test_variables_that_make_no_sense_are_not_all_well(place):
    for variable in ("HOST_BACKEND", "HOST_BACKEND_TRUST"):
        report = place.doctor("host", status=1, env={variable: "maybe"})
        assert "maybe" in variables(report)[variable]["problem"]
        text = place.run("doctor", "host", env={variable: "maybe"}).stdout
        assert f"{variable}=maybe" in text
        assert text.rstrip().endswith("Not all is well.")
    assert place.doctor("host", status=0, env={"HOST_BACKEND_TRUST": " Require "})["ok"]


def test_an_unknown_name_in_the_variable_runs_nobody_to_look_for_it(place):
    place.install("secretive", "name = 'sec' + 'ret'\nimport time; time.sleep(1000)\n" + WHOLE)
    place.install("b", "name = 'b'\n" + WHOLE)
    report = place.doctor("host", "--timeout", "3", env={"HOST_BACKEND": "nope"})
    assert one(report, "b")["ok"]


def test_a_host_without_a_variable_says_so(place):
    place.write({"host.py": HOST.replace("host_name=", "env_var=None, host_name=")})
    report = place.doctor("host", status=0, env={"HOST_BACKEND": "nope"})
    assert any("reads no variable" in variable["effect"] for variable in report["variables"])
    assert "reads no variable" in place.run("doctor", "host").stdout


MISSPELT = {
    "HOST_BACKENDS": "HOST_BACKEND",
    "HOSTBACKEND": "HOST_BACKEND",
    "HSOT_BACKEND": "HOST_BACKEND",
    "host_backend": "HOST_BACKEND",
    "HOST_BACKND": "HOST_BACKEND",
    "HOST_BACKEND_TRSUT": "HOST_BACKEND_TRUST",
    "HOST_BACKENDS_TRUST": "HOST_BACKEND_TRUST",
}
#: What the host, or anybody else, may well read.
UNSUSPICIOUS = (
    "HOST",
    "HOST_BACK",
    "HOST_BACKUP",
    "HOST_BACKEND_DIR",
    "HOST_BACKEND_TEST",
    "HOST_DASK_BACKEND",
    "HOST2_BACKEND",
    "HOSTS_BACKEND",
    "GHOST_BACKEND",
    "COST_BACKEND",
    "BACKEND",
)


def test_a_variable_that_is_nearly_the_hosts_is_told_with_what_was_meant(place):
    report = place.doctor("host", status=0, env=dict.fromkeys(MISSPELT, "b"))
    told = variables(report)
    assert set(told) == {"HOST_BACKEND", "HOST_BACKEND_TRUST", *MISSPELT}
    for name, meant in MISSPELT.items():
        assert told[name] == {
            "name": name,
            "value": "b",
            "effect": f"Not read by backstack. Did you mean {meant!r}?",
            "problem": None,
        }
    assert told["HOST_BACKEND"]["value"] is None
    text = place.run("doctor", "host", env={"HOST_BACKENDS": "b"}).stdout
    assert "HOST_BACKENDS=b\n    Not read by backstack. Did you mean 'HOST_BACKEND'?" in text


def test_variables_of_others_and_empty_ones_are_not_told(place):
    env = {**dict.fromkeys(UNSUSPICIOUS, "b"), **dict.fromkeys(MISSPELT, "")}
    report = place.doctor("host", status=0, env=env)
    assert set(variables(report)) == {"HOST_BACKEND", "HOST_BACKEND_TRUST"}


def test_a_variable_that_another_host_reads_is_not_told(place):
    place.write({"host.py": HOST + TWO.replace('"first"', '"ho-st"').replace('"second"', '"hsot"')})
    place.install("b", "name = 'b'\n" + WHOLE, group="h_ost.backends")
    place.write(
        {
            "decl-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: decl\nVersion: 1.0\n",
            "decl-1.0.dist-info/entry_points.txt": "[backstack.hosts]\nhos-t = nowhere:x\n",
        }
    )
    hosts = ("HO_ST", "HSOT", "H_OST", "HOS_T")
    env = dict.fromkeys([f"{host}_BACKEND{end}" for host in hosts for end in ("", "_TRUST")], "b")
    report = place.doctor("host:dispatcher", status=0, env={**env, "_HOST_BACKEND": "b"})
    assert set(variables(report)) == {"HOST_BACKEND", "HOST_BACKEND_TRUST", "_HOST_BACKEND"}


@pytest.mark.parametrize(
    ("configured", "env", "told"),
    [
        ("'RUN_WITH'", ["RUN_WIHT", "HOST_BACKENDS", "RUN_WIDTH", "RUN"], ["RUN_WIHT"]),
        ("'DEVICE'", ["DEVICES", "DEVICE2", "DEVCIE"], ["DEVCIE"]),
        ("None", ["HOST_BACKENDS", "HOST_BACKEND_TRUTS"], ["HOST_BACKEND_TRUTS"]),
    ],
)
def test_variables_of_a_host_that_names_its_own(place, configured, env, told):
    place.write({"host.py": HOST.replace("host_name=", f"env_var={configured}, host_name=")})
    report = place.doctor("host", status=0, env=dict.fromkeys(env, "b"))
    assert sorted(v["name"] for v in report["variables"] if "mean" in v["effect"]) == told


# -- hosts ---------------------------------------------------------------------------------

TWO = """
from backstack import BackendDispatcher
first = BackendDispatcher(entrypoint_group="host.backends", host_name="first")
second = BackendDispatcher(entrypoint_group="host.backends", host_name="second")
"""


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("x = = 1", "SyntaxError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "ended the interpreter with status 0 while importing broken"),
        ("import os; os._exit(4)", "ended the interpreter with status 4 while importing broken"),
        ("import os; os.abort()", "crashed the interpreter (SIGABRT) while importing broken"),
        ("import time; time.sleep(1000)", "did not end within 2 seconds, while importing broken"),
        ("x = 1", "No module of 'broken' has a BackendDispatcher"),
        (TWO, "has several dispatchers, of 'first', 'second'; choose: MODULE:ATTRIBUTE"),
    ],
)
def test_a_host_that_cannot_be_looked_at_is_a_problem(place, source, problem):
    place.write({"broken.py": f"print('noise')\n{source}"})
    report = place.doctor("broken", "--timeout", "2", status=1)
    assert problem in report["problem"]
    done = place.run("doctor", "broken", "--timeout", "2")
    assert (done.returncode, done.stdout) == (1, "")
    assert problem in done.stderr
    done = place.run("coverage", "broken", "--timeout", "2", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["problem"]


def test_a_host_that_is_not_there_is_a_problem(place):
    for name in ("no-such-host", "host.no_such", "a b", "os.path"):
        assert repr(name) in place.doctor(name, status=1)["problem"]
    for name in ("", ":", "host:nope", "host:compute", "nope:x"):
        assert place.doctor(name, status=1)["problem"]


def test_a_host_is_found_by_module_by_place_by_package_and_by_what_it_declares(place):
    place.write(
        {
            "two.py": f"{TWO}\n@second.backend_dispatch\ndef f(): pass\n",
            "deep/__init__.py": "from . import inner\n__version__ = '4.5'\n",
            "deep/inner.py": HOST.replace('"host"', '"deep"'),
            "my_host/__init__.py": "",
            "my_host/hidden.py": HOST.replace('"host"', '"my-host"'),
            "decl-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: decl\nVersion: 1.0\n",
            "decl-1.0.dist-info/entry_points.txt": "[backstack.hosts]\n"
            "my-host = my_host.hidden:dispatcher\n",
        }
    )
    for name, told in {
        "host": "host",
        "host:dispatcher": "host",
        "two:second": "second",
        "deep": "deep",
        "deep.inner": "deep",
        "my-host": "my-host",
        "my_host": "my-host",
        "my_host.hidden": "my-host",
    }.items():
        assert place.doctor(name, status=0)["host"]["host"] == told
    assert place.doctor("deep")["host"]["version"] == "4.5"
    assert place.doctor("deep")["host"]["functions"] == sorted(
        ["compute", "summarize", "fetch", "steps", "stack", "tune"]
    )
    text = place.run("doctor", "deep").stdout
    assert text.startswith("deep 4.5\n")
    assert "dispatches 6 functions" in text


def test_the_group_is_told_and_a_host_without_functions_is_not_well(place):
    assert "  backends are found in the entry-point group 'host.backends'\n" in (
        place.run("doctor", "host").stdout
    )
    place.write({"bare.py": HOST.partition("@backend_dispatch")[0]})
    assert "dispatches 0 functions" in place.doctor("bare", status=1)["host"]["problem"]
    text = place.run("doctor", "bare").stdout
    assert "  warning: It dispatches 0 functions: are the modules with marked functions" in text
    assert text.rstrip().endswith("Not all is well.")


def test_a_misspelt_host_is_told_with_what_was_meant(place):
    place.install("b", "name = 'b'\n" + WHOLE, group="grainlab.backends")
    problem = place.doctor("grainlb", status=1)["problem"]
    assert "There is no host 'grainlb'" in problem
    assert "Did you mean 'grainlab'?" in problem
    assert "Did you mean" not in place.doctor("grainlab", status=1)["problem"]
    assert "Did you mean" not in place.doctor("zzz", status=1)["problem"]


@pytest.mark.parametrize("file", ["lone.py", "lone/__init__.py"])
def test_a_host_in_the_current_folder_is_told_to_be_there(place, tmp_path, file):
    path = tmp_path / "cwd" / file
    path.parent.mkdir(parents=True)
    path.write_text(HOST)
    search = os.pathsep.join(filter(None, [str(place.folder), os.environ.get("PYTHONPATH")]))
    for name in ("lone", "other"):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "backstack", "doctor", name],
            cwd=tmp_path / "cwd", capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": search},
        )  # fmt: skip
        assert done.returncode == 1
        assert ("'python -m backstack' does that" in done.stderr) == (name == "lone")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("host:dispatchr", "says host:dispatchr. host:dispatchr is not there; wanted is"),
        ("host:compute", "and no BackendDispatcher; wanted is MODULE:ATTRIBUTE of a dispatcher"),
        ("host", "host is <module 'host'"),
        ("nowhere:dispatcher", "nowhere:dispatcher is not there; wanted is MODULE:ATTRIBUTE"),
    ],
)
def test_a_host_that_says_wrongly_where_it_is_is_told_what_it_says(place, value, told):
    place.write(
        {
            "decl-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: decl\nVersion: 1.0\n",
            "decl-1.0.dist-info/entry_points.txt": f"[backstack.hosts]\nmine = {value}\n",
        }
    )
    problem = place.doctor("mine", status=1)["problem"]
    assert problem.startswith("The entry point 'mine' in the group 'backstack.hosts' says ")
    assert told in problem
    assert problem.endswith(", such as host:dispatcher.") == ("nowhere" not in value)


def test_a_host_that_fails_is_not_said_to_be_misplaced(place):
    place.write({"broken.py": "import os\nos.no_such_thing\n"})
    for name in ("broken:dispatcher", "broken"):
        assert "has no attribute 'no_such_thing'" in place.doctor(name, status=1)["problem"]


def test_an_unknown_name_in_the_variable_does_not_break_the_import_of_a_host(place):
    path = os.pathsep.join(filter(None, [str(place.folder), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import host; print(host.compute.__name__)"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path, "HOST_BACKEND": "no such thing!"},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("compute\n", "", 0)


def test_interrupting_the_command_ends_what_it_has_started(place):
    source = """
name = "b"
import os, pathlib, time
pathlib.Path(__file__).with_suffix(".pid").write_text(str(os.getpid()))
time.sleep(1000)
"""
    place.install("b", source)
    pid_file = place.folder / "b_adapter.pid"
    path = os.pathsep.join(filter(None, [str(place.folder), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "doctor", "host"],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (pid_file.exists() and pid_file.read_text()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
        wait_until_gone(int(pid_file.read_text()))
    finally:
        process.kill()
        process.wait()


# -- odd ones ------------------------------------------------------------------------------


def test_what_the_host_prints_is_not_blamed_on_backends(place):
    place.write({"host.py": "print('WELCOME')\n" + HOST})
    place.install("b", "name = 'b'\n" + WHOLE)
    assert codes(one(place.doctor("host"), "b")) == []


def test_calling_the_host_in_a_scope_of_cpu_is_no_recursion(place):
    src = (
        "name='b'\n"
        "import host\n"
        "def compute(data, size=1):\n"
        "    with host.backend('cpu'):\n"
        "        return host.compute(data)\n"
    )
    place.install("b", src)
    assert codes(one(place.doctor("host"), "b")) == []


def test_a_local_name_that_hides_the_hosts_function_is_no_recursion(place):
    src = (
        "name='b'\n"
        "from host import compute as hc\n"
        "def compute(data, size=1):\n"
        "    def hc(x): return x\n"
        "    return hc(data)\n"
    )
    place.install("b", src)
    assert codes(one(place.doctor("host"), "b")) == []


def test_a_method_that_calls_back_is_found_too(place):
    place.write(
        {
            "pack.py": (
                "import host\n"
                "class A:\n"
                "    name='b'\n"
                "    def compute(self, data, size=1): return host.compute(data)\n"
            )
        }
    )
    place.install("unused", "", entry_name="b = pack:A\n#")
    assert ("error", "recursion", "compute") in codes(one(place.doctor("host"), "b"))


@pytest.mark.parametrize("chosen", ["", ", backend='b'", ", backend='cpu'"])
def test_a_class_in_place_of_a_function_that_calls_back_is_found_too(place, chosen):
    source = "class compute:\n    def __init__(self, data, size=1):\n"
    place.install("b", f"name='b'\nimport host\n{source}        host.compute(data{chosen})\n")
    told = [] if "cpu" in chosen else [("error", "recursion", "compute")]
    assert codes(one(place.doctor("host"), "b")) == told


def test_an_unset_closure_variable_does_not_end_the_examination(place):
    src = (
        "name='b'\n"
        "def make():\n"
        "    def compute(data, size=1): return later\n"
        "    return compute\n"
        "    later = 1\n"
        "compute = make()\n"
    )
    place.install("b", src)
    assert one(place.doctor("host"), "b")["state"] == "loaded"


def test_an_odd_object_in_an_adapter_does_not_end_the_examination(place):
    src = (
        "name='b'\n"
        "class P:\n"
        "    @property\n"
        "    def __module__(self): raise RuntimeError('x')\n"
        "    def __call__(self): 0\n"
        "computee = P()\n"
    )
    place.install("b", src + WHOLE)
    assert one(place.doctor("host"), "b")["state"] == "loaded"


def test_each_of_two_with_one_label_is_reported_as_itself(place):
    """The second computes its name; its entry point is called as the first's name."""
    place.install("one", "name = 'same'\n" + WHOLE)
    place.install("two", "name = 'ot' + 'her'\n" + WHOLE, entry_name="same")
    report = place.doctor("host")
    assert sorted(b["distribution"] for b in report["backends"]) == ["one-dist", "two-dist"]


def test_a_backend_whose_label_only_its_code_tells_is_looked_at(place):
    """`host.backend("hidden")` works with it."""
    place.install("b", MARK + "name = 'hid' + 'den'\n" + WHOLE, entry_name="cpu")
    place.doctor("host")
    assert ran(place) == ["b_adapter"]


def test_who_is_found_out_only_when_loaded_is_told_to_be_untrusted(place):
    place.install("renamed", "name = 'other' + ''\n" + WHOLE)
    (backend,) = place.doctor("host", status=1)["backends"]
    assert ("error", "untrusted", None) in codes(backend)  # is probe-failed
    assert backend["state"] == "refused"


def test_a_name_that_the_source_promised_in_vain_is_told_so(place):
    place.install("b", "name = 'b'\nglobals()['name'] = 'c'\n" + WHOLE, entry_name="zzz")
    (backend,) = place.doctor("host", status=1)["backends"]
    assert backend["name"] == "c"
    assert codes(backend) == [("warning", "label", None), ("note", "entry-point-name", None)]


def test_the_worst_findings_come_first_also_with_what_was_printed(place):
    place.install("b", "name = 'b'\nprint('x')\ndef compute(data): pass\n")
    (backend,) = place.doctor("host", status=1)["backends"]
    severities = [finding["severity"] for finding in backend["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)


@pytest.mark.parametrize("source", [
    "import os\nos.close(2)",                    # state failed: OSError: Bad file descriptor
    "import sys\nsys.stderr = 3",                # failed: 'int' object has no attribute 'flush'
    "import sys\nsys.stderr = None",
    "import sys\nsys.stdout = None",             # note prints: OUR traceback
])  # fmt: skip
def test_a_backend_without_standard_streams_works(place, source):
    place.install("b", f"name = 'b'\n{source}\n{WHOLE}")
    backend = one(place.doctor("host"), "b")
    assert (backend["state"], codes(backend)) == ("loaded", [])


def test_json_py_in_the_working_directory_is_not_run(place, tmp_path):
    """With the installed script the folder is not on sys.path; the children run it nevertheless."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    (cwd / "json.py").write_text("open('ran', 'w'); raise SystemExit")
    path = os.pathsep.join(filter(None, [str(place.folder), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "backstack", "doctor", "host"],
        cwd=cwd, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert not (cwd / "ran").exists()
    assert done.returncode == 0


@pytest.mark.parametrize("value", ["{1, 2}", "b'x'", "1j", "...", "[b'x']"])
def test_arguments_that_json_does_not_know_can_be_given(place, value):
    assert place.run("explain", "host.compute", "-a", f"data={value}").returncode == 0


@pytest.mark.parametrize("value", ["{1: 2}", "(1, 2)"])
def test_an_argument_keeps_its_type(place, value):
    place.write({"host.py": HOST.replace("size=1", f"size={value}")})
    place.install("b", "name = 'b'\ndef compute(data): return data\n")
    done = place.run("explain", "host.compute", "--backend", "b", "-a", f"size={value}", "--json")
    assert json.loads(done.stdout)["dropped"] == []  # it is the host's default


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_odd_text_is_printed_on_any_output(place, encoding):
    place.install("b", r"name = 'b'" + "\n" + r"raise ValueError('h\xe9 \udcff')" + "\n")
    path = os.pathsep.join(filter(None, [str(place.folder), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": encoding}
    for arguments in (["doctor", "host"], ["explain", "host.compute", "--backend", "b"]):
        done = subprocess.run(
            [sys.executable, "-m", "backstack", *arguments],
            capture_output=True,
            env=env,
        )
        assert b"Traceback" not in done.stderr, done.stderr[-300:]


def test_a_reader_that_has_enough_is_no_error(place):
    path = os.pathsep.join(filter(None, [str(place.folder), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "backstack", "list"],
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    process.wait()
    assert b"Traceback" not in error


def test_brackets_in_what_is_asked_for_are_no_markup(place):
    place.write({"host.py": "import time; time.sleep(0.5)\n" + HOST})
    done = place.run("explain", "host.compute[/red]")
    assert done.returncode == 1
    assert "host.compute[/red]" in done.stderr or "compute[/red]" in done.stderr


def test_a_lazy_object_that_is_not_set_up_is_no_reason_to_fail(place):
    """As of Django's settings: asking for the class of one raises."""
    lazy = (
        "class L:\n"
        "    @property\n"
        "    def __class__(self): raise RuntimeError('not configured')\n"
        "lazy = L()\n"
    )
    place.write({"host.py": lazy + HOST})
    assert place.run("explain", "host.compute").returncode == 0
    assert place.run("doctor", "host").returncode == 0


def test_an_odd_entry_in_sys_modules_is_no_reason_to_fail(place):
    odd = (
        "import sys\nclass S: __slots__ = ()\nsys.modules['aaa'] = sys.modules['host.odd'] = S()\n"
    )
    place.write({"host.py": odd + HOST})
    assert place.run("doctor", "host").returncode == 0
    assert place.run("explain", "host.compute").returncode == 0


@pytest.mark.parametrize("timeout", ["0", "nan", "1e300"])
def test_a_senseless_time_limit_is_refused_in_words(place, timeout):
    done = place.run("doctor", "host", "--timeout", timeout)
    assert done.returncode == 2
    assert "_seconds" not in done.stderr


def test_imported_modules_are_no_exports(place):
    place.install("b", "import os, sys\nname = 'b'\n" + WHOLE)
    (record,) = json.loads(place.run("list", "host", "--json").stdout)
    assert record["exports"] == ["compute"]


def test_a_backend_may_go_where_nothing_is(place):
    src = "name = 'b'\nimport os, tempfile\nf = tempfile.mkdtemp()\nos.chdir(f); os.rmdir(f)\n"
    place.install("b", src + WHOLE)
    assert one(place.doctor("host"), "b")["state"] == "loaded"


def test_interrupting_shows_no_traceback(place):
    place.install(
        "b",
        (
            "name = 'b'\n"
            "import pathlib, time\n"
            "pathlib.Path(__file__).with_suffix('.ran').touch()\n"
            "time.sleep(100)"
        ),
    )
    path = os.pathsep.join(filter(None, [str(place.folder), os.environ.get("PYTHONPATH")]))
    p = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "doctor", "host"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    while not ran(place):
        time.sleep(0.05)
    p.send_signal(signal.SIGINT)
    told = p.communicate(timeout=60)[1]
    assert p.returncode == 130
    assert b"Traceback" not in told


@pytest.mark.parametrize("guard", ["if not TYPE_CHECKING:", "match 1:\n  case 1:"])
def test_eager_imports_are_seen_wherever_an_import_runs_them(place, guard):
    place.write({"heavy_lump.py": ""})
    place.install(
        "b", f"name='b'\nfrom typing import TYPE_CHECKING\n{guard}\n    import heavy_lump\n" + WHOLE
    )
    assert ("warning", "eager-import", None) in codes(one(place.doctor("host"), "b"))


def test_a_misspelt_backend_is_told_with_what_was_meant(place):
    place.install("speedy", "name = 'speedy'\naliases = ['quick']\n" + WHOLE)
    for typo, meant in (("spedy", "speedy"), ("quik", "quick")):
        done = place.run("doctor", "host", typo)
        assert done.returncode == 1
        assert f"Did you mean '{meant}'? Installed: speedy." in done.stderr


def test_the_doctor_says_that_it_was_he_who_asked(place):
    place.install("b", "name = 'b'\nraise OSError('no driver')\n")
    (finding,) = one(place.doctor("host", status=1), "b")["findings"]
    assert "(asked for by backstack doctor)" in finding["message"]


# -- where a backend failed ----------------------------------------------------------------


def place_of_failure(backend):
    (finding,) = [f for f in findings(backend) if f["severity"] == "error"]
    return finding["message"].rpartition(" (at ")[2].removesuffix(")").rpartition(os.sep)[2]


#: Files beside the adapter, and the line that is told of it; its own module is ``b_adapter``.
FAILING = {
    "itself": ("name = 'b'\n\nraise OSError('no driver')\n", {}, "b_adapter.py:3"),
    "in a function": (
        "def find():\n    raise OSError('no driver')\nname = 'b'\nfind()\n",
        {},
        "b_adapter.py:2",
    ),
    "what it imports": (
        "name = 'b'\nimport other_lib\n",
        {"other_lib.py": "\n\nraise OSError('no driver')\n"},
        "b_adapter.py:2",
    ),
    "what is not there": ("name = 'b'\n\nimport no_such_module_anywhere\n", {}, "b_adapter.py:3"),
    "what it calls": ("name = 'b'\nimport json\njson.loads('{')\n", {}, "b_adapter.py:3"),
    "exits": ("name = 'b'\nimport sys\nsys.exit(3)\n", {}, "b_adapter.py:3"),
    "when its name is read": (
        "name = 'b'\ndel name\ndef __getattr__(attribute):\n    raise OSError(attribute)\n",
        {},
        "b_adapter.py:4",
    ),
    "when a function is read": (
        (
            "name = 'b'\n__all__ = ['compute']\ndef __getattr__(attribute):\n"
            "    if attribute == 'compute':\n        import no_such_module_anywhere\n"
            "    raise AttributeError(attribute)\n"
        ),
        {},
        "b_adapter.py:5",
    ),
    "the innermost of its package": (
        None,
        {
            "pack/__init__.py": "",
            "pack/adapter.py": "name = 'b'\n\nfrom . import core\n",
            "pack/core.py": "import json\n\n\nimport other_lib\n",
            "other_lib.py": "raise OSError('no driver')\n",
        },
        "core.py:4",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_the_line_of_the_backend_that_failed_is_told(place, case):
    source, files, line = FAILING[case]
    place.write(files)
    entry_name = None if source is not None else "b = pack.adapter\n#"
    place.install("b", source or "", entry_name=entry_name)
    (backend,) = place.doctor("host", status=1)["backends"]
    assert place_of_failure(backend) == line
    assert line in place.run("doctor", "host").stdout


def test_the_constructor_of_an_adapter_is_a_line_of_the_backend(place):
    source = "class A:\n    name = 'b'\n    def __init__(self):\n        raise OSError('no')\n"
    place.write({"pack.py": source})
    place.install("unused", "", entry_name="b = pack:A\n#")
    (backend,) = place.doctor("host", status=1)["backends"]
    assert place_of_failure(backend) == "pack.py:4"


def test_a_constructor_of_another_package_is_told_where_nothing_of_the_backend_ran(place):
    place.write({"elsewhere.py": "class A:\n    name = 'b'\n    def __init__(self): 1 / 0\n"})
    place.write({"pack.py": "from elsewhere import A\n"})
    place.install("unused", "", entry_name="b = pack:A\n#")
    (backend,) = place.doctor("host", status=1)["backends"]
    assert place_of_failure(backend) == "elsewhere.py:3"


@pytest.mark.parametrize(
    "source", ["name = 'b'\nx = = 1\n", "title = 'b'\n", "name = 5\n", "name = 'b'\n__all__ = 3\n"]
)
def test_where_no_line_of_a_backend_failed_none_is_told(place, source):
    place.install("b", source)
    (backend,) = place.doctor("host", status=1)["backends"]
    (finding,) = [f for f in findings(backend) if f["severity"] == "error"]
    assert finding["code"] == "load-failed"
    assert "(at " not in finding["message"]
    assert ("line 2" in finding["message"]) == ("= =" in source)


def test_a_method_without_self_is_found(place):
    source = "class A:\n    name = 'b'\n    def compute(data, size=1): return data\n"
    place.write({"pack.py": source})
    place.install("unused", "", entry_name="b = pack:A\n#")
    (backend,) = place.doctor("host", status=1)["backends"]
    assert codes(backend) == [("error", "no-self", "compute")]
