"""Bounds-checked reading and writing of binary formats.

A `Reader` walks a buffer and raises `FormatError` with path, section and offset where the bytes
end or a count can't be true; nothing else escapes it. `Writer` is its mirror.
"""

from __future__ import annotations

import struct

from .errors import FormatError


class Reader:
    """A cursor over `data[start:end]`. Offsets in errors are relative to the section's start."""

    __slots__ = ("data", "at", "start", "end", "path", "section", "_order")

    def __init__(
        self,
        data: bytes | memoryview,
        *,
        start: int = 0,
        end: int | None = None,
        path: str = "",
        section: str = "",
        little: bool = True,
    ) -> None:
        self.data = data
        self.start = self.at = start
        self.end = len(data) if end is None else end
        self.path, self.section = path, section
        self._order = "<" if little else ">"
        if not 0 <= start <= self.end <= len(data):
            raise self.error(f"expected bytes {start:#x}..{self.end:#x}, got {len(data):#x} bytes")

    def error(self, message: str, at: int | None = None) -> FormatError:
        """A `FormatError` at offset `at` (default: here), to be raised by the caller."""
        offset = (self.at if at is None else at) - self.start
        return FormatError(message, path=self.path, section=self.section, offset=offset)

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return self.end - self.at

    def seek(self, offset: int) -> None:
        """Go to `offset` from the section's start."""
        if not 0 <= offset <= self.end - self.start:
            raise self.error(f"expected an offset in 0..{self.end - self.start:#x}, got {offset:#x}")
        self.at = self.start + offset

    def read_bytes(self, count: int) -> bytes:
        if count < 0 or count > self.end - self.at:
            raise self.error(f"expected {count} bytes, got {self.end - self.at}")
        at = self.at
        self.at = at + count
        return bytes(self.data[at : at + count])

    def read_struct(self, layout: str) -> tuple[int, ...]:
        """Read the fields of a `struct` layout without byte-order mark."""
        form = self._order + layout
        size = struct.calcsize(form)
        if size > self.end - self.at:
            raise self.error(f"expected {size} bytes, got {self.end - self.at}")
        at = self.at
        self.at = at + size
        return struct.unpack_from(form, self.data, at)

    def read_u8(self) -> int:
        return self.read_struct("B")[0]

    def read_u16(self) -> int:
        return self.read_struct("H")[0]

    def read_u32(self) -> int:
        return self.read_struct("I")[0]

    def read_u64(self) -> int:
        return self.read_struct("Q")[0]

    def read_uleb(self) -> int:
        """Read an unsigned LEB128 number of at most 64 bits."""
        value = shift = 0
        while True:
            byte = self.read_u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 63:
                raise self.error("expected a LEB128 number of at most 10 bytes")

    def read_sleb(self) -> int:
        """Read a signed LEB128 number of at most 64 bits."""
        value = shift = 0
        while True:
            byte = self.read_u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value - (1 << shift) if byte & 0x40 else value
            if shift > 63:
                raise self.error("expected a LEB128 number of at most 10 bytes")

    def read_string(self) -> bytes:
        """Read bytes up to a NUL, which is passed over."""
        at = self.at
        while at < self.end:
            chunk = bytes(self.data[at : min(at + 256, self.end)])
            nul = chunk.find(b"\0")
            if nul >= 0:
                text = bytes(self.data[self.at : at + nul])
                self.at = at + nul + 1
                return text
            at += len(chunk)
        raise self.error("expected a string that ends in NUL")


class Writer:
    """Builds bytes with the same vocabulary."""

    __slots__ = ("data", "_order")

    def __init__(self, *, little: bool = True) -> None:
        self.data = bytearray()
        self._order = "<" if little else ">"

    def write_struct(self, layout: str, *values: int) -> None:
        self.data += struct.pack(self._order + layout, *values)

    def write_bytes(self, data: bytes) -> None:
        self.data += data

    def write_uleb(self, value: int) -> None:
        while value >= 0x80:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def write_sleb(self, value: int) -> None:
        while not -64 <= value < 64:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value & 0x7F)

    def write_string(self, text: bytes) -> None:
        self.data += text + b"\0"

    def align(self, size: int) -> None:
        self.data += bytes(-len(self.data) % size)
