"""The rest of the contract: a session runs a whole script on every machine, and can't tell which it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from bt.in_kernel import live_target
from builders.scripts import make_target
from probee.attach.machine import LiveMachine
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.events.batch import Decoder
from probee.session import Session
from probee.vm.machine import Vm
from programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.fixtures import SubRequest

    from probee.events.batch import Batch
    from probee.spec.target import Target

SCRIPT = """
begin { @a = 5; printf("begin %d", @a); }
interval:ms:1 {
    @n++;
    @evens[@n % 2] = count();
    printf("tick %d", @n);
    if (@n == 11) { clear(@evens); }
    if (@n == 23) { exit(4); }
}
end { printf("end %d", @n); }
"""


@pytest.fixture(params=["vm", pytest.param("kernel", marks=pytest.mark.kernel)])
def machine(request: SubRequest) -> Iterator[tuple[Any, Target]]:
    if request.param == "vm":
        yield Vm(), make_target()
        return
    with LiveMachine() as live:
        yield live, live_target()


def _decode(batches: Iterator[Batch]) -> list[tuple[Any, ...]]:
    return [(b.layout.format, *row) for b in batches for row in Decoder(b.layout).rows(b)]


def test_a_script_from_begin_to_end(machine: tuple[Any, Target]) -> None:
    made, target = machine
    sent = []
    with Session(compile_script(Source("script", SCRIPT), target).bundle, made) as session:
        session.load()
        assert session.attach() == 3
        assert session.is_waiting
        until = time.monotonic() + 20 * PATIENCE
        while session.exit_code is None and time.monotonic() < until:
            sent += _decode(session.pump())
            session.wait(0.001, time.sleep)
        sent += _decode(session.finish())
        assert session.exit_code == 4
        assert not session.is_waiting
        assert {name: reader.read() for name, reader in session.variables.items() if name != "@evens"} == {
            "@a": 5,
            "@n": sent[-1][1],
        }
        # Maps are cleared when that is seen: on a real clock some ticks may have been counted by then.
        evens = sum(count for _, count in session.read("@evens"))
        assert evens == 23 - 11 if isinstance(made, Vm) else 0 < evens <= 23 - 11
    assert sent[:-1] == [("begin %d", 5), *[("tick %d", n) for n in range(1, 24)]]
    assert sent[-1][0] == "end %d"
