"""Attach points: which kind of probe is meant, and where it goes."""

from __future__ import annotations

from ..base.errors import SourceError, TargetError
from ..base.source import Diagnostic
from ..probes import find, find_near, is_later, names
from ..probes.provider import Point
from .names import Action

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..probes.provider import Provider, Site
    from ..spec.target import Target
    from . import tree

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
        actions.append(Action(probe, tuple(providers), tuple(places)))
    return actions, faults


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
