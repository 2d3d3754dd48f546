"""Where a script's variables live, and the code that reaches them.

cell    a number without key: a line of the globals, a value and a "written" word
slot    an aggregate without key: in the slots of every CPU, reached by the CPU's number
hash    everything with a key; also what has no key and is no number (key 0)
"""

from __future__ import annotations

from enum import IntEnum

from ..base.bits import align_up
from ..base.errors import FeatureError
from ..base.record import record
from ..ctype.types import UINT32, CType
from ..spec.abi import MapType
from ..spec.bundle import Map, Variable
from ..spec.values import Aggregate, Sum, TSeries, standalone
from .emit import in_memory
from .unit import GLOBALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .unit import Unit


_PER_CPU = 32 << 10
"""Bytes of a value that every CPU has its own of (PCPU_MIN_UNIT_SIZE)."""

_SERIES_BYTES = 8 << 20
"""What all time series of a map may take on each CPU."""

_SHORT_KEY = 512
"""Bytes of a hash's key that every kernel takes."""


class Home(IntEnum):
    CELL = 1
    SLOT = 2
    HASH = 3


@record
class Stored:
    """One variable. `offset` is in the globals (cell) or in a CPU's slots (slot), `map` that of a hash.

    `written` is the offset, from the value, of the word that says that there is one; -1: none is needed.
    """

    name: str
    key: CType | None
    value: CType
    home: Home
    map: str = GLOBALS
    offset: int = 0
    written: int = -1

    @property
    def key_type(self) -> CType:
        """The key of the hash: what has no key has the number 0."""
        return UINT32 if self.key is None else self.key


@record
class Declared:
    """What a script says of a variable's map: `let @x = lruhash(100)`."""

    kind: str
    max_entries: int


MAP_KINDS = {
    "hash": (MapType.HASH, False),
    "lruhash": (MapType.LRU_HASH, False),
    "percpuhash": (MapType.PERCPU_HASH, True),
    "percpulruhash": (MapType.LRU_PERCPU_HASH, True),
}
"""Kinds of maps that can be declared: the map's type, and if it is for aggregates."""


def place_variable(unit: Unit, name: str, key: CType | None, value: CType, declared: Declared | None) -> None:
    """Give variable `name` its home. Homes of all variables are given before any code is made."""
    aggregate = isinstance(value, Aggregate)
    if key is None and aggregate:
        size = value.size + 8 if isinstance(value, Sum) else value.size
        written = value.size if isinstance(value, Sum) else -1
        offset = unit.globals.take_slot(size)
        unit.variables[name] = Stored(name, None, value, Home.SLOT, GLOBALS, offset, written)
    elif key is None and not in_memory(value):
        unit.variables[name] = Stored(name, None, value, Home.CELL, GLOBALS, unit.globals.take_line(), 8)
    else:
        _place_hash(unit, name, key, value, declared)


def _place_hash(unit: Unit, name: str, key: CType | None, value: CType, declared: Declared | None) -> None:
    entries = unit.options.max_map_keys if key is not None else 1
    kind = MapType.PERCPU_HASH if isinstance(value, Aggregate) else MapType.HASH
    if declared is not None:
        kind, entries = MAP_KINDS[declared.kind][0], declared.max_entries
    size = align_up(value.size, 8)
    if isinstance(value, TSeries):
        entries = min(entries, _limit_series(name, value, size)) if declared is None else entries
    key_size = UINT32.size if key is None else key.size
    if key_size > _SHORT_KEY and not unit.target.have("large_keys"):
        raise FeatureError(
            f"{name}: its keys take {key_size} bytes, of which kernels before 5.11 allow {_SHORT_KEY}",
            hint="give str() a length, or set max_strlen in config; give stacks a number of frames",
        )
    unit.variables[name] = Stored(name, key, value, Home.HASH, name)
    unit.maps.append(Map(name, kind, key_size, size, entries))


def _limit_series(name: str, value: TSeries, size: int) -> int:
    """How many keys there is memory for. Raises FeatureError for values that are too large for a key."""
    if size > _PER_CPU:
        most = _PER_CPU // (value.size // value.count)
        raise FeatureError(
            f"{name}: {value.count} intervals take {size} bytes a key, of which kernels allow {_PER_CPU}",
            hint=f"with keys, tseries() takes at most {most} intervals",
        )
    return max(_SERIES_BYTES // size, 1)


def variables_of(unit: Unit) -> tuple[Variable, ...]:
    """The variables as the bundle tells of them, in order of their names."""
    found = []
    for name, stored in sorted(unit.variables.items()):
        value = standalone(stored.value)
        if stored.home is Home.HASH:
            key = standalone(stored.key) if stored.key is not None else None
            found.append(Variable(name, key, value, stored.map))
        elif stored.home is Home.CELL:
            found.append(Variable(name, None, value, GLOBALS, stored.offset, 0, stored.written))
        else:
            offset = unit.globals.cpu_start + stored.offset
            found.append(Variable(name, None, value, GLOBALS, offset, unit.globals.stride, stored.written))
    return tuple(found)
