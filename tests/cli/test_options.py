"""Days, spans and filters as people type them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from farthing.cli.options import day, filters, time_range
from farthing.errors import BadInput

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, (None, None)),
        ("2026-11-01", "2026-11-02", (at(2026, 10, 31, 23), at(2026, 11, 2, 23))),
        ("20261101", None, (at(2026, 10, 31, 23), None)),
        ("2026-11-01T06:00:00Z", "2026-11-01T07:00:00", (at(2026, 11, 1, 6), at(2026, 11, 1, 6))),
        ("2026-10-25", "2026-10-25", (at(2026, 10, 24, 22), at(2026, 10, 25, 23))),  # 25 hours: the clock goes back
    ],
)
def test_days_are_days_of_the_zone_and_until_is_inclusive(since, until, expected):
    assert time_range(since, until, None, ZONE, NOW) == expected


@pytest.mark.parametrize(
    ("last", "start"),
    [
        ("24h", at(2026, 11, 19, 15, 30)),
        ("1d", at(2026, 11, 19, 23)),
        ("30d", at(2026, 10, 21, 22)),
        ("1w", at(2026, 11, 13, 23)),
        ("1m", at(2026, 10, 31, 23)),
        ("12M", at(2025, 11, 30, 23)),
    ],
)
def test_last_counts_today_in(last, start):
    assert time_range(None, None, last, ZONE, NOW) == (start, None)


@pytest.mark.parametrize("last", ["", "0d", "d", "-1d", "1y", "1.5d", "999999d"])
def test_a_span_that_is_none_is_refused(last):
    with pytest.raises(BadInput, match="30d"):
        time_range(None, None, last, ZONE, NOW)


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "2026-02-30", "9999-12-31"])
def test_a_day_that_is_none_is_refused(text):
    with pytest.raises(BadInput):
        time_range(None, text, None, ZONE, NOW)


def test_filters_gather_values_and_empty_means_not_set():
    assert filters(None) == {}
    assert filters(["tenant=acme", "user=", "tenant=a=b"]) == {"tenant": ("acme", "a=b"), "user": ("",)}
    with pytest.raises(BadInput):
        filters(["=x"])


def test_day():
    assert day(None, "--at") is None
    assert str(day("20261120", "--at")) == "2026-11-20"
