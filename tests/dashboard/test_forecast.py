"""The month's end: arithmetic written out here."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from farthing.dashboard.forecast import month_end

DOLLAR = 10**12


def test_days_that_are_all_alike_leave_no_doubt():
    found = month_end(19 * DOLLAR, [DOLLAR] * 28, Fraction(11))
    assert found == (30 * DOLLAR, 30 * DOLLAR, 30 * DOLLAR)


def test_the_interval_is_what_its_formula_says():
    days = [1 * DOLLAR, 3 * DOLLAR] * 5  # mean 2, variance 10 / 9
    found = month_end(0, days, Fraction(10))
    half = 1.28 * (10 / 9 * (10 + 100 / 10)) ** 0.5
    assert found.middle_pusd == 20 * DOLLAR
    assert abs(found.high_pusd - (20 + half) * DOLLAR) < DOLLAR / 1000
    assert abs(found.low_pusd - (20 - half) * DOLLAR) < DOLLAR / 1000


def test_a_few_days_tell_nothing():
    assert month_end(DOLLAR, [DOLLAR] * 4, Fraction(3)) is None


@given(st.integers(0, 10**18), st.lists(st.integers(0, 10**16), min_size=5, max_size=28), st.integers(0, 31 * 24))
def test_a_month_never_ends_below_what_is_spent(spent, days, hours):
    found = month_end(spent, days, Fraction(hours, 24))
    assert spent <= found.low_pusd <= found.middle_pusd <= found.high_pusd
