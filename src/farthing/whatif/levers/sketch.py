"""Small summaries of many calls: quantiles, the dearest few, and sums over a time whose end is not known yet."""

from __future__ import annotations

import heapq
import math
from itertools import zip_longest

_STEPS_PER_OCTAVE = 8
_BUCKETS_MAX = 96
EVIDENCE_MAX = 5


class Quantiles:
    """Counts of whole numbers in eighths of an octave; a quantile is at most 9 % too large, never too small."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self.count = 0
        self._counts: dict[int, int] = {}

    def add(self, value: int) -> None:
        """Add one number >= 0."""
        self.count += 1
        step = -1 if value <= 0 else math.ceil(math.log2(value) * _STEPS_PER_OCTAVE - 1e-9)
        self._counts[step] = self._counts.get(step, 0) + 1

    def quantile(self, share: float) -> int:
        """The number that *share* of all are not above; 0 for none."""
        upto = 0
        for step in sorted(self._counts):
            upto += self._counts[step]
            if upto >= share * self.count:
                return 0 if step < 0 else math.floor(2 ** (step / _STEPS_PER_OCTAVE) + 1e-6)
        return 0


class Dearest:
    """The ids of the few calls that cost most, the dearest first."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []

    def add(self, pusd: int, call_id: str) -> None:
        """Add one call."""
        if len(self._heap) < EVIDENCE_MAX:
            heapq.heappush(self._heap, (pusd, call_id))
        elif pusd > self._heap[0][0]:
            heapq.heapreplace(self._heap, (pusd, call_id))

    @property
    def ids(self) -> tuple[str, ...]:
        """At most :data:`EVIDENCE_MAX`."""
        return tuple(call_id for _, call_id in sorted(self._heap, reverse=True))


class Ruler:
    """Cuts a time that begins now and ends nobody knows when into at most 96 equal parts, an hour each at first."""

    __slots__ = ("doublings", "start_us", "width_us")

    def __init__(self, start_us: int) -> None:
        self.start_us = start_us
        self.width_us = 3_600_000_000
        self.doublings = 0

    def part(self, at_us: int) -> int:
        """The number of the part that a moment is in; parts double where there would be too many."""
        part = (at_us - self.start_us) // self.width_us
        while part >= _BUCKETS_MAX:
            self.width_us *= 2
            self.doublings += 1
            part = (at_us - self.start_us) // self.width_us
        return max(0, part)


class OverTime:
    """A sum per part of a :class:`Ruler`."""

    __slots__ = ("_doublings", "_ruler", "_sums")

    def __init__(self, ruler: Ruler) -> None:
        self._ruler = ruler
        self._doublings = ruler.doublings
        self._sums: list[int] = []

    def add(self, at_us: int, amount: int) -> None:
        """Add *amount* at a moment."""
        part = self._ruler.part(at_us)
        sums = self.sums
        if part >= len(sums):
            sums.extend([0] * (part + 1 - len(sums)))
        sums[part] += amount

    @property
    def sums(self) -> list[int]:
        """Per part, as wide as the ruler has them now."""
        while self._doublings < self._ruler.doublings:
            pairs = zip_longest(self._sums[::2], self._sums[1::2], fillvalue=0)
            self._sums = [one + two for one, two in pairs]
            self._doublings += 1
        return self._sums
