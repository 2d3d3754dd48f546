"""Names of addresses of the running system: its kernel, and processes whether they still run or not.

Everything is read when it is first asked for, and kept: the kernel's symbols once, a file once for all
processes that have it mapped, mappings of a process once, and again when an address comes up that they
don't have. A process is kept apart from a later one of the same id.
"""

from __future__ import annotations

from ..base.record import record
from ..kernel.images import read_kallsyms, read_maps, read_start
from ..spec.bundle import Special, UprobeLink
from ..spec.python import PROCESSES
from .demangle import MANGLED, demangle
from .frame import Frame
from .image import ImageOpener
from .kallsyms import Kallsyms
from .maps import Mapping
from .space import Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..kernel.mappings import Executed, Exited, Forked, Mapped, Watch
    from ..spec.bundle import Bundle
    from ..spec.machine import MapHandle
    from .cpython import Pythons
    from .unwind import UnwindTables

_PAGE = 0xFFF

_SWEEP = 16
"""After so many times that something was told, it is looked who still runs."""


@record
class Settings:
    """What a script's config says. `debug_info`: files, lines and inlined functions are shown."""

    debug_info: bool = True
    cpp_demangle: bool = True


def settings_of(bundle: Bundle) -> Settings:
    """What the config of a compiled script says of symbols."""
    config = dict(bundle.config)
    return Settings(_is_on(config, "show_debug_info"), _is_on(config, "cpp_demangle"))


def _is_on(config: dict[str, str | int], name: str) -> bool:
    return config.get(name, True) not in (False, 0, "false", "0")


class _Process:
    """The address spaces that were seen of one process, the latest last, and what was found in them: of
    addresses as they are, and of those that calls return to."""

    def __init__(self, start: int | None) -> None:
        self.start = start
        self.is_gone = False
        self.text = ""  # of its mappings, when they were read last
        self.spaces: list[Space] = []
        self.kept: tuple[dict[int, tuple[Frame, ...]], dict[int, tuple[Frame, ...]]] = ({}, {})

    def drop_kept(self) -> None:
        """Something else is mapped now: what was found before may be wrong."""
        for kept in self.kept:
            kept.clear()


