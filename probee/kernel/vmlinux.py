"""The kernel's own BTF, as far as probing features needs it: the id of a type by its name.

One walk over all types, a tenth of a second: for `probee doctor`, not for the tracing path.
"""

from __future__ import annotations

import struct

from ..base.errors import FormatError
from ..btf.consts import MAGIC, Kind

PATH = "/sys/kernel/btf/vmlinux"

_HEADER = struct.Struct("=HBBIIIII")  # magic version flags hdr_len type_off type_len str_off str_len
_TYPE = struct.Struct("=III")  # name_off info size|type


# Bytes after struct btf_type: for each kind, fixed and for each of its vlen members.
_FIXED = {Kind.INT: 4, Kind.ARRAY: 12, Kind.VAR: 4, Kind.DECL_TAG: 4}
_MEMBER = {
    Kind.STRUCT: 12,
    Kind.UNION: 12,
    Kind.ENUM: 8,
    Kind.FUNC_PROTO: 8,
    Kind.DATASEC: 12,
    Kind.ENUM64: 12,
}


def find_btf_id(btf: bytes, name: str, kind: Kind) -> int | None:
    """The id of the type `name` of a `kind`, or None. Raises FormatError."""
    if len(btf) < _HEADER.size:
        raise FormatError("expected a BTF header", path=PATH)
    magic, _, _, header, type_off, type_len, str_off, str_len = _HEADER.unpack_from(btf)
    at, end = header + type_off, header + type_off + type_len
    strings = header + str_off
    if magic != MAGIC or end > len(btf) or strings + str_len > len(btf):
        raise FormatError("expected BTF of this CPU's byte order", path=PATH)
    found = btf.find(b"\0" + name.encode() + b"\0", strings, strings + str_len)
    if found < 0:
        return None
    wanted, number = found + 1 - strings, 1
    while at + _TYPE.size <= end:
        name_off, info, _ = _TYPE.unpack_from(btf, at)
        # Since 7.2 vlen has 24 bits and the kind 7; before, those bits were zero.
        here, vlen = info >> 24 & 0x7F, info & 0xFFFFFF
        if name_off == wanted and here == kind:
            return number
        at += _TYPE.size + _FIXED.get(here, 0) + _MEMBER.get(here, 0) * vlen
        number += 1
    return None
