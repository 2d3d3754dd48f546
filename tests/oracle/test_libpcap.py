"""Classic filters against libpcap: what it prints, and the verdicts of its interpreter."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given

from isa.cbpf.filters import PACKETS, filters
from probee.isa.cbpf.convert import convert_filter
from probee.isa.cbpf.insn import Op, Sock
from probee.isa.cbpf.text import parse_filter, render_listing
from probee.vm.classic import run_filter
from probee.vm.machine import Vm
from probee.vm.program import socket_context

from . import libpcap

pytestmark = pytest.mark.needs("libpcap")

EXPRESSIONS = (
    "ip",
    "ip6",
    "arp",
    "tcp port 80 and host 10.0.0.1",
    "udp and not port 53",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "ip[2:2] > 576",
    "icmp[icmptype] == icmp-echo or icmp6",
    "portrange 1-1023",
    "src net 192.168.0.0/16 and dst net 10.0.0.0/8",
    "ether host 00:11:22:33:44:55",
    "ether multicast",
    "vlan and ip",
    "greater 100",
    "less 60",
    "ip proto 47 or esp",
    "(tcp or udp) and (port 53 or port 443) and not src host 1.2.3.4",
    "ip[6] & 0x20 != 0",
    "len - 14 > 20 * 2",
    "ether[0] & 1 = 0 and ip[16] >= 224",
)


PORTS = (
    (6, (1234, 80)),
    (17, (53, 5353)),
    (17, (4000, 5000)),
    (6, (443, 60000)),
    (1, (0x0800, 0)),
    (47, (0, 0)),
)  # of protocol numbers


def _packets() -> list[bytes]:
    """Packets that go deep into filters, some cut short, and noise."""
    chance = random.Random(23)
    ether = bytes.fromhex("001122334455 66778899aabb".replace(" ", ""))
    packets = [b"", ether, bytes(range(60))]
    for protocol, ports in PORTS:
        for source, target in (("0a000001", "c0a80001"), ("c0a80102", "0a010203"), ("01020304", "e0000001")):
            length, fragment = chance.choice((60, 1000)), chance.choice((0, 0x2000, 5))
            header = struct.pack(">BBHHHBBH", 0x45, 0, length, 1, fragment, 64, protocol, 0)
            body = struct.pack(">HHIIBBHHH", *ports, 1, 2, 0x50, chance.choice((2, 1, 16)), 1024, 0, 0)
            packet = ether + b"\x08\x00" + header + bytes.fromhex(source + target) + body
            packets += [packet, packet[:37], packet + bytes(600), ether + b"\x81\x00\x00\x05" + packet[12:]]
    packets += [
        ether + b"\x86\xdd" + b"\x60\0\0\0\0\x14" + bytes([58, 64]) + bytes(40),
        ether + b"\x08\x06" + bytes(28),
    ]
    return packets + [chance.randbytes(chance.randint(0, 90)) for _ in range(30)]


PACKET_LIST = _packets()


def _converted(insns: list[Sock], packet: bytes) -> int:
    program = Vm().load_insns(convert_filter(insns, pcap=True).insns)
    return program.run_context(socket_context(packet), packet) & 0xFFFFFFFF


@pytest.mark.parametrize("optimise", [True, False], ids=["optimised", "plain"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_verdicts(expression: str, optimise: bool) -> None:
    insns = libpcap.compile_filter(expression, optimise=optimise)
    vm = Vm()
    program = vm.load_insns(convert_filter(insns, pcap=True).insns)
    kept = 0
    for packet in PACKET_LIST:
        expected = libpcap.run_filter(insns, packet)
        assert run_filter(insns, packet, pcap=True) == expected
        assert program.run_context(socket_context(packet), packet) & 0xFFFFFFFF == expected
        kept += expected != 0
    assert 0 < kept < len(PACKET_LIST) or expression == "ip6"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_listings(expression: str) -> None:
    insns = libpcap.compile_filter(expression)
    lines = [libpcap.render_sock(insn, index) for index, insn in enumerate(insns)]
    assert render_listing(insns).splitlines() == [line.rstrip() for line in lines]
    assert parse_filter("\n".join(lines).encode()) == insns


@given(filters(), PACKETS)
def test_generated_filters(insns: list[Sock], packet: bytes) -> None:
    expected = libpcap.run_filter(insns, packet)
    assert run_filter(insns, packet, pcap=True) == expected
    assert _converted(insns, packet) == expected


@given(filters())
def test_generated_listings(insns: list[Sock]) -> None:
    # libpcap runs `ldx #pktlen`, but its printer doesn't know it.
    for index, ours in enumerate(render_listing(insns).splitlines()):
        if insns[index].code != Op.LDX_LEN:
            assert ours == libpcap.render_sock(insns[index], index).rstrip()


def test_a_packet_that_was_cut() -> None:
    insns = libpcap.compile_filter("len > 1000")
    assert (
        run_filter(insns, bytes(60), length=1500, pcap=True) == libpcap.run_filter(insns, bytes(60), 1500) > 0
    )
