"""Where the separate debug file of a stripped binary may be, and whether a file is the one.

Sections `.gnu_debuglink` (file name and CRC-32) and `.gnu_debugaltlink` (dwz's shared file), and the build
id, as in GDB's manual, "Debugging Information in Separate Files". Paths only: callers open the files.
"""

from __future__ import annotations

import os
import struct

from ..base.bits import align_up
from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .file import Elf

DEBUG_ROOTS = ("/usr/lib/debug",)


@record
class DebugLink:
    """Name of the debug file, without a folder, and the CRC-32 of its bytes."""

    name: str
    crc: int


@record
class AltLink:
    """Name of the file that dwz moved common entries to, absolute or beside this file, and its build id."""

    name: str
    build_id: bytes


def parse_debug_link(elf: Elf) -> DebugLink | None:
    """The debug link of `elf`, or None when it has none."""
    section = elf.find_section(".gnu_debuglink")
    if section is None:
        return None
    data = elf.contents(section)
    end = data.find(b"\0")
    crc_at = align_up(end + 1, 4)
    if end <= 0 or crc_at + 4 > len(data):
        raise elf.error("expected a file name and a CRC", section=section.name)
    name = data[:end].decode("utf-8", "surrogateescape")
    if "/" in name:
        raise elf.error(f"expected a file name without a folder, got {name!r}", section=section.name)
    (crc,) = struct.unpack_from(elf.order + "I", data, crc_at)
    return DebugLink(name, crc)


def parse_alt_link(elf: Elf) -> AltLink | None:
    """The link of `elf` (usually a debug file) to dwz's shared file, or None when it has none."""
    section = elf.find_section(".gnu_debugaltlink")
    if section is None:
        return None
    name, nul, build_id = elf.contents(section).partition(b"\0")
    if not name or not nul or not build_id:
        raise elf.error("expected a file name and a build id", section=section.name)
    return AltLink(name.decode("utf-8", "surrogateescape"), build_id)


def debug_paths(elf: Elf, roots: Sequence[str] = DEBUG_ROOTS, given: Sequence[str] = ()) -> list[str]:
    """Where the debug file of `elf` may be, the likeliest first. `elf.path` must be absolute, without links.

    By build id under each root; then by debug link beside the file, in `.debug/`, and under each root.
    `given` are folders that somebody named: roots, too, and debug files may lie in them as they are. Relative
    ones are so to the folder of `elf`, too.
    """
    paths = []
    folder = os.path.dirname(elf.path)
    given = [path for root in given for path in (os.path.abspath(root), os.path.join(folder, root))]
    given = list(dict.fromkeys([os.path.normpath(path) for path in given]))
    if elf.build_id:
        digits = elf.build_id.hex()
        paths += [f"{root}/.build-id/{digits[:2]}/{digits[2:]}.debug" for root in (*given, *roots)]
    link = parse_debug_link(elf)
    if link is not None:
        folders = [*given, folder, os.path.join(folder, ".debug"), *[root + folder for root in roots]]
        paths += [os.path.join(folder, link.name) for folder in folders]
    else:
        paths += [os.path.join(root, f"{os.path.basename(elf.path)}.debug") for root in given]
    return [path for path in paths if path != elf.path]


def is_debug_file_of(elf: Elf, debug: Elf) -> bool:
    """Whether `debug` was made from `elf`: by their build ids, else by the CRC in the debug link of `elf`."""
    if elf.build_id and debug.build_id:
        return elf.build_id == debug.build_id
    link = parse_debug_link(elf)
    if link is None:
        return False
    from zlib import crc32

    return crc32(debug.data) == link.crc
