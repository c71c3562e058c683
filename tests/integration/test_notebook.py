"""A real notebook kernel: what cells show, where warnings point, what the next cell sees."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("ipykernel")
jupyter_client = pytest.importorskip("jupyter_client")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PREPARE = """
import types
from backstack import BackendDispatcher

dispatcher = BackendDispatcher(entrypoint_group="notebook.backends", host_name="notebook")
settings, backend, trace = dispatcher.settings, dispatcher.backend, dispatcher.trace
explain, backends, coverage = dispatcher.explain, dispatcher.backends, dispatcher.coverage

@dispatcher.backend_dispatch
def compute(data, size=1):
    '''Compute.'''
    return "host"

@dispatcher.backend_dispatch
def lacking(data):
    return "host"

@dispatcher.backend_dispatch
async def fetch(data):
    return "host"

async def fetch_fast(data):
    return "fast"

fast = dispatcher.register(types.SimpleNamespace(
    name="fast", aliases=["quick"],
    compute=lambda data, *, depth=2: "fast", fetch=fetch_fast,
))
slow = dispatcher.register(types.SimpleNamespace(name="slow", compute=lambda data, size=1: "slow"))
"""


class Cell:
    """What came of running a cell."""

    def __init__(self):
        self.stdout = self.stderr = ""
        self.shown = []
        self.error = None

    @property
    def plain(self):
        return self.shown[-1]["text/plain"]

    @property
    def html(self):
        return self.shown[-1]["text/html"]


class Kernel:
    """A kernel that cells are run in, one after the other."""

    def __init__(self, client):
        self._client = client

    def run(self, code):
        """What a cell came to; one that raises fails the test, unless its error is looked at."""
        cell, number = Cell(), self._client.execute(code)
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != number:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                name = content["name"]
                setattr(cell, name, getattr(cell, name) + content["text"])
            elif kind in ("execute_result", "display_data"):
                cell.shown.append(content["data"])
            elif kind == "error":
                cell.error = f"{content['ename']}: {content['evalue']}"
            elif kind == "status" and content["execution_state"] == "idle":
                return cell

    def value(self, code):
        """The value of an expression, as text."""
        cell = self.run(code)
        assert cell.error is None, cell.error
        return cell.plain


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """One kernel for all of them: starting it takes the longest."""
    folder = tmp_path_factory.mktemp("jupyter")
    names = ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setenv(name, str(folder / name.lower()))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        path = folder / "jupyter_data_dir" / "kernels" / "this"
        path.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": "this", "language": "python"}
        (path / "kernel.json").write_text(json.dumps(spec))
        manager = jupyter_client.KernelManager(kernel_name="this", transport="ipc",
                                               ip=str(folder / "k"))  # fmt: skip
        manager.start_kernel(env=dict(os.environ), stderr=subprocess.DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=100)
            yield Kernel(client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()


@pytest.fixture
def kernel(started):
    """The kernel, with all of it made anew."""
    cell = started.run("%reset -f")
    cell = started.run(PREPARE)
    assert cell.error is None, cell.error
    return started


def table(html):
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in html.rows if row}


def test_backends_show_as_a_table(kernel, read_html):
    cell = kernel.run("backends()")
    assert cell.error is None
    rows = table(read_html(cell.html))
    assert {"fast", "slow"} <= set(rows)
    assert "quick" in rows["fast"]
    assert "quick" in cell.plain
    assert "<" not in cell.plain


def test_an_explanation_shows_as_html_and_as_text(kernel, read_html):
    cell = kernel.run("explain(compute, [1], size=5, backend='fast')")
    assert cell.error is None
    read_html(cell.html)
    for text in (cell.html, cell.plain):
        assert "fast" in text
        assert "size" in text
    assert "would run on 'fast'" in cell.plain


def test_what_is_shown_of_calls_is_a_table(kernel, read_html):
    cell = kernel.run("""
with trace() as calls:
    compute([1])
    with backend("fast"):
        compute([1])
    compute([1], backend="slow")
