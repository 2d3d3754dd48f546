"""What this kernel can do, found out by trying: loading tiny programs, and calls made to fail.

`FEATURES` is the table; `since` is the version of Linux that brought a feature and serves messages and tests,
never decisions. Nothing is attached to anything but this process or a place that can't exist.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

from ..base.errors import FeatureError, KernelError
from ..base.record import record
from ..base.registry import Registry
from ..btf.consts import Kind
from ..isa.ebpf import (
    Alu,
    Atomic,
    Jump,
    Size,
    alu_imm,
    alu_reg,
    atomic,
    call,
    encode,
    exit_,
    ja,
    jump_imm,
    may_goto,
    mov_imm,
    store_imm,
)
from ..spec.abi import AttachType, MapFlag, MapType, PerfHardware, PerfSoftware, PerfType, ProgType
from ..spec.bundle import Map
from .abi import BREAKPOINT_MODES, Cmd, LogLevel
from .config import find_config
from .cpus import online_cpus, possible_cpus
from .fd import Fd
from .maps import create_map
from .names import find_tracefs
from .perf import LINK, pmu_type, try_event, try_uprobe_multi
from .privilege import read_lockdown
from .programs import Load, open_raw_tracepoint
from .syscall import address, bpf, known_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..isa.ebpf import Insn

_GET_FUNC_IP = 173
_GET_ATTACH_COOKIE = 174
_FOR_EACH_MAP_ELEM = 164
_BPF_LOOP = 181
_MAP_LOOKUP_PERCPU_ELEM = 195
_KTIME_GET_TAI_NS = 208
_TASK_PT_REGS = 175
_LOG_SIZE = 4096
_PERIOD = 1_000_000
_BAD_FD = 0x7FFFFFFF
_BAD_ADDRESS = 8
_FP = 10


@record
class Answer:
    """`have` it or not, and `why` not, in words; `errno` where the kernel gave one."""

    have: bool
    why: str = ""
    errno: int = 0


_YES = Answer(True)


@record
class Feature:
    """`probe()` tries whether the kernel has what is called `name`, which Linux `since` has."""

    name: str
    since: tuple[int, int]
    probe: Callable[[], Answer]


FEATURES: Registry[Feature] = Registry("feature")


def probe_features(names: Iterable[str]) -> dict[str, Answer]:
    """Try each of the features `names`. Raises FeatureError for a name that is none."""
    answers = {}
    for name in names:
        feature = FEATURES.find(name)
        if feature is None:
            raise FeatureError(f"no feature is called {name!r}")
        answers[name] = feature.probe()
    return answers


# -- programs -----------------------------------------------------------------------------------


def _loads(*insns: Insn, kind: ProgType = ProgType.RAW_TRACEPOINT) -> Callable[[], Answer]:
    """Whether the verifier takes a program of these instructions and `exit`."""

    def probe() -> Answer:
        return _opened(Load(kind, _encode(*insns)).run())

    return probe


def _have_helper(number: int, kind: ProgType = ProgType.RAW_TRACEPOINT) -> Callable[[], Answer]:
    """Whether the verifier knows a helper: its complaint is then not about the helper itself."""

    def probe() -> Answer:
        load = Load(kind, _encode(call(number), mov_imm(0, 0)))
        log = bytearray(_LOG_SIZE)
        result = load.run(log, LogLevel.BRIEF)
        if result >= 0 or not log[0]:
            return _opened(result)
        unknown = any(words in log for words in (b"unknown func", b"invalid func", b"cannot use helper"))
        return Answer(not unknown, f"the verifier does not know helper {number}" if unknown else "")

    return probe


def _have_tracing(name: str, kind: Kind, attach: AttachType) -> Callable[[], Answer]:
    """Whether a program for the kernel function or tracepoint `name` can be loaded."""

    def probe() -> Answer:
        have_btf = _have_vmlinux_btf()
        if not have_btf.have:
            return have_btf
        from .vmlinux import PATH, find_btf_id

        with open(PATH, "rb") as file:
            number = find_btf_id(file.read(), name, kind)
        if number is None:
            return Answer(False, f"the kernel's BTF has no {name}")
        load = Load(ProgType.TRACING, _encode(mov_imm(0, 0)), "GPL", name, attach, number)
        return _opened(load.run())

    return probe


def _have_fentry() -> Answer:
    """Whether a trampoline can be put at a function: the kernel keeps one for tests of just that."""
    answer = _have_tracing("bpf_fentry_test1", Kind.FUNC, AttachType.TRACE_FENTRY)()
    lockdown = read_lockdown()
    if not answer.have and lockdown not in ("", "none"):
        why = f"{answer.why}; the kernel is locked down (lockdown={lockdown})"
        return Answer(False, why, answer.errno)
    return answer


def _have_test_run() -> Answer:
    """Whether a raw tracepoint's program can be run by hand, which BEGIN and END are."""
    from ..spec.bundle import Program
    from .programs import TEST_RUN, KernelProgram

    result = Load(ProgType.RAW_TRACEPOINT, _encode(mov_imm(0, 0))).run()
    if result < 0:
        return _opened(result)
    program = KernelProgram(Program("test_run", ProgType.RAW_TRACEPOINT, b""), result)
    attr = bytearray(TEST_RUN.size)
    struct.pack_into("=I", attr, 0, program.fd.number)
    answer = _answer(bpf(Cmd.PROG_TEST_RUN, attr))
    program.close()
    return answer


