"""The interpreter's maps and rings, as the kernel's behave. Errors are negative errno, as helpers give."""

from __future__ import annotations

from errno import E2BIG, EAGAIN, EEXIST, EINVAL, ENOENT

from ..base.bits import align_up
from ..base.errors import InternalError
from ..spec.abi import RINGBUF_HEADER, MapType, UpdateFlag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.bundle import Map
    from .interp_memory import Memory, Region

UNDEFINED = 0xAA
"""What every byte is that nobody has written."""

_ARRAYS = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})
_HASHES = frozenset({MapType.HASH, MapType.PERCPU_HASH})
_PERCPU = frozenset({MapType.PERCPU_ARRAY, MapType.PERCPU_HASH})
_RINGS = frozenset({MapType.RINGBUF, MapType.PERF_EVENT_ARRAY})


class Record:
    """One record of a ring. `state`: "reserved", "submitted" or "discarded"; `end`: the position after it."""

    __slots__ = ("region", "data", "state", "end")

    def __init__(self, data: bytearray, end: int, region: Region | None) -> None:
        self.data = data
        self.end = end
        self.region = region
        self.state = "submitted" if region is None else "reserved"


class InterpMap:
    """One map: a region for each entry and CPU. `max_entries` 0 means no limit."""

    def __init__(self, spec: Map, memory: Memory, cpus: int) -> None:
        if spec.type not in _ARRAYS | _HASHES | _RINGS:
            raise InternalError(f"the interpreter has no map of type {spec.type.name}")
        self.spec = spec
        self.copies = cpus if spec.type in _PERCPU else 1
        self.region = memory.add(f"map {spec.name}", bytearray(), map=spec.name)
        self.entries: dict[bytes, list[Region]] = {}
        self.records: list[Record] = []
        self.producer = self.consumer = 0
        self._memory = memory

    # ---- keys and values

    def find(self, key: bytes, cpu: int = 0) -> Region | None:
        """The value at `key`, of a map with one for each CPU `cpu`'s own."""
        if key not in self.entries:
            if self.spec.type not in _ARRAYS or int.from_bytes(key, "little") >= self.spec.max_entries:
                return None
            self._add(key)
        copies = self.entries[key]
        return copies[cpu if self.copies > 1 else 0]

    def _add(self, key: bytes) -> list[Region]:
        name = f"value of {self.spec.name}"
        content = self.spec.content.ljust(self.spec.value_size, b"\0")
        self.entries[key] = [self._memory.add(name, bytearray(content)) for _ in range(self.copies)]
        return self.entries[key]

    def update(self, key: bytes, value: bytes, flags: int = 0, cpu: int = 0) -> int:
        """As bpf_map_update_elem: a per-CPU entry that is new has zeros for the other CPUs."""
        if flags > UpdateFlag.EXIST:
            return -EINVAL
        region = self.find(key, cpu)
        if region is None:
            if self.spec.type in _ARRAYS:
                return -E2BIG
            if flags == UpdateFlag.EXIST:
                return -ENOENT
            if 0 < self.spec.max_entries <= len(self.entries):
                return -E2BIG
            region = self._add(key)[cpu if self.copies > 1 else 0]
        elif flags == UpdateFlag.NOEXIST:
            return -EEXIST
        elif self.spec.type == MapType.HASH:
            # The kernel puts a new element in the old one's place; who holds the old one keeps that.
            region = self._add(key)[0]
        region.data[:] = value
        return 0

    def delete(self, key: bytes) -> int:
        """As bpf_map_delete_elem. Who holds a pointer to the value may go on using it."""
        if self.spec.type in _ARRAYS:
            return -EINVAL
        return 0 if self.entries.pop(key, None) else -ENOENT

    def items(self) -> dict[bytes, list[bytes]]:
        """Every entry that was touched: one value, or one for each CPU."""
        return {key: [bytes(r.data) for r in copies] for key, copies in self.entries.items()}

    # ---- records

    def reserve(self, size: int) -> Record | None:
        """Room for a record of `size` bytes, unless the ring has too little."""
        if not self._take(size):
            return None
        data = bytearray([UNDEFINED]) * size
        region = self._memory.add(f"record of {self.spec.name}", data)
        self.records.append(Record(data, self.producer, region))
        return self.records[-1]

    def output(self, data: bytes) -> int:
        """A whole record at once; -EAGAIN where there is no room."""
        if not self._take(len(data)):
            return -EAGAIN
        self.records.append(Record(bytearray(data), self.producer, None))
        return 0

    def _take(self, size: int) -> bool:
        end = self.producer + align_up(size + RINGBUF_HEADER, 8)
        if self.spec.max_entries and end - self.consumer > self.spec.max_entries - 1:
            return False
        self.producer = end
        return True

    def release(self, address: int, state: str) -> None:
        """Give back the reserved record at `address`, as "submitted" or "discarded"."""
        for record in self.records:
            if record.region is not None and record.region.address == address:
                self._memory.drop(record.region)
                record.region, record.state = None, state
                return
        raise InternalError(f"no reserved record of {self.spec.name} at {address:#x}")

    def consume(self) -> list[bytes]:
        """What a consumer sees: the records submitted, up to the first that is still reserved."""
        count = next((i for i, r in enumerate(self.records) if r.state == "reserved"), len(self.records))
        taken, self.records = self.records[:count], self.records[count:]
        if taken:
            self.consumer = taken[-1].end
        return [bytes(r.data) for r in taken if r.state == "submitted"]
