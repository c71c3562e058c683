"""Adapters come and go: registering, hiding, restoring, refreshing, and asking what is there."""

import gc
import inspect
import sys
import types
from types import MappingProxyType, ModuleType, SimpleNamespace

import pytest

import backstack

pytestmark = pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")

MARK = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"


def ran(site):
    """The modules of the site that ran, by their marker files."""
    return sorted(path.stem for path in site.folder.rglob("*.ran"))


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher(
        trusted_backends={"accel": {"aliases": ["cuda"], "package": "accel-dist"}},
        reserved_backends={"gpu": "Choose a concrete one."},
    )


@pytest.fixture
def f(dispatcher):
    @dispatcher.backend_dispatch
    def f(x):
        """Say where it ran.

        Parameters
        ----------
        x
            Anything.
        """
        return "host", x

    return f


def fake(name="fake", tag="fake", **fields):
    return SimpleNamespace(name=name, f=lambda x: (tag, x), **fields)


# -- register --------------------------------------------------------------------------


def test_an_object_a_class_and_a_module_can_be_registered(dispatcher, f):
    made = []

    class Adapter:
        name = "from_class"

        def __init__(self):
            made.append(self)

        def f(self, x):
            return "class", x

    module = types.ModuleType("some_module")
    module.name, module.f = "from_module", lambda x: ("module", x)
    dispatcher.register(fake("from_object", "object"))
    dispatcher.register(Adapter)
    dispatcher.register(module)
    assert f(1, backend="from_object") == ("object", 1)
    assert f(1, backend="from_class") == ("class", 1)
    assert f(1, backend="from_class") == ("class", 1)
    assert f(1, backend="from_module") == ("module", 1)
    assert len(made) == 1
    assert dispatcher.get_backend("from_module") is module


def test_a_registered_adapter_counts_as_trusted(dispatcher, f):
    dispatcher.settings.trust = "require"
    with dispatcher.register(fake(aliases=["fast"])):
        assert f(1, backend="fast") == ("fake", 1)  # and no warning
        (record,) = dispatcher.backends()
        assert record.trusted
        assert record.state == "loaded"
        assert record.distribution is None
        assert record.aliases == ("fast",)
        assert record.functions == ("f",)
    assert dispatcher.backends() == ()


def test_the_handle_tells_its_name_and_takes_the_adapter_away(dispatcher, f):
    handle = dispatcher.register(fake())
    assert isinstance(handle, backstack.Registration)
    assert handle.name == "fake"
    assert "fake" in repr(handle)
    handle.remove()
    with pytest.raises(backstack.UnknownBackendError):
        f(1, backend="fake")


def test_taking_away_twice_is_as_good_as_once(dispatcher, f):
    handle = dispatcher.register(fake())
    with handle as entered:
        assert entered is handle
        assert f(1, backend="fake") == ("fake", 1)
        handle.remove()
    handle.remove()
    other = dispatcher.register(fake(tag="other"))
    handle.remove()  # not the other one's
    assert f(1, backend="fake") == ("other", 1)
    other.remove()


def test_an_exception_in_the_block_takes_it_away_too(dispatcher):
    with pytest.raises(KeyError):
        with dispatcher.register(fake()):
            raise KeyError
    assert dispatcher.available_backend_names() == []


def test_one_adapter_registered_twice(dispatcher, f):
    adapter = fake()
    first = dispatcher.register(adapter)
    second = dispatcher.register(adapter)
    first.remove()
    assert f(1, backend="fake") == ("fake", 1)
    second.remove()
    assert dispatcher.get_backend("fake") is None


def test_the_latest_of_one_name_counts_and_restores_the_one_before(dispatcher, f):
    with dispatcher.register(fake(tag="outer")):
        with dispatcher.register(fake(tag="inner")):
            assert f(1, backend="fake") == ("inner", 1)
        assert f(1, backend="fake") == ("outer", 1)


def test_the_outer_one_may_go_first(dispatcher, f):
    outer = dispatcher.register(fake(tag="outer"))
    inner = dispatcher.register(fake(tag="inner"))
    outer.remove()
    assert f(1, backend="fake") == ("inner", 1)
    inner.remove()
    assert dispatcher.available_backend_names() == []


