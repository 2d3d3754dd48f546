"""Where a uprobe goes, which of several symbols is meant, and the reasons why there is no place."""

from __future__ import annotations

import pytest

from builders.elf import ElfBuilder
from probee.base.errors import TargetError
from probee.elf import resolve
from probee.elf.consts import DT, PF, SHF, SHN, STB, STT
from probee.elf.file import Elf
from probee.elf.resolve import resolve_symbol


def builder() -> ElfBuilder:
    elf = ElfBuilder()
    code = SHF.ALLOC | SHF.EXECINSTR
    elf.section(".text", data=bytes(0x1000), address=0x401000, flags=code, align=0x100)
    elf.section(".data", data=bytes(0x10), address=0x600000, flags=SHF.ALLOC | SHF.WRITE)
    elf.load(".text", flags=PF.R | PF.X)
    elf.load(".data", flags=PF.R | PF.W)
    return elf


def parse(built: ElfBuilder) -> Elf:
    return Elf(built.build(), "/bin/x")


def text_offset(elf: Elf) -> int:
    section = elf.find_section(".text")
    assert section is not None
    return section.offset


def test_place() -> None:
    built = builder()
    built.symbol("f", 0x401020, 0x10)
    elf = parse(built)
    at = resolve_symbol(elf, "f")
    assert (at.file_offset, at.address, at.offset) == (text_offset(elf) + 0x20, 0x401020, 0)
    assert (at.symbol.name, at.others) == ("f", ())
    inside = resolve_symbol(elf, "f", 15)
    assert (inside.file_offset, inside.address, inside.offset) == (text_offset(elf) + 0x2F, 0x40102F, 15)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"type": STT.FUNC}, {"type": STT.NOTYPE}),
        ({"type": STT.GNU_IFUNC, "bind": STB.LOCAL}, {"type": STT.NOTYPE}),
        ({"bind": STB.GLOBAL}, {"bind": STB.WEAK}),
        ({"bind": STB.GNU_UNIQUE}, {"bind": STB.LOCAL}),
        ({"bind": STB.WEAK}, {"bind": STB.LOCAL}),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_choice(first: dict[str, int], second: dict[str, int], turned: bool) -> None:
    built = builder()
    pair = [(first, 0x401200), (second, 0x401100)]
    for options, value in reversed(pair) if turned else pair:
        built.symbol("f", value, 8, type=options.get("type", STT.FUNC), bind=options.get("bind", STB.GLOBAL))
    at = resolve_symbol(parse(built), "f")
    assert at.address == 0x401200
    assert [s.value for s in at.others] == [0x401100]


def test_choice_of_the_lower_address() -> None:
    built = builder()
    for value in (0x401300, 0x401100, 0x401200, 0x401100):
        built.symbol("init", value, 8, bind=STB.LOCAL)
    at = resolve_symbol(parse(built), "init")
    assert at.address == 0x401100
    assert sorted(s.value for s in at.others) == [0x401200, 0x401300]


def test_import_is_passed_over() -> None:
    built = builder()
    built.symbol("f", 0x401010, 0, section=SHN.UNDEF, table=".dynsym")
    built.symbol("f", 0x401020, 8, bind=STB.LOCAL)
    assert resolve_symbol(parse(built), "f").address == 0x401020


def test_versions() -> None:
    built = builder()
    built.symbol("memcpy", 0x401100, 8, table=".dynsym", version="V1", hidden=True)
    built.symbol("memcpy", 0x401200, 8, table=".dynsym", version="V2")
    elf = parse(built)
    assert resolve_symbol(elf, "memcpy").address == 0x401200
    assert resolve_symbol(elf, "memcpy@V1").address == 0x401100
    assert resolve_symbol(elf, "memcpy@V2").address == 0x401200
    assert resolve_symbol(elf, "memcpy@@V2").address == 0x401200
    for absent in ("memcpy@@V1", "memcpy@V3"):
        with pytest.raises(TargetError):
            resolve_symbol(elf, absent)


