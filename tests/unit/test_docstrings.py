"""The docstring that is shown: the host's, byte for byte, with entries put in where they belong."""

# ruff: noqa: E501, RUF001 - signatures and texts are what is tested here

import inspect
import warnings
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpydoc.docscrape import NumpyDocString

from backstack import BackendDispatcher

PLAIN = """Score the rows.

    Longer text.

    Parameters
    ----------
    x : array
        The rows.
    k : int, optional
        How many.

    Returns
    -------
    float
        The score.

    Examples
    --------
    >>> 1 + 1
    2
    """

OWN = """Score on jax.

    Parameters
    ----------
    x : array
        The rows.
    batch_size : int, default 32
        How many rows at once.

        More of it:

            indented
    quiet
        Say nothing.
    """


def own(x, *, batch_size: int = 32):
    return x


own.__doc__ = OWN


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


@pytest.fixture
def documented(dispatcher):
    """Makes a dispatched f with that docstring."""

    def make(text):
        def host(x, k=5):
            return x

        host.__doc__ = text
        return dispatcher.backend_dispatch(name="f")(host)

    return make


@pytest.fixture
def register(dispatcher):
    """Registers an adapter with that f."""
    return lambda f=own, name="jax": dispatcher.register(SimpleNamespace(name=name, f=f))


def parse(text):
    """What numpydoc makes of it; its warnings are not asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = text.replace("\r\n", "\n")
        return NumpyDocString(inspect.cleandoc(text))


def entries(text, section):
    return [parameter.name for parameter in parse(text)[section]]


def entry(text, section, name):
    return next(p for p in parse(text)[section] if p.name == name)


def inserted(before, after):
    """The lines that `after` has and `before` has not, all others being the same and in order."""
    old, new = (text.replace("\r\n", "\n").split("\n") for text in (before, after))
    found = []
    for line in new:
        if old and line == old[0]:
            old.pop(0)
        else:
            found.append(line)
    assert old == [], f"lost: {old}"
    return found


# -- what is put in, and where -------------------------------------------------------------


def test_the_selector_is_described_at_the_end_of_parameters(documented):
    f = documented(PLAIN)
    assert entries(f.__doc__, "Parameters") == ["x", "k", "backend"]
    assert entry(f.__doc__, "Parameters", "backend").type == "str, optional"
    assert entries(f.__doc__, "Other Parameters") == []
    before, after = PLAIN.split("        How many.\n")
    assert f.__doc__.startswith(
        f"{before}        How many.\n    backend : str, optional\n        The"
    )
    assert f.__doc__.endswith(after)


@pytest.mark.parametrize(
    "loose", ["**kwargs\n        More.", "**kwargs : dict", "\\**kwargs : dict\n\n        More."]
)
def test_the_selector_comes_before_loose_keywords_as_in_the_signature(documented, loose):
    text = PLAIN.replace("        How many.\n", f"        How many.\n    {loose}\n")
    shown = documented(text).__doc__
    names = [name.lstrip("\\") for name in entries(shown, "Parameters")]
    assert names == ["x", "k", "backend", "**kwargs"]
    assert [line.split()[0] for line in inserted(text, shown)] == ["backend", "The", "innermost"]
    only = documented("Do it.\n\n    Parameters\n    ----------\n    **kwargs\n        More.\n")
    assert entries(only.__doc__, "Parameters") == ["backend", "**kwargs"]
    both = documented(
        "Do it.\n\n    Parameters\n    ----------\n    *args, **kwargs\n        All.\n"
    )
    assert entries(both.__doc__, "Parameters") == ["*args, **kwargs", "backend"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_section_that_numpydoc_cannot_read_is_seen_with_any_ends_of_lines(documented, newline):
    text = (
        "Do it.\n\nParameters\n----------\nx : int\n    The x.\n\nSee Also\n--------\n  w\n\n  w::"
    )
    text = text.replace("\n", newline)
    assert documented(text).__doc__ == text


def test_options_are_described_under_other_parameters(documented, register):
    f = documented(PLAIN)
    before = f.__doc__
    register()
    name = "batch_size (jax)"
    assert entries(f.__doc__, "Parameters") == ["x", "k", "backend"]
    assert entries(f.__doc__, "Other Parameters") == [name]
    found = entry(f.__doc__, "Other Parameters", name)
    assert found.type == "int, default 32"
    assert found.desc == ["How many rows at once.", "", "More of it:", "", "    indented"]
    block = """
    Other Parameters
    ----------------
    batch_size (jax) : int, default 32
        How many rows at once.

        More of it:

            indented
