"""Commitments against brute force, on series that fall, and on production load that was recorded."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.call import Call, Served, Usage
from farthing.errors import BadInput
from farthing.money import parse_usd
from farthing.prices.book import shipped_book
from farthing.whatif.commitment_demand import demand_of, read_demand
from farthing.whatif.commitment_draws import WEEK_H, Demand, Offer, break_even, quantiles
from farthing.whatif.commitment_json import break_even_json, demand_json, verdict_json
from farthing.whatif.commitment_pack import Evidence, pack
from farthing.whatif.commitment_units import GSU, UNITS, unit_named
from farthing.whatif.commitments import discount_of, judge
from farthing.whatif.drift import DAY_H, drift_of

BOOK = shipped_book()
START = datetime(2026, 8, 3, tzinfo=UTC)  # a Monday
THROUGHPUT = UNITS["bedrock-output"]._replace(unit_per_hour=100, units_min=1)
RATE_PUSD = 15 * 10**6
"""On-demand price of what is counted."""


def demand(amounts):
    amounts = tuple(amounts)
    return Demand(START, amounts, tuple(amount * RATE_PUSD for amount in amounts))


def working_week(weeks, level=lambda _week: 1.0, seed=1):
    """Busy from 8 to 18 on weekdays, a tenth of it otherwise, with noise."""
    rng = Random(seed)
    return demand(
        round(
            level(hour // WEEK_H)
            * (1000 if hour % WEEK_H < 5 * DAY_H and 8 <= hour % DAY_H < 18 else 100)
            * rng.uniform(0.8, 1.2)
        )
        for hour in range(weeks * WEEK_H)
    )


def saved(amounts, size, discount):
    """What a size saves on these hours, by definition, in tokens of demand."""
    return sum(min(amount, size) for amount in amounts) - size * (1 - discount) * len(amounts)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 99))
def test_break_even_is_the_size_that_saves_most(amounts, percent):
    discount = Fraction(percent, 100)
    size = break_even(amounts, discount)
    assert saved(amounts, size, discount) == max(saved(amounts, other, discount) for other in range(41))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.floats(0, 1))
def test_a_quantile_is_the_least_amount_that_so_many_hours_do_not_exceed(amounts, level):
    (found,) = quantiles(amounts, [level])
    assert sum(amount <= found for amount in amounts) >= level * len(amounts)
    assert found == min(amounts) or sum(amount < found for amount in amounts) < level * len(amounts)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3000), min_size=WEEK_H, max_size=WEEK_H), st.integers(1, 30), st.integers(1, 80))
def test_one_week_drawn_again_and_again_saves_what_it_saves(week, units, percent):
    """With a single block every drawn term is that block, so the figures can be worked out by hand."""
    offer = Offer(THROUGHPUT, Fraction(percent, 100), 2)
    if not sum(week):
        return
    verdict = judge(demand(week), offer, units=units, weeks_min=0)
    (size,) = verdict.sizes
    by_hand = 2 * RATE_PUSD * saved(week, units * 100, offer.discount)
    assert abs(size.saving_pusd - by_hand) <= 1
    assert size.low_pusd == size.high_pusd == size.saving_pusd
    assert size.loss_probability == (1.0 if by_hand < 0 else 0.0)
    assert size.cost_pusd == 2 * WEEK_H * units * 100 * RATE_PUSD * (1 - offer.discount)


@settings(max_examples=10)
@given(st.lists(st.sampled_from([0, 100, 400]), min_size=6, max_size=6), st.integers(1, 5))
def test_drawn_terms_are_those_that_could_have_been(nights, units):
    """Three weeks of one total and three shapes: every term of two is enumerated, and the draws agree with them."""
    weeks = [[first] * 84 + [400 - first] * 84 if n % 2 else [200] * 168 for n, first in enumerate([*nights[:2], 50])]
    offer = Offer(THROUGHPUT, Fraction(2, 5), 2)
    (size,) = judge(demand(hour for week in weeks for hour in week), offer, units=units, weeks_min=0).sizes
    each = [RATE_PUSD * saved(week, units * 100, offer.discount) for week in weeks]
    terms = sorted(one + other for one in each for other in each)
    assert terms[0] - 1 <= size.low_pusd <= size.saving_pusd <= size.high_pusd <= terms[-1] + 1
    assert size.saving_pusd == pytest.approx(float(sum(terms) / 9), abs=float(terms[-1] - terms[0]) / 10 + 1)
    if terms[0] > 0:
        assert size.loss_probability == 0
    if terms[-1] < 0:
        assert size.loss_probability == 1


def test_steady_demand_is_worth_a_commitment():
    tenth = THROUGHPUT._replace(unit_per_hour=10)
    verdict = judge(working_week(13), Offer(tenth, Fraction(3, 10), 13))
    assert verdict.refusals == ()
    assert verdict.recommended is not None
    assert verdict.recommended.loss_probability <= 0.05
    # In 50 of 168 hours there is ten times the demand of the others: at 30 % off only the base is worth it.
    assert 8 <= verdict.break_even_units <= 12
    deeper = judge(working_week(13), Offer(tenth, Fraction(8, 10), 13))
    assert deeper.recommended is not None
    assert deeper.recommended.units >= 80


def test_falling_demand_is_refused_though_the_quantile_rule_would_buy():
    falling = working_week(13, lambda week: 0.95**week)
    verdict = judge(falling, Offer(THROUGHPUT, Fraction(8, 10), 13))
    assert verdict.break_even_units > 1
    assert verdict.recommended is None
    assert "falls" in verdict.refusals[0]
    assert verdict.drift.falling
    assert verdict.drift.per_week == pytest.approx(-0.055, abs=0.03)


def test_growing_and_noisy_demand_is_no_fall():
    assert not drift_of(working_week(8, lambda week: 1.05**week).amounts).falling
    assert not any(drift_of(working_week(8, seed=seed).amounts).falling for seed in range(5))


@pytest.mark.parametrize(
    ("series", "offer", "says"),
    [
        (working_week(2), Offer(THROUGHPUT, Fraction(8, 10), 13), "2.0 weeks of history"),
        (working_week(8), Offer(THROUGHPUT._replace(units_min=100), Fraction(3, 10), 13), "least that can be bought"),
        (working_week(8), Offer(THROUGHPUT._replace(still_sold=False), Fraction(8, 10), 13), "no longer sold"),
        (working_week(8), Offer(THROUGHPUT, Fraction(1, 100), 13), "least that can be bought|below the noise"),
        (
            working_week(8, lambda week: [1, 0.01, 1, 0.01, 0.01, 1, 1, 0.01][week]),
            Offer(THROUGHPUT, Fraction(17, 20), 1),
            "loses with a probability",
        ),
    ],
)
def test_it_refuses_with_a_reason(series, offer, says):
    verdict = judge(series, offer)
    assert verdict.recommended is None
    assert re.search(says, " ".join(verdict.refusals)), verdict.refusals


def test_a_size_that_is_bound_already_is_judged_as_it_is():
    verdict = judge(working_week(8), Offer(UNITS["priority-output"], Fraction(1, 2), 13), units=50)
    (size,) = verdict.sizes
    assert size.units == 50
    assert size.loss_probability == 1.0  # 3,000,000 tokens an hour for a demand of a thousand


def test_a_prepaid_sum_is_drawn_down_over_the_term():
    week = demand([10**5] * WEEK_H * 6)  # $1.50 an hour, $252 a week
    verdict = judge(week, Offer(UNITS["spend"], Fraction(1, 5), 4))
    assert verdict.break_even_units == 4 * 252
    best = verdict.recommended
    assert (best.units, best.cost_pusd, best.saving_pusd) == (1008, parse_usd("806.4"), parse_usd("201.6"))
    (too_much,) = judge(week, Offer(UNITS["spend"], Fraction(1, 5), 4), units=2000).sizes
    assert too_much.saving_pusd == parse_usd("1008") - parse_usd("1600")


def test_a_quoted_price_is_a_discount():
    """100 tokens an hour cost 100 x $15 per MTok on demand."""
    assert discount_of(working_week(1), THROUGHPUT, 100 * RATE_PUSD * 3 // 4) == Fraction(1, 4)
    with pytest.raises(BadInput):
        discount_of(demand([0]), THROUGHPUT, 5)


@pytest.mark.shared_data
def test_recorded_load_of_43_customers_loses_nothing_where_the_quantile_rule_does(shared_data):
    """Committed on the first week of each, judged on the second: the same series for both rules."""
    discount = Fraction(3, 10)
    ours, plain = [], []
    for file in sorted((shared_data / "servegen" / "m-small").glob("*-trace.csv")):
        per_s = [float(row[1]) for row in csv.reader(file.read_text().splitlines())]
        hourly = [round(sum(per_s[start : start + 6]) * 600) for start in range(0, len(per_s), 6)]
        past, future = hourly[:WEEK_H], hourly[WEEK_H : 2 * WEEK_H]
        if not sum(past):
            continue
        offer = Offer(THROUGHPUT._replace(unit_per_hour=1), discount, 1)
        verdict = judge(demand(past), offer, weeks_min=1, block_h=DAY_H)
        ours.append(saved(future, verdict.recommended.units, discount) if verdict.recommended else Fraction(0))
        plain.append(saved(future, break_even(past, discount), discount))
    assert sum(saving < 0 for saving in plain) >= 3
    assert sum(saving < 0 for saving in ours) == 0
    assert sum(ours) > sum(plain) / 2  # what it refuses is not most of what there is to save


def call(hour, model="claude-haiku-4-5", name="", **served):
    usage = Usage(
        input_tokens=1000,
        cache_write_5m_tokens=100,
        cache_write_1h_tokens=10,
        cache_read_tokens=2000,
        output_tokens=50,
    )
    at = START + timedelta(hours=hour, minutes=7)
    served = Served(model=model, usage=usage, **served)
    return Call(call_id=f"{model}{hour}{name}", sent_at=at, source="test", served=served)


class TestDemand:
    def test_weights_are_those_published(self):
        """GSU: 1 + 1.25 x 100 + 2 x 10 + 0.1 x 2,000 + 5 x 50 on top of 1,000; a Haiku 4.5 GSU is 1,050 tokens/s."""
        draw = unit_named("gsu", "claude-haiku-4-5-20251001")
        found = demand_of([call(0), call(2)], BOOK, draw, "claude-haiku-4-5-20251001")
        assert found.demand.amounts == (1595, 0, 1595)
        assert found.demand.worth_pusd[0] == 1595 * 10**6  # Haiku 4.5: the weights are its price ratios, $1 a MTok
        assert (draw.unit_per_hour, draw.units_min) == (1050 * 3600, 8)

    def test_us_only_inference_burns_priority_capacity_faster(self):
        draw = UNITS["priority-input"]
        calls = [call(0, "claude-sonnet-4-6", inference_geo="us", service_tier="priority")]
        found = demand_of(calls, BOOK, draw, "claude-sonnet-4-6")
        assert found.demand.amounts == (1480,)  # (1,000 + 125 + 20 + 200) x 1.1, half to even
        assert found.calls == 1

    def test_bedrock_counts_no_reads(self):
        found = demand_of([call(0)], BOOK, UNITS["bedrock-input"], None)
        assert found.demand.amounts == (1110,)
        assert found.demand.worth_pusd == (1000 * 10**6 + 100 * 1_250_000 + 10 * 2 * 10**6,)

    def test_what_does_not_draw_is_counted_apart_and_the_end_is_quiet(self):
        calls = [call(0), call(1, service_tier="batch"), call(2, "claude-unheard-of"), call(5, "claude-opus-4-8")]
        found = demand_of(calls, BOOK, UNITS["bedrock-output"], "claude-haiku-4-5-20251001")
        assert (found.calls, found.batches, found.other_models) == (1, 1, 2)
        assert found.demand.amounts == (50, 0, 0, 0, 0, 0)
        everything = demand_of(calls, BOOK, UNITS["spend"], None)
        assert (everything.calls, everything.unpriced) == (3, 1)
        assert everything.demand.amounts == everything.demand.worth_pusd

    def test_units_that_need_more_say_so(self):
        with pytest.raises(BadInput, match="--model"):
            unit_named("gsu", None)
        with pytest.raises(BadInput, match="not published"):
            unit_named("gsu", "claude-opus-5-5")
        with pytest.raises(BadInput, match="spend, gsu"):
            unit_named("ptu", None)

    def test_every_model_with_a_published_throughput_is_in_the_book(self):
        assert [one for one in GSU if one not in {model.id for model in BOOK.models}] == []

    def test_csv(self):
        text = "hour,usd,tokens\n2026-08-03T00:30Z,1.5,100\n2026-08-03T02:00:00+00:00,0.5,7\n2026-08-03T02:10Z,0.5,3\n"
        found = read_demand(io.StringIO(text), "d.csv", UNITS["bedrock-input"]).demand
        assert found == Demand(START, (100, 0, 10), (parse_usd("1.5"), 0, parse_usd("1")))
        assert read_demand(io.StringIO(text), "d.csv", UNITS["spend"]).demand.amounts == found.worth_pusd

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("hour,usd\n2026-08-03,1\n", "columns hour, usd"),
            ("hour,usd,tokens\n2026-08-03T00:00Z,1,1\nsoon,1,1\n", "line 3"),
            ("hour,usd,tokens\n2026-08-03T00:00Z,-1,1\n", "below zero"),
            ("hour,usd,tokens\n0001-01-01T00:00Z,1,1\n2026-08-03T00:00Z,1,1\n", "twenty years"),
            ("", "columns none"),
        ],
    )
    def test_bad_csv_is_named_by_its_line(self, text, says):
        with pytest.raises(BadInput, match=says):
            read_demand(io.StringIO(text), "d.csv", UNITS["bedrock-input"])


def test_a_pack_has_volume_mix_and_what_care_saves():
    """A Haiku 4.5 call: 3,110 tokens at $1 plain, against 1,000 + 125 + 20 + 200 cached; batches cost half."""
    calls = [call(hour) for hour in range(48)] + [call(3, name="b", service_tier="batch")]
    demand = demand_of(calls, BOOK, UNITS["spend"], None).demand
    verdict = judge(demand, Offer(UNITS["spend"], Fraction(1, 5), 13))
    files = pack(Evidence(BOOK).add_all(calls), demand, verdict)
    assert set(files) == {"pack.md", "months.csv", "models.csv", "hours.csv"}
    (month,) = csv.DictReader(io.StringIO(files["months.csv"]))
    assert (month["month"], month["calls"]) == ("2026-08", "49")
    one = Fraction(1595, 10**6)
    assert Fraction(month["list_usd"]) == 48 * one + one / 2
    assert Fraction(month["saved_by_caching_usd"]) == (48 + Fraction(1, 2)) * Fraction(3110 - 1345, 10**6)
    assert Fraction(month["saved_by_batches_usd"]) == one / 2
    hours = list(csv.DictReader(io.StringIO(files["hours.csv"])))
    assert sum(Fraction(row["usd"]) for row in hours) == Fraction(month["list_usd"])
    assert "nothing to recommend" in files["pack.md"]
    assert "less than the 13 weeks" in files["pack.md"]


def test_json_has_every_figure():
    offer = Offer(THROUGHPUT, Fraction(8, 10), 13)
    series = working_week(13)
    told = verdict_json(judge(series, offer))
    assert told["recommended"] in told["sizes"]
    assert set(break_even_json(series, THROUGHPUT, (10, 20))) == {"10", "20"}
    collected = demand_of([call(0)], BOOK, UNITS["spend"], None)
    assert demand_json(collected, UNITS["spend"])["usd_per_hour"]["p100"] == "0.001595"
