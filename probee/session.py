"""One run: a compiled script made live on a machine, from its first probe to its last map.

A `Session` is told when to go on and when to stop; where output goes and what signals mean is its
caller's business. Whatever it makes, `close` takes away again, also after an exception.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from .base.errors import AttachError, FeatureError, ProbeeError, TargetError, UsageError
from .base.record import replace
from .events.batch import Decoder
from .events.losses import Losses
from .events.maps import open_variable
from .events.stream import Stream
from .spec.asked import NOTHING
from .spec.bundle import KprobeLink, Special, UprobeLink, WatchLink
from .spec.values import Hist, LHist

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Self

    from .base.source import Source
    from .bt.compile import Dump
    from .events.batch import Batch
    from .events.decode import Form
    from .events.maps import MapReader
    from .events.stream import Ring
    from .kernel.files import LiveFiles
    from .render.output import Output
    from .spec.asked import Asked
    from .spec.bundle import Bundle, Compiled, Counter, Link
    from .spec.machine import LinkHandle, Machine, MapHandle, ProgramHandle, RingHandle
    from .spec.target import Target
    from .symbols.live import LiveSymbols

SIGNALS = ("SIGUSR1",)
"""Signals that a script may have a probe for."""

TRIALS = ("test", "bench")
"""Events of programs that run only when tests or benchmarks are asked for."""

_FIRE_IN_REVERSE = (UprobeLink, KprobeLink)
"""Links whose kernel hooks run the last attached first."""

_BUSY = 64
"""Events in one pump from which on the next is put off a little, so that programs need not wake us."""

_PAUSE = 0.002
"""Seconds that it is put off: less than a ring takes to fill at a few million events a second."""

MAP_FULL = (
    "Map full; can't update element. Try increasing max_map_keys config or manually setting the max "
    "entries in a map declaration e.g. `let @a = hash(5000)`"
)
DIVIDED_BY_ZERO = (
    "Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result."
)
OUT_OF_BOUNDS = "Array access out of bounds. This can lead to unexpected results."
LOOP_LIMIT = "A loop ended early: it went round as often as this kernel allows."
NO_UNWIND_TABLE = "No DWARF unwind data available for this process. Its stack was taken by frame pointers."
_WARNINGS = {
    "div0": DIVIDED_BY_ZERO,
    "loop_limit": LOOP_LIMIT,
    "out_of_bounds": OUT_OF_BOUNDS,
    "no_unwind_table": NO_UNWIND_TABLE,
}
_LOSSES = frozenset({"lost", "nesting"})
_LOOKUP = "map_lookup_elem"
LOOKUP_FAILED = "Can't lookup map element because it does not exist."
_MOST_FAILURES = 16
"""Failures at one place that are told one by one each time that is looked at."""


def measure_tai_offset() -> int:
    """Nanoseconds from the monotonic clock to TAI: read between two readings of the former, of five times
    the one that took least."""
    tries = []
    for _ in range(5):
        before = time.monotonic_ns()
        tai = time.clock_gettime_ns(time.CLOCK_TAI)
        after = time.monotonic_ns()
        tries.append((after - before, tai - (before + after) // 2))
    return min(tries)[1]


def survey_system(
    debug_roots: tuple[str, ...] = (), *, traceable: str | None = None, without: tuple[str, ...] = ()
) -> Target:
    """The facts of the running system that a compiler needs. `debug_roots`: as of `open_files`.

    `traceable` is a file that names the kernel's traceable functions, instead of the kernel's own; `without`
    are features that are not to be used.
    """
    from .kernel.survey import survey

    target = survey(os.environ.get("PATH", os.defpath), cache_folder())
    changes: dict[str, Any] = {"files": open_files(debug_roots)}
    if traceable is not None:
        from .kernel.names import LiveNames

        if not os.access(traceable, os.R_OK):
            raise UsageError(f"Failed to open kernel function info: {traceable}")
        changes["names"] = LiveNames(traceable)
    if without:
        unused = {*without, "uprobe_multi_pid" if "uprobe_multi" in without else ""}
        changes["features"] = target.features - unused
    return replace(target, **changes)


def asked_settings() -> tuple[tuple[str, str], ...]:
    """Settings of the environment: BPFTRACE_MAX_STRLEN=64 is ("max_strlen", "64")."""
    prefix = "BPFTRACE_"
    found = [(name, value) for name, value in os.environ.items() if name.startswith(prefix)]
    return tuple(sorted([(name[len(prefix) :].lower(), value) for name, value in found]))


def open_files(debug_roots: tuple[str, ...] = ()) -> LiveFiles:
    """The binaries of the running system; `debug_roots` are folders with debug files, besides the usual ones.

    Debug files that are nowhere here are asked of the servers that DEBUGINFOD_URLS names.
    """
    from .kernel.files import LiveFiles

    path = os.environ.get("PATH", os.defpath)
    inflated = os.path.join(cache_folder(), "debug")
    return LiveFiles(path, debug_roots=debug_roots, fetch=_fetch_debug, demangle=_demangle, inflated=inflated)


def _fetch_debug(build_id: bytes) -> str | None:
    urls = os.environ.get("DEBUGINFOD_URLS", "").split()
    if not urls:
        return None
    from .debuginfod import fetch_debug

    return fetch_debug(build_id, urls, os.path.join(cache_folder(), "debuginfod"), now=time.time())


def _demangle(name: str) -> str:
    from .symbols.demangle import demangle

    return demangle(name)


def cache_folder() -> str:
    """Where what is known of this kernel is kept between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "probee")


