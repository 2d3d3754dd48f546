"""Mutated debug information: FormatError and nothing else, in bounded time and memory."""

from __future__ import annotations

import resource
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.dwarf import DwarfBuilder, Entry, base_type
from probee.base.errors import FormatError
from probee.dwarf.consts import AT, FORM, TAG
from probee.dwarf.die import Die
from probee.dwarf.expr import render_location
from probee.dwarf.file import Dwarf
from probee.dwarf.functions import Function, iter_inlined
from probee.dwarf.line import find_line, find_line_addresses
from probee.dwarf.ops import OP
from probee.dwarf.search import find_function_at, find_functions, find_struct
from probee.dwarf.section import DwarfError
from probee.elf.file import Elf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def small(version: int, bits: int, little: bool, dwarf64: bool) -> bytes:
    """One of everything: types that refer to themselves, places, ranges, lists, indexes, lines."""
    built = DwarfBuilder(version=version, bits=bits, little=little, dwarf64=dwarf64)
    number = base_type()
    struct_ = Entry(TAG.STRUCTURE_TYPE, [(AT.NAME, FORM.STRP, "node"), (AT.BYTE_SIZE, FORM.DATA1, 16)])
    pointer = Entry(TAG.POINTER_TYPE, [(AT.TYPE, FORM.REF4, struct_)])
    array = Entry(TAG.ARRAY_TYPE, [(AT.TYPE, FORM.REF4, number)])
    array.children = [Entry(TAG.SUBRANGE_TYPE, [(AT.UPPER_BOUND, FORM.DATA1, 3)])]
    struct_.children = [
        Entry(TAG.MEMBER, [(AT.NAME, FORM.STRING, "next"), (AT.TYPE, FORM.REF4, pointer)]),
        Entry(TAG.MEMBER, [(AT.TYPE, FORM.REF4, array), (AT.DATA_MEMBER_LOCATION, FORM.DATA1, 8)]),
    ]
    place = (AT.LOCATION, FORM.BLOCK1, bytes([OP.FBREG, 0x68, OP.DEREF]))
    parameter = Entry(
        TAG.FORMAL_PARAMETER, [(AT.NAME, FORM.STRING, "first"), (AT.TYPE, FORM.REF4, pointer), place]
    )
    abstract = Entry(TAG.SUBPROGRAM, [(AT.NAME, FORM.STRP, "inner"), (AT.INLINE, FORM.DATA1, 1)])
    inlined = Entry(TAG.INLINED_SUBROUTINE, [(AT.ABSTRACT_ORIGIN, FORM.REF4, abstract)])
    function = Entry(
        TAG.SUBPROGRAM,
        [
            (AT.SIBLING, FORM.REF4, abstract),
            (AT.NAME, FORM.STRP, "work"),
            (AT.LOW_PC, FORM.ADDR, 0x1000),
            (AT.HIGH_PC, FORM.ADDR, 0x1010),
            (AT.FRAME_BASE, FORM.BLOCK1, bytes([OP.CALL_FRAME_CFA])),
            (AT.DECL_FILE, FORM.DATA1, 1),
        ],
        [parameter, inlined],
    )
    root = [(AT.NAME, FORM.STRP, "a.c"), (AT.STMT_LIST, FORM.DATA8 if dwarf64 else FORM.DATA4, 0)]
    built.unit([number, struct_, pointer, array, function, abstract], root)  # type: ignore[arg-type]
    built.aranges(0, [(0x1000, 0x10)])
    _write_lines(built)
    return built.data()


def _write_lines(built: DwarfBuilder) -> None:
    from probee.base.reader import Writer

    names, program = Writer(little=built.little), Writer(little=built.little)
    if built.version == 5:
        names.write_bytes(b"\1\1\x08\1src\0\2\1\x08\2\x0b\1a.c\0\0")
    else:
        names.write_bytes(b"src\0\0a.c\0\1\0\0\0")
    program.write_bytes(bytes([0, 1 + built.address_size, 2]))
    built.write_number(program, 0x1000, built.address_size)
    program.write_bytes(bytes([1, 20, 60, 2, 8, 0, 1, 1]))
    fields = Writer(little=built.little)
    fields.write_bytes(bytes([1] + ([1] if built.version >= 4 else []) + [1, 0xFB, 14, 13]))
    fields.write_bytes(bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1]) + bytes(names.data))
    body = Writer(little=built.little)
    body.write_struct("H", built.version)
    if built.version == 5:
        body.write_struct("BB", built.address_size, 0)
    built.write_offset(body, len(fields.data))
    section = built.section(".debug_line")
    built.write_length(section, len(body.data) + len(fields.data) + len(program.data))
    section.write_bytes(bytes(body.data + fields.data + program.data))


