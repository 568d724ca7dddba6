"""Output, thinking and effort: measured where it is, assumed where it must be, and no cap advised."""

from fractions import Fraction

import pytest
from tests.whatif.levers.traffic_made import made

from farthing.prices.book import shipped_book
from farthing.units import Kind
from farthing.whatif.levers.output import find, written
from farthing.whatif.levers.traffic import traffic_of
from farthing.whatif.playbook.advice import Risk


def traffic(calls=60, **more):
    return traffic_of([made(400 * n, [(f"q{n}", 200, "messages")], **more) for n in range(calls)], shipped_book())


def test_cut_answers_cost_their_calls():
    (one,) = find(traffic(output=512, stop="max_tokens", max_tokens=512))
    assert one.cost_pusd == 60 * (200 * 2_000_000 + 512 * 10_000_000)
    assert one.kind is Kind.MEASURED
    assert one.change.startswith("raise max_tokens")


def test_no_cap_is_advised_for_long_answers():
    assert find(traffic(output=9000, max_tokens=64_000)) == []


def test_prewarming_is_not_a_cut_answer():
    assert find(traffic(output=0, stop="max_tokens", max_tokens=0)) == []


def test_thinking_that_is_most_of_the_output():
    (one,) = find(traffic(output=1000, thinking=900))
    assert one.cost_pusd == 60 * 900 * 10_000_000
    assert one.kind is Kind.MEASURED
    assert find(traffic(output=1000, thinking=300)) == []


@pytest.mark.parametrize(
    ("model", "effort", "lower"),
    [
        ("claude-sonnet-5-5", "max", "high"),
        ("claude-opus-5-5", "xhigh", "high"),
        ("claude-opus-5-5", "high", "medium"),
    ],
)
def test_an_effort_above_the_default(model, effort, lower):
    (one,) = find(traffic(model=model, effort=effort, output=900))
    turned = one.choice.rules[0].levers.effort
    assert (turned.level, turned.output_factor) == (lower, Fraction(2, 3))
    assert one.risk is Risk.QUALITY
    assert "2/3 of the output tokens" in one.assumes


@pytest.mark.parametrize(("model", "effort"), [("claude-sonnet-5-5", "high"), ("claude-opus-5-5", "medium")])
def test_the_default_effort_is_left_alone(model, effort):
    assert find(traffic(model=model, effort=effort, output=900)) == []


def test_the_table_of_output():
    (row,) = written(traffic(output=100, max_tokens=1000))
    assert row.calls == 60
    assert row.output_pusd == 60 * 100 * 10_000_000
    assert row.share_of_bill == row.share_of_route == pytest.approx(100 * 10 / (100 * 10 + 200 * 2))
    assert 100 <= row.p50 <= row.p95 <= 109
