"""A host's configuration is checked at once, copied, and kept apart from other hosts'."""

import re
from types import MappingProxyType, SimpleNamespace

import pytest

import backstack
from backstack import BackendDispatcher

ENTRY = "trusted_backends['accel']"


def mistake(make_dispatcher, *words, **config):
    """Make a dispatcher of a wrong configuration; each word must be in the message."""
    with pytest.raises(ValueError) as caught:
        make_dispatcher(**config)
    for word in words:
        assert word in str(caught.value), str(caught.value)


# -- the host itself -------------------------------------------------------------------


@pytest.mark.parametrize("value", ["", "  ", None, 5, b"host.backends"])
def test_group_must_be_text(make_dispatcher, value):
    mistake(make_dispatcher, "entrypoint_group", repr(value), entrypoint_group=value)


@pytest.mark.parametrize("value", ["", "\t", None, 5, ["host"]])
def test_host_name_must_be_text(make_dispatcher, value):
    mistake(make_dispatcher, "host_name", repr(value), host_name=value)


def test_group_and_host_name_are_required():
    with pytest.raises(TypeError, match="entrypoint_group"):
        BackendDispatcher(host_name="host")
    with pytest.raises(TypeError, match="host_name"):
        BackendDispatcher(entrypoint_group="host.backends")


@pytest.mark.parametrize("value", ["wran", "", None, True, 1, ["warn"]])
def test_on_missing_must_be_one_of_three(make_dispatcher, value):
    mistake(make_dispatcher, "on_missing", "'warn', 'host', 'error'", on_missing=value)


@pytest.mark.parametrize("value", ["warn", "host", "error"])
def test_on_missing_is_kept(make_dispatcher, value):
    assert make_dispatcher(on_missing=value).settings.on_missing == value


@pytest.mark.parametrize("value", ["requires", "", None, False])
def test_trust_must_be_one_of_two(make_dispatcher, value):
    mistake(make_dispatcher, "trust", "'warn', 'require'", trust=value)


def test_a_misspelt_option_is_told_the_nearest(make_dispatcher):
    mistake(make_dispatcher, "trust", "Did you mean 'require'?", trust="requires")
    mistake(make_dispatcher, "on_missing", "Did you mean 'error'?", on_missing="errors")


@pytest.mark.parametrize("value", ["", "run on", "1st", "class", None, 5])
def test_keyword_must_be_usable_in_a_call(make_dispatcher, value):
    mistake(make_dispatcher, "keyword", repr(value), keyword=value)


@pytest.mark.parametrize("value", ["", " ", 5, b"HOST"])
def test_variable_must_be_text_or_none(make_dispatcher, value):
    mistake(make_dispatcher, "env_var", repr(value), env_var=value)


def test_variable_can_be_renamed_and_turned_off(make_dispatcher, monkeypatch):
    monkeypatch.setenv("HOST_BACKEND", "cpu,nobody")
    monkeypatch.setenv("OTHER", "somebody")
    assert make_dispatcher().settings.backend == "cpu"
    assert make_dispatcher(env_var="OTHER").settings.backend == "somebody"
    assert make_dispatcher(env_var=None).settings.backend == "cpu"


def test_variable_is_named_after_the_host(make_dispatcher, monkeypatch):
    monkeypatch.setenv("MY_HOST_2_BACKEND", "somebody")
    assert make_dispatcher(host_name="my-host.2").settings.backend == "somebody"


# -- reserved names --------------------------------------------------------------------


@pytest.mark.parametrize("value", ["gpu", ["gpu"], ("gpu", "why"), 5, {"gpu"}])
def test_reserved_backends_must_be_a_mapping(make_dispatcher, value):
    mistake(make_dispatcher, "reserved_backends", "mapping", reserved_backends=value)


@pytest.mark.parametrize("reason", ["", "  ", None, 5])
def test_a_reserved_name_needs_a_reason(make_dispatcher, reason):
    mistake(
        make_dispatcher, "reserved_backends", "'gpu'", "reason", reserved_backends={"gpu": reason}
    )


@pytest.mark.parametrize("name", ["", "g pu", 5, None, "x" * 129])
def test_a_reserved_name_must_be_a_name(make_dispatcher, name):
    mistake(make_dispatcher, "reserved_backends", reserved_backends={name: "A reason."})


def test_no_reserved_and_no_trusted_backends_is_fine(make_dispatcher):
    make_dispatcher(reserved_backends=None, trusted_backends=None)
    make_dispatcher(reserved_backends={}, trusted_backends={})


# -- trusted backends ------------------------------------------------------------------


