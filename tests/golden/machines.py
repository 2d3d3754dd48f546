"""A case on three machines: the IR's interpreter, the VM, the kernel."""

from __future__ import annotations

import shlex
import struct
from typing import TYPE_CHECKING, Any

from bt.in_kernel import live_target
from builders.scripts import FakeFiles
from builders.scripts import make_target as make_small_target
from probee.arch import find as find_arch
from probee.attach.machine import LiveMachine
from probee.base.bits import align_up
from probee.base.errors import FeatureError, SourceError, TargetError
from probee.base.record import replace
from probee.base.source import Source
from probee.bt.compile import compile_script
from probee.bt.parser import parse
from probee.ir.check import check_function
from probee.ir.interp import InterpMachine
from probee.ir.interp import run as run_function
from probee.ir.interp_maps import InterpMap
from probee.ir.text import parse_function, print_function
from probee.render.json import JsonOutput
from probee.render.sink import Sink
from probee.render.text import TextOutput
from probee.session import Printer, Session
from probee.spec.abi import RINGBUF_HEADER
from probee.spec.asked import Asked
from probee.spec.bundle import Special
from probee.testing.files import make_target
from probee.testing.lines import parse_events
from probee.testing.play import Play
from probee.testing.runs import CLOCK, EPOCH, make_context, make_world
from probee.testing.triggers import Trigger
from probee.testing.types import DeclaredTypes
from probee.vm.machine import Vm, VmLink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golden.cases import Case
    from probee.ir.nodes import Function
    from probee.spec.bundle import Compiled, Link, Map, Program
    from probee.spec.target import Target
    from probee.vm.world import World


class Setting:
    """What the sections of a case say of the machine it runs on."""

    def __init__(self, case: Case) -> None:
        sections = case.sections
        self.source = Source("stdin", sections["script"].removesuffix("\n"))
        self.params = tuple(shlex.split(sections.get("params", "")))
        self.types = sections.get("types", "")
        lines = [line.partition(": ") for line in sections.get("files", "").splitlines()]
        self.files = {path: text for path, _, text in lines}
        self.events = parse_events(sections.get("events", ""))
        self.words = {word for word in case.options if "=" not in word}
        pairs = [word.partition("=") for word in case.options]
        given = {name: value for name, equals, value in pairs if equals}
        self.clock = int(given.pop("clock", CLOCK))
        self.cpus = int(given.pop("cpus", 2))
        self.machine = given.pop("machine", "x86_64")
        self.users = {int(n[5:]): value for n, value in given.items() if n.startswith("user:")}
        self.asked = Asked(
            named=tuple([(n[2:], value) for n, value in given.items() if n.startswith("--")]),
            settings=tuple([(n.lower(), value) for n, value in given.items() if n.isupper()]),
            lookups="lookups" in self.words,
        )

    def target(self) -> Target:
        """The made-up machine, which has whatever the script names, or the small one."""
        if "small" in self.words:
            return small_target(self)
        names = [what.probe for what in self.events if isinstance(what, Trigger)]
        script = parse(self.source, self.params)
        return make_target(script, names, machine=self.machine, cpus=self.cpus, types=self.types)

    def compile(self, target: Target, dump: Any = None) -> Compiled:
        return compile_script(
            self.source,
            target,
            params=self.params,
            asked=self.asked,
            unsafe="unsafe" in self.words,
            dump=dump,
        )


def small_target(setting: Setting) -> Target:
    """A machine of one program, three kernel functions and two tracepoints."""
    target = replace(make_small_target(setting.cpus), machine=setting.machine)
    if setting.files:
        target = replace(target, files=_Files(setting.files))
    return replace(target, types=DeclaredTypes(setting.types)) if setting.types else target


class _Files(FakeFiles):
    """The files of a case besides the one program; None is one that can't be read."""

    def __init__(self, files: dict[str, str]) -> None:
        self.headers = files

    def read_header(self, path: str) -> str | None:
        return self.headers[path] if self.headers.get(path) != "?" else None


