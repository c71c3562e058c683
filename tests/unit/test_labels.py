"""Which labels backends may have: the rule, its edges, and whatever else comes in."""

import re
import string
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backstack
from backstack import BackendDispatcher

FIRST = string.ascii_letters + string.digits
LAST = FIRST + "_"
INNER = FIRST + "._-"

labels = st.one_of(
    st.sampled_from(FIRST),
    st.builds(
        lambda first, inner, last: first + inner + last,
        st.sampled_from(FIRST),
        st.text(INNER, max_size=126),
        st.sampled_from(LAST),
    ),
).filter(lambda label: label != "cpu")


def is_label(text):
    """The rule, spelt out."""
    return (
        1 <= len(text) <= 128
        and text[0] in FIRST
        and text[-1] not in ".-"
        and all(character in INNER for character in text)
        and text != "cpu"
    )


def new_dispatcher(**config):
    return BackendDispatcher(entrypoint_group="host.none", host_name="host", **config)


@given(labels)
def test_every_label_names_a_backend(label):
    dispatcher = new_dispatcher()
    with dispatcher.register(SimpleNamespace(name=label, aliases=[])) as handle:
        assert handle.name == label
        assert dispatcher.resolve_name(label) == label
        with dispatcher.backend(label):
            assert dispatcher.settings.backend == label


@given(labels)
def test_every_label_can_be_an_alias(label):
    dispatcher = new_dispatcher()
    with dispatcher.register(SimpleNamespace(name="canonical", aliases=(label,))):
        assert dispatcher.resolve_name(label) == "canonical"
        assert dispatcher.available_backend_names() == sorted({"canonical", label})


@given(labels)
def test_every_label_can_be_configured_and_reserved(label):
    assert new_dispatcher(trusted_backends={label: {}}).resolve_name(label) == label
    with pytest.raises(backstack.ReservedBackendError, match="No such thing"):
        new_dispatcher(reserved_backends={label: "No such thing."}).settings.backend = label


@given(st.text(max_size=140))
def test_a_name_is_taken_only_by_the_rule(text):
    dispatcher = new_dispatcher()
    if is_label(text):
        dispatcher.register(SimpleNamespace(name=text))
        assert dispatcher.available_backend_names() == [text]
    else:
        with pytest.raises(backstack.BackendLoadError, match="name"):
            dispatcher.register(SimpleNamespace(name=text))
        assert dispatcher.available_backend_names() == []


@given(st.text(max_size=140))
def test_a_configured_name_is_taken_only_by_the_rule(text):
    if is_label(text):
        new_dispatcher(trusted_backends={text: {}})
    else:
        with pytest.raises(ValueError, match="trusted_backends"):
            new_dispatcher(trusted_backends={text: {}})


@given(st.one_of(st.none(), st.integers(), st.binary(), st.floats(), st.lists(st.text())))
def test_what_is_no_text_is_no_name(value):
    with pytest.raises(backstack.BackendLoadError, match="name"):
        new_dispatcher().register(SimpleNamespace(name=value))
    with pytest.raises(backstack.BackendNameError, match=re.escape(repr(value))):
        new_dispatcher().get_backend(value)


@given(st.text(min_size=1, max_size=140))
def test_asking_for_anything_gives_a_clear_error(text):
    dispatcher = new_dispatcher()
    if text == "cpu":
        assert dispatcher.get_backend(text) is None
        return
    assert dispatcher.resolve_name(text) is None
    with pytest.raises(backstack.UnknownBackendError, match="Unknown backend") as caught:
        dispatcher.settings.backend = text
    assert caught.value.label == text
    assert caught.value.available == ("cpu",)


@pytest.mark.parametrize("label", ["a", "9", "A_", "a.b-c_d", "CPU", "Cpu", "cpu2", "x" * 128])
def test_labels_at_the_edge(label):
    dispatcher = new_dispatcher()
    dispatcher.register(SimpleNamespace(name=label))
    assert dispatcher.resolve_name(label) == label


@pytest.mark.parametrize(
    "label",
    ["", "_a", ".a", "-a", "a.", "a-", "a b", "a/b", "a\n", "a\0b", "é", "²", "x" * 129, "cpu"],
)
def test_just_past_the_edge(label):
    with pytest.raises(backstack.BackendLoadError, match="failed to load"):
        new_dispatcher().register(SimpleNamespace(name=label))


def test_case_matters():
    dispatcher = new_dispatcher()
    dispatcher.register(SimpleNamespace(name="Jax"))
    dispatcher.register(SimpleNamespace(name="jax"))
    assert dispatcher.get_backend("Jax").name == "Jax"
    assert dispatcher.get_backend("jax").name == "jax"
    with pytest.raises(backstack.UnknownBackendError, match=r"Did you mean '[Jj]ax'"):
        dispatcher.settings.backend = "JAX"


def test_a_long_name_is_not_repeated_in_full():
    with pytest.raises(backstack.BackendLoadError) as caught:
        new_dispatcher().register(SimpleNamespace(name="x" * 10_000))
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("aliases", ["fast", "", None, 5, {"fast": 1}, iter(["fast"]), b"fast"])
def test_aliases_that_are_no_collection_are_refused_with_a_warning(aliases):
    dispatcher = new_dispatcher()
    with pytest.warns(backstack.AdapterWarning, match="aliases") as caught:
        dispatcher.register(SimpleNamespace(name="fake", aliases=aliases))
    assert caught[0].filename == __file__
    assert "'fake'" in str(caught[0].message)
    assert dispatcher.available_backend_names() == ["fake"]


@pytest.mark.parametrize("make", [list, tuple, set, frozenset])
def test_aliases_may_be_a_list_tuple_or_set(make):
    dispatcher = new_dispatcher()
    dispatcher.register(SimpleNamespace(name="fake", aliases=make(["fast", "quick"])))
    assert dispatcher.available_backend_names() == ["fake", "fast", "quick"]


@pytest.mark.parametrize(
    "bad", ["", "a b", "cpu", "gpu", None, 5, ["nested"], ("nested",), "x" * 129, "é", b"fast"]
)
def test_one_bad_alias_does_not_cost_the_others(bad):
    dispatcher = new_dispatcher(reserved_backends={"gpu": "No."})
    with pytest.warns(backstack.AdapterWarning, match="alias") as caught:
        dispatcher.register(SimpleNamespace(name="fake", aliases=["one", bad, "two"]))
    assert len(caught) == 1
    assert dispatcher.available_backend_names() == ["fake", "one", "two"]


def test_its_own_name_twice_among_the_aliases_is_harmless():
    dispatcher = new_dispatcher()
    dispatcher.register(SimpleNamespace(name="fake", aliases=["fake", "fast", "fake", "fast"]))
    assert dispatcher.available_backend_names() == ["fake", "fast"]
    assert dispatcher.backends()[0].aliases == ("fast",)


def test_a_reserved_name_is_refused():
    dispatcher = new_dispatcher(reserved_backends={"gpu": "Choose a concrete one."})
    with pytest.raises(backstack.BackendLoadError, match="'gpu' is reserved by host"):
        dispatcher.register(SimpleNamespace(name="gpu"))
