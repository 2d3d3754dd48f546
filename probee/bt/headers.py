"""What the C text of a script includes: headers of the user's, and of the system where it has them.

The kernel's own headers are taken for empty, unless a folder that the user names has them: the kernel's
types are known without. So are those of the compiler, which define nothing that isn't known here.
"""

from __future__ import annotations

import os

from ..base.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..spec.target import Target

_KERNEL_FOLDERS = """
acpi asm asm-generic block crypto drm dt-bindings generated keys kunit kvm linux math-emu media misc mtd
net pcmcia ras rdma scsi soc sound target trace uapi vdso video xen
"""
_KERNEL = frozenset(_KERNEL_FOLDERS.split())
"""Folders of the kernel's headers."""

_COMPILER_FILES = """
float.h iso646.h limits.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdnoreturn.h
bpf/bpf_helpers.h bpf/bpf_tracing.h bpf/bpf_core_read.h vmlinux.h
"""
_COMPILER = frozenset(_COMPILER_FILES.split())
"""Headers of compilers, and of what programs for the kernel are otherwise compiled with."""

_MAIN = "\0script"
"""The script's own C text, among the files that are read."""


class Headers:
    """Finds what is included. `folders` are searched first, `files` and then `texts` are read before the
    script's C text."""

    def __init__(
        self,
        target: Target | None,
        folders: tuple[str, ...],
        files: tuple[str, ...],
        texts: tuple[Source, ...] = (),
    ) -> None:
        self._files = target.files if target is not None else None
        self._first = folders
        self._before = (*files, *[f"{_MAIN} {n}" for n in range(len(texts))])
        self._texts = dict(zip(self._before[len(files) :], texts, strict=True))
        machine = target.machine if target is not None else ""
        self._system = ("/usr/local/include", f"/usr/include/{machine}-linux-gnu", "/usr/include")
        self._text: Source | None = None

    def whole(self, text: Source) -> Source:
        """The source to be read: `text`, after the files that come before it."""
        if not self._before:
            return text
        self._text = text
        names = [*self._before, _MAIN]
        return Source("--include", "".join([f'#include "{name}"\n' for name in names]))

    def find(self, name: str, form: str, source: Source) -> Source | None:
        """The header that `source` includes (see `ctype.preprocess.Preprocessor`), None for none."""
        if name.startswith(_MAIN):
            return self._texts.get(name, self._text)
        if form == "next":
            return self._after(name, source) or self._known(name)
        here = (os.path.dirname(source.name) or ".",) if form == "quoted" else ()
        return self._read(name, (*here, *self._first)) or self._known(name) or self._read(name, self._system)

    def _known(self, name: str) -> Source | None:
        """A header that is taken for empty."""
        empty = name.partition("/")[0] in _KERNEL or name in _COMPILER
        return Source(name, "") if empty else None

    def _after(self, name: str, source: Source) -> Source | None:
        """The header `name` of the folders after the one that has `source`."""
        folders = (*self._first, *self._system)
        own = [n for n, folder in enumerate(folders) if source.name.startswith(f"{folder}/")]
        return self._read(name, folders[own[0] + 1 if own else 0 :])

    def _read(self, name: str, folders: tuple[str, ...]) -> Source | None:
        for folder in folders if self._files is not None else ():
            path = os.path.normpath(os.path.join(folder, name))
            text = self._files.read_header(path) if self._files is not None else None
            if text is not None:
                return Source(path, text)
        return None
