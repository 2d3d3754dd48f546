"""`probee -e PROGRAM`, `probee FILE`: compile a script, make it live, and print what it says."""

from __future__ import annotations

import os
import sys

from ..base.errors import TargetError, UsageError
from ..base.source import Source
from ..render.sink import Sink
from .options import USAGE, Options, parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..bt.compile import Dump
    from ..render.output import Output
    from ..session import Session
    from ..spec.bundle import Bundle, Compiled
    from ..spec.target import Target
    from ..symbols.live import LiveSymbols
    from .live import Stop

    Script = tuple[Source, tuple[str, ...]]

_TRIALS = ("test", "bench")


def main(arguments: list[str]) -> int:
    """Run a script as the command line says; the exit status. Raises ProbeeError."""
    options = parse_options(arguments)
    if options.help:
        sys.stdout.write(USAGE)
        return 0
    if options.version:
        from .. import __version__

        sys.stdout.write(f"probee v{__version__}\n")
        return 0
    return run(options)


def run(options: Options) -> int:
    """Do what the options say; the exit status. Raises ProbeeError."""
    if options.info:
        from .info import show_info

        show_info(options.without)
        return 0
    if options.listing and options.program is None and not _is_file(options.words):
        from .list import list_probes, split_patterns

        patterns = split_patterns(options.words)
        return list_probes(
            patterns,
            options.pid,
            verbose=options.verbose,
            debug_roots=options.debug_roots,
            lenient=options.compatible,
        )
    script = _read_source(options)
    if options.mode == "format":
        from .fmt import print_formatted

        return print_formatted(script[0], options.output)
    if options.listing:
        from .list import list_program

        return list_program(
            *script,
            options.pid,
            verbose=options.verbose,
            debug_roots=options.debug_roots,
            lenient=options.compatible,
        )
    if options.mode == "compiler-bench":
        from .stages import measure_compiler

        measure_compiler(script, options)
        return 0
    if options.stages and not (options.compatible and set(options.stages) <= {"verifier"}):
        from .stages import show_stages

        show_stages(script, options)
        if not options.compatible:
            return 0
    return _trace(script, options)


def _is_file(words: Sequence[str]) -> bool:
    return bool(words) and os.path.isfile(words[0])


def _read_source(options: Options) -> Script:
    """The script, and the words that are its parameters."""
    if options.program is not None:
        return Source("stdin", options.program), options.words
    if not options.words:
        raise UsageError("expected a FILE or -e PROGRAM, got nothing", hint="probee --help")
    name, *params = options.words
    if name == "-":
        data = sys.stdin.buffer.read()
        name = "stdin"
    else:
        try:
            with open(name, "rb") as file:
                data = file.read()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise UsageError(f"failed to open file '{name}': {reason}") from None
    return Source(name, data.decode("utf-8", "surrogateescape")), tuple(params)


def compile_asked(
    script: Script, target: Target, options: Options, pid: int = 0, dump: Dump | None = None
) -> Compiled:
    """The script, compiled as the options say; `dump` as of `compile_source`.

    Raises SourceError, TargetError, UsageError.
    """
    from ..session import asked_settings, compile_source
    from ..spec.asked import Asked

    asked = Asked(
        named=options.named,
        settings=asked_settings(),
        include_folders=options.include_folders,
        include_files=options.include_files,
        probes=options.probe_filter,
        lookups=options.lookups,
    )
    source, params = script
    return compile_source(
        source, target, params=params, pid=pid, unsafe=options.unsafe, asked=asked, dump=dump
    )


def survey_asked(options: Options) -> Target:
    """This system, as far as the options let it be known. Raises UsageError."""
    from ..session import survey_system

    return survey_system(options.debug_roots, traceable=options.traceable, without=options.without)


def _trace(script: Script, options: Options) -> int:
    target = survey_asked(options)
    _check_pid(options.pid, target)
    from .live import Command, Run, Stop

    with _Files(options) as files, Command(options.command, plain=options.compatible) as command:
        compiled = compile_asked(script, target, options, options.pid or command.pid)
        _show_warnings(compiled, options)
        bundle = compiled.bundle
        if options.aot:
            from .aot import write_command

            write_command(script[0], options)
            return 0
        if options.mode == "codegen":
            return 0
        if not bundle.links:
            if not options.quiet:
                os.write(1, b"No probes to attach\n")
            return 1
        from ..attach.machine import LiveMachine
        from ..session import Session, open_symbols

        symbols = open_symbols(bundle)
        stop = Stop()
        output = files.make_output(bundle, symbols, stop)
        show_log = options.verbose or "verifier" in options.stages
        log_size = int(dict(bundle.config).get("log_size", 0))
        machine = LiveMachine(verbose=show_log, log_size=log_size)
        with Session(bundle, machine, output.form) as session:
            session.load()
            if show_log:
                _show_logs(session, files.err)
            if options.dry_run:
                return 0
            if options.mode in _TRIALS:
                from .trials import run_trials

                return run_trials(session, output, files.out, options)
            return Run(session, machine, output, options, command, symbols, stop).run()


def _check_pid(pid: int, target: Target) -> None:
    if pid and target.files is not None and not target.files.process_exists(pid):
        raise TargetError(f"no process has the id {pid}")


def _show_warnings(compiled: Compiled, options: Options) -> None:
    """What the compiler warns of: on standard error, or where bpftrace says it."""
    if not options.warnings or not compiled.warnings:
        return
    sink = Sink(1, "stdout") if options.compatible else Sink(2, "stderr", optional=True)
    for warning in compiled.warnings:
        sink.write(warning.render().encode("utf-8", "backslashreplace") + b"\n")
    sink.flush()


def _show_logs(session: Session, err: Sink) -> None:
    for name, log in session.logs():
        err.write(f"verifier's log of {name}:\n{log}\n".encode("utf-8", "backslashreplace"))
    err.flush()


class _Files:
    """The descriptors that output goes to, for as long as the run lasts."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._fd = -1
        self.err = Sink(2, "stderr", optional=True)
        self.out = Sink(1, "stdout")

    def __enter__(self) -> _Files:
        path, hold = self._options.output, self._options.buffering == "full"
        if path:
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
            except OSError as error:
                reason = os.strerror(error.errno or 0)
                raise UsageError(f'Failed to open output file: "{path}": {reason}') from None
        fd, name = (self._fd, path) if path else (1, "stdout")
        if self._options.format == "json-array":
            from ..render.array import ArraySink

            self.out = ArraySink(fd, name, hold=hold)
        else:
            self.out = Sink(fd, name, hold=hold)
        return self

    def make_output(self, bundle: Bundle, symbols: Callable[[], LiveSymbols], stop: Stop) -> Output:
        """The output that was asked for."""
        from .facts import make_context

        options = self._options
        config = dict(bundle.config)
        context = make_context(symbols, warnings=options.warnings, config=config, is_over=stop.asked)
        if options.format in ("json", "json-array"):
            from ..render.json import JsonOutput

            return JsonOutput(self.out, context)
        if options.format in ("csv", "folded"):
            from ..render.tables import TABLES

            return TABLES[options.format](self.out, self.err, context)
        from ..render.text import TextOutput

        return TextOutput(self.out, self.err, context)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.out.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
