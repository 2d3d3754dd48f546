"""Tuples, records, arrays, blocks as values, sizes and casts: on the interpreter and in the kernel."""

from __future__ import annotations

from typing import Any

import pytest

from builders.scripts import Script, complaints, evaluate

from .in_kernel import check_agreement, live_target

_SCRIPTS: dict[str, list[Any]] = {
    # tuples
    '$t = (1, "abc", (2, "x")); print($t.0); print($t.1); print($t.2.1); print($t.2);': [
        1,
        "abc",
        "x",
        (2, "x"),
    ],
    "print((1, 2).1); print((7,)); $t = (3, 4); print($t[1]);": [2, (7,), 4],
    "$z = (1, 2); print($z); $z = (100000, 3); print($z); print($z.0);": [(1, 2), (100000, 3), 100000],
    '$t = (1, "k"); @a[$t] = (5, "v"); print(@a[1, "k"].1); print(@a[$t].0); @b = $t; print(@b.1);': [
        "v",
        5,
        "k",
    ],
    '$t = (1, "abc"); print($t == (1, "abc")); print($t != (1, "abd")); print($t == (1, "abcd"));': [
        True,
        True,
        False,
    ],
    '$t = ((int8)-1, (uint64)5); print($t == (-1, (uint64)5)); print(("a", (1, "b")) == ("a", (1, "c")));': [
        True,
        False,
    ],
    'for $i : 0..3 { $t = ($i, "v"); @q[$t] = $t; } print(@q[1, "v"]); print(@q[(2, "v")].0);': [(1, "v"), 2],
    '$a = (1, "x"); $b = $a; $a = (2, "longer"); print($b); print($a);': [(1, "x"), (2, "longer")],
    # records
    '$r = (x=1, y="s", z=(a=5, b=true)); print($r.x); print($r.y); print($r.z.b); print($r.z);': [
        1,
        "s",
        True,
        {"a": 5, "b": True},
    ],
    '@m[1] = (n=7, s="text"); print(@m[1].n); print(@m[1].s); print(@m[2].n);': [7, "text", 0],
    "print((a=1, b=2) == (a=1, b=2)); print((a=1, b=2) == (a=1, b=3));": [True, False],
    # arrays and text
    "$a = (uint8[4])0x01020304; print($a); print($a[0]); print((uint32)$a);": [[4, 3, 2, 1], 4, 0x01020304],
    "$a = (uint16[4])1; $i = (uint64)3; print($a[$i]); print((uint8[])(uint16)5);": [0, [5, 0]],
    "@v = 2; $a = (uint8[4])0x01020304; print($a[(uint64)@v]); print($a[(uint64)@v + 2]);": [2, 0],
    "$a = (uint8[4])7; print($a == (uint8[4])7); print($a != (uint8[4])7);": [
        True,
        False,
    ],
    '$s = "hello"; print($s[1]); print("abc"[2]); print((1, "xyz").1[0]);': [101, 99, 120],
    # blocks
    "$x = if 5 > 3 { 1 } else { 2 }; print($x); print(if $x == 2 { 3 } else if $x == 1 { 4 } else { 5 });": [
        1,
        4,
    ],
    '@u = 0; $s = if @u == 0 { "a" } else { "longer" }; print($s);': ["a"],
    '$b = { $q = 4; $q * 2 }; print($b); print({ let $z = "q"; $z }); print({ ($b, "t") }.1);': [8, "q", "t"],
    "@t = 1; $c = { if @t == 1 { print(5); return; } 6 }; print($c);": [5],
    "for $i : 0..3 { $v = if $i == 1 { continue; } else { $i }; print($v); }": [0, 2],
    'printf("%d %s", { for $i : 0..3 { @n += $i; } @n }, { $t = "text"; $t });': [3, "text"],
    # constants and sizes
    'print(sizeof(int32)); print(sizeof("abc")); $v = (uint16)5; print(sizeof($v)); print(sizeof((1, 2)));': [
        4,
        4,
        2,
        2,
    ],
    "print(offsetof((a=1, b=(uint64)2), b)); print(sizeof(uint8[6])); print(sizeof(int32 *));": [8, 6, 8],
    "let $x : typeof((uint8)1) = 5; print($x); print((typeof($x))300);": [5, 44],
    "print(comptime (3 * 4 + sizeof(int64))); unroll(sizeof(uint16)) { print(1); }": [20, 1, 1],
    'if comptime (sizeof(int64) == 8) { print("yes"); } else { print(nosuch); }': ["yes"],
    "$x = if comptime (1 == 2) { nosuch } else { 5 }; print($x);": [5],
    # changing
    "$x = 5; $x++; $x <<= 2; $x ^= 1; $x |= 2; $x &= 0x1f; $x -= 3; $x *= 2; $x /= 4; $x >>= 1; print($x);": [
        6
    ],
    "$x = 1; print($x++ + ++$x); @m[1] = 3; @m[1] *= 4; print(@m[1]--); print(--@m[1]); print(@m[1]);": [
        4,
        12,
        10,
        10,
    ],
    "_ = 5; print(0 ?: 9); print(3 ?: 9);": [9, 3],
}


