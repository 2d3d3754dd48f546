"""Scripts compiled for a target that is made up, and run on the IR's interpreter."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any

from builders.elf import ElfBuilder
from probee.arch import find as find_arch
from probee.base.errors import SourceError
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.elf.consts import PF, SHF
from probee.elf.file import Elf
from probee.events.aggregate import compile_merge
from probee.events.decode import Form, compile_value
from probee.funcs.unit import GLOBALS, Options
from probee.ir.check import check_function
from probee.ir.interp import InterpMachine, run
from probee.ir.text import parse_function, print_function
from probee.spec.abi import ProgType
from probee.spec.asked import NOTHING, Asked
from probee.spec.target import Target
from probee.spec.values import Aggregate

if TYPE_CHECKING:
    from probee.base.source import Diagnostic
    from probee.ir.nodes import Function
    from probee.spec.bundle import Variable

PROGRAM = "/bin/program"
BASE = 0x401000
FUNCTIONS = {"main": 0, "read_line": 0x40, "read_all": 0x80, "close_file": 0xC0}
ARCH = find_arch("x86_64")
FORM = Form()


def build_program() -> bytes:
    """An executable with FUNCTIONS, each of 0x40 bytes."""
    elf = ElfBuilder()
    elf.section(".text", data=bytes(0x100), flags=SHF.ALLOC | SHF.EXECINSTR, address=BASE, align=4096)
    elf.load(".text", flags=PF.R | PF.X)
    for name, offset in FUNCTIONS.items():
        elf.symbol(name, BASE + offset, size=0x40)
    return elf.build()


class FakeFiles:
    """A machine with one program, by path or by name."""

    debug_roots: tuple[str, ...] = ()
    inflated = None

    def find_program(self, name: str) -> str | None:
        return PROGRAM if name in (PROGRAM, "program") else None

    def open_elf(self, path: str) -> Elf:
        return Elf(memoryview(build_program()), path)

    def fetch_debug(self, build_id: bytes) -> str | None:
        return None

    def match_files(self, glob: str) -> list[str]:
        return [PROGRAM] if glob in ("/bin/*", "*") else []

    def find_mapped(self, pid: int) -> list[str]:
        return [PROGRAM]

    def find_running(self) -> list[str]:
        return [PROGRAM]

    def root_of(self, pid: int) -> str:
        return ""

    def demangle(self, name: str) -> str:
        return name

    headers: dict[str, str] = {}

    def find_imports(self, path: str) -> tuple[str, ...] | None:
        return (path,) if path in self.headers else None

    def read_header(self, path: str) -> str | None:
        return self.headers.get(path)

    def process_exists(self, pid: int) -> bool:
        return pid == 1

    def find_cgroup(self, path: str) -> int | None:
        return 77 if path == "/sys/fs/cgroup/one" else None


_FEATURES = ("atomics_fetch", "for_each_map_elem", "large_keys", "map_lookup_percpu_elem", "ktime_get_tai_ns")


OPEN_FORMAT = """name: sys_enter_openat
ID: 672
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int __syscall_nr;	offset:8;	size:4;	signed:1;
	field:int dfd;	offset:16;	size:8;	signed:0;
	field:const char * filename;	offset:24;	size:8;	signed:0;
	field:umode_t mode;	offset:40;	size:8;	signed:0;

print fmt: "dfd: 0x%08lx", ((unsigned long)(REC->dfd))
"""
EXEC_FORMAT = """name: sched_process_exec
ID: 310
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:__data_loc char[] filename;	offset:8;	size:4;	signed:0;
	field:pid_t pid;	offset:12;	size:4;	signed:1;
	field:char comm[16];	offset:16;	size:16;	signed:0;
	field:__rel_loc u8[] more;	offset:32;	size:4;	signed:0;

