"""BTF with func_info and line_info, so that the verifier's log speaks of the user's own lines."""

from __future__ import annotations

from ..base.reader import Writer
from ..btf.encode import BtfWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .link import Linked

_LINE_BITS = 22
_COLUMN_MAX = 1023


def describe(codes: Sequence[Linked]) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """BTF for all programs, and each one's (func_info, line_info) as BPF_PROG_LOAD takes them.

    Names of functions are C identifiers. A program without lines gets no line_info.
    """
    btf = BtfWriter()
    proto = btf.add_func_proto(btf.add_int("int", 4, True))
    infos = []
    for code in codes:
        func, lines = Writer(), Writer()
        for slot, name in code.functions:
            func.write_struct("II", slot, btf.add_func(name, proto))
        for index, line in enumerate(code.lines):
            span = line.span
            number, column = span.source.position(span.start)
            lines.write_struct(
                "IIII",
                line.slot if index else 0,
                btf.add_string(span.source.name),
                btf.add_string(span.source.line(number)),
                (number & ((1 << _LINE_BITS) - 1)) << 10 | min(column, _COLUMN_MAX),
            )
        infos.append((bytes(func.data), bytes(lines.data)))
    return btf.encode(), infos
