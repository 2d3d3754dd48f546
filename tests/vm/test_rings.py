"""Ring buffers and perf event arrays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.spec.abi import MapType
from probee.vm.fault import Fault
from probee.vm.machine import Vm
from probee.vm.rings import PerfEventArray, RingBuffer

from .machines import ENGINES, make_map, run, u32, u64

SUBMIT = """
    r6 = r1
    r1 = map[ring]
    r2 = 16
    r3 = 0
    call bpf_ringbuf_reserve
    if r0 == 0 goto full
    *(u64 *)(r0 + 0) = r6
    *(u64 *)(r0 + 8) = -1
    r1 = r0
    r2 = 0
    call bpf_ringbuf_submit
    r0 = 0
    exit
full:
    r0 = 1
    exit
"""


def _ring(vm: Vm, size: int = 4096) -> RingBuffer:
    ring = make_map(vm, MapType.RINGBUF, 0, 0, size, "ring")
    assert isinstance(ring, RingBuffer)
    return ring


@pytest.mark.parametrize("interpret", ENGINES)
def test_records_come_out_in_order(interpret: bool) -> None:
    vm = Vm(interpret=interpret)
    ring = _ring(vm)
    reader = vm.open_ring(ring)
    assert not vm.wait([reader], 0)
    for number in range(23):
        assert run(vm, SUBMIT, number, ring=ring) == 0
    assert vm.wait([reader], 0)
    assert reader.read() == [u64(number) + u64(-1) for number in range(23)]
    assert reader.position() == reader.producer() == 23 * 24
    reader.release()
    assert reader.read() == []


def test_a_full_ring_takes_no_more_until_there_is_room() -> None:
    vm = Vm()
    ring = _ring(vm)
    reader = vm.open_ring(ring)
    sent = sum(run(vm, SUBMIT, number, ring=ring) == 0 for number in range(300))
    assert sent == 4095 // 24
    assert len(reader.read()) == sent
    assert run(vm, SUBMIT, 1, ring=ring) == 1  # read, but not given back
    reader.release()
    assert run(vm, SUBMIT, 1, ring=ring) == 0


def test_reading_stops_at_a_position() -> None:
    vm = Vm()
    ring = _ring(vm)
    reader = vm.open_ring(ring)
    for number in range(4):
        run(vm, SUBMIT, number, ring=ring)
    assert len(reader.read(until=48)) == 2
    assert reader.position() == 48
    assert len(reader.read()) == 2


def test_discarded_records_are_left_out_and_busy_ones_hold_the_rest_back() -> None:
    vm = Vm()
    ring = _ring(vm)
    reader = vm.open_ring(ring)
    first, second = ring.reserve(8), ring.reserve(8)
    ring.output(b"abc")
    ring.finish(second, kept=True)
    assert reader.read() == []
    ring.finish(first, kept=False)
    assert reader.read() == [bytes(8), b"abc"]


def test_runs_are_of_records_that_look_the_same() -> None:
    vm = Vm()
    ring = _ring(vm)
    reader = vm.open_ring(ring)
    first, other = (1).to_bytes(4, "little"), (2).to_bytes(4, "little")
    for data in (first + b"a", first + b"b", other + b"c", first + b"long one", b"x", b"x"):
        ring.output(data)
    ring.finish(ring.reserve(1), kept=False)
    runs = reader.read_runs()
    assert [(stride, count) for stride, count, _ in runs] == [(16, 2), (16, 1), (24, 1), (16, 1), (16, 1)]
    assert bytes(runs[0][2]) == (u32(5) + bytes(4) + first + b"a" + bytes(3)) + (
        u32(5) + bytes(4) + first + b"b" + bytes(3)
    )
    assert reader.position() == reader.producer()


def test_a_record_must_be_submitted() -> None:
    vm = Vm()
    ring = _ring(vm)
    text = "r1 = map[ring]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nr0 = 0\nexit"
    with pytest.raises(Fault, match="ends with a record of ring ring that it didn't submit"):
        run(vm, text, ring=ring)
    assert ring.reserved == {}


def test_a_submitted_record_is_gone() -> None:
    vm = Vm()
    text = """
        r1 = map[ring]
        r2 = 8
        r3 = 0
        call bpf_ringbuf_reserve
        r6 = r0
        r1 = r0
        r2 = 0
        call bpf_ringbuf_submit
        *(u64 *)(r6 + 0) = 1
        exit
    """
    with pytest.raises(
        Fault, match="writes 8 bytes at offset 0 of record of ring ring, which has been given back"
    ):
        run(vm, text, ring=_ring(vm))


def test_query() -> None:
    vm = Vm()
    ring = _ring(vm)
    run(vm, SUBMIT, 1, ring=ring)
    text = "r1 = map[ring]\nr2 = {}\ncall bpf_ringbuf_query\nexit"
    assert [run(vm, text.format(flag), ring=ring) for flag in range(5)] == [24, 4096, 0, 24, 0]


@given(st.lists(st.one_of(st.integers(0, 600), st.none()), max_size=60))
def test_a_ring_never_holds_more_than_its_size(steps: list[int | None]) -> None:
    """None reads everything; a number sends a record of that size. Nothing is lost in silence."""
    vm = Vm()
    ring = _ring(vm)
    reader = vm.open_ring(ring)
    expected: list[bytes] = []
    got: list[bytes] = []
    for step in steps:
        if step is None:
            got += [bytes(record) for record in reader.read()]
            reader.release()
        elif ring.output(bytes([step & 255]) * step) == 0:
            expected.append(bytes([step & 255]) * step)
        assert ring.produced - ring.consumed < 4096
    got += [bytes(record) for record in reader.read()]
    assert got == expected


def test_perf_events_go_to_the_current_cpu() -> None:
    vm = Vm()
    table = make_map(vm, MapType.PERF_EVENT_ARRAY, 4, 4, 2, "events")
    assert isinstance(table, PerfEventArray)
    text = """
        *(u64 *)(r10 - 8) = 7
        r2 = map[events]
        r3 = 0xffffffff ll
        r4 = r10
        r4 += -8
        r5 = 8
        call bpf_perf_event_output
        exit
    """
    vm.world.cpu = 1
    assert run(vm, text, 0, events=table) == 0
    assert (table.take(0), table.take(1), table.take(1)) == ([], [u64(7)], [])
    table.room = 0
    run(vm, text, 0, events=table)
    assert table.lost == [0, 1]