@pytest.mark.parametrize("value", ["accel", ["accel"], 5, {"accel"}])
def test_trusted_backends_must_be_a_mapping(make_dispatcher, value):
    mistake(make_dispatcher, "trusted_backends", "mapping", trusted_backends=value)


@pytest.mark.parametrize("value", [None, "accel-dist", ["aliases"], 5])
def test_an_entry_must_be_a_mapping(make_dispatcher, value):
    mistake(make_dispatcher, ENTRY, "mapping", trusted_backends={"accel": value})


@pytest.mark.parametrize(
    "name", ["", "cpu", 5, None, "a b", "-a", "a.", "a/b", "a\n", "a\0", "é", "x" * 129]
)
def test_a_canonical_name_must_be_a_name(make_dispatcher, name):
    mistake(make_dispatcher, f"trusted_backends[{name!r}]", trusted_backends={name: {}})


def test_an_unknown_field_is_told_with_the_nearest(make_dispatcher):
    mistake(
        make_dispatcher,
        ENTRY,
        "'alias'",
        "Did you mean 'aliases'?",
        trusted_backends={"accel": {"alias": ["a"]}},
    )


@pytest.mark.parametrize("field", ["zzzzzz", 5, None, ("aliases",)])
def test_an_unknown_field_without_a_nearest_is_told_too(make_dispatcher, field):
    mistake(
        make_dispatcher, ENTRY, "unknown field", repr(field), trusted_backends={"accel": {field: 1}}
    )


@pytest.mark.parametrize(
    "value", ["cuda", None, 5, b"cuda", (name for name in ["cuda"]), {"cuda": 1}]
)
def test_aliases_must_be_a_list_tuple_or_set(make_dispatcher, value):
    mistake(make_dispatcher, ENTRY, "aliases", trusted_backends={"accel": {"aliases": value}})


@pytest.mark.parametrize("alias", ["", None, 5, ["cuda"], "cu da", "cpu", "x" * 129])
def test_each_alias_must_be_a_name(make_dispatcher, alias):
    mistake(
        make_dispatcher, ENTRY, "aliases", trusted_backends={"accel": {"aliases": ["ok", alias]}}
    )


@pytest.mark.parametrize("make", [list, tuple, set, frozenset])
def test_aliases_may_be_a_list_tuple_or_set(make_dispatcher, make):
    dispatcher = make_dispatcher(trusted_backends={"accel": {"aliases": make(["cuda", "fast"])}})
    assert dispatcher.resolve_name("cuda") == dispatcher.resolve_name("fast") == "accel"


def test_an_alias_given_twice_is_a_mistake(make_dispatcher):
    mistake(
        make_dispatcher,
        ENTRY,
        "aliases",
        "'cuda'",
        trusted_backends={"accel": {"aliases": ["cuda", "cuda"]}},
    )


def test_an_alias_claimed_by_two_is_a_mistake(make_dispatcher):
    mistake(
        make_dispatcher,
        "'accel'",
        "'other'",
        "aliases",
        "'cuda'",
        trusted_backends={"accel": {"aliases": ["cuda"]}, "other": {"aliases": ["cuda"]}},
    )


@pytest.mark.parametrize("first", ["accel", "other"])
def test_an_alias_that_is_anothers_name_is_a_mistake(make_dispatcher, first):
    entries = {"accel": {"aliases": ["other"]}, "other": {}}
    ordered = {name: entries[name] for name in sorted(entries, key=lambda name: name != first)}
    mistake(make_dispatcher, "'accel'", "'other'", trusted_backends=ordered)


def test_a_reserved_canonical_name_is_a_mistake(make_dispatcher):
    mistake(
        make_dispatcher,
        "trusted_backends['gpu']",
        "reserved",
        trusted_backends={"gpu": {}},
        reserved_backends={"gpu": "Choose a concrete one."},
    )


def test_a_reserved_alias_is_a_mistake(make_dispatcher):
    mistake(
        make_dispatcher,
        ENTRY,
        "aliases",
        "'gpu'",
        "reserved",
        trusted_backends={"accel": {"aliases": ["gpu"]}},
        reserved_backends={"gpu": "Choose a concrete one."},
    )


MANY = ["distributions", "packages", "entrypoints", "object_refs", "module_prefixes"]
SINGLE = ["distribution", "entrypoint", "object_ref", "module_prefix", "package", "install"]


