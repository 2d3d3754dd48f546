"""Machines and programs for the tests of the VM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probee.isa.asm import assemble
from probee.spec.abi import MapType
from probee.spec.bundle import Map
from probee.vm.machine import Vm

if TYPE_CHECKING:
    from probee.vm.maps import VmMap

ENGINES = [False, True]
"""Values of `Vm(interpret=…)`."""


def run(vm: Vm, text: str, *arguments: int, **maps: VmMap) -> int:
    """What the program `text` returns; maps are named in it by `map[name]`."""
    numbers = {name: fd for fd, name in enumerate(maps)}
    insns = assemble(text, resolve=lambda kind, name: numbers.get(name))
    return vm.load_insns(insns, {numbers[name]: table for name, table in maps.items()}).run(*arguments)


def make_map(vm: Vm, kind: MapType, key: int = 4, value: int = 8, entries: int = 4, name: str = "m") -> VmMap:
    return vm.create_map(Map(name, kind, key, value, entries))


def u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def u64(number: int) -> bytes:
    return (number & (1 << 64) - 1).to_bytes(8, "little")
