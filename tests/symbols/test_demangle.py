"""Names of Rust in both manglings, with the examples of their specifications, and of C++."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probee.kernel import demangle as cpp
from probee.symbols.demangle import demangle
from probee.symbols.rust_legacy import demangle as demangle_legacy
from probee.symbols.rust_v0 import demangle as demangle_v0

V0 = {
    # RFC 2603 and the rustc book
    "_RNvC6_123foo3bar": "123foo::bar",
    "_RNvNtCs1234_7mycrate3foo3bar": "mycrate::foo::bar",
    "_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y":
        "utf8_idents::საჭმელად_გემრიელი_სადილი",
    "_RNCNCNgCs6DXkGYLi8lr_2cc5spawn00B5_": "cc::spawn::{closure#0}::{closure#0}",
    "_RNvC7mycrate3foo.cold": "mycrate::foo.cold",
    "_RNvC7mycrate3foo.llvm.123": "mycrate::foo",
    "_RNvC7mycrate3foo.cold.llvm.123": "mycrate::foo.cold",
    # paths
    "_RNvC1a4main": "a::main",
    "_RNvXCs_1aNtB2_3FooNtC3std5Clone5clone": "<a::Foo as std::Clone>::clone",
    "_RNvYmNtC3std7Display3fmt": "<u32 as std::Display>::fmt",
    "_RNvMC1aNtB2_3Foo3new": "<a::Foo>::new",
    "_RNvMs_C1aNtB4_3Foo3new": "<a::Foo>::new",
    "_RINvC1a3fooNtB2_3BarE": "a::foo::<a::Bar>",
    "_RNSNvC1a3foo6vtables_0": None,
    "_RNSNvC1a3foos_6vtable": "a::foo::{shim:vtable#1}",
    "_RNCNvC1a3foos0_0": "a::foo::{closure#2}",
    "_RINvNtC3std3mem8align_ofdE": "std::mem::align_of::<f64>",
    "_RNvC1a3fooC1b": "a::foo",
    # types
    "_RINvC1a1fhjozuE": "a::f::<u8, usize, u128, !, ()>",
    "_RINvC1a1fReE": "a::f::<&str>",
    "_RINvC1a1fRL_eE": "a::f::<&str>",
    "_RINvC1a1fQhE": "a::f::<&mut u8>",
    "_RINvC1a1fPhOhE": "a::f::<*const u8, *mut u8>",
    "_RINvC1a1fShE": "a::f::<[u8]>",
    "_RINvC1a1fAhj4_E": "a::f::<[u8; 4]>",
    "_RINvC1a1fTEThEThmEE": "a::f::<(), (u8,), (u8, u32)>",
    "_RINvC1a1fFhEuE": "a::f::<fn(u8)>",
    "_RINvC1a1fFUKCEmE": 'a::f::<unsafe extern "C" fn() -> u32>',
    "_RINvC1a1fFK6systemEuE": 'a::f::<extern "system" fn()>',
    "_RINvC1a1fFK9rust_callEuE": 'a::f::<extern "rust-call" fn()>',
    "_RINvC1a1fFG_RL0_hEuE": "a::f::<for<'a> fn(&'a u8)>",
    "_RINvC1a1fFG0_RL1_hRL0_hEuE": "a::f::<for<'a, 'b> fn(&'a u8, &'b u8)>",
    "_RINvC1a1fFG_RL0_hEuFG_RL0_hEuE": "a::f::<for<'a> fn(&'a u8), for<'a> fn(&'a u8)>",
    "_RINvC1a1fDNtC3std4SendEL_E": "a::f::<dyn std::Send>",
    "_RINvC1a1fDNtC3std4SendNtBa_4SyncEL_E": "a::f::<dyn std::Send + std::Sync>",
    "_RINvC1a1fDNtC3std8Iteratorp4ItemhEL_E": "a::f::<dyn std::Iterator<Item = u8>>",
    "_RINvC1a1fDINtC3std2FnThEEp6OutputuEL_E": "a::f::<dyn std::Fn<(u8,), Output = ()>>",
    "_RINvC1a1fL_E": "a::f::<'_>",
    "_RINvC1a1fINtC3std3VecINtBa_6OptionhEEE": "a::f::<std::Vec<std::Option<u8>>>",
    # constants
    "_RIC1aKh7b_E": "a::<123>",
    "_RIC1aKan7b_E": "a::<-123>",
    "_RIC1aKob_E": "a::<11>",
    "_RIC1aKo123456789abcdef01_E": "a::<0x123456789abcdef01>",
    "_RIC1aKb0_Kb1_E": "a::<false, true>",
    "_RIC1aKc76_Kca_Kc27_E": r"a::<'v', '\n', '\''>",
    "_RIC1aKpE": "a::<_>",
    "_RIC1aKRe616263_E": 'a::<"abc">',
    "_RIC1aKe616263_E": 'a::<{*"abc"}>',
    "_RIC1aKRj1_E": "a::<{&1}>",
    "_RIC1aKAj1_j2_EE": "a::<{[1, 2]}>",
    "_RIC1aKTj1_EE": "a::<{(1,)}>",
    "_RIC1aKVNtC1b4NoneUE": "a::<{b::None}>",
    "_RIC1aKVNtC1b4SomeTj1_EE": "a::<{b::Some(1)}>",
    "_RIC1aKVNtC1b5PointS1xj1_1yj2_EE": "a::<{b::Point { x: 1, y: 2 }}>",
    # not of this mangling
    "_R": None,
    "_RNv": None,
    "_RNvC1a": None,
    "_RNvC9a1b": None,
    "_RB_": None,
    "_RNvB_1b": None,
    "_RB0_": None,
    "_RIC1aKhn7b_E": None,
    "_RIC1aKb2_E": None,
    "_RIC1aKcd800_E": None,
    "_RIC1aKRe61626_E": None,
    "_RIC1aKReff_E": None,
    "_RINvC1a1fRL0_hE": None,
    "_RNvC1a1b_": None,
    "_R1NvC1a1b": None,
    "_RINvC1a1f": None,
    "_RNvC1au3b_9": None,
}  # fmt: skip

LEGACY = {
    "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE": "core::fmt::Formatter::pad",
    "_ZN4main17h0123456789abcdefE": "main",
    "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE":
        "<Test + 'static as foo::Bar<Test>>::bar",
    "_ZN8_$RF$str3len17h0123456789abcdefE": "&str::len",
    "_ZN28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE": "{{closure}}",
    "_ZN8$SP$$BP$17h0123456789abcdefE": "@*",
    "_ZN9a.b$C$c$x17h0123456789abcdefE": "a.b,c$x",
    "_ZN4main17h0123456789abcdefE.cold.1": "main.cold.1",
    "_ZN4main17h0123456789abcdefE.llvm.42": "main",
    "_ZN3foo17h0123456789abcdefE$x": None,
    "_ZN3foo17h0123456789ABCDEFE": None,
    "_ZN3foo3barE": None,
    "_ZN9foo17h0123456789abcdefE": None,
    "_ZN17h0123456789abcdefE": None,
}  # fmt: skip


@pytest.mark.parametrize("name", V0)
def test_v0(name: str) -> None:
    assert demangle_v0(name) == V0[name]


@pytest.mark.parametrize("name", LEGACY)
def test_legacy(name: str) -> None:
    assert demangle_legacy(name) == LEGACY[name]


def test_any_kind_of_name() -> None:
    assert demangle("main") == "main"
    assert demangle("_RNvC1a4main") == "a::main"
    assert demangle("_ZN4main17h0123456789abcdefE") == "main"
    assert demangle("_Rubbish") == "_Rubbish"
    assert demangle("") == ""


@pytest.mark.needs("libstdcxx")
def test_cpp() -> None:
    assert demangle("_Z3fooi") == "foo(int)"
    assert demangle("_ZN3std6vectorIiE4pushEv") == "std::vector<int>::push()"
    assert demangle("_Z3foov.cold") == "foo() [clone .cold]"
    assert demangle("_Z") == "_Z"
    assert demangle("_Zoops\udcff") == "_Zoops\udcff"
    assert demangle("_Z3foo\0v") == "_Z3foo\0v"
    assert cpp.demangle_cpp("_Z9000" + "a" * 9000 + "v") is None
    assert cpp.demangle_cpp("_Z900" + "a" * 900 + "v") == "a" * 900 + "()"


def test_without_a_cpp_library(monkeypatch: pytest.MonkeyPatch) -> None:
    cpp._find_demangler.cache_clear()
    monkeypatch.setattr(cpp, "_LIBRARIES", ("libnone.so.0", "libc.so.6"))
    try:
        assert demangle("_Z3fooi") == "_Z3fooi"
    finally:
        cpp._find_demangler.cache_clear()


@pytest.mark.needs("cxxfilt")
def test_cxxfilt() -> None:
    """binutils agrees, but for suffixes, which it leaves out, constants of constants, which it can't read,
    those of 128 bits, which it cuts, and characters, which it doesn't escape."""
    unlike = (".", "Ke", "KR", "KA", "KT", "KV", "Ko1", "Kc")
    names = [name for name in V0 if V0[name] and not any(part in name for part in unlike)]
    done = subprocess.run(
        ["c++filt", "-i"], input="\n".join(names), capture_output=True, text=True, check=True
    )
    theirs = dict(zip(names, done.stdout.split("\n"), strict=False))
    differ = {n: (V0[n], theirs[n]) for n in names if V0[n] != theirs[n]}
    assert differ == {}


