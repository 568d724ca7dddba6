"""
Where demand is going, and how little a short history says of it. Pure; floats, for none of it is money.

A seasonal Mann-Kendall test compares the same weekdays over time: it asks of every pair of weeks which one was larger,
so a single strange day decides nothing.
"""

from __future__ import annotations

from itertools import combinations
from math import erf, sqrt
from random import Random
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_H = 24
FALL_MAX = 0.10
"""The last third of history may be this much below the rest."""
_SIGNIFICANT = 0.05
WHOLE_LEVEL = 20
"""Levels of demand are counted in twentieths, so that few of them need a pass over the hours."""


class Drift(NamedTuple):
    """
    Where demand is going.

    Attributes:
        per_week: Median change in a week, as a share of the mean.
        p_value: How likely so many falls are without a trend (one-sided).
        recent: The last third of history over the rest.
        falling: Whether to commit to this would be a bet against it.

    """

    per_week: float
    p_value: float
    recent: float
    falling: bool

    def reasons(self) -> list[str]:
        """Why not to commit to it; empty where it does not fall."""
        if not self.falling:
            return []
        recent = f"the last third of history is {self.recent - 1:+.0%} against the rest"
        trend = f"{self.per_week:+.1%} a week (p = {self.p_value:.2f})"
        return [f"demand falls: {trend}, {recent}; a commitment would outlive what it is for"]


def drift_of(amounts: Sequence[int]) -> Drift:
    """
    Where hourly *amounts* are going, by day.

    From two weeks of history on the same weekdays are compared with each other, before that all days.
    """
    days = [sum(amounts[start : start + DAY_H]) for start in range(0, len(amounts) - DAY_H + 1, DAY_H)]
    if len(days) < 3 or not any(days):
        return Drift(0.0, 1.0, 1.0, falling=False)
    season = 7 if len(days) >= 14 else 1
    pairs = [(i, j) for i, j in combinations(range(len(days)), 2) if (j - i) % season == 0]
    score = sum((days[j] > days[i]) - (days[j] < days[i]) for i, j in pairs)
    counts = [len(range(start, len(days), season)) for start in range(season)]
    spread = sqrt(sum(n * (n - 1) * (2 * n + 5) for n in counts) / 18)
    p_value = 0.5 * (1 + erf((score + (score < 0)) / spread / sqrt(2))) if spread else 1.0
    per_week = 7 * median((days[j] - days[i]) / (j - i) for i, j in pairs) / mean(days)
    cut = 2 * len(days) // 3
    earlier = mean(days[:cut])
    recent = mean(days[cut:]) / earlier if earlier else 1.0
    falling = (p_value < _SIGNIFICANT and per_week < 0) or recent < 1 - FALL_MAX
    return Drift(per_week, p_value, recent, falling)


def drifted_levels(totals: Sequence[int], per_term: int, draws: int, seed: int) -> list[int]:
    """
    For each drawn term the level of its demand against the past's, in parts of :data:`WHOLE_LEVEL`.

    The trend is taken as none, or as the fall that was seen, and as uncertain as the slope of a line through *totals*;
    the term's middle lies half of it and half of history after the middle of history.
    """
    count, average = len(totals), mean(totals) if totals else 0
    if count < 2 or not average:
        return [WHOLE_LEVEL] * draws
    shares = [total / average for total in totals]
    slopes = [(shares[j] - shares[i]) / (j - i) for i, j in combinations(range(count), 2)]
    seen = min(0.0, median(slopes))
    doubt = stdev(shares) * sqrt(12 / count**3)
    ahead = (count + per_term) / 2
    rng = Random(seed + 1)  # noqa: S311  a simulation
    return [
        min(2 * WHOLE_LEVEL, max(0, round(WHOLE_LEVEL * (1 + ahead * rng.gauss(seen, doubt))))) for _ in range(draws)
    ]
