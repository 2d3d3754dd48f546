"""Stacks of processes with the functions of Python that they run: py_ustack.

The native stack is that of `dw_ustack`: CPython is built without frame pointers as a rule. The frames of
the interpreter are walked by the program at the same moment (`spec.python` has their form), since they
change with every call; both are put together where the stack is shown.

What is walked is found as a debugger finds it: from the list of interpreters in `_PyRuntime` to the thread
state that carries the id of the current thread. What changes from round to round lies in shared memory: so a
round is the same code as a callback of bpf_loop and in a loop that the verifier follows round by round.
"""

from __future__ import annotations

from ..ctype.types import CType, Struct
from ..ir.types import U64, VALUE
from ..spec.abi import UpdateFlag
from ..spec.python import (
    CODE,
    CODE_KEY,
    CODES,
    FIELDS,
    FUNCTION_AT,
    HEAD,
    LAST_AT,
    MAPS,
    MOST_LINES,
    MOST_NAME,
    NO_OFFSET,
    PLACE_AT,
    PROCESS,
    PROCESSES,
    TEXT,
    TEXT_BYTES,
    TEXT_FIRST,
    UNKNOWN,
    USED,
)
from ..spec.values import Stack
from .emit import Place
from .func import CallSite, func
from .process import current_ids
from .stack import HEAD as STACK_HEAD
from .unwind import DwarfStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ir.builder import Builder
    from ..ir.nodes import Block, Value
    from .emit import Emitter
    from .func import Checking

_WORD = 8
_ROOM = 128
"""Words for frames, of which the last is for what comes after the most that are walked."""

_MOST_THREADS = 1024
_MOST_COUNTED = 64
"""Thread states that are looked at, and interpreters; where the verifier follows every round."""

_MOST_RECURSION = 40
"""Frames that are walked where the verifier follows every round."""

_LENGTH, _STR_STATE, _BYTES_HEAD = 16, 32, 32
"""Where objects of type str and bytes have what, the hash at 24: as it has been since 3.3."""

_TEXTS = 32
"""Bytes from a code object's pointer to the file's name to that past its table of lines."""

_MIX = 0x9E37_79B9_7F4A_7C15


@func
class PythonStack(DwarfStack):
    """the process's own stack, with the functions of Python that it runs"""

    name = "py_ustack"
    is_unstable = False  # that is bpftrace's word, which has no such function

    def check(self, call: CallSite, to: Checking) -> CType:
        type = super().check(call, to)
        assert isinstance(type, Stack)
        limit = type.limit
        if to.target is not None and not to.target.have("large_keys"):
            if all(arg.number is None for arg in call.args):
                limit //= 2  # so that it can be a key nevertheless: a frame takes two words
        return Stack(False, type.mode, limit, True)

    def lower_into(self, call: CallSite, to: Emitter, place: Place) -> None:
        super().lower_into(call, to, place)
        if not any(spec.name == PROCESSES for spec in to.unit.maps):
            to.unit.maps += MAPS
        _PythonWalk(to, place).make()


_STATE = (
    *("pid", "thread", "interpreter", "state", "frame", "count", "code", "instruction", "last", "first"),
    *("key", "key 2", "file", "short name", "name", "lines", "look", "look 2", "look 3"),
)
"""Words of shared memory beside the fields of the process and the frames. Some are read as one."""


