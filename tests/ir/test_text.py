"""The text form: what it looks like, what it keeps, what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import SourceError
from probee.base.source import Source, Span
from probee.ir.builder import Builder
from probee.ir.nodes import Block, Function, Value
from probee.ir.ops import OPS
from probee.ir.text import TYPES, parse_function, print_function
from probee.ir.types import MAP, U8, U32, U64

EVERY_OP = """\
function every_op
b0:
  v0:ptr.ctx = ctx
  v1:u64 = const 18446744073709551615
  v2:s64 = const -1
  v3:ptr.stack = slot 24 align 8
  v4:ptr.map = map counts
  v5:ptr.value = global globals +8
  v6:u64 = add v1, v1
  v7:u64 = neg v6
  v8:u8 = ext v7
  v9:u64 = cast v8
  v10:u8 = slt v9, v1
  v11:ptr.stack = padd v3, v9
  v12:s32 = load v0 +112
  store.4 v3 +16, v12
  zero.24 v3 +0
  copy.8 v3 +0, v5 +8
  atomic_add.8 v5 -8, v1
  v17:u64 = fetch_add.4 v5 +0, v1
  v18:u64 = xchg.8 v5 +0, v1
  v19:u64 = cmpxchg.8 v5 +0, v1, v6
  v20:ptr.value? = call map_lookup_elem v4, v3
  v21:u64 = call ktime_get_ns
  call ringbuf_submit v3, v1
  br v10, b1, b2
b1:
  spill v1 -8
  v25:u64 = reload -8
  v26:ptr.stack = frame -16
  jump b2
b2:
  v28:u64 = phi [b0: v1, b1: v25, b2: v28]
  may_goto b2, b3
b3:
  v30:ptr.value = shared +8
  v31:s64 = each visit v4
  v32:s64 = loop visit v1
  v33:u64 = func visit
  v34:ptr.value = area
  ret v28
callback visit
b0:
  v0:ptr.key = param +1
  ret v0
