"""What was found in debug information, kept between runs: inflated sections, places of functions.

Inflating takes a second or two for each 250 MB. A file holds the first bytes of one section, as many as were
ever needed; it is mapped, not read. Another has the places of functions that were asked for by address. Files
lie in a folder that only this user can write, under the build id; when there are too many bytes, the oldest
go. What can't be read or written is done without.
"""

from __future__ import annotations

import mmap
import os
import struct
from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Place = tuple[int, int]

LEAST = 1 << 20
"""Bytes from which on a section is kept: a smaller one is inflated in less than a hundredth of a second."""

MOST = 2 << 30
"""Bytes of all files together."""

_ENDING = ".section"
_PLACES = ".places"
_ROW = struct.Struct("<QQQ")
_MOST_PLACES = 1 << 16


class Inflated:
    """Sections in `folder`, which is made when the first is kept."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._watched: list[Callable[[], None]] = []
        self._places: dict[bytes, dict[int, Place]] = {}
        self._changed: set[bytes] = set()

    def watch(self, keep: Callable[[], None]) -> None:
        """Have `keep` called by `flush`: what is inflated until then is worth keeping, too."""
        self._watched.append(keep)

    def flush(self) -> None:
        """Keep what was inflated since the last call."""
        while self._watched:
            self._watched.pop()()
        while self._changed:
            self._write_places(self._changed.pop())

    def find(self, build_id: bytes, name: str, size: int) -> mmap.mmap | None:
        """The first bytes of section `name`, `size` bytes long as a whole, of a file; or None."""
        if not _is_own(self._folder):
            return None
        path = self._path(build_id, name, size)
        try:
            with open(path, "rb") as file:
                os.utime(file.fileno())
                found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return None
        return found if len(found) <= size else None

    def keep(self, build_id: bytes, name: str, size: int, data: bytes | bytearray) -> None:
        """Keep the first bytes of a section, unless they are few or as many are kept."""
        path = self._path(build_id, name, size)
        if len(data) >= LEAST and _size_of(path) < len(data):
            self._write(path, data)

    # Places of functions

    def find_place(self, build_id: bytes, address: int) -> Place | None:
        """The unit, and the place in it, of the entry of the function with code at `address`; or None."""
        return self._places_of(build_id).get(address)

    def keep_place(self, build_id: bytes, address: int, place: Place) -> None:
        """Keep what `find_place` is to tell."""
        self._places_of(build_id)[address] = place
        self._changed.add(build_id)

    def _places_of(self, build_id: bytes) -> dict[int, Place]:
        if build_id not in self._places:
            self._places[build_id] = self._read_places(build_id) if _is_own(self._folder) else {}
        return self._places[build_id]

    def _read_places(self, build_id: bytes) -> dict[int, Place]:
        try:
            with open(os.path.join(self._folder, build_id.hex() + _PLACES), "rb") as file:
                data = file.read()
        except OSError:
            return {}
        rows = data[4:]
        if len(rows) % _ROW.size or crc32(rows) != int.from_bytes(data[:4], "little"):
            return {}
        return {address: (unit, at) for address, unit, at in _ROW.iter_unpack(rows)}

    def _write_places(self, build_id: bytes) -> None:
        places = list(self._places[build_id].items())[-_MOST_PLACES:]
        rows = b"".join([_ROW.pack(address, *place) for address, place in places])
        self._write(
            os.path.join(self._folder, build_id.hex() + _PLACES), crc32(rows).to_bytes(4, "little") + rows
        )

    # Files

    def _write(self, path: str, data: bytes | bytearray) -> None:
        scratch = f"{path}.{os.getpid()}"
        try:
            os.makedirs(self._folder, 0o700, exist_ok=True)
            if not _is_own(self._folder):
                return
            fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(data)
            os.replace(scratch, path)
            self._prune()
        except OSError:
            if os.path.exists(scratch):
                os.unlink(scratch)

    def _path(self, build_id: bytes, name: str, size: int) -> str:
        return os.path.join(self._folder, f"{build_id.hex()}{name}.{size:x}{_ENDING}")

    def _prune(self) -> None:
        paths = [os.path.join(self._folder, name) for name in os.listdir(self._folder)]
        kept = sorted([path for path in paths if path.endswith(_ENDING)], key=os.path.getmtime)
        total = sum(map(os.path.getsize, kept))
        for path in kept[:-1]:
            if total <= MOST:
                return
            total -= os.path.getsize(path)
            os.unlink(path)


def _is_own(folder: str) -> bool:
    try:
        facts = os.stat(folder)
    except OSError:
        return False
    return facts.st_uid == os.geteuid() and not facts.st_mode & 0o022


def _size_of(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0
