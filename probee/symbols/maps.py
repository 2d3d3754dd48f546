"""Mappings of a process: the text of /proc/PID/maps (proc_pid_maps(5))."""

from __future__ import annotations

import re
from bisect import bisect_right

from ..base.errors import FormatError
from ..base.record import record

_LINE = re.compile(
    r"([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-][w-][x-][ps]) ([0-9a-f]{1,16}) "
    r"([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)",
    re.ASCII,
)
_DELETED = " (deleted)"


@record
class Mapping:
    """Addresses `start` to `end` (excluded), which show `path` from byte `offset` on.

    `path` is as the kernel writes it: "" for memory of no file, "[vdso]", "[heap]", "/memfd:name (deleted)".
    `device` is "major:minor" in hex.
    """

    start: int
    end: int
    permissions: str
    offset: int
    device: str
    inode: int
    path: str

    @property
    def is_executable(self) -> bool:
        return self.permissions[2] == "x"

    @property
    def is_deleted(self) -> bool:
        """Whether the file is no longer at its path: replaced by a newer one, or it never was (memfd)."""
        return self.path.endswith(_DELETED)

    @property
    def file(self) -> str:
        """Path of the file, in the mount namespace of the process; "" when there is no file."""
        return self.path.removesuffix(_DELETED) if self.inode and self.path.startswith("/") else ""


class Maps:
    """All mappings of a process, in ascending order."""

    def __init__(self, mappings: tuple[Mapping, ...]) -> None:
        self.mappings = mappings
        self._starts = [m.start for m in mappings]

    def find(self, address: int) -> Mapping | None:
        """The mapping around `address`, or None."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self.mappings[index].end:
            return None
        return self.mappings[index]


def parse_maps(text: str, path: str = "maps") -> Maps:
    """The mappings that `text` lists. Raises FormatError, with the offset of the line, for other text."""
    mappings: list[Mapping] = []
    at = 0
    for line in text.split("\n"):
        if line:
            mappings.append(_parse_mapping(line, path, at))
            if len(mappings) > 1 and mappings[-1].start < mappings[-2].end:
                raise FormatError("expected mappings in ascending order", path=path, offset=at)
        at += len(line) + 1
    return Maps(tuple(mappings))


def _parse_mapping(line: str, path: str, at: int) -> Mapping:
    found = _LINE.fullmatch(line)
    if found is None:
        raise FormatError(f"expected a mapping, got {line[:80]!r}", path=path, offset=at)
    start, end, permissions, offset, device, inode, file = found.groups()
    # The only character that the kernel escapes is the one which would end the line.
    file = file.replace("\\012", "\n")
    return Mapping(int(start, 16), int(end, 16), permissions, int(offset, 16), device, int(inode), file)
