"""Every rule of the checker refuses what breaks it, by name, and nothing else."""

from __future__ import annotations

import pytest

from probee.base.errors import InternalError
from probee.ir.check import STAGES, check_function
from probee.ir.nodes import Block, Function, Value
from probee.ir.ops import OPS
from probee.ir.text import parse_function
from probee.ir.types import U64

ILLEGAL = {
    # rule: bodies that break it and no other
    "stage": ["v0:u64 = reload -8\nret v0", "v0:ptr.stack = frame -8\nv1:u64 = const 0\nret v1"],
    "shape": [
        "v0:u64 = const 0",
        "v0:u64 = const 0\nret v0\nret v0",
        "jump b1\nb1:\njump b1\nb2:\njump b1",  # b2 can't be reached
        "jump b0",
        "jump b1\nb1:\nv0:ptr.ctx = ctx\nv1:u64 = load v0 +0\nret v1",
        "v0:u64 = const 0\nbr v0, b1\nb1:\nret v0",
        "jump b1\nb1:\nv0:u64 = const 0\nv1:u64 = phi [b0: v0]\nret v1",
    ],
    "args": [
        "v0:u64 = const 1\nv1:u64 = add v0\nret v1",
        "v0:ptr.ctx = ctx\nv1:u64 = const 0\nv2:u64 = add v0, v1\nret v2",
        "v0:u64 = const 0\nv1:u64 = load v0 +0\nret v1",
        "v0:ptr.ctx = ctx\nret v0",
    ],
    "constant": [
        "v0:u8 = const 256\nret v0",
        "v0:s32 = const 4294967295\nret v0",
        "v0:ptr.value = const 5\nv1:u64 = const 0\nret v1",
        "v0:ptr.stack = slot 8 align 3\nv1:u64 = const 0\nret v1",
        "v0:ptr.stack = slot 0 align 8\nv1:u64 = const 0\nret v1",
        "v0:ptr.stack = slot 8 align 8\nv1:u64 = const 0\nstore.3 v0 +0, v1\nret v1",
        "v0:ptr.stack = slot 8 align 8\nv1:u64 = const 0\natomic_add.2 v0 +0, v1\nret v1",
        "v0:ptr.stack = slot 8 align 8\nv1:u64 = const 0\nzero.0 v0 +0\nret v1",
        "v0:ptr.value = global g -8\nv1:u64 = const 0\nret v1",
    ],
    "type": [
        "v0:u32 = const 1\nv1:u32 = add v0, v0\nret v1",
        "v0:u32 = const 1\nv1:u64 = add v0, v0\nret v1",
        "v0:u64 = const 1\nv1:u64 = ext v0\nret v1",
        "v0:u64 = const 1\nv1:u8 = cast v0\nret v1",
        "v0:s8 = const -1\nv1:u32 = cast v0\nret v1",
        "v0:ptr.stack = slot 8 align 8\nv1:u64 = cast v0\nret v1",
        "v0:ptr.ctx = ctx\nv1:ptr.value = load v0 +0\nv2:u64 = const 0\nret v2",
        "v0:ptr.ctx = ctx\nv1:ptr.user = load v0 +0\nv2:ptr.stack = slot 8 align 8\nstore.4 v2 +0, v1\n"
        "v3:u64 = const 0\nret v3",
        "v0:ptr.stack = slot 8 align 8\nv1:u64 = const 8\nv2:ptr.value = padd v0, v1\nret v1",
        "v0:ptr.ctx = ctx\nv1:u64 = load v0 +0\nv2:ptr.ctx = padd v0, v1\nret v1",
        "v0:ptr.ctx = ctx\nv1:u64 = const 0\nv2:u8 = eq v0, v1\nret v1",
        "v0:u64 = slot 8 align 8\nret v0",
        "v0:u64 = const 0\njump b1\nb1:\nv1:s64 = phi [b0: v0]\nret v1",
        "v0:u64 = const 0\njump b1\nb1:\nv1:u64 = ret v0",
    ],
    "space": [
        "v0:ptr.ctx = ctx\nv1:ptr.user = load v0 +0\nv2:u64 = load v1 +0\nret v2",
        "v0:ptr.ctx = ctx\nv1:ptr.kernel = load v0 +0\nv2:u64 = load v1 +0\nret v2",
        "v0:ptr.ctx = ctx\nv1:u64 = const 0\nstore.8 v0 +0, v1\nret v1",
        "v0:ptr.map = map m\nv1:u64 = load v0 +0\nret v1",
        "v0:ptr.map = map m\nv1:u64 = const 8\nv2:ptr.map = padd v0, v1\nret v1",
        "v0:ptr.stack = slot 8 align 8\nv1:ptr.ctx = ctx\ncopy.8 v1 +0, v0 +0\nv2:u64 = const 0\nret v2",
    ],
    "helper": [
        "v0:u64 = call no_such_helper\nret v0",
        "v0:u32 = call ktime_get_ns\nret v0",
        "v0:u64 = const 0\nv1:u64 = call ktime_get_ns v0\nret v1",
        "v0:ptr.stack = slot 8 align 8\nv1:s64 = call map_delete_elem v0, v0\nret v1",
        "v0:ptr.map = map m\nv1:u64 = const 0\nv2:s64 = call map_delete_elem v0, v1\nret v2",
        "v0:u64 = const 0\ncall ringbuf_submit v0, v0\nret v0",
    ],
    "dominance": [
        "v0:u64 = add v1, v1\nv1:u64 = const 0\nret v0",
        "v0:u64 = call ktime_get_ns\nbr v0, b1, b2\nb1:\nv1:u64 = const 0\njump b2\nb2:\nret v1",
        "v0:u64 = const 0\nbr v0, b1, b2\nb1:\nv1:u64 = const 0\njump b3\nb2:\njump b3\n"
        "b3:\nv2:u64 = phi [b1: v0, b2: v1]\nret v2",
    ],
}

