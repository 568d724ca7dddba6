from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from farthing import money
from farthing.estimate.cost import month_pusd
from farthing.estimate.point import averages
from farthing.estimate.ranges import sensitivity, spread
from farthing.estimate.reading import decode, read_workload
from farthing.prices.book import shipped_book

DAY = date(2026, 11, 20)
BOOK = shipped_book()
USD = money.PUSD_PER_USD


def plan(**tables):
    return decode({"model": "claude-sonnet-5-5", "volume": {"calls_per_month": 1000}, **tables}, "test")


def test_the_same_seed_gives_the_same_range():
    medium = read_workload(None, preset="medium")
    assert spread(medium, DAY, BOOK, runs=50) == spread(medium, DAY, BOOK, runs=50)
    assert spread(medium, DAY, BOOK, runs=50) != spread(medium, DAY, BOOK, runs=50, seed=1)


def test_percentiles_are_in_order_and_inside_the_ends():
    one = plan(tokens={"output": {"low": 100, "mode": 200, "high": 600}})
    found = spread(one, DAY, BOOK, runs=400)
    assert found.runs == 400
    # 1,000 calls at 10 USD per million output tokens: 1 to 6 USD
    assert 1 * USD <= found.p5 < found.p50 < found.p95 <= 6 * USD
    # the triangle's own: 5 % at 100 + sqrt(0.05 x 500 x 100) = 150, 95 % at 600 - sqrt(0.05 x 500 x 400) = 500
    assert abs(found.p5 / USD - Fraction(15, 10)) < Fraction(2, 10)
    assert abs(found.p95 / USD - Fraction(50, 10)) < Fraction(3, 10)


def test_a_percentile_is_the_smallest_draw_that_enough_draws_do_not_exceed():
    """Of two draws the smaller is not exceeded by half of them."""
    two = spread(plan(tokens={"output": {"low": 100, "mode": 200, "high": 600}}), DAY, BOOK, runs=2)
    assert two.p5 == two.p50 < two.p95


def test_without_ranges_or_draws_the_figure_stands_alone():
    flat = plan(tokens={"output": 100})
    assert spread(flat, DAY, BOOK) == (USD, USD, USD, 0)
    medium = read_workload(None, preset="medium")
    assert spread(medium, DAY, BOOK, runs=0).runs == 0


def test_unpriced_has_no_range():
    unknown = plan(model="claude-none", tokens={"output": {"low": 1, "mode": 2, "high": 3}})
    assert spread(unknown, DAY, BOOK) is None
    assert sensitivity(unknown, DAY, BOOK) == []


def test_the_widest_swing_leads():
    one = plan(tokens={"output": {"low": 100, "mode": 200, "high": 600}, "user": 100, "system": 100})
    found = sensitivity(one, DAY, BOOK)
    assert [swing.key for swing in found[:2]] == ["tokens.output", "volume.calls_per_month"]
    assert (found[0].low_pusd - found[0].high_pusd) / USD == -5
    assert found[0].is_stated
    # 20 per cent either way of 1,000 calls of 0.0034 USD (200 in at 2, 300 out at 10 per million)
    assert found[1].width_pusd == Fraction(4, 10) * Fraction(34, 10) * USD
    assert not found[1].is_stated


def test_the_tokenizer_is_a_swing_where_it_is_believed():
    one = plan(tokenizer="pre-4.7", tokens={"user": 1000})
    assert "tokenizer factor" in [swing.key for swing in sensitivity(one, DAY, BOOK)]
    assert "tokenizer factor" not in [swing.key for swing in sensitivity(plan(tokens={"user": 1000}), DAY, BOOK)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 2000))
def test_a_single_draw_stays_between_its_ends(one, two, three):
    low, mode, high = sorted((one, two, three))
    found = spread(plan(tokens={"user": {"low": low, "mode": mode, "high": high}}), DAY, BOOK, runs=1)
    bounds = []
    for end in (low, high):
        flat = plan(tokens={"user": Decimal(end)})
        bounds.append(month_pusd(flat, DAY, BOOK, averages(flat)))
    assert bounds[0] <= found.p50 <= bounds[1]
