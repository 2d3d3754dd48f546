"""Perf events, and the links that tie programs to them.

A probe made here exists as long as its file descriptors: whatever ends the process, `kill -9`
included, takes it away. Nothing is pinned, and tracefs is not written to.
"""

from __future__ import annotations

import errno
import os
import struct

from ..base.errors import AttachError, FeatureError
from ..spec.abi import AttachType
from .abi import (
    BPF_F_KPROBE_MULTI_RETURN,
    BPF_F_UPROBE_MULTI_RETURN,
    PERF_ATTR_DISABLED,
    PERF_ATTR_INHERIT,
    PERF_ATTR_INHERIT_THREAD,
    PERF_ATTR_SIZE,
    PERF_EVENT_IOC_ENABLE,
    PERF_EVENT_IOC_SET_BPF,
    PERF_FLAG_FD_CLOEXEC,
    Cmd,
)
from .cpus import online_cpus
from .fd import Fd, Fds
from .procfs import read_text
from .syscall import address, bpf, explain_refusal, known_errno, perf_event_open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_PMUS = "/sys/bus/event_source/devices"

# type size config sample_period sample_type read_format flags wakeup bp_type config1 config2; the rest 0
_ATTR = struct.Struct("=IIQQQQQIIQQ")
LINK = struct.Struct("=iiIIQ")
"""Arguments of BPF_LINK_CREATE for a perf event: prog_fd target_fd attach_type flags cookie."""

# prog_fd target_fd attach_type flags path offsets ref_ctr_offsets cookies cnt flags pid
_UPROBE_MULTI = struct.Struct("=iiIIQQQQIIixxxx")

# prog_fd target_fd attach_type flags flags cnt syms addrs cookies
_KPROBE_MULTI = struct.Struct("=iiIIIIQQQ")

_NO_COOKIE = "a probe can carry a cookie since Linux 5.15"

_ALL_PROCESSES = -1
_ANY_CPU = -1


def pmu_type(name: str) -> int:
    """The number of the kernel's event source `name` ("uprobe"). Raises FeatureError where it has none."""
    text = read_text(f"{_PMUS}/{name}/type")
    if text is None:
        raise FeatureError(f"this kernel has no event source {name!r} (no {_PMUS}/{name})")
    return int(text)


def have_pmu(name: str) -> bool:
    """Whether the kernel has an event source `name`."""
    return os.path.exists(f"{_PMUS}/{name}/type")


def pmu_bit(pmu: str, field: str) -> int:
    """The `config` bit of a one-bit field of an event source ("config:0")."""
    text = read_text(f"{_PMUS}/{pmu}/format/{field}")
    if text is None or not text.startswith("config:"):
        raise FeatureError(f"this kernel's event source {pmu!r} has no {field!r}")
    return 1 << int(text.removeprefix("config:"))


def pmu_shift(pmu: str, field: str, since: str) -> int:
    """The first `config` bit of a field of an event source ("config:32-63"), which Linux has `since`."""
    text = read_text(f"{_PMUS}/{pmu}/format/{field}")
    if text is None or not text.startswith("config:"):
        raise FeatureError(
            f"this kernel's event source {pmu!r} has no {field!r}, which Linux has since {since}"
        )
    return int(text.removeprefix("config:").partition("-")[0])


def open_event(
    what: str,
    kind: int,
    config: int,
    *,
    pid: int = _ALL_PROCESSES,
    cpu: int = _ANY_CPU,
    period: int = 0,
    bp_type: int = 0,
    config1: int = 0,
    config2: int = 0,
) -> Fd:
    """perf_event_open(2), not yet enabled. Raises AttachError: `what` could not be done."""
    result = try_event(
        kind, config, pid=pid, cpu=cpu, period=period, bp_type=bp_type, config1=config1, config2=config2
    )
    if result < 0:
        raise AttachError(what, known_errno(-result), hint=explain_refusal(-result))
    return Fd(result)


def try_event(
    kind: int,
    config: int,
    *,
    pid: int = _ALL_PROCESSES,
    cpu: int = _ANY_CPU,
    period: int = 0,
    bp_type: int = 0,
    config1: int = 0,
    config2: int = 0,
    flags: int = 0,
    wakeup: int = 0,
) -> int:
    """perf_event_open(2), not yet enabled: a file descriptor, or -errno."""
    attr = bytearray(PERF_ATTR_SIZE)
    bits = PERF_ATTR_DISABLED | flags
    _ATTR.pack_into(
        attr, 0, kind, PERF_ATTR_SIZE, config, period, 0, 0, bits, wakeup, bp_type, config1, config2
    )
    return perf_event_open(attr, pid, cpu, PERF_FLAG_FD_CLOEXEC)


def open_uprobe(what: str, path: str, offset: int, *, ret: bool, pid: int = 0, semaphore: int = 0) -> Fd:
    """The event of one place in a file's code. `pid` 0 is every process. Raises AttachError, FeatureError.

    `semaphore` is the place of a count in the file that is above 0 while the event is open; 0 is none.

    With a pid, the event is of the process's memory: every thread hits it, those there are and those to
    come, and also what the process has mapped only later, after an exec.
    """
    name = bytearray(os.fsencode(path) + b"\0")
    config = pmu_bit("uprobe", "retprobe") if ret else 0
    if semaphore >> 32:
        raise FeatureError(
            f"{what}: a semaphore past 4 GiB of its file needs uprobe_multi, which Linux has since 6.6"
        )
    if semaphore:
        # Since Linux commit a6ca88b241d5 ("trace_uprobe: support reference counter in fd-based uprobe") (in
        # v4.20).
        config |= semaphore << pmu_shift("uprobe", "ref_ctr_offset", "4.20")
    return open_event(
        what,
        pmu_type("uprobe"),
        config,
        pid=pid or _ALL_PROCESSES,
        cpu=_ANY_CPU if pid else online_cpus()[0],  # where it is counted; it fires on every CPU
        config1=address(name),
        config2=offset,
    )


