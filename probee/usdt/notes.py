"""Probes of a file: notes of owner "stapsdt" and type 3, usually in `.note.stapsdt`.

SystemTap's wiki, "User Space Probe Implementation": three addresses (of the probe, of `.stapsdt.base` as the
linker saw it, of the semaphore or 0), then three strings (provider, name, arguments).
"""

from __future__ import annotations

from ..base.reader import Reader
from ..base.record import record
from ..elf.consts import NT
from .args import Arg, parse_args

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..elf.file import Elf
    from ..elf.notes import Note

_BASE = ".stapsdt.base"


@record
class Probe:
    """One place of a probe. A probe may have many, each with arguments of its own.

    `location` is the virtual address of the instruction (a nop), `offset` where that is in the file: None
    when it is not in executable code. `semaphore` is the virtual address of the 16-bit count of tracers,
    which the program looks at before it makes the arguments, 0 when the probe has none; `semaphore_offset`
    is where that is in the file (0 for none, None when it is not in it). `args` is what `arguments` spells.
    """

    provider: str
    name: str
    location: int
    offset: int | None
    semaphore: int
    semaphore_offset: int | None
    arguments: str
    args: tuple[Arg, ...]


@record
class ProbePlaces:
    """All places of one probe, in the order of the notes."""

    provider: str
    name: str
    places: tuple[Probe, ...]

    def by_args(self) -> list[tuple[Probe, ...]]:
        """Places that have their arguments at the same spot, together: one program can serve them."""
        groups: dict[tuple[Arg, ...], list[Probe]] = {}
        for place in self.places:
            groups.setdefault(place.args, []).append(place)
        return [tuple(group) for group in groups.values()]


def iter_probes(elf: Elf) -> Iterator[Probe]:
    """The probes of `elf`, in the order of its notes. Raises FormatError for malformed ones."""
    section = elf.find_section(_BASE)
    base = section.addr if section is not None else 0
    for note in elf.iter_notes():
        if note.owner == "stapsdt" and note.type == NT.STAPSDT:
            yield _parse_probe(elf, note, base)


def group_probes(probes: Iterable[Probe]) -> list[ProbePlaces]:
    """Probes with all their places, in the order in which each was first met."""
    groups: dict[tuple[str, str], list[Probe]] = {}
    for probe in probes:
        groups.setdefault((probe.provider, probe.name), []).append(probe)
    return [ProbePlaces(*names, tuple(places)) for names, places in groups.items()]


def _parse_probe(elf: Elf, note: Note, base: int) -> Probe:
    reader = Reader(note.desc, path=elf.path, section=note.section, little=elf.little)
    # Errors tell the place in the section, not in the note.
    reader.start = -note.offset
    location, seen_base, semaphore = reader.read_struct("QQQ" if elf.bits == 64 else "III")
    provider, name = _read_name(reader, "provider"), _read_name(reader, "name")
    arguments_at = note.offset + reader.at
    arguments = _read_text(reader)
    # Prelink moves what is loaded and leaves the notes alone, so the base tells by how much.
    moved = base - seen_base if base and seen_base else 0
    mask = (1 << elf.bits) - 1
    location = location + moved & mask
    semaphore = semaphore and semaphore + moved & mask
    return Probe(
        provider,
        name,
        location,
        elf.file_offset(location),
        semaphore,
        elf.file_offset(semaphore, code=False) if semaphore else 0,
        arguments,
        parse_args(arguments, elf, section=note.section, at=arguments_at),
    )


def _read_name(reader: Reader, what: str) -> str:
    at = reader.at
    text = _read_text(reader)
    if not text:
        raise reader.error(f"expected the {what} of a probe, got nothing", at=at)
    return text


def _read_text(reader: Reader) -> str:
    at = reader.at
    try:
        return reader.read_string().decode()
    except UnicodeDecodeError as error:
        raise reader.error(f"expected text in UTF-8: {error.reason}", at=at) from error
