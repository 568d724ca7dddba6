"""What was spent of a day's and a month's budget: as-billed list prices of all transcripts, whatever a report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from farthing import money
from farthing.reports.claude_code.sums import summed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from farthing.reports.claude_code.costing import Costed
    from farthing.reports.claude_code.periods import Calendar
    from farthing.units import Kind

PERIODS = {"day": "daily", "month": "monthly"}
"""Each budget, and the calendar's name for its period."""


class Budget(NamedTuple):
    """
    A budget and what was spent of it.

    Attributes:
        period: ``day`` or ``month``: the calendar's own, the one that goes on now.
        limit_pusd: The budget, in picodollars.
        spent_pusd: Exact cost of the calls that have a price.
        unpriced_calls: Calls left out of it: with any, more was spent than that.
        kind: How *spent_pusd* came to be.

    """

    period: str
    limit_pusd: int
    spent_pusd: int
    unpriced_calls: int
    kind: Kind

    @property
    def left_pusd(self) -> int:
        """What is left; negative where more was spent."""
        return self.limit_pusd - self.spent_pusd

    @property
    def is_over(self) -> bool:
        """Whether more was spent than the budget. Spending all of it is fine."""
        return self.left_pusd < 0


def budgets_of(items: list[Costed], calendar: Calendar, now: datetime, limits: Mapping[str, int]) -> list[Budget]:
    """
    What was spent of each budget.

    Args:
        items: Costed buckets of the whole of the longest period, or more; not told apart by less than days.
        calendar: Says where days and months begin.
        now: Chooses the day and the month.
        limits: Picodollars by ``day`` and ``month``; a period without a limit is not there.

    """
    found = []
    for period in (period for period in PERIODS if period in limits):
        start = calendar.last(1, PERIODS[period], now)
        total = summed([one for one in items if calendar.day(one.bucket.quarter) >= start])
        found.append(Budget(period, limits[period], total.priced_pusd, total.unpriced_calls, total.kind))
    return found


def budget_json(budgets: list[Budget]) -> dict[str, Any] | None:
    """``{"day": {...}, "month": {...}}``, amounts as exact decimal strings; None where there is no budget."""
    return {
        one.period: {
            "limitUsdExact": money.usd_text(one.limit_pusd),
            "spentUsdExact": money.usd_text(one.spent_pusd),
            "leftUsdExact": money.usd_text(one.left_pusd),
            "over": one.is_over,
            "unpricedCalls": one.unpriced_calls,
            "kind": str(one.kind),
        }
        for one in budgets
    } or None
