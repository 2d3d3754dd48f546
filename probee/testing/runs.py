"""`run`: a script and events in, what it printed, sent and kept out."""

from __future__ import annotations

from ..base.record import record
from ..base.source import Source
from ..bt.compile import compile_script
from ..bt.parser import parse
from ..events.batch import Batch, Decoder
from ..events.decode import Form
from ..events.maps import open_variable
from ..library import Event
from ..render.output import Context
from ..render.sink import Sink
from ..render.text import TextOutput
from ..session import Printer, Session
from ..symbols.frame import Named
from ..vm.machine import Vm
from ..vm.world import World
from .files import make_target
from .play import Play
from .triggers import Trigger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from ..base.source import Diagnostic
    from ..events.maps import MapReader
    from ..spec.bundle import Compiled
    from .triggers import Sleep

CLOCK = 1_000_000_000
STEP = 1_000
EPOCH = 1_700_000_000 * 1_000_000_000
"""When the made-up machine was started, in nanoseconds since 1970: 14 November 2023, 22:13:20 UTC."""

_LEAP = 37 * 1_000_000_000
"""By how much TAI is ahead of UTC, since 2017."""


@record
class Result:
    """What became of a run.

    `output`: all that the command line tool would have printed, the maps at the end included; `messages`:
    what it would have said beside, on stderr: warnings, losses. `events`: what the script sent, as
    `probee.run` gives it. `maps["@x"]`: what a map held in the end: a value, None where nothing was written,
    or a dict of its keys. `lost`: events for which the ring had no room. `exit_code`: what exit() was
    given, None where it was not called.
    """

    output: str
    messages: str
    events: list[Event]
    maps: dict[str, Any]
    lost: int
    exit_code: int | None


def run(
    script: str,
    events: Iterable[Trigger | Sleep] = (),
    *,
    params: Sequence[str | int] = (),
    clock: int = CLOCK,
    step: int = STEP,
    epoch: int = EPOCH,
    machine: str = "x86_64",
    cpus: int = 2,
    seed: int = 1,
    users: Mapping[int, str] | None = None,
    types: str = "",
    unsafe: bool = False,
) -> Result:
    """Run `script` on the VM while `events` happen, in their order.

    `params` are its `$1`, `$2`, …. The clock (`nsecs`) stands at `clock` when it begins and is moved by
    `step` before each event, both in nanoseconds; `epoch` is what to add to it to have the time since 1970.
    `machine` is the CPU whose registers hold arguments ("x86_64", "aarch64"), and there are `cpus` of it.
    `seed`: of what `rand` gives. `users`: names by user id. `types`: what the kernel declares, as C text, for
    scripts that name its types; a function `trace_NAME` has the arguments of `rawtracepoint:NAME`. `unsafe`
    allows functions that change the system; nothing outside the VM is changed or started by them here.

    Raises SourceError for a script that is wrong, UsageError for an event that no probe of the script is
    for, and Fault (`probee.vm.fault`) where a program does what no kernel would let it do.
    """
    listed = list(events)
    compiled = compile_for(
        Source("script", script),
        listed,
        params=tuple(map(str, params)),
        machine=machine,
        cpus=cpus,
        types=types,
        unsafe=unsafe,
    )
    vm = Vm(make_world(clock=clock, epoch=epoch, cpus=cpus, seed=seed))
    context = make_context(vm.world, epoch, machine, users or {}, compiled.bundle.config)
    recorder = _Recorder(compiled, vm, context)
    play = Play(recorder.session, vm, recorder.show, machine=machine, step=step)
    with recorder.session:
        recorder.load(compiled.warnings)
        play.begin()
        for what in listed:
            play.happen(what)
        play.end()
        return recorder.finish()


def compile_for(
    source: Source,
    events: Iterable[Trigger | Sleep],
    *,
    params: tuple[str, ...] = (),
    machine: str = "x86_64",
    cpus: int = 2,
    types: str = "",
    unsafe: bool = False,
) -> Compiled:
    """Compile a script for a machine on which whatever it and `events` name is there."""
    names = [what.probe for what in events if isinstance(what, Trigger)]
    target = make_target(parse(source, params), names, machine=machine, cpus=cpus, types=types)
    return compile_script(source, target, params=params, unsafe=unsafe)


