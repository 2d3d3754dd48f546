"""Which Go built a program: `.go.buildinfo` (Go's debug/buildinfo), which stripping leaves alone."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .file import Elf

_SECTION = ".go.buildinfo"
_MAGIC = b"\xff Go buildinf:"
_HEADER = 32
_BIG, _INLINE = 1, 2
_LONGEST = 256
_VERSION = re.compile(r"go(\d{1,3})\.(\d{1,3})", re.ASCII)


def parse_go_version(elf: Elf) -> str | None:
    """Such as "go1.23.3"; None for what is not of Go. Raises FormatError."""
    section = elf.find_section(_SECTION)
    if section is None:
        return None
    data = elf.contents(section)
    if len(data) < _HEADER or not data.startswith(_MAGIC):
        raise elf.error("expected Go's build information", section=_SECTION)
    word, flags = data[14], data[15]
    if flags & _INLINE:
        # A length of 7 bits a byte: a version is shorter than two of them tell.
        size, start = data[_HEADER : _HEADER + 1], _HEADER + 1
        text = data[start : start + size[0]] if size and size[0] < 0x80 else b""
    else:
        text = _follow(elf, data[16 : 16 + word], word, "big" if flags & _BIG else "little")
    return text.decode("utf-8", "replace")


def parse_version(text: str) -> tuple[int, int] | None:
    """(major, minor) of a version as Go spells them; None for what is none, as of Go's own developers."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def _follow(elf: Elf, pointer: bytes, word: int, order: str) -> bytes:
    """The string whose header (address, length), before Go 1.18, is at an address."""
    little = order == "little"
    header = _read(elf, int.from_bytes(pointer, "little" if little else "big"), 2 * word)
    address, size = [
        int.from_bytes(header[at : at + word], "little" if little else "big") for at in (0, word)
    ]
    return _read(elf, address, min(size, _LONGEST))


def _read(elf: Elf, address: int, size: int) -> bytes:
    at = elf.file_offset(address, code=False)
    if at is None or at + size > len(elf.data):
        raise elf.error(f"expected {size} bytes at {address:#x}", section=_SECTION)
    return elf.data[at : at + size]
