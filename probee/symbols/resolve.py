"""Addresses of a process → function and offset: its mappings, and a table of functions per file.

Files are opened by the caller's function, once for each; nothing here touches the system.
"""

from __future__ import annotations

from ..base.record import record
from ..elf.consts import PF, PT
from .table import FunctionTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..elf.file import Elf
    from .maps import Mapping, Maps
    from .perfmap import PerfMap

    Open = Callable[[Mapping], tuple[Elf, Elf | None] | None]


@record
class Place:
    """What is at an address.

    `name` is the function's as the file has it (mangled), "" when unknown; `offset` is that from its start,
    in bytes. `path` is what is mapped there, "" for nothing; `file_address` the address that the file's own
    symbols and debug information know the place by, None outside of files.
    """

    address: int
    name: str = ""
    offset: int = 0
    path: str = ""
    file_address: int | None = None


class Images:
    """Files that processes have mapped, each read once, by device, inode and path.

    `open` gives the file behind a mapping and its separate debug file (or None), and None where there is none
    to read: the path is one of another mount namespace, the file may be deleted, and "[vdso]" is memory.
    """

    def __init__(self, open: Open) -> None:
        self._open = open
        self._opened: dict[tuple[str, int, str], tuple[Elf, FunctionTable] | None] = {}

    def find(self, mapping: Mapping) -> tuple[Elf, FunctionTable] | None:
        """The file behind `mapping`, and its functions; or None. Raises FormatError and what `open` does."""
        key = mapping.device, mapping.inode, mapping.path
        if key not in self._opened:
            files = self._open(mapping) if mapping.path else None
            self._opened[key] = None if files is None else (files[0], FunctionTable(*files))
        return self._opened[key]


@record
class _Region:
    """Addresses `start` to `end` that are resolved alike: by `table`, whose addresses are lower by `bias`."""

    start: int
    end: int
    path: str
    table: FunctionTable | None = None
    bias: int = 0


class Process:
    """One process: its mappings, the files that it shares with others, and the functions its JIT made."""

    def __init__(self, maps: Maps, images: Images, jit: PerfMap | None = None) -> None:
        self._maps, self._images, self._jit = maps, images, jit
        self._region = _Region(0, 0, "")

    def resolve(self, address: int) -> Place:
        """What is at `address`. Raises what `Images.find` raises."""
        region = self._region
        if not region.start <= address < region.end:
            region = self._region = self._find_region(address)
        if region.table is not None:
            name, offset = region.table.find(address - region.bias) or ("", 0)
            return Place(address, name, offset, region.path, address - region.bias)
        name, offset = (self._jit.find(address) if self._jit is not None else None) or ("", 0)
        return Place(address, name, offset, region.path)

    def resolve_all(self, addresses: Iterable[int]) -> dict[int, Place]:
        """What is at each of `addresses`, in ascending order."""
        return {address: self.resolve(address) for address in sorted(addresses)}

    def _find_region(self, address: int) -> _Region:
        mapping = self._maps.find(address)
        if mapping is None:
            return _Region(address, address + 1, "")
        image = self._images.find(mapping)
        if image is None:
            return _Region(mapping.start, mapping.end, mapping.path)
        elf, table = image
        # Address of the file's first byte, were all of it mapped as this part is.
        base = mapping.start - mapping.offset
        for segment in elf.segments:
            start, end = base + segment.offset, base + segment.offset + segment.filesz
            if segment.type == PT.LOAD and segment.flags & PF.X and start <= address < end:
                bounds = max(start, mapping.start), min(end, mapping.end)
                return _Region(*bounds, mapping.path, table, start - segment.vaddr)
        return _Region(address, address + 1, mapping.path)
