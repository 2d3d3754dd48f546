"""usdt: which probes of a file an attach point names, where they are, and how their arguments are read."""

from __future__ import annotations

import struct
from fnmatch import fnmatch
from typing import Any

import pytest

from builders.elf import ElfBuilder
from builders.scripts import ARCH, FakeFiles, Script, make_target
from probee.base.errors import SourceError, TargetError
from probee.base.record import replace
from probee.elf.consts import ET, PF, SHF
from probee.elf.file import Elf
from probee.session import count_probes
from probee.spec.abi import AttachType
from probee.spec.bundle import UprobeLink

APP = "/apps/app"
CODE, DATA = 0x1000, 0x3000
ROOT = "/proc/2/root"
MASK = (1 << 64) - 1


def build(*notes: tuple[int, int, str], type: int = ET.DYN) -> bytes:
    """A program of `notes`: where its code each is, its semaphore or 0, `provider name arguments`."""
    elf = ElfBuilder(type=type)
    elf.section(".text", data=bytes(0x100), flags=SHF.ALLOC | SHF.EXECINSTR, address=CODE, align=4096)
    elf.section(".probes", data=bytes(0x40), flags=SHF.ALLOC | SHF.WRITE, address=DATA, align=4096)
    elf.load(".text", flags=PF.R | PF.X)
    elf.load(".probes", flags=PF.R | PF.W)
    elf.symbol("table", DATA + 0x20, size=16)
    for place, semaphore, text in notes:
        provider, name, arguments = (text + "  ").split(" ", 2)
        strings = b"".join([part.encode() + b"\0" for part in (provider, name, arguments.strip())])
        addresses = elf.pack("QQQ", place, 0, semaphore)
        elf.note("stapsdt", 3, addresses + strings, section=".note.stapsdt")
    return elf.build()


NOTES = (
    (CODE + 1, 0, "app one -4@%eax 8@%rdi"),
    (CODE + 2, 0, "app one -4@$-7 8@8(%rbp)"),
    (CODE + 3, 0, "app one -4@%eax 8@%rdi"),
    (CODE + 4, DATA + 2, "app two"),
    (CODE + 5, 0, "lib one 1@%dil"),
    (CODE + 6, 0, "app odd 8f@%xmm0 8@%xmm1 -4f@-4(%rbp) 4@missing(%rip)"),
)


class Files(FakeFiles):
    """A machine of programs by their paths. Process 1 maps the first two and one that can't be read; process
    2 has a root of its own."""

    debug_roots: tuple[str, ...] = ()

    def __init__(self, **programs: bytes) -> None:
        self.programs = {f"/apps/{name}": data for name, data in programs.items()}

    def match_files(self, glob: str) -> list[str]:
        return sorted(path for path in self.programs if fnmatch(path, glob))

    def find_mapped(self, pid: int) -> list[str]:
        return [path.removeprefix(ROOT) for path in self.programs if path.startswith(self.root_of(pid))][:3]

    def find_running(self) -> list[str]:
        return list(self.programs)

    def root_of(self, pid: int) -> str:
        return ROOT if pid == 2 else ""

    def demangle(self, name: str) -> str:
        return name

    def find_program(self, name: str) -> str | None:
        path = name if name.startswith("/") else f"/apps/{name.removeprefix('./')}"
        return path if path in self.programs else None

    def open_elf(self, path: str) -> Elf:
        return Elf(self.programs[path], path)

    def process_exists(self, pid: int) -> bool:
        return pid == 1


def compiled(
    text: str,
    *notes: tuple[int, int, str],
    type: int = ET.DYN,
    multi: bool = False,
    pid: int = 0,
    unsafe: bool = False,
) -> Script:
    files = Files(app=build(*(notes or NOTES), type=type), plain=build(), odd=b"\x7fELF")
    files.programs |= {"/opt/app2": build((CODE + 7, 0, "app two")), f"{ROOT}/srv/in": build(*NOTES)}
    target = make_target()
    features = target.features | {"uprobe_multi_pid"} if multi else target.features
    return Script(text, target=replace(target, files=files, features=features), pid=pid, unsafe=unsafe)


