"""Abbreviation tables (DWARF 5, section 7.5.3), parsed as far as they are asked for.

Each `Abbrev` also knows how to pass over an entry that uses it, and where in it each attribute is.
"""

from __future__ import annotations

from functools import cache

from ..base.record import record
from .consts import AT, FORM
from .forms import read_sleb, read_uleb, step_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Pattern

    from .forms import Layout
    from .section import DebugSection, DwarfError

_MOST_ATTRIBUTES = 1 << 12
_WINDOW = 1 << 14
_SIBLING_FORMS = {FORM.REF1: 1, FORM.REF2: 2, FORM.REF4: 4, FORM.REF8: 8}


@record
class Attribute:
    """One attribute of an abbreviation: the steps over those before it, its form, the implicit constant."""

    steps: tuple[int, ...]
    form: int
    constant: int


class Abbrev:
    """Tag, whether entries have children, and attributes by `AT` in their order.

    `steps` passes over all attributes, `size` is their size where it is always the same, else -1. `sibling`
    is (steps before, size) of the reference to the next entry on this level, or None.
    """

    __slots__ = ("attributes", "code", "has_children", "sibling", "size", "steps", "tag")

    def __init__(self, code: int, tag: int, has_children: bool) -> None:
        self.code, self.tag, self.has_children = code, tag, has_children
        self.attributes: dict[int, Attribute] = {}
        self.steps: tuple[int, ...] = ()
        self.size = 0
        self.sibling: tuple[tuple[int, ...], int] | None = None

    def add(self, name: int, form: int, constant: int, step: int) -> None:
        """Append an attribute whose value `step` passes over."""
        # Of an attribute that stands twice, which no compiler writes, the first counts.
        self.attributes.setdefault(name, Attribute(self.steps, form, constant))
        if name == AT.SIBLING and form in _SIBLING_FORMS and self.sibling is None:
            self.sibling = self.steps, _SIBLING_FORMS[FORM(form)]
        if step >= 0 and self.steps and self.steps[-1] >= 0:
            self.steps = *self.steps[:-1], self.steps[-1] + step
        else:
            self.steps = *self.steps, step
        self.size = self.steps[0] if len(self.steps) == 1 and self.steps[0] >= 0 else -1


class AbbrevTable:
    """The table at `offset` of `.debug_abbrev`, for units of one layout. `known` are those asked for so far.

    Tables have hundreds of abbreviations and GCC puts that of the unit itself anywhere, so those that aren't
    asked for are passed over by a regular expression.
    """

    def __init__(self, section: DebugSection, offset: int, layout: Layout) -> None:
        self._section, self._offset, self._layout = section, offset, layout
        self._data = section.take(offset, max(min(_WINDOW, section.size - offset), 0))
        self._next = 0
        self._places: dict[int, int] = {}
        self.known: dict[int, Abbrev] = {}

    def find(self, code: int) -> Abbrev | None:
        """The abbreviation with number `code`, or None."""
        found = self.known.get(code)
        if found is None:
            at = self._places.get(code)
            while at is None and self._next >= 0:
                at = self._pass_over(code)
            if at is not None:
                found = self.known[code] = self._parse(code, at)
        return found

    def _pass_over(self, wanted: int) -> int | None:
        """Note where the next abbreviation is; the place, if it is the `wanted` one."""
        start = self._next
        match = _pattern().match(self._data, start)
        if match is None:
            self._widen(start)
            return None
        try:
            code, at = read_uleb(self._data, start)
        except IndexError:
            raise self._error("expected the number of an abbreviation", start) from None
        if not code:
            self._next = -1
            return None
        self._next = match.end()
        self._places.setdefault(code, at)
        return at if code == wanted else None

    def _widen(self, at: int) -> None:
        """Take more of the section, where the table did not end."""
        size = min(4 * len(self._data), self._section.size - self._offset)
        if size <= len(self._data):
            raise self._error("expected an abbreviation", at)
        self._data = self._section.take(self._offset, size)

    def _parse(self, code: int, at: int) -> Abbrev:
        data = self._data
        try:
            tag, at = read_uleb(data, at)
            if data[at] > 1:
                raise self._error(f"expected 0 or 1 (has children), got {data[at]}", at)
            abbrev = Abbrev(code, tag, bool(data[at]))
            at += 1
            for _ in range(_MOST_ATTRIBUTES):
                name, at = read_uleb(data, at)
                form, at = read_uleb(data, at)
                if not name and not form:
                    return abbrev
                constant, at = read_sleb(data, at) if form == FORM.IMPLICIT_CONST else (0, at)
                step = step_over(form, self._layout)
                if step is None:
                    raise self._error(f"expected a form of DWARF 2 to 5, got {form:#x}", at)
                abbrev.add(name, form, constant, step)
        except IndexError:
            raise self._error("expected the attributes of an abbreviation", at) from None
        raise self._error(f"expected fewer than {_MOST_ATTRIBUTES} attributes", at)

    def _error(self, message: str, at: int) -> DwarfError:
        return self._section.error(message, self._offset + at)


@cache
def _pattern() -> Pattern[bytes]:
    """One whole abbreviation, or the 0 at the end of the table."""
    import re

    leb = rb"[\x80-\xff]*[\x00-\x7f]"
    pair = rb"(?!\0\0)%b(?:\x21%b|(?!\x21)%b)" % (leb, leb, leb)
    return re.compile(rb"\0|%b%b[\0\1](?:%b)*\0\0" % (leb, leb, pair), re.DOTALL)
