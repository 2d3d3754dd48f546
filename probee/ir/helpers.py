"""The kernel helpers that generated programs call (include/uapi/linux/bpf.h, `enum bpf_func_id`).

`pure` helpers give the same answer all through one run of a program, so that two calls are one.
`args`: m map, p pointer to memory of ours that the helper reads, o one that it fills, x anything.
"""

from __future__ import annotations

from ..base.record import record
from .types import RING_OR_NULL, S32, S64, U32, U64, VALUE_OR_NULL, Type


@record
class Helper:
    name: str
    number: int
    args: str
    gives: Type | None
    pure: bool = False


HELPERS: dict[str, Helper] = {
    h.name: h
    for h in (
        Helper("map_lookup_elem", 1, "mp", VALUE_OR_NULL),
        Helper("map_update_elem", 2, "mppx", S64),
        Helper("map_delete_elem", 3, "mp", S64),
        Helper("ktime_get_ns", 5, "", U64),
        Helper("trace_printk", 6, "pxxxx", S64),
        Helper("get_prandom_u32", 7, "", U32),
        Helper("get_smp_processor_id", 8, "", U32, pure=True),
        Helper("get_current_pid_tgid", 14, "", U64, pure=True),
        Helper("get_current_uid_gid", 15, "", U64, pure=True),
        Helper("get_current_comm", 16, "ox", S64),
        Helper("perf_event_output", 25, "xmxpx", S64),
        Helper("get_numa_node_id", 42, "", U32, pure=True),
        Helper("get_current_task", 35, "", U64, pure=True),
        Helper("probe_write_user", 36, "xpx", S64),
        Helper("override_return", 58, "xx", S64),
        Helper("get_stack", 67, "xoxx", S64),
        Helper("get_current_cgroup_id", 80, "", U64, pure=True),
        Helper("send_signal", 109, "x", S64),
        Helper("probe_read_user", 112, "oxx", S64),
        Helper("probe_read_kernel", 113, "oxx", S64),
        Helper("probe_read_user_str", 114, "oxx", S64),
        Helper("probe_read_kernel_str", 115, "oxx", S64),
        Helper("send_signal_thread", 117, "x", S64),
        Helper("jiffies64", 118, "", U64),
        Helper("get_ns_current_pid_tgid", 120, "xxox", S64),
        Helper("ktime_get_boot_ns", 125, "", U64),
        Helper("ringbuf_output", 130, "mpxx", S64),
        Helper("ringbuf_reserve", 131, "mxx", RING_OR_NULL),
        Helper("ringbuf_submit", 132, "xx", None),
        Helper("ringbuf_discard", 133, "xx", None),
        Helper("ringbuf_query", 134, "mx", U64),
        Helper("ktime_get_coarse_ns", 160, "", U64),
        Helper("for_each_map_elem", 164, "mxpx", S64),
        Helper("get_current_task_btf", 158, "", U64, pure=True),
        Helper("task_pt_regs", 175, "x", U64, pure=True),
        Helper("get_func_ip", 173, "x", U64, pure=True),
        Helper("get_attach_cookie", 174, "x", U64, pure=True),
        Helper("loop", 181, "xxpx", S64),
        Helper("strncmp", 182, "pxp", S32),
        Helper("map_lookup_percpu_elem", 195, "mpx", VALUE_OR_NULL),
        Helper("ktime_get_tai_ns", 208, "", U64),
    )
}
