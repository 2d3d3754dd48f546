"""Names of D: the D ABI, "Name Mangling" (https://dlang.org/spec/abi.html#name_mangling).

A parser that goes down the grammar; each method is named for the rule it reads and gives its text, written as
binutils writes it. Of a function its parameters are told, neither what it gives back nor its attributes.
Promises: depth, work and output are bounded; what is no name of this mangling gives None.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_DEPTH = 100
_MOST_WORK = 1 << 14
"""Rules that are read, back references again and again."""

_MOST_OUTPUT = 1 << 14

_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_BACK = re.compile(r"Q([A-Z]{0,5})([a-z])")
_HEX_FLOAT = re.compile(r"(NAN|NINF|INF)|(N?)([0-9A-F])([0-9A-F]*)P(N?)(\d+)", re.ASCII)
_LOCAL = re.compile(r"__S\d+", re.ASCII)

_BASIC = {
    "v": "void", "g": "byte", "h": "ubyte", "s": "short", "t": "ushort", "i": "int", "k": "uint",
    "l": "long", "m": "ulong", "f": "float", "d": "double", "e": "real", "o": "ifloat", "p": "idouble",
    "j": "ireal", "q": "cfloat", "r": "cdouble", "c": "creal", "b": "bool", "a": "char", "u": "wchar",
    "w": "dchar", "n": "typeof(null)", "zi": "cent", "zk": "ucent", "Nn": "typeof(*null)",
}  # fmt: skip
_MODIFIERS = {"O": "shared", "Ng": "inout", "x": "const", "y": "immutable"}
_CONVENTIONS = {
    "F": "",
    "U": "extern(C) ",
    "W": "extern(Windows) ",
    "R": "extern(C++) ",
    "Y": "extern(Objective-C) ",
}
_ATTRIBUTES = {
    "Na": "pure", "Nb": "nothrow", "Nc": "ref", "Nd": "@property", "Ne": "@trusted", "Nf": "@safe",
    "Ni": "@nogc", "Nj": "return", "Nl": "scope", "Nm": "@live",
}  # fmt: skip
_STORAGE = {"M": "scope", "Nk": "return", "I": "in", "J": "out", "K": "ref", "L": "lazy"}
_NAMED = "CSETI"
"""Class, struct, enum, typedef, identifier: their names say it."""

_OF_TYPES = {"__init": "initializer", "__vtbl": "vtable", "__Class": "ClassInfo"}
_OF = _OF_TYPES | {"__Interface": "Interface", "__ModuleInfo": "ModuleInfo"}
"""What compilers make of types and modules: their own name stands before them."""

_METHODS = {"__ctor": "this", "__dtor": "~this"}
_SUFFIXES = {"h": "u", "t": "u", "k": "u", "l": "L", "m": "uL"}
_CHARACTERS = {"u": "\\u{:04x}", "w": "\\U{:08x}"}
_ESCAPES = {"09": "\\t", "0a": "\\n", "0b": "\\v", "0c": "\\f", "0d": "\\r"}
_INFINITIES = {"NAN": "NaN", "INF": "Inf", "NINF": "-Inf"}


class _Invalid(Exception):
    """The text is not a name of this mangling, or too deep a one."""


def demangle(name: str) -> str | None:
    """What `name` stands for; None when it is not of this mangling, or demands too much.

    What a later pass of the compiler put behind it (`.cold`) stays.
    """
    if name == "_Dmain":
        return "D main"
    if not name.startswith("_D"):
        return None
    base, dot, suffix = name.partition(".")
    # Lengths count bytes.
    text = base.encode("utf-8", "surrogateescape").decode("latin-1")
    parser = _Parser(text)
    try:
        found = parser.mangled_name()
    except (_Invalid, RecursionError):  # the caller may have left little of the stack
        return None
    if parser.at < len(text):
        return None
    return found.encode("latin-1").decode("utf-8", "surrogateescape") + dot + suffix


class _Parser:
    """A cursor over the whole name, which back references count from."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self._depth = self._work = self._size = 0
        self._before = len(text)  # back references are followed from there on down only

    # Reading

    def _starts(self, word: str) -> bool:
        return self.text.startswith(word, self.at)

    def _take(self, word: str) -> bool:
        if not self._starts(word):
            return False
        self.at += len(word)
        return True

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _key(self, table: dict[str, str]) -> str | None:
        """The key of `table` that comes next, which is taken: it has one letter, or two with an N or z."""
        size = 2 if self._peek() in ("N", "z") else 1
        key = self.text[self.at : self.at + size]
        if key not in table:
            return None
        self.at += len(key)
        return key

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Invalid
        self.at = found.end()
        return found

    def _number(self) -> int:
        return int(self._match(_NUMBER)[0])

    def _spend(self, text: str) -> str:
        """Count work, and what it came to."""
        self._work += 1
        self._size += len(text)
        if self._work > _MOST_WORK or self._size > 8 * _MOST_OUTPUT or len(text) > _MOST_OUTPUT:
            raise _Invalid
        return text

    def _nested(self, rule: Callable[[], str]) -> str:
        """What a rule that may contain itself gives."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise _Invalid
        text = self._spend(rule())
        self._depth -= 1
        return text

    def _attempt(self, rule: Callable[[], str]) -> str | None:
        """What a rule gives; None, and nothing read, where it does not fit."""
        start, depth = self.at, self._depth
        try:
            return rule()
        except _Invalid:
            if self._work > _MOST_WORK:
                raise
            self.at, self._depth = start, depth
            self._spend("")
            return None

    def _backward(self, rule: Callable[[], str]) -> str:
        """What `rule` gives where the back reference at hand leads."""
        here = self.at
        if here >= self._before:
            raise _Invalid  # it would come round
        target = self._find_target()
        found = self._match(_BACK)
        after, before = self.at, self._before
        assert found is not None
        self.at, self._before = target, here
        text = self._nested(rule)
        self.at, self._before = after, before
        return text

    def _find_target(self) -> int:
        """Where the back reference at hand leads."""
        found = _BACK.match(self.text, self.at)
        if found is None:
            raise _Invalid
        number = 0
        for letter in found[1]:
            number = number * 26 + ord(letter) - ord("A")
        number = number * 26 + ord(found[2]) - ord("a")
        target = self.at - number
        if not number or target < 2:
            raise _Invalid
        return target

    # Names

    def mangled_name(self) -> str:
        if not self._take("_D"):
            raise _Invalid
        text = self.qualified_name(is_whole=True)
        if not self._take("Z"):  # what the compiler makes has no type
            self.type()
        return text

    def qualified_name(self, *, is_whole: bool = False) -> str:
        return self._nested(lambda: self._qualified_name(is_whole))

    def _qualified_name(self, is_whole: bool) -> str:
        """`is_whole`: it is that of a symbol, whose modifiers are told."""
        parts: list[str] = []
        of = ""
        first = True
        while first or self._at_symbol():
            first = False
            if self._take("0"):
                continue  # anonymous
            made = self._made_by_compiler()
            if made:
                of = f"{made} for "
                break
            part = self.symbol_name(parts)
            call = self._attempt(lambda: self._call(is_whole)) if part else None
            if part or call:
                parts.append(part + (call or ""))
        if not parts:
            raise _Invalid
        return of + ".".join(parts)

    def _at_symbol(self) -> bool:
        letter = self._peek()
        if letter == "Q":
            back = _BACK.match(self.text, self.at)
            return back is not None and self.text[self._find_target()].isdigit()
        return letter.isdigit() or self._starts("__T") or self._starts("__U")

    def _made_by_compiler(self) -> str:
        """What comes next, when it is the last name of something that the compiler makes of a type."""
        for name, text in _OF.items():
            word = f"{len(name)}{name}Z"
            if self._starts(word):
                self.at += len(word) - 1
                return text
        return ""

    def symbol_name(self, parents: list[str]) -> str:
        if self._peek() == "Q":
            return self._backward(self._l_name)
        if self._starts("__T") or self._starts("__U"):
            return self._nested(self.template_instance_name)
        return self._l_name(parents)

    def _l_name(self, parents: list[str] | None = None) -> str:
        size = self._number()
        end = self.at + size
        name = self.text[self.at : end]
        if not size or len(name) < size:
            raise _Invalid
        if name.startswith(("__T", "__U")):
            # Compilers before 2.077 gave their length, too.
            start = self.at
            text = self._attempt(lambda: self._nested(self.template_instance_name))
            if text is not None and self.at == end:
                return text
            self.at = start
            if name[3:4].isdigit():
                raise _Invalid  # nobody calls anything so
        self.at = end
        if size >= 4 and _LOCAL.fullmatch(name):
            return ""  # tells apart what has the same name in one function
        if not parents:
            return self._spend(name)
        if name == "__postblit" and self._take("MFZ"):
            return "this(this)"
        return self._spend(_METHODS.get(name, name))

    def _call(self, is_whole: bool) -> str:
        """The parameters of a function that is part of a name, where something follows it."""
        modifiers = []
        if self._take("M"):
            while key := self._key(_MODIFIERS):
                modifiers.append(f" {_MODIFIERS[key]}")
        _, parameters, _ = self.function_without_result()
        if self.at >= len(self.text):
            raise _Invalid
        return f"({parameters})" + ("".join(modifiers) if is_whole else "")

    # Templates

    def template_instance_name(self) -> str:
        self.at += len("__T")
        name = self._backward(self._l_name) if self._peek() == "Q" else self._l_name()
        args = []
        while not self._take("Z"):
            self._take("H")
            args.append(self._nested(self.template_argument))
        return f"{name}!({', '.join(args)})"

    def template_argument(self) -> str:
        if self._take("T"):
            return self.type()
        if self._take("V"):
            kind = self._type_letter()
            name = self.type()
            return self.value(kind, name)
        if self._take("S"):
            return self._symbol_argument()
        if self._take("X"):
            size = self._number()
            text = self.text[self.at : self.at + size]
            if len(text) < size:
                raise _Invalid
            self.at += size
            return text
        raise _Invalid

    def _symbol_argument(self) -> str:
        if self._starts("_D"):
            return self._nested(self.mangled_name)
        start = self.at
        text = self._attempt(self.qualified_name)
        if text is not None and self._peek() in tuple("ZHTVSX"):
            return text
        # Compilers before 2.077 gave the length of the name.
        self.at = start
        size = self._number()
        end = self.at + size
        text = self._nested(self.mangled_name) if self._starts("_D") else self.qualified_name()
        if self.at != end:
            raise _Invalid
        return text

    def _type_letter(self) -> str:
        """The letter of the type at hand, by which its values are written."""
        at, before = self.at, self._before
        while self.text[at : at + 1] == "Q" and at < before:
            self.at, here = at, self.at
            at, before = self._find_target(), at
            self.at = here
        return self.text[at : at + 1]

    def value(self, kind: str, type: str = "") -> str:
        """A value of the type that begins with `kind`, and is called `type`."""
        return self._nested(lambda: self._value(kind, type))

    def _value(self, kind: str, type: str) -> str:
        if self._take("n"):
            return "null"
        if self._take("N"):
            return self._integer(kind, "-")
        if self._take("i"):
            return self._integer(kind, "")
        if self._peek().isdigit():
            return self._integer(kind, "")  # before 2.067
        if self._take("e"):
            return self._hex_float()
        if self._take("c"):
            real = self._hex_float()
            if not self._take("c"):
                raise _Invalid
            return f"{real}+{self._hex_float()}i"
        if self._take("A"):
            return self._array(kind)
        if self._take("S"):
            return f"{type}({', '.join([self.value('') for _ in range(self._count())])})"
        if self._take("f"):
            return self.mangled_name()
        return self._string()

    def _count(self) -> int:
        count = self._number()
        if count > len(self.text):
            raise _Invalid
        return count

    def _array(self, kind: str) -> str:
        count = self._count()
        if kind != "H":
            return f"[{', '.join([self.value('') for _ in range(count)])}]"
        pairs = []
        for _ in range(count):
            key = self.value("")
            pairs.append(f"{key}:{self.value('')}")
        return f"[{', '.join(pairs)}]"

    def _integer(self, kind: str, sign: str) -> str:
        digits = self._match(re.compile(r"\d{1,40}", re.ASCII))[0]
        if kind == "b":
            return "true" if int(digits) else "false"
        if kind == "a" and int(digits) < 256:
            character = chr(int(digits))
            shown = character if " " <= character <= "~" else f"\\x{int(digits):02x}"
            return f"'{shown}'"
        if kind in _CHARACTERS:
            return f"'{_CHARACTERS[kind].format(int(digits))}'"
        return sign + digits + _SUFFIXES.get(kind, "")

    def _hex_float(self) -> str:
        special, sign, first, rest, minus, exponent = self._match(_HEX_FLOAT).groups()
        if special:
            return _INFINITIES[special]
        return f"{'-' if sign else ''}0x{first}.{rest}p{'-' if minus else ''}{exponent}"

    def _string(self) -> str:
        width = self._peek()
        if width not in ("a", "w", "d"):
            raise _Invalid
        self.at += 1
        size = self._number()
        digits = self.text[self.at + 1 : self.at + 1 + 2 * size]
        if not self._take("_") or len(digits) < 2 * size or not re.fullmatch("[0-9a-fA-F]*", digits):
            raise _Invalid
        self.at += len(digits)
        text = "".join([_character(digits[at : at + 2]) for at in range(0, len(digits), 2)])
        return f'"{text}"{"" if width == "a" else width}'

    # Types

    def type(self) -> str:
        return self._nested(self._type)

    def _type(self) -> str:
        if self._peek() == "Q":
            return self._backward(self._letter_type)
        return self._letter_type()

    def _letter_type(self) -> str:
        if (key := self._key(_MODIFIERS)) is not None:
            return f"{_MODIFIERS[key]}({self.type()})"
        if (key := self._key(_BASIC)) is not None:
            return _BASIC[key]
        if self._take("Nh"):
            return f"__vector({self.type()})"
        letter = self._peek()
        rule = _TYPES.get(letter)
        if rule is not None:
            self.at += 1
            return rule(self)
        if letter in _CONVENTIONS:
            return self.function("function")
        raise _Invalid

    def array(self) -> str:
        return f"{self.type()}[]"

    def static_array(self) -> str:
        size = self._match(re.compile(r"\d{1,20}", re.ASCII))[0]
        return f"{self.type()}[{size}]"

    def assoc_array(self) -> str:
        key = self.type()
        return f"{self.type()}[{key}]"

    def pointer(self) -> str:
        if self._peek() in _CONVENTIONS:
            return self.function("function")
        return f"{self.type()}*"

    def delegate(self) -> str:
        modifiers = ""
        while key := self._key(_MODIFIERS):
            modifiers += f" {_MODIFIERS[key]}"
        if self._peek() == "Q":
            return self._backward(lambda: self.function("delegate")) + modifiers
        return self.function("delegate") + modifiers

    def type_tuple(self) -> str:
        if not self._peek().isdigit():
            return f"Tuple!({self._parameters(('Z',))})"
        return f"Tuple!({', '.join([self.type() for _ in range(self._count())])})"

    def function(self, kind: str) -> str:
        convention, parameters, attributes = self.function_without_result()
        result = self.type()
        return f"{convention}{result}({parameters}) {attributes}{kind}"

    def function_without_result(self) -> tuple[str, str, str]:
        """Calling convention, parameters and attributes as they are written, each with a space behind."""
        letter = self._peek()
        if letter not in _CONVENTIONS:
            raise _Invalid
        self.at += 1
        attributes = ""
        while key := self._key(_ATTRIBUTES):
            attributes += f"{_ATTRIBUTES[key]} "
        return _CONVENTIONS[letter], self._parameters(("X", "Y", "Z")), attributes

    def _parameters(self, ends: tuple[str, ...]) -> str:
        texts: list[str] = []
        while self._peek() not in ends:
            texts.append(self._nested(self.parameter))
        end = self._peek()
        self.at += 1
        if end == "Y":
            texts.append("...")
        return ", ".join(texts) + ("..." if end == "X" else "")

    def parameter(self) -> str:
        storage = ""
        while key := self._key(_STORAGE):
            storage += f"{_STORAGE[key]} "
        return storage + self.type()


def _character(digits: str) -> str:
    """A byte of a string literal."""
    character = chr(int(digits, 16))
    return _ESCAPES.get(digits.lower()) or (character if " " <= character <= "~" else f"\\x{digits}")


_TYPES: dict[str, Callable[[_Parser], str]] = {
    "A": _Parser.array,
    "G": _Parser.static_array,
    "H": _Parser.assoc_array,
    "P": _Parser.pointer,
    "D": _Parser.delegate,
    "B": _Parser.type_tuple,
    **{letter: lambda parser: parser.qualified_name() for letter in _NAMED},
}
