"""Assembler of classic BPF: what bpf_asm reads, and what tcpdump -d writes."""

from __future__ import annotations

import re

from ...base.errors import SourceError
from ...base.record import record
from ...base.registry import near_misses
from ...base.source import Diagnostic, Source, Span
from ..numbers import parse_integer
from .forms import EXTRAS, FORMS
from .insn import AD_OFFSET, JUMPS, Op, Sock

_NUMBER = r"(?:0[xX][0-9a-fA-F]+|\d+)"
_NAME = r"[A-Za-z_]\w*"
_LABEL = re.compile(rf"\s*({_NAME})\s*:(?!:)\s*")
_PREFIX = re.compile(r"\s*\(\d+\)\s*")
_COMMENT = re.compile(r";.*|//.*|/\*.*?\*/")
_WORD = re.compile(rf"({_NAME})\s*(.*)")
_JUMP = re.compile(r"(#?\S+)\s+jt\s+(\d+)\s+jf\s+(\d+)")

_MEMORY = rf"M\s*\[\s*({_NUMBER})\s*\]"
_PACKET = rf"\[\s*(-?{_NUMBER})\s*\]"
_INDEXED = rf"\[\s*%?x\s*(?:\+\s*(-?{_NUMBER})|(-\s*{_NUMBER}))?\s*\]"
_CONSTANT = rf"#?(-?{_NUMBER})"

_LOADS = {
    "ld": (Op.LD_W_ABS, Op.LD_W_IND),
    "ldh": (Op.LD_H_ABS, Op.LD_H_IND),
    "ldb": (Op.LD_B_ABS, Op.LD_B_IND),
}
_ARITHMETIC = {form.name: form.code for form in FORMS.values() if form.code & 7 == 4 and not form.code & 8}
_CONDITIONS = {form.name: form.code for form in FORMS.values() if form.code in JUMPS and not form.code & 8}
# Conditions bpf_asm has and the machine doesn't: the opposite one with its ways exchanged.
_OPPOSITES = {"jne": Op.JEQ_K, "jneq": Op.JEQ_K, "jlt": Op.JGE_K, "jle": Op.JGT_K}
_ANCILLARY = {
    **{extra.asm: number for number, extra in EXTRAS.items()},
    "vlan_pr": 48, "ifindex": 8, "random": 56, "pkt_type": 4, "protocol": 0,
}  # fmt: skip
_PLAIN = {"neg": Op.NEG, "tax": Op.TAX, "txa": Op.TXA}
_OTHERS = ("ldi", "ldx", "ldxi", "ldxb", "st", "stx", "ja", "jmp", "ret")
_WORDS = (*_LOADS, *_OTHERS, *_ARITHMETIC, *_PLAIN, *_CONDITIONS, *_OPPOSITES)


@record
class _Line:
    """An instruction whose jumps are still labels (or absolute numbers, as text)."""

    code: int
    k: int
    ways: tuple[str, ...]
    span: Span


class _BadLine(Exception):
    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def parse_asm(text: str, *, name: str = "<filter>") -> list[Sock]:
    """The filter `text` says. SourceError holds a diagnostic for every line that is wrong."""
    source = Source(name, text)
    lines: list[_Line] = []
    labels: dict[str, int] = {}
    errors: list[Diagnostic] = []
    at = 0
    for raw in text.split("\n"):
        span = Span(source, at + len(raw) - len(raw.lstrip()), at + len(raw.rstrip()))
        at += len(raw) + 1
        line = _COMMENT.sub("", raw)
        try:
            while label := _LABEL.match(line):
                if label[1] in labels:
                    raise _BadLine(f"label {label[1]!r} is defined twice")
                labels[label[1]] = len(lines)
                line = line[label.end() :]
            prefix = _PREFIX.match(line)
            line = (line[prefix.end() :] if prefix else line).strip()
            if line:
                lines.append(_parse_line(line, span, len(lines)))
        except _BadLine as error:
            errors.append(Diagnostic("ERROR", error.message, span, error.hint))
    insns = []
    for index, parsed in enumerate(lines):
        try:
            insns.append(_link(parsed, index, labels))
        except _BadLine as error:
            errors.append(Diagnostic("ERROR", error.message, parsed.span, error.hint))
    if errors:
        raise SourceError(sorted(errors, key=lambda d: d.span.start if d.span else 0))
    return insns


def _number(text: str) -> int:
    clean = text.replace(" ", "")
    value = parse_integer(clean)
    if not -(1 << 31) <= value <= 0xFFFFFFFF:
        raise _BadLine(f"expected a number of 32 bits, got {text}")
    return value & 0xFFFFFFFF


def _parse_line(line: str, span: Span, index: int) -> _Line:
    found = _WORD.fullmatch(line)
    if found is None:
        raise _BadLine("expected an instruction")
    word, operand = found[1].lower(), found[2].strip()
    if word in _CONDITIONS or word in _OPPOSITES:
        return _parse_jump(word, operand, span, index)
    if word in ("ja", "jmp"):
        return _Line(Op.JA, 0, (operand,), span)
    code, k = _parse_operation(word, operand)
    return _Line(code, k, (), span)


