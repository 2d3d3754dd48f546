"""`probee doctor`: what this machine can trace, and what stands in the way of the rest.

Everything is found out by looking and trying; each "no" says why. It runs for any user: what only root can
find out is said to be so.
"""

from __future__ import annotations

import errno
import os
import re
import sys

from .. import __version__
from ..base.errors import UsageError
from ..base.record import record
from ..kernel.cpus import possible_cpus
from ..kernel.features import FEATURES, Answer, probe_features
from ..kernel.privilege import Privileges, explain, read_privileges
from ..kernel.survey import find_level
from ..probes import is_later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE = """\
USAGE:
    probee doctor [--json]

Says what this machine can trace, and why not.
"""

_NEEDS = {
    "BEGIN, END": ("test_run",),
    "self": ("test_run",),
    "test, bench": ("test_run",),
    "interval": ("perf_event", "cpu_timer"),
    "uprobe": ("uprobe_pmu", "kprobe_program"),
    "uretprobe": ("uprobe_pmu", "kprobe_program"),
    "usdt": ("uprobe_pmu", "kprobe_program"),
    "profile": ("perf_event", "cpu_timer"),
    "tracepoint": ("tracefs",),
    "rawtracepoint": ("raw_tracepoint",),
    "kprobe": ("kprobe_pmu", "kprobe_program"),
    "kretprobe": ("kprobe_pmu", "kprobe_program"),
    "kprobe on many functions": ("kprobe_multi",),
    "fentry, fexit": ("fentry",),
    "software": ("perf_event", "software"),
    "hardware": ("perf_event", "hardware"),
    "watchpoint": ("perf_event", "watchpoint"),
    "iter": ("iter",),
}
"""Probe kind, as a script spells it, with what it is for where that has no spelling → features it needs."""

_REFUSED = (errno.EPERM, errno.EACCES)
_NOT_FOR_YOU = "needs root, or CAP_BPF and CAP_PERFMON"
_LOCKED = "a policy of this machine, not a fault; what it refuses stays closed"
_WIDTH = 26


@record
class Finding:
    """One probe kind: `have` it or not, `why` not, and whether it is only for a `later` probee."""

    kind: str
    have: bool
    why: str
    later: bool


@record
class Report:
    """All that was found. `isa` is the level of instructions, 1 to 4; `advice`: what to do, in sentences."""

    release: str
    machine: str
    cpus: int
    isa: int
    privileges: Privileges
    answers: dict[str, Answer]
    findings: tuple[Finding, ...]
    advice: tuple[str, ...]


