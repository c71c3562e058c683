"""Dispatched classes: what `Model(...)` makes, and that everything else about them stays."""

import abc
import collections
import collections.abc
import copy
import dataclasses
import doctest
import enum
import functools
import inspect
import pickle
import pydoc
import types
import typing
from types import SimpleNamespace
from unittest import mock

import pytest

import backstack

SHARED = backstack.BackendDispatcher(
    entrypoint_group="host.backends", host_name="host", env_var=None
)


@SHARED.backend_class
class Public:
    """Hold a size.

    Parameters
    ----------
    size : int
        How much.

    Examples
    --------
    >>> Public(3).size
    3
    """

    unit = "m"

    def __init__(self, size, *, scale=1):
        self.size = size * scale

    def double(self):
        """Twice.

        >>> Public(3).double()
        6
        """
        return 2 * self.size

    @classmethod
    def of(cls, text):
        return cls(int(text))

    @property
    def area(self):
        """The square."""
        return self.size**2

    @staticmethod
    def helper():
        return "helped"


@pytest.fixture
def dispatcher(make_dispatcher):
    return make_dispatcher()


class Other:
    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def __repr__(self):
        return f"Other{self.args}{self.kwargs}"


@pytest.fixture
def jax(dispatcher):
    return dispatcher.register(SimpleNamespace(name="jax", aliases=["j"], Model=Other))


@pytest.fixture
def shared():
    with SHARED.register(SimpleNamespace(name="jax", Public=Other)):
        yield SHARED


def decorate(dispatcher, **namespace):
    """A dispatched class called Model, with no more in it than `namespace`."""
    return dispatcher.backend_class(type("Model", (), namespace))


# -- who makes the instance ----------------------------------------------------------------


def test_call_scope_and_setting_choose(dispatcher, jax):
    @dispatcher.backend_class
    class Model:
        def __init__(self, x, y=2):
            self.x, self.y = x, y

    host = Model(1)
    assert (type(host), host.x, host.y) == (Model, 1, 2)
    assert type(Model(1, backend="cpu")) is Model
    assert type(Model(1, backend=None)) is Model
    assert type(Model(1, backend="jax")) is Other
    assert type(Model(1, backend="j")) is Other
    with dispatcher.backend("jax"):
        assert type(Model(1)) is Other
        assert type(Model(1, backend="cpu")) is Model
    dispatcher.settings.backend = "jax"
    assert type(Model(1)) is Other
    with dispatcher.backend("cpu"):
        assert type(Model(1)) is Model


def test_all_arguments_but_the_selector_are_passed_unchanged(dispatcher, jax):
    @dispatcher.backend_class
    class Model:
        def __init__(self, x, y=2):
            pass

    made = Model(1, 5, z=3, backend="jax")
    assert (made.args, made.kwargs) == ((1, 5), {"z": 3})
    with dispatcher.backend("jax"):
        for _ in range(3):  # the first call, and those that take the short way
            made = Model(y=2)
            assert (made.args, made.kwargs) == ((), {"y": 2})
            assert Model("a", "b", "c", d=...).kwargs == {"d": ...}


def test_the_hosts_constructor_complains_as_ever(dispatcher):
    @dispatcher.backend_class
    class Model:
        def __init__(self, x):
            pass

    for wrong in (lambda: Model(), lambda: Model(1, 2), lambda: Model(1, y=2)):
        with pytest.raises(TypeError, match=r"Model\.__init__\(\)"):
            wrong()
    with pytest.raises(TypeError, match=r"Model\.__init__\(\)"):
        Model(1, y=2, backend="cpu")


def test_cpu_is_in_force_while_the_hosts_constructor_runs(dispatcher, jax):
    @dispatcher.backend_dispatch
    def where():
        return "cpu"

    dispatcher.register(SimpleNamespace(name="r", where=lambda: "r", Model=None))

    @dispatcher.backend_class
    class Model:
        def __init__(self):
            self.where = where()

    with dispatcher.backend("r", on_missing="host"):
        assert Model().where == "r"  # fallen back to: what it calls follows the scope
        assert Model(backend="cpu").where == "cpu"


def test_what_the_backend_lacks_follows_the_policy(dispatcher):
    Model = decorate(dispatcher)
    dispatcher.register(SimpleNamespace(name="r"))
    line = inspect.currentframe().f_lineno + 2
    with pytest.warns(backstack.FallbackWarning, match=r"Model\(\)") as caught:
        assert type(Model(backend="r")) is Model
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)
    assert type(Model(backend="r")) is Model  # once
    with dispatcher.backend("r", on_missing="error"):
        with pytest.raises(backstack.NotImplementedByBackendError, match=r"host's Model\(\)"):
            Model()
    with dispatcher.backend("r", on_missing="host"):
        assert type(Model()) is Model


def test_preferences_are_tried_in_order(dispatcher, jax):
    Model = decorate(dispatcher)
    dispatcher.register(SimpleNamespace(name="r"))
    with dispatcher.backend("r", "jax"):
        assert type(Model()) is Other


def test_errors_of_choosing_are_the_usual_ones(dispatcher, jax):
    Model = decorate(dispatcher)
    with pytest.raises(backstack.UnknownBackendError, match="Did you mean 'jax'"):
        Model(backend="jaxx")
    with pytest.raises(backstack.BackendNameError):
        Model(backend=5)


def test_an_exception_of_a_backends_constructor_arrives_unchanged(dispatcher):
    class Failing:
        def __init__(self):
            raise KeyError("mine")

    Model = decorate(dispatcher)
    dispatcher.register(SimpleNamespace(name="f", Model=Failing))
    with pytest.raises(KeyError, match="mine"):
        Model(backend="f")


def test_not_implemented_from_new_is_what_is_made(dispatcher):
    class Odd:
        def __new__(cls):
            return NotImplemented

    Model = decorate(dispatcher)
    dispatcher.register(SimpleNamespace(name="o", Model=Odd))
    assert Model(backend="o") is NotImplemented  # only plain functions decline
    with dispatcher.backend("o"):
        assert Model() is NotImplemented
        assert Model() is NotImplemented


