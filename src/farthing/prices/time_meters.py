"""
What is billed by time: container-hours of code execution and running hours of managed agents.

No response says how long a container ran, so no call can carry this; the vendor bills it per organisation and month.
Amounts are exact fractions of a dollar; :attr:`TimeCost.posted_pusd` rounds a month once, by
:func:`farthing.money.nearest`.

Source: the vendor's pricing page, checked 2026-09: code execution 0.05 USD per container-hour, at least 5 minutes each
time, 1,550 hours free per organisation and month; managed agents 0.08 USD per hour, to the millisecond, only while a
session runs.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

from farthing import money
from farthing.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from farthing.prices.book import PriceBook
    from farthing.prices.schema import TimeMeter

Meter = Literal["code_execution", "managed_agent_session"]
_MS_PER_HOUR = 3_600_000
_MS_PER_MINUTE = 60_000


class TimeCost(NamedTuple):
    """
    What a month of use costs one organisation.

    Attributes:
        meter: The dated meter that priced it.
        used_hours: Hours with the minimum of each use in it.
        free_hours: Of them, how many are free.
        usd: Exact price of the rest.

    """

    meter: TimeMeter
    used_hours: Fraction
    free_hours: Fraction
    usd: Fraction

    @property
    def posted_pusd(self) -> int:
        """The month in picodollars, rounded once, half to even."""
        return money.nearest(self.usd * money.PUSD_PER_USD)


def meter_on(book: PriceBook, name: Meter, valid_on: date, known_on: date | None = None) -> TimeMeter | None:
    """The meter in force on a day, or None where there was none yet."""
    known = known_on or valid_on.max
    return next(
        (meter for meter in book.modifiers.time_meter if meter.name == name and meter.applies(valid_on, known)), None
    )


def month_cost(meter: TimeMeter, durations_ms: Iterable[int]) -> TimeCost:
    """
    Price one organisation's calendar month (UTC).

    Args:
        meter: The meter in force in that month.
        durations_ms: Each use in milliseconds, >= 0: a container's life, a session's running time. Leave out what is
            free of itself: containers of requests that also carry ``web_search_20260209`` or ``web_fetch_20260209`` or
            newer. A use that crosses midnight of the first belongs to each month with its part.

    Raises:
        BadInput: A duration is negative.

    """
    least_ms = meter.minutes_min * _MS_PER_MINUTE
    total_ms = 0
    for duration_ms in durations_ms:
        if duration_ms < 0:
            raise BadInput(f"read a duration of {duration_ms} ms", "0 or more")
        total_ms += max(duration_ms, least_ms)
    used = Fraction(total_ms, _MS_PER_HOUR)
    free = min(used, Fraction(meter.free_hours_per_month))
    return TimeCost(meter, used, free, (used - free) * Fraction(meter.usd_per_hour))
