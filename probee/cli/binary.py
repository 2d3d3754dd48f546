"""Binaries as a person names them on the command line."""

from __future__ import annotations

import os

from ..base.errors import TargetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.files import LiveFiles


def find_binary(files: LiveFiles, name: str) -> str:
    """Absolute path of a file, of a program in PATH or of a library. Raises TargetError."""
    path = os.path.abspath(name) if os.path.isfile(name) else files.find_program(name)
    if path is not None:
        return path
    if os.path.exists(name):
        kind = "a directory" if os.path.isdir(name) else "something that is no file"
        raise TargetError(f"{name}: expected a binary, got {kind}")
    raise TargetError(
        f"{name}: no such file",
        hint=None if "/" in name else "looked here, in PATH, and where libraries are",
    )
