"""
What the next hours will cost, and a whole month, with an interval. Pure; statistics in floats, never a bill.

An hour is expected to be like the same hour of the last days, newer ones counting more, and of the last weeks; all of
it is raised or lowered by how the last twelve hours compare with what this rule would have said of them, an effect that
fades from day to day. The interval comes from the rule's own errors: each of the last days is forecast from what came
before it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAYS, _DAY_FADES = 7, 0.7
_WEEKS, _WEEK_SHARE = 4, 0.3
_LEVEL_H, _LEVEL_SHARE, _LEVEL_FADES = 12, 0.5, 0.8
_LEVEL_MAX = 1.0
_TESTED_DAYS = 14
_KNOWN_DAYS_MIN = 3
_SPREAD_MIN, _SPREAD_UNKNOWN = 0.05, 0.6
_DRIFT, _DRIFT_DAYS = 0.3, 14
_Z80 = 1.2816
HISTORY_H_MIN = 48
"""Hours of history before which nothing is forecast."""


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


def hourly(history: Sequence[float], ahead: int) -> list[float]:
    """
    Forecast the next hours.

    Args:
        history: Every hour so far, without gaps, the newest last; >= 0.
        ahead: How many hours.

    Returns:
        One figure per hour, >= 0; all 0 where there is no history.

    """
    if not history:
        return [0.0] * ahead
    level = _level(history)
    # Beyond a day the rule reads its own figures where there is no hour yet: it repeats the last days' shape.
    known = list(history)
    found = []
    for step in range(ahead):
        usual = _usual(known, len(known))
        known.append(usual)
        found.append(usual * math.exp(level * _LEVEL_FADES ** (step / 24)))
    return found


def total(history: Sequence[float], ahead: int) -> Total:
    """The sum of the next hours, with its interval; see :func:`hourly`."""
    if ahead <= 0:
        return Total(0.0, 0.0, 0.0)
    expected = sum(hourly(history, ahead))
    off = math.exp(_Z80 * total_spread(day_spread(history), ahead))
    return Total(expected / off, expected, expected * off)


def day_spread(history: Sequence[float]) -> float:
    """By how much a day-ahead forecast of a day's sum is usually off, as a logarithm; from this history itself."""
    errors = []
    for back in range(1, _TESTED_DAYS + 1):
        start = len(history) - 24 * back
        if start < HISTORY_H_MIN:
            break
        said, came = sum(hourly(history[:start], 24)), sum(history[start : start + 24])
        if said > 0 or came > 0:
            floor = (said + came) / 50  # a day of nothing is off by a lot, not without end
            errors.append(abs(math.log((came + floor) / (said + floor))))
    if len(errors) < _KNOWN_DAYS_MIN:
        return _SPREAD_UNKNOWN
    mean = math.sqrt(math.pi / 2) * sum(errors) / len(errors)  # of a bell curve, from its mean distance
    return max(_SPREAD_MIN, mean)


def total_spread(day: float, ahead: int) -> float:
    """
    The same for the sum of many hours.

    Days that are off are mostly off together, for the level has moved: their errors do not cancel out, and a level goes
    on to drift for two weeks or so (docs/measurements.md, Alerts, says how often the interval keeps its word).
    """
    days = max(ahead / 24, 1 / 24)
    return day * math.sqrt(min(4.0, max(1.0, 1 / days)) + _DRIFT * min(days, _DRIFT_DAYS))


def _usual(known: Sequence[float], at: int) -> float:
    days = [known[at - 24 * back] for back in range(1, _DAYS + 1) if at >= 24 * back]
    weeks = [known[at - 168 * back] for back in range(1, _WEEKS + 1) if at >= 168 * back]
    if not days:
        return sum(known) / len(known)
    weights = [_DAY_FADES**age for age in range(len(days))]
    by_day = sum(weight * one for weight, one in zip(weights, days, strict=True)) / sum(weights)
    return by_day if not weeks else (1 - _WEEK_SHARE) * by_day + _WEEK_SHARE * sum(weeks) / len(weeks)


def _level(history: Sequence[float]) -> float:
    """How the last hours compare with what would have been said of them; a logarithm, dampened."""
    start = len(history) - _LEVEL_H
    if start < HISTORY_H_MIN:
        return 0.0
    said = sum(_usual(history, at) for at in range(start, len(history)))
    came = sum(history[start:])
    if said <= 0 or came <= 0:
        return 0.0
    return _LEVEL_SHARE * max(-_LEVEL_MAX, min(_LEVEL_MAX, math.log(came / said)))
