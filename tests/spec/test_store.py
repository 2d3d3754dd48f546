"""Bundles kept as bytes come back equal, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probee.base.errors import InternalError
from probee.base.record import record
from probee.base.source import Diagnostic, Expanded, Source, Span
from probee.ctype.types import INT32, UINT64
from probee.spec.abi import MapFlag, MapType, ProgType
from probee.spec.bundle import (
    Bundle,
    Compiled,
    EventLayout,
    Field,
    LineInfo,
    Map,
    Program,
    Relocation,
    UprobeLink,
    Variable,
)
from probee.spec.store import encode_stored, parse_stored
from probee.spec.text import render_bundle
from probee.spec.values import Hist, Str, Tuple

SOURCE = Source("stdin", "uprobe:/bin/true:main { @ = count(); }")


def make_compiled() -> Compiled:
    span = Span(SOURCE, 0, 6)
    program = Program(
        "p", ProgType.KPROBE, b"\x95" + bytes(7), (Relocation(0, "@"),), (LineInfo(0, span),), span=span
    )
    return Compiled(
        Bundle(
            programs=(program,),
            maps=(Map("@", MapType.ARRAY, 4, 8, 1, MapFlag.MMAPABLE),),
            variables=(Variable("@", Tuple((INT32, Str(16))), Hist(2), "@"),),
            links=(UprobeLink("p", "/bin/true", 1, True, 7, span=span),),
            events=(EventLayout(0, "printf", 16, (Field(8, UINT64),), format="%d\n", numbers=(1, -2)),),
            source=SOURCE,
            config=(("max_strlen", 64), ("license", "GPL")),
        ),
        (Diagnostic("WARNING", "odd", span, "mend it"),),
    )


def test_what_is_kept_comes_back() -> None:
    compiled = make_compiled()
    found = parse_stored("1", encode_stored("1", ("key", compiled)))
    assert found is not None
    key, again = found
    assert key == "key"
    assert render_bundle(again.bundle) == render_bundle(compiled.bundle)
    assert again.warnings[0].render() == compiled.warnings[0].render()
    assert type(again.bundle.programs[0].type) is ProgType
    # One text is one Source again, so that spans compare by identity of their source.
    assert again.bundle.source is again.bundle.programs[0].span.source is again.warnings[0].span.source


def test_a_place_in_a_macro_tells_of_its_use() -> None:
    span = Expanded(Source("M", "nsecs"), 0, 5, Span(SOURCE, 0, 6))
    kept = parse_stored("v1", encode_stored("v1", Diagnostic("ERROR", "x", span)))
    assert kept.render() == Diagnostic("ERROR", "x", span).render()
    assert "expanded from" in kept.render()


def test_other_versions_are_not_read() -> None:
    assert parse_stored("2", encode_stored("1", (1, 2))) is None


@given(st.integers(0, 2000), st.binary(max_size=4))
def test_damage_is_no_error(at: int, change: bytes) -> None:
    data = bytearray(encode_stored("1", make_compiled()))
    at %= len(data)
    assert parse_stored("1", bytes(data[:at])) is None
    whole = bytes(data)
    data[at : at + len(change)] = change
    assert (parse_stored("1", bytes(data)) is None) == (bytes(data) != whole)


def test_records_of_elsewhere_are_refused() -> None:
    @record
    class Foreign:
        value: int

    with pytest.raises(InternalError, match="of no class of the spec"):
        encode_stored("1", (Foreign(1),))
