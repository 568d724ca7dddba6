"""
Which limit binds first: recorded traffic against a usage tier, or against limits of one's own.

How full a limit was is measured: its minutes are sums of recorded calls. When it will be reached is assumed: it needs
the belief that growth goes on. The minute of a clock is what is judged. A bucket that refills continuously takes a
minute's worth at once and as much again over the minute, so minutes within a limit pass; shorter slices, which the
provider may enforce, are not seen here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput
from farthing.estimate.growth import WEEKS_MIN, reach, seen_growth, told_growth
from farthing.estimate.minutes import COUNTED, INPUT, OUTPUT, PROMPT, REQUESTS, ModelClass, Traffic, minute_of
from farthing.limits.published import published_limits
from farthing.money import PUSD_PER_USD
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from farthing.estimate.growth import Growth, Reach
    from farthing.limits.published import Bucket, Published

SPEND = "spend"
_SPEND_DAYS = 30
_HIGH = 0.8
"""A busiest minute above this share may have been cut off by the limit itself."""


class OwnLimits(NamedTuple):
    """Limits that somebody states, for every class; None: as published for the tier."""

    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    spend_usd: int | None = None


class Use(NamedTuple):
    """
    One limit, and how full it was.

    Attributes:
        model_class: Whose; ``all models`` for spend.
        counts: ``requests``, ``input tokens`` or ``output tokens`` a minute, or ``spend`` (picodollars of 30 days).
        limit: As stated or published for the tier; None where neither is.
        p50, p95, p99, busiest: Amounts of minutes with any, by nearest rank; for spend all four are the 30 days'.
        minutes: How many minutes had any. busiest_at: the busiest; None for spend.
        growth: Of this amount over all classes; None where too little is known.
        reached: When the busiest minute is the limit; None without limit or growth.
        note: What is not confirmed about the limit; empty where it is.

    """

    model_class: str
    counts: str
    limit: int | None
    p50: int
    p95: int
    p99: int
    busiest: int
    minutes: int
    busiest_at: datetime | None
    growth: Growth | None
    reached: Reach | None
    note: str = ""

    @property
    def share(self) -> float | None:
        """The busiest minute over the limit."""
        return None if self.limit is None else self.busiest / self.limit

    @property
    def kind(self) -> Kind:
        """Sums of recorded calls are derived; what was scaled up is assumed."""
        return Kind.ASSUMED if self.counts == SPEND and self.note else Kind.DERIVED


class Caching(NamedTuple):
    """What the cache does for a class: the busiest minute of input as it counts, and if every prompt token did."""

    model_class: str
    busiest: int
    busiest_without: int
    read_share: float


class Capacity(NamedTuple):
    """
    The answer.

    Attributes:
        tier: The usage tier that is looked at.
        uses: Every limit, the one that binds first leading: by the day it is reached, then by how full it is. Those
            without a limit come last.
        caching: Per class with any prompt.
        tier_needed: The lowest published tier in which everything fits now; None where none does or a class has no
            published limits.
        calls, left_out: That count, and those that do not, by the reason.
        since, until: Day of the first and the last call; None without any.
        notes: What a reader should know.

    """

    tier: str
    uses: tuple[Use, ...]
    caching: tuple[Caching, ...]
    tier_needed: str | None
    calls: int
    left_out: dict[str, int]
    since: date | None
    until: date | None
    notes: tuple[str, ...]

    @property
    def first(self) -> Use | None:
        """The limit that binds first; None where there is no traffic or no limit."""
        return next((use for use in self.uses if use.limit is not None), None)


def capacity(
    traffic: Traffic, *, tier: str | None = None, growth: float | None = None, own: OwnLimits | None = None
) -> Capacity:
    """
    Judge traffic.

    Args:
        traffic: Counted calls.
        tier: A published usage tier; None: the lowest.
        growth: A month, as a fraction; None: as seen over at least four whole weeks.
        own: Limits that go over the tier's.

    Raises:
        BadInput: No such tier.

    """
    published = published_limits()
    tiers = [one.name for one in published.tier]
    if tier is not None and tier not in tiers:
        raise BadInput(f"read --tier {tier!r}", f"one of {', '.join(tiers)}")
    at = tiers.index(tier) if tier else 0
    own = own or OwnLimits()
    told = None if growth is None else told_growth(growth)
    if traffic.first is None or traffic.last is None:
        return Capacity(tiers[at], (), (), None, 0, {}, None, None, ())
    judge = _Judge(traffic, told, traffic.last.date())
    uses = [judge.use(key, _limit(key, at, own)) for key in traffic.minutes if key[1] in COUNTED]
    cap = own.spend_usd if own.spend_usd is not None else published.tier[at].spend_cap_usd
    uses.append(judge.spend(cap * PUSD_PER_USD))
    uses.sort(key=_binds)
    return Capacity(
        tiers[at],
        tuple(uses),
        tuple(_caching(traffic)),
        _tier_needed(uses, traffic, published),
        traffic.calls,
        traffic.left_out,
        traffic.first.date(),
        traffic.last.date(),
        tuple(_notes(traffic, uses, told, published)),
    )


class _Judge:
    def __init__(self, traffic: Traffic, told: Growth | None, on: date) -> None:
        assert traffic.first is not None, "without calls there is nothing to judge"
        assert traffic.last is not None, "without calls there is nothing to judge"
        self._traffic = traffic
        self._told = told
        self._on = on
        self._days = (int(traffic.first.timestamp()) // 86_400, int(traffic.last.timestamp()) // 86_400)
        self._by_day: dict[str, Counter[int]] = {SPEND: Counter(traffic.spend_pusd)}
        for (_, counts), by_day in traffic.days.items():
            self._by_day.setdefault(counts, Counter()).update(by_day)

    def use(self, key: tuple[ModelClass, str], limit: int | None) -> Use:
        by_minute = self._traffic.minutes[key]
        amounts = sorted(by_minute.values())
        busiest_at = max(by_minute, key=lambda minute: (by_minute[minute], -minute))
        model_class, counts = key
        growth = self._growth(counts)
        confidence = model_class.published.confidence if model_class.published else "no limits are published for it"
        return Use(
            model_class.name,
            counts,
            limit,
            nearest_rank(amounts, 50),
            nearest_rank(amounts, 95),
            nearest_rank(amounts, 99),
            amounts[-1],
            len(amounts),
            minute_of(busiest_at),
            growth,
            None if growth is None or limit is None else reach(amounts[-1] / limit, growth, self._on),
            "" if confidence == "confirmed" else confidence,
        )

    def spend(self, limit_pusd: int) -> Use:
        """Spend of the last 30 days; of fewer where the traffic is younger, scaled up to 30."""
        first, last = self._days
        spend = self._traffic.spend_pusd
        days = min(_SPEND_DAYS, last - first + 1)
        total = sum(pusd for day, pusd in spend.items() if day > last - days) * _SPEND_DAYS // days
        growth = self._growth(SPEND)
        reached = None if growth is None else reach(total / limit_pusd, growth, self._on)
        note = "" if days == _SPEND_DAYS else f"scaled up from {days} day{'s' * (days > 1)}"
        return Use("all models", SPEND, limit_pusd, total, total, total, total, 0, None, growth, reached, note)

    def _growth(self, counts: str) -> Growth | None:
        """Of the amount over all classes: one class by itself may be a handful of calls."""
        return self._told or seen_growth(self._weeks(self._by_day[counts]))

    def _weeks(self, by_day: Counter[int]) -> list[int]:
        """Sums over whole weeks, the last ending with the last day, oldest first."""
        first, last = self._days
        weeks = (last - first + 1) // 7
        return [sum(by_day[last - 7 * back - day] for day in range(7)) for back in reversed(range(weeks))]


def nearest_rank(ordered: Sequence[int], percent: int) -> int:
    """
    A percentile by nearest rank: the smallest value that at least so many per cent do not exceed.

    >>> nearest_rank([1, 2, 3, 4], 50), nearest_rank([1, 2, 3, 4], 99)
    (2, 4)
    """
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _limit(key: tuple[ModelClass, str], tier: int, own: OwnLimits) -> int | None:
    model_class, counts = key
    stated = {REQUESTS: own.requests, INPUT: own.input_tokens, OUTPUT: own.output_tokens}[counts]
    if stated is not None or model_class.published is None:
        return stated
    return _published(model_class.published, counts)[tier]


def _published(bucket: Bucket, counts: str) -> tuple[int, ...]:
    return {REQUESTS: bucket.requests, INPUT: bucket.input, OUTPUT: bucket.output}[counts]


def _binds(use: Use) -> tuple[object, ...]:
    """Soonest reached first; then the fullest; what has no limit last."""
    day = use.reached.expected if use.reached else None
    share = use.share
    return (share is None, day is None, day.toordinal() if day else 0, -(share or 0.0), use.model_class, use.counts)


def _caching(traffic: Traffic) -> list[Caching]:
    found = []
    for (model_class, counts), prompt in traffic.minutes.items():
        if counts == PROMPT:
            counted = traffic.minutes.get((model_class, INPUT), {})
            total = sum(prompt.values())
            free = total - sum(counted.values())
            busiest = max(counted.values(), default=0)
            found.append(Caching(model_class.name, busiest, max(prompt.values()), free / total))
    return sorted(found, key=lambda one: -one.busiest_without)


def _tier_needed(uses: Sequence[Use], traffic: Traffic, published: Published) -> str | None:
    busiest = {key: max(by_minute.values()) for key, by_minute in traffic.minutes.items() if key[1] in COUNTED}
    if any(model_class.published is None for model_class, _ in busiest):
        return None
    spend = next(use.busiest for use in uses if use.counts == SPEND)
    for place, tier in enumerate(published.tier):
        if spend <= tier.spend_cap_usd * PUSD_PER_USD and all(
            most <= _published(model_class.published, counts)[place]
            for (model_class, counts), most in busiest.items()
            if model_class.published is not None
        ):
            return tier.name
    return None


def _notes(traffic: Traffic, uses: Sequence[Use], told: Growth | None, published: Published) -> list[str]:
    notes = [f"limits as published from {published.valid_from} on, checked {published.checked_on}"]
    if traffic.first is not None and traffic.first.date() < published.valid_from:
        notes.append(f"calls before {published.valid_from} are judged by the tiers of today")
    notes += [f"left out: {_calls(calls)}: {reason}" for reason, calls in sorted(traffic.left_out.items())]
    if traffic.unpriced:
        notes.append(f"without a price: {_calls(traffic.unpriced)}, so spend is a lower bound")
    if told is None and any(use.growth is None for use in uses):
        notes.append(f"growth is seen from {WEEKS_MIN} whole weeks with traffic on; --growth states it")
    if any((use.share or 0) > _HIGH for use in uses if use.counts != SPEND):
        notes.append(
            "a limit that was nearly full may have held traffic back: demand may be higher than what is recorded"
        )
    notes += sorted({f"{use.model_class}: {use.note}" for use in uses if use.note})
    return notes


def _calls(count: int) -> str:
    return f"{count:,} call{'s' * (count != 1)}"
