"""Notes (gABI chapter 5, "Note Section") and the linker's build id."""

from __future__ import annotations

import struct

from ..base.bits import align_up
from ..base.record import record
from .consts import NT, PT, SHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Elf


@record
class Note:
    """One note: owner, type (in the owner's numbers), and its bytes, which stood at `section` + `offset`."""

    owner: str
    type: int
    desc: bytes
    section: str = ""
    offset: int = 0


def iter_notes(elf: Elf) -> Iterator[Note]:
    """All notes of `elf`: those of its note sections, or of its note segments when it has no sections."""
    sections = [s for s in elf.sections if s.type == SHT.NOTE]
    if sum([s.size for s in sections]) > len(elf.data):
        raise elf.error("expected note sections that don't overlap", section=sections[0].name)
    for section in sections:
        start, end = elf.bounds(section)
        yield from _parse_notes(elf, start, end, section.addralign, section.name)
    if not sections:
        for segment in elf.segments:
            if segment.type == PT.NOTE:
                end = segment.offset + segment.filesz
                yield from _parse_notes(elf, segment.offset, end, segment.align, "PT_NOTE")


def find_build_id(elf: Elf) -> bytes | None:
    """The bytes of the note GNU/NT_GNU_BUILD_ID, or None."""
    section = elf.find_section(".note.gnu.build-id")
    if section is not None and section.type == SHT.NOTE:
        start, end = elf.bounds(section)
        notes = _parse_notes(elf, start, end, section.addralign, section.name)
    else:
        notes = iter_notes(elf)
    return next((n.desc for n in notes if n.owner == "GNU" and n.type == NT.GNU_BUILD_ID), None)


def _parse_notes(elf: Elf, start: int, end: int, align: int, where: str) -> Iterator[Note]:
    if end > len(elf.data):
        raise elf.error(f"expected {end - start} bytes of notes at {start:#x}", section=where)
    data = elf.data[start:end]
    # Everybody pads to 4, except for what is said to be aligned to 8 (.note.gnu.property).
    align = 8 if align == 8 else 4
    at = 0
    while at + 12 <= len(data):
        name_size, desc_size, kind = struct.unpack_from(elf.order + "III", data, at)
        desc_at = at + align_up(12 + name_size, align)
        if desc_at + desc_size > len(data):
            message = f"expected a note of {desc_size} bytes, got {len(data) - at}"
            raise elf.error(message, section=where, at=at)
        owner = data[at + 12 : at + 12 + name_size].rstrip(b"\0").decode("utf-8", "replace")
        yield Note(owner, kind, data[desc_at : desc_at + desc_size], where, desc_at)
        at = align_up(desc_at + desc_size, align)
