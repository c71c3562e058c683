"""What is installed is found from metadata and source, and only who is chosen is imported."""

import os
import py_compile
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from pathlib import Path

import pytest

import backstack

pytestmark = pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")

#: A module that leaves a file behind when it runs, whatever becomes of it afterwards.
MARK = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"


def ran(site):
    """The modules of the site that ran, by their marker files."""
    return sorted(path.stem for path in site.folder.rglob("*.ran"))


def names(dispatcher):
    return [record.name for record in dispatcher.backends()]


def record(dispatcher, name):
    return next(record for record in dispatcher.backends() if record.name == name)


def of_kind(caught, category):
    """The warnings of one kind among those that were caught."""
    return [item for item in caught if issubclass(item.category, category)]


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


# -- nobody is imported who is not asked for -------------------------------------------


@pytest.fixture
def three(site):
    """Three backends that mark that they ran: plain, lazy, and inside a package."""
    site.adapter("plain", MARK + "name = 'plain'\naliases = ['simple']\ndef f(x): return x\n")
    site.adapter(
        "lazy",
        MARK
        + """
name = "lazy"
__all__ = ["f", "g"]
def __getattr__(attribute):
    raise (ImportError if attribute in __all__ else AttributeError)(attribute)
""",
    )
    site.install(
        "deep-dist",
        {"deep": "deep.backends.host"},
        {
            "deep/__init__.py": MARK,
            "deep/backends/__init__.py": MARK,
            "deep/backends/host.py": MARK + "from deep.impl import f\nname: str = 'deep'\n",
            "deep/impl.py": MARK + "def f(x): return x\n",
        },
    )
    return site


@pytest.fixture
def host(dispatcher):
    """A host with two functions; the dispatcher has them as attributes."""

    @dispatcher.backend_dispatch
    def f(x):
        return "host", x

    @dispatcher.backend_dispatch
    def g(x):
        return "host", x

    dispatcher.f, dispatcher.g = f, g
    return dispatcher


def test_a_list_of_what_is_installed_imports_nobody(three, host):
    table = {record.name: record for record in host.backends()}
    assert set(table) == {"plain", "lazy", "deep"}
    assert table["plain"].aliases == ("simple",)
    assert table["plain"].functions == ("f",)
    assert table["lazy"].functions == ("f", "g")
    assert table["deep"].functions == ("f",)
    assert table["deep"].distribution == "deep-dist"
    assert table["deep"].version == "1.0"
    assert {record.state for record in table.values()} == {"found"}
    assert "plain" in repr(host.backends())
    assert "plain" in host.backends()._repr_html_()
    assert host.available_backend_names() == ["deep", "lazy", "plain", "simple"]
    assert host.settings.available_backends() == ["deep", "lazy", "plain"]
    assert host.resolve_name("simple") == "plain"
    assert not three.imported()
    assert not ran(three)


def test_a_misspelt_name_imports_nobody(three, host):
    with pytest.raises(backstack.UnknownBackendError, match="Did you mean 'plain'") as caught:
        host.f(1, backend="plian")
    assert caught.value.available == ("cpu", "deep", "lazy", "plain", "simple")
    with pytest.raises(backstack.UnknownBackendError, match="'nobody'"):
        host.settings.backend = "nobody"
    with pytest.raises(backstack.UnknownBackendError, match=r"'SIMPLE'.*Did you mean 'simple'"):
        with host.backend("SIMPLE"):
            pass
    assert host.get_backend("nobody") is None
    assert host.resolve_name("nobody") is None
    assert not three.imported()
    assert not ran(three)


def test_anothers_choice_imports_nobody_else(three, host):
    assert host.f(1, backend="simple") == 1
    assert three.imported() == {"plain_adapter"}
    assert ran(three) == ["plain_adapter"]


def test_the_hosts_own_choice_and_signature_import_nobody(three, host):
    import inspect

    assert host.f(1) == ("host", 1)
    assert host.f(1, backend="cpu") == ("host", 1)
    with host.backend("cpu"):
        assert host.f(1) == ("host", 1)
    inspect.signature(host.f)
    host.settings.backend
    repr(host)
    assert not ran(three)


def test_the_variable_imports_nobody_before_the_first_call(three, make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "simple")
    dispatcher = make_dispatcher()
    f = dispatcher.backend_dispatch(lambda x: ("host", x), name="f")
    assert dispatcher.settings.backend == "plain"
    assert not ran(three)
    assert f(1) == 1
    assert ran(three) == ["plain_adapter"]


def test_choosing_a_submodule_imports_its_parents_and_nobody_else(three, host):
    assert host.f(1, backend="deep") == 1
    assert three.imported() == {"deep", "deep.backends", "deep.backends.host", "deep.impl"}


def test_discover_loads_everybody(three, host):
    host.discover()
    assert ran(three) == ["__init__", "__init__", "host", "impl", "lazy_adapter", "plain_adapter"]
    assert {record.state for record in host.backends()} == {"loaded"}


def test_one_function_is_read_and_no_other(site, host):
    site.adapter(
        "lazy",
        """
        name = "lazy"
        __all__ = ["f", "g"]
        touched = []
        def __getattr__(attribute):
            touched.append(attribute)
            if attribute in __all__:
                return lambda x, **options: (attribute, x)
            raise AttributeError(attribute)
        """,
    )
    with host.backend("lazy"):
        assert host.f(1) == ("f", 1)
        assert host.f(1, strange=2) == ("f", 1)
        assert host.g(1, backend="cpu") == ("host", 1)
    touched = sys.modules["lazy_adapter"].touched
    assert "f" in touched
    assert "g" not in touched


def test_nothing_is_looked_for_at_decoration_or_for_cpu(site, make_dispatcher):
    finder = _CountingFinder()
    sys.meta_path.insert(0, finder)
    try:
        dispatcher = make_dispatcher()
        f = dispatcher.backend_dispatch(lambda x: x, name="f")
        f(1)
        f(1, backend="cpu")
        with dispatcher.backend("cpu"):
            f(1)
        dispatcher.settings.backend = "cpu"
        assert finder.asked == 0
        dispatcher.backends()
        assert finder.asked > 0
        asked = finder.asked
        dispatcher.backends()
        dispatcher.resolve_name("nobody")
        assert finder.asked == asked  # once
    finally:
        sys.meta_path.remove(finder)


