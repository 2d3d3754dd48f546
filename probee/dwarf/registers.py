"""Names of registers by their numbers in DWARF, from the psABIs of x86-64 (figure 3.36), i386
(table 2.14) and AArch64."""

from __future__ import annotations

from ..arch import find_by_elf_machine
from ..elf.consts import EM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .expr import RegisterName

_X86_64 = (
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", *[f"r{n}" for n in range(8, 16)], "rip",
    *[f"xmm{n}" for n in range(16)], *[f"st{n}" for n in range(8)], *[f"mm{n}" for n in range(8)],
)  # fmt: skip
_I386 = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip")
_AARCH64_VECTORS = 64

_NAMES: dict[int, dict[int, str]] = {
    EM.X86_64: dict(enumerate(_X86_64)),
    EM.I386: dict(enumerate(_I386)),
    EM.AARCH64: {
        **{n: f"x{n}" for n in range(31)},
        31: "sp",
        **{_AARCH64_VECTORS + n: f"v{n}" for n in range(32)},
    },
}


def register_numbers(machine: int) -> dict[str, int]:
    """The number in DWARF of each register of a CPU with tables, by the kernel's name of it."""
    arch = find_by_elf_machine(machine)
    found = {name: (arch.find_register(name), number) for number, name in _NAMES.get(machine, {}).items()}
    return {register.name: number for register, number in found.values() if register is not None}


def register_names(machine: int) -> RegisterName:
    """What names the registers of CPU `machine` (`elf.consts.EM`): "rdi", or "register 5" without a name."""
    names = _NAMES.get(machine, {})
    return lambda number: names.get(number) or f"register {number}"
