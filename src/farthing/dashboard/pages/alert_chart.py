"""The picture of one incident: its measure, or its budget's spend, beside what was expected."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from farthing.alerts.owners import spent_by_hour
from farthing.alerts.series import BY_NAME, NOTHING, history_start, hour_number, hour_start, read_hours, series_of
from farthing.alerts.watch import watched
from farthing.dashboard.blocks import Cell, Chart, Column, Table
from farthing.dashboard.cells import dollars, usd
from farthing.dashboard.charts import Frame, Track, both, tracked
from farthing.dashboard.expected import usual_band, window_bands
from farthing.errors import BadConfig
from farthing.ledger.zones import bucket_start
from farthing.limits.windows import window_at
from farthing.units import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farthing.alerts.incidents import Incident
    from farthing.alerts.series import Facts, Metric
    from farthing.dashboard.visit import Visit
    from farthing.ledger.interface import Bucket, Ledger, Query, Row
    from farthing.limits.budgets import Budget

_SHOWN_H, _BEFORE_H, _AFTER_H = 10 * 24, 6 * 24, 12
_PARTS = 10_000
_STEP = {"day": "hour", "week": "day", "month": "day"}
_LONGEST = timedelta(hours=26)


class _Unit(NamedTuple):
    """How a measure is drawn and told: whole parts of its unit, in words, and exactly; *most* parts there can be."""

    name: str
    parts: int
    shown: Callable[[int], str]
    exact: Callable[[int], Cell]
    most: int | None = None


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(value: int) -> str:
    return f"{value / (_PARTS // 100):.1f} %"


_COUNT = _Unit("count", 1, _count, lambda value: Cell(_count(value), value))
_SHARE = _Unit("share", _PARTS, _percent, lambda value: Cell(_percent(value), f"{value / _PARTS:.4f}"), most=_PARTS)
_UNITS = {
    "unit_cost": _Unit("usd_per_call", 1, dollars, usd),
    "uncached_share": _SHARE,
    "refused_share": _SHARE,
}


def incident_chart(visit: Visit, incident: Incident) -> tuple[Chart, Table] | None:
    """The picture and the same as a table; None where the ledger, or the limits file, does not tell enough."""
    key = ("incident", msgspec.json.encode(incident), hour_number(visit.now), visit.zone.key)
    draw = _of_measure if incident.kind == "anomaly" else _of_budget
    return visit.reader.kept(key, lambda: draw(visit, incident))


class _Members:
    """The calls that an incident is about, as a ledger that only reports."""

    def __init__(self, visit: Visit, members: Sequence[tuple[str, str]], metric: Metric) -> None:
        self._visit = visit
        self._metric = metric
        self._where = {
            "tenant": tuple(sorted({tenant for tenant, _ in members})),
            "feature": tuple(sorted({feature for _, feature in members})),
        }

    def report(self, query: Query) -> list[Row]:
        if query.where and self._metric.name != "refused_share":  # refusals and retries, of no use to the others
            return []
        return self._visit.reader.report(msgspec.structs.replace(query, where={**query.where, **self._where}))


def _of_measure(visit: Visit, incident: Incident) -> tuple[Chart, Table] | None:
    """The hours of all members together, in the measure that explains the others."""
    metric = BY_NAME.get(cast("Any", incident.detail.get("metric")))
    members = [(one["tenant"] or "", one["feature"] or "") for one in incident.detail.get("members", ())]
    if metric is None or not members:
        return None
    first, last = hour_number(incident.began_at), hour_number(incident.last_at) - 1
    until = min(hour_number(visit.now), last + 1 + _AFTER_H)
    shown = range(max(first - _BEFORE_H, until - _SHOWN_H), until)
    since = history_start(incident.began_at, visit.desk.history_days)
    ledger = cast("Ledger", _Members(visit, members, metric))
    model = dict(incident.detail.get("scope", {})).get("model")
    facts: dict[int, Facts] = {}
    for member, hours in read_hours(ledger, since, hour_start(until)).items():
        if member.pair in members and (model is None or member.model == model):
            for number, one in hours.items():
                facts[number] = facts.get(number, NOTHING).plus(one)
    series = series_of(facts, metric, until)
    seen = {hour.number: hour.amount / hour.calls for hour in series if hour.calls > 0}
    if not seen:
        return None
    unit = _UNITS.get(metric.name, _COUNT)
    band = usual_band(seen, watched(series, metric.tuning), first, shown)
    track = Track(
        tuple(round(seen[number] * unit.parts) if number in seen else None for number in shown),
        tuple(_whole(band.get(number), unit) for number in shown),
        tuple(first <= number <= last for number in shown),
        axis=tuple(_midnight(hour_start(number), visit) for number in shown),
    )
    hours_shown = [hour_start(number) for number in shown]
    labels = [f"{at.astimezone(visit.zone):%-d %b %H:%M}" for at in hours_shown]
    title = f"{metric.words[0].upper()}{metric.words[1:]}, by the hour"
    words = "Shaded grey: where four hours in five were, around what was usual. Shaded red: the hours of this incident."
    return _made(title, words if band else "Too little history for a band.", hours_shown, labels, track, unit)


def _midnight(at: datetime, visit: Visit) -> str:
    """The day, below its first hour alone."""
    local = at.astimezone(visit.zone)
    return f"{local:%-d %b}" if local.hour == 0 else ""


def _whole(pair: tuple[float, float] | None, unit: _Unit) -> tuple[int, int] | None:
    """A band in parts of the unit: what was usual times a spread may be more than there can be."""
    if pair is None:
        return None
    low, high = (round(end * unit.parts) for end in pair)
    return (low, high) if unit.most is None else (min(low, unit.most), min(high, unit.most))


def _of_budget(visit: Visit, incident: Incident) -> tuple[Chart, Table] | None:
    """What was spent in the window so far, and where it is expected to go."""
    budget = _budget(visit, str(incident.detail.get("budget", "")))
    if budget is None or budget.window not in _STEP:
        return None
    starts_at = datetime.fromisoformat(str(incident.detail["window_start"]))
    window = window_at(budget.window, starts_at, budget.zone)
    assert window.ends_at is not None
    bucket = cast("Bucket", _STEP[budget.window])
    step = timedelta(hours=1) if bucket == "hour" else _LONGEST
    edges = [starts_at]
    while edges[-1] < window.ends_at:
        edges.append(min(window.ends_at, bucket_start(edges[-1] + step, bucket, budget.zone)))
    since = history_start(starts_at, visit.desk.history_days)
    by_value = spent_by_hour(cast("Ledger", visit.reader), budget, since, min(visit.now, window.ends_at))
    hours = by_value.get(str(incident.detail.get("value", "")), {})
    ends = edges[1:]
    seen = [
        _spent(hours, starts_at, end) if start <= visit.now else None for start, end in zip(edges, ends, strict=False)
    ]
    spent = _spent(hours, starts_at, window.ends_at)
    band = window_bands(hours, spent, visit.now, ends) if visit.now < window.ends_at else [None] * len(ends)
    limit = budget.limit_pusd
    track = Track(tuple(seen), tuple(band), tuple(one is not None and one >= limit for one in seen), limit)
    form = "%H:%M" if bucket == "hour" else "%-d %b"
    labels = [f"{at.astimezone(budget.zone):{form}}" for at in edges[:-1]]
    unit = _Unit("usd", 1, dollars, usd)
    words = f"The dashed line is the limit, {dollars(limit)}. Shaded: where it is expected to be, four times in five."
    return _made(f"Spent in this {budget.window}, summed up", words, edges[:-1], labels, track, unit)


def _spent(hours: dict[int, int], since: datetime, until: datetime) -> int:
    first, end = hour_number(since), hour_number(until)
    return sum(pusd for number, pusd in hours.items() if first <= number < end)


def _budget(visit: Visit, name: str) -> Budget | None:
    from farthing.limits.file import read_limits  # noqa: PLC0415

    if visit.desk.limits is None or not visit.desk.limits.exists():
        return None
    try:
        return next((one for one in read_limits(visit.desk.limits).budgets if one.name == name), None)
    except BadConfig:  # the list of incidents says so
        return None


def _made(  # noqa: PLR0917 - what a picture is made of
    title: str, words: str, starts: Sequence[datetime], labels: Sequence[str], track: Track, unit: _Unit
) -> tuple[Chart, Table]:
    spikes = sum(track.marked)
    says = f"{title}, {len(labels)} figures, {spikes} of them marked."
    wide, narrow = both(
        lambda width, key: tracked(Frame(key, title, says, unit.shown), labels, track, width), "incident"
    )
    kind = str(Kind.ASSUMED if any(track.band) else Kind.MEASURED)
    columns = (
        Column("start", "From"),
        Column(unit.name, "Came", is_number=True),
        Column(f"expected_low_{unit.name}", "Expected from", is_number=True),
        Column(f"expected_high_{unit.name}", "to", is_number=True),
        Column("marked", ""),
    )
    none = Cell("", None)
    rows = tuple(
        (
            Cell(label, at.isoformat()),
            none if seen is None else unit.exact(seen),
            none if band is None else unit.exact(band[0]),
            none if band is None else unit.exact(band[1]),
            Cell("here" if marked else "", "yes" if marked else None, tone="bad" if marked else ""),
        )
        for at, label, seen, band, marked in zip(starts, labels, track.seen, track.band, track.marked, strict=True)
    )
    chart = Chart(title, wide, narrow, (), kind, words)
    return chart, Table("hours", f"{title}, as a table", columns, rows, kind, is_folded=True)