@pytest.mark.parametrize(
    ("adapter", "reason"),
    [
        (SimpleNamespace(), "name"),
        (SimpleNamespace(name=5), "5"),
        (SimpleNamespace(name="cpu"), "cpu"),
        (SimpleNamespace(name="gpu"), "reserved by host"),
        (SimpleNamespace(name=""), "name"),
        (None, "name"),
        ("accel", "name"),
        (SimpleNamespace(name="x", __all__="f"), "__all__"),
    ],
)
def test_what_cannot_be_a_backend_is_refused_and_leaves_nothing(dispatcher, adapter, reason):
    with pytest.raises(backstack.BackendLoadError, match=reason):
        dispatcher.register(adapter)
    assert dispatcher.backends() == ()
    assert dispatcher.available_backend_names() == []


@pytest.mark.parametrize("adapter", [{"name": "x", "f": len}, MappingProxyType({"name": "x"}), {}])
def test_a_mapping_is_told_that_it_has_no_attributes(dispatcher, adapter):
    with pytest.raises(backstack.BackendLoadError, match="no 'name': it is a mapping") as caught:
        dispatcher.register(adapter)
    assert "types.SimpleNamespace(**mapping) has attributes" in caught.value.reason
    assert dispatcher.backends() == ()


def test_what_the_message_about_mappings_says_works(dispatcher, f):
    mapping = {"name": "x", "f": lambda x: ("x", x)}
    dispatcher.register(SimpleNamespace(**mapping))
    assert f(1, backend="x") == ("x", 1)


def test_an_adapter_given_by_its_name_is_told_what_to_give(make_dispatcher):
    with pytest.raises(backstack.BackendLoadError, match="no 'name': it is a string; give the mod"):
        make_dispatcher().register("my_backend.adapter")


def test_a_mapping_with_attributes_is_an_adapter(dispatcher):
    class Both(dict):
        name = "x"

    assert dispatcher.register(Both()).name == "x"


class Renamed:
    Name = "x"


class Slotted:
    __slots__ = ("title",)
    names = "x"


def module(**names):
    made = ModuleType("made")
    vars(made).update(names)
    return made


@pytest.mark.parametrize(
    ("adapter", "meant"),
    [
        (SimpleNamespace(nam="x", f=len), "nam"),
        (SimpleNamespace(nmae="x"), "nmae"),
        (Renamed, "Name"),
        (Slotted, "names"),
        (module(NAME="x"), "NAME"),
    ],
)
def test_what_was_probably_meant_to_be_the_name_is_told(dispatcher, adapter, meant):
    with pytest.raises(backstack.BackendLoadError) as caught:
        dispatcher.register(adapter)
    assert caught.value.reason == (
        f"the adapter has no 'name'; perhaps its {meant!r} was meant to be that"
    )


class Naming:
    @property
    def nam(self):
        raise RuntimeError("it was read")


class Pretending:
    """Says odd things of itself whenever it is asked."""

    @property
    def __dict__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "adapter",
    [
        SimpleNamespace(title="x", frame="y"),
        SimpleNamespace(nam=5, Name=len),
        SimpleNamespace(_name="x"),
        Naming,
        Pretending,
        module(),
    ],
)
def test_what_is_no_name_is_not_taken_for_one(dispatcher, adapter):
    with pytest.raises(backstack.BackendLoadError) as caught:
        dispatcher.register(adapter)
    assert caught.value.reason == "the adapter has no 'name'"


def test_an_installed_adapter_with_a_misspelt_name_is_told_so(site, dispatcher):
    site.adapter("it", "Name = 'it'\n")
    with pytest.warns(backstack.UnlistedBackendWarning):
        with pytest.raises(backstack.BackendLoadError, match="perhaps its 'Name' was meant"):
            dispatcher.backend("it").__enter__()


def test_a_class_whose_constructor_raises_is_refused(dispatcher):
    class Adapter:
        name = "x"

        def __init__(self):
            raise RuntimeError("no")

    with pytest.raises(backstack.BackendLoadError, match="RuntimeError: no") as caught:
        dispatcher.register(Adapter)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert dispatcher.backends() == ()


def test_as_an_error_the_warning_of_a_bad_alias_registers_nothing(dispatcher):
    with pytest.raises(backstack.AdapterWarning, match="alias"):
        dispatcher.register(fake(aliases="fast"))
    assert dispatcher.available_backend_names() == []


