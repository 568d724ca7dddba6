"""
The price of a bucket: exactly the sum of what its calls would cost one by one.

A call with a rule of its own goes to the engine. For all others the rates are those of one card and one band, which
are the same for every call of a bucket (see :mod:`.buckets`), so the counts are summed first and multiplied once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from farthing.prices.bill import Bill, Component
from farthing.prices.card import Card, Facts, Unpriced
from farthing.prices.engine import price_served
from farthing.units import TOKEN_UNITS, weakest

if TYPE_CHECKING:
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.sources.claude_code.buckets import Bucket

CHANNEL = "claude_api"
"""Where a transcript's calls are taken to be bought: it does not say."""


def price_bucket(book: PriceBook, bucket: Bucket, known_on: date | None = None) -> Bill:
    """
    Price *bucket* at the list rates in force when its calls were sent.

    Args:
        book: The price book.
        bucket: From :func:`~farthing.sources.claude_code.iter_buckets`.
        known_on: Use only what the book knew on this day; None: all it knows now.

    Returns:
        A bill, as :func:`farthing.prices.engine.price_served` makes; its total is None where a rate is missing.

    """
    if bucket.own is not None:
        return price_served(book, bucket.own, bucket.start, known_on)
    facts = Facts(
        bucket.model,
        CHANNEL,
        None,
        bucket.service_tier,
        bucket.speed,
        bucket.inference_geo,
        bucket.start.date(),
        known_on,
    )
    card = book.card(facts)
    return _unpriced(book, bucket, card.reason) if isinstance(card, Unpriced) else _priced(book, bucket, card)


def _priced(book: PriceBook, bucket: Bucket, card: Card) -> Bill:
    band = card.band(bucket.prompt_tokens_max)
    if band is None:
        day = bucket.start.date()
        return _unpriced(
            book, bucket, f"{bucket.model} takes no prompt of {bucket.prompt_tokens_max:,} tokens on {day}"
        )
    total = 0
    for unit, rate in zip(TOKEN_UNITS, band.rates, strict=True):
        count = getattr(bucket.usage, unit)
        if count and rate is None:
            return _unpriced(book, bucket, f"{bucket.model} has no published {unit} rate")
        total += count * (rate or 0)
    return Bill(
        (Component(bucket.usage, card, band),),
        list_pusd=total,
        low_pusd=total,
        high_pusd=total,
        kind=weakest(bucket.kind, card.kind),
        unpriced=(),
        notes=card.notes,
        book_version=book.version,
    )


def _unpriced(book: PriceBook, bucket: Bucket, reason: str) -> Bill:
    return Bill(
        (),
        list_pusd=None,
        low_pusd=None,
        high_pusd=None,
        kind=bucket.kind,
        unpriced=(reason,),
        notes=(),
        book_version=book.version,
    )
