"""The preprocessor: macros as the standard has them, conditionals, files."""

from __future__ import annotations

import pytest

from probee.base.errors import SourceError
from probee.base.source import Source
from probee.ctype.macros import Macros
from probee.ctype.preprocess import Preprocessor
from probee.ctype.tokens import spell

FILES = {
    "a.h": "#pragma once\nfrom_a\n",
    "b.h": '#include "a.h"\nfrom_b\n',
    "again.h": '#include "again.h"\n',
}


def include(name: str, form: str, source: Source) -> Source | None:
    if form == "next":
        return Source("next/" + name, "from_next\n")
    return Source(name, FILES[name]) if name in FILES else None


def run(text: str, defines: dict[str, str] | None = None) -> str:
    tokens = list(Preprocessor(Source("t.c", text), Macros(defines or {}), include).iter_tokens())[:-1]
    return " ".join(spell(tokens).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#define A 1\nA B A", "1 B 1"),
        ("#define A B\n#define B A\nA B", "A B"),
        ("#define A A + 1\nA", "A + 1"),
        ("#define F(x, y) x-y\nF(1, (2, 3)) F", "1-(2, 3) F"),
        ("#define F(x) [x]\nF\n(\n1\n)", "[1]"),
        ("#define F() 1\nF()", "1"),
        ('#define F(x) #x\nF( a  "b\\n" )', '"a \\"b\\\\n\\""'),
        ("#define F(x, y) x##y\nF(a, 1) F(, b) F(1, )", "a1 b 1"),
        ("#define F(a, ...) a(__VA_ARGS__)\nF(f, 1, 2) F(g)", "f(1, 2) g()"),
        ("#define F(a, ...) f(a, ##__VA_ARGS__)\nF(1) F(1, 2, 3)", "f(1) f(1, 2, 3)"),
        ("#define F(a, rest...) f(a, ##rest)\nF(1) F(1, 2)", "f(1) f(1, 2)"),
        ("#define X 1\n#define F(x) x X\nF(X) F(F(X))", "1 1 1 1 1"),
        ("#define A(x) #x\n#define B(x) A(x)\n#define C 3\nA(C) B(C)", '"C" "3"'),
        ("#define f(a) a*g\n#define g(a) f(a)\nf(2)(9)", "2*f(9)"),
        ("#define A 1\n#undef A\nA", "A"),
        ("#define A \\\n 1\nA", "1"),
        ("a /* b */ c // d\ne", "a c e"),
        ("#if 1 + 1 == 2\nyes\n#else\nno\n#endif", "yes"),
        ("#if 0\n#if 1\na\n#endif\nb\n#elif 1\nc\n#elif 1\nd\n#else\ne\n#endif", "c"),
        ("#ifdef A\na\n#elifdef B\nb\n#else\nc\n#endif", "c"),
        ("#ifndef A\na\n#endif", "a"),
        ("#define A\n#if defined(A) && defined A && !defined B\na\n#endif", "a"),
        ("#if unknown\na\n#endif", ""),
        ("#if -1 > 0u\na\n#endif", "a"),
        ("#if 0x100000000 > 1\na\n#endif", "a"),
        ("#if 0\nit's 'not\n#error no\n#include <no>\n#endif\nb", "b"),
        ('#warning x\n#line 3\n# 3 "x"\n#\na', "a"),
        ('#include "b.h"\n#include <a.h>', "from_a from_b"),
        ("#define H <a.h>\n#include H", "from_a"),
        ("#include_next <limits.h>", "from_next"),
        ("#if __has_include(<a.h>) && !__has_include(<none.h>)\na\n#endif", "a"),
        ("%:a @ `", "%:a @ `"),
    ],
)
def test_text_is_preprocessed(text: str, expected: str) -> None:
    assert run(text) == expected


def test_macros_that_are_predefined() -> None:
    defines = {"A": "1", "F(x)": "x + A", "__packed": ""}
    assert run("F(2) A __packed", defines) == "2 + 1 1"
    assert run("#undef A\n#define F 3\nA F", defines) == "A 3"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("#include <none.h>", "1:1", "'none.h' file not found"),
        ("#include", "1:1", 'expected "file" or <file> after #include'),
        ("#error this  is bad", "1:1", "#error this is bad"),
        ("a\n#endif", "2:1", "#endif without #if"),
        ("#else", "1:1", "#else without #if"),
        ("#if 1\n#else\n", "1:1", "this has no #endif"),
        ("#if 0\n#else\n#else\n#endif", "3:1", "#else after #else"),
        ("#if\n#endif", "1:1", "#if has no expression"),
        ("#if 1 2\n#endif", "1:7", "expected an operator, got '2'"),
        ("#if 1 +\n#endif", "1:8", "expected a constant expression, got the end"),
        ("#if (1\n#endif", "1:7", "expected ')' to close the parenthesis, got the end"),
        ("#if 1.5\n#endif", "1:5", "expected an integer constant, got '1.5'"),
        ("#ifdef\n#endif", "1:1", "expected a name after #ifdef"),
        ("#define 3", "1:1", "expected a name after #define"),
        ("#define F(x", "1:9", "the parameters of macro 'F' are not closed by ')'"),
        ("#define F(3) x", "1:11", "expected a macro's parameter, got '3'"),
        ("#define F(x) x\nF(1", "2:1", "the arguments of macro 'F' are not closed by ')'"),
        ("#define F(x) x\nF(1, 2)", "2:1", "macro 'F' takes 1 arguments, got 2"),
        ("#define F(x) x ## +\nF(a)", "2:1", "'##' of 'a' and '+' makes no token"),
        ("#frob", "1:2", "expected a directive, got '#frob'"),
        ('#include "again.h"', "1:1", "expected files at most 64 deep in one another, got more"),
    ],
)
def test_errors_say_what_and_where(text: str, place: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        run(text)
    diagnostic = error.value.diagnostics[0]
    assert diagnostic.span is not None
    assert (f"{diagnostic.span.line}:{diagnostic.span.column}", diagnostic.message) == (place, message)
