"""Mutated BTF: FormatError and nothing else, in bounded time and memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.btf import BtfBuilder, every_kind
from probee.base.errors import FormatError
from probee.btf.consts import Kind
from probee.btf.file import Btf
from probee.ctype.members import find_member
from probee.ctype.types import Struct


def tomorrow(*, little: bool) -> BtfBuilder:
    b = every_kind(little=little)
    b.add(25, "new", 0, vlen=3, rest=bytes(8 + 3 * 4))
    b.layout = [(0, 0)] * 25 + [(8, 4)]
    return b


SMALL = [make(little=little).build() for make in (every_kind, tomorrow) for little in (True, False)]
INDEX = Btf(SMALL[0]).index_bytes()


def read_everything(data: bytes, base: Btf | None = None, index: bytes | None = None) -> None:
    """Every reading of BTF; each may refuse it."""
    try:
        btf = Btf(data, "x", base, index=index)
        btf.find("node")
        kinds = [list(btf.iter_kind(kind)) for kind in Kind]
    except FormatError:
        return
    for ids in kinds:
        for id in ids:
            for read in (btf.type, btf.name, btf.linkage):
                try:
                    found = read(id)
                    if isinstance(found, Struct):
                        assert found.align >= 1
                        assert len(found.members) <= len(data)
                        find_member(found, "as_int")
                except FormatError:
                    pass
            try:
                list(btf.iter_tags(id))
                list(btf.iter_variables(id))
                btf.find_function("doit")
            except FormatError:
                pass


@st.composite
def mutated(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """Some bytes or whole words changed, and sometimes the end cut off."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 4))
        if draw(st.booleans()):
            data[at] = draw(st.integers(0, 255))
        else:
            word = draw(
                st.sampled_from([0, 1, 2, 3, 25, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF]) | st.integers(0, 1 << 30)
            )
            data[at // 4 * 4 : at // 4 * 4 + 4] = word.to_bytes(4, draw(st.sampled_from(["little", "big"])))
    return bytes(data[: len(data) - draw(st.sampled_from([0, 0, 0, 1, 4, 40]))])


@given(mutated(SMALL))
@settings(max_examples=300, deadline=2000)
def test_mutated_bytes_are_read_or_refused(data: bytes) -> None:
    read_everything(data)
    read_everything(data, Btf(SMALL[0], "base"))


@given(mutated([INDEX]))
@settings(max_examples=200, deadline=2000)
def test_a_mutated_index_is_read_or_refused(index: bytes) -> None:
    read_everything(SMALL[0], index=index)


def test_structs_that_hold_each_other_many_times() -> None:
    b = BtfBuilder()
    b.int("int", 4)
    for n in range(2, 60):
        b.struct("", 0, [("", n + 1, 0)] * 4)
    b.struct("", 0, [])
    btf = Btf(b.build())
    first = btf.type(2)
    assert isinstance(first, Struct)
    assert find_member(first, "absent") is None
    assert first.align == 1


def test_an_index_is_never_longer_than_its_types() -> None:
    # A vlen of 16 million in a few bytes.
    b = BtfBuilder()
    b.add(4, "s", 4, vlen=0xFFFFFF)
    with pytest.raises(FormatError, match="whole type"):
        Btf(b.build()).find("s")
