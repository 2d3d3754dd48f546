"""Seccomp filters: disassembly with the names of system calls, arguments and actions; what is allowed.

A filter sees a struct seccomp_data: the call's number, the architecture, the instruction pointer and
six arguments. `explain_seccomp` follows every path for each system call that has a name, arguments
left open, so it says of each what happens and on what that depends.
"""

from __future__ import annotations

import errno
from enum import IntEnum

from ...base.errors import FormatError
from ...base.record import record
from .check import check_seccomp
from .insn import ABSOLUTE, JUMPS, Op, Sock
from .syscalls import Arch, find_arch, find_syscall, list_syscalls
from .text import render_meaning, render_sock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NUMBER, ARCH, ARGUMENTS = 0, 4, 16
MAX_PATHS = 20_000
"""Paths that are followed for one system call before it is called too complicated."""


class Action(IntEnum):
    """SECCOMP_RET_*, the upper half of what a filter returns."""

    KILL_PROCESS = 0x80000000
    KILL_THREAD = 0x00000000
    TRAP = 0x00030000
    ERRNO = 0x00050000
    USER_NOTIF = 0x7FC00000
    TRACE = 0x7FF00000
    LOG = 0x7FFC0000
    ALLOW = 0x7FFF0000


def render_action(value: int) -> str:
    """`ERRNO(EPERM)`, `ALLOW` …; actions the kernel doesn't know are killed."""
    data = value & 0xFFFF
    if value & 0xFFFF0000 not in Action._value2member_map_:
        return f"{value:#x} (unknown: KILL_PROCESS)"
    action = Action(value & 0xFFFF0000)
    if action == Action.ERRNO:
        return f"ERRNO({errno.errorcode.get(data, data)})"
    return f"{action.name}({data})" if data and action in (Action.TRACE, Action.TRAP) else action.name


