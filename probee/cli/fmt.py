"""`probee fmt`: scripts in canonical form, on standard output, in place, or only looked at."""

from __future__ import annotations

import os
import sys

from ..base.errors import UsageError
from ..base.source import Source
from .files import parse_words, read_input

USAGE = """\
USAGE:
    probee fmt [-i | --check | --diff] [FILE ...]

Prints scripts in canonical form; standard input for no FILE, or for -. Comments stay.

-i, --in-place: write it back into each FILE that is not in that form, and name those.
--check: print nothing, name each FILE that is not in that form; the status is 1 if there is one.
--diff: print what would change; the status is 1 if anything would.
"""

_MODES = {"-i": "in-place", "--in-place": "in-place", "--check": "check", "--diff": "diff"}


def main(arguments: list[str]) -> int:
    """Run the command; the exit status. Raises ProbeeError."""
    options, words = parse_words(arguments, "ih", USAGE, ("in-place", "check", "diff"))
    if "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    modes = {_MODES[name] for name in options}
    if len(modes) > 1:
        raise UsageError(f"--{' and --'.join(sorted(modes))} can't be used together")
    mode = modes.pop() if modes else ""
    if mode == "in-place" and not words:
        raise UsageError("expected a FILE to write to, got nothing")
    changed = [name for name in words or ["-"] if _format(name, mode)]
    return 1 if changed and mode in ("check", "diff") else 0


def print_formatted(source: Source, path: str = "") -> int:
    """Print a script in canonical form, or replace the file `path` by it; the exit status.

    Raises SourceError for text that is no script, UsageError for a file that can't be written.
    """
    from ..bt.format import format_script

    text = format_script(source)
    if path:
        _replace(path, text)
    else:
        _write(text)
    return 0


def _format(name: str, mode: str) -> bool:
    """Do as asked with one file; whether it is not in canonical form."""
    from ..bt.format import format_script

    shown, data = read_input([name])
    before = data.decode("utf-8", "surrogateescape")
    after = format_script(Source(shown, before))
    if not mode:
        _write(after)
    elif before == after:
        return False
    elif mode == "diff":
        from difflib import unified_diff

        lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
        _write("".join(unified_diff(*lines, shown, shown)))
    else:
        if mode == "in-place":
            _replace(name, after)
        sys.stdout.write(f"{shown}\n")
    return before != after


def _replace(path: str, text: str) -> None:
    """Put `text` in the place of a file at once, so that nobody sees half of it. Its permissions stay."""
    scratch = f"{path}.{os.getpid()}"
    try:
        mode = os.stat(path).st_mode & 0o7777 if os.path.exists(path) else 0o666
        fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(fd, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
        os.replace(scratch, os.path.realpath(path))
    except OSError as error:
        if os.path.exists(scratch):
            os.unlink(scratch)
        raise UsageError(f"{path}: {os.strerror(error.errno or 0)}") from None


def _write(text: str) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
