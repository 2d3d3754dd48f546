"""Random C structs as text: what layout and rendering are tested with against a compiler."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_INTEGERS = (
    "char",
    "signed char",
    "short",
    "unsigned short",
    "int",
    "unsigned",
    "long",
    "unsigned long long",
    "_Bool",
)
_OTHERS = (
    "void *",
    "float",
    "double",
    "__int128",
    "long double",
    "enum small",
    "enum large",
    "wide_t",
    "low_t",
)
PREAMBLE = """
enum small { SMALL_A, SMALL_B };
enum large { LARGE_A, LARGE_B = 1ULL << 40 };
typedef int wide_t __attribute__((aligned(32)));
typedef long low_t __attribute__((aligned(2)));
"""


def random_struct(rng: random.Random, name: str, others: list[str]) -> str:
    """The definition of `name` ("struct s1"), which may hold any of `others`, without a `;` at the end."""
    lines = ["{"]
    for n in range(rng.randint(0, 8)):
        lines.append(_member(rng, f"m{n}", others))
    attributes = _attributes(rng, ("packed",) * 2 + ("aligned(4)", "aligned(16)", "aligned(64)"), 0.35)
    return f"{name} {' '.join(lines)} }}{attributes}"


def random_packs(rng: random.Random) -> str:
    """A line before a struct: sometimes #pragma pack."""
    return f"#pragma pack({rng.choice([1, 2, 4, 8])})\n" if rng.random() < 0.15 else "#pragma pack()\n"


def _member(rng: random.Random, name: str, others: list[str]) -> str:
    kind = rng.random()
    if kind < 0.4:
        type = rng.choice((*_INTEGERS, "enum small"))
        most = {"char": 8, "signed char": 8, "short": 16, "unsigned short": 16, "long": 64, "_Bool": 1}
        width = rng.randint(1, most.get(type, 64 if "long" in type else 32))
        unnamed = rng.random()
        if unnamed < 0.15:
            return f"{type} : {0 if unnamed < 0.07 else width};"
        return f"{type} {name} : {width}{_attributes(rng, ('packed', 'aligned(4)', 'aligned(8)'), 0.1)};"
    if kind < 0.5:
        inner = " ".join(_member(rng, f"{name}_{n}", others) for n in range(rng.randint(1, 3)))
        packed = _attributes(rng, ("packed", "aligned(8)"), 0.2)
        return f"{rng.choice(['struct', 'union'])} {{ {inner} }}{packed};"
    type = rng.choice((*_INTEGERS, *_OTHERS, *others))
    length = f"[{rng.randint(0, 3)}]" if rng.random() < 0.3 and type != "wide_t" and type != "low_t" else ""
    return f"{type} {name}{length}{_attributes(rng, ('packed', 'aligned(2)', 'aligned(16)'), 0.15)};"


def _attributes(rng: random.Random, choices: tuple[str, ...], chance: float) -> str:
    if rng.random() >= chance:
        return ""
    # Of two alignments of one struct gcc takes the last and clang the larger: nobody writes that.
    chosen = [rng.choice(choices), *["packed"] * (rng.random() < 0.3)]
    return f" __attribute__(({', '.join(chosen)}))"


def place_program(preamble: str, structs: dict[str, list[tuple[str, bool]]]) -> str:
    """A program that prints "name size align" of every struct, then "path first_bit bits" of its members.

    `structs` has for each the paths of its members, and whether they are bit-fields.
    """
    lines = [
        "#include <stddef.h>",
        "#include <stdio.h>",
        "#include <string.h>",
        preamble,
        _BITS,
        "int main(void) {",
    ]
    for name, members in structs.items():
        lines.append(f'printf("{name} %zu %zu\\n", sizeof({name}), _Alignof({name}));')
        for path, is_bits in members:
            if is_bits:
                lines.append(f"{{ {name} x; memset(&x, 0, sizeof x); x.{path} = -1; bits(&x, sizeof x); }}")
            else:
                lines.append(f'printf("%zu %zu\\n", 8 * offsetof({name}, {path}), (size_t)0);')
    return "\n".join([*lines, "return 0; }"])


_BITS = """
static void bits(const void *at, size_t size) {
    size_t first = 0, count = 0;
    for (size_t n = 0; n < 8 * size; n++)
        if (((const unsigned char *)at)[n / 8] >> n % 8 & 1) { if (!count) first = n; count++; }
    printf("%zu %zu\\n", first, count);
}
"""
