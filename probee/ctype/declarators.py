"""Specifiers and declarators of C: how `int *(*f[2])(void)` is read (ISO C 6.7.2 to 6.7.7).

Each function is named for its rule.
"""

from __future__ import annotations

from ..base.record import record
from .expressions import Constants
from .members import offset_of
from .scope import Scope
from .specifiers import ATTRIBUTES, QUALIFIERS, STORAGE, TAGS, TYPEOF, WORDS, Attributes, moded, type_of_words
from .tags import tagged
from .tokens import Cursor, Token, between, source_error
from .types import UINT64, Array, CType, Func, Ptr, Typedef, Void

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from .expressions import Value

    Wrap: TypeAlias = Callable[[CType], CType]

LARGEST = 1 << 48
"""Bytes that a type may have."""

MOST_LINKS = 64
"""Pointers, arrays, functions and typedefs that may lead from one to the next."""

_ALIGNOF = frozenset(("_Alignof", "alignof", "__alignof__", "__alignof"))
_OFFSETOF = frozenset(("offsetof", "__builtin_offsetof"))
_NO_NAMES = (WORDS | TAGS | QUALIFIERS | STORAGE | TYPEOF | ATTRIBUTES) - {"bool"}
_TYPE_WORDS = _NO_NAMES - STORAGE


@record
class Specified:
    """What specifiers say; `storage` is "typedef" or "". The attributes are of what is declared."""

    type: CType
    storage: str
    attributes: Attributes


@record
class Declared:
    """What one declarator says; `name` is None where there is none."""

    name: Token | None
    type: CType
    attributes: Attributes


