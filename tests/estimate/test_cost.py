from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing import money
from farthing.call import Served, Usage
from farthing.estimate.cost import expect, month_pusd
from farthing.estimate.point import averages
from farthing.estimate.reading import decode
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served
from farthing.units import Kind, Unit

DAY = date(2026, 11, 20)
BOOK = shipped_book()
USD = money.PUSD_PER_USD


def plan(**tables):
    tables.setdefault("volume", {"calls_per_month": 1})
    tables.setdefault("model", "claude-sonnet-5-5")
    if "models" in tables:
        del tables["model"]
    return decode(tables, "test")


def usd(**tables):
    return expect(plan(**tables), DAY, BOOK).pusd / USD


def test_one_call_costs_what_the_engine_says():
    found = expect(plan(tokens={"system": 1000, "user": 500, "output": 300}), DAY, BOOK)
    served = Served(model="claude-sonnet-5-5", usage=Usage(input_tokens=1500, output_tokens=300))
    assert found.pusd == price_served(BOOK, served, datetime(2026, 11, 20, tzinfo=UTC)).list_pusd


def test_thinking_is_billed_as_output_and_searches_have_a_fee():
    # Sonnet 5.5: 10 USD per million output tokens, 0.01 USD per search
    assert usd(tokens={"output": 100, "thinking": 400}, web_searches_per_call=2) == Fraction(
        500 * 10, 10**6
    ) + Fraction(2, 100)


def test_full_history_is_sent_again():
    # prompts of 100, 100+150+100, 100+2x250... with 100 in and 150 out: 100, 350, 600 over three calls
    found = expect(
        plan(volume={"calls_per_month": 3}, conversation={"turns": 3}, tokens={"user": 100, "output": 150}), DAY, BOOK
    )
    assert found.units(Unit.INPUT) == 100 + 350 + 600
    assert found.units(Unit.OUTPUT) == 450


def test_without_history_turns_stand_alone():
    found = expect(
        plan(
            volume={"calls_per_month": 3},
            conversation={"turns": 3, "history": "none"},
            tokens={"user": 100, "output": 150},
        ),
        DAY,
        BOOK,
    )
    assert found.units(Unit.INPUT) == 300


def test_thinking_is_replayed_only_where_asked():
    tables = {"volume": {"calls_per_month": 2}, "tokens": {"user": 10, "output": 20, "thinking": 1000}}
    dropped = expect(plan(conversation={"turns": 2}, **tables), DAY, BOOK)
    kept = expect(plan(conversation={"turns": 2, "replay_thinking": True}, **tables), DAY, BOOK)
    assert kept.units(Unit.INPUT) - dropped.units(Unit.INPUT) == 1000


def test_half_a_turn_is_half_of_the_conversations():
    found = expect(
        plan(volume={"calls_per_month": 5}, conversation={"turns": Decimal("2.5")}, tokens={"user": 100}), DAY, BOOK
    )
    # two conversations: both have turns 1 and 2 (100 and 200 tokens), one has turn 3 (300)
    assert found.units(Unit.INPUT) == 2 * 100 + 2 * 200 + 300


def test_a_growing_history_crosses_the_cliff_at_its_turn():
    found = expect(
        plan(
            model="claude-haiku-5-5",
            volume={"calls_per_month": 3},
            conversation={"turns": 3},
            tokens={"documents": 99_000, "user": 1000, "output": 0},
        ),
        DAY,
        BOOK,
    )
    bands = {line.turn: (line.prompt_tokens_over, line.pusd_per_unit) for line in found.lines}
    # 100,000 is still the lower band, 101,000 and 102,000 are billed whole at 0.50 instead of 0.10 per million
    assert bands == {1: (0, 100_000), 2: (100_000, 500_000), 3: (100_000, 500_000)}
    assert found.pusd == 100_000 * 100_000 + 500_000 * (101_000 + 102_000)


