"""The pytest plugin, in real runs of pytest in the project of a host, with installed backends."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

HOST = """
from backstack import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="host.backends",
    host_name="host",
    trusted_backends={
        "fast": {"module_prefixes": ["fast_adapter"]},
        "partial": {"module_prefixes": ["partial_adapter"]},
        "broken": {"module_prefixes": ["broken_adapter"]},
        "away": {"module_prefixes": ["away_adapter"]},
        "shy": {"module_prefixes": ["shy_adapter"]},
        "pinned": {"distributions": ["the-real-one"]},
        "absent": {"package": "absent-package"},
    },
    reserved_backends={"gpu": "Choose a concrete one."},
)
settings, backend, trace = dispatcher.settings, dispatcher.backend, dispatcher.trace

@dispatcher.backend_dispatch
def double(x): return x + x
@dispatcher.backend_dispatch
def where(): return "host"
@dispatcher.backend_dispatch
async def fetch(x): return "host", x
@dispatcher.backend_dispatch
def steps(n): yield from range(n)
@dispatcher.backend_class
class Model:
    def __init__(self, x): self.x = x

def __getattr__(name):
    if name != "late":
        raise AttributeError(name)
    import importlib
    return importlib.import_module("host_late")
"""
LATE = """
from host import dispatcher
@dispatcher.backend_dispatch
def late(): return "host"
"""
FAST = """
name = "fast"
aliases = ["quick"]
def double(x): return x * 2
def where(): return "fast"
async def fetch(x): return "fast", x
def steps(n): yield from range(n)
class Model:
    def __init__(self, x): self.x = x
def late(): return "fast"
"""
ADAPTERS = {
    "fast": FAST,
    "partial": "name = 'partial'\ndef where(): return 'partial'\n",
    "broken": "name = 'broken'\nraise OSError('no library')\n",
    "away": "name = 'away'\ndef is_available(): return 'no device'\ndef where(): return 'away'\n",
    "shy": "name = 'shy'\ndef double(x): return NotImplemented\n",
    "pinned": "name = 'pinned'\nraise OSError('it was imported')\n",
    "unlisted": "name = 'unlisted'\ndef where(): return 'unlisted'\n",
}


class Result:
    """What came of a run."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        line = r"^(PASSED|FAILED|ERROR|XFAIL|XPASS) (?:at setup of )?(\S+)"
        summary = re.findall(line, done.stdout, re.M)
        #: By the test's id without the file.
        self.outcomes = {test.partition("::")[2]: outcome for outcome, test in summary}
        self.section = done.stdout.partition("= dispatched to")[2]
        rows = re.findall(r"^(\w+)" + r" +(\d+)" * 5 + r" *$", self.section, re.M)
        numbers = {name: tuple(map(int, numbers)) for name, *numbers in rows}
        #: Calls on the backend, that fell back, on the host, that did not run.
        self.counts = {name: (*row[:3], row[4]) for name, row in numbers.items()}
        self.elsewhere = {name: row[3] for name, row in numbers.items() if row[3]}

    @property
    def text(self):
        return self.out + self.err

    @property
    def never(self):
        listed = re.search(r"^Never called: (.*)$", self.section, re.M)
        return set(listed.group(1).split(", ")) if listed else set()

    def __repr__(self):
        return f"exit status {self.status}\n{self.text}"


class Project:
    """The project of a host, and pytest run in it."""

    def __init__(self, site, folder):
        self.site = site
        self.folder = folder
        folder.mkdir()
        site.write({"host.py": HOST, "host_late.py": LATE})
        for name, source in ADAPTERS.items():
            site.adapter(name, source)
        self.configure()

    def write(self, files):
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(textwrap.dedent(content))

    def configure(self, text="", dispatcher="host:dispatcher", name="pytest.ini"):
        line = "" if dispatcher is None else f"dispatcher = {dispatcher}\n"
        self.write({name: f"[pytest]\n{line}{text}\n"})

    def differs(self, text):
        self.configure("dispatch_differs = differs.toml")
        self.write({"differs.toml": text})

    def run(self, tests, *options, plugins=(), python=(), env=None, every_plugin=False):
        """Run tests, the source of a module or of several; only with the plugins that it needs."""
        self.write({"test_it.py": tests} if isinstance(tests, str) else tests)
        command = [sys.executable, *python, "-m", "pytest", "-rA", "-p", "no:cacheprovider"]
        if not every_plugin:  # by the entry point, as if all were loaded
            for plugin in ("backstack", *plugins):
                command += ["-p", plugin]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(self.site.folder), os.environ.get("PYTHONPATH", "")])
            ),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "" if every_plugin else "1",
            "COLUMNS": "200",
            **(env or {}),
        }
        for variable in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_PLUGINS"):
            environment.pop(variable, None)
        done = subprocess.run(
            [*command, *options],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=120,
        )
        result = Result(done)
        assert "INTERNALERROR" not in result.text, result
        return result


@pytest.fixture
def project(site, tmp_path):
    return Project(site, tmp_path / "project")


WHERE = """
    import host
    def test_where(): assert host.where() == "fast"
"""


# -- the backend is in force ---------------------------------------------------------------


def test_tests_run_on_the_backend_and_the_table_says_what_did(project):
    result = project.run(
        """
        import asyncio, host
        def test_where():
            assert host.where() == "fast"
            assert host.double(2) == host.double(2, backend="cpu")
        def test_all():
            assert asyncio.run(host.fetch(1)) == ("fast", 1)
            assert list(host.steps(2)) == [0, 1]
            assert host.Model(1).x == 1
        """,
        "--dispatch-to=fast",
    )
    assert result.status == 0, result
    assert result.counts == {
        "where": (1, 0, 0, 0),
        "double": (1, 0, 1, 0),
        "fetch": (1, 0, 0, 0),
        "steps": (1, 0, 0, 0),
        "Model": (1, 0, 0, 0),
    }
    assert result.never == set()
    assert "Nothing ran" not in result.out


def test_without_the_option_tests_run_on_the_host_and_nothing_is_told(project):
    result = project.run('import host\ndef test_where(): assert host.where() == "host"\n')
    assert result.status == 0, result
    assert "dispatched" not in result.out
    assert "backstack" not in result.out.replace("backstack-", "")


def test_functions_that_are_never_called_are_told(project):
    result = project.run(WHERE, "--dispatch-to=fast")
    assert result.never == {"double", "fetch", "steps", "Model"}
    assert "dispatched to fast" in result.out


def test_a_function_of_a_submodule_that_a_test_imports_late(project):
    for name in ("fast", "loopback"):
        result = project.run(
            "import host\ndef test_late(): host.late.late()\n", f"--dispatch-to={name}"
        )
        assert result.status == 0, result
        assert result.counts == {"late": (1, 0, 0, 0)}


def test_an_alias_chooses_as_well(project):
    result = project.run(WHERE, "--dispatch-to=quick", "--dispatch-strict")
    assert result.status == 0, result


