"""
What the next hours will cost, one by one. Pure; statistics in floats, never a bill.

An hour is expected to be like the same hour of the last days, newer ones counting more, and of the last weeks; all of
it is raised or lowered by how the last twelve hours compare with what this rule would have said of them, an effect that
fades from day to day. What days come to together, and how sure that is, says :mod:`farthing.alerts.outlook`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAYS, _DAY_FADES = 7, 0.7
_WEEKS, _WEEK_SHARE = 4, 0.3
_LEVEL_H, _LEVEL_SHARE, _LEVEL_FADES = 12, 0.5, 0.8
_LEVEL_MAX = 1.0
_LEARNT_H_MIN = 48
"""Hours of history before which no level is told from chance."""


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
    if start < _LEARNT_H_MIN:
        return 0.0
    said = sum(_usual(history, at) for at in range(start, len(history)))
    came = sum(history[start:])
    if said <= 0 or came <= 0:
        return 0.0
    return _LEVEL_SHARE * max(-_LEVEL_MAX, min(_LEVEL_MAX, math.log(came / said)))
