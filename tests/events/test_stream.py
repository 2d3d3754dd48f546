from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.fakes import FakeRing, encode_control, encode_event, make_layout
from probee.base.errors import FormatError
from probee.ctype.types import UINT64
from probee.events.batch import Decoder
from probee.events.stream import Stream
from probee.spec.bundle import EventLayout

DATA = make_layout([UINT64], id=1)
OTHER = make_layout([UINT64, UINT64], id=2)
CLEAR = EventLayout(3, "clear", 16, (), ring="control")
EXIT = EventLayout(4, "exit", 16, (), ring="control", numbers=(0,))


def make_stream() -> tuple[Stream, FakeRing, FakeRing]:
    data, control = FakeRing(), FakeRing()
    return Stream((DATA, OTHER, CLEAR, EXIT), data, control), data, control


def pump(stream: Stream) -> list:
    """Numbers of data events, kinds of control events, in order."""
    seen: list = []
    for batch in stream.pump():
        if batch.layout.ring == "control":
            seen.append(batch.layout.kind)
        else:
            seen += [row[0] for row in Decoder(batch.layout).rows(batch)]
    return seen


def send(ring: FakeRing, number: int, state: str = "", layout: EventLayout = DATA) -> int:
    row = (number,) * len(layout.fields)
    return ring.send(encode_event(layout, row), state)


def test_control_comes_between_the_data_before_and_after_it() -> None:
    stream, data, control = make_stream()
    send(data, 1)
    send(data, 2)
    control.send(encode_control(CLEAR, data.producer()))
    send(data, 3, layout=OTHER)
    control.send(encode_control(EXIT, data.producer()))
    send(data, 4)
    assert pump(stream) == [1, 2, "clear", 3, "exit", 4]
    assert data.released == data.producer()
    assert pump(stream) == []


def test_control_sent_after_the_look_at_the_data_waits() -> None:
    stream, data, control = make_stream()
    send(data, 1)
    control.send(encode_control(CLEAR, data.producer() * 2))
    assert pump(stream) == [1]
    send(data, 2)
    send(data, 3)
    assert pump(stream) == [2, "clear", 3]


def test_control_waits_for_a_record_that_is_being_written() -> None:
    stream, data, control = make_stream()
    send(data, 1)
    send(data, 2, "busy")
    control.send(encode_control(CLEAR, data.producer()))
    send(data, 3)
    assert pump(stream) == [1]
    data.submit()
    assert pump(stream) == [2, "clear", 3]


def test_control_is_sorted_by_when_it_is_due() -> None:
    stream, data, control = make_stream()
    send(data, 1)
    control.send(encode_control(EXIT, data.producer()))
    control.send(encode_control(CLEAR, 0))
    assert pump(stream) == ["clear", 1, "exit"]


def test_discarded_records_give_their_room_back() -> None:
    stream, data, _ = make_stream()
    for n in range(5):
        send(data, n, "gone")
    assert pump(stream) == []
    assert data.released == data.producer()


def test_discard_drops_what_was_sent_and_what_was_pending() -> None:
    stream, data, control = make_stream()
    send(data, 1)
    control.send(encode_control(CLEAR, data.producer() + 100))
    pump(stream)
    send(data, 2)
    send(data, 3, "gone")
    control.send(encode_control(EXIT, 0))
    stream.discard()
    send(data, 4)
    assert pump(stream) == [4]


def test_either_ring_may_be_missing() -> None:
    control, data = FakeRing(), FakeRing()
    control.send(encode_control(EXIT, 0))
    send(data, 9)
    assert pump(Stream((EXIT,), None, control)) == ["exit"]
    assert pump(Stream((DATA,), data)) == [9]
    assert pump(Stream((), None)) == []


@pytest.mark.parametrize("payload", [b"", b"\x01", struct.pack("=I", 99), struct.pack("=II", 1, 2)])
def test_records_that_fit_no_layout(payload: bytes) -> None:
    stream, data, control = make_stream()
    data.send(payload)
    with pytest.raises(FormatError):
        pump(stream)
    stream, data, control = make_stream()
    control.send(payload)
    with pytest.raises(FormatError):
        pump(stream)


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.binary(max_size=40), max_size=3))
def test_rubbish_is_a_format_error(payloads: list[bytes], controls: list[bytes]) -> None:
    stream, data, control = make_stream()
    for payload in payloads:
        data.send(struct.pack("=I", 1) + payload)
    for payload in controls:
        control.send(struct.pack("=I", 3) + payload)
    with contextlib.suppress(FormatError):
        pump(stream)


@given(st.lists(st.sampled_from(("data", "other", "busy", "gone", "control", "pump", "submit")), max_size=40))
def test_the_order_of_sending_is_the_order_of_handling(steps: list[str]) -> None:
    stream, data, control = make_stream()
    sent: list = []
    seen: list = []
    for number, step in enumerate(steps):
        if step == "pump":
            seen += pump(stream)
        elif step == "submit":
            data.submit()
        elif step == "control":
            control.send(encode_control(CLEAR, data.producer()))
            sent.append("clear")
        else:
            state = step if step in ("busy", "gone") else ""
            send(data, number, state, OTHER if step == "other" else DATA)
            if step != "gone":
                sent.append(number)
    data.submit()
    assert seen + pump(stream) == sent
