"""The kernel's helpers as the interpreter has them: one function each, in the table `CALLS`.

What a string read leaves in its buffer after the 0 is left as it was; the kernel may clear some of it.
"""

from __future__ import annotations

from errno import E2BIG, EFAULT, EINVAL

from ..base.errors import InternalError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .interp import InterpMachine
    from .interp_maps import InterpMap

    Call = Callable[[InterpMachine, list[int]], int]

_U32 = 0xFFFFFFFF
_SIGNALS = 64
_LARGEST_RECORD = _U32 // 4
_MOST_CALLS = 1 << 23  # BPF_MAX_LOOPS
_USER_STACK = 1 << 8  # BPF_F_USER_STACK
_WAKEUP_FLAGS = 3  # BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP


# ---- maps


def _key(machine: InterpMachine, map: InterpMap, address: int) -> bytes:
    return machine.memory.read(address, map.spec.key_size)


def _lookup(machine: InterpMachine, args: list[int]) -> int:
    map = machine.find_map(args[0])
    region = map.find(_key(machine, map, args[1]), machine.cpu)
    return region.address if region is not None else 0


def _lookup_percpu(machine: InterpMachine, args: list[int]) -> int:
    map, cpu = machine.find_map(args[0]), args[2] & _U32
    region = map.find(_key(machine, map, args[1]), cpu) if cpu < map.copies else None
    return region.address if region is not None else 0


def _update(machine: InterpMachine, args: list[int]) -> int:
    map = machine.find_map(args[0])
    value = machine.memory.read(args[2], map.spec.value_size)
    return map.update(_key(machine, map, args[1]), value, args[3], machine.cpu)


def _delete(machine: InterpMachine, args: list[int]) -> int:
    map = machine.find_map(args[0])
    return map.delete(_key(machine, map, args[1]))


# ---- callbacks


def call_each(machine: InterpMachine, map: int, callback: int, env: int = 0) -> int:
    """Call `callback` with every entry that is there when its turn comes; the number of calls."""
    found = machine.find_map(map)
    assert machine.call_back is not None
    count = 0
    for key in list(found.entries):
        value = found.find(key, machine.cpu)
        if value is None:
            continue
        count += 1
        place = machine.memory.add(f"key of {found.spec.name}", bytearray(key), writable=False)
        stop = machine.call_back(callback, (map, place.address, value.address, env))
        machine.memory.drop(place)
        if stop:
            break
    return count


def call_times(machine: InterpMachine, times: int, callback: int, env: int = 0) -> int:
    """Call `callback` with 0, 1, … below `times`; the number of calls."""
    assert machine.call_back is not None
    if times & _U32 > _MOST_CALLS:
        return -E2BIG
    for index in range(times & _U32):
        if machine.call_back(callback, (index, env)):
            return index + 1
    return times & _U32


def _for_each(machine: InterpMachine, args: list[int]) -> int:
    map, callback, env, flags = args
    return -EINVAL if flags else call_each(machine, map, callback, env)


def _loop(machine: InterpMachine, args: list[int]) -> int:
    times, callback, env, flags = args
    return -EINVAL if flags else call_times(machine, times, callback, env)


# ---- rings


def _reserve(machine: InterpMachine, args: list[int]) -> int:
    address, size, flags = args
    if flags or size > _LARGEST_RECORD:
        return 0
    record = machine.find_map(address).reserve(size)
    return record.region.address if record is not None and record.region is not None else 0


def _release(state: str) -> Call:
    def release(machine: InterpMachine, args: list[int]) -> int:
        for map in machine.maps.values():
            if any(r.region is not None and r.region.address == args[0] for r in map.records):
                map.release(args[0], state)
                return 0
        raise InternalError(f"no reserved record at {args[0]:#x}")

    return release


def _ring_output(machine: InterpMachine, args: list[int]) -> int:
    address, data, size, flags = args
    if flags & ~_WAKEUP_FLAGS:
        return -EINVAL
    return machine.find_map(address).output(machine.memory.read(data, size))


def _perf_output(machine: InterpMachine, args: list[int]) -> int:
    _, address, _, data, size = args
    return machine.find_map(address).output(machine.memory.read(data, size))


def _query(machine: InterpMachine, args: list[int]) -> int:
    ring = machine.find_map(args[0])
    answers = (ring.producer - ring.consumer, ring.spec.max_entries, ring.consumer, ring.producer)
    return answers[args[1]] if args[1] < len(answers) else 0


# ---- the process


def _comm(machine: InterpMachine, args: list[int]) -> int:
    buffer, size = args[0], args[1] & _U32
    if not size:
        return -EINVAL
    machine.memory.write(buffer, machine.comm[: min(size - 1, 15)].ljust(size, b"\0"))
    return 0


def _namespace_pid(machine: InterpMachine, args: list[int]) -> int:
    device, inode, buffer, size = args
    matches = size == 8 and (device, inode) == machine.pid_namespace
    pair = machine.tid.to_bytes(4, "little") + machine.pid.to_bytes(4, "little")
    machine.memory.write(buffer, pair if matches else bytes(size))
    return 0 if matches else -EINVAL


def _signal(machine: InterpMachine, args: list[int]) -> int:
    number = args[0] & _U32
    if not 0 < number <= _SIGNALS:
        return -EINVAL
    machine.signals.append(number)
    return 0


def _override(machine: InterpMachine, args: list[int]) -> int:
    machine.overridden = args[1]
    return 0