def compile_source(
    source: Source,
    target: Target,
    *,
    params: tuple[str, ...] = (),
    pid: int = 0,
    unsafe: bool = False,
    asked: Asked = NOTHING,
    dump: Dump | None = None,
) -> Compiled:
    """Compile a script for `target`, or take what an earlier run made of the same.

    `pid`: see that process only. `unsafe`: functions that change the system are allowed. `asked`: what else
    the user wants. With `dump`, it is always compiled. Raises SourceError, TargetError, UsageError.
    """
    from .cache import Cache, make_key
    from .kernel.files import LiveFiles
    from .kernel.names import LiveNames
    from .kernel.types import LiveTypes

    files, names, types = target.files, target.names, target.types
    if (
        dump is not None
        or not isinstance(files, LiveFiles)
        or not isinstance(names, LiveNames)
        or not isinstance(types, LiveTypes)
    ):
        return _compile(source, target, params, pid, unsafe, asked, dump)
    cache = Cache(os.path.join(cache_folder(), "scripts"))
    key = make_key(source, params, pid, target, unsafe, asked)

    def holds(evidence: Any) -> bool:
        return files.holds(evidence[0]) and names.holds(evidence[1]) and types.holds(evidence[2])

    compiled = cache.find(key, pid, holds)
    if compiled is None:
        compiled = _compile(source, target, params, pid, unsafe, asked, None)
        files.flush()
        evidence = files.evidence
        # The key anew: by now Python may have written the compiler's own bytecode, which the key tells of.
        if evidence is not None:
            key = make_key(source, params, pid, target, unsafe, asked)
            cache.keep(key, (evidence, names.evidence, types.evidence), compiled)
    return compiled


def _compile(
    source: Source,
    target: Target,
    params: tuple[str, ...],
    pid: int,
    unsafe: bool,
    asked: Asked,
    dump: Dump | None,
) -> Compiled:
    from .bt.compile import compile_script

    return compile_script(source, target, params=params, pid=pid, unsafe=unsafe, asked=asked, dump=dump)


def open_symbols(bundle: Bundle) -> Callable[[], LiveSymbols]:
    """Who names addresses of this system, in what `bundle` prints; made when it is called first."""
    made: list[LiveSymbols] = []

    def find() -> LiveSymbols:
        if not made:
            from .symbols.live import LiveSymbols

            made.append(LiveSymbols(bundle))
        return made[0]

    return find


