"""/etc/ld.so.cache: from a library's name to its path.

Format: glibc's sysdeps/generic/dl-cache.h, the new format ("glibc-ld.so.cache1.1"), alone or behind the
table of the old one ("ld.so-1.7.0"), which is passed over. musl has no such file: callers search directories.
"""

from __future__ import annotations

import struct

from ..base.bits import align_up
from ..base.errors import FormatError
from ..base.record import record
from .consts import EM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_OLD_MAGIC = b"ld.so-1.7.0\0"
_OLD_HEADER = 16
_OLD_ENTRY = 12
_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_HEADER = 48
_ENTRY = 24
_FLAGS_AT = 28
_BIG_ENDIAN = 3
_LONGEST_PATH = 4096

# Low byte: built for libc 6. High byte: the ABI, of those glibc has a number for.
_FLAGS: dict[int, int] = {
    EM.X86_64: 0x0303,
    EM.AARCH64: 0x0A03,
    EM.RISCV: 0x1003,
    EM.S390: 0x0403,
    EM.PPC64: 0x0503,
    EM.I386: 0x0003,
}


@record
class Library:
    """One entry: soname, path, glibc's ABI `flags`, and the CPU features it needs (`hwcap`, 0 for none)."""

    name: str
    path: str
    flags: int
    hwcap: int


def find_library(
    cache: bytes, name: str, machine: int = EM.X86_64, *, path: str = "/etc/ld.so.cache"
) -> str | None:
    """Path of the 64-bit library `name` ("libc.so.6", "libc.so" or "libc") for CPU `machine`, or None.

    Without a version the highest one is taken. Of variants for CPU features, the one that runs everywhere is.
    Raises FormatError, with `path` in its message, when the cache is malformed.
    """
    wanted = _FLAGS.get(machine)
    stem = (name if ".so" in name else name + ".so").encode("utf-8", "surrogateescape")
    best: tuple[bool, tuple[tuple[int, str], ...], bool] | None = None
    best_at = 0
    for flags, key, value, hwcap in _iter_entries(cache, path):
        # Only a few of a thousand names are worth decoding.
        if flags != wanted or not cache.startswith(stem, key):
            continue
        rest = _string(cache, key + len(stem), path)
        if rest and not rest.startswith("."):
            continue
        candidate = not rest, _version(rest), not hwcap
        if best is None or candidate > best:
            best, best_at = candidate, value
    return None if best is None else _string(cache, best_at, path)


def iter_libraries(cache: bytes, *, path: str = "/etc/ld.so.cache") -> Iterator[Library]:
    """Every entry of the cache in its order. Raises FormatError when the cache is malformed."""
    for flags, key, value, hwcap in _iter_entries(cache, path):
        yield Library(_string(cache, key, path), _string(cache, value, path), flags, hwcap)


def _iter_entries(cache: bytes, path: str) -> Iterator[tuple[int, int, int, int]]:
    """Flags, offset of the soname, offset of the path, and hwcap of every entry."""
    start = _new_start(cache, path)
    order = ">" if cache[start + _FLAGS_AT] & 3 == _BIG_ENDIAN else "<"
    (count,) = struct.unpack_from(order + "I", cache, start + len(_NEW_MAGIC))
    end = start + _HEADER + count * _ENTRY
    if end > len(cache):
        raise FormatError(f"expected {count} entries, got {len(cache)} bytes", path=path, offset=start)
    for flags, key, value, _, hwcap in struct.iter_unpack(order + "iIIIQ", cache[start + _HEADER : end]):
        yield flags, start + key, start + value, hwcap


def _new_start(cache: bytes, path: str) -> int:
    starts = [0]
    if cache.startswith(_OLD_MAGIC):
        if len(cache) < _OLD_HEADER:
            raise FormatError(f"expected an old header of {_OLD_HEADER} bytes", path=path)
        # The old format doesn't say which byte order it is in.
        counts = [struct.unpack_from(order + "I", cache, len(_OLD_MAGIC))[0] for order in "<>"]
        starts = [align_up(_OLD_HEADER + count * _OLD_ENTRY, 8) for count in counts]
    start = next((s for s in starts if cache.startswith(_NEW_MAGIC, s)), None)
    if start is None:
        got = cache[starts[0] : starts[0] + len(_NEW_MAGIC)]
        raise FormatError(f"expected {_NEW_MAGIC.decode()}, got {got!r}", path=path, offset=starts[0])
    if start + _HEADER > len(cache):
        raise FormatError(f"expected a header of {_HEADER} bytes", path=path, offset=start)
    return start


def _string(cache: bytes, at: int, path: str) -> str:
    end = cache.find(b"\0", at, at + _LONGEST_PATH)
    if end < 0:
        raise FormatError("expected a name that ends in NUL", path=path, offset=at)
    return cache[at:end].decode("utf-8", "surrogateescape")


def _version(text: str) -> tuple[tuple[int, str], ...]:
    """`.1.10` as ((1, ""), (10, "")): numbers compare as numbers, and anything else as text."""
    parts = [p for p in text.split(".") if p]
    return tuple([(int(p), "") if p.isascii() and p.isdigit() else (-1, p) for p in parts])
