"""Probes of a file: notes built here, and programs compiled with <sys/sdt.h>, as readelf sees them."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.elf import ElfBuilder
from probee.base.errors import FormatError
from probee.elf.consts import EM, PF, SHF
from probee.elf.file import Elf
from probee.usdt.args import Kind
from probee.usdt.notes import Probe, group_probes, iter_probes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BASE = 0x3000


def note(
    elf: ElfBuilder,
    location: int = 0x1004,
    base: int = BASE,
    semaphore: int = 0,
    strings: bytes = b"app\0one\0-4@%eax\0",
) -> None:
    addresses = elf.pack("QQQ", location, base, semaphore)
    elf.note("stapsdt", 3, addresses + strings, section=".note.stapsdt")


def frame(*, bits: int = 64, little: bool = True, machine: int = EM.X86_64, moved: int = 0) -> ElfBuilder:
    """Code at 0x1000, data at 0x2000 and the base at 0x3000, all of them `moved` by prelink."""
    elf = ElfBuilder(bits=bits, little=little, machine=machine)
    code = SHF.ALLOC | SHF.EXECINSTR
    elf.section(".text", data=bytes(64), address=0x1000 + moved, flags=code)
    elf.section(".probes", data=bytes(4), address=0x2000 + moved, flags=SHF.ALLOC | SHF.WRITE)
    elf.section(".stapsdt.base", data=bytes(1), address=BASE + moved)
    elf.load(".text", flags=PF.R | PF.X)
    elf.load(".probes", flags=PF.R | PF.W)
    return elf


def read(elf: ElfBuilder) -> list[Probe]:
    return list(iter_probes(Elf(elf.build(), "x")))


@pytest.mark.parametrize("moved", [0, 0x500000])
@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("bits", [64, 32])
def test_probe(bits: int, little: bool, moved: int) -> None:
    elf = frame(bits=bits, little=little, moved=moved)
    note(elf, 0x1004, semaphore=0x2002)
    (probe,) = read(elf)
    text, probes = elf.sections[0], elf.sections[1]
    assert (probe.provider, probe.name, probe.arguments) == ("app", "one", "-4@%eax")
    assert (probe.location, probe.semaphore) == (0x1004 + moved, 0x2002 + moved)
    assert (probe.offset, probe.semaphore_offset) == (text.offset + 4, probes.offset + 2)
    assert [(a.kind, a.register) for a in probe.args] == [(Kind.REGISTER, "ax")]


def test_not_moved_without_a_base() -> None:
    elf = frame()
    elf.sections = [s for s in elf.sections if s.name != ".stapsdt.base"]
    note(elf)
    assert read(elf)[0].location == 0x1004
    elf = frame(moved=0x5000)
    note(elf, 0x6004, base=0)
    assert read(elf)[0].location == 0x6004


def test_no_semaphore_stays_none_when_moved() -> None:
    elf = frame(moved=0x5000)
    note(elf)
    (probe,) = read(elf)
    assert (probe.semaphore, probe.semaphore_offset) == (0, 0)


def test_places_that_are_not_in_the_file() -> None:
    elf = frame()
    note(elf, 0x2001, semaphore=0x9000)
    (probe,) = read(elf)
    assert (probe.offset, probe.semaphore_offset) == (None, None)


def test_other_notes_are_none() -> None:
    elf = frame()
    elf.note("GNU", 3, b"id", section=".note.gnu.build-id")
    elf.note("stapsdt", 4, b"", section=".note.stapsdt")
    assert read(elf) == []


def test_other_cpus_are_listed() -> None:
    elf = frame(machine=EM.RISCV)
    note(elf, strings=b"app\0one\0-4@-20(s0)\0")
    (probe,) = read(elf)
    assert [a.kind for a in probe.args] == [Kind.UNSUPPORTED]


def test_groups() -> None:
    elf = frame()
    for name, location, arguments in (
        ("one", 0x1000, "8@%rax"),
        ("two", 0x1001, ""),
        ("one", 0x1002, "8@%rbx"),
        ("one", 0x1003, "8@%rax"),
    ):
        note(elf, location, strings=f"app\0{name}\0{arguments}\0".encode())
    one, two = group_probes(read(elf))
    assert (one.name, [p.location for p in one.places]) == ("one", [0x1000, 0x1002, 0x1003])
    assert [[p.location for p in group] for group in one.by_args()] == [[0x1000, 0x1003], [0x1002]]
    assert (two.name, two.places[0].args) == ("two", ())


@pytest.mark.parametrize(
    ("strings", "offset", "message"),
    [
        (b"app\0one\0", 0x34, "expected a string that ends in NUL"),
        (b"app", 0x2C, "expected a string that ends in NUL"),
        (b"\0one\0\0", 0x2C, "expected the provider of a probe, got nothing"),
        (b"app\0\0\0", 0x30, "expected the name of a probe, got nothing"),
        (b"app\0\xff\0\0", 0x30, "expected text in UTF-8: invalid start byte"),
        (b"app\0one\0001@%al 8@(\0", 0x3A, "expected an argument such as 8@OPERAND, got '8@('"),
    ],
)
def test_malformed(strings: bytes, offset: int, message: str) -> None:
    elf = frame()
    note(elf, strings=strings)
    with pytest.raises(FormatError) as raised:
        read(elf)
    assert str(raised.value) == f"x: .note.stapsdt+{offset:#x}: {message}"


def test_malformed_second_note() -> None:
    elf = frame()
    note(elf)
    elf.note("stapsdt", 3, bytes(8), section=".note.stapsdt")
    with pytest.raises(FormatError) as raised:
        read(elf)
    assert str(raised.value) == "x: .note.stapsdt+0x50: expected 24 bytes, got 8"


@settings(max_examples=200)
@given(st.data())
def test_mutated(data: st.DataObject) -> None:
    elf = frame()
    note(elf, semaphore=0x2002, strings=b"app\0one\0-4@%eax 8@-16(%rbp) 4@8(%rax,%rbx,4)\0")
    raw = bytearray(elf.build())
    start = elf.sections[-1].offset
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(start, start + len(elf.sections[-1].data) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    probes, places = [], {".note.stapsdt"}
    try:
        probes += iter_probes(Elf(bytes(raw), "x"))
    except FormatError as error:
        places.add(error.section)
    assert len(probes) <= 1
    assert places == {".note.stapsdt"}


# -- against readelf ----------------------------------------------------------------------------

SOURCE = """
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>
int global; struct { int a, b; } pair; static int table[8];
__attribute__((noinline)) static int many(int n, long m, char c, double d) {
  STAP_PROBE10(app, many, n, m, c, d, &global, "text", 'x', -9L, n * 3, m - 1);
  return n + c;
}
int main(int argc, char **argv) {
  unsigned char small = argc; unsigned short mid = argc; float f = argc;
  STAP_PROBE3(app, small, small, mid, f);
  STAP_PROBE3(app, memory, global, pair.b, table[argc]);
  for (int i = 0; i < argc; i++) many(i, table[i], argv[0][0], argc);
  if (__builtin_expect(app_armed_semaphore, 0)) STAP_PROBE1(app, armed, argc);
  return many(1, 2, 3, 4);
}
"""
_FIELD = re.compile(
    r"Provider: (\S+)\n\s+Name: (\S+)\n\s+Location: (\w+), Base: \w+, Semaphore: (\w+)\n\s+Arguments: (.*)"
)


def readelf(path: Path) -> list[tuple[str, str, int, int, str]]:
    done = subprocess.run(["readelf", "-nW", path], capture_output=True, text=True, check=True)
    rows = _FIELD.findall(done.stdout)
    return [(p, n, int(at, 16), int(semaphore, 16), text.strip()) for p, n, at, semaphore, text in rows]


@pytest.mark.needs("sdt", "binutils")
@pytest.mark.parametrize("flags", ["-O0", "-O2", "-O3", "-O2 -no-pie -fno-pic", "-O2 -mcmodel=large"])
def test_readelf(cc: Callable[..., Path], flags: str) -> None:
    semaphores = "".join(
        f'unsigned short app_{name}_semaphore __attribute__((section(".probes")));\n'
        for name in ("small", "memory", "many", "armed")
    )
    path = cc(semaphores + SOURCE, *flags.split())
    probes = list(iter_probes(Elf(path.read_bytes(), str(path))))
    assert [(p.provider, p.name, p.location, p.semaphore, p.arguments) for p in probes] == readelf(path)
    assert {p.name for p in probes} == {"many", "small", "memory", "armed"}
    text = path.read_bytes()
    for probe in probes:
        assert probe.offset is not None
        assert text[probe.offset] == 0x90 or text[probe.offset : probe.offset + 4] == b"\x1f\x20\x03\xd5"
        assert probe.semaphore_offset
        for arg in probe.args:
            assert arg.kind != Kind.UNSUPPORTED or "floating" in arg.reason, arg