def count_probes(links: Sequence[Link]) -> int:
    """How many probes these are: one may be at many places, of which each has its own link."""
    at_places = [link for link in links if isinstance(link, UprobeLink)]
    return len(links) - len(at_places) + len({(link.span, link.probe or link) for link in at_places})


class Session:
    """A bundle on a machine. `form` says how text is wanted when variables are read.

    The order of calls: `load`, `attach`, then `pump` again and again with `wait` between, `finish`,
    `close`. A context manager that closes.
    """

    def __init__(self, bundle: Bundle, machine: Machine, form: Form | None = None) -> None:
        self.bundle = bundle
        self.machine = machine
        self.exit_code: int | None = None  # what exit() was given, once it was called
        self.variables: dict[str, MapReader] = {}
        self.losses: Losses | None = None
        self._form = form
        self._maps: dict[str, MapHandle] = {}
        self._programs: dict[str, ProgramHandle] = {}
        self.skipped: list[tuple[str, int, ProbeeError]] = []  # what is said, how many probes, and why
        self._links: list[LinkHandle] = []
        self._watches: list[tuple[int, LinkHandle]] = []
        self._rings: list[RingHandle] = []
        self._stream: Stream | None = None
        self._busy = False

    @property
    def unwind_maps(self) -> dict[str, MapHandle]:
        """The maps by which programs unwind stacks, by name; none where no program does. After `load`."""
        return {name: handle for name, handle in self._maps.items() if name.startswith("unwind_")}

    def load(self) -> None:
        """Make maps, load programs, open rings. Raises KernelError, LoadError."""
        bundle, machine = self.bundle, self.machine
        for spec in bundle.maps:
            self._maps[spec.name] = made = machine.create_map(spec)
            if spec.content:
                made.update(bytes(spec.key_size), spec.content)
        for program in bundle.programs:
            self._programs[program.name] = machine.load(program, self._maps, bundle.btf)
        rings: dict[str, Any] = {name: machine.open_ring(self._maps[m]) for name, m in bundle.rings}
        self._rings = list(rings.values())
        data: Ring | None = rings.get("data")
        self._stream = Stream(bundle.events, data, rings.get("control"))
        for variable in bundle.variables:
            handle = self._maps[variable.map]
            self.variables[variable.name] = open_variable(variable, handle, machine.cpus, self._form)
        if bundle.globals:
            self.losses = Losses(bundle.counters, self._maps[bundle.globals].view())

    def set_facts(self, start: int, pid: int = 0, child: int = 0, *, tai: int | None = None) -> None:
        """Tell the programs when, on the boot clock in nanoseconds, the run began (what `elapsed` counts
        from), which process is traced, and which one the tracer started. `tai` is by how many nanoseconds
        TAI is ahead of the monotonic clock, measured where it is None and wanted."""
        bundle = self.bundle
        facts = [(bundle.start_time, start), (bundle.traced_pid, pid), (bundle.child_pid, child)]
        if bundle.tai_offset >= 0:
            facts.append((bundle.tai_offset, measure_tai_offset() if tai is None else tai))
        for at, number in facts:
            if at >= 0:
                view = self._maps[self.bundle.globals].view()
                view[at : at + 8] = number.to_bytes(8, sys.byteorder)

    def attach(self) -> int:
        """Run BEGIN, then attach the probes so that they fire in the script's order; how many there are
        of all kinds. Raises AttachError, TargetError, FeatureError; UsageError when all are for trials.

        Where the script says that probes may be missing, one that can't be attached is put into `skipped`.
        """
        self.run("begin")
        groups: dict[str, list[Link]] = {}
        for link in self.bundle.links:
            if not isinstance(link, Special):
                groups.setdefault(link.program, []).append(link)
        forward = [n for n, links in groups.items() if not isinstance(links[0], _FIRE_IN_REVERSE)]
        backward = [n for n, links in groups.items() if isinstance(links[0], _FIRE_IN_REVERSE)]
        for name in forward + backward[::-1]:
            made = self._attach_group(groups[name], self._programs[name])
            self._links += made
            watches = [link for link in groups[name] if isinstance(link, WatchLink)]
            self._watches += [(w.address, handle) for w, handle in zip(watches, made, strict=False)]
        trials = sum(len(self.find_specials(event)) for event in TRIALS)
        if trials and trials == len(self.bundle.links):
            option = "--test" if self.find_specials("test") else "--bench"
            raise UsageError(f"No probes attached; use {option} to run {option[2:]} probes.")
        count = count_probes(self.bundle.links) - trials - sum(count for _, count, _ in self.skipped)
        if not count and self.skipped:
            raise TargetError("Attachment failed for all probes.", hint=self.skipped[-1][2].message)
        return count

    def _attach_group(self, links: list[Link], program: ProgramHandle) -> list[LinkHandle]:
        """Attach what one program serves; put it into `skipped` where that fails and may fail."""
        try:
            return list(self.machine.attach_all(links, program))
        except (AttachError, TargetError, FeatureError) as error:
            unable = f"Unable to attach probe: {links[0].probe}."
            if dict(self.bundle.config).get("missing_probes", "error") == "error":
                wish = "If this is expected, set the 'missing_probes' config variable to 'warn'."
                error.add_note(f"ERROR: {unable} {wish}")
                raise
            self.skipped.append((f"{unable} Skipping.", count_probes(links), error))
            return []

    @property
    def is_waiting(self) -> bool:
        """True while something is attached that can still send events, or a signal can."""
        return bool(self._links) or any(self.find_specials(event) for event in SIGNALS)

    def pump(self) -> Iterator[Batch]:
        """Events that are due now, in order, with clear, zero and exit already done.

        After `exit` nothing more comes: `exit_code` is set, and what was sent since is dropped.
        """
        count = 0
        if self._stream is not None and self.exit_code is None:
            for batch in self._stream.pump():
                count += batch.count
                kind = batch.layout.kind
                if kind == "exit":
                    self.exit_code = _find_status(batch)
                    break
                if kind == "clear":
                    self.variables[batch.layout.variable].clear()
                elif kind == "zero":
                    self.variables[batch.layout.variable].zero()
                elif kind == "unwatch":
                    self._unwatch(batch)
                else:
                    yield batch
        self._busy = count >= _BUSY

    def _unwatch(self, batch: Batch) -> None:
        gone = {address for (address,) in Decoder(batch.layout).rows(batch)}
        for address, handle in self._watches:
            if address in gone:
                handle.close()

    def wait(self, timeout: float, sleep: Callable[[float], object]) -> None:
        """Wait for events, `timeout` seconds at most. In a flood, only a moment by `sleep`: while we
        are behind no program has to wake us."""
        if self._busy or (self._stream is not None and self._stream.is_behind):
            sleep(_PAUSE)
        else:
            self.machine.wait(self._rings, timeout)

    def detach(self) -> None:
        """Take every probe away; what they sent is still there for `pump`."""
        self._watches.clear()
        while self._links:
            self._links.pop().close()

    def finish(self) -> Iterator[Batch]:
        """Detach, give what is left, run END and give what it sent."""
        self.detach()
        if self.exit_code is None:
            yield from self._drain()
        elif self._stream is not None:
            self._stream.discard()
        code, self.exit_code = self.exit_code, None
        self.run("end")
        yield from self._drain()
        if self.exit_code is None:
            self.exit_code = code

    def _drain(self) -> Iterator[Batch]:
        while True:
            some = False
            for batch in self.pump():
                some = True
                yield batch
            if not some or self.exit_code is not None:
                return

    def read(self, name: str) -> Any:
        """The value of variable `name` now, or its (key, value) pairs; None where there is nothing."""
        return self.variables[name].read()

    def logs(self) -> Iterator[tuple[str, str]]:
        """The verifier's log of each program, where the machine kept it."""
        for name, program in self._programs.items():
            yield name, getattr(program, "log", "")

    def close(self) -> None:
        """Detach and give up everything the machine made. May be called twice."""
        self.detach()
        self._rings.clear()
        self.machine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find_specials(self, event: str) -> list[tuple[Special, ProgramHandle]]:
        """The programs that the machine runs at `event` (see `Special`), in the script's order."""
        return [
            (link, self._programs[link.program])
            for link in self.bundle.links
            if isinstance(link, Special) and link.event == event
        ]

    def run(self, event: str) -> None:
        """Run the programs of an event: "begin", "end", or a signal's name. Raises KernelError."""
        for link, program in self.find_specials(event):
            self.machine.attach(link, program).close()