LOOKUP = """\
v0:ptr.map = map m
v1:ptr.stack = slot 8 align 8
zero.8 v1 +0
v2:ptr.value? = call map_lookup_elem v0, v1
v3:ptr.value? = const 0
v4:u8 = {op} v2, v3
v9:u64 = const 0
"""
RESERVE = """\
v0:ptr.map = map m
v1:u64 = const 8
v9:u64 = const 0
v2:ptr.ring? = call ringbuf_reserve v0, v1, v9
v3:ptr.ring? = const 0
v4:u8 = ne v2, v3
br v4, b1, b2
"""
ILLEGAL["null"] = [
    LOOKUP.format(op="ne") + "v5:u64 = load v2 +0\nret v5",
    LOOKUP.format(op="ne") + "br v4, b1, b2\nb1:\nret v9\nb2:\nv5:u64 = load v2 +0\nret v5",
    LOOKUP.format(op="eq") + "br v4, b1, b2\nb1:\nstore.8 v2 +0, v9\nret v9\nb2:\nret v9",
    LOOKUP.format(op="ne") + "br v4, b1, b2\nb1:\njump b2\nb2:\nv5:u64 = load v2 +0\nret v5",
    LOOKUP.format(op="ne") + "v5:ptr.value? = padd v2, v9\nret v9",
    LOOKUP.format(op="ne") + "v5:ptr.value = cast v2\nret v9",
    LOOKUP.format(op="ne") + "v5:ptr.value? = call map_lookup_elem v0, v2\nret v9",
    LOOKUP.format(op="ne")
    + "br v4, b1, b2\nb1:\njump b3\nb2:\njump b3\n"
    + "b3:\nv5:ptr.value? = phi [b1: v2, b2: v3]\nv6:u64 = load v5 +0\nret v6",
    # a loop that looks up anew must test anew
    LOOKUP.format(op="ne")
    + "jump b1\nb1:\nv5:ptr.value? = call map_lookup_elem v0, v1\nv6:u64 = load v5 +0\n"
    + "v7:u8 = ne v5, v3\nbr v7, b1, b2\nb2:\nret v9",
]
ILLEGAL["ring"] = [
    RESERVE + "b1:\nret v9\nb2:\nret v9",
    RESERVE + "b1:\ncall ringbuf_submit v2, v9\ncall ringbuf_submit v2, v9\nret v9\nb2:\nret v9",
    RESERVE + "b1:\ncall ringbuf_discard v2, v9\nstore.8 v2 +0, v9\nret v9\nb2:\nret v9",
    RESERVE + "b1:\nv5:ptr.ring? = padd v2, v9\ncall ringbuf_submit v5, v9\nret v9\nb2:\nret v9",
    RESERVE
    + "b1:\nv5:u64 = call ktime_get_ns\nbr v5, b3, b4\nb3:\ncall ringbuf_submit v2, v9\njump b4\n"
    + "b4:\nret v9\nb2:\nret v9",
    RESERVE + "b1:\nv6:ptr.ring? = call ringbuf_reserve v0, v1, v9\nret v9\nb2:\nret v9",
    "v0:ptr.map = map m\nv1:u64 = const 8\nv9:u64 = const 0\njump b1\nb1:\n"
    "v2:ptr.ring? = call ringbuf_reserve v0, v1, v9\nv3:ptr.ring? = const 0\nv4:u8 = ne v2, v3\n"
    "br v4, b1, b2\nb2:\nret v9",
]
CASES = [(rule, body) for rule, bodies in ILLEGAL.items() for body in bodies]


