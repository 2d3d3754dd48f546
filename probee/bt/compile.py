"""A script's text to a bundle: parse, check, lower, generate code. The same text and target give the same bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.errors import SourceError, TargetError
from ..base.record import record
from ..base.registry import near_misses
from ..base.source import Diagnostic
from ..codegen.info import describe
from ..codegen.pipeline import compile_unit
from ..funcs.stored import place_variable, variables_of
from ..funcs.unit import GLOBALS, Options, Unit
from ..probes import find, find_near, is_later
from ..probes.provider import Point
from ..spec.bundle import Bundle, Program
from .check import check_script, sort_diagnostics
from .lower import lower_program
from .names import Action
from .parser import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..base.source import Source
    from ..codegen.emit import Code
    from ..ir.nodes import Function
    from ..probes.provider import Provider, Site
    from ..spec.bundle import Link
    from ..spec.target import Target
    from . import tree
    from .names import Checked

    Dump = Callable[[str, object], None]


@record
class Compiled:
    """A bundle and the warnings that came up on the way."""

    bundle: Bundle
    warnings: tuple[Diagnostic, ...] = ()


def compile_script(
    source: Source,
    target: Target,
    *,
    params: Sequence[str] = (),
    pid: int = 0,
    options: Options | None = None,
    unsafe: bool = False,
    dump: Dump | None = None,
) -> Compiled:
    """Compile one script for `target`.

    `params` are the positional parameters; `pid` restricts every probe that can be to one process (0: all).
    `dump` is called with a stage's name ("ast", "built", "simplified", "allocated") and what the stage made:
    the tree, or a function of IR. Raises SourceError for a script that is wrong, TargetError where what it
    names is not there.
    """
    script = parse(source, params)
    if dump is not None:
        dump("ast", script)
    options = configure(script, options or Options())
    actions, faults = resolve_points(script, target, pid)
    try:
        checked = check_script(script, actions, params, max_strlen=options.max_strlen, unsafe=unsafe)
    except SourceError as error:
        raise _joined([*_diagnostics(faults), *error.diagnostics]) from None
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise _joined(_diagnostics(faults))
    return Compiled(make_bundle(checked, target, options, pid, dump), tuple(checked.warnings))


def _diagnostics(faults: Sequence[SourceError | TargetError]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for fault in faults:
        if isinstance(fault, SourceError):
            found += fault.diagnostics
        else:
            found.append(Diagnostic("ERROR", fault.message, fault.span, fault.hint))
    return found


def _joined(diagnostics: Sequence[Diagnostic]) -> SourceError:
    return SourceError(sort_diagnostics(diagnostics))


# ---- config


_NUMBERS = ("max_strlen", "max_map_keys")


def configure(script: tree.Script, options: Options) -> Options:
    """`options` with what the script's `config` block says. Raises SourceError."""
    from ..base.record import replace

    for setting in script.config:
        if setting.key in _NUMBERS:
            if not isinstance(setting.value, int) or isinstance(setting.value, bool) or setting.value < 1:
                raise _wrong_setting(setting, f"{setting.key}: expected a number of at least 1")
            options = replace(options, **{setting.key: setting.value})
        elif setting.key not in _OTHER_SETTINGS:
            near = near_misses(setting.key, (*_NUMBERS, *_OTHER_SETTINGS))
            hint = f"did you mean {' or '.join(near)}?" if near else None
            raise _wrong_setting(setting, f"{setting.key}: not a known configuration option", hint)
    return options


_OTHER_SETTINGS = (
    "cache_user_symbols cpp_demangle lazy_symbolication license log_size max_bpf_progs max_cat_bytes max_probes "
    "missing_probes on_stack_limit perf_rb_pages print_maps_on_exit show_debug_info use_blazesym stack_mode "
    "str_trunc_trailer unstable_import_statement unstable_typeinfo unstable_tseries unstable_dw_ustack"
).split()


def _wrong_setting(setting: tree.Setting, message: str, hint: str | None = None) -> SourceError:
    return SourceError([Diagnostic("ERROR", message, setting.span, hint)])


# ---- attach points


