"""A program in the making, as functions see it: values of arguments, records, counters, variables.

Records are built in place: reserve, fill, submit. What an argument changes happens before the
reservation, so that it happens also when the ring is full.
"""

from __future__ import annotations

from ..base.bits import align_up
from ..base.errors import FeatureError
from ..base.record import record
from ..ctype.types import Array, Bool, CType, Enum, Float, Int, Ptr, Struct, Typedef
from ..ir.types import RING, U64, VALUE, VALUE_OR_NULL, IntType, int_type
from ..spec.abi import UpdateFlag
from ..spec.bundle import Field
from ..spec.values import Buffer, Code, Inet, MacAddress, Stack, Str, Tuple, Username, Usym, standalone
from .unit import CONTROL, DATA, GLOBALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..ir.builder import Builder
    from ..ir.nodes import Block, Value
    from ..probes.provider import Provider, Site
    from .func import Arg, CallSite
    from .stored import Stored
    from .unit import Unit

NEEDS = {
    "task_pt_regs": "5.15",
    "map_lookup_percpu_elem": "5.19",
    "ktime_get_tai_ns": "6.1",
    "may_goto": "6.9",
    "for_each_map_elem": "5.13",
}
"""Features of kernels without which something can't be done, and the Linux that brought each."""

_MOST_WAYS = 7000
"""Of the 8192 that a verifier keeps in mind (BPF_COMPLEXITY_LIMIT_JMP_SEQ), those that are for loops."""

_PRODUCER_POSITION = 3  # BPF_RB_PROD_POS
_CONTROL_HEAD = 16  # u32 id, u32 nothing, u64 position of the data ring
_DATA_HEAD = 4  # u32 id

ROOM = 1
"""Bytes past a text's own that its place must have: the NUL of one that was cut goes there."""


@record
class Place:
    """Memory for a value of `type`: `offset` bytes past `pointer`.

    `clean`: bytes of text after its NUL must be 0, as in keys, which are compared whole.
    """

    pointer: Value
    offset: int
    type: CType
    clean: bool = False


def in_register(type: CType) -> IntType:
    """The form in which a register holds a number of `type`."""
    while isinstance(type, Typedef):
        type = type.to
    if isinstance(type, (Int, Enum)):
        return int_type(type.bytes, type.signed)
    if isinstance(type, (Username, Code)):
        return int_type(type.size, isinstance(type, Code))
    if isinstance(type, Ptr):
        return int_type(type.bytes, False)  # those of programs of 32 bits have 4
    return int_type(1, False) if isinstance(type, Bool) else U64


def in_memory(type: CType) -> bool:
    """True for what no register holds: text, tuples, arrays and the like."""
    while isinstance(type, Typedef):
        type = type.to
    return isinstance(type, _IN_MEMORY)


_IN_MEMORY = (Float, Str, Tuple, Buffer, Inet, MacAddress, Stack, Usym, Array, Struct)


