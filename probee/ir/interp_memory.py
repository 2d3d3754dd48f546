"""The interpreter's memory: regions with bounds, found by the upper half of an address.

An offset is the lower half, read with a sign, so that a pointer may stand before its region (by less
than 2 GiB) and an access through it is still told as one of that region.
"""

from __future__ import annotations

from ..base.bits import U64 as MASK
from ..base.bits import signed
from ..base.errors import InternalError

_FIRST = 0xFFFF_8800
"""The first region's number: addresses look like a kernel's, never like a process's or a null pointer."""


class Region:
    """`data` at `address`. `map` is a name where the region stands for a map itself."""

    __slots__ = ("name", "address", "data", "writable", "map")

    def __init__(self, name: str, address: int, data: bytearray, writable: bool, map: str | None) -> None:
        self.name = name
        self.address = address
        self.data = data
        self.writable = writable
        self.map = map


class Memory:
    """All regions there are. A region's number is never used again."""

    def __init__(self) -> None:
        self._regions: dict[int, Region] = {}
        self._next = _FIRST

    def add(self, name: str, data: bytearray, *, writable: bool = True, map: str | None = None) -> Region:
        region = Region(name, self._next << 32, data, writable, map)
        self._regions[self._next] = region
        self._next += 1
        return region

    def drop(self, region: Region) -> None:
        """Take the region away; a later access is an error."""
        del self._regions[region.address >> 32]

    def have(self, address: int, size: int) -> bool:
        """Whether `size` bytes at `address` are in a region."""
        offset = signed(address, 32)
        region = self._regions.get(((address - offset) & MASK) >> 32)
        return region is not None and 0 <= offset <= len(region.data) - size

    def read(self, address: int, size: int) -> bytes:
        region, offset = self.find(address, size)
        return bytes(region.data[offset : offset + size])

    def write(self, address: int, data: bytes) -> None:
        region, offset = self.find(address, len(data))
        if not region.writable:
            raise InternalError(f"{region.name} can't be written to")
        region.data[offset : offset + len(data)] = data

    def find(self, address: int, size: int) -> tuple[Region, int]:
        """The region, and the offset in it, of `size` bytes; InternalError unless all are in it."""
        offset = signed(address, 32)
        region = self._regions.get(((address - offset) & MASK) >> 32)
        if region is None:
            raise InternalError(f"no memory at {address & MASK:#x} for {size} bytes")
        if not 0 <= offset <= len(region.data) - size:
            raise InternalError(f"{region.name} has {len(region.data)} bytes, no {size} at offset {offset}")
        return region, offset
