"""From text to bundle: the same every time, with what the run half needs; filters on a process."""

from __future__ import annotations

import pytest

from builders.scripts import Script, build_program, make_target, registers
from probee.base.source import Source
from probee.bt.check import check_script
from probee.bt.compile import compile_script, make_unit
from probee.bt.lower import lower_program
from probee.bt.parser import parse
from probee.bt.points import resolve_points
from probee.funcs.unit import CONTROL_BYTES, DATA_BYTES, GLOBALS, Options
from probee.ir.interp import InterpMachine, run
from probee.spec.bundle import Compiled

TEXT = (
    "#!/usr/bin/env probee\nconfig = { max_map_keys = 9; print_maps_on_exit = false }\n"
    "BEGIN { @start = nsecs; }\nuprobe:program:read_* / arg0 > 3 / { @[comm] = count(); "
    'printf("%d\\n", arg0); }\n'
    'interval:s:1 { print(@); clear(@); }\nEND { printf("%d", elapsed); }\n'
)


def _compile(text: str, **options: int) -> Compiled:
    return compile_script(Source("script.bt", text), make_target(), **options)


def test_the_same_text_and_target_give_the_same_bundle() -> None:
    source = Source("script.bt", TEXT)
    assert compile_script(source, make_target()) == compile_script(source, make_target())


def test_what_a_bundle_has() -> None:
    bundle = _compile(TEXT).bundle
    assert [(p.name, p.probe) for p in bundle.programs] == [
        ("begin_1", "begin"),
        ("uprobe_2", "uprobe:program:read_*"),
        ("interval_3", "interval:s:1"),
        ("end_4", "end"),
    ]
    assert all(p.code and p.lines and p.func_info and p.line_info and p.span for p in bundle.programs)
    assert [link.program for link in bundle.links] == [
        "begin_1",
        "uprobe_2",
        "uprobe_2",
        "interval_3",
        "end_4",
    ]
    assert [v.name for v in bundle.variables] == ["@", "@start"]
    sizes = {GLOBALS: 1, "data": DATA_BYTES, "control": CONTROL_BYTES, "@": 9}
    assert {m.name: m.max_entries for m in bundle.maps} == sizes
    assert [e.id for e in bundle.events] == list(range(len(bundle.events)))
    assert bundle.config == (("max_map_keys", 9), ("print_maps_on_exit", False))
    assert bundle.start_time >= 0
    assert bundle.btf
    globals_map = next(m for m in bundle.maps if m.name == bundle.globals)
    assert all(0 <= c.offset <= globals_map.value_size - 8 for c in bundle.counters)
    assert len({c.offset for c in bundle.counters}) == len(bundle.counters)
    assert {c.kind for c in bundle.counters} == {"nesting", "lost", "map_full"}


def test_lines_are_the_users() -> None:
    bundle = _compile(TEXT).bundle
    assert {line.span.line for line in bundle.programs[1].lines} == {4}


def test_stages_can_be_looked_at() -> None:
    seen: list[str] = []
    compile_script(Source("x", "begin { @x++; }"), make_target(), dump=lambda stage, _: seen.append(stage))
    assert seen == ["ast", "built", "simplified", "allocated"]


def test_warnings_come_with_the_bundle() -> None:
    assert [w.severity for w in _compile("begin { 5; }").warnings] == ["WARNING"]


def test_a_filter_on_a_process_where_the_link_has_none() -> None:
    script = parse(Source("x", "uprobe:program:main { @x++; }"))
    target = make_target()
    actions, faults, warnings = resolve_points(script, target, 0)
    assert not faults
    assert not warnings
    checked = check_script(script, actions)
    unit = make_unit(checked, target, Options())
    provider, site = actions[0].providers[0], actions[0].sites[0][0]
    function = lower_program(checked, unit, script.probes[0], provider, site, "f", filtered=True)
    machine = InterpMachine(unit.all_maps())
    region = machine.maps[GLOBALS].find(bytes(4))
    assert region is not None
    region.data[unit.pid] = 42
    for machine.pid in (41, 42, 43, 42):
        run(function, machine, registers())
    assert region.data[unit.variables["@x"].offset] == 2


@pytest.mark.parametrize("text", ["", "// nothing\n", "begin { }", "let @x = hash(3); begin { }"])
def test_scripts_that_do_nothing(text: str) -> None:
    bundle = _compile(text).bundle
    assert bundle.rings == ()
    assert bundle.variables == ()


def test_a_program_of_the_made_up_machine() -> None:
    assert build_program()[:4] == b"\x7fELF"
    assert Script("uprobe:program:main { }").bundle.programs
