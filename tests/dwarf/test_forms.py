"""Every form and header, written and read again; what is refused."""

from __future__ import annotations

import zlib

import pytest

from builders.dwarf import DwarfBuilder, Entry, base_type
from probee.base.errors import FormatError
from probee.dwarf.consts import AT, FORM, TAG, UT
from probee.dwarf.file import Dwarf
from probee.dwarf.lists import find_ranges
from probee.dwarf.search import find_functions
from probee.dwarf.section import DwarfError
from probee.elf.consts import SHF

LAYOUTS = [
    (version, bits, little, dwarf64)
    for version in (2, 3, 4, 5)
    for bits in (32, 64)
    for little in (True, False)
    for dwarf64 in (False, True)
]


@pytest.mark.parametrize(("version", "bits", "little", "dwarf64"), LAYOUTS)
def test_layouts(version: int, bits: int, little: bool, dwarf64: bool) -> None:
    built = DwarfBuilder(version=version, bits=bits, little=little, dwarf64=dwarf64)
    number = base_type()
    parameter = Entry(
        TAG.FORMAL_PARAMETER, [(AT.NAME, FORM.STRING, "count"), (AT.TYPE, FORM.REF_ADDR, number)]
    )
    end = (AT.HIGH_PC, FORM.ADDR, 0x1010) if version < 4 else (AT.HIGH_PC, FORM.DATA4, 0x10)
    function = Entry(
        TAG.SUBPROGRAM,
        [(AT.NAME, FORM.STRP, "work"), (AT.LOW_PC, FORM.ADDR, 0x1000), end],
        [parameter],
    )
    built.unit([base_type("char", 1, 6)], [(AT.NAME, FORM.STRP, "a.c")])
    root = built.unit([number, function], [(AT.NAME, FORM.STRP, "b.c")])
    dwarf = Dwarf(built.elf())
    units = list(dwarf.iter_units())
    assert [unit.name for unit in units] == ["a.c", "b.c"]
    assert units[1].offset == root.offset - root.at
    assert (units[1].version, units[1].layout.offset_size) == (version, 8 if dwarf64 else 4)
    (found,) = find_functions(dwarf, "work")
    assert found.ranges == ((0x1000, 0x1010),)
    assert found.signature == "void work(int count)"


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        (FORM.DATA1, 0xFE, 0xFE),
        (FORM.DATA2, 0xFEDC, 0xFEDC),
        (FORM.DATA4, 0xFEDCBA98, 0xFEDCBA98),
        (FORM.DATA8, 1 << 63, 1 << 63),
        (FORM.SDATA, -129, -129),
        (FORM.UDATA, 300, 300),
        (FORM.IMPLICIT_CONST, -5, -5),
        ((FORM.INDIRECT, FORM.DATA2), 7, 7),
    ],
)
@pytest.mark.parametrize("little", [True, False])
def test_constants(form: object, value: int, expected: int, little: bool) -> None:
    built = DwarfBuilder(little=little)
    attributes = [(AT.SIBLING + 0x2000, FORM.UDATA, 1), (AT.CONST_VALUE, form, value)]
    entry = Entry(TAG.VARIABLE, [*attributes, (AT.NAME, FORM.STRING, "after")])
    built.unit([entry, Entry(TAG.VARIABLE, [(AT.NAME, FORM.STRING, "next")])])
    (unit,) = Dwarf(built.elf()).iter_units()
    first, second = unit.root.iter_children()
    assert first.find_constant(AT.CONST_VALUE) == expected
    assert (first.name, second.name) == ("after", "next")


@pytest.mark.parametrize(
    "form",
    [FORM.STRING, FORM.STRP, FORM.LINE_STRP, FORM.STRX, FORM.STRX1, FORM.STRX2, FORM.STRX3, FORM.STRX4],
)
@pytest.mark.parametrize("dwarf64", [False, True])
def test_strings(form: int, dwarf64: bool) -> None:
    built = DwarfBuilder(dwarf64=dwarf64)
    built.unit(
        [
            Entry(TAG.SUBPROGRAM, [(AT.NAME, form, "first"), (AT.LOW_PC, FORM.ADDR, 0x10)]),
            Entry(TAG.SUBPROGRAM, [(AT.NAME, form, "second"), (AT.LOW_PC, FORM.ADDR, 0x20)]),
        ],
        [(AT.STR_OFFSETS_BASE, FORM.SEC_OFFSET, 16 if dwarf64 else 8)],
    )
    dwarf = Dwarf(built.elf())
    (unit,) = dwarf.iter_units()
    assert [child.name for child in unit.root.iter_children()] == ["first", "second"]
    assert [f.entry for f in find_functions(dwarf, "second")] == ([0x20] if form != FORM.LINE_STRP else [])


