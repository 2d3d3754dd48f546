"""Where the fields of records and of C structs are."""

from __future__ import annotations

from ..base.record import replace
from ..ctype.types import CType, Member, Struct
from ..funcs.memory import KernelAddress
from ..spec.values import Tuple
from .types import resolve


def as_pointer(type: CType) -> CType:
    """`type` without the names of typedefs, and the address of a symbol as the pointer that it is."""
    type = resolve(type)
    return type.pointer if isinstance(type, KernelAddress) else type


def find_field(type: Tuple, name: str) -> tuple[int, CType]:
    """Byte offset and type of a field of a record."""
    index = type.names.index(name)
    return type.offsets[index], type.items[index]


def find_member(type: Struct, name: str) -> Member | None:
    """A member of a struct or union, with its offset in the whole; those of anonymous members are its own."""
    for member in type.members:
        if member.name == name:
            return member
        inner = resolve(member.type)
        if not member.name and isinstance(inner, Struct):
            found = find_member(inner, name)
            if found is not None:
                return replace(found, offset_bits=found.offset_bits + member.offset_bits)
    return None
