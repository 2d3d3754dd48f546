"""`probee disasm`: extended BPF as text, from bytes, an object file, or a program that is loaded now."""

from __future__ import annotations

import re
import sys

from ..base.errors import FormatError, UsageError
from .files import parse_words, read_input, unknown_form

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..elf.file import Elf, Section
    from ..isa.disasm import Syntax
    from ..isa.ebpf import Insn
    from ..kernel.loaded import Loaded

USAGE = """\
USAGE:
    probee disasm [-f FORM] [-s SECTION] [FILE | -]
    probee disasm [-f FORM] --id N | --name NAME | --pin PATH

Writes instructions as FORM: kernel (`r0 += r1`, default), suite (`add %r0, %r1`) or table, with opcode, form,
conformance group, cpu level and first kernel of each.

FILE holds bytes, hexadecimal text, or is an object file (all sections with code, or SECTION). --id, --name
and --pin show a program that is loaded now, with its source lines when it has them.
"""

EM_BPF = 247
SHF_EXECINSTR = 4
_PERCPU_ADDRESS = (0xBF, -1)
"""Code and off of the kernel's own instruction for the address of this CPU's copy (BPF_ADDR_PERCPU)."""

_SYNTAX = ("kernel", "suite", "table")


def main(arguments: list[str]) -> int:
    """Run the command; the exit status. Raises ProbeeError."""
    options, words = parse_words(arguments, "f:s:h", USAGE, ("id=", "name=", "pin="))
    if "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    form = options.get("-f", "kernel")
    if form not in _SYNTAX:
        raise unknown_form(form, _SYNTAX)
    wanted = [option for option in ("--id", "--name", "--pin") if option in options]
    if len(wanted) + bool(words) > 1:
        raise UsageError("expected one program", hint=USAGE.splitlines()[1].strip())
    if wanted:
        for line in show_loaded(_read_loaded(wanted[0], options[wanted[0]]), form):
            print(line)
        return 0
    name, data = read_input(words)
    for line in show_bytes(name, data, form, options.get("-s", "")):
        print(line)
    return 0


def show_bytes(name: str, data: bytes, form: str, section: str = "") -> Iterator[str]:
    """The lines for raw bytes, hexadecimal text or an object file."""
    from ..isa.ebpf import decode

    if data[:4] == b"\x7fELF":
        yield from _show_elf(name, data, form, section)
        return
    if section:
        raise UsageError(f"{name}: expected an object file to take section {section!r} from")
    yield from show_insns(decode(_parse_hex(data)), form)


def _parse_hex(data: bytes) -> bytes:
    """The bytes hexadecimal text stands for; other bytes as they are."""
    text = re.sub(rb"0x|[\s,]", b"", data)
    if text and re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", text):
        return bytes.fromhex(text.decode())
    return data


# -- object files ---------------------------------------------------------------------------------


def _show_elf(name: str, data: bytes, form: str, wanted: str) -> Iterator[str]:
    from ..elf.file import Elf
    from ..isa.ebpf import decode

    elf = Elf(data, name)
    if elf.machine != EM_BPF:
        raise FormatError(f"expected code for machine {EM_BPF} (BPF), got {elf.machine}", path=name)
    sections = [
        s for s in elf.sections if (s.name == wanted if wanted else s.flags & SHF_EXECINSTR and s.size)
    ]
    if not sections:
        raise UsageError(f"{name}: no section {wanted!r}" if wanted else f"{name}: no section holds code")
    for section in sections:
        yield f"section {section.name}:"
        insns = decode(elf.contents(section), little=elf.little)
        yield from show_insns(insns, form, heads=_functions(elf, section))


