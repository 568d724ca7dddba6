"""
What a bucket of calls cost, in one of four senses.

*As billed* is the list price of the day a call was sent. *Calculate* is the same tokens at today's rates. *Display*
is what Claude Code itself estimated and wrote down (``costUSD``, old versions only). *Auto* is that where it is there,
and *calculate* elsewhere.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from farthing.sources.claude_code import Bucket, price_bucket
from farthing.sources.claude_code.buckets import QUARTER_US, to_us
from farthing.units import Kind, weakest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from farthing.prices.book import PriceBook

NO_ESTIMATE = "the transcript has no costUSD for it"


class Mode(StrEnum):
    """In which sense a cost is meant; see the module."""

    AS_BILLED = "as-billed"
    CALCULATE = "calculate"
    AUTO = "auto"
    DISPLAY = "display"


class Costed(NamedTuple):
    """
    A bucket and its cost.

    Attributes:
        bucket: The calls, summed.
        pusd: Exact cost in picodollars; None where there is none: then *reasons* say why.
        kind: How the cost came to be.
        reasons: One sentence for each missing price.

    """

    bucket: Bucket
    pusd: int | None
    kind: Kind
    reasons: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The model as a report shows it: fast mode has rates of its own, so it is a row of its own."""
        return f"{self.bucket.model}-fast" if self.bucket.speed == "fast" else self.bucket.model


def costed(buckets: Iterable[Bucket], book: PriceBook, mode: Mode, now: datetime) -> Iterator[Costed]:
    """
    Each bucket with its cost.

    Args:
        buckets: From :func:`farthing.sources.claude_code.iter_buckets`.
        book: The price book.
        mode: Which cost.
        now: Whose rates *calculate* uses; aware.

    """
    return (cost_of(bucket, book, mode, now) for bucket in buckets)


def cost_of(bucket: Bucket, book: PriceBook, mode: Mode, now: datetime) -> Costed:
    """One bucket with its cost; see :func:`costed`."""
    if mode is Mode.AS_BILLED:
        return _at_list(bucket, bucket, book)
    if bucket.client_pusd is not None and mode is not Mode.CALCULATE:
        return Costed(bucket, bucket.client_pusd, Kind.ASSUMED)
    if mode is Mode.DISPLAY:
        return Costed(bucket, None, Kind.ASSUMED, (NO_ESTIMATE,))
    return _at_list(bucket, msgspec.structs.replace(bucket, quarter=to_us(now) // QUARTER_US), book)


def _at_list(bucket: Bucket, priced_as: Bucket, book: PriceBook) -> Costed:
    bill = price_bucket(book, priced_as)
    return Costed(bucket, bill.list_pusd, weakest(bucket.kind, bill.kind), bill.unpriced)


def cost_today(items: Iterable[Costed], book: PriceBook, now: datetime) -> tuple[int, int]:
    """
    What the priced among *items* cost as they are, and at the rates of *now*, in picodollars.

    Calls without a price then or now are in neither sum.
    """
    then = today = 0
    for one in items:
        if one.pusd is not None:
            cost = cost_of(one.bucket, book, Mode.CALCULATE, now).pusd
            if cost is not None:
                then += one.pusd
                today += cost
    return then, today


def client_differences(items: Iterable[Costed], book: PriceBook) -> list[tuple[Bucket, int | None]]:
    """Buckets whose calls carry the client's own estimate and another list price, and that price; widest gap first."""
    found = [
        (one.bucket, _at_list(one.bucket, one.bucket, book).pusd) for one in items if one.bucket.client_pusd is not None
    ]
    differing = [(bucket, pusd) for bucket, pusd in found if pusd != bucket.client_pusd]
    return sorted(differing, key=lambda item: -abs((item[1] or 0) - (item[0].client_pusd or 0)))