# -- hostile names ------------------------------------------------------------------------------


@settings(max_examples=500)
@given(st.text("CMXYNIBEstuvKLGRQPOFDTAS_0123abcdefhjpn$.", max_size=60))
def test_any_text(text: str) -> None:
    for name in ("_R" + text, "_RINvC1a1f" + text, "_ZN" + text + "17h0123456789abcdefE"):
        for read in (demangle_v0, demangle_legacy):
            found = read(name)
            assert found is None or len(found) < 1 << 15


@pytest.mark.parametrize(
    "name",
    [
        "_RIC1a" + "R" * 5000 + "hE",
        "_RIC1a" + "INtC1b1c" * 1000,
        "_RIC1aK" + "R" * 5000 + "j0_E",
        "_RIC1a" + "DG_" * 5000,
        "_RIC1a" + "D" + "I" * 5000,
        "_R" + "NvC" * 5000,
        "_R" + "Nv" * 5000,
        "_RIC1aTTTTTTTTTTTThhhhEB8_E" + "B7_B7_B7_B7_B7_B7_B7_B7_B7_E" * 500,
        "_RNvC1au4096_" + "a" * 4096,
        "_ZN" + "1a" * 50_000 + "17h0123456789abcdefE",
        "_ZN" + "1" * 50_000 + "17h0123456789abcdefE",
    ],
)
def test_bounded(name: str) -> None:
    start = time.process_time()
    demangle_v0(name)
    demangle_legacy(name)
    assert time.process_time() - start < 0.5