class _CountingFinder:
    """A finder that finds nothing, and counts how often distributions are asked for."""

    asked = 0

    def find_spec(self, name, path=None, target=None):
        return None

    def find_distributions(self, context=None):
        self.asked += 1
        return iter(())

    def invalidate_caches(self):
        pass


# -- one broken distribution costs only itself -----------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[console_scripts\nno bracket",
        "no section = at:all\n",
        "[host.backends]\nno equals sign\n",
        "[host.backends]\n= no_name\n",
        "[host.backends]\nno_value =\n",
        "[host.backends]\nodd = not a module !!\n",
        "[host.backends]\nodd = :attribute\n",
        "[host.backends]\nodd = ..relative\n",
        "[host.backends]\n[host.backends]\nodd = a\nodd = a\n",
        "host.backends\0\0",
        "",
    ],
)
def test_malformed_entry_points_cost_only_their_distribution(site, dispatcher, text):
    site.install("broken", raw_entry_points=text or " ")
    site.adapter("good", "name = 'good'")
    assert "good" in names(dispatcher)
    assert dispatcher.get_backend("good").name == "good"
    dispatcher.discover()


def test_a_good_line_beside_a_malformed_one_counts(site, dispatcher):
    text = "[host.backends]\nrubbish\ngood = good_adapter\n[other.group]\nevil = evil_adapter\n"
    site.install("mixed", raw_entry_points=text, files={"good_adapter.py": "name = 'good'"})
    assert names(dispatcher) == ["good"]


def test_comments_extras_and_spaces_in_entry_points(site, dispatcher):
    text = """\
        # a comment
        ; another
        [ host.backends ]
        # commented = commented_adapter
          good   =   good_adapter : Adapter  [extra1, extra2]
        """
    files = {"good_adapter.py": "class Adapter:\n    name = 'good'\n"}
    site.install("spaced", raw_entry_points=textwrap.dedent(text), files=files)
    assert names(dispatcher) == ["good"]
    assert type(dispatcher.get_backend("good")).__name__ == "Adapter"


@pytest.mark.parametrize("file", ["entry_points.txt", "METADATA"])
def test_metadata_in_another_encoding_costs_only_its_distribution(site, dispatcher, file):
    info = site.install("broken", {"broken": "broken_adapter"})
    (info / file).write_bytes(b"\xff\xfe\xe4 host.backends \xf6\n")
    site.adapter("good", "name = 'good'")
    assert dispatcher.get_backend("good").name == "good"
    assert "good" in names(dispatcher)


def test_entry_points_that_are_a_folder_cost_only_their_distribution(site, dispatcher):
    info = site.install("broken", {"broken": "broken_adapter"})
    (info / "entry_points.txt").unlink()
    (info / "entry_points.txt").mkdir()
    site.adapter("good", "name = 'good'")
    assert names(dispatcher) == ["good"]


@pytest.mark.parametrize("metadata", ["Metadata-Version: 2.1\n", "\n", "Name:\n", "no colon"])
def test_metadata_without_a_name(site, dispatcher, metadata):
    files = {"odd_adapter.py": "name = 'odd'\ndef f(x): return x\n"}
    site.install("odd", {"odd": "odd_adapter"}, files, raw_metadata=metadata)
    site.adapter("good", "name = 'good'")
    assert names(dispatcher) == ["good", "odd"]
    assert not record(dispatcher, "odd").distribution
    assert "odd" in repr(dispatcher.backends())
    assert dispatcher.get_backend("odd").name == "odd"
    assert dispatcher.get_backend("good").name == "good"


def test_metadata_that_is_missing(site, dispatcher):
    info = site.install("odd", {"odd": "odd_adapter"}, {"odd_adapter.py": "name = 'odd'"})
    (info / "METADATA").unlink()
    assert names(dispatcher) == ["odd"]
    assert dispatcher.get_backend("odd").name == "odd"


def test_a_nameless_distribution_seen_twice_is_one(site, dispatcher, monkeypatch):
    files = {"odd_adapter.py": "name = 'odd'"}
    site.install("odd", {"odd": "odd_adapter"}, files, raw_metadata="Metadata-Version: 2.1\n")
    monkeypatch.setattr(sys, "path", [str(site.folder), *sys.path])
    assert names(dispatcher) == ["odd"]
    assert dispatcher.get_backend("odd").name == "odd"  # and no warning of a conflict


def test_a_finder_that_raises_costs_only_itself(site, dispatcher):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            return None

        def find_distributions(self, context=None):
            raise RuntimeError("broken finder")

    site.adapter("good", "name = 'good'")
    finder = Broken()
    sys.meta_path.append(finder)
    try:
        assert names(dispatcher) == ["good"]
        assert dispatcher.get_backend("good").name == "good"
    finally:
        sys.meta_path.remove(finder)


def test_a_broken_adapter_costs_only_itself(site, host):
    site.adapter("bad1", MARK + "raise RuntimeError('no')\nname = 'bad1'\n")
    site.adapter("bad2", "def broken(:\n")
    site.install("bad3-dist", {"bad3": "no_such_module"})
    site.install("bad4-dist", {"bad4": "json:no_such_attribute"})
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    assert names(host) == ["bad1", "bad2", "bad3", "bad4", "good"]
    assert not ran(site)
    assert host.f(1, backend="good") == ("good", 1)
    host.discover()
    states = {record.name: record.state for record in host.backends()}
    assert states.pop("good") == "loaded"
    assert set(states.values()) == {"failed"}
    assert host.available_backend_names() == ["good"]
    assert "RuntimeError: no" in record(host, "bad1").reason


# -- the same distribution twice -------------------------------------------------------


def test_the_same_folder_twice_on_the_path(site, dispatcher, monkeypatch):
    site.adapter("good", "name = 'good'")
    monkeypatch.setattr(sys, "path", [str(site.folder), str(site.folder) + os.sep, *sys.path])
    assert names(dispatcher) == ["good"]
    assert dispatcher.get_backend("good").name == "good"


