"""The system calls that Python has no function for: bpf(2), perf_event_open(2), ptrace(2).

Arguments are packed with `struct` into byte buffers and handed over by address. Calls give the
result, or the negative errno, so that callers that expect a failure pay for no exception; `check`
turns the others into a `KernelError` that says what was tried.
"""

from __future__ import annotations

import ctypes
import errno
import os

from ..base.errors import FeatureError, KernelError
from .abi import ENOTSUPP, SYSCALLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .abi import Cmd

_MACHINE = os.uname().machine
_BPF, _PERF_EVENT_OPEN = SYSCALLS.get(_MACHINE, (-1, -1))

_libc = ctypes.CDLL(None, use_errno=True)
_long, _errno, _char = ctypes.c_long, ctypes.get_errno, ctypes.c_char

# Each item access makes a function object of its own, so each call has its own signature.
_bpf = _libc["syscall"]
_bpf.restype, _bpf.argtypes = _long, (_long, _long, ctypes.c_void_p, _long)
_perf = _libc["syscall"]
_perf.restype, _perf.argtypes = _long, (_long, ctypes.c_void_p, _long, _long, _long, _long)
_ptrace = _libc["ptrace"]
_ptrace.restype, _ptrace.argtypes = _long, (_long, _long, ctypes.c_void_p, ctypes.c_void_p)

_LOAD_RETRIES = 5


def address(buffer: bytearray) -> int:
    """Address of a buffer's first byte. The caller keeps `buffer` alive and never resizes it."""
    return ctypes.addressof(_char.from_buffer(buffer)) if buffer else 0


def bpf(cmd: Cmd, attr: bytearray) -> int:
    """bpf(2): a result ≥ 0, or -errno. The kernel may write into `attr`."""
    return bpf_at(cmd, address(attr), len(attr))


def bpf_at(cmd: Cmd, attr: int, size: int) -> int:
    """bpf(2) with arguments that stay at address `attr`: a result ≥ 0, or -errno."""
    result: int = _bpf(_BPF, cmd, attr, size)
    return result if result >= 0 else -_errno()


def bpf_retry(cmd: Cmd, attr: bytearray) -> int:
    """`bpf`, again when a signal got in its way.

    The verifier gives up with EAGAIN when a signal is pending; Python's handler has run when the
    call is repeated.
    """
    for _ in range(_LOAD_RETRIES):
        result = bpf(cmd, attr)
        if result not in (-errno.EAGAIN, -errno.EINTR):
            break
    return result


def bpf_charged(cmd: Cmd, attr: bytearray) -> int:
    """`bpf_retry` for calls that make something; raises RLIMIT_MEMLOCK if that was in the way.

    Until Linux commit 97306be45fbe ("bpf: switch to memcg-based memory accounting") (in v5.11),
    maps and programs were charged to that limit, 64 KiB by default, and refused with EPERM.
    """
    result = bpf_retry(cmd, attr)
    if result == -errno.EPERM and _raise_memlock():
        result = bpf_retry(cmd, attr)
    return result


def _raise_memlock() -> bool:
    """Lift the limit of this process; False if there is none or it may not."""
    from resource import RLIM_INFINITY, RLIMIT_MEMLOCK, getrlimit, setrlimit

    if getrlimit(RLIMIT_MEMLOCK)[0] == RLIM_INFINITY:
        return False
    try:
        setrlimit(RLIMIT_MEMLOCK, (RLIM_INFINITY, RLIM_INFINITY))
    except (ValueError, OSError):  # neither root nor CAP_SYS_RESOURCE: the caller reports EPERM
        return False
    return True


def perf_event_open(attr: bytearray, pid: int, cpu: int, flags: int) -> int:
    """perf_event_open(2): a file descriptor, or -errno."""
    result: int = _perf(_PERF_EVENT_OPEN, address(attr), pid, cpu, -1, flags)
    return result if result >= 0 else -_errno()


def ptrace(request: int, pid: int = 0, data: int = 0, *, where: int = 0) -> int:
    """ptrace(2): 0 or, for requests that count, a number; or -errno. `where` is its `addr`."""
    result: int = _ptrace(request, pid, where, data)
    return result if result >= 0 else -_errno()


def check(what: str, result: int) -> int:
    """`result` itself, or a `KernelError` saying that `what` failed if it is negative."""
    if result >= 0:
        return result
    if _MACHINE not in SYSCALLS:
        raise FeatureError(f"{what}: the numbers of {_MACHINE}'s system calls are not known to probee")
    raise KernelError(what, known_errno(-result), hint=explain_refusal(-result))


def explain_refusal(number: int) -> str | None:
    """What this process lacks, when a call failed with errno `number`; None when nothing was found."""
    if number not in (errno.EPERM, errno.EACCES):
        return None
    from .privilege import explain, read_privileges

    return explain(read_privileges())


def known_errno(number: int) -> int:
    """`number` as errno.h knows it: the kernel has one more for what is not supported."""
    return errno.EOPNOTSUPP if number == ENOTSUPP else number
