"""Ring buffers and perf event arrays: how records leave a program."""

from __future__ import annotations

import errno

from ..base.bits import align_up
from ..spec.abi import RINGBUF_HEADER
from .fault import Fault
from .maps import VmMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.bundle import Map
    from .memory import Memory
    from .world import World

PAGE = 4096
MAX_RECORD = (1 << 30) - 1


class _Record:
    """A record in a ring: where it starts, and whether it was submitted (None: not yet)."""

    __slots__ = ("address", "data", "end", "kept")

    def __init__(self, data: bytearray, end: int) -> None:
        self.data = data
        self.end = end
        self.address = 0
        self.kept: bool | None = None


class RingBuffer(VmMap):
    """A BPF ring buffer with the kernel's accounting: positions in bytes, 8 of header a record."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        super().__init__(spec, memory, world)
        self.produced = 0
        self.consumed = 0
        self.records: list[_Record] = []
        self.reserved: dict[int, _Record] = {}
        self.wakeups = 0

    def check_spec(self) -> None:
        size = self.spec.max_entries
        if size < PAGE or size & (size - 1) or self.spec.key_size or self.spec.value_size:
            raise self.invalid("create")

    def append(self, size: int) -> _Record | None:
        """Room for a record of `size` bytes at the end of the ring, or None when it is full."""
        room = align_up(size + RINGBUF_HEADER, 8)
        if size > MAX_RECORD or self.produced + room - self.consumed > self.spec.max_entries - 1:
            return None
        self.produced += room
        record = _Record(bytearray(size), self.produced)
        self.records.append(record)
        return record

    def reserve(self, size: int) -> int:
        """The address of a record that a program may fill, or 0."""
        record = self.append(size)
        if record is None:
            return 0
        record.address = self.memory.add(f"record of ring {self.spec.name}", record.data)
        self.reserved[record.address] = record
        return record.address

    def output(self, data: bytes) -> int:
        record = self.append(len(data))
        if record is None:
            return -errno.EAGAIN
        record.data[:] = data
        record.kept = True
        self.wakeups += 1
        return 0

    def finish(self, address: int, kept: bool) -> None:
        """Submit or discard a reserved record."""
        record = self.reserved.pop(address)
        record.kept = kept
        self.memory.remove(address)
        self.wakeups += 1

    def query(self, flag: int) -> int:
        """What bpf_ringbuf_query tells: bytes unread, size, consumer's and producer's position."""
        answers = (self.produced - self.consumed, self.spec.max_entries, self.consumed, self.produced)
        return answers[flag] if flag < len(answers) else 0


class RingReader:
    """The consumer's end of a ring: a `RingHandle`."""

    def __init__(self, ring: RingBuffer) -> None:
        self.ring = ring
        self.at = ring.consumed
        self.taken = 0

    def producer(self) -> int:
        return self.ring.produced

    def read(self, until: int | None = None) -> list[memoryview | bytes]:
        return [bytes(record.data) for record in self._take(until)]

    def read_runs(self, until: int | None = None) -> list[tuple[int, int, memoryview]]:
        """The same records as runs (stride, count, bytes), as `kernel.ring` gives them.

        A run is of consecutive records of one length and one first u32. Each of its records is a
        header of 8 bytes (u32 length, u32 that means nothing), the payload, padding to 8 bytes.
        """
        runs: list[tuple[int, int, bytearray]] = []
        last = b""
        end = -1  # where the record before ended, so that a discarded one ends a run
        for record in self._take(until):
            size = len(record.data)
            stride = align_up(size + RINGBUF_HEADER, 8)
            data = size.to_bytes(4, "little") + bytes(4) + bytes(record.data)
            data = data.ljust(stride, b"\0")
            kind = data[:4] + data[8:12]
            if runs and kind == last and size >= 4 and record.end - stride == end:
                runs[-1][2].extend(data)
                runs[-1] = (stride, runs[-1][1] + 1, runs[-1][2])
            else:
                runs.append((stride, 1, bytearray(data)))
            last, end = kind, record.end
        return [(stride, count, memoryview(data)) for stride, count, data in runs]

    def _take(self, until: int | None) -> list[_Record]:
        """Records that are kept, up to the first one not yet submitted or position `until`."""
        kept: list[_Record] = []
        for record in self.ring.records[self.taken :]:
            if record.kept is None or (until is not None and record.end > until):
                break
            self.taken += 1
            self.at = record.end
            if record.kept:
                kept.append(record)
        return kept

    def position(self) -> int:
        return self.at

    def release(self) -> None:
        del self.ring.records[: self.taken]
        self.taken = 0
        self.ring.consumed = self.at

    def close(self) -> None:
        """Nothing to give back."""


class PerfEventArray(VmMap):
    """Records by CPU, as bpf_perf_event_output sends them; `lost` counts those past `room`."""

    def __init__(self, spec: Map, memory: Memory, world: World) -> None:
        super().__init__(spec, memory, world)
        self.records: list[list[bytes]] = [[] for _ in range(world.cpus)]
        self.lost = [0] * world.cpus
        self.room = 1 << 16

    def output(self, cpu: int, data: bytes) -> int:
        if not 0 <= cpu < len(self.records):
            return -errno.E2BIG
        if len(self.records[cpu]) >= self.room:
            self.lost[cpu] += 1
            return -errno.ENOSPC
        self.records[cpu].append(data)
        return 0

    def take(self, cpu: int) -> list[bytes]:
        """The records of a CPU since the last time."""
        records, self.records[cpu] = self.records[cpu], []
        return records


def find_ring(memory: Memory, address: int, what: str) -> RingBuffer:
    item = memory.find_object(address)
    if not isinstance(item, RingBuffer):
        raise Fault(f"{what}: expected the address of a ring buffer, got {address:#x}")
    return item


def find_reserved(rings: list[RingBuffer], address: int, what: str) -> RingBuffer:
    """The ring a reserved record belongs to."""
    for ring in rings:
        if address in ring.reserved:
            return ring
    raise Fault(f"{what}: expected a record that bpf_ringbuf_reserve gave, got {address:#x}")
