"""Older models and small questions: what their successors would cost, and what nobody can know from the calls."""

from datetime import date

import pytest
from tests.whatif.levers.traffic_made import made

from farthing.prices.book import shipped_book
from farthing.whatif.levers import legacy, tiers
from farthing.whatif.levers.models import current
from farthing.whatif.levers.traffic import traffic_of
from farthing.whatif.playbook.advice import Finding, Proposal, Risk

BOOK = shipped_book()


def traffic(model, *, prompt=2000, output=10, calls=60, **more):
    asked = [made(400 * n, [(f"q{n}", prompt, "messages")], model=model, output=output, **more) for n in range(calls)]
    return traffic_of(asked, BOOK)


def test_a_cheaper_successor_is_proposed_with_its_tokenizer_assumed():
    (one,) = legacy.find(traffic("claude-haiku-4-5-20251001"))
    assert isinstance(one, Proposal)
    assert one.choice.rules[0].levers.model == "claude-haiku-5-5"
    assert one.risk is Risk.QUALITY
    assert "1.30" in one.assumes
    assert "$0.1 in and $0.5 out" in one.why


def test_a_successor_that_may_cost_more_is_a_finding_with_both_ends():
    """Opus 4.5 at $5 and $25, Opus 5.5 at $4 and $20: 60 calls of 2,000 and 20 tokens, x 0.8 x 1.00 to 1.47."""
    (one,) = legacy.find(traffic("claude-opus-4-5-20251101", output=20))
    assert isinstance(one, Finding)
    assert one.cost_pusd is None
    paid = 60 * (2000 * 5 + 20 * 25) / 1e6
    assert f"${paid:.2f} of these calls would be ${paid * 0.8:.2f} to ${paid * 0.8 * 1.47:.2f}" in one.why


def test_a_model_that_ends_is_said_whatever_it_costs():
    (one,) = legacy.find(traffic("claude-sonnet-4-5-20250929"))
    assert "ends on 2026-11-30" in (one.title + one.why)


def test_the_same_price_is_a_finding():
    (one,) = legacy.find(traffic("claude-sonnet-5"))
    assert isinstance(one, Finding)
    assert one.title.endswith("whose successor costs no more")


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-haiku-5-5", "claude-fable-5-2", "no-such-model"])
def test_current_and_unknown_models_stay(model):
    assert legacy.find(traffic(model)) == []


def test_the_current_model_is_one_that_anybody_may_ask():
    assert current(BOOK, "opus", date(2026, 11, 20)).id == "claude-opus-5-5"
    assert current(BOOK, "mythos", date(2026, 11, 20)) is None


def test_a_small_question_on_a_large_model():
    (one,) = tiers.find(traffic("claude-opus-5-5", max_tokens=64))
    assert one.choice.rules[0].levers.model == "claude-haiku-5-5"
    assert one.risk is Risk.QUALITY
    assert "no quality evidence is in the calls" in one.prerequisite
    assert "773 labelled cases" in one.prerequisite


def test_labelled_cases_by_hand():
    """(1.6449 + 0.8416)^2 = 6.183; x 0.05 / 0.02^2 = 772.8, and / 0.05^2 = 123.7."""
    assert (tiers.cases_needed(), tiers.cases_needed(margin=0.05)) == (773, 124)


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": 4096},
        {},
        {"max_tokens": 64, "output": 400},
        {"max_tokens": 64, "thinking": 4},
        {"max_tokens": 64, "stop": "tool_use"},
    ],
)
def test_it_may_be_no_small_question(more):
    assert tiers.find(traffic("claude-opus-5-5", **more)) == []


def test_the_price_cliff_of_the_smaller_model_is_seen():
    """Beyond 100,000 tokens Haiku 5.5 costs five times as much, still less than Opus."""
    (one,) = tiers.find(traffic("claude-opus-5-5", prompt=150_000, max_tokens=64))
    would_be = 60 * (150_000 * 0.5 + 10 * 2.5) / 1e6
    assert f"would cost about ${would_be:.2f}" in one.why
