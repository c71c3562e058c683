"""Which backend implements which function, told without importing any."""

import builtins
import json
from types import SimpleNamespace

import pytest

ADAPTERS = {
    "full": """
        name = 'full'
        def f(x, y=1, *, speed=1, tile=2, _hidden=3):
            pass
        def g(x, **rest):
            pass
    """,
    "partly": "name = 'partly'\ndef g(x):\n    pass\ndef other():\n    pass\n",
    "lazy": """
        name = 'lazy'
        def __getattr__(name):
            if name != 'f':
                raise AttributeError(name)
            def f(x, depth=1):
                return 'lazy'
            return f
        def g(x):
            pass
    """,
    "listing": """
        name = 'listing'
        __all__ = ['f']
        def g(x):
            pass
        def __getattr__(name):
            if name != 'f':
                raise AttributeError(name)
            return lambda x: 'listing'
    """,
    "without": "name = 'without'\nf = None\ndef g(x):\n    pass\n",
    "starred": "name = 'starred'\nfrom somewhere import *\n",
    "imports": "name = 'imports'\nfrom somewhere import f, h as g\n",
    "broken": "name = 'broken'\ndef f(x):\n    pass\nraise OSError\n",
    "off": "name = 'off'\ndef is_available():\n    return False\ndef f(x):\n    pass\n",
    "fake": "name = 'fake'\ndef f(x):\n    pass\n",
}
HAS = {  # f and g
    "broken": (True, False),
    "full": (True, True),
    "imports": (True, True),
    "lazy": (None, True),
    "listing": (True, False),
    "off": (True, False),
    "partly": (False, True),
    "starred": (None, None),
    "without": (False, True),
}
LISTED = {**{name: {} for name in ADAPTERS}, "fake": {"package": "the-real-one"}}


@pytest.fixture
def empty(make_dispatcher):
    dispatcher = make_dispatcher(trusted_backends=LISTED)

    def g(x):
        return "cpu"

    def f(x, y=1):
        return "cpu"

    dispatcher.g = dispatcher.backend_dispatch(g)
    dispatcher.f = dispatcher.backend_dispatch(f)
    return dispatcher


@pytest.fixture
def installed(site, empty):
    for name, source in ADAPTERS.items():
        site.adapter(name, source)
    return empty


def known(coverage):
    """Whether each backend has f, and g."""
    return {
        backend: tuple(coverage.implemented(function, backend) for function in coverage.functions)
        for backend in coverage.backends
    }


# -- what is known -------------------------------------------------------------------------


def test_what_is_installed_is_read_from_its_source_and_not_imported(installed, site):
    coverage = installed.coverage()
    assert site.imported() == set()
    assert coverage.host == "host"
    assert coverage.functions == ("f", "g")
    assert coverage.backends == tuple(sorted(HAS))
    assert known(coverage) == HAS
    for show in (repr, str, type(coverage)._repr_html_, type(coverage).to_markdown):
        assert show(coverage)
    assert site.imported() == set()


def test_options_are_read_from_the_source_as_well(installed):
    coverage = installed.coverage()
    assert coverage.options("f", "full") == ("speed", "tile")
    assert coverage.options("g", "full") == ()
    assert coverage.options("f", "lazy") == ()
    assert coverage.options("f", "without") == ()
    assert coverage.options("f", "imports") == ()


def test_what_is_loaded_tells_its_options_as_they_are(installed, site):
    for name in ("full", "partly", "lazy", "listing"):
        installed.get_backend(name)
    coverage = installed.coverage()
    assert known(coverage) == HAS
    assert coverage.options("f", "full") == ("speed", "tile")
    assert site.imported() == {f"{name}_adapter" for name in ("full", "partly", "lazy", "listing")}


def test_looking_runs_no_attribute_of_a_loaded_adapter(empty):
    class Lazy:
        name = "lazy"
        asked = []

        def __getattr__(self, name):
            self.asked.append(name)
            raise AttributeError(name)

        @property
        def g(self):
            self.asked.append("g")
            return len

    adapter = Lazy()
    empty.register(adapter)
    asked = len(adapter.asked)
    assert known(empty.coverage()) == {"lazy": (None, None)}
    assert len(adapter.asked) == asked


