"""
Budgets of the limits file against the ledger: spent in the window that is open, and whether its end is in sight.

What counts is the ledger's list price by whole hours of UTC: where a zone is off by half an hour, the hour in which a
window begins counts whole. A scope by ``model`` is matched with the model that served.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from farthing.alerts.outlook import HISTORY_H_MIN, Z80, Total, outlook
from farthing.alerts.series import HOUR_S, hour_number, hour_start
from farthing.ledger.interface import Query
from farthing.limits.windows import window_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from fractions import Fraction

    from farthing.alerts.outlook import Outlook
    from farthing.ledger.interface import Ledger
    from farthing.limits.budgets import Budget

_CALENDAR = ("hour", "day", "week", "month")
_FORECAST = ("day", "week", "month")
VALUES_MAX = 200
"""Values of ``each`` that are looked at, dearest first."""


class Standing(NamedTuple):
    """
    One budget, for one value it is split by, in the window that is open.

    Attributes:
        budget: Which.
        value: ``tenant=acme``, empty where all share it.
        starts_at, ends_at: Its window; aware, UTC.
        spent_pusd: So far, at list; measured.
        end_pusd: What it will be at the end of the window; assumed. None where it is not forecast.
        over_at: When it is expected to pass the limit, and the earliest and latest with 80 percent; each None where
            that is not before the end of the window.

    """

    budget: Budget
    value: str
    starts_at: datetime
    ends_at: datetime
    spent_pusd: int
    end_pusd: Total | None
    over_at: tuple[datetime | None, datetime | None, datetime | None]

    @property
    def reached(self) -> Fraction | None:
        """The highest share of ``alert_at`` that is spent; None where none is."""
        limit = self.budget.limit_pusd
        return next((one for one in reversed(self.budget.alert_at) if self.spent_pusd >= one * limit), None)

    @property
    def will_pass(self) -> bool:
        """Whether it is expected to pass its limit, and has not yet."""
        return self.over_at[0] is not None and self.spent_pusd < self.budget.limit_pusd

    @property
    def may_pass(self) -> bool:
        """Whether the interval of its end reaches its limit, and its spend does not yet."""
        return self.over_at[1] is not None and self.spent_pusd < self.budget.limit_pusd


def standings(ledger: Ledger, budgets: Sequence[Budget], now: datetime, history_days: int) -> list[Standing]:
    """Every budget of a calendar window, per value, as it stands at *now* (aware); dearest value first."""
    found = []
    for budget in budgets:
        if budget.window not in _CALENDAR:
            continue
        window = window_at(budget.window, now, budget.zone)
        assert window.starts_at is not None
        assert window.ends_at is not None
        since = min(hour_start(hour_number(now)) - timedelta(days=history_days), _whole_hour(window.starts_at))
        by_value = spent_by_hour(ledger, budget, since, now)
        dearest = sorted(by_value, key=lambda value: (-sum(by_value[value].values()), value))
        found += [
            _standing(budget, value, by_value[value], (window.starts_at, window.ends_at), now)
            for value in dearest[:VALUES_MAX]
        ]
    return found


def spent_by_hour(ledger: Ledger, budget: Budget, since: datetime, until: datetime) -> dict[str, dict[int, int]]:
    """What calls under *budget* cost at list, by value and hour."""
    names = tuple(dict.fromkeys([*(name for name, _ in budget.scope), *([budget.each] if budget.each else [])]))
    found: dict[str, dict[int, int]] = {}
    for row in ledger.report(Query(by=names, bucket="hour", since=since, until=until)):
        dims = {name: value for name, value in zip(names, row.key, strict=True) if value}
        model = dims.get("model", "")
        if budget.matches(dims, model):
            assert row.start is not None
            hours = found.setdefault(budget.value_of(dims, model), {})
            number = hour_number(row.start)
            hours[number] = hours.get(number, 0) + row.list_pusd
    return found


def _standing(
    budget: Budget, value: str, hours: Mapping[int, int], window: tuple[datetime, datetime], now: datetime
) -> Standing:
    starts_at, ends_at = window
    spent = sum(pusd for number, pusd in hours.items() if hour_start(number) >= _whole_hour(starts_at))
    this = hour_number(now)
    history = [float(hours.get(number, 0)) for number in range(min(hours), this)] if hours else []
    if budget.window not in _FORECAST or len(history) < HISTORY_H_MIN:
        return Standing(budget, value, starts_at, ends_at, spent, None, (None, None, None))
    ahead = max(0, -(-int((ends_at - hour_start(this)).total_seconds()) // HOUR_S))
    known = outlook(history)
    coming = known.hours(ahead)
    if coming:  # of the hour that is under way only the rest is to come
        coming[0] *= 1 - (now.timestamp() % HOUR_S) / HOUR_S
    standing = Standing(budget, value, starts_at, ends_at, spent, None, (None, None, None))
    return _with_forecast(standing, coming, known, now)


def _with_forecast(standing: Standing, coming: Sequence[float], known: Outlook, now: datetime) -> Standing:
    limit, spent = standing.budget.limit_pusd, standing.spent_pusd
    crossed: list[datetime | None] = []
    for z in (0.0, Z80, -Z80):
        sum_so_far, at = 0.0, None
        for step, pusd in enumerate(coming, 1):
            sum_so_far += pusd
            if spent + max(0.0, sum_so_far + z * known.spread(step)) >= limit:
                at = hour_start(hour_number(now) + step - 1)
                break
        crossed.append(None if at is None else max(at, now))
    more, off = sum(coming), Z80 * known.spread(len(coming))
    end = Total(spent + max(0.0, more - off), spent + more, spent + more + off)
    expected, earliest, latest = crossed
    return standing._replace(end_pusd=end, over_at=(expected, earliest, latest))


def _whole_hour(at: datetime) -> datetime:
    return hour_start(hour_number(at))
