"""What an output asks of the running system: names of users, files, commands, the clock."""

from __future__ import annotations

import os
import time

from ..render.output import Context


def make_context(*, warnings: bool = True) -> Context:
    """The facts of this system. `warnings`: what a script's warnf() says is shown."""
    return Context(
        boot_offset(),
        find_user,
        time.time_ns,
        read_file=read_file,
        run_command=run_command,
        warnings=warnings,
        machine=os.uname().machine,
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


def read_file(path: bytes, limit: int) -> bytes:
    """The first `limit` bytes of a file. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(limit)


def run_command(command: bytes) -> bytes:
    """Run a command of the shell; what it wrote to its standard output."""
    import subprocess

    return subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=False).stdout
