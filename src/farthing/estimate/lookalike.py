"""
A workload that looks like traffic one already has: its averages, measured.

It keeps totals, not shapes: every call becomes the average call, so a model that got longer prompts than the others, or
calls on both sides of a price band, cost something else than they did. Where that matters, take it per feature or per
model.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput
from farthing.estimate.workload import CachePlan, Tokens, Volume, Workload, check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.call import Usage

MEASURED = ("models", "volume", "tokens", "conversation", "cache", "batch_share", "web_searches_per_call")
_PLACES = 6
_PROMPT_FIELDS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
_FIELDS = (*_PROMPT_FIELDS, "output_tokens", "thinking_tokens", "web_search_requests")


class Traffic(NamedTuple):
    """
    Some calls, summed up; a single call is the smallest.

    Attributes:
        model: That served them. is_batch: whether they went through Message Batches.
        calls: How many.
        usage: Their counts together.

    """

    model: str
    is_batch: bool
    calls: int
    usage: Usage


def look_alike(traffic: Iterable[Traffic], *, days: Decimal, name: str = "look-alike") -> Workload:
    """
    The average of calls, which were sent over *days* days of traffic, as a workload of single turns.

    What was read from or written to the cache becomes the system prompt, with the share that was read as its hits. The
    calls' own dates, channels and speeds are left out; choose them for the plan.

    Raises:
        BadInput: No calls, or no days.

    """
    sums: Counter[str] = Counter()
    models: Counter[str] = Counter()
    for some in traffic:
        models[some.model] += some.calls
        sums["batch"] += some.calls if some.is_batch else 0
        for field in _FIELDS:
            sums[field] += getattr(some.usage, field)
    count = models.total()
    if not count or days <= 0:
        raise BadInput(f"read {count} calls over {days} days", "at least one call and more than 0 days")
    volume = Volume(calls_per_day=_decimal(Fraction(count) / Fraction(days)))
    return check(
        Workload(
            name=name,
            models=_shares(models),
            volume=volume,
            tokens=_tokens(sums, count),
            cache=_cache(sums),
            batch_share=_decimal(Fraction(sums["batch"], count)),
            web_searches_per_call=_decimal(Fraction(sums["web_search_requests"], count)),
            measured=MEASURED,
        ),
        "the calls given",
    )


def _tokens(sums: Counter[str], count: int) -> Tokens:
    cached = sums["cache_read_tokens"] + sums["cache_write_5m_tokens"] + sums["cache_write_1h_tokens"]
    return Tokens(
        system=_decimal(Fraction(cached, count)),
        user=_decimal(Fraction(sums["input_tokens"], count)),
        output=_decimal(Fraction(sums["output_tokens"] - sums["thinking_tokens"], count)),
        thinking=_decimal(Fraction(sums["thinking_tokens"], count)),
    )


def _cache(sums: Counter[str]) -> CachePlan:
    """The lifetime that more tokens were written with, and the share of cacheable tokens that were read."""
    read, written_5m, written_1h = (sums[f"cache_{name}_tokens"] for name in ("read", "write_5m", "write_1h"))
    if not read + written_5m + written_1h:
        return CachePlan()
    hits = _decimal(Fraction(read, read + written_5m + written_1h))
    return CachePlan(ttl="1h" if written_1h > written_5m else "5m", hit_share=hits, batch_hit_share=hits)


def _shares(models: Counter[str]) -> dict[str, Decimal]:
    """Shares to a millionth; the most used model takes what rounding leaves, so that they add up to 1."""
    ordered = models.most_common()
    shares = {model: _decimal(Fraction(count, models.total())) for model, count in ordered}
    shares[ordered[0][0]] += 1 - sum(shares.values())
    return shares


def _decimal(value: Fraction) -> Decimal:
    return Decimal(round(value * 10**_PLACES)).scaleb(-_PLACES)
