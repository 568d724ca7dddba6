"""The prompt cache: the documented sequence, each rule, and a brute-force twin on small cases."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.prompts.blocks import Block
from farthing.prompts.parts import Section
from farthing.sandbox.cache import PromptCache, Scope

T0 = datetime(2026, 11, 20, 9, tzinfo=UTC)
SCOPE = Scope("org", "workspace", "claude-sonnet-5")


def blocks(*parts):
    """Blocks from (name, tokens, ttl) or (name, tokens); a block's hash is the names up to it."""
    made, prefix, tokens = [], b"", 0
    for name, count, *ttl in parts:
        prefix, tokens = prefix + name.encode(), tokens + count
        made.append(Block(Section.MESSAGES, prefix, count, tokens, ttl[0] if ttl else None, cacheable=True))
    return made


def counts(found):
    return found.input_tokens, found.read_tokens, found.write_5m_tokens, found.write_1h_tokens


def ask(cache, prompt, after_s=0.0, *, scope=SCOPE, tokens_min=1024, responds_after_s=0.0):
    """One whole request."""
    at = T0 + timedelta(seconds=after_s)
    found = cache.look_up(scope, prompt, at, tokens_min=tokens_min)
    cache.start(found)
    cache.became_readable(found, at + timedelta(seconds=responds_after_s))
    return counts(found)


def test_the_documented_sequence():
    # Facts 5.13: what changes with tool_choice or a tool shows as another hash from that section on.
    def third(system="S", history="H"):
        return blocks((system, 5000, "5m"), (history, 900, "5m"), ("q", 30))

    cache = PromptCache()
    assert ask(cache, blocks(("S", 5000, "5m"), ("q", 40))) == (40, 0, 5000, 0)
    assert ask(cache, blocks(("S", 5000, "5m"), ("r", 55)), 120) == (55, 5000, 0, 0)
    assert ask(cache, third(), 130) == (30, 5000, 900, 0)
    assert ask(cache, third(history="G"), 140) == (30, 5000, 900, 0)
    assert ask(cache, third(system="T"), 150) == (30, 0, 5900, 0)
    assert ask(cache, third(), 140 + 360) == (30, 0, 5900, 0)


@pytest.mark.parametrize(("previous", "hit"), [(15, False), (16, True)])
def test_the_lookback_is_twenty_positions_the_breakpoint_included(previous, hit):
    # Facts 5.1: 35 blocks, breakpoint on the 35th: positions 35..16 are checked, 15 is missed.
    def prompt(*marks):
        return blocks(*((chr(64 + i), 100, "5m" if i in marks else None) for i in range(1, 36)))

    cache = PromptCache()
    ask(cache, prompt(previous)[:previous], tokens_min=0)
    found = cache.look_up(SCOPE, prompt(35), T0, tokens_min=0)
    assert (found.hit_at is not None) is hit
    assert found.read_tokens == (previous * 100 if hit else 0)


def test_an_intermediate_breakpoint_reaches_further_back():
    def prompt(*marks):
        return blocks(*((chr(64 + i), 100, "5m" if i in marks else None) for i in range(1, 36)))

    cache = PromptCache()
    ask(cache, prompt(15)[:15], tokens_min=0)
    assert ask(cache, prompt(34, 35), tokens_min=0) == (0, 1500, 2000, 0)


def test_only_breakpoints_get_entries():
    cache = PromptCache()
    ask(cache, blocks(("a", 2000), ("b", 2000, "5m")))
    assert ask(cache, blocks(("a", 2000, "5m"), ("c", 10))) == (10, 0, 2000, 0)


def test_a_prefix_below_the_minimum_is_plain_input():
    cache = PromptCache()
    short = blocks(("a", 1023, "5m"), ("q", 5))
    assert ask(cache, short) == (1028, 0, 0, 0)
    assert len(cache) == 0
    assert ask(cache, blocks(("a", 1023, "1h"), ("b", 1, "5m"), ("q", 5))) == (5, 0, 1024, 0)


