"""Lengths of prefixes: what responses measured wins over a recorder's estimates, and stays with the prefix."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Usage
from farthing.demo.executed import executed
from farthing.demo.fleet import fleet
from farthing.prices.book import shipped_book
from farthing.units import Kind
from farthing.whatif.replay.lengths import FORGET_AFTER_US, Lengths
from farthing.whatif.replay.parse import parse_choice
from farthing.whatif.replay.replay import replay

BOOK = shipped_book()
SYSTEM, FIRST, SECOND, THIRD = 11, 22, 33, 44  # hashes


def of(lengths, hashes, estimates, marks=(), at_us=0, **usage):
    return lengths.of(hashes, list(estimates), list(marks), Usage(**usage), at_us)


def test_counts_that_add_up_are_left_alone_and_teach_nothing():
    lengths = Lengths()
    right = of(lengths, [SYSTEM, FIRST], [100, 20], [(0, "5m")], input_tokens=20, cache_write_5m_tokens=100)
    assert (right.tokens, right.sure, right.is_calibrated) == ([100, 20], None, False)
    assert of(lengths, [SYSTEM, SECOND], [100, 20], input_tokens=240).tokens == [200, 40]


def test_counts_that_add_up_by_chance_do_not_hide_a_measured_prefix():
    found = of(Lengths(), [SYSTEM, FIRST], [60, 60], [(0, "5m")], input_tokens=20, cache_write_5m_tokens=100)
    assert found.tokens == [100, 20]
    assert found.sure == {0, 1}


def test_a_write_measures_everything_up_to_the_last_breakpoint_and_the_next_prompt_has_it_too():
    lengths = Lengths()
    wrote = of(lengths, [SYSTEM, FIRST], [21, 27], [(0, "5m")], input_tokens=500, cache_write_5m_tokens=4600)
    assert wrote.tokens == [4600, 500]
    plain = of(lengths, [SYSTEM, SECOND], [21, 27], input_tokens=7000)
    assert plain.tokens == [4600, 2400]
    assert plain.sure == {0, 1}


def test_writes_for_an_hour_measure_the_prefix_before_those_for_five_minutes():
    found = of(
        Lengths(),
        [SYSTEM, FIRST, SECOND],
        [10, 10, 10],
        [(0, "1h"), (1, "5m")],
        cache_read_tokens=0,
        cache_write_1h_tokens=3000,
        cache_write_5m_tokens=400,
        input_tokens=7,
    )
    assert found.tokens == [3000, 400, 7]


def test_a_whole_prompt_is_a_measured_prefix_of_the_next_turn():
    lengths = Lengths()
    of(lengths, [SYSTEM, FIRST], [10, 20], input_tokens=1000)
    after = of(lengths, [SYSTEM, FIRST, SECOND], [10, 20, 30], input_tokens=1700)
    assert sum(after.tokens[:2]) == 1000
    assert after.sure == {1, 2}


def test_what_was_read_is_the_entry_that_a_call_before_wrote():
    """Both breakpoints are written at once, so only the next call's read tells how long the first is."""
    lengths = Lengths()
    marks = [(0, "5m"), (1, "5m")]
    of(lengths, [SYSTEM, FIRST, SECOND], [10, 10, 5], marks, input_tokens=5, cache_write_5m_tokens=3000)
    read = of(
        lengths,
        [SYSTEM, THIRD],
        [10, 10],
        marks,
        cache_read_tokens=2400,
        cache_write_5m_tokens=300,
    )
    assert read.tokens == [2400, 300]
    assert read.sure == {0, 1}
    assert of(lengths, [SYSTEM, FIRST, SECOND], [10, 10, 5], input_tokens=3010).tokens == [2400, 600, 10]


def test_a_read_that_may_end_in_several_places_is_an_estimate():
    found = of(
        Lengths(),
        [1, 2, 3],
        [100, 100, 100],
        [(0, "5m"), (1, "5m"), (2, "5m")],
        cache_read_tokens=190,
        cache_write_5m_tokens=120,
    )
    assert found.tokens[0] + found.tokens[1] == 190
    assert found.sure == {2}


