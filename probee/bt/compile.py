"""A script's text to a bundle: parse, check, lower, generate code.

The same text and the same target give the same bundle.
"""

from __future__ import annotations

from ..base.errors import SourceError
from ..base.record import replace
from ..codegen.info import describe
from ..codegen.pipeline import compile_unit
from ..funcs.stored import place_variable, variables_of
from ..funcs.unit import GLOBALS, Options, Unit, default_options
from ..spec.asked import NOTHING
from ..spec.bundle import Bundle, Compiled, Program, UprobeLink
from .cdefs import CTypes
from .check import check_script, sort_diagnostics
from .fold import fold_literals
from .headers import Headers
from .lower import lower_program
from .macros import expand_macros
from .parser import parse
from .points import check_limits, diagnostics_of, resolve_points
from .settings import configure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..base.source import Source
    from ..ir.nodes import Function
    from ..probes.provider import Provider, Site
    from ..spec.asked import Asked
    from ..spec.bundle import Link
    from ..spec.target import Target
    from . import tree
    from .names import Checked
    from .settings import Configured

    Dump = Callable[[str, object], None]


def compile_script(
    source: Source,
    target: Target,
    *,
    params: Sequence[str] = (),
    pid: int = 0,
    options: Options | None = None,
    unsafe: bool = False,
    asked: Asked = NOTHING,
    dump: Dump | None = None,
) -> Compiled:
    """Compile one script for `target`.

    `params` are the positional parameters; `pid` restricts every probe that can be to one process (0: all);
    `unsafe` allows functions that change the traced system; `asked` is what else the user wants. `dump` is
    called with a stage's name ("ast", then for every program "built", "simplified", "allocated") and what the
    stage made: the tree, or a function of IR. Raises SourceError for a script that is wrong, TargetError
    where what it names is not there, UsageError for settings of the environment.
    """
    script = parse(source, params)
    if dump is not None:
        dump("ast", script)
    script, ctypes = _with_c_text(script, target, params, asked)
    script, folded = fold_literals(expand_macros(script), params)
    settings = configure(script, options or default_options(target), asked, target.page_size)
    options = settings.options
    missing = str(settings.values["missing_probes"])
    actions, faults, missed = resolve_points(script, target, pid, missing, asked.probes, unsafe=unsafe)
    try:
        checked = check_script(
            script,
            actions,
            params,
            max_strlen=options.max_strlen,
            unsafe=unsafe,
            stacks=(options.stack_mode, options.stack_limit),
            settings=settings.values,
            named=dict(asked.named),
            files=target.files,
            target=target,
            ctypes=ctypes,
        )
    except SourceError as error:
        told = [*missed, *diagnostics_of(faults), *error.diagnostics]
        raise SourceError(sort_diagnostics(told)) from None
    if len(faults) == 1:
        for warning in missed:
            faults[0].add_note(warning.render())
        raise faults[0]
    if faults:
        raise SourceError(sort_diagnostics([*missed, *diagnostics_of(faults)]))
    bundle = _Programs(checked, target, settings, pid).make(dump)
    return Compiled(bundle, (*settings.warnings, *sort_diagnostics([*folded, *missed, *checked.warnings])))


def _with_c_text(
    script: tree.Script, target: Target, params: Sequence[str], asked: Asked
) -> tuple[tree.Script, CTypes]:
    """A script with all that it imports, the macros of C expanded, and its types."""
    c_text: tuple[Source, ...] = ()
    if script.imports:
        from .imports import merge_imports

        script, c_text = merge_imports(script, target.files, params)
    ctypes = CTypes(script, target, _headers(target, asked, c_text))
    if ctypes.have_macros:
        from .cmacros import expand_c_macros

        script = expand_c_macros(script, ctypes)
    return script, ctypes


def _headers(target: Target, asked: Asked, c_text: tuple[Source, ...]) -> Headers | None:
    if not asked.include_folders and not asked.include_files and not c_text:
        return None
    return Headers(target, asked.include_folders, asked.include_files, c_text)


