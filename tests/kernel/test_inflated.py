"""What is kept of debug information: sections, places; damage, other users, too much."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import pytest

from builders.dwarf import DwarfBuilder, Entry
from probee.dwarf.consts import AT, FORM, TAG
from probee.dwarf.file import Dwarf
from probee.dwarf.search import find_function_at
from probee.elf.consts import SHF
from probee.elf.file import Elf
from probee.kernel import inflated
from probee.kernel.inflated import Inflated

if TYPE_CHECKING:
    from pathlib import Path

    from probee.elf.symbols import Symbol

ID = b"\xab\xcd"
DATA = bytes(range(256)) * 64


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "LEAST", 1000)


def test_the_first_bytes_of_a_section_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    Inflated(str(folder)).keep(ID, ".debug_info", 99999, DATA)
    found = Inflated(str(folder)).find(ID, ".debug_info", 99999)
    assert found is not None
    assert found[:] == DATA
    for other in ((b"\xab", ".debug_info", 99999), (ID, ".debug_str", 99999), (ID, ".debug_info", 88888)):
        assert Inflated(str(folder)).find(*other) is None
    assert folder.stat().st_mode & 0o077 == 0


def test_more_replaces_less_and_little_is_not_kept(tmp_path: Path) -> None:
    store = Inflated(str(tmp_path))
    store.keep(ID, ".debug_str", 20000, DATA[:999])
    assert store.find(ID, ".debug_str", 20000) is None
    for size in (2000, 5000, 3000):
        store.keep(ID, ".debug_str", 20000, DATA[:size])
    found = store.find(ID, ".debug_str", 20000)
    assert found is not None
    assert found[:] == DATA[:5000]


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "MOST", 5000)
    store = Inflated(str(tmp_path))
    for number in range(4):
        store.keep(bytes([number]), ".debug_info", 20000, DATA[:2000])
        os.utime(next(tmp_path.glob(f"{number:02x}.*")), (number, number))
    assert sorted(path.name[:2] for path in tmp_path.iterdir()) == ["02", "03"]


def test_what_others_can_write_is_not_believed(tmp_path: Path) -> None:
    store = Inflated(str(tmp_path))
    store.keep(ID, ".debug_info", 20000, DATA)
    store.keep_place(ID, 0x1000, (5, 6))
    store.flush()
    tmp_path.chmod(0o777)
    assert Inflated(str(tmp_path)).find(ID, ".debug_info", 20000) is None
    assert Inflated(str(tmp_path)).find_place(ID, 0x1000) is None


def test_places(tmp_path: Path) -> None:
    store = Inflated(str(tmp_path))
    store.keep_place(ID, 0x1000, (5, 6))
    assert Inflated(str(tmp_path)).find_place(ID, 0x1000) is None, "not before it is flushed"
    store.flush()
    again = Inflated(str(tmp_path))
    assert again.find_place(ID, 0x1000) == (5, 6)
    assert again.find_place(ID, 0x1001) is None
    again.keep_place(ID, 0x2000, (7, 8))
    again.flush()
    last = Inflated(str(tmp_path))
    assert [last.find_place(ID, address) for address in (0x1000, 0x2000)] == [(5, 6), (7, 8)]
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    assert Inflated(str(tmp_path)).find_place(ID, 0x1000) is None


def compressed(functions: int) -> Elf:
    """A file with functions at 0x1000, 0x1010 …, each in a unit of its own, in a compressed section."""
    built = DwarfBuilder()
    for number in range(functions):
        low = 0x1000 + 16 * number
        entry = Entry(
            TAG.SUBPROGRAM,
            [(AT.NAME, FORM.STRING, f"f{number}"), (AT.LOW_PC, FORM.ADDR, low), (AT.HIGH_PC, FORM.DATA4, 16)],
        )
        unit = built.unit([entry], [(AT.LOW_PC, FORM.ADDR, low), (AT.HIGH_PC, FORM.DATA4, 16)])
        del unit
    info = bytes(built.sections.pop(".debug_info").data)
    packed = built.file.pack("IIQQ", 1, 0, len(info), 1) + zlib.compress(info)
    built.file.section(".debug_info", data=packed, flags=SHF.COMPRESSED)
    note = built.file.pack("III", 4, len(ID), 3) + b"GNU\0" + ID.ljust(4, b"\0")
    built.file.section(".note.gnu.build-id", data=note, type=7, flags=SHF.ALLOC)
    return built.elf()


def test_a_second_run_inflates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elf = compressed(100)
    assert elf.build_id == ID
    store = Inflated(str(tmp_path))
    first = find_function_at(Dwarf(elf, kept=store), 0x1000 + 16 * 60 + 3)
    assert first is not None
    store.flush()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".places", ".section"]

    def refuse(*_: object) -> Symbol:
        raise AssertionError("it was inflated again")

    monkeypatch.setattr("probee.dwarf.section.DebugSection._inflate_more", refuse)
    again = find_function_at(Dwarf(elf, kept=Inflated(str(tmp_path))), 0x1000 + 16 * 60 + 3)
    assert again is not None
    assert (again.name, again.die) == (first.name, again.die)
    assert again.name == "f60"


def test_what_is_kept_is_a_beginning_only(tmp_path: Path) -> None:
    elf = compressed(100)
    size = Dwarf(elf).need(".debug_info").size
    store = Inflated(str(tmp_path))
    early = Dwarf(elf, kept=store)
    early.need(".debug_info").take(0, size // 2)
    store.flush()
    dwarf = Dwarf(elf, kept=Inflated(str(tmp_path)))
    assert dwarf.need(".debug_info").take(0, size) == Dwarf(elf).need(".debug_info").take(0, size)
