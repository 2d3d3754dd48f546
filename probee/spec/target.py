"""Facts about the machine a script is compiled for, as data.

Same text and same `Target` give the same bytes. The live one is made by `kernel.survey`; tests
make their own. A compiler asks nothing else.
"""

from __future__ import annotations

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..elf.file import Elf

    class Files(Protocol):
        """The binaries of the target."""

        def find_program(self, name: str) -> str | None:
            """Absolute path of an executable or library by path, PATH or loader cache; or None."""

        def open_elf(self, path: str) -> Elf:
            """The ELF file at an absolute `path`. Raises FormatError, TargetError."""

        def process_exists(self, pid: int) -> bool: ...


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
    page_size: int = 4096

    def have(self, feature: str) -> bool:
        return feature in self.features
