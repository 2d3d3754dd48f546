"""`probee doctor`: for root, for others, for programs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import UsageError
from probee.cli import doctor
from probee.kernel.features import FEATURES, Answer
from probee.kernel.privilege import Privileges

if TYPE_CHECKING:
    from programs import Probee

NOBODY = Privileges(1000, 0, True, 0, "", 2, 4)
ROOT = Privileges(0, (1 << 41) - 1, True, 0, "none", 2, 2)


def examined(
    monkeypatch: pytest.MonkeyPatch, privileges: Privileges, answers: dict[str, Answer]
) -> doctor.Report:
    every = {name: answers.get(name, Answer(True)) for name in FEATURES}
    monkeypatch.setattr(doctor, "probe_features", lambda _: every)
    monkeypatch.setattr(doctor, "read_privileges", lambda: privileges)
    return doctor.examine()


def line(report: doctor.Report, kind: str) -> str:
    lines = doctor.render_text(report).splitlines()
    return next(one.strip() for one in lines if one.startswith(f"  {kind} "))


@pytest.mark.kernel
@pytest.mark.needs("uprobe")
def test_this_machine_can_trace_programs(probee: Probee) -> None:
    done = probee("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Linux {os.uname().release}" in done.stdout
    words = {tuple(one.split()[:2]) for one in done.lines}
    assert ("uprobe", "yes") in words


@pytest.mark.kernel
def test_programs_are_told_the_same(probee: Probee) -> None:
    found = json.loads(probee("doctor", "--json").stdout)
    assert found["kernel"] == os.uname().release
    assert set(found["features"]) == set(FEATURES)
    assert all(answer["have"] or answer["why"] for answer in found["probes"].values())


def test_what_this_version_cannot_do_yet_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    report = examined(monkeypatch, ROOT, {})
    later = {finding.kind for finding in report.findings if finding.later}
    assert later == {"fentry, fexit", "iter"}
    assert line(report, "profile") == "profile                   yes"
    assert line(report, "iter").endswith("yes  (the kernel can; this probee can't yet)")


def test_every_no_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    report = examined(monkeypatch, ROOT, {name: Answer(False, f"no {name} here") for name in FEATURES})
    assert all(finding.why and not finding.have for finding in report.findings)
    assert line(report, "kprobe") == "kprobe                    no   no kprobe_pmu here"


def test_a_user_is_told_to_be_root_not_that_the_kernel_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Answer(False, "the kernel answers: Operation not permitted", 1)
    missing = Answer(False, "it was built without CONFIG_KPROBES")
    answers = {"test_run": refused, "isa_v2": refused, "kprobe_pmu": missing}
    report = examined(monkeypatch, NOBODY, answers)
    assert line(report, "BEGIN, END").endswith("no   needs root, or CAP_BPF and CAP_PERFMON")
    assert "built without CONFIG_KPROBES" in line(report, "kprobe")
    assert any("uid 1000 lacks CAP_BPF and CAP_PERFMON" in advice for advice in report.advice)
    assert "v1 of v4" not in doctor.render_text(report)


def test_lockdown_is_called_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = Privileges(0, ROOT.capabilities, True, 0, "integrity", 2, 2)
    report = examined(monkeypatch, locked, {"fentry": Answer(False, "refused", 1)})
    assert any("lockdown=integrity" in advice and "policy" in advice for advice in report.advice)


def test_all_well_needs_no_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    report = examined(monkeypatch, ROOT, {})
    assert report.advice == ()
    assert "what to do" not in doctor.render_text(report)


def test_the_exit_status_says_whether_tracing_works_at_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examined(monkeypatch, ROOT, {"fentry": Answer(False, "refused")})
    assert doctor.main([]) == 0
    capsys.readouterr()
    examined(monkeypatch, ROOT, {"uprobe_pmu": Answer(False, "not there")})
    assert doctor.main(["--json"]) == 1
    assert json.loads(capsys.readouterr().out)["probes"]["uprobe"]["why"] == "not there"


def test_other_words_are_refused() -> None:
    with pytest.raises(UsageError, match="doctor takes no '--yaml'"):
        doctor.main(["--yaml"])
