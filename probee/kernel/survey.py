"""The live system as a `spec.target.Target`.

What the kernel can do is found out by trying (`features`) and kept, so that a script pays for that once per
boot: in a plain text file of the cache directory that the caller passes in. The file is believed
only when its first line, which names the kernel, this boot and this process's privileges, is right; one
that is not, or can't be read or written, is done without.
"""

from __future__ import annotations

import os

from ..base.record import record
from ..spec.target import Target
from .cpus import possible_cpus
from .files import LiveFiles
from .names import LiveNames
from .procfs import read_text
from .types import LiveTypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

NEEDED = (
    "isa_v2",
    "isa_v3",
    "isa_v4",
    "atomics_fetch",
    "may_goto",
    "bpf_loop",
    "for_each_map_elem",
    "mmapable",
    "large_keys",
    "map_lookup_percpu_elem",
    "task_pt_regs",
    "ktime_get_tai_ns",
    "ringbuf",
    "test_run",
    "perf_link",
    "uprobe_multi_pid",
    "kprobe_multi",
    "get_func_ip",
    "attach_cookie",
)
"""Features that decide how a script is compiled; what is not asked for here is not tried."""

_FIRST_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO

_FILE = "features"
_FORM = "probee features 1"
_LEVELS = ("isa_v2", "isa_v3", "isa_v4")


@record
class Known:
    """What is kept of an answer of the kernel: `have` the feature or not, and `why` not."""

    have: bool
    why: str


def survey(path: str, cache: str | None = None, needed: Iterable[str] = NEEDED) -> Target:
    """The system this runs on. `path`: where programs are, as in PATH; `cache`: a directory, made if need be.

    Raises FeatureError for a feature that is none.
    """
    have = frozenset(name for name, known in find_features(needed, cache).items() if known.have)
    system = os.uname()
    return Target(
        release=system.release,
        machine=system.machine,
        cpus=possible_cpus()[-1] + 1,
        isa=find_level(have),
        features=have,
        files=LiveFiles(path),
        names=LiveNames(),
        types=LiveTypes(cache),
        page_size=os.sysconf("SC_PAGESIZE"),
        pid_namespace=_find_namespace(),
    )


def _find_namespace() -> tuple[int, int] | None:
    """Device and inode of this process's namespace of process ids; None for the first one, or where it is not
    told."""
    try:
        found = os.stat("/proc/self/ns/pid")
    except OSError:
        return None
    if found.st_ino == _FIRST_NAMESPACE:
        return None
    # As the kernel itself has it (MKDEV), which is not how stat tells it.
    return os.major(found.st_dev) << 20 | os.minor(found.st_dev), found.st_ino


def find_features(names: Iterable[str], cache: str | None = None) -> dict[str, Known]:
    """What the kernel answers about each of `names`, from the cache where it knows."""
    key = _key()
    file = os.path.join(cache, _FILE) if cache else ""
    known = _read(file, key)
    wanted = [name for name in names if name not in known]
    if wanted:
        from .features import probe_features

        known |= {name: Known(answer.have, answer.why) for name, answer in probe_features(wanted).items()}
        if file:
            _write(file, key, known)
    return {name: known[name] for name in names}


def find_level(have: AbstractSet[str]) -> int:
    """The instruction level, 1 to 4, of a kernel that has the features `have`."""
    level = 1
    for name in _LEVELS:
        if name not in have:
            break
        level += 1
    return level


def _key() -> str:
    """What the answers depend on: the kernel, this boot (its command line), what this process may do."""
    system = os.uname()
    boot = (read_text("/proc/sys/kernel/random/boot_id") or "").strip()
    status = read_text("/proc/self/status") or ""
    at = status.find("CapEff:")
    capabilities = status[at : status.find("\n", at)].split()[-1] if at >= 0 else ""
    return " | ".join((_FORM, system.release, system.version, system.machine, boot, capabilities))


def _read(file: str, key: str) -> dict[str, Known]:
    """The answers in `file`; none if it is not for `key`."""
    lines = (read_text(file) or "").split("\n")
    if lines[0] != key:
        return {}
    known = {}
    for line in lines[1:]:
        name, _, rest = line.partition(" ")
        answer, _, why = rest.partition(" ")
        if answer in ("yes", "no"):
            known[name] = Known(answer == "yes", why)
    return known


def _write(file: str, key: str, known: dict[str, Known]) -> None:
    """Replace `file` as a whole. A cache that can't be written is done without."""
    lines = [key, *(f"{n} {'yes' if k.have else 'no'} {k.why}".rstrip() for n, k in known.items()), ""]
    scratch = f"{file}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(scratch, "w", encoding="ascii", errors="replace") as out:
            out.write("\n".join(lines))
        os.replace(scratch, file)
    except OSError:
        if os.path.exists(scratch):
            os.unlink(scratch)