def main(arguments: list[str]) -> int:
    """The exit status: 0 when BEGIN and user-space probes work, else 1. Raises UsageError."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if arguments not in ([], ["--json"]):
        raise UsageError(f"doctor takes no {arguments[0]!r}", hint="probee doctor [--json]")
    report = examine()
    sys.stdout.write(render_json(report) if arguments else render_text(report))
    return 0 if all(f.have for f in report.findings if f.kind in ("BEGIN, END", "uprobe")) else 1


def examine() -> Report:
    """Look at this machine, and try every feature."""
    system, privileges = os.uname(), read_privileges()
    answers = probe_features(FEATURES)
    findings = tuple(_find(kind, answers, privileges) for kind in _NEEDS)
    return Report(
        release=system.release,
        machine=system.machine,
        cpus=len(possible_cpus()),
        isa=find_level({name for name, answer in answers.items() if answer.have}),
        privileges=privileges,
        answers=answers,
        findings=findings,
        advice=tuple(_advise(privileges, answers, findings)),
    )


def render_text(report: Report) -> str:
    """The report for people."""
    having = report.privileges
    lines = [f"probee {__version__}, Python {sys.version.split()[0]}", ""]
    lines += _table(
        ("kernel", f"Linux {report.release}, {report.machine}, {report.cpus} CPUs"),
        ("type information (BTF)", _say(report.answers["vmlinux_btf"])),
        ("instruction level", _NOT_FOR_YOU if having.missing else f"v{report.isa} of v4"),
        ("lockdown", having.lockdown or "not known: securityfs is not mounted"),
        ("user", _user(having)),
        ("unprivileged_bpf_disabled", _number(having.bpf_disabled)),
        ("perf_event_paranoid", _number(having.perf_paranoid)),
    )
    lines += ["", "probes"]
    lines += _table(*((f"  {finding.kind}", _verdict(finding)) for finding in report.findings))
    if report.advice:
        lines += ["", "what to do", *(f"  {advice}" for advice in report.advice)]
    return "\n".join(lines) + "\n"


def render_json(report: Report) -> str:
    """The report for programs: one object, keys as in the text."""
    import json

    having = report.privileges
    found: dict[str, Any] = {
        "probee": __version__,
        "python": sys.version.split()[0],
        "kernel": report.release,
        "machine": report.machine,
        "cpus": report.cpus,
        "isa": report.isa,
        "btf": report.answers["vmlinux_btf"].have,
        "lockdown": having.lockdown or None,
        "uid": having.uid,
        "missing_capabilities": having.missing,
        "user_namespace": not having.whole,
        "seccomp": having.seccomp,
        "unprivileged_bpf_disabled": having.bpf_disabled,
        "perf_event_paranoid": having.perf_paranoid,
        "features": {name: {"have": a.have, "why": a.why} for name, a in report.answers.items()},
        "probes": {f.kind: {"have": f.have, "why": f.why, "later": f.later} for f in report.findings},
        "advice": list(report.advice),
    }
    return json.dumps(found, indent=2) + "\n"


def _find(kind: str, answers: dict[str, Answer], privileges: Privileges) -> Finding:
    later = is_later(kind.split(",")[0].split()[0])
    for name in _NEEDS[kind]:
        answer = answers[name]
        if not answer.have:
            if answer.errno in _REFUSED and privileges.missing:
                return Finding(kind, False, _NOT_FOR_YOU, later)
            return Finding(kind, False, _too_old(name) or answer.why, later)
    return Finding(kind, True, "", later)


def _too_old(name: str) -> str:
    """That a feature which was tried in vain is of a newer kernel, if it is."""
    feature, running = FEATURES.find(name), re.match(r"(\d+)\.(\d+)", os.uname().release)
    if feature is None or running is None or (int(running[1]), int(running[2])) >= feature.since:
        return ""
    return f"needs Linux {feature.since[0]}.{feature.since[1]} or newer"


def _advise(privileges: Privileges, answers: dict[str, Answer], findings: tuple[Finding, ...]) -> list[str]:
    """What would turn a no into a yes, as far as it is known."""
    advice = []
    lacking = explain(privileges)
    if privileges.missing and lacking:
        advice.append(f"{lacking}: run this as root to see the whole picture")
    elif lacking and any(a.errno in _REFUSED for a in answers.values()):
        advice.append(f"{lacking}: {_LOCKED}" if "locked down" in lacking else lacking)
    tracefs = answers["tracefs"]
    if "mount" in tracefs.why:
        advice.append(f"for tracepoints, as root: {tracefs.why.split(': ', 1)[1]}")
    if any("built without" in finding.why for finding in findings):
        advice.append(
            "what the kernel was built without takes another kernel; uprobes and timers need none of it"
        )
    return advice


def _table(*rows: tuple[str, str]) -> list[str]:
    return [f"{name:<{_WIDTH}}  {text}".rstrip() for name, text in rows]


def _verdict(finding: Finding) -> str:
    if not finding.have:
        return f"no   {finding.why}"
    return "yes  (the kernel can; this probee can't yet)" if finding.later else "yes"


def _say(answer: Answer) -> str:
    return "yes" if answer.have else f"no: {answer.why}"


def _user(having: Privileges) -> str:
    name = "root" if having.uid == 0 else f"uid {having.uid}"
    if having.missing:
        return f"{name}, without {' and '.join(having.missing)}"
    return f"{name}, may trace" + ("" if having.whole else ", but in a user namespace")


def _number(value: int | None) -> str:
    return "not there" if value is None else str(value)
