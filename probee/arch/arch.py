"""The record of a CPU. Register names are the kernel's (`struct pt_regs`); offsets and sizes are in bytes."""

from __future__ import annotations

from ..base.errors import FeatureError
from ..base.record import record

_MODULES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_OLDER = {3: "i386"}
"""CPUs whose programs the kernel of another one runs, and no kernel of their own is traced."""


@record
class Register:
    """A register in the saved context of an interrupted program."""

    name: str
    offset: int
    size: int = 8


@record
class Arch:
    """What probee knows of a CPU.

    `context` is the struct that BPF programs of probes with registers get (`bpf_user_pt_regs_t`), and
    `context_size` how much of it they may read. Argument registers are in order. When a function has just
    been entered, its first argument on the stack is at `stack_pointer + stack_argument`, and its return
    address in the `link` register, or on top of the stack where that is None. `go_arguments` is the integer
    sequence of Go's ABIInternal (since Go 1.17), `go_g` holds the goroutine. `syscall_prefix` is what the
    kernel puts before `sys_NAME` for native system calls.
    """

    name: str
    elf_machine: int
    context: str
    context_size: int
    registers: tuple[Register, ...]
    aliases: tuple[tuple[str, str], ...]
    kernel_arguments: tuple[str, ...]
    user_arguments: tuple[str, ...]
    syscall_arguments: tuple[str, ...]
    syscall_number: str
    syscall_prefix: str
    return_value: str
    stack_pointer: str
    instruction_pointer: str
    frame_pointer: str
    link: str | None
    stack_argument: int
    go_arguments: tuple[str, ...]
    go_g: str
    pointer_size: int = 8
    little: bool = True

    def find_register(self, name: str) -> Register | None:
        """The register called `name`, or None. Other usual names of registers are known too."""
        wanted = dict(self.aliases).get(name, name)
        return next((r for r in self.registers if r.name == wanted), None)

    def register(self, name: str) -> Register:
        """The register called `name`, which is one of this record's own. Raises KeyError for others."""
        found = self.find_register(name)
        if found is None:
            raise KeyError(name)
        return found


def find(machine: str) -> Arch:
    """The CPU called `machine` by `uname -m`. Raises FeatureError for one that probee has no data for."""
    module = _MODULES.get(machine)
    if module is None:
        known = ", ".join(dict.fromkeys(_MODULES.values()))
        raise FeatureError(f"no register tables for CPU {machine!r}", hint=f"there are tables for {known}")
    return _import(module)


def find_by_elf_machine(machine: int) -> Arch:
    """The CPU with ELF's number `machine` (e_machine). Raises FeatureError likewise."""
    if machine in _OLDER:
        return _import(_OLDER[machine])
    return find(_ELF_MACHINES.get(machine, f"e_machine {machine}"))


def _import(module: str) -> Arch:
    from importlib import import_module

    arch: Arch = import_module(f".{module}", __package__).ARCH
    return arch
