"""The 49 instructions of classic BPF and the ancillary loads: names and texts, said once.

`pcap` is how tcpdump -d writes the operand, `asm` how bpf_asm reads it. Holes: `{k}` unsigned,
`{s}` signed, `{x}` hexadecimal; the targets of jumps are written by `probee.isa.cbpf.text`.
"""

from __future__ import annotations

from ...base.record import record
from .insn import Ancillary, Op


@record
class Form:
    """One legal instruction. `seccomp` says that a seccomp filter may hold it."""

    code: Op
    name: str
    pcap: str
    asm: str
    meaning: str
    seccomp: bool = True


def _alu(op: str, name: str, pcap: str, sign: str, seccomp: bool = True) -> tuple[Form, Form]:
    return (
        Form(Op[f"{op}_K"], name, f"#{pcap}", "#{x}", f"A {sign} {{k}}", seccomp),
        Form(Op[f"{op}_X"], name, "x", "x", f"A {sign} X", seccomp),
    )


def _jump(op: str, name: str, sign: str) -> tuple[Form, Form]:
    return (
        Form(Op[f"{op}_K"], name, "#{x}", "#{x}", f"if (A {sign} {{x}})"),
        Form(Op[f"{op}_X"], name, "x", "x", f"if (A {sign} X)"),
    )


FORMS: dict[int, Form] = {
    form.code: form
    for form in (
        Form(Op.LD_W_ABS, "ld", "[{s}]", "[{s}]", "A = packet[{s}:4]"),
        Form(Op.LD_H_ABS, "ldh", "[{s}]", "[{s}]", "A = packet[{s}:2]", False),
        Form(Op.LD_B_ABS, "ldb", "[{s}]", "[{s}]", "A = packet[{s}:1]", False),
        Form(Op.LD_W_IND, "ld", "[x + {s}]", "[x + {s}]", "A = packet[X + {s}:4]", False),
        Form(Op.LD_H_IND, "ldh", "[x + {s}]", "[x + {s}]", "A = packet[X + {s}:2]", False),
        Form(Op.LD_B_IND, "ldb", "[x + {s}]", "[x + {s}]", "A = packet[X + {s}:1]", False),
        Form(Op.LD_IMM, "ld", "#{x}", "#{x}", "A = {k}"),
        Form(Op.LD_MEM, "ld", "M[{k}]", "M[{k}]", "A = M[{k}]"),
        Form(Op.LD_LEN, "ld", "#pktlen", "#len", "A = length of the packet"),
        Form(Op.LDX_IMM, "ldx", "#{x}", "#{x}", "X = {k}"),
        Form(Op.LDX_MEM, "ldx", "M[{k}]", "M[{k}]", "X = M[{k}]"),
        Form(Op.LDX_LEN, "ldx", "#pktlen", "#len", "X = length of the packet"),
        Form(Op.LDX_MSH, "ldxb", "4*([{s}]&0xf)", "4*([{s}]&0xf)", "X = 4 * (packet[{s}:1] & 15)", False),
        Form(Op.ST, "st", "M[{k}]", "M[{k}]", "M[{k}] = A"),
        Form(Op.STX, "stx", "M[{k}]", "M[{k}]", "M[{k}] = X"),
        *_alu("ADD", "add", "{s}", "+="),
        *_alu("SUB", "sub", "{s}", "-="),
        *_alu("MUL", "mul", "{s}", "*="),
        *_alu("DIV", "div", "{s}", "/="),
        *_alu("MOD", "mod", "{s}", "%=", False),
        *_alu("AND", "and", "{x}", "&="),
        *_alu("OR", "or", "{x}", "|="),
        *_alu("XOR", "xor", "{x}", "^="),
        *_alu("LSH", "lsh", "{s}", "<<="),
        *_alu("RSH", "rsh", "{s}", ">>="),
        Form(Op.NEG, "neg", "", "", "A = -A"),
        Form(Op.JA, "ja", "", "", "goto"),
        *_jump("JEQ", "jeq", "=="),
        *_jump("JGT", "jgt", ">"),
        *_jump("JGE", "jge", ">="),
        *_jump("JSET", "jset", "&"),
        Form(Op.RET_K, "ret", "#{s}", "#{k}", "return {k}"),
        Form(Op.RET_A, "ret", "", "a", "return A"),
        Form(Op.TAX, "tax", "", "", "X = A"),
        Form(Op.TXA, "txa", "", "", "A = X"),
    )
}


@record
class Extra:
    """An ancillary load: its name for bpf_asm, what it gives, and how a loaded program gets it.

    `offset` is that of the u32 in struct __sk_buff, -1 for what has another way or none;
    `big` says that the field is in network byte order there. `helper` is the helper to call.
    """

    number: Ancillary
    asm: str
    meaning: str
    offset: int = -1
    big: bool = False
    helper: int = 0


EXTRAS: dict[int, Extra] = {
    extra.number: extra
    for extra in (
        Extra(Ancillary.PROTOCOL, "proto", "skb->protocol", 16, True),
        Extra(Ancillary.PKTTYPE, "type", "skb->pkt_type", 4),
        Extra(Ancillary.IFINDEX, "ifidx", "skb->dev->ifindex", 40),
        Extra(Ancillary.NLATTR, "nla", "offset of the netlink attribute of type X after offset A"),
        Extra(Ancillary.NLATTR_NEST, "nlan", "offset of the netlink attribute of type X in the one at A"),
        Extra(Ancillary.MARK, "mark", "skb->mark", 8),
        Extra(Ancillary.QUEUE, "queue", "skb->queue_mapping", 12),
        Extra(Ancillary.HATYPE, "hatype", "skb->dev->type"),
        Extra(Ancillary.RXHASH, "rxhash", "skb->hash", 68),
        Extra(Ancillary.CPU, "cpu", "number of the CPU", helper=8),
        Extra(Ancillary.ALU_XOR_X, "xor_x", "A ^ X"),
        Extra(Ancillary.VLAN_TAG, "vlan_tci", "skb->vlan_tci", 24),
        Extra(Ancillary.VLAN_TAG_PRESENT, "vlan_avail", "a VLAN tag is there", 20),
        Extra(Ancillary.PAY_OFFSET, "poff", "offset of the payload"),
        Extra(Ancillary.RANDOM, "rand", "a random number", helper=7),
        Extra(Ancillary.VLAN_TPID, "vlan_tpid", "skb->vlan_proto", 28, True),
    )
}
