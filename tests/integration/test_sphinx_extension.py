"""Documentation of a host, really built by Sphinx with backends and without."""

import os
import subprocess
import sys
import textwrap

import pytest

HOST = {
    "sample_host.py": '''
        """A host."""
        from backstack import BackendDispatcher

        dispatcher = BackendDispatcher(
            entrypoint_group="host.backends",
            host_name="sample_host",
            trusted_backends={
                **{name: {} for name in ("slow", "broken", "gone")},
                "fast": {"aliases": ["quick"]},
            },
            reserved_backends={"gpu": "Choose a concrete one."},
        )

        @dispatcher.backend_dispatch
        def scale(data, factor=2):
            """Scale data.

            Much more could be said.

            Parameters
            ----------
            data : list
                What to scale.
            factor : int
                By how much.
            """

        @dispatcher.backend_dispatch
        def total(data):
            """Sum it up."""

        @dispatcher.backend_dispatch
        def alone(data):
            """Nobody else has this."""

        @dispatcher.backend_class
        class Model:
            """A model."""

        def plain(data):
            """Not dispatched."""
    '''
}
FAST = '''
name = "fast"
class Model:
    pass
def total(data):
    pass
def scale(data, factor=2, *, batch_size=64):
    """Scale data fast.

    Parameters
    ----------
    batch_size : int
        How many at a time.
    """
'''
PAGE = """
Host
====

.. backstack-coverage:: sample_host:dispatcher

.. autofunction:: sample_host.scale

.. autofunction:: sample_host.total

.. autofunction:: sample_host.alone

.. autoclass:: sample_host.Model

.. autofunction:: sample_host.plain
"""


TABLE = """
Host
====

.. backstack-coverage::
"""


