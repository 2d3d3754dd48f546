"""C declarations → C types: what a script, or a header it includes, defines.

`parse_declarations` reads structs, unions, enums, typedefs, functions and variables as C and GNU C have
them, and passes over what declares no type: bodies of functions, initial values, most attributes.

Promises: whatever the text, the outcome is `Declarations` or a SourceError with a caret; nothing is opened
(what an `#include` means is asked of a callback); the time is bounded by the text and its macros.
"""

from __future__ import annotations

from itertools import islice

from ..base.errors import SourceError
from ..base.source import Source
from .declarators import Parser
from .expressions import parse_string
from .layout import X86_64, Abi
from .macros import Macro, Macros
from .preprocess import Preprocessor
from .scope import Scope
from .tokens import Cursor, Token, source_error
from .types import Func, Typedef

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .declarators import Declared
    from .preprocess import Include
    from .types import CType

_LONGEST = 10_000
"""Tokens that no constant comes to."""


class Declarations:
    """What a source declares.

    `types` is by (kind, name), a kind being "struct", "union", "enum" or "typedef"; structs are
    `LazyStruct`s. `enums` are all enums, with a name or without; `enumerators` the constants of all of them.
    """

    def __init__(self, scope: Scope, macros: Macros) -> None:
        self.types = scope.types
        self.enumerators = {name: number for name, (number, _) in scope.enumerators.items()}
        self.enums = scope.enums
        self.functions = scope.functions
        self.variables = scope.variables
        self._scope, self._macros = scope, macros

    def iter_macros(self) -> Iterator[str]:
        """Names of the macros without parameters that the source defines, in that order."""
        return (name for name, macro in self._macros.defined.items() if macro.params is None)

    def macro_text(self, name: str) -> str | None:
        """The text of a macro without parameters that is no constant, None for any other name."""
        macro = self._macros.defined.get(name)
        if macro is None or macro.params is not None or not macro.body:
            return None
        try:
            tokens = self._expand(macro)
            if not all(t.kind == "string" for t in tokens):
                _value_of(tokens, self._scope)
        except SourceError:
            return macro.text
        return None

    def _expand(self, macro: Macro) -> list[Token]:
        """What a macro comes to. Raises SourceError for what is longer than any constant."""
        tokens = list(islice(self._macros.iter_expanded(iter(macro.body).__next__), _LONGEST))
        if len(tokens) == _LONGEST:
            raise source_error(macro.body[0].span, f"macro '{macro.name}' is no constant")
        return tokens

    def macro_value(self, name: str) -> int | str | None:
        """What the macro `name` stands for: the number of a constant expression, else its text, as a
        string of C where it is one string. None if there is no such macro, or it has parameters."""
        macro = self._macros.find(name)
        if macro is None or macro.params is not None:
            return None
        try:
            tokens = self._expand(macro)
            if tokens and all(t.kind == "string" for t in tokens):
                return "".join(map(parse_string, tokens))
            return _value_of(tokens, self._scope)
        except SourceError:
            # It is no constant, as most macros aren't, and is shown as written.
            return macro.text


def parse_declarations(
    source: Source,
    known_types: Callable[[str, str], CType | None] | None = None,
    *,
    include: Include | None = None,
    defines: dict[str, str] | None = None,
    abi: Abi = X86_64,
) -> Declarations:
    """Parse C declarations. Raises SourceError.

    `known_types(kind, name)` gives types that the source doesn't define (a kind as in `Declarations`, or
    "enumerator" for the enum that has the constant `name`). `include(name, form, source)` gives the file
    that `source` includes (see `Preprocessor`), None for none. `defines` are macros by name, whose text is
    read as that of `#define name text`.
    """
    macros = Macros({**_predefined(abi), **(defines or {})})
    scope = Scope(known_types, abi)
    _translation_unit(Parser(Cursor(Preprocessor(source, macros, include).iter_tokens()), scope))
    scope.complete_all()
    return Declarations(scope, macros)


def parse_type(
    source: Source, known_types: Callable[[str, str], CType | None] | None = None, *, abi: Abi = X86_64
) -> CType:
    """The type that `source` names, such as `struct foo *[4]`. Raises SourceError."""
    scope = Scope(known_types, abi)
    cursor = Cursor(Preprocessor(source, Macros(_predefined(abi))).iter_tokens())
    type = Parser(cursor, scope).type_name()
    if cursor.token.kind != "end":
        raise cursor.unexpected("the end of the type")
    scope.complete_all()
    return type


# -- the grammar's upper half -----------------------------------------------------------------------


def _translation_unit(p: Parser) -> None:
    """translation_unit = {declaration}"""
    while p.cursor.token.kind != "end":
        if p.cursor.token.kind == "pragma":
            p.pragma()
        else:
            _declaration(p)


