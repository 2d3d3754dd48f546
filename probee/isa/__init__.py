"""BPF as a machine: the instruction set, and its text forms.

ebpf        what a code generator needs: numbers, `Insn`, constructors, bytes ↔ instructions
fields      names of the other fields of opcodes
forms       the one table: every legal instruction, its texts, group, cpu level and first kernel
disasm      instructions → text, in the kernel's form or the conformance suite's
asm         text → instructions, both forms
effects     which registers an instruction reads and writes
numbers     numbers as people write them
check       what must hold of a whole program before it may run
helpers     numbers and names of the kernel's helper functions
cbpf/       classic BPF: texts, checks, conversion to extended BPF, seccomp
"""
