"""Types → C text: what is written is read back as the same, here and by a compiler."""

from __future__ import annotations

import platform
import random
import subprocess
from pathlib import Path

import pytest

from builders.ctext import PREAMBLE, random_packs, random_struct
from probee.base.source import Source
from probee.btf.consts import Kind
from probee.btf.file import Btf
from probee.ctype.declare import parse_declarations, parse_type
from probee.ctype.layout import ABIS
from probee.ctype.render import iter_needed, render_declaration, render_definition
from probee.ctype.types import VOID, Array, CType, Enum, Func, Int, LazyStruct, Member, Ptr, Struct, Typedef

INT, CHAR = Int(4, True, "int"), Int(1, True, "char")
VMLINUX = Path("/sys/kernel/btf/vmlinux")


def shape(type: CType, seen: frozenset[tuple[str, str]] = frozenset()) -> object:
    """All that there is to a type, members of members included, in plain values."""
    if isinstance(type, Struct):
        key = type.kind, type.name
        if type.name and key in seen:
            return key
        inner = seen | {key}
        members = [(m.name, m.offset_bits, m.bit_size, shape(m.type, inner)) for m in type.members]
        return (*key, type.bytes, type.align, members)
    if isinstance(type, Ptr):
        return "ptr", type.space, shape(type.to, seen)
    if isinstance(type, Array):
        return "array", type.count, shape(type.of, seen)
    if isinstance(type, Typedef):
        return "typedef", type.name, type.align, shape(type.to, seen)
    if isinstance(type, Func):
        return shape(type.returns, seen), [(n, shape(t, seen)) for n, t in type.params], type.variadic
    return type


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (INT, "int x"),
        (Ptr(CHAR, "user"), "char __user *x"),
        (Ptr(Ptr(CHAR, "user"), "user"), "char __user *__user *x"),
        (Array(Ptr(INT), 3), "int *x[3]"),
        (Ptr(Array(Array(INT, 4), 3)), "int (*x)[3][4]"),
        (Func(VOID, ()), "void x(void)"),
        (Ptr(Func(INT, (("", Ptr(CHAR)),), True), "user"), "int (__user *x)(char *, ...)"),
        (
            Array(Ptr(Func(Ptr(Func(INT, ())), (("f", Ptr(Func(VOID, ()))),))), 2),
            "int (*(*x[2])(void (*f)(void)))(void)",
        ),
    ],
)
def test_declarators(type: CType, text: str) -> None:
    assert render_declaration(type, "x") == text
    assert parse_declarations(Source("t", text + ";")).variables.get("x", type) == type
    assert parse_type(Source("t", render_declaration(type))) == type


def test_a_definition_reads_well() -> None:
    text = (
        "struct s {\n"
        "\tstruct s *next;\n"
        "\tunion {\n"
        "\t\tlong int whole;\n"
        "\t\tint halves[2];\n"
        "\t};\n"
        "\tunsigned int a:3;\n"
        "\tchar b __attribute__((aligned(16)));\n"
        "\tenum {\n"
        "\t\tX = 0,\n"
        "\t\tY = -1,\n"
        "\t} e;\n"
        "};"
    )
    assert render_definition(parse_declarations(Source("t", text)).types["struct", "s"]) == text


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (Typedef("fn_t", Ptr(Func(INT, ()))), "typedef int (*fn_t)(void);"),
        (Typedef("odd_t", INT, 2), "typedef int odd_t __attribute__((aligned(2)));"),
        (Enum("e", 1, False, (("A", 1),)), "enum e {\n\tA = 1,\n} __attribute__((packed));"),
        (Enum("e", 8, False, (("A", 1),)), "enum e : unsigned long {\n\tA = 1,\n};"),
        (Enum("e", 8, False, (("A", 1 << 63),)), "enum e {\n\tA = 9223372036854775808ULL,\n};"),
        (Enum("e", 4, False, ()), "enum e;"),
        (LazyStruct("s", 0, "struct", tuple, declared=True), "struct s;"),
        (Struct("s", 0, ()), "struct s {\n};"),
        (Struct("s", 5, (Member("a", CHAR, 0), Member("b", INT, 8))), (
            "struct s {\n\tchar a;\n\tint b __attribute__((packed));\n};"
        )),
        (Struct("s", 64, (Member("a", INT, 480),)), None),
        (Struct("u", 8, (), "union"), None),
        (Struct("s", 8, (Member("a", INT, 3, 20), Member("b", INT, 30, 4))), None),
    ],
)  # fmt: skip
def test_definitions(type: CType, text: str | None) -> None:
    written = render_definition(type)
    assert text is None or written == text
    read = parse_declarations(Source("t", written))
    name = getattr(type, "name", "")
    kind = getattr(type, "kind", "typedef" if isinstance(type, Typedef) else "enum")
    found = read.types.get((kind, name))
    assert found is None or shape(found) == shape(type)


