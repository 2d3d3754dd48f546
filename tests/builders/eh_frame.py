"""Writes files with frame tables: `.eh_frame` and `.eh_frame_hdr` of given functions."""

from __future__ import annotations

from builders.elf import ElfBuilder
from probee.elf.consts import PF, PT, SHF

TEXT, FRAMES, HEADER = 0x1000, 0x2000, 0x3000


def framed(
    functions: list[tuple[int, int]],
    *,
    bits: int = 64,
    little: bool = True,
    augmentation: bytes = b"zR",
    encoding: int = 0x1B,
    text: int = 0x800,
) -> ElfBuilder:
    """A file with frames of (address, size) functions in `text` bytes; pointers are relative, or as said."""
    elf = ElfBuilder(bits=bits, little=little)
    elf.section(".text", data=bytes(text), address=TEXT, flags=SHF.ALLOC | SHF.EXECINSTR)
    extra = {b"zR": [encoding], b"zPLR": [0x1B, 1, 2, 3, 4, 0x1B, encoding], b"zRS": [encoding], b"": []}[
        augmentation
    ]
    lead = bytes([1, *augmentation, 0, 1, 0x78, 16]) + (bytes([len(extra), *extra]) if augmentation else b"")
    frames = elf.pack("II", 4 + len(lead), 0) + lead
    rows = []
    for address, size in functions:
        at = FRAMES + len(frames)
        rows.append((address - HEADER, at - HEADER))
        if encoding & 0x0F == 0x0B:
            where = elf.pack("ii", address - (at + 8) if encoding & 0x70 == 0x10 else address, size)
        else:
            where = elf.pack("QQ", address, size)
        frames += elf.pack("II", 4 + len(where) + 1, at + 4 - FRAMES) + where + b"\0"
    elf.section(".eh_frame", data=frames, address=FRAMES, flags=SHF.ALLOC)
    table = b"".join(elf.pack("ii", *row) for row in rows)
    header = bytes([1, 0x1B, 0x03, 0x3B]) + elf.pack("iI", FRAMES - HEADER - 4, len(rows)) + table
    elf.section(".eh_frame_hdr", data=header, address=HEADER, flags=SHF.ALLOC)
    elf.load(".text", flags=PF.R | PF.X)
    elf.load(".eh_frame", flags=PF.R)
    elf.segment(PT.GNU_EH_FRAME, ".eh_frame_hdr", flags=PF.R)
    return elf