def open_kprobe(what: str, function: str, offset: int, *, ret: bool) -> Fd:
    """The event of one place in the kernel's code. Raises AttachError, FeatureError."""
    name = bytearray(os.fsencode(function) + b"\0")
    config = pmu_bit("kprobe", "retprobe") if ret else 0
    cpu = online_cpus()[0]  # where it is counted; it fires on every CPU
    return open_event(what, pmu_type("kprobe"), config, cpu=cpu, config1=address(name), config2=offset)


def open_thread_event(
    what: str,
    kind: int,
    config: int,
    *,
    tid: int,
    period: int,
    bp_type: int = 0,
    config1: int = 0,
    config2: int = 0,
) -> Fd | None:
    """An event of thread `tid` and of the threads that it makes from now on; None if it has ended.

    Kernels before 5.13 make it one of new processes, too. Raises AttachError.
    """
    for flags in (PERF_ATTR_INHERIT | PERF_ATTR_INHERIT_THREAD, PERF_ATTR_INHERIT):
        result = try_event(
            kind,
            config,
            pid=tid,
            period=period,
            bp_type=bp_type,
            config1=config1,
            config2=config2,
            flags=flags,
        )
        if result != -errno.EINVAL:
            break
    if result == -errno.ESRCH:
        return None
    if result < 0:
        raise AttachError(what, known_errno(-result), hint=explain_refusal(-result))
    return Fd(result)


def attach_event(what: str, event: Fd, program: int, cookie: int = 0) -> Fds:
    """Run the program of descriptor `program` at each `event`, which is taken over. Raises AttachError.

    Since Linux commit b89fbfbb854c ("bpf: Implement minimal BPF perf link") (in v5.15) by a link, which
    alone can carry a cookie; before that by the event's own ioctl.
    """
    from fcntl import ioctl

    fds = Fds(event.number)
    number, event.number = event.number, -1
    attr = bytearray(LINK.pack(program, number, AttachType.PERF_EVENT, 0, cookie))
    result = bpf(Cmd.LINK_CREATE, attr)
    try:
        if result >= 0:
            fds.add(result)
        elif result == -errno.EINVAL and not cookie:
            ioctl(number, PERF_EVENT_IOC_SET_BPF, program)
        else:
            fds.close()
            hint = _NO_COOKIE if result == -errno.EINVAL else explain_refusal(-result)
            raise AttachError(what, known_errno(-result), hint=hint)
        ioctl(number, PERF_EVENT_IOC_ENABLE, 0)
    except OSError as error:
        fds.close()
        raise AttachError(what, error.errno or 0, hint=explain_refusal(error.errno or 0)) from error
    return fds


def try_uprobe_multi(
    program: int,
    path: str,
    offsets: Sequence[int],
    *,
    ret: bool = False,
    pid: int = 0,
    cookies: Sequence[int] = (),
    semaphores: Sequence[int] = (),
) -> int:
    """Link a program to many places of a file at once: a file descriptor, or -errno.

    `semaphores`: for each place, that of its count in the file, or 0; empty where no place has one. The
    program must have been loaded for AttachType.TRACE_UPROBE_MULTI.
    """
    name = bytearray(os.fsencode(path) + b"\0")
    places = bytearray(struct.pack(f"={len(offsets)}Q", *offsets))
    values = bytearray(struct.pack(f"={len(cookies)}Q", *cookies))
    counts = bytearray(struct.pack(f"={len(semaphores)}Q", *semaphores))
    attr = _UPROBE_MULTI.pack(
        program,
        0,
        AttachType.TRACE_UPROBE_MULTI,
        0,
        address(name),
        address(places),
        address(counts),
        address(values),
        len(offsets),
        BPF_F_UPROBE_MULTI_RETURN if ret else 0,
        pid,
    )
    return bpf(Cmd.LINK_CREATE, bytearray(attr))


def try_kprobe_multi(program: int, functions: Sequence[str], *, ret: bool = False) -> int:
    """Link a program to many functions of the kernel at once: a file descriptor, or -errno.

    The program must have been loaded for AttachType.TRACE_KPROBE_MULTI.
    """
    text = bytearray(b"".join([os.fsencode(name) + b"\0" for name in functions]))
    start, places = address(text), []
    for name in functions:
        places.append(start)
        start += len(os.fsencode(name)) + 1
    symbols = bytearray(struct.pack(f"={len(places)}Q", *places))
    flags = BPF_F_KPROBE_MULTI_RETURN if ret else 0
    attr = _KPROBE_MULTI.pack(
        program, 0, AttachType.TRACE_KPROBE_MULTI, 0, flags, len(places), address(symbols), 0, 0
    )
    return bpf(Cmd.LINK_CREATE, bytearray(attr))
