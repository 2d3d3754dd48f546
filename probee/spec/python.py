"""The maps by which programs walk the frames of CPython's interpreter.

processes  hash: u32 process id → `FIELDS`, u64 each: where things are in a process that runs Python
codes      hash: (u64 address of a code object, u32 process id, u32 0) → `CODE`: where it is in `text`
text       u64 count of bytes that follow and are used, then what was copied of code objects: each is `HEAD`,
           the bytes of its qualified name, of its file's name and of its table of lines, each from a multiple
           of 8 on
used       u64 count of the bytes of its own part of `text` that a CPU has used, on kernels where no program
           can add to a number and learn what it was

A program that meets a code object copies it, for the process may be gone, and the object too, when the stack
is shown. Nothing in `text` is written twice, so that a place there stands for one code object for ever.

A frame is a word of a stack: which it is, the place of its code object in `text`, and the instruction.
"""

from __future__ import annotations

import struct

from ..base.record import record
from .abi import MapFlag, MapType
from .bundle import Map

PROCESSES, CODES, TEXT, USED = (
    "unwind_python_processes",
    "unwind_python_codes",
    "unwind_python_text",
    "unwind_python_used",
)

FIELDS = (
    "interpreters",  # address of the pointer to the first interpreter
    # Bytes from the start of an interpreter, a thread, a frame, a code object
    "interpreter_next",
    "interpreter_threads",
    "thread_next",
    "thread_id",
    "thread_frame",
    "inner_frame",  # of what thread_frame points to; NO_OFFSET: that is the frame
    "frame_code",
    "frame_previous",
    "frame_instruction",
    "frame_mark",  # a byte which is `mark` where a call of the interpreter's loop began
    "mark",
    "marks_only",  # 1: such a frame is no function's
    "code_texts",  # the file's name, and then: name, qualified name, table of lines
    "code_first_line",
    "code_bytes",
    # Bytes of a str object of ASCII characters, and of another, before its characters
    "ascii_head",
    "other_head",
)

PROCESS = struct.Struct(f"={len(FIELDS)}Q")
NO_OFFSET = (1 << 64) - 1

CODE_KEY = struct.Struct("=QII")
CODE = struct.Struct("=QQ")
"""Word of a frame in it without instruction; a number that another code object does not have which is made
where this one was."""

HEAD = struct.Struct("=6I")
"""First line; bytes of the name, and of a character of it; the same of the file's name; bytes of the table of
lines."""

MOST_NAME = (1 << 9) - 1
"""Bytes that are copied of a name."""

MOST_LINES = (1 << 15) - 1
"""Bytes that are copied of a table of lines: some thousand lines."""

TEXT_BYTES = 1 << 21
"""Where copies may begin: room for some six thousand of the usual size."""

TEXT_FIRST = 8
"""Where the first copy begins: places are counted from here."""

_MOST_PROCESSES = 1024
_MOST_CODES = 1 << 14
_REST = HEAD.size + 2 * (MOST_NAME + 8) + MOST_LINES + 8

MAPS = (
    Map(PROCESSES, MapType.HASH, 4, PROCESS.size, _MOST_PROCESSES),
    Map(CODES, MapType.HASH, CODE_KEY.size, CODE.size, _MOST_CODES),
    Map(TEXT, MapType.ARRAY, 4, TEXT_FIRST + TEXT_BYTES + _REST, 1, MapFlag.MMAPABLE),
    Map(USED, MapType.PERCPU_ARRAY, 4, 8, 1),
)

INSTRUCTION_BITS = 19
UNKNOWN = (1 << INSTRUCTION_BITS) - 1
"""The instruction of a frame that has none yet, or that is further on than is counted."""

LAST_AT = INSTRUCTION_BITS
"""The bit of the outermost frame of those that one call of the interpreter's loop runs."""

FUNCTION_AT = LAST_AT + 1
"""The bit of frames that are a function's."""

PLACE_AT = 24
"""Where the number begins that is one more than the eighth of a place in `text`; 0: nothing is known."""


@record
class PythonFrame:
    """A word taken apart. `place`: in `text`, -1 when nothing is known of the code object. `instruction` is
    counted in code units of 2 bytes, -1 when it is not known."""

    is_function: bool
    is_last: bool
    place: int
    instruction: int


def parse_frame(word: int) -> PythonFrame:
    """What the word of a frame says."""
    instruction = word & UNKNOWN
    return PythonFrame(
        bool(word >> FUNCTION_AT & 1),
        bool(word >> LAST_AT & 1),
        ((word >> PLACE_AT) - 1) * 8 if word >> PLACE_AT else -1,
        -1 if instruction == UNKNOWN else instruction,
    )
