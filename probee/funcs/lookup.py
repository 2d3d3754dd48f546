"""A task by its process id: found as the kernel itself finds it, in the table of the first pid namespace.

No helper of the kernel gives the task of an id to every kind of program, so the program walks from the
current task's `struct pid` to the namespace's IDR, a radix tree (lib/xarray.c), and from there to the task.
What can't be read comes out as zeros (bpf_probe_read_kernel), which end the walk.
"""

from __future__ import annotations

from ..base.errors import FormatError
from ..base.record import record
from ..ctype.members import find_member
from ..ctype.types import Array, Struct, strip_typedefs
from ..ir.types import U8, U32, U64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..ctype.types import CType
    from ..ir.nodes import Block, Value
    from ..spec.target import Types
    from .emit import Emitter

_READ = "probe_read_kernel"
_LEVELS = 5
"""Of the tree, at most: ids have 22 bits (PID_MAX_LIMIT), of which a level takes 6, on small machines 4."""

_LEVELS_OF_SMALL = 6
_KIND = 3
_NODE = 2
"""What the low bits of an entry are that is a node of the tree (xa_is_node)."""


@record
class Places:
    """Bytes from the start of a struct to a member; `slots_of_node`: how many a node has."""

    thread_pid: int
    namespace: int
    root: int
    shift: int
    slots: int
    slots_of_node: int
    tasks: int
    links: int
    comm: int


def find_places(types: Types | None) -> Places | None:
    """Where the kernel has what is walked through; None where its types don't tell."""
    if types is None:
        return None
    try:
        slots = _find(types, "xa_node", "slots")
        found = (
            _find(types, "task_struct", "thread_pid"),
            _find(types, "pid", "numbers", "ns"),
            _find(types, "pid_namespace", "idr", "idr_rt", "xa_head"),
            _find(types, "xa_node", "shift"),
            slots,
            _find(types, "pid", "tasks"),
            _find(types, "task_struct", "pid_links"),
            _find(types, "task_struct", "comm"),
        )
    except FormatError:
        return None
    offsets = [place[0] for place in found if place is not None]
    if slots is None or len(offsets) < len(found) or not isinstance(slots[1], Array):
        return None
    thread_pid, namespace, root, shift, at_slots, tasks, links, comm = offsets
    return Places(thread_pid, namespace, root, shift, at_slots, slots[1].count, tasks, links, comm)


def _find(types: Types, struct: str, *path: str) -> tuple[int, CType] | None:
    """Offset and type of a member of members; of an array, what its first element has."""
    type, offset = types.find_type("struct", struct), 0
    for name in path:
        holder = strip_typedefs(type) if type is not None else None
        if isinstance(holder, Array):
            holder = strip_typedefs(holder.of)
        member = find_member(holder, name) if isinstance(holder, Struct) else None
        if member is None:
            return None
        offset, type = offset + member[0] // 8, member[1].type
    return None if type is None else (offset, strip_typedefs(type))


def lower_find_task(to: Emitter, places: Places, pid: Value, none: Block) -> Value:
    """The address of the task whose id is `pid`; goes to `none` where there is no such task."""
    b = to.b
    ids = _read(to, b.op("add", b.call("get_current_task"), places.thread_pid))
    namespace = _read(to, b.op("add", ids, places.namespace))
    entry = _read(to, b.op("add", namespace, places.root))
    _go_on(to, _is_node(to, entry), none)
    shift = _shift(to, places, entry)
    index = b.op("lshr", pid, shift)
    _go_on(to, b.compare("ult", index, places.slots_of_node), none)
    name = f"entry {id(none)}"
    b.write(name, _slot(to, places, entry, index))
    levels = _LEVELS if places.slots_of_node == 64 else _LEVELS_OF_SMALL
    for _ in range(levels - 1):
        entry = b.read(name, U64)
        deeper, on = b.new_block(), b.new_block()
        b.branch(_is_node(to, entry), deeper, on)
        b.place(deeper)
        index = b.op("and", b.op("lshr", pid, _shift(to, places, entry)), places.slots_of_node - 1)
        b.write(name, _slot(to, places, entry, index))
        b.jump(on)
        b.place(on)
    first = _read(to, b.op("add", b.read(name, U64), places.tasks))
    _go_on(to, b.compare("ne", first, 0), none)
    return b.op("sub", first, places.links)


def _go_on(to: Emitter, condition: Value, otherwise: Block) -> None:
    following = to.b.new_block()
    to.b.branch(condition, following, otherwise)
    to.b.place(following)


def _is_node(to: Emitter, entry: Value) -> Value:
    return to.b.compare("eq", to.b.op("and", entry, _KIND), _NODE)


def _shift(to: Emitter, places: Places, entry: Value) -> Value:
    """By how much an id is shifted to be an index at a node; less than 64, whatever was read."""
    b = to.b
    memory = b.slot(8)
    b.call(_READ, memory, 1, b.op("add", entry, places.shift - _NODE))
    return b.op("and", b.ext(b.load(memory, U8), U64), 63)


def _slot(to: Emitter, places: Places, entry: Value, index: Value) -> Value:
    b = to.b
    place = b.op("add", b.op("add", entry, places.slots - _NODE), b.op("shl", index, 3))
    return _read(to, place)


def _read(to: Emitter, address: Value) -> Value:
    memory = to.b.slot(8)
    to.b.call(_READ, memory, 8, address)
    return to.b.load(memory, U64)


def as_id(to: Emitter, value: Value) -> Value:
    """An id as 64 bits of which the upper are clear: negative ones are in no table."""
    return to.b.ext(to.b.ext(value, U32), U64)
