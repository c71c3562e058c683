"""Dispatched classes stay classes to type checkers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, Generic, TypeVar, assert_type

from backstack import BackendDispatcher

T = TypeVar("T")

dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
backend_class = dispatcher.backend_class


@backend_class
class Model:
    kind: ClassVar[str] = "plain"

    def __init__(self, size: int, *, name: str = "") -> None:
        self.size = size
        self.name = name

    def fit(self, data: list[int]) -> "Model":
        return self

    @classmethod
    def of(cls, size: int) -> "Model":
        return cls(size)

    @property
    def area(self) -> float:
        return float(self.size)


model = Model(3, name="a")
assert_type(model, Model)
assert_type(model.size, int)
assert_type(model.fit([1]).area, float)
assert_type(Model.kind, str)
assert_type(Model.of(3), Model)
assert_type(Model.__name__, str)
Model("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Model()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
model.nothing  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
annotated: Model = model
kinds: type[Model] = Model


class Sub(Model):
    def fit(self, data: list[int]) -> "Sub":
        assert_type(super().fit(data), Model)
        return self


assert_type(Sub(3).fit([1]), Sub)
assert_type(Sub(3).size, int)
base: Model = Sub(3)


def narrow(value: object, either: Model | str) -> None:
    if isinstance(value, Model):
        assert_type(value, Model)
        assert_type(value.size, int)
    if isinstance(either, Model):
        assert_type(either, Model)
    else:
        assert_type(either, str)


def match(value: Model | int) -> int:
    match value:
        case Model(size=size):
            assert_type(size, int)
            return size
        case other:
            assert_type(other, int)
            return other


@dispatcher.backend_class(name="NamedBox")
class Box(Generic[T]):
    def __init__(self, content: T) -> None:
        self.content = content

    def get(self) -> T:
        return self.content


assert_type(Box("a"), Box[str])
assert_type(Box([1]).get(), list[int])


class IntBox(Box[int]): ...


assert_type(IntBox(1).get(), int)
IntBox("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@backend_class
@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


assert_type(Point(1).y, int)
assert_type(replace(Point(1), y=2), Point)
Point("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Point(1).x = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


@backend_class
class Base(ABC):
    @abstractmethod
    def run(self) -> int: ...


class Concrete(Base):
    def run(self) -> int:
        return 1


Base()  # type: ignore[abstract]  # pyright: ignore[reportAbstractUsage]
assert_type(Concrete().run(), int)


class Color(Enum):
    RED = 1


backend_class(plain := 5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
backend_class(len)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
