"""Who is trusted is decided from metadata and source, before any code of a backend runs."""

import itertools
import os
import pickle
import sys
import threading
import warnings

import pytest

import backstack

MARK = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"
ADAPTER = MARK + "def f(x): return __name__, x\nname = 'accel'\naliases = ['quick']\n"
ENTRY = {
    "aliases": ["cuda"],
    "package": "accel-dist",
    "entrypoints": ["accel"],
    "object_refs": ["accel_pkg.adapter"],
    "module_prefixes": ["accel_pkg"],
}


def ran(site):
    """The modules of the site that ran, by their marker files."""
    return sorted(path.stem for path in site.folder.rglob("*.ran"))


def install_real(site, distribution="accel-dist", entry="accel", module="accel_pkg.adapter"):
    parts = module.split(".")
    parents = ["/".join(parts[:end]) for end in range(1, len(parts))]
    files = {f"{parent}/__init__.py": MARK for parent in parents}
    files["/".join(parts) + ".py"] = ADAPTER
    site.install(distribution, {entry: module}, files)


def record(dispatcher, distribution):
    return next(item for item in dispatcher.backends() if item.distribution == distribution)


@pytest.fixture
def make_host(make_dispatcher):
    """Makes a dispatcher that trusts "accel", with a function `f`, which is returned too."""

    def make(entry=None, **config):
        entry = ENTRY if entry is None else entry
        config = {"trusted_backends": {"accel": entry}, **config}
        dispatcher = make_dispatcher(**config)

        @dispatcher.backend_dispatch
        def f(x):
            return "host", x

        return dispatcher, f

    return make


# -- every field -----------------------------------------------------------------------


@pytest.mark.parametrize("label", ["accel", "cuda", "quick"])
def test_who_matches_every_field_is_trusted(site, make_host, label):
    install_real(site)
    dispatcher, f = make_host()
    assert record(dispatcher, "accel-dist").trusted
    assert not ran(site)
    assert f(1, backend=label) == ("accel_pkg.adapter", 1)  # and no warning
    assert dispatcher.resolve_name(label) == "accel"
    assert dispatcher.available_backend_names() == ["accel", "cuda", "quick"]


@pytest.mark.parametrize(
    ("installed", "expected", "found"),
    [
        ({"distribution": "evil-dist"}, "accel-dist", "evil-dist"),
        ({"distribution": "accel-dist2"}, "accel-dist", "accel-dist2"),
        ({"entry": "other"}, "entry point 'accel'", "'other'"),
        ({"entry": "Accel"}, "entry point 'accel'", "'Accel'"),
        ({"module": "accel_pkg.other"}, "'accel_pkg.adapter'", "'accel_pkg.other'"),
        ({"module": "evil_pkg.adapter"}, "'accel_pkg'", "'evil_pkg.adapter'"),
        ({"module": "accel_pkg2.adapter"}, "'accel_pkg'", "'accel_pkg2.adapter'"),
    ],
)
@pytest.mark.parametrize("label", ["accel", "cuda"])
def test_one_field_that_does_not_match_refuses(site, make_host, installed, expected, found, label):
    install_real(site, **installed)
    _dispatcher, f = make_host()
    with pytest.raises(backstack.UntrustedBackendError, match="Refusing trusted") as caught:
        f(1, backend=label)
    error = caught.value
    assert isinstance(error, ImportError)
    assert expected in error.expected
    assert found in error.found
    assert error.expected in str(error)
    assert error.found in str(error)
    assert "pip install accel-dist" in str(error)
    assert (error.label, error.name, error.host, error.chosen_by) == (
        label,
        "accel",
        "host",
        "call",
    )
    assert pickle.loads(pickle.dumps(error)).found == error.found
    assert not ran(site)
    assert f(1) == ("host", 1)


@pytest.mark.parametrize("name", ["Accel.Dist", "accel_dist", "ACCEL--DIST", "accel._-dist"])
def test_distributions_are_compared_as_packaging_does(site, make_host, name):
    install_real(site, distribution=name)
    _, f = make_host({"package": "accel-dist"})
    assert f(1, backend="accel")[1] == 1
    _, f = make_host({"package": name.upper()})
    assert f(1, backend="accel")[1] == 1


