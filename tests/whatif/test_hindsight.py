"""The ceiling: the published marks, every plan of small traces tried out, and nothing beats it."""

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing import money
from farthing.sources.traces import TraceCall
from farthing.whatif.cache import CEILINGS, POLICIES, compare_policies
from farthing.whatif.charges import FIVE_MINUTES, ONE_HOUR, Charge, list_rates
from farthing.whatif.hindsight import hindsight
from farthing.whatif.prefixes import Blocks, PrefixTree

RATES = list_rates("3")
BLOCKS = Blocks(100, 100)
GAPS_S = (0, 1, 200, 300, 301, 1700, 3600, 3601)


def test_the_published_marks_to_the_cent_by_plans_that_break_no_rule(marked_trace):
    tree, marks = marked_trace
    for name, lifetimes in CEILINGS.items():
        plan = hindsight(tree, RATES, lifetimes)
        assert money.display(plan.charge.pusd(RATES)) == marks[name]
        assert (plan.prefix_violations, plan.order_inversions) == (0, 0)


def cheapest(calls, live_until_ms=None, start_ms=0):
    """
    The least cost of any plan the rules allow, in twentieths of a token's price, by trying them all.

    A call reads its longest live front; of the rest it may write a front for an hour, then a part for 5 minutes.
    """
    if not calls:
        return 0
    live_until_ms = live_until_ms or {}
    call, rest = calls[0], calls[1:]
    prefixes = [tuple(call.block_ids[: i + 1]) for i in range(len(call.block_ids))]
    count = len(prefixes)
    read = next((i for i, key in enumerate(prefixes) if live_until_ms.get(key, (-1, 0))[0] < call.at_ms), count)
    best = float("inf")
    for hour_to in range(read, count + 1):
        for written_to in range(hour_to, count + 1):
            after = dict(live_until_ms)
            for i, key in enumerate(prefixes[:written_to]):
                old = after[key][1] if i < read else 0
                lifetime = old or (ONE_HOUR.ms if i < hour_to else FIVE_MINUTES.ms)
                after[key] = (call.at_ms + lifetime, lifetime)
            paid = 2 * read + 40 * (hour_to - read) + 25 * (written_to - hour_to) + 20 * (count - written_to)
            cost = 100 * paid if call.at_ms >= start_ms else 0
            best = min(best, cost + cheapest(rest, after, start_ms))
    return best


def small_trace(rng):
    now, calls = 0, []
    for _ in range(rng.randint(1, 5)):
        now += rng.choice(GAPS_S) * 1000
        length = rng.randint(1, 3)
        calls.append(TraceCall(now, 100 * length, array("Q", [1] + [rng.randint(0, 1) for _ in range(length - 1)])))
    return calls


@pytest.mark.parametrize("warm", [False, True])
def test_it_is_the_best_of_all_plans_on_thousands_of_small_traces(warm):
    rng = random.Random(20261121)
    proven = 0
    for _ in range(1500):
        calls = small_trace(rng)
        start_ms = calls[len(calls) // 2].at_ms if warm else 0
        plan = hindsight(PrefixTree(calls, BLOCKS), RATES, (FIVE_MINUTES, ONE_HOUR), charged_from_ms=start_ms)
        ceiling, tried = plan.charge.pusd(RATES), cheapest(calls, start_ms=start_ms) * 150_000
        assert ceiling <= tried
        if not (plan.prefix_violations or plan.order_inversions):
            assert ceiling == tried, calls
            proven += 1
    assert proven > 1400


def test_a_front_that_five_minutes_serve_before_a_back_that_needs_the_hour_is_counted():
    """The front is used every 4 minutes, what follows it every 40: 5m and 1h are best, and one call cannot ask both."""
    front = [TraceCall(240_000 * i, 100, array("Q", [1])) for i in range(31)]
    whole = [TraceCall(2_400_000 * i, 200, array("Q", [1, 2])) for i in range(4)]
    calls = [call for call in sorted(front + whole, key=lambda call: call.at_ms) if call.at_ms or call in whole]
    plan = hindsight(PrefixTree(calls, BLOCKS), RATES, (FIVE_MINUTES, ONE_HOUR))
    assert (plan.prefix_violations, plan.order_inversions) == (0, 1)
    # Front: one 5m write and 33 reads. Back: one 1h write and 3 reads.
    assert plan.charge == Charge(0, 100, 100, 33 * 100 + 3 * 100)


def test_once_is_never_written_and_twice_within_five_minutes_always(call):
    tree = PrefixTree([call(0, 1024, 1, 2), call(300, 1024, 1, 2), call(301, 1024, 3, 4)])
    assert hindsight(tree, RATES, (FIVE_MINUTES, ONE_HOUR)).charge == Charge(1024, 1024, 0, 1024)


@pytest.mark.parametrize(("times", "charge"), [(2, Charge(2048)), (3, Charge(0, 0, 1024, 2048))])
def test_an_hour_pays_from_the_second_read_on(call, times, charge):
    tree = PrefixTree([call(3600 * i, 1024, 1, 2) for i in range(times)])
    assert hindsight(tree, RATES, (FIVE_MINUTES, ONE_HOUR)).charge == charge


@st.composite
def traces(draw):
    calls, now = [], 0
    for _ in range(draw(st.integers(1, 15))):
        now += draw(st.sampled_from(GAPS_S)) * 1000
        ids = draw(st.lists(st.integers(0, 1), min_size=5, max_size=5))
        calls.append(TraceCall(now, draw(st.integers(1, 500)), array("Q", ids)))
    return calls


@given(traces(), st.integers(0, 15))
def test_no_policy_beats_the_ceiling_on_the_calls_that_count(calls, start):
    start_ms = calls[min(start, len(calls) - 1)].at_ms
    found = compare_policies(PrefixTree(calls, BLOCKS), RATES, POLICIES, start_ms).outcomes
    assert min(outcome.pusd for outcome in found.values()) == found["hindsight"].pusd
    assert found["hindsight_5m"].saved_pusd >= 0
    assert found["hindsight_1h"].saved_pusd >= 0
    assert len({outcome.charge.prompt_tokens for outcome in found.values()}) == 1
