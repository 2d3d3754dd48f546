"""One C type model for everything that has types: BTF, DWARF, tracepoint formats, C text.

types.py          Int Float Ptr Ref Array Struct Enum Func Typedef, their size and alignment
members.py        a member by its name or path
layout.py         where members go, by the ABI of x86-64 and AArch64
padding.py        the reverse: which C puts members where they are
declare.py        C text → types (parse_declarations, parse_type); what else declarations hold
render.py         types → C text

How C text is read, from the bottom up:

tokens.py         characters → tokens, and a cursor over them
expressions.py    constant expressions
macros.py         definition and expansion of macros
preprocess.py     directives, conditionals, included files
specifiers.py     words and attributes that types are made of
scope.py          what names mean, here and to others
tags.py           struct, union and enum
declarators.py    specifiers and declarators
"""
