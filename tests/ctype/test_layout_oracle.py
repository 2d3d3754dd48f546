"""Structs laid out by probee and by the C compiler: sizes, alignments, and the place of every member."""

from __future__ import annotations

import platform
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.ctext import PREAMBLE, place_program, random_packs, random_struct
from probee.base.source import Source
from probee.ctype.declare import parse_declarations
from probee.ctype.layout import ABIS
from probee.ctype.types import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def members(struct: Struct, prefix: str = "", start: int = 0) -> Iterator[tuple[str, int, int]]:
    """(path, bits from the start, bits of a bit-field) of all members that can be named."""
    for member in struct.members:
        if not member.name and isinstance(member.type, Struct):
            yield from members(member.type, prefix, start + member.offset_bits)
        else:
            yield prefix + member.name, start + member.offset_bits, member.bit_size


@pytest.mark.needs("cc")
@pytest.mark.parametrize("seed", range(2))
def test_random_structs_are_laid_out_as_the_compiler_does(cc: Callable[..., Path], seed: int) -> None:
    rng = random.Random(seed)
    text, names = PREAMBLE, list[str]()
    for n in range(250):
        name = f"{rng.choice(['struct', 'union'])} s{n}"
        text += random_packs(rng) + random_struct(rng, name, names[-20:]) + ";\n"
        names.append(name)
    abi = ABIS[platform.machine()]
    types = parse_declarations(Source("random", text), abi=abi).types
    structs = {}
    for name in names:
        struct = types[tuple(name.split())]  # type: ignore[index]
        assert isinstance(struct, Struct)
        structs[name] = struct, list(members(struct))
    program = place_program(text, {n: [(p, bool(b)) for p, _, b in ms] for n, (_, ms) in structs.items()})
    binary = cc(program, "-w")
    lines = iter(subprocess.run([binary], capture_output=True, text=True, check=True).stdout.splitlines())
    definitions = {line.split(" {")[0]: line for line in text.splitlines()}
    for name, (struct, found) in structs.items():
        ours = [f"{name} {struct.size} {struct.align}", *(f"{at} {bits}" for _, at, bits in found)]
        assert ours == [next(lines) for _ in ours], definitions[name]
    assert not list(lines)
