"""Numbers of the kernel's interfaces that probee calls: bpf(2), perf_event_open(2), ioctl(2).

Source: include/uapi/linux/bpf.h and perf_event.h. What programs, maps and links are described
with is in `probee.spec.abi`; here is only what it takes to hand them over.
"""

from __future__ import annotations

from enum import IntEnum


class Cmd(IntEnum):
    """enum bpf_cmd"""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_GET = 7
    PROG_TEST_RUN = 10
    PROG_GET_NEXT_ID = 11
    PROG_GET_FD_BY_ID = 13
    OBJ_GET_INFO_BY_FD = 15
    RAW_TRACEPOINT_OPEN = 17
    BTF_LOAD = 18
    BTF_GET_FD_BY_ID = 19
    MAP_LOOKUP_BATCH = 24
    MAP_LOOKUP_AND_DELETE_BATCH = 25
    LINK_CREATE = 28


ENOTSUPP = 524
"""The kernel's own "operation is not supported", which errno.h does not know."""

BPF_PSEUDO_MAP_FD = 1
BPF_PSEUDO_MAP_VALUE = 2
"""Source register of a wide load whose value is a map, or an address in a map's value."""

BPF_F_UPROBE_MULTI_RETURN = 1 << 0
BPF_F_KPROBE_MULTI_RETURN = 1 << 0

NAME_LENGTH = 15
"""Characters the kernel keeps of a program's or a map's name (BPF_OBJ_NAME_LEN less the NUL)."""

LINE_INFO_SIZE = 16
FUNC_INFO_SIZE = 8
"""Bytes of struct bpf_line_info and struct bpf_func_info."""


class LogLevel(IntEnum):
    """How much the verifier tells; bits."""

    NONE = 0
    BRIEF = 1  # the path that failed
    FULL = 2  # every path
    STATS = 4


PERF_ATTR_SIZE = 112
"""PERF_ATTR_SIZE_VER5 of struct perf_event_attr, which every kernel since 4.1 takes."""

PERF_ATTR_DISABLED = 1 << 0
PERF_ATTR_INHERIT = 1 << 1
PERF_ATTR_INHERIT_THREAD = 1 << 35
"""Bits of the flags word of struct perf_event_attr. The last: only threads inherit, since Linux 5.13."""

PERF_FLAG_FD_CLOEXEC = 1 << 3

PERF_EVENT_IOC_ENABLE = 0x2400
PERF_EVENT_IOC_SET_BPF = 0x40042408


BREAKPOINT_MODES = {"r": 1, "w": 2, "x": 4}
"""Bits of a hardware breakpoint's kind (include/uapi/linux/hw_breakpoint.h): on a read, write, execution."""


SYSCALLS = {
    # machine: (bpf, perf_event_open)
    "x86_64": (321, 298),
    "aarch64": (280, 241),
    "riscv64": (280, 241),
    "loongarch64": (280, 241),
    "s390x": (351, 331),
    "ppc64le": (361, 319),
    "ppc64": (361, 319),
}
"""Numbers of the system calls that have no wrapper in the C library, by uname's machine."""