def test_an_object_reference_names_an_attribute(site, make_host):
    source = "class One:\n    name = 'accel'\n    def f(self, x): return 'one', x\n"
    site.install("accel-dist", {"accel": "accel_pkg:One"}, {"accel_pkg.py": source})
    _, f = make_host({"object_refs": ["accel_pkg:One"]})
    assert f(1, backend="accel") == ("one", 1)
    _, f = make_host({"object_refs": ["accel_pkg : One"]})
    assert f(1, backend="accel") == ("one", 1)
    for reference in ("accel_pkg", "accel_pkg:Two", "accel_pkg.One"):
        _, f = make_host({"object_refs": [reference]})
        with pytest.raises(backstack.UntrustedBackendError, match="object reference"):
            f(1, backend="accel")


def test_a_distribution_without_a_name_is_not_the_one(site, make_host):
    metadata = "Metadata-Version: 2.1\n"
    site.install("x", {"accel": "accel_pkg"}, {"accel_pkg.py": ADAPTER}, raw_metadata=metadata)
    _, f = make_host({"package": "accel-dist"})
    with pytest.raises(backstack.UntrustedBackendError, match="None"):
        f(1, backend="accel")
    assert not ran(site)


def test_an_entry_without_fields_takes_any_provider(site, make_host):
    site.install("any-dist", {"accel": "any_adapter"}, {"any_adapter.py": ADAPTER})
    dispatcher, f = make_host({})
    assert f(1, backend="accel") == ("any_adapter", 1)
    assert record(dispatcher, "any-dist").trusted


def test_an_entry_without_fields_never_vouches_for_a_name_that_is_computed(site, make_host):
    source = "name = 'ac' + 'cel'\ndef f(x): return __name__, x\n"
    site.install("any-dist", {"ep": "any_adapter"}, {"any_adapter.py": source})
    _, f = make_host({})
    with pytest.raises(backstack.BackendNotInstalledError):
        f(1, backend="accel")
    assert not ran(site)


# -- impostors -------------------------------------------------------------------------

IMPOSTORS = {
    "name": ({"ep": "evil_adapter"}, "name = 'accel'\n"),
    "alias of the host's": ({"ep": "evil_adapter"}, "name = 'evil'\naliases = ['cuda']\n"),
    "name as alias": ({"ep": "evil_adapter"}, "name = 'evil'\naliases = ('accel',)\n"),
    "entry point": ({"accel": "evil_adapter"}, "name = 'evil'\n"),
    "entry point alias": ({"cuda": "evil_adapter"}, "name = 'evil'\n"),
    "entry point, computed": ({"accel": "evil_adapter"}, "name = 'ac' + 'cel'\n"),
    "entry point, unreadable": ({"accel": "evil_adapter"}, "def broken(:\n"),
    "class": ({"ep": "evil_adapter:A"}, "class A:\n    name = 'accel'\n"),
    "missing": ({"accel": "no_such_module"}, ""),
}


def exercise(dispatcher, f):
    """Everything but a call for the trusted one; errors do not matter here."""
    dispatcher.backends()
    dispatcher.available_backend_names()
    dispatcher.settings.available_backends()
    dispatcher.resolve_name("cuda")
    dispatcher.discover()
    dispatcher.refresh()
    for label in ("accel", "cuda", "evil", "ep", "nobody"):
        for ask in (
            lambda label=label: f(1, backend=label),
            lambda label=label: dispatcher.get_backend(label),
            lambda label=label: dispatcher.backend(label).__enter__(),
            lambda label=label: setattr(dispatcher.settings, "backend", label),
            lambda label=label: setattr(dispatcher.settings, "backend", ["nobody", label]),
        ):
            try:
                ask()
            except backstack.BackendError:
                continue
            finally:
                dispatcher.settings.process_backend = None


@pytest.mark.parametrize("kind", IMPOSTORS)
def test_an_impostor_is_never_imported(site, make_host, kind):
    entries, source = IMPOSTORS[kind]
    site.install("evil-dist", entries, {"evil_adapter.py": MARK + source})
    dispatcher, f = make_host()
    exercise(dispatcher, f)
    assert not ran(site)
    assert record(dispatcher, "evil-dist").state == "refused"
    assert not record(dispatcher, "evil-dist").trusted
    assert "accel-dist" in record(dispatcher, "evil-dist").reason
    assert dispatcher.available_backend_names() == []


