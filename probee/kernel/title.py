"""The name that this process is known by to others: `comm`, and the words of /proc/PID/cmdline."""

from __future__ import annotations

import ctypes
import os

from .procfs import read_text

_ARG_START, _ARG_END = 48, 49  # fields of /proc/PID/stat, counted from 1
_COMM_FIELDS = 2


def rename_process(name: str, words: list[str]) -> None:
    """Be `name` to ps, pidof and pkill, and show `words` as the command line, as far as there is room.

    The words are written where those are that the process was started with, in its own memory.
    """
    with open("/proc/self/comm", "wb") as file:
        file.write(os.fsencode(name)[:15])
    text = read_text("/proc/self/stat") or ""
    fields = text.rpartition(")")[2].split()
    if len(fields) <= _ARG_END - _COMM_FIELDS - 1:
        return
    start, end = (int(fields[number - _COMM_FIELDS - 1]) for number in (_ARG_START, _ARG_END))
    if not 0 < start < end:
        return  # hidden from this process
    shown = b"".join([os.fsencode(word) + b"\0" for word in words])[: end - start - 1]
    ctypes.memmove(start, shown.ljust(end - start, b"\0"), end - start)
