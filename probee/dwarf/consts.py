"""Numbers of DWARF (version 5, section 7) by their names, without the prefix that the class name repeats.

Of tags and attributes there are those that probee asks for. The numbers of lists, expressions and line
programs are in the modules that read them: an enumeration takes 10 µs a member to make, and most runs read
no line table.
"""

from __future__ import annotations

from enum import IntEnum


class TAG(IntEnum):
    """DW_TAG: what an entry describes."""

    ARRAY_TYPE = 0x01
    CLASS_TYPE = 0x02
    ENUMERATION_TYPE = 0x04
    FORMAL_PARAMETER = 0x05
    LEXICAL_BLOCK = 0x0B
    MEMBER = 0x0D
    POINTER_TYPE = 0x0F
    REFERENCE_TYPE = 0x10
    COMPILE_UNIT = 0x11
    STRUCTURE_TYPE = 0x13
    SUBROUTINE_TYPE = 0x15
    TYPEDEF = 0x16
    UNION_TYPE = 0x17
    UNSPECIFIED_PARAMETERS = 0x18
    INHERITANCE = 0x1C
    INLINED_SUBROUTINE = 0x1D
    MODULE = 0x1E
    PTR_TO_MEMBER_TYPE = 0x1F
    SUBRANGE_TYPE = 0x21
    BASE_TYPE = 0x24
    CATCH_BLOCK = 0x25
    CONST_TYPE = 0x26
    ENUMERATOR = 0x28
    PACKED_TYPE = 0x2D
    SUBPROGRAM = 0x2E
    TRY_BLOCK = 0x32
    VARIANT_PART = 0x33
    VARIABLE = 0x34
    VOLATILE_TYPE = 0x35
    RESTRICT_TYPE = 0x37
    INTERFACE_TYPE = 0x38
    NAMESPACE = 0x39
    IMPORTED_MODULE = 0x3A
    UNSPECIFIED_TYPE = 0x3B
    PARTIAL_UNIT = 0x3C
    IMPORTED_UNIT = 0x3D
    SHARED_TYPE = 0x40
    TYPE_UNIT = 0x41
    RVALUE_REFERENCE_TYPE = 0x42
    TEMPLATE_ALIAS = 0x43
    ATOMIC_TYPE = 0x47
    SKELETON_UNIT = 0x4A
    IMMUTABLE_TYPE = 0x4B
    GNU_FORMAL_PARAMETER_PACK = 0x4108


class AT(IntEnum):
    """DW_AT: what an attribute tells."""

    SIBLING = 0x01
    LOCATION = 0x02
    NAME = 0x03
    BYTE_SIZE = 0x0B
    BIT_OFFSET = 0x0C
    BIT_SIZE = 0x0D
    STMT_LIST = 0x10
    LOW_PC = 0x11
    HIGH_PC = 0x12
    LANGUAGE = 0x13
    COMP_DIR = 0x1B
    CONST_VALUE = 0x1C
    INLINE = 0x20
    LOWER_BOUND = 0x22
    PRODUCER = 0x25
    PROTOTYPED = 0x27
    UPPER_BOUND = 0x2F
    ABSTRACT_ORIGIN = 0x31
    ARTIFICIAL = 0x34
    CALLING_CONVENTION = 0x36
    COUNT = 0x37
    DATA_MEMBER_LOCATION = 0x38
    DECL_FILE = 0x3A
    DECL_LINE = 0x3B
    DECLARATION = 0x3C
    ENCODING = 0x3E
    EXTERNAL = 0x3F
    FRAME_BASE = 0x40
    SPECIFICATION = 0x47
    TYPE = 0x49
    VIRTUALITY = 0x4C
    ENTRY_PC = 0x52
    EXTENSION = 0x54
    RANGES = 0x55
    CALL_COLUMN = 0x57
    CALL_FILE = 0x58
    CALL_LINE = 0x59
    OBJECT_POINTER = 0x64
    SIGNATURE = 0x69
    DATA_BIT_OFFSET = 0x6B
    LINKAGE_NAME = 0x6E
    STR_OFFSETS_BASE = 0x72
    ADDR_BASE = 0x73
    RNGLISTS_BASE = 0x74
    DWO_NAME = 0x76
    LOCLISTS_BASE = 0x8C
    MIPS_LINKAGE_NAME = 0x2007
    GNU_VECTOR = 0x2107
    GNU_DWO_NAME = 0x2130
    GNU_DWO_ID = 0x2131
    GNU_RANGES_BASE = 0x2132
    GNU_ADDR_BASE = 0x2133


class FORM(IntEnum):
    """DW_FORM: how an attribute is written."""

    ADDR = 0x01
    BLOCK2 = 0x03
    BLOCK4 = 0x04
    DATA2 = 0x05
    DATA4 = 0x06
    DATA8 = 0x07
    STRING = 0x08
    BLOCK = 0x09
    BLOCK1 = 0x0A
    DATA1 = 0x0B
    FLAG = 0x0C
    SDATA = 0x0D
    STRP = 0x0E
    UDATA = 0x0F
    REF_ADDR = 0x10
    REF1 = 0x11
    REF2 = 0x12
    REF4 = 0x13
    REF8 = 0x14
    REF_UDATA = 0x15
    INDIRECT = 0x16
    SEC_OFFSET = 0x17
    EXPRLOC = 0x18
    FLAG_PRESENT = 0x19
    STRX = 0x1A
    ADDRX = 0x1B
    REF_SUP4 = 0x1C
    STRP_SUP = 0x1D
    DATA16 = 0x1E
    LINE_STRP = 0x1F
    REF_SIG8 = 0x20
    IMPLICIT_CONST = 0x21
    LOCLISTX = 0x22
    RNGLISTX = 0x23
    REF_SUP8 = 0x24
    STRX1 = 0x25
    STRX2 = 0x26
    STRX3 = 0x27
    STRX4 = 0x28
    ADDRX1 = 0x29
    ADDRX2 = 0x2A
    ADDRX3 = 0x2B
    ADDRX4 = 0x2C
    GNU_ADDR_INDEX = 0x1F01
    GNU_STR_INDEX = 0x1F02
    GNU_REF_ALT = 0x1F20
    GNU_STRP_ALT = 0x1F21


class UT(IntEnum):
    """DW_UT: what kind of unit."""

    COMPILE = 0x01
    TYPE = 0x02
    PARTIAL = 0x03
    SKELETON = 0x04
    SPLIT_COMPILE = 0x05
    SPLIT_TYPE = 0x06


class ATE(IntEnum):
    """DW_ATE: how a base type is encoded."""

    ADDRESS = 0x01
    BOOLEAN = 0x02
    COMPLEX_FLOAT = 0x03
    FLOAT = 0x04
    SIGNED = 0x05
    SIGNED_CHAR = 0x06
    UNSIGNED = 0x07
    UNSIGNED_CHAR = 0x08
    UTF = 0x10


class INL(IntEnum):
    """DW_INL: whether a function was declared inline, and whether it was inlined."""

    NOT_INLINED = 0
    INLINED = 1
    DECLARED_NOT_INLINED = 2
    DECLARED_INLINED = 3


class CC(IntEnum):
    """DW_CC: how a function is called, or a value of a class is passed."""

    NORMAL = 1
    PROGRAM = 2
    NOCALL = 3
    PASS_BY_REFERENCE = 4
    PASS_BY_VALUE = 5