def test_fixtures_of_every_scope_and_their_teardown_run_on_it(project):
    scopes = ["session", "package", "module", "class", "function"]
    fixtures = "".join(
        f"""
@pytest.fixture(scope="{scope}")
def of_{scope}():
    assert host.where() == "fast"
    yield host.where()
    assert host.where() == "fast"
"""
        for scope in scopes
    )
    names = [f"of_{scope}" for scope in scopes]
    tests = f"""
import host, pytest
{fixtures}
def setup_module(): assert host.where() == "fast"
def teardown_module(): assert host.where() == "fast"
class TestIt:
    def setup_method(self): assert host.where() == "fast"
    def teardown_method(self): assert host.where() == "fast"
    def test_a(self, {", ".join(names)}): assert {{{", ".join(names)}}} == {{"fast"}}
    def test_b(self, {", ".join(names)}): assert {{{", ".join(names)}}} == {{"fast"}}
def test_c({", ".join(names[:3])}): assert {{{", ".join(names[:3])}}} == {{"fast"}}
"""
    result = project.run({"test_it.py": tests}, "--dispatch-to=fast", "--dispatch-strict")
    assert result.status == 0, result
    assert result.outcomes == {
        "TestIt::test_a": "PASSED",
        "TestIt::test_b": "PASSED",
        "test_c": "PASSED",
    }
    assert result.counts["where"][1:] == (0, 0, 0)


