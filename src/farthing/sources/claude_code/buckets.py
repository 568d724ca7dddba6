"""
Sums that price exactly: calls by quarter-hour and by everything that decides a rate.

Why a sum of counts may be priced in place of its calls: an ordinary call costs the sum of *count x rate*, and its rates
depend on model, tier, speed, geo, the UTC day and the prompt band alone. All of these are part of a bucket's key, so
every call in it has the same rates and the price of the sum is the sum of the prices. Calls that are priced by any
other rule (refusals, extra passes, server tools) are never summed: each stands in a bucket of its own, with its
:class:`~farthing.call.Served` for the engine to price. See :mod:`.pricing`.

A quarter-hour lies within one day in every time zone in use, so daily totals in any zone need buckets only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from farthing.call import Served, Usage
from farthing.sources.claude_code.sighting import Key, Origin, Sighting, served_of
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

QUARTER_US = 15 * 60 * 1_000_000
BAND_LIMITS = (100_000, 200_000)
"""Every prompt length at which some model's rates ever changed; a test holds the price book to it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAIN, SUBAGENT = "main", "subagent"


class Bucket(msgspec.Struct, frozen=True, array_like=True):
    """
    Calls of one quarter-hour that share every fact that decides their rates.

    Attributes:
        quarter: Quarter-hours since 1970 UTC; see :attr:`start`.
        project, session: Of the earliest line of each call.
        agent: ``main`` or ``subagent``.
        model, service_tier, speed, inference_geo: As in :class:`~farthing.call.Served`.
        prompt_over_100k, prompt_over_200k: Whether each call's prompt is longer; the limits of all price bands.
        kind: How the counts came to be. ``assumed``: the output is a placeholder.
        calls: How many.
        usage: Sum of their counts.
        prompt_tokens_max: Longest prompt among them: stands for all in choosing a price band.
        first_us, last_us: Microseconds since 1970, see :attr:`first_at` and :attr:`last_at`.
        client_pusd: Sum of what the client itself estimated (``costUSD`` of old versions), in picodollars; None where
            these calls carry no estimate. Never mixed: either all calls of a bucket carry one, or none does.
        own: The one call of this bucket, where a rule of its own prices it.

    """

    quarter: int
    project: str
    session: str
    agent: str
    model: str
    service_tier: str
    speed: str
    inference_geo: str | None
    prompt_over_100k: bool
    prompt_over_200k: bool
    kind: Kind
    calls: int
    usage: Usage
    prompt_tokens_max: int
    first_us: int
    last_us: int
    client_pusd: int | None = None
    own: Served | None = None

    @property
    def start(self) -> datetime:
        """When the quarter-hour begins, UTC."""
        return from_us(self.quarter * QUARTER_US)

    @property
    def first_at(self) -> datetime:
        """When the earliest of the calls was made."""
        return from_us(self.first_us)

    @property
    def last_at(self) -> datetime:
        """When the latest of the calls was made."""
        return from_us(self.last_us)

    @property
    def unprovable_calls(self) -> int:
        """Calls whose output nobody counted."""
        return self.calls if self.kind is Kind.ASSUMED else 0


def bucketed(calls: Iterable[tuple[Key, Sighting]], origins: list[Origin]) -> list[Bucket]:
    """Resolved calls as buckets, in order of time."""
    groups: dict[_Shared, list[Sighting]] = {}
    buckets: list[Bucket] = []
    for key, sighting in calls:
        shared = _shared(key[2], sighting)
        if sighting.needs_own_price:
            buckets.append(_bucket(shared, [sighting], origins, served_of(key, sighting)))
        elif (group := groups.get(shared)) is None:
            groups[shared] = [sighting]
        else:
            group.append(sighting)
    buckets += [_bucket(shared, group, origins) for shared, group in groups.items()]
    buckets.sort(key=lambda bucket: bucket.first_us)
    return buckets


def from_us(microseconds: int) -> datetime:
    """Microseconds since 1970 as an aware time, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_us(at: datetime) -> int:
    """An aware time as microseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


_Shared = tuple[int, int, bool, str, str, str, str, bool, bool, Kind, bool]
"""What calls of one bucket share: quarter, origin, agent, model, tier, speed, geo, bands, kind, has an estimate."""


def _shared(model: str, sighting: Sighting) -> _Shared:
    _, tier, speed, geo, _ = sighting.facts
    prompt = sighting.prompt_tokens
    return (
        sighting.sent_us // QUARTER_US,
        sighting.origin,
        sighting.from_subagent,
        model,
        tier,
        speed,
        geo,
        prompt > BAND_LIMITS[0],
        prompt > BAND_LIMITS[1],
        sighting.kind,
        sighting.client_pusd is not None,
    )


def _bucket(shared: _Shared, group: list[Sighting], origins: list[Origin], own: Served | None = None) -> Bucket:
    quarter, origin, from_subagent, model, tier, speed, geo, over_100k, over_200k, kind, has_estimate = shared
    _, _, session, project = origins[origin]
    fresh, read, output, thinking, *tools = map(sum, zip(*(one.counts for one in group), strict=True))
    _, _, write_1h, write_5m = map(sum, zip(*(one.writes for one in group), strict=True))
    times = [one.sent_us for one in group]
    return Bucket(
        quarter,
        project,
        session,
        SUBAGENT if from_subagent else MAIN,
        model,
        tier or "standard",
        speed or "standard",
        geo or None,
        over_100k,
        over_200k,
        kind,
        len(group),
        Usage(fresh, write_5m, write_1h, read, output, thinking, *tools),
        max(one.prompt_tokens for one in group),
        min(times),
        max(times),
        sum(one.client_pusd or 0 for one in group) if has_estimate else None,
        own,
    )