def test_what_a_call_has_found_out_is_known_from_then_on(installed):
    assert installed.coverage().implemented("f", "lazy") is None
    assert installed.f(1, backend="lazy") == "lazy"
    coverage = installed.coverage()
    assert coverage.implemented("f", "lazy") is True
    assert coverage.options("f", "lazy") == ("depth",)


def test_what_a_call_has_found_missing_is_known_from_then_on(empty):
    class Lazy:
        name = "lazy"

        def __getattr__(self, name):
            raise AttributeError(name)

    empty.register(Lazy())
    assert known(empty.coverage()) == {"lazy": (None, None)}
    with empty.backend("lazy", on_missing="host"):
        empty.f(1)
    assert known(empty.coverage()) == {"lazy": (False, None)}


def test_registered_adapters_are_in_it(empty):
    def f(x, y=1, *, speed=1, _secret=1):
        pass

    with empty.register(SimpleNamespace(name="mine", f=f, g=None)):
        coverage = empty.coverage()
        assert known(coverage) == {"mine": (True, False)}
        assert coverage.options("f", "mine") == ("speed",)
    assert empty.coverage().backends == ()


def test_one_that_is_registered_hides_an_installed_one(installed):
    with installed.register(SimpleNamespace(name="full", g=lambda x: x)):
        assert known(installed.coverage())["full"] == (False, True)
    assert known(installed.coverage())["full"] == (True, True)
    with installed.register(SimpleNamespace(name="only", f=lambda x: x), exclusive=True):
        assert known(installed.coverage()) == {"only": (True, False)}


def test_refused_ones_are_left_out(installed, site):
    site.adapter("unlisted", "name = 'unlisted'\ndef f(x):\n    pass\n")
    assert "fake" not in installed.coverage().backends
    assert "unlisted" in installed.coverage().backends
    installed.settings.trust = "require"
    assert "unlisted" not in installed.coverage().backends
    assert set(installed.coverage().backends) == set(HAS)
    assert site.imported() == set()


def test_those_that_failed_or_cannot_run_here_are_in_it_still(installed):
    for name in ("broken", "off"):
        assert installed.explain(installed.f, 1, backend=name).error is not None
    assert known(installed.coverage()) == HAS


def test_functions_that_are_gone_are_not_in_it(empty):
    empty.register(SimpleNamespace(name="mine", f=lambda x: x))

    def passing():
        @empty.backend_dispatch
        def h():
            pass

        assert empty.coverage().functions == ("f", "g", "h")

    passing()
    assert empty.coverage().functions == ("f", "g")