def test_a_conversation_reads_what_it_wrote():
    found = expect(
        plan(
            volume={"calls_per_month": 2},
            conversation={"turns": 2},
            tokens={"system": 2000, "user": 100, "output": 300},
            cache={"ttl": "5m", "through": "history", "hit_share": 1},
        ),
        DAY,
        BOOK,
    )
    # turn 1: 2,000 read (shared), 100 written; turn 2: 2,100 read, 300 + 100 written
    assert found.units(Unit.CACHE_READ) == 2000 + 2100
    assert found.units(Unit.CACHE_WRITE_5M) == 100 + 400
    assert found.units(Unit.INPUT) == 0


def test_a_missed_turn_falls_back_on_the_shared_prefix():
    found = expect(
        plan(
            volume={"calls_per_month": 2},
            conversation={"turns": 2},
            tokens={"system": 2000, "user": 1000, "output": 0},
            cache={"ttl": "1h", "through": "history", "hit_share": Decimal("0.5")},
        ),
        DAY,
        BOOK,
    )
    # turn 1: half read 2,000. Turn 2 (4,000): half read 3,000, of the other half, half read 2,000
    assert found.units(Unit.CACHE_READ) == 1000 + 1500 + 500
    assert found.units(Unit.CACHE_WRITE_1H) == 3000 + 4000 - 3000
    assert found.units(Unit.CACHE_WRITE_5M) == 0


@pytest.mark.parametrize(
    ("model", "tokens_min"),
    [
        ("claude-haiku-4-5-20251001", 4096),
        ("claude-opus-4-7", 2048),
        ("claude-sonnet-5", 1024),
        ("claude-opus-5-5", 512),
    ],
)
def test_a_prefix_below_the_minimum_is_not_cached_and_says_so(model, tokens_min):
    def found(system):
        cache = {"ttl": "5m", "hit_share": 1}
        return expect(plan(model=model, tokens={"system": system, "user": 10}, cache=cache), DAY, BOOK)

    short, enough = found(tokens_min - 1), found(tokens_min)
    assert short.units(Unit.INPUT) == tokens_min + 9
    assert any(f"below its minimum of {tokens_min:,}" in note for note in short.notes)
    assert enough.units(Unit.CACHE_READ) == tokens_min
    assert not enough.notes


def test_a_prefix_may_grow_long_enough():
    found = expect(
        plan(
            model="claude-haiku-4-5-20251001",
            volume={"calls_per_month": 3},
            conversation={"turns": 3},
            tokens={"system": 3000, "user": 1000},
            cache={"ttl": "5m", "through": "history", "hit_share": 1},
        ),
        DAY,
        BOOK,
    )
    # 4,000 is too short; 5,000 is written; 6,000 reads it
    assert any("not cached before turn 2" in note for note in found.notes)
    assert found.units(Unit.INPUT) == 4000
    assert found.units(Unit.CACHE_WRITE_5M) == 5000 + 1000
    assert found.units(Unit.CACHE_READ) == 5000


def test_an_unpublished_minimum_is_said():
    found = expect(
        plan(model="claude-fable-5-2", tokens={"system": 600}, cache={"ttl": "5m", "hit_share": 1}), DAY, BOOK
    )
    assert any("minimum cacheable prefix is not published" in note for note in found.notes)


def test_hits_in_batches_are_best_effort():
    cache = {"ttl": "5m", "hit_share": 1}
    found = expect(plan(tokens={"system": 1000}, cache=cache, batch_share=1), DAY, BOOK)
    assert found.units(Unit.CACHE_READ) == 640
    stated = expect(
        plan(tokens={"system": 1000}, cache=cache | {"batch_hit_share": Decimal("0.3")}, batch_share=1), DAY, BOOK
    )
    assert stated.units(Unit.CACHE_READ) == 300
    assert any("best effort" in note for note in found.notes)
    assert not stated.notes


def test_unknown_models_are_unpriced_and_named():
    found = expect(plan(models={"claude-sonnet-5-5": Decimal("0.5"), "claude-sonet-5-5": Decimal("0.5")}), DAY, BOOK)
    assert found.pusd is None
    assert found.total_pusd is None
    assert [one.model for one in found.unpriced] == ["claude-sonet-5-5"]
    assert "claude-sonnet-5-5" in found.unpriced[0].reason


def test_a_prompt_beyond_the_window_has_no_price():
    found = expect(plan(model="claude-haiku-4-5-20251001", tokens={"user": 200_001}), DAY, BOOK)
    assert "more than claude-haiku-4-5-20251001 takes" in found.unpriced[0].reason


