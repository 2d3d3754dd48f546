"""What a compiler hands to a machine: everything about one script's programs, as data."""

from __future__ import annotations

from ..base.record import record
from .abi import AttachType, MapType, ProgType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..base.source import Diagnostic, Source, Span
    from ..ctype.types import CType


@record
class Map:
    """A kernel map. Sizes in bytes; for RINGBUF `max_entries` is its size in bytes.

    `content` is what the only value of an array is before a program runs, or empty.
    """

    name: str
    type: MapType
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    content: bytes = b""


@record
class Relocation:
    """Slot `slot` of a program's code is the first half of a wide load that names `map`.

    `offset` is None for the map itself, else the load is the address of that byte of the (only)
    value of an array map.
    """

    slot: int
    map: str
    offset: int | None = None


@record
class LineInfo:
    """From instruction slot `slot` on, the code is for `span`."""

    slot: int
    span: Span


@record
class Program:
    """One program. `code` is 8 bytes a slot; maps are still named by `relocations`.

    `func_info` and `line_info` are records of the bundle's BTF, in the kernel's form. `probe` is the
    attach point as the script's writer would spell it.
    """

    name: str
    type: ProgType
    code: bytes
    relocations: tuple[Relocation, ...] = ()
    lines: tuple[LineInfo, ...] = ()
    func_info: bytes = b""
    line_info: bytes = b""
    expected_attach: AttachType = AttachType.NONE
    license: str = "GPL"
    probe: str = ""
    span: Span | None = None


@record
class Variable:
    """What a script calls `@name`: where a machine keeps it and how to read it.

    Keyed (`key` is not None): an entry of the hash `map`, per CPU when the value is an aggregate.
    Keyless, in array `map`: at `offset` of its only value, and when `stride` is not 0 once a CPU,
    `stride` bytes apart. `written` is the offset, from the start of a slot, of a u64 that is not 0
    once a program has written the slot; -1: the value itself is not 0 then.
    Keyless but large (text, tuples): entry 0 of a hash with a u32 key; `offset` is -1.
    """

    name: str
    key: CType | None
    value: CType
    map: str
    offset: int = -1
    stride: int = 0
    written: int = -1


@record
class Field:
    """A value at a byte `offset` of an event's record."""

    offset: int
    type: CType
    name: str = ""


@record
class EventLayout:
    """One place of a program that sends records. Every record starts with u32 `id`.

    `kind` says what the run half does with it: "printf", "print", "print_value", "clear", "zero",
    "exit", "time". `ring` is "data" or "control"; a control record's u64 at offset 8 is the data ring's
    producer position when it was sent, and it is due when the data before that is done.
    `format` is printf's or strftime's; `variable` names the map of print, clear and zero; `numbers`
    are constant arguments (print's top and div, exit's code). `probe` is the full probe name.
    """

    id: int
    kind: str
    size: int
    fields: tuple[Field, ...]
    ring: str = "data"
    format: str = ""
    variable: str = ""
    numbers: tuple[int, ...] = ()
    probe: str = ""
    span: Span | None = None


@record
class Counter:
    """A u64 at `offset` of the globals map that programs add to.

    `kind`: "lost" (records that found a ring full), "nesting" (runs given up because all scratch slots of the
    CPU were taken), "loop_limit" (loops that went round as often as they may), "div0", "out_of_bounds";
    "helper" (calls that failed of the kernel's function `variable`, the last of which gave the s64 8 bytes
    after), "map_full" (the same, of updates refused).
    """

    kind: str
    offset: int
    probe: str = ""
    variable: str = ""
    span: Span | None = None


@record
class Special:
    """A program that is attached to nothing: run by the machine when asked to, by BPF_PROG_TEST_RUN.

    `event` says when: "begin", "end", the name of a signal that probee itself gets; "test" and "bench"
    when tests and benchmarks are run.
    """

    program: str
    event: str
    probe: str = ""


@record
class UprobeLink:
    """A probe in a file's code. `offset` is in the file, `pid` 0 means every process.

    `ret`: at the function's return. `cookie`: what tells a program that is at many places where it runs; 0 is
    none. `semaphore`: where in the file the 16-bit count is that the kernel keeps above 0, in the memory of
    every process that is traced, as long as the probe is live; 0 is none.
    """

    program: str
    path: str
    offset: int
    ret: bool = False
    pid: int = 0
    cookie: int = 0
    probe: str = ""
    span: Span | None = None
    semaphore: int = 0


@record
class IntervalLink:
    """A timer on one CPU, every `period` nanoseconds."""

    program: str
    period: int
    probe: str = ""
    span: Span | None = None


@record
class PerfLink:
    """Every `period`th time that something happens: `config` of `type` (PerfType, and the enum of its kind).

    A clock's period is in nanoseconds. `pid`: in the threads of that process; 0: on every CPU.
    """

    program: str
    type: int
    config: int
    period: int
    pid: int = 0
    probe: str = ""
    span: Span | None = None


@record
class TracepointLink:
    """A tracepoint of the kernel, by tracefs's names."""

    program: str
    category: str
    event: str
    probe: str = ""
    span: Span | None = None


@record
class RawTracepointLink:
    """A tracepoint of the kernel, by its own name: the program gets its arguments as they are."""

    program: str
    event: str
    probe: str = ""
    span: Span | None = None


@record
class KprobeLink:
    """A function of the kernel, or of the `module` that is named. `ret`: at the function's return."""

    program: str
    function: str
    offset: int = 0
    ret: bool = False
    module: str = ""
    probe: str = ""
    span: Span | None = None


@record
class WatchLink:
    """A hardware breakpoint on `length` bytes at `address`; `modes` are of "r", "w" and "x".

    `pid`: of that process; 0: of the kernel, on every CPU.
    """

    program: str
    address: int
    length: int
    modes: str
    pid: int = 0
    probe: str = ""
    span: Span | None = None


Link = (
    Special
    | UprobeLink
    | IntervalLink
    | PerfLink
    | TracepointLink
    | RawTracepointLink
    | KprobeLink
    | WatchLink
)


@record
class Bundle:
    """One compiled script.

    `globals` is the name of the map that holds counters and keyless variables ("" = none),
    `rings` maps the ring names "data" and "control" to map names, in pairs.
    Links are in the order of the script; `btf` is what func_info and line_info refer to.
    `start_time` is the offset in globals of a u64 that is given the boot clock when probes are attached,
    `traced_pid` that of one that is given the id of the traced process, `tai_offset` that of one that is
    given the nanoseconds from the monotonic clock to TAI, `child_pid` that of one that is given the id of the
    command that the tracer started (-1: not used).
    `numbered` are the names of the programs that stacks and symbols give by number: where a stack was taken
    tells what is mapped there when its process is gone.
    """

    programs: tuple[Program, ...]
    maps: tuple[Map, ...]
    variables: tuple[Variable, ...]
    links: tuple[Link, ...]
    events: tuple[EventLayout, ...]
    counters: tuple[Counter, ...] = ()
    globals: str = ""
    rings: tuple[tuple[str, str], ...] = ()
    btf: bytes = b""
    source: Source | None = None
    config: tuple[tuple[str, str | int], ...] = ()
    start_time: int = -1
    traced_pid: int = -1
    tai_offset: int = -1
    child_pid: int = -1
    numbered: tuple[str, ...] = ()


@record
class Compiled:
    """A bundle and the warnings that came up on the way to it."""

    bundle: Bundle
    warnings: tuple[Diagnostic, ...] = ()