def diagnose(case: Case) -> tuple[str, str]:
    """The errors and the warnings of a script that is only compiled, for a machine with little on it."""
    setting = Setting(case)
    try:
        compiled = setting.compile(small_target(setting))
    except SourceError as error:
        return "".join([d.render() + "\n" for d in error.diagnostics]), ""
    except (FeatureError, TargetError) as error:
        return error.render() + "\n", ""
    return "", "".join([d.render() + "\n" for d in compiled.warnings])


class Kept(Sink):
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(-1, "kept")
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def flush(self) -> None:
        """Nothing is held back."""

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "backslashreplace")


_END = b"\n\n"
"""What marks the end of the probes in text."""


class Run:
    """A script on a machine, with an output: its text is there once it has ended."""

    def __init__(
        self, compiled: Compiled, machine: Any, world: World, setting: Setting, *, json: bool
    ) -> None:
        self.out, self.err = Kept(), Kept()
        context = make_context(world, EPOCH, setting.machine, setting.users, compiled.bundle.config)
        output = JsonOutput(self.out, context) if json else TextOutput(self.out, self.err, context)
        for warning in compiled.warnings:
            self.err.write(warning.render().encode() + b"\n")
        self.session = Session(compiled.bundle, machine, output.form)
        self.printer = Printer(self.session, output)

    def play(self, vm: Vm, setting: Setting) -> dict[str, str]:
        """With the events of the case, on a machine that is made up."""
        play = Play(self.session, vm, self.printer.show, machine=setting.machine)
        with self.session:
            self.session.load()
            play.begin()
            for what in setting.events:
                play.happen(what)
            play.end()
            return self._finish()

    def begin_and_end(self, start: int) -> dict[str, str]:
        with self.session:
            self.session.load()
            self.session.set_facts(start)
            self.session.attach()
            self.printer.show(self.session.pump())
            self.printer.show(self.session.finish())
            return self._finish()

    def _finish(self) -> dict[str, str]:
        before = len(self.out.data)
        self.printer.end()
        if self.out.data[before : before + len(_END)] == _END:
            del self.out.data[before : before + len(_END)]
        return {"out": self.out.text, "said": self.err.text}


def run_on_vm(case: Case, *, json: bool = False) -> dict[str, str]:
    setting = Setting(case)
    compiled = setting.compile(setting.target())
    world = make_world(clock=setting.clock, cpus=setting.cpus)
    vm = Vm(world)
    return Run(compiled, vm, world, setting, json=json).play(vm, setting)


def run_on_ir(case: Case) -> dict[str, str]:
    """What the printer writes of the IR, and the parser reads of that, is run."""
    setting = Setting(case)
    functions: dict[str, Function] = {}

    def keep(stage: str, made: Any) -> None:
        if stage == "built":
            check_function(made)
            functions[made.name] = parse_function(print_function(made))

    compiled = setting.compile(setting.target(), keep)
    world = make_world(clock=setting.clock, cpus=setting.cpus)
    vm = IrMachine(world, functions)
    return Run(compiled, vm, world, setting, json=False).play(vm, setting)


def run_in_kernel(case: Case) -> dict[str, str]:
    """Only what begins and ends by itself."""
    setting = Setting(case)
    target = live_target()
    if setting.types:
        target = replace(target, types=DeclaredTypes(setting.types))
    compiled = setting.compile(target)
    world = make_world(clock=setting.clock, cpus=setting.cpus)
    return Run(compiled, LiveMachine(), world, setting, json=False).begin_and_end(setting.clock)


def for_kernel(case: Case) -> bool:
    """Whether a case gives in the kernel what it gives on a made-up machine."""
    setting = Setting(case)
    if "text" not in case.sections or setting.events or {"made-up", "vm"} & setting.words:
        return False
    links = setting.compile(setting.target()).bundle.links
    return all(isinstance(link, Special) and link.event in ("begin", "end") for link in links)


# -- the IR's interpreter as a machine ----------------------------------------------------------


