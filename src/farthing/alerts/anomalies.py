"""
Episodes of now, in all series at once: what rose, since when, and what it costs. Pure.

The threshold of each metric comes from all series of the ledger together, from their hours until a day ago; the last
day is only judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.alerts.series import METRICS, Facts, Hours, Member, Metric, series_of
from farthing.alerts.threshold import FALSE_PER_WEEK, GAP_H, Episode, blended, calibrated, episodes
from farthing.alerts.watch import watched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.alerts.watch import Score

_JUDGED_H = 24
_WEEK_H = 168
SERIES_MAX = 200
"""Watched at most: the dearest. The others are counted."""


class Anomaly(NamedTuple):
    """
    One episode of one series.

    Attributes:
        metric: What rose.
        member: Whose.
        episode: When, and how far above usual.
        usual: What was usual per call (per hour for a volume), over the hours of the episode.
        seen: What was seen instead.
        cost_pusd: List price of the episode's calls; measured.
        stake_pusd: What of it is above usual; an assumption, because what is usual is one. Never below 0.

    """

    metric: Metric
    member: Member
    episode: Episode
    usual: float
    seen: float
    cost_pusd: int
    stake_pusd: int


class Watch(NamedTuple):
    """
    What a look at all series found.

    Attributes:
        anomalies: Episodes that are under way, or ended after *judged_from*.
        thresholds: Per metric, the one that was used.
        series: How many series were watched; left_out: how many were too small to be among them.
        silent: Of the watched, how many have too little history to say anything.
        latest: The newest hour with a call; None: there is none.

    """

    anomalies: tuple[Anomaly, ...]
    thresholds: dict[str, float]
    series: int
    left_out: int
    silent: int
    latest: int | None = None


def look(hours: Hours, until: int, *, per_week: float = FALSE_PER_WEEK, judged_from: int | None = None) -> Watch:
    """
    Watch every series until the hour *until* (exclusive).

    Args:
        hours: From :func:`~farthing.alerts.series.together`.
        until: The hour that is not over yet.
        per_week: Episodes per tenant-week that may be for nothing.
        judged_from: Episodes whose last hour is before this one are history; None: the last six hours count.

    """
    quiet = until - GAP_H - 1
    judged_from = quiet if judged_from is None else min(judged_from, quiet)
    dearest = sorted(hours, key=lambda one: (-sum(facts.pusd for facts in hours[one].values()), str(one)))
    kept = sorted(dearest[:SERIES_MAX], key=str)
    found: list[Anomaly] = []
    thresholds: dict[str, float] = {}
    heard: set[Member] = set()
    for metric in METRICS:
        members = kept if metric.name != "volume" else [one for one in kept if one.model is None]
        scores = {one: watched(series_of(hours[one], metric, until), metric.tuning) for one in members}
        heard |= {one for one in members if len(scores[one]) > metric.tuning.hours_before}
        threshold = thresholds[metric.name] = _threshold(metric, scores, until, per_week)
        for member in members:
            late = [one for one in episodes(scores[member], threshold) if one.last >= judged_from]
            found += [_anomaly(metric, member, one, scores[member], hours[member]) for one in late]
    latest = max((max(facts) for facts in hours.values()), default=None)
    return Watch(tuple(found), thresholds, len(kept), len(hours) - len(kept), len(kept) - len(heard), latest)


def _threshold(metric: Metric, scores: Mapping[Member, list[Score]], until: int, per_week: float) -> float:
    """From traffic until a day ago; the weeks are those of tenants' features, whose models are not tenants more."""
    past = [[one for one in found if one.number < until - _JUDGED_H] for found in scores.values()]
    weeks = sum(max(0, len(found) - _JUDGED_H - metric.tuning.hours_before) for found in scores.values()) / _WEEK_H
    own = calibrated(past, weeks, per_week, at_most=metric.threshold_max)
    return blended(metric.threshold, own, weeks)


def _anomaly(
    metric: Metric, member: Member, episode: Episode, scores: list[Score], facts: Mapping[int, Facts]
) -> Anomaly:
    usual_by_hour = {one.number: one.usual or 0.0 for one in scores}
    numbers = [number for number in range(episode.first, episode.last + 1) if number in facts]
    amounts = [metric.hour(facts[number]) for number in numbers]
    expected = [usual_by_hour[number] * calls for number, (_, calls) in zip(numbers, amounts, strict=True)]
    calls, amount, cost = sum(n for _, n in amounts), sum(n for n, _ in amounts), sum(facts[n].pusd for n in numbers)
    return Anomaly(
        metric=metric,
        member=member,
        episode=episode,
        usual=sum(expected) / calls if calls else 0.0,
        seen=amount / calls if calls else 0.0,
        cost_pusd=cost,
        stake_pusd=_stake(metric, numbers, usual_by_hour, facts, episode),
    )


def _stake(
    metric: Metric,
    numbers: list[int],
    usual: Mapping[int, float],
    facts: Mapping[int, Facts],
    episode: Episode,
) -> int:
    """Cost above usual: of the calls that were too many, or of what each call cost more than in the week before."""
    if metric.name == "volume":
        above = sum(facts[n].pusd * max(0.0, 1 - usual[n] / facts[n].calls) for n in numbers if facts[n].calls)
        return round(above)
    before = [facts[n] for n in range(episode.first - _WEEK_H, episode.first) if n in facts]
    priced = sum(one.priced_calls for one in before)
    if not priced:
        return 0
    per_call = sum(one.pusd for one in before) / priced
    return max(0, round(sum(facts[n].pusd - per_call * facts[n].priced_calls for n in numbers)))
