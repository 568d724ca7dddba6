"""
What caching saved: prompts as they were billed, against the same prompts without a cache. Pure.

Per day, model and terms the counts are priced twice at the book's rates: as read, written and fresh, and as if all of
it had been fresh input. Writes cost more than plain input, so the difference may be a loss. Prices are linear in tokens
but for long-prompt bands: of a model that has those, the band of the mean prompt is taken, and the figure is assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.call import Served, Usage
from farthing.prices.card import Card, Facts
from farthing.prices.engine import price_served, utc_day
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.ledger.interface import Row
    from farthing.prices.book import PriceBook

BY = ("model", "channel", "service_tier", "speed", "inference_geo")
"""How the rows must be grouped, by UTC days."""


class Saved(NamedTuple):
    """Picodollars that caching saved (below 0: cost), how sure that is, and how many calls are left out of it."""

    pusd: int
    kind: Kind
    calls_left_out: int


def saved_by_caching(rows: Iterable[Row], book: PriceBook) -> Saved:
    """
    Sum it up.

    Args:
        rows: Of a query by :data:`BY`, in buckets of a UTC day.
        book: Prices.

    """
    pusd, left_out, kind = 0, 0, Kind.DERIVED
    for row in rows:
        assert row.start is not None
        model, channel, tier, speed, geo = row.key
        usage = row.usage
        if usage.prompt_tokens == usage.input_tokens:
            continue
        mean = usage.prompt_tokens // row.calls
        prices = []
        for counts in (_prompt(usage), Usage(input_tokens=usage.prompt_tokens)):
            served = Served(
                model=model or "",
                usage=counts,
                channel=channel or "claude_api",
                service_tier=tier or "standard",
                speed=speed or "standard",
                inference_geo=geo,
                prompt_tokens_max_in_one_pass=mean,
            )
            bill = price_served(book, served, row.start)
            prices.append(bill.list_pusd)
            kind = weakest(kind, bill.kind if bill.kind is Kind.ASSUMED else Kind.DERIVED)
        billed, without = prices
        if billed is None or without is None:
            left_out += row.calls
            continue
        pusd += without - billed
        card = book.card(
            Facts(
                model or "",
                channel or "claude_api",
                None,
                tier or "standard",
                speed or "standard",
                geo,
                utc_day(row.start),
            )
        )
        if isinstance(card, Card) and len(card.bands) > 1:
            kind = Kind.ASSUMED
    return Saved(pusd, kind, left_out)


def _prompt(usage: Usage) -> Usage:
    return Usage(
        input_tokens=usage.input_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
    )
