"""Places in programs: names, clones, offsets of instructions, addresses, demangled names, lines."""

from __future__ import annotations

import pytest

from builders.elf import ElfBuilder
from builders.scripts import FakeFiles, Script, make_target
from probee.base.errors import SourceError, TargetError
from probee.base.record import replace
from probee.elf.consts import PF, SHF, STB, STT
from probee.elf.file import Elf
from probee.probes.binary import Binary
from probee.probes.demangled import iter_demangled
from probee.probes.user_places import Place, find_places

PATH = "/bin/app"
BASE = 0x401000
# push rbp; mov rbp, rsp; sub rsp, 16; ret: instructions begin at 0, 1, 4 and 8.
CODE = b"\x55\x48\x89\xe5\x48\x83\xec\x10\xc3".ljust(0x40, b"\x90")
FUNCTIONS = {
    "main": 0,
    "work": 0x40,
    "work.cold": 0x80,
    "lost.constprop.0.isra.0": 0xC0,
    "lost.cold": 0x100,
    "_ZN2ns4overEi": 0x140,
    "_ZN2ns4overEl": 0x180,
    "_ZN3app3run17h0123456789abcdefE": 0x1C0,
    "_RNvC3app3run": 0x200,
    "work.isra.0": 0x240,
}
DEMANGLED = {
    "_ZN2ns4overEi": "ns::over(int)",
    "_ZN2ns4overEl": "ns::over(long)",
    "_ZN3app3run17h0123456789abcdefE": "app::run",
    "_RNvC3app3run": "app::run",
}


def build() -> bytes:
    elf = ElfBuilder()
    data = CODE * 16
    elf.section(".text", data=data, flags=SHF.ALLOC | SHF.EXECINSTR, address=BASE, align=4096)
    elf.load(".text", flags=PF.R | PF.X)
    for name, offset in FUNCTIONS.items():
        elf.symbol(name, BASE + offset, size=0x40)
    elf.symbol("chosen", BASE + 0x280, size=0x40, type=STT.GNU_IFUNC)
    for offset in (0x2C0, 0x300):
        elf.symbol("twice", BASE + offset, size=0x40, bind=STB.LOCAL)
    return elf.build()


class Files(FakeFiles):
    """A machine with one program."""

    def find_program(self, name: str) -> str | None:
        return PATH if name in (PATH, "app") else None

    def open_elf(self, path: str) -> Elf:
        return Elf(build(), path)

    def match_files(self, glob: str) -> list[str]:
        return [PATH] if glob == "/bin/*" else []

    def find_mapped(self, pid: int) -> list[str]:
        return [PATH, "/lib/libc.so.6"]

    def find_running(self) -> list[str]:
        return [PATH]

    def demangle(self, name: str) -> str:
        return DEMANGLED.get(name, name)


def find(*where: str, safe: bool = True, returns: bool = False) -> list[Place]:
    files = Files()
    return find_places(Binary(files, PATH), where, files.demangle, safe=safe, returns=returns)


def offsets(*where: str, safe: bool = True) -> dict[str, int]:
    """Spelling → bytes from the first of the code."""
    return {place.text: place.address - BASE for place in find(*where, safe=safe)}


def test_names() -> None:
    assert offsets("main") == {"main": 0}
    assert offsets("m*n") == {"main": 0}
    assert offsets("work*") == {"work": 0x40, "work.cold": 0x80, "work.isra.0": 0x240}
    assert "chosen" not in offsets("*")


def test_a_name_of_which_there_are_only_clones() -> None:
    assert offsets("lost") == {"lost.constprop.0.isra.0": 0xC0}


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("main", ""),
        ("work", "calls of work that the compiler made calls of work.isra.0 are not traced"),
        ("chosen", "chosen when the program starts (IFUNC)"),
        ("twice", f"has other functions called twice, at {BASE + 0x300:#x}, which are not traced"),
    ],
)
def test_what_is_to_be_known(name: str, warning: str) -> None:
    (place,) = find(name)
    assert (warning in place.warning) if warning else not place.warning


@pytest.mark.parametrize("past", [1, 4, 8, "0x4"])
def test_offsets_of_instructions(past: int | str) -> None:
    assert offsets(f"work+{past}") == {f"work+{past}": 0x40 + int(str(past), 0)}


@pytest.mark.parametrize("where", ["work+2", "work+0x7", f"{BASE + 0x45:#x}"])
def test_offsets_inside_of_instructions(where: str) -> None:
    with pytest.raises(TargetError, match="into middle of instruction") as caught:
        find(where)
    assert "--unsafe attaches nevertheless" in str(caught.value.hint)
    (place,) = find(where, safe=False)
    assert "Unsafe uprobe in the middle of the instruction" in place.warning


def test_addresses() -> None:
    (place,) = find(f"{BASE + 0x41:#x}")
    assert (place.function, place.address) == ("work", BASE + 0x41)
    with pytest.raises(TargetError, match="Could not resolve address: /bin/app:0x10"):
        find("0x10")
    with pytest.raises(TargetError, match=r"no symbol of .* tells where the instruction"):
        find(f"{BASE + 0x3F0:#x}")
    (place,) = find(f"{BASE + 0x3F0:#x}", safe=False)
    assert "nothing tells where instructions begin" in place.warning


