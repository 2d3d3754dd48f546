"""One C type model for everything that has types: BTF, DWARF, tracepoint formats, C text.

types.py    Int Float Ptr Ref Array Struct Enum Func Typedef, their size and alignment
"""
