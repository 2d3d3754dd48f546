"""Random scripts print and keep the same on the IR's interpreter and in the kernel."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.scripts import Script
from programs import few

from .in_kernel import check_agreement, live_target

if TYPE_CHECKING:
    from probee.spec.target import Target

pytestmark = pytest.mark.kernel

_HEAD = (
    '@v = 7; $a = @v; $b = -3 + @v; $s = "init"; '
    'if (@v == 1) { @s = "x"; @t[1] = "y"; @k[1] = (int64)5; @c = count(); @m = max(-1); @n[1] = count(); '
    '@p["a", (int64)1] = -1; }'
)
_TEXTS = (
    '"a"',
    '"abc"',
    '"a text that is longer than a word"',
    '""',
    "comm",
    "@s",
    "@t[1]",
    "$s",
    'str("xyz")',
)
_NUMBERS = ("@v", "$a", "$b", "@k[2]", "(uint64)@v", "(int32)$a", "@c", "@m", "@n[1]", "(uint8)$b", "pid * 0")
_ARITHMETIC = ("+", "-", "*", "/", "%", "&", "|", "^")
_TRUTHS = ("<", ">", "<=", ">=", "==", "!=", "&&", "||")


class Writer:
    """Writes scripts whose types always fit, by the numbers of a generator, for what a target has."""

    def __init__(self, seed: int, target: Target) -> None:
        self.random = random.Random(seed)
        self.has_map_loops = "for_each_map_elem" in target.features
        reads_merged = "map_lookup_percpu_elem" in target.features
        self.numbers = tuple(name for name in _NUMBERS if reads_merged or name != "@n[1]")
        self.loops = 0

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def number(self, depth: int) -> str:
        if depth <= 0 or self.random.random() < 0.3:
            return self.pick(
                *self.numbers,
                f"(int64){self.random.randint(-9, 9)}",  # no literal: what literals come to must fit
                f"(int64){self.random.randint(-1 << 40, 1 << 40)}",
            )
        left, right = self.number(depth - 1), self.number(depth - 1)
        return self.pick(
            f"({left} {self.pick(*_ARITHMETIC)} {right})",
            f"({left} {self.pick(*_ARITHMETIC)} {right})",
            f"(int64)({left} {self.pick(*_TRUTHS)} {right})",
            f"(int64)({self.text(1)} {self.pick('==', '!=')} {self.text(1)})",
            f"(int64)!{left}",
            f"(- {left})",
            f"(~{left})",
            f"({left} ? {right} : {self.number(depth - 1)})",
            "$a++",
            "(++@k[3])",
        )

    def text(self, depth: int) -> str:
        if depth > 0 and self.random.random() < 0.2:
            return f"({self.number(1)} ? {self.text(depth - 1)} : {self.text(depth - 1)})"
        return self.pick(*_TEXTS)

    def statement(self, depth: int) -> str:
        number, text = self.number, self.text
        choices = [
            f"$a = (int64){number(2)};",
            f"$b = (int64){number(2)};",
            f"$s = {text(1)};",
            f"@s = {text(1)};",
            f"@t[{self.random.randint(0, 2)}] = {text(1)};",
            f"@k[{number(1)} & 3] {self.pick('=', '+=', '-=', '|=', '*=', '/=')} (int64){number(2)};",
            f"@n[{number(1)} & 1] = count(); @c = count();",
            f"@m = max((int64){number(2)}); @min = min((int64){number(2)});",
            f"@avg = avg({number(1)}); @st[{text(1)}] = stats((int64){number(1)});",
            f"@h = hist((int64){number(2)}, 2); @l = lhist((int64){number(1)}, -10, 100, 7);",
            f"@p[{text(1)}, {number(1)}] = (int64){number(1)};",
            f"delete(@k, {number(1)} & 3); delete(@p[{text(0)}, (int64)1]);",
            f"@x{self.pick('++', '--', f' += (int64){number(1)}', f' |= (int64){number(1)}')};",
            f'printf("%d %s %d", {number(2)}, {text(1)}, {number(2)});',
            f"print(((int64){number(1)}, {self.pick(*_TEXTS[:5])}, (uint8)({number(1)})));",
        ]
        if depth > 0:
            inner = [self.statement(depth - 1) for _ in range(3)]
            choices += [f"if ({number(2)}) {{ {inner[0]} {inner[1]} }} else {{ {inner[2]} }}"] * 3
            if self.has_map_loops:
                choices += [self.map_loop(depth)]
        return self.pick(*choices)

    def map_loop(self, depth: int) -> str:
        """Whatever the order of the entries: sums of what is found, and of how often something was true."""
        self.loops += 1
        kv = f"$kv{self.loops}"
        map = self.pick("@k", "@t", "@n", "@p")
        key = f"{kv}.0.1" if map == "@p" else f"{kv}.0"
        value = f"(int64)({kv}.1 == {self.pick(*_TEXTS[:4])})" if map == "@t" else f"(int64){kv}.1"
        inner = [
            f"$a += {key} ^ {value};",
            f"@x += {value};",
            f"$n{self.loops} = (int64)0; $b += $n{self.loops} + 1;",
        ]
        if depth > 1:
            inner.append(self.map_loop(depth - 1))
        if self.random.random() < 0.3:
            inner.append(f"if ({value} & 1) {{ continue; }} $b += {value};")
        body = self.random.sample(inner, self.random.randint(1, len(inner)))
        return f"for {kv} : {map} {{ {' '.join(body)} }}"

    def script(self) -> str:
        body = " ".join(self.statement(2) for _ in range(self.random.randint(2, 10)))
        return f'begin {{ {_HEAD} {body} printf("%d %d %s", $a, $b, $s); }}'


@settings(max_examples=few(40), deadline=None)
@given(st.integers(0, 1 << 32))
def test_scripts(seed: int) -> None:
    target = live_target()
    check_agreement(Script(Writer(seed, target).script(), target=target))
