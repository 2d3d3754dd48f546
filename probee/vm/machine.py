"""`Vm`: the machine that ties memory, maps, helpers and engines together.

Satisfies `probee.spec.machine.Machine`, so that whatever runs a bundle in the kernel runs it here.
Programs never run on their own: `VmProgram.run` runs one, `Vm.fire` the programs attached to a
link, and `Vm.advance` steps the clock and fires the timers that are due.
"""

from __future__ import annotations

import errno

from ..base.errors import FeatureError, FormatError, KernelError, UsageError
from ..isa.check import find_slots
from ..isa.ebpf import LDDW, Insn, decode
from ..isa.fields import Pseudo
from ..spec.abi import MapType, PerfSoftware, PerfType, ProgType
from ..spec.bundle import IntervalLink, PerfLink, Program, Special, UprobeLink
from .fault import BudgetFault, Fault
from .helpers import HELPERS, Helper
from .maps import MAPS, VmMap
from .memory import Memory
from .program import CONTEXT_SIZE, FunctionAddress, VmProgram
from .rings import PerfEventArray, RingBuffer, RingReader
from .world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..spec.bundle import Link, Map
    from ..spec.machine import Machine, MapHandle, ProgramHandle, RingHandle

DEFAULT_BUDGET = 10_000_000
"""Instructions a run may take: a second or so."""

MAX_TAIL_CALLS = 33
LOOP_LIMIT = 1 << 23
"""How often may_goto lets a loop go round (BPF_MAX_LOOPS)."""

_CPU_CLOCK = (PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK)

LL_OFFSET, NET_OFFSET = -0x200000, -0x100000
"""Offsets from here on are from the link layer's or the network layer's header (SKF_LL_OFF, SKF_NET_OFF)."""


def find_period(link: Link) -> int:
    """Nanoseconds from one firing by the clock to the next; 0 for what the clock doesn't fire."""
    if isinstance(link, IntervalLink):
        return link.period
    if isinstance(link, PerfLink) and (link.type, link.config) == _CPU_CLOCK:
        return link.period
    return 0


class VmLink:
    """A program attached to something; `fire` the machine with it."""

    def __init__(self, vm: Vm, spec: Link, program: VmProgram) -> None:
        self.vm = vm
        self.spec = spec
        self.program = program
        self.period = find_period(spec)
        self.due = vm.world.clock + self.period

    def close(self) -> None:
        if self in self.vm.links:
            self.vm.links.remove(self)