@pytest.mark.parametrize("bad", [len, lambda: 1, 5, "Model", functools.partial(dict)])
def test_an_export_that_is_no_class_is_refused(dispatcher, bad):
    Model = decorate(dispatcher)
    dispatcher.register(SimpleNamespace(name="b", Model=bad))
    for _ in range(2):
        with pytest.raises(TypeError, match=r"'b' exports 'Model', which is not a class"):
            Model(backend="b")


def test_the_dispatched_class_itself_is_refused(dispatcher):
    Model = decorate(dispatcher)
    dispatcher.register(SimpleNamespace(name="b", Model=Model))
    with pytest.raises(TypeError, match="dispatched class itself"):
        Model(backend="b")


def test_a_backends_class_may_derive_from_the_hosts(dispatcher):
    Model = decorate(dispatcher, x=1)

    class Fast(Model):
        x = 2

    dispatcher.register(SimpleNamespace(name="f", Model=Fast))
    with dispatcher.backend("f"):
        assert (type(Model()), Model().x) == (Fast, 2)
        assert isinstance(Model(), Model)


def test_one_that_makes_itself_by_the_host_is_told_so(dispatcher):
    Model = decorate(dispatcher)

    class Loop:
        def __init__(self):
            self.inner = Model()

    dispatcher.register(SimpleNamespace(name="l", Model=Loop))
    with dispatcher.backend("l"), pytest.raises(RecursionError) as caught:
        Model()
    (note,) = caught.value.__notes__
    assert "backend='cpu'" in note


def test_traces_see_constructions(dispatcher, jax):
    Model = decorate(dispatcher)
    with dispatcher.trace() as calls:
        Model()
        Model(backend="jax")
        with dispatcher.backend("jax"):
            Model()
    seen = [(c.function, c.ran_on, c.chosen_by, c.raised) for c in calls]
    assert seen == [
        ("Model", "cpu", "default", False),
        ("Model", "jax", "call", False),
        ("Model", "jax", "scope", False),
    ]
    assert all(call.seconds >= 0 for call in calls)


def test_names_and_the_selectors_name(dispatcher):
    @dispatcher.backend_class(name="TlModel", keyword="run_on")
    class Model:
        def __init__(self, backend="agg"):
            self.backend = backend

    dispatcher.register(SimpleNamespace(name="a", TlModel=Other, Model=int))
    assert Model(backend="svg").backend == "svg"
    assert Model(backend="svg", run_on="a").kwargs == {"backend": "svg"}
    assert dict(dispatcher.functions) == {"TlModel": Model}
    assert list(inspect.signature(Model).parameters) == ["backend", "run_on"]


def test_without_and_with_parentheses(dispatcher, jax):
    @dispatcher.backend_class()
    class Model:
        pass

    assert type(Model(backend="jax")) is Other


# -- only direct construction dispatches ---------------------------------------------------


def test_subclasses_construct_as_ever(dispatcher, jax):
    @dispatcher.backend_class
    class Model:
        def __init__(self, x=0):
            self.x = x

    class Sub(Model):
        def __init__(self, x, y):
            super().__init__(x)
            self.y = y

    class Backend(Model):
        def __init__(self, backend):
            Model.__init__(self)
            self.backend = backend

    with dispatcher.backend("jax"):
        made = Sub(1, 2)
        assert (type(made), made.x, made.y) == (Sub, 1, 2)
        assert Backend(backend="its own").backend == "its own"
    with pytest.raises(TypeError, match="backend"):
        Sub(1, 2, backend="jax")
    assert isinstance(made, Model)
    assert issubclass(Sub, Model)
    assert str(inspect.signature(Sub)) == "(x, y)"
    assert str(inspect.signature(Backend)) == "(backend)"
    assert Sub.__doc__ is None


def test_a_decorated_subclass_dispatches_by_its_own_name(dispatcher, jax):
    Model = decorate(dispatcher)

    @dispatcher.backend_class
    class Sub(Model):
        def __init__(self):
            super().__init__()

    class Theirs:
        pass

    dispatcher.register(SimpleNamespace(name="s", Sub=Theirs))
    assert type(Sub(backend="s")) is Theirs
    with dispatcher.backend("s"):
        assert type(Sub()) is Theirs
        assert type(Sub(backend="cpu")) is Sub
    with dispatcher.backend("jax", on_missing="host"):
        assert type(Sub()) is Sub
        assert type(Model()) is Other
    assert isinstance(Sub(), Model)
    assert Sub.__mro__.index(Sub) < Sub.__mro__.index(Model)


def test_the_type_of_an_instance_constructs_like_the_class(dispatcher, jax):
    Model = decorate(dispatcher)
    made = Model()
    assert type(made) is Model
    assert made.__class__ is Model
    with dispatcher.backend("jax"):
        assert type(type(made)()) is Other
    assert type(type(made)(backend="jax")) is Other


def test_new_and_class_methods(dispatcher, jax):
    @dispatcher.backend_class
    class Model:
        @classmethod
        def make(cls):
            return cls()

        @classmethod
        def blank(cls):
            return cls.__new__(cls)

    with dispatcher.backend("jax"):
        assert type(Model.make()) is Other  # it calls the class
        assert type(Model.blank()) is Model  # it does not
        assert type(Model.__new__(Model)) is Model
        assert type(object.__new__(Model)) is Model


def test_init_may_be_called_again(dispatcher):
    @dispatcher.backend_class
    class Model:
        def __init__(self, x):
            self.x = x

    made = Model(1)
    Model.__init__(made, 2)
    assert made.x == 2


# -- refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [5, "Model", len, lambda: 1, list[int], None.__class__.__call__, ...]
)
def test_what_is_no_class_is_refused(dispatcher, bad):
    with pytest.raises(TypeError, match="backend_dispatch"):
        dispatcher.backend_class(bad)


def test_the_other_decorator_says_which_one_to_use(dispatcher):
    with pytest.raises(TypeError, match="@backend_class"):
        dispatcher.backend_dispatch(type("Model", (), {}))


def test_decorating_twice_is_refused(dispatcher, make_dispatcher):
    Model = decorate(dispatcher)
    for other in (dispatcher, make_dispatcher(host_name="other")):
        with pytest.raises(TypeError, match="dispatched already"):
            other.backend_class(Model)


