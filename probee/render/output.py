"""What a session asks of an output, and the facts that an output needs to be told.

Nothing in this folder asks the system anything: clocks and names are handed in.
"""

from __future__ import annotations

import errno
import os

from ..base.record import record
from ..events.decode import no_symbols

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from ..base.source import Span
    from ..ctype.types import CType
    from ..events.batch import Batch
    from ..events.decode import Form
    from ..spec.bundle import Variable
    from ..symbols.frame import Symbols

    class Output(Protocol):
        """Where a session's results go. Every method may raise what `Sink.write` raises."""

        form: Form
        """In which form `map` and `value` want values: what variables are to be opened with."""

        def events(self, batch: Batch) -> None:
            """Records of any kind that is printed or asks for something to be printed: "printf",
            "print_value", "errorf", "warnf", "cat", "join", "system"."""

        def map(
            self, variable: Variable, entries: Any, top: int = 0, div: int = 0, *percentiles: int
        ) -> None:
            """A variable as its reader gave it, in this output's `form`.

            Keyed: only the last `top` entries in ascending order, all when 0; numbers are divided
            by `div`. Without keys, None prints the zero value: a `print` does that, while the dump
            at the end leaves out variables that were never written. `percentiles`, in thousandths of a
            percent, are shown of histograms.
            """

        def value(self, type: CType, value: Any) -> None:
            """One value, in this output's `form`."""

        def time(self, format: str) -> None:
            """The time of day, by the context's clock, as strftime's `format` has it."""

        def attached(self, count: int) -> None:
            """So many probes are attached."""

        def lost(self, count: int) -> None:
            """So many more events were lost."""

        def warning(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
            """Something that happened while running, at a place of the script."""

        def failure(self, message: str, helper: str, result: int, span: Span | None = None) -> None:
            """A function of the kernel gave `result` to a program, at a place of the script."""

        def end(self) -> None:
            """All probes have ended; what remains are the maps."""

        def flush(self) -> None:
            """Write what is still held back."""


def _name_unknown(_: int) -> str | None:
    return None


def _path_unknown(_id: int, _filter: str) -> bytes:
    return b""


def _clock_unset() -> int:
    return 0


def _file_unknown(path: bytes, limit: int) -> bytes:
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def never() -> bool:
    """False."""
    return False


def _command_unknown(command: bytes) -> bytes:
    return b""


@record
class Context:
    """Facts of the machine that is traced.

    `boot_offset`: what to add to the boot clock to have the time since 1970, in nanoseconds.
    `username`: the name of a user id, or None. `clock`: nanoseconds since 1970 now. `trailer`:
    follows text that was cut. `read_file`: the first bytes of a file, so many at most; raises OSError.
    `run_command`: what a shell's command writes to its standard output. `warnings`: what warnf() says is
    shown. `machine`: the CPU by `uname -m`, whose system calls have names. `symbols` gives who names
    addresses. `is_over`: the end was asked for, after which no command is run any more.
    `cgroup_path`: where a cgroup is, by its id, in the hierarchies that match a pattern.
    """

    boot_offset: int = 0
    username: Callable[[int], str | None] = _name_unknown
    clock: Callable[[], int] = _clock_unset
    trailer: bytes = b".."
    read_file: Callable[[bytes, int], bytes] = _file_unknown
    run_command: Callable[[bytes], bytes] = _command_unknown
    warnings: bool = True
    machine: str = ""
    cgroup_path: Callable[[int, str], bytes] = _path_unknown
    symbols: Callable[[], Symbols] = no_symbols
    is_over: Callable[[], bool] = never
