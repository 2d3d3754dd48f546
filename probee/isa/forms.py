"""The one table of extended BPF: every legal instruction, said once.

Each `Form` gives the opcode, the values of the fields that are fixed, and two templates, one per
text form; a template's holes name the fields that are operands, so a field that is in no hole is
fixed, and reserved when its value is 0. Encoder, decoder, assembler, disassembler, the VM's
dispatch and `docs/isa.md` all derive from here.

Groups are RFC 9669's (section 2.4); `cpu` is LLVM's level (-mcpu=v1…v4, 5 for the acquire and
release that came after v4); `since` is the first kernel that loads the form. The kernel has had
the 32-bit ALU from the beginning, though LLVM only emits it from v3 on.
"""

from __future__ import annotations

import re
from enum import IntEnum
from operator import attrgetter

from ..base.errors import FormatError
from ..base.record import record
from .ebpf import ATOMIC, LDDW, LDX, LDXS, ST, STX, Alu, Atomic, Insn, Jump, Size
from .fields import End, Mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Group(IntEnum):
    """Conformance groups of RFC 9669, with those of the kernel's and LLVM's additions."""

    BASE32 = 0
    BASE64 = 1
    DIVMUL32 = 2
    DIVMUL64 = 3
    ATOMIC32 = 4
    ATOMIC64 = 5
    PACKET = 6
    LINUX = 7
    CALLX = 8


FIELDS = {
    "dst": "dst",
    "wdst": "dst",
    "src": "src",
    "wsrc": "src",
    "off": "off",
    "jump": "off",
    "fdidx": "off",
    "imm": "imm",
    "number": "imm",
    "jump32": "imm",
    "helper": "imm",
    "local": "imm",
    "kfunc": "imm",
    "map": "imm",
    "value": "imm",
    "idx": "imm",
    "idxvalue": "imm",
    "btf": "imm",
    "func": "imm",
    "spaces": "imm",
}
"""Holes of a template, and the field of `Insn` each one fills."""

_HOLE = re.compile(r"\{(\w+)\}")


@record
class Form:
    """One legal instruction: `kernel` and `suite` are its templates, `since` a (major, minor) or None."""

    name: str
    code: int
    kernel: str
    suite: str
    group: Group
    cpu: int
    since: tuple[int, int] | None
    src: int = 0
    off: int = 0
    imm: int = 0

    @property
    def holes(self) -> tuple[str, ...]:
        return tuple(_HOLE.findall(self.kernel))

    @property
    def operands(self) -> frozenset[str]:
        """The fields of `Insn` that are operands; the others have this form's values."""
        return frozenset(FIELDS[hole] for hole in self.holes)


V1, V2, V3, V4, ACQUIRE = 1, 2, 3, 4, 5
FIRST = (3, 18)

_ALU = {
    Alu.ADD: ("add", "+="),
    Alu.SUB: ("sub", "-="),
    Alu.MUL: ("mul", "*="),
    Alu.DIV: ("div", "/="),
    Alu.OR: ("or", "|="),
    Alu.AND: ("and", "&="),
    Alu.LSH: ("lsh", "<<="),
    Alu.RSH: ("rsh", ">>="),
    Alu.MOD: ("mod", "%="),
    Alu.XOR: ("xor", "^="),
    Alu.MOV: ("mov", "="),
    Alu.ARSH: ("arsh", "s>>="),
    Alu.SDIV: ("sdiv", "s/="),
    Alu.SMOD: ("smod", "s%="),
}
_DIVMUL = (Alu.MUL, Alu.DIV, Alu.MOD, Alu.SDIV, Alu.SMOD)

_JUMPS = {
    Jump.EQ: ("jeq", "=="),
    Jump.GT: ("jgt", ">"),
    Jump.GE: ("jge", ">="),
    Jump.SET: ("jset", "&"),
    Jump.NE: ("jne", "!="),
    Jump.SGT: ("jsgt", "s>"),
    Jump.SGE: ("jsge", "s>="),
    Jump.LT: ("jlt", "<"),
    Jump.LE: ("jle", "<="),
    Jump.SLT: ("jslt", "s<"),
    Jump.SLE: ("jsle", "s<="),
}
_V2_JUMPS = (Jump.LT, Jump.LE, Jump.SLT, Jump.SLE)

_SIZES = {Size.B: ("b", 8), Size.H: ("h", 16), Size.W: ("w", 32), Size.DW: ("dw", 64)}

_FETCHED = {
    Atomic.ADD: ("add", "+="),
    Atomic.OR: ("or", "|="),
    Atomic.AND: ("and", "&="),
    Atomic.XOR: ("xor", "^="),
}


