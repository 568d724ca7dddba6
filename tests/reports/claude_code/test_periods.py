from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from farthing.errors import BadInput
from farthing.reports.claude_code.periods import Calendar, Days
from farthing.sources.claude_code.buckets import to_us


def us(text):
    return to_us(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("at", "zone", "day"),
    [
        ("2026-10-24T22:00:00Z", "Europe/Berlin", "2026-10-25"),  # summer time ends on that day: it has 25 hours
        ("2026-10-25T22:59:59Z", "Europe/Berlin", "2026-10-25"),
        ("2026-10-25T23:00:00Z", "Europe/Berlin", "2026-10-26"),
        ("2026-03-28T23:00:00Z", "Europe/Berlin", "2026-03-29"),  # and begins on that one: 23 hours
        ("2026-03-29T21:59:59Z", "Europe/Berlin", "2026-03-29"),
        ("2026-03-29T22:00:00Z", "Europe/Berlin", "2026-03-30"),
        ("2026-11-20T18:14:59Z", "Asia/Kathmandu", "2026-11-20"),  # UTC+05:45
        ("2026-11-20T18:15:00Z", "Asia/Kathmandu", "2026-11-21"),
        ("2026-11-20T03:29:59Z", "America/St_Johns", "2026-11-19"),  # UTC-03:30
        ("2026-11-20T03:30:00Z", "America/St_Johns", "2026-11-20"),
    ],
)
def test_a_quarter_hour_belongs_to_the_day_that_clocks_show(at, zone, day):
    assert Calendar(ZoneInfo(zone)).day_of(us(at)) == date.fromisoformat(day)


def test_without_a_zone_the_machine_s_own_counts(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert Calendar(None).day_of(us("2026-11-20T15:00:00Z")) == date(2026, 11, 21)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("first", "week"),
    [("sunday", "2026-11-15"), ("monday", "2026-11-16"), ("friday", "2026-11-20"), ("saturday", "2026-11-14")],
)
def test_a_week_is_called_by_its_first_day(first, week):
    assert Calendar(UTC, first).label(date(2026, 11, 20), "weekly") == week  # a Friday


def test_months_and_days_have_their_labels():
    calendar = Calendar(UTC)
    assert calendar.label(date(2026, 1, 9), "monthly") == "2026-01"
    assert calendar.label(date(2026, 1, 9), "daily") == "2026-01-09"


@pytest.mark.parametrize(
    ("count", "period", "first"),
    [
        (1, "daily", "2026-11-20"),
        (3, "daily", "2026-11-18"),
        (1, "weekly", "2026-11-15"),
        (2, "weekly", "2026-11-08"),
        (1, "monthly", "2026-11-01"),
        (12, "monthly", "2025-12-01"),
    ],
)
def test_last_counts_calendar_periods_back(count, period, first):
    assert Calendar(UTC).last(count, period, datetime(2026, 11, 20, 9, tzinfo=UTC)) == date.fromisoformat(first)


@pytest.mark.parametrize("count", [0, -1, 10**9])
@pytest.mark.parametrize("period", ["daily", "weekly", "monthly"])
def test_last_refuses_what_is_no_count(count, period):
    with pytest.raises(BadInput, match="--last"):
        Calendar(UTC).last(count, period, datetime(2026, 11, 20, tzinfo=UTC))


def test_days_are_inclusive_and_their_sieve_is_wider():
    days = Days(date(2026, 11, 19), date(2026, 11, 20))
    assert [day in days for day in (date(2026, 11, 18), *days, date(2026, 11, 21))] == [False, True, True, False]
    since, until = days.instants()
    assert since <= datetime(2026, 11, 19, tzinfo=ZoneInfo("Pacific/Kiritimati"))  # UTC+14
    assert until >= datetime(2026, 11, 21, tzinfo=ZoneInfo("Etc/GMT+12"))
    assert Days().instants() == Days(date.min, date.max).instants() == (None, None)