def _have_raw_tracepoint() -> Answer:
    loaded = _opened(Load(ProgType.RAW_TRACEPOINT, _encode(mov_imm(0, 0))).run())
    if not loaded.have:
        return loaded
    return _reached(open_raw_tracepoint("probee_no_such_tracepoint", _BAD_FD), errno.ENOENT, errno.EBADF)


# -- maps ---------------------------------------------------------------------------------------


def _creates(spec: Map) -> Callable[[], Answer]:
    def probe() -> Answer:
        try:
            create_map(spec, 1).close()
        except KernelError as error:
            return _answer(-error.errno)
        return _YES

    return probe


def _have_batch(kind: MapType) -> Callable[[], Answer]:
    """Whether maps of a type are read in batches: an empty batch of one is."""

    def probe() -> Answer:
        try:
            handle = create_map(Map("batch", kind, 4, 8, 1), len(possible_cpus()))
        except KernelError as error:
            return _answer(-error.errno)
        answer = Answer(handle.have_batches())
        handle.close()
        return answer if answer.have else Answer(False, "the command is refused for this type of map")

    return probe


# -- links --------------------------------------------------------------------------------------


def _have_perf_link() -> Answer:
    """A link of a program to a perf event that can't be: the kernel must get as far as that."""
    result = Load(ProgType.TRACEPOINT, _encode(mov_imm(0, 0))).run()
    if result < 0:
        return _opened(result)
    with Fd(result):
        attr = bytearray(LINK.pack(result, _BAD_FD, AttachType.PERF_EVENT, 0, 0))
        return _reached(bpf(Cmd.LINK_CREATE, attr), errno.EBADF)


def _uprobe_multi_at_root(pid: int) -> int:
    """A uprobe_multi link to the directory `/`, which no kernel can make."""
    attach = AttachType.TRACE_UPROBE_MULTI
    result = Load(ProgType.KPROBE, _encode(mov_imm(0, 0)), expected_attach=attach).run()
    if result < 0:
        return result
    with Fd(result):
        return try_uprobe_multi(result, "/", (0,), pid=pid)


def _have_uprobe_multi() -> Answer:
    return _reached(_uprobe_multi_at_root(0), errno.EBADF)


def _have_uprobe_multi_pid() -> Answer:
    """Whether uprobe_multi's pid means a process.

    Until Linux commit 46ba0e49b642 ("bpf: fix multi-uprobe PID filtering logic") (in v6.10) it meant a
    thread; since then, and where it was taken back, a pid below 0 is refused before the path is looked at.
    """
    answer = _have_uprobe_multi()
    if not answer.have:
        return answer
    fixed = _uprobe_multi_at_root(-1) == -errno.EINVAL
    return _YES if fixed else Answer(False, "the kernel takes a pid for a thread's")


