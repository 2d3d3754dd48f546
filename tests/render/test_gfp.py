"""Flags of the page allocator by name."""

from __future__ import annotations

import pytest

from builders.scripts import Script, complaints
from builders.shown import printed
from probee.render.gfp import render_gfp


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (0, "0"),
        (1, "GFP_DMA"),
        (0xCC0, "GFP_KERNEL"),
        (0xCC0 | 0x100, "GFP_KERNEL|__GFP_ZERO"),
        (0x820 | 0x2, "GFP_ATOMIC|__GFP_HIGHMEM"),
        (0x400 | 0x40 | 0x80, "__GFP_IO|__GFP_FS|__GFP_DIRECT_RECLAIM"),
        (0x200, "0x200"),
        (1 << 40 | 1, "GFP_DMA|0x10000000000"),
    ],
)
def test_names(flags: int, text: str) -> None:
    assert render_gfp(flags).decode() == text


def test_in_a_format() -> None:
    script = Script('begin { printf("[%gr] [%12gr] [%-9gr]", 0xcc0, 1, (uint8)0); }').run()
    assert printed(script) == "[GFP_KERNEL] [     GFP_DMA] [0        ]"
    ((_, message),) = complaints('begin { printf("%gr", comm); }')
    assert message == "printf: unsupported format specifier for type 'string[16]': gr"
