"""probee under the name `bpftrace`: its command line, its words, its streams.

What differs from probee's own command line: there are no commands, wrong options print the usage, warnings of
the compiler go to standard output, `-d` shows stages and goes on, and the process itself is called bpftrace.
"""

from __future__ import annotations

import re
import sys

from .. import __version__
from ..base.errors import SourceError, UsageError
from ..base.record import replace
from .options import OptionError, parse_options

_HEADER = re.compile(r"'([^']+)' file not found")

NAME = "bpftrace"
VERSION = "v0.26.1"
"""The version of bpftrace that this is like."""

USAGE = """\
bpftrace - a high-level tracing language for Linux powered by BPF (this one is probee)

USAGE:
    bpftrace [options] filename
    bpftrace [options] - <stdin input>
    bpftrace [options] -e 'program'
    use -- after filename/-e 'program' for named script parameters

OPTIONS:
    -e 'program'   execute this program
    -l, --list [search|filename]
                   list kernel probes or probes in a program
    -v, --verbose  enable verbose messages; with -l, also show probe arguments
    -h, --help     show this help message
    -V, --version  bpftrace version
    --info         print information about kernel BPF support

    -p, --pid PID  filter actions and enable USDT probes on PID
    -c, --cmd CMD  run CMD and enable USDT probes on resulting process
    --dwarf-pid PID
                   accepted: processes need not be named to unwind them
    --usdt-file-activation
                   accepted: semaphores are always activated by file

    -o, --output FILE
                   redirect bpftrace output to FILE
    -f FORMAT      output format ('text', 'json', 'json-array', 'csv', 'folded')
    -B MODE        output buffering mode ('line', 'full', 'none')
    -q, --quiet    keep messages quiet
    -k, --warnings emit a warning when probe read helpers return an error
    --no-warnings  disable all warning messages

    -I DIR         add the directory to the include search path
    --include FILE add an #include file before preprocessing
    --debuginfo DIR[:DIR]
                   add directories to the debug info search path
    --traceable-functions FILE
                   load the list of traceable kernel functions from FILE

    --unsafe       allow unsafe/destructive functionality
    --no-feature FEATURE[,FEATURE]
                   disable use of detected features
                   ('kprobe_multi', 'kprobe_session', 'uprobe_multi')

DEVELOPER OPTIONS:
    --mode MODE    used for benchmarking and testing
                   ('codegen', 'compiler-bench', 'bench', 'test', 'format')
    --test         run all test: probes (same as --mode test)
    --bench        run all bench: probes (same as --mode bench)
    --probe-filter REGEX
                   only run probes whose name matches REGEX
    --fmt          format the input script and print it

TROUBLESHOOTING OPTIONS:
    --dry-run      terminate execution right after attaching all the probes
    --verify-llvm-ir
                   accepted: programs are made without LLVM
    -d, --debug STAGE
                   show stages of the compiler
                   ('all', 'parse', 'ast', 'types', 'codegen', 'codegen-opt', 'dis', 'libbpf', 'verifier')

Environment variables (BPFTRACE_MAX_STRLEN ...) and a script's config tune behavior.
"""


def main(arguments: list[str]) -> int:
    """Run as bpftrace would; the exit status. Raises ProbeeError."""
    from ..kernel.title import rename_process

    rename_process(NAME, [sys.argv[0], *arguments])
    if not arguments:
        sys.stderr.write(USAGE)
        return 1
    try:
        options = replace(parse_options(arguments), compatible=True)
    except OptionError as error:
        if not error.getopt:
            raise UsageError(f"USAGE: {error.message}") from None
        sys.stderr.write(f"{NAME}: {error.getopt}\n{USAGE}")
        return 1
    if options.help:
        sys.stdout.write(USAGE)
        return 0
    if options.version:
        sys.stdout.write(f"{NAME} {VERSION} (probee v{__version__})\n")
        return 0
    if options.program is None and not options.words and not (options.listing or options.info):
        raise UsageError("USAGE: filename or -e 'program' required.")
    from .trace import run

    try:
        return run(options)
    except SourceError as error:
        _tell_missing(error)
        raise


def _tell_missing(error: SourceError) -> None:
    """Say of headers that are not there what a C compiler would say, which scripts look for."""
    for diagnostic in error.diagnostics:
        found = _HEADER.search(diagnostic.message)
        if found and diagnostic.span is not None:
            line = diagnostic.span.line + 1
            column = diagnostic.span.source.line(line - 1).find(found[1])
            sys.stderr.write(f"definitions.h:{line}:{column}: fatal error: {found[0]}\n")
