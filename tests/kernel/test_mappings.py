"""The kernel's records of what a command maps, from its first instruction to its end."""

from __future__ import annotations

import os
import sys

import pytest

from probee.kernel.mappings import Executed, Exited, Forked, Mapped, Watch
from probee.kernel.proc import spawn

pytestmark = [pytest.mark.needs("root")]


def run(*command: str) -> tuple[int, list[object]]:
    """The process id of a command, and what changed while it ran."""
    child = spawn(list(command))
    with child, Watch(child.pid) as watch:
        assert watch.is_open
        assert watch.read() == []
        child.go()
        assert child.wait(20) == 0
        changes: list[object] = list(watch.read())
        assert watch.read() == []
        assert watch.lost == 0
        return child.pid, changes


def test_what_the_loader_maps() -> None:
    pid, changes = run(sys.executable, "-c", "import _ctypes")
    mapped = [change for change in changes if isinstance(change, Mapped) and change.path.startswith("/")]
    (library,) = [change for change in mapped if os.path.basename(change.path).startswith("_ctypes.")]
    assert library.pid == pid
    assert library.inode == os.stat(library.path).st_ino
    assert library.start < library.end
    assert any("libc.so" in change.path for change in mapped)
    assert changes[-1] == Exited(pid)


def test_children_are_watched_too() -> None:
    script = "import os, sys\nif not os.fork(): os.execv('/bin/true', ['true'])\nos.wait()"
    pid, changes = run(sys.executable, "-c", script)
    (fork,) = [change for change in changes if isinstance(change, Forked)]
    assert fork.parent == pid
    mine = [change for change in changes if getattr(change, "pid", 0) == fork.pid]
    at = mine.index(Executed(fork.pid))
    after = [os.path.basename(change.path) for change in mine[at:] if isinstance(change, Mapped)]
    assert "true" in after
    assert Exited(fork.pid) in mine


def test_nothing_is_watched_after_the_end() -> None:
    watch = Watch(os.getpid())
    fds = watch.fds
    watch.close()
    watch.close()
    assert fds
    assert (watch.fds, watch.is_open, watch.read()) == ([], False, [])
