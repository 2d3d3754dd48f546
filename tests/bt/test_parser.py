"""Statements and the parts of a script, by their dumps."""

from __future__ import annotations

import pytest

from probee.bt.dump import render_tree

from .shapes import body, script, shape


def test_a_whole_script() -> None:
    text = """\
#!/usr/bin/env probee
#include <linux/sched.h>
struct key { int a; /* } */ };
config = { stack_mode = perf; max_strlen = 64 }
import "stdlib";
let @seen = lruhash(100);
uprobe:/bin/sh:main, uretprobe:/bin/sh:main
/pid == $1/
{
  @seen[tid, comm] = count();
}
"""
    assert (
        render_tree(script(text, "7"))
        == """\
Script (1:1)
  c_definitions: CDefinition text="#include <linux/sched.h>" (2:1)
  c_definitions: CDefinition text="struct key { int a; /* } */ }" (3:1)
  config: Setting key="stack_mode" value="perf" (4:12)
  config: Setting key="max_strlen" value=64 (4:31)
  imports: Import path="stdlib" (5:1)
  maps: MapDecl name="@seen" kind="lruhash" (6:1)
    max_entries: Integer value=100 text="100" (6:21)
  probes: Probe (7:1)
    points: AttachPoint text="uprobe:/bin/sh:main" provider="uprobe" args=("/bin/sh", "main") (7:1)
    points: AttachPoint text="uretprobe:/bin/sh:main" provider="uretprobe" args=("/bin/sh", "main") (7:22)
    predicate: Binary op="==" (8:2)
      left: Identifier name="pid" (8:2)
      right: Positional number=1 (8:9)
    body: Assign op="=" (10:3)
      target: MapAccess name="@seen" (10:3)
        keys: Identifier name="tid" (10:9)
        keys: Identifier name="comm" (10:14)
      value: Call name="count" (10:22)"""
    )


