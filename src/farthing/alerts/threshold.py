"""
Where to draw the line, from traffic that nobody labelled. Pure.

Scores of many series are comparable, for each is measured in its own terms. The threshold is the lowest at which all of
them together would have begun no more episodes than one is willing to be told of for nothing: unlabelled traffic is
taken to be normal, which errs on the quiet side where it was not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from farthing.alerts.watch import Score

WEEK_H = 168
GAP_H = 6
"""Hours without a firing one that end an episode: a shorter lull is part of it."""
FALSE_PER_WEEK = 0.25
"""Episodes per tenant-week that may be for nothing, unless the settings say otherwise."""
PRIOR_WEEKS = 4.0
"""How many tenant-weeks of a ledger's own traffic the shipped thresholds weigh as much as."""


class Episode(NamedTuple):
    """Hours that belong together: *first* and *last* that fired (numbers as in the series), and the highest score."""

    first: int
    last: int
    peak: float


def episodes(scores: Iterable[Score], threshold: float, gap_h: int = GAP_H) -> list[Episode]:
    """
    The episodes of one series.

    An episode begins where a score reaches *threshold*, goes on where one reaches half of it while it is under way, and
    is over after *gap_h* quiet hours.
    """
    found: list[Episode] = []
    for number, score, _ in scores:
        under_way = bool(found) and number - found[-1].last <= gap_h
        if under_way and score >= threshold / 2:
            found[-1] = Episode(found[-1].first, number, max(found[-1].peak, score))
        elif score >= threshold:
            found.append(Episode(number, number, score))
    return found


def calibrated(
    series: Sequence[Sequence[Score]],
    tenant_weeks: float,
    per_week: float = FALSE_PER_WEEK,
    *,
    at_most: float = math.inf,
) -> float | None:
    """
    The lowest threshold at which the series began at most *per_week* episodes per tenant-week.

    Args:
        series: Scores of all series of a kind, of their natural traffic.
        tenant_weeks: How much traffic that is.
        per_week: What one is willing to be told for nothing.
        at_most: Never a higher one: traffic that held real incidents must not blind us to the next.

    Returns:
        The threshold; None where there is less than one tenant-week to judge by.

    """
    if tenant_weeks < 1:
        return None
    allowed = per_week * tenant_weeks
    tried = sorted({one.score for scores in series for one in scores if one.score > _LEAST})
    low, high = 0, len(tried)  # the count of episodes falls as the threshold rises, but for merging at the edges
    while low < high:
        middle = (low + high) // 2
        if sum(len(episodes(scores, tried[middle])) for scores in series) > allowed:
            low = middle + 1
        else:
            high = middle
    if low < len(tried):
        return min(tried[low], at_most)
    return min(tried[-1] * _ABOVE_ALL, at_most) if tried else _LEAST


_LEAST = 0.5  # less than half of what a series is used to is never news
_ABOVE_ALL = 1.001


def blended(shipped: float, own: float | None, tenant_weeks: float) -> float:
    """
    The threshold to use: the shipped one until a ledger has traffic of its own, then more and more its own.

    Never under three quarters of the shipped one: where everything has been the same for weeks, a change of some
    percent would be unheard of, and still not worth a message.
    """
    if own is None:
        return shipped
    mixed = (PRIOR_WEEKS * shipped + tenant_weeks * own) / (PRIOR_WEEKS + tenant_weeks)
    return max(mixed, 0.75 * shipped)