def _traced(machine: InterpMachine, value: int) -> int | bytes:
    """What a value is: an address of memory of ours stands for the text there."""
    text = b""
    while machine.memory.have(value + len(text), 1):
        byte = machine.memory.read(value + len(text), 1)
        if byte == b"\0":
            return text
        text += byte
    return text or value


def _trace(machine: InterpMachine, args: list[int]) -> int:
    format = machine.memory.read(args[0], args[1] & _U32)
    if format[-1:] != b"\0":
        return -EINVAL
    machine.traced.append((format[:-1], tuple([_traced(machine, value) for value in args[2:]])))
    return len(format)


# ---- stacks


def _stack(machine: InterpMachine, args: list[int]) -> int:
    _, buffer, size, flags = args
    frames = machine.user_stack if flags & _USER_STACK else machine.kernel_stack
    data = b"".join([frame.to_bytes(8, "little") for frame in frames])[: size & ~7]
    machine.memory.write(buffer, data.ljust(size, b"\0"))
    return len(data) if data else -EFAULT


# ---- memory of others


def _write_user(machine: InterpMachine, args: list[int]) -> int:
    target, source, size = args[0], args[1], args[2] & _U32
    for start, data in machine.user_memory.items():
        if start <= target and target + size <= start + len(data):
            at = target - start
            machine.user_memory[start] = data[:at] + machine.memory.read(source, size) + data[at + size :]
            return 0
    return -EFAULT


def _find_bytes(pieces: dict[int, bytes], address: int, size: int) -> bytes | None:
    """`size` bytes at `address`, which neighbouring pieces may give together."""
    found = b""
    while len(found) < size:
        at = address + len(found)
        start = next((s for s, data in pieces.items() if s <= at < s + len(data)), None)
        if start is None:
            return None
        found += pieces[start][at - start :]
    return found[:size]


def _find_user(machine: InterpMachine, address: int, size: int) -> bytes | None:
    return _find_bytes(machine.user_memory, address, size)


def _find_kernel(machine: InterpMachine, address: int, size: int) -> bytes | None:
    if machine.memory.have(address, size):
        return machine.memory.read(address, size)
    return _find_bytes(machine.kernel_memory, address, size)


def _read(find: Callable[[InterpMachine, int, int], bytes | None]) -> Call:
    def read(machine: InterpMachine, args: list[int]) -> int:
        buffer, size, address = args[0], args[1] & _U32, args[2]
        data = find(machine, address, size)
        machine.memory.write(buffer, bytes(size) if data is None else data)
        return -EFAULT if data is None else 0

    return read


def _read_str(find: Callable[[InterpMachine, int, int], bytes | None]) -> Call:
    def read_str(machine: InterpMachine, args: list[int]) -> int:
        buffer, size, address = args[0], args[1] & _U32, args[2]
        text = b""
        while len(text) < size:
            byte = find(machine, address + len(text), 1)
            if byte is None:
                machine.memory.write(buffer, bytes(size))
                return -EFAULT
            text += byte
            if byte == b"\0":
                break
        if text[-1:] != b"\0":
            text = text[:-1] + b"\0" if text else b""
        machine.memory.write(buffer, text)
        return len(text)

    return read_str


def _strncmp(machine: InterpMachine, args: list[int]) -> int:
    left, count, right = args[0], args[1] & _U32, args[2]
    for i in range(count):
        a, b = machine.memory.read(left + i, 1)[0], machine.memory.read(right + i, 1)[0]
        if a != b or not a:
            return a - b
    return 0


CALLS: dict[str, Call] = {
    "map_lookup_elem": _lookup,
    "map_lookup_percpu_elem": _lookup_percpu,
    "map_update_elem": _update,
    "map_delete_elem": _delete,
    "ktime_get_ns": lambda m, _: m.time,
    "ktime_get_coarse_ns": lambda m, _: m.time,
    "ktime_get_boot_ns": lambda m, _: m.boot_time,
    "ktime_get_tai_ns": lambda m, _: m.tai_time,
    "jiffies64": lambda m, _: m.jiffies,
    "get_prandom_u32": lambda m, _: m.random.getrandbits(32),
    "get_smp_processor_id": lambda m, _: m.cpu,
    "get_numa_node_id": lambda m, _: m.node,
    "get_current_pid_tgid": lambda m, _: m.pid << 32 | m.tid,
    "get_current_uid_gid": lambda m, _: m.gid << 32 | m.uid,
    "get_current_comm": _comm,
    "send_signal": _signal,
    "send_signal_thread": _signal,
    "override_return": _override,
    "trace_printk": _trace,
    "probe_write_user": _write_user,
    "get_ns_current_pid_tgid": _namespace_pid,
    "get_current_task": lambda m, _: m.task,
    "get_current_task_btf": lambda m, _: m.task,
    "task_pt_regs": lambda m, _: m.user_registers,
    "get_current_cgroup_id": lambda m, _: m.cgroup,
    "get_stack": _stack,
    "get_func_ip": lambda m, _: m.func_ip,
    "get_attach_cookie": lambda m, _: m.cookie,
    "probe_read_user": _read(_find_user),
    "probe_read_kernel": _read(_find_kernel),
    "probe_read_user_str": _read_str(_find_user),
    "probe_read_kernel_str": _read_str(_find_kernel),
    "for_each_map_elem": _for_each,
    "loop": _loop,
    "perf_event_output": _perf_output,
    "ringbuf_reserve": _reserve,
    "ringbuf_submit": _release("submitted"),
    "ringbuf_discard": _release("discarded"),
    "ringbuf_output": _ring_output,
    "ringbuf_query": _query,
    "strncmp": _strncmp,
}
"""By the names of `helpers.HELPERS`."""
