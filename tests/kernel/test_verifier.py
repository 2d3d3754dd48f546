"""The verifier's log, in both of its shapes."""

from __future__ import annotations

import pytest

from probee.base.source import Source, Span
from probee.kernel.verifier import find_span, parse_log
from probee.spec.bundle import LineInfo

OLD = """\
func#0 @0
0: R1=ctx() R10=fp0
; @x = count() @ script.bt:1
0: (b7) r2 = 0                        ; R2=0
1: (63) *(u32 *)(r10 -4) = r2
2: (85) call bpf_map_lookup_elem#1    ; R0=map_value_or_null(id=1,ks=4,vs=8)
5: (79) r3 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
verification time 52 usec
stack depth 8
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

NEW = """\
0: R1=ctx() R10=fp0
0: (b7) r1 = 1
1: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been initialized on this path, so the verifier
  cannot use it as an input.

At:
  insn 1
        | ^-- error: R0 is not readable
  Instruction context:
      0 | (b7) r1 = 1
  >>> 1 | (95) exit

Causal path:
  no retained diagnostic events on this path

Suggestion:
  Initialize R0 on every path before this instruction.

processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_the_old_shape_ends_with_the_reason() -> None:
    verdict = parse_log(OLD)
    assert verdict.slot == 5
    assert verdict.reason == (
        "a pointer that may be null is used unchecked (R0 invalid mem access 'map_value_or_null')"
    )
    assert verdict.hint is None


def test_the_new_shape_has_reason_place_and_suggestion() -> None:
    verdict = parse_log(NEW)
    assert verdict.slot == 1
    assert verdict.reason == (
        "R0 has never been initialized on this path, so the verifier cannot use it as an input."
    )
    assert verdict.hint == "Initialize R0 on every path before this instruction."


def test_a_new_report_without_a_reason_still_has_its_title() -> None:
    verdict = parse_log("7: (95) exit\n\nVerification failed: Something New\n\nprocessed 8 insns (limit 1)\n")
    assert (verdict.reason, verdict.slot) == ("Something New", 7)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("R3 !read_ok", "register r3 is read before it is set"),
        ("R1 invalid mem access 'scalar'", "a number is used as an address"),
        ("R1 invalid mem access 'inv'", "a number is used as an address"),
        ("invalid func unknown#999", "this kernel does not know helper 999"),
        ("unknown func bpf_loop#181", "this kernel has no helper bpf_loop for this kind of program"),
        (
            "program of this type cannot use helper bpf_probe_write_user#36",
            "this kind of program has no helper bpf_probe_write_user",
        ),
        ("invalid indirect read from stack R2 off -16+8 size 16", "an access leaves the stack"),
        ("combined stack size of 2 calls is 544. Too large", "the program needs more than 512 bytes"),
        ("infinite loop detected at insn 4", "a loop may never end"),
        ("R2 min value is negative, either use unsigned or 'var &= const'", "an index may be out of bounds"),
    ],
)
def test_well_known_reasons_are_put_in_words(line: str, reason: str) -> None:
    verdict = parse_log(f"3: (85) call x\n{line}\nprocessed 4 insns (limit 1000000)\n")
    assert verdict.reason.startswith(reason)
    assert verdict.reason.endswith(f"({line})")


def test_an_unknown_reason_is_the_kernels_own_line() -> None:
    line = "R1 type=scalar expected=map_ptr"
    assert parse_log(f"0: R1=ctx() R10=fp0\n4: (85) call f#1\n{line}\nprocessed 5 insns\n").reason == line


@pytest.mark.parametrize(
    ("log", "slot"),
    [
        ("unreachable insn 5\nprocessed 0 insns\n", 5),
        ("back-edge from insn 9 to 3\nprocessed 0 insns\n", 9),
        ("jump out of range from insn 2 to 20\n", 2),
    ],
)
def test_before_any_instruction_the_reason_names_it(log: str, slot: int) -> None:
    assert parse_log(log).slot == slot


@pytest.mark.parametrize("log", ["", "\n\n", "processed 0 insns (limit 1000000)\n"])
def test_a_log_that_says_nothing_gives_no_reason(log: str) -> None:
    verdict = parse_log(log)
    assert (verdict.reason, verdict.slot) == ("", -1)


def test_a_slot_belongs_to_the_last_span_before_it() -> None:
    source = Source("script", "abcdef")
    first, second = Span(source, 0, 2), Span(source, 3, 5)
    lines = (LineInfo(0, first), LineInfo(4, second))
    assert find_span(lines, 0) is first
    assert find_span(lines, 3) is first
    assert find_span(lines, 4) is second
    assert find_span(lines, 99) is second
    assert find_span((), 0) is None
