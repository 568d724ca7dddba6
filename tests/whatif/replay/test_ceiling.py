"""The ceiling of recorded calls: never above what a policy costs, and equal to trying everything on small prompts."""

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.whatif.replay.conversations import MODELS, traces
from tests.whatif.replay.execution import recorded

from farthing.prices.book import shipped_book
from farthing.whatif.replay import ceiling as ceiling_module
from farthing.whatif.replay.ceiling import Caught, Ceiling
from farthing.whatif.replay.choice import Caching, Choice
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
MINUTE_US = 60_000_000
RATES = (100, 125, 200, 10)  # of input, 5m writes, 1h writes and reads
LEFT, WRITE_5M, WRITE_1H = range(3)
LIFETIMES_US = {WRITE_5M: 5 * MINUTE_US, WRITE_1H: 60 * MINUTE_US}


def found(calls, rates=RATES, **more):
    """Calls are a time in minutes and blocks, each a key and its tokens."""
    made = Ceiling()
    for at, blocks in calls:
        keys = [key for key, _ in blocks]
        ends = [sum(tokens for _, tokens in blocks[: n + 1]) for n in range(len(blocks))]
        made.take("scope", (keys, ends), at * MINUTE_US, tokens_min=1, rates=rates, paid_pusd=0, **more)
    return made.found()


def by_trying(times, tokens=10):
    """The least that one block costs: each access where it is not live may leave it or write it for either time."""
    least = None
    for tries in product((LEFT, WRITE_5M, WRITE_1H), repeat=len(times)):
        cost, until, lifetime = 0, -1, 0
        for at, action in zip(times, tries, strict=True):
            now = at * MINUTE_US
            if now < until:
                cost += 10 * tokens
                until = now + lifetime
            elif action == LEFT:
                cost += 100 * tokens
            else:
                cost += {WRITE_5M: 125, WRITE_1H: 200}[action] * tokens
                lifetime = LIFETIMES_US[action]
                until = now + lifetime
        least = cost if least is None else min(least, cost)
    return least


@given(st.lists(st.sampled_from([0, 1, 4, 5, 6, 30, 59, 60, 61]), min_size=1, max_size=6))
def test_one_block_costs_what_the_best_of_all_tries_costs(gaps):
    times = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    assert found([(at, [(1, 10)]) for at in times]).all.least_pusd == by_trying(times)


@pytest.mark.parametrize("forget_first", [0, 65_536])
def test_what_is_forgotten_after_an_hour_changes_nothing(monkeypatch, forget_first):
    monkeypatch.setattr(ceiling_module, "_FORGET_FIRST", forget_first)
    calls = [(at, [(1, 10), (100 + at, 7)]) for at in (0, 2, 50, 120, 121, 300, 302)]
    assert found(calls).all.least_pusd == by_trying([at for at, _ in calls]) + 7 * 7 * 100


def test_a_shared_front_is_written_once_and_the_tails_are_left():
    made = found([(0, [(1, 1000), (2, 50)]), (1, [(1, 1000), (3, 50)])])
    assert made.all == Caught(2100 * 100, 0, 1000 * 125 + 1000 * 10 + 100 * 100, 2)
    assert (made.prefix_violations, made.order_inversions) == (0, 0)


def test_a_back_that_needs_the_hour_behind_a_front_that_does_not_is_an_inversion():
    both = (0, 40, 80)
    made = found([(at, [(1, 10), (2, 10)] if at in both else [(1, 10)]) for at in range(0, 84, 4)])
    assert made.order_inversions == 1
    assert made.prefix_violations == 0


def test_what_is_below_the_minimum_is_one_block_or_plain():
    made = Ceiling()
    for at in (0, 1):
        made.take("s", ([1, 2], [600, 1100]), at, tokens_min=1024, rates=RATES, paid_pusd=0)
        made.take("s", ([1], [600]), at, tokens_min=1024, rates=RATES, paid_pusd=0)
    assert made.found().all.least_pusd == 1100 * (125 + 10) + 2 * 600 * 100


def test_a_call_that_costs_nothing_warms_the_cache_for_others():
    made = Ceiling()
    made.take("s", ([1], [100]), 0, tokens_min=1, rates=None, paid_pusd=0)
    made.take("s", ([1], [100]), MINUTE_US, tokens_min=1, rates=RATES, paid_pusd=0)
    assert made.found().all == Caught(100 * 100, 0, 100 * 10, 1)


def test_groups_add_up_and_share_what_they_share():
    made = Ceiling()
    for at, group in enumerate("abab"):
        made.take("s", ([1], [100]), at, tokens_min=1, rates=RATES, paid_pusd=5, group=group)
    done = made.found()
    assert done.of["a"].plus(done.of["b"]) == done.all
    assert done.of["b"].least_pusd == 2 * 100 * 10  # the first of all wrote for it
    assert done.all.paid_pusd == 20


def test_capture_is_the_share_of_what_could_be_saved():
    assert Caught(100, 60, 20, 1).capture == 0.5
    assert Caught(100, 110, 20, 1).capture == -0.125
    assert Caught(100, 110, 100, 1).capture is None
    assert Caught(100, 60, 20, 1).capture_at(20) == 1


POLICIES = [
    Caching("none"),
    Caching("automatic", ttl="5m"),
    Caching("automatic", ttl="1h"),
    Caching("fixed", ("tools", "system", -1), "mixed"),
    Caching("fixed", ("system", -2), "5m"),
    Caching("end", ttl="1h"),
    Caching("second_sight", ttl="5m"),
]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(traces(MODELS), st.sampled_from(POLICIES), st.sampled_from([{}, {"batch": True}, {"model": "claude-opus-5"}]))
def test_no_policy_beats_the_ceiling(trace, caching, levers):
    step = replay(
        recorded(trace), [Choice.of(cache=caching, **levers)], BOOK, ceiling_by=lambda call: call.call_id
    ).steps[0]
    caught = step.ceiling.all
    assert caught.least_pusd <= caught.paid_pusd
    assert caught.least_pusd <= caught.none_pusd
    if caching.policy == "none":
        assert caught.paid_pusd == caught.none_pusd
    assert sum(one.least_pusd for one in step.ceiling.of.values()) == caught.least_pusd
