"""Names of D: by the grammar of the D ABI, against binutils, and for what is no such name."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from probee.symbols.demangle import demangle as demangle_any
from probee.symbols.dlang import demangle
from programs import few

NAMES = {
    "_Dmain": "D main",
    "_D3app3runFZv": "app.run()",
    "_D3app5countl": "app.count",
    "_D3app5Stack4pushMFiZv": "app.Stack.push(int)",
    "_D3app5Stack5emptyMxFNaNbNdNiNfZb": "app.Stack.empty() const",
    "_D3app5Stack6__ctorMFmZC3app5Stack": "app.Stack.this(ulong)",
    "_D3app5Stack6__dtorMFZv": "app.Stack.~this()",
    "_D3app5Stack10__postblitMFZv": "app.Stack.this(this)",
    "_D3app5Stack7__ClassZ": "ClassInfo for app.Stack",
    "_D3app12__ModuleInfoZ": "ModuleInfo for app",
    "_D3app3runFZ9__lambda1MFNaNbiZi": "app.run().__lambda1(int)",
    "_D3app3run4__S15innerFZv": "app.run.inner()",
    "_D3app3runFKiJhLaIdMPvNkPkZv":
        "app.run(ref int, out ubyte, lazy char, in double, scope void*, return uint*)",
    "_D3app3runFAyaHiAdG3fPxkZv": "app.run(immutable(char)[], double[][int], float[3], const(uint)*)",
    "_D3app3runFPFNaNbiZvDxFNfZaPUiZlZv":
        "app.run(void(int) pure nothrow function, char() @safe delegate const, extern(C) long(int) function)",
    "_D3app3runFAiXv": "app.run(int[]...)",
    "_D3app3runFPaYi": "app.run(char*, ...)",
    "_D3app3runFBiaZNhG4fnNnZv":
        "app.run(Tuple!(int, char), __vector(float[4]), typeof(null), typeof(*null))",
    # templates and their values
    "_D3app__T3mapTiTAyaZ3runFZv": "app.map!(int, immutable(char)[]).run()",
    "_D3app__T3mapVii42VbiN1Val65VmN3Z3runFZv": None,
    "_D3app__T3mapVii42Vbi1Vai65VmN3Z3runFZv": "app.map!(42, true, 'A', -3uL).run()",
    '_D3app__T3mapVAyaa5_6869220a00Z3runFZv': 'app.map!("hi"\\n\\x00").run()',
    "_D3app__T3mapVde18P1VrcNINFc0APN2Z3runFZv": "app.map!(0x1.8p1, -Inf+0x0.Ap-2i).run()",
    "_D3app__T3mapVAiA2i1i2VHiiA1i1i2VS3app1PS2i1nZ3runFZv":
        "app.map!([1, 2], [1:2], app.P(1, null)).run()",
    "_D3app__T3mapS3app3addS_D3app3subFiZiHTiX3abcZ3runFZv":
        "app.map!(app.add, app.sub(int), int, abc).run()",
    "_D3app10__T3mapTiZ3runFZv": "app.map!(int).run()",
    "_D3app__T3mapS93app3addiZ3runFZv": None,
    # back references: to a name, to a type, to one in another's place
    "_D3appQe3runFZv": "app.app.run()",
    "_D3app3runFAyaQdPQgZv": "app.run(immutable(char)[], immutable(char)[], immutable(char)[]*)",
    "_D3app3runFC3app1PSQi1QCQoQkZv": None,
    "_D3app3runFC3app1PSQh1QZv": "app.run(app.P, app.Q)",
    "_D3app__T3mapVAyaa1_61VQia1_62Z3runFZv": 'app.map!("a", "b").run()',
    # what a compiler's later passes add
    "_D3app3runFZv.cold": "app.run().cold",
    "_D3app3runFZv.constprop.0": "app.run().constprop.0",
    # letters outside ASCII: the length counts bytes
    "_D3app5größeFZi": None,
    "_D3app7größeFZi": "app.größe()",
    # none
    "_D": None, "_D3": None, "_D3ap": None, "_D3app": None, "_D3app3runF": None, "_D3app3runFZ": None,
    "_D3app3runFZv3x": None, "_D3app3runFQaZv": None, "_D3app3runFAQbZv": None, "_D0i": None,
    "_DYNAMIC": None,
    "_D4app": None, "_D3appQzi": None, "_D3app__T3mapTi3runFZv": None, "_D3app__T3mapVAiA9i1Z3runFZv": None,
    "D3app3runFZv": None, "": None,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_examples(name: str) -> None:
    assert demangle(name) == NAMES[name]
    assert demangle_any(name) == (NAMES[name] or name)


# Against binutils

letters = st.sampled_from("abcdxyz")
identifiers = st.text(letters, min_size=1, max_size=4).map(lambda name: f"{len(name)}{name}")
paths = st.lists(identifiers, min_size=1, max_size=3).map("".join)
basic = st.sampled_from([*"vghstiklmfdeopjqrcbauwn", "zi", "zk", "Nn"])


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


def _wrap(types: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Types that are made of others."""
    storage = st.sampled_from(["", "J", "K", "L", "I", "M"])
    parameters = st.lists(_joined(storage, types), max_size=3).map("".join)
    attributes = st.sampled_from(["", "Na", "NbNc", "NaNfNi"])
    functions = _joined(st.sampled_from("FUWRY"), attributes, parameters, st.sampled_from("XYZ"), types)
    return st.one_of(
        st.tuples(st.sampled_from(["A", "P", "x", "y", "O", "Ng", "Nh", "G7"]), types).map("".join),
        st.tuples(st.just("H"), types, types).map("".join),
        st.tuples(st.sampled_from("CSE"), paths).map("".join),
        st.tuples(st.sampled_from(["P", "D", "Dx", "DO"]), functions).map("".join),
        # Binutils takes no tuple of nothing at the end of a name.
        st.lists(types, min_size=1, max_size=3).map(lambda some: f"B{len(some)}{''.join(some)}"),
    )


