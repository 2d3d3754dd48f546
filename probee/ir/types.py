"""Types of SSA values.

An integer is held in a 64-bit register in canonical form: sign-extended when signed, zero-extended
when not. A pointer knows its address space.
"""

from __future__ import annotations

from enum import IntEnum

from ..base.record import record


class Space(IntEnum):
    """What a pointer points into."""

    CTX = 1  # the program's context
    STACK = 2  # a slot of this program
    MAP = 3  # a map object, for helpers only
    VALUE = 4  # a map's value
    RING = 5  # a reserved ring record
    KERNEL = 6  # kernel memory, read by helper only
    USER = 7  # memory of the traced process, read by helper only
    KEY = 8  # the key that a callback gets, to be read


@record
class IntType:
    bits: int
    signed: bool

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.bits}"


@record
class PtrType:
    """`nullable`: 0 is a possible value and must be told apart before use."""

    space: Space
    nullable: bool = False

    def __str__(self) -> str:
        return f"ptr.{self.space.name.lower()}{'?' if self.nullable else ''}"


Type = IntType | PtrType

S8, S16, S32, S64 = (IntType(n, True) for n in (8, 16, 32, 64))
U8, U16, U32, U64 = (IntType(n, False) for n in (8, 16, 32, 64))
BOOL = U8
"""What comparisons give: 0 or 1."""

CTX = PtrType(Space.CTX)
STACK = PtrType(Space.STACK)
MAP = PtrType(Space.MAP)
VALUE = PtrType(Space.VALUE)
VALUE_OR_NULL = PtrType(Space.VALUE, True)
KEY = PtrType(Space.KEY)
RING = PtrType(Space.RING)
RING_OR_NULL = PtrType(Space.RING, True)


def int_type(size: int, signed: bool) -> IntType:
    """The integer type of `size` bytes (1, 2, 4 or 8)."""
    return _BY_SIZE[size, signed]


_BY_SIZE = {(t.bits // 8, t.signed): t for t in (S8, S16, S32, S64, U8, U16, U32, U64)}