class Emitter:
    """One program. `b` is its builder; a language says what its arguments' values are."""

    def __init__(self, unit: Unit, b: Builder, provider: Provider, site: Site) -> None:
        self.unit = unit
        self.b = b
        self.provider = provider
        self.site = site
        self._names = 0
        self._ways = 0  # that loops of functions leave for the verifier to come back to

    @property
    def max_strlen(self) -> int:
        """Bytes of text that is read from an address, at most."""
        return self.unit.options.max_strlen

    @property
    def program_number(self) -> int:
        """The number by which what is sent names this program."""
        return self.unit.number_of(self.b.program.name)

    # ---- what the language adds

    def value(self, arg: Arg) -> Value:
        """The number that `arg` is."""
        raise AssertionError

    def where(self, arg: Arg) -> tuple[Value, int]:
        """Where what `arg` is, a value that no register holds, lies: a pointer, and bytes past it."""
        raise AssertionError

    def fill(self, arg: Arg, place: Place) -> None:
        """Put what `arg` is, text or a tuple, at `place`."""
        raise AssertionError

    def assign(self, arg: Arg, value: Value) -> None:
        """Set the variable that `arg` is to a number."""
        raise AssertionError

    def assign_from(self, arg: Arg, pointer: Value, type: CType) -> None:
        """Set the variable that `arg` is to what of `type` lies in memory."""
        raise AssertionError

    def has_effect(self, arg: Arg) -> bool:
        """True if computing `arg` changes something."""
        raise AssertionError

    def key(self, arg: Arg) -> Value:
        """A pointer to the key that an "entry" argument names."""
        raise AssertionError

    def leave(self) -> None:
        """End the program here."""
        self.b.ret(0)

    def need(self, feature: str, what: str) -> None:
        """Raises FeatureError, for what is made now, if the target is too old for `what`."""
        if not self.unit.target.have(feature):
            since = NEEDS[feature]
            raise FeatureError(f"{what} needs {feature}, which Linux has since {since}", span=self.b.span)

    def spend(self, ways: int, what: str) -> None:
        """Have the verifier keep `ways` more in mind. Raises FeatureError where those are too many for it and
        only another kind of loop would do."""
        self._ways += ways
        if self._ways > _MOST_WAYS:
            self.need("may_goto", what)

    # ---- records

    def event(
        self,
        kind: str,
        call: CallSite,
        items: tuple[Arg, ...] = (),
        *,
        ring: str = DATA,
        format: str = "",
        variable: str = "",
        numbers: tuple[int, ...] = (),
    ) -> None:
        """Send a record with the values of `items`."""
        ready = self._prepare(items)

        def fill(places: list[Place]) -> None:
            for item, made, place in zip(items, ready, places, strict=True):
                self._put(item, made, place)

        types = [item.type for item in items]
        self.send(kind, call, types, fill, ring=ring, format=format, variable=variable, numbers=numbers)

    def send(
        self,
        kind: str,
        call: CallSite,
        types: list[CType],
        fill: Callable[[list[Place]], None],
        *,
        ring: str = DATA,
        format: str = "",
        variable: str = "",
        numbers: tuple[int, ...] = (),
    ) -> None:
        """Send a record with values of `types`, which `fill` puts where it is told to. `fill` must go on:
        it neither returns nor leaves."""
        fields, size = _lay_out(types, _DATA_HEAD if ring == DATA else _CONTROL_HEAD)
        number = self.unit.event(
            kind,
            size,
            fields,
            ring=ring,
            format=format,
            variable=variable,
            numbers=numbers,
            probe=self.site.probe,
            span=call.span,
        )
        b = self.b
        position = None
        if ring == CONTROL:
            position = b.call("ringbuf_query", b.map(DATA), _PRODUCER_POSITION)
        reserved = b.call("ringbuf_reserve", b.map(ring), size, 0)
        full, got, done = b.new_block(), b.new_block(), b.new_block()
        b.branch(b.compare("ne", reserved, 0), got, full)
        b.place(got)
        rec = b.cast(reserved, RING)
        b.store(rec, number, 4)
        if position is not None:
            b.store(rec, 0, 4, 4)
            b.store(rec, position, 8, 8)
        fill([Place(rec, field.offset, field.type) for field in fields])
        b.call("ringbuf_submit", rec, 0)
        b.jump(done)
        b.place(full)
        self.count("lost")
        b.jump(done)
        b.place(done)

    def _prepare(self, items: tuple[Arg, ...]) -> list[Value | None]:
        """The values that must be computed before the reservation: up to the last that changes something,
        since those before it must not see the change. None for the others."""
        last = max((n for n, item in enumerate(items) if self.has_effect(item)), default=-1)
        return [self._compute(item) if n <= last else None for n, item in enumerate(items)]

    def _compute(self, item: Arg) -> Value:
        if not in_memory(item.type):
            return self.value(item)
        memory = self.b.slot(align_up(item.type.size + ROOM, 8))
        self.fill(item, Place(memory, 0, item.type))
        return memory

    def _put(self, item: Arg, made: Value | None, place: Place) -> None:
        if in_memory(item.type):
            if made is None:
                self.fill(item, place)
            else:
                self.b.copy(place.pointer, made, place.type.size, place.offset)
        else:
            value = made if made is not None else self.value(item)
            self.b.store(place.pointer, value, place.type.size, place.offset)

    # ---- counters

    def count(self, kind: str) -> None:
        """Add 1 to a counter of this probe."""
        offset = self.unit.counter(kind, self.site.probe, self.b.span)
        self.b.atomic_add(self.b.global_(GLOBALS, offset), 1)

    def _count_refusal(self, result: Value) -> None:
        """Count that a map took no entry: `result` is what the update gave."""
        offset = self.unit.failure("map_update_elem", self.b.span, kind="map_full")
        self.b.store(self.b.global_(GLOBALS, offset), result, 8, 8)
        self.b.atomic_add(self.b.global_(GLOBALS, offset), 1)

    def note_failure(self, helper: str, result: Value | int) -> None:
        """Count that `helper` gave `result`, where the user wants to know. At the place at hand."""
        if not self.unit.options.lookups or self.b.span is None:
            return
        offset = self.unit.failure(helper, self.b.span)
        self.b.store(self.b.global_(GLOBALS, offset), result, 8, 8)
        self.b.atomic_add(self.b.global_(GLOBALS, offset), 1)

    def check_result(self, helper: str, result: Value) -> None:
        """Note that `helper` failed if it gave less than 0, where the user wants to know."""
        if not self.unit.options.lookups:
            return
        b = self.b
        failed, done = b.new_block(), b.new_block()
        b.branch(b.compare("slt", result, 0), failed, done)
        b.place(failed)
        self.note_failure(helper, result)
        b.jump(done)
        b.place(done)

    # ---- variables

    def cell(self, stored: Stored) -> Value:
        """The address of a variable that is a number without key."""
        return self.b.global_(GLOBALS, stored.offset)

    def cpu_slot(self, stored: Stored) -> Value:
        """The address of this CPU's slot of an aggregate without key."""
        return self._slot_at(stored, self.b.call("get_smp_processor_id"))

    def _slot_at(self, stored: Stored, cpu: Value) -> Value:
        b, layout = self.b, self.unit.globals
        shift = layout.stride.bit_length() - 1
        index = b.op("and", b.ext(cpu, U64), layout.cpus - 1)
        base = b.global_(GLOBALS, layout.cpu_start)
        return b.offset(b.offset(base, b.op("shl", index, shift)), stored.offset)

    def find_entry(self, stored: Stored, key: Value) -> Value:
        """The address of the value at `key` of a hash, or 0."""
        return self.b.call("map_lookup_elem", self.b.map(stored.map), key)

    def make_entry(self, stored: Stored, key: Value) -> Value:
        """The address of the value at `key` of a hash, which is made of zeros if there is none; 0 when the
        hash is full, and that is counted."""
        b = self.b
        name = self._fresh("entry")
        missing, refused, joined = b.new_block(), b.new_block(), b.new_block()
        entry = self.find_entry(stored, key)
        b.write(name, entry)
        b.branch(b.compare("ne", entry, 0), joined, missing)
        b.place(missing)
        zeros = b.global_(GLOBALS, self.unit.zeros(stored.value.size))
        result = b.call("map_update_elem", b.map(stored.map), key, zeros, UpdateFlag.NOEXIST)
        # Another CPU may have been first: whose zeros these are does not matter, and none is lost.
        entry = self.find_entry(stored, key)
        b.write(name, entry)
        b.branch(b.compare("ne", entry, 0), joined, refused)
        b.place(refused)
        self._count_refusal(result)
        b.jump(joined)
        b.place(joined)
        return b.read(name, VALUE_OR_NULL)

    def with_entry(self, stored: Stored, key: Value) -> tuple[Value, Block]:
        """Go on where the value at `key` is there (made if need be): its address, and the block to
        go on in after it."""
        b = self.b
        entry = self.make_entry(stored, key)
        there, done = b.new_block(), b.new_block()
        b.branch(b.compare("ne", entry, 0), there, done)
        b.place(there)
        return b.cast(entry, VALUE), done

    def set_entry(self, stored: Stored, key: Value, value: Value) -> None:
        """Set the value at `key` to the bytes at `value`; a full hash is counted."""
        b = self.b
        result = b.call("map_update_elem", b.map(stored.map), key, value, UpdateFlag.ANY)
        refused, done = b.new_block(), b.new_block()
        b.branch(b.compare("ne", result, 0), refused, done)
        b.place(refused)
        self._count_refusal(result)
        b.jump(done)
        b.place(done)

    def each_slot(self, stored: Stored, action: Callable[[Value], None]) -> None:
        """Do `action` to every CPU's slot of an aggregate without key, in a loop."""
        self._each_cpu(lambda cpu: action(self._slot_at(stored, cpu)))

    def each_entry(self, stored: Stored, key: Value, action: Callable[[Value], None]) -> None:
        """Do `action` to every CPU's value at `key` of a per-CPU hash, in a loop."""
        b = self.b
        self.need("map_lookup_percpu_elem", f"reading {stored.name} inside the script")

        def visit(cpu: Value) -> None:
            entry = b.call("map_lookup_percpu_elem", b.map(stored.map), key, cpu)
            there, on = b.new_block(), b.new_block()
            b.branch(b.compare("ne", entry, 0), there, on)
            b.place(there)
            action(b.cast(entry, VALUE))
            b.jump(on)
            b.place(on)

        self._each_cpu(visit)

    def _each_cpu(self, action: Callable[[Value], None]) -> None:
        b = self.b
        name = self._fresh("cpu")
        head, body, done = b.new_block(), b.new_block(), b.new_block()
        b.write(name, b.const(0, U64))
        b.jump(head)
        b.place(head, sealed=False)
        cpu = b.read(name, U64)
        b.branch(b.compare("ult", cpu, self.unit.target.cpus), body, done)
        b.place(body)
        action(cpu)
        b.write(name, b.op("add", cpu, 1))
        b.jump(head)
        b.seal(head)
        b.place(done)

    def _fresh(self, stem: str) -> str:
        self._names += 1
        return f"{stem} {self._names}"


def _lay_out(types: list[CType], head: int) -> tuple[list[Field], int]:
    """Fields of `types` at their natural alignment after `head` bytes, and the record's size."""
    fields, at = [], head
    for type in types:
        at = align_up(at, type.align)
        fields.append(Field(at, standalone(type)))
        at += type.size
    if types and in_memory(types[-1]):
        at += ROOM
    return fields, align_up(at, 8)
