"""probee as a library: `for event in probee.run(script): …`.

Events are typed values, maps are readable while the script runs, and whatever ends the loop (its end, a
`break`, an exception) detaches everything.
"""

from __future__ import annotations

import time

from .base.errors import TargetError
from .base.record import record, replace
from .base.source import Source
from .events.batch import Decoder
from .events.decode import Form
from .session import Session, compile_source, open_symbols, survey_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Self

    from .events.batch import Batch
    from .symbols.live import LiveSymbols

_IDLE = 0.1


@record
class Event:
    """One thing a script sent.

    `probe` is the full name of the probe that sent it. `kind` is "printf", "print" or "time".
    `args` are its values: int, bool, str, bytes, tuple, list, dict; a stack is a tuple of frames
    (`probee.symbols.frame.Frame`); for a printed map, its one value: what the map held. `text` is what the
    command line tool would print for it.
    """

    probe: str
    kind: str
    args: tuple[Any, ...]
    text: str


def run(
    script: str,
    *args: str | int,
    pid: int = 0,
    command: str | Sequence[str] = (),
    duration: float | None = None,
    on_event: Callable[[Event], object] | None = None,
) -> Run:
    """Compile `script` and attach it.

    `args` are its `$1`, `$2`, …; `pid` limits it to one process, and ends it with that;
    `command` (a command line, or its words) is started, traced alone, and ends it; `duration` is a limit
    in seconds. With `on_event`, the events are handed to that function until the script is over, and
    the `Run` that comes back has its last maps.

    Raises SourceError, TargetError, KernelError (not root, refused program), FeatureError.
    """
    made = Run(script, tuple(map(str, args)), pid=pid, command=command, duration=duration)
    if on_event is not None:
        for event in made:
            on_event(event)
    return made


