"""Bands: around what was, from what came before, and none where too little is known."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.alerts.series import hour_number
from farthing.alerts.watch import Score
from farthing.dashboard.expected import day_bands, usual_band, window_bands

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def days(number, first=START):
    return [(first + n * DAY, first + (n + 1) * DAY) for n in range(number)]


def steady(number, pusd=100, first=START):
    at = hour_number(first)
    return {at + n: pusd for n in range(24 * number)}


def test_a_steady_ledger_is_expected_to_go_on_and_the_first_week_says_nothing():
    found = day_bands(steady(12), days(12))
    assert found[:7] == [None] * 7
    assert all(low < 2400 < high for low, high in found[7:])
    assert found[-1][1] - found[-1][0] < 1000


def test_nothing_of_the_day_itself_or_after_it_is_known():
    hours = steady(12)
    wild = {number: pusd if number < hour_number(START + 10 * DAY) else 9_999 for number, pusd in hours.items()}
    assert day_bands(wild, days(11)) == day_bands(hours, days(11))


def test_an_empty_ledger_expects_nothing():
    assert day_bands({}, days(3)) == [None] * 3


@given(st.lists(st.integers(0, 10**15), min_size=24 * 8, max_size=24 * 8))
@settings(max_examples=20)
def test_a_band_is_never_upside_down_or_below_nothing(amounts):
    first = hour_number(START)
    ((low, high),) = day_bands(dict(enumerate(amounts, first)), [(START + 8 * DAY, START + 9 * DAY)])
    assert 0 <= low <= high


def test_the_usual_band_is_as_wide_as_four_hours_in_five_were_off_before():
    scores = [Score(number, 0.0, 10.0) for number in range(150)]
    seen = {number: 5.0 if number % 10 == 0 else 30.0 if number % 10 == 9 else 10.0 for number in range(150)}
    seen |= dict.fromkeys(range(100, 150), 500.0)
    found = usual_band(seen, scores, 100, range(90, 110))
    assert set(found) == set(range(90, 110))
    assert {low for low, _ in found.values()} == {10.0}
    assert {high for _, high in found.values()} == {30.0}
    assert usual_band(seen, scores, 20, range(90, 110)) == {}
    silent = [one if one.number != 95 else Score(95, 0.0, None) for one in scores]
    assert set(usual_band(seen, silent, 100, range(95, 96))) == {95}
    assert usual_band({}, [], 100, range(5)) == {}


def test_a_window_goes_on_from_what_is_spent():
    now = START + 10 * DAY
    hours = steady(10)
    ends = [START + n * DAY for n in (9, 10, 11, 12)]
    found = window_bands(hours, 24_000, now, ends)
    assert found[:2] == [None, None]
    (low, high), (later_low, later_high) = found[2:]
    assert 24_000 <= low < 26_400 < high
    assert low < later_low < 28_800 < later_high


@pytest.mark.parametrize("hours", [{}, {hour_number(START): 5}])
def test_a_window_without_history_has_no_band(hours):
    assert window_bands(hours, 5, START + timedelta(hours=2), [START + DAY]) == [None]
