"""
How traffic grows, seen from its own past or told, and when a growing amount reaches a limit.

Seen growth is the median of the slopes between all pairs of whole weeks, in logarithms (Theil and Sen): one odd week
does not decide it, and weekdays do not disturb it. Its range is Sen's interval of 90 % by Kendall's statistic. That it
goes on is a belief: everything that follows from it is assumed.
"""

from __future__ import annotations

import math
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

WEEKS_MIN = 4
"""Fewer whole weeks say nothing about growth."""
DAYS_PER_MONTH = 365.2425 / 12
_HORIZON_DAYS = 3_652
"""Nobody knows further than ten years."""
_Z_90 = 1.645


class Growth(NamedTuple):
    """
    Growth a month, as a fraction: 0.05 is 5 %.

    Attributes:
        low, mid, high: Range and middle; all alike where it was told.
        weeks: Whole weeks that it was seen over; 0 where it was told.

    """

    low: float
    mid: float
    high: float
    weeks: int = 0


class Reach(NamedTuple):
    """The day on which a limit is reached, by the highest, middle and lowest growth; None: not within ten years."""

    earliest: date | None
    expected: date | None
    latest: date | None


def told_growth(per_month: float) -> Growth:
    """Growth that somebody stated."""
    return Growth(per_month, per_month, per_month)


def seen_growth(by_week: Sequence[int]) -> Growth | None:
    """
    Growth of an amount over whole weeks, oldest first; None where there are too few weeks with any.

    >>> seen_growth([100, 110, 121])
    >>> round(seen_growth([100, 110, 121, 133]).mid, 2)
    0.51
    """
    weeks = [(number, math.log(amount)) for number, amount in enumerate(by_week) if amount > 0]
    count = len(weeks)
    if count < WEEKS_MIN:
        return None
    slopes = sorted(
        (later - sooner) / (at - before)
        for place, (before, sooner) in enumerate(weeks)
        for at, later in weeks[place + 1 :]
    )
    within = _Z_90 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    first = max(0, math.floor((len(slopes) - within) / 2))
    return Growth(_monthly(slopes[first]), _monthly(median(slopes)), _monthly(slopes[-1 - first]), len(by_week))


def reach(share: float, growth: Growth, on: date) -> Reach:
    """When an amount that is *share* of a limit on a day reaches it."""
    return Reach(*(_day(share, per_month, on) for per_month in (growth.high, growth.mid, growth.low)))


def _day(share: float, per_month: float, on: date) -> date | None:
    if share >= 1:
        return on
    if share <= 0 or per_month <= 0:
        return None
    days = math.log(1 / share) / math.log1p(per_month) * DAYS_PER_MONTH
    return on + timedelta(days=math.ceil(days)) if days <= _HORIZON_DAYS else None


def _monthly(per_week: float) -> float:
    return math.expm1(min(50.0, per_week * DAYS_PER_MONTH / 7))