@pytest.mark.parametrize(
    "source",
    [
        "def __init__(self, backend): pass",
        "def __init__(self, *, backend=None): pass",
        "def __init__(self, **backend): pass",
        "def __new__(cls, x, backend=1): return object.__new__(cls)",
    ],
)
def test_a_constructor_with_its_own_backend_is_refused(dispatcher, source):
    scope = {}
    exec(f"class Model:\n    {source}", scope)
    with pytest.raises(TypeError, match="parameter 'backend' of its own") as caught:
        dispatcher.backend_class(scope["Model"])
    assert "keyword='run_on'" in str(caught.value)
    assert dict(dispatcher.functions) == {}


def test_backend_behind_a_metaclass_is_seen(dispatcher):
    class Meta(type):
        def __call__(cls, *args, **kwargs):
            return super().__call__(*args, **kwargs)

    class Model(metaclass=Meta):
        def __init__(self, backend):
            pass

    with pytest.raises(TypeError, match="of its own"):
        dispatcher.backend_class(Model)


class Color(enum.Enum):
    RED = 1


@pytest.mark.parametrize("final", [bool, type(None), type(...), Color, slice, types.FunctionType])
def test_what_cannot_be_subclassed_is_refused(dispatcher, final):
    with pytest.raises(TypeError, match="cannot be subclassed"):
        dispatcher.backend_class(final)
    assert dict(dispatcher.functions) == {}


def test_what_needs_class_keywords_is_refused(dispatcher):
    class Base:
        def __init_subclass__(cls, *, tag, note="", **more):
            super().__init_subclass__(**more)
            cls.tag = tag

    class Model(Base, tag="x"):
        pass

    with pytest.raises(TypeError, match=r"cannot be subclassed: .*'tag'"):
        dispatcher.backend_class(Model)

    class Meta(type):
        def __new__(mcls, name, bases, namespace, *, tag):
            return super().__new__(mcls, name, bases, namespace)

        def __init__(cls, name, bases, namespace, *, tag):
            super().__init__(name, bases, namespace)

    class Other(metaclass=Meta, tag="x"):
        pass

    with pytest.raises(TypeError, match="tag"):
        dispatcher.backend_class(Other)


def test_super_with_its_own_name_is_refused(dispatcher):
    def of(source):
        scope = {"functools": functools}
        exec(f"class Base:\n    pass\nclass Model(Base):\n    {source}", scope)
        return scope["Model"]

    for source in (
        "def __init__(self): super(Model, self).__init__()",
        "@property\n    def x(self): return super(Model, self).x",
        "@classmethod\n    def make(cls): return super(Model, cls).make()",
        "@functools.cached_property\n    def x(self): return [super(Model, self).x for _ in 'a']",
        "x = functools.wraps(len)(lambda self: super(Model, self).x)",
        "@functools.lru_cache\n    def x(self): return super(Model, self).x",
        "@functools.singledispatchmethod\n    def x(self): return super(Model, self).x",
    ):
        with pytest.raises(TypeError, match=r"super\(Model, \.\.\.\)"):
            dispatcher.backend_class(of(source))

    local = of("def __init__(self): self.base = super(Base, self)\nBase = Base")
    assert dispatcher.backend_class(local)
    for harmless in (
        "def __init__(self): super().__init__(); self.kind = Model",
        "def __eq__(self, other): return isinstance(other, Model) and super().__eq__(other)",
        "def f(self): super; return Model",
    ):
        Model = dispatcher.backend_class(of(harmless))
        assert isinstance(Model(), Model)


def test_a_super_with_its_own_name_in_a_local_class_is_refused(dispatcher):
    with pytest.raises(TypeError, match=r"super\(Model, \.\.\.\)"):

        @dispatcher.backend_class
        class Model:
            def __init__(self):
                super(Model, self).__init__()  # noqa: UP008


@pytest.mark.parametrize("name", ["name", "aliases", "is_available"])
def test_what_an_adapter_says_of_itself_is_no_name(dispatcher, name):
    with pytest.raises(ValueError, match=r"@backend_class\(name="):
        dispatcher.backend_class(type(name, (), {}))
    with pytest.raises(ValueError, match="name"):
        dispatcher.backend_class(name="no name")(type("Model", (), {}))


def test_one_name_for_two_is_refused_and_a_reload_replaces(dispatcher):
    def make(qualname):
        return type("Model", (), {"__qualname__": qualname, "__module__": __name__})

    first = dispatcher.backend_class(make("Model"))
    with pytest.raises(ValueError, match=r"@backend_class\(name="):
        dispatcher.backend_class(make("Outer.Model"))
    with pytest.raises(ValueError, match=r"@backend_dispatch\(name="):
        dispatcher.backend_dispatch(name="Model")(lambda: 1)
    again = dispatcher.backend_class(make("Model"))
    assert again is not first
    assert dict(dispatcher.functions) == {"Model": again}
    assert type(first()) is first


# -- classes stay what they were -----------------------------------------------------------


def test_the_namespace_is_the_hosts(dispatcher):
    class Model:
        """Text."""

        x: int = 1
        _y = 2

        def f(self):
            return 1

        @classmethod
        def g(cls):
            return cls

        @property
        def h(self):
            return 3

    host = dict(vars(Model))
    dispatched = dispatcher.backend_class(Model)
    own = dict(vars(dispatched))
    for name in ("x", "_y", "f", "g", "h", "__module__", "__annotations__"):
        if name in host:
            assert own[name] is host[name], name
    assert set(host) - {"__dict__", "__weakref__"} <= set(own)
    assert set(own) - set(host) <= {
        "_backstack_route",
        "__signature__",
        "_abc_impl",
        "__static_attributes__",
    }
    assert (dispatched.__name__, dispatched.__qualname__) == (Model.__name__, Model.__qualname__)
    assert dispatched.__module__ == __name__
    assert dispatched.__doc__ == "Text."
    assert set(dir(dispatched)) - set(dir(Model)) <= set(own)
    assert typing.get_type_hints(dispatched) == {"x": int}
    assert inspect.get_annotations(dispatched) == {"x": int}


def test_class_attributes_are_read_and_written(dispatcher):
    @dispatcher.backend_class
    class Model:
        count = 0

        def __init__(self):
            Model.count += 1
            type(self).last = self

    made = Model()
    assert (Model.count, Model.last) == (1, made)
    Model.extra = 5
    assert made.extra == 5
    del Model.extra
    assert not hasattr(Model, "extra")
    with mock.patch.object(Model, "count", 7):
        assert made.count == 7
    assert made.count == 1
    with mock.patch.object(Model, "__init__", return_value=None):
        Model()
    assert Model.count == 1