@pytest.mark.parametrize("field", MANY)
@pytest.mark.parametrize(
    "value", ["", " ", None, 5, [], (), set(), [""], ["ok", " "], [None], [["ok"]], b"ok", {"a": 1}]
)
def test_a_list_field_refuses_what_is_no_text(make_dispatcher, field, value):
    mistake(make_dispatcher, ENTRY, field, trusted_backends={"accel": {field: value}})


@pytest.mark.parametrize("field", SINGLE)
@pytest.mark.parametrize("value", ["", "  ", None, 5, ["ok"], ("ok",), b"ok"])
def test_a_single_field_takes_one_string(make_dispatcher, field, value):
    mistake(make_dispatcher, ENTRY, field, trusted_backends={"accel": {field: value}})


@pytest.mark.parametrize("field", MANY)
@pytest.mark.parametrize("value", ["ok", ["ok"], ("ok", "fine"), {"ok"}, frozenset({"ok"})])
def test_a_list_field_takes_a_list_or_one_string(make_dispatcher, field, value):
    make_dispatcher(trusted_backends={"accel": {field: value}})


MATCHING = {
    "distribution": "accel-dist",
    "entrypoint": "accel",
    "object_ref": "accel_adapter",
    "module_prefix": "accel_adapter",
    "package": "accel-dist",
    "distributions": ["other", "accel-dist"],
    "packages": "accel-dist",
    "entrypoints": ("accel",),
    "object_refs": {"accel_adapter"},
    "module_prefixes": "accel_adapter",
}


@pytest.mark.parametrize("field", MATCHING)
def test_each_field_alone_vouches_for_a_match(make_dispatcher, site, field):
    site.adapter("accel", "name = 'accel'")
    dispatcher = make_dispatcher(trusted_backends={"accel": {field: MATCHING[field]}})
    assert dispatcher.get_backend("accel").name == "accel"


@pytest.mark.parametrize("field", MATCHING)
def test_each_field_alone_refuses_a_mismatch(make_dispatcher, site, field):
    site.adapter("accel", "name = 'accel'")
    dispatcher = make_dispatcher(trusted_backends={"accel": {field: "elsewhere"}})
    with pytest.raises(backstack.UntrustedBackendError, match="elsewhere"):
        dispatcher.get_backend("accel")
    assert not site.imported()


def test_singular_and_plural_forms_add_up(make_dispatcher, site):
    site.adapter("accel", "name = 'accel'")
    entry = {"distribution": "one", "distributions": ["two"], "packages": ["accel_dist"]}
    dispatcher = make_dispatcher(trusted_backends={"accel": entry})
    assert dispatcher.get_backend("accel") is not None


def test_the_distribution_defaults_to_the_package(make_dispatcher, site):
    site.adapter("accel", "name = 'accel'")
    dispatcher = make_dispatcher(trusted_backends={"accel": {"package": "accel"}})
    with pytest.raises(backstack.UntrustedBackendError, match="'accel-dist'"):
        dispatcher.get_backend("accel")
    entry = {"package": "accel", "distributions": ["accel-dist"]}
    assert make_dispatcher(trusted_backends={"accel": entry}).get_backend("accel") is not None


@pytest.mark.parametrize(
    ("entry", "remedy"),
    [
        ({"package": "my-accel"}, "pip install my-accel"),
        ({"package": "my-accel", "install": "conda install accel"}, "conda install accel"),
        ({"install": "see https://example.org"}, "see https://example.org"),
    ],
)
def test_the_install_hint(make_dispatcher, entry, remedy):
    dispatcher = make_dispatcher(trusted_backends={"accel": entry})
    with pytest.raises(backstack.BackendNotInstalledError, match="not installed") as caught:
        with dispatcher.backend("accel"):
            pass
    assert remedy in str(caught.value)
    assert caught.value.install == remedy
    assert caught.value.package == entry.get("package")
    if "install" in entry:
        assert "pip install" not in str(caught.value)


@pytest.mark.parametrize(
    ("prefix", "module", "fits"),
    [
        ("accel", "accel", True),
        ("accel", "accel.x", True),
        ("accel.x", "accel.x", True),
        ("accel", "accelerate", False),
        ("accel", "accelerate.x", False),
        ("accel.x", "accel", False),
        ("accel.x", "accel.xy", False),
        ("Accel", "accel", False),
    ],
)
def test_a_prefix_matches_whole_components(make_dispatcher, site, prefix, module, fits):
    *parents, last = module.split(".")
    files = {f"{parent}/__init__.py": "" for parent in parents}
    files["/".join([*parents, f"{last}.py"])] = "name = 'accel'\n"
    site.install("accel-dist", {"accel": module}, files)
    dispatcher = make_dispatcher(trusted_backends={"accel": {"module_prefixes": [prefix]}})
    if fits:
        assert dispatcher.get_backend("accel").__name__ == module
    else:
        with pytest.raises(backstack.UntrustedBackendError, match=re.escape(repr(prefix))):
            dispatcher.get_backend("accel")
        assert not site.imported()


