"""C types as frozen values. Sizes, alignments and offsets are in bytes unless they say bits.

Structs of C may contain pointers to themselves: `LazyStruct` is one whose members are made when asked for.
"""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


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
    """An integer of 1, 2, 4, 8 or 16 bytes; `name` is how its source spells it ("" = by width)."""

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
class Float(CType):
    """A floating point number of 2 to 16 bytes, in the CPU's own format."""

    bytes: int
    name: str

    @property
    def size(self) -> int:
        return self.bytes

    def __str__(self) -> str:
        return self.name


@record
class Ptr(CType):
    """A pointer; `space` is "user", "kernel" or "" where it is not known."""

    to: CType
    space: str = ""
    bytes: int = 8

    @property
    def size(self) -> int:
        return self.bytes

    def __str__(self) -> str:
        return f"{self.to} *"


@record
class Ref(Ptr):
    """A reference of C++: in memory a pointer. `mark` is "&" or "&&"."""

    mark: str = "&"

    def __str__(self) -> str:
        return f"{self.to} {self.mark}"


@record
class Array(CType):
    """`count` is 0 where the length is not part of the type: `int[]`, and arrays of variable length."""

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
    """One member of a struct or union; `name` is "" for an anonymous struct or union.

    A base class of C++ is such an anonymous member, with `base` set: its members are found through it.
    """

    name: str
    type: CType
    offset_bits: int
    bit_size: int = 0  # 0: not a bit-field
    base: bool = False


@record
class Struct(CType):
    """A struct or union; `kind` is its keyword. `members` is in order of declaration."""

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
        return f"{self.kind} {self.name}" if self.name else self.kind


class LazyStruct(Struct):
    """A struct whose members are made by `load` when they are first asked for, so that it may be recursive.

    Equal are two of one name, kind and size whose members have the same names and places: their types
    aren't compared, since they may lead back here. A `declared` one is only known by name (size 0).
    """

    __slots__ = ("_load", "_members", "declared")
    declared: bool
    _load: Callable[[], tuple[Member, ...]]
    _members: tuple[Member, ...] | None

    def __init__(
        self,
        name: str,
        bytes: int,
        kind: str,
        load: Callable[[], tuple[Member, ...]],
        *,
        declared: bool = False,
    ) -> None:
        values = {"name": name, "bytes": bytes, "kind": kind, "_load": load, "_members": None}
        for field, value in {**values, "declared": declared}.items():
            object.__setattr__(self, field, value)

    @property
    def members(self) -> tuple[Member, ...]:
        made = self._members
        if made is None:
            made = self._load()
            object.__setattr__(self, "_members", made)
        return made

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, LazyStruct) or _identity(self) != _identity(other):
            return False
        return _places(self) == _places(other)

    def __hash__(self) -> int:
        return hash(_identity(self))

    def __repr__(self) -> str:
        return f"LazyStruct(name={self.name!r}, bytes={self.bytes}, kind={self.kind!r})"


def _identity(type: Struct) -> tuple[str, str, int]:
    return type.kind, type.name, type.bytes


def _places(type: Struct) -> list[tuple[str, int, int]]:
    return [(m.name, m.offset_bits, m.bit_size) for m in type.members]


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
    """A function's type: `params` are (name, type); `variadic` when it ends in `...`."""

    returns: CType
    params: tuple[tuple[str, CType], ...]
    variadic: bool = False

    def __str__(self) -> str:
        texts = [str(t) for _, t in self.params] + ["..."] * self.variadic
        return f"{self.returns} ({', '.join(texts)})"


VOID = Void()
BOOL = Bool()
INT8, INT16, INT32, INT64 = (Int(n, True) for n in (1, 2, 4, 8))
UINT8, UINT16, UINT32, UINT64 = (Int(n, False) for n in (1, 2, 4, 8))
CHAR = Int(1, True, "char")
