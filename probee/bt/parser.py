"""The grammar of a script, and the way in: `parse`. Each function parses the rule that is its docstring.

A script is, in this order: a `#!` line; C text; `config` and imports; then probes, macros, functions
and map declarations in any order.
"""

from __future__ import annotations

from ..base.source import Span
from . import tree
from .attachpoint import attach_point
from .expressions import expression, type_name
from .lexer import CLOSE, Tokens
from .statements import block, block_expr, import_
from .typenames import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..base.source import Source


def parse(source: Source, params: Sequence[str] = ()) -> tree.Script:
    """The tree of a script. `params` replace `$1` … in attach points, "" where there is none.

    Raises `SourceError` for the first place where the text is no script.
    """
    p = Tokens(source, params)
    parts = _Parts()
    script(p, parts)
    return tree.Script(
        Span(source, 0, len(source.text)),
        source,
        tuple(parts.c_definitions),
        tuple(parts.config or ()),
        tuple(parts.imports),
        tuple(parts.maps),
        tuple(parts.macros),
        tuple(parts.functions),
        tuple(parts.probes),
    )


class _Parts:
    """What has been read of a script."""

    __slots__ = ("c_definitions", "config", "imports", "maps", "macros", "functions", "probes")

    def __init__(self) -> None:
        self.c_definitions: list[tree.CDefinition] = []
        self.config: list[tree.Setting] | None = None
        self.imports: list[tree.Import] = []
        self.maps: list[tree.MapDecl] = []
        self.macros: list[tree.Macro] = []
        self.functions: list[tree.Function] = []
        self.probes: list[tree.Probe] = []

    @property
    def has_body(self) -> bool:
        return bool(self.maps or self.macros or self.functions or self.probes)

    @property
    def has_head(self) -> bool:
        return self.config is not None or bool(self.imports)


def script(p: Tokens, parts: _Parts) -> None:
    """script = ["#!" line] {c_definition} {config | import} {probe [";"] | macro | function | map_decl}"""
    if p.text.startswith("#!", p.start):
        line_end = p.text.find("\n", p.start)
        p.seek(line_end if line_end >= 0 else len(p.text))
    while p.kind != "end":
        if p.kind in _C_KEYWORDS or p.text[p.start] == "#":
            from .ctext import c_definition

            if parts.has_head or parts.has_body:
                hint = "it stands at the head of a script, before config and probes"
                raise p.error("C definitions must appear before probes and functions", hint=hint)
            parts.c_definitions.append(c_definition(p))
        elif p.kind == ";" and parts.probes:
            p.advance()
        else:
            _TOP.get(p.word, probe_member)(p, parts)


# ---- config, imports, maps, macros, functions ------------------------------------------------


def config(p: Tokens, parts: _Parts) -> None:
    """config = "config" "=" "{" [setting {";" setting} [";"]] "}" """
    if parts.has_body:
        raise p.error("config must appear before probes and functions")
    if parts.config is not None:
        raise p.error("there is a config block already", hint="put all settings in one block")
    p.advance()
    p.expect("=", "after `config`")
    p.expect("{", "and settings")
    parts.config = []
    while p.kind != "}":
        parts.config.append(setting(p))
        if p.kind != "}":
            p.expect(";", "after a setting")
    p.advance()


def setting(p: Tokens) -> tree.Setting:
    """setting = name "=" (string | boolean | integer | name)"""
    start = p.start
    if p.kind != "name":
        raise p.unexpected("a setting's name")
    key = p.expect_word("a setting's name")
    p.expect("=", "and the setting's value")
    value: str | int | bool
    if p.kind == "string":
        value = p.string_value().decode("utf-8", "surrogateescape")
    elif p.kind == "integer":
        value = p.integer_value()[0]
    elif p.kind in ("true", "false"):
        value = p.kind == "true"
        p.advance()
    else:
        value = p.expect_word("a string, a number, a truth or a name")
    return tree.Setting(p.span(start), key, value)


def root_import(p: Tokens, parts: _Parts) -> None:
    """root_import = import"""
    if parts.has_body:
        raise p.error("root imports must appear before probes and functions")
    parts.imports.append(import_(p))


