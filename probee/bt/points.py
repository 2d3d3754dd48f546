"""Attach points: which kind of probe is meant, and where it goes."""

from __future__ import annotations

import re

from ..base.errors import FormatError, SourceError, TargetError
from ..base.record import replace
from ..base.source import Diagnostic
from ..probes import find, find_near, is_later, names
from ..probes.provider import Point
from . import tree
from .names import Action
from .walk import copy_tree, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.source import Span
    from ..ctype.types import Struct
    from ..probes.provider import Provider, Site
    from ..spec.target import Target

    Fault = SourceError | TargetError


def resolve_points(
    script: tree.Script,
    target: Target,
    pid: int,
    missing: str = "error",
    wanted: str = "",
    *,
    unsafe: bool = False,
) -> tuple[list[Action], list[Fault], list[Diagnostic]]:
    """The probes with the places that they attach to, what is wrong with attach points, and warnings.

    `missing` says what becomes of an attach point that nothing matches ("error", "warn", "ignore"): where it
    is no error the point is left out, and a probe that has none left as well. `wanted` is a regular
    expression: of probes that are attached, only places in whose name it is found. `unsafe`: as of `Point`.
    """
    actions: list[Action] = []
    warnings: list[Diagnostic] = []
    faults: list[Fault] = []
    for probe in script.probes:
        providers: list[Provider] = []
        places: list[tuple[Site, ...]] = []
        left: list[tree.AttachPoint] = []
        for written in probe.points:
            point = Point(written.provider, written.args, written.text, written.span, unsafe)
            try:
                provider = _find_provider(point)
                _check_arguments(point, provider)
                sites = _choose(provider.expand(point, target, pid), wanted)
                if len(sites) > 1:
                    sites, doubt = _choose_told(probe, sites)
                    warnings += [Diagnostic("WARNING", doubt, written.span)] if doubt else []
                if _names_args(probe):
                    sites = tuple([_with_args(site, provider, point) for site in sites])
            except (SourceError, TargetError) as fault:
                if missing != "ignore" and isinstance(fault, TargetError):
                    warnings += _doubts(point, target)
                if missing == "error" or isinstance(fault, SourceError):
                    faults.append(_unmatched(point, fault))
                elif missing == "warn":
                    warnings.append(_skipped(point, fault))
                continue
            if missing != "ignore":
                warnings += _doubts(point, target)
            if sites:
                told = dict.fromkeys([site.warning for site in sites if site.warning])
                warnings += [Diagnostic("WARNING", warning, written.span) for warning in told]
                left.append(written)
                providers.append(provider)
                places.append(sites)
        if left or (missing == "error" and not wanted):
            points = tuple(left) if left else probe.points
            actions += _split(replace(probe, points=points), providers, places)
        elif missing == "warn" and not wanted:
            warnings.append(Diagnostic("WARNING", _REMOVED, probe.span))
    return actions, faults, warnings


def check_limits(actions: Sequence[Action], programs: Sequence[int], most: int, most_programs: int) -> None:
    """Raise SourceError where there are more places than `most`, or more than `most_programs` programs, of
    which each action needs as many as `programs` says."""
    total = made = 0
    for action, needed in zip(actions, programs, strict=True):
        point = action.probe.points[-1]
        total += sum(map(len, action.sites))
        made += needed
        if made > most_programs:
            message = (
                f"Your program is trying to generate more than {made} BPF programs, "
                f"which exceeds the current limit of {most_programs}"
            )
            variable = "BPFTRACE_MAX_BPF_PROGS environment variable"
            raise _at(point.span, message, f"You can increase the limit through the {variable}.")
        if total > most:
            message = f"Can't attach to {total} probes because it exceeds the current limit of {most} probes."
            hint = (
                "You can increase the limit through the BPFTRACE_MAX_PROBES environment variable, but BE "
                "CAREFUL since a high number of probes attached can cause your system to crash."
            )
            raise _at(point.span, message, hint)


_REMOVED = (
    "Probe has no valid attach points. It is being removed which may cause issues with program behavior."
)
_ALWAYS = ("begin", "end", "self")


def _choose(sites: Sequence[Site], wanted: str) -> tuple[Site, ...]:
    """The places that are wanted. What begins and ends a script, and its signals, are."""
    if not wanted:
        return tuple(sites)
    finds = re.compile(wanted).search
    return tuple([s for s in sites if finds(s.probe) or s.probe.partition(":")[0].lower() in _ALWAYS])


