"""
What caching saved: prompts as they were billed, against the same prompts without a cache. Pure.

Per day, model and terms the prompt's counts are priced twice at the book's rates: as read, written and fresh, and as if
all of it had been fresh input. Writes cost more than plain input, so the difference may be a loss. Where a model has
price bands for long prompts, that of the mean prompt is taken, and the figure is assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.dashboard.row_prices import band_of, facts_of
from farthing.prices.card import Card
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.ledger.interface import Row
    from farthing.prices.book import PriceBook


class Saved(NamedTuple):
    """
    What caching saved.

    Attributes:
        pusd: Picodollars; below 0: what it cost.
        kind: How sure that is.
        calls_left_out: How many calls are in no sum.
        premium_pusd: What writes cost above plain input.

    """

    pusd: int
    kind: Kind
    calls_left_out: int
    premium_pusd: int = 0


def saved_by_caching(rows: Iterable[Row], book: PriceBook) -> Saved:
    """
    Sum it up.

    Args:
        rows: Of a query by :data:`~farthing.dashboard.row_prices.BY`, in buckets of a UTC day.
        book: Prices.

    """
    pusd, premium_pusd, left_out, kind = 0, 0, 0, Kind.DERIVED
    for row in rows:
        usage = row.usage
        cached = (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, usage.cache_read_tokens)
        if not any(cached):
            continue
        card = book.card(facts_of(row))
        band = band_of(card, row)
        fresh, *rates = band.rates[:4] if band is not None else (None,)
        if fresh is None or any(tokens and rate is None for tokens, rate in zip(cached, rates, strict=True)):
            left_out += row.calls
            continue
        pusd += sum(tokens * (fresh - (rate or 0)) for tokens, rate in zip(cached, rates, strict=True))
        premium_pusd += sum(tokens * ((rate or fresh) - fresh) for tokens, rate in zip(cached[:2], rates, strict=False))
        if isinstance(card, Card) and len(card.bands) > 1:
            kind = Kind.ASSUMED
    return Saved(pusd, kind, left_out, premium_pusd)
