"""kprobe and kretprobe: where a function of the kernel begins, or any instruction of it; where it returns.

`kprobe:FUNCTION`, `kprobe:FUNCTION+OFFSET`, `kprobe:MODULE:FUNCTION`; a `*` stands for any text.
"""

from __future__ import annotations

import re

from ..base.errors import FeatureError, TargetError
from ..base.registry import near_misses
from ..spec.abi import AttachType, ProgType
from ..spec.bundle import KprobeLink
from .glob import compile_glob
from .provider import Point, Provider, Site, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..spec.target import Names, Target

KERNEL = "vmlinux"
"""What the kernel itself is called among modules."""

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|\d{1,20}")


class _Kprobe(Provider):
    arguments = "kernel"
    function = True
    task = True
    space = "kernel"
    program_type = ProgType.KPROBE

    def __init__(self, name: str, alias: str, *, returns: bool) -> None:
        self.name = name
        self.aliases = (alias,)
        self.returns = returns
        self.usage = f"{name}:FUNCTION, {name}:MODULE:FUNCTION" + (
            "" if returns else f", {name}:FUNCTION+OFFSET"
        )

    def find_attach_type(self, target: Target, sites: Sequence[Site]) -> AttachType:
        # One link for any number of functions; but it goes by names alone, and each name is one place.
        links = [site.link for site in sites]
        many = len(links) > 1 and all(isinstance(k, KprobeLink) and not k.offset for k in links)
        return AttachType.TRACE_KPROBE_MULTI if many and target.have("kprobe_multi") else AttachType.NONE

    def expand(self, point: Point, target: Target, pid: int = 0) -> list[Site]:
        if not 1 <= len(point.args) <= 2 or not all(point.args):
            raise self.misspelled(point, f"expected {self.name}:FUNCTION, got {point.text!r}")
        *modules, where = point.args
        module = modules[0] if modules else ""
        name, offset = self._parse_place(point, where)
        if "*" in name or "*" in module:
            return self._match(point, names_of(target, point), name, module)
        self._check_names(point, target.names, name, module)
        module = "" if module == KERNEL else module
        return [self._site(point, name, offset, module, shown=":".join(point.args))]

    def _check_names(self, point: Point, names: Names | None, name: str, module: str) -> None:
        """Raise a TargetError if the kernel is known not to have the function."""
        if names is None:
            return
        if module and module != KERNEL and not names.have_module(module):
            message = f"specified module {module} in probe {point.text} is not loaded."
            raise TargetError(message, span=point.span)
        if not point.unsafe and not names.have_function(name, "" if module == KERNEL else module):
            raise self._missing(point, names, name)

    def doubt(self, point: Point, target: Target) -> str:
        if target.names is None or not point.args or "*" in point.text:
            return ""
        name = point.args[-1].partition("+")[0]
        if target.names.have_function(name, ""):
            return ""
        return (
            f'{name} is not traceable (either non-existing, inlined, or marked as "notrace"); '
            "attaching to it will likely fail"
        )

    def _parse_place(self, point: Point, where: str) -> tuple[str, int]:
        name, plus, past = where.rpartition("+")
        if not plus:
            if _NUMBER.fullmatch(where):
                raise self.misspelled(point, "expected a function's name, got an address")
            return where, 0
        if not _NUMBER.fullmatch(past) or not name or "+" in name:
            raise self.misspelled(point, f"expected FUNCTION+OFFSET, got {where!r}")
        if self.returns:
            message = "a return probe takes no offset: it fires when the function returns"
            raise self.misspelled(point, message)
        return name, int(past, 0)

    def _match(self, point: Point, names: Names, glob: str, module: str) -> list[Site]:
        pattern, within = compile_glob(glob), compile_glob(module or "*")
        found = sorted(
            {
                (name, of)
                for name, of in names.iter_functions()
                if pattern.fullmatch(name) and within.fullmatch(of or KERNEL)
            }
        )
        if not found:
            raise TargetError(f"No matches for {self.name} {':'.join(point.args)}.", span=point.span)
        return [self._site(point, name, 0, of, shown=name) for name, of in found]

    def _missing(self, point: Point, names: Names, name: str) -> TargetError:
        try:
            near = near_misses(name, {known for known, _ in names.iter_functions()})
        except FeatureError:
            near = []  # without tracefs there is no list of functions
        hint = f"did you mean {' or '.join(near)}?" if near else None
        return TargetError(f"No matches for {self.name} {':'.join(point.args)}.", span=point.span, hint=hint)

    def _site(self, point: Point, name: str, offset: int, module: str, *, shown: str) -> Site:
        probe = f"{self.name}:{shown}"
        link = KprobeLink("", name, offset, self.returns, module, probe, point.span)
        return Site(probe, name, link)


PROVIDERS = (_Kprobe("kprobe", "k", returns=False), _Kprobe("kretprobe", "kr", returns=True))
