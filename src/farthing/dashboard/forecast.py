"""
What a month will have cost when it ends, as a simple interval. Pure.

The days that remain are taken to be like those of the last four weeks, and independent of one another: spent so far,
plus their mean for each day that remains, give or take 1.28 standard deviations (80 %), the uncertainty of the mean
included. That is a belief, so the figure is *assumed*. With fewer than :data:`DAYS_MIN` days there is none.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

from farthing.money import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS_MIN = 5
_Z = Fraction(128, 100)


class Forecast(NamedTuple):
    """Picodollars at the end of the month: the middle, and the ends of an 80 % interval."""

    middle_pusd: int
    low_pusd: int
    high_pusd: int


def month_end(spent_pusd: int, days_pusd: Sequence[int], remaining_days: Fraction) -> Forecast | None:
    """
    Forecast a month.

    Args:
        spent_pusd: So far this month, >= 0.
        days_pusd: What each of the last whole days cost, quiet ones too.
        remaining_days: Until the month ends, >= 0.

    """
    number = len(days_pusd)
    if number < DAYS_MIN:
        return None
    mean = Fraction(sum(days_pusd), number)
    variance = sum(((day - mean) ** 2 for day in days_pusd), Fraction(0)) / (number - 1)
    spread = isqrt(nearest(variance * (remaining_days + remaining_days**2 / number)))
    middle = spent_pusd + nearest(mean * remaining_days)
    half = nearest(_Z * spread)
    return Forecast(middle, max(spent_pusd, middle - half), middle + half)
