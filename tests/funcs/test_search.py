"""Text inside text: strlen strncmp strstr strcontains str_concat, against Python's own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.scripts import Script, complaints, make_target, registers
from probee.base.errors import FeatureError

AT = "uprobe:program:main"
TEXTS = st.text("ab", max_size=20).map(str.encode)
WORDS = st.text("abc", max_size=5).map(str.encode)
LEFT, RIGHT = 0x10000, 0x20000

LOOPING = make_target(features=("atomics_fetch", "large_keys", "may_goto"))

_RUNS: dict[object, tuple[Script, Script]] = {}


def _run(body: str, left: bytes, right: bytes = b"", **options: int) -> list[object]:
    """What a script prints of two texts in memory, at arg0 and arg1, with may_goto and without."""
    key = body, tuple(options.items())
    if key not in _RUNS:
        text = f"{AT} {{ {body} }}"
        _RUNS[key] = Script(text, **options), Script(text, target=LOOPING, **options)
    found = []
    for script in _RUNS[key]:
        script.machine.user_memory |= {LEFT: left + b"\0" + b"x" * 80, RIGHT: right + b"\0" + b"y" * 80}
        found.append(script.run(0, registers(LEFT, RIGHT)).values())
    assert found[0] == found[1]
    return found[0]


@settings(max_examples=150, deadline=None)
@given(TEXTS, WORDS)
def test_finding_text_that_is_read(hay: bytes, needle: bytes) -> None:
    body = "print(strstr(str(arg0, 30), str(arg1, 30))); print(strcontains(str(arg0, 30), str(arg1, 30)));"
    assert _run(body, hay, needle) == [hay.find(needle), needle in hay]


@pytest.mark.parametrize("needle", ["", "a", "b", "ab", "aab", "aabaa", "abab", "aaaaaaaa", "abaabab", "c"])
@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_finding_a_constant(needle: str, hay: bytes) -> None:
    body = f'print(strstr(str(arg0, 30), "{needle}"));'
    assert _run(body, hay) == [hay.find(needle.encode())]


@pytest.mark.parametrize("size", [7, 8, 9, 60, 63, 64, 65, 1023])
def test_long_texts(size: int) -> None:
    hay = (b"abcab" * 300)[: size - 1] + b"!"
    body = "print(strstr(str(arg0), str(arg1))); print(strlen(str(arg0)));"
    for needle in (hay[size // 2 :], hay[-3:], hay, b"ca!", b"abcac"):
        assert _run(body, hay, needle) == [hay.find(needle), size]
    assert _run(body, hay[:5], hay) == [0 if size <= 5 else -1, 5]


@pytest.mark.parametrize(
    ("hay", "needle", "found"),
    [
        ('"hello-test-world"', '"test"', 6),
        ('"hello-test-world"', '"world"', 11),
        ('"hello"', '"hello-longer"', -1),
        ('""', '""', 0),
        ('"hello"', '""', 0),
        ('""', '"test"', -1),
        ('"ababac"', '"abac"', 2),
        (r'"hello\tworld"', r'"\two"', 5),
        (r'"hello\0world"', '"world"', -1),
        ('"hello world"', r'"wo\0rld"', 6),
        ("comm", '"ter"', 2),
        ("comm", "comm", 0),
        ("func", '"ai"', 1),
    ],
)
def test_finding(hay: str, needle: str, found: int) -> None:
    assert _run(f"print(strstr({hay}, {needle}));", b"") == [found]
    assert _run(f"$h = {hay}; $n = {needle}; print(strcontains($h, $n));", b"") == [found >= 0]
    assert _run(f"@h = {hay}; print(strstr(@h, {needle}));", b"") == [found]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40).map(lambda text: text.replace(b"\0", b"\x01")))
def test_length(text: bytes) -> None:
    body = "print(strlen(str(arg0))); print(strlen(str(arg0, 9))); print(strlen((int8*)arg0));"
    assert _run(body, text) == [len(text), min(len(text), 8), len(text)]


def test_length_of_constants() -> None:
    assert _run(
        r'print(strlen("hello")); print(strlen("")); print(strlen("a\0b")); print(strlen(comm));', b""
    ) == [
        5,
        0,
        1,
        6,
    ]


@pytest.mark.parametrize("limit", [0, 1, 3, 7, 8, 9, 16, 17, 64, 70, 200])
@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([b"", b"a" * 7, b"a" * 8, b"ab" * 33]))
def test_comparing_the_start(limit: int, left: bytes, right: bytes, start: bytes) -> None:
    left, right = start + left, start + right
    calls = f"strncmp(str(arg0, 100), str(arg1), {limit})", f"strncmp(str(arg0), (int8*)arg0, {limit})"
    body = " ".join(f"print({call});" for call in calls)
    assert _run(body, left, right) == [int(left[:limit] != right[:limit]), 0]


def test_comparing_with_a_constant() -> None:
    body = (
        'print(strncmp("hello", str(arg0), 3)); print(strncmp(str(arg0), "hello", 10)); '
        'print(!strncmp("a", "b", 1));'
    )
    assert _run(body, b"help") == [0, 1, False]


@settings(max_examples=60, deadline=None)
@given(TEXTS, WORDS)
def test_joining(left: bytes, right: bytes) -> None:
    body = (
        "$t = str_concat(str(arg0, 30), str(arg1)); print($t); print(strlen($t)); "
        'print(str_concat(str_concat("<", str(arg1)), ">")); @k[str_concat(str(arg0, 30), "!"), 1] = 1;'
    )
    whole = (left + right).decode()
    assert _run(body, left, right) == [whole, len(whole), f"<{right.decode()}>"]


def test_what_is_no_text() -> None:
    for call in ("strlen(pid)", 'strncmp(pid, "a", 1)', 'strstr("a", pid)', 'str_concat("a", pid)'):
        name = call.partition("(")[0]
        assert ("pid", f"{name}() expects text (uint32 provided)") in complaints(
            f"begin {{ print({call}); }}"
        )
    assert complaints('begin { print(strncmp("a", "b", -1)); }') == [
        ("-1", "Builtin strncmp requires a non-negative literal (-1 provided)")
    ]


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ('strcontains(str(arg0), "a")', "searching text of 10000 bytes"),
        ("strncmp(str(arg0), str(arg1), 20000)", "comparing text of 20000 bytes"),
    ],
)
def test_text_that_older_kernels_can_not_walk(call: str, what: str) -> None:
    size = 20000 if "20000" in what else 10000
    text = f"config = {{ max_strlen = {size} }} {AT} {{ print({call}); }}"
    with pytest.raises(FeatureError) as raised:
        Script(text)
    assert raised.value.message == f"{what} needs may_goto, which Linux has since 6.9"
    script = Script(text, target=LOOPING)
    script.machine.user_memory |= {LEFT: b"x" * 9000 + b"a\0" + bytes(12000), RIGHT: b"x" * 9000 + b"a\0"}
    assert script.run(0, registers(LEFT, RIGHT)).values() == [True if "contains" in call else 0]