calls
""")
    assert cell.error is None
    rows = read_html(cell.html).rows
    assert len([row for row in rows if "compute" in row]) == 3
    for name in ("cpu", "fast", "slow"):
        assert name in cell.plain
        assert any(name in row for row in rows)

    summary = kernel.run("calls.summary()")
    assert summary.error is None
    assert any("compute" in row for row in read_html(summary.html).rows)
    assert "compute" in summary.plain


def test_nothing_traced_shows_as_well(kernel, read_html):
    cell = kernel.run("with trace() as calls: pass\ncalls")
    read_html(cell.html)
    assert cell.plain
    cell = kernel.run("calls.summary()")
    read_html(cell.html)
    assert cell.plain


def test_a_coverage_shows_as_a_table(kernel, read_html):
    cell = kernel.run("coverage()")
    assert cell.error is None
    rows = table(read_html(cell.html))
    assert {"compute", "lacking", "fetch"} <= set(rows)
    assert len(rows["compute"]) == 2
    assert "lacking" in cell.plain
    assert "<td" not in cell.plain


def test_what_stands_in_a_record_is_no_markup(kernel, read_html):
    cell = kernel.run("""
odd = dispatcher.register(types.SimpleNamespace(
    name="odd", compute=lambda data: 1, is_available=lambda: "<script>alert(1)</script> & more"))
try:
    compute([1], backend="odd")
except Exception:
    pass
backends()
""")
    assert cell.error is None
    assert "<script>" not in cell.html
    assert "&lt;script&gt;" in cell.html
    read_html(cell.html)


def test_a_fallback_warns_of_the_cell_that_called(kernel):
    cell = kernel.run("x = 1\nwith backend('fast'):\n    y = lacking([1])\n")
    assert cell.error is None
    assert "FallbackWarning" in cell.stderr
    assert "y = lacking([1])" in cell.stderr
    assert "backstack/" not in cell.stderr.replace(os.sep, "/")
    again = kernel.run("with backend('fast'): lacking([1])")
    assert again.stderr == ""


def test_a_warning_of_a_dropped_argument_points_to_the_cell(kernel):
    cell = kernel.run("compute([1], size=7, backend='fast')  # here")
    assert (cell.error, cell.plain) == (None, "'fast'")
    assert "'size'" in cell.stderr
    assert "# here" in cell.stderr
    cell = kernel.run("""import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    lacking([1], backend="slow")
here = (lambda: 0).__code__.co_filename
[(warning.filename == here, warning.lineno) for warning in caught]
""")
    assert (cell.error, cell.plain) == (None, "[(True, 4)]")


def test_a_setting_holds_in_the_cells_that_follow(kernel):
    assert kernel.run("settings.backend = 'quick'").error is None
    assert kernel.value("compute([1]), settings.backend") == "('fast', 'fast')"
    pool = "from concurrent.futures import ThreadPoolExecutor as Pool\n"
    assert kernel.value(pool + "Pool().submit(compute, [1]).result()") == "'fast'"
    assert kernel.run("settings.backend = None").error is None
    assert kernel.value("compute([1])") == "'host'"


def test_a_scope_ends_with_its_cell_also_if_that_raises(kernel):
    cell = kernel.run("with backend('fast'):\n    a = compute([1])\n    1 / 0")
    assert cell.error.startswith("ZeroDivisionError")
    assert kernel.value("a, compute([1])") == "('fast', 'host')"


def test_a_scope_holds_across_an_await_at_the_top_level(kernel):
    cell = kernel.run("""
import asyncio
with backend("fast"):
    first = await fetch([1])
    await asyncio.sleep(0)
    second = await asyncio.gather(fetch([1]), asyncio.to_thread(compute, [1]))
    third = settings.backend
first, second, third, await fetch([1]), settings.backend
""")
    assert cell.error is None, cell.error
    assert cell.plain == "('fast', ['fast', 'fast'], 'fast', 'host', 'cpu')"
    assert kernel.value("compute([1])") == "'host'"


def test_a_trace_sees_what_is_awaited_at_the_top_level(kernel, read_html):
    cell = kernel.run("with trace() as calls:\n    await fetch([1], backend='fast')\ncalls")
    assert cell.error is None
    assert any("fetch" in row for row in read_html(cell.html).rows)
    assert kernel.value("[(c.function, c.ran_on) for c in calls]") == "[('fetch', 'fast')]"


def test_running_a_cell_again_defines_its_function_again(kernel):
    define = "@dispatcher.backend_dispatch\ndef again(data):\n    return {}\n"
    assert kernel.run(define.format(1)).error is None
    assert kernel.run(define.format(2)).error is None
    assert kernel.value("again(0)") == "2"


def test_an_error_tells_what_to_do(kernel):
    cell = kernel.run("compute([1], backend='fasst')")
    assert cell.error.startswith("UnknownBackendError: ")
    assert "Did you mean 'fast'?" in cell.error


def test_help_shows_the_options_of_backends(kernel):
    cell = kernel.run("import inspect\nprint(inspect.signature(compute))\ncompute?")
    assert cell.error is None
    assert "depth=2" in cell.stdout