def test_a_shadowed_copy_does_not_count(site, dispatcher, tmp_path, monkeypatch):
    site.install("Good.Dist", {"good": "good_adapter"}, {"good_adapter.py": "name = 'good'"})
    stale = type(site)(tmp_path / "stale")
    stale.install("good-dist", {"old": "old_adapter"}, {"old_adapter.py": "name = 'old'"})
    monkeypatch.setattr(sys, "path", [*sys.path, str(stale.folder)])
    assert names(dispatcher) == ["good"]
    assert dispatcher.get_backend("old") is None
    assert dispatcher.get_backend("good").name == "good"


def test_a_stale_egg_info_does_not_count(site, dispatcher, tmp_path, monkeypatch):
    site.install("good-dist", {"good": "good_adapter"}, {"good_adapter.py": "name = 'good'"})
    source = type(site)(tmp_path / "source")
    source.write(
        {
            "good_dist.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: good-dist\nVersion: 1.0\n",
            "good_dist.egg-info/entry_points.txt": "[host.backends]\nstale = good_adapter\n",
        }
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(source.folder)])
    assert dispatcher.available_backend_names() == ["good"]


def test_an_egg_info_alone_counts(site, dispatcher):
    site.write(
        {
            "good_dist.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: good-dist\nVersion: 1.0\n",
            "good_dist.egg-info/entry_points.txt": "[host.backends]\ngood = good_adapter\n",
            "good_adapter.py": "name = 'good'",
        }
    )
    assert record(dispatcher, "good").distribution == "good-dist"


def test_a_leftover_of_an_upgrade_is_one_backend(site, dispatcher):
    files = {"good_adapter.py": "name = 'good'"}
    site.install("good-dist", {"good": "good_adapter"}, files, version="1.0")
    site.install("good-dist", {"good": "good_adapter"}, files, version="2.0")
    assert names(dispatcher) == ["good"]
    assert dispatcher.get_backend("good").name == "good"


def test_two_entry_points_to_one_adapter(site, dispatcher):
    files = {"good_adapter.py": "name = 'good'"}
    site.install("good-dist", {"good": "good_adapter", "fine": "good_adapter"}, files)
    assert names(dispatcher) == ["good"]
    assert dispatcher.available_backend_names() == ["fine", "good"]
    assert dispatcher.get_backend("fine") is dispatcher.get_backend("good")


def test_one_distribution_with_several_adapters(site, dispatcher):
    files = {"one_adapter.py": "name = 'one'", "two_adapter.py": "name = 'two'"}
    site.install("both", {"one": "one_adapter", "two": "two_adapter"}, files)
    assert names(dispatcher) == ["one", "two"]


def test_one_package_serves_many_hosts(site, make_dispatcher):
    site.install(
        "both",
        raw_entry_points="[a.backends]\nx = x_for_a\n[b.backends]\nx = x_for_b\n",
        files={"x_for_a.py": MARK + "name = 'x'", "x_for_b.py": MARK + "name = 'x'"},
    )
    first = make_dispatcher(entrypoint_group="a.backends", host_name="a")
    second = make_dispatcher(entrypoint_group="b.backends", host_name="b")
    assert first.get_backend("x").__name__ == "x_for_a"
    assert ran(site) == ["x_for_a"]
    assert second.get_backend("x").__name__ == "x_for_b"


def test_a_group_is_not_a_prefix(site, make_dispatcher):
    site.install(
        "other", raw_entry_points="[host.backends2]\nx = x_adapter\n[host]\ny = y_adapter\n"
    )
    assert names(make_dispatcher()) == []


# -- who has a contested name ----------------------------------------------------------


def test_two_distributions_with_the_same_entry_point(site, host):
    for distribution in ("b-dist", "a-dist"):
        module = f"{distribution[0]}_adapter"
        source = MARK + f"name = 'same'\ndef f(x): return {distribution!r}\n"
        site.install(distribution, {"same": module}, {f"{module}.py": source})
    with pytest.warns(backstack.BackendConflictWarning) as caught:
        result, line = host.f(1, backend="same"), sys._getframe().f_lineno
    assert result == "a-dist"
    (warning,) = of_kind(caught, backstack.BackendConflictWarning)
    assert (warning.filename, warning.lineno) == (__file__, line)
    text = str(warning.message)
    assert "'same'" in text
    assert "a-dist" in text
    assert "b-dist" in text
    assert "first by distribution name" in text
    assert ran(site) == ["a_adapter"]
    assert host.f(2, backend="same") == "a-dist"  # and no second warning


@pytest.mark.parametrize("winner", ["a", "b"])
def test_the_trusted_one_has_a_contested_name(site, make_dispatcher, winner):
    for letter in "ab":
        site.install(
            f"{letter}-dist",
            {f"ep-{letter}": f"{letter}_adapter"},
            {f"{letter}_adapter.py": MARK + "name = 'same'"},
        )
    dispatcher = make_dispatcher(trusted_backends={"same": {"package": f"{winner}-dist"}})
    with pytest.warns(backstack.BackendConflictWarning, match="host trusts"):
        adapter = dispatcher.get_backend("same")
    assert adapter.__name__ == f"{winner}_adapter"
    assert ran(site) == [f"{winner}_adapter"]


def test_the_trusted_ones_own_alias_wins_over_an_unlisted_name(site, make_dispatcher):
    site.adapter("unlisted", MARK + "name = 'fast'", distribution="a-dist")
    site.adapter("listed", "name = 'listed'\naliases = ['fast']", distribution="b-dist")
    dispatcher = make_dispatcher(trusted_backends={"listed": {"package": "b-dist"}})
    with pytest.warns(backstack.BackendConflictWarning, match="host trusts"):
        adapter = dispatcher.get_backend("fast")
    assert adapter.__name__ == "listed_adapter"


