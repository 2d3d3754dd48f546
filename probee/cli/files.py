"""Command lines and files, as the commands that turn one file into another read and write them."""

from __future__ import annotations

import getopt
import os
import sys

from ..base.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_words(
    arguments: list[str], short: str, usage: str, long: Sequence[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Options and words of a command line; --help is -h where that is known. Raises UsageError."""
    known = {*long, "help"} if "h" in short else long
    try:
        options, words = getopt.gnu_getopt(arguments, short, sorted(known))
    except getopt.GetoptError as error:
        raise UsageError(str(error), hint=usage.splitlines()[1].strip()) from None
    return {"-h" if name == "--help" else name: value for name, value in options}, words


def read_input(words: Sequence[str]) -> tuple[str, bytes]:
    """The name and the bytes of the only word's file; standard input for `-` or no word."""
    if len(words) > 1:
        raise UsageError(f"expected one file, got {len(words)}")
    if not words or words[0] == "-":
        return "stdin", sys.stdin.buffer.read()
    try:
        with open(words[0], "rb") as file:
            return words[0], file.read()
    except OSError as error:
        raise UsageError(f"{words[0]}: {os.strerror(error.errno or 0)}") from None


def read_text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name}: expected text, got byte {data[error.start]:#04x} at {error.start}"
        ) from None


def write_output(path: str | None, data: bytes) -> None:
    """To a file, or to standard output."""
    if path is None:
        sys.stdout.buffer.write(data)
        return
    try:
        with open(path, "wb") as file:
            file.write(data)
    except OSError as error:
        raise UsageError(f"{path}: {os.strerror(error.errno or 0)}") from None


def unknown_form(form: str, known: Sequence[str]) -> UsageError:
    return UsageError(f"unknown form {form!r}", hint=f"one of {', '.join(known)}")
