"""Files that attach points of uprobe and usdt mean: by path, short name, wildcard, and of a process."""

from __future__ import annotations

import re

from ..base.errors import TargetError
from .glob import compile_glob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Files, Target
    from .provider import Point


def find_files(kind: str, point: Point, target: Target, file: str, pid: int) -> list[str]:
    """Absolute paths of the files that an attach point names, at least one. Raises TargetError.

    With a process, a pattern stands for files that it maps, and paths are those that it sees; a pattern of
    paths also for files that are there. Without one, "*" stands for all files that any process maps.
    """
    files = target.files
    assert files is not None
    if "*" in file:
        found = _match(files, file, pid)
        if not found:
            where = f"process {pid} maps no file that matches" if pid else "no ELF file matches"
            raise TargetError(f"{where} {file!r}", span=point.span)
        return found
    return [find_file(kind, point, target, file, pid)]


def find_file(kind: str, point: Point, target: Target, file: str, pid: int = 0) -> str:
    """The absolute path of the `file` that an attach point names. Raises TargetError."""
    files = target.files
    path = None
    if files is not None:
        if pid and "/" in file:
            path = _find_there(files, file, pid)
        path = path or files.find_program(file) or (_find_library(files, file, pid) if pid else None)
    if path is None:
        raise TargetError(
            f"{kind} target file {file!r} does not exist or is not executable",
            span=point.span,
            hint=None if "/" in file else "give the path, or a library's short name such as libc",
        )
    return path


def as_written(file: str, path: str) -> str:
    """What names of probes have for the file at `path` that an attach point calls `file`: what is written,
    where that is a path."""
    return file if "/" in file and path.endswith(file.removeprefix("./")) else path


def _find_there(files: Files, file: str, pid: int) -> str | None:
    """The file with an absolute path, as a process in another mount namespace sees it."""
    root = files.root_of(pid) if file.startswith("/") else ""
    return files.find_program(root + file) if root and not file.startswith("/proc/") else None


def _match(files: Files, pattern: str, pid: int) -> list[str]:
    if not pid:
        return files.find_running() if pattern == "*" else files.match_files(pattern)
    there = files.match_files(pattern) if "/" in pattern else []
    return list(dict.fromkeys([*_find_mapped(files, pattern, pid), *there]))


def _find_mapped(files: Files, pattern: str, pid: int) -> list[str]:
    matches = compile_glob(pattern).fullmatch
    root = files.root_of(pid)
    paths = [root + path for path in files.find_mapped(pid) if matches(path)]
    return [path for path in paths if files.find_program(path) is not None]


def _find_library(files: Files, name: str, pid: int) -> str | None:
    """The library that a process maps, by its short name."""
    # As the C library's own files are called: libc.so.6, libc-2.31.so, libc.musl-x86_64.so.1.
    matches = re.compile(rf".*/{re.escape(name)}(?:[.-].*)?").fullmatch
    found = [path for path in files.find_mapped(pid) if matches(path)]
    return files.root_of(pid) + found[0] if found else None
