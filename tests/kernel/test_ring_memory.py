"""Reading a ring's memory, against a plain walk over records of every kind; no kernel needed."""

from __future__ import annotations

import mmap
import os
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probee.kernel import ring as module
from probee.kernel.fd import Fd
from probee.kernel.ring import KernelRing
from probee.spec.abi import RINGBUF_BUSY, RINGBUF_DISCARD, MapType
from probee.spec.bundle import Map

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 1 << 16


class Memory:
    """A ring's memory in a file; it stands in for a map."""

    def __init__(self) -> None:
        self.spec = Map("ring", MapType.RINGBUF, 0, 0, SIZE)
        self.fd = Fd(os.memfd_create("ring"))
        os.truncate(self.fd.number, 2 * mmap.PAGESIZE + 2 * SIZE)

    def write(self, position: int, records: list[tuple[int, bytes]]) -> int:
        """Put records of (bits, payload) at `position`; the producer's position after them."""
        for bits, payload in records:
            record = struct.pack("=II", len(payload) | bits, 0xDEAD) + payload
            for copy in (0, SIZE):
                at = position % SIZE + copy
                os.pwrite(self.fd.number, record, 2 * mmap.PAGESIZE + at)
                if copy and at + len(record) > 2 * SIZE:
                    os.pwrite(self.fd.number, record[2 * SIZE - at :], 2 * mmap.PAGESIZE)
            position += 8 + (len(payload) + 7) // 8 * 8
        os.pwrite(self.fd.number, struct.pack("=Q", position), mmap.PAGESIZE)
        return position


@pytest.fixture(params=[True, False], ids=["ordered", "fenced"])
def order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOADS_IN_ORDER", request.param)


def payload(event: int, length: int, value: int) -> bytes:
    return struct.pack("=I", event)[:length].ljust(length, bytes((value,)))


# Few kinds and long repeats, so that runs of every length come up.
RECORDS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0, RINGBUF_DISCARD, RINGBUF_BUSY]),
        st.sampled_from([1, 2]),
        st.sampled_from([0, 2, 4, 8, 12, 16, 20]),
        st.integers(1, 40),
    ),
    max_size=12,
).map(lambda kinds: [(bits, payload(e, n, i)) for bits, e, n, times in kinds for i in range(times)])


def walk(start: int, records: list[tuple[int, bytes]]) -> list[tuple[int, list[bytes]]]:
    """Runs as their definition says: (stride, payloads)."""
    position, lap = start, start // SIZE
    runs: list[tuple[int, list[bytes]]] = []
    before: tuple[int, bytes] | None = None
    for bits, data in records:
        if bits & RINGBUF_BUSY:
            break
        stride = 8 + (len(data) + 7) // 8 * 8
        if position // SIZE != lap:
            before = None
        lap = position // SIZE
        position += stride
        alike = (len(data), data[:4]) if len(data) >= 4 else None
        if bits & RINGBUF_DISCARD:
            before = None
            continue
        if alike is not None and alike == before:
            runs[-1][1].append(data)
        else:
            runs.append((stride, [data]))
        before = alike
    return runs


# A guest machine is ten times slower.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(records=RECORDS, start=st.integers(0, 3 * SIZE // 8).map(lambda n: n * 8), fenced=st.booleans())
def test_runs_are_what_they_are_defined_to_be(
    records: list[tuple[int, bytes]], start: int, fenced: bool
) -> None:
    expected = walk(start, records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LOADS_IN_ORDER", not fenced)
        memory = Memory()
        os.pwrite(memory.fd.number, struct.pack("=Q", start), 0)
        end = memory.write(start, records)
        found = []
        ring = KernelRing(memory)  # type: ignore[arg-type]
        for stride, count, span in ring.read_runs():
            assert len(span) == stride * count
            length = struct.unpack_from("=I", span)[0]
            found.append((stride, [bytes(span[i + 8 : i + 8 + length]) for i in range(0, len(span), stride)]))
        assert found == expected
        again = KernelRing(memory)  # type: ignore[arg-type]
        assert [bytes(r) for r in again.read()] == [data for _, run in expected for data in run]
        if not any(bits & RINGBUF_BUSY for bits, _ in records):
            assert ring.position() == end
        memory.fd.close()


@pytest.fixture
def memory() -> Iterator[Memory]:
    made = Memory()
    yield made
    made.fd.close()


@pytest.mark.usefixtures("order")
def test_a_record_not_yet_submitted_holds_up_those_behind_it(memory: Memory) -> None:
    one, busy = (0, payload(1, 16, 1)), (RINGBUF_BUSY, payload(1, 16, 2))
    memory.write(0, [one, busy, one])
    ring = KernelRing(memory)  # type: ignore[arg-type]
    assert len(ring.read()) == 1
    assert ring.read() == []
    ring.release()
    memory.write(24, [one, one])
    assert len(ring.read()) == 2
    assert ring.position() == 72


def test_release_publishes_what_was_read_and_no_more(memory: Memory) -> None:
    memory.write(0, [(0, payload(1, 16, n)) for n in range(5)])
    ring = KernelRing(memory)  # type: ignore[arg-type]
    ring.read(until=48)
    assert os.pread(memory.fd.number, 8, 0) == bytes(8)
    ring.release()
    assert os.pread(memory.fd.number, 8, 0) == struct.pack("=Q", 48)
    ring.close()
    ring.close()
