"""Scripts over the whole grammar, made by chance: well-formed, and most often of types that go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

INT, TEXT, BOOL, PAIR, RECORD, POINTER, TRIPLE = "int", "text", "bool", "pair", "record", "pointer", "triple"
KINDS = (INT, INT, INT, TEXT, BOOL, PAIR, RECORD, POINTER, TRIPLE)

_INTS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_LITERALS = [
    "0",
    "1",
    "2",
    "7",
    "255",
    "256",
    "65535",
    "2147483648",
    "9223372036854775807",
    "0x1f",
    "0b101",
    "017",
    "1e3",
    "1_000",
    "3s",
    "10ms",
    "5u",
    "6ull",
]
_TEXTS = ('""', '"a"', '"abc"', '"a longer text, of more than one word"', r'"\x41\n\101"', "comm", "probe")
_NUMBERS = [
    "pid",
    "tid",
    "uid",
    "gid",
    "cpu",
    "nsecs",
    "elapsed",
    "rand",
    "ncpus",
    "numaid",
    "cgroup",
    "jiffies",
    "ONE",
    "TWO",
    "SIZE",
]
_HEAD = """struct inner { char letters[6]; int bits : 3; int more : 5; };
struct outer { int a; long b; struct inner in; struct outer *next; unsigned char bytes[4]; };
enum number { ONE = 1, TWO = 2 };
#define SIZE 16
"""
_MACROS = """macro twice(x) { x + x }
macro bump($v) { $v += 1; $v }
macro keep(@m, x) { @m[x] = 1; }
fn add($a : int64, $b : int64) : int64 { if $a > 3 { return $a + $b; } return $b; }
"""


class Grammar:
    """One script. `wrong`: of how many expressions one is of another type than wanted."""

    def __init__(self, random: Random, wrong: int = 0) -> None:
        self.random = random
        self.wrong = wrong
        self.scopes: list[dict[str, str]] = [{}]
        self.maps: dict[str, tuple[str, str]] = {}
        self.names = 0
        self.loops = 0
        self.depth = 0
        self.macros = False

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def choose(self, *rules: Callable[[], str]) -> str:
        """What one of the rules gives; the others make nothing."""
        return self.random.choice(rules)()

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    # ---- the script

    def script(self) -> str:
        """script = c text, config, macros, probes"""
        parts = [_HEAD]
        if self.chance(4):
            parts.append("config = { max_map_keys = 64; stack_mode = perf; }")
        if self.chance(3):
            self.macros = True
            parts.append(_MACROS)
        if self.chance(4):
            parts.append("let @declared = hash(8);")
            self.maps["@declared"] = (INT, INT)
        for number in range(self.random.randint(1, 3)):
            parts.append(self.probe(number))
        return "\n".join(parts)

    def probe(self, number: int) -> str:
        self.scopes = [{}]
        head = self.pick("begin", "end", f"test:case{number}", "BEGIN", "begin, end")
        predicate = f" / {self.expr(BOOL)} /" if self.chance(4) else ""
        return f"{head}{predicate} {self.block(self.random.randint(1, 7))}"

    def block(self, count: int) -> str:
        self.scopes.append({})
        body = " ".join([self.statement() for _ in range(count)])
        self.scopes.pop()
        return f"{{ {body} }}"

    # ---- statements

    def statement(self) -> str:
        rules = [self.assign, self.assign, self.let, self.set_map, self.set_map, self.output, self.compound]
        rules += [self.aggregate, self.step, self.discard]
        if self.depth < 3:
            rules += [self.if_, self.for_range, self.while_, self.unroll, self.for_map, self.nested]
        if self.loops:
            rules.append(self.jump)
        self.depth += 1
        made = self.random.choice(rules)()
        self.depth -= 1
        return made

    def new_name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def local(self, kind: str) -> str | None:
        known = [name for scope in self.scopes for name, of in scope.items() if of == kind]
        return self.random.choice(known) if known else None

    def assign(self) -> str:
        kind = self.random.choice(KINDS)
        name = self.local(kind) if self.chance(2) else None
        value = self.value(kind)
        if name is None:
            name = f"${self.new_name()}"
            self.scopes[-1][name] = kind
        return f"{name} = {value};"

    def let(self) -> str:
        kind = self.random.choice(KINDS)
        value = self.value(kind)
        name = f"${self.new_name()}"
        typed = ""
        if kind == INT and self.chance(2):
            typed = f" : {self.pick('int64', 'uint64')}"
        elif kind == TEXT and self.chance(2):
            typed = f" : {self.pick('string', 'string[64]')}"
        elif self.chance(5):
            typed = f" : typeof({self.expr(kind)})"
        self.scopes[-1][name] = kind
        return f"let {name}{typed} = {value};"

    def set_map(self) -> str:
        if self.maps and self.chance(2):
            name = self.random.choice(list(self.maps))
            key, kind = self.maps[name]
            if kind in ("count", "sum", "hist", "stats", "avg", "max"):
                return self.pick(f"clear({name});", f"zero({name});", f"print({name});")
        else:
            name, kind = f"@{self.new_name()}", self.random.choice(KINDS)
            key = self.pick("", INT, TEXT, PAIR)
            self.maps[name] = (key, kind)
        return f"{self.access(name)} = {self.value(kind)};"

    def access(self, name: str) -> str:
        key, _ = self.maps[name]
        if key == PAIR and self.chance(2):
            return f"{name}[{self.expr(INT)}, {self.expr(TEXT)}]"
        return f"{name}[{self.expr(key)}]" if key else name

    def aggregate(self) -> str:
        name = f"@{self.new_name()}"
        kind = self.pick("count", "sum", "hist", "stats", "avg", "max")
        self.maps[name] = (self.pick("", INT, TEXT), kind)
        argument = "" if kind == "count" else self.expr(INT)
        return f"{self.access(name)} = {kind}({argument});"

    def compound(self) -> str:
        name = self.local(INT)
        op = self.pick("+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=")
        return f"{name} {op} {self.expr(INT)};" if name else self.assign()

    def step(self) -> str:
        name = self.local(INT) or self.local(POINTER)
        return self.pick(f"{name}++;", f"--{name};") if name else f"@steps{self.pick('++', '--')};"

    def discard(self) -> str:
        return f"_ = {self.expr(self.random.choice(KINDS))};"

    def output(self) -> str:
        if self.maps and self.chance(4):
            name = self.random.choice(list(self.maps))
            return self.pick(f"print({name});", f"clear({name});", f"print({name}, 3);")
        kind = self.pick(INT, TEXT, PAIR, RECORD, TRIPLE, BOOL)
        form = {INT: self.pick("%d", "%5u", "%-8llx", "%lu"), TEXT: self.pick("%s", "%-10s")}.get(kind)
        if form and self.chance(2):
            return f'printf("{form} %d\\n", {self.expr(kind)}, {self.expr(INT)});'
        return f"print({self.expr(kind)});"

    def if_(self) -> str:
        made = f"if {self.pick('({})', '{}').format(self.expr(BOOL))} {self.block(2)}"
        if self.chance(3):
            made += f" else if ({self.expr(INT)}) {self.block(1)}"
        return made + (f" else {self.block(2)}" if self.chance(2) else "")

    def for_range(self) -> str:
        self.loops += 1
        self.scopes.append({f"${self.new_name()}": INT})
        name = f"$v{self.names}"
        head = f"{name} : {self.pick('0', '1', '(2 - 1)')}..{self.pick('3', '5', 'SIZE')}"
        made = f"for {self.pick('({})', '{}').format(head)} {self.block(2)}"
        self.scopes.pop()
        self.loops -= 1
        return made

    def for_map(self) -> str:
        keyed = [name for name, (key, kind) in self.maps.items() if key and kind in (*KINDS, "count", "sum")]
        if not keyed:
            return self.set_map()
        self.loops += 1
        name = f"$kv{self.new_name()}"
        made = f"for ({name} : {self.random.choice(keyed)}) {{ print({name}.0); {self.block(1)} }}"
        self.loops -= 1
        return made

    def while_(self) -> str:
        self.loops += 1
        name = f"$w{self.new_name()}"
        made = f"{name} = 0; while ({name} < {self.pick('2', '4')}) {{ {name}++; {self.block(1)} }}"
        self.loops -= 1
        return made

    def unroll(self) -> str:
        return f"unroll({self.pick('1', '2', '1 + 2')}) {self.block(1)}"

    def nested(self) -> str:
        return self.block(2)

    def jump(self) -> str:
        return f"if ({self.expr(BOOL)}) {{ {self.pick('break', 'continue', 'return')}; }}"

    # ---- expressions

    def expr(self, kind: str) -> str:
        """An expression of a type, or rarely of another."""
        if self.wrong and self.chance(self.wrong):
            kind = self.random.choice(KINDS)
        self.depth += 1
        made = getattr(self, f"{kind}_expr")() if self.depth < 6 else self.leaf(kind)
        self.depth -= 1
        return str(made)

    def leaf(self, kind: str) -> str:
        name = self.local(kind)
        if name is not None and self.chance(2):
            return name
        if kind == INT:
            return self.pick(*_LITERALS, *_NUMBERS)
        if kind == TEXT:
            return self.pick(*_TEXTS)
        leaves = {
            BOOL: self.pick("true", "false"),
            PAIR: '(1, "a")',
            TRIPLE: "(1, (2, true), pid)",
            RECORD: self.pick('(n=1, s="abc")', '(s="x", n=pid)'),
            POINTER: self.pick("(int32 *)0", "(int32 *)kptr(16)"),
        }
        return leaves[kind]

    def value(self, kind: str) -> str:
        """What may be assigned: an expression, or a block that ends in one."""
        if self.depth > 3 or not self.chance(6):
            return self.expr(kind)
        if self.chance(2):
            return f"if ({self.expr(BOOL)}) {{ {self.expr(kind)} }} else {{ {self.expr(kind)} }}"
        self.scopes.append({})
        made = f"{{ {self.statement()} {self.expr(kind)} }}"
        self.scopes.pop()
        return made

    def any_expr(self, kind: str) -> str | None:
        """What gives a value of any type."""
        if not self.chance(3):
            return None
        readable = [name for name, (_, of) in self.maps.items() if of == kind]
        if readable and self.chance(3):
            return self.access(self.random.choice(readable))
        return self.choose(
            lambda: self.leaf(kind),
            lambda: f"({self.expr(kind)})",
            lambda: f"({self.expr(BOOL)} ? {self.expr(kind)} : {self.expr(kind)})",
            lambda: f"({self.expr(INT)}, {self.expr(kind)}).1",
            lambda: f"(x={self.expr(kind)}, y={self.expr(INT)}).x",
        )

    def int_expr(self) -> str:
        made = self.any_expr(INT)
        if made is not None:
            return made
        name = self.local(INT)
        if name and self.chance(5):
            return self.pick(f"{name}++", f"--{name}", f"*&{name}")
        if self.macros and self.chance(8):
            return self.choose(
                lambda: f"twice({self.expr(INT)})", lambda: f"add({self.expr(INT)}, {self.expr(INT)})"
            )
        return self.choose(
            lambda: (
                f"({self.expr(INT)} {self.pick('+', '-', '*', '/', '%', '&', '|', '^')} {self.expr(INT)})"
            ),
            lambda: f"({self.expr(INT)} {self.pick('<<', '>>')} ({self.expr(INT)} & 31))",
            lambda: f"({self.pick('-', '~')}({self.pick('int64', 'uint64')}){self.expr(INT)})",
            lambda: f"({self.pick(*_INTS)}){self.expr(INT)}",
            lambda: f"(int64){self.expr(BOOL)}",
            lambda: f"sizeof({self.choose(lambda: 'struct outer', lambda: 'int32', lambda: self.expr(INT))})",
            lambda: "offsetof(struct outer, in.letters)",
            lambda: f"strlen({self.expr(TEXT)})",
            lambda: (
                f"((struct outer *){self.expr(INT)})->{self.pick('a', 'b', 'in.bits', 'bytes[1]', 'next->a')}"
            ),
            lambda: f"*({self.expr(POINTER)})",
            lambda: f"({self.expr(POINTER)})[{self.pick('0', '1', '2')}]",
            lambda: f"({self.expr(PAIR)}).0",
            lambda: f"({self.expr(RECORD)}).n",
            lambda: "comptime (1 + 2)",
            lambda: f"({self.expr(TEXT)})[0]",
        )

    def bool_expr(self) -> str:
        made = self.any_expr(BOOL)
        if made is not None:
            return made
        compared = self.pick("==", "!=", "<", "<=", ">", ">=")
        return self.choose(
            lambda: f"({self.expr(INT)} {compared} {self.expr(INT)})",
            lambda: f"({self.expr(TEXT)} {self.pick('==', '!=')} {self.expr(TEXT)})",
            lambda: f"({self.expr(PAIR)} {self.pick('==', '!=')} {self.expr(PAIR)})",
            lambda: f"({self.expr(RECORD)} == {self.expr(RECORD)})",
            lambda: f"({self.expr(BOOL)} {self.pick('&&', '||')} {self.expr(INT)})",
            lambda: f"!{self.expr(BOOL)}",
            lambda: f"(bool){self.expr(INT)}",
            lambda: f"strcontains({self.expr(TEXT)}, {self.expr(TEXT)})",
        )

    def text_expr(self) -> str:
        made = self.any_expr(TEXT)
        if made is not None:
            return made
        return self.choose(
            lambda: f"str({self.expr(INT)})",
            lambda: f"str({self.expr(INT)}, {self.pick('4', '64')})",
            lambda: f"({self.expr(PAIR)}).1",
            lambda: f"({self.expr(RECORD)}).s",
            lambda: f"((struct inner *){self.expr(INT)})->letters",
            lambda: self.leaf(TEXT),
        )

    def pair_expr(self) -> str:
        return self.any_expr(PAIR) or f"({self.expr(INT)}, {self.expr(TEXT)})"

    def triple_expr(self) -> str:
        made = self.any_expr(TRIPLE)
        return made or f"({self.expr(INT)}, ({self.expr(INT)}, {self.expr(BOOL)}), {self.expr(INT)})"

    def record_expr(self) -> str:
        return self.any_expr(RECORD) or self.choose(
            lambda: f"(n={self.expr(INT)}, s={self.expr(TEXT)})",
            lambda: f"(s={self.expr(TEXT)}, n={self.expr(INT)})",
        )

    def pointer_expr(self) -> str:
        return self.any_expr(POINTER) or self.choose(
            lambda: f"((int32 *){self.expr(INT)})",
            lambda: f"({self.expr(POINTER)} {self.pick('+', '-')} {self.expr(INT)})",
        )
