"""Stubs of a host: what type checkers know of its functions, and of all else that it defines."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("mypy")

HOST = {
    "host/__init__.py": """
        from .dispatching import dispatcher
        from .functions import Model, compute, convert, renamed
        from .other import smooth
        """,
    "host/dispatching.py": """
        from backstack import BackendDispatcher

        dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
        backend_dispatch = dispatcher.backend_dispatch
        """,
    "host/functions.py": '''
        """What the host is for."""

        from __future__ import annotations

        import functools
        from collections.abc import AsyncIterator, Callable, Iterator
        from dataclasses import dataclass
        from typing import TYPE_CHECKING, Generic, Literal, ParamSpec, TypeVar, overload

        from .dispatching import backend_dispatch, dispatcher

        if TYPE_CHECKING:
            from decimal import Decimal

        try:
            import no_such_module  # type: ignore[import-not-found]  # pyright: ignore
        except ImportError:
            no_such_module = None

        T = TypeVar("T")
        P = ParamSpec("P")
        Number = int | float
        LIMIT = 3
        _TABLE: dict[str, int] = {}
        for _key in ("a", "b"):
            _TABLE[_key] = 1
        print("", end="")

        @overload
        def convert(value: int) -> str: ...
        @overload
        def convert(value: str, *, strict: bool = ...) -> int: ...
        @backend_dispatch
        def convert(value, *, strict=False):
            """Make one of the other.

            Parameters
            ----------
            value
                What to convert.
            """
            return str(value) if isinstance(value, int) else int(value)

        @dispatcher.backend_dispatch(name="tl_compute")
        def compute(data: list[Number], size: int = 1, **more: str) -> Decimal | int:
            """Compute."""
            return size

        @backend_dispatch
        def first(values: list[T], /) -> T:
            return values[0]

        @backend_dispatch
        async def fetch(url: str) -> bytes:
            return url.encode()

        @backend_dispatch
        async def stream(count: int) -> AsyncIterator[int]:
            for number in range(count):
                yield number

        @backend_dispatch
        def walk(count: int) -> Iterator[int]:
            yield from range(count)

        @backend_dispatch
        def declared(data: int, *, backend: str | None = None) -> int:
            return data

        def _implementation(data: int) -> float:
            return data / 2

        renamed = backend_dispatch(_implementation)

        def timed(function: Callable[P, T]) -> Callable[P, T]:
            @functools.wraps(function)
            def inner(*args: P.args, **kwargs: P.kwargs) -> T:
                return function(*args, **kwargs)
            return inner

        @timed
        @backend_dispatch
        def watched(data: int) -> int:
            return data

        def plain(data: int) -> list[int]:
            return [data]

        async def plain_stream() -> AsyncIterator[str]:
            yield "a"

        @dispatcher.backend_class
        class Model(Generic[T]):
            """A model."""

            kind: Literal["small", "large"] = "small"

            def __init__(self, start: T) -> None:
                self.start = start
                found = {"a": 1}
                self.table = found

            def fit(self, data: int) -> Model[T]:
                self.fitted: bool = True
                return self

            @property
            def size(self) -> int:
                return 1

        @dataclass
        class Point:
            x: int
            y: int = 0

        if __name__ == "__main__":
            command = 1
        ''',
    "host/other.py": """
        from .dispatching import backend_dispatch as dispatched

        @dispatched
        def smooth(data: int, *, width: int = 1) -> int:
            return data

        @dispatched
        def untyped(data, size=1):
            return data
        """,
    "host/unrelated.py": "def helper(x: int) -> str: return str(x)",
    "host/py.typed": "",
}
ONE = """
    from __future__ import annotations
    from enum import Enum
    from typing import TYPE_CHECKING, Literal as Lit
    import collections.abc
    if TYPE_CHECKING:
        from fractions import Fraction as Part

    name, aliases = "one", ["uno"]

    class Mode(Enum):
        FAST = 1

    Modes = Mode | str

    def convert(value, *, strict=False, mode: Modes = Mode.FAST): return value
    def smooth(data, *, depth: int = 2, part: Part | None = None, unknown=3, _hidden: int = 1):
        return data
    def fetch(url, *, retries: Lit["few", "many"] = "few"): return url
    def walk(count, *, each: collections.abc.Callable[[int], int] | None = None): return count
    """
TWO = """
    from typing import Optional
    name = "two"
    def smooth(data, *, depth: "str" = "2", level: Optional[float] = None): return data
    """
#: Lines of a user's, each with what both checkers are to say of it: nothing, or an error.
USE = """
import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import assert_type
import host
from host import compute, convert, functions, other
from host.functions import Model, Point, plain, plain_stream, renamed
from host.unrelated import helper
from one_adapter import Mode

