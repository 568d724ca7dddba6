"""
What days to come will cost together, with an interval. Pure; statistics in floats, never a bill.

The next 24 hours are forecast hour by hour (:mod:`farthing.alerts.forecast`). Days beyond are expected to be like the
mean of the last four weeks, and the first of them still like the last day, as far as days have resembled the next one.
Days that resemble each other are off together, so their errors cancel out the less; the mean itself is known from a few
days only; and a level drifts. What is uncertain is added up in dollars, not in factors: a customer who sends nothing on
most days is off by a busy day, not by a thousandfold. docs/measurements.md (Alerts) says how often the interval keeps
its word.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from farthing.alerts.forecast import hourly

if TYPE_CHECKING:
    from collections.abc import Sequence

Z80 = 1.2816
HISTORY_H_MIN = 48
"""Hours of history before which nothing is forecast."""
_DAY_H, _DAYS = 24, 28
_KNOWN_DAYS_MIN = 5
_UNKNOWN = 0.6
"""Of a day's mean: its standard deviation where there are fewer days than that."""
_STAYS_MAX = 0.9
_DRIFT, _DRIFT_DAYS = 0.35, 7


class Total(NamedTuple):
    """
    A sum to come: expected, and where it is with 80 percent.

    Attributes:
        low: One in ten is below.
        expected: In the middle.
        high: One in ten is above.

    """

    low: float
    expected: float
    high: float


class Outlook(NamedTuple):
    """
    What is known of a series' days.

    Attributes:
        history: Every hour so far, the newest last.
        days: How many whole days count, the last 28 at most.
        mean: Of a day. variance: of a day about it.
        off: The last day's distance from the mean.
        stays: The share of such a distance that is left a day later, 0 to 0.9.

    """

    history: tuple[float, ...]
    days: int
    mean: float
    variance: float
    off: float
    stays: float

    def hours(self, ahead: int) -> list[float]:
        """The next hours, each >= 0; beyond the first day in the shape of the hourly rule at the level of the days."""
        found = hourly(self.history, ahead)
        for start in range(_DAY_H, ahead, _DAY_H):
            day = found[start : start + _DAY_H]
            level = max(0.0, self.mean + self.stays ** (start // _DAY_H + 1) * self.off) * len(day) / _DAY_H
            said = sum(day)
            flat = level / len(day)
            found[start : start + _DAY_H] = [one * level / said for one in day] if said > 0 else [flat] * len(day)
        return found

    def spread(self, ahead_h: float) -> float:
        """One standard deviation of the sum of the next hours."""
        if ahead_h <= 0 or self.days == 0:
            return 0.0
        ahead = ahead_h / _DAY_H
        parts = [1.0] * int(ahead) + ([ahead % 1] if ahead % 1 else [])
        fresh = self.variance * (1 - self.stays**2)
        tail, noise = 0.0, 0.0
        for part in reversed(parts):
            noise += fresh * (math.sqrt(part) + tail) ** 2
            tail = self.stays * (part + tail)
        of_mean = self.variance / self.days * (1 + self.stays) / (1 - self.stays) * ahead**2
        drift = (_DRIFT * self.mean * ahead) ** 2 * min(ahead, _DRIFT_DAYS) / self.days
        return math.sqrt(noise + of_mean + drift)

    def total(self, ahead: int) -> Total:
        """The sum of the next hours, with its interval."""
        if ahead <= 0:
            return Total(0.0, 0.0, 0.0)
        expected, off = sum(self.hours(ahead)), Z80 * self.spread(ahead)
        return Total(max(0.0, expected - off), expected, expected + off)


def outlook(history: Sequence[float]) -> Outlook:
    """
    Look at a series.

    Args:
        history: Every hour so far, without gaps, the newest last; >= 0.

    """
    ends = range(len(history), _DAY_H - 1, -_DAY_H)[:_DAYS]
    days = [sum(history[end - _DAY_H : end]) for end in reversed(ends)]
    if not days:
        return Outlook(tuple(history), 0, 0.0, 0.0, 0.0, 0.0)
    mean = sum(days) / len(days)
    if len(days) < _KNOWN_DAYS_MIN:
        return Outlook(tuple(history), len(days), mean, (_UNKNOWN * mean) ** 2, 0.0, 0.0)
    offs = [day - mean for day in days]
    variance = sum(off**2 for off in offs) / (len(days) - 1)
    alike = sum(one * other for one, other in pairwise(offs)) / (len(days) - 1)
    stays = max(0.0, min(_STAYS_MAX, alike / variance)) if variance > 0 else 0.0
    return Outlook(tuple(history), len(days), mean, variance, offs[-1], stays)