class Parser:
    """Reads types, and constant expressions, which may name types, at a cursor into a scope."""

    def __init__(self, cursor: Cursor, scope: Scope) -> None:
        self.cursor, self.scope = cursor, scope
        self.pack = 0
        self._packs: list[int] = []
        self._constants = Constants(
            cursor, lambda name: scope.enumerator(name.text), self._cast_type, self._called
        )

    # -- specifiers -------------------------------------------------------------------------------

    def starts_type(self, token: Token) -> bool:
        """Whether the name of a type begins at `token`."""
        if token.kind != "name":
            return False
        return token.text in _TYPE_WORDS or self.scope.find_typedef(token.text) is not None

    def specifiers(self) -> Specified:
        """specifiers = {storage | qualifier | attribute | word | tagged | typeof | typedef_name}"""
        cursor, attributes = self.cursor, Attributes()
        start, storage, words = cursor.token, "", list[str]()
        type: CType | None = None
        while cursor.token.kind == "name":
            word = cursor.token.text
            if word in ATTRIBUTES:
                attributes.parse(cursor, self.alignment)
            elif word in STORAGE or word in QUALIFIERS:
                storage = "typedef" if word == "typedef" else storage
                cursor.advance()
            elif word in WORDS and (word != "bool" or not (words or type)):
                words.append(cursor.advance().text)
            elif type or words:
                break
            else:
                type = self._named_type(word)
        if words:
            type = None if type else type_of_words(words, self.scope.abi)
            if type is None:
                raise source_error(between(start, cursor.last), f"'{' '.join(words)}' is no type")
        if type is None:
            raise cursor.unexpected("a type")
        return Specified(type, storage, attributes)

    def _named_type(self, word: str) -> CType:
        """A type that is one name, or has one after `struct`, `union` or `enum`, or is a typeof."""
        if word in TAGS:
            return tagged(self)
        if word in TYPEOF:
            return self._typeof()
        type = self.scope.find_typedef(word)
        if type is None:
            raise source_error(self.cursor.token.span, f"expected a type, got '{word}'")
        self.cursor.advance()
        return type

    def _typeof(self) -> CType:
        """typeof "(" type_name ")" """
        cursor = self.cursor
        word = cursor.advance().text
        cursor.expect("(", f"after {word}")
        if not self.starts_type(cursor.token):
            raise cursor.unexpected("a type, since that of an expression isn't known here")
        type = self.type_name()
        cursor.expect(")", f"to close {word}")
        return type

    # -- declarators ------------------------------------------------------------------------------

    def type_name(self) -> CType:
        """type_name = specifiers declarator, without a name"""
        declared = self.declarator(self.specifiers())
        if declared.name is not None:
            raise source_error(declared.name.span, f"expected a type alone, got '{declared.name.text}'")
        return declared.type

    def declarator(self, specified: Specified, *, param: bool = False) -> Declared:
        """declarator = {"*"} ("(" declarator ")" | [name]) {"[" length "]" | "(" params ")"} [attributes]

        Where it declares a `param`, lengths needn't be constant, since arrays are pointers there.
        """
        cursor, attributes = self.cursor, specified.attributes.copy()
        start = cursor.token
        name, wrap = self._direct(attributes, param)
        if cursor.token.text in ("asm", "__asm__", "__asm"):
            cursor.advance()
            cursor.pass_balanced()
        attributes.parse(cursor, self.alignment)
        type = moded(specified.type, attributes.mode) if attributes.mode else specified.type
        type = wrap(type)
        _check_chain(type, start)
        return Declared(name, type, attributes)

    def _direct(self, attributes: Attributes, param: bool) -> tuple[Token | None, Wrap]:
        cursor = self.cursor
        cursor.nest()
        attributes.parse(cursor, self.alignment)
        spaces: list[str] = []
        while cursor.accept("*"):
            spaces.append(attributes.space)
            attributes.space = ""
            while cursor.token.text in QUALIFIERS:
                cursor.advance()
            attributes.parse(cursor, self.alignment)
        name: Token | None = None
        inner: Wrap = _same
        if cursor.at("(") and self._is_nested(cursor.peek()):
            cursor.advance()
            name, inner = self._direct(attributes, param)
            cursor.expect(")", "to close the declarator")
        elif cursor.token.kind == "name" and cursor.token.text not in _NO_NAMES:
            name = cursor.advance()
        suffixes: list[Wrap] = []
        while cursor.at("[") or cursor.at("("):
            suffixes.append(self._array(param) if cursor.at("[") else self._function())
        cursor.depth -= 1

        def wrap(type: CType) -> CType:
            for space in spaces:
                type = Ptr(type, space)
            for suffix in reversed(suffixes):
                type = suffix(type)
            return inner(type)

        return name, wrap

    def _is_nested(self, token: Token) -> bool:
        """Whether a parenthesis before `token` groups, rather than opens parameters."""
        if token.kind == "name":
            return token.text in ATTRIBUTES or not self.starts_type(token)
        return token.text in ("*", "(", "[")

    def _array(self, param: bool) -> Wrap:
        """length = {qualifier | "static"} [constant]"""
        cursor = self.cursor
        if param and cursor.peek().kind != "number":
            opened = cursor.token
            cursor.pass_balanced()
            return lambda type: self._made_array(type, 0, opened)
        opened = cursor.advance()
        while cursor.token.text in QUALIFIERS or cursor.at("static"):
            cursor.advance()
        start, count = cursor.token, 0
        if not cursor.at("]"):
            count = self.constant()
            if count < 0:
                raise source_error(
                    between(start, cursor.last), f"expected a length that isn't negative, got {count}"
                )
        cursor.expect("]", "to close the length of an array")
        return lambda type: self._made_array(type, count, opened)

    def _made_array(self, of: CType, count: int, at: Token) -> CType:
        if isinstance(of, Func | Void) or not self.scope.is_complete(of):
            raise source_error(at.span, f"expected elements of a complete type, got {of}")
        _check_chain(of, at)
        if of.size * count > LARGEST:
            raise source_error(at.span, f"this array has more than {LARGEST} bytes")
        return Array(of, count)

    def _function(self) -> Wrap:
        """params = ["void" | param {"," param} ["," "..."]]"""
        cursor = self.cursor
        opened = cursor.advance()
        params: list[tuple[str, CType]] = []
        variadic = False
        if cursor.at("void") and cursor.peek().text == ")":
            cursor.advance()
        while not cursor.at(")"):
            if cursor.accept("..."):
                variadic = True
                break
            params.append(self._param())
            if not cursor.accept(","):
                break
        cursor.expect(")", "to close the parameters")

        def wrap(type: CType) -> CType:
            if isinstance(type, Func | Array):
                raise source_error(opened.span, f"a function can't return {type}")
            return Func(type, tuple(params), variadic)

        return wrap

    def _param(self) -> tuple[str, CType]:
        """param = specifiers declarator"""
        start = self.cursor.token
        declared = self.declarator(self.specifiers(), param=True)
        type = declared.type
        if isinstance(type, Void):
            raise source_error(start.span, "expected a parameter that has a type, got void")
        # What C passes is a pointer.
        if isinstance(type, Array):
            type = Ptr(type.of)
        elif isinstance(type, Func):
            type = Ptr(type)
        return declared.name.text if declared.name else "", type

    # -- constant expressions ---------------------------------------------------------------------

    def constant(self) -> int:
        """constant = conditional"""
        return self._constants.constant()

    def alignment(self) -> int:
        """alignment = type_name | constant"""
        return self.type_name().align if self.starts_type(self.cursor.token) else self.constant()

    def _cast_type(self) -> CType | None:
        return self.type_name() if self.starts_type(self.cursor.token) else None

    def _called(self, token: Token) -> Value | None:
        """sizeof, alignof and offsetof, whose value is a size_t"""
        cursor, word = self.cursor, token.text
        if word != "sizeof" and word not in _ALIGNOF and word not in _OFFSETOF:
            return None
        cursor.advance()
        if word == "sizeof" and cursor.token.kind == "string":
            return len(cursor.advance().text) - 1, UINT64
        cursor.expect("(", f"after {word}")
        if not self.starts_type(cursor.token):
            raise cursor.unexpected("a type, since that of an expression isn't known here")
        start = cursor.token
        type = self.type_name()
        if not isinstance(type, Void) and not self.scope.is_complete(type):
            raise source_error(between(start, cursor.last), f"the size of {type} isn't known")
        if word in _OFFSETOF:
            number = self._offset(type)
        else:
            number = type.align if word in _ALIGNOF else max(type.size, int(isinstance(type, Void)))
        cursor.expect(")", f"to close {word}")
        return number, UINT64

    def _offset(self, type: CType) -> int:
        """ "," name {"." name | "[" constant "]"}"""
        cursor = self.cursor
        cursor.expect(",", "between type and member")
        start, path = cursor.token, list[str | int]()
        while True:
            if cursor.token.kind != "name":
                raise cursor.unexpected("a member")
            path.append(cursor.advance().text)
            while cursor.accept("["):
                path.append(self.constant())
                cursor.expect("]", "to close the index")
            if not cursor.accept("."):
                break
        span = between(start, cursor.last)
        try:
            bits, _, bit_size = offset_of(type, path)
        except LookupError as error:
            raise source_error(span, error.args[0]) from None
        if bit_size:
            raise source_error(span, "a bit-field has no offset in bytes")
        return bits // 8

    # -- pragmas ----------------------------------------------------------------------------------

    def pragma(self) -> None:
        """pack "(" ["push" ","] [number] ")" | pack "(" "pop" ")" """
        words = [word for word in self.cursor.advance().text.split()[1:] if word not in ("(", ",", ")")]
        if "pop" in words:
            self.pack = self._packs.pop() if self._packs else 0
            return
        if "push" in words:
            self._packs.append(self.pack)
        numbers = [int(word) for word in words if word in ("1", "2", "4", "8", "16")]
        if numbers or "push" not in words:
            self.pack = numbers[0] if numbers else 0


def _check_chain(type: CType, at: Token) -> None:
    """Pointers to arrays of pointers to …, typedefs between them: what walks them must come to an end."""
    for _ in range(MOST_LINKS):
        if isinstance(type, Ptr | Typedef):
            type = type.to
        elif isinstance(type, Array | Func):
            type = type.of if isinstance(type, Array) else type.returns
        else:
            return
    raise source_error(at.span, f"expected at most {MOST_LINKS} pointers, arrays and typedefs in a row")


def _same(type: CType) -> CType:
    return type