def _alu_forms() -> Iterator[Form]:
    for op, (name, sign) in _ALU.items():
        cpu, since = (V4, (6, 6)) if op >> 8 else (V1, FIRST)
        for wide in (True, False):
            r, tail, low = ("", "", 7) if wide else ("w", "32", 4)
            if op in _DIVMUL:
                group = Group.DIVMUL64 if wide else Group.DIVMUL32
            else:
                group = Group.BASE64 if wide else Group.BASE32
            code = op & 0xF0 | low
            kernel, suite = f"{{{r}dst}} {sign} {{imm}}", f"{name}{tail} {{dst}}, {{imm}}"
            yield Form(f"{name}{tail}_imm", code, kernel, suite, group, cpu, since, off=op >> 8)
            kernel, suite = f"{{{r}dst}} {sign} {{{r}src}}", f"{name}{tail} {{dst}}, {{src}}"
            yield Form(f"{name}{tail}_reg", code | 8, kernel, suite, group, cpu, since, off=op >> 8)
    yield Form("neg", 0x87, "{dst} = -{dst}", "neg {dst}", Group.BASE64, V1, FIRST)
    yield Form("neg32", 0x84, "{wdst} = -{wdst}", "neg32 {dst}", Group.BASE32, V1, FIRST)
    for bits in (8, 16, 32):
        kernel, suite = f"{{dst}} = (s{bits}){{src}}", f"movsx{bits}64 {{dst}}, {{src}}"
        yield Form(f"movsx{bits}64", 0xBF, kernel, suite, Group.BASE64, V4, (6, 6), off=bits)
        if bits < 32:
            kernel, suite = f"{{wdst}} = (s{bits}){{wsrc}}", f"movsx{bits}32 {{dst}}, {{src}}"
            yield Form(f"movsx{bits}32", 0xBC, kernel, suite, Group.BASE32, V4, (6, 6), off=bits)
    for kind, name, cpu, since in (
        (End.LE, "le", V1, FIRST),
        (End.BE, "be", V1, FIRST),
        (End.SWAP, "bswap", V4, (6, 6)),
    ):
        for bits in (16, 32, 64):
            group = Group.BASE64 if bits == 64 else Group.BASE32
            kernel, suite = f"{{dst}} = {name}{bits} {{dst}}", f"{name}{bits} {{dst}}"
            yield Form(f"{name}{bits}", kind, kernel, suite, group, cpu, since, imm=bits)
    kernel, suite = "{dst} = addr_space_cast({src}, {spaces})", "addr_space_cast {dst}, {src}, {spaces}"
    yield Form("addr_space_cast", 0xBF, kernel, suite, Group.LINUX, V4, (6, 9), off=1)


def _jump_forms() -> Iterator[Form]:
    for op, (name, sign) in _JUMPS.items():
        for wide in (True, False):
            r, tail, low = ("", "", 5) if wide else ("w", "32", 6)
            group = Group.BASE64 if wide else Group.BASE32
            cpu, since = (V2, (4, 14)) if op in _V2_JUMPS else (V1, FIRST)
            if not wide:
                cpu, since = V3, (5, 1)
            kernel = f"if {{{r}dst}} {sign} {{imm}} goto {{jump}}"
            suite = f"{name}{tail} {{dst}}, {{imm}}, {{jump}}"
            yield Form(f"{name}{tail}_imm", op | low, kernel, suite, group, cpu, since)
            kernel = f"if {{{r}dst}} {sign} {{{r}src}} goto {{jump}}"
            suite = f"{name}{tail} {{dst}}, {{src}}, {{jump}}"
            yield Form(f"{name}{tail}_reg", op | low | 8, kernel, suite, group, cpu, since)
    base, linux = Group.BASE32, Group.LINUX
    yield Form("ja", 0x05, "goto {jump}", "ja {jump}", base, V1, FIRST)
    yield Form("ja32", 0x06, "gotol {jump32}", "ja32 {jump32}", base, V4, (6, 6))
    yield Form("gotox", 0x0D, "gotox {dst}", "gotox {dst}", linux, V4, (6, 19))
    yield Form("may_goto", 0xE5, "may_goto {jump}", "may_goto {jump}", linux, V4, (6, 9))
    yield Form("call", 0x85, "call {helper}", "call {helper}", base, V1, FIRST)
    yield Form("call_local", 0x85, "call {local}", "call local {local}", base, V3, (4, 16), src=1)
    kernel, suite = "call kfunc {kfunc}{fdidx}", "call runtime {kfunc}{fdidx}"
    yield Form("call_kfunc", 0x85, kernel, suite, base, V3, (5, 13), src=2)
    # Clang's old encoding of a call through a pointer; no kernel loads it.
    yield Form("callx", 0x8D, "callx {dst}", "call {dst}", Group.CALLX, V3, None)
    yield Form("exit", 0x95, "exit", "exit", base, V1, FIRST)


