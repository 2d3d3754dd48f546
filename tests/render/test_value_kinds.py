"""Values that outputs show in a way of their own: text of C's arrays, floating point numbers."""

from __future__ import annotations

import math
import struct

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


def test_floating_point(memory: bytes) -> None:
    numbers = memory[:8] + struct.pack("=f4xd", 0.1, -2.5) + memory[24:]
    assert _print("print($f);", numbers) == "{ .s = hello, .f = 0.100000001, .d = -2.5, .n = 7 }\n"
    assert '"f": 0.100000001, "d": -2.5, "n": 7' in _print("print($f);", numbers, json=True)
    special = memory[:8] + struct.pack("=f4xd", math.inf, math.nan) + memory[24:]
    assert _print("print($f.f); print($f.d); @[$f.f] = 1;", special) == "inf\nnan\n"
    assert '"f": "inf", "d": "nan"' in _print("print($f);", special, json=True)


def test_buffers_of_two_lengths_are_one_type() -> None:
    text = 'begin { $a = nsecs ? buf("hi", 2) : buf("bye", 3); print($a); print($a == buf("hi", 2)); }'
    script = Script(text)
    assert printed(script.run()) == "bye\nfalse\n"
    script.machine.boot_time = 1
    assert printed(script.run()) == "hi\ntrue\n"