def test_exponential_back_references() -> None:
    """Each tuple refers to the one before twice: 2 to the 60th items, were they written."""
    start = time.process_time()
    assert demangle_v0(f"_R{_refer_twice('')}") is None
    # Of an impl, the path is read over and not written.
    assert demangle_v0(f"_R{_refer_twice('NvM')}h1b") == "<u8>::b"
    assert time.process_time() - start < 0.5


def _refer_twice(before: str) -> str:
    """A path, `before` in front of it, each of whose generic arguments refers twice to the one before."""
    text = f"{before}IC1aThE"
    place = len(text) - 3
    for _ in range(60):
        ref, place = _base_62(place), len(text)
        text += f"TB{ref}B{ref}E"
    return text + "E"


def test_with_little_stack_left() -> None:
    name = "_RIC1a" + "R" * 100 + "hE"

    def dig(depth: int) -> str | None:
        return demangle_v0(name) if not depth else dig(depth - 1)

    assert dig(0) == f"a::<{'&' * 100}u8>"
    frame, used = sys._getframe(), 0
    while frame is not None:
        frame, used = frame.f_back, used + 1  # type: ignore[assignment]
    assert dig(sys.getrecursionlimit() - used - 60) is None


def _base_62(number: int) -> str:
    """`number` as the mangling writes it, `_` at its end."""
    if not number:
        return "_"
    digits, number = "", number - 1
    while True:
        number, digit = divmod(number, 62)
        digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
        if not number:
            return digits + "_"