@pytest.mark.parametrize("form", [FORM.BLOCK, FORM.BLOCK1, FORM.BLOCK2, FORM.BLOCK4, FORM.EXPRLOC])
@pytest.mark.parametrize("little", [True, False])
def test_blocks(form: int, little: bool) -> None:
    built = DwarfBuilder(little=little)
    built.unit([Entry(TAG.VARIABLE, [(AT.LOCATION, form, b"\x91\x70"), (AT.NAME, FORM.STRING, "v")])])
    (unit,) = Dwarf(built.elf()).iter_units()
    (child,) = unit.root.iter_children()
    assert child.find_block(AT.LOCATION) == b"\x91\x70"
    assert child.name == "v"


@pytest.mark.parametrize("form", [FORM.REF1, FORM.REF2, FORM.REF4, FORM.REF8, FORM.REF_UDATA, FORM.REF_ADDR])
def test_references(form: int) -> None:
    built = DwarfBuilder()
    number = base_type()
    built.unit([base_type("char", 1, 6)])
    built.unit([Entry(TAG.VARIABLE, [(AT.TYPE, form, number)]), number])
    unit = list(Dwarf(built.elf()).iter_units())[1]
    variable, target = unit.root.iter_children()
    assert variable.find_die(AT.TYPE) == target


@pytest.mark.parametrize("form", [FORM.ADDRX, FORM.ADDRX1, FORM.ADDRX2, FORM.ADDRX3, FORM.ADDRX4])
def test_addresses_by_number(form: int) -> None:
    built = DwarfBuilder()
    built.section(".debug_addr").write_bytes(bytes(8))
    built.section(".debug_addr").write_struct("QQ", 0x1111, 0x2222)
    function = Entry(TAG.SUBPROGRAM, [(AT.LOW_PC, form, 1), (AT.HIGH_PC, FORM.UDATA, 16)])
    built.unit([function], [(AT.ADDR_BASE, FORM.SEC_OFFSET, 8)])
    (unit,) = Dwarf(built.elf()).iter_units()
    assert find_ranges(next(unit.root.iter_children())) == [(0x2222, 0x2232)]


@pytest.mark.parametrize(
    ("attributes", "ranges"),
    [
        ([(AT.HIGH_PC, FORM.DATA1, 0)], []),
        ([(AT.HIGH_PC, FORM.DATA1, 2)], [(0x1000, 0x1002)]),
        ([(AT.HIGH_PC, FORM.ADDR, 0x1003)], [(0x1000, 0x1003)]),
        ([(AT.HIGH_PC, FORM.ADDR, 0xFFF)], []),
        ([], [(0x1000, 0x1001)]),
    ],
)
def test_ranges(attributes: list[tuple[int, object, object]], ranges: list[tuple[int, int]]) -> None:
    built = DwarfBuilder()
    built.unit([Entry(TAG.LEXICAL_BLOCK, [(AT.LOW_PC, FORM.ADDR, 0x1000), *attributes])])
    (unit,) = Dwarf(built.elf()).iter_units()
    assert find_ranges(next(unit.root.iter_children())) == ranges


@pytest.mark.parametrize(("version", "section"), [(4, ".debug_types"), (5, ".debug_info")])
def test_types_by_signature(version: int, section: str) -> None:
    built = DwarfBuilder(version=version)
    struct = Entry(TAG.STRUCTURE_TYPE, [(AT.NAME, FORM.STRING, "point"), (AT.BYTE_SIZE, FORM.DATA1, 8)])
    built.unit([struct], type=UT.TYPE, section=section, signature=77, type_entry=struct)
    built.unit([Entry(TAG.VARIABLE, [(AT.TYPE, FORM.REF_SIG8, 77)])])
    dwarf = Dwarf(built.elf())
    unit = next(unit for unit in dwarf.iter_units() if not unit.is_types)
    (variable,) = unit.root.iter_children()
    assert dwarf.types.type_of(variable).size == 8


def test_unknown_signature() -> None:
    built = DwarfBuilder()
    built.unit([Entry(TAG.VARIABLE, [(AT.TYPE, FORM.REF_SIG8, 77)])])
    (unit,) = Dwarf(built.elf()).iter_units()
    with pytest.raises(DwarfError, match=r"built: \.debug_info\+0x\w+: expected a type unit with signature"):
        next(unit.root.iter_children()).find_die(AT.TYPE)


