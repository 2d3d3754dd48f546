"""Frames of CPython: its tables of lines, its copies, where releases keep what, and how stacks are merged."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.elf.file import Elf
from probee.events.stack import Taken, compile_stack
from probee.kernel.images import open_image
from probee.spec.python import FIELDS, HEAD, NO_OFFSET, PLACE_AT, TEXT, TEXT_FIRST, UNKNOWN, parse_frame
from probee.spec.values import Stack
from probee.symbols.cpython import LOOP, Code, Pythons, find_python, iter_lines, parse_code
from probee.symbols.frame import Frame

FUNCTION, LAST = 1 << 20, 1 << 19


def _codes(code: types.CodeType) -> list[types.CodeType]:
    inner = [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return [code] + [found for each in inner for found in _codes(each)]


@pytest.mark.parametrize("module", ["argparse", "dis", "asyncio.base_events", "typing", "enum", "ast"])
def test_lines_are_those_of_the_interpreter(module: str) -> None:
    path = Path(os.__file__).parent / (module.replace(".", "/") + ".py")
    for code in _codes(compile(path.read_text(), str(path), "exec")):
        ours = Code(code.co_qualname, code.co_filename, code.co_firstlineno, code.co_linetable)
        for start, end, line in code.co_lines():
            for at in range(start, end, 2):
                assert ours.line(at // 2) == (line or 0), (code.co_qualname, at)
        assert ours.line(-1) == code.co_firstlineno
        assert ours.line(len(code.co_code) // 2) == 0


@given(st.binary(max_size=64), st.integers(0, 1 << 20), st.integers(-1, 1 << 19))
def test_any_bytes_are_a_table(table: bytes, first: int, instruction: int) -> None:
    assert isinstance(Code("", "", first, table).line(instruction), int)
    assert len(list(iter_lines(table, first))) <= len(table) + 1


def test_a_table_that_was_cut_has_no_lines_after() -> None:
    def function() -> int:
        a = 1
        b = 2
        return a + b

    code = function.__code__
    whole = Code("f", "x", code.co_firstlineno, code.co_linetable)
    cut = Code("f", "x", code.co_firstlineno, code.co_linetable[:8])
    last = len(code.co_code) // 2 - 1
    assert whole.line(last) == code.co_firstlineno + 3
    assert cut.line(last) == 0
    assert cut.line(0) == whole.line(0)


def encode_code(name: str, file: str, first: int, table: bytes) -> bytes:
    """What a program copies."""

    def text(text: str) -> tuple[bytes, int]:
        widest = max(map(ord, text), default=0)
        kind, encoding = (1, "latin-1") if widest < 256 else (2, "utf-16-le")
        return text.encode(encoding), kind

    name_bytes, name_kind = text(name)
    file_bytes, file_kind = text(file)
    head = HEAD.pack(first, len(name_bytes), name_kind, len(file_bytes), file_kind, len(table))
    return head + b"".join([part + bytes(-len(part) % 8) for part in (name_bytes, file_bytes, table)])


@given(st.text(st.characters(max_codepoint=0xD7FF, min_codepoint=1), min_size=1, max_size=40))
def test_copies(name: str) -> None:
    code = parse_code(encode_code(name, f"/{name}.py", 7, b"\x80\x00"))
    assert (code.name, code.file, code.first_line) == (name, f"/{name}.py", 7)
    assert code.line(0) == 7


def test_what_could_not_be_read() -> None:
    code = parse_code(HEAD.pack(3, 8, 1, 8, 1, 8) + bytes(24))
    assert (code.name, code.file, code.line(0)) == ("<python>", "", 0)


@given(st.binary(min_size=HEAD.size, max_size=200))
def test_any_bytes_are_a_copy(data: bytes) -> None:
    parse_code(data)


# Merging


class Map:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def view(self) -> memoryview:
        return memoryview(self._data)


def pythons(*codes: bytes) -> tuple[Pythons, list[int]]:
    """Code objects that were copied, and the words of frames in them, without instruction."""
    places, data = [], b""
    for code in codes:
        places.append(len(data))
        data += code
    maps = {
        name: Map(bytes(TEXT_FIRST) + data)
        for name in (TEXT, "unwind_python_processes", "unwind_python_codes")
    }
    words = [(place // 8 + 1) << PLACE_AT | FUNCTION | UNKNOWN for place in places]
    return Pythons(maps, None), words  # type: ignore[arg-type]


def names(merged: list[tuple[Frame, ...]]) -> list[str]:
    return [frame.name for frames in merged for frame in frames]


def native(*names: str) -> list[tuple[Frame, ...]]:
    return [(Frame(0x100 * number, name, 1, "/python"),) for number, name in enumerate(names, 1)]


A, B, C = (
    encode_code(name, f"{name}.py", line, b"\x80\x00") for name, line in (("a", 1), ("b", 2), ("c", 3))
)


def test_functions_stand_where_the_loop_ran_them() -> None:
    found, (a, b, c) = pythons(A, B, C)
    stack = native("write", LOOP, "call", f"{LOOP}.cold", "main")
    merged = found.merge(stack, [a, b | LAST, c | LAST])
    assert names(merged) == ["write", "a", "b", "call", "c", "main"]
    (first, second) = merged[1]
    assert (first.address, first.module, first.file, first.line, first.python) == (
        0x200,
        "/python",
        "a.py",
        1,
        True,
    )
    assert second.address == 0x200
    # From 3.12 on a frame of its own says where a call of the loop began.
    assert names(found.merge(stack, [a, b, LAST, c, LAST])) == names(merged)


def test_where_one_side_is_cut() -> None:
    found, (a, b, c) = pythons(A, B, C)
    # The loop has just been called: it runs nothing yet.
    assert names(found.merge(native(LOOP, "call", LOOP), [a | LAST])) == [LOOP, "call", "a"]
    # Callers are missing of the native stack, and of that of Python.
    assert names(found.merge(native(LOOP, "call"), [a | LAST, b, c | LAST])) == ["a", "call", "b", "c"]
    assert names(found.merge(native(LOOP, "call", LOOP), [a, b])) == ["a", "b", "call", LOOP]
    # A call of the loop that is about to end runs nothing any more.
    assert names(found.merge(native(LOOP, "call", LOOP), [LAST, a, LAST])) == [LOOP, "call", "a"]


def test_words() -> None:
    frame = parse_frame(3 << PLACE_AT | FUNCTION | LAST | 5)
    assert (frame.is_function, frame.is_last, frame.place, frame.instruction) == (True, True, 16, 5)
    assert parse_frame(FUNCTION | UNKNOWN).place == -1
    found, _ = pythons()
    assert names(found.merge([], [FUNCTION | UNKNOWN | LAST])) == ["<python>"]


def test_stacks_have_words_behind() -> None:
    type = Stack(False, "bpftrace", 2, True)
    data = struct.pack("=HHI4Q", 1, 2, 3, 0x10, 0, FUNCTION, 0)
    assert compile_stack(type)(data) == Taken(((0x10,), 3, 2, False, (FUNCTION,)))
    assert compile_stack(type)(data).python == (FUNCTION,)
    assert type.size == len(data)


# Where releases keep what


def interpreters() -> list[str]:
    """Files of this machine that have a CPython in them, with debug information."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [Path("/usr/bin/python3.11"), Path("/usr/bin/python3.11-dbg")]
    found += [
        path for minor in (11, 12, 13) for path in root.glob(f"3.{minor}.*/lib/libpython3.{minor}.so.1.0")
    ]
    return sorted({str(path) for path in found if path.exists() and have_debug(str(path))})


