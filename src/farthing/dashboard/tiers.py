"""
The same usage at another service tier: what batches saved, and what standard calls would cost in one. Pure.

Hourly sums are enough: per UTC day and whatever decides a rate, the counts are priced at both tiers. Prices are linear
in tokens but for a few rules (bands for long prompts, refusals that are free). So the counts are first priced as they
were served: where that is what the calls were posted at, to the picodollar, the other price is exact too. Where it is
not, what was posted is scaled by the ratio of the two prices, and the figure is assumed.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing import money
from farthing.dashboard.row_prices import BATCH, STANDARD, facts_of, priced_row
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.ledger.interface import Row
    from farthing.prices.book import PriceBook


class Tiered(NamedTuple):
    """
    Calls at two tiers.

    Attributes:
        calls: How many; left_out: of them, how many have no exact price at one of the two, and are in no sum.
        pusd: What they were posted at, at list. other_pusd: the same usage at the other tier.
        kind: How sure the second is. cached_tokens: of the prompts, read from the cache.

    """

    calls: int = 0
    left_out: int = 0
    pusd: int = 0
    other_pusd: int = 0
    kind: Kind = Kind.DERIVED
    cached_tokens: int = 0

    def plus(self, other: Tiered) -> Tiered:
        """Both together."""
        return Tiered(
            self.calls + other.calls,
            self.left_out + other.left_out,
            self.pusd + other.pusd,
            self.other_pusd + other.other_pusd,
            weakest(self.kind, other.kind),
            self.cached_tokens + other.cached_tokens,
        )


def at_tier(rows: Iterable[Row], book: PriceBook, tier: str, keys: int) -> dict[tuple[str | None, ...], Tiered]:
    """
    Price rows at another tier.

    Args:
        rows: Of a query by some dimensions and then :data:`~farthing.dashboard.row_prices.BY`, in buckets of a UTC day.
        book: Prices.
        tier: ``batch`` or ``standard``.
        keys: How many of the first dimensions tell the sums apart.

    """
    found: dict[tuple[str | None, ...], Tiered] = {}
    for row in rows:
        if row.calls:
            key = row.key[:keys]
            found[key] = found.get(key, Tiered()).plus(_one(row, book, tier))
    return found


def _one(row: Row, book: PriceBook, tier: str) -> Tiered:
    facts = facts_of(row)
    speed = STANDARD if tier == BATCH else facts.speed  # a batch knows no fast mode
    there = facts._replace(service_tier=tier, speed=speed)
    now, other = priced_row(book.card(facts), row), priced_row(book.card(there), row)
    if row.unpriced_calls == row.calls or not now or other is None:
        is_nothing = now == other == 0 and not row.unpriced_calls
        return Tiered(row.calls, 0 if is_nothing else row.calls)
    cached = row.usage.cache_read_tokens
    if now == row.list_pusd and not row.unpriced_calls:
        return Tiered(row.calls, 0, row.list_pusd, other, weakest(Kind.DERIVED, row.kind), cached)
    scaled = money.nearest(Fraction(row.list_pusd * other, now))
    return Tiered(row.calls, row.unpriced_calls, row.list_pusd, scaled, Kind.ASSUMED, cached)
