"""The header of BTF and its layout section (Documentation/bpf/btf.rst, section 2), in both byte orders."""

from __future__ import annotations

import struct

from ..base.errors import FormatError
from ..base.record import record
from .consts import HEADER_SIZE, LAYOUT_HEADER_SIZE, MAGIC, RECORD_SIZES, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Image(Protocol):
        """Bytes that can be searched: `bytes`, `mmap.mmap` and alike."""

        def __len__(self) -> int: ...
        def __getitem__(self, key: slice, /) -> bytes: ...
        def __buffer__(self, flags: int, /) -> memoryview: ...
        def find(self, sub: bytes, start: int = ..., end: int = ..., /) -> int: ...


@record
class Header:
    """Where the sections are, in bytes from the start of the data; `little` is the byte order."""

    little: bool
    types: int
    types_end: int
    strings: int
    strings_end: int
    layout: int
    layout_end: int

    @property
    def order(self) -> str:
        """Byte order in the words of `struct`."""
        return "<" if self.little else ">"


def parse_header(data: Image, path: str) -> Header:
    """The header of `data`. Raises FormatError; `path` names the data there."""
    if len(data) < HEADER_SIZE:
        raise FormatError(f"expected a BTF header of {HEADER_SIZE} bytes, got {len(data)}", path=path)
    magic = bytes(data[:2])
    little = magic == MAGIC.to_bytes(2, "little")
    if not little and magic != MAGIC.to_bytes(2, "big"):
        raise FormatError(f"expected BTF's magic eb9f, got {magic.hex()}", path=path)
    order = "<" if little else ">"
    _, version, _, size, *sections = struct.unpack(order + "HBBIIIII", data[:HEADER_SIZE])
    if version != VERSION:
        raise FormatError(f"expected BTF version {VERSION}, got {version}", path=path, offset=2)
    if not HEADER_SIZE <= size <= len(data):
        raise FormatError(
            f"expected a header of {HEADER_SIZE}..{len(data)} bytes, got {size}", path=path, offset=4
        )
    # Since Linux v7.1 a header may have two more words, for the layout section.
    sections += struct.unpack(order + "II", data[24:32]) if size >= LAYOUT_HEADER_SIZE else (0, 0)
    places: list[int] = []
    for name, at in (("type", 8), ("string", 16), ("layout", 24)):
        offset, length = sections[(at - 8) // 4 : (at - 8) // 4 + 2]
        if size + offset + length > len(data):
            what = (
                f"expected a {name} section within {len(data):#x} bytes, got {size + offset:#x}+{length:#x}"
            )
            raise FormatError(what, path=path, offset=at)
        places += size + offset, size + offset + length
    return _checked(Header(little, *places), data, path)


def _checked(header: Header, data: Image, path: str) -> Header:
    if (header.types_end - header.types) % 4 or (header.layout_end - header.layout) % 4:
        raise FormatError("expected sections of whole words", path=path, offset=8)
    strings, end = header.strings, header.strings_end
    if end > strings and data[end - 1 : end] != b"\0":
        raise FormatError("expected a NUL at the end", path=path, section="strings", offset=end - strings - 1)
    return header


def parse_layout(data: Image, header: Header, path: str) -> dict[int, tuple[int, int]]:
    """`RECORD_SIZES`, and the sizes that the layout section has for kinds unknown to it."""
    sizes: dict[int, tuple[int, int]] = {}
    # One struct btf_layout a kind: u8 info_sz, u8 elem_sz, u16 flags. Kinds have 7 bits.
    entries = data[header.layout : min(header.layout_end, header.layout + 4 * 128)]
    for kind, (once, each, _) in enumerate(struct.iter_unpack(header.order + "BBH", entries)):
        if kind and (once % 4 or each % 4):
            what = f"expected sizes of whole words for kind {kind}, got {once} and {each}"
            raise FormatError(what, path=path, section="layout", offset=4 * kind)
        sizes[kind] = once, each
    sizes.pop(0, None)
    sizes.update(RECORD_SIZES)
    return sizes