class _PythonWalk:
    """One walk in the making."""

    def __init__(self, to: Emitter, place: Place) -> None:
        assert isinstance(place.type, Stack)
        self.to, self.place, self.limit = to, place, place.type.limit
        base = to.b.take_shared(PROCESS.size + _WORD * (len(_STATE) + _ROOM))
        self._at = {name: base + _WORD * number for number, name in enumerate((*FIELDS, *_STATE))}
        self._frames = base + PROCESS.size + _WORD * len(_STATE)
        self._counted = not to.unit.target.have("bpf_loop")
        self._names = 0

    @property
    def b(self) -> Builder:
        return self.to.b

    def make(self) -> None:
        b, place = self.b, self.place
        words = place.offset + STACK_HEAD + self.limit * _WORD
        b.zero(place.pointer, self.limit * _WORD, words)
        self._set("pid", b.op("lshr", current_ids(self.to), 32))
        found = b.call("map_lookup_elem", b.map(PROCESSES), self._address("pid"))
        known, done = b.new_block(), b.new_block()
        b.branch(b.compare("ne", found, 0), known, done)
        b.place(known)
        b.copy(b.shared(self._at[FIELDS[0]]), b.cast(found, VALUE), PROCESS.size)
        self._find_thread()
        b.zero(b.shared(self._frames), self.limit * _WORD)
        self._set("count", 0)
        most = min(self.limit, _MOST_RECURSION) if self._counted else self.limit
        self._repeat(most, self._take_frame)
        b.copy(place.pointer, b.shared(self._frames), self.limit * _WORD, words)
        b.jump(done)
        b.place(done)

    # ---- shared memory

    def _address(self, name: str) -> Value:
        return self.b.shared(self._at[name])

    def _load(self, name: str) -> Value:
        return self.b.load(self._address(name), U64)

    def _set(self, name: str, value: Value | int) -> None:
        self.b.store(self._address(name), value, _WORD)

    def _follow(self, name: str, start: str, field: str, size: int = _WORD) -> None:
        """Set `name` to what lies `field` bytes after address `start` of the process, or to 0."""
        b = self.b
        if size < _WORD:
            self._set(name, 0)
        b.call(
            "probe_read_user", self._address(name), size, b.op("add", self._load(start), self._load(field))
        )

    # ---- rounds

    def _repeat(self, most: int, body: Callable[[Block], None]) -> None:
        """Do `body` up to `most` times, or until it goes to the block that it is given."""
        outer = self.b
        if self._counted:
            self._count(most, body)
            return
        self._names += 1
        name = f"{outer.program.name}_python_{len(outer.program.callbacks) + 1}"
        self.to.b = inner = outer.callback(name)
        inner.param(0, U64)
        leave = inner.new_block()
        body(leave)
        inner.ret(0)
        inner.place(leave)
        inner.ret(1)
        inner.finish()
        self.to.b = outer
        outer.loop(most, name)

    def _count(self, most: int, body: Callable[[Block], None]) -> None:
        b = self.b
        self._names += 1
        name = f"python round {self._names} {id(self)}"
        head, again, leave = b.new_block(), b.new_block(), b.new_block()
        b.write(name, b.const(0, U64))
        b.jump(head)
        b.place(head, sealed=False)
        b.branch(b.compare("ult", b.read(name, U64), most), again, leave)
        b.place(again)
        body(leave)
        b.write(name, b.op("add", b.read(name, U64), 1))
        b.jump(head)
        b.seal(head)
        b.place(leave)

    # ---- the thread

    def _find_thread(self) -> None:
        """Set "frame" to the innermost of the current thread, or to 0."""
        b = self.b
        self._set("thread", self._own_thread_id())
        self._set("state", 0)
        self._set("frame", 0)
        self._set("interpreter", 0)
        self._set("code", 0)
        b.call("probe_read_user", self._address("interpreter"), _WORD, self._load("interpreters"))
        self._follow("state", "interpreter", "interpreter_threads")
        self._repeat(_MOST_COUNTED if self._counted else _MOST_THREADS, self._look_at_thread)

    def _look_at_thread(self, leave: Block) -> None:
        b = self.b
        there, none, mine, other, on = (b.new_block() for _ in range(5))
        b.branch(b.compare("ne", self._load("state"), 0), there, none)
        b.place(there)
        self._follow("code", "state", "thread_id")
        b.branch(b.compare("eq", self._load("code"), self._load("thread")), mine, other)
        b.place(mine)
        self._find_frame(leave)
        b.place(other)
        self._follow("state", "state", "thread_next")
        b.jump(on)
        b.place(none)
        self._follow("interpreter", "interpreter", "interpreter_next")
        more = b.new_block()
        b.branch(b.compare("ne", self._load("interpreter"), 0), more, leave)
        b.place(more)
        self._follow("state", "interpreter", "interpreter_threads")
        b.jump(on)
        b.place(on)

    def _find_frame(self, leave: Block) -> None:
        b = self.b
        self._follow("frame", "state", "thread_frame")
        inner = b.new_block()
        b.branch(b.compare("ne", self._load("inner_frame"), NO_OFFSET), inner, leave)
        b.place(inner)
        self._follow("frame", "frame", "inner_frame")
        b.jump(leave)

    def _own_thread_id(self) -> Value:
        """The id of the current thread in its own namespace of process ids, which is what it knows itself by:
        task->thread_pid->numbers[level].nr."""
        b = self.b
        pid = _offset(self.to, "task_struct", "thread_pid")
        level, numbers = _offset(self.to, "pid", "level"), _offset(self.to, "pid", "numbers")
        if pid is None or level is None or numbers is None:
            return b.op("and", current_ids(self.to), 0xFFFF_FFFF)
        word = self._address("state")

        def read(address: Value, size: int) -> Value:
            self._set("state", 0)
            b.call("probe_read_kernel", word, size, address)
            return b.load(word, U64)

        own = read(b.op("add", b.call("get_current_task"), pid), _WORD)
        self._set("interpreter", own)
        depth = read(b.op("add", own, level), 4)
        at = b.op("add", self._load("interpreter"), b.op("shl", depth, 4))  # struct upid has 16 bytes
        return read(b.op("add", at, numbers), 4)

    # ---- frames

    def _take_frame(self, leave: Block) -> None:
        """Put down a frame, and go to the one that called it."""
        b = self.b
        there = b.new_block()
        b.branch(b.compare("ne", self._load("frame"), 0), there, leave)
        b.place(there)
        self._follow("code", "frame", "frame_code")
        self._follow("instruction", "frame", "frame_instruction")
        self._follow("last", "frame", "frame_mark", 1)
        last = b.ext(b.compare("eq", self._load("last"), self._load("mark")), U64)
        self._set("last", last)
        bare, function, put = b.new_block(), b.new_block(), b.new_block()
        b.write("word", b.const(0, U64))
        b.branch(b.compare("ne", b.op("and", last, self._load("marks_only")), 0), bare, function)
        b.place(function)
        self._find_code()
        b.write("word", b.op("or", b.read("word", U64), self._index()))
        b.jump(put)
        b.place(bare)
        b.jump(put)
        b.place(put)
        word = b.op("or", b.read("word", U64), b.op("shl", self._load("last"), LAST_AT))
        count = self._load("count")
        at = b.op("shl", b.op("and", count, _ROOM - 1), 3)
        b.store(b.offset(b.shared(self._frames), at), word, _WORD)
        self._set("count", b.op("add", count, 1))
        self._follow("frame", "frame", "frame_previous")

    def _index(self) -> Value:
        """The number of the instruction of the frame at hand."""
        b = self.b
        start = b.op("add", self._load("code"), self._load("code_bytes"))
        index = b.op("lshr", b.op("sub", self._load("instruction"), start), 1)
        known, on = b.new_block(), b.new_block()
        b.write("index", b.const(UNKNOWN, U64))
        b.branch(b.compare("ult", index, UNKNOWN), known, on)
        b.place(known)
        b.write("index", index)
        b.jump(on)
        b.place(on)
        return b.op("or", b.read("index", U64), 1 << FUNCTION_AT)

    def _find_code(self) -> None:
        """Set variable "word" to that of the code object at hand, which is copied if that was not done."""
        b = self.b
        key = self._address("key")
        self._set("key", self._load("code"))
        b.store(key, self._load("pid"), _WORD, 8)
        assert CODE_KEY.size == 16
        mark = self._find_mark()
        entry = b.call("map_lookup_elem", b.map(CODES), key)
        there, new, done = b.new_block(), b.new_block(), b.new_block()
        b.branch(b.compare("ne", entry, 0), there, new)
        b.place(there)
        entry = b.cast(entry, VALUE)
        b.write("word", b.load(entry, U64))
        b.branch(b.compare("eq", b.load(entry, U64, 8), mark), done, new)
        b.place(new)
        _Copy(self, mark).make()
        b.jump(done)
        b.place(done)

    def _find_mark(self) -> Value:
        """A number by which the code object at hand is told from others that had its address: programs that
        make code again and again get the same memory for each part of it, so that contents count."""
        b = self.b
        texts = self._address("file")
        b.call("probe_read_user", texts, _TEXTS, b.op("add", self._load("code"), self._load("code_texts")))
        self._follow("first", "code", "code_first_line", 4)
        parts = [self._load(name) for name in ("file", "name", "lines", "first")]
        for name, size in (("file", 16), ("name", 16), ("lines", 24)):
            b.call("probe_read_user", self._address("look"), size, b.op("add", self._load(name), _LENGTH))
            parts += [b.load(self._address("look"), U64, at) for at in range(0, size, _WORD)]
            if name == "file":
                end = b.op("add", self._load(name), b.op("add", self._load("ascii_head"), parts[-2]))
                b.call("probe_read_user", self._address("look"), _WORD, b.op("sub", end, _WORD))
                parts.append(self._load("look"))
        mark = parts[0]
        for part in parts[1:]:
            mark = b.op("mul", b.op("xor", mark, part), _MIX)
            mark = b.op("xor", mark, b.op("lshr", mark, 32))
        return mark


