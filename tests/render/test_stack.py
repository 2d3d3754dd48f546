"""Stacks and symbols as text and JSON."""

from __future__ import annotations

import struct

import pytest

from probee.events.decode import Form, compile_value
from probee.render.json import compile_json
from probee.render.output import Context
from probee.render.value import compile_text
from probee.spec.values import Ksym, Stack, Tuple, Usym
from probee.symbols.frame import Frame


class Symbols:
    """Two frames at 0x10, of which one is inlined; one at 0x20; no name at any other address."""

    def user(
        self, pid: int, program: int, addresses: list[int], python: tuple[int, ...] = ()
    ) -> list[tuple[Frame, ...]]:
        assert (pid, program) == (7, 3)
        frames = {
            0x10: (
                Frame(0x10, "small", 0, "/lib/x.so", "/src/x.c", 5, True),
                Frame(0x10, "large", 4, "/lib/x.so", "/src/x.c", 9),
            ),
            0x20: (Frame(0x20, "main", 32, "/bin/x"),),
        }
        return [frames.get(address, (Frame(address),)) for address in addresses]

    def kernel(self, addresses: list[int]) -> list[tuple[Frame, ...]]:
        return [(Frame(a, "vfs_read", 1, "ext4") if a > 99 else Frame(a),) for a in addresses]

    def kernel_name(self, address: int) -> str:
        return "vfs_read" if address > 99 else ""

    def user_name(self, pid: int, program: int, address: int) -> str:
        return f"main{pid}{program}" if address == 0x20 else ""


CONTEXT = Context(symbols=lambda: Symbols())  # type: ignore[arg-type,return-value]


def taken(type: Stack, *frames: int, pid: int = 7, program: int = 3) -> bytes:
    data = struct.pack("=HHI", len(frames), program, pid) + struct.pack(f"={len(frames)}Q", *frames)
    return data.ljust(type.size, b"\0")


def shown(type: Stack, *frames: int) -> str:
    value = compile_value(type, Form(True))(taken(type, *frames))
    text = compile_text(type, CONTEXT)(value).decode()
    assert compile_json(type, CONTEXT)(value) == '"' + text.replace("\n", "\\n").replace("\t", "\\t") + '"'
    return text


def test_a_frame_a_line() -> None:
    assert shown(Stack(False, "bpftrace", 5), 0x10, 0x20, 0x30) == (
        "\n        [inlined] small@/src/x.c:5\n        large+4@/src/x.c:9\n        main+32\n        0x30\n"
    )


def test_as_perf_has_it() -> None:
    assert shown(Stack(False, "perf", 5), 0x10, 0x20, 0x30) == (
        "\n\t10 small (inlined)\n\t10 large+4 (/lib/x.so)\n\t20 main+32 (/bin/x)\n\t30 0x30 ([unknown])\n"
    )
    assert shown(Stack(True, "perf", 5), 0x100, 0x30) == "\n\t100 vfs_read+1\n\t30 0x30\n"


def test_addresses_alone() -> None:
    assert shown(Stack(False, "raw", 5), 0x10, 0xFFFF) == "\n10\nffff\n"


def test_of_the_kernel() -> None:
    assert shown(Stack(True, "bpftrace", 5), 0x100, 0x30) == "\n        vfs_read+1\n        0x30\n"


def test_no_frames() -> None:
    assert shown(Stack(True, "bpftrace", 5)) == "\n"


@pytest.mark.parametrize("mode", ["bpftrace", "raw"])
def test_callers_that_were_not_found(mode: str) -> None:
    text = shown(Stack(False, mode, 5), 0x20, (1 << 64) - 1)
    assert text.endswith("\n        <unwind failure>\n")
    assert text.count("\n") == 3


def test_a_count_past_the_room_is_cut() -> None:
    type = Stack(False, "raw", 2)
    data = struct.pack("=HHI2Q", 9, 3, 7, 1, 2)
    assert compile_text(type, CONTEXT)(compile_value(type, Form(True))(data)) == b"\n1\n2\n"


def test_build_ids() -> None:
    type = Stack(False, "build_id", 2)
    frame = struct.pack("=i20sQ", 1, bytes(range(20)), 0x5)
    raw = struct.pack("=i20sQ", 2, bytes(20), 0x7F00)
    data = struct.pack("=HHI", 2, 3, 7) + frame + raw
    text = compile_text(type, CONTEXT)(compile_value(type, Form(True))(data))
    assert text == b"\n%b 0x05\n%b 0x7f00\n" % (bytes(range(20)).hex().encode(), b"00" * 20)


def test_symbols() -> None:
    kernel, user = Ksym(), Usym()
    raw = Form(True)
    assert compile_text(kernel, CONTEXT)(compile_value(kernel, raw)(struct.pack("=Q", 100))) == b"vfs_read"
    assert compile_text(kernel, CONTEXT)(compile_value(kernel, raw)(struct.pack("=Q", 1))) == b"0x1"
    place = struct.pack("=QII", 0x20, 7, 3)
    assert compile_text(user, CONTEXT)(compile_value(user, raw)(place)) == b"main73"
    both = Tuple((kernel, user))
    data = struct.pack("=Q", 1) + place
    assert compile_text(both, CONTEXT)(compile_value(both, raw)(data)) == b"(0x1, main73)"


def test_values_for_programs_are_frames() -> None:
    form = Form(symbols=lambda: Symbols())  # type: ignore[arg-type,return-value]
    type = Stack(False, "bpftrace", 5)
    frames = compile_value(type, form)(taken(type, 0x10, 0x20, (1 << 64) - 1))
    assert [frame.name for frame in frames] == ["small", "large", "main", "<unwind failure>"]
    assert compile_value(Ksym(), form)(struct.pack("=Q", 1)) == "0x1"
    assert compile_value(Usym(), form)(struct.pack("=QII", 0x20, 7, 3)) == "main73"


def test_types_have_bpftraces_names() -> None:
    assert str(Stack(True, "raw", 3)) == "kstack_raw_3"
    assert str(Stack(False, "bpftrace", 127)) == "ustack_bpftrace_127"
    assert (Stack(False, "raw", 3).size, Stack(False, "build_id", 3).size) == (32, 104)
