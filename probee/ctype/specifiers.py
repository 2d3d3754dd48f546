"""The words C types are made of: which words make which integer, and attributes (ISO C 6.7.2, GNU C 6.33)."""

from __future__ import annotations

from .layout import Abi
from .tokens import source_error
from .types import (
    BOOL,
    VOID,
    Array,
    CType,
    Float,
    Int,
    Typedef,
    strip_typedefs,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .tokens import Cursor, Token

STORAGE = frozenset(("typedef", "extern", "static", "register", "auto", "constexpr")) | frozenset(
    ("inline", "__inline", "__inline__", "_Noreturn", "_Thread_local", "__thread", "__extension__")
)
QUALIFIERS = frozenset(("const", "__const", "__const__", "_Atomic")) | frozenset(
    ("volatile", "__volatile", "__volatile__", "restrict", "__restrict", "__restrict__")
)
TAGS = frozenset(("struct", "union", "enum"))
_SPELLINGS = {"__signed": "signed", "__signed__": "signed", "bool": "_Bool", "__complex__": "_Complex"}
_WORDS = frozenset(
    ("void", "char", "short", "int", "long", "signed", "unsigned", "__int128", "_Bool")
) | frozenset(("float", "double", "_Complex", "_Float128", "__float128"))
WORDS = _WORDS | frozenset(_SPELLINGS)
ATTRIBUTES = frozenset(("__attribute__", "__attribute", "_Alignas", "alignas"))
TYPEOF = frozenset(("typeof", "__typeof__", "__typeof"))

# By the words in alphabetical order, "int" and "signed" left out where they say nothing. The names
# are those of gcc's debugging information, and so of a kernel's BTF.
_TYPES: dict[str, CType] = {
    "void": VOID,
    "_Bool": BOOL,
    "char signed": Int(1, True, "signed char"),
    "char unsigned": Int(1, False, "unsigned char"),
    "short": Int(2, True, "short int"),
    "short unsigned": Int(2, False, "short unsigned int"),
    "": Int(4, True, "int"),
    "unsigned": Int(4, False, "unsigned int"),
    "long": Int(8, True, "long int"),
    "long unsigned": Int(8, False, "long unsigned int"),
    "long long": Int(8, True, "long long int"),
    "long long unsigned": Int(8, False, "long long unsigned int"),
    "__int128": Int(16, True, "__int128"),
    "__int128 unsigned": Int(16, False, "__int128 unsigned"),
    "float": Float(4, "float"),
    "double": Float(8, "double"),
    "double long": Float(16, "long double"),
    "_Float128": Float(16, "_Float128"),
    "__float128": Float(16, "__float128"),
}


def type_of_words(words: list[str], abi: Abi) -> CType | None:
    """The type that words such as `unsigned long` make, in any order; None if they make none."""
    found = sorted(_SPELLINGS.get(word, word) for word in words)
    if found == ["char"]:
        return Int(1, abi.char_signed, "char")
    if "char" not in found and "signed" in found and "unsigned" not in found:
        found.remove("signed")
        found = found or ["int"]
    if len(found) > 1 and "int" in found:
        found.remove("int")
    return _TYPES.get("" if found == ["int"] else " ".join(found))


def well_known(name: str, abi: Abi) -> CType | None:
    """The type `name` of <stdint.h>, <stddef.h> or the kernel's types.h, for sources that include nothing."""
    if name == "__builtin_va_list":
        return Typedef(name, Array(Int(8, False), abi.va_list_words))
    words = _KNOWN.get(name)
    return None if words is None else Typedef(name, _TYPES[words])


def _known() -> dict[str, str]:
    """Words of the well-known types by name."""
    words = {8: "char", 16: "short", 32: "", 64: "long long"}
    known = dict.fromkeys(("size_t", "uintptr_t"), "long unsigned")
    known.update(dict.fromkeys(("ssize_t", "ptrdiff_t", "intptr_t", "off_t"), "long"))
    known.update(pid_t="", wchar_t="", uid_t="unsigned", gid_t="unsigned", bool="_Bool")
    for bits, word in words.items():
        is_signed, is_unsigned = f"{word} signed" if bits == 8 else word, f"{word} unsigned".strip()
        known.update(dict.fromkeys((f"s{bits}", f"__s{bits}"), is_signed))
        known.update(dict.fromkeys((f"u{bits}", f"__u{bits}"), is_unsigned))
        # <stdint.h> says `long` where the kernel says `long long`.
        known[f"int{bits}_t"] = "long" if bits == 64 else is_signed
        known[f"uint{bits}_t"] = "long unsigned" if bits == 64 else is_unsigned
        if bits > 8:
            known.update(dict.fromkeys((f"__be{bits}", f"__le{bits}"), is_unsigned))
    return known


_KNOWN = _known()

_MODES = {"QI": 1, "byte": 1, "HI": 2, "SI": 4, "DI": 8, "word": 8, "pointer": 8, "TI": 16}


class Attributes:
    """What attributes say that changes a type: all others are passed over."""

    __slots__ = ("packed", "alignment", "space", "mode")

    def __init__(self) -> None:
        self.packed, self.alignment, self.space, self.mode = False, 0, "", 0

    def copy(self) -> Attributes:
        """Attributes of the specifiers, to which those of one declarator are added."""
        copied = Attributes()
        copied.packed, copied.alignment = self.packed, self.alignment
        copied.space, copied.mode = self.space, self.mode
        return copied

    def parse(self, cursor: Cursor, constant: Callable[[], int]) -> None:
        """Pass all attributes at the cursor. `constant` parses an expression, or a type for its alignment."""
        while cursor.token.text in ATTRIBUTES:
            word = cursor.advance().text
            cursor.expect("(", f"after {word}")
            if word in ("_Alignas", "alignas"):
                self._align(cursor.token, constant())
                cursor.expect(")", f"to close {word}")
                continue
            cursor.expect("(", f"after {word}(")
            while not cursor.at(")"):
                self._one(cursor, constant)
                if not cursor.accept(","):
                    break
            cursor.expect(")", "to close the attributes")
            cursor.expect(")", "to close the attributes")

    def _one(self, cursor: Cursor, constant: Callable[[], int]) -> None:
        """attribute = [name ["(" arguments ")"]]"""
        if cursor.at(","):
            return
        name = cursor.advance().text.strip("_")
        if name == "packed":
            self.packed = True
        if not cursor.at("("):
            # Without a number it is the largest alignment any type of the CPU needs.
            self.alignment = max(self.alignment, 16) if name == "aligned" else self.alignment
        elif name == "aligned":
            cursor.advance()
            self._align(cursor.token, constant())
            cursor.expect(")", "to close the alignment")
        elif name in ("mode", "btf_type_tag"):
            cursor.advance()
            self._word(name, cursor.advance())
            cursor.expect(")", "to close the attribute")
        else:
            cursor.pass_balanced()

    def _align(self, at: Token, number: int) -> None:
        if number < 0 or number & (number - 1) or number > 1 << 28:
            raise source_error(at.span, f"expected an alignment that is a power of two, got {number}")
        self.alignment = max(self.alignment, number)

    def _word(self, name: str, token: Token) -> None:
        if name == "mode":
            self.mode = _MODES.get(token.text.strip("_"), 0)
        elif token.text.strip('"') in ("user", "kernel"):
            self.space = token.text.strip('"')


def moded(type: CType, size: int) -> CType:
    """The type of `size` bytes that `__attribute__((mode(…)))` makes of an integer."""
    bare = strip_typedefs(type)
    words = {1: "char", 2: "short", 4: "", 8: "long", 16: "__int128"}
    if not isinstance(bare, Int) or bare.bytes == size:
        return type
    sign = ("signed" if size == 1 else "") if bare.signed else "unsigned"
    return _TYPES[f"{words[size]} {sign}".strip()]
