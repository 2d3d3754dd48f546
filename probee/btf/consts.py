"""Numbers of BTF (include/uapi/linux/btf.h)."""

from __future__ import annotations

from enum import IntEnum

MAGIC = 0xEB9F
VERSION = 1
HEADER_SIZE = 24


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


INT_SIGNED = 1 << 0
"""Encoding bit of an INT."""
