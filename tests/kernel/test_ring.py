"""The consumer's end of ring buffers: runs, discarded records, wrap-around, positions, waiting."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

import pytest

from builders.bpf import discard, ring_map, send, sending
from probee.kernel.machine import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from probee.isa.ebpf import Insn
    from probee.kernel.ring import KernelRing

    Fill = Callable[..., tuple[KernelRing, Callable[[], None]]]

pytestmark = pytest.mark.kernel


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with Kernel() as machine:
        yield machine


@pytest.fixture
def fill(kernel: Kernel) -> Fill:
    """`fill(*parts, size=…)`: a ring, and a function that runs a program of those parts."""

    def make(*parts: list[Insn], size: int = 1 << 16) -> tuple[KernelRing, Callable[[], None]]:
        ring = kernel.create_map(ring_map(size))
        program = kernel.load(sending(*parts), {"ring": ring})

        def run() -> None:
            program.test_run(context=bytes(96))

        return kernel.open_ring(ring), run

    return make


def shape(ring: KernelRing, until: int | None = None) -> list[tuple[int, int]]:
    runs = ring.read_runs(until)
    assert all(len(memory) == stride * count for stride, count, memory in runs)
    return [(stride, count) for stride, count, _ in runs]


def test_an_untouched_ring_is_empty(fill: Fill) -> None:
    ring, _ = fill(send(1, 16))
    assert (ring.read(), ring.position(), ring.producer()) == ([], 0, 0)


def test_records_are_in_order_without_headers(fill: Fill) -> None:
    ring, run = fill(*(send(n, 16, 100 + n) for n in range(23)))
    run()
    assert [bytes(r) for r in ring.read()] == [struct.pack("=IIQ", n, 0, 100 + n) for n in range(23)]
    assert ring.position() == ring.producer() == 23 * 24
    assert ring.read() == []


def test_a_run_is_of_one_length_and_one_id(fill: Fill) -> None:
    parts = [send(5, 16)] * 40 + [send(6, 16)] * 2 + [send(6, 12)] * 3 + [send(5, 8)] + [send(5, 16)] * 200
    ring, run = fill(*parts)
    run()
    assert shape(ring) == [(24, 40), (24, 2), (24, 3), (16, 1), (24, 200)]


def test_runs_are_maximal_whatever_their_length(fill: Fill) -> None:
    lengths = [1, 2, 3, 15, 16, 17, 18, 100, 145, 146, 1, 90]
    parts = [send(1 + i % 2, 16) for i, length in enumerate(lengths) for _ in range(length)]
    ring, run = fill(*parts)
    run()
    assert shape(ring) == [(24, length) for length in lengths]


def test_one_unpacking_decodes_a_run(fill: Fill) -> None:
    ring, run = fill(*(send(9, 16, n) for n in range(500)))
    run()
    ((stride, count, memory),) = ring.read_runs()
    assert (stride, count) == (24, 500)
    assert [v for _, v in struct.iter_unpack("=8xI4xQ", memory)] == list(range(500))


def test_discarded_records_are_left_out_and_their_room_is_given_back(fill: Fill) -> None:
    ring, run = fill(send(1, 16, 1), discard(32), discard(8), send(1, 16, 2), discard(16))
    run()
    assert shape(ring) == [(24, 1), (24, 1)]
    assert ring.position() == ring.producer() == 24 + 40 + 16 + 24 + 24


def test_only_discarded_records_move_the_position(fill: Fill) -> None:
    ring, run = fill(discard(32))
    run()
    assert (ring.read_runs(), ring.position()) == ([], 40)


def test_until_ends_a_read(fill: Fill) -> None:
    ring, run = fill(*[send(1, 16)] * 10)
    run()
    assert shape(ring, until=24 * 3) == [(24, 3)]
    assert shape(ring, until=24 * 3) == []
    assert shape(ring) == [(24, 7)]


def test_room_comes_back_with_release_only(fill: Fill) -> None:
    ring, run = fill(*[send(1, 16)] * 100, size=4096)  # room for 170
    run()
    assert len(ring.read()) == 100
    run()
    assert len(ring.read()) == 70
    ring.release()
    run()
    assert len(ring.read()) == 100


def test_records_go_on_across_the_end_of_the_memory(fill: Fill) -> None:
    ring, run = fill(*(send(3, 16, n) for n in range(100)), size=4096)
    crossed = 0
    for _ in range(50):
        run()
        runs = ring.read_runs()
        crossed += len(runs) - 1
        assert [v for *_, m in runs for _, v in struct.iter_unpack("=8xI4xQ", m)] == list(range(100))
        del runs
        ring.release()
    assert crossed == 50 * 2400 // 4096


def test_wait_tells_records_from_time(fill: Fill, kernel: Kernel) -> None:
    ring, run = fill(send(1, 16))
    started = time.monotonic()
    assert kernel.wait([ring], 0.05) is False
    assert time.monotonic() - started >= 0.04
    run()
    assert kernel.wait([ring], 5) is True
    ring.read()
    ring.release()
    assert kernel.wait([ring], 0) is False


def test_a_watched_descriptor_ends_a_wait(fill: Fill, kernel: Kernel) -> None:
    ring, run = fill(send(1, 16))
    read, write = os.pipe()
    kernel.watch(read)
    os.write(write, b"x")
    started = time.monotonic()
    assert kernel.wait([ring], 5) is False
    assert time.monotonic() - started < 4
    run()
    assert kernel.wait([ring], 5) is True
    kernel.unwatch(read)
    os.close(read)
    os.close(write)
    ring.read()
    ring.release()
    assert kernel.wait([ring], 0.01) is False


def test_wait_follows_the_rings_it_is_given(fill: Fill, kernel: Kernel) -> None:
    (first, run_first), (second, _) = fill(send(1, 16)), fill(send(1, 16))
    assert kernel.wait([first, second], 0) is False
    run_first()
    assert kernel.wait([second], 0) is False
    assert kernel.wait([first, second], 0) is True
    assert kernel.wait([], 0) is False


def test_a_second_consumer_starts_where_the_first_released(fill: Fill, kernel: Kernel) -> None:
    ring_spec = kernel.create_map(ring_map(4096))
    program = kernel.load(sending(send(1, 16, 7)), {"ring": ring_spec})
    program.test_run(context=bytes(96))
    first = kernel.open_ring(ring_spec)
    first.read()
    first.release()
    program.test_run(context=bytes(96))
    assert len(kernel.open_ring(ring_spec).read()) == 1
