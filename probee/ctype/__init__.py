"""One C type model for everything that has types: BTF, DWARF, tracepoint formats, C text.

    types.py    Int Ptr Array Struct Union Enum Func Typedef, their size and alignment
"""
