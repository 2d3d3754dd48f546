"""Facts about the machine a script is compiled for, as data.

Same text and same `Target` give the same bytes. The live one is made by `kernel.survey`; tests
make their own. A compiler asks nothing else.
"""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from ..ctype.types import CType, Enum, Func
    from ..elf.file import Elf, Image
    from .abi import ProgType

    class Kept(Protocol):
        """What is kept between runs of debug information, by build id: inflated sections, by name and size,
        and places of functions, by address: unit, and place in it."""

        def find(self, build_id: bytes, name: str, size: int) -> Image | None:
            """The first bytes of a section, as many as are kept; or None."""

        def keep(self, build_id: bytes, name: str, size: int, data: bytes | bytearray) -> None:
            """Keep the first bytes of a section."""

        def watch(self, keep: Callable[[], None]) -> None:
            """Call `keep`, which keeps a section, when all that is needed of it has been inflated."""

        def find_place(self, build_id: bytes, address: int) -> tuple[int, int] | None: ...
        def keep_place(self, build_id: bytes, address: int, place: tuple[int, int]) -> None: ...

    class Files(Protocol):
        """The binaries of the target. `debug_roots`: folders of debug files beside the usual ones."""

        @property
        def debug_roots(self) -> tuple[str, ...]: ...

        def find_program(self, name: str) -> str | None:
            """Absolute path of an executable or library by path, PATH or loader cache; or None."""

        def open_elf(self, path: str) -> Elf:
            """The ELF file at an absolute `path`. Raises FormatError, TargetError."""

        def fetch_debug(self, build_id: bytes) -> str | None:
            """Path of the debug file of a build id from a server, None where none has it."""

        @property
        def inflated(self) -> Kept | None:
            """What is kept of debug information between runs, None for nothing."""

        def match_files(self, glob: str) -> list[str]:
            """Absolute paths of the ELF files whose paths match, in order, each file once."""

        def find_mapped(self, pid: int) -> list[str]:
            """Paths of the files whose code a process maps, as it sees them. Raises TargetError."""

        def find_running(self) -> list[str]:
            """Paths of the files whose code any process maps, each once, as this process can open them."""

        def root_of(self, pid: int) -> str:
            """What to put before the paths of a process to make them ours; "" where it sees our files."""

        def demangle(self, name: str) -> str:
            """What a mangled name of C++ or Rust stands for, other names as they are."""

        def process_exists(self, pid: int) -> bool: ...

        def find_imports(self, path: str) -> tuple[str, ...] | None:
            """`path` itself if it is a file, of a folder the files in it, in order; None where nothing is.
            Raises TargetError where anybody may write."""

        def read_header(self, path: str) -> str | None:
            """The text of a header of C, or of a script, or None. A path that is not absolute is one of the
            current folder."""

        def find_cgroup(self, path: str) -> int | None:
            """The id of the cgroup at `path`, None where there is none."""

    class Names(Protocol):
        """What there is to trace in the target's kernel."""

        def find_format(self, category: str, event: str) -> str | None:
            """tracefs's description of a tracepoint, or None. Raises FeatureError without tracefs."""

        def iter_tracepoints(self) -> Iterable[tuple[str, str]]:
            """(category, event) of every tracepoint, in order. Raises FeatureError without tracefs."""

        def have_function(self, name: str, module: str) -> bool:
            """Whether the kernel, or a module that is named, has a function `name`."""

        def iter_functions(self) -> Iterable[tuple[str, str]]:
            """(name, module) of every function that can be traced; the kernel itself is ""."""

        def have_module(self, name: str) -> bool: ...

        def allows_kfunc(self, name: str, kind: ProgType) -> bool:
            """Whether programs of a kind may call the kernel's function `name`."""

        def find_address(self, symbol: str) -> int | None:
            """Where the kernel has `symbol`, or None. Raises FeatureError where addresses are kept back."""

    class Types(Protocol):
        """The types of the target's kernel and its modules, each looked up when it is asked for.

        A kernel without type information knows none. All raise FormatError where it is malformed.
        """

        @property
        def missing(self) -> str:
            """Why this kernel has no types at all; "" when it has."""

        def find_type(self, kind: str, name: str) -> CType | None:
            """A type by C's own word for its kind ("struct", "union", "enum", "typedef"), or None."""

        def find_enum(self, constant: str) -> Enum | None:
            """The first enum that has the constant, or None."""

        def find_function(self, name: str, module: str = "") -> Func | None:
            """A function's prototype with the names of its parameters, or None. `module`: only there."""

        def find_event(self, name: str, module: str = "") -> Func | None:
            """What programs at the tracepoint `name` get, as the parameters of a function, or None. Those
            without names are of a kernel that doesn't tell them."""

        def find_variable(self, name: str) -> CType | None:
            """The type of a global variable, per-CPU variables among them, or None."""

        def iter_types(self) -> Iterable[tuple[str, str]]:
            """Kind and name of every struct, union and enum that has a name."""


@record
class Target:
    """A kernel: its release, CPU, number of possible CPUs, instruction level and features.

    `isa` is the eBPF CPU level (1–4) that its verifier takes; `features` are names of
    `kernel.features` that it answered yes to. `pid_namespace`: device and inode of the namespace of process
    ids that the tracer is in; None is the first one.
    """

    release: str
    machine: str
    cpus: int
    isa: int
    features: frozenset[str]
    files: Files | None = None
    names: Names | None = None
    types: Types | None = None
    page_size: int = 4096
    pid_namespace: tuple[int, int] | None = None

    def have(self, feature: str) -> bool:
        return feature in self.features
