"""Types as `ctype` values (DWARF 5, section 5), made when asked for.

Qualifiers (const, volatile, …) are left out: `spell_type` has them. Members of structs are made when they
are first looked at, so that types may refer to themselves. Base classes are anonymous members; virtual ones,
whose place only the running program knows, are left out.
"""

from __future__ import annotations

from ..ctype.types import (
    BOOL,
    VOID,
    Array,
    CType,
    Enum,
    Float,
    Func,
    Int,
    LazyStruct,
    Member,
    Ptr,
    Ref,
    Struct,
    Typedef,
)
from .consts import AT, ATE, FORM, TAG
from .forms import read_uleb
from .ops import OP
from .scope import is_c, qualified_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .die import Die

QUALIFIERS = frozenset({
    TAG.CONST_TYPE, TAG.VOLATILE_TYPE, TAG.RESTRICT_TYPE, TAG.ATOMIC_TYPE, TAG.PACKED_TYPE, TAG.SHARED_TYPE,
    TAG.IMMUTABLE_TYPE,
})  # fmt: skip
STRUCTS: dict[int, str] = {
    TAG.STRUCTURE_TYPE: "struct", TAG.UNION_TYPE: "union", TAG.CLASS_TYPE: "class",
    TAG.INTERFACE_TYPE: "class",
}  # fmt: skip
_STRUCT_PARTS = frozenset({TAG.MEMBER, TAG.INHERITANCE})
_PARAMETERS = frozenset({TAG.FORMAL_PARAMETER, TAG.UNSPECIFIED_PARAMETERS})
_SIGNED = frozenset({ATE.SIGNED, ATE.SIGNED_CHAR})
_UNSIGNED = frozenset({ATE.UNSIGNED, ATE.UNSIGNED_CHAR, ATE.UTF, ATE.ADDRESS, ATE.BOOLEAN})
_SIZES = frozenset({1, 2, 4, 8, 16})
_MOST_NESTED = 100
# DW_LANG whose arrays begin at 1 unless they say otherwise: Ada, COBOL, Fortran, Pascal, Modula, PL/I, Julia.
_FROM_ONE = frozenset({
    0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0D, 0x0E, 0x0F, 0x17, 0x1F, 0x22, 0x23, 0x2D, 0x2E, 0x2F,
})  # fmt: skip


