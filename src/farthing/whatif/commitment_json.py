"""Commitments as JSON values; amounts are exact decimal strings."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from farthing import money
from farthing.whatif.commitment_draws import Offer, quantiles
from farthing.whatif.commitments import break_even_units

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farthing.whatif.commitment_demand import Collected
    from farthing.whatif.commitment_draws import Demand, Size
    from farthing.whatif.commitment_units import Draw
    from farthing.whatif.commitments import Verdict

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)


def demand_json(collected: Collected, draw: Draw) -> dict[str, Any]:
    """Hourly demand: its length, its quantiles in the unit's tokens or dollars, and what is not in it."""
    demand = collected.demand
    counted = "tokens" if draw.weights is not None else "usd"
    amounts = quantiles(demand.amounts, LEVELS)
    values = amounts if draw.weights is not None else [money.usd_text(amount) for amount in amounts]
    return {
        "unit": draw.name,
        "unit_is": draw.what,
        "note": draw.note,
        "hours": len(demand.amounts),
        "starts_at": demand.starts_at.isoformat().replace("+00:00", "Z"),
        "on_demand_usd": money.usd_text(sum(demand.worth_pusd)),
        f"{counted}_per_hour": {f"p{round(level * 100)}": value for level, value in zip(LEVELS, values, strict=True)},
        "calls": collected.calls,
        "left_out": {
            "unpriced": collected.unpriced,
            "other_models": collected.other_models,
            "batches": collected.batches,
        },
    }


def break_even_json(demand: Demand, draw: Draw, discounts: Sequence[int], term_weeks: int = 13) -> dict[str, float]:
    """Break-even size in units, by discount in percent."""
    return {
        str(percent): round(break_even_units(demand, Offer(draw, Fraction(percent, 100), term_weeks)), 3)
        for percent in discounts
    }


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """What was judged, every size, the drift, and what is recommended or why nothing is."""
    drift = verdict.drift
    return {
        "discount": str(float(verdict.offer.discount)),
        "term_weeks": verdict.offer.term_weeks,
        "on_demand_usd": money.usd_text(verdict.on_demand_pusd),
        "break_even_units": verdict.break_even_units,
        "sizes": [_size_json(size) for size in verdict.sizes],
        "recommended": None if verdict.recommended is None else _size_json(verdict.recommended),
        "refusals": list(verdict.refusals),
        "drift": {
            "per_week": drift.per_week,
            "p_value": drift.p_value,
            "recent_over_earlier": drift.recent,
            "falling": drift.falling,
        },
    }


def _size_json(size: Size) -> dict[str, Any]:
    return {
        "units": size.units,
        "cost_usd": money.usd_text(size.cost_pusd),
        "saving_usd": money.usd_text(size.saving_pusd),
        "low_usd": money.usd_text(size.low_pusd),
        "high_usd": money.usd_text(size.high_pusd),
        "loss_probability": size.loss_probability,
        "used": size.used,
    }
