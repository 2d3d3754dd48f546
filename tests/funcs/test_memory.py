"""Bytes, addresses of networks, spaces of memory, registers, and numbers that are shown by a name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.scripts import ARCH, Script, complaints, registers, warnings
from builders.shown import printed

AT = "uprobe:program:main"


def _run(body: str, *, memory: bytes = b"a\0\xff~more", **options: int) -> Script:
    """A script that has run with `memory` at arg0, 6 as arg1 and an address of both spaces as arg2."""
    script = Script(f"{AT} {{ {body} }}", **options)
    script.machine.user_memory |= {0x500: memory, 0x600: b"user\0"}
    script.machine.kernel_memory[0x600] = b"kernel\0"
    return script.run(0, registers(0x500, 6, 0x600))


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ('buf("ok_key", 6)', "ok_key"),
        ('buf("ok_key", 7)', r"ok_key\x00"),
        ('buf("ok_key", 99)', r"ok_key\x00"),
        ("buf(comm, 3)", "int"),
        ("buf(arg0, 4)", r"a\x00\xff~"),
        ("buf(arg0, arg1)", r"a\x00\xff~mo"),
        ("buf(arg0, 0)", ""),
        ("buf(1, 2)", r"\x00\x00"),
        ('buf(pton("1.2.3.4"))', r"\x01\x02\x03\x04"),
        ("ntop(1)", "1.0.0.0"),
        ("ntop(0x0100007f)", "127.0.0.1"),
        ("ntop(0xffff0000)", "0.0.255.255"),
        ('ntop(2, pton("127.0.0.1"))', "127.0.0.1"),
        ('ntop(10, pton("::1"))', "::1"),
        ('ntop(pton("fe80::1"))', "fe80::1"),
        ("ntop(arg1 - 4, 5)", "5.0.0.0"),
        ("ntop(5, 5)", "(family 5)"),
        ('pton("1.2.3.4")', "[1,2,3,4]"),
        ("macaddr(arg0)", "61:00:FF:7E:6D:6F"),
        ("macaddr(comm)", "69:6E:74:65:72:70"),
        ("str(kptr(arg2))", "kernel"),
        ("str(uptr(arg2))", "user"),
        ("str(uptr(kptr(arg2)), 3)", "us"),
        ("kptr(arg2)", "0x600"),
        ("strerror(2)", "No such file or directory"),
        ("strerror(-13)", "Permission denied"),
        ("strerror(41)", "Unknown error"),
        ("strerror(5000)", "Unknown error"),
        ("strerror((int32)arg1)", "No such device or address"),
        ("signal_name(2)", "Interrupt"),
        ("signal_name(0)", "Unknown signal 0"),
        ("signal_name(32)", "Unknown signal 32"),
        ("signal_name(34)", "Real-time signal 0"),
        ("signal_name(1024)", "N/A"),
        ("syscall_name(0)", "read"),
        ("syscall_name(435)", "clone3"),
        ("syscall_name(5000)", "Unknown syscall"),
    ],
)
def test_values(expression: str, text: str) -> None:
    script = _run(f'print({expression}); printf("%s\\n", {expression}); $v = {expression}; print($v);')
    assert printed(script, machine="x86_64") == f"{text}\n" * 3
    kept = _run(f"@v = {expression}; @k[{expression}, 1] = {expression};")
    assert kept["@v"] is not None
    assert len(kept.machine.maps["@k"].items()) == 1


@pytest.mark.parametrize(
    ("expression", "data"),
    [
        ("buf(arg0, 3)", "[97,0,255]"),
        ('ntop(pton("::1"))', '"::1"'),
        ("macaddr(arg0)", '"61:00:FF:7E:6D:6F"'),
        ("strerror(1)", '"Operation not permitted"'),
        ('pton("1.2.3.4")', "[1,2,3,4]"),
    ],
)
def test_values_as_json(expression: str, data: str) -> None:
    script = _run(f"print({expression}); print((1, {expression}));")
    assert printed(script, json=True) == (
        f'{{"type": "value", "data": {data}}}\n{{"type": "value", "data": [1,{data}]}}\n'
    )


def test_buffers_in_formats() -> None:
    script = _run(
        'printf("%r|%rx|%rh|%8r|%-8rh|", buf(arg0, 4), buf(arg0, 3), buf(arg0, 3), '
        'buf(arg0, 1), buf("b", 1));'
    )
    assert printed(script) == r"a\x00\xff~|\x61\x00\xff|61 00 ff|       a|62      |"


def test_equal_keys_are_one_key() -> None:
    script = _run(
        '@[buf("ab", 2)]++; @[buf("ab", 2)]++; @i[ntop(5)]++; @i[ntop(2, 5)]++; @m[macaddr(arg0)]++;'
    )
    assert (script["@"], script["@i"]) == ({b"ab": 2}, {"5.0.0.0": 2})
    assert script["@m"] == {"61:00:FF:7E:6D:6F": 1}


def test_buffers_are_as_long_as_text() -> None:
    script = _run("print(buf(arg0, arg1)); print(buf(arg0, 100));", max_strlen=4)
    assert printed(script) == r"a\x00\xff~" "\n" r"a\x00\xff~" "\n"
    message = "length param (2000) is too long and will be shortened to 1024 bytes"
    assert warnings("begin { print(buf(5, 2000)); }") == [("2000", message)]


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@settings(max_examples=25, deadline=None)
@given(value=st.integers(0, (1 << 64) - 1))
def test_bytes_in_the_other_order(size: int, value: int) -> None:
    script = Script(
        f"{AT} {{ print(bswap((uint{size * 8})arg0)); print(bswap(bswap((int{size * 8})arg0))); }}"
    )
    low = value & (1 << 8 * size) - 1
    swapped = int.from_bytes(low.to_bytes(size, "little"), "big")
    assert script.run(0, registers(value)).values() == [swapped, low]


def test_registers_by_name() -> None:
    script = Script(f'{AT} {{ print(reg("sp")); print(reg("di")); print(reg("rdi")); print(reg("cs")); }}')
    context = bytearray(registers(7, stack=0x7000))
    offset = ARCH.register("cs").offset
    context[offset : offset + 8] = b"\x33\0\xff\xff\xff\xff\xff\xff"
    assert script.run(0, bytes(context)).values() == [0x7000, 7, 7, 0x33]


@pytest.mark.parametrize(
    ("expression", "marked", "message"),
    [
        ("buf(pid)", "buf(pid)", "buf() expects a length argument for non-array type uint32"),
        ("buf(pid, -1)", "-1", "buf() expects a positive length (-1 provided)"),
        (
            "buf((1, 2), 1)",
            "(1, 2)",
            "buf() expects an integer, pointer, array or string ((int8,int8) provided)",
        ),
        ('pton("1.2.3")', '"1.2.3"', "pton() expects a valid IPv4 or IPv6 address, got '1.2.3'"),
        ("ntop(comm)", "comm", "ntop() expects an integer or array argument, got string[16]"),
        ("ntop(comm, 5)", "comm", "ntop() expects an integer as family, got string[16]"),
        ('macaddr("a")', '"a"', "macaddr() does not support literal string arguments"),
        (
            "macaddr((1, 2))",
            "(1, 2)",
            "macaddr() only supports array or pointer arguments ((int8,int8) provided)",
        ),
        (
            'macaddr(pton("1.2.3.4"))',
            'pton("1.2.3.4")',
            "macaddr() argument must be at least 6 bytes in size",
        ),
        ('kptr("a")', 'kptr("a")', "kptr() only supports integer and pointer arguments (string[2] provided)"),
        ('reg("ip")', 'reg("ip")', "reg can not be used with 'begin' probes"),
    ],
)
def test_what_does_not_fit(expression: str, marked: str, message: str) -> None:
    found = [(text.strip('"'), said) for text, said in complaints(f"begin {{ print({expression}); }}")]
    assert (marked.strip('"'), message) in found


def test_no_such_register() -> None:
    ((marked, message),) = complaints(f'{AT} {{ print(reg("nope")); }}')
    assert "nope" in marked
    assert message == "'nope' is not a valid register on this architecture (x86_64)"


@pytest.mark.parametrize(("bits", "text"), [(0, "(nil)"), (255, "0xff"), ((1 << 64) - 1, "0x" + "f" * 16)])
def test_addresses_in_formats(bits: int, text: str) -> None:
    script: Any = Script(f'{AT} {{ printf("%p %20p", arg0, kptr(arg0)); }}').run(0, registers(bits))
    assert printed(script) == f"{text} {text:>20}"
