"""What the programs of one script share: variables, events, counters, maps."""

from __future__ import annotations

from ..base.bits import align_up
from ..base.record import record
from ..spec.abi import MapFlag, MapType
from ..spec.bundle import Counter, EventLayout, Field, Map
from .globals import Globals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..base.source import Span
    from ..spec.target import Target
    from .stored import Stored

GLOBALS = "globals"
DATA = "data"
CONTROL = "control"

CONTROL_BYTES = 64 << 10
"""Room for a few thousand control records, of which a script seldom sends more than some a second."""

DATA_BYTES = 8 << 20
"""Default room for data: at 32 bytes a record it bridges 50 ms of five million a second, which is longer
than a reader is often kept from its CPU. A reader's mapping holds it twice over, and all of that counts
as its resident memory at once: 16 MiB of the 31 that a traced script takes in all."""


@record
class Options:
    """What a user may set. `ring_bytes` is a power of two, `max_strlen` counts bytes of text, `max_probes`
    the places that a script may attach to, `max_cat_bytes` what cat() prints of a file, `stack_limit` the
    frames of a stack that says no number of its own. `lookups`: failed lookups and reads are counted."""

    ring_bytes: int = DATA_BYTES
    max_strlen: int = 1024
    max_map_keys: int = 4096
    max_probes: int = 1024
    max_cat_bytes: int = 10240
    stack_mode: str = "bpftrace"
    stack_limit: int = 127
    lookups: bool = False


_SHORT_STRLEN = 240
"""Default length of text where a key of two texts must fit into 512 bytes."""

_SHORT_STACK = 60
"""Default frames of a stack there: a key of one and a task's name takes 504 bytes."""


def default_options(target: Target) -> Options:
    """What holds for `target` when nothing is said."""
    return (
        Options()
        if target.have("large_keys")
        else Options(max_strlen=_SHORT_STRLEN, stack_limit=_SHORT_STACK)
    )


_PLACED = frozenset({"div0", "loop_limit", "out_of_bounds"})
"""Kinds of counters of which one is at each place of the script."""


class Unit:
    """Everything that is of the script, not of one program."""

    def __init__(self, target: Target, options: Options) -> None:
        self.target = target
        self.options = options
        self.globals = Globals(target.cpus)
        self.variables: dict[str, Stored] = {}
        self.events: list[EventLayout] = []
        self.counters: dict[tuple[str, str, str], Counter] = {}
        self.maps: list[Map] = []
        self.start = -1
        self.pid = -1
        self.tai = -1
        self.child = -1
        self.stop = -1
        self.settings: Mapping[str, str | int | bool] = {}
        self.numbered: list[str] = []
        self._zeros: list[int] = []
        self._tables: dict[tuple[bytes, ...], tuple[str, int]] = {}

    def counter(self, kind: str, probe: str = "", span: Span | None = None) -> int:
        """The offset in the globals of a counter, which is made when it is asked for first: one for each
        probe, and of what is told with its place in the script one for each place."""
        key = (kind, probe, f"{span.start}" if span is not None and kind in _PLACED else "")
        if key not in self.counters:
            self.counters[key] = Counter(kind, self.globals.take(8), probe, "", span)
        return self.counters[key].offset

    def failure(self, helper: str, span: Span | None, *, kind: str = "helper") -> int:
        """The offset in the globals of a counter of calls of `helper` at one place that failed; what the last
        of them gave is 8 bytes after."""
        key = (kind, helper, f"{span.start}" if span is not None else "")
        if key not in self.counters:
            self.counters[key] = Counter(kind, self.globals.take(16), "", helper, span)
        return self.counters[key].offset

    def start_time(self) -> int:
        """The offset in the globals of the time when the script began (ns, boot clock)."""
        if self.start < 0:
            self.start = self.globals.take(8)
        return self.start

    def tai_offset(self) -> int:
        """The offset in the globals of the nanoseconds from the monotonic clock to TAI."""
        if self.tai < 0:
            self.tai = self.globals.take(8)
        return self.tai

    def traced_pid(self) -> int:
        """The offset in the globals of the id of the process that is traced."""
        if self.pid < 0:
            self.pid = self.globals.take(8)
        return self.pid

    def stopped(self) -> int:
        """The offset in the globals of a u64 that is not 0 once the script has ended itself."""
        if self.stop < 0:
            self.stop = self.globals.take(8)
        return self.stop

    def child_pid(self) -> int:
        """The offset in the globals of the id of the command that the tracer started, 0 for none."""
        if self.child < 0:
            self.child = self.globals.take(8)
        return self.child

    def number_of(self, program: str) -> int:
        """The number by which stacks and symbols name the program that took them."""
        if program not in self.numbered:
            self.numbered.append(program)
        return self.numbered.index(program)

    def zeros(self, size: int) -> int:
        """The offset in the globals of `size` bytes that stay 0."""
        if not self._zeros or self._zeros[1] < size:
            self._zeros = [self.globals.take(align_up(size, 8)), size]
        return self._zeros[0]

    def table(self, rows: tuple[bytes, ...]) -> tuple[str, int]:
        """A map with `rows`, one after another in its only value, and the bytes of each, a multiple of 8."""
        if rows not in self._tables:
            size = align_up(max(map(len, rows)), 8)
            content = b"".join([row.ljust(size, b"\0") for row in rows])
            made = Map(f"table_{len(self._tables) + 1}", MapType.ARRAY, 4, len(content), 1, 0, content)
            self.maps.append(made)
            self._tables[rows] = made.name, size
        return self._tables[rows]

    def event(
        self,
        kind: str,
        size: int,
        fields: list[Field],
        *,
        ring: str = DATA,
        format: str = "",
        variable: str = "",
        numbers: tuple[int, ...] = (),
        probe: str = "",
        span: Span | None = None,
    ) -> int:
        """Add the layout of an event; its id."""
        number = len(self.events)
        self.events.append(
            EventLayout(number, kind, size, tuple(fields), ring, format, variable, numbers, probe, span)
        )
        return number

    @property
    def rings(self) -> tuple[tuple[str, str], ...]:
        """The rings that the events need, in pairs of role and map. Control goes by data's position."""
        used = {event.ring for event in self.events}
        if not used:
            return ()
        return ((DATA, DATA), (CONTROL, CONTROL)) if CONTROL in used else ((DATA, DATA),)

    def all_maps(self) -> tuple[Map, ...]:
        """Every map, the globals first. Call when all code is made."""
        maps = [Map(GLOBALS, MapType.ARRAY, 4, align_up(max(self.globals.size, 8), 8), 1, MapFlag.MMAPABLE)]
        sizes = {DATA: self.options.ring_bytes, CONTROL: CONTROL_BYTES}
        maps += [Map(name, MapType.RINGBUF, 0, 0, sizes[name]) for name, _ in self.rings]
        return tuple(maps + self.maps)
