"""Debugging information entries: a tag, attributes that are read one at a time, and children.

An entry is a position in its unit. Nothing is kept of it, so that walking a large unit costs no memory;
whole subtrees are passed over by DW_AT_sibling where compilers wrote it.
"""

from __future__ import annotations

from .consts import AT, FORM, TAG
from .forms import (
    ADDRESS_INDICES,
    ALT_REFERENCES,
    BLOCKS,
    CONSTANTS,
    STRINGS,
    UNIT_REFERENCES,
    read_uleb,
    read_value,
    skip,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .abbrev import Abbrev
    from .forms import Value
    from .section import DwarfError
    from .unit import Unit

_MOST_DEPTH = 1 << 10
_NOTHING: frozenset[int] = frozenset()


class Die:
    """One entry of `unit`, at `at` bytes from the unit's first. Equal are those at one place of one file."""

    __slots__ = ("_attributes_at", "abbrev", "at", "unit")

    def __init__(self, unit: Unit, at: int, abbrev: Abbrev, attributes_at: int) -> None:
        self.unit, self.at, self.abbrev = unit, at, abbrev
        self._attributes_at = attributes_at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Die) and self.at == other.at and self.unit is other.unit

    def __hash__(self) -> int:
        return hash((id(self.unit), self.at))

    def __repr__(self) -> str:
        return f"<Die {self.offset:#x} {tag_name(self.tag)}>"

    @property
    def tag(self) -> int:
        return self.abbrev.tag

    @property
    def offset(self) -> int:
        """Offset in the section."""
        return self.unit.offset + self.at

    def error(self, message: str) -> DwarfError:
        """A `DwarfError` about this entry, to be raised by the caller."""
        return self.unit.error(message, self.at)

    # Attributes

    def has(self, name: int) -> bool:
        """Whether the attribute is there at all."""
        return name in self.abbrev.attributes

    def find_value(self, name: int) -> tuple[int, Value] | None:
        """Form and value of an attribute as they are written, or None when it isn't there."""
        attribute = self.abbrev.attributes.get(name)
        if attribute is None:
            return None
        if attribute.form == FORM.IMPLICIT_CONST:
            return FORM.IMPLICIT_CONST, attribute.constant
        unit = self.unit
        data = unit.head if self.at == unit.root_at else unit.data
        try:
            at = skip(data, self._attributes_at, attribute.steps, unit.layout)
            form, value, _ = read_value(data, at, attribute.form, unit.layout)
        except IndexError:
            raise self.error(f"expected attribute {name:#x} in form {attribute.form:#x}") from None
        return form, value

    def iter_values(self) -> Iterator[tuple[int, int, Value]]:
        """(attribute, form, value) of all attributes in their order."""
        for name in self.abbrev.attributes:
            found = self.find_value(name)
            assert found is not None
            yield name, *found

    def has_flag(self, name: int) -> bool:
        """Whether the attribute is there and not 0."""
        found = self.find_value(name)
        return found is not None and bool(found[1])

    def find_constant(self, name: int) -> int | None:
        """A constant, signed only where its form is (see `find_signed`); None for other classes too."""
        found = self.find_value(name)
        if found is None or found[0] not in CONSTANTS or isinstance(found[1], bytes):
            return None
        return found[1]

    def find_bytes(self, name: int) -> bytes | None:
        """The undecoded string of a string attribute, or None."""
        found = self.find_value(name)
        return self.unit.string(*found) if found is not None and found[0] in STRINGS else None

    def find_string(self, name: int) -> str | None:
        found = self.find_bytes(name)
        return found.decode("utf-8", "surrogateescape") if found is not None else None

    def find_block(self, name: int) -> bytes | None:
        """The bytes of a block or an expression, or None for other classes too."""
        found = self.find_value(name)
        if found is None or found[0] not in BLOCKS or isinstance(found[1], int):
            return None
        return found[1]

    def find_address(self, name: int) -> int | None:
        """An address, or None for other classes too."""
        form, value = self.find_value(name) or (0, b"")
        if isinstance(value, bytes):
            return None
        if form in ADDRESS_INDICES:
            return self.unit.address(value)
        return value if form == FORM.ADDR else None

    def find_die(self, name: int) -> Die | None:
        """The entry that a reference leads to, or None when there is no such attribute."""
        found = self.find_value(name)
        if found is None:
            return None
        form, value = found
        if isinstance(value, bytes):
            raise self.error(f"expected a reference, got form {form:#x}")
        if form in UNIT_REFERENCES:
            return self.unit.die(value)
        if form == FORM.REF_ADDR:
            return self.unit.dwarf.die(value)
        if form == FORM.REF_SIG8:
            return self.unit.dwarf.type_die(value, self)
        if form in ALT_REFERENCES:
            return self.unit.dwarf.alternate(self.unit).die(value)
        raise self.error(f"expected a reference, got form {form:#x}")

    @property
    def name(self) -> str | None:
        return self.find_string(AT.NAME)

    # Children

    def iter_children(self, tags: frozenset[int] | None = None) -> Iterator[Die]:
        """The entries below this one, those with a tag of `tags` only."""
        return self._iter_below(tags, deep=None)

    def iter_descendants(self, tags: frozenset[int], into: frozenset[int]) -> Iterator[Die]:
        """Entries with a tag of `tags` below this one, in order, also in those with a tag of `into`."""
        return self._iter_below(tags, deep=into)

    def find_end(self) -> int:
        """The position in the unit after this entry and all below it."""
        for _ in self._iter_below(_NOTHING, None):
            raise AssertionError
        return self.unit.walked_to

    def _iter_below(self, tags: frozenset[int] | None, deep: frozenset[int] | None) -> Iterator[Die]:
        """Entries below with a tag of `tags`, on the first level and in those with a tag of `deep`.

        Leaves the position after them in `Unit.walked_to`.
        """
        unit, layout = self.unit, self.unit.layout
        data, known, order = unit.data, unit.abbrevs.known, layout.order
        # How deep we are, and down to which depth all entries around are ones to be looked into.
        inner = shown = 0
        at = self._attributes_at
        try:
            at = skip(data, at, self.abbrev.steps, layout)
            while self.abbrev.has_children:
                start, code = at, data[at]
                at += 1
                if code > 127:
                    code, at = read_uleb(data, start)
                if not code:
                    if not inner:
                        break
                    inner -= 1
                    if inner < shown:
                        shown = inner
                    continue
                abbrev = known.get(code) or unit.abbrev(code, start)
                if inner == shown:
                    if tags is None or abbrev.tag in tags:
                        yield Die(unit, start, abbrev, at)
                    look_into = deep is not None and abbrev.tag in deep
                else:
                    look_into = False
                if abbrev.has_children:
                    if look_into:
                        shown += 1
                    elif abbrev.sibling is not None:
                        steps, size = abbrev.sibling
                        at = skip(data, at, steps, layout) if steps else at
                        target = int.from_bytes(data[at : at + size], order)
                        if not at < target < len(data):
                            raise unit.error(f"expected a sibling after this entry, got {target:#x}", start)
                        at = target
                        continue
                    inner += 1
                    if inner > _MOST_DEPTH:
                        raise unit.error(f"expected entries at most {_MOST_DEPTH} deep", start)
                at = at + abbrev.size if abbrev.size >= 0 else skip(data, at, abbrev.steps, layout)
        except IndexError:
            raise unit.error("expected entries that end with a null entry", at) from None
        unit.walked_to = at


