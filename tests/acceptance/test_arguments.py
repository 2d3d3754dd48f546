"""Arguments, variables and results of C and C++ functions by name, from the command line, at -O0 and -O2."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from programs import Probee

pytestmark = [pytest.mark.kernel, pytest.mark.needs("uprobe", "cc")]

SOURCE = r"""
#include <stdbool.h>
#include <stdlib.h>
enum color { RED, GREEN = 5 };
struct point { int x; long y; };
struct big { long v[5]; };
struct bits { unsigned a : 3; int b : 5; unsigned c : 12; };
union word { int i; char c[4]; };
struct node { struct node *next; char name[8]; const char *text; struct point at; unsigned char raw[3]; };
typedef struct node node_t;
#define KEEP __attribute__((noinline, noclone))
/* What is in memory may be read here, so that stores before a call are made. */
#define READ __asm__ volatile("" ::: "memory")
static volatile long sink;
KEEP long numbers(int a, char b, short c, long d, unsigned e, bool f, int g, long h) {
    sink = a + b + c + d + e + f + g + h; return sink; }
KEEP long records(struct point p, struct big b, struct bits bits, union word w, __int128 wide) {
    sink = p.x + p.y + b.v[4] + bits.a + bits.b + bits.c + w.i + (long)wide; return sink; }
KEEP long nodes(const node_t *n, node_t **all, enum color color) {
    READ; sink = n->at.x + all[1]->at.x + color; return sink; }
