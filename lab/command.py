"""The command line of `scripts/guest`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from probee.base.errors import ProbeeError

from .guest import LOST, run_guest
from .kernel import open_kernel
from .machine import Settings
from .wire import Job

ABOUT = """\
Runs a command as root in a guest: QEMU boots KERNEL on this machine's own root, read-only, under a layer
of memory that takes what is written. KERNEL is 6.1 or the like, that scripts/guest-kernel fetched, or the
path of a folder that Debian's packages of one were unpacked in.

stdin, stdout and stderr are carried. The exit status is the command's, 128+N for signal N, 124 when the time
is up, 125 when the guest did not start or died: then its console is on stderr.
"""


def main(arguments: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options = _parser().parse_args(arguments[:split])
    job = Job(
        arguments[split + 1 :] or ["/bin/sh"],
        os.path.abspath(options.cwd),
        dict(map(_variable, options.env)),
        [_pair(text) for text in options.bind],
        options.rw,
    )
    modules = tuple(filter(None, options.modules.split(",")))
    settings = Settings(options.cpus, options.memory, modules, options.append)
    try:
        return run_guest(job, open_kernel(options.kernel), settings, options.timeout, cold=options.cold)
    except ProbeeError as error:
        print(error.render(), file=sys.stderr)
        return LOST


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="guest",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s KERNEL [options] -- COMMAND...",
    )
    add = parser.add_argument
    add("kernel", metavar="KERNEL")
    add("--rw", type=Path, metavar="FOLDER", help="what is written under it is kept")
    add("--bind", action="append", default=[], metavar="HOST[:GUEST]", help="show this path there, too")
    add("--env", action="append", default=[], metavar="NAME[=VALUE]", help="without a value: that of here")
    add("--cwd", default=".", metavar="FOLDER", help="where the command runs (here)")
    add("--timeout", type=float, default=300, metavar="SECONDS", help="of all, the boot included (300)")
    add("--modules", default="", metavar="NAME,...", help="loaded at boot, which needs no modprobe")
    add("--append", default="", metavar="TEXT", help="more parameters of the kernel")
    add("--cpus", type=int, default=2, metavar="N", help="(2)")
    add("--memory", default="2G", metavar="SIZE", help="(2G)")
    add("--cold", action="store_true", help="boot, and save no booted machine for the next time")
    return parser


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    return name, value if equals else os.environ.get(name, "")


def _pair(text: str) -> tuple[str, str]:
    source, _, target = text.partition(":")
    return os.path.realpath(source), target or os.path.abspath(source)