def places(script: Script) -> list[tuple[str, int, str]]:
    """Program, place in the code, name of each link."""
    return [
        (link.program, link.offset & 0xFFF, link.probe.removeprefix(f"usdt:{APP}:"))
        for link in script.bundle.links
        if isinstance(link, UprobeLink)
    ]


def context(**values: int) -> bytes:
    data = bytearray(ARCH.context_size)
    for name, value in values.items():
        struct.pack_into("=Q", data, ARCH.register(name).offset, value & MASK)
    return bytes(data)


def read(spec: str, memory: dict[int, bytes] | None = None, *, type: int = ET.DYN, **values: int) -> Any:
    """What arg0 of a probe with the one argument `spec` is."""
    script = compiled("usdt:app:p:n { print(arg0); }", (CODE + 5, 0, f"p n {spec}"), type=type)
    script.machine.user_memory.update(memory or {})
    (value,) = script.run(0, context(**values)).values()
    return value


def wrong(text: str, *notes: tuple[int, int, str], pid: int = 0) -> str:
    """What is said of a script that does not compile: messages with their hints."""
    with pytest.raises((SourceError, TargetError)) as caught:
        compiled(text, *notes, pid=pid)
    return f"{caught.value}\n{getattr(caught.value, 'hint', '')}\n"


# -- which probes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "found"),
    [
        ("usdt:app:app:two", [(4, "app:two")]),
        ("usdt:/apps/app:two", [(4, "app:two")]),
        ("U:app:one", [(1, "app:one"), (2, "app:one"), (3, "app:one"), (5, "lib:one")]),
        ("usdt:app:app:one", [(1, "app:one"), (2, "app:one"), (3, "app:one")]),
        ("usdt:app:*:one", [(1, "app:one"), (2, "app:one"), (3, "app:one"), (5, "lib:one")]),
        ("usdt:app:lib:*", [(5, "lib:one")]),
        ("usdt:app:t*", [(4, "app:two")]),
        ("usdt:app:a*:o*e", [(1, "app:one"), (2, "app:one"), (3, "app:one")]),
    ],
)
def test_places(point: str, found: list[tuple[int, str]]) -> None:
    assert [(at, name) for _, at, name in places(compiled(f"{point} {{ }}"))] == found


@pytest.mark.parametrize(
    ("point", "pid", "found"),
    [
        ("usdt:app::two", 0, ["/apps/app"]),
        ("usdt:./app:app:two", 0, ["./app"]),
        ("usdt:*:two", 0, ["/apps/app", "/opt/app2", f"{ROOT}/srv/in"]),
        ("usdt:/*/app*::two", 0, ["/apps/app", "/opt/app2"]),
        ("usdt::app:two", 1, ["/apps/app"]),
        ("usdt:::two", 1, ["/apps/app"]),
        ("usdt:two", 1, ["/apps/app"]),
        ("usdt:*:two", 1, ["/apps/app"]),
        ("usdt:app*:two", 1, []),
        ("usdt:/opt/app*:two", 1, ["/opt/app2"]),
        ("usdt:two", 2, [f"{ROOT}/srv/in"]),
        ("usdt:*/in:app:two", 2, [f"{ROOT}/srv/in"]),
        ("usdt:/srv/in:app:two", 2, ["/srv/in"]),
    ],
)
def test_files(point: str, pid: int, found: list[str]) -> None:
    """By path, by pattern, of what a process maps, and of what all do."""
    if not found:
        assert f"process {pid} maps no file that matches" in wrong(f"{point} {{ }}", pid=pid)
        return
    links = [
        link for link in compiled(f"{point} {{ }}", pid=pid).bundle.links if isinstance(link, UprobeLink)
    ]
    assert [link.probe for link in links] == [f"usdt:{path}:app:two" for path in found]
    assert all(link.pid == pid for link in links)


