"""Strategies for classic filters the kernel accepts, and for packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from probee.isa.cbpf.forms import FORMS
from probee.isa.cbpf.insn import ABSOLUTE, AD_OFFSET, INDIRECT, JUMPS, LL_OFFSET, NET_OFFSET, Op, Sock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import DrawFn

CONSTANTS = st.one_of(
    st.sampled_from((0, 1, 31, 32, 255, 0x800, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)),
    st.integers(0, 0xFFFFFFFF),
)
OFFSETS = st.integers(0, 40)
HEADERS = st.sampled_from((NET_OFFSET, NET_OFFSET + 4, LL_OFFSET + 2)).map(lambda k: k & 0xFFFFFFFF)
PACKETS = st.binary(max_size=64)
CELLS = 3
"""Cells of scratch memory that filters write first and may read then."""


@st.composite
def filters(draw: DrawFn, ancillary: Sequence[int] = (), *, headers: bool = False) -> list[Sock]:
    """Filters of every kind of instruction, with those ancillary loads; `headers`: negative offsets too."""
    body = [Sock(Op.LD_IMM, 0, 0, draw(CONSTANTS)), Sock(Op.LDX_IMM, 0, 0, draw(CONSTANTS))]
    body += [Sock(Op.ST, 0, 0, cell) for cell in range(CELLS)]
    length = draw(st.integers(1, 16))
    for index in range(length):
        code = draw(st.sampled_from(sorted(FORMS)))
        body.append(_insn(draw, Op(code), length - index, ancillary, headers))
    body.append(draw(st.sampled_from((Sock(Op.RET_A), Sock(Op.RET_K, 0, 0, 0x10000)))))
    return body


def _insn(draw: DrawFn, code: Op, room: int, ancillary: Sequence[int], headers: bool) -> Sock:
    if code in JUMPS:
        k = 0 if code & 8 else draw(CONSTANTS)
        return Sock(code, draw(st.integers(0, room - 1)), draw(st.integers(0, room - 1)), k)
    if code == Op.JA:
        return Sock(code, 0, 0, draw(st.integers(0, room - 1)))
    if code in ABSOLUTE and ancillary and draw(st.booleans()):
        return Sock(code, 0, 0, AD_OFFSET + draw(st.sampled_from(ancillary)) & 0xFFFFFFFF)
    if code in ABSOLUTE or code in INDIRECT or code == Op.LDX_MSH:
        return Sock(code, 0, 0, draw(st.one_of(OFFSETS, HEADERS) if headers else OFFSETS))
    if code in (Op.LD_MEM, Op.LDX_MEM, Op.ST, Op.STX):
        return Sock(code, 0, 0, draw(st.integers(0, CELLS - 1)))
    if code in (Op.LSH_K, Op.RSH_K):
        return Sock(code, 0, 0, draw(st.integers(0, 31)))
    if code in (Op.DIV_K, Op.MOD_K):
        return Sock(code, 0, 0, max(draw(CONSTANTS), 1))
    takes_k = code in (Op.LD_IMM, Op.LDX_IMM, Op.RET_K) or (code & 7 == 4 and not code & 8 and code != Op.NEG)
    return Sock(code, 0, 0, draw(CONSTANTS) if takes_k else 0)
