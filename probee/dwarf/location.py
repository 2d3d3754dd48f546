"""Location expressions (DWARF 5, sections 2.5 and 2.6): from their operations to a `Location`.

Expressions are run on a stack of `Expr` trees rather than of numbers: nothing of the running program is asked
for, and what comes out can be compiled into a probe. Branches and calls are `Unsupported`.
"""

from __future__ import annotations

from .consts import AT
from .expr import (
    OPTIMISED_OUT,
    Bytes,
    Cfa,
    Computed,
    Const,
    Deref,
    Entry,
    Expr,
    InMemory,
    InRegister,
    Location,
    Op,
    Piece,
    Pieces,
    Pointer,
    Register,
    ThreadLocal,
    Unsupported,
    make_op,
)
from .forms import BLOCKS, CONSTANTS
from .lists import find_location_list
from .ops import OP
from .section import SectionReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .die import Die
    from .unit import Unit

_MOST_OPERATIONS = 1 << 10
_MOST_NODES = 1 << 12
_MOST_NESTED = 8

_BINARY: dict[int, str] = {
    op: op.name.lower()
    for op in (
        OP.AND, OP.DIV, OP.MINUS, OP.MOD, OP.MUL, OP.OR, OP.PLUS, OP.SHL, OP.SHR, OP.SHRA, OP.XOR,
        OP.EQ, OP.GE, OP.GT, OP.LE, OP.LT, OP.NE,
    )
}  # fmt: skip
_UNARY: dict[int, str] = {op: op.name.lower() for op in (OP.ABS, OP.NEG, OP.NOT)}
_CONSTANTS: dict[int, str] = {
    OP.CONST1U: "B", OP.CONST1S: "b", OP.CONST2U: "H", OP.CONST2S: "h", OP.CONST4U: "I", OP.CONST4S: "i",
    OP.CONST8U: "Q", OP.CONST8S: "q",
}  # fmt: skip


def find_location(die: Die, address: int, frame: Die | None = None) -> Location:
    """Where the variable or parameter `die` is when the code is at `address`.

    `frame` is the function around it, whose frame base its places may be relative to. A constant that
    replaced the variable is `Computed` or `Bytes`. Without any of these it is `OptimisedOut`.
    """
    form, value = die.find_value(AT.LOCATION) or (0, b"")
    if form in BLOCKS and isinstance(value, bytes):
        return evaluate(value, die.unit, address, frame)
    listed = find_location_list(die, AT.LOCATION) if form else None
    if listed is not None:
        for low, high, expression in listed:
            if low <= address < high:
                return evaluate(expression, die.unit, address, frame)
        return OPTIMISED_OUT
    return _find_constant(die)


def find_frame_base(function: Die, address: int) -> Expr | None:
    """The frame base of a function when the code is at `address`; None when it isn't told, or not there."""
    found = _frame_base(function, address)
    if isinstance(found, InRegister):
        # As in all expressions of DW_AT_frame_base, the name of a register means its content.
        return Register(found.number)
    return found.address if isinstance(found, InMemory) else None


def evaluate(expression: bytes, unit: Unit, address: int, frame: Die | None = None) -> Location:
    """The location that the bytes of an expression mean when the code is at `address`."""
    return _Machine(expression, unit, address, frame).run()


def _frame_base(function: Die, address: int) -> Location:
    form, value = function.find_value(AT.FRAME_BASE) or (0, b"")
    if form in BLOCKS and isinstance(value, bytes):
        return evaluate(value, function.unit, address)
    for low, high, expression in (find_location_list(function, AT.FRAME_BASE) if form else None) or ():
        if low <= address < high:
            return evaluate(expression, function.unit, address)
    return OPTIMISED_OUT


def _find_constant(die: Die) -> Location:
    form, value = die.find_value(AT.CONST_VALUE) or (0, b"")
    if form in CONSTANTS and isinstance(value, int):
        return Computed(Const(value & (1 << 8 * die.unit.layout.address_size) - 1))
    if form and isinstance(value, bytes):
        return Bytes(value)
    text = die.find_bytes(AT.CONST_VALUE)
    return Bytes(text + b"\0") if text is not None else OPTIMISED_OUT


class _Stop(Exception):
    """An operation that isn't followed; its name is the argument."""


