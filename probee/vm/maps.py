"""Maps of the machine: what programs see of them by helpers, and tests by `MapHandle`.

Helpers' side: `lookup` gives an address or 0, the others 0 or a negative errno, as the kernel does.
Values of a map are regions of their own, so running over the end of one is noticed.
"""

from __future__ import annotations

import errno
from collections import OrderedDict, deque

from ..base.bits import align_up
from ..base.errors import KernelError, UsageError
from ..spec.abi import MapType, UpdateFlag
from .fault import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..spec.bundle import Map
    from .memory import Memory
    from .world import World

    Cell = tuple[int, bytearray | memoryview]
    """The address of a value, and its bytes."""

PER_CPU = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})


class VmMap:
    """What all maps share. A kind of map overrides what it can do; the rest is EINVAL, as in the kernel."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        self.spec = spec
        self.memory = memory
        self.world = world
        self.address = memory.add_object(f"map {spec.name}", self)
        self.copies = world.cpus if spec.type in PER_CPU else 1
        self.check_spec()

    def check_spec(self) -> None:
        """Refuse sizes the kernel would refuse."""
        if self.spec.max_entries <= 0 or self.spec.key_size <= 0 or self.spec.value_size <= 0:
            raise self.invalid("create")

    def invalid(self, what: str) -> KernelError:
        return KernelError(f"map {self.spec.name}: {what}", errno.EINVAL)

    # -- helpers' side ----------------------------------------------------------------------------

    def cells(self, key: bytes) -> list[Cell] | None:
        """The values at `key`, one a CPU or only one; None when there is no entry."""
        return None

    def lookup(self, key: bytes, cpu: int | None = None) -> int:
        """The address of the value at `key` on `cpu` (None: the current one); 0 when there is none."""
        cells = self.cells(key)
        if cells is None:
            return 0
        if self.copies == 1:
            return cells[0][0]
        chosen = self.world.check_cpu() if cpu is None else cpu
        return cells[chosen][0] if 0 <= chosen < self.copies else 0

    def update_elem(self, key: bytes, values: list[bytes | None], flags: int) -> int:
        """Set the values of an entry, None leaving a CPU's as it is (0 in a new entry)."""
        return -errno.EINVAL

    def delete_elem(self, key: bytes) -> int:
        return -errno.EINVAL

    def keys(self) -> Iterator[bytes]:
        return iter(())

    def update_from_program(self, key: bytes, value: bytes, flags: int) -> int:
        values: list[bytes | None] = [value]
        if self.copies > 1:
            values = [None] * self.copies
            values[self.world.check_cpu()] = value
        return self.update_elem(key, values, flags)

    # -- the handle -------------------------------------------------------------------------------

    def check_size(self, what: str, data: bytes, size: int) -> None:
        if len(data) != size:
            raise UsageError(f"map {self.spec.name}: expected a {what} of {size} bytes, got {len(data)}")

    def find(self, key: bytes) -> bytes | None:
        values = self.find_percpu(key)
        if values is None:
            return None
        if self.copies == 1:
            return values[0]
        room = align_up(self.spec.value_size, 8)
        return b"".join(value.ljust(room, b"\0") for value in values)

    def find_percpu(self, key: bytes) -> list[bytes] | None:
        self.check_size("key", key, self.spec.key_size)
        cells = self.cells(key)
        return None if cells is None else [bytes(data) for _, data in cells]

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        for key in list(self.keys()):
            value = self.find(key)
            if value is not None:
                yield key, value

    def items_percpu(self) -> Iterator[tuple[bytes, list[bytes]]]:
        for key in list(self.keys()):
            values = self.find_percpu(key)
            if values is not None:
                yield key, values

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        self.check_size("key", key, self.spec.key_size)
        size = self.spec.value_size
        room = align_up(size, 8) if self.copies > 1 else size
        self.check_size("value", value, room * self.copies)
        values: list[bytes | None] = [value[i * room : i * room + size] for i in range(self.copies)]
        code = self.update_elem(key, values, flags)
        if code < 0:
            raise KernelError(f"map {self.spec.name}: update", -code)

    def delete(self, key: bytes) -> bool:
        self.check_size("key", key, self.spec.key_size)
        code = self.delete_elem(key)
        if code == -errno.ENOENT:
            return False
        if code < 0:
            raise KernelError(f"map {self.spec.name}: delete", -code)
        return True

    def clear(self) -> None:
        for key in list(self.keys()):
            self.delete_elem(key)

    def view(self) -> memoryview:
        raise self.invalid("map into memory")

    def value_address(self, offset: int) -> int:
        """The address of byte `offset` of the only value, for direct access by a program."""
        raise self.invalid("direct value access")

    def close(self) -> None:
        """Nothing to give back: a map lives as long as someone has it."""


