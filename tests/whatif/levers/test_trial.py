"""A trial of a policy costs what the replay says, to the picodollar."""

import msgspec
import pytest
from hypothesis import given, settings
from tests.whatif.levers.traffic_made import played
from tests.whatif.replay.conversations import traces
from tests.whatif.replay.execution import recorded

from farthing.demo.jobs import JOBS
from farthing.prices.book import shipped_book
from farthing.whatif.levers.find import find_in
from farthing.whatif.levers.policies import CANDIDATES
from farthing.whatif.levers.traffic import traffic_of
from farthing.whatif.replay.choice import Choice
from farthing.whatif.replay.replay import replay


@pytest.fixture(scope="module")
def calls():
    return played(JOBS, days=1, tenants=8, sessions_per_day=160)


def each_costs_what_the_replay_says(calls):
    traffic = traffic_of(calls, shipped_book())
    choices = [Choice.of(cache=caching) for caching in CANDIDATES.values()]
    steps = replay(calls, choices, shipped_book(), cumulative=False).steps
    for name, step in zip(CANDIDATES, steps, strict=True):
        tried = sum(sum(one.under[name].sums) for one in traffic.tried.values())
        assert tried == step.sums.pusd, name
    return traffic


def test_each_candidate_costs_what_the_replay_says(calls):
    each_costs_what_the_replay_says(calls)


@settings(max_examples=25)
@given(traces())
def test_and_on_whatever_is_drawn(trace):
    """Lifetimes, workspaces, refusals, clients that leave, and calls whose prompts are not known."""
    calls = recorded(trace)
    assert find_in(each_costs_what_the_replay_says(calls)) == []
    bare = [msgspec.structs.replace(call, request=None) for call in calls]
    assert find_in(traffic_of(bare, shipped_book())) == []


def test_what_was_recorded_is_what_was_paid(calls):
    traffic = traffic_of(calls, shipped_book())
    recorded = sum(sum(one.recorded.sums) for one in traffic.tried.values())
    assert recorded == traffic.pusd == replay(calls, [], shipped_book()).before.pusd
    assert sum(one.pusd for one in traffic.routes.values()) == traffic.pusd
    assert sum(one.calls for one in traffic.routes.values()) == traffic.calls == len(calls)