def test_threads_and_pools_of_a_test_run_on_it(project):
    result = project.run(
        """
        import host, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest

        @pytest.fixture(scope="module")
        def pool():
            with ThreadPoolExecutor(2) as pool:
                pool.submit(int).result()
                yield pool
        def test_thread():
            found = []
            thread = threading.Thread(target=lambda: found.append(host.where()))
            thread.start()
            thread.join()
            assert found == ["fast"]
        def test_pool(pool):
            assert [pool.submit(host.where).result() for _ in range(5)] == ["fast"] * 5
        def test_pool_again(pool):
            assert set(pool.map(lambda i: host.where(), range(5))) == {"fast"}
        """,
        "--dispatch-to=fast",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.counts == {"where": (11, 0, 0, 0)}


def test_several_names_are_an_order_of_preference(project):
    result = project.run(
        """
        import host
        def test_where(): assert host.where() == "partial"
        def test_double(): assert host.double(2) == 4
        """,
        "--dispatch-to=partial, fast",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.counts == {"where": (1, 0, 0, 0), "double": (1, 0, 0, 0)}
    assert "dispatched to partial, fast" in result.out


def test_of_several_names_those_that_cannot_be_used_here_are_passed_over(project):
    result = project.run(
        WHERE + "    def test_again(): assert host.where() == 'fast'\n",
        "--dispatch-to=absent,away,fast",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.counts == {"where": (2, 0, 0, 0)}


def test_what_the_host_keeps_after_the_backend_is_a_choice(project):
    result = project.run(
        "import host\ndef test_double(): host.double(1)\ndef test_where(): host.where()\n",
        "--dispatch-to=partial,cpu",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.counts == {"double": (0, 0, 1, 0), "where": (1, 0, 0, 0)}


def test_the_environment_variable_does_not_stand_in_the_way(project):
    result = project.run(
        WHERE, "--dispatch-to=fast", "--dispatch-strict", env={"HOST_BACKEND": "nobody"}
    )
    assert result.status == 0, result


# -- tests that choose themselves ----------------------------------------------------------


def test_what_a_test_sets_ends_with_it(project):
    result = project.run(
        """
        import host
        def test_a():
            host.settings.backend = "cpu"
            host.settings.on_missing = "error"
            assert host.where() == "host"
        def test_b():
            assert host.where() == "fast"
            host.settings.backend = None
            assert host.where() == "host"
        def test_c():
            assert host.where() == "fast"
            host.settings.backend = ["partial", "fast"]
        def test_d():
            assert host.where() == "fast"
            assert host.settings.on_missing != "error"
        """,
        "--dispatch-to=fast",
    )
    assert result.status == 0, result
    assert result.counts == {"where": (3, 0, 2, 0)}


def test_a_test_may_take_calls_to_the_host_or_to_another_backend(project):
    result = project.run(
        """
        import host
        def test_cpu():
            with host.backend("cpu"):
                assert host.where() == "host"
            assert host.where(backend="cpu") == "host"
            assert host.where() == "fast"
        def test_other():
            with host.backend("partial"):
                assert host.where() == "partial"
        """,
        "--dispatch-to=fast",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.counts["where"][1:] == (0, 2, 0)


def test_a_test_with_a_trace_of_its_own_sees_its_calls(project):
    result = project.run(
        """
        import host
        def test_trace():
            with host.trace() as calls:
                host.where()
            assert [call.ran_on for call in calls] == ["fast"]
        """,
        "--dispatch-to=fast",
        "--dispatch-strict",
    )
    assert result.status == 0, result


def test_a_test_that_registers_an_adapter_leaves_the_next_one_alone(project):
    result = project.run(
        """
        import host
        from types import SimpleNamespace
        def test_a():
            own = SimpleNamespace(name="fast", where=lambda: "own")
            with host.dispatcher.register(own):
                assert host.where() == "own"
            assert host.where() == "fast"
        def test_b():
            with host.dispatcher.register(SimpleNamespace(name="x"), exclusive=True):
                pass
            assert host.where() == "fast"
        def test_c():
            host.dispatcher.refresh()
            assert host.where() == "fast"
        """,
        "--dispatch-to=fast",
    )
    assert result.status == 0, result


# -- what becomes of tests -----------------------------------------------------------------


OUTCOMES = """
    import host, pytest, unittest
    @pytest.fixture
    def bad_setup():
        host.where()
        raise LookupError("setup")
    @pytest.fixture
    def bad_teardown():
        yield
        host.where()
        raise LookupError("teardown")
    def test_passes(): assert host.where() == "fast"
    def test_fails():
        host.where()
        assert 0
    def test_skips():
        host.where()
        pytest.skip("later")
    def test_skips_itself_otherwise(): raise unittest.SkipTest("later")
    @pytest.mark.xfail(strict=True)
    def test_xfails():
        host.where()
        assert 0
    def test_imperatively_xfails(): pytest.xfail("known")
    @pytest.mark.xfail(strict=False)
    def test_xpasses(): host.where()
    @pytest.mark.skip
    def test_skipped(): assert 0
    def test_setup(bad_setup): pass
    def test_teardown(bad_teardown): pass
    def test_last(): assert host.where() == "fast"
"""


def test_outcomes_of_tests_are_what_they_were(project):
    plain = project.run(OUTCOMES.replace('== "fast"', '== "host"'))
    result = project.run(OUTCOMES, "--dispatch-to=fast", "--dispatch-strict")
    assert result.outcomes == plain.outcomes
    assert result.status == plain.status == 1
    assert result.outcomes["test_setup"] == "ERROR"
    assert result.outcomes["test_xfails"] == "XFAIL"
    assert re.search(r"3 skipped", result.out)
    assert re.search(r"3 skipped", plain.out)
    assert result.counts == {"where": (8, 0, 0, 0)}


@pytest.mark.parametrize("name", ["fast", "loopback"])
def test_unittest_classes_run_on_the_backend(project, name):
    host = "fast" if name == "fast" else "host"
    result = project.run(
        f"""
        import host, unittest
        class TestIt(unittest.TestCase):
            @classmethod
            def setUpClass(cls): cls.found = host.where()
            @classmethod
            def tearDownClass(cls): assert host.where() == "{host}"
            def setUp(self): assert host.where() == "{host}"
            def tearDown(self): assert host.where() == "{host}"
            def test_a(self): self.assertEqual(self.found, "{host}")
            def test_sub(self):
                for i in range(3):
                    with self.subTest(i=i):
                        self.assertEqual(host.double(i), 2 * i)
            def test_fails(self): self.assertEqual(host.where(), "nobody")
            def test_skips(self): self.skipTest("later")
            @unittest.expectedFailure
            def test_expected(self): self.assertEqual(host.where(), "nobody")
        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def test_fetch(self): self.assertEqual(await host.fetch(1), ("{host}", 1))
        """,
        f"--dispatch-to={name}",
        "--dispatch-strict",
    )
    assert result.outcomes["TestIt::test_a"] == "PASSED"
    assert result.outcomes["TestIt::test_sub"] == "PASSED"
    assert result.outcomes["TestIt::test_fails"] == "FAILED"
    assert result.outcomes["TestIt::test_expected"] == "XFAIL"
    assert result.outcomes["TestAsync::test_fetch"] == "PASSED"
    assert "1 failed" in result.out
    assert result.counts["double"] == (3, 0, 0, 0)
    assert result.counts["fetch"] == (1, 0, 0, 0)
    assert result.counts["where"][1:] == (0, 0, 0)


def test_unittest_tests_that_fall_back_fail_and_those_that_differ_are_expected_to(project):
    project.differs('[partial]\n"test_it.py::TestIt::test_differs" = "why"\n')
    result = project.run(
        """
        import host, unittest
        class TestIt(unittest.TestCase):
            def test_falls_back(self): host.double(1)
            def test_fine(self): host.where()
            def test_differs(self): self.assertEqual(host.where(), "host")
        """,
        "--dispatch-to=partial",
        "--dispatch-strict",
    )
    assert result.outcomes == {
        "TestIt::test_falls_back": "FAILED",
        "TestIt::test_fine": "PASSED",
        "TestIt::test_differs": "XFAIL",
    }


def test_anyio_tests_and_fixtures_run_on_the_backend(project):
    pytest.importorskip("anyio")
    result = project.run(
        """
        import anyio, anyio.to_thread, host, pytest
        @pytest.fixture
        def anyio_backend(): return "asyncio"
        @pytest.fixture
        async def fetched():
            yield await host.fetch(1)
            assert await host.fetch(2) == ("fast", 2)
        @pytest.mark.anyio
        async def test_a(fetched):
            assert fetched == ("fast", 1)
            assert await anyio.to_thread.run_sync(host.where) == "fast"
        @pytest.mark.anyio
        async def test_group():
            found = []
            async def one(): found.append(await host.fetch(1))
            async with anyio.create_task_group() as group:
                group.start_soon(one)
                group.start_soon(one)
            assert found == [("fast", 1)] * 2
        @pytest.mark.anyio
        async def test_falls_back():
            await anyio.sleep(0)
            with host.backend("partial"):
                host.double(1)
        """,
        "--dispatch-to=fast,partial",
        "--dispatch-strict",
        plugins=["anyio"],
    )
    assert result.outcomes == {
        "test_a": "PASSED",
        "test_group": "PASSED",
        "test_falls_back": "FAILED",
    }
    assert result.counts["fetch"] == (4, 0, 0, 0)


def test_pytest_asyncio_tests_run_on_the_backend(project):
    pytest.importorskip("pytest_asyncio")
    project.configure("asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    result = project.run(
        """
        import asyncio, host, pytest
        @pytest.fixture
        async def fetched(): return await host.fetch(1)
        async def test_a(fetched):
            assert fetched == ("fast", 1)
            assert await asyncio.to_thread(host.where) == "fast"
        """,
        "--dispatch-to=fast",
        "--dispatch-strict",
        plugins=["asyncio"],
    )
    assert result.status == 0, result
    assert result.counts == {"fetch": (1, 0, 0, 0), "where": (1, 0, 0, 0)}


def test_doctests_run_on_the_backend(project):
    project.write({"told.py": '"""\n>>> import host\n>>> host.where()\n\'fast\'\n"""\n'})
    result = project.run(
        WHERE, "--dispatch-to=fast", "--dispatch-strict", "--doctest-modules", "told.py"
    )
    assert result.status == 0, result
    assert result.counts == {"where": (1, 0, 0, 0)}


@pytest.mark.parametrize("name", ["fast", "loopback", "absent,fast", "partial,fast"])
def test_a_suite_with_warnings_as_errors_runs_on_the_backend(project, name):
    project.configure("filterwarnings = error")
    result = project.run(
        """
        import host, pytest, warnings
        def test_double(): assert host.double(1) == 2
        def test_where(): host.where()
        def test_own():
            with pytest.warns(UserWarning, match="own"):
                warnings.warn("own")
            with pytest.raises(UserWarning):
                warnings.warn("own")
        """,
        f"--dispatch-to={name}",
        "--dispatch-strict",
    )
    assert result.status == 0, result


def test_a_function_that_the_backend_lacks_runs_on_the_host_without_a_warning(project):
    project.configure("filterwarnings = error")
    result = project.run(
        "import host\ndef test_double(): assert host.double(1) == 2\n", "--dispatch-to=partial"
    )
    assert result.status == 0, result
    assert result.counts == {"double": (0, 1, 0, 0)}
    assert "Nothing ran on partial." in result.out


# -- strictly ------------------------------------------------------------------------------


FALLING = """
    import host, pytest, threading
    def test_fine(): host.where()
    def test_falls_back(): host.double(1)
    def test_in_a_thread():
        thread = threading.Thread(target=host.double, args=(1,))
        thread.start()
        thread.join()
    @pytest.fixture
    def doubled(): return host.double(1)
    def test_in_a_fixture(doubled): host.where()
    def test_on_the_host():
        host.double(1, backend="cpu")
        with host.backend("cpu"):
            host.double(1)
    def test_swallows():
        try:
            host.double(1)
        except BaseException:
            pass
    def test_fine_again(): host.where()
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_tests_that_fall_back_fail_when_that_is_strict(project, workers):
    options = ["-n", str(workers)] if workers else []
    plugins = ["xdist"] if workers else []
    if workers:
        pytest.importorskip("xdist")
    result = project.run(
        FALLING, "--dispatch-to=partial", "--dispatch-strict", *options, plugins=plugins
    )
    assert result.outcomes == {
        "test_fine": "PASSED",
        "test_falls_back": "FAILED",
        "test_in_a_thread": "FAILED",
        "test_in_a_fixture": "FAILED",
        "test_on_the_host": "PASSED",
        "test_swallows": "FAILED",
        "test_fine_again": "PASSED",
    }
    assert "'partial' does not implement double()" in result.out
    assert result.counts == {"double": (0, 4, 2, 0), "where": (3, 0, 0, 0)}
    assert result.status == 1


def test_tests_that_fall_back_pass_when_it_is_not_strict(project):
    result = project.run(FALLING, "--dispatch-to=partial")
    assert result.status == 0, result
    assert result.counts == {"double": (0, 4, 2, 0), "where": (3, 0, 0, 0)}


def test_a_call_that_is_declined_falls_back(project):
    result = project.run(
        "import host\ndef test_double(): assert host.double(1) == 2\n",
        "--dispatch-to=shy",
        "--dispatch-strict",
    )
    assert result.outcomes == {"test_double": "FAILED"}
    assert "'shy' declined this call of double()" in result.out
    assert "Nothing ran on shy." in result.out


def test_a_test_that_fails_anyway_says_its_own_reason(project):
    result = project.run(
        "import host\ndef test_double():\n    host.double(1)\n    assert 0, 'my own reason'\n",
        "--dispatch-to=partial",
        "--dispatch-strict",
    )
    assert "my own reason" in result.out
    assert "fell back to the host" not in result.out


NOTHING = {
    "no calls": "def test_nothing(): pass\n",
    "only on the host": "import host\ndef test_it(): host.where(backend='cpu')\n",
    "all skipped": "import pytest\ndef test_it(): pytest.skip('later')\n",
    "at import only": "import host\nhost.where()\ndef test_it(): pass\n",
}


@pytest.mark.parametrize("case", NOTHING)
def test_a_run_in_which_nothing_ran_on_the_backend_is_told_and_fails_if_strict(project, case):
    result = project.run(NOTHING[case], "--dispatch-to=fast")
    assert result.status == 0, result
    assert "Nothing ran on fast." in result.out
    result = project.run(NOTHING[case], "--dispatch-to=fast", "--dispatch-strict")
    assert result.status == 1, result
    assert "Nothing ran on fast." in result.out


def test_a_nominal_backend_counts_as_having_run_and_its_inner_calls_as_the_hosts(project):
    project.site.write(
        {
            "fast_adapter.py": """
                name = "fast"
                def where():
                    import host
                    return host.where(backend="cpu")
            """
        }
    )
    result = project.run(
        "import host\ndef test_where(): assert host.where() == 'host'\n",
        "--dispatch-to=fast",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.counts == {"where": (1, 0, 1, 0)}


def test_a_backend_that_raises_fails_the_tests_and_nothing_falls_back(project):
    project.site.write({"fast_adapter.py": "name = 'fast'\ndef where(): raise LookupError('x')\n"})
    result = project.run(WHERE, "--dispatch-to=fast", "--dispatch-strict")
    assert result.outcomes == {"test_where": "FAILED"}
    assert result.counts == {"where": (1, 0, 0, 0)}


def test_a_function_that_the_backend_lists_and_cannot_give_fails_the_test(project):
    source = """
        name, aliases, __all__ = "fast", [], ["where"]
        def __getattr__(name):
            if name == "where":
                raise ImportError("no library")
            raise AttributeError(name)
    """
    project.site.write({"fast_adapter.py": source})
    result = project.run(WHERE, "--dispatch-to=fast")
    assert result.outcomes == {"test_where": "FAILED"}
    assert result.counts == {"where": (0, 0, 0, 1)}
    assert "failed to load" in result.out


# -- several processes ---------------------------------------------------------------------


def test_counts_of_workers_are_added_up(project):
    pytest.importorskip("xdist")
    project.differs('[fast]\n"test_it.py::test_differs*" = "why"\n"test_it.py::nobody" = "why"\n')
    result = project.run(
        """
        import host, pytest
        @pytest.mark.parametrize("i", range(6))
        def test_where(i): assert host.where() == "fast"
        @pytest.mark.parametrize("i", range(3))
        def test_double(i): host.double(i)
        def test_differs(): assert host.where() == "host"
        @pytest.mark.dispatch_differs("quick", reason="other why")
        def test_marked(): assert host.where() == "host"
        """,
        "--dispatch-to=fast",
        "--dispatch-strict",
        *("-n", "2"),
        plugins=["xdist"],
    )
    assert result.status == 0, result
    assert result.counts == {"where": (8, 0, 0, 0), "double": (3, 0, 0, 0)}
    assert result.never == {"fetch", "steps", "Model"}
    assert result.outcomes["test_differs"] == result.outcomes["test_marked"] == "XFAIL"
    assert result.out.count("no such test: test_it.py::nobody (fast)") == 1
    assert "Nothing ran" not in result.out


@pytest.mark.parametrize("dist", ["loadgroup", "loadfile", "each"])
def test_patterns_are_meant_however_tests_are_distributed(project, dist):
    pytest.importorskip("xdist")
    project.differs('[fast]\n"test_it.py::test_differs" = "why"\n')
    options = ["--tx", "2*popen", "--dist=each"] if dist == "each" else ["-n2", f"--dist={dist}"]
    result = project.run(
        """
        import host, pytest
        @pytest.mark.xdist_group("one")
        def test_differs(): assert host.where() == "host"
        def test_where(): assert host.where() == "fast"
        """,
        "--dispatch-to=fast",
        *options,
        plugins=["xdist"],
    )
    assert result.status == 0, result
    assert "xfailed" in result.out
    assert "no such test" not in result.out


def test_nothing_ran_in_any_worker(project):
    pytest.importorskip("xdist")
    result = project.run(
        "def test_a(): pass\ndef test_b(): pass\n",
        "--dispatch-to=fast",
        "--dispatch-strict",
        *("-n", "2"),
        plugins=["xdist"],
    )
    assert result.status == 1, result
    assert "Nothing ran on fast." in result.out


def test_a_worker_that_crashes_costs_only_its_own_counts(project):
    pytest.importorskip("xdist")
    result = project.run(
        """
        import host, os
        def test_a(): host.where()
        def test_b(): os._exit(3)
        def test_c(): host.where()
        """,
        *("--dispatch-to=fast", "-n", "1"),
        plugins=["xdist"],
    )
    assert result.status == 1, result
    assert result.counts == {"where": (1, 0, 0, 0)}


def test_workers_read_the_configuration_that_the_command_line_names(project):
    pytest.importorskip("xdist")
    project.configure(dispatcher=None)
    project.configure("dispatch_differs = differs.toml", name="other/pytest.ini")
    project.write({"other/differs.toml": '[fast]\n"*test_differs" = "why"\n'})
    result = project.run(
        WHERE + "    def test_differs(): assert host.where() == 'host'\n",
        *("-c", "other/pytest.ini", "--rootdir=.", "--dispatch-to=fast", "-n", "1"),
        plugins=["xdist"],
    )
    assert result.status == 0, result
    assert result.counts == {"where": (2, 0, 0, 0)}
    project.write({"other/differs.toml": ""})
    result = project.run(
        WHERE,
        *("-o", "dispatcher=host:dispatcher", "--dispatch-to=fast", "-n", "1"),
        plugins=["xdist"],
    )
    assert result.status == 0, result
    assert result.counts == {"where": (1, 0, 0, 0)}


def test_a_wrong_backend_is_told_once_and_no_worker_is_started(project):
    pytest.importorskip("xdist")
    result = project.run(WHERE, "--dispatch-to=fats", "-n", "2", plugins=["xdist"])
    assert result.status == 4, result
    assert result.text.count("Unknown backend 'fats'") == 1
    assert "Traceback" not in result.text


# -- tests that are expected to differ -----------------------------------------------------


PARAMETRISED = """
    import host, pytest
    @pytest.mark.parametrize("x", ["a[0]", "b", "c*", "ü", "d]"])
    def test_x(x): assert host.where() == ("host" if x in DIFFERS else "fast")
    class TestIt:
        def test_a(self): assert host.where() == ("host" if "class" in DIFFERS else "fast")
        @pytest.mark.parametrize("y", [1, 2])
        def test_b(self, y): assert host.where() == ("host" if "class" in DIFFERS else "fast")
"""


@pytest.mark.parametrize(
    ("patterns", "differing", "expected"),
    [
        (["test_it.py::test_x[a[0]]"], ["a[0]"], {"test_x[a[0]]"}),
        (["test_it.py::test_x[c*]"], ["c*"], {"test_x[c*]"}),
        (["*[d]]", "*[b]"], ["d]", "b"], {"test_x[d]]", "test_x[b]"}),
        (
            ["test_it.py::test_x"],
            ["a[0]", "b", "c*", "ü", "d]"],
            {"test_x[a[0]]", "test_x[b]", "test_x[c*]", r"test_x[\xfc]", "test_x[d]]"},
        ),
        (
            ["test_it.py::TestIt::*"],
            ["class"],
            {"TestIt::test_a", "TestIt::test_b[1]", "TestIt::test_b[2]"},
        ),
        (
            ["test_it.py::TestIt::test_b", "*test_a"],
            ["class"],
            {"TestIt::test_a", "TestIt::test_b[1]", "TestIt::test_b[2]"},
        ),
    ],
)
def test_patterns_name_tests_with_and_without_parameters(project, patterns, differing, expected):
    project.differs("[fast]\n" + "".join(f'"{pattern}" = "why"\n' for pattern in patterns))
    tests = f"DIFFERS = {differing!r}\n" + textwrap.dedent(PARAMETRISED)
    result = project.run(tests, "--dispatch-to=fast")
    assert result.status == 0, result
    xfailed = {test for test, outcome in result.outcomes.items() if outcome == "XFAIL"}
    assert xfailed == expected
    assert "no such test" not in result.out


DIFFERING = """
    import host, pytest
    @pytest.mark.dispatch_differs("fast", reason="it is faster")
    def test_keyword(): assert host.where() == "host"
    @pytest.mark.dispatch_differs(backend="quick", reason="by an alias")
    def test_alias(): assert host.where() == "host"
    @pytest.mark.dispatch_differs("partial", "another one")
    def test_other(): assert host.where() == "fast"
    @pytest.mark.dispatch_differs("partial", "another one")
    @pytest.mark.dispatch_differs("fast", "positional")
    def test_both(): assert host.where() == "host"
    @pytest.mark.dispatch_differs("fast", reason="the whole class")
    class TestIt:
        def test_a(self): assert host.where() == "host"
        def test_b(self): raise LookupError
    @pytest.mark.dispatch_differs("fast", reason="in a fixture")
    def test_fixture(fails): pass
    @pytest.fixture
    def fails(): assert host.where() == "host"
    @pytest.mark.parametrize(
        "x",
        [pytest.param("host", marks=pytest.mark.dispatch_differs("fast", reason="one")), "fast"],
    )
    def test_x(x): assert host.where() == x
    @pytest.mark.dispatch_differs("unknown", reason="nobody")
    def test_unknown(): assert host.where() == "fast"
"""


def test_markers_say_where_tests_differ_and_why(project):
    project.configure("addopts = --strict-markers")
    result = project.run(DIFFERING, "--dispatch-to=fast")
    assert result.status == 0, result
    assert {test for test, outcome in result.outcomes.items() if outcome == "XFAIL"} == {
        "test_keyword",
        "test_alias",
        "test_both",
        "TestIt::test_a",
        "TestIt::test_b",
        "test_fixture",
        "test_x[host]",
    }
    for reason in ("it is faster", "by an alias", "positional", "the whole class"):
        assert reason in result.out
    assert "another one" not in result.out


def test_markers_mean_nothing_on_the_host(project):
    project.configure("addopts = --strict-markers")
    tests = DIFFERING.replace('== "fast"', '== "host"').replace("raise LookupError", "pass")
    result = project.run(tests.replace("== x", "!= x if x == 'fast' else 'host'"))
    assert result.status == 0, result
    assert set(result.outcomes.values()) == {"PASSED"}


def test_markers_reach_tests_of_several_backends(project):
    tests = """
        import host, pytest
        @pytest.mark.dispatch_differs("fast", reason="why")
        def test_double(): assert host.double(1) == 3
        def test_where(): assert host.where() == "partial"
    """
    result = project.run(tests, "--dispatch-to=partial,quick")
    assert result.outcomes == {"test_double": "XFAIL", "test_where": "PASSED"}


def test_an_expected_failure_that_passes_is_reported(project):
    project.differs('[quick]\n"test_it.py::test_listed" = "listed why"\n')
    result = project.run(
        """
        import host, pytest, unittest
        def test_listed(): assert host.where() == "fast"
        @pytest.mark.dispatch_differs("fast", reason="marked why")
        def test_marked(): assert host.where() == "fast"
        @pytest.mark.dispatch_differs("fast", reason="unittest why")
        class TestIt(unittest.TestCase):
            def test_a(self): pass
        """,
        "--dispatch-to=fast",
        *("-o", "xfail_strict=false"),
    )
    assert result.status == 1, result
    assert result.outcomes == {
        "test_listed": "FAILED",
        "test_marked": "FAILED",
        "TestIt::test_a": "FAILED",
    }
    for reason in ("listed why", "marked why", "unittest why"):
        assert f"[XPASS(strict)] {reason}" in result.out


def test_a_test_that_differs_by_falling_back_is_expected_to(project):
    project.differs('[partial]\n"*test_double" = "it lacks double"\n')
    result = project.run(
        "import host\ndef test_double(): host.double(1)\ndef test_where(): host.where()\n",
        "--dispatch-to=partial",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.outcomes == {"test_double": "XFAIL", "test_where": "PASSED"}


def test_patterns_that_match_nothing_are_told_and_those_of_other_backends_are_not(project):
    project.differs(
        """
        [fast]
        "test_it.py::test_wher" = "why"
        "nobody*" = "why"
        [partial]
        "test_it.py::test_other" = "why"
        [unknown]
        "test_it.py::test_unknown" = "why"
        """
    )
    result = project.run(WHERE, "--dispatch-to=fast")
    assert result.status == 0, result
    assert "no such test: test_it.py::test_wher (fast)" in result.out
    assert "no such test: nobody* (fast)" in result.out
    assert "test_other" not in result.out
    assert "test_unknown" not in result.out


@pytest.mark.parametrize("given", ["test_other.py", "test_it.py::test_where", "sub"])
def test_of_tests_that_are_not_looked_for_nothing_is_said(project, given):
    project.differs('[fast]\n"test_it.py::test_nobody" = "why"\n"test_i*::nobody" = "why"\n')
    passes = "def test_nothing(): pass\n"
    files = {"test_it.py": textwrap.dedent(WHERE), "test_other.py": passes, "sub/test_s.py": passes}
    assert "no such test" not in project.run(files, given, "--dispatch-to=fast").out
    for args in (["test_it.py"], ["."], ["test_other.py", "test_it.py"], []):
        result = project.run(files, *args, "--dispatch-to=fast")
        assert "no such test: test_it.py::test_nobody (fast)" in result.out
        assert ("no such test: test_i*::nobody (fast)" in result.out) == (args in (["."], []))


def test_the_file_is_looked_for_beside_the_configuration(project):
    project.configure("dispatch_differs = tests/differs.toml\ntestpaths = tests")
    result = project.run(
        {
            "tests/differs.toml": '[fast]\n"tests/test_it.py::test_differs" = "why"\n',
            "tests/test_it.py": "import host\ndef test_differs(): assert host.where() == 'host'\n",
        },
        "--dispatch-to=fast",
    )
    assert result.outcomes == {"test_differs": "XFAIL"}


# -- mistakes ------------------------------------------------------------------------------


def assert_usage_error(result, *texts):
    assert result.status == 4, result
    assert "Traceback" not in result.text
    for text in texts:
        assert text in result.text, result
    assert "passed" not in result.out


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("fats", ["Unknown backend 'fats'", "Did you mean 'fast'"]),
        ("absent", ["not installed", "absent-package"]),
        ("broken", ["failed to load", "no library"]),
        ("away", ["no device"]),
        ("pinned", ["Refusing trusted backend"]),
        ("gpu", ["reserved", "Choose a concrete one."]),
        ("fast,fats", ["Unknown backend 'fats'"]),
        ("broken,away", ["failed to load"]),
        (",", ["--dispatch-to"]),
        (" ", ["--dispatch-to"]),
    ],
)
def test_a_backend_that_cannot_be_used_is_a_usage_error(project, name, texts):
    assert_usage_error(project.run(WHERE, f"--dispatch-to={name}"), *texts)


def test_an_unlisted_backend_is_refused_where_trust_is_required(project):
    result = project.run(WHERE, "--dispatch-to=unlisted", env={"HOST_BACKEND_TRUST": "require"})
    assert_usage_error(result, "unlisted")


def test_strict_without_a_backend_is_a_usage_error(project):
    assert_usage_error(project.run(WHERE, "--dispatch-strict"), "--dispatch-to")


@pytest.mark.parametrize(
    ("dispatcher", "text"),
    [
        (None, 'dispatcher = "example_host._backends:dispatcher"'),
        ("nowhere:dispatcher", "nowhere"),
        ("host:dispatchr", "dispatchr"),
        ("host:double", "BackendDispatcher"),
        ("host", "BackendDispatcher"),
        ("host dispatcher", "host dispatcher"),
        ("host:", "host:"),
        (":dispatcher", ":dispatcher"),
    ],
)
def test_a_dispatcher_that_is_not_found_is_a_usage_error(project, dispatcher, text):
    project.configure(dispatcher=dispatcher)
    assert_usage_error(project.run(WHERE, "--dispatch-to=fast"), text)


def test_a_wrong_configuration_does_no_harm_while_nobody_dispatches(project):
    project.configure("dispatch_differs = nowhere.toml", dispatcher="nowhere:dispatcher")
    result = project.run("def test_a(): pass\n")
    assert result.status == 0, result


@pytest.mark.parametrize(
    "content",
    [
        "[fast",
        'fast = "why"\n',
        '[fast]\n"test_it.py::test_where" = ""\n',
        '[fast]\n"test_it.py::test_where" = "  "\n',
        '[fast]\n"test_it.py::test_where" = true\n',
        '[fast]\n"test_it.py::test_where" = ["why"]\n',
        "[fast]\ntest_it.test_where = 'why'\n",
        "fast = ['test_it.py::test_where']\n",
        b"[fast]\n'\xff' = 'why'\n",
        None,
    ],
)
def test_a_file_that_says_nothing_sensible_is_a_usage_error(project, content):
    project.configure("dispatch_differs = differs.toml")
    if content is not None:
        project.write({"differs.toml": content})
    assert_usage_error(project.run(WHERE, "--dispatch-to=fast"), "differs.toml")


def test_an_empty_file_lists_nothing(project):
    project.differs("[partial]\n")
    assert project.run(WHERE, "--dispatch-to=fast").status == 0


@pytest.mark.parametrize(
    "marker",
    [
        'dispatch_differs("fast")',
        'dispatch_differs("fast", reason="")',
        'dispatch_differs("fast", reason=None)',
        'dispatch_differs(reason="why")',
        "dispatch_differs",
        "dispatch_differs()",
        'dispatch_differs("fast", resaon="why")',
        'dispatch_differs("fast", "why", when="always")',
        'dispatch_differs(["fast"], "why")',
    ],
)
def test_a_marker_without_backend_or_reason_is_a_usage_error(project, marker):
    tests = f"import pytest\n@pytest.mark.{marker}\ndef test_it(): assert 0\n"
    result = project.run(tests, "--dispatch-to=fast")
    assert result.status == 4, result
    assert "test_it.py::test_it" in result.text
    assert "dispatch_differs(backend, reason=" in result.text
    assert "Traceback" not in result.text


# -- loopback ------------------------------------------------------------------------------


def test_a_whole_suite_passes_on_loopback(project):
    tests = OUTCOMES.replace('== "fast"', '== "host"')
    plain = project.run(tests)
    result = project.run(tests, "--dispatch-to=loopback", "--dispatch-strict")
    assert result.outcomes == plain.outcomes
    assert result.counts == {"where": (8, 0, 0, 0)}


def test_classes_are_the_same_on_loopback(project):
    result = project.run(
        """
        import copy, host, pickle
        def test_type():
            model = host.Model(1)
            assert type(model) is host.Model
            assert isinstance(model, host.Model)
            assert type(pickle.loads(pickle.dumps(model))) is host.Model
            assert type(copy.copy(model)) is host.Model
        def test_subclass():
            class Sub(host.Model): pass
            assert type(Sub(1)) is Sub
        """,
        "--dispatch-to=loopback",
        "--dispatch-strict",
    )
    assert result.status == 0, result
    assert result.counts == {"Model": (1, 0, 0, 0)}


def test_a_backend_that_is_called_loopback_comes_before_ours(project):
    project.site.adapter("loopback", "name = 'loopback'\ndef where(): return 'installed'\n")
    result = project.run(
        "import host\ndef test_where(): assert host.where() == 'installed'\n",
        "--dispatch-to=loopback",
    )
    assert result.status == 0, result


# -- fixtures ------------------------------------------------------------------------------


def test_a_temporary_backend_is_chosen_for_every_thread_and_taken_back(project):
    tests = """
        import host, pytest, threading
        from types import SimpleNamespace
        BEFORE = {before}
        def adapter(name="mine", **more):
            return SimpleNamespace(name=name, where=lambda: name, **more)
        def test_a(temporary_backend):
            assert host.where() == BEFORE
            registration = temporary_backend(adapter())
            assert registration.name == "mine"
            assert host.where() == "mine"
            found = []
            thread = threading.Thread(target=lambda: found.append(host.where()))
            thread.start()
            thread.join()
            assert found == ["mine"]
        def test_b():
            assert host.where() == BEFORE
            assert host.dispatcher.resolve_name("mine") is None
        def test_several(temporary_backend):
            temporary_backend(adapter("one"))
            temporary_backend(adapter("two"))
            assert host.where() == "two"
            assert host.where(backend="one") == "one"
        def test_unselected(temporary_backend):
            temporary_backend(adapter(), select=False)
            assert host.where() == BEFORE
            assert host.where(backend="mine") == "mine"
        def test_exclusive(temporary_backend):
            temporary_backend(adapter(), exclusive=True)
            assert host.dispatcher.available_backend_names() == ["mine"]
        def test_policy(temporary_backend):
            temporary_backend(adapter(), on_missing="error")
            with pytest.raises(NotImplementedError):
                host.double(1)
        def test_policy_is_taken_back():
            assert host.settings.on_missing != "error"
        def test_removed_by_itself(temporary_backend):
            temporary_backend(adapter()).remove()
        def test_settings_of_its_own(temporary_backend):
            temporary_backend(adapter())
            host.settings.backend = "cpu"
            host.settings.on_missing = "error"
        def test_fails(temporary_backend):
            temporary_backend(adapter())
            assert 0
        def test_bad(temporary_backend):
            with pytest.raises(ImportError):
                temporary_backend(SimpleNamespace(name=5))
            with pytest.raises(RuntimeError):
                temporary_backend(adapter(is_available=lambda: "no device"))
        def test_replaces_an_installed_one(temporary_backend):
            temporary_backend(SimpleNamespace(name="fast", where=lambda: "replaced"))
            assert host.where() == "replaced"
        def test_installed_again():
            assert host.where(backend="fast") == "fast"
        def test_last():
            assert host.where() == BEFORE
            assert host.settings.on_missing != "error"
            assert host.dispatcher.resolve_name("mine") is None
    """
    for name, before in (("", "host"), ("fast", "fast")):
        options = [f"--dispatch-to={name}"] if name else []
        result = project.run(tests.replace("{before}", repr(before)), *options)
        assert result.outcomes.pop("test_fails") == "FAILED", result
        assert set(result.outcomes.values()) == {"PASSED"}, result
        assert len(result.outcomes) == 13


def test_a_trace_fixture_sees_the_calls_of_every_thread(project):
    result = project.run(
        """
        import host, pytest, threading
        def test_trace(dispatch_trace):
            host.where()
            thread = threading.Thread(target=host.double, args=(1,))
            thread.start()
            thread.join()
            assert [call.function for call in dispatch_trace] == ["where", "double"]
            assert {call.ran_on for call in dispatch_trace} == {host.settings.backend}
            assert len(dispatch_trace.summary()) == 2
        def test_anew(dispatch_trace): assert not len(dispatch_trace)
        def test_both(dispatch_trace, temporary_backend):
            from types import SimpleNamespace
            temporary_backend(SimpleNamespace(name="mine", where=lambda: "mine"))
            host.where()
            assert [call.ran_on for call in dispatch_trace] == ["mine"]
        """
    )
    assert result.status == 0, result
    again = project.run({}, "--dispatch-to=fast")
    assert again.status == 0, again
    assert again.counts["double"] == (1, 0, 0, 0)


def test_the_dispatcher_of_the_fixtures_can_be_overridden(project):
    project.configure(dispatcher=None)
    result = project.run(
        """
        import host, pytest
        from types import SimpleNamespace
        @pytest.fixture(scope="session")
        def dispatcher_under_test(): return host.dispatcher
        def test_a(temporary_backend, dispatch_trace):
            temporary_backend(SimpleNamespace(name="mine", where=lambda: "mine"))
            assert host.where() == "mine"
            assert len(dispatch_trace) == 1
        """
    )
    assert result.status == 0, result


def test_fixtures_without_a_dispatcher_say_what_is_missing(project):
    project.configure(dispatcher=None)
    result = project.run("def test_a(dispatch_trace): pass\ndef test_b(): pass\n")
    assert result.outcomes == {"test_a": "ERROR", "test_b": "PASSED"}
    assert "example_host._backends:dispatcher" in result.out
    assert "_dispatching.py" not in result.out  # what was done wrong, not where we noticed


def test_the_dispatcher_may_be_given_by_a_host_that_says_where_it_is(project):
    project.site.install("declared", {"the-host": "host:dispatcher"}, group="backstack.hosts")
    for name in ("the-host", "the_host", "host.dispatcher"):
        project.configure(dispatcher=name)
        assert project.run(WHERE, "--dispatch-to=fast").counts == {"where": (1, 0, 0, 0)}
    project.configure(dispatcher="no-host")
    result = project.run(WHERE, "--dispatch-to=fast")
    assert (result.status, "'no-host' cannot be found" in result.err) == (4, True)


@pytest.mark.parametrize("options", [(), ("--dispatch-to=fast",)])
def test_a_failure_shows_the_lines_of_the_test_and_of_what_it_calls(project, options):
    tests = """
        import host
        def test_an_unknown_name(): host.where(backend="nobody")
        def test_an_unknown_scope():
            with host.backend("nobody"): pass
        def test_an_unknown_option(): host.double(1, nothing=2, backend="fast")
        def test_the_body(): host.double(None, backend="cpu")
        def test_the_setting(): host.dispatcher.settings.backend = "nobody"
    """
    result = project.run(tests, *options)
    assert set(result.outcomes.values()) == {"FAILED"}
    assert len(result.outcomes) == 5
    assert "backstack/_" not in result.out
    assert "host.py" in result.out  # the body of its function
    assert "backstack/_" in project.run(tests, *options, "--full-trace").out


# -- in projects that do not use it --------------------------------------------------------


SILENT = """
    import sys
    def test_nothing_is_imported():
        assert "pytest_backstack" in sys.modules
        assert not [name for name in sys.modules if name.partition(".")[0] == "backstack"]
        assert "wrapt" not in sys.modules
"""


def test_a_project_that_does_not_use_it_sees_nothing_of_it(project):
    project.configure("addopts = --strict-config --strict-markers", dispatcher=None)
    strict = ["-W", "error", "-p", "no:asyncio"]  # which warns in projects without its options
    result = project.run(
        SILENT, *strict, every_plugin=True, python=["-X", "importtime", "-W", "error"]
    )
    assert result.status == 0, result
    assert not re.search(r"\| +backstack", result.err)
    assert "dispatch" not in result.out
    plugins = [line for line in result.out.splitlines() if line.startswith("plugins: ")]
    assert "backstack" not in result.out.replace("".join(plugins), "")


def test_it_can_be_turned_off(project):
    project.configure(dispatcher=None)
    tests = "import sys\ndef test_it(): assert 'pytest_backstack' not in sys.modules\n"
    result = project.run(tests, "-p", "no:backstack", every_plugin=True)
    assert result.status == 0, result
    refused = project.run(tests, "-p", "no:backstack", "--dispatch-to=fast", every_plugin=True)
    assert refused.status == 4
    assert "--dispatch-to" in refused.err


def test_help_describes_options_settings_markers_and_fixtures(project):
    help = project.run(WHERE, "--help").out
    assert "--dispatch-to=NAME" in help
    assert "--dispatch-strict" in help
    assert "dispatch_differs (string)" in help
    assert "dispatcher (string)" in help
    assert "@pytest.mark.dispatch_differs(backend, reason)" in project.run(WHERE, "--markers").out
    fixtures = project.run(WHERE, "--fixtures").out
    assert "temporary_backend --" in fixtures
    assert "dispatch_trace --" in fixtures


def test_quiet_runs_and_runs_without_a_summary_work(project):
    for options in (["-q", "-q"], ["--no-summary"], ["-x"], ["--co"]):
        result = project.run(WHERE, "--dispatch-to=fast", *options)
        assert result.status == 0, result


# -- odd projects --------------------------------------------------------------------------


def test_an_empty_name_is_a_usage_error(project):
    # pytest --dispatch-to=$UNSET runs everything on the host and succeeds
    result = project.run("import host\ndef test_a(): host.where()\n", "--dispatch-to=")
    assert result.status == 4, result


SCOPED = """
    import host, pytest
    @pytest.fixture(scope="module", autouse=True)
    def scoped():
        with host.backend("cpu"):
            yield
    def test_a(): assert host.where() == "host"
    def test_b(): assert host.where() == "host"
"""


@pytest.mark.parametrize("warnings", ["error", "default"])
def test_a_scope_in_a_fixture_of_a_module(project, warnings):
    project.configure(f"filterwarnings = {warnings}")
    assert project.run(SCOPED).status == 0
    result = project.run(SCOPED, "--dispatch-to=fast")
    assert result.status == 0, result
    assert "ScopeStillWinsWarning" not in result.text


@pytest.mark.parametrize("name", ["unlisted", "partial,unlisted", "partial,fats"])
def test_an_unlisted_backend_with_warnings_as_errors(project, name):
    project.configure("filterwarnings = error")
    if name == "partial,unlisted":
        project.site.write(
            {"unlisted_adapter.py": "name = 'unlisted'\ndef double(x): return 2 * x\n"}
        )
        tests = "import host\ndef test_a(): assert host.double(1) == 2\n"
    else:
        tests = "import host\ndef test_a(): assert host.where() == 'unlisted'\n"
    result = project.run(tests, f"--dispatch-to={name}")
    assert result.status in (0, 4), result


def test_what_runs_on_an_adapter_of_the_test_has_not_run_on_the_backend(project):
    result = project.run(
        """
        import host
        from types import SimpleNamespace
        def test_a():
            with host.dispatcher.register(SimpleNamespace(name="other", where=lambda: "other")):
                assert host.where(backend="other") == "other"
        """,
        "--dispatch-to=fast",
        "--dispatch-strict",
    )
    assert "Nothing ran on fast." in result.out, result
    assert result.status == 1, result


def test_a_fall_back_in_a_teardown_is_not_strict(project):
    result = project.run(
        """
        import host, pytest
        @pytest.fixture
        def doubled():
            yield
            host.double(3)
        def test_a(doubled): host.where()
        """,
        "--dispatch-to=partial",
        "--dispatch-strict",
    )
    assert result.counts["double"] == (0, 1, 0, 0)
    assert result.status == 1, result


def test_a_policy_that_is_none_leaves_nothing_selected(project):
    result = project.run(
        """
        import host, pytest
        from types import SimpleNamespace
        def test_a(temporary_backend):
            with pytest.raises(ValueError):
                temporary_backend(SimpleNamespace(name="mine"), on_missing="bogus")
        def test_b(): assert host.where() == "host" and host.settings.process_backend is None
        """
    )
    assert result.status == 0, result


def test_a_temporary_backend_inside_a_scope_with_warnings_as_errors_leaves_nothing(project):
    project.configure("filterwarnings = error")
    result = project.run(
        """
        import host, pytest
        from types import SimpleNamespace
        def test_a(temporary_backend):
            with host.backend("cpu"):
                with pytest.raises(UserWarning):
                    temporary_backend(SimpleNamespace(name="mine"))
        def test_b(): assert host.where() == "host" and host.settings.process_backend is None
        """
    )
    assert result.outcomes["test_b"] == "PASSED", result


def test_an_empty_backend_in_a_marker_or_in_the_file_is_a_usage_error(project):
    result = project.run(
        "import pytest\n@pytest.mark.dispatch_differs('', reason='x')\ndef test_a(): pass\n",
        "--dispatch-to=fast",
    )
    assert result.status == 4, result


def test_an_empty_backend_in_the_file_is_a_usage_error(project):
    project.differs('[""]\n"test_it.py::test_where" = "why"\n')
    assert project.run(WHERE, "--dispatch-to=fast").status == 4


@pytest.mark.parametrize(
    "arguments", ["'fast', reason='  '", "'fast', 'partial', 'why'", "'fast', reason=5"]
)
def test_a_marker_without_a_reason_in_words(project, arguments):
    result = project.run(
        f"import pytest\n@pytest.mark.dispatch_differs({arguments})\ndef test_a(): assert 0\n",
        "--dispatch-to=fast",
    )
    assert result.status == 4, result


def test_a_marker_without_a_reason_under_xdist(project):
    result = project.run(
        "import pytest\n@pytest.mark.dispatch_differs('fast')\ndef test_a(): assert 0\n",
        "--dispatch-to=fast",
        *("-n", "2"),
        plugins=["xdist"],
    )
    assert "dispatch_differs(backend, reason=" in result.text, result
    assert result.status != 0


@pytest.mark.parametrize(
    "source", ["def (", "raise RuntimeError('x')", "import nowhere_to_be_found", "1/0"]
)
def test_a_host_that_cannot_be_imported_is_a_usage_error(project, source):
    project.site.write({"host.py": source + "\n"})
    assert project.run(WHERE, "--dispatch-to=fast").status == 4


def test_a_test_that_leaves_an_exclusive_adapter_behind_does_not_end_the_session(project):
    result = project.run(
        """
        import host
        from types import SimpleNamespace
        def test_a(): host.dispatcher.register(SimpleNamespace(name="mine"), exclusive=True)
        def test_b(): host.where()
        """,
        "--dispatch-to=fast",
    )
    assert result.outcomes["test_a"] == "PASSED"
    assert result.outcomes["test_b"] in ("ERROR", "FAILED")


def test_the_hint_is_about_the_misspelt_field(project):
    tests = (
        "import pytest\n@pytest.mark.dispatch_differs('fast', resaon='x')\ndef test_it(): pass\n"
    )
    text = project.run(tests, "--dispatch-to=fast").text
    assert "Did you mean 'reason'" in text
    assert "Did you mean 'backend'" not in text


def test_no_hint_where_nothing_is_misspelt(project):
    tests = "import pytest\n@pytest.mark.dispatch_differs('fast')\ndef test_it(): pass\n"
    assert "Did you mean" not in project.run(tests, "--dispatch-to=fast").text


def test_it_is_not_said_that_nothing_ran_on_cpu(project):
    result = project.run(
        "import host\ndef test_a(): host.where()\n", "--dispatch-to=cpu", "--dispatch-strict"
    )
    assert result.status == 4 or ("Nothing ran" not in result.out and result.status == 0), result


def test_collecting_only_is_no_failure(project):
    result = project.run(WHERE, "--dispatch-to=fast", "--dispatch-strict", "--collect-only")
    assert result.status == 0, result


@pytest.mark.parametrize("mark", ["xfail(strict=False, reason='old')", "xfail(raises=ValueError)"])
def test_a_test_that_is_marked_already_and_differs_is_expected_to_strictly(project, mark):
    project.differs('[fast]\n"test_it.py::test_passes" = "why"\n"test_it.py::test_fails" = "why"\n')
    result = project.run(
        f"import pytest\n@pytest.mark.{mark}\ndef test_passes(): pass\n"
        f"@pytest.mark.{mark}\ndef test_fails(): assert 0\n",
        "--dispatch-to=fast",
        "-o",
        "xfail_strict=false",
    )
    assert result.outcomes == {"test_passes": "FAILED", "test_fails": "XFAIL"}, result


def test_why_no_preference_can_be_used_is_told_of_each(project):
    result = project.run(WHERE, "--dispatch-to=broken,away")
    assert result.status == 4
    assert "no device" in result.text, result


def test_a_test_with_its_own_fall_back_on_its_own_adapter_is_strictly_fine(project):
    # the test of a host's own fall-backs; the backend under test has nothing to do with it
    result = project.run(
        """
        import host
        from types import SimpleNamespace
        def test_a():
            with host.dispatcher.register(SimpleNamespace(name="other")):
                assert host.where(backend="other") == "host"
        def test_b(): host.where()
        """,
        "--dispatch-to=fast",
        "--dispatch-strict",
    )
    assert result.status == 0, result


def test_a_worker_that_crashes_does_not_break_the_table(project):
    result = project.run(
        "import host, os\ndef test_a(): host.where()\n"
        "def test_b(): os._exit(3)\ndef test_c(): host.where()\n",
        "--dispatch-to=fast",
        *("-n", "1"),
        plugins=["xdist"],
    )
    assert result.status == 1
    assert result.section


@pytest.mark.parametrize("warnings", ["error", "default"])
def test_a_preference_that_fails_to_load_with_warnings_as_errors(project, warnings):
    project.configure(f"filterwarnings = {warnings}")
    result = project.run(
        WHERE + "    def test_b(): host.where()\n    def test_c(): host.where()\n",
        "--dispatch-to=broken,fast",
    )
    assert result.status in (0, 4), result
    assert result.text.count("Passed over for the next preference") <= 2, (
        result
    )  # not for every test


@pytest.mark.parametrize(("name", "meant"), [("loopbakc", "loopback"), ("fastt", "fast")])
def test_a_misspelt_backend_is_told_with_who_asked_and_what_was_meant(project, name, meant):
    result = project.run(WHERE, f"--dispatch-to={name}")
    assert result.status == 4, result
    assert "asked for by --dispatch-to" in result.text
    assert f"Did you mean '{meant}'?" in result.text