def map_decl(p: Tokens, parts: _Parts) -> None:
    """map_decl = "let" map "=" name "(" integer ")" [";"]"""
    start = p.start
    p.advance()
    if p.kind != "map":
        raise p.unexpected("a map after `let`", "outside of blocks, let declares a map: let @a = hash(100);")
    name = p.word
    p.advance()
    p.expect("=", "and the kind of map")
    kind = p.expect_word("a kind of map, such as `hash`")
    p.expect("(", "and the greatest number of entries")
    if p.kind not in ("integer", "parameter"):
        raise p.unexpected("the greatest number of entries")
    max_entries = expression(p)
    p.expect(")", "after the greatest number of entries")
    span = p.span(start)
    p.accept(";")
    parts.maps.append(tree.MapDecl(span, name, kind, max_entries))


def macro(p: Tokens, parts: _Parts) -> None:
    """macro = "macro" name ["(" [macro_parameter {"," macro_parameter}] ")"] block_expr"""
    start = p.start
    p.advance()
    if p.kind != "name":
        raise p.unexpected("a macro's name")
    name = p.expect_word("a macro's name")
    parameters = _parameters(p, macro_parameter) if p.kind == "(" else ()
    body = block_expr(p, "the head of a macro")
    parts.macros.append(tree.Macro(p.span(start), name, parameters, body))


def macro_parameter(p: Tokens) -> tree.Parameter:
    """macro_parameter = variable | map | name"""
    kind = _PARAMETER_KINDS.get(p.kind)
    if kind is None:
        raise p.unexpected("a parameter: `$variable`, `@map` or a name")
    if kind == "expression" and is_own(p.word):
        raise p.error(f"builtin '{p.word}' can't be used as a macro argument")
    result = tree.Parameter(p.here(), p.word, kind)
    p.advance()
    return result


_PARAMETER_KINDS = {"variable": "variable", "map": "map", "name": "expression"}


def function(p: Tokens, parts: _Parts) -> None:
    """function = "fn" name "(" [fn_parameter {"," fn_parameter}] ")" ":" type_name block"""
    start = p.start
    p.advance()
    if p.kind != "name":
        raise p.unexpected("a function's name")
    name = p.expect_word("a function's name")
    if p.kind != "(":
        raise p.unexpected("`(`")
    parameters = _parameters(p, fn_parameter)
    p.expect(":", "and the type of the result")
    returns = type_name(p)
    body = block(p, "the head of a function")
    parts.functions.append(tree.Function(p.span(start), name, parameters, returns, body))


def fn_parameter(p: Tokens) -> tree.Parameter:
    """fn_parameter = variable ":" type_name"""
    start = p.start
    if p.kind != "variable":
        raise p.unexpected("a parameter: `$variable : type`")
    name = p.word
    p.advance()
    p.expect(":", "and the parameter's type")
    type_ = type_name(p)
    return tree.Parameter(p.span(start), name, "variable", type_)


def _parameters(p: Tokens, rule: Callable[[Tokens], tree.Parameter]) -> tuple[tree.Parameter, ...]:
    p.advance()
    parameters: list[tree.Parameter] = []
    if p.kind != ")":
        parameters.append(rule(p))
        while p.accept(","):
            parameters.append(rule(p))
    p.expect(")", "to close the parameters")
    return tuple(parameters)


# ---- probes ----------------------------------------------------------------------------------


def probe_member(p: Tokens, parts: _Parts) -> None:
    """probe_member = probe"""
    parts.probes.append(probe(p))


def probe(p: Tokens) -> tree.Probe:
    """probe = attach_point {"," attach_point} [","] ["/" expression "/"] block"""
    start = p.start
    points = [attach_point(p)]
    while p.accept(",") and p.kind not in ("{", "/", CLOSE):
        points.append(attach_point(p))
    predicate = None
    if p.kind == "/" or p.kind == CLOSE:
        p.advance()
        predicate = expression(p)
        if p.kind not in ("/", CLOSE):
            raise p.unexpected("`/` to close the predicate")
        p.advance()
    if p.kind != "{":
        raise p.unexpected("`{`", f"a probe is followed by its actions in braces: {points[-1].text} {{ … }}")
    body = block(p, "a probe")
    return tree.Probe(p.span(start), tuple(points), predicate, body)


_C_KEYWORDS = frozenset(("struct", "union", "enum"))

_TOP: dict[str, Callable[[Tokens, _Parts], None]] = {
    "config": config,
    "import": root_import,
    "let": map_decl,
    "macro": macro,
    "fn": function,
}
