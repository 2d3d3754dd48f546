"""Programs found again while they are loaded, and filters of a process: only of our own."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.scripts import make_target
from probee.base.errors import TargetError
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.cli.disasm import show_loaded
from probee.cli.main import main
from probee.isa.asm import assemble
from probee.isa.cbpf.asm import parse_asm
from probee.isa.cbpf.insn import decode_filter, encode_filter
from probee.isa.ebpf import decode, encode, exit_, mov_imm
from probee.kernel.loaded import iter_ids, open_by_id, open_by_name, read_program
from probee.kernel.machine import Kernel
from probee.kernel.seccomp import read_filters
from probee.kernel.syscall import address, bpf
from probee.spec.abi import MapType, ProgType
from probee.spec.bundle import Map, Program, Relocation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kernel

NAME = f"t{os.getpid()}"
OBJ_PIN = 6
INSNS = [mov_imm(0, 5), exit_()]


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with Kernel() as made:
        yield made


def test_by_id_and_by_name(kernel: Kernel, capsys: pytest.CaptureFixture[str]) -> None:
    program = kernel.load(Program(NAME, ProgType.SOCKET_FILTER, encode(INSNS)), {})
    found = read_program(program.fd.number)
    assert (found.name, found.type, found.maps, found.lines) == (NAME, ProgType.SOCKET_FILTER, (), ())
    assert decode(found.code) == INSNS
    assert found.id in list(iter_ids())
    for opened in (open_by_id(found.id), open_by_name(NAME)):
        with opened:
            assert read_program(opened.number) == found
    assert main(["disasm", "--id", str(found.id)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"program {found.id} {NAME} type 1 tag {found.tag}"
    assert lines[1:] == ["   0: r0 = 5", "   1: exit"]


@pytest.fixture
def bpffs(tmp_path: Path) -> Iterator[Path]:
    """A BPF file system of the test's own."""
    subprocess.run(["mount", "-t", "bpf", "bpf", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.needs("bpffs")
def test_by_pin(kernel: Kernel, bpffs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = kernel.load(Program(NAME, ProgType.SOCKET_FILTER, encode(INSNS)), {})
    path = bytearray(os.fsencode(bpffs / "pinned") + b"\0")
    assert bpf(OBJ_PIN, bytearray(struct.pack("=QII", address(path), program.fd.number, 0))) == 0
    assert main(["disasm", "--pin", str(bpffs / "pinned")]) == 0
    assert main(["disasm", "--id", str(read_program(program.fd.number).id)]) == 0
    by_pin, by_id = re.split("(?<=exit\n)(?=program)", capfd.readouterr().out)
    assert by_pin == by_id
    assert by_pin.startswith(f"program {read_program(program.fd.number).id} {NAME} ")
    assert main(["disasm", "--pin", str(bpffs / "nothing")]) == 1
    assert capfd.readouterr().err == f"ERROR: open {bpffs}/nothing: No such file or directory\n"


def test_names_of_none_and_of_several(kernel: Kernel) -> None:
    with pytest.raises(TargetError, match="no program called nosuchprogram is loaded"):
        open_by_name("nosuchprogram")
    for _ in range(2):
        kernel.load(Program(NAME, ProgType.SOCKET_FILTER, encode(INSNS)), {})
    with pytest.raises(TargetError, match=f"2 programs are called {NAME}"):
        open_by_name(NAME)
    with pytest.raises(TargetError, match="no program of id 4294967295 is loaded"):
        open_by_id(0xFFFFFFFF)


def test_called_functions_are_named(kernel: Kernel) -> None:
    insns = assemble("call bpf_ktime_get_boot_ns\nr0 = 0\nexit")
    program = kernel.load(Program(NAME, ProgType.SOCKET_FILTER, encode(insns)), {})
    lines = list(show_loaded(read_program(program.fd.number), "kernel"))
    assert re.fullmatch(r"   0: call bpf_ktime_get_boot_ns#-?\d+", lines[1])


def test_maps_are_named_by_their_ids(kernel: Kernel) -> None:
    from probee.isa.ebpf import ld_map_fd

    table = kernel.create_map(Map("m", MapType.ARRAY, 4, 8, 1))
    spec = Program(NAME, ProgType.SOCKET_FILTER, encode([ld_map_fd(1, 0), *INSNS]), (Relocation(0, "m"),))
    found = read_program(kernel.load(spec, {"m": table}).fd.number)
    assert len(found.maps) == 1
    assert decode(found.code)[0].imm == found.maps[0]
    assert list(show_loaded(found, "kernel"))[1] == f"   0: r1 = map[id:{found.maps[0]}]"


def test_source_lines(kernel: Kernel) -> None:
    bundle = compile_script(Source("hello.bt", "BEGIN { @x = 7; }"), make_target()).bundle
    maps = {spec.name: kernel.create_map(spec) for spec in bundle.maps}
    program = kernel.load(bundle.programs[0], maps, bundle.btf)  # type: ignore[arg-type]
    lines = list(show_loaded(read_program(program.fd.number), "kernel"))
    assert any(line.startswith("; BEGIN { @x = 7; }") and line.endswith("hello.bt:1") for line in lines)
    assert lines[-1].endswith(": exit")


ALLOW_ALL = "ld [0]\njeq #0x3fffffff, no, yes\nno: ret #0x50001\nyes: ret #0x7fff0000"
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def _filtered_child() -> int:
    """A child that has set itself ALLOW_ALL and waits."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        told = os.read(ready, 1)
        os.close(ready)
        assert told == b"+"
        return pid
    code = ctypes.create_string_buffer(encode_filter(parse_asm(ALLOW_ALL)))
    program = ctypes.create_string_buffer(struct.pack("@HP", 4, ctypes.addressof(code)))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    done = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    done = done and prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0) == 0
    os.write(tell, b"+" if done else b"-")
    if done:
        signal.alarm(20)  # also when nobody ends it
        signal.pause()
    os._exit(0)


def test_the_filter_of_a_process(capsys: pytest.CaptureFixture[str]) -> None:
    pid = _filtered_child()
    try:
        assert [decode_filter(code) for code in read_filters(pid)][:1] == [parse_asm(ALLOW_ALL)]
        assert main(["cbpf", "seccomp", "-p", str(pid)]) == 0
        assert "return ERRNO(EPERM)" in capsys.readouterr().out
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
