"""Records of BTF → C types, one function a kind.

What C's qualifiers and tags say is left out, but for the tag that tells a user's pointer. The members of a
struct are decoded when they are asked for, so that recursive types and a kernel's thousands cost nothing.
"""

from __future__ import annotations

from ..ctype.types import (
    BOOL,
    VOID,
    Array,
    Enum,
    Float,
    Func,
    Int,
    LazyStruct,
    Member,
    Ptr,
    Typedef,
    Void,
    strip_typedefs,
)
from .consts import IntEncoding, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..ctype.types import CType
    from .file import Btf, Record

_MODIFIERS = (Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG)


def decode_type(btf: Btf, of: Record, depth: int) -> CType:
    """The type of one record, reached after `depth` references. Raises FormatError."""
    decode = _DECODE.get(of.kind)
    if decode is None:
        raise btf.error(f"expected a type, got kind {of.kind}", of.id)
    return decode(btf, of, depth)


def _int(btf: Btf, of: Record, depth: int) -> CType:
    encoding = of.words[of.rest] >> 24
    name = btf.string(of.name_off)
    if of.size not in (1, 2, 4, 8, 16):
        raise btf.error(f"expected an integer of 1, 2, 4, 8 or 16 bytes, got {of.size}", of.id)
    if encoding & IntEncoding.BOOL and of.size == 1:
        return BOOL
    return Int(of.size, bool(encoding & IntEncoding.SIGNED), name)


def _float(btf: Btf, of: Record, depth: int) -> CType:
    if of.size not in (2, 4, 8, 12, 16):
        raise btf.error(f"expected a floating point number of 2 to 16 bytes, got {of.size}", of.id)
    return Float(of.size, btf.string(of.name_off))


def _ptr(btf: Btf, of: Record, depth: int) -> CType:
    to, space = of.size, ""
    for _ in range(depth, depth + 2 * len(_MODIFIERS)):
        target = btf.record(to) if to else None
        if target is None or target.kind not in _MODIFIERS:
            break
        if target.kind == Kind.TYPE_TAG and btf.string(target.name_off) == "user":
            space = "user"
        to = target.size
    return Ptr(btf.resolve(to, depth + 1), space)


def _array(btf: Btf, of: Record, depth: int) -> CType:
    element, _, count = of.words[of.rest : of.rest + 3]
    return Array(btf.resolve(element, depth + 1), count)


def _struct(btf: Btf, of: Record, depth: int) -> CType:
    kind = "union" if of.kind == Kind.UNION else "struct"
    return LazyStruct(btf.string(of.name_off), of.size, kind, lambda: tuple(_iter_members(btf, of)))


def _iter_members(btf: Btf, of: Record) -> Iterator[Member]:
    fields = iter(of.words[of.rest : of.rest + 3 * of.vlen].tolist())
    bits = 8 * of.size
    for name_off, type_id, place in zip(fields, fields, fields, strict=True):
        offset, size = (place & 0xFFFFFF, place >> 24) if of.flag else (place, 0)
        type = btf.resolve(type_id)
        if not of.flag and isinstance(strip_typedefs(type), Int):
            offset, size = _old_bit_field(btf, type_id, offset)
        if offset + size > bits or size > 8 * type.size:
            raise btf.error(f"expected members within {bits} bits, got {size} bits at {offset}", of.id)
        yield Member(btf.string(name_off), type, offset, size)


def _old_bit_field(btf: Btf, id: int, offset: int) -> tuple[int, int]:
    # Before Linux v5.0 a bit-field was a member whose INT has fewer bits than bytes.
    for _ in range(len(_MODIFIERS)):
        target = btf.record(id) if id else None
        if target is None or target.kind not in (*_MODIFIERS, Kind.TYPEDEF):
            break
        id = target.size
    if target is None or target.kind != Kind.INT:
        return offset, 0
    encoding = target.words[target.rest]
    skipped, bits = encoding >> 16 & 0xFF, encoding & 0xFF
    return (offset, 0) if bits == 8 * target.size else (offset + skipped, bits)


def _enum(btf: Btf, of: Record, depth: int) -> CType:
    values: list[tuple[str, int]] = []
    fields = iter(of.words[of.rest : of.rest + 2 * of.vlen].tolist())
    for name_off, value in zip(fields, fields, strict=True):
        values.append((btf.string(name_off), value - (1 << 32) if of.flag and value >> 31 else value))
    return _sized_enum(btf, of, values)


def _enum64(btf: Btf, of: Record, depth: int) -> CType:
    values: list[tuple[str, int]] = []
    fields = iter(of.words[of.rest : of.rest + 3 * of.vlen].tolist())
    for name_off, low, high in zip(fields, fields, fields, strict=True):
        value = high << 32 | low
        values.append((btf.string(name_off), value - (1 << 64) if of.flag and value >> 63 else value))
    return _sized_enum(btf, of, values)


def _sized_enum(btf: Btf, of: Record, values: list[tuple[str, int]]) -> Enum:
    if of.size not in (1, 2, 4, 8):
        raise btf.error(f"expected an enum of 1, 2, 4 or 8 bytes, got {of.size}", of.id)
    return Enum(btf.string(of.name_off), of.size, of.flag, tuple(values))


def _fwd(btf: Btf, of: Record, depth: int) -> CType:
    kind = "union" if of.flag else "struct"
    return LazyStruct(btf.string(of.name_off), 0, kind, tuple, declared=True)


def _typedef(btf: Btf, of: Record, depth: int) -> CType:
    return Typedef(btf.string(of.name_off), btf.resolve(of.size, depth + 1))


def _modifier(btf: Btf, of: Record, depth: int) -> CType:
    return btf.resolve(of.size, depth + 1)


def _func_proto(btf: Btf, of: Record, depth: int) -> CType:
    fields = of.words[of.rest : of.rest + 2 * of.vlen].tolist()
    # A last parameter without name and type is the `...`.
    variadic = fields[-2:] == [0, 0]
    pairs = iter(fields[:-2] if variadic else fields)
    params: list[tuple[str, CType]] = []
    for name_off, id in zip(pairs, pairs, strict=True):
        type = btf.resolve(id, depth + 1)
        if isinstance(type, Void):
            raise btf.error("expected parameters that have a type", of.id)
        params.append((btf.string(name_off), type))
    returns = btf.resolve(of.size, depth + 1) if of.size else VOID
    return Func(returns, tuple(params), variadic)


_DECODE: dict[int, Callable[[Btf, Record, int], CType]] = {
    Kind.INT: _int,
    Kind.PTR: _ptr,
    Kind.ARRAY: _array,
    Kind.STRUCT: _struct,
    Kind.UNION: _struct,
    Kind.ENUM: _enum,
    Kind.FWD: _fwd,
    Kind.TYPEDEF: _typedef,
    Kind.VOLATILE: _modifier,
    Kind.CONST: _modifier,
    Kind.RESTRICT: _modifier,
    Kind.FUNC_PROTO: _func_proto,
    Kind.FLOAT: _float,
    Kind.TYPE_TAG: _modifier,
    Kind.ENUM64: _enum64,
}
