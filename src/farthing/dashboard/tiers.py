"""
The same usage at another service tier: what batches saved, and what standard calls would cost in one. Pure.

Hourly sums are enough: per UTC day and whatever decides a rate, the counts are priced at both tiers. Prices are linear
in tokens but for a few rules (bands for long prompts, refusals that are free). So the counts are first priced as they
were served: where that is what the calls were posted at, to the picodollar, the other price is exact too. Where it is
not, what was posted is scaled by the ratio of the two prices, and the figure is assumed.
"""

from __future__ import annotations

from datetime import UTC
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing import money
from farthing.dashboard.caching import BY
from farthing.prices.card import Card, Facts
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.ledger.interface import Row
    from farthing.prices.book import PriceBook
    from farthing.prices.card import Unpriced

BATCH, STANDARD = "batch", "standard"
ONE = Fraction(1)


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
        rows: Of a query by some dimensions and then :data:`~farthing.dashboard.caching.BY`, in buckets of a UTC day.
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
    assert row.start is not None
    model, channel, was, speed, geo = row.key[-len(BY) :]
    speed = speed or STANDARD
    facts = Facts(
        model or "", channel or "claude_api", None, was or STANDARD, speed, geo, row.start.astimezone(UTC).date()
    )
    there = facts._replace(service_tier=tier, speed=STANDARD if tier == BATCH else speed)  # a batch knows no fast mode
    now, other = priced_row(book.card(facts), row), priced_row(book.card(there), row)
    if row.unpriced_calls == row.calls or not now or other is None:
        is_nothing = now == other == 0 and not row.unpriced_calls
        return Tiered(row.calls, 0 if is_nothing else row.calls)
    cached = row.usage.cache_read_tokens
    if now == row.list_pusd and not row.unpriced_calls:
        return Tiered(row.calls, 0, row.list_pusd, other, weakest(Kind.DERIVED, row.kind), cached)
    scaled = money.nearest(Fraction(row.list_pusd * other, now))
    return Tiered(row.calls, row.unpriced_calls, row.list_pusd, scaled, Kind.ASSUMED, cached)


def priced_row(card: Card | Unpriced, row: Row, scale: Fraction = ONE) -> int | None:
    """
    A row's counts at a card's rates, in the band of its mean prompt; None where a part has no price.

    Args:
        card: The rates.
        row: Of some calls.
        scale: Tokens there for each that was counted.

    """
    usage = row.usage
    band = card.band(int(usage.prompt_tokens * scale) // row.calls) if isinstance(card, Card) else None
    if not isinstance(card, Card) or band is None:
        return None
    tokens = (
        usage.input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
    )
    if any(number and rate is None for number, rate in zip(tokens, band.rates, strict=True)):
        return None
    pusd = sum(number * (rate or 0) for number, rate in zip(tokens, band.rates, strict=True))
    return money.nearest(pusd * scale) + usage.web_search_requests * card.web_search_pusd
