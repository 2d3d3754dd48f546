"""AArch64, by AAPCS64 (section 6), arch/arm64/include/uapi/asm/ptrace.h, and Go's abi-internal.md.

`struct pt_regs` begins with `struct user_pt_regs`, which is all that BPF programs see of it.
"""

from __future__ import annotations

from .arch import Arch, Register

_NAMES = [*[f"x{i}" for i in range(31)], "sp", "pc", "pstate"]
_ARGUMENTS = tuple(_NAMES[:8])

ARCH = Arch(
    name="aarch64",
    elf_machine=183,
    context="user_pt_regs",
    context_size=8 * len(_NAMES),
    registers=tuple([Register(name, 8 * i) for i, name in enumerate(_NAMES)]),
    aliases=(*[(f"r{i}", f"x{i}") for i in range(31)], ("fp", "x29"), ("lr", "x30")),
    kernel_arguments=_ARGUMENTS,
    user_arguments=_ARGUMENTS,
    syscall_arguments=_ARGUMENTS[:6],
    syscall_number="x8",
    syscall_prefix="__arm64_",
    return_value="x0",
    stack_pointer="sp",
    instruction_pointer="pc",
    frame_pointer="x29",
    link="x30",
    stack_argument=0,
    go_arguments=tuple(_NAMES[:16]),
    go_g="x28",
)
