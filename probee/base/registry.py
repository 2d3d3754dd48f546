"""Named things of one kind: refuses duplicates, suggests near misses.

An entry may be the thing itself or the name of the module that registers it when it is imported,
so that a script pays only for what it names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Generic, TypeVar

    T = TypeVar("T")

    class Typed(Generic[T]):
        pass

else:
    T = None

    class Typed:
        def __class_getitem__(cls, _):
            return cls


_FAR = 100
"""The distance of names that only contain what was looked for."""

_MOST_EDITS = 4
_LONGEST = 256
"""Characters of a name, past which nobody has mistyped it."""

_MOST_WORK = 500_000
"""Pairs of characters that are compared at most for a hint, in a quarter of a second; then it is given up."""


class Registry(Typed[T]):
    """A table of `kind` things by name, filled by modules of `package` when first asked for."""

    def __init__(self, kind: str, load: Callable[[str], object] | None = None) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}
        self._load = load

    def add(self, name: str, item: T) -> None:
        if name in self._items:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._items[name] = item

    def find(self, name: str) -> T | None:
        """The thing called `name`, or None."""
        if name not in self._items and self._load is not None:
            self._load(name)
        return self._items.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def farthest(name: str) -> int:
    """How many edits away from `name` something may be that still looks like it."""
    return min(max(len(name) // 3, 1), _MOST_EDITS)


def near_misses(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Up to `most` of `known` that look like `name`, the nearest first; in bounded time."""
    if len(name) > _LONGEST:
        return []
    lowered, limit = name.lower(), farthest(name)
    scored: list[tuple[int, int, str]] = []
    nearest: list[int] = []
    left = _MOST_WORK
    for other in known:
        distance = None
        if abs(len(other) - len(name)) <= limit:
            left -= len(name) * (2 * limit + 1)
            distance = _distance(lowered, other.lower(), limit) if left >= 0 else None
        if distance is not None:
            scored.append((distance, abs(len(other) - len(name)), other))
            # What is farther than the last of the nearest won't be shown.
            nearest = sorted([*nearest, distance])[:most]
            limit = nearest[-1] if len(nearest) == most else limit
        elif len(name) >= 4 and lowered in other.lower():
            scored.append((_FAR, len(other) - len(name), other))
    return [other for _, _, other in sorted(scored)[:most]]


def _distance(a: str, b: str, limit: int) -> int | None:
    """Edit distance (with transpositions) of two strings, None past `limit`."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, before, row = before, row, [limit + 1] * (len(b) + 1)
        row[0] = i
        # Cells farther from the diagonal than the limit are past it.
        for j in range(max(i - limit, 1), min(i + limit, len(b)) + 1):
            y = b[j - 1]
            cost = before[j - 1] + (x != y)
            if before[j] < cost:
                cost = before[j] + 1
            if row[j - 1] < cost:
                cost = row[j - 1] + 1
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y and previous[j - 2] < cost:
                cost = previous[j - 2] + 1
            row[j] = cost
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None
