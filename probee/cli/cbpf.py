"""`probee cbpf`: classic BPF: show, check, convert, explain, compile; seccomp filters."""

from __future__ import annotations

import sys

from ..base.errors import UsageError
from .files import parse_words, read_input, unknown_form, write_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..isa.cbpf.insn import Sock

USAGE = """\
USAGE:
    probee cbpf show    [-f FORM] [FILE | -]     write a filter in another form
    probee cbpf check   [--seccomp] [FILE | -]   say what the kernel would refuse
    probee cbpf convert [-f FORM] [-l LEVEL] [-o FILE] [FILE | -]
                                                 the same as extended BPF (forms of `probee asm`)
    probee cbpf explain [-l LEVEL] [FILE | -]    both side by side, and what changed where
    probee cbpf compile [-f FORM] [-y LINK] [-O] EXPRESSION
                                                 a filter expression, by libpcap (-O: don't optimise)
    probee cbpf seccomp [-a ARCH] [FILE | - | -p PID]
                                                 names of calls and actions, and what is allowed

FORM is listing (tcpdump -d, default), c (-dd), decimal (-ddd), line (bpf_asm, xt_bpf, cls_bpf), asm (what
bpf_asm reads), meaning, or raw (struct sock_filter). Whatever FILE holds of these is found out. LEVEL is the
cpu level, 1 to 4.
"""


def main(arguments: list[str]) -> int:
    """Run the command; the exit status. Raises ProbeeError."""
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0
    command = COMMANDS.get(arguments[0])
    if command is None:
        raise UsageError(f"unknown command {arguments[0]!r}", hint=f"one of {', '.join(COMMANDS)}")
    return command(arguments[1:])


def _read_filter(words: Sequence[str]) -> list[Sock]:
    from ..isa.cbpf.text import parse_filter

    name, data = read_input(words)
    return parse_filter(data, path=name)


def _write_filter(insns: Sequence[Sock], form: str, path: str | None = None) -> None:
    from ..isa.cbpf.insn import encode_filter
    from ..isa.cbpf.text import RENDERERS, render_meaning

    if form == "raw":
        write_output(path, encode_filter(insns))
        return
    if form == "meaning":
        text = "\n".join(f"({index:03d}) {render_meaning(insn, index)}" for index, insn in enumerate(insns))
    elif form in RENDERERS:
        text = RENDERERS[form](insns)
    else:
        raise unknown_form(form, (*RENDERERS, "meaning", "raw"))
    write_output(path, f"{text}\n".encode())


def _level(options: dict[str, str]) -> int:
    text = options.get("-l", "3")
    if text not in ("1", "2", "3", "4"):
        raise UsageError(f"expected a cpu level of 1 to 4, got {text!r}")
    return int(text)


def show(arguments: list[str]) -> int:
    options, words = parse_words(arguments, "f:o:", USAGE)
    _write_filter(_read_filter(words), options.get("-f", "listing"), options.get("-o"))
    return 0


def check(arguments: list[str]) -> int:
    from ..isa.cbpf.check import check_filter, check_seccomp

    options, words = parse_words(arguments, "", USAGE, ("seccomp",))
    insns = _read_filter(words)
    (check_seccomp if "--seccomp" in options else check_filter)(insns)
    print(f"{len(insns)} instructions, nothing to refuse")
    return 0


def convert(arguments: list[str]) -> int:
    from ..isa.cbpf.convert import convert_filter
    from ..isa.ebpf import encode
    from .asm import FORMS

    options, words = parse_words(arguments, "f:l:o:", USAGE)
    form = options.get("-f", "kernel")
    insns = convert_filter(_read_filter(words), level=_level(options)).insns
    if form == "raw":
        write_output(options.get("-o"), encode(insns))
        return 0
    if form not in FORMS:
        raise unknown_form(form, ("raw", *FORMS))
    write_output(options.get("-o"), f"{FORMS[form](insns)}\n".encode())
    return 0


def explain(arguments: list[str]) -> int:
    from ..isa.cbpf.explain import explain_filter

    options, words = parse_words(arguments, "l:", USAGE)
    print(explain_filter(_read_filter(words), level=_level(options)))
    return 0


def compile_expression(arguments: list[str]) -> int:
    from ..isa.cbpf.insn import decode_filter
    from ..kernel.libpcap import compile_filter

    options, words = parse_words(arguments, "f:y:o:O", USAGE)
    if not words:
        raise UsageError(
            "expected a filter expression, got nothing", hint="probee cbpf compile 'tcp port 80'"
        )
    code = compile_filter(" ".join(words), link=options.get("-y", "EN10MB"), optimise="-O" not in options)
    _write_filter(decode_filter(code), options.get("-f", "listing"), options.get("-o"))
    return 0


def seccomp(arguments: list[str]) -> int:
    from ..isa.cbpf.insn import decode_filter
    from ..isa.cbpf.seccomp import explain_seccomp, render_seccomp
    from ..isa.cbpf.syscalls import Arch

    options, words = parse_words(arguments, "p:a:", USAGE)
    name = options.get("-a", "X86_64").upper()
    if name not in Arch.__members__:
        known = ", ".join(arch.name.lower() for arch in Arch)
        raise UsageError(f"unknown architecture {name.lower()!r}", hint=f"one of {known}")
    if "-p" in options:
        from ..kernel.seccomp import read_filters
        from .options import parse_pid

        if words:
            raise UsageError("expected a process id or a file, got both")
        filters = [decode_filter(code) for code in read_filters(parse_pid(options["-p"]))]
    else:
        filters = [_read_filter(words)]
    parts = [f"{render_seccomp(insns)}\n\n{explain_seccomp(insns, Arch[name])}" for insns in filters]
    print("\n\n".join(parts))
    return 0


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "show": show,
    "check": check,
    "convert": convert,
    "explain": explain,
    "compile": compile_expression,
    "seccomp": seccomp,
}