def _choose_told(probe: tree.Probe, sites: tuple[Site, ...]) -> tuple[tuple[Site, ...], str]:
    """Of many places those where what the probe asks for is known, and a warning of how many are left out.

    In a program of Go, functions in assembly have arguments where they like. Where none is left, all are:
    then it is an error that says why.
    """
    told_somewhere = any(site.arguments or site.goroutine for site in sites)
    if not told_somewhere or not all(site.function for site in sites):
        return sites, ""
    used = {node.name for node in walk(probe) if isinstance(node, tree.Identifier)}
    numbers = [int(name[3:]) for name in used if name[:3] == "arg" and name[3:].isdecimal()]
    told = tuple([site for site in sites if _tells(site, numbers, goid="goid" in used)])
    left_out = len(sites) - len(told)
    if not told or not left_out:
        return sites, ""
    some = next(site.function or site.probe for site in sites if site not in told)
    what = "don't tell what is asked for here, and are not traced"
    return told, f"{left_out} functions, such as {some}, {what}"


def _tells(site: Site, numbers: list[int], *, goid: bool) -> bool:
    from ..funcs.usdt import find_trouble

    arguments = site.arguments
    known = arguments is None or not any(find_trouble(arguments, number) for number in numbers)
    return known and (site.goroutine is not None or not goid)


def _unmatched(point: Point, fault: Fault) -> Fault:
    """`fault`, in the words that are the same for all kinds of probes where a function is not there."""
    if isinstance(fault, SourceError) or not fault.message.startswith("no function "):
        return fault
    hint = f"{fault.message}; {fault.hint}" if fault.hint else fault.message
    return TargetError(f"{_no_match(point)}.", span=fault.span, hint=hint)


def _doubts(point: Point, target: Target) -> list[Diagnostic]:
    """What speaks against an attach point, whether or not there are places for it."""
    provider = find(point.provider)
    doubt = provider.doubt(point, target) if provider is not None else ""
    return [Diagnostic("WARNING", doubt, point.span)] if doubt else []


def _no_match(point: Point) -> str:
    provider = find(point.provider)
    kind = provider.name if provider is not None else point.provider
    return f"No matches for {kind} {':'.join(point.args)}"


def _skipped(point: Point, fault: TargetError) -> Diagnostic:
    reason = None if "No matches" in fault.message else fault.message
    return Diagnostic("WARNING", f"{_no_match(point)}. Skipping.", point.span, reason)


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


def _with_args(site: Site, provider: Provider, point: Point) -> Site:
    """`site` with the record that args is there, of those whose debug information tells it."""
    if site.traced is None or provider.returns:
        return site
    try:
        return replace(site, context=site.traced.context)
    except (FormatError, TargetError) as error:
        raise TargetError(error.message, span=point.span, hint=error.hint) from None


def _names_args(probe: tree.Probe) -> bool:
    return any(isinstance(node, (tree.Identifier, tree.Call)) and node.name == "args" for node in walk(probe))


def _same_record(one: Struct | None, other: Struct | None) -> bool:
    """Whether two records have the same fields at the same places, whatever they are called."""
    return one is other or (one is not None and other is not None and one.members == other.members)


def _check_arguments(point: Point, provider: Provider) -> None:
    """Count the parts of an attach point; those of a place in a source file count otherwise."""
    least, most, words = _ARGUMENTS.get(provider.name, (0, 99, ""))
    if not least <= len(point.args) <= most and "@" not in point.args:
        message = f"{provider.name} probe type requires {words} arguments, found {len(point.args)}"
        raise _wrong(point, message, f"usage: {provider.usage}")


_ARGUMENTS = {
    "begin": (0, 0, "0"),
    "end": (0, 0, "0"),
    "bench": (1, 1, "1"),
    "test": (1, 1, "1"),
    "tracepoint": (2, 2, "2"),
    "rawtracepoint": (1, 2, "2 or 1"),
    "profile": (1, 2, "1 or 2"),
    "interval": (1, 2, "1 or 2"),
    "kprobe": (1, 2, "1 or 2"),
    "kretprobe": (1, 2, "1 or 2"),
    "uprobe": (2, 3, "2 or 3"),
    "uretprobe": (2, 3, "2 or 3"),
}
"""How many parts the attach points of a kind have, and how messages say that."""


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
    return _at(point.span, message, hint)


def _at(span: Span | None, message: str, hint: str) -> SourceError:
    return SourceError([Diagnostic("ERROR", message, span, hint)])


def diagnostics_of(faults: list[Fault]) -> list[Diagnostic]:
    """What the faults say, to be reported with others."""
    found: list[Diagnostic] = []
    for fault in faults:
        if isinstance(fault, SourceError):
            found += fault.diagnostics
        else:
            found.append(Diagnostic("ERROR", fault.message, fault.span, fault.hint))
    return found
