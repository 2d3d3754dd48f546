"""uprobe and uretprobe: where a function of a program or library begins, and where it returns.

`path:function`, `path:function+offset`, `path:0xoffset` (in the file), the path absolute, by PATH, or a
library by its short name. A `*` in the function's name stands for any text.
"""

from __future__ import annotations

import re

from ..base.errors import FormatError, TargetError
from ..elf.resolve import resolve_symbol
from ..spec.abi import AttachType, ProgType
from ..spec.bundle import UprobeLink
from .glob import compile_glob
from .provider import Point, Provider, Site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..elf.file import Elf
    from ..spec.target import Target

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|\d{1,20}")


class Uprobe(Provider):
    """A place in the code of a file."""

    arguments = "user"
    function = True
    task = True
    links_by_pid = True
    program_type = ProgType.KPROBE

    def __init__(self, name: str, alias: str, *, returns: bool) -> None:
        self.name = name
        self.aliases = (alias,)
        self.returns = returns
        self.usage = f"{name}:PATH:FUNCTION" + ("" if returns else f", {name}:PATH:FUNCTION+OFFSET")

    def find_attach_type(self, target: Target, sites: Sequence[Site]) -> AttachType:
        # Closing such a link takes a quarter of the time, and one holds any number of places.
        return AttachType.TRACE_UPROBE_MULTI if target.have("uprobe_multi_pid") else AttachType.NONE

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if len(point.args) != 2 or not all(point.args):
            raise self.misspelled(point, f"expected {self.name}:PATH:FUNCTION, got {point.text!r}")
        file, where = point.args
        path = find_file("uprobe", point, target, file)
        assert target.files is not None
        try:
            elf = target.files.open_elf(path)
            places = self._places(elf, where, point)
        except (FormatError, TargetError) as error:
            raise TargetError(error.message, span=point.span, hint=error.hint) from None
        return [self._site(path, text, function, offset, point, pid) for text, function, offset in places]

    def _places(self, elf: Elf, where: str, point: Point) -> list[tuple[str, str, int]]:
        """(spelling, function, offset in the file) of every place that `where` names."""
        if _NUMBER.fullmatch(where):
            offset = int(where, 0)
            if elf.address_of(offset) is None:
                raise TargetError(f"offset {offset:#x} is not in the code of {elf.path}")
            return [(where, "", offset)]
        name, plus, past = where.rpartition("+")
        if not plus:
            name, past = where, "0"
        if not _NUMBER.fullmatch(past) or not name:
            raise self.misspelled(point, f"expected FUNCTION+OFFSET, got {where!r}")
        if self.returns and int(past, 0):
            raise self.misspelled(point, "a return probe takes no offset: it fires when the function returns")
        if "*" in name:
            return _match_functions(elf, name)
        location = resolve_symbol(elf, name, int(past, 0))
        return [(where, name, location.file_offset)]

    def _site(self, path: str, text: str, function: str, offset: int, point: Point, pid: int) -> Site:
        probe = f"{self.name}:{path}:{text}"
        link = UprobeLink("", path, offset, self.returns, pid, 0, probe, point.span)
        return Site(probe, function, link)


def find_file(kind: str, point: Point, target: Target, file: str) -> str:
    """The absolute path of the `file` that an attach point names. Raises TargetError."""
    path = target.files.find_program(file) if target.files is not None else None
    if path is None:
        raise TargetError(
            f"{kind} target file {file!r} does not exist or is not executable",
            span=point.span,
            hint=None if "/" in file else "give the path, or a library's short name such as libc",
        )
    return path


def _match_functions(elf: Elf, glob: str) -> list[tuple[str, str, int]]:
    pattern = compile_glob(glob)
    places: dict[int, str] = {}
    for symbol in elf.iter_functions(lambda name: pattern.fullmatch(name) is not None):
        offset = elf.file_offset(symbol.value)
        if offset is not None:
            places.setdefault(offset, symbol.name)
    if not places:
        raise TargetError(f"no function matches {glob!r} in {elf.path}")
    return [(name, name, offset) for offset, name in sorted(places.items(), key=lambda place: place[1])]


PROVIDERS = (Uprobe("uprobe", "u", returns=False), Uprobe("uretprobe", "ur", returns=True))
