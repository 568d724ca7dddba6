"""The rules of the cache as the replay has them: the documented sequence, each rule, and why a prompt was not read."""

import pytest

from farthing.whatif.replay.rules import FATES, Cache

MINUTE_US = 60_000_000


class Asking:
    """One scope; blocks are (name, tokens) or (name, tokens, ttl), a key is all names up to it."""

    def __init__(self, tokens_min=1024):
        self.cache = Cache()
        self.tokens_min = tokens_min

    def found(self, *blocks, at_s=0.0, begins_s=None, scope="one", never_begins=False):
        keys, ends, marks, end = [], [], [], 0
        for position, (name, tokens, *ttl) in enumerate(blocks):
            end += tokens
            keys.append(hash((keys[-1] if keys else 0, name)))
            ends.append(end)
            marks += [(position, one) for one in ttl]
        at_us = round(at_s * 1e6)
        begins_us = at_us if begins_s is None else round(begins_s * 1e6)
        return self.cache.ask(
            scope,
            (keys, ends),
            marks,
            at_us=at_us,
            begins_us=None if never_begins else begins_us,
            tokens_min=self.tokens_min,
        )

    def __call__(self, *blocks, **more):
        found = self.found(*blocks, **more)
        assert sum(found[:4]) == sum(found.fate) == sum(tokens for _, tokens, *_ in blocks)
        return found.input_tokens, found.read_tokens, found.write_5m_tokens, found.write_1h_tokens


def fate(found):
    return {name: tokens for name, tokens in zip(FATES, found.fate, strict=True) if tokens}


def test_the_documented_sequence():
    # Facts 5.13; what changes with tool_choice or a tool shows as another name.
    ask = Asking()
    assert ask(("S", 5000, "5m"), ("q", 40)) == (40, 0, 5000, 0)
    assert ask(("S", 5000, "5m"), ("r", 55), at_s=120) == (55, 5000, 0, 0)
    assert ask(("S", 5000, "5m"), ("H", 900, "5m"), ("q", 30), at_s=130) == (30, 5000, 900, 0)
    assert ask(("S", 5000, "5m"), ("G", 900, "5m"), ("q", 30), at_s=140) == (30, 5000, 900, 0)
    assert ask(("T", 5000, "5m"), ("H", 900, "5m"), ("q", 30), at_s=150) == (30, 0, 5900, 0)
    assert ask(("S", 5000, "5m"), ("H", 900, "5m"), ("q", 30), at_s=500) == (30, 0, 5900, 0)


@pytest.mark.parametrize(("previous", "is_read"), [(15, False), (16, True)])
def test_twenty_positions_the_breakpoint_included(previous, is_read):
    # Facts 5.1: 35 blocks, breakpoint on the 35th: positions 35..16 are checked, 15 is missed.
    ask = Asking(tokens_min=0)
    names = [(str(at), 100) for at in range(1, 36)]
    ask(*names[: previous - 1], (str(previous), 100, "5m"))
    found = ask.found(*names[:-1], ("35", 100, "5m"), at_s=1)
    assert found.read_tokens == (previous * 100 if is_read else 0)
    assert fate(found) == ({"read": 1600, "new": 1900} if is_read else {"beyond_lookback": 1500, "new": 2000})


def test_mixed_lifetimes():
    # Facts 5.5: A the highest hit, B the highest 1h breakpoint after it, C the last breakpoint.
    ask = Asking()
    assert ask(("a", 2000, "1h"), ("b", 300, "1h"), ("c", 70, "5m"), ("q", 5)) == (5, 0, 70, 2300)
    assert ask(("a", 2000, "1h"), ("x", 400, "1h"), ("y", 60, "5m"), ("q", 5), at_s=1) == (5, 2000, 60, 400)


def test_below_the_minimum_a_breakpoint_is_ignored():
    ask = Asking()
    found = ask.found(("a", 1023, "5m"), ("q", 5))
    assert fate(found) == {"below_minimum": 1028}
    assert ask(("a", 1023, "1h"), ("b", 1, "5m"), at_s=1) == (0, 0, 1024, 0)


def test_a_lifetime_counts_from_the_start_of_the_request_and_is_over_at_its_end():
    ask = Asking()
    ask(("a", 2000, "5m"), at_s=0, begins_s=100)
    assert ask(("a", 2000, "5m"), at_s=299) == (0, 2000, 0, 0)
    assert fate(ask.found(("a", 2000, "5m"), at_s=599)) == {"expired": 2000}


def test_reading_restarts_what_lies_inside():
    ask = Asking()
    ask(("a", 2000, "5m"), ("b", 1000, "5m"))
    ask(("a", 2000), ("b", 1000, "5m"), at_s=200)
    assert ask(("a", 2000, "5m"), ("c", 9), at_s=400) == (9, 2000, 0, 0)


def test_parallel_requests_on_a_cold_cache_all_write():
    ask = Asking()
    ask(("a", 2000, "5m"), begins_s=2)
    assert fate(ask.found(("a", 2000, "5m"), at_s=1, begins_s=3)) == {"not_readable_yet": 2000}
    assert ask(("a", 2000, "5m"), at_s=2) == (0, 2000, 0, 0)


def test_what_is_written_again_while_it_lives_keeps_the_longer_lifetime():
    ask = Asking()
    ask(("a", 2000, "1h"), begins_s=5)
    ask(("a", 2000, "5m"), at_s=1, begins_s=6)  # both writing, for neither can read the other's yet
    assert ask(("a", 2000, "5m"), at_s=3600) == (0, 2000, 0, 0)


def test_a_response_that_never_began_wrote_nothing():
    ask = Asking()
    ask(("a", 2000, "5m"), never_begins=True)
    assert fate(ask.found(("a", 2000, "5m"), at_s=1)) == {"new": 2000}


def test_scopes_share_nothing():
    ask = Asking()
    ask(("a", 2000, "5m"))
    assert ask(("a", 2000, "5m"), at_s=1, scope="other") == (0, 0, 2000, 0)


def test_memory_is_what_was_used_within_the_last_hours():
    ask = Asking(tokens_min=0)
    for number in range(60_000):
        ask(("a", 1), (str(number), 1, "5m"), at_s=number)
    (scope,) = ask.cache._scopes.values()
    assert len(scope.entries) < 15_000