def have_debug(path: str) -> bool:
    """Whether there is debug information of a file, in it or beside the system's."""
    image = open_image(path)
    elf = Elf(image, path) if image is not None else None
    if elf is None or elf.find_section(".debug_info") is not None:
        return elf is not None
    name = (elf.build_id or b"").hex()
    return Path(f"/usr/lib/debug/.build-id/{name[:2]}/{name[2:]}.debug").exists()


EXPRESSIONS = {
    "interpreters": "&((struct pyruntimestate *)0)->interpreters.head",
    "interpreter_next": "&((PyInterpreterState *)0)->next",
    "interpreter_threads": "&((PyInterpreterState *)0)->threads.head",
    "thread_next": "&((PyThreadState *)0)->next",
    "thread_id": "&((PyThreadState *)0)->native_thread_id",
    "thread_frame": ("&((PyThreadState *)0)->cframe", "&((PyThreadState *)0)->current_frame"),
    "inner_frame": "&((_PyCFrame *)0)->current_frame",
    "frame_code": (
        "&((struct _PyInterpreterFrame *)0)->f_code",
        "&((struct _PyInterpreterFrame *)0)->f_executable",
    ),
    "frame_previous": "&((struct _PyInterpreterFrame *)0)->previous",
    "frame_instruction": (
        "&((struct _PyInterpreterFrame *)0)->prev_instr",
        "&((struct _PyInterpreterFrame *)0)->instr_ptr",
    ),
    "frame_mark": (
        "&((struct _PyInterpreterFrame *)0)->is_entry",
        "&((struct _PyInterpreterFrame *)0)->owner",
    ),
    "code_texts": "&((PyCodeObject *)0)->co_filename",
    "code_first_line": "&((PyCodeObject *)0)->co_firstlineno",
    "code_bytes": "&((PyCodeObject *)0)->co_code_adaptive",
    "ascii_head": "sizeof(PyASCIIObject)",
    "other_head": "sizeof(PyCompactUnicodeObject)",
}
ALWAYS = {
    "&((PyCodeObject *)0)->co_qualname - &((PyCodeObject *)0)->co_filename": 2,
    "&((PyCodeObject *)0)->co_linetable - (PyObject **)&((PyCodeObject *)0)->co_filename": 3,
    "(long)&((PyASCIIObject *)0)->length": 16,
    "(long)&((PyASCIIObject *)0)->state": 32,
    "(long)&((PyVarObject *)0)->ob_size": 16,
    "(long)&((PyBytesObject *)0)->ob_sval": 32,
}
SCRIPT = """
import gdb, json
def value(text):
    try:
        return int(gdb.parse_and_eval(text).cast(gdb.lookup_type("long")))
    except gdb.error:
        return None
print("FOUND", json.dumps([value(text) for text in TEXTS]))
"""


