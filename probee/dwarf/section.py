"""Debug sections as bytes to read from, whether or not they are compressed.

gABI chapter 4, "Section Compression", and the older `.zdebug_*` of GNU. A compressed section is inflated as
far as it is read and no further: what is asked for usually stands long before the end.
"""

from __future__ import annotations

import struct

from ..base.errors import FeatureError, FormatError
from ..base.reader import Reader
from ..elf.consts import ET, SHF, SHT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from ..elf.file import Elf, Image, Section

    class Inflater(Protocol):
        """A decompressor of `zlib` or `compression.zstd`."""

        @property
        def eof(self) -> bool: ...
        def decompress(self, data: bytes, /) -> bytes: ...

    class Kept(Protocol):
        """What is kept between runs: first bytes of inflated sections, places of functions' entries."""

        def find(self, build_id: bytes, name: str, size: int) -> Image | None: ...
        def keep(self, build_id: bytes, name: str, size: int, data: bytes | bytearray) -> None: ...
        def watch(self, keep: Callable[[], None]) -> None: ...
        def find_place(self, build_id: bytes, address: int) -> tuple[int, int] | None: ...
        def keep_place(self, build_id: bytes, address: int, place: tuple[int, int]) -> None: ...


_CHUNK = 1 << 15
_READ_AHEAD = 1 << 20
_LONGEST_STRING = 1 << 16
_ZLIB, _ZSTD = 1, 2
# Debug sections shrink to a third or a tenth; what claims far more is made to fill the memory.
_MOST_INFLATED = 1 << 24
_MOST_RATIO = 100


class DwarfError(FormatError):
    """Debug information is not what DWARF asks for, or refers to what isn't there."""


class SectionReader(Reader):
    """A reader whose errors are `DwarfError`s."""

    __slots__ = ()

    def error(self, message: str, at: int | None = None) -> DwarfError:
        offset = (self.at if at is None else at) - self.start
        return DwarfError(message, path=self.path, section=self.section, offset=offset)


