"""BTF as it lies in a file: names → ids → records → types, each only when it is asked for.

Promises: nothing but the header is read at the start; the index (where each type begins) is built at
the first question that needs it, or handed in; malformed bytes raise `FormatError` and nothing else; the work
and the memory are bounded by the size of the data.

Split BTF (that of kernel modules) stands on a base: its ids and string offsets go on where the base's end.
"""

from __future__ import annotations

import sys

from ..base.errors import FormatError
from ..base.record import record
from ..ctype.types import VOID, Enum, Func
from .consts import KIND_FLAG, KIND_MASK, KIND_SHIFT, VLEN_MASK, Kind
from .decode import decode_type
from .header import parse_header, parse_layout
from .index import Index, Steps, build_index, parse_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..ctype.types import CType
    from .header import Image

MAX_DEPTH = 32
"""References that may follow one another: as many as the kernel resolves (MAX_RESOLVE_DEPTH)."""


_KINDS = {
    "struct": (Kind.STRUCT,),
    "union": (Kind.UNION,),
    "enum": (Kind.ENUM, Kind.ENUM64),
    "typedef": (Kind.TYPEDEF,),
}


@record
class Record:
    """`struct btf_type` of the type `id`; `rest` is the word of `words` at which what follows it begins."""

    id: int
    kind: int
    name_off: int
    vlen: int
    flag: bool
    size: int  # or the id of a type
    words: memoryview
    rest: int


@record
class Variable:
    """A variable of a DATASEC: `offset` and `size` are in bytes, within the section."""

    id: int
    offset: int
    size: int


