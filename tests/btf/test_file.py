"""Reading BTF: every kind, both byte orders, headers of tomorrow, split BTF, and the index kept as bytes."""

from __future__ import annotations

import pytest

from builders import btf as k
from builders.btf import BtfBuilder, every_kind
from probee.base.errors import FormatError
from probee.btf.consts import FuncLinkage, Kind, VarLinkage
from probee.btf.encode import BtfWriter
from probee.btf.file import Btf, Variable
from probee.ctype.types import (
    BOOL,
    VOID,
    Array,
    Enum,
    Float,
    Func,
    Int,
    LazyStruct,
    Member,
    Ptr,
    Struct,
    Typedef,
)

INT = Int(4, True, "int")


def read(b: BtfBuilder, base: Btf | None = None) -> Btf:
    return Btf(b.build(), "x", base)


def struct(btf: Btf, name: str, kind: Kind = Kind.STRUCT) -> Struct:
    found = btf.find_type(name, kind)
    assert isinstance(found, Struct)
    return found


@pytest.fixture(params=[True, False], ids=["little", "big"])
def btf(request: pytest.FixtureRequest) -> Btf:
    return read(every_kind(little=request.param))


def test_integers_floats_and_bool(btf: Btf) -> None:
    assert btf.find_type("int", Kind.INT) == INT
    assert btf.find_type("double", Kind.FLOAT) == Float(8, "double")
    assert btf.find_type("_Bool", Kind.INT) is BOOL
    assert btf.type(0) is VOID


def test_a_struct_that_points_to_itself(btf: Btf) -> None:
    node = struct(btf, "node")
    assert [m.name for m in node.members] == ["next", "value", "", "rest"]
    to_next = node.members[0].type
    assert isinstance(to_next, Ptr)
    assert to_next.to is node
    assert (node.size, node.align, node.kind) == (24, 8, "struct")


def test_anonymous_union_and_arrays(btf: Btf) -> None:
    union = struct(btf, "node").members[2]
    assert isinstance(union.type, Struct)
    assert (union.type.kind, union.offset_bits) == ("union", 96)
    assert union.type.members == (Member("as_int", INT, 0), Member("as_pair", Array(INT, 2), 0))
    assert struct(btf, "node").members[3] == Member("rest", Array(INT, 0), 192)


def test_bit_fields(btf: Btf) -> None:
    low, high, whole = struct(btf, "flags").members
    assert (low.offset_bits, low.bit_size) == (0, 3)
    assert (high.offset_bits, high.bit_size) == (3, 29)
    assert whole == Member("all", INT, 32)


def test_bit_fields_as_they_were_before_the_flag() -> None:
    b = BtfBuilder()
    narrow = b.int("unsigned int", 4, bits=3, offset=2)
    alias = b.add(k.TYPEDEF, "narrow_t", narrow)
    b.struct("old", 4, [("a", narrow, 0), ("b", alias, 8)])
    a, c = struct(read(b), "old").members
    assert (a.offset_bits, a.bit_size, c.offset_bits, c.bit_size) == (2, 3, 10, 3)


def test_enums(btf: Btf) -> None:
    assert btf.find_type("color", Kind.ENUM) == Enum("color", 4, True, (("RED", 0), ("BLUE", -1)))
    assert btf.find_type("wide", Kind.ENUM64) == Enum("wide", 8, False, (("ONE", 1), ("TOP", 1 << 63)))


def test_a_signed_enum64() -> None:
    b = BtfBuilder()
    b.enum64("e", [("LOW", -5)], signed=True)
    assert read(b).find_type("e", Kind.ENUM64) == Enum("e", 8, True, (("LOW", -5),))


def test_types_that_are_only_declared(btf: Btf) -> None:
    opaque, either = struct(btf, "opaque", Kind.FWD), struct(btf, "either", Kind.FWD)
    assert (opaque.kind, either.kind, opaque.size, opaque.members) == ("struct", "union", 0, ())
    assert isinstance(opaque, LazyStruct)
    assert opaque.declared


def test_functions_qualifiers_and_the_users_pointers(btf: Btf) -> None:
    alias = Typedef("number_t", INT)
    expected = Func(INT, (("first", Ptr(alias, "user")), ("second", alias)), True)
    assert btf.find_function("doit") == expected
    assert btf.find_function("node") is None
    function = btf.find("doit")
    assert function is not None
    assert btf.linkage(function) == FuncLinkage.GLOBAL
    assert btf.type(function) == expected


