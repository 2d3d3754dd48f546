"""The verifier's log, read: why a program was refused, and at which instruction.

Two shapes are known. Up to 7.2 the log ends with one line that says why, below the instruction it
is about. Since Linux commit ce7c9f6c599b (in v7.3) that line is followed by a report with the
headings `Verification failed:`, `Reason:`, `At:` and `Suggestion:`, which is preferred.
"""

from __future__ import annotations

import re

from ..base.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.source import Span
    from ..spec.bundle import LineInfo

_INSN = re.compile(r"^\s*(\d+): \([0-9a-f]{2}\) ", re.M)
_INSN_IN_WORDS = re.compile(r"\binsn (\d+)")
# Lines that are never the reason: statistics, state dumps, source lines, instructions.
_NOISE = re.compile(
    r"processed \d+ insns|verification time|stack depth|mark_precise|max_states|"
    r"\s*;|\s*\d+: |from \d+ to \d+|last_idx|regs=|parent |func#|caller:|callee:|R\d+(_\w+)?=|"
    r"live regs before|insn +\d+: live|Func#|arg#"
)

_WORDS = (
    (r"R(\d+) !read_ok", r"register r\1 is read before it is set"),
    (r"R\d+ invalid mem access '\w+_or_null'", "a pointer that may be null is used unchecked"),
    (r"R\d+ invalid mem access '(scalar|inv)'", "a number is used as an address"),
    (r"R\d+ (unbounded memory access|min value is negative)", "an index may be out of bounds"),
    (r"(?:R\d+ )?(?:max value is outside|invalid access to map value)", "an access may leave its map value"),
    (r"invalid (?:.*)stack .*off", "an access leaves the stack, or reads it unset"),
    (r"(back-edge from insn|infinite loop detected)", "a loop may never end"),
    (r"BPF program is too large", "the program has too many paths for the verifier to follow"),
    (r"The sequence of \d+ jumps is too complex", "the program has too many branches in a row"),
    (r"combined stack size of", "the program needs more than 512 bytes of stack"),
    (r"unreachable insn (\d+)", r"instruction \1 can never be reached"),
    (r"(?:invalid|unknown) func unknown#(\d+)", r"this kernel does not know helper \1"),
    (r"(?:invalid|unknown) func (\S+)#\d+", r"this kernel has no helper \1 for this kind of program"),
    (r"program of this type cannot use helper (\S+)#\d+", r"this kind of program has no helper \1"),
    (r"cannot call GPL-restricted function", "a helper is reserved for programs under the GPL"),
)
"""The start of a line of the kernel's → the same for people."""


@record
class Verdict:
    """Why a program was refused: the `reason` in words, the instruction `slot` (-1: unknown), a `hint`."""

    reason: str = ""
    slot: int = -1
    hint: str | None = None


def parse_log(log: str) -> Verdict:
    """The verdict in a whole log; empty where the log says nothing."""
    report = _parse_report(log)
    if report is not None:
        return report
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = [line for line in lines if not _NOISE.match(line)]
    if not said:
        return Verdict("", _last_slot(log, ""))
    return Verdict(_reason(said[-1]), _last_slot(log, said[-1]))


def find_span(lines: Sequence[LineInfo], slot: int) -> Span | None:
    """The span that instruction `slot` was made for, or None."""
    span = None
    for line in lines:
        if line.slot > slot:
            break
        span = line.span
    return span


def _parse_report(log: str) -> Verdict | None:
    start = log.rfind("Verification failed:")
    if start < 0:
        return None
    sections: dict[str, list[str]] = {}
    heading = ""
    for line in log[start:].splitlines():
        if line[:1].isalpha():
            heading, _, rest = line.partition(":")
            sections[heading] = [rest.strip()] if rest.strip() else []
        elif line.strip() and heading:
            sections[heading].append(line.strip())
    title = " ".join(sections["Verification failed"])
    reason = " ".join(sections.get("Reason", ())) or title
    at = _INSN_IN_WORDS.search(" ".join(sections.get("At", ())))
    slot = int(at.group(1)) if at else _last_slot(log[:start], "")
    return Verdict(reason, slot, " ".join(sections.get("Suggestion", ())) or None)


def _last_slot(log: str, reason: str) -> int:
    """The instruction that was looked at last, or that the reason itself names."""
    slots = _INSN.findall(log)
    if slots:
        return int(slots[-1])
    named = _INSN_IN_WORDS.search(reason)
    return int(named.group(1)) if named else -1


def _reason(line: str) -> str:
    for pattern, words in _WORDS:
        found = re.match(pattern, line)
        if found:
            return f"{found.expand(words)} ({line})"
    return line
