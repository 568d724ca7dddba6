"""
Days, weeks and months of a time zone.

A quarter-hour lies within one day in every zone in use, so buckets have a day of their own. ``None`` as a zone is the
machine's: Python then applies its rules for each instant, daylight saving included.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

from farthing.errors import BadInput
from farthing.sources.claude_code.buckets import QUARTER_US, from_us

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PERIODS = {"daily": "date", "weekly": "week", "monthly": "month"}
"""Each report by period, and the JSON key of its label."""


class Days(NamedTuple):
    """First and last day of a report, both inclusive; None: no limit."""

    since: date | None = None
    until: date | None = None

    def __contains__(self, day: object) -> bool:
        """Whether a day lies within."""
        assert isinstance(day, date)
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)

    def instants(self) -> tuple[datetime | None, datetime | None]:
        """UTC instants ``[since, until)`` that hold these days in any zone: a first sieve, before the day decides."""
        day = timedelta(days=1)
        return (
            None if self.since is None or self.since == date.min else midnight_before(self.since),
            None if self.until is None or self.until > date.max - 2 * day else _midnight(self.until + 2 * day),
        )


class Calendar:
    """Which day a quarter-hour belongs to in *zone*, remembered, for there are many buckets to each."""

    def __init__(self, zone: tzinfo | None, week_start: str = "sunday") -> None:
        self.zone = zone
        self.first_weekday = WEEKDAYS.index(week_start)
        self._days: dict[int, date] = {}

    def day(self, quarter: int) -> date:
        """The day of a quarter-hour since 1970 UTC."""
        found = self._days.get(quarter)
        if found is None:
            found = self._days[quarter] = from_us(quarter * QUARTER_US).astimezone(self.zone).date()
        return found

    def day_of(self, microseconds: int) -> date:
        """The day of a moment, in microseconds since 1970 UTC."""
        return self.day(microseconds // QUARTER_US)

    def label(self, day: date, period: str) -> str:
        """
        What a row is called: the day, the first day of the week, or the month.

        *period* is a key of :data:`PERIODS`.
        """
        if period == "monthly":
            return f"{day.year:04d}-{day.month:02d}"
        if period == "weekly":
            return self.week(day).isoformat()
        return day.isoformat()

    def week(self, day: date) -> date:
        """The first day of the week that *day* lies in."""
        return day - timedelta(days=(day.weekday() - self.first_weekday) % 7)

    def last(self, count: int, period: str, now: datetime) -> date:
        """
        First day of the most recent *count* periods; 1 is today, this week or this month.

        Raises:
            BadInput: *count* is not positive, or longer ago than dates go.

        """
        today = now.astimezone(self.zone).date()
        try:
            if count < 1:
                raise ValueError  # noqa: TRY301 - one message for both
            if period == "monthly":
                months = today.year * 12 + today.month - count
                return date(months // 12, months % 12 + 1, 1)
            start, length = (self.week(today), 7) if period == "weekly" else (today, 1)
            return start - timedelta(days=(count - 1) * length)
        except (ValueError, OverflowError):
            raise BadInput(f"read --last {count}", "how many periods, 1 or more") from None


def midnight_before(day: date) -> datetime:
    """A UTC midnight before *day* begins in any zone: a first sieve, before the day decides."""
    return _midnight(day - timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
