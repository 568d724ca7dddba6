"""Spikes injected into series, and what a detector makes of them: the protocol, apart from any data."""

from __future__ import annotations

import copy
import math
import random
from typing import TYPE_CHECKING, NamedTuple

from farthing.alerts.threshold import calibrated, episodes
from farthing.alerts.watch import Hour, Score, Tuning, Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

SPIKES = ((2.0, 6), (3.0, 3), (5.0, 3), (10.0, 3))
"""Times how much, for how many hours."""
WARM_H = 72
TRIALS = 8


class Outcome(NamedTuple):
    """Recall and trials per spike, false episodes per tenant-week on the rest, and the threshold of the first part."""

    threshold: float
    false_per_week: float
    false: int
    recall: dict[float, tuple[float, int, float]]
    alarms: list[tuple[int, int]]


def judged(
    series: Sequence[Sequence[Hour]], tuning: Tuning, split: int, per_week: float, *, at_most: float, matched: bool
) -> Outcome:
    """
    Set a threshold on the hours before *split*, count false episodes after it, and inject one spike at a time there.

    A spike starts at an hour drawn among those from which on every hour of it has traffic, and near which nothing was
    raised without it. It is found if an alarm is raised in its own hours. An episode that began before *split* is not
    counted again. With *matched* the threshold is set on the judged hours instead, so that rules can be compared at one
    and the same count of false episodes.
    """
    scores = [natural(one, tuning) for one in series]
    used = [one[split:] if matched else one[WARM_H:split] for one in scores]
    threshold = calibrated(used, sum(map(len, used)) / 168, per_week, at_most=math.inf if matched else at_most)
    assert threshold is not None
    alarms = [
        (n, found.first)
        for n, one in enumerate(scores)
        for found in episodes(one, threshold)
        if found.first >= series[n][split].number
    ]
    judged_weeks = sum(len(one) - split for one in series) / 168
    recall = {times: _recall(series, scores, tuning, threshold, split, times, hours) for times, hours in SPIKES}
    return Outcome(threshold, len(alarms) / judged_weeks, len(alarms), recall, alarms)


def natural(hours: Sequence[Hour], tuning: Tuning) -> list[Score]:
    watcher = Watcher(tuning)
    return [watcher.step(hour) for hour in hours]


def _recall(  # noqa: PLR0917  the protocol in one place
    series: Sequence[Sequence[Hour]],
    scores: Sequence[Sequence[Score]],
    tuning: Tuning,
    threshold: float,
    split: int,
    times: float,
    length: int,
) -> tuple[float, int, float]:
    rng, found, tried, waited = random.Random(5), 0, 0, 0
    for hours, quiet in zip(series, scores, strict=True):
        possible = [
            at
            for at in range(split, len(hours) - length)
            if all(hour.amount > 0 for hour in hours[at : at + length])
            and max(one.score for one in quiet[at - 6 : at + length]) < threshold
        ]
        watcher, done = Watcher(tuning), 0
        for at in sorted(rng.sample(possible, min(TRIALS, len(possible)))):
            for hour in hours[done:at]:
                watcher.step(hour)
            done = at
            spiked = copy.deepcopy(watcher)
            raised = [spiked.step(one._replace(amount=one.amount * times)).score for one in hours[at : at + length]]
            first = next((n for n, score in enumerate(raised, 1) if score >= threshold), 0)
            tried, found, waited = tried + 1, found + bool(first), waited + first
    return found / max(1, tried), tried, waited / max(1, found)
