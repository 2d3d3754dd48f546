"""The grammar of type names, and which bare names are types and which are values."""

from __future__ import annotations

from . import tree
from .lexer import KEYWORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .lexer import Tokens

# Names that are never a type: `(cpu) * 2` multiplies, where `(foo) * 2` casts `*2` to a `foo`.
_BUILTINS = """
args ctx kstack ustack nsecs pid tid cgroup comm cpid cpu curtask elapsed func gid uid jiffies ncpus
numaid ppid pcomm probe probetype rand retval uaddr usermode username dw_ustack
__builtin_arch __builtin_comm __builtin_config __builtin_cpid __builtin_cpu __builtin_dw_ustack
__builtin_elapsed __builtin_func __builtin_ncpus __builtin_probe __builtin_probetype __builtin_retval
__builtin_safe_mode __builtin_uaddr __builtin_usermode
"""
BUILTINS = frozenset((*_BUILTINS.split(), *(f"arg{n}" for n in range(32))))

_OWN = frozenset(
    ["args", "ctx", "kstack", "nsecs", "pid", "tid", "ustack"]
    + [
        name
        for name in BUILTINS
        if name.startswith("__builtin_") or (name[:3] == "arg" and name[3:].isdigit())
    ]
)


def is_own(name: str) -> bool:
    """True for a builtin that is no macro of the library: nothing else may have its name."""
    return name in _OWN


# Types with a name of their own; any other bare name in `typeof(name)` may be a typedef or a value.
_TYPES = """
void bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 string buffer inet
kstack_t ustack_t ksym_t usym_t timestamp macaddr_t cgroup_path_t username_t
count_t sum_t min_t max_t avg_t stats_t hist_t lhist_t tseries_t
"""
TYPES = frozenset(_TYPES.split())

# Types whose first bracket is a length of their own and not an array's.
_SIZED = frozenset(("string", "buffer", "inet"))

_TAGS = frozenset(("struct", "union", "enum"))

# What an operand of a cast begins with; not `[` or `+`, and no operator that takes two only.
_OPERANDS = (
    frozenset(("name", "variable", "map", "parameter", "integer", "string", "++", "--"))
    | frozenset("(-!~*&")
    | KEYWORDS
)


def at_cast(p: Tokens) -> bool:
    """Whether the token after a `(` begins the type of a cast, which an operand follows."""
    start = p.start
    found = p.kind == "typeof" or (_pass_type(p) is not None and p.accept(")") and p.kind in _OPERANDS)
    p.seek(start)
    return found


def at_type_argument(p: Tokens) -> bool:
    """Whether the token at hand begins a whole argument that is a type for sure."""
    start = p.start
    found = p.kind == "typeof" or (_pass_type(p) is True and p.kind in (")", ","))
    p.seek(start)
    return found


def _pass_type(p: Tokens) -> bool | None:
    """Pass what looks like a type: None if it doesn't, True if it is one for sure."""
    sure = p.kind in _TAGS
    if sure:
        p.advance()
    if p.kind != "name" or (not sure and p.word in BUILTINS):
        return None
    sure = sure or p.word in TYPES
    p.advance()
    while p.kind == "*" or p.kind == "[":
        sure = True
        if p.kind == "[":
            p.advance()
            p.accept("integer")
            if p.kind != "]":
                return None
        p.advance()
    return sure


def plain_type(p: Tokens) -> tree.TypeName:
    """plain_type = [("struct" | "union" | "enum")] name {"*" | "[" [integer] "]"}"""
    start = p.start
    tag = ""
    if p.kind in _TAGS:
        tag = p.kind + " "
        p.advance()
    if p.kind != "name":
        raise p.unexpected("a type's name")
    base = tag + p.word
    p.advance()
    return suffixed(p, start, base, None)


def suffixed(p: Tokens, start: int, base: str, of: tree.Expr | tree.TypeName | None) -> tree.TypeName:
    """suffixed = {"*" | "[" [integer] "]"}, after a name `base` or `of`, the argument of a typeof.

    Stars after brackets (a pointer to an array) wrap what stands before them in a typeof.
    """
    pointers, length, dims = 0, None, list[int]()
    count = 0
    while p.kind == "*" or p.kind == "[":
        count += 1
        p.check_chain(count)
        if p.kind == "[":
            number = _bracket(p)
            if base in _SIZED and not pointers and not dims and length is None:
                length = number
            else:
                dims.append(number)
            continue
        if dims:
            of = tree.TypeName(p.span(start), base, pointers, tuple(dims), length, of)
            base, pointers, length, dims = "", 0, None, []
        p.advance()
        pointers += 1
    return tree.TypeName(p.span(start), base, pointers, tuple(dims), length, of)


def _bracket(p: Tokens) -> int:
    """Number between brackets, 0 if there is none."""
    p.advance()
    number = 0
    if p.kind == "integer":
        number = p.integer_value()[0]
    p.expect("]", "to close an array's length")
    return number
