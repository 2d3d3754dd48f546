"""Writes files with frame tables whose operations the test says."""

from __future__ import annotations

from builders.elf import ElfBuilder
from probee.elf.consts import EM, PF, SHF
from probee.elf.file import Elf

TEXT, FRAMES = 0x1000, 0x8000
SP_8 = bytes([0x0C, 7, 8, 0x90, 1])
"""What every entry of x86-64 begins with: the CFA is rsp + 8, the return address at CFA - 8."""


def build(
    entries: list[tuple[int, int, bytes]],
    *,
    initial: bytes = SP_8,
    machine: int = EM.X86_64,
    augmentation: bytes = b"zR",
    factor: int = 0x78,
) -> Elf:
    """A file with (address, size, operations) of frames; `factor`: the data alignment, -8."""
    elf = ElfBuilder(machine=machine)
    elf.section(".text", data=bytes(0x1000), address=TEXT, flags=SHF.ALLOC | SHF.EXECINSTR)
    body = bytes([1, *augmentation, 0, 1, factor, 16, 1, 0x1B]) + initial
    frames = elf.pack("II", 4 + len(body), 0) + body
    for address, size, operations in entries:
        at = len(frames)
        where = elf.pack("iI", address - (FRAMES + at + 8), size) + b"\0" + operations
        frames += elf.pack("II", 4 + len(where), at + 4) + where
    elf.section(".eh_frame", data=frames + bytes(4), address=FRAMES, flags=SHF.ALLOC)
    elf.load(".text", flags=PF.R | PF.X)
    elf.load(".eh_frame", flags=PF.R)
    return Elf(elf.build(), "x")
