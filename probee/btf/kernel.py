"""The types of a kernel and of its modules, by name: `spec.target.Types` over BTF.

Promises: a name is looked for in the kernel's own BTF first, and in that of modules only where the kernel
doesn't define it; of a module nothing is read before that.
"""

from __future__ import annotations

from ..ctype.types import CType, Enum, Func, LazyStruct, Ptr, strip_typedefs
from .consts import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    from .file import Btf

    class Modules(Protocol):
        """The BTF of the kernel's modules, which stands on the kernel's own."""

        def iter_names(self) -> Iterator[str]: ...

        def open(self, name: str) -> Btf | None:
            """The BTF of a module; None of one that isn't loaded, or has none."""


_EVENT_FUNCTIONS = ("__probestub_", "__traceiter_")
"""Before a tracepoint's name: functions of the kernel that take what programs at it get, with names, behind
a pointer that is the kernel's own. Since Linux v6.5 and v5.10."""

_EVENT_TYPE = "btf_trace_"
"""Before a tracepoint's name: a typedef of the same prototype, without names. Since Linux v5.3."""


_WORDS = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum"}


class KernelTypes:
    """See `spec.target.Types`. `modules`: None where there are none."""

    def __init__(self, kernel: Btf, modules: Modules | None = None) -> None:
        self._kernel = kernel
        self._modules = modules
        self.past_kernel = False  # whether an answer depended on modules

    def find_type(self, kind: str, name: str) -> CType | None:
        for btf in self._iter_btfs(name):
            found = btf.find_known(kind, name)
            if found is not None and not _is_declared(found):
                return found
        return None

    def find_enum(self, constant: str) -> Enum | None:
        for btf in self._iter_btfs(constant):
            found = btf.find_enum(constant)
            if found is not None:
                return found
        return None

    def find_function(self, name: str, module: str = "") -> Func | None:
        for btf in self._iter_btfs(name, module):
            found = btf.find_function(name)
            if found is not None:
                return found
        return None

    def find_variable(self, name: str) -> CType | None:
        for btf in self._iter_btfs(name):
            found = btf.find_type(name, Kind.VAR)
            if found is not None:
                return found
        return None

    def find_event(self, name: str, module: str = "") -> Func | None:
        for prefix in _EVENT_FUNCTIONS:
            function = self.find_function(prefix + name, module)
            if function is not None:
                return _without_first(function)
        for btf in self._iter_btfs(_EVENT_TYPE + name, module):
            found = btf.find_type(_EVENT_TYPE + name, Kind.TYPEDEF)
            pointer = strip_typedefs(found) if found is not None else None
            if isinstance(pointer, Ptr) and isinstance(pointer.to, Func):
                return _without_first(pointer.to)
        return None

    def iter_types(self) -> Iterator[tuple[str, str]]:
        for _, btf in self._iter_all():
            for kind, word in _WORDS.items():
                yield from ((word, name) for name in map(btf.name, btf.iter_kind(kind)) if name)

    def _iter_btfs(self, name: str, module: str = "") -> Iterator[Btf]:
        """Where `name` may be known: the kernel, then each module; of a `module` that is named, it alone."""
        if module and module != "vmlinux":
            own = self._open(module)
            if own is not None:
                yield own
            return
        yield self._kernel
        self.past_kernel = True
        for other in self._modules.iter_names() if self._modules is not None else ():
            opened = self._open(other)
            if opened is not None and opened.mentions(name):
                yield opened

    def iter_functions(self) -> Iterator[tuple[str, str]]:
        """Module ("vmlinux" is the kernel itself) and name of every function, each name once a module."""
        for module, btf in self._iter_all():
            yield from dict.fromkeys([(module, btf.name(id)) for id in btf.iter_kind(Kind.FUNC)])

    def iter_prototypes(self, matches: Callable[[str], object]) -> Iterator[tuple[str, str, Func]]:
        """Module, name and type of each function whose `module:name` `matches`."""
        for module, btf in self._iter_all():
            for id in btf.iter_kind(Kind.FUNC):
                name = btf.name(id)
                if matches(f"{module}:{name}"):
                    type = btf.type(id)
                    if isinstance(type, Func):
                        yield module, name, type

    def iter_definitions(self, matches: Callable[[str], object]) -> Iterator[tuple[str, CType]]:
        """Module and type of each struct, union and enum whose name (`struct file`) `matches`."""
        for module, btf in self._iter_all():
            for kind, word in _WORDS.items():
                for id in btf.iter_kind(kind):
                    name = btf.name(id)
                    if name and matches(f"{word} {name}"):
                        yield module, btf.type(id)

    def _iter_all(self) -> Iterator[tuple[str, Btf]]:
        yield "vmlinux", self._kernel
        for name in self._modules.iter_names() if self._modules is not None else ():
            opened = self._open(name)
            if opened is not None:
                yield name, opened

    def _open(self, module: str) -> Btf | None:
        return self._modules.open(module) if self._modules is not None else None


def _is_declared(type: CType) -> bool:
    """Whether a type is known by its name only."""
    return isinstance(type, LazyStruct) and type.declared


def _without_first(function: Func) -> Func:
    """A tracepoint's prototype without the pointer that stands first and is the kernel's own."""
    return Func(function.returns, function.params[1:])