KEEP double floats(double d, float f, int n) { sink = d + f + n; return d; }
KEEP struct point make_point(int x) { sink = x; return (struct point){x, -5}; }
KEEP struct big make_big(int x) { struct big b = {{x, x + 1}}; sink = x; return b; }
KEEP node_t *find(node_t *n) { READ; sink = n->at.x; return n; }
KEEP int minus(int x) { sink = x; return -x; }
KEEP bool is_odd(int x) { sink = x; return x & 1; }
KEEP enum color next(enum color c) { sink = c; return c == RED ? GREEN : RED; }
KEEP unsigned __int128 twice(unsigned long x) { sink = x; return (unsigned __int128)x << 64 | x; }
KEEP int locals(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) {
        int square = i * i;
        sum += square;
        sink = sum; /* here */
    }
    return sum;
}
int main(void) {
    struct point p = {1, 2};
    struct big b = {{1, 2, 3, 4, 5}};
    struct bits bits = {5, -3, 100};
    union word w = {0x41424344};
    node_t one = {0, "one", "first", {11, 12}, {1, 2, 3}}, two = {&one, "two", "second", {21, 22}, {4, 5, 6}};
    node_t *all[] = {&one, &two};
    sink = *two.text; /* A program of a probe can't read a page that nobody has touched. */
    numbers(-1, 'x', -3, 1L << 40, 5, true, -7, -8);
    records(p, b, bits, w, (__int128)3 << 64 | 4);
    nodes(&two, all, GREEN);
    floats(1.5, 2.5, 42);
    make_point(2); make_big(6); find(&two); minus(3); is_odd(1); next(RED); twice(9);
    return locals(3) != 5;
}
"""
LEVELS = ["-O0", "-O2"]


@pytest.fixture(params=LEVELS)
def program(request: pytest.FixtureRequest, cc: Callable[..., Path]) -> Path:
    return cc(SOURCE, request.param, "-g", "-Wno-unused-parameter")


def said(probee: Probee, program: Path, *probes: str) -> list[str]:
    """What probes of a program, each `FUNCTION { BODY }`, print."""
    text = " ".join([probe if probe[0] == "u" else f"uprobe:{program}:{probe}" for probe in probes])
    done = probee("-q", "-c", program, "-e", text)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr
    return [line for line in done.lines if line]


def test_numbers(probee: Probee, program: Path) -> None:
    form = "%d %c %d %ld %d %d %d %d\\n"
    body = f'printf("{form}", args.a, args.b, args.c, args.d, args.e, args.f, args.g, args.h)'
    assert said(probee, program, f"numbers {{ {body}; print(args); }}") == [
        f"-1 x -3 {1 << 40} 5 1 -7 -8",
        f"{{ .a = -1, .b = 120, .c = -3, .d = {1 << 40}, .e = 5, .f = true, .g = -7, .h = -8 }}",
    ]


def test_signs_are_those_of_the_types(probee: Probee, program: Path) -> None:
    assert said(probee, program, "numbers / args.a < 0 && args.h == -8 && args.e > 0 / { print(1); }") == [
        "1"
    ]


def test_records_by_value(probee: Probee, program: Path) -> None:
    body = "print(args.p); print(args.b.v[4]); print(args.bits.b); print(args.bits); print(args.w.c[1]);"
    assert said(
        probee, program, f"records {{ {body} print(args.w.i); print(args.wide); print(args.p.y); }}"
    ) == [
        "{ .x = 1, .y = 2 }",
        "5",
        "-3",
        "{ .a = 5, .b = -3, .c = 100 }",
        "67",
        str(0x41424344),
        "[4,3]",
        "2",
    ]


def test_pointers(probee: Probee, program: Path) -> None:
    body = """print(args.n->name); printf("%s\\n", str(args.n->text)); print(args.n.at.y);
        print(args.n->next->name);
        print(args.all[0]->raw[2]); print((*args.all)->at); print(args.color); print(args.n->raw);
        print(args.color == GREEN);
        $n = args.n->next; print($n->at.x); @[args.n->name] = count();
        print(sizeof(struct node)); print(((node_t *)arg0)->at.x); print(offsetof(struct node, at));"""
    assert said(probee, program, f"nodes {{ {body} }}") == [
        "two", "second", "22", "one", "3", "{ .x = 11, .y = 12 }", "GREEN", "[4,5,6]", "true", "11",
        "48", "21", "24",
        "@[two]: 1",
    ]  # fmt: skip


def test_results(probee: Probee, program: Path) -> None:
    returns = {
        "make_point": "print(retval); print(retval.y);",
        "make_big": "print(retval.v[1]);",
        "find": "print(retval->name); print(retval->next->at.x);",
        "minus": "print(retval); print(retval < 0);",
        "is_odd": "print(retval);",
        "next": "print(retval);",
        "twice": "print(retval);",
    }
    probes = [f"uretprobe:{program}:{name} {{ {body} }}" for name, body in returns.items()]
    assert said(probee, program, *probes) == [
        "{ .x = 2, .y = -5 }", "-5", "7", "two", "11", "-3", "true", "true", "GREEN", "[9,9]",
    ]  # fmt: skip


def wrong(probee: Probee, program: Path, text: str) -> str:
    done = probee("-c", program, "-e", text)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_floats_are_refused_by_name(probee: Probee, program: Path) -> None:
    assert said(probee, program, "floats { print(args.n); }") == ["42"]
    for text in (
        f"uprobe:{program}:floats {{ print(args.d); }}",
        f"uprobe:{program}:floats {{ print(args); }}",
        f"uretprobe:{program}:floats {{ print(retval); }}",
    ):
        assert "a register that" in wrong(probee, program, text)


def test_names_that_are_none(probee: Probee, program: Path) -> None:
    message = wrong(probee, program, f"uprobe:{program}:minus {{ print(args.y); }}")
    assert "does not contain a field named 'y'" in message
    message = wrong(probee, program, f"uretprobe:{program}:minus {{ print(args.x); }}")
    assert "The args builtin can not be used with 'uretprobe' probes" in message


def test_what_was_optimised_out_is_not_guessed(probee: Probee, cc: Callable[..., Path]) -> None:
    source = """
    static __attribute__((noinline)) int half(int used, int unused) { __asm__ volatile(""); return used; }
    int main(int count, char **words) { return half(count, 7) - 1; }
    """
    program = cc(source, "-O2", "-g", "-fno-ipa-cp", "-fno-ipa-sra", "-Wno-unused-parameter")
    assert said(probee, program, "half { print(args.used); }") == ["1"]


def test_clones_say_that_their_arguments_moved(probee: Probee, cc: Callable[..., Path]) -> None:
    source = """
    static volatile int sink;
    __attribute__((noinline)) int work(int gone, int kept) { sink += kept; return gone; }
    int main(int count, char **words) { work(1, count); work(1, count + 1); return 0; }
    """
    program = cc(source, "-O2", "-g", "-Wno-unused-parameter")
    names = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
    clones = [line.split()[2] for line in names.splitlines() if " work." in line]
    text = f"uprobe:{program}:work {{ @ = count(); }}"
    done = probee("-c", program, "-e", text)
    if not clones:
        assert "@: 2" in done.stdout
        return
    assert f"calls of work that the compiler made calls of {clones[0]} are not traced" in done.stderr
    assert "@: 2" in probee("-c", program, "-e", f"uprobe:{program}:{clones[0]} {{ @ = count(); }}").stdout
    assert "clone" in wrong(probee, program, f"uprobe:{program}:{clones[0]} {{ print(args.gone); }}")


def test_source_lines(probee: Probee, cc: Callable[..., Path]) -> None:
    program = cc(SOURCE, "-O0", "-g", "-Wno-unused-parameter")
    line = 1 + next(n for n, text in enumerate(SOURCE.splitlines()) if "/* here */" in text)
    place = f"uprobe:{program}@target.c:{line}"
    body = 'printf("%d %d %d %d\\n", args.i, args.square, args.sum, args.n);'
    assert said(probee, program, f"{place} {{ {body} }}") == ["0 0 0 3", "1 1 1 3", "2 4 5 3"]
    assert f"no code of {program} is of target.c:1" in wrong(
        probee, program, f"uprobe:{program}@target.c:1 {{ }}"
    )


def test_without_debug_information(probee: Probee, cc: Callable[..., Path]) -> None:
    program = cc(SOURCE, "-O0", "-Wno-unused-parameter")
    assert f"{program} has no debug information" in wrong(
        probee, program, f"uprobe:{program}:minus {{ print(args.x); }}"
    )
    assert said(probee, program, f"uretprobe:{program}:minus {{ print(retval == 4294967293); }}") == ["true"]


CXX = r"""
struct Base { int base = 7; virtual ~Base() {} };
struct Other { long other = 9; };
struct Small { int x; long y; };
enum class Mode : unsigned char { Off, On = 3 };
static volatile long sink;
#define KEEP __attribute__((noinline, noclone))
struct Derived : Base, Other {
    int own = 11;
    KEEP int method(int n, const Small &s, Mode mode) { sink = n + s.x + own + int(mode); return n; }
    KEEP static int factory(int n) { sink = n; return n; }
};
namespace ns {
template <class T> KEEP T same(T a) { sink = long(a); return a; }
KEEP int over(int a) { sink = a; return a; }
KEEP int over(long a, int b) { sink = a + b; return b; }
}
int main() {
    Derived d; Small s{1, 2};
    d.method(3, s, Mode::On); Derived::factory(4);
    ns::same(1); ns::same(2L); ns::over(3); ns::over(4L, 5);
}
"""


@pytest.fixture(params=LEVELS)
def cxx(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    source, program = tmp_path / "cxx.cpp", tmp_path / "cxx"
    source.write_text(CXX)
    command = ["c++", "-std=c++17", request.param, "-g", "-o", program, source]
    subprocess.run(command, check=True, capture_output=True)
    return program


@pytest.mark.needs("cxx", "libstdcxx")
def test_classes(probee: Probee, cxx: Path) -> None:
    body = "print(args.this->own); print(args.this->base); print(args.this->other); print(args.s.y);"
    probe = f'uprobe:{cxx}:cpp:"Derived::method" {{ {body} print(args.mode); print(args.n); print(func); }}'
    assert said(probee, cxx, probe) == [
        "11", "7", "9", "2", "On", "3", "Derived::method(int, Small const&, Mode)",
    ]  # fmt: skip


@pytest.mark.needs("cxx", "libstdcxx")
def test_demangled_names(probee: Probee, cxx: Path) -> None:
    probes = (
        f'uprobe:{cxx}:cpp:"ns::same" {{ @same = count(); }}',
        f'uprobe:{cxx}:cpp:"ns::over" {{ @over = count(); }}',
        f'uprobe:{cxx}:cpp:"ns::over(long, int)" {{ @one = sum(args.b); }}',
        f'uprobe:{cxx}:cpp:"Derived::m*" {{ @all = count(); }}',
    )
    assert said(probee, cxx, *probes) == ["@all: 1", "@one: 5", "@over: 2", "@same: 2"]
    message = wrong(probee, cxx, f'uprobe:{cxx}:cpp:"ns::nothing" {{ }}')
    assert f"no C++ function matches 'ns::nothing' in {cxx}" in message


def test_all_of_the_c_library_in_one_link(probee: Probee, program: Path) -> None:
    text = "config = { max_probes = 10000 } uprobe:libc:* { @ = count(); }"
    done = probee("-c", program, "-e", text)
    assert done.returncode == 0, done.stderr
    attached = next(line for line in done.stderr.splitlines() + done.lines if line.startswith("Attached "))
    assert int(attached.split()[1]) > 1000


def test_what_a_program_chooses_when_it_starts_is_told(probee: Probee, program: Path) -> None:
    done = probee("-c", program, "-e", "uprobe:libc:memcpy { }")
    if os.uname().machine == "x86_64":
        assert "is chosen when the program starts (IFUNC)" in done.stderr


NARROW = r"""
#define KEEP __attribute__((noinline, noclone))
struct point { short x; int y; const char *name; struct point *next; };
static volatile long long sink;
static volatile char touched;
KEEP long long wide(int a, long long b, const char *s, struct point p, signed char c) {
    __asm__ volatile("" : : : "memory"); sink = a + b + p.y + c + *s; return sink; }
