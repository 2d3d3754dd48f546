"""The machine's protocol: programs, maps and links of a bundle made live."""

from __future__ import annotations

import pytest

from probee.base.errors import FormatError, UsageError
from probee.isa.asm import assemble
from probee.isa.ebpf import encode
from probee.spec.abi import MapType, ProgType
from probee.spec.bundle import IntervalLink, Map, Program, Relocation, UprobeLink
from probee.vm.machine import Vm

from .machines import u32, u64

COUNT = """
    r1 = 0 ll
    r2 = 1
    lock *(u64 *)(r1 + 0) += r2
    r0 = 5
    exit
"""


def _program(name: str = "count") -> Program:
    return Program(name, ProgType.KPROBE, encode(assemble(COUNT)), (Relocation(0, "n", 8),))


def test_load_resolves_maps_by_name() -> None:
    vm = Vm()
    table = vm.create_map(Map("n", MapType.ARRAY, 4, 16, 1))
    program = vm.load(_program(), {"n": table})
    assert program.test_run() == 5
    assert table.find(u32(0)) == u64(0) + u64(1)
    assert program.spec.name == "count"


def test_a_map_that_is_missing() -> None:
    with pytest.raises(UsageError, match="count: slot 0: expected a map 'n' of this machine"):
        Vm().load(_program(), {})


def test_bad_bytes() -> None:
    with pytest.raises(FormatError):
        Vm().load(Program("bad", ProgType.KPROBE, b"\xff" * 8), {})


def test_timers_fire_as_the_clock_is_stepped() -> None:
    vm = Vm()
    table = vm.create_map(Map("n", MapType.ARRAY, 4, 16, 1))
    program = vm.load(_program(), {"n": table})
    link = vm.attach(IntervalLink("count", 1_000_000), program)
    assert vm.advance(23_500_000) == 23
    assert vm.world.clock == 1_023_500_000
    link.close()
    assert vm.advance(10_000_000) == 0
    assert table.find(u32(0)) == u64(0) + u64(23)


def test_links_fire_when_told() -> None:
    vm = Vm()
    table = vm.create_map(Map("n", MapType.ARRAY, 4, 16, 1))
    link = vm.attach(UprobeLink("count", "/bin/true", 0), vm.load(_program(), {"n": table}))
    assert [vm.fire(link, bytes(168)) for _ in range(3)] == [5, 5, 5]
    assert vm.links == [link]
    vm.close()
    assert vm.links == []
