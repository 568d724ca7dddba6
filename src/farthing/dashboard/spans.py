"""
Which days a page is about, and what they are compared with. Pure.

A span that has not ended is compared with as much of the one before it: three weeks of a month with three weeks, to the
hour. Anything else would call every unfinished month a saving.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from farthing.errors import BadInput
from farthing.reports.periods import Named, read_period

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from farthing.ledger.interface import Bucket

PRESETS = (
    ("today", "Today"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("this-month", "This month"),
    ("last-month", "Last month"),
    ("90d", "90 days"),
)
"""Names in a URL, and what a page calls them."""
_ROLLING = {"7d": 7, "30d": 30, "90d": 90}
_HOUR = timedelta(hours=1)
DAYS_FROM, DAYS_TO = date(2000, 1, 1), date(2100, 1, 1)
"""Pages are about days from the first on and before the second: no token was sold earlier, and calendars end."""


class Span(NamedTuple):
    """
    Days, and the days before them.

    Attributes:
        name: As the URL has it.
        since, until: First instant in and first instant out, aware, UTC.
        before_since, before_until: The same of what it is compared with.
        zone: Whose days they are.

    """

    name: str
    since: datetime
    until: datetime
    before_since: datetime
    before_until: datetime
    zone: ZoneInfo

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.until.astimezone(self.zone).date() - self.since.astimezone(self.zone).date()).days

    @property
    def label(self) -> str:
        """``1-21 Nov 2026``."""
        return days_label(self.since, self.until, self.zone)

    @property
    def before_label(self) -> str:
        """The same of what it is compared with."""
        return days_label(self.before_since, self.before_until, self.zone)

    @property
    def bucket(self) -> Bucket:
        """The time bucket that gives its chart a few dozen bars at most."""
        return "hour" if self.days <= 2 else "day" if self.days <= 93 else "week" if self.days <= 400 else "month"


def span_of(name: str, zone: ZoneInfo, now: datetime, last_call: datetime | None) -> Span:
    """
    Read a span.

    Args:
        name: A preset, any period of :func:`farthing.reports.periods.read_period`, or empty: this month, or where it
            has no calls yet the month of the last one.
        zone: Whose days.
        now: What presets count from; aware.
        last_call: When the last call was sent; None: there is none.

    Raises:
        BadInput: It is none of these, or has days outside :data:`DAYS_FROM` and :data:`DAYS_TO`.

    """
    today = now.astimezone(zone).date()
    if not name and last_call is not None and last_call.astimezone(zone).date() < today.replace(day=1):
        name = f"{last_call.astimezone(zone):%Y-%m}"
    name = name or "this-month"
    if days := _ROLLING.get(name):
        named = Named(name, today - timedelta(days=days - 1), today + timedelta(days=1))
    else:
        named = read_period(name, today)
        if named.first < DAYS_FROM or named.after > DAYS_TO:
            raise BadInput(f"read the days {name[:40]!r}", f"days from {DAYS_FROM} on and before {DAYS_TO}")
    since, after = named.bounds(zone)
    until = min(after, _midnight_after(now, zone)) if since <= now else after
    return Span(name, since, until, *_before(named, since, until, now, zone), zone)


def _before(named: Named, since: datetime, until: datetime, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, after = named.first, named.after
    whole_months = first.day == 1 and after.day == 1 and 27 < (after - first).days < 32
    back = _month_before(first) if whole_months else first - timedelta(days=(after - first).days)
    before_since, before_end = Named("", back, first).bounds(zone)
    if now >= until:
        return before_since, before_end
    passed = now.replace(minute=0, second=0, microsecond=0) + _HOUR - since
    return before_since, min(before_since + passed, before_end)


def _month_before(first: date) -> date:
    return (first - timedelta(days=1)).replace(day=1)


def _midnight_after(now: datetime, zone: ZoneInfo) -> datetime:
    day = now.astimezone(zone).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def days_label(since: datetime, until: datetime, zone: ZoneInfo) -> str:
    """Days in words, the last one included: ``1-21 Nov 2026``, ``28 Oct - 3 Nov 2026``."""
    first = since.astimezone(zone).date()
    last = (until.astimezone(zone) - timedelta(microseconds=1)).date()
    end = f"{last.day} {last:%b %Y}"
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}\u2013{end}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} \u2013 {end}"
