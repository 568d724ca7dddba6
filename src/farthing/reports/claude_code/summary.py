"""
A small digest of the index, so that a status line need not open it. Pure.

It holds what was spent lately by quarter-hour and in the active block, what the sessions of these days cost, and
today's rates, to price what was written since. Everything is plain JSON: the reader must not import what it takes to
decode more. Amounts are integers of picodollars, times are microseconds since 1970, and rates are picodollars per token
in the order of :data:`farthing.units.TOKEN_UNITS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.prices.card import NO_GEO, Card, Facts
from farthing.reports.claude_code.blocks import HOUR_US, blocks_of, session_length_us
from farthing.sources.claude_code.buckets import MAIN, to_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from farthing.prices.book import PriceBook
    from farthing.reports.claude_code.costing import Costed

VERSION = 1
KEPT_US = 72 * HOUR_US
"""Quarter-hours and sessions further back are of no day that is today somewhere."""
MONTH_US = 33 * 24 * HOUR_US
"""Holds the month that goes on now, in any zone: what a budget of it is counted from."""
RATES_US = 45 * 24 * HOUR_US
RECENT_CALLS = 16
CACHE_5M_S, CACHE_1H_S = 300, 3600


def summary_of(
    items: list[Costed],
    recent_calls: list[tuple[str, Costed]],
    book: PriceBook,
    *,
    now: datetime,
    offsets: Mapping[str, int],
    zone: str | None,
    budgets: Mapping[str, int],
) -> dict[str, Any]:
    """
    The digest.

    Args:
        items: Costed buckets of all time.
        recent_calls: Message id and the call as a bucket of its own, of the last hours, in order of time.
        book: What prices calls to come.
        now: When; its UTC day is the day of the rates.
        offsets: Bytes read so far of the transcripts that changed lately, by path.
        zone: Name of the zone of days; None: the machine's.
        budgets: Picodollars by ``day`` and ``month``, where there is a budget.

    """
    now_us = to_us(now)
    active = next((one for one in blocks_of(items, session_length_us("5"), now_us) if one.is_active), None)
    lately = [one for one in items if one.bucket.last_us >= now_us - RATES_US]
    return {
        "version": VERSION,
        "at_us": now_us,
        "zone": zone,
        "book": book.version,
        "day": now.date().isoformat(),
        "quarters": _quarters(items, now_us - (MONTH_US if "month" in budgets else KEPT_US)),
        "budgets": dict(budgets),
        "block": None
        if active is None
        else {
            "start_us": active.start_us,
            "end_us": active.end_us,
            "first_us": active.total.first_us,
            "last_us": active.total.last_us,
            "pusd": active.total.priced_pusd,
            "unpriced": active.total.unpriced_calls,
            "tokens": active.total.total_tokens,
            "fresh_tokens": active.total.input_tokens + active.total.output_tokens,
        },
        "sessions": _sessions(items, recent_calls, now_us),
        "offsets": dict(offsets),
        "rates": _rates(lately, book, now),
    }


def rate_key(model: str, service_tier: str | None, speed: str | None, inference_geo: str | None) -> str:
    """
    What rates are looked up by, from the facts of a response.

    >>> rate_key("claude-opus-5", "standard", None, "not_available")
    'claude-opus-5|standard|standard|'
    """
    geo = "" if inference_geo in NO_GEO else inference_geo
    return f"{model}|{service_tier or 'standard'}|{speed or 'standard'}|{geo}"


def _quarters(items: Iterable[Costed], since_us: int) -> dict[str, list[int]]:
    """Cost and unpriced calls by quarter-hour."""
    found: dict[str, list[int]] = {}
    for one in items:
        if one.bucket.last_us >= since_us:
            _add(found.setdefault(str(one.bucket.quarter), [0, 0]), one)
    return found


def _sessions(
    items: Iterable[Costed], recent_calls: Iterable[tuple[str, Costed]], now_us: int
) -> dict[str, dict[str, Any]]:
    kept = {one.bucket.session for one in items if one.bucket.last_us >= now_us - KEPT_US}
    costs: dict[str, list[int]] = {session: [0, 0] for session in kept}
    for one in items:
        if one.bucket.session in kept:
            _add(costs[one.bucket.session], one)
    found: dict[str, dict[str, Any]] = {
        session: {"pusd": pusd, "unpriced": unpriced, "cache": None, "prompt": None, "recent": {}}
        for session, (pusd, unpriced) in costs.items()
    }
    for message_id, one in recent_calls:
        session = found.get(one.bucket.session)
        if session is not None:
            session["recent"][message_id] = one.pusd
            while len(session["recent"]) > RECENT_CALLS:
                del session["recent"][next(iter(session["recent"]))]
            session["cache"] = _cache(one, session["cache"])
            if one.bucket.agent == MAIN:
                session["prompt"] = one.bucket.usage.prompt_tokens
    return found


def _cache(one: Costed, before: list[Any] | None) -> list[Any] | None:
    """Last use, lifetime in seconds, whether a write ever stated it. Sub-agents have caches of their own."""
    usage = one.bucket.usage
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    if one.bucket.agent != MAIN or not (written or usage.cache_read_tokens):
        return before
    if written:
        return [one.bucket.last_us, CACHE_1H_S if usage.cache_write_1h_tokens else CACHE_5M_S, True]
    return [one.bucket.last_us, *(before[1:] if before else (CACHE_5M_S, False))]


def _rates(items: Iterable[Costed], book: PriceBook, now: datetime) -> dict[str, list[list[Any]]]:
    """Bands ``[over, up to, rates]`` of each combination lately seen that has a price for every unit today."""
    found: dict[str, list[list[Any]]] = {}
    facts = {(b.model, b.service_tier, b.speed, b.inference_geo) for b in (one.bucket for one in items)}
    for model, tier, speed, geo in facts:
        card = book.card(Facts(model, "claude_api", None, tier, speed, geo, now.date()))
        if isinstance(card, Card) and all(None not in band.rates for band in card.bands):
            found[rate_key(model, tier, speed, geo)] = [[b.over, b.up_to, list(b.rates)] for b in card.bands]
    return found


def _add(pair: list[int], one: Costed) -> None:
    pair[0] += one.pusd or 0
    pair[1] += one.bucket.calls if one.pusd is None else 0