def test_declaration_tags(btf: Btf) -> None:
    function = btf.find("doit")
    assert function is not None
    assert list(btf.iter_tags(function)) == [(-1, "bpf_kfunc"), (1, "__sz")]
    assert list(btf.iter_tags(1)) == []


def test_variables_of_a_section(btf: Btf) -> None:
    section, variable = btf.find(".data..percpu", Kind.DATASEC), btf.find("counter", Kind.VAR)
    assert section is not None
    assert variable is not None
    assert list(btf.iter_variables(section)) == [Variable(variable, 8, 4)]
    assert btf.type(variable) == INT
    assert btf.linkage(variable) == VarLinkage.GLOBAL_ALLOCATED
    with pytest.raises(FormatError, match="expected a DATASEC"):
        list(btf.iter_variables(variable))


def test_finding_by_name_and_kind() -> None:
    b = BtfBuilder()
    number = b.int("int", 4, 1)
    one = b.struct("list", 4, [("list", number, 0), ("size", number, 0)])
    two = b.add(k.TYPEDEF, "list", one)
    three = b.struct("list", 8, [])
    btf = read(b)
    assert list(btf.iter_named("list")) == [one, two, three]
    assert list(btf.iter_named("list", Kind.STRUCT)) == [one, three]
    assert btf.find("list", Kind.TYPEDEF) == two
    # Names of members, parts of names, and nothing at all name no type.
    assert [btf.find(n) for n in ("size", "lis", "ist", "", "in\0t", "nothing")] == [None] * 6
    assert list(btf.iter_kind(Kind.STRUCT)) == [one, three]
    assert (btf.name(one), btf.name(0)) == ("list", "")


def test_constants_of_enums_and_the_words_of_c(btf: Btf) -> None:
    color, wide = btf.find_type("color", Kind.ENUM), btf.find_type("wide", Kind.ENUM64)
    assert btf.find_enum("BLUE") == color
    assert btf.find_known("enumerator", "TOP") == wide
    assert btf.find_enum("value") is None
    assert btf.find_known("enum", "wide") == wide
    assert btf.find_known("typedef", "number_t") == Typedef("number_t", INT)
    assert btf.find_known("struct", "node") is struct(btf, "node")
    assert btf.find_known("union", "node") is None


def test_a_name_that_is_there_twice_and_one_within_another() -> None:
    b = BtfBuilder()
    b.int("int", 4, 1)
    b.strings += b"int\0point\0"
    b.add(k.TYPEDEF, "", 1)
    b.types[-12:-8] = b.pack("I", 5)
    assert list(read(b).iter_named("int")) == [1, 2]


def test_a_longer_header() -> None:
    b = every_kind()
    b.header_extra = 40
    assert struct(read(b), "node").size == 24


@pytest.mark.parametrize("little", [True, False])
def test_a_kind_of_tomorrow_is_passed_over(little: bool) -> None:
    b = every_kind(little=little)
    b.add(25, "new", 0, vlen=3, rest=bytes(8 + 3 * 4))
    after = b.int("last", 8)
    b.layout = [(0, 0)] * 25 + [(8, 4)]
    btf = read(b)
    assert btf.find("last") == after
    assert btf.find("new") == after - 1
    with pytest.raises(FormatError, match="expected a type, got kind 25"):
        btf.type(after - 1)
    b.layout = b.layout[:25]
    with pytest.raises(FormatError, match="known or in the layout section, got 25"):
        read(b).find("last")


def test_vlen_of_24_bits() -> None:
    b = BtfBuilder()
    number = b.int("int", 4, 1)
    b.struct("big", 4 * 70_000, [("m", number, 32 * n) for n in range(70_000)])
    last = b.int("last", 8)
    btf = read(b)
    assert btf.find("last") == last
    assert struct(btf, "big").members[-1] == Member("m", INT, 32 * 69_999)


def test_split_btf_goes_on_where_its_base_ends() -> None:
    ground = every_kind()
    b = BtfBuilder(on=ground)
    pointer = b.add(k.PTR, "", 3)
    module = b.struct("module_node", 16, [("node", pointer, 0), ("value", 1, 64)])
    b.struct("node", 8, [("other", 1, 0)])
    base = read(ground)
    btf = read(b, base)
    found = struct(btf, "module_node")
    assert found.members == (Member("node", Ptr(struct(base, "node")), 0), Member("value", INT, 64))
    # Its own types come first, and the base's are found through it.
    assert list(btf.iter_named("node", Kind.STRUCT)) == [b.end - 1, 3]
    assert btf.type(3) is struct(base, "node")
    assert btf.find_function("doit") is base.find_function("doit")
    assert btf.find_enum("BLUE") is base.find_enum("BLUE") is not None
    assert (btf.name(module), btf.end) == ("module_node", b.end)
    assert [t for _, t in btf.iter_tags(19)] == ["bpf_kfunc", "__sz"]


