"""In which order a map is shown, and what `top` and `div` leave of it.

Numbers and aggregates go up by value, histograms by how much they counted, the rest by key.
Equal ones keep the order of their keys, so that the same entries always print the same.
"""

from __future__ import annotations

from ..ctype.types import Enum, Int, strip_typedefs
from ..events.aggregate import Stats, quotient
from ..spec.values import Aggregate, Hist, LHist, TSeries
from ..spec.values import Stats as StatsType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..ctype.types import CType


def arrange(type: CType, entries: Sequence[tuple[Any, Any]], top: int = 0) -> list[tuple[Any, Any]]:
    """Entries of a map of `type` in the order shown; of these the last `top`, all when 0."""
    type = strip_typedefs(type)
    ordered = sorted(entries, key=_key_order)
    if isinstance(type, (Hist, LHist)):
        ordered.sort(key=_total_order)
    elif isinstance(type, StatsType):
        ordered.sort(key=_average_order)
    elif isinstance(type, (Int, Enum, Aggregate)) and not isinstance(type, TSeries):
        ordered.sort(key=_value_order)
    return ordered[-top:] if top else ordered


def divide(type: CType, value: Any, div: int) -> Any:
    """What is shown of a value of `type` when numbers are divided by `div` (0 and 1: nothing changes).

    Of stats only the average is divided. Histograms are left alone: their buckets are divided where
    they are shown, after the empty ones at the ends are gone.
    """
    if div in (0, 1):
        return value
    type = strip_typedefs(type)
    if isinstance(value, Stats):
        return Stats(value.count, quotient(value.average, div), value.total)
    if isinstance(type, (Int, Aggregate)) and not isinstance(type, (Hist, LHist)):
        return quotient(value, div)
    return value


def _key_order(entry: tuple[Any, Any]) -> Any:
    return _orderable(entry[0])


def _orderable(value: Any) -> Any:
    """Keys of one map have one type; only structs need help to be compared."""
    if isinstance(value, dict):
        return tuple([_orderable(v) for v in value.values()])
    if isinstance(value, (tuple, list)):
        return tuple([_orderable(v) for v in value])
    return value


def _value_order(entry: tuple[Any, Any]) -> Any:
    return entry[1]


def _average_order(entry: tuple[Any, Any]) -> Any:
    return entry[1].average


def _total_order(entry: tuple[Any, Any]) -> Any:
    return entry[1].total
