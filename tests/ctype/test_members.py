"""Where members are: through anonymous structs, and along paths."""

from __future__ import annotations

import pytest

from probee.base.source import Source
from probee.ctype.declare import parse_declarations
from probee.ctype.members import find_member, offset_of, parse_path
from probee.ctype.types import Struct

TEXT = """
typedef struct { char pad; int deep; } inner_t;
struct s {
    int first;
    union { long whole; struct { int low, high; }; };
    struct { inner_t cells[2][3]; } grid;
    unsigned a:3, b:5;
};
"""


@pytest.fixture
def s() -> Struct:
    found = parse_declarations(Source("t.c", TEXT)).types["struct", "s"]
    assert isinstance(found, Struct)
    return found


@pytest.mark.parametrize(
    ("name", "bits"), [("first", 0), ("whole", 64), ("low", 64), ("high", 96), ("grid", 128), ("b", 515)]
)
def test_members_are_found_through_anonymous_structs(s: Struct, name: str, bits: int) -> None:
    found = find_member(s, name)
    assert found is not None
    assert (found[0], found[1].name) == (bits, name)


@pytest.mark.parametrize("name", ["deep", "cells", "", "nothing"])
def test_what_is_no_member(s: Struct, name: str) -> None:
    assert find_member(s, name) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("high", (96, "int", 0)),
        ("grid.cells", (128, "inner_t[3][2]", 0)),
        ("grid.cells[1][2].deep", (128 + 64 * 5 + 32, "int", 0)),
        ("grid.cells[5]", (128 + 192 * 5, "inner_t[3]", 0)),
        ("a", (512, "unsigned int", 3)),
    ],
)
def test_paths(s: Struct, path: str, expected: tuple[int, str, int]) -> None:
    bits, type, width = offset_of(s, parse_path(path))
    assert (bits, str(type), width) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "expected a member of struct s, got 'none'"),
        ("first.x", "expected a struct with a member 'x', got int"),
        ("first[0]", "expected an array for the index 0, got int"),
    ],
)
def test_paths_that_lead_nowhere(s: Struct, path: str, message: str) -> None:
    with pytest.raises(LookupError) as error:
        offset_of(s, parse_path(path))
    assert error.value.args == (message,)


def test_paths_as_text() -> None:
    assert parse_path("a.b[3][0x10].c") == ("a", "b", 3, 16, "c")
    for wrong in ("", "a.", "a[", "a[x]", "[1]", "a..b", "a[1]b"):
        with pytest.raises(ValueError):
            parse_path(wrong)
