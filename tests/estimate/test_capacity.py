"""Which limit binds first: counts against independent arithmetic, growth, dates, tiers."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.call import Call, ExtraPass, PassKind, Served, Usage
from farthing.demo.executed import executed
from farthing.demo.season import START, season
from farthing.errors import BadInput
from farthing.estimate.capacity import OwnLimits, capacity, nearest_rank
from farthing.estimate.capacity_json import capacity_json
from farthing.estimate.growth import reach, seen_growth, told_growth
from farthing.estimate.minutes import INPUT, OUTPUT, PROMPT, REQUESTS, count_traffic
from farthing.ledger.interface import Posting, Stored
from farthing.prices.book import shipped_book
from farthing.prices.engine import price_served

BOOK = shipped_book()
T0 = datetime(2026, 11, 2, 9, tzinfo=UTC)
DEMO = list(executed(ask for ask in season() if ask.at < START + timedelta(days=30)))
OF_CLASS = {
    "claude-haiku-4-5": "Haiku 4.5",
    "claude-haiku-5-5": "Haiku 5.5",
    "claude-sonnet-5-5": "Sonnet 5.5",
    "claude-sonnet-5": "Sonnet 5",
    "claude-opus-4-5": "Opus 4.x",
    "claude-opus-5-5": "Opus 5.5",
}


def posted(*calls):
    return [Stored(call, Posting.of(price_served(BOOK, call.served, call.sent_at))) for call in calls]


def call(at=T0, model="claude-sonnet-5", number=[0], served=None, **counts):  # noqa: B006
    number[0] += 1
    made = Served(model=model, usage=Usage(**counts), **(served or {}))
    return Call(call_id=f"c{number[0]}", sent_at=at, source="test", served=made)


def traffic(*calls):
    return count_traffic(posted(*calls), BOOK)


def amounts(found, counts, name="Sonnet 5"):
    (by_minute,) = [minutes for (of, what), minutes in found.minutes.items() if (of.name, what) == (name, counts)] or [
        {}
    ]
    return [by_minute[minute] for minute in sorted(by_minute)]


def named(found, counts, name="Sonnet 5"):
    return next(use for use in found.uses if (use.model_class, use.counts) == (name, counts))


# -- counting -------------------------------------------------------------------------------------------------------


def test_a_month_against_arithmetic_of_its_own():
    """Each busiest minute of the demo month, and its percentiles, from the rows themselves."""
    sums = {}
    for one in DEMO:
        if one.served.service_tier == "batch":
            continue
        minute = one.sent_at.strftime("%Y-%m-%dT%H:%M")
        usage = one.served.usage
        name = next(name for prefix, name in OF_CLASS.items() if one.served.model.startswith(prefix))
        fresh = usage.input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
        for counts, amount in ((REQUESTS, 1), (INPUT, fresh), (OUTPUT, usage.output_tokens)):
            sums.setdefault((name, counts), Counter())[minute] += amount
    found = capacity(count_traffic(posted(*DEMO), BOOK))
    assert {(use.model_class, use.counts) for use in found.uses} == {*sums, ("all models", "spend")}
    for (name, counts), by_minute in sums.items():
        use = named(found, counts, name)
        values = sorted(value for value in by_minute.values() if value)
        assert (use.busiest, use.minutes) == (values[-1], len(values))
        assert by_minute[use.busiest_at.strftime("%Y-%m-%dT%H:%M")] == values[-1]
        for percent, value in ((50, use.p50), (95, use.p95), (99, use.p99)):
            assert sum(1 for one in values if one <= value) >= len(values) * percent / 100
            assert sum(1 for one in values if one < value) < len(values) * percent / 100
    assert found.calls == sum(1 for one in DEMO if one.served.service_tier != "batch")
    assert found.left_out == {"batches, with limits of their own": len(DEMO) - found.calls}


def test_spend_counts_batches_too_and_is_the_bill():
    found = capacity(count_traffic(posted(*DEMO), BOOK))
    bill = sum(price_served(BOOK, one.served, one.sent_at).list_pusd for one in DEMO)
    assert named(found, "spend", "all models").busiest == bill
    assert named(found, "spend", "all models").share == bill / (500 * 10**12)


def test_cache_reads_are_free_and_writes_are_not():
    counts = {"input_tokens": 5, "cache_write_5m_tokens": 30, "cache_write_1h_tokens": 200, "cache_read_tokens": 1000}
    found = traffic(call(**counts))
    assert (amounts(found, INPUT), amounts(found, PROMPT)) == ([235], [1235])
    older = traffic(call(model="claude-3-5-haiku-20241022", **counts))
    assert amounts(older, INPUT, "Haiku 3.5") == [1235]


def test_what_the_cache_does_for_the_busiest_minute():
    found = capacity(traffic(call(input_tokens=100, cache_read_tokens=900), call(input_tokens=100)))
    (caching,) = found.caching
    assert (caching.busiest, caching.busiest_without, caching.read_share) == (200, 1100, pytest.approx(900 / 1100))


def test_output_counts_over_the_time_it_was_made():
    long = msgspec.structs.replace(call(output_tokens=1000), ttft_ms=30_000, duration_ms=150_000)
    assert amounts(traffic(long), OUTPUT) == [250, 500, 250]  # half a minute, a minute, half a minute


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 59))
def test_spreading_output_loses_no_token(tokens, ttft_ms, duration_ms, second):
    one = msgspec.structs.replace(
        call(T0 + timedelta(seconds=second), output_tokens=tokens), ttft_ms=ttft_ms, duration_ms=duration_ms
    )
    assert sum(amounts(traffic(one), OUTPUT)) == tokens


def test_models_of_one_class_share_its_minute_and_aliases_are_known():
    found = traffic(*(call(model=model) for model in ("claude-opus-4-7", "claude-opus-4-8", "claude-opus-4-5")))
    assert amounts(found, REQUESTS, "Opus 4.x") == [3]


def test_another_pass_counts_for_the_model_that_ran_it_without_a_request():
    extra = ExtraPass(kind=PassKind.ADVISOR, usage=Usage(input_tokens=7, output_tokens=3), model="claude-opus-5")
    found = traffic(call(input_tokens=1, served={"extra_passes": (extra,)}))
    assert (amounts(found, INPUT, "Opus 5"), amounts(found, OUTPUT, "Opus 5")) == ([7], [3])
    assert amounts(found, REQUESTS, "Opus 5") == []


@pytest.mark.parametrize(
    "served",
    [
        {"channel": "bedrock"},
        {"service_tier": "batch"},
        {"service_tier": "priority"},
        {"calls_in_total": None},
        {"calls_in_total": 5},
    ],
)
def test_what_has_other_limits_or_no_minute_is_left_out_and_told(served):
    found = capacity(traffic(call(input_tokens=5), call(input_tokens=5, served=served)))
    assert (found.calls, sum(found.left_out.values())) == (1, 1)
    assert any("left out" in note for note in found.notes)


def test_a_model_without_published_limits_has_none_and_no_tier_is_needed_for_sure():
    found = capacity(traffic(call(model="claude-nobody-9", input_tokens=5), call(served={"speed": "fast"})))
    assert named(found, REQUESTS, "claude-nobody-9").limit is None
    assert named(found, REQUESTS, "Sonnet 5, fast").limit is None
    assert found.tier_needed is None
    assert "without a price: 2 calls, so spend is a lower bound" in found.notes


# -- limits and tiers -----------------------------------------------------------------------------------------------


def burst(requests, **counts):
    return traffic(*(call(T0 + timedelta(milliseconds=number), **counts) for number in range(requests)))


@pytest.mark.parametrize(
    ("found", "tier"),
    [
        (burst(1000), "Start"),
        (burst(1001), "Build"),
        (burst(1, input_tokens=2_000_001), "Build"),
        (burst(1, output_tokens=1_000_001), "Scale"),
        (burst(1, output_tokens=2_000_001), None),
        (burst(3, cache_read_tokens=900_000), "Start"),
        (traffic(*(call(T0 + timedelta(minutes=number), input_tokens=1_900_000) for number in range(30))), "Scale"),
    ],
    ids=["fits", "one request more", "input", "output", "beyond", "cached", "30 days of it cost $3,420 and more"],
)
def test_the_tier_that_is_needed(found, tier):
    assert capacity(found).tier_needed == tier


def test_own_limits_go_over_the_tiers():
    found = capacity(burst(50, input_tokens=10), tier="Build", own=OwnLimits(requests=100, spend_usd=7))
    assert named(found, REQUESTS).share == 0.5
    assert named(found, INPUT).limit == 5_000_000
    assert named(found, "spend", "all models").limit == 7 * 10**12


def test_an_unknown_tier_is_refused():
    with pytest.raises(BadInput, match="Start, Build, Scale"):
        capacity(burst(1), tier="Tier 4")


def test_an_empty_ledger_has_no_limit_that_binds():
    found = capacity(traffic())
    assert (found.first, found.uses, found.calls, found.since) == (None, (), 0, None)
    assert capacity_json(found)["binds_first"] is None


def test_a_limit_that_was_nearly_full_may_hide_demand():
    assert any("held traffic back" in note for note in capacity(burst(900)).notes)
    assert not any("held traffic back" in note for note in capacity(burst(100)).notes)


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(0, 100))
def test_a_percentile_is_one_of_the_values_and_covers_its_share(values, percent):
    ordered = sorted(values)
    found = nearest_rank(ordered, percent)
    assert found in ordered
    assert sum(1 for one in ordered if one <= found) >= math.ceil(len(ordered) * percent / 100)


# -- growth ---------------------------------------------------------------------------------------------------------


@given(st.floats(-0.3, 0.5), st.integers(4, 20), st.integers(10**6, 10**12))
def test_even_growth_is_seen_as_what_it_is(per_week, weeks, start):
    found = seen_growth([round(start * (1 + per_week) ** week) for week in range(weeks)])
    expected = (1 + per_week) ** (365.2425 / 12 / 7) - 1
    assert found.mid == pytest.approx(expected, abs=1e-2, rel=1e-2)
    assert found.low <= found.mid <= found.high


def test_one_odd_week_does_not_decide():
    steady = [1000 * 1.02**week for week in range(10)]
    odd = [amount * (30 if week == 5 else 1) for week, amount in enumerate(steady)]
    assert seen_growth([round(one) for one in odd]).mid == pytest.approx(1.02 ** (30.436875 / 7) - 1, rel=0.05)


@pytest.mark.parametrize("weeks", [[], [1, 2, 3], [0, 0, 5, 5, 5], [0] * 9])
def test_few_weeks_say_nothing(weeks):
    assert seen_growth(weeks) is None


@given(st.floats(0.01, 0.99), st.floats(0.005, 1))
def test_on_the_day_that_is_told_the_limit_is_reached_and_not_before(share, per_month):
    day = reach(share, told_growth(per_month), T0.date()).expected
    if day is not None:
        months = (day - T0.date()).days / (365.2425 / 12)
        assert share * (1 + per_month) ** months >= 1 - 1e-9
        assert share * (1 + per_month) ** (months - 1 / 30) < 1 + 1e-9
    else:
        assert share * (1 + per_month) ** 119 < 1


@pytest.mark.parametrize(("share", "growth", "day"), [(1.5, -0.5, T0.date()), (0.5, 0.0, None), (0.5, -0.1, None)])
def test_without_growth_a_limit_is_reached_already_or_never(share, growth, day):
    assert reach(share, told_growth(growth), T0.date()) == (day, day, day)


def test_growth_that_was_told_dates_every_limit_and_the_soonest_leads():
    found = capacity(burst(500, output_tokens=700), growth=0.1)
    # 350,000 of 400,000; 500 of 1,000; 350,000 x $10 / MTok in a day, so $105 in thirty, of $500
    assert [use.counts for use in found.uses] == [OUTPUT, REQUESTS, "spend"]
    assert [use.share for use in found.uses] == [0.875, 0.5, 0.21]
    use = named(found, REQUESTS)  # half full: ln 2 / ln 1.1 = 7.2725 months = 221.4 days
    assert use.reached.expected == T0.date() + timedelta(days=222)
    assert [use.reached.expected for use in found.uses] == sorted(use.reached.expected for use in found.uses)


def test_growth_is_seen_from_the_calls_themselves():
    """Eight weeks, each 10 % more calls than the one before."""
    calls = [
        call(T0 + timedelta(weeks=week, days=number % 7, minutes=number), input_tokens=100)
        for week in range(8)
        for number in range(round(200 * 1.1**week))
    ]
    growth = named(capacity(traffic(*calls)), REQUESTS).growth
    assert growth.weeks == 8
    assert growth.low <= 1.1 ** (30.436875 / 7) - 1 <= growth.high


def test_every_figure_of_the_json_has_its_kind():
    made = capacity_json(capacity(count_traffic(posted(*DEMO), BOOK)))
    assert {limit["kind"] for limit in made["limits"]} == {"derived"}
    assert {limit["reached"]["kind"] for limit in made["limits"]} == {"assumed"}
    assert msgspec.json.decode(msgspec.json.encode(made)) == made
    young = capacity_json(capacity(burst(1, input_tokens=5)))
    assert next(one for one in young["limits"] if one["counts"] == "spend")["kind"] == "assumed"