assert_type(compute([1], backend="one"), Decimal | int)
compute([1], 2, backend="uno", more="")
compute([1], backend="cpu")
compute([1], backend=None)
compute([1], backend="nonsense")  # error
compute([1], backend=5)  # error
compute([1], more=5)  # error
compute("a")  # error
assert_type(convert(1, backend="two"), str)
assert_type(convert("1", strict=True, mode=Mode.FAST), int)
convert("1", mode="fast", backend="one")
convert("1", mode=5)  # error
convert(1, strict=True)  # error
convert(1.5)  # error
assert_type(functions.first([1], backend="one"), int)
functions.first(values=[1])  # error
assert_type(functions.stream(3, backend="one"), AsyncIterator[int])
assert_type(functions.walk(3, each=abs), Iterator[int])
functions.walk(3, each=5)  # error
assert_type(functions.declared(3, backend="one"), int)
functions.declared(3, backend="nonsense")  # error
functions.declared(3, backend=5)  # error
assert_type(renamed(3, backend="two"), float)
assert_type(functions.watched(3, backend="two"), int)
functions.watched(3, backend="nonsense")  # error
assert_type(host.smooth(1, width=2, depth=1, part=Fraction(1), level=0.5), int)
host.smooth(1, depth="1", unknown=object())
host.smooth(1, depth=1.5)  # error
host.smooth(1, part="a")  # error
host.smooth(1, level="a")  # error
host.smooth(1, _hidden=1)  # error
other.untyped(1, size=2, backend="one")
other.untyped(1, backend="nonsense")  # error
assert_type(plain(1), list[int])
plain(1, backend="one")  # error
assert_type(plain_stream(), AsyncIterator[str])
assert_type(helper(1), str)
helper("1")  # error
model = Model("a").fit(1)
assert_type(model.start, str)
assert_type(model.table, dict[str, int])
assert_type(model.fitted, bool)
assert_type(model.size, int)
model.kind = "huge"  # error
model.nothing  # error
assert_type(Point(1).y, int)
Point("1")  # error
functions.LIMIT.bit_length()
functions.LIMITS  # error
number: functions.Number = 1.5

async def main() -> None:
    assert_type(await functions.fetch("a", retries="many"), bytes)
    await functions.fetch("a", retries="none")  # error
    async for number in functions.stream(2):
        assert_type(number, int)