class Vm:
    """A BPF machine in Python.

    `world` is what programs see of the outside. `budget` is the number of instructions a run may
    take. `helpers` and `kfuncs` (by BTF id) are added to, or replace, what the machine knows.
    `interpret` runs programs on the plain decode loop instead of translating them.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        budget: int = DEFAULT_BUDGET,
        helpers: Mapping[int, Helper] | None = None,
        kfuncs: Mapping[int, Helper] | None = None,
        interpret: bool = False,
    ) -> None:
        self.world = world or World()
        self.cpus = self.world.cpus
        self.memory = Memory()
        self.budget = budget
        self.helpers = {**HELPERS, **(helpers or {})}
        self.kfuncs = dict(kfuncs or {})
        self.interpret = interpret
        self.loop_limit = LOOP_LIMIT
        self.maps: list[VmMap] = []
        self.links: list[VmLink] = []
        self.packet = b""
        self.network = 0
        self.left = 0
        self._tail_calls = 0

    # -- making things ----------------------------------------------------------------------------

    def create_map(self, spec: Map) -> VmMap:
        """A live map. KernelError(EINVAL) for sizes the kernel refuses."""
        kinds = {**MAPS, MapType.RINGBUF: RingBuffer, MapType.PERF_EVENT_ARRAY: PerfEventArray}
        make = kinds.get(spec.type)
        if make is None:
            raise FeatureError(f"map {spec.name}: the VM has no maps of type {spec.type.name}")
        made = make(spec, self.memory, self.world)
        self.maps.append(made)
        return made

    def load(self, spec: Program, maps: Mapping[str, MapHandle], btf: bytes = b"") -> VmProgram:
        """A program with its maps named. KernelError, FormatError or FeatureError when it can't run here."""
        insns = decode(spec.code)
        resolved = {}
        for relocation in spec.relocations:
            table = maps.get(relocation.map)
            if not isinstance(table, VmMap):
                raise UsageError(
                    f"{spec.name}: slot {relocation.slot}: expected a map {relocation.map!r} of this machine"
                )
            offset = relocation.offset
            resolved[relocation.slot] = table.address if offset is None else table.value_address(offset)
        return self.prepare(spec, insns, resolved)

    def load_insns(
        self, insns: Iterable[Insn], maps: Mapping[int, VmMap] | None = None, *, name: str = "program"
    ) -> VmProgram:
        """A program from instructions; `maps` are the maps its wide loads mean, by fd."""
        listed = list(insns)
        known = maps or {}
        resolved = {}
        for slot, insn in zip(find_slots(listed), listed, strict=False):
            if insn.code != LDDW or insn.src in (Pseudo.NUMBER, Pseudo.FUNC):
                continue
            table = known.get(insn.imm & 0xFFFFFFFF)
            if table is None or insn.src not in (Pseudo.MAP_FD, Pseudo.MAP_VALUE):
                raise KernelError(f"{name}: insn {slot}: map {insn.imm & 0xFFFFFFFF}", errno.EBADF)
            whole = insn.src == Pseudo.MAP_FD
            resolved[slot] = table.address if whole else table.value_address(insn.imm >> 32)
        return self.prepare(Program(name, ProgType.SOCKET_FILTER, b""), listed, resolved)

    def prepare(self, spec: Program, insns: list[Insn], resolved: dict[int, int]) -> VmProgram:
        for slot, insn in zip(find_slots(insns), insns, strict=False):
            if insn.code == LDDW and insn.src not in (Pseudo.NUMBER, Pseudo.FUNC) and slot not in resolved:
                raise FormatError(f"{spec.name}: insn {slot}: names nothing that is known", offset=slot * 8)
        return VmProgram(self, spec, insns, resolved, interpret=self.interpret)

    # -- running ----------------------------------------------------------------------------------

    def run(self, program: VmProgram, arguments: tuple[int, ...]) -> int:
        """One run from the outside. Fault says what went wrong; maps keep what was done until then."""
        self.left = self.budget
        self._tail_calls = 0
        self.memory.depth = 0
        try:
            result = program.call(0, arguments)
            self.check_released(program)
            return result
        finally:
            self.memory.depth = 0
            self.memory.settle()

    def check_released(self, program: VmProgram) -> None:
        """Fault when a run ends with a ring buffer record neither submitted nor discarded."""
        for ring in self.maps:
            if isinstance(ring, RingBuffer) and ring.reserved:
                for address in list(ring.reserved):
                    ring.finish(address, False)
                raise Fault(
                    f"{program.name}: ends with a record of ring {ring.spec.name} that it didn't submit"
                )

    def exhausted(self) -> BudgetFault:
        return BudgetFault(f"ran for more than {self.budget} instructions")

    def call_function(self, address: int, arguments: tuple[int, ...]) -> int:
        """Call a function of a program by its address, as helpers with callbacks do."""
        target = self.memory.find_object(address)
        if not isinstance(target, FunctionAddress):
            raise Fault(f"expected the address of a function, got {address:#x}")
        return target.program.call(target.slot, arguments)

    def take_tail_call(self) -> bool:
        """Count a tail call; False when there were too many in this run."""
        self._tail_calls += 1
        return self._tail_calls <= MAX_TAIL_CALLS

    def enter_tail(self, program: object, context: int) -> int:
        """Go on with another program, which takes over the frame of the one that ends here."""
        if not isinstance(program, VmProgram):
            raise UsageError("expected a program of this machine in the program array")
        self.memory.leave()
        result = program.call(0, (context,))
        self.memory.depth += 1
        return result

    def load_packet(self, offset: int, size: int) -> int | None:
        """A big-endian number of the packet, as LD_ABS and LD_IND load it; None when out of bounds."""
        if offset < 0:
            if offset >= NET_OFFSET:
                offset += self.network - NET_OFFSET
            elif offset >= LL_OFFSET:
                offset -= LL_OFFSET
            else:
                return None
        if offset < 0 or offset + size > len(self.packet):
            return None
        return int.from_bytes(self.packet[offset : offset + size], "big")

    # -- the machine's protocol -------------------------------------------------------------------

    def attach(self, link: Link, program: ProgramHandle) -> VmLink:
        """Attach a program; it runs when `fire` or `advance` says so. BEGIN and END run now, once."""
        if not isinstance(program, VmProgram):
            raise UsageError("expected a program of this machine")
        if isinstance(link, Special):
            program.test_run()
        made = VmLink(self, link, program)
        self.links.append(made)
        return made

    def attach_all(self, links: Sequence[Link], program: ProgramHandle) -> list[VmLink]:
        """Attach a program to several places, in their order."""
        return [self.attach(link, program) for link in links]

    def fire(self, link: VmLink, context: bytes = b"", packet: bytes = b"") -> int:
        """The event of a link happens now."""
        if isinstance(link.spec, UprobeLink):
            self.world.cookie = link.spec.cookie
        return link.program.run_context(context or bytearray(CONTEXT_SIZE), packet)

    def advance(self, nanoseconds: int) -> int:
        """Step the clock, and fire every timer that is due on the way; how many were."""
        end, fired = self.world.clock + nanoseconds, 0
        while self.fire_next(end):
            fired += 1
        return fired

    def fire_next(self, end: int) -> bool:
        """Step the clock to the first timer due by `end`, and fire it: an interval once, what times CPUs on
        each of them. False where there is none: the clock is at `end` then.
        """
        due = [link for link in self.links if link.period and link.due <= end]
        if not due:
            self.world.clock = max(self.world.clock, end)
            return False
        link = min(due, key=lambda link: link.due)
        self.world.clock = max(self.world.clock, link.due)
        link.due += link.period
        if isinstance(link.spec, PerfLink):
            before = self.world.cpu
            for cpu in range(self.cpus):
                self.world.cpu = cpu
                self.fire(link)
            self.world.cpu = before
        else:
            self.fire(link)
        return True

    def open_ring(self, ring: MapHandle) -> RingReader:
        if not isinstance(ring, RingBuffer):
            raise UsageError("expected a ring buffer of this machine")
        return RingReader(ring)

    def wait(self, rings: list[RingHandle], timeout: float) -> bool:
        """Step the clock by `timeout` seconds unless a ring has records; True when one has."""
        if any(ring.producer() > ring.position() for ring in rings):
            return True
        self.advance(int(timeout * 1e9))
        return any(ring.producer() > ring.position() for ring in rings)

    def close(self) -> None:
        self.links.clear()
        self.maps.clear()


if TYPE_CHECKING:

    def is_machine(vm: Vm) -> Machine:
        """The type checker's proof that this is one."""
        return vm
