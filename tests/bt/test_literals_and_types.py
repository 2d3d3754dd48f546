"""What literals come to, what types may be asked, where variables are kept."""

from __future__ import annotations

import pytest

from builders.scripts import Script, complaints, evaluate, warnings

from .in_kernel import live_target, run_in_kernel


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("~0", (1 << 64) - 1),
        ("0xffffffffffffffff", (1 << 64) - 1),
        ("1 << 63", 1 << 63),
        ('"a" == "a"', True),
        ('"abc" + 1', "bc"),
        ('"ab" + "cd"', "abcd"),
        ('"ab"[1]', 98),
        ("(1, (2, true)) == (1, (2, true))", True),
        ('(a=1, b="x") == (b="x", a=1)', True),
        ("(1, 2)[0 + 1]", 2),
        ("true && 0", False),
        ('"" ? 1 : 2', 2),
        ("$# + 1", 3),
        ('str($2) == "word"', True),
    ],
)
def test_folded(expression: str, value: object) -> None:
    assert evaluate(expression, "5", "word") == value


@pytest.mark.parametrize(
    "expression", ["1 << 64", "0xffffffffffffffff + 1", "5 % 0", "1 - 0xffffffffffffffff", "-1 & (1 << 63)"]
)
def test_what_fits_in_no_number(expression: str) -> None:
    ((_, message),) = complaints(f"begin {{ $x = {expression}; }}")
    assert message == "unable to fold literals due to overflow or underflow"


@pytest.mark.parametrize(
    ("body", "marked"),
    [
        ("$a = (uint64)1; $a = (int64)2;", ["(uint64)1"]),
        ("@x[(int64)1] = 1; @x[(uint64)2] = 1;", ["(uint64)2"]),
        ("let $a : int8 = (int32)5;", ["(int32)5"]),
        ("$a = ((uint64)1, 2); $a = ((int64)1, 300);", ["(uint64)1"]),
        ("$a = (uint32)1; $a = (int64)2;", []),
        ("$a = (uint64)1; $a = 7;", []),
        ("@start[tid] = nsecs; @h = hist(nsecs - @start[tid]);", []),
        ("@a = nsecs - 5;", ["nsecs"]),
    ],
)
def test_numbers_that_may_change_are_warned_of(body: str, marked: list[str]) -> None:
    found = warnings(f"begin {{ {body} }}")
    assert [text for text, message in found if "being cast to type" in message] == marked


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("$x = 1; if comptime (typeinfo($x) == typeinfo(2)) { print(1); } else { print(2); }", [1]),
        ('print(typeinfo((1, "a")).full_type);', ["(int8,string[2])"]),
        ("print(typeinfo(@m).base_type); @m[(1, 2)] = 1;", ["tuple"]),
        ('let $c; if comptime (typeinfo($c).base_type == "int") { print(1); } $c = 5;', [1]),
    ],
)
def test_typeinfo(body: str, values: list[object]) -> None:
    head = "config = { unstable_typeinfo = enable }"
    assert Script(f"{head} begin {{ {body} }}").run().values() == values


def test_typeinfo_is_for_who_enables_it() -> None:
    ((marked, message),) = complaints("begin { print(typeinfo(1).base_type); }")
    assert (marked, message.split(".")[0]) == ("typeinfo(1)", "typeinfo feature is not enabled by default")


def test_a_type_that_was_asked_about_is_locked() -> None:
    text = """config = { unstable_typeinfo = enable }
        begin { $a = (uint32)1; if comptime (typeinfo($a).full_type == "uint32") { $a = (uint64)2; } }"""
    ((marked, message),) = complaints(text)
    assert marked == "$a = (uint64)2"
    assert "doesn't fit into the locked type 'uint32'" in message


@pytest.mark.kernel
def test_addresses() -> None:
    text = """begin { $a = 5; $b = &$a; print(*$b); $a = 7; print(*$b); $c = &$b; print(**$c);
        $s = "text"; print(*&$s); $t = (1, "x"); print(*&$t); @m = 3; print(*&@m); }"""
    values, _ = run_in_kernel(Script(text, target=live_target()).bundle)
    assert values == [5, 7, 7, "text", (1, "x"), 3]


def test_records_with_their_fields_in_another_order() -> None:
    text = 'begin { $r = (n=1, s="a"); $r = (s="longer", n=(int64)2); print(($r.n, $r.s)); @r = (y=1, x=2); '
    text += "@r = (x=3, y=4); print((@r.x, @r.y)); }"
    assert Script(text).run().values() == [(2, "longer"), (3, 4)]


def test_an_aggregation_may_be_what_a_block_gives() -> None:
    assert Script("begin { @a = { let $x = 100; avg($x) }; @a = { avg(50) }; }").run()["@a"] == 75


def test_pointers_in_maps_step_by_what_they_point_to() -> None:
    assert Script("begin { @p = (int32 *)0x32; @p++; @p -= 6; }").run()["@p"] == 0x32 + 4 - 24
