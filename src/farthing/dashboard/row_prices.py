"""
Sums of calls at the rates of a card: how pages price a day's rows another way. Pure.

Prices are linear in tokens but for long-prompt bands: of a model that has those, the band of the mean prompt is taken.
Whoever prices rows so says that the figure is assumed there.
"""

from __future__ import annotations

from datetime import UTC
from fractions import Fraction
from typing import TYPE_CHECKING

from farthing import money
from farthing.prices.card import Card, Facts

if TYPE_CHECKING:
    from farthing.ledger.interface import Row
    from farthing.prices.card import Band, Unpriced

BY = ("model", "channel", "service_tier", "speed", "inference_geo")
"""What decides a rate: how such rows must be grouped, last of all dimensions, by UTC days."""
BATCH, STANDARD = "batch", "standard"
ONE = Fraction(1)


def facts_of(row: Row) -> Facts:
    """What decides the rates of a row that is grouped by :data:`BY` at its end."""
    assert row.start is not None
    model, channel, tier, speed, geo = row.key[-len(BY) :]
    day = row.start.astimezone(UTC).date()
    return Facts(model or "", channel or "claude_api", None, tier or STANDARD, speed or STANDARD, geo, day)


def band_of(card: Card | Unpriced, row: Row, scale: Fraction = ONE) -> Band | None:
    """
    The band of a row's mean prompt; None where the card has none for it.

    Args:
        card: The rates.
        row: Of some calls.
        scale: Tokens there for each that was counted.

    """
    return card.band(int(row.usage.prompt_tokens * scale) // row.calls) if isinstance(card, Card) else None


def priced_row(card: Card | Unpriced, row: Row, scale: Fraction = ONE) -> int | None:
    """
    A row's counts at a card's rates, in the band of its mean prompt; None where a part has no price.

    Args:
        card: The rates.
        row: Of some calls.
        scale: Tokens there for each that was counted.

    """
    usage = row.usage
    band = band_of(card, row, scale)
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
