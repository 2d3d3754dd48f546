"""Walks by frame tables: the program that walks, on the VM, by tables that are filled as for a process."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.cfi import build
from probee import testing
from probee.base.record import replace
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.bt.parser import parse
from probee.elf.consts import EM
from probee.events.batch import Batch, Decoder
from probee.events.decode import Form
from probee.session import Session
from probee.symbols.image import Image
from probee.symbols.maps import Mapping
from probee.symbols.unwind import UnwindTables, split_range
from probee.testing.files import make_target
from probee.testing.play import Play
from probee.testing.runs import make_world
from probee.vm.machine import Vm

BIAS = 0x5555_0000_0000
STACK = 0x7FFC_0000_0000
CUT = -1

PUSHED = bytes([0x0E, 16])  # the CFA is rsp + 16
KEPT = bytes([0x0C, 6, 16, 0x86, 2])  # the CFA is rbp + 16, rbp is saved at CFA - 16
ALIGNED = bytes([0x10, 6, 2, 0x76, 0, 0x0F, 3, 0x76, 0x78, 0x06])  # rbp at rbp, the CFA is in rbp - 8
PLT = bytes([0x0F, 11, 0x77, 8, 0x80, 0, 0x3F, 0x1A, 0x3B, 0x2A, 0x33, 0x24, 0x22])
LAST = bytes([0x07, 16])


class Images:
    """One file, whatever is mapped."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def open_mapping(self, pid: int, mapping: Mapping) -> Image:
        return self._image


def walk(
    image: Image,
    registers: dict[str, int],
    words: list[int],
    *,
    machine: str = "x86_64",
    call: str = "dw_ustack",
    known: bool = True,
    loop: bool = True,
) -> list[int]:
    """The frames of a stack of `words`, by offset from where the file is mapped; CUT: there are more."""
    source = Source("script", f"uprobe:p:f {{ print({call}); }}")
    event = testing.uprobe(
        "f", registers=registers, memory={STACK: struct.pack(f"<{len(words)}Q", *words)}, stack=[0x77, 0x78]
    )
    target = make_target(parse(source, ()), [event.probe], machine=machine)
    if not loop:
        target = replace(target, features=target.features - {"bpf_loop"})
    bundle = compile_script(source, target).bundle
    seen: list[Batch] = []

    def show(batches: object) -> None:
        for batch in batches:  # type: ignore[attr-defined]
            seen.append(Batch(batch.layout, batch.stride, batch.count, bytes(batch.view)))

    with Session(bundle, Vm(make_world()), Form(True)) as session:
        session.load()
        tables = UnwindTables(session.unwind_maps, Images(image))  # type: ignore[arg-type]
        play = Play(session, session.machine, show, machine=machine)  # type: ignore[arg-type]
        play.begin()
        if known:
            tables.add(1000, [Mapping(BIAS, BIAS + 0x2000, "r-xp", 0, "00:00", 1, "/x")])
        play.happen(event)
        assert tables.take_wanted() == [] or not known or CUT in _frames(seen)
    return _frames(seen)


def _frames(seen: list[Batch]) -> list[int]:
    ((stack,),) = Decoder(seen[0].layout, Form(True)).rows(seen[0])
    return [frame - BIAS if frame > BIAS else frame for frame in stack.frames] + [CUT] * stack.is_cut


def image(*entries: tuple[int, int, bytes], machine: int = EM.X86_64, initial: bytes | None = None) -> Image:
    more = {} if initial is None else {"initial": initial}
    return Image(build([(0x1000 + at, size, text) for at, size, text in entries], machine=machine, **more))


def code(at: int) -> int:
    """An address in the process of the function at offset `at` of the file's code."""
    return BIAS + OFFSET + at


OFFSET = next(s.offset for s in image((0, 16, b"")).elf.segments if s.flags & 1)
"""Where code is in the file, and so in what is mapped of it."""


