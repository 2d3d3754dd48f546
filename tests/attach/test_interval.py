"""interval: a timer, while its handle is open."""

from __future__ import annotations

import time

import pytest

from builders.bpf import COUNTERS, counting
from probee.attach.machine import LiveMachine
from probee.base.errors import AttachError
from probee.spec.abi import ProgType
from probee.spec.bundle import IntervalLink
from programs import wait_until

pytestmark = pytest.mark.kernel

MS = 1_000_000


def test_it_fires_at_its_period_until_it_is_closed() -> None:
    with LiveMachine() as machine:
        counters = machine.create_map(COUNTERS)
        program = machine.load(counting(ProgType.PERF_EVENT), {"counters": counters})
        count = counters.view().cast("Q")
        handle = machine.attach(IntervalLink("test", 10 * MS, "interval:ms:10"), program)
        started = time.monotonic()
        wait_until(lambda: count[0] >= 23)
        # A busy machine may be late; early it never is.
        assert time.monotonic() - started >= 0.2
        handle.close()
        fired = count[0]
        time.sleep(0.1)
        assert count[0] == fired
        handle.close()


def test_two_timers_do_not_disturb_each_other() -> None:
    with LiveMachine() as machine:
        counters = machine.create_map(COUNTERS)
        program = machine.load(counting(ProgType.PERF_EVENT), {"counters": counters})
        count = counters.view().cast("Q")
        first = machine.attach(IntervalLink("test", 5 * MS), program)
        machine.attach(IntervalLink("test", 5 * MS), program)
        wait_until(lambda: count[0] >= 5)
        first.close()
        before = count[0]
        wait_until(lambda: count[0] >= before + 5)


def test_a_program_of_another_type_is_refused() -> None:
    with LiveMachine() as machine:
        counters = machine.create_map(COUNTERS)
        program = machine.load(counting(ProgType.RAW_TRACEPOINT), {"counters": counters})
        with pytest.raises(AttachError, match="attach interval:s:1: Invalid argument"):
            machine.attach(IntervalLink("test", 1000 * MS, "interval:s:1"), program)
