from __future__ import annotations

from textwrap import dedent

import pytest

from probee.events.aggregate import Histogram, hist_bound
from probee.render.histogram import render_histogram
from probee.spec.values import Hist, LHist


def filled(type: Hist | LHist, *pairs: tuple[int, int]) -> Histogram:
    """A histogram with (bucket, count)s."""
    counts = [0] * type.buckets
    for bucket, count in pairs:
        counts[bucket] = count
    return Histogram(type, tuple(counts))


def labels(histogram: Histogram) -> list[str]:
    return [line[:16].rstrip() for line in render_histogram(histogram).decode().splitlines()]


def test_golden() -> None:
    shown = render_histogram(filled(Hist(), (0, 1), (1, 2), (3, 4), (4, 3), (6, 1))).decode()
    assert shown == dedent("""\
        (..., 0)               1 |@@@@@@@@@@@@@                                       |
        [0]                    2 |@@@@@@@@@@@@@@@@@@@@@@@@@@                          |
        [1]                    0 |                                                    |
        [2, 4)                 4 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
        [4, 8)                 3 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@             |
        [8, 16)                0 |                                                    |
        [16, 32)               1 |@@@@@@@@@@@@@                                       |
    """)


def test_linear_golden() -> None:
    shown = render_histogram(filled(LHist(0, 30, 10), (0, 1), (2, 3), (4, 2))).decode()
    assert shown == dedent("""\
        (..., 0)               1 |@@@@@@@@@@@@@@@@@                                   |
        [0, 10)                0 |                                                    |
        [10, 20)               3 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
        [20, 30)               0 |                                                    |
        [30, ...)              2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@                  |
    """)


@pytest.mark.parametrize(
    ("type", "bucket", "label"),
    [
        (Hist(), 10, "[256, 512)"),
        (Hist(), 11, "[512, 1K)"),
        (Hist(), 12, "[1K, 2K)"),
        (Hist(), 21, "[512K, 1M)"),
        (Hist(), 65, "[8E, 16E)"),
        (Hist(2), 8, "[7]"),
        (Hist(2), 9, "[8, 10)"),
        (Hist(2), 12, "[14, 16)"),
        (Hist(2), 28, "[224, 256)"),
        (Hist(2), 41, "[2048, 2560)"),
        (Hist(2), 45, "[4K, 5K)"),
        (LHist(0, 5120, 1024), 1, "[0, 1K)"),
        (LHist(0, 5120, 1024), 6, "[5K, ...)"),
        (LHist(-2048, 1 << 21, 1 << 20), 1, "[-2K, 1022K)"),
        (LHist(0, 1 << 21, 1 << 20), 2, "[1M, 2M)"),
        (LHist(610000, 670000, 10000), 4, "[640000, 650000)"),
        (LHist(-3, 3, 1), 1, "[-3]"),
    ],
)
def test_labels(type: Hist | LHist, bucket: int, label: str) -> None:
    assert labels(filled(type, (bucket, 1))) == [label]


@pytest.mark.parametrize("k", range(6))
def test_single_values_are_the_first_two_powers(k: int) -> None:
    type = Hist(k)
    shown = labels(Histogram(type, (1,) * type.buckets))
    single = [n for n, label in enumerate(shown) if label.startswith("[") and "," not in label]
    assert single == list(range(1, 1 + 2 * 2**k))
    assert all(shown[n] == f"[{hist_bound(type, n)}]" for n in single)


def test_div_keeps_the_buckets_and_empties_bars() -> None:
    histogram = filled(Hist(), (1, 1), (2, 10))
    lines = render_histogram(histogram, 5).decode().splitlines()
    assert [(line[16:24].strip(), line.count("@")) for line in lines] == [("0", 0), ("2", 52)]
    assert render_histogram(histogram, 50).count(b"@") == 0
    assert render_histogram(filled(LHist(0, 10, 10), (1, 10)), 5)[16:24].strip() == b"10"
    assert render_histogram(filled(Hist())) == b""
