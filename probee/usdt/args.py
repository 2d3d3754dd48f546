"""Arguments of a probe: the last string of its note, `size@operand` one after the other.

The size is in bytes, negative for signed values, with `f` behind it for floating point ones; the operand is
what the compiler would put into an instruction, in the assembler's own syntax: a file per CPU.
"""

from __future__ import annotations

import re
from enum import IntEnum

from ..arch import find_by_elf_machine
from ..base.bits import signed, unsigned
from ..base.record import record, replace
from ..elf.consts import EM, ET, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..elf.file import Elf

_MOST = 64
"""Arguments of one probe; <sys/sdt.h> has macros for up to 12."""

_SIZES = (1, 2, 4, 8)
# Blanks may be part of an operand in brackets: [sp, 60].
_ARG = re.compile(
    r"(?:(-?)(\d{1,3})(f?)@)?(?!-?\d+f?@)((?:\[[^][]*\]|\([^()]*\)|[^\s()[\]])+)(?!\S)", re.ASCII
)
_BLANKS = re.compile(r"\s*", re.ASCII)
_TERM = re.compile(r"([+-]{0,2})(?:(0[xX][0-9a-fA-F]{1,16}|\d{1,20})|([A-Za-z_.$][\w.$@]*))", re.ASCII)


class Kind(IntEnum):
    """Where the value of an argument is."""

    REGISTER = 1
    MEMORY = 2
    CONSTANT = 3
    UNSUPPORTED = 4


@record
class Arg:
    """One argument of a probe, `text` in its note; `size` is in bytes.

    REGISTER     `size` bytes of `register`, from bit `shift` on (8 for %ah)
    MEMORY       `size` bytes at `register` + `index` × `scale` + `displacement` + address of `symbol`;
                 of the index register the low `index_size` bytes count, with a sign where `index_signed`
    CONSTANT     `value` + address of `symbol` + `register`, which only `place_symbol` sets
    UNSUPPORTED  nothing that a tracer can read: `reason` says why

    Registers are named as in `arch.Arch`; "" is none, as it is for symbols. Where `is_float`, the bytes are
    those of a float or double.
    """

    text: str
    kind: Kind
    size: int
    signed: bool = False
    is_float: bool = False
    register: str = ""
    shift: int = 0
    displacement: int = 0
    index: str = ""
    scale: int = 1
    index_size: int = 8
    index_signed: bool = False
    value: int = 0
    symbol: str = ""
    reason: str = ""


def parse_args(text: str, elf: Elf, *, section: str = ".note.stapsdt", at: int = 0) -> tuple[Arg, ...]:
    """The arguments that `text`, which stands at `section` + `at` of `elf`, spells.

    An operand that no tracer can read is UNSUPPORTED. Raises FormatError for what is no list of arguments.
    """
    parse_operand = _find_syntax(elf)
    args: list[Arg] = []
    place = _skip_blanks(text, 0)
    while place < len(text):
        found = _ARG.match(text, place)
        if found is None or len(args) == _MOST:
            wanted = f"at most {_MOST} arguments" if found else "an argument such as 8@OPERAND"
            shown = text[place : place + 40]
            raise elf.error(f"expected {wanted}, got {shown!r}", section=section, at=at + place)
        sign, digits, is_float, operand = found.groups()
        # Without a size, as in the first version of the format, it is the word's.
        size = int(digits or elf.bits // 8)
        blank = Arg(found[0], Kind.UNSUPPORTED, size, bool(sign), bool(is_float))
        args.append(_finish(parse_operand(operand, blank)))
        place = _skip_blanks(text, found.end())
    return tuple(args)


def find_address(elf: Elf, arg: Arg) -> int | None:
    """The virtual address in `elf` that `arg.symbol` and the number beside it make, or None when there is no
    such symbol, or more than one. In a process it is as far from the instruction pointer as from `location`.
    """
    values = {s.value for s in elf.find_symbols(arg.symbol) if s.is_defined} if arg.symbol else set()
    if len(values) != 1:
        return None
    return values.pop() + (arg.value if arg.kind == Kind.CONSTANT else arg.displacement)


def place_symbol(elf: Elf, arg: Arg, location: int) -> Arg:
    """`arg`, of a probe at `location` of `elf`, with a number in place of its symbol.

    What moves with the program is told by the distance from the instruction pointer, which is the `register`
    then, also of a CONSTANT. UNSUPPORTED when there is no such symbol, or more than one.
    """
    if not arg.symbol or arg.kind == Kind.UNSUPPORTED:
        return arg
    address = find_address(elf, arg)
    if address is None:
        return refuse(arg, f"the address of {arg.symbol} is not known")
    moves = elf.header.type == ET.DYN
    if moves and arg.register:
        return refuse(arg, f"operand {arg.text.partition('@')[2]}: {arg.symbol} moves with the program")
    register = find_by_elf_machine(elf.machine).instruction_pointer if moves else arg.register
    number = address - location if moves else address
    if arg.kind == Kind.CONSTANT:
        return replace(arg, symbol="", register=register, value=number)
    return replace(arg, symbol="", register=register, displacement=number)


# For the syntaxes


def make(arg: Arg, kind: Kind, **fields: Any) -> Arg:
    """`arg` as one of `kind`."""
    return replace(arg, kind=kind, **fields)


def refuse(arg: Arg, reason: str) -> Arg:
    """`arg` as one that can't be read because of `reason`."""
    return replace(arg, kind=Kind.UNSUPPORTED, reason=reason)


def parse_sum(text: str) -> tuple[str, int] | None:
    """Symbol ("" for none) and number of a sum such as `4+name` or `-16`; None for what is none."""
    symbol, number, at = "", 0, 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or (at and not found[1]):
            return None
        negative = found[1].count("-") % 2 == 1
        if found[2]:
            magnitude = int(found[2], 0 if found[2][:2] in ("0x", "0X") else 10)
            number += -magnitude if negative else magnitude
        elif symbol or negative:
            return None
        else:
            symbol = found[3]
        at = found.end()
    return (symbol, number) if text else None


def _find_syntax(elf: Elf) -> Callable[[str, Arg], Arg]:
    if elf.machine == EM.X86_64:
        from .x86 import parse_operand
    elif elf.machine == EM.I386:
        from .x86 import parse_operand_32 as parse_operand
    elif elf.machine == EM.AARCH64:
        from .aarch64 import parse_operand
    else:
        machine = name_of(EM, elf.machine)
        return lambda operand, arg: refuse(arg, f"probee doesn't know the operands of CPU {machine}")
    return parse_operand


def _finish(arg: Arg) -> Arg:
    if arg.kind == Kind.UNSUPPORTED:
        return arg
    if arg.size not in _SIZES:
        return refuse(arg, f"a value of {arg.size} bytes")
    if arg.kind == Kind.CONSTANT and not arg.symbol:
        cut = signed if arg.signed else unsigned
        return replace(arg, value=cut(arg.value, 8 * arg.size))
    return arg


def _skip_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at
