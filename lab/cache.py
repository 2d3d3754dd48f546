"""Files that are made once and kept: images, init, initrds, saved machines.

Under `$XDG_CACHE_HOME/probee/guests`. A file's name holds a digest of all it was made of, so that one that
is there is right, and what is out of date is merely never asked for again. Removing the folder is safe.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE_HOME = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
FOLDER = Path(CACHE_HOME, "probee", "guests")


def keep(name: str, make: Callable[[], bytes]) -> Path:
    """The path of the file called `name`, which holds what `make()` gives."""
    path = FOLDER / name
    if not path.exists():
        contents = make()
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{name}.{os.getpid()}")
        unfinished.write_bytes(contents)
        unfinished.rename(path)
    return path


def digest(*what: object) -> str:
    """A name for values whose `repr` says all about them."""
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def mark(path: Path) -> tuple[str, int, int]:
    """What tells this version of a file from the next."""
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns
