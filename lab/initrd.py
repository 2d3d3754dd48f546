"""What a guest boots from: init, and the modules without which it has no port and no root."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from probee.base.errors import TargetError

from .cache import digest, keep, mark
from .kernel import Kernel, read_modules

SOURCE = Path(__file__).with_name("init.c")

NEEDED = ("virtio_pci", "virtio_console", "overlay", "9pnet_virtio", "9p")
"""Modules of every guest."""

_FILE, _PROGRAM, _FOLDER = 0o100644, 0o100755, 0o040755


def make_initrd(kernel: Kernel, modules: list[str]) -> Path:
    """The initrd of a guest that loads `modules`, too, before anything else."""
    init = keep(f"init-{digest(mark(SOURCE))}", _compile_init)
    wanted = [*NEEDED, *modules]

    def make() -> bytes:
        loaded = read_modules(kernel, wanted)
        files = [(f"modules/{i:03d}-{name}.ko", _FILE, data) for i, (name, data) in enumerate(loaded)]
        return encode_cpio([("init", _PROGRAM, init.read_bytes()), ("modules", _FOLDER, b""), *files])

    return keep(f"initrd-{digest(mark(kernel.image), wanted, mark(init))}", make)


def encode_cpio(entries: list[tuple[str, int, bytes]]) -> bytes:
    """An archive of (name, mode, contents): Documentation/driver-api/early-userspace/buffer-format.rst."""
    parts = []
    for number, (name, mode, contents) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        # inode, mode, uid, gid, links, mtime, size, four device numbers, size of the name, checksum
        fields = (number, mode, 0, 0, 1, 0, len(contents), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        parts += [head, bytes(-len(head) % 4), contents, bytes(-len(contents) % 4)]
    return b"".join(parts)


def _compile_init() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        init = Path(folder, "init")
        command = ["cc", "-O2", "-Wall", "-Wno-unused-result", "-static", "-o", str(init), str(SOURCE)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            hint = "apt-get install -y --no-install-recommends gcc libc6-dev"
            raise TargetError("the guests' init is compiled by cc, which is not here", hint=hint) from None
        if done.returncode != 0:
            raise TargetError(f"{SOURCE}: cc ended with {done.returncode}: {done.stderr}")
        return init.read_bytes()
