"""Texts of up to 64 KiB are compared, searched, kept in maps; no script meets the limit of the stack."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bt.in_kernel import live_target, run_in_kernel
from builders.scripts import Script
from probee.base.source import Source
from probee.bt.compile import compile_script


@pytest.mark.kernel
@pytest.mark.parametrize("size", [1000, 16000, 65000])
def test_compared_searched_and_kept(size: int) -> None:
    one = "a" * (size - 8) + "needle"
    other = one[:-1] + "x"
    text = f"""config = {{ max_strlen = {size} }} begin {{ $s = str($1); $t = str($2);
        @v = $s; @m[1] = $s;
        print($s == $t); print($s == "{one}");
        print(strcontains($s, "needle")); print(strcontains($s, "needlx"));
        print(@v == $s); print(@m[1] == $t); print(strlen($s)); }}"""
    bundle = compile_script(Source("stdin", text), live_target(), params=(one, other)).bundle
    values, variables = run_in_kernel(bundle)
    assert values == [False, True, True, False, True, False, len(one)]
    assert variables["@v"] == one


_TYPES = st.recursive(
    st.sampled_from(["comm", "nsecs", "pid", '"text"', "str($1)", "(uint8)1"]),
    lambda inner: st.lists(inner, min_size=1, max_size=5).map(lambda items: f"({', '.join(items)},)"),
    max_leaves=24,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(_TYPES, min_size=1, max_size=5))
def test_no_value_is_too_large_for_the_stack(values: list[str]) -> None:
    """Of tuples of tuples with texts in them, in variables, maps, keys and what is printed."""
    body = "".join(
        [f"$v{n} = {v}; @m{n} = $v{n}; @k{n}[{v}] = {n}; print($v{n}); " for n, v in enumerate(values)]
    )
    Script(f"config = {{ max_strlen = 300 }} begin {{ {body} }}", "word").run()
