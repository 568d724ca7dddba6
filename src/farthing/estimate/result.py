"""Everything that ``farthing estimate`` says about a workload, in one value with a JSON shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.estimate.breakeven import (
    CacheBreakEven,
    Lever,
    batch_share_to_match_cache,
    levers,
    workload_break_evens,
)
from farthing.estimate.cost import Expected, expect
from farthing.estimate.limits import Needs, needs_of
from farthing.estimate.ranges import RUNS, Spread, Swing, sensitivity, spread
from farthing.estimate.sizes import text
from farthing.estimate.workload import is_measured, sizes_of
from farthing.units import Kind

if TYPE_CHECKING:
    from datetime import date
    from fractions import Fraction

    from farthing.estimate.workload import Workload
    from farthing.prices.book import PriceBook


class Estimate(NamedTuple):
    """
    A workload's expected cost and what a planner asks next.

    Attributes:
        expected: The exact expected cost.
        spread: Its range, None where a part has no price.
        swings: What each size does to it, the widest first.
        levers: What other cache plans and batches would make of it, the cheapest first.
        break_evens: From where on a cached prefix pays.
        batch_share_to_match_cache: See :func:`farthing.estimate.breakeven.batch_share_to_match_cache`.
        needs: Rate limits it needs.

    """

    expected: Expected
    spread: Spread | None
    swings: list[Swing]
    levers: list[Lever]
    break_evens: list[CacheBreakEven]
    batch_share_to_match_cache: Fraction | None
    needs: Needs

    def to_json(self) -> dict[str, Any]:
        """As JSON values: USD as decimal strings without exponent, to the nearest picodollar."""
        expected = self.expected
        return {
            "name": expected.workload.name,
            "date": expected.on.isoformat(),
            "book_version": expected.book_version,
            "kind": str(expected.kind),
            "calls_per_month": number(expected.point.calls_per_month),
            "month_usd": usd_text(expected.pusd),
            "total_usd": usd_text(expected.total_pusd),
            "unpriced": [
                {"model": one.model, "share": number(one.share), "reason": one.reason} for one in expected.unpriced
            ],
            "months": [
                {"month": one.number, "calls": number(one.calls), "usd": usd_text(one.pusd)} for one in expected.months
            ],
            "by_model": _sums(expected, "model"),
            "by_unit": _sums(expected, "unit"),
            "by_turn": _sums(expected, "turn"),
            "range": _spread(self.spread),
            "sensitivity": [_swing(one) for one in self.swings],
            "levers": [
                {"change": one.change, "month_usd": usd_text(one.pusd), "saved_usd": usd_text(one.saved_pusd)}
                for one in self.levers
            ],
            "break_even": {
                "cache": [_break_even(one) for one in self.break_evens],
                "batch_share_to_match_cache": number(self.batch_share_to_match_cache),
            },
            "rate_limits": _needs(self.needs),
            "inputs": inputs(expected.workload),
            "notes": list(expected.notes),
        }


def estimate(workload: Workload, on: date, book: PriceBook, *, runs: int = RUNS) -> Estimate:
    """Everything about a workload at the list prices of a day; *runs* draws make the range, 0 for none."""
    expected = expect(workload, on, book)
    return Estimate(
        expected,
        spread(workload, on, book, runs=runs),
        sensitivity(workload, on, book),
        levers(workload, on, book),
        workload_break_evens(workload, on, book),
        batch_share_to_match_cache(workload, on, book),
        needs_of(expected, book),
    )


def inputs(workload: Workload) -> list[dict[str, str]]:
    """Every size of the workload with its kind: ``measured`` where its author says so, else ``assumed``."""
    rows = [(f"models.{model}", f"{share:f}") for model, share in workload.models.items()]
    rows += [(key, text(size)) for key, size in sizes_of(workload).items()]
    kinds = {key: Kind.MEASURED if is_measured(workload, key) else Kind.ASSUMED for key, _ in rows}
    return [{"key": key, "value": value, "kind": str(kinds[key])} for key, value in rows]


def usd_text(pusd: Fraction | None) -> str | None:
    """Exact decimal USD of the nearest picodollar; None stays None."""
    return None if pusd is None else money.usd_text(money.nearest(pusd))


def number(value: Fraction | None) -> int | float | None:
    """A count or share as a JSON number, to a millionth; never money."""
    if value is None:
        return None
    return value.numerator if value.denominator == 1 else round(float(value), 6)


def _sums(expected: Expected, field: str) -> list[dict[str, Any]]:
    total = expected.priced_pusd
    sums: dict[Any, Fraction] = {}
    for line in expected.lines:
        key = getattr(line, field)
        sums[key] = sums.get(key, total * 0) + line.pusd
    return [
        {field: key, "usd": usd_text(pusd), "share": number(pusd / total) if total else 0} for key, pusd in sums.items()
    ]


def _spread(found: Spread | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "p5_usd": usd_text(found.p5),
        "p50_usd": usd_text(found.p50),
        "p95_usd": usd_text(found.p95),
        "runs": found.runs,
        "kind": str(Kind.ASSUMED),
    }


def _swing(one: Swing) -> dict[str, Any]:
    return {
        "key": one.key,
        "low": number(one.low),
        "high": number(one.high),
        "low_usd": usd_text(one.low_pusd),
        "high_usd": usd_text(one.high_pusd),
        "range": "stated" if one.is_stated else "20 % either way",
        "kind": str(Kind.ASSUMED),
    }


def _break_even(one: CacheBreakEven) -> dict[str, Any]:
    return {
        "model": one.model,
        "ttl": one.ttl,
        "prompt_tokens_over": one.prompt_tokens_over,
        "hits": number(one.hits),
        "hit_share": number(one.hit_share),
        "gap_seconds_max": one.gap_seconds_max,
        "prefix_tokens_min": one.tokens_min,
        "kind": str(Kind.DERIVED),
    }


def _needs(needs: Needs) -> dict[str, Any]:
    rows = [
        {
            "bucket": one.bucket,
            "limit": f"{one.limit} per minute",
            "mean": number(one.mean),
            "peak": number(one.peak),
            "published": list(one.published),
            "tier": one.tier,
            "confidence": one.confidence,
        }
        for one in needs.needs
    ]
    return {
        "tier": needs.tier,
        "spend_tier": needs.spend_tier,
        "needs": rows,
        "notes": list(needs.notes),
        "kind": str(Kind.ASSUMED),
    }