def test_lifetimes_count_from_the_start_of_the_request_and_every_read_restarts_them():
    prompt = blocks(("a", 2000, "5m"))
    cache = PromptCache()
    ask(cache, prompt, responds_after_s=100)
    assert ask(cache, prompt, 299) == (0, 2000, 0, 0)
    assert ask(cache, prompt, 299 + 299) == (0, 2000, 0, 0)
    assert ask(cache, prompt, 299 + 299 + 300) == (0, 0, 2000, 0)


def test_a_response_slower_than_the_lifetime_leaves_nothing():
    cache = PromptCache()
    ask(cache, blocks(("a", 2000, "5m")), responds_after_s=301)
    assert ask(cache, blocks(("a", 2000, "5m")), 302) == (0, 0, 2000, 0)


def test_an_hour_lasts_an_hour_whoever_reads_it():
    cache = PromptCache()
    ask(cache, blocks(("a", 2000, "1h")))
    assert ask(cache, blocks(("a", 2000, "5m")), 3599) == (0, 2000, 0, 0)
    assert ask(cache, blocks(("a", 2000, "1h")), 3599 + 3599) == (0, 2000, 0, 0)
    assert ask(cache, blocks(("a", 2000, "1h")), 3599 + 3599 + 3600) == (0, 0, 0, 2000)


def test_reading_a_long_prefix_keeps_the_short_one_inside_it():
    cache = PromptCache()
    long = blocks(("a", 2000, "5m"), ("b", 1000, "5m"))
    ask(cache, long)
    ask(cache, blocks(("a", 2000), ("b", 1000, "5m")), 200)
    assert ask(cache, blocks(("a", 2000, "5m"), ("c", 9)), 400) == (9, 2000, 0, 0)


def test_mixed_lifetimes_follow_the_rule_of_a_b_and_c():
    # Facts 5.5: A the highest hit, B the highest 1h breakpoint after it, C the last breakpoint.
    cache = PromptCache()
    prompt = blocks(("a", 2000, "1h"), ("b", 300, "1h"), ("c", 70, "5m"), ("q", 5))
    assert ask(cache, prompt) == (5, 0, 70, 2300)
    more = blocks(("a", 2000, "1h"), ("x", 400, "1h"), ("y", 60, "5m"), ("q", 5))
    assert ask(cache, more) == (5, 2000, 60, 400)
    assert ask(cache, more) == (5, 2460, 0, 0)


def test_nothing_is_readable_before_the_first_response_begins():
    cache = PromptCache()
    prompt = blocks(("a", 2000, "5m"))
    parallel = [cache.look_up(SCOPE, prompt, T0, tokens_min=0) for _ in range(3)]
    assert [found.write_5m_tokens for found in parallel] == [2000] * 3
    cache.became_readable(parallel[0], T0 + timedelta(seconds=2))
    assert cache.look_up(SCOPE, prompt, T0 + timedelta(seconds=1), tokens_min=0).read_tokens == 0
    assert cache.look_up(SCOPE, prompt, T0 + timedelta(seconds=2), tokens_min=0).read_tokens == 2000


def test_looking_up_changes_nothing():
    cache = PromptCache()
    prompt = blocks(("a", 2000, "5m"))
    ask(cache, prompt)
    cache.look_up(SCOPE, prompt, T0 + timedelta(seconds=200), tokens_min=0)  # refused afterwards, so never started
    assert ask(cache, prompt, 301) == (0, 0, 2000, 0)


@pytest.mark.parametrize("field", Scope._fields)
def test_scopes_share_nothing(field):
    cache = PromptCache()
    prompt = blocks(("a", 2000, "5m"))
    ask(cache, prompt)
    assert ask(cache, prompt, scope=SCOPE._replace(**{field: "other"})) == (0, 0, 2000, 0)
    assert ask(cache, prompt) == (0, 2000, 0, 0)


