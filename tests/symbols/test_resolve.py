"""Addresses of a process → function and offset."""

from __future__ import annotations

import ctypes
from pathlib import Path

from builders.elf import ElfBuilder
from probee.elf.consts import PF, SHF
from probee.elf.file import Elf
from probee.symbols.maps import Mapping, parse_maps
from probee.symbols.perfmap import parse_perf_map
from probee.symbols.resolve import Images, Place, Process

START = 0x7F0000000000
MAPS = """\
7f0000000000-7f0000001000 r--p 00000000 fd:01 5 /usr/lib/x.so
7f0000001000-7f0000003000 r-xp 00001000 fd:01 5 /usr/lib/x.so
7f0000008000-7f0000009000 rwxp 00000000 00:00 0 
7f000000a000-7f000000b000 r-xp 00000000 00:00 0 [vdso]
7f000000c000-7f000000d000 r-xp 00000000 fd:01 6 /usr/lib/gone.so (deleted)
"""  # noqa: W291


def library(size: int = 0x100) -> Elf:
    """Code that is mapped from file offset 0x1000 on and linked to be at 0x401000."""
    elf = ElfBuilder()
    code = elf.section(".text", data=bytes(size), address=0x401000, flags=SHF.ALLOC | SHF.EXECINSTR)
    code.align = 0x1000
    elf.load(".text", flags=PF.R | PF.X)
    elf.symbol("work", 0x401010, 16)
    return Elf(elf.build(), "x.so")


class Opener:
    def __init__(self) -> None:
        self.opened: list[str] = []

    def __call__(self, mapping: Mapping) -> tuple[Elf, Elf | None] | None:
        self.opened.append(mapping.path)
        return (library(), None) if mapping.path in ("/usr/lib/x.so", "[vdso]") else None


def test_places() -> None:
    process = Process(parse_maps(MAPS), Images(Opener()))
    at = START + 0x1018
    assert process.resolve(at) == Place(at, "work", 8, "/usr/lib/x.so", 0x401018)
    assert process.resolve(at + 0x40) == Place(at + 0x40, "", 0, "/usr/lib/x.so", 0x401058)
    assert process.resolve(at + 0x1000) == Place(at + 0x1000, "", 0, "/usr/lib/x.so")
    assert process.resolve(0x1000) == Place(0x1000)


def test_a_file_is_opened_once() -> None:
    opener = Opener()
    images = Images(opener)
    for _ in range(2):
        process = Process(parse_maps(MAPS), images)
        places = process.resolve_all([START + 0x1010 + n for n in range(16)] + [START + 0xC000])
        assert [places[START + 0x1010 + n].offset for n in range(16)] == list(range(16))
    assert opener.opened == ["/usr/lib/x.so", "/usr/lib/gone.so (deleted)"]


def test_memory_of_no_file_is_the_compilers() -> None:
    opener = Opener()
    jit = parse_perf_map("7f0000008010 20 LazyCompile:add\n7f0000001010 8 not this\n")
    process = Process(parse_maps(MAPS), Images(opener), jit)
    assert process.resolve(START + 0x8014) == Place(START + 0x8014, "LazyCompile:add", 4)
    assert process.resolve(START + 0x8000) == Place(START + 0x8000)
    assert process.resolve(START + 0x1010).name == "work"
    assert opener.opened == ["/usr/lib/x.so"]


def test_a_part_of_a_file_that_something_else_was_mapped_over() -> None:
    maps = parse_maps(
        "1000-2000 r-xp 1000 fd:01 5 x\n2000-3000 r-xp 0 00:00 0 \n3000-4000 r-xp 3000 fd:01 5 x\n"
    )
    process = Process(maps, Images(lambda _: (library(0x3000), None)))
    found = [process.resolve(address).file_address for address in (0x3010, 0x2010, 0x1010, 0x2020)]
    assert found == [0x403010, None, 0x401010, None]


def test_vdso_is_up_to_the_opener() -> None:
    place = Process(parse_maps(MAPS), Images(Opener())).resolve(START + 0xA010)
    assert (place.path, place.name) == ("[vdso]", "")


def test_this_process() -> None:
    maps = parse_maps(Path("/proc/self/maps").read_text())

    def open_file(mapping: Mapping) -> tuple[Elf, None] | None:
        return (Elf(Path(mapping.file).read_bytes(), mapping.file), None) if mapping.file else None

    process = Process(maps, Images(open_file))
    libc = ctypes.CDLL(None)
    for name in ("fopen", "qsort", "getenv"):
        address = ctypes.cast(libc[name], ctypes.c_void_p).value
        assert address is not None
        place = process.resolve(address + 2)
        assert (place.name.lstrip("_"), place.offset) in ((name, 2), (f"IO_{name}", 2))