SMALL = [small(v, b, little, d) for v in (2, 4, 5) for b, little, d in ((64, True, False), (32, False, True))]


def read_everything(data: bytes) -> int:
    """Every reading of a file; each may refuse it. How many did not."""
    try:
        dwarf = Dwarf(Elf(data, "x"))
    except FormatError:
        return 0
    return sum(
        not isinstance(refused(read), FormatError)
        for read in (
            lambda: [read_function(f) for f in find_functions(dwarf, "work")],
            lambda: [read_function(f) for f in find_functions(dwarf, "inner", everywhere=True)],
            lambda: find_function_at(dwarf, 0x1008),
            lambda: find_struct(dwarf, "node"),
            lambda: find_line(dwarf, 0x1004),
            lambda: find_line_addresses(dwarf, "a.c", 2),
            lambda: [list(iter_inlined(unit)) for unit in dwarf.iter_units()],
            lambda: [read_entries(unit.root) for unit in dwarf.iter_units()],
            lambda: list(dwarf.iter_type_units()),
        )
    )


def read_function(function: Function) -> None:
    _ = (function.signature, function.decl_file, function.body, function.returns, function.inlined)
    for parameter in function.parameters:
        render_location(parameter.location(0x1000))
        parameter.location_at_entry(0x1000)
        repr(parameter.type)
        hash(parameter.type)
        members(getattr(parameter.type, "to", None))


def members(type: object) -> None:
    for member in getattr(type, "members", ()):
        assert member.type.size >= 0


def read_entries(die: Die, depth: int = 0) -> None:
    list(die.iter_values())
    for child in die.iter_children() if depth < 20 else ():
        read_entries(child, depth + 1)


def refused(read: Callable[[], object]) -> object:
    try:
        return read()
    except FormatError as error:
        return error


def test_nothing_is_refused_unmutated() -> None:
    for data in SMALL:
        assert read_everything(data) == 9


@st.composite
def mutated(draw: st.DrawFn, files: list[bytes]) -> bytes:
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 8))
        size = draw(st.sampled_from([1, 1, 1, 2, 4, 8]))
        data[at : at + size] = draw(
            st.sampled_from([bytes(size), b"\xff" * size, b"\x7f" * size])
            | st.binary(min_size=size, max_size=size)
        )
    if draw(st.integers(0, 4)) == 0:
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@given(mutated(SMALL))
@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
def test_mutated(data: bytes) -> None:
    read_everything(data)


