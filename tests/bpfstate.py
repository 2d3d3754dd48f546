"""What of BPF the kernel holds for a process we started, read from /proc alone.

Ids come from `/proc/PID/fdinfo`, so that only what that one run made is looked at, whatever else the
machine traces at the same time; whether an id still lives is asked with bpf(2).
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path

_SYSCALL = {"x86_64": 321, "aarch64": 280}
# bpf(2) commands that open an object by id, by the key that fdinfo shows the id under.
_OPEN_BY_ID = {"prog_id": 13, "map_id": 14, "link_id": 30}


def find_ids(pid: int) -> set[tuple[str, int]]:
    """(`prog_id` | `map_id` | `link_id`, id) of every BPF object that process `pid` holds open."""
    ids = set()
    for file in Path("/proc", str(pid), "fdinfo").iterdir():
        try:
            lines = file.read_text().splitlines()
        except FileNotFoundError:
            continue  # closed since the folder was read
        for line in lines:
            key, _, value = line.partition(":")
            if key in _OPEN_BY_ID:
                ids.add((key, int(value)))
    return ids


def have_id(kind: str, number: int) -> bool:
    """Whether the kernel still has the object of `kind` with that id."""
    attr = ctypes.create_string_buffer(number.to_bytes(4, "little"), 128)
    fd: int = ctypes.CDLL(None, use_errno=True).syscall(
        _SYSCALL[platform.machine()], _OPEN_BY_ID[kind], attr, 128
    )
    if fd < 0:
        return False
    os.close(fd)
    return True
