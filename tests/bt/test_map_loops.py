"""Loops over maps, len() and find(): on the interpreter, on the VM and in the kernel."""

from __future__ import annotations

from typing import Any

import pytest

from builders.scripts import Script, complaints, make_target
from probee.base.errors import FeatureError
from probee.base.source import Source
from probee.bt.compile import compile_script

from .in_kernel import live_target, run_in_kernel

_THREE = "@a[1] = 10; @a[2] = 20; @a[3] = 30;"

# What is printed, in order of what it is: the kernel's order of entries is its own.
_SCRIPTS: dict[str, list[Any]] = {
    "THREE; for $kv : @a { print($kv); }": [(1, 10), (2, 20), (3, 30)],
    '@m["abc"] = "aa"; @m["de"] = "text"; for ($kv : @m) { print($kv.1); print($kv.0); }': [
        *("aa", "abc", "de", "text")
    ],
    "@m[16, 17] = 32; for $kv : @m { print($kv.0.1); print($kv.0); print($kv.1); }": [17, (16, 17), 32],
    "@r[1] = (x=1, y=(int64)2); for $k : @r { print($k.1.y); $t = $k; print($t.0); }": [1, 2],
    "@o[1] = (1, (int8)2); for $x : @o { @q[$x] = 2; } for $z : @q { print($z); }": [((1, (1, 2)), 2)],
    "@c[1] = count(); @c[1] = count(); @c[2] = count(); for $x : @c { print($x); }": [(1, 2), (2, 1)],
    "@a[1] = max(5); for $x : @a { print($x); }": [(1, 5)],
    "@b[1] = avg(4); @b[1] = avg(6); for $x : @b { print($x); }": [(1, 5)],
    "@d[1] = sum(-4); @e[1] = min(-2); for $x : @d { print($x); } for $x : @e { print($x); }": [
        (1, -4),
        (1, -2),
    ],
    # variables
    "THREE; $v = 1; for $kv : @a { print($v); $v *= 2; } print($v);": [1, 2, 4, 8],
    'THREE; $v = "abc"; for $kv : @a { print($v); $v = "longer"; } print($v);': [
        *("abc", "longer", "longer", "longer")
    ],
    "THREE; $s = (int8)-3; for $x : @a { $s += $x.0; } print($s);": [3],
    "THREE; $t = (1, 2); for $x : @a { $t = ($x.0 * 0, 5); } print($t);": [(0, 5)],
    "THREE; let $x; for $k : @a { $x = 7; } print($x);": [7],
    "@e[1] = 1; delete(@e, 1); $x = 0; for $k : @e { $x = 5; } if $x == 5 { print(1); } else { print(2); }": [
        2
    ],
    # leaving
    "THREE; for $x : @a { print(1); break; } print(100);": [1, 100],
    "THREE; for $x : @a { if $x.0 == 2 { continue; } print($x.0); }": [1, 3],
    "THREE; for $x : @a { print(1); return; } print(100);": [1],
    "THREE; for $x : @a { for $y : @a { print(1); return; } print(5); } print(100);": [1],
    "THREE; for $x : @a { for $y : @a { print(1); break; } } print(100);": [1, 1, 1, 100],
    "THREE; for $x : @a { print(1); exit(); } print(100);": [1],
    "THREE; for $x : @a { while (true) { break; } for $i : 0..9 { if $i == 1 { break; } print($i); } }": [
        *(0, 0, 0)
    ],
    # loops in one another
    'THREE; for $x : @a { for $y : @a { @s += $x.0 * $y.1; } } printf("%d", @s);': [360],
    "THREE; $n = 0; for $x : @a { for $y : @a { for $z : @a { $n += $x.0 + $y.0 * $z.0; } } } print($n);": [
        162
    ],
    "THREE; $n = (uint64)0; for $i : 0..100 { for $x : @a { $n += $i; } } print($n);": [14850],
    'THREE; unroll(2) { for $x : @a { @n++; } } printf("%d", @n);': [6],
    "THREE; if (@a[1] == 10) { for $x : @a { print($x.0); } } else { print(9); }": [1, 2, 3],
    # maps that change
    "THREE; for $x : @a { if $x.0 == 2 { delete(@a, $x.0); } } for $x : @a { print($x.0); }": [1, 3],
    "THREE; for $x : @a { @new[$x.1] = $x.0; } for $x : @new { print($x); }": [
        (10, 1),
        (20, 2),
        (30, 3),
    ],
    "THREE; for $x : @a { @a[$x.0] = 5; print($x.1); } print(@a[2]);": [5, 10, 20, 30],
    # len and find
    "print(len(@a)); THREE; print(len(@a)); for $x : @a { print(len(@a)); }": [0, 3, 3, 3, 3],
    "THREE; let $v; print(find(@a, 2, $v)); print($v);": [True, 20],
    "THREE; $v = 7; print(find(@a, 4, $v)); print($v);": [False, 7],
    '@m[2] = (1, "hello"); let $v; if (find(@m, 2, $v)) { print($v); }': [(1, "hello")],
    "@c[3] = count(); @c[3] = count(); let $v; if find(@c, 3, $v) { print($v); }": [2],
    '@m["a"] = "text"; let $v; for $x : @m { find(@m, $x.0, $v); } print($v);': ["text"],
}

