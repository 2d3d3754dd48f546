"""`--info`: what this machine and this probee can do, in the lines that scripts look for in bpftrace's."""

from __future__ import annotations

import os
import sys

from .. import __version__, funcs, probes
from ..kernel.features import FEATURES, probe_features
from .bpftrace import VERSION

_INSTRUCTIONS = 1_000_000


def show_info(without: tuple[str, ...] = ()) -> None:
    """Print it. `without` are features that are not to be used. Raises FeatureError."""
    sys.stdout.write(render_info(without))


def render_info(without: tuple[str, ...] = ()) -> str:
    """The text. A line is "yes" when both the kernel and probee can do what it names."""
    known = [name for name in _KERNEL if FEATURES.find(name) is not None]
    answers = {name: answer.have for name, answer in probe_features(known).items()}

    def can(name: str) -> str:
        return _say(answers.get(name, False) and name not in without)

    system = os.uname()
    sections = {
        "System": {
            "OS": f"{system.sysname} {system.release} {system.version}",
            "Arch": system.machine,
        },
        "Build": {
            "version": f"{VERSION} (probee v{__version__})",
            "LLVM": "not needed",
            "bfd": "no",
            "libdw (DWARF support)": _say(True),
            "libsystemd (systemd notify support)": _say(True),
            "blazesym (advanced symbolization)": _say(funcs.find("ustack") is not None),
            "dwunwind (DWARF stack unwinding)": _say(funcs.find("dw_ustack") is not None),
        },
        "Kernel helpers": {
            "dpath": _say(_have_btf("bpf_d_path") and funcs.find("path") is not None),
            "get_tai_ns": can("ktime_get_tai_ns"),
            "get_func_ip": can("get_func_ip"),
            "lookup_percpu_elem": can("map_lookup_percpu_elem"),
            "loop": can("bpf_loop"),
        },
        "Kernel features": {
            "Instruction limit": str(_INSTRUCTIONS),
            "btf": can("vmlinux_btf"),
            "module btf": _say(_have_module_btf()),
        },
        "Probe types": {
            "kprobe_multi": can("kprobe_multi"),
            "uprobe_multi": can("uprobe_multi"),
            "kprobe_session": can("kprobe_session"),
            "iter": _say(answers.get("iter", False) and probes.find("iter") is not None),
        },
    }
    blocks = [_render(title, rows) for title, rows in sections.items()]
    return "\n".join(blocks) + "\n"


_KERNEL = (
    "ktime_get_tai_ns",
    "get_func_ip",
    "map_lookup_percpu_elem",
    "bpf_loop",
    "vmlinux_btf",
    "kprobe_multi",
    "uprobe_multi",
    "kprobe_session",
    "iter",
)


def _render(title: str, rows: dict[str, str]) -> str:
    return f"{title}\n" + "".join(f"  {name}: {value}\n" for name, value in rows.items())


def _say(have: bool) -> str:
    return "yes" if have else "no"


def _have_btf(function: str) -> bool:
    from ..btf.consts import Kind
    from ..kernel.vmlinux import PATH, find_btf_id

    try:
        with open(PATH, "rb") as file:
            return find_btf_id(file.read(), function, Kind.FUNC) is not None
    except OSError:
        return False


def _have_module_btf() -> bool:
    folder = "/sys/kernel/btf"
    return os.path.isdir(folder) and any(name != "vmlinux" for name in os.listdir(folder))