def test_a_warning_of_a_conflict_tells_why(site, dispatcher):
    site.adapter("one", "name = 'one'\naliases = ['fast']", distribution="a-dist")
    site.adapter("two", "name = 'fast'", distribution="b-dist")
    with pytest.warns(backstack.BackendConflictWarning) as caught:
        adapter = dispatcher.get_backend("fast")
    (warning,) = of_kind(caught, backstack.BackendConflictWarning)
    by_name = "first by distribution name" in str(warning.message)
    assert by_name == (adapter.__name__ == "one_adapter")


def test_two_aliases_alike(site, dispatcher):
    site.adapter("one", "name = 'one'\naliases = ['fast']", distribution="b-dist")
    site.adapter("two", "name = 'two'\naliases = ['fast']", distribution="a-dist")
    with pytest.warns(backstack.BackendConflictWarning, match="'fast'"):
        assert dispatcher.get_backend("fast").name == "two"
    assert dispatcher.get_backend("one").name == "one"
    assert site.imported() == {"one_adapter", "two_adapter"}


def test_the_loser_of_a_name_is_reported_and_not_imported(site, dispatcher):
    site.adapter("one", MARK + "name = 'same'", distribution="a-dist")
    site.adapter("two", MARK + "name = 'same'", distribution="b-dist")
    states = {record.distribution: record.state for record in dispatcher.backends()}
    assert states == {"a-dist": "found", "b-dist": "refused"}
    with pytest.warns(backstack.BackendConflictWarning):
        dispatcher.discover()
    assert ran(site) == ["one_adapter"]


# -- where the source is read from -----------------------------------------------------


def in_fresh_python(script, *paths, run_python, **env):
    """Run a script with these folders and backstack itself on the path."""
    own = str(Path(backstack.__file__).parents[1])
    path = os.pathsep.join([*map(str, paths), own])
    return run_python(script, env={"PYTHONPATH": path, **env})


ASK = """
import sys
from backstack import BackendDispatcher, UnknownBackendError
dispatcher = BackendDispatcher(
    entrypoint_group="host.backends",
    host_name="host",
    trusted_backends={"good": {"package": "good-dist"}},
)
try:
    dispatcher.settings.backend = "godo"
except UnknownBackendError as error:
    print(error.suggestion)
print([(record.name, record.aliases, record.state) for record in dispatcher.backends()])
print("good_pkg" in sys.modules)
print(dispatcher.get_backend("fine").__name__)
"""
ANSWER = "good\n[('good', ('fine',), 'found')]\nFalse\ngood_pkg.adapter\n"
PACKAGE = {
    "good_pkg/__init__.py": "print('imported')\n",
    "good_pkg/adapter.py": "name = 'good'\naliases = ['fine']\n",
}


def test_an_editable_install_by_a_path_file(tmp_path, site, run_python):
    source = tmp_path / "source"
    type(site)(source).write(PACKAGE)
    site.install("good-dist", {"good": "good_pkg.adapter"}, {"good.pth": f"{source}\n"})
    script = f"import site\nsite.addsitedir({str(site.folder)!r})\n" + ASK
    out = in_fresh_python(script, run_python=run_python)
    assert out == ANSWER.replace("False\n", "False\nimported\n")


def test_an_editable_install_by_a_finder(tmp_path, site, run_python):
    source = tmp_path / "source"
    type(site)(source).write(PACKAGE)
    finder = f"""
        import sys
        from importlib.util import spec_from_file_location

        class Finder:
            @classmethod
            def find_spec(cls, fullname, path=None, target=None):
                if fullname == "good_pkg":
                    folder = {str(source)!r} + "/good_pkg"
                    return spec_from_file_location(
                        fullname, folder + "/__init__.py", submodule_search_locations=[folder]
                    )

        def install():
            sys.meta_path.append(Finder)
    """
    site.install(
        "good-dist",
        {"good": "good_pkg.adapter"},
        {
            "finder_of_good.py": finder,
            "good.pth": "import finder_of_good; finder_of_good.install()",
        },
    )
    script = f"import site\nsite.addsitedir({str(site.folder)!r})\n" + ASK
    out = in_fresh_python(script, run_python=run_python)
    assert out == ANSWER.replace("False\n", "False\nimported\n")


def test_a_zip(tmp_path, site, run_python):
    site.install("good-dist", {"good": "good_pkg.adapter"}, PACKAGE)
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in site.folder.rglob("*"):
            file.write(path, path.relative_to(site.folder))
    out = in_fresh_python(ASK, archive, run_python=run_python)
    assert out == ANSWER.replace("False\n", "False\nimported\n")


def test_an_installed_wheel_folder(site, run_python):
    site.install("good-dist", {"good": "good_pkg.adapter"}, PACKAGE)
    out = in_fresh_python(ASK, site.folder, run_python=run_python)
    assert out == ANSWER.replace("False\n", "False\nimported\n")


def test_a_namespace_package(site, dispatcher):
    site.install(
        "good-dist",
        {"good": "outer.inner.adapter"},
        {"outer/inner/adapter.py": MARK + "name = 'good'\naliases = ['fine']\n"},
    )
    assert dispatcher.resolve_name("fine") == "good"
    assert not ran(site)
    assert dispatcher.get_backend("fine").__name__ == "outer.inner.adapter"


def test_compiled_only_works_by_its_entry_point(site, host):
    site.adapter("only", "name = 'only'\naliases = ['fast']\ndef f(x): return 'only', x\n")
    source = site.folder / "only_adapter.py"
    py_compile.compile(str(source), cfile=str(source.with_suffix(".pyc")), doraise=True)
    source.unlink()
    site.write({})
    assert names(host) == ["only"]
    assert not site.imported()
    assert host.f(1, backend="only") == ("only", 1)
    assert host.f(1, backend="fast") == ("only", 1)


def test_compiled_only_is_loaded_for_a_name_nobody_else_knows(site, host):
    site.adapter("only", "name = 'only'\naliases = ['fast']\ndef f(x): return 'only', x\n")
    site.adapter("other", MARK + "name = 'other'")
    source = site.folder / "only_adapter.py"
    py_compile.compile(str(source), cfile=str(source.with_suffix(".pyc")), doraise=True)
    source.unlink()
    site.write({})
    assert host.f(1, backend="fast") == ("only", 1)
    assert not ran(site)