class Run:
    """A script that is attached. Iterate for its events; a context manager that detaches.

    `maps["@x"]`: what a map holds, now or at the end: a value, or a dict of its keys. `lost`: events
    that found the ring full so far. `exit_code`: what exit() was given, None before.
    """

    def __init__(
        self,
        script: str,
        params: tuple[str, ...] = (),
        *,
        pid: int = 0,
        command: str | Sequence[str] = (),
        duration: float | None = None,
    ) -> None:
        from .attach.machine import LiveMachine
        from .kernel.proc import open_process

        target = survey_system()
        if pid and target.files is not None and not target.files.process_exists(pid):
            raise TargetError(f"no process has the id {pid}")
        self._form = Form(boot_offset=time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        self._until = None if duration is None else time.monotonic() + duration
        self._decoders: dict[int, tuple[Decoder, Any]] = {}
        self._child = _start(command)
        self._process = None
        self._session: Session | None = None
        self._following: LiveSymbols | None = None
        try:
            source = Source("script", script)
            traced = self._child.pid if self._child else pid
            bundle = compile_source(source, target, params=params, pid=traced).bundle
            machine = LiveMachine()
            self._symbols = open_symbols(bundle)
            self._form = replace(self._form, symbols=self._symbols)
            self._session = Session(bundle, machine, self._form)
            self._session.load()
            self._process = open_process(pid) if pid else None
            for fd in self._watched():
                machine.watch(fd)
            self._session.set_facts(time.clock_gettime_ns(time.CLOCK_BOOTTIME), traced)
            if bundle.numbered:
                self._following = self._symbols()
                self._following.follow(traced, self._session.unwind_maps)
                for fd in self._following.fds:
                    machine.watch(fd)
            self._session.attach()
        except BaseException:
            self.close()
            raise
        self.maps = _Maps(self)
        self._last: dict[str, Any] | None = None
        self._lost = 0
        if self._child is not None:
            self._child.go()

    @property
    def lost(self) -> int:
        """Events that found the ring full, or no scratch memory, since the start."""
        session = self._session
        if session is not None and session.losses is not None:
            self._lost = session.losses.total("lost") + session.losses.total("nesting")
        return self._lost

    @property
    def exit_code(self) -> int | None:
        return self._code if self._session is None else self._session.exit_code

    def stop(self) -> None:
        """Let the iteration end after the events that are already there. From any thread."""
        self._until = 0.0

    def __iter__(self) -> Iterator[Event]:
        session = self._session
        if session is None:
            return
        try:
            while True:
                over = self._is_over() or not session.is_waiting
                for batch in session.pump():
                    yield from self._decode(batch)
                if self._following is not None:
                    self._following.catch_up()
                if over or session.exit_code is not None:
                    break
                left = 1.0 if self._until is None else self._until - time.monotonic()
                session.wait(max(min(_IDLE, left), 0.0), time.sleep)
            for batch in session.finish():
                yield from self._decode(batch)
        finally:
            self.close()

    def read(self, name: str) -> Any:
        """What map `name` holds: a value, None where nothing was written, or a dict of its keys."""
        if self._session is None:
            return (self._last or {})[name]
        value = self._session.read(name)
        return dict(value) if self._session.variables[name].variable.key is not None else value

    def names(self) -> list[str]:
        """The maps' names."""
        return sorted(self._session.variables if self._session is not None else self._last or {})

    def close(self) -> None:
        """Detach, and keep what the maps hold. May be called twice."""
        session, self._session = self._session, None
        if session is not None:
            try:
                session.detach()
                self._session = session
                self._last = {name: self.read(name) for name in session.variables}
                self._lost, self._code = self.lost, session.exit_code
            finally:
                self._session = None
                session.close()
        for thing in (self._following, self._process, self._child):
            if thing is not None:
                thing.close()
        self._following = self._process = self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    _code: int | None = None

    def _watched(self) -> list[int]:
        return [
            fd
            for fd in (
                self._process.number if self._process else -1,
                self._child.pidfd.number if self._child else -1,
            )
            if fd >= 0
        ]

    def _is_over(self) -> bool:
        if self._until is not None and time.monotonic() >= self._until:
            return True
        import select

        poll = select.poll()
        for fd in self._watched():
            poll.register(fd, select.POLLIN)
        return bool(poll.poll(0))

    def _decode(self, batch: Batch) -> Iterator[Event]:
        layout = batch.layout
        if layout.kind == "print":
            value = self.read(layout.variable)
            yield Event(layout.probe, "print", (value,), f"{layout.variable}: {value}")
            return
        if layout.id not in self._decoders:
            self._decoders[layout.id] = (Decoder(layout, self._form), _renderer(layout, self._form))
        decoder, render = self._decoders[layout.id]
        kind = "print" if layout.kind == "print_value" else layout.kind
        for at, values in enumerate(decoder.rows(batch)):
            start = at * batch.stride
            text = render(batch.view[start : start + batch.stride])
            yield Event(layout.probe, kind, values, text)


def _renderer(layout: Any, form: Form) -> Callable[[Any], str]:
    from .render.output import Context
    from .render.printf import compile_format
    from .render.text import FORMATS

    if layout.kind == "time":
        from .render.clock import Strftime

        clock = Strftime(layout.format, fractions=False)
        return lambda _: clock.render(time.time_ns()).decode("utf-8", "backslashreplace")
    format = FORMATS.get(layout.kind) or layout.format
    lines = compile_format(
        layout, Context(form.boot_offset, clock=time.time_ns, symbols=form.symbols), format=format
    )
    return lambda view: lines(view).decode("utf-8", "backslashreplace")


def _start(command: str | Sequence[str]) -> Any:
    if not command:
        return None
    from .kernel.proc import spawn, split_command

    return spawn(split_command(command) if isinstance(command, str) else list(command))


class _Maps:
    """`Run.maps`: a mapping that reads when it is asked."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getitem__(self, name: str) -> Any:
        return self._run.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.names())

    def __len__(self) -> int:
        return len(self._run.names())

    def __contains__(self, name: object) -> bool:
        return name in self._run.names()

    def keys(self) -> list[str]:
        return self._run.names()

    def __repr__(self) -> str:
        return repr({name: self[name] for name in self})
