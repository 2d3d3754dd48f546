"""Rust's mangling since 2020, "v0": RFC 2603, and the rustc book, "v0 Symbol Format".

A parser that goes down the grammar and writes as it goes; each method is named for the rule it reads. Hashes
of crates are left out. Promises: depth, and with it the length of back references, is bounded, and so is the
output; what is no name of this mangling gives None.
"""

from __future__ import annotations

import re

from .rust_legacy import drop_llvm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_DEPTH = 120
_MOST_OUTPUT = 1 << 14
_LONGEST_PUNYCODE = 1 << 12
"""Bytes; the work is quadratic."""

_SYMBOL = re.compile(r"_R(\d*)([A-Z][\w]*)((?:[.$].*)?)$", re.ASCII)
_BASE_62 = re.compile(r"([0-9a-zA-Z]{0,12})_")
_DECIMAL = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)
_HEX = re.compile(r"(n?)(0|[1-9a-f][0-9a-f]*|)_")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

_BASIC = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize",
    "j": "usize", "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16",
    "u": "()", "v": "...", "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip
_SIGNED, _UNSIGNED = "aslxni", "htmyoj"
_SPECIAL = {"C": "closure", "S": "shim"}
_ESCAPES = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "\\": "\\\\"}


class _Invalid(Exception):
    """The text is not a name of this mangling, or too deep a one."""


def demangle(name: str) -> str | None:
    """What `name` stands for; None when it is not of this mangling, or demands too much."""
    found = _SYMBOL.match(name)
    if found is None or found[1]:  # a number would be that of a later encoding
        return None
    printer = _Printer(found[2])
    try:
        printer.path(in_value=True)
        if printer.at < len(printer.text):
            printer.skip_path()
    except (_Invalid, RecursionError):  # the caller may have left little of the stack
        return None
    if printer.at < len(printer.text):
        return None
    return "".join(printer.out) + drop_llvm(found[3])