types = st.recursive(basic, _wrap, max_leaves=6)
numbers = st.integers(0, 99).map(lambda number: f"i{number}")
values = st.one_of(
    st.tuples(st.sampled_from(["Vi", "Vb", "Vh", "Vl", "Vm", "Va"]), numbers).map("".join),
    st.binary(max_size=5).map(lambda data: f"VAyaa{len(data)}_{data.hex()}"),
    st.lists(numbers, max_size=3).map(lambda some: f"VAiA{len(some)}{''.join(some)}"),
    st.sampled_from(["VPin", "VdeNAN", "Vde18P3", "VdeN0ABPN7", "Vrc1P1c2P2", "ViN3"]),
    types.map(lambda type: f"T{type}"),
)
# After the name of a type, binutils takes V for the calling convention of Pascal, which the ABI had once.
_sorted = st.lists(values, max_size=3).map(lambda some: "".join(sorted(some, reverse=True)))
instances = _joined(st.just("__T"), identifiers, _sorted, st.just("Z"))
parts = st.lists(st.one_of(identifiers, instances), min_size=1, max_size=3).map("".join)
methods = st.sampled_from(["F", "MF", "MxF", "MOF", "MyF"])
calls = _joined(methods, st.lists(types, max_size=3).map("".join), st.sampled_from("XYZ"), types)
names = _joined(st.just("_D"), identifiers, parts, st.one_of(calls, types))


@pytest.mark.needs("cxxfilt")
@settings(max_examples=few(8), deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(names, min_size=20, max_size=20))
def test_binutils_says_the_same(names: list[str]) -> None:
    command = ["c++filt", "-s", "dlang"]
    done = subprocess.run(command, input="\n".join(names), capture_output=True, text=True, check=True)
    theirs = dict(zip(names, done.stdout.split("\n"), strict=False))
    assert {name: demangle(name) or name for name in theirs} == theirs


@pytest.mark.needs("cxxfilt")
@pytest.mark.parametrize("name", [name for name in NAMES if "ö" not in name and "." not in name])
def test_binutils_of_the_examples(name: str) -> None:
    done = subprocess.run(["c++filt", "-s", "dlang", "--", name], capture_output=True, text=True, check=True)
    theirs = done.stdout.rstrip("\n")
    assert theirs in ((NAMES[name] or name), NEWER.get(name))


NEWER = {name: name for name in ("_D3app3runFBiaZNhG4fnNnZv",)}
"""What the ABI says and binutils 2.40 does not know: tuples without a count."""


# What is no name


@given(st.one_of(st.text(), st.text("_DQTVSFZ0123456789aAbBiPHG").map("_D3a".__add__), names))
def test_anything_is_a_name_or_not(name: str) -> None:
    found = demangle(name)
    assert found is None or len(found) < 1 << 18


@given(names, st.data())
def test_broken_names(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    demangle(name[:at])
    demangle(name[:at] + data.draw(st.sampled_from("QAZ_T1N")) + name[at + 1 :])


@pytest.mark.parametrize(
    "name",
    [
        "_D3app3runF" + "A" * 100_000 + "iZv",
        "_D3app3runF" + "PFZ" * 50_000 + "v",
        "_D3a" + "__T1b" * 20_000,
        "_D3app3runF" + "H" + "AiQcB2QeQg" + "B2QdQf" * 2000 + "Zv",
        "_D3app3run" + "FZ1a" * 50_000 + "v",
        "_D3app__T3mapVAiA" + "9" * 9 + "i1Z3runFZv",
        "_D" + "9" * 100_000 + "app",
        "_D3app__T3mapVii" + "9" * 100_000 + "Z3runFZv",
        "_D3app3runF" + "G" + "9" * 100_000 + "iZv",
        "_D3app" + "M" * 100_000,
    ],
)
def test_what_demands_too_much(name: str) -> None:
    start = time.monotonic()
    demangle(name)
    assert time.monotonic() - start < 2
