"""Seccomp filters: names, and what is allowed, against running them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from probee.isa.cbpf.asm import parse_asm
from probee.isa.cbpf.seccomp import explain_seccomp, find_verdict, render_action, render_seccomp
from probee.isa.cbpf.syscalls import Arch, find_syscall, list_syscalls
from probee.vm.classic import run_seccomp

FILTER = """
        ld [4]
        jeq #0xc000003e, ours
        ret #0x80000000
ours:   ld [0]
        jge #0x40000000, refuse
        jeq #0, allow
        jeq #257, open
        jeq #59, refuse, trap
open:   ld [32]
        jset #0x40, refuse, allow
refuse: ret #0x50001
trap:   ret #0x30000
allow:  ret #0x7fff0000
"""


def _run(number: int, arch: int = Arch.X86_64, *arguments: int) -> str:
    values = (*arguments, *[0] * (6 - len(arguments)))
    return render_action(run_seccomp(parse_asm(FILTER), struct.pack("<IIQ6Q", number, arch, 0, *values)))


def test_names_in_the_listing() -> None:
    lines = render_seccomp(parse_asm(FILTER)).splitlines()
    assert lines[0].endswith("A = arch")
    assert lines[1].endswith("if (arch == X86_64) goto 3 else goto 2")
    assert lines[6].endswith("if (nr == openat) goto 8 else goto 7")
    assert lines[8].endswith("A = args[2].low")
    assert lines[10].endswith("return ERRNO(EPERM)")


def test_what_is_allowed() -> None:
    text = explain_seccomp(parse_asm(FILTER))
    assert "ALLOW: read\n" in text
    assert "ERRNO(EPERM): execve\n" in text
    assert "openat:\n    ERRNO(EPERM) if args[2].low & 0x40\n    ALLOW if !(args[2].low & 0x40)" in text
    assert text.endswith("Numbers without a name: TRAP\nOther architectures: KILL_PROCESS")


@given(st.sampled_from(sorted(list_syscalls(Arch.X86_64))), st.integers(0, 0xFFFFFFFF))
def test_the_explanation_is_what_running_gives(number: int, flags: int) -> None:
    outcomes = find_verdict(parse_asm(FILTER), Arch.X86_64, number).outcomes
    got = _run(number, Arch.X86_64, 0, 0, flags)
    assert got in {action for _, action in outcomes}


def test_running() -> None:
    assert _run(0, Arch.AARCH64) == "KILL_PROCESS"
    assert _run(257, Arch.X86_64, 0, 0, 0x40) == "ERRNO(EPERM)"
    assert _run(257, Arch.X86_64, 0, 0, 0) == "ALLOW"
    assert render_action(0x12340000).startswith("0x12340000 (unknown")


def test_arithmetic_on_what_is_not_known() -> None:
    insns = parse_asm("ld [16]\nand #0xff\nadd #1\njeq #2, yes, no\nyes: ret #0\nno: ret #0x7fff0000")
    outcomes = dict(find_verdict(insns, Arch.X86_64, 1).outcomes)
    assert outcomes == {
        ("((args[0].low & 0xff) + 0x1) == 0x2",): "KILL_THREAD",
        ("((args[0].low & 0xff) + 0x1) != 0x2",): "ALLOW",
    }


def test_numbers_of_system_calls() -> None:
    assert find_syscall(Arch.X86_64, 257) == find_syscall(Arch.AARCH64, 56) == "openat"
    assert find_syscall(Arch.X86_64, 5000) is None
    assert find_syscall(0, 0) is None