def make_world(*, clock: int = CLOCK, epoch: int = EPOCH, cpus: int = 2, seed: int = 1) -> World:
    """The VM's surroundings, with its clocks set."""
    world = World(seed=seed, cpus=cpus)
    world.clock, world.tai = clock, epoch + _LEAP
    return world


def make_context(
    world: World,
    epoch: int,
    machine: str,
    users: Mapping[int, str],
    config: tuple[tuple[str, str | int], ...] = (),
) -> Context:
    """What an output is told of the made-up machine, for a script with the settings `config`. No file of it
    can be read, no command run."""
    named = Named(world.names)
    trailer = str(dict(config).get("str_trunc_trailer", "..")).encode("utf-8", "surrogateescape")
    return Context(
        epoch, users.get, lambda: epoch + world.clock, trailer, machine=machine, symbols=lambda: named
    )


class _Kept(Sink):
    """A sink that keeps what it is given."""

    def __init__(self, name: str) -> None:
        super().__init__(-1, name)
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def flush(self) -> None:
        """Nothing is held back."""

    def text(self, start: int = 0) -> str:
        return self.data[start:].decode("utf-8", "backslashreplace")


class _Recorder:
    """Has every event of a session printed, one by one, and keeps its values beside the text."""

    def __init__(self, compiled: Compiled, vm: Vm, context: Context) -> None:
        self._out, self._err = _Kept("stdout"), _Kept("stderr")
        self._output = TextOutput(self._out, self._err, context)
        self._vm = vm
        self._form = Form(boot_offset=context.boot_offset, symbols=context.symbols)
        self._readers: dict[str, MapReader] = {}
        self._decoders: dict[int, Decoder] = {}
        self._events: list[Event] = []
        self.session = Session(compiled.bundle, vm, self._output.form)
        self._printer = Printer(self.session, self._output)

    def load(self, warnings: Iterable[Diagnostic]) -> None:
        """Load the session. From then on its maps are known by their values too."""
        for warning in warnings:
            self._err.write(warning.render().encode("utf-8", "backslashreplace") + b"\n")
        self.session.load()
        tables = {table.spec.name: table for table in self._vm.maps}
        for name, raw in self.session.variables.items():
            typed = open_variable(raw.variable, tables[raw.variable.map], self._vm.cpus, self._form)
            self._readers[name] = typed
            self.session.variables[name] = _Both(raw, typed)

    def show(self, batches: Iterator[Batch]) -> None:
        """Print what comes, and keep it."""
        for batch in batches:
            for start in range(0, batch.stride * batch.count, batch.stride):
                view = batch.view[start : start + batch.stride]
                self._keep(Batch(batch.layout, batch.stride, 1, view))
        self._printer.show(iter(()))  # what was lost meanwhile

    def _keep(self, batch: Batch) -> None:
        layout = batch.layout
        out, err = len(self._out.data), len(self._err.data)
        args = (self.read(layout.variable),) if layout.kind == "print" else self._decode(batch)
        self._printer.show(iter((batch,)))
        kind = "print" if layout.kind == "print_value" else layout.kind
        self._events.append(Event(layout.probe, kind, args, self._out.text(out) + self._err.text(err)))

    def _decode(self, batch: Batch) -> tuple[Any, ...]:
        decoder = self._decoders.get(batch.layout.id)
        if decoder is None:
            decoder = self._decoders[batch.layout.id] = Decoder(batch.layout, self._form)
        return decoder.rows(batch)[0]

    def read(self, name: str) -> Any:
        """What a map holds now, as `Result.maps` has it."""
        reader = self._readers[name]
        return reader.read() if reader.variable.key is None else dict(reader.read())

    def finish(self) -> Result:
        """Print the maps; all that was kept."""
        self._printer.end()
        losses = self.session.losses
        lost = losses.total("lost") + losses.total("nesting") if losses is not None else 0
        maps = {name: self.read(name) for name in sorted(self._readers)}
        out, err = self._out.text(), self._err.text()
        return Result(out, err, self._events, maps, lost, self.session.exit_code)


class _Both:
    """A variable that is printed and looked at: what one reader is told, the other is too."""

    def __init__(self, printed: MapReader, typed: MapReader) -> None:
        self.variable = printed.variable
        self._readers = (printed, typed)

    def read(self) -> Any:
        return self._readers[0].read()

    def clear(self) -> None:
        for reader in self._readers:
            reader.clear()

    def zero(self) -> None:
        for reader in self._readers:
            reader.zero()
