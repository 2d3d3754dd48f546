"""The kernel's helper functions, by number.

A helper takes the machine and its arguments as unsigned 64-bit numbers and returns a number, which
the engine reduces to 64 bits. It raises `Fault` for what the verifier would have refused (a bad
address, something that is no map) and returns a negative errno for what the kernel refuses.
"""

from __future__ import annotations

import errno

from ..base.bits import signed
from ..base.record import record
from ..isa.ebpf import CALL
from ..isa.fields import Call
from ..isa.helpers import find_helper_number
from .fault import Fault
from .maps import ProgArray, QueueMap, StackTraceMap, VmMap, find_map
from .printf import render_format
from .rings import PerfEventArray, RingBuffer, find_reserved, find_ring
from .world import EFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..isa.ebpf import Insn
    from .machine import Vm

TAIL_CALL = 12
MAX_LOOPS = 1 << 23
CURRENT_CPU = 0xFFFFFFFF
USER_STACK = 1 << 8
REUSE_STACKID = 1 << 10


@record
class Helper:
    """`run(vm, *arguments)`, and after them `optional` ones that are None where nothing was written.

    `calls` says that it may call back into the program.
    """

    name: str
    arguments: int
    run: Callable[..., int]
    optional: int = 0
    calls: bool = False


HELPERS: dict[int, Helper] = {}


