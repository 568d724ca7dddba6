"""
Savings by day, and how far a month of such days may be off: a block bootstrap, pure.

Days that follow one another are alike, and weeks repeat; so not days but stretches of days are drawn again, a whole
week at a time where there are two of them. All steps are drawn with the same days, so their ranges belong together.
What a range does not hold: that next month's traffic is another.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from farthing.money import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

MONTH_DAYS = 30
DAYS_MIN = 7
"""With fewer days a range would pretend to know how days differ."""
WEEK_DAYS = 7
DRAWS = 1000
LEVEL = 0.9


class Monthly(NamedTuple):
    """
    An amount per 30 days, in picodollars.

    Attributes:
        pusd: As the days at hand come to.
        low_pusd, high_pusd: Nine in ten drawn months lie between; None where there are too few days to tell.

    """

    pusd: int
    low_pusd: int | None
    high_pusd: int | None


class Days(NamedTuple):
    """
    Days that follow one another, UTC.

    Attributes:
        first: Ordinal of the first day. number: how many.

    """

    first: int
    number: int

    @property
    def later(self) -> int:
        """The day, counted from 0, on which the last third begins; all of them where there are fewer than three."""
        return self.number - self.number // 3 if self.number >= 3 else self.number

    def row(self, amounts: Mapping[int, int]) -> list[int]:
        """Amounts by ordinal as a list without gaps."""
        return [amounts.get(self.first + day, 0) for day in range(self.number)]

    def a_month(self, pusd: int) -> int:
        """A sum over the days, per 30 days."""
        return nearest(Fraction(pusd * MONTH_DAYS, max(1, self.number)))


def month_to(last: datetime | None) -> datetime | None:
    """From when on a plan looks where nobody says: the month that ends with the day that starts then; None for none."""
    return None if last is None else last + timedelta(days=1 - MONTH_DAYS)


def monthly(rows: Sequence[Sequence[int]], days: Days, *, seed: int = 0) -> list[Monthly]:
    """Each row of daily amounts per month, with a range by the same drawn days."""
    if days.number < DAYS_MIN:
        return [Monthly(days.a_month(sum(row)), None, None) for row in rows]
    block = WEEK_DAYS if days.number >= 2 * WEEK_DAYS else 1
    drawn = [_drawn_months(row, days.number, block, seed) for row in rows]
    low, high = round((1 - LEVEL) / 2 * DRAWS), round((1 + LEVEL) / 2 * DRAWS) - 1
    return [Monthly(days.a_month(sum(row)), months[low], months[high]) for row, months in zip(rows, drawn, strict=True)]


def _drawn_months(row: Sequence[int], count: int, block: int, seed: int) -> list[int]:
    """Months of whole blocks, which may start on any day and go round the end; sorted."""
    rng = Random(seed)  # noqa: S311  a simulation
    sums = [0]
    for day in range(count + block):
        sums.append(sums[-1] + row[day % count])
    lengths = [block] * (MONTH_DAYS // block) + ([MONTH_DAYS % block] if MONTH_DAYS % block else [])
    months = []
    for _ in range(DRAWS):
        total = 0
        for length in lengths:
            start = rng.randrange(count)
            total += sums[start + length] - sums[start]
        months.append(total)
    return sorted(months)
