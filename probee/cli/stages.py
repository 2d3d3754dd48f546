"""`-d STAGE`: what a script looks like after each stage of the compiler. Nothing is loaded."""

from __future__ import annotations

import os

from ..session import compile_source, survey_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..base.source import Source
    from ..spec.bundle import Program
    from .options import Options


def show_stages(source: Source, params: tuple[str, ...], options: Options) -> None:
    """Print the stage that was asked for, or all of them. Raises SourceError."""
    wanted = options.stage

    def dump(stage: str, made: Any) -> None:
        if stage == "ast" and wanted in ("ast", "all"):
            from ..bt.dump import render_tree

            _print("ast", source.name, render_tree(made))
        elif stage != "ast" and wanted in ("ir", "all"):
            from ..ir.text import print_function

            _print(f"ir, {stage}", made.name, print_function(made, spans=True))

    compiled = compile_source(
        source, survey_system(), params=params, pid=options.pid, unsafe=options.unsafe, dump=dump
    )
    if wanted in ("asm", "all"):
        for program in compiled.bundle.programs:
            _print("asm", program.name, render_code(program))


def render_code(program: Program) -> str:
    """A program's instructions, a line each, with the user's lines between them."""
    from ..isa.disasm import render_insn
    from ..isa.ebpf import decode

    maps = {relocation.slot: relocation for relocation in program.relocations}
    lines = {line.slot: line.span for line in program.lines}
    out = []
    slot = 0
    shown = 0
    for insn in decode(program.code):
        span = lines.get(slot)
        if span is not None and span.line != shown:
            shown = span.line
            out.append(f"; {span.source.line(shown).strip()}")
        text = render_insn(insn, slot)
        relocation = maps.get(slot)
        if relocation is not None:
            place = "" if relocation.offset is None else f"[0]+{relocation.offset}"
            text = f"r{insn.dst} = map[{relocation.map}]{place} ll"
        out.append(f"{slot:4}: {text}")
        slot += insn.slots
    return "\n".join(out)


def _print(stage: str, name: str, text: str) -> None:
    data = f"---- {stage}: {name}\n{text.rstrip()}\n\n".encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1, data) :]
