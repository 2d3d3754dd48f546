"""Frozen data in which the compile half and the run half meet.

values.py    types of values in maps and events: C types, strings, tuples, aggregations
bundle.py    Program, Map, Variable, Link, EventLayout, Counter, and Bundle that holds them
abi.py       numbers of the kernel's ABI that programs and maps are described with
target.py    facts about a kernel and its binaries that a compiler may ask for
machine.py   the protocol that the kernel and the VM satisfy
text.py      the stable text form (`--emit spec`)
"""
