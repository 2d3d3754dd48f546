"""Functions of compiled programs: parameters, types, places, clones, inlined instances, lines."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.dwarf import DwarfBuilder, Entry
from probee.ctype.types import Array, Enum, Float, Int, LazyStruct, Ptr, Ref, Struct, Typedef
from probee.dwarf.consts import AT, FORM, TAG
from probee.dwarf.expr import (
    OPTIMISED_OUT,
    Cfa,
    InMemory,
    InRegister,
    Register,
    Unsupported,
    render_location,
    split_sum,
)
from probee.dwarf.file import Dwarf
from probee.dwarf.functions import find_inlined
from probee.dwarf.line import find_line, find_line_addresses
from probee.dwarf.search import find_function_at, find_functions, find_struct
from probee.dwarf.section import DwarfError
from probee.elf.file import Elf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from probee.ctype.types import CType

pytestmark = pytest.mark.needs("cc")

SOURCE = """
#include <stdlib.h>
enum color { RED = -1, GREEN = 200 };
typedef struct node node_t;
struct node {
    node_t *next; unsigned flags : 3, rest : 29; enum color color; char name[8]; union { int i; float f; };
};
typedef int (*handler_t)(const char *, ...);
__attribute__((noinline)) int walk(const node_t *first, handler_t handler, double weight, char *const *names)
{
    int total = handler ? handler("x") : 0;
    for (; first; first = first->next) { total += first->flags; }
    return total + (int)weight + (names != 0);
}
static inline __attribute__((always_inline)) int add_one(int value) { return value + atoi("1"); }
static __attribute__((noinline)) int rarely(int used, int unused) { return add_one(used); }
__attribute__((noinline)) long many(long a, long b, long c, long d, long e, long f, long g, struct node whole)
{
    return a + b + c + d + e + f + g + whole.flags;
}
int main(int argc, char **argv)
{
    struct node node = {0};
    return walk(&node, 0, argc, 0) + rarely(argc, 5) + many(1, 2, 3, 4, 5, 6, 7, node) + add_one(argc);
}
"""

VARIANTS = [f"-gdwarf-{n} -O{o}" for n in (2, 3, 4, 5) for o in (0, 2)] + [
    "-gdwarf-5 -gdwarf64 -O0",
    "-gdwarf-4 -fdebug-types-section -O1",
    "-g -O2 -ffunction-sections -Wl,--gc-sections",
    "-g -O2 -gz",
    "-g -Og -no-pie",
    "-g -O2 -flto",
]


def opened(path: Path, **files: object) -> Dwarf:
    return Dwarf(Elf(path.read_bytes(), str(path)), **files)  # type: ignore[arg-type]


def bare(type: CType) -> CType:
    return bare(type.to) if isinstance(type, Typedef) else type


def register(number: int) -> str:
    return ("rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9")[number]


@pytest.mark.parametrize("flags", VARIANTS)
def test_parameters(cc: Callable[..., Path], flags: str) -> None:
    dwarf = opened(cc(SOURCE, *flags.split()))
    (walk,) = find_functions(dwarf, "walk")
    names = [p.type_name for p in walk.parameters]
    assert names == ["const node_t *", "handler_t", "double", "char *const *"]
    assert (
        walk.signature
        == "int walk(const node_t *first, handler_t handler, double weight, char *const *names)"
    )
    assert (walk.is_external, walk.is_variadic) == (True, False)
    assert walk.decl_file.endswith("target.c")
    assert walk.decl_line == 9
    assert walk.entry is not None
    assert find_function_at(dwarf, walk.entry + 1) is not None
    for parameter in walk.parameters:
        place = parameter.location_at_entry(walk.entry)
        assert place is None or "-O0" not in flags
        assert parameter.location(walk.body or 0) != OPTIMISED_OUT


@pytest.mark.parametrize("flags", VARIANTS)
def test_types(cc: Callable[..., Path], flags: str) -> None:
    (walk,) = find_functions(opened(cc(SOURCE, *flags.split())), "walk")
    first, handler, weight, names = [p.type for p in walk.parameters]
    assert isinstance(first, Ptr)
    node = bare(first.to)
    assert isinstance(node, LazyStruct)
    assert (str(node), node.size) == ("struct node", 32)
    members = {m.name: m for m in node.members}
    assert [(m.name, m.offset_bits, m.bit_size) for m in node.members] == [
        ("next", 0, 0), ("flags", 64, 3), ("rest", 67, 29), ("color", 96, 0), ("name", 128, 0), ("", 192, 0),
    ]  # fmt: skip
    inner = members["next"].type
    assert isinstance(inner, Ptr)
    assert bare(inner.to) == node
    color, name, union = members["color"].type, members["name"].type, members[""].type
    assert isinstance(color, Enum)
    assert color.values == (("RED", -1), ("GREEN", 200))
    assert isinstance(name, Array)
    assert (name.count, str(name.of)) == (8, "char")
    assert isinstance(union, Struct)
    assert (union.kind, [str(m.type) for m in union.members]) == ("union", ["int", "float"])
    assert str(bare(handler)) == "int (char *, ...) *"
    assert weight == Float(8, "double")
    assert names == Ptr(Ptr(Int(1, True, "char")))


@pytest.mark.parametrize("flags", [v for v in VARIANTS if "-O0" in v])
def test_places_of_unoptimised_code(cc: Callable[..., Path], flags: str) -> None:
    (many,) = find_functions(opened(cc(SOURCE, *flags.split())), "many")
    assert many.entry is not None
    assert many.body is not None
    offsets = []
    for parameter in many.parameters:
        place = parameter.location(many.body)
        assert isinstance(place, InMemory)
        base, offset = split_sum(place.address)
        # Version 2 has no name for the CFA.
        assert base in (Cfa(), Register(6))
        offsets.append(offset - 16 * isinstance(base, Register))
    # The seventh number is the first on the stack, and the struct is after it.
    assert offsets[6:] == [0, 8]
    assert all(offset < 0 for offset in offsets[:6])
    at_entry = [p.location_at_entry(many.entry) for p in many.parameters]
    assert at_entry[:6] == [None] * 6
    assert [p is not None for p in at_entry[6:]] == [True, True]
    assert many.entry < many.body < many.ranges[0][1]


def test_places_of_optimised_code(cc: Callable[..., Path]) -> None:
    dwarf = opened(cc(SOURCE, "-g", "-O2"))
    (walk,) = find_functions(dwarf, "walk")
    assert walk.entry is not None
    places = [p.location_at_entry(walk.entry) for p in walk.parameters]
    assert [render_location(p, register) for p in places[:2] if p] == ["in rdi", "in rsi"]
    assert places[3] == InRegister(1)
    assert walk.parameters[0].location_ranges()


def test_clone_and_what_was_optimised_out(cc: Callable[..., Path]) -> None:
    dwarf = opened(cc(SOURCE, "-g", "-O2"))
    (rarely,) = find_functions(dwarf, "rarely")
    assert rarely.entry is not None
    symbols = [s.name for s in dwarf.elf.iter_functions() if s.value == rarely.entry]
    assert symbols == ["rarely.isra.0"] or symbols == ["rarely.constprop.0"]
    assert [p.name for p in rarely.parameters] == ["used", "unused"]
    assert rarely.parameters[1].location(rarely.entry) in (OPTIMISED_OUT, rarely.parameters[1].location(0))
    assert not rarely.is_external


def test_inlined(cc: Callable[..., Path]) -> None:
    dwarf = opened(cc(SOURCE, "-g", "-O2"))
    (add_one,) = find_functions(dwarf, "add_one")
    assert (add_one.entry, add_one.ranges, add_one.body, add_one.is_inlined) == (None, (), None, True)
    instances = add_one.inlined
    assert {i.caller.name for i in instances} == {"rarely", "main"}
    assert {i.call_line for i in instances} == {16, 24}
    for instance in instances:
        assert instance.call_file.endswith("target.c")
        assert instance.entry is not None
        (value,) = instance.parameters
        assert value.spelling == "int value"
        around = find_inlined(instance.caller, instance.ranges[0][0])
        assert around[0].name == "add_one"


def test_variables(cc: Callable[..., Path]) -> None:
    dwarf = opened(
        cc(
            "int f(int a) { int b = a; { long c = b; b += c; } return b; }\nint main(void) { return f(1); }",
            "-g",
        )
    )
    (function,) = find_functions(dwarf, "f")
    assert function.body is not None
    assert [v.spelling for v in function.variables_at(function.body)] == ["int b", "int a"]
    spellings = {
        tuple(v.spelling for v in function.variables_at(address)) for address in range(*function.ranges[0])
    }
    assert ("long int c", "int b", "int a") in spellings


@pytest.mark.parametrize("flags", VARIANTS)
def test_lines(cc: Callable[..., Path], flags: str) -> None:
    dwarf = opened(cc(SOURCE, *flags.split()))
    (main,) = find_functions(dwarf, "main")
    assert main.entry is not None
    line = find_line(dwarf, main.entry)
    assert line is not None
    assert line.path.endswith("/target.c")
    assert line.line == 22
    addresses = [found.address for found in find_line_addresses(dwarf, "target.c", 22)]
    assert main.entry in addresses
    assert find_line_addresses(dwarf, "arget.c", 22) == []


CXX = """
namespace geo {
struct base { int id; virtual ~base() {} };
struct other { long more; };
template <typename T> struct point : base, other {
    T x, y; point(T x, T y) : x(x), y(y) {} T dot(const point &p, point &&q) const; static int count;
};
template <typename T> T point<T>::dot(const point &p, point &&q) const { return x * p.x + y * q.y; }
int twice(int a) { return 2 * a; }
double twice(double a) { return 2 * a; }
}
int main()
{
    geo::point<int> p(1, 2);
    return p.dot(p, geo::point<int>(3, 4)) + geo::twice(1) + geo::twice(2.0);
}
"""


@pytest.mark.needs("cxx")
@pytest.mark.parametrize(
    "flags", ["-g -O0", "-gdwarf-4 -O0 -fdebug-types-section", "-gdwarf-3 -O1", "-gdwarf-2"]
)
def test_cxx(tmp_path: Path, flags: str) -> None:
    source = tmp_path / "target.cc"
    source.write_text(CXX)
    command = ["c++", "-std=c++17", *flags.split(), "-o", tmp_path / "target", source]
    subprocess.run(command, check=True)
    dwarf = opened(tmp_path / "target")
    (dot,) = find_functions(dwarf, "geo::point<int>::dot")
    assert dot.linkage_name == "_ZNK3geo5pointIiE3dotERKS1_OS1_"
    this, p, q = dot.parameters
    assert (this.name, this.is_artificial, p.is_artificial) == ("this", True, False)
    assert isinstance(p.type, Ref)
    assert (p.type.mark, p.type_name) == ("&", "const geo::point<int> &")
    assert isinstance(q.type, Ref)
    assert q.type.mark == ("&&" if "dwarf-2" not in flags and "dwarf-3" not in flags else q.type.mark)
    struct = bare(p.type.to)
    assert isinstance(struct, Struct)
    assert [(m.name, m.base, m.offset_bits) for m in struct.members] == [
        ("", True, 0), ("", True, 128), ("x", False, 192), ("y", False, 224),
    ]  # fmt: skip
    base = struct.members[0].type
    assert str(base) == "struct geo::base"
    assert {f.signature for f in find_functions(dwarf, "geo::twice")} == {
        "int geo::twice(int a)",
        "double geo::twice(double a)",
    }
    assert [f.signature for f in find_functions(dwarf, "_ZN3geo5twiceEi")] == ["int geo::twice(int a)"]
    assert len(find_functions(dwarf, "twice")) == 2
    assert find_functions(dwarf, "oge::twice") == []
    assert str(find_struct(dwarf, "geo::other")) == "struct geo::other"


def test_declared_struct(cc: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "other.c").write_text("struct hidden { int a, b; } hidden;")
    source = (
        "struct hidden; extern struct hidden hidden; void *f(struct hidden *h) { return h; }\n"
        "int main(void) { return !f(&hidden); }"
    )
    dwarf = opened(cc(source, "-g", str(tmp_path / "other.c")))
    (function,) = find_functions(dwarf, "f")
    (h,) = function.parameters
    assert isinstance(h.type, Ptr)
    hidden = h.type.to
    assert isinstance(hidden, LazyStruct)
    assert (hidden.declared, hidden.size) == (True, 0)
    assert [m.name for m in hidden.members] == ["a", "b"]
    found = find_struct(dwarf, "hidden")
    assert found is not None
    assert found.size == 8


@pytest.mark.parametrize("version", [4, 5])
def test_split(cc: Callable[..., Path], tmp_path: Path, version: int) -> None:
    path = cc(SOURCE, f"-gdwarf-{version}", "-gsplit-dwarf", "-O2", f"-fdebug-prefix-map={tmp_path}=.")

    def open_split(name: str, folder: str) -> Elf | None:
        (file,) = tmp_path.glob("*.dwo")
        assert file.name == name.rpartition("/")[2]
        return Elf(file.read_bytes(), name)

    dwarf = opened(path, open_split=open_split)
    for name in ("walk", "rarely", "add_one"):
        (function,) = find_functions(dwarf, name)
        assert function.decl_file.endswith("target.c")
        assert function.parameters
    (walk,) = find_functions(dwarf, "walk")
    assert walk.entry is not None
    assert walk.signature.startswith("int walk(const node_t *first")
    assert walk.parameters[0].location(walk.entry) == InRegister(5)
    with pytest.raises(DwarfError, match=r"expected split debug file '.*\.dwo' of folder"):
        find_functions(opened(path), "walk")


@pytest.mark.needs("binutils")
def test_separate_and_stripped(cc: Callable[..., Path], tmp_path: Path) -> None:
    path, debug = cc(SOURCE, "-g", "-O2"), tmp_path / "debug"
    subprocess.run(["objcopy", "--only-keep-debug", path, debug], check=True)
    subprocess.run(["strip", path], check=True)
    dwarf = opened(debug, binary=Elf(path.read_bytes()))
    assert len(find_functions(dwarf, "walk")) == 1
    subprocess.run(
        ["objcopy", "--remove-section=.debug_aranges", "--strip-all", "--keep-section=.debug*", debug],
        check=True,
    )
    for everywhere in (False, True):
        assert [f.name for f in find_functions(opened(debug), "walk", everywhere=everywhere)] == ["walk"]
    assert not opened(path).is_present


def test_object_file_is_refused(cc: Callable[..., Path]) -> None:
    dwarf = opened(cc(SOURCE, "-g", "-c"))
    with pytest.raises(DwarfError, match="expected a linked file"):
        list(dwarf.iter_units())


def test_clone_whose_arguments_moved() -> None:
    """A concrete entry with other parameters than the abstract one, which the convention is of."""
    built = DwarfBuilder()
    names = ("first", "second", "third")
    declared = [Entry(TAG.FORMAL_PARAMETER, [(AT.NAME, FORM.STRING, name)]) for name in names]
    abstract = Entry(TAG.SUBPROGRAM, [(AT.NAME, FORM.STRING, "work"), (AT.INLINE, FORM.DATA1, 1)], declared)
    place = (AT.LOCATION, FORM.EXPRLOC, b"\x53")
    own = [Entry(TAG.FORMAL_PARAMETER, [(AT.ABSTRACT_ORIGIN, FORM.REF4, declared[i]), place]) for i in (1, 2)]
    code = [(AT.ABSTRACT_ORIGIN, FORM.REF4, abstract), (AT.LOW_PC, FORM.ADDR, 0x1000)]
    built.unit([abstract, Entry(TAG.SUBPROGRAM, [*code, (AT.HIGH_PC, FORM.DATA1, 9)], own)])
    (work,) = find_functions(Dwarf(built.elf()), "work")
    assert [p.name for p in work.parameters] == ["first", "second", "third"]
    assert [p.location(0x1000) for p in work.parameters] == [OPTIMISED_OUT, InRegister(3), InRegister(3)]
    at_entry = [p.location_at_entry(0x1000) for p in work.parameters]
    assert at_entry[0] == OPTIMISED_OUT
    assert isinstance(at_entry[1], Unsupported)