def test_registering_merges_at_once_and_restores(dispatcher, f):
    before = str(inspect.signature(f)), f.__doc__
    adapter = SimpleNamespace(name="fake", f=lambda x, *, speed=2: (speed, x))
    with dispatcher.register(adapter):
        assert "speed=2" in str(inspect.signature(f))
        assert "speed" in f.__doc__
        assert f(1, backend="fake", speed=3) == (3, 1)
    assert (str(inspect.signature(f)), f.__doc__) == before


# -- hiding ----------------------------------------------------------------------------


@pytest.fixture
def installed(site):
    """An installed and trusted "accel", and an unlisted "other"."""
    site.adapter(
        "accel", MARK + "name = 'accel'\naliases = ['quick']\ndef f(x, *, n=1): return 'accel', x\n"
    )
    site.adapter("other", MARK + "name = 'other'\ndef f(x): return 'other', x\n")
    return site


@pytest.mark.parametrize(
    "adapter",
    [
        fake("accel"),
        fake("cuda"),
        fake("quick"),
        fake("fake", aliases=["accel"]),
        fake("fake", aliases=["cuda"]),
        fake("fake", aliases=["quick"]),
    ],
)
def test_a_shared_label_hides_the_installed_one(installed, dispatcher, f, adapter):
    label = [adapter.name, *getattr(adapter, "aliases", [])][-1]
    names = dispatcher.available_backend_names()
    with dispatcher.register(adapter):
        assert f(1, backend=label) == ("fake", 1)
        assert {record.distribution for record in dispatcher.backends()} == {None, "other-dist"}
        dispatcher.discover()
        assert "accel_adapter" not in ran(installed)
        assert f(1, backend="other") == ("other", 1)
    assert dispatcher.available_backend_names() == names
    assert f(1, backend="quick") == ("accel", 1)


def test_exclusive_hides_every_installed_one(installed, dispatcher, f):
    with dispatcher.register(fake(), exclusive=True):
        assert dispatcher.available_backend_names() == ["fake"]
        assert dispatcher.settings.available_backends() == ["fake"]
        assert [record.name for record in dispatcher.backends()] == ["fake"]
        assert f(1, backend="fake") == ("fake", 1)
        assert f(1, backend="cpu") == ("host", 1)
        dispatcher.discover()
        with pytest.raises(backstack.UnknownBackendError, match="Available: cpu, fake"):
            f(1, backend="other")
        with dispatcher.register(fake("second", "second")):
            assert f(1, backend="second") == ("second", 1)
            assert f(1, backend="fake") == ("fake", 1)
    assert not ran(installed)
    assert f(1, backend="other") == ("other", 1)


def test_exclusive_hides_one_that_computes_its_labels(site, dispatcher, f):
    site.adapter("computed", MARK + "name = 'compu' + 'ted'\n")
    with dispatcher.register(fake(), exclusive=True):
        with pytest.raises(backstack.UnknownBackendError):
            f(1, backend="whoever")
    assert not ran(site)


def test_merged_signatures_of_a_hidden_one_come_back(installed, dispatcher, f):
    f(1, backend="accel")
    assert "n=1" in str(inspect.signature(f))
    with dispatcher.register(SimpleNamespace(name="accel", f=lambda x, *, m=2: (m, x))):
        assert "m=2" in str(inspect.signature(f))
        assert "n=1" not in str(inspect.signature(f))
    assert "n=1" in str(inspect.signature(f))
    assert "m=2" not in str(inspect.signature(f))


@pytest.mark.filterwarnings("error::backstack.UnlistedBackendWarning")
def test_the_warnings_given_of_a_hidden_one_come_back(installed, dispatcher, f):
    with pytest.warns(backstack.UnlistedBackendWarning):
        f(1, backend="other")
    with dispatcher.register(fake("other")):
        assert f(1, backend="other") == ("fake", 1)
    assert f(1, backend="other") == ("other", 1)  # warned of already


def test_fall_backs_of_a_registered_one_are_told_for_each_registration(dispatcher, f):
    for _ in range(2):
        with dispatcher.register(SimpleNamespace(name="fake")):
            with pytest.warns(backstack.FallbackWarning) as caught:
                assert f(1, backend="fake") == ("host", 1)
            assert caught[0].filename == __file__
            assert f(1, backend="fake") == ("host", 1)


