"""A script's `@variable`, read from a live machine, cleared and zeroed.

Where a variable lives (`spec.bundle.Variable`) decides how it is reached: a hash, or a slot of the
globals map that is shared memory. Nothing here stops the programs: an entry that changes while it
is read may be seen before or after the change.
"""

from __future__ import annotations

import errno

from ..base.bits import align_up
from ..base.errors import InternalError, KernelError
from ..ctype.types import Int
from ..spec.abi import UpdateFlag
from ..spec.values import Aggregate
from .aggregate import compile_merge
from .decode import BYTE_ORDER, Form, compile_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from ..spec.bundle import Variable
    from ..spec.machine import MapHandle

    class MapReader(Protocol):
        """One variable of a script.

        Values are those of `events.decode` and, for aggregates, `events.aggregate`.
        """

        variable: Variable

        def read(self) -> Any:
            """Keyed: a list of (key, value). Else the value, None if nothing was ever written."""

        def clear(self) -> None:
            """Remove every key; a variable without keys is as if never written."""

        def zero(self) -> None:
            """Set every value to 0 and keep the keys."""


_KEY_0 = bytes(4)


def open_variable(variable: Variable, handle: MapHandle, cpus: int, form: Form | None = None) -> MapReader:
    """A reader of `variable`, which lives in the map `handle` of a machine of `cpus` possible CPUs."""
    form = form or Form()
    if variable.key is not None:
        return HashReader(variable, handle, form)
    if variable.offset < 0:
        return EntryReader(variable, handle, form)
    return SlotReader(variable, handle.view(), cpus, form)


class HashReader:
    """A variable with keys: an entry each of a hash, per CPU where the value is an aggregate."""

    __slots__ = ("variable", "_handle", "_key", "_value", "_percpu")

    def __init__(self, variable: Variable, handle: MapHandle, form: Form) -> None:
        if variable.key is None:
            raise InternalError(f"{variable.name} has no keys")
        self.variable = variable
        self._handle = handle
        self._key = compile_value(variable.key, form)
        self._value = _compile_merged(variable.value, form)
        self._percpu = isinstance(variable.value, Aggregate)

    def read(self) -> list[tuple[Any, Any]]:
        key_size, size = _sizes(self.variable)
        key, value = self._key, self._value
        if self._percpu:
            items = self._handle.items_percpu()
            return [(key(k[:key_size]), value([v[:size] for v in values])) for k, values in items]
        return [(key(k[:key_size]), value((v[:size],))) for k, v in self._handle.items()]

    def clear(self) -> None:
        self._handle.clear()

    def zero(self) -> None:
        if self._percpu:
            for key, values in list(self._handle.items_percpu()):
                _zero_entry(self._handle, key, len(values))
        else:
            for key, _ in list(self._handle.items()):
                _zero_entry(self._handle, key)


class EntryReader:
    """A variable without keys that is too large for a slot: entry 0 of a hash."""

    __slots__ = ("variable", "_handle", "_value", "_percpu")

    def __init__(self, variable: Variable, handle: MapHandle, form: Form) -> None:
        self.variable = variable
        self._handle = handle
        self._value = _compile_merged(variable.value, form)
        self._percpu = isinstance(variable.value, Aggregate)

    def read(self) -> Any:
        size = self.variable.value.size
        values = self._find()
        return self._value([v[:size] for v in values]) if values else None

    def clear(self) -> None:
        self._handle.delete(_KEY_0)

    def zero(self) -> None:
        values = self._find()
        if values:
            _zero_entry(self._handle, _KEY_0, len(values) if self._percpu else 0)

    def _find(self) -> list[bytes]:
        if self._percpu:
            return self._handle.find_percpu(_KEY_0) or []
        value = self._handle.find(_KEY_0)
        return [] if value is None else [value]


class SlotReader:
    """A variable without keys in shared memory: one slot, or one a CPU.

    A slot without a flag of its own is written when a byte of it is not 0, so that a value that was
    zeroed has to be remembered here as one that exists.
    """

    __slots__ = ("variable", "_view", "_offsets", "_value", "_zeroed")

    def __init__(self, variable: Variable, view: memoryview, cpus: int, form: Form) -> None:
        self.variable = variable
        self._view = view
        count = cpus if variable.stride else 1
        self._offsets = [variable.offset + cpu * variable.stride for cpu in range(count)]
        self._value = _compile_merged(variable.value, form)
        self._zeroed = False
        end = self._offsets[-1] + max(variable.value.size, variable.written + 8)
        if end > len(view):
            raise InternalError(f"{variable.name} ends at {end} of {len(view)} bytes of globals")

    def read(self) -> Any:
        size, written = self.variable.value.size, self.variable.written
        values = [bytes(self._view[at : at + size]) for at in self._offsets]
        if written >= 0:
            flags = [bytes(self._view[at + written : at + written + 8]) for at in self._offsets]
            is_written = any(map(any, flags))
        else:
            is_written = self._zeroed or any(map(any, values))
        return self._value(values) if is_written else None

    def clear(self) -> None:
        self._zeroed = False
        self._fill()
        if self.variable.written >= 0:
            for at in self._offsets:
                self._view[at + self.variable.written : at + self.variable.written + 8] = bytes(8)

    def zero(self) -> None:
        if self.read() is not None:
            self._zeroed = True
            self._fill()

    def _fill(self) -> None:
        size = self.variable.value.size
        for at in self._offsets:
            self._view[at : at + size] = bytes(size)


def _sizes(variable: Variable) -> tuple[int, int]:
    return variable.key.size if variable.key else 0, variable.value.size


def _zero_entry(handle: MapHandle, key: bytes, cpus: int = 0) -> None:
    """Set an entry to 0, unless a program deletes it meanwhile; `cpus`: its values, if it is per CPU."""
    size = handle.spec.value_size
    zero = bytes(align_up(size, 8) * cpus if cpus else size)
    try:
        handle.update(key, zero, UpdateFlag.EXIST)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise


def _compile_merged(type: Any, form: Form) -> Callable[[Sequence[bytes]], Any]:
    """From the values of one or all CPUs to one value; plain integers kept per CPU are summed."""
    if isinstance(type, Aggregate):
        return compile_merge(type)
    one = compile_value(type, form)
    if not isinstance(type, Int):
        return lambda values: one(values[0])
    size, mask = type.bytes, (1 << type.bits) - 1

    def add(values: Sequence[bytes]) -> Any:
        if len(values) == 1:
            return one(values[0])
        total = sum([one(value) for value in values]) & mask
        return one(total.to_bytes(size, BYTE_ORDER))

    return add
