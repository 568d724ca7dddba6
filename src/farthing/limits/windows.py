"""
The window that a budget counts in: from when, until when. Pure.

Calendar windows are those of the budget's time zone, so a day of a clock change has 23 or 25 hours, and a month ends
where the calendar says. They tile time: each instant lies in one window, and one ends where the next begins. Windows
that no calendar ends (a session, a run, everything) begin at no time and never end. Weeks start on Monday.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from farthing.ledger.zones import bucket_start

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

WindowKind = Literal["call", "session", "run", "hour", "day", "week", "month", "total"]

_STEP = timedelta(minutes=15)  # every change of a clock, and so every end of an hour, falls on a quarter
_DAYS = {"day": 1, "week": 7}


class Window(NamedTuple):
    """From *starts_at* (inclusive) until *ends_at* (exclusive), aware, UTC; both None where no calendar ends it."""

    starts_at: datetime | None
    ends_at: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether *at* (aware) lies in it."""
        return self.starts_at is None or self.ends_at is None or self.starts_at <= at < self.ends_at

    @property
    def start_s(self) -> int:
        """Its start in seconds since 1970, what a store knows it by; 0 where it has none."""
        return 0 if self.starts_at is None else int(self.starts_at.timestamp())


ENDLESS = Window(None, None)


def window_at(kind: WindowKind, at: datetime, zone: ZoneInfo) -> Window:
    """The window of *kind* in *zone* that *at* (aware) lies in."""
    if kind not in ("hour", "day", "week", "month"):
        return ENDLESS
    start = bucket_start(at, kind, zone)
    if kind == "hour":
        return Window(start, _hour_end(start, zone))
    first = start.astimezone(zone).date()
    following = _next_month(first) if kind == "month" else first + timedelta(days=_DAYS[kind])
    return Window(start, datetime(following.year, following.month, following.day, tzinfo=zone).astimezone(UTC))


def _hour_end(start: datetime, zone: ZoneInfo) -> datetime:
    """The first instant of another hour; clocks that go by half an hour make hours of 30 and of 90 minutes."""
    end = start + _STEP
    while bucket_start(end, "hour", zone) == start:
        end += _STEP
    return end


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