def test_channels_geo_and_speed_go_through_the_book():
    tokens = {"user": 10**6 // 2, "output": 0}
    plain = usd(tokens=tokens)
    assert usd(tokens=tokens, geo="us") == plain * Fraction(11, 10)
    assert usd(tokens=tokens, channel="bedrock", location="us-east-1") == plain * Fraction(11, 10)
    assert usd(model="claude-opus-5-5", tokens=tokens, speed="fast") == 2 * usd(model="claude-opus-5-5", tokens=tokens)


def test_months_grow():
    found = expect(
        plan(volume={"calls_per_month": 100, "growth_per_month": Decimal("0.5"), "months": 3}, tokens={"user": 1000}),
        DAY,
        BOOK,
    )
    assert [month.calls for month in found.months] == [100, 150, 225]
    assert found.total_pusd == found.pusd * Fraction(475, 100)


def test_a_busier_cache_hits_more():
    found = expect(
        plan(
            volume={"calls_per_month": 3000, "growth_per_month": 1, "months": 2},
            tokens={"system": 5000},
            cache={"ttl": "5m"},
        ),
        DAY,
        BOOK,
    )
    first, second = (month.pusd / month.calls for month in found.months)
    assert second < first


def test_another_tokenizer_is_an_assumed_factor():
    found = expect(
        plan(
            model="claude-sonnet-5", tokenizer="pre-4.7", tokens={"user": 1000}, measured=["models", "tokens", "volume"]
        ),
        DAY,
        BOOK,
    )
    assert found.units(Unit.INPUT) == 1300
    assert any("assumed tokenizer factor 1.30" in note for note in found.notes)
    assert found.kind is Kind.ASSUMED


def test_measured_inputs_make_a_derived_figure():
    tables = {"tokens": {"user": 1000, "output": 10}, "volume": {"calls_per_month": 10}}
    assert expect(plan(**tables), DAY, BOOK).kind is Kind.ASSUMED
    measured = ["models", "tokens", "volume"]
    assert expect(plan(**tables, measured=measured), DAY, BOOK).kind is Kind.DERIVED
    derived_hits = plan(**tables, measured=[*measured, "cache"], cache={"ttl": "5m"})
    assert expect(derived_hits, DAY, BOOK).kind is Kind.ASSUMED


def test_a_later_turn_finds_a_shared_prefix_as_often_as_its_own_conversation_left_it():
    """Conversations start 3,000 s apart and turns come 60 s apart; 5 minutes outlast 9.5 % and 99.3 % of those gaps."""
    gaps = {"arrival_gap_seconds": 3000, "turn_gap_seconds": 60}
    found = expect(
        plan(
            volume={"calls_per_month": 2},
            conversation={"turns": 2},
            tokens={"system": 10_000},
            cache={"ttl": "5m", "through": "system"} | gaps,
        ),
        DAY,
        BOOK,
    )
    expected = 10_000 * (1 - math.exp(-300 / 3000)) + 10_000 * (1 - math.exp(-300 / 60))
    assert float(found.units(Unit.CACHE_READ)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("tables", "kind", "note"),
    [
        ({"location": "global"}, Kind.DERIVED, ""),
        ({}, Kind.ASSUMED, "endpoint not stated"),
        ({"location": "global", "cache": {"ttl": "5m", "hit_share": 0.5}}, Kind.DERIVED, "below its minimum"),
    ],
)
def test_a_figure_is_as_sure_as_its_weakest_note(tables, kind, note):
    tables = {"model": "claude-opus-4-8", "channel": "bedrock", "tokens": {"system": 500, "user": 1}} | tables
    found = expect(plan(**tables, measured=["models", "tokens", "volume", "cache"]), DAY, BOOK)
    assert found.kind is kind
    assert note in "".join(found.notes)


def test_a_minimum_prefix_that_nobody_published_is_a_belief():
    model = next(
        one for one in BOOK.models if one.applies.prompt_caching is True and not one.cacheable_prefix.tokens_min
    )
    on = max(row.valid_from or date.min for row in model.rate if row.cache_read)
    tables = {"model": model.id, "tokens": {"system": 500}, "cache": {"ttl": "5m", "hit_share": 0.5}}
    found = expect(plan(**tables, measured=["models", "tokens", "volume", "cache"]), on, BOOK)
    assert any("not published: taken as reached" in note for note in found.notes)
    assert found.kind is Kind.ASSUMED


MODELS = ("claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-4-5-20251001")
counts = st.integers(0, 5000)
shares = st.integers(0, 100).map(lambda hundredths: Decimal(hundredths) / 100)
tokens_tables = st.fixed_dictionaries(
    {"system": counts, "tools": counts, "documents": counts, "user": counts, "output": counts, "thinking": counts}
)
caches = st.fixed_dictionaries(
    {
        "ttl": st.sampled_from(["none", "5m", "1h"]),
        "through": st.sampled_from(["tools", "system", "documents", "history"]),
        "hit_share": shares,
    }
)


@st.composite
def plans(draw):
    return {
        "model": draw(st.sampled_from(MODELS)),
        "volume": {"calls_per_month": draw(st.integers(1, 1000))},
        "tokens": draw(tokens_tables),
        "conversation": {"turns": draw(st.integers(1, 5)), "history": draw(st.sampled_from(["full", "none"]))},
        "cache": draw(caches),
        "batch_share": draw(shares),
    }


def cost(tables, **changes):
    workload = decode({**tables, **changes}, "test")
    return month_pusd(workload, DAY, BOOK, averages(workload))


@settings(max_examples=60, deadline=None)
@given(plans())
def test_parts_sum_to_the_whole_and_tokens_are_kept(tables):
    found = expect(decode(tables, "test"), DAY, BOOK)
    for key in (lambda line: line.model, lambda line: line.unit, lambda line: str(line.turn)):
        assert sum(found.by(key).values()) == found.pusd
    plain = expect(decode({**tables, "cache": {"ttl": "none"}}, "test"), DAY, BOOK)
    prompt = sum(found.units(unit) for unit in (Unit.INPUT, Unit.CACHE_WRITE_5M, Unit.CACHE_WRITE_1H, Unit.CACHE_READ))
    assert prompt == plain.units(Unit.INPUT)
    assert all(line.units >= 0 for line in found.lines)


@settings(max_examples=60, deadline=None)
@given(plans(), st.sampled_from(["user", "output", "thinking"]), st.integers(1, 3000))
def test_cost_never_falls_as_counts_rise_within_a_band(tables, part, more):
    # parts before a breakpoint are left out: a longer prefix may become cacheable, and then cheaper
    tables = {**tables, "cache": {"ttl": "none"}}
    assert cost(tables, tokens={**tables["tokens"], part: tables["tokens"][part] + more}) >= cost(tables)


@settings(max_examples=60, deadline=None)
@given(plans())
def test_a_batch_share_is_between_none_and_all(tables):
    ends = sorted([cost(tables, batch_share=0), cost(tables, batch_share=1)])
    assert ends[0] <= cost(tables) <= ends[1]


@settings(max_examples=60, deadline=None)
@given(plans())
def test_a_cache_that_never_hits_is_never_cheaper_than_none(tables):
    cold = {**tables["cache"], "hit_share": 0}
    assert cost(tables, cache=cold) >= cost(tables, cache={"ttl": "none"})


@settings(max_examples=60, deadline=None)
@given(plans(), shares)
def test_more_hits_never_cost_more(tables, other):
    low, high = sorted([tables["cache"]["hit_share"], other])
    assert cost(tables, cache={**tables["cache"], "hit_share": high}) <= cost(
        tables, cache={**tables["cache"], "hit_share": low}
    )


@settings(max_examples=40, deadline=None)
@given(plans(), shares)
def test_a_mix_is_the_sum_of_its_models(tables, share):
    tables = {key: value for key, value in tables.items() if key != "model"}
    one, two = MODELS[0], MODELS[1]
    parts = [cost(tables, models={model: Decimal(1)}) for model in (one, two)]
    mixed = cost(tables, models={one: share, two: 1 - share})
    assert mixed == Fraction(share) * parts[0] + (1 - Fraction(share)) * parts[1]
