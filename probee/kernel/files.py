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
    from collections.abc import Callable

    from ..elf.file import Elf
    from .inflated import Inflated

    Evidence = tuple[tuple[str, ...], tuple[tuple[str, tuple[int, ...]], ...]]

_LD_SO_CACHE = "/etc/ld.so.cache"
_ELF_MAGIC = b"\x7fELF"
_E_MACHINE = slice(18, 20)


class LiveFiles:
    """Finds and opens binaries; an opened one is kept, by path. `path`: directories, as in PATH.

    `debug_roots` are folders of debug files beside the usual ones, `fetch` gets the path of one by its
    build id from a server, `demangle` tells what a name of C++ or Rust stands for, `inflated` is a folder
    for debug sections.
    `evidence` is every file that was asked for, and what marks it: answers stay true while `holds` is. It is
    None once a process that sees other files was asked about, or what a process maps, or a folder: that
    changes without a mark.
    """

    def __init__(
        self,
        path: str,
        *,
        debug_roots: tuple[str, ...] = (),
        fetch: Callable[[bytes], str | None] | None = None,
        demangle: Callable[[str], str] | None = None,
        inflated: str = "",
    ) -> None:
        self._path = [folder for folder in path.split(os.pathsep) if folder]
        self.debug_roots = debug_roots
        self._fetch, self._demangle = fetch, demangle
        self._inflated_folder = inflated
        self._fleeting = False
        self._opened: dict[str, Elf] = {}
        self._seen: dict[str, tuple[int, ...]] = {}

    @property
    def evidence(self) -> Evidence | None:
        if self._fleeting:
            return None
        return ((*self._path, *self.debug_roots), tuple(self._seen.items()))

    def holds(self, evidence: Evidence) -> bool:
        """True when the search path and each file of `evidence` are as they were."""
        path, files = evidence
        return path == (*self._path, *self.debug_roots) and all(_mark(file) == mark for file, mark in files)

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
            archive, _, member = path.partition("!/")
            return path if self._look(path) or (member and self._look(archive)) else None
        for folder in self._path:
            path = os.path.join(os.path.abspath(folder), name)
            if self._look(path) and os.access(path, os.X_OK):
                return path
        return self._find_cached(name) or self._find_in(_library_folders(), name)

    def open_elf(self, path: str) -> Elf:
        """The ELF file at an absolute `path`. Raises FormatError, TargetError."""
        if path not in self._opened:
            from ..elf.file import Elf

            if self._look(path) or "!/" not in path:
                self._opened[path] = Elf(_map_file(path), path)
            else:
                self._opened[path] = _open_member(path)
        return self._opened[path]

    @cached_property
    def inflated(self) -> Inflated | None:
        """Where inflated debug sections are kept, None for nowhere."""
        if not self._inflated_folder:
            return None
        from .inflated import Inflated

        return Inflated(self._inflated_folder)

    def flush(self) -> None:
        """Keep what was inflated for later runs."""
        if "inflated" in self.__dict__ and self.inflated is not None:
            self.inflated.flush()

    def fetch_debug(self, build_id: bytes) -> str | None:
        """Path of the debug file of a build id from a server, None where none has it."""
        return self._fetch(build_id) if self._fetch is not None else None

    def demangle(self, name: str) -> str:
        """What a mangled name stands for; the name itself where nobody knows."""
        return self._demangle(name) if self._demangle is not None else name

    def match_files(self, pattern: str) -> list[str]:
        """Absolute paths of the ELF files that match, in order; of several links to a file the first."""
        from glob import glob

        self._fleeting = True
        paths = [os.path.abspath(path) for path in sorted(glob(pattern)) if _is_elf(path)]
        return list({os.path.realpath(path): path for path in reversed(paths)}.values())[::-1]

    def find_mapped(self, pid: int) -> list[str]:
        """Paths of the files whose code process `pid` maps, as it sees them. Raises TargetError."""
        self._fleeting = True
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                lines = file.read().split("\n")
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise TargetError(f"what process {pid} maps can't be read: {reason}") from None
        # Address, permissions, offset, device, inode, path.
        rows = [line.split(None, 5) for line in lines]
        paths = {row[5] for row in rows if len(row) > 5 and row[1][2] == "x" and row[5][0] == "/"}
        return sorted([path for path in paths if not path.endswith(" (deleted)")])

    def find_running(self) -> list[str]:
        """Paths of the files whose code any process maps, each file once; those of other roots by /proc.

        Processes that may not be looked into, or end meanwhile, are left out.
        """
        found: dict[tuple[int, int], str] = {}
        for pid in [int(name) for name in os.listdir("/proc") if name.isdecimal()]:
            try:
                root, paths = self.root_of(pid), self.find_mapped(pid)
            except TargetError:
                continue
            for path in [root + path for path in paths]:
                mark = _mark(path)
                if mark:
                    found.setdefault((mark[1], mark[2]), path)
        return sorted(found.values())

    def root_of(self, pid: int) -> str:
        """What stands before paths of process `pid` to make them ours: "" where it sees the same files."""
        own, other = (
            [_read_link(f"/proc/{who}/{what}") for what in ("ns/mnt", "root")] for who in ("self", str(pid))
        )
        if own == other:
            return ""
        self._fleeting = True
        return f"/proc/{pid}/root"

    def find_cgroup(self, path: str) -> int | None:
        """The id of the cgroup at `path`, which is the number of its folder; None where there is none."""
        mark = self._seen[path] = _mark(path)
        return mark[2] if mark and stat.S_ISDIR(mark[0]) else None

    def find_imports(self, path: str) -> tuple[str, ...] | None:
        """`path` itself if it is a file, of a folder the files in it, in order; None where nothing is.
        Raises TargetError where anybody may write."""
        mark = self._seen[os.path.abspath(path)] = _mark(path)
        if not mark:
            return None
        for place in (path, os.path.dirname(path) or "."):
            if os.stat(place).st_mode & stat.S_IWOTH:
                message = "cowardly refusing to import from a directory with global write permissions"
                raise TargetError(f'{message}: "{place}"', hint="chmod o-w it, once you know what it has")
        if not stat.S_ISDIR(mark[0]):
            return (path,)
        return tuple([os.path.join(path, name) for name in sorted(os.listdir(path))])

    def read_header(self, path: str) -> str | None:
        """The text of a header of C; None where there is no such file that can be read."""
        path = os.path.abspath(path)
        if not self._look(path):
            return None
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return None

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


def _read_link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _is_elf(path: str) -> bool:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(len(_ELF_MAGIC)) == _ELF_MAGIC
    except OSError:
        return False


def _open_member(path: str) -> Elf:
    """The ELF file that is in an archive. Raises FormatError, TargetError."""
    from ..elf.archive import find_member, split_path
    from ..elf.file import Elf

    archive, name = split_path(path)
    data = _map_file(archive)
    start, size = find_member(data, name, archive)
    return Elf(data[start : start + size], path, start)


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
