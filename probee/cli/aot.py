"""`--aot FILE`: a script as a command of its own.

The command is the script behind a `#!` line that names this probee. It is compiled where it is run, for
the kernel that is there, and kept compiled; its options and parameters are given when it is run.
"""

from __future__ import annotations

import os
import sys

from ..base.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Source
    from .options import Options

_LONGEST = 255
"""Bytes of a first line that every kernel reads."""


def write_command(source: Source, options: Options) -> None:
    """Write the command. Raises UsageError."""
    line = _first_line(options)
    text = source.text
    if text.startswith("#!"):
        text = text.partition("\n")[2]
    try:
        fd = os.open(options.aot, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o777)
        with open(fd, "wb") as file:
            file.write(f"{line}\n{text.rstrip()}\n".encode("utf-8", "surrogateescape"))
        os.chmod(options.aot, os.stat(options.aot).st_mode | 0o111)
    except OSError as error:
        raise UsageError(f"{options.aot}: {os.strerror(error.errno or 0)}") from None


def _first_line(options: Options) -> str:
    words = [os.path.abspath(sys.argv[0])]
    if os.path.basename(words[0]) == "__main__.py":
        words = [sys.executable, "-m", "probee"]
    words += ["--unsafe"] if options.unsafe else []
    words += ["-f", options.format] if options.format != "text" else []
    if any(" " in word for word in words):
        raise UsageError(f"--aot: {words[0]!r} has a space in it, which a first line can't have")
    line = f"#!{words[0]}" if len(words) == 1 else f"#!/usr/bin/env -S {' '.join(words)}"
    if len(line) > _LONGEST:
        raise UsageError(f"--aot: {words[0]!r} is too long for a first line")
    return line
