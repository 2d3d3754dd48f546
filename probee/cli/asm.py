"""`probee asm`: text to extended BPF."""

from __future__ import annotations

import sys

from .files import parse_words, read_input, read_text, unknown_form, write_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..isa.ebpf import Insn

USAGE = """\
USAGE:
    probee asm [-f FORM] [-o FILE] [FILE | -]

Reads instructions as the kernel, LLVM and bpftool write them, or as the conformance suite does, and writes
them as FORM:

    hex       8 bytes a line (default)
    raw       the bytes the kernel loads
    c         initialisers of struct bpf_insn
    kernel    `r0 += r1`
    suite     `add %r0, %r1`

    -o FILE   write to FILE
"""


def main(arguments: list[str]) -> int:
    """Run the command; the exit status. Raises ProbeeError."""
    options, words = parse_words(arguments, "f:o:h", USAGE)
    if "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    from ..isa.asm import assemble
    from ..isa.check import check_program

    name, data = read_input(words)
    insns = assemble(read_text(name, data), name=name)
    check_program(insns, strict=False)
    form = options.get("-f", "hex")
    if form == "raw":
        from ..isa.ebpf import encode

        write_output(options.get("-o"), encode(insns))
        return 0
    if form not in FORMS:
        raise unknown_form(form, ("raw", *FORMS))
    write_output(options.get("-o"), f"{FORMS[form](insns)}\n".encode())
    return 0


def render_hex(insns: Sequence[Insn]) -> str:
    """8 bytes a line."""
    from ..isa.ebpf import encode

    data = encode(insns)
    return "\n".join(data[at : at + 8].hex(" ") for at in range(0, len(data), 8))


def render_c(insns: Sequence[Insn]) -> str:
    """Initialisers of struct bpf_insn, one a slot."""
    import struct

    from ..isa.ebpf import encode

    rows = []
    for code, registers, off, imm in struct.iter_unpack("<BBhi", encode(insns)):
        dst, src = registers & 15, registers >> 4
        rows.append(
            f"{{ .code = {code:#04x}, .dst_reg = {dst}, .src_reg = {src}, .off = {off}, .imm = {imm} }},"
        )
    return "\n".join(rows)


def render_kernel(insns: Sequence[Insn]) -> str:
    from ..isa.disasm import render_insn

    return "\n".join(map(render_insn, insns))


def render_suite(insns: Sequence[Insn]) -> str:
    from ..isa.disasm import Syntax, render_insn

    return "\n".join(render_insn(insn, syntax=Syntax.SUITE) for insn in insns)


FORMS: dict[str, Callable[[Sequence[Insn]], str]] = {
    "hex": render_hex,
    "c": render_c,
    "kernel": render_kernel,
    "suite": render_suite,
}
"""Names of the forms of text → the functions that write them."""