def test_number_of_probes() -> None:
    """One probe at many places is one, also where each has its own program; two attach points are two."""
    assert count_probes(compiled("usdt:app:*:one { print(arg0); }").bundle.links) == 2
    assert count_probes(compiled("usdt:app:two, usdt:app:two { }").bundle.links) == 2


def test_link() -> None:
    script = compiled("usdt:app:two { }")
    (link,) = script.bundle.links
    assert isinstance(link, UprobeLink)
    elf = Elf(build(*NOTES), APP)
    assert (link.path, link.offset) == (APP, elf.file_offset(CODE + 4))
    assert link.semaphore == elf.file_offset(DATA + 2, code=False)
    assert (link.ret, link.pid, link.program) == (False, 0, "usdt_1")
    assert script.bundle.programs[0].expected_attach == AttachType.NONE
    multi = compiled("usdt:app:two { }", multi=True)
    assert multi.bundle.programs[0].expected_attach == AttachType.TRACE_UPROBE_MULTI


def test_one_program_where_nothing_differs() -> None:
    assert {program for program, _, _ in places(compiled("usdt:app:*:* { @ = count(); }"))} == {"usdt_1"}


def test_a_program_for_each_way_to_pass_arguments() -> None:
    found = places(compiled("usdt:app:app:one { print(arg0); }"))
    assert found == [("usdt_1", 1, "app:one"), ("usdt_1", 3, "app:one"), ("usdt_2", 2, "app:one")]


def test_a_program_for_each_name() -> None:
    script = compiled("usdt:app:one { @[probe] = count(); }")
    assert [program for program, _, _ in places(script)] == ["usdt_1", "usdt_1", "usdt_1", "usdt_2"]
    script.run(0).run(1)
    assert script["@"] == {f"usdt:{APP}:app:one": 1, f"usdt:{APP}:lib:one": 1}


# -- arguments ----------------------------------------------------------------------------------


