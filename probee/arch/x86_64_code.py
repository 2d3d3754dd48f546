"""Lengths of x86-64 instructions, for walking over a function (Intel SDM, volume 2: chapter 2, appendix A).

Only lengths, of what compilers and assemblers emit for 64-bit mode. What is not known is refused: a
breakpoint inside of an instruction would break the program it is put into.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

RETURNS = frozenset({0xC2, 0xC3, 0xCA, 0xCB})
"""Opcodes of one byte that return to the caller."""

_LONGEST = 15
_PREFIXES = frozenset(b"\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3")
_OPERAND_SIZE, _ADDRESS_SIZE = 0x66, 0x67
_VEX2, _VEX3, _EVEX, _XOP_OR_POP = 0xC5, 0xC4, 0x62, 0x8F

# What follows an opcode, one letter each: - nothing, m ModRM, b/w/z an immediate of 1, 2, 2-or-4 bytes,
# d of 4 bytes, v of 2, 4 or 8, B and Z ModRM with an immediate, t and T the same where ModRM's reg is below 2
# (`test` among its siblings), o an address, e `enter`, x none such.
_ONE = (
    "mmmmbzxx" "mmmmbzxx" "mmmmbzxx" "mmmmbzxx" "mmmmbzxx" "mmmmbzxx" "mmmmbzxx" "mmmmbzxx"
    "xxxxxxxxxxxxxxxx" "----------------" "xxxmxxxxzZbB----" "bbbbbbbbbbbbbbbb"
    "BZxBmmmmmmmmmmmm" "----------x-----" "oooo----bz------" "bbbbbbbbvvvvvvvv"
    "BBw-xxBZe-w--bx-" "mmmmxxx-mmmmmmmm" "bbbbbbbbddxb----" "x-xx--tT------mm"
)  # fmt: skip
_TWO = (
    "mmmmx-----x-xm-x" "mmmmmmmmmmmmmmmm" "mmmmxxxxmmmmmmmm" "--------xxxxxxxx"
    "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "BBBBmmm-xxxxmmmm"
    "dddddddddddddddd" "mmmmmmmmmmmmmmmm" "---mBmxx---mBmmm" "mmmmmmmmmmBmmmmm"
    "mmBmBBBm--------" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm"
)  # fmt: skip
_MAPS_OF_VEX = {1: _TWO, 2: "m" * 256, 3: "B" * 256}
_MAPS_OF_EVEX = {**_MAPS_OF_VEX, 5: "m" * 256, 6: "m" * 256}
_MODRM = frozenset("mBZtT")
_CONTROL_REGISTERS = range(0x20, 0x24)


def iter_instructions(code: bytes) -> Iterator[tuple[int, int, int]]:
    """(offset, length, opcode) of each instruction; an opcode of several bytes is told as 0.

    Raises ValueError, with the offset of what is no known instruction.
    """
    at = 0
    while at < len(code):
        length, opcode = decode_length(code, at)
        yield at, length, opcode
        at += length


def decode_length(code: bytes, at: int) -> tuple[int, int]:
    """Length of the instruction at offset `at`, and its opcode as above. Raises ValueError likewise."""
    try:
        end, opcode = _decode(code, at)
    except IndexError:
        raise ValueError(f"the instruction at offset {at:#x} does not end") from None
    if end > len(code) or end - at > _LONGEST:
        raise ValueError(f"the instruction at offset {at:#x} does not end")
    return end - at, opcode


def _decode(code: bytes, start: int) -> tuple[int, int]:
    at, sizes = start, set()
    while code[at] in _PREFIXES:
        sizes.add(code[at])
        at += 1
    wide = False
    if code[at] >> 4 == 4:
        wide = bool(code[at] & 8)
        at += 1
    opcode, known = code[at], 0
    at += 1
    if opcode == 0x0F:
        kind, at = _two(code, at)
        opcode = 0
    elif opcode in (_VEX2, _VEX3, _EVEX):
        kind, at = _vector(code, at, opcode)
        opcode = 0
    else:
        # XOP, of some AMD CPUs, shares its first byte with `pop` to memory.
        kind = "m" if opcode == _XOP_OR_POP and not code[at] & 0x38 else _ONE[opcode]
        known = opcode
        if opcode == _XOP_OR_POP and code[at] & 0x38:
            kind = "x"
    if kind == "x":
        raise ValueError(f"the bytes at offset {start:#x} are no known instruction")
    return _past(code, at, kind, sizes, wide), known


def _two(code: bytes, at: int) -> tuple[str, int]:
    """What follows an opcode of the maps 0F, 0F 38 and 0F 3A, and where."""
    second = code[at]
    if second in (0x38, 0x3A):
        return "m" if second == 0x38 else "B", at + 2
    if second in _CONTROL_REGISTERS:
        # Their ModRM names registers whatever its mode says.
        return "b", at + 1
    return _TWO[second], at + 1


def _vector(code: bytes, at: int, prefix: int) -> tuple[str, int]:
    """What follows an opcode behind a VEX or EVEX prefix, whose first byte was before `at`, and where."""
    if prefix == _VEX2:
        maps, number, at = _MAPS_OF_VEX, 1, at + 1
    elif prefix == _VEX3:
        maps, number, at = _MAPS_OF_VEX, code[at] & 0x1F, at + 2
    else:
        maps, number, at = _MAPS_OF_EVEX, code[at] & 7, at + 3
    return maps.get(number, "x" * 256)[code[at]], at + 1


def _past(code: bytes, at: int, kind: str, sizes: set[int], wide: bool) -> int:
    """Where an instruction ends whose opcode ended at `at`."""
    operand = 2 if _OPERAND_SIZE in sizes and not wide else 4
    if kind in _MODRM:
        tested = not code[at] & 0x30
        at = _past_modrm(code, at)
        if kind in "tT":
            kind = {"t": "b", "T": "z"}[kind] if tested else "-"
    immediate = {
        "b": 1, "B": 1, "w": 2, "e": 3, "d": 4, "z": operand, "Z": operand,
        "v": 8 if wide else operand, "o": 4 if _ADDRESS_SIZE in sizes else 8,
    }  # fmt: skip
    return at + immediate.get(kind, 0)


def _past_modrm(code: bytes, at: int) -> int:
    mode, rm = code[at] >> 6, code[at] & 7
    at += 1
    if mode == 3:
        return at
    base = rm
    if rm == 4:
        base = code[at] & 7
        at += 1
    return at + (1 if mode == 1 else 4 if mode == 2 or base == 5 else 0)
