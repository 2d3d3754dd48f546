"""Types and strings → BTF bytes, section by section as BPF_BTF_LOAD takes them."""

from __future__ import annotations

from ..base.reader import Writer
from .consts import HEADER_SIZE, KIND_SHIFT, MAGIC, VERSION, IntEncoding, Kind


class BtfWriter:
    """Collects types; each `add_` gives the id of the new one (0 is void)."""

    def __init__(self) -> None:
        self._types = Writer()
        self._strings = Writer()
        self._strings.write_string(b"")
        self._offsets: dict[str, int] = {"": 0}
        self._count = 0

    def add_string(self, text: str) -> int:
        """The offset of `text` in the string section; equal strings share one."""
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = len(self._strings.data)
            self._strings.write_string(text.encode("utf-8", "replace").replace(b"\0", b" "))
        return offset

    def _add(self, name: str, kind: Kind, vlen: int, size_or_type: int) -> int:
        self._types.write_struct("III", self.add_string(name), kind << KIND_SHIFT | vlen, size_or_type)
        self._count += 1
        return self._count

    def add_int(self, name: str, size: int, signed: bool) -> int:
        """An integer of `size` bytes."""
        added = self._add(name, Kind.INT, 0, size)
        self._types.write_struct("I", (IntEncoding.SIGNED if signed else 0) << 24 | size * 8)
        return added

    def add_func_proto(self, returns: int, params: tuple[tuple[str, int], ...] = ()) -> int:
        """A function type; `params` are (name, type id)."""
        added = self._add("", Kind.FUNC_PROTO, len(params), returns)
        for name, type_id in params:
            self._types.write_struct("II", self.add_string(name), type_id)
        return added

    def add_func(self, name: str, proto: int) -> int:
        """A static function of type `proto`. `name` must be a C identifier."""
        return self._add(name, Kind.FUNC, 0, proto)

    def encode(self) -> bytes:
        types, strings = bytes(self._types.data), bytes(self._strings.data)
        out = Writer()
        out.write_struct("HBBIIIII", MAGIC, VERSION, 0, HEADER_SIZE, 0, len(types), len(types), len(strings))
        return bytes(out.data) + types + strings
