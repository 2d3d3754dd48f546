"""The assembler and the disassembler against LLVM's."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from probee.cli.disasm import show_bytes
from probee.isa.asm import assemble
from probee.isa.disasm import render_insn
from probee.isa.ebpf import encode

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("llvm")

# What LLVM 14 knows: up to cpu v3, without modulo and jset.
TEXT = """
r0 += r1
w0 += 5
r1 -= -7
r2 *= r3
r4 /= 9
r5 |= 255
r5 &= r6
r6 ^= 1
r7 <<= 3
w7 >>= w8
r8 s>>= 63
r9 = -r9
w9 = -w9
r1 = r2
w1 = w2
r1 = -5
r3 = 0x123456789abcdef0 ll
r1 = be16 r1
r1 = le32 r1
r1 = be64 r1
w2 = *(u8 *)(r1 + 0)
w2 = *(u16 *)(r1 + 6)
w2 = *(u32 *)(r1 - 4)
r2 = *(u64 *)(r10 - 8)
*(u8 *)(r1 + 0) = w2
*(u16 *)(r1 + 2) = w2
*(u32 *)(r1 + 4) = w2
*(u64 *)(r1 + 8) = r2
lock *(u64 *)(r1 + 0) += r2
lock *(u32 *)(r1 + 0) += w2
r0 = *(u8 *)skb[14]
r0 = *(u16 *)skb[12]
r0 = *(u32 *)skb[26]
if r1 == 0 goto +1
if r1 s> -5 goto +1
if w1 < w2 goto -1
if r3 s<= r4 goto +2
goto +1
call 5
exit
"""


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, bytes]:
    """An object file LLVM made of TEXT, and its code."""
    source, made, code = tmp_path / "a.s", tmp_path / "a.o", tmp_path / "a.bin"
    source.write_text(TEXT)
    flags = ["-triple=bpfel", "-mattr=+alu32", "-filetype=obj"]
    subprocess.run(["llvm-mc", *flags, str(source), "-o", str(made)], check=True)
    subprocess.run(["llvm-objcopy", "-O", "binary", "-j", ".text", str(made), str(code)], check=True)
    return made, code.read_bytes()


def test_the_same_text_gives_the_same_bytes(built: tuple[Path, bytes]) -> None:
    assert encode(assemble(TEXT)) == built[1]


def test_our_text_is_what_was_given_to_llvm() -> None:
    ours = [render_insn(insn) for insn in assemble(TEXT)]
    assert ours == TEXT.split("\n")[1:-1]


def test_what_objdump_writes_is_read(built: tuple[Path, bytes]) -> None:
    command = ["llvm-objdump", "-d", "--no-show-raw-insn", "--mattr=+alu32", str(built[0])]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line for line in out.splitlines() if line[:1] == " "]
    assert encode(assemble("\n".join(rows))) == built[1]


def test_object_files_are_read(built: tuple[Path, bytes]) -> None:
    lines = list(show_bytes("a.o", built[0].read_bytes(), "kernel"))
    assert lines[0] == "section .text:"
    assert encode(assemble("\n".join(lines[1:]))) == built[1]
