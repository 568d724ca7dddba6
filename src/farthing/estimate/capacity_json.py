"""The capacity report as JSON: every figure with its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farthing.estimate.capacity import SPEND
from farthing.money import usd_text
from farthing.units import Kind

if TYPE_CHECKING:
    from datetime import date

    from farthing.estimate.capacity import Capacity, Use


def capacity_json(found: Capacity) -> dict[str, Any]:
    """Limits in the order in which they bind; amounts of spend as exact dollars, days as ISO dates."""
    first = found.first
    return {
        "tier": found.tier,
        "tier_needed": found.tier_needed,
        "since": _day(found.since),
        "until": _day(found.until),
        "calls": found.calls,
        "calls_left_out": found.left_out,
        "binds_first": None if first is None else {"class": first.model_class, "limit": first.counts},
        "limits": [_use(use) for use in found.uses],
        "caching": [
            {
                "class": one.model_class,
                "busiest_minute_input_tokens": one.busiest,
                "busiest_minute_without_cache": one.busiest_without,
                "free_share": round(one.read_share, 6),
                "kind": Kind.DERIVED,
            }
            for one in found.caching
        ],
        "notes": list(found.notes),
    }


def _use(use: Use) -> dict[str, Any]:
    growth, reached = use.growth, use.reached
    return {
        "class": use.model_class,
        "counts": use.counts,
        "limit": _amount(use, use.limit),
        **_amounts(use),
        "share": None if use.share is None else round(use.share, 6),
        "kind": use.kind,
        "growth_per_month": growth
        and {
            "low": round(growth.low, 6),
            "mid": round(growth.mid, 6),
            "high": round(growth.high, 6),
            "weeks": growth.weeks,
            "kind": Kind.DERIVED if growth.weeks else Kind.ASSUMED,
        },
        "reached": reached
        and {
            "earliest": _day(reached.earliest),
            "expected": _day(reached.expected),
            "latest": _day(reached.latest),
            "kind": Kind.ASSUMED,
        },
        "note": use.note,
    }


def _amounts(use: Use) -> dict[str, Any]:
    if use.counts == SPEND:
        return {"usd_in_30_days": usd_text(use.busiest)}
    return {
        "p50": use.p50,
        "p95": use.p95,
        "p99": use.p99,
        "busiest": use.busiest,
        "busiest_at": use.busiest_at and use.busiest_at.isoformat(),
        "minutes": use.minutes,
    }


def _amount(use: Use, amount: int | None) -> int | str | None:
    return usd_text(amount) if use.counts == SPEND and amount is not None else amount


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
