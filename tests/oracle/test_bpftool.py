"""Loaded programs, as we show them and as bpftool does. Only programs that the test itself has loaded."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from bt.in_kernel import live_target
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.cli.disasm import show_loaded
from probee.isa.asm import assemble
from probee.kernel.loaded import Loaded, read_program
from probee.kernel.machine import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from probee.isa.ebpf import Insn

pytestmark = [pytest.mark.kernel, pytest.mark.needs("bpftool")]

SCRIPT = """
begin {
    @calls[pid] = count(); @seen[comm] = nsecs; @sizes = hist(5);
    if (@seen["x"] > 3) { printf("%d %s", pid, comm); }
}
"""


@pytest.fixture
def loaded() -> Iterator[Loaded]:
    bundle = compile_script(Source("script", SCRIPT), live_target()).bundle
    with Kernel() as kernel:
        maps = {spec.name: kernel.create_map(spec) for spec in bundle.maps}
        program = kernel.load(bundle.programs[0], maps, bundle.btf)  # type: ignore[arg-type]
        yield read_program(program.fd.number)


def _insns(lines: list[str]) -> list[Insn]:
    """The instructions among `lines`; maps stand for their ids."""
    rows = [re.sub(r"r(\d) = &\(void __percpu \*\)\(r(\d)\)", r"r\1 = r\2", line) for line in lines]
    code = "\n".join(row for row in rows if re.match(r" *\d+: ", row))
    return assemble(code, resolve=lambda kind, name: int(name.removeprefix("id:")) if kind == "map" else None)


def test_the_same_program(loaded: Loaded) -> None:
    command = ["bpftool", "prog", "dump", "xlated", "id", str(loaded.id)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    theirs, ours = done.stdout.splitlines(), list(show_loaded(loaded, "kernel"))
    assert _insns(ours) == _insns(theirs)
    assert re.findall(r"call (\w+)#", "\n".join(ours)) == re.findall(r"call (\w+)#", done.stdout)
    assert "call bpf_get_current_pid_tgid#" in "\n".join(ours)
    # Each source line is said before the same instruction; we add the file and the number.
    assert [line.partition("  @ ")[0] for line in ours if line[0] == ";"] == [
        line for line in theirs if line[:1] == ";"
    ]


def test_the_same_numbers(loaded: Loaded) -> None:
    done = subprocess.run(
        ["bpftool", "prog", "show", "id", str(loaded.id)], check=True, capture_output=True, text=True
    )
    head = re.match(r"(\d+): (\w+)  name (\w+)  tag ([0-9a-f]+)", done.stdout)
    assert head
    assert (head[1], head[2], head[3], head[4]) == (
        str(loaded.id),
        "raw_tracepoint",
        loaded.name,
        loaded.tag,
    )
    maps = re.search(r"map_ids ([\d,]+)", done.stdout)
    assert maps
    assert sorted(map(int, maps[1].split(","))) == sorted(loaded.maps)
