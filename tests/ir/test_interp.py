"""The interpreter: memory with bounds, maps, rings and helpers as the kernel has them."""

from __future__ import annotations

from errno import E2BIG, EAGAIN, EEXIST, EFAULT, EINVAL, ENOENT

import pytest

from probee.base.errors import InternalError
from probee.ir.check import check_function
from probee.ir.helpers import HELPERS
from probee.ir.interp import InterpMachine, run
from probee.ir.interp_helpers import CALLS
from probee.ir.ops import OPS
from probee.ir.text import parse_function, print_function
from probee.spec.abi import MapType
from probee.spec.bundle import Map

MAPS = (
    Map("hash", MapType.HASH, 8, 8, 2),
    Map("percpu", MapType.PERCPU_HASH, 8, 8, 2),
    Map("array", MapType.ARRAY, 4, 16, 2),
    Map("ring", MapType.RINGBUF, 0, 0, 64),
    Map("perf", MapType.PERF_EVENT_ARRAY, 4, 4, 0),
)


@pytest.fixture
def machine() -> InterpMachine:
    return InterpMachine(MAPS, cpus=2)


def _run(machine: InterpMachine, body: str, context: bytes = bytes(64)) -> int:
    return run(parse_function(f"function f\nb0:\n{body}\n"), machine, context)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


SLOT = "v0:ptr.stack = slot 16 align 8\nzero.16 v0 +0\nv9:u64 = const 0\n"