def test_an_index_is_kept_as_bytes() -> None:
    data = every_kind().build()
    kept = Btf(data).index_bytes()
    btf = Btf(data, index=kept)
    assert btf.index_bytes() == kept
    assert struct(btf, "node").members == struct(Btf(data), "node").members
    other = every_kind()
    other.add(k.FWD, "more")
    assert len(kept) == 16 + 8 * (btf.end - 1)
    for wrong in (Btf(other.build()).index_bytes(), kept[:-8], b"", kept[:-1], bytes(len(kept))):
        with pytest.raises(FormatError, match="index"):
            Btf(data, index=wrong)
    moved = bytearray(kept)
    moved[20] += 1
    with pytest.raises(FormatError, match="index"):
        Btf(data, index=bytes(moved))


def test_no_types_at_all() -> None:
    btf = read(BtfBuilder())
    assert (btf.end, btf.find("int")) == (1, None)
    assert Btf(BtfBuilder().build(), index=btf.index_bytes()).end == 1


def test_what_probee_writes_it_reads() -> None:
    writer = BtfWriter()
    proto = writer.add_func_proto(writer.add_int("int", 4, True), (("ctx", 1),))
    writer.add_func("main", proto)
    assert Btf(writer.encode()).find_function("main") == Func(INT, (("ctx", INT),))


# -- what is refused --------------------------------------------------------------------------------


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as error:
        read_all(Btf(data, "x"))
    return error.value.message


def read_all(btf: Btf) -> None:
    for id in range(1, btf.end):
        found = btf.type(id)
        if isinstance(found, Struct):
            assert found.members is not None
            assert found.align


def test_headers_that_are_wrong() -> None:
    data = bytearray(every_kind().build())
    assert "expected a BTF header" in refused(data[:23])
    assert "magic" in refused(b"\x7fELF" + data[4:])
    assert "version" in refused(data[:2] + b"\2" + data[3:])
    assert "header of" in refused(data[:4] + b"\x10\0\0\0" + data[8:])
    assert "type section" in refused(data[:12] + b"\xff\xff\xff\x7f" + data[16:])
    assert "string section" in refused(data[:-1])
    assert "whole words" in refused(data[:12] + bytes([data[12] - 1]) + data[13:])
    assert "NUL" in refused(data[:-1] + b"x")


def test_types_that_are_cut_off() -> None:
    b = BtfBuilder()
    b.int("int", 4)
    del b.types[-4:]
    assert refused(b.build()) == "x: types+0x0: expected a whole type, got 12 bytes at the end"
    b.types += bytes(8)
    b.types[-8:-4] = b.pack("I", 32)
    assert "types+0x10" in refused(b.build())


def chain(build: object) -> str:
    b = BtfBuilder()
    b.int("int", 4)
    build(b)  # type: ignore[operator]
    return refused(b.build())


def test_references_that_lead_nowhere_or_back() -> None:
    assert "in a row" in chain(lambda b: b.add(k.PTR, "", 2))
    assert "in a row" in chain(lambda b: b.add(k.TYPEDEF, "t", 2))
    assert "in a row" in chain(lambda b: b.proto(1, [("x", 2)]))
    assert "below 3, got 9" in chain(lambda b: b.add(k.PTR, "", 9))
    assert "expected a type, got kind 12" in chain(lambda b: [b.add(k.FUNC, "f", 1), b.add(k.PTR, "", 2)])
    assert "100 deep" in chain(lambda b: b.struct("own", 4, [("", 2, 0)]))


def test_numbers_that_cannot_be() -> None:
    assert "1, 2, 4, 8 or 16" in chain(lambda b: b.int("odd", 3))
    assert "enum of" in chain(lambda b: b.enum("odd", 3, []))
    assert "floating" in chain(lambda b: b.add(k.FLOAT, "odd", 3))
    assert "within 32 bits" in chain(lambda b: b.struct("s", 4, [("m", 1, 64)]))
    assert "within 32 bits" in chain(lambda b: b.struct("s", 4, [("m", 1, 33 << 24)], flag=True))
    assert "have a type" in chain(lambda b: b.proto(1, [("x", 0), ("y", 1)]))
    assert "string" in chain(lambda b: b.types.__setitem__(slice(0, 4), b"\xff\0\0\0"))