@pytest.fixture
def build(site, tmp_path, read_html):
    pytest.importorskip("sphinx")
    site.write(HOST)
    source = tmp_path / "docs"
    source.mkdir()

    def run(
        settings="", page=PAGE, dispatchers=("sample_host:dispatcher",), status=0, builder="html"
    ):
        (source / "index.rst").write_text(page)
        (source / "conf.py").write_text(
            "project = 'host'\n"
            "extensions = ['sphinx.ext.autodoc', 'numpydoc', 'backstack.sphinx']\n"
            "numpydoc_show_class_members = False\n"
            f"backstack_dispatchers = {list(dispatchers)!r}\n" + textwrap.dedent(settings)
        )
        path = os.pathsep.join(filter(None, [str(site.folder), os.environ.get("PYTHONPATH")]))
        command = ["-m", "sphinx", "-W", "--keep-going", "-q", "-N", "-E", "-b", builder, "."]
        done = subprocess.run(
            [sys.executable, *command, str(tmp_path / builder)],
            cwd=source,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, done.stderr
        if status:
            return done.stderr
        if builder == "text":
            return (tmp_path / "text" / "index.txt").read_text()
        return read_html((tmp_path / "html" / "index.html").read_text())

    return run


def test_what_backends_add_is_shown_with_who_adds_it(build, site):
    site.adapter("fast", FAST)
    page = build()
    assert "batch_size=64, backend=None" in page.text.replace(" ", "").replace(",", ", ")
    assert "batch_size (fast)" in page.text
    assert "How many at a time." in page.text
    assert page.text.index("Scale data.") < page.text.index("Also on: fast")
    assert page.text.index("Also on: fast") < page.text.index("Much more could be said.")
    assert page.text.count("Also on:") == 3  # scale, total and Model


def test_the_table_links_to_the_functions(build, site):
    site.adapter("fast", FAST)
    site.adapter("slow", "name = 'slow'\ndef total(data):\n    pass\n")
    page = build()
    assert page.rows[:5] == [
        ["Function", "fast", "slow"],
        ["Model", "✓", ""],
        ["alone", "", ""],
        ["scale", "✓ (batch_size)", ""],
        ["total", "✓", "✓"],
    ]
    assert page.links["scale"] == "#sample_host.scale"
    assert page.links["Model"] == "#sample_host.Model"


def test_the_table_is_legible_as_plain_text(build, site):
    site.adapter("fast", FAST)
    lines = build(builder="text").splitlines()
    assert '| "scale"    | ✓ (batch_size)   |' in lines


def test_a_function_with_a_decorator_above_ours_has_what_the_others_have(build, site):
    site.write(
        {
            "logging_host.py": '''
                """A host."""
                import functools
                from sample_host import dispatcher

                def logged(function):
                    @functools.wraps(function)
                    def wrapper(*args, **kwargs):
                        return function(*args, **kwargs)
                    return wrapper

                @logged
                @dispatcher.backend_dispatch
                def stretch(data):
                    """Stretch data."""
            '''
        }
    )
    site.adapter("fast", "name = 'fast'\ndef stretch(data):\n    pass\n")
    page = build(page=".. autofunction:: logging_host.stretch\n" + TABLE)
    assert "Also on: fast" in page.text
    assert page.links["stretch"] == "#logging_host.stretch"


REEXPORTING = {
    "tidy_host/__init__.py": """
        from backstack import BackendDispatcher
        dispatcher = BackendDispatcher(
            entrypoint_group="host.backends", host_name="tidy", trusted_backends={"fast": {}}
        )
        from . import stats
    """,
    "tidy_host/stats/__init__.py": "from ._stats import Model, scale, total\n",
    "tidy_host/stats/_stats.py": '''
        """Where all of it is defined."""
        from .. import dispatcher

        @dispatcher.backend_dispatch
        def scale(data):
            """Scale data."""

        @dispatcher.backend_dispatch(name="sum_up")
        def total(data):
            """Sum it up."""

        @dispatcher.backend_class
        class Model:
            """A model."""
    ''',
    "tidy_host/other.py": '''
        """Another function of a name that is taken."""
        def scale(data):
            """Scale otherwise."""
    ''',
}


def test_the_table_links_to_what_is_documented_where_it_is_reexported(build, site):
    site.write(REEXPORTING)
    site.adapter("fast", FAST)
    page = """
.. autofunction:: tidy_host.other.scale

.. automodule:: tidy_host.stats
   :members: scale, total, Model
   :imported-members:

.. py:function:: tidy_host.nowhere.total()
"""
    place = "tidy_host:dispatcher"
    built = build("nitpicky = True", page=TABLE + page, dispatchers=[place])
    assert built.links["scale"] == "#tidy_host.stats.scale"
    assert built.links["sum_up"] == "#tidy_host.stats.total"
    assert built.links["Model"] == "#tidy_host.stats.Model"
    assert "sum_up" not in build("nitpicky = True", page=TABLE, dispatchers=[place]).links


def test_a_build_without_backends_says_nothing_of_them(build):
    page = build()
    assert "No backends of sample_host were installed when this was built." in page.text
    assert "Also on" not in page.text
    assert "backend=None" in page.text.replace(" ", "")


def test_a_backend_that_fails_is_a_warning_and_costs_only_itself(build, site):
    broken = "name = 'broken'\nraise OSError('no such device')\ndef total(data):\n    pass\n"
    site.adapter("broken", broken)
    told = build(status=1)
    assert "backend 'broken' of sample_host is not shown: OSError: no such device" in told
    page = build("suppress_warnings = ['backstack.backend']")
    assert "None of the backends of sample_host could be loaded when this was built." in page.text
    site.adapter("fast", FAST)
    page = build("suppress_warnings = ['backstack.backend']")
    assert page.text.count("Also on: fast") == 3
    assert "broken" not in page.text
    assert page.rows[0] == ["Function", "fast"]


def test_a_backend_that_takes_a_reserved_name_is_not_shown(build, site):
    site.adapter("fast", FAST)
    site.install("greedy", {"gpu": "greedy"}, {"greedy.py": "name = 'gpu'\ndef total(x): ...\n"})
    told = build(status=1)
    assert "is not shown: its name 'gpu' is reserved by sample_host" in told
    page = build("suppress_warnings = ['backstack.backend']")
    assert "greedy" not in page.text


def test_a_backend_that_cannot_run_where_the_documentation_is_built_is_shown(build, site):
    site.adapter("fast", FAST + "def is_available():\n    return 'no GPU was found'\n")
    asking = "import sample_host\ntry:\n    sample_host.total([], backend='fast')\n"
    page = build(asking + "except RuntimeError as error:\n    assert 'no GPU' in str(error)\n")
    assert page.text.count("Also on: fast") == 3
    assert page.rows[0] == ["Function", "fast"]


def test_links_come_from_the_settings_or_from_the_package(build, site):
    metadata = (
        "Metadata-Version: 2.1\nName: fast-dist\nVersion: 1.0\n"
        "Project-URL: Source, https://example.org/source\n"
        "Project-URL: Documentation, https://example.org/fast\n"
    )
    site.install(
        "fast-dist", {"fast": "fast_adapter"}, {"fast_adapter.py": FAST}, raw_metadata=metadata
    )
    site.adapter("slow", "name = 'slow'\ndef total(data):\n    pass\n")
    page = build("backstack_links = {'slow': 'https://example.org/slow/{function}.html'}")
    assert page.links["fast"] == "https://example.org/fast"
    assert page.links["slow"] == "https://example.org/slow/total.html"


def test_links_may_be_given_for_an_alias_and_for_what_is_not_installed(build, site):
    site.adapter("fast", FAST)
    links = {"quick": "https://example.org/quick", "gone": "https://example.org/gone"}
    assert build(f"backstack_links = {links}").links["fast"] == "https://example.org/quick"
    links["fast"] = "https://example.org/fast"
    assert build(f"backstack_links = {links}").links["fast"] == "https://example.org/fast"


def test_a_link_for_nobody_is_a_warning(build, site):
    site.adapter("fast", FAST)
    settings = "backstack_links = {'fsat': 'https://example.org'}\n"
    told = build(settings, status=1)
    assert "backstack_links: no backend is called 'fsat'. Did you mean 'fast'?" in told
    build(settings + "suppress_warnings = ['backstack.link']")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://example.org/{func}", "there is no placeholder {func}"),
        ("https://example.org/{}", "positional"),
        ("https://example.org/{function", "expected '}'"),
        (None, "None"),
    ],
)
def test_a_link_that_cannot_be_made_ends_the_build_in_words(build, address, why):
    told = build(f"backstack_links = {{'fast': {address!r}}}", status=2)
    assert told.strip().startswith("Configuration error")
    assert "backstack_links['fast']" in told
    assert why in told
    assert "the only placeholder is {function}" in told