def test_methods_can_be_patched_and_restored(dispatcher, monkeypatch):
    @dispatcher.backend_class
    class Model:
        def f(self):
            return 1

    monkeypatch.setattr(Model, "f", repr)
    assert Model.f(2) == "2"
    monkeypatch.undo()
    assert Model().f() == 1


def test_super_and_class_mean_what_they_meant(dispatcher):
    class Base:
        def __init__(self):
            self.seen = ["base"]

    @dispatcher.backend_class
    class Model(Base):
        def __init__(self):
            super().__init__()
            self.seen.append("model")

        def me(self):
            return __class__

    class Sub(Model):
        def __init__(self):
            super().__init__()
            self.seen.append("sub")

    assert Model().seen == ["base", "model"]
    assert Sub().seen == ["base", "model", "sub"]
    assert isinstance(Model(), Model().me())
    assert issubclass(Model().me(), Model)
    made = Model().me()()
    assert isinstance(made, Model)


def test_instances_of_before_the_decoration_count(dispatcher):
    class Model:
        pass

    before = Model()
    dispatched = dispatcher.backend_class(Model)
    assert isinstance(before, dispatched)
    assert issubclass(Model, dispatched)
    assert not isinstance(5, dispatched)
    assert not issubclass(int, dispatched)
    with pytest.raises(TypeError):
        issubclass(5, dispatched)

    class Sub(dispatched):
        pass

    assert not isinstance(before, Sub)
    assert not issubclass(Model, Sub)
    assert not issubclass(dispatched, Sub)


def test_slots(dispatcher, jax):
    @dispatcher.backend_class
    class Model:
        __slots__ = ("x",)

        def __init__(self, x):
            self.x = x

    made = Model(1)
    assert not hasattr(made, "__dict__")
    with pytest.raises(AttributeError):
        made.y = 2
    assert Model.__slots__ == ("x",)
    assert made.x == 1
    assert copy.copy(made).x == 1
    assert made.__sizeof__() == Model.__base__(1).__sizeof__()

    class Sub(Model):
        __slots__ = ("y",)

    assert Sub(3).x == 3
    assert "__slots__" not in vars(
        decorate(dispatcher.__class__(entrypoint_group="a.b", host_name="a"))
    )


def test_a_dataclass_below(dispatcher, jax):
    @dispatcher.backend_class
    @dataclasses.dataclass(order=True)
    class Model:
        x: int
        y: list = dataclasses.field(default_factory=list)

    made = Model(1)
    assert made == Model(1)
    assert made < Model(2)
    assert repr(made).endswith("Model(x=1, y=[])")
    assert dataclasses.replace(made, x=3) == Model(3)
    assert dataclasses.asdict(made) == {"x": 1, "y": []}
    assert [field.name for field in dataclasses.fields(Model)] == ["x", "y"]
    assert type(Model(1, backend="jax")) is Other
    assert list(inspect.signature(Model).parameters) == ["x", "y", "backend"]
    match made:
        case Model(1, []):
            pass
        case _:
            raise AssertionError


def test_a_dataclass_above(dispatcher, jax):
    @dataclasses.dataclass
    @dispatcher.backend_class
    class Model:
        x: int
        y: int = 2

    assert Model(1) == Model(1, 2)
    assert type(Model(1, backend="jax")) is Other
    assert str(inspect.signature(Model)).startswith("(x: int, y: int = 2, *, backend=None)")


@pytest.mark.parametrize("frozen", [False, True])
def test_a_dataclass_with_slots(dispatcher, jax, frozen):
    @dispatcher.backend_class
    @dataclasses.dataclass(slots=True, frozen=frozen)
    class Model:
        x: int

    made = Model(1)
    assert not hasattr(made, "__dict__")
    assert made == Model(1)
    assert copy.deepcopy(made) == made
    assert type(Model(1, backend="jax")) is Other
    if frozen:
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.x = 2
        assert hash(made) == hash(Model(1))


def test_attrs(dispatcher, jax):
    attrs = pytest.importorskip("attrs")

    @dispatcher.backend_class
    @attrs.define
    class Model:
        x: int = attrs.field(converter=int)
        y: int = 2

        def total(self):
            return super().__init__() or self.x + self.y

    made = Model("1")
    assert (made, made.total()) == (Model(1), 3)
    assert attrs.evolve(made, y=5) == Model(1, 5)
    assert [field.name for field in attrs.fields(Model)] == ["x", "y"]
    assert type(Model(1, backend="jax")) is Other
    assert not hasattr(made, "__dict__")


def test_named_tuples(dispatcher, jax):
    @dispatcher.backend_class
    class Model(typing.NamedTuple):
        """A pair."""

        x: int
        y: int = 2

        def total(self):
            return self.x + self.y

    made = Model(1)
    assert (made, tuple(made), made.total()) == ((1, 2), (1, 2), 3)
    assert made._replace(y=5) == (1, 5)
    assert type(made._replace(y=5)) is Model
    assert Model._make([3, 4]).x == 3
    assert Model._fields == ("x", "y")
    assert type(Model(1, backend="jax")) is Other
    assert list(inspect.signature(Model).parameters) == ["x", "y", "backend"]
    assert not hasattr(made, "__dict__")
    with dispatcher.backend("jax"):
        assert copy.copy(made) == made

    Pair = dispatcher.backend_class(collections.namedtuple("Pair", "a b"))
    assert Pair(1, b=2) == (1, 2)


def test_builtin_and_abstract_bases(dispatcher, jax):
    @dispatcher.backend_class
    class Model(dict):
        def __missing__(self, key):
            return key

    made = Model(a=1)
    assert (made["a"], made["b"], dict(made)) == (1, "b", {"a": 1})
    assert type(Model(a=1, backend="jax")) is Other
    assert type(Model.fromkeys("ab")) is Model

    @dispatcher.backend_class
    class Failure(ValueError):
        def __init__(self, text, code):
            super().__init__(text)
            self.code = code

    with pytest.raises(Failure) as caught:
        raise Failure("oh", 3)
    assert (caught.value.code, str(caught.value)) == (3, "oh")
    for immutable in (int, str, tuple, float):
        numbers = dispatcher.backend_class(type("Imm", (immutable,), {}))
        assert numbers() == immutable()


