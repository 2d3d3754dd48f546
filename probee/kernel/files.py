"""The binaries of the live system, as `spec.target.Files`.

The search path comes in from the caller: nothing here reads the environment.
"""

from __future__ import annotations

import mmap
import os
import stat
import sys
from functools import cached_property

from ..base.errors import FormatError, TargetError
from .procfs import find_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..elf.file import Elf

    Evidence = tuple[tuple[str, ...], tuple[tuple[str, tuple[int, ...]], ...]]

_LD_SO_CACHE = "/etc/ld.so.cache"
_E_MACHINE = slice(18, 20)


class LiveFiles:
    """Finds and opens binaries; an opened one is kept, by path. `path`: directories, as in PATH.

    `evidence` is every file that was asked for, and what marks it: answers stay true while `holds` is.
    """

    def __init__(self, path: str) -> None:
        self._path = [folder for folder in path.split(os.pathsep) if folder]
        self._opened: dict[str, Elf] = {}
        self._seen: dict[str, tuple[int, ...]] = {}

    @property
    def evidence(self) -> Evidence:
        return (tuple(self._path), tuple(self._seen.items()))

    def holds(self, evidence: Evidence) -> bool:
        """True when the search path and each file of `evidence` are as they were."""
        path, files = evidence
        return path == tuple(self._path) and all(_mark(file) == mark for file, mark in files)

    def _look(self, path: str) -> bool:
        """Whether `path` is a file, which is noted down."""
        mark = self._seen[path] = _mark(path)
        return bool(mark) and stat.S_ISREG(mark[0])

    def find_program(self, name: str) -> str | None:
        """Absolute path of `name`, or None.

        A name with a slash is a path. Others are looked for in the search path, then as a library ("libc",
        "libc.so.6") in the loader's cache, then in the directories libraries are usually in.
        """
        if "/" in name:
            path = os.path.abspath(name)
            return path if self._look(path) else None
        for folder in self._path:
            path = os.path.join(os.path.abspath(folder), name)
            if self._look(path) and os.access(path, os.X_OK):
                return path
        return self._find_cached(name) or self._find_in(_library_folders(), name)

    def open_elf(self, path: str) -> Elf:
        """The ELF file at an absolute `path`. Raises FormatError, TargetError."""
        if path not in self._opened:
            from ..elf.file import Elf

            self._look(path)
            self._opened[path] = Elf(_map_file(path), path)
        return self._opened[path]

    def process_exists(self, pid: int) -> bool:
        """Whether there is a process `pid`; a thread's own id is none."""
        return find_process(pid) == pid

    def _find_cached(self, name: str) -> str | None:
        """The library `name` of this interpreter's CPU in the loader's cache, if there is one."""
        from ..elf.ldcache import find_library

        found = find_library(self._cache, name, self._machine, path=_LD_SO_CACHE) if self._cache else None
        return found if found is not None and self._look(found) else None

    def _find_in(self, folders: list[str], name: str) -> str | None:
        """`name`, else the highest `name`.so or `name`.so.N of the first folder that has one."""
        stem = name if ".so" in name else name + ".so"
        for folder in folders:
            self._look(folder)
            if not os.path.isdir(folder):
                continue
            found = [entry for entry in os.listdir(folder) if entry == stem or entry.startswith(stem + ".")]
            if found:
                return os.path.join(folder, max(found, key=lambda entry: (entry == name, entry)))
        return None

    @cached_property
    def _cache(self) -> bytes:
        """The loader's cache; empty where there is none, as with musl."""
        self._look(_LD_SO_CACHE)
        try:
            with open(_LD_SO_CACHE, "rb") as file:
                return file.read()
        except OSError:
            return b""

    @cached_property
    def _machine(self) -> int:
        """e_machine of the running interpreter."""
        with open("/proc/self/exe", "rb") as file:
            header = file.read(_E_MACHINE.stop)
        return int.from_bytes(header[_E_MACHINE], sys.byteorder)


def _mark(path: str) -> tuple[int, ...]:
    """What changes when a file does: kind, device, number, size, times of its content and of its name's."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _map_file(path: str) -> mmap.mmap:
    try:
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise TargetError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    except ValueError as error:
        raise FormatError("expected an ELF file, got an empty one", path=path) from error


def _library_folders() -> list[str]:
    """Where libraries are when no cache tells: the usual folders, each CPU's own first."""
    folders = []
    for base in ("/lib", "/usr/lib", "/usr/local/lib"):
        folders += [os.path.join(base, f"{os.uname().machine}-linux-gnu"), base + "64", base]
    return folders
