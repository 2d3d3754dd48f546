"""Where calling conventions put arguments and results; canonical frame addresses; packages of split units."""

from __future__ import annotations

import struct

import pytest

from builders.dwarf import DwarfBuilder, Entry, base_type
from probee.base.errors import FormatError
from probee.dwarf.consts import AT, ATE, CC, FORM, TAG, UT
from probee.dwarf.convention import find_arguments, find_result
from probee.dwarf.expr import render_location
from probee.dwarf.file import Dwarf
from probee.dwarf.package import find_parts
from probee.dwarf.registers import register_names
from probee.dwarf.search import find_functions
from probee.elf.consts import EM

INT = base_type("int", 4, ATE.SIGNED)
LONG = base_type("long", 8, ATE.SIGNED)
WIDE = base_type("__int128", 16, ATE.SIGNED)
DOUBLE = base_type("double", 8, ATE.FLOAT)
LONG_DOUBLE = base_type("long double", 16, ATE.FLOAT)


def struct_of(name: str, *members: Entry, size: int = 0, by_reference: bool = False) -> Entry:
    """A struct of members one after another, each of its own size."""
    rows, at = [], 0
    for member in members:
        width = next(value for key, _, value in member.attributes if key == AT.BYTE_SIZE)
        assert isinstance(width, int)
        at = -(-at // width) * width
        rows.append(
            Entry(
                TAG.MEMBER,
                [
                    (AT.NAME, FORM.STRING, f"m{at}"),
                    (AT.TYPE, FORM.REF4, member),
                    (AT.DATA_MEMBER_LOCATION, FORM.DATA1, at),
                ],
            )
        )
        at += width
    attributes: list[tuple[int, object, object]] = [
        (AT.NAME, FORM.STRING, name),
        (AT.BYTE_SIZE, FORM.DATA1, size or at),
    ]
    if by_reference:
        attributes.append((AT.CALLING_CONVENTION, FORM.DATA1, CC.PASS_BY_REFERENCE))
    return Entry(TAG.STRUCTURE_TYPE, attributes, rows)


PAIR = struct_of("pair", LONG, INT, size=16)
SMALL = struct_of("small", INT, INT)
FLOATS = struct_of("floats", DOUBLE, DOUBLE)
MIXED = struct_of("mixed", DOUBLE, LONG)
BIG = struct_of("big", LONG, LONG, LONG)
OBJECT = struct_of("object", LONG, by_reference=True)
EMPTY = Entry(TAG.STRUCTURE_TYPE, [(AT.NAME, FORM.STRING, "empty"), (AT.BYTE_SIZE, FORM.DATA1, 0)])
TYPES = [INT, LONG, WIDE, DOUBLE, LONG_DOUBLE, PAIR, SMALL, FLOATS, MIXED, BIG, OBJECT, EMPTY]
FLOAT = "not known: a floating point value, in a register that probes don't see"


def places(machine: int, *types: Entry, returns: Entry | None = None, language: int = 0x0C) -> list[str]:
    """Where the arguments of a function with parameters of `types` are, and last what it returns."""
    parameters = [
        Entry(TAG.FORMAL_PARAMETER, [(AT.NAME, FORM.STRING, f"p{n}"), (AT.TYPE, FORM.REF4, of)])
        for n, of in enumerate(types)
    ]
    attributes: list[tuple[int, object, object]] = [
        (AT.NAME, FORM.STRING, "f"),
        (AT.LOW_PC, FORM.ADDR, 0x1000),
        (AT.HIGH_PC, FORM.DATA4, 16),
    ]
    if returns is not None:
        attributes.append((AT.TYPE, FORM.REF4, returns))
    built = DwarfBuilder()
    built.unit([*TYPES, Entry(TAG.SUBPROGRAM, attributes, parameters)], [(AT.LANGUAGE, FORM.DATA1, language)])
    (function,) = find_functions(Dwarf(built.elf()), "f")
    found = [*find_arguments(function, machine), find_result(function, machine)]
    return [render_location(location, register_names(machine)) for location in found]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([INT] * 8, ["in rdi", "in rsi", "in rdx", "in rcx", "in r8", "in r9", "at CFA", "at CFA+8"]),
        ([PAIR, SMALL], ["64 bits in rdi; 64 bits in rsi", "in rdx"]),
        # What doesn't fit the registers that are left goes to the stack, and later ones still fill them.
        ([INT] * 5 + [PAIR, INT], ["in rdi", "in rsi", "in rdx", "in rcx", "in r8", "at CFA", "in r9"]),
        ([BIG, INT, BIG], ["at CFA", "in rdi", "at CFA+24"]),
        ([DOUBLE, INT, FLOATS, MIXED, INT], [FLOAT, "in rdi", FLOAT, FLOAT, "in rdx"]),
        ([LONG_DOUBLE, INT, LONG_DOUBLE], ["at CFA", "in rdi", "at CFA+16"]),
        ([DOUBLE] * 10, [FLOAT] * 8 + ["at CFA", "at CFA+8"]),
        ([WIDE, INT], ["64 bits in rdi; 64 bits in rsi", "in rdx"]),
        ([OBJECT, INT], ["at rdi", "in rsi"]),
        ([EMPTY, INT], ["not known: a value without bytes", "in rdi"]),
    ],
)
def test_arguments_of_x86_64(types: list[Entry], expected: list[str]) -> None:
    assert places(EM.X86_64, *types)[:-1] == expected


