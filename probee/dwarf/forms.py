"""How attributes are written (DWARF 5, section 7.5.5): reading a value, and passing over one.

A `Layout` is what the sizes of forms depend on. Positions are in the bytes of one unit; where they end, an
IndexError is raised, which `Unit` turns into a `DwarfError`.
"""

from __future__ import annotations

from ..base.record import record
from .consts import FORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Value = int | bytes


# Steps over forms without a fixed size; a step of 0 or more is a number of bytes.
LEB, STRING, BLOCK, BLOCK1, BLOCK2, BLOCK4, INDIRECT = range(-1, -8, -1)

_FIXED: dict[int, int] = {
    FORM.DATA1: 1, FORM.DATA2: 2, FORM.DATA4: 4, FORM.DATA8: 8, FORM.DATA16: 16, FORM.FLAG: 1,
    FORM.FLAG_PRESENT: 0, FORM.IMPLICIT_CONST: 0, FORM.REF1: 1, FORM.REF2: 2, FORM.REF4: 4, FORM.REF8: 8,
    FORM.REF_SIG8: 8, FORM.REF_SUP4: 4, FORM.REF_SUP8: 8,
    FORM.STRX1: 1, FORM.STRX2: 2, FORM.STRX3: 3, FORM.STRX4: 4,
    FORM.ADDRX1: 1, FORM.ADDRX2: 2, FORM.ADDRX3: 3, FORM.ADDRX4: 4,
}  # fmt: skip
_OFFSETS = (FORM.STRP, FORM.SEC_OFFSET, FORM.LINE_STRP, FORM.STRP_SUP, FORM.GNU_REF_ALT, FORM.GNU_STRP_ALT)
_STEPS: dict[int, int] = {
    FORM.SDATA: LEB, FORM.UDATA: LEB, FORM.REF_UDATA: LEB, FORM.STRX: LEB, FORM.ADDRX: LEB,
    FORM.LOCLISTX: LEB, FORM.RNGLISTX: LEB, FORM.GNU_ADDR_INDEX: LEB, FORM.GNU_STR_INDEX: LEB,
    FORM.STRING: STRING, FORM.BLOCK: BLOCK, FORM.EXPRLOC: BLOCK, FORM.BLOCK1: BLOCK1, FORM.BLOCK2: BLOCK2,
    FORM.BLOCK4: BLOCK4, FORM.INDIRECT: INDIRECT,
}  # fmt: skip

STRINGS = frozenset({
    FORM.STRING, FORM.STRP, FORM.LINE_STRP, FORM.STRP_SUP, FORM.GNU_STRP_ALT, FORM.STRX, FORM.STRX1,
    FORM.STRX2, FORM.STRX3, FORM.STRX4, FORM.GNU_STR_INDEX,
})  # fmt: skip
STRING_INDICES = frozenset({FORM.STRX, FORM.STRX1, FORM.STRX2, FORM.STRX3, FORM.STRX4, FORM.GNU_STR_INDEX})
ADDRESS_INDICES = frozenset(
    {FORM.ADDRX, FORM.ADDRX1, FORM.ADDRX2, FORM.ADDRX3, FORM.ADDRX4, FORM.GNU_ADDR_INDEX}
)
UNIT_REFERENCES = frozenset({FORM.REF1, FORM.REF2, FORM.REF4, FORM.REF8, FORM.REF_UDATA})
ALT_REFERENCES = frozenset({FORM.REF_SUP4, FORM.REF_SUP8, FORM.GNU_REF_ALT})
CONSTANTS = frozenset(
    {FORM.DATA1, FORM.DATA2, FORM.DATA4, FORM.DATA8, FORM.UDATA, FORM.SDATA, FORM.IMPLICIT_CONST}
)
BLOCKS = frozenset({FORM.BLOCK, FORM.BLOCK1, FORM.BLOCK2, FORM.BLOCK4, FORM.EXPRLOC})


@record
class Layout:
    """Version, and the sizes in bytes of offsets into sections (4 or 8) and of addresses; byte order."""

    version: int
    offset_size: int
    address_size: int
    little: bool

    @property
    def order(self) -> Literal["little", "big"]:
        return "little" if self.little else "big"


def step_over(form: int, layout: Layout) -> int | None:
    """The step over `form`: its size, or what to do to find it; None for a form that isn't known."""
    size = _FIXED.get(form)
    if size is not None:
        return size
    if form in _OFFSETS:
        return layout.offset_size
    if form == FORM.ADDR:
        return layout.address_size
    if form == FORM.REF_ADDR:
        return layout.address_size if layout.version == 2 else layout.offset_size
    return _STEPS.get(form)


def skip(data: bytes, at: int, steps: tuple[int, ...], layout: Layout) -> int:
    """The position after `steps` from `at`, which may be past the end."""
    for step in steps:
        if step >= 0:
            at += step
        elif step == LEB:
            while data[at] > 127:
                at += 1
            at += 1
        elif step == STRING:
            at = data.find(b"\0", at) + 1
            if not at:
                raise IndexError
        elif step == INDIRECT:
            form, at = read_uleb(data, at)
            at = skip(data, at, (_indirect_step(form, layout),), layout)
        else:
            size, at = _block_size(data, at, step, layout)
            at += size
    return at


def read_value(data: bytes, at: int, form: int, layout: Layout) -> tuple[int, Value, int]:
    """The form (FORM.INDIRECT resolved), the value and the position after it.

    Values are unsigned but those of SDATA; strings in place, blocks and DATA16 are bytes; flags are 0 or 1.
    """
    step = step_over(form, layout)
    if step is None:
        raise IndexError
    if step >= 0:
        end = at + step
        if end > len(data):
            raise IndexError
        if form == FORM.FLAG_PRESENT:
            return form, 1, end
        if form == FORM.DATA16:
            return form, data[at:end], end
        return form, int.from_bytes(data[at:end], layout.order), end
    if step == LEB:
        value, end = (read_sleb if form == FORM.SDATA else read_uleb)(data, at)
        return form, value, end
    if step == STRING:
        end = data.find(b"\0", at)
        if end < 0:
            raise IndexError
        return form, data[at:end], end + 1
    if step == INDIRECT:
        form, at = read_uleb(data, at)
        _indirect_step(form, layout)
        return read_value(data, at, form, layout)
    size, at = _block_size(data, at, step, layout)
    if at + size > len(data):
        raise IndexError
    return form, data[at : at + size], at + size


def _indirect_step(form: int, layout: Layout) -> int:
    step = step_over(form, layout)
    if step is None or form in (FORM.INDIRECT, FORM.IMPLICIT_CONST):
        raise IndexError
    return step


def _block_size(data: bytes, at: int, step: int, layout: Layout) -> tuple[int, int]:
    if step == BLOCK:
        return read_uleb(data, at)
    size = 1 if step == BLOCK1 else 2 if step == BLOCK2 else 4
    if at + size > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + size], layout.order), at + size


def read_uleb(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number of at most 64 bits, and the position after it."""
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise IndexError


def read_sleb(data: bytes, at: int) -> tuple[int, int]:
    """A signed LEB128 number of at most 64 bits, and the position after it."""
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 128:
            return (value - (1 << shift) if byte & 0x40 else value), at
    raise IndexError
