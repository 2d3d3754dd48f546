"""Shared objects with a probe, read back by our own readers and by readelf."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import FeatureError, UsageError
from probee.elf.consts import EM, PF, PT
from probee.elf.file import Elf
from probee.usdt.args import Kind
from probee.usdt.encode import MOST_ARGUMENTS, encode_library
from probee.usdt.notes import iter_probes

if TYPE_CHECKING:
    from pathlib import Path

NOPS = {EM.X86_64: b"\x90\xc3", EM.AARCH64: b"\x1f\x20\x03\xd5\xc0\x03\x5f\xd6"}
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", fullmatch=True)


@given(
    names,
    names,
    st.lists(st.booleans(), max_size=MOST_ARGUMENTS),
    st.sampled_from(list(NOPS)),
    st.sampled_from([4096, 16384, 65536]),
)
def test_round_trip(provider: str, name: str, signs: list[bool], machine: EM, page: int) -> None:
    data = encode_library(provider, name, signs, machine, page_size=page)
    elf = Elf(data, "x")
    (probe,) = iter_probes(elf)
    assert (probe.provider, probe.name) == (provider, name)
    assert [a.signed for a in probe.args] == signs
    assert {a.size for a in probe.args} <= {8}
    assert probe.offset is not None
    assert data[probe.offset :].startswith(NOPS[machine])
    (function,), (semaphore,) = elf.find_symbols(name), elf.find_symbols(f"{provider}_{name}_semaphore")
    assert (function.value, semaphore.value) == (probe.location, probe.semaphore)
    assert probe.semaphore_offset is not None
    assert probe.semaphore_offset // page != probe.offset // page
    assert data[probe.semaphore_offset : probe.semaphore_offset + 2] == b"\0\0"
    flags = {s.type: s.flags for s in elf.segments}
    assert flags[PT.GNU_STACK] == PF.R | PF.W


def test_arguments_are_where_the_convention_has_them() -> None:
    (x86,) = iter_probes(Elf(encode_library("a", "b", [True] * 8, EM.X86_64), "x"))
    (arm,) = iter_probes(Elf(encode_library("a", "b", [False] * 10, EM.AARCH64), "x"))
    assert x86.arguments == "-8@%rdi -8@%rsi -8@%rdx -8@%rcx -8@%r8 -8@%r9 -8@8(%rsp) -8@16(%rsp)"
    assert arm.arguments == " ".join([f"8@x{i}" for i in range(8)]) + " 8@[sp, 0] 8@[sp, 8]"
    assert {a.kind for a in (*x86.args, *arm.args)} == {Kind.REGISTER, Kind.MEMORY}


@pytest.mark.parametrize("provider", ["", "a b", "a:b", "1a", "a" * 101, "ä", "a*"])
def test_names_that_tracers_cannot_spell(provider: str) -> None:
    with pytest.raises(UsageError, match="provider name"):
        encode_library(provider, "b", [], EM.X86_64)
    with pytest.raises(UsageError, match="probe name"):
        encode_library("a", provider, [], EM.X86_64)


def test_limits() -> None:
    with pytest.raises(UsageError, match="expected at most 12 arguments, got 13"):
        encode_library("a", "b", [False] * 13, EM.X86_64)
    for machine, name in ((EM.S390, "S390"), (9999, "0x270f")):
        with pytest.raises(FeatureError, match=f"can't make probes for CPU {name}"):
            encode_library("a", "b", [], machine)


@pytest.mark.needs("binutils")
def test_readelf_agrees(tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(encode_library("app", "request_done", [True, False], EM.X86_64))
    done = subprocess.run(["readelf", "-aW", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "Provider: app\n    Name: request_done\n" in done.stdout
    assert "Arguments: -8@%rdi 8@%rsi" in done.stdout
