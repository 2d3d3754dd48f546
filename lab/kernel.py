"""A kernel's files, as Debian's packages have them: image and modules, under a folder of its own.

Kernels stand in `$PROBEE_GUEST_KERNELS` (else with the other kept files), in folders named like `6.1`.
"""

from __future__ import annotations

import lzma
import os
import re
import struct
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from probee.base.errors import TargetError

from .cache import FOLDER, digest, keep, mark

KERNELS = Path(os.environ.get("PROBEE_GUEST_KERNELS") or FOLDER / "kernels")

# Offsets in the boot header, from Documentation/arch/x86/boot.rst.
_SETUP_SECTS = 0x1F1
_PAYLOAD_OFFSET = 0x248


@dataclass(frozen=True)
class Kernel:
    """`modules` is `lib/modules/RELEASE`; `image` the file that a boot loader would load."""

    folder: Path
    release: str
    modules: Path
    image: Path


def open_kernel(name: str) -> Kernel:
    """The kernel called `name` (`6.1`), or that in the folder `name` (`./6.1`, with a slash).

    Raises TargetError where there is none.
    """
    folder = (Path(name) if "/" in name else KERNELS / name).resolve()
    found = sorted(folder.glob("lib/modules/*/kernel")) or sorted(folder.glob("usr/lib/modules/*/kernel"))
    if not found:
        hint = "scripts/guest-kernel SUITE fetches one, scripts/guest-kernel --help says which there are"
        raise TargetError(f"{folder}: expected lib/modules/*/kernel, got none", hint=hint)
    modules = found[-1].parent.resolve()
    for image in (folder / "boot" / f"vmlinuz-{modules.name}", modules / "vmlinuz"):
        if image.exists():
            return Kernel(folder, modules.name, modules, image)
    raise TargetError(f"{folder}: expected boot/vmlinuz-{modules.name}, got none")


def unpack_image(kernel: Kernel) -> Path:
    """The ELF file inside the image, which QEMU boots by its PVH note.

    Unpacking itself, xz above all, takes a guest ten seconds.
    """

    def unpack() -> bytes:
        image = kernel.image.read_bytes()
        offset, size = struct.unpack_from("<II", image, _PAYLOAD_OFFSET)
        start = ((image[_SETUP_SECTS] or 4) + 1) * 512 + offset
        payload = decompress(image[start : start + size])
        return payload if payload.startswith(b"\x7fELF") else image

    return keep(f"vmlinux-{digest(mark(kernel.image))}", unpack)


def read_modules(kernel: Kernel, names: list[str]) -> list[tuple[str, bytes]]:
    """Name and bytes of each module of `names` and of all that they depend on, in the order to load them.

    Those that are built in are left out. Raises TargetError for a name that is none.
    """
    paths = {_plain(path): path for path in kernel.modules.joinpath("kernel").rglob("*.ko*")}
    listed = kernel.modules / "modules.builtin"
    builtin = {_plain(Path(line)) for line in listed.read_text().splitlines()} if listed.exists() else set()
    modules: dict[str, bytes] = {}

    def add(name: str) -> None:
        name = name.replace("-", "_")
        if name in builtin or name in modules:
            return
        if name not in paths:
            raise TargetError(f"kernel {kernel.release} has no module {name}")
        contents = decompress(paths[name].read_bytes())
        depends = re.search(rb"\0depends=([^\0]+)\0", contents)
        for needed in depends[1].decode().split(",") if depends else []:
            add(needed)
        modules[name] = contents

    for name in names:
        add(name)
    return list(modules.items())


def _plain(path: Path) -> str:
    """A module's own name, by its file's."""
    return path.name.split(".ko")[0].replace("-", "_")


def decompress(data: bytes) -> bytes:
    """What xz, gzip, zstd or lz4 made `data` of, without what lies behind it; other data as it is."""
    if data.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data)
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _filter("zstd", data)
    if data.startswith(b"\x02\x21\x4c\x18"):
        return _filter("lz4", data)
    return data


def _filter(program: str, data: bytes) -> bytes:
    # Its exit status says something about the padding behind the data, so it is not looked at.
    command = [program, "-dc"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False)
    except FileNotFoundError:
        hint = f"apt-get install -y --no-install-recommends {program}"
        raise TargetError(f"the kernel is packed by {program}, which is not here", hint=hint) from None
    return done.stdout
