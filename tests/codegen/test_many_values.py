"""More values alive at once than registers and stack hold: kept in scratch memory, in every shape of flow."""

from __future__ import annotations

import pytest

from bt.in_kernel import live_target, run_in_kernel
from probee.base.source import Source
from probee.bt.compile import compile_script

_COUNT = 72


def _each(text: str, count: int = _COUNT) -> str:
    return " ".join(text.replace("#", str(n)).replace("&", str(n + 1)) for n in range(count))


_MIDDLES = {
    "straight": "",
    "branches": f"if (@v == 3) {{ {_each('$v# = $v# * 2;')} }} else {{ $v0 = 7; }}",
    "a loop": f"for $i : 0..3 {{ {_each('$v# += $v&;', _COUNT - 1)} }}",
    "a swap": f"$k = @v; while ($k > 0) {{ $k--; {_each('$t = $v#; $v# = $v&; $v& = $t;', _COUNT - 1)} }}",
    "a callback": f"@m[1] = 1; for $x : @m {{ {_each('$w# = $x.0 + #;')} {_each('$v# += $w#;')} }}",
}


def _script(middle: str) -> str:
    prints = _each('printf("%d", $v#);')
    return f"begin {{ @v = 3; {_each('$v# = @v + #;')} {middle} {prints} }}"


def _evaluate(shape: str) -> list[int]:
    v = [3 + n for n in range(_COUNT)]
    if shape == "branches":
        v = [2 * n for n in v]
    elif shape == "a callback":
        v = [value + 1 + n for n, value in enumerate(v)]
    for _ in range(3):
        for n in range(_COUNT - 1):
            if shape == "a loop":
                v[n] += v[n + 1]
            elif shape == "a swap":
                v[n], v[n + 1] = v[n + 1], v[n]
    return v


@pytest.mark.kernel
@pytest.mark.parametrize("loops", [True, False], ids=["may_goto", "bounded"])
@pytest.mark.parametrize("shape", _MIDDLES)
def test_in_the_kernel(shape: str, loops: bool) -> None:
    source = Source("stdin", _script(_MIDDLES[shape]))
    bundle = compile_script(source, live_target(loops=loops)).bundle
    assert "scratch" in {spec.name for spec in bundle.maps}
    assert run_in_kernel(bundle)[0] == _evaluate(shape)
