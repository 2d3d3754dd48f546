"""Where functions begin and end when no symbol tells: the frame tables that unwinding needs.

Linux Standard Base, "Exception Frames": `.eh_frame_hdr`, a sorted table of (first address, frame description
entry), found by its segment, and the entries in `.eh_frame` that it points to. Stripping leaves both.
The cold part that a compiler splits off a function, and each PLT, have entries of their own.
"""

from __future__ import annotations

import struct
from bisect import bisect_right

from ..base.reader import Reader
from ..base.record import record
from .consts import PT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .file import Elf

# DW_EH_PE: how a pointer is written (low 4 bits) and what it is relative to.
_OMIT = 0xFF
_DATA4 = 0x03
_SDATA4_DATAREL = 0x3B
_RELATIVE = 0x70
_PCREL = 0x10
_LAYOUTS = {0x02: "H", 0x03: "I", 0x04: "Q", 0x0A: "h", 0x0B: "i", 0x0C: "q"}
_MOST_READ = 256
_MOST_OPERATIONS = 1 << 16


@record
class FrameTable:
    """`.eh_frame_hdr`: sorted first addresses, and the address of each one's entry in `.eh_frame`."""

    starts: tuple[int, ...] = ()
    entries: tuple[int, ...] = ()


def parse_frame_table(elf: Elf) -> FrameTable:
    """The table of `elf`, an empty one when it has none, as separate debug files."""
    segment = next((s for s in elf.segments if s.type == PT.GNU_EH_FRAME), None)
    if segment is None or not segment.filesz:
        return FrameTable()
    reader = Reader(elf.segment_contents(segment), path=elf.path, section=".eh_frame_hdr", little=elf.little)
    version, pointer, count_encoding, encoding = reader.read_struct("4B")
    if version != 1:
        raise reader.error(f"expected version 1, got {version}", at=0)
    if _OMIT in (count_encoding, encoding):
        return FrameTable()
    if (count_encoding, encoding) != (_DATA4, _SDATA4_DATAREL):
        raise reader.error(f"expected encodings 03 and 3b, got {count_encoding:02x} and {encoding:02x}", at=2)
    _read_pointer(reader, elf, pointer, 0)
    count = reader.read_u32()
    numbers = struct.unpack(f"{elf.order}{2 * count}i", reader.read_bytes(8 * count))
    base = segment.vaddr
    starts, entries = [base + n for n in numbers[::2]], [base + n for n in numbers[1::2]]
    if starts != sorted(starts):
        raise reader.error("expected a sorted table")
    return FrameTable(tuple(starts), tuple(entries))


def find_function(elf: Elf, table: FrameTable, address: int) -> tuple[int, int] | None:
    """First address and size in bytes of the function around `address`, or None."""
    index = bisect_right(table.starts, address) - 1
    if index < 0:
        return None
    start, size = _parse_entry(elf, table.entries[index])
    return (start, size) if start <= address < start + size else None


@record
class Frame:
    """A frame description entry with what its common entry says: code from `start` on, `size` bytes, the
    factors of its operations' operands, and the operations themselves, the common ones first."""

    start: int
    size: int
    code_factor: int
    data_factor: int
    initial: bytes
    operations: bytes


def find_frame(elf: Elf, table: FrameTable, address: int) -> Frame | None:
    """The entry that describes the code at `address`, or None."""
    index = bisect_right(table.starts, address) - 1
    if index < 0:
        return None
    reader, distance, base = _open_entry(elf, table.entries[index], _MOST_OPERATIONS)
    if not distance:
        raise reader.error("expected a frame description entry, got a common one")
    common = _parse_common(elf, base - distance)
    start = _read_pointer(reader, elf, common.encoding, base + 4)
    size = _read_pointer(reader, elf, common.encoding & 0x0F, 0)
    if not start <= address < start + size:
        return None
    if common.is_augmented:
        reader.read_bytes(reader.read_uleb())
    rest = reader.read_bytes(reader.left)
    return Frame(start, size, common.code_factor, common.data_factor, common.operations, rest)


