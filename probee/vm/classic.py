"""Classic filters on the machine: the decode loop that is their definition.

Linux's semantics; `pcap` gives those of libpcap's `bpf_filter`, where a shift by X of 32 or more
gives 0, there are no ancillary loads and no negative offsets.
"""

from __future__ import annotations

from ..base.bits import signed
from ..base.record import record
from ..isa.cbpf.check import check_filter, check_seccomp
from ..isa.cbpf.insn import (
    ABSOLUTE,
    INDIRECT,
    JUMPS,
    LL_OFFSET,
    NET_OFFSET,
    Ancillary,
    Op,
    Sock,
    find_ancillary,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_W = 0xFFFFFFFF


@record
class About:
    """What ancillary loads tell of a packet beside its bytes; offsets are into the packet's bytes."""

    protocol: int = 0
    pkttype: int = 0
    ifindex: int = 0
    mark: int = 0
    queue: int = 0
    hatype: int = 0
    rxhash: int = 0
    cpu: int = 0
    vlan_tci: int = 0
    vlan_present: int = 0
    vlan_tpid: int = 0
    payload: int = 0
    random: int = 0
    network: int = 0
    link: int = 0


_ALU: dict[int, Callable[[int, int], int]] = {
    Op.ADD_K: lambda a, b: a + b,
    Op.SUB_K: lambda a, b: a - b,
    Op.MUL_K: lambda a, b: a * b,
    Op.DIV_K: lambda a, b: a // b,
    Op.MOD_K: lambda a, b: a % b,
    Op.AND_K: lambda a, b: a & b,
    Op.OR_K: lambda a, b: a | b,
    Op.XOR_K: lambda a, b: a ^ b,
    Op.LSH_K: lambda a, b: a << (b & 31),
    Op.RSH_K: lambda a, b: a >> (b & 31),
}
_JUMP: dict[int, Callable[[int, int], bool]] = {
    Op.JEQ_K: lambda a, b: a == b,
    Op.JGT_K: lambda a, b: a > b,
    Op.JGE_K: lambda a, b: a >= b,
    Op.JSET_K: lambda a, b: a & b != 0,
}
_FIELDS = {
    Ancillary.PROTOCOL: "protocol",
    Ancillary.PKTTYPE: "pkttype",
    Ancillary.IFINDEX: "ifindex",
    Ancillary.MARK: "mark",
    Ancillary.QUEUE: "queue",
    Ancillary.HATYPE: "hatype",
    Ancillary.RXHASH: "rxhash",
    Ancillary.CPU: "cpu",
    Ancillary.VLAN_TAG: "vlan_tci",
    Ancillary.VLAN_TAG_PRESENT: "vlan_present",
    Ancillary.PAY_OFFSET: "payload",
    Ancillary.RANDOM: "random",
    Ancillary.VLAN_TPID: "vlan_tpid",
}


class _OutOfBounds(Exception):
    """A load outside the packet: the filter returns 0."""


class _Run:
    def __init__(self, packet: bytes, length: int, about: About, pcap: bool, seccomp: bool) -> None:
        self.packet = packet
        self.length = length
        self.about = about
        self.pcap = pcap
        self.seccomp = seccomp
        self.a = self.x = 0
        self.cells = [0] * 16

    def run(self, insns: Sequence[Sock]) -> int:
        at = 0
        while True:
            insn = insns[at]
            at += 1
            code = insn.code
            operand = self.x if code & 8 else insn.k
            if code in JUMPS:
                at += insn.jt if _JUMP[code & ~8](self.a, operand) else insn.jf
            elif code == Op.JA:
                at += insn.k
            elif code == Op.RET_K:
                return insn.k
            elif code == Op.RET_A:
                return self.a
            elif code & 7 == 4:
                self.a = self.arithmetic(code, operand) & _W
            else:
                self.move(insn)

    def arithmetic(self, code: int, operand: int) -> int:
        if code == Op.NEG:
            return -self.a
        if code in (Op.DIV_X, Op.MOD_X) and operand == 0:
            raise _OutOfBounds
        if self.pcap and code in (Op.LSH_X, Op.RSH_X) and operand >= 32:
            return 0
        return _ALU[code & ~8](self.a, operand)

    def move(self, insn: Sock) -> None:
        code, k = insn.code, insn.k
        if code in ABSOLUTE:
            self.a = self.load_absolute(insn, ABSOLUTE[Op(code)])
        elif code in INDIRECT:
            if self.pcap and self.x + k > len(self.packet):
                raise _OutOfBounds  # libpcap looks at the sum before it wraps
            self.a = self.load((self.x + k) & _W, INDIRECT[Op(code)])
        elif code == Op.LDX_MSH:
            self.x = 4 * (self.load(k, 1) & 15)
        elif code in (Op.LD_IMM, Op.LD_LEN, Op.LD_MEM, Op.TXA):
            self.a = {Op.LD_IMM: k, Op.LD_LEN: self.length, Op.TXA: self.x}.get(Op(code), self.cells[k & 15])
        elif code in (Op.LDX_IMM, Op.LDX_LEN, Op.LDX_MEM, Op.TAX):
            self.x = {Op.LDX_IMM: k, Op.LDX_LEN: self.length, Op.TAX: self.a}.get(
                Op(code), self.cells[k & 15]
            )
        else:
            self.cells[k] = self.a if code == Op.ST else self.x

    def load_absolute(self, insn: Sock, size: int) -> int:
        ancillary = find_ancillary(insn)
        if ancillary is None or self.pcap:
            return self.load(insn.k, size)
        if ancillary == Ancillary.ALU_XOR_X:
            return self.a ^ self.x
        if ancillary == Ancillary.IFINDEX and not self.about.ifindex:
            raise _OutOfBounds  # no device
        if ancillary in (Ancillary.NLATTR, Ancillary.NLATTR_NEST):
            return self.find_attribute(nested=ancillary == Ancillary.NLATTR_NEST)
        value: int = getattr(self.about, _FIELDS[Ancillary(ancillary)])
        return value & _W

    def find_attribute(self, *, nested: bool) -> int:
        """The offset of the netlink attribute of type X, in those at A or inside the one at A; or 0."""
        start, end = self.a, len(self.packet)
        if start > end - 4:
            return 0
        if nested:
            length = int.from_bytes(self.packet[start : start + 2], "little")
            if length > end - start:
                return 0
            start, end = start + 4, start + length
        while start + 4 <= end:
            length = int.from_bytes(self.packet[start : start + 2], "little")
            kind = int.from_bytes(self.packet[start + 2 : start + 4], "little") & 0x3FFF
            if length < 4 or start + length > end:
                return 0
            if kind == self.x:
                return start
            start += (length + 3) & ~3
        return 0

    def load(self, offset: int, size: int) -> int:
        if self.seccomp:
            return int.from_bytes(self.packet[offset : offset + size], "little")
        if offset >> 31 and not self.pcap:
            offset = self.relative(signed(offset, 32))
        if offset < 0 or offset + size > len(self.packet):
            raise _OutOfBounds
        return int.from_bytes(self.packet[offset : offset + size], "big")

    def relative(self, offset: int) -> int:
        """The offset in the packet of a load relative to one of its headers."""
        if offset >= NET_OFFSET:
            return offset - NET_OFFSET + self.about.network
        if offset >= LL_OFFSET:
            return offset - LL_OFFSET + self.about.link
        raise _OutOfBounds


def run_filter(
    insns: Sequence[Sock],
    packet: bytes,
    *,
    length: int | None = None,
    about: About | None = None,
    pcap: bool = False,
) -> int:
    """The verdict of a filter: how many bytes of the packet to keep, 0 for none.

    `length` is the packet's length on the wire where `packet` was cut. FormatError for filters the
    kernel refuses.
    """
    check_filter(insns)
    wire = len(packet) if length is None else length
    try:
        return _Run(packet, wire, about or About(), pcap, False).run(insns)
    except _OutOfBounds:
        return 0


def run_seccomp(insns: Sequence[Sock], data: bytes) -> int:
    """What a seccomp filter returns for a struct seccomp_data of 64 bytes."""
    check_seccomp(insns)
    try:
        return _Run(data, 64, About(), False, True).run(insns)
    except _OutOfBounds:
        return 0  # divided by 0
