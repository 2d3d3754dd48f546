"""C text → types: what is read, how it is laid out, and what is said where it can't be read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probee.base.errors import SourceError
from probee.base.source import Source
from probee.ctype.declare import Declarations, parse_declarations, parse_type
from probee.ctype.layout import AARCH64
from probee.ctype.types import (
    BOOL,
    INT32,
    VOID,
    Array,
    CType,
    Enum,
    Float,
    Func,
    Int,
    LazyStruct,
    Member,
    Ptr,
    Struct,
    Typedef,
)

INT, CHAR = Int(4, True, "int"), Int(1, True, "char")
ULONG = Int(8, False, "long unsigned int")


def parse(text: str, **options: object) -> Declarations:
    return parse_declarations(Source("t.c", text), **options)  # type: ignore[arg-type]


def type_of(text: str) -> CType:
    return parse_type(Source("t.c", text))


def struct(text: str, name: str = "s", kind: str = "struct") -> Struct:
    found = parse(text).types[kind, name]
    assert isinstance(found, Struct)
    return found


def places(of: Struct) -> list[tuple[str, int, int]]:
    return [(m.name, m.offset_bits, m.bit_size) for m in of.members]


# -- types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("int", INT),
        ("signed", INT),
        ("unsigned long int", ULONG),
        ("long int unsigned", ULONG),
        ("const volatile char", CHAR),
        ("signed char", Int(1, True, "signed char")),
        ("long long unsigned", Int(8, False, "long long unsigned int")),
        ("unsigned __int128", Int(16, False, "__int128 unsigned")),
        ("_Bool", BOOL),
        ("bool", BOOL),
        ("long double", Float(16, "long double")),
        ("void *", Ptr(VOID)),
        ("char **const *restrict", Ptr(Ptr(Ptr(CHAR)))),
        ("int[2][3]", Array(Array(INT, 3), 2)),
        ("int *[2]", Array(Ptr(INT), 2)),
        ("int (*)[2]", Ptr(Array(INT, 2))),
        ("int (*)(void)", Ptr(Func(INT, ()))),
        ("int *(*[3])(char, ...)", Array(Ptr(Func(Ptr(INT), (("", CHAR),), True)), 3)),
        ("void (*(*)(int a))(int [4])", Ptr(Func(Ptr(Func(VOID, (("", Ptr(INT)),))), (("a", INT),)))),
        ("u32", Typedef("u32", Int(4, False, "unsigned int"))),
        ("uint64_t", Typedef("uint64_t", ULONG)),
        ("__s8", Typedef("__s8", Int(1, True, "signed char"))),
        ("char __user *", Ptr(CHAR, "user")),
        ("typeof(int *)", Ptr(INT)),
        ("int[sizeof(long) / 2 + 'a' - 'b']", Array(INT, 3)),
    ],
)
def test_types_as_c_names_them(text: str, type: CType) -> None:
    assert type_of(text) == type


def test_a_struct_and_its_layout() -> None:
    s = struct("struct s { char c; int n; short h[3]; void *p; };")
    assert places(s) == [("c", 0, 0), ("n", 32, 0), ("h", 64, 0), ("p", 128, 0)]
    assert (s.size, s.align, s.alignment) == (24, 8, 0)


def test_packed_and_aligned() -> None:
    assert places(struct("struct s { char c; int n; } __packed;")) == [("c", 0, 0), ("n", 8, 0)]
    s = struct("struct s { char c; int n __attribute__((aligned(16))); } __aligned(64);")
    assert (places(s)[1], s.size, s.align) == (("n", 128, 0), 64, 64)
    assert struct("struct s { char c; long n __attribute__((packed)); };").size == 9
    text = (
        "#pragma pack(push, 2)\nstruct p { char c; int n; };\n#pragma pack(pop)\nstruct s { char c; int n; };"
    )
    assert (struct(text, "p").size, struct(text).size) == (6, 8)
    assert struct("struct s { char c; _Alignas(8) char d; };").size == 16


def test_bit_fields() -> None:
    s = struct("struct s { unsigned a:3, b:30; unsigned :0; unsigned char c:4, :2, d:2; };")
    assert places(s) == [("a", 0, 3), ("b", 32, 30), ("c", 64, 4), ("d", 70, 2)]


def test_unnamed_bit_fields_align_on_aarch64_only() -> None:
    text = "struct s { char c; int :0; char d; };"
    assert struct(text).align == 1
    arm = parse(text, abi=AARCH64).types["struct", "s"]
    assert (arm.size, arm.align) == (8, 4)


def test_char_has_the_sign_of_the_cpu() -> None:
    assert parse("char c;", abi=AARCH64).variables["c"] == Int(1, False, "char")


def test_unions_and_anonymous_members() -> None:
    s = struct("struct s { int kind; union { long l; struct { char a, b; }; }; enum { X, Y = 4 } e; };")
    assert [m.name for m in s.members] == ["kind", "", "e"]
    union = s.members[1]
    assert isinstance(union.type, Struct)
    assert (union.type.kind, union.type.size, union.offset_bits) == ("union", 8, 64)
    assert s.members[2].type == Enum("", 4, False, (("X", 0), ("Y", 4)))


def test_structs_that_point_to_themselves_and_to_later_ones() -> None:
    types = parse("struct a { struct b *b; struct a *next; }; struct b { struct a a; };").types
    a, b = types["struct", "a"], types["struct", "b"]
    assert isinstance(a, Struct)
    assert [m.type for m in a.members] == [Ptr(b), Ptr(a)]
    to_b = a.members[0].type
    assert isinstance(to_b, Ptr)
    assert (to_b.to.size, to_b.to is b) == (16, True)


def test_a_struct_that_is_only_declared() -> None:
    opaque = parse("struct opaque; struct opaque *p;").variables["p"]
    assert isinstance(opaque, Ptr)
    assert isinstance(opaque.to, LazyStruct)
    assert opaque.to.declared


def test_enums() -> None:
    d = parse("enum e { A, B = A + 5, C }; enum n { N = -1 }; enum big { BIG = 1ULL << 40 };")
    assert d.types["enum", "e"] == Enum("e", 4, False, (("A", 0), ("B", 5), ("C", 6)))
    assert d.enumerators == {"A": 0, "B": 5, "C": 6, "N": -1, "BIG": 1 << 40}
    assert [(t.size, t.signed) for t in d.types.values() if isinstance(t, Enum)] == [
        (4, False),
        (4, True),
        (8, False),
    ]
    assert parse("enum e { A } __packed;").types["enum", "e"].size == 1
    assert parse("enum e : unsigned short { A };").types["enum", "e"] == Enum("e", 2, False, (("A", 0),))


def test_typedefs_functions_and_variables() -> None:
    d = parse("""
        typedef struct { int x; } point_t, *point_p;
        typedef long odd_t __attribute__((aligned(2)));
        extern int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
        static inline int twice(int x) { if (x) { return 2 * x; } return 0; }
        point_t origin = { .x = 3, }, other;
        int numbers[] = { 1, 2 }, *p = &numbers[0];
        _Static_assert(sizeof(int) == 4, "int");
        asm(".text");
        typedef int mode_word __attribute__((mode(DI)));
    """)
    point = d.types["typedef", "point_t"]
    assert d.types["typedef", "point_p"] == Typedef("point_p", Ptr(point.to))  # type: ignore[attr-defined]
    assert (d.types["typedef", "odd_t"].align, d.types["typedef", "mode_word"].size) == (2, 8)
    assert d.functions["printf"] == Func(INT, (("format", Ptr(CHAR)),), True)
    assert d.functions["twice"] == Func(INT, (("x", INT),))
    assert d.variables == {"origin": point, "other": point, "numbers": Array(INT, 0), "p": Ptr(INT)}


def test_a_name_may_be_a_type_and_a_member() -> None:
    s = struct(
        "typedef int number; struct s { number number; unsigned number:3; };".replace(
            "unsigned number", "int x"
        )
    )
    assert s.members[0] == Member("number", Typedef("number", INT), 0)


# -- what others know -------------------------------------------------------------------------------


LIST = LazyStruct(
    "list_head", 16, "struct", lambda: (Member("next", Ptr(VOID), 0), Member("prev", Ptr(VOID), 64))
)
KNOWN: dict[tuple[str, str], CType] = {
    ("struct", "list_head"): LIST,
    ("typedef", "pid_t"): Typedef("pid_t", INT32),
    ("enumerator", "COMM_LEN"): Enum("", 4, False, (("COMM_LEN", 16),)),
}


def test_types_that_others_know() -> None:
    d = parse(
        "struct s { struct list_head list, *to; pid_t pid; char comm[COMM_LEN]; struct nothing *n; };",
        known_types=lambda kind, name: KNOWN.get((kind, name)),
    )
    s = d.types["struct", "s"]
    assert isinstance(s, Struct)
    assert [m.type for m in s.members[:2]] == [LIST, Ptr(LIST)]
    assert s.members[2].type == Typedef("pid_t", INT32)
    assert (s.members[3].type, s.size) == (Array(CHAR, 16), 56)
    assert set(d.types) == {("struct", "s")}


def test_the_sources_own_types_come_first() -> None:
    text = "struct s { struct list_head *to; }; struct list_head { int x; }; typedef char pid_t; pid_t p;"
    d = parse(text, known_types=lambda kind, name: KNOWN.get((kind, name)))
    assert d.types["struct", "list_head"].size == 4
    assert d.variables["p"].size == 1
    to = d.types["struct", "s"].members[0].type  # type: ignore[attr-defined]
    assert to.to is d.types["struct", "list_head"]


# -- constants --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 4 / 2 % 3", 5),
        ("-7 / 2", -3),
        ("-7 % 2", -1),
        ("-1 < 0u", 0),
        ("-1 < 0L", 1),
        ("0xffffffff + 1", 0),
        ("4294967295 + 1", 1 << 32),
        ("~0u", 0xFFFFFFFF),
        ("~0ull >> 60", 15),
        ("1 << 3 | 1 ^ 3 & 2", 11),
        ("1 ? 2 : 3 ? 4 : 5", 2),
        ("0 ?: 7", 7),
        ("1 || 1 / 0", 1),
        ("0 && 1 / 0", 0),
        ("!5 == 0", 1),
        ("(unsigned char)300", 44),
        ("(char)200", -56),
        ("(_Bool)5", 1),
        ("(long)(void *)8", 8),
        ("'\\n' + '\\x41' + '\\101'", 10 + 65 + 65),
        ("'ab'", 0x6162),
        ("0b101 + 010", 13),
        ("sizeof(int[3]) + _Alignof(long)", 20),
        ('sizeof("abc")', 4),
        ("sizeof(struct { char c; long l; })", 16),
        ("__builtin_offsetof(struct { int a; struct { short b[4]; } c; }, c.b[2])", 8),
        ("'\\377' == -1", 1),
    ],
)
def test_constants_have_the_values_c_gives_them(text: str, value: int) -> None:
    if text == 'sizeof("abc")':
        text = 'sizeof "abc"'
    assert parse(f"#define X {text}").macro_value("X") == value


def test_values_of_macros() -> None:
    d = parse("""
        #define ONE 1
        #define TWO (ONE + ONE)
        #define FLAG _BITUL(3)
        #define _BITUL(x) (1UL << (x))
        #define TEXT "a\\tb" "c"
        #define CALL do_it( ONE,  2 )
        #define EMPTY
        #define F(x) x
        #define GONE 1
        #undef GONE
        enum { E = TWO };
        #define FROM_ENUM (E * 4)
    """)
    values = {name: d.macro_value(name) for name in d.iter_macros()}
    assert values == {
        "ONE": 1,
        "TWO": 2,
        "FLAG": 8,
        "TEXT": "a\tbc",
        "CALL": "do_it( ONE, 2 )",
        "EMPTY": "",
        "FROM_ENUM": 8,
    }
    assert (d.macro_value("F"), d.macro_value("GONE")) == (None, None)


# -- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("struct s { int x int y; };", "1:18", "expected ';' after the member, got 'int'"),
        ("struct s { foo_t x; };", "1:12", "expected a type, got 'foo_t'"),
        ("struct s { struct t u; };", "1:12", "member 'u' has the incomplete type struct t"),
        ("struct s { struct s u; };", "1:12", "member 'u' has the incomplete type struct s"),
        ("struct s { int x; int x; };", "1:8", "two members are called 'x'"),
        ("struct s { int x; union { int x; }; };", "1:8", "two members are called 'x'"),
        ("struct s { int f(void); };", "1:16", "member 'f' can't be a function; a pointer to one can"),
        ("struct s { int x:33; };", "1:18", "expected a width of 1 to 32 bits, got 33"),
        ("struct s { int x:0; };", "1:18", "expected a width of 1 to 32 bits, got 0"),
        ("struct s { float x:3; };", "1:18", "expected a bit-field of an integer type, got float"),
        ("struct s { void x; };", "1:12", "member 'x' has the incomplete type void"),
        ("struct s {", "1:10", "this struct is not closed by '}'"),
        ("struct s {}; struct s {};", "1:21", "struct s is defined already"),
        ("struct s { struct s { int x; } y; };", "1:8", "struct s is defined in itself"),
        ("enum e { A, A };", "1:13", "constant 'A' is defined already"),
        ("enum { A = 1", "1:13", "expected '}' to close the enum, got the end"),
        ("int a[-1];", "1:7", "expected a length that isn't negative, got -1"),
        ("int a[1 / 0];", "1:7", "this has no value: it divides by zero, or shifts too far"),
        ("int a[n];", "1:7", "expected a constant, got 'n'"),
        ("int a[99999999][99999999];", "1:6", "this array has more than 281474976710656 bytes"),
        ("struct t a[3];", "1:11", "expected elements of a complete type, got struct t"),
        ("int f(void)[3];", "1:6", "a function can't return int[3]"),
        ("typedef unsigned float x;", "1:1", "'unsigned float' is no type"),
        ("int x __attribute__((aligned(3)));", "1:30", "expected an alignment that is a power of two, got 3"),
        ("int 09;", "1:5", "expected a name to declare, got '09'"),
        ("int a[09];", "1:7", "expected octal digits after 0, got '09'"),
        ("int a[0x1ffffffffffffffff];", "1:7", "'0x1ffffffffffffffff' has more than 64 bits"),
        ("int x", "1:6", "expected ';' after the declaration, got the end"),
        ("int f(int x) {", "1:14", "'{' is not closed"),
        ("/* no end", "1:1", "this comment has no end"),
        (
            "int a[sizeof(x)];",
            "1:14",
            "expected a type, since that of an expression isn't known here, got 'x'",
        ),
        ("int a[offsetof(struct { int b; }, c)];", "1:35", "expected a member of struct, got 'c'"),
    ],
)
def test_errors_say_what_and_where(text: str, place: str, message: str) -> None:
    with pytest.raises(SourceError) as error:
        parse(text)
    diagnostic = error.value.diagnostics[0]
    assert diagnostic.span is not None
    assert (f"{diagnostic.span.line}:{diagnostic.span.column}", diagnostic.message) == (place, message)


def test_an_error_in_what_a_macro_made_points_at_its_use() -> None:
    with pytest.raises(SourceError) as error:
        parse("#define FIELD(t) t field\nstruct s { FIELD(nothing_t); };\n")
    assert error.value.render() == (
        "t.c:2:18-27: ERROR: expected a type, got 'nothing_t'\n"
        "struct s { FIELD(nothing_t); };\n"
        "                 ~~~~~~~~~"
    )


# -- any text ---------------------------------------------------------------------------------------

WORDS = """
struct union enum typedef int char unsigned long void s t x 1 0 3 ( ) [ ] { } * , ; : = + - << ? # ## ...
__attribute__ ((packed)) sizeof 'a' defined __VA_ARGS__ /* */ // typeof "b" \\
"""
LINES = ("\n#define ", "\n#if ", "\n#endif\n", "\n#else\n", "\n#include <x>\n", "\n#pragma pack(1)\n")
PIECES = (*WORDS.split(), *LINES)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join) | st.text(max_size=60))
@settings(max_examples=500, deadline=2000)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        d = parse(text)
        for name in d.iter_macros():
            d.macro_value(name)
    except SourceError as error:
        error.render()


@pytest.mark.parametrize(
    "text",
    [
        "int " + "(" * 5000 + "x" + ")" * 5000 + ";",
        "struct { " * 5000,
        "int a[" + "(" * 5000,
        "int a[" + "-" * 5000 + "1];",
        "int a[" + "1?" * 5000 + "1];",
        "int " + "*" * 100000 + "x;",
        "int x" + "[1]" * 20000 + ";",
        "int f" + "(int (*)" * 5000,
        "#define A(x) x x\nint " + "A(" * 5000 + "y" + ")" * 5000 + ";",
        "#define A0 x x\n" + "".join(f"#define A{n} A{n - 1} A{n - 1}\n" for n in range(1, 60)) + "A59",
        "#if 1\n" * 20000,
        "\n".join(
            ["struct s0 { int x; };", *(f"struct s{n} {{ struct s{n - 1} y; }};" for n in range(1, 300))]
        ),
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_python_to_its_limits(text: str) -> None:
    try:
        parse(text)
    except SourceError:
        pass