def test_debug_file() -> None:
    debug = builder()
    debug.symbol("secret", 0x401040, 8, bind=STB.LOCAL)
    stripped = builder()
    stripped.symbol("exported", 0x401080, 8, table=".dynsym")
    elf = parse(stripped)
    assert resolve_symbol(elf, "secret", debug=parse(debug)).file_offset == text_offset(elf) + 0x40
    with pytest.raises(TargetError) as raised:
        resolve_symbol(elf, "secrets", debug=parse(debug))
    assert raised.value.message == "no function secrets in /bin/x"
    assert raised.value.hint == "did you mean secret?"


# Why not


def refusal(built: ElfBuilder, name: str, offset: int = 0) -> str:
    with pytest.raises(TargetError) as raised:
        resolve_symbol(parse(built), name, offset)
    return raised.value.render()


def full() -> ElfBuilder:
    built = builder()
    built.symbol("fopen", 0x401020, 0x20)
    built.symbol("table", 0x600000, 8, type=STT.OBJECT, section=".data")
    built.symbol("trampoline", 0x600008, 8, section=".data")
    built.symbol("last", 0x401FF0)
    return built


@pytest.mark.parametrize(
    ("name", "offset", "message"),
    [
        ("fopen", 32, "ERROR: offset 32 is past the end of fopen (size 32) in /bin/x"),
        ("fopen", -1, "ERROR: fopen-1: expected an offset of at least 0"),
        ("last", 16, "ERROR: offset 16 from last is past the end of the code in /bin/x"),
        ("table", 0, "ERROR: table is not a function in /bin/x (OBJECT)"),
        ("trampoline", 0, "ERROR: trampoline is not in an executable segment of /bin/x"),
        ("zzz", 0, "ERROR: no function zzz in /bin/x"),
        ("fopne", 0, "ERROR: no function fopne in /bin/x\nHINT: did you mean fopen?"),
        ("FOPEN", 0, "ERROR: no function FOPEN in /bin/x\nHINT: did you mean fopen?"),
    ],
)
def test_reasons(name: str, offset: int, message: str) -> None:
    assert refusal(full(), name, offset) == message


def test_a_size_that_is_not_known_bounds_nothing() -> None:
    assert resolve_symbol(parse(full()), "last", 15).address == 0x401FFF


def test_imported() -> None:
    built = builder()
    # In a program that isn't position independent the value of an import is its PLT entry.
    built.symbol("puts", 0x401010, section=SHN.UNDEF, table=".dynsym")
    message = "ERROR: puts is undefined in /bin/x: imported from another library"
    assert refusal(built, "puts") == message
    built.dynamic([(DT.NEEDED, "libm.so.6"), (DT.NEEDED, "libc.so.6")])
    assert refusal(built, "puts") == f"{message}\nHINT: it is in one of libm.so.6, libc.so.6"


def test_stripped() -> None:
    built = builder()
    assert refusal(built, "main") == "ERROR: no function main in /bin/x: stripped, has no symbols at all"
    built.symbol("a", 0x401010, table=".dynsym")
    built.symbol("b", 0x401020, table=".dynsym")
    built.symbol("puts", section=SHN.UNDEF, table=".dynsym")
    message = "ERROR: no function main in /bin/x: stripped, has only 2 dynamic functions"
    assert refusal(built, "main") == message


def test_mangled_names_are_no_near_misses_of_plain_ones() -> None:
    built = builder()
    built.symbol("_ZN4fopen4openEv", 0x401010)
    assert refusal(built, "fopen") == "ERROR: no function fopen in /bin/x"
    assert "did you mean _ZN4fopen4openEv?" in refusal(built, "_ZN4fopen4opemEv")


def test_near_misses_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "_MOST_LOOKED_AT", 2)
    built = builder()
    for name in ("different", "fopen64", "fopenx", "fopen"):
        built.symbol(name, 0x401000)
    assert (
        refusal(built, "fopen_")
        == "ERROR: no function fopen_ in /bin/x\nHINT: did you mean fopenx or fopen64?"
    )
