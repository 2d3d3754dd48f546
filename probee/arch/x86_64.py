"""x86-64, by the System V psABI (section 3.2.3), arch/x86/include/asm/ptrace.h, and Go's abi-internal.md."""

from __future__ import annotations

from .arch import Arch, Register

_NAMES = (
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss",
)  # fmt: skip
# Since the kernel knows FRED (in v6.9), cs and ss are the low 16 bits of a union whose other bits are FRED's.
# Before, the other bits were 0.
_SIZES = {"cs": 2, "ss": 2}
_ARGUMENTS = ("di", "si", "dx", "cx", "r8", "r9")

ARCH = Arch(
    name="x86_64",
    elf_machine=62,
    context="pt_regs",
    context_size=8 * len(_NAMES),
    registers=tuple([Register(name, 8 * i, _SIZES.get(name, 8)) for i, name in enumerate(_NAMES)]),
    aliases=(
        *[(f"r{n}", n) for n in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip", "flags")],
        ("pc", "ip"),
    ),
    kernel_arguments=_ARGUMENTS,
    user_arguments=_ARGUMENTS,
    # The `syscall` instruction overwrites rcx.
    syscall_arguments=("di", "si", "dx", "r10", "r8", "r9"),
    syscall_number="orig_ax",
    syscall_prefix="__x64_",
    return_value="ax",
    stack_pointer="sp",
    instruction_pointer="ip",
    frame_pointer="bp",
    link=None,
    stack_argument=8,
    go_arguments=("ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11"),
    go_g="r14",
)
