"""Compiled scripts, kept between runs: a script that was run before compiles nothing.

What is kept holds for the same text, parameters, kernel, probee and Python, and as long as every file
that the compiler looked at is as it was. A cache that can't be used, for whatever reason, is done without.
"""

from __future__ import annotations

import os
import sys
from binascii import crc32

from . import __version__
from .base.record import replace
from .spec.asked import NOTHING
from .spec.bundle import Compiled, PerfLink, UprobeLink, WatchLink
from .spec.store import encode_stored, parse_stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .base.source import Source
    from .spec.asked import Asked
    from .spec.bundle import Link
    from .spec.target import Target

    Key = tuple[object, ...]

_MOST = 256
"""Scripts that are kept; when there are more, the older half goes."""

_ENDING = ".script"
_COMPILER = (
    "base",
    "bt",
    "codegen",
    "ctype",
    "funcs",
    "ir",
    "probes",
    "usdt",
    "dwarf",
    "elf",
    "arch",
    "isa",
    "btf",
    "spec",
)


class Cache:
    """Compiled scripts in `folder`, which must belong to this user alone."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find(self, key: Key, pid: int, holds: Callable[[Any], bool]) -> Compiled | None:
        """What was kept under `key`, for process `pid`, if its evidence still `holds`."""
        path = self._path(key)
        if path is None:
            return None
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            return None
        kept = parse_stored(__version__, data)
        if kept is None or kept[0] != key or not holds(kept[1]):
            return None
        compiled: Compiled = kept[2]
        links = tuple([_aim(link, pid) for link in compiled.bundle.links])
        return replace(compiled, bundle=replace(compiled.bundle, links=links))

    def keep(self, key: Key, evidence: tuple[object, ...], compiled: Compiled) -> None:
        """Keep `compiled`, which is true as long as `evidence` is."""
        path = self._path(key)
        if path is None:
            return
        data = encode_stored(__version__, (key, evidence, compiled))
        scratch = f"{path}.{os.getpid()}"
        try:
            fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(data)
            os.replace(scratch, path)
            self._prune()
        except OSError:
            if os.path.exists(scratch):
                os.unlink(scratch)

    def _path(self, key: Key) -> str | None:
        """The file for `key`; None where there is no folder that only this user can write."""
        if sys.dont_write_bytecode:
            return None  # then nothing shows that probee itself has changed
        try:
            os.makedirs(self._folder, 0o700, exist_ok=True)
            facts = os.stat(self._folder)
        except OSError:
            return None
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
            return None
        return os.path.join(self._folder, f"{crc32(repr(key).encode()):08x}{_ENDING}")

    def _prune(self) -> None:
        names = [name for name in os.listdir(self._folder) if name.endswith(_ENDING)]
        if len(names) > _MOST:
            paths = sorted([os.path.join(self._folder, name) for name in names], key=os.path.getmtime)
            for path in paths[: _MOST // 2]:
                os.unlink(path)


def make_key(
    source: Source,
    params: tuple[str, ...],
    pid: int,
    target: Target,
    unsafe: bool = False,
    asked: Asked = NOTHING,
) -> Key:
    """All that a bundle depends on but files: of `pid`, whether there is one and whose files it sees."""
    root = target.files.root_of(pid) if pid and target.files is not None else ""
    features = tuple(sorted(target.features))
    facts = (target.release, target.machine, target.cpus, target.isa, features, target.pid_namespace)
    return (source.name, source.text, params, pid > 0, root, unsafe, repr(asked), facts, _fingerprint())


def _fingerprint() -> tuple[int, ...]:
    """Changes when probee's own code does: Python writes what it compiles anew into these folders."""
    home = os.path.dirname(__file__)
    marks = []
    for name in _COMPILER:
        try:
            marks.append(os.stat(os.path.join(home, name, "__pycache__")).st_mtime_ns)
        except OSError:
            marks.append(0)
    return tuple(marks)


def _aim(link: Link, pid: int) -> Link:
    return replace(link, pid=pid) if isinstance(link, (UprobeLink, PerfLink, WatchLink)) else link
