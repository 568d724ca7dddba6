"""
What a budget has to say: shares of it that are reached, and the day on which it will be used up. Pure.

One budget, for one value it is split by, in one window, is one incident, whatever there is to say of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from farthing.alerts.incidents import Signal
from farthing.alerts.messages import usd
from farthing.money import usd_text
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from farthing.alerts.owners import Standing

_FORECAST = "forecast"


def budget_key(standing: Standing) -> str:
    """What makes an incident this budget's, in this window."""
    return json.dumps(["budget", standing.budget.name, standing.value, int(standing.starts_at.timestamp())])


def budget_signal(standing: Standing, now: datetime, told: Collection[str] = ()) -> Signal | None:
    """
    One signal of a budget; None where no share of it is reached and none will be.

    Args:
        standing: How it stands.
        now: Aware.
        told: Marks that its incident has told, where one is under way: a forecast that hovers about the limit goes on
            for as long as the interval reaches the limit.

    """
    budget, spent = standing.budget, standing.spent_pusd
    limit = budget.limit_pusd
    shares = [int(share * 100) for share in budget.alert_at if spent >= share * limit]
    is_forecast = standing.end_pusd is not None and (standing.will_pass or (_FORECAST in told and standing.may_pass))
    if not shares and not is_forecast:
        return None
    said = [f"{shares[-1]}% of {usd(limit)} a {budget.window} is reached ({usd(spent)} spent)"] if shares else []
    detail: dict[str, Any] = {
        "budget": budget.name,
        "value": standing.value,
        "window": budget.window,
        "window_start": standing.starts_at.isoformat(),
        "window_end": standing.ends_at.isoformat(),
        "limit_usd": usd_text(limit),
        "spent_usd": usd_text(spent),
        "spent_figure_kind": str(Kind.MEASURED),
        "notes": [f"spent {usd(spent)} of {usd(limit)}; the window ends {_day(standing.ends_at)}"],
    }
    stake, stake_kind = max(0, spent - limit), Kind.MEASURED
    if is_forecast:
        assert standing.end_pusd is not None
        goal = "reach 100%" if shares else f"pass its limit of {usd(limit)} a {budget.window}"
        said.append(_forecast_words(standing, goal))
        detail |= _forecast_detail(standing)
        stake, stake_kind = max(0, round(standing.end_pusd.expected) - limit), Kind.ASSUMED
    who = f"budget {budget.name}" + (f", {standing.value}" if standing.value else "")
    return Signal(
        kind="budget",
        keys=(budget_key(standing),),
        began_at=standing.starts_at,
        last_at=now,
        is_over=False,
        level=shares[-1] if shares else 0,
        title=f"{who}: {'; '.join(said)}",
        stake_pusd=stake,
        detail=detail,
        marks=(*(f"budget:{share}" for share in shares), *((_FORECAST,) if is_forecast else ())),
        stake_kind=stake_kind,
    )


def _forecast_words(standing: Standing, goal: str) -> str:
    by_day = standing.budget.window in ("week", "month")
    expected, first, last = (None if at is None else _day(at, by_day=by_day) for at in standing.over_at)
    if expected is None:
        return f"may {goal}, on {first} at the earliest"
    return f"will {goal} on {expected} ({f'{first} to {last}' if last else f'{first} at the earliest, or not at all'})"


def _forecast_detail(standing: Standing) -> dict[str, Any]:
    assert standing.end_pusd is not None
    names = ("expected_over_at", "earliest_over_at", "latest_over_at")
    low, likely, high = (usd(round(pusd)) for pusd in standing.end_pusd)
    spent, limit = usd(standing.spent_pusd), usd(standing.budget.limit_pusd)
    ends = _day(standing.ends_at)
    return {
        **{name: at.isoformat() if at else None for name, at in zip(names, standing.over_at, strict=True)},
        "end_usd": {name: usd_text(round(pusd)) for name, pusd in standing.end_pusd._asdict().items()},
        "interval_percent": 80,
        "notes": [f"spent {spent} of {limit}; by {ends} {likely} ({low} to {high}, 80 percent, assumed)"],
    }


def _day(at: datetime, *, by_day: bool = False) -> str:
    return f"{at:%Y-%m-%d}" if by_day or not (at.hour or at.minute) else f"{at:%Y-%m-%d %H:%M} UTC"