def render_field(offset: int) -> str:
    """The name of the 4 bytes at `offset` of struct seccomp_data."""
    if offset < ARGUMENTS:
        return ("nr", "arch", "ip.low", "ip.high")[offset // 4]
    return f"args[{(offset - ARGUMENTS) // 8}].{'high' if offset % 8 else 'low'}"


# -- disassembly ----------------------------------------------------------------------------------


def render_seccomp(insns: Sequence[Sock]) -> str:
    """A listing with what every instruction means. FormatError for what seccomp refuses."""
    check_seccomp(insns)
    holds = _find_held(insns)
    archs = _find_archs(insns, holds)
    lines = []
    for index, insn in enumerate(insns):
        listed = f"({index:03d}) {render_sock(insn, index)}".replace("\t", " ")
        lines.append(f"{listed:<46} {_describe(insn, index, holds[index], archs[index])}".rstrip())
    return "\n".join(lines)


def _describe(insn: Sock, index: int, field: int | None, arch: int | None) -> str:
    if insn.code in ABSOLUTE:
        return f"A = {render_field(insn.k)}"
    if insn.code == Op.RET_K:
        return f"return {render_action(insn.k)}"
    name = None
    if insn.code in JUMPS and not insn.code & 8:
        if field == NUMBER:
            name = find_syscall(Arch.X86_64 if arch is None else arch, insn.k)
        elif field == ARCH:
            found = find_arch(insn.k)
            name = found.name if found is not None else None
    text = render_meaning(insn, index)
    if field is not None and insn.code in JUMPS:
        text = text.replace("(A ", f"({render_field(field)} ", 1)
    return text if name is None else text.replace(f"{insn.k:#x})", f"{name})", 1)


def _find_held(insns: Sequence[Sock]) -> list[int | None]:
    """For each instruction the field of seccomp_data that is in A before it on all paths, or None."""
    before: list[set[int | None]] = [set() for _ in insns]
    before[0].add(None)
    for index, insn in enumerate(insns):
        here = next(iter(before[index])) if len(before[index]) == 1 else None
        after = insn.k if insn.code in ABSOLUTE else _kept(here, insn)
        for target, _ in _ways(insn, index):
            before[target].add(after)
    return [next(iter(values)) if len(values) == 1 else None for values in before]


def _kept(held: int | None, insn: Sock) -> int | None:
    loads_a = insn.code & 7 == 4 or insn.code in (Op.LD_IMM, Op.LD_MEM, Op.LD_LEN, Op.TXA)
    return None if loads_a else held


def _find_archs(insns: Sequence[Sock], holds: list[int | None]) -> list[int | None]:
    """For each instruction the architecture the paths to it have been tested for, or None."""
    known: list[set[int | None]] = [set() for _ in insns]
    known[0].add(None)
    for index, insn in enumerate(insns):
        here = known[index]
        for target, yes in _ways(insn, index):
            tested = insn.code == Op.JEQ_K and holds[index] == ARCH and yes
            known[target] |= {insn.k} if tested else here
    return [next(iter(archs)) if len(archs) == 1 else None for archs in known]


def _ways(insn: Sock, index: int) -> Iterator[tuple[int, bool]]:
    """Where control may go, and whether by a condition that held."""
    if insn.code in JUMPS:
        yield index + 1 + insn.jt, True
        yield index + 1 + insn.jf, False
    elif insn.code == Op.JA:
        yield index + 1 + insn.k, False
    elif insn.code not in (Op.RET_K, Op.RET_A):
        yield index + 1, False


# -- what is allowed ------------------------------------------------------------------------------


@record
class _Field:
    """A value that isn't known: a field of seccomp_data, perhaps with something done to it."""

    text: str


@record
class _State:
    """Where a path is: the instruction, A, X, scratch memory, and the conditions it took."""

    at: int
    a: int | _Field
    x: int | _Field
    cells: tuple[int | _Field, ...]
    conditions: tuple[str, ...]


@record
class Verdict:
    """What happens to one system call: actions by the conditions on its arguments they need."""

    outcomes: tuple[tuple[tuple[str, ...], str], ...]

    @property
    def action(self) -> str | None:
        """The only action there is, or None when it depends on the arguments."""
        actions = {action for _, action in self.outcomes}
        return next(iter(actions)) if len(actions) == 1 else None


def find_verdict(insns: Sequence[Sock], arch: int, number: int) -> Verdict:
    """What a filter does with system call `number` of `arch`, whatever its arguments are."""
    known = {NUMBER: number, ARCH: arch}
    outcomes: dict[tuple[tuple[str, ...], str], None] = {}
    pending = [_State(0, 0, 0, (0,) * 16, ())]
    paths = 0
    while pending:
        state = pending.pop()
        ended = False
        while not ended:
            insn = insns[state.at]
            if insn.code in (Op.RET_K, Op.RET_A):
                value = insn.k if insn.code == Op.RET_K else state.a
                text = render_action(value) if isinstance(value, int) else f"returns {value.text}"
                outcomes[state.conditions, text] = None
                paths += 1
                if paths > MAX_PATHS:
                    raise FormatError(f"system call {number} takes more than {MAX_PATHS} paths")
                ended = True
            elif insn.code in JUMPS:
                ways = _branch(insn, state)
                state, *others = ways
                pending += others
            else:
                state = _step(insn, state, known)
    return Verdict(tuple(outcomes))


_SIGNS = {Op.JEQ_K: ("==", "!="), Op.JGT_K: (">", "<="), Op.JGE_K: (">=", "<")}


def _branch(insn: Sock, state: _State) -> list[_State]:
    right = state.x if insn.code & 8 else insn.k
    yes, no = state.at + 1 + insn.jt, state.at + 1 + insn.jf
    left = state.a
    op = Op(insn.code & ~8)
    if isinstance(left, int) and isinstance(right, int):
        answers = {Op.JEQ_K: left == right, Op.JGT_K: left > right, Op.JGE_K: left >= right}
        taken = answers.get(op, left & right != 0)
        return [_moved(state, yes if taken else no)]
    if yes == no:
        return [_moved(state, yes)]
    a, b = _text(left), _text(right)
    if op == Op.JSET_K:
        held, failed = f"{a} & {b}", f"!({a} & {b})"
    else:
        held, failed = (f"{a} {sign} {b}" for sign in _SIGNS[op])
    # A condition taken before is not asked again, so that paths that can't be are not followed.
    if held in state.conditions:
        return [_moved(state, yes)]
    if failed in state.conditions:
        return [_moved(state, no)]
    return [_moved(state, yes, held), _moved(state, no, failed)]


def _text(value: int | _Field) -> str:
    return f"{value:#x}" if isinstance(value, int) else value.text


def _moved(state: _State, at: int, *conditions: str) -> _State:
    return _State(at, state.a, state.x, state.cells, (*state.conditions, *conditions))


def _step(insn: Sock, state: _State, known: dict[int, int]) -> _State:
    code, k = insn.code, insn.k
    a, x, cells = state.a, state.x, state.cells
    at = state.at + 1
    if code in ABSOLUTE:
        a = known.get(k, _Field(render_field(k)))
    elif code == Op.JA:
        at += k
    elif code in (Op.LD_IMM, Op.LD_LEN, Op.TXA, Op.LD_MEM):
        a = {Op.LD_IMM: k, Op.LD_LEN: 64, Op.TXA: x}.get(Op(code), cells[k & 15])
    elif code in (Op.LDX_IMM, Op.LDX_LEN, Op.TAX, Op.LDX_MEM):
        x = {Op.LDX_IMM: k, Op.LDX_LEN: 64, Op.TAX: a}.get(Op(code), cells[k & 15])
    elif code in (Op.ST, Op.STX):
        cells = (*cells[:k], a if code == Op.ST else x, *cells[k + 1 :])
    else:
        a = _calculate(code, a, x if code & 8 else k)
    return _State(at, a, x, cells, state.conditions)


_OPERATORS = {
    Op.ADD_K: "+",
    Op.SUB_K: "-",
    Op.MUL_K: "*",
    Op.DIV_K: "/",
    Op.AND_K: "&",
    Op.OR_K: "|",
    Op.XOR_K: "^",
    Op.LSH_K: "<<",
    Op.RSH_K: ">>",
}


def _calculate(code: int, a: int | _Field, b: int | _Field) -> int | _Field:
    if code == Op.NEG:
        return -a & 0xFFFFFFFF if isinstance(a, int) else _Field(f"-{a.text}")
    op = Op(code & ~8)
    if isinstance(a, _Field) or isinstance(b, _Field):
        return _Field(f"({_text(a)} {_OPERATORS[op]} {_text(b)})")
    results = {
        Op.ADD_K: a + b,
        Op.SUB_K: a - b,
        Op.MUL_K: a * b,
        Op.DIV_K: a // b if b else 0,
        Op.AND_K: a & b,
        Op.OR_K: a | b,
        Op.XOR_K: a ^ b,
        Op.LSH_K: a << (b & 31),
        Op.RSH_K: a >> (b & 31),
    }
    return results[op] & 0xFFFFFFFF


def explain_seccomp(insns: Sequence[Sock], arch: int = Arch.X86_64) -> str:
    """In words: per action the system calls that get it, then those whose arguments decide."""
    check_seccomp(insns)
    names = list_syscalls(arch)
    by_action: dict[str, list[str]] = {}
    depending: list[str] = []
    for number, name in sorted(names.items()):
        verdict = find_verdict(insns, arch, number)
        if verdict.action is not None:
            by_action.setdefault(verdict.action, []).append(name)
            continue
        depending.append(f"  {name}:")
        depending += [f"    {action} if {' and '.join(why) or 'always'}" for why, action in verdict.outcomes]
    other = find_verdict(insns, arch, 0x3FFFFFFF)
    lines = [f"On {Arch(arch).name}:"]
    for action, calls in sorted(by_action.items(), key=lambda item: len(item[1])):
        lines.append(f"{action}: {', '.join(calls)}")
    if depending:
        lines += ["By their arguments:", *depending]
    if other.action is not None:
        lines.append(f"Numbers without a name: {other.action}")
    foreign = find_verdict(insns, 0, 0)
    if foreign.action is not None:
        lines.append(f"Other architectures: {foreign.action}")
    return "\n".join(lines)
