"""Pointers and the types of C: what lies behind them is read from the process, or from the kernel."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import pytest

from builders.scripts import Script, complaints

from .in_kernel import check_agreement, live_target

_TYPES = """
#define COUNT 3
#define NAME "macro"
enum color { RED, GREEN = 5 };
union word { int whole; unsigned char bytes[4]; };
struct inner { short s; struct { int deep; }; };
struct outer {
    int a;
    char name[8];
    unsigned low : 3, high : 5;
    int signed_bits : 4;
    struct outer *next;
    struct inner inner;
    unsigned short list[COUNT];
    union word word;
    enum color color;
};
"""


def _build(buffer: ctypes.Array[ctypes.c_char], next_: int, a: int) -> None:
    struct.pack_into("=i8sBB2xQ", buffer, 0, a, b"name", 5 | 9 << 3, 0xE, next_)
    struct.pack_into("=h2xi3H2xIi", buffer, 24, -2, 77, 10, 20, 30, 0x04030201, 5)


_FIRST = ctypes.create_string_buffer(64)
_SECOND = ctypes.create_string_buffer(64)
_build(_SECOND, 0, -7)
_build(_FIRST, ctypes.addressof(_SECOND), 42)

_SCRIPTS: list[tuple[str, list[Any]]] = [
    ("print($p->a); print($p->next->a); print($p.next.a); print((*$p).a);", [42, -7, -7, 42]),
    ("print($p->name); print($p->name[1]); $s = $p->name; print($s);", ["name", 97, "name"]),
    ("print($p->low); print($p->high); print($p->signed_bits);", [5, 9, -2]),
    ("print($p->inner.s); print($p->inner.deep);", [-2, 77]),
    ("print($p->list); print($p->list[2]); @i = 1; print($p->list[(uint64)@i]);", [[10, 20, 30], 30, 20]),
    (
        "print($p->word.whole); print($p->word.bytes[3]); $w = $p->word; print($w.bytes[0]);",
        [0x04030201, 4, 1],
    ),
    ("print($p->color == GREEN); print((uint32)$p->color);", [True, 5]),
    ("$o = *$p; print($o.a); print($o.name); print($o.inner.deep); print($o.low);", [42, "name", 77, 5]),
    (
        "$i = (int32 *)$1; print(*$i); print($i[0]); print(*(int32 *)$1); print(*(uint8 *)$1);",
        [42, 42, 42, 42],
    ),
    (
        "$h = (uint16 *)($1 + 32); print(*($h + 1)); print(*(1 + $h)); print($h[2]); print(*($h + 2 - 1));",
        [20, 20, 30, 20],
    ),
    (
        "$h = (uint16 *)($1 + 32); $h++; print(*$h); $h += 1; print(*$h); $h--; print(*$h); print(*--$h);",
        [20, 30, 20, 10],
    ),
    ("$n = (struct outer *)0; print($n->a); print($n->name); print($n == 0);", [0, "", True]),
    ("for $i : 0..2 { $p = $i == 0 ? $p : $p->next; print($p->a); }", [42, -7]),
    ("$q = (struct outer *)$1; print($q->a); @m = $q; print(@m->a);", [42, 42]),
    (
        "print(sizeof(struct outer)); print(sizeof(*$p)); print(offsetof(struct outer, inner.deep));",
        [48, 48, 28],
    ),
    ("print(sizeof(union word)); print(sizeof($p->list)); print(sizeof(enum color));", [4, 6, 4]),
    (
        "print(COUNT); print(NAME); $x = COUNT + 1; print($x); print(GREEN + 1); unroll(COUNT) { @u++; }",
        [3, "macro", 4, 6],
    ),
    ("print((int8)(uint8 *)-1); print((uint64)(uint8 *)-1);", [-1, 255]),
]


def _script(body: str, **options: Any) -> Script:
    text = f"{_TYPES} begin {{ $p = (struct outer *)$1; {body} }}"
    script = Script(text, str(ctypes.addressof(_FIRST)), **options)
    script.machine.user_memory = {ctypes.addressof(b): b.raw for b in (_FIRST, _SECOND)}
    return script


@pytest.mark.parametrize(("body", "values"), _SCRIPTS)
def test_values(body: str, values: list[Any]) -> None:
    assert _script(body).run().values() == values


@pytest.mark.kernel
@pytest.mark.parametrize(("body", "values"), _SCRIPTS)
def test_values_in_the_kernel(body: str, values: list[Any]) -> None:
    assert check_agreement(_script(body, target=live_target())) == values


def test_spaces() -> None:
    """What is behind a pointer of the kernel is the kernel's; what its fields point to, too."""
    script = _script("$k = (struct outer *)kptr($1); print($k->a); print($k->next->a); print(*(int32 *)$k);")
    script.machine.kernel_memory = script.machine.user_memory
    script.machine.user_memory = {}
    assert script.run().values()[:2] == [42, -7]


@pytest.mark.parametrize(
    ("body", "marked", "message"),
    [
        ("print($p->b);", "$p->b", "Struct/union of type 'struct outer' does not contain a field named 'b'"),
        ("$x = (struct nosuch *)0;", "struct nosuch *", 'Cannot resolve unknown type "struct nosuch"'),
        (
            "$o = *$p; print(*$o);",
            "*$o",
            "Can not dereference struct/union of type 'outer'. It is not a pointer.",
        ),
        ('print(*"text");', '*"text"', "The * operator can not be used on expressions of type 'string[5]'"),
        ("print($p * 2);", "$p * 2", None),
        ("print(2 - $p);", "2 - $p", None),
        ("$v = (void *)$1; print($v[0]);", "$v[0]", None),
        ("print(offsetof(struct outer, nosuch));", "offsetof(struct outer, nosuch)", None),
    ],
)
def test_errors(body: str, marked: str, message: str | None) -> None:
    found = complaints(f"{_TYPES} begin {{ $p = (struct outer *)$1; {body} }}", "1")
    assert [text for text, _ in found] == [marked]
    assert message is None or found == [(marked, message)]


def test_an_error_in_c_text_points_into_the_script() -> None:
    text = "struct a { int x; }\nstruct b { int y; }\nstruct c { nosuch z; }\nbegin { }"
    ((marked, _),) = complaints(text)
    assert marked == "nosuch"
