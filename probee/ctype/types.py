"""C types as frozen values. Sizes, alignments and offsets are in bytes unless they say bits.

Structs of C may contain pointers to themselves: `LazyStruct` is one whose members are made when asked for.
"""

from __future__ import annotations

from ..base.errors import FormatError
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
    """A struct or union; `kind` is its keyword. `members` is in order of declaration.

    `alignment` is 0 where its members tell it; BTF has no other, and there a struct whose members
    or size are not where their alignment wants them is packed.
    """

    name: str
    bytes: int
    members: tuple[Member, ...]
    kind: str = "struct"
    alignment: int = 0

    @property
    def size(self) -> int:
        return self.bytes

    @property
    def align(self) -> int:
        return self.alignment or _natural_align(self, 0)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else self.kind


class LazyStruct(Struct):
    """A struct whose members are made by `load` when they are first asked for, so that it may be recursive.

    Equal are two of one name, kind and size whose members have the same names and places: their types
    aren't compared, since they may lead back here. A `declared` one is only known by name (size 0).
    """

    __slots__ = ("_align", "_load", "_members", "declared")
    declared: bool
    _align: int
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
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "kind", kind)
        self.complete(bytes, load)
        object.__setattr__(self, "declared", declared)

    def complete(self, bytes: int, load: Callable[[], tuple[Member, ...]], alignment: int = 0) -> None:
        """Say what the struct is, for one that had to be referred to before that was known.

        Only for who made it, and before anybody else has seen it.
        """
        values: dict[str, object] = {"bytes": bytes, "alignment": alignment, "declared": False}
        values |= {"_load": load, "_members": None, "_align": 0}
        for field, value in values.items():
            object.__setattr__(self, field, value)

    @property
    def members(self) -> tuple[Member, ...]:
        made = self._members
        if made is None:
            made = self._load()
            object.__setattr__(self, "_members", made)
        return made

    @property
    def align(self) -> int:
        if not self._align:
            object.__setattr__(self, "_align", self.alignment or _natural_align(self, 0))
        return self._align

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


class NamedStruct(LazyStruct):
    """A struct or union of which only the name is known until somebody asks what is in it.

    `find` is asked then, once; where it finds nothing the struct is one that is only declared.
    """

    __slots__ = ("_find", "_found")
    _find: Callable[[], CType | None]
    _found: Struct | None

    def __init__(self, kind: str, name: str, find: Callable[[], CType | None]) -> None:
        values: dict[str, object] = {"kind": kind, "name": name, "_find": find, "_found": None}
        for field, value in values.items():
            object.__setattr__(self, field, value)

    @property
    def found(self) -> Struct:
        """The struct that has that name."""
        found = self._found
        if found is None:
            asked = self._find()
            found = asked if isinstance(asked, Struct) else Struct(self.name, 0, (), self.kind)
            object.__setattr__(self, "_found", found)
        return found

    @property
    def bytes(self) -> int:
        return self.found.bytes

    @property
    def members(self) -> tuple[Member, ...]:
        return self.found.members

    @property
    def alignment(self) -> int:
        return self.found.alignment

    @property
    def align(self) -> int:
        return self.found.align

    @property
    def declared(self) -> bool:  # type: ignore[override]
        return not self.found.bytes and not self.found.members

    def __repr__(self) -> str:
        return f"NamedStruct({self.kind!r}, {self.name!r})"


_DEEPEST = 100
"""Structs that may hold one another; only malformed types hold more, or themselves."""


def _natural_align(type: Struct, depth: int) -> int:
    """The largest alignment of a member, and 1 where that would put members or the end elsewhere."""
    if depth > _DEEPEST:
        raise FormatError(f"expected structs at most {_DEEPEST} deep in one another, got more in {type}")
    largest, packed = 1, False
    for member in type.members:
        align = _held_align(member.type, depth)
        largest = max(largest, align)
        packed = packed or (not member.bit_size and member.offset_bits % (8 * align) != 0)
    return 1 if packed or type.bytes % largest else largest


def _held_align(type: CType, depth: int) -> int:
    while isinstance(type, Array | Typedef):
        if isinstance(type, Typedef) and type.alignment:
            return type.alignment
        type = type.to if isinstance(type, Typedef) else type.of
    if not isinstance(type, Struct) or type.alignment:
        return type.align
    if not isinstance(type, LazyStruct):
        return _natural_align(type, depth + 1)
    if not type._align:
        object.__setattr__(type, "_align", _natural_align(type, depth + 1))
    return type._align


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
    """A name of another type, which may have an `alignment` of its own (0: that of the type)."""

    name: str
    to: CType
    alignment: int = 0

    @property
    def size(self) -> int:
        return self.to.size

    @property
    def align(self) -> int:
        return self.alignment or self.to.align

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


def strip_typedefs(type: CType) -> CType:
    """`type` with the names of typedefs taken off."""
    while isinstance(type, Typedef):
        type = type.to
    return type


VOID = Void()
BOOL = Bool()
INT8, INT16, INT32, INT64 = (Int(n, True) for n in (1, 2, 4, 8))
UINT8, UINT16, UINT32, UINT64 = (Int(n, False) for n in (1, 2, 4, 8))
CHAR = Int(1, True, "char")