# ---- memory


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("v1:u64 = load v0 +9", "slot has 16 bytes, no 8 at offset 9"),
        ("v1:u8 = load v0 -1", "slot has 16 bytes, no 1 at offset -1"),
        ("store.4 v0 +13, v9", "slot has 16 bytes, no 4 at offset 13"),
        ("zero.17 v0 +0", "slot has 16 bytes, no 17 at offset 0"),
        ("atomic_add.4 v0 +2, v9", "an atomic access that is not aligned to 4 bytes"),
        ("v1:ptr.ctx = ctx\nstore.1 v1 +0, v9", "ctx can't be written to"),
        ("v1:ptr.ctx = ctx\nv2:u64 = load v1 +57", "ctx has 64 bytes, no 8 at offset 57"),
        ("v1:ptr.value = const 0\nv2:u64 = load v1 +0", "no memory at 0x0 for 8 bytes"),
        ("v1:ptr.value = global array +12\nv2:u64 = load v1 +0", "array has 16 bytes, no 8 at offset 12"),
        ("v1:ptr.value = global hash +0", "hash is no array"),
        ("v1:ptr.map = map nowhere", "the machine has no map nowhere"),
    ],
)
def test_bad_access(machine: InterpMachine, line: str, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        _run(machine, f"{SLOT}{line}\nret v9")


def test_error_names_function_block_and_value(machine: InterpMachine) -> None:
    with pytest.raises(InternalError) as caught:
        _run(machine, SLOT + "jump b1\nb1:\nv1:u64 = load v0 +99\nret v1")
    assert caught.value.message == (
        "this is a bug in probee: f: b1: 'v4:u64 = load v0 +99': slot has 16 bytes, no 8 at offset 99"
    )


def test_pointer_may_leave_and_come_back(machine: InterpMachine) -> None:
    body = SLOT + "v1:s64 = const -8\nv2:ptr.stack = padd v0, v1\nv3:u8 = const 7\nstore.1 v2 +8, v3\n"
    assert _run(machine, body + "v4:u8 = load v0 +0\nret v4") == 7


def test_undefined_memory(machine: InterpMachine) -> None:
    assert _run(machine, "v0:ptr.stack = slot 8 align 8\nv1:u16 = load v0 +0\nret v1") == 0xAAAA


def test_slot_is_gone_after_the_run(machine: InterpMachine) -> None:
    address = _run(machine, "v0:ptr.stack = slot 8 align 8\nv1:u64 = cast v0\nret v1")
    assert not machine.memory.have(address, 1)


def test_loads_extend_as_their_type_says(machine: InterpMachine) -> None:
    context = b"\xff\xfe" * 32
    assert _run(machine, "v0:ptr.ctx = ctx\nv1:s16 = load v0 +0\nret v1", context) == (1 << 64) - 257
    assert _run(machine, "v0:ptr.ctx = ctx\nv1:u16 = load v0 +0\nret v1", context) == 0xFEFF


def test_copy_moves_bytes_only(machine: InterpMachine) -> None:
    body = "v0:ptr.ctx = ctx\nv1:ptr.stack = slot 8 align 8\nzero.8 v1 +0\ncopy.3 v1 +2, v0 +1\n"
    assert _run(machine, body + "v2:u64 = load v1 +0\nret v2", bytes(range(1, 65))) == 0x04_03_02_0000


@pytest.mark.parametrize(
    ("line", "gives", "leaves"),
    [
        ("atomic_add.4 v0 +0, v2\nv3:u64 = const 0", 0, 0x1_00000004),
        ("v3:u64 = fetch_add.4 v0 +0, v2", 0xFFFFFFFF, 0x1_00000004),
        ("v3:u64 = fetch_add.8 v0 +0, v2", 0x1_FFFFFFFF, 0x2_00000004),
        ("v3:u64 = xchg.4 v0 +0, v2", 0xFFFFFFFF, 0x1_00000005),
        ("v3:u64 = cmpxchg.8 v0 +0, v1, v2", 0x1_FFFFFFFF, 5),
        ("v3:u64 = cmpxchg.8 v0 +0, v2, v2", 0x1_FFFFFFFF, 0x1_FFFFFFFF),
        ("v3:u64 = cmpxchg.4 v0 +0, v1, v2", 0xFFFFFFFF, 0x1_00000005),
    ],
)
def test_atomics(machine: InterpMachine, line: str, gives: int, leaves: int) -> None:
    start = SLOT + "v1:u64 = const 8589934591\nv2:u64 = const 5\nstore.8 v0 +0, v1\n"
    assert _run(machine, f"{start}{line}\nret v3") == gives
    assert _run(machine, f"{start}{line}\nv4:u64 = load v0 +0\nret v4") == leaves


# ---- control


def test_budget() -> None:
    function = parse_function("function f\nb0:\njump b1\nb1:\njump b1\n")
    with pytest.raises(InternalError, match="b1: 'jump b1': the budget of steps is used up"):
        run(function, InterpMachine(), budget=100)


def test_phis_change_at_once() -> None:
    text = """\
function f
b0:
  v0:ptr.ctx = ctx
  v1:u64 = load v0 +0
  v2:u64 = const 1
  v3:u64 = const 2
  jump b1
b1:
  v5:u64 = phi [b0: v2, b1: v6]
  v6:u64 = phi [b0: v3, b1: v5]
  v7:u64 = phi [b0: v1, b1: v8]
  v8:u64 = sub v7, v2
  br v7, b1, b2
b2:
  ret v5
"""
    answers = [run(parse_function(text), InterpMachine(), n.to_bytes(8, "little")) for n in range(4)]
    assert answers == [1, 2, 1, 2]


def test_both_ways_to_one_block() -> None:
    text = (
        "function f\nb0:\n  v0:ptr.ctx = ctx\n  v1:u64 = load v0 +0\n  v2:u64 = const 5\n  br v1, b1, b1\n"
        "b1:\n  v4:u64 = phi [b0: v2, b0: v1]\n  ret v4\n"
    )
    function = parse_function(text)
    assert run(function, InterpMachine(), b"\1" + bytes(7)) == 5
    assert run(function, InterpMachine(), bytes(8)) == 0


def test_function_that_does_not_end() -> None:
    with pytest.raises(InternalError, match="f: b0 has no end"):
        run(parse_function("function f\nb0:\nv0:u64 = const 1\n"), InterpMachine())


def test_after_register_allocation() -> None:
    body = (
        "v0:u64 = const 7\nspill v0 -8\nv1:u64 = reload -8\nv2:ptr.stack = frame -8\nv3:u64 = load v2 +0\n"
        "v4:u64 = add v1, v3\nret v4"
    )
    assert _run(InterpMachine(), body) == 14


def test_every_op_has_a_meaning() -> None:
    from probee.ir.interp import _EVALUATE

    assert _EVALUATE.keys() | {"phi", "jump", "br", "may_goto", "ret"} == OPS.keys()


# ---- maps


def _update(map: str, key: int, value: int, flags: int = 0) -> str:
    return (
        f"{SLOT}v1:ptr.map = map {map}\nv2:u64 = const {key}\nv3:u64 = const {value}\n"
        f"v4:u64 = const {flags}\nstore.8 v0 +0, v2\nstore.8 v0 +8, v3\nv5:u64 = const 8\n"
        f"v6:ptr.stack = padd v0, v5\nv7:s64 = call map_update_elem v1, v0, v6, v4\nret v7"
    )


def _lookup(map: str, key: int) -> str:
    return (
        f"{SLOT}v1:ptr.map = map {map}\nv2:u64 = const {key}\nstore.8 v0 +0, v2\n"
        "v3:ptr.value? = call map_lookup_elem v1, v0\nbr v4, b1, b2\nb1:\nv5:u64 = load v3 +0\nret v5\n"
        "b2:\nv6:u64 = const 999\nret v6"
    ).replace("br v4", "v7:ptr.value? = const 0\nv4:u8 = ne v3, v7\nbr v4")


def _delete(map: str, key: int) -> str:
    return (
        f"{SLOT}v1:ptr.map = map {map}\nv2:u64 = const {key}\nstore.8 v0 +0, v2\n"
        "v3:s64 = call map_delete_elem v1, v0\nret v3"
    )


def test_hash(machine: InterpMachine) -> None:
    assert _run(machine, _lookup("hash", 1)) == 999
    assert _run(machine, _update("hash", 1, 10)) == 0
    assert _run(machine, _update("hash", 2, 20)) == 0
    assert _run(machine, _lookup("hash", 2)) == 20
    assert _signed(_run(machine, _update("hash", 3, 30))) == -E2BIG
    assert _run(machine, _update("hash", 1, 11)) == 0
    assert _signed(_run(machine, _update("hash", 1, 12, flags=1))) == -EEXIST
    assert _signed(_run(machine, _update("hash", 3, 12, flags=2))) == -ENOENT
    assert _signed(_run(machine, _update("hash", 3, 12, flags=8))) == -EINVAL
    assert machine.maps["hash"].items() == {
        (1).to_bytes(8, "little"): [(11).to_bytes(8, "little")],
        (2).to_bytes(8, "little"): [(20).to_bytes(8, "little")],
    }
    assert _run(machine, _delete("hash", 1)) == 0
    assert _signed(_run(machine, _delete("hash", 1))) == -ENOENT
    assert _run(machine, _update("hash", 3, 30)) == 0


def test_percpu_hash(machine: InterpMachine) -> None:
    machine.cpu = 1
    _run(machine, _update("percpu", 1, 10))
    assert _run(machine, _lookup("percpu", 1)) == 10
    machine.cpu = 0
    assert _run(machine, _lookup("percpu", 1)) == 0
    other = _lookup("percpu", 1).replace("elem v1, v0", "percpu_elem v1, v0, v2")
    assert _run(machine, other) == 10  # the key is 1, and so is the CPU
    assert list(machine.maps["percpu"].items().values()) == [[bytes(8), (10).to_bytes(8, "little")]]
    _run(machine, _update("percpu", 2, 20))
    assert _run(machine, other.replace("const 1\n", "const 2\n")) == 999


def test_array(machine: InterpMachine) -> None:
    body = "v0:ptr.value = global array +8\nv1:u64 = const 3\natomic_add.8 v0 +0, v1\nret v1"
    _run(machine, body)
    _run(machine, body)
    assert machine.maps["array"].items() == {bytes(4): [bytes(8) + b"\6" + bytes(7)]}
    assert _run(machine, _lookup("array", 1)) == 0
    assert _run(machine, _lookup("array", 2)) == 999
    assert _signed(_run(machine, _delete("array", 0))) == -EINVAL


def test_pointer_to_a_deleted_value_still_reads(machine: InterpMachine) -> None:
    _run(machine, _update("hash", 1, 10))
    body = _lookup("hash", 1).replace("b1:\n", "b1:\nv8:s64 = call map_delete_elem v1, v0\n")
    assert _run(machine, body) == 10
    assert machine.maps["hash"].items() == {}


def test_map_of_another_type() -> None:
    with pytest.raises(InternalError, match="the interpreter has no map of type LPM_TRIE"):
        InterpMachine([Map("m", MapType.LPM_TRIE, 8, 8, 1)])


def test_only_maps_are_maps(machine: InterpMachine) -> None:
    with pytest.raises(InternalError, match="slot is no map"):
        _run(machine, SLOT + "v1:s64 = call map_delete_elem v0, v0\nret v1")


# ---- rings


def _ring(size: int, end: str, value: int = 1) -> str:
    return (
        f"v0:ptr.map = map ring\nv1:u64 = const {size}\nv2:u64 = const 0\nv3:u64 = const {value}\n"
        "v4:ptr.ring? = call ringbuf_reserve v0, v1, v2\nv5:ptr.ring? = const 0\nv6:u8 = ne v4, v5\n"
        f"br v6, b1, b2\nb1:\nstore.1 v4 +0, v3\n{end}\nret v3\nb2:\nret v2"
    )


SUBMIT = "call ringbuf_submit v4, v2"
DISCARD = "call ringbuf_discard v4, v2"


def test_ring_keeps_what_is_submitted(machine: InterpMachine) -> None:
    assert [_run(machine, _ring(2, end, n)) for n, end in ((1, SUBMIT), (2, DISCARD), (3, SUBMIT))] == [
        1,
        2,
        3,
    ]
    assert machine.records("ring") == [b"\1\xaa", b"\3\xaa"]
    assert machine.consume("ring") == [b"\1\xaa", b"\3\xaa"]
    assert machine.consume("ring") == machine.records("ring") == []


def test_ring_is_full_one_byte_early(machine: InterpMachine) -> None:
    # 64 bytes, and the kernel never lets the producer be a whole ring ahead: 3 records of 8 + 8 fit.
    assert [_run(machine, _ring(8, SUBMIT, n)) for n in (1, 2, 3, 4)] == [1, 2, 3, 0]
    assert len(machine.consume("ring")) == 3
    assert _run(machine, _ring(40, SUBMIT, 5)) == 5
    assert _run(machine, _ring(8, SUBMIT, 6)) == 0


def test_ring_without_limit() -> None:
    machine = InterpMachine([Map("ring", MapType.RINGBUF, 0, 0, 0)])
    assert all(_run(machine, _ring(1000, SUBMIT)) for _ in range(20))


def test_ring_output_and_query(machine: InterpMachine) -> None:
    start = "v0:ptr.map = map ring\nv1:ptr.ctx = ctx\nv2:u64 = const 8\nv3:u64 = const {flags}\n"
    output = (
        start
        + "v5:ptr.stack = slot 8 align 8\nzero.8 v5 +0\nv4:s64 = call ringbuf_output v0, v5, v2, v3\nret v4"
    )
    results = [_signed(_run(machine, output.format(flags=f))) for f in (0, 1, 2, 0, 4)]
    assert results == [0, 0, 0, -EAGAIN, -EINVAL]
    assert machine.records("ring") == [bytes(8)] * 3
    query = start + "v4:u64 = call ringbuf_query v0, v3\nret v4"
    assert [_run(machine, query.format(flags=f)) for f in range(5)] == [48, 64, 0, 48, 0]


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("", "a record of ring is neither submitted nor discarded"),
        (f"{SUBMIT}\n{SUBMIT}", "no reserved record at 0x"),
        (f"{SUBMIT}\nstore.1 v4 +0, v3", "no memory at 0x"),
        ("store.1 v4 +8, v3", "record of ring has 8 bytes, no 1 at offset 8"),
    ],
)
def test_ring_misuse(machine: InterpMachine, end: str, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        _run(machine, _ring(8, end))


def test_reserve_with_flags_or_too_much(machine: InterpMachine) -> None:
    assert _run(machine, _ring(1 << 31, SUBMIT)) == 0
    assert _run(machine, _ring(8, SUBMIT).replace("v0, v1, v2", "v0, v1, v3")) == 0


def test_perf_output(machine: InterpMachine) -> None:
    body = (
        f"{SLOT}v1:ptr.map = map perf\nv2:ptr.ctx = ctx\nv3:u64 = const 3\n"
        "v4:s64 = call perf_event_output v2, v1, v9, v0, v3\nret v4"
    )
    assert _run(machine, body) == 0
    assert machine.records("perf") == [bytes(3)]


# ---- helpers


def test_every_helper_has_a_meaning() -> None:
    assert CALLS.keys() == HELPERS.keys()


@pytest.mark.parametrize(
    ("helper", "type", "expected"),
    [
        ("ktime_get_ns", "u64", 11),
        ("ktime_get_coarse_ns", "u64", 11),
        ("ktime_get_boot_ns", "u64", 12),
        ("ktime_get_tai_ns", "u64", 13),
        ("jiffies64", "u64", 14),
        ("get_smp_processor_id", "u32", 1),
        ("get_numa_node_id", "u32", 3),
        ("get_current_pid_tgid", "u64", 5 << 32 | 6),
        ("get_current_uid_gid", "u64", 8 << 32 | 7),
        ("get_current_task", "u64", 15),
        ("get_current_cgroup_id", "u64", 16),
    ],
)
def test_facts(machine: InterpMachine, helper: str, type: str, expected: int) -> None:
    machine.time, machine.boot_time, machine.tai_time, machine.jiffies = 11, 12, 13, 14
    machine.cpu, machine.node = 1, 3
    machine.pid, machine.tid, machine.uid, machine.gid = 5, 6, 7, 8
    machine.task, machine.cgroup = 15, 16
    assert _run(machine, f"v0:{type} = call {helper}\nret v0") == expected


def test_facts_of_the_probe(machine: InterpMachine) -> None:
    machine.func_ip, machine.cookie = 21, 22
    for helper, expected in (("get_func_ip", 21), ("get_attach_cookie", 22)):
        assert _run(machine, f"v0:ptr.ctx = ctx\nv1:u64 = call {helper} v0\nret v1") == expected


def test_random_is_the_seed_s(machine: InterpMachine) -> None:
    body = "v0:u32 = call get_prandom_u32\nret v0"
    first = [_run(machine, body) for _ in range(3)]
    again = InterpMachine(seed=0)
    assert first == [_run(again, body) for _ in range(3)]
    assert len(set(first)) == 3


@pytest.mark.parametrize(
    ("comm", "size", "expected"),
    [
        (b"cat", 16, b"cat" + bytes(13)),
        (b"a name of many bytes", 16, b"a name of many " + bytes(1)),
        (b"cat", 3, b"ca\0"),
    ],
)
def test_comm(machine: InterpMachine, comm: bytes, size: int, expected: bytes) -> None:
    machine.comm = comm
    assert _filled(machine, f"v2:u64 = const {size}\nv3:s64 = call get_current_comm v0, v2") == (0, expected)


def _filled(machine: InterpMachine, call: str) -> tuple[int, bytes]:
    """The result v3 of a call that fills slot v0, and what is in the slot up to what was undefined."""
    machine.maps["array"].find(bytes(4))
    body = (
        f"v0:ptr.stack = slot 16 align 8\nv1:ptr.value = global array +0\n{call}\n"
        "copy.16 v1 +0, v0 +0\nv9:u64 = cast v3\nret v9"
    )
    result = _signed(_run(machine, body))
    return result, machine.maps["array"].items()[bytes(4)][0].rstrip(b"\xaa")


READ = "v2:u64 = const {size}\nv4:u64 = const {address}\nv3:s64 = call {helper} v0, v2, v4"


@pytest.mark.parametrize("space", ["user", "kernel"])
@pytest.mark.parametrize(
    ("kind", "size", "address", "expected"),
    [
        ("", 4, 0x1000, (0, b"text")),
        ("", 6, 0x1002, (0, b"xt\0more"[:6])),  # two pieces that touch
        ("", 0, 0x5000, (0, b"")),
        ("", 4, 0x0, (-EFAULT, bytes(4))),
        ("", 8, 0x1004, (-EFAULT, bytes(8))),
        ("_str", 16, 0x1000, (5, b"text\0")),
        ("_str", 3, 0x1000, (3, b"te\0")),
        ("_str", 5, 0x1000, (5, b"text\0")),
        ("_str", 1, 0x1000, (1, b"\0")),
        ("_str", 0, 0x1000, (0, b"")),
        ("_str", 4, 0x1005, (4, b"mor\0")),
        ("_str", 6, 0x1005, (-EFAULT, bytes(6))),
    ],
)
def test_probe_read(
    machine: InterpMachine, space: str, kind: str, size: int, address: int, expected: tuple[int, bytes]
) -> None:
    memory = {0x1000: b"text\0", 0x1005: b"more"}
    machine.user_memory, machine.kernel_memory = (memory, {}) if space == "user" else ({}, memory)
    call = READ.format(size=size, address=address, helper=f"probe_read_{space}{kind}")
    assert _filled(machine, call) == expected


def test_probe_read_kernel_of_our_own_memory(machine: InterpMachine) -> None:
    call = "v2:u64 = const 8\nv4:ptr.ctx = ctx\nv3:s64 = call probe_read_kernel v0, v2, v4"
    assert _filled(machine, call) == (0, bytes(8))
    assert _filled(machine, call.replace("kernel", "user"))[0] == -EFAULT


def test_helper_may_not_write_past_its_buffer(machine: InterpMachine) -> None:
    machine.user_memory = {0x1000: bytes(64)}
    with pytest.raises(InternalError, match="slot has 16 bytes, no 17 at offset 0"):
        _filled(machine, READ.format(size=17, address=0x1000, helper="probe_read_user"))


def test_namespace_pid(machine: InterpMachine) -> None:
    machine.pid, machine.tid, machine.pid_namespace = 5, 6, (3, 4)
    call = (
        "v2:u64 = const 3\nv4:u64 = const {inode}\nv5:u64 = const 8\n"
        "v3:s64 = call get_ns_current_pid_tgid v2, v4, v0, v5"
    )
    assert _filled(machine, call.format(inode=4)) == (0, b"\6\0\0\0\5\0\0\0")
    assert _filled(machine, call.format(inode=5)) == (-EINVAL, bytes(8))


@pytest.mark.parametrize(
    ("other", "count", "sign"), [(b"cat", 8, 0), (b"cab", 8, 1), (b"cab", 2, 0), (b"d", 8, -1)]
)
def test_strncmp(machine: InterpMachine, other: bytes, count: int, sign: int) -> None:
    region = machine.maps["array"].find(bytes(4))
    assert region is not None
    region.data[:] = b"cat".ljust(8, b"\0") + other.ljust(8, b"\0")
    body = (
        f"v0:ptr.value = global array +0\nv1:u64 = const {count}\nv2:ptr.value = global array +8\n"
        "v3:s32 = call strncmp v0, v1, v2\nret v3"
    )
    result = _signed(_run(machine, body))
    assert (result > 0) - (result < 0) == sign


# ---- loops


def test_may_goto_goes_round_as_often_as_it_may(machine: InterpMachine) -> None:
    text = """function f
b0:
  v0:u64 = const 0
  v1:u64 = const 1
  jump b1
b1:
  v3:u64 = phi [b0: v0, b1: v4]
  v4:u64 = add v3, v1
  may_goto b1, b2
b2:
  ret v4
"""
    function = parse_function(text)
    check_function(function)
    assert print_function(function) == text
    assert run(function, machine, rounds=6) == 7