KEEP struct point made(int x, const char *name) { sink = x; return (struct point){x, -x, name, 0}; }
KEEP int minus(int x) { sink = x; return -x; }
void _start(void) {
    struct point last = {7, 8, "last", 0}, p = {-1, 2, "point", &last};
    touched = *(const volatile char *)p.name;
    wide(-5, 0x123456789abLL, "hello", p, -3); made(21, p.name); minus(9);
    __asm__ volatile("int $0x80" : : "a"(1), "b"(0));
}
"""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.needs("x86_64")
def test_programs_of_32_bits(probee: Probee, cc: Callable[..., Path], level: str) -> None:
    """Their arguments are words on the stack, their pointers have 4 bytes."""
    flags = ("-m32", "-g", level, "-nostdlib", "-static", "-fno-stack-protector", "-fno-pie", "-no-pie")
    program = cc(NARROW, *flags)
    probes = (
        "uprobe:PROGRAM:wide { print(((int32)arg0, arg1, str(arg3), (int16)arg4)); }",
        "uprobe:PROGRAM:wide { print((args.a, args.b, str(args.s), args.p.x, args.p.y, args.c)); }",
        "uprobe:PROGRAM:wide { print((str(args.p.name), str(args.p.next->name), args.p.next->next)); }",
        "uretprobe:PROGRAM:wide { print(retval); }",
        "uretprobe:PROGRAM:made { print((retval.x, retval.y, str(retval.name))); }",
        "uprobe:PROGRAM:minus { print(args); } uretprobe:PROGRAM:minus { print(retval); }",
    )
    assert said(probee, program, *[probe.replace("PROGRAM", str(program)) for probe in probes]) == [
        "(-5, 1164413355, hello, -1)",
        "(-5, 1250999896491, hello, -1, 2, -3)",
        "(point, last, 0x0)",
        f"{0x123456789AB - 5 + 2 - 3 + ord('h')}",
        "(21, -21, point)",
        "{ .x = 9 }",
        "-9",
    ]
