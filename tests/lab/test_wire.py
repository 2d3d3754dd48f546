"""Frames and orders, as init.c reads and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from lab.kernel import Kernel
from lab.wire import ORDERS, Frames, Job, encode_frame, encode_orders

if TYPE_CHECKING:
    from pathlib import Path

KINDS = st.sampled_from([b"b", b"o", b"x"])


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40))), st.integers(1, 50))
def test_frames_in_pieces(frames: list[tuple[bytes, bytes]], step: int) -> None:
    sent, parser = b"".join(encode_frame(*frame) for frame in frames), Frames()
    pieces = [sent[at : at + step] for at in range(0, len(sent), step)]
    assert [frame for piece in pieces for frame in parser.parse(piece)] == frames


def test_the_orders_of_a_job(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path, "6.1.0", tmp_path / "lib/modules/6.1.0", tmp_path / "boot/vmlinuz-6.1.0")
    kernel.image.parent.mkdir()
    kernel.image.touch()
    job = Job(["echo", "", "a b"], "/here", {"HOME": "/h", "N": "="}, [("/a b", "/c")], tmp_path)
    ((kind, data),) = Frames().parse(encode_orders(job, kernel))
    assert kind == ORDERS
    assert data.endswith(b"\0")
    orders = data.decode().split("\0")[:-1]
    by_kind = {letter: [order[1:] for order in orders if order[0] == letter] for letter in "ABCEW"}
    assert by_kind["A"] == ["echo", "", "a b"]
    assert by_kind["B"] == [
        f"{kernel.modules}\n/lib/modules/6.1.0",
        f"{kernel.image}\n/boot/vmlinuz-6.1.0",
        "/a b\n/c",
    ]
    assert by_kind["C"] == ["/here"]
    assert {"HOME=/h", "N==", "LANG=C.UTF-8"} <= set(by_kind["E"])
    assert by_kind["W"] == [str(tmp_path)]
