"""BPF as a machine: the instruction set, and its text forms.

ebpf        numbers with names, `Insn`, constructors, bytes ↔ instructions
forms       the one table: every legal instruction, its texts, group, cpu level and first kernel
disasm      instructions → text, in the kernel's form or the conformance suite's
asm         text → instructions, both forms
check       what must hold of a whole program before it may run
"""
