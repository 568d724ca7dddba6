"""
Five-hour session blocks, as subscription limits count them.

A block begins at the full hour (UTC) of its first call and lasts five hours. A call after its end, or more than five
hours after the call before it, begins the next one; such a pause is shown as a gap. Source: ccusage 20.0.24, checked
against the tool 2026-11-20. Buckets are enough: a quarter-hour is never cut by a block's end.

Tokens and dollars of a block are *measured* or as weak as its calls; its burn rate is *derived*; a projection is
*assumed*: it believes that the rate so far goes on.
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.errors import BadInput
from farthing.reports.claude_code.rows import instant_json
from farthing.reports.claude_code.sums import Sum, cost_json, ours_json, summed
from farthing.sources.claude_code.buckets import QUARTER_US
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from farthing.reports.claude_code.costing import Costed

HOUR_US = 4 * QUARTER_US
MINUTE_US = HOUR_US // 60
RECENT_US = 3 * 24 * HOUR_US
WARNING_SHARE = Fraction(8, 10)
"""From this share of a limit on, a projection is a warning."""


class Burn(NamedTuple):
    """
    How fast a block used tokens between its first and its last call. Derived.

    Attributes:
        tokens_per_minute: All tokens; fresh_per_minute: input and output alone, which is what the indicator looks at.
        pusd_per_hour: Picodollars per hour, of what has a price; None where nothing has.

    """

    tokens_per_minute: Fraction
    fresh_per_minute: Fraction
    pusd_per_hour: Fraction | None


class Projection(NamedTuple):
    """A block's end if its rate so far goes on. Assumed. *pusd* is to the cent; None where nothing has a price."""

    tokens: int
    pusd: int | None
    remaining_minutes: int


class Block(NamedTuple):
    """
    A block, or a gap between two.

    Attributes:
        start_us, end_us: ``[start, end)``, microseconds since 1970.
        total: Its calls; none in a gap.
        is_active: Whether it goes on now.
        is_gap: Whether it is a pause.
        burn, projection: Of the active block, where its calls span any time; else None.

    """

    start_us: int
    end_us: int
    total: Sum
    is_active: bool = False
    is_gap: bool = False
    burn: Burn | None = None
    projection: Projection | None = None


def session_length_us(hours: str) -> int:
    """
    Read a block's length.

    Raises:
        BadInput: Not a positive multiple of a quarter of an hour.

    """
    try:
        length = Decimal(hours) * HOUR_US
        if length > 0 and length % QUARTER_US == 0 and length <= 24 * 366 * HOUR_US:
            return int(length)
    except ArithmeticError:
        pass
    raise BadInput(
        f"read --session-length {hours!r}",
        "hours in whole quarters, such as 5, 2.5 or 0.25",
        "calls are kept by the quarter-hour",
    )


def blocks_of(items: Iterable[Costed], length_us: int, now_us: int) -> list[Block]:
    """
    Blocks and gaps, the oldest first.

    Args:
        items: Costed buckets of *all* time, in any order: where a block begins depends on the ones before it.
        length_us: From :func:`session_length_us`.
        now_us: Tells the active block.

    """
    blocks: list[Block] = []
    group: list[Costed] = []
    start = last = 0
    for one in sorted(items, key=lambda item: (item.bucket.first_us, item.model)):
        first = one.bucket.first_us
        if group and (first >= start + length_us or first - last > length_us):
            blocks.append(_block(group, start, length_us, now_us))
            if first - last > length_us:
                blocks.append(Block(last + length_us, first, Sum(), is_gap=True))
            group = []
        if not group:
            start, last = first // HOUR_US * HOUR_US, first
        group.append(one)
        last = max(last, one.bucket.last_us)
    return [*blocks, _block(group, start, length_us, now_us)] if group else []


def recent(blocks: Iterable[Block], now_us: int) -> list[Block]:
    """Those of the last three days, and the active one."""
    return [block for block in blocks if block.is_active or block.start_us >= now_us - RECENT_US]


def within(items: Iterable[Costed], blocks: Iterable[Block]) -> list[Costed]:
    """The buckets whose calls are those of *blocks*."""
    spans = sorted((block.start_us, block.end_us) for block in blocks if not block.is_gap)
    starts = [start for start, _ in spans]

    def is_in(at_us: int) -> bool:
        place = bisect_right(starts, at_us) - 1
        return place >= 0 and at_us < spans[place][1]

    return [one for one in items if is_in(one.bucket.first_us)]


def largest(blocks: Iterable[Block]) -> int:
    """Most tokens of any block that has ended: what ``--token-limit max`` means. 0 where there is none."""
    return max((block.total.total_tokens for block in blocks if not block.is_active), default=0)