def test_abstract_classes(dispatcher, jax):
    @dispatcher.backend_class
    class Model(abc.ABC):
        @abc.abstractmethod
        def f(self):
            pass

    assert inspect.isabstract(Model)
    with pytest.raises(TypeError, match="abstract"):
        Model()
    assert type(Model(backend="jax")) is Other

    class Concrete(Model):
        def f(self):
            return 1

    assert Concrete().f() == 1
    assert isinstance(Concrete(), Model)

    class Virtual:
        pass

    Model.register(Virtual)
    assert isinstance(Virtual(), Model)
    assert issubclass(Virtual, Model)
    assert not isinstance(Virtual(), Concrete)
    assert not isinstance(5, Model)


def test_structural_abstract_classes(dispatcher):
    @dispatcher.backend_class
    class Model(abc.ABC):  # noqa: B024
        @classmethod
        def __subclasshook__(cls, other):
            return hasattr(other, "quack") if cls is Model else NotImplemented

    class Duck:
        def quack(self):
            pass

    assert isinstance(Duck(), Model)
    assert not isinstance(5, Model)

    @dispatcher.backend_class
    class Bag(collections.abc.Sequence):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return "ab"[i]

    assert list(Bag()) == ["a", "b"]
    assert isinstance(Bag(), collections.abc.Sized)
    assert not isinstance([], Bag)
    assert not isinstance(5, collections.abc.Sequence)


def test_a_subclass_may_have_an_abstract_base_besides(dispatcher, jax):
    Model = decorate(dispatcher)

    class First(Model, collections.abc.Sized):
        def __len__(self):
            return 3

    class Second(collections.abc.Sized, Model):
        pass

    class Third(Model, metaclass=abc.ABCMeta):
        @abc.abstractmethod
        def f(self):
            pass

    with dispatcher.backend("jax"):
        assert len(First()) == 3
    assert isinstance(First(), Model)
    for incomplete in (Second, Third):
        with pytest.raises(TypeError, match="abstract"):
            incomplete()


def test_multiple_inheritance(dispatcher, jax):
    class Left:
        def who(self):
            return ["left"]

    class Right:
        def who(self):
            return ["right"]

    @dispatcher.backend_class
    class Model(Left, Right):
        def who(self):
            return ["model", *super().who()]

    @dispatcher.backend_class
    class Beside(abc.ABC):  # noqa: B024
        def who(self):
            return ["beside"]

    class Both(Model, Beside):
        def who(self):
            return ["both", *super().who()]

    class Turned(Beside, Model):
        pass

    assert Model().who() == ["model", "left"]
    with dispatcher.backend("jax"):
        assert Both().who() == ["both", "model", "left"]
        assert Turned().who() == ["beside"]
    assert isinstance(Both(), Left)
    assert isinstance(Both(), Beside)


class Singleton(type):
    _instances = {}

    def __call__(cls, *args, **kwargs):
        if cls not in cls._instances:
            cls._instances[cls] = super().__call__(*args, **kwargs)
        return cls._instances[cls]


def test_a_metaclass_with_its_own_call(dispatcher, jax):
    @dispatcher.backend_class
    class Model(metaclass=Singleton):
        pass

    assert Model() is Model()
    assert type(Model(backend="jax")) is Other
    assert isinstance(type(Model), type)
    assert issubclass(type(Model), Singleton)

    class Sub(Model):
        pass

    assert Sub() is Sub()
    assert Sub() is not Model()


class Meta(type):
    @classmethod
    def __prepare__(mcls, name, bases, **keywords):
        return Recording()

    def __new__(mcls, name, bases, namespace, **keywords):
        assert isinstance(namespace, Recording)
        cls = type.__new__(mcls, name, bases, dict(namespace))
        cls.order = getattr(cls, "order", ()) + tuple(namespace.order)
        return cls

    def __setattr__(cls, name, value):
        if name.startswith("frozen"):
            raise AttributeError("frozen")
        super().__setattr__(name, value)

    def __instancecheck__(cls, instance):
        return instance == "special" or super().__instancecheck__(instance)

    @property
    def shout(cls):
        return cls.__name__.upper()

    def __len__(cls):
        return 42


class Recording(dict):
    def __init__(self):
        super().__init__()
        self.order = []

    def __setitem__(self, key, value):
        if not key.startswith("__"):
            self.order.append(key)
        super().__setitem__(key, value)


def test_a_metaclass_with_its_own_namespace_and_hooks(dispatcher, jax):
    @dispatcher.backend_class
    class Model(metaclass=Meta):
        b = 1
        a = 2

    assert Model.order == ("b", "a")
    assert (Model.shout, len(Model)) == ("MODEL", 42)
    assert type(Model(backend="jax")) is Other
    assert isinstance("special", Model)
    assert not isinstance("other", Model)
    with pytest.raises(AttributeError, match="frozen"):
        Model.frozen = 1

    class Sub(Model):
        c = 3

    assert Sub.order == ("b", "a", "c")
    assert isinstance(Sub(), Model)
    assert isinstance("special", Sub)
    assert not isinstance(5, Sub)
    assert not issubclass(int, Sub)


def test_metaclasses_stay_compatible(dispatcher, jax):
    class M1(type):
        pass

    class M2(M1):
        pass

    A = dispatcher.backend_class(M1("A", (), {}))
    B = dispatcher.backend_class(M2("B", (), {}))
    C = dispatcher.backend_class(M1("C", (B,), {}))
    for bases in ((A, B), (B, A), (A, C), (C, A), (C, B)):
        assert isinstance(type("Sub", bases, {})(), bases[1])

    class M3(type(A)):
        def __call__(cls):
            made = super().__call__()
            made.touched = True
            return made

    class Sub(A, metaclass=M3):
        pass

    assert Sub().touched
    decorated = dispatcher.backend_class(Sub)
    assert decorated().touched
    dispatcher.register(SimpleNamespace(name="s", Sub=Other))
    with dispatcher.backend("s"):
        assert type(decorated()) is Other
    assert type(type(A).__call__(A)) is A
    assert type(type.__call__(A)) is A


