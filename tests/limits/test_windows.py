"""Windows tile time in every zone, and end where the calendar of the zone says; checked against tables made by hand."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.limits.windows import ENDLESS, window_at

CALENDAR = ("hour", "day", "week", "month")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana",
         "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia")  # fmt: skip


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "zone", "at", "start", "end"),
    [
        ("day", "UTC", "2026-11-20T12:00", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("day", "Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("day", "Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("day", "America/New_York", "2026-11-01T05:30", "2026-11-01T04:00", "2026-11-02T05:00"),
        ("day", "America/Sao_Paulo", "2018-11-04T12:00", "2018-11-04T03:00", "2018-11-05T02:00"),  # no midnight
        ("day", "Asia/Kathmandu", "2026-11-20T18:14", "2026-11-19T18:15", "2026-11-20T18:15"),
        ("day", "Pacific/Apia", "2011-12-30T09:00", "2011-12-29T10:00", "2011-12-30T10:00"),  # its 30th never was
        ("week", "Europe/Berlin", "2026-10-25T12:00", "2026-10-18T22:00", "2026-10-25T23:00"),
        ("week", "UTC", "2026-11-22T23:59", "2026-11-16T00:00", "2026-11-23T00:00"),  # a Sunday is a week's last day
        ("month", "UTC", "2028-02-29T23:59", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "Europe/Berlin", "2026-03-31T22:00", "2026-03-31T22:00", "2026-04-30T22:00"),
        ("month", "Europe/Berlin", "2026-03-31T21:59", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("month", "America/New_York", "2026-12-01T04:59", "2026-11-01T04:00", "2026-12-01T05:00"),
        ("hour", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:00", "2026-10-25T01:00"),  # 2 o'clock, first
        ("hour", "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T01:00", "2026-10-25T02:00"),  # 2 o'clock, again
        ("hour", "Asia/Kathmandu", "2026-11-20T18:14", "2026-11-20T17:15", "2026-11-20T18:15"),
        ("hour", "Australia/Lord_Howe", "2026-10-03T15:40", "2026-10-03T15:30", "2026-10-03T16:00"),  # half an hour
    ],
)
def test_windows_by_hand(kind, zone, at, start, end):
    assert window_at(kind, utc(at), ZoneInfo(zone)) == (utc(start), utc(end))


@given(
    st.sampled_from(CALENDAR),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_windows_tile_time(kind, zone, at):
    found = window_at(kind, at, ZoneInfo(zone))
    assert found.holds(at)
    assert not found.holds(found.ends_at)
    assert found.ends_at - found.starts_at <= timedelta(days=31, hours=1)
    following = window_at(kind, found.ends_at, ZoneInfo(zone))
    assert following.starts_at == found.ends_at
    assert window_at(kind, found.starts_at, ZoneInfo(zone)) == found
    assert window_at(kind, found.ends_at - timedelta(microseconds=1), ZoneInfo(zone)) == found


@pytest.mark.parametrize("kind", ["call", "session", "run", "total"])
def test_no_calendar_ends_the_others(kind):
    found = window_at(kind, utc("2026-11-20T12:00"), ZoneInfo("UTC"))
    assert found == ENDLESS
    assert found.start_s == 0
    assert found.holds(utc("1999-01-01T00:00"))
