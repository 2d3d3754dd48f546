"""Values that outputs show in a way of their own: text of C's arrays, floating point numbers."""

from __future__ import annotations

import pytest

from builders.scripts import Script, registers
from builders.shown import printed

STRUCT = "struct F { char s[5]; float f; double d; int n; } uprobe:program:main { $f = *(struct F *)arg0; "


@pytest.fixture
def memory() -> bytes:
    return b"hello" + bytes(3) + b"ffff" + bytes(4) + b"dddddddd" + (7).to_bytes(8, "little")


def _print(body: str, memory: bytes, *, json: bool = False) -> str:
    script = Script(f"{STRUCT}{body} }}")
    script.machine.user_memory[0x5000] = memory
    return printed(script.run(0, registers(0x5000)), json=json)


def test_a_full_array_was_not_cut(memory: bytes) -> None:
    body = '$s = $f.s; @s = $s; printf("%s %s %7s|", $s, @s, ((struct F *)arg0).s); print(($s, 1));'
    assert _print(body, memory) == "hello hello   hello|(hello, 1)\n"


def test_floating_point_is_shown_as_nothing(memory: bytes) -> None:
    assert _print("print($f);", memory) == "{ .s = hello, .f = null, .d = null, .n = 7 }\n"
    assert '"f": null, "d": null, "n": 7' in _print("print($f);", memory, json=True)


def test_buffers_of_two_lengths_are_one_type() -> None:
    text = 'begin { $a = nsecs ? buf("hi", 2) : buf("bye", 3); print($a); print($a == buf("hi", 2)); }'
    script = Script(text)
    assert printed(script.run()) == "bye\nfalse\n"
    script.machine.boot_time = 1
    assert printed(script.run()) == "hi\ntrue\n"