print fmt: "filename=%s", __get_str(filename)
"""


class FakeNames:
    """A kernel with two tracepoints, three functions and one module."""

    formats = {
        ("syscalls", "sys_enter_openat"): OPEN_FORMAT,
        ("sched", "sched_process_exec"): EXEC_FORMAT,
    }
    functions = (("vfs_read", ""), ("vfs_write", ""), ("nft_new", "nf_tables"))

    symbols = {"__per_cpu_offset": 0x5000, "runqueues": 0x100, "avenrun": 0x7000}

    def find_format(self, category: str, event: str) -> str | None:
        return self.formats.get((category, event))

    def iter_tracepoints(self) -> list[tuple[str, str]]:
        return sorted(self.formats)

    def have_function(self, name: str, module: str) -> bool:
        return any(name == known and module in ("", of) for known, of in self.functions)

    def iter_functions(self) -> tuple[tuple[str, str], ...]:
        return self.functions

    def have_module(self, name: str) -> bool:
        return name == "nf_tables"

    def find_address(self, symbol: str) -> int | None:
        return self.symbols.get(symbol)

    def allows_kfunc(self, name: str, kind: ProgType) -> bool:
        return name == "bpf_task_from_pid" and kind == ProgType.KPROBE


def make_target(cpus: int = 2, *, features: tuple[str, ...] = _FEATURES) -> Target:
    return Target("6.12.0", "x86_64", cpus, 4, frozenset(features), FakeFiles(), FakeNames())


def registers(*args: int, returned: int = 0, stack: int = 0x7000) -> bytes:
    """A context: the arguments and the return value of a function where the CPU has them."""
    context = bytearray(ARCH.context_size)
    values = dict(zip(ARCH.user_arguments, args, strict=False))
    values |= {ARCH.return_value: returned, ARCH.stack_pointer: stack}
    for name, value in values.items():
        struct.pack_into("=Q", context, ARCH.register(name).offset, value & (1 << 64) - 1)
    return bytes(context)


class Script:
    """A compiled script and a machine it runs on. The IR is what the printer wrote, parsed again."""

    def __init__(
        self,
        text: str,
        *params: str,
        target: Target | None = None,
        pid: int = 0,
        unsafe: bool = False,
        asked: Asked = NOTHING,
        **options: int,
    ) -> None:
        self.target = target or make_target()
        self.functions: dict[str, Function] = {}
        compiled = compile_script(
            Source("stdin", text),
            self.target,
            params=params,
            pid=pid,
            options=Options(**options),
            unsafe=unsafe,
            asked=asked,
            dump=self._dump,
        )
        self.bundle = compiled.bundle
        self.warnings = compiled.warnings

    @cached_property
    def machine(self) -> InterpMachine:
        return InterpMachine(self.bundle.maps, cpus=self.target.cpus)

    def _dump(self, stage: str, made: Any) -> None:
        if stage == "built":
            check_function(made)
            self.functions[made.name] = parse_function(print_function(made))

    def run(self, program: int = 0, context: bytes = b"", *, cpu: int = 0) -> Script:
        """Run one program (by its place in the script) once."""
        self.machine.cpu = cpu
        names = [p.name for p in self.bundle.programs]
        run(self.functions[names[program]], self.machine, context or bytes(ARCH.context_size))
        return self

    def events(self, ring: str = "data") -> list[tuple[str, tuple[Any, ...]]]:
        """Kind and values of every record that was sent since the last call."""
        layouts = {e.id: e for e in self.bundle.events}
        found = []
        for data in self.machine.consume(ring):
            layout = layouts[struct.unpack_from("=I", data)[0]]
            assert layout.ring == ring
            assert len(data) == layout.size
            fields = [
                compile_value(f.type, FORM)(data[f.offset : f.offset + f.type.size]) for f in layout.fields
            ]
            found.append((layout.kind, tuple(fields)))
        return found

    def values(self) -> list[Any]:
        """The values of every printf and print since the last call, one after another."""
        return [value for _, fields in self.events() for value in fields]

    def variable(self, name: str) -> Variable:
        return next(v for v in self.bundle.variables if v.name == name)

    def __getitem__(self, name: str) -> Any:
        """What `@name` is: a value, a dict where it has keys, None where nothing was written."""
        variable = self.variable(name)
        if variable.offset >= 0:
            return self._in_globals(variable)
        entries = {
            self._decode_key(variable, key): self._decode(variable, copies)
            for key, copies in self.machine.maps[variable.map].items().items()
        }
        return entries if variable.key is not None else next(iter(entries.values()), None)

    def _in_globals(self, variable: Variable) -> Any:
        size = variable.value.size
        data = self._globals()
        copies = self.target.cpus if variable.stride else 1
        starts = [variable.offset + n * variable.stride for n in range(copies)]
        if variable.written >= 0 and not any(
            any(data[s + variable.written : s + variable.written + 8]) for s in starts
        ):
            return None
        return self._decode(variable, [data[s : s + size] for s in starts])

    def _globals(self) -> bytes:
        region = self.machine.maps[GLOBALS].find(bytes(4))
        assert region is not None
        return bytes(region.data)

    def _decode(self, variable: Variable, copies: list[bytes]) -> Any:
        if isinstance(variable.value, Aggregate):
            return compile_merge(variable.value)([c[: variable.value.size] for c in copies])
        return compile_value(variable.value, FORM)(copies[0][: variable.value.size])

    def _decode_key(self, variable: Variable, key: bytes) -> Any:
        if variable.key is None:
            return None
        return compile_value(variable.key, FORM)(key)

    def counter(self, kind: str) -> int:
        """The total of all counters of one kind."""
        data = self._globals()
        return sum(
            struct.unpack_from("=Q", data, c.offset)[0] for c in self.bundle.counters if c.kind == kind
        )

    def set_globals(self, offset: int, value: int) -> None:
        region = self.machine.maps[GLOBALS].find(bytes(4))
        assert region is not None
        struct.pack_into("=Q", region.data, offset, value)


def evaluate(expression: str, *params: str) -> Any:
    """What a script prints for an expression."""
    (value,) = Script(f"begin {{ print({expression}); }}", *params).run().values()
    return value


def errors(text: str, *params: str) -> list[Diagnostic]:
    """What is wrong with a script, which must not compile."""
    try:
        Script(text, *params)
    except SourceError as error:
        return list(error.diagnostics)
    raise AssertionError(f"{text!r} compiles")


def complaints(text: str, *params: str) -> list[tuple[str, str]]:
    """(text that is marked, message) of everything that is wrong with a script."""
    return [(d.span.text if d.span else "", d.message) for d in errors(text, *params)]


def warnings(text: str, *params: str) -> list[tuple[str, str]]:
    """(text that is marked, message) of the warnings of a script that compiles."""
    return [(d.span.text if d.span else "", d.message) for d in Script(text, *params).warnings]
