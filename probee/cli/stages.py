"""`-d STAGE`: what a script looks like after each stage of the compiler. Nothing is loaded."""

from __future__ import annotations

import os
import time

from .trace import compile_asked, survey_asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..spec.bundle import Program
    from .options import Options
    from .trace import Script

_ROUNDS = 10


def show_stages(script: Script, options: Options) -> None:
    """Print the stages that were asked for. Raises SourceError."""
    wanted = frozenset(options.stages)

    def dump(stage: str, made: Any) -> None:
        if stage == "ast" and wanted & {"ast", "all"}:
            from ..bt.dump import render_tree

            _print("ast", script[0].name, render_tree(made))
        elif stage != "ast" and wanted & {"ir", "all"}:
            from ..ir.text import print_function

            _print(f"ir, {stage}", made.name, print_function(made, spans=True))

    compiled = compile_asked(script, survey_asked(options), options, options.pid, dump)
    if wanted & {"asm", "all"}:
        for program in compiled.bundle.programs:
            _print("asm", program.name, render_code(program))


def measure_compiler(script: Script, options: Options) -> None:
    """Compile again and again, and print how long it took. Raises SourceError."""
    target = survey_asked(options)
    took = []
    for _ in range(_ROUNDS):
        before = time.perf_counter_ns()
        # With a dump the compiler really runs; otherwise it may have been done before.
        compile_asked(script, target, options, options.pid, lambda stage, made: None)
        took.append(time.perf_counter_ns() - before)
    best, middle = min(took) / 1e6, sorted(took)[_ROUNDS // 2] / 1e6
    os.write(1, f"compiled {_ROUNDS} times: best {best:.2f} ms, median {middle:.2f} ms\n".encode())


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
