"""Machines that have booted already: saved once for a kernel and its settings, started in a second.

What is saved is a guest that waits for its orders, with nothing mounted: about 100 MB.
"""

from __future__ import annotations

import os
import shlex
import time
from typing import TYPE_CHECKING

from probee.base.errors import TargetError

from .cache import FOLDER, digest, mark
from .machine import Machine, find_qemu
from .wire import BOOTED

if TYPE_CHECKING:
    from pathlib import Path

    from .kernel import Kernel

MOST = 8
"""Saved machines that are kept; those that were used longest ago go."""

_BANDWIDTH = 1 << 40


def find_snapshot(command: list[str], kernel: Kernel) -> Path:
    """Where the machine of `command` is saved, or will be."""
    # Where a writable folder lies on the host is nothing that a booted machine knows.
    known = [part for part in command if not part.startswith("local,id=out,")]
    return FOLDER / f"snapshot-{digest(known, mark(kernel.image), mark(find_qemu()))}"


def make_snapshot(path: Path, command: list[str], console: Path, seconds: float) -> None:
    """Boot the machine of `command` and save it at `path`. Raises TargetError if that fails."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with Machine(command, console) as machine:
        try:
            if not machine.wait_frame(BOOTED, seconds):
                raise TargetError(f"the guest did not boot in {seconds:.0f} s:\n{machine.read_last_words()}")
            _save(machine, unfinished)
        except EOFError:
            raise TargetError(f"the guest ended while it booted:\n{machine.read_last_words()}") from None
        else:
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    kept = sorted(FOLDER.glob("snapshot-*"), key=lambda file: file.stat().st_atime, reverse=True)
    for old in kept[MOST:]:
        old.unlink(missing_ok=True)


def _save(machine: Machine, path: Path) -> None:
    machine.ask("qmp_capabilities")
    machine.ask("migrate-set-parameters", **{"max-bandwidth": _BANDWIDTH})
    machine.ask("migrate", uri=f"exec:cat > {shlex.quote(str(path))}")
    while (status := machine.ask("query-migrate").get("status")) != "completed":
        if status in ("failed", "cancelled"):
            raise TargetError("QEMU could not save the booted machine", hint="--cold does without")
        time.sleep(0.02)
