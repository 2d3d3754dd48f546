"""Variables: where they live, that changes are atomic, that nothing is lost or made up."""

from __future__ import annotations

from typing import Any

import pytest

from builders.scripts import Script, make_target, registers
from probee.spec.abi import MapType

AT = "uprobe:program:main"


def _fire(script: Script, *calls: tuple[int, ...]) -> Script:
    for args in calls:
        script.run(0, registers(*args))
    return script


def _ops(script: Script) -> set[str]:
    """The ops of the first program."""
    function = next(iter(script.functions.values()))
    return {value.op for block in function.blocks for value in block.values}


# ---- without key


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("@x = 5;", 5),
        ("@x = -300;", -300),
        ("@x = 0;", 0),
        ("@x++; @x++;", 2),
        ("@x--;", -1),
        ("@x += 7; @x -= 10;", -3),
        ("@x = 6; @x *= 7;", 42),
        ("@x = 6; @x |= 1; @x <<= 2;", 28),
        ("@x = true;", True),
        ('@x = "text";', "text"),
        ('@x = "text"; @x = "longer text"; @x = "t";', "t"),
        ('@x = (1, "a");', (1, "a")),
        ("@x = (1, 2); @x = (300, -2);", (300, -2)),
        ("@x = 5; @x = (int32)-7;", -7),
        ("@y = 5; @x = @y + @z; @z = 1;", 5),
        ("if (0) { @x = 5; }", None),
        ("if (0) { @x++; }", None),
        ('if (0) { @x = "a"; }', None),
        ("@x = 5; delete(@x);", None),
        ('@x = "a"; delete(@x);', None),
    ],
)
def test_a_variable_without_key(body: str, value: Any) -> None:
    assert Script(f"begin {{ {body} }}").run()["@x"] == value


def test_what_was_never_written_reads_as_nothing() -> None:
    script = Script('begin { printf("%d|%s|%d", @n, @t, @k[1]); if (0) { @n = 1; @t = "a"; @k[1] = 1; } }')
    assert script.run().values() == [0, "", 0]


def test_numbers_have_a_line_of_their_own() -> None:
    script = Script("begin { @x = 1; @y++; }")
    offsets = {script.variable(name).offset for name in ("@x", "@y")}
    assert len(offsets) == 2
    assert all(offset % 64 == 0 for offset in offsets)


@pytest.mark.parametrize("body", ["@x++;", "@x += arg0;", "@x--;", "@k[arg0]++;", "@k[1] -= 2;"])
def test_additions_are_atomic(body: str) -> None:
    ops = _ops(Script(f"{AT} {{ {body} }}"))
    assert "atomic_add" in ops
    assert not ops & {"add", "sub"}


def test_the_value_of_an_addition_is_taken_in_the_same_step() -> None:
    body = f'{AT} {{ $a = @x++; $b = ++@k[1]; printf("%d %d", $a, $b); }}'
    assert "fetch_add" in _ops(Script(body))
    old = Script(body, target=make_target(features=()))
    assert "fetch_add" not in _ops(old)
    for script in (Script(body), old):
        assert _fire(script, (), ()).values() == [0, 1, 1, 2]


# ---- with keys


def test_keys_of_numbers_and_text() -> None:
    script = Script(
        f'{AT} {{ @a[arg0] = arg1; @b["x", arg0, comm] = 1; @c[comm]++; '
        '@d[(uint8)arg0, arg1, (uint8)1] = "v"; }'
    )
    script.machine.comm = b"worker"
    _fire(script, (1, 10), (2, 20), (1, 30))
    assert script["@a"] == {1: 30, 2: 20}
    assert script["@b"] == {("x", 1, "worker"): 1, ("x", 2, "worker"): 1}
    assert script["@c"] == {"worker": 3}
    assert script["@d"] == {(1, 10, 1): "v", (2, 20, 1): "v", (1, 30, 1): "v"}


def test_keys_are_the_same_whatever_lay_there_before() -> None:
    # Undefined memory is 0xAA here: a byte not set would make two keys of one.
    script = Script(
        f'{AT} {{ @x[(uint8)1, str(arg0), arg1]++; @x[(uint8)1, "ab", arg1]++; $s = "ab"; '
        "@x[(uint8)1, $s, arg1]++; @x[(uint8)1, @t, arg1]++; @t = $s; }"
    )
    script.machine.user_memory[0x5000] = b"ab\0garbage"
    _fire(script, (0x5000, 7), (0x5000, 7))
    assert script["@x"] == {(1, "ab", 7): 7, (1, "", 7): 1}


def test_keys_merge_to_the_widest() -> None:
    script = Script('begin { @x[1] = 1; @x[70000] = 2; @y["a"] = 1; @y["abcdef"] = 2; @y["a"] += 5; }').run()
    assert script["@x"] == {1: 1, 70000: 2}
    assert script["@y"] == {"a": 6, "abcdef": 2}


def test_keys_may_have_effects_and_maps_in_them() -> None:
    script = Script("begin { $i = 5; @x[$i++] = 1; @x[@x[5] + $i] = 2; }").run()
    assert script["@x"] == {5: 1, 7: 2}


def test_delete_and_has_key() -> None:
    script = Script(
        'begin { @x["a", 1] = 5; @x["b", 2] = 6; print(has_key(@x, ("a", 1))); print(delete(@x, ("a", 1))); '
        'print(delete(@x["a", 1])); print(has_key(@x, ("a", 1))); delete(@x["b", 3]); }'
    )
    assert script.run().values() == [True, True, False, False]
    assert script["@x"] == {("b", 2): 6}


@pytest.mark.parametrize("write", ["@x[arg0] = 1", "@x[arg0]++", "@x[arg0] *= 2", "@x[arg0] = count()"])
def test_a_full_map_is_counted_and_known_keys_go_on(write: str) -> None:
    script = Script(f"config = {{ max_map_keys = 2; }} {AT} {{ {write}; }}")
    _fire(script, (1,), (2,), (3,), (4,), (1,))
    assert set(script["@x"]) == {1, 2}
    assert script.counter("map_full") == 2


def test_declared_maps() -> None:
    script = Script(
        "let @x = lruhash(7); let @y = percpuhash(3); begin { @x[1] = 1; @y[1] = count(); }",
    )
    maps = {m.name: m for m in script.bundle.maps}
    assert (maps["@x"].type, maps["@x"].max_entries) == (MapType.LRU_HASH, 7)
    assert (maps["@y"].type, maps["@y"].max_entries) == (MapType.PERCPU_HASH, 3)


def test_the_value_of_an_addition_that_found_no_room_is_0() -> None:
    script = Script(f"config = {{ max_map_keys = 1; }} {AT} {{ $a = @n++; print(@x[arg0]++); }}")
    assert _fire(script, (1,), (1,), (2,)).values() == [0, 1, 0]


# ---- copies between them


def test_text_and_tuples_go_from_map_to_map() -> None:
    script = Script(
        'begin { @a = "ab"; @b[1] = @a; @c = @b[1]; @c = "a longer one"; @d = @b[1]; @t = (1, @d); '
        "@u[5] = @t; @u[6] = (1000, @c); @v = @u[5]; }"
    ).run()
    assert (script["@c"], script["@d"], script["@t"]) == ("a longer one", "ab", (1, "ab"))
    assert script["@u"] == {5: (1, "ab"), 6: (1000, "a longer one")}
    assert script["@v"] == (1, "ab")
