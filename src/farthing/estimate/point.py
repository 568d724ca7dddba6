"""
One point of a plan: every uncertain size set to one exact value.

The expected cost is the cost at the point of averages; ranges draw other points; sensitivity moves one value at a time.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.estimate.sizes import mean
from farthing.estimate.workload import sizes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farthing.estimate.workload import Workload

TTL_SECONDS = {"5m": 300, "1h": 3600}
"""Lifetime of a cache entry, restarted by each read. Source: facts on the Claude API, 5.4, checked 2026-11-20."""

BATCH_HIT_SHARE = Fraction(64, 100)
"""
The middle of the 30 to 98 per cent of hits that are reported in Message Batches, where caching is best effort.

Source: facts on the Claude API, 6, checked 2026-11-20.
"""

_SHARE_STEPS = 10**6


class Point(NamedTuple):
    """
    Exact values of everything that a workload states as a size.

    Attributes:
        calls_per_month: API calls in the first month.
        turns: Calls of one conversation, 1 or more.
        system, tools, documents, user, output, thinking: Tokens of one call.
        batch_share: Share of calls in Message Batches.
        searches: Web searches of one call.
        growth: Growth of calls from month to month.
        gap_seconds: Mean time between calls in active hours.
        stated_hit_share: Share of calls that find what they could, as stated; None: derived from gaps.
        stated_batch_hit_share: The same in batches; None: the middle of what is published.
        arrival_gap_seconds: Stated gap between calls that share a prefix, or None.
        turn_gap_seconds: Gap between turns of one conversation.

    """

    calls_per_month: Fraction
    turns: Fraction
    system: Fraction
    tools: Fraction
    documents: Fraction
    user: Fraction
    output: Fraction
    thinking: Fraction
    batch_share: Fraction
    searches: Fraction
    growth: Fraction
    gap_seconds: Fraction | None
    stated_hit_share: Fraction | None
    stated_batch_hit_share: Fraction | None
    arrival_gap_seconds: Fraction | None
    turn_gap_seconds: Fraction

    @property
    def prompt_sizes(self) -> tuple[Fraction, ...]:
        """Tokens of tools, system, documents and user, in prompt order."""
        return (self.tools, self.system, self.documents, self.user)


class HitShares(NamedTuple):
    """How often a prefix is found: ``shared``, what all conversations send; ``turn``, what this one sent before."""

    shared: Fraction
    turn: Fraction


def averages(workload: Workload) -> Point:
    """The point of averages: what the expected cost is computed at."""
    return point_at(workload, {key: mean(size) for key, size in sizes_of(workload).items()})


def point_at(workload: Workload, values: Mapping[str, Fraction]) -> Point:
    """The point where each key of :func:`~farthing.estimate.workload.sizes_of` has the value given for it."""
    calls = _calls_per_month(workload, values)
    seconds = Fraction(workload.volume.days_per_month) * Fraction(workload.volume.active_hours_per_day) * 3600
    return Point(
        calls_per_month=calls,
        turns=values["conversation.turns"],
        system=values["tokens.system"],
        tools=values["tokens.tools"],
        documents=values["tokens.documents"],
        user=values["tokens.user"],
        output=values["tokens.output"],
        thinking=values["tokens.thinking"],
        batch_share=values["batch_share"],
        searches=values["web_searches_per_call"],
        growth=values["volume.growth_per_month"],
        gap_seconds=seconds / calls if calls else None,
        stated_hit_share=values.get("cache.hit_share"),
        stated_batch_hit_share=values.get("cache.batch_hit_share"),
        arrival_gap_seconds=values.get("cache.arrival_gap_seconds"),
        turn_gap_seconds=values["cache.turn_gap_seconds"],
    )


def hit_shares(point: Point, ttl: str, share_of_calls: Fraction = Fraction(1)) -> HitShares:
    """
    Stated or derived hit shares of a point under a lifetime of ``5m`` or ``1h``.

    Derivation (assumed): calls arrive independently, so a gap with mean g is shorter than the lifetime t with
    probability 1 - exp(-t/g). *share_of_calls* is the share of the traffic that shares the entry: models have caches of
    their own. Kept to a millionth.
    """
    if point.stated_hit_share is not None:
        return HitShares(point.stated_hit_share, point.stated_hit_share)
    gap = point.arrival_gap_seconds
    if gap is None and point.gap_seconds is not None and share_of_calls:
        gap = point.gap_seconds / share_of_calls
    return HitShares(share_within(ttl, gap), share_within(ttl, point.turn_gap_seconds))


def batch_hit_shares(point: Point, hits: HitShares) -> HitShares:
    """Hit shares in Message Batches: as stated or published, and never more than *hits*, those outside batches."""
    most = BATCH_HIT_SHARE if point.stated_batch_hit_share is None else point.stated_batch_hit_share
    return HitShares(min(most, hits.shared), min(most, hits.turn))


def share_within(ttl: str, gap_seconds: Fraction | None) -> Fraction:
    """Share of independent gaps with this mean that are shorter than the lifetime; None: nothing ever follows."""
    if gap_seconds is None:
        return Fraction(0)
    if gap_seconds == 0:
        return Fraction(1)
    return Fraction(round(-math.expm1(-TTL_SECONDS[ttl] / float(gap_seconds)) * _SHARE_STEPS), _SHARE_STEPS)


def _calls_per_month(workload: Workload, values: Mapping[str, Fraction]) -> Fraction:
    if "volume.calls_per_month" in values:
        return values["volume.calls_per_month"]
    if "volume.calls_per_day" in values:
        a_day = values["volume.calls_per_day"]
    else:
        sessions = values["volume.users"] * values["volume.sessions_per_user_per_day"]
        a_day = sessions * values["volume.calls_per_session"]
    return a_day * Fraction(workload.volume.days_per_month)
