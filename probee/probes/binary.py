"""A binary of the target with its debug information, wherever that is."""

from __future__ import annotations

import os
from functools import cached_property

from ..base.errors import TargetError
from ..elf.consts import SHT, STT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..dwarf.file import Dwarf
    from ..dwarf.functions import Function
    from ..elf.file import Elf
    from ..elf.symbols import Symbol
    from ..spec.target import Files

_DEBUG_INFO = frozenset({".debug_info", ".zdebug_info"})


class Binary:
    """The file at `path`, in names of probes `shown`. Raises FormatError, TargetError: it, or what belongs to
    it, can't be read."""

    def __init__(self, files: Files, path: str, shown: str = "") -> None:
        self._files = files
        self.path, self.shown = path, shown or path
        self.elf = files.open_elf(path)

    @cached_property
    def _real(self) -> Elf:
        """The file where it really is, which debug links are relative to."""
        real = _real(self.path)
        return self.elf if real == self.path else self._files.open_elf(real)

    @cached_property
    def debug(self) -> Elf | None:
        """Its separate debug file, or None."""
        from ..elf.debuglink import debug_paths, is_debug_file_of

        for path in debug_paths(self._real, given=self._files.debug_roots):
            debug = self._open(path)
            if debug is not None and is_debug_file_of(self.elf, debug):
                return debug
        build_id = self.elf.build_id
        fetched = self._files.fetch_debug(build_id) if build_id else None
        return self._open(fetched) if fetched is not None else None

    @cached_property
    def dwarf(self) -> Dwarf | None:
        """The debug information in the file itself, or in its separate debug file; or None."""
        found = self._open_dwarf(self._real, None)
        if found is None and self.debug is not None:
            found = self._open_dwarf(self.debug, self.elf)
        return found

    def need_dwarf(self) -> Dwarf:
        """The debug information. Raises TargetError that says where it was looked for."""
        if self.dwarf is None:
            raise TargetError(
                f"{self.path} has no debug information",
                hint=f"looked in {self.looked_in}; compilers make it with -g, packages in -dbg, -dbgsym or"
                " -debuginfo and the servers of DEBUGINFOD_URLS have it",
            )
        return self.dwarf

    @property
    def looked_in(self) -> str:
        """Where debug information may be, in words."""
        from ..elf.debuglink import debug_paths

        return ", ".join(["the file itself", *debug_paths(self._real, given=self._files.debug_roots)])

    def find_function(self, symbol: Symbol) -> Function | None:
        """What the debug information says of the function of `symbol`, by its address, or None."""
        # Of an IFUNC it would be the resolver.
        return self.find_function_at(symbol.value) if symbol.type != STT.GNU_IFUNC else None

    def find_function_at(self, entry: int) -> Function | None:
        """What the debug information says of the function that is entered at an address, or None."""
        if self.dwarf is None:
            return None
        from ..dwarf.search import find_function_at

        function = find_function_at(self.dwarf, entry)
        return function if function is not None and function.entry == entry else None

    def _open(self, path: str) -> Elf | None:
        """The file at `path`, None where there is none; a member of an archive has none beside it."""
        if "!/" in path:
            return None
        found = self._files.find_program(path)
        return self._files.open_elf(_real(found)) if found is not None else None

    def _open_dwarf(self, elf: Elf, binary: Elf | None) -> Dwarf | None:
        if not any(s.name in _DEBUG_INFO and s.type != SHT.NOBITS for s in elf.sections):
            return None
        from ..dwarf.file import Dwarf

        return Dwarf(
            elf,
            binary=binary,
            alt=self._find_alternate(elf),
            open_split=self._open_split,
            package=self._open(f"{elf.path}.dwp"),
            kept=self._files.inflated,
        )

    def _find_alternate(self, elf: Elf) -> Elf | None:
        """The file that dwz moved shared entries to, where it is there."""
        from ..elf.debuglink import parse_alt_link

        link = parse_alt_link(elf)
        if link is None:
            return None
        found = self._open(os.path.join(os.path.dirname(elf.path), link.name))
        return found if found is not None and found.build_id == link.build_id else None

    def _open_split(self, name: str, folder: str) -> Elf | None:
        """The .dwo file `name`: in the folder it was made in, else beside the binary."""
        return self._open(os.path.join(folder, name)) or self._open(
            os.path.join(os.path.dirname(self._real.path), os.path.basename(name))
        )


def _real(path: str) -> str:
    """`path` without links; but /proc/PID/root, which reads as "/", is the root of another file system."""
    return path if path.startswith("/proc/") else os.path.realpath(path)
