"""The types of the running kernel, as `spec.target.Types`: its BTF, and that of its modules.

Nothing is opened before it is asked for. Where each type begins takes a twentieth of a second to find out,
so that is kept: in a file of the cache directory, under the kernel's build id. One that is not right, or
can't be read or written, is done without.
"""

from __future__ import annotations

import os
from functools import cached_property

from ..base.errors import FormatError
from .config import find_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..btf.file import Btf
    from ..btf.header import Image
    from ..btf.kernel import KernelTypes
    from ..ctype.types import CType, Enum, Func

FOLDER = "/sys/kernel/btf"
KERNEL = "vmlinux"

_NOTES = "/sys/kernel/notes"
_BUILD_ID = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
"""A note's header: 4 bytes of name, 20 of what follows, NT_GNU_BUILD_ID, the name."""

_BUILD_ID_SIZE = 20


class LiveTypes:
    """`cache`: the directory where the index is kept, made if need be; None for nowhere.

    `evidence` says which kernel, and where that matters which modules, the answers are about.
    """

    def __init__(self, cache: str | None = None) -> None:
        self._cache = cache

    @property
    def evidence(self) -> tuple[str, ...]:
        """What the answers hold for; () as long as nothing was asked."""
        if "_known" not in self.__dict__:
            return ()
        modules = _iter_modules() if self._known is not None and self._known.past_kernel else ()
        return (find_build_id(), *modules)

    def holds(self, evidence: tuple[str, ...]) -> bool:
        """True when answers with that `evidence` would be the same now."""
        if not evidence:
            return True
        build_id, *modules = evidence
        return build_id == find_build_id() and (not modules or modules == list(_iter_modules()))

    @property
    def missing(self) -> str:
        if self._known is not None:
            return ""
        built = " (it was built without CONFIG_DEBUG_INFO_BTF)" if _is_built_without() else ""
        return f"this kernel has no BTF, which tells its types{built}"

    def find_type(self, kind: str, name: str) -> CType | None:
        return self._known.find_type(kind, name) if self._known is not None else None

    def find_enum(self, constant: str) -> Enum | None:
        return self._known.find_enum(constant) if self._known is not None else None

    def find_function(self, name: str, module: str = "") -> Func | None:
        return self._known.find_function(name, module) if self._known is not None else None

    def find_event(self, name: str, module: str = "") -> Func | None:
        return self._known.find_event(name, module) if self._known is not None else None

    def find_variable(self, name: str) -> CType | None:
        return self._known.find_variable(name) if self._known is not None else None

    def iter_types(self) -> Iterable[tuple[str, str]]:
        return self._known.iter_types() if self._known is not None else ()

    def iter_functions(self) -> Iterable[tuple[str, str]]:
        """Module ("vmlinux" is the kernel itself) and name of every function."""
        return self._known.iter_functions() if self._known is not None else ()

    def iter_prototypes(self, matches: Callable[[str], object]) -> Iterable[tuple[str, str, Func]]:
        """Module, name and type of each function whose `module:name` `matches`."""
        return self._known.iter_prototypes(matches) if self._known is not None else ()

    def iter_definitions(self, matches: Callable[[str], object]) -> Iterable[tuple[str, CType]]:
        """Module and type of each struct, union and enum whose name (`struct file`) `matches`."""
        return self._known.iter_definitions(matches) if self._known is not None else ()

    @cached_property
    def _known(self) -> KernelTypes | None:
        data = _open_btf(KERNEL)
        if data is None:
            return None
        from ..btf.file import Btf
        from ..btf.kernel import KernelTypes

        path = f"{FOLDER}/{KERNEL}"
        kept = _KeptIndex(self._cache) if self._cache is not None else None
        index = kept.read() if kept is not None else None
        if index is not None:
            try:
                known = Btf(data, path, index=index)
                return KernelTypes(known, _LiveModules(known))
            except FormatError:
                pass  # not the index of this BTF: made anew
        known = Btf(data, path)
        if kept is not None:
            kept.write(known.index_bytes())
        return KernelTypes(known, _LiveModules(known))


class _LiveModules:
    """The BTF of modules that are loaded (Since Linux v5.11). Opened ones are kept, by name."""

    def __init__(self, kernel: Btf) -> None:
        self._kernel = kernel
        self._opened: dict[str, Btf | None] = {}

    def iter_names(self) -> Iterator[str]:
        return _iter_modules()

    def open(self, name: str) -> Btf | None:
        if name not in self._opened:
            from ..btf.file import Btf

            data = _open_btf(name)
            opened = Btf(data, f"{FOLDER}/{name}", self._kernel) if data is not None else None
            self._opened[name] = opened
        return self._opened[name]


class _KeptIndex:
    """The file with the index of the running kernel's BTF, in a folder that only this user can write."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, f"btf-{find_build_id()}")

    def read(self) -> bytes | None:
        try:
            if not self._is_own():
                return None
            with open(self._path, "rb") as file:
                return file.read()
        except OSError:
            return None

    def write(self, index: bytes) -> None:
        scratch = f"{self._path}.{os.getpid()}"
        try:
            os.makedirs(self._folder, exist_ok=True)
            if not self._is_own():
                return
            with open(scratch, "wb") as file:
                file.write(index)
            os.replace(scratch, self._path)
        except OSError:
            if os.path.exists(scratch):
                os.unlink(scratch)

    def _is_own(self) -> bool:
        facts = os.stat(self._folder)
        return facts.st_uid == os.geteuid() and not facts.st_mode & 0o022


def find_build_id() -> str:
    """What tells this kernel's build from others as hexadecimal digits: its version if it has no build id."""
    try:
        with open(_NOTES, "rb") as file:
            notes = file.read()
    except OSError:
        notes = b""
    at = notes.find(_BUILD_ID)
    if at >= 0:
        start = at + len(_BUILD_ID)
        return notes[start : start + _BUILD_ID_SIZE].hex()
    system = os.uname()
    return f"{system.release} {system.version}".encode().hex()


def _iter_modules() -> Iterator[str]:
    """Names of the modules that are loaded and have BTF, in order."""
    try:
        names = os.listdir(FOLDER)
    except OSError:
        return
    yield from sorted([name for name in names if name != KERNEL])


def _open_btf(name: str) -> Image | None:
    """The BTF called `name` of the kernel; None where there is none that can be read."""
    try:
        with open(os.path.join(FOLDER, name), "rb", buffering=0) as file:
            return _map_file(file.fileno()) or file.read()
    except OSError:
        return None


def _map_file(fd: int) -> Image | None:
    # Since Linux v6.16 the kernel's own BTF can be mapped, if only privately.
    from mmap import MAP_PRIVATE, PROT_READ, mmap

    try:
        return mmap(fd, 0, flags=MAP_PRIVATE, prot=PROT_READ)
    except (OSError, ValueError):
        return None


def _is_built_without() -> bool:
    return find_config("CONFIG_DEBUG_INFO_BTF") == "n"