def test_an_extension_module(site, host):
    import math

    origin = getattr(math, "__file__", None)
    if origin is None:
        import _json as math  # where math is built in, another one

        origin = getattr(math, "__file__", None)
    if origin is None:
        pytest.skip("this Python has every extension module built in")
    site.install("ext-dist", {"ext": math.__name__})
    assert names(host) == ["ext"]
    with pytest.raises(backstack.BackendLoadError, match="no 'name'"):
        host.f(1, backend="ext")


def test_a_syntax_error(site, host):
    site.adapter("bad", "name = 'bad'\ndef f(:\n")
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    assert names(host) == ["bad", "good"]
    assert host.f(1, backend="good") == ("good", 1)
    with pytest.raises(backstack.BackendLoadError, match="SyntaxError") as caught:
        host.f(1, backend="bad")
    assert isinstance(caught.value.__cause__, SyntaxError)
    with pytest.raises(backstack.UnknownBackendError):
        host.f(1, backend="nobody")


@pytest.mark.parametrize("source", [b"name = 'bad'\0\n", b"\xff\xfe\0", b"name = '\xe9'\n"])
def test_a_source_that_cannot_be_decoded(site, host, source):
    site.install("bad-dist", {"bad": "bad_adapter"}, {"bad_adapter.py": source})
    assert names(host) == ["bad"]
    with pytest.raises(backstack.BackendLoadError, match="failed to load"):
        host.f(1, backend="bad")


@pytest.mark.parametrize(
    "source",
    [
        "# -*- coding: latin-1 -*-\n# gr\xfc\xdfe\n{}".encode("latin-1"),
        "# coding: cp1252\nword = '\u20ac'\n{}".encode("cp1252"),
        "# coding: utf-8\nword = 'gr\xfc\xdfe \U0001f600'\n{}".encode(),
        "\ufeffword = 'gr\xfc\xdfe'\n{}".encode(),
        b"\r\n\r\n{}",
        b"\x0c\n{}",
    ],
)
def test_a_source_in_another_encoding(site, host, source):
    body = (MARK + "name = 'good'\naliases = ['fine']\n").encode()
    site.install(
        "good-dist", {"ep": "good_adapter"}, {"good_adapter.py": source.replace(b"{}", body)}
    )
    assert names(host) == ["good"]
    assert host.resolve_name("fine") == "good"
    assert not ran(site)
    assert host.get_backend("fine").name == "good"


def test_a_source_of_five_megabytes(site, host):
    big = MARK + "name = 'big'\naliases = ['large']\ndata = [" + "1.25, " * 850_000 + "]\n"
    site.adapter("big", big)
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    start = time.perf_counter()
    assert names(host) == ["big", "good"]
    assert host.f(1, backend="good") == ("good", 1)
    assert time.perf_counter() - start < 3
    assert not ran(site)
    assert host.get_backend("big").name == "big"
    assert host.resolve_name("large") == "big"


def test_a_source_nested_too_deeply_to_parse(site, host):
    site.adapter("deep", "name = 'deep'\nvalue = " + "(" * 5000 + "1" + ")" * 5000 + "\n")
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    assert host.f(1, backend="good") == ("good", 1)
    assert names(host) == ["deep", "good"]


# -- what a source tells ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "attribute"),
    [
        ("name = 'good'\naliases = ['fine']\ndef f(x): return x\n", ""),
        ("name: str = 'good'\naliases: tuple = ('fine',)\nf = lambda x: x\n", ""),
        ("name = 'good'\naliases = {'fine'}\nfrom math import sqrt as f\n", ""),
        ("name = ('go'\n 'od')\naliases = [\n 'fine',\n]\nasync def f(x): return x\n", ""),
        ("class A:\n  name = 'good'\n  aliases = ['fine']\n  def f(self, x): return x\n", ":A"),
        (
            (
                "class A:\n  name = 'good'\n  aliases = ['fine']\n  @staticmethod\n"
                "  def f(x): return x\nadapter = A()\n"
            ),
            ":adapter",
        ),
        (
            (
                "class B:\n  aliases = ['fine']\n  def f(self, x): return x\n"
                "class A(B):\n  name = 'good'\n"
            ),
            ":A",
        ),
        (
            (
                "from types import SimpleNamespace\n"
                "adapter = SimpleNamespace(name='good', aliases=['fine'], f=lambda x: x)\n"
            ),
            ":adapter",
        ),
    ],
)
def test_labels_and_functions_are_read_from_the_source(site, host, source, attribute):
    site.install(
        "good-dist", {"ep": f"good_adapter{attribute}"}, {"good_adapter.py": MARK + source}
    )
    (found,) = host.backends()
    assert found.name == "good"
    assert set(found.aliases) == {"fine", "ep"}
    assert found.functions == ("f",)
    assert host.available_backend_names() == ["ep", "fine", "good"]
    with pytest.raises(backstack.UnknownBackendError):
        host.f(1, backend="nobody")
    assert not ran(site)
    for label in ("fine", "ep", "good"):
        assert host.get_backend(label).name == "good"
    assert ran(site) == ["good_adapter"]


def test_names_that_are_none_or_not_listed_are_no_functions(site, host):
    site.adapter("one", "name = 'one'\nf = None\ndef g(x): return x\n")
    site.adapter("two", "name = 'two'\n__all__ = ['f']\ndef f(x): return x\ndef g(x): return x\n")
    assert record(host, "one").functions == ("g",)
    assert record(host, "two").functions == ("f",)
    host.discover()
    assert record(host, "one").functions == ("g",)
    assert record(host, "two").functions == ("f",)


COMPUTED = {
    "call": "name = 'go'.upper().lower() + 'od'\n",
    "conditional": "if True:\n    name = 'good'\nelse:\n    name = 'bad'\n",
    "twice": "name = 'bad'\nname = 'good'\n",
    "loop": "for name in ['bad', 'good']: pass\n",
    "unpacked": "name, other = 'good', 1\n",
    "augmented": "name = 'go'\nname += 'od'\n",
    "getattr": (
        "def __getattr__(attribute):\n    if attribute == 'name': return 'good'\n"
        "    raise AttributeError(attribute)\n"
    ),
    "walrus": "(name := 'good')\n",
    "with": "import contextlib\nwith contextlib.nullcontext('good') as name: pass\n",
    "try": "try:\n    name = 'good'\nexcept Exception:\n    pass\n",
}