@pytest.mark.filterwarnings("ignore::backstack.BackendConflictWarning")
@pytest.mark.parametrize("kind", IMPOSTORS)
def test_the_real_one_still_loads_beside_an_impostor(site, make_host, kind):
    entries, source = IMPOSTORS[kind]
    site.install("aaa-evil-dist", entries, {"evil_adapter.py": MARK + source})
    install_real(site)
    _, f = make_host()
    for label in ("accel", "cuda", "quick"):
        assert f(1, backend=label) == ("accel_pkg.adapter", 1)
    assert ran(site) == ["__init__", "adapter"]


def test_a_refused_claim_on_a_name_in_use_is_told_once(site, make_host):
    site.install("evil-dist", {"accel": "evil_adapter"}, {"evil_adapter.py": MARK + "name='accel'"})
    install_real(site)
    _, f = make_host()
    with pytest.warns(backstack.BackendConflictWarning) as caught:
        result, line = f(1, backend="accel"), sys._getframe().f_lineno
    assert result == ("accel_pkg.adapter", 1)
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, line)
    for word in ("'accel'", "accel-dist", "evil-dist", "trusts"):
        assert word in str(warning.message)
    assert f(1, backend="accel") == ("accel_pkg.adapter", 1)


@pytest.mark.parametrize("setting", ["trusted = True", "is_trusted = True", "__trusted__ = 1"])
def test_nothing_that_an_adapter_sets_makes_it_trusted(site, make_host, setting):
    site.adapter("mine", MARK + f"name = 'mine'\n{setting}\ndef f(x): return 'mine', x\n")
    dispatcher, f = make_host()
    assert not dispatcher.backends()[0].trusted
    with pytest.warns(backstack.UnlistedBackendWarning, match="'mine'"):
        assert f(1, backend="mine") == ("mine", 1)
    assert not dispatcher.backends()[0].trusted


def test_one_trusted_backend_cannot_take_anothers_alias(site, make_dispatcher):
    site.adapter("one", "name = 'one'\naliases = ['second']\n")
    site.adapter("two", "name = 'two'\n")
    dispatcher = make_dispatcher(
        trusted_backends={
            "one": {"package": "one-dist"},
            "two": {"package": "two-dist", "aliases": ["second"]},
        }
    )
    assert dispatcher.resolve_name("second") == "two"
    assert dispatcher.get_backend("second").name == "two"


def test_a_refusal_is_no_load_error(site, make_host):
    install_real(site)
    site.write({"accel_pkg/adapter.py": MARK + "name = 'accel'\nraise RuntimeError('no driver')\n"})
    _, f = make_host()
    with pytest.raises(backstack.BackendLoadError, match="no driver"):
        f(1, backend="accel")
    _, f = make_host({"package": "elsewhere"})
    with pytest.raises(backstack.UntrustedBackendError) as caught:
        f(1, backend="accel")
    assert not isinstance(caught.value, backstack.BackendLoadError)


def test_a_refused_preference_is_not_passed_over(site, make_host):
    site.install("evil-dist", {"accel": "evil_adapter"}, {"evil_adapter.py": MARK + "name='accel'"})
    site.adapter("good", "name = 'good'\ndef f(x): return 'good', x\n")
    dispatcher, _ = make_host()
    for order in (("accel", "good"), ("good", "accel")):
        with pytest.raises(backstack.UntrustedBackendError):
            with dispatcher.backend(*order):
                raise AssertionError("entered")
    assert not ran(site)


def test_the_alias_of_one_that_is_not_installed_is_told_so(make_host):
    _, f = make_host()
    with pytest.raises(backstack.BackendNotInstalledError, match=r"'cuda' \('accel'\)") as caught:
        f(1, backend="cuda")
    assert "pip install accel-dist" in str(caught.value)


# -- after the import ------------------------------------------------------------------