def _parse_entry(elf: Elf, address: int) -> tuple[int, int]:
    """First address and size of a frame description entry (FDE)."""
    reader, distance, base = _open_entry(elf, address)
    if not distance:
        raise reader.error("expected a frame description entry, got a common one")
    encoding = _parse_common(elf, base - distance).encoding
    start = _read_pointer(reader, elf, encoding, base + 4)
    size = _read_pointer(reader, elf, encoding & 0x0F, 0)
    return start, size


def _open_entry(elf: Elf, address: int, most: int = _MOST_READ) -> tuple[Reader, int, int]:
    """A reader at the first byte after an entry's length and id, the id, and the id's address.

    At most `most` bytes of the entry are read.
    """
    offset = elf.file_offset(address, code=False)
    if offset is None:
        raise elf.error(f"expected an entry at address {address:#x}", section=".eh_frame")
    (length,) = elf.unpack("I", offset, "length")
    if length in (0, 0xFFFFFFFF) or length < 4:
        raise elf.error(
            f"expected an entry of at least 4 bytes, got {length:#x}", section=".eh_frame", at=offset
        )
    data = elf.data[offset + 4 : offset + 4 + min(length, most)]
    reader = Reader(data, path=elf.path, section=".eh_frame", little=elf.little)
    return reader, reader.read_u32(), address + 4


@record
class _Common:
    """What a common information entry (CIE) says: how its entries write pointers, and what all begin with."""

    encoding: int
    code_factor: int
    data_factor: int
    operations: bytes
    is_augmented: bool


def _parse_common(elf: Elf, address: int) -> _Common:
    reader, distance, _ = _open_entry(elf, address)
    if distance:
        raise reader.error("expected a common entry, got a frame description one")
    version = reader.read_u8()
    augmentation = reader.read_string()
    if augmentation and not augmentation.startswith(b"z"):
        raise reader.error(f"expected an augmentation that begins with z, got {augmentation[:16]!r}")
    code_factor, data_factor = reader.read_uleb(), reader.read_sleb()
    if version == 1:
        reader.read_u8()  # return address register
    else:
        reader.read_uleb()
    encoding = 0
    if augmentation:
        size = reader.read_uleb()
        end = reader.at + size
        encoding = _read_augmentation(reader, elf, augmentation)
        reader.at = max(reader.at, min(end, reader.at + reader.left))
    return _Common(encoding, code_factor, data_factor, reader.read_bytes(reader.left), bool(augmentation))


def _read_augmentation(reader: Reader, elf: Elf, augmentation: bytes) -> int:
    """The encoding of pointers, out of what the letters of an augmentation stand for."""
    encoding = 0
    for letter in augmentation[1:]:
        if letter == ord("R"):
            encoding = reader.read_u8()
        elif letter == ord("P"):
            _read_pointer(reader, elf, reader.read_u8(), 0)
        elif letter == ord("L"):
            reader.read_u8()
        elif letter not in b"SB":
            raise reader.error(f"expected an augmentation of RPLSB, got {chr(letter)!r}")
    return encoding


def _read_pointer(reader: Reader, elf: Elf, encoding: int, address: int) -> int:
    """A pointer in one of the DW_EH_PE encodings; `address` is where it stands, for relative ones."""
    form = encoding & 0x0F
    if form == 0x01:
        value = reader.read_uleb()
    elif form == 0x09:
        value = reader.read_sleb()
    elif form == 0:
        (value,) = reader.read_struct("Q" if elf.bits == 64 else "I")
    elif form in _LAYOUTS:
        (value,) = reader.read_struct(_LAYOUTS[form])
    else:
        raise reader.error(f"expected a pointer encoding, got {encoding:02x}")
    if encoding & _RELATIVE == _PCREL:
        value += address
    return value & ((1 << elf.bits) - 1)
