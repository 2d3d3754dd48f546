"""Scripts of one `begin` probe, run in this kernel and on the IR's interpreter, which must agree."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from builders.scripts import FORM, Script, make_target
from probee.attach import special
from probee.attach.machine import LiveMachine
from probee.base.record import replace
from probee.events.decode import compile_value
from probee.events.maps import open_variable
from probee.kernel.survey import survey
from probee.spec.bundle import Special

if TYPE_CHECKING:
    from probee.spec.bundle import Bundle
    from probee.spec.target import Target


@cache
def live_target(*, loops: bool = True, called: bool = False) -> Target:
    """What this kernel has; without may_goto unless `loops`, else without bpf_loop unless `called`."""
    live = survey("/usr/bin")
    without = set() if loops else {"may_goto"} if called else {"may_goto", "bpf_loop"}
    return replace(make_target(live.cpus, features=tuple(live.features - without)), isa=live.isa)


def run_in_kernel(bundle: Bundle) -> tuple[list[Any], dict[str, Any]]:
    """Values of all data records, and of all variables."""
    with LiveMachine() as machine:
        maps = {spec.name: machine.create_map(spec) for spec in bundle.maps}
        program = machine.load(bundle.programs[0], maps, bundle.btf)  # type: ignore[arg-type]
        link = bundle.links[0]
        assert isinstance(link, Special)
        special.attach(link, program)
        layouts = {event.id: event for event in bundle.events}
        values = []
        for data in map(bytes, machine.open_ring(maps["data"]).read() if "data" in maps else ()):
            layout = layouts[struct.unpack_from("=I", data)[0]]
            values += [
                compile_value(f.type, FORM)(data[f.offset : f.offset + f.type.size]) for f in layout.fields
            ]
        readers = {
            v.name: open_variable(v, maps[v.map], machine.cpus, FORM)  # type: ignore[arg-type]
            for v in bundle.variables
        }
        return values, {name: reader.read() for name, reader in readers.items()}


def check_agreement(script: Script) -> list[Any]:
    """Run `script` on both; the values that both printed."""
    values, variables = run_in_kernel(script.bundle)
    with open("/proc/self/comm", "rb") as file:
        script.machine.comm = file.read().rstrip(b"\n")
    script.run()
    assert (script.values() if script.bundle.rings else []) == values
    for name, value in variables.items():
        expected = script[name]
        if isinstance(expected, dict):
            assert dict(value) == expected
        elif value is not None or script.variable(name).written >= 0:
            assert value == expected
    return values
