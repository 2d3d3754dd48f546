"""Every way classic filters are written down, both directions.

    listing     tcpdump -d: `(000) ldh      [12]`, jumps to absolute numbers
    c           tcpdump -dd: `{ 0x28, 0, 0, 0x0000000c },`
    decimal     tcpdump -ddd: the count, then `40 0 0 12` a line
    line        bpf_asm, xt_bpf, cls_bpf: the same numbers in one line, `4,40 0 0 12,…`
    asm         what bpf_asm reads: labels, `ld [x + 14]`, `jeq #0x800, yes, no`, `ld proto`
    raw         struct sock_filter, 8 bytes each

`parse_filter` finds out itself which one it has; seccomp-tools' `0000: 0x20 0x00 …` is read too.
"""

from __future__ import annotations

import re

from ...base.bits import signed
from ...base.errors import FormatError
from ..numbers import parse_integer
from .asm import parse_asm
from .forms import EXTRAS, FORMS
from .insn import JUMPS, MAX_INSNS, Op, Sock, decode_filter, find_ancillary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# -- writing --------------------------------------------------------------------------------------


def _fill(template: str, insn: Sock) -> str:
    return template.format(k=insn.k, s=signed(insn.k, 32), x=f"{insn.k:#x}")


def render_sock(insn: Sock, index: int = 0) -> str:
    """One instruction as tcpdump -d writes it, without its number; jumps go to absolute numbers."""
    form = FORMS.get(insn.code)
    if form is None:
        return f"unimp    {insn.code:#x}"
    operand = _fill(form.pcap, insn)
    if insn.code == Op.JA:
        operand = str(index + 1 + insn.k)
    if insn.code in JUMPS:
        return f"{form.name:<8} {operand:<16} jt {index + 1 + insn.jt}\tjf {index + 1 + insn.jf}"
    return f"{form.name:<8} {operand}".rstrip()


def render_meaning(insn: Sock, index: int = 0) -> str:
    """One instruction as a statement about A, X, M and the packet."""
    form = FORMS.get(insn.code)
    if form is None:
        return f"unknown opcode {insn.code:#x}"
    ancillary = find_ancillary(insn)
    if ancillary is not None and ancillary in EXTRAS:
        return f"A = {EXTRAS[ancillary].meaning}"
    text = _fill(form.meaning, insn)
    if insn.code == Op.JA:
        return f"goto {index + 1 + insn.k}"
    if insn.code in JUMPS:
        return f"{text} goto {index + 1 + insn.jt} else goto {index + 1 + insn.jf}"
    return text


def render_listing(insns: Sequence[Sock]) -> str:
    """As tcpdump -d."""
    return "\n".join(f"({index:03d}) {render_sock(insn, index)}" for index, insn in enumerate(insns))


def render_c(insns: Sequence[Sock]) -> str:
    """As tcpdump -dd."""
    return "\n".join(f"{{ {i.code:#x}, {i.jt}, {i.jf}, 0x{i.k:08x} }}," for i in insns)


def render_decimal(insns: Sequence[Sock]) -> str:
    """As tcpdump -ddd."""
    return "\n".join([str(len(insns)), *(f"{i.code} {i.jt} {i.jf} {i.k}" for i in insns)])


def render_line(insns: Sequence[Sock]) -> str:
    """As bpf_asm writes, and xt_bpf and cls_bpf read."""
    return ",".join([str(len(insns)), *(f"{i.code} {i.jt} {i.jf} {i.k}" for i in insns)])


def render_asm(insns: Sequence[Sock]) -> str:
    """As bpf_asm reads: labels for the targets of jumps, names for ancillary loads."""
    targets = set()
    for index, insn in enumerate(insns):
        if insn.code == Op.JA:
            targets.add(index + 1 + insn.k)
        elif insn.code in JUMPS:
            targets.update((index + 1 + insn.jt, index + 1 + insn.jf))
    lines = []
    for index, insn in enumerate(insns):
        label = f"L{index}:" if index in targets else ""
        lines.append(f"{label:<7} {_render_statement(insn, index)}".rstrip())
    return "\n".join(lines)