"""
    score = "        The score.\n"
    assert f.__doc__ == before.replace(score, score + block)
    assert f.__doc__.index("Returns") < f.__doc__.index("Other Parameters")
    assert f.__doc__.index("Other Parameters") < f.__doc__.index("Examples")


def test_a_section_of_other_parameters_is_added_to(documented, register):
    text = PLAIN.replace(
        "    Examples\n",
        "    Other Parameters\n    ----------------\n    rare : int\n        Rarely.\n\n    Examples\n",
    )
    f = documented(text)
    register()
    assert entries(f.__doc__, "Other Parameters") == ["rare", "batch_size (jax)"]
    assert f.__doc__.count("Other Parameters") == 1


@pytest.mark.parametrize(
    ("doc", "annotation", "header"),
    [
        (None, None, "batch_size (jax)"),
        (None, int, "batch_size (jax) : int"),
        (None, "int | None", "batch_size (jax) : int | None"),
        (None, int | None, "batch_size (jax) : int | None"),
        ("No sections here, batch_size or not.", int, "batch_size (jax) : int"),
        ("Parameters\n----------\nbatch_size : odd", int, "batch_size (jax) : odd"),
        ("Parameters\n----------\nbatch_size\n    Text.", int, "batch_size (jax) : int"),
        ("Parameters\n----------\nx, batch_size : odd", int, "batch_size (jax) : odd"),
        ("Other Parameters\n----------------\nbatch_size : odd", int, "batch_size (jax) : odd"),
        (
            "Parameters\n----------\nbatch_size : a\n\nParameters\n----------\nx : b",
            int,
            "batch_size (jax) : int",
        ),
    ],
)
def test_the_type_is_documented_or_annotated_or_left_out(
    documented, register, doc, annotation, header
):
    def own(x, *, batch_size=32):
        return x

    own.__doc__ = doc
    if annotation is not None:
        own.__annotations__["batch_size"] = annotation
    f = documented(PLAIN)
    register(own)
    assert f"\n    {header}\n" in f.__doc__
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (jax)"]


def test_what_is_no_public_option_is_not_described(documented, register):
    f = documented(PLAIN)
    before = f.__doc__
    register(lambda x, gone=1, /, *more, k=2, _private=3, backend="own", **rest: x)
    assert f.__doc__ == before


def test_a_renamed_selector_is_described_by_its_name(make_dispatcher):
    def host(x, backend="agg"):
        """Parameters
        ----------
        x : int
        backend : str
            Of matplotlib.
        """

    f = make_dispatcher(keyword="run_on").backend_dispatch(name="f")(host)
    assert entries(f.__doc__, "Parameters") == ["x", "backend", "run_on"]


@pytest.mark.parametrize(
    "described",
    ["backend : str", "backend", "k, backend : str", "backend : {'cpu', 'jax'}, optional"],
)
def test_a_selector_that_is_described_already_is_left_as_it_is(documented, described):
    text = PLAIN.replace("k : int, optional", described)
    assert documented(text).__doc__ == text


@pytest.mark.parametrize("described", ["backend: str", "backend: str, optional"])
def test_a_selector_that_is_described_without_a_space_is_described(documented, described):
    text = PLAIN.replace("k : int, optional", described)
    assert documented(text).__doc__ == text


def test_a_selector_that_is_only_mentioned_is_not_described(documented):
    text = PLAIN.replace("How many.", "As many as backend : any.\n\n        backend : no entry")
    assert entries(documented(text).__doc__, "Parameters") == ["x", "k", "backend"]


# -- several backends, and backends that go ------------------------------------------------


def test_two_backends_share_one_entry_that_names_both(documented, register):
    f = documented(PLAIN)
    before = f.__doc__

    def other(x, batch_size=1):
        return x

    first = register()
    second = register(other, "cuda")
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (cuda, jax)"]
    found = entry(f.__doc__, "Other Parameters", "batch_size (cuda, jax)")
    assert (found.type, found.desc[0]) == ("int, default 32", "How many rows at once.")
    first.remove()
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (cuda)"]
    second.remove()
    assert f.__doc__ == before


def test_merging_twice_changes_nothing(dispatcher, documented, register):
    f = documented(PLAIN)
    register()
    once = f.__doc__
    dispatcher.discover()
    assert f.__doc__ == once
    f.__doc__ = once
    assert f.__doc__ == once
    f.__doc__ = f.__doc__
    assert f.__doc__ == once


def test_what_is_shown_is_not_written_to_the_hosts_function(documented, register):
    f = documented(PLAIN)
    register()
    assert f.__wrapped__.__doc__ == PLAIN


# -- how a docstring may be written --------------------------------------------------------


def reindented(indent):
    first, *lines = PLAIN.split("\n")
    return "\n".join([first, *(line.replace("    ", indent, 1) for line in lines)])


FORMS = {
    "four spaces": PLAIN,
    "none": inspect.cleandoc(PLAIN),
    "one space": reindented(" "),
    "eight spaces": reindented(" " * 8),
    "tabs": PLAIN.replace("    ", "\t"),
    "tabs below spaces": reindented("  ").replace("      ", "  \t"),
    "first line empty": "\n    " + PLAIN,
    "underlined with =": PLAIN.replace("-", "="),
    "underlined too long": PLAIN.replace("----------\n", "--------------------\n"),
    "lower case": PLAIN.replace("Parameters", "parameters").replace("Returns", "returns"),
    "trailing blanks": PLAIN.replace("\n", "  \n"),
    "no end of line": PLAIN.rstrip(),
    "parameters last": PLAIN[: PLAIN.index("    Returns")],
    "parameters last, no end of line": PLAIN[: PLAIN.index("    Returns")].rstrip(),
    "parameters first": PLAIN[PLAIN.index("Parameters") :],
    "parameters empty": PLAIN.replace(PLAIN[PLAIN.index("    x :") : PLAIN.index("    Ret")], "\n"),
    "only a title": "Parameters\n    ----------",
    "many blank lines": PLAIN.replace("\n\n", "\n\n\n\n"),
    "text indented by two": PLAIN.replace("        ", "      "),
    "entries indented": PLAIN.replace("    x : array\n        The rows.", "      x : array\n        The rows.").replace(
        "    k : int, optional\n        How", "      k : int, optional\n        How"
    ),
    "letters of all kinds": PLAIN.replace("rows", "ζeilen ‑ 行\u2028\x0c\x85"),
    "a section of its own": PLAIN.replace("Returns", "Caveats").replace("-------\n    f", "-------\n    f"),
    "an index behind": PLAIN.replace("    Returns\n", "    .. index:: score\n       :refguide: x\n\n    Returns\n"),
    "a directive within": PLAIN.replace("How many.", "How many.\n\n        .. versionadded:: 1.2"),
    "a signature first": PLAIN.replace("Score", "f(x, k=5)\n\n    Score"),
    "yields and receives": PLAIN.replace(
        "    Returns\n    -------\n", "    Yields\n    ------\n    int\n\n    Receives\n    --------\n"
    ),
    "notes before": PLAIN.replace(
        "    Parameters\n", "    Notes\n    -----\n    Some.\n\n    Parameters\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_any_form_is_kept_byte_for_byte_and_understood_by_numpydoc(documented, register, form):
    text = FORMS[form]
    parsed = parse(text)
    f = documented(text)
    register()
    merged = parse(f.__doc__)
    added = inserted(text, f.__doc__)
    assert "batch_size (jax)" in "\n".join(added)
    names = [p.name for p in parsed["Parameters"]]
    assert [p.name for p in merged["Parameters"]] == [*names, "backend"]
    assert merged["Parameters"][:-1] == parsed["Parameters"]
    assert [p.name for p in merged["Other Parameters"]] == ["batch_size (jax)"]
    for section in parsed:
        if section not in ("Parameters", "Other Parameters"):
            assert merged[section] == parsed[section]
    assert inspect.cleandoc(f.__doc__)  # what help() makes of it


@pytest.mark.parametrize("form", FORMS)
def test_every_form_takes_the_same_entries_a_second_time(documented, register, form):
    f = documented(FORMS[form])
    alone = f.__doc__
    registration = register()
    merged = f.__doc__
    f.__doc__ = merged
    assert f.__doc__ == merged
    registration.remove()
    f.__doc__ = FORMS[form]
    assert f.__doc__ == alone


@pytest.mark.parametrize("form", [*FORMS])
def test_lines_that_end_as_on_windows_end_so_everywhere(documented, register, form):
    text = FORMS[form].replace("\n", "\r\n")
    f = documented(text)
    register()
    assert f.__doc__.replace("\r\n", "").count("\n") == 0
    assert f.__doc__.replace("\r\n", "").count("\r") == 0
    assert f.__doc__.endswith("\r\n") == text.endswith("\r\n")
    plain = f.__doc__.replace("\r\n", "\n")
    f.__doc__ = FORMS[form]
    assert plain == f.__doc__


def test_tabs_are_answered_with_tabs(documented, register):
    f = documented(FORMS["tabs"])
    register()
    assert "\n\tbackend : str, optional\n\t\tThe backend" in f.__doc__
    assert "\n\tbatch_size (jax) : int, default 32\n\t\tHow many" in f.__doc__


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   \n  ",
        "One line.",
        "Parameters",
        "Parameters\n",
        PLAIN.replace("Parameters", "Arguments"),
        PLAIN.replace("    Parameters\n    ----------\n", "    Parameters\n    ------\n"),
        PLAIN.replace("    Parameters\n    ----------\n", "    Parameters\n\n    ----------\n"),
        PLAIN.replace("    Parameters\n", "    Parameters:\n"),
        PLAIN.replace("    Longer text.\n\n", "    Longer text.\n"),
        PLAIN.replace("    Parameters\n    ----------\n", "    Args:\n"),
        ":param x: The rows.\n:type x: array\n",
        PLAIN.replace("Parameters\n    ----------", "Other Parameters\n    ----------------"),
        PLAIN.replace("Parameters", "Attributes"),
    ],
)
def test_without_a_section_of_parameters_it_is_left_as_it_is(documented, register, text):
    f = documented(text)
    assert f.__doc__ == text
    register()
    assert f.__doc__ == text


MALFORMED = {
    "parameters twice": PLAIN + "\n    Parameters\n    ----------\n    y : int\n",
    "returns twice": PLAIN + "\n    Returns\n    -------\n    int\n",
    "receives without yields": PLAIN.replace("    Returns\n    -------", "    Receives\n    --------"),
    "see also nothing": PLAIN + "\n    See Also\n    --------\n    : what is this\n    ,,, `\n",
}  # fmt: skip


@pytest.mark.parametrize("form", MALFORMED)
def test_a_malformed_one_is_left_as_it_is(documented, register, form):
    text = MALFORMED[form]
    with pytest.raises(ValueError):
        parse(text)
    f = documented(text)
    register()
    assert f.__doc__ == text


def test_what_is_no_string_is_left_as_it_is(documented, register):
    class Text(str):
        __slots__ = ()

    for text in (5, ("a", "b"), Text("One line.")):
        f = documented("to be replaced")
        f.__doc__ = text
        with register():
            assert f.__doc__ is text


# -- what decorators do to it afterwards ---------------------------------------------------


def test_a_docstring_that_is_set_later_is_merged_into(documented, register):
    f = documented(None)
    register()
    assert f.__doc__ is None
    f.__doc__ = PLAIN
    assert entries(f.__doc__, "Parameters") == ["x", "k", "backend"]
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (jax)"]
    f.__doc__ = None
    assert f.__doc__ is None


@pytest.mark.parametrize("when", ["before", "while", "after"])
def test_text_that_is_added_later_stays_and_entries_come_and_go(documented, register, when):
    f = documented(PLAIN)
    shown = f.__doc__
    if when == "before":
        f.__doc__ += "\n    Added.\n"
    registration = register()
    if when == "while":
        f.__doc__ += "\n    Added.\n"
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (jax)"]
    registration.remove()
    if when == "after":
        f.__doc__ += "\n    Added.\n"
    assert f.__doc__ == shown + "\n    Added.\n"


def test_text_that_is_added_to_an_option_does_not_hide_a_second_backend(documented, register):
    f = documented(PLAIN)
    register()
    f.__doc__ += "\n    Added.\n"
    register(lambda x, batch_size=1: x, "cuda")
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (cuda, jax)"]


def test_text_that_begins_like_an_entry_is_not_taken_for_one(documented, register):
    f = documented(PLAIN)
    with register(lambda x, batch_size=1: x):
        assert "    batch_size (jax)\n" in f.__doc__
    text = "The score.\n\n    Other Parameters\n    ----------------\n    batch_size (jax) : int\n"
    f.__doc__ = PLAIN.replace("The score.\n", text)
    assert text in f.__doc__


HOST = """
    import functools

    def outer(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    def extending(function):
        wrapper = outer(function)
        wrapper.__doc__ += "\\n    Extended.\\n"
        return wrapper

    def prefixing(function):
        wrapper = outer(function)
        wrapper.__doc__ = "Deprecated.\\n\\n    " + wrapper.__doc__
        return wrapper

    def replacing(function):
        wrapper = outer(function)
        wrapper.__doc__ = "Replaced.\\n\\nParameters\\n----------\\ny : int\\n"
        return wrapper

    def silencing(function):
        wrapper = outer(function)
        wrapper.__doc__ = None
        return wrapper

    def setting(function):
        function.__doc__ += "\\n    Set.\\n"
        return function

    def f(x, k=5):
        pass
"""


@pytest.fixture
def some_host(site, dispatcher):
    """A module with a dispatched f, and decorators for it."""
    site.write({"some_host.py": HOST})
    import some_host

    some_host.f.__doc__ = PLAIN
    some_host.f = dispatcher.backend_dispatch(some_host.f)
    return some_host


@pytest.mark.parametrize(
    "decorators",
    [
        ["outer"],
        ["extending"],
        ["prefixing"],
        ["setting"],
        ["setting", "outer"],
        ["extending", "prefixing", "outer"],
        ["outer", "setting", "outer"],
    ],
)
def test_copies_above_follow_and_are_restored(some_host, register, decorators):
    for decorator in decorators:
        some_host.f = getattr(some_host, decorator)(some_host.f)
    layers = [some_host.f]
    while hasattr(layers[-1], "__wrapped__"):
        layers.append(layers[-1].__wrapped__)
    layers.pop()  # the host's own function shows the host's own text
    before = [layer.__doc__ for layer in layers]
    assert all("backend" in entries(text, "Parameters") for text in before[-1:])
    registration = register()
    for layer, text in zip(layers, before, strict=True):
        assert entries(layer.__doc__, "Other Parameters") == ["batch_size (jax)"]
        assert inserted(text, layer.__doc__)
    merged = [layer.__doc__ for layer in layers]
    with register(lambda x, batch_size=1, more=2: x, "cuda"):
        for layer in layers:
            wanted = ["batch_size (cuda, jax)", "more (cuda)"]
            assert entries(layer.__doc__, "Other Parameters") == wanted
    assert [layer.__doc__ for layer in layers] == merged
    registration.remove()
    assert [layer.__doc__ for layer in layers] == before


def test_a_docstring_that_replaces_ours_is_merged_into(some_host, register):
    some_host.f = some_host.replacing(some_host.f)
    with register():
        assert entries(some_host.f.__doc__, "Parameters") == ["y", "backend"]
        assert entries(some_host.f.__doc__, "Other Parameters") == ["batch_size (jax)"]
    assert entries(some_host.f.__doc__, "Other Parameters") == []
    assert some_host.f.__doc__.startswith("Replaced.\n\nParameters\n----------\ny : int\n")


def test_a_copy_without_parameters_is_left_as_it_is(some_host, register):
    some_host.f = some_host.silencing(some_host.f)
    with register():
        assert some_host.f.__doc__ is None
    assert some_host.f.__doc__ is None


def test_a_copy_that_is_extended_while_merged_keeps_what_was_added(some_host, register):
    some_host.f = some_host.outer(some_host.f)
    before = some_host.f.__doc__
    registration = register()
    some_host.f.__doc__ += "\n    Added.\n"
    with register(lambda x, more=2: x, "cuda"):
        names = ["batch_size (jax)", "more (cuda)"]
        assert sorted(entries(some_host.f.__doc__, "Other Parameters")) == names
    registration.remove()
    assert some_host.f.__doc__ == before + "\n    Added.\n"


def test_a_copy_that_is_made_while_merged_is_restored(some_host, register):
    before = some_host.f.__doc__
    registration = register()
    some_host.f = some_host.outer(some_host.f)
    assert entries(some_host.f.__doc__, "Other Parameters") == ["batch_size (jax)"]
    registration.remove()
    assert some_host.f.__doc__ == before


def test_a_copy_learns_of_an_installed_backend_once_it_is_loaded(site, make_dispatcher):
    site.adapter("jax", "name = 'jax'\ndef f(x, batch_size=32): return 'jax', x\n")
    site.write({"some_host.py": HOST})
    import some_host

    dispatcher = make_dispatcher(trusted_backends={"jax": {"package": "jax-dist"}})
    some_host.f.__doc__ = PLAIN
    some_host.f = some_host.outer(dispatcher.backend_dispatch(some_host.f))
    assert entries(some_host.f.__doc__, "Other Parameters") == []
    assert site.imported() == {"some_host"}
    with dispatcher.backend("jax"):
        assert some_host.f(1) == ("jax", 1)
    assert entries(some_host.f.__doc__, "Other Parameters") == ["batch_size (jax)"]


def test_discover_reaches_copies(site, make_dispatcher):
    site.adapter("jax", "name = 'jax'\ndef f(x, batch_size=32): return 'jax', x\n")
    site.write({"some_host.py": HOST})
    import some_host

    dispatcher = make_dispatcher(trusted_backends={"jax": {"package": "jax-dist"}})
    some_host.f.__doc__ = PLAIN
    some_host.f = some_host.outer(dispatcher.backend_dispatch(some_host.f))
    dispatcher.discover()
    assert entries(some_host.f.__doc__, "Other Parameters") == ["batch_size (jax)"]


# -- what a backend may write --------------------------------------------------------------


@pytest.mark.parametrize(
    "doc",
    [
        5,
        "",
        "batch_size",
        "Parameters\n----------\nbatch_size",
        "Parameters\n----------\nbatch_size : int\n\nReceives\n--------\nint",
        "See Also\n--------\n: batch_size\n,,, `",
        "\x00batch_size\ud800",
        "batch_size\n" * 1000,
    ],
)
def test_no_docstring_of_a_backend_breaks_the_hosts(documented, register, doc):
    def own(x, batch_size=32):
        return x

    own.__doc__ = doc
    f = documented(PLAIN)
    register(own)
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (jax)"]


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


class Long:
    def __repr__(self):
        return "two\n\nReturns\n-------\nlines"


@pytest.mark.parametrize("annotation", [Unshowable(), Long()], ids=["unshowable", "long"])
def test_no_annotation_of_a_backend_breaks_the_hosts(documented, register, annotation):
    def own(x, batch_size=32):
        return x

    own.__annotations__["batch_size"] = annotation
    f = documented(PLAIN)
    register(own)
    assert entries(f.__doc__, "Other Parameters") == ["batch_size (jax)"]
    assert parse(f.__doc__)["Returns"] == parse(PLAIN)["Returns"]


# -- any docstring -------------------------------------------------------------------------

TITLES = [
    "Parameters",
    "Returns",
    "Yields",
    "Raises",
    "See Also",
    "Notes",
    "Other Parameters",
    "Own",
]
words = st.text("ab -:=().*`\\", max_size=12).map("w{}".format)
lines = st.tuples(st.sampled_from(["", "", "  "]), words).map("".join)
bodies = st.one_of(
    st.sampled_from(
        ["x : int\n    The x.", "k\n    The k.", "x, k : int", "backend : str\n    It."]
    ),
    st.lists(lines, min_size=1, max_size=3).map("\n".join),
    st.lists(lines, min_size=1, max_size=3).map("\n\n".join),
)


@st.composite
def sections(draw, titles=TITLES):
    title = draw(st.sampled_from(titles))
    length = len(title) + draw(st.sampled_from([0] * 8 + [-1, 3]))
    body = draw(bodies)
    return f"{title}\n{draw(st.sampled_from('--='))[0] * length}\n{body}"


@st.composite
def docstrings(draw):
    """Mostly well-formed docstrings, at any indentation."""
    parts = [draw(st.sampled_from(["Summary.", "f(x)\n\nSummary.", "Summary.\n\nMore.", ""]))]
    parts += draw(st.lists(sections(), max_size=2))
    parts += [draw(sections(["Parameters"]))] if draw(st.integers(0, 5)) else []
    parts += draw(st.lists(sections(), max_size=3))
    text = draw(st.sampled_from(["\n\n", "\n\n\n", "\n \n"])).join(parts)
    indent = draw(st.sampled_from(["", "    ", "\t", "  "]))
    text = text.replace("\n    ", "\n" + draw(st.sampled_from(["    ", "\t", "  "])))
    text = text.replace("\n", "\n" + indent)
    return text + draw(st.sampled_from(["", "\n", "\n" + indent]))


@pytest.fixture(scope="module")
def shared():
    """One dispatched f for many docstrings, and a way to register "jax" for it."""
    dispatcher = BackendDispatcher(entrypoint_group="no.backends", host_name="host", env_var=None)
    f = dispatcher.backend_dispatch(name="f")(lambda x, k=5: (x, k))
    return f, lambda: dispatcher.register(SimpleNamespace(name="jax", f=own))


@settings(max_examples=600, deadline=None)
@given(text=docstrings(), windows=st.booleans())
@example(PLAIN + "\n    See Also\n    --------\n    w ::\n", False)
@example(PLAIN + "\n    See Also\n    --------\n    größe : text\n", False)
def test_any_docstring_keeps_its_bytes_and_its_meaning(shared, text, windows):
    f, register = shared
    text = text.replace("\n", "\r\n") if windows else text
    f.__doc__ = text
    with register():
        merged = f.__doc__
        f.__doc__ = merged
        assert f.__doc__ == merged
        f.__doc__ = text
    try:
        before = parse(text)
    except ValueError:
        assert merged == text
        return
    if not before["Parameters"]:
        assert merged == text
        return
    inserted(text, merged)
    after = parse(merged)
    assert after["Parameters"][: len(before["Parameters"])] == before["Parameters"]
    assert "batch_size (jax)" in [p.name for p in after["Other Parameters"]]
    assert any("backend" in p.name for p in after["Parameters"])
    for name in before:
        if name not in ("Parameters", "Other Parameters"):
            assert after[name] == before[name]
