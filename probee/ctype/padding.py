"""Which C puts the members of a struct where they are: plain fields, or attributes and padding.

The reverse of `layout`: from places to fields. BTF and DWARF tell places, and nothing of the attributes
and unnamed bit-fields that made them.
"""

from __future__ import annotations

from ..base.record import record, replace
from .layout import Abi, Field, lay_out, place
from .types import Int, Member, Struct

_LARGEST_ALIGNMENT = 4096
_MOST_PADDING = 1 << 20
"""Bits of padding in one place that are worth writing."""

_FILLERS = tuple(Int(size, True, name) for size, name in ((8, "long"), (4, "int"), (2, "short"), (1, "char")))


@record
class Plan:
    """Fields in order, unnamed bit-fields for padding among them, and attributes of the whole."""

    fields: tuple[Field, ...]
    packed: bool
    alignment: int


def plan_struct(struct: Struct, abi: Abi) -> Plan:
    """Fields and attributes that `lay_out` lays out as `struct`. Raises ValueError where there are none,
    as for members that lie across one another."""
    for packed, aligned in ((False, True), (False, False), (True, False)):
        plan = _plan(struct, packed, aligned, abi)
        if plan is not None:
            return plan
    raise ValueError(f"no declaration of C puts the members of {struct} where they are")


def _plan(struct: Struct, packed: bool, aligned: bool, abi: Abi) -> Plan | None:
    fields: list[Field] = []
    at = 0
    for member in struct.members:
        start = 0 if struct.kind == "union" else at
        found = _field(start, member, packed, aligned, abi)
        if found is None:
            return None
        fields += found
        at = member.offset_bits + (member.bit_size or 8 * member.type.size)
    plain = Plan(tuple(fields), packed, 0)
    for tried in (plain, replace(plain, alignment=struct.align)):
        if _is(struct, tried, abi):
            return tried
    if 8 * struct.bytes < at:
        return None
    if struct.kind == "union":
        filling = [Field("", _FILLERS[0], min(8 * struct.bytes, 64))]
    else:
        filling = _filling(at, 8 * struct.bytes)
    filled = Plan((*fields, *filling), packed, 0)
    return next((p for p in (filled, replace(filled, alignment=struct.align)) if _is(struct, p, abi)), None)


def _is(struct: Struct, plan: Plan, abi: Abi) -> bool:
    found = lay_out(struct.kind, plan.fields, packed=plan.packed, alignment=plan.alignment, abi=abi)
    made = Struct("", found.bytes, found.members, struct.kind, found.alignment)
    if made.bytes != struct.bytes or made.align != struct.align:
        return False
    places = [(m.offset_bits, m.bit_size) for m in made.members]
    return places == [(m.offset_bits, m.bit_size) for m in struct.members]


def _field(at: int, member: Member, packed: bool, aligned: bool, abi: Abi) -> list[Field] | None:
    """Fields that put `member` where it is, after one that ends at `at`: itself, after padding perhaps."""
    field = Field(member.name, member.type, member.bit_size or None)

    def spot(tried: Field, start: int = at) -> int:
        return place(start, replace(tried, packed=True) if packed else tried, 0, abi)[0]

    # Attributes of a member without a name would be those of its type.
    aligned = aligned and member.name != ""
    if spot(field) > member.offset_bits and member.name:
        field = replace(field, packed=True)
    if spot(field) == member.offset_bits:
        return [field]
    alignment = member.type.align
    while aligned and not member.bit_size and alignment <= _LARGEST_ALIGNMENT:
        tried = replace(field, alignment=alignment)
        if spot(tried) == member.offset_bits:
            return [tried]
        alignment *= 2
    if not 0 <= member.offset_bits - at <= _MOST_PADDING:
        return None
    filling = _filling(at, member.offset_bits)
    if spot(field, member.offset_bits) != member.offset_bits and member.name:
        field = replace(field, packed=True)
    return [*filling, field] if spot(field, member.offset_bits) == member.offset_bits else None


def _filling(at: int, end: int) -> list[Field]:
    """Unnamed bit-fields from `at` to `end`, each within one unit of its type."""
    filling: list[Field] = []
    while at < end and end - at <= _MOST_PADDING:
        for type in _FILLERS:
            unit = 8 * type.bytes
            if at % unit == 0 and end - at >= unit:
                break
        bits = min(unit - at % unit, end - at)
        filling.append(Field("", type, bits))
        at += bits
    return filling