def _render_statement(insn: Sock, index: int) -> str:
    form = FORMS.get(insn.code)
    if form is None:
        raise FormatError(f"insn {index}: unknown opcode {insn.code:#06x}", offset=8 * index)
    ancillary = find_ancillary(insn)
    # bpf_asm's names stand for word loads; another size of load gives the same, but is other bytes.
    if ancillary is not None and ancillary in EXTRAS and insn.code == Op.LD_W_ABS:
        return f"ld {EXTRAS[ancillary].asm}"
    operand = _fill(form.asm, insn)
    if insn.code == Op.JA:
        return f"ja L{index + 1 + insn.k}"
    if insn.code in JUMPS:
        return f"{form.name} {operand}, L{index + 1 + insn.jt}, L{index + 1 + insn.jf}"
    return f"{form.name} {operand}".rstrip()


# -- reading numbers ------------------------------------------------------------------------------

_NUMBER = r"(?:0[xX][0-9a-fA-F]+|\d+)"
_C_ROW = re.compile(rf"\{{\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,\s*({_NUMBER})\s*,?\s*\}}")
_TOOLS_ROW = re.compile(
    r"^\s*\d+:\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)", re.M | re.I
)
_DECIMAL = re.compile(r"^\s*\d+\s*[,\n]\s*\d+\s+\d+\s+\d+\s+\d+\s*(?:[,\n]|$)")
_LIMITS = (0xFFFF, 0xFF, 0xFF, 0xFFFFFFFF)


def parse_filter(data: bytes, *, path: str = "") -> list[Sock]:
    """A filter in any of the forms; FormatError, or SourceError for text with an error in it.

    The kernel's rules are not applied: see `probee.isa.cbpf.check`.
    """
    if _is_binary(data):
        return _checked_count(decode_filter(data), path)
    text = data.decode()
    if not text.strip():
        raise FormatError("expected a filter, got nothing", path=path)
    if _DECIMAL.match(text):
        return _parse_decimal(text, path)
    for rows in (_C_ROW.findall(text), _TOOLS_ROW.findall(text)):
        if rows:
            return _checked_count([_row(fields, index, path) for index, fields in enumerate(rows)], path)
    return _checked_count(parse_asm(text, name=path or "<filter>"), path)


def _is_binary(data: bytes) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return True
    return any(ord(c) < 32 and c not in "\t\n\r\f" for c in text)


def _checked_count(insns: list[Sock], path: str) -> list[Sock]:
    if len(insns) > MAX_INSNS:
        raise FormatError(f"expected at most {MAX_INSNS} instructions, got {len(insns)}", path=path)
    return insns


def _row(fields: Sequence[str], index: int, path: str) -> Sock:
    values = [parse_integer(field) for field in fields]
    for value, limit, name in zip(values, _LIMITS, ("code", "jt", "jf", "k"), strict=True):
        if value > limit:
            raise FormatError(f"insn {index}: expected a {name} of 0..{limit}, got {value}", path=path)
    return Sock(*values)


def _parse_decimal(text: str, path: str) -> list[Sock]:
    head, *rows = [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
    insns = []
    for index, row in enumerate(rows):
        fields = row.split()
        if len(fields) != 4 or not all(field.isdecimal() for field in fields):
            raise FormatError(f"insn {index}: expected four numbers, got {row!r}", path=path)
        insns.append(_row(fields, index, path))
    if parse_integer(head) != len(insns):
        raise FormatError(
            f"expected {head} instructions, as the first number says, got {len(insns)}", path=path
        )
    return _checked_count(insns, path)


RENDERERS = {
    "listing": render_listing,
    "c": render_c,
    "decimal": render_decimal,
    "line": render_line,
    "asm": render_asm,
}
"""Names of the forms of text → the functions that write them."""
