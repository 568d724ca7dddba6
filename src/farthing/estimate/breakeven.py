"""
When a lever pays: exact break-even points of caching, batches and a change of model.

Rates may be in any unit, so long as it is the same; results are hits, shares and ratios. Only the reuse gap, which is a
time, is rounded.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.estimate.cost import facts_of, month_pusd
from farthing.estimate.point import TTL_SECONDS, averages
from farthing.estimate.tokenizer import reference_tokenizer
from farthing.estimate.workload import ONE, ZERO
from farthing.prices.card import Unpriced

if TYPE_CHECKING:
    from datetime import date

    from farthing.estimate.workload import Workload
    from farthing.prices.book import PriceBook
    from farthing.prices.card import Card

Ttl = Literal["none", "5m", "1h"]


class CacheBreakEven(NamedTuple):
    """
    From where on a cached prefix costs less than a plain one, on one model and price band.

    Attributes:
        model: Its id; ttl: ``5m`` or ``1h``; prompt_tokens_over: where the band begins.
        hits: Reads per write that pay for the write.
        hit_share: Share of calls that must be reads.
        gap_seconds_max: Longest mean gap between independent calls at which that share is reached.
        tokens_min: Shortest prefix that is cached; None: not published.

    """

    model: str
    ttl: str
    prompt_tokens_over: int
    hits: Fraction
    hit_share: Fraction
    gap_seconds_max: int
    tokens_min: int | None


class Lever(NamedTuple):
    """
    One change to the whole workload.

    Attributes:
        change: What changes, such as ``cache 1h`` or ``everything in batches``.
        pusd: Expected picodollars of the first month after it; None where that has no price.
        saved_pusd: What it saves; negative where it costs more.

    """

    change: str
    pusd: Fraction | None
    saved_pusd: Fraction | None


def hits_to_pay(fresh: Fraction, write: Fraction, read: Fraction) -> Fraction | None:
    """
    Reads after which one write has paid for itself: (write - input) / (input - read); None where reads save nothing.

    >>> hits_to_pay(Fraction(1), Fraction(5, 4), Fraction(1, 10))
    Fraction(5, 18)
    """
    if read >= fresh:
        return None
    return max(Fraction(0), (write - fresh) / (fresh - read))


def hit_share_to_pay(fresh: Fraction, write: Fraction, read: Fraction) -> Fraction | None:
    """Share of calls that must be reads: (write - input) / (write - read); None where reads save nothing."""
    if read >= fresh:
        return None
    return max(Fraction(0), (write - fresh) / (write - read))


def gap_to_pay_seconds(ttl: str, hit_share: Fraction) -> int:
    """Longest mean gap, in whole seconds, at which independent calls reach *hit_share* (0 < share < 1)."""
    return math.floor(TTL_SECONDS[ttl] / -math.log1p(-float(hit_share)))


def cache_break_evens(card: Card) -> list[CacheBreakEven]:
    """Both lifetimes in every price band of a card; nothing where it has no cache rates."""
    found = []
    for band in card.bands:
        fresh, write_5m, write_1h, read, _ = (None if rate is None else Fraction(rate) for rate in band.rates)
        for ttl, write in (("5m", write_5m), ("1h", write_1h)):
            if fresh is None or write is None or read is None:
                continue
            hits, share = hits_to_pay(fresh, write, read), hit_share_to_pay(fresh, write, read)
            if hits is None or not share:
                continue
            found.append(
                CacheBreakEven(
                    card.model.id,
                    ttl,
                    band.over,
                    hits,
                    share,
                    gap_to_pay_seconds(ttl, share),
                    card.model.cacheable_prefix.tokens_min,
                )
            )
    return found


def workload_break_evens(workload: Workload, on: date, book: PriceBook) -> list[CacheBreakEven]:
    """:func:`cache_break_evens` for every priced model of the workload."""
    cards = (book.card(facts_of(workload, model, on)) for model in workload.models)
    return [one for card in cards if not isinstance(card, Unpriced) for one in cache_break_evens(card)]


def levers(workload: Workload, on: date, book: PriceBook) -> list[Lever]:
    """Each cache plan but the present one, everything in batches, and batches with each; the cheapest first."""
    now = _pusd(workload, on, book)
    plans: list[Ttl] = ["none", "5m", "1h"]
    changed = {f"cache {ttl}": with_cache(workload, ttl) for ttl in plans if ttl != workload.cache.ttl}
    for ttl in plans:
        changed[f"everything in batches, cache {ttl}"] = in_batches(with_cache(workload, ttl))
    found = []
    for change, plan in changed.items():
        then = _pusd(plan, on, book)
        found.append(Lever(change, then, None if then is None or now is None else now - then))
    return sorted(found, key=lambda lever: (lever.pusd is None, lever.pusd or 0))


def with_cache(workload: Workload, ttl: Ttl) -> Workload:
    """The workload under another cache lifetime."""
    return msgspec.structs.replace(workload, cache=msgspec.structs.replace(workload.cache, ttl=ttl))


def in_batches(workload: Workload) -> Workload:
    """The workload with every call in a batch."""
    return msgspec.structs.replace(workload, batch_share=ONE)


def batch_share_to_match_cache(workload: Workload, on: date, book: PriceBook) -> Fraction | None:
    """
    Share of calls that must go into batches, uncached, to save what the workload's cache saves.

    Above 1: no share is enough. 0 where the cache saves nothing. None where a part has no price.
    """
    cached = _pusd(_without_batches(workload), on, book)
    plain = _pusd(_without_batches(with_cache(workload, "none")), on, book)
    batched = _pusd(in_batches(with_cache(workload, "none")), on, book)
    if cached is None or plain is None or batched is None or plain == batched:
        return None
    return max(Fraction(0), (plain - cached) / (plain - batched))


def on_model(workload: Workload, model: str, book: PriceBook) -> Workload:
    """The workload on one model alone; its sizes keep the tokenizer they were counted with."""
    return msgspec.structs.replace(workload, models={model: ONE}, tokenizer=reference_tokenizer(workload, book))


def _without_batches(workload: Workload) -> Workload:
    return msgspec.structs.replace(workload, batch_share=ZERO)


def _pusd(workload: Workload, on: date, book: PriceBook) -> Fraction | None:
    return month_pusd(workload, on, book, averages(workload))