def _parse_jump(word: str, operand: str, span: Span, index: int) -> _Line:
    listed = _JUMP.fullmatch(operand)
    parts = [listed[1], listed[2], listed[3]] if listed else [part.strip() for part in operand.split(",")]
    if len(parts) == 2:
        parts.append(str(index + 1))  # bpf_asm: no second target means the next instruction
    if len(parts) != 3:
        raise _BadLine(f"expected {word} and a value and one or two targets")
    value, yes, no = parts
    code = _CONDITIONS.get(word)
    if code is None:
        code, yes, no = _OPPOSITES[word], no, yes
    if value in ("x", "%x"):
        return _Line(code | 8, 0, (yes, no), span)
    constant = re.fullmatch(_CONSTANT, value)
    if constant is None:
        raise _BadLine(f"expected x or a number, got {value!r}")
    return _Line(code, _number(constant[1]), (yes, no), span)


def _parse_operation(word: str, operand: str) -> tuple[int, int]:
    """Opcode and k of an instruction that doesn't jump."""
    if word in _PLAIN and not operand:
        return _PLAIN[word], 0
    if word in _LOADS:
        return _parse_load(word, operand)
    if word in ("ldi", "ldx", "ldxi", "ldxb"):
        return _parse_load_x(word, operand)
    memory = re.fullmatch(_MEMORY, operand)
    if word in ("st", "stx") and memory:
        return (Op.ST if word == "st" else Op.STX), _number(memory[1])
    constant = re.fullmatch(_CONSTANT, operand)
    if word == "ret":
        if operand in ("a", "%a", ""):  # libpcap writes it without an operand
            return Op.RET_A, 0
        if constant:
            return Op.RET_K, _number(constant[1])
    if word in _ARITHMETIC:
        if operand in ("x", "%x"):
            return _ARITHMETIC[word] | 8, 0
        if constant:
            return _ARITHMETIC[word], _number(constant[1])
    if word in _WORDS:
        raise _BadLine(f"{word} doesn't take {operand!r}" if operand else f"{word} wants an operand")
    near = near_misses(word, _WORDS)
    raise _BadLine(f"unknown instruction {word!r}", f"did you mean {' or '.join(near)}?" if near else None)


def _parse_load(word: str, operand: str) -> tuple[int, int]:
    absolute, indirect = _LOADS[word]
    if packet := re.fullmatch(_PACKET, operand):
        return absolute, _number(packet[1])
    if indexed := re.fullmatch(_INDEXED, operand):
        return indirect, _number(indexed[1] or indexed[2] or "0")
    if operand.lstrip("#") in _ANCILLARY:
        return absolute, (AD_OFFSET + _ANCILLARY[operand.lstrip("#")]) & 0xFFFFFFFF
    if word == "ld":
        if operand.lstrip("#") in ("len", "pktlen"):
            return Op.LD_LEN, 0
        if memory := re.fullmatch(_MEMORY, operand):
            return Op.LD_MEM, _number(memory[1])
        if constant := re.fullmatch(_CONSTANT, operand):
            return Op.LD_IMM, _number(constant[1])
    near = near_misses(operand.lstrip("#"), _ANCILLARY)
    hint = f"did you mean {' or '.join(near)}?" if near else None
    raise _BadLine(f"{word} doesn't take {operand!r}", hint)


def _parse_load_x(word: str, operand: str) -> tuple[int, int]:
    constant = re.fullmatch(_CONSTANT, operand)
    if word == "ldi" and constant:
        return Op.LD_IMM, _number(constant[1])
    if word in ("ldx", "ldxi") and constant:
        return Op.LDX_IMM, _number(constant[1])
    if word == "ldx" and (memory := re.fullmatch(_MEMORY, operand)):
        return Op.LDX_MEM, _number(memory[1])
    if word == "ldx" and operand.lstrip("#") in ("len", "pktlen"):
        return Op.LDX_LEN, 0
    header = re.fullmatch(rf"4\s*\*\s*\(\s*{_PACKET}\s*&\s*(?:0xf|15)\s*\)", operand)
    if word in ("ldx", "ldxb") and header:
        return Op.LDX_MSH, _number(header[1])
    raise _BadLine(f"{word} doesn't take {operand!r}")


def _link(line: _Line, index: int, labels: dict[str, int]) -> Sock:
    distances = [_find_target(way, labels) - index - 1 for way in line.ways]
    for way, distance in zip(line.ways, distances, strict=True):
        if distance < 0:
            raise _BadLine(f"jumps backwards, to {way}")
        most = 0xFFFFFFFF if line.code == Op.JA else 0xFF
        if distance > most:
            raise _BadLine(f"{way} is {distance} instructions away, expected at most {most}")
    if line.code == Op.JA:
        return Sock(line.code, 0, 0, distances[0])
    jt, jf = distances or (0, 0)
    return Sock(line.code, jt, jf, line.k)


def _find_target(way: str, labels: dict[str, int]) -> int:
    if way.isdecimal():
        return parse_integer(way)
    if way not in labels:
        near = near_misses(way, labels)
        raise _BadLine(f"unknown label {way!r}", f"did you mean {' or '.join(near)}?" if near else None)
    return labels[way]
