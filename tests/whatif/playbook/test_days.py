"""A month of such days: exact in the middle, and a range from the days themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.whatif.playbook.days import DAYS_MIN, Days, monthly

AMOUNTS = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=40)


@given(AMOUNTS)
def test_the_middle_is_exact_and_the_range_is_made_of_the_days(amounts):
    found = monthly([amounts], Days(1, len(amounts)))[0]
    assert found.pusd == round(sum(amounts) * 30 / len(amounts)) or abs(found.pusd) > 2**53
    if len(amounts) < DAYS_MIN:
        assert (found.low_pusd, found.high_pusd) == (None, None)
    else:
        assert 30 * min(amounts) <= found.low_pusd <= found.high_pusd <= 30 * max(amounts)


def test_days_that_are_all_the_same_leave_no_doubt():
    found = monthly([[5] * 10, [2] * 10], Days(1, 10))
    assert [tuple(one) for one in found] == [(150, 150, 150), (60, 60, 60)]


def test_weeks_are_drawn_whole():
    """Working days of 10 and empty weekends: single days could be drawn as 30 working days, weeks cannot."""
    row = [10, 10, 10, 10, 10, 0, 0] * 4
    found = monthly([row], Days(1, 28))[0]
    assert 4 * 50 <= found.low_pusd <= found.high_pusd <= 4 * 50 + 20


def test_rows_are_drawn_with_the_same_days():
    """What one step saves more the other saves less: the sum of both is known exactly."""
    one, other = list(range(20)), list(reversed(range(20)))
    together = [sum(pair) for pair in zip(one, other, strict=True)]
    assert monthly([one, other, together], Days(1, 20))[2].low_pusd == 30 * 19


@pytest.mark.parametrize(("number", "later"), [(1, 1), (2, 2), (3, 2), (9, 6), (10, 7), (30, 20)])
def test_the_last_third(number, later):
    assert Days(5, number).later == later
    assert Days(5, number).row({5: 1, 4: 7})[0] == 1