asyncio.run(main())
"""
#: Runs `stubtest` where the options of the backends are part of the signatures.
STUBTEST = """
import sys
from mypy.stubtest import main
from {dispatching} import dispatcher
dispatcher.discover()
sys.argv = ["stubtest", "--ignore-missing-stub", "--allowlist", {allowed!r}, {host!r}]
sys.exit(main())
"""


def environment(folder):
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])),
    }


def ran(command, folder, status=0):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=folder.parent,
        env=environment(folder),
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def run_stubtest(host, dispatching, allowed, folder):
    allowlist = folder.parent / "allowed"
    allowlist.write_text(allowed)
    script = STUBTEST.format(host=host, dispatching=dispatching, allowed=str(allowlist))
    ran(["-c", script], folder)


def mypy_errors(file, folder):
    command = ["-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", folder.parent / "c"]
    done = subprocess.run(
        [sys.executable, *map(str, command), "--show-absolute-path", "--no-pretty", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=environment(folder),
        cwd=file.parent,
    )
    assert not done.stderr, done.stderr
    found = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert all(line.startswith(f"{file}:") for line in found), done.stdout
    return {int(line.removeprefix(f"{file}:").partition(":")[0]): line for line in found}


def pyright_errors(file, folder):
    pytest.importorskip("pyright")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pyright",
            "--outputjson",
            "--pythonpath",
            sys.executable,
            str(file),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=environment(folder),
        cwd=file.parent,
    )
    found = [
        entry
        for entry in json.loads(done.stdout)["generalDiagnostics"]
        if entry["severity"] == "error"
    ]
    return {entry["range"]["start"]["line"] + 1: entry["message"] for entry in found}


CHECKERS = pytest.mark.parametrize("errors_of", [mypy_errors, pyright_errors])


def check(errors_of, source, folder):
    """The errors are on the lines that are marked, and on no others."""
    file = folder.parent / "use.py"
    file.write_text(source)
    lines = enumerate(source.splitlines(), start=1)
    expected = {number for number, line in lines if line.endswith("# error")}
    found = errors_of(file, folder)
    surprises = {number: found.get(number) for number in set(found) ^ expected}
    assert not surprises, surprises


@pytest.fixture
def host(site):
    """A host of several modules, and two backends of its."""
    site.write(HOST)
    site.adapter("one", ONE)
    site.adapter("two", TWO)
    site.write({"one_adapter-stubs/__init__.pyi": ONE})  # one of them has types, one has not
    return site.folder


@pytest.fixture
def stubs(host):
    """The stubs of that host, next to it."""
    ran(["-m", "backstack", "stubs", "host", "-o", host], host)
    return host


@CHECKERS
def test_checkers_know_names_and_options_and_still_everything_else(stubs, errors_of):
    check(errors_of, USE, stubs)


@CHECKERS
def test_any_name_takes_every_string(host, errors_of):
    ran(["-m", "backstack", "stubs", "host", "--any-name", "-o", host], host)
    check(
        errors_of,
        "from host import compute\n"
        "compute([1], backend='to be installed')\n"
        "compute([1], backend=None)\n"
        "compute([1], backend=5)  # error\n",
        host,
    )


def test_stubtest_finds_nothing_where_the_backends_are_loaded(stubs):
    run_stubtest("host", "host", "", stubs)


def test_stubtest_finds_nothing_where_the_backends_have_no_options(host):
    for module in ("one_adapter", "two_adapter"):
        (host / f"{module}.py").write_text(f"name = {module!r}")
    ran(["-m", "backstack", "stubs", "host", "-o", host], host)
    ran(["-m", "mypy.stubtest", "--ignore-missing-stub", "host"], host)


@CHECKERS
def test_the_stubs_themselves_are_free_of_errors(stubs, errors_of):
    pyi = sorted((stubs / "host-stubs").rglob("*.pyi"))
    assert [path.name for path in pyi] == ["__init__.pyi", "functions.pyi", "other.pyi"]
    for path in pyi:
        if path.name != "other.pyi":  # which has a function that the host left without types
            assert errors_of(path, stubs) == {}


def test_what_was_written_is_printed_and_is_a_partial_stub_package(host):
    printed = ran(["-m", "backstack", "stubs", "host", "-o", "here"], host).splitlines()
    folder = host.parent / "here" / "host-stubs"
    files = ["__init__.pyi", "functions.pyi", "other.pyi", "py.typed"]
    assert sorted(os.path.basename(line) for line in printed) == files
    assert sorted(path.name for path in folder.iterdir()) == files
    assert (folder / "py.typed").read_text() == "partial\n"


def test_writing_again_changes_nothing(stubs):
    before = {path: path.read_bytes() for path in (stubs / "host-stubs").iterdir()}
    ran(["-m", "backstack", "stubs", "host", "-o", stubs], stubs)
    assert before == {path: path.read_bytes() for path in (stubs / "host-stubs").iterdir()}


def test_stubs_show_the_docstring_with_the_options(host):
    adapter = host / "one_adapter.py"
    doc = "\n    Parameters\n    ----------\n    mode\n        How fast.\n    "
    adapter.write_text(
        textwrap.dedent(ONE).replace(
            "return value", f'\n    """Do it.\n{doc}"""\n    return value', 1
        )
    )
    ran(["-m", "backstack", "stubs", "host", "-o", host], host)
    text = (host / "host-stubs" / "functions.pyi").read_text()
    assert "Make one of the other." in text
    assert "mode (one) : Modes\n        How fast.\n" in text


def test_a_host_of_one_module_gets_a_package_of_one_stub(site):
    source = HOST["host/dispatching.py"] + HOST["host/other.py"].replace(
        "from .dispatching import backend_dispatch as dispatched",
        "dispatched = backend_dispatch",
    )
    site.write({"host.py": source})
    ran(["-m", "backstack", "stubs", "host", "-o", site.folder], site.folder)
    use = "from host import smooth, dispatcher\nsmooth(1, backend='cpu')\nsmooth(1, backend='a')"
    for errors_of in (mypy_errors, pyright_errors):
        check(errors_of, f"{use}  # error\ndispatcher.refresh()\n", site.folder)


def test_a_stub_of_the_hosts_own_is_added_to(host):
    (host / "host" / "other.pyi").write_text(
        "def smooth(data: int, *, width: int = 1) -> int: ...\n"
        "def untyped(data: str, size: int = 1) -> str: ...\n"
    )
    ran(["-m", "backstack", "stubs", "host", "-o", host], host)
    check(
        mypy_errors,
        "from typing import assert_type\n"
        "from host.other import untyped\n"
        "assert_type(untyped('a', backend='one'), str)\n"
        "untyped('a', backend='nonsense')  # error\n",
        host,
    )


def test_a_renamed_selector_has_its_own_name(site):
    site.write(
        {
            "host.py": """
            from backstack import BackendDispatcher

            dispatcher = BackendDispatcher(
                entrypoint_group="host.backends", host_name="host", keyword="run_on"
            )

            @dispatcher.backend_dispatch
            def compute(data: int, *, backend: str = "agg") -> int:
                return data
            """
        }
    )
    ran(["-m", "backstack", "stubs", "host", "-o", site.folder], site.folder)
    check(
        mypy_errors,
        "from host import compute\n"
        "compute(1, backend='svg', run_on='cpu')\n"
        "compute(1, run_on='svg')  # error\n",
        site.folder,
    )


def test_a_host_without_functions_is_told_so(site):
    site.write({name: HOST[name] for name in ("host/dispatching.py", "host/py.typed")})
    ran(["-m", "backstack", "stubs", "host"], site.folder, status=1)


@CHECKERS
def test_the_example_host_gets_stubs_that_are_right(tmp_path, errors_of):
    pytest.importorskip("example_host")
    pytest.importorskip("my_backend")
    folder = tmp_path / "site"
    folder.mkdir()
    ran(["-m", "backstack", "stubs", "example_host", "-o", folder], folder)
    check(
        errors_of,
        "import numpy as np\n"
        "import numpy.typing as npt\n"
        "from typing import assert_type\n"
        "import example_host as eh\n"
        "Floats = npt.NDArray[np.float64]\n"
        "assert_type(eh.compute_score([[1.0]], backend='my_backend', batch_size=8), Floats)\n"
        "eh.embed([[1.0]], backend='cpu', center=False)\n"
        "eh.embed([[1.0]], backend='nonsense')  # error\n"
        "eh.embed([[1.0]], backend=5)  # error\n"
        "eh.compute_score([[1.0]], batch_size='a')  # error\n"
        "eh.Neighborhood(n_neighbors=3).fit([[1.0]]).kneighbors()\n"
        "eh.Neighborhood(n_neighbors='3')  # error\n"
        "with eh.backend('my_backend'):\n"
        "    eh.summarize([[1.0]])\n",
        folder,
    )
    if errors_of is mypy_errors:
        # It takes an alias of several literals for a union, and finds none when it runs.
        run_stubtest(
            "example_host", "example_host._backends", "example_host.functions.Metric", folder
        )