class Types:
    """The types of one file by their entries. Ask for it by `Dwarf.types`."""

    def __init__(self) -> None:
        self._made: dict[Die, CType] = {}
        self._being_made: set[Die] = set()

    def type_of(self, die: Die) -> CType:
        """The type that DW_AT_type of `die` refers to, VOID when there is none."""
        target = die.find_die(AT.TYPE)
        return self.make(target) if target is not None else VOID

    def make(self, die: Die) -> CType:
        """The type that `die` describes."""
        made = self._made.get(die)
        if made is not None:
            return made
        if die in self._being_made or len(self._being_made) >= _MOST_NESTED:
            raise die.error("expected a type that is not made of itself")
        self._being_made.add(die)
        try:
            made = self._make(die)
        finally:
            self._being_made.remove(die)
        self._made[die] = made
        return made

    def _make(self, die: Die) -> CType:
        if die.tag in QUALIFIERS:
            return self.type_of(die)
        if die.tag in STRUCTS:
            return self._struct(die)
        maker = _MAKERS.get(die.tag)
        if maker is None:
            raise die.error("expected a type")
        return maker(self, die)

    def _target(self, die: Die) -> CType:
        """What a pointer points to. A pointer that leads back to itself through no struct points to void."""
        target = die.find_die(AT.TYPE)
        return VOID if target is None or target in self._being_made else self.make(target)

    def _pointer(self, die: Die) -> CType:
        return Ptr(self._target(die), bytes=_size(die) or die.unit.layout.address_size)

    def _reference(self, die: Die) -> CType:
        mark = "&" if die.tag == TAG.REFERENCE_TYPE else "&&"
        return Ref(self._target(die), bytes=_size(die) or die.unit.layout.address_size, mark=mark)

    def _member_pointer(self, die: Die) -> CType:
        size = die.unit.layout.address_size
        target = die.find_die(AT.TYPE)
        if target is not None and target.tag == TAG.SUBROUTINE_TYPE:
            return Struct("pointer to member function", 2 * size, ())
        return Int(size, signed=True, name="pointer to member")

    def _typedef(self, die: Die) -> CType:
        return Typedef(qualified_name(die), self.type_of(die))

    def _base(self, die: Die) -> CType:
        name, size, encoding = die.name or "", _size(die), die.find_constant(AT.ENCODING)
        if encoding == ATE.BOOLEAN and size == 1:
            return BOOL
        if encoding in _SIGNED | _UNSIGNED and size in _SIZES:
            return Int(size, encoding in _SIGNED, name)
        if encoding == ATE.FLOAT:
            return Float(size, name)
        if encoding == ATE.COMPLEX_FLOAT:
            half = Float(size // 2, name.removeprefix("complex "))
            return Struct(name, size, (Member("real", half, 0), Member("imag", half, 4 * size)))
        return Struct(name, size, ())

    def _unspecified(self, die: Die) -> CType:
        # The type of nullptr has the size of a pointer; others of this kind (Rust's `!`) have no values.
        return Ptr(VOID, bytes=die.unit.layout.address_size) if "nullptr" in (die.name or "") else VOID

    def _array(self, die: Die) -> CType:
        made = self.type_of(die)
        for child in reversed(list(die.iter_children(frozenset({TAG.SUBRANGE_TYPE})))):
            made = Array(made, _count(child))
        return made

    def _subroutine(self, die: Die) -> CType:
        parameters = list(die.iter_children(_PARAMETERS))
        types = [(p.name or "", self._target(p)) for p in parameters if p.tag == TAG.FORMAL_PARAMETER]
        return Func(self.type_of(die), tuple(types), len(types) < len(parameters))

    def _enum(self, die: Die) -> CType:
        underlying = die.find_die(AT.TYPE)
        base = _bare(self.make(underlying)) if underlying is not None else None
        size = _size(die) or (base.size if base is not None else 0)
        rows = [_enumerator(child) for child in die.iter_children(frozenset({TAG.ENUMERATOR}))]
        signed = base.signed if isinstance(base, Int) else any(value < 0 for _, value, _ in rows)
        values = [(name, _wrap(value, form, size, signed)) for name, value, form in rows]
        return Enum(qualified_name(die), size, signed, tuple(values))

    # Structs

    def _struct(self, die: Die) -> CType:
        kind, name = STRUCTS[die.tag], qualified_name(die)
        if die.has(AT.SIGNATURE):
            target = die.find_die(AT.SIGNATURE)
            if target is not None and target.tag in STRUCTS and not target.has_flag(AT.DECLARATION):
                return self.make(target)
        if die.has_flag(AT.DECLARATION):
            return LazyStruct(name, 0, kind, lambda: self._members_elsewhere(die, name), declared=True)
        return LazyStruct(name, _size(die), kind, lambda: self._members(die))

    def _members(self, die: Die) -> tuple[Member, ...]:
        found = []
        for child in die.iter_children(_STRUCT_PARTS):
            # Static members of classes are declarations of variables.
            if child.has_flag(AT.EXTERNAL) or child.has_flag(AT.DECLARATION):
                continue
            member = self._member(child)
            if member is not None:
                found.append(member)
        return tuple(found)

    def _member(self, die: Die) -> Member | None:
        type = self.type_of(die)
        place = _member_place(die)
        if place is None:
            return None
        bits = die.find_constant(AT.BIT_SIZE) or 0
        offset = 8 * place
        if die.has(AT.DATA_BIT_OFFSET):
            offset += die.find_constant(AT.DATA_BIT_OFFSET) or 0
        elif bits and die.has(AT.BIT_OFFSET):
            # Until version 3, from the storage unit's most significant bit.
            from_top = die.find_constant(AT.BIT_OFFSET) or 0
            storage = 8 * (_size(die) or type.size)
            offset += storage - from_top - bits if die.unit.layout.little else from_top
        return Member(die.name or "", type, offset, bits, die.tag == TAG.INHERITANCE)

    def _members_elsewhere(self, die: Die, name: str) -> tuple[Member, ...]:
        from .search import find_struct

        found = find_struct(die.unit.dwarf, name, STRUCTS[die.tag])
        return found.members if found is not None else ()


def _wrap(value: int, form: int, size: int, signed: bool) -> int:
    """Compilers write positive numbers without a sign in the smallest form, so only a full one has a sign."""
    full = 8 * size
    return (
        value - (1 << full) if signed and form != FORM.SDATA and full and value >> (full - 1) == 1 else value
    )


def _enumerator(die: Die) -> tuple[str, int, int]:
    form, value = die.find_value(AT.CONST_VALUE) or (0, 0)
    if isinstance(value, bytes):  # DATA16 and blocks, of enumerations of 128 bits
        value = int.from_bytes(value, die.unit.layout.order)
    return die.name or "", value, form


def _member_place(die: Die) -> int | None:
    """Offset in bytes, None where only the running program can tell."""
    form, value = die.find_value(AT.DATA_MEMBER_LOCATION) or (0, 0)
    if isinstance(value, int):
        return value
    if form and value[:1] == bytes([OP.PLUS_UCONST]):
        try:
            place, end = read_uleb(value, 1)
        except IndexError:
            return None
        return place if end == len(value) else None
    return None


def _size(die: Die) -> int:
    size = die.find_constant(AT.BYTE_SIZE)
    return size if size is not None else -(-(die.find_constant(AT.BIT_SIZE) or 0) // 8)


def _count(die: Die) -> int:
    """Elements of an array in one dimension, 0 where the length isn't part of the type."""
    count = die.find_constant(AT.COUNT)
    if count is not None:
        return max(count, 0)
    form, upper = die.find_value(AT.UPPER_BOUND) or (0, 0)
    last = die.find_constant(AT.UPPER_BOUND)
    if last is None or isinstance(upper, bytes):
        return 0
    lower = die.find_constant(AT.LOWER_BOUND)
    if lower is None:
        lower = 1 if die.unit.language in _FROM_ONE else 0
    # GCC writes an array without elements as one up to -1, in the form of its index type.
    width = {FORM.DATA4: 32, FORM.DATA8: 64}.get(FORM(form))
    if width is not None and last == (1 << width) - 1:
        return 0
    return max(last - lower + 1, 0)


def _bare(type: CType) -> CType:
    while isinstance(type, Typedef):
        type = type.to
    return type


_MAKERS: dict[int, Callable[[Types, Die], CType]] = {
    TAG.BASE_TYPE: Types._base,
    TAG.POINTER_TYPE: Types._pointer,
    TAG.REFERENCE_TYPE: Types._reference,
    TAG.RVALUE_REFERENCE_TYPE: Types._reference,
    TAG.PTR_TO_MEMBER_TYPE: Types._member_pointer,
    TAG.TYPEDEF: Types._typedef,
    TAG.TEMPLATE_ALIAS: Types._typedef,
    TAG.ARRAY_TYPE: Types._array,
    TAG.SUBROUTINE_TYPE: Types._subroutine,
    TAG.ENUMERATION_TYPE: Types._enum,
    TAG.UNSPECIFIED_TYPE: Types._unspecified,
    # The type of an index, where a variable has it.
    TAG.SUBRANGE_TYPE: lambda types, die: types.type_of(die),
}


# As text


def spell_type(die: Die | None, inner: str = "", depth: int = 0) -> str:
    """The type that `die` describes as C declares it, with qualifiers: "const char *", "int (*)(long)".

    None is void. `inner` is what is declared. Structs have their keyword in C and their scopes elsewhere.
    """
    if die is None:
        return _join("void", inner)
    if depth > _MOST_NESTED:
        raise die.error("expected a type that is not made of itself")
    speller = _SPELLERS.get(die.tag)
    if speller is not None:
        return speller(die, inner, depth + 1)
    name = qualified_name(die)
    keyword = STRUCTS.get(die.tag) or ("enum" if die.tag == TAG.ENUMERATION_TYPE else "")
    if keyword and is_c(die.unit):
        name = f"{keyword} {name or '{...}'}"
    return _join(name or f"{keyword} {{...}}", inner)


def _join(left: str, inner: str) -> str:
    return f"{left} {inner}" if inner else left


def _spell_pointer(mark: str) -> Callable[[Die, str, int], str]:
    def spell(die: Die, inner: str, depth: int) -> str:
        target = die.find_die(AT.TYPE)
        text = f"{mark}{inner}"
        bare = target
        for _ in range(_MOST_NESTED):
            if bare is None or bare.tag not in QUALIFIERS:
                break
            bare = bare.find_die(AT.TYPE)
        if bare is not None and bare.tag in (TAG.SUBROUTINE_TYPE, TAG.ARRAY_TYPE):
            text = f"({text})"
        return spell_type(target, text, depth)

    return spell


def _spell_qualifier(word: str) -> Callable[[Die, str, int], str]:
    def spell(die: Die, inner: str, depth: int) -> str:
        target = die.find_die(AT.TYPE)
        if target is not None and target.tag in _MARKS:
            return spell_type(target, _join(word, inner), depth)
        return f"{word} {spell_type(target, inner, depth)}"

    return spell


def _spell_array(die: Die, inner: str, depth: int) -> str:
    counts = [_count(child) for child in die.iter_children(frozenset({TAG.SUBRANGE_TYPE}))]
    return spell_type(die.find_die(AT.TYPE), inner + "".join([f"[{n or ''}]" for n in counts]), depth)


def _spell_subroutine(die: Die, inner: str, depth: int) -> str:
    texts = []
    for child in die.iter_children(_PARAMETERS):
        variadic = child.tag == TAG.UNSPECIFIED_PARAMETERS
        texts.append("..." if variadic else spell_type(child.find_die(AT.TYPE), "", depth))
    return spell_type(die.find_die(AT.TYPE), f"{inner}({', '.join(texts) or 'void'})", depth)


_MARKS: dict[int, str] = {
    TAG.POINTER_TYPE: "*",
    TAG.REFERENCE_TYPE: "&",
    TAG.RVALUE_REFERENCE_TYPE: "&&",
}
_SPELLERS: dict[int, Callable[[Die, str, int], str]] = {
    **{tag: _spell_pointer(mark) for tag, mark in _MARKS.items()},
    TAG.CONST_TYPE: _spell_qualifier("const"),
    TAG.VOLATILE_TYPE: _spell_qualifier("volatile"),
    TAG.RESTRICT_TYPE: _spell_qualifier("restrict"),
    TAG.ATOMIC_TYPE: _spell_qualifier("_Atomic"),
    TAG.ARRAY_TYPE: _spell_array,
    TAG.SUBROUTINE_TYPE: _spell_subroutine,
}