def test_another_name_at_run_time_is_refused(site, make_host):
    source = "name = 'accel'\nglobals()['name'] = 'other'\ndef f(x): return x\n"
    site.install("accel-dist", {"accel": "accel_pkg"}, {"accel_pkg.py": source})
    dispatcher, f = make_host({"package": "accel-dist"})
    for _ in range(2):
        with pytest.raises(backstack.UntrustedBackendError, match=r"'accel'.*'other'"):
            f(1, backend="accel")
    assert dispatcher.backends()[0].state == "refused"
    assert dispatcher.available_backend_names() == []


@pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")
@pytest.mark.parametrize(
    "source",
    [
        "name = 'mine'\nglobals()['name'] = 'accel'\n",
        "name = 'ac' + 'cel'\n",
        "name = 'mine'\naliases = ['cu' + 'da']\n",
    ],
)
def test_a_trusted_label_at_run_time_only_is_refused(site, make_host, source):
    site.install("evil-dist", {"mine": "evil_adapter"}, {"evil_adapter.py": source})
    dispatcher, f = make_host()
    with pytest.raises(backstack.UntrustedBackendError):
        f(1, backend="mine")
    assert dispatcher.backends()[0].state == "refused"
    with pytest.raises((backstack.UntrustedBackendError, backstack.BackendNotInstalledError)):
        f(1, backend="accel")
    assert f(1) == ("host", 1)


def test_an_unlisted_one_that_computes_its_name_never_runs_for_a_trusted_label(site, make_host):
    source = MARK + "name = 'ac' + 'cel'\n"
    site.install("evil-dist", {"mine": "evil_adapter"}, {"evil_adapter.py": source})
    _, f = make_host()
    for label in ("accel", "cuda"):
        with pytest.raises(backstack.BackendNotInstalledError):
            f(1, backend=label)
    assert not ran(site)


def test_an_adapter_from_another_module_is_refused(site, make_host):
    files = {
        "accel_pkg.py": "from evil_pkg import adapter\nname = 'accel'\n",
        "evil_pkg.py": "class A:\n  name = 'accel'\n  def f(self, x): return x\nadapter = A()\n",
    }
    site.install("accel-dist", {"accel": "accel_pkg:adapter"}, files)
    _, f = make_host({"module_prefixes": ["accel_pkg"]})
    with pytest.raises(backstack.UntrustedBackendError, match="'evil_pkg'"):
        f(1, backend="accel")
    _, f = make_host({"module_prefixes": ["accel_pkg", "evil_pkg"]})
    assert f(1, backend="accel") == 1


def test_a_module_under_another_name_is_refused(site, make_host):
    files = {
        "accel_pkg.py": "import evil_pkg as adapter\n",
        "evil_pkg.py": "name = 'accel'\ndef f(x): return x\n",
    }
    site.install("accel-dist", {"accel": "accel_pkg:adapter"}, files)
    _, f = make_host({"module_prefixes": ["accel_pkg"]})
    with pytest.raises(backstack.UntrustedBackendError, match="'evil_pkg'"):
        f(1, backend="accel")


def test_a_trusted_one_that_computes_its_name_is_found(site, make_host):
    source = "name = 'ac' + 'cel'\ndef f(x): return __name__, x\n"
    site.install("accel-dist", {"ep": "accel_pkg"}, {"accel_pkg.py": source})
    for trust in ("warn", "require"):
        dispatcher, f = make_host({"package": "accel-dist", "aliases": ["cuda"]}, trust=trust)
        assert f(1, backend="cuda") == ("accel_pkg", 1)
        assert record(dispatcher, "accel-dist").trusted


# -- unlisted backends -----------------------------------------------------------------


def install_unlisted(site):
    site.adapter("mine", MARK + "name = 'mine'\naliases = ['my']\ndef f(x): return 'mine', x\n")


def test_an_unlisted_backend_works_and_warns_once(site, make_host):
    install_unlisted(site)
    dispatcher, f = make_host()
    with pytest.warns(backstack.UnlistedBackendWarning) as caught:
        result, line = f(1, backend="my"), sys._getframe().f_lineno
    assert result == ("mine", 1)
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, line)
    for word in ("'mine'", "mine-dist", "host", "require", "HOST_BACKEND_TRUST"):
        assert word in str(warning.message)
    assert f(2, backend="mine") == ("mine", 2)
    with dispatcher.backend("my"):
        assert f(3) == ("mine", 3)
    dispatcher.settings.backend = "mine"
    assert f(4) == ("mine", 4)


