"""Addresses of the kernel's symbols, of a kernel that is made up."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from builders.scripts import FakeNames, Script, make_target
from probee.base.errors import FeatureError, SourceError
from probee.base.record import replace
from probee.testing.types import DeclaredTypes

TYPES = (
    "struct rq { int cpu; unsigned nr_running; }; struct rq runqueues; unsigned long avenrun[3]; int hidden;"
)
COPIES = {0: 0x10000, 1: 0x20000}
MEMORY = {
    0x5000: struct.pack("=QQ", *COPIES.values()),
    0x7000: struct.pack("=QQQ", 11, 22, 33),
    **{0x100 + offset: struct.pack("=iI", cpu, 70 + cpu) for cpu, offset in COPIES.items()},
}


def values(body: str, *, cpu: int = 0) -> list[Any]:
    target = replace(make_target(), types=DeclaredTypes(TYPES))
    script = Script(f"begin {{ {body} }}", target=target)
    script.machine.kernel_memory = MEMORY
    return script.run(cpu=cpu).values()


def test_an_address_is_a_number_and_points_into_the_kernel() -> None:
    body = 'print(kaddr("avenrun")); $a = kptr(kaddr("avenrun")); print(*(uint64 *)$a);'
    assert values(f'{body} print(kaddr("runqueues") + 1);') == [0x7000, 11, 0x101]
    assert values('$a = kaddr("avenrun"); print(*$a); print(*(uint32 *)$a); @a = $a; print(*@a);') == [11] * 3
    assert values('print(*((uint64 *)kptr(kaddr("avenrun") + 8)));') == [22]


def test_what_is_there_has_the_types_of_the_kernel() -> None:
    assert values('print(percpu_kaddr("runqueues", 1).nr_running);') == [71]


def test_a_cpus_own_copy() -> None:
    body = 'print(percpu_kaddr("runqueues")); print(((struct rq *)percpu_kaddr("runqueues")).cpu);'
    assert values(body, cpu=0) == [0x10100, 0]
    assert values(body, cpu=1) == [0x20100, 1]


def test_a_cpu_that_there_can_not_be() -> None:
    assert values('print(percpu_kaddr("runqueues", 1)); print(percpu_kaddr("runqueues", 2));') == [0x20100, 0]
    assert values('@n = 7; print(percpu_kaddr("runqueues", @n)); print(percpu_kaddr("runqueues", -1));') == [
        0,
        0,
    ]


@pytest.mark.parametrize(
    ("symbol", "hint"),
    [
        ("nosuch", None),
        ("hidden", "it is a variable, which kernels without CONFIG_KALLSYMS_ALL tell no address of"),
    ],
)
def test_a_symbol_that_is_not_there(symbol: str, hint: str | None) -> None:
    with pytest.raises(SourceError) as caught:
        values(f'print(kaddr("{symbol}"));')
    (found,) = caught.value.diagnostics
    assert (found.message, found.hint) == (f"Failed to resolve kernel symbol: {symbol}", hint)
    assert found.span is not None
    assert found.span.text == f'kaddr("{symbol}")'


def test_a_kernel_that_keeps_its_addresses_back() -> None:
    class Silent(FakeNames):
        def find_address(self, symbol: str) -> int | None:
            raise FeatureError("kept back", hint="ask")

    with pytest.raises(SourceError) as caught:
        Script('begin { print(kaddr("avenrun")); }', target=replace(make_target(), names=Silent()))
    assert [(d.message, d.hint) for d in caught.value.diagnostics] == [("kept back", "ask")]
