"""The command `probee`: finds out which command it is and imports only that."""

from __future__ import annotations

import errno
import gc
import os
import sys

from ..base.errors import ProbeeError

COMMANDS = {
    "doctor": "probee.cli.doctor",
    "fmt": "probee.cli.fmt",
    "demo": "probee.demo",
    "asm": "probee.cli.asm",
    "disasm": "probee.cli.disasm",
    "cbpf": "probee.cli.cbpf",
    "list": "probee.cli.list",
    "nm": "probee.cli.nm",
    "dwarf": "probee.cli.dwarf",
    "--vm": "probee.cli.vm",
}
"""Name of a command → the module whose `main(arguments)` it is. Whatever else is typed is `trace`."""

INTERRUPTED = 130
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_OBJECTS = 20_000
"""New objects after which Python looks for garbage."""

BPFTRACE = "bpftrace"
"""The name under which probee is bpftrace."""


def main(arguments: list[str] | None = None) -> int:
    """Run `probee` with `arguments` (default: the process's own); the exit status."""
    _fill_descriptors()
    if arguments is None:
        # What start-up makes is no garbage: to look through it every 700 objects takes 2 to 5 ms.
        gc.set_threshold(_OBJECTS)
    try:
        if arguments is None and sys.argv[0].rpartition("/")[2] == BPFTRACE:
            from .bpftrace import main as bpftrace

            status = bpftrace(sys.argv[1:])
            sys.stdout.flush()
            return status
        return _run(sys.argv[1:] if arguments is None else arguments)
    except ProbeeError as error:
        _say("\n".join([error.render(), *getattr(error, "__notes__", ())]))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _give_up_stdout()  # nobody reads what a command printed
    except OSError as error:
        # Of what Python calls files, only standard output is written to without its name in the error.
        if error.filename is not None or error.errno not in _NOT_WRITTEN:
            raise
        _say(f"ERROR: write to stdout: {os.strerror(error.errno)}")
        return _give_up_stdout()


def _run(given: list[str]) -> int:
    status: int
    name = COMMANDS.get(given[0]) if given else None
    if name is None:
        from .trace import main as trace

        status = trace(given)
        sys.stdout.flush()
        return status
    from importlib import import_module

    status = import_module(name).main(given[1:])
    sys.stdout.flush()
    return status


def _give_up_stdout() -> int:
    """Python must not fail again when it flushes at the end; the exit status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 1


def _fill_descriptors() -> None:
    """Open what of 0, 1 and 2 is closed, so that no file or map gets the number of stderr."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)


def _say(message: str) -> None:
    try:
        os.write(2, message.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:
        pass  # nobody can be told