def test_functions_are_called_as_backends_know_them(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_dispatch(name="tl_score")
    def score(x):
        pass

    dispatcher.register(SimpleNamespace(name="mine", tl_score=lambda x: x))
    coverage = dispatcher.coverage()
    assert coverage.functions == ("tl_score",)
    assert coverage.implemented("tl_score", "mine") is True


def test_classes_are_in_it_and_have_no_options(make_dispatcher):
    dispatcher = make_dispatcher()

    @dispatcher.backend_class
    class Model:
        def __init__(self, size):
            pass

    class Other:
        def __init__(self, size, speed=1):
            pass

    dispatcher.register(SimpleNamespace(name="classy", Model=Other))
    dispatcher.register(SimpleNamespace(name="lacks"))
    coverage = dispatcher.coverage()
    assert coverage.implemented("Model", "classy") is True
    assert coverage.implemented("Model", "lacks") is False
    assert coverage.options("Model", "classy") == ()


def test_a_class_of_an_installed_backend(make_dispatcher, site):
    site.adapter("classy", "name = 'classy'\nclass Model:\n    pass\n")
    dispatcher = make_dispatcher(trusted_backends={"classy": {}})

    @dispatcher.backend_class
    class Model:
        pass

    assert dispatcher.coverage().implemented("Model", "classy") is True
    assert site.imported() == set()


def test_the_selector_is_no_option(make_dispatcher):
    dispatcher = make_dispatcher(keyword="run_on")

    @dispatcher.backend_dispatch
    def f(x):
        pass

    dispatcher.register(SimpleNamespace(name="mine", f=lambda x, run_on=1, backend=2, own=3: x))
    assert dispatcher.coverage().options("f", "mine") == ("own",)


def test_it_is_a_snapshot(empty):
    before = empty.coverage()
    empty.register(SimpleNamespace(name="mine"))
    assert before.backends == ()
    assert empty.coverage().backends == ("mine",)


@pytest.mark.parametrize(
    "asked", [("f", "nobody"), ("nothing", "mine"), ("mine", "f"), ("f", None)]
)
def test_what_is_not_in_it_is_a_key_error(empty, asked):
    empty.register(SimpleNamespace(name="mine", f=lambda x: x))
    coverage = empty.coverage()
    with pytest.raises(KeyError):
        coverage.implemented(*asked)
    with pytest.raises(KeyError):
        coverage.options(*asked)


# -- how it is shown -----------------------------------------------------------------------


@pytest.fixture
def coverage(make_dispatcher):
    """A small one that has everything."""
    dispatcher = make_dispatcher()

    def f(x):
        pass

    def g(x):
        pass

    kept = [dispatcher.backend_dispatch(f), dispatcher.backend_dispatch(g)]

    class Lazy:
        name = "lazy"

        def __getattr__(self, name):
            raise AttributeError(name)

    dispatcher.register(SimpleNamespace(name="full", f=lambda x, speed=1, tile=2: x, g=len))
    dispatcher.register(SimpleNamespace(name="bare"))
    dispatcher.register(Lazy())
    coverage = dispatcher.coverage()
    assert len(kept) == 2
    return coverage


NOTE = "?: only running code of the backend can tell."


def test_it_prints_as_an_aligned_table(coverage):
    assert str(coverage).splitlines() == [
        "function  bare    full               lazy",
        "--------  ------  -----------------  ------",
        "f         -       yes (speed, tile)  ?",
        "g         -       yes                ?",
        "          0 of 2  2 of 2             ? of 2",
        "",
        NOTE,
    ]


def test_the_note_is_there_only_where_something_is_unknown(empty):
    empty.register(SimpleNamespace(name="mine", f=lambda x: x))
    coverage = empty.coverage()
    for text in (str(coverage), coverage._repr_html_(), coverage.to_markdown()):
        assert "?" not in text


def test_the_html_is_whole(coverage, read_html):
    html = read_html(coverage._repr_html_())
    assert html.rows == [
        ["function", "bare", "full", "lazy"],
        ["f", "-", "yes (speed, tile)", "?"],
        ["g", "-", "yes", "?"],
        ["", "0 of 2", "2 of 2", "? of 2"],
    ]
    assert NOTE in html.text


def test_the_markdown_is_a_table(coverage):
    assert coverage.to_markdown().splitlines() == [
        "| function | bare | full | lazy |",
        "| --- | --- | --- | --- |",
        "| f | - | yes (speed, tile) | ? |",
        "| g | - | yes | ? |",
        "|  | 0 of 2 | 2 of 2 | ? of 2 |",
        "",
        NOTE,
    ]


@pytest.mark.parametrize(
    ("implemented", "total"),
    [
        ((True, True, True), "3 of 3"),
        ((True, False, False), "1 of 3"),
        ((False, False, False), "0 of 3"),
        ((True, None, False), "1-2 of 3"),
        ((True, None, None), "1-3 of 3"),
        ((False, False, None), "0-1 of 3"),
        ((None, None, None), "? of 3"),
        ((None,), "? of 1"),
        ((True,), "1 of 1"),
    ],
)
def test_the_total_claims_only_what_is_known(coverage, implemented, total, read_html):
    functions = [f"f{i}" for i in range(len(implemented))]
    cells = {
        name: {"mine": {"implemented": value, "options": []}}
        for name, value in zip(functions, implemented, strict=True)
    }
    told = {"host": "host", "functions": functions, "backends": ["mine"], "coverage": cells}
    made = type(coverage).from_dict(told)
    text = str(made).removesuffix("\n\n" + NOTE).splitlines()
    markdown = made.to_markdown().removesuffix("\n\n" + NOTE).splitlines()
    assert text[-1].strip() == total
    assert read_html(made._repr_html_()).rows[-1] == ["", total]
    assert markdown[-1] == f"|  | {total} |"


def test_names_are_escaped(coverage, read_html):
    told = json.dumps(coverage.as_dict()).replace('"bare"', '"a|b<i>"').replace('"g"', '"x<&>|"')
    strange = type(coverage).from_dict(json.loads(told))
    html = read_html(strange._repr_html_())
    assert html.rows[0][1] == "a|b<i>"
    assert html.rows[2][0] == "x<&>|"
    rows = strange.to_markdown().splitlines()[:5]
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}