class Btf:
    """The types of one BTF. `path` names it in errors; `index` is what `index_bytes` gave for the same data.

    `data` may be anything like `bytes` that can be searched, such as an `mmap`. Ids of types are the
    BTF's own; 0 is `void`. Raises FormatError.
    """

    def __init__(
        self, data: Image, path: str = "", base: Btf | None = None, *, index: Image | None = None
    ) -> None:
        self.path, self.base, self.header = path, base, parse_header(data, path)
        self._data = data
        self._first = 1 if base is None else base.end
        self._first_string = 0 if base is None else base._end_string
        self._end_string: int = self._first_string + self.header.strings_end - self.header.strings
        self._steps = Steps(parse_layout(data, self.header, path))
        self._words_made: memoryview | None = None
        self._index_made: Index | None = None
        self._types: dict[int, CType] = {}
        self._tags: dict[int, list[tuple[int, str]]] | None = None
        if index is not None:
            strings = self.header.strings_end - self.header.strings
            self._index_made = parse_index(index, self._words, strings, self._steps, path)

    # -- what is there ----------------------------------------------------------------------------

    @property
    def end(self) -> int:
        """The first id past all types, those of the base included."""
        return self._first + len(self._index)

    def index_bytes(self) -> bytes:
        """The index as bytes to be kept, and handed to another `Btf` of the same data on this machine."""
        return bytes(memoryview(self._index.data))

    def find(self, name: str, kind: Kind | None = None) -> int | None:
        """The id of the first type of that name (and kind), or None. Types of the base come last."""
        return next(self.iter_named(name, kind), None)

    def mentions(self, name: str) -> bool:
        """Whether `name` is among the strings of this BTF or of its base: without, no type has it."""
        return next(self._iter_strings(name), None) is not None

    def iter_named(self, name: str, kind: Kind | None = None) -> Iterator[int]:
        """Ids of all types of that name (and kind); a tag, a union and a function may share a name."""
        for name_off in self._iter_strings(name):
            for number in self._index.iter_named(name_off):
                found = self._first + number
                if kind is None or self.record(found).kind == kind:
                    yield found
        if self.base is not None:
            yield from self.base.iter_named(name, kind)

    def iter_kind(self, kind: Kind) -> Iterator[int]:
        """Ids of all types of a kind, those of the base left out. Raises FormatError."""
        words, wanted = self._words, int(kind)
        for number, at in enumerate(self._index.offsets):
            if words[at + 1] >> KIND_SHIFT & KIND_MASK == wanted:
                yield self._first + number

    # -- one type ---------------------------------------------------------------------------------

    def type(self, id: int) -> CType:
        """The type `id`: of a FUNC its prototype, of a VAR its type; `const` and its like are left out.

        Structs are `LazyStruct`s, whose members raise FormatError where these are malformed.
        """
        found = self.record(id) if id else None
        if found is not None and found.kind in (Kind.FUNC, Kind.VAR):
            return self.resolve(found.size)
        return self.resolve(id)

    def find_type(self, name: str, kind: Kind) -> CType | None:
        """The type of that name and kind, or None."""
        found = self.find(name, kind)
        return None if found is None else self.type(found)

    def find_function(self, name: str) -> Func | None:
        """The prototype of the function `name`, with the names of its parameters, or None."""
        found = self.find_type(name, Kind.FUNC)
        if found is not None and not isinstance(found, Func):
            raise self.error(f"expected a prototype of the function {name}", 0)
        return found

    def find_enum(self, constant: str) -> Enum | None:
        """The first enum that has that constant, or None."""
        for name_off in self._iter_strings(constant):
            for id in self._iter_holders(name_off):
                type = self.type(id) if self.record(id).kind in (Kind.ENUM, Kind.ENUM64) else None
                if isinstance(type, Enum) and any(name == constant for name, _ in type.values):
                    return type
        return self.base.find_enum(constant) if self.base is not None else None

    def find_known(self, kind: str, name: str) -> CType | None:
        """`known_types` of `ctype.declare`: a type by C's own word for its kind, or "enumerator"."""
        if kind == "enumerator":
            return self.find_enum(name)
        for wanted in _KINDS[kind]:
            found = self.find_type(name, wanted)
            if found is not None:
                return found
        return None

    def name(self, id: int) -> str:
        """The name of a type, "" if it has none."""
        return self.string(self.record(id).name_off) if id else ""

    def iter_tags(self, id: int) -> Iterator[tuple[int, str]]:
        """Declaration tags of a type: (index of the member or parameter, -1 for the type itself; text)."""
        if self._tags is None:
            tags: dict[int, list[tuple[int, str]]] = {}
            for tag in map(self.record, self.iter_kind(Kind.DECL_TAG)):
                component = tag.words[tag.rest]
                place = -1 if component == 0xFFFFFFFF else component
                tags.setdefault(tag.size, []).append((place, self.string(tag.name_off)))
            self._tags = tags
        yield from self._tags.get(id, ())
        if self.base is not None and 0 < id < self._first:
            yield from self.base.iter_tags(id)

    def iter_variables(self, id: int) -> Iterator[Variable]:
        """The variables of the DATASEC `id`; of most sections of a kernel these are per-CPU variables."""
        section = self.record(id)
        if section.kind != Kind.DATASEC:
            raise self.error(f"expected a DATASEC, got kind {section.kind}", id)
        for at in range(section.rest, section.rest + 3 * section.vlen, 3):
            variable, offset, size = section.words[at : at + 3]
            yield Variable(variable, offset, size)

    def linkage(self, id: int) -> int:
        """Linkage of a FUNC (`FuncLinkage`) or a VAR (`VarLinkage`)."""
        found = self.record(id)
        if found.kind not in (Kind.FUNC, Kind.VAR):
            raise self.error(f"expected a FUNC or a VAR, got kind {found.kind}", id)
        return found.vlen if found.kind == Kind.FUNC else found.words[found.rest]

    # -- what decoding needs ----------------------------------------------------------------------

    def resolve(self, id: int, depth: int = 0) -> CType:
        """The type `id` where another refers to it, after `depth` references."""
        if id == 0:
            return VOID
        if self.base is not None and id < self._first:
            return self.base.resolve(id, depth)
        made = self._types.get(id)
        if made is None:
            if depth > MAX_DEPTH:
                raise self.error(f"expected at most {MAX_DEPTH} references in a row", id)
            made = self._types[id] = decode_type(self, self.record(id), depth)
        return made

    def record(self, id: int) -> Record:
        """The record of the type `id` (not 0)."""
        if self.base is not None and 0 < id < self._first:
            return self.base.record(id)
        offsets, words = self._index.offsets, self._words
        number = id - self._first
        if not 0 <= number < len(offsets):
            raise self.error(f"expected a type below {self._first + len(offsets)}, got {id}", 0)
        at = offsets[number]
        if at + 3 > len(words):  # only where an index was handed in
            raise self.error("expected a type within the section", id)
        name_off, info, size = words[at : at + 3]
        kind, vlen = info >> KIND_SHIFT & KIND_MASK, info & VLEN_MASK
        if at + self._steps[info] > len(words):
            raise self.error("expected a type within the section", id)
        return Record(id, kind, name_off, vlen, info >= KIND_FLAG, size, words, at + 3)

    def string(self, offset: int) -> str:
        """The string at an offset of the string section."""
        if self.base is not None and offset < self._first_string:
            return self.base.string(offset)
        start = self.header.strings + offset - self._first_string
        end = self._data.find(b"\0", start, self.header.strings_end) if start >= self.header.strings else -1
        if end < 0:
            raise FormatError(
                "expected a string that ends in NUL", path=self.path, section="strings", offset=offset
            )
        return self._data[start:end].decode("utf-8", "replace")

    def error(self, message: str, id: int) -> FormatError:
        """A `FormatError` about the type `id`, to be raised by the caller."""
        number = id - self._first
        at = 4 * self._index.offsets[number] if 0 <= number < len(self._index) else 0
        return FormatError(
            f"type {id}: {message}" if id else message, path=self.path, section="types", offset=at
        )

    # -- sections ---------------------------------------------------------------------------------

    @property
    def _words(self) -> memoryview:
        words = self._words_made
        if words is None:
            header = self.header
            section = memoryview(self._data)[header.types : header.types_end]
            if header.little == (sys.byteorder == "little"):
                words = section.cast("I")
            else:
                from array import array

                swapped = array("I", section.tobytes())
                swapped.byteswap()
                words = memoryview(swapped)
            self._words_made = words
        return words

    @property
    def _index(self) -> Index:
        index = self._index_made
        if index is None:
            strings = self.header.strings_end - self.header.strings
            index = self._index_made = build_index(self._words, strings, self._steps, self.path)
        return index

    def _iter_holders(self, word: int) -> Iterator[int]:
        """Ids of the types whose records hold `word`, in its place or another."""
        wanted = word.to_bytes(4, "little" if self.header.little else "big")
        start, end = self.header.types, self.header.types_end
        last, at = 0, self._data.find(wanted, start, end)
        while at >= 0:
            found = self._first + self._index.number_around((at - start) // 4)
            if not (at - start) & 3 and found != last:
                yield found
                last = found
            at = self._data.find(wanted, at + 1, end)

    def _iter_strings(self, name: str) -> Iterator[int]:
        """Offsets at which the string section, and that of the base, has `name`."""
        if self.base is not None:
            yield from self.base._iter_strings(name)
        text = name.encode("utf-8", "surrogateescape")
        if not text or b"\0" in text:
            return
        start, end = self.header.strings, self.header.strings_end
        # The section begins with a NUL, that of the empty string; in split BTF it needn't.
        if self.base is not None and self._data[start : start + len(text) + 1] == text + b"\0":
            yield self._first_string
        at = self._data.find(b"\0" + text + b"\0", start, end)
        while at >= 0:
            yield at + 1 - start + self._first_string
            at = self._data.find(b"\0" + text + b"\0", at + 1, end)
