"""Sums to come: arithmetic written out here, and an interval that widens with doubt."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.alerts.outlook import Z80, outlook

HOURS = st.lists(st.floats(0, 1e12), min_size=0, max_size=24 * 9)


def days(*sums):
    """A history of such days, each spread evenly."""
    return [one / 24 for one in sums for _ in range(24)]


def test_a_steady_past_goes_on_and_only_a_drift_is_doubted():
    found = outlook(days(*[240] * 28)).total(24 * 4)
    off = Z80 * math.sqrt((0.35 * 240 * 4) ** 2 * 4 / 28)
    assert found == pytest.approx((960 - off, 960, 960 + off))


def test_the_interval_is_what_its_formula_says():
    seen = [100, 300] * 5  # mean 200, variance 10 x 100^2 / 9; neighbours are unlike, so nothing stays
    known = outlook(days(*seen))
    assert (known.days, known.mean, known.stays) == (10, pytest.approx(200), 0)
    variance = 10 * 100**2 / 9
    drift = (0.35 * 200 * 9) ** 2 * 7 / 10
    assert known.spread(24 * 9) == pytest.approx(math.sqrt(9 * variance + 81 * variance / 10 + drift))
    assert known.spread(24 * 9 + 12) > known.spread(24 * 9)


def test_days_that_resemble_each_other_go_on_at_their_level_and_come_back_slowly():
    seen = [100] * 10 + [300] * 10
    known = outlook(days(*seen))
    assert 0.8 < known.stays <= 0.9
    by_day = [sum(known.hours(24 * 12)[24 * n : 24 * n + 24]) for n in range(1, 12)]
    assert by_day[0] > 270
    assert by_day == sorted(by_day, reverse=True)
    assert by_day[-1] > 200
    independent = outlook(days(*[100, 300] * 10))
    assert known.spread(24 * 7) > 1.5 * independent.spread(24 * 7)


def test_busy_days_among_silent_ones_are_added_and_not_multiplied():
    rng = random.Random(4)
    seen = [2_400.0 if rng.random() < 0.2 else 0.0 for _ in range(28)]
    found = outlook(days(*seen)).total(24 * 11)
    assert found.high < 11 * 2_400
    assert found.low >= 0


def test_a_few_days_are_doubted_by_more_than_half():
    known = outlook(days(100, 100, 100))
    assert known.spread(24) >= 60


def test_nothing_known_is_nothing_expected():
    assert outlook([]).total(24) == (0, 0, 0)
    assert outlook([5.0] * 10).total(0) == (0, 0, 0)


@settings(max_examples=40)
@given(HOURS, st.integers(1, 24 * 32))
def test_it_is_never_upside_down_and_the_hours_are_the_sum(history, ahead):
    known = outlook(history)
    low, expected, high = known.total(ahead)
    assert 0 <= low <= expected <= high
    hours = known.hours(ahead)
    assert len(hours) == ahead
    assert min(hours) >= 0
    assert sum(hours) == pytest.approx(expected)


@settings(max_examples=20)
@given(HOURS, st.integers(1, 24 * 20), st.floats(1e-3, 1e3))
def test_the_currency_does_not_matter(history, ahead, scale):
    plain, scaled = outlook(history), outlook([one * scale for one in history])
    assert scaled.spread(ahead) == pytest.approx(plain.spread(ahead) * scale, rel=1e-4, abs=1e-3)
    assert scaled.total(ahead).expected == pytest.approx(plain.total(ahead).expected * scale, rel=1e-4, abs=1e-3)


@settings(max_examples=20)
@given(HOURS, st.integers(1, 24 * 20))
def test_the_further_the_less_sure(history, ahead):
    known = outlook(history)
    assert known.spread(ahead) <= known.spread(ahead + 1) + 1e-6