def _memory_forms() -> Iterator[Form]:
    for size, (name, bits) in _SIZES.items():
        group = Group.BASE64 if bits == 64 else Group.BASE32
        r = "" if bits == 64 else "w"
        place = f"*(u{bits} *)"
        kernel, suite = f"{{{r}dst}} = {place}({{src}}{{off}})", f"ldx{name} {{dst}}, [{{src}}{{off}}]"
        yield Form(f"ldx{name}", LDX | size, kernel, suite, group, V1, FIRST)
        kernel, suite = f"{place}({{dst}}{{off}}) = {{{r}src}}", f"stx{name} [{{dst}}{{off}}], {{src}}"
        yield Form(f"stx{name}", STX | size, kernel, suite, group, V1, FIRST)
        kernel, suite = f"{place}({{dst}}{{off}}) = {{imm}}", f"st{name} [{{dst}}{{off}}], {{imm}}"
        yield Form(f"st{name}", ST | size, kernel, suite, group, V1, FIRST)
        if bits == 64:
            continue
        kernel, suite = f"{{dst}} = *(s{bits} *)({{src}}{{off}})", f"ldxs{name} {{dst}}, [{{src}}{{off}}]"
        yield Form(f"ldxs{name}", LDXS | size, kernel, suite, Group.BASE32, V4, (6, 6))
        kernel, suite = f"r0 = *(u{bits} *)skb[{{imm}}]", f"ldabs{name} {{imm}}"
        yield Form(f"ldabs{name}", Mode.ABS | size, kernel, suite, Group.PACKET, V1, FIRST)
        kernel, suite = f"r0 = *(u{bits} *)skb[{{src}} + {{imm}}]", f"ldind{name} {{src}}, {{imm}}"
        yield Form(f"ldind{name}", Mode.IND | size, kernel, suite, Group.PACKET, V1, FIRST)


def _atomic_forms() -> Iterator[Form]:
    for size in (Size.W, Size.DW):
        bits = _SIZES[size][1]
        wide = bits == 64
        group = Group.ATOMIC64 if wide else Group.ATOMIC32
        r, tail, infix = ("", "", "64") if wide else ("w", "32", "")
        code = ATOMIC | size
        place = f"(u{bits} *)({{dst}}{{off}})"
        for op, (name, sign) in _FETCHED.items():
            # Addition without the old value is as old as eBPF (BPF_XADD); the rest came together.
            cpu, since = (V1, FIRST) if op == Atomic.ADD else (V3, (5, 12))
            kernel, suite = f"lock *{place} {sign} {{{r}src}}", f"lock {name}{tail} [{{dst}}{{off}}], {{src}}"
            yield Form(f"lock_{name}{tail}", code, kernel, suite, group, cpu, since, imm=op)
            kernel = f"{{{r}src}} = atomic{infix}_fetch_{name}({place}, {{{r}src}})"
            suite = f"lock fetch {name}{tail} [{{dst}}{{off}}], {{src}}"
            yield Form(f"fetch_{name}{tail}", code, kernel, suite, group, V3, (5, 12), imm=op | 1)
        kernel = f"{{{r}src}} = atomic{infix}_xchg({place}, {{{r}src}})"
        suite = f"lock xchg{tail} [{{dst}}{{off}}], {{src}}"
        yield Form(f"xchg{tail}", code, kernel, suite, group, V3, (5, 12), imm=Atomic.XCHG)
        kernel = f"{r or 'r'}0 = atomic{infix}_cmpxchg({place}, {r or 'r'}0, {{{r}src}})"
        suite = f"lock cmpxchg{tail} [{{dst}}{{off}}], {{src}}"
        yield Form(f"cmpxchg{tail}", code, kernel, suite, group, V3, (5, 12), imm=Atomic.CMPXCHG)
    for size, (name, bits) in _SIZES.items():
        r = "" if bits == 64 else "w"
        code, cpu, since = ATOMIC | size, ACQUIRE, (6, 15)
        kernel = f"{{{r}dst}} = load_acquire((u{bits} *)({{src}}{{off}}))"
        suite = f"ldacq{name} {{dst}}, [{{src}}{{off}}]"
        yield Form(f"ldacq{name}", code, kernel, suite, Group.LINUX, cpu, since, imm=Atomic.LOAD_ACQUIRE)
        kernel = f"store_release((u{bits} *)({{dst}}{{off}}), {{{r}src}})"
        suite = f"strel{name} [{{dst}}{{off}}], {{src}}"
        yield Form(f"strel{name}", code, kernel, suite, Group.LINUX, cpu, since, imm=Atomic.STORE_RELEASE)