def test_the_warning_of_a_scope_and_of_the_setting_point_here(site, make_host):
    install_unlisted(site)
    dispatcher, _ = make_host()
    line = sys._getframe().f_lineno + 1
    with pytest.warns(backstack.UnlistedBackendWarning) as caught, dispatcher.backend("mine"):
        pass
    assert [(item.filename, item.lineno) for item in caught] == [(__file__, line)]
    dispatcher.reset_warnings()
    line = sys._getframe().f_lineno + 2
    with pytest.warns(backstack.UnlistedBackendWarning) as caught:
        dispatcher.settings.backend = "mine"
    assert [(item.filename, item.lineno) for item in caught] == [(__file__, line)]


def test_as_an_error_the_warning_keeps_the_backend_from_running(site, make_host):
    install_unlisted(site)
    _dispatcher, f = make_host()
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(backstack.UnlistedBackendWarning):
                f(1, backend="mine")
    assert not ran(site)
    with pytest.warns(backstack.UnlistedBackendWarning):
        assert f(1, backend="mine") == ("mine", 1)


def test_threads_get_one_warning_between_them(site, make_host):
    install_unlisted(site)
    site.adapter("other", MARK + "name = 'mine'\n", distribution="zzz-dist")
    _, f = make_host()
    barrier = threading.Barrier(16)
    results = []

    def work():
        barrier.wait()
        results.append(f(1, backend="mine"))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert results == [("mine", 1)] * 16
    categories = sorted(item.category.__name__ for item in caught)
    assert categories == ["BackendConflictWarning", "UnlistedBackendWarning"]


def test_every_host_warns_for_itself(site, make_host):
    install_unlisted(site)
    for name in ("one", "two"):
        _dispatcher, f = make_host(host_name=name)
        with pytest.warns(backstack.UnlistedBackendWarning, match=name):
            f(1, backend="mine")


# -- require ---------------------------------------------------------------------------


def assert_required(site, dispatcher, f):
    for ask in (
        lambda: f(1, backend="mine"),
        lambda: f(1, backend="my"),
        lambda: dispatcher.backend("mine").__enter__(),
        lambda: setattr(dispatcher.settings, "backend", "mine"),
        lambda: setattr(dispatcher.settings, "backend", ["accel", "mine"]),
        lambda: dispatcher.get_backend("mine"),
    ):
        with pytest.raises(backstack.UntrustedBackendError, match="'mine'") as caught:
            ask()
        assert "require" in str(caught.value)
    dispatcher.discover()
    assert "mine_adapter" not in ran(site)
    assert dispatcher.backends()[-1].state == "refused"
    assert dispatcher.available_backend_names() == ["accel", "cuda", "quick"]
    assert dispatcher.settings.available_backends() == ["accel"]
    assert f(1, backend="accel") == ("accel_pkg.adapter", 1)


def test_require_by_the_host(site, make_host):
    install_unlisted(site)
    install_real(site)
    dispatcher, f = make_host(trust="require")
    assert dispatcher.settings.trust == "require"
    assert_required(site, dispatcher, f)
    with pytest.raises(ValueError, match="cannot be loosened"):
        dispatcher.settings.trust = "warn"
    assert dispatcher.settings.trust == "require"


def test_require_by_the_setting(site, make_host):
    install_unlisted(site)
    install_real(site)
    dispatcher, f = make_host()
    dispatcher.settings.trust = "require"
    assert_required(site, dispatcher, f)


@pytest.mark.parametrize("value", ["require", "REQUIRE", " require "])
def test_require_by_the_variable(site, make_host, monkeypatch, value):
    install_unlisted(site)
    install_real(site)
    monkeypatch.setenv("HOST_BACKEND_TRUST", value)
    dispatcher, f = make_host()
    assert_required(site, dispatcher, f)
    with pytest.raises(ValueError, match="HOST_BACKEND_TRUST"):
        dispatcher.settings.trust = "warn"


