"""What the whole ledger, or a part of it, is expected to cost: the next day by the hour, and the month. Reads sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from farthing.alerts.outlook import HISTORY_H_MIN, Total, outlook
from farthing.alerts.series import HOUR_S, hour_number, hour_start
from farthing.ledger.interface import Query
from farthing.limits.windows import window_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.ledger.interface import Ledger

_DAY_H = 24
_UTC = ZoneInfo("UTC")


class Coming(NamedTuple):
    """
    A forecast.

    Attributes:
        hours_known: Hours of history it is made of.
        month_spent_pusd: Spent in the calendar month (UTC) so far, at list; measured.
        month_end_pusd: What it will be at its end; assumed. None where there is too little history.
        month_ends_at: Aware, UTC.
        day_pusd: The next 24 hours together; None likewise.
        by_hour: Start of each of the next 24 hours, and what it is expected to cost, picodollars.

    """

    hours_known: int
    month_spent_pusd: int
    month_end_pusd: Total | None
    month_ends_at: datetime
    day_pusd: Total | None
    by_hour: tuple[tuple[datetime, float], ...]


def coming(ledger: Ledger, now: datetime, where: Mapping[str, tuple[str, ...]], history_days: int) -> Coming:
    """
    Forecast from *now* (aware) on.

    Args:
        ledger: Open.
        now: The hour that is under way counts as it is expected to be.
        where: Which calls, as in a query.
        history_days: How far back is looked.

    """
    window = window_at("month", now, _UTC)
    assert window.starts_at is not None
    assert window.ends_at is not None
    this = hour_number(now)
    since = min(window.starts_at, hour_start(this - 24 * history_days))
    rows = ledger.report(Query(bucket="hour", since=since, until=now, where=dict(where)))
    spent = {hour_number(row.start): row.list_pusd for row in rows if row.start is not None}
    month = sum(pusd for number, pusd in spent.items() if hour_start(number) >= window.starts_at)
    history = [float(spent.get(number, 0)) for number in range(min(spent), this)] if spent else []
    if len(history) < HISTORY_H_MIN:
        return Coming(len(history), month, None, window.ends_at, None, ())
    ahead = int((window.ends_at - hour_start(this)).total_seconds()) // HOUR_S
    known, done = outlook(history), month - spent.get(this, 0)
    ends = Total(*(max(float(month), done + part) for part in known.total(ahead)))
    by_hour = tuple((hour_start(this + n), pusd) for n, pusd in enumerate(known.hours(_DAY_H)))
    return Coming(len(history), month, ends, window.ends_at, known.total(_DAY_H), by_hour)
