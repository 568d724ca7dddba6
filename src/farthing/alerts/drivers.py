"""
What drives an incident: the model, the prompt, the user whose cost grew most, and the unit that did. Reads sums.

The hours of the episode are set against the same number of hours, on average, of the week before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farthing.alerts.series import hour_start
from farthing.ledger.interface import Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farthing.alerts.causes import Cause
    from farthing.call import Usage
    from farthing.ledger.interface import Ledger, Row

_WEEK_H = 168
_LOOKED_AT = ("model", "tenant", "feature", "prompt")
_WEIGHTS = {
    "input_tokens": 100,
    "cache_write_5m_tokens": 125,
    "cache_write_1h_tokens": 200,
    "cache_read_tokens": 10,
    "output_tokens": 500,
}
"""
What a token of each unit costs against one of input, in percent: the ratios of the published list prices, which every
current model shares nearly enough to say which unit grew (facts on prices, checked 2026-11-21). Never used for money.
"""


class Driver(NamedTuple):
    """
    One reason.

    Attributes:
        dimension: ``model``, ``tenant``, ``feature``, ``prompt`` or ``unit``.
        value: Which.
        more_pusd: How much more it cost than in as many hours of the week before; None for a unit.
        share_percent: Of all that grew, how much is its.

    """

    dimension: str
    value: str
    more_pusd: int | None
    share_percent: int


def drivers(ledger: Ledger, cause: Cause) -> tuple[Driver, ...]:
    """The strongest reason per dimension, those first that explain most; none where nothing grew."""
    where: dict[str, tuple[str, ...]] = {
        "tenant": tuple(sorted({tenant for tenant, _ in cause.pairs})),
        "feature": tuple(sorted({feature for _, feature in cause.pairs})),
    }
    start, end = hour_start(cause.first), hour_start(cause.last + 1)
    before = hour_start(cause.first - _WEEK_H)
    fixed = dict(cause.scope)
    found = []
    for dimension in _LOOKED_AT:
        if dimension in fixed and dimension != "model":
            continue
        now = ledger.report(Query(by=(dimension,), since=start, until=end, where=where))
        past = ledger.report(Query(by=(dimension,), since=before, until=start, where=where))
        if driver := strongest(dimension, now, past, cause.last + 1 - cause.first):
            found.append(driver)
    total_now = ledger.report(Query(since=start, until=end, where=where))
    total_past = ledger.report(Query(since=before, until=start, where=where))
    if total_now and total_past and (unit := unit_that_grew(total_now[0], total_past[0])):
        found.append(unit)
    return tuple(sorted(found, key=lambda one: -one.share_percent))


def strongest(dimension: str, now: Sequence[Row], past: Sequence[Row], hours: int) -> Driver | None:
    """The value whose cost grew most; None where none grew or no value is set."""
    usual = {row.key[0]: row.list_pusd * hours // _WEEK_H for row in past}
    more = {row.key[0]: row.list_pusd - usual.get(row.key[0], 0) for row in now}
    grew = {value: pusd for value, pusd in more.items() if value and pusd > 0}
    if not grew:
        return None
    value = max(sorted(grew), key=lambda one: grew[one])
    return Driver(dimension, value, grew[value], grew[value] * 100 // sum(pusd for pusd in more.values() if pusd > 0))


def unit_that_grew(now: Row, past: Row) -> Driver | None:
    """The unit of which a call has more than it had, weighed by what it costs; None where no unit grew."""
    if not now.calls or not past.calls:
        return None
    grown = {unit: _weight(now.usage, unit) / now.calls - _weight(past.usage, unit) / past.calls for unit in _WEIGHTS}
    rises: Mapping[str, float] = {unit: more for unit, more in grown.items() if more > 0}
    if not rises:
        return None
    unit = max(sorted(rises), key=lambda one: rises[one])
    return Driver("unit", unit, None, int(rises[unit] * 100 / sum(rises.values())))


def _weight(usage: Usage, unit: str) -> int:
    count: int = getattr(usage, unit)
    return count * _WEIGHTS[unit]