def _parse(body: str) -> Function:
    return parse_function(f"function f\nb0:\n{body}\n")


@pytest.mark.parametrize(("rule", "body"), CASES)
def test_refuses(rule: str, body: str) -> None:
    with pytest.raises(InternalError, match=rf"^this is a bug in probee: ir of f\b.*: {rule}: "):
        check_function(_parse(body))


LEGAL = [
    LOOKUP.format(op="ne") + "br v4, b1, b2\nb1:\nv5:u64 = load v2 +0\nret v5\nb2:\nret v9",
    LOOKUP.format(op="eq") + "br v4, b1, b2\nb1:\nret v9\nb2:\natomic_add.8 v2 +0, v9\nret v9",
    # the test itself tested
    LOOKUP.format(op="eq")
    + "v5:u64 = cast v4\nv6:u8 = eq v5, v9\nbr v6, b1, b2\nb1:\nv7:u64 = load v2 +0\nret v7\nb2:\nret v9",
    # known on both ways
    LOOKUP.format(op="ne") + "br v4, b1, b2\nb1:\nv5:u64 = call ktime_get_ns\nbr v5, b3, b4\nb3:\njump b4\n"
    "b4:\nv6:u64 = load v2 +0\nret v6\nb2:\nret v9",
    # looked up, made, looked up again: known on both ways into the phi
    LOOKUP.format(op="ne") + "br v4, b3, b1\nb1:\nv5:ptr.value? = call map_lookup_elem v0, v1\n"
    "v6:u8 = ne v5, v3\nbr v6, b3, b2\nb2:\nret v9\n"
    "b3:\nv7:ptr.value? = phi [b0: v2, b1: v5]\nv8:u64 = load v7 +0\nret v8",
    # round a loop, known before it
    LOOKUP.format(op="ne") + "br v4, b1, b2\nb1:\nv5:u64 = load v2 +0\nbr v5, b1, b2\nb2:\nret v9",
    # a moved pointer was known when it was moved
    LOOKUP.format(op="ne") + "br v4, b1, b2\nb1:\nv5:ptr.value? = padd v2, v9\nv6:u64 = load v5 +8\n"
    "v7:ptr.value = cast v2\nstore.8 v7 +0, v6\nret v6\nb2:\nret v9",
    RESERVE + "b1:\nstore.8 v2 +0, v9\ncall ringbuf_submit v2, v9\nret v9\nb2:\nret v9",
    RESERVE + "b1:\nv5:u64 = call ktime_get_ns\nbr v5, b3, b4\nb3:\ncall ringbuf_submit v2, v9\njump b2\n"
    "b4:\ncall ringbuf_discard v2, v9\njump b2\nb2:\nret v9",
    # tested twice: what is 0 the first time is 0 the second
    RESERVE + "b1:\nstore.8 v2 +0, v9\njump b2\nb2:\nv5:u8 = eq v2, v3\nbr v5, b3, b4\n"
    "b3:\nret v9\nb4:\ncall ringbuf_submit v2, v9\nret v9",
    # one record after another
    "v0:ptr.map = map m\nv1:u64 = const 8\nv9:u64 = const 0\njump b1\nb1:\n"
    "v2:ptr.ring? = call ringbuf_reserve v0, v1, v9\nv3:ptr.ring? = const 0\nv4:u8 = ne v2, v3\n"
    "br v4, b3, b2\nb3:\ncall ringbuf_submit v2, v9\njump b1\nb2:\nret v9",
    # addresses of others are numbers
    "v0:ptr.ctx = ctx\nv1:ptr.user = load v0 +0\nv2:u64 = const 8\nv3:ptr.user = padd v1, v2\n"
    "v4:u64 = cast v3\nv5:ptr.user = cast v4\nv6:ptr.ctx = padd v0, v2\nret v4",
]


