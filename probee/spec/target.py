"""Facts about the machine a script is compiled for, as data.

Same text and same `Target` give the same bytes. The live one is made by `kernel.survey`; tests
make their own. A compiler asks nothing else.
"""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from ..elf.file import Elf

    class Files(Protocol):
        """The binaries of the target."""

        def find_program(self, name: str) -> str | None:
            """Absolute path of an executable or library by path, PATH or loader cache; or None."""

        def open_elf(self, path: str) -> Elf:
            """The ELF file at an absolute `path`. Raises FormatError, TargetError."""

        def process_exists(self, pid: int) -> bool: ...

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


@record
class Target:
    """A kernel: its release, CPU, number of possible CPUs, instruction level and features.

    `isa` is the eBPF CPU level (1–4) that its verifier takes; `features` are names of
    `kernel.features` that it answered yes to.
    """

    release: str
    machine: str
    cpus: int
    isa: int
    features: frozenset[str]
    files: Files | None = None
    names: Names | None = None
    page_size: int = 4096

    def have(self, feature: str) -> bool:
        return feature in self.features