def resolve_points(
    script: tree.Script, target: Target, pid: int
) -> tuple[list[Action], list[SourceError | TargetError]]:
    """The probes with the places that they attach to, and what is wrong with attach points."""
    actions, faults = [], []
    for probe in script.probes:
        providers: list[Provider] = []
        places: list[tuple[Site, ...]] = []
        for written in probe.points:
            point = Point(written.provider, written.args, written.text, written.span)
            try:
                provider = _find_provider(point)
                providers.append(provider)
                places.append(tuple(provider.expand(point, target, pid)))
            except (SourceError, TargetError) as fault:
                faults.append(fault)
        actions.append(Action(probe, tuple(providers), tuple(places)))
    return actions, faults


def _find_provider(point: Point) -> Provider:
    provider = find(point.provider)
    if provider is not None:
        return provider
    if is_later(point.provider):
        message, hint = (
            f"{point.provider} probes are not supported yet",
            "this version has begin, end, interval, uprobe and uretprobe",
        )
    else:
        near = find_near(point.provider)
        message = f"Invalid probe type: {point.provider}"
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else "this version has begin, end, interval, uprobe and uretprobe"
        )
    raise SourceError([Diagnostic("ERROR", message, point.span, hint)])


# ---- the bundle


def make_bundle(checked: Checked, target: Target, options: Options, pid: int, dump: Dump | None) -> Bundle:
    """Code and data of a checked script."""
    unit = make_unit(checked, target, options)
    nesting = unit.counter("nesting")
    programs: list[Program] = []
    functions: list[Function] = []
    links: list[Link] = []
    for action in checked.actions:
        for provider, sites in zip(action.providers, action.sites, strict=True):
            for group in _share(checked, action.probe, sites):
                name = f"{provider.name}_{len(programs) + 1}"
                made, site = _lower(checked, unit, action.probe, provider, group, name, pid)
                functions.append(made)
                programs.append(
                    Program(name, provider.program_type, b"", probe=site.probe, span=action.probe.span)
                )
                links += [_linked(place, name) for place in group]
    built = compile_unit(functions, target, (GLOBALS, nesting), dump)
    btf, infos = describe([program.name for program in programs], built.codes)
    return Bundle(
        programs=tuple(map(_with_code, programs, built.codes, infos)),
        maps=unit.all_maps() + built.maps,
        variables=variables_of(unit),
        links=tuple(links),
        events=tuple(unit.events),
        counters=tuple(unit.counters.values()),
        globals=GLOBALS,
        rings=unit.rings,
        btf=btf,
        source=checked.script.source,
        config=tuple([(s.key, s.value) for s in checked.script.config]),
        start_time=unit.start,
    )


def make_unit(checked: Checked, target: Target, options: Options) -> Unit:
    """What the programs share, with a home for every variable that is ever written."""
    unit = Unit(target, options)
    for name, info in checked.maps.items():
        if info.value is not None:
            place_variable(unit, name, info.key, info.value, info.declared)
    unit.globals.place_cpus()
    return unit


def _share(checked: Checked, probe: tree.Probe, sites: tuple[Site, ...]) -> list[tuple[Site, ...]]:
    """Sites that one program can serve: all, unless it asks where it is."""
    if checked.names[probe] & {"func", "probe"}:
        return [(site,) for site in sites]
    return [sites]


def _lower(
    checked: Checked,
    unit: Unit,
    probe: tree.Probe,
    provider: Provider,
    sites: tuple[Site, ...],
    name: str,
    pid: int,
) -> tuple[Function, Site]:
    site = sites[0]
    if len(sites) > 1:
        from ..base.record import replace

        text = next(p.text for p in probe.points if find(p.provider) is provider)
        site = replace(site, probe=text, function="")
    filtered = pid if provider.task and not provider.links_by_pid else 0
    return lower_program(checked, unit, probe, provider, site, name, filtered), site


def _linked(site: Site, program: str) -> Link:
    from ..base.record import replace

    return replace(site.link, program=program)


def _with_code(program: Program, code: Code, info: tuple[bytes, bytes]) -> Program:
    from ..base.record import replace

    return replace(
        program,
        code=code.code,
        relocations=code.relocations,
        lines=code.lines,
        func_info=info[0],
        line_info=info[1],
    )