# -- live scopes -----------------------------------------------------------------------


def test_a_live_scope_keeps_the_adapter_that_it_entered_with(dispatcher, f):
    with dispatcher.register(fake()):
        scope = dispatcher.backend("fake")
        scope.__enter__()
    try:
        assert f(1) == ("fake", 1)
        assert dispatcher.settings.backend == "fake"
        with pytest.raises(backstack.UnknownBackendError):
            f(1, backend="fake")
    finally:
        scope.__exit__(None, None, None)
    assert f(1) == ("host", 1)
    with pytest.raises(backstack.UnknownBackendError):
        scope.__enter__()


def test_a_live_scope_keeps_the_installed_one_under_a_registered_one(installed, dispatcher, f):
    with dispatcher.backend("accel"):
        with dispatcher.register(fake("accel")):
            assert f(1) == ("accel", 1)
            assert f(1, backend="accel") == ("fake", 1)
            with dispatcher.backend("accel"):
                assert f(1) == ("fake", 1)
            assert f(1) == ("accel", 1)


def test_a_live_scope_keeps_its_adapter_over_a_refresh(installed, dispatcher, f):
    info = next(installed.folder.glob("other_dist-*.dist-info"))
    with dispatcher.backend("other"):
        (info / "entry_points.txt").unlink()
        dispatcher.refresh()
        assert f(1) == ("other", 1)
    with pytest.raises(backstack.UnknownBackendError):
        f(1, backend="other")


def test_the_setting_follows_what_is_registered(dispatcher, f):
    handle = dispatcher.register(fake())
    dispatcher.settings.backend = "fake"
    assert f(1) == ("fake", 1)
    with dispatcher.register(fake(tag="newer")):
        assert f(1) == ("newer", 1)
    assert f(1) == ("fake", 1)
    handle.remove()
    assert dispatcher.settings.backend == "fake"  # reading never raises
    with pytest.raises(backstack.UnknownBackendError, match=r"settings\.backend"):
        f(1)
    assert f(1, backend="cpu") == ("host", 1)


# -- refresh ---------------------------------------------------------------------------


def test_refresh_finds_what_was_installed_meanwhile(site, dispatcher, f):
    assert dispatcher.available_backend_names() == []
    site.adapter("later", "name = 'later'\ndef f(x): return 'later', x\n")
    with pytest.raises(backstack.UnknownBackendError):
        f(1, backend="later")
    dispatcher.refresh()
    assert f(1, backend="later") == ("later", 1)


def test_refresh_finds_a_trusted_one_that_was_not_installed(site, dispatcher, f):
    with pytest.raises(backstack.BackendNotInstalledError):
        f(1, backend="cuda")
    site.adapter("accel", "name = 'accel'\ndef f(x): return 'accel', x\n")
    dispatcher.refresh()
    assert f(1, backend="cuda") == ("accel", 1)


@pytest.mark.parametrize("loaded", [False, True])
def test_refresh_forgets_what_was_removed(installed, dispatcher, f, loaded):
    if loaded:
        assert f(1, backend="accel") == ("accel", 1)
    assert "quick" in dispatcher.available_backend_names()
    for path in installed.folder.glob("accel_dist-*.dist-info/*"):
        path.unlink()
    dispatcher.refresh()
    assert dispatcher.available_backend_names() == ["other"]
    with pytest.raises(backstack.BackendNotInstalledError):
        f(1, backend="accel")
    with pytest.raises(backstack.UnknownBackendError):
        f(1, backend="quick")
    assert dispatcher.get_backend("accel") is None
    assert "n=1" not in str(inspect.signature(f))


def upgrade(site, source):
    old = next(site.folder.glob("accel_dist-*.dist-info"))
    for path in old.iterdir():
        path.unlink()
    old.rmdir()
    files = {"accel_adapter.py": source}
    site.install("accel-dist", {"accel": "accel_adapter"}, files, version="2.0")


def test_refresh_sees_an_upgrade_of_one_that_was_not_loaded(installed, dispatcher, f):
    assert dispatcher.backends()[0].version == "1.0"
    upgrade(installed, "name = 'accel'\naliases = ['newer']\ndef f(x): return 'two', x\n")
    dispatcher.refresh()
    assert dispatcher.backends()[0].version == "2.0"
    assert dispatcher.available_backend_names() == ["accel", "cuda", "newer", "other"]
    assert f(1, backend="newer") == ("two", 1)