class _Printer:
    """A cursor over the text past `_R`, which offsets of back references count from."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.out: list[str] = []
        self._size = self._depth = self._bound = self._silent = 0

    # Reading

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, letter: str) -> bool:
        if not self.text.startswith(letter, self.at):
            return False
        self.at += 1
        return True

    def _next(self) -> str:
        letter = self._peek()
        if not letter:
            raise _Invalid
        self.at += 1
        return letter

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Invalid
        self.at = found.end()
        return found

    def _base_62(self) -> int:
        digits = self._match(_BASE_62)[1]
        value = 0
        for digit in digits:
            value = value * 62 + _DIGITS.index(digit)
        return value + 1 if digits else 0

    def _optional(self, letter: str) -> int:
        """The number behind `letter`, from 1 on; 0 where that letter isn't next."""
        return self._base_62() + 1 if self._take(letter) else 0

    def identifier(self) -> tuple[int, str]:
        """Disambiguator and name."""
        return self._optional("s"), self.undisambiguated_identifier()

    def undisambiguated_identifier(self) -> str:
        is_punycode = self._take("u")
        size = int(self._match(_DECIMAL)[0])
        self._take("_")
        name = self.text[self.at : self.at + size]
        if len(name) != size:
            raise _Invalid
        self.at += size
        return _decode_punycode(name) if is_punycode else name

    # Writing

    def _print(self, text: str) -> None:
        if not self._silent:
            self._size += len(text)
            if self._size > _MOST_OUTPUT:
                raise _Invalid
            self.out.append(text)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise _Invalid

    def _backref(self, rule: Callable[[], object]) -> None:
        start = self.at - 1
        target = self._base_62()
        if target >= start:
            raise _Invalid
        # What isn't printed needn't be followed: the text there was checked when it was first read.
        if not self._silent:
            after, self.at = self.at, target
            rule()
            self.at = after

    def _list(self, rule: Callable[[], object], separator: str = ", ") -> int:
        """Items up to an E; how many there were."""
        count = 0
        while not self._take("E"):
            if count:
                self._print(separator)
            rule()
            count += 1
        return count

    # Paths

    def skip_path(self) -> None:
        self._silent += 1
        self.path()
        self._silent -= 1

    def path(self, in_value: bool = False) -> None:
        self._enter()
        kind = self._next()
        if kind == "C":
            self._print(self.identifier()[1])
        elif kind == "N":
            self._nested_path(in_value)
        elif kind in ("M", "X"):
            self._optional("s")
            self.skip_path()
            self._impl(with_trait=kind == "X")
        elif kind == "Y":
            self._impl(with_trait=True)
        elif kind == "I":
            self.path(in_value)
            self._print("::<" if in_value else "<")
            self._list(self.generic_arg)
            self._print(">")
        elif kind == "B":
            self._backref(lambda: self.path(in_value))
        else:
            raise _Invalid
        self._depth -= 1

    def _nested_path(self, in_value: bool) -> None:
        namespace = self._next()
        if not namespace.isalpha():
            raise _Invalid
        self.path(in_value)
        number, name = self.identifier()
        if namespace.isupper():
            kind = _SPECIAL.get(namespace, namespace)
            self._print(f"::{{{kind}{':' if name else ''}{name}#{number}}}")
        elif name:
            self._print(f"::{name}")

    def _impl(self, with_trait: bool) -> None:
        self._print("<")
        self.type()
        if with_trait:
            self._print(" as ")
            self.path()
        self._print(">")

    def generic_arg(self) -> None:
        if self._take("L"):
            self._lifetime(self._base_62())
        elif self._take("K"):
            self.const(in_value=False)
        else:
            self.type()

    # Lifetimes

    def _lifetime(self, index: int) -> None:
        """Print the lifetime that `index` counts outwards from the innermost binder; 0 is an erased one."""
        if not index:
            self._print("'_")
            return
        depth = self._bound - index
        if depth < 0:
            raise _Invalid
        self._print(f"'{chr(ord('a') + depth)}" if depth < 26 else f"'_{depth}")

    def _in_binder(self, rule: Callable[[], object]) -> None:
        count = self._optional("G")
        if count > _MOST_DEPTH:
            raise _Invalid
        if count:
            self._print("for<")
            for number in range(count):
                self._bound += 1
                self._print(", " if number else "")
                self._lifetime(1)
            self._print("> ")
        rule()
        self._bound -= count

    # Types

    def type(self) -> None:
        kind = self._next()
        if kind in _BASIC:
            self._print(_BASIC[kind])
            return
        rule = _TYPES.get(kind)
        if rule is None:
            self.at -= 1
            self.path()
            return
        self._enter()
        rule(self)
        self._depth -= 1

    def _reference(self, keyword: str) -> None:
        self._print("&")
        if self._take("L"):
            index = self._base_62()
            if index:
                self._lifetime(index)
                self._print(" ")
        self._print(keyword)
        self.type()

    def _pointer(self, keyword: str) -> None:
        self._print(keyword)
        self.type()

    def _array(self) -> None:
        self._print("[")
        self.type()
        self._print("; ")
        self.const(in_value=True)
        self._print("]")

    def _slice(self) -> None:
        self._print("[")
        self.type()
        self._print("]")

    def _tuple(self) -> None:
        self._print("(")
        count = self._list(self.type)
        self._print(",)" if count == 1 else ")")

    def _fn_sig(self) -> None:
        if self._take("U"):
            self._print("unsafe ")
        if self._take("K"):
            abi = "C" if self._take("C") else self.undisambiguated_identifier().replace("_", "-")
            self._print(f'extern "{abi}" ')
        self._print("fn(")
        self._list(self.type)
        self._print(")")
        if not self._take("u"):
            self._print(" -> ")
            self.type()

    def _dyn(self) -> None:
        self._print("dyn ")
        self._in_binder(lambda: self._list(self._dyn_trait, " + "))
        if not self._take("L"):
            raise _Invalid
        index = self._base_62()
        if index:
            self._print(" + ")
            self._lifetime(index)

    def _dyn_trait(self) -> None:
        is_open = self._open_path()
        while self._take("p"):
            self._print(", " if is_open else "<")
            is_open = True
            self._print(f"{self.undisambiguated_identifier()} = ")
            self.type()
        if is_open:
            self._print(">")

    def _open_path(self) -> bool:
        """A path whose generic arguments, if it has some, are left open; whether it has."""
        self._enter()
        opened = [self._peek() == "I"]
        if self._take("B"):
            self._backref(lambda: opened.append(self._open_path()))
        elif self._take("I"):
            self.path()
            self._print("<")
            self._list(self.generic_arg)
        else:
            self.path()
        self._depth -= 1
        return opened[-1]

    # Constants

    def const(self, in_value: bool) -> None:
        self._enter()
        kind = self._next()
        if kind == "p":
            self._print("_")
        elif kind in _SIGNED or kind in _UNSIGNED:
            self._number(signed=kind in _SIGNED)
        elif kind == "b":
            self._print(_look_up({"0": "false", "1": "true"}, self._hex()[1]))
        elif kind == "c":
            self._print(_quote(_character(int(self._hex()[1] or "0", 16)), "'"))
        elif kind == "B":
            self._backref(lambda: self.const(in_value))
        else:
            self._compound(kind, in_value)
        self._depth -= 1

    def _hex(self) -> tuple[str, str]:
        """Sign and digits of a constant."""
        sign, digits = self._match(_HEX).groups()
        return sign, digits

    def _number(self, signed: bool) -> None:
        sign, digits = self._hex()
        if sign and not signed:
            raise _Invalid
        value = int(digits or "0", 16)
        self._print(f"{'-' if sign else ''}{value if value < 1 << 64 else hex(value)}")

    def _compound(self, kind: str, in_value: bool) -> None:
        """A constant of other constants, which stands in braces where a type could."""
        if kind == "R" and self._take("e"):
            self._print(_quote(self._string(), '"'))
            return
        rule = _CONSTS.get(kind)
        if rule is None:
            raise _Invalid
        self._print("" if in_value else "{")
        rule(self)
        self._print("" if in_value else "}")

    def _string(self) -> str:
        digits = self._match(_STRING)[1]
        try:
            return bytes.fromhex(digits).decode()
        except ValueError as error:
            raise _Invalid from error

    def _const_string(self) -> None:
        # A literal is a reference, so the string itself is what the literal refers to.
        self._print("*" + _quote(self._string(), '"'))

    def _const_reference(self, keyword: str) -> None:
        self._print(keyword)
        self.const(in_value=True)

    def _const_array(self) -> None:
        self._print("[")
        self._list(lambda: self.const(in_value=True))
        self._print("]")

    def _const_tuple(self) -> None:
        self._print("(")
        count = self._list(lambda: self.const(in_value=True))
        self._print(",)" if count == 1 else ")")

    def _const_adt(self) -> None:
        self.path(in_value=True)
        kind = self._next()
        if kind == "T":
            self._print("(")
            self._list(lambda: self.const(in_value=True))
            self._print(")")
        elif kind == "S":
            self._print(" { ")
            self._list(self._const_field)
            self._print(" }")
        elif kind != "U":
            raise _Invalid

    def _const_field(self) -> None:
        self._print(f"{self.identifier()[1]}: ")
        self.const(in_value=True)


