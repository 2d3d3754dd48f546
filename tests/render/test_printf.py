from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.fakes import INTS, encode_event, frame, integers, make_layout, values
from probee.base.errors import InternalError
from probee.ctype.types import BOOL, INT8, INT32, INT64, UINT8, UINT16, UINT32, UINT64, CType, Enum, Ptr, Void
from probee.events.batch import Batch, stride_of
from probee.render.output import Context
from probee.render.printf import compile_format
from probee.spec.bundle import EventLayout, Field
from probee.spec.printf import find_fault, parse_format
from probee.spec.values import Buffer, Str, Timestamp, Tuple, Username

COLOURS = Enum("colour", 4, False, (("RED", 0), ("BLUE", 7), ("ALSO_BLUE", 7)))
CONTEXT = Context(boot_offset=10**18, username={0: "root"}.get)


def show(format: str, *typed: tuple[CType, object]) -> bytes:
    """What a printf of these arguments prints, rendered as one record of three."""
    layout = make_layout([type for type, _ in typed], format=format)
    record = frame(encode_event(layout, [value for _, value in typed]))
    text = compile_format(layout, CONTEXT)(memoryview(record * 3))
    assert text == text[: len(text) // 3] * 3
    return text[: len(text) // 3]


@pytest.mark.parametrize(
    ("format", "typed", "text"),
    [
        ("%d %u %x", [(INT64, -1)] * 3, b"-1 4294967295 ffffffff"),
        ("%ld %lu %lx", [(INT64, -1)] * 3, b"-1 18446744073709551615 ffffffffffffffff"),
        ("%hhd %hd %hhx", [(INT64, 300), (INT64, 70000), (INT64, 511)], b"44 4464 ff"),
        ("%u %x %lu", [(INT8, -1)] * 3, b"4294967295 ffffffff 18446744073709551615"),
        ("%d %d", [(UINT32, 2**32 - 1), (UINT64, 2**63)], b"-1 0"),
        ("%d %s %x", [(BOOL, True)] * 3, b"1 true 1"),
        ("%d %s %s", [(COLOURS, 7), (COLOURS, 7), (COLOURS, 9)], b"7 BLUE 9"),
        ("%p %p %s", [(Ptr(Void()), 0), (INT32, 4096), (Ptr(Void()), 0)], b"(nil) 0x1000 0x0"),
        ("%c%c|%3c|%-3c|", [(UINT8, 65), (INT64, 66), (INT32, 67), (INT32, 68)], b"AB|  C|D  |"),
        ("[%5s][%-5s][%.2s][%5.2s]", [(Str(8), b"abc")] * 4, b"[  abc][abc  ][ab][   ab]"),
        ("[%5s][%-5s][%.1s]", [(UINT8, 42)] * 3, b"[   42][42   ][4]"),
        ("[%*d][%-*.*d]", [(INT32, 5)] * 2, b"[5][5]"),
        ("100%% of %d%", [(INT32, 1)], b"100% of 1%"),
        ("%r|%rx|%rh", [(Buffer(4), b"a\x01\xff")] * 3, rb"a\x01\xff|\x61\x01\xff|61 01 ff"),
        ("%s", [(Tuple((INT32, Tuple((Str(4), BOOL)))), (1, (b"a", False)))], b"(1, (a, false))"),
        ("%12s|", [(Tuple((INT32, INT32)), (1, 2))], b"      (1, 2)|"),
        ("%s %s", [(Username(), 0), (Username(), 12)], b"root 12"),
        ("<%s>", [(Timestamp("%s.%k"), 23)], b"<1000000000.000000023>"),
        ("\xe4%s", [(Str(8), b"\xff\xfe")], b"\xc3\xa4\xff\xfe"),
        ("nothing\n", [], b"nothing\n"),
    ],
)  # fmt: skip
def test_golden(format: str, typed: list, text: bytes) -> None:
    assert show(format, *typed) == text


def test_text_without_a_nul_gets_the_trailer() -> None:
    layout = make_layout([Str(4), Str(4)], format="%s %-8s|")
    record = frame(encode_event(make_layout([Buffer(4)]), [b""])[:4] + b"abcdab\0\xff")
    assert compile_format(layout, Context(trailer=b"~"))(record) == b"abcd~ ab      |"


def test_arguments_may_share_their_bytes() -> None:
    shared = tuple(Field(4, INT32) for _ in range(6))
    layout = EventLayout(7, "printf", 8, shared, format="%d %x %hhu %hd %ld %s")
    record = frame(encode_event(make_layout([INT32]), [-2]))
    assert compile_format(layout, CONTEXT)(record) == b"-2 fffffffe 254 -2 -2 -2"


FLAGS = st.lists(st.sampled_from("-+ #0"), unique=True).map(lambda f: "".join(c for c in "-+ #0" if c in f))
WIDTHS = st.one_of(st.just(""), st.integers(0, 30).map(str))
PRECISIONS = st.one_of(st.just(""), st.integers(0, 25).map(".{}".format))
LENGTHS = st.sampled_from(["", "hh", "h", "l", "ll", "j", "z", "t"])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(FLAGS, WIDTHS, PRECISIONS, LENGTHS, st.sampled_from("diuoxX"), integers(INT64)),
        min_size=20,
        max_size=20,
    )
)
def test_integers_print_as_the_c_library_prints_them(cases: list) -> None:
    formats, typed, arguments = [], [], []
    for flags, width, precision, length, specifier, value in cases:
        if specifier in "diu":
            flags = flags.replace("#", "")  # means nothing there, and the command refuses it
        head = f"%{flags}{width}{precision}"
        bits = {"hh": 8, "h": 16, "": 32}.get(length, 64)
        cut = value % 2**bits
        if specifier in "di":
            cut = (cut + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
        formats.append((f"{head}{length}{specifier}", f"{head}{specifier}"))
        typed.append((INT64, value))
        arguments.append(str(cut))
    ours = show("|".join(f for f, _ in formats), *typed)
    command = ["/usr/bin/printf", "|".join(f for _, f in formats), *arguments]
    assert ours == subprocess.run(command, capture_output=True, check=True).stdout


@given(
    st.sampled_from(INTS).flatmap(lambda t: st.tuples(st.just(t), integers(t))),
    LENGTHS,
    st.sampled_from("dux"),
)
def test_every_width_is_cut_or_widened_like_a_cast(typed: tuple, length: str, specifier: str) -> None:
    bits = {"hh": 8, "h": 16, "": 32}.get(length, 64)
    value = typed[1] % 2**bits
    if specifier == "d" and value >> (bits - 1):
        value -= 2**bits
    assert (
        show(f"%{length}{specifier}", typed) == ("%x" if specifier == "x" else "%d").__mod__(value).encode()
    )


@given(st.lists(st.tuples(st.sampled_from((UINT16, INT64, Str(16), Buffer(5))), st.data()), max_size=5))
def test_s_takes_anything(arguments: list) -> None:
    typed = [(type, data.draw(values(type))) for type, data in arguments]
    texts = []
    for type, value in typed:
        if isinstance(type, Buffer):
            texts.append(b"".join(b"%c" % b if 32 <= b < 127 else b"\\x%02x" % b for b in value))
        else:
            texts.append(value if isinstance(value, bytes) else str(value).encode())
    assert show("%s;" * len(typed), *typed) == b"".join(text + b";" for text in texts)


def test_a_batch_is_more_than_one_record() -> None:
    layout = make_layout([UINT32], format="%d\n")
    data = b"".join(frame(encode_event(layout, [n])) for n in range(23))
    batch = Batch(layout, stride_of(layout), 23, memoryview(data))
    assert compile_format(layout, CONTEXT)(batch.view) == b"".join(b"%d\n" % n for n in range(23))


@pytest.mark.parametrize(
    ("format", "types", "message", "culprit"),
    [
        ("%d %d", [INT32], "not enough arguments for format string (1 supplied, 2 expected)", None),
        ("%d%%", [INT32] * 2, "too many arguments for format string (2 supplied, 1 expected)", None),
        ("%d %5.2f", [INT32] * 2, "unsupported format specifier: f", "%5.2f"),
        ("%n", [INT32], "unsupported format specifier: n", "%n"),
        ("%d", [Str(16)], "unsupported format specifier for type 'string[16]': d", "%d"),
        ("%rx", [INT32], "unsupported format specifier for type 'int32': rx", "%rx"),
        ("%s", [Void()], "unable to print none type for specifier: s", "%s"),
        ("%99999999999999d", [INT32], "expected a width and precision of at most 65535", "%99999999999999d"),
    ],
)  # fmt: skip
def test_faults(format: str, types: list, message: str, culprit: str | None) -> None:
    fault = find_fault(parse_format(format), types)
    assert fault is not None
    assert fault.message == message
    found = fault.conversion
    assert (format[found.start : found.end] if found else None) == culprit
    with pytest.raises(InternalError):
        compile_format(make_layout(types, format=format), CONTEXT)


@given(st.text(alphabet="%-+ #05*.hlzdsxrg c", max_size=12))
def test_parsing_loses_nothing(format: str) -> None:
    form = parse_format(format)
    assert len(form.literals) == len(form.conversions) + 1
    parts = [form.literals[0].replace("%", "%%")]
    for conversion, literal in zip(form.conversions, form.literals[1:], strict=True):
        parts += [format[conversion.start : conversion.end], literal.replace("%", "%%")]
    again = parse_format("".join(parts))
    assert again.literals == form.literals
    assert [c.specifier for c in again.conversions] == [c.specifier for c in form.conversions]
