from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.tokens.figure import Estimate, exactly, total, within
from farthing.tokens.generation import convert_text_tokens
from farthing.tokens.models import Unknowable, traits_of
from farthing.units import Kind


def test_old_to_new_is_thirty_percent_more_within_a_range():
    found = convert_text_tokens(1000, "pre-4.7", "4.7")
    assert (found.low, found.tokens, found.high, found.kind) == (1000, 1300, 1470, Kind.ASSUMED)


def test_the_long_prompt_limit_of_haiku_in_older_tokens():
    # Facts: prices 4.11: its 100 k are about 77 k of Haiku 4.5's.
    assert convert_text_tokens(100_000, "4.7", "pre-4.7").tokens == pytest.approx(77_000, rel=0.01)


def test_new_to_old_turns_the_range_round():
    found = convert_text_tokens(1470, "4.7", "pre-4.7")
    assert (found.low, found.tokens, found.high) == (1000, round(1470 / 1.3), 1470)


def test_ends_are_rounded_outwards_and_kept_in_order():
    assert within(0.9, 1.2, 1.2, "x") == Estimate(1, 0, 2, basis="x")
    assert within(-5, -1, -3, "x") == Estimate(0, 0, 0, basis="x")
    assert within(9, 5, 2, "x") == Estimate(5, 5, 5, basis="x")


@given(st.integers(0, 10**9))
def test_there_and_back_holds_the_start(tokens):
    back = convert_text_tokens(convert_text_tokens(tokens, "pre-4.7", "4.7"), "4.7", "pre-4.7")
    assert back.low <= tokens <= back.high
    assert abs(back.tokens - tokens) <= 1


def test_the_same_tokenizer_changes_nothing():
    counted = exactly(7, "counted")
    assert convert_text_tokens(counted, "4.7", "4.7") is counted


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=5))
def test_totals_add_figures_and_ends(parts):
    estimates = [Estimate(a + b, a, a + b + c) for a, b, c in parts]
    whole = total(estimates)
    assert whole.tokens == sum(part.tokens for part in estimates)
    assert whole.low == sum(part.low for part in estimates)
    assert whole.high == sum(part.high for part in estimates)


def test_a_total_is_as_weak_as_its_weakest_part():
    assert total([exactly(1, "a"), within(1, 2, 3, "b")]).kind is Kind.ASSUMED
    assert total([exactly(1, "a"), exactly(2, "a")]) == exactly(3, "a")
    assert total([]) == Estimate(0, 0, 0, Kind.DERIVED)


def test_an_interval_in_disorder_is_refused():
    with pytest.raises(AssertionError):
        Estimate(5, 6, 7)


@pytest.mark.parametrize(
    ("model", "tokenizer", "tier", "keeps"),
    [
        ("claude-opus-4-7", "4.7", "high", True),
        ("claude-haiku-5-5", "4.7", "high", True),
        ("claude-opus-4-6", "pre-4.7", "standard", True),
        ("claude-opus-4-5", "pre-4.7", "standard", True),
        ("claude-sonnet-4-5", "pre-4.7", "standard", False),
        ("claude-haiku-4-5", "pre-4.7", "standard", False),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "pre-4.7", "standard", False),
    ],
)
def test_traits(model, tokenizer, tier, keeps):
    traits = traits_of(model)
    assert (traits.tokenizer, traits.image_tier, traits.keeps_thinking) == (tokenizer, tier, keeps)


def test_a_near_id_is_not_the_model():
    found = traits_of("claude-opus-5-6")
    assert isinstance(found, Unknowable)
    assert "claude-opus-5-5" in found.reason
