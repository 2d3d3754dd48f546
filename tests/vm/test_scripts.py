"""Whole scripts on the VM: compiled, made live by a session, fired, and their output read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from builders.scripts import make_target, registers
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.render.output import Context
from probee.render.sink import Sink
from probee.render.text import TextOutput
from probee.session import Printer, Session
from probee.spec.bundle import UprobeLink
from probee.vm.machine import Vm
from probee.vm.world import World

from .machines import ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _run(
    text: str, folder: Path, act: Callable[[Vm], object], *, interpret: bool = False
) -> tuple[str, Session]:
    """What a script prints when `act` lets things happen after its probes are attached."""
    bundle = compile_script(Source("stdin", text), make_target()).bundle
    vm = Vm(World(cpus=2), interpret=interpret)
    machine: Any = vm
    path = folder / "out"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    out, err = Sink(fd, "out"), Sink(fd, "err")
    output = TextOutput(out, err, Context())
    session = Session(bundle, machine, output.form)
    printer = Printer(session, output)
    session.load()
    session.attach()
    act(vm)
    printer.show(session.pump())
    printer.show(session.finish())
    printer.show_maps()
    os.close(fd)
    return path.read_text(), session


def _fire(vm: Vm, *contexts: bytes, ret: bool = False) -> None:
    for context in contexts:
        for link in vm.links:
            if isinstance(link.spec, UprobeLink) and link.spec.ret == ret:
                vm.fire(link, context)


@pytest.mark.parametrize("interpret", ENGINES)
def test_begin_interval_end(tmp_path: Path, interpret: bool) -> None:
    script = """
    BEGIN { printf("start %d\\n", 5); @a = 1; }
    interval:s:1 { @n[pid] = count(); @x++; printf("tick %s\\n", comm); }
    END { printf("end\\n"); }
    """
    out, _ = _run(script, tmp_path, lambda vm: vm.advance(3_500_000_000), interpret=interpret)
    printed, _, maps = out.partition("end\n")
    assert printed == "start 5\n" + "tick probee\n" * 3
    assert [line for line in maps.split("\n") if line] == ["@a: 1", "@n[1000]: 3", "@x: 3"]


@pytest.mark.parametrize("interpret", ENGINES)
def test_a_probe_fires_23_times(tmp_path: Path, interpret: bool) -> None:
    script = "uprobe:/bin/program:main { @calls = count(); @sizes = sum(arg0); @[arg1 % 2] = count(); }"

    def act(vm: Vm) -> None:
        _fire(vm, *[registers(size, size) for size in range(23)])

    out, _ = _run(script, tmp_path, act, interpret=interpret)
    assert "@calls: 23\n" in out
    assert f"@sizes: {sum(range(23))}\n" in out
    assert "@[1]: 11\n" in out
    assert "@[0]: 12\n" in out


def test_text_comes_from_the_process(tmp_path: Path) -> None:
    script = 'uprobe:/bin/program:main { printf("%s %d\\n", str(arg0), arg1); }'

    def act(vm: Vm) -> None:
        vm.world.put(0x7000_0000, b"hello\0")
        _fire(vm, registers(0x7000_0000, 7))

    assert _run(script, tmp_path, act)[0] == "hello 7\n"


def test_time_between_entry_and_return(tmp_path: Path) -> None:
    script = """
    uprobe:/bin/program:main { @start[tid] = nsecs; }
    uretprobe:/bin/program:main /@start[tid]/ {
        printf("%d %d\\n", nsecs - @start[tid], retval);
        delete(@start[tid]);
    }
    """

    def act(vm: Vm) -> None:
        _fire(vm, registers(1))
        vm.advance(1500)
        _fire(vm, registers(returned=42), ret=True)

    assert _run(script, tmp_path, act)[0].strip() == "1500 42"


def test_exit_ends_what_is_printed(tmp_path: Path) -> None:
    script = 'interval:ms:10 { @n++; if (@n == 2) { exit(); } printf("%d\\n", @n); }'
    out, session = _run(script, tmp_path, lambda vm: vm.advance(60_000_000))
    assert out.split("\n")[0] == "1"
    assert session.exit_code == 0
