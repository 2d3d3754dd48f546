"""What our compiler says of a case of bpftrace's unit tests, on a machine like the one those make up."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from builders.elf import ElfBuilder
from builders.scripts import FakeFiles
from probee.base.errors import FeatureError, SourceError, TargetError
from probee.base.source import Diagnostic, Source
from probee.bt.compile import compile_script
from probee.bt.macros import expand_macros
from probee.bt.parser import parse
from probee.bt.points import diagnostics_of, resolve_points
from probee.elf.consts import PF, SHF
from probee.elf.file import Elf
from probee.probes import is_later
from probee.spec.asked import NOTHING, Asked
from probee.spec.target import Target

if TYPE_CHECKING:
    from .bpftrace_corpus import Case

_FEATURES = frozenset(
    ("atomics_fetch", "large_keys", "map_lookup_percpu_elem", "ktime_get_tai_ns", "kprobe_multi", "may_goto")
    + ("for_each_map_elem", "bpf_loop")
)
_BASE = 0x401000
_SYMBOLS = ("f", "first_open", "main", "readline", "second_open", "cpp_mangled", "_Z11cpp_mangledi") + (
    "glob_asciirange",
    "github.com/golang/glog.severityName",
    *[f"12345_{size}" for size in (1, 2, 4, 8, 5, 33)],
)


class _Files(FakeFiles):
    """Every program is there, and has _SYMBOLS, but for those whose names say that they are not."""

    def find_program(self, name: str) -> str | None:
        return None if "notexist" in name else name

    def open_elf(self, path: str) -> Elf:
        return Elf(memoryview(_program()), path)

    def find_cgroup(self, path: str) -> int | None:
        return 1


@cache
def _program() -> bytes:
    elf = ElfBuilder()
    elf.section(".text", data=bytes(0x400), flags=SHF.ALLOC | SHF.EXECINSTR, address=_BASE, align=4096)
    elf.load(".text", flags=PF.R | PF.X)
    for number, name in enumerate(_SYMBOLS):
        elf.symbol(name, _BASE + 0x40 * number, size=0x40)
    return elf.build()


_FORMAT = """name: event
ID: 1
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned long common_field;	offset:8;	size:8;	signed:0;

print fmt: ""
"""


class _Names:
    """A kernel with a few functions and tracepoints."""

    events = (
        ("btf", "tag"),
        ("category", "event"),
        ("file", "filename"),
        ("notsched", "bar"),
        ("sched", "sched_one"),
        ("sched", "sched_two"),
        ("sched_extra", "sched_extra"),
        ("tcp", "some_tcp_tp"),
        ("vmlinux", "event_rt"),
    )
    functions = tuple(
        [(name, "") for name in ("f", "func_1", "func_2", "func_3", "main", "sys_read", "sys_write")]
        + [("mod_func_1", "kernel_mod_1"), ("mod_func_2", "kernel_mod_1"), ("mod_func_1", "kernel_mod_2")]
    )

    def find_format(self, category: str, event: str) -> str | None:
        return _FORMAT if (category, event) in self.events else None

    def iter_tracepoints(self) -> tuple[tuple[str, str], ...]:
        return self.events

    def have_function(self, name: str, module: str) -> bool:
        return True

    def iter_functions(self) -> tuple[tuple[str, str], ...]:
        return self.functions

    def have_module(self, name: str) -> bool:
        return True

    def find_address(self, symbol: str) -> int | None:
        return 0xFFFFFFFF81000000


TARGET = Target("6.12.0", "x86_64", 2, 4, _FEATURES, _Files(), _Names())


_ENABLED = (("unstable_typeinfo", "enable"), ("unstable_import_statement", "enable"))


class Outcome(NamedTuple):
    """What came out for a case. `kind`: "same"; "text", where only what is printed differs; "accepted" or
    "refused", where we do and they don't; "later" for kinds of probes that are not there; "crash"."""

    kind: str
    said: str = ""


def judge(case: Case) -> Outcome:
    """Compare what we say of a case with what they do."""
    try:
        errors, warnings = _diagnose(case)
    except Exception as fault:  # noqa: BLE001 (the point is to see which)
        return Outcome("crash", f"{type(fault).__name__}: {fault}")
    said = "".join([d.render() + "\n" for d in (*errors, *warnings)])
    if any("probes are not supported yet" in d.message for d in errors):
        return Outcome("later", said)
    if case.error is None:
        if errors:
            return Outcome("refused", said)
        return Outcome("same" if _is_said(case, errors, warnings) else "text", said)
    if not errors:
        return Outcome("accepted", said)
    return Outcome("same" if _is_said(case, errors, warnings) else "text", said)


def _diagnose(case: Case) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """Errors and warnings."""
    source = Source("stdin", case.script)
    try:
        if case.stage == "check":
            # Their checks of types don't ask what features are enabled.
            asked = NOTHING if case.file == "unstable_feature" else Asked(settings=_ENABLED)
            compiled = compile_script(source, TARGET, params=case.params, unsafe=case.unsafe, asked=asked)
            return [], list(compiled.warnings)
        script = parse(source, case.params)
        if case.stage == "expand":
            expand_macros(script)
        elif case.stage == "points":
            return diagnostics_of(resolve_points(script, TARGET, 0)[1]), []
    except SourceError as error:
        found = list(error.diagnostics)
        return [d for d in found if d.severity == "ERROR"], [d for d in found if d.severity != "ERROR"]
    except (TargetError, FeatureError) as error:
        return [Diagnostic("ERROR", error.message, error.span, error.hint)], []
    return [], []


def _is_said(case: Case, errors: list[Diagnostic], warnings: list[Diagnostic]) -> bool:
    wanted = case.error or ""
    said = _render(errors, wanted)
    if case.exact and wanted and said.strip() != wanted.strip():
        return False
    warned = _render(warnings, case.warning)
    if case.no_warning and case.no_warning.strip("\n") in warned:
        return False
    return wanted.strip("\n") in said and case.warning.strip("\n") in warned


def _render(diagnostics: list[Diagnostic], wanted: str) -> str:
    """What is printed, without the hints that are ours."""
    lines = "\n".join([d.render() for d in diagnostics]).split("\n")
    return "\n".join([line for line in lines if not line.startswith("HINT:") or line in wanted])


def is_later_kind(case: Case) -> bool:
    """True for a case of which some probe is of a kind that is not there."""
    return any(is_later(word) for word in re.findall(r"(?:^|[},;/\s])([a-zA-Z]+)(?=:)", case.script))
