"""Who goes next: the bound of fairness, no starvation, deadlines, the bound of the queue, leaving."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.limits.fair import FairQueue, Place, Waiting
from farthing.limits.sizes import Size


class Slots:
    """A turnstile that lets through as many tokens as it was given."""

    queue_seconds = 10.0

    def __init__(self, tokens=0):
        self.tokens = tokens

    def wait_s(self, size, now):
        return 0.0 if size.prompt_tokens <= self.tokens else math.inf

    def take(self, size, now):
        self.tokens -= size.prompt_tokens


def call(party, *turnstiles, tokens=1, weight=1.0, deadline=math.inf):
    return Waiting(Place(party, turnstiles), Size(tokens), deadline, cost=float(tokens), weight=weight)


def order(admitted):
    return "".join(one.place.party for one in admitted)


def test_two_parties_alternate_however_many_calls_one_has():
    turnstile, queue = Slots(8), FairQueue()
    for party in "aaaaaaaabbbb":
        queue.put(call(party, turnstile))
    assert order(queue.admit(0.0)) == "abababab"


def test_weights_are_shares():
    turnstile, queue = Slots(12), FairQueue()
    for party, weight in (("a", 3.0), ("b", 1.0)):
        for _ in range(20):
            queue.put(call(party, turnstile, weight=weight))
    assert order(queue.admit(0.0)).count("a") == 9


def test_who_was_away_has_no_credit():
    turnstile, queue = Slots(), FairQueue()
    for _ in range(20):
        queue.put(call("a", turnstile))
    turnstile.tokens = 10
    queue.admit(0.0)
    for _ in range(20):
        queue.put(call("b", turnstile))
    turnstile.tokens = 10
    assert order(queue.admit(0.0)).count("b") in {5, 6}


def test_a_party_that_left_the_queue_and_comes_back_at_once_gains_nothing():
    turnstile, queue = Slots(), FairQueue()
    for _ in range(30):
        queue.put(call("a", turnstile))
    served = ""
    for _ in range(10):  # b never has more than one call waiting
        queue.put(call("b", turnstile))
        turnstile.tokens = 2
        served += order(queue.admit(0.0))
    assert (served.count("a"), served.count("b")) == (10, 10)


PARTIES = st.dictionaries(
    st.sampled_from("abcd"),
    st.tuples(st.sampled_from([1, 2, 3, 5]), st.lists(st.integers(1, 9), min_size=1, max_size=25)),
    min_size=2,
)


@given(PARTIES, st.lists(st.integers(1, 12), min_size=1, max_size=30))
def test_no_two_waiting_parties_drift_further_apart_than_a_call_of_each(parties, grants):
    """The theorem: while both wait, |served/weight - served/weight| <= largest/weight + largest/weight."""
    turnstile, queue = Slots(), FairQueue()
    left = {party: list(sizes) for party, (_, sizes) in parties.items()}
    for party, (weight, sizes) in parties.items():
        for tokens in sizes:
            queue.put(call(party, turnstile, tokens=tokens, weight=float(weight)))
    served = dict.fromkeys(parties, Fraction(0))
    both = {(one, other) for one in parties for other in parties if one < other}
    for more in grants:
        turnstile.tokens += more
        for waiting in queue.admit(0.0):
            party = waiting.place.party
            served[party] += Fraction(waiting.size.prompt_tokens, parties[party][0])
            left[party].pop(0)
            both = {pair for pair in both if all(left[one] for one in pair)}
            for one, other in both:
                bound = sum(Fraction(max(parties[name][1]), parties[name][0]) for name in (one, other))
                assert abs(served[one] - served[other]) <= bound


@given(PARTIES, st.integers(1, 9))
def test_everybody_is_served_in_the_end_and_each_partys_calls_in_their_order(parties, most):
    turnstile, queue, came, went = Slots(), FairQueue(), {}, {}
    for party, (weight, sizes) in parties.items():
        for tokens in sizes:
            waiting = call(party, turnstile, tokens=tokens, weight=float(weight))
            came.setdefault(party, []).append(waiting)
            queue.put(waiting)
    total = sum(sum(sizes) for _, sizes in parties.values())
    for _ in range(total):
        turnstile.tokens = max(turnstile.tokens, min(turnstile.tokens + most, 9))
        for waiting in queue.admit(0.0):
            went.setdefault(waiting.place.party, []).append(waiting)
    assert went == came
    assert len(queue) == 0


def test_a_large_call_is_not_starved_by_small_ones():
    turnstile, queue = Slots(3), FairQueue()
    queue.put(call("big", turnstile, tokens=10))
    queue.put(call("small", turnstile))
    assert queue.admit(0.0) == []
    turnstile.tokens = 10
    assert order(queue.admit(0.0)) == "big"


def test_a_large_call_is_not_starved_by_small_ones_that_share_only_what_it_waits_for():
    shared, mine, theirs, queue = Slots(3), Slots(10), Slots(10), FairQueue()
    queue.put(call("big", shared, mine, tokens=10))
    for _ in range(3):
        queue.put(call("small", shared, theirs))
    assert queue.admit(0.0) == []
    shared.tokens = 10
    assert order(queue.admit(0.0)) == "big"


def test_a_call_that_waits_for_another_gate_holds_nobody_up():
    closed, opened, queue = Slots(), Slots(5), FairQueue()
    queue.put(call("a", closed, opened))
    queue.put(call("a", opened))
    queue.put(call("b", opened))
    assert order(queue.admit(0.0)) == "ab"
    closed.tokens = 1
    assert order(queue.admit(0.0)) == "a"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50)), max_size=40), st.lists(st.integers(0, 60)))
def test_a_deadline_ends_the_wait_and_never_before(calls, times):
    queue, turnstile = FairQueue(), Slots()
    for party, deadline in calls:
        queue.put(call(party, turnstile, deadline=float(deadline)))
    waiting = sorted(deadline for _, deadline in calls)
    for now in sorted(times):
        queue.admit(float(now))
        assert queue.wakes_at == (waiting[0] if waiting else math.inf)
        gone = [one.deadline for one in queue.expired(float(now))]
        assert gone == [one for one in waiting if one <= now]
        waiting = waiting[len(gone) :]
        assert len(queue) == len(waiting)


def test_a_full_queue_drops_the_nearest_deadline_of_the_longest_line():
    queue, turnstile = FairQueue(length_max=3), Slots()
    flood = [call("flood", turnstile, deadline=deadline) for deadline in (30.0, 20.0)]
    quiet = call("quiet", turnstile, deadline=1.0)
    assert [queue.put(one) for one in (*flood, quiet)] == [None, None, None]
    newcomer = call("flood", turnstile, deadline=40.0)
    assert queue.put(newcomer) is flood[1]
    assert len(queue) == 3


def test_who_leaves_is_forgotten_and_the_line_keeps_its_turn():
    turnstile, queue = Slots(), FairQueue()
    calls = [call(party, turnstile) for party in "aab"]
    for one in calls:
        queue.put(one)
    queue.remove(calls[0])
    queue.remove(calls[0])
    turnstile.tokens = 2
    assert queue.admit(0.0) == calls[1:]


def test_who_comes_and_goes_leaves_nothing_behind():
    turnstile, queue = Slots(), FairQueue()
    queue.put(call("first", turnstile))
    for number in range(2000):
        passing = call(f"party {number}", turnstile, deadline=1e9)
        queue.put(passing)
        queue.admit(0.0)
        queue.remove(passing)
    kept = (queue._lines, queue._finish, queue._deadlines, *queue._groups.values())
    assert max(map(len, kept)) < 100
    turnstile.tokens = 1
    assert order(queue.admit(0.0)) == "first"
    queue.admit(0.0)
    assert (queue._lines, queue._groups, queue._finish, queue._deadlines) == ({}, {}, {}, [])


@given(st.lists(st.tuples(st.sampled_from(["put", "remove", "admit", "expire"]), st.integers(0, 7)), max_size=60))
def test_the_length_is_what_waits_whatever_happens(steps):
    turnstile, queue, waiting, now = Slots(), FairQueue(length_max=6), [], 0.0
    for step, number in steps:
        if step == "put":
            one = call("abcd"[number % 4], turnstile, deadline=now + number)
            waiting.append(one)
            dropped = queue.put(one)
            waiting = [other for other in waiting if other is not dropped]
        elif step == "remove" and waiting:
            queue.remove(waiting.pop(number % len(waiting)))
        elif step == "admit":
            turnstile.tokens = number
            admitted = queue.admit(now)
            assert len(admitted) == min(number, len(waiting))
            waiting = [one for one in waiting if one not in admitted]
        elif step == "expire":
            now += number
            gone = queue.expired(now)
            assert set(gone) == {one for one in waiting if one.deadline <= now}
            waiting = [one for one in waiting if one not in gone]
        assert len(queue) == len(waiting)


def test_calls_without_cost_or_weight_are_no_calls():
    with pytest.raises(AssertionError, match="costs nothing"):
        Waiting(Place("a", ()), Size(0), 0.0, cost=0.0)
    with pytest.raises(AssertionError, match="without weight"):
        Waiting(Place("a", ()), Size(0), 0.0, weight=0.0)
