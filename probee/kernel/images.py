"""What there is to read of processes and the kernel to name their addresses; None or nothing where it is
gone."""

from __future__ import annotations

import mmap
import os

from .procfs import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..elf.file import Image

_START_TIME = 19
"""Field of /proc/PID/stat, counted after the name: clock ticks since boot (proc_pid_stat(5))."""


def read_kallsyms() -> bytes:
    """The kernel's symbols; empty where they may not be read."""
    try:
        with open("/proc/kallsyms", "rb", buffering=1 << 20) as file:
            return file.read()
    except OSError:
        return b""


def read_maps(pid: int) -> str:
    """The mappings of a process; "" when it is gone, or its memory is already."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def read_start(pid: int) -> int | None:
    """When a process began, in clock ticks since boot: it tells processes of one id apart."""
    text = read_text(f"/proc/{pid}/stat")
    if not text:
        return None
    return int(text[text.rindex(")") + 2 :].split()[_START_TIME])


def find_own_pid(pid: int) -> int:
    """The id that process `pid` has in its own pid namespace."""
    for line in (read_text(f"/proc/{pid}/status") or "").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return pid


def read_perf_map(pid: int) -> tuple[tuple[int, int], str] | None:
    """What a JIT compiler wrote of process `pid`, and what changes when it writes more; or None."""
    path = f"/proc/{pid}/root/tmp/perf-{find_own_pid(pid)}.map"
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            found = os.fstat(file.fileno())
            return (found.st_size, found.st_mtime_ns), file.read()
    except OSError:
        return None


def open_image(path: str, inode: int = 0) -> Image | None:
    """The bytes of a file, mapped; None when there is none, or (unless `inode` is 0) another one."""
    try:
        with open(path, "rb") as file:
            if inode and os.fstat(file.fileno()).st_ino != inode:
                return None
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None  # ValueError: it is empty


def read_vdso(pid: int, start: int, end: int) -> bytes | None:
    """The file that the kernel maps into a process, out of its memory."""
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
            file.seek(start)
            return file.read(end - start)
    except (OSError, ValueError):
        return None


def find_library(name: str) -> str | None:
    """Where the loader finds the library `name`, or None."""
    from .files import LiveFiles

    return LiveFiles("").find_program(name)


def describe_file(path: str) -> tuple[str, int, str] | None:
    """Device, inode and path of a file as /proc/PID/maps has them; None where there is none."""
    real = os.path.realpath(path)
    try:
        found = os.stat(real)
    except OSError:
        return None
    return f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}", found.st_ino, real