@pytest.mark.parametrize("body", LEGAL)
def test_accepts(body: str) -> None:
    check_function(_parse(body))


def test_stages_are_of_the_op_table() -> None:
    for stage in STAGES.values():
        assert stage.ops <= OPS.keys()
    assert set.union(*(set(s.ops) for s in STAGES.values())) == OPS.keys()


@pytest.mark.parametrize(
    ("body", "stages"),
    [
        ("v0:u64 = const 0\nret v0", {"built", "legal", "opened", "placed", "allocated"}),
        ("v0:ptr.stack = slot 8 align 8\nzero.8 v0 +0\nv1:u64 = load v0 +0\nret v1", {"built"}),
        ("v0:ptr.stack = slot 8 align 8\nv1:u64 = load v0 +0\nret v1", {"built", "legal", "opened"}),
        ("v0:ptr.stack = frame -8\nv1:u64 = load v0 +0\nret v1", {"placed", "allocated"}),
        ("v0:u64 = reload -8\nspill v0 -16\nret v0", {"allocated"}),
    ],
)
def test_stages(body: str, stages: set[str]) -> None:
    assert {name for name in STAGES if _is_legal(body, name)} == stages


def _is_legal(body: str, stage: str) -> bool:
    try:
        check_function(_parse(body), stage)
    except InternalError as error:
        assert ": stage: " in error.message  # noqa: PT017 the rule is what is tested
        return False
    return True


# ---- what the text form can't say


def _ret_function() -> tuple[Function, Block]:
    function, block = Function("f"), Block("b0")
    function.blocks.append(block)
    zero = Value("const", U64)
    block.values += [zero, Value("ret", None, [zero])]
    return function, block


def test_refuses_no_blocks() -> None:
    with pytest.raises(InternalError, match="shape: a function has an entry block"):
        check_function(Function("f"))


def test_refuses_unknown_op() -> None:
    function, block = _ret_function()
    block.values.insert(0, Value("rotate", U64))
    with pytest.raises(InternalError, match=r"b0: 'v0:u64 = rotate': stage: no op is called that"):
        check_function(function)


def test_refuses_a_value_in_two_places() -> None:
    function, block = _ret_function()
    block.values.insert(0, block.values[0])
    with pytest.raises(InternalError, match="shape: a value stands in one place"):
        check_function(function)


def test_refuses_wrong_preds() -> None:
    function, block = _ret_function()
    block.preds.append(block)
    with pytest.raises(InternalError, match="shape: preds are the blocks that lead here"):
        check_function(function)


def test_refuses_target_that_was_never_placed() -> None:
    function, block = _ret_function()
    block.values[-1] = Value("jump", None, targets=[Block("lost")])
    with pytest.raises(InternalError, match="shape: a target is a block of the function"):
        check_function(function)


def test_refuses_phi_out_of_step() -> None:
    function = _parse("v0:u64 = const 0\njump b1\nb1:\nv1:u64 = phi [b0: v0]\nret v1")
    function.blocks[1].values[0].args.append(function.blocks[0].values[0])
    with pytest.raises(InternalError, match="shape: one argument a predecessor"):
        check_function(function)


def test_refuses_argument_of_no_block() -> None:
    function, block = _ret_function()
    block.values[-1].args = [Value("const", U64)]
    with pytest.raises(InternalError, match="dominance: argument 0 is not made on every path"):
        check_function(function)


def test_refuses_argument_without_value() -> None:
    function = _parse("v0:ptr.stack = slot 8 align 8\nzero.8 v0 +0\nv1:u64 = const 0\nret v1")
    values = function.blocks[0].values
    values[-1].args = [values[1]]
    with pytest.raises(InternalError, match="args: an argument gives no value"):
        check_function(function)
