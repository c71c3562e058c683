"""Fixtures for every test: throw-away hosts, and distributions that are really on the path."""

from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys
import textwrap
from html.parser import HTMLParser
from pathlib import Path

import hypothesis
import pytest

from backstack import BackendDispatcher

GROUP = "host.backends"

# The same examples in every run of CI; elsewhere each run tries others.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


def pytest_addoption(parser):
    parser.addoption(
        "--stress-seconds",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="how long each stress test goes on (default: %(default)s)",
    )


@pytest.fixture
def stress_seconds(request):
    """How long a stress test is to go on."""
    return request.config.getoption("--stress-seconds")


class Html(HTMLParser):
    """The text, the links and the tables that HTML shows. Its tags have to match."""

    VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.text = ""
        self.links: dict[str, str] = {}
        self.rows: list[list[str]] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(source)
        self.close()
        assert self._open == []

    @property
    def cells(self) -> list[str]:
        return [cell for row in self.rows for cell in row]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self._open.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        for tag, attributes in self._open:
            if tag in ("td", "th"):
                self.rows[-1][-1] += data
            elif tag == "a" and data.strip():
                self.links[data.strip()] = attributes.get("href") or ""


@pytest.fixture
def read_html():
    """Reads HTML, which must be well-formed."""
    return Html


class Site:
    """A folder on `sys.path` that distributions are installed into, as pip would do it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def write(self, files: dict[str, str | bytes]) -> None:
        """Write modules: relative paths to their contents."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(textwrap.dedent(content))
        importlib.invalidate_caches()

    def install(
        self,
        distribution: str = "some-backend",
        entry_points: dict[str, str] | None = None,
        files: dict[str, str | bytes] | None = None,
        *,
        version: str = "1.0",
        group: str = GROUP,
        raw_entry_points: str | None = None,
        raw_metadata: str | None = None,
    ) -> Path:
        """Install a distribution: its ``*.dist-info`` folder, and its modules."""
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        lines = [f"{name} = {value}" for name, value in (entry_points or {}).items()]
        text = raw_entry_points or "\n".join([f"[{group}]", *lines, ""])
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        self.write(
            {
                f"{info.name}/METADATA": metadata if raw_metadata is None else raw_metadata,
                f"{info.name}/entry_points.txt": text,
                f"{info.name}/RECORD": "",
                **(files or {}),
            }
        )
        return info

    def adapter(self, name: str, source: str, distribution: str | None = None) -> None:
        """Install a backend in one module: ``NAME_adapter``, with an entry point called NAME."""
        module = f"{name}_adapter"
        self.install(distribution or f"{name}-dist", {name: module}, {f"{module}.py": source})

    def imported(self) -> set[str]:
        """The modules of this folder that are imported."""
        own = str(self.folder)
        return {
            name
            for name, module in sys.modules.items()
            if str(getattr(module, "__file__", None) or "").startswith(own)
        }


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty `Site` on `sys.path`; whatever is imported from it is forgotten afterwards."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if name in site.imported():
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def make_dispatcher():
    """Makes dispatchers of a host called "host"; any argument can be given."""

    def make(**config) -> BackendDispatcher:
        config = {"entrypoint_group": GROUP, "host_name": "host", **config}
        return BackendDispatcher(**config)

    return make


@pytest.fixture
def run_python(tmp_path):
    """Runs a script in a fresh interpreter, and gives what it wrote; a failure fails the test."""

    def run(script: str, *, path: Path | None = None, env: dict[str, str] | None = None) -> str:
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(script))
        search = [str(path or ""), os.environ.get("PYTHONPATH", "")]
        joined = os.pathsep.join(filter(None, search))
        environment = {**os.environ, "PYTHONPATH": joined, **(env or {})}
        done = subprocess.run(
            [sys.executable, "-W", "error", str(file)],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def left_behind():
    """Counts the objects more that there are after so many repetitions than after a few."""

    def count(repeat, times):
        for _ in range(100):
            repeat()
        gc.collect()
        before = len(gc.get_objects())
        for _ in range(times):
            repeat()
        gc.collect()
        return len(gc.get_objects()) - before

    return count