def token_limit(text: str | None, blocks: Iterable[Block]) -> int | None:
    """
    Read ``--token-limit``: a number, ``max``, or nothing, which is *max* where there is one.

    Raises:
        BadInput: Something else.

    """
    if text is None or text.strip().lower() in ("", "max"):
        return largest(blocks) or None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise BadInput(f"read --token-limit {text!r}", "a number of tokens, or max")


def blocks_json(blocks: Iterable[Block], limit: int | None, *, with_cost: bool) -> dict[str, Any]:
    """``{"blocks": [...]}``. *limit*: tokens that a block may use; None leaves its status out."""
    return {"blocks": [_json(block, limit, with_cost=with_cost) for block in blocks]}


def limit_status(tokens: int, limit: int) -> str:
    """``ok``, ``warning`` from four fifths of the limit on, or ``exceeds``."""
    if tokens > limit:
        return "exceeds"
    return "warning" if tokens > limit * WARNING_SHARE else "ok"


def _block(group: list[Costed], start: int, length_us: int, now_us: int) -> Block:
    total, end = summed(group), start + length_us
    if not (start <= now_us < end and now_us - total.last_us < length_us):
        return Block(start, end, total)
    burn = _burn(total)
    return Block(start, end, total, True, False, burn, burn and _projection(total, burn, end - now_us))  # noqa: FBT003


def _burn(total: Sum) -> Burn | None:
    span = total.last_us - total.first_us
    if span <= 0:
        return None
    minutes = Fraction(span, MINUTE_US)
    return Burn(
        total.total_tokens / minutes,
        (total.input_tokens + total.output_tokens) / minutes,
        None if total.pusd is None else total.pusd * 60 / minutes,
    )


def _projection(total: Sum, burn: Burn, remaining_us: int) -> Projection:
    minutes = round(Fraction(remaining_us, MINUTE_US))
    tokens = round(total.total_tokens + burn.tokens_per_minute * minutes)
    if total.pusd is None or burn.pusd_per_hour is None:
        return Projection(tokens, None, minutes)
    cent = money.PUSD_PER_USD // 100
    return Projection(tokens, round((total.pusd + burn.pusd_per_hour * minutes / 60) / cent) * cent, minutes)


def _json(block: Block, limit: int | None, *, with_cost: bool) -> dict[str, Any]:
    total = block.total
    start = instant_json(block.start_us)
    return {
        "id": f"gap-{start}" if block.is_gap else start,
        "startTime": start,
        "endTime": instant_json(block.end_us),
        "actualEndTime": None if block.is_gap else instant_json(total.last_us),
        "isActive": block.is_active,
        "isGap": block.is_gap,
        "entries": total.calls,
        "tokenCounts": {
            "inputTokens": total.input_tokens,
            "outputTokens": total.output_tokens,
            "cacheCreationInputTokens": total.cache_creation_tokens,
            "cacheReadInputTokens": total.cache_read_tokens,
        },
        "totalTokens": total.total_tokens,
        **(cost_json(total.pusd, "costUSD") if with_cost else {}),
        "models": list(total.models),
        "burnRate": None if block.burn is None else _burn_json(block.burn, with_cost=with_cost),
        "projection": None if block.projection is None else _projection_json(block.projection, with_cost=with_cost),
        **(_limit_json(block.projection, limit) if block.projection and limit else {}),
        **ours_json(total),
    }


def _burn_json(burn: Burn, *, with_cost: bool) -> dict[str, Any]:
    per_hour = None if burn.pusd_per_hour is None else float(burn.pusd_per_hour / money.PUSD_PER_USD)
    return {
        "tokensPerMinute": float(burn.tokens_per_minute),
        "tokensPerMinuteForIndicator": float(burn.fresh_per_minute),
        **({"costPerHour": per_hour} if with_cost else {}),
        "kind": str(Kind.DERIVED),
    }


def _projection_json(projection: Projection, *, with_cost: bool) -> dict[str, Any]:
    return {
        "totalTokens": projection.tokens,
        **(cost_json(projection.pusd) if with_cost else {}),
        "remainingMinutes": projection.remaining_minutes,
        "kind": str(Kind.ASSUMED),
    }


def _limit_json(projection: Projection, limit: int) -> dict[str, Any]:
    return {
        "tokenLimitStatus": {
            "limit": limit,
            "projectedUsage": projection.tokens,
            "percentUsed": float(Fraction(projection.tokens * 100, limit)),
            "status": limit_status(projection.tokens, limit),
        }
    }