class HashMap(VmMap):
    """Hash and per-CPU hash."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        super().__init__(spec, memory, world)
        self.entries: OrderedDict[bytes, list[Cell]] = OrderedDict()

    def cells(self, key: bytes) -> list[Cell] | None:
        return self.entries.get(key)

    def keys(self) -> Iterator[bytes]:
        return iter(self.entries)

    def update_elem(self, key: bytes, values: list[bytes | None], flags: int) -> int:
        cells = self.entries.get(key)
        if flags > UpdateFlag.EXIST:
            return -errno.EINVAL
        if cells is not None and flags == UpdateFlag.NOEXIST:
            return -errno.EEXIST
        if cells is None:
            if flags == UpdateFlag.EXIST:
                return -errno.ENOENT
            if len(self.entries) >= self.spec.max_entries and not self.make_room():
                return -errno.E2BIG
            cells = self.entries[key] = self.new_cells(key)
        for (_, data), value in zip(cells, values, strict=True):
            if value is not None:
                data[:] = value
        return 0

    def make_room(self) -> bool:
        """The map is full: drop an entry and say so, or keep them all."""
        return False

    def new_cells(self, key: bytes) -> list[Cell]:
        name = f"value {key.hex()} of map {self.spec.name}"
        cells: list[Cell] = []
        for _ in range(self.copies):
            data = bytearray(self.spec.value_size)
            cells.append((self.memory.add(name, data), data))
        return cells

    def delete_elem(self, key: bytes) -> int:
        cells = self.entries.pop(key, None)
        if cells is None:
            return -errno.ENOENT
        for address, _ in cells:
            self.memory.retire(address)
        return 0


class LruHashMap(HashMap):
    """A hash that drops the entry a program has not looked up or written for the longest time."""

    def cells(self, key: bytes) -> list[Cell] | None:
        cells = self.entries.get(key)
        if cells is not None:
            self.entries.move_to_end(key)
        return cells

    def find_percpu(self, key: bytes) -> list[bytes] | None:
        # A look-up by system call doesn't make an entry younger.
        self.check_size("key", key, self.spec.key_size)
        cells = self.entries.get(key)
        return None if cells is None else [bytes(data) for _, data in cells]

    def update_elem(self, key: bytes, values: list[bytes | None], flags: int) -> int:
        code = super().update_elem(key, values, flags)
        if code == 0:
            self.entries.move_to_end(key)
        return code

    def make_room(self) -> bool:
        return self.delete_elem(next(iter(self.entries))) == 0


class ArrayMap(VmMap):
    """Array and per-CPU array: one piece of memory a CPU, every element a region in it."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        super().__init__(spec, memory, world)
        self.stride = align_up(spec.value_size, 8)
        self.data = [bytearray(self.stride * spec.max_entries) for _ in range(self.copies)]
        self.known: dict[int, list[Cell]] = {}

    def check_spec(self) -> None:
        super().check_spec()
        if self.spec.key_size != 4:
            raise self.invalid("create")

    def cells(self, key: bytes) -> list[Cell] | None:
        index = int.from_bytes(key, "little")
        known = self.known.get(index)
        if known is None and index < self.spec.max_entries:
            known = self.known[index] = self.new_cells(index)
        return known

    def new_cells(self, index: int) -> list[Cell]:
        name, start = f"value {index} of map {self.spec.name}", index * self.stride
        views = [memoryview(data)[start : start + self.spec.value_size] for data in self.data]
        return [(self.memory.add(name, view), view) for view in views]

    def keys(self) -> Iterator[bytes]:
        return (index.to_bytes(4, "little") for index in range(self.spec.max_entries))

    def update_elem(self, key: bytes, values: list[bytes | None], flags: int) -> int:
        if flags > UpdateFlag.EXIST:
            return -errno.EINVAL
        cells = self.cells(key)
        if cells is None:
            return -errno.E2BIG
        if flags == UpdateFlag.NOEXIST:
            return -errno.EEXIST
        for (_, data), value in zip(cells, values, strict=True):
            if value is not None:
                data[:] = value
        return 0

    def clear(self) -> None:
        """Zero every element: an array's can't be removed."""
        for data in self.data:
            data[:] = bytes(len(data))

    def view(self) -> memoryview:
        if self.copies != 1:
            raise self.invalid("map into memory")
        return memoryview(self.data[0])

    def value_address(self, offset: int) -> int:
        cells = self.cells(bytes(4))
        if cells is None or self.copies != 1 or self.spec.max_entries != 1:
            raise self.invalid("direct value access")
        if offset >= self.spec.value_size:
            raise self.invalid(f"direct access to byte {offset} of {self.spec.value_size}")
        return cells[0][0] + offset