# -- copied, and separate --------------------------------------------------------------


def test_the_configuration_is_copied(make_dispatcher):
    aliases = ["cuda"]
    entry = {"aliases": aliases, "package": "my-accel"}
    trusted, reserved = {"accel": entry}, {"gpu": "Choose a concrete one."}
    dispatcher = make_dispatcher(trusted_backends=trusted, reserved_backends=reserved)
    aliases.append("gpu")
    entry["package"] = "evil"
    trusted["evil"] = {}
    reserved.clear()
    with pytest.raises(backstack.UnknownBackendError):
        dispatcher.settings.backend = "evil"
    with pytest.raises(backstack.ReservedBackendError, match="Choose a concrete one"):
        dispatcher.settings.backend = "gpu"
    with pytest.raises(backstack.BackendNotInstalledError, match="pip install my-accel"):
        dispatcher.settings.backend = "cuda"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"package": "accel>=0.1"}, "'accel>=0.1', which is not the name of a distribution alone"),
        ({"package": "accel[cuda]"}, "'accel[cuda]'"),
        ({"distributions": ["accel", "accel cu12"]}, "'accel cu12'"),
        ({"distribution": "-accel"}, "'-accel'"),
        ({"module_prefixes": ["accel", "accel-x"]}, "'accel-x', which is not the name of a module"),
        ({"module_prefix": "accel.*"}, "'accel.*'"),
        ({"module_prefix": "accel."}, "'accel.'"),
        ({"object_refs": ["accel/adapter.py"]}, "'accel/adapter.py', which is not MODULE or"),
        ({"object_ref": "accel:"}, "'accel:'"),
    ],
)
def test_what_nothing_installed_can_match_is_a_mistake(make_dispatcher, fields, problem):
    with pytest.raises(
        ValueError, match=r"^trusted_backends\['cuda'\]: nothing can match"
    ) as caught:
        make_dispatcher(trusted_backends={"cuda": fields})
    assert problem in str(caught.value)


def test_what_something_installed_may_match_is_none(make_dispatcher):
    make_dispatcher(
        trusted_backends={
            "cuda": {
                # The package is for the hint, where the distributions are given.
                "package": "accel[cuda]",
                "distributions": ["A", "my_accel.x-2"],
                "module_prefixes": ["_accel", "accel.ünter", "a.b2.c"],
                "object_refs": ["accel", "accel.x:Adapter.inner", "accel : adapter"],
                "entrypoints": ["what ever"],
            }
        }
    )


def test_an_alias_that_is_the_name_or_there_twice_says_so(make_dispatcher):
    for aliases in (["cuda"], ["nv", "nv"]):
        with pytest.raises(
            ValueError, match=r"aliases: '\w+' is there twice, or is the name itself"
        ):
            make_dispatcher(trusted_backends={"cuda": {"aliases": aliases}})
    with pytest.raises(ValueError, match=r"^trusted_backends\['gpu'\]: 'gpu' is reserved by"):
        make_dispatcher(trusted_backends={"gpu": {}}, reserved_backends={"gpu": "No."})


def test_any_mapping_will_do(make_dispatcher):
    entry = MappingProxyType({"aliases": ("cuda",)})
    dispatcher = make_dispatcher(
        trusted_backends=MappingProxyType({"accel": entry}),
        reserved_backends=MappingProxyType({"gpu": "No."}),
    )
    assert dispatcher.resolve_name("cuda") == "accel"


def test_two_hosts_share_nothing(make_dispatcher):
    one = make_dispatcher(host_name="one", reserved_backends={"gpu": "Not here."})
    two = make_dispatcher(host_name="two", trust="require", on_missing="error")
    one.register(SimpleNamespace(name="fake"))
    one.settings.backend = "fake"
    with one.backend("cpu"):
        assert two.settings.backend == "cpu"
    assert one.settings.backend == "fake"
    assert two.settings.backend == "cpu"
    assert (one.settings.trust, two.settings.trust) == ("warn", "require")
    assert (one.settings.on_missing, two.settings.on_missing) == ("warn", "error")
    assert two.available_backend_names() == []
    with pytest.raises(backstack.UnknownBackendError, match="'gpu' for two"):
        two.settings.backend = "gpu"