class _Machine:
    """One expression being run."""

    reader: SectionReader
    unit: Unit
    frame: Die | None

    def __init__(
        self, expression: bytes, unit: Unit, address: int, frame: Die | None, *, nested: int = 0
    ) -> None:
        path, name = unit.section.elf.path, f"{unit.section.name} expression"
        little = unit.dwarf.elf.little
        self.reader = SectionReader(expression, path=path, section=name, little=little)
        self.unit, self.address, self.frame, self.nested = unit, address, frame, nested
        self.bits = 8 * unit.layout.address_size
        self.stack: list[Expr] = []
        self.pieces: list[Piece] = []
        self.nodes = 0

    def run(self) -> Location:
        try:
            return self._run()
        except _Stop as stop:
            return Unsupported(str(stop))

    def _run(self) -> Location:
        place: Location | None = None
        for _ in range(_MOST_OPERATIONS):
            if not self.reader.left:
                break
            op = self.reader.read_u8()
            if op in (OP.PIECE, OP.BIT_PIECE):
                self._add_piece(op, place)
                place = None
                continue
            if place is not None and op != OP.GNU_UNINIT:
                raise self.reader.error(f"expected a piece after a place, got operation {op:#x}")
            place = self._place(op)
            if place is None:
                self._compute(op)
        else:
            raise self.reader.error(f"expected fewer than {_MOST_OPERATIONS} operations")
        if self.pieces:
            if place is not None or self.stack:
                raise self.reader.error("expected a piece at the end")
            return Pieces(tuple(self.pieces))
        return self._finish(place)

    def _finish(self, place: Location | None) -> Location:
        """The place before a piece or the end: what is left on the stack is an address."""
        if place is not None:
            return place
        return InMemory(self._pop()) if self.stack else OPTIMISED_OUT

    def _add_piece(self, op: int, place: Location | None) -> None:
        bits, offset = self.reader.read_uleb(), 0
        if op == OP.BIT_PIECE:
            offset = self.reader.read_uleb()
        else:
            bits *= 8
        self.pieces.append(Piece(self._finish(place), bits, offset))
        self.stack.clear()

    # Operations that end a place

    def _place(self, op: int) -> Location | None:
        reader = self.reader
        if OP.REG0 <= op < OP.REG0 + 32:
            return InRegister(op - OP.REG0)
        if op == OP.REGX:
            return InRegister(reader.read_uleb())
        if op == OP.STACK_VALUE:
            return Computed(self._pop())
        if op == OP.IMPLICIT_VALUE:
            return Bytes(reader.read_bytes(reader.read_uleb()))
        if op in (OP.IMPLICIT_POINTER, OP.GNU_IMPLICIT_POINTER):
            return Pointer(self._read_reference(), reader.read_sleb())
        if op in (OP.FORM_TLS_ADDRESS, OP.GNU_PUSH_TLS_ADDRESS):
            return ThreadLocal(self._pop())
        return None

    def _read_reference(self) -> int:
        layout = self.unit.layout
        size = layout.address_size if layout.version == 2 else layout.offset_size
        return int.from_bytes(self.reader.read_bytes(size), layout.order)

    # Operations on the stack

    def _compute(self, op: int) -> None:
        reader = self.reader
        if OP.BREG0 <= op < OP.BREG0 + 32:
            self._push_sum(Register(op - OP.BREG0), reader.read_sleb())
        elif OP.LIT0 <= op < OP.LIT0 + 32:
            self._push_number(op - OP.LIT0)
        elif op in _CONSTANTS:
            self._push_number(reader.read_struct(_CONSTANTS[op])[0])
        elif op in _BINARY:
            b, a = self._pop(), self._pop()
            self._push(make_op(_BINARY[op], a, b, bits=self.bits))
        elif op in _UNARY:
            self._push(make_op(_UNARY[op], self._pop(), bits=self.bits))
        elif op in _ACTIONS:
            _ACTIONS[op](self)
        else:
            raise _Stop(_op_name(op))

    def _fbreg(self) -> None:
        offset = self.reader.read_sleb()
        base = find_frame_base(self.frame, self.address) if self.frame is not None else None
        if base is None:
            raise _Stop("a place relative to a frame base that isn't told")
        self._push_sum(base, offset)

    def _entry_value(self) -> None:
        inner = self.reader.read_bytes(self.reader.read_uleb())
        if self.nested >= _MOST_NESTED:
            raise self.reader.error(f"expected at most {_MOST_NESTED} entry values in one another")
        found = _Machine(inner, self.unit, self.address, self.frame, nested=self.nested + 1).run()
        if isinstance(found, InRegister):
            self._push(Entry(Register(found.number)))
        elif isinstance(found, InMemory):
            self._push(Entry(found.address))
        else:
            raise _Stop("entry_value")

    def _deref(self, size: int) -> None:
        self._push(Deref(self._pop(), size))

    def _deref_size(self) -> None:
        self._deref(self.reader.read_u8())

    def _address(self) -> None:
        size = self.unit.layout.address_size
        self._push_number(int.from_bytes(self.reader.read_bytes(size), self.unit.layout.order))

    def _pick(self, index: int) -> None:
        if index >= len(self.stack):
            raise self.reader.error(f"expected {index + 1} values on the stack, got {len(self.stack)}")
        self._push(self.stack[-1 - index])

    def _drop(self) -> None:
        self._pop()

    def _rotate(self, count: int) -> None:
        if count > len(self.stack):
            raise self.reader.error(f"expected {count} values on the stack, got {len(self.stack)}")
        self.stack.insert(-count + 1, self.stack.pop())

    def _push_number(self, value: int) -> None:
        self._push(Const(value & (1 << self.bits) - 1))

    def _push_sum(self, base: Expr, offset: int) -> None:
        self._push(make_op("plus", base, Const(offset & (1 << self.bits) - 1), bits=self.bits))

    def _push(self, value: Expr) -> None:
        # A tree may share its branches, so what is counted is what printing it would take.
        self.nodes += _count(value)
        if self.nodes > _MOST_NODES:
            raise _Stop("an expression that is too long")
        self.stack.append(value)

    def _pop(self) -> Expr:
        if not self.stack:
            raise self.reader.error("expected a value on the stack")
        return self.stack.pop()