class LpmTrie(HashMap):
    """Longest prefix match. A key is a u32 of bits, then that many bits that count, from the top."""

    def check_spec(self) -> None:
        super().check_spec()
        if self.spec.key_size <= 4:
            raise self.invalid("create")

    def split(self, key: bytes) -> tuple[int, int] | None:
        """The number of bits that count, and those bits; None when there are more than the key has."""
        bits = int.from_bytes(key[:4], "little")
        room = 8 * (len(key) - 4)
        if bits > room:
            return None
        return bits, int.from_bytes(key[4:], "big") >> (room - bits)

    def canonical(self, key: bytes) -> bytes | None:
        parts = self.split(key)
        if parts is None:
            return None
        bits, prefix = parts
        width = len(key) - 4
        return key[:4] + (prefix << (8 * width - bits)).to_bytes(width, "big")

    def cells(self, key: bytes) -> list[Cell] | None:
        bits, width = int.from_bytes(key[:4], "little"), len(key) - 4
        for length in range(min(bits, 8 * width), -1, -1):
            shorter = self.canonical(length.to_bytes(4, "little") + key[4:])
            if shorter is not None and shorter in self.entries:
                return self.entries[shorter]
        return None

    def update_elem(self, key: bytes, values: list[bytes | None], flags: int) -> int:
        known = self.canonical(key)
        return -errno.EINVAL if known is None else super().update_elem(known, values, flags)

    def delete_elem(self, key: bytes) -> int:
        known = self.canonical(key)
        return -errno.EINVAL if known is None else super().delete_elem(known)


class QueueMap(VmMap):
    """Queue (first in, first out) and stack (last in, first out); they have no keys."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        super().__init__(spec, memory, world)
        self.values: deque[bytes] = deque()

    def check_spec(self) -> None:
        if self.spec.max_entries <= 0 or self.spec.key_size != 0 or self.spec.value_size <= 0:
            raise self.invalid("create")

    def push(self, value: bytes, flags: int) -> int:
        """Add a value; with EXIST the oldest makes room for it when the map is full."""
        if flags not in (UpdateFlag.ANY, UpdateFlag.EXIST):
            return -errno.EINVAL
        if len(self.values) >= self.spec.max_entries:
            if flags != UpdateFlag.EXIST:
                return -errno.E2BIG
            self.values.popleft()
        self.values.append(value)
        return 0

    def peek(self) -> bytes | None:
        if not self.values:
            return None
        return self.values[0] if self.spec.type == MapType.QUEUE else self.values[-1]

    def pop(self) -> bytes | None:
        if not self.values:
            return None
        return self.values.popleft() if self.spec.type == MapType.QUEUE else self.values.pop()

    def find(self, key: bytes) -> bytes | None:
        self.check_size("key", key, 0)
        return self.peek()

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        self.check_size("key", key, 0)
        self.check_size("value", value, self.spec.value_size)
        code = self.push(value, flags)
        if code < 0:
            raise KernelError(f"map {self.spec.name}: push", -code)

    def clear(self) -> None:
        self.values.clear()


class ProgArray(VmMap):
    """Programs by index, for tail calls. `set_program` fills it."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        super().__init__(spec, memory, world)
        self.programs: dict[int, object] = {}

    def set_program(self, index: int, program: object | None) -> None:
        """Put a program there, or take it away (None)."""
        if not 0 <= index < self.spec.max_entries:
            raise KernelError(f"map {self.spec.name}: update", errno.E2BIG)
        if program is None:
            self.programs.pop(index, None)
        else:
            self.programs[index] = program

    def clear(self) -> None:
        self.programs.clear()


class StackTraceMap(VmMap):
    """Stacks by number, as bpf_get_stackid makes them."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        super().__init__(spec, memory, world)
        self.stacks: dict[int, bytes] = {}

    def add_stack(self, frames: tuple[int, ...], reuse: bool) -> int:
        """The number of a stack of addresses, or a negative errno."""
        data = b"".join(frame.to_bytes(8, "little") for frame in frames)[: self.spec.value_size]
        number = hash(data) & (1 << (self.spec.max_entries - 1).bit_length()) - 1
        if self.stacks.get(number, data) != data and not reuse:
            return -errno.EEXIST
        self.stacks[number] = data
        return number

    def find_percpu(self, key: bytes) -> list[bytes] | None:
        self.check_size("key", key, 4)
        data = self.stacks.get(int.from_bytes(key, "little"))
        return None if data is None else [data.ljust(self.spec.value_size, b"\0")]

    def keys(self) -> Iterator[bytes]:
        return (number.to_bytes(4, "little") for number in self.stacks)

    def delete_elem(self, key: bytes) -> int:
        return 0 if self.stacks.pop(int.from_bytes(key, "little"), None) is not None else -errno.ENOENT


def find_map(memory: Memory, address: int, what: str) -> VmMap:
    """The map a program passed to a helper; Fault when it isn't one."""
    item = memory.find_object(address)
    if not isinstance(item, VmMap):
        raise Fault(f"{what}: expected the address of a map, got {address:#x}")
    return item


MAPS: dict[MapType, Callable[[Map, Memory, World], VmMap]] = {
    MapType.HASH: HashMap,
    MapType.PERCPU_HASH: HashMap,
    MapType.LRU_HASH: LruHashMap,
    MapType.LRU_PERCPU_HASH: LruHashMap,
    MapType.ARRAY: ArrayMap,
    MapType.PERCPU_ARRAY: ArrayMap,
    MapType.LPM_TRIE: LpmTrie,
    MapType.QUEUE: QueueMap,
    MapType.STACK: QueueMap,
    MapType.PROG_ARRAY: ProgArray,
    MapType.STACK_TRACE: StackTraceMap,
}
