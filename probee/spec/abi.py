"""Numbers of the ABI (include/uapi/linux/bpf.h, perf_event.h) that programs, maps and links carry."""

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


class PerfType(IntEnum):
    """enum perf_type_id (include/uapi/linux/perf_event.h)"""

    HARDWARE = 0
    SOFTWARE = 1
    TRACEPOINT = 2
    BREAKPOINT = 5


class PerfHardware(IntEnum):
    """enum perf_hw_id"""

    CPU_CYCLES = 0
    INSTRUCTIONS = 1
    CACHE_REFERENCES = 2
    CACHE_MISSES = 3
    BRANCH_INSTRUCTIONS = 4
    BRANCH_MISSES = 5
    BUS_CYCLES = 6
    STALLED_CYCLES_FRONTEND = 7
    STALLED_CYCLES_BACKEND = 8
    REF_CPU_CYCLES = 9


class PerfSoftware(IntEnum):
    """enum perf_sw_ids"""

    CPU_CLOCK = 0
    TASK_CLOCK = 1
    PAGE_FAULTS = 2
    CONTEXT_SWITCHES = 3
    CPU_MIGRATIONS = 4
    PAGE_FAULTS_MIN = 5
    PAGE_FAULTS_MAJ = 6
    ALIGNMENT_FAULTS = 7
    EMULATION_FAULTS = 8
    DUMMY = 9
    BPF_OUTPUT = 10


RINGBUF_HEADER = 8
"""Bytes before each ring record: u32 length with BUSY and DISCARD bits, u32 page offset."""

RINGBUF_BUSY = 1 << 31
RINGBUF_DISCARD = 1 << 30

MAX_STACK = 512
"""Bytes of stack one program (and all it calls) may use."""
