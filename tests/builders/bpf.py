"""Small BPF programs and maps, put together by hand, for tests of what loads and attaches them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from probee.isa import ebpf
from probee.isa.ebpf import Alu, Atomic, Size
from probee.spec.abi import AttachType, MapFlag, MapType, ProgType
from probee.spec.bundle import LineInfo, Map, Program, Relocation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from probee.isa.ebpf import Insn

FP = 10
RINGBUF_OUTPUT = 130
RINGBUF_RESERVE = 131
RINGBUF_DISCARD = 133
MAP_UPDATE_ELEM = 2
COUNTERS = Map("counters", MapType.ARRAY, 4, 64, 1, MapFlag.MMAPABLE)


def ring_map(size: int) -> Map:
    return Map("ring", MapType.RINGBUF, 0, 0, size)


def make_program(
    insns: Iterable[Insn],
    kind: ProgType = ProgType.RAW_TRACEPOINT,
    *,
    maps: Sequence[str] = (),
    offset: int | None = None,
    expected_attach: AttachType = AttachType.NONE,
    lines: tuple[LineInfo, ...] = (),
) -> Program:
    """A program whose wide loads name `maps`, one after another; `offset`: as an address in their value."""
    code = list(insns)
    relocations, slot, named = [], 0, iter(maps)
    for insn in code:
        wide = insn.code == ebpf.LDDW
        name = next(named, None) if wide else None
        if name is not None:
            relocations.append(Relocation(slot, name, offset))
        slot += 2 if wide else 1
    return Program(
        "test",
        kind,
        ebpf.encode(code, little=sys.byteorder == "little"),
        tuple(relocations),
        lines,
        expected_attach=expected_attach,
    )


def counting(kind: ProgType, expected_attach: AttachType = AttachType.NONE) -> Program:
    """Adds 1 to the u64 at the start of the map `counters`."""
    return make_program(
        (
            ebpf.lddw(1, 0),
            ebpf.mov_imm(2, 1),
            ebpf.atomic(Atomic.ADD, Size.DW, 1, 0, 2),
            ebpf.mov_imm(0, 0),
            ebpf.exit_(),
        ),
        kind,
        maps=("counters",),
        offset=0,
        expected_attach=expected_attach,
    )


def send(event: int, size: int, value: int = 0) -> list[Insn]:
    """Send a record of `size` bytes (8 to 16, by steps of 4): u32 event id, u32 0, then `value`."""
    return [
        ebpf.store_imm(Size.DW, FP, -16, event),
        ebpf.store_imm(Size.DW, FP, -8, value),
        ebpf.lddw(1, 0),
        ebpf.mov_reg(2, FP),
        ebpf.alu_imm(Alu.ADD, 2, -16),
        ebpf.mov_imm(3, size),
        ebpf.mov_imm(4, 0),
        ebpf.call(RINGBUF_OUTPUT),
    ]


def discard(size: int) -> list[Insn]:
    """Reserve a record of `size` bytes and think better of it."""
    return [
        ebpf.lddw(1, 0),
        ebpf.mov_imm(2, size),
        ebpf.mov_imm(3, 0),
        ebpf.call(RINGBUF_RESERVE),
        ebpf.jump_imm(ebpf.Jump.EQ, 0, 0, 3),
        ebpf.mov_reg(1, 0),
        ebpf.mov_imm(2, 0),
        ebpf.call(RINGBUF_DISCARD),
    ]


def sending(*parts: list[Insn]) -> Program:
    """A program that does `parts`, each of which names the map `ring` once."""
    body = [insn for part in parts for insn in part]
    return make_program([*body, ebpf.mov_imm(0, 0), ebpf.exit_()], maps=("ring",) * len(parts))
