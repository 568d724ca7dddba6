"""Periods by name."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from farthing.errors import BadInput
from farthing.reports.periods import read_period

TODAY = date(2026, 1, 14)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026-09", "2026-09-01", "2026-10-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-09-14", "2026-09-14", "2026-09-15"),
        ("2026-W03", "2026-01-12", "2026-01-19"),
        ("2026-09-01..2026-09-14", "2026-09-01", "2026-09-15"),
        ("2026-08..2026-09", "2026-08-01", "2026-10-01"),
        ("today", "2026-01-14", "2026-01-15"),
        ("yesterday", "2026-01-13", "2026-01-14"),
        ("this-week", "2026-01-12", "2026-01-19"),
        ("last-week", "2026-01-05", "2026-01-12"),
        ("this-month", "2026-01-01", "2026-02-01"),
        ("last-month", "2025-12-01", "2026-01-01"),
        ("last-year", "2025-01-01", "2026-01-01"),
    ],
)
def test_a_period_is_whole_days(text, first, after):
    found = read_period(text, TODAY)
    assert (str(found.first), str(found.after)) == (first, after)
    assert found.days == (date.fromisoformat(after) - date.fromisoformat(first)).days


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13", "2026-00", "2026-09-31", "next-month", "2026-09..", "2026-10..2026-09", "9999"]
)
def test_what_is_no_period_is_refused_with_an_example(text):
    with pytest.raises(BadInput, match="2026-09"):
        read_period(text, TODAY)


def test_days_are_days_of_a_zone():
    found = read_period("2026-09", TODAY).bounds(ZoneInfo("Europe/Berlin"))
    assert found == (datetime(2026, 8, 31, 22, tzinfo=UTC), datetime(2026, 9, 30, 22, tzinfo=UTC))
