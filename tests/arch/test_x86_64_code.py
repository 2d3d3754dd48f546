"""Lengths of x86-64 instructions: what binutils' disassembler says."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.arch.x86_64_code import RETURNS, decode_length, iter_instructions
from probee.elf.file import Elf

MOST_BYTES = 1 << 20
_LINE = re.compile(r"\s+([0-9a-f]+):\t(.*)|\t\.\.\.")


@pytest.mark.parametrize(
    ("code", "length"),
    [
        ("c3", 1),
        ("f3c3", 2),
        ("c20800", 3),
        ("55", 1),
        ("4889e5", 3),
        ("48b80102030405060708", 10),
        ("66b80102", 4),
        ("b801020304", 5),
        ("48c7c001020304", 7),
        ("66c7000102", 5),
        ("f6c001", 3),
        ("f6d0", 2),
        ("48f7c701000000", 7),
        ("f7d8", 2),
        ("8b0425785634", None),
        ("8b042578563412", 7),
        ("488b0578563412", 7),
        ("488b442408", 5),
        ("488b84c800010000", 8),
        ("e978563412", 5),
        ("0f8478563412", 6),
        ("0f1f840000000000", 8),
        ("660f3a0fc108", 6),
        ("0f38f000", 4),
        ("c5f877", 3),
        ("c5f96f00", 4),
        ("c4e37d19c101", 6),
        ("62f17c48100511223344", 10),
        ("a1", None),
        ("a10102030405060708", 9),
        ("8f00", 2),
        ("8fe878c0c001", None),
        ("06", None),
        ("0fff", None),
        ("c4", None),
        ("", None),
        ("66" * 15 + "90", None),
    ],
)
def test_lengths(code: str, length: int | None) -> None:
    data = bytes.fromhex(code)
    if length is None:
        with pytest.raises(ValueError, match="at offset 0x0"):
            decode_length(data, 0)
    else:
        assert decode_length(data + b"\x90", 0)[0] == length


@given(st.binary(min_size=1, max_size=40))
def test_any_bytes(code: bytes) -> None:
    """Instructions follow one another without a gap, or the place is told that is none."""
    end, refusal = 0, ""
    try:
        for at, length, opcode in iter_instructions(code):
            assert at == end
            assert 0 < length <= 15
            assert opcode not in RETURNS or opcode in code[at : at + length]
            end = at + length
    except ValueError as error:
        refusal = str(error)
    assert f"offset {end:#x}" in refusal if refusal else end == len(code)


def programs() -> list[Path]:
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    return sorted({Path(sys.executable).resolve(), *[Path(p) for p in mapped if "libc.so" in p]})


@pytest.mark.slow
@pytest.mark.needs("binutils", "x86_64")
@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_real_code(path: Path) -> None:
    """Every instruction of real code, but for bytes that are data."""
    elf = Elf(path.read_bytes(), str(path))
    text = elf.find_section(".text")
    assert text is not None
    code = elf.contents(text)[:MOST_BYTES]
    stop = f"--stop-address={text.addr + len(code):#x}"
    command = ["objdump", "-dw", "--no-show-raw-insn", "-j.text", stop, str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
    found = [m.groups() for line in shown.splitlines() if (m := _LINE.match(line))]
    rows = [(int(at, 16) - text.addr if at else -1, instruction) for at, instruction in found]
    count = 0
    for (at, instruction), (following, _) in pairwise(rows):
        # Zeros are left out. A prefix without an instruction is shown by itself.
        if at < 0 or following < 0 or re.match(r"\(bad\)|rex|data16|\{", instruction):
            continue
        assert decode_length(code, at)[0] == following - at, (hex(at), instruction)
        count += 1
    assert count > 10000 or len(code) < MOST_BYTES