@pytest.mark.parametrize("value", ["yes", "1", "requires", "none", "off", "warn,require"])
def test_a_variable_that_is_not_understood_counts_as_require(
    site, make_host, make_dispatcher, monkeypatch, value
):
    install_unlisted(site)
    install_real(site)
    monkeypatch.setenv("HOST_BACKEND_TRUST", value)
    with pytest.warns(backstack.TrustSettingWarning) as caught:
        dispatcher, f = make_host()
    assert "HOST_BACKEND_TRUST" in str(caught[0].message)
    assert repr(value) in str(caught[0].message)
    assert_required(site, dispatcher, f)


@pytest.mark.parametrize("value", ["warn", "", "  "])
def test_a_variable_never_loosens_what_the_host_set(make_host, monkeypatch, value):
    monkeypatch.setenv("HOST_BACKEND_TRUST", value)
    dispatcher, _ = make_host(trust="require")
    assert dispatcher.settings.trust == "require"
    dispatcher, _ = make_host()
    assert dispatcher.settings.trust == "warn"


def test_turning_the_selector_off_keeps_the_lock(make_host, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND_TRUST", "require")
    dispatcher, _ = make_host(env_var=None)
    assert dispatcher.settings.trust == "require"


@pytest.mark.parametrize("value", ["", "loose", None, 1, True])
def test_a_bad_setting_is_refused(make_host, value):
    dispatcher, _ = make_host()
    with pytest.raises(ValueError, match="trust"):
        dispatcher.settings.trust = value
    assert dispatcher.settings.trust == "warn"


def test_require_never_runs_one_that_computes_its_labels(site, make_host):
    site.adapter("odd", MARK + "name = 'od' + 'd'\naliases = ['strange']\n")
    dispatcher, f = make_host(trust="require")
    exercise(dispatcher, f)
    with pytest.raises(backstack.UnknownBackendError):
        f(1, backend="strange-too")
    assert not ran(site)


@pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")
def test_require_holds_for_what_was_chosen_before(site, make_host):
    install_unlisted(site)
    dispatcher, f = make_host()
    dispatcher.settings.backend = "mine"
    assert f(1) == ("mine", 1)
    dispatcher.settings.trust = "require"
    for _ in range(2):
        with pytest.raises(backstack.UntrustedBackendError):
            f(1)
        with pytest.raises(backstack.UntrustedBackendError):
            f(1, backend="mine")
    assert dispatcher.settings.backend == "mine"  # reading never raises
    assert dispatcher.get_backend("cpu") is None
    assert f(1, backend="cpu") == ("host", 1)


def test_the_variable_of_a_refused_backend_is_named(site, make_host, monkeypatch):
    install_unlisted(site)
    monkeypatch.setenv("HOST_BACKEND", "mine")
    dispatcher, f = make_host(trust="require")
    assert dispatcher.settings.backend == "mine"
    with pytest.raises(backstack.UntrustedBackendError, match="HOST_BACKEND") as caught:
        f(1)
    assert caught.value.variable == "HOST_BACKEND"
    assert not ran(site)


# -- settled the same way, whatever the order ------------------------------------------


def test_whatever_the_directory_order_the_same_one_wins(site, make_host, monkeypatch):
    for letter in "abc":
        source = MARK + "name = 'same'\naliases = ['both']\n"
        site.install(
            f"{letter}-dist", {"same": f"{letter}_adapter"}, {f"{letter}_adapter.py": source}
        )
    site.install("evil-dist", {"accel": "evil_adapter"}, {"evil_adapter.py": MARK + "name='accel'"})
    install_real(site)
    listed = os.listdir
    answers = set()
    for order in (sorted, lambda names: sorted(names, reverse=True), lambda names: names):
        monkeypatch.setattr(os, "listdir", lambda *path, order=order: order(listed(*path)))
        dispatcher, _ = make_host()
        dispatcher.refresh()  # forgets what Python itself remembers of the folder
        answers.add(
            (
                tuple((item.distribution, item.state) for item in dispatcher.backends()),
                dispatcher.resolve_name("both"),
            )
        )
    assert len(answers) == 1
    states = dict(answers.pop()[0])
    assert states == {
        "a-dist": "found",
        "b-dist": "refused",
        "c-dist": "refused",
        "accel-dist": "found",
        "evil-dist": "refused",
    }
    assert not ran(site)


@pytest.mark.filterwarnings("ignore::backstack.UnlistedBackendWarning")
def test_the_order_of_asking_does_not_matter(site, make_host):
    site.adapter("one", "name = 'one'\naliases = ['both']\n", distribution="b-dist")
    site.adapter("two", "name = 'two'\naliases = ['both']\n", distribution="a-dist")
    for order in itertools.permutations(["one", "two", "both"]):
        dispatcher, _ = make_host()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = {label: dispatcher.get_backend(label).name for label in order}
        assert found == {"one": "one", "two": "two", "both": "two"}


# -- known only after the import ---------------------------------------------------------

COMPUTED = "name = 'oth' + 'er'\ndef f(x): return 'other', x\n"


@pytest.mark.parametrize("label", ["other", "ep"])
def test_a_listed_provider_of_an_unlisted_backend_is_refused_under_require(
    site, make_dispatcher, label
):
    site.install("accel-dist", {"ep": "other_adapter"}, {"other_adapter.py": COMPUTED})
    dispatcher = make_dispatcher(
        trusted_backends={"accel": {"package": "accel-dist"}}, trust="require"
    )
    f = dispatcher.backend_dispatch(name="f")(lambda x: ("host", x))
    for _ in range(2):
        with pytest.raises(backstack.UntrustedBackendError, match="does not list it"):
            f(1, backend=label)
    assert not any(record.trusted for record in dispatcher.backends())


def test_a_listed_provider_of_an_unlisted_backend_is_warned_of(site, make_dispatcher):
    site.install("accel-dist", {"ep": "other_adapter"}, {"other_adapter.py": COMPUTED})
    dispatcher = make_dispatcher(trusted_backends={"accel": {"package": "accel-dist"}})
    f = dispatcher.backend_dispatch(name="f")(lambda x: ("host", x))
    with pytest.warns(backstack.UnlistedBackendWarning, match="'other'"):
        assert f(1, backend="other") == ("other", 1)
    assert f(1, backend="other") == ("other", 1)


def test_a_conflict_is_settled_alike_before_and_after_loading(site, make_dispatcher):
    site.adapter("one", "name = 'one'\naliases = ['x']\ndef f(x): return 'one'\n", "a-dist")
    source = "name = 'x' + ''\ndef f(x): return 'two'\n"
    site.install("b-dist", {"x": "two_adapter"}, {"two_adapter.py": source})
    dispatcher = make_dispatcher()
    with pytest.warns(backstack.BackstackWarning):
        dispatcher.discover()
    settled = dispatcher.resolve_name("x")
    dispatcher.register(type("Late", (), {"name": "late"})).remove()
    assert dispatcher.resolve_name("x") == settled


def test_a_live_scope_does_not_reach_an_unlisted_backend_once_trust_is_required(
    site, make_dispatcher
):
    site.adapter("one", "name = 'one'\ndef f(x): return 'one', x\n")
    site.adapter("two", MARK + "name = 'two'\ndef g(x): return 'two', x\n")
    dispatcher = make_dispatcher()
    g = dispatcher.backend_dispatch(name="g")(lambda x: ("host", x))
    scope = dispatcher.backend("one", "two")
    with pytest.warns(backstack.UnlistedBackendWarning):
        scope.__enter__()
    dispatcher.settings.trust = "require"
    with pytest.raises(backstack.UntrustedBackendError):
        g(1)
    scope.__exit__(None, None, None)
    assert not ran(site)


SLY = """
class Sly(str):
    on = False
    def __hash__(self): return str.__hash__("accel")
    def __eq__(self, other): return Sly.on and str.__eq__("accel", other)
    def __ne__(self, other): return not self == other
name = Sly("accel")
def is_available():
    Sly.on = True
    return True
def f(x): return "evil"
"""


def test_a_name_that_compares_as_it_likes_is_read_as_the_text_that_it_is(site, make_dispatcher):
    site.install("evil-dist", {"zz": "evil_adapter"}, {"evil_adapter.py": SLY})
    dispatcher = make_dispatcher(trusted_backends={"accel": {"package": "accel-dist"}})
    f = dispatcher.backend_dispatch(name="f")(lambda x: ("host", x))
    with pytest.warns(backstack.UnlistedBackendWarning):
        with pytest.raises(backstack.UntrustedBackendError):
            f(1, backend="zz")
    with pytest.raises(backstack.BackendNotInstalledError):
        f(1, backend="accel")
