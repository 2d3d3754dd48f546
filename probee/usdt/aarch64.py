"""Operands of AArch64, as assemblers write them: `x0`, `5`, `[sp, 60]`, `[x1, w2, sxtw 3]`."""

from __future__ import annotations

import re

from .args import Arg, Kind, make, parse_sum, refuse

_FLOATING = re.compile(r"[bhsdqvz]\d{1,2}(?:\.\w+)?$", re.ASCII)
_EXTENSION = re.compile(r"(lsl|sxtw|uxtw|sxtx)(?:\s+#?([0-4]))?$", re.ASCII)
_ZERO = ("xzr", "wzr")


def _name_registers() -> dict[str, tuple[str, int]]:
    """Assembler's name → name in `arch.aarch64`, bytes."""
    table: dict[str, tuple[str, int]] = {}
    for number in range(31):
        table |= {f"x{number}": (f"x{number}", 8), f"w{number}": (f"x{number}", 4)}
    # Number 31 of a register in an address is the stack pointer; some compilers name it so.
    for name in ("sp", "x31"):
        table[name] = ("sp", 8)
    return table | {"wsp": ("sp", 4), "fp": ("x29", 8), "lr": ("x30", 8)}


REGISTERS = _name_registers()


def parse_operand(operand: str, arg: Arg) -> Arg:
    """`arg` with the place that `operand` spells."""
    if operand in _ZERO:
        return make(arg, Kind.CONSTANT)
    if operand in REGISTERS:
        register, size = REGISTERS[operand]
        # The bits past the register are not the value's.
        return make(arg, Kind.REGISTER, register=register, size=min(arg.size, size))
    if _FLOATING.match(operand):
        return refuse(arg, f"floating point register {operand}")
    if operand[0] == "[":
        return _parse_memory(operand, arg)
    total = parse_sum(operand.removeprefix("#"))
    if total is None or total[0]:
        return refuse(arg, f"operand {operand}")
    return make(arg, Kind.CONSTANT, value=total[1])


def _parse_memory(operand: str, arg: Arg) -> Arg:
    base, *rest = [part.strip() for part in operand[1:-1].split(",")]
    register, size = REGISTERS.get(base, ("", 0))
    if size != 8 or len(rest) > 2:
        return refuse(arg, f"address {operand}")
    arg = make(arg, Kind.MEMORY, register=register)
    if not rest:
        return arg
    total = parse_sum(rest[0].removeprefix("#"))
    if total is not None and not total[0] and len(rest) == 1:
        return make(arg, Kind.MEMORY, displacement=total[1])
    return _parse_index(arg, operand, rest[0], rest[1] if len(rest) == 2 else "lsl")


def _parse_index(arg: Arg, operand: str, name: str, how: str) -> Arg:
    register, size = REGISTERS.get(name, ("", 0))
    found = _EXTENSION.match(how)
    if found is None or size != (4 if found[1] in ("sxtw", "uxtw") else 8):
        return refuse(arg, f"address {operand}")
    return make(
        arg,
        Kind.MEMORY,
        index=register,
        scale=1 << int(found[2] or 0),
        index_size=size,
        index_signed=found[1] == "sxtw",
    )
