"""DWARF 2 to 5, debugging information: bytes in, values out. Callers open the files.

search      the front door: functions and structs by name, functions by address
file        Dwarf: sections, units, what is kept of one file
functions   name, code, parameters with types and places, inlined instances
types       types as `ctype` values, and as C spells them
expr        places and values as small trees, and in words
location    location expressions → places
convention  where the calling convention puts arguments and results; convention_rust, convention_i386
cfa         the canonical frame address, by frame tables
line        address ↔ file and line; where a function's body begins

section     debug sections, compressed or not
package     `.dwp`: the split units of a program in one file
unit        unit headers, what forms refer to
die         entries: attributes one at a time, children with those in between passed over
abbrev      abbreviations: what attributes entries have
forms       how attributes are written
lists       range lists and location lists
scope       namespaces and classes around an entry
index       units that a name may be in; names, gdb_index: the tables that tell
aranges     the unit that an address is in
consts      numbers with names: TAG, AT, FORM, …; ops: OP
registers   names of registers by their numbers
"""
