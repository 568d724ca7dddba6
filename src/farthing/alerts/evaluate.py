"""
One round: look at the ledger as it is now, and make of it incidents and what is to be told.

:func:`evaluate` is what a command, a gateway's owner or a page calls, as often as it likes: once an hour is enough,
because only whole hours are judged. It tells nobody; :func:`farthing.alerts.send.deliver` does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from farthing.alerts.anomalies import Watch, look
from farthing.alerts.budget import budget_key, budget_signal
from farthing.alerts.causes import Cause, causes
from farthing.alerts.drivers import drivers
from farthing.alerts.incidents import Signal
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
_WORSE_USD = tuple(10**digits for digits in range(2, 9))
"""An anomaly that has come to so many dollars at stake is worse than it was."""


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
    told = {key: one.told for one in store.incidents() for key in one.keys}
    of_budgets = (budget_signal(one, now, told.get(budget_key(one), ())) for one in standing)
    steps = store.advance([*found, *filter(None, of_budgets)], now, channels)
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
        marks=("anomaly", *(f"anomaly:{dollars}" for dollars in _WORSE_USD if cause.stake_pusd >= dollars * 10**12)),
    )


def _figure(metric: str, value: float) -> str:
    """A figure for people; the unit is the metric's."""
    if metric == "unit_cost":
        return f"${value / 10**12:.4g}"
    if metric in ("uncached_share", "refused_share"):
        return f"{value:.1%}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def settings_of(false_per_week: str, stake_min_usd: str, history_days: int) -> Settings:
    """
    Settings from the texts of the configuration.

    Raises:
        FarthingError: An amount that is none.

    """
    return Settings(float(false_per_week), parse_usd(stake_min_usd), history_days)
