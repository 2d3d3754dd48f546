"""Text → instructions, by the templates of `probee.isa.forms`.

Reads everything `probee.isa.disasm` writes, in both forms and mixed, and the spellings of
`llvm-objdump`, `bpftool prog dump` and the verifier's log: slot numbers and `(b7)` before an
instruction, `goto pc+3`, `r2 = *(u32 *)(r1 + 8)`, `r0 = xchg_64(r1 + 0, r0)`.

One instruction a line. `name:` is a label, before an instruction or alone; `#` (after white space),
`//` and `;` start a comment. Jumps, local calls and `subprog[…]` take a label or a distance. `exit`
is a label of its own where none has that name: the first `exit` instruction, as the conformance
suite has it. Helpers are called by name or number, maps by `map[fd:4]` or a name that `resolve`
knows.
"""

from __future__ import annotations

import re

from ..base.errors import FormatError, SourceError
from ..base.record import record, replace
from ..base.registry import near_misses
from ..base.source import Diagnostic, Source, Span
from .disasm import RAW, Syntax, render_form
from .ebpf import CALL, EXIT, LDDW, Insn
from .fields import Call
from .forms import FIELDS, FORMS, Form, check_form
from .helpers import find_helper_number
from .numbers import parse_integer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Resolve = Callable[[str, str], int | None]

_NUMBER = r"(?:0[xX][0-9a-fA-F]+|\d+)"
_NAME = r"[A-Za-z_.$][\w.$]*"
_TARGET = rf"((?:pc)?[+-]\s*{_NUMBER}|{_NAME})(?:\s*<[^>]*>)?"

_HOLES = {
    "dst": r"%?r(\d+)",
    "src": r"%?r(\d+)",
    "wdst": r"w(\d+)",
    "wsrc": r"w(\d+)",
    "off": rf"((?:[+-]\s*{_NUMBER})?)",
    "jump": _TARGET,
    "jump32": _TARGET,
    "local": _TARGET,
    "fdidx": rf"((?:btf\[-?{_NUMBER}\])?)",
    "imm": rf"([+-]?{_NUMBER})",
    "number": rf"([+-]?{_NUMBER})",
    "helper": rf"({_NAME}(?:#-?{_NUMBER})?|-?{_NUMBER})",
    "kfunc": rf"({_NAME}(?:#-?{_NUMBER})?|-?{_NUMBER})",
    "map": rf"map\[((?:fd:-?{_NUMBER}|(?!fd:|idx:){_NAME})[^\]]*\](?:\+{_NUMBER})?)",
    "value": rf"map\[((?:fd:-?{_NUMBER}|(?!fd:|idx:){_NAME})[^\]]*\]\[0\](?:\+{_NUMBER})?)",
    "idx": rf"map\[(idx:-?{_NUMBER}[^\]]*\](?:\+{_NUMBER})?)",
    "idxvalue": rf"map\[(idx:-?{_NUMBER}[^\]]*\]\[0\](?:\+{_NUMBER})?)",
    "btf": rf"btf\[(id:-?{_NUMBER}[^\]]*\])",
    "func": rf"subprog\[((?:[+-]{_NUMBER}|{_NAME})\](?:\+{_NUMBER})?)",
    "spaces": rf"({_NUMBER}\s*,\s*{_NUMBER})",
}

_FETCHES = ("add", "and", "or", "xor")

# Spellings that are read but not written: LLVM's, by the name of the form.
_ALIASES = (
    ("xchg", "{src} = xchg_64({dst}{off}, {src})"),
    ("xchg32", "{wsrc} = xchg32_32({dst}{off}, {wsrc})"),
    ("cmpxchg", "r0 = cmpxchg_64({dst}{off}, r0, {src})"),
    ("cmpxchg32", "w0 = cmpxchg32_32({dst}{off}, w0, {wsrc})"),
    *((f"fetch_{n}", f"{{src}} = atomic_fetch_{n}((u64 *)({{dst}}{{off}}), {{src}})") for n in _FETCHES),
    *((f"bswap{n}", f"swap{n} {{dst}}") for n in (16, 32, 64)),
    *((f"ldind{s}", f"r0 = *(u{n} *)skb[{{src}}]") for s, n in (("b", 8), ("h", 16), ("w", 32))),
    ("lddw", "{dst} = {number}ll"),
)

