"""The dynamic section (gABI chapter 5, "Dynamic Section"): what a file asks of the dynamic loader."""

from __future__ import annotations

import struct

from ..base.record import record
from .consts import DT, PT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .file import Elf

_LONGEST_NAME = 1024
_LONGEST_PATH = 1 << 16


@record
class Dynamic:
    """Needed libraries in order, own soname, search path ("" for none) and DT_FLAGS_1."""

    needed: tuple[str, ...] = ()
    soname: str = ""
    runpath: str = ""
    flags_1: int = 0


def parse_dynamic(elf: Elf) -> Dynamic:
    """The dynamic section of `elf`, found by its segment; an empty one when there is none."""
    segment = next((s for s in elf.segments if s.type == PT.DYNAMIC), None)
    if segment is None:
        return Dynamic()
    entries = _parse_entries(elf, elf.segment_contents(segment))
    single = dict(entries)
    strings = _strings(elf, single)
    path = single.get(DT.RUNPATH, single.get(DT.RPATH))
    return Dynamic(
        needed=tuple([_string(elf, strings, value) for tag, value in entries if tag == DT.NEEDED]),
        soname=_string(elf, strings, single.get(DT.SONAME)),
        runpath=_string(elf, strings, path, _LONGEST_PATH),
        flags_1=single.get(DT.FLAGS_1, 0),
    )


def _parse_entries(elf: Elf, data: bytes) -> list[tuple[int, int]]:
    layout = struct.Struct(elf.order + ("QQ" if elf.bits == 64 else "II"))
    entries: list[tuple[int, int]] = []
    for tag, value in layout.iter_unpack(data[: len(data) // layout.size * layout.size]):
        if tag == DT.NULL:
            break
        entries.append((tag, value))
    return entries


def _strings(elf: Elf, entries: dict[int, int]) -> bytes:
    address = entries.get(DT.STRTAB)
    start = None if address is None else elf.file_offset(address, code=False)
    return b"" if start is None else elf.data[start : start + entries.get(DT.STRSZ, 0)]


def _string(elf: Elf, strings: bytes, offset: int | None, most: int = _LONGEST_NAME) -> str:
    if offset is None:
        return ""
    end = strings.find(b"\0", offset, offset + most)
    if end < 0:
        raise elf.error("expected a string that ends in NUL", section=".dynstr", at=offset)
    return strings[offset:end].decode("utf-8", "surrogateescape")