def _have_kprobe_multi() -> Answer:
    attach = AttachType.TRACE_KPROBE_MULTI
    result = Load(ProgType.KPROBE, _encode(mov_imm(0, 0)), expected_attach=attach).run()
    if result < 0:
        return _opened(result)
    with Fd(result):
        # prog_fd target_fd attach_type flags flags cnt syms addrs cookies
        attr = struct.pack("=IIIIIIQQQ", result, 0, attach, 0, 0, 1, 0, _BAD_ADDRESS, 0)
        answer = _reached(bpf(Cmd.LINK_CREATE, bytearray(attr)), errno.EFAULT)
    return _with_config(answer, "CONFIG_FPROBE")


# -- perf events --------------------------------------------------------------------------------


def _have_pmu(name: str, option: str) -> Callable[[], Answer]:
    def probe() -> Answer:
        try:
            pmu_type(name)
        except FeatureError as error:
            return _with_config(Answer(False, error.message), option)
        return _YES

    return probe


def _have_software() -> Answer:
    return _opened(try_event(PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, pid=0, period=_PERIOD))


def _have_cpu_timer() -> Answer:
    """A timer of one CPU, which is of no process: opened, and not enabled."""
    cpu = online_cpus()[0]
    return _opened(try_event(PerfType.SOFTWARE, PerfSoftware.CPU_CLOCK, cpu=cpu, period=_PERIOD))


def _have_hardware() -> Answer:
    result = try_event(PerfType.HARDWARE, PerfHardware.CPU_CYCLES, pid=0, period=_PERIOD)
    if result in (-errno.ENOENT, -errno.EOPNOTSUPP):
        return Answer(
            False, f"nothing counts CPU cycles here, as in many virtual machines ({os.strerror(-result)})"
        )
    return _opened(result)


def _have_watchpoint() -> Answer:
    watched = bytearray(8)
    result = try_event(
        PerfType.BREAKPOINT, 0, pid=0, bp_type=BREAKPOINT_MODES["w"], config1=address(watched), config2=4
    )
    return _with_config(_opened(result), "CONFIG_HAVE_HW_BREAKPOINT")


# -- files --------------------------------------------------------------------------------------


def _have_vmlinux_btf() -> Answer:
    from .vmlinux import PATH

    if os.access(PATH, os.R_OK):
        return _YES
    return _with_config(Answer(False, f"there is no {PATH}"), "CONFIG_DEBUG_INFO_BTF")


def _have_tracefs() -> Answer:
    try:
        find_tracefs()
    except FeatureError as error:
        return Answer(False, f"{error.message}: {error.hint}" if error.hint else error.message)
    return _YES


# -- answers ------------------------------------------------------------------------------------


def _encode(*insns: Insn) -> bytes:
    return encode((*insns, exit_()), little=sys.byteorder == "little")


def _opened(result: int) -> Answer:
    """The answer of a call that gives a descriptor, which is closed."""
    if result >= 0:
        os.close(result)
    return _answer(result)


def _answer(result: int) -> Answer:
    number = known_errno(-result)
    return _YES if result >= 0 else Answer(False, f"the kernel answers: {os.strerror(number)}", number)


def _reached(result: int, *wanted: int) -> Answer:
    """The answer of a call that must fail, with an errno that only a kernel that has it can give."""
    if -result in wanted:
        return _YES
    return _opened(result) if result < 0 else Answer(False, "the kernel took what can't be")


def _with_config(answer: Answer, option: str) -> Answer:
    """`answer`, with what it says about a build option where that explains a no."""
    if not answer.have and find_config(option) == "n":
        return Answer(False, f"{answer.why}: it was built without {option}", answer.errno)
    return answer


_LOOP = (mov_imm(0, 0), alu_imm(Alu.ADD, 0, 1), may_goto(1), ja(-3))
_FETCH = (store_imm(Size.DW, _FP, -8, 0), mov_imm(0, 1), atomic(Atomic.ADD, Size.DW, _FP, -8, 0, True))

