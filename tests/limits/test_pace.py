"""Slowing down: nothing without a reason, then as the upstream's own bucket asks, halved by refusals, grown back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.limits.headroom import Headroom, Room, Subscription
from farthing.limits.pace import Pacer
from farthing.limits.rates import UpstreamRule
from farthing.limits.sizes import Size, Used

SMALL = Size(100, 10)


def requests(remaining, limit=60, reset_in_s=0.0):
    return Room("requests", "ratelimit", limit, remaining, reset_in_s)


def told(*rooms, **more):
    return Headroom(rooms, **more)


def pacer(*rooms, now=0.0, **rule):
    made = Pacer(UpstreamRule(**rule))
    if rooms:
        made.observe(200, told(*rooms), None, now, now)
    return made


def sends(made, seconds, now=0.0, size=SMALL):
    """When calls go out if one is always there."""
    times, end = [], now + seconds
    while (now := now + made.wait_s(size, now)) < end:
        made.take(size, now)
        times.append(now)
        if len(times) > 10_000:
            break
    return times


def test_nothing_is_delayed_without_a_reason():
    made = pacer()
    for _ in range(100):
        assert made.wait_s(SMALL, 0.0) == 0
        made.take(SMALL, 0.0)
    assert made.is_idle


def test_while_enough_is_left_nothing_is_delayed():
    made = pacer(requests(60))
    for _ in range(47):  # down to 13 of 60, above a fifth
        assert made.wait_s(SMALL, 0.0) == 0
        made.take(SMALL, 0.0)


def test_little_that_is_left_is_spread_and_the_wall_is_not_met():
    times = sends(pacer(requests(6)), 60.0)
    bucket = 6.0
    for before, now in zip([0.0, *times], times, strict=False):
        bucket = min(60.0, bucket + (now - before)) - 1
        assert bucket >= -1e-6
    assert times[1] - times[0] > 0.8  # one a second flows in; six more over the minute
    assert 60 <= len(times) <= 66


def test_with_nothing_left_calls_go_as_the_bucket_fills():
    times = sends(pacer(requests(0)), 10.0)
    assert times == pytest.approx([1.0 + n for n in range(9)], abs=1e-3)


@given(st.integers(1, 5000), st.integers(0, 5000))
def test_an_exact_mirror_never_sends_into_the_wall(limit, remaining):
    remaining = min(remaining, limit)
    made, level = pacer(requests(remaining, limit)), float(remaining)
    before = 0.0
    for now in sends(made, min(20.0, 400 * 60 / limit))[:400]:
        level = min(limit, level + (now - before) * limit / 60)
        assert level >= 1 - 1e-3
        level, before = level - 1, now


def test_calls_under_way_are_not_forgotten_when_an_older_answer_comes():
    made = pacer(requests(60))
    hold = made.take(SMALL, 0.0)
    for _ in range(20):
        made.take(SMALL, 0.0)
    made.observe(200, told(requests(20)), hold, 0.0, 0.0)  # told before the other twenty were counted
    assert made.wait_s(SMALL, 0.0) == pytest.approx(1.0, abs=1e-3)


def test_a_large_prompt_waits_for_the_input_it_needs():
    made = pacer(Room("input-tokens", "ratelimit", 60_000, 20_000, 40.0), low_share=0)
    assert made.wait_s(Size(10_000), 0.0) == 0
    assert made.wait_s(Size(50_000), 0.0) == pytest.approx(30.0, abs=1e-3)
    assert made.wait_s(Size(10**9), 0.0) == pytest.approx(40.0, abs=1e-3)  # never more than a full bucket
    assert made.why(Size(50_000), 0.0).limit == "60,000 input tokens per minute"


def test_a_window_longer_than_a_minute_fills_as_slowly_as_it_says():
    made = pacer(requests(0, limit=100, reset_in_s=1000.0))
    assert made.wait_s(SMALL, 0.0) == pytest.approx(10.0, abs=1e-3)


def test_fast_mode_has_a_mirror_of_its_own():
    rooms = (Room("input-tokens", "ratelimit", 60, 0, 60.0), Room("input-tokens", "fast", 60, 60, 0.0))
    made = Pacer(UpstreamRule(), "fast")
    made.observe(200, told(*rooms), None, 0.0, 0.0)
    assert made.wait_s(Size(10), 0.0) == 0


def test_priority_capacity_and_the_tightest_of_all_delay_nobody():
    assert pacer(Room("input-tokens", "priority", 60, 0, 60.0), Room("tokens", "ratelimit", 60, 0, 60.0)).is_idle


def test_what_calls_came_to_is_what_the_next_ones_are_taken_for():
    made = pacer(Room("input-tokens", "ratelimit", 1_000_000, 10_000, 59.0), low_share=0)
    assert made.wait_s(Size(100_000), 0.0) > 1
    for _ in range(60):
        made.settle(None, Size(100_000), Used(500, 10), 0.0)
    assert made.wait_s(Size(100_000), 0.0) == 0


# -- refusals -------------------------------------------------------------------------------------------------------


def steady(made, per_s=10.0, seconds=60.0):
    for n in range(int(per_s * seconds)):
        made.take(SMALL, n / per_s)
    return seconds


def test_retry_after_stops_everybody_and_no_longer_than_a_minute():
    made = pacer()
    made.observe(429, told(retry_after_s=7.0), None, 0.0, 0.0)
    assert made.wait_s(SMALL, 0.0) == 7
    assert not made.yields(6.9)
    assert made.yields(7.0)
    assert made.why(SMALL, 0.0).limit == "a pause that the upstream asked for"
    made.observe(429, told(retry_after_s=3600.0), None, 0.0, 0.0)
    assert made.wait_s(SMALL, 0.0) == 60


def test_a_refusal_halves_the_rate_and_it_grows_back_evenly():
    made = pacer()
    now = steady(made)
    made.observe(429, told(retry_after_s=0.0), None, now, now)
    times = sends(made, 10.0, now)
    early = len([at for at in times if at < now + 2])
    late = len([at for at in times if at >= now + 8])
    assert early == pytest.approx(2 * 5.5, abs=2)  # from 5 to 6 a second
    assert late == pytest.approx(2 * 9.5, abs=2)  # from 9 to 10
    assert made.wait_s(SMALL, now + 100) == 0


def test_many_refusals_of_one_burst_halve_it_once():
    made = pacer()
    now = steady(made)
    for n in range(20):
        made.observe(429, told(retry_after_s=0.0), None, now - 1, now + n / 100)
    assert len(sends(made, 2.0, now + 1)) >= 9


def test_a_second_burst_halves_it_again():
    made = pacer()
    now = steady(made)
    made.observe(429, told(retry_after_s=0.0), None, now, now)
    made.observe(429, told(retry_after_s=0.0), None, now + 0.1, now + 0.2)
    assert len(sends(made, 2.0, now + 0.2)) == pytest.approx(2 * 3, abs=2)  # from 2.5 to 3.5 a second


def test_however_many_refusals_a_tenth_of_the_rate_remains():
    made = pacer()
    now = steady(made)
    for n in range(20):
        made.observe(529, told(), None, now + n, now + n)
    now += 20 + 8
    assert 1 <= len(sends(made, 1.0, now)) <= 3


def test_overload_pauses_longer_each_time_and_forgets_at_the_first_success():
    made, pauses, now = pacer(), [], 0.0
    for _ in range(6):
        made.observe(529, told(), None, now, now)
        pauses.append(made.wait_s(SMALL, now))
        now += 100
    assert pauses == [0.5, 1, 2, 4, 8, 8]
    made.observe(200, told(), None, now, now)
    made.observe(529, told(), None, now, now)
    assert made.wait_s(SMALL, now) == 0.5


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (429, {}),  # a spend limit has no retry-after
        (429, {"retry_after_s": 9.0, "may_retry": False}),
        (429, {"retry_after_s": 9.0, "subscription": Subscription("rejected", {"5h": 1.0})}),
        (500, {"retry_after_s": 9.0}),
        (400, {}),
        (0, {}),
    ],
)
def test_what_is_no_matter_of_speed_slows_nobody_down(status, more):
    made = pacer()
    made.observe(status, told(**more), None, 0.0, 0.0)
    assert (made.wait_s(SMALL, 0.0), made.is_idle) == (0, True)
