"""Finding symbols without parsing tables, and iterating functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.elf import ElfBuilder
from probee.base.errors import FormatError
from probee.elf.consts import SHF, SHN, SHT, STB, STT
from probee.elf.file import Elf

KINDS = [(64, True), (64, False), (32, True), (32, False)]
every_kind = pytest.mark.parametrize(("bits", "little"), KINDS)


def builder(bits: int = 64, little: bool = True, **options: bool) -> ElfBuilder:
    elf = ElfBuilder(bits=bits, little=little, **options)
    elf.section(".text", data=bytes(0x1000), address=0x1000, flags=SHF.ALLOC | SHF.EXECINSTR)
    return elf


@every_kind
@pytest.mark.parametrize("tails", [False, True])
@pytest.mark.parametrize("extended", [False, True])
def test_find(bits: int, little: bool, tails: bool, extended: bool) -> None:
    built = builder(bits, little, tails=tails, extended=extended)
    built.symbol("uv_fs_open", 0x1100, 0x20)
    built.symbol("open", 0x1200, 0x30, bind=STB.LOCAL)
    built.symbol("open", 0x1300, 0x40, bind=STB.WEAK, type=STT.GNU_IFUNC)
    built.symbol("pen", 0x1400, type=STT.OBJECT)
    elf = Elf(built.build())
    assert [(s.value, s.size, s.type, s.bind) for s in elf.find_symbols("open")] == [
        (0x1200, 0x30, STT.FUNC, STB.LOCAL),
        (0x1300, 0x40, STT.GNU_IFUNC, STB.WEAK),
    ]
    assert [s.value for s in elf.find_symbols("uv_fs_open")] == [0x1100]
    assert [s.value for s in elf.find_symbols("pen")] == [0x1400]
    assert {s.section for s in elf.find_symbols("open")} == {1}
    for absent in ("", "en", "ope", "s_open", "uv_fs_open\0", "\0open"):
        assert elf.find_symbols(absent) == []


@every_kind
def test_many_names_with_one_tail(bits: int, little: bool) -> None:
    built = builder(bits, little)
    for i in range(100):
        built.symbol(f"{'x' * i}_init", 0x1000 + i)
    built.symbol("_init", 0x1FFF, bind=STB.LOCAL)
    assert [s.value for s in Elf(built.build()).find_symbols("_init")] == [0x1000, 0x1FFF]


@every_kind
def test_a_value_that_looks_like_a_name_offset(bits: int, little: bool) -> None:
    built = builder(bits, little)
    for i in range(40):
        built.symbol(f"f{i}", 5 << 32 | 5 if bits == 64 else 5, 5)
    assert [s.name for s in Elf(built.build()).find_symbols("f1")] == ["f1"]


names = st.text("ab_\N{GREEK SMALL LETTER MU}", min_size=1, max_size=4)


@given(st.lists(names, max_size=60), names, st.booleans(), st.booleans(), st.sampled_from([32, 64]))
def test_find_is_a_filter(known: list[str], name: str, little: bool, tails: bool, bits: int) -> None:
    built = builder(bits, little, tails=tails)
    for value, one in enumerate(known):
        built.symbol(one, 0x1000 + value)
        built.symbol(one, 0x1000 + value, table=".dynsym")
    elf = Elf(built.build())
    expected = [0x1000 + i for i, one in enumerate(known) if one == name]
    assert [(s.value, s.table) for s in elf.find_symbols(name)] == [
        (value, table) for table in (".symtab", ".dynsym") for value in expected
    ]
    assert [s.value for s in elf.find_exports(name)] == expected
    assert [(s.name, s.value) for s in elf.iter_functions()] == [
        (one, 0x1000 + value) for value, one in enumerate(known)
    ]


@every_kind
def test_exports(bits: int, little: bool) -> None:
    built = builder(bits, little)
    built.symbol("local", 0x1010)
    built.symbol("puts", section=SHN.UNDEF, table=".dynsym")
    built.symbol("mine", 0x1020, table=".dynsym")
    built.symbol("other", 0x1030, table=".dynsym")
    elf = Elf(built.build())
    assert [s.value for s in elf.find_exports("mine")] == [0x1020]
    assert [s.value for s in elf.find_exports("other")] == [0x1030]
    assert [elf.find_exports(n) for n in ("local", "puts", "", "absent")] == [[], [], [], []]
    assert [s.is_defined for s in elf.find_symbols("puts")] == [False]


def test_names_with_equal_hashes() -> None:
    built = builder()
    # 33 * "a" + "b" == 33 * "b" + "A"
    built.symbol("ab", 0x1010, table=".dynsym")
    built.symbol("bA", 0x1020, table=".dynsym")
    elf = Elf(built.build())
    assert [s.value for s in elf.find_exports("ab")] == [0x1010]
    assert [s.value for s in elf.find_exports("bA")] == [0x1020]


def test_no_hash_section() -> None:
    built = builder(hash=False)
    built.symbol("mine", 0x1020, table=".dynsym")
    elf = Elf(built.build())
    assert elf.find_exports("mine") == []
    assert [s.value for s in elf.find_symbols("mine")] == [0x1020]


@every_kind
def test_versions(bits: int, little: bool) -> None:
    built = builder(bits, little)
    built.symbol("memcpy", 0x1010, table=".dynsym", version="GLIBC_2.2.5", hidden=True)
    built.symbol("memcpy", 0x1020, table=".dynsym", version="GLIBC_2.14")
    built.symbol("plain", 0x1030, table=".dynsym")
    built.symbol("memcpy@@GLIBC_2.14", 0x1020)
    built.symbol("memcpy@GLIBC_2.2.5", 0x1010)
    elf = Elf(built.build())
    rows = [(s.name, s.version, s.hidden, s.table, s.value) for s in elf.find_symbols("memcpy")]
    assert rows == [
        ("memcpy", "GLIBC_2.14", False, ".symtab", 0x1020),
        ("memcpy", "GLIBC_2.2.5", True, ".symtab", 0x1010),
        ("memcpy", "GLIBC_2.2.5", True, ".dynsym", 0x1010),
        ("memcpy", "GLIBC_2.14", False, ".dynsym", 0x1020),
    ]
    assert [(s.version, s.hidden) for s in elf.find_symbols("plain")] == [("", False)]
    assert [s.name for s in elf.iter_functions()] == ["memcpy", "memcpy", "plain"]


def test_versions_in_a_debug_file() -> None:
    built = builder()
    built.section(".gnu.version_d", SHT.NOBITS, size=64)
    built.symbol("f", 0x1010, bind=STB.LOCAL)
    built.symbol("f@@V2", 0x1020)
    built.symbol("f2@@V2", 0x1030)
    found = Elf(built.build()).find_symbols("f")
    assert [(s.name, s.value, s.version) for s in found] == [("f", 0x1010, ""), ("f", 0x1020, "V2")]


def test_iter_functions() -> None:
    built = builder()
    built.symbol("file.c", 0, type=STT.FILE, section=SHN.ABS, bind=STB.LOCAL)
    built.symbol("f", 0x1010, 8)
    built.symbol("f", 0x1040, 8, bind=STB.LOCAL)
    built.symbol("ifunc", 0x1020, 8, type=STT.GNU_IFUNC)
    built.symbol("data", 0x1030, 8, type=STT.OBJECT)
    built.symbol("puts", section=SHN.UNDEF)
    built.symbol("f", 0x1010, 8, table=".dynsym")
    built.symbol("g", 0x1010, 8, table=".dynsym")
    elf = Elf(built.build())
    found = [(s.name, s.value, s.table) for s in elf.iter_functions()]
    assert found == [
        ("f", 0x1010, ".symtab"),
        ("f", 0x1040, ".symtab"),
        ("ifunc", 0x1020, ".symtab"),
        ("g", 0x1010, ".dynsym"),
    ]
    assert [s.name for s in elf.iter_functions(lambda name: name != "f")] == ["ifunc", "g"]


def test_more_than_one_chunk() -> None:
    built = builder()
    for i in range(20_000):
        built.symbol(f"f{i}", i)
    elf = Elf(built.build())
    assert [s.value for s in elf.iter_functions()] == list(range(20_000))
    assert [s.value for s in elf.find_symbols("f19999")] == [19_999]


def test_name_that_is_not_utf8() -> None:
    built = builder()
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    built.symbol(name, 0x1010)
    elf = Elf(built.build())
    assert [s.name for s in elf.find_symbols(name)] == [name]
    assert [s.name for s in elf.iter_functions()] == [name]


# Malformed


def table(**changes: int | str) -> Elf:
    """A file whose only symbol table has the given fields."""
    built = builder()
    row = built.pack("IBBHQQ", 1, STB.GLOBAL << 4 | STT.FUNC, 0, 1, 0x1000, 8)
    section = built.section(".symtab", SHT.SYMTAB, bytes(24) + row, link=".strtab", entsize=24)
    strings = built.section(".strtab", SHT.STRTAB, b"\0main\0")
    for name, value in changes.items():
        setattr(strings if name == "data" else section, name, value)
    return Elf(built.build(), "x")


def test_the_table_above_is_well_formed() -> None:
    assert [s.value for s in table().find_symbols("main")] == [0x1000]


@pytest.mark.parametrize(
    ("elf", "message"),
    [
        (table(entsize=23), "expected entries of 24 bytes, got 48 bytes in entries of 23"),
        (table(size=47), "expected entries of 24 bytes, got 47 bytes in entries of 24"),
        (table(link=""), "expected the index of a string table, got 0"),
        (table(size=24 << 30), r"x: \.symtab\+0x0: expected 25769803776 bytes at"),
    ],
)
def test_malformed_table(elf: Elf, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        elf.find_symbols("main")


def test_name_without_an_end() -> None:
    elf = table(data=b"\0main")  # type: ignore[arg-type]
    assert elf.find_symbols("main") == []
    with pytest.raises(FormatError, match=r"x: \.strtab\+0x1: expected a name that ends in NUL"):
        list(elf.iter_functions())


def test_extended_index_without_its_section() -> None:
    built = builder()
    built.symbol("main", 0x1000, section=SHN.XINDEX)
    with pytest.raises(FormatError, match="expected an extended section index of symbol 1"):
        Elf(built.build()).find_symbols("main")
