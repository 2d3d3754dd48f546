"""Variables at a place in a program's code: their types, and where a probe's program finds them there."""

from __future__ import annotations

from functools import cached_property

from ..base.bits import align_up
from ..base.record import record, replace
from ..ctype.types import CType, Member, Ptr, Struct, Typedef
from ..dwarf.expr import (
    OPTIMISED_OUT,
    Cfa,
    Computed,
    Const,
    Deref,
    Entry,
    Expr,
    InMemory,
    Location,
    Op,
    Piece,
    Pieces,
    Register,
    ThreadLocal,
    Unsupported,
    make_op,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..dwarf.functions import Function, Parameter, Variable
    from ..elf.file import Elf

_BITS = 64
_NOT_STORED = "its place in the function's frame, which is not made yet here"


@record
class Named:
    """A variable by its name: its type, and where it is at the place that is traced."""

    name: str
    type: CType
    location: Location


def find_variables(function: Function, elf: Elf, address: int) -> dict[str, Named]:
    """What can be named at `address` of `elf`, in `function`: its arguments where it is entered, parameters
    and variables inside of it."""
    return _Place(function, elf, address).find()


def find_returned(function: Function, machine: int) -> Named:
    """What the function returns, and where that is right after it has returned."""
    from ..dwarf.convention import find_result

    return Named("retval", _in_user_space(function.returns), find_result(function, machine))


def make_record(variables: dict[str, Named]) -> Struct:
    """All variables as one struct."""
    members, at = [], 0
    for variable in variables.values():
        at = align_up(at, min(variable.type.align, 8))
        members.append(Member(variable.name, variable.type, 8 * at))
        at += variable.type.size
    return Struct("args", align_up(at, 8), tuple(members))


class _Place:
    """The places of variables when the code at `address` is about to run."""

    def __init__(self, function: Function, elf: Elf, address: int) -> None:
        self._function, self._elf, self._address = function, elf, address
        self._is_entered = function.entry == address

    def find(self) -> dict[str, Named]:
        found: dict[str, Named] = {}
        listed = self._iter_arguments() if self._is_entered else self._iter_visible()
        for name, variable, location in listed:
            if name not in found:
                found[name] = Named(name, _in_user_space(variable.type), self._settle(location))
        return found

    def _iter_arguments(self) -> Iterator[tuple[str, Variable, Location]]:
        from ..dwarf.convention import find_arguments

        function = self._function
        passed = find_arguments(function, self._elf.machine)
        for number, (parameter, place) in enumerate(zip(function.parameters, passed, strict=True)):
            location = parameter.location_at_entry(self._address)
            if location == OPTIMISED_OUT and _is_found_later(parameter, place):
                location = None
            name = parameter.name or f"arg{number}"
            yield name, parameter, place if location is None else location

    def _iter_visible(self) -> Iterator[tuple[str, Variable, Location]]:
        """The innermost first: what a block declares hides what those around it do."""
        from ..dwarf.functions import find_inlined

        function, address = self._function, self._address
        for code in [*reversed(find_inlined(function, address)), function]:
            for variable in code.variables_at(address):
                location = variable.location(address)
                if variable.name:
                    yield variable.name, variable, self._if_stored(variable, location)

    def _if_stored(self, variable: Variable, location: Location) -> Location:
        body = self._function.body
        is_early = body is not None and self._function.entry is not None and self._address < body
        if is_early and isinstance(location, InMemory) and variable.location_ranges() is None:
            return Unsupported(_NOT_STORED)
        return location

    def _settle(self, location: Location) -> Location:
        """`location` without the CFA, and at the function's entry without values from there."""
        try:
            return _rewrite_location(location, self._rewrite)
        except _Unknown as unknown:
            return Unsupported(str(unknown))

    def _rewrite(self, value: Expr) -> Expr:
        if isinstance(value, Cfa):
            return self._cfa
        if isinstance(value, Entry):
            if not self._is_entered:
                raise _Unknown("computed of a value at the function's entry, which is not kept")
            return value.of
        return value

    @cached_property
    def _cfa(self) -> Expr:
        from ..arch import find_by_elf_machine
        from ..dwarf.cfa import find_cfa
        from ..dwarf.registers import register_numbers

        if self._is_entered:
            arch = find_by_elf_machine(self._elf.machine)
            stack = Register(register_numbers(self._elf.machine)[arch.stack_pointer])
            return make_op("plus", stack, Const(arch.stack_argument), bits=_BITS)
        found = find_cfa(self._elf, self._address)
        if found is None:
            raise _Unknown("in the function's frame, of which no frame table tells where it is")
        return found


def _is_found_later(parameter: Parameter, place: Location) -> bool:
    """Whether the first place that is told of an argument, after the function's first instructions, is the
    one where callers put it: GCC tells so late where structs in two registers are."""
    if parameter.moved:
        return False
    starts = [low for low, high in parameter.location_ranges() or () if low < high]
    return bool(starts) and parameter.location(min(starts)) == place


class _Unknown(Exception):
    """Why a location can't be told; the reason is the argument."""


def _in_user_space(type: CType) -> CType:
    """`type`, if it is a pointer with where it points: into the traced process."""
    if isinstance(type, Ptr):
        return replace(type, space="user")
    if isinstance(type, Typedef):
        to = _in_user_space(type.to)
        return type if to is type.to else replace(type, to=to)
    return type


def _rewrite_location(location: Location, rewrite: Callable[[Expr], Expr]) -> Location:
    if isinstance(location, InMemory):
        return InMemory(_rewrite_expr(location.address, rewrite))
    if isinstance(location, Computed):
        return Computed(_rewrite_expr(location.value, rewrite))
    if isinstance(location, ThreadLocal):
        return Unsupported("in the thread's own block of variables")
    if isinstance(location, Pieces):
        pieces = [
            Piece(_rewrite_location(p.location, rewrite), p.bits, p.offset_bits) for p in location.pieces
        ]
        if any(piece.location == OPTIMISED_OUT for piece in pieces):
            return Unsupported("partly optimised out")
        return Pieces(tuple(pieces))
    return location


def _rewrite_expr(value: Expr, rewrite: Callable[[Expr], Expr]) -> Expr:
    value = rewrite(value)
    if isinstance(value, Deref):
        return Deref(_rewrite_expr(value.address, rewrite), value.bytes)
    if isinstance(value, Op):
        return make_op(value.op, *[_rewrite_expr(o, rewrite) for o in value.operands], bits=_BITS)
    return value
