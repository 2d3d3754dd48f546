"""Histograms as text: a line a bucket, from the first that counted to the last."""

from __future__ import annotations

import struct

from ..events.aggregate import find_percentile, hist_bound, lhist_bound, used_buckets
from ..spec.values import Hist

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..events.aggregate import Histogram
    from ..spec.values import LHist

WIDTH = 52
"""Characters of the longest bar."""

_FLOAT = struct.Struct("=f")


def render_histogram(histogram: Histogram, div: int = 0, percentiles: tuple[int, ...] = ()) -> bytes:
    """The lines of a histogram. `div`, unless 0, divides the counts of powers of two. `percentiles`, in
    thousandths of a percent, are a last line."""
    type = histogram.type
    first, last = used_buckets(histogram.counts)
    counts = list(histogram.counts[first:last])
    if div and isinstance(type, Hist):
        counts = [count // div for count in counts]
    longest = max(counts, default=0)
    lines = []
    for bucket, count in enumerate(counts, first):
        label = _range_label(type, bucket)
        bar = b"@" * _bar_length(count, longest)
        lines.append(b"%-16b%8d |%-*b|\n" % (label, count, WIDTH, bar))
    if percentiles:
        found = [f"{percentile_name(p)}: {find_percentile(histogram, p)}" for p in percentiles]
        lines.append(f"{', '.join(found)}\n".encode())
    return b"".join(lines)


def percentile_name(thousandths: int) -> str:
    """`p50`, `p99.9`"""
    return f"p{thousandths / 1000:g}"


def _bar_length(count: int, longest: int) -> int:
    # In single precision, as bpftrace computes it: bars near a whole character come out the same.
    if not longest:
        return 0
    return int(_single(_single(_single(count) / _single(longest)) * WIDTH))


def _single(value: float) -> float:
    single: float = _FLOAT.unpack(_FLOAT.pack(value))[0]
    return single


def _range_label(type: Hist | LHist, bucket: int) -> bytes:
    if isinstance(type, Hist):
        low, high = hist_bound(type, bucket), hist_bound(type, bucket + 1)
        single = low is not None and low < 2 << type.k
        labels = _hist_label(type, bucket), _hist_label(type, bucket + 1)
    else:
        low, high = lhist_bound(type, bucket), lhist_bound(type, bucket + 1)
        single = low is not None and high == low + 1
        labels = _lhist_label(type, low), _lhist_label(type, high)
    if low is None:
        return b"(..., %b)" % labels[1]
    if high is None:
        return b"[%b, ...)" % labels[0]
    return b"[%b]" % labels[0] if single else b"[%b, %b)" % labels


def _hist_label(type: Hist, bucket: int) -> bytes:
    """The lower bound of a bucket, with the unit of the power of two that it belongs to."""
    bound = hist_bound(type, bucket)
    if bound is None:
        return b""
    power = ((bucket - 1) >> type.k) - 1
    unit = max(power, 0) // 10
    return b"%d%b" % (bound >> (10 * unit), b"KMGTPE"[unit - 1 : unit] if unit else b"")


def _lhist_label(type: LHist, bound: int | None) -> bytes:
    """A bound, in K or M where every bound of the histogram can be."""
    if bound is None:
        return b""
    if bound and type.step % 1024 == 0:
        for unit, name in ((1 << 20, b"M"), (1 << 10, b"K")):
            if bound % unit == 0:
                return b"%d%b" % (bound // unit, name)
    return b"%d" % bound