def _wide_forms() -> Iterator[Form]:
    for src, (name, hole, since) in enumerate(
        (
            ("lddw", "number", FIRST),
            ("lddw_map_fd", "map", FIRST),
            ("lddw_map_value", "value", (5, 2)),
            ("lddw_btf_id", "btf", (5, 10)),
            ("lddw_func", "func", (5, 13)),
            ("lddw_map_idx", "idx", (5, 14)),
            ("lddw_map_idx_value", "idxvalue", (5, 14)),
        )
    ):
        kernel = "{dst} = {number} ll" if hole == "number" else f"{{dst}} = {{{hole}}}"
        yield Form(name, 0x18, kernel, f"lddw {{dst}}, {{{hole}}}", Group.BASE64, V1, since, src=src)


FORMS: tuple[Form, ...] = (
    *_alu_forms(),
    *_jump_forms(),
    *_memory_forms(),
    *_atomic_forms(),
    *_wide_forms(),
)


def _index() -> tuple[dict[int, str], dict[tuple[int, int], Form]]:
    """For each opcode the field that tells its forms apart, and the forms by opcode and that field."""
    by_code: dict[int, list[Form]] = {}
    for form in FORMS:
        by_code.setdefault(form.code, []).append(form)
    fields: dict[int, str] = {}
    index: dict[tuple[int, int], Form] = {}
    for code, forms in by_code.items():
        field = next((f for f in ("src", "off", "imm") if len({getattr(form, f) for form in forms}) > 1), "")
        fields[code] = field
        for form in forms:
            key = code, getattr(form, field) if field else 0
            if key in index:
                raise ValueError(f"forms {index[key].name} and {form.name} can't be told apart")
            index[key] = form
    return fields, index


_FIELD, _INDEX = _index()

# For each form the fields that are not operands, with the value they must have.
_FIXED = {
    form.name: tuple((f, getattr(form, f, 0)) for f in ("dst", "src", "off", "imm") if f not in form.operands)
    for form in FORMS
}


def find_form(insn: Insn) -> Form | None:
    """The form `insn` has, or None when there is no such opcode. Reserved fields aren't looked at."""
    field = _FIELD.get(insn.code)
    if field is None:
        return None
    return _INDEX.get((insn.code, getattr(insn, field) if field else 0))


def find_odd_field(form: Form, insn: Insn) -> str | None:
    """The first field of `insn` that is set where `form` reserves it, or None."""
    for field, value in _FIXED[form.name]:
        if getattr(insn, field) != value:
            return field
    return None


def check_form(insn: Insn, slot: int) -> Form:
    """The form of `insn`; FormatError names slot and field where there is none."""
    form = find_form(insn)
    if form is None:
        field = _FIELD.get(insn.code)
        which = f" with {field} {getattr(insn, field)}" if field else ""
        raise FormatError(f"insn {slot}: unknown opcode {insn.code:#04x}{which}", offset=slot * 8)
    odd = find_odd_field(form, insn)
    if odd is not None:
        want, got = getattr(form, odd, 0), getattr(insn, odd)
        raise FormatError(f"insn {slot}: {form.name}: expected {odd} {want}, got {got}", offset=slot * 8)
    # r11 is where the kernel keeps stack arguments since Linux 7.2; 12 to 15 never were registers.
    if insn.dst > 11 or insn.src > 11:
        raise FormatError(
            f"insn {slot}: {form.name}: expected registers r0..r11, got r{max(insn.dst, insn.src)}",
            offset=slot * 8,
        )
    return form


# The same for whole programs, at a third of the time: what to compare of an instruction, and with what.
_PICK = {code: attrgetter(field) if field else None for code, field in _FIELD.items()}
_EXPECTED = {
    key: (attrgetter(*(f for f, _ in fixed)), fixed[0][1] if len(fixed) == 1 else tuple(v for _, v in fixed))
    for key, fixed in ((key, _FIXED[form.name]) for key, form in _INDEX.items())
    if fixed
}


def check_forms(insns: Iterable[Insn]) -> None:
    """Refuse unknown opcodes, reserved fields that are set, and registers past r11 (FormatError)."""
    slot = 0
    for insn in insns:
        code = insn.code
        pick = _PICK.get(code)
        key = code, 0 if pick is None else pick(insn)
        fixed = _EXPECTED.get(key)
        if (
            key not in _INDEX
            or (fixed is not None and fixed[0](insn) != fixed[1])
            or insn.dst > 11
            or insn.src > 11
        ):
            check_form(insn, slot)
        slot += 2 if code == LDDW else 1
