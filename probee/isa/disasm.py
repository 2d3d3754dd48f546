"""Instructions → text, by the templates of `probee.isa.forms`.

Two forms: the kernel's and LLVM's (`r0 += r1`, `if r1 s> 5 goto +3`) and the conformance suite's
(`add %r0, %r1`). What is written here is read back by `probee.isa.asm` to the same instruction.
"""

from __future__ import annotations

import re
from enum import IntEnum

from ..base.bits import signed
from .forms import find_form, find_odd_field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .ebpf import Insn

    Name = Callable[[Insn, int], str | None]


class Syntax(IntEnum):
    KERNEL = 0
    SUITE = 1


_HOLE = re.compile(r"\{(\w+)\}")

RAW = re.compile(r"insn (0x[0-9a-f]+) (\d+) (\d+) (-?\d+) (-?\d+)")
"""An instruction that is in no table: code, dst, src, off, imm."""

_SPACES: tuple[Callable[[int], str], ...] = (
    lambda n: f" + {n}" if n >= 0 else f" - {-n}",
    lambda n: f"{n:+d}" if n else "",
)

_HOLES: dict[str, Callable[[Insn, Syntax], str]] = {
    "dst": lambda i, s: f"%r{i.dst}" if s else f"r{i.dst}",
    "wdst": lambda i, s: f"w{i.dst}",
    "src": lambda i, s: f"%r{i.src}" if s else f"r{i.src}",
    "wsrc": lambda i, s: f"w{i.src}",
    "off": lambda i, s: _SPACES[s](i.off),
    "jump": lambda i, s: f"{i.off:+d}",
    "fdidx": lambda i, s: f" btf[{i.off}]" if i.off else "",
    "imm": lambda i, s: f"{i.imm}",
    "number": lambda i, s: f"{i.imm:#x}",
    "jump32": lambda i, s: f"{i.imm:+d}",
    "helper": lambda i, s: f"{i.imm}",
    "local": lambda i, s: f"{i.imm:+d}" if s else f"pc{i.imm:+d}",
    "kfunc": lambda i, s: f"{i.imm}",
    "map": lambda i, s: f"map[fd:{_low(i)}]{_high(i, '+')}",
    "value": lambda i, s: f"map[fd:{_low(i)}][0]+{i.imm >> 32}",
    "idx": lambda i, s: f"map[idx:{_low(i)}]{_high(i, '+')}",
    "idxvalue": lambda i, s: f"map[idx:{_low(i)}][0]+{i.imm >> 32}",
    "btf": lambda i, s: f"btf[id:{_low(i)}{_high(i, ' fd:')}]",
    "func": lambda i, s: f"subprog[{_low(i):+d}]{_high(i, '+')}",
    "spaces": lambda i, s: f"{i.imm >> 16 & 0xFFFF}, {i.imm & 0xFFFF}",
}


def _low(insn: Insn) -> int:
    return signed(insn.imm, 32)


def _high(insn: Insn, before: str) -> str:
    return f"{before}{insn.imm >> 32}" if insn.imm >> 32 else ""


def render_insn(
    insn: Insn,
    slot: int = 0,
    *,
    syntax: Syntax = Syntax.KERNEL,
    name: Name | None = None,
    label: Callable[[int], str | None] | None = None,
) -> str:
    """The text of one instruction.

    `name(insn, slot)` may name what a call or a LDDW of a map or function stands for: helpers are
    then written `call bpf_ktime_get_ns#5`, kfuncs `call kfunc name#81234`, maps `map[fd:4 counts]`.
    `label(slot)` may name the instruction at a slot, for jumps and local calls. An instruction that
    is in no table is written `insn 0x.. 0x.. ...` with its five fields.
    """
    form = find_form(insn)
    if form is None or find_odd_field(form, insn):
        return f"insn {insn.code:#04x} {insn.dst} {insn.src} {insn.off} {insn.imm}"
    return render_form(form.suite if syntax else form.kernel, insn, slot, syntax, name, label)


def render_form(
    template: str,
    insn: Insn,
    slot: int,
    syntax: Syntax,
    name: Name | None = None,
    label: Callable[[int], str | None] | None = None,
) -> str:
    """`template` with the operands of `insn` in its holes; see `render_insn`."""

    def fill(match: re.Match[str]) -> str:
        hole = match[1]
        text = _HOLES[hole](insn, syntax)
        if hole in ("jump", "jump32", "local", "func") and label is not None:
            distance = insn.off if hole == "jump" else signed(insn.imm, 32)
            target = label(slot + 1 + distance)
            text = text if target is None else f"subprog[{target}]" if hole == "func" else target
        elif hole in _NAMED and name is not None:
            known = name(insn, slot)
            text = text if known is None else _NAMED[hole](known, text)
        return text

    return _HOLE.sub(fill, template)


_NAMED: dict[str, Callable[[str, str], str]] = {
    "helper": lambda known, text: f"{known}#{text}",
    "kfunc": lambda known, text: f"{known}#{text}",
    "map": lambda known, text: text.replace("]", f" {known}]", 1),
    "value": lambda known, text: text.replace("]", f" {known}]", 1),
    "idx": lambda known, text: text.replace("]", f" {known}]", 1),
    "idxvalue": lambda known, text: text.replace("]", f" {known}]", 1),
    "btf": lambda known, text: text.replace("]", f" {known}]", 1),
}


def render_program(insns: Iterable[Insn], *, syntax: Syntax = Syntax.KERNEL, name: Name | None = None) -> str:
    """One line per instruction, each with its slot number, as `bpftool prog dump` numbers them."""
    lines = []
    slot = 0
    for insn in insns:
        lines.append(f"{slot:4d}: {render_insn(insn, slot, syntax=syntax, name=name)}")
        slot += insn.slots
    return "\n".join(lines)