def test_refresh_sees_the_version_of_one_that_was_loaded(installed, dispatcher, f):
    assert f(1, backend="accel") == ("accel", 1)
    upgrade(installed, "name = 'accel'\naliases = ['quick']\ndef f(x): return 'two', x\n")
    dispatcher.refresh()
    assert dispatcher.backends()[0].version == "2.0"
    assert f(1, backend="accel")[1] == 1  # the running process has one of both, and works


def test_refresh_keeps_a_loaded_adapter(installed, dispatcher, f):
    before = dispatcher.get_backend("accel")
    dispatcher.refresh()
    assert dispatcher.get_backend("accel") is before
    assert dispatcher.backends()[0].state == "loaded"


def test_refresh_keeps_what_is_registered_and_forgets_failures(site, dispatcher, f):
    site.adapter("bad", "name = 'bad'\nraise RuntimeError('no')\n")
    dispatcher.register(fake())
    with pytest.raises(backstack.BackendLoadError):
        f(1, backend="bad")
    dispatcher.refresh()
    assert {record.name: record.state for record in dispatcher.backends()} == {
        "bad": "found",
        "fake": "loaded",
    }
    assert f(1, backend="fake") == ("fake", 1)


def test_refresh_before_anything_else(installed, dispatcher, f):
    dispatcher.refresh()
    assert f(1, backend="accel") == ("accel", 1)


def test_refresh_settles_the_setting_anew(site, dispatcher, f):
    site.adapter("one", "name = 'one'\ndef f(x): return 'one', x\n")
    dispatcher.settings.backend = "one"
    assert f(1) == ("one", 1)
    for path in site.folder.glob("one_dist-*.dist-info/*"):
        path.unlink()
    dispatcher.refresh()
    with pytest.raises(backstack.UnknownBackendError):
        f(1)


@pytest.mark.filterwarnings("error::backstack.UnlistedBackendWarning")
@pytest.mark.parametrize("again", ["refresh", "reset_warnings"])
def test_warnings_start_afresh(installed, dispatcher, f, again):
    g = dispatcher.backend_dispatch(lambda x: ("host", x), name="g")
    for _ in range(2):
        with pytest.warns(backstack.UnlistedBackendWarning) as caught:
            result, line = f(1, backend="other"), sys._getframe().f_lineno
        assert result == ("other", 1)
        assert [(item.filename, item.lineno) for item in caught] == [(__file__, line)]
        with pytest.warns(backstack.FallbackWarning) as caught:
            result, line = g(1, backend="other"), sys._getframe().f_lineno
        assert result == ("host", 1)
        assert [(item.filename, item.lineno) for item in caught] == [(__file__, line)]
        assert f(1, backend="other") == ("other", 1)
        assert g(1, backend="other") == ("host", 1)
        getattr(dispatcher, again)()


# -- asking ----------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["dispatcher", "settings"])
def test_get_backend(installed, dispatcher, where):
    get = (dispatcher if where == "dispatcher" else dispatcher.settings).get_backend
    assert get("cpu") is None
    assert get("nobody") is None
    assert get("gpu") is None
    assert not ran(installed)
    assert get("accel") is sys.modules["accel_adapter"]
    assert get("cuda") is get("quick") is get("accel")
    assert ran(installed) == ["accel_adapter"]


def test_get_backend_of_a_trusted_one_that_is_not_installed(dispatcher):
    assert dispatcher.get_backend("accel") is None
    assert dispatcher.get_backend("cuda") is None


def test_get_backend_raises_as_selecting_would(site, dispatcher):
    site.adapter("bad", "name = 'bad'\nraise RuntimeError('no')\n")
    site.adapter("card", "name = 'card'\ndef is_available(): return 'no card'\n")
    site.install("evil-dist", {"accel": "evil_adapter"}, {"evil_adapter.py": "name = 'accel'"})
    with pytest.raises(backstack.BackendLoadError, match="RuntimeError: no"):
        dispatcher.get_backend("bad")
    with pytest.raises(backstack.BackendUnavailableError, match="no card"):
        dispatcher.get_backend("card")
    with pytest.raises(backstack.UntrustedBackendError):
        dispatcher.get_backend("accel")