A, B, ONE = 'Identifier name="a"', 'Identifier name="b"', 'Integer value=1 text="1"'
X = 'Variable name="$x"'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", f"ExprStmt\n  expr: {A}"),
        ("a;", f"ExprStmt\n  expr: {A}"),
        ("_ = a;", f"ExprStmt discard=true\n  expr: {A}"),
        ("$x = a", f'Assign op="="\n  target: {X}\n  value: {A}'),
        ("@ = a", f'Assign op="="\n  target: MapAccess name="@"\n  value: {A}'),
        ("@x[1] <<= a;", f'Assign op="<<="\n  target: MapAccess name="@x"\n    keys: {ONE}\n  value: {A}'),
        ("$x++", f'ExprStmt\n  expr: Increment op="++" prefix=false\n    target: {X}'),
        ("let $x", f"Let\n  target: {X}"),
        ("let $x = a", f"Let\n  target: {X}\n  value: {A}"),
        ("let $x : int8;", f'Let\n  target: {X}\n  type: TypeName base="int8"'),
        ("let $x: int8 = a;", f'Let\n  target: {X}\n  type: TypeName base="int8"\n  value: {A}'),
        ("break", 'Jump kind="break"'),
        ("continue;", 'Jump kind="continue"'),
        ("return", 'Jump kind="return"'),
        ("return a;", f'Jump kind="return"\n  value: {A}'),
        ("{ a }", f"Block\n  body: ExprStmt\n    expr: {A}"),
        ("{ a; };", f"Block\n  body: ExprStmt\n    expr: {A}"),
        ("{ { } }", "Block\n  body: Block"),
        ('import "x";', 'Import path="x"'),
        ("if (a) { b }", f"If\n  condition: {A}\n  then: ExprStmt\n    expr: {B}"),
        ("if !a { }", f'If\n  condition: Unary op="!"\n    operand: {A}'),
        ("if (a) && (b) { }", f'If\n  condition: Binary op="&&"\n    left: {A}\n    right: {B}'),
        ("if comptime a { };", f"If\n  condition: Comptime\n    operand: {A}"),
        (
            "if a { 1 } else { b; }",
            f"If\n  condition: {A}\n  then: ExprStmt\n    expr: {ONE}\n  otherwise: ExprStmt\n    expr: {B}",
        ),
        (
            "if a { } else if b { 1 } else { a }",
            f"If\n  condition: {A}\n  otherwise: If\n    condition: {B}\n"
            f"    then: ExprStmt\n      expr: {ONE}\n    otherwise: ExprStmt\n      expr: {A}",
        ),
        ("while (a) { b }", f"While\n  condition: {A}\n  body: ExprStmt\n    expr: {B}"),
        ("while a { };", f"While\n  condition: {A}"),
        ("unroll (1) { a; }", f"Unroll\n  count: {ONE}\n  body: ExprStmt\n    expr: {A}"),
        ("unroll $1 { }", "Unroll\n  count: Positional number=1"),
        (
            "for $x : @m { a }",
            f'ForMap\n  target: {X}\n  map: MapAccess name="@m"\n  body: ExprStmt\n    expr: {A}',
        ),
        ("for ($x : @) { }", f'ForMap\n  target: {X}\n  map: MapAccess name="@"'),
        ("for $x : 1..a { }", f"ForRange\n  target: {X}\n  start: {ONE}\n  end: {A}"),
        ("for ($x : (1)..(a)) { }", f"ForRange\n  target: {X}\n  start: {ONE}\n  end: {A}"),
    ],
)
def test_statement(text: str, expected: str) -> None:
    (statement,) = body(text)
    assert shape(statement) == expected


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("", ""),
        ("a; b", "ExprStmt ExprStmt"),
        ("if a { } b", "If ExprStmt"),
        ("if a { }; b", "If ExprStmt"),
        ("if a { } else { } -b", "If ExprStmt"),
        ("{ a } *b", "Block ExprStmt"),
        ("while a { } for $x : @y { } unroll 2 { } b", "While ForMap Unroll ExprStmt"),
        ("$x = { a; b }; b", "Assign ExprStmt"),
        ("$x = if a { 1 } else { 2 }; b", "Assign ExprStmt"),
        ("break; continue; return", "Jump Jump Jump"),
    ],
)
def test_statements(text: str, kinds: str) -> None:
    assert " ".join(type(statement).__name__ for statement in body(text)) == kinds


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a", A),
        ("a;", None),
        ("f(); a", A),
        ("$x = a", None),
        ("if a { 1 } else { b }", "IfExpr"),
        ("if a { 1 } else { b; }", "IfExpr"),
        ("if a { 1 }", "IfExpr"),
        ("if a { b; }", None),
        ("if a { b; } else if b { 1 }", "IfExpr"),
        ("if a { 1 };", None),
        ("{ 1 }", "BlockExpr"),
        ("{ b; }", None),
    ],
)
def test_the_value_of_a_macro(text: str, values: str | None) -> None:
    (macro,) = script(f"macro m() {{ {text} }}").macros
    value = macro.body.value
    assert (value and shape(value).partition("\n")[0]) == values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "macro m($v, @m, e) { e }",
            'Macro name="m"\n  parameters: Parameter name="$v" kind="variable"\n'
            '  parameters: Parameter name="@m" kind="map"\n'
            '  parameters: Parameter name="e" kind="expression"\n'
            '  body: BlockExpr\n    value: Identifier name="e"',
        ),
        ("macro m { }", 'Macro name="m"\n  body: BlockExpr'),
        (
            "fn f($a : int8, $b : struct x *) : void { return; }",
            'Function name="f"\n'
            '  parameters: Parameter name="$a" kind="variable"\n    type: TypeName base="int8"\n'
            '  parameters: Parameter name="$b" kind="variable"\n'
            '    type: TypeName base="struct x" pointers=1\n'
            '  returns: TypeName base="void"\n  body: Jump kind="return"',
        ),
        ("let @m = hash(1)", f'MapDecl name="@m" kind="hash"\n  max_entries: {ONE}'),
    ],
)
def test_definitions(text: str, expected: str) -> None:
    found = script(text)
    (member,) = (*found.macros, *found.functions, *found.maps)
    assert shape(member) == expected


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", ()),
        ("a = 5", (5,)),
        ("a = 0x10;", (16,)),
        ('a = "x y"; b = perf; c = true; d = false', ("x y", "perf", True, False)),
    ],
)
def test_config(text: str, values: tuple[object, ...]) -> None:
    assert tuple(s.value for s in script(f"config = {{ {text} }} begin {{ }}").config) == values


@pytest.mark.parametrize(
    "text",
    [
        "#include <a.h>",
        "#define X {",
        "#define X \\\n  { 1 \\\r\n  }",
        "struct a { int b; }",
        "struct a { int b; /* } */ // }\n char *c; }",
        "union a { struct { int b['}']; } c; } __attribute__((section(\"}\")))",
        "struct __attribute__((packed)) a { int b; } __attribute__((packed, aligned(4))) __attribute__((x))",
        "enum a { B = 1, C }",
    ],
)
@pytest.mark.parametrize("after", ["\n", " ;\n"])
def test_c_text_is_kept_as_it_is(text: str, after: str) -> None:
    if text[0] == "#":
        after = "\n"
    found = script(text + after + "begin { }")
    assert [c.text for c in found.c_definitions] == [text]
    assert [p.points[0].text for p in found.probes] == ["begin"]


