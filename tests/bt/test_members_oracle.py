"""Members of the kernel's structs, read by scripts from random memory, against the bytes themselves."""

from __future__ import annotations

import random
from typing import Any

import pytest

from builders.scripts import Script, make_target
from probee.base.record import replace
from probee.ctype.types import Bool, CType, Enum, Int, Member, Ptr, Struct, strip_typedefs
from probee.kernel.types import LiveTypes

pytestmark = [pytest.mark.needs("btf"), pytest.mark.slow]

AT, MOST = 0x100000, 4096
STRUCTS, EACH = 150, 6


def test_members_are_the_bits_where_they_are() -> None:
    types = LiveTypes()
    target = replace(make_target(), types=types)
    names = sorted({name for kind, name in types.iter_types() if kind == "struct"})
    checked = 0
    for name in random.Random(23).sample(names, STRUCTS):
        found = types.find_type("struct", name)
        if not isinstance(found, Struct) or not 0 < found.size <= MOST:
            continue
        chance = random.Random(name)
        memory = chance.randbytes(found.size)
        numbers = [member for member in iter_numbers(found) if member.type.size <= 8]
        chosen = chance.sample(numbers, min(EACH, len(numbers)))
        if not chosen:
            continue
        shown = "".join([f"print((uint64)$p->{member.name} + 0);" for member in chosen])
        script = Script(f"begin {{ $p = (struct {name} *)kptr({AT}); {shown} }}", target=target)
        script.machine.kernel_memory = {AT: memory}
        expected = [extract(memory, member) for member in chosen]
        assert script.run().values() == expected, name
        checked += len(chosen)
    assert checked > 300


def iter_numbers(struct: Struct, base: int = 0) -> list[Member]:
    """The members that are numbers, in anonymous structs too, with their place in the whole."""
    found: list[Member] = []
    for member in struct.members:
        placed = replace(member, offset_bits=base + member.offset_bits)
        inner = strip_typedefs(member.type)
        if not member.name and isinstance(inner, Struct):
            found += iter_numbers(inner, placed.offset_bits)
        elif member.name and isinstance(inner, Int | Enum | Bool | Ptr):
            found.append(placed)
    names = [member.name for member in found]
    return [member for member in found if names.count(member.name) == 1]


def extract(memory: bytes, member: Member) -> int:
    """The number that a member is, as one of 64 bits without a sign."""
    type: CType = strip_typedefs(member.type)
    bits = member.bit_size or 8 * type.size
    number = int.from_bytes(memory, "little") >> member.offset_bits & ((1 << bits) - 1)
    if getattr(type, "signed", False) and number >> (bits - 1):
        number -= 1 << bits
    return number & (1 << 64) - 1


def test_whole_structs_can_be_printed() -> None:
    types = LiveTypes()
    target = replace(make_target(), types=types)
    names = sorted({name for kind, name in types.iter_types() if kind == "struct"})
    printed = 0
    for name in random.Random(24).sample(names, 60):
        found = types.find_type("struct", name)
        if not isinstance(found, Struct) or not 0 < found.size <= 256:
            continue
        memory = random.Random(name).randbytes(found.size)
        script = Script(f"begin {{ print(*(struct {name} *)kptr({AT})); }}", target=target)
        script.machine.kernel_memory = {AT: memory}
        (shown,) = script.run().values()
        assert_members(shown, found, memory)
        printed += 1
    assert printed > 30


def assert_members(shown: Any, struct: Struct, memory: bytes) -> None:
    for member in struct.members:
        type = strip_typedefs(member.type)
        if member.name and isinstance(type, Int) and type.size <= 8 and not member.bit_size:
            start = member.offset_bits // 8
            number = int.from_bytes(memory[start : start + type.size], "little", signed=type.signed)
            assert shown[member.name] == number