def test_without_functions(make_dispatcher, read_html):
    dispatcher = make_dispatcher()
    dispatcher.register(SimpleNamespace(name="mine"))
    coverage = dispatcher.coverage()
    assert (coverage.functions, coverage.backends) == ((), ("mine",))
    for text in (str(coverage), coverage._repr_html_(), coverage.to_markdown()):
        assert "There are no dispatched functions." in text
    read_html(coverage._repr_html_())


def test_without_backends(empty, site):
    site.adapter("fake", ADAPTERS["fake"])  # which may not run
    coverage = empty.coverage()
    assert (coverage.functions, coverage.backends) == (("f", "g"), ())
    for text in (str(coverage), coverage._repr_html_(), coverage.to_markdown()):
        assert "There are no backends that may run." in text


def test_it_goes_into_json_and_comes_back(coverage, installed, make_dispatcher):
    for whole in (coverage, installed.coverage(), make_dispatcher().coverage()):
        told = json.loads(json.dumps(whole.as_dict()))
        back = type(whole).from_dict(told)
        assert (back.host, back.functions, back.backends) == (
            whole.host,
            whole.functions,
            whole.backends,
        )
        assert back.as_dict() == whole.as_dict()
        assert known(back) == known(whole)
        assert (str(back), back._repr_html_()) == (str(whole), whole._repr_html_())
        assert back.to_markdown() == whole.to_markdown()


def test_its_dictionary(coverage):
    told = json.loads(json.dumps(coverage.as_dict()))
    assert (told["host"], told["functions"]) == ("host", ["f", "g"])
    assert told["backends"] == ["bare", "full", "lazy"]
    assert told["coverage"]["f"] == {
        "bare": {"implemented": False, "options": []},
        "full": {"implemented": True, "options": ["speed", "tile"]},
        "lazy": {"implemented": None, "options": []},
    }


@pytest.mark.parametrize("told", [{}, {"host": "host"}, {"coverage": {}}])
def test_what_is_no_such_dictionary_is_a_key_error(coverage, told):
    with pytest.raises(KeyError):
        type(coverage).from_dict(told)


# -- drawing -------------------------------------------------------------------------------


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")
    matplotlib.use(before)


def labels(ax):
    return (
        [label.get_text() for label in ax.get_yticklabels()],
        [label.get_text() for label in ax.get_xticklabels()],
    )


def test_it_can_be_drawn(coverage, pyplot, tmp_path):
    ax = coverage.plot()
    assert isinstance(ax, pyplot.Axes)
    assert labels(ax) == (["f", "g"], ["bare", "full", "lazy"])
    assert ax.get_title() == "host"
    assert [text.get_text() for text in ax.texts] == ["2"]
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert told == ["implemented", "not known", "not implemented"]
    file = tmp_path / "coverage.png"
    ax.figure.savefig(file)
    assert file.stat().st_size > 0


def test_the_first_function_is_at_the_top_and_the_first_backend_at_the_left(coverage, pyplot):
    ax = coverage.plot()
    bottom, top = ax.get_ylim()
    left, right = ax.get_xlim()
    assert bottom > top
    assert left < right
    assert len(ax.patches) == 6


def test_it_can_be_drawn_into_what_is_given(coverage, pyplot):
    figure, (first, second) = pyplot.subplots(1, 2)
    assert coverage.plot(second) is second
    assert coverage.plot(ax=first) is first
    assert len(pyplot.get_fignums()) == 1
    figure.canvas.draw()


