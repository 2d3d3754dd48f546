"""A binary as a person names it, with its debug information, wherever that is."""

from __future__ import annotations

import os
from functools import cached_property

from ..base.errors import TargetError
from ..elf.consts import SHT, STT
from ..elf.debuglink import debug_paths, is_debug_file_of, parse_alt_link
from ..kernel.files import LiveFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..dwarf.file import Dwarf
    from ..dwarf.functions import Function
    from ..elf.file import Elf
    from ..elf.symbols import Symbol

_DEBUG_INFO = (".debug_info", ".zdebug_info")


def open_files() -> LiveFiles:
    """The binaries of this system."""
    return LiveFiles(os.environ.get("PATH", os.defpath))


def find_binary(files: LiveFiles, name: str) -> str:
    """Absolute path of a file, of a program in PATH or of a library. Raises TargetError."""
    path = os.path.abspath(name) if os.path.isfile(name) else files.find_program(name)
    if path is not None:
        return path
    if os.path.exists(name):
        kind = "a directory" if os.path.isdir(name) else "something that is no file"
        raise TargetError(f"{name}: expected a binary, got {kind}")
    raise TargetError(
        f"{name}: no such file",
        hint=None if "/" in name else "looked here, in PATH, and where libraries are",
    )


class Binary:
    """The file at `path`. Raises FormatError, TargetError: it, or what belongs to it, can't be read."""

    def __init__(self, files: LiveFiles, path: str) -> None:
        self._files = files
        self.path = path
        # Debug links are relative to where the file really is.
        self.elf = files.open_elf(os.path.realpath(path))

    @cached_property
    def debug(self) -> Elf | None:
        """Its separate debug file, or None."""
        for path in debug_paths(self.elf):
            if os.path.isfile(path):
                debug = self._files.open_elf(os.path.realpath(path))
                if is_debug_file_of(self.elf, debug):
                    return debug
        return None

    @cached_property
    def dwarf(self) -> Dwarf | None:
        """The debug information in the file itself, or in its separate debug file; or None."""
        found = self._open_dwarf(self.elf, None)
        if found is None and self.debug is not None:
            found = self._open_dwarf(self.debug, self.elf)
        return found

    def need_dwarf(self) -> Dwarf:
        """The debug information. Raises TargetError that says where it was looked for."""
        if self.dwarf is None:
            raise TargetError(f"{self.path} has no debug information", hint=f"looked in {self.looked_in}")
        return self.dwarf

    @property
    def looked_in(self) -> str:
        """Where debug information may be, in words."""
        return ", ".join(["the file itself", *debug_paths(self.elf)])

    def find_function(self, symbol: Symbol) -> Function | None:
        """What the debug information says of the function of `symbol`, by its address, or None."""
        from ..dwarf.search import find_function_at

        # Of an IFUNC it would be the resolver.
        if self.dwarf is None or symbol.type == STT.GNU_IFUNC:
            return None
        function = find_function_at(self.dwarf, symbol.value)
        return function if function is not None and function.entry == symbol.value else None

    def _open_dwarf(self, elf: Elf, binary: Elf | None) -> Dwarf | None:
        from ..dwarf.file import Dwarf

        if not any(s.name in _DEBUG_INFO and s.type != SHT.NOBITS for s in elf.sections):
            return None
        return Dwarf(elf, binary=binary, alt=self._find_alternate(elf), open_split=self._open_split)

    def _find_alternate(self, elf: Elf) -> Elf | None:
        """The file that dwz moved shared entries to, where it is there."""
        link = parse_alt_link(elf)
        path = os.path.join(os.path.dirname(elf.path), link.name) if link is not None else ""
        if link is None or not os.path.isfile(path):
            return None
        found = self._files.open_elf(os.path.realpath(path))
        return found if found.build_id == link.build_id else None

    def _open_split(self, name: str, folder: str) -> Elf | None:
        """The .dwo file `name`: in the folder it was made in, else beside the binary."""
        beside = os.path.join(os.path.dirname(self.elf.path), os.path.basename(name))
        for path in (os.path.join(folder, name), beside):
            if os.path.isfile(path):
                return self._files.open_elf(os.path.realpath(path))
        return None