class _Programs:
    """The programs of a checked script in the making."""

    def __init__(self, checked: Checked, target: Target, settings: Configured, pid: int) -> None:
        self.checked = checked
        self.settings = settings
        self.target = target
        self.pid = pid
        self.unit = make_unit(checked, target, settings.options)
        self.unit.settings = settings.values
        self.nesting = self.unit.counter("nesting")
        self.programs: list[Program] = []
        self.functions: list[Function] = []
        self.links: list[Link] = []

    def make(self, dump: Dump | None) -> Bundle:
        actions = self.checked.actions
        shared = [
            [self._share(a.probe, kind, sites) for kind, sites in zip(a.providers, a.sites, strict=True)]
            for a in actions
        ]
        values = self.settings.values
        needed = [sum(map(len, groups)) for groups in shared]
        check_limits(actions, needed, int(values["max_probes"]), int(values["max_bpf_progs"]))
        for action, parts in zip(actions, shared, strict=True):
            for point, provider, groups in zip(action.probe.points, action.providers, parts, strict=True):
                for group in groups:
                    self._add(action.probe, point, provider, group)
        built = compile_unit(self.functions, self.target, (GLOBALS, self.nesting), dump)
        btf, infos = describe(built.codes)
        programs = [
            replace(
                program,
                code=code.code,
                relocations=code.relocations,
                lines=code.lines,
                func_info=func_info,
                line_info=line_info,
            )
            for program, code, (func_info, line_info) in zip(self.programs, built.codes, infos, strict=True)
        ]
        unit, script = self.unit, self.checked.script
        return Bundle(
            programs=tuple(programs),
            maps=unit.all_maps() + built.maps,
            variables=variables_of(unit),
            links=tuple(self.links),
            events=tuple(unit.events),
            counters=tuple(unit.counters.values()),
            globals=GLOBALS,
            rings=unit.rings,
            btf=btf,
            source=script.source,
            config=tuple([(name, values[name]) for name in sorted(self.settings.chosen)]),
            start_time=unit.start,
            traced_pid=unit.pid,
            tai_offset=unit.tai,
            child_pid=unit.child,
            numbered=tuple(unit.numbered),
        )

    def _share(
        self, probe: tree.Probe, provider: Provider, sites: tuple[Site, ...]
    ) -> list[tuple[Site, ...]]:
        """Sites that one program can serve: all, unless it asks where it is or for what differs there."""
        used = self.checked.names[probe]
        told = self._has_cookies(provider)
        if used & {"args", "uaddr"} or ("func" in used and not told and self._knows_function(provider)):
            return [(site,) for site in sites]
        names = "probe" in used and not told
        arguments = any(name[:3] == "arg" and name[3:].isdigit() for name in used)
        groups: dict[tuple[object, ...], list[Site]] = {}
        for site in sites:
            known = (
                site.probe if names else "",
                site.arguments if arguments else None,
                site.goroutine if "goid" in used else None,
            )
            groups.setdefault(known, []).append(site)
        return [tuple(group) for group in groups.values()]

    def _has_cookies(self, provider: Provider) -> bool:
        """True where one program can look up what its places are called."""
        return provider.cookies and self.target.have("attach_cookie")

    def _knows_function(self, provider: Provider) -> bool:
        """True where what `func` is has to be a constant."""
        from ..funcs.place import is_constant

        return is_constant(provider, self.target)

    def _add(
        self, probe: tree.Probe, point: tree.AttachPoint, provider: Provider, sites: tuple[Site, ...]
    ) -> None:
        """Make one program that serves all of `sites`, and their links."""
        name = f"{provider.name}_{len(self.programs) + 1}"
        site = _merge(point, sites)
        if len(sites) > 1 and self._has_cookies(provider) and self.checked.names[probe] & {"func", "probe"}:
            site = replace(site, served=sites)
        filtered = self.pid > 0 and provider.task and not provider.links_by_pid
        made = lower_program(self.checked, self.unit, probe, provider, site, name, filtered=filtered)
        self.functions.append(made)
        self.programs.append(
            Program(
                name,
                provider.program_type,
                b"",
                expected_attach=provider.find_attach_type(self.target, sites),
                license=str(self.settings.values["license"]),
                probe=site.probe,
                span=probe.span,
            )
        )
        for number, place in enumerate(sites, 1):
            link = replace(place.link, program=name)
            told = site.served and isinstance(link, UprobeLink)
            self.links.append(replace(link, cookie=number) if told else link)


def make_unit(checked: Checked, target: Target, options: Options) -> Unit:
    """What the programs share, with a home for every variable that is ever written."""
    unit = Unit(target, options)
    for name, info in checked.maps.items():
        if info.value is not None:
            place_variable(unit, name, info.key, info.value, info.declared)
    unit.globals.place_cpus()
    return unit


def _merge(point: tree.AttachPoint, sites: tuple[Site, ...]) -> Site:
    """The site that a program for all of `sites` is made for."""
    first = sites[0]
    same = all(site.probe == first.probe for site in sites)
    return first if same else replace(first, probe=point.text, function="")
