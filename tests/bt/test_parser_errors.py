"""Wrong scripts: one message, at the place, with a hint where the mend is likely."""

from __future__ import annotations

import pytest

from probee.bt.lexer import MAX_CHAIN, MAX_DEPTH

from .shapes import refused, script

END = "the end of the script"

# Script, with ⟦⟧ around the place; message; a part of the hint, "" for none.
WRONG = [
    # lexical
    ('begin { print(⟦"asdf); }⟧\n}', "this string has no end", 'expected `"`'),
    ("begin { ⟦/* a ⟧", "this comment has no end", "expected `*/`"),
    ("begin { 1 ⟦#⟧ 2 }", "unknown character `#`", ""),
    ("begin { print(⟦'⟧a') }", "unknown character `'`", "double quotes"),
    ("begin { print(⟦“⟧a”) }", "unknown character `“`", "double quotes"),
    ("begin { ⟦$⟧ x = 1 }", "expected identifier after '$'", ""),
    ("begin { 1⟦ulll⟧ }", "unknown suffix `ulll` of a number", "suffixes are"),
    ("begin { 5⟦e⟧-9 }", "unknown suffix `e` of a number", "plain number"),
    ("begin { 0⟦8⟧ }", "unknown suffix `8` of a number", "octal"),
    ("begin { ⟦1.5⟧ }", "expected an integer, got `1.5`", "no fractions"),
    (r'begin { "a⟦\q⟧" }', r"unknown escape `\q`", "escapes are"),
    # blocks
    ("begin { @x = 1⟦⟧\n\n", f"expected `;` or `}}`, got {END}", "the `{` of line 1, column 7 is not closed"),
    ("begin { if a {\n f(); }⟦⟧", f"expected `}}`, got {END}", "the `{` of line 1, column 7 is not closed"),
    ("begin { 1 } ⟦}⟧", "expected a probe, got `}`", "one `}` too many"),
    ("kprobe:f⟦⟧", f"expected `{{`, got {END}", "kprobe:f { … }"),
    ("kprobe:f ⟦printf⟧(1)", "expected `{`, got `printf`", "kprobe:f { … }"),
    ("⟦{⟧ 1 }", "expected a probe, got `{`", "begin { … }"),
    ("⟦/⟧pid/ { 1 }", "expected a probe, got `/`", "/ pid == 1 /"),
    ("⟦;⟧ begin { }", "expected a probe, got `;`", ""),
    ("⟦:⟧w:x { }", "expected a probe, got `:`", ""),
    ("⟦@a⟧ = hash(1); begin { }", "expected a probe, got `@a`", "let @name = hash(100);"),
    # predicates
    ("kprobe:f /pid == 1 ⟦{⟧ 1 }", "expected `/` to close the predicate, got `{`", ""),
    ("kprobe:f /pid ⟦=⟧ 1/ { 1 }", "expected `/` to close the predicate, got `=`", "`==` compares"),
    ("kprobe:f /a ⟦and⟧ b/ { 1 }", "expected `/` to close the predicate, got `and`", "spelled `&&`"),
    ("kprobe:f /not ⟦a⟧/ { 1 }", "expected `/` to close the predicate, got `a`", "spelled `!`"),
    # statements
    ("begin { f() ⟦g⟧() }", "expected `;`, got `g`", ""),
    ("begin {\n f()\n ⟦g⟧()\n}", "expected `;`, got `g`", "at the end of line 2"),
    ("begin { $x = 1\n ⟦$y⟧ = 2 }", "expected `;`, got `$y`", "at the end of line 1"),
    ("begin { return 1 ⟦f⟧(); }", "expected `;`, got `f`", ""),
    ("begin { break ⟦f⟧(); }", "expected `;`, got `f`", ""),
    ("begin { $x = { 1 } ⟦f⟧(); }", "expected `;`, got `f`", ""),
    ("begin { $x⟦:⟧ int8; }", "expected `;`, got `:`", "`let $x : type`"),
    ("begin { let ⟦@x⟧ = 1 }", "expected a variable after `let`, got `@x`", ""),
    ("begin { x ⟦=⟧ 1 }", "only a variable or a map can be assigned to", "`$x`"),
    (
        "begin { ⟦$a.1 = 1⟧ }",
        "Tuples and records are immutable once created. Consider creating a new value and assigning it "
        "instead.",
        "",
    ),
    ("begin { (1, 0) ⟦=⟧ 1 }", "only a variable or a map can be assigned to", ""),
    ("begin { f() ⟦+=⟧ 1 }", "only a variable or a map can be assigned to", ""),
    ('begin { import "x" ⟦f⟧(); }', "expected `;` after `import`, got `f`", ""),
    ("begin { import ⟦x⟧; }", "expected a string after `import`, got `x`", ""),
    # conditions and loops
    ("begin { if ($x ⟦=⟧ 1) { } }", "expected `)` to close the parenthesis, got `=`", "`==` compares"),
    ("begin { while ⟦(x=1)⟧ { } }", "expected a condition, got a record", "`==` compares"),
    ("begin { while ⟦(a, b)⟧ { } }", "expected a condition, got a tuple", ""),
    ("begin { if a ⟦f⟧(); }", "expected `{`, got `f`", "statements in braces"),
    ("begin { if a { } else ⟦f⟧(); }", "expected `{` or `if` after `else`, got `f`", ""),
    ("begin { if a { } elif ⟦b⟧ { } }", "expected `;`, got `b`", "`else if`"),
    ("begin { ⟦else⟧ { } }", "expected an expression, got keyword `else`", ""),
    ("begin { for (⟦@k⟧ : @m) { } }", "expected a variable after `for`, got `@k`", ""),
    ("begin { for $x : ⟦a⟧ { } }", "expected a map or a range", "`$kv : @map`"),
    ("begin { for $x : ⟦@m[1]⟧ { } }", "expected a whole map, got one of its values", ""),
    ("begin { for ($x : 0..1⟦+⟧1) { } }", "expected `)`, got `+`", "parentheses"),
    ("begin { for $x : 0..1⟦+⟧1 { } }", "expected `{`, got `+`", "parentheses"),
    ("begin { for ($x : 1⟦+⟧1..2) { } }", "expected `..`, got `+`", "parentheses"),
    ("begin { for $x : 0..⟦.⟧1 { } }", "expected an expression, got `.`", ""),
    # expressions
    ("begin { f(1, ⟦;⟧ }", "expected an expression, got `;`", ""),
    ("begin { f(1 ⟦2⟧) }", "expected `)` to close the call of `f`, got `2`", ""),
    ("begin { @x[1⟦;⟧ }", "expected `]` to close the map's key, got `;`", ""),
    ("begin { @x = 1 == ⟦}⟧", "expected an expression, got `}`", ""),
    ("begin { a ? b ⟦}⟧", "expected `:` of `? :`, got `}`", ""),
    ("begin { ⟦+⟧1 }", "expected an expression, got `+`", "one operand"),
    ("begin { ++⟦5⟧ }", "increment/decrement requires a variable or map", ""),
    ("begin { 5⟦--⟧ }", "increment/decrement requires a variable or map", ""),
    ("begin { &⟦1⟧ }", "address-of operator (&) can only be used on a map or variable", ""),
    ("begin { ⟦$0⟧ }", "param $0 is out of integer range [1, 9223372036854775807]", ""),
    (
        "begin { ⟦$99999999999999999999999⟧ }",
        "param $99999999999999999999999 is out of integer range [1, 9223372036854775807]",
        "",
    ),
    ("begin { (a=1, ⟦a=2⟧) }", "Named argument list already contains name: a", ""),
    ("begin { (a=1, ⟦5⟧) }", "expected a field's name, got `5`", ""),
    ("begin { (⟦,⟧) }", "expected an expression, got `,`", ""),
    ("begin { f(⟦struct⟧ x *) }", "expected an expression, got keyword `struct`", "`typeof(…)`"),
    ("begin { $x.⟦*⟧ }", "expected a field's name after `.`, got `*`", ""),
    # the head, and definitions
    (
        "begin { } ⟦struct⟧ a { int b; };",
        "C definitions must appear before probes and functions",
        "head of a script",
    ),
    (
        "begin { } ⟦#⟧include <a.h>",
        "C definitions must appear before probes and functions",
        "head of a script",
    ),
    ("struct a ⟦{⟧ int b; ", "this `{` is not closed", "expected `}`"),
    ("struct a⟦;⟧", "expected `{`, got `;`", ""),
    ("struct a { } __attribute__ ⟦begin⟧ { }", "__attribute__ syntax error, expected '(('", ""),
    ("struct a { } __attribute__ ((a) begin ⟦{⟧ }", "expected `)`, got `{`", ""),
    ("begin { } ⟦config⟧ = { }", "config must appear before probes and functions", ""),
    ("config = { } ⟦config⟧ = { }", "there is a config block already", "one block"),
    ("config ⟦{⟧ a = 1 }", "expected `=` after `config`, got `{`", ""),
    ("config = { a = ⟦}⟧", "expected a string, a number, a truth or a name, got `}`", ""),
    ("config = { a = 1 ⟦b⟧ = 2 }", "expected `;` after a setting, got `b`", ""),
    ("config = { ⟦@a⟧ = 1 }", "expected a setting's name, got `@a`", ""),
    ('begin { } ⟦import⟧ "x";', "root imports must appear before probes and functions", ""),
    ("let ⟦$a⟧ = 1;", "expected a map after `let`, got `$a`", "let @a = hash(100);"),
    ("let @a = hash(⟦)⟧;", "expected the greatest number of entries, got `)`", ""),
    ("macro ⟦1⟧() { }", "expected a macro's name, got `1`", ""),
    ("macro m(⟦1⟧) { }", "expected a parameter: `$variable`, `@map` or a name, got `1`", ""),
    ("fn f($a⟦)⟧ : void { }", "expected `:` and the parameter's type, got `)`", ""),
    ("fn f() ⟦{⟧ }", "expected `:` and the type of the result, got `{`", ""),
    # attach points
    ("uprobe:/x:⟦$a⟧ { }", "expected a parameter's number after `$`, got `$a`", "quotes"),
    ("uprobe:/x:⟦$0⟧ { }", "expected a parameter's number after `$`, got `$0`", "quotes"),
    ("uprobe:/x:⟦$⟧ { }", "expected a parameter's number after `$`, got `$`", "quotes"),
    ('uprobe:/x:⟦"a { }⟧\n', "this string has no end", ""),
]