@pytest.mark.parametrize("how", COMPUTED)
def test_a_computed_name_is_found_by_loading_when_nobody_else_has_it(site, host, how):
    site.adapter("other", MARK + "name = 'other'")
    site.install("good-dist", {"ep": "good_adapter"}, {"good_adapter.py": MARK + COMPUTED[how]})
    assert host.get_backend("other").name == "other"
    assert ran(site) == ["other_adapter"]  # a name that is known loads nobody else
    assert host.get_backend("good").__name__ == "good_adapter"
    assert host.resolve_name("ep") == "good"


@pytest.mark.parametrize(
    "source",
    [
        "name = 'good'\naliases = ['fi' + 'ne']\n",
        "name = 'good'\naliases = []\naliases.append('fine')\n",
        "name = 'good'\naliases = []\naliases += ['fine']\n",
        "name = 'good'\naliases = [word for word in ['fine']]\n",
        "name = 'good'\nimport sys\nif sys: aliases = ['fine']\n",
    ],
)
def test_computed_aliases_are_found_by_loading(site, host, source):
    site.install("good-dist", {"good": "good_adapter"}, {"good_adapter.py": MARK + source})
    assert names(host) == ["good"]
    assert not ran(site)
    assert host.get_backend("fine").name == "good"


def test_a_class_that_computes_its_labels(site, host):
    source = """
        class Adapter:
            def __init__(self):
                self.name = "good"
                self.aliases = ["fine"]
            def f(self, x):
                return "good", x
        """
    site.install("good-dist", {"ep": "good_adapter:Adapter"}, {"good_adapter.py": source})
    assert record(host, "ep").functions == ("f",)
    assert not site.imported()
    assert host.f(1, backend="fine") == ("good", 1)
    assert names(host) == ["good"]


def test_an_entry_point_to_an_attribute_of_an_attribute(site, host):
    source = "class Outer:\n    class Inner:\n        name = 'good'\n        f = int\n"
    site.install("good-dist", {"good": "good_adapter:Outer.Inner"}, {"good_adapter.py": source})
    assert host.get_backend("good").name == "good"


def test_a_star_import_brings_functions(site, host):
    site.install(
        "good-dist",
        {"good": "good_adapter"},
        {
            "good_adapter.py": "from good_impl import *\nname = 'good'\n",
            "good_impl.py": "def f(x): return 'good', x\n",
        },
    )
    assert not site.imported()
    assert host.f(1, backend="good") == ("good", 1)
    assert record(host, "good").functions == ("f",)


def test_what_the_loaded_adapter_says_wins_with_a_warning(site, host):
    source = "name = 'a'\nglobals()['name'] = 'b'\ndef f(x): return 'b', x\n"
    site.install("ab-dist", {"ep": "ab_adapter"}, {"ab_adapter.py": source})
    assert names(host) == ["a"]
    with pytest.warns(backstack.AdapterWarning) as caught:
        result, line = host.f(1, backend="ep"), sys._getframe().f_lineno
    assert result == ("b", 1)
    (warning,) = [item for item in caught if "name" in str(item.message)]
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert "'a'" in str(warning.message)
    assert "'b'" in str(warning.message)
    assert names(host) == ["b"]
    assert host.f(2, backend="b") == ("b", 2)
    with pytest.raises(backstack.UnknownBackendError, match="'a'"):
        host.f(1, backend="a")


def test_a_name_that_only_the_source_has_is_unknown_in_the_end(site, host):
    source = "name = 'a'\nglobals()['name'] = 'b'\ndef f(x): return 'b', x\n"
    site.install("ab-dist", {"ep": "ab_adapter"}, {"ab_adapter.py": source})
    with pytest.warns(backstack.AdapterWarning, match="source says name = 'a'"):
        with pytest.raises(backstack.UnknownBackendError, match="'a'"):
            host.f(1, backend="a")
    assert host.f(1, backend="b") == ("b", 1)


def test_aliases_that_differ_from_the_source_win_with_a_warning(site, host):
    source = "name = 'a'\naliases = ['old']\nglobals()['aliases'] = ['new']\n"
    site.install("ab-dist", {"a": "ab_adapter"}, {"ab_adapter.py": source})
    with pytest.warns(backstack.AdapterWarning, match="aliases"):
        host.get_backend("a")
    assert host.available_backend_names() == ["a", "new"]


# -- adapters that cannot be -----------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "None",
        "5",
        "['x']",
        "b'x'",
        "''",
        "'cpu'",
        "'gpu'",
        "'x' * 129",
        repr("x" * 129),
        "'a b'",
        "'a/b'",
        "'a\\nb'",
        "'a\\0b'",
        "'caf\\xe9'",
        "'_a'",
        "'a.'",
    ],
)
def test_an_adapter_with_a_bad_name(site, make_dispatcher, value):
    dispatcher = make_dispatcher(reserved_backends={"gpu": "Choose a concrete one."})
    site.adapter("bad", f"name = {value}\n")
    site.adapter("good", "name = 'good'\n")
    assert "good" in names(dispatcher)
    for _ in range(2):
        with pytest.raises(backstack.BackendLoadError, match="failed to load") as caught:
            dispatcher.get_backend("bad")
        assert "name" in caught.value.reason
    assert record(dispatcher, "bad").state == "failed"
    assert dispatcher.available_backend_names() == ["good"]
    assert dispatcher.get_backend("cpu") is None
    assert dispatcher.get_backend("good").name == "good"


