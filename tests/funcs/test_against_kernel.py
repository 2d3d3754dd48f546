"""Functions in this kernel: its verifier takes them, and they give what the IR's interpreter gives."""

from __future__ import annotations

from typing import Any

import pytest

from bt.in_kernel import check_agreement, live_target
from builders.scripts import Script

pytestmark = pytest.mark.kernel

_TEXT = "the quick brown fox jumps over the lazy dog"
_HEAD = (
    f'$t = "{_TEXT}"; $n = "fox"; $i = (uint64)pid * 0 + 0x1122334455667788; '
    '$p = (uint64)pid * 0 + 1; @m = "kept"; '
)


@pytest.mark.parametrize("loops", [True, False], ids=["may_goto", "counted"])
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("strlen($t)", len(_TEXT)),
        ("strlen(@m)", 4),
        ("strlen(str($p))", 0),
        ("strstr($t, $n)", 16),
        ('strstr($t, "dog")', 40),
        ("strstr($n, $t)", -1),
        ('strcontains($t, "cat")', False),
        ("strcontains($t, @m)", False),
        ("strstr(str($p, 99), str($p))", 0),
        ('strstr(str($p, 200), "a")', -1),
        ('strncmp($t, "the slow", 4)', 0),
        ('strncmp($t, "the slow", 5)', 1),
        ("strncmp(str($p), str($p), 300)", 0),
        ("str($p, 400) == str($p)", True),
        ("str_concat($n, @m)", "foxkept"),
        ('str_concat($t, str_concat("-", $n))', f"{_TEXT}-fox"),
        ("str_concat(str($p), $n)", "fox"),
        ("buf($n, 2)", b"fo"),
        ("buf(1, 3)", b"\0\0\0"),
        ("buf(1, $i)", bytes(1024)),
        ("buf(1, $i & 7)", b""),
        ("bswap($i)", 0x8877665544332211),
        ("bswap((uint16)$i)", 0x8877),
        ("ntop((uint32)$i)", "136.119.102.85"),
        ('ntop(pton("fe80::1"))', "fe80::1"),
        ("macaddr(1)", "00:00:00:00:00:00"),
        ("str(kptr(1))", ""),
        ("strerror($i & 7)", 0),
        ("is_err($i)", False),
        ("is_err(0 - $i / $i)", True),
        ("usermode", 1),
    ],
)
def test_values(expression: str, value: Any, loops: bool) -> None:
    target = live_target(loops=loops)
    key = expression if "large_keys" in target.features else "1"  # some are texts of a whole max_strlen
    text = f"begin {{ {_HEAD} print({expression}); $v = {expression}; @v = $v; @k[{key}, 1] = $v; }}"
    assert check_agreement(Script(text, target=target)) == [value]


def test_the_machine() -> None:
    text = (
        "begin { print(rand); print(numaid); print(jiffies); print(curtask); print(cgroup); print(ncpus); }"
    )
    from bt.in_kernel import run_in_kernel

    (_, numa, jiffies, task, cgroup, cpus), _ = run_in_kernel(Script(text, target=live_target()).bundle)
    assert numa == 0
    assert jiffies > 0
    assert task >> 48 == 0xFFFF
    assert cgroup > 0
    assert cpus == live_target().cpus


def test_what_is_sent() -> None:
    text = (
        'begin { errorf("%s %d", comm, 5); warnf("w"); cat("/x/%d", 3); system("s %s", comm); join(1); '
        'assert(1 == 2, "no"); print(9); }'
    )
    script = Script(text, target=live_target(), unsafe=True)
    values = check_agreement(script)
    assert values[1:3] == [5, 3]
    assert values[-17:] == [""] * 16 + ["no"]
