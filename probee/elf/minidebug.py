"""`.gnu_debugdata`: an ELF file, compressed with xz, that holds the `.symtab` which was stripped.

Fedora and its kin ship it in every binary (GDB's manual, "MiniDebugInfo"). It leaves out what `.dynsym` has.
"""

from __future__ import annotations

from ..base.errors import FeatureError
from .file import Elf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .file import Section

_MOST_BYTES = 64 << 20
_MOST_MEMORY = 128 << 20


def parse_minidebug(elf: Elf) -> Elf | None:
    """The file inside of `elf`, or None when there is none.

    Raises FormatError when it is more than 64 MiB (they are some hundred KiB), and FeatureError when this
    Python was built without lzma.
    """
    section = elf.find_section(".gnu_debugdata")
    if section is None:
        return None
    return Elf(_decompress(elf, section), f"{elf.path}[.gnu_debugdata]")


def _decompress(elf: Elf, section: Section) -> bytes:
    try:
        from lzma import FORMAT_XZ, LZMADecompressor, LZMAError
    except ImportError as error:
        raise FeatureError(
            f"{elf.path}: this Python has no lzma module to read .gnu_debugdata with"
        ) from error
    decompressor = LZMADecompressor(FORMAT_XZ, memlimit=_MOST_MEMORY)
    try:
        data = decompressor.decompress(elf.contents(section), max_length=_MOST_BYTES)
    except LZMAError as error:
        raise elf.error(f"expected xz data: {error}", section=section.name) from error
    if not decompressor.eof:
        raise elf.error(
            f"expected a whole xz stream of at most {_MOST_BYTES >> 20} MiB", section=section.name
        )
    return data