def test_enums_without_members(dispatcher):
    class Base(enum.Enum):
        def shout(self):
            return self.name.upper()

    dispatched = dispatcher.backend_class(Base)

    class Fruit(dispatched):
        apple = 1

    assert Fruit(1) is Fruit.apple
    assert Fruit.apple.shout() == "APPLE"
    assert isinstance(Fruit.apple, dispatched)


def test_members_that_a_metaclass_makes(dispatcher, jax):
    class Members(type):
        def __init__(cls, name, bases, namespace):
            super().__init__(name, bases, namespace)
            for member in namespace.get("members", ()):
                setattr(cls, member, cls.__new__(cls))

    @dispatcher.backend_class
    class Model(metaclass=Members):
        members = ("RED", "GREEN")

    assert isinstance(Model.RED, Model)
    assert not isinstance(5, Model)
    assert type(Model(backend="jax")) is Other


T = typing.TypeVar("T")


def test_generics(dispatcher, jax):
    @dispatcher.backend_class
    class Model(typing.Generic[T]):
        def __init__(self, x: T) -> None:
            self.x = x

    assert Model[int](1).x == 1
    assert typing.get_origin(Model[int]) is Model
    assert typing.get_args(Model[int]) == (int,)
    assert Model.__parameters__ == (T,)
    assert type(Model[int](1, backend="jax")) is Other

    class Sub(Model[int]):
        pass

    assert Sub(2).x == 2
    with pytest.raises(TypeError):
        Sub[int]

    @dispatcher.backend_class
    class Listy(list[int]):
        pass

    assert Listy([1]) == [1]


def test_type_parameters(dispatcher, jax):
    scope = {"dispatch": dispatcher.backend_class}
    try:
        exec(
            "@dispatch\nclass Model[S]:\n    def __init__(self, x: S): self.x = x\n"
            "class Sub(Model[int]): pass",
            scope,
        )
    except SyntaxError:
        pytest.skip("this Python has no type parameters")
    Model = scope["Model"]
    assert Model[int](1).x == 1
    assert [p.__name__ for p in Model.__type_params__] == ["S"]
    assert scope["Sub"](2).x == 2
    assert type(Model[int](1, backend="jax")) is Other


def test_protocols(dispatcher):
    @dispatcher.backend_class
    @typing.runtime_checkable
    class Model(typing.Protocol):
        def f(self): ...

    class Fits:
        def f(self):
            pass

    assert isinstance(Fits(), Model)
    assert not isinstance(5, Model)

    class Explicit(Model):
        pass

    assert isinstance(Explicit(), Model)


def test_hooks_for_subclasses_see_only_what_somebody_wrote(dispatcher):
    seen = []

    class Base:
        def __init_subclass__(cls, *, note=None, **more):
            super().__init_subclass__(**more)
            seen.append((cls.__name__, note))
            cls.note = note

    @dispatcher.backend_class
    class Model(Base, note="n"):
        pass

    # That of a base sees what stands where the host's class stood, so that a registry by name
    # has it; what it sets is what it set for the host's.
    assert seen == [("Model", "n"), ("Model", None)]
    assert Model.note == "n"

    class Sub(Model, note="s"):
        pass

    assert seen[2:] == [("Sub", "s")]
    assert vars(Base)["__init_subclass__"].__func__.__name__ == "__init_subclass__"

    @dispatcher.backend_class
    class Own:
        registry = []

        def __init_subclass__(cls, **more):
            super().__init_subclass__(**more)
            Own.registry.append(cls)

        def __set_name__(self, owner, name):
            raise AssertionError

    assert Own.registry == []

    class Sub2(Own):
        pass

    assert Own.registry == [Sub2]
    assert "__init_subclass__" not in vars(Model.__base__)


def test_a_hook_is_put_back_when_subclassing_fails(dispatcher):
    class Final(type):
        def __new__(mcls, name, bases, namespace):
            if bases and isinstance(bases[0], Final):
                raise RuntimeError("final")
            return super().__new__(mcls, name, bases, namespace)

    class Model(metaclass=Final):
        def __init_subclass__(cls):
            pass

    before = vars(Model)["__init_subclass__"]
    with pytest.raises(TypeError, match="cannot be subclassed: final") as caught:
        dispatcher.backend_class(Model)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert vars(Model)["__init_subclass__"] is before


def test_a_registry_by_name_has_the_dispatched_class(dispatcher, jax):
    class Base:
        registry = {}

        def __init_subclass__(cls):
            Base.registry[cls.__name__] = cls

    @dispatcher.backend_class
    class Model(Base):
        pass

    assert Base.registry == {"Model": Model}
    with dispatcher.backend("jax"):
        assert type(Base.registry["Model"]()) is Other

    # Its own hook is for its subclasses, and may well say its name, which nothing has yet.
    @dispatcher.backend_class(name="Plugin")
    class Plugin:
        known = []

        def __init_subclass__(cls):
            Plugin.known.append(cls)

    class Sub(Plugin):
        pass

    assert Plugin.known == [Sub]


def test_a_metaclass_that_collects_sees_to_the_hosts_class_alone(dispatcher):
    class Meta(type):
        def __new__(mcls, name, bases, namespace, **keywords):
            cls = super().__new__(mcls, name, bases, namespace)
            cls.columns = [key for key in namespace if key[0] != "_"]
            cls.table = keywords.get("table", name.lower())
            cls.itself = Holder(cls)
            return cls

        def __init__(cls, name, bases, namespace, **keywords):
            super().__init__(name, bases, namespace)

    class Holder:
        def __init__(self, cls):
            self.cls = cls

    @dispatcher.backend_class
    class Model(metaclass=Meta, table="t1"):
        a = 1
        b = 2

    assert (Model.columns, Model.table) == (["a", "b"], "t1")
    assert Model.itself.cls is Model  # what may hold the class is the metaclass's to make


