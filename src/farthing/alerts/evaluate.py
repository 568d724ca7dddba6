"""
One round: look at the ledger as it is now, and make of it incidents and what is to be told.

:func:`evaluate` is what a command, a gateway's owner or a page calls, as often as it likes: once an hour is enough,
because only whole hours are judged. It tells nobody; :func:`farthing.alerts.send.deliver` does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.alerts.anomalies import Watch, look
from farthing.alerts.causes import Cause, causes
from farthing.alerts.drivers import drivers
from farthing.alerts.incidents import Signal
from farthing.alerts.messages import usd
from farthing.alerts.owners import Standing, standings
from farthing.alerts.series import Hours, history_start, hour_number, hour_start, read_hours, together
from farthing.alerts.threshold import FALSE_PER_WEEK, GAP_H
from farthing.money import parse_usd, usd_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from farthing.alerts.channels import Channel
    from farthing.alerts.incidents import Incident, Step
    from farthing.alerts.store import AlertStore
    from farthing.ledger.interface import Ledger
    from farthing.limits.budgets import Budget

HISTORY_DAYS = 35


class Settings(NamedTuple):
    """
    How sharp the look is.

    Attributes:
        per_week: Episodes per tenant-week that may be for nothing.
        stake_min_pusd: Anomalies with less at stake are not told.
        history_days: How far back is looked; five weeks show four of the same weekday's hour.

    """

    per_week: float = FALSE_PER_WEEK
    stake_min_pusd: int = 10**12
    history_days: int = HISTORY_DAYS


USUAL = Settings()


class Round(NamedTuple):
    """
    What a round found.

    Attributes:
        steps: Incidents that are new or changed, and what will be told of each.
        incidents: All that are not resolved, newest first.
        watch: What the look at the series found.
        standings: Every budget as it stands.
        too_small: How many causes had less at stake than is told.

    """

    steps: tuple[Step, ...]
    incidents: tuple[Incident, ...]
    watch: Watch
    standings: tuple[Standing, ...]
    too_small: int

    @property
    def firing(self) -> tuple[Incident, ...]:
        """Incidents that nobody has acknowledged or snoozed."""
        return tuple(one for one in self.incidents if one.state == "open")


def evaluate(
    ledger: Ledger,
    now: datetime,
    *,
    store: AlertStore,
    budgets: Sequence[Budget] = (),
    channels: Sequence[Channel] = (),
    settings: Settings = USUAL,
) -> Round:
    """
    Judge the ledger at *now*, keep the incidents, and leave in the store what is to be told.

    Safe to repeat: the same ledger at the same time changes nothing, and no incident is told twice. One process at a
    time writes; others wait.

    Args:
        ledger: Open; read by sums only.
        now: Aware. Calls after it are not looked at.
        store: Where incidents live.
        budgets: Those of the limits file.
        channels: Who is told.
        settings: How sharp the look is.

    Raises:
        LedgerFault: The ledger or the store does not answer; nothing was changed.

    """
    before = store.evaluated_at()
    seen = None if before is None or before > now else hour_number(before) - GAP_H
    found, watch, too_small = anomaly_signals(ledger, now, settings, judged_from=seen)
    standing = standings(ledger, budgets, now, settings.history_days)
    known = frozenset(key for one in store.incidents() for key in one.keys)
    signals = [*found, *(signal for one in standing for signal in budget_signals(one, now, known))]
    steps = store.advance(signals, now, channels)
    return Round(tuple(steps), tuple(store.incidents()), watch, tuple(standing), too_small)


def anomaly_signals(
    ledger: Ledger, now: datetime, settings: Settings, *, judged_from: int | None = None
) -> tuple[list[Signal], Watch, int]:
    """Signals of what is unusual, what the look found, and how many causes were too small to be told."""
    until = hour_start(hour_number(now))
    hours: Hours = together(read_hours(ledger, history_start(now, settings.history_days), until))
    number = hour_number(until)
    watch = look(hours, number, per_week=settings.per_week, judged_from=judged_from)
    grouped = causes(watch.anomalies)
    large = [one for one in grouped if one.stake_pusd >= settings.stake_min_pusd]
    return [_anomaly_signal(ledger, one, number) for one in large], watch, len(grouped) - len(large)


def _anomaly_signal(ledger: Ledger, cause: Cause, until: int) -> Signal:
    main = cause.main
    hours = max(1, cause.last + 1 - cause.first)
    detail: dict[str, Any] = {
        "metric": main.metric.name,
        "scope": dict(cause.scope),
        "members": [{"tenant": tenant or None, "feature": feature or None} for tenant, feature in cause.pairs],
        "usual": _figure(main.metric.name, main.usual),
        "seen": _figure(main.metric.name, main.seen),
        "also": sorted({one.metric.name for one in cause.anomalies} - {main.metric.name}),
        "hours": hours,
        "stake_usd_per_hour": usd_text(cause.stake_pusd // hours),
        "drivers": [
            {**one._asdict(), "more_pusd": None if one.more_pusd is None else str(one.more_pusd)}
            for one in drivers(ledger, cause)
        ],
    }
    where = " ".join(f"{name} {value}" for name, value in cause.scope) or f"{len(cause.pairs)} tenants' features"
    many = f" ({len(cause.pairs)} of them)" if len(cause.pairs) > 1 and cause.scope else ""
    times = f"{main.seen / main.usual:.1f} times" if main.usual > 0 else "above"
    seen, usual = detail["seen"], detail["usual"]
    return Signal(
        kind="anomaly",
        keys=tuple(json.dumps(["anomaly", *pair]) for pair in cause.pairs),
        began_at=hour_start(cause.first),
        last_at=hour_start(cause.last + 1),
        is_over=cause.last < until - 1 - GAP_H,
        level=0,
        title=f"{main.metric.words}, {where}{many}: {times} usual ({seen} against {usual})",
        stake_pusd=cause.stake_pusd,
        detail=detail,
    )


def _figure(metric: str, value: float) -> str:
    """A figure for people; the unit is the metric's."""
    if metric == "unit_cost":
        return f"${value / 10**12:.4g}"
    if metric in ("uncached_share", "refused_share"):
        return f"{value:.1%}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def budget_signals(standing: Standing, now: datetime, known: frozenset[str] = frozenset()) -> list[Signal]:
    """
    A budget's share that is reached, and the day on which it will be used up.

    A forecast that hovers about the limit is one incident: with its key among the *known* it goes on for as long as the
    interval reaches the limit.
    """
    budget = standing.budget
    who = f"budget {budget.name}" + (f", {standing.value}" if standing.value else "")
    limit, spent = budget.limit_pusd, standing.spent_pusd
    detail: dict[str, Any] = {
        "budget": budget.name,
        "value": standing.value,
        "window": budget.window,
        "window_start": standing.starts_at.isoformat(),
        "window_end": standing.ends_at.isoformat(),
        "limit_usd": usd_text(limit),
        "spent_usd": usd_text(spent),
        "spent_figure_kind": "measured",
    }
    key = [budget.name, standing.value, int(standing.starts_at.timestamp())]
    found = []
    reached = standing.reached
    if reached is not None:
        percent = int(reached * 100)
        detail["notes"] = [f"spent {usd(spent)} of {usd(limit)}; the window ends {_day(standing.ends_at)}"]
        title = f"{who}: {percent}% of {usd(limit)} a {budget.window} is reached ({usd(spent)} spent)"
        keys = (json.dumps(["budget", *key]),)
        stake = max(0, spent - limit)
        found.append(Signal("budget", keys, standing.starts_at, now, False, percent, title, stake, detail))  # noqa: FBT003
    forecast_key = json.dumps(["forecast", *key])
    if standing.end_pusd is not None and (standing.will_pass or (forecast_key in known and standing.may_pass)):
        end = standing.end_pusd
        expected, earliest, latest = standing.over_at
        first, last = (_day(at) if at else "not in this window" for at in (earliest, latest))
        when = f"will pass its limit of {usd(limit)} on {_day(expected)}" if expected else f"may pass {usd(limit)}"
        low, likely, high = (usd(round(pusd)) for pusd in end)
        ends = _day(standing.ends_at)
        forecast = {
            "expected_over_at": expected.isoformat() if expected else None,
            "earliest_over_at": earliest.isoformat() if earliest else None,
            "latest_over_at": latest.isoformat() if latest else None,
            "end_usd": {name: usd_text(round(pusd)) for name, pusd in end._asdict().items()},
            "interval_percent": 80,
            "notes": [f"spent {usd(spent)} of {usd(limit)}; by {ends} {likely} ({low} to {high}, 80 percent, assumed)"],
        }
        title = f"{who}: {when} ({first} to {last})"
        stake = max(0, round(end.expected) - limit)
        signal = Signal("forecast", (forecast_key,), standing.starts_at, now, False, 0, title, stake, detail | forecast)  # noqa: FBT003
        found.append(signal)
    return found


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if (at.hour or at.minute) else f"{at:%Y-%m-%d}"


def settings_of(false_per_week: str, stake_min_usd: str, history_days: int) -> Settings:
    """
    Settings from the texts of the configuration.

    Raises:
        FarthingError: An amount that is none.

    """
    return Settings(float(false_per_week), parse_usd(stake_min_usd), history_days)
