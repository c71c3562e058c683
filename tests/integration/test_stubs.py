"""Stubs of a host: what type checkers know of its functions, and of all else that it defines."""

import json
import os
import shutil
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
        from . import latin
        from .odd import _hidden as shown, _Hidden as Shown
        from . import unrelated as helpers
        import host.unrelated as aids
        from fractions import Fraction
        from json import dumps
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

        def bare(data, *rest, size=1, **more):
            return data

        class Bare:
            def __init__(self, size=1):
                self.size = size

            def fit(self, data):
                return self

            @staticmethod
            def make(size):
                return Bare(size)
        """,
    "host/odd.py": """
        import enum
        import functools
        import statistics
        import warnings
        from abc import ABC, abstractmethod
        from collections.abc import Callable
        from typing import TYPE_CHECKING, ParamSpec, TypedDict, TypeVar, overload as several

        from typing_extensions import Unpack

        from backstack import BackendDispatcher

        from .core import _blur, softened
        from .dispatching import backend_dispatch, dispatcher

        P = ParamSpec("P")
        T = TypeVar("T")
        F = TypeVar("F", bound=Callable[..., object])
        elsewhere = BackendDispatcher(
            entrypoint_group="host.others", host_name="others", keyword="run_on", env_var=None
        )

        class Access(enum.IntFlag):
            READ = 1
            WRITE = 2
            BOTH = READ | WRITE

        EITHER = {1} | {2}

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from fractions import Fraction as _Part

        for _key in ("a", "b"):
            str(_key)
        del _key

        def list(count: int) -> int:
            return count

        @backend_dispatch
        def sized(data: int, access: Access = Access.BOTH, part: "_Part | None" = None) -> int:
            return data

        @backend_dispatch
        def apply(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
            return function(*args, **kwargs)

        class Keys(TypedDict, total=False):
            alpha: float

        @backend_dispatch
        def keyed(data: int, **keys: Unpack[Keys]) -> int:
            return data

        @several
        def either(data: int) -> int: ...  # type: ignore[overload-overlap]
        @several
        def either(data: object) -> str: ...
        @backend_dispatch
        def either(data: object) -> object:
            return data

        def wrong(data: int) -> int:
            return str(data)  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

        def filled(function):
            function.__doc__ = "Filled."
            return function

        @backend_dispatch
        @filled
        def inside(data: int) -> int:
            return data

        @filled
        @backend_dispatch
        def outside(data: int) -> int:
            return data

        def moved(function: F) -> F:
            function.__module__ = "host"
            return function

        @moved
        @backend_dispatch
        def moving(data: int) -> int:
            return data

        blurred = backend_dispatch(_blur)
        softened = backend_dispatch(softened)
        mean = backend_dispatch(statistics.mean)
        half = backend_dispatch(name="half")(functools.partial(_blur, scale=0.5))
        unnamed = backend_dispatch(name="unnamed")(lambda data, size=1: data)
        _run = functools.partial(backend_dispatch, keyword="on")

        @_run(name="ran")
        def running(data: int) -> int:
            return data

        if TYPE_CHECKING:
            def declared_here(data: int) -> int: ...
        else:
            def _undeclared(data):
                return data

            declared_here = backend_dispatch(_undeclared)

        @backend_dispatch
        def _hidden(data: int) -> int:
            return data

        class _Hidden:
            size: int = 1

        @elsewhere.backend_dispatch
        def elsewhere_too(data: int) -> int:
            return data

        same = sized

        class Shape(ABC):
            @several
            def area(self, data: int) -> int: ...
            @several
            def area(self, data: str) -> str: ...
            @abstractmethod
            def area(self, data: int | str) -> int | str: ...

        @dispatcher.backend_class
        class s(  # it has a note: that has a colon
        ):
            size: int = 1

        class Narrowing:
            def __init__(
                self, size: int | None = None, name: str | tuple[str, ...] = "a", more: object = 1
            ) -> None:
                if size is None:
                    size = 3
                self.size = size
                if isinstance(name, str):
                    name = (name,)
                self.names = name
                if not isinstance(more, int):
                    raise TypeError
                self.more = more

            def load(self, data: bytes | str | None = None, limit: float | None = None) -> None:
                assert data is not None
                self.data = data
                self.given = data if data else b""
                limit = limit or 1.0
                self.limit = limit

            def choose(self, width: int | None = None, kind: str | bytes = "") -> None:
                self.width = 80 if width is None else width
                self.kind = kind if isinstance(kind, str) else kind.decode()
        """,
    "host/core.py": '''
        from collections.abc import Sequence

        def _blur(data: Sequence[int], scale: float = 1.0) -> Sequence[float]:
            """Blur."""
            return [value * scale for value in data]

        def softened(data: Sequence[int]) -> Sequence[int]:
            return data
        ''',
    "host/latin.py": """
        from .dispatching import backend_dispatch

        @backend_dispatch
        def spelled(data: str = "\xe9") -> str:
            return data
        """.replace("\n        ", "\n")
    .replace("\n", "# -*- coding: latin-1 -*-\n", 1)
    .encode("latin-1"),
    "host/unrelated.py": "def helper(x: int) -> str: return str(x)",
    "host/py.typed": "",
}
ONE = """
    from __future__ import annotations
    from enum import Enum
    from typing import TYPE_CHECKING, Literal as Lit
    import collections.abc
    import xml.dom.minidom
    import xml.etree.ElementTree
    if TYPE_CHECKING:
        from fractions import Fraction as Part

    name, aliases = "one", ["uno"]

    class Mode(Enum):
        FAST = 1

    class Word(str, Enum):
        SHORT = "short"

    Modes = Mode | str

    def sized(
        data,
        access=None,
        part=None,
        *,
        items: list[int] | None = None,
        word: Word = Word.SHORT,
        one: Lit[Mode.FAST] | None = None,
        page: xml.dom.minidom.Document | None = None,
        element: xml.etree.ElementTree.Element | None = None,
    ):
        return data
    def keyed(data, *, alpha: float = 1.0, beta: int = 1): return data
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
from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import assert_type
import host
from host import Shown, compute, convert, functions, latin, odd, other, shown
from host.functions import Model, Point, plain, plain_stream, renamed
from host.unrelated import helper
from one_adapter import Mode, Word

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
assert_type(shown(1, backend="one"), int)
assert_type(Shown().size, int)
assert_type(host.helpers.helper(1), str)
assert_type(host.aids.helper(1), str)
assert_type(host.Fraction(1), Fraction)
host.dumps(1)
assert_type(odd.sized(1, odd.Access.BOTH, items=[1], word=Word.SHORT, backend="one"), int)
odd.sized(1, items=["a"])  # error
odd.same(1, items=["a"])  # error
odd.sized(1, page=5)  # error
odd.sized(1, element=5)  # error
odd.sized(1, one=5)  # error
assert_type(odd.same(1, items=[1], backend="one"), int)
assert_type(odd.EITHER, set[int])
odd.Access.BOTH.bit_length()
assert_type(odd.apply(str, 1), str)
assert_type(odd.apply(len, "", backend="one"), int)
odd.apply(len, 1)  # error
odd.apply(len, "", backend="nonsense")  # error
odd.keyed(1, alpha=1.0, beta=1, backend="one")
odd.keyed(1, alpha="a")  # error
assert_type(odd.either(1, backend="one"), int)
assert_type(odd.either("a", backend="one"), str)
assert_type(odd.inside(1, backend="one"), int)
odd.inside(1, backend="nonsense")  # error
assert_type(odd.outside(1, backend="one"), int)
odd.outside("1", backend="one")  # error
assert_type(odd.moving(1, backend="one"), int)
odd.moving(1, backend="nonsense")  # error
assert_type(odd.blurred([1], scale=2.0, backend="one"), Sequence[float])
odd.blurred([1], backend="nonsense")  # error
assert_type(odd.softened([1], backend="one"), Sequence[int])
odd.softened([1], backend="nonsense")  # error
odd.mean([1], backend="nonsense")  # error
odd.unnamed(1, size=2, backend="one")
odd.unnamed(1, backend="nonsense")  # error
assert_type(odd.half([1]), Sequence[float])
assert_type(odd.running(1, on="one"), int)
odd.running(1, backend="one")  # error
assert_type(odd.declared_here(1, backend="one"), int)
odd.declared_here(1, backend="nonsense")  # error
assert_type(odd.elsewhere_too(1, run_on="cpu"), int)
odd.elsewhere_too(1, run_on="one")  # error
odd.Shape()  # error
assert_type(odd.s().size, int)
narrowing = odd.Narrowing()
assert_type(narrowing.size, int)
assert_type(narrowing.names, tuple[str, ...])
assert_type(narrowing.more, int)
assert_type(narrowing.data, bytes | str)
assert_type(narrowing.limit, float)
assert_type(narrowing.width, int)
assert_type(narrowing.given, bytes | str)
assert_type(narrowing.kind, str)
latin.spelled("a", backend="one")
other.bare(1, 2, a=3)
other.Bare(1).fit(2)
other.Bare.make(1)
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


STUBS = ["__init__.pyi", "functions.pyi", "latin.pyi", "odd.pyi", "other.pyi"]
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


#: What cannot hold for stubs that keep what a module says, of whatever host.
OFF_FOR_STUBS = {
    "reportMissingTypeStubs": "none",  # a backend's
    "reportUnusedImport": "none",  # what the bodies used
    "reportPrivateUsage": "none",  # the host's own
    "reportInvalidStubStatement": "none",  # whatever binds names, and what clears them away
}


def test_the_stubs_themselves_are_free_of_errors_to_mypy(stubs):
    pyi = sorted((stubs / "host-stubs").rglob("*.pyi"))
    assert [path.name for path in pyi] == [*STUBS]
    command = ["-m", "mypy", "--strict", "--cache-dir", stubs.parent / "c"]
    ran([*command, *pyi], stubs)


def test_the_stubs_themselves_are_free_of_errors_to_pyright(stubs, tmp_path):
    """They have to lie beside the modules: it takes a partial package out of where it is."""
    pytest.importorskip("pyright")
    for path in (stubs / "host-stubs").glob("*.pyi"):
        shutil.move(path, stubs / "host" / path.name)
    shutil.rmtree(stubs / "host-stubs")
    config = {
        "include": [f"site/host/{name}" for name in STUBS],
        "typeCheckingMode": "strict",
        **OFF_FOR_STUBS,
    }
    (stubs.parent / "pyrightconfig.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, "-p", str(stubs.parent)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=environment(stubs),
        cwd=stubs.parent,
    )
    told = json.loads(done.stdout)
    assert told["summary"]["filesAnalyzed"] == len(STUBS)
    found = [entry for entry in told["generalDiagnostics"] if entry["severity"] == "error"]
    assert [(entry["file"], entry["range"]["start"], entry["message"]) for entry in found] == []


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_stubs_that_somebody_wrote_are_kept(host, where):
    theirs = host.parent / where / "host-stubs"
    theirs.mkdir(parents=True)
    (theirs / "other.pyi").write_text("def smooth(data: int, *, width: int = 1) -> bool: ...\n")
    command = ["-m", "backstack", "stubs", "host", "-o", host.parent / "here"]
    if where == "here":
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            env=environment(host),
        )
        assert done.returncode == 2
        assert "was not written by 'backstack stubs'" in done.stderr
        assert [path.name for path in theirs.iterdir()] == ["other.pyi"]
    else:
        shutil.move(theirs, host / "host-stubs")
        ran(command, host)
        text = (host.parent / "here" / "host-stubs" / "other.pyi").read_text()
        assert "width: int = 1, " in text
        assert "-> bool" in text


def test_what_a_union_has_by_name_is_left_to_checkers(site):
    own = (
        HOST["host/dispatching.py"]
        + """
        Names = str | tuple[str, ...]

        @backend_dispatch
        def compute(data: int) -> int:
            return data

        class Model:
            def __init__(self, names: Names = "") -> None:
                if isinstance(names, str):
                    names = (names,)
                self.names = names
    """
    )
    site.write({"host.py": own})
    ran(["-m", "backstack", "stubs", "host", "-o", site.folder], site.folder)
    use = "from host import Model\nfrom typing import assert_type\n"
    check(mypy_errors, f"{use}assert_type(Model().names, tuple[str, ...])\n", site.folder)


def test_only_the_packages_of_the_host_get_stubs(stubs):
    folders = {path.name for path in stubs.glob("*-stubs")}
    assert folders == {"host-stubs", "one_adapter-stubs"}


def test_what_was_written_is_printed_and_is_a_partial_stub_package(host):
    printed = ran(["-m", "backstack", "stubs", "host", "-o", "here"], host).splitlines()
    folder = host.parent / "here" / "host-stubs"
    files = [*STUBS, "py.typed"]
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
