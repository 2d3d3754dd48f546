"""What host and guest say to each other: frames, and the orders that the first of them holds. See init.c."""

from __future__ import annotations

import os
import shutil
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .kernel import Kernel

BOOTED, STARTS, STDOUT, STDERR, END = b"b", b"r", b"o", b"e", b"x"
ORDERS, STDIN = b"c", b"i"

_HEAD = struct.Struct("<cI")

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
"""What a command's environment has before it is told more."""


@dataclass
class Job:
    """A command, and what it is to find: `bind` are pairs of paths, of the host and of the guest."""

    command: list[str]
    cwd: str = field(default_factory=os.getcwd)
    environment: dict[str, str] = field(default_factory=dict)
    bind: list[tuple[str, str]] = field(default_factory=list)
    writable: Path | None = None


class Frames:
    """Bytes as they come in → frames."""

    def __init__(self) -> None:
        self._rest = b""

    def parse(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """(kind, data) of every frame that is whole now."""
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            kind, size = _HEAD.unpack_from(self._rest)
            if len(self._rest) < _HEAD.size + size:
                return
            whole, self._rest = self._rest[: _HEAD.size + size], self._rest[_HEAD.size + size :]
            yield kind, whole[_HEAD.size :]


def encode_frame(kind: bytes, data: bytes) -> bytes:
    return _HEAD.pack(kind, len(data)) + data


def encode_orders(job: Job, kernel: Kernel) -> bytes:
    """The frame that has a booted guest do `job`: in the order that init.c keeps where it matters."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    orders = [
        f"T{seconds}.{nanoseconds:09}",
        "R" + os.urandom(32).hex(),
        "C" + job.cwd,
        *("A" + argument for argument in job.command),
        *(f"E{name}={value}" for name, value in {**ENVIRONMENT, **job.environment}.items()),
        *(f"B{source}\n{target}" for source, target in [*_kernel_files(kernel), *job.bind]),
    ]
    if job.writable:
        orders.append(f"W{job.writable.resolve()}")
    modprobe = shutil.which("modprobe", path="/sbin:/usr/sbin")
    if modprobe and kernel.modules.joinpath("modules.dep").exists():
        orders.append("P" + modprobe)  # the kernel loads modules by itself then
    return encode_frame(ORDERS, b"".join(os.fsencode(order) + b"\0" for order in orders))


def _kernel_files(kernel: Kernel) -> Iterator[tuple[str, str]]:
    """The kernel's own files, where a system that runs it has them."""
    yield str(kernel.modules), f"/lib/modules/{kernel.release}"
    for path in kernel.folder.glob(f"boot/*-{kernel.release}"):
        yield str(path), f"/boot/{path.name}"
    config = kernel.modules / "config"
    if config.exists():
        yield str(config), f"/boot/config-{kernel.release}"
