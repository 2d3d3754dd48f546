"""Single instructions as Python statements, for the translator.

Registers are `r0` … `r10`, unsigned 64-bit; `m` is the table of regions' bytes, `u32(bytes, offset)`
and `p32(bytes, offset, value)` read and write numbers, `fp` is the stack frame's bytes.
"""

from __future__ import annotations

from ..base.bits import unsigned
from ..isa.ebpf import BYTES, Alu, Atomic, Insn, Jump, Size
from ..isa.fields import Class, End, Mode
from .memory import STACK_SIZE

_M = 0xFFFFFFFF_FFFFFFFF
_W = 0xFFFFFFFF
_S = 1 << 63
_SW = 1 << 31

# {a} is the destination and {b} the source, whole 64-bit registers or constants of the width;
# {n} a shift's distance. The result must be reduced to the width.
_WIDE: dict[int, str] = {
    Alu.ADD: "{a} + {b} & M",
    Alu.SUB: "{a} - {b} & M",
    Alu.MUL: "{a} * {b} & M",
    Alu.DIV: "{a} // {b} if {b} else 0",
    Alu.OR: "{a} | {b}",
    Alu.AND: "{a} & {b}",
    Alu.LSH: "{a} << {n} & M",
    Alu.RSH: "{a} >> {n}",
    Alu.NEG: "-{a} & M",
    Alu.MOD: "{a} % {b} if {b} else {a}",
    Alu.XOR: "{a} ^ {b}",
    Alu.MOV: "{b}",
    Alu.ARSH: "({a} ^ S) - S >> {n} & M",
    Alu.SDIV: "sdiv({a}, {b}, 64)",
    Alu.SMOD: "smod({a}, {b}, 64)",
    Alu.MOVSX8: "({b} & 255 ^ 128) - 128 & M",
    Alu.MOVSX16: "({b} & 65535 ^ 32768) - 32768 & M",
    Alu.MOVSX32: "({b} & W ^ 2147483648) - 2147483648 & M",
}
_NARROW: dict[int, str] = {
    Alu.ADD: "{a} + {b} & W",
    Alu.SUB: "{a} - {b} & W",
    Alu.MUL: "{a} * {b} & W",
    Alu.DIV: "({a} & W) // ({b} & W) if {b} & W else 0",
    Alu.OR: "({a} | {b}) & W",
    Alu.AND: "{a} & {b} & W",
    Alu.LSH: "{a} << {n} & W",
    Alu.RSH: "({a} & W) >> {n}",
    Alu.NEG: "-{a} & W",
    Alu.MOD: "({a} & W) % ({b} & W) if {b} & W else {a} & W",
    Alu.XOR: "({a} ^ {b}) & W",
    Alu.MOV: "{b} & W",
    Alu.ARSH: "({a} & W ^ S) - S >> {n} & W",
    Alu.SDIV: "sdiv({a} & W, {b} & W, 32)",
    Alu.SMOD: "smod({a} & W, {b} & W, 32)",
    Alu.MOVSX8: "({b} & 255 ^ 128) - 128 & W",
    Alu.MOVSX16: "({b} & 65535 ^ 32768) - 32768 & W",
}

_COMPARE = {
    Jump.EQ: "==",
    Jump.GT: ">",
    Jump.GE: ">=",
    Jump.NE: "!=",
    Jump.SGT: ">",
    Jump.SGE: ">=",
    Jump.LT: "<",
    Jump.LE: "<=",
    Jump.SLT: "<",
    Jump.SLE: "<=",
}
_SIGNED = frozenset({Jump.SGT, Jump.SGE, Jump.SLT, Jump.SLE})


def _fill(template: str, wide: bool, a: str, b: str, n: str) -> str:
    text = template.format(a=a, b=b, n=n)
    return text.replace("M", str(_M)).replace("W", str(_W)).replace("S", str(_S if wide else _SW))