def helper(
    *names: str, arguments: int, optional: int = 0, calls: bool = False
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Register a function as the helpers of those names."""

    def register(run: Callable[..., int]) -> Callable[..., int]:
        for name in names:
            number = find_helper_number(name)
            if number is None or number in HELPERS:
                raise ValueError(f"no helper is called {name!r}, or it is registered twice")
            HELPERS[number] = Helper(name, arguments, run, optional, calls)
        return run

    return register


# -- maps -----------------------------------------------------------------------------------------


@helper("map_lookup_elem", arguments=2)
def map_lookup_elem(vm: Vm, table: int, key: int) -> int:
    found = find_map(vm.memory, table, "bpf_map_lookup_elem")
    return found.lookup(vm.memory.read(key, found.spec.key_size))


@helper("map_lookup_percpu_elem", arguments=3)
def map_lookup_percpu_elem(vm: Vm, table: int, key: int, cpu: int) -> int:
    found = find_map(vm.memory, table, "bpf_map_lookup_percpu_elem")
    return found.lookup(vm.memory.read(key, found.spec.key_size), cpu & 0xFFFFFFFF)


@helper("map_update_elem", arguments=4)
def map_update_elem(vm: Vm, table: int, key: int, value: int, flags: int) -> int:
    found = find_map(vm.memory, table, "bpf_map_update_elem")
    data = vm.memory.read(value, found.spec.value_size)
    return found.update_from_program(vm.memory.read(key, found.spec.key_size), data, flags)


@helper("map_delete_elem", arguments=2)
def map_delete_elem(vm: Vm, table: int, key: int) -> int:
    found = find_map(vm.memory, table, "bpf_map_delete_elem")
    return found.delete_elem(vm.memory.read(key, found.spec.key_size))


def _queue(vm: Vm, table: int, what: str) -> QueueMap:
    found = find_map(vm.memory, table, what)
    if not isinstance(found, QueueMap):
        raise Fault(f"{what}: expected a queue or a stack, got map {found.spec.name}")
    return found


@helper("map_push_elem", arguments=3)
def map_push_elem(vm: Vm, table: int, value: int, flags: int) -> int:
    queue = _queue(vm, table, "bpf_map_push_elem")
    return queue.push(vm.memory.read(value, queue.spec.value_size), flags)


@helper("map_pop_elem", arguments=2)
def map_pop_elem(vm: Vm, table: int, value: int) -> int:
    queue = _queue(vm, table, "bpf_map_pop_elem")
    return _give(vm, value, queue.pop(), queue.spec.value_size)


@helper("map_peek_elem", arguments=2)
def map_peek_elem(vm: Vm, table: int, value: int) -> int:
    queue = _queue(vm, table, "bpf_map_peek_elem")
    return _give(vm, value, queue.peek(), queue.spec.value_size)


def _give(vm: Vm, address: int, data: bytes | None, size: int) -> int:
    vm.memory.write(address, bytes(size) if data is None else data)
    return -errno.ENOENT if data is None else 0


@helper("for_each_map_elem", arguments=4, calls=True)
def for_each_map_elem(vm: Vm, table: int, function: int, context: int, flags: int) -> int:
    found = find_map(vm.memory, table, "bpf_for_each_map_elem")
    if flags:
        return -errno.EINVAL
    visited = 0
    for key in list(found.keys()):
        value = found.lookup(key)
        if not value:
            continue
        visited += 1
        place = vm.memory.add(f"key of map {found.spec.name}", bytearray(key), writable=False)
        stop = vm.call_function(function, (table, place, value, context))
        vm.memory.remove(place)
        if stop:
            break
    return visited


@helper("loop", arguments=4, calls=True)
def loop(vm: Vm, times: int, function: int, context: int, flags: int) -> int:
    times &= 0xFFFFFFFF
    if flags:
        return -errno.EINVAL
    if times > MAX_LOOPS:
        return -errno.E2BIG
    for index in range(times):
        if vm.call_function(function, (index, context)):
            return index + 1
    return times


@helper("spin_lock", "spin_unlock", arguments=1)
def spin_lock(vm: Vm, lock: int) -> int:
    vm.memory.check(lock, 4, write=True)
    return 0


def is_tail_call(insn: Insn) -> bool:
    """bpf_tail_call is no function: engines go on with the program `find_tail_target` gives."""
    return insn.code == CALL and insn.src == Call.HELPER and insn.imm == TAIL_CALL


def find_tail_target(vm: Vm, table: int, index: int) -> object | None:
    """The program a tail call goes to, or None when there is none or there were too many."""
    found = find_map(vm.memory, table, "bpf_tail_call")
    if not isinstance(found, ProgArray):
        raise Fault(f"bpf_tail_call: expected a program array, got map {found.spec.name}")
    return found.programs.get(index & 0xFFFFFFFF) if vm.take_tail_call() else None


# -- clocks, chance, the process ------------------------------------------------------------------


@helper("ktime_get_ns", "ktime_get_coarse_ns", arguments=0)
def ktime_get_ns(vm: Vm) -> int:
    return vm.world.read_clock()


@helper("ktime_get_boot_ns", arguments=0)
def ktime_get_boot_ns(vm: Vm) -> int:
    return vm.world.read_clock() + vm.world.boot


@helper("ktime_get_tai_ns", arguments=0)
def ktime_get_tai_ns(vm: Vm) -> int:
    return vm.world.read_clock() + vm.world.tai


@helper("jiffies64", arguments=0)
def jiffies64(vm: Vm) -> int:
    return vm.world.read_clock() // 4_000_000


@helper("get_prandom_u32", arguments=0)
def get_prandom_u32(vm: Vm) -> int:
    return vm.world.chance.getrandbits(32)


@helper("get_smp_processor_id", arguments=0)
def get_smp_processor_id(vm: Vm) -> int:
    return vm.world.check_cpu()


@helper("get_numa_node_id", arguments=0)
def get_numa_node_id(vm: Vm) -> int:
    return vm.world.numa_node


@helper("get_current_pid_tgid", arguments=0)
def get_current_pid_tgid(vm: Vm) -> int:
    return vm.world.pid << 32 | vm.world.tid


@helper("get_ns_current_pid_tgid", arguments=4)
def get_ns_current_pid_tgid(vm: Vm, device: int, inode: int, place: int, size: int) -> int:
    if size != 8:
        return -errno.EINVAL
    vm.memory.write(place, vm.world.tid.to_bytes(4, "little") + vm.world.pid.to_bytes(4, "little"))
    return 0


@helper("get_current_uid_gid", arguments=0)
def get_current_uid_gid(vm: Vm) -> int:
    return vm.world.gid << 32 | vm.world.uid


@helper("get_current_comm", arguments=2)
def get_current_comm(vm: Vm, place: int, size: int) -> int:
    if not size:
        return -errno.EINVAL
    vm.memory.write(place, vm.world.comm[: min(size, 16) - 1].ljust(size, b"\0"))
    return 0


@helper("get_current_cgroup_id", arguments=0)
def get_current_cgroup_id(vm: Vm) -> int:
    return vm.world.cgroup


@helper("get_current_task", "get_current_task_btf", arguments=0)
def get_current_task(vm: Vm) -> int:
    return vm.world.task


@helper("get_attach_cookie", arguments=1)
def get_attach_cookie(vm: Vm, context: int) -> int:
    return vm.world.cookie


@helper("get_func_ip", arguments=1)
def get_func_ip(vm: Vm, context: int) -> int:
    return vm.world.function


@helper("send_signal", "send_signal_thread", arguments=1)
def send_signal(vm: Vm, number: int) -> int:
    if not 0 < number <= 64:
        return -errno.EINVAL
    vm.world.signals.append((vm.world.tid, number))
    return 0


@helper("override_return", arguments=2)
def override_return(vm: Vm, context: int, result: int) -> int:
    vm.world.overridden = result
    return 0


# -- memory outside the program -------------------------------------------------------------------


def _outside(vm: Vm, address: int, size: int, *, kernel: bool) -> bytes | None:
    """Bytes of the world; the kernel's helpers can read the program's own memory too."""
    if kernel and address >> 32 in vm.memory.buffers:
        data, offset = vm.memory.buffers[address >> 32], address & 0xFFFFFFFF
        return bytes(data[offset : offset + size]) if offset + size <= len(data) else None
    return vm.world.find(address, size)


def _probe_read(vm: Vm, place: int, size: int, address: int, kernel: bool) -> int:
    size &= 0xFFFFFFFF
    if not size:
        return 0
    data = _outside(vm, address, size, kernel=kernel)
    vm.memory.write(place, bytes(size) if data is None else data)
    return -EFAULT if data is None else 0


@helper("probe_read", "probe_read_kernel", arguments=3)
def probe_read_kernel(vm: Vm, place: int, size: int, address: int) -> int:
    return _probe_read(vm, place, size, address, True)


@helper("probe_read_user", "copy_from_user", arguments=3)
def probe_read_user(vm: Vm, place: int, size: int, address: int) -> int:
    return _probe_read(vm, place, size, address, False)


def _probe_read_str(vm: Vm, place: int, size: int, address: int, kernel: bool) -> int:
    size &= 0xFFFFFFFF
    if not size:
        return 0
    text = find_text(vm, address, size - 1, kernel)
    if text is None:
        vm.memory.write(place, bytes(size))
        return -EFAULT
    vm.memory.check(place, size, write=True)
    vm.memory.write(place, text + b"\0")
    return len(text) + 1


def find_text(vm: Vm, address: int, most: int, kernel: bool = True) -> bytes | None:
    """The bytes at `address` up to a NUL, at most `most`; None when they can't be read."""
    if kernel and address >> 32 in vm.memory.buffers:
        data, offset = vm.memory.buffers[address >> 32], address & 0xFFFFFFFF
        part = bytes(data[offset : offset + most])
        return part.partition(b"\0")[0] if b"\0" in part or len(part) == most else None
    return vm.world.find_string(address, most)


@helper("probe_read_str", "probe_read_kernel_str", arguments=3)
def probe_read_kernel_str(vm: Vm, place: int, size: int, address: int) -> int:
    return _probe_read_str(vm, place, size, address, True)


@helper("probe_read_user_str", arguments=3)
def probe_read_user_str(vm: Vm, place: int, size: int, address: int) -> int:
    return _probe_read_str(vm, place, size, address, False)


@helper("probe_write_user", arguments=3)
def probe_write_user(vm: Vm, address: int, source: int, size: int) -> int:
    return 0 if vm.world.change(address, vm.memory.read(source, size & 0xFFFFFFFF)) else -errno.EPERM


@helper("strncmp", arguments=3)
def strncmp(vm: Vm, left: int, size: int, right: int) -> int:
    for index in range(size & 0xFFFFFFFF):
        a, b = vm.memory.load(left + index, 1), vm.memory.load(right + index, 1)
        if a != b or not a:
            return a - b
    return 0


# -- output ---------------------------------------------------------------------------------------


def _format(vm: Vm, template: int, values: tuple[int, ...]) -> bytes | int:
    text = find_text(vm, template, 512)
    if text is None:
        return -errno.EINVAL
    return render_format(text, values, lambda address: find_text(vm, address, 512))


@helper("trace_printk", arguments=2, optional=3)
def trace_printk(vm: Vm, template: int, size: int, a: int | None, b: int | None, c: int | None) -> int:
    # The verifier lets a program leave the arguments it has no format for unwritten.
    vm.memory.check(template, size)
    text = _format(vm, template, tuple(v for v in (a, b, c) if v is not None))
    if isinstance(text, int):
        return text
    vm.world.printed.append(text.decode("utf-8", "replace"))
    return len(text)


def _numbers(vm: Vm, place: int, size: int) -> tuple[int, ...]:
    return tuple(vm.memory.load(place + at, 8) for at in range(0, size & ~7, 8))


@helper("trace_vprintk", arguments=4)
def trace_vprintk(vm: Vm, template: int, size: int, place: int, length: int) -> int:
    vm.memory.check(template, size)
    text = _format(vm, template, _numbers(vm, place, length))
    if isinstance(text, int):
        return text
    vm.world.printed.append(text.decode("utf-8", "replace"))
    return len(text)


@helper("snprintf", arguments=5)
def snprintf(vm: Vm, place: int, size: int, template: int, values: int, length: int) -> int:
    text = _format(vm, template, _numbers(vm, values, length))
    if isinstance(text, int):
        return text
    if size:
        vm.memory.write(place, text[: size - 1] + b"\0")
    return len(text) + 1


@helper("perf_event_output", arguments=5)
def perf_event_output(vm: Vm, context: int, table: int, flags: int, data: int, size: int) -> int:
    found = find_map(vm.memory, table, "bpf_perf_event_output")
    if not isinstance(found, PerfEventArray):
        raise Fault(f"bpf_perf_event_output: expected a perf event array, got map {found.spec.name}")
    index = flags & 0xFFFFFFFF
    cpu = vm.world.check_cpu() if index == CURRENT_CPU else index
    return found.output(cpu, vm.memory.read(data, size))


@helper("ringbuf_output", arguments=4)
def ringbuf_output(vm: Vm, ring: int, data: int, size: int, flags: int) -> int:
    return find_ring(vm.memory, ring, "bpf_ringbuf_output").output(vm.memory.read(data, size))


@helper("ringbuf_reserve", arguments=3)
def ringbuf_reserve(vm: Vm, ring: int, size: int, flags: int) -> int:
    return find_ring(vm.memory, ring, "bpf_ringbuf_reserve").reserve(size)


def _rings(vm: Vm) -> list[RingBuffer]:
    return [table for table in vm.maps if isinstance(table, RingBuffer)]


@helper("ringbuf_submit", arguments=2)
def ringbuf_submit(vm: Vm, address: int, flags: int) -> int:
    find_reserved(_rings(vm), address, "bpf_ringbuf_submit").finish(address, True)
    return 0


@helper("ringbuf_discard", arguments=2)
def ringbuf_discard(vm: Vm, address: int, flags: int) -> int:
    find_reserved(_rings(vm), address, "bpf_ringbuf_discard").finish(address, False)
    return 0


@helper("ringbuf_query", arguments=2)
def ringbuf_query(vm: Vm, ring: int, flags: int) -> int:
    return find_ring(vm.memory, ring, "bpf_ringbuf_query").query(flags)


# -- stacks and packets ---------------------------------------------------------------------------


def _stack(vm: Vm, flags: int) -> tuple[int, ...]:
    frames = vm.world.user_stack if flags & USER_STACK else vm.world.kernel_stack
    return frames[flags & 0xFF :]


@helper("get_stackid", arguments=3)
def get_stackid(vm: Vm, context: int, table: int, flags: int) -> int:
    found: VmMap = find_map(vm.memory, table, "bpf_get_stackid")
    if not isinstance(found, StackTraceMap):
        raise Fault(f"bpf_get_stackid: expected a stack trace map, got map {found.spec.name}")
    frames = _stack(vm, flags)
    return found.add_stack(frames, bool(flags & REUSE_STACKID)) if frames else -EFAULT


@helper("get_stack", arguments=4)
def get_stack(vm: Vm, context: int, place: int, size: int, flags: int) -> int:
    if size % 8:
        return -errno.EINVAL
    data = b"".join(frame.to_bytes(8, "little") for frame in _stack(vm, flags))[:size]
    vm.memory.check(place, size, write=True)
    vm.memory.write(place, data.ljust(size, b"\0"))
    return len(data) if data else -EFAULT


@helper("skb_load_bytes", arguments=4)
def skb_load_bytes(vm: Vm, context: int, offset: int, place: int, size: int) -> int:
    start = signed(offset, 32)
    if start < 0 or start + size > len(vm.packet):
        vm.memory.write(place, bytes(size))
        return -EFAULT
    vm.memory.write(place, vm.packet[start : start + size])
    return 0
