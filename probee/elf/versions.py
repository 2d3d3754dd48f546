"""GNU symbol versions (LSB core, "Symbol Versioning"): `.gnu.version`, `.gnu.version_d`, `.gnu.version_r`."""

from __future__ import annotations

import struct

from .consts import SHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Elf, Section

_HIDDEN = 0x8000
_GLOBAL = 1
_VERNAUX_SIZE = 16
_LONGEST_NAME = 512


class Versions:
    """Version of each dynamic symbol by its number."""

    __slots__ = ("_indices", "_order", "_names")

    def __init__(self, indices: bytes, order: str, names: dict[int, str]) -> None:
        self._indices, self._order, self._names = indices, order, names

    def find(self, index: int) -> tuple[str, bool]:
        """Name of symbol `index`'s version ("" for none), and whether it is hidden (not the default)."""
        at = 2 * index
        if at + 2 > len(self._indices):
            return "", False
        (number,) = struct.unpack_from(self._order + "H", self._indices, at)
        if number & ~_HIDDEN <= _GLOBAL:
            return "", bool(number & _HIDDEN)
        return self._names.get(number & ~_HIDDEN, ""), bool(number & _HIDDEN)


def parse_versions(elf: Elf) -> Versions | None:
    """The versions of `elf`'s dynamic symbols, or None when it has none."""
    section = elf.find_section_of_type(SHT.GNU_VERSYM)
    if section is None:
        return None
    names: dict[int, str] = {}
    for kind, parse in ((SHT.GNU_VERDEF, _parse_verdef), (SHT.GNU_VERNEED, _parse_verneed)):
        table = elf.find_section_of_type(kind)
        if table is not None:
            parse(elf, table, names)
    return Versions(elf.contents(section), elf.order, names)


def _parse_verdef(elf: Elf, section: Section, names: dict[int, str]) -> None:
    for at, (_, _, number, _, _, first, _) in _chain(elf, section, "HHHHIII", 0, section.info):
        (name, _) = _unpack(elf, section, "II", at + first)
        names[number & ~_HIDDEN] = _string(elf, section, name)


def _parse_verneed(elf: Elf, section: Section, names: dict[int, str]) -> None:
    left = section.size // _VERNAUX_SIZE
    for at, (_, count, _, first, _) in _chain(elf, section, "HHIII", 0, section.info):
        left -= count
        if left < 0:
            raise elf.error("expected fewer versions", section=section.name, at=at)
        for _, (_, _, number, name, _) in _chain(elf, section, "IHHII", at + first, count):
            names[number & ~_HIDDEN] = _string(elf, section, name)


def _chain(
    elf: Elf, section: Section, layout: str, at: int, count: int
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Offset and fields of at most `count` entries whose last field is the distance to the next, or 0."""
    size = struct.calcsize("<" + layout)
    for _ in range(count):
        row = _unpack(elf, section, layout, at)
        yield at, row
        if not row[-1]:
            return
        if row[-1] < size:
            raise elf.error(
                f"expected entries {size} bytes apart, got {row[-1]}", section=section.name, at=at
            )
        at += row[-1]


def _unpack(elf: Elf, section: Section, layout: str, at: int) -> tuple[int, ...]:
    start, end = elf.bounds(section)
    size = struct.calcsize("<" + layout)
    if start + at + size > end:
        raise elf.error(f"expected {size} bytes, got {max(end - start - at, 0)}", section=section.name, at=at)
    return elf.unpack(layout, start + at, "version")


def _string(elf: Elf, section: Section, offset: int) -> str:
    if not 0 < section.link < len(elf.sections):
        raise elf.error(f"expected the index of a string table, got {section.link}", section=section.name)
    start, end = elf.bounds(elf.sections[section.link])
    nul = elf.data.find(b"\0", start + offset, min(start + offset + _LONGEST_NAME, end))
    if nul < 0:
        raise elf.error("expected a version name that ends in NUL", section=section.name, at=offset)
    return elf.data[start + offset : nul].decode("utf-8", "surrogateescape")