def _parse_percentiles(text: str) -> tuple[int, ...]:
    """The setting "50,99.9", in thousandths of a percent."""
    parts = [part.partition(".") for part in text.split(",") if part]
    return tuple([int(whole) * 1000 + int(fraction.ljust(3, "0")) for whole, _, fraction in parts])


def _find_status(batch: Batch) -> int:
    """What the first exit() of a batch was given."""
    if batch.layout.fields:
        ((status,), *_) = Decoder(batch.layout).rows(batch)
        return int(status)
    return batch.layout.numbers[0] if batch.layout.numbers else 0


class Printer:
    """Carries a session's events to an output, and says once what went wrong."""

    def __init__(self, session: Session, output: Output) -> None:
        self._session = session
        self._output = output
        self._warned: set[tuple[str, int]] = set()
        self._percentiles = _parse_percentiles(str(dict(session.bundle.config).get("percentiles", "")))

    def show(self, batches: Iterator[Batch]) -> None:
        """Print `batches`, then what was lost meanwhile, and write it all."""
        output = self._output
        for batch in batches:
            layout = batch.layout
            if layout.kind == "print":
                reader = self._session.variables[layout.variable]
                self._show_map(reader, reader.read(), *layout.numbers)
            elif layout.kind == "time":
                for _ in range(batch.count):
                    output.time(layout.format)
            else:
                output.events(batch)
        self._report()
        output.flush()

    def end(self) -> None:
        """All probes have ended: print what remains, the maps, unless the script's settings say otherwise."""
        self._output.end()
        if dict(self._session.bundle.config).get("print_maps_on_exit", True):
            self.show_maps()
        self._output.flush()

    def show_maps(self) -> None:
        """Every variable that holds something, in order of names."""
        for name in sorted(self._session.variables):
            reader = self._session.variables[name]
            value = reader.read()
            if value is not None and (reader.variable.key is None or value):
                self._show_map(reader, value)
        self._output.flush()

    def _show_map(self, reader: MapReader, value: Any, top: int = 0, div: int = 0, *percentiles: int) -> None:
        """A variable; of histograms also the percentiles that the script's settings ask for."""
        variable = reader.variable
        if not percentiles and self._percentiles and isinstance(variable.value, (Hist, LHist)):
            percentiles = self._percentiles
        self._output.map(variable, value, top, div, *percentiles)

    def _report(self) -> None:
        losses = self._session.losses
        if losses is None:
            return
        lost = 0
        for counter, count in losses.deltas():
            if counter.kind in _LOSSES:
                lost += count
            elif counter.kind == "helper":
                for _ in range(min(count, _MOST_FAILURES)):
                    self._tell_failure(counter, losses.last_result(counter))
            elif (place := (counter.kind, counter.span.start if counter.span else -1)) not in self._warned:
                self._warned.add(place)
                if counter.kind == "map_full":
                    self._tell_failure(counter, losses.last_result(counter))
                else:
                    self._output.warning(_WARNINGS[counter.kind], counter.span)
        if lost:
            self._output.lost(lost)

    def _tell_failure(self, counter: Counter, result: int) -> None:
        if counter.kind == "map_full" and result == -errno.E2BIG:
            message = MAP_FULL
        else:
            message = LOOKUP_FAILED if counter.variable == _LOOKUP else os.strerror(-result)
        self._output.failure(message, counter.variable, result, counter.span)
