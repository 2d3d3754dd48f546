"""Mutated files: FormatError and nothing else, in bounded time and memory."""

from __future__ import annotations

import lzma
import resource
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.eh_frame import framed
from builders.elf import ElfBuilder
from probee.base.errors import FormatError, TargetError
from probee.elf.consts import DT, PF, PT, SHF, SHN, SHT, STT
from probee.elf.debuglink import parse_alt_link, parse_debug_link
from probee.elf.eh_frame import FrameTable, find_function, parse_frame_table
from probee.elf.file import Elf
from probee.elf.resolve import resolve_symbol


def small(bits: int, little: bool, extended: bool) -> bytes:
    """A file with one of everything that is read."""
    elf = framed([(0x1000, 16), (0x1010, 16)], bits=bits, little=little, text=64)
    elf.extended = extended
    elf.section(".interp", data=b"/lib/ld.so\0")
    elf.section(".gnu_debuglink", data=b"x.debug\0\1\2\3\4")
    elf.section(".gnu_debugaltlink", data=b"x.dwz\0\1\2\3\4")
    elf.section(".gnu_debugdata", data=lzma.compress(b"\x7fELF"))
    elf.segment(PT.INTERP, ".interp")
    elf.note("GNU", 3, bytes(20), section=".note.gnu.build-id")
    elf.dynamic([(DT.NEEDED, "libc.so.6")])
    for table in (".symtab", ".dynsym"):
        elf.symbol("main", 0x1000, 16, table=table)
        elf.symbol("fopen", 0x1010, 16, table=table, version="V1" if table == ".dynsym" else "")
        elf.symbol("puts", section=SHN.UNDEF, table=table)
        elf.symbol("table", 0x1020, type=STT.OBJECT, table=table)
    return elf.build()


SMALL = [
    small(b, little, extended) for b in (32, 64) for little in (False, True) for extended in (False, True)
]


def read_everything(data: bytes) -> None:
    """Every reading of a file; each may refuse it."""
    elf = refused(lambda: Elf(data, "x"))
    if not isinstance(elf, Elf):
        return
    refused(lambda: elf.is_pie)
    refused(lambda: elf.build_id)
    refused(lambda: sum(1 for _ in elf.iter_notes()))
    refused(lambda: [elf.contents(s) for s in elf.sections])
    refused(lambda: elf.find_exports("fopen"))
    refused(lambda: elf.find_symbols("main"))
    refused(lambda: sum(1 for _ in elf.iter_functions()))
    refused(lambda: parse_debug_link(elf))
    refused(lambda: parse_alt_link(elf))
    table = refused(lambda: parse_frame_table(elf))
    if isinstance(table, FrameTable):
        refused(lambda: find_function(elf, table, 0x1018))
    for name in ("main", "mian", "puts", "table", "fopen@V1"):
        refused(lambda name=name: resolve_symbol(elf, name))


def refused(read: object) -> object:
    try:
        return read()  # type: ignore[operator]
    except (FormatError, TargetError) as error:
        return error


@st.composite
def mutated(draw: st.DrawFn, files: list[bytes]) -> bytes:
    """Some bytes or whole words changed, and sometimes the end cut off."""
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 8))
        size = draw(st.sampled_from([1, 2, 4, 8]))
        data[at : at + size] = draw(
            st.sampled_from([bytes(size), b"\xff" * size, b"\x7f" * size])
            | st.binary(min_size=size, max_size=size)
        )
    if draw(st.integers(0, 4)) == 0:
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@given(mutated(SMALL))
@settings(max_examples=300, deadline=1000, suppress_health_check=[HealthCheck.too_slow])
def test_mutated(data: bytes) -> None:
    read_everything(data)


@pytest.mark.parametrize("data", [SMALL[1], SMALL[6]])
def test_every_truncation(data: bytes) -> None:
    for size in range(len(data)):
        read_everything(data[:size])


@pytest.mark.parametrize(("data", "value"), [(SMALL[1], 0xFF), (SMALL[6], 0x01)])
def test_every_byte(data: bytes, value: int) -> None:
    for at in range(len(data)):
        read_everything(data[:at] + bytes([value]) + data[at + 1 :])


def test_real_file() -> None:
    """The tables of a real file, where mutation hits long lists."""
    whole = Path(sys.executable).resolve().read_bytes()[: 1 << 20]
    for at in range(16, 64):
        read_everything(whole[:at] + b"\xff" + whole[at + 1 :])


def test_time_and_memory_are_bounded_by_the_size() -> None:
    """Made to be slow: thousands of symbols whose names are long and overlap, and all end alike."""
    elf = ElfBuilder(tails=True)
    elf.section(".text", data=bytes(64), address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
    elf.load(".text", flags=PF.R | PF.X)
    for i in range(4000):
        elf.symbol("f" * (4000 - i), 0x1000)
    data = elf.build()
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(Elf(data).find_symbols("f")) == 1
    read_everything(data)
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_overlapping_notes_are_refused() -> None:
    elf = ElfBuilder()
    for _ in range(200):
        elf.note("x", 1, b"", section=".note")
    for _ in range(200):
        elf.section(".note2", SHT.NOTE).size = 2000
    with pytest.raises(FormatError, match="expected note sections that don't overlap"):
        list(Elf(elf.build()).iter_notes())


@pytest.mark.parametrize(
    ("info", "rows", "message"),
    [
        (
            1 << 31,
            [(1, 1, 0, 16, 32), (0, 0, 2, 1, 0), (1, 1, 0, 0, 1)],
            "expected entries 16 bytes apart, got 1",
        ),
        (3, [(1, 1, 0, 16, 0), (0, 0, 2, 1, 0)], ""),
        (1, [(1, 0xFFFF, 0, 16, 0), (0, 0, 2, 1, 16)], "expected fewer versions"),
        (2, [(1, 1, 0, 16, 0), (0, 0, 2, 99, 0)], "expected a version name that ends in NUL"),
        (1, [(1, 1, 0, 20, 0), (0, 0, 2, 99, 0)], "expected 16 bytes, got 12"),
    ],
)
def test_endless_versions_are_refused(info: int, rows: list[tuple[int, ...]], message: str) -> None:
    elf = ElfBuilder(hash=False)
    data = b"".join(elf.pack("HHIII" if i % 2 == 0 else "IHHII", *row) for i, row in enumerate(rows))
    elf.section(".gnu.version", SHT.GNU_VERSYM, bytes(4))
    elf.section(".gnu.version_r", SHT.GNU_VERNEED, data, link=".dynstr", info=info)
    elf.symbol("f", 1, section=SHN.ABS, table=".dynsym")
    file = Elf(elf.build())
    if not message:
        assert len(file.find_symbols("f")) == 1
        return
    with pytest.raises(FormatError, match=message):
        file.find_symbols("f")


def test_strings_of_the_dynamic_section_end() -> None:
    elf = ElfBuilder()
    elf.dynamic([(DT.NEEDED, "x" * 1024)])
    with pytest.raises(FormatError, match=r"\.dynstr\+0x1: expected a string that ends in NUL"):
        _ = Elf(elf.build()).dynamic
