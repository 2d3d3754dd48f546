"""Files that processes have mapped: functions by address, and what debug information says of a place."""

from __future__ import annotations

import os
from functools import cached_property

from ..base.errors import FormatError
from ..elf.consts import PF, PT, SHT
from ..elf.debuglink import debug_paths, is_debug_file_of, parse_alt_link
from ..elf.file import Elf
from .frame import Frame
from .maps import Mapping
from .table import FunctionTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..dwarf.file import Dwarf
    from ..dwarf.functions import Inlined
    from ..elf.file import Image as Bytes
    from ..elf.gopclntab import GoTable


class Image:
    """One ELF file. `root` is where the tree of files begins that its path is in; `debug_info`: lines and
    inlined functions are wanted."""

    def __init__(self, elf: Elf, root: str = "", *, debug_info: bool = True) -> None:
        self.elf = elf
        self._root = root
        self._debug_info = debug_info

    @cached_property
    def code(self) -> list[tuple[int, int, int]]:
        """(address, offset in the file, bytes) of each segment of code."""
        loads = [s for s in self.elf.segments if s.type == PT.LOAD and s.flags & PF.X]
        return [(s.vaddr, s.offset, s.filesz) for s in loads]

    @cached_property
    def table(self) -> FunctionTable | None:
        """Its functions; None where its symbol tables are broken."""
        try:
            return FunctionTable(self.elf, self._debug)
        except FormatError:
            return None

    def frames(self, place: int, address: int, module: str, is_return: bool) -> tuple[Frame, ...]:
        """What is at virtual address `place` of the file, which is `address` in a process: innermost first.

        `is_return`: it is where a call returns to, so that what is asked for is before it.
        """
        looked = place - is_return
        found = self._find(looked)
        if found is None and is_return:
            # Nobody calls what runs after a signal's handler: it is returned to, at its first byte.
            is_return, looked = False, place
            found = self._find(place)
        if found is None:
            return (Frame(address, "", 0, module),)
        name, offset = found[0], found[1] + is_return
        dwarf = self._dwarf
        if dwarf is None:
            return (Frame(address, name, offset, module),)
        try:
            return _describe(dwarf, looked, Frame(address, name, offset, module))
        except FormatError:
            self.__dict__["_dwarf"] = None  # broken: what the symbols say is still right
            return (Frame(address, name, offset, module),)

    def _find(self, place: int) -> tuple[str, int] | None:
        """Name of the function around `place`, and the offset in it: by symbols, else by Go's own table."""
        found = self.table.find(place) if self.table is not None else None
        if found is None and self._go_table is not None:
            function = self._go_table.find_around(place)
            return (function.name, place - function.entry) if function is not None else None
        return found

    @cached_property
    def _go_table(self) -> GoTable | None:
        try:
            return self.elf.go_table
        except FormatError:
            return None

    @cached_property
    def _dwarf(self) -> Dwarf | None:
        if not self._debug_info:
            return None
        from ..dwarf.file import Dwarf

        for elf, binary in ((self.elf, None), (self._debug, self.elf)):
            section = elf.find_section(".debug_info") if elf is not None else None
            if elf is not None and section is not None and section.type != SHT.NOBITS:
                return Dwarf(elf, binary=binary, alt=self._find_alternate(elf))
        return None

    @cached_property
    def _debug(self) -> Elf | None:
        """Its separate debug file, in the process's own tree of files before ours."""
        if not self.elf.path.startswith("/"):
            return None
        for path in debug_paths(self.elf):
            debug = _open(self._root, path)
            if debug is not None and is_debug_file_of(self.elf, debug):
                return debug
        return None

    def _find_alternate(self, elf: Elf) -> Elf | None:
        """The file that dwz moved entries of `elf` to, to share them, where it is there."""
        link = parse_alt_link(elf) if elf.path.startswith("/") else None
        if link is None:
            return None
        found = _open(self._root, os.path.join(os.path.dirname(elf.path), link.name))
        return found if found is not None and found.build_id == link.build_id else None


def _describe(dwarf: Dwarf, place: int, frame: Frame) -> tuple[Frame, ...]:
    """`frame` with its source line, after the functions that are inlined there."""
    from ..dwarf.functions import find_inlined
    from ..dwarf.line import find_line
    from ..dwarf.search import find_function_at

    line = find_line(dwarf, place)
    file, number = (line.path, line.line) if line is not None else ("", 0)
    function = find_function_at(dwarf, place)
    inlined: list[Inlined] = find_inlined(function, place) if function is not None else []
    frames = []
    for each in reversed(inlined):
        name = each.linkage_name or each.name
        frames.append(Frame(frame.address, name, 0, frame.module, file, number, True))
        file, number = each.call_file, each.call_line
    frames.append(Frame(frame.address, frame.name, frame.offset, frame.module, file, number))
    return tuple(frames)


class ImageOpener:
    """Opens files once: by device, inode and path of a mapping, or by path."""

    def __init__(self, debug_info: bool) -> None:
        self._debug_info = debug_info
        self._opened: dict[tuple[str, int, str], Image | None] = {}

    def open_mapping(self, pid: int, mapping: Mapping) -> Image | None:
        """The file behind a mapping of process `pid`; None where there is none that can be read.

        It is the very file that is mapped, though it was deleted or replaced, or its path is one of another
        mount namespace.
        """
        if not mapping.device:
            return self.open_path(mapping.path)  # nobody saw it: only the path is known
        key = mapping.device, mapping.inode, mapping.path
        if key not in self._opened:
            self._opened[key] = self._open(pid, mapping)
        return self._opened[key]

    def open_path(self, path: str) -> Image | None:
        """The file at `path` of this mount namespace, or None."""
        key = "", 0, path
        if key not in self._opened:
            from ..kernel.images import open_image

            self._opened[key] = self._make(open_image(path), path, "")
        return self._opened[key]

    def open_library(self, name: str) -> Image | None:
        """The library that the loader finds under `name`, as the mapping of it would be; or None."""
        from ..kernel.images import describe_file, find_library

        path = find_library(name)
        described = describe_file(path) if path is not None else None
        if described is None:
            return None
        device, inode, real = described
        return self.open_mapping(0, Mapping(0, 0, "r-xp", 0, device, inode, real))

    def _open(self, pid: int, mapping: Mapping) -> Image | None:
        from ..kernel.images import open_image, read_vdso

        if mapping.path == "[vdso]":
            return self._make(read_vdso(pid, mapping.start, mapping.end), mapping.path, "")
        if not mapping.file:
            return None
        root, inode = f"/proc/{pid}/root" if pid else "", mapping.inode
        data = open_image(f"/proc/{pid}/map_files/{mapping.start:x}-{mapping.end:x}")
        if data is None and not mapping.is_deleted:
            data = open_image(root + mapping.file, inode) or open_image(mapping.file, inode)
        return self._make(data, mapping.file, root)

    def _make(self, data: Bytes | None, path: str, root: str) -> Image | None:
        if data is None:
            return None
        try:
            return Image(Elf(data, path), root, debug_info=self._debug_info)
        except FormatError:
            return None  # a file that is mapped need not be a program


def _open(root: str, path: str) -> Elf | None:
    """The ELF file at `path` of a process's tree of files, else of ours. Its own path is without `root`."""
    from ..kernel.images import open_image

    for full in dict.fromkeys([root + path, path]):
        if os.path.isfile(full):
            data = open_image(full)
            return Elf(data, path) if data is not None else None
    return None
