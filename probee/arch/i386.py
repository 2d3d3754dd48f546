"""i386, in programs of 32 bits that a kernel of x86-64 runs, by the System V psABI (section 2.2).

The context of a probe is that of x86-64; a register's low half is what such a program sees. Arguments are on
the stack, in words of 4 bytes.
"""

from __future__ import annotations

from .arch import Arch, Register
from .x86_64 import ARCH as WIDE

_NAMES = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip", "flags")

ARCH = Arch(
    name="i386",
    elf_machine=3,
    context=WIDE.context,
    context_size=WIDE.context_size,
    registers=tuple([Register(name, WIDE.register(name).offset, 4) for name in _NAMES]),
    aliases=(*[(f"e{name}", name) for name in _NAMES], ("pc", "ip")),
    kernel_arguments=(),
    user_arguments=(),
    syscall_arguments=("bx", "cx", "dx", "si", "di", "bp"),
    syscall_number="ax",
    syscall_prefix="__ia32_",
    return_value="ax",
    stack_pointer="sp",
    instruction_pointer="ip",
    frame_pointer="bp",
    link=None,
    stack_argument=4,
    go_arguments=(),
    go_g="",
    pointer_size=4,
)