class LiveSymbols:
    """`frame.Symbols` of this machine, for stacks that the programs of `bundle` took."""

    def __init__(self, bundle: Bundle, settings: Settings | None = None) -> None:
        self._settings = settings or settings_of(bundle)
        self._numbered = bundle.numbered
        self._links = [link for link in bundle.links if isinstance(link, UprobeLink) and not link.ret]
        self._is_everywhere = any(
            link.program in bundle.numbered and not isinstance(link, (UprobeLink, Special))
            for link in bundle.links
        )
        self._kallsyms: Kallsyms | None = None
        self._kernel: dict[int, tuple[Frame, ...]] = {}
        self._processes: dict[int, _Process] = {}
        self._images = ImageOpener(self._settings.debug_info)
        self._watch: Watch | None = None
        self._tables: UnwindTables | None = None
        self._pythons: Pythons | None = None
        self._served = 0

    # ---- the kernel

    def kernel(self, addresses: Sequence[int]) -> list[tuple[Frame, ...]]:
        # What a call returns to may be past the end of its function, where that never returns.
        return [self._kernel_frame(address, bool(at)) for at, address in enumerate(addresses)]

    def kernel_name(self, address: int) -> str:
        return self._kernel_frame(address, False)[0].name

    def _kernel_frame(self, address: int, is_return: bool) -> tuple[Frame, ...]:
        key = address << 1 | is_return
        frames = self._kernel.get(key)
        if frames is None:
            if self._kallsyms is None:
                self._kallsyms = Kallsyms(read_kallsyms())
            found = self._kallsyms.find(address - is_return)
            frame = Frame(address)
            if found is not None:
                symbol, offset = found
                frame = Frame(address, symbol.name, offset + is_return, symbol.module)
            frames = self._kernel[key] = (frame,)
        return frames

    # ---- processes

    def follow(self, pid: int, unwind: dict[str, MapHandle]) -> None:
        """Hear from now on of what is mapped: processes may be gone when their stacks are shown.

        By process `pid`, whose mappings are read at once, and those that it starts; 0: by every process
        that the script may take a stack of, unless a file tells which those are. `unwind`: the maps of
        `spec.unwind`, if programs have them, which are filled.
        """
        from ..kernel.mappings import Watch

        if unwind:
            from .unwind import UnwindTables

            self._tables = UnwindTables(unwind, self._images)
            if PROCESSES in unwind:
                from .cpython import Pythons

                self._pythons = Pythons(unwind, self._images)
        for path in {link.path for link in self._links if link.program in self._numbered}:
            self._images.open_path(path)  # it may be deleted while we look
        if pid or self._is_everywhere:
            self._watch = Watch(pid or -1)
        if pid:
            self._read_space(pid, self._find_process(pid))
            self._tell(pid)
            self._prepare(pid)

    def _prepare(self, pid: int) -> None:
        """Make tables of the libraries that process `pid` is going to load: once it runs there is no time
        for it."""
        if self._tables is None:
            return
        images = [self._images.open_mapping(pid, mapping) for mapping in self._spaces_of(pid)]
        seen: set[str] = set()
        while images:
            image = images.pop()
            for name in image.elf.dynamic.needed if image is not None else ():
                if name not in seen:
                    seen.add(name)
                    library = self._images.open_library(name)
                    images.append(library)
                    if library is not None:
                        self._tables.prepare(library)

    def _spaces_of(self, pid: int) -> list[Mapping]:
        process = self._processes.get(pid)
        mappings = process.spaces[-1].mappings if process is not None and process.spaces else []
        return [mapping for mapping in mappings if mapping.is_executable and mapping.file]

    @property
    def fds(self) -> list[int]:
        """Descriptors that are readable when `catch_up` has something to do."""
        return self._watch.fds if self._watch is not None else []

    def _tell(self, pid: int) -> None:
        """Tell the programs of what process `pid` has mapped, as far as it is known."""
        process = self._processes.get(pid)
        if self._tables is not None and process is not None and process.spaces:
            self._tables.replace(pid, process.spaces[-1].mappings)
            if self._pythons is not None:
                self._pythons.add(pid, process.spaces[-1].mappings)

    def close(self) -> None:
        """Hear of nothing more. What is known stays. May be called twice."""
        self._tables = None  # their maps may be gone already
        if self._watch is not None:
            self.catch_up()
            self._watch.close()
            self._watch = None

    def catch_up(self) -> None:
        """Take note of what was mapped since the last call."""
        if self._watch is not None:
            for change in self._watch.read():
                _CHANGES[change.__class__.__name__](self, change)
        if self._tables is not None:
            self._serve(self._tables)

    def _serve(self, tables: UnwindTables) -> None:
        """Tell the programs what they asked for; and forget those who ended when nobody says that they
        did."""
        for pid in tables.take_wanted():
            process = self._find_process(pid)
            if not process.is_gone and (self._read_space(pid, process) or not tables.have(pid)):
                self._tell(pid)
        self._served += 1
        if self._served % _SWEEP == 0:
            for pid in tables.pids:
                if pid not in self._processes or read_start(pid) != self._processes[pid].start:
                    self._forget(tables, pid)

    def _forget(self, tables: UnwindTables, pid: int) -> None:
        tables.forget(pid)
        if self._pythons is not None:
            self._pythons.forget(pid)

    def _mapped(self, change: Mapped) -> None:
        process = self._processes.get(change.pid)
        if process is None:
            process = self._processes[change.pid] = _Process(read_start(change.pid))
        if not process.spaces:
            process.spaces.append(Space(change.pid, "", self._images))
        mapping = Mapping(
            change.start, change.end, "r-xp", change.offset, change.device, change.inode, change.path
        )
        process.spaces[-1].add(mapping)
        process.drop_kept()
        if self._tables is not None and self._tables.have(change.pid):
            self._tables.add(change.pid, [mapping])
            if self._pythons is not None:
                self._pythons.add(change.pid, [mapping])
        # Opened while it is there: of a process in a container that is gone, no path leads to it.
        self._images.open_mapping(change.pid, mapping)

    def _executed(self, change: Executed) -> None:
        process = self._processes.setdefault(change.pid, _Process(read_start(change.pid)))
        process.spaces.append(Space(change.pid, "", self._images))
        process.drop_kept()
        if self._tables is not None and self._tables.have(change.pid):
            self._forget(self._tables, change.pid)
            self._tables.add(change.pid, ())

    def _forked(self, change: Forked) -> None:
        parent = self._processes.get(change.parent)
        process = self._processes[change.pid] = _Process(read_start(change.pid))
        if parent is not None and parent.spaces:
            process.spaces.append(parent.spaces[-1].copy(change.pid))
        if self._tables is not None and self._tables.have(change.parent):
            self._tell(change.pid)

    def _exited(self, change: Exited) -> None:
        process = self._processes.get(change.pid)
        if process is not None:
            process.is_gone = True
        if self._tables is not None:
            self._forget(self._tables, change.pid)

    def user(
        self, pid: int, program: int, addresses: Sequence[int], python: Sequence[int] = ()
    ) -> list[tuple[Frame, ...]]:
        found = self._user(pid, program, addresses[:1], False)
        found += self._user(pid, program, addresses[1:], True)
        return self._pythons.merge(found, python) if self._pythons is not None and python else found

    def user_name(self, pid: int, program: int, address: int) -> str:
        ((*_, frame),) = self._user(pid, program, (address,), False)
        return frame.name

    def _user(
        self, pid: int, program: int, addresses: Sequence[int], is_return: bool
    ) -> list[tuple[Frame, ...]]:
        process = self._processes.get(pid)
        if process is not None:
            kept = process.kept[is_return]
            frames = [kept.get(address) for address in addresses]
            if None not in frames:
                return frames  # type: ignore[return-value]
        self.catch_up()
        process = self._find_process(pid)
        kept = process.kept[is_return]
        known = {address: kept[address] for address in addresses if address in kept}
        found = self._resolve(pid, process, program, sorted(set(addresses) - known.keys()), is_return)
        for address, some in found.items():
            # What is in no file may get its name later: a compiler writes it down when it likes.
            if some[-1].name or some[-1].module:
                kept[address] = some
        return [known.get(address) or found[address] for address in addresses]

    def _resolve(
        self, pid: int, process: _Process, program: int, addresses: list[int], is_return: bool
    ) -> dict[int, tuple[Frame, ...]]:
        """The frames of each of `addresses`, which ascend: by what is mapped now, else by what was."""
        found: dict[int, tuple[Frame, ...]] = {}
        left = addresses
        if process.spaces:
            left = process.spaces[-1].resolve_all(left, is_return, found)
        if left and not process.is_gone:
            self._read_space(pid, process)
        if left and not process.spaces:
            guess = self._guess_space(program, left[0]) if not is_return else None
            process.spaces += [guess] if guess is not None else []
        for space in reversed(process.spaces):
            left = space.resolve_all(left, is_return, found)
        for address in left:
            found[address] = (Frame(address),)
        if self._settings.cpp_demangle:
            for address, frames in found.items():
                if any(frame.name.startswith(MANGLED) for frame in frames):
                    found[address] = tuple([_demangled(frame) for frame in frames])
        return found

    def _find_process(self, pid: int) -> _Process:
        """What is known of the process that has the id `pid` now, or had it last."""
        known = self._processes.get(pid)
        if known is not None and known.is_gone:
            return known
        start = read_start(pid)
        if known is None or (start is not None and known.start is not None and start != known.start):
            known = self._processes[pid] = _Process(start)
        return known

    def _read_space(self, pid: int, process: _Process) -> bool:
        """Read what the process has mapped now; whether that is not what it had when it was read last."""
        text = read_maps(pid)
        if not text or text == process.text:
            return False
        process.text = text
        space = Space(pid, text, self._images)
        if process.spaces and process.spaces[-1].is_part_of(space):
            process.spaces[-1] = space
        else:
            process.spaces.append(space)
        process.drop_kept()
        return True

    def _guess_space(self, program: int, address: int) -> Space | None:
        """Of a process that nobody saw alive: the file that the probe is in, which the innermost address of
        the stack tells the place of. None when it may be more than one place."""
        if program >= len(self._numbered):
            return None
        name = self._numbered[program]
        places: set[tuple[str, int]] = set()
        for link in self._links:
            if link.program == name:
                image = self._images.open_path(link.path)
                at = image.elf.address_of(link.offset) if image is not None else None
                if at is not None and not (address - at) & _PAGE:
                    places.add((link.path, address - at))
        if len(places) != 1:
            return None
        ((path, bias),) = places
        return Space.of_file(path, bias, self._images)


_CHANGES: dict[str, Callable[[LiveSymbols, Any], None]] = {
    "Mapped": LiveSymbols._mapped,
    "Executed": LiveSymbols._executed,
    "Forked": LiveSymbols._forked,
    "Exited": LiveSymbols._exited,
}


def _demangled(frame: Frame) -> Frame:
    name = demangle(frame.name)
    if name == frame.name:
        return frame
    return Frame(frame.address, name, frame.offset, frame.module, frame.file, frame.line, frame.inlined)
