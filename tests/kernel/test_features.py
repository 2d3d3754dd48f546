"""What the kernel answers, against the version that is said to have brought it."""

from __future__ import annotations

import gzip
import os
import re
from typing import TYPE_CHECKING

import pytest

from probee.base.errors import FeatureError, FormatError
from probee.kernel.config import find_config
from probee.kernel.features import FEATURES, Answer, probe_features
from probee.kernel.privilege import read_lockdown

if TYPE_CHECKING:
    from pathlib import Path

# What a kernel new enough may still not have, and how to know that it is for that reason.
BUILT_WITH = {
    "kprobe_pmu": "CONFIG_KPROBES",
    "kprobe_multi": "CONFIG_FPROBE",
    "uprobe_pmu": "CONFIG_UPROBE_EVENTS",
    "uprobe_multi": "CONFIG_UPROBE_EVENTS",
    "uprobe_multi_pid": "CONFIG_UPROBE_EVENTS",
    "vmlinux_btf": "CONFIG_DEBUG_INFO_BTF",
    "tp_btf": "CONFIG_DEBUG_INFO_BTF",
    "iter": "CONFIG_DEBUG_INFO_BTF",
    "watchpoint": "CONFIG_HAVE_HW_BREAKPOINT",
}
CLOSED_BY_LOCKDOWN = {"fentry"}
UP_TO_THE_MACHINE = {
    "hardware": "nothing counts CPU cycles here",
    "tracefs": "tracefs is not mounted",
}


def running() -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    assert found
    return int(found[1]), int(found[2])


def is_excused(name: str, answer: Answer) -> bool:
    if name in BUILT_WITH:
        return find_config(BUILT_WITH[name]) == "n"
    if name in CLOSED_BY_LOCKDOWN:
        return read_lockdown() not in ("", "none") and "locked down" in answer.why
    return name in UP_TO_THE_MACHINE and answer.why.startswith(UP_TO_THE_MACHINE[name])


@pytest.mark.kernel
@pytest.mark.parametrize("name", list(FEATURES))
def test_a_kernel_at_or_past_since_has_the_feature(name: str) -> None:
    feature = FEATURES.find(name)
    assert feature is not None
    answer = feature.probe()
    assert answer.have or answer.why
    if running() >= feature.since:
        assert answer.have or is_excused(name, answer), answer.why


@pytest.mark.kernel
def test_probing_leaves_no_descriptor_open() -> None:
    probe_features(FEATURES)
    before = len(os.listdir("/proc/self/fd"))
    probe_features(FEATURES)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("name", list(FEATURES))
def test_a_kernel_that_knows_nothing_has_nothing_and_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        return -22

    for module in ("features", "programs", "maps", "perf"):
        for call in ("bpf", "bpf_charged", "perf_event_open"):
            path = f"probee.kernel.{module}.{call}"
            monkeypatch.setattr(path, refuse, raising=False)
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("probee.kernel.perf.read_text", lambda _: None)
    feature = FEATURES.find(name)
    assert feature is not None
    answer = feature.probe()
    assert not answer.have
    assert answer.why


def test_a_name_that_is_none_is_an_error() -> None:
    with pytest.raises(FeatureError, match="no feature is called 'warp'"):
        probe_features(["warp"])


def test_options_of_the_kernels_build_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = b"CONFIG_BPF=y\nCONFIG_HZ=250\n# CONFIG_X is not set\n"
    plain, packed = tmp_path / "config", tmp_path / "config.gz"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    for path in (plain, packed):
        monkeypatch.setattr("probee.kernel.config.PATHS", (str(tmp_path / "none"), str(path)))
        assert [find_config(f"CONFIG_{n}") for n in ("BPF", "HZ", "X", "BP")] == ["y", "250", "n", "n"]
    packed.write_bytes(b"not a gzip member")
    with pytest.raises(FormatError, match="expected a gzip member"):
        find_config("CONFIG_BPF")
    monkeypatch.setattr("probee.kernel.config.PATHS", ())
    assert find_config("CONFIG_BPF") is None
