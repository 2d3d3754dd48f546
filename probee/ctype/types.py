"""C types as frozen values. Sizes, alignments and offsets are in bytes unless they say bits."""

from __future__ import annotations

from ..base.record import record


class CType:
    """Any C type. `size` is in bytes; 0 where the type is incomplete."""

    __slots__ = ()

    @property
    def size(self) -> int:
        return 0

    @property
    def align(self) -> int:
        return max(self.size, 1)


@record
class Void(CType):
    def __str__(self) -> str:
        return "void"


@record
class Int(CType):
    """An integer of 1, 2, 4 or 8 bytes; `name` is how its source spells it ("" = by width)."""

    bytes: int
    signed: bool
    name: str = ""

    @property
    def size(self) -> int:
        return self.bytes

    @property
    def bits(self) -> int:
        return self.bytes * 8

    def __str__(self) -> str:
        return self.name or f"{'' if self.signed else 'u'}int{self.bytes * 8}"


@record
class Bool(CType):
    @property
    def size(self) -> int:
        return 1

    def __str__(self) -> str:
        return "bool"


@record
class Ptr(CType):
    """A pointer; `space` is "user", "kernel" or "" where it is not known."""

    to: CType
    space: str = ""

    @property
    def size(self) -> int:
        return 8

    def __str__(self) -> str:
        return f"{self.to} *"


@record
class Array(CType):
    of: CType
    count: int

    @property
    def size(self) -> int:
        return self.of.size * self.count

    @property
    def align(self) -> int:
        return self.of.align

    def __str__(self) -> str:
        return f"{self.of}[{self.count}]"


@record
class Member:
    """One member of a struct or union; `name` is "" for an anonymous struct or union."""

    name: str
    type: CType
    offset_bits: int
    bit_size: int = 0  # 0: not a bit-field


@record
class Struct(CType):
    """A struct or union; `kind` is its C keyword. `members` is in order of declaration."""

    name: str
    bytes: int
    members: tuple[Member, ...]
    kind: str = "struct"

    @property
    def size(self) -> int:
        return self.bytes

    @property
    def align(self) -> int:
        return max((m.type.align for m in self.members), default=1)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@record
class Enum(CType):
    name: str
    bytes: int
    signed: bool
    values: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        return self.bytes

    def __str__(self) -> str:
        return f"enum {self.name}"


@record
class Typedef(CType):
    name: str
    to: CType

    @property
    def size(self) -> int:
        return self.to.size

    @property
    def align(self) -> int:
        return self.to.align

    def __str__(self) -> str:
        return self.name


@record
class Func(CType):
    """A function's type: `params` are (name, type)."""

    returns: CType
    params: tuple[tuple[str, CType], ...]

    def __str__(self) -> str:
        return f"{self.returns} ({', '.join(str(t) for _, t in self.params)})"


VOID = Void()
BOOL = Bool()
INT8, INT16, INT32, INT64 = (Int(n, True) for n in (1, 2, 4, 8))
UINT8, UINT16, UINT32, UINT64 = (Int(n, False) for n in (1, 2, 4, 8))
CHAR = Int(1, True, "char")