@pytest.mark.parametrize(("marked", "message", "hint"), WRONG)
def test_message_place_and_hint(marked: str, message: str, hint: str) -> None:
    start = marked.index("⟦")
    end = marked.index("⟧") - 1
    error = refused(marked.replace("⟦", "").replace("⟧", ""))
    (diagnostic,) = error.diagnostics
    if diagnostic.message != f"syntax: {message}":
        # What is expected is told in bpftrace's words, and in ours as a hint.
        assert diagnostic.message.startswith("syntax: expected ")
        assert (diagnostic.hint or "").startswith(message)
    assert diagnostic.span is not None
    assert (diagnostic.span.start, diagnostic.span.end) == (start, end)
    assert hint in (diagnostic.hint or "")


def test_what_a_person_sees() -> None:
    assert (
        refused("kprobe:f\n/pid = 1/ { }").render()
        == """\
test:2:6-7: ERROR: syntax: expected '/' to close predicate
/pid = 1/ { }
     ~
HINT: expected `/` to close the predicate, got `=`: `==` compares, `=` assigns"""
    )


@pytest.mark.parametrize(
    ("before", "inside", "after"),
    [
        ("(", "1", ")"),
        ("f(", "1", ")"),
        ("@x[", "1", "]"),
        ("(int8)", "1", ""),
        ("a ? 1 : ", "1", ""),
        ("a ? ", "1", " : 1"),
        ("{ ", "1", " }"),
        ("if a { ", "1", " }"),
        ("(a=", "1", ")"),
        ("sizeof(", "1", ")"),
        ("f(typeof(", "1", "))"),
    ],
)
def test_depth_is_limited(before: str, inside: str, after: str) -> None:
    level = before.count("(") + before.count("[") or 1
    fine, deep = MAX_DEPTH // level // 3, MAX_DEPTH + 1
    script(f"begin {{ _ = {before * fine}{inside}{after * fine}; }}")
    error = refused(f"begin {{ _ = {before * deep}{inside}{after * deep}; }}")
    assert error.message == f"syntax: nested more than {MAX_DEPTH} levels deep"


@pytest.mark.parametrize(
    ("head", "link", "tail"),
    [
        ("_ = 1", " + 1", ""),
        ("_ = ", "!", "1"),
        ("_ = $a", ".b", ""),
        ("_ = $a", "[1]", ""),
        ("if a { }", " else if b { }", " else { 1 }"),
        ("let $x : int8", " *", ""),
    ],
)
def test_length_is_limited(head: str, link: str, tail: str) -> None:
    script(f"begin {{ {head}{link * (MAX_CHAIN - 1)}{tail} }}")
    error = refused(f"begin {{ {head}{link * (MAX_CHAIN + 1)}{tail} }}")
    assert error.message.startswith(f"syntax: more than {MAX_CHAIN} ")