def _count(value: Expr) -> int:
    if isinstance(value, Deref):
        return 1 + _count(value.address)
    if isinstance(value, Entry):
        return 1 + _count(value.of)
    return 1 + sum(map(_count, value.operands)) if isinstance(value, Op) else 1


_ACTIONS: dict[int, Callable[[_Machine], None]] = {
    OP.ADDR: _Machine._address,
    OP.FBREG: _Machine._fbreg,
    OP.BREGX: lambda m: m._push_sum(Register(m.reader.read_uleb()), m.reader.read_sleb()),
    OP.CONSTU: lambda m: m._push_number(m.reader.read_uleb()),
    OP.CONSTS: lambda m: m._push_number(m.reader.read_sleb()),
    OP.PLUS_UCONST: lambda m: m._push_sum(m._pop(), m.reader.read_uleb()),
    OP.DEREF: lambda m: m._deref(m.unit.layout.address_size),
    OP.DEREF_SIZE: _Machine._deref_size,
    OP.DUP: lambda m: m._pick(0),
    OP.OVER: lambda m: m._pick(1),
    OP.PICK: lambda m: m._pick(m.reader.read_u8()),
    OP.DROP: _Machine._drop,
    OP.SWAP: lambda m: m._rotate(2),
    OP.ROT: lambda m: m._rotate(3),
    OP.NOP: lambda m: None,
    OP.GNU_UNINIT: lambda m: None,
    OP.CALL_FRAME_CFA: lambda m: m._push(Cfa()),
    OP.ADDRX: lambda m: m._push_number(m.unit.address(m.reader.read_uleb())),
    OP.GNU_ADDR_INDEX: lambda m: m._push_number(m.unit.address(m.reader.read_uleb())),
    OP.CONSTX: lambda m: m._push_number(m.unit.address(m.reader.read_uleb())),
    OP.GNU_CONST_INDEX: lambda m: m._push_number(m.unit.address(m.reader.read_uleb())),
    OP.ENTRY_VALUE: _Machine._entry_value,
    OP.GNU_ENTRY_VALUE: _Machine._entry_value,
}


def _op_name(op: int) -> str:
    try:
        return f"DW_OP_{OP(op).name.removeprefix('GNU_').lower()}"
    except ValueError:
        return f"operation {op:#x}"
