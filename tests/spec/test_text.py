"""The text form of bundles."""

from __future__ import annotations

from probee.base.source import Source, Span
from probee.ctype.types import UINT64
from probee.spec.abi import MapType, ProgType
from probee.spec.bundle import Bundle, LineInfo, Map, Program, Relocation, UprobeLink, Variable
from probee.spec.text import render_bundle
from probee.spec.values import Count

SOURCE = Source("stdin", "uprobe:/bin/true:main { @ = count(); }")
EXPECTED = """\
globals globals
ring data ring_data

Map
  name '@'
  type PERCPU_HASH
  key_size 8
  value_size 8
  max_entries 4096

Variable
  name '@'
  key uint64
  value count_t
  map '@'

Program
  name 'uprobe_1'
  type KPROBE
  code 8 bytes
    9500000000000000
  relocations slot=0 map='@' offset=None
  lines slot=0 span=1:1
  probe 'uprobe:/bin/true:main'

UprobeLink
  program 'uprobe_1'
  path '/bin/true'
  offset 4660
"""


def make_bundle(offset: int = 0x1234) -> Bundle:
    return Bundle(
        programs=(
            Program(
                "uprobe_1",
                ProgType.KPROBE,
                bytes([0x95]) + bytes(7),
                (Relocation(0, "@"),),
                (LineInfo(0, Span(SOURCE, 0, 6)),),
                probe="uprobe:/bin/true:main",
            ),
        ),
        maps=(Map("@", MapType.PERCPU_HASH, 8, 8, 4096),),
        variables=(Variable("@", UINT64, Count(), "@"),),
        links=(UprobeLink("uprobe_1", "/bin/true", offset),),
        events=(),
        globals="globals",
        rings=(("data", "ring_data"),),
        source=SOURCE,
    )


def test_golden() -> None:
    assert render_bundle(make_bundle()) == EXPECTED


def test_every_difference_shows() -> None:
    assert render_bundle(make_bundle()) == render_bundle(make_bundle())
    assert render_bundle(make_bundle(1)) != render_bundle(make_bundle(2))