def test_each_place_reads_its_own() -> None:
    script = compiled("usdt:app:app:one { print((arg0, arg1)); }")
    script.machine.user_memory[0x7008] = (99).to_bytes(8, "little")
    script.run(0, context(ax=0xFFFFFFFF_FFFFFFFE, di=5)).run(1, context(bp=0x7000))
    assert script.values() == [(-2, 5), (-7, 99)]


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("8@%rax", 0x8877665544332280),
        ("-8@%rax", 0x8877665544332280 - (1 << 64)),
        ("4@%eax", 0x44332280),
        ("-4@%eax", 0x44332280),
        ("2@%ax", 0x2280),
        ("1@%al", 0x80),
        ("-1@%al", -0x80),
        ("1@%ah", 0x22),
        ("4@$-1", 0xFFFFFFFF),
        ("-4@$-1", -1),
        ("8@$-1", MASK),
        ("-8@$12", 12),
    ],
)
def test_registers_and_constants(spec: str, value: int) -> None:
    assert read(spec, ax=0x8877665544332280) == value


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("operand", ["(%rbx)", "-16(%rcx)", "8(%rdx,%rsi,4)", "(,%rdi,8)"])
def test_memory(operand: str, size: int, sign: str) -> None:
    data = bytes(range(0xF1, 0xF9))
    at = 0x7000
    values = {"bx": at, "cx": at + 16, "dx": at + 392, "si": -100, "di": at // 8}
    found = read(f"{sign}{size}@{operand}", {at: data}, **values)
    assert found == int.from_bytes(data[:size], "little", signed=bool(sign))


def test_memory_that_is_not_there() -> None:
    assert read("-4@(%rbx)", bx=0x7000) == 0


@pytest.mark.parametrize(("type", "moved"), [(ET.DYN, 0x550000000000), (ET.EXEC, 0)])
def test_symbols(type: int, moved: int) -> None:
    table = DATA + 0x20 + moved
    ip = CODE + 5 + moved
    assert read("4@4+table(%rip)", {table + 4: b"\1\2\0\0"}, type=type, ip=ip) == 0x201
    assert read("8@table(,%rax,8)", {table + 8: b"\3" + bytes(7)}, type=type, ip=ip, ax=1) == 3
    assert read("8@$table+1", type=type, ip=ip) == table + 1


def test_symbol_beside_a_register() -> None:
    table = DATA + 0x20
    assert read("1@table(%rax)", {table + 3: b"\7"}, type=ET.EXEC, ax=3) == 7


def test_sign_of_many() -> None:
    """What holds all that the places say."""
    notes = ((CODE + 1, 0, "p n -4@%eax"), (CODE + 2, 0, "p n 4@%eax"))
    script = compiled("usdt:app:n /arg0 < 0/ { print(arg0); }", *notes)
    assert script.run(0, context(ax=-1)).run(1, context(ax=-1)).values() == [-1]
    script = compiled("usdt:app:n { print(arg0); }", *notes, (CODE + 3, 0, "p n 8@%rax"))
    values = script.run(0, context(ax=-1)).run(1, context(ax=-1)).run(2, context(ax=-1)).values()
    assert values == [MASK, 0xFFFFFFFF, MASK]


def test_beside_a_uprobe() -> None:
    script = compiled("usdt:app:app:one, uprobe:app:0x1000 { print(arg0); }", unsafe=True)
    script.run(2, context(di=4)).run(0, context(ax=3))
    assert script.values() == [4, 3]


# -- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("usdt:app { }", "usdt probe type requires 2 or 3 arguments, found 1"),
        ("usdt:app:: { }", "usdt probe must have a target function or wildcard"),
        ("usdt::one { }", "usdt probe must specify at least path or pid to probe"),
        ("usdt:::one { }", "to target all paths/pids set the path to '*'"),
        ("usdt:/none*:one { }", "no ELF file matches '/none*'"),
        ("usdt:/apps/p*:one { }", "/apps/plain has no USDT probes"),
        ("usdt:*:nope { }", "none of the 5 files that match '*' has a probe nope"),
        ("usdt:app:a:b:c { }", "usdt probe type requires 2 or 3 arguments, found 4"),
        ("usdt:nope:one { }", "usdt target file 'nope' does not exist or is not executable"),
        ("usdt:plain:one { }", "/apps/plain has no USDT probes"),
        ("usdt:app:tow { }", "did you mean app:two?"),
        ("usdt:app:app:tow { }", "/apps/app has no probe app:tow"),
        ("usdt:app:app:tow { }", "did you mean app:two?"),
        ("usdt:app:x*y { }", "it has app:one, app:two, lib:one, app:odd"),
        ("usdt:app:app:one { print(arg2); }", f"arg2 of usdt:{APP}:app:one can't be read: the probe has 2"),
        ("usdt:app:lib:one { print(arg1); }", "the probe has 1 argument\n"),
        ("usdt:app:two { print(arg0); }", "the probe has no arguments"),
        ("usdt:app:odd { print(arg0); }", "can't be read: it is a floating point value, 8f@%xmm0"),
        ("usdt:app:odd { print(arg1); }", "can't be read: floating point register xmm1 (8@%xmm1)"),
        ("usdt:app:odd { print(arg2); }", "it is a floating point value, -4f@-4(%rbp)"),
        ("usdt:app:odd { print(arg3); }", "the address of missing is not known (4@missing(%rip))"),
        ("usdt:app:two { print(retval); }", "usdt used here"),
        ("usdt:app:two { print(func); }", "func builtin can not be used with 'usdt' probes"),
    ],
)
def test_complaints(text: str, message: str) -> None:
    assert message in wrong(text)


def test_unused_arguments_need_not_be_readable() -> None:
    assert places(compiled("usdt:app:odd { @ = count(); }")) == [("usdt_1", 6, "app:odd")]


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ((0x9000, 0, "p n"), "probe p:n is at 0x9000, which is not in the code of /apps/app"),
        ((CODE, 0x9000, "p n"), "probe p:n can't be enabled: its semaphore is not in the file /apps/app"),
    ],
)
def test_places_that_are_none(note: tuple[int, int, str], message: str) -> None:
    assert message in wrong("usdt:app:n { }", note)
