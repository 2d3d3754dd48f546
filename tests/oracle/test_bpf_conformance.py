"""The public conformance suite: every case gives the result it names, on both engines.

BPF_CONFORMANCE_DIR is where https://github.com/Alan-Jowett/bpf_conformance is checked out.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from probee.base.errors import FormatError, LoadError
from probee.isa.asm import assemble
from probee.isa.disasm import Syntax, render_program
from probee.isa.ebpf import Insn, decode, encode
from probee.kernel.machine import Kernel
from probee.spec.abi import MapType, ProgType
from probee.spec.bundle import Map, Program, Relocation
from programs import ROOT

from .bpf_conformance_plugin import run

pytestmark = pytest.mark.needs("bpf_conformance")

FOLDER = Path(os.environ.get("BPF_CONFORMANCE_DIR", "/nonexistent"))
CASES = sorted((FOLDER / "tests").glob("*.data"))
PLUGIN = Path(__file__).with_name("bpf_conformance_plugin.py")


def _parse(path: Path) -> dict[str, str]:
    """The sections of a case: lines after `-- name`, comments cut off."""
    sections: dict[str, str] = {}
    name = ""
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].rstrip()
        if text.startswith("--"):
            name = text[2:].strip()
        elif name:
            sections[name] = f"{sections.get(name, '')}{text}\n"
    return sections


def _insns(sections: dict[str, str]) -> list[Insn]:
    if "asm" in sections:
        return assemble(sections["asm"])
    return decode(_raw_bytes(sections["raw"].split()))


def _raw_bytes(words: list[str]) -> bytes:
    """`-- raw` gives 64-bit numbers in the tests, and bytes in the negative ones."""
    if max(map(len, words)) == 2:
        return bytes.fromhex("".join(words))
    return b"".join(int(word, 16).to_bytes(8, "little") for word in words)


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 313


@pytest.mark.parametrize("interpret", [False, True], ids=["translated", "interpreted"])
@pytest.mark.parametrize("path", CASES or [FOLDER], ids=lambda path: path.stem)
def test_case(path: Path, interpret: bool) -> None:
    sections = _parse(path)
    expected = int(sections["result"].strip(), 0) & (1 << 64) - 1
    assert run(_insns(sections), bytes.fromhex(sections.get("mem", "")), interpret=interpret) == expected


# Legal for a machine, refused by the verifier: constant shifts by the width or more; and what no
# kernel loads, a call through a register.
REFUSED = {
    f"{op}{bits}-imm-{how}" for op in ("lsh", "rsh", "arsh") for bits in (32, 64) for how in ("high", "neg")
}
REFUSED.add("callx")
STUB = """
    r1 = {memory} ll
    r2 = {length}
    call test
    r1 = map[result][0]
    *(u64 *)(r1 + 0) = r0
    r0 = 0
    exit
test:
"""


@pytest.mark.kernel
def test_the_kernel_agrees() -> None:
    """Every case the verifier takes gives the same on this kernel, called as a function by a stub."""
    refused = set()
    for path in CASES:
        sections = _parse(path)
        try:
            with Kernel() as kernel:
                got = _run_in_kernel(kernel, _insns(sections), bytes.fromhex(sections.get("mem", "")))
        except LoadError:
            refused.add(path.stem)
            continue
        assert got == int(sections["result"].strip(), 0) & (1 << 64) - 1, path.stem
    assert refused == REFUSED


def _run_in_kernel(kernel: Kernel, insns: list[Insn], memory: bytes) -> int:
    result = kernel.create_map(Map("result", MapType.ARRAY, 4, 8, 1))
    data = kernel.create_map(Map("data", MapType.ARRAY, 4, max(len(memory), 1), 1))
    if memory:
        data.update(bytes(4), memory)
    stub = assemble(
        STUB.format(memory=0, length=len(memory)), resolve=lambda kind, name: 0 if kind == "map" else None
    )
    relocations = [Relocation(4, "result", 0)]
    if memory:
        relocations.append(Relocation(0, "data", 0))
    spec = Program("case", ProgType.RAW_TRACEPOINT, encode([*stub, *insns]), tuple(relocations))
    kernel.load(spec, {"result": result, "data": data}).test_run()
    value = result.find(bytes(4))
    assert value is not None
    return int.from_bytes(value, "little")


@pytest.mark.parametrize("syntax", list(Syntax))
def test_every_case_comes_back_from_its_text(syntax: Syntax) -> None:
    for path in CASES:
        insns = _insns(_parse(path))
        assert assemble(render_program(insns, syntax=syntax)) == insns, path.stem


ACCEPTED = {"unused-mov64_reg-offset"}
"""Off 1 makes a 64-bit mov an addr_space_cast since Linux 6.9, which the suite doesn't know."""


def test_programs_with_reserved_fields_set_are_refused() -> None:
    """`unused-*` of the negative cases; the others try the suite's own assembler and runner."""
    cases = sorted((FOLDER / "negative").glob("unused*.data"))
    assert len(cases) == 45
    for path in cases:
        if path.stem in ACCEPTED:
            assert _insns(_parse(path))
            continue
        with pytest.raises(FormatError, match=r"insn 0: (\w+: expected \w+ \d+, got|unknown opcode)"):
            _insns(_parse(path))


def test_the_plugins_protocol() -> None:
    program = "bf 10 00 00 00 00 00 00  71 00 01 00 00 00 00 00  95 00 00 00 00 00 00 00\n"
    command = [sys.executable, str(PLUGIN), "aa bb cc", "--interpret"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input=program, capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "bb\n", "")
    done = subprocess.run(command, input="ff", capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected 8 bytes, got 1" in done.stderr
