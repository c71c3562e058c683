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
            trusted_backends={name: {} for name in ("fast", "slow", "broken", "gone")},
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


@pytest.fixture
def build(site, tmp_path, read_html):
    pytest.importorskip("sphinx")
    site.write(HOST)
    source = tmp_path / "docs"
    source.mkdir()

    def run(settings="", page=PAGE, dispatchers=("sample_host:dispatcher",), status=0):
        (source / "index.rst").write_text(page)
        (source / "conf.py").write_text(
            "project = 'host'\n"
            "extensions = ['sphinx.ext.autodoc', 'numpydoc', 'backstack.sphinx']\n"
            "numpydoc_show_class_members = False\n"
            f"backstack_dispatchers = {list(dispatchers)!r}\n" + textwrap.dedent(settings)
        )
        path = os.pathsep.join(filter(None, [str(site.folder), os.environ.get("PYTHONPATH")]))
        command = ["-m", "sphinx", "-W", "--keep-going", "-q", "-N", "-E", "-b", "html", "."]
        done = subprocess.run(
            [sys.executable, *command, str(tmp_path / "html")],
            cwd=source,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == status, done.stderr
        return done.stderr if status else read_html((tmp_path / "html" / "index.html").read_text())

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


def test_a_build_without_backends_says_nothing_of_them(build):
    page = build()
    assert "No backends of sample_host were installed when this was built." in page.text
    assert "Also on" not in page.text
    assert "backend=None" in page.text.replace(" ", "")


def test_a_backend_that_fails_is_a_warning_and_costs_only_itself(build, site):
    site.adapter("broken", "name = 'broken'\nraise OSError('no such device')\n")
    site.adapter("fast", FAST)
    told = build(status=1)
    assert "backend 'broken' of sample_host is not shown: OSError: no such device" in told
    page = build("suppress_warnings = ['backstack.backend']")
    assert "Also on: fast" in page.text


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
