"""A bucket against a simulation that drips, and the promises about waiting."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from farthing.limits.token_bucket import TokenBucket


def dripped(per_minute, steps):
    """What fits at each step and what is left, by letting every microsecond's drop fall into a cup that runs over."""
    cup, answers = Fraction(per_minute), []
    for microseconds, tokens in steps:
        for _ in range(microseconds):
            cup = min(Fraction(per_minute), cup + Fraction(per_minute, 60_000_000))
        answers.append((tokens <= cup, max(0, cup.__floor__())))
        if tokens <= cup:
            cup -= tokens
    return answers


@given(st.integers(1, 10**9), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10**9)), max_size=8))
def test_it_is_a_cup_under_a_drip(per_minute, steps):
    bucket, at_us, found = TokenBucket(per_minute, 0), 0, []
    for microseconds, tokens in steps:
        at_us += microseconds
        fits = bucket.wait_us(tokens, at_us) == 0
        found.append((fits, bucket.remaining(at_us)))
        if fits:
            bucket.take(tokens, at_us)
    assert found == dripped(per_minute, steps)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_waiting_as_told_is_enough_and_a_microsecond_less_is_not(per_minute, used, wanted):
    bucket = TokenBucket(per_minute, 0)
    bucket.take(used, 0)
    wanted = min(wanted, per_minute)
    wait_us = bucket.wait_us(wanted, 0)
    assert bucket.wait_us(wanted, wait_us) == 0
    if wait_us:
        other = TokenBucket(per_minute, 0)
        other.take(used, 0)
        assert other.wait_us(wanted, wait_us - 1) > 0


def test_debt_is_paid_before_anything_fits():
    bucket = TokenBucket(60, 0)
    bucket.take(90, 0)
    assert (bucket.remaining(0), bucket.wait_us(1, 0), bucket.full_in_us(0)) == (0, 31_000_000, 90_000_000)


def test_what_is_given_back_never_makes_it_fuller_than_full():
    bucket = TokenBucket(60, 0)
    bucket.take(10, 0)
    bucket.give_back(30, 0)
    assert bucket.remaining(0) == 60


def test_more_than_the_whole_waits_until_it_is_full():
    bucket = TokenBucket(60, 0)
    bucket.take(30, 0)
    assert bucket.wait_us(61, 0) == 30_000_000


def test_a_smaller_limit_keeps_what_was_used():
    bucket = TokenBucket(60, 0)
    bucket.take(50, 0)
    bucket.resize(40, 0)
    assert bucket.remaining(0) == 0
    bucket.resize(100, 0)
    assert bucket.remaining(0) == 50
