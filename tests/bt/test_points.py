"""Attach points of one probe whose `args` differ: the body is typed anew with each."""

from __future__ import annotations

from builders.scripts import errors, make_target
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.spec.bundle import Bundle

TWO = "tracepoint:syscalls:sys_enter_openat, tracepoint:sched:sched_process_exec"


def bundle_of(text: str) -> Bundle:
    return compile_script(Source("stdin", text), make_target()).bundle


def test_each_record_has_its_own_program_and_its_own_offsets() -> None:
    bundle = bundle_of(f"{TWO} {{ @[probe] = args.common_pid; }}")
    assert [link.program for link in bundle.links] == [program.name for program in bundle.programs]
    assert len(bundle.programs) == 2


def test_programs_that_do_not_ask_are_not_split() -> None:
    bundle = bundle_of("tracepoint:*:s* { @ = count(); }")
    assert len(bundle.programs) == 1
    assert len(bundle.links) == 2


def test_a_field_that_one_record_has_not_is_an_error_of_that_record_alone() -> None:
    wrong = errors(f"{TWO} {{ @ = args.dfd; }}")
    assert len(wrong) == 1
    assert "_tracepoint_sched_sched_process_exec" in wrong[0].message


def test_an_error_of_the_body_is_said_once() -> None:
    wrong = errors(f"{TWO} {{ @ = args.common_pid; @x = nosuch; }}")
    assert [error.message for error in wrong] == ["Unknown identifier: 'nosuch'"]
