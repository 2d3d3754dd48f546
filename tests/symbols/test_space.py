"""Address spaces: addresses of a process → frames."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from builders.elf import ElfBuilder
from probee.base.errors import FormatError
from probee.elf.consts import PF, SHF
from probee.symbols.frame import Frame
from probee.symbols.image import ImageOpener
from probee.symbols.maps import Mapping
from probee.symbols.space import Space

if TYPE_CHECKING:
    from pathlib import Path

START = 0x7F0000000000


def library(path: Path, size: int = 0x100) -> str:
    """Code that is mapped from file offset 0x1000 on and linked to be at 0x401000; `device:inode path` of
    it."""
    elf = ElfBuilder()
    code = elf.section(".text", data=bytes(size), address=0x401000, flags=SHF.ALLOC | SHF.EXECINSTR)
    code.align = 0x1000
    elf.load(".text", flags=PF.R | PF.X)
    elf.symbol("work", 0x401010, 16)
    elf.symbol("_ZN1a1bEv", 0x401020, 16)
    path.write_bytes(elf.build())
    return f"fd:01 {path.stat().st_ino} {path}"


def resolve(space: Space, *addresses: int, is_return: bool = False) -> list[tuple[str, int]]:
    found: dict[int, tuple[Frame, ...]] = {}
    left = space.resolve_all(sorted(addresses), is_return, found)
    assert set(left) == set(addresses) - found.keys()
    return [(found[a][-1].name, found[a][-1].offset) if a in found else ("nothing", 0) for a in addresses]


@pytest.fixture
def mapped(tmp_path: Path) -> str:
    return f"7f0000001000-7f0000003000 r-xp 00001000 {library(tmp_path / 'x.so')}\n"


def open_space(text: str) -> Space:
    return Space(os.getpid(), text, ImageOpener(False))


def test_places(mapped: str) -> None:
    space = open_space(mapped)
    found = resolve(space, START + 0x1018, START + 0x1040, START + 0x8000, START + 0x1010)
    assert found == [("work", 8), ("", 0), ("nothing", 0), ("work", 0)]


def test_where_a_call_returns_to_may_be_past_its_function(mapped: str) -> None:
    space = open_space(mapped)
    # 0x401020 begins another function; the call that returns there is the last thing that work does.
    assert resolve(space, START + 0x1020, is_return=True) == [("work", 16)]
    assert resolve(space, START + 0x1020) == [("_ZN1a1bEv", 0)]
    # Nothing is before the first byte of work, which is so returned to by nobody that called from there.
    assert resolve(space, START + 0x1010, is_return=True) == [("work", 0)]


def test_a_file_that_was_replaced_is_not_the_one(tmp_path: Path, mapped: str) -> None:
    (tmp_path / "x.so").rename(tmp_path / "old.so")
    library(tmp_path / "x.so")
    assert resolve(open_space(mapped), START + 0x1018) == [("", 0)]


def test_what_is_mapped_later_lies_over_what_was_there(tmp_path: Path, mapped: str) -> None:
    space = open_space(mapped)
    assert resolve(space, START + 0x1018, START + 0x9018) == [("work", 8), ("nothing", 0)]
    device, inode, path = library(tmp_path / "y.so").split(" ")
    space.add(Mapping(START + 0x9000, START + 0xA000, "r-xp", 0x1000, device, int(inode), path))
    space.add(Mapping(START + 0x1000, START + 0x2000, "r-xp", 0, "00:00", 0, ""))
    assert resolve(space, START + 0x1018, START + 0x9018) == [("", 0), ("work", 8)]
    copy = space.copy(os.getpid())
    copy.add(Mapping(START + 0x9000, START + 0xA000, "r-xp", 0, "00:00", 0, ""))
    assert resolve(copy, START + 0x9018) == [("", 0)]
    assert resolve(space, START + 0x9018) == [("work", 8)]


def test_a_part_of_a_file_that_something_else_was_mapped_over(tmp_path: Path) -> None:
    what = library(tmp_path / "x", 0x3000)
    text = f"1000-2000 r-xp 1000 {what}\n2000-3000 r-xp 0 00:00 0 \n3000-4000 r-xp 3000 {what}\n"
    space = open_space(text)
    assert resolve(space, 0x1018, 0x2018, 0x3018) == [("work", 8), ("", 0), ("", 0)]


def test_the_page_of_old_system_calls() -> None:
    space = open_space("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n")
    assert resolve(space, 0xFFFFFFFFFF600409, 0xFFFFFFFFFF600C00) == [("time", 9), ("", 0)]


def test_a_guess_of_where_a_file_is(tmp_path: Path) -> None:
    library(tmp_path / "x.so")
    space = Space.of_file(str(tmp_path / "x.so"), 0x5000_0000, ImageOpener(False))
    assert resolve(space, 0x5040_1018, 0x5040_0018) == [("work", 8), ("nothing", 0)]


def test_one_program_at_one_place_is_one_space(mapped: str) -> None:
    more = mapped + "7f0000009000-7f000000a000 rw-p 00000000 00:00 0 \n"
    moved = mapped.replace("7f0000001000-7f0000003000", "7f0000011000-7f0000013000")
    assert open_space(mapped).is_part_of(open_space(more))
    assert not open_space(mapped).is_part_of(open_space(moved))
    assert not open_space("").is_part_of(open_space(""))


def test_what_is_no_list_of_mappings() -> None:
    with pytest.raises(FormatError, match="expected a mapping"):
        open_space("what\n")