@pytest.mark.parametrize("value", [0x00, 0x01, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize("data", [SMALL[0], SMALL[5]])
def test_every_byte(data: bytes, value: int) -> None:
    end = Elf(data).header.shoff
    for at in range(64, end):
        read_everything(data[:at] + bytes([value]) + data[at + 1 :])


SOURCE = """
struct s { struct s *next; int a[4]; } s;
static inline int add(struct s *p, int b) { return p ? p->a[b] : b; }
int work(struct s *p, const char *name, int n)
{
    int t = 0;
    for (int i = 0; i < n; i++) { t += add(p, i); p = p->next; }
    return t;
}
int main(int c, char **v) { return work(&s, v[0], c); }
"""


@pytest.mark.needs("cc", "binutils")
@pytest.mark.parametrize("flags", ["-gdwarf-5 -O2", "-gdwarf-4 -O2"])
def test_mutated_program(cc: Callable[..., Path], flags: str) -> None:
    """All the sections of a compiler, each byte of which in turn is changed in steps."""
    path = cc(SOURCE, *flags.split(), "-nostartfiles", "-Wl,-e,main")
    subprocess.run(["strip", "--only-keep-debug", path], check=True)
    data = path.read_bytes()
    elf = Elf(data)
    assert read_everything(data) == 9
    for section in elf.sections:
        if section.name.startswith(".debug"):
            start, end = elf.bounds(section)
            for at in range(start, end, max((end - start) // 15, 1)):
                for value in (0x00, 0x7F, 0xFF):
                    read_everything(data[:at] + bytes([value]) + data[at + 1 :])


def bounded(data: bytes) -> None:
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_everything(data)
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


def test_deep_entries_are_refused() -> None:
    built = DwarfBuilder()
    built.section(".debug_abbrev").write_bytes(b"\1\x11\1\0\0\2\x0b\1\0\0\0")
    built.section(".debug_info").write_struct("IHBBI", 8 + 20001, 5, 1, 8, 0)
    built.section(".debug_info").write_bytes(b"\1" + b"\2" * 20000)
    (unit,) = Dwarf(built.elf()).iter_units()
    with pytest.raises(DwarfError, match="expected entries at most 1024 deep"):
        list(unit.root.iter_children())
    bounded(built.data())


@pytest.mark.parametrize("tag", [TAG.CONST_TYPE, TAG.TYPEDEF, TAG.ARRAY_TYPE])
def test_type_of_itself(tag: int) -> None:
    built = DwarfBuilder()
    second = Entry(tag)
    first = Entry(tag, [(AT.TYPE, FORM.REF4, second)])
    second.attributes = [(AT.TYPE, FORM.REF4, first)]
    built.unit([Entry(TAG.VARIABLE, [(AT.TYPE, FORM.REF4, first)]), first, second])
    dwarf = Dwarf(built.elf())
    (unit,) = dwarf.iter_units()
    with pytest.raises(DwarfError, match="expected a type that is not made of itself"):
        dwarf.types.type_of(next(unit.root.iter_children()))


def test_pointer_to_itself() -> None:
    built = DwarfBuilder()
    pointer = Entry(TAG.POINTER_TYPE)
    pointer.attributes = [(AT.TYPE, FORM.REF4, pointer)]
    built.unit([pointer])
    dwarf = Dwarf(built.elf())
    (unit,) = dwarf.iter_units()
    assert str(dwarf.types.make(next(unit.root.iter_children()))) == "void *"


def test_origins_in_a_circle() -> None:
    built = DwarfBuilder()
    function = Entry(TAG.SUBPROGRAM)
    function.attributes = [(AT.ABSTRACT_ORIGIN, FORM.REF4, function), (AT.LOW_PC, FORM.ADDR, 0x1000)]
    built.unit([function])
    (unit,) = Dwarf(built.elf()).iter_units()
    with pytest.raises(DwarfError, match="expected at most 8 references to where the name is"):
        _ = Function(next(unit.root.iter_children())).name


def test_names_that_claim_to_be_many() -> None:
    """A line table of files that take no bytes each."""
    built = DwarfBuilder()
    built.unit([], [(AT.STMT_LIST, FORM.SEC_OFFSET, 0), (AT.LOW_PC, FORM.ADDR, 1)])
    fields = bytes([1, 1, 1, 0xFB, 14, 1]) + b"\0" + b"\xff\xff\xff\xff\x0f" + b"\0\0"
    section = built.section(".debug_line")
    section.write_struct("IHBBI", 8 + len(fields), 5, 8, 0, len(fields))
    section.write_bytes(fields)
    dwarf = Dwarf(built.elf())
    with pytest.raises(DwarfError, match="expected names of folders and files"):
        find_line_addresses(dwarf, "a.c", 1)
    bounded(built.data())


def test_abbreviations_that_never_end() -> None:
    built = DwarfBuilder()
    built.section(".debug_abbrev").write_bytes(b"\1\x11\1" + b"\3\x08" * 200000)
    built.section(".debug_info").write_struct("IHBBI", 9, 5, 1, 8, 0)
    built.section(".debug_info").write_bytes(b"\1")
    bounded(built.data())


def test_aranges_that_never_end() -> None:
    built = DwarfBuilder()
    built.section(".debug_aranges").write_bytes(struct.pack("<IHIBB", 0xFFFFFF0, 2, 0, 8, 0))
    built.unit([base_type()])
    with pytest.raises(DwarfError, match=r"\.debug_aranges\+0x10: expected \d+ bytes"):
        find_function_at(Dwarf(built.elf()), 1)