def iter_dies_at(unit: Unit, positions: list[int]) -> Iterator[Die]:
    """The entries of `unit` whose attributes one of the sorted `positions` is in, each once.

    Subtrees that have none of them are passed over where DW_AT_sibling tells their end.
    """
    layout, data, known = unit.layout, unit.data, unit.abbrevs.known
    at, index = unit.root_at, 0
    try:
        while index < len(positions):
            start, code = at, data[at]
            at += 1
            if code > 127:
                code, at = read_uleb(data, start)
            if not code:
                continue
            abbrev = known.get(code) or unit.abbrev(code, start)
            after = at + abbrev.size if abbrev.size >= 0 else skip(data, at, abbrev.steps, layout)
            while index < len(positions) and positions[index] < at:
                index += 1
            if index < len(positions) and positions[index] < after:
                yield Die(unit, start, abbrev, at)
            elif abbrev.sibling is not None and index < len(positions):
                at = skip(data, at, abbrev.sibling[0], layout)
                target = int.from_bytes(data[at : at + abbrev.sibling[1]], layout.order)
                if at < target <= positions[index]:
                    after = target
            at = after
    except IndexError:
        # The unit ended, and the last of the positions were not in an entry.
        return


def tag_name(tag: int) -> str:
    """ "subprogram" for TAG.SUBPROGRAM, a number in hex for one without a name here."""
    try:
        return TAG(tag).name.lower()
    except ValueError:
        return f"{tag:#x}"
