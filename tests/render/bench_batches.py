"""How fast batches become text and JSON: `PYTHONPATH=tests:. python tests/render/bench_batches.py`.

Lines a second, of one printf of two numbers and two strings, in full batches, to /dev/null.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from events.fakes import encode_event, frame, make_layout
from probee.ctype.types import INT64, UINT32
from probee.events.batch import Batch, Decoder, stride_of
from probee.render.json import JsonOutput
from probee.render.sink import Sink
from probee.render.text import TextOutput
from probee.spec.values import Str

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 4096
ROUNDS = 25


def measure(name: str, work: Callable[[], object], records: int) -> None:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    print(f"{name:24}{records / best / 1e3:8.0f} k/s")


def main() -> None:
    layout = make_layout([UINT32, INT64, Str(16), Str(64)], format="%d %d %s %s\n")
    rows = [(n, n * 2, b"thread-%d" % (n % 7), b"/usr/lib/some/path/%d" % (n % 500)) for n in range(RECORDS)]
    records = [frame(encode_event(layout, row)) for row in rows]
    batch = Batch(layout, stride_of(layout), RECORDS, memoryview(b"".join(records)))
    single = [Batch(layout, batch.stride, 1, memoryview(record)) for record in records]
    fd = os.open(os.devnull, os.O_WRONLY)
    text, json, decoder = (
        TextOutput(Sink(fd, "null"), Sink(2, "stderr")),
        JsonOutput(Sink(fd, "null")),
        Decoder(layout),
    )
    measure("text", lambda: (text.events(batch), text.flush()), RECORDS)
    measure("text, batches of one", lambda: ([text.events(one) for one in single], text.flush()), RECORDS)
    measure("JSON", lambda: (json.events(batch), json.flush()), RECORDS)
    measure("rows of Python values", lambda: decoder.rows(batch), RECORDS)


if __name__ == "__main__":
    main()
