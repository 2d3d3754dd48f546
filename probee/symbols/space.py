"""One address space: what a process had mapped when it was looked at, and what is at its addresses."""

from __future__ import annotations

from ..base.errors import FormatError
from ..base.record import record
from ..elf.consts import PF, PT
from .frame import Frame
from .maps import Mapping, Maps, parse_maps
from .perfmap import PerfMap, parse_perf_map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .image import Image, ImageOpener

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
        self._region = _Region(0, 0, "")
        self._jit: PerfMap | None = None
        self._jit_mark = (0, 0)

    @classmethod
    def of_file(cls, path: str, bias: int, images: ImageOpener) -> Space:
        """The space of a process of which only the place of one file is known."""
        space = cls(0, "", images)
        image = images.open_path(path)
        if image is not None:
            code = [s for s in image.elf.segments if s.type == PT.LOAD and s.flags & PF.X]
            space.maps = Maps(
                tuple(
                    [
                        Mapping(
                            s.vaddr + bias & ~0xFFF,
                            s.vaddr + s.filesz + bias,
                            "r-xp",
                            s.offset - (s.vaddr + bias & 0xFFF),
                            "",
                            0,
                            path,
                        )
                        for s in code
                    ]
                )
            )
        return space

    def add(self, mapping: Mapping) -> None:
        """What was mapped later, over whatever was there."""
        self._added.append(mapping)
        self._region = _Region(0, 0, "")

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

    def covers(self, address: int) -> bool:
        """Whether something is mapped at `address`."""
        return self.find(address) is not None

    def is_part_of(self, other: Space) -> bool:
        """Whether `other` is this space later: the program is the same, at the same place."""
        mine, theirs = _program(self.maps), _program(other.maps)
        return mine is not None and mine == theirs

    def resolve(self, address: int, is_return: bool) -> tuple[Frame, ...]:
        """The frames at a mapped address, innermost first; `is_return`: it is where a call returns to."""
        region = self._region
        if not region.start <= address < region.end:
            region = self._region = self._find_region(address)
        if region.image is not None:
            return region.image.frames(address - region.bias, address, region.path, is_return)
        if region.path == "[vsyscall]":
            offset = address - region.start
            name = _VSYSCALL.get(offset & ~0x3FF, "")
            return (Frame(address, name, offset & 0x3FF if name else 0, region.path),)
        name, offset = self._find_jit(address - is_return) or ("", 0)
        return (Frame(address, name, offset + is_return if name else 0, region.path),)

    def _find_region(self, address: int) -> _Region:
        mapping = self.find(address)
        if mapping is None:
            return _Region(address, address + 1, "")
        image = self._images.open_mapping(self._pid, mapping)
        if image is None:
            return _Region(mapping.start, mapping.end, mapping.path)
        if mapping.path == "[vdso]":
            return _Region(mapping.start, mapping.end, mapping.path, image, mapping.start - _lowest(image))
        # Address of the file's first byte, were all of it mapped as this part is.
        base = mapping.start - mapping.offset
        for segment in image.elf.segments:
            start, end = base + segment.offset, base + segment.offset + segment.filesz
            if segment.type == PT.LOAD and segment.flags & PF.X and start <= address < end:
                bounds = max(start, mapping.start), min(end, mapping.end)
                return _Region(*bounds, mapping.path, image, start - segment.vaddr)
        return _Region(address, address + 1, mapping.path)

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


def _lowest(image: Image) -> int:
    return min([s.vaddr - s.offset for s in image.elf.segments if s.type == PT.LOAD], default=0)


def _program(maps: Maps) -> tuple[int, str, int, str] | None:
    """The first mapping of a file: where, and which."""
    for mapping in maps.mappings:
        if mapping.file:
            return mapping.start, mapping.device, mapping.inode, mapping.path
    return None
