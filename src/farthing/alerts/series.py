"""
The ledger's hours as series: per tenant and feature, and per model where a feature uses several.

A series begins with its first call and has every hour from there on, the empty ones as well. Figures are measured; what
is made of them is not.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.alerts.watch import SHARE, VOLUME, Hour, Tuning
from farthing.ledger.interface import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farthing.ledger.interface import Ledger

HOUR_S = 3600

MetricName = Literal["uncached_share", "tokens_per_call", "refused_share", "unit_cost", "volume"]


class Member(NamedTuple):
    """Whose series it is; the empty string stands for "not set", and *model* None for all models together."""

    tenant: str
    feature: str
    model: str | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """Tenant and feature."""
        return self.tenant, self.feature


class Facts(NamedTuple):
    """
    What the ledger says of one hour. All are sums.

    Attributes:
        calls: How many; priced_calls: of them, how many have an exact price.
        pusd: Their list price, picodollars, over the priced ones.
        prompt_tokens: Fresh, written and read; cache_read_tokens: of them, what was read from the cache.
        output_tokens: Thinking included.
        refused: Calls that ended in a refusal, and attempts after a first one.

    """

    calls: int = 0
    priced_calls: int = 0
    pusd: int = 0
    prompt_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    refused: int = 0

    def plus(self, other: Facts) -> Facts:
        """Both together."""
        return Facts(*(one + two for one, two in zip(self, other, strict=True)))


NOTHING = Facts()


class Metric(NamedTuple):
    """
    Something that is watched.

    Attributes:
        name: In incidents and JSON.
        words: For people.
        tuning: How its series are watched.
        threshold: What farthing ships, until a ledger has enough of its own traffic (docs/measurements.md, Alerts).
        threshold_max: Never above this: of a share, twice as much is news even where nothing is known of the series.
        hour: An hour's facts as amount and calls.

    """

    name: MetricName
    words: str
    tuning: Tuning
    threshold: float
    threshold_max: float
    hour: Callable[[Facts], tuple[float, float]]


def _uncached(facts: Facts) -> tuple[float, float]:
    fresh = facts.prompt_tokens - facts.cache_read_tokens
    return (facts.calls * fresh / facts.prompt_tokens, facts.calls) if facts.prompt_tokens else (0.0, 0.0)


METRICS = (
    Metric("uncached_share", "share of the prompt not read from the cache", SHARE, 0.6, 0.8, _uncached),
    Metric(
        "tokens_per_call",
        "tokens per call",
        SHARE,
        0.6,
        0.8,
        lambda facts: (facts.prompt_tokens + facts.output_tokens, facts.calls),
    ),
    Metric(
        "refused_share",
        "refusals and retries per call",
        SHARE._replace(rate_min=0.02),
        0.7,
        0.8,
        lambda facts: (facts.refused, facts.calls),
    ),
    Metric("unit_cost", "cost per call", SHARE, 0.6, 0.8, lambda facts: (facts.pusd, facts.priced_calls)),
    Metric("volume", "calls per hour", VOLUME, 1.1, 2.0, lambda facts: (facts.calls, 1)),
)
"""In the order in which they explain: a lost cache raises the cost per call, not the other way round."""
BY_NAME = {metric.name: metric for metric in METRICS}


def hour_number(at: datetime) -> int:
    """Whole hours since 1970."""
    return int(at.timestamp()) // HOUR_S


def hour_start(number: int) -> datetime:
    """When an hour begins; aware, UTC."""
    return datetime.fromtimestamp(number * HOUR_S, UTC)


Hours = dict[Member, dict[int, Facts]]


def read_hours(ledger: Ledger, since: datetime, until: datetime) -> Hours:
    """
    Every hour with a call, per tenant, feature and model.

    Args:
        ledger: Where from; three queries, of which only the one for retries looks at calls one by one.
        since: First instant, a whole hour, aware.
        until: First instant no longer in; likewise.

    """
    by = ("tenant", "feature", "model")
    whole = Query(by=by, bucket="hour", since=since, until=until)
    refused = _counts(ledger, msgspec.structs.replace(whole, where={"stop_reason": ("refusal",)}))
    again = tuple(str(number) for number in range(2, 10))  # the gateway's numbers of attempts after the first
    retried = _counts(ledger, msgspec.structs.replace(whole, where={"tag:attempt": again}))
    found: Hours = {}
    for row in ledger.report(whole):
        assert row.start is not None
        tenant, feature, model = (value or "" for value in row.key)
        member, number = Member(tenant, feature, model), hour_number(row.start)
        usage = row.usage
        found.setdefault(member, {})[number] = Facts(
            row.calls,
            row.calls - row.unpriced_calls,
            row.list_pusd,
            usage.prompt_tokens,
            usage.cache_read_tokens,
            usage.output_tokens,
            refused.get((member, number), 0) + retried.get((member, number), 0),
        )
    return found


def _counts(ledger: Ledger, query: Query) -> dict[tuple[Member, int], int]:
    found = {}
    for row in ledger.report(query):
        assert row.start is not None
        tenant, feature, model = (value or "" for value in row.key)
        found[Member(tenant, feature, model), hour_number(row.start)] = row.calls
    return found


def together(hours: Mapping[Member, Mapping[int, Facts]]) -> Hours:
    """What is watched: each tenant's feature over all models, and each of its models where there are several."""
    pairs: Hours = {}
    models: dict[tuple[str, str], list[Member]] = {}
    for member, facts in hours.items():
        models.setdefault(member.pair, []).append(member)
        whole = pairs.setdefault(Member(*member.pair), {})
        for number, one in facts.items():
            whole[number] = whole.get(number, NOTHING).plus(one)
    several = {one: dict(hours[one]) for found in models.values() if len(found) > 1 for one in found}
    return pairs | several


def series_of(facts: Mapping[int, Facts], metric: Metric, until: int) -> list[Hour]:
    """A member's hours as one metric, from its first call until *until* (exclusive), without gaps."""
    if not facts:
        return []
    return [Hour(number, *metric.hour(facts.get(number, NOTHING))) for number in range(min(facts), until)]


def history_start(now: datetime, days: int) -> datetime:
    """The whole hour that is *days* before the last whole one."""
    return hour_start(hour_number(now)) - timedelta(days=days)
