"""Builds BTF of any kind, byte order and header, right or wrong: apart from probee's own writer."""

from __future__ import annotations

import struct

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)


class BtfBuilder:
    """Each `add` gives the id of the new type. `on` is the builder of the base of split BTF."""

    def __init__(self, *, little: bool = True, on: BtfBuilder | None = None) -> None:
        self.order = "<" if little else ">"
        self.types = bytearray()
        self.strings = bytearray() if on else bytearray(b"\0")
        self.on = on
        self.first = on.end if on else 1
        self.count = 0
        self.layout: list[tuple[int, int]] = []
        self.header_extra = 0

    @property
    def end(self) -> int:
        return self.first + self.count

    @property
    def end_string(self) -> int:
        return (self.on.end_string if self.on else 0) + len(self.strings)

    def find_string(self, text: str) -> int:
        if not text:
            return 0
        if self.on:
            found = self.on.find_string(text)
            if found >= 0:
                return found
        at = (b"\0" + self.strings).find(b"\0" + text.encode() + b"\0")
        return at + (self.on.end_string if self.on else 0) if at >= 0 else -1

    def string(self, text: str) -> int:
        found = self.find_string(text)
        if found >= 0:
            return found
        self.strings += text.encode() + b"\0"
        return self.end_string - len(text.encode()) - 1

    def pack(self, layout: str, *values: int) -> bytes:
        return struct.pack(self.order + layout, *values)

    def add(
        self,
        kind: int,
        name: str = "",
        size: int = 0,
        *,
        vlen: int = 0,
        flag: bool = False,
        rest: bytes = b"",
    ) -> int:
        info = kind << 24 | vlen | flag << 31
        self.types += self.pack("III", self.string(name), info, size) + rest
        self.count += 1
        return self.end - 1

    def int(self, name: str, size: int, encoding: int = 0, *, offset: int = 0, bits: int = 0) -> int:
        return self.add(
            INT, name, size, rest=self.pack("I", encoding << 24 | offset << 16 | (bits or size * 8))
        )

    def array(self, of: int, count: int, index: int = 1) -> int:
        return self.add(ARRAY, rest=self.pack("III", of, index, count))

    def struct(
        self,
        name: str,
        size: int,
        members: list[tuple[str, int, int]],
        *,
        kind: int = STRUCT,
        flag: bool = False,
    ) -> int:
        """`members` are (name, type, bits from the start; with `flag`, size of the bit-field << 24 too)."""
        rest = b"".join(self.pack("III", self.string(n), t, o) for n, t, o in members)
        return self.add(kind, name, size, vlen=len(members), flag=flag, rest=rest)

    def enum(self, name: str, size: int, values: list[tuple[str, int]], *, signed: bool = False) -> int:
        rest = b"".join(self.pack("II", self.string(n), v & 0xFFFFFFFF) for n, v in values)
        return self.add(ENUM, name, size, vlen=len(values), flag=signed, rest=rest)

    def enum64(self, name: str, values: list[tuple[str, int]], *, signed: bool = False) -> int:
        rest = b"".join(
            self.pack("III", self.string(n), v & 0xFFFFFFFF, v >> 32 & 0xFFFFFFFF) for n, v in values
        )
        return self.add(ENUM64, name, 8, vlen=len(values), flag=signed, rest=rest)

    def proto(self, returns: int, params: list[tuple[str, int]]) -> int:
        rest = b"".join(self.pack("II", self.string(n), t) for n, t in params)
        return self.add(FUNC_PROTO, "", returns, vlen=len(params), rest=rest)

    def datasec(self, name: str, size: int, variables: list[tuple[int, int, int]]) -> int:
        rest = b"".join(self.pack("III", *v) for v in variables)
        return self.add(DATASEC, name, size, vlen=len(variables), rest=rest)

    def build(self) -> bytes:
        layout = b"".join(self.pack("BBH", *sizes, 0) for sizes in self.layout)
        size = 24 + (8 if self.layout else 0) + self.header_extra
        types, strings = len(self.types), len(self.strings)
        header = self.pack("HBBIIIII", 0xEB9F, 1, 0, size, 0, types, types + len(layout), strings)
        if self.layout:
            header += self.pack("II", types, len(layout))
        return (
            header.ljust(min(size, 32), b"\0").ljust(size, b"\xff")
            + bytes(self.types)
            + layout
            + bytes(self.strings)
        )


def every_kind(*, little: bool = True) -> BtfBuilder:
    """One of everything; `int` is 1, `struct node` is 3 and holds a pointer to itself."""
    b = BtfBuilder(little=little)
    number = b.int("int", 4, 1)
    pointer = b.add(PTR, "", 3)
    b.struct("node", 24, [("next", pointer, 0), ("value", number, 64), ("", 4, 96), ("rest", 5, 192)])
    b.struct("", 8, [("as_int", number, 0), ("as_pair", 6, 0)], kind=UNION)
    b.array(number, 0)
    b.array(number, 2)
    b.struct(
        "flags", 8, [("low", number, 3 << 24), ("high", number, 29 << 24 | 3), ("all", number, 32)], flag=True
    )
    b.enum("color", 4, [("RED", 0), ("BLUE", -1)], signed=True)
    b.enum64("wide", [("ONE", 1), ("TOP", 1 << 63)])
    b.add(FWD, "opaque")
    b.add(FWD, "either", flag=True)
    const = b.add(CONST, "", number)
    volatile = b.add(VOLATILE, "", const)
    alias = b.add(TYPEDEF, "number_t", volatile)
    tag = b.add(TYPE_TAG, "user", alias)
    user = b.add(PTR, "", tag)
    restrict = b.add(RESTRICT, "", user)
    proto = b.proto(number, [("first", restrict), ("second", alias), ("", 0)])
    function = b.add(FUNC, "doit", proto, vlen=1)
    variable = b.add(VAR, "counter", number, rest=b.pack("I", 1))
    b.datasec(".data..percpu", 64, [(variable, 8, 4)])
    b.add(FLOAT, "double", 8)
    b.add(DECL_TAG, "bpf_kfunc", function, rest=b.pack("i", -1))
    b.add(DECL_TAG, "__sz", function, rest=b.pack("i", 1))
    b.int("_Bool", 1, 4)
    return b
