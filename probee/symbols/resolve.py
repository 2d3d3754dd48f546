"""Addresses of a process → function and offset: its mappings, and a table of functions per file.

Files are opened by the caller's function, once for each; nothing here touches the system.
"""

from __future__ import annotations

from ..base.record import record
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


class Process:
    """One process: its mappings, the files that it shares with others, and the functions its JIT made."""

    def __init__(self, maps: Maps, images: Images, jit: PerfMap | None = None) -> None:
        self._maps, self._images, self._jit = maps, images, jit

    def resolve(self, address: int) -> Place:
        """What is at `address`. Raises what `Images.find` raises."""
        mapping = self._maps.find(address)
        if mapping is None:
            return Place(address)
        image = self._images.find(mapping)
        if image is not None:
            elf, table = image
            file_address = elf.address_of(address - mapping.start + mapping.offset)
            if file_address is not None:
                name, offset = table.find(file_address) or ("", 0)
                return Place(address, name, offset, mapping.path, file_address)
        name, offset = (self._jit.find(address) if self._jit is not None else None) or ("", 0)
        return Place(address, name, offset, mapping.path)

    def resolve_all(self, addresses: Iterable[int]) -> dict[int, Place]:
        """What is at each of `addresses`."""
        return {address: self.resolve(address) for address in addresses}
