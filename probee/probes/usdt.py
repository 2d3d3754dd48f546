"""usdt: the marks that programs and libraries carry in their code, by <sys/sdt.h> and its like.

`path:provider:name`, `path:name` and `path::name` (of any provider); the path as of a uprobe, and left out,
or a pattern, where a process is traced: then of all files that it maps. A `*` in provider or name stands
for any text. A probe may have many places, each with its arguments elsewhere: each place is a site.
"""

from __future__ import annotations

from ..base.errors import FormatError, TargetError
from ..base.registry import near_misses
from ..elf.archive import place_in_file
from ..spec.bundle import UprobeLink
from ..usdt.args import place_symbol
from ..usdt.notes import group_probes, iter_probes
from .glob import compile_glob
from .provider import Point, Site
from .uprobe import Uprobe
from .user_files import as_written, find_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..elf.file import Elf
    from ..spec.target import Target
    from ..usdt.notes import Probe, ProbePlaces

_SHOWN = 8
"""Probes of a file that an error names."""


class _Usdt(Uprobe):
    """A uprobe at each place of a mark, which says where its arguments are."""

    function = False

    def __init__(self) -> None:
        super().__init__("usdt", "U", returns=False)
        self.usage = "usdt:PATH:PROVIDER:NAME, usdt:PATH:NAME"

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        file, *wanted = self._split(point, pid)
        if "*" in file:
            return self._expand_all(file, wanted, point, target, pid)
        (path,) = find_files("usdt", point, target, file, pid)
        try:
            return _expand_in(target, path, as_written(file, path), wanted, point, pid)
        except (FormatError, TargetError) as error:
            raise TargetError(error.message, span=point.span, hint=error.hint) from None

    def _split(self, point: Point, pid: int) -> tuple[str, ...]:
        """File, provider where it is named, name. Raises SourceError."""
        args = point.args
        if pid and len(args) == 1 and "/" not in args[0]:
            args = ("", *args)
        if not 2 <= len(args) <= 3:
            found = len(point.args)
            raise self.misspelled(point, f"usdt probe type requires 2 or 3 arguments, found {found}")
        if not args[-1]:
            raise self.misspelled(point, "usdt probe must have a target function or wildcard")
        if not args[0] and not pid:
            message = "usdt probe must specify at least path or pid to probe"
            raise self.wrong(point, message, "to target all paths/pids set the path to '*'")
        file, *middle, name = args
        return (file or "*", *[provider or "*" for provider in middle], name)

    def _expand_all(
        self, file: str, wanted: Sequence[str], point: Point, target: Target, pid: int
    ) -> list[Site]:
        """The probes in all files that match a pattern; of those some may have none, or be malformed."""
        sites: list[Site] = []
        refusals: list[FormatError | TargetError] = []
        paths = find_files("usdt", point, target, file, pid)
        for path in paths:
            try:
                sites += _expand_in(target, path, path, wanted, point, pid)
            except (FormatError, TargetError) as error:
                refusals.append(error)
        if sites:
            return sites
        if len(refusals) == 1:
            raise TargetError(refusals[0].message, span=point.span, hint=refusals[0].hint)
        where = f"process {pid} maps" if pid else f"match {file!r}"
        raise TargetError(
            f"none of the {len(paths)} files that {where} has a probe {':'.join(wanted)}", span=point.span
        )


def _expand_in(
    target: Target, path: str, shown: str, wanted: Sequence[str], point: Point, pid: int
) -> list[Site]:
    """The probes that are `wanted` of one file, which the probes' names have as `shown`."""
    assert target.files is not None
    elf = target.files.open_elf(path)
    found = _find_probes(elf, wanted)
    return [_make_site(elf, shown, place, point, pid) for probe in found for place in probe.places]


def _find_probes(elf: Elf, wanted: Sequence[str]) -> list[ProbePlaces]:
    """The probes of `elf` that `wanted`, a name with or without its provider, stands for: at least one."""
    known = group_probes(iter_probes(elf))
    patterns = [compile_glob(part) for part in (wanted if len(wanted) == 2 else ("*", *wanted))]
    found = [
        probe
        for probe in known
        if patterns[0].fullmatch(probe.provider) and patterns[1].fullmatch(probe.name)
    ]
    if found:
        return found
    if not known:
        raise TargetError(f"{elf.path} has no USDT probes")
    raise TargetError(f"{elf.path} has no probe {':'.join(wanted)}", hint=_advise(known, wanted))


def _advise(known: Sequence[ProbePlaces], wanted: Sequence[str]) -> str:
    full = [f"{probe.provider}:{probe.name}" for probe in known]
    names = dict(zip(full, full if len(wanted) == 2 else [probe.name for probe in known], strict=True))
    near = near_misses(":".join(wanted), names.values())
    if near:
        return (
            f"did you mean {' or '.join([name for name, as_written in names.items() if as_written in near])}?"
        )
    more = f" and {len(full) - _SHOWN} more" if len(full) > _SHOWN else ""
    return f"it has {', '.join(full[:_SHOWN])}{more}"


def _make_site(elf: Elf, shown: str, place: Probe, point: Point, pid: int) -> Site:
    name = f"{place.provider}:{place.name}"
    if place.offset is None:
        raise TargetError(f"probe {name} is at {place.location:#x}, which is not in the code of {elf.path}")
    if place.semaphore_offset is None:
        # The kernel finds the count of tracers by its place in the file.
        raise TargetError(f"probe {name} can't be enabled: its semaphore is not in the file {elf.path}")
    probe = f"usdt:{shown}:{name}"
    path, offset = place_in_file(elf, place.offset)
    semaphore = place.semaphore_offset and place_in_file(elf, place.semaphore_offset)[1]
    link = UprobeLink("", path, offset, False, pid, 0, probe, point.span, semaphore)
    arguments = tuple([place_symbol(elf, arg, place.location) for arg in place.args])
    return Site(probe, "", link, arguments=arguments)


PROVIDERS = (_Usdt(),)
