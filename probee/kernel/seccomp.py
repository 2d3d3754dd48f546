"""The seccomp filters of a running process, by ptrace(2).

Needs CAP_SYS_ADMIN, a kernel with CONFIG_CHECKPOINT_RESTORE, and that neither we nor a tracer
already there is in the way. The process is stopped while it is asked, a few microseconds.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum

from ..base.errors import TargetError
from .syscall import address, check, ptrace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Ptrace(IntEnum):
    """Requests of ptrace(2) that read a process's filters."""

    DETACH = 17
    SEIZE = 0x4206
    INTERRUPT = 0x4207
    SECCOMP_GET_FILTER = 0x420C


_WALL = 0x40000000
_SOCK_FILTER = 8


def read_filters(pid: int) -> list[bytes]:
    """The filters of a process (or thread), each an array of struct sock_filter, the newest first.

    Raises TargetError for a process without filters, KernelError.
    """
    check(f"trace process {pid}", ptrace(Ptrace.SEIZE, pid))
    try:
        check(f"stop process {pid}", ptrace(Ptrace.INTERRUPT, pid))
        os.waitpid(pid, _WALL)
        filters = list(_iter_filters(pid))
    finally:
        ptrace(Ptrace.DETACH, pid)
    if not filters:
        raise TargetError(f"process {pid} has no seccomp filter")
    return filters


def _iter_filters(pid: int) -> Iterator[bytes]:
    index = 0
    while True:
        count = ptrace(Ptrace.SECCOMP_GET_FILTER, pid, where=index)
        # EINVAL: the process isn't in filter mode; ENOENT: there are no more.
        if count in (-errno.ENOENT, -errno.EINVAL):
            return
        check(f"read the seccomp filters of process {pid}", count)
        code = bytearray(count * _SOCK_FILTER)
        done = ptrace(Ptrace.SECCOMP_GET_FILTER, pid, address(code), where=index)
        check(f"read the seccomp filters of process {pid}", done)
        yield bytes(code)
        index += 1
