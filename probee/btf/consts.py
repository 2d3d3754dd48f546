"""Numbers of BTF (include/uapi/linux/btf.h)."""

from __future__ import annotations

from enum import IntEnum

MAGIC = 0xEB9F
VERSION = 1
HEADER_SIZE = 24
LAYOUT_HEADER_SIZE = 32
"""Size of a header that has a layout section; later ones may be longer."""


class Kind(IntEnum):
    """BTF_KIND_*"""

    UNKN = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


RECORD_SIZES: dict[int, tuple[int, int]] = {
    Kind.INT: (4, 0),
    Kind.PTR: (0, 0),
    Kind.ARRAY: (12, 0),
    Kind.STRUCT: (0, 12),
    Kind.UNION: (0, 12),
    Kind.ENUM: (0, 8),
    Kind.FWD: (0, 0),
    Kind.TYPEDEF: (0, 0),
    Kind.VOLATILE: (0, 0),
    Kind.CONST: (0, 0),
    Kind.RESTRICT: (0, 0),
    Kind.FUNC: (0, 0),
    Kind.FUNC_PROTO: (0, 8),
    Kind.VAR: (4, 0),
    Kind.DATASEC: (0, 12),
    Kind.FLOAT: (0, 0),
    Kind.DECL_TAG: (4, 0),
    Kind.TYPE_TAG: (0, 0),
    Kind.ENUM64: (0, 12),
}
"""Bytes that follow `struct btf_type`: once, and for each of its vlen elements (struct btf_layout)."""

# Since Linux commit f7a6b9eaff3e ("bpf: Extend BTF UAPI vlen, kinds to use unused bits") (in v7.2),
# `info` has 24 bits of vlen and 7 of kind, of which those that are new were zero before.
KIND_SHIFT = 24
KIND_MASK = 0x7F
VLEN_MASK = 0xFFFFFF
KIND_FLAG = 1 << 31


class IntEncoding(IntEnum):
    """BTF_INT_SIGNED, _CHAR and _BOOL: encoding bits of an INT."""

    SIGNED = 1 << 0
    CHAR = 1 << 1
    BOOL = 1 << 2


class FuncLinkage(IntEnum):
    """BTF_FUNC_*: the vlen of a FUNC."""

    STATIC = 0
    GLOBAL = 1
    EXTERN = 2


class VarLinkage(IntEnum):
    """BTF_VAR_*: linkage of a VAR."""

    STATIC = 0
    GLOBAL_ALLOCATED = 1
    GLOBAL_EXTERN = 2
