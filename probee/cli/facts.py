"""What an output asks of the running system: names of users, files, commands, the clock."""

from __future__ import annotations

import os
import time

from ..events.decode import no_symbols
from ..render.output import Context, never

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..symbols.frame import Symbols


def make_context(
    symbols: Callable[[], Symbols] = no_symbols,
    *,
    warnings: bool = True,
    config: Mapping[str, str | int] | None = None,
    is_over: Callable[[], bool] = never,
) -> Context:
    """The facts of this system. `symbols` gives who names addresses; `warnings`: what a script's warnf() says
    is shown; `config` are settings by name; `is_over`: the end was asked for."""
    trailer = str((config or {}).get("str_trunc_trailer", ".."))
    return Context(
        boot_offset(),
        find_user,
        time.time_ns,
        trailer.encode("utf-8", "surrogateescape"),
        read_file=read_file,
        run_command=run_command,
        warnings=warnings,
        machine=os.uname().machine,
        symbols=symbols,
        is_over=is_over,
        cgroup_path=find_cgroup_path,
    )


def boot_offset() -> int:
    """Nanoseconds from the start of the boot clock back to 1970."""
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def find_user(uid: int) -> str | None:
    """The name of a user, or None."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def find_cgroup_path(number: int, pattern: str) -> bytes:
    """Where a cgroup is, by its id, in the hierarchies whose names match `pattern`."""
    from ..kernel.cgroups import find_paths

    return find_paths(number, pattern)


def read_file(path: bytes, limit: int) -> bytes:
    """The first `limit` bytes of a file. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(limit)


def run_command(command: bytes) -> bytes:
    """Run a command of the shell; what it wrote to its standard output."""
    import subprocess

    return subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=False).stdout
