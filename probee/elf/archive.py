"""ELF files inside of zip archives, as Android maps libraries from an APK: `app.apk!/lib/x86_64/libapp.so`.

PKWARE's APPNOTE, sections 4.3.7 (local header), 4.3.12 (central directory) and 4.3.16 (its end).
"""

from __future__ import annotations

import struct

from ..base.errors import FormatError, TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Elf, Image

SEPARATOR = "!/"

_END = struct.Struct("<I4H2IH")
_ENTRY = struct.Struct("<I6H3I5H2I")
_LOCAL = struct.Struct("<I5H3I2H")
_LOCAL_MAGIC, _ENTRY_MAGIC = 0x04034B50, 0x02014B50
_LONGEST_COMMENT = 1 << 16
_STORED = 0


def split_path(path: str) -> tuple[str, str]:
    """The archive's path and the member's name; the whole path and "" for a file of its own."""
    archive, separator, member = path.partition(SEPARATOR)
    return (archive, member) if separator else (path, "")


def place_in_file(elf: Elf, offset: int) -> tuple[str, int]:
    """The file that `offset` of `elf` is in, and where there: of a member, in its archive."""
    return split_path(elf.path)[0] if elf.base else elf.path, elf.base + offset


def find_member(data: Image, name: str, path: str) -> tuple[int, int]:
    """Start and size of the bytes of member `name` of the archive `data`.

    Raises FormatError for what is no archive, TargetError for a member that isn't there or is compressed: a
    program can't be run from it.
    """
    for member, method, size, header in _iter_members(data, path):
        if member == name:
            if method != _STORED:
                raise TargetError(f"{path}{SEPARATOR}{name}: compressed, so that it can't be run from there")
            signature, *_, name_size, extra_size = _unpack(_LOCAL, data, header, path)
            if signature != _LOCAL_MAGIC:
                raise FormatError("expected the header of a member", path=path, offset=header)
            start = header + _LOCAL.size + name_size + extra_size
            if start + size > len(data):
                raise FormatError(f"expected a member of {size} bytes", path=path, offset=start)
            return start, size
    raise TargetError(f"{path} has no member {name}")


def _iter_members(data: Image, path: str) -> Iterator[tuple[str, int, int, int]]:
    """Name, method of compression, size, offset of the local header of each member."""
    at = _find_end(data, path)
    _, _, _, _, count, size, start, _ = _unpack(_END, data, at, path)
    if start + size > at:
        raise FormatError(
            f"expected a directory before {at:#x}, got {start:#x}+{size:#x}", path=path, offset=at
        )
    place = start
    for _ in range(count):
        entry = _unpack(_ENTRY, data, place, path)
        if entry[0] != _ENTRY_MAGIC:
            raise FormatError("expected an entry of the directory", path=path, offset=place)
        name_size, extra_size, comment_size = entry[10:13]
        name = data[place + _ENTRY.size : place + _ENTRY.size + name_size]
        yield name.decode("utf-8", "surrogateescape"), entry[4], entry[8], entry[16]
        place += _ENTRY.size + name_size + extra_size + comment_size


def _find_end(data: Image, path: str) -> int:
    """Where the record at the end begins."""
    tail = max(len(data) - _LONGEST_COMMENT - _END.size, 0)
    at = data[tail : len(data)].rfind(b"PK\5\6")
    if at < 0:
        raise FormatError("expected a zip archive", path=path, offset=0)
    return tail + at


def _unpack(form: struct.Struct, data: Image, at: int, path: str) -> tuple[int, ...]:
    if at + form.size > len(data):
        raise FormatError(f"expected {form.size} bytes, got {max(len(data) - at, 0)}", path=path, offset=at)
    return form.unpack(data[at : at + form.size])
