"""Go: where its functions have arguments and the goroutine, and where probes of them go."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import pytest

from builders.gopclntab import TEXT, GoProgram, build_go
from builders.scripts import ARCH, FakeFiles, Script, make_target
from probee.base.errors import SourceError, TargetError
from probee.base.record import replace
from probee.elf.consts import EM
from probee.elf.file import Elf
from probee.probes.golang import describe_arguments, find_goroutine, find_returns, skip_stack_check
from probee.spec.bundle import UprobeLink

if TYPE_CHECKING:
    from pathlib import Path

    from probee.elf.gopclntab import GoFunction
    from programs import Probee

GO = "/apps/go"
CHECK = bytes.fromhex("493b6610 7608")
CODE = CHECK + bytes.fromhex("4885c0 7401 c3 b8c3c3c3c3 f3c3")
"""A check of the stack, test, je, ret, a constant with bytes like ret, rep ret."""


def program(**facts: Any) -> GoProgram:
    made = GoProgram(**facts)
    made.function("main.main", CODE)
    made.function("main.loop", bytes.fromhex("ebfe"))
    made.function("runtime.memmove", bytes.fromhex("90c3"), assembly=True)
    made.function("main.broken", bytes.fromhex("06c3"))
    return made


class Files(FakeFiles):
    def __init__(self, made: GoProgram) -> None:
        self.data = made.build()

    def find_program(self, name: str) -> str | None:
        return GO if name in ("go", GO) else None

    def open_elf(self, path: str) -> Elf:
        return Elf(self.data, path)


def compiled(text: str, **facts: Any) -> Script:
    return Script(text, target=replace(make_target(), files=Files(program(**facts))))


def context(**values: int) -> bytes:
    data = bytearray(ARCH.context_size)
    for name, value in values.items():
        struct.pack_into("=Q", data, ARCH.register(name).offset, value)
    return bytes(data)


def offsets(script: Script) -> list[tuple[int, bool]]:
    links = [link for link in script.bundle.links if isinstance(link, UprobeLink)]
    code = Elf(program().build()).file_offset(TEXT)
    assert code is not None
    return [(link.offset - code, link.ret) for link in links]


def wrong(text: str, **facts: Any) -> str:
    with pytest.raises((SourceError, TargetError)) as caught:
        compiled(text, **facts)
    return str(caught.value)


# -- scripts --------------------------------------------------------------------------------------


def test_arguments_are_in_registers() -> None:
    script = compiled("uprobe:go:main.main { print((arg0, arg1, arg2, arg8)); }")
    script.run(0, context(ax=1, bx=2, cx=3, r11=9))
    assert script.values() == [(1, 2, 3, 9)]


def test_arguments_were_on_the_stack() -> None:
    script = compiled("uprobe:go:main.main { print((arg0, arg2)); }", table="1.16", version="go1.16.2")
    script.machine.user_memory[0x7008] = struct.pack("<QQQ", 5, 6, 7)
    assert script.run(0, context(sp=0x7000)).values() == [(5, 7)]


def test_goroutine() -> None:
    script = compiled("uprobe:go:main.main { print(goid); } uretprobe:go:main.main { print(goid); }")
    script.machine.user_memory[0xC000000000 + 152] = struct.pack("<Q", 17)
    registers = context(r14=0xC000000000)
    assert script.run(0, registers).run(1, registers).values() == [17, 17]


def test_places() -> None:
    """Past the check of the stack, where a function comes only once; returns where it returns."""
    assert offsets(compiled("uprobe:go:main.main { }")) == [(len(CHECK), False)]
    assert offsets(compiled("uprobe:go:main.main+6 { }")) == [(6, False)]
    script = compiled("uretprobe:go:main.main { @ = count(); }")
    assert offsets(script) == [(11, False), (17, False)]
    assert {link.probe for link in script.bundle.links} == {f"uretprobe:{GO}:main.main"}
    assert len(script.bundle.programs) == 1


def test_pattern() -> None:
    """Functions that never return, or can't be disassembled, are left out of many, and counted."""
    script = compiled("uretprobe:go:main.* { @ = count(); }")
    assert offsets(script) == [(11, False), (17, False)]
    (warning,) = script.warnings
    assert re.fullmatch(r"2 functions are not traced: main\.\w+ of /apps/go .*, for one", warning.message)
    assert "can't be disassembled" in wrong("uretprobe:go:main.b* { }")


@pytest.mark.parametrize("name", ["arg0", "goid"])
def test_pattern_with_functions_that_tell_nothing(name: str) -> None:
    """Of many functions those in assembly are left out, and counted, where what is asked for is not told."""
    script = compiled(f"uprobe:go:*m* {{ @[{name}] = count(); }}")
    assert {link.probe for link in script.bundle.links} == {
        f"uprobe:{GO}:main.{function}" for function in ("main", "loop", "broken")
    }
    (warning,) = script.warnings
    assert warning.message.startswith("1 functions, such as runtime.memmove, don't tell what is asked for")
    assert not compiled("uprobe:go:*m* { @ = count(); }").warnings