def frames(*at: int) -> list[int]:
    return [offset + OFFSET if offset != CUT else CUT for offset in at]


@pytest.mark.parametrize("loop", [True, False])
def test_from_function_to_function(loop: bool) -> None:
    file = image((0, 16, b""), (0x10, 16, PUSHED), (0x100, 16, KEPT), (0x300, 16, LAST))
    stack = [
        code(0x15),  # of the first, whose CFA is the next word
        0x1111, code(0x105),  # of the second
        0x2222, 0x3333,  # what the third has of its own
        0x4444, code(0x308),  # its caller's frame pointer, and where it returns to
    ]  # fmt: skip
    registers = {"ip": code(4), "sp": STACK, "bp": STACK + 5 * 8}
    assert walk(file, registers, stack, loop=loop) == frames(4, 0x15, 0x105, 0x308)
    assert walk(file, registers, stack, call="dw_ustack(3)", loop=loop) == frames(4, 0x15, 0x105)
    assert walk(file, registers, stack, call="dw_ustack(raw, 1)", loop=loop) == frames(4)


def test_a_return_address_belongs_to_what_is_before_it() -> None:
    # The call is the last thing in the function at 0x10: what follows has another rule.
    file = image((0, 16, b""), (0x10, 16, PUSHED), (0x20, 16, KEPT), (0x300, 16, LAST))
    assert walk(file, {"ip": code(4), "sp": STACK}, [code(0x20), 1, code(0x301)]) == frames(4, 0x20, 0x301)


def test_aligned_frames_and_a_plt() -> None:
    file = image((0, 16, PLT), (0x20, 16, ALIGNED), (0x300, 16, LAST))
    # The frame pointer points to where its old value is saved; a word below is the CFA.
    stack = [9, code(0x25), STACK + 6 * 8, 0xABC, 0, code(0x301)]
    registers = {"ip": code(12), "sp": STACK, "bp": STACK + 3 * 8}
    assert walk(file, registers, stack) == frames(12, 0x25, 0x301)
    early = {"ip": code(3), "sp": STACK, "bp": STACK + 2 * 8}
    assert walk(file, early, [code(0x25), STACK + 5 * 8, 0xABC, 0, code(0x301)]) == frames(3, 0x25, 0x301)


