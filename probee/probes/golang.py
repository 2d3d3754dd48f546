"""Functions of Go, which call one another in a way of their own: Go's abi-internal.md.

Arguments are in registers, word by word: a string is two of them (address, length), a slice three (address,
length, capacity), an interface two (type, value). `argN` is the Nth word. A stack may be moved while a
function runs, and then return addresses are looked at: what the kernel puts there for a return probe ends
the program. Hence return probes are put at the instructions that return.
"""

from __future__ import annotations

import re

from ..arch import find_by_elf_machine
from ..base.errors import TargetError
from ..elf.consts import EM
from ..elf.gobuildinfo import parse_go_version, parse_version
from ..usdt.args import Arg, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..elf.file import Elf
    from ..elf.gopclntab import GoFunction

_WORDS = 16
"""Arguments that are told of: where those without a register are depends on the types of all."""

_REGISTERS_SINCE: dict[int, tuple[int, int]] = {EM.X86_64: (1, 17), EM.AARCH64: (1, 18)}
"""The first version that passes arguments in registers; those before have them on the stack."""

_GOID = (((1, 9), 152), ((1, 23), 160), ((1, 25), 152))
"""Since which version `goid` is where in `runtime.g`, on machines of 64 bits."""

_LONGEST_CHECK = 32
_STACK_CHECKS: dict[int, bytes] = {
    # [lea -N(%rsp),%r12]; cmp 16(%r14),%rsp or %r12; jbe
    EM.X86_64: rb"(?:\x4c\x8d(?:\x64\x24.|\xa4\x24....)\x4d|\x49)\x3b\x66\x10(?:\x76.|\x0f\x86....)",
    # ldr x16, [x28, #16]; cmp sp, x16 or sub x17, sp, #N and cmp x17, x16; b.ls
    EM.AARCH64: rb"\x90\x0b\x40\xf9(?:\xff\x63\x30\xeb|\xf1..\xd1\x3f\x02\x10\xeb)"
    rb"[\x09\x29\x49\x69\x89\xa9\xc9\xe9]..\x54",
}
"""Whether the stack is large enough: the goroutine has its end. Since Go 1.17."""

_RETURN_AARCH64 = (0xFFFFFC1F, 0xD65F0000)
"""Mask and value of the instruction `ret`, with any register."""


def find_go_function(elf: Elf, address: int) -> GoFunction | None:
    """The function of Go that is entered at virtual `address`; None for one of another language."""
    return elf.go_table.find_at(address) if elf.go_table is not None else None


def describe_arguments(elf: Elf, function: GoFunction) -> tuple[Arg, ...]:
    """Where the words of the arguments of `function` are when it is entered."""
    if function.is_assembly:
        return (_refused("functions in assembly have arguments where they like"),) * _WORDS
    if elf.machine not in _REGISTERS_SINCE and elf.machine != EM.I386:
        return (_refused("probee doesn't know the registers of this CPU"),) * _WORDS
    if not _has_registers(elf):
        first = elf.bits // 8
        return tuple([_on_stack(elf, first * (1 + number)) for number in range(_WORDS)])
    names = find_by_elf_machine(elf.machine).go_arguments
    known = [Arg(f"8@{name}", Kind.REGISTER, 8, register=name) for name in names]
    left = _WORDS - len(known)
    return (*known, *[_refused("it is not in a register: args.NAME finds it by debug information")] * left)


def find_returns(elf: Elf, function: GoFunction) -> list[int]:
    """Offsets in the file of all instructions of `function` that return. Raises TargetError."""
    start = elf.file_offset(function.entry)
    if start is None:
        raise TargetError(f"{function.name} is not in the code of {elf.path}")
    code = elf.data[start : start + function.size]
    try:
        found = [start + at for at in _find_returns(elf.machine, code)]
    except ValueError as error:
        raise TargetError(f"{function.name} of {elf.path} can't be disassembled: {error}") from None
    if not found:
        raise TargetError(f"{function.name} of {elf.path} never returns")
    return found


def skip_stack_check(elf: Elf, function: GoFunction) -> int:
    """Bytes from the entry of `function` to where its stack is large enough; 0 where that isn't checked.

    Where it is too small, it is moved and the function begins anew, which a probe at its entry would count
    twice. The check changes no argument.
    """
    start = elf.file_offset(function.entry)
    pattern = _STACK_CHECKS.get(elf.machine)
    if start is None or pattern is None:
        return 0
    found = re.compile(pattern, re.DOTALL).match(elf.data[start : start + min(function.size, _LONGEST_CHECK)])
    return found.end() if found is not None else 0


def find_goroutine(elf: Elf, function: GoFunction) -> Arg | None:
    """Where the id of the running goroutine is while `function` runs, or None where that can't be told."""
    version = parse_version(parse_go_version(elf) or "")
    offset = next((at for since, at in reversed(_GOID) if version is not None and version >= since), None)
    if offset is None or function.is_assembly or not _has_registers(elf):
        return None
    name = find_by_elf_machine(elf.machine).go_g
    return Arg(f"8@{offset}({name})", Kind.MEMORY, 8, register=name, displacement=offset)


def _has_registers(elf: Elf) -> bool:
    since = _REGISTERS_SINCE.get(elf.machine)
    version = parse_version(parse_go_version(elf) or "")
    # A version without numbers is of Go's developers: newer than all.
    return since is not None and (version is None or version >= since)


def _on_stack(elf: Elf, offset: int) -> Arg:
    size = elf.bits // 8
    pointer = find_by_elf_machine(elf.machine).stack_pointer
    return Arg(f"{size}@{offset}({pointer})", Kind.MEMORY, size, register=pointer, displacement=offset)


def _refused(reason: str) -> Arg:
    return Arg("Go", Kind.UNSUPPORTED, 8, reason=reason)


def _find_returns(machine: int, code: bytes) -> list[int]:
    """Offsets of the instructions in `code` that return. Raises ValueError for what can't be read."""
    if machine == EM.AARCH64:
        mask, value = _RETURN_AARCH64
        words = range(0, len(code) - 3, 4)
        return [at for at in words if int.from_bytes(code[at : at + 4], "little") & mask == value]
    if machine == EM.X86_64:
        from ..arch.x86_64_code import RETURNS, iter_instructions

        return [at for at, _, opcode in iter_instructions(code) if opcode in RETURNS]
    raise ValueError("probee knows no instructions of this CPU")