class DebugSection:
    """One debug section of `elf`, `size` bytes long when inflated. `kept` may have its first bytes so."""

    def __init__(self, elf: Elf, section: Section, kept: Kept | None = None) -> None:
        self.elf, self.name = elf, section.name
        self.base, self._end = elf.bounds(section)
        self.size = self._end - self.base
        self._data: Any = elf.data
        self._inflater: Inflater | None = None
        self._kept = kept
        if elf.header.type == ET.REL and elf.find_section(f".rela{section.name}") is not None:
            raise self.error("expected a linked file, got an object file whose relocations aren't applied")
        if section.flags & SHF.COMPRESSED:
            self._open_compressed()
        elif section.name.startswith(".z"):
            self._open_gnu()

    def error(self, message: str, at: int = 0) -> DwarfError:
        """A `DwarfError` at offset `at` of this section, to be raised by the caller."""
        return DwarfError(message, path=self.elf.path, section=self.name, offset=at)

    def take(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on."""
        end = offset + count
        if end > self.size:
            raise self.error(f"expected {count} bytes, got {max(self.size - offset, 0)}", offset)
        if self._inflater is not None:
            self._inflate(end)
        return bytes(self._data[self.base + offset : self.base + end])

    def string(self, offset: int) -> bytes:
        """The string at `offset`, without its NUL."""
        if self._inflater is not None:
            self._inflate(min(offset + _LONGEST_STRING, self.size))
        start = self.base + offset
        end = self._data.find(b"\0", start, min(start + _LONGEST_STRING, self.base + self.size))
        if end < 0:
            raise self.error("expected a string that ends in NUL", offset)
        return bytes(self._data[start:end])

    def find(self, needle: bytes, start: int = 0, end: int | None = None) -> int:
        """Offset of the first `needle` in `start..end`, or -1."""
        end = self.size if end is None else min(end, self.size)
        if self._inflater is not None:
            self._inflate(end)
        at: int = self._data.find(needle, self.base + start, self.base + end)
        return at - self.base if at >= 0 else -1

    def reader(self, offset: int) -> SectionReader:
        """A reader at `offset`, for things that are no longer than 1 MiB where the section is compressed."""
        end = self.size
        if offset > end:
            raise self.error(f"expected an offset in 0..{end:#x}", offset)
        if self._inflater is not None:
            self._inflate(min(offset + _READ_AHEAD, end))
            end = len(self._data)
        reader = SectionReader(
            self._data,
            start=self.base,
            end=self.base + end,
            path=self.elf.path,
            section=self.name,
            little=self.elf.little,
        )
        reader.at = self.base + offset
        return reader

    def part(self, offset: int, size: int) -> DebugSection:
        """`size` bytes from `offset` on as a section of their own."""
        if offset + size > self.size:
            raise self.error(f"expected {size} bytes, got {max(self.size - offset, 0)}", offset)
        if self._inflater is not None:
            self._inflate(offset + size)
        part = object.__new__(DebugSection)
        part.elf, part.name, part.base, part.size = self.elf, self.name, self.base + offset, size
        part._data, part._inflater, part._end = self._data, None, self.base + offset + size
        part._kept = None
        return part

    def _keep(self) -> None:
        if self._kept is not None and self.elf.build_id and isinstance(self._data, bytearray):
            self._kept.keep(self.elf.build_id, self.name, self.size, self._data)

    # Inflating

    def _open_compressed(self) -> None:
        """Read the compression header: type, (padding,) size, alignment."""
        layout = struct.Struct(self.elf.order + ("IIQQ" if self.elf.bits == 64 else "III"))
        header = self._data[self.base : min(self.base + layout.size, self._end)]
        if len(header) < layout.size:
            raise self.error(f"expected a compression header of {layout.size} bytes, got {len(header)}")
        fields = layout.unpack(header)
        self._open(fields[0], fields[2] if self.elf.bits == 64 else fields[1], layout.size)

    def _open_gnu(self) -> None:
        header = self._data[self.base : min(self.base + 12, self._end)]
        if header[:4] != b"ZLIB" or len(header) < 12:
            raise self.error("expected 'ZLIB' and a size")
        self._open(_ZLIB, int.from_bytes(header[4:], "big"), 12)

    def _open(self, kind: int, size: int, skip: int) -> None:
        most = _MOST_INFLATED + _MOST_RATIO * self.size
        if size > most:
            raise self.error(f"expected at most {most:#x} bytes of inflated data, got {size:#x}")
        self._inflater = self._make_inflater(kind)
        self._next = self.base + skip
        self._data, self.base, self.size = bytearray(), 0, size
        build_id = self.elf.build_id
        found = self._kept.find(build_id, self.name, size) if self._kept is not None and build_id else None
        if found is not None:
            self._data = found

    def _make_inflater(self, kind: int) -> Inflater:
        if kind == _ZLIB:
            from zlib import decompressobj, error

            self._refusal: type[Exception] = error
            return decompressobj()
        if kind != _ZSTD:
            raise self.error(f"expected compression type 1 (zlib) or 2 (zstd), got {kind}")
        from importlib import import_module

        try:
            zstd = import_module("compression.zstd")
        except ImportError as missing:
            raise FeatureError(
                f"{self.elf.path}: {self.name} is compressed with zstd, which Python can read since 3.14",
                hint="objcopy --decompress-debug-sections makes a copy that is not compressed",
            ) from missing
        self._refusal = zstd.ZstdError
        inflater: Inflater = zstd.ZstdDecompressor()
        return inflater

    def _inflate(self, end: int) -> None:
        """Have at least `end` bytes of inflated data."""
        if len(self._data) < end:
            self._inflate_more(end)

    def _inflate_more(self, end: int) -> None:
        if not isinstance(self._data, bytearray):
            self._data = bytearray()  # what is kept is not enough
        if self._kept is not None and not self._data:
            self._kept.watch(self._keep)
        data, inflater = self._data, self._inflater
        assert inflater is not None
        while len(data) < end:
            if inflater.eof or self._next >= self._end:
                raise self.error(f"expected {self.size:#x} bytes of inflated data, got {len(data):#x}")
            chunk = self.elf.data[self._next : min(self._next + _CHUNK, self._end)]
            self._next += len(chunk)
            try:
                data += inflater.decompress(chunk)
            except self._refusal as error:
                raise self.error(f"expected compressed data: {error}", len(data)) from error
            if len(data) > self.size:
                raise self.error(f"expected {self.size:#x} bytes of inflated data, got more")


def find_debug_section(elf: Elf, name: str, kept: Kept | None = None) -> DebugSection | None:
    """The section `name` (".debug_info"), compressed in any way or not; None when it isn't in the file."""
    for spelling in (name, f".z{name[1:]}"):
        section = elf.find_section(spelling)
        if section is not None and section.type != SHT.NOBITS and section.size:
            return DebugSection(elf, section, kept)
    return None