class _IrMap:
    """A map of the interpreter, as a session knows maps."""

    def __init__(self, map: InterpMap) -> None:
        self.spec = map.spec
        self.map = map

    def find(self, key: bytes) -> bytes | None:
        values = self.find_percpu(key)
        return values[0] if values else None

    def find_percpu(self, key: bytes) -> list[bytes] | None:
        return self.map.items().get(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        return iter([(key, values[0]) for key, values in self.map.items().items()])

    def items_percpu(self) -> Iterator[tuple[bytes, list[bytes]]]:
        return iter(self.map.items().items())

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        size = align_up(self.spec.value_size, 8)
        copies = self.map.copies
        for cpu in range(copies):
            part = value[cpu * size : cpu * size + self.spec.value_size] if copies > 1 else value
            self.map.update(key, part, flags, cpu)

    def delete(self, key: bytes) -> bool:
        return self.map.delete(key) == 0

    def clear(self) -> None:
        for key in list(self.map.entries):
            self.map.delete(key)

    def view(self) -> memoryview:
        region = self.map.find(bytes(4))
        assert region is not None
        return memoryview(region.data)

    def close(self) -> None:
        """Nothing to give back."""


class _IrRing:
    """The consumer's end of a ring of the interpreter. Each record is a run of its own."""

    def __init__(self, map: InterpMap) -> None:
        self._map = map
        self._at = 0

    def producer(self) -> int:
        return self._map.producer

    def read_runs(self, until: int | None = None) -> list[tuple[int, int, memoryview]]:
        runs = []
        for record in list(self._map.records):
            if record.state == "reserved" or (until is not None and record.end > until):
                break
            self._map.records.remove(record)
            self._at = record.end
            if record.state == "submitted":
                data = struct.pack("<Q", len(record.data)) + bytes(record.data)
                stride = align_up(len(record.data) + RINGBUF_HEADER, 8)
                runs.append((stride, 1, memoryview(data.ljust(stride, b"\0"))))
        return runs

    def position(self) -> int:
        return self._at

    def release(self) -> None:
        self._map.consumer = self._at

    def close(self) -> None:
        """Nothing to give back."""


class _IrProgram:
    """A function of IR, as a session knows programs."""

    def __init__(self, machine: IrMachine, spec: Program, function: Function) -> None:
        self.spec = spec
        self._machine = machine
        self._function = function

    def test_run(self, data: bytes = b"", context: bytes = b"") -> int:
        return self.run_context(context or bytes(find_arch("x86_64").context_size))

    def run_context(self, context: bytes | bytearray = b"", packet: bytes = b"") -> int:
        self._machine.enter()
        result = run_function(self._function, self._machine.interp, bytes(context))
        self._machine.leave()
        return result

    def close(self) -> None:
        """Nothing to give back."""


class IrMachine(Vm):
    """The VM with the interpreter of IR in place of its engines, and with the interpreter's maps."""

    def __init__(self, world: World, functions: dict[str, Function]) -> None:
        super().__init__(world)
        self.interp = InterpMachine(cpus=world.cpus)
        self.interp.random = world.chance
        self._functions = functions

    def create_map(self, spec: Map) -> Any:
        made = self.interp.maps[spec.name] = InterpMap(spec, self.interp.memory, self.cpus)
        return _IrMap(made)

    def load(self, spec: Program, maps: Any, btf: bytes = b"") -> Any:
        return _IrProgram(self, spec, self._functions[spec.name])

    def open_ring(self, ring: Any) -> Any:
        return _IrRing(ring.map)

    def attach(self, link: Link, program: Any) -> VmLink:
        if isinstance(link, Special):
            program.test_run()
        made = VmLink(self, link, program)
        self.links.append(made)
        return made

    def enter(self) -> None:
        """What the world is at the moment is what the next function sees."""
        world, interp = self.world, self.interp
        for name in ("pid", "tid", "uid", "gid", "comm", "cpu", "task", "cgroup", "cookie"):
            setattr(interp, name, getattr(world, name))
        interp.kernel_stack, interp.user_stack = world.kernel_stack, world.user_stack
        interp.node, interp.func_ip = world.numa_node, world.function
        interp.time, interp.boot_time = world.clock, world.clock + world.boot
        interp.tai_time = world.clock + world.tai
        interp.jiffies = world.clock // 4_000_000
        pieces = {start: bytes(data) for start, data in world._memory.items()}
        interp.user_memory, interp.kernel_memory = dict(pieces), pieces

    def leave(self) -> None:
        """What was written to the process's memory stays there."""
        for start, data in self.interp.user_memory.items():
            self.world.put(start, data)