def test_prompts_that_share_a_prefix_share_its_length_though_nobody_measured_it():
    lengths = Lengths()
    first = of(lengths, [SYSTEM, FIRST], [10, 10], input_tokens=1000)
    second = of(lengths, [SYSTEM, SECOND], [10, 90], input_tokens=5000)
    assert first.tokens[0] == second.tokens[0] == 500
    assert second.sure == {1}


def test_what_was_known_gives_way_where_it_leaves_no_room():
    lengths = Lengths()
    of(lengths, [SYSTEM, FIRST], [90, 10], input_tokens=1000)
    short = of(lengths, [SYSTEM, SECOND], [90, 10], input_tokens=900)
    assert sum(short.tokens) == 900
    assert min(short.tokens) > 0


def test_what_nobody_sent_for_two_hours_is_forgotten_once_there_is_much(monkeypatch):
    monkeypatch.setattr("farthing.whatif.replay.lengths._FORGET_FIRST", 2)
    lengths = Lengths()
    of(lengths, [SYSTEM, FIRST], [21, 27], [(0, "5m")], input_tokens=500, cache_write_5m_tokens=4600)
    of(lengths, [SECOND], [5], at_us=1, input_tokens=9)
    later = of(lengths, [SYSTEM, THIRD], [50, 50], at_us=FORGET_AFTER_US + 2, input_tokens=1000)
    assert later.tokens == [500, 500]


def test_a_sum_over_several_prompts_teaches_nothing():
    lengths = Lengths()
    lengths.of([SYSTEM, FIRST], [1, 1], [(0, "5m")], Usage(cache_write_5m_tokens=5000), 0, is_one_prompt=False)
    assert of(lengths, [SYSTEM, SECOND], [1, 1], input_tokens=100).tokens == [50, 50]


counts = st.integers(0, 5000)
prompts = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3), min_size=1, max_size=5), st.lists(st.integers(0, 50), min_size=5, max_size=5)
    ),
    max_size=8,
)


@given(prompts, st.data())
def test_blocks_always_add_up_to_the_measured_prompt_and_are_never_negative(some, data):
    lengths = Lengths()
    for at, (path, estimates) in enumerate(some):
        hashes = [hash(tuple(path[: end + 1])) for end in range(len(path))]
        marks = [(one, "5m") for one in sorted(data.draw(st.sets(st.integers(0, len(path) - 1), max_size=4)))]
        used = Usage(
            input_tokens=data.draw(counts),
            cache_write_5m_tokens=data.draw(counts) if marks else 0,
            cache_read_tokens=data.draw(counts) if marks else 0,
        )
        found = lengths.of(hashes, estimates[: len(path)], marks, used, at)
        assert len(found.tokens) == len(path)
        if any(estimates[: len(path)]) and used.prompt_tokens:
            assert sum(found.tokens) == used.prompt_tokens
            assert min(found.tokens) >= 0


def misjudged(call):
    """The same call from a recorder whose estimates are up to a third off, block by block."""
    request = call.request
    blocks = tuple(
        msgspec.structs.replace(block, tokens=round(block.tokens * (0.7 + 0.6 * block.prefix_hash[0] / 255)))
        for block in request.blocks
    )
    return msgspec.structs.replace(call, request=msgspec.structs.replace(request, blocks=blocks))


def test_a_day_of_wrong_estimates_is_replayed_as_it_was_measured():
    """Every call, not only the sum: what was measured is what the next calls read."""
    calls = list(executed(fleet(datetime(2026, 10, 20, tzinfo=UTC), 1, tenants=20, sessions_per_day=120, seed=3)))
    off, kinds = [], set()

    def each(_, outcome):
        kinds.add(outcome.kind)
        if outcome.served.usage != outcome.call.served.usage:
            off.append(outcome.call.call_id)

    found = replay(map(misjudged, calls), [parse_choice("cache=as_marked", BOOK)], BOOK, each=each)
    assert found.backtest.calibrated_calls > 100
    assert found.backtest.measured[3] > 0
    assert (found.backtest.error_pusd, off) == (0, [])
    assert Kind.DERIVED in kinds
