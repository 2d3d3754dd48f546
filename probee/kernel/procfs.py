"""Small facts from /proc and /sys."""

from __future__ import annotations

import os


def read_text(path: str) -> str | None:
    """What a file of /proc or /sys says, or None where there is none to read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def find_process(tid: int) -> int | None:
    """The id of the process that thread `tid` belongs to, or None."""
    for line in (read_text(f"/proc/{tid}/status") or "").splitlines():
        if line.startswith("Tgid:"):
            return int(line.removeprefix("Tgid:"))
    return None


def find_comm(pid: int) -> str | None:
    """The name of process `pid` as the kernel keeps it (15 bytes), or None."""
    text = read_text(f"/proc/{pid}/comm")
    return None if text is None else text.removesuffix("\n")


def find_threads(pid: int) -> list[int]:
    """The ids of the threads that process `pid` has now, ascending; none when there is no such process."""
    try:
        return sorted(map(int, os.listdir(f"/proc/{pid}/task")))
    except OSError:
        return []