def arithmetic_source(insn: Insn) -> str:
    """`dst = …` for an instruction of class ALU or ALU64."""
    dst = f"r{insn.dst}"
    if insn.code in (End.LE, End.BE, End.SWAP):
        if insn.code == End.LE:
            return f"{dst} &= {(1 << insn.imm) - 1}"
        return f"{dst} = swap({dst}, {insn.imm}, {int(insn.code)})"
    op = insn.code & 0xF0 | insn.off << 8
    wide = insn.code & 7 == Class.ALU64
    bits = 64 if wide else 32
    if insn.code & 8:
        operand, distance = f"r{insn.src}", f"(r{insn.src} & {bits - 1})"
    else:
        operand, distance = str(unsigned(insn.imm, bits)), str(insn.imm & bits - 1)
        if op == Alu.MOV:
            return f"{dst} = {operand}"
        if op in (Alu.DIV, Alu.MOD) and insn.imm:
            left = dst if wide else f"({dst} & {_W})"
            return f"{dst} = {left} {'//' if op == Alu.DIV else '%'} {operand}"
    return f"{dst} = {_fill((_WIDE if wide else _NARROW)[op], wide, dst, operand, distance)}"


def condition_source(insn: Insn) -> str:
    """The condition of a conditional jump."""
    wide = insn.code & 7 == Class.JMP
    bits, mask, sign = (64, _M, _S) if wide else (32, _W, _SW)
    op = Jump(insn.code & 0xF0)
    left = f"r{insn.dst}" if wide else f"(r{insn.dst} & {mask})"
    right = str(unsigned(insn.imm, bits))
    if insn.code & 8:
        right = f"r{insn.src}" if wide else f"(r{insn.src} & {mask})"
    if op == Jump.SET:
        return f"{left} & {right}"
    if op in _SIGNED:
        left = f"({left} ^ {sign})"
        right = f"({right} ^ {sign})" if insn.code & 8 else str(unsigned(insn.imm, bits) ^ sign)
    return f"{left} {_COMPARE[op]} {right}"


def _place(register: int, off: int, size: int) -> tuple[str, str, str]:
    """A statement to come first, the bytes, and the offset in them, of an access."""
    if register == 10 and 0 <= STACK_SIZE + off <= STACK_SIZE - size:
        return "", "fp", str(STACK_SIZE + off)
    if off == 0:
        return "", f"m[r{register} >> 32]", f"r{register} & {_W}"
    return f"a = r{register} {'+' if off > 0 else '-'} {abs(off)}; ", "m[a >> 32]", f"a & {_W}"


def load_source(insn: Insn) -> str:
    """`dst = *(size *)(src + off)`, zero- or sign-extended."""
    size = BYTES[Size(insn.code & 0x18)]
    before, data, offset = _place(insn.src, insn.off, size)
    if insn.code & 0xE0 == Mode.MEMSX:
        return f"{before}r{insn.dst} = s{8 * size}({data}, {offset})[0] & {_M}"
    if size == 1:
        return f"{before}r{insn.dst} = {data}[{offset}]"
    return f"{before}r{insn.dst} = u{8 * size}({data}, {offset})[0]"


def store_source(insn: Insn) -> str:
    """`*(size *)(dst + off) = src` or an immediate."""
    size = BYTES[Size(insn.code & 0x18)]
    before, data, offset = _place(insn.dst, insn.off, size)
    if insn.code & 7 == Class.ST:
        value = str(unsigned(insn.imm, 8 * size))
    else:
        value = f"r{insn.src}" if size == 8 else f"r{insn.src} & {(1 << 8 * size) - 1}"
    if size == 1:
        return f"{before}{data}[{offset}] = {value}"
    return f"{before}p{8 * size}({data}, {offset}, {value})"


def atomic_source(insn: Insn) -> str:
    """A read-modify-write, or a load or store with an order."""
    if insn.imm == Atomic.LOAD_ACQUIRE:
        return load_source(Insn(Class.LDX | Mode.MEM | insn.code & 0x18, insn.dst, insn.src, insn.off))
    if insn.imm == Atomic.STORE_RELEASE:
        return store_source(Insn(Class.STX | Mode.MEM | insn.code & 0x18, insn.dst, insn.src, insn.off))
    bits = 8 * BYTES[Size(insn.code & 0x18)]
    mask = (1 << bits) - 1
    text = f"a = r{insn.dst} + {insn.off}; d = m[a >> 32]; a &= {_W}; o = u{bits}(d, a)[0]; "
    if insn.imm == Atomic.CMPXCHG:
        return f"{text}p{bits}(d, a, r{insn.src} & {mask} if o == r0 & {mask} else o); r0 = o"
    op = Alu.MOV if insn.imm == Atomic.XCHG else Alu(insn.imm & 0xF0)
    value = _fill((_WIDE if bits == 64 else _NARROW)[op], bits == 64, "o", f"r{insn.src}", "0")
    text += f"p{bits}(d, a, {value})"
    return f"{text}; r{insn.src} = o" if insn.imm & Atomic.FETCH else text
