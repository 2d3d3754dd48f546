"""Flags of the kernel's page allocator by name, as its own `%pGg` shows them: combinations first.

The bits are those of Linux 6.10 and later (gfp_types.h); few of them were others before.
"""

from __future__ import annotations

_BITS = """
DMA HIGHMEM DMA32 MOVABLE RECLAIMABLE HIGH IO FS ZERO - DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN
RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS SKIP_ZERO SKIP_KASAN
NO_OBJ_EXT
"""
_FLAGS = {name: 1 << bit for bit, name in enumerate(_BITS.split()) if name != "-"}


def _combine(*names: str) -> int:
    return sum([_FLAGS[name] for name in names])


_RECLAIM = _combine("DIRECT_RECLAIM", "KSWAPD_RECLAIM")
_KERNEL = _RECLAIM | _combine("IO", "FS")
_USER = _KERNEL | _FLAGS["HARDWALL"]
_MOVABLE = _USER | _combine("HIGHMEM", "MOVABLE", "SKIP_KASAN")
_HUGE_LIGHT = (_MOVABLE | _combine("COMP", "NOMEMALLOC", "NOWARN")) & ~_RECLAIM

_COMBINATIONS = {
    "GFP_TRANSHUGE": _HUGE_LIGHT | _FLAGS["DIRECT_RECLAIM"],
    "GFP_TRANSHUGE_LIGHT": _HUGE_LIGHT,
    "GFP_HIGHUSER_MOVABLE": _MOVABLE,
    "GFP_HIGHUSER": _USER | _FLAGS["HIGHMEM"],
    "GFP_USER": _USER,
    "GFP_KERNEL_ACCOUNT": _KERNEL | _FLAGS["ACCOUNT"],
    "GFP_KERNEL": _KERNEL,
    "GFP_NOFS": _RECLAIM | _FLAGS["IO"],
    "GFP_ATOMIC": _combine("HIGH", "KSWAPD_RECLAIM"),
    "GFP_NOIO": _RECLAIM,
    "GFP_NOWAIT": _combine("KSWAPD_RECLAIM", "NOWARN"),
    "GFP_DMA": _FLAGS["DMA"],
    "__GFP_HIGHMEM": _FLAGS["HIGHMEM"],
    "GFP_DMA32": _FLAGS["DMA32"],
}
_SINGLE = """
HIGH IO FS ZERO DIRECT_RECLAIM KSWAPD_RECLAIM WRITE NOWARN RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC COMP
NOMEMALLOC HARDWALL THISNODE ACCOUNT ZEROTAGS SKIP_ZERO SKIP_KASAN NO_OBJ_EXT
"""
_NAMES = _COMBINATIONS | {f"__GFP_{name}": _FLAGS[name] for name in _SINGLE.split()}


def render_gfp(flags: int) -> bytes:
    """`GFP_KERNEL|__GFP_ZERO`; bits without a name are a number at the end."""
    if not flags:
        return b"0"
    parts = []
    for name, bits in _NAMES.items():
        if flags & bits == bits:
            parts.append(name)
            flags &= ~bits
    if flags:
        parts.append(f"{flags:#x}")
    return "|".join(parts).encode()