def test_return_probes_are_at_functions_only() -> None:
    (place,) = find("work", returns=True)
    assert not place.text.endswith("+0")
    for where in ("work+4", f"{BASE + 0x44:#x}"):
        with pytest.raises(ValueError, match="takes no offset"):
            find(where, returns=True)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (("cpp", "ns::over"), {'cpp:"ns::over(int)"': 0x140, 'cpp:"ns::over(long)"': 0x180}),
        (("cpp", "ns", "", "over"), {'cpp:"ns::over(int)"': 0x140, 'cpp:"ns::over(long)"': 0x180}),
        (("cpp", "ns::over(int)"), {'cpp:"ns::over(int)"': 0x140}),
        (("cpp", "ns::*(long)"), {'cpp:"ns::over(long)"': 0x180}),
        (("rust", "app::r*"), {'rust:"app::run"': 0x200}),
    ],
)
def test_demangled_names(where: tuple[str, ...], found: dict[str, int]) -> None:
    assert offsets(*where) == found


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("app.Stack.push(int)", ["app.Stack.push", "app.Stack.push(int)", "*.push"]),
        ("app.Stack.empty() const", ["app.Stack.empty", "app.Stack.*"]),
        ("app.map!(int, app.f(int)).run!('(')(int)", ["app.map!(int,app.f(int)).run!('(')(int)", "app.map*"]),
        ("app.Stack.make!(int)(ref app.Stack)", ["app.Stack.make", "app.Stack.make!(int)"]),
    ],
)
def test_names_of_d(text: str, patterns: list[str]) -> None:
    builder = ElfBuilder()
    builder.section(".text", data=bytes(16), flags=SHF.ALLOC | SHF.EXECINSTR, address=BASE, align=4096)
    builder.load(".text", flags=PF.R | PF.X)
    builder.symbol("_D3app5Stack4push5empty4makeMFiZv", BASE, size=16)
    elf = Elf(builder.build(), PATH)
    for pattern in patterns:
        assert [found for found, _ in iter_demangled(elf, "d", pattern, lambda _: text)] == [text], pattern
    for language, pattern in (("cpp", patterns[0]), ("rust", patterns[0]), ("d", "app"), ("d", "const")):
        assert not list(iter_demangled(elf, language, pattern, lambda _: text)), pattern


def test_no_demangled_name() -> None:
    with pytest.raises(TargetError, match=r"no C\+\+ function matches 'app::run'"):
        find("cpp", "app::run")


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("ns::f(int, char const*)", ["ns::f", "ns::f(int, char const*)", "ns::f(int,char const*)", "ns::*"]),
        (
            "std::vector<int> ns::make<int>(int)",
            ["ns::make", "ns::make<int>", "ns::make<int>(int)", "*make*"],
        ),
        ("ns::A<int>::f(void (*)(int))", ["ns::A<int>::f", "ns::A*::f"]),
        ("ns::operator<(ns::A, ns::A)", ["ns::operator<"]),
        ("bool ns::same<ns::A>(ns::A) const", ["ns::same"]),
    ],
)
def test_forms_of_demangled_names(text: str, patterns: list[str]) -> None:
    builder = ElfBuilder()
    builder.section(".text", data=bytes(16), flags=SHF.ALLOC | SHF.EXECINSTR, address=BASE, align=4096)
    builder.load(".text", flags=PF.R | PF.X)
    name = "_Z" + "".join([f"{len(word)}{word}" for word in ("ns", "f", "make", "same", "A")])
    builder.symbol(name, BASE, size=16)
    elf = Elf(builder.build(), PATH)
    for pattern in patterns:
        assert [found for found, _ in iter_demangled(elf, "cpp", pattern, lambda _: text)] == [text], pattern
    for pattern in ("f", "ns", "ns::g", "A", "make(int)"):
        assert not list(iter_demangled(elf, "cpp", pattern, lambda _: text)), pattern


# Attach points


def probes(text: str, pid: int = 0, *, unsafe: bool = False) -> list[str]:
    target = replace(make_target(), files=Files())
    script = Script(f"{text} {{ }}", target=target, unsafe=unsafe, pid=pid)
    return [link.probe for link in script.bundle.links]


def test_patterns_of_files() -> None:
    assert probes("uprobe:/bin/*:main") == ["uprobe:/bin/app:main"]
    assert probes("uprobe:*:main", pid=1) == ["uprobe:/bin/app:main"]
    assert probes("uprobe:*:main") == ["uprobe:/bin/app:main"]
    for text in ("uprobe:/opt/*:main", "uprobe:/bin/*:nothing"):
        with pytest.raises((TargetError, SourceError)):
            probes(text)


def test_warnings_have_a_place() -> None:
    target = replace(make_target(), files=Files())
    (warning,) = Script("uprobe:app:chosen { }", target=target).warnings
    assert "IFUNC" in warning.message
    assert warning.span is not None
    assert warning.span.text == "uprobe:app:chosen"


def test_leave_to_break_instructions() -> None:
    with pytest.raises((TargetError, SourceError), match="middle of instruction"):
        probes("uprobe:app:work+2")
    assert probes("uprobe:app:work+2", unsafe=True) == ["uprobe:/bin/app:work+2"]


def test_lines_need_debug_information() -> None:
    with pytest.raises((TargetError, SourceError), match="/bin/app has no debug information"):
        probes("uprobe:app@a.c:7")
    with pytest.raises(SourceError, match="expected FILE:LINE"):
        probes("uprobe:app@a.c:seven")
