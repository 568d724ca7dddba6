"""
One call under other choices: the same request of another model, in a batch, elsewhere, or cached otherwise. Pure.

The levers are those of a replay, so the answer is that of a replay of this call alone. Caching is the exception: a call
alone would find an empty cache, and what it read would look like a loss. So here the cache holds what it held: with
another lifetime what was written is written for that long, without a cache the whole prompt is fresh, and what was read
is read. Policies that place breakpoints anew need the calls around it.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from farthing.errors import BadInput
from farthing.prices.card import Card
from farthing.prices.engine import price_served
from farthing.units import Kind, weakest
from farthing.whatif.replay.amounts import amount, without_volume
from farthing.whatif.replay.choice import Choice
from farthing.whatif.replay.moved import ONE, facts_of, tokenizer_factor
from farthing.whatif.replay.parse import parse_choice
from farthing.whatif.replay.replay import replay

if TYPE_CHECKING:
    from fractions import Fraction

    from farthing.call import Call, Served, Usage
    from farthing.prices.bill import Bill
    from farthing.prices.book import PriceBook
    from farthing.prices.contract_terms import ContractTerms
    from farthing.whatif.replay.outcome import Outcome

Cached = Literal["", "none", "5m", "1h"]
AS_LONG = "the answer is as long as it was"
CACHE_HOLDS = "the other cache holds what this one held, for all of them were asked so"
UNPRICED = "the call has no exact price as it is"
_CACHED: dict[str, Cached] = {"cache=none": "none", "ttl=5m": "5m", "ttl=1h": "1h"}
_OTHER_CACHING = "cache=none, ttl=5m or ttl=1h for one call"


class Wish(NamedTuple):
    """
    What is to be otherwise.

    Attributes:
        text: As it is written.
        choice: The levers; none of them caching.
        cached: ``none``, ``5m``, ``1h``, or empty: as it was.

    """

    text: str
    choice: Choice
    cached: Cached = ""


class AsIf(NamedTuple):
    """
    The call under a wish.

    Attributes:
        wish: The wish.
        bill: Its bill; None where it has no exact price or cannot be so.
        pusd: What it comes to, under contract where there is one; None likewise.
        saved_pusd: What it cost less that; None likewise.
        kind: How sure it is.
        why_not: Why it cannot be so; empty where it can.
        assumes: What is believed; one sentence each.

    """

    wish: Wish
    bill: Bill | None
    pusd: int | None
    saved_pusd: int | None
    kind: Kind
    why_not: str = ""
    assumes: tuple[str, ...] = ()


def read_wish(text: str, book: PriceBook) -> Wish:
    """
    Read a wish: ``model=claude-haiku-5-5,batch=true,ttl=1h``.

    Args:
        text: Levers as ``farthing whatif --choose`` takes them; of caching only ``cache=none``, ``ttl=5m``, ``ttl=1h``.
        book: Which models there are.

    Raises:
        BadInput: An unknown lever or value, a condition, or a caching policy that takes more calls than one.

    """
    parts = [part.strip() for part in text.split(",")]
    caching = [_CACHED[part] for part in parts if part in _CACHED]
    if len(caching) > 1:
        raise BadInput(f"read {text[:80]!r}, which caches twice", _OTHER_CACHING)
    levers = ",".join(part for part in parts if part not in _CACHED)
    choice = parse_choice(levers, book) if levers else Choice()
    if any(rule.where for rule in choice.rules):
        raise BadInput(f"read a condition in {text[:80]!r}", "levers alone: it is about one call")
    if any(rule.levers.cache is not None for rule in choice.rules):
        needs = "farthing whatif --choose replays a policy on all calls"
        raise BadInput(f"read a caching policy in {text[:80]!r}", _OTHER_CACHING, needs)
    return Wish(text.strip(), choice, caching[0] if caching else "")


def usual_wishes(call: Call, book: PriceBook) -> list[Wish]:
    """What one may want to know of a call: each other model that was there then, batch, region, speed, each caching."""
    served, on = call.served, call.sent_at.astimezone(UTC).date()
    named = book.names.find(served.model, served.channel)
    own = None if named is None else named.model.id
    texts = [
        f"model={model.id}"
        for model in book.models
        if model.id != own
        and not (served.channel == "claude_api" and model.has_retired(on))
        and isinstance(book.card(facts_of(_asked(call, model.id), call.sent_at)), Card)
    ]
    texts.append(f"batch={'false' if served.service_tier == 'batch' else 'true'}")
    texts.append(f"geo={'global' if served.inference_geo == 'us' else 'us'}")
    texts.append(f"speed={'standard' if served.speed == 'fast' else 'fast'}")
    usage = served.usage
    cached = usage.prompt_tokens - usage.input_tokens
    texts += ["cache=none"] if cached else []
    texts += ["ttl=1h"] if usage.cache_write_5m_tokens else []
    texts += ["ttl=5m"] if usage.cache_write_1h_tokens else []
    return [read_wish(text, book) for text in texts]


def _asked(call: Call, model: str) -> Served:
    return msgspec.structs.replace(call.served, model=model, channel="claude_api", location=None)


def as_if(call: Call, wish: Wish, book: PriceBook, *, terms: ContractTerms | None = None) -> AsIf:
    """
    *call* as *wish* has it.

    Args:
        call: As recorded.
        wish: What is otherwise.
        book: Prices of the call's own day.
        terms: The contract in force, on both sides, without a credit on a month's volume. None: list.

    """
    terms = without_volume(terms)
    recorded = price_served(book, call.served, call.sent_at)
    if recorded.list_pusd is None:
        return AsIf(wish, None, None, None, Kind.ASSUMED, ": ".join((UNPRICED, *recorded.unpriced)))
    why = _not_cached_otherwise(call) if wish.cached else ""
    if why:
        return AsIf(wish, None, None, None, Kind.ASSUMED, why)
    other = _cached_otherwise(call, wish.cached)
    if other is call and wish.cached:
        wish = wish._replace(cached="")  # it was cached so
    before = price_served(book, other.served, call.sent_at)
    outcomes: list[Outcome] = []
    replay([other], [wish.choice], book, terms=terms, each=lambda _number, outcome: outcomes.append(outcome))
    if before.list_pusd is None or not outcomes:
        return AsIf(wish, None, None, None, Kind.ASSUMED, "; ".join(before.unpriced) or UNPRICED)
    (outcome,) = outcomes
    if outcome.stays:
        return AsIf(wish, None, None, None, Kind.ASSUMED, outcome.stays)
    was = amount(recorded, call.sent_at, terms)
    kind = weakest(outcome.kind, Kind.ASSUMED if wish.cached in {"5m", "1h"} else Kind.DERIVED)
    return AsIf(wish, outcome.bill, outcome.pusd, was - outcome.pusd, kind, "", _assumes(call, wish, book))


def _not_cached_otherwise(call: Call) -> str:
    served = call.served
    if served.calls_in_total != 1 or served.extra_passes or served.prompt_tokens_max_in_one_pass is not None:
        return "several passes or calls: the counts are a sum over prompts"
    return ""


def _cached_otherwise(call: Call, cached: Cached) -> Call:
    if not cached:
        return call
    usage = _usage(call.served.usage, cached)
    if usage == call.served.usage:
        return call
    return msgspec.structs.replace(call, served=msgspec.structs.replace(call.served, usage=usage))


def _usage(usage: Usage, cached: Cached) -> Usage:
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    counts = {"input_tokens": usage.input_tokens, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": 0}
    if cached == "none":
        counts |= {"input_tokens": usage.prompt_tokens, "cache_read_tokens": 0}
    else:
        counts[f"cache_write_{cached}_tokens"] = written
    return msgspec.structs.replace(usage, **counts)


def _assumes(call: Call, wish: Wish, book: PriceBook) -> tuple[str, ...]:
    levers = wish.choice.levers_for(call)
    factor = _factor(call, wish, book)
    usage = call.served.usage
    found = []
    if factor != ONE:
        found.append(f"the other tokenizer makes {float(factor):.3g} tokens of each recorded one, output too")
    if levers.effort is not None:
        found.append(
            f"output is {float(levers.effort.output_factor):g} of what it was, at effort {levers.effort.level}"
        )
    elif levers.model is not None:
        found.append(AS_LONG)
    if usage.cache_read_tokens and not levers.leaves_service and wish.cached != "none":
        found.append(CACHE_HOLDS)
    if levers.batch and usage.prompt_tokens > usage.input_tokens and wish.cached != "none":
        found.append("in a batch the cache is hit as it was: hits there are best effort")
    if wish.cached in {"5m", "1h"}:
        found.append("what was read is read all the same, and nothing besides")
    return tuple(found)


def _factor(call: Call, wish: Wish, book: PriceBook) -> Fraction:
    levers = wish.choice.levers_for(call)
    old = book.names.find(call.served.model, call.served.channel)
    new = None if levers.model is None else book.names.find(levers.model)
    return ONE if old is None or new is None else tokenizer_factor(old.model, new.model, levers)
