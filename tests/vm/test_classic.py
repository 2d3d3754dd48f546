"""Classic filters: the decode loop against their conversion on both engines."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isa.cbpf.filters import PACKETS, filters
from probee.base.errors import FormatError
from probee.isa.cbpf.asm import parse_asm
from probee.isa.cbpf.convert import convert_filter
from probee.isa.cbpf.insn import Ancillary, Op, Sock
from probee.vm.classic import About, run_filter, run_seccomp
from probee.vm.machine import Vm
from probee.vm.program import socket_context

from .machines import ENGINES

ABOUT = About(
    protocol=0x0800, pkttype=3, ifindex=2, mark=0x12345678, queue=4, rxhash=0xCAFEBABE, cpu=1,
    vlan_tci=0x0123, vlan_present=1, vlan_tpid=0x8100, network=14,
)  # fmt: skip
LOADABLE = [
    n
    for n in Ancillary
    if n
    not in (Ancillary.NLATTR, Ancillary.NLATTR_NEST, Ancillary.PAY_OFFSET, Ancillary.HATYPE, Ancillary.RANDOM)
]


def _swapped(number: int) -> int:
    return number >> 8 | (number & 0xFF) << 8


def _converted(
    insns: list[Sock], packet: bytes, level: int, *, interpret: bool = False, pcap: bool = False
) -> int:
    vm = Vm(interpret=interpret)
    vm.world.cpu, vm.network = ABOUT.cpu, ABOUT.network
    fields = {
        4: ABOUT.pkttype, 8: ABOUT.mark, 12: ABOUT.queue, 16: _swapped(ABOUT.protocol),
        20: ABOUT.vlan_present, 24: ABOUT.vlan_tci, 28: _swapped(ABOUT.vlan_tpid),
        40: ABOUT.ifindex, 68: ABOUT.rxhash,
    }  # fmt: skip
    program = vm.load_insns(convert_filter(insns, level=level, pcap=pcap).insns)
    return program.run_context(socket_context(packet, fields), packet) & 0xFFFFFFFF


@given(filters(LOADABLE, headers=True), PACKETS, st.integers(1, 4), st.sampled_from(ENGINES))
def test_conversions_give_the_same_verdict(
    insns: list[Sock], packet: bytes, level: int, interpret: bool
) -> None:
    expected = run_filter(insns, packet, about=ABOUT)
    assert _converted(insns, packet, level, interpret=interpret) == expected


@given(filters(), PACKETS)
def test_with_libpcaps_shifts_too(insns: list[Sock], packet: bytes) -> None:
    assert _converted(insns, packet, 3, pcap=True) == run_filter(insns, packet, pcap=True)


def test_the_two_kinds_of_shift() -> None:
    insns = parse_asm("ld #5\nldx #33\nlsh x\nret a")
    assert run_filter(insns, b"") == 10
    assert run_filter(insns, b"", pcap=True) == 0


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("ld [0]\nret a", 0x00010203),
        ("ldh [6]\nret a", 0x0607),
        ("ldb [7]\nret a", 7),
        ("ldb [8]\nret #1", 0),
        ("ldx #2\nldh [x + 1]\nret a", 0x0304),
        ("ldx #2\nld [x + 3]\nret #1", 0),
        ("ldxb 4*([5]&0xf)\ntxa\nret a", 20),
        ("ld len\nret a", 8),
        ("ld #7\nldx #0\ndiv x\nret #1", 0),
        ("ld #0\nneg\nret a", 0),
        ("ld #1\nsub #2\nret a", 0xFFFFFFFF),
        ("ld [-1048576]\nret a", 0x02030405),
        ("ld [-2097151]\nret a", 0x01020304),
        ("ld vlan_tpid\nret a", 0x8100),
        ("ld #6\nldx #3\nld xor_x\nret a", 5),
    ],
)
def test_by_hand(text: str, verdict: int) -> None:
    about = About(network=2, vlan_tpid=0x8100)
    assert run_filter(parse_asm(text), bytes(range(8)), about=about) == verdict


def test_netlink_attributes() -> None:
    inner = struct.pack("<HHI", 8, 7, 0xAAAA)
    packet = b"\0" * 4 + struct.pack("<HHI", 8, 1, 0) + struct.pack("<HH", 4 + len(inner), 5) + inner
    find = "ld #{}\nldx #{}\nld {}\nret a"
    assert run_filter(parse_asm(find.format(4, 5, "nla")), packet) == 12
    assert run_filter(parse_asm(find.format(4, 9, "nla")), packet) == 0
    assert run_filter(parse_asm(find.format(12, 7, "nlan")), packet) == 16
    assert run_filter(parse_asm(find.format(100, 7, "nlan")), packet) == 0


def test_seccomp_data_is_in_the_machines_byte_order() -> None:
    data = struct.pack("<IIQ6Q", 59, 0xC000003E, 0, 1, 2, 3, 4, 5, 6)
    assert run_seccomp(parse_asm("ld [0]\nret a"), data) == 59
    assert run_seccomp(parse_asm("ld [24]\nret a"), data) == 2
    program = Vm().load_insns(convert_filter(parse_asm("ld [24]\nret a"), seccomp=True).insns)
    assert program.run_context(data) == 2


def test_a_device_that_is_missing() -> None:
    assert run_filter(parse_asm("ld ifidx\nret #1"), b"") == 0


def test_filters_are_checked() -> None:
    with pytest.raises(FormatError):
        run_filter([Sock(Op.LD_IMM)], b"")


def test_an_indirect_load_that_wraps_is_out_of_bounds_to_libpcap_only() -> None:
    insns = [Sock(Op.LDX_IMM, 0, 0, 0xFFFFFFD8), Sock(Op.LD_H_IND, 0, 0, 40), Sock(Op.RET_K, 0, 0, 1)]
    assert run_filter(insns, bytes(2)) == 1
    assert run_filter(insns, bytes(2), pcap=True) == 0
