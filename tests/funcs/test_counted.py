"""Text that knows its length: which records are such text."""

from __future__ import annotations

import pytest

from probee.ctype.types import INT64, UINT64, CType, Int, Member, Ptr, Struct, Typedef
from probee.funcs.counted import Counted, find_counted

BYTE = Int(1, False)


def struct(*members: tuple[str, CType, int]) -> Struct:
    size = max([at + type.size for _, type, at in members], default=0)
    return Struct("s", size, tuple([Member(name, type, 8 * at) for name, type, at in members]))


GO = struct(("str", Ptr(BYTE), 0), ("len", INT64, 8))
UNIQUE = struct(("pointer", struct(("pointer", Ptr(BYTE), 0)), 0), ("_marker", struct(), 8))
INNER = struct(("cap", struct(("__0", UINT64, 0)), 0), ("ptr", UNIQUE, 8))
VEC = struct(("buf", struct(("inner", INNER, 0)), 0), ("len", UINT64, 16))


@pytest.mark.parametrize(
    ("type", "found"),
    [
        (GO, Counted(0, 8, INT64)),
        (Typedef("string", GO), Counted(0, 8, INT64)),
        (struct(("array", Ptr(BYTE), 0), ("len", INT64, 8), ("cap", INT64, 16)), Counted(0, 8, INT64)),
        (struct(("length", UINT64, 8), ("data_ptr", Ptr(BYTE), 0)), Counted(0, 8, UINT64)),
        (VEC, Counted(8, 16, UINT64)),
        (struct(("vec", VEC, 0)), Counted(8, 16, UINT64)),
        (struct(("str", INT64, 0), ("len", INT64, 8)), None),
        (struct(("str", Ptr(BYTE), 0)), None),
        (struct(("buf", INT64, 0), ("len", INT64, 8)), None),
        (struct(("str", Ptr(BYTE), 0), ("len", Ptr(BYTE), 8)), None),
        (Ptr(BYTE), None),
    ],
)
def test_find(type: CType, found: Counted | None) -> None:
    assert find_counted(type) == found