def test_one_dispatcher_needs_no_list_and_the_table_no_argument(build, site):
    site.adapter("fast", FAST)
    page = build("backstack_dispatchers = 'sample_host:dispatcher'", page=TABLE)
    assert page.rows[0] == ["Function", "fast"]


@pytest.mark.parametrize(
    ("places", "why"),
    [
        ([], "backstack_dispatchers in conf.py names none"),
        (["sample_host:dispatcher", "sample_host:other"], "backstack_dispatchers in conf.py names"),
    ],
)
def test_without_its_argument_the_table_has_to_be_of_the_one_dispatcher(build, site, places, why):
    site.write({"sample_host.py": HOST["sample_host.py"] + "\n        other = dispatcher\n"})
    told = build(page=TABLE, dispatchers=places, status=1)
    assert "backstack-coverage" in told
    assert why in told
    assert all(place in told for place in places)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nothing_there:dispatcher", "cannot be found"),
        ("sample_host:nothing", "cannot be found"),
        ("sample_host:plain", "is no BackendDispatcher"),
    ],
)
def test_a_dispatcher_that_is_not_there_ends_the_build_in_words(build, place, why):
    told = build(dispatchers=[place], status=2)
    assert "backstack:" in told
    assert why in told
    assert told.strip().startswith("Configuration error")


def test_functions_of_a_host_without_functions_or_of_another_are_left_alone(build, site):
    site.write(
        {
            "empty_host.py": """
                from backstack import BackendDispatcher
                dispatcher = BackendDispatcher(entrypoint_group="e.backends", host_name="empty")
            """
        }
    )
    site.adapter("fast", FAST)
    page = "Host\n====\n\n.. backstack-coverage:: empty_host:dispatcher\n\n"
    built = build(
        page=page + ".. autofunction:: sample_host.scale\n", dispatchers=["empty_host:dispatcher"]
    )
    assert "empty dispatches no functions." in built.text
    assert "Also on" not in built.text
