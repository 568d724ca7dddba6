"""The next hours: exact where the past repeats."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.alerts.forecast import hourly

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