_FUNCTIONS: dict[str, list[Any]] = {
    "fn f($m : int64) : int64 { for $x : @a { if $x.0 == $m { return $x.1; } } return -1; }"
    " begin { THREE; print(f(1)); print(f(3)); print(f(4)); for $y : @a { print(f($y.0) == $y.1); } }": [
        *(-1, True, True, True, 10, 30)
    ],
    "fn f($m : int64) : string { for $x : @t { for $y : @t { if $x.0 == $m { return $x.1; } } } "
    'return "none"; }'
    ' begin { @t[1] = "one"; @t[2] = "two"; print(f(1)); print(f(2)); print(f(3)); }': ["none", "one", "two"],
    "fn f() : void { for $x : @a { print(1); exit(); } print(2); }"
    " begin { THREE; for $i : 0..2 { f(); } print(3); }": [1],
    "macro add(@m) { for $x : @m { @m[$x.0] += 1; } @m[1] }"
    " begin { THREE; print(add(@a)); print(add(@a)); }": [11, 12],
}
_TEXTS = {f"begin {{ {body} }}": values for body, values in _SCRIPTS.items()} | _FUNCTIONS
_ALL = {text.replace("THREE;", _THREE): values for text, values in _TEXTS.items()}


@pytest.mark.parametrize("text", _ALL)
@pytest.mark.parametrize("loop", ["may_goto", "bpf_loop"])
def test_on_the_interpreter(text: str, loop: str) -> None:
    target = make_target(features=("atomics_fetch", "for_each_map_elem", "map_lookup_percpu_elem", loop))
    assert sorted(Script(text, target=target).run().values(), key=str) == sorted(_ALL[text], key=str)


@pytest.mark.kernel
@pytest.mark.needs("for_each_map_elem")
@pytest.mark.parametrize("text", _ALL)
@pytest.mark.parametrize("loops", [True, False], ids=["may_goto", "bpf_loop"])
def test_in_the_kernel(text: str, loops: bool) -> None:
    values, _ = run_in_kernel(Script(text, target=live_target(loops=loops, called=True)).bundle)
    assert sorted(values, key=str) == sorted(_ALL[text], key=str)


@pytest.mark.kernel
@pytest.mark.needs("for_each_map_elem")
def test_large_text_in_loops_within_one_another() -> None:
    """Seven callbacks share 512 bytes of stack: what has no room there lies in scratch memory."""
    head = '@t["key"] = "a text that is longer than a word"; $s = "begin"; '
    loops = " ".join(f'for $kv{n} : @t {{ $s{n} = $kv{n}.1; if $s{n} == "x" {{ break; }}' for n in range(7))
    text = f"begin {{ {head} {loops} $s = $s5; print(($kv6.0, $s6)); {'}' * 7} print($s); }}"
    script = Script(text, target=live_target())
    values, _ = run_in_kernel(script.bundle)
    assert values == [("key", "a text that is longer than a word"), "a text that is longer than a word"]
    assert script.run().values() == values


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        (
            "@m = 1; for $k : @m { }",
            "@m",
            "@m has no explicit keys (scalar map), and cannot be used for iteration",
        ),
        ("for $k : @m { }", "@m", "Undefined map: @m"),
        ("@m[0] = hist(1); for $k : @m { }", "@m", "Loop expression does not support type: hist_t"),
        ("@m[0] = stats(1); for $k : @m { }", "@m", "Loop expression does not support type: stats_t"),
        ("$k = 1; @m[0] = 1; for $k : @m { }", "$k", "Loop declaration shadows existing variable: $k"),
        ("@m[0] = 1; for $k : @m { $z = 1; } print($z);", "$z", "Undefined or undeclared variable: $z"),
        ("@m[0] = 1; for $k : @m { } print($k);", "$k", "Undefined or undeclared variable: $k"),
        ("@m[0] = 1; for $k : @m { print(arg0); }", "arg0", "'arg0' builtin is not allowed in a for-loop"),
        (
            "@m[0] = 1; for $k : @m { print($k.2); }",
            "$k.2",
            "Invalid tuple index: 2. Found 2 elements in tuple.",
        ),
        ("@m = 1; len(@m);", "@m", "call to len() expects a map with explicit keys (non-scalar map)"),
        ("len(1);", "1", "call to len() expects a map, ustack, or kstack"),
        ("@m[1] = 1; find(@m, 1, $v);", "$v", "Undefined or undeclared variable: $v"),
        ("@m[1] = 1; find(@m, 1, 2);", "2", "find() expects a variable as result"),
        (
            "@m[1] = hist(1); let $v; find(@m, 1, $v);",
            "$v",
            "Value 'hist_t' cannot be assigned to a scratch variable.",
        ),
    ],
)
def test_errors(body: str, marked: str, message: str) -> None:
    assert complaints(f"uprobe:/bin/program:main {{ {body} }}") == [(marked, message)]


@pytest.mark.parametrize(
    ("body", "marked", "what"),
    [("for $k : @m { }", "for", "a loop over a map"), ("len(@m)", "len(@m)", "len() of a map")],
)
def test_kernels_that_have_it_not(body: str, marked: str, what: str) -> None:
    target = make_target(features=("atomics_fetch", "large_keys"))
    with pytest.raises(FeatureError) as caught:
        compile_script(Source("stdin", f"begin {{ @m[1] = 1; {body} }}"), target)
    assert caught.value.message == f"{what} needs for_each_map_elem, which Linux has since 5.13"
    assert caught.value.span is not None
    assert caught.value.span.text == marked
