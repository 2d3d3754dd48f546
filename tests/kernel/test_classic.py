"""Classic filters in the kernel: its own conversion, and ours, against the VM."""

from __future__ import annotations

import random
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import KernelError, UsageError
from probee.isa.cbpf.asm import parse_asm
from probee.isa.cbpf.check import check_filter
from probee.isa.cbpf.convert import convert_filter
from probee.isa.cbpf.forms import FORMS
from probee.isa.cbpf.insn import Op, Sock, encode_filter
from probee.isa.ebpf import encode
from probee.kernel.machine import Kernel
from probee.kernel.sockets import attach_filter, attach_program, detach_filter
from probee.spec.abi import ProgType
from probee.spec.bundle import Program
from probee.vm.classic import run_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

FILTERS = {
    "all": "ret #65535",
    "none": "ret #0",
    "cut": "ret #4",
    "length": "ld len\nret a",
    "word": "ld [0]\njeq #0x00010203, yes, no\nyes: ret #7\nno: ret #1",
    "half": "ldh [4]\nand #0xff\nret a",
    "indirect": "ldx #3\nldb [x + 2]\nret a",
    "header length": "ldxb 4*([1]&0xf)\ntxa\nret a",
    "out of bounds": "ld [1000]\nret #9",
    "scratch": "ld #5\nst M[2]\nldx #9\nstx M[15]\nld M[15]\nldx M[2]\nsub x\nret a",
    "division": "ld #100\nldx #7\ndiv x\nret a",
    "division by 0": "ld #100\nldx #0\nmod x\nret #3",
    "shift by more": "ld #3\nldx #33\nlsh x\nret a",
    "large constant": "ld #0x80000001\njgt #0x80000000, yes, no\nyes: ret #6\nno: ret #2",
    "negative": "ld #0\nneg\nrsh #28\nret a",
    "set bits": "ldb [3]\njset #2, yes, no\nyes: ret #8\nno: ret #3",
    "xor": "ld #6\nldx #3\nld xor_x\nret a",
    "far": "ld #1\njeq #1, far, near\n" + "near: ret #1\n" + "ld #1\n" * 200 + "far: ret #12",
}
PACKET = bytes(range(48))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    right.settimeout(2)
    with left, right:
        yield left, right


def _received(pair: tuple[socket.socket, socket.socket], packet: bytes) -> int:
    """How much of a datagram came through: one that is dropped is followed by a marker without filter."""
    left, right = pair
    left.send(packet)
    right.setblocking(False)
    try:
        return len(right.recv(4096))
    except BlockingIOError:
        return 0


@pytest.mark.parametrize("text", FILTERS.values(), ids=FILTERS.keys())
def test_the_kernels_own_conversion(pair: tuple[socket.socket, socket.socket], text: str) -> None:
    insns = parse_asm(text)
    attach_filter(pair[1], encode_filter(insns))
    assert _received(pair, PACKET) == min(run_filter(insns, PACKET), len(PACKET))


@pytest.mark.kernel
@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("text", FILTERS.values(), ids=FILTERS.keys())
def test_our_conversion(pair: tuple[socket.socket, socket.socket], text: str, level: int) -> None:
    insns = parse_asm(text)
    spec = Program("filter", ProgType.SOCKET_FILTER, encode(convert_filter(insns, level=level).insns))
    with Kernel() as kernel:
        program = kernel.load(spec, {})
        attach_program(pair[1], program.fd.number)
        assert _received(pair, PACKET) == min(run_filter(insns, PACKET), len(PACKET))


def _random_filter(chance: random.Random) -> list[Sock]:
    """A legal filter of operations on A and X and short jumps; loads in and out of bounds."""
    body = [Sock(Op.LD_IMM, 0, 0, chance.getrandbits(32)), Sock(Op.LDX_IMM, 0, 0, chance.randrange(40))]
    body.append(Sock(Op.ST, 0, 0, 0))
    length = chance.randrange(1, 20)
    for index in range(length):
        code = chance.choice([c for c in FORMS if c not in (Op.LD_LEN, Op.LDX_LEN)])
        room = length - index
        k = chance.choice((0, 1, 31, chance.randrange(44), chance.getrandbits(32)))
        if code in (Op.LD_MEM, Op.LDX_MEM, Op.ST, Op.STX):
            k = 0
        if code == Op.JA:
            k = chance.randrange(room)
        if (code & 7 == 0 and code & 0xE0 in (0x20, 0x40)) or code == Op.LDX_MSH:
            k = chance.randrange(60)
        if code in (Op.LSH_K, Op.RSH_K):
            k &= 31
        if code in (Op.DIV_K, Op.MOD_K):
            k |= 1
        jumps = code & 7 == 5 and code != Op.JA
        body.append(Sock(code, chance.randrange(min(room, 9)) if jumps else 0, 0, k))
    body.append(Sock(Op.RET_A))
    check_filter(body)
    return body


@pytest.mark.kernel
def test_random_filters_three_ways(pair: tuple[socket.socket, socket.socket]) -> None:
    """The kernel's conversion, ours in the kernel, and the VM's decode loop give one verdict."""
    chance = random.Random(4711)
    kept = 0
    for _ in range(300):
        insns, packet = _random_filter(chance), chance.randbytes(chance.randrange(1, 48))
        expected = min(run_filter(insns, packet), len(packet))
        attach_filter(pair[1], encode_filter(insns))
        assert _received(pair, packet) == expected
        spec = Program("filter", ProgType.SOCKET_FILTER, encode(convert_filter(insns).insns))
        with Kernel() as kernel:
            attach_program(pair[1], kernel.load(spec, {}).fd.number)
            assert _received(pair, packet) == expected
        kept += expected > 0
    assert 30 < kept < 300


# The kernel's struct __sk_buff for a packet that test_run makes of bytes: what of it is known.
ANCILLARY = (
    "proto",
    "type",
    "mark",
    "queue",
    "rxhash",
    "vlan_tci",
    "vlan_avail",
    "vlan_tpid",
    "cpu",
    "rand",
    "ifidx",
)


@pytest.mark.kernel
@pytest.mark.parametrize("name", ANCILLARY)
def test_ancillary_loads_pass_the_verifier(name: str) -> None:
    code = encode(convert_filter(parse_asm(f"ld {name}\nldx #1\nret #5")).insns)
    with Kernel() as kernel:
        program = kernel.load(Program("ancillary", ProgType.SCHED_CLS, code), {})
        assert program.test_run(bytes(64)) == 5


@pytest.mark.kernel
def test_protocol_in_host_order() -> None:
    packet = bytes(12) + struct.pack(">H", 0x0800) + bytes(50)
    with Kernel() as kernel:
        code = encode(convert_filter(parse_asm("ld proto\nret a")).insns)
        assert kernel.load(Program("proto", ProgType.SCHED_CLS, code), {}).test_run(packet) == 0x0800


def test_what_the_kernel_refuses(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(KernelError, match="attach a classic filter to a socket: Invalid argument"):
        attach_filter(pair[1], encode_filter([Sock(Op.TAX)]))
    with pytest.raises(UsageError, match="expected a filter of 8 bytes an instruction, got 7 bytes"):
        attach_filter(pair[1], bytes(7))
    with pytest.raises(KernelError, match="detach a socket's filter: No such file or directory"):
        detach_filter(pair[1])


def test_detaching(pair: tuple[socket.socket, socket.socket]) -> None:
    attach_filter(pair[1], encode_filter(parse_asm("ret #0")))
    assert _received(pair, PACKET) == 0
    detach_filter(pair[1])
    assert _received(pair, PACKET) == len(PACKET)
