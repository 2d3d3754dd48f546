"""What the VM does and what the kernel does when both are asked to run a program once (`test_run`)."""

from __future__ import annotations

import errno
import random
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import KernelError
from probee.isa import ebpf
from probee.isa.asm import assemble
from probee.isa.ebpf import Alu, Insn, encode, exit_
from probee.kernel.machine import Kernel
from probee.spec.abi import MapType, ProgType
from probee.spec.bundle import Map, Program, Relocation
from probee.vm.machine import Vm

from .machines import u32, u64

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

PACKETS = (ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT, ProgType.CGROUP_SKB, ProgType.XDP)
"""Programs that are run on a packet, which has an Ethernet header."""

TYPES = (*PACKETS, ProgType.RAW_TRACEPOINT)
NOT_RUN = (ProgType.KPROBE, ProgType.TRACEPOINT, ProgType.PERF_EVENT)
PACKET = bytes(range(0x40, 0x40 + 60))
CONTEXT = b"".join(u64(0x1111 * word) for word in range(12))


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with Kernel() as made:
        yield made


def _arguments(kind: ProgType) -> dict[str, bytes]:
    return {"data": PACKET} if kind in PACKETS else {"context": CONTEXT}


def _both(kernel: Kernel, kind: ProgType, insns: list[Insn]) -> tuple[int, int]:
    spec = Program("opinion", kind, encode(insns))
    arguments = _arguments(kind)
    return kernel.load(spec, {}).test_run(**arguments), Vm().load(spec, {}).test_run(**arguments)


def _arithmetic(chance: random.Random, kind: ProgType) -> list[Insn]:
    """Registers set and reckoned with at random, jumps forward, a number of the context in between."""
    insns = [ebpf.lddw(register, chance.getrandbits(64)) for register in range(10) if register != 1]
    insns.append(ebpf.mov_imm(1, chance.randrange(-(1 << 31), 1 << 31)))
    for _ in range(chance.randrange(1, 40)):
        op, wide = chance.choice(_OPERATIONS), chance.random() < 0.5
        dst, src = chance.randrange(10), chance.randrange(10)
        if chance.random() < 0.2:
            insns += [ebpf.jump_imm(0x10, dst, chance.randrange(-9, 9), 1, wide), ebpf.mov_reg(dst, src)]
        elif op in _EXTENDING:
            insns.append(ebpf.alu_reg(op, dst, src))
        elif op in _SHIFTS or chance.random() < 0.5:
            low, high = (1, 32) if op in (*_SHIFTS, *_DIVISIONS) else (-99, 99)
            insns.append(ebpf.alu_imm(op, dst, chance.randrange(low, high), wide=wide))
        else:
            insns.append(ebpf.alu_reg(op, dst, src, wide=wide))
    if kind == ProgType.CGROUP_SKB:
        insns.append(ebpf.alu_imm(Alu.AND, 0, 1))  # all that the verifier lets such a program return
    return [*insns, exit_()]


_SHIFTS = (Alu.LSH, Alu.RSH, Alu.ARSH)
_DIVISIONS = (Alu.DIV, Alu.MOD, Alu.SDIV, Alu.SMOD)
_EXTENDING = (Alu.MOVSX8, Alu.MOVSX16, Alu.MOVSX32)
_OPERATIONS = [op for op in Alu if op != Alu.NEG]


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_arithmetic(kernel: Kernel, kind: ProgType) -> None:
    chance = random.Random(23)
    for _ in range(30):
        ours, theirs = _both(kernel, kind, _arithmetic(chance, kind))
        assert ours == theirs


LOADS = "r6 = r1\nr0 = *(u{bits} *)skb[{at}]\nexit"


@pytest.mark.parametrize("kind", [ProgType.SOCKET_FILTER, ProgType.SCHED_CLS, ProgType.SCHED_ACT])
@pytest.mark.parametrize(("bits", "at"), [(8, 0), (16, 12), (32, 30), (32, 60), (8, 45), (8, 46)])
def test_loads_from_the_packet(kernel: Kernel, kind: ProgType, bits: int, at: int) -> None:
    theirs, ours = _both(kernel, kind, assemble(LOADS.format(bits=bits, at=at)))
    assert theirs == ours


@pytest.mark.parametrize(
    "kind", [kind for kind in PACKETS if kind != ProgType.XDP], ids=lambda kind: kind.name
)
def test_the_length_of_the_packet(kernel: Kernel, kind: ProgType) -> None:
    text = "r0 = *(u32 *)(r1 + 0)\n" + ("r0 &= 1\n" if kind == ProgType.CGROUP_SKB else "") + "exit"
    theirs, ours = _both(kernel, kind, assemble(text))
    assert theirs == ours


def test_the_context(kernel: Kernel) -> None:
    for word in range(12):
        theirs, ours = _both(
            kernel, ProgType.RAW_TRACEPOINT, assemble(f"r0 = *(u64 *)(r1 + {8 * word})\nexit")
        )
        assert theirs == ours == 0x1111 * word


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_maps_are_changed(kernel: Kernel, kind: ProgType) -> None:
    text = """
        r1 = map[fd:0][0]+8
        r2 = 3
        lock *(u64 *)(r1 + 0) += r2
        r0 = 0
        exit
    """
    spec = Program("opinion", kind, encode(assemble(text)), (Relocation(0, "m", 8),))
    for machine in (kernel, Vm()):
        table = machine.create_map(Map("m", MapType.ARRAY, 4, 16, 1))
        program = machine.load(spec, {"m": table})  # type: ignore[dict-item]
        for _ in range(23):
            program.test_run(**_arguments(kind))
        assert table.find(u32(0)) == u64(0) + u64(69)


@pytest.mark.parametrize("kind", NOT_RUN, ids=lambda kind: kind.name)
def test_the_kernel_runs_no_others(kernel: Kernel, kind: ProgType) -> None:
    program = kernel.load(Program("opinion", kind, encode(assemble("r0 = 5\nexit"))), {})
    with pytest.raises(KernelError) as caught:
        program.test_run(**_arguments(kind))
    assert caught.value.errno == errno.EOPNOTSUPP