def test_the_place_of_the_result_is_an_argument_of_x86_64() -> None:
    for returns in (BIG, OBJECT):
        assert places(EM.X86_64, INT, returns=returns) == ["in rsi", "at rax"]


@pytest.mark.parametrize(
    ("machine", "returns", "expected"),
    [
        (EM.X86_64, INT, "in rax"),
        (EM.X86_64, SMALL, "in rax"),
        (EM.X86_64, PAIR, "64 bits in rax; 64 bits in rdx"),
        (EM.X86_64, WIDE, "64 bits in rax; 64 bits in rdx"),
        (EM.X86_64, DOUBLE, FLOAT),
        (EM.X86_64, MIXED, FLOAT),
        (EM.X86_64, None, "not known: a value without bytes"),
        (EM.AARCH64, PAIR, "64 bits in x0; 64 bits in x1"),
        (
            EM.AARCH64,
            BIG,
            "not known: a value that is returned in the caller's memory, whose address is not kept",
        ),
        (EM.AARCH64, FLOATS, FLOAT),
    ],
)
def test_results(machine: int, returns: Entry | None, expected: str) -> None:
    assert places(machine, returns=returns) == [expected]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([INT] * 9, [f"in x{n}" for n in range(8)] + ["at CFA"]),
        ([BIG, INT], ["at x0", "in x1"]),
        # Pairs of 16 bytes begin with an even register; when one does not fit, what is left stays empty.
        ([INT, WIDE, INT], ["in x0", "64 bits in x2; 64 bits in x3", "in x4"]),
        ([INT] * 7 + [PAIR, INT], [f"in x{n}" for n in range(7)] + ["at CFA", "at CFA+16"]),
        ([FLOATS, MIXED], [FLOAT, "64 bits in x0; 64 bits in x1"]),
    ],
)
def test_arguments_of_aarch64(types: list[Entry], expected: list[str]) -> None:
    assert places(EM.AARCH64, *types)[:-1] == expected


@pytest.mark.parametrize(
    ("types", "returns", "expected"),
    [
        ([INT, LONG, INT], None, ["at CFA", "at CFA+4", "at CFA+12"]),
        ([SMALL, DOUBLE, INT], None, ["at CFA", "at CFA+8", "at CFA+16"]),
        ([EMPTY, BIG, INT], None, ["not known: a value without bytes", "at CFA", "at CFA+24"]),
        ([INT], INT, ["at CFA", "in eax"]),
        ([INT], LONG, ["at CFA", "32 bits in eax; 32 bits in edx"]),
        ([INT], DOUBLE, ["at CFA", FLOAT]),
        ([INT], WIDE, ["at CFA", "not known: a value of 16 bytes"]),
        # The place of what is returned is the first argument.
        ([INT], SMALL, ["at CFA+4", "at eax"]),
    ],
)
def test_i386(types: list[Entry], returns: Entry | None, expected: list[str]) -> None:
    assert places(EM.I386, *types, returns=returns)[: len(expected)] == expected


def test_languages_with_conventions_of_their_own() -> None:
    go, rust = 0x16, 0x1C
    assert all(
        "Go passes in its own way" in place for place in places(EM.X86_64, INT, returns=INT, language=go)
    )
    assert places(EM.X86_64, BIG, INT, language=rust)[:-1] == ["at rdi", "in rsi"]


# Packages


