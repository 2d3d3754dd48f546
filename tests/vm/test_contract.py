"""One contract for every machine: what holds of the kernel's maps, programs and rings holds of the VM's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from probee.base.errors import KernelError
from probee.isa.asm import assemble
from probee.isa.ebpf import LDDW, encode
from probee.kernel.machine import Kernel
from probee.spec.abi import MapFlag, MapType, ProgType, UpdateFlag
from probee.spec.bundle import Map, Program, Relocation
from probee.vm.machine import Vm

from .machines import u32, u64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.fixtures import SubRequest


@pytest.fixture(params=["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def machine(request: SubRequest) -> Iterator[Any]:
    made: Any = Kernel() if request.param == "kernel" else Vm()
    yield made
    made.close()


def _load(machine: Any, text: str, **maps: Any) -> Any:
    """A program that can be run at once; each `map[name]` and `map[name][0]+N` is relocated."""
    numbers = {name: fd for fd, name in enumerate(maps)}
    names = list(maps)
    insns = assemble(text, resolve=lambda kind, name: numbers.get(name))
    relocations, slot = [], 0
    for insn in insns:
        if insn.code == LDDW and insn.src:
            offset = insn.imm >> 32 if insn.src == 2 else None
            relocations.append(Relocation(slot, names[insn.imm & 0xFFFFFFFF], offset))
        slot += insn.slots
    spec = Program("contract", ProgType.RAW_TRACEPOINT, encode(insns), tuple(relocations))
    return machine.load(spec, maps)


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.LRU_HASH])
def test_hashes(machine: Any, kind: MapType) -> None:
    table = machine.create_map(Map("m", kind, 4, 8, 16))
    assert table.find(u32(1)) is None
    table.update(u32(1), u64(10))
    table.update(u32(2), u64(20), UpdateFlag.NOEXIST)
    assert sorted(table.items()) == [(u32(1), u64(10)), (u32(2), u64(20))]
    with pytest.raises(KernelError) as caught:
        table.update(u32(2), u64(0), UpdateFlag.NOEXIST)
    assert caught.value.errno == 17
    with pytest.raises(KernelError) as caught:
        table.update(u32(3), u64(0), UpdateFlag.EXIST)
    assert caught.value.errno == 2
    assert (table.delete(u32(1)), table.delete(u32(1))) == (True, False)
    table.clear()
    assert list(table.items()) == []


def test_a_full_hash(machine: Any) -> None:
    table = machine.create_map(Map("m", MapType.HASH, 4, 8, 2))
    for key in (1, 2):
        table.update(u32(key), u64(key))
    with pytest.raises(KernelError) as caught:
        table.update(u32(3), u64(3))
    assert caught.value.errno == 7


def test_arrays(machine: Any) -> None:
    table = machine.create_map(Map("m", MapType.ARRAY, 4, 8, 3))
    table.update(u32(1), u64(5))
    assert list(table.items()) == [(u32(0), u64(0)), (u32(1), u64(5)), (u32(2), u64(0))]
    assert table.find(u32(3)) is None
    with pytest.raises(KernelError) as caught:
        table.update(u32(3), u64(5))
    assert caught.value.errno == 7
    table.clear()
    assert table.find(u32(1)) == u64(0)


@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY])
def test_values_by_cpu(machine: Any, kind: MapType) -> None:
    table = machine.create_map(Map("m", kind, 4, 8, 4))
    values = [u64(10 + cpu) for cpu in range(machine.cpus)]
    table.update(u32(1), b"".join(values))
    assert table.find_percpu(u32(1)) == values
    assert (u32(1), values) in list(table.items_percpu())


def test_programs_and_memory_they_share(machine: Any) -> None:
    table = machine.create_map(Map("m", MapType.ARRAY, 4, 24, 1, MapFlag.MMAPABLE))
    view = table.view()
    view[8:16] = u64(41)
    program = _load(machine, "r1 = map[m][0]+8\nr2 = 1\nlock *(u64 *)(r1 + 0) += r2\nr0 = 7\nexit", m=table)
    assert program.test_run() == 7
    assert bytes(view[8:16]) == u64(42)
    assert table.find(u32(0)) == u64(0) + u64(42) + u64(0)


def test_programs_count_in_a_hash(machine: Any) -> None:
    table = machine.create_map(Map("m", MapType.HASH, 4, 8, 4))
    text = """
        *(u32 *)(r10 - 4) = 6
        *(u64 *)(r10 - 16) = 1
        r1 = map[m]
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto add
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
        r0 = 0
        exit
    add:
        r1 = map[m]
        r2 = r10
        r2 += -4
        r3 = r10
        r3 += -16
        r4 = 0
        call bpf_map_update_elem
        r0 = 1
        exit
    """
    program = _load(machine, text, m=table)
    assert [program.test_run() for _ in range(23)] == [1, *[0] * 22]
    assert table.find(u32(6)) == u64(23)


RECORD = """
    r1 = map[ring]
    r2 = {size}
    r3 = 0
    call bpf_ringbuf_reserve
    if r0 == 0 goto full
    *(u32 *)(r0 + 0) = {id}
    *(u32 *)(r0 + 4) = 7
    r1 = r0
    r2 = 0
    call {end}
    r0 = 0
    exit
full:
    r0 = 1
    exit
"""


def test_rings(machine: Any) -> None:
    ring = machine.create_map(Map("ring", MapType.RINGBUF, 0, 0, 4096))
    submit, discard = (
        _load(machine, RECORD.format(size=8, id=5, end=f"bpf_ringbuf_{end}"), ring=ring)
        for end in ("submit", "discard")
    )
    other = _load(machine, RECORD.format(size=16, id=6, end="bpf_ringbuf_submit"), ring=ring)
    reader = machine.open_ring(ring)
    for program in (submit, submit, discard, submit, other):
        assert program.test_run() == 0
    assert machine.wait([reader], 0.5)
    assert reader.producer() == 4 * 16 + 24
    runs = reader.read_runs()
    assert [(stride, count) for stride, count, _ in runs] == [(16, 2), (16, 1), (24, 1)]
    assert all(bytes(view)[8:16] == u32(5) + u32(7) for _, _, view in runs[:2])
    assert reader.position() == reader.producer()
    reader.release()
    assert reader.read() == []
    sent = sum(submit.test_run() == 0 for _ in range(300))
    assert sent == 4095 // 16
    assert len(reader.read()) == sent
