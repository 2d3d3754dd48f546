"""The canonical frame address (CFA) at a place in the code: DWARF 5, section 6.4, of the CFA's rule alone.

Variables of unoptimised code are told by their distance from it; only the frame tables say where it is.
"""

from __future__ import annotations

from enum import IntEnum

from ..base.reader import Reader
from ..elf.eh_frame import find_frame, parse_frame_table
from .expr import Const, Expr, Register, make_op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..elf.eh_frame import Frame
    from ..elf.file import Elf

    Rule = tuple[int, int]

_BITS = 64


class CFA(IntEnum):
    """DW_CFA: operations of frame tables. The first three have an operand in their low six bits."""

    ADVANCE_LOC = 0x40
    OFFSET = 0x80
    RESTORE = 0xC0
    NOP = 0x00
    SET_LOC = 0x01
    ADVANCE_LOC1 = 0x02
    ADVANCE_LOC2 = 0x03
    ADVANCE_LOC4 = 0x04
    OFFSET_EXTENDED = 0x05
    RESTORE_EXTENDED = 0x06
    UNDEFINED = 0x07
    SAME_VALUE = 0x08
    REGISTER = 0x09
    REMEMBER_STATE = 0x0A
    RESTORE_STATE = 0x0B
    DEF_CFA = 0x0C
    DEF_CFA_REGISTER = 0x0D
    DEF_CFA_OFFSET = 0x0E
    DEF_CFA_EXPRESSION = 0x0F
    EXPRESSION = 0x10
    OFFSET_EXTENDED_SF = 0x11
    DEF_CFA_SF = 0x12
    DEF_CFA_OFFSET_SF = 0x13
    VAL_OFFSET = 0x14
    VAL_OFFSET_SF = 0x15
    VAL_EXPRESSION = 0x16
    AARCH64_NEGATE_RA_STATE = 0x2D
    GNU_ARGS_SIZE = 0x2E


# Operands of operations that say nothing of the CFA: numbers, u without and s with a sign, b for bytes.
_PASSED: dict[int, str] = {
    CFA.NOP: "",
    CFA.OFFSET_EXTENDED: "uu",
    CFA.RESTORE_EXTENDED: "u",
    CFA.UNDEFINED: "u",
    CFA.SAME_VALUE: "u",
    CFA.REGISTER: "uu",
    CFA.EXPRESSION: "ub",
    CFA.OFFSET_EXTENDED_SF: "us",
    CFA.VAL_OFFSET: "uu",
    CFA.VAL_OFFSET_SF: "us",
    CFA.VAL_EXPRESSION: "ub",
    CFA.AARCH64_NEGATE_RA_STATE: "",
    CFA.GNU_ARGS_SIZE: "u",
}
_ADVANCES: dict[int, Callable[[Reader], int]] = {
    CFA.ADVANCE_LOC1: Reader.read_u8,
    CFA.ADVANCE_LOC2: Reader.read_u16,
    CFA.ADVANCE_LOC4: Reader.read_u32,
}
_LOW = 0x3F


def find_cfa(elf: Elf, address: int) -> Expr | None:
    """The CFA when the code at `address` is about to run; None where no table tells, or by an expression."""
    frame = find_frame(elf, parse_frame_table(elf), address)
    if frame is None:
        return None
    rule = _Rules(elf, frame, address).run()
    if rule is None:
        return None
    register, offset = rule
    return make_op("plus", Register(register), Const(offset & (1 << _BITS) - 1), bits=_BITS)


class _Rules:
    """The rule of the CFA while operations are run up to an address; None: an expression."""

    def __init__(self, elf: Elf, frame: Frame, address: int) -> None:
        self._elf, self._frame, self._address = elf, frame, address
        self._at = frame.start
        self._rule: Rule | None = (0, 0)
        self._kept: list[Rule | None] = []

    def run(self) -> Rule | None:
        for operations in (self._frame.initial, self._frame.operations):
            reader = Reader(operations, path=self._elf.path, section=".eh_frame", little=self._elf.little)
            while reader.left and self._at <= self._address:
                self._step(reader, reader.read_u8())
        return self._rule

    def _step(self, reader: Reader, op: int) -> None:
        high = op & ~_LOW
        if high == CFA.ADVANCE_LOC:
            self._at += (op & _LOW) * self._frame.code_factor
        elif high == CFA.OFFSET:
            reader.read_uleb()
        elif high == CFA.RESTORE:
            return
        elif op in _ADVANCES:
            self._at += _ADVANCES[op](reader) * self._frame.code_factor
        elif op in _PASSED:
            _pass(reader, _PASSED[op])
        elif op in _DEFINITIONS:
            self._rule = _DEFINITIONS[op](self, reader)
        elif op == CFA.REMEMBER_STATE:
            self._kept.append(self._rule)
        elif op == CFA.RESTORE_STATE and self._kept:
            self._rule = self._kept.pop()
        else:
            raise reader.error(f"expected an operation of frame tables, got {op:#x}")

    def _whole(self, reader: Reader) -> Rule:
        return reader.read_uleb(), reader.read_uleb()

    def _whole_signed(self, reader: Reader) -> Rule:
        return reader.read_uleb(), reader.read_sleb() * self._frame.data_factor

    def _register(self, reader: Reader) -> Rule | None:
        register = reader.read_uleb()
        return (register, self._rule[1]) if self._rule is not None else None

    def _offset(self, reader: Reader) -> Rule | None:
        offset = reader.read_uleb()
        return (self._rule[0], offset) if self._rule is not None else None

    def _offset_signed(self, reader: Reader) -> Rule | None:
        offset = reader.read_sleb() * self._frame.data_factor
        return (self._rule[0], offset) if self._rule is not None else None

    def _expression(self, reader: Reader) -> None:
        _pass(reader, "b")


def _pass(reader: Reader, operands: str) -> None:
    for operand in operands:
        if operand == "b":
            reader.read_bytes(reader.read_uleb())
        elif operand == "s":
            reader.read_sleb()
        else:
            reader.read_uleb()


_DEFINITIONS: dict[int, Callable[[_Rules, Reader], Rule | None]] = {
    CFA.DEF_CFA: _Rules._whole,
    CFA.DEF_CFA_SF: _Rules._whole_signed,
    CFA.DEF_CFA_REGISTER: _Rules._register,
    CFA.DEF_CFA_OFFSET: _Rules._offset,
    CFA.DEF_CFA_OFFSET_SF: _Rules._offset_signed,
    CFA.DEF_CFA_EXPRESSION: _Rules._expression,
}