def test_through_a_signals_handler() -> None:
    back = Image(build([(0x1000, 16, bytes([0x0F, 4, 0x77, 0xA0, 0x01, 0x06]))], augmentation=b"zRS"))
    words = [0] * 24
    words[120 // 8], words[160 // 8], words[168 // 8] = 0x5, STACK + 22 * 8, code(0)
    # The interrupted code is at its very first byte: what is before it is not the same function's.
    assert walk(back, {"ip": code(1), "sp": STACK}, words)[:2] == frames(1, 0)


def test_what_is_not_known_is_said() -> None:
    file = image((0, 16, b""), (0x10, 16, PUSHED))
    assert walk(file, {"ip": code(4), "sp": STACK}, [0x1234]) == [*frames(4), 0x1234, CUT]
    beyond = [code(0x15), 1]  # the stack ends before the return address
    assert walk(file, {"ip": code(4), "sp": STACK}, beyond)[-1] == CUT


def test_a_return_address_of_0_is_the_end() -> None:
    assert walk(image((0, 16, b"")), {"ip": code(4), "sp": STACK}, [0]) == frames(4)


def test_a_process_that_nothing_is_known_of() -> None:
    assert walk(image((0, 16, b"")), {"ip": code(4), "sp": STACK}, [0], known=False) == [0x77, 0x78]


def test_aarch64() -> None:
    framed = bytes([0x0C, 29, 32, 0x9D, 4, 0x9E, 3])  # the CFA is x29 + 32, x29 at CFA - 32, x30 at CFA - 24
    file = image(
        (0, 16, b""), (0x10, 16, framed), (0x300, 16, bytes([0x07, 30])),
        machine=EM.AARCH64, initial=bytes([0x0C, 31, 0]),
    )  # fmt: skip
    signed = 0x7F << 48  # a signature of the address
    stack = [0x99, signed | code(0x301), 0, 0]
    registers = {"pc": code(4), "sp": STACK, "x29": STACK, "x30": signed | code(0x15)}
    assert walk(file, registers, stack, machine="aarch64") == frames(4, 0x15, 0x301)


def test_many_rows_in_a_few_bytes() -> None:
    """Every instruction of 200 has a row of its own."""
    operations = b"".join([bytes([0x0E, 8 * (2 + n % 13), 0x41]) for n in range(200)])
    file = image((0, 0x200, operations), (0x300, 16, LAST))
    for at in (0, 1, 2, 31, 127, 128, 198, 199):
        words = 2 + at % 13
        stack = [7] * (words - 1) + [code(0x301)]
        assert walk(file, {"ip": code(at), "sp": STACK}, stack) == frames(at, 0x301)


@given(st.integers(0, 1 << 48), st.integers(1, 1 << 30))
def test_a_range_is_cut_into_prefixes(start: int, size: int) -> None:
    at = start
    for address, bits in split_range(start, start + size):
        assert address == at
        assert address % (1 << 64 - bits) == 0
        at += 1 << 64 - bits
    assert at == start + size


def test_forgotten_and_told_again() -> None:
    source = Source("script", "uprobe:p:f { print(dw_ustack); }")
    target = make_target(parse(source, ()), ["uprobe:f"])
    with Session(compile_script(source, target).bundle, Vm(make_world())) as session:
        session.load()
        maps = session.unwind_maps
        tables = UnwindTables(maps, Images(image((0, 16, b""))))  # type: ignore[arg-type]
        mapping = Mapping(BIAS + 0x1000, BIAS + 0x4000, "r-xp", 0, "00:00", 1, "/x")
        for _ in range(2):
            tables.add(7, [mapping])
            tables.add(8, [mapping])
            assert (tables.have(7), len(list(maps["unwind_spaces"].items()))) == (True, 4)
            tables.forget(7)
            assert (tables.have(7), len(list(maps["unwind_spaces"].items()))) == (False, 2)
            tables.forget(8)


def test_what_is_mapped_over_code_takes_its_place() -> None:
    source = Source("script", "uprobe:p:f { print(dw_ustack); }")
    target = make_target(parse(source, ()), ["uprobe:f"])
    with Session(compile_script(source, target).bundle, Vm(make_world())) as session:
        session.load()
        spaces = session.unwind_maps["unwind_spaces"]
        tables = UnwindTables(session.unwind_maps, Images(image((0, 16, b""))))  # type: ignore[arg-type]

        def told(*mappings: tuple[int, int, str]) -> set[int]:
            """The addresses that keys begin with, after mappings (start, end, path)."""
            tables.add(7, [Mapping(s, e, "r-xp", 0, "00:00", 1, path) for s, e, path in mappings])
            return {int.from_bytes(key[8:], "big") for key, _ in spaces.items()}

        assert told((0x10000, 0x13000, "/x")) == {0x10000, 0x12000}
        # A page of a compiler's own: no shorter prefix may still speak for it.
        assert told((0x10000, 0x11000, "")) == {0x12000}
        assert told((0x10000, 0x20000, "/x")) == {0x10000}
        before = {bytes(key) for key, _ in spaces.items()}
        tables.replace(7, [Mapping(0x10000, 0x20000, "r-xp", 0, "00:00", 1, "/x")])
        assert {bytes(key) for key, _ in spaces.items()} == before
        tables.replace(7, [Mapping(0x40000, 0x41000, "r-xp", 0, "00:00", 1, "/x")])
        assert {int.from_bytes(key[8:], "big") for key, _ in spaces.items()} == {0x40000}
        assert tables.pids == [7]
