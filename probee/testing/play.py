"""A compiled script on the VM, to which one thing after another happens."""

from __future__ import annotations

import struct

from ..arch import find as find_arch
from ..base.errors import UsageError
from ..base.record import record
from ..spec.bundle import Special
from ..symbols.frame import Named
from ..vm.program import CONTEXT_SIZE
from .triggers import Sleep, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..arch.arch import Arch, Register
    from ..events.batch import Batch
    from ..session import Session
    from ..spec.bundle import Link
    from ..vm.machine import Vm, VmLink
    from ..vm.world import World
    from .triggers import Argument, Trigger

_MASK = (1 << 64) - 1
_HEAP, _STACK = 0x7F00_0000_0000, 0x7FFD_0000_0000
_CODE, _RETURN = 0x5555_0000_1000, 0x5555_0000_2000
_FUNCTIONS, _KERNEL = 0x5555_8000_0000, 0xFFFF_FFFF_8100_0000
_GAP = 0x1000
"""Between two pieces of memory there is nothing, so that reading past the end of one fails."""


@record
class _Process:
    """Who is running when it is no trigger's process."""

    pid: int
    comm: str
    uid: int = 0
    gid: int = 0
    cpu: int = 0
    tid: int | None = None


_TRACER = _Process(1, "probee")
_IDLE = _Process(0, "swapper/0")


class Play:
    """The run of a session on `vm`: `begin`, then `happen` for each trigger, then `end`.

    `show` is given what the script sends, as soon as it does. Nothing happens any more once the script
    has called exit(). `step` is how many nanoseconds pass before a trigger that does not say.
    """

    def __init__(
        self,
        session: Session,
        vm: Vm,
        show: Callable[[Iterator[Batch]], object],
        *,
        machine: str = "x86_64",
        step: int = 1000,
    ) -> None:
        self._session, self._vm, self._show, self._step = session, vm, show, step
        self._arch = find_arch(machine)
        self._free = _HEAP
        self._links: list[VmLink] = []

    @property
    def is_over(self) -> bool:
        return self._session.exit_code is not None

    def begin(self) -> None:
        """Run BEGIN and attach the probes of the session, which is loaded."""
        session, vm = self._session, self._vm
        session.set_facts(vm.world.clock + vm.world.boot, tai=vm.world.tai)
        _enter(vm.world, _TRACER)
        session.attach()
        # Probes of one place fire in the order of the script, however they were attached.
        order = {id(link): at for at, link in enumerate(session.bundle.links)}
        self._links = sorted(vm.links, key=lambda link: order[id(link.spec)])
        self._show(session.pump())

    def happen(self, what: Trigger | Sleep) -> None:
        """Let it happen. Raises UsageError where no probe is meant, Fault where a program goes wrong."""
        if isinstance(what, Sleep):
            self._sleep(what.nanoseconds)
            return
        links = self._find(what)
        if what.cpu >= self._vm.cpus:
            raise UsageError(f"{what.probe}: expected a CPU below {self._vm.cpus}, got {what.cpu}")
        world = self._vm.world
        for address, data in what.memory:
            world.put(address, data)
        world.user_stack = tuple([_find_code(world, place, _FUNCTIONS) for place in what.stack])
        world.kernel_stack = tuple([_find_code(world, place, _KERNEL) for place in what.kernel_stack])
        context = what.context or self._registers(what)
        for _ in range(what.times):
            if self.is_over:
                return
            world.clock += self._step if what.after is None else what.after
            _enter(world, what)
            for link in links:
                self._vm.fire(link, context)
            self._show(self._session.pump())

    def end(self) -> None:
        """Detach the probes, and run END."""
        _enter(self._vm.world, _TRACER)
        self._show(self._session.finish())

    def _sleep(self, nanoseconds: int) -> None:
        end = self._vm.world.clock + nanoseconds
        while not self.is_over:
            _enter(self._vm.world, _IDLE)
            if not self._vm.fire_next(end):
                return
            self._show(self._session.pump())

    def _find(self, what: Trigger) -> list[VmLink]:
        found = [link for link in self._links if _is_meant(what.probe, link.spec)]
        if not found:
            probes = dict.fromkeys([link.probe for link in self._session.bundle.links if _is_fired(link)])
            hint = f"it has {', '.join(probes)}" if probes else "it has none that events can fire"
            raise UsageError(f"no probe of the script is {what.probe}", hint=hint)
        return found

    # -- what the probe gets ----------------------------------------------------------------------

    def _registers(self, what: Trigger) -> bytes:
        """The context of a function that is called, or returns; its stack is put into memory."""
        arch = self._arch
        words = [self._word(argument) for argument in what.args]
        known = len(arch.user_arguments)
        values = dict(zip(arch.user_arguments, words, strict=False))
        if what.probe.startswith("uretprobe"):
            values[arch.return_value] = self._word(what.returns)
        values |= {arch.stack_pointer: _STACK, arch.instruction_pointer: _CODE}
        if arch.link is not None:
            values[arch.link] = _RETURN
        # Where the CPU has no link register, the return address is what lies below the arguments.
        lead = _RETURN.to_bytes(8, "little")[: arch.stack_argument]
        rest = words[known:]
        self._vm.world.put(_STACK, lead + struct.pack(f"<{len(rest)}Q", *rest) + bytes(64))
        values |= {name: number & _MASK for name, number in what.registers}
        context = bytearray(max(arch.context_size, CONTEXT_SIZE))
        for name, number in values.items():
            register = _find_register(arch, name, what)
            context[register.offset : register.offset + 8] = number.to_bytes(8, "little")
        return bytes(context)

    def _word(self, argument: Argument) -> int:
        """The number that a register holds for an argument: itself, or where its bytes are."""
        if isinstance(argument, int):
            return argument & _MASK
        data = text(argument) if isinstance(argument, str) else argument
        address, self._free = self._free, self._free + (len(data) // _GAP + 2) * _GAP
        self._vm.world.put(address, data)
        return address


def _find_code(world: World, place: str | int, start: int) -> int:
    """The address of `function+offset`, which is made where there is no such function yet."""
    if isinstance(place, int):
        return place
    name, _, past = place.partition("+")
    if not name or (past and not past.isdigit()) or int(past or 0) >= Named.PAGE:
        raise UsageError(f"stack: expected FUNCTION or FUNCTION+OFFSET, got {place!r}")
    known = next((address for address, other in world.names.items() if other == name), None)
    if known is None:
        known = start + len(world.names) * Named.PAGE
        world.names[known] = name
    return known + int(past or 0)


def _find_register(arch: Arch, name: str, what: Trigger) -> Register:
    found = arch.find_register(name)
    if found is None:
        known = " ".join(register.name for register in arch.registers)
        raise UsageError(f"{what.probe}: {arch.name} has no register {name!r}", hint=f"there are {known}")
    return found


def _enter(world: World, who: Trigger | _Process) -> None:
    world.pid, world.tid = who.pid, who.pid if who.tid is None else who.tid
    world.uid, world.gid, world.cpu = who.uid, who.gid, who.cpu
    world.comm = who.comm.encode("utf-8", "surrogateescape")


def _is_fired(link: Link) -> bool:
    """Whether it takes an event to fire: BEGIN and END fire by themselves."""
    return not isinstance(link, Special)


def _is_meant(name: str, link: Link) -> bool:
    """Whether `name` is the name of the link's probe, or that without its path."""
    if name == link.probe:
        return True
    kind, _, rest = link.probe.partition(":")
    return name == f"{kind}:{rest.partition(':')[2]}"