@pytest.mark.parametrize(
    ("label", "reason"), [("gpu", "'gpu' is reserved by host"), ("cpu", "'cpu' is the host's own")]
)
def test_an_adapter_that_nothing_can_be_called_is_refused_and_never_imported(
    site, make_dispatcher, label, reason
):
    dispatcher = make_dispatcher(reserved_backends={"gpu": "Choose a concrete one."})

    @dispatcher.backend_dispatch
    def f(x):
        return x

    source = f"name = {label!r}\naliases = [str('bold')]\ndef f(x): return x\n"
    site.install("greedy", {label: "greedy"}, {"greedy.py": source})
    site.adapter("good", "name = 'good'\ndef f(x): return x\n")
    for _ in range(2):
        assert record(dispatcher, "greedy of greedy").state == "refused"
        assert record(dispatcher, "greedy of greedy").reason == f"its name {reason}"
        assert dispatcher.coverage().backends == ("good",)
        assert dispatcher.available_backend_names() == ["good"]
        dispatcher.discover()
        assert dispatcher.resolve_name("unheard") is None
        assert "greedy" not in site.imported()
        dispatcher.refresh()
    site.write({"greedy.py": "name = 'modest'\ndef f(x): return x\n"})
    dispatcher.refresh()
    assert record(dispatcher, "modest").state == "found"


def test_an_adapter_without_a_name(site, dispatcher):
    site.adapter("bad", "def f(x): return x\n")
    with pytest.raises(backstack.BackendLoadError, match="no 'name'"):
        dispatcher.get_backend("bad")


@pytest.mark.parametrize("name", ["cpu", "gpu", "caf\xe9", "a b", "x" * 129])
def test_an_entry_point_whose_name_is_no_label(site, make_dispatcher, name):
    dispatcher = make_dispatcher(reserved_backends={"gpu": "Choose a concrete one."})
    site.install("good-dist", {name: "good_adapter"}, {"good_adapter.py": "name = 'good'\n"})
    assert dispatcher.available_backend_names() == ["good"]
    assert dispatcher.get_backend("good").name == "good"
    assert dispatcher.get_backend("cpu") is None
    with pytest.raises(backstack.ReservedBackendError, match="Choose a concrete one"):
        dispatcher.settings.backend = "gpu"


@pytest.mark.parametrize("value", ["'fast'", "None", "(x for x in ['fast'])", "5", "{'fast': 1}"])
def test_bad_aliases_are_refused_with_a_warning(site, host, value):
    site.adapter("odd", f"name = 'odd'\naliases = {value}\ndef f(x): return 'odd', x\n")
    with pytest.warns(backstack.AdapterWarning, match="aliases") as caught:
        result, line = host.f(1, backend="odd"), sys._getframe().f_lineno
    assert result == ("odd", 1)
    (warning,) = of_kind(caught, backstack.AdapterWarning)
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert host.available_backend_names() == ["odd"]
    assert host.f(2, backend="odd") == ("odd", 2)  # and no second warning


def test_one_bad_alias_does_not_cost_the_others(site, host):
    source = "name = 'odd'\naliases = ['one', ['nested'], 'cpu', 'a b', 'odd', 'odd', 'two']\n"
    site.adapter("odd", source)
    assert host.available_backend_names() == ["odd", "one", "two"]
    assert not site.imported()
    with pytest.warns(backstack.AdapterWarning) as caught:
        assert host.get_backend("two").name == "odd"
    text = "\n".join(str(item.message) for item in caught)
    for bad in ("['nested']", "'cpu'", "'a b'"):
        assert bad in text
    assert len(of_kind(caught, backstack.AdapterWarning)) == 3
    assert host.available_backend_names() == ["odd", "one", "two"]


@pytest.mark.parametrize("attribute", ["name", "aliases", "__all__"])
def test_an_adapter_whose_attributes_raise(site, host, attribute):
    source = f"""
        class Adapter:
            name = "odd"
            def f(self, x):
                return x
            @property
            def {attribute}(self):
                raise RuntimeError("do not touch")
        """
    site.install("odd-dist", {"odd": "odd_adapter:Adapter"}, {"odd_adapter.py": source})
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    assert len(names(host)) == 2
    with pytest.raises(backstack.BackendLoadError, match="RuntimeError: do not touch"):
        host.f(1, backend="odd")
    assert host.f(1, backend="good") == ("good", 1)
    assert record(host, "odd").state == "failed"


def test_a_function_that_raises_on_access_costs_that_function(site, host):
    source = """
        class Adapter:
            name = "odd"
            @property
            def f(self):
                raise RuntimeError("do not touch")
            def g(self, x):
                return "odd", x
        """
    site.install("odd-dist", {"odd": "odd_adapter:Adapter"}, {"odd_adapter.py": source})
    assert host.g(1, backend="odd") == ("odd", 1)
    with pytest.raises(
        backstack.BackendLoadError, match=r"'f'.*RuntimeError: do not touch"
    ) as info:
        host.f(1, backend="odd")
    assert info.value.function == "f"
    assert "odd" in repr(host.backends())


@pytest.mark.parametrize("error", ["ImportError('no jax')", "KeyError('f')", "SystemExit(3)"])
def test_a_module_getattr_that_raises_costs_that_function(site, host, error):
    source = f"""
        name = "odd"
        def g(x):
            return "odd", x
        def __getattr__(attribute):
            if attribute == "f":
                raise {error}
            raise AttributeError(attribute)
        """
    site.adapter("odd", source)
    assert host.g(1, backend="odd") == ("odd", 1)
    for _ in range(2):
        with pytest.raises(backstack.BackendLoadError, match=error.partition("(")[0]) as caught:
            host.f(1, backend="odd")
    assert type(caught.value.__cause__ or caught.value).__name__
    assert host.f(1) == ("host", 1)


def test_a_listed_name_that_is_not_there_is_no_silent_fall_back(site, host):
    site.adapter("odd", "name = 'odd'\n__all__ = ['f']\ndef g(x): return 'odd', x\n")
    with pytest.raises(backstack.BackendLoadError, match="'f'"):
        host.f(1, backend="odd")
    with pytest.warns(backstack.FallbackWarning):
        assert host.g(1, backend="odd") == ("host", 1)  # there, and not listed


def test_a_name_that_is_not_listed_is_not_there(site, host):
    site.adapter("odd", "name = 'odd'\n__all__ = []\ndef f(x): return 'odd', x\n")
    with pytest.warns(backstack.FallbackWarning):
        assert host.f(1, backend="odd") == ("host", 1)