"""


def test_every_op_reads_and_prints_the_same() -> None:
    function = parse_function(EVERY_OP)
    assert print_function(function) == EVERY_OP
    used = {value.op for part in function.whole for block in part.blocks for value in block.values}
    binary = {name for name, op in OPS.items() if op.args in ("ii", "xx")}
    assert used | binary == OPS.keys() - {"moves"}


def test_parsed_fields() -> None:
    values = parse_function(EVERY_OP).blocks[0].values
    by_op = {v.op: v for v in values}
    assert by_op["slot"].attr == (24, 8)
    assert by_op["copy"].attr == (0, 8, 8)
    assert (by_op["global"].attr, by_op["global"].imm) == ("globals", 8)
    assert (by_op["store"].attr, by_op["store"].imm) == (4, 16)
    assert (by_op["load"].imm, str(by_op["load"].type)) == (112, "s32")
    assert (by_op["const"].imm, by_op["map"].type) == (-1, MAP)
    assert [a.op for a in by_op["cmpxchg"].args] == ["global", "const", "add"]
    assert [t.name for t in by_op["br"].targets] == ["b1", "b2"]


def test_printing_changes_nothing() -> None:
    function = parse_function(EVERY_OP)
    function.blocks[0].values[3].id = 77
    function.blocks[1].name = "loop"
    assert print_function(function) == EVERY_OP
    assert function.blocks[0].values[3].id == 77
    assert function.blocks[1].name == "loop"


def test_spans() -> None:
    source = Source("a.bt", "BEGIN\n{ @x = 1 }")
    b = Builder("f")
    b.span = Span(source, 8, 14)
    b.ret(1)
    function = b.finish()
    plain = "function f\nb0:\n  v0:u64 = const 1\n  ret v0\n"
    assert print_function(function) == plain
    text = print_function(function, spans=True)
    assert text == "function f\nb0:\n  v0:u64 = const 1  ; 2:3\n  ret v0  ; 2:3\n"
    assert print_function(parse_function(text)) == plain


def test_order_of_predecessors_is_the_phis() -> None:
    text = (
        "function f\nb0:\n  v0:u64 = const 0\n  br v0, b1, b2\nb1:\n  jump b3\nb2:\n  jump b3\n"
        "b3:\n  v4:u64 = phi [b2: v0, b1: v0]\n  ret v4\n"
    )
    function = parse_function(text)
    assert [p.name for p in function.blocks[3].preds] == ["b2", "b1"]
    assert print_function(function) == text


def test_a_value_may_be_used_above_its_line() -> None:
    text = "function f\nb0:\n  jump b2\nb1:\n  ret v2\nb2:\n  v2:u64 = const 0\n  jump b1\n"
    assert print_function(parse_function(text)) == text


def test_blanks_and_comments() -> None:
    text = "; a test\n\nfunction f ; name\n b0:\n\tv7:u64 = const 0   ; nothing\nret v7\n"
    assert print_function(parse_function(text)) == "function f\nb0:\n  v0:u64 = const 0\n  ret v0\n"


def test_what_selection_leaves_is_printed() -> None:
    function, block = Function("f"), Block("b0")
    function.blocks.append(block)
    one = Value("const", U64, imm=1)
    call = Value("call", U32, attr="get_prandom_u32")
    phi = Value("phi", U64)
    moves = Value("moves", None, [call, Value("reload", U64, imm=-8)], attr=[phi, -16])
    branch = Value("br", None, [call, one], attr="ult", targets=[block, block])
    block.values += [phi, call, moves, branch]
    assert print_function(function).splitlines()[2:] == [
        "  v0:u64 = phi []",
        "  v1:u32 = call get_prandom_u32",
        "  moves [v0: v1, -16: (reload -8)]",
        "  br ult v1, (const 1), b0, b0",
    ]


def test_value_of_no_block_is_printed() -> None:
    b = Builder("f")
    b.ret(0)
    function = b.finish()
    function.blocks[0].values[-1].args = [Value("add", U64, [Value("const", U64)] * 2)]
    assert "ret v?" in print_function(function)
    function.blocks[0].values.insert(0, Value("rotate", U8))
    assert "v0:u8 = rotate" in print_function(function)


WRONG = [
    ("", "expected 'function NAME'"),
    ("b0:", "expected 'function NAME' first"),
    ("function f\nfunction g", "expected one function, got another"),
    ("function f\nret v0", "expected a block, such as 'b0:', before the first value"),
    ("function f\nloop:", "expected a block's name such as b0, got 'loop'"),
    ("function f\nb0:\nb0:", "block b0 is there already"),
    ("function f\nb0:\n???", "expected a value, such as 'v1:u64 = add v2, v3'"),
    ("function f\nb0:\nv0:u64 = rotate v1", "no op of SSA form is called 'rotate'"),
    ("function f\nb0:\nmoves [v0: v1]", "no op of SSA form is called 'moves'"),
    ("function f\nb0:\nv0:u65 = const 1", "no type is called 'u65'"),
    ("function f\nb0:\nv0:u64 = const 1\nv0:u64 = const 1", "v0 is defined already"),
    ("function f\nb0:\nv0:u64 = const x", "expected the value, got 'x'"),
    ("function f\nb0:\nv0:u64 = const", "expected the value, got ''"),
    ("function f\nb0:\nv0:u64 = const 1 2", "expected the value, got '1 2'"),
    pytest.param(
        f"function f\nb0:\nv0:u64 = const {'1' * 5000}", f"expected the value, got '{'1' * 5000}'", id="long"
    ),
    ("function f\nb0:\nstore v0 +0, v0", "expected store with a number of bytes"),
    ("function f\nb0:\nadd.8 v0, v0", "expected add without a number of bytes"),
    ("function f\nb0:\nv0:u64 = load v0", "expected 1 offsets, got 0"),
    ("function f\nb0:\ncopy.8 v0 +0, v0", "expected 2 offsets, got 1"),
    ("function f\nb0:\nv0:u64 = add v0 +1, v0", "expected 0 offsets, got 1"),
    ("function f\nb0:\nv0:ptr.stack = slot 8", "expected SIZE align ALIGN, got '8'"),
    ("function f\nb0:\nv0:ptr.map = map", "expected a map name"),
    ("function f\nb0:\nv0:u64 = phi b1: v0", "expected [b1: v2, …], got 'b1: v0'"),
    ("function f\nb0:\nret v1", "v1 is not defined"),
    ("function f\nb0:\njump b1", "there is no block b1"),
    ("function f\nb0:\nret x", "expected a value such as v1, got 'x'"),
    (
        "function f\nb0:\nv0:u64 = const 0\njump b1\nb1:\nv1:u64 = phi [b1: v0]\nret v1",
        "expected the predecessors b0 of b1",
    ),
    (
        "function f\nb0:\nv0:u64 = phi [b9: v0]\nret v0",
        "expected the predecessors (none) of b0",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_text(text: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_function(text)
    assert caught.value.message == message


def test_error_points_at_the_line() -> None:
    with pytest.raises(SourceError) as caught:
        parse_function("function f\nb0:\n  v0:u64 = load v9 +0 ; here\n  ret v0\n")
    assert caught.value.render() == (
        "ir:3:3-22: ERROR: v9 is not defined\n  v0:u64 = load v9 +0 ; here\n  ~~~~~~~~~~~~~~~~~~~"
    )


_WORDS = ["function f", "b0:", "v0", "v1:u64", "=", "phi", "[b0: v0]", "add", ",", "+0", ".8", "store", "\n"]


@given(st.lists(st.sampled_from([*_WORDS, *OPS, *TYPES]), max_size=30).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        function = parse_function("function f\nb0:\n" + text)
    except SourceError:
        return
    again = print_function(function)
    assert print_function(parse_function(again)) == again
