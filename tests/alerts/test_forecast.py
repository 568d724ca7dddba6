"""What is to come: exact where the past repeats, and an interval that widens with doubt."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.alerts.forecast import day_spread, hourly, total, total_spread

DAY = st.lists(st.floats(0, 1e12), min_size=24, max_size=24)


@settings(max_examples=20)
@given(DAY, st.integers(3, 12), st.integers(1, 60))
def test_a_day_that_repeats_goes_on(day, days, ahead):
    history = day * days
    wanted = [day[n % 24] for n in range(ahead)]
    assert hourly(history, ahead) == pytest.approx(wanted, rel=1e-6, abs=1e-3)


@settings(max_examples=20)
@given(DAY, st.floats(1e-3, 1e3))
def test_the_currency_does_not_matter(day, scale):
    history = [one * (1 + n % 7) for n, one in enumerate(day * 4)]
    plain, scaled = hourly(history, 30), hourly([one * scale for one in history], 30)
    assert scaled == pytest.approx([one * scale for one in plain], rel=1e-6, abs=1e-3)


def test_a_level_that_has_risen_is_followed_in_part():
    history = [100.0] * 240 + [200.0] * 12
    first = hourly(history, 1)[0]
    assert 100 < first < 200


def test_no_history_is_nothing():
    assert hourly([], 3) == [0.0, 0.0, 0.0]
    assert total([5.0] * 100, 0) == (0, 0, 0)


def test_a_wilder_past_makes_a_wider_interval():
    rng = random.Random(1)
    calm = [100 + rng.random() for _ in range(400)]
    wild = [100 * math.exp(rng.gauss(0, 1.5) * (1 + (n // 24) % 3)) for n in range(400)]
    assert day_spread(calm) < day_spread(wild)
    low, expected, high = total(wild, 240)
    assert low < expected < high


def test_nothing_known_is_not_nothing_doubted():
    assert day_spread([1.0] * 50) == pytest.approx(0.6)


def test_the_further_the_less_sure_until_a_level_has_drifted_as_far_as_it_does():
    spreads = [total_spread(0.2, 24 * days) for days in (1, 3, 7, 14, 30)]
    assert spreads == sorted(spreads)
    assert spreads[3] == spreads[4]
    assert total_spread(0.2, 1) > total_spread(0.2, 24)  # an hour alone is wilder than a day