@pytest.mark.parametrize("value", ["'f'", "5", "None"])
def test_an_all_that_is_no_list(site, host, value):
    site.adapter("odd", f"name = 'odd'\n__all__ = {value}\ndef f(x): return 'odd', x\n")
    with pytest.raises(backstack.BackendLoadError, match="__all__"):
        host.f(1, backend="odd")


@pytest.mark.parametrize("value", ["5", "'text'", "[1]", "object()"])
def test_an_export_that_is_not_callable(site, host, value):
    site.adapter("odd", f"name = 'odd'\nf = {value}\n")
    with pytest.raises(TypeError, match=r"(?s)'odd'.*\bf\b|\bf\b.*'odd'") as caught:
        host.f(1, backend="odd")
    assert not isinstance(caught.value, backstack.BackendError)


def test_an_export_without_a_signature(site, host):
    source = """
        name = "odd"
        class F:
            __signature__ = "not a signature"
            def __call__(self, x):
                return x
        f = F()
        """
    site.adapter("odd", source)
    with pytest.raises(TypeError, match=r"(?s)'odd'.*\bf\b|\bf\b.*'odd'"):
        host.f(1, backend="odd")


def test_an_adapter_that_prints(site, host, capsys):
    site.adapter("loud", "print('hello')\nname = 'loud'\ndef f(x): return 'loud', x\n")
    assert host.backends()
    assert capsys.readouterr().out == ""
    assert host.f(1, backend="loud") == ("loud", 1)
    assert capsys.readouterr().out == "hello\n"


def test_a_computed_name_that_somebody_has_already(site, host):
    site.adapter("one", "name = 'same'\ndef f(x): return 'one'\n", distribution="a-dist")
    source = "name = 'sa' + 'me'\ndef f(x): return 'two'\n"
    site.adapter("two", source, distribution="b-dist")

    def ask():
        try:
            return host.f(1, backend="two")
        except backstack.BackendError as error:
            return type(error)

    assert ask() == ask() == ask()  # whatever it is, always the same


# -- the same way everywhere -----------------------------------------------------------


def test_every_order_of_the_path_gives_the_same(site, tmp_path, run_python):
    folders = []
    for letter in "abc":
        folder = type(site)(tmp_path / letter)
        source = "name = 'same'\naliases = ['alias']\n"
        folder.install(
            f"{letter}-dist", {"same": f"{letter}_adapter"}, {f"{letter}_adapter.py": source}
        )
        folders.append(folder.folder)
    script = """
        import warnings
        from backstack import BackendDispatcher
        warnings.simplefilter("ignore")
        dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
        print([(record.distribution, record.state) for record in dispatcher.backends()])
        print(dispatcher.get_backend("alias").__name__)
        """
    answers = {
        in_fresh_python(script, *order, run_python=run_python)
        for order in (folders, folders[::-1], folders[1:] + folders[:1])
    }
    assert len(answers) == 1
    assert answers.pop().endswith("a_adapter\n")


def test_hash_seeds_do_not_matter(site, run_python):
    source = "name = 'good'\naliases = {'one', 'two', 'three', 'four'}\n"
    site.install("good-dist", {"good": "good_adapter"}, {"good_adapter.py": source})
    script = """
        from backstack import BackendDispatcher
        dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
        print(dispatcher.backends())
        """
    answers = {
        in_fresh_python(script, site.folder, run_python=run_python, PYTHONHASHSEED=str(seed))
        for seed in range(4)
    }
    assert len(answers) == 1


def test_importing_backstack_and_a_host_looks_for_nobody(site, run_python):
    site.adapter("good", MARK + "name = 'good'")
    script = """
        import sys
        from backstack import BackendDispatcher
        dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
        @dispatcher.backend_dispatch
        def f(x):
            return x
        f(1)
        f(1, backend="cpu")
        print([name for name in sys.modules if name.startswith("backstack._disc")])
        """
    assert in_fresh_python(script, site.folder, run_python=run_python) == "[]\n"
    assert not ran(site)


def test_threads_that_look_at_once_see_the_same(three, host):
    barrier = threading.Barrier(8)
    seen = []

    def look():
        barrier.wait()
        seen.append(tuple(host.available_backend_names()))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == [("deep", "lazy", "plain", "simple")] * 8


def test_threads_that_look_one_after_the_other_never_see_half_of_it(site, make_dispatcher):
    aliases = [f"alias-{number}" for number in range(5000)]
    site.adapter("good", f"name = 'good'\naliases = {aliases}\n")
    seen = set()
    for _ in range(3):
        dispatcher = make_dispatcher()

        def look(dispatcher=dispatcher):
            seen.add(len(dispatcher.available_backend_names()))

        threads = [threading.Thread(target=look) for _ in range(40)]
        for thread in threads:
            thread.start()
            time.sleep(0.002)
        for thread in threads:
            thread.join(30)
    assert seen == {5001}


def test_a_path_with_strange_entries(site, dispatcher, monkeypatch):
    site.adapter("good", "name = 'good'")
    strange = [str(site.folder / "missing"), str(site.folder / "good_adapter.py"), ""]
    monkeypatch.setattr(sys, "path", [*strange, *sys.path])
    assert names(dispatcher) == ["good"]


def test_the_module_that_asks_may_be_run_from_the_command_line(site):
    own = str(Path(backstack.__file__).parents[1])
    site.adapter("good", "name = 'good'")
    code = (
        "import backstack; d = backstack.BackendDispatcher(entrypoint_group='host.backends', "
        "host_name='host'); print(d.backends()[0].name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site.folder), own])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "good\n"


def test_text_in_a_long_source_declares_nothing(site, host):
    padding = "\n".join(f"# {'x' * 100} {number}" for number in range(12_000))
    text = "TEXT = '''\nname = 'text'\n'''\n"
    source = f"{padding}\nif True:\n    name = 'long'\n{text}def f(x): return 'long', x\n"
    site.adapter("ep", source)
    (record,) = host.backends()
    assert record.name == "ep"
    assert host.f(1, backend="long") == ("long", 1)
