"""The machine that tests run on: nothing of it exists.

Every path and every library is a program that has the functions which the script and the events
name, so that a script for redis is tested where there is no redis. Same script and events, same bytes.
"""

from __future__ import annotations

import struct

from ..arch import find as find_arch
from ..elf.consts import EM, ET, PF, PT, SHF, SHT, STB, STT
from ..elf.file import Elf
from ..probes.user_places import NUMBER
from ..spec.target import Target
from .types import DeclaredTypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..bt import tree

FEATURES = frozenset(
    {
        "atomics_fetch",
        "bpf_loop",
        "for_each_map_elem",
        "ktime_get_tai_ns",
        "large_keys",
        "map_lookup_percpu_elem",
        "may_goto",
        "mmapable",
        "perf_link",
        "ringbuf",
        "test_run",
    }
)
"""What the VM does of that which a compiler may use."""

RELEASE = "6.18.0"
ISA = 4

_BASE = 0
_SPACING = 0x10000
_CODE_SIZE = 1 << 40

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")
_SECTION_NAMES = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"


class MadeUpFiles:
    """Programs by any name. `functions` are names by program; those of "" are in every program."""

    debug_roots: tuple[str, ...] = ()
    inflated = None

    def __init__(self, machine: int, functions: dict[str, set[str]]) -> None:
        self._machine = machine
        self._functions = functions

    def find_program(self, name: str) -> str | None:
        return name or None

    def open_elf(self, path: str) -> Elf:
        names = self._functions.get("", set()) | self._functions.get(path, set())
        return Elf(memoryview(build_program(self._machine, sorted(names))), path)

    def fetch_debug(self, build_id: bytes) -> str | None:
        return None

    def match_files(self, glob: str) -> list[str]:
        return [glob]

    def find_mapped(self, pid: int) -> list[str]:
        return sorted(self._functions)

    def find_running(self) -> list[str]:
        return sorted(self._functions)

    def root_of(self, pid: int) -> str:
        return ""

    def demangle(self, name: str) -> str:
        return name

    def find_cgroup(self, path: str) -> int | None:
        return None

    def process_exists(self, pid: int) -> bool:
        return True

    def find_imports(self, path: str) -> tuple[str, ...] | None:
        return None

    def read_header(self, path: str) -> str | None:
        return None


def make_target(
    script: tree.Script, probes: Iterable[str], *, machine: str = "x86_64", cpus: int = 2, types: str = ""
) -> Target:
    """A machine on which everything that `script` and the names `probes` want is there, and whose kernel
    has the types that the C text `types` declares.

    Raises FeatureError for a CPU that has no register tables, SourceError for C text that is wrong.
    """
    functions: dict[str, set[str]] = {}
    for probe in script.probes:
        for point in probe.points:
            if len(point.args) > 1:
                _add(functions, point.args[0], point.args[-1])
    for name in probes:
        _, *path, function = name.split(":", 2)
        _add(functions, path[0] if path else "", function)
    arch = find_arch(machine)
    files = MadeUpFiles(arch.elf_machine, functions)
    known = DeclaredTypes(types) if types else None
    return Target(RELEASE, arch.name, cpus, ISA, FEATURES, files, types=known)


def _add(functions: dict[str, set[str]], path: str, where: str) -> None:
    """Let program `path` have the function of `FUNCTION` or `FUNCTION+OFFSET`, unless that is a pattern."""
    name, plus, _ = where.rpartition("+")
    name = name if plus else where
    if name and "*" not in name:
        functions.setdefault(path, set()).add(name)


def build_program(machine: int, names: list[str]) -> bytes:
    """An ELF file for CPU `machine` (e_machine) that says it has functions `names`, and has no code."""
    strings, symbols = bytearray(b"\0"), bytearray(_SYM.size)
    for number, name in enumerate(names, 1):
        info = STB.GLOBAL << 4 | STT.FUNC
        # What is probed by its address is a function there.
        address = int(name, 0) if NUMBER.fullmatch(name) else _BASE + number * _SPACING
        symbols += _SYM.pack(len(strings), info, 0, 1, address, 0)
        strings += name.encode("utf-8", "surrogateescape") + b"\0"
    parts = (bytes(symbols), bytes(strings), _SECTION_NAMES)
    starts = [_EHDR.size + _PHDR.size]
    for part in parts:
        starts.append(starts[-1] + len(part))
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = _EHDR.pack(
        ident, ET.EXEC, EM(machine), 1, 0, _EHDR.size, starts[3], 0,
        _EHDR.size, _PHDR.size, 1, _SHDR.size, 5, 4,
    )  # fmt: skip
    segment = _PHDR.pack(PT.LOAD, PF.R | PF.X, 0, _BASE, _BASE, _CODE_SIZE, _CODE_SIZE, _SPACING)
    sections = (
        (0, SHT.NULL, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, SHT.NOBITS, SHF.ALLOC | SHF.EXECINSTR, _BASE, 0, _CODE_SIZE, 0, 0, 16, 0),
        (7, SHT.SYMTAB, 0, 0, starts[0], len(symbols), 3, 1, 8, _SYM.size),
        (15, SHT.STRTAB, 0, 0, starts[1], len(strings), 0, 0, 1, 0),
        (23, SHT.STRTAB, 0, 0, starts[2], len(_SECTION_NAMES), 0, 0, 1, 0),
    )
    return header + segment + b"".join(parts) + b"".join(_SHDR.pack(*section) for section in sections)
