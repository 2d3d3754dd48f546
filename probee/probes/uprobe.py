"""uprobe and uretprobe: places in programs and libraries, and functions that return.

`path:function` and what else `user_places` knows; the path absolute, by PATH, a library by its short name,
or a pattern of paths (`user_files`). Each place knows its debug information (`traced`), read when it is asked
for arguments by name.
"""

from __future__ import annotations

from ..base.errors import FormatError, TargetError
from ..base.record import replace
from ..elf.consts import EM
from ..spec.abi import AttachType, ProgType
from ..spec.bundle import UprobeLink
from .binary import Binary
from .provider import Point, Provider, Site
from .traced import Traced
from .user_files import as_written, find_files
from .user_places import NUMBER, find_places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..spec.target import Target
    from .user_places import Place

_LANGUAGES = ("cpp", "rust", "d")


class Uprobe(Provider):
    """A place in the code of a file."""

    arguments = "user"
    function = True
    task = True
    links_by_pid = True
    cookies = True
    program_type = ProgType.KPROBE

    def __init__(self, name: str, alias: str, *, returns: bool) -> None:
        self.name = name
        self.aliases = (alias,)
        self.returns = returns
        self.usage = f"{name}:PATH:FUNCTION" + (
            "" if returns else f", {name}:PATH:FUNCTION+OFFSET, {name}:PATH@FILE:LINE"
        )

    def find_attach_type(self, target: Target, sites: Sequence[Site]) -> AttachType:
        # Closing such a link takes a quarter of the time, and one holds any number of places.
        return AttachType.TRACE_UPROBE_MULTI if target.have("uprobe_multi_pid") else AttachType.NONE

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        file, where = self._parts(point)
        assert target.files is not None
        sites: list[Site] = []
        refused: TargetError | None = None
        for path in find_files(self.name, point, target, file, pid):
            try:
                shown = as_written(file, path)
                sites += self._expand_file(path, shown, where, point, target, pid)
            except (FormatError, TargetError) as error:
                refused = TargetError(error.message, span=point.span, hint=error.hint)
                if "*" not in file or isinstance(error, FormatError):
                    raise refused from None
        # Of files that match a pattern, some may not have the function.
        if not sites and refused is not None:
            raise refused
        return sites

    def _expand_file(
        self, path: str, shown: str, where: tuple[str, ...], point: Point, target: Target, pid: int
    ) -> list[Site]:
        assert target.files is not None
        try:
            binary = Binary(target.files, path, shown)
        except FormatError as error:
            is_number = len(where) == 1 and NUMBER.fullmatch(where[0]) is not None
            if not is_number or error.offset or self.returns:
                raise
            # Of what is no ELF file nobody knows where instructions begin.
            if not point.unsafe:
                raise TargetError(
                    error.message, hint="--unsafe takes a number as an offset in any file"
                ) from None
            probe = f"{self.name}:{shown}:{where[0]}"
            link = UprobeLink("", path, int(where[0], 0), False, pid, 0, probe, point.span)
            return [Site(probe, "", link)]
        return self._expand_in(binary, where, point, target, pid)

    def _parts(self, point: Point) -> tuple[str, tuple[str, ...]]:
        """The file and the rest of an attach point. Raises SourceError for one that is misspelled."""
        args = point.args
        if len(args) >= 4 and args[1] == "@" and all(args) and not self.returns:
            return args[0], args[1:]
        if len(args) >= 3 and args[1] in _LANGUAGES and args[0] and args[2]:
            return args[0], args[1:]
        if len(args) != 2 or not all(args):
            raise self.misspelled(point, f"expected {self.name}:PATH:FUNCTION, got {point.text!r}")
        return args[0], args[1:]

    def _expand_in(
        self, binary: Binary, where: tuple[str, ...], point: Point, target: Target, pid: int
    ) -> list[Site]:
        assert target.files is not None
        try:
            places = find_places(
                binary, where, target.files.demangle, safe=not point.unsafe, returns=self.returns
            )
        except ValueError as error:
            raise self.misspelled(point, str(error)) from None
        sites: list[Site] = []
        refused: list[TargetError] = []
        for place in places:
            try:
                sites += self._sites(binary, place, point, pid)
            except TargetError as error:
                refused.append(error)
        if refused and not sites:
            raise refused[0]
        if refused:
            # Of many functions, some never return.
            told = f"{len(refused)} functions are not traced: {refused[0].message}"
            sites[0] = replace(sites[0], warning=told + (", for one" if len(refused) > 1 else ""))
        return sites

    def _sites(self, binary: Binary, place: Place, point: Point, pid: int) -> list[Site]:
        """The sites of one place: a function of Go returns at many."""
        site = self._site(binary, place, point, pid)
        if binary.elf.go_table is None:
            return [site]
        from .golang import (
            describe_arguments,
            find_go_function,
            find_goroutine,
            find_returns,
            skip_stack_check,
        )

        function, link = find_go_function(binary.elf, place.address), site.link
        if function is None or not isinstance(link, UprobeLink):
            return [site]
        goroutine = find_goroutine(binary.elf, function)
        if not self.returns:
            arguments = describe_arguments(binary.elf, function)
            link = replace(link, offset=link.offset + skip_stack_check(binary.elf, function))
            return [replace(site, link=link, arguments=arguments, goroutine=goroutine)]
        base = binary.elf.base
        links = [replace(link, offset=base + at, ret=False) for at in find_returns(binary.elf, function)]
        # Debug information tells where arguments are, not what is returned: Go's results are among them.
        return [replace(site, link=link, traced=None, goroutine=goroutine) for link in links]

    def _site(self, binary: Binary, place: Place, point: Point, pid: int) -> Site:
        separator = "" if place.text.startswith("@") else ":"
        probe = f"{self.name}:{binary.shown}{separator}{place.text}"
        path, offset = binary.path, place.offset
        if binary.elf.base:
            from ..elf.archive import place_in_file

            path, offset = place_in_file(binary.elf, place.offset)
        link = UprobeLink("", path, offset, self.returns, pid, 0, probe, point.span)
        traced = Traced(binary, place.address, place.function)
        site = Site(probe, place.function, link, traced=traced, warning=place.warning)
        if binary.elf.machine != EM.I386 or self.returns:
            return site
        from .cdecl import ARGUMENTS

        return replace(site, arguments=ARGUMENTS)


PROVIDERS = (Uprobe("uprobe", "u", returns=False), Uprobe("uretprobe", "ur", returns=True))