def _declaration(p: Parser) -> None:
    """declaration = specifiers [declarator ["=" value] {"," declarator ["=" value]}] (";" | body)"""
    cursor = p.cursor
    if cursor.accept(";"):
        return
    if cursor.token.text in _NO_DECLARATIONS:
        cursor.advance()
        _pass_value(cursor)
        cursor.expect(";", "after the declaration")
        return
    specified = p.specifiers()
    while not cursor.at(";"):
        declared = p.declarator(specified)
        if declared.name is None:
            raise cursor.unexpected("a name to declare")
        _declare(p.scope, specified.storage, declared.name.text, declared)
        if cursor.at("{") and isinstance(declared.type, Func):
            cursor.pass_balanced()
            return
        if cursor.accept("="):
            _pass_value(cursor)
        if not cursor.accept(","):
            break
    cursor.expect(";", "after the declaration")


def _declare(scope: Scope, storage: str, name: str, declared: Declared) -> None:
    if storage == "typedef":
        scope.types["typedef", name] = Typedef(name, declared.type, declared.attributes.alignment)
    elif isinstance(declared.type, Func):
        scope.functions[name] = declared.type
    else:
        scope.variables[name] = declared.type


def _pass_value(cursor: Cursor) -> None:
    """Pass an initial value: all up to a `,` or `;` outside of parentheses."""
    while not cursor.at(",") and not cursor.at(";"):
        if cursor.token.kind == "end":
            raise cursor.unexpected("';' after the declaration")
        if cursor.token.kind == "punctuator" and cursor.token.text in "([{":
            cursor.pass_balanced()
        else:
            cursor.advance()


def _value_of(tokens: list[Token], scope: Scope) -> int:
    """The value of a constant expression, all of `tokens`. Raises SourceError."""
    end = Token("end", "", Source("<macro>", ""), 0, 0)
    cursor = Cursor(iter([*tokens, end]))
    number = Parser(cursor, scope).constant()
    if cursor.token.kind != "end":
        raise cursor.unexpected("an operator")
    return number


_NO_DECLARATIONS = frozenset(("_Static_assert", "static_assert", "asm", "__asm__", "__asm"))

# -- what is predefined -----------------------------------------------------------------------------


def _predefined(abi: Abi) -> dict[str, str]:
    return {**_PREDEFINED, f"__{abi.name}__": "1"}


_PREDEFINED = {
    # What gcc predefines on the CPUs probee knows.
    "__STDC__": "1",
    "__STDC_VERSION__": "201710L",
    "__STDC_HOSTED__": "1",
    "__GNUC__": "12",
    "__GNUC_MINOR__": "2",
    "__linux__": "1",
    "__unix__": "1",
    "__ELF__": "1",
    "__LP64__": "1",
    "_LP64": "1",
    "__CHAR_BIT__": "8",
    "__SIZEOF_SHORT__": "2",
    "__SIZEOF_INT__": "4",
    "__SIZEOF_LONG__": "8",
    "__SIZEOF_LONG_LONG__": "8",
    "__SIZEOF_POINTER__": "8",
    "__SIZEOF_SIZE_T__": "8",
    "__SIZEOF_INT128__": "16",
    "__SIZE_TYPE__": "unsigned long",
    "__PTRDIFF_TYPE__": "long",
    "__WCHAR_TYPE__": "int",
    "__WINT_TYPE__": "unsigned int",
    "__INTMAX_TYPE__": "long",
    "__UINTMAX_TYPE__": "unsigned long",
    "__INTPTR_TYPE__": "long",
    "__UINTPTR_TYPE__": "unsigned long",
    "__INT8_TYPE__": "signed char",
    "__UINT8_TYPE__": "unsigned char",
    "__INT16_TYPE__": "short",
    "__UINT16_TYPE__": "unsigned short",
    "__INT32_TYPE__": "int",
    "__UINT32_TYPE__": "unsigned int",
    "__INT64_TYPE__": "long",
    "__UINT64_TYPE__": "unsigned long",
    "__SCHAR_MAX__": "127",
    "__SHRT_MAX__": "32767",
    "__INT_MAX__": "2147483647",
    "__LONG_MAX__": "9223372036854775807L",
    "__LONG_LONG_MAX__": "9223372036854775807LL",
    "__ORDER_LITTLE_ENDIAN__": "1234",
    "__ORDER_BIG_ENDIAN__": "4321",
    "__BYTE_ORDER__": "1234",
    # What the kernel's compiler_types.h defines and its headers rely on.
    "__packed": "__attribute__((packed))",
    "__aligned(x)": "__attribute__((aligned(x)))",
    "__user": '__attribute__((btf_type_tag("user")))',
    "__kernel": '__attribute__((btf_type_tag("kernel")))',
    "__iomem": "",
    "__rcu": "",
    "__percpu": "",
    "__force": "",
    "__bitwise": "",
    "__must_check": "",
    "__always_inline": "inline",
    "__init": "",
    "__read_mostly": "",
    "__randomize_layout": "",
    "__counted_by(m)": "",
}
