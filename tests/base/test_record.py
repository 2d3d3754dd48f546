"""Records keep the promises of frozen slotted dataclasses."""

from __future__ import annotations

import pickle

import pytest

from probee.base.record import fields, record, replace


@record
class Point:
    """Two numbers."""

    x: int
    y: int = 7


@record
class Named(Point):
    name: str = "origin"

    @property
    def label(self) -> str:
        return f"{self.name} {self.x},{self.y}"


@record
class Even:
    value: int

    def __post_init__(self) -> None:
        if self.value % 2:
            raise ValueError(f"expected an even number, got {self.value}")


class Identity:
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@record
class Node(Identity):
    value: int


# The constructor of the first instances and the one that replaces it must not differ.
@pytest.fixture(params=["first", "later"], autouse=True)
def made_before(request: pytest.FixtureRequest) -> None:
    if request.param == "later":
        for _ in range(30):
            Point(1), Named(1), Even(2), Node(1)


def test_construction() -> None:
    assert (Point(1).x, Point(1).y) == (1, 7)
    assert Point(y=2, x=1) == Point(1, 2)
    assert Named(1, 2, "a").label == "a 1,2"
    assert Named(1, name="b") == Named(1, 7, "b")
    assert repr(Named(1)) == "Named(x=1, y=7, name='origin')"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"x": 2}), ((1,), {"z": 2}), ((), {"y": 1})],
)
def test_wrong_calls(args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Point(*args, **kwargs)


def test_frozen_and_slotted() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match=r"Point\.x is frozen"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.x  # type: ignore[misc]
    with pytest.raises(AttributeError):
        point.z = 2  # type: ignore[attr-defined]
    assert not hasattr(point, "__dict__")


def test_equality_is_of_class_and_values() -> None:
    assert Point(1) != Named(1)
    assert len({Point(1), Point(1, 7), Named(1)}) == 2
    assert Point(1) != (1, 7)


def test_a_plain_base_keeps_its_methods() -> None:
    assert Node(1) != Node(1)
    node = Node(1)
    assert {node: "here"}[node] == "here"


def test_post_init_checks() -> None:
    assert Even(4).value == 4
    with pytest.raises(ValueError, match="expected an even number, got 3"):
        Even(3)


def test_replace_and_fields() -> None:
    assert replace(Named(1), y=3) == Named(1, 3)
    assert fields(Named) == ("x", "y", "name")
    with pytest.raises(TypeError, match="Point has no field 'z'"):
        replace(Point(1), z=1)


def test_match_and_pickle() -> None:
    match Named(1, 2, "n"):
        case Named(x, y, name):
            assert (x, y, name) == (1, 2, "n")
    assert pickle.loads(pickle.dumps(Named(1, 2, "n"))) == Named(1, 2, "n")