def test_the_legend_tells_only_what_is_there(empty, pyplot):
    empty.register(SimpleNamespace(name="mine", f=lambda x: x, g=lambda x: x))
    ax = empty.coverage().plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["implemented"]


def test_a_large_one_can_be_drawn(coverage, pyplot, tmp_path):
    functions = [f"quite_a_long_name_of_a_function_{i}" for i in range(80)]
    backends = [f"backend-{i}" for i in range(30)]
    cell = {"implemented": True, "options": ["one"]}
    told = {
        "host": "host",
        "functions": functions,
        "backends": backends,
        "coverage": {function: dict.fromkeys(backends, cell) for function in functions},
    }
    ax = type(coverage).from_dict(told).plot()
    ax.figure.savefig(tmp_path / "large.png")
    assert len(ax.patches) == 2400


def test_one_with_nothing_in_it_can_be_drawn(empty, make_dispatcher, pyplot, tmp_path):
    for coverage in (empty.coverage(), make_dispatcher().coverage()):
        ax = coverage.plot()
        assert labels(ax) == (list(coverage.functions), [])
        ax.figure.savefig(tmp_path / "nothing.png")


def test_without_matplotlib_it_is_said_what_to_install(coverage, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install .*backstack\[plot\]") as caught:
        coverage.plot()
    assert caught.value.name == "matplotlib"


def test_nothing_else_imports_matplotlib(run_python):
    run_python(
        """
        import sys
        from types import SimpleNamespace
        from backstack import BackendDispatcher

        dispatcher = BackendDispatcher(entrypoint_group="host.none", host_name="host")

        @dispatcher.backend_dispatch
        def f():
            pass

        dispatcher.register(SimpleNamespace(name="mine", f=f.__wrapped__))
        coverage = dispatcher.coverage()
        assert coverage.implemented("f", "mine") is True
        str(coverage), coverage._repr_html_(), coverage.to_markdown(), coverage.as_dict()
        assert "matplotlib" not in sys.modules
        """
    )


# -- what is certain and what is not -------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        ("f = None\ndef f():\n    pass\n", None, True),
        ("try:\n    from nothing_there import f\nexcept ImportError:\n    f = None\n", None, False),
        ("def f():\n    pass\ndel f\n", None, False),
        ("def f():\n    pass\ndef other():\n    f = None\n", True, True),
        ("f = globals().get('nothing')\n", True, False),
        ("__all__ = ['f']\nf = None\n", False, False),
    ],
)
def test_what_may_come_to_nothing_is_not_known_before_it_runs(
    make_dispatcher, site, source, before, after
):
    site.adapter("it", "name = 'it'\n" + source)
    dispatcher = make_dispatcher(trusted_backends={"it": {}})

    @dispatcher.backend_dispatch
    def f():
        pass

    assert dispatcher.coverage().implemented("f", "it") is before
    dispatcher.get_backend("it")
    assert dispatcher.coverage().implemented("f", "it") is after


def test_of_two_registered_under_one_name_the_one_that_counts_is_shown(make_dispatcher):
    dispatcher = make_dispatcher()
    dispatched = dispatcher.backend_dispatch(name="f")(lambda x: x)
    other = dispatcher.backend_dispatch(name="g")(lambda x: x)
    dispatcher.register(SimpleNamespace(name="a", f=lambda x: "old"))
    dispatcher.register(SimpleNamespace(name="a", g=lambda x: "new"))
    coverage = dispatcher.coverage()
    assert coverage.backends == ("a",)
    assert coverage.implemented("g", "a") is True
    assert coverage.implemented("f", "a") is False
    assert dispatched(1) == 1
    assert other(1, backend="a") == "new"


def test_two_that_share_their_only_known_label_are_two(make_dispatcher, site):
    for module in ("one", "two"):
        source = f"name = ''.join(['{module}'])\ndef f():\n    pass\n"
        site.install(f"{module}-dist", {"x": module}, {f"{module}.py": source})
    dispatcher = make_dispatcher()
    dispatched = dispatcher.backend_dispatch(name="f")(lambda: None)
    backends = dispatcher.coverage().backends
    assert len(set(backends)) == len(backends) == 2
    assert dispatched() is None