def test_metaclasses_in_the_way(dispatcher, jax):
    class Property(type):
        @property
        def label(cls):
            return "of the class"

        @label.setter
        def label(cls, value):
            raise AssertionError

    @dispatcher.backend_class
    class Model(metaclass=Property):
        @property
        def label(self):
            return "of an instance"

    assert (Model.label, Model().label) == ("of the class", "of an instance")
    assert type(Model(backend="jax")) is Other

    class WithoutSlots(type):
        def __new__(mcls, name, bases, namespace):
            namespace = {key: value for key, value in namespace.items() if key != "__slots__"}
            return super().__new__(mcls, name, bases, namespace)

    assert dispatcher.backend_class(name="N")(WithoutSlots("N", (), {"x": 1})).x == 1

    class Constant(type):
        def __setattr__(cls, name, value):
            raise AttributeError("constant")

    assert dispatcher.backend_class(name="C")(Constant("C", (), {"x": 1}))().x == 1


def test_classes_with_odd_members(dispatcher, jax):
    @dispatcher.backend_class
    class Model:
        @property
        def __name__(self):
            return "mine"

        @property
        def __class__(self):
            return int

    assert (Model.__name__, Model().__name__, Model().__class__) == ("Model", "mine", int)
    assert type(Model(backend="jax")) is Other


def test_classes_of_c(dispatcher):
    import ctypes

    @dispatcher.backend_class
    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int)]

    assert Point(5).x == 5
    dispatcher.register(SimpleNamespace(name="p", Point=Other))
    assert type(Point(1, backend="p")) is Other

    class Typed(typing.TypedDict):
        x: int

    with pytest.raises(TypeError, match=r"Typed cannot be dispatched"):
        dispatcher.backend_class(Typed)


def test_a_copy_of_its_namespace_is_harmless(dispatcher):
    @functools.wraps(Public)
    def make(*args, **kwargs):
        return Public(*args, **kwargs)

    assert str(inspect.signature(make)) == str(inspect.signature(Public))
    assert dispatcher.backend_dispatch(name="make")(make)(2).size == 2
    part = functools.update_wrapper(functools.partial(Public, 1), Public)
    assert part().size == 1
    inspect.signature(part)
    other = type("Other", (), {k: v for k, v in vars(Public).items() if k != "__dict__"})
    assert str(inspect.signature(other)) == "(size, *, scale=1)"
    assert other(2).size == 2


def test_a_decorator_above_that_makes_the_class_anew(dispatcher, jax):
    attrs = pytest.importorskip("attrs")

    def check(Model):
        with dispatcher.backend("jax", on_missing="error"):
            assert type(Model(1)) is Other
        assert type(Model(1, backend="jax")) is Other
        assert type(Model(1)) is Model
        assert Model(1) == Model(1)
        assert list(inspect.signature(Model).parameters) == ["x", "backend"]
        assert dispatcher.functions["Model"] is Model

    @attrs.define
    @dispatcher.backend_class
    class Model:
        x: int

    check(Model)

    @dataclasses.dataclass(slots=True)
    @dispatcher.backend_class
    class Model:
        x: int

    check(Model)


def test_what_is_deleted_or_set_is_so_for_the_methods_too(dispatcher, monkeypatch):
    @dispatcher.backend_class
    class Model:
        x = 1
        made = 0

        def f(self):
            return __class__.x

    Model.x = 2
    assert Model().f() == Model.x == 2
    del Model.x
    assert not hasattr(Model, "x")
    with pytest.raises(AttributeError):
        del Model.x
    monkeypatch.delattr(Model, "f")
    assert not hasattr(Model, "f")
    monkeypatch.undo()
    Model.x = 3
    assert Model().f() == 3
    Model.__doc__, Model.__qualname__ = "New.", "Elsewhere"
    assert (Model.__doc__, Model.__base__.__doc__) == ("New.", None)
    assert Model.__base__.__qualname__.endswith("Model")


def test_new_may_return_something_else(dispatcher, jax):
    made = []

    @dispatcher.backend_class
    class Model:
        def __new__(cls, kind="self"):
            if kind == "number":
                return 5
            if kind == "cached" and made:
                return made[0]
            if kind == "sub":
                return super().__new__(Sub)
            made.append(super().__new__(cls))
            return made[-1]

        def __init__(self, kind="self"):
            self.kind = kind

    class Sub(Model):
        pass

    assert Model("number") == 5
    first = Model()
    assert Model("cached") is first
    assert type(Model("sub")) is Sub
    assert Model("sub").kind == "sub"
    assert type(Model("number", backend="jax")) is Other


def test_callable_instances_and_descriptors(dispatcher):
    class Named:
        def __set_name__(self, owner, name):
            self.name = name

        def __get__(self, instance, owner):
            return self.name

    @dispatcher.backend_class
    class Model:
        field = Named()

        def __call__(self, x):
            return x

        @functools.cached_property
        def lazy(self):
            return object()

        @functools.singledispatchmethod
        def kind(self, value):
            return "any"

        @kind.register
        def _(self, value: int):
            return "int"

    made = Model()
    assert made(3) == 3
    assert str(inspect.signature(made)) == "(x)"
    assert made.lazy is made.lazy
    assert (made.kind(1), made.kind("x")) == ("int", "any")
    assert (Model.field, made.field) == ("field", "field")
    assert not hasattr(made, "__signature__")


def test_weak_references_and_identity(dispatcher):
    import gc
    import weakref

    Model = decorate(dispatcher)
    made = Model()
    reference = weakref.ref(made)
    del made
    assert reference() is None
    assert {Model: 1}[Model] == 1
    assert dict(dispatcher.functions) == {"Model": Model}
    kept = weakref.ref(Model)
    del Model
    gc.collect()
    assert kept() is None
    assert dict(dispatcher.functions) == {}


# -- what tools see ------------------------------------------------------------------------


def test_the_signature_shows_the_selector(dispatcher):
    assert str(inspect.signature(Public)) == "(size, *, scale=1, backend=None)"
    assert str(inspect.signature(decorate(dispatcher))) == "(*, backend=None)"
    assert str(inspect.signature(Public.__init__)) == "(self, size, *, scale=1)"
    assert str(inspect.signature(Public.of)) == "(text)"

    @dispatcher.backend_class(name="New")
    class New:
        def __new__(cls, a, /, *args, b, **kwargs):
            return super().__new__(cls)

    assert str(inspect.signature(New)) == "(a, /, *args, b, backend=None, **kwargs)"

    @dispatcher.backend_class
    class Pre:
        __signature__ = inspect.Signature([inspect.Parameter("z", inspect.Parameter.KEYWORD_ONLY)])

    assert str(inspect.signature(Pre)) == "(*, z, backend=None)"

    Sub2 = type("Sub2", (Public,), {"__init__": lambda self: None})
    assert str(inspect.signature(Sub2)) == "()"
    assert not hasattr(Sub2, "__signature__")


