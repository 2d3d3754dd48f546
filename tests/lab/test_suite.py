"""What is said of a suite that ran in a guest."""

from __future__ import annotations

import pytest

from lab.guest import TIMED_OUT
from lab.suite import Outcome, main, read_report, render_outcome

REPORT = """\
<testsuites><testsuite>
  <testcase classname="tests.a" name="test_one"/>
  <testcase classname="tests.a" name="test_two"><system-out>text</system-out></testcase>
  <testcase classname="tests.a" name="test_bad"><failure message="assert 1 == 2">…</failure></testcase>
  <testcase classname="tests.b" name="test_broken"><error message="fixture">…</error></testcase>
  <testcase classname="tests.b" name="test_x"><skipped message="needs kprobe: why"/></testcase>
  <testcase classname="tests.b" name="test_y"><skipped message="needs kprobe: why"/></testcase>
</testsuite></testsuites>
"""


def test_a_report() -> None:
    outcome = Outcome("6.1.0", 1, 61.4)
    read_report(outcome, REPORT)
    assert render_outcome(outcome).splitlines() == [
        "6.1.0: 2 passed, 2 failed, 2 skipped, 61 s",
        "  failed: tests.a::test_bad",
        "  failed: tests.b::test_broken",
        "  skipped 2: needs kprobe: why",
    ]


@pytest.mark.parametrize(("status", "reason"), [(TIMED_OUT, "time was up"), (125, "exit status 125")])
def test_a_guest_that_left_no_report(status: int, reason: str) -> None:
    assert render_outcome(Outcome("6.1.0", status, 7)) == f"6.1.0: no result, {reason}, 7 s"


def test_kernels_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tests/attach", "6.1"]) == 2
    assert capsys.readouterr().err == "ERROR: kernels come before pytest's arguments\n"
