"""Readers raise FormatError at every end; writers are their mirror."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FormatError
from probee.base.reader import Reader, Writer


@given(st.lists(st.integers(0, (1 << 64) - 1)), st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_leb128_round_trip(unsigned: list[int], signed: list[int]) -> None:
    out = Writer()
    for number in unsigned:
        out.write_uleb(number)
    for number in signed:
        out.write_sleb(number)
    reader = Reader(bytes(out.data))
    assert [reader.read_uleb() for _ in unsigned] == unsigned
    assert [reader.read_sleb() for _ in signed] == signed
    assert reader.left == 0


@pytest.mark.parametrize("little", [True, False])
def test_round_trip(little: bool) -> None:
    out = Writer(little=little)
    out.write_struct("BHIQ", 1, 2, 3, 4)
    out.write_string(b"text")
    out.align(8)
    reader = Reader(bytes(out.data), little=little)
    assert (reader.read_u8(), reader.read_u16(), reader.read_u32(), reader.read_u64()) == (1, 2, 3, 4)
    assert reader.read_string() == b"text"
    assert reader.read_bytes(reader.left) == bytes(4)


@given(st.binary(max_size=40), st.lists(st.integers(0, 7), max_size=20))
def test_nothing_but_format_errors(data: bytes, steps: list[int]) -> None:
    reader = Reader(data)
    reads = [
        reader.read_u8,
        reader.read_u16,
        reader.read_u32,
        reader.read_u64,
        reader.read_uleb,
        reader.read_sleb,
        reader.read_string,
        lambda: reader.read_bytes(5),
    ]
    try:
        for step in steps:
            reads[step]()
            assert reader.at <= len(data)
    except FormatError:
        pass


def test_errors_say_where() -> None:
    reader = Reader(bytes(20), start=8, end=12, path="/bin/x", section=".notes")
    reader.read_u16()
    with pytest.raises(FormatError) as caught:
        reader.read_u32()
    assert str(caught.value) == "/bin/x: .notes+0x2: expected 4 bytes, got 2"
    with pytest.raises(FormatError, match=r"offset in 0\.\.0x4, got 0x5"):
        reader.seek(5)
    with pytest.raises(FormatError, match=r"expected bytes 0x0\.\.0x9, got 0x8 bytes"):
        Reader(bytes(8), end=9)
    with pytest.raises(FormatError, match="ends in NUL"):
        Reader(b"abc").read_string()
    with pytest.raises(FormatError, match="at most 10 bytes"):
        Reader(b"\xff" * 20).read_uleb()
