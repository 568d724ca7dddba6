"""
Watch one hourly series for a rise. Pure, one hour after the other, nothing looked at that lies ahead.

What is usual for an hour is the highest of three medians: the same hour of earlier weeks, the same hour of earlier
days, and the last day's hours. Medians, so that a bad hour does not become usual by itself; the highest, so that a job
which runs every Sunday at three is no news. Of a share, earlier hours are first set against the day they were in: what
cost twice as much last week, as everything did then, is not usual now. Over the last 1, 2, 3 and 6 hours, what came is
set against what was usual *and* against what the hours just before would lead to expect, and the smaller rise of the
two counts: a week that is busier as a whole is no episode at every one of its hours.

A rise is then set against the largest this series is used to: what nine in ten of its rises stay under, carried on by
six times the distance from what eight in ten stay under. The few hours of an old incident move neither. The score is
the rise over the *square root* of that: a wild series must rise further than a calm one before it is worth a message,
but not in full proportion, for tenfold is tenfold in the wildest tenant too.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

WEEK_H = 168
WINDOWS_H = (1, 2, 3, 6)
"""Over how many hours a rise is looked for; the longest is also how long a slow one takes to be seen."""

_SAME_HOUR_WEEKS = 4
_SAME_HOUR_DAYS = 7
_RISES_KEPT = 4 * WEEK_H


class Hour(NamedTuple):
    """
    One hour of a series.

    Attributes:
        number: Whole hours since 1970, UTC; ascending and without gaps in a series.
        amount: What is watched: picodollars, tokens, calls; >= 0.
        calls: What it is divided by; 1 for a volume, 0 in an hour without a call.

    """

    number: int
    amount: float
    calls: float


class Tuning(NamedTuple):
    """
    How a kind of series is watched.

    Attributes:
        is_share: Whether ``amount / calls`` is watched; else ``amount`` alone.
        hours_before: Observed hours before which a series is silent.
        pseudo_calls: Calls at the usual rate that every window is diluted with: few calls prove little.
        pseudo_amount: For volumes, what is added instead, beside ``pseudo_share`` of the usual hourly amount.
        pseudo_share: See there.
        rate_min: What is at least usual, per call; a share of refusals starts at none.
        momentum: How much of the rise of the hours before is expected to go on; 1: all.
        rise_min: Least natural rise a series is thought capable of, as a logarithm.
        rise_unknown: The same for a series of which nothing is known yet.
        rise_unknown_h: How many hours of its own that counts as.
        dense_min: Share of hours with any amount from which a volume is judged by its hours; below it, by its bursts:
            what stops for some hours of each day starts anew each day, and that is no rise.
        bursts_before: Hours with any amount before which a volume's bursts are not judged.
        burst_unit: For bursts: the logarithm of how many times its record a burst has to be, for a score of one.

    """

    is_share: bool
    hours_before: int
    pseudo_calls: float = 5.0
    pseudo_amount: float = 5.0
    pseudo_share: float = 0.5
    rate_min: float = 0.0
    momentum: float = 1.0
    rise_min: float = 0.1
    rise_unknown: float = 0.7
    rise_unknown_h: float = 24.0
    dense_min: float = 0.85
    bursts_before: int = 6
    burst_unit: float = 0.5


SHARE = Tuning(is_share=True, hours_before=12, momentum=0.7)
VOLUME = Tuning(is_share=False, hours_before=72, rise_unknown_h=10.0)
_RISE_FROM, _RISE_TO, _RISE_REACH = 0.8, 0.9, 6
_LEVEL_H = 24


class Score(NamedTuple):
    """
    What one hour says.

    Attributes:
        number: The hour.
        score: How unusual; 0 while the series is silent, and where nothing rose.
        usual: What was expected of ``amount / calls`` (of ``amount`` for a volume); None while unknown.

    """

    number: int
    score: float
    usual: float | None


_Seen = tuple[float, float]  # an hour's rate, and the level of the day before it


class Watcher:
    """
    One series, hour by hour.

    Args:
        tuning: Its kind.

    """

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._by_week: dict[int, deque[_Seen]] = {}
        self._by_day: dict[int, deque[_Seen]] = {}
        self._recent: deque[float] = deque(maxlen=_LEVEL_H)
        self._level = 0.0  # of the last day; 0 while it is not whole, and for a volume
        self._amounts: deque[float] = deque(maxlen=WEEK_H)
        self._amounts_sum = 0.0
        self._amounts_busy = 0
        self._window: deque[tuple[float, float]] = deque(maxlen=8)  # amount, and what was usual
        self._rises = {hours: _Rises() for hours in WINDOWS_H}
        self._bursts: dict[int, deque[float]] = {hours: deque(maxlen=2 * WEEK_H) for hours in WINDOWS_H}
        self._hours = 0
        self._observed = 0

    def step(self, hour: Hour) -> Score:
        """Judge an hour by what came before it, then learn from it."""
        if hour.calls <= 0:  # an hour of a share without a call says nothing, and its place in a window is empty
            self._window.append((0.0, 0.0))
            self._learn(hour)
            return Score(hour.number, 0.0, None)
        usual = self._usual(hour.number)
        scores = [0.0]
        if usual is not None:
            self._window.append((hour.amount, hour.calls * usual))
            scores += self._judge(usual)
        seen = self._observed if self._tuning.is_share else self._hours
        is_silent = seen < self._tuning.hours_before
        if not self._tuning.is_share and self._density() < self._tuning.dense_min:
            scores = [0.0, *self._judge_bursts()] if hour.amount > 0 else [0.0]
        self._learn(hour)
        return Score(hour.number, 0.0 if is_silent else max(scores), usual)

    def _usual(self, number: int) -> float | None:
        medians = [self._as_now(found)] if (found := self._by_week.get(number % WEEK_H)) else []
        days = self._by_day.get(number % 24, ())
        if len(days) >= 2:
            medians.append(self._as_now(days))
        if self._recent:
            medians.append(self._level or _middle(self._recent))
        return max(*medians, self._tuning.rate_min) if medians else None

    def _as_now(self, found: Iterable[_Seen]) -> float:
        """Median of earlier hours, each raised or lowered as the level of a day has been since, where that is known."""
        if not (now := self._level):
            return _middle([rate for rate, _ in found])
        return _middle([rate * now / then if then else rate for rate, then in found])

    def _judge(self, usual: float) -> list[float]:
        """The rise over each window, in terms of the rises this series is used to."""
        tuning, hours = self._tuning, list(self._window)
        mean = max(0.0, self._amounts_sum) / len(self._amounts)
        pseudo = tuning.pseudo_calls * usual if tuning.is_share else tuning.pseudo_amount + tuning.pseudo_share * mean
        scores = []
        came = [0.0, *accumulate(amount for amount, _ in hours)]
        expected = [0.0, *accumulate(one for _, one in hours)]
        last = len(hours)
        for length, natural in self._rises.items():
            start = max(0, last - length)
            earlier = max(0, start - 2)
            rise = _rise(came[last] - came[start] + pseudo, expected[last] - expected[start] + pseudo)
            before = _rise(came[start] - came[earlier] + pseudo, expected[start] - expected[earlier] + pseudo)
            rise = min(rise, rise - tuning.momentum * before)
            scores.append(rise / natural.typical(tuning))
            if self._hours >= 48:
                natural.add(rise)
        return scores

    def _judge_bursts(self) -> list[float]:
        """Where most hours are empty: a burst against the largest so far."""
        latest = [one for one, _ in self._window]
        return [
            math.log(sum(latest[-length:]) / max(past)) / self._tuning.burst_unit
            for length, past in self._bursts.items()
            if len(past) >= self._tuning.bursts_before
        ]

    def _density(self) -> float:
        return self._amounts_busy / len(self._amounts) if self._amounts else 0.0

    def _learn(self, hour: Hour) -> None:
        self._hours += 1
        if len(self._amounts) == WEEK_H:
            self._amounts_sum -= self._amounts[0]
            self._amounts_busy -= self._amounts[0] > 0
        self._amounts.append(hour.amount)
        self._amounts_sum += hour.amount
        self._amounts_busy += hour.amount > 0
        if hour.calls > 0:
            self._observed += 1
            rate = hour.amount / hour.calls
            seen = (rate, self._level)
            self._by_week.setdefault(hour.number % WEEK_H, deque(maxlen=_SAME_HOUR_WEEKS)).append(seen)
            self._by_day.setdefault(hour.number % 24, deque(maxlen=_SAME_HOUR_DAYS)).append(seen)
            self._recent.append(rate)
            if self._tuning.is_share and len(self._recent) == _LEVEL_H:
                self._level = _middle(self._recent)
        if not self._tuning.is_share and hour.amount > 0:
            latest = list(self._amounts)
            for length, past in self._bursts.items():
                past.append(sum(latest[-length:]))


class _Rises:
    """The rises a series has shown by itself, newest four weeks."""

    def __init__(self) -> None:
        self._sorted: list[float] = []
        self._order: deque[float] = deque()

    def add(self, rise: float) -> None:
        insort(self._sorted, rise)
        self._order.append(rise)
        if len(self._order) > _RISES_KEPT:
            del self._sorted[bisect_left(self._sorted, self._order.popleft())]

    def typical(self, tuning: Tuning) -> float:
        count, own = len(self._sorted), 0.0
        if count and (higher := self._sorted[int(_RISE_TO * count)]) > 0:
            high = max(self._sorted[int(_RISE_FROM * count)], 0.0)
            own = high + _RISE_REACH * (higher - high)
        mixed = (count * own + tuning.rise_unknown_h * tuning.rise_unknown) / (count + tuning.rise_unknown_h)
        return math.sqrt(max(mixed, tuning.rise_min))


def _rise(came: float, usual: float) -> float:
    """Logarithm of what came over what was usual; 0 where nothing was expected and nothing came."""
    return math.log(came / usual) if came > 0 and usual > 0 else 0.0


def _middle(values: Iterable[float]) -> float:
    """The median, without the library's care for other kinds of numbers: this runs three times an hour of a series."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def watched(hours: Iterable[Hour], tuning: Tuning) -> list[Score]:
    """Every hour's score, each judged by the hours before it alone."""
    watcher = Watcher(tuning)
    return [watcher.step(hour) for hour in hours]
