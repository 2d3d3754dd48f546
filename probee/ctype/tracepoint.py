"""tracefs's description of a tracepoint's record (events/CATEGORY/EVENT/format) → a struct.

Documentation/trace/events.rst of the kernel, section 2.2: one line a field, with its C declaration, offset,
size and sign. What a declaration leaves open (`char name[IFNAMSIZ]`, a `pid_t`) the numbers tell.
"""

from __future__ import annotations

import re

from ..base.errors import FormatError
from .types import BOOL, CHAR, VOID, Array, CType, Int, LazyStruct, Member, Ptr, Struct, Typedef

_FIELD = re.compile(r"\tfield:([^;]+);\toffset:(\d{1,9});\tsize:(\d{1,9});\tsigned:([01]);")
_DECLARATION = re.compile(r"(.*?)(\w+)((?:\[[^\]]*\])*)$", re.S)
_DYNAMIC = {"__data_loc": False, "__rel_loc": True}
_SIZES = (1, 2, 4, 8, 16)
_NOT_NAMES = frozenset(("const", "volatile", "__user"))
_QUALIFIERS = frozenset(("const", "volatile", "struct", "union", "enum", "unsigned", "signed", "__user"))


def parse_format(text: str, name: str, space: str) -> Struct:
    """The record of the tracepoint whose description `text` is, as `struct name`.

    Pointers in it are into `space`, "kernel" or "user". A field of changing length is one that
    `is_data_loc` or `is_rel_loc`. Raises FormatError.
    """
    members = []
    for line in text.splitlines():
        if not line.startswith("\tfield:"):
            continue
        match = _FIELD.match(line)
        declaration = _DECLARATION.match(match[1]) if match else None
        if match is None or declaration is None:
            raise FormatError(
                f"expected a field's declaration, offset, size and sign, got {line!r}", path=name
            )
        type = _type_of(declaration[1].strip(), declaration[3], int(match[3]), match[4] == "1", space)
        members.append(Member(declaration[2], type, 8 * int(match[2])))
    if not members:
        raise FormatError("expected a tracepoint's fields, got none", path=name)
    last = members[-1]
    return Struct(name, last.offset_bits // 8 + last.type.size, tuple(members))


def is_data_loc(type: CType) -> bool:
    """True for a field that says where its value is: its low 16 bits count bytes from the record's start."""
    return isinstance(type, Typedef) and type.name == "__data_loc"


def is_rel_loc(type: CType) -> bool:
    """True for such a field that counts from its own end."""
    return isinstance(type, Typedef) and type.name == "__rel_loc"


def _type_of(words: str, suffix: str, size: int, signed: bool, space: str) -> CType:
    first = words.partition(" ")[0]
    if first in _DYNAMIC:
        return Typedef(first, Int(4, False))
    if "*" in words:
        pointer = _pointer(words, space)
        return Array(pointer, size // 8) if suffix else pointer
    if suffix:
        element = _element_size(words, size)
        return Array(_scalar(words, element, signed), size // element)
    if size in _SIZES:
        return _scalar(words, size, signed)
    return Array(Int(1, False), size)


def _pointer(words: str, space: str) -> CType:
    """What `words`, with at least one star, say. A struct that is pointed to is known by its name only."""
    base, *_ = words.partition("*")
    names = [word for word in base.split() if word not in _NOT_NAMES]
    to: CType = VOID
    if len(names) == 2 and names[0] in ("struct", "union"):
        to = LazyStruct(names[1], 0, names[0], tuple, declared=True)
    elif names == ["char"]:
        to = CHAR
    for _ in range(words.count("*")):
        to = Ptr(to, space)
    return to


def _scalar(words: str, size: int, signed: bool) -> CType:
    names = [word for word in words.split() if word not in _QUALIFIERS]
    if names == ["char"] and "unsigned" not in words.split():
        return CHAR
    if names == ["bool"] and size == 1:
        return BOOL
    return Int(size, signed)


_ELEMENTS = {
    **dict.fromkeys(("char", "u8", "__u8", "s8", "__s8", "uint8_t", "int8_t", "bool"), 1),
    **dict.fromkeys(("short", "u16", "__u16", "s16", "__s16", "__be16", "__le16", "uint16_t"), 2),
    **dict.fromkeys(("int", "u32", "__u32", "s32", "__s32", "__be32", "__le32", "uint32_t"), 4),
    **dict.fromkeys(("long", "u64", "__u64", "s64", "__s64", "__be64", "__le64", "uint64_t"), 8),
}


def _element_size(words: str, size: int) -> int:
    """Bytes of an element of an array of `size` bytes; 1 where the name of its type does not tell."""
    known = [_ELEMENTS[word] for word in words.split() if word in _ELEMENTS]
    return known[-1] if known and size % known[-1] == 0 else 1
