"""Shares sum to their total, whatever is shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.demo.shares import apportion


@given(st.integers(0, 10**12), st.lists(st.integers(1, 10**9), min_size=1, max_size=50))
def test_shares_sum_to_the_total_and_each_is_within_one_of_its_quota(total, weights):
    parts = apportion(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part * sum(weights) - total * weight) < sum(weights) for part, weight in zip(parts, weights, strict=True)
    )


@given(
    st.integers(min_value=0, max_value=10**6), st.lists(st.integers(min_value=1, max_value=99), min_size=1, max_size=9)
)
def test_shares_keep_their_floor(spare, weights):
    parts = apportion(spare + 7 * len(weights), weights, floor=7)
    assert (sum(parts), min(parts) >= 7) == (spare + 7 * len(weights), True)


def test_a_total_too_small_for_the_floors_is_refused():
    with pytest.raises(ValueError, match="cannot split 9 into 2 parts of at least 5"):
        apportion(9, [1, 1], floor=5)
