"""usdt: the marks that programs and libraries carry in their code, by <sys/sdt.h> and its like.

`path:provider:name`, `path:name` (of any provider); the path as of a uprobe. A `*` in provider or name
stands for any text. A probe may have many places, each with its arguments elsewhere: each place is a site.
"""

from __future__ import annotations

from ..base.errors import FormatError, TargetError
from ..base.registry import near_misses
from ..spec.bundle import UprobeLink
from ..usdt.args import place_symbol
from ..usdt.notes import group_probes, iter_probes
from .glob import compile_glob
from .provider import Point, Site
from .uprobe import Uprobe, find_file

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
        if not 2 <= len(point.args) <= 3 or not all(point.args):
            raise self.misspelled(point, f"expected usdt:PATH:PROVIDER:NAME, got {point.text!r}")
        file, *wanted = point.args
        path = find_file("usdt", point, target, file)
        assert target.files is not None
        try:
            elf = target.files.open_elf(path)
            found = _find_probes(elf, wanted)
            return [_make_site(elf, place, point, pid) for probe in found for place in probe.places]
        except (FormatError, TargetError) as error:
            raise TargetError(error.message, span=point.span, hint=error.hint) from None


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


def _make_site(elf: Elf, place: Probe, point: Point, pid: int) -> Site:
    name = f"{place.provider}:{place.name}"
    if place.offset is None:
        raise TargetError(f"probe {name} is at {place.location:#x}, which is not in the code of {elf.path}")
    if place.semaphore_offset is None:
        # The kernel finds the count of tracers by its place in the file.
        raise TargetError(f"probe {name} can't be enabled: its semaphore is not in the file {elf.path}")
    probe = f"usdt:{elf.path}:{name}"
    link = UprobeLink("", elf.path, place.offset, False, pid, 0, probe, point.span, place.semaphore_offset)
    arguments = tuple([place_symbol(elf, arg, place.location) for arg in place.args])
    return Site(probe, "", link, arguments=arguments)


PROVIDERS = (_Usdt(),)
