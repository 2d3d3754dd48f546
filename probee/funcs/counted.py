"""Text that knows its length, of Go and Rust: an address and a number of bytes, in a record."""

from __future__ import annotations

from ..base.record import record
from ..ctype.types import CType, Int, Ptr, Struct, strip_typedefs

_ADDRESSES = frozenset({"str", "data_ptr", "array"})
_LENGTHS = frozenset({"len", "length"})
_DEEPEST = 8


@record
class Counted:
    """Where in a record the address and the length are: offsets in bytes, the length's type."""

    address: int
    length: int
    type: Int


def find_counted(type: CType) -> Counted | None:
    """How `type` holds text: Go's `string` and slices, Rust's `&str`, slices, `String` and `Vec`; or None."""
    record = strip_typedefs(type)
    if not isinstance(record, Struct):
        return None
    members = {member.name: member for member in record.members}
    if len(members) == 1 and "vec" in members:
        # Rust's String is a Vec.
        return find_counted(members["vec"].type)
    lengths = [member for name, member in members.items() if name in _LENGTHS]
    if len(lengths) != 1:
        return None
    length = strip_typedefs(lengths[0].type)
    address = next(
        (m.offset_bits // 8 for n, m in members.items() if n in _ADDRESSES and _is_pointer(m.type)), None
    )
    if address is None and "buf" in members:
        inner = _find_pointer(members["buf"].type, _DEEPEST)
        address = None if inner is None else members["buf"].offset_bits // 8 + inner
    if address is None or not isinstance(length, Int):
        return None
    return Counted(address, lengths[0].offset_bits // 8, length)


def _is_pointer(type: CType) -> bool:
    return isinstance(strip_typedefs(type), Ptr)


def _find_pointer(type: CType, depth: int) -> int | None:
    """Offset in bytes of the first pointer in a record, in whatever it is wrapped."""
    bare = strip_typedefs(type)
    if isinstance(bare, Ptr):
        return 0
    if not isinstance(bare, Struct) or not depth:
        return None
    for member in bare.members:
        found = _find_pointer(member.type, depth - 1)
        if found is not None:
            return member.offset_bits // 8 + found
    return None
