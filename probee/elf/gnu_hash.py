"""The GNU hash section: from an exact name to the numbers of the exported symbols called so.

Format: the linkers' own (binutils bfd/elflink.c, glibc elf/dl-lookup.c): nbuckets, symoffset, bloom_size,
bloom_shift; the bloom filter in words of the class; one u32 a bucket; one u32 a symbol from symoffset on.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .file import Elf, Section

_HEADER = 16


def gnu_hash(name: bytes) -> int:
    """The 32-bit hash of a symbol's name."""
    value = 5381
    for byte in name:
        value = (value * 33 + byte) & 0xFFFFFFFF
    return value


def iter_hash_candidates(elf: Elf, section: Section, name: bytes) -> Iterator[int]:
    """Numbers of dynamic symbols whose hash is that of `name`, in table order; their names may differ."""
    start, end = elf.bounds(section)
    buckets, first_hashed, blooms, _ = _read(elf, section, "IIII", 0)
    if not buckets:
        return
    wanted = gnu_hash(name)
    buckets_at = _HEADER + blooms * (elf.bits // 8)
    (index,) = _read(elf, section, "I", buckets_at + 4 * (wanted % buckets))
    if index < first_hashed:
        return
    chain_at = buckets_at + 4 * buckets - 4 * first_hashed
    while chain_at + 4 * index + 4 <= end - start:
        (found,) = _read(elf, section, "I", chain_at + 4 * index)
        if found | 1 == wanted | 1:
            yield index
        if found & 1:
            return
        index += 1


def _read(elf: Elf, section: Section, layout: str, at: int) -> tuple[int, ...]:
    start, end = elf.bounds(section)
    if start + at + 4 * len(layout) > end:
        raise elf.error(f"expected a hash table, got {end - start} bytes", section=section.name, at=at)
    return elf.unpack(layout, start + at, "hash table")
