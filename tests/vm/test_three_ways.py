"""Random scripts do the same on the IR's interpreter, on the VM (both engines) and in the kernel."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bt.in_kernel import live_target, run_in_kernel
from bt.test_lower_against_kernel import Writer
from builders.scripts import FORM, Script, make_target
from probee.events.decode import compile_value
from probee.events.maps import open_variable
from probee.vm.machine import Vm
from probee.vm.world import World
from programs import few

if TYPE_CHECKING:
    from probee.spec.bundle import Bundle

Outcome = tuple[list[Any], dict[str, Any]]
"""Values of all data records, and of all variables."""


def _run_on_vm(bundle: Bundle, cpus: int, *, interpret: bool, comm: bytes = b"probee") -> Outcome:
    vm = Vm(World(cpus=cpus), interpret=interpret)
    vm.world.comm = comm
    maps = {spec.name: vm.create_map(spec) for spec in bundle.maps}
    vm.attach(bundle.links[0], vm.load(bundle.programs[0], maps))
    layouts = {event.id: event for event in bundle.events}
    values = []
    for data in map(bytes, vm.open_ring(maps["data"]).read() if "data" in maps else ()):
        for field in layouts[struct.unpack_from("=I", data)[0]].fields:
            values.append(
                compile_value(field.type, FORM)(data[field.offset : field.offset + field.type.size])
            )
    readers = {v.name: open_variable(v, maps[v.map], cpus, FORM) for v in bundle.variables}
    return values, {name: _sorted(reader.read()) for name, reader in readers.items()}


def _run_on_ir(script: Script, comm: bytes) -> Outcome:
    script.machine.comm = comm
    script.run()
    return script.values() if script.bundle.rings else [], {
        v.name: script[v.name] for v in script.bundle.variables
    }


def _sorted(value: Any) -> Any:
    return dict(value) if isinstance(value, list) else value


def _check_same(script: Script, found: Outcome, expected: Outcome) -> None:
    assert found[0] == expected[0]
    for name, value in found[1].items():
        # The interpreter can't tell a 0 that was never written from one that was, where there is no mark.
        if isinstance(value, dict) or value is not None or script.variable(name).written >= 0:
            assert value == expected[1][name], name


@settings(max_examples=few(30), deadline=None)
@given(st.integers(0, 1 << 32))
def test_interpreter_and_vm(seed: int) -> None:
    target = make_target()
    script = Script(Writer(seed, target).script(), target=target)
    expected = _run_on_ir(script, b"probee")
    for interpret in (False, True):
        found = _run_on_vm(script.bundle, script.target.cpus, interpret=interpret)
        _check_same(script, found, expected)


@pytest.mark.kernel
@settings(max_examples=few(15), deadline=None)
@given(st.integers(0, 1 << 32))
def test_interpreter_vm_and_kernel(seed: int) -> None:
    target = live_target()
    script = Script(Writer(seed, target).script(), target=target)
    with open("/proc/self/comm", "rb") as file:
        comm = file.read().rstrip(b"\n")
    values, variables = run_in_kernel(script.bundle)
    kernel = values, {name: _sorted(value) for name, value in variables.items()}
    ours = _run_on_vm(script.bundle, script.target.cpus, interpret=False, comm=comm)
    assert ours == kernel
    _check_same(script, ours, _run_on_ir(script, comm))