def _functions(elf: Elf, section: Section) -> dict[int, list[str]]:
    """Lines that come before instructions: the names of functions, by slot."""
    heads: dict[int, list[str]] = {}
    for symbol in elf.iter_functions():
        if symbol.section == section.index:
            heads.setdefault(symbol.value // 8, []).append(f"{symbol.name}:")
    return heads


# -- loaded programs ------------------------------------------------------------------------------


def _read_loaded(option: str, value: str) -> Loaded:
    from ..isa.numbers import parse_integer
    from ..kernel.loaded import open_by_id, open_by_name, open_pin, read_program

    number = parse_integer(value) if option == "--id" and value.isdecimal() else -1
    if option == "--id" and not 0 <= number < 1 << 32:
        raise UsageError(f"expected the id of a program, got {value!r}")
    opened = open_by_id(number) if option == "--id" else None
    if opened is None:
        opened = open_by_name(value) if option == "--name" else open_pin(value)
    with opened:
        return read_program(opened.number)


def show_loaded(program: Loaded, form: str) -> Iterator[str]:
    """The lines for a loaded program, source lines before the instructions they became."""
    from ..isa.ebpf import decode

    heads: dict[int, list[str]] = {}
    for line in program.lines:
        heads.setdefault(line.slot, []).append(f"; {line.text}  @ {line.file}:{line.number}")
    yield f"program {program.id} {program.name} type {program.type} tag {program.tag}"
    # The kernel's own instructions are in no table; it doesn't show those that are secret.
    insns = decode(program.code, strict=False)
    yield from show_insns(insns, form, heads=heads, loaded=_find_callees(insns))


def _find_callees(insns: Sequence[Insn]) -> dict[int, str]:
    """Names of the functions that a loaded program calls, by the number in the call: the distance of the
    function from `__bpf_call_base`. Empty where this process may not see the kernel's addresses.
    """
    from ..symbols.kallsyms import Kallsyms

    distances = {insn.imm for insn in insns if _calls_outside(insn) and insn.imm}
    if not distances:
        return {}
    with open("/proc/kallsyms", "rb") as file:
        text = file.read()
    base = re.search(rb"^([0-9a-f]{16}) \w __bpf_call_base$", text, re.MULTILINE)
    if base is None:
        return {}
    symbols = Kallsyms(text, "/proc/kallsyms")
    found = {distance: symbols.find(int(base[1], 16) + distance) for distance in distances}
    return {distance: at[0].name for distance, at in found.items() if at is not None and not at[1]}


# -- instructions ---------------------------------------------------------------------------------


def show_insns(
    insns: Sequence[Insn],
    form: str,
    *,
    heads: Mapping[int, Sequence[str]] | None = None,
    loaded: Mapping[int, str] | None = None,
) -> Iterator[str]:
    """A line for each instruction, after those in `heads` of its slot.

    Calls are named by the helpers' numbers; in a program that is loaded, where the kernel has put
    something else in their place, by what `loaded` says of that.
    """
    from ..isa.disasm import Syntax

    describe = _table_row if form == "table" else _text_row
    syntax = Syntax.SUITE if form == "suite" else Syntax.KERNEL
    before = heads or {}
    slot = 0
    for insn in insns:
        yield from before.get(slot, ())
        yield f"{slot:4d}: {describe(insn, slot, syntax, loaded)}"
        slot += insn.slots


def _text_row(insn: Insn, slot: int, syntax: Syntax, loaded: Mapping[int, str] | None) -> str:
    from ..isa.disasm import render_insn

    if loaded is None:
        return render_insn(insn, slot, syntax=syntax, name=_name_helper)
    if (insn.code, insn.off) == _PERCPU_ADDRESS:
        return f"r{insn.dst} = &(void __percpu *)(r{insn.src})"
    text = render_insn(insn, slot, syntax=syntax, name=lambda insn, _: _name_callee(insn, loaded))
    return text.replace("map[fd:", "map[id:")  # the kernel names maps by their ids


def _table_row(insn: Insn, slot: int, syntax: Syntax, loaded: Mapping[int, str] | None) -> str:
    from ..isa.forms import find_form

    text = _text_row(insn, slot, syntax, loaded)
    form = find_form(insn)
    if form is None:
        return text
    since = f"{form.since[0]}.{form.since[1]}" if form.since else "-"
    return f"{text:<44} {insn.code:#04x} {form.name:<16} {form.group.name.lower():<9} v{form.cpu} {since}"


def _name_helper(insn: Insn, slot: int) -> str | None:
    from ..isa.helpers import find_helper_name

    return find_helper_name(insn.imm) if _calls_outside(insn) else None


def _name_callee(insn: Insn, callees: Mapping[int, str]) -> str | None:
    return callees.get(insn.imm) if _calls_outside(insn) else None


def _calls_outside(insn: Insn) -> bool:
    from ..isa.ebpf import CALL

    return insn.code == CALL and insn.src == 0
