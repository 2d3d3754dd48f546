"""Maps: what programs see by helpers and tests by handles, against what the kernel's do."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import KernelError, UsageError
from probee.isa.asm import assemble
from probee.spec.abi import MapType, UpdateFlag
from probee.spec.bundle import Map
from probee.vm.machine import Vm
from probee.vm.maps import LpmTrie, ProgArray, QueueMap
from probee.vm.world import World

from .machines import ENGINES, make_map, run, u32, u64

COUNT = """
    *(u32 *)(r10 - 4) = 1
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
    exit
"""


@pytest.mark.parametrize("interpret", ENGINES)
@pytest.mark.parametrize("kind", [MapType.HASH, MapType.ARRAY, MapType.LRU_HASH])
def test_a_program_counts(kind: MapType, interpret: bool) -> None:
    vm = Vm(interpret=interpret)
    table = make_map(vm, kind)
    for _ in range(23):
        assert run(vm, COUNT, m=table) == 0
    assert table.find(u32(1)) == u64(23)


@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH])
def test_every_cpu_counts_for_itself(kind: MapType) -> None:
    vm = Vm(World(cpus=3))
    table = make_map(vm, kind)
    for cpu in (0, 2, 2):
        vm.world.cpu = cpu
        run(vm, COUNT, m=table)
    assert table.find_percpu(u32(1)) == [u64(1), u64(0), u64(2)]
    assert table.find(u32(1)) == u64(1) + u64(0) + u64(2)


def test_a_full_hash_refuses_and_an_lru_drops_the_oldest() -> None:
    vm = Vm()
    plain, lru = make_map(vm, MapType.HASH, entries=2), make_map(vm, MapType.LRU_HASH, entries=2)
    for table in (plain, lru):
        for key in (1, 2):
            table.update(u32(key), u64(key))
    with pytest.raises(KernelError) as caught:
        plain.update(u32(3), u64(3))
    assert caught.value.errno == errno.E2BIG
    assert lru.lookup(u32(1))  # a program's look-up makes it the youngest
    lru.update(u32(3), u64(3))
    assert dict(lru.items()) == {u32(1): u64(1), u32(3): u64(3)}


@pytest.mark.parametrize(
    ("kind", "key", "flags", "code"),
    [
        (MapType.HASH, 1, UpdateFlag.NOEXIST, errno.EEXIST),
        (MapType.HASH, 2, UpdateFlag.EXIST, errno.ENOENT),
        (MapType.HASH, 1, 7, errno.EINVAL),
        (MapType.ARRAY, 1, UpdateFlag.NOEXIST, errno.EEXIST),
        (MapType.ARRAY, 4, UpdateFlag.ANY, errno.E2BIG),
    ],
)
def test_updates_are_refused_as_the_kernel_does(kind: MapType, key: int, flags: int, code: int) -> None:
    table = make_map(Vm(), kind)
    table.update(u32(1), u64(1))
    with pytest.raises(KernelError) as caught:
        table.update(u32(key), u64(1), flags)
    assert caught.value.errno == code


def test_deleting_and_clearing() -> None:
    vm = Vm()
    table, array = make_map(vm, MapType.HASH), make_map(vm, MapType.ARRAY)
    table.update(u32(1), u64(1))
    assert table.delete(u32(1))
    assert not table.delete(u32(1))
    array.update(u32(1), u64(1))
    array.clear()
    assert array.find(u32(1)) == u64(0)
    with pytest.raises(KernelError):
        array.delete(u32(1))


def test_a_deleted_value_can_be_used_until_the_run_ends() -> None:
    text = """
        *(u32 *)(r10 - 4) = 1
        r1 = map[m]
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        r6 = r0
        r1 = map[m]
        r2 = r10
        r2 += -4
        call bpf_map_delete_elem
        r0 = *(u64 *)(r6 + 0)
        exit
    """
    vm = Vm()
    table = make_map(vm, MapType.HASH)
    table.update(u32(1), u64(77))
    before = len(vm.memory.buffers)
    assert run(vm, text, m=table) == 77
    assert len(vm.memory.buffers) == before  # the value went, a stack frame came


def test_sizes_are_checked() -> None:
    table = make_map(Vm(), MapType.HASH)
    with pytest.raises(UsageError, match="expected a key of 4 bytes, got 3"):
        table.find(b"abc")
    with pytest.raises(UsageError, match="expected a value of 8 bytes, got 1"):
        table.update(u32(1), b"a")
    with pytest.raises(KernelError, match="map m: create: Invalid argument"):
        make_map(Vm(), MapType.ARRAY, key=8)


def test_direct_values_and_views_are_one_memory() -> None:
    vm = Vm()
    table = make_map(vm, MapType.ARRAY, value=24, entries=1)
    assert run(vm, "r1 = map[m][0]+16\n*(u64 *)(r1 + 0) = 5\nr0 = 0\nexit", m=table) == 0
    view = table.view()
    assert view[16] == 5
    view[16] = 6
    assert run(vm, "r1 = map[m][0]+16\nr0 = *(u64 *)(r1 + 0)\nexit", m=table) == 6
    with pytest.raises(KernelError):
        run(vm, "r1 = map[m][0]+24\nexit", m=table)


@pytest.mark.parametrize(("kind", "order"), [(MapType.QUEUE, (1, 2, 3)), (MapType.STACK, (3, 2, 1))])
def test_queues_and_stacks(kind: MapType, order: tuple[int, ...]) -> None:
    push = "*(u64 *)(r10 - 8) = r1\nr1 = map[m]\nr2 = r10\nr2 += -8\nr3 = 0\ncall bpf_map_push_elem\nexit"
    pop = "r1 = map[m]\nr2 = r10\nr2 += -8\ncall bpf_map_pop_elem\nr0 = *(u64 *)(r10 - 8)\nexit"
    vm = Vm()
    table = make_map(vm, kind, key=0, entries=3)
    assert isinstance(table, QueueMap)
    for number in (1, 2, 3):
        assert run(vm, push, number, m=table) == 0
    assert run(vm, push, 4, m=table) == u64_of(-errno.E2BIG)
    assert table.find(b"") == u64(order[0])
    assert tuple(run(vm, pop, m=table) for _ in range(3)) == order
    assert table.pop() is None


def u64_of(number: int) -> int:
    return number & (1 << 64) - 1


def _key(bits: int, address: str) -> bytes:
    return u32(bits) + bytes(int(part) for part in address.split("."))


def test_longest_prefix() -> None:
    trie = make_map(Vm(), MapType.LPM_TRIE, key=8)
    for number, (bits, address) in enumerate(
        ((8, "10.0.0.0"), (16, "10.1.0.0"), (32, "10.1.2.3"), (0, "0.0.0.0"))
    ):
        trie.update(_key(bits, address), u64(number))
    found = [trie.find(_key(32, a)) for a in ("10.9.9.9", "10.1.9.9", "10.1.2.3", "11.0.0.1")]
    assert found == [u64(0), u64(1), u64(2), u64(3)]
    assert trie.find(_key(12, "10.1.0.0")) == u64(0)
    with pytest.raises(KernelError):
        trie.update(_key(33, "1.2.3.4"), u64(0))


@given(
    st.lists(st.tuples(st.integers(0, 16), st.integers(0, 0xFFFF)), max_size=12),
    st.integers(0, 0xFFFF),
)
def test_longest_prefix_is_what_a_search_finds(prefixes: list[tuple[int, int]], address: int) -> None:
    trie = make_map(Vm(), MapType.LPM_TRIE, key=6, entries=64)
    assert isinstance(trie, LpmTrie)
    for bits, prefix in prefixes:
        trie.update(u32(bits) + prefix.to_bytes(2, "big"), u64(bits))
    fitting = [bits for bits, prefix in prefixes if prefix >> (16 - bits) == address >> (16 - bits)]
    expected = u64(max(fitting)) if fitting else None
    assert trie.find(u32(16) + address.to_bytes(2, "big")) == expected


def test_tail_calls() -> None:
    vm = Vm()
    table = make_map(vm, MapType.PROG_ARRAY, value=4)
    assert isinstance(table, ProgArray)
    text = "r6 = r1\nr2 = map[m]\nr3 = 1\ncall bpf_tail_call\nr0 = 7\nexit"
    assert run(vm, text, 5, m=table) == 7
    table.set_program(1, vm.load_insns(assemble("r0 = r1\nr0 += 100\nexit")))
    assert run(vm, text, 5, m=table) == 105


@pytest.mark.parametrize("interpret", ENGINES)
def test_tail_calls_end(interpret: bool) -> None:
    vm = Vm(interpret=interpret)
    table, counter = (
        make_map(vm, MapType.PROG_ARRAY, value=4),
        make_map(vm, MapType.ARRAY, entries=1, name="n"),
    )
    assert isinstance(table, ProgArray)
    text = """
        r6 = map[fd:2][0]
        r7 = *(u64 *)(r6 + 0)
        r7 += 1
        *(u64 *)(r6 + 0) = r7
        r2 = map[fd:1]
        r3 = 0
        call bpf_tail_call
        r0 = 0
        exit
    """
    program = vm.load_insns(assemble(text), {1: table, 2: counter})
    table.set_program(0, program)
    assert program.run(1) == 0
    assert counter.find(u32(0)) == u64(34)  # the first run and 33 tail calls


def test_for_each() -> None:
    text = """
        *(u64 *)(r10 - 8) = 0
        r1 = map[m]
        r2 = subprog[add]
        r3 = r10
        r3 += -8
        r4 = 0
        call bpf_for_each_map_elem
        r1 = *(u64 *)(r10 - 8)
        r0 <<= 32
        r0 |= r1
        exit
    add:
        r2 = *(u32 *)(r2 + 0)
        r3 = *(u64 *)(r3 + 0)
        r3 *= r2
        lock *(u64 *)(r4 + 0) += r3
        r0 = 0
        exit
    """
    vm = Vm()
    table = make_map(vm, MapType.HASH)
    for key, value in ((2, 10), (3, 100)):
        table.update(u32(key), u64(value))
    assert run(vm, text, m=table) == 2 << 32 | 320


def test_maps_that_are_not_there() -> None:
    with pytest.raises(KernelError, match="create"):
        Vm().create_map(Map("r", MapType.RINGBUF, 0, 0, 4097))
