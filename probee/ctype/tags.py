"""The grammar of what has a tag: struct, union and enum, with their members (ISO C 6.7.2.1, 6.7.2.2)."""

from __future__ import annotations

from ..base.errors import FormatError
from .layout import Field, enum_layout, lay_out
from .scope import constant_type
from .specifiers import Attributes
from .tokens import Token, between, source_error
from .types import Bool, CType, Enum, Func, Int, LazyStruct, Struct, Void, strip_typedefs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .declarators import Declared, Parser

LARGEST = 1 << 48


def tagged(p: Parser) -> CType:
    """tagged = ("struct" | "union" | "enum") [attributes] [name] [attributes] [body]"""
    cursor, attributes = p.cursor, Attributes()
    word = cursor.advance()
    attributes.parse(cursor, p.alignment)
    name = cursor.advance() if cursor.token.kind == "name" else None
    attributes.parse(cursor, p.alignment)
    # After the name of an enum, a colon is that of a bit-field unless a type follows it.
    colon = word.text == "enum" and cursor.at(":") and p.starts_type(cursor.peek())
    if name is None and not cursor.at("{") and not colon:
        raise cursor.unexpected(f"a name or '{{' after {word.text}")
    if word.text == "enum":
        return _enum(p, name, attributes, colon)
    if not cursor.at("{"):
        return p.scope.tag(word.text, name.text if name else "")
    return _struct(p, word, name, attributes)


# -- structs and unions -----------------------------------------------------------------------------


def _struct(p: Parser, word: Token, name: Token | None, attributes: Attributes) -> CType:
    """body = "{" {member_declaration} "}" [attributes]"""
    cursor, kind = p.cursor, word.text
    key = (kind, name.text) if name else None
    if key and name and (key in p.scope.types or not p.scope.tag(*key).declared):
        raise source_error(name.span, f"{kind} {name.text} is defined already")
    struct = p.scope.tag(*key) if key else LazyStruct("", 0, kind, tuple, declared=True)
    cursor.nest()
    opened = cursor.advance()
    fields: list[Field] = []
    while not cursor.at("}"):
        if cursor.token.kind == "end":
            raise source_error(opened.span, f"this {kind} is not closed by '}}'")
        if cursor.token.kind == "pragma":
            p.pragma()
        elif not cursor.accept(";"):
            _member_declaration(p, fields)
    cursor.advance()
    cursor.depth -= 1
    attributes.parse(cursor, p.alignment)
    span = (name or word).span
    if key and key in p.scope.types:
        raise source_error(span, f"{kind} {key[1]} is defined in itself")
    _check_names(fields, span_of=name or word)
    try:
        layout = lay_out(
            kind,
            tuple(fields),
            packed=attributes.packed,
            alignment=attributes.alignment,
            pack=p.pack,
            abi=p.scope.abi,
        )
    except FormatError as error:
        raise source_error(span, error.message) from None
    if layout.bytes > LARGEST:
        raise source_error(span, f"this {kind} has more than {LARGEST} bytes")
    struct.complete(layout.bytes, lambda: layout.members, layout.alignment)
    if key:
        p.scope.types[key] = struct
    return struct


def _member_declaration(p: Parser, fields: list[Field]) -> None:
    """member_declaration = specifiers [member {"," member}] ";" """
    cursor = p.cursor
    start = cursor.token
    specified = p.specifiers()
    if cursor.at(";"):
        # Only a struct without a tag is a member without a name; others are but declared here.
        if isinstance(specified.type, LazyStruct) and not specified.type.name:
            fields.append(_placed("", specified.type, None, specified.attributes))
        cursor.advance()
        return
    while True:
        if cursor.at(":"):
            fields.append(_bit_field(p, None, specified.type, specified.attributes, start))
        else:
            fields.append(_member(p, p.declarator(specified), start))
        if not cursor.accept(","):
            break
    # The last member may do without: compilers only warn of that, and scripts are used to it.
    if not cursor.at("}"):
        cursor.expect(";", "after the member")


