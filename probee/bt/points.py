"""Attach points: which kind of probe is meant, and where it goes."""

from __future__ import annotations

from ..base.errors import SourceError, TargetError
from ..base.record import replace
from ..base.source import Diagnostic
from ..probes import find, find_near, is_later, names
from ..probes.provider import Point
from . import tree
from .names import Action
from .walk import copy_tree, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ctype.types import Struct
    from ..probes.provider import Provider, Site
    from ..spec.target import Target

    Fault = SourceError | TargetError


def resolve_points(
    script: tree.Script, target: Target, pid: int, most: int
) -> tuple[list[Action], list[Fault]]:
    """The probes with the places that they attach to, `most` in all, and what is wrong with attach points."""
    total = 0
    actions: list[Action] = []
    faults: list[Fault] = []
    for probe in script.probes:
        providers: list[Provider] = []
        places: list[tuple[Site, ...]] = []
        for written in probe.points:
            point = Point(written.provider, written.args, written.text, written.span)
            try:
                provider = _find_provider(point)
                providers.append(provider)
                sites = tuple(provider.expand(point, target, pid))
                total += len(sites)
                if total > most:
                    raise _too_many(point, total, most)
                places.append(sites)
            except (SourceError, TargetError) as fault:
                faults.append(fault)
        actions += _split(probe, providers, places)
    return actions, faults


def _split(probe: tree.Probe, providers: list[Provider], places: list[tuple[Site, ...]]) -> list[Action]:
    """The probe once for each record that its `args` is, since the body is typed anew with each."""
    whole = Action(probe, tuple(providers), tuple(places))
    records: list[Struct | None] = []
    for site in [site for sites in places for site in sites]:
        if not any(_same_record(site.context, known) for known in records):
            records.append(site.context)
    if len(records) < 2 or len(places) < len(probe.points) or not _names_args(probe):
        return [whole]
    parts = []
    for number, record in enumerate(records):
        sites = [tuple([s for s in group if _same_record(s.context, record)]) for group in places]
        kept = [i for i, group in enumerate(sites) if group]
        points = tuple([probe.points[i] for i in kept])
        part = replace(copy_tree(probe) if number else probe, points=points)
        parts.append(Action(part, tuple([providers[i] for i in kept]), tuple([sites[i] for i in kept])))
    return parts


def _names_args(probe: tree.Probe) -> bool:
    return any(isinstance(node, (tree.Identifier, tree.Call)) and node.name == "args" for node in walk(probe))


def _same_record(one: Struct | None, other: Struct | None) -> bool:
    """Whether two records have the same fields at the same places, whatever they are called."""
    return one is other or (one is not None and other is not None and one.members == other.members)


def _find_provider(point: Point) -> Provider:
    provider = find(point.provider)
    if provider is not None:
        return provider
    known = f"this version has {', '.join(names())}"
    if is_later(point.provider):
        raise _wrong(point, f"{point.provider} probes are not supported yet", known)
    near = find_near(point.provider)
    hint = f"did you mean {' or '.join(near)}?" if near else known
    raise _wrong(point, f"Invalid probe type: {point.provider}", hint)


def _wrong(point: Point, message: str, hint: str) -> SourceError:
    return SourceError([Diagnostic("ERROR", message, point.span, hint)])


def _too_many(point: Point, total: int, most: int) -> SourceError:
    message = f"Can't attach to {total} probes because it exceeds the current limit of {most} probes"
    return _wrong(point, message, "a larger max_probes in config allows more")


def diagnostics_of(faults: list[Fault]) -> list[Diagnostic]:
    """What the faults say, to be reported with others."""
    found: list[Diagnostic] = []
    for fault in faults:
        if isinstance(fault, SourceError):
            found += fault.diagnostics
        else:
            found.append(Diagnostic("ERROR", fault.message, fault.span, fault.hint))
    return found
