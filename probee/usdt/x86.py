"""Operands of x86-64 and i386, as the GNU assembler writes them (AT&T syntax)."""

from __future__ import annotations

import re

from .args import Arg, Kind, make, parse_sum, refuse

_FLOATING = re.compile(r"([xyz]?mm\d{1,2}|st(?:\(\d\))?|k[0-7])$")
_SEGMENT = re.compile(r"%([c-gs]s):")
_MEMORY = re.compile(r"([^()]*)\((%\w+)?(?:,(%\w+)(?:,([1248]))?)?\)$", re.ASCII)


def _name_registers() -> dict[str, tuple[str, int, int]]:
    """Assembler's name → name in `arch.x86_64`, bytes, first bit."""
    table = {"rip": ("ip", 8, 0)}
    for name in ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp"):
        low = name[0] + "l" if name.endswith("x") else name + "l"
        table |= {"r" + name: (name, 8, 0), "e" + name: (name, 4, 0), name: (name, 2, 0), low: (name, 1, 0)}
        if name.endswith("x"):
            table[name[0] + "h"] = (name, 1, 8)
    for number in range(8, 16):
        name = f"r{number}"
        table |= {name: (name, 8, 0), name + "d": (name, 4, 0), name + "w": (name, 2, 0)}
        table |= {name + "b": (name, 1, 0), name + "l": (name, 1, 0)}
    return table


REGISTERS = _name_registers()


def parse_operand(operand: str, arg: Arg) -> Arg:
    """`arg` with the place that `operand` spells."""
    if _SEGMENT.match(operand):
        return refuse(arg, f"memory of segment {operand[1:3]}, which is the thread's own")
    if operand[0] == "%":
        return _parse_register(operand[1:], arg)
    if operand[0] == "$":
        return _parse_constant(operand[1:], arg)
    return _parse_memory(operand, arg)


def parse_operand_32(operand: str, arg: Arg) -> Arg:
    """Likewise in programs of 32 bits, whose addresses are in halves of registers."""
    if operand[0] in "%$" or _SEGMENT.match(operand):
        return parse_operand(operand, arg)
    return _parse_memory(operand, arg, word=4)


def _parse_register(name: str, arg: Arg) -> Arg:
    if _FLOATING.match(name):
        return refuse(arg, f"floating point register {name}")
    if name not in REGISTERS:
        return refuse(arg, f"register {name}")
    register, size, shift = REGISTERS[name]
    # The bits past the register are not the value's.
    return make(arg, Kind.REGISTER, register=register, shift=shift, size=min(arg.size, size))


def _parse_constant(text: str, arg: Arg) -> Arg:
    total = parse_sum(text)
    if total is None or "@" in total[0]:
        return refuse(arg, f"constant {text}")
    return make(arg, Kind.CONSTANT, symbol=total[0], value=total[1])


def _parse_memory(operand: str, arg: Arg, word: int = 8) -> Arg:
    """`disp(base,index,scale)`, each of them optional, the parentheses too."""
    found = _MEMORY.match(operand)
    text, base, index, scale = found.groups() if found else (operand, None, None, None)
    total = parse_sum(text) if text else ("", 0)
    if total is None or "@" in total[0] or (found and not base and not index):
        return refuse(arg, f"operand {operand}")
    names = [_address_register(name, word) for name in (base, index)]
    if None in names or names[1] == "ip":
        return refuse(arg, f"address {operand}")
    symbol, displacement = total
    # `name(%rip)` is the assembler's way of saying `name`: the distance is the linker's business.
    register = "" if names[0] == "ip" and symbol else names[0]
    return make(
        arg,
        Kind.MEMORY,
        register=register,
        displacement=displacement,
        index=names[1],
        scale=int(scale or 1),
        index_size=word if index else 8,
        index_signed=bool(index) and word == 4,
        symbol=symbol,
    )


def _address_register(name: str | None, word: int) -> str | None:
    """Name of a register in an address, "" where there is none, None when it can't be one."""
    if name is None:
        return ""
    register, size, _ = REGISTERS.get(name[1:], ("", 0, 0))
    return register if size == word else None