def test_memory_is_bounded_by_expiry_and_then_by_number():
    cache = PromptCache(entries_max=2000)
    for i in range(5000):
        ask(cache, blocks((chr(1000 + i), 2000, "5m")), after_s=i)
    assert len(cache) <= 2000
    assert cache.dropped == 0  # 300 live at a time: expiry was enough
    for i in range(5000):
        ask(cache, blocks((chr(1000 + i), 2000, "1h")), after_s=6000 + i / 100)
    assert len(cache) <= 2000
    assert cache.dropped > 0
    assert ask(cache, blocks((chr(1000 + 4999), 2000, "1h")), 6050) == (0, 2000, 0, 0)


# -- a twin that remembers every write and read, and works each answer out from the rules


class Written(NamedTuple):
    prefix: bytes
    ttl_s: int
    at_s: float
    readable_s: float


class Twin:
    """Keeps a list of lives and searches all of it, every time."""

    def __init__(self):
        self.lives = []

    def readable(self, prefix, at_s):
        return [
            i
            for i, (w, last_s) in enumerate(self.lives)
            if w.prefix == prefix and w.readable_s <= at_s < last_s + w.ttl_s
        ]

    def ask(self, prompt, at_s, responds_s, tokens_min):
        total = prompt[-1].prefix_tokens
        marks = [i for i, b in enumerate(prompt) if b.ttl and b.prefix_tokens >= tokens_min]
        hits = [i for m in marks for i in range(max(0, m - 19), m + 1) if self.readable(prompt[i].prefix_hash, at_s)]
        a_at = max(hits, default=-1)
        for i in range(a_at + 1):
            for life in self.readable(prompt[i].prefix_hash, at_s):
                self.lives[life] = (self.lives[life][0], at_s)
        new = [m for m in marks if m > a_at]
        a = prompt[a_at].prefix_tokens if a_at >= 0 else 0
        b = max([prompt[m].prefix_tokens for m in new if prompt[m].ttl == "1h"], default=a)
        c = max([prompt[m].prefix_tokens for m in new], default=a)
        for m in new:
            ttl_s = 3600 if prompt[m].ttl == "1h" else 300
            self.lives.append((Written(prompt[m].prefix_hash, ttl_s, at_s, at_s + responds_s), at_s))
        return total - c, a, c - b, b - a


@st.composite
def prompts(draw):
    names = draw(st.lists(st.sampled_from("ab"), min_size=1, max_size=26))
    if draw(st.booleans()):
        names = ["a"] * len(names)
    marks = sorted(draw(st.sets(st.integers(0, len(names) - 1), max_size=4)))
    long = draw(st.integers(0, len(marks)))
    ttl_at = {mark: "1h" if n < long else "5m" for n, mark in enumerate(marks)}
    return blocks(*((name, 300, ttl_at.get(i)) for i, name in enumerate(names)))


@given(st.lists(st.tuples(prompts(), st.sampled_from([0, 1, 150, 299, 300, 1800, 3600]), st.sampled_from([0, 2, 400]))))
def test_the_cache_agrees_with_its_twin(requests):
    cache, twin, now = PromptCache(), Twin(), 0.0
    for prompt, gap_s, responds_s in requests:
        now += gap_s
        expected = twin.ask(prompt, now, responds_s, 900)
        assert ask(cache, prompt, now, tokens_min=900, responds_after_s=responds_s) == expected
        now += responds_s  # one request at a time; parallel ones have a test of their own
        assert sum(expected) == prompt[-1].prefix_tokens


@given(st.lists(st.tuples(prompts(), st.integers(0, 400)), max_size=12))
def test_what_is_read_was_written_and_the_parts_are_the_prompt(requests):
    cache, written, now = PromptCache(), set(), 0.0
    for prompt, gap_s in requests:
        now += gap_s
        at = T0 + timedelta(seconds=now)
        found = cache.look_up(SCOPE, prompt, at, tokens_min=0)
        assert sum(counts(found)) == prompt[-1].prefix_tokens
        assert min(counts(found)) >= 0
        assert found.hit_at is None or prompt[found.hit_at].prefix_hash in written
        cache.start(found)
        cache.became_readable(found, at)
        written |= {write.prefix_hash for write in found.writes}
