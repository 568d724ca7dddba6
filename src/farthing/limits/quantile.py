"""
What share of their worst case calls come to: learnt per route, for budgets that reserve less than the worst.

Shares are counted in steps of a quarter octave, each rounded up to the end of its step, so the quantile is never too
small for what was seen. Old calls fade: when a route has been seen often, all its counts are halved.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

SCALE = 1 << 20
"""Shares are whole numbers of this part."""
CALLS_MIN = 50
"""Before so many calls of a route were settled, all of the worst case is reserved."""
_CALLS_FADE = 4096
_ROUTES_MAX = 1000
_EDGES = sorted({SCALE, *((SCALE >> octave) * quarter // 8 for octave in range(18) for quarter in (5, 6, 7, 8))})


class Shares:
    """What was learnt, by route; a route is any text."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def saw(self, route: str, worst_pusd: int, actual_pusd: int) -> None:
        """A call of that route came to *actual_pusd*."""
        if worst_pusd <= 0:
            return
        seen = self._seen.get(route)
        if seen is None:
            if len(self._seen) >= _ROUTES_MAX:
                self._seen.clear()
            seen = self._seen[route] = _Seen()
        seen.add(min(SCALE, -(-max(0, actual_pusd) * SCALE // worst_pusd)))

    def reserve(self, route: str, worst_pusd: int, quantile: Fraction) -> int:
        """What to reserve: the worst case until enough was seen, then its learnt quantile."""
        seen = self._seen.get(route)
        if seen is None or seen.calls < CALLS_MIN:
            return worst_pusd
        return min(worst_pusd, -(-worst_pusd * seen.quantile(quantile) // SCALE))


class _Seen:
    """The counts of one route."""

    def __init__(self) -> None:
        self.calls = 0
        self._counts = [0] * len(_EDGES)
        self._found: dict[Fraction, int] = {}

    def add(self, share: int) -> None:
        self.calls += 1
        self._counts[bisect_left(_EDGES, share)] += 1
        if self.calls % 16 == 0:
            self._found.clear()
        if self.calls >= _CALLS_FADE:
            self._counts = [count // 2 for count in self._counts]
            self.calls = sum(self._counts)

    def quantile(self, quantile: Fraction) -> int:
        found = self._found.get(quantile)
        if found is None:
            found = self._found[quantile] = self._quantile(quantile)
        return found

    def _quantile(self, quantile: Fraction) -> int:
        up_to = 0
        for edge, count in zip(_EDGES, self._counts, strict=True):
            up_to += count
            if up_to * quantile.denominator >= self.calls * quantile.numerator:
                return edge
        return SCALE