def _member(p: Parser, declared: Declared, start: Token) -> Field:
    """member = declarator [":" width] [attributes]"""
    name, type, attributes = declared.name, declared.type, declared.attributes
    if name is None:
        raise p.cursor.unexpected("a member's name")
    if p.cursor.at(":"):
        return _bit_field(p, name, type, attributes, name)
    if isinstance(type, Func):
        raise source_error(name.span, f"member '{name.text}' can't be a function; a pointer to one can")
    if isinstance(strip_typedefs(type), Void) or not p.scope.is_complete(type):
        raise source_error(between(start, name), f"member '{name.text}' has the incomplete type {type}")
    return _placed(name.text, type, None, attributes)


def _bit_field(p: Parser, name: Token | None, type: CType, before: Attributes, start: Token) -> Field:
    """ ":" width [attributes]"""
    cursor = p.cursor
    cursor.advance()
    first = cursor.token
    width = p.constant()
    span = between(first, cursor.last)
    attributes = before.copy()
    attributes.parse(cursor, p.alignment)
    bare = strip_typedefs(type)
    if not isinstance(bare, Int | Bool | Enum):
        raise source_error(start.span, f"expected a bit-field of an integer type, got {type}")
    most = 1 if isinstance(bare, Bool) else 8 * bare.size
    if not (1 if name else 0) <= width <= most:
        raise source_error(span, f"expected a width of {1 if name else 0} to {most} bits, got {width}")
    return _placed(name.text if name else "", type, width, attributes)


def _placed(name: str, type: CType, width: int | None, attributes: Attributes) -> Field:
    return Field(name, type, width, attributes.alignment, attributes.packed)


def _check_names(fields: list[Field], span_of: Token) -> None:
    """No two members, those of anonymous structs included, may share a name."""
    seen: set[str] = set()
    left: list[tuple[str, CType]] = [(field.name, field.type) for field in fields]
    while left:
        name, type = left.pop()
        if name in seen:
            raise source_error(span_of.span, f"two members are called '{name}'")
        if name:
            seen.add(name)
        elif isinstance(type, Struct):
            left += [(member.name, member.type) for member in type.members]


# -- enums ------------------------------------------------------------------------------------------


def _enum(p: Parser, name: Token | None, attributes: Attributes, colon: bool) -> CType:
    """enum = [":" specifiers] ["{" enumerator {"," enumerator} [","] "}" [attributes]]"""
    cursor = p.cursor
    wanted = strip_typedefs(p.specifiers().type) if colon and cursor.accept(":") else None
    if wanted is not None and not isinstance(wanted, Int | Bool):
        raise source_error(cursor.last.span, f"expected an enum of an integer type, got {wanted}")
    if not cursor.at("{"):
        return _named_enum(p, name.text if name else "")
    key = "enum", name.text if name else ""
    if name and key in p.scope.types:
        raise source_error(name.span, f"enum {name.text} is defined already")
    cursor.advance()
    values: list[tuple[str, int]] = []
    while not cursor.at("}"):
        values.append(_enumerator(p, values[-1][1] + 1 if values else 0))
        if not cursor.accept(","):
            break
    cursor.expect("}", "to close the enum")
    attributes.parse(cursor, p.alignment)
    size, is_signed = enum_layout([number for _, number in values], attributes.packed)
    if isinstance(wanted, Int):
        size, is_signed = wanted.bytes, wanted.signed
    enum = Enum(key[1], size, is_signed, tuple(values))
    p.scope.enums.append(enum)
    if name:
        p.scope.types[key] = enum
    return enum


def _named_enum(p: Parser, name: str) -> CType:
    own = p.scope.types.get(("enum", name))
    return own or p.scope.known("enum", name) or Enum(name, 4, False, ())


def _enumerator(p: Parser, default: int) -> tuple[str, int]:
    """enumerator = name [attributes] ["=" constant]"""
    cursor = p.cursor
    if cursor.token.kind != "name":
        raise cursor.unexpected("the name of a constant")
    name = cursor.advance()
    Attributes().parse(cursor, p.alignment)
    number = p.constant() if cursor.accept("=") else default
    if name.text in p.scope.enumerators:
        raise source_error(name.span, f"constant '{name.text}' is defined already")
    if number >> 64:
        if number >= 0 or ~number >> 63:
            raise source_error(name.span, f"constant '{name.text}' has more than 64 bits")
    p.scope.enumerators[name.text] = number, constant_type(number)
    return name.text, number
