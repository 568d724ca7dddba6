"""Days and the days they are compared with: as much of one as of the other."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.dashboard.spans import PRESETS, days_label, span_of
from farthing.errors import BadInput

NOW = datetime(2026, 11, 19, 15, 30, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_running_month_is_compared_with_as_many_hours_of_the_one_before():
    span = span_of("this-month", ZONE, NOW, NOW)
    assert (span.since, span.until) == (at("2026-11-01"), at("2026-11-20"))
    assert (span.before_since, span.before_until) == (at("2026-10-01"), at("2026-10-19T16:00"))


def test_a_month_that_has_ended_is_compared_with_the_whole_one_before():
    span = span_of("2026-10", ZONE, NOW, NOW)
    assert (span.before_since, span.before_until) == (at("2026-09-01"), at("2026-10-01"))


def test_no_month_is_compared_with_more_than_the_one_before_had():
    span = span_of("this-month", ZONE, at("2026-03-31T12:00"), NOW)
    assert (span.before_since, span.before_until) == (at("2026-02-01"), at("2026-03-01"))


def test_rolling_days_end_today():
    span = span_of("7d", ZONE, NOW, NOW)
    assert (span.since, span.until, span.days) == (at("2026-11-13"), at("2026-11-20"), 7)
    assert (span.before_since, span.before_until) == (at("2026-11-06"), at("2026-11-12T16:00"))


def test_without_a_name_it_is_the_month_of_the_last_call():
    assert span_of("", ZONE, NOW, at("2026-11-02")).name == "this-month"
    assert span_of("", ZONE, NOW, at("2026-08-31")).name == "2026-08"
    assert span_of("", ZONE, NOW, None).name == "this-month"


def test_days_are_those_of_the_zone():
    span = span_of("2026-11-02", BERLIN, NOW, NOW)
    assert (span.since, span.until) == (at("2026-11-01T23:00"), at("2026-11-02T23:00"))


@pytest.mark.parametrize("name", ["soon", "2026-13", "2026-10-05..2026-10-01", "0d", "<b>"])
def test_what_is_no_span_says_so(name):
    with pytest.raises(BadInput):
        span_of(name, ZONE, NOW, NOW)


@given(
    st.sampled_from([name for name, _ in PRESETS]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - drawn without, given one below
    st.sampled_from([ZONE, BERLIN, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Los_Angeles")]),
)
def test_the_days_before_end_where_the_days_begin_and_are_no_longer(name, now, zone):
    now = now.replace(tzinfo=UTC)
    span = span_of(name, zone, now, now)
    assert span.before_since < span.before_until <= span.since < span.until
    if span.since <= now < span.until:
        assert span.before_until - span.before_since <= now - span.since + timedelta(hours=2)


@pytest.mark.parametrize(
    ("since", "until", "label"),
    [
        ("2026-11-01", "2026-11-20", "1\u201319 Nov 2026"),
        ("2026-11-19", "2026-11-20", "19 Nov 2026"),
        ("2026-10-28", "2026-11-04", "28 Oct \u2013 3 Nov 2026"),
        ("2025-12-28", "2026-01-04", "28 Dec 2025 \u2013 3 Jan 2026"),
    ],
)
def test_days_in_words(since, until, label):
    assert days_label(at(since), at(until), ZONE) == label
