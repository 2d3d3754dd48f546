from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fakes import ENDIAN, TYPES, encode_event, encode_value, frame, make_layout, values
from probee.base.errors import FormatError, InternalError
from probee.ctype.types import (
    CHAR,
    INT8,
    INT32,
    UINT8,
    UINT32,
    Array,
    Func,
    Int,
    Member,
    Struct,
    Typedef,
    Void,
)
from probee.events.batch import Batch, Decoder, batch_of, stride_of
from probee.events.decode import Form, compile_value, fuse
from probee.spec.bundle import EventLayout, Field
from probee.spec.values import Buffer, Chars, Str, Timestamp, Tuple, Username

RAW = Form(raw=True)


@given(TYPES.flatmap(lambda t: st.tuples(st.just(t), values(t))), st.sampled_from((b"\0", b"\xaa", b"\xff")))
def test_decoding_undoes_encoding(typed: tuple, rubbish: bytes) -> None:
    type, value = typed
    assert compile_value(type, RAW)(encode_value(type, value, rubbish)) == value


@given(
    st.lists(TYPES, max_size=5).flatmap(
        lambda types: st.tuples(
            st.just(types), st.lists(st.tuples(*map(values, types)), min_size=1, max_size=4)
        )
    )
)
def test_a_batch_decodes_to_the_rows_that_were_sent(case: tuple) -> None:
    types, rows = case
    layout = make_layout(types)
    data = b"".join(frame(encode_event(layout, row)) for row in rows)
    decoder = Decoder(layout, RAW)
    assert decoder.rows(Batch(layout, stride_of(layout), len(rows), memoryview(data))) == rows
    assert decoder.row(encode_event(layout, rows[0])) == rows[0]


@pytest.mark.parametrize(
    ("room", "value"),
    [
        (b"abc\0\xff\xff\xff", "abc"),
        (b"\0bcdefg", ""),
        (b"abcdefg", "abcdefg.."),
        (b"\xc3\xa4\xff\0\0\0\0", "ä\\xff"),
    ],
)
def test_text_ends_at_its_nul_and_says_when_it_was_cut(room: bytes, value: str) -> None:
    assert compile_value(Str(7), Form())(room) == value
    # An array of C is as long as it is: one that is full was not cut.
    whole = value.removesuffix("..")
    assert compile_value(Array(CHAR, 7), Form())(room) == whole
    assert compile_value(Chars(7), Form())(room) == whole
    raw = compile_value(Str(7), Form(raw=True, trailer=b"!"))(room)
    assert raw == (room.split(b"\0")[0] if b"\0" in room else room + b"!")


def test_a_buffer_claims_no_more_than_its_room() -> None:
    read = compile_value(Buffer(3), RAW)
    assert read((2).to_bytes(4, ENDIAN) + b"abc") == b"ab"
    assert read((2**32 - 1).to_bytes(4, ENDIAN) + b"abc") == b"abc"


def test_bit_fields_and_anonymous_members() -> None:
    inner = Struct("", 4, (Member("x", UINT8, 0), Member("y", INT8, 8)), "union")
    type = Struct(
        "s",
        8,
        (Member("low", UINT32, 0, 3), Member("mid", INT32, 3, 5), Member("", inner, 32)),
    )
    if ENDIAN == "little":
        assert compile_value(type, RAW)(bytes([0b10000_101, 0, 0, 0, 9, 255, 0, 0])) == {
            "low": 5, "mid": -16, "x": 9, "y": -1,
        }  # fmt: skip


def test_records_typedefs_and_wide_integers() -> None:
    record = Tuple((UINT8, Typedef("u", UINT32)), ("a", "b"))
    assert compile_value(record, RAW)(encode_value(Tuple((UINT8, UINT32)), (1, 2))) == {"a": 1, "b": 2}
    assert compile_value(Int(16, True), RAW)((-5).to_bytes(16, ENDIAN, signed=True)) == -5
    assert compile_value(Tuple(()), RAW)(b"") == ()
    assert compile_value(Void(), RAW)(b"") is None
    assert compile_value(Username(), RAW)((1000).to_bytes(4, ENDIAN)) == 1000


def test_a_derived_type_lies_in_memory_like_its_base() -> None:
    class Literal(Int):
        __slots__ = ()

    assert compile_value(Tuple((Literal(1, True), Literal(4, False))), RAW)(bytes(8)) == (0, 0)


def test_only_the_boot_clock_is_shifted_to_1970() -> None:
    form, data = Form(boot_offset=1000), (5).to_bytes(8, ENDIAN)
    assert compile_value(Timestamp(), form)(data) == 1005
    assert compile_value(Timestamp("", "tai"), form)(data) == 5


def test_fields_may_share_an_offset_but_not_overlap() -> None:
    shared = EventLayout(1, "printf", 8, (Field(4, UINT32), Field(4, UINT32)))
    assert Decoder(shared).row(encode_event(shared, (6, 6))) == (6, 6)
    torn = EventLayout(1, "printf", 8, (Field(4, UINT32), Field(5, UINT8)))
    with pytest.raises(InternalError, match="overlaps"):
        Decoder(torn).row(bytes(8))
    assert fuse([(4, 4, "I")], 12, 8) == "=12xI4x"


def test_what_does_not_fit_is_refused() -> None:
    layout = make_layout([UINT32])
    with pytest.raises(FormatError, match="expected records of 16 bytes of event 7"):
        Batch(layout, 24, 1, bytes(24))
    with pytest.raises(FormatError):
        Batch(layout, 16, 2, bytes(16))
    with pytest.raises(FormatError):
        batch_of(layout, bytes(9))
    with pytest.raises(FormatError):
        compile_value(UINT32, RAW)(b"123")
    with pytest.raises(InternalError):
        compile_value(Func(Void(), ()), RAW)