_STRING = re.compile(r"((?:[0-9a-f]{2})*)_")
_TYPES: dict[str, Callable[[_Printer], None]] = {
    "A": _Printer._array,
    "S": _Printer._slice,
    "T": _Printer._tuple,
    "R": lambda printer: printer._reference(""),
    "Q": lambda printer: printer._reference("mut "),
    "P": lambda printer: printer._pointer("*const "),
    "O": lambda printer: printer._pointer("*mut "),
    "F": lambda printer: printer._in_binder(printer._fn_sig),
    "D": _Printer._dyn,
    "B": lambda printer: printer._backref(printer.type),
}
_CONSTS: dict[str, Callable[[_Printer], None]] = {
    "e": _Printer._const_string,
    "R": lambda printer: printer._const_reference("&"),
    "Q": lambda printer: printer._const_reference("&mut "),
    "A": _Printer._const_array,
    "T": _Printer._const_tuple,
    "V": _Printer._const_adt,
}


def _look_up(table: dict[str, str], key: str) -> str:
    if key not in table:
        raise _Invalid
    return table[key]


def _character(number: int) -> str:
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise _Invalid
    return chr(number)


def _quote(text: str, quote: str) -> str:
    """`text` as Rust's `{:?}` writes it."""
    shown = []
    for letter in text:
        if letter == quote:
            shown.append("\\" + letter)
        elif letter in _ESCAPES:
            shown.append(_ESCAPES[letter])
        else:
            shown.append(letter if letter.isprintable() else f"\\u{{{ord(letter):x}}}")
    return f"{quote}{''.join(shown)}{quote}"


def _decode_punycode(name: str) -> str:
    """RFC 3492, with _ in the place of the last -."""
    plain, _, deltas = name.rpartition("_")
    if len(name) > _LONGEST_PUNYCODE:
        raise _Invalid
    try:
        decoded = (f"{plain}-{deltas}" if plain else deltas).encode("ascii").decode("punycode")
        decoded.encode()
    except (UnicodeError, OverflowError) as error:
        raise _Invalid from error
    return decoded