def test_result() -> None:
    script = compiled('uretprobe:go:main.main { print((retval, reg("bx"))); }')
    assert script.run(0, context(ax=3, bx=4)).values() == [(3, 4)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("uprobe:go:main.main { print(arg9); }", "it is not in a register"),
        (
            "uprobe:go:runtime.memmove { print(arg0); }",
            "functions in assembly have arguments where",
        ),
        ("uprobe:go:runtime.memmove { print(goid); }", "it is not known where goid is at"),
        ("interval:s:1 { print(goid); }", "it is not known where goid is at interval:s:1"),
        ("uretprobe:go:main.loop { }", "main.loop of /apps/go never returns"),
        ("uretprobe:go:main.broken { }", "main.broken of /apps/go can't be disassembled"),
    ],
)
def test_complaints(text: str, message: str) -> None:
    assert message in wrong(text)


# -- what is told of a function -------------------------------------------------------------------


def find(name: str, **facts: Any) -> tuple[Elf, GoFunction]:
    elf = Elf(program(**facts).build(), "x")
    assert elf.go_table is not None
    (symbol,) = elf.find_symbols(name)
    function = elf.go_table.find_at(symbol.value)
    assert function is not None
    return elf, function


@pytest.mark.parametrize(
    ("version", "offset"),
    [("go1.8", None), ("go1.16", None), ("go1.17", 152), ("go1.22.1", 152), ("go1.23", 160), ("go1.25", 152)],
)
def test_goid_by_version(version: str, offset: int | None) -> None:
    arg = find_goroutine(*find("main.main", version=version))
    assert (arg and arg.displacement) == offset


def test_version_of_developers() -> None:
    elf, function = find("main.main", version="devel +abcdef")
    assert describe_arguments(elf, function)[0].register == "ax"
    assert find_goroutine(elf, function) is None


def test_other_cpu() -> None:
    elf, function = find("main.main", machine=EM.RISCV)
    assert {arg.reason for arg in describe_arguments(elf, function)} == {
        "probee doesn't know the registers of this CPU"
    }
    assert find_goroutine(elf, function) is None


def test_aarch64() -> None:
    made = GoProgram(machine=EM.AARCH64)
    code = "900b40f9 ff6330eb 29080054 c0035fd6 1f2003d5 c0035fd6"
    made.function("main.main", bytes.fromhex(code))
    elf = Elf(made.build(), "x")
    assert elf.go_table is not None
    function = elf.go_table.find_at(TEXT)
    assert function is not None
    code_at = elf.file_offset(TEXT)
    assert find_returns(elf, function) == [code_at + 12, code_at + 20]
    assert skip_stack_check(elf, function) == 12
    assert [arg.register for arg in describe_arguments(elf, function)[:2]] == ["x0", "x1"]
    goroutine = find_goroutine(elf, function)
    assert goroutine is not None
    assert goroutine.register == "x28"


# -- with Go itself -------------------------------------------------------------------------------

SOURCE = """
package main

import ("fmt"; "os")

//go:noinline
func deep(n int, name string) (int, string) {
	var pad [512]byte
	pad[n % 512] = 1
	if n == 0 { return int(pad[0]), name }
	rest, _ := deep(n - 1, name)
	return rest + int(pad[n % 512]), name
}

func main() {
	buffer := make([]byte, 1)
	os.Stdin.Read(buffer)
	done := make(chan int)
	for i := 0; i < 23; i++ {
		go func(i int) { sum, _ := deep(100 + i, fmt.Sprint("name", i)); done <- sum }(i)
		<-done
	}
}
"""


@pytest.mark.kernel
@pytest.mark.needs("go", "uprobe")
def test_arguments_by_name(tmp_path: Path, probee: Probee) -> None:
    path = build_go(tmp_path, SOURCE)
    script = f"uprobe:{path}:main.deep /args.n >= 100/ {{ @[str(args.name)] = max(args.n); }}"
    done = probee("-c", path, "-e", script, stdin="\n")
    assert "@[name0]: 100\n" in done.stdout
    assert "@[name22]: 122\n" in done.stdout


@pytest.mark.kernel
@pytest.mark.needs("go", "uprobe")
@pytest.mark.parametrize("flags", [(), ("-ldflags=-s -w",)], ids=["symbols", "stripped"])
def test_real_program(tmp_path: Path, probee: Probee, flags: tuple[str, ...]) -> None:
    """Stacks that are moved while functions run: each call and each return is seen once."""
    path = build_go(tmp_path, SOURCE, *flags)
    script = (
        f"uprobe:{path}:main.deep {{ @calls = count(); @names[str(arg1, arg2 + 1)] = count(); }}\n"
        f"uretprobe:{path}:main.deep {{ @returns = count(); @last = max(retval); @ids[goid] = 1; }}\n"
        "END { print(len(@ids)); clear(@ids); clear(@names); }"
    )
    done = probee("-c", path, "-e", script, stdin="\n")
    total = sum(101 + i for i in range(23))
    assert f"@calls: {total}\n" in done.stdout
    assert f"@returns: {total}\n" in done.stdout
    assert "@last: 123\n" in done.stdout