def index(rows: list[tuple[int, int, int]], *, slots: int = 4, version: int = 5) -> bytes:
    """A `.debug_cu_index` of (id, offset, size) in .debug_info; in .debug_abbrev both are one more."""
    keys, numbers = [0] * slots, [0] * slots
    for number, (key, _, _) in enumerate(rows, 1):
        slot, step = key & slots - 1, key >> 32 & slots - 1 | 1
        while numbers[slot]:
            slot = slot + step & slots - 1
        keys[slot], numbers[slot] = key, number
    data = struct.pack("<IIII", version, 2, len(rows), slots)
    data += struct.pack(f"<{slots}Q{slots}I", *keys, *numbers) + struct.pack("<2I", 1, 3)
    data += b"".join([struct.pack("<2I", at, at + 1) for _, at, _ in rows])
    return data + b"".join([struct.pack("<2I", size, size + 1) for _, _, size in rows])


@pytest.mark.parametrize("version", [2, 5])
def test_parts_of_a_package(version: int) -> None:
    built = DwarfBuilder()
    # The first two begin in the same slot.
    built.section(".debug_cu_index").write_bytes(index([(8, 0, 9), (4, 9, 7), (7, 16, 1)], version=version))
    elf = built.elf()
    assert find_parts(elf, 8) == {".debug_info": (0, 9), ".debug_abbrev": (1, 10)}
    assert find_parts(elf, 4) == {".debug_info": (9, 7), ".debug_abbrev": (10, 8)}
    assert find_parts(elf, 7) == {".debug_info": (16, 1), ".debug_abbrev": (17, 2)}
    assert find_parts(elf, 12) is None
    assert find_parts(DwarfBuilder().elf(), 8) is None


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<IIII", 3, 1, 1, 2) + bytes(64),
        struct.pack("<IIII", 5, 99, 1, 2) + bytes(64),
        struct.pack("<IIII", 5, 1, 1, 3) + bytes(64),
        struct.pack("<IIII", 5, 1, 3, 2) + bytes(64),
        struct.pack("<IIII", 5, 1, 1, 2) + struct.pack("<2Q2I", 8, 0, 5, 0) + bytes(64),
        index([(8, 0, 9)])[:-4],
        index([(8, 0, 9)])[:10],
    ],
)
def test_malformed_packages(data: bytes) -> None:
    built = DwarfBuilder()
    built.section(".debug_cu_index").write_bytes(data)
    with pytest.raises(FormatError, match="debug_cu_index"):
        find_parts(built.elf(), 8)


def test_a_unit_of_a_package() -> None:
    """The same skeleton and split unit, once as a part of a package that has another unit before it."""
    package = DwarfBuilder()
    package.unit(
        [Entry(TAG.SUBPROGRAM, [(AT.NAME, FORM.STRING, "other")])], type=UT.SPLIT_COMPILE, signature=1
    )
    starts = [len(package.section(name).data) for name in (".debug_info", ".debug_abbrev")]
    number = base_type()
    function = Entry(
        TAG.SUBPROGRAM,
        [
            (AT.NAME, FORM.STRING, "f"),
            (AT.LOW_PC, FORM.ADDR, 0x1000),
            (AT.HIGH_PC, FORM.DATA4, 16),
            (AT.TYPE, FORM.REF4, number),
        ],
    )
    package.unit([number, function], type=UT.SPLIT_COMPILE, signature=2)
    # In a package, offsets of abbreviations are relative to the unit's part.
    package.section(".debug_info").data[starts[0] + 8 : starts[0] + 12] = bytes(4)
    sizes = [
        len(package.section(n).data) - s
        for n, s in zip((".debug_info", ".debug_abbrev"), starts, strict=True)
    ]
    table = struct.pack("<IIII", 5, 2, 1, 2) + struct.pack("<2Q2I", 2, 0, 1, 0) + struct.pack("<2I", 1, 3)
    package.section(".debug_cu_index").write_bytes(table + struct.pack("<4I", *starts, *sizes))
    package.sections = {
        name if name == ".debug_cu_index" else f"{name}.dwo": writer
        for name, writer in package.sections.items()
    }
    skeleton = DwarfBuilder()
    skeleton.unit(
        [],
        [(AT.DWO_NAME, FORM.STRING, "a.dwo"), (AT.COMP_DIR, FORM.STRING, "/tmp")],
        type=UT.SKELETON,
        signature=2,
    )
    dwarf = Dwarf(skeleton.elf(), package=package.elf())
    (found,) = find_functions(dwarf, "f")
    assert (found.entry, found.returns_name) == (0x1000, "int")
