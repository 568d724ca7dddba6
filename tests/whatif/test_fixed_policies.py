"""Fixed caching policies: the published marks, the rules one by one, and the same answer block by block."""

import importlib.util
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing import money
from farthing.sources.traces import TraceCall
from farthing.whatif.charges import Charge, list_rates
from farthing.whatif.fixed_policies import FIXED, replay
from farthing.whatif.prefixes import Blocks, PrefixTree

_SPEC = importlib.util.spec_from_file_location("by_block", Path(__file__).with_name("by_block.py"))
by_block = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(by_block)

RATES = list_rates("3")
MINUTE, HOUR = 60, 3600
PER_BLOCK = {
    "none": (-1, 25, {}),
    "always_5m": (300_000, 25, {}),
    "always_1h": (3_600_000, 40, {}),
    "end_5m": (300_000, 25, {"end": True}),
    "end_1h": (3_600_000, 40, {"end": True}),
    "second_sight_5m": (300_000, 25, {"sight_ms": 3_600_000}),
}


def charges(calls, blocks=None, **options):
    tree = PrefixTree(calls, blocks)
    return replay(tree, {name: make(tree) for name, make in FIXED.items()}, **options)


def test_the_published_marks_to_the_cent(marked_trace):
    tree, marks = marked_trace
    found = replay(tree, {name: make(tree) for name, make in FIXED.items()})
    assert {name: money.display(charge.pusd(RATES)) for name, charge in found.items()} == {
        name: marks[name] for name in FIXED
    }


@st.composite
def traces(draw):
    """Few ids and lengths, so that prompts share fronts, part in the middle, repeat and extend one another."""
    calls, now = [], 0
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.sampled_from([0, 1, 299, 300, 301, 1800, 3599, 3600, 3601])) * 1000
        tokens = draw(st.sampled_from([0, 1023, 1024, 1025, 1536, 1600, 2048, 2100, 3072]))
        ids = draw(st.lists(st.integers(0, 1), min_size=6, max_size=6))
        calls.append(TraceCall(now, tokens, array("Q", [0, *ids])))
    return calls


@given(traces())
def test_segments_cost_what_their_blocks_cost(calls):
    found = charges(calls)
    twentieths = {
        name: by_block.replay(calls, lifetime, write, **more)
        if lifetime > 0
        else 20 * sum(c.input_tokens for c in calls)
        for name, (lifetime, write, more) in PER_BLOCK.items()
    }
    assert {name: charge.pusd(RATES) for name, charge in found.items()} == {
        name: cost * 150_000 for name, cost in twentieths.items()
    }
    assert {charge.prompt_tokens for charge in found.values()} == {sum(call.input_tokens for call in calls)}


def test_a_prompt_below_the_shortest_prefix_is_plain_input(call):
    assert set(charges([call(0, 1023, 1, 2), call(1, 1023, 1, 2)]).values()) == {Charge(2046)}


@pytest.mark.parametrize(("seconds", "read"), [(5 * MINUTE, 1100), (5 * MINUTE + 1, 0)])
def test_an_entry_lives_to_the_end_of_its_lifetime_and_not_longer(call, seconds, read):
    found = charges([call(0, 1100, 1, 2, 3), call(seconds, 1100, 1, 2, 3)])
    assert found["always_5m"] == Charge(0, 2200 - read, 0, read)
    assert found["always_1h"] == Charge(0, 0, 1100, 1100)


def test_a_read_restarts_the_lifetime(call):
    found = charges([call(seconds, 1024, 1, 2) for seconds in (0, 200, 400, 600)])
    assert found["always_5m"] == Charge(0, 1024, 0, 3 * 1024)


def test_an_end_breakpoint_leaves_the_partial_block_alone_and_writes_one_entry(call):
    found = charges([call(0, 2148, 1, 2, 3, 4, 5), call(1, 1636, 1, 2, 3, 6), call(2, 2148, 1, 2, 3, 4, 5)])
    # No entry ends at 1,536 tokens until the second call writes one; the third reads the first one's.
    assert found["end_5m"] == Charge(100 + 100 + 100, 2048 + 1536, 0, 2048)


def test_second_sight_writes_what_it_saw_and_reads_it_the_third_time(call):
    found = charges([call(seconds, 1100, 1, 2, 3) for seconds in (0, 10, 20)])
    assert found["second_sight_5m"] == Charge(1100, 1100, 0, 1100)


def test_second_sight_forgets_after_an_hour(call):
    found = charges([call(0, 1100, 1, 2, 3), call(HOUR + 1, 1100, 1, 2, 3)])
    assert found["second_sight_5m"] == Charge(2200)


def test_calls_before_the_start_are_not_charged_but_fill_the_cache(call):
    found = charges([call(0, 1024, 1, 2), call(10, 1024, 1, 2)], charged_from_ms=10_000)
    assert found["always_5m"] == Charge(0, 0, 0, 1024)
    assert found["none"] == Charge(1024)


def test_ids_name_a_block_and_not_a_prefix_where_a_trace_is_made_so(call):
    found = charges([call(0, 1536, 1, 2, 9), call(1, 1536, 3, 4, 9)])
    assert found["always_5m"] == Charge(0, 2 * 1536, 0, 0)


def test_other_block_sizes_round_the_first_unit_up(call):
    calls = [call(0, 400, 1, 2, 3, 4), call(1, 400, 1, 2, 3, 4), call(2, 300, 1, 2, 3)]
    assert charges(calls, Blocks(100, 250))["always_5m"] == Charge(0, 400, 0, 700)