class _Copy:
    """The copy of the code object at hand in the making."""

    def __init__(self, walk: _PythonWalk, mark: Value) -> None:
        self._walk, self._mark = walk, mark
        self._value, self._head = walk.b.own_slot(CODE.size), walk.b.own_slot(HEAD.size)

    @property
    def b(self) -> Builder:
        return self._walk.b

    def make(self) -> None:
        b, walk, to = self.b, self._walk, self._walk.to
        b.store(self._head, walk._load("first"), 4)
        name = self._measure_text("name", 4)
        file = self._measure_text("file", 12)
        lines = self._at_most(self._read(walk._load("lines"), _LENGTH), MOST_LINES)
        b.store(self._head, lines, 4, 20)
        total = b.const(HEAD.size, U64)
        for _, size in (name, file, (lines, lines)):
            total = b.op("add", total, self._rounded(size))
        full, done = b.new_block(), b.new_block()
        b.write("word", b.const(0, U64))
        place = self._take(total, full)
        self._fill(place, name, file, lines)
        word = b.op("shl", b.op("add", b.op("lshr", place, 3), 1), PLACE_AT)
        b.write("word", word)
        b.store(self._value, word, 8)
        b.store(self._value, self._mark, 8, 8)
        b.call("map_update_elem", b.map(CODES), walk._address("key"), self._value, UpdateFlag.ANY)
        b.jump(done)
        b.place(full)
        to.count("python_text_full")
        b.jump(done)
        b.place(done)

    def _take(self, size: Value, full: Block) -> Value:
        """A place for `size` bytes of text that is nobody else's; to `full` where there is none."""
        b, target = self.b, self._walk.to.unit.target
        room = b.new_block()
        if target.have("atomics_fetch"):
            place = b.fetch_add(b.global_(TEXT, 0), size)
            b.branch(b.compare("ult", place, TEXT_BYTES), room, full)
            b.place(room)
            return place
        # Kernels without run these programs with preemption off: a part of its own is each CPU's alone.
        share = TEXT_BYTES >> (target.cpus - 1).bit_length()
        none = b.own_slot(8)
        b.store(none, 0, 4)
        used = b.call("map_lookup_elem", b.map(USED), none)
        there = b.new_block()
        b.branch(b.compare("ne", used, 0), there, full)
        b.place(there)
        used = b.cast(used, VALUE)
        place = b.load(used, U64)
        end = b.op("add", place, size)
        b.branch(b.compare("ule", end, share), room, full)
        b.place(room)
        b.store(used, end, _WORD)
        cpu = b.ext(b.call("get_smp_processor_id"), U64)
        return b.op("add", place, b.op("mul", cpu, share))

    def _fill(self, place: Value, name: tuple[Value, Value], file: tuple[Value, Value], lines: Value) -> None:
        b = self.b
        start = b.offset(b.global_(TEXT, TEXT_FIRST), b.op("and", place, TEXT_BYTES - 8))
        b.copy(start, self._head, HEAD.size)
        at = b.offset(start, HEAD.size)
        for address, size in (name, file):
            size = b.op("and", size, MOST_NAME)
            b.call("probe_read_user", at, size, address)
            at = b.offset(at, self._rounded(size))
        address = b.op("add", self._walk._load("lines"), _BYTES_HEAD)
        b.call("probe_read_user", at, b.op("and", lines, MOST_LINES), address)

    def _rounded(self, size: Value) -> Value:
        return self.b.op("and", self.b.op("add", size, 7), (1 << 16) - 8)

    def _measure_text(self, word: str, at: int) -> tuple[Value, Value]:
        """Address and count of the bytes of the str object that a word points to; the head is told."""
        b, walk = self.b, self._walk
        text = walk._load(word)
        state = self._read(text, _STR_STATE)
        kind = b.op("and", b.op("lshr", state, 2), 7)
        size = self._at_most(b.op("mul", self._read(text, _LENGTH), kind), MOST_NAME)
        b.store(self._head, size, 4, at)
        b.store(self._head, kind, 4, at + 4)
        wide, on = b.new_block(), b.new_block()
        name = f"text head {at}"
        b.write(name, walk._load("ascii_head"))
        b.branch(b.compare("eq", b.op("and", b.op("lshr", state, 6), 1), 0), wide, on)
        b.place(wide)
        b.write(name, walk._load("other_head"))
        b.jump(on)
        b.place(on)
        return b.op("add", walk._load(word), b.read(name, U64)), size

    def _read(self, address: Value, offset: int) -> Value:
        b = self.b
        word = b.own_slot(8)
        b.call("probe_read_user", word, _WORD, b.op("add", address, offset))
        return b.load(word, U64)

    def _at_most(self, value: Value, most: int) -> Value:
        b = self.b
        name = f"at most {id(value)}"
        more, on = b.new_block(), b.new_block()
        b.write(name, value)
        b.branch(b.compare("ugt", value, most), more, on)
        b.place(more)
        b.write(name, b.const(most, U64))
        b.jump(on)
        b.place(on)
        return b.read(name, U64)


def _offset(to: Emitter, name: str, member: str) -> int | None:
    """Bytes from the start of the kernel's struct `name` to its `member`, where that is known."""
    types = to.unit.target.types
    known = types.find_type("struct", name) if types is not None else None
    for each in known.members if isinstance(known, Struct) else ():
        if each.name == member:
            return each.offset_bits // 8
    return None
