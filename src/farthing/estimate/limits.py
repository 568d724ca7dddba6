"""
The rate limits a plan needs, against the published tiers.

Input tokens per minute are uncached input and cache writes; cache reads are free of it except where a bucket says
otherwise. Output tokens count as they are made. Needs at the mean and at the peak are assumed, as the plan is.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.limits.published import published_limits
from farthing.money import PUSD_PER_USD
from farthing.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.estimate.cost import CostLine, Expected
    from farthing.limits.published import Bucket, Published, Tier
    from farthing.prices.book import PriceBook


class Need(NamedTuple):
    """
    What one bucket must carry.

    Attributes:
        bucket: Its name, or the model's id where no published bucket has it.
        limit: ``requests``, ``input tokens`` or ``output tokens`` per minute.
        mean, peak: Per minute of active hours; the peak is the mean times the plan's factor.
        published: The limit in each tier, in order; empty where none is published.
        tier: The lowest tier whose limit the peak fits; None where none does or none is published.
        confidence: What is known of those numbers.

    """

    bucket: str
    limit: str
    mean: Fraction
    peak: Fraction
    published: tuple[int, ...]
    tier: str | None
    confidence: str

    @property
    def use_of_lowest_tier(self) -> Fraction | None:
        """Peak over the lowest tier's limit: the need that is largest binds first."""
        return self.peak / self.published[0] if self.published else None


class Needs(NamedTuple):
    """
    All needs of a plan.

    Attributes:
        needs: Per bucket and limit, the one that binds first leading.
        tier: The lowest tier that fits every need and the spend cap; None where none does or one is unknown.
        spend_tier: The lowest tier whose monthly spend cap covers the first month; None where none does.
        notes: What a reader should know.

    """

    needs: tuple[Need, ...]
    tier: str | None
    spend_tier: str | None
    notes: tuple[str, ...]


def needs_of(expected: Expected, book: PriceBook) -> Needs:
    """The rate limits that an expected workload needs; batches have limits of their own and do not count here."""
    limits = published_limits()
    notes = []
    if expected.on < limits.valid_from:
        notes.append(f"tiers shown are those from {limits.valid_from} on; others applied on {expected.on}")
    if expected.workload.channel != "claude_api":
        notes.append("tiers shown are the Claude API's; partner clouds have quotas of their own")
    by_bucket: dict[str, list[CostLine]] = {}
    buckets: dict[str, Bucket | None] = {}
    for line in expected.lines:
        if line.service_tier == "standard":
            name, bucket = _bucket_of(line.model, expected.workload.channel, limits, book)
            by_bucket.setdefault(name, []).append(line)
            buckets[name] = bucket
    needs = [
        need for name, lines in by_bucket.items() for need in _needs(name, buckets[name], lines, expected, limits.tier)
    ]
    needs.sort(key=lambda need: (need.use_of_lowest_tier is not None, -(need.use_of_lowest_tier or 0)))
    notes += sorted({f"{need.bucket}: {need.confidence}" for need in needs if need.confidence != "confirmed"})
    spend = expected.pusd
    spend_tier = next(
        (tier.name for tier in limits.tier if spend is not None and spend <= tier.spend_cap_usd * PUSD_PER_USD), None
    )
    return Needs(tuple(needs), _highest([spend_tier, *(need.tier for need in needs)], limits), spend_tier, tuple(notes))


def _bucket_of(model: str, channel: str, limits: Published, book: PriceBook) -> tuple[str, Bucket | None]:
    named = book.names.find(model, channel)
    model_id = named.model.id if named else model
    bucket = limits.bucket_of(model_id)
    return (bucket.name if bucket else model_id), bucket


def _needs(
    name: str, bucket: Bucket | None, lines: list[CostLine], expected: Expected, tiers: tuple[Tier, ...]
) -> Iterable[Need]:
    volume = expected.workload.volume
    minutes = Fraction(volume.days_per_month) * Fraction(volume.active_hours_per_day) * 60
    counted = {Unit.INPUT, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H}
    if bucket is not None and bucket.cache_reads_count:
        counted.add(Unit.CACHE_READ)
    models = {line.model for line in lines}
    share = sum((Fraction(expected.workload.models[model]) for model in models), Fraction(0))
    calls = expected.point.calls_per_month * share * (1 - expected.point.batch_share)
    for limit, amount, published in (
        ("requests", calls, bucket.requests if bucket else ()),
        ("input tokens", _units(lines, counted), bucket.input if bucket else ()),
        ("output tokens", _units(lines, {Unit.OUTPUT}), bucket.output if bucket else ()),
    ):
        peak = amount / minutes * Fraction(volume.peak_factor)
        fits = next((tier.name for tier, most in zip(tiers, published, strict=False) if peak <= most), None)
        confidence = bucket.confidence if bucket else "no published limit"
        yield Need(name, limit, amount / minutes, peak, published, fits, confidence)


def _units(lines: list[CostLine], units: set[Unit]) -> Fraction:
    return sum((line.units for line in lines if line.unit in units), Fraction(0))


def _highest(needed: list[str | None], limits: Published) -> str | None:
    order = [tier.name for tier in limits.tier]
    known = [order.index(name) for name in needed if name is not None]
    return order[max(known)] if len(known) == len(needed) and known else None