def test_a_class_whose_signature_is_unknown_is_accepted(dispatcher):
    Model = dispatcher.backend_class(type("Model", (dict,), {}))
    try:
        expected = str(inspect.signature(dict))
    except ValueError:
        with pytest.raises(ValueError, match="signature"):
            inspect.signature(Model)
        assert not hasattr(Model, "__signature__")
    else:
        assert str(inspect.signature(Model)) == expected
    assert Model(a=1) == {"a": 1}


def test_the_docstring_describes_the_selector():
    lines = Public.__doc__.splitlines()
    assert lines[0] == "Hold a size."
    assert "backend : str, optional" in [line.strip() for line in lines]
    assert inspect.getdoc(Public).startswith("Hold a size.\n\nParameters")
    host = Public.__base__.__doc__
    assert [line for line in lines if line in host.splitlines()] == host.splitlines()


def test_a_docstring_can_be_replaced_and_missing(dispatcher):
    Model = decorate(dispatcher)
    assert Model.__doc__ is None
    assert inspect.getdoc(Model) is None
    Model.__doc__ = "New."
    assert (Model.__doc__, Model().__doc__) == ("New.", "New.")


def test_help_shows_the_selector_and_the_members():
    text = pydoc.plain(pydoc.render_doc(Public))
    assert "(size, *, scale=1, backend=None)" in text
    assert "backend : str, optional" in text
    defined = text.partition("Methods defined here:")[2]
    assert "double(self)" in defined
    assert "The square." in text


def test_doctest_finds_the_methods():
    finder = doctest.DocTestFinder()
    names = {t.name for t in finder.find(Public, "Public", globs={"Public": Public}) if t.examples}
    assert names == {"Public", "Public.double"}


def test_source_and_members():
    assert inspect.isclass(Public)
    assert inspect.getsource(Public).startswith("@SHARED.backend_class\nclass Public:")
    assert inspect.getsourcefile(Public) == __file__
    assert inspect.getmodule(Public).__name__ == __name__
    kinds = {a.name: (a.kind, a.defining_class) for a in inspect.classify_class_attrs(Public)}
    assert kinds["double"] == ("method", Public)
    assert kinds["of"] == ("class method", Public)
    assert kinds["area"] == ("property", Public)
    assert kinds["helper"] == ("static method", Public)
    assert repr(Public) == f"<class '{__name__}.Public'>"


def test_mocks_specified_by_it():
    fake = mock.create_autospec(Public)
    assert isinstance(fake(1), mock.NonCallableMagicMock)
    assert isinstance(mock.create_autospec(Public, instance=True), Public)
    with pytest.raises(TypeError):
        fake(1).double(5)
    with mock.patch(f"{__name__}.Public", autospec=True) as patched:
        assert Public is patched


# -- pickling and copying ------------------------------------------------------------------


class Reducing:
    """One that is made anew by calling its class."""

    made = []

    def __init__(self, x):
        self.x = x
        self.made.append(x)

    def __reduce__(self):
        return type(self), (self.x,)

    def __copy__(self):
        return type(self)(self.x)

    def __deepcopy__(self, memo):
        return type(self)(copy.deepcopy(self.x, memo))


def remake(x):
    return Factory(x)


class Factory(Reducing):
    def __reduce__(self):
        return remake, (self.x,)


Reducing = SHARED.backend_class(Reducing)
Factory = SHARED.backend_class(Factory)


class SubReducing(Reducing):
    pass


@SHARED.backend_class
class Failure(Exception):
    pass


@SHARED.backend_class
class Mapping(collections.OrderedDict):
    pass


@SHARED.backend_class
class Slotted:
    __slots__ = ("x",)

    def __init__(self, x):
        self.x = x


INSTANCES = [
    Public(1),
    Reducing(2),
    Factory(3),
    SubReducing(4),
    Failure(5),
    Mapping(a=6),
    Slotted(7),
]


@pytest.mark.parametrize("instance", INSTANCES, ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("scoped", [False, True])
def test_instances_pickle_and_copy_without_dispatching(instance, scoped):
    every = ("Public", "Reducing", "Factory", "Failure", "Mapping", "Slotted")
    adapter = SimpleNamespace(name="jax", **dict.fromkeys(every, Other))
    first = 2 if isinstance(instance, Slotted) else 0  # as ever for slots without __getstate__
    with SHARED.register(adapter), SHARED.backend("jax" if scoped else "cpu"):
        for protocol in range(first, pickle.HIGHEST_PROTOCOL + 1):
            again = pickle.loads(pickle.dumps(instance, protocol))
            assert type(again) is type(instance)
            assert _content(again) == _content(instance)
        for copied in (copy.copy(instance), copy.deepcopy(instance), copy.deepcopy([instance])[0]):
            assert type(copied) is type(instance)
            assert _content(copied) == _content(instance)


def _content(instance):
    state = getattr(instance, "__dict__", None) or getattr(instance, "x", None)
    return (
        state,
        getattr(instance, "args", None),
        repr(instance) if isinstance(instance, dict) else "",
    )


def test_classes_and_bound_methods_pickle_by_name():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(Public, protocol)) is Public
        assert pickle.loads(pickle.dumps(Public.of, protocol))("3").size == 3
        assert pickle.loads(pickle.dumps(Public(4).double, protocol))() == 8
        part = pickle.loads(pickle.dumps(functools.partial(Public, scale=2), protocol))
        assert part(3).size == 6
    assert copy.copy(Public) is Public
    assert copy.deepcopy(Public) is Public


def test_a_local_class_pickles_no_better_than_before(dispatcher):
    Model = decorate(dispatcher)
    Model.__qualname__ = "nowhere"
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(Model())


def test_copying_methods_work_in_subclasses(shared):
    with shared.backend("cpu"):
        made = SubReducing(5)
    with SHARED.register(SimpleNamespace(name="r", Reducing=Other)), SHARED.backend("r"):
        assert type(copy.copy(made)) is SubReducing
        assert type(pickle.loads(pickle.dumps(made))) is SubReducing
    assert Reducing.__copy__.__name__ == "__copy__"
