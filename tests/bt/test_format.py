"""The formatter: what it writes, and that nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import SourceError
from probee.base.source import Source
from probee.bt.comments import find_layout
from probee.bt.format import format_script

from .shapes import script, shape
from .test_parser_corpus import programs
from .test_parser_expressions import PAIRS, Pair
from .test_parser_fuzz import PIECES, SAMPLES


def formatted(text: str) -> str:
    return format_script(Source("test", text))


def meaning(text: str) -> str:
    """The tree without how types and C text are spelled."""
    return shape(script(text))


def comments(text: str) -> list[str]:
    return sorted(comment.text for comment in find_layout(script(text)).comments)


def check(text: str) -> None:
    once = formatted(text)
    assert meaning(once) == meaning(text)
    assert comments(once) == comments(text)
    assert formatted(once) == once


def test_a_script() -> None:
    text = """\
#!/usr/bin/env probee
#include <a.h>
struct s{int x;}  // C stays as it is
config={a=1;b = "x"}  let @m=hash( 5 )
macro m($a,e){ $a=e;e+1 }

fn f($a:int8*):void{return;}


uprobe:/bin/x:f, uretprobe:/bin/x:f /pid==$1&&(tid>1)/ { @[ pid,1 ]=count(); }
begin{if(a){f()}else if !b{$x++;}else{ 1 }
 for $i:0..10{ while((1)){break} }

 // a comment


 unroll(3){ /* b */ f((int8*) $x->y[1] , typeof(struct s)); } // at the end
 $x=a/* inside */+1;
 { let $y : string[ 64 ] = if (a) {1} else {2} }
}
"""
    assert (
        formatted(text)
        == """\
#!/usr/bin/env probee
#include <a.h>
struct s{int x;}; // C stays as it is
config = {
  a = 1;
  b = "x";
}
let @m = hash(5);
macro m($a, e) {
  $a = e;
  e + 1
}

fn f($a : int8 *) : void {
  return;
}

uprobe:/bin/x:f,
uretprobe:/bin/x:f
/pid == $1 && tid > 1/
{
  @[pid, 1] = count();
}
begin {
  if (a) {
    f();
  } else if (!b) {
    $x++;
  } else {
    1;
  }
  for ($i : 0..10) {
    while (1) {
      break;
    }
  }

  // a comment

  unroll (3) { /* b */
    f((int8 *)$x->y[1], typeof(struct s));
  } // at the end
  $x=a/* inside */+1;
  {
    let $y : string[64] = if (a) { 1 } else { 2 };
  }
}
"""
    )
    check(text)


def test_a_long_call_has_a_line_for_each_argument() -> None:
    name = "a" * 60
    assert (
        formatted(f"begin {{ f({name}, {name}); }}")
        == f"""\
begin {{
  f(
    {name},
    {name}
  );
}}
"""
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("((a))", "a"),
        ("(a+b)*c", "(a + b) * c"),
        ("(a*b)+c", "a * b + c"),
        ("a-(b-c)", "a - (b - c)"),
        ("(a?b:c)?d:e", "(a ? b : c) ? d : e"),
        ("a?(b?c:d):(e?f:g)", "a ? b ? c : d : e ? f : g"),
        ("a?:b", "a ?: b"),
        ("- -a", "- -a"),
        ("-(--$a)", "- --$a"),
        ("(@a)[1]", "(@a)[1]"),
        ("@a[(1,2)]", "@a[1, 2]"),
        ("@a[(1,)]", "@a[(1,)]"),
        ("(int8)(a)", "(int8)a"),
        ("sizeof((x[0]))", "sizeof((x[0]))"),
        ("sizeof(x[0])", "sizeof(x[0])"),
        ("(x=1,y=(2,))", "(x=1, y=(2,))"),
        ("(*$a).b", "(*$a).b"),
        ("a/({ 1 })", "a / ({ 1 })"),
    ],
)
def test_an_expression(text: str, expected: str) -> None:
    assert formatted(f"begin{{_={text}}}") == f"begin {{\n  _ = {expected};\n}}\n"


@given(PAIRS)
def test_parentheses_that_are_not_needed_go(pair: Pair) -> None:
    full, tight = (f"begin {{ _ = {text}; }}" for text in pair[:2])
    assert formatted(full) == formatted(tight)
    check(full)


@pytest.mark.parametrize("text", SAMPLES)
def test_nothing_is_lost(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        "// a\n/* b\n   c */ k:f // d\n, // e\nk:g // f\n/ a /* g */ / // h\n{ // i\n } // j\n// k",
        "begin { if a { // b\n f() /* c */; // d\n /* e */ } // f\n else { /* g */ } /* h */ } /* i */ end{}",
        'config = { // a\n b /* c */ = 1; // d\n } import /* e */ "x"; let @a /* f */ = hash(1); // g',
        "macro m(a /* b */, $c) { /* d */ f(/* e */); // f\n if a { /* g */ 1 } else { 2 /* h */ } }",
        "begin { for /* a */ $i : /* b */ 0..1 /* c */ { } while /* d */ a { } /* e */ { /* f */ } }",
        "struct a { /* b */ }; /* c */ #define X /* d */\n// e\nbegin { }".replace(" #", "\n#"),
        'uprobe:/*x//y:"/* a */" { @ = "// b"; // c\n}',
        "begin { (if a { 1 } else { 2 }); ({ 1 }); (if a { 1 } + 1) }",
        "macro m() { (if a { 1 } else { 2 }) + 1 } macro n() { if a { b; }; } macro o() { { 1 } }",
        "begin { if a { } else { if b { } } if a { } else { } }",
    ],
)
def test_comments_stay_and_the_meaning_too(text: str) -> None:
    check(text)


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["", " "]))
def test_whatever_can_be_read_can_be_formatted(pieces: list[str], between: str) -> None:
    for text in (between.join(pieces), f"begin {{ {between.join(pieces)} }}"):
        try:
            script(text)
        except SourceError:
            continue
        check(text)


@pytest.mark.needs("bpftrace_source")
def test_scripts_of_bpftrace() -> None:
    folder = Path(os.environ.get("BPFTRACE_DIR", "/nonexistent"))
    for _, text in programs(folder):
        once = formatted(text)
        assert meaning(once) == meaning(text)
        assert formatted(once) == once
        assert comments(once) == comments(text)