@pytest.mark.parametrize("form", [FORM.GNU_REF_ALT, FORM.REF_SUP4, FORM.REF_SUP8])
def test_alternate_file(form: int) -> None:
    other = DwarfBuilder()
    number = base_type()
    other.unit([number])
    built = DwarfBuilder()
    built.unit([Entry(TAG.VARIABLE, [(AT.TYPE, form, number.offset)])])
    dwarf = Dwarf(built.elf(), alt=other.elf())
    (unit,) = dwarf.iter_units()
    assert str(dwarf.types.type_of(next(unit.root.iter_children()))) == "int"
    (unit,) = Dwarf(built.elf()).iter_units()
    with pytest.raises(DwarfError, match="expected the alternate debug file"):
        next(unit.root.iter_children()).find_die(AT.TYPE)


def test_sibling_is_used() -> None:
    """The entries below are rubbish, which nobody sees who passes over them."""
    built = DwarfBuilder()
    last = Entry(TAG.VARIABLE, [(AT.NAME, FORM.STRING, "last")])
    rubbish = Entry(TAG.LEXICAL_BLOCK, [(AT.NAME, FORM.STRING, "\x7f\x7f\x7f")])
    block = Entry(TAG.LEXICAL_BLOCK, [(AT.SIBLING, FORM.REF4, last)], [rubbish])
    built.unit([block, last])
    data = bytearray(built.data())
    at = data.index(b"\x7f\x7f\x7f")
    data[at - 1] = 0x7E
    from probee.elf.file import Elf

    (unit,) = Dwarf(Elf(bytes(data))).iter_units()
    assert [child.name for child in unit.root.iter_children()] == [None, "last"]
    with pytest.raises(DwarfError, match="expected the number of an abbreviation, got 126"):
        list(next(unit.root.iter_children()).iter_children())


def test_sibling_that_leads_back() -> None:
    built = DwarfBuilder()
    first = Entry(TAG.VARIABLE, [])
    built.unit([first, Entry(TAG.LEXICAL_BLOCK, [(AT.SIBLING, FORM.REF4, first)], [Entry(TAG.VARIABLE)])])
    (unit,) = Dwarf(built.elf()).iter_units()
    with pytest.raises(DwarfError, match="expected a sibling after this entry"):
        list(unit.root.iter_children())


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        (0, b"\xf0\xff\xff\xff", "expected a length below 0xfffffff0, got 0xfffffff0"),
        (0, b"\xff\xff\0\0", r"expected a unit of 0x10003 bytes"),
        (4, b"\x06", "expected version 2 to 5, got 6"),
        (6, b"\x09", "expected a unit type of 1 to 6, got 9"),
        (7, b"\x03", "expected addresses of 2, 4 or 8 bytes, got 3"),
    ],
)
def test_headers_that_are_refused(at: int, data: bytes, message: str) -> None:
    built = DwarfBuilder()
    built.unit([base_type()])
    info = built.section(".debug_info").data
    info[at : at + len(data)] = data
    with pytest.raises(DwarfError, match=message):
        list(Dwarf(built.elf()).iter_units())


@pytest.mark.parametrize("gnu", [False, True])
def test_compressed(gnu: bool) -> None:
    built = DwarfBuilder()
    built.unit([Entry(TAG.VARIABLE, [(AT.NAME, FORM.STRING, f"v{i}")]) for i in range(4000)])
    plain = bytes(built.sections.pop(".debug_info").data)
    data = zlib.compress(plain)
    if gnu:
        built.file.section(".zdebug_info", data=b"ZLIB" + len(plain).to_bytes(8, "big") + data)
    else:
        header = built.file.pack("IIQQ", 1, 0, len(plain), 1)
        built.file.section(".debug_info", data=header + data, flags=SHF.COMPRESSED)
    (unit,) = Dwarf(built.elf()).iter_units()
    assert [child.name for child in unit.root.iter_children()][-1] == "v3999"


@pytest.mark.parametrize(
    ("size", "data", "message"),
    [
        (1 << 40, zlib.compress(b"x"), "expected at most"),
        (100, zlib.compress(b"x"), "expected 0x64 bytes of inflated data, got 0x1"),
        (1, b"rubbish", "expected compressed data"),
        (20, zlib.compress(bytes(1000)), "got more"),
    ],
)
def test_compressed_rubbish(size: int, data: bytes, message: str) -> None:
    built = DwarfBuilder()
    built.file.section(
        ".debug_info", data=built.file.pack("IIQQ", 1, 0, size, 1) + data, flags=SHF.COMPRESSED
    )
    with pytest.raises(FormatError, match=message):
        list(Dwarf(built.elf()).iter_units())
