"""
One caching policy over recorded calls, with everything but the cache as it was: the replay's rules without its ledger.

It comes to what :func:`farthing.whatif.replay.replay.replay` says for the same policy, to the picodollar, which a test
holds it to. It is apart because ten policies are tried on every call, and all that they share is read once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.whatif.replay import moved
from farthing.whatif.replay.choice import UNTURNED
from farthing.whatif.replay.places import Sightings, breakpoints
from farthing.whatif.replay.rules import Cache

if TYPE_CHECKING:
    from collections.abc import Hashable

    from farthing.call import Call
    from farthing.prices.book import PriceBook
    from farthing.whatif.replay.choice import Caching
    from farthing.whatif.replay.outcome import Given
    from farthing.whatif.replay.prompt import Prompt
    from farthing.whatif.replay.rules import Found

_NEVER_CACHED = 2**62


class Asked(NamedTuple):
    """
    One call as every policy sees it.

    Attributes:
        scope: Who shares cached prefixes with it.
        prompt: Its blocks. keys, ends: of each, under the dials of the response, and tokens up to its end.
        at_us: When it was sent. begins_us: when its response began; None: never.
        tokens_min: The shortest prefix that is cached.

    """

    scope: Hashable
    prompt: Prompt
    keys: list[int]
    ends: list[int]
    at_us: int
    begins_us: int | None
    tokens_min: int


class Trial:
    """A cache under one policy, without pings."""

    def __init__(self, caching: Caching) -> None:
        self._caching = caching
        self._cache = Cache()
        self._seen = Sightings() if caching.policy == "second_sight" else None

    def take(self, asked: Asked) -> Found:
        """What the next call, in order of time, reads and writes."""
        seen_at = -1 if self._seen is None else self._seen.longest(asked.scope, asked.keys, asked.at_us)
        marks = breakpoints(self._caching, asked.prompt, seen_at)
        return self._cache.ask(
            asked.scope,
            (asked.keys, asked.ends),
            marks,
            at_us=asked.at_us,
            begins_us=asked.begins_us,
            tokens_min=asked.tokens_min,
        )


def asked_of(given: Given, book: PriceBook, at_us: int) -> Asked | None:
    """A call for all policies; None where its prompt was not recorded or its model is not in the book."""
    call, prompt = given.call, given.prompt
    named = book.names.find(call.served.model, call.served.channel)
    if prompt is None or named is None:
        return None
    model = named.model
    tokens_min = model.cacheable_prefix.tokens_min or moved.UNCONFIRMED_TOKENS_MIN
    return Asked(
        moved.scope_of(call, call.served, model, call.sent_at),
        prompt,
        prompt.keys(moved.dials_under(call, call.served, model, UNTURNED)),
        prompt.ends(moved.ONE),
        at_us,
        _begins_us(call, at_us),
        tokens_min if model.applies.prompt_caching is not False else _NEVER_CACHED,
    )


def priced(given: Given, found: Found) -> int:
    """What a call costs with this share of its prompt read and written; as recorded where a rate is missing."""
    if len(given.bill.components) != 1 or not given.bill.components[0].billed:
        return given.pusd
    usage, rates = given.call.served.usage, given.bill.components[0].band.rates
    more = (
        found.input_tokens - usage.input_tokens,
        found.write_5m_tokens - usage.cache_write_5m_tokens,
        found.write_1h_tokens - usage.cache_write_1h_tokens,
        found.read_tokens - usage.cache_read_tokens,
    )
    pusd = given.pusd
    for count, rate in zip(more, rates, strict=False):
        if count:
            if rate is None:
                return given.pusd
            pusd += count * rate
    return pusd


def _begins_us(call: Call, at_us: int) -> int | None:
    if call.served.service_tier == "batch":
        return at_us
    if call.ttft_ms is not None:
        return at_us + 1000 * call.ttft_ms
    never = call.served.stop_reason is None and call.served.output_started is False
    return None if never else at_us
