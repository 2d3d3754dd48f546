"""Loops on the interpreter and in the kernel, with may_goto and without it."""

from __future__ import annotations

import pytest

from builders.scripts import Script, complaints, make_target, warnings

from .in_kernel import check_agreement, live_target, run_in_kernel

_WITH = make_target(features=("atomics_fetch", "large_keys", "may_goto"))
_CALLED = make_target(features=("atomics_fetch", "large_keys", "bpf_loop"))
_WITHOUT = make_target()

_SCRIPTS = {
    "for $i : 0..5 { print($i); }": [0, 1, 2, 3, 4],
    "for $i : 5..0 { print($i); }": [],
    "for $i : -2..1 { print($i); }": [-2, -1, 0],
    "for $i : 0..9 { if $i == 1 { continue; } if $i == 4 { break; } print($i); }": [0, 2, 3],
    "for $i : 0..9 { if $i == 2 { print(100); return; } print($i); } print(200);": [0, 1, 100],
    "for $i : 0..3 { print($i); $i = 7; print($i); }": [0, 7, 1, 7, 2, 7],
    "@n = 3; for $i : 1..(@n + 1) { @n = 9; print($i); }": [1, 2, 3],
    "for $i : 0..3 { for $j : $i..3 { if $j == 2 { break; } print(($i, $j)); } }": [(0, 0), (0, 1), (1, 1)],
    "$i = 0; while ($i < 3) { $i++; print($i); }": [1, 2, 3],
    "$i = 9; while ($i) { $i--; if $i % 2 == 0 { continue; } if $i < 3 { break; } print($i); }": [7, 5, 3],
    "$i = 0; while (true) { if $i > 3 { print($i); return; } $i += 2; }": [4],
    "$i = 0; while ($i < 100) { $i++; for $j : 0..50 { @s += $j; } } print((uint64)@s);": [122500],
    "while (false) { print(1); } print(2);": [2],
    '$i = 0; while ($i < 2000) { $i++; @s += $i; } print($i); printf("%d", @s);': [2000, 2001000],
    "$n = (uint64)0; for $i : 0..60 { for $j : 0..60 { $n += $j; } } print($n);": [106200],
    'unroll(3) { @x++; printf("%d", @x); }': [1, 2, 3],
    '$s = "a"; for $i : 0..3 { $s = $s == "a" ? "longer than a word" : "a"; print($s); }': [
        "longer than a word",
        "a",
        "longer than a word",
    ],
    'unroll(2) { if @a == 0 { $t = "first"; @a = 1; print($t); } else { $t = "second"; print($t); } }': [
        "first",
        "second",
    ],
    "for $i : 0..3 { unroll(2) { if $i == 1 { break; } print($i); } }": [0, 0],
}


@pytest.mark.parametrize("target", [_WITH, _CALLED, _WITHOUT], ids=["may_goto", "bpf_loop", "bounded"])
@pytest.mark.parametrize("body", _SCRIPTS)
def test_rounds(body: str, target: object) -> None:
    script = Script(f"begin {{ {body} }}", target=target)  # type: ignore[arg-type]
    assert script.run().values() == _SCRIPTS[body]


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("loops", "called"),
    [(True, True), (False, True), (False, False)],
    ids=["may_goto", "bpf_loop", "bounded"],
)
@pytest.mark.parametrize("body", _SCRIPTS)
def test_rounds_in_the_kernel(body: str, loops: bool, called: bool) -> None:
    script = Script(f"begin {{ {body} }}", target=live_target(loops=loops, called=called))
    assert check_agreement(script) == _SCRIPTS[body]


@pytest.mark.kernel
def test_a_loop_over_a_number_that_is_not_known_is_bounded() -> None:
    text = 'begin { @n = 100000; for $i : 0..@n { @last = $i; } printf("%d", @last); }'
    script = Script(text, target=live_target(loops=False))
    (last,) = check_agreement(script)
    assert 1000 < last < 100000
    assert script.counter("loop_limit") == 1


@pytest.mark.kernel
def test_bounded_loops_share_what_a_verifier_follows() -> None:
    """One after the other, and within one another: none is refused, whatever they come to."""
    text = """begin { @n = 20000; for $i : 0..@n { @s += $i; } $k = 0;
        while ($k < 500) { $k++; for $j : 0..20 { if $j == 5 { continue; } @c[$j & 1] = count(); } } }"""
    script = Script(text, target=live_target(loops=False))
    check_agreement(script)
    assert script.counter("loop_limit") >= 2


@pytest.mark.kernel
@pytest.mark.needs("bpf_loop")
def test_called_loops_go_round_as_often_as_they_say() -> None:
    text = (
        "begin { @n = 300000; for $i : 0..@n { @last = $i; } $k = 0; while ($k < 200000) { $k++; } "
        'printf("%d %d", @last, $k); }'
    )
    values, _ = run_in_kernel(Script(text, target=live_target(loops=False, called=True)).bundle)
    assert values == [299999, 200000]


def test_a_called_loop_that_breaks_is_not_cut_short() -> None:
    text = (
        "begin { @m = 100000000; for $i : 0..@m { @n = $i; break; } "
        "while (true) { @k++; if @k > 5 { break; } } }"
    )
    script = Script(text, target=_CALLED).run()
    assert (script["@n"], script["@k"], script.counter("loop_limit")) == (0, 6, 0)


def test_may_goto_ends_loops() -> None:
    from probee.ir.interp import run

    script = Script("begin { while (true) { @n++; } }", target=_WITH)
    run(script.functions["begin_1"], script.machine, rounds=10)
    assert script["@n"] == 11
    assert script.counter("loop_limit") == 1


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        ("break;", "break", "'break' statement is not allowed in a probe"),
        ("unroll(2) { continue; }", "continue", "'continue' statement is not allowed in a probe"),
        ("$i = 1; for $i : 0..2 { }", "$i", "Loop declaration shadows existing variable: $i"),
        ('for $i : "a"..2 { }', 'for $i : "a"..2', "Loop range requires an integer for the start value"),
        ('for $i : 0.."a" { }', 'for $i : 0.."a"', "Loop range requires an integer for the end value"),
        ("for $i : 0..2 { } print($i);", "$i", "Undefined or undeclared variable: $i"),
        ("unroll(0) { }", "unroll(0) { }", "unroll minimum value is 1"),
        ("unroll(101) { }", "unroll(101) { }", "unroll maximum value is 100"),
        ("unroll(pid) { @x = 1; }", "unroll(pid) { @x = 1; }", "invalid unroll value"),
        ('while ((1, "a")) { }', '(1, "a")', "syntax: expected a condition, got a tuple"),
    ],
)
def test_errors(body: str, marked: str, message: str) -> None:
    assert complaints(f"begin {{ {body} }}") == [(marked, message)]


def test_while_is_deprecated() -> None:
    message = "While loops are deprecated and may be removed in the future."
    assert warnings("begin { while (0) { @x = 1; } }") == [("while (0) { @x = 1; }", message)]
