"""tracefs's descriptions of records: the fields' types, and what is no description."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError
from probee.ctype.tracepoint import is_data_loc, is_rel_loc, parse_format
from probee.ctype.types import BOOL, CHAR, Array, CType, Int, LazyStruct, Ptr


def field(declaration: str, size: int, signed: bool = False) -> CType:
    text = f"format:\n\tfield:{declaration};\toffset:8;\tsize:{size};\tsigned:{int(signed)};\n"
    struct = parse_format(text, "test", "kernel")
    assert struct.size == 8 + size
    (member,) = struct.members
    assert (member.name, member.offset_bits) == ("x", 64)
    return member.type


@pytest.mark.parametrize(
    ("declaration", "size", "signed", "type"),
    [
        ("int x", 4, True, Int(4, True)),
        ("unsigned long x", 8, False, Int(8, False)),
        ("pid_t x", 4, True, Int(4, True)),
        ("enum thing x", 4, False, Int(4, False)),
        ("bool x", 1, False, BOOL),
        ("char x", 1, True, CHAR),
        ("char x[16]", 16, False, Array(CHAR, 16)),
        ("char x[IFNAMSIZ]", 16, False, Array(CHAR, 16)),
        ("u8 x[6]", 6, False, Array(Int(1, False), 6)),
        ("__u32 x[4]", 16, False, Array(Int(4, False), 4)),
        ("unsigned long x[6]", 48, False, Array(Int(8, False), 6)),
        ("struct thing x", 12, False, Array(Int(1, False), 12)),
        ("const char * x", 8, False, Ptr(CHAR, "kernel")),
        ("struct page * x", 8, False, Ptr(LazyStruct("page", 0, "struct", tuple, declared=True), "kernel")),
        ("const char *const * x", 8, False, Ptr(Ptr(CHAR, "kernel"), "kernel")),
    ],
)
def test_types_of_fields(declaration: str, size: int, signed: bool, type: CType) -> None:
    assert field(declaration, size, signed) == type


def test_fields_of_changing_length() -> None:
    assert is_data_loc(field("__data_loc char[] x", 4))
    assert is_rel_loc(field("__rel_loc u8[] x", 4))
    assert not is_data_loc(field("unsigned int x", 4))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a tracepoint's fields, got none"),
        ("\tfield:int x;\toffset:0;\n", "expected a field's declaration, offset, size and sign"),
        ("\tfield:;\toffset:0;\tsize:4;\tsigned:1;", "expected a field's declaration"),
        ("\tfield:*;\toffset:0;\tsize:4;\tsigned:1;", "expected a field's declaration"),
    ],
)
def test_what_is_no_description(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_format(text, "test", "kernel")


@given(st.text(alphabet="\tfield:char int*[]; offst:0123 signed_", max_size=80))
def test_any_text_is_a_description_or_an_error(text: str) -> None:
    try:
        parse_format("\tfield:" + text, "test", "kernel")
    except FormatError:
        pass
