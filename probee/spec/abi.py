"""Numbers of the bpf(2) ABI (include/uapi/linux/bpf.h) that programs, maps and links carry."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ProgType(IntEnum):
    """enum bpf_prog_type"""

    SOCKET_FILTER = 1
    KPROBE = 2
    SCHED_CLS = 3
    SCHED_ACT = 4
    TRACEPOINT = 5
    XDP = 6
    PERF_EVENT = 7
    CGROUP_SKB = 8
    RAW_TRACEPOINT = 17
    TRACING = 26
    LSM = 29
    SYSCALL = 31


class AttachType(IntEnum):
    """enum bpf_attach_type; NONE is for program types that need none."""

    NONE = 0
    TRACE_RAW_TP = 23
    TRACE_FENTRY = 24
    TRACE_FEXIT = 25
    TRACE_ITER = 28
    PERF_EVENT = 41
    TRACE_KPROBE_MULTI = 42
    TRACE_UPROBE_MULTI = 48
    TRACE_KPROBE_SESSION = 56
    TRACE_UPROBE_SESSION = 57


class MapType(IntEnum):
    """enum bpf_map_type"""

    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERF_EVENT_ARRAY = 4
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    STACK_TRACE = 7
    CGROUP_ARRAY = 8
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    QUEUE = 22
    STACK = 23
    RINGBUF = 27


class MapFlag(IntFlag):
    NO_PREALLOC = 1 << 0
    MMAPABLE = 1 << 10


class UpdateFlag(IntEnum):
    """flags of BPF_MAP_UPDATE_ELEM"""

    ANY = 0
    NOEXIST = 1
    EXIST = 2


RINGBUF_HEADER = 8
"""Bytes before each ring record: u32 length with BUSY and DISCARD bits, u32 page offset."""

RINGBUF_BUSY = 1 << 31
RINGBUF_DISCARD = 1 << 30

MAX_STACK = 512
"""Bytes of stack one program (and all it calls) may use."""
