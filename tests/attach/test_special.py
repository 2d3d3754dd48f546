"""BEGIN and END run once, when they are attached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders.bpf import COUNTERS, counting
from probee.attach.machine import LiveMachine
from probee.base.errors import KernelError
from probee.spec.abi import ProgType
from probee.spec.bundle import Special

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel


@pytest.fixture
def machine() -> Iterator[LiveMachine]:
    with LiveMachine() as live:
        yield live


def test_attaching_runs_it_once(machine: LiveMachine) -> None:
    counters = machine.create_map(COUNTERS)
    program = machine.load(counting(ProgType.RAW_TRACEPOINT), {"counters": counters})
    for times in (1, 2):
        handle = machine.attach(Special("test", "begin", "BEGIN"), program)
        assert counters.view().cast("Q")[0] == times
        handle.close()


def test_a_kind_that_cannot_be_run_is_an_error(machine: LiveMachine) -> None:
    counters = machine.create_map(COUNTERS)
    program = machine.load(counting(ProgType.KPROBE), {"counters": counters})
    with pytest.raises(KernelError, match="run test: Operation not supported"):
        machine.attach(Special("test", "begin", "BEGIN"), program)
