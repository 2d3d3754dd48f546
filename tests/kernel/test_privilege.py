"""What a process lacks, in words, for every way to lack something."""

from __future__ import annotations

import pytest

from probee.base.record import replace
from probee.kernel import privilege
from probee.kernel.cpus import parse_cpu_list
from probee.kernel.privilege import Capability, Privileges, explain, read_lockdown, read_privileges
from probee.kernel.syscall import explain_refusal

ROOT = Privileges(
    uid=0,
    capabilities=0x1FF_FFFF_FFFF,
    whole=True,
    seccomp=0,
    lockdown="none",
    bpf_disabled=2,
    perf_paranoid=2,
)


@pytest.mark.parametrize(
    ("having", "words"),
    [
        (ROOT, None),
        (replace(ROOT, lockdown=""), None),
        (replace(ROOT, capabilities=1 << Capability.CAP_SYS_ADMIN), None),
        (replace(ROOT, uid=1000, capabilities=1 << Capability.CAP_BPF | 1 << Capability.CAP_PERFMON), None),
        (
            replace(ROOT, uid=1000, capabilities=0),
            "uid 1000 lacks CAP_BPF and CAP_PERFMON, and kernel.unprivileged_bpf_disabled is 2",
        ),
        (
            replace(ROOT, uid=1000, capabilities=1 << Capability.CAP_BPF, bpf_disabled=0),
            "tracing needs root, or CAP_BPF and CAP_PERFMON: uid 1000 lacks CAP_PERFMON",
        ),
        (replace(ROOT, whole=False), "root of a user namespace"),
        (replace(ROOT, lockdown="integrity"), "lockdown=integrity"),
        (replace(ROOT, lockdown="confidentiality", seccomp=2), "lockdown=confidentiality"),
        (replace(ROOT, seccomp=2), "seccomp filter"),
    ],
)
def test_only_what_is_missing_is_named(having: Privileges, words: str | None) -> None:
    said = explain(having)
    assert said is None if words is None else said is not None and words in said


def test_other_errors_are_not_about_privileges() -> None:
    assert explain_refusal(22) is None


def test_this_process_is_read() -> None:
    having = read_privileges()
    assert having.capabilities < 1 << 64
    assert having.lockdown in ("", "none", "integrity", "confidentiality")


@pytest.mark.parametrize(
    ("files", "level"),
    [
        ({"/sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}, "integrity"),
        ({"/sys/kernel/security/lockdown": "[none] integrity confidentiality\n"}, "none"),
        ({"/proc/cmdline": "quiet lockdown=confidentiality\n"}, "confidentiality"),
        ({"/proc/cmdline": "quiet\n"}, ""),
    ],
)
def test_lockdown_is_read_where_it_is_told(
    files: dict[str, str], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privilege, "read_text", files.get)
    monkeypatch.setattr("probee.kernel.config.PATHS", ())
    assert read_lockdown() == level


@pytest.mark.parametrize(
    ("uid_map", "whole"),
    [
        ("         0          0 4294967295\n", True),
        ("         0       1000          1\n", False),
        ("", False),
    ],
)
def test_a_user_namespace_is_seen(uid_map: str, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "read_text", {"/proc/self/uid_map": uid_map}.get)
    assert read_privileges().whole is whole


@pytest.mark.parametrize(
    ("text", "cpus"), [("0\n", [0]), ("0-3\n", [0, 1, 2, 3]), ("0,2-3,8\n", [0, 2, 3, 8]), ("\n", [])]
)
def test_cpu_lists(text: str, cpus: list[int]) -> None:
    assert parse_cpu_list(text) == cpus