def test_members_that_c_cannot_place() -> None:
    with pytest.raises(ValueError, match="no declaration of C puts the members of struct s"):
        render_definition(Struct("s", 4, (Member("a", INT, 0), Member("b", INT, 0))))
    with pytest.raises(ValueError, match="can be defined"):
        render_definition(INT)


def test_types_come_after_those_they_need() -> None:
    text = """
    typedef int number_t; struct a { number_t n; }; typedef struct b b_t; struct c;
    struct b { struct a a; b_t *self; struct c *c; struct { enum e { E } e; } in; };
    """.replace("enum e { E } e", "int e")
    b = parse_declarations(Source("t", text)).types["struct", "b"]
    assert isinstance(b, Struct)
    to_b = b.members[1].type
    assert isinstance(to_b, Ptr)
    assert [str(t) for t in iter_needed([b])] == ["number_t", "struct a", "b_t", "struct b"]
    assert [str(t) for t in iter_needed([to_b.to])] == ["b_t", "number_t", "struct a", "struct b"]


@pytest.mark.parametrize("seed", range(2))
def test_what_is_written_is_read_back(seed: int) -> None:
    rng = random.Random(1000 + seed)
    text, names = PREAMBLE, list[str]()
    for n in range(150):
        names.append(f"{rng.choice(['struct', 'union'])} s{n}")
        text += random_packs(rng) + random_struct(rng, names[-1], names[-20:-1]) + ";\n"
    types = parse_declarations(Source("random", text)).types
    written = "\n".join(map(render_definition, iter_needed(types.values())))
    read = parse_declarations(Source("written", written)).types
    assert read.keys() == types.keys()
    for key, type in types.items():
        assert shape(read[key]) == shape(type)
        assert read[key] == type or key[0] == "typedef"


@pytest.mark.needs("btf", "cc")
def test_a_kernels_structs_compile_to_their_own_layout(tmp_path: Path) -> None:
    btf = Btf(VMLINUX.read_bytes(), str(VMLINUX))
    ids = [id for kind in (Kind.STRUCT, Kind.UNION) for id in btf.iter_kind(kind) if btf.name(id)]
    chosen: dict[tuple[str, str], Struct] = {}
    for id in random.Random(0).sample(ids, 300):
        type = btf.type(id)
        assert isinstance(type, Struct)
        chosen.setdefault((type.kind, type.name), type)
    lines = ["#define __user", *map(render_definition, iter_needed(chosen.values()))]
    for type in chosen.values():
        lines.append(f'_Static_assert(sizeof({type}) == {type.size}, "{type}");')
        for member in type.members:
            if member.name and not member.bit_size:
                place = f"__builtin_offsetof({type}, {member.name}) == {member.offset_bits // 8}"
                lines.append(f'_Static_assert({place}, "{type} {member.name}");')
    source = tmp_path / "kernel.c"
    source.write_text("\n".join(lines))
    command = ["cc", "-std=gnu11", "-w", "-fsyntax-only", str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[:3000]
    # And to our own reading of them.
    read = parse_declarations(Source("kernel.c", "\n".join(lines)), abi=ABIS[platform.machine()]).types
    for key, type in chosen.items():
        assert read[key] == type