# ---- attach points ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("begin", ["begin"]),
        ("BEGIN", ["BEGIN"]),
        ("kprobe:f", ["kprobe", "f"]),
        ("kprobe:[Ss]ys_*", ["kprobe", "[Ss]ys_*"]),
        ("t*point:sched:sched_switch", ["t*point", "sched", "sched_switch"]),
        ("*:/bin/sh:*", ["*", "/bin/sh", "*"]),
        ("uprobe:/with#hash/a+b:fn+0x10", ["uprobe", "/with#hash/a+b", "fn+0x10"]),
        ("uprobe:/usr//bin/*:f", ["uprobe", "/usr//bin/*", "f"]),
        ('uprobe:/bin/x:cpp:"A::f(int, char)"', ["uprobe", "/bin/x", "cpp", "A::f(int, char)"]),
        ('uprobe:"/a b/{c}":"say \\"hi\\" \\\\"', ["uprobe", "/a b/{c}", 'say "hi" \\']),
        ('k:"fn.abc"+1', ["k", "fn.abc+1"]),
        ("uprobe:/bin/x@src/a.c:12:3", ["uprobe", "/bin/x", "@", "src/a.c", "12", "3"]),
        ('uprobe:"/bin/x@1":f', ["uprobe", "/bin/x@1", "f"]),
        ("k:a::", ["k", "a", "", ""]),
        ("interval:s:1", ["interval", "s", "1"]),
        ("usdt:/x:if:struct", ["usdt", "/x", "if", "struct"]),
        ("uprobe:é:f", ["uprobe", "é", "f"]),
    ],
)
@pytest.mark.parametrize(
    "after", [" {}", "{}", "\n{}", ", {}", ",\n / a / {}", " /* c */ /a/{}", ",begin {}"]
)
def test_attach_point(text: str, parts: list[str], after: str) -> None:
    (probe,) = script(text + after).probes
    point = probe.points[0]
    assert [point.provider, *point.args] == parts
    assert (point.text, point.span.text, point.name) == (text, text, "")
    assert (probe.predicate is not None) == ("a /" in after or "/a/" in after)


@pytest.mark.parametrize(
    ("text", "params", "parts"),
    [
        ("interval:s:$1", ["5"], ["interval", "s", "5"]),
        ("BEG$1", ["IN"], ["BEGIN"]),
        ("$1", ["i:ms:1"], ["i", "ms", "1"]),
        ("u:$2:$1", ["f", "/bin/x"], ["u", "/bin/x", "f"]),
        ("u:$10:$1", list("abcdefghij"), ["u", "j", "a"]),
        ("u:$1:f", ["$2"], ["u", "$2", "f"]),
        ('u:"$1":f', ["a"], ["u", "$1", "f"]),
        ("u:/x:$1", [], ["u", "/x", ""]),
    ],
)
def test_parameters_in_attach_points(text: str, params: list[str], parts: list[str]) -> None:
    point = script(text + " { }", *params).probes[0].points[0]
    assert [point.provider, *point.args] == parts
    assert point.span.text == text


def test_each_attach_point_may_have_a_name() -> None:
    (probe,) = script("a=kprobe:f, kprobe:g=h { 1 }").probes
    assert [(p.name, p.provider, p.args) for p in probe.points] == [
        ("a", "kprobe", ("f",)),
        ("", "kprobe", ("g=h",)),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/1/", "1"),
        ("/ 100/25 /", "100/25"),
        ("/a/b/c/", "a/b/c"),
        ("/@x[pid]/ // comment\n/* more */", "@x[pid]"),
        ("/ a == (b / c) /", "a == (b / c)"),
        ("/{ 1 }/", "{ 1 }"),
        ("/if a { 1 } else { 2 }/", "if a { 1 } else { 2 }"),
    ],
)
def test_where_a_predicate_ends(text: str, expected: str) -> None:
    (probe,) = script(f"kprobe:f {text} {{ a / b }}").probes
    assert probe.predicate is not None
    assert probe.predicate.span.text == expected
    assert len(probe.body) == 1


def test_semicolons_between_probes() -> None:
    assert [probe.points[0].text for probe in script("begin { }; k:f { };; k:#g { };").probes] == [
        "begin",
        "k:f",
        "k:#g",
    ]


def test_a_slash_after_a_colon_is_a_path() -> None:
    assert script("begin/a/{}").probes[0].predicate is not None
    assert script("uprobe:x/a/{}").probes[0].points[0].args == ("x/a/",)