@pytest.mark.parametrize("value", [5, "", b"jax", ["jax"], None, ("jax",), 1.5, object])
@pytest.mark.parametrize("ask", ["get_backend", "resolve_name", "call"])
def test_what_is_no_name_is_a_clear_error(dispatcher, f, value, ask):
    if value is None and ask == "call":
        assert f(1, backend=None) == ("host", 1)
        return
    asking = (lambda name: f(1, backend=name)) if ask == "call" else getattr(dispatcher, ask)
    with pytest.raises(backstack.BackendNameError) as caught:
        asking(value)
    assert isinstance(caught.value, ValueError)
    assert repr(value) in str(caught.value)
    assert "host" in str(caught.value)


def test_resolve_name(installed, dispatcher):
    assert dispatcher.resolve_name("accel") == "accel"
    assert dispatcher.resolve_name("cuda") == "accel"
    assert dispatcher.resolve_name("quick") == "accel"
    assert dispatcher.resolve_name("cpu") == "cpu"
    assert dispatcher.resolve_name("gpu") is None
    assert dispatcher.resolve_name("nobody") is None
    assert dispatcher.resolve_name("Accel") is None
    assert not ran(installed)


def test_what_is_available(site, installed, dispatcher, f):
    site.adapter("bad", "name = 'bad'\naliases = ['worse']\nraise RuntimeError('no')\n")
    site.adapter("card", "name = 'card'\ndef is_available(): return 'no card'\n")
    site.install("evil-dist", {"cuda": "evil_adapter"}, {"evil_adapter.py": "name = 'evil'"})
    every = ["accel", "bad", "card", "cuda", "other", "quick", "worse"]
    assert dispatcher.available_backend_names() == every
    assert dispatcher.settings.available_backends() == ["accel", "bad", "card", "other"]
    assert not ran(installed)
    for label, error in (
        ("bad", backstack.BackendLoadError),
        ("card", backstack.BackendUnavailableError),
    ):
        with pytest.raises(error):
            f(1, backend=label)
    assert dispatcher.available_backend_names() == ["accel", "cuda", "other", "quick"]
    assert dispatcher.settings.available_backends() == ["accel", "other"]
    dispatcher.settings.trust = "require"
    assert dispatcher.available_backend_names() == ["accel", "cuda", "quick"]


def test_what_is_given_out_can_be_changed_harmlessly(installed, dispatcher):
    dispatcher.available_backend_names().clear()
    dispatcher.settings.available_backends().clear()
    assert dispatcher.available_backend_names() == ["accel", "cuda", "other", "quick"]


def test_use_backend_is_a_scope(dispatcher, f):
    dispatcher.register(fake())
    with dispatcher.settings.use_backend("fake"):
        assert f(1) == ("fake", 1)
    assert f(1) == ("host", 1)


def test_settings_have_a_public_type(dispatcher):
    assert isinstance(dispatcher.settings, backstack.Settings)


def test_functions_are_those_that_are_alive(dispatcher, f):
    assert dict(dispatcher.functions) == {"f": f}
    g = dispatcher.backend_dispatch(lambda x: x, name="g")
    assert dispatcher.functions["g"] is g
    assert set(dispatcher.functions) == {"f", "g"}
    del g
    gc.collect()
    assert set(dispatcher.functions) == {"f"}
    with pytest.raises(TypeError):
        dispatcher.functions["h"] = f


def test_an_adapter_that_has_no_truth_value_works_as_any_other(make_dispatcher):
    class Odd:
        name = "odd"

        def __bool__(self):
            raise RuntimeError("neither true nor false")

        def f(self, x, *, option=1):
            return "odd", x

    dispatcher = make_dispatcher()
    f = dispatcher.backend_dispatch(name="f")(lambda x: ("host", x))
    dispatcher.register(Odd)
    assert f(1, backend="odd") == ("odd", 1)
    assert "option" in inspect.signature(f).parameters


def test_who_asks_for_a_hidden_backend_is_told_so(site, make_dispatcher):
    site.adapter("real", "name = 'real'\n")
    dispatcher = make_dispatcher()
    with dispatcher.register(type("Other", (), {"name": "other"}), exclusive=True):
        with pytest.raises(backstack.UnknownBackendError) as caught:
            dispatcher.backend("real").__enter__()
    assert "hides it" in caught.value.__notes__[0]
