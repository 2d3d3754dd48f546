"""The functions of a program, one after another, become one piece of code."""

from __future__ import annotations

from ..base.record import record, replace
from ..isa import ebpf
from ..spec.bundle import LineInfo, Relocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .emit import Code

_SLOT = 8
_IMMEDIATE = 4


@record
class Linked:
    """The code of one program. `functions`: where they start, in slots, and names, the program first."""

    code: bytes
    relocations: tuple[Relocation, ...]
    lines: tuple[LineInfo, ...]
    functions: tuple[tuple[int, str], ...]


def link(parts: Sequence[Code]) -> Linked:
    """Put `parts` together, the program first, and fill in addresses of callbacks, which are distances."""
    starts: dict[str, int] = {}
    at = 0
    for part in parts:
        starts[part.name] = at
        at += len(part.code) // _SLOT
    code = bytearray()
    relocations: list[Relocation] = []
    lines: list[LineInfo] = []
    for part in parts:
        start = starts[part.name]
        code += part.code
        relocations += [replace(each, slot=start + each.slot) for each in part.relocations]
        # The kernel wants to know a line for the first instruction of every function.
        lines += [
            replace(each, slot=start + each.slot if n or not start else start)
            for n, each in enumerate(part.lines)
        ]
        for slot, name in part.addresses:
            place = (start + slot) * _SLOT
            load = ebpf.ld_func(code[place + 1] & 15, starts[name] - start - slot - 1)
            code[place : place + 2 * _SLOT] = ebpf.encode([load])
    return Linked(
        bytes(code), tuple(relocations), tuple(lines), tuple((at, name) for name, at in starts.items())
    )
