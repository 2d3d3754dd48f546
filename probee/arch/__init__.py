"""One `Arch` of data per CPU: registers, calling conventions, layout of `pt_regs`.

arch               the records Arch and Register, and find("x86_64"), which imports that CPU only
x86_64, aarch64    the data, a file per CPU, named after `uname -m`
i386               programs of 32 bits on x86_64
x86_64_code        lengths of x86-64 instructions
syscalls           names of system calls
"""

from __future__ import annotations

from .arch import Arch, Register, find, find_by_elf_machine

__all__ = ["Arch", "Register", "find", "find_by_elf_machine"]