for _feature in (
    Feature("isa_v2", (4, 14), _loads(mov_imm(0, 0), jump_imm(Jump.LT, 0, 1, 0))),
    Feature("isa_v3", (5, 1), _loads(mov_imm(0, 0), jump_imm(Jump.LT, 0, 1, 0, wide=False))),
    Feature("isa_v4", (6, 6), _loads(mov_imm(0, 0), alu_reg(Alu.MOVSX32, 0, 0))),
    Feature("atomics_fetch", (5, 12), _loads(*_FETCH)),
    Feature("may_goto", (6, 9), _loads(*_LOOP)),
    Feature("get_func_ip", (5, 15), _have_helper(_GET_FUNC_IP, ProgType.KPROBE)),
    Feature("attach_cookie", (5, 15), _have_helper(_GET_ATTACH_COOKIE, ProgType.KPROBE)),
    Feature("for_each_map_elem", (5, 13), _have_helper(_FOR_EACH_MAP_ELEM)),
    Feature("bpf_loop", (5, 17), _have_helper(_BPF_LOOP)),
    Feature("task_pt_regs", (5, 15), _have_helper(_TASK_PT_REGS)),
    Feature("map_lookup_percpu_elem", (5, 19), _have_helper(_MAP_LOOKUP_PERCPU_ELEM)),
    Feature("ktime_get_tai_ns", (6, 1), _have_helper(_KTIME_GET_TAI_NS)),
    Feature("mmapable", (5, 5), _creates(Map("mmapable", MapType.ARRAY, 4, 8, 1, MapFlag.MMAPABLE))),
    # Since Linux commit c6bde958a62b ("bpf: Lift hashtab key_size limit") (in v5.11)
    Feature("large_keys", (5, 11), _creates(Map("large_keys", MapType.HASH, 1024, 8, 1))),
    Feature("ringbuf", (5, 8), _creates(Map("ringbuf", MapType.RINGBUF, 0, 0, os.sysconf("SC_PAGESIZE")))),
    Feature("batch_hash", (5, 6), _have_batch(MapType.HASH)),
    Feature("batch_percpu_array", (5, 13), _have_batch(MapType.PERCPU_ARRAY)),
    Feature("test_run", (5, 10), _have_test_run),
    Feature("perf_link", (5, 15), _have_perf_link),
    Feature("uprobe_multi", (6, 6), _have_uprobe_multi),
    Feature("uprobe_multi_pid", (6, 10), _have_uprobe_multi_pid),
    Feature("kprobe_multi", (5, 18), _have_kprobe_multi),
    Feature("uprobe_pmu", (4, 17), _have_pmu("uprobe", "CONFIG_UPROBE_EVENTS")),
    Feature("kprobe_pmu", (4, 17), _have_pmu("kprobe", "CONFIG_KPROBES")),
    Feature("perf_event", (4, 9), _loads(mov_imm(0, 0), kind=ProgType.PERF_EVENT)),
    Feature("kprobe_program", (4, 1), _loads(mov_imm(0, 0), kind=ProgType.KPROBE)),
    Feature("software", (2, 6), _have_software),
    Feature("cpu_timer", (2, 6), _have_cpu_timer),
    Feature("hardware", (2, 6), _have_hardware),
    Feature("watchpoint", (2, 6), _have_watchpoint),
    Feature("tracefs", (4, 1), _have_tracefs),
    Feature("vmlinux_btf", (5, 2), _have_vmlinux_btf),
    Feature("raw_tracepoint", (4, 17), _have_raw_tracepoint),
    Feature("tp_btf", (5, 5), _have_tracing("btf_trace_sched_switch", Kind.TYPEDEF, AttachType.TRACE_RAW_TP)),
    Feature("fentry", (5, 5), _have_fentry),
    Feature("iter", (5, 8), _have_tracing("bpf_iter_task", Kind.FUNC, AttachType.TRACE_ITER)),
):
    FEATURES.add(_feature.name, _feature)
