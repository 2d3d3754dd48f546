"""Kernels from Debian's packages: downloaded by apt, checked by its keys, unpacked and not installed.

The mirror is the one that this system's apt is set up with; package lists are kept apart from the system's.
It is always the default flavour: the cloud's has no 9p, and so no root.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from probee.base.errors import TargetError

from .kernel import KERNELS, open_kernel

SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "7.3": "trixie-backports"}
"""The kernel of each suite; of backports that of this writing: there it is the newest."""

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_META = "linux-image-amd64"
_MIRROR = re.compile(r"^[^#\n]*?\b(https?://\S+/debian)/?(?:\s|$)", re.MULTILINE)


def fetch_kernel(suite: str) -> str:
    """Unpack the newest kernel of `suite` under KERNELS, and give its name there. Raises TargetError."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        state.joinpath("lists", "partial").mkdir(parents=True)
        state.joinpath("archives", "partial").mkdir(parents=True)
        # A kernel of backports depends on packages that stand in the suite itself.
        suites = sorted({suite, suite.removesuffix("-backports")})
        lines = [f"deb [signed-by={_KEYS}] {find_mirror()} {name} main\n" for name in suites]
        state.joinpath("sources.list").write_text("".join(lines))
        apt = _options(state, suite)
        _run(["apt-get", *apt, "update"], state)
        _run(["apt-get", *apt, "download", *_find_packages(apt, state, suite)], state)
        tree = state / "tree"
        for package in state.glob("*.deb"):
            _run(["dpkg", "-x", str(package), str(tree)], state)
        return _move(tree)


def find_mirror(folder: Path = Path("/etc/apt")) -> str:
    """The address of a Debian archive in apt's configuration. Raises TargetError where none is."""
    configuration = [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]
    for path in configuration:
        found = _MIRROR.search(path.read_text() if path.is_file() else "")
        if found:
            return found[1]
    raise TargetError("apt's configuration names no Debian mirror", hint="kernels can be unpacked by hand")


def _options(state: Path, suite: str) -> list[str]:
    """apt's options: nothing of the system's but how it reaches the network."""
    options = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": state / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": state,
        "APT::Sandbox::User": "root",
        "APT::Default-Release": suite,
        "APT::Update::Error-Mode": "any",
    }
    return ["-q", *(f"-o{name}={value}" for name, value in options.items())]


def _find_packages(apt: list[str], state: Path, suite: str) -> list[str]:
    """The packages that hold the image and modules that the suite's kernel package stands for."""
    others = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    command = ["apt-cache", *apt, "depends", "--recurse", *(f"--no-{name}" for name in others), _META]
    names = re.findall(r"^linux-(?:image|binary|modules|base)-\d\S*", _run(command, state), re.MULTILINE)
    if not names:
        raise TargetError(f"{suite}: expected {_META} to need a kernel, got none")
    return sorted(set(names))


def _move(tree: Path) -> str:
    """Put an unpacked kernel where open_kernel finds it; one of that name that is there goes."""
    kernel = open_kernel(f"{tree}/")
    version = re.match(r"\d+\.\d+", kernel.release)
    assert version, kernel.release
    home = KERNELS / version[0]
    if home.exists():
        shutil.rmtree(home)
    KERNELS.mkdir(parents=True, exist_ok=True)
    shutil.move(tree, home)
    return version[0]


def _run(command: list[str], folder: Path) -> str:
    """What the command writes. Raises TargetError if it fails, or is not there."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise TargetError(f"kernels are fetched by {command[0]}, which is not here") from None
    if done.returncode != 0:
        raise TargetError(
            f"{' '.join(command[:1] + command[-2:])} ended with {done.returncode}: {done.stderr}"
        )
    return done.stdout
