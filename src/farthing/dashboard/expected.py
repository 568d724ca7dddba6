"""
The band in which a figure was expected: of days of spend, of an hourly measure, of a budget's window. Pure.

All are beliefs, so a band is *assumed*: four times in five it should hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.alerts.outlook import HISTORY_H_MIN, Total, outlook
from farthing.alerts.series import HOUR_S, hour_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from farthing.alerts.watch import Score

HISTORY_DAYS = 35
DAYS_MIN = 7
"""Days of history before which no day's band is drawn: fewer say nothing of a week."""
_LOW, _HIGH = 0.1, 0.9
_RATIOS_MIN = 24

Band = tuple[int, int]


def day_bands(hours: Mapping[int, int], ends: Sequence[tuple[datetime, datetime]]) -> list[Band | None]:
    """
    What was expected of each day, in the evening before it.

    Args:
        hours: Picodollars by hour number; hours without a call may be left out.
        ends: First instant of each day, and of the next.

    Returns:
        Picodollars per day, each from at most :data:`HISTORY_DAYS` days before it; None where there are too few.

    """
    if not hours:
        return [None] * len(ends)
    first = min(hours)
    found: list[Band | None] = []
    for start, end in ends:
        at = hour_number(start)
        since = max(first, at - 24 * HISTORY_DAYS)
        if at - since < 24 * DAYS_MIN:
            found.append(None)
            continue
        history = [float(hours.get(number, 0)) for number in range(since, at)]
        expected = outlook(history).total(round((end - start).total_seconds() / HOUR_S))
        found.append((round(expected.low), round(expected.high)))
    return found


def usual_band(
    seen: Mapping[int, float], scores: Sequence[Score], before: int, shown: range
) -> dict[int, tuple[float, float]]:
    """
    What was expected of each hour of a measure that is watched.

    Around what was usual by the rules of the watch, as wide as four hours in five were off *before* the spike. Of an
    hour without a call the same is expected as of the one before it.

    Args:
        seen: The measure by hour number; an hour without a call is left out.
        scores: Of the same series.
        before: The hour in which the spike began.
        shown: Which hours are wanted.

    Returns:
        Least and most by hour; empty where fewer than a day of hours is known.

    """
    usual = {one.number: one.usual for one in scores if one.usual is not None}
    ratios = sorted(
        value / usual[number] for number, value in seen.items() if number < before and usual.get(number, 0.0) > 0
    )
    if len(ratios) < _RATIOS_MIN:
        return {}
    low, high = (ratios[min(len(ratios) - 1, int(share * len(ratios)))] for share in (_LOW, _HIGH))
    found: dict[int, tuple[float, float]] = {}
    last = None
    for number in range(min(usual), shown.stop):
        last = usual.get(number, last)
        if number in shown and last is not None:
            found[number] = (last * low, last * high)
    return found


def window_end(hours: Mapping[int, int], spent: int, now: datetime, end: datetime) -> Total | None:
    """
    What will have been spent at the end of a window.

    Args:
        hours: Picodollars by hour number, those before the window too.
        spent: In the window so far.
        now: Aware; before *end*.
        end: A whole hour.

    Returns:
        Picodollars, none below *spent*; None where too little is known.

    """
    this = hour_number(now)
    history = [float(hours.get(number, 0)) for number in range(min(hours), this)] if hours else []
    if len(history) < HISTORY_H_MIN:
        return None
    done = spent - hours.get(this, 0)
    return Total(*(max(spent, done + part) for part in outlook(history).total(hour_number(end) - this)))


def window_bands(hours: Mapping[int, int], spent: int, now: datetime, ends: Sequence[datetime]) -> list[Band | None]:
    """The same at several instants, without the middle; None for those that have passed."""
    found: list[Band | None] = []
    for end in ends:
        expected = window_end(hours, spent, now, end) if end > now else None
        found.append(None if expected is None else (round(expected.low), round(expected.high)))
    return found