@pytest.mark.parametrize("body", _SCRIPTS)
def test_values(body: str) -> None:
    assert Script(f"begin {{ {body} }}").run().values() == _SCRIPTS[body]


@pytest.mark.kernel
@pytest.mark.parametrize("body", _SCRIPTS)
def test_values_in_the_kernel(body: str) -> None:
    assert check_agreement(Script(f"begin {{ {body} }}", target=live_target())) == _SCRIPTS[body]


def test_an_index_that_is_too_large_is_counted() -> None:
    script = Script("begin { @v = 4; $a = (uint8[4])-1; print($a[(uint64)@v]); }").run()
    assert script.values() == [0]
    assert script.counter("out_of_bounds") == 1


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        ("$t = (1, 2); print($t.2);", "$t.2", "Invalid tuple index: 2. Found 2 elements in tuple."),
        ("$x = 1; print($x.0);", "$x.0", "Can not access index '0' on expression of type 'int8'"),
        ("$x = 1; print($x.a);", "$x.a", "Can not access field 'a' on expression of type 'int8'"),
        ("print((a=1).b);", "(a=1).b", "Record does not contain a field named 'b'"),
        ("$t = (1, 2); $t = (1, 2, 3);", "$t = (1, 2, 3)", None),
        ('print((pid, 2) == ("a", 2));', '(pid, 2) == ("a", 2)', None),
        (
            "print((1, 2) < (1, 3));",
            "(1, 2) < (1, 3)",
            "The < operator can not be used on expressions of types (int8,int8), (int8,int8)",
        ),
        (
            "$a = (uint8[4])1; print($a[4]);",
            "$a[4]",
            "the index 4 is out of bounds for array of size 4",
        ),
        (
            "$a = (uint8[4])1; print($a[-1]);",
            "$a[-1]",
            "The array index operator [] only accepts non-negative integer indices. Got: int8",
        ),
        (
            "$a = (uint8[4])1; print($a == (uint8[8])1);",
            "$a == (uint8[8])1",
            "Only arrays of same size support comparison operators.",
        ),
        ('$x = if pid { 1 } else { "a" };', 'if pid { 1 } else { "a" }', None),
        ("$x = comptime pid;", "comptime pid", "Unable to resolve comptime expression"),
        ("$t = (count(), 1);", "count()", "count() must be assigned directly to a map"),
    ],
)
def test_errors(body: str, marked: str, message: str | None) -> None:
    found = complaints(f"begin {{ {body} }}")
    assert [text for text, _ in found] == [marked]
    assert message is None or found == [(marked, message)]


def test_a_value_of_a_branch_that_jumps_is_not_asked_for() -> None:
    assert evaluate("{ $x = if pid == 0 { return; } else { 5 }; $x }") == 5