@pytest.mark.slow
@pytest.mark.needs("gdb")
@pytest.mark.parametrize("path", interpreters())
def test_offsets_are_those_of_debug_information(path: str, tmp_path: Path) -> None:
    image = open_image(path)
    python = find_python(Elf(image, path)) if image is not None else None
    assert python is not None
    wanted = [
        (name, text)
        for name, texts in EXPRESSIONS.items()
        for text in ([texts] if isinstance(texts, str) else texts)
    ]
    script = tmp_path / "offsets.py"
    script.write_text(f"TEXTS = {[text for _, text in wanted] + list(ALWAYS)!r}\n{SCRIPT}")
    done = subprocess.run(
        ["gdb", "-batch", "-nx", "-x", script, path], capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout.partition("FOUND ")[2] or "[]")
    told: dict[str, int] = {}
    for (name, _), number in zip(wanted, found, strict=False):
        if number is not None and name not in told:
            told[name] = number
    told.setdefault("inner_frame", NO_OFFSET)
    assert {name: python.fields[name] for name in told} == told
    assert set(told) | {"mark", "marks_only"} == set(FIELDS)
    assert found[len(wanted) :] == list(ALWAYS.values())


def test_files_without_python() -> None:
    image = open_image("/bin/sh")
    assert image is not None
    assert find_python(Elf(image, "/bin/sh")) is None