_PREFIX = re.compile(r"\s*(?:(?P<slot>\d+):)?\s*(?:\((?P<code>[0-9a-f]{2})\)\s*)?")
_LABEL = re.compile(rf"\s*({_NAME}):(?!:)")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*|//.*|;.*")
_CUT = re.compile(r"\b(gotol?|may_goto|call(?: local| kfunc| runtime)?|map\[|btf\[|subprog\[)(?!x).*")
_DROP = re.compile(rf"%?\b[rw]\d+\b|[+\-\s]*\b{_NUMBER}\b|\s+")


@record
class _Pattern:
    """A form in one spelling; its expression is compiled when a line first looks like it."""

    form: Form
    template: str


@record
class _Reference:
    """A label in field `field` of instruction `index`, which starts at `slot`."""

    index: int
    slot: int
    field: str
    label: str
    span: Span
    tail: int = 0


class _LineError(Exception):
    """What is wrong with a line, and the part that is."""

    def __init__(self, message: str, part: str = "", hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.part, self.hint = message, part, hint


def _skeleton(text: str) -> str:
    """What of an instruction's text doesn't depend on its operands."""
    text = " ".join(text.split())
    words = re.match(r"(?!%?[rw]\d+\b)(?:lock (?:fetch )?)?[a-z][a-z0-9_]*(?= |$)", text)
    if words and words[0] not in ("if", "call", "gotol", "goto", "may_goto", "lock"):
        return words[0]  # the conformance suite's form: a mnemonic, then operands
    return _DROP.sub("", _CUT.sub(r"\1", text))


_SAMPLE = {"dst": 1, "src": 2, "off": 3, "imm": 4}


def _index() -> dict[str, list[_Pattern]]:
    index: dict[str, list[_Pattern]] = {}
    by_name = {form.name: form for form in FORMS}
    spellings = [(form, form.kernel) for form in FORMS] + [(form, form.suite) for form in FORMS]
    spellings += [(by_name[name], template) for name, template in _ALIASES]
    for form, template in spellings:
        values = {field: _SAMPLE[field] for field in form.operands}
        sample = Insn(form.code, **{"src": form.src, "off": form.off, "imm": form.imm, **values})
        syntax = Syntax.SUITE if template == form.suite else Syntax.KERNEL
        key = _skeleton(render_form(template, sample, 0, syntax))
        patterns = index.setdefault(key, [])
        if all(p.template != template for p in patterns):
            patterns.append(_Pattern(form, template))
    return index


_INDEX: dict[str, list[_Pattern]] = {}
_COMPILED: dict[str, tuple[re.Pattern[str], tuple[str, ...]]] = {}
_TOKEN = re.compile(r"\{\w+\}|\w+|\s+|[^\w\s{]")


def _compile(pattern: _Pattern) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The expression of a template and the holes of its groups, in order."""
    known = _COMPILED.get(pattern.template)
    if known is not None:
        return known
    # The kernel writes w2 for a load of at most 32 bits as r2, and LLVM as w2.
    loose = pattern.form.code & 7 in (1, 2, 3)
    out: list[str] = []
    holes = []
    last = ""
    for token in _TOKEN.findall(pattern.template):
        if token.isspace():
            continue
        if token[0] == "{":
            hole = token[1:-1]
            text = _HOLES[hole]
            holes.append(hole)
            if loose and hole in ("wdst", "wsrc"):
                text = r"[rw](\d+)"
        else:
            text = re.escape(token)
        gap = r"\s+" if last and last[-1].isalpha() and (token[0].isalnum() or token[0] == "{") else r"\s*"
        out.append((gap if out else "") + text)
        last = token
    compiled = re.compile("".join(out) + r"\s*"), tuple(holes)
    _COMPILED[pattern.template] = compiled
    return compiled


def _match(text: str) -> tuple[Form, list[tuple[str, str]]]:
    """The form a line has, and the texts of its holes."""
    if not _INDEX:
        _INDEX.update(_index())
    for pattern in _INDEX.get(_skeleton(text), ()):
        expression, holes = _compile(pattern)
        found = expression.fullmatch(text)
        if found is not None:
            return pattern.form, list(zip(holes, found.groups(), strict=True))
    raise _no_match(text)


def _no_match(text: str) -> _LineError:
    word = re.match(r"[\w.]+", text)
    words = {
        template.split()[0] for form in FORMS for template in (form.suite, form.kernel) if template[0] != "{"
    }
    if word and word[0] not in words and not re.fullmatch(r"[rw]\d+", word[0]):
        near = near_misses(word[0], words)
        hint = f"did you mean {' or '.join(near)}?" if near else None
        return _LineError(f"unknown instruction {word[0]!r}", word[0], hint)
    shapes = [p.form.suite for p in _INDEX.get(_skeleton(text), ())]
    hint = f"expected the shape of {render_shape(shapes[0])}" if shapes else None
    return _LineError("not an instruction", text, hint)


def render_shape(template: str) -> str:
    """A template for people: `{dst}, {imm}` as `DST, IMM`."""
    return re.sub(r"\{(\w+)\}", lambda m: m[1].upper(), template)


def _integer(text: str) -> int:
    try:
        return parse_integer(text)
    except ValueError:  # the table's patterns let more through than numbers
        raise _LineError(f"expected a number, got {text!r}", text) from None


def _read_number(text: str, bits: int) -> int:
    """A number in a field of `bits`. Decimal ones are signed, hexadecimal ones may be the bit pattern."""
    clean = text.replace(" ", "").replace("\t", "").removeprefix("+")
    value = _integer(clean)
    top = 1 << bits if "x" in clean.lower() or bits == 64 else 1 << bits - 1
    if not -(1 << bits - 1) <= value < top:
        raise _LineError(f"expected a number of {bits} bits, got {text.strip()}", text.strip())
    return value - (1 << bits) if bits < 64 and value >= 1 << bits - 1 else value


def _read_raw(texts: tuple[str, ...]) -> Insn:
    """An instruction by its fields: code dst src off imm."""
    values = [_integer(text) for text in texts]
    imm = (0, (1 << 64) - 1) if values[0] == LDDW else (-(1 << 31), (1 << 31) - 1)
    limits = ((0, 255), (0, 15), (0, 15), (-(1 << 15), (1 << 15) - 1), imm)
    for text, value, (low, high) in zip(texts, values, limits, strict=True):
        if not low <= value <= high:
            raise _LineError(f"expected a number from {low} to {high}, got {text}", text)
    return Insn(*values)


class _Assembler:
    def __init__(self, source: Source, resolve: Resolve | None) -> None:
        self.source = source
        self.resolve = resolve
        self.insns: list[Insn] = []
        self.slot = 0
        self.labels: dict[str, int] = {}
        self.references: list[_Reference] = []
        self.errors: list[Diagnostic] = []
        self.at = 0  # where the line being read starts in the source
        self.line = ""

    def run(self) -> list[Insn]:
        for line in self.source.text.split("\n"):
            self.line = line
            try:
                self.read_line(line)
            except _LineError as error:
                self.report(error)
            except FormatError as error:
                self.report(_LineError(error.message.split(": ", 2)[2]))  # less offset and number
            self.at += len(line) + 1
        self.link()
        if self.errors:
            raise SourceError(sorted(self.errors, key=_start))
        return self.insns

    def report(self, error: _LineError) -> None:
        where = self.line.find(error.part) if error.part else -1
        text = error.part if where >= 0 else self.line.strip()
        span = self.span(text)
        self.errors.append(Diagnostic("ERROR", error.message, span, error.hint))

    def span(self, part: str) -> Span:
        start = self.at + max(self.line.find(part), 0)
        return Span(self.source, start, start + len(part))

    def read_line(self, line: str) -> None:
        text = _COMMENT.sub("", line)
        while label := _LABEL.match(text):
            if label[1] in self.labels:
                raise _LineError(f"label {label[1]!r} is defined twice", label[1])
            self.labels[label[1]] = self.slot
            text = text[label.end() :]
        prefix = _PREFIX.match(text)
        text = text[prefix.end() :].strip() if prefix else text.strip()
        if not text:
            return
        raw = RAW.fullmatch(text)
        if raw is not None:
            self.add(_read_raw(raw.groups()))
            return
        form, texts = _match(text)
        self.add(self.read_operands(form, texts))

    def add(self, insn: Insn) -> None:
        if insn.code == EXIT:
            self.labels.setdefault("\0exit", self.slot)
        self.insns.append(insn)
        self.slot += insn.slots

    def read_operands(self, form: Form, texts: list[tuple[str, str]]) -> Insn:
        values = {"dst": 0, "src": form.src, "off": form.off, "imm": form.imm}
        seen: dict[str, int] = {}
        for hole, text in texts:
            field = FIELDS[hole]
            value = self.read_hole(hole, text)
            if seen.setdefault(field, value) != value:
                raise _LineError(f"expected the same register twice, got {field} {seen[field]} and {value}")
            values[field] = value
        if form.code == CALL and form.src == Call.HELPER and self.references:
            # A helper by a name that is no helper's is a call of the function at that label.
            last = self.references[-1]
            if last.index == len(self.insns):
                values["src"] = Call.LOCAL
        insn = Insn(form.code, **values)
        check_form(insn, self.slot)
        return insn

    def read_hole(self, hole: str, text: str) -> int:
        if hole in ("dst", "src", "wdst", "wsrc"):
            return _integer(text)
        if hole in ("off", "fdidx"):
            digits = text.removeprefix("btf[").removesuffix("]")
            return _read_number(digits, 16) if digits else 0
        if hole in ("imm", "number"):
            value = _read_number(text, 64 if hole == "number" else 32)
            return value & 0xFFFFFFFF_FFFFFFFF if hole == "number" else value
        if hole in ("jump", "jump32", "local"):
            return self.read_target(hole, text)
        if hole in ("helper", "kfunc"):
            return self.read_callee(hole, text)
        if hole == "spaces":
            to_space, from_space = (_read_number(part.strip(), 17) for part in text.split(","))
            return _read_number(hex(to_space << 16 | from_space), 32)
        return self.read_pseudo(hole, text)

    def read_target(self, hole: str, text: str) -> int:
        distance = text.removeprefix("pc")
        if distance[0] in "+-":
            return _read_number(distance, 16 if hole == "jump" else 32)
        self.refer(FIELDS[hole], text)
        return 0

    def refer(self, field: str, label: str, tail: int = 0) -> None:
        at = self.line.rfind(label)
        span = Span(self.source, self.at + at, self.at + at + len(label))
        self.references.append(_Reference(len(self.insns), self.slot, field, label, span, tail))

    def read_callee(self, hole: str, text: str) -> int:
        name, _, number = text.rpartition("#")
        if not name and (number[0].isdigit() or number[0] == "-"):
            return _read_number(number, 32)
        if name:
            return _read_number(number, 32)
        known = self.resolve(hole, text) if self.resolve is not None else None
        if known is None and hole == "helper":
            known = find_helper_number(text)
        if known is None and hole == "kfunc":
            raise _LineError(f"unknown kernel function {text!r}", text)
        if known is None:
            self.refer("imm", text)
            return 0
        return known

    def read_pseudo(self, hole: str, text: str) -> int:
        inside, _, rest = text.partition("]")
        high = _integer(rest.rpartition("+")[2] or "0") if "+" in rest else 0
        if hole == "func":
            if inside[:1] not in ("+", "-"):
                self.refer("imm", inside, high)
                return 0
            low = _read_number(inside, 32)
        elif inside.startswith(("fd:", "idx:", "id:")):
            number, _, fd = inside.partition(":")[2].partition(" fd:")
            low = _read_number(number.partition(" ")[0], 32)  # a name may follow
            high = _integer(fd) if fd else high
        else:
            found = self.resolve("map", inside) if self.resolve is not None else None
            if found is None:
                raise _LineError(f"unknown map {inside!r}", inside)
            low = found
        if not 0 <= high < 1 << 32:
            raise _LineError(f"expected a number of 32 bits, got {high}")
        return high << 32 | low & 0xFFFFFFFF

    def link(self) -> None:
        """Put the distances to labels where they are asked for."""
        exits = self.labels.pop("\0exit", None)
        for ref in self.references:
            target = self.labels.get(ref.label, exits if ref.label == "exit" else None)
            if target is None:
                near = near_misses(ref.label, self.labels)
                hint = f"did you mean {' or '.join(near)}?" if near else None
                self.errors.append(Diagnostic("ERROR", f"unknown label {ref.label!r}", ref.span, hint))
                continue
            distance = target - ref.slot - 1
            if ref.field == "off" and not -0x8000 <= distance < 0x8000:
                message = f"label {ref.label!r} is {distance} slots away, expected at most 32767"
                self.errors.append(Diagnostic("ERROR", message, ref.span))
                continue
            insn = self.insns[ref.index]
            if insn.code == LDDW:
                distance = ref.tail << 32 | distance & 0xFFFFFFFF
            self.insns[ref.index] = replace(insn, **{ref.field: distance})


def _start(diagnostic: Diagnostic) -> int:
    return diagnostic.span.start if diagnostic.span is not None else 0


def assemble(text: str, *, name: str = "<asm>", resolve: Resolve | None = None) -> list[Insn]:
    """The instructions of `text`. SourceError holds one diagnostic for every line that is wrong.

    `resolve(kind, name)` gives the number of a "map" (its fd), a "kfunc" (its BTF id) or a "helper"
    that the kernel doesn't have; None when it doesn't know either.
    """
    return _Assembler(Source(name, text), resolve).run()
