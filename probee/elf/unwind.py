"""Rules by which programs unwind a stack: 32 bits that say where the caller's frame is.

`kind` in bits 0–2, `offset` in bits 3–15 as a signed count of words, then 8 bits each for where the frame
pointer and the return address were saved: so many words below the canonical frame address (CFA), 0 where
the register still has it. What a rule can't say has kind NONE: the walk ends there and says so.
"""

from __future__ import annotations

from enum import IntEnum

WORD = 8
OFFSET_BITS, SAVED_BITS = 13, 8
OFFSET_AT, FRAME_AT, RETURN_AT = 3, 16, 24


class Kind(IntEnum):
    """Where the CFA is. `offset` counts words, but for PLT, where it counts bytes."""

    NONE = 0  # not known
    SP = 1  # offset from the stack pointer
    FP = 2  # offset from the frame pointer
    FP_VALUE = 3  # what is in memory there; the frame pointer points to where it was saved itself
    PLT = 4  # a word above the stack pointer, two from byte `offset` of a 16-byte entry on
    SIGNAL = 5  # the registers lie in the frame that the kernel built for a signal
    END = 6  # there is no caller


def encode_rule(kind: Kind, offset: int = 0, frame: int = 0, back: int = 0) -> int:
    """A rule: `offset` as its kind counts, `frame` and `back` in words below the CFA. NONE where it won't
    fit."""
    low = 1 << OFFSET_BITS - 1
    if not -low <= offset < low or frame >> SAVED_BITS or back >> SAVED_BITS:
        return Kind.NONE
    return kind | (offset & (1 << OFFSET_BITS) - 1) << OFFSET_AT | frame << FRAME_AT | back << RETURN_AT
