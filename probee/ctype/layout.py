"""Where the members of a struct or union go: the System V ABI of x86-64 and of AArch64, as gcc applies it.

Both agree but for unnamed bit-fields, of which AArch64 counts the alignment and x86-64 does not.
Sizes and alignments are in bytes, places in bits.
"""

from __future__ import annotations

from ..base.bits import align_up
from ..base.record import record, replace
from .types import CType, Member, Struct


@record
class Abi:
    """What a CPU's ABI says about C types beyond their usual sizes (LP64, 16 bytes at most aligned)."""

    name: str
    char_signed: bool
    unnamed_bit_fields_align: bool
    va_list_words: int


X86_64 = Abi("x86_64", char_signed=True, unnamed_bit_fields_align=False, va_list_words=3)
AARCH64 = Abi("aarch64", char_signed=False, unnamed_bit_fields_align=True, va_list_words=4)
ABIS = {abi.name: abi for abi in (X86_64, AARCH64)}


@record
class Field:
    """A member before it has a place. `bit_size` is None where it is no bit-field; its attributes are
    `alignment` (0: none) and `packed`."""

    name: str
    type: CType
    bit_size: int | None = None
    alignment: int = 0
    packed: bool = False


@record
class Layout:
    """Size and places; `alignment` is 0 where the members tell it (see `Struct`)."""

    bytes: int
    members: tuple[Member, ...]
    alignment: int


def lay_out(
    kind: str,
    fields: tuple[Field, ...],
    *,
    packed: bool = False,
    alignment: int = 0,
    pack: int = 0,
    abi: Abi = X86_64,
) -> Layout:
    """Place the fields of a `kind` ("struct" or "union").

    `packed` and `alignment` (0: none) are the attributes of the whole, `pack` the limit that
    `#pragma pack` set (0: none).
    """
    at = end = 0
    largest = 8
    members = []
    for field in fields:
        if packed:
            field = replace(field, packed=True)
        spot, counted = place(0 if kind == "union" else at, field, 8 * pack, abi)
        at = spot + (8 * field.type.size if field.bit_size is None else field.bit_size)
        largest, end = max(largest, counted), max(end, at)
        # A bit-field without a name only moves those after it.
        if field.name or field.bit_size is None:
            members.append(Member(field.name, field.type, spot, field.bit_size or 0))
    align = max(largest // 8, alignment)
    size = align_up(-(-end // 8), align)
    told = Struct("", size, tuple(members), kind).align
    return Layout(size, tuple(members), 0 if told == align else align)


def enum_layout(numbers: list[int], packed: bool) -> tuple[int, bool]:
    """Bytes and sign of the integer that holds all constants of an enum, as gcc chooses it."""
    is_signed = any(number < 0 for number in numbers)
    bits = max([(n if n >= 0 else ~n).bit_length() + is_signed for n in numbers], default=1)
    for size in (1, 2, 4) if packed else (4,):
        if bits <= 8 * size:
            return size, is_signed
    return 8, is_signed


def place(at: int, field: Field, pack: int, abi: Abi) -> tuple[int, int]:
    """Place of a field at `at` or after it, and the alignment it gives the whole: all in bits, as `pack`."""
    natural = 8 * field.type.align
    asked = 8 * field.alignment
    if field.bit_size is None:
        align = max(asked or 8 if field.packed else max(asked, natural), 8)
        align = min(align, pack) if pack else align
        return align_up(at, align), align
    if field.bit_size == 0:
        # It ends the unit, whatever is packed.
        align = max(asked, natural)
        return align_up(at, align), align if abi.unnamed_bit_fields_align else 8
    align = max(asked, 1)
    align = min(align, pack) if pack else align
    at = align_up(at, align)
    tight = field.packed or pack
    if not tight and at % natural + field.bit_size > max(8 * field.type.size, natural):
        # It may not lie across two units of its type.
        at = align_up(at, natural)
    if not field.name and not abi.unnamed_bit_fields_align:
        return at, 8
    limit = pack or (8 if field.packed else natural)
    return at, max(align, min(natural, limit), 8)
