"""`probee asm`, `probee disasm` and `probee cbpf`, from the command line to what is printed."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest

from probee.cli.main import main
from probee.isa.asm import assemble
from probee.isa.ebpf import encode

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "r0 = 1\nif r1 == 0 goto end\ncall bpf_ktime_get_ns\nend: exit\n"
CODE = encode(assemble(TEXT))
WEB = "4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0"


def _run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(list(words))
    out, err = capfd.readouterr()
    return status, out, err


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    path = tmp_path / "program.s"
    path.write_text(TEXT)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WEB.encode())))
    return str(path)


def test_asm_and_disasm(capfd: pytest.CaptureFixture[str], given: str, tmp_path: Path) -> None:
    status, out, _ = _run(capfd, "asm", given)
    assert (status, out.splitlines()[0]) == (0, "b7 00 00 00 01 00 00 00")
    assert bytes.fromhex(out) == CODE
    hexadecimal, raw = tmp_path / "program.hex", tmp_path / "program.bin"
    hexadecimal.write_text(out)
    assert _run(capfd, "asm", "-f", "raw", "-o", str(raw), given)[0] == 0
    assert raw.read_bytes() == CODE
    for path in (hexadecimal, raw):
        lines = _run(capfd, "disasm", str(path))[1].splitlines()
        assert lines[1:3] == ["   1: if r1 == 0 goto +1", "   2: call bpf_ktime_get_ns#5"]
        assert encode(assemble("\n".join(lines))) == CODE
    table = _run(capfd, "disasm", "-f", "table", str(raw))[1].splitlines()
    assert table[2].split() == ["2:", "call", "bpf_ktime_get_ns#5", "0x85", "call", "base32", "v1", "3.18"]
    suite = _run(capfd, "asm", "-f", "suite", given)[1].splitlines()
    assert suite == ["mov %r0, 1", "jeq %r1, 0, +1", "call 5", "exit"]
    assert (
        "{ .code = 0x15, .dst_reg = 1, .src_reg = 0, .off = 1, .imm = 0 },"
        in _run(capfd, "asm", "-f", "c", given)[1]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("asm", "-f", "nope", "GIVEN"),
            "ERROR: unknown form 'nope'\nHINT: one of raw, hex, c, kernel",
        ),
        (("asm", "/nonexistent"), "ERROR: /nonexistent: No such file or directory"),
        (("asm", "a", "b"), "ERROR: expected one file, got 2"),
        (("asm", "-z"), "ERROR: option -z not recognized\nHINT: probee asm [-f FORM] [-o FILE] [FILE | -]"),
        (("disasm", "-s", "x", "GIVEN"), "expected an object file to take section 'x' from"),
        (("disasm", "--id", "x"), "ERROR: expected the id of a program, got 'x'"),
        (("disasm", "--id", "1", "--name", "x"), "ERROR: expected one program"),
        (("cbpf", "nope"), "ERROR: unknown command 'nope'"),
        (("cbpf", "convert", "-l", "7"), "ERROR: expected a cpu level of 1 to 4, got '7'"),
        (("cbpf", "seccomp", "-a", "pdp11"), "ERROR: unknown architecture 'pdp11'"),
        (("cbpf", "compile"), "ERROR: expected a filter expression, got nothing"),
    ],
)
def test_wrong_words(
    capfd: pytest.CaptureFixture[str], given: str, words: tuple[str, ...], message: str
) -> None:
    status, out, err = _run(capfd, *(given if word == "GIVEN" else word for word in words))
    assert (status, out) == (1, "")
    assert message in err


def test_wrong_programs(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text("r0 = 1\nr1 == 2\n")
    status, _, err = _run(capfd, "asm", str(path))
    assert (status, err) == (1, f"{path}:2:1-8: ERROR: not an instruction\nr1 == 2\n~~~~~~~\n")
    path.write_text("r0 = 1\n")
    assert "the program runs off its end" in _run(capfd, "asm", str(path))[2]
    path.write_bytes(bytes(7))
    assert "insn 0: expected 8 bytes, got 7" in _run(capfd, "disasm", str(path))[2]
    path.write_bytes(b"\x7fELF" + bytes(100))
    assert _run(capfd, "disasm", str(path))[0] == 1


def test_cbpf(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "filter"
    path.write_text(WEB)
    shown = _run(capfd, "cbpf", "show", str(path))[1].splitlines()
    assert shown[0] == "(000) ldh      [12]"
    for form in ("c", "decimal", "line", "asm", "raw"):
        other = tmp_path / form
        assert _run(capfd, "cbpf", "show", "-f", form, "-o", str(other), str(path))[0] == 0
        assert _run(capfd, "cbpf", "show", "-f", "line", str(other))[1] == f"{WEB}\n"
    assert _run(capfd, "cbpf", "check", str(path))[1] == "4 instructions, nothing to refuse\n"
    assert (
        "insn 0: ldh      [12]: seccomp filters may not do this"
        in _run(capfd, "cbpf", "check", "--seccomp", str(path))[2]
    )
    converted = _run(capfd, "cbpf", "convert", str(path))[1]
    assert converted.splitlines()[3:5] == ["r0 = *(u16 *)skb[12]", "if r0 != 2048 goto +2"]
    assert "- Registers, 2 → 10" in _run(capfd, "cbpf", "explain", str(path))[1]
    assert _run(capfd, "cbpf", "show", "-f", "meaning", str(path))[1].splitlines()[2] == "(002) return 262144"


def test_cbpf_reads_standard_input(capfd: pytest.CaptureFixture[str], given: str) -> None:
    assert _run(capfd, "cbpf", "show", "-f", "line")[1] == f"{WEB}\n"


def test_cbpf_seccomp(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "filter"
    path.write_text("ld [0]\njeq #59, no, yes\nno: ret #0x50001\nyes: ret #0x7fff0000\n")
    out = _run(capfd, "cbpf", "seccomp", str(path))[1]
    assert "if (nr == execve) goto 2 else goto 3" in out
    assert "On X86_64:\nERRNO(EPERM): execve\n" in out
    assert "ERRNO(EPERM): getpriority" not in out
    assert "On AARCH64:" in _run(capfd, "cbpf", "seccomp", "-a", "aarch64", str(path))[1]


@pytest.mark.needs("libpcap")
def test_cbpf_compile(capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(capfd, "cbpf", "compile", "-f", "line", "ip")[1] == f"{WEB}\n"
    status, _, err = _run(capfd, "cbpf", "compile", "ip", "and", "nonsense")
    assert (status, err.startswith("ERROR: ip and nonsense: ")) == (1, True)
    assert "libpcap knows no link layer 'NOPE'" in _run(capfd, "cbpf", "compile", "-y", "NOPE", "ip")[2]
