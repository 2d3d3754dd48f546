"""Memory as checked regions.

An address is `region << 32 | offset`. Region numbers start at 0x40000000, so that an address of
ours is never one of a kernel or a process on any 64-bit machine, and NULL is in no region. An
access that does not lie in one region is a `Fault` that says which region, offset and size.

`buffers` is what programs access on the fast path: region number → bytes, absent once the region
has gone. `objects` holds what has an address but no bytes a program may touch: maps and functions.
"""

from __future__ import annotations

import struct

from ..base.record import record
from .fault import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    Buffer = bytearray | memoryview

FIRST_REGION = 0x4000_0000
STACK_SIZE = 512
MAX_FRAMES = 8
"""The deepest nesting of calls the kernel's verifier lets pass (MAX_CALL_FRAMES before Linux 7.2)."""

LOADS = {1: struct.Struct("<B"), 2: struct.Struct("<H"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}
_ZEROS = bytes(STACK_SIZE)


@record
class Region:
    """What is known of a region beside its bytes: its `name` in messages and its `size`."""

    name: str
    size: int
    writable: bool = True


class Memory:
    def __init__(self) -> None:
        self.buffers: dict[int, Buffer] = {}
        self.regions: dict[int, Region] = {}
        self.objects: dict[int, object] = {}
        self._next = FIRST_REGION
        self._gone: list[int] = []
        self.depth = 0
        self.frames: list[tuple[int, bytearray]] = []

    # -- regions ----------------------------------------------------------------------------------

    def add(self, name: str, data: Buffer, *, writable: bool = True) -> int:
        """Make `data` a region; its address."""
        number = self._next
        self._next += 1
        self.buffers[number] = data if writable else memoryview(data).toreadonly()
        self.regions[number] = Region(name, len(data), writable)
        return number << 32

    def add_object(self, name: str, item: object) -> int:
        """Give `item` an address that programs can pass on but not read."""
        number = self._next
        self._next += 1
        self.objects[number] = item
        self.regions[number] = Region(name, 0, False)
        return number << 32

    def remove(self, address: int) -> None:
        """Take a region away now; its name stays for messages."""
        self.buffers.pop(address >> 32, None)

    def retire(self, address: int) -> None:
        """Take a region away when the run that is going on has ended, as RCU does."""
        self._gone.append(address)

    def settle(self) -> None:
        """The run has ended: take away what was retired."""
        for address in self._gone:
            self.buffers.pop(address >> 32, None)
            self.regions.pop(address >> 32, None)
        self._gone.clear()

    def find_object(self, address: int) -> object | None:
        return None if address & 0xFFFFFFFF else self.objects.get(address >> 32)

    # -- the stack --------------------------------------------------------------------------------

    def enter(self) -> tuple[int, bytearray]:
        """A zeroed stack frame for a call: the address of its end, and its bytes."""
        depth = self.depth
        if depth == len(self.frames):
            if depth >= MAX_FRAMES:
                raise Fault(f"calls nest deeper than {MAX_FRAMES} frames")
            data = bytearray(STACK_SIZE)
            self.frames.append((self.add(f"stack frame {depth}", data) + STACK_SIZE, data))
        self.depth = depth + 1
        frame = self.frames[depth]
        frame[1][:] = _ZEROS
        return frame

    def leave(self) -> None:
        self.depth -= 1

    # -- checked access ---------------------------------------------------------------------------

    def check(self, address: int, size: int, *, write: bool = False) -> tuple[Buffer, int]:
        """The bytes and the offset in them of a legal access; Fault says what isn't."""
        number, offset = address >> 32 & 0xFFFFFFFF, address & 0xFFFFFFFF
        data = self.buffers.get(number)
        if data is None or offset + size > len(data) or (write and not self.regions[number].writable):
            raise self._fault(address & 0xFFFFFFFF_FFFFFFFF, size, write)
        return data, offset

    def _fault(self, address: int, size: int, write: bool) -> Fault:
        verb = "writes" if write else "reads"
        what = f"{verb} {size} byte{'s' * (size != 1)}"
        number, offset = address >> 32, address & 0xFFFFFFFF
        # A pointer moved below its region's start has borrowed from the region's number.
        if offset >= 0x80000000 and number + 1 in self.regions:
            number, offset = number + 1, offset - (1 << 32)
        region = self.regions.get(number)
        if address < 4096:
            return Fault(f"{what} at {address:#x}, a null pointer", hint="check the pointer before its use")
        if region is None:
            return Fault(f"{what} at {address:#x}, which is no memory of the program")
        if number in self.objects:
            return Fault(f"{what} at {region.name}, which has no bytes to access")
        if number not in self.buffers:
            return Fault(f"{what} at offset {offset} of {region.name}, which has been given back")
        if write and not region.writable and 0 <= offset <= region.size - size:
            return Fault(f"{what} at offset {offset} of {region.name}, which is read-only")
        return Fault(f"{what} at offset {offset} of {region.name}, which has {region.size} bytes")

    def read(self, address: int, size: int) -> bytes:
        """A copy of `size` bytes."""
        data, offset = self.check(address, size)
        return bytes(data[offset : offset + size])

    def write(self, address: int, value: bytes) -> None:
        data, offset = self.check(address, len(value), write=True)
        data[offset : offset + len(value)] = value

    def load(self, address: int, size: int) -> int:
        """An unsigned little-endian number of 1, 2, 4 or 8 bytes."""
        data, offset = self.check(address, size)
        value: int = LOADS[size].unpack_from(data, offset)[0]
        return value

    def store(self, address: int, size: int, value: int) -> None:
        data, offset = self.check(address, size, write=True)
        LOADS[size].pack_into(data, offset, value & (1 << 8 * size) - 1)
