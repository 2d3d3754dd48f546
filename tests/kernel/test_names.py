"""The running kernel's tracepoints and functions."""

from __future__ import annotations

import pytest

from probee.base.errors import FeatureError
from probee.kernel import names
from probee.kernel.names import LiveNames

pytestmark = pytest.mark.kernel


@pytest.mark.needs("tracefs")
def test_tracepoints() -> None:
    live = LiveNames()
    assert ("sched", "sched_switch") in set(live.iter_tracepoints())
    text = live.find_format("sched", "sched_switch")
    assert text is not None
    assert "field:pid_t prev_pid" in text
    assert live.find_format("sched", "nonsense") is None


def test_functions() -> None:
    live = LiveNames()
    assert live.have_function("vfs_read", "")
    assert not live.have_function("vfs_rea", "")
    assert not live.have_function("vfs_read", "nonsense")
    assert not live.have_module("nonsense")


def test_functions_of_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveNames()
    text = b"ffffffffc0000000 t nft_new\t[nf_tables]\nffffffffc0000010 d table\t[nf_tables]\n"
    monkeypatch.setitem(live.__dict__, "_symbols", text)
    assert live.have_function("nft_new", "nf_tables")
    assert live.have_function("nft_new", "")
    assert not live.have_function("nft_new", "nf")
    assert not live.have_function("table", "nf_tables")


@pytest.mark.needs("tracefs")
def test_functions_that_can_be_traced() -> None:
    found = dict(LiveNames().iter_functions())
    assert found.get("vfs_read", "") == ""
    assert not any(name.startswith("__ftrace_invalid_address__") for name in found)


def test_answers_hold_for_a_boot_and_its_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveNames()
    assert live.evidence == ()
    assert live.holds(())
    live.have_module("nonsense")
    evidence = live.evidence
    assert LiveNames().holds(evidence)
    monkeypatch.setattr(names, "_read_state", lambda: ("another boot",))
    assert not LiveNames().holds(evidence)


def test_a_kernel_without_tracefs_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "TRACEFS", ("/nonexistent",))
    with pytest.raises(FeatureError, match="tracefs") as caught:
        LiveNames().find_format("sched", "sched_switch")
    assert caught.value.hint is None or "mount" in caught.value.hint
