"""Values by the places that debug information gives: into memory or registers that a program can reach."""

from __future__ import annotations

from ..arch import find_by_elf_machine
from ..base.bits import align_up
from ..base.record import record
from ..dwarf.expr import (
    Bytes,
    Computed,
    Const,
    Deref,
    Entry,
    Expr,
    InMemory,
    InRegister,
    Location,
    Op,
    OptimisedOut,
    Pieces,
    Pointer,
    Register,
    Unsupported,
    split_sum,
)
from ..dwarf.registers import register_names
from ..ir.types import S64, U64, int_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..arch.arch import Register as CpuRegister
    from ..ir.nodes import Value
    from .emit import Emitter

_READ = "probe_read_user"
_WORD = 8
_OPS = {
    "plus": "add", "minus": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor", "shl": "shl",
    "shr": "lshr", "shra": "ashr",
}  # fmt: skip
_COMPARISONS = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}


@record
class Found:
    """Where a value lies: `offset` bytes past `pointer`, which is the traced process's if there is a
    `helper` that reads it."""

    pointer: Value
    offset: int
    helper: str = ""


# Why not

_NOT_PASSED = "DW_OP_parameter_ref"


def find_trouble(location: Location, machine: int) -> str | None:
    """Why a program can't read what is at `location`, None where it can. `machine`: ELF's of the CPU."""
    if isinstance(location, OptimisedOut):
        return "it was optimised out: the compiler keeps no value of it here"
    if isinstance(location, Unsupported) and location.operation == _NOT_PASSED:
        return "it was optimised out: this clone of the function is called without it"
    if isinstance(location, Unsupported):
        return f"it is {location.operation}" if " " in location.operation else _unfollowed(location.operation)
    if isinstance(location, Pointer):
        return "what it points to was optimised out"
    if isinstance(location, InRegister):
        return _register_trouble(location.number, machine)
    if isinstance(location, InMemory):
        return _expr_trouble(location.address, machine)
    if isinstance(location, Computed):
        return _expr_trouble(location.value, machine)
    if isinstance(location, Pieces):
        troubles = [find_trouble(piece.location, machine) for piece in location.pieces]
        if any(piece.bits % 8 or piece.offset_bits for piece in location.pieces):
            return "it is put together from parts of bytes"
        return next((trouble for trouble in troubles if trouble), None)
    return None


def _unfollowed(operation: str) -> str:
    return f"its place is told by {operation}, which probee doesn't follow"


def _register_trouble(number: int, machine: int) -> str | None:
    if _find_register(number, machine) is not None:
        return None
    return f"it is in {register_names(machine)(number)}, a register that programs of probes don't see"


def _expr_trouble(value: Expr, machine: int) -> str | None:
    if isinstance(value, Register):
        return _register_trouble(value.number, machine)
    if isinstance(value, Deref):
        return _expr_trouble(value.address, machine)
    if isinstance(value, Entry):
        return "it is computed of a value at the function's entry, which is not kept"
    if isinstance(value, Op):
        if value.op not in _OPS and value.op not in _COMPARISONS and value.op not in ("neg", "not"):
            return _unfollowed(value.op)
        return next((t for t in [_expr_trouble(o, machine) for o in value.operands] if t), None)
    return None


def _find_register(number: int, machine: int) -> CpuRegister | None:
    return find_by_elf_machine(machine).find_register(register_names(machine)(number))


# Reading


def locate(to: Emitter, location: Location, size: int, machine: int, address: int) -> Found:
    """The `size` bytes at a `location` without trouble, when the code at `address` of its file runs."""
    b = to.b
    if isinstance(location, InMemory):
        place = _Reader(to, machine).value(location.address)
        if isinstance(split_sum(location.address)[0], Const):
            # Where the file was loaded: the probe's own address tells.
            place = b.op("add", place, b.op("sub", _instruction(to, machine), address))
        return Found(place, 0, _READ)
    if isinstance(location, InRegister) and size <= _WORD:
        register = _find_register(location.number, machine)
        assert register is not None
        if register.size >= size:
            return Found(b.context(), register.offset)
    memory = b.slot(align_up(max(size, 1), _WORD))
    b.zero(memory, align_up(max(size, 1), _WORD))
    if isinstance(location, Bytes):
        for at, byte in enumerate(location.data[:size]):
            b.store(memory, byte, 1, at)
    elif isinstance(location, Pieces):
        _join(to, location, memory, size, machine)
    else:
        assert isinstance(location, (Computed, InRegister))
        value = location.value if isinstance(location, Computed) else Register(location.number)
        b.store(memory, _Reader(to, machine).value(value), _WORD)
    return Found(memory, 0)


def _join(to: Emitter, location: Pieces, memory: Value, size: int, machine: int) -> None:
    b, at = to.b, 0
    for piece in location.pieces:
        count = min(piece.bits // 8, size - at)
        part = locate(to, piece.location, count, machine, 0)
        if part.helper:
            b.call(part.helper, b.offset(memory, at), count, b.op("add", part.pointer, part.offset))
        else:
            b.copy(memory, part.pointer, count, at, part.offset)
        at += count


def _instruction(to: Emitter, machine: int) -> Value:
    arch = find_by_elf_machine(machine)
    return to.b.load(to.b.context(), U64, arch.register(arch.instruction_pointer).offset)


class _Reader:
    """The numbers that expressions are."""

    def __init__(self, to: Emitter, machine: int) -> None:
        self._b, self._machine = to.b, machine

    def value(self, expr: Expr) -> Value:
        b = self._b
        if isinstance(expr, Const):
            return b.const(expr.value, U64)
        if isinstance(expr, Register):
            register = _find_register(expr.number, self._machine)
            assert register is not None
            return b.ext(b.load(b.context(), int_type(register.size, False), register.offset), U64)
        if isinstance(expr, Deref):
            memory = b.slot(_WORD)
            # Where the read fails the kernel leaves zeros.
            b.call(_READ, memory, expr.bytes, self.value(expr.address))
            return b.ext(b.load(memory, int_type(expr.bytes, False)), U64)
        assert isinstance(expr, Op)
        return self._operation(expr)

    def _operation(self, expr: Op) -> Value:
        b = self._b
        values = [self.value(operand) for operand in expr.operands]
        if expr.op == "neg":
            return b.neg(values[0])
        if expr.op == "not":
            return b.op("xor", values[0], -1)
        if expr.op in _COMPARISONS:
            signed = [b.cast(value, S64) for value in values]
            return b.ext(b.compare(_COMPARISONS[expr.op], signed[0], signed[1]), U64)
        left, right = values
        if expr.op == "shra":
            left = b.cast(left, S64)
        return b.cast(b.op(_OPS[expr.op], left, right), U64)
