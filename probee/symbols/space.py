"""One address space: what a process had mapped when it was looked at, and what is at its addresses."""

from __future__ import annotations

from ..base.errors import FormatError
from ..base.record import record
from .frame import Frame
from .maps import Mapping, Maps, parse_maps
from .perfmap import PerfMap, parse_perf_map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .image import Image, ImageOpener

_PAGE = 0xFFF
_VSYSCALL = {0x000: "gettimeofday", 0x400: "time", 0x800: "getcpu"}
"""Offsets in the page "[vsyscall]" of x86-64, whose addresses are part of the kernel's interface."""


@record
class _Region:
    """Addresses `start` to `end` in `image`, whose own addresses are lower by `bias`; None: no file."""

    start: int
    end: int
    path: str
    image: Image | None = None
    bias: int = 0


class Space:
    """What `text`, the mappings of process `pid`, says. Raises FormatError where it is no such text."""

    def __init__(self, pid: int, text: str, images: ImageOpener) -> None:
        self._pid, self._images = pid, images
        self.maps = parse_maps(text, f"/proc/{pid}/maps")
        self._added: list[Mapping] = []
        self._regions: dict[Mapping, _Region] = {}
        self._jit: PerfMap | None = None
        self._jit_mark = (0, 0)

    @classmethod
    def of_file(cls, path: str, bias: int, images: ImageOpener) -> Space:
        """The space of a process of which only the place of one file is known."""
        space = cls(0, "", images)
        image = images.open_path(path)
        if image is not None:
            for vaddr, offset, size in image.code:
                start, within = vaddr + bias & ~_PAGE, vaddr + bias & _PAGE
                end = vaddr + bias + size
                space.add(Mapping(start, end, "r-xp", offset - within, "", 0, path))
        return space

    def add(self, mapping: Mapping) -> None:
        """What was mapped later, over whatever was there."""
        self._added.append(mapping)

    @property
    def mappings(self) -> list[Mapping]:
        """All that is mapped, what was mapped later last."""
        return [*self.maps.mappings, *self._added]

    def copy(self, pid: int) -> Space:
        """The space of process `pid`, which is a copy of this one's."""
        space = Space(pid, "", self._images)
        space.maps, space._added = self.maps, list(self._added)
        return space

    def find(self, address: int) -> Mapping | None:
        """The mapping at `address`, the last one that was made there."""
        for mapping in reversed(self._added):
            if mapping.start <= address < mapping.end:
                return mapping
        return self.maps.find(address)

    def is_part_of(self, other: Space) -> bool:
        """Whether `other` is this space later: the program is the same, at the same place."""
        mine, theirs = _program(self.maps), _program(other.maps)
        return mine is not None and mine == theirs

    def resolve_all(
        self, addresses: list[int], is_return: bool, found: dict[int, tuple[Frame, ...]]
    ) -> list[int]:
        """Put the frames, innermost first, of each of `addresses` into `found`; those that nothing is
        mapped at are given back. They ascend; `is_return`: they are where calls return to."""
        left = []
        region, end = None, 0
        for address in addresses:
            if region is None or not region.start <= address < end:
                region = self._find_region(address)
                end = region.end if region is not None else 0
            if region is None:
                left.append(address)
            elif region.image is not None:
                found[address] = region.image.frames(address - region.bias, address, region.path, is_return)
            else:
                found[address] = (self._outside(region, address, is_return),)
        return left

    def _outside(self, region: _Region, address: int, is_return: bool) -> Frame:
        """The frame at an address that is of no file that can be read."""
        if region.path == "[vsyscall]":
            offset = address - region.start
            name = _VSYSCALL.get(offset & ~0x3FF, "")
            return Frame(address, name, offset & 0x3FF if name else 0, region.path)
        found = self._find_jit(address - is_return)
        if found is None:
            return Frame(address)
        return Frame(address, found[0], found[1] + is_return, region.path)

    def _find_region(self, address: int) -> _Region | None:
        mapping = self.find(address)
        if mapping is None:
            return None
        region = self._regions.get(mapping)
        if region is None:
            region = self._regions[mapping] = self._open_region(mapping)
        return region

    def _open_region(self, mapping: Mapping) -> _Region:
        image = self._images.open_mapping(self._pid, mapping)
        bias = find_bias(mapping, image) if image is not None else None
        if image is None or bias is None:
            return _Region(mapping.start, mapping.end, mapping.path)
        return _Region(mapping.start, mapping.end, mapping.path, image, bias)

    def _find_jit(self, address: int) -> tuple[str, int] | None:
        """A function that a JIT compiler made. Its file is read again when it has grown."""
        found = self._jit.find(address) if self._jit is not None else None
        if found is None and self._pid:
            from ..kernel.images import read_perf_map

            read = read_perf_map(self._pid)
            if read is not None and read[0] != self._jit_mark:
                self._jit_mark = read[0]
                try:
                    self._jit = parse_perf_map(read[1])
                except FormatError:
                    return None  # it is anybody's file
                found = self._jit.find(address)
        return found


def find_bias(mapping: Mapping, image: Image) -> int | None:
    """By how much addresses of a mapping are higher than the file's own; None where it shows no code of
    it."""
    if mapping.path == "[vdso]":
        return mapping.start - min([vaddr - offset for vaddr, offset, _ in image.code], default=0)
    end = mapping.offset + mapping.end - mapping.start
    for vaddr, offset, size in image.code:
        if offset < end and mapping.offset < offset + size:
            return mapping.start - mapping.offset + offset - vaddr
    return None


def _program(maps: Maps) -> tuple[int, str, int, str] | None:
    """The first mapping of a file: where, and which."""
    for mapping in maps.mappings:
        if mapping.file:
            return mapping.start, mapping.device, mapping.inode, mapping.path
    return None
